/*
 * pool.c - a buddy allocator over one arena, and the order of its holders.
 *
 * A block of order k is SF_POOL_ALIGN << k bytes and lies at a multiple of its
 * size from the arena's start; its buddy differs from it in one bit of the
 * page number. Free blocks of each order form a list, linked by page numbers
 * in an array beside the arena, so that free memory is never touched.
 */
#include "link/pool.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    ORDER_MAX = 10,   /* SF_POOL_ALIGN << 10 = SF_POOL_BLOCK_MAX */
    STATE_INNER = 0,  /* not the first page of a block */
    STATE_FREE = 1,   /* + order */
    STATE_TAKEN = 64, /* + order */
};

#define NO_PAGE UINT32_MAX

_Static_assert((SF_POOL_ALIGN << ORDER_MAX) == SF_POOL_BLOCK_MAX, "the largest order is a block");

struct page {
    uint32_t next;
    uint32_t prev;
    uint8_t state;
};

struct sf_pool {
    uint8_t *arena;
    struct page *pages;
    uint32_t page_count;
    uint32_t free_first[ORDER_MAX + 1];
    size_t bytes_used;
    size_t bytes_coming;
    size_t partials;
    struct sf_pool_holder *newest;
    struct sf_pool_holder *oldest;
};

static void
list_push(struct sf_pool *pool, uint32_t page, unsigned order)
{
    uint32_t first = pool->free_first[order];

    pool->pages[page].state = (uint8_t)(STATE_FREE + order);
    pool->pages[page].prev = NO_PAGE;
    pool->pages[page].next = first;
    if (first != NO_PAGE) {
        pool->pages[first].prev = page;
    }
    pool->free_first[order] = page;
}

static void
list_remove(struct sf_pool *pool, uint32_t page, unsigned order)
{
    struct page *at = &pool->pages[page];

    if (at->prev == NO_PAGE) {
        pool->free_first[order] = at->next;
    } else {
        pool->pages[at->prev].next = at->next;
    }
    if (at->next != NO_PAGE) {
        pool->pages[at->next].prev = at->prev;
    }
    at->state = STATE_INNER;
}

int
sf_pool_open(size_t bytes, struct sf_pool **ret_pool)
{
    struct sf_pool *pool;

    bytes -= bytes % SF_POOL_BLOCK_MAX;
    if (bytes < SF_POOL_BYTES_MIN || bytes / SF_POOL_ALIGN >= NO_PAGE) {
        return SF_EINVAL;
    }
    pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return SF_ENOMEM;
    }
    pool->page_count = (uint32_t)(bytes / SF_POOL_ALIGN);
    pool->arena = aligned_alloc(SF_POOL_ALIGN, bytes);
    pool->pages = calloc(pool->page_count, sizeof(*pool->pages));
    if (pool->arena == NULL || pool->pages == NULL) {
        sf_pool_close(pool);
        return SF_ENOMEM;
    }
    for (unsigned order = 0; order <= ORDER_MAX; order++) {
        pool->free_first[order] = NO_PAGE;
    }
    for (uint32_t page = pool->page_count; page > 0; page -= 1u << ORDER_MAX) {
        list_push(pool, page - (1u << ORDER_MAX), ORDER_MAX);
    }
    *ret_pool = pool;
    return SF_OK;
}

void
sf_pool_close(struct sf_pool *pool)
{
    if (pool != NULL) {
        free(pool->arena);
        free(pool->pages);
        free(pool);
    }
}

static unsigned
order_of(size_t bytes)
{
    unsigned order = 0;

    while (((size_t)SF_POOL_ALIGN << order) < bytes) {
        order++;
    }
    return order;
}

uint8_t *
sf_pool_take(struct sf_pool *pool, size_t bytes)
{
    unsigned wanted;
    unsigned order;
    uint32_t page;

    sf_assert(bytes >= 1 && bytes <= SF_POOL_BLOCK_MAX);
    wanted = order_of(bytes);
    order = wanted;
    while (order <= ORDER_MAX && pool->free_first[order] == NO_PAGE) {
        order++;
    }
    if (order > ORDER_MAX) {
        return NULL;
    }
    page = pool->free_first[order];
    list_remove(pool, page, order);
    while (order > wanted) {
        order--;
        list_push(pool, page + (1u << order), order);
    }
    pool->pages[page].state = (uint8_t)(STATE_TAKEN + wanted);
    pool->bytes_used += (size_t)SF_POOL_ALIGN << wanted;
    return pool->arena + (size_t)page * SF_POOL_ALIGN;
}

void
sf_pool_return(struct sf_pool *pool, uint8_t *buffer)
{
    size_t offset = (size_t)(buffer - pool->arena);
    uint32_t page = (uint32_t)(offset / SF_POOL_ALIGN);
    unsigned order;

    sf_assert(offset % SF_POOL_ALIGN == 0 && page < pool->page_count);
    sf_assert(pool->pages[page].state >= STATE_TAKEN);
    order = pool->pages[page].state - (unsigned)STATE_TAKEN;
    pool->bytes_used -= (size_t)SF_POOL_ALIGN << order;
    pool->pages[page].state = STATE_INNER;
    while (order < ORDER_MAX) {
        uint32_t buddy = page ^ 1u << order;

        if (pool->pages[buddy].state != STATE_FREE + order) {
            break;
        }
        list_remove(pool, buddy, order);
        page &= ~(1u << order);
        order++;
    }
    list_push(pool, page, order);
}

/* --- Holders ------------------------------------------------------------------- */

static void
unlink_holder(struct sf_pool *pool, struct sf_pool_holder *holder)
{
    if (holder->newer == NULL) {
        pool->newest = holder->older;
    } else {
        holder->newer->older = holder->older;
    }
    if (holder->older == NULL) {
        pool->oldest = holder->newer;
    } else {
        holder->older->newer = holder->newer;
    }
}

void
sf_pool_touch(struct sf_pool *pool, struct sf_pool_holder *holder)
{
    if (pool->newest == holder) {
        return;
    }
    if (holder->is_held) {
        unlink_holder(pool, holder);
    }
    holder->is_held = true;
    holder->newer = NULL;
    holder->older = pool->newest;
    if (pool->newest == NULL) {
        pool->oldest = holder;
    } else {
        pool->newest->newer = holder;
    }
    pool->newest = holder;
}

void
sf_pool_drop(struct sf_pool *pool, struct sf_pool_holder *holder)
{
    if (holder->is_held) {
        unlink_holder(pool, holder);
        holder->is_held = false;
        holder->newer = NULL;
        holder->older = NULL;
    }
}

void
sf_pool_make_room(struct sf_pool *pool, size_t bytes)
{
    /* Keep an eighth free, so that eviction is ahead of need and nothing is dropped. */
    size_t wanted = bytes + sf_pool_bytes(pool) / 8;

    /* Free memory may be in pieces: what is asked for must come, whatever is free. */
    while (pool->oldest != NULL &&
           (pool->bytes_coming < bytes ||
               sf_pool_bytes(pool) - pool->bytes_used + pool->bytes_coming < wanted)) {
        struct sf_pool_holder *holder = pool->oldest;

        sf_pool_drop(pool, holder);
        holder->evict(holder);
    }
}

void
sf_pool_coming(struct sf_pool *pool, size_t bytes)
{
    pool->bytes_coming += bytes;
}

void
sf_pool_came(struct sf_pool *pool, size_t bytes)
{
    sf_assert(pool->bytes_coming >= bytes);
    pool->bytes_coming -= bytes;
}

bool
sf_pool_partial_add(struct sf_pool *pool)
{
    if (pool->partials >= SF_POOL_PARTIALS_MAX) {
        return false;
    }
    pool->partials++;
    return true;
}

void
sf_pool_partial_remove(struct sf_pool *pool)
{
    sf_assert(pool->partials > 0);
    pool->partials--;
}

size_t
sf_pool_bytes(const struct sf_pool *pool)
{
    return (size_t)pool->page_count * SF_POOL_ALIGN;
}

size_t
sf_pool_bytes_used(const struct sf_pool *pool)
{
    return pool->bytes_used;
}
