/* Tests of sim/path: each property of the channel, on its own and in bounds for a seed. */
#include "sim/nat.h"
#include "sim/path.h"
#include "tests/unit/check.h"

enum { PAYLOAD = 1372, IP = 1400, MANY = 100000 };

static struct sf_sim_path path;
static struct sf_sim_delivery got[SF_SIM_PATH_COPIES_MAX];

static void
start(struct sf_sim_path_config config)
{
    REQUIRE_EQ(sf_sim_path_init(&path, &config, 1, 0), SF_OK);
}

static size_t
send_at(sf_mono now)
{
    return sf_sim_path_input(&path, PAYLOAD, IP, now, got);
}

static void
test_perfect(void)
{
    start((struct sf_sim_path_config){.delay_ns = 5 * SF_MS});
    for (uint64_t i = 0; i < 1000; i++) {
        REQUIRE_EQ(send_at(i), 1);
        REQUIRE(got[0].at == i + 5 * SF_MS && !got[0].corrupted);
    }
    CHECK_EQ(path.stats.datagrams_in, 1000);
    CHECK_EQ(path.stats.bytes_out, 1000 * IP);
}

static void
test_limits(void)
{
    struct sf_sim_path_config config = {.loss_ppm = SF_PRNG_PPM + 1};
    struct sf_sim_path untouched = {.line_free = 77};

    CHECK_EQ(sf_sim_path_init(&untouched, &config, 1, 0), SF_EINVAL);
    config = (struct sf_sim_path_config){.rate_bps = SF_SIM_PATH_RATE_BPS_MAX + 1};
    CHECK_EQ(sf_sim_path_init(&untouched, &config, 1, 0), SF_EINVAL);
    config = (struct sf_sim_path_config){.outage_count = SF_SIM_PATH_WINDOWS_MAX + 1};
    CHECK_EQ(sf_sim_path_init(&untouched, &config, 1, 0), SF_EINVAL);
    config = (struct sf_sim_path_config){.mtu_bytes = SF_SIM_PATH_MTU_BYTES_MAX + 1};
    CHECK_EQ(sf_sim_path_init(&untouched, &config, 1, 0), SF_EINVAL);
    CHECK(untouched.line_free == 77);
}

static void
test_rate(void)
{
    sf_mono last = 0;

    /* 3 Mbit does not divide: without the remainder a drift would show. */
    start((struct sf_sim_path_config){.rate_bps = 3000000});
    for (int i = 0; i < MANY; i++) {
        REQUIRE_EQ(send_at(0), 1);
        REQUIRE(got[0].at > last);
        last = got[0].at;
    }
    CHECK(last == (uint64_t)MANY * IP * 8 * SF_SEC / 3000000);
    /* After idling the line does not catch up. */
    REQUIRE_EQ(send_at(last + SF_SEC), 1);
    CHECK(got[0].at == last + SF_SEC + (uint64_t)IP * 8 * SF_SEC / 3000000);
}

static void
test_queue(void)
{
    size_t passed = 0;

    start((struct sf_sim_path_config){.rate_bps = 8000000, .queue_bytes = 14000});
    for (int i = 0; i < 100; i++) {
        passed += send_at(0);
    }
    CHECK_EQ(passed, 10);
    CHECK_EQ(path.stats.dropped_queue, 90);
    /* 1,400 bytes leave in 1.4 ms. */
    CHECK_EQ(send_at(1300 * SF_US), 0);
    CHECK_EQ(send_at(1400 * SF_US), 1);
    CHECK_EQ(send_at(1400 * SF_US), 0);
}

static void
test_mtu(void)
{
    start((struct sf_sim_path_config){.mtu_bytes = 1400});
    CHECK_EQ(sf_sim_path_input(&path, 1372, 1400, 0, got), 1);
    CHECK_EQ(sf_sim_path_input(&path, 1373, 1401, 0, got), 0);
    CHECK_EQ(path.stats.dropped_mtu, 1);
}

static void
test_loss(void)
{
    start((struct sf_sim_path_config){.loss_ppm = 50000});
    for (uint64_t i = 0; i < MANY; i++) {
        (void)send_at(i);
    }
    CHECK(path.stats.dropped_loss > MANY * 48 / 1000 && path.stats.dropped_loss < MANY * 52 / 1000);
    start((struct sf_sim_path_config){.loss_ppm = SF_PRNG_PPM});
    CHECK_EQ(send_at(0), 0);
}

static void
test_bursts(void)
{
    uint64_t runs = 0;
    bool was_lost = false;

    /* Bad one time in eleven, for ten datagrams on average, and then nothing passes. */
    start((struct sf_sim_path_config){
        .burst_enter_ppm = 10000, .burst_leave_ppm = 100000, .burst_loss_ppm = SF_PRNG_PPM});
    for (uint64_t i = 0; i < MANY; i++) {
        bool lost = send_at(i) == 0;

        runs += lost && !was_lost;
        was_lost = lost;
    }
    CHECK(
        path.stats.dropped_loss > MANY * 80 / 1000 && path.stats.dropped_loss < MANY * 102 / 1000);
    CHECK(path.stats.dropped_loss / runs >= 9 && path.stats.dropped_loss / runs <= 11);
}

static void
test_jitter_keeps_order(void)
{
    sf_mono last = 0;
    uint64_t late = 0;

    start((struct sf_sim_path_config){.delay_ns = 10 * SF_MS, .jitter_ns = 5 * SF_MS});
    for (uint64_t i = 0; i < MANY; i++) {
        sf_mono now = i * SF_MS;

        REQUIRE_EQ(send_at(now), 1);
        REQUIRE(got[0].at >= now + 10 * SF_MS && got[0].at <= now + 15 * SF_MS);
        REQUIRE(got[0].at >= last);
        last = got[0].at;
        late += got[0].at > now + 11 * SF_MS;
    }
    CHECK(late > MANY / 2);
    CHECK_EQ(path.stats.reordered, 0);
}

static void
test_reordering(void)
{
    sf_mono last = 0;
    uint64_t overtaken = 0;

    start((struct sf_sim_path_config){
        .delay_ns = SF_MS, .reorder_ppm = 20000, .reorder_ns = 50 * SF_MS});
    for (uint64_t i = 0; i < MANY; i++) {
        REQUIRE_EQ(send_at(i * 100 * SF_US), 1);
        REQUIRE(got[0].at - i * 100 * SF_US <= 51 * SF_MS);
        if (got[0].at != i * 100 * SF_US + SF_MS) {
            overtaken++;
        } else {
            REQUIRE(got[0].at > last); /* the others keep theirs */
            last = got[0].at;
        }
    }
    CHECK(overtaken == path.stats.reordered);
    CHECK(overtaken > MANY * 19 / 1000 && overtaken < MANY * 21 / 1000);
}

static void
test_duplicates(void)
{
    start((struct sf_sim_path_config){.duplicate_ppm = 100000, .jitter_ns = SF_MS});
    for (uint64_t i = 0; i < MANY; i++) {
        size_t copies = send_at(i * SF_MS);

        REQUIRE(copies == 1 || (copies == 2 && got[1].at >= got[0].at));
    }
    CHECK(path.stats.duplicated > MANY * 98 / 1000 && path.stats.duplicated < MANY * 102 / 1000);
    CHECK_EQ(path.stats.datagrams_out, MANY + path.stats.duplicated);
}

static void
test_corruption(void)
{
    uint64_t corrupted = 0;
    uint8_t payload[PAYLOAD];

    start((struct sf_sim_path_config){.corrupt_ppm = 10000});
    for (uint64_t i = 0; i < MANY; i++) {
        int ones = 0;

        REQUIRE_EQ(send_at(i), 1);
        if (!got[0].corrupted) {
            continue;
        }
        memset(payload, 0, sizeof(payload));
        sf_sim_delivery_apply(&got[0], payload, sizeof(payload));
        for (size_t k = 0; k < sizeof(payload); k++) {
            ones += __builtin_popcount(payload[k]);
        }
        REQUIRE_EQ(ones, 1);
        corrupted++;
    }
    CHECK(corrupted == path.stats.corrupted && corrupted > 900 && corrupted < 1100);
    start((struct sf_sim_path_config){.corrupt_ppm = SF_PRNG_PPM});
    CHECK_EQ(sf_sim_path_input(&path, 0, 28, 0, got), 1);
    CHECK(!got[0].corrupted);
}

static void
test_windows(void)
{
    struct sf_sim_path_config config = {
        .outages = {{10 * SF_SEC, 5 * SF_SEC}, {30 * SF_SEC, SF_SEC}}, .outage_count = 2};

    start(config);
    CHECK_EQ(send_at(9999 * SF_MS), 1);
    CHECK_EQ(send_at(10 * SF_SEC), 0);
    CHECK_EQ(send_at(14999 * SF_MS), 0);
    CHECK_EQ(send_at(15 * SF_SEC), 1);
    CHECK_EQ(send_at(30500 * SF_MS), 0);
    CHECK_EQ(send_at(70 * SF_SEC), 1);
    CHECK_EQ(path.stats.dropped_outage, 3);
    config.period_ns = 60 * SF_SEC;
    start(config);
    CHECK_EQ(send_at(70 * SF_SEC), 0);
    start((struct sf_sim_path_config){
        .contacts = {{0, 600 * SF_SEC}}, .contact_count = 1, .period_ns = 5700 * SF_SEC});
    CHECK_EQ(send_at(599 * SF_SEC), 1);
    CHECK_EQ(send_at(600 * SF_SEC), 0);
    CHECK_EQ(send_at(5700 * SF_SEC), 1);
    /* What counts is when the last bit leaves. */
    start((struct sf_sim_path_config){
        .rate_bps = 11200, .contacts = {{0, 3 * SF_SEC}}, .contact_count = 1});
    CHECK_EQ(send_at(0), 1);
    CHECK_EQ(send_at(0), 1);
    CHECK_EQ(send_at(0), 0);
}

static void
test_repeats(void)
{
    struct sf_sim_path_config config = {.loss_ppm = 100000, .jitter_ns = SF_SEC};
    struct sf_sim_path other;
    struct sf_sim_path stream;
    int different = 0;

    start(config);
    REQUIRE_EQ(sf_sim_path_init(&other, &config, 1, 0), SF_OK);
    REQUIRE_EQ(sf_sim_path_init(&stream, &config, 1, 1), SF_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        struct sf_sim_delivery same[SF_SIM_PATH_COPIES_MAX];
        size_t copies = send_at(i);

        REQUIRE_EQ(sf_sim_path_input(&other, PAYLOAD, IP, i, same), copies);
        REQUIRE(copies == 0 || same[0].at == got[0].at);
        different += sf_sim_path_input(&stream, PAYLOAD, IP, i, same) != copies;
    }
    CHECK(different > 100);
}

/* Every kind of fault, each set so that it shows often. */
static const struct sf_sim_path_config all_faults = {
    .delay_ns = SF_MS,
    .jitter_ns = SF_MS,
    .loss_ppm = 100000,
    .burst_enter_ppm = 20000,
    .burst_leave_ppm = 200000,
    .burst_loss_ppm = 500000,
    .corrupt_ppm = 200000,
    .duplicate_ppm = 200000,
    .reorder_ppm = 200000,
    .reorder_ns = 40 * SF_MS,
};

/* What is left when one kind of fault is taken away: the others hit the same datagrams. */
static void
without(struct sf_sim_path_config config, bool same_losses)
{
    struct sf_sim_path with;
    struct sf_sim_path less;

    REQUIRE_EQ(sf_sim_path_init(&with, &all_faults, 5, 9), SF_OK);
    REQUIRE_EQ(sf_sim_path_init(&less, &config, 5, 9), SF_OK);
    for (uint64_t i = 0; i < 3000; i++) {
        struct sf_sim_delivery a[SF_SIM_PATH_COPIES_MAX];
        struct sf_sim_delivery b[SF_SIM_PATH_COPIES_MAX];
        sf_mono now = i * 100 * SF_MS; /* apart, so that order does not couple them */
        size_t was = sf_sim_path_input(&with, PAYLOAD, IP, now, a);
        size_t is = sf_sim_path_input(&less, PAYLOAD - i % 7, IP, now, b);

        if (same_losses) {
            REQUIRE((was == 0) == (is == 0));
        }
        if (was == 0 || is == 0) {
            continue;
        }
        if (config.duplicate_ppm != 0 && same_losses) {
            REQUIRE_EQ(was, is);
        }
        if (config.corrupt_ppm != 0) {
            REQUIRE_EQ(a[0].corrupted, b[0].corrupted);
        }
        if (config.jitter_ns != 0 && config.reorder_ns != 0) {
            REQUIRE(a[0].at == b[0].at);
        } else {
            uint64_t apart = a[0].at > b[0].at ? a[0].at - b[0].at : b[0].at - a[0].at;

            REQUIRE(apart <= all_faults.jitter_ns + all_faults.reorder_ns);
        }
    }
}

static void
test_settings_do_not_shift(void)
{
    struct sf_sim_path_config config = all_faults;

    without(config, true);
    config.loss_ppm = 0;
    without(config, false);
    config = all_faults;
    config.burst_enter_ppm = 0;
    without(config, false);
    config = all_faults;
    config.corrupt_ppm = 0;
    without(config, true);
    config = all_faults;
    config.duplicate_ppm = 0;
    without(config, true);
    config = all_faults;
    config.reorder_ppm = 0;
    config.reorder_ns = 0;
    without(config, true);
    config = all_faults;
    config.jitter_ns = 0;
    without(config, true);
    config = all_faults;
    config.queue_bytes = 3000;
    config.rate_bps = 100000000;
    config.jitter_ns = 0; /* the line shifts the times */
    without(config, true);
    config = all_faults;
    config.fade_span_ns = SF_SEC;
    config.fade_ppm = SF_PRNG_PPM;
    config.fade_rate_ppm = 500000;
    without(config, true);
}

static void
test_duty(void)
{
    struct sf_sim_path_config config = {.period_ns = 5700 * SF_SEC, .duty_ppm = 100000};

    CHECK(sf_sim_path_is_up(&config, 0));
    CHECK(sf_sim_path_is_up(&config, 570 * SF_SEC - 1));
    CHECK(!sf_sim_path_is_up(&config, 570 * SF_SEC));
    CHECK(!sf_sim_path_is_up(&config, 5700 * SF_SEC - 1));
    CHECK(sf_sim_path_is_up(&config, 57000 * SF_SEC));
    config.duty_ppm = SF_PRNG_PPM;
    CHECK(sf_sim_path_is_up(&config, 5700 * SF_SEC - 1));
    config.duty_ppm = 0;
    CHECK(sf_sim_path_is_up(&config, 5699 * SF_SEC));
    config = (struct sf_sim_path_config){.duty_ppm = 100000};
    CHECK(sf_sim_path_is_up(&config, SF_SEC));
}

static void
test_plan(void)
{
    static const struct sf_sim_contact plan[] = {
        {10 * SF_SEC, 5 * SF_SEC, 8000000, 20 * SF_MS},
        {15 * SF_SEC, 5 * SF_SEC, 0, SF_SIM_PATH_DELAY_KEPT},
        {100 * SF_SEC, SF_SEC, 16000000, 3 * SF_SEC},
    };
    static const struct sf_sim_contact disorder[] = {{10, 5, 0, 0}, {14, 5, 0, 0}};
    struct sf_sim_path_config config = {
        .rate_bps = 1000000, .delay_ns = SF_MS, .plan = plan, .plan_count = 3};

    start(config);
    CHECK_EQ(send_at(0), 0);
    CHECK_EQ(send_at(10 * SF_SEC), 1);
    CHECK(got[0].at == 10 * SF_SEC + 1400 * SF_US + 20 * SF_MS);
    CHECK_EQ(send_at(16 * SF_SEC), 1);
    CHECK(got[0].at == 16 * SF_SEC + 11200 * SF_US + SF_MS);
    CHECK_EQ(send_at(20 * SF_SEC), 0);
    CHECK_EQ(send_at(100 * SF_SEC), 1);
    CHECK(got[0].at == 103 * SF_SEC + 700 * SF_US);
    CHECK_EQ(send_at(101 * SF_SEC), 0);
    CHECK_EQ(path.stats.dropped_outage, 3);
    config.plan = disorder;
    config.plan_count = 2;
    CHECK_EQ(sf_sim_path_init(&path, &config, 1, 0), SF_EINVAL);
    config.plan_count = 0; /* a plan without contacts: never up */
    start(config);
    CHECK_EQ(send_at(12), 0);
}

static void
test_fades(void)
{
    struct sf_sim_path_config config = {.rate_bps = 8000000,
        .fade_span_ns = 60 * SF_SEC,
        .fade_ppm = SF_PRNG_PPM,
        .fade_rate_ppm = 900000,
        .fade_loss_ppm = 200000};
    struct sf_sim_path other;
    uint32_t last = 0;
    uint32_t deepest = 0;
    uint32_t shallowest = SF_PRNG_PPM;
    uint64_t clear = 0;

    start(config);
    REQUIRE_EQ(sf_sim_path_init(&other, &config, 1, 0), SF_OK);
    for (uint64_t i = 0; i < 100000; i++) {
        uint32_t depth = sf_sim_path_fade(&path, i * SF_SEC / 10);
        sf_mono before;

        /* In steps, never in jumps; and it depends on the time alone. */
        REQUIRE(i == 0 || (depth > last ? depth - last : last - depth) <=
                              SF_PRNG_PPM / SF_SIM_PATH_FADE_STEPS + 1);
        last = depth;
        deepest = depth > deepest ? depth : deepest;
        shallowest = depth < shallowest ? depth : shallowest;
        if (i % 1000 != 0) {
            continue;
        }
        REQUIRE_EQ(sf_sim_path_fade(&other, i * SF_SEC / 10), depth);
        before = i * SF_SEC / 10;
        if (send_at(before) == 1) {
            uint64_t took = got[0].at - before;

            REQUIRE(took >= 1400 * SF_US && took <= 14000 * SF_US);
            REQUIRE(took * (SF_PRNG_PPM - depth / 10 * 9) / SF_PRNG_PPM <= 1401 * SF_US);
        }
    }
    CHECK(deepest > 900000 && shallowest < 100000);
    config.fade_rate_ppm = 0;
    start(config);
    for (uint64_t i = 0; i < MANY; i++) {
        (void)send_at(i * SF_SEC);
    }
    /* Half as deep on average. */
    CHECK(
        path.stats.dropped_loss > MANY * 90 / 1000 && path.stats.dropped_loss < MANY * 110 / 1000);
    config.fade_ppm = 100000;
    start(config);
    for (uint64_t i = 0; i < 10000; i++) {
        clear += sf_sim_path_fade(&path, i * 60 * SF_SEC) == 0;
    }
    CHECK(clear > 8800 && clear < 9200);
    config.fade_rate_ppm = SF_PRNG_PPM;
    CHECK_EQ(sf_sim_path_init(&other, &config, 1, 0), SF_EINVAL);
    config.fade_rate_ppm = 0;
    config.fade_span_ns = SF_SIM_PATH_FADE_NS_MIN - 1;
    CHECK_EQ(sf_sim_path_init(&other, &config, 1, 0), SF_EINVAL);
}

static void
test_change(void)
{
    struct sf_sim_path_config config = {
        .rate_bps = 8000000, .queue_bytes = 28000, .delay_ns = 100 * SF_MS, .loss_ppm = 0};
    struct sf_sim_path_config wrong = {.loss_ppm = SF_PRNG_PPM + 1};
    sf_mono last;

    start(config);
    for (int i = 0; i < 10; i++) {
        REQUIRE_EQ(send_at(0), 1); /* 14 ms of line, 14,000 bytes */
    }
    last = got[0].at;
    CHECK_EQ(sf_sim_path_change(&path, &wrong), SF_EINVAL);
    config.rate_bps = 800000;
    config.delay_ns = SF_MS;
    CHECK_EQ(sf_sim_path_change(&path, &config), SF_OK);
    /* Half the queue is taken, by bytes; what waited leaves as it would have, in order. */
    for (int i = 0; i < 10; i++) {
        REQUIRE_EQ(send_at(0), 1);
        REQUIRE(got[0].at >= last);
        last = got[0].at;
    }
    CHECK(last == 14 * SF_MS + 140 * SF_MS + SF_MS);
    CHECK_EQ(send_at(0), 0);
    CHECK_EQ(path.stats.dropped_queue, 1);
    /* A third rate, while two wait: still 20 datagrams and no more. */
    config.rate_bps = 80000000;
    CHECK_EQ(sf_sim_path_change(&path, &config), SF_OK);
    CHECK_EQ(send_at(0), 0);
    CHECK_EQ(send_at(28 * SF_MS), 1);
    config.rate_bps = 0;
    CHECK_EQ(sf_sim_path_change(&path, &config), SF_OK);
    CHECK_EQ(send_at(29 * SF_MS), 1);
    CHECK(got[0].at >= last);
}

static void
test_nat(void)
{
    struct sf_sim_nat_config config = {
        .every_ns = 100 * SF_SEC, .idle_ns = 30 * SF_SEC, .times = {50 * SF_SEC}, .count = 1};
    struct sf_sim_nat nat;
    uint64_t address;

    REQUIRE_EQ(sf_sim_nat_init(&nat, &config), SF_OK);
    CHECK(sf_sim_nat_in(&nat, 0, SF_SEC));
    address = sf_sim_nat_out(&nat, 25 * SF_SEC);
    CHECK(sf_sim_nat_in(&nat, address, 49 * SF_SEC));
    CHECK(!sf_sim_nat_in(&nat, address, 51 * SF_SEC)); /* by its time */
    CHECK_EQ(sf_sim_nat_out(&nat, 51 * SF_SEC), address + 1);
    CHECK(sf_sim_nat_in(&nat, address + 1, 80 * SF_SEC));
    CHECK(!sf_sim_nat_in(&nat, address + 1, 81 * SF_SEC)); /* idle */
    CHECK_EQ(sf_sim_nat_out(&nat, 82 * SF_SEC), address + 2);
    CHECK_EQ(sf_sim_nat_out(&nat, 101 * SF_SEC), address + 3); /* every so often */
    CHECK(!sf_sim_nat_in(&nat, address, 102 * SF_SEC));
    config.idle_ns = 1;
    CHECK_EQ(sf_sim_nat_init(&nat, &config), SF_EINVAL);
    config = (struct sf_sim_nat_config){.count = SF_SIM_NAT_TIMES_MAX + 1};
    CHECK_EQ(sf_sim_nat_init(&nat, &config), SF_EINVAL);
}

CHECK_MAIN("path", {"a perfect path only delays", test_perfect},
    {"values beyond the limits are refused", test_limits},
    {"the rate is exact over a hundred thousand datagrams", test_rate},
    {"a full queue drops from its tail", test_queue},
    {"a datagram longer than the MTU vanishes", test_mtu},
    {"losses are as many as asked for", test_loss},
    {"bursts are as long and as frequent as asked for", test_bursts},
    {"jitter delays and never reorders", test_jitter_keeps_order},
    {"reordered datagrams are overtaken, the others keep their order", test_reordering},
    {"duplicates arrive beside their originals", test_duplicates},
    {"corruption flips one bit", test_corruption},
    {"nothing passes in an outage or out of contact", test_windows},
    {"equal seeds repeat and streams differ", test_repeats},
    {"one setting does not shift the chances of another", test_settings_do_not_shift},
    {"a duty opens the first part of each period", test_duty},
    {"a contact plan brings its own rates and light times", test_plan},
    {"fades are slow, of time alone, and worsen rate and loss", test_fades},
    {"a path changes while datagrams are under way", test_change},
    {"a translator forgets at its times and when idle", test_nat})
