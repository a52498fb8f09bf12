/*
 * contact_ion.h - contact plans as ION's ionadmin reads them, ionrc(5).
 *
 *     # comment
 *     @ 2026/11/23-00:00:00
 *     a contact +0 +600 1 25544 2500000 0.9
 *     a range 2026/11/23-00:00:00 2026/11/23-00:10:00 1 25544 0.003
 *
 * Times are yyyy/mm/dd-hh:mm:ss (UTC) or +seconds after the reference time,
 * which `@` changes. Rates are bytes a second; light times are seconds, here
 * with up to six decimals, of which ION itself takes the whole part. A range
 * from a lower to a higher node number holds for both directions. Only
 * scheduled contacts are read. Every other command is refused: a plan that
 * leaves some of itself out would be a wrong plan.
 */
#ifndef SF_LINK_CONTACT_ION_H
#define SF_LINK_CONTACT_ION_H

#include "base/bytes.h"
#include "link/contact.h"

enum {
    SF_CONTACT_ION_BYTES_MAX = 16 << 20,
    SF_CONTACT_ION_LINE_BYTES_MAX = 256,
};

struct sf_contact_ion {
    const char *name;         /* of the text, for messages */
    struct sf_wall reference; /* what relative times count from */
};

/*
 * Read `text` into `plan`, which must be initialised and is replaced.
 *
 * Returns SF_OK with a sealed plan; SF_ELIMIT, SF_EFORMAT or SF_ENOMEM with what
 * is wrong in *ret_error, and `plan` as it was.
 */
SF_MUST_USE int sf_contact_ion_decode(const struct sf_contact_ion *config, struct sf_view text,
    struct sf_contact_plan *plan, struct sf_contact_error *ret_error);

/*
 * Write a sealed plan with absolute times into `out` of `out_bytes_max`; there is
 * no NUL at the end. With `out` NULL only the size is told.
 *
 * Times are rounded inwards to seconds (what then is empty is left out), rates
 * down to bytes.
 * Returns SF_OK and the size; SF_EINVAL if a node has no number, then *ret_error
 * says which; SF_ELIMIT if it does not fit (*ret_bytes says what would).
 */
SF_MUST_USE int sf_contact_ion_encode(const struct sf_contact_plan *plan, char *out,
    size_t out_bytes_max, size_t *ret_bytes, struct sf_contact_error *ret_error);

#endif
