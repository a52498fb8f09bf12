/*
 * crash_node.c - power cuts and failing operations at every disk operation of
 * a whole transfer, at its sender and at its receiver.
 *
 * A reference run counts the disk operations of each end, from the first start
 * of the node to the last byte freed. Then the same run is cut off at each of
 * them under every damage model; the end is started again, what was interrupted
 * is sent again, as a person would, and everything must end as if nothing had
 * happened: delivered once, whole, both ends freed. In between:
 *
 *   custody   a transfer said to be in custody is there, with all its bundles
 *   receipts  what the sender was told is held is held, after any crash
 *   inbox     shows nothing, or the whole
 *
 * In a second part operations fail, once and for ever, with EIO and ENOSPC, and
 * in a third allocations; then disk or memory is well again and the node started
 * anew. It must be delivered, or have failed with a reason, and never in halves.
 *
 *     crash_node           what `make check` runs: every fourth state or so
 *     crash_node full      all of them
 *     crash_node SHAPE WHO OPERATION MODEL            one cut, with its events
 *     crash_node fault SHAPE WHO OPERATION VARIANT    one failing operation
 *     crash_node memory SHAPE WHO CALL FOR_EVER       one failing allocation
 */
#include "node/internal.h"
#include "sim/memory.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUND, SAT };
enum { SHAPE_FILE, SHAPE_DIRECTORY, SHAPES };
enum { FILE_BYTES = 70000, SMALL_BYTES = 3000, STEPS_MAX = 300000 };

#define PATIENCE (900 * SF_SEC)

struct run {
    struct sf_world *world;
    struct sf_transfer_id id;
    unsigned shape;
    bool has_custody; /* it was said */
    bool may_fail;    /* a send, for its disk is told to */
    bool is_loud;
    uint64_t steps;
    char what[128];
};

static uint8_t content[FILE_BYTES]; /* compressible here, not there, zeros in between */
static uint64_t states;
static unsigned failures;

static void
fail(const struct run *run, const char *text)
{
    if (failures++ < 20) {
        printf("crash_node: %s: %s\n", run->what, text);
    }
}

static void
make_content(void)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 5);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        uint64_t byte = sf_prng_below(&prng, 256);

        if (i < 40000) {
            content[i] = (uint8_t)(byte < 150 ? i % 7 : byte); /* LZ4, longer than half a frame */
        } else if (i < 58000) {
            content[i] = 0;
        } else {
            content[i] = (uint8_t)byte;
        }
    }
}

static void
heard(void *context, unsigned number, const struct sf_node_event *event)
{
    struct run *run = context;

    if (number == GROUND && sf_transfer_equal(&event->transfer, &run->id) &&
        strcmp(event->text, "in custody") == 0) {
        run->has_custody = true;
    }
    if (run->is_loud) {
        printf("  %9.4f [%u] %02x %s\n", (double)sf_world_now(run->world) / 1e9, number,
            event->transfer.b[0], event->text);
    }
}

/* --- Starting and sending ----------------------------------------------------------------- */

static void
start(struct run *run, unsigned number)
{
    struct sf_node_error error;

    if (sf_world_start(run->world, number, &error) != SF_OK) {
        fail(run, error.text);
    }
}

static void
open_world(struct run *run)
{
    struct sf_sim_disk *ground;

    run->world = sf_world_open(77);
    sf_world_watch(run->world, heard, run);
    (void)sf_world_add(run->world, "ground");
    (void)sf_world_add(run->world, "sat");
    sf_world_introduce(run->world, GROUND, SAT, NULL);
    sf_world_introduce(run->world, SAT, GROUND, NULL);
    for (unsigned i = 0; i < 2; i++) {
        sf_world_config(run->world, i)->class_bytes = 16384;
        sf_sim_disk_latency(sf_world_disk(run->world, i), 50 * SF_US, SF_MS);
    }
    ground = sf_world_disk(run->world, GROUND);
    if (sf_sim_disk_put(ground, "source/a", sf_view(content, FILE_BYTES)) != SF_OK ||
        sf_sim_disk_put(ground, "source/b", sf_view(content + 50000, SMALL_BYTES)) != SF_OK) {
        abort();
    }
}

static void
send_it(struct run *run, bool is_resume)
{
    static const unsigned to[] = {SAT};
    static const char *const paths[] = {"source/a", "source/b"};
    static const char *const names[] = {"a", "below/b"};
    struct sf_world_send order = {.from = GROUND,
        .to = to,
        .to_count = 1,
        .label = "thing",
        .paths = paths,
        .path_count = 1,
        .priority = SF_NODE_PRIORITY_DEFAULT,
        .has_resume = is_resume,
        .resume = run->id};
    struct sf_node_error error;

    if (run->shape == SHAPE_DIRECTORY) {
        order.names = names;
        order.path_count = 2;
    }
    if (sf_world_send(run->world, &order, &run->id, &error) != SF_OK &&
        !sf_world_is_off(run->world, GROUND) && !run->may_fail) {
        fail(run, error.text);
    }
}

/* --- What must hold -------------------------------------------------------------------------- */

static bool
is_content(struct run *run, const char *path, const uint8_t *expected, size_t bytes)
{
    static uint8_t actual[FILE_BYTES + 1];
    size_t count;

    return sf_sim_disk_get(sf_world_disk(run->world, SAT), path, 0, actual, bytes + 1, &count) ==
               SF_OK &&
           count == bytes && memcmp(actual, expected, bytes) == 0;
}

static size_t
count_names(struct run *run, unsigned number, const char *path)
{
    static uint8_t names[65536];
    struct sf_disk_op op = {
        .kind = SF_DISK_LIST, .path = path, .data = names, .bytes = sizeof(names)};
    size_t count = 0;

    if (sf_disk_run(sf_sim_disk_interface(sf_world_disk(run->world, number)), &op) != SF_OK) {
        return 0;
    }
    for (size_t i = 0; i < op.ret_bytes; i++) {
        count += names[i] == 0;
    }
    return count;
}

static bool
is_delivered(struct run *run)
{
    if (run->shape == SHAPE_FILE) {
        return is_content(run, "inbox/ground/thing", content, FILE_BYTES);
    }
    return is_content(run, "inbox/ground/thing/a", content, FILE_BYTES) &&
           is_content(run, "inbox/ground/thing/below/b", content + 50000, SMALL_BYTES);
}

/* Nothing, or the whole. */
static void
check_inbox(struct run *run)
{
    size_t count = count_names(run, SAT, "inbox/ground");

    if (count > 1) {
        fail(run, "delivered twice");
    } else if (count == 1 && !is_delivered(run)) {
        fail(run, "the inbox shows something that is not the whole");
    }
}

static const struct outbound *
outbound_of(struct run *run)
{
    return sf_world_is_off(run->world, GROUND)
               ? NULL
               : outbound_find(sf_world_node(run->world, GROUND), &run->id);
}

/* What the sender was told is held is there, or behind the verified front, or delivered. */
static void
check_receipts(struct run *run)
{
    const struct outbound *out = outbound_of(run);
    const struct sf_range_set *told = out == NULL ? NULL : &out->to[0].receipts.held;
    const struct inbound *in;

    if (told == NULL || told->count == 0 || sf_world_is_off(run->world, SAT)) {
        return;
    }
    in = inbound_find(sf_world_node(run->world, SAT), &run->id,
        &sf_node_card(sf_world_node(run->world, GROUND))->fingerprint);
    if (in == NULL) {
        fail(run, "receipts speak of a transfer that the receiver does not know");
        return;
    }
    for (size_t i = 0; i < told->count && in->record.phase < SF_IN_DELIVERING; i++) {
        if (!sf_range_set_covers(&in->held, told->ranges[i].from, told->ranges[i].to)) {
            fail(run, "a receipt lists a bundle that is not held");
        }
    }
}

static void
check_custody(struct run *run)
{
    const struct outbound *out = outbound_of(run);

    if (!run->has_custody || sf_world_is_off(run->world, GROUND)) {
        return;
    }
    if (out == NULL) {
        fail(run, "a transfer in custody is forgotten");
    } else if (out->record.phase != SF_OUT_CUSTODY && out->record.phase != SF_OUT_DONE) {
        fail(run, "a transfer in custody is not any more");
    } else if (out->record.phase == SF_OUT_CUSTODY &&
               !sf_range_set_covers(&out->sealed, 0, out->record.count)) {
        fail(run, "a transfer in custody lacks bundles");
    } else if (out->record.phase == SF_OUT_DONE && !is_delivered(run)) {
        fail(run, "freed, and yet not delivered");
    }
}

/* --- Going on ------------------------------------------------------------------------------------ */

static bool
has_ended(struct sf_world *world, void *context)
{
    struct run *run = context;
    struct sf_node_transfer transfer;

    if (run->steps++ == STEPS_MAX) {
        fail(run, "it does nothing, over and over");
    }
    if (run->steps > STEPS_MAX || sf_world_is_off(world, GROUND) || sf_world_is_off(world, SAT)) {
        return true;
    }
    return sf_world_transfer(world, GROUND, &run->id, &transfer) &&
           (transfer.state == SF_NODE_DONE || transfer.state == SF_NODE_FAILED);
}

static bool
go_on(struct run *run, uint64_t span)
{
    return sf_world_run_until(run->world, sf_world_now(run->world) + span, has_ended, run);
}

/* Start an end again after its power was cut. */
static void
restart(struct run *run, unsigned who, enum sf_sim_damage_model model)
{
    sf_world_crash(run->world, who, model);
    check_inbox(run);
    start(run, who);
    if (sf_world_is_off(run->world, who)) {
        return;
    }
    check_custody(run);
    check_receipts(run);
}

/* What a person does who sees that it is interrupted, or that nothing is known of it. */
static void
send_again(struct run *run)
{
    struct sf_node_transfer transfer;

    if (sf_world_is_off(run->world, GROUND)) {
        return;
    }
    if (!sf_world_transfer(run->world, GROUND, &run->id, &transfer)) {
        send_it(run, false);
    } else if (transfer.state == SF_NODE_INTERRUPTED) {
        send_it(run, true);
    }
}

static bool
is_done(struct run *run)
{
    struct sf_node_transfer transfer;

    return sf_world_transfer(run->world, GROUND, &run->id, &transfer) &&
           transfer.state == SF_NODE_DONE;
}

static void
check_end(struct run *run)
{
    struct sf_node_transfer transfer;

    if (!is_done(run)) {
        memset(&transfer, 0, sizeof(transfer));
        (void)sf_world_transfer(run->world, GROUND, &run->id, &transfer);
        fail(run, "not done in time");
        if (run->is_loud) {
            printf("state %s why '%s' to %s '%s'\n", sf_node_state_name(transfer.state),
                transfer.why, sf_node_recipient_state_name(transfer.recipients[0].state),
                transfer.recipients[0].why);
        }
        return;
    }
    if (!is_delivered(run)) {
        fail(run, "done, and yet not delivered");
    }
    check_inbox(run);
    sf_world_run(run->world, sf_world_now(run->world) + 90 * SF_SEC);
    for (unsigned i = 0; i < 2; i++) {
        if (count_names(run, i, "spool") != 0 || count_names(run, i, "staging") != 0) {
            fail(run, i == GROUND ? "the sender did not free it" : "the receiver did not free it");
        }
    }
}

/* --- Cuts -------------------------------------------------------------------------------------------- */

/* What a run does at one end: from the first of its start, before the send, and in all. */
struct counts {
    uint64_t operations_before, operations;
    uint64_t allocations_before, allocations;
};

static struct counts
count_all(unsigned shape, unsigned who)
{
    struct run run = {.shape = shape, .what = "the reference run"};
    struct counts counts;

    open_world(&run);
    start(&run, GROUND);
    start(&run, SAT);
    sf_world_run(run.world, sf_world_now(run.world) + 50 * SF_MS);
    counts.operations_before = sf_sim_disk_operations(sf_world_disk(run.world, who));
    counts.allocations_before = sf_world_memory(run.world, who)->calls;
    send_it(&run, false);
    (void)go_on(&run, PATIENCE);
    sf_world_run(run.world, sf_world_now(run.world) + 60 * SF_SEC);
    check_end(&run);
    counts.operations = sf_sim_disk_operations(sf_world_disk(run.world, who));
    counts.allocations = sf_world_memory(run.world, who)->calls;
    sf_world_close(run.world);
    return counts;
}

/* Start, or start again at once if the cut comes in between. */
static void
start_through(struct run *run, unsigned number, enum sf_sim_damage_model model)
{
    struct sf_node_error error;

    if (sf_world_start(run->world, number, &error) != SF_OK ||
        sf_world_is_off(run->world, number)) {
        sf_world_crash(run->world, number, model);
        start(run, number);
    }
}

static void
cut(unsigned shape, unsigned who, uint64_t operation, enum sf_sim_damage_model model, bool is_loud)
{
    struct run run = {.shape = shape, .is_loud = is_loud};

    snprintf(run.what, sizeof(run.what), "shape %u, node %u, cut at %llu, model %u", shape, who,
        (unsigned long long)operation, (unsigned)model);
    states++;
    open_world(&run);
    sf_sim_disk_cut_at(sf_world_disk(run.world, who), operation);
    start_through(&run, GROUND, model);
    start_through(&run, SAT, model);
    sf_world_run(run.world, sf_world_now(run.world) + 50 * SF_MS);
    if (sf_world_is_off(run.world, who)) {
        restart(&run, who, model);
    }
    send_it(&run, false);
    (void)go_on(&run, PATIENCE);
    if (sf_world_is_off(run.world, who)) {
        if (is_loud) {
            printf("  %9.4f [%u] power cut\n", (double)sf_world_now(run.world) / 1e9, who);
        }
        restart(&run, who, model);
    }
    send_again(&run);
    (void)go_on(&run, PATIENCE);
    if (!sf_world_is_off(run.world, who)) {
        /* The cut may come while it is freed. */
        sf_world_run(run.world, sf_world_now(run.world) + 60 * SF_SEC);
    }
    if (sf_world_is_off(run.world, who)) {
        restart(&run, who, model);
        send_again(&run);
        (void)go_on(&run, PATIENCE);
    }
    sf_sim_disk_cut_at(sf_world_disk(run.world, who), SF_NEVER);
    check_end(&run);
    sf_world_close(run.world);
}

/* --- Faults --------------------------------------------------------------------------------------------- */

static void
open_to_fail(struct run *run)
{
    run->is_loud = getenv("SF_VERBOSE") != NULL;
    states++;
    open_world(run);
    start(run, GROUND);
    start(run, SAT);
    sf_world_run(run->world, sf_world_now(run->world) + 50 * SF_MS);
}

/* Delivered, or failed with a reason. */
static void
check_outcome(struct run *run)
{
    struct sf_node_transfer transfer;

    memset(&transfer, 0, sizeof(transfer));
    if (sf_world_is_off(run->world, GROUND) || sf_world_is_off(run->world, SAT)) {
        fail(run, "a healthy node stopped");
    } else if (!sf_world_transfer(run->world, GROUND, &run->id, &transfer)) {
        fail(run, "forgotten");
    } else if (transfer.state == SF_NODE_FAILED) {
        if (transfer.why[0] == '\0') {
            fail(run, "failed without a reason");
        }
        if (run->is_loud) {
            printf("  failed: %s / %s\n", transfer.why, transfer.recipients[0].why);
        }
        check_inbox(run);
    } else {
        check_end(run);
    }
}

/* Send while `who` fails, make it well again, start what stopped, and see what came of it. */
static void
live_through(struct run *run, unsigned who, bool is_for_ever, uint64_t span)
{
    run->may_fail = true;
    send_it(run, false);
    run->may_fail = false;
    (void)go_on(run, span);
    sf_world_run(run->world, sf_world_now(run->world) + span / 4);
    check_inbox(run);
    /* The driver starts the program again, in vain while the disk is broken. */
    sf_sim_disk_heal(sf_world_disk(run->world, who));
    sf_world_memory(run->world, who)->fails = 0;
    if (run->is_loud) {
        printf("  %9.4f healed\n", (double)sf_world_now(run->world) / 1e9);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (sf_world_is_off(run->world, i) || (i == who && is_for_ever)) {
            restart(run, i, SF_SIM_DAMAGE_LOSE_ALL);
        }
    }
    send_again(run);
    (void)go_on(run, PATIENCE);
    check_outcome(run);
    sf_world_close(run->world);
}

static void
fault(unsigned shape, unsigned who, uint64_t operation, unsigned variant)
{
    struct run run = {.shape = shape};
    struct sf_sim_fault order = {
        .kind = (variant & 1) != 0 ? SF_SIM_FAULT_ENOSPC : SF_SIM_FAULT_EIO,
        .operation = operation,
        .for_ever = (variant & 2) != 0,
    };

    snprintf(run.what, sizeof(run.what), "shape %u, node %u, %s at %llu %s", shape, who,
        (variant & 1) != 0 ? "ENOSPC" : "EIO", (unsigned long long)operation,
        order.for_ever ? "for ever" : "once");
    open_to_fail(&run);
    if (sf_sim_disk_fault(sf_world_disk(run.world, who), &order) != SF_OK) {
        abort();
    }
    live_through(&run, who, order.for_ever, 120 * SF_SEC);
}

/* The n-th allocation of a node finds no memory, or all from it on until it is started again. */
static void
starve(unsigned shape, unsigned who, uint64_t call, bool is_for_ever)
{
    struct run run = {.shape = shape};
    struct sf_sim_memory *memory;

    snprintf(run.what, sizeof(run.what), "shape %u, node %u, no memory at %llu %s", shape, who,
        (unsigned long long)call, is_for_ever ? "for ever" : "once");
    open_to_fail(&run);
    memory = sf_world_memory(run.world, who);
    memory->fail_at = call;
    memory->fails = is_for_ever ? UINT64_MAX : 1;
    /* A link without memory takes nothing, and its peer goes on sending. */
    live_through(&run, who, is_for_ever, 8 * SF_SEC);
}

/* --- All of it -------------------------------------------------------------------------------------------- */

/* Every one of `stride`, drawn by `prng`. */
static bool
is_drawn(struct sf_prng *prng, uint64_t stride)
{
    return stride == 1 || sf_prng_below(prng, stride) == 0;
}

static void
cut_all(uint64_t stride)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 1);
    for (unsigned end = 0; end < 2 * SHAPES; end++) {
        struct counts counts = count_all(end / 2, end % 2);

        printf("shape %u, node %u: %llu operations, %llu allocations\n", end / 2, end % 2,
            (unsigned long long)counts.operations, (unsigned long long)counts.allocations);
        for (uint64_t i = 0; i < counts.operations * SF_SIM_DAMAGE_MODELS; i++) {
            if (is_drawn(&prng, stride)) {
                cut(end / 2, end % 2, i / SF_SIM_DAMAGE_MODELS,
                    (enum sf_sim_damage_model)(i % SF_SIM_DAMAGE_MODELS), false);
            }
        }
    }
}

static void
fail_all(uint64_t stride)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 2);
    for (unsigned end = 0; end < 2 * SHAPES; end++) {
        struct counts counts = count_all(end / 2, end % 2);

        for (uint64_t i = counts.operations_before * 4; i < counts.operations * 4; i++) {
            if (is_drawn(&prng, stride)) {
                fault(end / 2, end % 2, i / 4, (unsigned)(i % 4));
            }
        }
        for (uint64_t i = counts.allocations_before * 2; i < counts.allocations * 2; i++) {
            if (is_drawn(&prng, stride)) {
                starve(end / 2, end % 2, i / 2, i % 2 == 1);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    bool is_full = argc == 2 && strcmp(argv[1], "full") == 0;

    if (!sf_sim_memory_is_there()) {
        printf("crash_node: it was linked without what makes allocations fail\n");
        return EXIT_FAILURE;
    }
    make_content();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 5) {
        cut((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), strtoull(argv[3], NULL, 10),
            (enum sf_sim_damage_model)atoi(argv[4]), true);
    } else if (argc == 6 && strcmp(argv[1], "memory") == 0) {
        starve((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), strtoull(argv[4], NULL, 10),
            atoi(argv[5]) != 0);
    } else if (argc == 6) {
        fault((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), strtoull(argv[4], NULL, 10),
            (unsigned)atoi(argv[5]));
    } else {
        cut_all(is_full ? 1 : 4);
        fail_all(is_full ? 1 : 4);
    }
    printf("%llu states, %u failures\n", (unsigned long long)states, failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
