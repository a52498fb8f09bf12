/*
 * contact.h - a contact plan: who can be heard by whom, when, at which rate and
 * after which one-way light time.
 *
 * Nodes have a name (as peers do), a number (as ION and HDTN know them), or
 * both. A contact is one direction of a link during [start, end); two contacts
 * of one direction never overlap. A range gives the light time of a direction
 * during an interval, and of the other direction too unless that one has a
 * range of its own (ION's rule, ionrc(5)).
 *
 * A plan is filled and then sealed; queries work on sealed plans only. Every
 * count is limited, and checked before memory is taken. No clock, no I/O: the
 * readers (contact_ion.h, contact_hdtn.h, passes.h) take bytes.
 * Not thread-safe while it is filled; a sealed plan may be read by many.
 */
#ifndef SF_LINK_CONTACT_H
#define SF_LINK_CONTACT_H

#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_CONTACT_NODES_MAX = 1024,
    SF_CONTACTS_MAX = 65536,
    SF_CONTACT_RANGES_MAX = 65536,
    SF_CONTACT_NAME_BYTES = 64,     /* of a node, with the NUL: [A-Za-z0-9._-]+ */
    SF_CONTACT_LIGHT_S_MAX = 86400, /* 25 light hours are beyond anything that answers */
    SF_CONTACT_ERROR_BYTES = 384,
    SF_CONTACT_PPM = 1000000,
};

#define SF_CONTACT_NONE      UINT32_MAX                 /* no such node */
#define SF_CONTACT_RATE_MAX  UINT64_C(1000000000000000) /* bits a second */
#define SF_CONTACT_MS_MAX    INT64_C(253402300799999)   /* the last of the year 9999 */
#define SF_CONTACT_NEVER     ((struct sf_wall){INT64_MAX})
#define SF_CONTACT_LIGHT_MAX (SF_CONTACT_LIGHT_S_MAX * UINT64_C(1000000)) /* microseconds */

/* What is wrong with a plan: "plan.ion:3: ..." with the value, and what is accepted. */
struct sf_contact_error {
    unsigned int line; /* from 1; 0: not from one line */
    char text[SF_CONTACT_ERROR_BYTES];
};

struct sf_contact_node {
    uint64_t number; /* 0: it has none */
    char name[SF_CONTACT_NAME_BYTES];
};

struct sf_contact {
    uint32_t from; /* indices of nodes */
    uint32_t to;
    struct sf_wall start;
    struct sf_wall end; /* the first moment after it */
    uint64_t rate_bps;
    uint32_t confidence_ppm; /* how sure it is; SF_CONTACT_PPM if it is scheduled */
    uint32_t line;           /* of the text it was read from; 0: none */
};

struct sf_contact_range {
    uint32_t from;
    uint32_t to;
    struct sf_wall start;
    struct sf_wall end;
    uint64_t light_us; /* one way */
    bool both;         /* the other direction too, unless it has its own */
    uint32_t line;
};

struct sf_contact_plan {
    struct sf_contact_node *nodes;
    uint32_t *names;   /* node indices by name */
    uint32_t *numbers; /* node indices by number, those without one first */
    size_t node_count;
    size_t node_capacity;
    struct sf_contact *contacts; /* sealed: by start, then from, then to */
    size_t contact_count;
    size_t contact_capacity;
    uint32_t *by_pair;               /* sealed: contacts by from, to, start */
    struct sf_contact_range *ranges; /* sealed: by from, to, start */
    size_t range_count;
    size_t range_capacity;
    bool sealed;
};

/* An empty plan, sealed. Allocates nothing. */
void sf_contact_plan_init(struct sf_contact_plan *plan);
void sf_contact_plan_fini(struct sf_contact_plan *plan);

/* `to`, which must be initialised, becomes an equal copy. SF_ENOMEM leaves it unchanged. */
SF_MUST_USE int sf_contact_plan_copy(
    struct sf_contact_plan *to, const struct sf_contact_plan *from);

/*
 * The node called `name`, or the one with `number` (NULL and 0 stand for none;
 * a node without a name is called by its number in decimal). It is added if it
 * is not there.
 *
 * Returns SF_OK and the index; SF_EINVAL if it has neither, or the name is none;
 * SF_EEXIST if name and number belong to different nodes; SF_ELIMIT; SF_ENOMEM.
 */
SF_MUST_USE int sf_contact_plan_node(
    struct sf_contact_plan *plan, const char *name, uint64_t number, uint32_t *ret_node);

/* The node's index, or SF_CONTACT_NONE. */
uint32_t sf_contact_plan_named(const struct sf_contact_plan *plan, const char *name);
uint32_t sf_contact_plan_numbered(const struct sf_contact_plan *plan, uint64_t number);

/*
 * Add a contact or a range; the plan is then no longer sealed.
 *
 * Returns SF_OK; SF_EINVAL if a node is none of the plan's, from is to, a time is
 * outside [0, SF_CONTACT_MS_MAX], it does not end after it starts, or rate,
 * confidence or light time are outside their limits; SF_ELIMIT; SF_ENOMEM.
 */
SF_MUST_USE int sf_contact_plan_add(struct sf_contact_plan *plan, const struct sf_contact *contact);
SF_MUST_USE int sf_contact_plan_add_range(
    struct sf_contact_plan *plan, const struct sf_contact_range *range);

/*
 * Sort and check; queries work from here on. Sealing a sealed plan does nothing.
 *
 * Returns SF_OK; SF_EFORMAT if two contacts or two ranges of one direction
 * overlap, then *ret_error names both, after `name`; SF_ENOMEM.
 */
SF_MUST_USE int sf_contact_plan_seal(
    struct sf_contact_plan *plan, const char *name, struct sf_contact_error *ret_error);

/* The contact of that direction at `t`, or NULL. It lives as long as the plan is unchanged. */
const struct sf_contact *sf_contact_at(
    const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t);

/* The contact at `t`, else the first one that starts later, else NULL. */
const struct sf_contact *sf_contact_next(
    const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t);

/* Until when nothing can be sent: `t` itself in a contact, SF_CONTACT_NEVER after the last. */
struct sf_wall sf_contact_idle_until(
    const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t);

/* The one-way light time at `t`. False, and 0, if the plan does not know it. */
bool sf_contact_light_us(const struct sf_contact_plan *plan, uint32_t from, uint32_t to,
    struct sf_wall t, uint64_t *ret_light_us);

#endif
