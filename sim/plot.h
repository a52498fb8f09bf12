/*
 * plot.h - drawings of something over time, as SVG inside a page.
 *
 * No scripts and no colours: series are drawn with the classes `s0`, `s1`, ...
 * of the page's style sheet, which also knows light, dark and paper. Each plot
 * is drawn for one width, so that its letters stay as large as the page's own.
 */
#ifndef SF_SIM_PLOT_H
#define SF_SIM_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { SF_PLOT_SERIES_MAX = 10 };

struct sf_plot_series {
    const double *values; /* one for each point */
    unsigned style;       /* the number of its class */
    bool is_area;         /* filled down to the axis */
    bool is_step;         /* value i holds from point i - 1 to point i */
    bool is_dashed;
};

struct sf_plot_band {
    double from; /* on the x axis */
    double to;
};

struct sf_plot {
    const char *label; /* for those who cannot see it */
    double width;      /* CSS pixels */
    double height;
    double x_max; /* seconds; the axis begins at 0 */
    double y_max; /* of what is drawn, in `unit`; the axis is rounded up */
    const char *unit;
    const double *xs; /* of the points, rising */
    size_t count;
    struct sf_plot_series series[SF_PLOT_SERIES_MAX];
    size_t series_count;
    const struct sf_plot_band *bands; /* drawn behind */
    size_t band_count;
    bool is_narrow; /* fewer ticks */
};

/* Write one <svg> element. Errors are those of `out`. */
void sf_plot_svg(FILE *out, const struct sf_plot *plot);

/* "0", "250 ms", "1.5 s", "4 min 10 s", "3 h 20 min", "12 d 4 h". */
enum { SF_PLOT_TEXT_BYTES = 48 };
void sf_plot_span(double seconds, char ret_text[SF_PLOT_TEXT_BYTES]);

/* `text` as it may stand in an element or in a quoted attribute. */
void sf_plot_text(FILE *out, const char *text);

#endif
