/*
 * Restarts, restored images and failing media: what was durable is not sent
 * again, what was lost is said and fetched again, nothing arrives twice.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

/* --- Restart in the middle ------------------------------------------------------------ */

/* RULES: no bundle whose HELD was durable again; twice at most rate x (RTT + 0.5 s) + 2 bundles. */
static void
test_sender_restarts(void)
{
    enum { BYTES = 30000000, RATE = 20000000 };
    struct fixture f;
    struct sf_node_transfer transfer;
    uint64_t sent;
    uint64_t twice;

    fixture_make(&f, 1, 2);
    fixture_slow(&f, RATE);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, BYTES);
    for (int i = 0; i < 5; i++) {
        fixture_run(&f, 2 * SF_SEC);
        CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
        sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
        fixture_start(&f, GROUND);
    }
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    transfer = fixture_transfer(&f, GROUND);
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    twice = sent - sent / 50 - transfer.count * transfer.class_bytes; /* 2 % are heads */
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    sent %.4f x sealed\n",
            (double)sent / (double)(transfer.count * transfer.class_bytes));
    }
    CHECK(twice < 5 * ((uint64_t)RATE / 8 * 54 / 100 + 2 * transfer.class_bytes));
    fixture_close(&f);
}

static void
test_receiver_restarts(void)
{
    enum { BYTES = 30000000, RATE = 20000000 };
    struct fixture f;
    struct sf_node_transfer transfer;
    uint64_t sent;

    fixture_make(&f, 2, 2);
    fixture_slow(&f, RATE);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, BYTES);
    for (int i = 0; i < 5; i++) {
        fixture_run(&f, 2 * SF_SEC);
        sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
        fixture_start(&f, SAT);
    }
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    transfer = fixture_transfer(&f, GROUND);
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    sent %.4f x sealed\n",
            (double)sent / (double)(transfer.count * transfer.class_bytes));
    }
    /* Bundles half assembled in memory, and what flew until the sender noticed. */
    CHECK(sent < transfer.count * transfer.class_bytes * 135 / 100);
    fixture_close(&f);
}

/* --- Orphans ---------------------------------------------------------------------------- */

/* Bundles come and the grant does not: it is lost, or the receiver lost the key. */
static void
test_orphans(void)
{
    enum { BYTES = 3000000 };
    struct fixture f;
    struct inbound *in;
    unsigned peer;
    uint64_t sent;

    fixture_make(&f, 3, 2);
    fixture_slow(&f, 20000000);
    fixture_start(&f, GROUND);
    fixture_send_file(&f, BYTES);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, SF_SEC));
    peer = peer_number(
        sf_world_node(f.world, GROUND), peer_named(sf_world_node(f.world, GROUND), "sat"));
    mail_drop(sf_world_node(f.world, GROUND), peer, &f.id, MAIL_GRANT);
    /* As if it had been opened there, and an image from before been restored. */
    outbound_find(sf_world_node(f.world, GROUND), &f.id)->to[0].record.opened = true;
    fixture_start(&f, SAT);
    fixture_run(&f, 900 * SF_MS);
    in = sf_world_node(f.world, SAT)->ins;
    REQUIRE(in != NULL);
    CHECK(in->seal == NULL);
    CHECK(in->orphans.count > 0);
    CHECK_EQ(fixture_transfer(&f, SAT).held, 0);
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].held, 0); /* in no receipt */
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, SAT);
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    CHECK(sf_world_path_payload(f.world, GROUND, SAT) - sent < BYTES * 6 / 10);
    fixture_close(&f);
}

static void
test_lost_key(void)
{
    enum { BYTES = 3000000 };
    struct sf_disk_op op = {.kind = SF_DISK_UNLINK};
    struct fixture f;

    fixture_make(&f, 4, 2);
    fixture_slow(&f, 10000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 1 * SF_SEC);
    CHECK(fixture_transfer(&f, SAT).held > 0);
    sf_world_stop(f.world, SAT);
    op.path = "vault";
    REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(&f, SAT)), &op), SF_OK);
    op.path = "kek";
    REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(&f, SAT)), &op), SF_OK);
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    CHECK(sf_world_path_payload(f.world, GROUND, SAT) < BYTES * 11 / 10);
    fixture_close(&f);
}

/* --- Tombstones ---------------------------------------------------------------------------- */

/* FINAL is lost on its way again and again, over restarts of both: it is answered again. */
static void
test_tombstones(void)
{
    const struct sf_sim_path_config down = {.delay_ns = SF_MS, .loss_ppm = 1000000};
    const struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    struct fixture f;
    uint64_t sent;

    fixture_open(&f, 5, 2);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, 1000000);
    fixture_run(&f, 50 * SF_MS);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_RECEIVING);
    sf_world_path(f.world, SAT, GROUND, &down);
    REQUIRE(fixture_until(&f, SAT, SF_NODE_DONE, 60 * SF_SEC));
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, SAT);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    fixture_run(&f, 60 * SF_SEC);
    sf_world_path(f.world, SAT, GROUND, &clean);
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    CHECK(sf_world_path_payload(f.world, GROUND, SAT) - sent < 100000);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 1);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
    fixture_close(&f);
}

/* --- Restored images --------------------------------------------------------------------------- */

static struct sf_sim_disk *
snapshot(struct fixture *f, unsigned number)
{
    struct sf_sim_disk *image;

    REQUIRE_EQ(sf_sim_disk_clone(fixture_disk(f, number), &image), SF_OK);
    return image;
}

static void
restore(struct fixture *f, unsigned number, struct sf_sim_disk *image)
{
    sf_world_crash(f->world, number, SF_SIM_DAMAGE_LOSE_ALL);
    sf_sim_disk_restart(image, SF_SIM_DAMAGE_LOSE_ALL, 1);
    sf_world_replace_disk(f->world, number, image);
    fixture_start(f, number);
}

/* The receiver's image is older than the transfer, or in the middle of it. */
static void
receiver_rolled_back(uint64_t snapshot_ms, uint64_t restore_ms)
{
    enum { BYTES = 6000000 };
    struct fixture f;
    struct sf_sim_disk *image;

    fixture_make(&f, 6, 2);
    fixture_slow(&f, 10000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    if (snapshot_ms == 0) {
        image = snapshot(&f, SAT);
        fixture_send_file(&f, BYTES);
    } else {
        fixture_send_file(&f, BYTES);
        fixture_run(&f, snapshot_ms * SF_MS);
        image = snapshot(&f, SAT);
    }
    fixture_run(&f, restore_ms * SF_MS);
    /* Restarts since the image was taken make its epochs clearly old. */
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, SAT);
    fixture_run(&f, 200 * SF_MS);
    restore(&f, SAT, image);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 1);
    fixture_close(&f);
}

static void
test_receiver_rolled_back(void)
{
    receiver_rolled_back(0, 2000);
    receiver_rolled_back(1000, 1000);
    receiver_rolled_back(1000, 2500);
}

/* Behind FINAL nothing can be had again: both ends end it, and the sender's tombstone says so. */
static void
test_receiver_rolled_back_behind_final(void)
{
    struct fixture f;
    struct sf_sim_disk *image;

    fixture_make(&f, 7, 2);
    fixture_slow(&f, 10000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, 3000000);
    fixture_run(&f, SF_SEC);
    image = snapshot(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    restore(&f, SAT, image);
    fixture_run(&f, 600 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_DONE);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_CANCELLED);
    fixture_check_freed(&f, SAT);
    fixture_close(&f);
}

static void
sender_rolled_back(bool is_before, bool is_done)
{
    enum { BYTES = 3000000 };
    struct fixture f;
    struct sf_sim_disk *image;
    struct sf_world_send order = fixture_order();
    struct sf_node_transfer transfer;
    struct sf_transfer_id old;

    fixture_make(&f, 8, 2);
    fixture_slow(&f, 10000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_source(&f, GROUND, "source/model", BYTES, 0);
    if (is_before) {
        image = snapshot(&f, GROUND);
        fixture_send(&f, &order);
    } else {
        fixture_send(&f, &order);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
        image = snapshot(&f, GROUND);
    }
    old = f.id;
    if (is_done) {
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    } else {
        fixture_run(&f, 1500 * SF_MS);
    }
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    fixture_run(&f, 300 * SF_MS);
    restore(&f, GROUND, image);
    if (is_before) {
        /* It knows nothing of it: the receiver is told, and frees. */
        fixture_run(&f, 600 * SF_SEC);
        REQUIRE(sf_world_transfer(f.world, SAT, &old, &transfer));
        CHECK_EQ(transfer.state, is_done ? SF_NODE_DONE : SF_NODE_CANCELLED);
    } else {
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    }
    fixture_check_freed(&f, SAT);
    /* New transfers go, and numbers and names do not collide. */
    order.label = "again.bin";
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/again.bin", BYTES, 0);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), is_before && !is_done ? 1 : 2);
    fixture_close(&f);
}

static void
test_sender_rolled_back(void)
{
    sender_rolled_back(true, false);
    sender_rolled_back(true, true);
    sender_rolled_back(false, false);
    sender_rolled_back(false, true);
}

/* --- Rot ---------------------------------------------------------------------------------------------- */

/* The path of the only file in a folder of a node's disk. */
static void
only_file(struct fixture *f, unsigned number, const char *folder, char ret_path[256])
{
    uint8_t names[4096];
    struct sf_disk_op op = {
        .kind = SF_DISK_LIST, .path = folder, .data = names, .bytes = sizeof(names)};

    REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(f, number)), &op), SF_OK);
    REQUIRE(op.ret_bytes > 0);
    snprintf(ret_path, 256, "%s/%.100s", folder, (const char *)names);
}

static void
test_rot_at_sender(void)
{
    char path[256];
    struct fixture f;
    uint64_t sent;

    fixture_open(&f, 10, 2);
    sf_world_stop(f.world, SAT);
    fixture_send_file(&f, 1000000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    only_file(&f, GROUND, "spool", path);
    REQUIRE_EQ(sf_sim_disk_rot(fixture_disk(&f, GROUND), path, 500000, 4), SF_OK);
    sf_world_stop(f.world, GROUND);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    /* Found before it flies; custody is lost, and both ends say so. */
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 120 * SF_SEC));
    CHECK(strstr(fixture_transfer(&f, GROUND).why, "damaged") != NULL);
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    CHECK(sent < 1300000);
    fixture_run(&f, 300 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_freed(&f, SAT);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    fixture_close(&f);
}

static void
test_bad_moment_at_sender(void)
{
    const struct sf_sim_fault fault = {
        .kind = SF_SIM_FAULT_EIO, .operation = 0, .op_kinds = 1 << SF_DISK_READ};
    struct sf_sim_fault now = fault;
    struct fixture f;

    fixture_open(&f, 11, 2);
    sf_world_stop(f.world, SAT);
    fixture_send_file(&f, 1000000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    sf_world_stop(f.world, GROUND);
    fixture_start(&f, GROUND);
    now.operation = sf_sim_disk_operations(fixture_disk(&f, GROUND));
    REQUIRE_EQ(sf_sim_disk_fault(fixture_disk(&f, GROUND), &now), SF_OK);
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
    fixture_close(&f);
}

/* A bit flips in the receiver's slots, or, before a restart, in them or in what is staged. */
static void
test_rot_at_receiver(void)
{
    for (int what = 0; what < 4; what += what == 0 ? 2 : 1) {
        enum { BYTES = 40000000 };
        char path[256];
        struct fixture f;

        fixture_make(&f, 12, 2);
        fixture_slow(&f, 40000000);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        fixture_run(&f, SF_SEC);
        fixture_send_file(&f, BYTES);
        fixture_run(&f, 6 * SF_SEC);
        CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_RECEIVING);
        if ((what & 1) == 0) {
            only_file(&f, SAT, "spool", path);
        } else {
            only_file(&f, SAT, "staging", path);
            strcat(path, "/model.bin");
        }
        REQUIRE_EQ(sf_sim_disk_rot(fixture_disk(&f, SAT), path, 1000000, 4), SF_OK);
        REQUIRE_EQ(sf_sim_disk_rot(fixture_disk(&f, SAT), path, 25000000, 8), SF_OK);
        if ((what & 2) != 0) {
            sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
            fixture_start(&f, SAT);
        }
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
        fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
        fixture_close(&f);
    }
}

/* A flipped bit anywhere in the journal is found: refused to open, or the tail cut as after a crash. */
static void
test_rot_in_journal(void)
{
    unsigned refused = 0;
    unsigned opened = 0;

    for (unsigned i = 0; i < 60; i++) {
        static uint8_t bytes[1 << 20];
        struct fixture f;
        size_t count;
        unsigned who = i % 2;

        fixture_make(&f, 13, 2);
        fixture_slow(&f, 10000000);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        fixture_run(&f, SF_SEC);
        fixture_send_file(&f, 2000000);
        fixture_run(&f, SF_SEC);
        REQUIRE_EQ(
            sf_sim_disk_get(fixture_disk(&f, who), "journal", 0, bytes, sizeof(bytes), &count),
            SF_OK);
        sf_world_crash(f.world, who, SF_SIM_DAMAGE_LOSE_ALL);
        REQUIRE_EQ(sf_sim_disk_rot(fixture_disk(&f, who), "journal", count * i / 60, 1), SF_OK);
        if (sf_world_start(f.world, who, &f.error) == SF_OK) {
            opened++;
            fixture_run(&f, 300 * SF_SEC);
            if (sf_world_transfer(f.world, GROUND, &f.id, &(struct sf_node_transfer){0}) &&
                fixture_transfer(&f, GROUND).state == SF_NODE_DONE) {
                fixture_check_file(&f, SAT, "inbox/ground/model.bin", 2000000, 0);
            }
        } else {
            refused++;
            CHECK_EQ(f.error.status, SF_EFORMAT);
            CHECK(strstr(f.error.text, "journal") != NULL);
        }
        fixture_close(&f);
    }
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    %u refused, %u opened\n", refused, opened);
    }
    CHECK(refused > 0);
}

CHECK_MAIN("node: restarts",
    {"a sender that restarts sends again only what was in the air", test_sender_restarts},
    {"a receiver that restarts gets again only what was in the air", test_receiver_restarts},
    {"bundles ahead of their grant are kept, in no receipt, and used", test_orphans},
    {"a receiver that lost its key is granted again, without bulk", test_lost_key},
    {"a finished transfer is answered again until the sender knows", test_tombstones},
    {"a receiver restored from an older image gets what it lacks, once", test_receiver_rolled_back},
    {"a receiver restored to before its FINAL is told that it is over",
        test_receiver_rolled_back_behind_final},
    {"a sender restored from an older image reuses nothing", test_sender_rolled_back},
    {"rot in the sender's spool never flies", test_rot_at_sender},
    {"one read error at the sender delays, no more", test_bad_moment_at_sender},
    {"rot at the receiver is found and fetched again", test_rot_at_receiver},
    {"rot in a journal is found", test_rot_in_journal})
