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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_POOL_ALIGN = 4096,                /* also the smallest block */
    SF_POOL_BLOCK_MAX = 4 * 1024 * 1024, /* largest buffer */
    SF_POOL_BYTES_MIN = 2 * SF_POOL_BLOCK_MAX,
    SF_POOL_PARTIALS_MAX = 8192, /* partial bundles of all inboxes, spilled or not */
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

/* --- For inboxes: who gives memory back when it runs short -------------------- */

/*
 * A holder of a buffer that can do without it for a while. The pool keeps its
 * holders in the order in which they were touched.
 */
struct sf_pool_holder {
    void (*evict)(struct sf_pool_holder *holder); /* start to give it back; drops the holder */
    struct sf_pool_holder *newer;
    struct sf_pool_holder *older;
    bool is_held;
};

/* `holder` has a buffer and used it just now. */
void sf_pool_touch(struct sf_pool *pool, struct sf_pool_holder *holder);

/* It has none any more, or may not be asked for it. Harmless if it is not held. */
void sf_pool_drop(struct sf_pool *pool, struct sf_pool_holder *holder);

/*
 * Ask the holders touched longest ago until `bytes` and an eighth of the pool
 * are free or on their way. A holder that was asked says how much is coming,
 * and sf_pool_came() when it is there.
 */
void sf_pool_make_room(struct sf_pool *pool, size_t bytes);
void sf_pool_coming(struct sf_pool *pool, size_t bytes);
void sf_pool_came(struct sf_pool *pool, size_t bytes);

/* One more partial bundle; false at SF_POOL_PARTIALS_MAX. */
bool sf_pool_partial_add(struct sf_pool *pool);
void sf_pool_partial_remove(struct sf_pool *pool);

/* --- Figures -------------------------------------------------------------------- */

size_t sf_pool_bytes(const struct sf_pool *pool);
size_t sf_pool_bytes_used(const struct sf_pool *pool);

#endif
