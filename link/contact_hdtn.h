/*
 * contact_hdtn.h - contact plans as NASA's HDTN reads them: JSON.
 *
 *     {"contacts": [{"contact": 0, "source": 1, "dest": 25544,
 *       "startTime": 0, "endTime": 600, "rateBitsPerSec": 20000000, "owlt": 1}]}
 *
 * Times are whole seconds after a reference time: HDTN's start, or 1970 where
 * it runs on Unix timestamps. `rate`, HDTN's old name, is in Mbit/s; `owlt` is
 * the one-way light time in whole seconds. `owltUs`, ours, is the same in
 * microseconds and is preferred; HDTN passes over what it does not know, and so
 * does this reader. Light times hold for one direction.
 */
#ifndef SF_LINK_CONTACT_HDTN_H
#define SF_LINK_CONTACT_HDTN_H

#include "base/bytes.h"
#include "link/contact.h"

enum { SF_CONTACT_HDTN_BYTES_MAX = 32 << 20 };

struct sf_contact_hdtn {
    const char *name;         /* of the text, for messages */
    struct sf_wall reference; /* whole seconds */
};

/*
 * Read `text` into `plan`, which must be initialised and is replaced.
 *
 * Returns SF_OK with a sealed plan; SF_ELIMIT, SF_EFORMAT or SF_ENOMEM with what
 * is wrong in *ret_error, and `plan` as it was.
 */
SF_MUST_USE int sf_contact_hdtn_decode(const struct sf_contact_hdtn *config, struct sf_view text,
    struct sf_contact_plan *plan, struct sf_contact_error *ret_error);

/*
 * Write a sealed plan into `out` of `out_bytes_max`; there is no NUL at the end.
 * With `out` NULL only the size is told. Times are rounded inwards to seconds
 * (what then is empty is left out); light times are those at the contact's start,
 * `owlt` rounded up.
 *
 * Returns SF_OK and the size; SF_EINVAL if a node has no number or a contact
 * starts before the reference, then *ret_error says which; SF_ELIMIT if it does
 * not fit (*ret_bytes says what would).
 */
SF_MUST_USE int sf_contact_hdtn_encode(const struct sf_contact_hdtn *config,
    const struct sf_contact_plan *plan, char *out, size_t out_bytes_max, size_t *ret_bytes,
    struct sf_contact_error *ret_error);

#endif
