/*
 * test_rate.c - what is measured of a path (delivery.h), the curve beside
 * others (curve.h), and the rate that follows (rate.h), without a path: the
 * numbers a receiver might report, true and false.
 */
#include "link/rate.h"

#include "base/prng.h"
#include "tests/unit/check.h"

enum { BYTES = 1250 };

#define GAP SF_MS /* between datagrams: 10 Mbit/s */

static struct sf_delivery delivery;
static sf_mono now;
static uint64_t counter;

static void
start(void)
{
    sf_delivery_init(&delivery);
    now = 10 * SF_SEC;
    counter = 0;
}

static void
send_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sf_delivery_sent(&delivery, 1, counter++, BYTES, 0, now);
        now += GAP;
    }
}

/* Datagram `number` came `delay_us` after it left, and `received` of them so far. */
static bool
report(uint64_t number, uint64_t received, uint64_t delay_us)
{
    struct sf_delivery_report said = {.epoch = 1,
        .counter = number,
        .received_bytes = received * BYTES,
        .arrived_us = (uint32_t)(UINT32_MAX - 3000 + number * 1000 + delay_us),
        .rtt_ns = 40 * SF_MS};

    return sf_delivery_input(&delivery, &said, now);
}

static void
test_stretch(void)
{
    struct sf_delivery_stretch stretch;
    struct sf_delivery_point from;

    start();
    send_many(100);
    CHECK(report(9, 10, 0));
    from = delivery.newest;
    /* Every tenth was lost, and it came in twice the time; the clock wraps meanwhile. */
    CHECK(report(89, 82, 80000));
    REQUIRE(sf_delivery_between(&from, &delivery.newest, &stretch));
    CHECK_EQ(stretch.sent_bytes, 80 * BYTES);
    CHECK_EQ(stretch.sent_bps, 10000000);
    CHECK_EQ(stretch.lost_ppm, 100000);
    CHECK_EQ(stretch.received_bps, 4500000);
    CHECK(!stretch.is_limited);
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 0), 80 * SF_MS);
}

static void
test_idle(void)
{
    struct sf_delivery_stretch stretch;
    struct sf_delivery_point from;

    start();
    send_many(20);
    CHECK(report(9, 10, 0));
    from = delivery.newest;
    now += 30 * SF_MS;
    for (unsigned i = 0; i < 20; i++) {
        sf_delivery_sent(&delivery, 1, counter++, BYTES, 30 * SF_MS, now);
        now += GAP;
    }
    CHECK(report(39, 40, 30000));
    REQUIRE(sf_delivery_between(&from, &delivery.newest, &stretch));
    CHECK(stretch.is_limited);
}

static void
test_not_remembered(void)
{
    start();
    CHECK(!report(0, 1, 0));
    send_many(5);
    CHECK(report(3, 4, 0));
    CHECK(!report(2, 4, 0)); /* older than the last */
    sf_delivery_sent(&delivery, 2, 0, BYTES, 0, now);
    CHECK(report(4, 5, 0)); /* of the session before */
    /* What is overwritten is not known any more. */
    for (unsigned i = 0; i < 2 * SF_DELIVERY_RUNS; i++) {
        now += SF_SEC;
        sf_delivery_sent(&delivery, 2, 1 + i, BYTES, 0, now);
    }
    CHECK(!report(4, 6, 0));
}

static void
test_reborn(void)
{
    struct sf_delivery_point from;
    struct sf_delivery_stretch stretch;

    start();
    send_many(60);
    CHECK(report(9, 10, 0));
    from = delivery.newest;
    /* The receiver began anew: it counts from zero, and its clock is another. */
    CHECK(report(29, 3, 900000000));
    CHECK(!sf_delivery_between(&from, &delivery.newest, &stretch));
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 0), 0);
    CHECK(report(39, 13, 900004000));
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 0), 4 * SF_MS);
}

static void
test_least_delay(void)
{
    start();
    send_many(20);
    CHECK(report(9, 10, 5000));
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 0), 0);
    CHECK(report(15, 16, 0));
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 0), 0);
    CHECK(report(17, 18, 7000));
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 0), 7 * SF_MS);
    CHECK_EQ(sf_delivery_queue_ns(&delivery, 10 * SF_MS), 0); /* the least of the last ones */
    /* The path has become longer: two windows later that is how long it is. */
    for (unsigned i = 0; i < 40; i++) {
        now += SF_SEC;
        counter = 1000 + i;
        send_many(1);
        CHECK(report(1000 + i, 19 + i, 7000 + 1000 * i));
    }
    CHECK(sf_delivery_queue_ns(&delivery, 0) < 35 * SF_MS);
}

static void
test_ahead(void)
{
    start();
    send_many(40);
    CHECK(report(19, 20, 0));
    /* Twenty more at 10 Mbit/s into a line of 5: they wait for half of what they took. */
    CHECK_EQ(sf_delivery_ahead_ns(&delivery, 0, 5000000, SF_NEVER, now) / SF_MS, 19);
    CHECK_EQ(sf_delivery_ahead_ns(&delivery, 0, 5000000, 7 * SF_MS, now), 7 * SF_MS);
    CHECK_EQ(sf_delivery_ahead_ns(&delivery, 0, 20000000, SF_NEVER, now), 0);
    CHECK(sf_delivery_ahead_ns(&delivery, 30 * SF_MS, 10000000, SF_NEVER, now) >= 29 * SF_MS);
    CHECK_EQ(sf_delivery_ahead_ns(&delivery, 3, 0, SF_NEVER, now), 3);
}

static void
test_curve(void)
{
    struct sf_curve curve;
    uint64_t before;

    sf_curve_begin(&curve, 1000 * SF_CURVE_SEGMENT_BYTES, SF_SEC);
    sf_curve_fall(&curve, 40 * SF_MS, SF_SEC + 39 * SF_MS); /* not twice in a round trip */
    CHECK_EQ(curve.bytes, 1000 * SF_CURVE_SEGMENT_BYTES);
    sf_curve_fall(&curve, 40 * SF_MS, 2 * SF_SEC);
    CHECK_EQ(curve.bytes, 700 * SF_CURVE_SEGMENT_BYTES);
    /* K = cbrt(300 / 0.4) = 9.09 s. */
    CHECK(curve.span_ns > 9080 * SF_MS && curve.span_ns < 9100 * SF_MS);
    sf_curve_follow(&curve, 2 * SF_SEC + curve.span_ns);
    CHECK_EQ(curve.bytes, 1000 * SF_CURVE_SEGMENT_BYTES);
    sf_curve_follow(&curve, 2 * SF_SEC + 2 * curve.span_ns);
    CHECK(curve.bytes > 1295 * SF_CURVE_SEGMENT_BYTES);
    CHECK(curve.bytes < 1305 * SF_CURVE_SEGMENT_BYTES);
    before = curve.bytes;
    sf_curve_follow(&curve, SF_NEVER / 2);
    CHECK(curve.bytes > before && curve.bytes <= 2 * curve.top_bytes);
}

/*
 * Whatever an authentic but lying receiver reports, the rate stays within its
 * bounds and nothing overflows (the sanitizers watch).
 */
static void
test_lies(void)
{
    const struct sf_rate_config config = {.max_bps = 700000000};
    struct sf_prng prng;
    struct sf_rate rate;
    uint64_t received = 0;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        sf_prng_init_stream(&prng, seed, 1);
        sf_rate_init(&rate, &config);
        now = SF_SEC;
        for (uint64_t i = 0; i < 4000; i++) {
            struct sf_delivery_report said = {.epoch = 1,
                .counter = sf_prng_below(&prng, 8) > 0 ? i : sf_prng_below(&prng, 5000),
                .received_bytes = received,
                .arrived_us = (uint32_t)sf_prng_below(&prng, UINT64_C(1) << 32),
                .rtt_ns = sf_prng_below(&prng, 3) > 0 ? 40 * SF_MS
                                                      : sf_prng_below(&prng, SF_NEVER >> 18)};

            sf_rate_sent(&rate, 1, i, 1400, sf_prng_below(&prng, 9) == 0 ? now / 2 : 0, now);
            now += sf_prng_below(&prng, 20 * SF_MS);
            received += sf_prng_below(&prng, UINT64_C(1) << sf_prng_below(&prng, 45));
            if (sf_prng_below(&prng, 3) == 0) {
                said.arrived_us = (uint32_t)(now / SF_US);
            }
            sf_rate_input(&rate, &said, sf_prng_below(&prng, 5) == 0 ? i : 0, now);
            if (sf_prng_below(&prng, 500) == 0) {
                sf_rate_resume(&rate);
            }
            REQUIRE(sf_rate_bps(&rate) >= SF_RATE_BPS_MIN);
            REQUIRE(sf_rate_bps(&rate) <= config.max_bps);
        }
    }
}

static void
test_ceiling_below_least(void)
{
    const struct sf_rate_config config = {.max_bps = 2000, .known_bps = 100000000};
    struct sf_rate rate;

    sf_rate_init(&rate, &config);
    CHECK_EQ(sf_rate_bps(&rate), 2000);
    sf_rate_set(&rate, &(struct sf_rate_config){.max_bps = 1000});
    CHECK_EQ(sf_rate_bps(&rate), 1000);
}

CHECK_MAIN("rate", {"two points make a stretch: rates, loss, queue", test_stretch},
    {"a stretch in which the line stood idle says so", test_idle},
    {"what is forgotten or older tells nothing", test_not_remembered},
    {"a receiver that began anew is measured anew", test_reborn},
    {"the queue is what is above the least delay of late", test_least_delay},
    {"the queue is reckoned ahead from what is in flight", test_ahead},
    {"the curve is CUBIC's", test_curve}, {"lies move the rate only within its bounds", test_lies},
    {"a ceiling below the least rate is the rate", test_ceiling_below_least})
