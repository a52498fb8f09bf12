/*
 * test_link_rate.c - two engines over a line whose rate nobody told them, in
 * virtual time: it is found, kept through the dark, bounded, shared.
 */
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;

#define LINE  UINT64_C(50000000)
#define MOST  UINT64_C(1000000000)
#define DELAY (20 * SF_MS)

static void
start(uint64_t seed)
{
    world_init(&world, seed, 2);
    for (unsigned i = 0; i < 2; i++) {
        world.channels[i].delay_ns = DELAY;
        world.ends[i].pool_bytes = 64 << 20;
    }
    world.channels[0].rate_bps = LINE;
    world.channels[0].queue_ns = 100 * SF_MS;
    world.ends[0].pace = SF_LINK_PACE_ADAPTIVE;
    world.ends[0].rate_bps = MOST;
}

static void
open_both(void)
{
    world_open(&world, 0);
    world_open(&world, 1);
}

static uint64_t
rate_now(void)
{
    struct sf_link_peer_stats stats;

    world_peer_stats(&world, 0, 1, &stats);
    return stats.rate_bps;
}

static void
finish(void)
{
    for (unsigned i = 0; i < world.end_count; i++) {
        CHECK_EQ(world.ends[i].wrong_bytes, 0);
    }
    world_fini(&world);
}

/* IP bytes that arrived in the span that follows. */
static uint64_t
sent_in(uint64_t span_ns)
{
    uint64_t before = world.sent_bytes[0] + 28 * world.sent_dgrams[0];

    world_run(&world, span_ns);
    return world.sent_bytes[0] + 28 * world.sent_dgrams[0] - before;
}

static void
test_found(void)
{
    struct sf_link_peer_stats stats;
    uint64_t sent;

    start(1);
    world.channels[0].loss_ppm = 5000;
    open_both();
    world_offer(&world, 0, 1, 0, 400, 65536);
    world_run(&world, 20 * DELAY); /* ten round trips */
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(stats.found_bps > LINE / 100 * 85 && stats.found_bps < LINE / 100 * 115);
    CHECK(stats.rate_cause == SF_LINK_CAUSE_FOUND);
    sent = sent_in(2 * SF_SEC);
    CHECK(sent > LINE / 8 * 2 / 100 * 95 && sent < LINE / 8 * 2 / 100 * 105);
    CHECK(world.channels[0].waited_ns < 25 * SF_MS);
    CHECK(world_deliver(&world, 0, 0, 3 * SF_SEC));
    finish();
}

static void
test_dark(void)
{
    uint64_t sent;

    start(2);
    open_both();
    world_offer(&world, 0, 1, 0, 800, 65536);
    world_run(&world, 2 * SF_SEC);
    world.channels[0].is_dark = world.channels[1].is_dark = true;
    world_run(&world, 7 * SF_SEC);
    world.channels[0].is_dark = world.channels[1].is_dark = false;
    /* Until a beacon gets through nothing goes; then at once as much as before. */
    for (int i = 0; i < 100 && sent_in(50 * SF_MS) < 20000; i++) {
    }
    sent = sent_in(SF_SEC);
    CHECK(sent > LINE / 8 / 100 * 92);
    CHECK(world.channels[0].waited_ns < 25 * SF_MS);
    finish();
}

static void
test_known(void)
{
    uint64_t sent;

    start(3);
    world.ends[0].known_bps = LINE / 10 * 9;
    open_both();
    world_offer(&world, 0, 1, 0, 400, 65536);
    sent = sent_in(2 * DELAY); /* before anything can have come back */
    CHECK(sent > LINE / 10 * 9 / 8 * 40 / 1000 / 100 * 95);
    finish();
}

static void
test_blind(void)
{
    uint64_t sent;

    start(4);
    world.channels[1].is_dark = true;
    open_both();
    world_offer(&world, 0, 1, 0, 400, 65536);
    sent = sent_in(2 * SF_SEC);
    /* A megabyte, and then a tenth of the rate. */
    CHECK(sent > 1000000 && sent < 1048576 + 1000000 / 8 * 2);
    finish();
}

static void
test_ceiling(void)
{
    struct sf_link_peer_stats stats;
    uint64_t sent;

    start(5);
    world.ends[0].rate_bps = LINE / 2;
    open_both();
    world_offer(&world, 0, 1, 0, 400, 65536);
    world_run(&world, SF_SEC);
    sent = sent_in(2 * SF_SEC);
    CHECK(sent <= LINE / 2 / 8 * 2 / 100 * 101);
    CHECK(sent >= LINE / 2 / 8 * 2 / 100 * 98);
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(stats.rate_cause == SF_LINK_CAUSE_CEILING);
    /* The ceiling comes down while it runs. */
    world.ends[0].rate_bps = LINE / 10;
    world_set_peer(&world, 0, 1);
    sent = sent_in(SF_SEC);
    CHECK(sent <= LINE / 10 / 8 / 100 * 101 + 1500);
    finish();
}

static void
test_marks(void)
{
    start(6);
    world.channels[0].mark_ns = SF_MS;
    world.channels[0].queue_ns = SF_SEC;
    open_both();
    world_offer(&world, 0, 1, 0, 800, 65536);
    world_run(&world, 3 * SF_SEC);
    CHECK(rate_now() > LINE / 100 * 85);
    /* The queue is kept where it is not marked, below what would be allowed without. */
    CHECK(world.channels[0].waited_ns < 4 * SF_MS);
    finish();
}

static void
test_app_limited(void)
{
    struct sf_link_peer_stats stats;

    start(7);
    open_both();
    world_offer(&world, 0, 1, 0, 300, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    world_run(&world, SF_SEC);
    /* A little now and then: that no more arrives says nothing of the path. */
    for (unsigned i = 1; i < 6; i++) {
        world_offer(&world, 0, 1, i, 1, 16384);
        world_run(&world, SF_SEC);
    }
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(stats.found_bps > LINE / 100 * 85 && stats.found_bps < LINE / 100 * 115);
    finish();
}

static void
test_limit(void)
{
    struct sf_link_peer_stats stats;
    uint64_t sent;

    world_init(&world, 8, 3);
    world.ends[0].rate_bps = LINE;
    world.ends[0].limits = 1u << 3;
    for (unsigned i = 0; i < 3; i++) {
        world.ends[i].pool_bytes = 64 << 20;
        world_open(&world, i);
    }
    CHECK_EQ(sf_link_limit(world.ends[0].link, 3, LINE / 5), SF_OK);
    world_offer(&world, 0, 1, 0, 200, 65536);
    world_offer(&world, 0, 2, 1, 200, 65536);
    world_run(&world, SF_SEC);
    sent = sent_in(4 * SF_SEC);
    /* Both together, within one per cent, and neither pushes the other aside. */
    CHECK(sent <= LINE / 5 / 8 * 4 / 100 * 101 && sent >= LINE / 5 / 8 * 4 / 100 * 99);
    CHECK(world_kept(&world, 0, 0, 1) > 30);
    CHECK(world_kept(&world, 0, 1, 2) > 30);
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(stats.rate_cause == SF_LINK_CAUSE_LIMIT);
    CHECK_EQ(stats.rate_bps, LINE / 5);
    CHECK_EQ(sf_link_limit(world.ends[0].link, 3, 0), SF_OK);
    sent = sent_in(SF_SEC);
    CHECK(sent > LINE / 8);
    CHECK_EQ(sf_link_limit(world.ends[0].link, SF_LINK_LIMITS_MAX, LINE), SF_EINVAL);
    CHECK_EQ(sf_link_limit(world.ends[0].link, 3, 1), SF_EINVAL);
    finish();
}

static void
test_mark(void)
{
    uint8_t dgram[2000];
    struct sf_addr to;
    size_t bytes;

    start(9);
    open_both();
    world_offer(&world, 0, 1, 0, 4, 65536);
    world_run(&world, 10 * SF_MS);
    while (!sf_link_output(world.ends[0].link, &to, dgram, sizeof(dgram), &bytes, world.now)) {
        world.now += SF_MS;
    }
    CHECK_EQ(sf_link_mark(world.ends[0].link), 101);
    finish();
}

static void
test_refused(void)
{
    struct sf_link_peer peer = {.rate_bps = MOST, .pace = SF_LINK_PACE_SCAVENGER};

    start(10);
    open_both();
    peer.has_endpoint = true;
    peer.no_return = true;
    memset(&peer.fingerprint, 7, sizeof(peer.fingerprint));
    CHECK_EQ(sf_link_peer_set(world.ends[0].link, 5, &peer), SF_EINVAL);
    peer.no_return = false;
    peer.limits = 1u << SF_LINK_LIMITS_MAX;
    CHECK_EQ(sf_link_peer_set(world.ends[0].link, 5, &peer), SF_EINVAL);
    peer.limits = 0;
    peer.known_bps = SF_LINK_RATE_BPS_MAX + 1;
    CHECK_EQ(sf_link_peer_set(world.ends[0].link, 5, &peer), SF_EINVAL);
    finish();
}

CHECK_MAIN("link_rate", {"the rate of a line is found within ten round trips and held", test_found},
    {"after the dark it goes on at the rate from before", test_dark},
    {"what was known of a path goes from the first datagram", test_known},
    {"before the first answer little is sent", test_blind},
    {"the rate given is a ceiling, also when it comes down", test_ceiling},
    {"marks of routers keep the queue shorter", test_marks},
    {"having little to send says nothing of the path", test_app_limited},
    {"a limit is shared by the peers that name it", test_limit},
    {"the caller's mark comes with each datagram", test_mark},
    {"what makes no sense is refused", test_refused})
