/*
 * What lives from seeds have shown (tests/sim/regressions), each on its own:
 * these hold however the lives of seeds are drawn.
 */
#include "tests/unit/node_fixture.h"

enum { BYTES = 300000 };

/* Whoever does not know where a peer is waits to be called. */
static void
without_endpoint(struct fixture *f, unsigned number, unsigned other)
{
    const struct sf_node_peer conf = {.may_send = true, .may_receive = true, .rate_bps = 20000000};

    sf_world_introduce(f->world, number, other, &conf);
}

/* Started anew behind a translator, with another address, while the old one is still believed in. */
static void
test_new_address_after_a_crash(void)
{
    const struct sf_sim_nat_config nat = {.times = {5 * SF_SEC}, .count = 1};
    struct fixture f;

    fixture_make(&f, 1, 2);
    without_endpoint(&f, GROUND, SAT);
    sf_world_nat(f.world, SAT, &nat);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 4 * SF_SEC);
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 2 * SF_SEC);
    CHECK_EQ(sf_world_rebindings(f.world, SAT), 1);
    fixture_start(&f, SAT);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_close(&f);
}

/* Cut the power, put `image` back, start. */
static void
put_back(struct fixture *f, unsigned number, struct sf_sim_disk *image)
{
    sf_world_crash(f->world, number, SF_SIM_DAMAGE_LOSE_ALL);
    sf_world_replace_disk(f->world, number, image);
    fixture_start(f, number);
}

static struct sf_sim_disk *
take_image(struct fixture *f, unsigned number)
{
    struct sf_sim_disk *image;

    REQUIRE_EQ(sf_sim_disk_clone(fixture_disk(f, number), &image), SF_OK);
    sf_sim_disk_restart(image, SF_SIM_DAMAGE_KEEP_ALL, 1);
    return image;
}

/* A restored node that nobody can call is not told so; `peer reset` makes good for it. */
static void
test_reset_after_a_restore(void)
{
    struct sf_sim_disk *image;
    struct fixture f;

    fixture_make(&f, 2, 2);
    without_endpoint(&f, SAT, GROUND);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 3 * SF_SEC);
    image = take_image(&f, GROUND);
    for (unsigned i = 0; i < 3; i++) { /* sessions that the image does not know of */
        sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
        fixture_start(&f, GROUND);
        fixture_run(&f, 3 * SF_SEC);
    }
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL); /* and forgets where it was */
    fixture_start(&f, SAT);
    put_back(&f, GROUND, image);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    REQUIRE_EQ(sf_node_peer_reset(sf_world_node(f.world, GROUND), "sat", &f.error), SF_OK);
    sf_world_poke(f.world, GROUND);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    CHECK_EQ(sf_node_peer_reset(sf_world_node(f.world, GROUND), "moon", &f.error), SF_ENOENT);
    fixture_close(&f);
}

static void
reset_sat(struct fixture *f)
{
    REQUIRE_EQ(sf_node_peer_reset(sf_world_node(f->world, SAT), "ground", &f->error), SF_OK);
    sf_world_poke(f->world, SAT);
    fixture_run(f, 3 * SF_SEC);
}

static void
crash_and_start(struct fixture *f, unsigned number)
{
    sf_world_crash(f->world, number, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(f, number);
    fixture_run(f, 3 * SF_SEC);
}

/*
 * The life that was forgotten had been reset, and has started again since: what
 * it used is further ahead than a reset alone goes, and its peer is believed all the same.
 */
static void
test_reset_behind_a_reset(void)
{
    struct sf_sim_disk *image;
    struct fixture f;

    fixture_make(&f, 6, 2);
    fixture_slow(&f, 200000);
    sf_world_config(f.world, GROUND)->class_bytes = 16384;
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 3 * SF_SEC);
    image = take_image(&f, SAT);
    crash_and_start(&f, SAT);
    reset_sat(&f);
    crash_and_start(&f, SAT);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 6 * SF_SEC); /* it says that it holds some */
    CHECK(fixture_transfer(&f, GROUND).recipients[0].held > 0);
    put_back(&f, SAT, image);
    reset_sat(&f);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_close(&f);
}

static void
send_other(struct fixture *f, const char *path, uint64_t bytes)
{
    struct sf_world_send order = fixture_order();

    fixture_source(f, GROUND, path, bytes, 0);
    order.paths = &path;
    order.label = strchr(path, '/') + 1;
    fixture_send(f, &order);
}

/*
 * Nobody can tell it, and the life that was forgotten had been reset as well:
 * the operator says it once for this restore, and once for that reset.
 */
static void
test_reset_again_and_again(void)
{
    struct sf_sim_disk *image;
    struct fixture f;

    fixture_make(&f, 7, 2);
    without_endpoint(&f, GROUND, SAT);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 3 * SF_SEC);
    image = take_image(&f, SAT);
    crash_and_start(&f, SAT);
    reset_sat(&f);
    crash_and_start(&f, SAT);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL); /* and forgets where it was */
    put_back(&f, SAT, image);
    reset_sat(&f);
    fixture_start(&f, GROUND);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    reset_sat(&f);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    for (unsigned i = 2; i < 16; i++) {
        REQUIRE_EQ(sf_node_peer_reset(sf_world_node(f.world, SAT), "ground", &f.error), SF_OK);
    }
    CHECK_EQ(sf_node_peer_reset(sf_world_node(f.world, SAT), "ground", &f.error), SF_ELIMIT);
    sf_world_poke(f.world, SAT);
    send_other(&f, "source/more", BYTES);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_close(&f);
}

/*
 * A restored node has begun to take a transfer, and nothing of it is a fact yet, when it is told
 * what it forgot: the number of its receipts must be above those of the forgotten life as well.
 */
static void
test_told_amid_a_beginning(void)
{
    struct sf_sim_disk *image;
    struct fixture f;

    fixture_make(&f, 8, 2);
    fixture_slow(&f, 1000000);
    sf_world_config(f.world, GROUND)->class_bytes = 16384;
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 3 * SF_SEC);
    image = take_image(&f, SAT);
    crash_and_start(&f, SAT);
    for (unsigned i = 0; i < 3; i++) { /* numbers of receipts that the image does not know of */
        static const char *const paths[] = {"source/a", "source/b", "source/c"};

        send_other(&f, paths[i], 1000);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    }
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 1500 * SF_MS);
    CHECK(fixture_transfer(&f, GROUND).recipients[0].held > 0);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_KEEP_ALL);
    fixture_start(&f, GROUND); /* it calls, and announces it, before it hears the restored one */
    put_back(&f, SAT, image);
    sf_sim_disk_latency(fixture_disk(&f, SAT), 25 * SF_MS, 25 * SF_MS);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    fixture_close(&f);
}

/* The key is forgotten and the spool rots: it ends, with a reason, and not after years of sending. */
static void
test_rot_without_a_key(void)
{
    struct sf_world_send order = fixture_order();
    char path[64] = "spool/";
    struct fixture f;

    fixture_make(&f, 4, 2);
    fixture_slow(&f, 1000000);
    sf_world_config(f.world, GROUND)->class_bytes = 16384;
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_source(&f, GROUND, "source/model", BYTES, 0);
    order.forget_key = true;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 10 * SF_SEC));
    for (unsigned i = 0; i < 60 && !fixture_transfer(&f, GROUND).key_forgotten; i++) {
        fixture_run(&f, 50 * SF_MS);
    }
    REQUIRE(fixture_transfer(&f, GROUND).key_forgotten);
    for (size_t i = 0; i < sizeof(f.id.b); i++) {
        snprintf(path + 6 + 2 * i, 3, "%02x", f.id.b[i]);
    }
    strcat(path, ".out");
    REQUIRE_EQ(sf_sim_disk_rot(fixture_disk(&f, GROUND), path, 17 * 16384 + 5000, 1), SF_OK);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL); /* nothing of it is in memory */
    fixture_start(&f, GROUND);
    CHECK(fixture_until(&f, GROUND, SF_NODE_FAILED, 120 * SF_SEC));
    CHECK(fixture_transfer(&f, GROUND).why[0] != '\0');
    CHECK(sf_world_path_payload(f.world, GROUND, SAT) < 6 * BYTES);
    fixture_close(&f);
}

/* An orderly stop waits for what the disk has not done yet, however slow it is. */
static void
test_stop_with_a_slow_disk(void)
{
    struct fixture f;

    fixture_open(&f, 5, 2);
    sf_sim_disk_latency(fixture_disk(&f, SAT), SF_SEC, SF_SEC);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 1500 * SF_MS);
    CHECK(sf_sim_disk_deadline(fixture_disk(&f, SAT)) != SF_NEVER);
    sf_world_stop(f.world, SAT);
    sf_sim_disk_latency(fixture_disk(&f, SAT), 0, 0);
    fixture_start(&f, SAT);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_close(&f);
}

CHECK_MAIN("node lives",
    {"behind a translator, a crash and another address are no end", test_new_address_after_a_crash},
    {"a restored node that nobody can call is heard again after a reset",
        test_reset_after_a_restore},
    {"what a reset had left out can be forgotten too, and is left out again",
        test_reset_behind_a_reset},
    {"a reset goes further each time it is said", test_reset_again_and_again},
    {"told of its restore, a node numbers anew what it has just begun to take",
        test_told_amid_a_beginning},
    {"rot behind a forgotten key ends the transfer with a reason", test_rot_without_a_key},
    {"an orderly stop waits for a slow disk", test_stop_with_a_slow_disk})
