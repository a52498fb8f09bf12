/*
 * value.h - numbers with their units, as scenarios spell them: the same words
 * as in profiles.
 *
 * Exact: a value is refused rather than rounded to something else than was
 * written, but for what is left below one unit of the result. Pure functions.
 */
#ifndef SF_SIM_VALUE_H
#define SF_SIM_VALUE_H

#include "base/status.h"

#include <stdint.h>

/* What is accepted, for error messages. */
#define SF_SIM_VALUE_RATE_FORM "a rate such as 20Mbit, 256kbit or 2.5MByte"
#define SF_SIM_VALUE_TIME_FORM "a time such as 500ms, 30s, 10min, 4h or 30d"
#define SF_SIM_VALUE_SIZE_FORM "a size such as 140GB, 1.5MB or 700MiB"

/*
 * Read all of `text`. Times are in nanoseconds, sizes in bytes, rates in bits a
 * second. At most 9 decimal places. Returns SF_OK; SF_EFORMAT if it is not such
 * a text; SF_ELIMIT if it is more than `max`. *ret_value is changed on SF_OK only.
 */
SF_MUST_USE int sf_sim_value_rate(const char *text, uint64_t max, uint64_t *ret_value);
SF_MUST_USE int sf_sim_value_time(const char *text, uint64_t max, uint64_t *ret_value);
SF_MUST_USE int sf_sim_value_size(const char *text, uint64_t max, uint64_t *ret_value);

/* A plain decimal number. */
SF_MUST_USE int sf_sim_value_count(const char *text, uint64_t max, uint64_t *ret_value);

#endif
