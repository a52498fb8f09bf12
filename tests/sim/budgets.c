/*
 * budgets.c - how long a file may take over each kind of path, in virtual time.
 *
 * The nodes are the ones that ship, with their disks and keys; the paths are
 * those on which other tools were measured. Each has a budget: seconds from
 * `send` to the whole file in the receiver's inbox, IP bytes sent for each byte
 * of the file, and bytes that came back. A change that loses a round trip, idles
 * at the tail or sends twice fails here, on any machine, at any load.
 *
 *     budgets              what `make check` runs: smaller files on slower lines
 *     budgets full [NAME]  the whole files and lines, or one of them
 *     budgets NAME         one of the smaller ones
 *     SF_VERBOSE=1         with the events of both nodes
 *
 * Prints one line for each, and exits with failure if a budget is overdrawn.
 */
#include "base/assert.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUND, SAT };

#define MBIT          UINT64_C(1000000)
#define MB            UINT64_C(1000000)
#define LIMIT_NS      (100 * 3600 * SF_SEC) /* a transfer that takes longer is given up */
#define FINAL_NS      (2 * SF_SEC)          /* beside a round trip, for FINAL to come back */
#define SESSION_BYTES 32768                 /* back: openers until they are heard, FINAL */
#define RETURN_SHARE  1000 /* bytes forward, on the whole line, for each one back */

/* One path and what a file on it may cost. Times are the same at every scale. */
struct budget {
    const char *name;
    uint64_t file_bytes;
    uint64_t rate_bps;
    uint64_t back_bps; /* 0: as forward */
    uint64_t rtt_ns;
    bool is_planned; /* the nodes know the round trip, as from a contact plan */
    uint64_t queue_bytes;
    uint32_t loss_ppm;
    uint32_t burst_ppm;      /* chance that a burst of loss begins, */
    uint32_t burst_ends_ppm; /* and that it ends, per datagram */
    uint64_t dark_from_ns;   /* in each period */
    uint64_t dark_ns;
    uint64_t period_ns;
    sf_mono restart_at;   /* both nodes are killed then, and start again a second later; 0: never */
    bool is_one_way;      /* nothing ever comes back */
    unsigned seeds;       /* so many lives, each from another seed; 0: one */
    uint64_t scale;       /* `make check` takes so small a part of the file, on so slow a line */
    uint64_t limit_ms;    /* from send to the whole file in the inbox */
    uint32_t ratio_milli; /* IP bytes forward for 1000 of the file */
};

/*
 * Limits are what the link promises on these paths. "Dark" begins 15 s after the first datagram. The least bytes possible are 1.0543 / (1 - loss), by heads alone.
 */
static const struct budget budgets[] = {
    {.name = "geo100-0",
        .file_bytes = 100 * MB,
        .rate_bps = 100 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 2 * MB,
        .scale = 4,
        .limit_ms = 9100,
        .ratio_milli = 1070},
    {.name = "geo100-1",
        .file_bytes = 100 * MB,
        .rate_bps = 100 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 2 * MB,
        .loss_ppm = 10000,
        .scale = 4,
        .limit_ms = 9400,
        .ratio_milli = 1085},
    {.name = "geo100-0-1G",
        .file_bytes = 1000 * MB,
        .rate_bps = 100 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 2 * MB,
        .scale = 20,
        .limit_ms = 86500,
        .ratio_milli = 1065},
    {.name = "geo100-1-1G",
        .file_bytes = 1000 * MB,
        .rate_bps = 100 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 2 * MB,
        .loss_ppm = 10000,
        .scale = 20,
        .limit_ms = 87500,
        .ratio_milli = 1076},
    {.name = "geo500-0",
        .file_bytes = 1000 * MB,
        .rate_bps = 500 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 8 * MB,
        .scale = 20,
        .limit_ms = 18182, /* 440 Mbit/s */
        .ratio_milli = 1065},
    {.name = "geo500-1",
        .file_bytes = 1000 * MB,
        .rate_bps = 500 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 8 * MB,
        .loss_ppm = 10000,
        .scale = 20,
        .limit_ms = 18605, /* 430 Mbit/s */
        .ratio_milli = 1080},
    {.name = "geo500-5",
        .file_bytes = 1000 * MB,
        .rate_bps = 500 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 8 * MB,
        .loss_ppm = 50000,
        .scale = 20,
        .limit_ms = 19512, /* 410 Mbit/s */
        .ratio_milli = 1150},
    {.name = "leo",
        .file_bytes = 1000 * MB,
        .rate_bps = 200 * MBIT,
        .rtt_ns = 40 * SF_MS,
        .queue_bytes = MB,
        .loss_ppm = 5000,
        .dark_from_ns = 15 * SF_SEC,
        .dark_ns = 5 * SF_SEC,
        .period_ns = 20 * SF_SEC,
        .scale = 20,
        .limit_ms = 55000,
        .ratio_milli = 1080},
    {.name = "leo-restart",
        .file_bytes = 1000 * MB,
        .rate_bps = 200 * MBIT,
        .rtt_ns = 40 * SF_MS,
        .queue_bytes = MB,
        .loss_ppm = 5000,
        .dark_from_ns = 15 * SF_SEC,
        .dark_ns = 5 * SF_SEC,
        .period_ns = 20 * SF_SEC,
        .restart_at = 27 * SF_SEC,
        .scale = 20,
        .limit_ms = 60000,
        .ratio_milli = 1110},
    {.name = "starlink",
        .file_bytes = 1000 * MB,
        .rate_bps = 200 * MBIT,
        .back_bps = 20 * MBIT,
        .rtt_ns = 50 * SF_MS,
        .queue_bytes = 2 * MB,
        .burst_ppm = 500,
        .burst_ends_ppm = 100000,
        .dark_from_ns = 14850 * SF_MS,
        .dark_ns = 150 * SF_MS,
        .period_ns = 15 * SF_SEC,
        .scale = 20,
        .limit_ms = 45000,
        .ratio_milli = 1090},
    {.name = "deep",
        .file_bytes = 20 * MB,
        .rate_bps = 10 * MBIT,
        .rtt_ns = 10 * SF_SEC,
        .is_planned = true,
        .queue_bytes = 2 * MB,
        .loss_ppm = 20000,
        .scale = 1,
        .limit_ms = 26000,
        .ratio_milli = 1200},
    {.name = "clean",
        .file_bytes = 1000 * MB,
        .rate_bps = 1000 * MBIT,
        .rtt_ns = SF_MS,
        .queue_bytes = MB,
        .scale = 20,
        .limit_ms = 8889, /* 900 Mbit/s */
        .ratio_milli = 1065},
    {.name = "loss30",
        .file_bytes = 100 * MB,
        .rate_bps = 100 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = 2 * MB,
        .loss_ppm = 300000,
        .scale = 4,
        .limit_ms = 13955, /* 0.9 * (1 - 0.3) * 91 Mbit/s */
        .ratio_milli = 1800},
    {.name = "mars",
        .file_bytes = 1000 * MB,
        .rate_bps = 4 * MBIT,
        .rtt_ns = 2400 * SF_SEC,
        .is_planned = true,
        .queue_bytes = 2 * MB,
        .loss_ppm = 10000,
        .dark_from_ns = 8 * 3600 * SF_SEC,
        .dark_ns = 16 * 3600 * SF_SEC,
        .period_ns = 24 * 3600 * SF_SEC,
        .scale = 20,
        .limit_ms = 4840000, /* 1.10 * (serialisation + one round trip) */
        .ratio_milli = 1200},
    {.name = "small",
        .file_bytes = 500000,
        .rate_bps = 10 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = MB,
        .loss_ppm = 50000,
        .seeds = 20,
        .scale = 1,
        .limit_ms =
            2000, /* 0.4 s of line, and 0.3 s to the other end: one more round trip at most */
        .ratio_milli = 1700},
    {.name = "one-way",
        .file_bytes = 20 * MB,
        .rate_bps = 10 * MBIT,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = MB,
        .loss_ppm = 20000,
        .is_one_way = true,
        .scale = 1,
        .limit_ms = 20000, /* the first time round */
        .ratio_milli = 1250},
    {.name = "thousand",
        .file_bytes = 20 * MB,
        .rate_bps = 10 * MBIT,
        .back_bps = 10 * MBIT / 1000,
        .rtt_ns = 600 * SF_MS,
        .queue_bytes = MB,
        .loss_ppm = 10000,
        .scale = 1,
        .limit_ms = 20500,
        .ratio_milli = 1100},
};

struct run {
    const struct budget *budget;
    uint64_t scale;
    uint64_t seed;
    struct sf_world *world;
    struct sf_transfer_id id;
    bool is_loud;
    sf_mono delivered_at; /* since send; 0: not yet */
    sf_mono final_at;
    struct sf_node_transfer transfer;
};

static void
heard(void *context, unsigned number, const struct sf_node_event *event)
{
    struct run *run = context;

    if (run->is_loud) {
        printf("  %9.3f [%u] %s %s\n", (double)sf_world_now(run->world) / 1e9 - 1, number,
            event->peer, event->text);
    }
}

/* No two words of it are alike: it cannot be made smaller. */
static void
generate(void *context, uint64_t offset, uint8_t *out, size_t bytes)
{
    (void)context;
    for (size_t i = 0; i < bytes; i++, offset++) {
        uint64_t word = (offset / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);

        word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
        out[i] = (uint8_t)((word ^ word >> 31) >> offset % 8 * 8);
    }
}

static struct sf_sim_path_config
path_of(const struct run *run)
{
    const struct budget *budget = run->budget;
    struct sf_sim_path_config path = {.rate_bps = budget->rate_bps / run->scale,
        .delay_ns = budget->rtt_ns / 2,
        .queue_bytes = budget->queue_bytes / run->scale,
        .loss_ppm = budget->loss_ppm,
        .burst_enter_ppm = budget->burst_ppm,
        .burst_leave_ppm = budget->burst_ends_ppm,
        .burst_loss_ppm = budget->burst_ppm > 0 ? 1000000 : 0,
        .mtu_bytes = 1500,
        .period_ns = budget->period_ns};

    if (budget->dark_ns > 0) {
        path.outages[0] = (struct sf_sim_window){budget->dark_from_ns, budget->dark_ns};
        path.outage_count = 1;
    }
    return path;
}

static void
open_world(struct run *run)
{
    struct sf_sim_path_config path = path_of(run);
    struct sf_node_peer conf = {.may_send = true, .may_receive = true, .has_endpoint = true};
    struct sf_node_error error;

    run->world = sf_world_open(run->seed);
    sf_world_path_zero(run->world, SF_SEC);
    sf_world_watch(run->world, heard, run);
    for (unsigned i = 0; i < 2; i++) {
        (void)sf_world_add(run->world, i == GROUND ? "ground" : "sat");
        sf_sim_disk_latency(sf_world_disk(run->world, i), 50 * SF_US, 200 * SF_US);
    }
    sf_world_path(run->world, GROUND, SAT, &path);
    conf.rate_bps = path.rate_bps;
    conf.rtt_ns = run->budget->is_planned ? run->budget->rtt_ns : 0;
    conf.no_return = run->budget->is_one_way;
    sf_world_introduce(run->world, GROUND, SAT, &conf);
    conf.no_return = false;
    if (run->budget->back_bps > 0) {
        path.rate_bps = run->budget->back_bps / run->scale;
    }
    path.loss_ppm = run->budget->is_one_way ? 1000000 : path.loss_ppm;
    sf_world_path(run->world, SAT, GROUND, &path);
    conf.rate_bps = path.rate_bps;
    sf_world_introduce(run->world, SAT, GROUND, &conf);
    sf_assert(sf_world_start(run->world, GROUND, &error) == SF_OK);
    sf_assert(sf_world_start(run->world, SAT, &error) == SF_OK);
}

static bool
is_over(struct sf_world *world, void *context)
{
    struct run *run = context;

    if (run->delivered_at == 0 && sf_world_node(world, SAT) != NULL &&
        sf_world_transfer(world, SAT, &run->id, &run->transfer) &&
        run->transfer.state == SF_NODE_DONE) {
        run->delivered_at = sf_world_now(world) - SF_SEC;
    }
    if (run->delivered_at != 0 && run->budget->is_one_way) {
        return true;
    }
    if (run->delivered_at != 0 && sf_world_transfer(world, GROUND, &run->id, &run->transfer) &&
        run->transfer.state == SF_NODE_DONE) {
        run->final_at = sf_world_now(world) - SF_SEC;
        return true;
    }
    return false;
}

/* Both programs are killed; what their disks have stays, and they start again. */
static void
restart(struct run *run)
{
    struct sf_node_error error;

    (void)sf_world_run_until(run->world, SF_SEC + run->budget->restart_at, is_over, run);
    for (unsigned i = 0; i < 2; i++) {
        sf_world_crash(run->world, i, SF_SIM_DAMAGE_KEEP_ALL);
    }
    sf_world_run(run->world, sf_world_now(run->world) + SF_SEC);
    for (unsigned i = 0; i < 2; i++) {
        sf_assert(sf_world_start(run->world, i, &error) == SF_OK);
    }
}

static bool
judge(const struct run *run)
{
    const struct budget *budget = run->budget;
    uint64_t bytes = budget->file_bytes / run->scale;
    uint64_t forward = sf_world_path_stats(run->world, GROUND, SAT)->bytes_in;
    uint64_t back = sf_world_path_stats(run->world, SAT, GROUND)->bytes_in;
    uint64_t final_ns = budget->is_one_way ? 0 : run->final_at - run->delivered_at;
    bool is_good = run->delivered_at != 0 && run->delivered_at <= budget->limit_ms * SF_MS &&
                   (budget->is_one_way || final_ns <= budget->rtt_ns + FINAL_NS) &&
                   forward <= bytes / 1000 * budget->ratio_milli &&
                   (budget->is_one_way || back <= SESSION_BYTES ||
                       (back - SESSION_BYTES) * RETURN_SHARE <= forward * run->scale);

    printf("%-12s %8.1f MB  %9.3f s of %9.3f  FINAL +%9.3f s  sent %.4f of %.3f  back %.5f%s\n",
        budget->name, (double)bytes / 1e6, (double)run->delivered_at / 1e9,
        (double)budget->limit_ms / 1e3, (double)final_ns / 1e9, (double)forward / (double)bytes,
        budget->ratio_milli / 1e3, (double)back / (double)forward / (double)run->scale,
        is_good ? "" : "  OVERDRAWN");
    return is_good;
}

static bool
spend(const struct budget *budget, uint64_t scale, uint64_t seed)
{
    static const char *const paths[] = {"source/file"};
    static const unsigned to[] = {SAT};
    struct run run = {
        .budget = budget, .scale = scale, .seed = seed, .is_loud = getenv("SF_VERBOSE") != NULL};
    struct sf_world_send send = {
        .from = GROUND, .to = to, .to_count = 1, .label = "file", .paths = paths, .path_count = 1};
    struct sf_node_error error;
    bool is_good;

    open_world(&run);
    sf_assert(sf_sim_disk_source(sf_world_disk(run.world, GROUND), paths[0],
                  budget->file_bytes / scale, generate, NULL) == SF_OK);
    sf_assert(sf_world_send(run.world, &send, &run.id, &error) == SF_OK);
    if (budget->restart_at > 0) {
        restart(&run);
    }
    (void)sf_world_run_until(run.world, SF_SEC + LIMIT_NS, is_over, &run);
    is_good = judge(&run);
    sf_world_close(run.world);
    return is_good;
}

int
main(int argc, char **argv)
{
    bool is_full = argc > 1 && strcmp(argv[1], "full") == 0;
    const char *name = argc > 1 + is_full ? argv[1 + is_full] : NULL;
    bool is_good = true;
    unsigned runs = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(budgets) / sizeof(*budgets); i++) {
        if (name == NULL || strcmp(name, budgets[i].name) == 0) {
            for (unsigned seed = 1; seed <= (budgets[i].seeds > 0 ? budgets[i].seeds : 1); seed++) {
                is_good &= spend(&budgets[i], is_full ? 1 : budgets[i].scale, seed);
                runs++;
            }
        }
    }
    return is_good && runs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
