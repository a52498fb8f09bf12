/*
 * partial.c - bundles being assembled: in memory, or spilled to the caller.
 *
 *   MEMORY --pool short--> SPILLING --spilled--> SPILLED --segment--> LOADING
 *     ^  \                    | error                                  | loaded
 *     |   complete            v                                        v
 *     |       v            forgotten                                MEMORY
 *     |    COMPLETE --told--> gone
 *
 * While a spilled bundle is loaded into a second buffer, what arrives goes into
 * the first one, so nothing is dropped and the two never race.
 */
#include "link/inbox_private.h"

#include "base/assert.h"

#include <stdlib.h>

enum { PARTIALS_FIRST = 16 };

static struct sf_pool *
pool_of(const struct sf_partial *partial)
{
    return partial->object->inbox->pool;
}

static size_t
class_of(const struct sf_partial *partial)
{
    return partial->object->object.class_bytes;
}

size_t
sf_partial_lower_bound(const struct sf_incoming *object, uint64_t index)
{
    size_t low = 0;
    size_t high = object->partial_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->partials[middle]->index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sf_partial *
sf_partial_find(struct sf_incoming *object, uint64_t index)
{
    size_t at = object->partial_hit;

    if (at >= object->partial_count || object->partials[at]->index != index) {
        at = sf_partial_lower_bound(object, index);
        if (at >= object->partial_count || object->partials[at]->index != index) {
            return NULL;
        }
        object->partial_hit = at;
    }
    return object->partials[at];
}

/* A buffer for a bundle of this class, asking others for theirs if it must. */
static uint8_t *
take_buffer(struct sf_incoming *object)
{
    struct sf_pool *pool = object->inbox->pool;
    uint8_t *buffer = sf_pool_take(pool, object->object.class_bytes);

    sf_pool_make_room(pool, buffer == NULL ? object->object.class_bytes : 0);
    return buffer;
}

/* The pool wants the buffer back: let the caller store what it holds. */
static void
evict(struct sf_pool_holder *holder)
{
    struct sf_partial *partial = (struct sf_partial *)holder;

    sf_assert(partial->state == SF_PARTIAL_MEMORY);
    partial->state = SF_PARTIAL_SPILLING;
    sf_partial_drop_rows(partial);
    sf_pool_coming(pool_of(partial), class_of(partial));
    sf_inbox_queue(partial->object->inbox, &partial->note, SF_INBOX_SPILL);
    partial->object->inbox->stats.spills++;
}

static bool
reserve_partial(struct sf_incoming *object)
{
    size_t capacity;
    struct sf_partial **partials;

    if (object->partial_count < object->partial_capacity) {
        return true;
    }
    capacity = object->partial_capacity == 0 ? PARTIALS_FIRST : object->partial_capacity * 2;
    partials = realloc(object->partials, capacity * sizeof(*partials));
    if (partials == NULL) {
        return false;
    }
    object->partials = partials;
    object->partial_capacity = capacity;
    return true;
}

struct sf_partial *
sf_partial_begin(struct sf_incoming *object, uint64_t index)
{
    struct sf_inbox *inbox = object->inbox;
    struct sf_partial *partial;
    size_t at;

    /* One peer that begins everything and ends nothing leaves room for the others. */
    if (inbox->stats.partials >= SF_INBOX_PARTIALS_MAX || !reserve_partial(object) ||
        !sf_pool_partial_add(inbox->pool)) {
        return NULL;
    }
    partial = calloc(1, sizeof(*partial));
    if (partial == NULL) {
        sf_pool_partial_remove(inbox->pool);
        return NULL;
    }
    partial->object = object;
    partial->note.object = object;
    partial->note.partial = partial;
    partial->holder.evict = evict;
    partial->index = index;
    partial->state = SF_PARTIAL_MEMORY;
    sf_range_set_init(&partial->ranges, SF_LINK_RANGES_MAX);
    sf_range_set_init(&partial->stored, SF_LINK_RANGES_MAX);
    sf_range_set_init(&partial->fresh, SF_LINK_RANGES_MAX);
    at = sf_partial_lower_bound(object, index);
    memmove(&object->partials[at + 1], &object->partials[at],
        (object->partial_count - at) * sizeof(*object->partials));
    object->partials[at] = partial;
    object->partial_count++;
    object->partial_hit = at;
    inbox->stats.partials++;
    partial->buffer = take_buffer(object);
    if (partial->buffer == NULL) {
        sf_partial_free(partial);
        return NULL;
    }
    sf_pool_touch(inbox->pool, &partial->holder);
    return partial;
}

void
sf_partial_free(struct sf_partial *partial)
{
    struct sf_incoming *object = partial->object;
    struct sf_inbox *inbox = object->inbox;
    size_t at = sf_partial_lower_bound(object, partial->index);
    /* Between the event and its answer a buffer is the caller's, who gives it back later. */
    bool is_told = !partial->note.is_queued;

    sf_assert(at < object->partial_count && object->partials[at] == partial);
    object->partial_count--;
    memmove(&object->partials[at], &object->partials[at + 1],
        (object->partial_count - at) * sizeof(*object->partials));
    sf_inbox_unqueue(inbox, &partial->note);
    sf_partial_drop_rows(partial);
    sf_pool_drop(inbox->pool, &partial->holder);
    if (partial->state == SF_PARTIAL_SPILLING) {
        sf_pool_came(inbox->pool, class_of(partial));
        if (is_told) {
            partial->buffer = NULL;
        }
    }
    if (partial->state == SF_PARTIAL_LOADING && is_told) {
        partial->load_buffer = NULL;
    }
    if (partial->buffer != NULL) {
        sf_pool_return(inbox->pool, partial->buffer);
    }
    if (partial->load_buffer != NULL) {
        sf_pool_return(inbox->pool, partial->load_buffer);
    }
    sf_range_set_fini(&partial->ranges);
    sf_range_set_fini(&partial->stored);
    sf_range_set_fini(&partial->fresh);
    sf_pool_partial_remove(inbox->pool);
    inbox->stats.partials--;
    free(partial);
}

/* A segment came for a spilled bundle: fetch the rest of it. False: no memory now. */
static bool
begin_loading(struct sf_partial *partial)
{
    struct sf_inbox *inbox = partial->object->inbox;
    uint8_t *buffer;
    uint8_t *load_buffer;

    if (sf_range_set_copy(&partial->stored, &partial->ranges) != SF_OK) {
        return false;
    }
    buffer = take_buffer(partial->object);
    if (buffer == NULL) {
        return false;
    }
    load_buffer = take_buffer(partial->object);
    if (load_buffer == NULL) {
        sf_pool_return(inbox->pool, buffer);
        return false;
    }
    partial->buffer = buffer;
    partial->load_buffer = load_buffer;
    sf_range_set_clear(&partial->fresh);
    partial->state = SF_PARTIAL_LOADING;
    sf_inbox_queue(inbox, &partial->note, SF_INBOX_LOAD);
    inbox->stats.loads++;
    return true;
}

bool
sf_partial_is_whole(const struct sf_partial *partial)
{
    return partial->state == SF_PARTIAL_MEMORY && partial->ranges.count == 1 &&
           partial->ranges.ranges[0].from == 0 && partial->ranges.ranges[0].to == class_of(partial);
}

/* How many bytes of [from, to) are not here yet. */
static uint64_t
count_new(const struct sf_range_set *ranges, uint64_t from, uint64_t to)
{
    struct sf_range hole;
    uint64_t count = 0;

    while (sf_range_set_hole(ranges, from, to, &hole)) {
        count += hole.to - hole.from;
        from = hole.to;
    }
    return count;
}

bool
sf_partial_write(struct sf_partial *partial, size_t offset, struct sf_view bytes)
{
    struct sf_inbox *inbox = partial->object->inbox;
    uint64_t to = offset + bytes.bytes;
    uint64_t fresh_bytes = count_new(&partial->ranges, offset, to);

    inbox->stats.again_bytes += bytes.bytes - fresh_bytes;
    if (fresh_bytes == 0) {
        return false;
    }
    if (partial->state == SF_PARTIAL_SPILLED) {
        (void)begin_loading(partial); /* if it could not, the segment is dropped below */
    }
    if ((partial->state != SF_PARTIAL_MEMORY && partial->state != SF_PARTIAL_LOADING) ||
        (partial->state == SF_PARTIAL_LOADING &&
            sf_range_set_add(&partial->fresh, offset, to) != SF_OK)) {
        inbox->stats.dropped_bytes += fresh_bytes;
        return false;
    }
    /* Bytes outside `ranges` mean nothing, so they may be there before the range is. */
    memcpy(partial->buffer + offset, bytes.data, bytes.bytes);
    if (sf_range_set_add(&partial->ranges, offset, to) != SF_OK) {
        inbox->stats.dropped_bytes += fresh_bytes;
        return false;
    }
    inbox->stats.data_bytes += fresh_bytes;
    if (partial->state == SF_PARTIAL_MEMORY) {
        sf_pool_touch(inbox->pool, &partial->holder);
    }
    return sf_partial_is_whole(partial);
}

void
sf_partial_spilled(struct sf_partial *partial, uint8_t *buffer, int status)
{
    struct sf_pool *pool = pool_of(partial);

    sf_assert(partial->buffer == buffer);
    sf_pool_came(pool, class_of(partial));
    sf_pool_return(pool, buffer);
    partial->buffer = NULL;
    partial->state = SF_PARTIAL_SPILLED;
    if (status != SF_OK) {
        sf_partial_free(partial);
    }
}

/* What the caller read is older than what came meanwhile: take only what is missing. */
static void
merge_loaded(struct sf_partial *partial)
{
    for (size_t i = 0; i < partial->stored.count; i++) {
        struct sf_range hole;
        uint64_t from = partial->stored.ranges[i].from;

        while (sf_range_set_hole(&partial->fresh, from, partial->stored.ranges[i].to, &hole)) {
            memcpy(partial->buffer + hole.from, partial->load_buffer + hole.from,
                (size_t)(hole.to - hole.from));
            from = hole.to;
        }
    }
}

bool
sf_partial_loaded(struct sf_partial *partial, uint8_t *buffer, int status)
{
    struct sf_range_set ranges;

    sf_assert(partial->load_buffer == buffer);
    if (status == SF_OK) {
        merge_loaded(partial);
    } else {
        ranges = partial->ranges;
        partial->ranges = partial->fresh;
        partial->fresh = ranges;
    }
    sf_pool_return(pool_of(partial), buffer);
    partial->load_buffer = NULL;
    sf_range_set_clear(&partial->stored);
    sf_range_set_clear(&partial->fresh);
    partial->state = SF_PARTIAL_MEMORY;
    sf_pool_touch(pool_of(partial), &partial->holder);
    return sf_partial_is_whole(partial);
}
