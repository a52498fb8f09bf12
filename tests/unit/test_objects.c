/*
 * test_objects.c - outbox and inbox on either side of a bad path, in virtual
 * time: what is offered arrives, once, in time, and for few bytes.
 */
#include "link/outbox_private.h"
#include "tests/unit/check.h"
#include "tests/unit/object_pair.h"

#include <math.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

#define MBIT100 UINT64_C(100000000)

static struct pair pair;

static void
check_delivered(size_t at)
{
    const struct pair_object *object = &pair.objects[at];

    CHECK_EQ(object->wrong, 0);
    CHECK_EQ(sf_range_set_total(&object->have), object->object.count);
}

/* Milliseconds from the start until the receiver had all of object 0. */
static uint64_t
done_ms(void)
{
    return (pair.objects[0].done_at - SF_SEC) / SF_MS;
}

/* Line time of the object's bytes with their heads, in milliseconds. */
static uint64_t
line_ms(uint64_t bytes)
{
    return bytes * 1394 / 1328 * 8000 / pair.config.rate_bps;
}

static struct sf_outbox_stats
out_stats(void)
{
    struct sf_outbox_stats stats;

    sf_outbox_stats(pair.outbox, &stats);
    return stats;
}

static struct sf_inbox_stats
in_stats(void)
{
    struct sf_inbox_stats stats;

    sf_inbox_stats(pair.inbox, &stats);
    return stats;
}

static void
test_clean_path(void)
{
    static const uint64_t rtts[] = {2, 40, 600, 10000};

    for (size_t i = 0; i < 4; i++) {
        pair_open(&pair,
            &(struct pair_config){.seed = 1, .rate_bps = MBIT100, .rtt_ns = rtts[i] * SF_MS});
        pair_offer(&pair, MIB, 50, 5);
        CHECK(pair_finish(&pair));
        check_delivered(0);
        CHECK(done_ms() <= line_ms(50 * MIB) * 101 / 100 + rtts[i] / 2 + 2);
        /* The sender knows half a round trip later. */
        CHECK(pair.objects[0].received_at - pair.objects[0].done_at <=
              rtts[i] * SF_MS / 2 + 20 * SF_MS);
        /* Probes while the round trip is not known, and not in vain then. */
        CHECK(out_stats().resent_bytes <= 8 * 1328);
        pair_close(&pair);
    }
}

/* From a disk that is slower than the line for each bundle, and faster for eight at once. */
static void
test_read_ahead(void)
{
    static const uint32_t classes[] = {64 * KIB, MIB, 4 * MIB};

    for (size_t i = 0; i < 3; i++) {
        uint64_t count = 200 * MIB / classes[i];
        struct pair_config config = {.seed = 2, .rate_bps = 10 * MBIT100, .rtt_ns = 2 * SF_MS};

        /* Two bundles of line time. */
        config.read_ns = 2 * (uint64_t)classes[i] * 8 * SF_SEC / config.rate_bps;
        pair_open(&pair, &config);
        pair_offer(&pair, classes[i], count, 5);
        CHECK(pair_finish(&pair));
        check_delivered(0);
        CHECK_EQ(pair.wants, count);
        CHECK(done_ms() <= line_ms(200 * MIB) * 101 / 100 + 2 * config.read_ns / SF_MS);
        pair_close(&pair);
    }
}

static void
test_lossy_path(void)
{
    static const uint64_t rtts[] = {2, 40, 600, 10000};
    static const uint32_t losses[] = {10000, 50000, 300000};
    /* Rounds of repair until nothing of 40,000 segments is likely to be left, and a probe. */
    static const uint64_t rounds[] = {4, 5, 13};

    for (size_t i = 0; i < 12; i++) {
        uint64_t rtt = rtts[i % 4];
        uint32_t loss = losses[i / 4];
        uint64_t sent = (uint64_t)50 * MIB * 1000000 / (1000000 - loss);

        pair_open(&pair, &(struct pair_config){.seed = i + 1,
                             .rate_bps = MBIT100,
                             .rtt_ns = rtt * SF_MS,
                             .loss_ppm = loss,
                             .return_loss_ppm = loss});
        pair_offer(&pair, MIB, 50, 5);
        CHECK(pair_finish(&pair));
        check_delivered(0);
        CHECK(done_ms() <= line_ms(sent) * 101 / 100 + rounds[i / 4] * (rtt * 9 / 8 + 110) + rtt);
        /* Nothing goes twice that came once, but for a few probes. */
        CHECK(out_stats().data_bytes <= sent * 1015 / 1000);
        CHECK(in_stats().again_bytes <= 64 * 1328);
        CHECK(out_stats().probe_bytes <= 64 * 1328);
        pair_close(&pair);
    }
}

static void
test_ratio(void)
{
    /* 5 % loss with 2 % duplicated and 2 % reordered: within 1.10, ideal is 1.053. */
    pair_open(&pair, &(struct pair_config){.seed = 9,
                         .rate_bps = MBIT100,
                         .rtt_ns = 600 * SF_MS,
                         .loss_ppm = 50000,
                         .return_loss_ppm = 50000,
                         .dup_ppm = 20000,
                         .reorder_ppm = 20000,
                         .reorder_ns = 50 * SF_MS});
    pair_offer(&pair, MIB, 200, 5);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK(out_stats().data_bytes <= (uint64_t)200 * MIB * 1056 / 1000);
    CHECK(pair.forward_bytes <= (uint64_t)200 * MIB * 1053 / 1000 * 1050 / 1000);
    CHECK(pair.return_bytes <= pair.forward_bytes / 1000);
    pair_close(&pair);
}

static void
test_return_bytes(void)
{
    static const uint32_t losses[] = {0, 10000, 50000};

    for (size_t i = 0; i < 3; i++) {
        pair_open(&pair,
            &(struct pair_config){
                .seed = i, .rate_bps = MBIT100, .rtt_ns = 600 * SF_MS, .loss_ppm = losses[i]});
        pair_offer(&pair, MIB, 200, 5);
        CHECK(pair_finish(&pair));
        CHECK(pair.return_bytes <= pair.forward_bytes / 1000);
        pair_close(&pair);
    }
}

static void
test_bursts(void)
{
    /* Bursts of 500 datagrams on average, 2 % of the time. */
    for (uint64_t seed = 1; seed <= 3; seed++) {
        pair_open(&pair, &(struct pair_config){.seed = seed,
                             .rate_bps = MBIT100,
                             .rtt_ns = 40 * SF_MS,
                             .burst_ppm = 40,
                             .burst_end_ppm = 2000,
                             .return_loss_ppm = 100000});
        pair_offer(&pair, MIB, 100, 5);
        CHECK(pair_finish(&pair));
        check_delivered(0);
        CHECK(in_stats().again_bytes <= 64 * 1328);
        CHECK(done_ms() <= line_ms((uint64_t)100 * MIB) * 11 / 10 + 1000);
        pair_close(&pair);
    }
}

static void
test_outages(void)
{
    /* An hour of darkness in the middle costs an hour, and what was in flight. */
    pair_open(&pair, &(struct pair_config){.seed = 4,
                         .rate_bps = MBIT100,
                         .rtt_ns = 600 * SF_MS,
                         .loss_ppm = 10000,
                         .outages = {{3 * SF_SEC, 3603 * SF_SEC}, {3605 * SF_SEC, 3675 * SF_SEC}},
                         .outage_count = 2});
    pair_offer(&pair, MIB, 50, 5);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK(done_ms() <= 3672000 + line_ms(50 * MIB) + 6000);
    /* What went into the dark until it was noticed went again: two seconds and a round trip. */
    CHECK(out_stats().data_bytes <= UINT64_C(51) * MIB + 2 * (MBIT100 / 8) * 27 / 10);
    CHECK(pair.return_dgrams < 300);
    pair_close(&pair);
}

static void
test_overtaking(void)
{
    size_t small;
    uint64_t before;

    pair_open(&pair, &(struct pair_config){.seed = 5, .rate_bps = 10000000, .rtt_ns = 40 * SF_MS});
    pair_offer(&pair, MIB, 50, 9);
    pair_run(&pair, 5 * SF_SEC);
    before = pair.now;
    small = pair_offer(&pair, 4 * KIB, 1, 0);
    pair_run(&pair, 6 * SF_SEC);
    check_delivered(small);
    /* Half a round trip and its own few datagrams, not the 35 s that are left of the other. */
    CHECK(pair.objects[small].done_at - before <= 20 * SF_MS + 10 * SF_MS);
    CHECK(!pair.objects[0].is_received);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    pair_close(&pair);
}

static void
test_letters(void)
{
    static const uint32_t classes[] = {KIB, 4 * KIB, 16 * KIB, 64 * KIB};

    /* A letter takes one way, not a round trip to be accepted first. */
    for (size_t i = 0; i < 4; i++) {
        pair_open(
            &pair, &(struct pair_config){.seed = 5, .rate_bps = MBIT100, .rtt_ns = 10 * SF_SEC});
        pair_offer(&pair, classes[i], 1, 0);
        CHECK(pair_finish(&pair));
        check_delivered(0);
        CHECK(done_ms() <= 5010);
        pair_close(&pair);
    }
}

static void
test_spilling(void)
{
    /* 100 MB in flight against 8 MiB of memory: two thirds of the bundles go through the disk. */
    pair_open(&pair, &(struct pair_config){.seed = 6,
                         .rate_bps = 1000000000,
                         .rtt_ns = 800 * SF_MS,
                         .loss_ppm = 5000,
                         .pool_bytes = 8 * MIB,
                         .read_ns = 200 * SF_US});
    pair_offer(&pair, MIB, 300, 5);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK(in_stats().spills > 100);
    CHECK(in_stats().loads > 100);
    CHECK(in_stats().dropped_bytes < 10 * MIB);
    CHECK_EQ(sf_pool_bytes_used(pair.pool), 0);
    pair_close(&pair);
    /* A disk that fails now and then costs repairs and nothing else. */
    pair_open(&pair, &(struct pair_config){.seed = 7,
                         .rate_bps = 1000000000,
                         .rtt_ns = 400 * SF_MS,
                         .loss_ppm = 5000,
                         .pool_bytes = 8 * MIB,
                         .read_ns = SF_MS,
                         .spill_fails_ppm = 100000});
    pair_offer(&pair, MIB, 100, 5);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    pair_close(&pair);
}

static void
test_again(void)
{
    pair_open(&pair, &(struct pair_config){.seed = 8,
                         .rate_bps = MBIT100,
                         .rtt_ns = 40 * SF_MS,
                         .loss_ppm = 10000,
                         .again_ppm = 200000});
    pair_offer(&pair, 64 * KIB, 200, 5);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK(pair.objects[0].bundles > 220);
    pair_close(&pair);
}

static void
test_receiver_restarts(void)
{
    pair_open(&pair, &(struct pair_config){.seed = 10, .rate_bps = MBIT100, .rtt_ns = 100 * SF_MS});
    pair_offer(&pair, MIB, 60, 5);
    pair_run(&pair, 4 * SF_SEC);
    CHECK(pair.objects[0].bundles > 20);
    pair_restart_inbox(&pair);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    /* What it kept does not come again. */
    CHECK_EQ(pair.objects[0].bundles, 60);
    CHECK(out_stats().data_bytes <= (uint64_t)60 * MIB + MBIT100 / 8);
    pair_close(&pair);
}

static void
test_sender_restarts(void)
{
    uint64_t before;

    pair_open(
        &pair, &(struct pair_config){
                   .seed = 11, .rate_bps = MBIT100, .rtt_ns = 100 * SF_MS, .loss_ppm = 20000});
    pair_offer(&pair, MIB, 60, 5);
    pair_run(&pair, 4 * SF_SEC);
    before = in_stats().data_bytes;
    pair_restart_outbox(&pair);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK_EQ(pair.objects[0].bundles, 60);
    /* Nothing goes before the map came, so what was there is sent no second time. */
    CHECK(out_stats().data_bytes <= ((uint64_t)60 * MIB - before) * 1035 / 1000);
    CHECK(in_stats().again_bytes <= 16 * 1328);
    pair_close(&pair);
}

static void
test_no_return(void)
{
    pair_open(&pair, &(struct pair_config){
                         .seed = 12, .rate_bps = MBIT100, .rtt_ns = SF_SEC, .no_return = true});
    pair_offer(&pair, MIB, 20, 5);
    CHECK(pair_finish(&pair));
    pair_run(&pair, pair.now + 2 * SF_SEC);
    check_delivered(0);
    CHECK_EQ(out_stats().extents_peak, 0);
    CHECK_EQ(out_stats().data_bytes, 20 * MIB);
    pair_close(&pair);
}

/* Its count is known only after all was sent: it goes round all the same, and fills what was lost. */
static void
test_no_return_growing(void)
{
    struct sf_link_object object = {
        .kind = 1, .priority = 3, .count = 50, .class_bytes = 64 * KIB, .ready = 0};

    pair_open(&pair, &(struct pair_config){.seed = 18,
                         .rate_bps = MBIT100,
                         .rtt_ns = 60 * SF_MS,
                         .loss_ppm = 300000,
                         .no_return = true});
    pair_offer_as(&pair, &object);
    REQUIRE_EQ(sf_outbox_ready(pair.outbox, 1, 0, 20), SF_OK);
    pair_run(&pair, pair.now + 2 * SF_SEC);
    CHECK(sf_range_set_total(&pair.objects[0].have) < 20);
    REQUIRE_EQ(sf_outbox_set_count(pair.outbox, 1, 20), SF_OK);
    pair_run(&pair, pair.now + 300 * SF_SEC);
    CHECK_EQ(sf_range_set_total(&pair.objects[0].have), 20);
    CHECK_EQ(pair.objects[0].wrong, 0);
    pair_close(&pair);
}

static void
test_huge_object(void)
{
    struct sf_link_object object = {.kind = 1,
        .priority = 3,
        .count = 668000,
        .is_count_final = true,
        .class_bytes = MIB,
        .ready = 668000,
        .ask_map = true};
    size_t small_memory;

    pair_open(
        &pair, &(struct pair_config){
                   .seed = 13, .rate_bps = MBIT100, .rtt_ns = 600 * SF_MS, .loss_ppm = 50000});
    pair_offer(&pair, MIB, 60, 5);
    CHECK(pair_finish(&pair));
    small_memory = out_stats().memory_bytes;
    pair_close(&pair);
    /* All of 700 GB was there but the last 60 bundles: the same work, the same memory. */
    pair_open(
        &pair, &(struct pair_config){
                   .seed = 13, .rate_bps = MBIT100, .rtt_ns = 600 * SF_MS, .loss_ppm = 50000});
    pair_offer_as(&pair, &object);
    REQUIRE_EQ(sf_range_set_add(&pair.objects[0].have, 0, 667940), SF_OK);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK(out_stats().memory_bytes <= small_memory + 64 * KIB);
    CHECK(out_stats().data_bytes <= (uint64_t)60 * MIB * 106 / 100);
    CHECK(done_ms() <= line_ms((uint64_t)60 * MIB * 106 / 100) + 6000);
    pair_close(&pair);
}

static void
test_many_objects(void)
{
    pair_open(&pair, &(struct pair_config){.seed = 14,
                         .rate_bps = MBIT100,
                         .rtt_ns = 100 * SF_MS,
                         .loss_ppm = 100000,
                         .return_loss_ppm = 100000});
    for (unsigned i = 0; i < 60; i++) {
        pair_offer(&pair, i % 2 == 0 ? 16 * KIB : 256 * KIB, 1 + i % 7, (uint8_t)(i % 5));
    }
    CHECK(pair_finish(&pair));
    for (size_t i = 0; i < 60; i++) {
        check_delivered(i);
        sf_outbox_withdraw(pair.outbox, pair.objects[i].out_handle);
    }
    pair_run(&pair, pair.now + 60 * SF_SEC);
    for (size_t i = 0; i < 60; i++) {
        CHECK(pair.objects[i].is_gone);
    }
    CHECK_EQ(in_stats().objects, 0);
    CHECK_EQ(out_stats().objects, 0);
    pair_close(&pair);
}

static void
test_decline(void)
{
    size_t wanted;

    pair_open(&pair, &(struct pair_config){.seed = 15, .rate_bps = MBIT100, .rtt_ns = 40 * SF_MS});
    pair_offer(&pair, MIB, 100, 1);
    pair.objects[0].is_declined_there = true;
    wanted = pair_offer(&pair, MIB, 5, 2);
    CHECK(pair_finish(&pair));
    CHECK(pair.objects[0].is_declined);
    CHECK_EQ(pair.objects[0].bundles, 0);
    check_delivered(wanted);
    CHECK(out_stats().data_bytes <= 5 * MIB + MBIT100 / 8 / 10);
    CHECK_EQ(sf_pool_bytes_used(pair.pool), 0);
    pair_close(&pair);
}

static void
test_room(void)
{
    uint64_t bytes;

    pair_open(&pair, &(struct pair_config){.seed = 16, .rate_bps = MBIT100, .rtt_ns = 40 * SF_MS});
    pair_offer(&pair, MIB, 40, 1);
    pair_run(&pair, 2 * SF_SEC);
    REQUIRE_EQ(sf_inbox_pause_object(pair.inbox, pair.objects[0].in_handle), SF_OK);
    pair_run(&pair, 3 * SF_SEC);
    bytes = out_stats().data_bytes;
    pair_run(&pair, 100 * SF_SEC);
    CHECK_EQ(out_stats().data_bytes, bytes);
    REQUIRE_EQ(sf_inbox_resume_object(pair.inbox, pair.objects[0].in_handle), SF_OK);
    CHECK(pair_finish(&pair));
    check_delivered(0);
    CHECK(pair.now <= 104 * SF_SEC);
    pair_close(&pair);
}

static void
test_growing_object(void)
{
    struct sf_link_object object = {
        .kind = 1, .priority = 3, .count = 50, .class_bytes = 64 * KIB, .ready = 0};

    /* Bundles become ready while it flies, and the count is known at the end. */
    pair_open(&pair, &(struct pair_config){
                         .seed = 17, .rate_bps = MBIT100, .rtt_ns = 60 * SF_MS, .loss_ppm = 50000});
    pair_offer_as(&pair, &object);
    for (uint64_t i = 0; i < 30; i++) {
        pair_run(&pair, pair.now + 10 * SF_MS);
        /* Not in order: 1 0 3 2 ... */
        REQUIRE_EQ(sf_outbox_ready(pair.outbox, 1, i ^ 1, (i ^ 1) + 1), SF_OK);
    }
    pair_run(&pair, pair.now + SF_SEC);
    CHECK(!pair.objects[0].is_received);
    CHECK_EQ(sf_range_set_total(&pair.objects[0].have), 30);
    CHECK_EQ(sf_range_set_total(sf_outbox_peer_has(pair.outbox, 1)), 30);
    CHECK_EQ(sf_outbox_set_count(pair.outbox, 1, 29), SF_EINVAL);
    REQUIRE_EQ(sf_outbox_set_count(pair.outbox, 1, 30), SF_OK);
    CHECK(pair_finish(&pair));
    CHECK_EQ(sf_range_set_total(&pair.objects[0].have), 30);
    CHECK_EQ(pair.objects[0].wrong, 0);
    pair_close(&pair);
}

static void
test_seeds(void)
{
    static const uint32_t classes[] = {KIB, 16 * KIB, 64 * KIB, 256 * KIB};
    unsigned failures = CU_get_number_of_failures();

    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sf_prng prng;
        struct pair_config config = {.seed = seed};
        size_t objects;

        sf_prng_init_stream(&prng, seed, 3);
        config.rate_bps = 1000000 + sf_prng_below(&prng, MBIT100);
        config.rtt_ns = SF_MS + sf_prng_below(&prng, 2 * SF_SEC);
        config.loss_ppm = (uint32_t)sf_prng_below(&prng, 300000);
        config.return_loss_ppm = (uint32_t)sf_prng_below(&prng, 300000);
        config.burst_ppm = (uint32_t)sf_prng_below(&prng, 200);
        config.burst_end_ppm = 10000 + (uint32_t)sf_prng_below(&prng, 100000);
        config.dup_ppm = (uint32_t)sf_prng_below(&prng, 50000);
        config.reorder_ppm = (uint32_t)sf_prng_below(&prng, 100000);
        config.reorder_ns = sf_prng_below(&prng, 10) == 0 ? 10 * SF_SEC : 20 * SF_MS;
        config.read_ns = sf_prng_below(&prng, 5 * SF_MS);
        config.again_ppm = (uint32_t)sf_prng_below(&prng, 50000);
        config.spill_fails_ppm = (uint32_t)sf_prng_below(&prng, 100000);
        config.pool_bytes = 8 * MIB;
        config.mtu = 576 + sf_prng_below(&prng, 1000);
        config.outages[0].from = SF_SEC + sf_prng_below(&prng, 2 * SF_SEC);
        config.outages[0].to = config.outages[0].from + sf_prng_below(&prng, 70 * SF_SEC);
        config.outage_count = (size_t)sf_prng_below(&prng, 2);
        pair_open(&pair, &config);
        objects = 1 + (size_t)sf_prng_below(&prng, 4);
        for (size_t i = 0; i < objects; i++) {
            uint32_t class_bytes = classes[sf_prng_below(&prng, 4)];

            uint64_t count = 1 + sf_prng_below(&prng, 2 * MIB / class_bytes);

            pair_offer(&pair, class_bytes, count, (uint8_t)sf_prng_below(&prng, 3));
        }
        if (sf_prng_below(&prng, 4) == 0) {
            pair_run(&pair, pair.now + sf_prng_below(&prng, 3 * SF_SEC));
            pair_restart_inbox(&pair);
        }
        if (sf_prng_below(&prng, 4) == 0) {
            pair_run(&pair, pair.now + sf_prng_below(&prng, 3 * SF_SEC));
            pair_restart_outbox(&pair);
        }
        CHECK(pair_finish(&pair));
        for (size_t i = 0; i < objects; i++) {
            check_delivered(i);
        }
        if (CU_get_number_of_failures() > failures) {
            printf("seed %" PRIu64 "\n", seed);
            pair_close(&pair);
            return;
        }
        pair_close(&pair);
    }
}

/* --- Repair ------------------------------------------------------------------------ */

/* Bundles that a contact of five seconds brings over; more are on offer than it can take. */
static uint64_t
bundles_of_contact(bool is_told)
{
    uint64_t bundles;

    pair_open(&pair, &(struct pair_config){.seed = 30,
                         .rate_bps = 20000000,
                         .rtt_ns = 600 * SF_MS,
                         .loss_ppm = 20000,
                         .outages = {{6 * SF_SEC, 200 * SF_SEC}},
                         .outage_count = 1});
    pair_offer(&pair, 64 * KIB, 400, 1);
    sf_outbox_set_rate(pair.outbox, pair.config.rate_bps);
    if (is_told) {
        sf_outbox_set_contact_end(pair.outbox, 6 * SF_SEC);
    }
    pair_run(&pair, 7 * SF_SEC);
    bundles = sf_range_set_total(&pair.objects[0].have);
    pair_close(&pair);
    return bundles;
}

/*
 * What is lost in the last round trip of a contact cannot go again in it. With two of a hundred
 * lost two of three bundles would lack something; repair brings them over, for a tenth of the line.
 */
static void
test_contact_end(void)
{
    uint64_t untold = bundles_of_contact(false);
    uint64_t told = bundles_of_contact(true);

    CHECK(told >= untold + 8);
}

/* The end of a queue waits for no round trip, whatever is lost. */
static void
test_tail(void)
{
    static const uint32_t losses[] = {0, 10000, 50000, 200000};

    for (size_t i = 0; i < 4; i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            pair_open(&pair, &(struct pair_config){.seed = seed,
                                 .rate_bps = MBIT100,
                                 .rtt_ns = 600 * SF_MS,
                                 .loss_ppm = losses[i]});
            pair_offer(&pair, MIB, 20, 1);
            sf_outbox_set_rate(pair.outbox, MBIT100);
            CHECK(pair_finish(&pair));
            check_delivered(0);
            /* Rows of at most the last 850 ms, and one round trip for what went before any was known. */
            CHECK(done_ms() <= line_ms(20 * MIB) * 1000000 / (1000000 - losses[i]) + 300 + 650);
            CHECK(losses[i] > 0 || done_ms() <= line_ms(20 * MIB) + 300 + 60);
            pair_close(&pair);
        }
    }
}

/* Of equal priority the lower rank goes first, of equal rank what was offered first. */
static void
test_ranks(void)
{
    static const struct {
        uint8_t priority;
        uint64_t rank;
    } offers[] = {{3, UINT64_MAX}, {3, 50}, {3, 20}, {2, UINT64_MAX}, {3, 50}, {3, UINT64_MAX}};
    static const uint32_t order[] = {4, 3, 2, 5, 1, 6};
    struct sf_outbox_config config = {.window_bytes = 0};
    struct sf_outbox *outbox;

    REQUIRE_EQ(sf_outbox_open(&config, &outbox), SF_OK);
    for (uint32_t i = 0; i < 6; i++) {
        struct sf_link_object object = {.kind = 1,
            .priority = offers[i].priority,
            .rank = offers[i].rank,
            .count = 1,
            .is_count_final = true,
            .class_bytes = 4096,
            .ready = 1};

        object.transfer.b[0] = (uint8_t)(i + 1);
        REQUIRE_EQ(sf_outbox_offer(outbox, &object, i + 1, 0), SF_OK);
    }
    for (size_t i = 0; i < 6; i++) {
        CHECK_EQ(outbox->objects[i]->handle, order[i]);
    }
    sf_outbox_close(outbox);
}

/* How many rows follow a block: by what is lost, and in which runs. */
static void
test_rows(void)
{
    static const struct {
        struct sf_report_loss loss;
        unsigned segments, least, most;
    } cases[] = {
        {{8000, 0, 0}, 113, 0, 0},                                /* nothing is lost */
        {{8000, 80, 80}, 113, 5, 7},                              /* one of a hundred, each alone */
        {{8000, 80, 80}, 1, 1, 1}, {{8000, 80, 10}, 113, 20, 30}, /* the same, in runs of eight */
        {{5600, 2400, 1680}, 113, 75, 95},                        /* three of ten */
        {{10, 8000, 10}, 113, 128, 128}, /* whatever is said, no more than there are */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned rows = sf_outbox_rows(&cases[i].loss, cases[i].segments, 1);

        CHECK(rows >= cases[i].least && rows <= cases[i].most);
    }
}

/* That more than `most` of `sent` datagrams are lost, each by chance. */
static double
chance_above(unsigned sent, unsigned most, double loss)
{
    double sum = 0;

    for (unsigned lost = most + 1; lost <= sent; lost++) {
        sum += exp(lgamma(sent + 1.0) - lgamma(lost + 1.0) - lgamma(sent - lost + 1.0) +
                   lost * log(loss) + (sent - lost) * log(1 - loss));
    }
    return sum;
}

/* Of all blocks that are exposed together, well under one is expected to lack a row. */
static void
test_rows_of_many_blocks(void)
{
    static const unsigned losses[] = {20, 50, 100, 200, 500, 1000, 2000, 3000}; /* of 10,000 */
    static const unsigned segments[] = {20, 64, 113, 128};
    static const unsigned blocks[] = {1, 64, 512, 8192};

    for (size_t i = 0; i < 8 * 4 * 4; i++) {
        uint64_t lost = losses[i / 16];
        double loss = (double)lost / 10000;
        struct sf_report_loss seen = {10000 - lost, lost, lost * (10000 - lost) / 10000};
        unsigned count = segments[i / 4 % 4];
        unsigned rows = sf_outbox_rows(&seen, count, blocks[i % 4]);

        CHECK(blocks[i % 4] * chance_above(count + rows, rows, loss) < 0.25);
        /* And not many more than that takes: five rows less would not do. */
        CHECK(rows < 6 || losses[i / 16] > 1000 || blocks[i % 4] < 64 ||
              blocks[i % 4] * chance_above(count + rows - 6, rows - 6, loss) > 0.02);
    }
}

CHECK_MAIN("objects", {"what goes before a contact ends needs no answer", test_contact_end},
    {"the end of a queue waits for no round trip", test_tail},
    {"of equal priority the lower rank goes first", test_ranks},
    {"rows follow what is lost, and in which runs", test_rows},
    {"many blocks exposed together have more rows, so that none lacks one",
        test_rows_of_many_blocks},
    {"a clean path is filled, and nothing goes twice", test_clean_path},
    {"each bundle is read once, and before its turn", test_read_ahead},
    {"loss of 1, 5 and 30 per cent costs its share and a few round trips", test_lossy_path},
    {"with loss, duplicates and reordering the bytes stay within a tenth", test_ratio},
    {"reports take a thousandth of the path at most", test_return_bytes},
    {"bursts of loss are repaired without repeating what came", test_bursts},
    {"darkness freezes everything and costs only itself", test_outages},
    {"a small object of better priority overtakes a large one", test_overtaking},
    {"a letter takes one way", test_letters},
    {"more in flight than memory holds goes through the disk and arrives", test_spilling},
    {"a bundle judged AGAIN comes again", test_again},
    {"a receiver that forgot everything gets what it does not hold", test_receiver_restarts},
    {"a sender that forgot everything asks first and repeats nothing", test_sender_restarts},
    {"without a return path everything goes once and nothing is remembered", test_no_return},
    {"without a return path a count that is known late ends no rounds", test_no_return_growing},
    {"700 GB take no more memory than 60 MB", test_huge_object},
    {"sixty objects arrive and are forgotten on both sides", test_many_objects},
    {"what is declined is not sent", test_decline},
    {"a receiver without room is left in peace until it has some", test_room},
    {"an object may grow while it flies", test_growing_object},
    {"two hundred seeds deliver exactly what was offered", test_seeds})
