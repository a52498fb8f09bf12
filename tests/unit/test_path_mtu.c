/*
 * test_path_mtu.c - the largest datagram that a path takes: the search by
 * itself, and two engines over paths that take more, less, and less than before.
 */
#include "link/path_mtu.h"
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;
static struct sf_path_mtu mtu;

enum { TOP = 8972, CLASS_BYTES = 65536 };

/* --- The search ------------------------------------------------------------------- */

/* Probes go over a path that takes `path_bytes` until the search rests. Returns how many went. */
static unsigned
search(size_t path_bytes, sf_mono *now)
{
    unsigned probes = 0;
    uint64_t number = 1000;

    while (probes < 1000) {
        size_t bytes = sf_path_mtu_tick(&mtu, *now, *now);

        if (bytes != 0) {
            sf_path_mtu_probed(&mtu, ++number, *now + SF_SEC, *now);
            probes++;
            *now += SF_MS;
            if (bytes <= path_bytes) {
                CHECK(sf_path_mtu_answered(&mtu, number, *now));
                continue;
            }
        }
        if (sf_path_mtu_deadline(&mtu) > *now + SF_SEC) {
            break;
        }
        *now = sf_path_mtu_deadline(&mtu) > *now ? sf_path_mtu_deadline(&mtu) : *now;
    }
    return probes;
}

static void
test_search(void)
{
    for (size_t path_bytes = SF_PATH_MTU_FLOOR; path_bytes <= TOP; path_bytes += 7) {
        sf_mono now = SF_SEC;

        sf_path_mtu_init(&mtu, TOP, now);
        CHECK_EQ(mtu.bytes, SF_PATH_MTU_FLOOR);
        CHECK(search(path_bytes, &now) <= 30);
        CHECK(mtu.bytes <= path_bytes);
        CHECK(path_bytes - mtu.bytes <= mtu.bytes / SF_PATH_MTU_PART);
        CHECK(sf_path_mtu_deadline(&mtu) ==
              (mtu.bytes < TOP ? sf_mono_add(now, SF_PATH_MTU_RAISE_NS) : SF_NEVER));
    }
}

static void
test_top_first(void)
{
    sf_mono now = SF_SEC;

    sf_path_mtu_init(&mtu, TOP, now);
    CHECK_EQ(search(TOP, &now), 1);
    CHECK_EQ(mtu.bytes, TOP);
    sf_path_mtu_init(&mtu, SF_PATH_MTU_FLOOR, now);
    CHECK_EQ(search(TOP, &now), 0);
}

static void
test_dark_probe(void)
{
    sf_mono now = SF_SEC;

    /* The peer was not heard since: nothing was learnt, however often. */
    sf_path_mtu_init(&mtu, TOP, now);
    for (uint64_t number = 1; number < 20; number++) {
        CHECK_EQ(sf_path_mtu_tick(&mtu, SF_SEC, now), TOP);
        sf_path_mtu_probed(&mtu, number, now + SF_SEC, now);
        CHECK_EQ(sf_path_mtu_tick(&mtu, SF_SEC, now + SF_SEC - 1), 0);
        now += SF_SEC;
    }
    /* It was, three times, the one on its way included: that is too much of a chance. */
    for (uint64_t number = 20; number < 22; number++) {
        CHECK_EQ(sf_path_mtu_tick(&mtu, now, now), TOP);
        sf_path_mtu_probed(&mtu, number, now + SF_SEC, now);
        now += SF_SEC;
    }
    CHECK(sf_path_mtu_tick(&mtu, now, now) < TOP);
    CHECK_EQ(mtu.failed, TOP);
}

static void
test_late_answer(void)
{
    sf_mono now = SF_SEC;

    sf_path_mtu_init(&mtu, TOP, now);
    CHECK_EQ(sf_path_mtu_tick(&mtu, now, now), TOP);
    CHECK(!sf_path_mtu_answered(&mtu, 7, now));
    sf_path_mtu_probed(&mtu, 7, now + SF_SEC, now);
    now += SF_SEC;
    CHECK_EQ(sf_path_mtu_tick(&mtu, now, now), TOP);
    sf_path_mtu_probed(&mtu, 9, now + SF_SEC, now);
    CHECK(!sf_path_mtu_answered(&mtu, 8, now)); /* of another path */
    CHECK_EQ(mtu.bytes, SF_PATH_MTU_FLOOR);
    CHECK(sf_path_mtu_answered(&mtu, 7, now));
    CHECK_EQ(mtu.bytes, TOP);
    CHECK(!sf_path_mtu_answered(&mtu, 9, now)); /* it is settled */
}

static void
test_raise(void)
{
    sf_mono now = SF_SEC;

    sf_path_mtu_init(&mtu, TOP, now);
    (void)search(1472, &now);
    CHECK(mtu.bytes <= 1472);
    CHECK_EQ(sf_path_mtu_tick(&mtu, now, now + SF_PATH_MTU_RAISE_NS / 2), 0);
    now = sf_path_mtu_deadline(&mtu);
    CHECK_EQ(search(TOP, &now), 1);
    CHECK_EQ(mtu.bytes, TOP);
}

static void
test_black_hole(void)
{
    sf_mono now = SF_SEC;

    sf_path_mtu_init(&mtu, TOP, now);
    (void)search(TOP, &now);
    CHECK(!sf_path_mtu_black_hole(&mtu, now));
    CHECK_EQ(mtu.bytes, SF_PATH_MTU_FLOOR);
    /* What was in use is tried first: it may have been chance. */
    CHECK_EQ(search(TOP, &now), 1);
    CHECK_EQ(mtu.bytes, TOP);
    CHECK(!sf_path_mtu_black_hole(&mtu, now));
    (void)search(3000, &now);
    CHECK(mtu.bytes <= 3000 && mtu.bytes > 2950);
    /* At the floor there is nothing left but to say so, once. */
    CHECK(!sf_path_mtu_black_hole(&mtu, now));
    CHECK(sf_path_mtu_black_hole(&mtu, now));
    CHECK(!sf_path_mtu_black_hole(&mtu, now));
    CHECK(mtu.is_narrow);
    sf_path_mtu_came(&mtu);
    CHECK(!mtu.is_narrow);
}

static void
test_refused(void)
{
    sf_mono now = SF_SEC;
    unsigned refusals = 0;
    size_t bytes;

    /* The own host answers at once: no round trip is waited for. */
    sf_path_mtu_init(&mtu, TOP, now);
    while ((bytes = sf_path_mtu_tick(&mtu, now, now)) != 0) {
        sf_path_mtu_probed(&mtu, ++refusals, now + SF_SEC, now);
        if (bytes > 1472) {
            sf_path_mtu_refused(&mtu, bytes, now);
        } else {
            CHECK(sf_path_mtu_answered(&mtu, refusals, now));
        }
    }
    CHECK(refusals < 12);
    CHECK(mtu.bytes <= 1472 && mtu.bytes > 1440);
    /* The interface takes less from now on. */
    sf_path_mtu_refused(&mtu, mtu.bytes, now);
    CHECK_EQ(mtu.bytes, SF_PATH_MTU_FLOOR);
    sf_path_mtu_refused(&mtu, SF_PATH_MTU_FLOOR, now);
    CHECK_EQ(mtu.bytes, SF_PATH_MTU_FLOOR);
}

/* --- Engines ----------------------------------------------------------------------- */

static void
start(uint64_t seed, size_t path_bytes)
{
    world_init(&world, seed, 2);
    for (unsigned i = 0; i < 2; i++) {
        world.ends[i].mtu = SF_LINK_MTU_MAX;
        world.channels[i].mtu_bytes = path_bytes;
    }
}

static void
open_both(void)
{
    world_open(&world, 0);
    world_open(&world, 1);
}

static void
finish(void)
{
    CHECK_EQ(world.ends[0].wrong_bytes + world.ends[1].wrong_bytes, 0);
    CHECK(world.idle_calls < 50);
    world_fini(&world);
}

static size_t
mtu_found(void)
{
    struct sf_link_peer_stats stats;

    world_peer_stats(&world, 0, 1, &stats);
    return stats.mtu_bytes;
}

/* Is `bytes` what a path of `path_bytes` takes, as nearly as is looked for? */
static bool
is_near(size_t bytes, size_t path_bytes)
{
    return bytes <= path_bytes && path_bytes - bytes <= path_bytes / SF_PATH_MTU_PART;
}

static void
test_paths(void)
{
    static const size_t paths[] = {1228, 1280, 1300, 1420, 1492, 1500, 2304, 4352, 8000, 9000};

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct sf_link_peer_stats stats;

        start(100 + i, paths[i]);
        open_both();
        world_offer(&world, 0, 1, 0, 200, CLASS_BYTES);
        /* 13.1 MB at 20 Mbit/s, heads of datagrams of 1,228 bytes, and a round trip. */
        CHECK(world_deliver(&world, 0, 0, 5700 * SF_MS));
        CHECK(is_near(mtu_found(), paths[i]));
        /* No segment went in a probe, so none was lost with one. */
        world_peer_stats(&world, 0, 1, &stats);
        CHECK_EQ(stats.resent_bytes_out, 0);
        CHECK_EQ(world.ends[0].downs, 0);
        finish();
    }
}

static void
test_shrinks(void)
{
    static const size_t paths[] = {4000, 1500, 1280, 1230};

    start(120, 9000);
    open_both();
    world_offer(&world, 0, 1, 0, 1000, CLASS_BYTES);
    world_run(&world, 3 * SF_SEC);
    CHECK(is_near(mtu_found(), 9000));
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        uint64_t kept = world_kept(&world, 0, 0, 1);

        /* Whichever way the bulk goes; nobody says anything. */
        world.channels[0].mtu_bytes = paths[i];
        world_run(&world, SF_SEC);
        /* A second of 20 Mbit/s is 38 bundles: at least half of it was used. */
        CHECK(world_kept(&world, 0, 0, 1) >= kept + 19);
        world_run(&world, 3 * SF_SEC);
        CHECK(is_near(mtu_found(), paths[i]));
        CHECK(world_kept(&world, 0, 0, 1) >= kept + 19 + 100);
    }
    CHECK_EQ(world.ends[0].narrows, 0);
    CHECK(world_deliver(&world, 0, 0, 30 * SF_SEC));
    finish();
}

/* The last segments of an object must not be lost again and again at a size that does not pass. */
static void
test_shrinks_at_tail(void)
{
    start(121, 9000);
    open_both();
    world_offer(&world, 0, 1, 0, 60, CLASS_BYTES);
    while (world_kept(&world, 0, 0, 1) < 58) {
        world_run(&world, 5 * SF_MS);
    }
    world.channels[0].mtu_bytes = 1400;
    CHECK(world_deliver(&world, 0, 0, 3 * SF_SEC));
    finish();
}

/*
 * Nor the end of a bundle alone, shorter than the others and still too long: whichever segments
 * are missing when the path shrinks.
 */
static void
test_shrinks_at_end(void)
{
    for (unsigned i = 0; i < 35; i++) {
        start(160 + i, 6085);
        open_both();
        world_offer(&world, 0, 1, 0, 30, CLASS_BYTES);
        REQUIRE(world_deliver(&world, 0, 0, 3 * SF_SEC));
        REQUIRE(is_near(mtu_found(), 6085));
        /* Its last segment leaves some 24 ms later. */
        world_offer(&world, 0, 1, 1, 1, CLASS_BYTES);
        world_run(&world, i * SF_MS);
        world.channels[0].mtu_bytes = 1300;
        CHECK(world_deliver(&world, 0, 1, 4 * SF_SEC));
        finish();
    }
}

static void
test_grows(void)
{
    start(122, 1400);
    world.ends[0].rate_bps = 200000;
    open_both();
    world_offer(&world, 0, 1, 0, 400, CLASS_BYTES);
    world_run(&world, 60 * SF_SEC);
    CHECK(is_near(mtu_found(), 1400));
    world.channels[0].mtu_bytes = 4000;
    world_run(&world, 400 * SF_SEC);
    CHECK(is_near(mtu_found(), 1400));
    world_run(&world, 300 * SF_SEC);
    CHECK(is_near(mtu_found(), 4000));
    finish();
}

static void
test_narrow(void)
{
    struct sf_link_peer_stats stats;
    uint64_t kept;

    start(123, 1500);
    open_both();
    world_offer(&world, 0, 1, 0, 200, CLASS_BYTES);
    world_run(&world, 2 * SF_SEC);
    world.channels[0].mtu_bytes = 1000;
    world_run(&world, 2 * SF_SEC);
    kept = world_kept(&world, 0, 0, 1);
    CHECK_EQ(world.ends[0].narrows, 1);
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(stats.is_narrow);
    world_run(&world, 60 * SF_SEC);
    CHECK_EQ(world_kept(&world, 0, 0, 1), kept);
    CHECK_EQ(world.ends[0].narrows, 1);
    world.channels[0].mtu_bytes = 1500;
    CHECK(world_deliver(&world, 0, 0, 15 * SF_SEC));
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(!stats.is_narrow);
    finish();
}

static void
test_device(void)
{
    start(124, 0);
    world.channels[0].device_bytes = 1500;
    open_both();
    world_offer(&world, 0, 1, 0, 200, CLASS_BYTES);
    world_run(&world, SF_SEC);
    CHECK(is_near(mtu_found(), 1500));
    /* The interface is set to less: its word is enough, nothing has to be lost. */
    world.channels[0].device_bytes = 1300;
    CHECK(world_deliver(&world, 0, 0, 8 * SF_SEC));
    CHECK(is_near(mtu_found(), 1300));
    finish();
}

/* Rows of a block that was begun with large datagrams do not fit into small ones: they give way. */
static void
test_rows(void)
{
    for (unsigned i = 0; i < 10; i++) {
        start(140 + i, 0);
        world.channels[0].delay_ns = world.channels[1].delay_ns = 200 * SF_MS;
        open_both();
        world_offer(&world, 0, 1, 0, 50, CLASS_BYTES);
        world_run(&world, (1000 + 3 * i) * SF_MS); /* what goes now is followed by rows */
        CHECK(is_near(mtu_found(), 9000));
        world.channels[0].device_bytes = 1300;
        CHECK(world_deliver(&world, 0, 0, 3 * SF_SEC));
        finish();
    }
}

/* A third of all is lost, probes too: that is no reason to stay small. */
static void
test_chance(void)
{
    start(125, 1500);
    world.ends[0].mtu = 1500;
    world.channels[0].loss_ppm = 300000;
    open_both();
    world_offer(&world, 0, 1, 0, 200, CLASS_BYTES);
    CHECK(world_deliver(&world, 0, 0, 12 * SF_SEC));
    CHECK(mtu_found() >= 1350);
    finish();
}

/* After the dark, or where it was before, a peer gets at once what it got. */
static void
test_remembered(void)
{
    struct sf_link_reach here = {
        .kind = SF_LINK_REACH_CONTACT, .end = SF_NEVER, .rate_bps = 20000000, .has_endpoint = true};
    struct sf_link_reach elsewhere = here;

    start(126, 1500);
    here.endpoint = world.ends[1].addr;
    elsewhere.endpoint = sf_addr_v4(0x0a0000ff, 7000);
    open_both();
    world_authorise(&world, &elsewhere.endpoint);
    CHECK_EQ(sf_link_set_reach(world.ends[0].link, 1, &here, world.now), SF_OK);
    world_offer(&world, 0, 1, 0, 400, CLASS_BYTES);
    world_run(&world, 3 * SF_SEC);
    CHECK(is_near(mtu_found(), 1500));
    world.channels[1].is_dark = true; /* or its address would be proven there as well */
    CHECK_EQ(sf_link_set_reach(world.ends[0].link, 1, &elsewhere, world.now), SF_OK);
    world_run(&world, SF_SEC);
    CHECK(mtu_found() <= 1228);
    world.channels[1].is_dark = false;
    CHECK_EQ(sf_link_set_reach(world.ends[0].link, 1, &here, world.now), SF_OK);
    world_pump(&world, 0);
    CHECK(is_near(mtu_found(), 1500));
    CHECK(world_deliver(&world, 0, 0, 15 * SF_SEC));
    finish();
}

/* Nobody can say what comes through: the size is given. */
static void
test_blind(void)
{
    start(127, 1350);
    world.ends[0].mtu_blind = 1300;
    world.ends[0].no_return[1] = true;
    world.channels[1].is_dark = true;
    open_both();
    world_offer(&world, 0, 1, 0, 20, CLASS_BYTES);
    world_run(&world, 5 * SF_SEC);
    CHECK_EQ(mtu_found(), 1300);
    CHECK_EQ(world_kept(&world, 0, 0, 1), 20);
    finish();
}

CHECK_MAIN("path_mtu",
    {"a search finds what a path takes, to a part in 64, with 30 probes", test_search},
    {"the largest is tried first", test_top_first},
    {"a probe sent into the dark tells nothing", test_dark_probe},
    {"an answer that comes late counts, one to something else does not", test_late_answer},
    {"after ten minutes larger ones are tried again", test_raise},
    {"what comes through no more is given up, tried again, and found anew", test_black_hole},
    {"what the own host refuses needs no round trip", test_refused},
    {"paths of 1,228 to 9,000 bytes are filled, and nothing is lost on the way", test_paths},
    {"a path that shrinks in mid-transfer goes on", test_shrinks},
    {"a path that shrinks at the tail does not hold it up", test_shrinks_at_tail},
    {"a path that shrinks when the end of a bundle is missing goes on", test_shrinks_at_end},
    {"a path that grows is used after ten minutes", test_grows},
    {"a path that takes no openers is told, once, and used again when it does", test_narrow},
    {"the own interface's word is enough", test_device},
    {"repair begun with large datagrams does not hold up small ones", test_rows},
    {"probes that are lost by chance are repeated", test_chance},
    {"what was found of a path is remembered", test_remembered},
    {"where nothing comes back the size is the one given", test_blind})
