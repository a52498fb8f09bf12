/*
 * node_fixture.h - what tests of whole nodes begin with: a world of ground,
 * sat and edge, files with known content, and words for what is expected.
 */
#ifndef SF_TESTS_UNIT_NODE_FIXTURE_H
#define SF_TESTS_UNIT_NODE_FIXTURE_H

#include "sim/world.h"

#include "base/prng.h"
#include "tests/unit/check.h"

enum { GROUND, SAT, EDGE };

#define DAY (UINT64_C(86400) * SF_SEC)

struct fixture {
    struct sf_world *world;
    struct sf_transfer_id id; /* of the last send */
    struct sf_node_error error;
};

static uint64_t fixture_seeds[16] = {7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22};

static inline void
fixture_say(void *context, unsigned number, const struct sf_node_event *event)
{
    struct fixture *f = context;

    if (getenv("SF_VERBOSE") != NULL) {
        printf("  %9.3f [%u] %02x%02x %s %s\n", (double)sf_world_now(f->world) / 1e9, number,
            event->transfer.b[0], event->transfer.b[1], event->peer, event->text);
    }
}

static inline void
fixture_start(struct fixture *f, unsigned number)
{
    REQUIRE_EQ(sf_world_start(f->world, number, &f->error), SF_OK);
}

/* The first `count` of ground, sat and edge, all of whom know each other, not started. */
static inline void
fixture_make(struct fixture *f, uint64_t seed, unsigned count)
{
    static const char *const names[] = {"ground", "sat", "edge"};

    memset(f, 0, sizeof(*f));
    f->world = sf_world_open(seed);
    sf_world_watch(f->world, fixture_say, f);
    for (unsigned i = 0; i < count; i++) {
        REQUIRE_EQ(sf_world_add(f->world, names[i]), i);
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < count; k++) {
            if (i != k) {
                sf_world_introduce(f->world, i, k, NULL);
            }
        }
    }
}

static inline void
fixture_open(struct fixture *f, uint64_t seed, unsigned count)
{
    fixture_make(f, seed, count);
    for (unsigned i = 0; i < count; i++) {
        fixture_start(f, i);
    }
}

static inline void
fixture_close(struct fixture *f)
{
    sf_world_close(f->world);
}

/* Ground and sat have a path of `rate_bps` and 20 ms between them, and know it. Before they start. */
static inline void
fixture_slow(struct fixture *f, uint64_t rate_bps)
{
    const struct sf_sim_path_config path = {
        .delay_ns = 20 * SF_MS, .rate_bps = rate_bps + rate_bps / 50, .queue_bytes = 1 << 20};
    struct sf_node_peer conf = {
        .may_send = true, .may_receive = true, .has_endpoint = true, .rate_bps = rate_bps};

    sf_world_path(f->world, GROUND, SAT, &path);
    sf_world_path(f->world, SAT, GROUND, &path);
    sf_world_introduce(f->world, GROUND, SAT, &conf);
    sf_world_introduce(f->world, SAT, GROUND, &conf);
}

static inline struct sf_sim_disk *
fixture_disk(struct fixture *f, unsigned number)
{
    return sf_world_disk(f->world, number);
}

/* A file on a node's disk, whose content follows from number `content` (0 .. 15). */
static inline void
fixture_source(
    struct fixture *f, unsigned number, const char *path, uint64_t bytes, unsigned content)
{
    REQUIRE_EQ(sf_sim_disk_source(fixture_disk(f, number), path, bytes, sf_sim_disk_generate,
                   &fixture_seeds[content]),
        SF_OK);
}

/* What is sent unless a test says otherwise: source/model of ground to sat. */
static inline struct sf_world_send
fixture_order(void)
{
    static const unsigned to[] = {SAT, EDGE};
    static const char *const paths[] = {"source/model"};

    return (struct sf_world_send){.from = GROUND,
        .to = to,
        .to_count = 1,
        .label = "model.bin",
        .paths = paths,
        .path_count = 1,
        .priority = SF_NODE_PRIORITY_DEFAULT};
}

static inline void
fixture_send(struct fixture *f, const struct sf_world_send *order)
{
    REQUIRE_EQ(sf_world_send(f->world, order, &f->id, &f->error), SF_OK);
}

/* Make source/model of `bytes` bytes and send it to sat. */
static inline void
fixture_send_file(struct fixture *f, uint64_t bytes)
{
    struct sf_world_send order = fixture_order();

    fixture_source(f, GROUND, "source/model", bytes, 0);
    fixture_send(f, &order);
}

/* --- Looking ------------------------------------------------------------------ */

static inline struct sf_node_transfer
fixture_transfer(struct fixture *f, unsigned number)
{
    struct sf_node_transfer transfer;

    memset(&transfer, 0, sizeof(transfer));
    transfer.state = (enum sf_node_state)99;
    (void)sf_world_transfer(f->world, number, &f->id, &transfer);
    return transfer;
}

struct fixture_wait {
    struct fixture *f;
    unsigned number;
    enum sf_node_state state;
};

static inline bool
fixture_is_state(struct sf_world *world, void *context)
{
    const struct fixture_wait *wait = context;
    struct sf_node_transfer transfer;

    return sf_world_transfer(world, wait->number, &wait->f->id, &transfer) &&
           transfer.state == wait->state;
}

/* Let at most `span` pass until the last transfer is in `state` at a node. */
static inline bool
fixture_until(struct fixture *f, unsigned number, enum sf_node_state state, uint64_t span)
{
    struct fixture_wait wait = {f, number, state};
    bool is_there =
        sf_world_run_until(f->world, sf_world_now(f->world) + span, fixture_is_state, &wait);

    if (!is_there) {
        struct sf_node_transfer transfer = fixture_transfer(f, number);

        printf("\n    node %u: %s, not %s, after %.1f s; why: %s; to: %s %s\n", number,
            sf_node_state_name(transfer.state), sf_node_state_name(state), (double)span / 1e9,
            transfer.why, sf_node_recipient_state_name(transfer.recipients[0].state),
            transfer.recipients[0].why);
    }
    return is_there;
}

static inline void
fixture_run(struct fixture *f, uint64_t span)
{
    sf_world_run(f->world, sf_world_now(f->world) + span);
}

static inline bool
fixture_has_file(struct fixture *f, unsigned number, const char *path)
{
    uint8_t byte;
    size_t got;

    return sf_sim_disk_get(fixture_disk(f, number), path, 0, &byte, 1, &got) == SF_OK;
}

/* The file is there, whole, with the content it was made of. */
static inline void
fixture_check_file(
    struct fixture *f, unsigned number, const char *path, uint64_t bytes, unsigned content)
{
    enum { CHUNK = 65536 };
    static uint8_t expected[CHUNK];
    static uint8_t actual[CHUNK];
    uint64_t offset = 0;
    size_t got;

    do {
        REQUIRE_EQ(
            sf_sim_disk_get(fixture_disk(f, number), path, offset, actual, CHUNK, &got), SF_OK);
        REQUIRE_EQ(got, bytes - offset < CHUNK ? bytes - offset : CHUNK);
        sf_sim_disk_generate(&fixture_seeds[content], offset, expected, got);
        REQUIRE(memcmp(expected, actual, got) == 0);
        offset += got;
    } while (offset < bytes);
}

/* Names in a directory of a node's disk. */
static inline size_t
fixture_count_names(struct fixture *f, unsigned number, const char *path)
{
    static uint8_t names[65536];
    struct sf_disk_op op = {
        .kind = SF_DISK_LIST, .path = path, .data = names, .bytes = sizeof(names)};
    size_t count = 0;

    if (sf_disk_run(sf_sim_disk_interface(fixture_disk(f, number)), &op) != SF_OK) {
        return 0;
    }
    for (size_t i = 0; i < op.ret_bytes; i++) {
        count += names[i] == 0;
    }
    return count;
}

/* Neither spool file nor staged folder nor secret of any transfer is left at a node. */
static inline void
fixture_check_freed(struct fixture *f, unsigned number)
{
    CHECK_EQ(fixture_count_names(f, number, "spool"), 0);
    CHECK_EQ(fixture_count_names(f, number, "staging"), 0);
}

#endif
