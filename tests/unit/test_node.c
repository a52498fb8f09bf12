/*
 * Two and three nodes in virtual time: the whole way of a file, with the
 * engines that ship.
 */
#include "sim/world.h"

#include "base/crypto.h"
#include "tests/unit/check.h"

#include <sys/resource.h>

enum { GROUND, SAT, EDGE };

struct fixture {
    struct sf_world *world;
    struct sf_transfer_id id;
    struct sf_node_error error;
};

static uint64_t content_seed = 7;

static void
say(void *context, unsigned number, const struct sf_node_event *event)
{
    (void)context;
    if (getenv("SF_VERBOSE") != NULL) {
        printf("  [%u] %s %s\n", number, event->peer, event->text);
    }
}

static void
setup(struct fixture *f, uint64_t seed)
{
    f->world = sf_world_open(seed);
    sf_world_watch(f->world, say, NULL);
    REQUIRE_EQ(sf_world_add(f->world, "ground"), GROUND);
    REQUIRE_EQ(sf_world_add(f->world, "sat"), SAT);
    sf_world_introduce(f->world, GROUND, SAT, NULL);
    sf_world_introduce(f->world, SAT, GROUND, NULL);
    REQUIRE_EQ(sf_world_start(f->world, GROUND, &f->error), SF_OK);
    REQUIRE_EQ(sf_world_start(f->world, SAT, &f->error), SF_OK);
}

static void
send_file(struct fixture *f, uint64_t bytes)
{
    static const unsigned to[] = {SAT};
    static const char *const paths[] = {"source/model"};
    struct sf_world_send send = {.from = GROUND,
        .to = to,
        .to_count = 1,
        .label = "model.bin",
        .paths = paths,
        .path_count = 1,
        .priority = SF_NODE_PRIORITY_DEFAULT};

    REQUIRE_EQ(sf_sim_disk_source(sf_world_disk(f->world, GROUND), "source/model", bytes,
                   sf_sim_disk_generate, &content_seed),
        SF_OK);
    REQUIRE_EQ(sf_world_send(f->world, &send, &f->id, &f->error), SF_OK);
}

static bool
is_done(struct sf_world *world, void *context)
{
    struct fixture *f = context;
    struct sf_node_transfer transfer;

    return sf_world_transfer(world, GROUND, &f->id, &transfer) && transfer.state == SF_NODE_DONE;
}

static void
check_delivered(struct fixture *f, const char *path, uint64_t bytes)
{
    uint8_t expected[4096];
    uint8_t actual[4096];

    for (uint64_t offset = 0; offset < bytes; offset += sizeof(actual)) {
        size_t count = bytes - offset < sizeof(actual) ? (size_t)(bytes - offset) : sizeof(actual);
        size_t got = 0;

        REQUIRE_EQ(sf_sim_disk_get(sf_world_disk(f->world, SAT), path, offset, actual, count, &got),
            SF_OK);
        REQUIRE_EQ(got, count);
        sf_sim_disk_generate(&content_seed, offset, expected, count);
        if (memcmp(expected, actual, count) != 0) {
            REQUIRE(!"delivered bytes differ");
        }
    }
}

static void
test_file_arrives(void)
{
    static const uint64_t sizes[] = {0, 1, 4095, 100000, 3000000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct fixture f;
        struct sf_node_transfer transfer;

        setup(&f, 1 + i);
        send_file(&f, sizes[i]);
        REQUIRE(sf_world_run_until(f.world, 60 * SF_SEC, is_done, &f));
        check_delivered(&f, "inbox/ground/model.bin", sizes[i]);
        REQUIRE(sf_world_transfer(f.world, SAT, &f.id, &transfer));
        CHECK_EQ(transfer.state, SF_NODE_DONE);
        CHECK_TEXT(transfer.delivered_as, "model.bin");
        sf_world_close(f.world);
    }
}

CHECK_MAIN("node", {"a file arrives whole and once", test_file_arrives})
