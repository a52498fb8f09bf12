/*
 * contact_text.h - what the readers of contact plans and orbits share: messages,
 * lines, words, exact numbers and dates.
 *
 * Inside of link/contact_*.c. No locale: strtod() is never called on a text.
 */
#ifndef SF_LINK_CONTACT_TEXT_H
#define SF_LINK_CONTACT_TEXT_H

#include "base/bytes.h"
#include "link/contact.h"

enum { SF_CONTACT_SHOWN_BYTES = 64 }; /* so much of a wrong value is shown */

/*
 * Put "name:line: ..." into *ret_error (the line only if it is not 0), as one
 * line of plain text. Returns `status`.
 */
__attribute__((format(printf, 5, 6))) int sf_contact_fail(struct sf_contact_error *ret_error,
    int status, const char *name, unsigned int line, const char *format, ...);

/* A copy of `text` to be shown in a message, cut to fit. */
struct sf_contact_shown {
    char text[SF_CONTACT_SHOWN_BYTES];
};
struct sf_contact_shown sf_contact_show(struct sf_view text);

/* Cut the next line off the front of *text, without its end; false at the end of the text. */
bool sf_contact_line(struct sf_view *text, struct sf_view *ret_line);

/* Cut the next word off the front of *line; false if only blanks are left. */
bool sf_contact_word(struct sf_view *line, struct sf_view *ret_word);

struct sf_view sf_contact_trim(struct sf_view text);
bool sf_contact_is(struct sf_view text, const char *word);
bool sf_contact_begins(struct sf_view text, const char *begin);

/* The whole of `text` as a decimal integer of at most `max`. */
bool sf_contact_integer(struct sf_view text, uint64_t max, uint64_t *ret_value);

/* A decimal number as `text` x 10^`decimals`, exactly: "1.5" with 3 is 1500. Not negative. */
bool sf_contact_decimal(
    struct sf_view text, unsigned int decimals, uint64_t max, uint64_t *ret_value);

/* A number of at most 18 digits with sign, point and exponent; correct to the last bit or so. */
bool sf_contact_real(struct sf_view text, double *ret_value);

/* Days since 1970-01-01 of a date of the years 1900 to 9999; false if there is none. */
bool sf_contact_days(unsigned int year, unsigned int month, unsigned int day, int64_t *ret_days);

/* The date and time of `t`, for printing. */
struct sf_contact_date {
    unsigned int year, month, day, hour, minute, second;
};
struct sf_contact_date sf_contact_date_of(struct sf_wall t);

#endif
