/*
 * test_pool.c - buffers of all classes out of one bounded arena.
 */
#include "link/pool.h"

#include "base/prng.h"
#include "tests/unit/check.h"

enum { MIB = 1024 * 1024, SLOTS = 256 };

static struct sf_pool *pool;

static void
open_pool(size_t bytes)
{
    REQUIRE_EQ(sf_pool_open(bytes, &pool), SF_OK);
}

static void
test_bounds(void)
{
    uint8_t *buffers[12];

    CHECK_EQ(sf_pool_open(SF_POOL_BYTES_MIN - 1, &pool), SF_EINVAL);
    open_pool(48 * MIB);
    CHECK_EQ(sf_pool_bytes(pool), 48 * MIB);
    for (size_t i = 0; i < 12; i++) {
        buffers[i] = sf_pool_take(pool, 4 * MIB);
        REQUIRE(buffers[i] != NULL);
        CHECK_EQ((uintptr_t)buffers[i] % SF_POOL_ALIGN, 0);
    }
    CHECK_EQ(sf_pool_bytes_used(pool), 48 * MIB);
    CHECK(sf_pool_take(pool, 1) == NULL);
    for (size_t i = 0; i < 12; i++) {
        sf_pool_return(pool, buffers[i]);
    }
    CHECK_EQ(sf_pool_bytes_used(pool), 0);
    sf_pool_close(pool);
}

static void
test_random(void)
{
    static const size_t classes[] = {1024, 4096, 16384, 65536, 262144, MIB, 4 * MIB};
    static uint8_t *buffers[SLOTS];
    static size_t bytes[SLOTS];
    struct sf_prng prng;

    sf_prng_init(&prng, 7);
    open_pool(16 * MIB);
    for (int turn = 0; turn < 20000; turn++) {
        size_t i = (size_t)sf_prng_below(&prng, SLOTS);

        if (buffers[i] != NULL) {
            /* Nobody else wrote into it. */
            CHECK_EQ(buffers[i][0], (uint8_t)i);
            CHECK_EQ(buffers[i][bytes[i] - 1], (uint8_t)i);
            sf_pool_return(pool, buffers[i]);
            buffers[i] = NULL;
        } else {
            bytes[i] = classes[sf_prng_below(&prng, 7)];
            buffers[i] = sf_pool_take(pool, bytes[i]);
            if (buffers[i] != NULL) {
                memset(buffers[i], (int)i, bytes[i]);
            }
        }
        CHECK(sf_pool_bytes_used(pool) <= 16 * MIB);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (buffers[i] != NULL) {
            sf_pool_return(pool, buffers[i]);
            buffers[i] = NULL;
        }
    }
    /* All pieces have melted together again. */
    for (size_t i = 0; i < 4; i++) {
        CHECK(sf_pool_take(pool, 4 * MIB) != NULL);
    }
    sf_pool_close(pool);
}

static size_t evicted[8];
static size_t evicted_count;
static struct sf_pool_holder holders[8];
static uint8_t *held[8];

static void
on_evict(struct sf_pool_holder *holder)
{
    size_t i = (size_t)(holder - holders);

    evicted[evicted_count++] = i;
    sf_pool_coming(pool, 2 * MIB);
}

static void
test_eviction(void)
{
    open_pool(16 * MIB);
    evicted_count = 0;
    for (size_t i = 0; i < 8; i++) {
        holders[i] = (struct sf_pool_holder){.evict = on_evict};
        held[i] = sf_pool_take(pool, 2 * MIB);
        REQUIRE(held[i] != NULL);
        sf_pool_touch(pool, &holders[i]);
    }
    sf_pool_touch(pool, &holders[0]); /* now 1 is the oldest */
    sf_pool_drop(pool, &holders[2]);  /* and 2 may not be asked */
    sf_pool_make_room(pool, 2 * MIB);
    REQUIRE_EQ(evicted_count, 2); /* one for the request, one towards the reserve */
    CHECK_EQ(evicted[0], 1);
    CHECK_EQ(evicted[1], 3);
    sf_pool_make_room(pool, 2 * MIB);
    CHECK_EQ(evicted_count, 2); /* it is on its way already */
    sf_pool_came(pool, 2 * MIB);
    sf_pool_return(pool, held[1]);
    CHECK(sf_pool_take(pool, 2 * MIB) != NULL);
    for (size_t i = 0; i < 8; i++) {
        sf_pool_drop(pool, &holders[i]);
    }
    sf_pool_close(pool);
}

static void
test_partials(void)
{
    open_pool(8 * MIB);
    for (int i = 0; i < SF_POOL_PARTIALS_MAX; i++) {
        REQUIRE(sf_pool_partial_add(pool));
    }
    CHECK(!sf_pool_partial_add(pool));
    sf_pool_partial_remove(pool);
    CHECK(sf_pool_partial_add(pool));
    sf_pool_close(pool);
}

CHECK_MAIN("pool", {"the pool gives what it has and no more", test_bounds},
    {"buffers never overlap and their pieces melt together", test_random},
    {"the holder touched longest ago is asked first, and not more than needed", test_eviction},
    {"partial bundles are counted and bounded", test_partials})
