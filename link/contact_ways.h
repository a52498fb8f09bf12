/*
 * contact_ways.h - one node's contacts with another by several ways.
 *
 * A plan names ground stations as nodes of their own; to whoever sends, they
 * are ways to the same peer. What comes out is one row of contacts, one way at
 * a time: where several are open the fastest is taken, and kept until it ends
 * or a faster one begins.
 *
 * A plan that has contacts in the other direction of any way is believed about
 * them: a contact during which, and two light times after which, nothing comes
 * back by any way has no return. A plan of one direction says nothing of it.
 */
#ifndef SF_LINK_CONTACT_WAYS_H
#define SF_LINK_CONTACT_WAYS_H

#include "link/contact.h"

enum { SF_CONTACT_WAYS_MAX = 64 };

/* From one node of a plan to another. */
struct sf_contact_way {
    uint32_t from;
    uint32_t to;
};

struct sf_contact_leg {
    struct sf_wall start;
    struct sf_wall end;
    uint64_t rate_bps;
    uint64_t light_us; /* one way, as it is at the start; 0: not known */
    uint32_t way;      /* index of the one that is taken */
    bool no_return;
};

/*
 * The legs of `way_count` ways through a sealed plan, by start, none
 * overlapping, in memory the caller frees.
 *
 * Returns SF_OK, with none (NULL) if no way has a contact; SF_EINVAL for a way
 * that is not of the plan, or too many; SF_ELIMIT beyond SF_CONTACTS_MAX legs;
 * SF_ENOMEM.
 */
SF_MUST_USE int sf_contact_ways_legs(const struct sf_contact_plan *plan,
    const struct sf_contact_way *ways, size_t way_count, struct sf_contact_leg **ret_legs,
    size_t *ret_count);

#endif
