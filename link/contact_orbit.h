/*
 * contact_orbit.h - orbits of satellites as they are published.
 *
 *   TLE   two lines of 69 columns, with or without a name line before; checksums
 *         are checked; numbers of five digits or Alpha-5 (A0000 is 100000)
 *   OMM   CCSDS 502.0 mean elements as JSON (CelesTrak, Space-Track: one object
 *         or an array of them) or as KEY = VALUE lines (KVN)
 *
 * Only elements for SGP4 in TEME and UTC are taken.
 */
#ifndef SF_LINK_CONTACT_ORBIT_H
#define SF_LINK_CONTACT_ORBIT_H

#include "base/bytes.h"
#include "link/contact.h"
#include "link/sgp4.h"

enum {
    SF_ORBITS_MAX = 16384,
    SF_ORBIT_BYTES_MAX = 32 << 20,
    SF_ORBIT_NAME_BYTES = 64,
};

struct sf_orbit {
    uint64_t number;                /* in the catalogue; 0: none is given */
    char name[SF_ORBIT_NAME_BYTES]; /* as published, cut to this; empty: none is given */
    struct sf_sgp4_elements elements;
    uint32_t line;
};

struct sf_orbits {
    struct sf_orbit *orbits; /* in the order of the text */
    size_t count;
    size_t capacity;
};

void sf_orbits_init(struct sf_orbits *orbits);
void sf_orbits_fini(struct sf_orbits *orbits);

/*
 * Read `text`, whichever of the forms above it has, into `orbits`, which must be
 * initialised and is replaced. `name` is the text's, for messages.
 *
 * Returns SF_OK with at least one orbit; SF_ELIMIT, SF_EFORMAT or SF_ENOMEM with
 * what is wrong in *ret_error, and `orbits` as they were.
 */
SF_MUST_USE int sf_orbits_decode(struct sf_orbits *orbits, const char *name, struct sf_view text,
    struct sf_contact_error *ret_error);

#endif
