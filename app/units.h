/*
 * units.h - rates, sizes and durations as people write them: always with a unit.
 *
 * Arithmetic is exact: "2.5MByte" is 20,000,000 bits a second, never nearly.
 * A bare number is refused (but for 0), since "100" of what is the commonest
 * mistake in a file of settings. Upper and lower case of a unit do not matter,
 * except that a lone `b` is refused: it may mean bits or bytes.
 */
#ifndef SF_APP_UNITS_H
#define SF_APP_UNITS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SF_UNITS_TEXT_BYTES = 32 }; /* room for anything printed here, with the NUL */

/* What a parser takes, for error messages: "such as 20Mbit, 2.5MByte or 1MiB a second". */
#define SF_UNITS_RATE_FORM     "a rate with its unit, such as 20Mbit, 2.5MByte or 1MiB (a second)"
#define SF_UNITS_SIZE_FORM     "a size with its unit, such as 500MByte, 1GiB or 4096Byte"
#define SF_UNITS_DURATION_FORM "a time span with its unit, such as 500ms, 30s, 10min, 4h or 7d"

/*
 * Parse a rate into bits a second: bit, kbit, Mbit, Gbit, Tbit; Byte, kByte,
 * MByte, GByte, TByte (also B, kB, MB, ...); KiB, MiB, GiB, TiB, Kibit, ...;
 * each may end in "/s". At most 9 decimals; what is left below one bit is cut.
 *
 * Returns SF_OK; SF_EFORMAT if it is not such a text; SF_ELIMIT if it does not
 * fit 63 bits. *ret is changed on SF_OK only.
 */
SF_MUST_USE int sf_units_rate_parse(const char *text, uint64_t *ret_bps);

/* Parse a size into bytes: the units of bytes above. Errors as there. */
SF_MUST_USE int sf_units_size_parse(const char *text, uint64_t *ret_bytes);

/* Parse a span into nanoseconds: ns, us, ms, s, min, h, d, w. Errors as above. */
SF_MUST_USE int sf_units_duration_parse(const char *text, uint64_t *ret_ns);

/*
 * Print exactly, in the largest decimal unit that needs no rounding, so that
 * what is printed parses to the same value: "20Mbit", "1500kbit", "1GiB",
 * "500MByte". For files; text.h prints for people.
 */
void sf_units_rate_print(uint64_t bps, char ret_text[SF_UNITS_TEXT_BYTES]);
void sf_units_size_print(uint64_t bytes, char ret_text[SF_UNITS_TEXT_BYTES]);

#endif
