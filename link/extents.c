/*
 * extents.c - the list of what is in flight or lost.
 */
#include "link/extents.h"

#include "base/assert.h"

#include <stdlib.h>

enum { NODES_FIRST = 256 };

/* --- The store of nodes --------------------------------------------------------------- */

void
sf_extent_store_init(struct sf_extent_store *store, uint32_t capacity_max)
{
    *store = (struct sf_extent_store){.capacity_max = capacity_max, .free_first = SF_EXTENT_NONE};
}

void
sf_extent_store_fini(struct sf_extent_store *store)
{
    free(store->nodes);
    sf_extent_store_init(store, store->capacity_max);
}

static bool
grow_store(struct sf_extent_store *store)
{
    uint32_t capacity = store->capacity == 0 ? NODES_FIRST : store->capacity * 2;
    struct sf_extent *nodes;

    if (capacity > store->capacity_max) {
        capacity = store->capacity_max;
    }
    if (capacity <= store->capacity) {
        return false;
    }
    nodes = realloc(store->nodes, capacity * sizeof(*nodes));
    if (nodes == NULL) {
        return false;
    }
    for (uint32_t i = capacity; i > store->capacity; i--) {
        nodes[i - 1].next = store->free_first;
        store->free_first = i - 1;
    }
    store->nodes = nodes;
    store->capacity = capacity;
    return true;
}

void
sf_extent_store_watch(struct sf_extent_store *store, uint32_t segment)
{
    store->watched = segment;
    store->watched_came = 0;
    store->watched_lost = 0;
    store->watched_ends_lost = 0;
}

bool
sf_extent_store_reserve(struct sf_extent_store *store)
{
    return store->free_first != SF_EXTENT_NONE || grow_store(store);
}

static uint32_t
take_node(struct sf_extent_store *store)
{
    uint32_t node;

    if (!sf_extent_store_reserve(store)) {
        return SF_EXTENT_NONE;
    }
    node = store->free_first;
    store->free_first = store->nodes[node].next;
    store->used++;
    if (store->used > store->used_peak) {
        store->used_peak = store->used;
    }
    return node;
}

/* --- The list -------------------------------------------------------------------------- */

void
sf_extents_init(struct sf_extents *extents, struct sf_extent_store *store)
{
    *extents = (struct sf_extents){.store = store,
        .first = SF_EXTENT_NONE,
        .last = SF_EXTENT_NONE,
        .lost_hint = SF_EXTENT_NONE};
}

/* Put a copy of `value` before `next` (NONE = at the end). NONE if there is no node. */
static uint32_t
insert(struct sf_extents *extents, uint32_t next, const struct sf_extent *value)
{
    uint32_t at = take_node(extents->store);
    struct sf_extent *node;

    if (at == SF_EXTENT_NONE) {
        return SF_EXTENT_NONE;
    }
    node = sf_extents_at(extents, at);
    *node = *value;
    node->next = next;
    node->prev = next == SF_EXTENT_NONE ? extents->last : sf_extents_at(extents, next)->prev;
    if (node->prev == SF_EXTENT_NONE) {
        extents->first = at;
    } else {
        sf_extents_at(extents, node->prev)->next = at;
    }
    if (next == SF_EXTENT_NONE) {
        extents->last = at;
    } else {
        sf_extents_at(extents, next)->prev = at;
    }
    extents->count++;
    if (node->segment == 0) {
        extents->lost_count++;
    }
    return at;
}

/* Returns what stood behind it. */
static uint32_t
remove_at(struct sf_extents *extents, uint32_t at)
{
    struct sf_extent *node = sf_extents_at(extents, at);
    uint32_t next = node->next;

    if (node->prev == SF_EXTENT_NONE) {
        extents->first = next;
    } else {
        sf_extents_at(extents, node->prev)->next = next;
    }
    if (next == SF_EXTENT_NONE) {
        extents->last = node->prev;
    } else {
        sf_extents_at(extents, next)->prev = node->prev;
    }
    if (node->segment == 0) {
        extents->lost_count--;
    }
    if (extents->lost_hint == at) {
        extents->lost_hint = next;
    }
    extents->count--;
    node->next = extents->store->free_first;
    extents->store->free_first = at;
    extents->store->used--;
    return next;
}

void
sf_extents_clear(struct sf_extents *extents)
{
    while (extents->first != SF_EXTENT_NONE) {
        remove_at(extents, extents->first);
    }
}

uint32_t
sf_extents_find(const struct sf_extents *extents, uint32_t at, uint64_t address)
{
    if (at == SF_EXTENT_NONE) {
        at = extents->first;
    }
    while (at != SF_EXTENT_NONE && sf_extents_at(extents, at)->to <= address) {
        at = sf_extents_at(extents, at)->next;
    }
    return at;
}

void
sf_extents_rewind(struct sf_extents *extents)
{
    extents->lost_hint = extents->first;
}

/* Cut the front off: the extent begins at `from` now. */
static void
cut_front(struct sf_extent *node, uint64_t from)
{
    if (node->segment != 0) {
        node->seq += (from - node->from) / node->segment;
    }
    node->from = from;
}

/*
 * Make `address`, inside the extent, the border between two. Returns the upper
 * one, or NONE without a node.
 */
static uint32_t
split(struct sf_extents *extents, uint32_t at, uint64_t address)
{
    struct sf_extent upper = *sf_extents_at(extents, at);
    uint32_t upper_at;

    sf_assert(upper.from < address && address < upper.to);
    cut_front(&upper, address);
    upper_at = insert(extents, upper.next, &upper);
    if (upper_at != SF_EXTENT_NONE) {
        sf_extents_at(extents, at)->to = address;
    }
    return upper_at;
}

/* --- Sending ----------------------------------------------------------------------------- */

/* Whether a segment at `from` in datagram `seq` continues the run of `node`. */
static bool
continues(const struct sf_extent *node, uint64_t from, uint64_t seq, uint32_t segment)
{
    uint64_t bytes = node->to - node->from;

    return node->segment == segment && node->to == from && bytes % segment == 0 &&
           node->seq + bytes / segment == seq;
}

/* The start of lost extent `lost`, up to `to`, is taken out of it. */
static void
take_from_lost(struct sf_extents *extents, uint32_t lost, uint64_t to)
{
    struct sf_extent *node = sf_extents_at(extents, lost);

    if (to < node->to) {
        node->from = to;
    } else {
        remove_at(extents, lost);
    }
}

void
sf_extents_sent(struct sf_extents *extents, uint32_t lost, uint64_t from, uint64_t to, uint64_t seq,
    uint32_t segment)
{
    struct sf_extent run = {
        .from = from, .to = to, .seq = seq, .segment = segment, .was_sent = true};
    uint32_t prev = lost == SF_EXTENT_NONE ? extents->last : sf_extents_at(extents, lost)->prev;
    struct sf_extent *node;

    if (prev != SF_EXTENT_NONE && continues(sf_extents_at(extents, prev), from, seq, segment)) {
        sf_extents_at(extents, prev)->to = to;
        if (lost != SF_EXTENT_NONE) {
            take_from_lost(extents, lost, to);
        }
        return;
    }
    if (lost != SF_EXTENT_NONE && to < sf_extents_at(extents, lost)->to &&
        insert(extents, lost, &run) != SF_EXTENT_NONE) {
        sf_extents_at(extents, lost)->from = to;
        return;
    }
    if (lost != SF_EXTENT_NONE) {
        /*
         * All of it went, or there is no node to tell apart what did: then the
         * rest counts as sent too, and the next report shows it missing again.
         */
        node = sf_extents_at(extents, lost);
        extents->lost_count--;
        node->seq = seq;
        node->segment = segment;
        node->was_sent = true;
        if (extents->lost_hint == lost) {
            extents->lost_hint = node->next;
        }
        return;
    }
    (void)insert(extents, SF_EXTENT_NONE, &run); /* the caller made sure of a node */
}

/* Melt lost neighbours into one; returns the one that stays. */
static uint32_t
melt(struct sf_extents *extents, uint32_t at)
{
    struct sf_extent *node = sf_extents_at(extents, at);

    while (node->next != SF_EXTENT_NONE && sf_extents_at(extents, node->next)->segment == 0 &&
           sf_extents_at(extents, node->next)->from == node->to &&
           sf_extents_at(extents, node->next)->was_sent == node->was_sent) {
        node->to = sf_extents_at(extents, node->next)->to;
        remove_at(extents, node->next);
    }
    while (node->prev != SF_EXTENT_NONE && sf_extents_at(extents, node->prev)->segment == 0 &&
           sf_extents_at(extents, node->prev)->to == node->from &&
           sf_extents_at(extents, node->prev)->was_sent == node->was_sent) {
        node->from = sf_extents_at(extents, node->prev)->from;
        remove_at(extents, node->prev);
    }
    return at;
}

bool
sf_extents_skip(struct sf_extents *extents, uint64_t from, uint64_t to)
{
    struct sf_extent gap = {.from = from, .to = to};
    uint32_t at = insert(extents, SF_EXTENT_NONE, &gap);

    if (at == SF_EXTENT_NONE) {
        return false;
    }
    melt(extents, at);
    return true;
}

/* Whole segments of the watched size in the part of an extent within [from, to). */
static uint64_t
watched(const struct sf_extents *extents, const struct sf_extent *node, uint64_t from, uint64_t to)
{
    from = from > node->from ? from : node->from;
    to = to < node->to ? to : node->to;
    return node->segment == 0 || node->segment != extents->store->watched || from >= to
               ? 0
               : (to - from) / node->segment;
}

/* [from, until) of an extent is about to be lost. */
static void
note_lost(struct sf_extents *extents, const struct sf_extent *node, uint64_t from, uint64_t until)
{
    bool is_end = node->segment != 0 && node->segment == extents->store->watched &&
                  until == node->to && (node->to - node->from) % node->segment != 0;

    extents->store->watched_lost += watched(extents, node, from, until);
    extents->store->watched_ends_lost += is_end ? 1 : 0;
}

/* --- What reports say ---------------------------------------------------------------------- */

uint32_t
sf_extents_confirm(struct sf_extents *extents, uint32_t at, uint64_t from, uint64_t to)
{
    at = sf_extents_find(extents, at, from);
    while (at != SF_EXTENT_NONE && sf_extents_at(extents, at)->from < to) {
        struct sf_extent *node = sf_extents_at(extents, at);

        extents->store->watched_came += watched(extents, node, from, to);
        extents->store->confirms++;
        if (node->from < from) {
            uint32_t upper = node->to > to ? split(extents, at, to) : SF_EXTENT_NONE;

            node = sf_extents_at(extents, at); /* the store may have moved */
            if (upper == SF_EXTENT_NONE && node->to > to) {
                return at; /* no node for the hole in the middle: it stays in question */
            }
            node->to = from;
            at = node->next;
        } else if (node->to > to) {
            cut_front(node, to);
        } else {
            at = remove_at(extents, at);
        }
    }
    return at != SF_EXTENT_NONE ? at : extents->last;
}

/* The part of in-flight extent `at` within [from, to) went before the horizon: it is lost. */
static uint32_t
lose(struct sf_extents *extents, uint32_t at, uint64_t from, uint64_t to)
{
    struct sf_extent *node = sf_extents_at(extents, at);

    if (node->to > to && split(extents, at, to) == SF_EXTENT_NONE) {
        return at;
    }
    if (sf_extents_at(extents, at)->from < from) {
        uint32_t upper = split(extents, at, from);

        if (upper == SF_EXTENT_NONE) {
            return at;
        }
        at = upper;
    }
    node = sf_extents_at(extents, at);
    node->segment = 0;
    node->was_sent = true;
    extents->lost_count++;
    return melt(extents, at);
}

/* Up to where the segments of an extent went in datagrams not behind `horizon`. */
static uint64_t
sent_by(const struct sf_extent *node, uint64_t horizon)
{
    uint64_t segments;

    if (node->segment == 0 || horizon < node->seq) {
        return node->from;
    }
    segments = horizon - node->seq + 1;
    if (segments > (node->to - node->from) / node->segment) {
        return node->to;
    }
    return node->from + segments * node->segment;
}

/* [from, to), confirmed before, is missing after all. Returns its extent; NONE without a node. */
static uint32_t
revive(struct sf_extents *extents, uint32_t next, uint64_t from, uint64_t to)
{
    struct sf_extent gap = {.from = from, .to = to, .was_sent = true};
    uint32_t at = insert(extents, next, &gap);

    return at == SF_EXTENT_NONE ? SF_EXTENT_NONE : melt(extents, at);
}

uint32_t
sf_extents_missing(
    struct sf_extents *extents, uint32_t at, uint64_t from, uint64_t to, uint64_t horizon)
{
    at = sf_extents_find(extents, at, from);
    while (from < to) {
        struct sf_extent *node = at == SF_EXTENT_NONE ? NULL : sf_extents_at(extents, at);
        uint64_t until;

        if (node == NULL || from < node->from) {
            uint32_t revived =
                revive(extents, at, from, node == NULL || node->from > to ? to : node->from);

            if (revived == SF_EXTENT_NONE) {
                break;
            }
            at = revived;
        } else {
            until = sent_by(node, horizon);
            until = until < to ? until : to;
            if (until > from) {
                note_lost(extents, node, from, until);
                at = lose(extents, at, from, until);
            }
        }
        from = sf_extents_at(extents, at)->to;
        if (from < to) {
            at = sf_extents_at(extents, at)->next;
        }
    }
    return at != SF_EXTENT_NONE ? at : extents->last;
}

uint64_t
sf_extents_probe(struct sf_extents *extents, uint32_t at)
{
    struct sf_extent *node = sf_extents_at(extents, at);
    uint64_t bytes = node->to - node->from;
    uint64_t tail;

    sf_assert(node->segment != 0);
    tail = bytes % node->segment != 0 ? bytes % node->segment : node->segment;
    lose(extents, at, node->to - tail, node->to);
    extents->lost_hint = extents->first;
    return tail;
}
