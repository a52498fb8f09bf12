/* Tests of sim/path: each property of the channel, on its own and in bounds for a seed. */
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

static void
test_settings_do_not_shift(void)
{
    struct sf_sim_path with;
    struct sf_sim_path_config config = {.loss_ppm = 100000};

    /* Adding corruption leaves the losses where they were. */
    start(config);
    config.corrupt_ppm = 300000;
    config.duplicate_ppm = 300000;
    REQUIRE_EQ(sf_sim_path_init(&with, &config, 1, 0), SF_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        struct sf_sim_delivery same[SF_SIM_PATH_COPIES_MAX];

        REQUIRE((send_at(i) == 0) == (sf_sim_path_input(&with, PAYLOAD, IP, i, same) == 0));
    }
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
    {"one setting does not shift the chances of another", test_settings_do_not_shift})
