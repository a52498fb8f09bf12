#include "sim/report_html.h"

#include "sim/plot.h"
#include "sim/schedule.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    POINTS_WIDE = 180, /* of a plot: more than can be told apart */
    POINTS_NARROW = 90,
    BANDS_MAX = SF_WHATIF_CONTACTS_MAX,
};

static const double wide_px = 760;
static const double wide_high_px = 220;
static const double narrow_px = 352;
static const double narrow_high_px = 200;

/* clang-format off */
static const char style[] =
    ":root{--paper:#f6f4ef;--card:#fff;--ink:#1c2333;--dim:#5d6678;--rule:#e3dfd5;--band:#e9eef5;"
    "--good:#1a7f4b;--bad:#b3261e;--s0:#2f6fb5;--s1:#1a7f4b;--s2:#b8860b;--s3:#c2410c;--s4:#7c4dbe;"
    "--s5:#0e8a8a;--s6:#b03a78;--s7:#5b7a1f;--s8:#7a5c3a}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#12161f;--card:#1a202c;--ink:#e8eaf0;"
    "--dim:#9aa4b6;--rule:#2c3444;--band:#243047;--good:#5fcf93;--bad:#ff8a80;--s0:#6aa9ee;"
    "--s1:#5fcf93;--s2:#e0b54a;--s3:#ff8f5a;--s4:#b796f0;--s5:#54c7c7;--s6:#ef8cc0;--s7:#a8cc5c;"
    "--s8:#cda67a}}\n"
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation Sans\",sans-serif}\n"
    "main{max-width:52rem;margin:0 auto;padding:1.25rem 1rem 3rem}\n"
    "header p{margin:0;color:var(--dim);font-size:.85rem}header .kind{letter-spacing:.09em;"
    "text-transform:uppercase;font-weight:600}\n"
    "h1{font-size:clamp(1.6rem,6vw,2.5rem);line-height:1.15;margin:.4rem 0 .5rem;"
    "letter-spacing:-.015em;overflow-wrap:anywhere}h1.bad{color:var(--bad);"
    "font-size:clamp(1.3rem,4.5vw,1.9rem)}\n"
    "h2{font-size:1.05rem;margin:0 0 .15rem}section{background:var(--card);"
    "border:1px solid var(--rule);border-radius:.7rem;padding:1rem;margin:1rem 0}\n"
    "section>p{margin:.1rem 0 .6rem;color:var(--dim);font-size:.88rem}\n"
    ".figures{display:grid;grid-template-columns:repeat(3,1fr);gap:.7rem;"
    "margin:1.1rem 0}.figures div{background:var(--card);border:1px solid var(--rule);"
    "border-radius:.7rem;padding:.7rem .85rem}.figures dt{color:var(--dim);font-size:.8rem}\n"
    ".figures dd{margin:0}.figures .n{font-size:1.3rem;font-weight:650;line-height:1.3;"
    "font-variant-numeric:tabular-nums}.figures .m{color:var(--dim);font-size:.8rem}\n"
    "dl{margin:0}.note{border-left:.3rem solid var(--s2);background:var(--card);padding:.6rem .9rem;"
    "border-radius:.3rem;font-size:.9rem;margin:1rem 0}\n"
    "svg{display:block;width:100%;height:auto;overflow:visible}svg.narrow{display:none}\n"
    "svg text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation Sans\",sans-serif;"
    "fill:var(--dim)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}\n"
    "svg .grid{stroke:var(--rule);fill:none}svg .tick{stroke:var(--dim);fill:none}"
    "svg .band{fill:var(--band)}\n"
    "svg .line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}"
    "svg .dashed{stroke-dasharray:5 4}svg .area{stroke:none;fill:var(--c);fill-opacity:.2}\n"
    ".s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}"
    ".s5{--c:var(--s5)}.s6{--c:var(--s6)}.s7{--c:var(--s7)}.s8{--c:var(--s8)}\n";

static const char style_end[] =
    ".keys{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;list-style:none;margin:0 0 .5rem;padding:0;"
    "font-size:.85rem}.keys li::before{content:\"\";display:inline-block;width:.95rem;height:.25rem;"
    "border-radius:.1rem;margin-right:.4rem;vertical-align:.22rem;background:var(--c)}\n"
    ".keys li.band::before{height:.8rem;vertical-align:-.05rem;"
    "background:var(--band);border:1px solid var(--rule)}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.86rem;"
    "font-variant-numeric:tabular-nums}th,td{padding:.32rem .5rem;text-align:right;"
    "white-space:nowrap;border-bottom:1px solid var(--rule)}th{color:var(--dim);font-weight:600}\n"
    "th:first-child,td:first-child,td.t,th.t{text-align:left}tr.bad td{color:var(--bad)}"
    "tr.past td{color:var(--dim)}\n"
    ".what{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}"
    ".what dt{color:var(--dim)}.what dd{margin:0;overflow-wrap:anywhere}\n"
    "code{font:.82rem/1.5 ui-monospace,\"Liberation Mono\",monospace;overflow-wrap:anywhere}"
    "footer{color:var(--dim);font-size:.8rem;margin-top:1.4rem}\n"
    "@media(max-width:36rem){svg.wide{display:none}svg.narrow{display:block}.more{display:none}"
    "section{padding:.85rem .75rem}.figures{grid-template-columns:1fr 1fr}table{font-size:.8rem}"
    "th,td{padding:.3rem .25rem}}\n"
    "@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--dim:#444;--rule:#ccc;--band:#e9eef5;"
    "--good:#14633a;--bad:#a11;--s0:#2f6fb5;--s1:#1a7f4b;--s2:#b8860b;--s3:#c2410c}"
    "body{font-size:11pt}main{max-width:none;padding:0}section,.figures div{break-inside:avoid}\n"
    "section.long{break-inside:auto}tr{break-inside:avoid}thead{display:table-header-group}"
    "svg.wide{display:block}svg.narrow{display:none}.more{display:table-cell}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.scroll{overflow:visible}}\n";
/* clang-format on */

/* --- Amounts ----------------------------------------------------------------------- */

static void
amount(double value, const char *const *units, char *ret_text)
{
    size_t i = 0;

    while (value >= 999.5 && units[i + 1] != NULL) {
        value /= 1000;
        i++;
    }
    if (i == 0) {
        snprintf(ret_text, SF_REPORT_AMOUNT_BYTES, "%.0f %s", value, units[i]);
    } else {
        snprintf(ret_text, SF_REPORT_AMOUNT_BYTES, "%.*f %s",
            value < 9.995 ? 2 : (value < 99.95 ? 1 : 0), value, units[i]);
    }
}

void
sf_report_size(double bytes, char ret_text[SF_REPORT_AMOUNT_BYTES])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", NULL};

    amount(bytes, units, ret_text);
}

void
sf_report_rate(double bps, char ret_text[SF_REPORT_AMOUNT_BYTES])
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", NULL};

    amount(bps, units, ret_text);
}

static double
seconds_since(const struct sf_whatif *result, sf_mono at)
{
    return at <= result->begin ? 0 : (double)(at - result->begin) / 1e9;
}

static double
part_of(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* When the last receiver has the file, or the end. */
static sf_mono
last_delivery(const struct sf_whatif *result)
{
    sf_mono last = 0;

    for (size_t i = 0; i < result->receiver_count; i++) {
        if (!result->receivers[i].is_delivered) {
            return result->end;
        }
        if (result->receivers[i].delivered_at > last) {
            last = result->receivers[i].delivered_at;
        }
    }
    return last;
}

void
sf_report_answer(const struct sf_whatif *result, char *ret_text)
{
    char span[SF_PLOT_TEXT_BYTES];

    if (result->outcome == SF_WHATIF_DELIVERED) {
        sf_plot_span(seconds_since(result, last_delivery(result)), span);
        snprintf(ret_text, SF_WHATIF_TEXT_BYTES, "%s after %s%s",
            result->receiver_count > 1 ? "Everywhere" : "There", span,
            result->is_estimate ? ", as estimated" : "");
    } else {
        snprintf(ret_text, SF_WHATIF_TEXT_BYTES, "%s, because %.450s",
            result->outcome == SF_WHATIF_NEVER ? "Never" : "Not in time", result->why);
    }
}

/* --- Points -------------------------------------------------------------------------- */

#define NOTICE_NS (3 * SF_SEC)

/* What is drawn, for one width. */
struct points {
    double xs[POINTS_WIDE + 1];
    double sent[POINTS_WIDE + 1]; /* bits a second over the step before */
    double goodput[POINTS_WIDE + 1];
    double lost[POINTS_WIDE + 1];
    double resent[POINTS_WIDE + 1];
    double custody[POINTS_WIDE + 1]; /* percent */
    double received[SF_SCENARIO_RECEIVERS_MAX][POINTS_WIDE + 1];
    size_t count;
    double rate_max;
    double lost_max;
    bool is_in_contact; /* rates are means over the time in contact */
};

/*
 * Seconds between two samples in which there was a contact with anybody, or
 * which a sender needs to notice that there is none any more.
 */
static double
contact_seconds(const struct sf_whatif *result, sf_mono from, sf_mono to)
{
    sf_mono seen = from; /* contacts are in the order of their start */
    sf_mono sum = 0;

    for (size_t i = 0; i < result->contact_count && result->contacts[i].start < to; i++) {
        const struct sf_whatif_contact *contact = &result->contacts[i];
        sf_mono start = contact->start > seen ? contact->start : seen;
        sf_mono end = sf_mono_min(sf_mono_add(contact->end, NOTICE_NS), to);

        if (start < end) {
            sum += end - start;
            seen = end;
        }
    }
    return (double)sum / 1e9;
}

static double
per_second(uint64_t before, uint64_t after, double span)
{
    return span > 0 && after > before ? (double)(after - before) * 8 / span : 0;
}

static uint64_t
received_by_all(const struct sf_whatif *result, const struct sf_whatif_sample *sample)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < result->receiver_count; i++) {
        sum += sample->received_bytes[i];
    }
    return sum;
}

/* IP bytes that were sent for nothing: datagrams of mean size. */
static uint64_t
lost_bytes(const struct sf_whatif_sample *sample)
{
    return sample->sent_datagrams == 0
               ? 0
               : (uint64_t)((double)(sample->lost_datagrams + sample->dark_datagrams) *
                            ((double)sample->sent_bytes / (double)sample->sent_datagrams));
}

static double
percent(uint64_t part, uint64_t whole)
{
    return fmin(100, 100 * part_of((double)part, (double)whole));
}

static void
add_point(const struct sf_whatif *result, const struct sf_whatif_sample *before,
    const struct sf_whatif_sample *sample, struct points *points)
{
    size_t i = points->count++;
    double step = (double)(sample->at - before->at) / 1e9;
    double span = points->is_in_contact ? contact_seconds(result, before->at, sample->at) : step;
    /* What is lost at the end of a contact is not to stand out for the few seconds it falls into. */
    double lost_span = span > 0 ? fmax(span, step / 8) : 0;

    points->xs[i] = seconds_since(result, sample->at);
    points->sent[i] = per_second(before->sent_bytes, sample->sent_bytes, span);
    points->goodput[i] =
        per_second(received_by_all(result, before), received_by_all(result, sample), span);
    points->lost[i] = per_second(lost_bytes(before), lost_bytes(sample), lost_span);
    points->resent[i] = per_second(before->resent_bytes, sample->resent_bytes, lost_span);
    points->custody[i] = percent(sample->custody_bytes, result->plain_bytes);
    for (size_t k = 0; k < result->receiver_count; k++) {
        points->received[k][i] = percent(sample->received_bytes[k], result->sealed_bytes);
    }
    points->rate_max = fmax(points->rate_max, fmax(points->sent[i], points->goodput[i]));
    points->lost_max = fmax(points->lost_max, fmax(points->lost[i], points->resent[i]));
}

/*
 * Samples of even length, as many as can be told apart. Where they are longer
 * than the time from contact to contact, means over all of it would only show
 * how many contacts happen to fall into each: dark times are left out.
 */
static void
make_points(const struct sf_whatif *result, size_t points_max, struct points *points)
{
    const struct sf_whatif_sample *before = &result->samples[0];
    size_t stride = 1 + result->sample_count / points_max;

    memset(points, 0, sizeof(*points));
    points->is_in_contact = result->contact_count > POINTS_NARROW / 4 && result->contacts_cut == 0;
    if (result->sample_count < 2) {
        return;
    }
    add_point(result, before, before, points);
    for (size_t i = stride; i < result->sample_count + stride - 1; i += stride) {
        const struct sf_whatif_sample *sample =
            &result->samples[i < result->sample_count ? i : result->sample_count - 1];

        if (sample->at > before->at) {
            add_point(result, before, sample, points);
            before = sample;
        }
    }
}

/* --- Plots ------------------------------------------------------------------------------ */

struct page {
    FILE *out;
    const struct sf_scenario *scenario;
    const struct sf_whatif *result;
    struct sf_plot_band *bands;
    size_t band_count;
    struct points wide;
    struct points narrow;
};

/* Where contacts are drawn: those of all receivers together, if there are gaps at all. */
static void
make_bands(struct page *page)
{
    const struct sf_whatif *result = page->result;

    for (size_t i = 0; i < result->contact_count; i++) {
        const struct sf_whatif_contact *contact = &result->contacts[i];

        if (contact->start > result->begin || contact->end < result->end) {
            page->bands[page->band_count++] =
                (struct sf_plot_band){seconds_since(result, contact->start),
                    contact->end == SF_NEVER ? INFINITY : seconds_since(result, contact->end)};
        }
    }
}

static struct sf_plot
plot_of(const struct page *page, const struct points *points, const char *label)
{
    bool is_narrow = points == &page->narrow;

    return (struct sf_plot){
        .label = label,
        .width = is_narrow ? narrow_px : wide_px,
        .height = is_narrow ? narrow_high_px : wide_high_px,
        .x_max = seconds_since(page->result, page->result->end),
        .xs = points->xs,
        .count = points->count,
        .bands = page->bands,
        .band_count = page->band_count,
        .is_narrow = is_narrow,
    };
}

/* The unit of an axis, and what its values are divided by. */
static const char *
unit_of(double bps, double *ret_scale)
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
    size_t i = 0;

    for (*ret_scale = 1; bps / *ret_scale >= 1000 && i < 4; i++) {
        *ret_scale *= 1000;
    }
    return units[i];
}

static void
scale(double *values, size_t count, double by)
{
    for (size_t i = 0; i < count; i++) {
        values[i] /= by;
    }
}

static void
draw_rates(const struct page *page, struct points *points, bool are_lost)
{
    struct sf_plot plot = plot_of(page, points,
        are_lost ? "Data lost and sent again over time" : "Rate and goodput over time");
    double by;

    plot.unit = unit_of(are_lost ? points->lost_max : points->rate_max, &by);
    plot.y_max = (are_lost ? points->lost_max : points->rate_max) / by;
    scale(are_lost ? points->lost : points->sent, points->count, by);
    scale(are_lost ? points->resent : points->goodput, points->count, by);
    plot.series[0] = (struct sf_plot_series){.values = are_lost ? points->lost : points->goodput,
        .style = are_lost ? 3 : 1,
        .is_area = true,
        .is_step = true};
    plot.series[1] = (struct sf_plot_series){.values = are_lost ? points->resent : points->sent,
        .style = are_lost ? 4 : 0,
        .is_step = true};
    plot.series_count = 2;
    sf_plot_svg(page->out, &plot);
}

/* The style of a receiver's line: its own colour, if there are several. */
static unsigned
style_of(const struct page *page, size_t receiver)
{
    static const unsigned styles[SF_SCENARIO_RECEIVERS_MAX] = {1, 0, 3, 4, 5, 6, 7, 8};

    return page->result->receiver_count == 1 ? 1 : styles[receiver];
}

static void
draw_progress(const struct page *page, struct points *points)
{
    struct sf_plot plot = plot_of(page, points, "Custody and delivery over time");

    plot.unit = "%";
    plot.y_max = 100;
    plot.series[plot.series_count++] =
        (struct sf_plot_series){.values = points->custody, .style = 2, .is_dashed = true};
    for (size_t i = 0; i < page->result->receiver_count; i++) {
        plot.series[plot.series_count++] = (struct sf_plot_series){.values = points->received[i],
            .style = style_of(page, i),
            .is_area = page->result->receiver_count == 1};
    }
    sf_plot_svg(page->out, &plot);
}

static void
write_key(FILE *out, unsigned style_number, const char *text)
{
    fprintf(out, "<li class=\"s%u\"><span>", style_number);
    sf_plot_text(out, text);
    fputs("</span></li>", out);
}

static void
end_keys(const struct page *page)
{
    if (page->band_count > 0) {
        fputs("<li class=\"band\"><span>contact</span></li>", page->out);
    }
    fputs("</ul>\n", page->out);
}

static void
write_plots(struct page *page)
{
    FILE *out = page->out;

    fprintf(out,
        "<section><h2>Rate and goodput</h2><p>What was sent%s, with all heads and repairs, and "
        "what arrived for the first time%s.</p><ul class=\"keys\">",
        page->result->receiver_count > 1 ? " to all receivers together" : "",
        page->wide.is_in_contact ? ": means over the time in contact" : "");
    write_key(out, 0, "sent");
    write_key(out, 1, "new data arriving");
    end_keys(page);
    draw_rates(page, &page->wide, false);
    draw_rates(page, &page->narrow, false);
    fputs("</section>\n<section><h2>Custody and delivery</h2><p>The share of the file that is safe "
          "at the sender, and that has arrived.</p><ul class=\"keys\">",
        out);
    write_key(out, 2, "in custody");
    for (size_t i = 0; i < page->result->receiver_count; i++) {
        write_key(out, style_of(page, i),
            page->result->receiver_count == 1 ? "arrived" : page->scenario->receivers[i].name);
    }
    end_keys(page);
    draw_progress(page, &page->wide);
    draw_progress(page, &page->narrow);
    fputs("</section>\n<section><h2>Loss and repair</h2><p>What vanished on the way or was sent "
          "after a contact had ended, and what was sent again.</p><ul class=\"keys\">",
        out);
    write_key(out, 3, "lost");
    write_key(out, 4, "sent again");
    end_keys(page);
    draw_rates(page, &page->wide, true);
    draw_rates(page, &page->narrow, true);
    fputs("</section>\n", out);
}

/* --- Texts of the page -------------------------------------------------------------------- */

static void
write_figure(FILE *out, const char *name, const char *value, const char *more)
{
    fprintf(out, "<div><dt>%s</dt><dd class=\"n\">%s</dd><dd class=\"m\">", name, value);
    sf_plot_text(out, more);
    fputs("</dd></div>\n", out);
}

static void
write_figures(const struct page *page)
{
    static const struct sf_whatif_sample nothing;
    const struct sf_whatif *result = page->result;
    const struct sf_whatif_sample *last =
        result->sample_count == 0 ? &nothing : &result->samples[result->sample_count - 1];
    uint64_t contacts = 0;
    uint64_t wasted = 0;
    double sealed = (double)result->sealed_bytes * (double)result->receiver_count;
    char value[64];
    char more[128];

    for (size_t i = 0; i < result->receiver_count; i++) {
        contacts += result->receivers[i].contacts;
        wasted += result->receivers[i].contacts_wasted;
    }
    fputs("<dl class=\"figures\">\n", page->out);
    sf_plot_span(seconds_since(result, last_delivery(result)), value);
    write_figure(page->out,
        result->outcome == SF_WHATIF_DELIVERED ? "In the inbox after" : "Given up after", value,
        result->receiver_count > 1 ? "the last receiver" : "counted from the order");
    sf_report_rate((double)sf_whatif_goodput_bps(result), value);
    write_figure(page->out, "Goodput", value, "of the file, dark times included");
    snprintf(value, sizeof(value), "%" PRIu64, contacts);
    snprintf(
        more, sizeof(more), wasted == 0 ? "none was wasted" : "%" PRIu64 " of them wasted", wasted);
    write_figure(page->out, contacts == 1 ? "Contact" : "Contacts", value, more);
    sf_report_size((double)last->sent_bytes, value);
    snprintf(more, sizeof(more), "%.3f times the sealed file",
        part_of((double)last->sent_bytes, sealed));
    write_figure(page->out, "Sent in all", value, more);
    sf_report_size((double)last->resent_bytes, value);
    snprintf(more, sizeof(more), "%.2f %% of the data",
        100 * part_of((double)last->resent_bytes, (double)last->data_bytes));
    write_figure(page->out, "Sent twice", value, more);
    snprintf(value, sizeof(value), "%.2f %%",
        100 * part_of((double)last->lost_datagrams,
                  (double)(last->sent_datagrams - last->dark_datagrams)));
    sf_report_size(part_of((double)last->sent_bytes, (double)last->sent_datagrams) *
                       (double)last->dark_datagrams,
        more);
    strncat(more, " more into the dark", sizeof(more) - strlen(more) - 1);
    write_figure(
        page->out, "Lost on the way", value, last->dark_datagrams == 0 ? "of all datagrams" : more);
    fputs("</dl>\n", page->out);
}

static void
write_row(const struct page *page, const struct sf_whatif_contact *row, size_t number)
{
    const struct sf_whatif *result = page->result;
    sf_mono end = row->end < result->end ? row->end : result->end;
    double span = end > row->start ? (double)(end - row->start) / 1e9 : 0;
    char text[SF_PLOT_TEXT_BYTES];
    bool is_wasted = row->is_needed && row->received_bytes == 0;

    fprintf(page->out, "<tr%s><td>%zu</td>",
        is_wasted ? " class=\"bad\"" : (row->is_needed ? "" : " class=\"past\""), number);
    if (result->receiver_count > 1) {
        fputs("<td class=\"t\">", page->out);
        sf_plot_text(page->out, page->scenario->receivers[row->receiver].name);
        fputs("</td>", page->out);
    }
    if (page->scenario->schedule != NULL) {
        const char *station = sf_schedule_station(page->scenario, row->receiver, row->start);

        fputs("<td class=\"t\">", page->out);
        sf_plot_text(page->out, station == NULL ? "" : station);
        fputs("</td>", page->out);
    }
    sf_plot_span(seconds_since(result, row->start), text);
    fprintf(page->out, "<td>%s</td>", text);
    sf_plot_span(span, text);
    fprintf(page->out, "<td>%s</td>", text);
    sf_report_size((double)row->sent_bytes, text);
    fprintf(page->out, "<td class=\"more\">%s</td>", text);
    if (is_wasted) {
        fputs("<td>wasted</td>", page->out);
    } else {
        sf_report_size((double)row->received_bytes, text);
        fprintf(page->out, "<td>%s</td>", text);
    }
    sf_report_rate(part_of((double)row->received_bytes * 8, span), text);
    fprintf(page->out, "<td class=\"more\">%s</td>", text);
    sf_report_size((double)row->resent_bytes, text);
    fprintf(page->out, "<td class=\"more\">%s</td><td>%.2f %%</td></tr>\n", text,
        100 * part_of((double)row->lost_datagrams, (double)row->sent_datagrams));
}

static void
write_contacts(const struct page *page)
{
    const struct sf_whatif *result = page->result;
    size_t head = result->contact_count;
    size_t tail = result->contact_count;

    if (result->contact_count == 0) {
        return;
    }
    if (result->contact_count > SF_REPORT_ROWS_MAX) {
        head = SF_REPORT_ROWS_MAX / 2;
        tail = result->contact_count - SF_REPORT_ROWS_MAX / 2;
    }
    fprintf(page->out,
        "<section class=\"long\"><h2>Contacts</h2><p>Begin is counted from the order; one "
        "in which nothing new arrived is wasted.</p><div class=\"scroll\"><table><thead><tr>"
        "<th>#</th>%s%s<th>begin</th><th>length</th><th class=\"more\">sent</th><th>new data</th>"
        "<th class=\"more\">goodput</th><th class=\"more\">sent again</th><th>lost</th></tr>"
        "</thead><tbody>\n",
        result->receiver_count > 1 ? "<th class=\"t\">to</th>" : "",
        page->scenario->schedule != NULL ? "<th class=\"t\">station</th>" : "");
    for (size_t i = 0; i < result->contact_count; i++) {
        if (i == head && head < tail) {
            fprintf(page->out, "<tr><td colspan=\"10\">%zu more</td></tr>\n", tail - head);
            i = tail;
        }
        write_row(page, &result->contacts[i], i + 1);
    }
    if (result->contacts_cut > 0) {
        fprintf(page->out, "<tr><td colspan=\"10\">%" PRIu64 " more after these</td></tr>\n",
            result->contacts_cut);
    }
    fputs("</tbody></table></div></section>\n", page->out);
}

static void
write_fact(FILE *out, const char *name, const char *value)
{
    fprintf(out, "<dt>%s</dt><dd>", name);
    sf_plot_text(out, value);
    fputs("</dd>\n", out);
}

/* "5.00 Mbit/s, 300 ms, 0.1000 % lost": one direction of a network. */
static void
describe_path(const struct sf_sim_path_config *path, char *text, size_t text_bytes)
{
    char rate[SF_REPORT_AMOUNT_BYTES] = "no limit";
    char delay[SF_PLOT_TEXT_BYTES];

    uint64_t rate_bps = path->rate_bps;
    uint64_t delay_ns = path->delay_ns;

    for (size_t i = 0; i < path->plan_count; i++) {
        const struct sf_sim_contact *contact = &path->plan[i];

        if (i == 0 || contact->rate_bps > rate_bps) {
            rate_bps = contact->rate_bps;
        }
        if (contact->delay_ns != SF_SIM_PATH_DELAY_KEPT &&
            (i == 0 || contact->delay_ns > delay_ns)) {
            delay_ns = contact->delay_ns;
        }
    }
    if (rate_bps != 0) {
        sf_report_rate((double)rate_bps, rate);
    }
    sf_plot_span((double)delay_ns / 1e9, delay);
    snprintf(text, text_bytes, "%s%s, %s one way, %.4g %% lost%s%s%s",
        path->plan_count > 0 ? "by the plan, up to " : "", rate, delay, path->loss_ppm / 1e4,
        path->burst_enter_ppm > 0 ? " and bursts" : "", path->fade_span_ns > 0 ? ", fades" : "",
        path->contact_count + path->outage_count + path->plan_count + path->duty_ppm > 0
            ? ", with gaps"
            : "");
}

static void
write_receivers(const struct page *page)
{
    const struct sf_whatif *result = page->result;

    for (size_t i = 0; i < result->receiver_count; i++) {
        const struct sf_scenario_receiver *receiver = &page->scenario->receivers[i];
        const struct sf_whatif_receiver *to = &result->receivers[i];
        char span[SF_PLOT_TEXT_BYTES];
        char text[SF_WHATIF_TEXT_BYTES + 128];

        if (to->is_delivered) {
            sf_plot_span(seconds_since(result, to->delivered_at), span);
            snprintf(text, sizeof(text), "there after %s", span);
            if (to->is_confirmed) {
                sf_plot_span(seconds_since(result, to->confirmed_at), span);
                snprintf(text + strlen(text), sizeof(text) - strlen(text),
                    ", and its signed receipt after %s", span);
            }
        } else {
            snprintf(text, sizeof(text), "not there%s%s", to->why[0] == '\0' ? "" : ": ", to->why);
        }
        write_fact(page->out, receiver->name, text);
        describe_path(&receiver->profile.forward, text, sizeof(text));
        write_fact(page->out, "way there", text);
        describe_path(&receiver->profile.back, text, sizeof(text));
        write_fact(page->out, "way back", text);
    }
}

static void
write_scenario(const struct page *page, const char *command)
{
    const struct sf_whatif *result = page->result;
    char text[128];
    char sealed[SF_REPORT_AMOUNT_BYTES];
    char size[SF_REPORT_AMOUNT_BYTES];

    fputs("<section><h2>The question</h2><dl class=\"what\">\n", page->out);
    sf_report_size((double)result->plain_bytes, size);
    sf_report_size((double)result->sealed_bytes, sealed);
    snprintf(text, sizeof(text), "%s, sealed into %" PRIu64 " bundles, %s", size, result->bundles,
        sealed);
    write_fact(page->out, "file", text);
    write_receivers(page);
    if (result->begin > 0) {
        sf_plot_span((double)result->begin / 1e9, text);
        write_fact(page->out, "order given at", text);
    }
    snprintf(text, sizeof(text), "%" PRIu64, page->scenario->seed);
    write_fact(page->out, "seed", text);
    if (command != NULL) {
        fputs("<dt>again</dt><dd><code>", page->out);
        sf_plot_text(page->out, command);
        fputs("</code></dd>\n", page->out);
    }
    fputs("</dl></section>\n", page->out);
}

static void
write_head(const struct page *page)
{
    const struct sf_whatif *result = page->result;
    const char *title = page->scenario->title;
    char answer[SF_WHATIF_TEXT_BYTES];
    char size[SF_REPORT_AMOUNT_BYTES];
    FILE *out = page->out;

    sf_report_answer(result, answer);
    sf_report_size((double)result->plain_bytes, size);
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
        out);
    sf_plot_text(out, title[0] != '\0' ? title : "Skyferry what-if");
    fputs(": ", out);
    sf_plot_text(out, answer);
    fprintf(out, "</title>\n<style>\n%s%s</style></head>\n<body><main>\n<header><p class=\"kind\">",
        style, style_end);
    sf_plot_text(out, title[0] != '\0' ? title : "What if");
    fprintf(out, "</p><h1%s>", result->outcome == SF_WHATIF_DELIVERED ? "" : " class=\"bad\"");
    sf_plot_text(out, answer);
    fprintf(out, "</h1><p>%s to ", size);
    for (size_t i = 0; i < result->receiver_count; i++) {
        const struct sf_scenario_receiver *receiver = &page->scenario->receivers[i];

        fputs(i == 0 ? "" : (i + 1 == result->receiver_count ? " and " : ", "), out);
        sf_plot_text(out, receiver->name);
        if (receiver->profile_name[0] != '\0') {
            fputs(" over ", out);
            sf_plot_text(out, receiver->profile_name);
        }
    }
    fputs("</p></header>\n", out);
    if (result->is_estimate) {
        fputs(
            "<p class=\"note\"><strong>An estimate.</strong> Data was reckoned as a fluid through "
            "the contacts; nothing was played out by the engine.</p>\n",
            out);
    }
}

int
sf_report_html(FILE *out, const struct sf_scenario *scenario, const struct sf_whatif *result,
    const char *command)
{
    struct page *page = calloc(1, sizeof(*page));
    int status;

    if (page == NULL) {
        return SF_ENOMEM;
    }
    page->out = out;
    page->scenario = scenario;
    page->result = result;
    page->bands = calloc(BANDS_MAX, sizeof(*page->bands));
    if (page->bands == NULL) {
        free(page);
        return SF_ENOMEM;
    }
    make_bands(page);
    make_points(result, POINTS_WIDE, &page->wide);
    make_points(result, POINTS_NARROW, &page->narrow);
    write_head(page);
    write_figures(page);
    if (page->wide.count > 1) {
        write_plots(page);
    }
    write_contacts(page);
    write_scenario(page, command);
    fprintf(out,
        "<footer>%s skyferry-sim. Rates are of IP bytes, sizes decimal.</footer>\n"
        "</main></body></html>\n",
        result->is_estimate         ? "Estimated by"
        : result->sample_count == 0 ? "Proven without playing it out, by"
                                    : "Played out in virtual time, with the engines that ship, by");
    status = ferror(out) != 0 ? SF_EIO : SF_OK;
    free(page->bands);
    free(page);
    return status;
}
