/*
 * Pre-shared keys: each rung is used once, for one grant, and then there is
 * nothing left that leads to it: not in memory, not on a disk, at neither end.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

enum { SEED = 5 };

static struct sf_node *
node_of(struct fixture *f, unsigned number)
{
    return sf_world_node(f->world, number);
}

static struct peer *
other_of(struct fixture *f, unsigned number)
{
    return peer_named(node_of(f, number), number == GROUND ? "sat" : "ground");
}

static void
introduce(struct fixture *f, unsigned a, unsigned b, uint8_t seed, bool no_return)
{
    struct sf_node_peer conf = {.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .rate_bps = 100000000,
        .has_psk = true,
        .no_return = no_return};

    memset(conf.psk, seed, sizeof(conf.psk));
    sf_world_introduce(f->world, a, b, &conf);
}

static void
open_pair(struct fixture *f, uint64_t seed)
{
    fixture_make(f, seed, 2);
    introduce(f, GROUND, SAT, SEED, false);
    introduce(f, SAT, GROUND, SEED, false);
    fixture_start(f, GROUND);
    fixture_start(f, SAT);
    fixture_source(f, GROUND, "source/model", 100000, 0);
}

/* Send once more and wait for the end; returns the rung it was granted under. */
static uint64_t
send_one(struct fixture *f)
{
    struct sf_world_send order = fixture_order();

    fixture_send(f, &order);
    REQUIRE(fixture_until(f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    return outbound_find(node_of(f, GROUND), &f->id)->to[0].record.rung;
}

/* --- What is left ------------------------------------------------------------------- */

/* Whether the 32 bytes are in a file, or among the secrets of the vault. */
static bool
is_left(struct fixture *f, unsigned number, const uint8_t bytes[32])
{
    const struct sf_random random = node_of(f, number)->config.random;
    struct sf_vault_config config = {.random = &random};
    struct sf_sim_disk *image;
    struct sf_vault *vault;
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t secret[SF_VAULT_SECRET_BYTES_MAX];
    uint32_t cursor = 0;
    bool is_there = sf_sim_disk_grep(fixture_disk(f, number), sf_view(bytes, 32), NULL, 0);
    size_t count;

    /* Whoever has the disk has the key-encryption key on it, too. */
    REQUIRE_EQ(sf_sim_disk_clone(fixture_disk(f, number), &image), SF_OK);
    config.disk = sf_sim_disk_interface(image);
    REQUIRE_EQ(sf_vault_open(&config, &vault), SF_OK);
    while (sf_vault_next(vault, &cursor, key)) {
        REQUIRE_EQ(sf_vault_get(vault, key, secret, sizeof(secret), &count), SF_OK);
        is_there |= memmem(secret, count, bytes, 32) != NULL;
    }
    sf_vault_close(vault);
    sf_sim_disk_close(image);
    return is_there;
}

/* Neither seed nor state nor key of any rung up to `last` is at a node. */
static void
check_gone(struct fixture *f, unsigned number, uint64_t last)
{
    const struct sf_fingerprint *ground = &sf_node_card(node_of(f, GROUND))->fingerprint;
    const struct sf_fingerprint *sat = &sf_node_card(node_of(f, SAT))->fingerprint;
    struct sf_rung rung;
    uint8_t bytes[32];

    memset(bytes, SEED, sizeof(bytes));
    CHECK(!is_left(f, number, bytes));
    CHECK(memmem(other_of(f, number), sizeof(struct peer), bytes, sizeof(bytes)) == NULL);
    sf_ladder_begin(bytes, ground, sat, &rung);
    for (; rung.number <= last; sf_ladder_climb(&rung)) {
        sf_ladder_psk(&rung, bytes);
        CHECK(!is_left(f, number, rung.state));
        CHECK(!is_left(f, number, bytes));
        CHECK(memmem(other_of(f, number), sizeof(struct peer), bytes, sizeof(bytes)) == NULL);
        CHECK(memmem(other_of(f, number), sizeof(struct peer), rung.state, 32) == NULL);
    }
    /* The test would find them: the next one is there, where it must be. */
    CHECK(number != GROUND || is_left(f, number, rung.state));
}

static void
test_nothing_is_left(void)
{
    struct fixture f;
    uint64_t last = 0;

    open_pair(&f, 1);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t rung = send_one(&f);

        CHECK(rung > last);
        last = rung;
    }
    fixture_run(&f, 90 * SF_SEC);
    check_gone(&f, GROUND, last);
    /* At the receiver keys of rungs passed over are kept: those of the stride, never used. */
    CHECK(other_of(&f, SAT)->ladder.in.number == last + 1);
    for (size_t i = 0; i < other_of(&f, SAT)->ladder.passed_count; i++) {
        CHECK(other_of(&f, SAT)->ladder.passed[i].number < last - 2);
    }
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_KEEP_ALL);
    sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_KEEP_ALL);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    CHECK(send_one(&f) > last);
    fixture_close(&f);
}

static void
test_used_keys_are_gone_at_the_receiver(void)
{
    struct sf_rung rung;
    struct fixture f;
    uint64_t used[3];
    uint8_t bytes[32];

    open_pair(&f, 2);
    for (unsigned i = 0; i < 3; i++) {
        used[i] = send_one(&f);
    }
    fixture_run(&f, 90 * SF_SEC);
    memset(bytes, SEED, sizeof(bytes));
    CHECK(!is_left(&f, SAT, bytes));
    sf_ladder_begin(bytes, &sf_node_card(node_of(&f, GROUND))->fingerprint,
        &sf_node_card(node_of(&f, SAT))->fingerprint, &rung);
    for (; rung.number <= used[2]; sf_ladder_climb(&rung)) {
        CHECK(!is_left(&f, SAT, rung.state));
        sf_ladder_psk(&rung, bytes);
        if (rung.number >= used[0]) {
            CHECK(!is_left(&f, SAT, bytes));
        }
    }
    CHECK(is_left(&f, SAT, rung.state));
    fixture_close(&f);
}

/* --- Never twice --------------------------------------------------------------------- */

/* An image of the sender from before its last grants: none of their rungs comes again. */
static void
test_restored_sender(void)
{
    struct sf_sim_disk *image;
    struct fixture f;
    uint64_t last = 0;
    uint64_t again;

    open_pair(&f, 3);
    (void)send_one(&f);
    sf_world_stop(f.world, GROUND);
    REQUIRE_EQ(sf_sim_disk_clone(fixture_disk(&f, GROUND), &image), SF_OK);
    fixture_start(&f, GROUND);
    for (unsigned i = 0; i < 20; i++) {
        last = send_one(&f);
    }
    sf_world_stop(f.world, GROUND);
    sf_world_replace_disk(f.world, GROUND, image);
    fixture_start(&f, GROUND);
    fixture_run(&f, 60 * SF_SEC);
    again = send_one(&f);
    CHECK(again > last);
    fixture_close(&f);
}

/* Starts without anybody there cost no rungs, so the ladder cannot run out of reach. */
static void
test_starts_in_the_dark(void)
{
    struct sf_world_send order = fixture_order();
    struct fixture f;
    uint64_t before;

    open_pair(&f, 4);
    (void)send_one(&f);
    sf_world_stop(f.world, SAT);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    fixture_run(&f, 30 * SF_SEC);
    before = other_of(&f, GROUND)->ladder.out.number;
    for (unsigned i = 0; i < 100; i++) {
        sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
        fixture_start(&f, GROUND);
        fixture_run(&f, 5 * SF_SEC);
    }
    CHECK_EQ(other_of(&f, GROUND)->ladder.out.number, before);
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 900 * SF_SEC));
    fixture_close(&f);
}

/*
 * Where nothing comes back every start of the sender leaves rungs out, and
 * nobody tells it how far behind the receiver is, which hears nothing meanwhile.
 */
static void
test_starts_without_return(void)
{
    static const struct sf_sim_path_config shut = {.loss_ppm = SF_PRNG_PPM};
    struct sf_world_send order = fixture_order();
    struct fixture f;
    unsigned starts = 0;

    fixture_make(&f, 8, 2);
    introduce(&f, GROUND, SAT, SEED, true);
    introduce(&f, SAT, GROUND, SEED, false);
    sf_world_path(f.world, SAT, GROUND, &shut);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    sf_world_stop(f.world, SAT);
    fixture_source(&f, GROUND, "source/model", 100000, 0);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    while (other_of(&f, GROUND)->ladder.out.number < 20000) {
        REQUIRE(starts++ < 1000);
        sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
        fixture_start(&f, GROUND);
        fixture_run(&f, SF_SEC);
    }
    fixture_start(&f, SAT);
    CHECK(fixture_until(&f, SAT, SF_NODE_DONE, 900 * SF_SEC));
    CHECK(other_of(&f, SAT)->ladder.in.number > 20000);
    fixture_close(&f);
}

/* --- Reach ------------------------------------------------------------------------------- */

static void
test_reach(void)
{
    struct fixture f;
    struct sf_node *sat;
    struct peer *peer;
    struct sf_rung at;
    uint8_t psk[32];
    uint8_t other[32];
    uint64_t first;

    open_pair(&f, 5);
    fixture_run(&f, SF_SEC);
    sat = node_of(&f, SAT);
    peer = other_of(&f, SAT);
    first = peer->ladder.in.number;
    CHECK_EQ(first, 1);
    CHECK(!ladder_find(sat, peer, 0, psk));
    CHECK(ladder_find(sat, peer, first + 4095, psk));
    CHECK(!ladder_find(sat, peer, UINT64_MAX, psk));
    /* A long climb, for nothing so far: not another one within a minute. */
    CHECK(!ladder_find(sat, peer, first + 262144, psk));
    CHECK(ladder_find(sat, peer, first + 262143, psk));
    CHECK(!ladder_find(sat, peer, first + 4096, psk));
    CHECK(ladder_find(sat, peer, first + 4095, psk));
    fixture_run(&f, 7200 * SF_SEC); /* it looks at its clock once an hour */
    CHECK(ladder_find(sat, peer, first + 4096, psk));
    CHECK_EQ(peer->ladder.in.number, first); /* looking commits to nothing */
    memset(other, SEED, sizeof(other));
    sf_ladder_begin(other, &sf_node_card(node_of(&f, GROUND))->fingerprint,
        &sf_node_card(node_of(&f, SAT))->fingerprint, &at);
    CHECK(ladder_find(sat, peer, first, psk));
    sf_ladder_psk(&at, other);
    CHECK_BYTES(psk, other, 32);

    /* Grants overtake each other: what was passed over is still there, once. */
    ladder_commit(node_of(&f, SAT), peer, first + 2);
    CHECK(ladder_find(sat, peer, first, other));
    CHECK_BYTES(psk, other, 32);
    CHECK(ladder_find(sat, peer, first + 1, other));
    CHECK(!ladder_find(sat, peer, first + 2, other));
    ladder_commit(node_of(&f, SAT), peer, first);
    CHECK(!ladder_find(sat, peer, first, other));
    CHECK(ladder_find(sat, peer, first + 1, other));
    /* ... as far as there is room. */
    ladder_commit(node_of(&f, SAT), peer, first + 1000);
    CHECK(!ladder_find(sat, peer, first + 1, other));
    CHECK(ladder_find(sat, peer, first + 999, other));
    CHECK_EQ(peer->ladder.passed_count, LADDER_PASSED_MAX);
    /* Nothing out of reach moves it. */
    ladder_commit(node_of(&f, SAT), peer, UINT64_MAX);
    ladder_commit(node_of(&f, SAT), peer, 3);
    CHECK_EQ(peer->ladder.in.number, first + 1001);
    fixture_close(&f);
}

/* --- The seed ------------------------------------------------------------------------------ */

/* It is needed once; what is left of it serves after every restart; another one begins anew. */
static void
test_seed_once(void)
{
    struct fixture f;
    uint64_t first;
    uint64_t second;

    open_pair(&f, 6);
    first = send_one(&f);
    introduce(&f, GROUND, SAT, 0, false); /* all zeros: it is in the vault */
    introduce(&f, SAT, GROUND, 0, false);
    second = send_one(&f);
    CHECK(second > first);
    sf_world_stop(f.world, GROUND);
    sf_world_stop(f.world, SAT);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    CHECK(send_one(&f) > second);
    introduce(&f, GROUND, SAT, SEED + 1, false);
    introduce(&f, SAT, GROUND, SEED + 1, false);
    fixture_run(&f, 60 * SF_SEC);
    CHECK(other_of(&f, GROUND)->ladder.out.number < 3);
    (void)send_one(&f);
    fixture_close(&f);
}

static void
test_no_seed_and_none_kept(void)
{
    struct sf_node_peer conf = {
        .may_send = true, .may_receive = true, .rate_bps = 100000000, .has_psk = true};
    struct sf_node_peer_info info;
    struct fixture f;

    fixture_make(&f, 7, 2);
    fixture_start(&f, GROUND);
    REQUIRE(sf_node_peer_at(node_of(&f, GROUND), 0, &info));
    conf.card = info.peer.card;
    memcpy(conf.name, info.peer.name, sizeof(conf.name));
    CHECK_EQ(sf_node_peer_set(node_of(&f, GROUND), &conf, &f.error), SF_ENOENT);
    CHECK(strstr(f.error.text, "--psk") != NULL);
    fixture_close(&f);
}

/* There is no room for it when it comes: it is kept as soon as there is. */
static void
test_kept_later(void)
{
    struct sf_sim_disk_stats stats;
    struct fixture f;

    fixture_make(&f, 12, 2);
    introduce(&f, SAT, GROUND, SEED, false);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    sf_sim_disk_get_stats(fixture_disk(&f, GROUND), &stats);
    sf_sim_disk_set_capacity(fixture_disk(&f, GROUND), stats.used_bytes);
    introduce(&f, GROUND, SAT, SEED, false);
    fixture_run(&f, 5 * SF_SEC);
    CHECK(!other_of(&f, GROUND)->ladder.is_durable);
    sf_sim_disk_set_capacity(fixture_disk(&f, GROUND), 0);
    fixture_run(&f, 60 * SF_SEC);
    CHECK(other_of(&f, GROUND)->ladder.is_durable);
    fixture_source(&f, GROUND, "source/model", 100000, 0);
    CHECK(send_one(&f) > 0);
    fixture_close(&f);
}

CHECK_MAIN("node: ladders of pre-shared keys",
    {"neither seed nor used rungs are left at the sender", test_nothing_is_left},
    {"used rungs are gone at the receiver", test_used_keys_are_gone_at_the_receiver},
    {"a restored sender uses no rung again", test_restored_sender},
    {"starts in the dark cost no rungs", test_starts_in_the_dark},
    {"starts without return take a ladder out of no reach", test_starts_without_return},
    {"a receiver looks 4,096 rungs ahead, seldom further, and commits to what authenticates",
        test_reach},
    {"a seed for which there is no room is kept once there is", test_kept_later},
    {"the seed is needed once", test_seed_once},
    {"a key that is neither given nor kept is said", test_no_seed_and_none_kept})
