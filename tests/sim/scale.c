/*
 * scale.c - nodes that hold a transfer of 668,000 bundles, as 700 GB have them.
 *
 * The engines that ship on simulated disks, with hollow ciphers (sim/hollow.h): sizes are as in
 * flight. It is taken into custody while the other end is away, then the power goes; then some of
 * it crosses the line, and the power goes at both ends. What is asked: memory of a node after
 * its start, what it reads to recover, the length of its journal, and that nothing was lost.
 *
 *     scale        what `make check` runs: the smallest bundles, of which a tenth crosses
 *     scale full   700 GB, all of which cross and are delivered: a quarter of an hour
 *
 * Prints what it counted. Times of the processor are printed too, and not judged.
 */
#include "base/assert.h"
#include "bundle/class.h"
#include "sim/hollow.h"
#include "sim/world.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GROUND, SAT, NODES, STATUS_CALLS = 1000 };

#define BUNDLES_MIN       667000
#define MEMORY_BYTES_MAX  (UINT64_C(256) << 20)
#define JOURNAL_BYTES_MAX (UINT64_C(64) << 20)
#define RECOVER_BYTES_MAX (UINT64_C(8) << 20) /* beside the journal: books, keys, cards */
#define RATE_BPS          UINT64_C(10000000000)
#define LIMIT_NS          (24 * 3600 * SF_SEC)

struct shape {
    uint64_t file_bytes;
    uint32_t class_bytes; /* 0: as the node chooses */
    uint32_t share;       /* one part in so many crosses before the power goes again */
    bool is_delivered;
};

static const struct shape brief = {UINT64_C(10860000000), SF_CLASS_DATA_MIN, 10, false};
static const struct shape full = {UINT64_C(700000000000), 0, 2, true};

static const char *const names[NODES] = {"ground", "sat"};
static const char *const paths[] = {"source/file"};
static struct sf_world *world;
static struct sf_transfer_id id;
static struct sf_node_transfer transfer;
static uint64_t wanted; /* bundles, for is_there() */
static bool is_good = true;

static void
judge(const char *what, uint64_t value, uint64_t most)
{
    bool is_kept = value <= most;

    printf("    %-32s %15" PRIu64 " of at most %15" PRIu64 "%s\n", what, value, most,
        is_kept ? "" : "  TOO MUCH");
    is_good &= is_kept;
}

static void
expect(const char *what, bool is_true)
{
    if (!is_true) {
        printf("    WRONG: %s\n", what);
    }
    is_good &= is_true;
}

/* Bytes of the heap in use, without the slabs of simulated disks; 0: nobody counts them. */
static uint64_t
heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static double
cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static uint64_t
journal_bytes(unsigned number)
{
    static uint8_t block[4096];
    struct sf_sim_disk *disk = sf_world_disk(world, number);
    uint64_t from = 0;
    uint64_t to = JOURNAL_BYTES_MAX * 16;
    size_t bytes;

    while (from < to) {
        uint64_t middle = from + (to - from) / 2;

        sf_assert(sf_sim_disk_get(disk, "journal", middle, block, 1, &bytes) == SF_OK);
        if (bytes > 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

/* Power off, and on again; what the node costs and reads to be where it was. */
static void
restart(unsigned number)
{
    struct sf_sim_disk_stats before;
    struct sf_sim_disk_stats after;
    struct sf_node_error error;
    uint64_t heap;
    double cpu;

    sf_world_crash(world, number, SF_SIM_DAMAGE_LOSE_ALL);
    sf_sim_disk_get_stats(sf_world_disk(world, number), &before);
    heap = heap_bytes();
    cpu = cpu_s();
    sf_assert(sf_world_start(world, number, &error) == SF_OK);
    cpu = cpu_s() - cpu;
    sf_sim_disk_get_stats(sf_world_disk(world, number), &after);
    printf("  %s starts again, in %.2f s of processor\n", names[number], cpu);
    judge("bytes of the journal", journal_bytes(number), JOURNAL_BYTES_MAX);
    judge("bytes read to recover", after.bytes_read - before.bytes_read,
        journal_bytes(number) + RECOVER_BYTES_MAX);
    judge("bytes of memory", heap_bytes() - heap, MEMORY_BYTES_MAX);
    cpu = cpu_s();
    for (unsigned i = 0; i < STATUS_CALLS; i++) {
        expect("the transfer is known", sf_world_transfer(world, number, &id, &transfer));
    }
    printf("    %u times asked how far it is: %.3f ms each\n", STATUS_CALLS,
        (cpu_s() - cpu) * 1000 / STATUS_CALLS);
}

static bool
is_in_custody(struct sf_world *in, void *context)
{
    (void)context;
    return sf_world_transfer(in, GROUND, &id, &transfer) && transfer.state != SF_NODE_SEALING;
}

/* Whether the receiver has so many bundles as are wanted. */
static bool
is_there(struct sf_world *in, void *context)
{
    (void)context;
    return sf_world_transfer(in, SAT, &id, &transfer) &&
           (transfer.held >= wanted || transfer.state == SF_NODE_DONE);
}

static bool
is_signed_for(struct sf_world *in, void *context)
{
    (void)context;
    return sf_world_transfer(in, GROUND, &id, &transfer) && transfer.state == SF_NODE_DONE;
}

static void
set_up(const struct shape *shape)
{
    const struct sf_sim_path_config path = {
        .rate_bps = RATE_BPS, .delay_ns = SF_MS, .queue_bytes = 8 << 20, .mtu_bytes = 1500};
    struct sf_node_peer conf = {
        .may_send = true, .may_receive = true, .has_endpoint = true, .rate_bps = RATE_BPS};
    struct sf_node_error error;

    for (unsigned i = 0; i < NODES; i++) {
        sf_assert(sf_world_add(world, names[i]) == i);
        sf_world_config(world, i)->code_raw = true;
        sf_world_config(world, i)->class_bytes = shape->class_bytes;
    }
    for (unsigned i = 0; i < NODES; i++) {
        sf_world_path(world, i, 1 - i, &path);
        sf_world_introduce(world, i, 1 - i, &conf);
    }
    sf_assert(sf_world_start(world, GROUND, &error) == SF_OK);
}

/* To custody, while the other end is away. */
static void
send_all(const struct shape *shape)
{
    static const unsigned to[] = {SAT};
    const struct sf_world_send send = {
        .from = GROUND, .to = to, .to_count = 1, .label = "file", .paths = paths, .path_count = 1};
    struct sf_node_error error;
    double cpu = cpu_s();

    sf_assert(sf_sim_disk_source(sf_world_disk(world, GROUND), paths[0], shape->file_bytes,
                  sf_hollow_generate, NULL) == SF_OK);
    sf_assert(sf_world_send(world, &send, &id, &error) == SF_OK);
    (void)sf_world_run_until(world, LIMIT_NS, is_in_custody, NULL);
    printf("  ground has it in custody: %" PRIu64 " bundles of %u bytes, %.1f s of processor\n",
        transfer.count, transfer.class_bytes, cpu_s() - cpu);
    expect("it is in custody", transfer.state == SF_NODE_CUSTODY);
    expect("it has as many bundles as that takes", transfer.count >= BUNDLES_MIN);
}

int
main(int argc, char **argv)
{
    const struct shape *shape = argc > 1 && strcmp(argv[1], "full") == 0 ? &full : &brief;
    struct sf_node_error error;
    uint64_t count;
    double cpu;

    setvbuf(stdout, NULL, _IOLBF, 0);
    sf_assert(sf_hollow_init() == SF_OK);
    world = sf_world_open(1);
    if (heap_bytes() == 0) {
        printf("SKIP: this allocator does not count\n");
        sf_world_close(world);
        return 77;
    }
    set_up(shape);
    send_all(shape);
    count = transfer.count;
    restart(GROUND);
    expect("all of it is there after the cut",
        transfer.state == SF_NODE_CUSTODY && transfer.count == count && transfer.sealed == count);
    sf_assert(sf_world_start(world, SAT, &error) == SF_OK);
    wanted = count / shape->share;
    cpu = cpu_s();
    (void)sf_world_run_until(world, LIMIT_NS, is_there, NULL);
    printf("  sat holds %" PRIu64 " bundles, %.1f s of processor\n", transfer.held, cpu_s() - cpu);
    expect("what was waited for has come", transfer.held >= wanted);
    restart(GROUND);
    restart(SAT);
    expect("what it held it holds", transfer.held >= wanted);
    if (shape->is_delivered) {
        (void)sf_world_run_until(world, LIMIT_NS, is_signed_for, NULL);
        expect("it is delivered and signed for", transfer.state == SF_NODE_DONE);
        expect("whole",
            sf_sim_disk_zeros(sf_world_disk(world, SAT), "inbox/ground/file") == shape->file_bytes);
    }
    sf_world_close(world);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
