/*
 * report_html.h - a what-if as one page: the answer, its figures, plots and the
 * table of contacts.
 *
 * The page stands alone: no scripts, no fonts or pictures from elsewhere, plots
 * as SVG within it. It fits itself to phones, wide screens, the dark and paper.
 */
#ifndef SF_SIM_REPORT_HTML_H
#define SF_SIM_REPORT_HTML_H

#include "base/status.h"
#include "sim/whatif.h"

#include <stdio.h>

enum { SF_REPORT_ROWS_MAX = 400 }; /* of the table; the middle of a longer one is left out */

/*
 * Write the page of `result`, which came of `scenario`, to `out`. `command` is
 * the line that repeats it, or NULL. Returns SF_OK, SF_EIO or SF_ENOMEM.
 */
SF_MUST_USE int sf_report_html(FILE *out, const struct sf_scenario *scenario,
    const struct sf_whatif *result, const char *command);

/*
 * The answer in one sentence, as it stands at the top: "There after 4 min 2 s." or
 * "Never, because ...". For the terminal as well. Cut to SF_WHATIF_TEXT_BYTES.
 */
void sf_report_answer(const struct sf_whatif *result, char *ret_text);

/* "140 GB", "1.50 MB", "300 bytes": decimal, three digits. */
enum { SF_REPORT_AMOUNT_BYTES = 32 };
void sf_report_size(double bytes, char ret_text[SF_REPORT_AMOUNT_BYTES]);

/* "18.6 Mbit/s". */
void sf_report_rate(double bps, char ret_text[SF_REPORT_AMOUNT_BYTES]);

#endif
