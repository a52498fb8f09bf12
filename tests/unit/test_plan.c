/* Tests of app/plan: plan files of peers, and how their mistakes are told. */
#include "app/plan.h"
#include "tests/unit/check.h"

#include <stdlib.h>

static struct sf_plan plan;
static struct sf_app_error error;

static int
parse(const char *text)
{
    return sf_plan_parse("sat.plan", sf_view(text, strlen(text)), &plan, &error);
}

#define HEAD "from = 1,2\nto = 9\ngateway = 1=192.0.2.1:7272\nformat = ion\nreference = 1000\n"

static void
test_good(void)
{
    REQUIRE_EQ(parse("# stations\n" HEAD "---\r\n"
                     "a contact +0 +10 1 9 1000\n"
                     "a contact +20 +30 2 9 2000\n"
                     "a contact +0 +10 9 1 1000\n"),
        SF_OK);
    REQUIRE_EQ(plan.leg_count, 2);
    CHECK_EQ(plan.legs[0].start.ms, 1000000);
    CHECK_EQ(plan.legs[1].end.ms, 1030000);
    CHECK_EQ(plan.way_gateway[plan.legs[0].way], 0);
    CHECK(plan.way_gateway[plan.legs[1].way] == SF_PLAN_NONE);
    CHECK_TEXT(plan.gateways[0].endpoint.host, "192.0.2.1");
    CHECK(!plan.legs[0].no_return);
    CHECK(plan.legs[1].no_return);
    sf_plan_fini(&plan);
    /* The other end of the same link: the gateway is of the nodes that are the peer. */
    REQUIRE_EQ(parse("from = 9\nto = 1,2\ngateway = 2=gw.example:7\nformat = ion\n---\n"
                     "a contact +0 +10 9 2 1000\na contact +0 +5 9 1 500\n"),
        SF_OK);
    REQUIRE_EQ(plan.leg_count, 1);
    CHECK_EQ(plan.way_gateway[plan.legs[0].way], 0);
    CHECK_TEXT(plan.gateways[0].endpoint.host, "gw.example");
    sf_plan_fini(&plan);
}

static void
test_hdtn(void)
{
    REQUIRE_EQ(parse("from = 1\nto = 9\nformat = hdtn\n---\n{\"contacts\": [{\"contact\": 0, "
                     "\"source\": 1, \"dest\": 9, \"startTime\": 5, \"endTime\": 6, "
                     "\"rateBitsPerSec\": 8000, \"owlt\": 2}]}\n"),
        SF_OK);
    REQUIRE_EQ(plan.leg_count, 1);
    CHECK_EQ(plan.legs[0].start.ms, 5000);
    CHECK_EQ(plan.legs[0].rate_bps, 8000);
    CHECK_EQ(plan.legs[0].light_us, 2000000);
    sf_plan_fini(&plan);
}

static void
check_mistake(const char *text, const char *said)
{
    CHECK(parse(text) != SF_OK);
    if (strstr(error.text, said) == NULL) {
        printf("\n    '%s' does not say '%s'\n", error.text, said);
    }
    CHECK(strstr(error.text, said) != NULL);
}

static void
test_mistakes(void)
{
    static const char contact[] = "a contact +0 +10 1 9 1000\n";
    static const struct {
        const char *head;
        const char *said;
    } heads[] = {
        {"from = 1\nto = 9\nformat = ion\n", "sat.plan: the line --- "},
        {"to = 9\nformat = ion\n---\n", "sat.plan: from is missing"},
        {"from = 1\nformat = ion\n---\n", "sat.plan: to is missing"},
        {"from = 1\nto = 9\n---\n", "sat.plan: format is missing"},
        {"from = 1\nfrom = 1\nto = 9\nformat = ion\n---\n", "sat.plan:2: from is set a second"},
        {"from = 1\nto = \nformat = ion\n---\n", "sat.plan:2: "},
        {"from = 1,,2\nto = 9\nformat = ion\n---\n", "sat.plan:1: from = 1,,2: expected a node"},
        {"from = 1\nto = 9/8\nformat = ion\n---\n", "sat.plan:2: to = 9/8: expected a node"},
        {"from = 1\nto = 9\nformat = ltp\n---\n", "sat.plan:3: format = ltp: expected ion or"},
        {"from = 1\nto = 9\nformat = ion\nreference = -1\n---\n", "sat.plan:4: reference = -1"},
        {"from = 1\nto = 9\nformat = ion\nreference = 999999999999999\n---\n", "sat.plan:4: "},
        {"from = 1\nto = 9\nformat = ion\ncolour = 3\n---\n", "sat.plan:4: unknown key colour"},
        {"from = 1\nto = 9\nformat = ion\ngateway = 1=h\n---\n", "sat.plan:4: gateway = 1=h"},
        {"from = 1\nto = 9\nformat = ion\ngateway = 1=none\n---\n", "sat.plan:4: gateway = 1=no"},
        {"from = 1\nto = 9\nformat = ion\ngateway = 1=h:1\ngateway = 1=i:2\n---\n",
            "sat.plan:5: gateway = 1=i:2: node 1 has a gateway"},
        {"from = 1\nto = 9\nformat = ion\ngateway = 7=h:1\n---\n", "sat.plan:4: gateway = 7="},
        {"from = 9\nto = 1\nformat = ion\n---\n", "has no contact from 9 to 1"},
        {"from = 3\nto = 9\nformat = ion\n---\n", "sat.plan:1: from = 3: the plan has no"},
        {"from = 1\nto = 9\nformat = hdtn\n---\n", "sat.plan:5"},
        {"from = 1\nto = 9\nformat = ion\n---\nb contact\n", "sat.plan:5: "},
    };
    char text[512];

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", heads[i].head, contact);
        check_mistake(text, heads[i].said);
    }
    check_mistake("", "the line --- ");
    check_mistake(HEAD "---\n", "from = 1: the plan has no contact of node 1");
}

static void
test_limits(void)
{
    char *text = malloc(SF_PLAN_FILE_BYTES_MAX + 2);
    size_t at = 0;

    REQUIRE(text != NULL);
    memset(text, '\n', SF_PLAN_FILE_BYTES_MAX + 1);
    CHECK_EQ(sf_plan_parse("sat.plan", sf_view(text, SF_PLAN_FILE_BYTES_MAX + 1), &plan, &error),
        SF_ELIMIT);
    /* A head that is too long has no end. */
    CHECK_EQ(sf_plan_parse("sat.plan", sf_view(text, SF_PLAN_FILE_BYTES_MAX), &plan, &error),
        SF_EFORMAT);
    /* Nine nodes to eight are 72 ways. */
    at = (size_t)sprintf(text, "from = 1,2,3,4,5,6,7,8,9\nto = 11,12,13,14,15,16,17,18\n"
                               "format = ion\n---\n");
    CHECK_EQ(sf_plan_parse("sat.plan", sf_view(text, at), &plan, &error), SF_ELIMIT);
    CHECK(strstr(error.text, "ways") != NULL);
    at = 0;
    for (int i = 0; i <= SF_PLAN_GATEWAYS_MAX; i++) {
        at += (size_t)sprintf(text + at, "gateway = %d=h:1\n", i + 1);
    }
    at += (size_t)sprintf(text + at, "---\n");
    CHECK_EQ(sf_plan_parse("sat.plan", sf_view(text, at), &plan, &error), SF_ELIMIT);
    free(text);
}

CHECK_MAIN("plan", {"ways, gateways and times are taken as they are written", test_good},
    {"HDTN's plans are read as well", test_hdtn},
    {"every mistake is told with file, line and value", test_mistakes},
    {"what is too much is refused", test_limits})
