#include "base/range_set.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 8 };

/* The first range that ends at or after `number`, or count if there is none. */
static size_t
find_ending_at_or_after(const struct sf_range_set *set, uint64_t number)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].to < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Room for one more range. */
static int
reserve_one(struct sf_range_set *set)
{
    size_t capacity;
    struct sf_range *ranges;

    if (set->count >= set->count_max) {
        return SF_ELIMIT;
    }
    if (set->count < set->capacity) {
        return SF_OK;
    }
    capacity = set->capacity == 0 ? CAPACITY_FIRST : set->capacity * 2;
    if (capacity > set->count_max) {
        capacity = set->count_max;
    }
    if (capacity > SIZE_MAX / sizeof(*ranges)) {
        return SF_ENOMEM;
    }
    ranges = realloc(set->ranges, capacity * sizeof(*ranges));
    if (ranges == NULL) {
        return SF_ENOMEM;
    }
    set->ranges = ranges;
    set->capacity = capacity;
    return SF_OK;
}

/* Move the ranges from `at` on by one place up; room was reserved. */
static void
open_gap(struct sf_range_set *set, size_t at)
{
    memmove(&set->ranges[at + 1], &set->ranges[at], (set->count - at) * sizeof(*set->ranges));
    set->count++;
}

/* Drop ranges [first, last). */
static void
close_gap(struct sf_range_set *set, size_t first, size_t last)
{
    if (first != last) {
        memmove(
            &set->ranges[first], &set->ranges[last], (set->count - last) * sizeof(*set->ranges));
        set->count -= last - first;
    }
}

void
sf_range_set_init(struct sf_range_set *set, size_t count_max)
{
    set->ranges = NULL;
    set->count = 0;
    set->capacity = 0;
    set->count_max = count_max;
}

void
sf_range_set_fini(struct sf_range_set *set)
{
    free(set->ranges);
    sf_range_set_init(set, set->count_max);
}

void
sf_range_set_clear(struct sf_range_set *set)
{
    set->count = 0;
}

int
sf_range_set_add(struct sf_range_set *set, uint64_t from, uint64_t to)
{
    size_t first;
    size_t last;
    int status;

    if (from > to) {
        return SF_EINVAL;
    }
    if (from == to) {
        return SF_OK;
    }
    /* Ranges [first, last) overlap or touch the new one and melt into it. */
    first = find_ending_at_or_after(set, from);
    last = first;
    while (last < set->count && set->ranges[last].from <= to) {
        last++;
    }
    if (first == last) {
        status = reserve_one(set);
        if (status != SF_OK) {
            return status;
        }
        open_gap(set, first);
        set->ranges[first] = (struct sf_range){from, to};
        return SF_OK;
    }
    if (set->ranges[first].from < from) {
        from = set->ranges[first].from;
    }
    if (set->ranges[last - 1].to > to) {
        to = set->ranges[last - 1].to;
    }
    set->ranges[first] = (struct sf_range){from, to};
    close_gap(set, first + 1, last);
    return SF_OK;
}

int
sf_range_set_remove(struct sf_range_set *set, uint64_t from, uint64_t to)
{
    size_t first;
    size_t last;
    int status;

    if (from > to) {
        return SF_EINVAL;
    }
    if (from == to) {
        return SF_OK;
    }
    first = find_ending_at_or_after(set, from);
    if (first < set->count && set->ranges[first].to == from) {
        first++; /* touches only */
    }
    if (first < set->count && set->ranges[first].from < from && set->ranges[first].to > to) {
        status = reserve_one(set);
        if (status != SF_OK) {
            return status;
        }
        open_gap(set, first);
        set->ranges[first].to = from;
        set->ranges[first + 1].from = to;
        return SF_OK;
    }
    if (first < set->count && set->ranges[first].from < from) {
        set->ranges[first].to = from;
        first++;
    }
    last = first;
    while (last < set->count && set->ranges[last].to <= to) {
        last++;
    }
    if (last < set->count && set->ranges[last].from < to) {
        set->ranges[last].from = to;
    }
    close_gap(set, first, last);
    return SF_OK;
}

int
sf_range_set_copy(struct sf_range_set *to, const struct sf_range_set *from)
{
    struct sf_range *ranges;

    if (to == from) {
        return SF_OK;
    }
    if (from->count > to->count_max) {
        return SF_ELIMIT;
    }
    if (from->count > to->capacity) {
        ranges = realloc(to->ranges, from->count * sizeof(*ranges));
        if (ranges == NULL) {
            return SF_ENOMEM;
        }
        to->ranges = ranges;
        to->capacity = from->count;
    }
    if (from->count > 0) {
        memcpy(to->ranges, from->ranges, from->count * sizeof(*to->ranges));
    }
    to->count = from->count;
    return SF_OK;
}

int
sf_range_set_merge(struct sf_range_set *to, const struct sf_range_set *from)
{
    if (to == from) {
        return SF_OK;
    }
    for (size_t i = 0; i < from->count; i++) {
        int status = sf_range_set_add(to, from->ranges[i].from, from->ranges[i].to);

        if (status != SF_OK) {
            return status;
        }
    }
    return SF_OK;
}

bool
sf_range_set_has(const struct sf_range_set *set, uint64_t number)
{
    return number != UINT64_MAX && sf_range_set_covers(set, number, number + 1);
}

bool
sf_range_set_covers(const struct sf_range_set *set, uint64_t from, uint64_t to)
{
    size_t at;

    if (from >= to) {
        return true;
    }
    at = find_ending_at_or_after(set, to);
    return at < set->count && set->ranges[at].from <= from;
}

bool
sf_range_set_equal(const struct sf_range_set *a, const struct sf_range_set *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->ranges, b->ranges, a->count * sizeof(*a->ranges)) == 0);
}

uint64_t
sf_range_set_total(const struct sf_range_set *set)
{
    uint64_t total = 0;

    for (size_t i = 0; i < set->count; i++) {
        total += set->ranges[i].to - set->ranges[i].from;
    }
    return total;
}

bool
sf_range_set_hole(
    const struct sf_range_set *set, uint64_t from, uint64_t limit, struct sf_range *ret_hole)
{
    size_t at;

    if (from >= limit) {
        return false;
    }
    at = find_ending_at_or_after(set, from);
    if (at < set->count && set->ranges[at].to == from) {
        at++; /* ends right before `from` */
    }
    if (at < set->count && set->ranges[at].from <= from) {
        from = set->ranges[at].to;
        at++;
        if (from >= limit) {
            return false;
        }
    }
    ret_hole->from = from;
    ret_hole->to = at < set->count && set->ranges[at].from < limit ? set->ranges[at].from : limit;
    return true;
}
