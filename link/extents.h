/*
 * extents.h - what of an object is not confirmed: a list of disjoint address
 * ranges in ascending order, each in flight or lost.
 *
 * An extent in flight stands for a run of segments of one size, sent one after
 * the other in consecutive datagrams: the datagram of any byte in it follows
 * by division. An extent that is lost waits to be sent (again). What is in no
 * extent is confirmed, or lies beyond what was ever sent.
 *
 * All lists of an outbox take their nodes from one store of bounded size. When
 * it is full an operation does less than asked and leaves a state that later
 * reports correct: nothing is ever taken for confirmed by mistake.
 *
 * Internal to the outbox.
 */
#ifndef SF_LINK_EXTENTS_H
#define SF_LINK_EXTENTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_EXTENT_NONE UINT32_MAX

struct sf_extent {
    uint64_t from; /* bytes of the object */
    uint64_t to;
    uint64_t seq;     /* in flight: number of the datagram that carried `from` */
    uint32_t segment; /* in flight: bytes of each segment but the last; 0 = lost */
    uint32_t next;
    uint32_t prev;
    bool was_sent; /* lost: at least once on its way; else only passed over */
};

struct sf_extent_store {
    struct sf_extent *nodes;
    uint32_t capacity;
    uint32_t capacity_max;
    uint32_t used;
    uint32_t used_peak;
    uint32_t free_first;

    uint64_t confirms; /* extents, or parts of them, so far */

    /* Of segments of this size: how many whole ones were confirmed, how many lost, and ends. */
    uint32_t watched;
    uint64_t watched_came;
    uint64_t watched_lost;
    uint64_t watched_ends_lost; /* shorter ones, at the end of their bundle */
};

struct sf_extents {
    struct sf_extent_store *store;
    uint32_t first;
    uint32_t last;
    uint32_t lost_hint;  /* no extent before it is worth looking at for repair */
    uint32_t lost_count; /* extents that are lost */
    uint32_t count;
};

void sf_extent_store_init(struct sf_extent_store *store, uint32_t capacity_max);
void sf_extent_store_fini(struct sf_extent_store *store);

/* Count segments of `segment` bytes from now on. */
void sf_extent_store_watch(struct sf_extent_store *store, uint32_t segment);

/* See to it that the next node can be had; false at the limit or without memory. */
bool sf_extent_store_reserve(struct sf_extent_store *store);

void sf_extents_init(struct sf_extents *extents, struct sf_extent_store *store);
void sf_extents_clear(struct sf_extents *extents);

static inline struct sf_extent *
sf_extents_at(const struct sf_extents *extents, uint32_t at)
{
    return &extents->store->nodes[at];
}

/* The first extent that ends behind `address`, searched from `at` on (or from the start). */
uint32_t sf_extents_find(const struct sf_extents *extents, uint32_t at, uint64_t address);

/*
 * [from, to), at most one segment, was just sent in datagram `seq`. It lies
 * behind the last extent (then a node must have been reserved), or at the start
 * of the lost extent `lost`. `segment` is the size of a full one.
 */
void sf_extents_sent(struct sf_extents *extents, uint32_t lost, uint64_t from, uint64_t to,
    uint64_t seq, uint32_t segment);

/* [from, to), behind the last extent, is passed over for now. False: no node. */
bool sf_extents_skip(struct sf_extents *extents, uint64_t from, uint64_t to);

/* [from, to) is confirmed. `at`: as for find; returns where to go on for later addresses. */
uint32_t sf_extents_confirm(struct sf_extents *extents, uint32_t at, uint64_t from, uint64_t to);

/*
 * [from, to) is missing at the peer, who would have it had it come in a
 * datagram up to `horizon`. What is in flight in later ones stays; the rest is
 * lost, also what was confirmed before. Returns as confirm does.
 */
uint32_t sf_extents_missing(
    struct sf_extents *extents, uint32_t at, uint64_t from, uint64_t to, uint64_t horizon);

/* The last segment in flight of extent `at` counts as lost, so that it is sent again: its bytes. */
uint64_t sf_extents_probe(struct sf_extents *extents, uint32_t at);

/* Everything lost is worth looking at again. */
void sf_extents_rewind(struct sf_extents *extents);

#endif
