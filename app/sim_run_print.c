/* skyferry-sim run: the answer, as text and as JSON. */
#include <config.h>

#include "app/sim_run.h"
#include "sim/plot.h"
#include "sim/report_html.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 24 }; /* of the table on a terminal */

static double
seconds_since(const struct sf_whatif *result, sf_mono at)
{
    return at <= result->begin ? 0 : (double)(at - result->begin) / 1e9;
}

/* The sums at the end; zeros if nothing was played out. */
static struct sf_whatif_sample
sums(const struct sf_whatif *result)
{
    static const struct sf_whatif_sample nothing;

    return result->sample_count == 0 ? nothing : result->samples[result->sample_count - 1];
}

static double
share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* --- Text ------------------------------------------------------------------------ */

static void
print_receivers(const struct sf_scenario *scenario, const struct sf_whatif *result)
{
    for (size_t i = 0; i < result->receiver_count; i++) {
        const struct sf_whatif_receiver *to = &result->receivers[i];
        char name[SF_SCENARIO_NAME_BYTES + 4];
        char there[SF_PLOT_TEXT_BYTES];
        char receipt[SF_PLOT_TEXT_BYTES];

        snprintf(name, sizeof(name), "to %s", scenario->receivers[i].name);
        printf("  %-16s ", name);
        if (!to->is_delivered) {
            printf("not there: %s\n", to->why[0] != '\0' ? to->why : result->why);
            continue;
        }
        sf_plot_span(seconds_since(result, to->delivered_at), there);
        sf_plot_span(seconds_since(result, to->confirmed_at), receipt);
        printf("in the inbox after %s, ", there);
        if (to->is_confirmed) {
            printf("signed receipt after %s, ", receipt);
        } else {
            printf("no receipt comes back, ");
        }
        printf("contacts %" PRIu64 ", wasted %" PRIu64 "\n", to->contacts, to->contacts_wasted);
    }
}

/* Through which ground station it went; "" if there is no plan. */
static const char *
station_of(const struct sf_scenario *scenario, const struct sf_whatif_contact *row)
{
    const char *station = sf_schedule_station(scenario, row->receiver, row->start);

    return station == NULL ? "" : station;
}

static void
print_table(const struct sf_scenario *scenario, const struct sf_whatif *result)
{
    if (result->contact_count < 2) {
        return;
    }
    printf("\n  %3s  %-12s ", "#", "TO");
    if (scenario->schedule != NULL) {
        printf("%-12s ", "STATION");
    }
    printf(
        "%12s %12s %10s %10s %10s %8s\n", "BEGIN", "LENGTH", "SENT", "NEW DATA", "TWICE", "LOST");
    for (size_t i = 0; i < result->contact_count; i++) {
        const struct sf_whatif_contact *row = &result->contacts[i];
        char begin[SF_PLOT_TEXT_BYTES];
        char length[SF_PLOT_TEXT_BYTES];
        char sent[SF_REPORT_AMOUNT_BYTES];
        char received[SF_REPORT_AMOUNT_BYTES];
        char twice[SF_REPORT_AMOUNT_BYTES];
        sf_mono end = row->end < result->end ? row->end : result->end;

        if (i == ROWS_MAX / 2 && result->contact_count > ROWS_MAX) {
            printf("  ...  %zu more; --json and --report have them\n",
                result->contact_count - ROWS_MAX);
            i = result->contact_count - ROWS_MAX / 2 - 1;
            continue;
        }
        sf_plot_span(seconds_since(result, row->start), begin);
        sf_plot_span(end > row->start ? (double)(end - row->start) / 1e9 : 0, length);
        sf_report_size((double)row->sent_bytes, sent);
        sf_report_size((double)row->received_bytes, received);
        sf_report_size((double)row->resent_bytes, twice);
        printf("  %3zu  %-12s ", i + 1, scenario->receivers[row->receiver].name);
        if (scenario->schedule != NULL) {
            printf("%-12s ", station_of(scenario, row));
        }
        printf("%12s %12s %10s %10s %10s %6.2f %%\n", begin, length, sent,
            row->is_needed && row->received_bytes == 0 ? "WASTED" : received, twice,
            100 * share((double)row->lost_datagrams, (double)row->sent_datagrams));
    }
}

void
sf_sim_run_text(const struct sf_scenario *scenario, const struct sf_whatif *result)
{
    const struct sf_whatif_sample last = sums(result);
    char answer[SF_WHATIF_TEXT_BYTES];
    char text[SF_REPORT_AMOUNT_BYTES];

    sf_report_answer(result, answer);
    printf("%s\n\n", answer);
    sf_report_size((double)result->plain_bytes, text);
    printf("  %-16s %s", "file", text);
    sf_report_size((double)result->sealed_bytes, text);
    if (result->sealed_bytes > 0) {
        printf(", sealed %s in %" PRIu64 " bundles", text, result->bundles);
    }
    printf("\n");
    print_receivers(scenario, result);
    if (last.sent_datagrams > 0) {
        sf_report_rate((double)sf_whatif_goodput_bps(result), text);
        printf("  %-16s %s of the file, dark times included\n", "goodput", text);
        sf_report_size((double)last.sent_bytes, text);
        printf("  %-16s %s, %.3f times the sealed file\n", "sent in all", text,
            share((double)last.sent_bytes,
                (double)result->sealed_bytes * (double)result->receiver_count));
        sf_report_size((double)last.resent_bytes, text);
        printf("  %-16s %s, %.2f %% of the data\n", "sent twice", text,
            100 * share((double)last.resent_bytes, (double)last.data_bytes));
        sf_report_size(share((double)last.sent_bytes, (double)last.sent_datagrams) *
                           (double)last.dark_datagrams,
            text);
        printf("  %-16s %.2f %% on the way; %s sent after a contact had ended\n", "lost",
            100 * share((double)last.lost_datagrams,
                      (double)(last.sent_datagrams - last.dark_datagrams)),
            text);
    }
    print_table(scenario, result);
}

/* --- JSON ------------------------------------------------------------------------- */

static json_t *
integer(uint64_t value)
{
    return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

/* A time counted from the order, in seconds; null if it never comes. */
static json_t *
time_of(const struct sf_whatif *result, sf_mono at, bool is_known)
{
    return is_known && at != SF_NEVER ? json_real(seconds_since(result, at)) : json_null();
}

static json_t *
receivers_json(const struct sf_scenario *scenario, const struct sf_whatif *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->receiver_count; i++) {
        const struct sf_whatif_receiver *to = &result->receivers[i];

        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "name",
                      scenario->receivers[i].name, "profile", scenario->receivers[i].profile_name,
                      "delivered_s", time_of(result, to->delivered_at, to->is_delivered),
                      "confirmed_s", time_of(result, to->confirmed_at, to->is_confirmed),
                      "received_bytes", integer(to->received_bytes), "compared_bytes",
                      integer(to->compared_bytes), "contacts", integer(to->contacts),
                      "contacts_wasted", integer(to->contacts_wasted), "why", to->why));
    }
    return list;
}

static json_t *
contacts_json(const struct sf_scenario *scenario, const struct sf_whatif *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->contact_count; i++) {
        const struct sf_whatif_contact *row = &result->contacts[i];

        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "to",
                      scenario->receivers[row->receiver].name, "station", station_of(scenario, row),
                      "begin_s", time_of(result, row->start, true), "end_s",
                      time_of(result, row->end, true), "sent_bytes", integer(row->sent_bytes),
                      "sent_datagrams", integer(row->sent_datagrams), "lost_datagrams",
                      integer(row->lost_datagrams), "received_bytes", integer(row->received_bytes),
                      "resent_bytes", integer(row->resent_bytes), "wasted",
                      row->is_needed && row->received_bytes == 0));
    }
    return list;
}

static json_t *
samples_json(const struct sf_whatif *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->sample_count; i++) {
        const struct sf_whatif_sample *sample = &result->samples[i];
        json_t *received = json_array();

        for (size_t k = 0; k < result->receiver_count; k++) {
            (void)json_array_append_new(received, integer(sample->received_bytes[k]));
        }
        (void)json_array_append_new(list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "at_s",
                time_of(result, sample->at, true), "sent_bytes", integer(sample->sent_bytes),
                "sent_datagrams", integer(sample->sent_datagrams), "lost_datagrams",
                integer(sample->lost_datagrams), "dark_datagrams", integer(sample->dark_datagrams),
                "resent_bytes", integer(sample->resent_bytes), "custody_bytes",
                integer(sample->custody_bytes), "received_bytes", received));
    }
    return list;
}

bool
sf_sim_run_json(const struct sf_scenario *scenario, const struct sf_whatif *result)
{
    static const char *const outcomes[] = {"delivered", "late", "never"};
    const struct sf_whatif_sample last = sums(result);
    char answer[SF_WHATIF_TEXT_BYTES];
    json_t *root;
    bool good;

    sf_report_answer(result, answer);
    root = json_pack("{s:i, s:s, s:s, s:s, s:b, s:s, s:o, s:f, s:o, s:o, s:o, s:i, s:o, s:o, s:o, "
                     "s:o, s:o, s:o, s:o, s:o}",
        "version", 1, "title", scenario->title, "outcome", outcomes[result->outcome], "answer",
        answer, "estimate", result->is_estimate, "why", result->why, "seed",
        integer(scenario->seed), "start_s", (double)result->begin / 1e9, "custody_s",
        time_of(result, result->custody_at, true), "plain_bytes", integer(result->plain_bytes),
        "sealed_bytes", integer(result->sealed_bytes), "class_bytes", (int)result->class_bytes,
        "bundles", integer(result->bundles), "goodput_bps", integer(sf_whatif_goodput_bps(result)),
        "sent_bytes", integer(last.sent_bytes), "returned_bytes",
        result->is_estimate ? json_null() : integer(last.returned_bytes), "data_bytes",
        integer(last.data_bytes), "resent_bytes", integer(last.resent_bytes), "lost_datagrams",
        integer(last.lost_datagrams), "dark_datagrams", integer(last.dark_datagrams));
    good = root != NULL &&
           json_object_set_new(root, "receivers", receivers_json(scenario, result)) == 0 &&
           json_object_set_new(root, "contacts", contacts_json(scenario, result)) == 0 &&
           json_object_set_new(root, "contacts_cut", integer(result->contacts_cut)) == 0 &&
           json_object_set_new(root, "samples", samples_json(result)) == 0 &&
           json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == 0;
    putchar('\n');
    json_decref(root);
    return good;
}
