/*
 * test_link_cover.c - filler between two engines in virtual time: how much of it goes, when, and
 * whether anybody can tell it from bulk.
 */
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;

#define RATE   UINT64_C(8000000) /* a megabyte a second */
#define DELAY  (20 * SF_MS)
#define PLENTY (UINT64_C(1) << 40)

enum { OPENER = 1200, IP_HEAD = 28, DGRAM_MAX = 1400 };

static void
start(uint64_t seed, unsigned ends)
{
    world_init(&world, seed, ends);
    for (unsigned i = 0; i < ends; i++) {
        world.channels[i].delay_ns = DELAY;
        world.ends[i].rate_bps = RATE;
        world.ends[i].mtu = DGRAM_MAX;
    }
}

static void
open_all(void)
{
    for (unsigned i = 0; i < world.end_count; i++) {
        world_open(&world, i);
    }
}

static void
finish(void)
{
    for (unsigned i = 0; i < world.end_count; i++) {
        CHECK_EQ(world.ends[i].wrong_bytes, 0);
    }
    CHECK(world.idle_calls < 100);
    world_fini(&world);
}

static void
cover(unsigned other, uint64_t owed_bytes, uint64_t budget_bytes)
{
    struct sf_link_cover what = {.owed_bytes = owed_bytes, .budget_bytes = budget_bytes};

    CHECK_EQ(sf_link_set_cover(world.ends[0].link, other, &what), SF_OK);
}

static struct sf_link_peer_stats
stats_of(unsigned other)
{
    struct sf_link_peer_stats stats;

    world_peer_stats(&world, 0, other, &stats);
    return stats;
}

/* IP bytes that left end 0 in the span that follows. */
static uint64_t
sent_in(uint64_t span_ns)
{
    uint64_t before = world.sent_bytes[0] + IP_HEAD * world.sent_dgrams[0];

    world_run(&world, span_ns);
    return world.sent_bytes[0] + IP_HEAD * world.sent_dgrams[0] - before;
}

static bool
is_full_rate(uint64_t bytes, uint64_t span_ns)
{
    uint64_t whole = RATE / 8 * (span_ns / SF_MS) / 1000;

    return bytes * 100 >= whole * 99 && bytes * 100 <= whole * 101;
}

static void
test_owed(void)
{
    struct sf_link_peer_stats stats;
    uint64_t owed = 300000;

    start(1, 2);
    open_all();
    cover(1, owed, 0);
    world_offer(&world, 0, 1, 0, 20, 65536);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    /* Not before all of it was received. */
    CHECK(stats_of(1).cover_bytes_out <= DGRAM_MAX);
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[0].handle);
    world_run(&world, 2 * SF_SEC);
    stats = stats_of(1);
    CHECK_EQ(stats.cover.owed_bytes, 0);
    CHECK(
        stats.cover_segment_bytes_out >= owed && stats.cover_segment_bytes_out < owed + DGRAM_MAX);
    /* As bulk does it takes its heads, and no more. */
    CHECK(stats.cover_bytes_out > owed && stats.cover_bytes_out < owed + owed / 10);
    /* And then nothing. */
    CHECK(sent_in(5 * SF_SEC) < 2000);
    finish();
}

/* Where nobody answers it waits, and nobody is called for its sake. */
static void
test_owed_in_the_dark(void)
{
    uint64_t openers;

    start(2, 2);
    open_all();
    world_offer(&world, 0, 1, 0, 1, 65536);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[0].handle);
    world_run(&world, SF_SEC);
    world.channels[0].is_dark = true;
    cover(1, 10000000, 0);
    world_run(&world, 10 * SF_SEC);
    openers = stats_of(1).openers_out;
    CHECK(sent_in(60 * SF_SEC) == 0);
    CHECK_EQ(stats_of(1).openers_out, openers);
    CHECK(stats_of(1).cover.owed_bytes > 9000000);
    /* It goes on with the next thing that is to be sent. */
    world.channels[0].is_dark = false;
    world_offer(&world, 0, 1, 1, 1, 65536);
    CHECK(world_deliver(&world, 0, 1, 10 * SF_SEC));
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[1].handle);
    world_run(&world, 15 * SF_SEC);
    CHECK_EQ(stats_of(1).cover.owed_bytes, 0);
    finish();
}

static void
set_reach(enum sf_link_reach_kind kind, uint64_t span_ns)
{
    struct sf_link_reach reach = {.kind = kind,
        .end = sf_mono_add(world.now, span_ns),
        .rate_bps = RATE,
        .rtt_ns = 2 * DELAY};

    CHECK_EQ(sf_link_set_reach(world.ends[0].link, 1, &reach, world.now), SF_OK);
}

/* Contacts with traffic, with none, and with some: the same rate in all, nothing between them. */
static void
test_rate(void)
{
    static const uint64_t bundles[] = {0, 20, 100, 0, 20, 500};

    start(3, 2);
    open_all();
    cover(1, 0, PLENTY);
    for (unsigned pass = 0; pass < 6; pass++) {
        uint64_t span = (10 + pass) * SF_SEC;

        if (bundles[pass] > 0) {
            world_offer(&world, 0, 1, pass, bundles[pass], 65536);
        }
        set_reach(SF_LINK_REACH_CONTACT, span);
        CHECK(is_full_rate(sent_in(span), span));
        set_reach(SF_LINK_REACH_SILENT, 0);
        CHECK_EQ(sent_in(100 * SF_SEC), 0);
    }
    for (unsigned pass = 1; pass < 5; pass++) {
        CHECK(bundles[pass] == 0 || world.ends[0].out[pass].is_received);
    }
    CHECK(world_kept(&world, 0, 5, 1) > 100);
    finish();
}

/* Without a plan, and over a path that loses: as long as the peer answers. */
static void
test_rate_with_losses(void)
{
    start(4, 2);
    world.channels[0].loss_ppm = 50000;
    world.channels[1].loss_ppm = 50000;
    open_all();
    cover(1, 0, PLENTY);
    world_run(&world, SF_SEC);
    CHECK(is_full_rate(sent_in(300 * SF_SEC), 300 * SF_SEC));
    CHECK(stats_of(1).openers_out > 2); /* sessions are renewed as ever */
    world.channels[1].is_dark = true;
    world_run(&world, 10 * SF_SEC);
    CHECK(sent_in(60 * SF_SEC) < 60 * 2 * 1500); /* beacons */
    world.channels[1].is_dark = false;
    world_run(&world, 10 * SF_SEC);
    CHECK(is_full_rate(sent_in(10 * SF_SEC), 10 * SF_SEC));
    finish();
}

/* Lengths of what end 0 sends from now on; openers apart. */
static void
lengths(size_t *ret_least, size_t *ret_most, size_t *ret_count)
{
    *ret_least = SIZE_MAX;
    *ret_most = 0;
    *ret_count = 0;
    for (size_t i = 0; i < world.tape_count; i++) {
        const struct packet *packet = &world.tape[i];

        if (!sf_addr_equal(&packet->from, &world.ends[0].addr) ||
            (packet->bytes == OPENER && sf_get_be32(packet->data) == 0)) {
            continue;
        }
        *ret_least = packet->bytes < *ret_least ? packet->bytes : *ret_least;
        *ret_most = packet->bytes > *ret_most ? packet->bytes : *ret_most;
        ++*ret_count;
    }
}

static void
test_one_size(void)
{
    size_t least, most, count;

    start(5, 2);
    open_all();
    cover(1, 0, PLENTY);
    world_run(&world, 5 * SF_SEC); /* how large they may be is found without traffic */
    world.is_taping = true;
    world_run(&world, SF_SEC / 2);
    world_offer(&world, 0, 1, 0, 13, 16384);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[0].handle);
    world_run(&world, SF_SEC / 2);
    world.is_taping = false;
    lengths(&least, &most, &count);
    CHECK(count > 700);
    CHECK_EQ(least, most);
    CHECK(most > DGRAM_MAX - 48 && most <= DGRAM_MAX - IP_HEAD);
    finish();
}

static void
test_budget(void)
{
    uint64_t budget = 2500000;
    struct sf_link_peer_stats stats;

    start(6, 2);
    open_all();
    cover(1, 0, budget);
    world_run(&world, 10 * SF_SEC);
    stats = stats_of(1);
    CHECK(stats.cover_bytes_out <= budget && stats.cover_bytes_out > budget - DGRAM_MAX);
    CHECK_EQ(stats.cover.budget_bytes, 0);
    CHECK(sent_in(60 * SF_SEC) < 3000);
    /* What is owed does not need one. */
    cover(1, 100000, 0);
    world_run(&world, SF_SEC);
    CHECK(stats_of(1).cover_bytes_out > budget + 100000 - DGRAM_MAX);
    CHECK_EQ(sf_link_set_cover(world.ends[0].link, 7, &stats.cover), SF_ENOENT);
    finish();
}

/* How long a transfer takes, after a second. */
static sf_mono
time_of(uint64_t seed, uint64_t budget_bytes, uint32_t loss_ppm)
{
    sf_mono from;

    start(seed, 2);
    world.channels[0].loss_ppm = loss_ppm;
    open_all();
    cover(1, 10000000, budget_bytes);
    world_offer(&world, 0, 1, 1, 20, 65536); /* finds the size of datagrams */
    CHECK(world_deliver(&world, 0, 1, 20 * SF_SEC));
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[1].handle);
    world_run(&world, SF_SEC);
    CHECK(stats_of(1).cover_bytes_out > 100000);
    from = world.now;
    world_offer(&world, 0, 1, 0, 6, 1 << 20);
    CHECK(world_deliver(&world, 0, 0, 100 * SF_SEC));
    from = world.now - from;
    finish();
    return from;
}

static void
test_yields(void)
{
    uint64_t line = (UINT64_C(6) << 20) * 8 * SF_SEC / RATE;
    sf_mono alone = time_of(7, 0, 0);
    sf_mono covered = time_of(7, PLENTY, 0);

    CHECK(alone < line / 100 * 108);
    /* What stands alone, in small datagrams, is as large as the others then. */
    CHECK(covered <= alone + alone / 50);
    /* Losses at the end are found as soon, also while filler follows. */
    alone = time_of(8, 0, 20000);
    covered = time_of(8, PLENTY, 20000);
    CHECK(covered <= alone + alone / 50);
}

/* A limit that others share is theirs first. */
static void
test_limit(void)
{
    struct sf_link_peer_stats stats;
    uint64_t sent;

    start(9, 3);
    world.ends[0].limits = 1;
    open_all();
    CHECK_EQ(sf_link_limit(world.ends[0].link, 0, RATE), SF_OK);
    cover(2, 0, PLENTY);
    world_run(&world, SF_SEC);
    CHECK(stats_of(2).cover_bytes_out > RATE / 8 / 2);
    world_offer(&world, 0, 1, 0, 200, 65536);
    world_run(&world, SF_SEC);
    sent = stats_of(1).data_bytes_out;
    stats = stats_of(2);
    world_run(&world, 4 * SF_SEC);
    CHECK(stats_of(1).data_bytes_out - sent > RATE / 8 * 4 / 100 * 90);
    CHECK(stats_of(2).cover_bytes_out - stats.cover_bytes_out < RATE / 8 * 4 / 100 * 2);
    finish();
}

CHECK_MAIN("link_cover", {"what is owed goes when all on offer was received", test_owed},
    {"what is owed waits for who answers", test_owed_in_the_dark},
    {"with a budget every contact is filled at its rate, and nothing goes between", test_rate},
    {"losses do not change the rate, and silence ends it", test_rate_with_losses},
    {"with a budget all datagrams are of one size", test_one_size},
    {"a budget is held", test_budget}, {"filler gives way to bulk at once", test_yields},
    {"filler leaves a shared limit to bulk of others", test_limit})
