/*
 * test_node_cover.c - what whole nodes do so that sizes and times show less, in virtual time.
 */
#include "bundle/class.h"
#include "tests/unit/node_fixture.h"

#define RATE UINT64_C(8000000) /* a megabyte a second */

enum { BYTES = 20000000, CLASS = 65536, DGRAM_MAX = 1500 };

static struct fixture f;

/* Ground hides what it sends to sat so; sat answers as it always does. */
static void
start(uint64_t seed, enum sf_node_privacy privacy, uint64_t day_bytes)
{
    struct sf_node_peer conf = {.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .rate_bps = RATE,
        .privacy = privacy,
        .cover_day_bytes = day_bytes};

    fixture_make(&f, seed, 2);
    sf_world_config(f.world, GROUND)->class_bytes = CLASS;
    fixture_slow(&f, RATE);
    sf_world_introduce(f.world, GROUND, SAT, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
}

static struct sf_node_peer_info
peer(void)
{
    struct sf_node_peer_info info;

    memset(&info, 0, sizeof(info));
    REQUIRE(sf_node_peer_at(sf_world_node(f.world, GROUND), 0, &info));
    return info;
}

/* What the last transfer is to be padded by: by the scale itself. */
static uint64_t
pad_bytes(void)
{
    struct sf_node_transfer transfer = fixture_transfer(&f, GROUND);
    uint64_t padded = sf_class_padded_count(transfer.count, transfer.class_bytes);

    return (padded - transfer.count) * transfer.class_bytes;
}

/* Send a file; returns when it is delivered, and how much of all kinds left by the end. */
static sf_mono
send_one(enum sf_node_privacy privacy, uint64_t bytes, uint64_t *ret_sent)
{
    sf_mono done;

    start(71, privacy, 0);
    fixture_send_file(&f, bytes);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    done = sf_world_now(f.world);
    fixture_run(&f, 60 * SF_SEC);
    *ret_sent = peer().link.bytes_out;
    return done;
}

static void
test_size(void)
{
    struct sf_node_transfer transfer;
    struct sf_node_peer_info info;
    uint64_t none, size, pad;
    sf_mono done = send_one(SF_NODE_PRIVACY_NONE, BYTES, &none);

    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].pad_bytes, 0);
    CHECK_EQ(peer().link.cover_bytes_out, 0);
    fixture_close(&f);

    /* Delivered as soon, and the bundles up to the next size follow. */
    CHECK_EQ(send_one(SF_NODE_PRIVACY_SIZE, BYTES, &size), done);
    pad = pad_bytes();
    transfer = fixture_transfer(&f, GROUND);
    info = peer();
    CHECK(pad > 0 && pad <= transfer.count * transfer.class_bytes / 16);
    CHECK_EQ(transfer.recipients[0].pad_bytes, pad);
    CHECK_EQ(info.link.cover.owed_bytes, 0);
    CHECK(info.link.cover_segment_bytes_out >= pad &&
          info.link.cover_segment_bytes_out < pad + DGRAM_MAX);
    CHECK(size >= none + pad && size <= none + pad + pad / 10 + 2 * DGRAM_MAX);
    fixture_close(&f);
}

/* Two sizes that the scale does not tell apart bring the same amount onto the wire. */
static void
test_alike(void)
{
    uint64_t one, other;

    (void)send_one(SF_NODE_PRIVACY_SIZE, BYTES, &one);
    fixture_close(&f);
    (void)send_one(SF_NODE_PRIVACY_SIZE, BYTES + 2 * CLASS, &other);
    fixture_close(&f);
    CHECK(one < other + 4 * DGRAM_MAX && other < one + 4 * DGRAM_MAX);
    (void)send_one(SF_NODE_PRIVACY_NONE, BYTES, &one);
    fixture_close(&f);
    (void)send_one(SF_NODE_PRIVACY_NONE, BYTES + 2 * CLASS, &other);
    fixture_close(&f);
    CHECK(other > one + 2 * CLASS);
}

/* After a power cut what is owed goes on, and what a minute brought may go again. */
static void
test_restart(void)
{
    uint64_t pad, before;

    start(72, SF_NODE_PRIVACY_SIZE, 0);
    fixture_send_file(&f, 96500000);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 200 * SF_SEC));
    pad = pad_bytes();
    CHECK(pad > 1000000);
    fixture_run(&f, SF_SEC);
    before = peer().link.cover_segment_bytes_out;
    CHECK(before > 500000);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    CHECK(peer().link.cover.owed_bytes >= pad - before && peer().link.cover.owed_bytes <= pad);
    /* It is not sent for its own sake, but with what comes next. */
    fixture_source(&f, GROUND, "source/small", 1000, 1);
    {
        struct sf_world_send order = fixture_order();
        const char *const paths[] = {"source/small"};

        order.paths = paths;
        order.label = "small";
        fixture_send(&f, &order);
    }
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_run(&f, 120 * SF_SEC);
    CHECK_EQ(peer().link.cover.owed_bytes, 0);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    CHECK_EQ(peer().link.cover.owed_bytes, 0);
    fixture_close(&f);
}

/* All that left as filler, over every life of the node. */
struct total {
    uint64_t bytes;
};

static void
run_and_crash(struct total *total, uint64_t span)
{
    fixture_run(&f, span);
    total->bytes += peer().link.cover_bytes_out;
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
}

static void
test_budget(void)
{
    struct total total = {0};
    uint64_t budget = 20000000;
    uint64_t day;

    /* Within a day, however often it is started; and all of it goes. */
    start(73, SF_NODE_PRIVACY_TIMING, budget);
    for (unsigned i = 0; i < 8; i++) {
        run_and_crash(&total, SF_SEC + i * 300 * SF_MS);
        CHECK(total.bytes <= budget);
    }
    CHECK(total.bytes > budget / 3);
    fixture_run(&f, 3600 * SF_SEC);
    day = total.bytes + peer().link.cover_bytes_out;
    CHECK(day <= budget && day > budget / 100 * 60);
    CHECK_EQ(peer().cover_day_bytes, budget);
    /* Each day has its own. */
    day = peer().link.cover_bytes_out;
    fixture_run(&f, 2 * DAY);
    day = peer().link.cover_bytes_out - day;
    CHECK(day <= 2 * budget && day > 2 * budget - 2 * DGRAM_MAX);
    fixture_close(&f);
}

/* With traffic or without: from the first second to the last of the budget. */
static void
test_timing(void)
{
    struct sf_node_peer conf;
    uint64_t before, after;

    start(74, SF_NODE_PRIVACY_TIMING, 1000000000);
    fixture_run(&f, 2 * SF_SEC);
    for (unsigned i = 0; i < 3; i++) {
        before = peer().link.bytes_out;
        if (i == 1) {
            fixture_send_file(&f, 4000000);
        }
        fixture_run(&f, 20 * SF_SEC);
        after = peer().link.bytes_out;
        CHECK((after - before) * 100 >= RATE / 8 * 20 * 99);
        CHECK((after - before) * 100 <= RATE / 8 * 20 * 101);
    }
    CHECK_EQ((int)fixture_transfer(&f, GROUND).state, (int)SF_NODE_DONE);
    /* It ends when it is switched off. */
    conf = peer().peer;
    conf.privacy = SF_NODE_PRIVACY_NONE;
    REQUIRE_EQ(sf_node_peer_set(sf_world_node(f.world, GROUND), &conf, &f.error), SF_OK);
    fixture_run(&f, SF_SEC);
    before = peer().link.bytes_out;
    fixture_run(&f, 20 * SF_SEC);
    CHECK(peer().link.bytes_out - before < 3000);
    fixture_close(&f);
}

CHECK_MAIN("node_cover", {"filler up to the next size follows, and delays nothing", test_size},
    {"two sizes of one step look alike on the wire", test_alike},
    {"what is owed outlives a power cut", test_restart},
    {"a day's budget is held over restarts, and each day has one", test_budget},
    {"with a budget the rate is the same with traffic and without", test_timing})
