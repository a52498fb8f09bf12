/*
 * progress.h - how far something is, on a terminal.
 *
 * Three parts: a meter that turns byte counts into a steady rate, a line that
 * is drawn into a given number of columns, and a screen that replaces lines it
 * drew before without flicker. The first two are arithmetic and text alone.
 */
#ifndef SF_APP_PROGRESS_H
#define SF_APP_PROGRESS_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    SF_METER_SAMPLES = 16,
    SF_PROGRESS_LINE_BYTES = 1024, /* room for a drawn line, with the NUL */
};

#define SF_METER_STEP_NS      (500 * SF_MS) /* samples are at least this far apart */
#define SF_PROGRESS_UNKNOWN   UINT64_MAX
#define SF_PROGRESS_ETA_MAX_S UINT64_C(8640000) /* beyond a hundred days no figure is honest */

/* --- The meter ------------------------------------------------------------- */

/* Zero it to start; it looks back over the last SF_METER_SAMPLES steps. */
struct sf_meter {
    struct {
        sf_mono time;
        uint64_t bytes;
    } samples[SF_METER_SAMPLES];
    size_t count;
    size_t next;
};

/* `bytes` have been done up to `now`. A count that went back starts the meter anew. */
void sf_meter_update(struct sf_meter *meter, uint64_t bytes, sf_mono now);

/* Bytes per second over the samples kept; 0 before two of them. */
uint64_t sf_meter_rate(const struct sf_meter *meter);

/* --- A line ---------------------------------------------------------------- */

struct sf_progress {
    const char *title;      /* shown text, e.g. "sealing" or the name of a recipient */
    unsigned title_columns; /* room kept for it, so that the bars of several lines align */
    uint64_t done;          /* bytes */
    uint64_t total;         /* bytes; 0 if not known */
    uint64_t rate;          /* bytes per second; 0 if not known */
    uint64_t eta_s;         /* seconds; SF_PROGRESS_UNKNOWN */
    const char *note;       /* shown in place of rate and time, e.g. "delivered"; or NULL */
};

/*
 * Draw `progress` into at most `columns` columns: title, bar, percent, amounts,
 * rate and remaining time, leaving out from the right what has no room, then
 * the bar. 100 % is shown only when `done` reaches `total`.
 */
void sf_progress_draw(const struct sf_progress *progress, unsigned columns, bool utf8,
    char out[SF_PROGRESS_LINE_BYTES]);

/* Only the bar, exactly `columns` wide, for tables. */
void sf_progress_bar(
    uint64_t done, uint64_t total, unsigned columns, bool utf8, char out[SF_PROGRESS_LINE_BYTES]);

/* Whole percent, rounded down, so that 100 means all; `total` 0 counts as nothing done. */
unsigned sf_progress_percent(uint64_t done, uint64_t total);

/* Seconds for the rest at `rate` bytes per second, or SF_PROGRESS_UNKNOWN. */
uint64_t sf_progress_eta(uint64_t done, uint64_t total, uint64_t rate);

/* --- The screen ------------------------------------------------------------ */

/* Lines at the bottom of a terminal. Zero it but for `out`. */
struct sf_screen {
    FILE *out;
    unsigned lines; /* drawn and still there */
};

/* Columns of the terminal `out`, 80 if it does not tell. */
unsigned sf_screen_columns(FILE *out);

/* Replace what was drawn before by `text`, whose lines end in '\n' and fit the terminal. */
void sf_screen_draw(struct sf_screen *screen, const char *text);

/* Take the lines away, so that ordinary output may follow. */
void sf_screen_clear(struct sf_screen *screen);

/* Leave the lines where they are; what is drawn next stands below them. */
void sf_screen_keep(struct sf_screen *screen);

#endif
