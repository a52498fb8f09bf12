/*
 * The end of trust: peers that are revoked, at every moment and over restarts,
 * and prekeys that are replaced because somebody asked for it.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

/* Datagrams that nodes sent to each other. */
static unsigned flown[3][3];

static void
count_datagram(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    (void)count;
    if (from < 3 && to < 3) {
        flown[from][to]++;
    }
}

static bool
audit_says(struct fixture *f, unsigned number, const char *text)
{
    static uint8_t log[1 << 20];
    size_t got;

    REQUIRE_EQ(
        sf_sim_disk_get(fixture_disk(f, number), "audit.log", 0, log, sizeof(log), &got), SF_OK);
    return memmem(log, got, text, strlen(text)) != NULL;
}

/* Ground and sat over a slow line, a file on its way. */
static void
begin(struct fixture *f, uint64_t seed)
{
    fixture_open(f, seed, 2);
    fixture_slow(f, 10000000);
    fixture_send_file(f, 10000000);
    fixture_run(f, 4 * SF_SEC);
    CHECK_EQ(fixture_transfer(f, SAT).state, SF_NODE_RECEIVING);
}

/* Another file, of ground to sat. */
static void
send_next(struct fixture *f)
{
    static const char *const paths[] = {"source/next"};
    struct sf_world_send order = fixture_order();

    fixture_source(f, GROUND, "source/next", 200000, 1);
    order.paths = paths;
    order.label = "next.bin";
    fixture_send(f, &order);
}

static void
test_recipient(void)
{
    struct fixture f;

    begin(&f, 3);
    sf_world_tap(f.world, count_datagram, NULL);
    memset(flown, 0, sizeof(flown));
    CHECK_EQ(sf_world_revoke(f.world, GROUND, SAT), 1);
    fixture_run(&f, 300 * SF_SEC);
    CHECK_EQ(flown[GROUND][SAT], 0); /* not one more, though it calls */
    CHECK(flown[SAT][GROUND] > 10);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CANCELLED);
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].state, SF_NODE_TO_REVOKED);
    CHECK_TEXT(fixture_transfer(&f, GROUND).why, "every recipient was revoked here");
    fixture_check_freed(&f, GROUND);
    CHECK(audit_says(&f, GROUND, "\"revoked\""));
    CHECK(audit_says(&f, GROUND, "\"recipient_revoked\""));
    /* The driver says it again after every start, which changes nothing. */
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].state, SF_NODE_TO_REVOKED);
    CHECK_EQ(flown[GROUND][SAT], 0);
    CHECK_EQ(sf_world_revoke(f.world, GROUND, SAT), 0);
    fixture_close(&f);
}

static void
test_sender(void)
{
    struct fixture f;
    struct sf_world_send order = fixture_order();

    begin(&f, 4);
    sf_world_tap(f.world, count_datagram, NULL);
    memset(flown, 0, sizeof(flown));
    CHECK_EQ(sf_world_revoke(f.world, SAT, GROUND), 1);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_FAILED);
    CHECK_TEXT(fixture_transfer(&f, SAT).why, "its sender was revoked here");
    fixture_run(&f, 300 * SF_SEC);
    CHECK_EQ(flown[SAT][GROUND], 0);
    CHECK(flown[GROUND][SAT] > 10);
    fixture_check_freed(&f, SAT);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    CHECK(audit_says(&f, SAT, "its sender was revoked here"));
    /* Nothing new of it either. */
    order.label = "another.bin";
    fixture_send(&f, &order);
    fixture_run(&f, 300 * SF_SEC);
    CHECK(!sf_world_transfer(f.world, SAT, &f.id, &(struct sf_node_transfer){0}));
    CHECK_EQ(fixture_count_names(&f, SAT, "spool"), 0);
    CHECK_EQ(flown[SAT][GROUND], 0);
    sf_world_stop(f.world, SAT);
    fixture_start(&f, SAT);
    CHECK_TEXT(sf_node_recipient_state_name(SF_NODE_TO_REVOKED), "revoked");
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(flown[SAT][GROUND], 0);
    fixture_close(&f);
}

/* One of two recipients is revoked: the other gets it, and then it is over. */
static void
test_one_of_two(void)
{
    struct fixture f;
    struct sf_world_send order = fixture_order();

    fixture_open(&f, 5, 3);
    fixture_slow(&f, 10000000);
    fixture_source(&f, GROUND, "source/model", 10000000, 0);
    order.to_count = 2;
    fixture_send(&f, &order);
    fixture_run(&f, 2 * SF_SEC);
    CHECK_EQ(sf_world_revoke(f.world, GROUND, SAT), 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    CHECK_TEXT(fixture_transfer(&f, GROUND).why, "without a recipient that was revoked here");
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].state, SF_NODE_TO_REVOKED);
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[1].state, SF_NODE_TO_FINAL);
    fixture_run(&f, 10 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_file(&f, EDGE, "inbox/ground/model.bin", 10000000, 0);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    fixture_close(&f);
}

/* A peer that is made one again, on purpose, is as any other; of what was revoked nothing comes back. */
static void
test_again(void)
{
    struct fixture f;
    struct sf_transfer_id first;

    begin(&f, 6);
    first = f.id;
    CHECK_EQ(sf_world_revoke(f.world, GROUND, SAT), 1);
    fixture_run(&f, 100 * SF_SEC);
    sf_world_introduce(f.world, GROUND, SAT, NULL);
    CHECK(audit_says(&f, GROUND, "\"readmitted\""));
    /* What sat held of it, it is told to let go. */
    REQUIRE(fixture_until(&f, SAT, SF_NODE_CANCELLED, 600 * SF_SEC));
    fixture_run(&f, 10 * SF_SEC);
    fixture_check_freed(&f, SAT);
    send_next(&f);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/next.bin", 200000, 1);
    f.id = first;
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CANCELLED);
    fixture_close(&f);
}

/*
 * At any step of a transfer's life, at either end, and the power cut right after
 * it: it ends, nothing of it is left, and nothing is served or kept that was not
 * delivered before.
 */
static void
test_any_moment(void)
{
    for (uint64_t step = 0; step < 16; step++) {
        unsigned at = step % 2 == 0 ? GROUND : SAT;
        unsigned other = at == GROUND ? SAT : GROUND;
        struct fixture f;
        struct sf_node_transfer transfer;

        fixture_open(&f, 50 + step, 2);
        sf_sim_disk_latency(fixture_disk(&f, GROUND), SF_MS, 3 * SF_MS);
        sf_sim_disk_latency(fixture_disk(&f, SAT), SF_MS, 3 * SF_MS);
        fixture_run(&f, 5 * SF_SEC);
        fixture_send_file(&f, 3000000);
        fixture_run(&f, step * step * SF_MS * 2);
        (void)sf_world_revoke(f.world, at, other);
        if (step % 4 >= 2) {
            sf_world_crash(f.world, at, SF_SIM_DAMAGE_LOSE_ALL);
            fixture_start(&f, at);
        }
        fixture_run(&f, 120 * SF_SEC);
        fixture_check_freed(&f, at);
        if (sf_world_transfer(f.world, at, &f.id, &transfer)) {
            CHECK(transfer.state == SF_NODE_CANCELLED || transfer.state == SF_NODE_FAILED ||
                  transfer.state == SF_NODE_DONE);
        }
        CHECK_EQ(sf_node_health(sf_world_node(f.world, at)), SF_OK);
        fixture_close(&f);
    }
}

/* Of a pre-shared key nothing is left: who reads the vault later finds no rung of it. */
static void
test_psk(void)
{
    const struct sf_node_peer conf = {.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .rate_bps = 100000000,
        .has_psk = true,
        .psk = {1, 2, 3}};
    struct sf_node_peer rest = conf;
    struct fixture f;
    struct sf_node_peer again;

    fixture_make(&f, 7, 2);
    sf_world_introduce(f.world, GROUND, SAT, &conf);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 200000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    again = sf_world_node(f.world, GROUND)->peers[0].conf;
    CHECK_EQ(sf_world_revoke(f.world, GROUND, SAT), 0);
    CHECK(audit_says(&f, GROUND, "\"revoked\""));
    fixture_run(&f, 120 * SF_SEC);
    /* "What is left of it is in the vault": nothing is. */
    memset(again.psk, 0, sizeof(again.psk));
    CHECK_EQ(sf_node_peer_set(sf_world_node(f.world, GROUND), &again, &f.error), SF_ENOENT);
    sf_world_stop(f.world, GROUND);
    fixture_start(&f, GROUND);
    CHECK_EQ(sf_node_peer_set(sf_world_node(f.world, GROUND), &again, &f.error), SF_ENOENT);
    /* A new one, given on both sides, is as any. */
    rest.psk[0] = 9;
    sf_world_introduce(f.world, GROUND, SAT, &rest);
    sf_world_introduce(f.world, SAT, GROUND, &rest);
    send_next(&f);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/next.bin", 200000, 1);
    fixture_close(&f);
}

/* --- Prekeys that are replaced on request ------------------------------------------------- */

static void
test_rotate(void)
{
    struct fixture f;
    struct sf_node *sat;
    uint64_t issue;
    uint64_t second;
    uint32_t number;

    begin(&f, 8);
    sat = sf_world_node(f.world, SAT);
    number = sf_node_card(sat)->prekey.number;
    REQUIRE_EQ(sf_node_rotate(sat, &issue, &f.error), SF_OK);
    /* Before it is on the disk nobody is shown it; asked for once more meanwhile it comes again. */
    CHECK_EQ(sf_node_card(sat)->issue, issue - 1);
    REQUIRE_EQ(sf_node_rotate(sat, &second, &f.error), SF_OK);
    CHECK_EQ(second, issue + 1);
    sf_world_poke(f.world, SAT);
    fixture_run(&f, SF_SEC);
    CHECK_EQ(sf_node_card(sat)->issue, second);
    CHECK(sf_node_card(sat)->prekey.number > number);
    /* What is under way ends; what was sealed to the old prekey can be opened. */
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    /* The sender learns of it with the next session at the latest. */
    fixture_run(&f, 300 * SF_SEC);
    send_next(&f);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    CHECK_EQ(sf_world_node(f.world, GROUND)->peers[0].conf.card.issue, second);
    /* A restart finds the new keys. */
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, SAT);
    CHECK_EQ(sf_node_card(sf_world_node(f.world, SAT))->issue, second);
    fixture_close(&f);
}

static void
test_rotate_limit(void)
{
    struct fixture f;
    uint64_t issue = 0;
    unsigned times = 0;
    int status;

    fixture_open(&f, 9, 2);
    do {
        status = sf_node_rotate(sf_world_node(f.world, SAT), &issue, &f.error);
        sf_world_poke(f.world, SAT);
        fixture_run(&f, SF_SEC);
        times += status == SF_OK;
    } while (status == SF_OK && times < 100);
    CHECK_EQ(status, SF_ELIMIT);
    CHECK(strstr(f.error.text, "prekeys are kept already") != NULL);
    CHECK_EQ(times, SF_PREKEYS_RENEWED_MAX - 1);
    fixture_send_file(&f, 200000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    fixture_close(&f);
}

/* The power goes before every step of writing the key file: a card that was shown is of keys that are there. */
static void
test_rotate_crash(void)
{
    bool was_cut = true;

    for (uint64_t step = 1; was_cut; step++) {
        struct fixture f;
        struct sf_sim_disk *disk;
        uint64_t issue;
        uint64_t shown;

        fixture_open(&f, 70 + step, 2);
        fixture_run(&f, 5 * SF_SEC);
        disk = fixture_disk(&f, SAT);
        REQUIRE_EQ(sf_node_rotate(sf_world_node(f.world, SAT), &issue, &f.error), SF_OK);
        sf_sim_disk_cut_at(disk, sf_sim_disk_operations(disk) + step);
        sf_world_poke(f.world, SAT);
        fixture_run(&f, SF_SEC);
        was_cut = sf_sim_disk_is_cut(disk);
        shown = sf_node_card(sf_world_node(f.world, SAT))->issue;
        CHECK(was_cut || shown == issue);
        sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
        fixture_start(&f, SAT);
        CHECK(sf_node_card(sf_world_node(f.world, SAT))->issue >= shown);
        CHECK(sf_node_card(sf_world_node(f.world, SAT))->issue <= issue);
        fixture_send_file(&f, 200000);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
        fixture_close(&f);
    }
}

CHECK_MAIN("node: revocation",
    {"a revoked recipient gets not one datagram more, and its transfer ends with the reason",
        test_recipient},
    {"of a revoked sender nothing is kept, answered or taken anew", test_sender},
    {"one of two recipients revoked: the other gets it, and then it is over", test_one_of_two},
    {"a peer made one again on purpose is as any other", test_again},
    {"revoked at any moment, and the power cut after it: it ends all the same", test_any_moment},
    {"nothing is left of a pre-shared key with a revoked peer", test_psk},
    {"new prekeys on request cost nothing that is under way", test_rotate},
    {"new prekeys on request have a limit, and say so", test_rotate_limit},
    {"a power cut while new prekeys are written loses none that were shown", test_rotate_crash})
