/*
 * test_link.c - two engines and a bad path between them.
 */
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;

static void
start(uint64_t seed)
{
    world_init(&world, seed, 2);
}

static void
open_both(void)
{
    world_open(&world, 0);
    world_open(&world, 1);
}

static void
check_clean(void)
{
    CHECK_EQ(world.ends[0].wrong_bytes + world.ends[1].wrong_bytes, 0);
    CHECK(world.idle_calls < 20);
    world_fini(&world);
}

static void
test_delivers(void)
{
    start(1);
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    CHECK_EQ(world_kept(&world, 0, 0, 1), 20);
    printf(" %" PRIu64 " ms, %" PRIu64 " bytes, idle %" PRIu64, (world.now - 1000 * SF_SEC) / SF_MS,
        world.sent_bytes[0], world.idle_calls);
    check_clean();
}

CHECK_MAIN("link", {"an object crosses a clean path", test_delivers})
