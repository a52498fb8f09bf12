/*
 * test_session.c - replay windows, sealing, and the table of sessions.
 */
#include "tests/unit/check.h"

#include "base/prng.h"
#include "link/session.h"

static void
test_window_order(void)
{
    static struct sf_replay replay;

    sf_replay_init(&replay);
    for (uint64_t c = 0; c < 1000; c++) {
        CHECK(sf_replay_is_new(&replay, c));
        sf_replay_mark(&replay, c);
        CHECK(!sf_replay_is_new(&replay, c));
    }
    CHECK(!sf_replay_is_new(&replay, 0));
}

static void
test_window_edges(void)
{
    static struct sf_replay replay;

    sf_replay_init(&replay);
    sf_replay_mark(&replay, 100000);
    CHECK(sf_replay_is_new(&replay, 100000 - SF_REPLAY_WINDOW + 1));
    CHECK(!sf_replay_is_new(&replay, 100000 - SF_REPLAY_WINDOW));
    CHECK(!sf_replay_is_new(&replay, 0));
    sf_replay_mark(&replay, 100000 - SF_REPLAY_WINDOW + 1);
    CHECK(!sf_replay_is_new(&replay, 100000 - SF_REPLAY_WINDOW + 1));
    sf_replay_mark(&replay, 100001);
    CHECK(!sf_replay_is_new(&replay, 100000));
    CHECK(sf_replay_is_new(&replay, 100000 - SF_REPLAY_WINDOW + 2));
    /* A jump over more than the window forgets all of it. */
    sf_replay_mark(&replay, 1000000);
    CHECK(!sf_replay_is_new(&replay, 100001));
    CHECK(sf_replay_is_new(&replay, 999999));
    CHECK(!sf_replay_is_new(&replay, 1000000));
    sf_replay_mark(&replay, 1000000 + SF_REPLAY_WINDOW);
    CHECK(!sf_replay_is_new(&replay, 1000000));
    CHECK(sf_replay_is_new(&replay, 1000001));
}

/* Against a set that forgets nothing. */
static void
test_window_random(void)
{
    enum { SPAN = 400000 };
    static struct sf_replay replay;
    static bool seen[SPAN];
    struct sf_prng prng;
    uint64_t highest = 0;
    unsigned wrong = 0;

    sf_replay_init(&replay);
    memset(seen, 0, sizeof(seen));
    sf_prng_init(&prng, 7);
    for (unsigned i = 0; i < 500000; i++) {
        uint64_t near = highest > 70000 ? highest - 70000 : 0;
        uint64_t c = near + sf_prng_below(&prng, 70100);
        bool expected;

        if (c >= SPAN) {
            break;
        }
        expected = !seen[c] && (c > highest || highest - c < SF_REPLAY_WINDOW);
        wrong += sf_replay_is_new(&replay, c) != expected ? 1 : 0;
        if (expected) {
            sf_replay_mark(&replay, c);
            seen[c] = true;
            highest = c > highest ? c : highest;
        }
    }
    CHECK_EQ(wrong, 0);
}

/* --- The table --------------------------------------------------------------------- */

struct bench {
    struct sf_session_out out;
    struct sf_session_table table;
    struct sf_session_in in[6];
};

static void
open_in(struct bench *bench, unsigned i, uint32_t id, uint8_t key)
{
    bench->in[i].state = SF_SESSION_LIVE;
    bench->in[i].id = id;
    bench->in[i].peer = i;
    memset(bench->in[i].key, key, 32);
}

static void
load(struct bench *bench)
{
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    memset(bench, 0, sizeof(*bench));
    bench->out.is_open = true;
    bench->out.id = 77;
    memset(bench->out.key, 1, 32);
    open_in(bench, 0, 77, 1);
    REQUIRE_EQ(sf_session_table_add(&bench->table, &bench->in[0]), SF_OK);
}

enum { PLAIN_BYTES = 100, DGRAM_BYTES = PLAIN_BYTES + SF_SESSION_OVERHEAD_BYTES };

static void
make(struct bench *bench, uint8_t dgram[DGRAM_BYTES])
{
    uint64_t counter;

    for (size_t i = 0; i < PLAIN_BYTES; i++) {
        dgram[SF_SESSION_HEAD_BYTES + i] = (uint8_t)i;
    }
    REQUIRE_EQ(sf_session_seal(&bench->out, dgram, PLAIN_BYTES, &counter), SF_OK);
}

static int
take(struct bench *bench, const uint8_t *dgram, size_t bytes, unsigned *ret_peer)
{
    uint8_t out[PLAIN_BYTES];
    struct sf_session_in *session;
    uint64_t counter;
    int status =
        sf_session_table_open(&bench->table, sf_view(dgram, bytes), out, &session, &counter);

    if (status == SF_OK) {
        *ret_peer = session->peer;
        for (size_t i = 0; i < PLAIN_BYTES; i++) {
            CHECK_EQ(out[i], i);
        }
    }
    return status;
}

static void
test_round_trip(void)
{
    static struct bench bench;
    uint8_t dgram[DGRAM_BYTES];
    unsigned peer = 9;

    load(&bench);
    make(&bench, dgram);
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_OK);
    CHECK_EQ(peer, 0);
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_EEXIST);
}

static void
test_flips(void)
{
    static struct bench bench;
    static struct sf_replay before;
    uint8_t dgram[DGRAM_BYTES];
    unsigned peer;

    load(&bench);
    make(&bench, dgram);
    before = bench.in[0].replay;
    for (size_t bit = 0; bit < DGRAM_BYTES * 8; bit++) {
        dgram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK(take(&bench, dgram, DGRAM_BYTES, &peer) != SF_OK);
        dgram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t bytes = 0; bytes < DGRAM_BYTES; bytes++) {
        CHECK(take(&bench, dgram, bytes, &peer) != SF_OK);
    }
    CHECK_BYTES(&before, &bench.in[0].replay, sizeof(before));
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_OK);
}

static void
test_candidates(void)
{
    static struct bench bench;
    uint8_t dgram[DGRAM_BYTES];
    unsigned peer = 9;

    load(&bench);
    for (unsigned i = 1; i < 4; i++) {
        open_in(&bench, i, 77, (uint8_t)(i + 1));
        REQUIRE_EQ(sf_session_table_add(&bench.table, &bench.in[i]), SF_OK);
    }
    open_in(&bench, 4, 77, 5);
    CHECK_EQ(sf_session_table_add(&bench.table, &bench.in[4]), SF_ELIMIT);
    for (unsigned i = 0; i < 4; i++) {
        memset(bench.out.key, (int)i + 1, 32);
        make(&bench, dgram);
        CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_OK);
        CHECK_EQ(peer, i);
    }
    memset(bench.out.key, 5, 32);
    make(&bench, dgram);
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_EAUTH);
    /* A bucket is shared by ids of equal low bits, which are no candidates. */
    open_in(&bench, 4, 77 + SF_SESSION_TABLE_BUCKETS, 5);
    CHECK_EQ(sf_session_table_add(&bench.table, &bench.in[4]), SF_OK);
    sf_session_table_remove(&bench.table, &bench.in[1]);
    CHECK_EQ(bench.in[1].state, SF_SESSION_FREE);
    memset(bench.out.key, 2, 32);
    make(&bench, dgram);
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_EAUTH);
}

static void
test_counter_limit(void)
{
    static struct bench bench;
    uint8_t dgram[DGRAM_BYTES] = {0};
    uint64_t counter;
    unsigned peer;

    load(&bench);
    bench.out.counter = SF_SESSION_COUNTER_LIMIT - 1;
    make(&bench, dgram);
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_OK);
    CHECK_EQ(sf_session_seal(&bench.out, dgram, PLAIN_BYTES, &counter), SF_ELIMIT);
}

static void
test_unknown(void)
{
    static struct bench bench;
    uint8_t dgram[DGRAM_BYTES];
    unsigned peer;

    load(&bench);
    bench.out.id = 78;
    make(&bench, dgram);
    CHECK_EQ(take(&bench, dgram, DGRAM_BYTES, &peer), SF_ENOENT);
}

CHECK_MAIN("session", {"counters in order are taken once each", test_window_order},
    {"the window ends 65,536 below the highest", test_window_edges},
    {"random counters are judged as by a perfect memory", test_window_random},
    {"a datagram is opened once", test_round_trip},
    {"no single bit may change, no byte be missing, and the window stays", test_flips},
    {"four sessions may share an id, and each opens its own", test_candidates},
    {"a session stops at 2^40 datagrams", test_counter_limit},
    {"an unknown id opens nothing", test_unknown})
