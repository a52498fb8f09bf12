/*
 * test_extents.c - what is in flight or lost, against a model that remembers
 * every segment.
 */
#include "link/extents.h"

#include "base/prng.h"
#include "tests/unit/check.h"

enum { UNITS = 600, UNIT = 16, SEGMENT = 5 * UNIT };

enum unit_state { UNSENT, CONFIRMED, IN_FLIGHT, LOST };

struct model {
    enum unit_state state[UNITS];
    uint64_t seq[UNITS];
    uint64_t next; /* units */
};

static struct sf_extent_store store;
static struct sf_extents extents;
static struct model model;

static void
begin(uint32_t nodes)
{
    sf_extent_store_init(&store, nodes);
    sf_extents_init(&extents, &store);
    memset(&model, 0, sizeof(model));
}

static void
end(void)
{
    sf_extents_clear(&extents);
    CHECK_EQ(store.used, 0);
    sf_extent_store_fini(&store);
}

/* The list is well formed and says what the model says. */
static void
check_model(void)
{
    uint64_t at = 0;
    uint32_t lost = 0;
    uint32_t count = 0;
    uint32_t prev = SF_EXTENT_NONE;

    for (uint32_t i = extents.first; i != SF_EXTENT_NONE; i = sf_extents_at(&extents, i)->next) {
        const struct sf_extent *extent = sf_extents_at(&extents, i);

        REQUIRE(extent->from < extent->to);
        REQUIRE(extent->from >= at);
        REQUIRE_EQ(extent->prev, prev);
        for (; at < extent->from; at += UNIT) {
            REQUIRE_EQ(model.state[at / UNIT], CONFIRMED);
        }
        for (; at < extent->to; at += UNIT) {
            REQUIRE_EQ(model.state[at / UNIT], extent->segment == 0 ? LOST : IN_FLIGHT);
            if (extent->segment != 0) {
                REQUIRE_EQ(
                    extent->seq + (at - extent->from) / extent->segment, model.seq[at / UNIT]);
            }
        }
        lost += extent->segment == 0 ? 1 : 0;
        count++;
        prev = i;
    }
    for (; at < model.next * UNIT; at += UNIT) {
        REQUIRE_EQ(model.state[at / UNIT], CONFIRMED);
    }
    REQUIRE_EQ(extents.last, prev);
    REQUIRE_EQ(extents.lost_count, lost);
    REQUIRE_EQ(extents.count, count);
}

static void
model_sent(uint64_t from, uint64_t to, uint64_t seq)
{
    for (uint64_t i = from; i < to; i++) {
        model.state[i] = IN_FLIGHT;
        model.seq[i] = seq;
    }
}

/* Send what a sender would: the first lost range, else the next new one. */
static void
send_one(uint64_t seq)
{
    uint32_t lost = extents.first;
    uint64_t from;
    uint64_t to;

    while (lost != SF_EXTENT_NONE && sf_extents_at(&extents, lost)->segment != 0) {
        lost = sf_extents_at(&extents, lost)->next;
    }
    if (lost != SF_EXTENT_NONE) {
        from = sf_extents_at(&extents, lost)->from;
        to = sf_extents_at(&extents, lost)->to;
        to = to - from > SEGMENT ? from + SEGMENT : to;
    } else {
        from = model.next * UNIT;
        to = from + SEGMENT > UNITS * UNIT ? (uint64_t)UNITS * UNIT : from + SEGMENT;
        if (from == to) {
            return;
        }
        REQUIRE(sf_extent_store_reserve(&store));
        model.next = to / UNIT;
    }
    sf_extents_sent(&extents, lost, from, to, seq, SEGMENT);
    model_sent(from / UNIT, to / UNIT, seq);
}

static void
test_against_model(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sf_prng prng;
        uint64_t seq = 1;

        sf_prng_init(&prng, seed);
        begin(100000);
        for (int turn = 0; turn < 300; turn++) {
            uint64_t choice = sf_prng_below(&prng, 10);
            /* Whole segments, as a receiver would name them. */
            uint64_t from = sf_prng_below(&prng, UNITS / 5) * 5;
            uint64_t to = from + (1 + sf_prng_below(&prng, 12)) * 5;

            to = to < model.next ? to : model.next;
            if (choice < 6 || from >= to) {
                send_one(seq++);
            } else if (choice < 8) {
                sf_extents_confirm(&extents, SF_EXTENT_NONE, from * UNIT, to * UNIT);
                for (uint64_t i = from; i < to; i++) {
                    model.state[i] = CONFIRMED;
                }
            } else {
                uint64_t horizon = sf_prng_below(&prng, seq + 1);

                sf_extents_missing(&extents, SF_EXTENT_NONE, from * UNIT, to * UNIT, horizon);
                for (uint64_t i = from; i < to; i++) {
                    if (model.state[i] == CONFIRMED ||
                        (model.state[i] == IN_FLIGHT && model.seq[i] <= horizon)) {
                        model.state[i] = LOST;
                    }
                }
            }
            check_model();
        }
        end();
    }
}

static void
test_runs_merge(void)
{
    begin(1000);
    for (uint64_t i = 0; i < 10000; i++) {
        REQUIRE(sf_extent_store_reserve(&store));
        sf_extents_sent(&extents, SF_EXTENT_NONE, i * SEGMENT, (i + 1) * SEGMENT, 100 + i, SEGMENT);
    }
    CHECK_EQ(extents.count, 1);
    /* One datagram of something else between them begins another run. */
    sf_extents_sent(
        &extents, SF_EXTENT_NONE, 10000 * SEGMENT, 10001 * SEGMENT, 100 + 10001, SEGMENT);
    CHECK_EQ(extents.count, 2);
    end();
}

static void
test_full_store(void)
{
    struct sf_prng prng;
    uint64_t seq = 1;

    /* With 16 nodes much less can be told apart, yet nothing breaks and all is confirmed. */
    sf_prng_init(&prng, 3);
    begin(16);
    for (int turn = 0; turn < 20000; turn++) {
        uint64_t from = sf_prng_below(&prng, UNITS) * UNIT;
        uint64_t to = from + sf_prng_below(&prng, 30) * UNIT;
        uint32_t lost;

        to = to < model.next * UNIT ? to : model.next * UNIT;
        if (from < to && sf_prng_below(&prng, 2) == 0) {
            sf_extents_confirm(&extents, SF_EXTENT_NONE, from, to);
        } else if (from < to) {
            sf_extents_missing(&extents, SF_EXTENT_NONE, from, to, seq - sf_prng_below(&prng, 3));
        }
        lost = extents.first;
        while (lost != SF_EXTENT_NONE && sf_extents_at(&extents, lost)->segment != 0) {
            lost = sf_extents_at(&extents, lost)->next;
        }
        if (lost != SF_EXTENT_NONE) {
            from = sf_extents_at(&extents, lost)->from;
            to = sf_extents_at(&extents, lost)->to;
            sf_extents_sent(
                &extents, lost, from, to - from > SEGMENT ? from + SEGMENT : to, seq++, SEGMENT);
        } else if (model.next + 5 <= UNITS && sf_extent_store_reserve(&store)) {
            sf_extents_sent(&extents, SF_EXTENT_NONE, model.next * UNIT, (model.next + 5) * UNIT,
                seq++, SEGMENT);
            model.next += 5;
        }
        REQUIRE(store.used <= 16);
    }
    sf_extents_confirm(&extents, SF_EXTENT_NONE, 0, (uint64_t)UNITS * UNIT);
    CHECK_EQ(extents.count, 0);
    end();
}

static void
test_probe(void)
{
    begin(100);
    for (uint64_t i = 0; i < 4; i++) {
        send_one(i + 1);
    }
    CHECK_EQ(sf_extents_probe(&extents, extents.last), SEGMENT);
    CHECK_EQ(extents.lost_count, 1);
    CHECK_EQ(sf_extents_at(&extents, extents.last)->from, 3 * SEGMENT);
    CHECK_EQ(sf_extents_at(&extents, extents.last)->to, 4 * SEGMENT);
    CHECK_EQ(sf_extents_at(&extents, extents.last)->segment, 0);
    end();
}

CHECK_MAIN("extents", {"sixty seeds agree with a model of every segment", test_against_model},
    {"segments in sequence are one extent, however many", test_runs_merge},
    {"a full store does less and breaks nothing", test_full_store},
    {"a probe takes the last segment and nothing else", test_probe})
