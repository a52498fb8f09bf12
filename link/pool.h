/*
 * pool.h - the bounded memory in which bundles of all peers are assembled.
 *
 * One arena, allocated once and handed out in power-of-two blocks (a buddy
 * allocator), so that classes of different sizes share it without a partition.
 * Every buffer is aligned to SF_POOL_ALIGN. Not thread-safe.
 */
#ifndef SF_LINK_POOL_H
#define SF_LINK_POOL_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_POOL_ALIGN = 4096,                /* also the smallest block */
    SF_POOL_BLOCK_MAX = 4 * 1024 * 1024, /* largest buffer */
    SF_POOL_BYTES_MIN = 2 * SF_POOL_BLOCK_MAX,
    SF_POOL_PARTIALS_MAX = 4096, /* partial bundles of all inboxes, spilled or not */
};

struct sf_pool;

/*
 * `bytes` is rounded down to whole blocks of SF_POOL_BLOCK_MAX.
 * Returns SF_OK, SF_EINVAL (below SF_POOL_BYTES_MIN) or SF_ENOMEM.
 */
SF_MUST_USE int sf_pool_open(size_t bytes, struct sf_pool **ret_pool);

/* All inboxes are closed. Buffers still out become invalid. NULL is allowed. */
void sf_pool_close(struct sf_pool *pool);

/* A buffer of at least `bytes` (1 .. SF_POOL_BLOCK_MAX), or NULL if there is none. */
uint8_t *sf_pool_take(struct sf_pool *pool, size_t bytes);

/* Give back what sf_pool_take() gave. */
void sf_pool_return(struct sf_pool *pool, uint8_t *buffer);

size_t sf_pool_bytes(const struct sf_pool *pool);
size_t sf_pool_bytes_used(const struct sf_pool *pool);

#endif
