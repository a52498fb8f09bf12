/* Tests of base/range_set: examples, limits, and a random comparison with a plain bitmap. */
#include "base/prng.h"
#include "base/range_set.h"
#include "tests/unit/check.h"

enum { NUMBERS = 200, STEPS = 20000 };

static struct sf_range_set set;

static void
start(size_t count_max)
{
    sf_range_set_fini(&set);
    sf_range_set_init(&set, count_max);
}

static void
test_touching(void)
{
    start(10);
    CHECK_EQ(sf_range_set_add(&set, 10, 20), SF_OK);
    CHECK_EQ(sf_range_set_add(&set, 30, 40), SF_OK);
    CHECK_EQ(set.count, 2);
    CHECK_EQ(sf_range_set_add(&set, 20, 30), SF_OK);
    REQUIRE_EQ(set.count, 1);
    CHECK_EQ(set.ranges[0].from, 10);
    CHECK_EQ(set.ranges[0].to, 40);
    CHECK(sf_range_set_covers(&set, 10, 40));
    CHECK(!sf_range_set_covers(&set, 9, 40));
    CHECK(!sf_range_set_covers(&set, 10, 41));
    CHECK(!sf_range_set_has(&set, 40));
    CHECK_EQ(sf_range_set_total(&set), 30);
}

static void
test_arguments(void)
{
    start(10);
    CHECK_EQ(sf_range_set_add(&set, 5, 4), SF_EINVAL);
    CHECK_EQ(sf_range_set_remove(&set, 5, 4), SF_EINVAL);
    CHECK_EQ(sf_range_set_add(&set, 5, 5), SF_OK);
    CHECK_EQ(set.count, 0);
    CHECK(!sf_range_set_has(&set, UINT64_MAX));
    CHECK_EQ(sf_range_set_add(&set, 0, UINT64_MAX), SF_OK);
    CHECK(sf_range_set_has(&set, UINT64_MAX - 1));
    CHECK(sf_range_set_covers(&set, 7, 7));
}

static void
test_limit(void)
{
    start(2);
    CHECK_EQ(sf_range_set_add(&set, 0, 10), SF_OK);
    CHECK_EQ(sf_range_set_add(&set, 20, 30), SF_OK);
    CHECK_EQ(sf_range_set_add(&set, 40, 50), SF_ELIMIT);
    CHECK_EQ(sf_range_set_remove(&set, 4, 5), SF_ELIMIT);
    CHECK_EQ(set.count, 2);
    CHECK_EQ(sf_range_set_total(&set), 20);
    /* What needs no range of its own still works. */
    CHECK_EQ(sf_range_set_add(&set, 10, 20), SF_OK);
    CHECK_EQ(sf_range_set_remove(&set, 4, 5), SF_OK);
    CHECK_EQ(sf_range_set_total(&set), 29);
}

static void
test_holes(void)
{
    struct sf_range hole = {7, 7};

    start(10);
    CHECK_EQ(sf_range_set_add(&set, 10, 20), SF_OK);
    CHECK_EQ(sf_range_set_add(&set, 30, 40), SF_OK);
    CHECK(sf_range_set_hole(&set, 0, 100, &hole) && hole.from == 0 && hole.to == 10);
    CHECK(sf_range_set_hole(&set, 10, 100, &hole) && hole.from == 20 && hole.to == 30);
    CHECK(sf_range_set_hole(&set, 20, 25, &hole) && hole.from == 20 && hole.to == 25);
    CHECK(sf_range_set_hole(&set, 35, 100, &hole) && hole.from == 40 && hole.to == 100);
    hole = (struct sf_range){7, 7};
    CHECK(!sf_range_set_hole(&set, 10, 20, &hole));
    CHECK(!sf_range_set_hole(&set, 35, 40, &hole));
    CHECK(!sf_range_set_hole(&set, 50, 50, &hole));
    CHECK(hole.from == 7 && hole.to == 7);
}

static void
test_copy_and_merge(void)
{
    struct sf_range_set other;

    start(4);
    sf_range_set_init(&other, 2);
    CHECK_EQ(sf_range_set_add(&set, 0, 1), SF_OK);
    CHECK_EQ(sf_range_set_add(&set, 2, 3), SF_OK);
    CHECK_EQ(sf_range_set_copy(&other, &set), SF_OK);
    CHECK(sf_range_set_equal(&other, &set));
    CHECK_EQ(sf_range_set_add(&set, 4, 5), SF_OK);
    CHECK(!sf_range_set_equal(&other, &set));
    CHECK_EQ(sf_range_set_copy(&other, &set), SF_ELIMIT);
    CHECK_EQ(sf_range_set_total(&other), 2);
    CHECK_EQ(sf_range_set_merge(&set, &other), SF_OK);
    CHECK_EQ(sf_range_set_merge(&other, &set), SF_ELIMIT);
    sf_range_set_clear(&other);
    CHECK_EQ(sf_range_set_merge(&other, &other), SF_OK);
    CHECK_EQ(sf_range_set_total(&other), 0);
    sf_range_set_fini(&other);
}

static void
compare(const bool *has)
{
    size_t total = 0;
    uint64_t from = 0;

    for (size_t i = 0; i < NUMBERS; i++) {
        REQUIRE(sf_range_set_has(&set, i) == has[i]);
        total += has[i];
    }
    REQUIRE_EQ(sf_range_set_total(&set), total);
    for (size_t i = 0; i < set.count; i++) {
        REQUIRE(set.ranges[i].from < set.ranges[i].to);
        REQUIRE(i == 0 || set.ranges[i - 1].to < set.ranges[i].from);
    }
    /* Walking the holes meets exactly the numbers that are missing. */
    for (struct sf_range hole; sf_range_set_hole(&set, from, NUMBERS, &hole); from = hole.to) {
        for (uint64_t n = hole.from; n < hole.to; n++) {
            REQUIRE(!has[n]);
            total++;
        }
    }
    REQUIRE_EQ(total, NUMBERS);
}

static void
test_model(void)
{
    static bool has[NUMBERS];
    struct sf_prng prng;

    sf_prng_init(&prng, 1);
    start(SIZE_MAX);
    for (int step = 0; step < STEPS; step++) {
        uint64_t from = sf_prng_below(&prng, NUMBERS);
        uint64_t to = from + sf_prng_below(&prng, (NUMBERS - from < 20 ? NUMBERS - from : 20) + 1);
        bool add = sf_prng_chance(&prng, 500000);

        REQUIRE_EQ(
            add ? sf_range_set_add(&set, from, to) : sf_range_set_remove(&set, from, to), SF_OK);
        for (uint64_t n = from; n < to; n++) {
            has[n] = add;
        }
        if (step % 7 == 0) {
            compare(has);
        }
    }
    sf_range_set_fini(&set);
}

CHECK_MAIN("range_set", {"ranges that touch or overlap become one", test_touching},
    {"backward ranges are refused and empty ones change nothing", test_arguments},
    {"a set at its limit refuses what needs one more range and stays as it was", test_limit},
    {"holes are found and clipped", test_holes},
    {"copies are equal and merging is union", test_copy_and_merge},
    {"random adds and removes agree with a bitmap", test_model})
