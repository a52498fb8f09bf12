/* Tests of link/contact_ways: several ways to one peer become one row of contacts. */
#include "link/contact_ion.h"
#include "link/contact_ways.h"
#include "tests/unit/check.h"

#include <stdlib.h>

static struct sf_contact_plan plan;
static struct sf_contact_leg *legs;
static size_t leg_count;

/* The legs by ways from nodes 1, 2 and 3 to node 9 (or back); false if there is no plan. */
static int
find(const char *text, size_t way_count, bool is_back)
{
    const struct sf_contact_ion config = {.name = "plan.ion"};
    struct sf_contact_way ways[3];
    struct sf_contact_error error;
    uint32_t peer;

    sf_contact_plan_fini(&plan);
    sf_contact_plan_init(&plan);
    REQUIRE_EQ(sf_contact_ion_decode(&config, sf_view(text, strlen(text)), &plan, &error), SF_OK);
    REQUIRE_EQ(sf_contact_plan_node(&plan, NULL, 9, &peer), SF_OK);
    for (uint64_t i = 0; i < way_count; i++) {
        uint32_t station;

        REQUIRE_EQ(sf_contact_plan_node(&plan, NULL, i + 1, &station), SF_OK);
        ways[i] = is_back ? (struct sf_contact_way){peer, station}
                          : (struct sf_contact_way){station, peer};
    }
    free(legs);
    legs = NULL;
    leg_count = 0;
    return sf_contact_ways_legs(&plan, ways, way_count, &legs, &leg_count);
}

static void
check_leg(size_t index, int64_t start_s, int64_t end_s, uint32_t way, uint64_t bytes_per_second)
{
    REQUIRE(index < leg_count);
    CHECK_EQ(legs[index].start.ms, start_s * 1000);
    CHECK_EQ(legs[index].end.ms, end_s * 1000);
    CHECK_EQ(legs[index].way, way);
    CHECK_EQ(legs[index].rate_bps, bytes_per_second * 8);
}

static void
test_one_way(void)
{
    REQUIRE_EQ(find("a contact +10 +20 1 9 1000\n"
                    "a contact +20 +30 1 9 1000\n"
                    "a contact +50 +60 1 9 2000\n"
                    "a contact +0 +99 2 9 9000\n"
                    "a range +0 +99 1 9 0.25\n",
                   1, false),
        SF_OK);
    CHECK_EQ(leg_count, 3);
    check_leg(0, 10, 20, 0, 1000);
    check_leg(1, 20, 30, 0, 1000);
    check_leg(2, 50, 60, 0, 2000);
    CHECK_EQ(legs[2].light_us, 250000);
    CHECK(!legs[0].no_return && !legs[2].no_return); /* nothing is said of the way back */
}

static void
test_overlap(void)
{
    REQUIRE_EQ(find("a contact +10 +40 1 9 1000\n"
                    "a contact +20 +30 2 9 2000\n"
                    "a contact +25 +60 3 9 1000\n"
                    "a contact +55 +70 1 9 1000\n"
                    "a contact +60 +80 2 9 500\n",
                   3, false),
        SF_OK);
    /* The faster one is taken while it lasts; then the first that is as fast, till it ends. */
    CHECK_EQ(leg_count, 6);
    check_leg(0, 10, 20, 0, 1000);
    check_leg(1, 20, 30, 1, 2000);
    check_leg(2, 30, 40, 0, 1000);
    check_leg(3, 40, 60, 2, 1000);
    check_leg(4, 60, 70, 0, 1000);
    check_leg(5, 70, 80, 1, 500);
}

static void
test_returns(void)
{
    static const char text[] = "a contact +10 +20 1 9 1000\n"
                               "a contact +10 +21 9 1 1000\n"
                               "a contact +30 +40 1 9 1000\n"
                               "a contact +50 +60 1 9 1000\n"
                               "a contact +61 +65 9 2 1000\n"
                               "a range +50 +60 1 9 0.6\n";

    REQUIRE_EQ(find(text, 2, false), SF_OK);
    CHECK_EQ(leg_count, 3);
    CHECK(!legs[0].no_return);
    CHECK(legs[1].no_return);
    CHECK(!legs[2].no_return); /* the answer comes 1.2 s after the end, by the other station */
    REQUIRE_EQ(find(text, 2, true), SF_OK);
    CHECK_EQ(leg_count, 2);
    check_leg(1, 61, 65, 1, 1000);
    CHECK(legs[1].no_return);
}

static void
test_limits(void)
{
    struct sf_contact_way many[SF_CONTACT_WAYS_MAX + 1] = {{0, 0}};

    REQUIRE_EQ(find("a contact +10 +20 1 2 1000\n", 1, false), SF_OK);
    CHECK_EQ(leg_count, 0);
    CHECK(legs == NULL);
    many[0].to = (uint32_t)plan.node_count;
    CHECK_EQ(sf_contact_ways_legs(&plan, many, 1, &legs, &leg_count), SF_EINVAL);
    many[0].to = 0;
    CHECK_EQ(
        sf_contact_ways_legs(&plan, many, SF_CONTACT_WAYS_MAX + 1, &legs, &leg_count), SF_EINVAL);
    CHECK_EQ(sf_contact_ways_legs(&plan, NULL, 0, &legs, &leg_count), SF_OK);
    CHECK_EQ(leg_count, 0);
    sf_contact_plan_fini(&plan);
}

CHECK_MAIN("contact ways", {"contacts of one way are taken as they are", test_one_way},
    {"of several ways the fastest is taken, and none without need given up", test_overlap},
    {"what has no way back is one-way, where the plan says anything of ways back", test_returns},
    {"ways without contacts are none, and strange ones are refused", test_limits})
