/*
 * Custody, from the sender's side: who gets a transfer, in which order, under
 * which name, when its bundles and keys go, and how it is called back.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

/* --- Recipients ------------------------------------------------------------------- */

static void
test_two_recipients(void)
{
    struct fixture f;
    struct sf_world_send order = fixture_order();
    struct sf_node_transfer transfer;

    fixture_open(&f, 1, 3);
    sf_world_stop(f.world, EDGE);
    order.to_count = 2;
    fixture_source(&f, GROUND, "source/model", 900000, 0);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, SAT, SF_NODE_DONE, 60 * SF_SEC));
    fixture_run(&f, 5 * SF_SEC);
    /* One of two has it: the spool stays. */
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.state, SF_NODE_CUSTODY);
    CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_FINAL);
    CHECK_EQ(transfer.recipients[1].state, SF_NODE_TO_WAITING);
    CHECK_EQ(fixture_count_names(&f, GROUND, "spool"), 1);
    fixture_start(&f, EDGE);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 900000, 0);
    fixture_check_file(&f, EDGE, "inbox/ground/model.bin", 900000, 0);
    fixture_run(&f, 60 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_freed(&f, SAT);
    fixture_check_freed(&f, EDGE);
    CHECK(sf_node_transfer_receipt(sf_world_node(f.world, GROUND), &f.id, 0).bytes > 0);
    CHECK(sf_node_transfer_receipt(sf_world_node(f.world, GROUND), &f.id, 1).bytes > 0);
    fixture_close(&f);
}

/* --- Priorities ------------------------------------------------------------------- */

static void
test_priority(void)
{
    const struct sf_sim_path_config path = {.delay_ns = 10 * SF_MS, .rate_bps = 110000000};
    static const char *const small[] = {"source/adapter"};
    struct fixture f;
    struct sf_world_send order = fixture_order();
    struct sf_transfer_id big;
    struct sf_node_transfer transfer;

    fixture_open(&f, 2, 2);
    sf_world_path(f.world, GROUND, SAT, &path);
    sf_world_path(f.world, SAT, GROUND, &path);
    fixture_source(&f, GROUND, "source/model", 60000000, 0);
    fixture_source(&f, GROUND, "source/adapter", 2000000, 1);
    fixture_send(&f, &order); /* 5 s on this path */
    big = f.id;
    fixture_run(&f, 1 * SF_SEC);
    order.label = "adapter.bin";
    order.paths = small;
    order.priority = 10;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 2 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/adapter.bin", 2000000, 1);
    REQUIRE(sf_world_transfer(f.world, SAT, &big, &transfer));
    CHECK_EQ(transfer.state, SF_NODE_RECEIVING);
    f.id = big;
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 30 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 60000000, 0);
    fixture_close(&f);
}

/* --- Names -------------------------------------------------------------------------- */

static void
test_directory(void)
{
    static const char *const paths[] = {"source/a", "source/b", "source/c", "source/d", "source/e"};
    static const char *const names[] = {"model-00001.safetensors", "sub dir/deep/er/b",
        "sub dir/deep/x", "-rf", "new\nline/\xc3\xa9t\xc3\xa9"};
    static const uint64_t sizes[] = {300000, 0, 70000, 1, 5000};
    struct fixture f;
    struct sf_world_send order = fixture_order();

    fixture_open(&f, 3, 2);
    for (unsigned i = 0; i < 5; i++) {
        fixture_source(&f, GROUND, paths[i], sizes[i], i);
    }
    order.label = "a directory";
    order.paths = paths;
    order.names = names;
    order.path_count = 5;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    for (unsigned i = 0; i < 5; i++) {
        char path[256];

        snprintf(path, sizeof(path), "inbox/ground/a directory/%s", names[i]);
        fixture_check_file(&f, SAT, path, sizes[i], i);
    }
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 1);
    fixture_close(&f);
}

static void
test_bad_names(void)
{
    static const char *const labels[] = {"", ".", "..", "a/b", "/", "/etc"};
    static const char *const paths[] = {"source/a", "source/b"};
    static const char *const names[][2] = {{"a", "../b"}, {"a", "/b"}, {"a", "a"}, {"a", "a/b"},
        {"a", "b/./c"}, {"a", "b//c"}, {"a", ""}, {"a", "b/"}};
    struct fixture f;
    struct sf_world_send order = fixture_order();

    fixture_open(&f, 4, 2);
    fixture_source(&f, GROUND, "source/a", 10, 0);
    fixture_source(&f, GROUND, "source/b", 10, 1);
    order.paths = paths;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        order.label = labels[i];
        CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_EINVAL);
    }
    order.label = "dir";
    order.path_count = 2;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        order.names = names[i];
        CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_EINVAL);
    }
    fixture_run(&f, 10 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox"), 0);
    fixture_close(&f);
}

static void
test_name_taken(void)
{
    struct fixture f;
    struct sf_world_send order = fixture_order();
    struct sf_node_transfer transfer;
    char path[512];

    fixture_open(&f, 5, 2);
    fixture_source(&f, GROUND, "source/model", 100000, 0);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    transfer = fixture_transfer(&f, SAT);
    snprintf(path, sizeof(path), "model.bin~%02x%02x%02x%02x", f.id.b[0], f.id.b[1], f.id.b[2],
        f.id.b[3]);
    CHECK_TEXT(transfer.delivered_as, path);
    snprintf(path, sizeof(path), "inbox/ground/%s", transfer.delivered_as);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 100000, 0);
    fixture_check_file(&f, SAT, path, 100000, 0);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 2);
    /* After a restart it is still listed under the name it really has. */
    sf_world_stop(f.world, SAT);
    fixture_start(&f, SAT);
    CHECK_TEXT(fixture_transfer(&f, SAT).delivered_as, transfer.delivered_as);
    fixture_close(&f);
}

/* The name is taken, and the one that is set apart, and the next two: it is delivered all the same. */
static void
test_every_name_taken(void)
{
    struct sf_world_send order = fixture_order();
    struct fixture f;
    char path[512];

    for (int cut = 0; cut < 2; cut++) {
        fixture_make(&f, 15, 2);
        fixture_slow(&f, 1000000);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        fixture_source(&f, GROUND, "source/model", 300000, 0);
        fixture_send(&f, &order);
        fixture_run(&f, SF_SEC);
        CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
        REQUIRE_EQ(
            sf_sim_disk_put(fixture_disk(&f, SAT), "inbox/ground/model.bin", sf_view("x", 1)),
            SF_OK);
        for (unsigned i = 1; i <= 3; i++) {
            char suffix[8] = "";

            if (i > 1) {
                snprintf(suffix, sizeof(suffix), "-%u", i);
            }
            snprintf(path, sizeof(path), "inbox/ground/model.bin~%02x%02x%02x%02x%s", f.id.b[0],
                f.id.b[1], f.id.b[2], f.id.b[3], suffix);
            REQUIRE_EQ(sf_sim_disk_put(fixture_disk(&f, SAT), path, sf_view("y", 1)), SF_OK);
        }
        if (cut == 1) {
            /* The power goes while it looks for a name. */
            const struct sf_sim_fault slow = {.kind = SF_SIM_FAULT_EIO,
                .op_kinds = 1U << SF_DISK_RENAME,
                .operation = sf_sim_disk_operations(fixture_disk(&f, SAT))};

            REQUIRE_EQ(sf_sim_disk_fault(fixture_disk(&f, SAT), &slow), SF_OK);
            fixture_run(&f, 20 * SF_SEC);
            sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
            fixture_start(&f, SAT);
        }
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
        snprintf(path, sizeof(path), "inbox/ground/model.bin~%02x%02x%02x%02x-4", f.id.b[0],
            f.id.b[1], f.id.b[2], f.id.b[3]);
        CHECK_TEXT(fixture_transfer(&f, SAT).delivered_as, path + strlen("inbox/ground/"));
        fixture_check_file(&f, SAT, path, 300000, 0);
        CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 5);
        fixture_close(&f);
    }
}

/* --- Secrets ------------------------------------------------------------------------ */

struct listener {
    uint8_t plain[3][32]; /* of the file: from its beginning, its middle, its end */
    uint8_t size[8];
    uint8_t cek[SF_CEK_BYTES];
    const char *names[3];
    uint64_t datagrams;
    uint64_t hits;
};

static bool
holds(const uint8_t *bytes, size_t count, const void *needle, size_t needle_bytes)
{
    return memmem(bytes, count, needle, needle_bytes) != NULL;
}

static void
listen(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count)
{
    struct listener *ear = context;

    (void)from;
    (void)to;
    ear->datagrams++;
    for (int i = 0; i < 3; i++) {
        ear->hits += holds(bytes, count, ear->plain[i], 32);
        ear->hits += holds(bytes, count, ear->names[i], strlen(ear->names[i]));
    }
    ear->hits += holds(bytes, count, ear->size, 8);
    ear->hits += holds(bytes, count, ear->cek, sizeof(ear->cek));
}

/* Not one of the secrets is anywhere on a node's disk. */
static void
check_silent(struct fixture *f, unsigned number, const struct listener *ear, const char *when)
{
    char where[256];

    for (int i = 0; i < 3; i++) {
        if (sf_sim_disk_grep(fixture_disk(f, number), sf_view(ear->plain[i], 32), where, 256) ||
            sf_sim_disk_grep(fixture_disk(f, number), sf_view(ear->names[i], strlen(ear->names[i])),
                where, 256)) {
            printf("\n    node %u, %s: plaintext or name %d in %s\n", number, when, i, where);
            CHECK(false);
        }
    }
    if (sf_sim_disk_grep(
            fixture_disk(f, number), sf_view(ear->cek, sizeof(ear->cek)), where, sizeof(where))) {
        printf("\n    node %u, %s: content key in %s\n", number, when, where);
        CHECK(false);
    }
}

static void
test_secrecy(void)
{
    enum { BYTES = 1234567 };
    static const char *const paths[] = {"source/model"};
    static const char *const names[] = {"hidden-folder/hidden-model.bin"};
    struct listener ear = {.names = {"hidden-label", "hidden-folder", "hidden-model"}};
    struct fixture f;
    struct sf_world_send order = fixture_order();
    struct outbound *out;

    fixture_open(&f, 6, 2);
    fixture_source(&f, GROUND, "source/model", BYTES, 0);
    for (int i = 0; i < 3; i++) {
        sf_sim_disk_generate(
            &fixture_seeds[0], (uint64_t)(BYTES - 32) * (uint64_t)i / 2, ear.plain[i], 32);
    }
    sf_put_be64(ear.size, BYTES);
    sf_world_tap(f.world, listen, &ear);
    order.label = "hidden-label";
    order.paths = paths;
    order.names = names;
    sf_world_stop(f.world, SAT);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    out = outbound_find(sf_world_node(f.world, GROUND), &f.id);
    memcpy(ear.cek, out->seal->cek, sizeof(ear.cek));
    check_silent(&f, GROUND, &ear, "in custody");
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    CHECK(ear.datagrams > 800);
    CHECK_EQ(ear.hits, 0);
    fixture_run(&f, 90 * SF_SEC);
    check_silent(&f, GROUND, &ear, "done");
    fixture_check_freed(&f, GROUND);
    CHECK_TEXT(fixture_transfer(&f, GROUND).label, "");
    fixture_close(&f);
}

struct kek_copy {
    uint8_t bytes[2][65536];
    size_t counts[2];
};

static void
read_vault(struct fixture *f, unsigned number, struct kek_copy *ret)
{
    static const char *const paths[] = {"kek", "vault"};

    for (int i = 0; i < 2; i++) {
        REQUIRE_EQ(sf_sim_disk_get(fixture_disk(f, number), paths[i], 0, ret->bytes[i],
                       sizeof(ret->bytes[i]), &ret->counts[i]),
            SF_OK);
    }
}

/* After FINAL and at most a minute neither the key under which it was wrapped nor the wrapping. */
static void
test_keys_vanish(void)
{
    static struct kek_copy before[2];
    struct fixture f;

    fixture_open(&f, 7, 2);
    sf_world_stop(f.world, SAT);
    fixture_send_file(&f, 100000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    read_vault(&f, GROUND, &before[0]);
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_run(&f, 60 * SF_SEC);
    for (size_t at = 0; at + 32 <= before[0].counts[0]; at += 16) {
        uint8_t zeros[32] = {0};
        char where[256];

        /* Every run of 32 bytes of the old key file that is not a head or zeros. */
        if (at >= 16 && memcmp(before[0].bytes[0] + at, zeros, 32) != 0 &&
            sf_sim_disk_grep(
                fixture_disk(&f, GROUND), sf_view(before[0].bytes[0] + at, 32), where, 256)) {
            printf("\n    bytes at %zu of the old kek are still in %s\n", at, where);
            CHECK(false);
        }
    }
    fixture_close(&f);
}

/* What rots in the spool once the key is forgotten is noticed before it flies, and said. */
static void
test_forget_key_rot(void)
{
    struct fixture f;
    struct sf_world_send order = fixture_order();
    char path[128];

    fixture_open(&f, 16, 2);
    fixture_slow(&f, 10000000);
    order.forget_key = true;
    fixture_source(&f, GROUND, "source/model", 8000000, 0);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    fixture_run(&f, 3 * SF_SEC);
    CHECK(fixture_transfer(&f, GROUND).key_forgotten);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    snprintf(path, sizeof(path), "spool/");
    for (size_t i = 0; i < sizeof(f.id.b); i++) {
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "%02x", f.id.b[i]);
    }
    snprintf(path + strlen(path), sizeof(path) - strlen(path), ".out");
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_KEEP_ALL);
    /* One bit, in the middle of the last bundle's ciphertext: its outer form is as it was. */
    REQUIRE_EQ(
        sf_sim_disk_rot(fixture_disk(&f, GROUND), path,
            (fixture_transfer(&f, SAT).slots - 1) * fixture_transfer(&f, SAT).class_bytes + 1000,
            4),
        SF_OK);
    fixture_start(&f, GROUND);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 600 * SF_SEC));
    CHECK(strstr(fixture_transfer(&f, GROUND).why, "spool is damaged") != NULL);
    fixture_run(&f, 60 * SF_SEC);
    /* It did not fly to be found out there. */
    CHECK(sf_node_health(sf_world_node(f.world, SAT)) == SF_OK);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_CANCELLED);
    fixture_close(&f);
}

static void
test_forget_key(void)
{
    struct fixture f;
    struct sf_world_send order = fixture_order();
    struct sf_node_transfer transfer;
    struct outbound *out;
    uint8_t cek[SF_CEK_BYTES];
    uint64_t bytes = 8000000;

    fixture_open(&f, 8, 2);
    fixture_slow(&f, 10000000);
    sf_world_stop(f.world, SAT);
    order.forget_key = true;
    fixture_source(&f, GROUND, "source/model", bytes, 0);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    /* Nobody has opened the grant: the key is still needed. */
    transfer = fixture_transfer(&f, GROUND);
    CHECK(!transfer.key_forgotten);
    out = outbound_find(sf_world_node(f.world, GROUND), &f.id);
    memcpy(cek, out->seal->cek, sizeof(cek));
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, SAT, SF_NODE_RECEIVING, 300 * SF_SEC));
    fixture_run(&f, 2 * SF_SEC);
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.state, SF_NODE_CUSTODY);
    CHECK(transfer.key_forgotten);
    CHECK_TEXT(transfer.label, "");
    /* Even without the key both ends may restart and it arrives. */
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", bytes, 0);
    fixture_close(&f);
}

/* --- Cancel ---------------------------------------------------------------------------- */

static void
check_cancelled(struct fixture *f)
{
    CHECK_EQ(fixture_transfer(f, GROUND).state, SF_NODE_CANCELLED);
    CHECK_EQ(fixture_transfer(f, GROUND).recipients[0].state, SF_NODE_TO_CANCELLED);
    fixture_run(f, 120 * SF_SEC);
    fixture_check_freed(f, GROUND);
    fixture_check_freed(f, SAT);
    CHECK(!fixture_has_file(f, SAT, "inbox/ground/model.bin"));
    /* Told and answered: nothing is said about it any more. */
    CHECK_EQ(outbound_find(sf_world_node(f->world, GROUND), &f->id)->to[0].record.phase,
        SF_TO_CANCELLED);
}

static void
test_cancel_early(void)
{
    /* So many steps after the send, at which anything may be under way. */
    for (uint64_t step = 0; step < 12; step++) {
        struct fixture f;

        fixture_open(&f, 20 + step, 2);
        sf_sim_disk_latency(fixture_disk(&f, GROUND), SF_MS, 3 * SF_MS);
        sf_sim_disk_latency(fixture_disk(&f, SAT), SF_MS, 3 * SF_MS);
        fixture_run(&f, 5 * SF_SEC);
        fixture_send_file(&f, 3000000);
        fixture_run(&f, step * step * SF_MS);
        REQUIRE_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
        CHECK_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_ESTATE);
        fixture_run(&f, 10 * SF_SEC);
        check_cancelled(&f);
        fixture_close(&f);
    }
}

static void
test_cancel_during(void)
{
    struct fixture f;

    fixture_open(&f, 40, 2);
    fixture_slow(&f, 10000000);
    fixture_send_file(&f, 10000000);
    fixture_run(&f, 4 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_RECEIVING);
    REQUIRE_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
    fixture_run(&f, 10 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_CANCELLED);
    check_cancelled(&f);
    fixture_close(&f);
}

static void
test_cancel_after(void)
{
    struct fixture f;

    fixture_open(&f, 41, 2);
    fixture_send_file(&f, 100000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    CHECK_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_ESTATE);
    CHECK_EQ(sf_world_cancel(f.world, SAT, &f.id, &f.error), SF_ESTATE);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_DONE);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 100000, 0);
    fixture_close(&f);
}

static void
test_cancel_at_receiver(void)
{
    struct fixture f;
    struct sf_node_transfer transfer;

    fixture_open(&f, 42, 2);
    fixture_slow(&f, 10000000);
    fixture_send_file(&f, 10000000);
    fixture_run(&f, 4 * SF_SEC);
    REQUIRE_EQ(sf_world_cancel(f.world, SAT, &f.id, &f.error), SF_OK);
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_CANCELLED);
    fixture_check_freed(&f, SAT);
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.state, SF_NODE_FAILED);
    CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_REFUSED);
    /* A refusal never frees: that is for the operator to say. */
    CHECK_EQ(fixture_count_names(&f, GROUND, "spool"), 1);
    REQUIRE_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
    fixture_run(&f, 60 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    fixture_close(&f);
}

/* The other end is away for days, and each end restarts meanwhile. */
static void
test_cancel_while_away(void)
{
    struct fixture f;

    fixture_open(&f, 43, 2);
    fixture_slow(&f, 10000000);
    fixture_send_file(&f, 10000000);
    fixture_run(&f, 4 * SF_SEC);
    sf_world_stop(f.world, SAT);
    REQUIRE_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
    fixture_run(&f, 1 * DAY);
    fixture_check_freed(&f, GROUND);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    fixture_run(&f, 2 * DAY);
    fixture_start(&f, SAT);
    fixture_run(&f, 900 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_CANCELLED);
    check_cancelled(&f);
    fixture_close(&f);
}

CHECK_MAIN("node: custody",
    {"each recipient of one spool gets its own grant, and one FINAL does not free",
        test_two_recipients},
    {"a small urgent transfer overtakes a big one", test_priority},
    {"a directory arrives with all its names", test_directory},
    {"names that cannot be delivered are refused at the sender", test_bad_names},
    {"a name taken in the inbox is set apart, never overwritten", test_name_taken},
    {"however many names are taken, it is delivered once under the next", test_every_name_taken},
    {"plaintext, names, sizes and content key are in no spool, no journal and no datagram",
        test_secrecy},
    {"a minute after FINAL nothing of the old key file is left", test_keys_vanish},
    {"rot in the spool of a forgotten key is noticed before it flies", test_forget_key_rot},
    {"a key to be forgotten goes when every recipient has opened its grant, not before",
        test_forget_key},
    {"a transfer cancelled while it begins leaves nothing at either end", test_cancel_early},
    {"a transfer cancelled on its way leaves nothing at either end", test_cancel_during},
    {"a finished transfer cannot be cancelled", test_cancel_after},
    {"a receiver's cancel frees there at once and at the sender when it is told to",
        test_cancel_at_receiver},
    {"a cancel reaches a receiver that was away for days", test_cancel_while_away})
