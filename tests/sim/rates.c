/*
 * rates.c - the rate that finds itself, on the paths it is for and beside what
 * else is on them: in virtual time, with bounds.
 *
 *     tests/sim/rates            the bounds, a line for each path
 *     tests/sim/rates full       also more queues, round trips and loads
 *     tests/sim/rates draw DIR   figures of rate, queue and share as SVG
 *
 * Rates are of IP bits that arrived, over the span named. Shares are of the
 * line, over the last part of a run; a fair share of two is a half.
 */
#include "sim/plot.h"
#include "tests/sim/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MBIT UINT64_C(1000000)

static unsigned failures;

/* --- One run -------------------------------------------------------------------------- */

struct run {
    const char *name;
    struct shared_config config;
    uint64_t span_ns; /* of the run */
    uint64_t from_ns; /* what is measured begins here */
    uint64_t step_ns; /* the queue that stands is the least of a step */
};

struct result {
    uint64_t bps[SHARED_FLOWS_MAX];
    uint64_t lost_ppm;    /* of the first flow */
    uint64_t standing_ns; /* the median of the steps' least queues */
    uint64_t found_ns;    /* the first flow was first within 15 % of the line; 0 = never */
    uint64_t reports;
};

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void
play(const struct run *run, struct result *ret_result)
{
    enum { STEPS_MAX = 4096 };
    static uint64_t least[STEPS_MAX];
    struct shared *shared = shared_open(&run->config);
    struct shared_figures before[SHARED_FLOWS_MAX] = {{0}};
    struct shared_figures figures;
    size_t steps = 0;
    uint64_t line = run->config.path.rate_bps;

    memset(ret_result, 0, sizeof(*ret_result));
    for (sf_mono at = run->step_ns; at <= run->span_ns; at += run->step_ns) {
        shared_run(shared, at);
        for (size_t i = 0; i < run->config.flow_count; i++) {
            shared_figures(shared, i, &figures);
            if (i == 0 && at > run->from_ns && steps < STEPS_MAX &&
                figures.queue_least_ns != SF_NEVER) {
                least[steps++] = figures.queue_least_ns;
            }
            if (i == 0 && ret_result->found_ns == 0 && line > 0 &&
                sf_rate_found(shared_rate(shared, 0)) > line / 100 * 85) {
                ret_result->found_ns = at;
            }
            if (at <= run->from_ns) {
                before[i] = figures;
            }
        }
    }
    for (size_t i = 0; i < run->config.flow_count; i++) {
        shared_figures(shared, i, &figures);
        ret_result->bps[i] = (figures.arrived_bytes - before[i].arrived_bytes) * 8 * 1000 /
                             ((run->span_ns - run->from_ns) / SF_MS);
        if (i == 0) {
            ret_result->reports = figures.reports;
            ret_result->lost_ppm = (figures.lost_bytes - before[0].lost_bytes) * 1000000 /
                                   (figures.sent_bytes - before[0].sent_bytes + 1);
        }
    }
    qsort(least, steps, sizeof(least[0]), compare);
    ret_result->standing_ns = steps > 0 ? least[steps / 2] : 0;
    shared_close(shared);
}

static void
hold(bool is_held, const char *name, const char *what)
{
    if (!is_held) {
        failures++;
        printf("FAIL %s: %s\n", name, what);
    }
}

/* --- Alone ------------------------------------------------------------------------------- */

struct alone {
    const char *name;
    struct sf_sim_path_config path;
    uint64_t bytes;    /* of the transfer, as IP bytes: 1.05 times the file */
    uint64_t limit_ns; /* what the same takes at a rate that was told; at 85 % of it, 1 / 0.85 */
    bool is_long;      /* only in the full form */
};

#define GEO(loss_)                                                                                 \
    {                                                                                              \
        .rate_bps = 100 * MBIT, .delay_ns = 300 * SF_MS, .queue_bytes = 2000000, .loss_ppm = loss_ \
    }

static const struct alone alones[] = {
    {"GEO 100 Mbit/s 600 ms, 100 MB", GEO(0), 105000000, 9100 * SF_MS, false},
    {"GEO, 1 % loss, 100 MB", GEO(10000), 105000000, 9400 * SF_MS, false},
    {"GEO, 5 % loss, 100 MB", GEO(50000), 105000000, 10000 * SF_MS, true},
    {"GEO, 1 GB", GEO(0), 1050000000, 86500 * SF_MS, true},
    {"GEO, 1 % loss, 1 GB", GEO(10000), 1050000000, 87500 * SF_MS, true},
    {"LEO 200 Mbit/s 40 ms, 0.5 %, dark 5 s of 20 s, 1 GB",
        {.rate_bps = 200 * MBIT,
            .delay_ns = 20 * SF_MS,
            .queue_bytes = 1000000,
            .loss_ppm = 5000,
            .period_ns = 20 * SF_SEC,
            .outages = {{15 * SF_SEC, 5 * SF_SEC}},
            .outage_count = 1},
        1050000000, 55 * SF_SEC, false},
    {"Starlink-like 200 Mbit/s 50 ms, bursts, dark 150 ms of 15 s, 1 GB",
        {.rate_bps = 200 * MBIT,
            .delay_ns = 25 * SF_MS,
            .jitter_ns = 3 * SF_MS,
            .queue_bytes = 2000000,
            .burst_enter_ppm = 200,
            .burst_leave_ppm = 50000,
            .burst_loss_ppm = 500000,
            .period_ns = 15 * SF_SEC,
            .outages = {{0, 150 * SF_MS}},
            .outage_count = 1},
        1050000000, 45 * SF_SEC, false},
};

/* Run until so many bytes have come. Every byte that comes is of use: what is lost goes again. */
static uint64_t
time_of(const struct alone *alone, enum shared_kind kind, struct result *ret_result)
{
    uint64_t step = SF_SEC / 20;
    struct run run = {
        .config = {.seed = 1,
            .path = alone->path,
            .flows = {{.kind = kind, .rate_bps = kind == SHARED_FIXED ? alone->path.rate_bps : 0}},
            .flow_count = 1},
        .step_ns = step};
    struct shared *shared = shared_open(&run.config);
    struct shared_figures figures = {0};
    sf_mono at = 0;

    while (figures.arrived_bytes < alone->bytes && at < 4 * alone->limit_ns) {
        at += step;
        shared_run(shared, at);
        shared_figures(shared, 0, &figures);
    }
    ret_result->lost_ppm = figures.lost_bytes * 1000000 / (figures.sent_bytes + 1);
    ret_result->reports = figures.reports;
    shared_close(shared);
    return at;
}

static void
check_alone(const struct alone *alone)
{
    struct result result, told;
    struct run run = {.config = {.seed = 1,
                          .path = alone->path,
                          .flows = {{.kind = SHARED_ADAPTIVE}},
                          .flow_count = 1},
        .span_ns = 14 * SF_SEC,
        .from_ns = 10 * (2 * alone->path.delay_ns + SF_MS),
        .step_ns = 2 * alone->path.delay_ns};
    uint64_t took = time_of(alone, SHARED_ADAPTIVE, &result);
    uint64_t fixed = time_of(alone, SHARED_FIXED, &told);
    uint64_t most_ns = 2 * alone->path.delay_ns / 8;
    uint64_t return_bytes = result.reports * 200; /* a report with its heads */

    most_ns = most_ns > 25 * SF_MS ? most_ns : 25 * SF_MS;
    play(&run, &result);
    printf("%-66s %6.2f s, told the rate %6.2f s; found in %4.1f round trips, queue %4.1f ms, "
           "reports %.0f kB\n",
        alone->name, (double)took / 1e9, (double)fixed / 1e9,
        (double)result.found_ns / (double)(2 * alone->path.delay_ns),
        (double)result.standing_ns / 1e6, (double)return_bytes / 1e3);
    hold(took <= alone->limit_ns / 85 * 100, alone->name, "slower than 85 % of the floor");
    hold(took * 85 / 100 <= fixed, alone->name, "slower than 85 % of the rate that was told");
    hold(result.found_ns > 0 && result.found_ns <= 20 * alone->path.delay_ns, alone->name,
        "not found in ten round trips");
    hold(result.standing_ns <= most_ns, alone->name, "a queue stands");
    hold(return_bytes * 1000 <= alone->bytes, alone->name, "more than a thousandth comes back");
}

/* --- Changes ------------------------------------------------------------------------------- */

/* LTE: the capacity falls to a tenth and rises again. */
static void
check_change(void)
{
    struct sf_sim_path_config path = {
        .rate_bps = 50 * MBIT, .delay_ns = 30 * SF_MS, .queue_bytes = 1000000};
    struct shared_config config = {
        .seed = 1, .path = path, .flows = {{.kind = SHARED_ADAPTIVE}}, .flow_count = 1};
    struct shared *shared = shared_open(&config);
    struct shared_figures before, after;
    uint64_t low, high;

    shared_run(shared, 5 * SF_SEC);
    path.rate_bps = 5 * MBIT;
    shared_change(shared, &path);
    shared_run(shared, 9 * SF_SEC);
    shared_figures(shared, 0, &before);
    shared_run(shared, 12 * SF_SEC);
    shared_figures(shared, 0, &after);
    low = (after.arrived_bytes - before.arrived_bytes) * 8 / 3;
    hold(after.queue_least_ns < 25 * SF_MS, "a tenth of the capacity", "a queue stands");
    hold(low > 5 * MBIT / 100 * 85, "a tenth of the capacity", "it is not used");
    path.rate_bps = 50 * MBIT;
    shared_change(shared, &path);
    shared_run(shared, 15 * SF_SEC);
    shared_figures(shared, 0, &before);
    shared_run(shared, 17 * SF_SEC);
    shared_figures(shared, 0, &after);
    high = (after.arrived_bytes - before.arrived_bytes) * 8 / 2;
    hold(high > 50 * MBIT / 100 * 85, "ten times the capacity", "not found again in 3 s");
    printf("%-66s %5.1f Mbit/s, %5.1f Mbit/s\n",
        "50 Mbit/s 60 ms, falls to a tenth and rises again", (double)low / 1e6, (double)high / 1e6);
    shared_close(shared);
}

/* A policer, or a queue too short to be seen: no delay tells of it. */
static void
check_policer(void)
{
    struct run run = {
        .config = {.seed = 1,
            .path = {.rate_bps = 40 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 6000},
            .flows = {{.kind = SHARED_ADAPTIVE}},
            .flow_count = 1},
        .span_ns = 12 * SF_SEC,
        .from_ns = 4 * SF_SEC,
        .step_ns = SF_SEC / 20};
    struct result result;

    play(&run, &result);
    printf("%-66s %5.1f Mbit/s, %.1f %% lost\n", "a policer of 40 Mbit/s at 40 ms",
        (double)result.bps[0] / 1e6, (double)result.lost_ppm / 1e4);
    hold(result.bps[0] > 40 * MBIT / 100 * 90, "policer", "its rate is not used");
    hold(result.lost_ppm < 80000, "policer", "too much is sent into it");
}

/* Little to send, in pieces: that little arrives is no sign of a small path. */
static void
check_pieces(void)
{
    struct run run = {
        .config = {.seed = 1,
            .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 1000000},
            .flows = {{.kind = SHARED_ADAPTIVE, .idle_ns = 900 * SF_MS, .idle_period_ns = SF_SEC}},
            .flow_count = 1},
        .span_ns = 12 * SF_SEC,
        .from_ns = 6 * SF_SEC,
        .step_ns = SF_SEC / 20};
    struct result result;

    play(&run, &result);
    printf("%-66s %5.1f Mbit/s of 10\n", "a tenth of the time something to send",
        (double)result.bps[0] / 1e6);
    hold(result.bps[0] > 9 * MBIT, "pieces", "a piece does not go at the rate of the path");
}

/* The same for minutes, a little all the time: what was found before is not forgotten for it. */
static void
check_trickle(void)
{
    const struct shared_config config = {.seed = 1,
        .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 1000000},
        .flows = {{.kind = SHARED_ADAPTIVE,
            .idle_from_ns = 4 * SF_SEC,
            .idle_ns = 9500 * SF_US,
            .idle_period_ns = 10 * SF_MS}},
        .flow_count = 1};
    struct shared *shared = shared_open(&config);
    uint64_t found;

    shared_run(shared, 60 * SF_SEC);
    found = sf_rate_found(shared_rate(shared, 0));
    printf(
        "%-66s %5.1f Mbit/s\n", "known after a minute of a twentieth of it", (double)found / 1e6);
    hold(found > 85 * MBIT && found < 115 * MBIT, "a trickle", "what was found is forgotten");
    shared_close(shared);
}

/* --- Beside others ----------------------------------------------------------------------------- */

struct pair {
    const char *name;
    uint64_t rate_bps;
    uint64_t rtt_ns;
    uint64_t queue_bytes;
    enum shared_kind first, second;
    uint64_t later_ns; /* the second begins */
    uint64_t span_ns;
    uint64_t least_ppm, most_ppm; /* of the line for the first of ours */
    bool is_long;
};

#define FAIR 200000, 800000 /* 0.4 of a fair share each way */

static const struct pair pairs[] = {
    {"ours, then CUBIC; queue of one product", 100 * MBIT, 40 * SF_MS, 500000, SHARED_ADAPTIVE,
        SHARED_CUBIC, 3 * SF_SEC, 40 * SF_SEC, FAIR, false},
    {"CUBIC, then ours; queue of one product", 100 * MBIT, 40 * SF_MS, 500000, SHARED_CUBIC,
        SHARED_ADAPTIVE, 3 * SF_SEC, 40 * SF_SEC, FAIR, false},
    {"ours, then CUBIC; half a product", 100 * MBIT, 40 * SF_MS, 250000, SHARED_ADAPTIVE,
        SHARED_CUBIC, 3 * SF_SEC, 60 * SF_SEC, FAIR, true},
    {"CUBIC, then ours; half a product", 100 * MBIT, 40 * SF_MS, 250000, SHARED_CUBIC,
        SHARED_ADAPTIVE, 3 * SF_SEC, 60 * SF_SEC, FAIR, true},
    {"ours, then CUBIC; four products", 100 * MBIT, 40 * SF_MS, 2000000, SHARED_ADAPTIVE,
        SHARED_CUBIC, 3 * SF_SEC, 80 * SF_SEC, FAIR, true},
    {"CUBIC, then ours; four products", 100 * MBIT, 40 * SF_MS, 2000000, SHARED_CUBIC,
        SHARED_ADAPTIVE, 3 * SF_SEC, 80 * SF_SEC, FAIR, true},
    {"CUBIC, then ours; 600 ms, one product", 100 * MBIT, 600 * SF_MS, 7500000, SHARED_CUBIC,
        SHARED_ADAPTIVE, 20 * SF_SEC, 200 * SF_SEC, FAIR, true},
    {"ours, then BBR; queue of two products", 100 * MBIT, 40 * SF_MS, 1000000, SHARED_ADAPTIVE,
        SHARED_BBR, 3 * SF_SEC, 40 * SF_SEC, FAIR, false},
    {"BBR, then ours; queue of two products", 100 * MBIT, 40 * SF_MS, 1000000, SHARED_BBR,
        SHARED_ADAPTIVE, 3 * SF_SEC, 40 * SF_SEC, FAIR, false},
    {"ours, then BBR; four products", 100 * MBIT, 40 * SF_MS, 2000000, SHARED_ADAPTIVE, SHARED_BBR,
        3 * SF_SEC, 80 * SF_SEC, FAIR, true},
    {"ours, then BBR; 600 ms, one product", 100 * MBIT, 600 * SF_MS, 7500000, SHARED_ADAPTIVE,
        SHARED_BBR, 20 * SF_SEC, 200 * SF_SEC, FAIR, true},
    /* BBR version 1 is deaf to the loss it makes in short queues: nobody has a fair share there. */
    {"ours, then BBR; one product", 100 * MBIT, 40 * SF_MS, 500000, SHARED_ADAPTIVE, SHARED_BBR,
        3 * SF_SEC, 80 * SF_SEC, 80000, 800000, true},
    {"BBR, then ours; one product", 100 * MBIT, 40 * SF_MS, 500000, SHARED_BBR, SHARED_ADAPTIVE,
        3 * SF_SEC, 80 * SF_SEC, 80000, 800000, true},
    {"BBR, then ours; half a product", 100 * MBIT, 40 * SF_MS, 250000, SHARED_BBR, SHARED_ADAPTIVE,
        3 * SF_SEC, 80 * SF_SEC, 50000, 800000, true},
    {"CUBIC, then BBR; half a product", 100 * MBIT, 40 * SF_MS, 250000, SHARED_CUBIC, SHARED_BBR,
        3 * SF_SEC, 80 * SF_SEC, 0, 1000000, true},
    {"CUBIC, then BBR; one product", 100 * MBIT, 40 * SF_MS, 500000, SHARED_CUBIC, SHARED_BBR,
        3 * SF_SEC, 80 * SF_SEC, 0, 1000000, true},
    {"ours, then ours", 100 * MBIT, 40 * SF_MS, 500000, SHARED_ADAPTIVE, SHARED_ADAPTIVE,
        3 * SF_SEC, 40 * SF_SEC, FAIR, false},
    {"ours, then ours; two products", 100 * MBIT, 40 * SF_MS, 1000000, SHARED_ADAPTIVE,
        SHARED_ADAPTIVE, 3 * SF_SEC, 80 * SF_SEC, FAIR, true},
    {"ours, then ours; 600 ms", 100 * MBIT, 600 * SF_MS, 4000000, SHARED_ADAPTIVE, SHARED_ADAPTIVE,
        20 * SF_SEC, 200 * SF_SEC, FAIR, true},
    {"a scavenger, then CUBIC", 100 * MBIT, 40 * SF_MS, 500000, SHARED_SCAVENGER, SHARED_CUBIC,
        3 * SF_SEC, 40 * SF_SEC, 0, 50000, false},
    {"a scavenger, then BBR", 100 * MBIT, 40 * SF_MS, 500000, SHARED_SCAVENGER, SHARED_BBR,
        3 * SF_SEC, 40 * SF_SEC, 0, 50000, true},
    {"ours, then a scavenger", 100 * MBIT, 40 * SF_MS, 500000, SHARED_ADAPTIVE, SHARED_SCAVENGER,
        3 * SF_SEC, 40 * SF_SEC, 900000, 1000000, false},
};

static void
check_pair(const struct pair *pair)
{
    struct run run = {
        .config = {.seed = 1,
            .path = {.rate_bps = pair->rate_bps,
                .delay_ns = pair->rtt_ns / 2,
                .queue_bytes = pair->queue_bytes},
            .flows = {{.kind = pair->first}, {.kind = pair->second, .from_ns = pair->later_ns}},
            .flow_count = 2},
        .span_ns = pair->span_ns,
        .from_ns = pair->span_ns / 2,
        .step_ns = SF_SEC / 10};
    struct result result;
    bool is_second = pair->first == SHARED_CUBIC || pair->first == SHARED_BBR;
    uint64_t share;

    play(&run, &result);
    share = result.bps[is_second ? 1 : 0] / (pair->rate_bps / 1000000);
    printf("%-66s %5.1f and %5.1f Mbit/s\n", pair->name, (double)result.bps[0] / 1e6,
        (double)result.bps[1] / 1e6);
    hold(share >= pair->least_ppm, pair->name, "ours has too little");
    hold(share <= pair->most_ppm, pair->name, "ours has too much");
    hold(result.bps[0] + result.bps[1] > pair->rate_bps / 100 * 85, pair->name,
        "the line stands idle");
}

/* Four of ours come one after the other: none starves, and not much is lost for it. */
static void
check_four(void)
{
    struct run run = {
        .config = {.seed = 1,
            .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 500000},
            .flows = {{.kind = SHARED_ADAPTIVE}, {.kind = SHARED_ADAPTIVE, .from_ns = 3 * SF_SEC},
                {.kind = SHARED_ADAPTIVE, .from_ns = 6 * SF_SEC},
                {.kind = SHARED_ADAPTIVE, .from_ns = 9 * SF_SEC}},
            .flow_count = 4},
        .span_ns = 80 * SF_SEC,
        .from_ns = 20 * SF_SEC,
        .step_ns = SF_SEC / 10};
    struct result result;

    play(&run, &result);
    printf("%-66s %4.1f, %4.1f, %4.1f, %4.1f Mbit/s\n", "four of ours", (double)result.bps[0] / 1e6,
        (double)result.bps[1] / 1e6, (double)result.bps[2] / 1e6, (double)result.bps[3] / 1e6);
    for (size_t i = 0; i < 4; i++) {
        hold(result.bps[i] > 10 * MBIT, "four of ours", "one has less than 0.4 of its share");
    }
}

/* --- Figures ------------------------------------------------------------------------------------- */

struct figure {
    const char *file;
    const char *title;
    struct shared_config config;
    const char *names[SHARED_FLOWS_MAX];
    double seconds;
};

static const struct figure figures[] = {
    {"rate-geo", "alone on 100 Mbit/s, 600 ms, 1 % loss: nobody told it the rate",
        {.seed = 1, .path = GEO(10000), .flows = {{.kind = SHARED_ADAPTIVE}}, .flow_count = 1},
        {"Skyferry"}, 20},
    {"rate-leo", "alone on 200 Mbit/s, 40 ms, 0.5 % loss, dark 5 s of every 20 s",
        {.seed = 1,
            .path = {.rate_bps = 200 * MBIT,
                .delay_ns = 20 * SF_MS,
                .queue_bytes = 1000000,
                .loss_ppm = 5000,
                .period_ns = 20 * SF_SEC,
                .outages = {{15 * SF_SEC, 5 * SF_SEC}},
                .outage_count = 1},
            .flows = {{.kind = SHARED_ADAPTIVE}},
            .flow_count = 1},
        {"Skyferry"}, 45},
    {"rate-self", "two of ours on 100 Mbit/s, 40 ms; the second comes at 5 s and goes at 45 s",
        {.seed = 1,
            .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 500000},
            .flows = {{.kind = SHARED_ADAPTIVE},
                {.kind = SHARED_ADAPTIVE, .from_ns = 5 * SF_SEC, .until_ns = 45 * SF_SEC}},
            .flow_count = 2},
        {"Skyferry", "Skyferry"}, 60},
    {"rate-cubic", "beside CUBIC on 100 Mbit/s, 40 ms, from 5 s to 45 s",
        {.seed = 1,
            .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 500000},
            .flows = {{.kind = SHARED_ADAPTIVE},
                {.kind = SHARED_CUBIC, .from_ns = 5 * SF_SEC, .until_ns = 45 * SF_SEC}},
            .flow_count = 2},
        {"Skyferry", "CUBIC"}, 60},
    {"rate-bbr", "beside BBR on 100 Mbit/s, 40 ms, queue 1 MB, from 5 s to 45 s",
        {.seed = 1,
            .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 1000000},
            .flows = {{.kind = SHARED_ADAPTIVE},
                {.kind = SHARED_BBR, .from_ns = 5 * SF_SEC, .until_ns = 45 * SF_SEC}},
            .flow_count = 2},
        {"Skyferry", "BBR"}, 60},
    {"rate-scavenger", "a scavenger and CUBIC on 100 Mbit/s, 40 ms; CUBIC from 10 s to 40 s",
        {.seed = 1,
            .path = {.rate_bps = 100 * MBIT, .delay_ns = 20 * SF_MS, .queue_bytes = 500000},
            .flows = {{.kind = SHARED_SCAVENGER},
                {.kind = SHARED_CUBIC, .from_ns = 10 * SF_SEC, .until_ns = 40 * SF_SEC}},
            .flow_count = 2},
        {"Skyferry, scavenger", "CUBIC"}, 60},
};

enum { POINTS_MAX = 512, PLOT_WIDTH = 720, PLOT_HEIGHT = 170 };

/* Rate of each flow and the queue of the first, a point every so often. */
static size_t
sample(const struct figure *figure, double *xs, double values[SHARED_FLOWS_MAX + 1][POINTS_MAX])
{
    struct shared *shared = shared_open(&figure->config);
    struct shared_figures before[SHARED_FLOWS_MAX] = {{0}};
    struct shared_figures now;
    double step = figure->seconds / (POINTS_MAX - 112);
    size_t count = 0;

    for (double at = step; at <= figure->seconds && count < POINTS_MAX; at += step) {
        shared_run(shared, (sf_mono)(at * 1e9));
        values[SHARED_FLOWS_MAX][count] = 0;
        for (size_t i = 0; i < figure->config.flow_count; i++) {
            shared_figures(shared, i, &now);
            values[i][count] =
                (double)(now.arrived_bytes - before[i].arrived_bytes) * 8 / step / 1e6;
            if (i == 0 && now.queue_least_ns != SF_NEVER) {
                values[SHARED_FLOWS_MAX][count] = (double)now.queue_least_ns / 1e6;
            }
            before[i] = now;
        }
        xs[count++] = at;
    }
    shared_close(shared);
    return count;
}

static void
draw_plot(FILE *out, const struct figure *figure, unsigned top, const struct sf_plot *plot)
{
    fprintf(
        out, "<svg x=\"0\" y=\"%u\" width=\"%d\" height=\"%d\">\n", top, PLOT_WIDTH, PLOT_HEIGHT);
    sf_plot_svg(out, plot);
    fprintf(out, "</svg>\n");
    (void)figure;
}

static void
draw_legend(FILE *out, const struct figure *figure)
{
    double at = 52;

    for (size_t i = 0; i < figure->config.flow_count; i++) {
        fprintf(out, "<path class=\"line s%zu\" d=\"M%.0f 40h18\"/><text x=\"%.0f\" y=\"44\">", i,
            at, at + 24);
        sf_plot_text(out, figure->names[i]);
        fprintf(out, "</text>\n");
        at += 44 + 8 * (double)strlen(figure->names[i]);
    }
}

static bool
draw(const char *folder, const struct figure *figure)
{
    static const char style[] =
        "<style>text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;fill:#6a6a6a}"
        ".title{font-weight:600;fill:#3a3a3a}.end{text-anchor:end}.mid{text-anchor:middle}"
        ".grid{stroke:#ddd;fill:none}.tick{stroke:#9a9a9a;fill:none}"
        ".line{fill:none;stroke-width:1.6;stroke-linejoin:round}.s0{stroke:#0b6bcb}"
        ".s1{stroke:#c2410c}.s2{stroke:#5a5a5a}"
        "@media(prefers-color-scheme:dark){text{fill:#aaa}.title{fill:#eee}.grid{stroke:#4a4a4a}"
        ".s0{stroke:#5cb0ff}.s1{stroke:#ff9a5c}.s2{stroke:#bbb}}</style>\n";
    static double xs[POINTS_MAX];
    static double values[SHARED_FLOWS_MAX + 1][POINTS_MAX];
    struct sf_plot rate = {.label = "Mbit/s that arrived, over seconds",
        .width = PLOT_WIDTH,
        .height = PLOT_HEIGHT,
        .x_max = figure->seconds,
        .y_max = (double)figure->config.path.rate_bps / 1e6,
        .unit = "Mbit/s",
        .xs = xs,
        .series_count = figure->config.flow_count};
    struct sf_plot waiting = rate;
    char path[1024];
    FILE *out;

    rate.count = sample(figure, xs, values);
    for (size_t i = 0; i < figure->config.flow_count; i++) {
        rate.series[i] = (struct sf_plot_series){.values = values[i], .style = (unsigned)i};
    }
    waiting.label = "queue in milliseconds, the least of each moment, over seconds";
    waiting.count = rate.count;
    waiting.unit = "ms";
    waiting.y_max = 25;
    waiting.series_count = 1;
    waiting.series[0] = (struct sf_plot_series){.values = values[SHARED_FLOWS_MAX], .style = 2};
    for (size_t i = 0; i < waiting.count; i++) {
        double value = values[SHARED_FLOWS_MAX][i];

        waiting.y_max = value > waiting.y_max ? value : waiting.y_max;
    }
    (void)snprintf(path, sizeof(path), "%s/%s.svg", folder, figure->file);
    out = fopen(path, "w");
    if (out == NULL) {
        perror(path);
        return false;
    }
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\">\n",
        PLOT_WIDTH, 2 * PLOT_HEIGHT + 60, PLOT_WIDTH);
    fputs(style, out);
    fprintf(out, "<text class=\"title\" x=\"4\" y=\"18\">");
    sf_plot_text(out, figure->title);
    fprintf(out, "</text>\n");
    draw_legend(out, figure);
    draw_plot(out, figure, 50, &rate);
    draw_plot(out, figure, 55 + PLOT_HEIGHT, &waiting);
    fprintf(out, "</svg>\n");
    return fclose(out) == 0;
}

/* --- All --------------------------------------------------------------------------------------------- */

static int
draw_all(const char *folder)
{
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (!draw(folder, &figures[i])) {
            return 1;
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    bool is_full = argc > 1 && strcmp(argv[1], "full") == 0;

    if (argc == 3 && strcmp(argv[1], "draw") == 0) {
        return draw_all(argv[2]);
    }
    for (size_t i = 0; i < sizeof(alones) / sizeof(alones[0]); i++) {
        if (is_full || !alones[i].is_long) {
            check_alone(&alones[i]);
        }
    }
    check_change();
    check_policer();
    check_pieces();
    check_trickle();
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (is_full || !pairs[i].is_long) {
            check_pair(&pairs[i]);
        }
    }
    if (is_full) {
        check_four();
    }
    if (failures > 0) {
        printf("%u bounds do not hold\n", failures);
        return 1;
    }
    return 0;
}
