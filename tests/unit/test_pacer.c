/*
 * test_pacer.c - the rate is held, bursts are short, remainders are carried.
 */
#include "link/pacer.h"
#include "base/prng.h"
#include "link/rtt.h"
#include "tests/unit/check.h"

#include <stdlib.h>

#define RATE UINT64_C(100000000)

/* Send as fast as the pacer allows, looking every `step_ns`; returns bytes sent by `until`. */
static uint64_t
drive(struct sf_pacer *pacer, size_t bytes, uint64_t step_ns, sf_mono from, sf_mono until)
{
    uint64_t sent = 0;

    for (sf_mono now = from; now < until; now += step_ns) {
        while (sf_pacer_is_open(pacer, now)) {
            sf_pacer_sent(pacer, bytes, now);
            sent += bytes;
        }
    }
    return sent;
}

static void
test_rate(void)
{
    static const uint64_t rates[] = {1000, 999983, 20000000, 100000000, UINT64_C(9999999967)};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct sf_pacer pacer;
        uint64_t step = 1394 * 8 * SF_SEC / rates[i] / 7 + 1;
        uint64_t span = step * 7 * 10000;
        uint64_t expected = span / 1000 * rates[i] / 8 / (SF_SEC / 1000);
        uint64_t sent;

        step = step < 50 * SF_US ? step : 50 * SF_US;
        REQUIRE_EQ(sf_pacer_init(&pacer, rates[i], 200 * SF_US, SF_SEC), SF_OK);
        sent = drive(&pacer, 1394, step, SF_SEC, SF_SEC + span);
        CHECK(sent >= expected - expected / 100);
        CHECK(sent <= expected + expected / 100 + 1394);
    }
}

struct leave {
    sf_mono at;
    uint64_t bytes; /* so far, with this datagram */
};

/*
 * What left in any 100 ms is what the rate gives, within 1 % and a datagram,
 * and what left at once is 200 us of line time and a datagram at most: with a
 * driver that looks at uneven times, as a loop of events does.
 */
static void
check_windows(uint64_t rate_bps, uint64_t late_ns, uint64_t span_ns)
{
    enum { BYTES = 1400, LEAVES_MAX = 1 << 19 };
    static const uint64_t window_ns = 100 * SF_MS;
    const uint64_t window_bytes = rate_bps / 8 / (SF_SEC / window_ns);
    const uint64_t burst_bytes = rate_bps / 8 / (SF_SEC / (200 * SF_US)) + BYTES;
    struct leave *leaves = malloc(LEAVES_MAX * sizeof(*leaves));
    struct sf_pacer pacer;
    struct sf_prng prng;
    size_t count = 0, first = 0;
    uint64_t bytes = 0, at_once = 0;
    sf_mono now = SF_SEC;
    unsigned wrong = 0;

    REQUIRE(leaves != NULL);
    sf_prng_init_stream(&prng, rate_bps, 1);
    REQUIRE_EQ(sf_pacer_init(&pacer, rate_bps, 200 * SF_US, now), SF_OK);
    while (now < SF_SEC + span_ns && count < LEAVES_MAX) {
        for (at_once = 0; sf_pacer_is_open(&pacer, now) && count < LEAVES_MAX; at_once += BYTES) {
            sf_pacer_sent(&pacer, BYTES, now);
            bytes += BYTES;
            leaves[count++] = (struct leave){now, bytes};
        }
        wrong += at_once > burst_bytes ? 1 : 0;
        now = sf_pacer_deadline(&pacer) > now ? sf_pacer_deadline(&pacer) : now;
        now += sf_prng_below(&prng, late_ns);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t sent;

        while (leaves[i].at - leaves[first].at >= window_ns) {
            first++;
        }
        sent = leaves[i].bytes - leaves[first].bytes + BYTES;
        wrong += sent > window_bytes + window_bytes / 100 + BYTES ? 1 : 0;
        if (leaves[i].at >= SF_SEC + window_ns) {
            wrong += sent + window_bytes / 100 + 2 * BYTES < window_bytes ? 1 : 0;
        }
    }
    if (wrong > 0) {
        printf("\n    %llu bit/s: %u windows or bursts are wrong\n", (unsigned long long)rate_bps,
            wrong);
    }
    CHECK_EQ(wrong, 0);
    free(leaves);
}

static void
test_windows(void)
{
    static const uint64_t rates[] = {
        100000, 1000000, 20000000, 100000000, 499999993, 1000000000, UINT64_C(2500000000)};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint64_t span = rates[i] < 10000000 ? 20 * SF_SEC : SF_SEC;

        check_windows(rates[i], 1, span);
        check_windows(rates[i], 60 * SF_US, span); /* as the daemon naps */
        check_windows(rates[i], 190 * SF_US, span);
    }
}

static void
test_idle_time(void)
{
    struct sf_pacer pacer;

    REQUIRE_EQ(sf_pacer_init(&pacer, RATE, 200 * SF_US, SF_SEC), SF_OK);
    sf_pacer_sent(&pacer, 1250, SF_SEC); /* 100 us */
    sf_pacer_sent(&pacer, 1250, SF_SEC + 300 * SF_US);
    CHECK_EQ(pacer.idle_ns, 0); /* made good by the burst */
    sf_pacer_sent(&pacer, 1250, SF_SEC + 1200 * SF_US);
    CHECK_EQ(pacer.idle_ns, 800 * SF_US);
}

static void
test_drift(void)
{
    struct sf_pacer pacer;

    /* 1000 bytes at 3 bit/ns-odd rates: after 3 datagrams the line is free at a whole ns. */
    REQUIRE_EQ(sf_pacer_init(&pacer, 3000000000, 0, 0), SF_OK);
    for (int i = 0; i < 3000; i++) {
        sf_pacer_sent(&pacer, 1000, sf_pacer_deadline(&pacer));
    }
    CHECK_EQ(sf_pacer_deadline(&pacer), UINT64_C(3000) * 8000 / 3);
}

static void
test_burst(void)
{
    struct sf_pacer pacer;
    size_t count = 0;

    REQUIRE_EQ(sf_pacer_init(&pacer, RATE, 200 * SF_US, 0), SF_OK);
    sf_pacer_sent(&pacer, 1400, 0);
    /* An hour of silence stores up 200 us of line time: 2,500 bytes, and the one that is due. */
    while (sf_pacer_is_open(&pacer, 3600 * SF_SEC)) {
        sf_pacer_sent(&pacer, 1250, 3600 * SF_SEC);
        count++;
    }
    CHECK_EQ(count, 3);
    CHECK_EQ(sf_pacer_deadline(&pacer), 3600 * SF_SEC + 100 * SF_US);
}

static void
test_late(void)
{
    struct sf_pacer pacer;
    uint64_t sent = 0;

    /* Woken up to 3 ms late for datagrams of 2 ms that are there, it still holds the rate. */
    REQUIRE_EQ(sf_pacer_init(&pacer, 5000000, 200 * SF_US, 0), SF_OK);
    for (sf_mono now = 0; now < 10 * SF_SEC;) {
        while (sf_pacer_is_open(&pacer, now)) {
            sf_pacer_sent(&pacer, 1250, now);
            sent += 1250;
        }
        sf_pacer_await(&pacer);
        now = sf_pacer_deadline(&pacer) + now / SF_MS * 7 % 4 * SF_MS;
    }
    CHECK(sent >= 6250000 - 6250 && sent <= 6250000 + 1250);
}

static void
test_late_is_bounded(void)
{
    struct sf_pacer pacer;
    size_t count = 0;

    REQUIRE_EQ(sf_pacer_init(&pacer, RATE, 200 * SF_US, 0), SF_OK);
    sf_pacer_sent(&pacer, 1250, 0);
    sf_pacer_await(&pacer);
    /* However late, no more than 4 ms are made good: 40 of 100 us, and the one that is due. */
    while (sf_pacer_is_open(&pacer, SF_SEC)) {
        sf_pacer_sent(&pacer, 1250, SF_SEC);
        count++;
    }
    CHECK_EQ(count, 41);
    /* Nor anything when the line was idle in between. */
    sf_pacer_idle(&pacer);
    count = 0;
    while (sf_pacer_is_open(&pacer, 2 * SF_SEC)) {
        sf_pacer_sent(&pacer, 1250, 2 * SF_SEC);
        count++;
    }
    CHECK_EQ(count, 3);
}

static void
test_no_burst(void)
{
    struct sf_pacer pacer;

    REQUIRE_EQ(sf_pacer_init(&pacer, RATE, 0, SF_SEC), SF_OK);
    CHECK(!sf_pacer_is_open(&pacer, SF_SEC - 1));
    CHECK(sf_pacer_is_open(&pacer, SF_SEC));
    sf_pacer_sent(&pacer, 1250, 2 * SF_SEC);
    CHECK(!sf_pacer_is_open(&pacer, 2 * SF_SEC + 100 * SF_US - 1));
    CHECK(sf_pacer_is_open(&pacer, 2 * SF_SEC + 100 * SF_US));
}

static void
test_change(void)
{
    struct sf_pacer pacer;

    REQUIRE_EQ(sf_pacer_init(&pacer, RATE, 0, 0), SF_OK);
    sf_pacer_sent(&pacer, 1250, 0);
    REQUIRE_EQ(sf_pacer_set_rate(&pacer, RATE / 10), SF_OK);
    CHECK_EQ(sf_pacer_deadline(&pacer), 100 * SF_US);
    sf_pacer_sent(&pacer, 1250, 100 * SF_US);
    CHECK_EQ(sf_pacer_deadline(&pacer), 1100 * SF_US);
}

static void
test_limits(void)
{
    struct sf_pacer pacer = {.rate_bps = 77};

    CHECK_EQ(sf_pacer_init(&pacer, SF_PACER_RATE_BPS_MIN - 1, 0, 0), SF_EINVAL);
    CHECK_EQ(sf_pacer_init(&pacer, SF_PACER_RATE_BPS_MAX + 1, 0, 0), SF_EINVAL);
    CHECK_EQ(sf_pacer_init(&pacer, RATE, SF_PACER_BURST_NS_MAX + 1, 0), SF_EINVAL);
    CHECK_EQ(pacer.rate_bps, 77);
    REQUIRE_EQ(sf_pacer_init(&pacer, RATE, 0, 0), SF_OK);
    CHECK_EQ(sf_pacer_set_rate(&pacer, 0), SF_EINVAL);
    CHECK_EQ(pacer.rate_bps, RATE);
}

static void
test_rtt(void)
{
    struct sf_rtt rtt;

    sf_rtt_init(&rtt);
    CHECK_EQ(sf_rtt_timeout(&rtt, 777), 777);
    sf_rtt_sample(&rtt, 620 * SF_MS, 20 * SF_MS);
    CHECK_EQ(rtt.srtt_ns, 600 * SF_MS);
    CHECK_EQ(rtt.rttvar_ns, 300 * SF_MS);
    CHECK_EQ(sf_rtt_timeout(&rtt, 777), 1800 * SF_MS);
    for (int i = 0; i < 100; i++) {
        sf_rtt_sample(&rtt, 700 * SF_MS, 100 * SF_MS);
    }
    CHECK_EQ(rtt.srtt_ns, 600 * SF_MS);
    CHECK(rtt.rttvar_ns < SF_MS);
    sf_rtt_sample(&rtt, 500 * SF_MS, 0);
    CHECK_EQ(rtt.min_ns, 500 * SF_MS);
    CHECK(rtt.srtt_ns < 600 * SF_MS && rtt.srtt_ns > 580 * SF_MS);
}

static void
test_rtt_lies(void)
{
    struct sf_rtt rtt;

    sf_rtt_init(&rtt);
    sf_rtt_sample(&rtt, 10 * SF_MS, SF_NEVER);
    CHECK_EQ(rtt.srtt_ns, 10 * SF_MS);
    sf_rtt_sample(&rtt, SF_RTT_NS_MAX + 1, 0);
    CHECK_EQ(rtt.srtt_ns, 10 * SF_MS);
    sf_rtt_sample(&rtt, 5, 5);
    CHECK_EQ(rtt.min_ns, 1);
    CHECK_EQ(sf_rtt_timeout(&rtt, 0) >= 10 * SF_MS, 1);
}

CHECK_MAIN("pacer", {"rates from 1 kbit/s to 10 Gbit/s are held within one per cent", test_rate},
    {"in any 100 ms the rate is held, in bursts of 200 us, whenever the driver looks",
        test_windows},
    {"line time that was not used is counted", test_idle_time},
    {"remainders are carried, so nothing drifts", test_drift},
    {"silence stores up no more than the burst", test_burst},
    {"a datagram that waited and is woken for late does not lower the rate", test_late},
    {"what is made good for that is bounded, and nothing is for an idle line",
        test_late_is_bounded},
    {"without a burst every datagram waits for its turn", test_no_burst},
    {"a change of rate leaves on the line what is on it", test_change},
    {"values outside the limits change nothing", test_limits},
    {"the round trip is smoothed and its hold taken off", test_rtt},
    {"a hold longer than the round trip or an absurd sample does no harm", test_rtt_lies})
