/*
 * node_unfinished.h - ground and sat with one transfer behind them and another half way.
 */
#ifndef SF_TESTS_UNIT_NODE_UNFINISHED_H
#define SF_TESTS_UNIT_NODE_UNFINISHED_H

#include "tests/unit/node_fixture.h"

enum { FILE_BYTES = 600000 };

static struct fixture f;

/* Ground and sat are off in the middle of a transfer; both have an earlier one behind them. */
static inline void
make_unfinished(void)
{
    fixture_make(&f, 40001, 2);
    fixture_slow(&f, 1000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 20000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_source(&f, GROUND, "source/other", FILE_BYTES, 1);
    {
        static const char *const paths[] = {"source/other"};
        struct sf_world_send order = fixture_order();

        order.label = "other.bin";
        order.paths = paths;
        fixture_send(&f, &order);
    }
    REQUIRE(fixture_until(&f, SAT, SF_NODE_RECEIVING, 60 * SF_SEC));
    fixture_run(&f, SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_RECEIVING);
    sf_world_stop(f.world, GROUND);
    sf_world_stop(f.world, SAT);
}

/* The second file arrives in the end, whatever happened. */
static inline void
check_arrives(void)
{
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/other.bin", FILE_BYTES, 1);
}

/* How many transfers ground shows. */
static inline size_t
count_transfers(void)
{
    struct sf_node_transfer transfer;
    size_t count = 0;

    while (sf_node_transfer_at(sf_world_node(f.world, GROUND), count, &transfer)) {
        count++;
    }
    return count;
}

#endif
