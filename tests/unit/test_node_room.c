/*
 * Room: what a peer may keep here, and disks without any. Both ends say what
 * is missing and what to do, nothing is lost, and it goes on by itself.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

static bool
holds_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        printf("\n    '%s' is not in '%s'\n", part, text);
        return false;
    }
    return true;
}

static struct sf_node_peer
peer_conf(uint64_t quota_bytes)
{
    return (struct sf_node_peer){.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .rate_bps = 100000000,
        .quota_bytes = quota_bytes};
}

static uint64_t
used_bytes(struct fixture *f, unsigned number)
{
    struct sf_sim_disk_stats stats;

    sf_sim_disk_get_stats(fixture_disk(f, number), &stats);
    return stats.used_bytes;
}

static bool
is_healthy(struct fixture *f, unsigned number)
{
    struct sf_node *node = sf_world_node(f->world, number);

    return node != NULL && !sf_world_is_off(f->world, number) && sf_node_health(node) == SF_OK;
}

/* How many transfers a node lists. */
static size_t
count_listed(struct fixture *f, unsigned number)
{
    struct sf_node_transfer transfer;
    size_t count = 0;

    while (sf_node_transfer_at(sf_world_node(f->world, number), count, &transfer)) {
        count++;
    }
    return count;
}

/* --- Refused for now, and seen at both ends ------------------------------------------- */

static void
check_waits(struct fixture *f, const char *what_to_do)
{
    struct sf_node_transfer there = fixture_transfer(f, SAT);
    struct sf_node_transfer here = fixture_transfer(f, GROUND);

    CHECK_EQ(here.state, SF_NODE_CUSTODY);
    CHECK_EQ(here.recipients[0].state, SF_NODE_TO_PAUSED);
    CHECK(holds_text(here.recipients[0].why, "more bytes"));
    CHECK_EQ(there.state, SF_NODE_WAITING);
    CHECK_EQ(count_listed(f, SAT), 1);
    CHECK(there.need_bytes > 0);
    CHECK(holds_text(there.why, "more bytes"));
    CHECK(holds_text(there.why, what_to_do));
    CHECK(strcmp(there.peer, "ground") == 0);
    fixture_check_freed(f, SAT);
}

static void
test_quota_is_seen_at_both_ends(void)
{
    struct sf_node_peer conf = peer_conf(300000);
    struct fixture f;

    fixture_make(&f, 1, 2);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 500000);
    fixture_run(&f, 60 * SF_SEC);
    check_waits(&f, "--quota");
    conf.quota_bytes = 3000000;
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_DONE);
    CHECK_EQ(count_listed(&f, SAT), 1);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 500000, 0);
    fixture_close(&f);
}

static void
test_full_disk_is_seen_at_both_ends(void)
{
    struct fixture f;

    fixture_open(&f, 2, 2);
    fixture_run(&f, SF_SEC);
    sf_sim_disk_set_capacity(fixture_disk(&f, SAT), used_bytes(&f, SAT) + 200000);
    fixture_send_file(&f, 1000000);
    fixture_run(&f, 120 * SF_SEC);
    check_waits(&f, "must become free");
    sf_sim_disk_set_capacity(fixture_disk(&f, SAT), 0);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    CHECK_EQ(count_listed(&f, SAT), 1);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
    fixture_close(&f);
}

/* What waits can be refused for good from here, and called back from there. */
static void
test_what_waits_is_cancelled(void)
{
    for (unsigned by = GROUND; by <= SAT; by++) {
        struct sf_node_peer conf = peer_conf(300000);
        struct sf_node_transfer transfer;
        struct fixture f;

        fixture_make(&f, 3, 2);
        sf_world_introduce(f.world, SAT, GROUND, &conf);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        fixture_send_file(&f, 500000);
        fixture_run(&f, 60 * SF_SEC);
        check_waits(&f, "--quota");
        CHECK_EQ(sf_world_cancel(f.world, by, &f.id, &f.error), SF_OK);
        fixture_run(&f, 600 * SF_SEC);
        CHECK(!sf_world_transfer(f.world, SAT, &f.id, &transfer));
        CHECK_EQ(
            fixture_transfer(&f, GROUND).state, by == GROUND ? SF_NODE_CANCELLED : SF_NODE_FAILED);
        fixture_close(&f);
    }
}

/* A small sealed thing that decodes to a large one counts with what it decodes to. */
static void
test_plaintext_is_under_the_quota(void)
{
    static uint8_t zeros[4000000];
    struct sf_node_peer conf = peer_conf(1000000);
    struct sf_world_send order = fixture_order();
    struct fixture f;

    fixture_make(&f, 4, 2);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    REQUIRE_EQ(
        sf_sim_disk_put(fixture_disk(&f, GROUND), "source/model", sf_view(zeros, sizeof(zeros))),
        SF_OK);
    fixture_send(&f, &order);
    fixture_run(&f, 120 * SF_SEC);
    CHECK(fixture_transfer(&f, GROUND).count * fixture_transfer(&f, GROUND).class_bytes < 200000);
    check_waits(&f, "--quota");
    CHECK_EQ(fixture_transfer(&f, SAT).need_bytes, 3000000);
    conf.quota_bytes = sizeof(zeros);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
    fixture_close(&f);
}

/* --- The last byte is gone ---------------------------------------------------------------- */

struct filler {
    struct fixture *f;
    unsigned number;
    uint64_t at; /* the operation before which others take all that is free */
    bool is_done;
};

static void
fill_at(void *context, uint64_t operation, const struct sf_disk_op *op)
{
    struct filler *filler = context;

    (void)op;
    if (operation >= filler->at && !filler->is_done) {
        filler->is_done = true;
        sf_sim_disk_set_capacity(
            fixture_disk(filler->f, filler->number), used_bytes(filler->f, filler->number));
    }
}

/*
 * From operation `at` of node `full` on there is no free byte, for a minute. Returns how many
 * operations the node had begun when it started, and then in all.
 */
static uint64_t
fill_one(unsigned full, uint64_t at, uint64_t *ret_first)
{
    enum { BYTES = 300000 };
    struct filler filler = {.number = full, .at = at};
    struct fixture f;
    uint64_t operations;

    fixture_open(&f, 5, 2);
    filler.f = &f;
    fixture_run(&f, SF_SEC);
    *ret_first = sf_sim_disk_operations(fixture_disk(&f, full));
    sf_sim_disk_watch(fixture_disk(&f, full), fill_at, &filler);
    fixture_send_file(&f, BYTES);
    fixture_run(&f, 60 * SF_SEC);
    CHECK(is_healthy(&f, GROUND));
    CHECK(is_healthy(&f, SAT));
    if (fixture_transfer(&f, GROUND).state == SF_NODE_DONE) {
        fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    } else {
        const char *why =
            full == GROUND ? fixture_transfer(&f, GROUND).why : fixture_transfer(&f, SAT).why;

        CHECK(fixture_transfer(&f, GROUND).recipients[0].state != SF_NODE_TO_FINAL);
        CHECK(strlen(why) > 0);
    }
    sf_sim_disk_set_capacity(fixture_disk(&f, full), 0);
    if (fixture_transfer(&f, GROUND).state == SF_NODE_FAILED) {
        /* It could not be taken into custody, and that was said: it is sent again. */
        struct sf_world_send order = fixture_order();

        CHECK_EQ(full, GROUND);
        CHECK(holds_text(fixture_transfer(&f, GROUND).why, "no space"));
        fixture_run(&f, 60 * SF_SEC);
        fixture_send(&f, &order);
    }
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 1);
    fixture_run(&f, 60 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_freed(&f, SAT);
    operations = sf_sim_disk_operations(fixture_disk(&f, full));
    sf_sim_disk_watch(fixture_disk(&f, full), NULL, NULL);
    fixture_close(&f);
    return operations;
}

static void
test_full_at_every_operation(void)
{
    /* A third of them every day, all of them with SF_FULL=1. */
    uint64_t step = getenv("SF_FULL") != NULL ? 1 : 3;

    for (unsigned full = GROUND; full <= SAT; full++) {
        uint64_t first;
        uint64_t last = fill_one(full, SF_NEVER, &first);
        uint64_t runs = 0;

        for (uint64_t at = first; at < last; at += step) {
            (void)fill_one(full, at, &first);
            runs++;
        }
        CHECK(runs > 20);
        printf("%llu points ", (unsigned long long)runs);
    }
}

/* Others take at once whatever is given back. */
struct hog {
    struct fixture *f;
    unsigned number;
    uint64_t least;
};

static void
take_all(void *context, uint64_t operation, const struct sf_disk_op *op)
{
    struct hog *hog = context;
    uint64_t used = used_bytes(hog->f, hog->number);

    (void)operation;
    (void)op;
    hog->least = used < hog->least ? used : hog->least;
    sf_sim_disk_set_capacity(fixture_disk(hog->f, hog->number), hog->least);
}

/*
 * The journal's own room is used up as well: the node says so, takes nothing
 * in, pauses its senders, and goes on when there is room.
 */
static void
test_not_even_room_for_records(void)
{
    struct sf_world_send order = fixture_order();
    struct sf_node_transfer transfer;
    struct fixture f;
    uint64_t need;
    struct sf_transfer_id id;
    struct hog hogs[2];

    fixture_make(&f, 6, 2);
    fixture_slow(&f, 20000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, 10000000);
    fixture_run(&f, SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_RECEIVING);
    for (unsigned i = SAT; i <= SAT;
         i--) { /* the receiver first, or it would have it all by then */
        struct sf_node *node = sf_world_node(f.world, i);
        hogs[i] = (struct hog){&f, i, UINT64_MAX};
        sf_sim_disk_watch(fixture_disk(&f, i), take_all, &hogs[i]);
        for (unsigned n = 0; n < 1000 && !sf_journal_is_tight(node->journal, &need); n++) {
            node_must(node, sf_journal_set(node->journal, SF_TABLE_NODE, sf_view("test", 4),
                                sf_view(&n, sizeof(n))));
            node_commit(node);
            while (node->commits > 0) {
                (void)sf_disk_poll(sf_sim_disk_interface(fixture_disk(&f, i)));
            }
        }
        fixture_run(&f, 10 * SF_SEC);
        CHECK(sf_node_is_full(node, &need));
        CHECK(need > 0);
        CHECK(is_healthy(&f, i));
    }
    fixture_run(&f, 60 * SF_SEC);
    transfer = fixture_transfer(&f, SAT);
    CHECK_EQ(transfer.state, SF_NODE_RECEIVING);
    CHECK(transfer.need_bytes > 0);
    CHECK(holds_text(transfer.why, "must become free"));
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].state, SF_NODE_TO_PAUSED);
    id = f.id;
    CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_ENOSPC);
    CHECK(holds_text(f.error.text, "more bytes must become free"));
    f.id = id;
    CHECK(fixture_transfer(&f, GROUND).state != SF_NODE_DONE);
    /* A restart on the full disk comes up and says the same. */
    sf_world_stop(f.world, SAT);
    fixture_start(&f, SAT);
    fixture_run(&f, 10 * SF_SEC);
    CHECK(is_healthy(&f, SAT));
    CHECK(sf_node_is_full(sf_world_node(f.world, SAT), &need));
    for (unsigned i = 0; i < 2; i++) {
        sf_sim_disk_watch(fixture_disk(&f, i), NULL, NULL);
        sf_sim_disk_set_capacity(fixture_disk(&f, i), 0);
    }
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
    fixture_run(&f, 60 * SF_SEC);
    for (unsigned i = 0; i < 2; i++) {
        CHECK(!sf_node_is_full(sf_world_node(f.world, i), &need));
    }
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 10000000, 0);
    fixture_close(&f);
}

/* A power cut while records wait for room: what was reported is there, the rest is done again. */
static void
test_cut_while_full(void)
{
    for (int model = 0; model < SF_SIM_DAMAGE_MODELS; model++) {
        struct fixture f;

        fixture_open(&f, 7, 2);
        fixture_run(&f, SF_SEC);
        fixture_send_file(&f, 1000000);
        fixture_run(&f, 60 * SF_MS);
        for (unsigned i = 0; i < 2; i++) {
            const struct sf_sim_fault full = {.kind = SF_SIM_FAULT_SHORT,
                .op_kinds = 1U << SF_DISK_WRITE,
                .operation = sf_sim_disk_operations(fixture_disk(&f, i)),
                .for_ever = true};

            REQUIRE_EQ(sf_sim_disk_fault(fixture_disk(&f, i), &full), SF_OK);
        }
        fixture_run(&f, 30 * SF_SEC);
        CHECK(is_healthy(&f, GROUND));
        CHECK(is_healthy(&f, SAT));
        for (unsigned i = 0; i < 2; i++) {
            sf_world_crash(f.world, i, (enum sf_sim_damage_model)model);
            sf_sim_disk_heal(fixture_disk(&f, i));
            fixture_start(&f, i);
        }
        if (fixture_transfer(&f, GROUND).state != SF_NODE_CUSTODY) {
            struct sf_world_send order = fixture_order();

            fixture_send(&f, &order); /* custody had not been promised */
        }
        CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
        fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
        fixture_close(&f);
    }
}

CHECK_MAIN("node: room",
    {"a quota that is used up is seen at both ends", test_quota_is_seen_at_both_ends},
    {"a full disk is seen at both ends", test_full_disk_is_seen_at_both_ends},
    {"what waits can be refused for good and called back", test_what_waits_is_cancelled},
    {"plaintext is under the quota", test_plaintext_is_under_the_quota},
    {"a disk that is full from any operation on stops nobody", test_full_at_every_operation},
    {"not even room for records: nothing is taken in, nothing lost",
        test_not_even_room_for_records},
    {"a power cut while records wait for room", test_cut_while_full})
