/*
 * range_set.h - a sorted set of disjoint half-open ranges of 64-bit numbers.
 *
 * Holds what a bundle, an object or a transfer has in few words: costs grow
 * with the number of holes, not with the size. Used for segments received,
 * bundles held and bundles sealed. Not thread-safe.
 */
#ifndef SF_BASE_RANGE_SET_H
#define SF_BASE_RANGE_SET_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_range {
    uint64_t from; /* first number in the range */
    uint64_t to;   /* one past the last; from < to */
};

struct sf_range_set {
    struct sf_range *ranges; /* sorted, disjoint, never touching */
    size_t count;
    size_t capacity;
    size_t count_max; /* SF_ELIMIT beyond it */
};

/* An empty set that may hold at most `count_max` ranges. Allocates on first use. */
void sf_range_set_init(struct sf_range_set *set, size_t count_max);
void sf_range_set_fini(struct sf_range_set *set);

/* Forget all ranges; keeps the memory. */
void sf_range_set_clear(struct sf_range_set *set);

/*
 * Add [from, to). An empty range changes nothing.
 *
 * Returns SF_OK, SF_EINVAL if from > to, SF_ELIMIT or SF_ENOMEM with the set unchanged.
 */
SF_MUST_USE int sf_range_set_add(struct sf_range_set *set, uint64_t from, uint64_t to);

/* Take [from, to) out. Errors as for add (taking out of the middle may need one more range). */
SF_MUST_USE int sf_range_set_remove(struct sf_range_set *set, uint64_t from, uint64_t to);

/* `to` becomes an equal copy of `from`, under its own count_max. */
SF_MUST_USE int sf_range_set_copy(struct sf_range_set *to, const struct sf_range_set *from);

/* Add every range of `from` to `to`. On an error `to` may hold some of them. */
SF_MUST_USE int sf_range_set_merge(struct sf_range_set *to, const struct sf_range_set *from);

bool sf_range_set_has(const struct sf_range_set *set, uint64_t number);
bool sf_range_set_covers(const struct sf_range_set *set, uint64_t from, uint64_t to);
bool sf_range_set_equal(const struct sf_range_set *a, const struct sf_range_set *b);

/* How many numbers are in the set. */
uint64_t sf_range_set_total(const struct sf_range_set *set);

/*
 * The first hole at or after `from` and below `limit`: numbers not in the set.
 * Returns false if there is none; else *ret_hole is it, clipped to [from, limit).
 */
bool sf_range_set_hole(
    const struct sf_range_set *set, uint64_t from, uint64_t limit, struct sf_range *ret_hole);

#endif
