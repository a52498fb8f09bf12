#include "sim/plot.h"

#include <math.h>
#include <string.h>

static const double left_px = 46;
static const double right_px = 12;
static const double top_px = 20;
static const double bottom_px = 24;

/* --- Texts ----------------------------------------------------------------------- */

void
sf_plot_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
            break;
        }
    }
}

void
sf_plot_span(double seconds, char ret_text[SF_PLOT_TEXT_BYTES])
{
    static const struct {
        double large;
        const char *large_name;
        double small;
        const char *small_name;
    } units[] = {{86400, "d", 3600, "h"}, {3600, "h", 60, "min"}, {60, "min", 1, "s"}};

    if (seconds <= 0) {
        snprintf(ret_text, SF_PLOT_TEXT_BYTES, "0 s");
    } else if (seconds < 0.9995) {
        snprintf(ret_text, SF_PLOT_TEXT_BYTES, "%.0f ms", seconds * 1000);
    } else if (seconds < 59.95) {
        snprintf(ret_text, SF_PLOT_TEXT_BYTES, "%.3g s", seconds);
    } else {
        size_t i = 0;
        double smalls;

        while (i < 2 && seconds < units[i].large - units[i].small / 2) {
            i++;
        }
        smalls = floor(seconds / units[i].small + 0.5);
        seconds = floor(smalls * units[i].small / units[i].large);
        smalls -= seconds * units[i].large / units[i].small;
        if (smalls == 0) {
            snprintf(ret_text, SF_PLOT_TEXT_BYTES, "%.0f %s", seconds, units[i].large_name);
        } else {
            snprintf(ret_text, SF_PLOT_TEXT_BYTES, "%.0f %s %.0f %s", seconds, units[i].large_name,
                smalls, units[i].small_name);
        }
    }
}

/* --- Axes -------------------------------------------------------------------------- */

/* The step of at most `count` ticks up to `max`: 1, 2 or 5 times a power of ten. */
static double
decimal_step(double max, double count)
{
    double power = pow(10, floor(log10(max / count)));

    for (double factor = 1; factor < 10; factor *= factor == 2 ? 2.5 : 2) {
        if (power * factor * count >= max * 0.999999) {
            return power * factor;
        }
    }
    return power * 10;
}

/* The same for time, which has steps of its own. */
static double
time_step(double max, double count)
{
    static const double steps[] = {60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200,
        86400, 2 * 86400, 5 * 86400, 10 * 86400, 20 * 86400, 50 * 86400, 100 * 86400, 200 * 86400};

    if (decimal_step(max, count) <= 20) {
        return decimal_step(max, count);
    }
    if (max / 30 <= count) {
        return 30;
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i] * count >= max) {
            return steps[i];
        }
    }
    return decimal_step(max / 86400, count) * 86400;
}

struct frame {
    const struct sf_plot *plot;
    double x_scale;
    double y_scale;
    double y_max;
    double y_step;
};

static double
x_of(const struct frame *frame, double x)
{
    return left_px + x * frame->x_scale;
}

static double
y_of(const struct frame *frame, double y)
{
    return frame->plot->height - bottom_px - fmin(y, frame->y_max) * frame->y_scale;
}

static void
draw_axes(FILE *out, const struct frame *frame)
{
    const struct sf_plot *plot = frame->plot;
    double step = time_step(plot->x_max, plot->is_narrow ? 4 : 8);
    double right = plot->width - right_px;

    for (double y = 0; y <= frame->y_max * 1.000001; y += frame->y_step) {
        fprintf(
            out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", left_px, y_of(frame, y), right);
        fprintf(out, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">%.6g</text>\n", left_px - 6,
            y_of(frame, y) + 4, y);
    }
    fprintf(out, "<text x=\"0\" y=\"11\">%s</text>\n", plot->unit);
    for (double x = 0; x <= plot->x_max * 1.000001; x += step) {
        char text[SF_PLOT_TEXT_BYTES];
        double at = x_of(frame, x);

        sf_plot_span(x, text);
        fprintf(out, "<path class=\"tick\" d=\"M%.1f %.1fv4\"/>", at, plot->height - bottom_px);
        fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
            at + 24 > plot->width ? "end" : "mid", at + 24 > plot->width ? plot->width : at,
            plot->height - 6, x == 0 ? "0" : text);
    }
}

/* --- Data --------------------------------------------------------------------------- */

static void
draw_bands(FILE *out, const struct frame *frame)
{
    const struct sf_plot *plot = frame->plot;
    double drawn_to = -1;

    if (plot->band_count == 0) {
        return;
    }
    fputs("<path class=\"band\" d=\"", out);
    for (size_t i = 0; i < plot->band_count; i++) {
        double from = x_of(frame, fmax(plot->bands[i].from, 0));
        double to = x_of(frame, fmin(plot->bands[i].to, plot->x_max));

        /* A month of passes has bands finer than a pixel: they stay visible, not doubled. */
        to = fmax(to, from + 0.6);
        from = fmax(from, drawn_to);
        if (to <= from || from >= plot->width - right_px) {
            continue;
        }
        fprintf(
            out, "M%.1f %.1fH%.1fV%.1fH%.1fZ", from, top_px, to, plot->height - bottom_px, from);
        drawn_to = to;
    }
    fputs("\"/>\n", out);
}

static void
draw_points(FILE *out, const struct frame *frame, const struct sf_plot_series *series)
{
    const struct sf_plot *plot = frame->plot;

    for (size_t i = 0; i < plot->count; i++) {
        double x = x_of(frame, plot->xs[i]);
        double y = y_of(frame, series->values[i]);

        if (i == 0) {
            fprintf(out, "M%.1f %.1f", x, y);
        } else if (series->is_step) {
            fprintf(out, "V%.1fH%.1f", y, x);
        } else {
            fprintf(out, "L%.1f %.1f", x, y);
        }
    }
}

static void
draw_series(FILE *out, const struct frame *frame, const struct sf_plot_series *series)
{
    const struct sf_plot *plot = frame->plot;

    if (plot->count == 0) {
        return;
    }
    if (series->is_area) {
        fprintf(out, "<path class=\"area s%u\" d=\"", series->style);
        draw_points(out, frame, series);
        fprintf(out, "V%.1fH%.1fZ\"/>\n", y_of(frame, 0), x_of(frame, plot->xs[0]));
    }
    fprintf(
        out, "<path class=\"line%s s%u\" d=\"", series->is_dashed ? " dashed" : "", series->style);
    draw_points(out, frame, series);
    fputs("\"/>\n", out);
}

void
sf_plot_svg(FILE *out, const struct sf_plot *plot)
{
    double y_max = plot->y_max > 0 ? plot->y_max : 1;
    struct frame frame = {.plot = plot};
    double x_max = plot->x_max > 0 ? plot->x_max : 1;

    /* What is a hair above a line is drawn on it, not below an axis that is half empty. */
    frame.y_step = decimal_step(y_max * 0.98, 4);
    frame.y_max = ceil(y_max / frame.y_step * 0.98) * frame.y_step;
    frame.x_scale = (plot->width - left_px - right_px) / x_max;
    frame.y_scale = (plot->height - top_px - bottom_px) / frame.y_max;
    fprintf(out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"%s\" viewBox=\"0 0 %.0f %.0f\" "
        "role=\"img\" aria-label=\"",
        plot->is_narrow ? "narrow" : "wide", plot->width, plot->height);
    sf_plot_text(out, plot->label);
    fputs("\">\n", out);
    draw_bands(out, &frame);
    draw_axes(out, &frame);
    for (size_t i = 0; i < plot->series_count; i++) {
        draw_series(out, &frame, &plot->series[i]);
    }
    fputs("</svg>\n", out);
}
