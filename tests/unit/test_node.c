/*
 * Two and three nodes in virtual time: the whole way of a file, with the
 * engines that ship.
 */
#include "sim/world.h"

#include "base/prng.h"
#include "tests/unit/check.h"

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
        REQUIRE(memcmp(expected, actual, count) == 0);
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

/* --- Bad paths ----------------------------------------------------------------------- */

static void
test_lossy_path(void)
{
    const struct sf_sim_path_config lossy = {
        .delay_ns = 20 * SF_MS,
        .rate_bps = 100000000,
        .loss_ppm = 50000,
        .duplicate_ppm = 20000,
        .reorder_ppm = 20000,
        .reorder_ns = 10 * SF_MS,
    };
    enum { BYTES = 20000000 };
    struct fixture f;
    struct sf_node_transfer transfer;
    uint64_t sent;

    setup(&f, 11);
    sf_world_path(f.world, GROUND, SAT, &lossy);
    sf_world_path(f.world, SAT, GROUND, &lossy);
    send_file(&f, BYTES);
    REQUIRE(sf_world_run_until(f.world, 120 * SF_SEC, is_done, &f));
    check_delivered(&f, "inbox/ground/model.bin", BYTES);
    REQUIRE(sf_world_transfer(f.world, GROUND, &f.id, &transfer));
    sent =
        sf_world_path_payload(f.world, GROUND, SAT) + sf_world_path_payload(f.world, SAT, GROUND);
    if (getenv("SF_VERBOSE") != NULL) {
        printf("sent %.4f x sealed, %.3f s\n",
            (double)sent / (double)(transfer.count * transfer.class_bytes),
            (double)sf_world_now(f.world) / 1e9);
    }
    CHECK(sent * 100 <= transfer.count * transfer.class_bytes * 110);
    sf_world_close(f.world);
}

/* The receiver has no endpoint for the sender and waits to be called. */
static void
test_called_only(void)
{
    const struct sf_node_peer called = {
        .may_send = true, .may_receive = true, .rate_bps = 100000000};
    struct fixture f;

    setup(&f, 12);
    sf_world_introduce(f.world, SAT, GROUND, &called);
    send_file(&f, 500000);
    REQUIRE(sf_world_run_until(f.world, 60 * SF_SEC, is_done, &f));
    check_delivered(&f, "inbox/ground/model.bin", 500000);
    sf_world_close(f.world);
}

/* The sender waits to be called: the receiver behind a NAT dials out. */
static void
test_receiver_calls(void)
{
    const struct sf_node_peer called = {
        .may_send = true, .may_receive = true, .rate_bps = 100000000};
    struct fixture f;

    setup(&f, 13);
    sf_world_introduce(f.world, GROUND, SAT, &called);
    send_file(&f, 500000);
    REQUIRE(sf_world_run_until(f.world, 120 * SF_SEC, is_done, &f));
    check_delivered(&f, "inbox/ground/model.bin", 500000);
    sf_world_close(f.world);
}

static bool
is_custody(struct sf_world *world, void *context)
{
    struct fixture *f = context;
    struct sf_node_transfer transfer;

    return sf_world_transfer(world, GROUND, &f->id, &transfer) && transfer.state == SF_NODE_CUSTODY;
}

/* The recipient is away for days; the file waits in custody and the source may go. */
static void
test_absent_recipient(void)
{
    struct fixture f;

    setup(&f, 14);
    sf_world_stop(f.world, SAT);
    send_file(&f, 700000);
    REQUIRE(sf_world_run_until(f.world, 60 * SF_SEC, is_custody, &f));
    sf_world_run(f.world, 3 * 86400 * SF_SEC);
    REQUIRE_EQ(sf_world_start(f.world, SAT, &f.error), SF_OK);
    REQUIRE(sf_world_run_until(f.world, (3 * 86400 + 900) * SF_SEC, is_done, &f));
    check_delivered(&f, "inbox/ground/model.bin", 700000);
    sf_world_close(f.world);
}

/* --- Crashes ----------------------------------------------------------------------------- */

/*
 * Three files of one priority: the last one sent has the earliest deadline and is there first, the
 * one without a deadline comes last; over a restart too.
 */
static void
test_deadlines(void)
{
    static const unsigned to[] = {SAT};
    static const char *const paths[] = {"source/a", "source/b", "source/c"};
    static const int64_t days[] = {0, 9, 2};
    const struct sf_sim_path_config path = {.delay_ns = 5 * SF_MS, .rate_bps = 2000000};
    struct sf_transfer_id ids[3];
    struct sf_node_transfer transfer;
    struct fixture f;

    for (unsigned restart = 0; restart < 2; restart++) {
        int64_t ended[3];

        setup(&f, 60 + restart);
        sf_world_path(f.world, GROUND, SAT, &path);
        for (unsigned i = 0; i < 3; i++) {
            struct sf_world_send send = {.from = GROUND,
                .to = to,
                .to_count = 1,
                .label = paths[i] + 7,
                .paths = &paths[i],
                .path_count = 1,
                .priority = SF_NODE_PRIORITY_DEFAULT,
                .deadline = {days[i] * 86400000}};

            REQUIRE_EQ(sf_sim_disk_source(sf_world_disk(f.world, GROUND), paths[i], 2000000,
                           sf_sim_disk_generate, &content_seed),
                SF_OK);
            REQUIRE_EQ(sf_world_send(f.world, &send, &ids[i], &f.error), SF_OK);
        }
        sf_world_run(f.world, sf_world_now(f.world) + 2 * SF_SEC); /* all three are in custody */
        if (restart == 1) {
            sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_KEEP_ALL);
            REQUIRE_EQ(sf_world_start(f.world, GROUND, &f.error), SF_OK);
        }
        for (unsigned i = 0; i < 3; i++) {
            f.id = ids[i];
            REQUIRE(sf_world_run_until(f.world, sf_world_now(f.world) + 120 * SF_SEC, is_done, &f));
            REQUIRE(sf_world_transfer(f.world, GROUND, &ids[i], &transfer));
            CHECK_EQ(transfer.deadline.ms, days[i] * 86400000);
            ended[i] = transfer.ended.ms;
        }
        CHECK(ended[2] + 1000 < ended[1]);
        CHECK(ended[1] + 1000 < ended[0]);
        sf_world_close(f.world);
    }
}

static bool
is_never(struct sf_world *world, void *context)
{
    (void)world;
    (void)context;
    return false;
}

static void
resume_if_interrupted(struct fixture *f)
{
    static const unsigned to[] = {SAT};
    static const char *const paths[] = {"source/model"};
    struct sf_node_transfer transfer;
    struct sf_world_send send = {.from = GROUND,
        .to = to,
        .to_count = 1,
        .label = "model.bin",
        .paths = paths,
        .path_count = 1,
        .priority = SF_NODE_PRIORITY_DEFAULT,
        .has_resume = true,
        .resume = f->id};

    if (sf_world_transfer(f->world, GROUND, &f->id, &transfer) &&
        transfer.state == SF_NODE_INTERRUPTED) {
        struct sf_transfer_id id;

        REQUIRE_EQ(sf_world_send(f->world, &send, &id, &f->error), SF_OK);
    }
}

/* Either end loses power again and again, under every damage model. */
static void
test_crashes(void)
{
    const struct sf_sim_path_config path = {
        .delay_ns = 5 * SF_MS, .rate_bps = 100000000, .loss_ppm = 10000};
    enum { BYTES = 8000000 };

    for (uint64_t seed = 0; seed < 12; seed++) {
        struct fixture f;
        struct sf_prng prng;
        struct sf_node_transfer transfer;

        sf_prng_init(&prng, seed);
        setup(&f, 100 + seed);
        sf_world_path(f.world, GROUND, SAT, &path);
        sf_world_path(f.world, SAT, GROUND, &path);
        sf_sim_disk_latency(sf_world_disk(f.world, GROUND), 50 * SF_US, 2 * SF_MS);
        sf_sim_disk_latency(sf_world_disk(f.world, SAT), 50 * SF_US, 2 * SF_MS);
        send_file(&f, BYTES);
        /* Let the transfer become a fact first: before that a crash forgets it. */
        REQUIRE(sf_world_run_until(f.world, sf_world_now(f.world) + 100 * SF_MS, is_never, &f) ==
                false);
        for (int crash = 0; crash < 10; crash++) {
            unsigned who = (unsigned)sf_prng_below(&prng, 2);
            enum sf_sim_damage_model model =
                (enum sf_sim_damage_model)sf_prng_below(&prng, SF_SIM_DAMAGE_MODELS);

            sf_world_run(f.world, sf_world_now(f.world) + sf_prng_below(&prng, 200) * SF_MS);
            sf_world_crash(f.world, who, model);
            REQUIRE_EQ(sf_world_start(f.world, who, &f.error), SF_OK);
            resume_if_interrupted(&f);
        }
        if (!sf_world_run_until(f.world, sf_world_now(f.world) + 600 * SF_SEC, is_done, &f)) {
            (void)sf_world_transfer(f.world, GROUND, &f.id, &transfer);
            printf("seed %d: state %s why %s\n", (int)seed, sf_node_state_name(transfer.state),
                transfer.why);
            CU_FAIL_FATAL("not delivered");
        }
        check_delivered(&f, "inbox/ground/model.bin", BYTES);
        sf_world_close(f.world);
    }
}

CHECK_MAIN("node", {"a file arrives whole and once", test_file_arrives},
    {"of one priority the earliest deadline goes first", test_deadlines},
    {"a path that loses, repeats and reorders costs at most a tenth more", test_lossy_path},
    {"a receiver without an endpoint waits to be called", test_called_only},
    {"a receiver behind a NAT calls the sender", test_receiver_calls},
    {"a transfer waits days for its recipient", test_absent_recipient},
    {"power cuts at either end, under every damage model, lose nothing", test_crashes})
