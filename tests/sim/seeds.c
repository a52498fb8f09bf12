/*
 * seeds.c - many short lives of three nodes, each from one seed: random paths,
 * files, crashes under every damage model, failing and full disks, cancels,
 * both directions at once. Then the faults stop, and everything must come to a
 * good end.
 *
 *     seeds                what `make check` runs: the regressions, then 20 seeds
 *     seeds COUNT [FIRST]  so many seeds, from that one on
 *     SF_VERBOSE=1 seeds 1 SEED    one of them, with its events
 *
 * What is checked, after every restart and at the end: custody once said is
 * kept; what receipts list is held; inboxes show whole files, each once;
 * whatever ended gave its room back; without media faults nothing fails.
 * Stops at the first seed that shows otherwise and prints it.
 */
#include "node/internal.h"
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 3, TRANSFERS = 6, ROUNDS = 25, SEEDS_DEFAULT = 20 };

/* Seeds that once failed. */
static const uint64_t regressions[] = {
#include "tests/sim/regressions"
    0,
};

struct sent {
    struct sf_transfer_id id;
    unsigned from;
    unsigned to[NODES];
    unsigned to_count;
    uint64_t bytes;
    uint64_t content;
    char label[16];
    char path[32];
    bool has_custody;
    bool is_cancelled; /* by either end: it may or may not have arrived */
    bool is_forgotten; /* a crash came before it was a fact */
    bool is_resumable;
};

struct life {
    uint64_t seed;
    struct sf_world *world;
    struct sf_prng prng;
    struct sent sent[TRANSFERS];
    unsigned count;
    bool has_media_faults; /* ever: transfers may fail with a reason */
    bool has_disk_limits;  /* now */
    unsigned failures;
    bool is_loud;
};

static const char *const names[NODES] = {"ground", "sat", "edge"};

static void __attribute__((format(printf, 2, 3))) fail(struct life *life, const char *format, ...)
{
    va_list arguments;

    if (life->failures++ < 10) {
        printf("seeds: seed %llu at %.3f s: ", (unsigned long long)life->seed,
            (double)sf_world_now(life->world) / 1e9);
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        printf("\n");
    }
}

static uint64_t
pick(struct life *life, uint64_t below)
{
    return sf_prng_below(&life->prng, below);
}

static void
heard(void *context, unsigned number, const struct sf_node_event *event)
{
    struct life *life = context;

    for (unsigned i = 0; i < life->count; i++) {
        struct sent *sent = &life->sent[i];

        if (sent->from == number && sf_transfer_equal(&sent->id, &event->transfer) &&
            strcmp(event->text, "in custody") == 0) {
            sent->has_custody = true;
        }
    }
    if (life->is_loud) {
        printf("  %9.3f [%u] %02x%02x %s %s\n", (double)sf_world_now(life->world) / 1e9, number,
            event->transfer.b[0], event->transfer.b[1], event->peer, event->text);
    }
}

/* --- What there is ------------------------------------------------------------------------ */

static void
random_path(struct life *life, unsigned a, unsigned b)
{
    static const uint64_t delays[] = {SF_MS, 20 * SF_MS, 300 * SF_MS, 2 * SF_SEC};
    struct sf_sim_path_config path = {
        .delay_ns = delays[pick(life, 4)],
        .jitter_ns = pick(life, 3) == 0 ? pick(life, 50) * SF_MS : 0,
        .rate_bps = 2000000 + pick(life, 50000000),
        .queue_bytes = 100000 + pick(life, 2000000),
        .loss_ppm = (uint32_t)(pick(life, 2) == 0 ? pick(life, 300000) : pick(life, 20000)),
        .corrupt_ppm = (uint32_t)pick(life, 10000),
        .duplicate_ppm = (uint32_t)pick(life, 50000),
        .reorder_ppm = (uint32_t)pick(life, 50000),
        .reorder_ns = pick(life, 500) * SF_MS,
    };

    if (pick(life, 3) == 0) {
        path.period_ns = 60 * SF_SEC;
        path.outages[0] = (struct sf_sim_window){pick(life, 30) * SF_SEC, pick(life, 25) * SF_SEC};
        path.outage_count = 1;
    }
    sf_world_path(life->world, a, b, &path);
    path.loss_ppm = (uint32_t)pick(life, 50000);
    sf_world_path(life->world, b, a, &path);
}

static void
calm_paths(struct life *life)
{
    const struct sf_sim_path_config path = {.delay_ns = 20 * SF_MS, .rate_bps = 50000000};

    for (unsigned a = 0; a < NODES; a++) {
        for (unsigned b = 0; b < NODES; b++) {
            if (a != b) {
                sf_world_path(life->world, a, b, &path);
            }
        }
    }
}

/* A start that fails is tried again when the disk has been healed. */
static void
start(struct life *life, unsigned number)
{
    struct sf_node_error error;
    int status = sf_world_start(life->world, number, &error);

    if (status == SF_OK) {
        return;
    }
    if (status != SF_EIO && status != SF_ENOSPC) {
        fail(life, "%s does not start: %s", names[number], error.text);
    }
    sf_sim_disk_heal(sf_world_disk(life->world, number));
    sf_sim_disk_set_capacity(sf_world_disk(life->world, number), 0);
    sf_world_crash(life->world, number, SF_SIM_DAMAGE_LOSE_ALL);
    if (sf_world_start(life->world, number, &error) != SF_OK) {
        fail(life, "%s does not start on a healthy disk: %s", names[number], error.text);
    }
}

static void
open_life(struct life *life)
{
    static const struct sf_node_peer conf = {
        .may_send = true, .may_receive = true, .has_endpoint = true, .rate_bps = 20000000};

    sf_prng_init(&life->prng, life->seed);
    life->world = sf_world_open(life->seed);
    sf_world_watch(life->world, heard, life);
    for (unsigned i = 0; i < NODES; i++) {
        (void)sf_world_add(life->world, names[i]);
        sf_world_config(life->world, i)->class_bytes = pick(life, 2) == 0 ? 0 : 16384;
        sf_world_config(life->world, i)->reserve_bytes = 2 << 20;
        sf_sim_disk_latency(
            sf_world_disk(life->world, i), 20 * SF_US, 100 * SF_US + pick(life, 20) * SF_MS);
    }
    for (unsigned a = 0; a < NODES; a++) {
        for (unsigned b = 0; b < NODES; b++) {
            if (a != b) {
                sf_world_introduce(life->world, a, b, &conf);
            }
            if (a < b) {
                random_path(life, a, b);
            }
        }
        start(life, a);
    }
}

/* --- Transfers ------------------------------------------------------------------------------- */

static void
order_of(const struct sent *sent, struct sf_world_send *ret_order, const char **path)
{
    *path = sent->path;
    *ret_order = (struct sf_world_send){
        .from = sent->from,
        .to = sent->to,
        .to_count = sent->to_count,
        .label = sent->label,
        .paths = path,
        .path_count = 1,
    };
}

static void
send_one(struct life *life)
{
    struct sent *sent = &life->sent[life->count];
    struct sf_world_send order;
    struct sf_node_error error;
    const char *path;
    int status;

    if (life->count == TRANSFERS) {
        return;
    }
    *sent = (struct sent){
        .from = (unsigned)pick(life, NODES),
        .to_count = 1 + (unsigned)pick(life, 2),
        .bytes = pick(life, 4) == 0 ? pick(life, 3) * 4095 : pick(life, 3000000),
        .content = life->seed * 1000 + life->count,
    };
    if (sf_world_is_off(life->world, sent->from)) {
        return;
    }
    for (unsigned i = 0; i < sent->to_count; i++) {
        sent->to[i] = (sent->from + 1 + i) % NODES;
    }
    snprintf(sent->label, sizeof(sent->label), "t%u", life->count);
    snprintf(sent->path, sizeof(sent->path), "source/t%u", life->count);
    if (sf_sim_disk_source(sf_world_disk(life->world, sent->from), sent->path, sent->bytes,
            sf_sim_disk_generate, &sent->content) != SF_OK) {
        abort();
    }
    life->count++;
    order_of(sent, &order, &path);
    order.priority = (uint8_t)pick(life, 256);
    status = sf_world_send(life->world, &order, &sent->id, &error);
    if (status != SF_OK) {
        sent->is_forgotten = true;
        if (!life->has_media_faults && !life->has_disk_limits) {
            fail(life, "%s is not taken: %s", sent->label, error.text);
        }
    }
}

/* After its sender came back: resume, or see that it never was a fact. */
static void
look_after(struct life *life, struct sent *sent)
{
    struct sf_node_transfer transfer;
    struct sf_world_send order;
    struct sf_node_error error;
    struct sf_transfer_id id;
    const char *path;

    if (sent->is_forgotten || sf_world_is_off(life->world, sent->from)) {
        return;
    }
    if (!sf_world_transfer(life->world, sent->from, &sent->id, &transfer)) {
        if (sent->has_custody) {
            fail(life, "%s was in custody and is forgotten", sent->label);
        }
        sent->is_forgotten = true;
        return;
    }
    if (sent->has_custody && !sent->is_cancelled && !life->has_media_faults &&
        transfer.state != SF_NODE_CUSTODY && transfer.state != SF_NODE_DONE) {
        fail(life, "%s was in custody and is %s: %s", sent->label,
            sf_node_state_name(transfer.state), transfer.why);
    }
    if (transfer.state == SF_NODE_INTERRUPTED) {
        order_of(sent, &order, &path);
        order.has_resume = true;
        order.resume = sent->id;
        if (sf_world_send(life->world, &order, &id, &error) != SF_OK && !life->has_media_faults) {
            fail(life, "%s cannot be resumed: %s", sent->label, error.text);
        }
    }
}

/* --- What must hold --------------------------------------------------------------------------- */

static bool
is_whole(struct life *life, const struct sent *sent, unsigned number)
{
    static uint8_t expected[65536];
    static uint8_t actual[65536];
    char path[64];
    uint64_t offset = 0;
    size_t count;

    snprintf(path, sizeof(path), "inbox/%s/%s", names[sent->from], sent->label);
    do {
        if (sf_sim_disk_get(sf_world_disk(life->world, number), path, offset, actual,
                sizeof(actual), &count) != SF_OK) {
            return false;
        }
        if (count == 0) {
            break;
        }
        sf_sim_disk_generate((void *)(uintptr_t)&sent->content, offset, expected, count);
        if (memcmp(actual, expected, count) != 0) {
            return false;
        }
        offset += count;
    } while (count == sizeof(actual));
    return offset == sent->bytes;
}

static size_t
list(struct life *life, unsigned number, const char *path, uint8_t *out, size_t bytes_max)
{
    struct sf_disk_op op = {.kind = SF_DISK_LIST, .path = path, .data = out, .bytes = bytes_max};

    return sf_disk_run(sf_sim_disk_interface(sf_world_disk(life->world, number)), &op) == SF_OK
               ? op.ret_bytes
               : 0;
}

/* Every name in an inbox is that of a transfer, once, and whole. */
static void
check_inboxes(struct life *life)
{
    static uint8_t entries[65536];

    for (unsigned at = 0; at < NODES; at++) {
        for (unsigned from = 0; from < NODES; from++) {
            char path[64];
            size_t bytes;

            snprintf(path, sizeof(path), "inbox/%s", names[from]);
            bytes = list(life, at, path, entries, sizeof(entries));
            for (size_t i = 0; i < bytes;) {
                const char *name = (const char *)entries + i;
                unsigned number = (unsigned)atoi(name + 1);

                i += strlen(name) + 1;
                if (strchr(name, '~') != NULL || number >= life->count) {
                    fail(life, "%s/%s at %s: delivered twice", path, name, names[at]);
                } else if (!is_whole(life, &life->sent[number], at)) {
                    fail(life, "%s/%s at %s is not the whole file", path, name, names[at]);
                }
            }
        }
    }
}

static void
check_receipts(struct life *life, const struct sent *sent)
{
    const struct outbound *out =
        sf_world_is_off(life->world, sent->from)
            ? NULL
            : outbound_find(sf_world_node(life->world, sent->from), &sent->id);

    for (unsigned i = 0; out != NULL && i < sent->to_count; i++) {
        const struct sf_range_set *told = &out->to[i].receipts.held;
        const struct inbound *in;

        if (told->count == 0 || sf_world_is_off(life->world, sent->to[i]) ||
            out->record.phase > SF_OUT_CUSTODY) {
            continue;
        }
        in = inbound_find(sf_world_node(life->world, sent->to[i]), &sent->id,
            &sf_node_card(sf_world_node(life->world, sent->from))->fingerprint);
        if (in == NULL) {
            fail(life, "%s: receipts of %s speak of what it does not know", sent->label,
                names[sent->to[i]]);
            continue;
        }
        for (size_t k = 0; k < told->count && in->record.phase < SF_IN_DELIVERING &&
                           in->record.generation == out->to[i].receipts.generation;
             k++) {
            if (!sf_range_set_covers(&in->held, told->ranges[k].from, told->ranges[k].to)) {
                fail(life, "%s: a receipt of %s lists what it does not hold", sent->label,
                    names[sent->to[i]]);
            }
        }
    }
}

static void
check_all(struct life *life)
{
    for (unsigned i = 0; i < life->count; i++) {
        look_after(life, &life->sent[i]);
        if (!life->sent[i].is_forgotten) {
            check_receipts(life, &life->sent[i]);
        }
    }
    check_inboxes(life);
}

/* --- What happens ------------------------------------------------------------------------------- */

static void
restart(struct life *life, unsigned number)
{
    enum sf_sim_damage_model model = (enum sf_sim_damage_model)pick(life, SF_SIM_DAMAGE_MODELS);

    if (life->is_loud) {
        printf("  %9.3f [%u] power cut, model %u\n", (double)sf_world_now(life->world) / 1e9,
            number, (unsigned)model);
    }
    sf_world_crash(life->world, number, model);
    if (pick(life, 3) == 0) {
        sf_world_run(life->world, sf_world_now(life->world) + pick(life, 3600) * SF_SEC);
    }
    start(life, number);
    check_all(life);
}

static void
cancel_one(struct life *life)
{
    struct sent *sent = &life->sent[pick(life, TRANSFERS)];
    unsigned at = pick(life, 2) == 0 ? sent->from : sent->to[0];
    struct sf_node_error error;

    if (sent >= life->sent + life->count || sent->is_forgotten ||
        sf_world_is_off(life->world, at) ||
        sf_world_cancel(life->world, at, &sent->id, &error) != SF_OK) {
        return;
    }
    sent->is_cancelled = true;
    if (life->is_loud) {
        printf(
            "  %9.3f [%u] cancels %s\n", (double)sf_world_now(life->world) / 1e9, at, sent->label);
    }
}

static void
hurt_disk(struct life *life, unsigned number)
{
    struct sf_sim_disk *disk = sf_world_disk(life->world, number);
    struct sf_sim_disk_stats stats;

    switch (pick(life, 3)) {
    case 0:
        life->has_media_faults = true;
        sf_sim_disk_set_rates(
            disk, &(struct sf_sim_disk_rates){.read_error_ppm = (uint32_t)pick(life, 20000),
                      .write_error_ppm = (uint32_t)pick(life, 5000),
                      .sync_error_ppm = (uint32_t)pick(life, 5000)});
        break;
    case 1:
        sf_sim_disk_get_stats(disk, &stats);
        sf_sim_disk_set_capacity(disk, stats.used_bytes + pick(life, 4 << 20));
        life->has_disk_limits = true;
        break;
    default:
        sf_sim_disk_heal(disk);
        sf_sim_disk_set_capacity(disk, 0);
        break;
    }
}

static void
one_round(struct life *life)
{
    unsigned number = (unsigned)pick(life, NODES);

    switch (pick(life, 12)) {
    case 0:
    case 1:
    case 2:
        send_one(life);
        break;
    case 3:
    case 4:
    case 5:
        restart(life, number);
        break;
    case 6:
        if (life->seed % 4 == 0) {
            cancel_one(life);
        }
        break;
    case 7:
        if (life->seed % 3 == 0) {
            hurt_disk(life, number);
        }
        break;
    case 8:
        random_path(life, number, (number + 1) % NODES);
        break;
    default:
        break;
    }
    sf_world_run(
        life->world, sf_world_now(life->world) +
                         (pick(life, 2) == 0 ? pick(life, 300) * SF_MS : pick(life, 8000) * SF_MS));
    for (unsigned i = 0; i < NODES; i++) {
        if (sf_world_is_off(life->world, i)) {
            restart(life, i);
        }
    }
}

/* --- The end --------------------------------------------------------------------------------------- */

static bool
has_ended(struct life *life, const struct sent *sent)
{
    struct sf_node_transfer transfer;

    if (sent->is_forgotten || !sf_world_transfer(life->world, sent->from, &sent->id, &transfer)) {
        return true;
    }
    if (transfer.state == SF_NODE_DONE) {
        return true;
    }
    for (unsigned i = 0; i < transfer.recipient_count; i++) {
        if (transfer.recipients[i].state <= SF_NODE_TO_PAUSED) {
            return false;
        }
    }
    return transfer.state == SF_NODE_CANCELLED || transfer.state == SF_NODE_FAILED;
}

static bool
all_ended(struct sf_world *world, void *context)
{
    struct life *life = context;

    (void)world;
    for (unsigned i = 0; i < life->count; i++) {
        if (!has_ended(life, &life->sent[i])) {
            return false;
        }
    }
    return true;
}

static void
check_end(struct life *life, const struct sent *sent)
{
    struct sf_node_transfer transfer;

    if (sent->is_forgotten || !sf_world_transfer(life->world, sent->from, &sent->id, &transfer)) {
        return;
    }
    if (!has_ended(life, sent)) {
        fail(life, "%s is %s; %s: %s %s", sent->label, sf_node_state_name(transfer.state),
            transfer.recipients[0].name, sf_node_recipient_state_name(transfer.recipients[0].state),
            transfer.recipients[0].why);
    } else if (transfer.state == SF_NODE_DONE) {
        for (unsigned i = 0; i < sent->to_count; i++) {
            if (!is_whole(life, sent, sent->to[i])) {
                fail(life, "%s is done, and %s does not have it", sent->label, names[sent->to[i]]);
            }
        }
    } else if (!sent->is_cancelled && !life->has_media_faults && !life->has_disk_limits) {
        fail(life, "%s is %s: %s", sent->label, sf_node_state_name(transfer.state), transfer.why);
    } else if (transfer.why[0] == '\0') {
        fail(life, "%s is %s without a reason", sent->label, sf_node_state_name(transfer.state));
    }
}

/* Whoever refused or failed has been told; what is cancelled leaves nothing. */
static void
cancel_failed(struct life *life)
{
    for (unsigned i = 0; i < life->count; i++) {
        struct sf_node_transfer transfer;
        struct sf_node_error error;

        if (sf_world_transfer(life->world, life->sent[i].from, &life->sent[i].id, &transfer) &&
            transfer.state == SF_NODE_FAILED) {
            (void)!sf_world_cancel(life->world, life->sent[i].from, &life->sent[i].id, &error);
        }
    }
}

static void
end_life(struct life *life)
{
    static uint8_t entries[65536];

    if (life->is_loud) {
        printf("  %9.3f calm\n", (double)sf_world_now(life->world) / 1e9);
    }
    calm_paths(life);
    for (unsigned i = 0; i < NODES; i++) {
        sf_sim_disk_heal(sf_world_disk(life->world, i));
        sf_sim_disk_set_capacity(sf_world_disk(life->world, i), 0);
        if (sf_world_is_off(life->world, i)) {
            sf_world_crash(life->world, i, SF_SIM_DAMAGE_LOSE_ALL);
            start(life, i);
        }
    }
    check_all(life);
    (void)sf_world_run_until(
        life->world, sf_world_now(life->world) + 2400 * SF_SEC, all_ended, life);
    for (unsigned i = 0; i < life->count; i++) {
        check_end(life, &life->sent[i]);
    }
    check_inboxes(life);
    cancel_failed(life);
    sf_world_run(life->world, sf_world_now(life->world) + 600 * SF_SEC);
    for (unsigned i = 0; i < NODES; i++) {
        if (list(life, i, "spool", entries, sizeof(entries)) > 0 ||
            list(life, i, "staging", entries, sizeof(entries)) > 0) {
            fail(life, "%s has not freed everything", names[i]);
        }
    }
}

static bool
live(uint64_t seed)
{
    struct life *life = calloc(1, sizeof(*life));
    bool is_good;

    if (life == NULL) {
        abort();
    }
    life->seed = seed;
    life->is_loud = getenv("SF_VERBOSE") != NULL;
    open_life(life);
    send_one(life);
    for (unsigned i = 0; i < ROUNDS; i++) {
        one_round(life);
    }
    end_life(life);
    is_good = life->failures == 0;
    sf_world_close(life->world);
    free(life);
    return is_good;
}

int
main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : SEEDS_DEFAULT;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc == 1 && i + 1 < sizeof(regressions) / sizeof(regressions[0]); i++) {
        if (!live(regressions[i])) {
            return EXIT_FAILURE;
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!live(first + i)) {
            return EXIT_FAILURE;
        }
    }
    printf("%llu seeds from %llu\n", (unsigned long long)count, (unsigned long long)first);
    return EXIT_SUCCESS;
}
