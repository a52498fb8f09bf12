/* Tests of link/contact*: plans, what is asked of them, and their two text forms. */
#include "link/contact_hdtn.h"
#include "link/contact_ion.h"
#include "link/contact_json.h"
#include "link/contact_text.h"
#include "tests/unit/check.h"

#define DAY INT64_C(1795392000000) /* 2026-11-23 00:00:00 UTC */

static struct sf_contact_plan plan;
static struct sf_contact_error error;
static char text[1 << 16];

static int
read_ion(const char *from)
{
    const struct sf_contact_ion config = {.name = "plan.ion", .reference = {DAY}};

    return sf_contact_ion_decode(&config, sf_view(from, strlen(from)), &plan, &error);
}

static int
read_hdtn(const char *from)
{
    const struct sf_contact_hdtn config = {.name = "plan.json", .reference = {DAY}};

    return sf_contact_hdtn_decode(&config, sf_view(from, strlen(from)), &plan, &error);
}

static struct sf_wall
at(int64_t seconds)
{
    return (struct sf_wall){DAY + seconds * 1000};
}

static uint32_t
node(uint64_t number)
{
    return sf_contact_plan_numbered(&plan, number);
}

static const char example[] =
    "## begin ionadmin\n"
    "# two stations and a satellite\n"
    "a contact +600 +1200 1 25544 2500000\r\n"
    "a contact +0 +600 1 25544 125000 0.75\n"
    "\n"
    "  a contact 2026/11/23-00:00:00 2026/11/23-00:20:00 25544 1 12500000\n"
    "a contact +7200 +7260 2 25544 1\n"
    "a range +0 +600 1 25544 0.003500\n"
    "a range +600 +1200 1 25544 2\n"
    "a range +0 +1200 25544 1 1\n"
    "@ 2026/11/24-00:00:00\n"
    "a range +0 +10 25544 2 86400\n"
    "@ +10\n"
    "a contact +0 +1 25544 2 3\n";

static void
test_ion(void)
{
    const struct sf_contact *contact;
    uint64_t light;

    REQUIRE_EQ(read_ion(example), SF_OK);
    CHECK_EQ(plan.node_count, 3);
    CHECK_EQ(plan.contact_count, 5);
    CHECK_EQ(plan.range_count, 4);
    contact = sf_contact_at(&plan, node(1), node(25544), at(599));
    REQUIRE(contact != NULL);
    CHECK_EQ(contact->rate_bps, 1000000);
    CHECK_EQ(contact->confidence_ppm, 750000);
    CHECK_EQ(contact->line, 4);
    contact = sf_contact_at(&plan, node(1), node(25544), at(600));
    REQUIRE(contact != NULL);
    CHECK_EQ(contact->rate_bps, 20000000);
    CHECK_EQ(contact->end.ms, at(1200).ms);
    CHECK(sf_contact_at(&plan, node(25544), node(2), at(86410)) != NULL);
    CHECK(sf_contact_light_us(&plan, node(1), node(25544), at(0), &light));
    CHECK_EQ(light, 3500);
    CHECK(sf_contact_light_us(&plan, node(1), node(25544), at(600), &light));
    CHECK_EQ(light, 2000000);
    /* The other direction has its own. */
    CHECK(sf_contact_light_us(&plan, node(25544), node(1), at(0), &light));
    CHECK_EQ(light, 1000000);
    CHECK(!sf_contact_light_us(&plan, node(1), node(25544), at(1200), &light));
    CHECK_EQ(light, 0);
    /* From a higher number to a lower one says nothing of the way back. */
    CHECK(sf_contact_light_us(&plan, node(25544), node(2), at(86400), &light));
    CHECK(!sf_contact_light_us(&plan, node(2), node(25544), at(86400), &light));
    REQUIRE_EQ(read_ion("a contact +0 +9 2 1 1\na range +0 +9 1 2 7\n"), SF_OK);
    CHECK(sf_contact_light_us(&plan, node(2), node(1), at(0), &light));
    CHECK_EQ(light, 7000000);
    REQUIRE_EQ(read_ion(""), SF_OK);
    CHECK_EQ(plan.contact_count, 0);
    sf_contact_plan_fini(&plan);
}

static void
test_questions(void)
{
    uint32_t a, b;

    REQUIRE_EQ(read_ion(example), SF_OK);
    a = node(1);
    b = node(25544);
    CHECK_EQ(sf_contact_idle_until(&plan, a, b, at(-5)).ms, at(0).ms);
    CHECK_EQ(sf_contact_idle_until(&plan, a, b, at(1199)).ms, at(1199).ms);
    CHECK_EQ(sf_contact_idle_until(&plan, a, b, at(1200)).ms, INT64_MAX);
    CHECK_EQ(sf_contact_idle_until(&plan, node(2), b, at(1200)).ms, at(7200).ms);
    CHECK(sf_contact_at(&plan, a, b, at(-1)) == NULL);
    CHECK(sf_contact_next(&plan, a, b, at(1200)) == NULL);
    REQUIRE(sf_contact_next(&plan, a, b, at(-1)) != NULL);
    CHECK_EQ(sf_contact_next(&plan, a, b, at(-1))->start.ms, at(0).ms);
    CHECK(sf_contact_next(&plan, a, node(2), at(0)) == NULL);
    CHECK(sf_contact_next(&plan, SF_CONTACT_NONE, b, at(0)) == NULL);
    CHECK_EQ(sf_contact_plan_named(&plan, "25544"), b);
    CHECK_EQ(sf_contact_plan_named(&plan, "nobody"), SF_CONTACT_NONE);
    CHECK_EQ(sf_contact_plan_numbered(&plan, 3), SF_CONTACT_NONE);
    CHECK_EQ(sf_contact_plan_numbered(&plan, 0), SF_CONTACT_NONE);
    sf_contact_plan_fini(&plan);
}

/* A text of a mistake, the line it is on, and two things the message must hold. */
struct mistake {
    const char *text;
    unsigned int line;
    const char *says[2];
    int status;
};

static void
check_mistakes(
    int (*read)(const char *), const char *name, const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char prefix[64];
        int expected = mistakes[i].status == 0 ? SF_EFORMAT : mistakes[i].status;

        if (mistakes[i].line == 0) {
            snprintf(prefix, sizeof(prefix), "%s: ", name);
        } else {
            snprintf(prefix, sizeof(prefix), "%s:%u: ", name, mistakes[i].line);
        }
        memset(&error, 0, sizeof(error));
        CHECK_EQ(read(mistakes[i].text), expected);
        CHECK_EQ(error.line, mistakes[i].line);
        if (strncmp(error.text, prefix, strlen(prefix)) != 0 ||
            strstr(error.text, mistakes[i].says[0]) == NULL ||
            strstr(error.text, mistakes[i].says[1]) == NULL) {
            printf("\n    %s: %s\n", mistakes[i].text, error.text);
            CHECK(false);
        }
    }
}

static void
test_ion_mistakes(void)
{
    static const struct mistake mistakes[] = {
        {"m horizon +0\n", 1, {"\"m horizon +0\"", "a contact START END"}, 0},
        {"\n# x\nd contact +0 1 2\n", 3, {"\"d contact +0 1 2\"", "a range"}, 0},
        {"1 1 ''\n", 1, {"\"1 1 ''\"", "a contact"}, 0},
        {"^ 2\n", 1, {"\"^ 2\"", "a contact"}, 0},
        {"a\n", 1, {"\"a\"", "a contact"}, 0},
        {"a contact +0 +1 1 2\n", 1, {"a contact +0 +1 1 2", "BYTES-PER-SECOND"}, 0},
        {"a contact +0 +1 1 2 3 0.5 x\n", 1, {"\"x\"", "ended before"}, 0},
        {"a range +0 +1 1 2 3 4\n", 1, {"a range +0 +1 1 2 3 4", "SECONDS"}, 0},
        {"a contact +x +1 1 2 3\n", 1, {"\"+x\"", "yyyy/mm/dd-hh:mm:ss"}, 0},
        {"a contact 5 +1 1 2 3\n", 1, {"\"5\"", "+SECONDS"}, 0},
        {"a contact +-5 +1 1 2 3\n", 1, {"\"+-5\"", "+SECONDS"}, 0},
        {"a contact +0 +999999999999 1 2 3\n", 1, {"+999999999999", "+SECONDS"}, 0},
        {"a contact 2026/02/29-00:00:00 +1 1 2 3\n", 1, {"2026/02/29", "yyyy"}, 0},
        {"a contact 2026/11/23-24:00:00 +1 1 2 3\n", 1, {"24:00:00", "yyyy"}, 0},
        {"a contact 1969/12/31-23:59:59 +1 1 2 3\n", 1, {"1969", "1970"}, 0},
        {"a contact -1 +1 2 2 3\n", 1, {"\"-1\"", "scheduled"}, 0},
        {"a contact +0 0 1 2 3\n", 1, {"\"0\"", "scheduled"}, 0},
        {"a contact +5 +5 1 2 3\n", 1, {"\"+5\"", "later than START"}, 0},
        {"a contact +0 +1 0 2 3\n", 1, {"\"0\"", "node number"}, 0},
        {"a contact +0 +1 ipn:1 2 3\n", 1, {"\"ipn:1\"", "node number"}, 0},
        {"a contact +0 +1 18446744073709551616 2 3\n", 1, {"18446744073709551616", "number"}, 0},
        {"a contact +0 +1 2 2 3\n", 1, {"\"2\"", "two different nodes"}, 0},
        {"a contact +0 +1 1 2 0\n", 1, {"\"0\"", "bytes a second"}, 0},
        {"a contact +0 +1 1 2 1.5\n", 1, {"\"1.5\"", "bytes a second"}, 0},
        {"a contact +0 +1 1 2 200000000000000\n", 1, {"200000000000000", "125000000000000"}, 0},
        {"a contact +0 +1 1 2 3 0\n", 1, {"\"0\"", "confidence"}, 0},
        {"a contact +0 +1 1 2 3 1.1\n", 1, {"\"1.1\"", "confidence"}, 0},
        {"a range +0 +1 1 2 -1\n", 1, {"\"-1\"", "light time"}, 0},
        {"a range +0 +1 1 2 86401\n", 1, {"86401", "86400"}, 0},
        {"a range +0 +1 1 2 1.0000001\n", 1, {"1.0000001", "6 decimals"}, 0},
        {"@ soon\n", 1, {"\"soon\"", "yyyy"}, 0},
        {"a contact +0 +9 1 2 3\na contact +20 +30 1 2 3\na contact +8 +10 1 2 3\n", 3,
            {"from 1 to 2 overlaps", "of line 1"}, 0},
        {"a range +0 +9 1 2 3\n\na range +0 +9 1 2 4\n", 3, {"range", "of line 1"}, 0},
    };
    static char lines[300];

    check_mistakes(read_ion, "plan.ion", mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
    memset(lines, '#', SF_CONTACT_ION_LINE_BYTES_MAX + 1);
    CHECK_EQ(read_ion(lines), SF_ELIMIT);
    CHECK(strstr(error.text, "plan.ion:1: a line of 257 bytes: at most 256") != NULL);
    CHECK_EQ(read_ion("a contact\x01\xff +0 +1 1 2 3\n"), SF_EFORMAT);
    CHECK(strstr(error.text, "a contact?? +0") != NULL);
    sf_contact_plan_fini(&plan);
}

static void
test_untouched(void)
{
    struct sf_contact_plan before;

    REQUIRE_EQ(read_ion(example), SF_OK);
    before = plan;
    CHECK_EQ(read_ion("a contact +0 +1 1 2 3\nm\n"), SF_EFORMAT);
    CHECK_EQ(read_hdtn("{\"contacts\": [{]}"), SF_EFORMAT);
    CHECK_BYTES(&plan, &before, sizeof(plan));
    CHECK(sf_contact_at(&plan, node(1), node(25544), at(0)) != NULL);
    sf_contact_plan_fini(&plan);
}

static void
test_hdtn(void)
{
    uint64_t light;
    const struct sf_contact *contact;

    REQUIRE_EQ(
        read_hdtn("{\n \"comment\": {\"a\": [1, \"}\", null]},\n \"contacts\": [\n"
                  "  {\"contact\": 0, \"source\": 1, \"dest\": 10, \"finalDestination\": 2,\n"
                  "   \"startTime\": 10, \"endTime\": 1000,\n"
                  "   \"rateBitsPerSec\": 12345, \"owlt\": 2},\n"
                  "  {\"source\": 10, \"dest\": 1, \"startTime\": 0, \"endTime\": 5,\n"
                  "   \"rate\": 1000, \"owlt\": 1, \"owltUs\": 3500},\n"
                  "  {\"source\": 10, \"dest\": 2, \"startTime\": 0, \"endTime\": 5,\n"
                  "   \"rate\": 7, \"rateBitsPerSec\": 8}]}\n"),
        SF_OK);
    CHECK_EQ(plan.contact_count, 3);
    contact = sf_contact_at(&plan, node(1), node(10), at(10));
    REQUIRE(contact != NULL);
    CHECK_EQ(contact->rate_bps, 12345);
    CHECK_EQ(contact->line, 4);
    CHECK_EQ(contact->end.ms, at(1000).ms);
    CHECK(sf_contact_light_us(&plan, node(1), node(10), at(10), &light));
    CHECK_EQ(light, 2000000);
    contact = sf_contact_at(&plan, node(10), node(1), at(0));
    REQUIRE(contact != NULL);
    CHECK_EQ(contact->rate_bps, 1000000000);
    CHECK(sf_contact_light_us(&plan, node(10), node(1), at(0), &light));
    CHECK_EQ(light, 3500);
    contact = sf_contact_at(&plan, node(10), node(2), at(0));
    REQUIRE(contact != NULL);
    CHECK_EQ(contact->rate_bps, 8);
    CHECK(!sf_contact_light_us(&plan, node(10), node(2), at(0), &light));
    REQUIRE_EQ(read_hdtn("{\"contacts\": []}"), SF_OK);
    CHECK_EQ(plan.contact_count, 0);
    sf_contact_plan_fini(&plan);
}

#define GOOD "\"source\": 1, \"dest\": 2, \"startTime\": 0, \"endTime\": 5"

static void
test_hdtn_mistakes(void)
{
    static const struct mistake mistakes[] = {
        {"", 1, {"ends too early", "an object"}, 0},
        {"[]", 1, {"\"[]\"", "an object"}, 0},
        {"{}", 0, {"no list called contacts", ""}, 0},
        {"{\"contacts\": {}}", 1, {"\"{}}\"", "a list"}, 0},
        {"{\"contacts\": [}", 1, {"\"}\"", "an object"}, 0},
        {"{\"contacts\": [1]}", 1, {"\"1]}\"", "an object"}, 0},
        {"{\"contacts\": []", 1, {"ends too early", "comma or }"}, 0},
        {"{\"contacts\": []} x", 1, {"\"x\"", "the end of the text"}, 0},
        {"{\"contacts\": [],}", 1, {"\"}\"", "name of a member"}, 0},
        {"{\"contacts\": [], \"contacts\": []}", 1, {"contacts", "twice"}, 0},
        {"{\"a\": tru, \"contacts\": []}", 1, {"\"tru\"", "no JSON"}, 0},
        {"{\"a\": \"x\ny\", \"contacts\": []}", 1, {"no JSON", "x?y"}, 0},
        {"{\"a\": [1, 2, \"contacts\": []}", 1, {"no JSON", "']' expected"}, 0},
        {"{\"a\": [1, 2, \"contacts", 1, {"ends inside", "begins here"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rateBitsPerSec\": 1}\n{}]}", 2, {"\"{}]}\"", "comma"}, 0},
        {"{\"contacts\": [{}]}", 1, {"no source", "node number"}, 0},
        {"{\"contacts\": [\n{" GOOD "}]}", 2, {"no rateBitsPerSec", "bits a second"}, 0},
        {"{\"contacts\": [{" GOOD ",\n\"rateBitsPerSec\": 0}]}", 2, {"\"0\"", "bits a second"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rate\": 0}]}", 1, {"rate: \"0\"", "Mbit"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rate\": -1}]}", 1, {"rate: \"-1\"", "Mbit"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rate\": 1.5}]}", 1, {"\"1.5\"", "Mbit"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rate\": \"5\"}]}", 1, {"\"5\"", "Mbit"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rate\": 1, \"rate\": 2}]}", 1, {"rate", "twice"}, 0},
        {"{\"contacts\": [{" GOOD ", \"rate\": 1, \"owlt\": 86401}]}", 1, {"86401", "86400"}, 0},
        {"{\"contacts\": [{\"source\": 0, \"dest\": 2, \"startTime\": 0, \"endTime\": 5}]}", 1,
            {"source: \"0\"", "above 0"}, 0},
        {"{\"contacts\": [{\"source\": 2,\n\"dest\": 2, \"startTime\": 0, \"endTime\": 5}]}", 2,
            {"dest: \"2\"", "other than the source"}, 0},
        {"{\"contacts\": [{\"source\": 1, \"dest\": 2, \"startTime\": 5,\n\"endTime\": 5}]}", 2,
            {"endTime: \"5\"", "later than startTime"}, 0},
        {"{\"contacts\": [{\"source\": 1, \"dest\": 2, \"startTime\": 5,\n\"endTime\": "
         "253402300799, \"rate\": 1}]}",
            2, {"253402300799", "seconds"}, 0},
        {"{\"contacts\": [\n{" GOOD ", \"rate\": 1},\n{" GOOD ", \"rate\": 1}]}", 3,
            {"overlaps", "of line 2"}, 0},
    };

    check_mistakes(read_hdtn, "plan.json", mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
    /* A value that is passed over is bounded too. */
    strcpy(text, "{\"a\": \"");
    memset(text + 7, 'x', SF_CONTACT_JSON_VALUE_BYTES_MAX);
    strcpy(text + 7 + SF_CONTACT_JSON_VALUE_BYTES_MAX, "\"}");
    CHECK_EQ(read_hdtn(text), SF_ELIMIT);
    CHECK(strstr(error.text, "at most 16384") != NULL);
    sf_contact_plan_fini(&plan);
}

static bool
plans_agree(const struct sf_contact_plan *a, const struct sf_contact_plan *b)
{
    if (a->contact_count != b->contact_count) {
        return false;
    }
    for (size_t i = 0; i < a->contact_count; i++) {
        const struct sf_contact *c = &a->contacts[i];
        uint32_t from = sf_contact_plan_named(b, a->nodes[c->from].name);
        uint32_t to = sf_contact_plan_named(b, a->nodes[c->to].name);
        const struct sf_contact *d = sf_contact_at(b, from, to, c->start);
        uint64_t light, other;

        if (d == NULL || d->start.ms != c->start.ms || d->end.ms != c->end.ms ||
            d->rate_bps != c->rate_bps ||
            sf_contact_light_us(a, c->from, c->to, c->start, &light) !=
                sf_contact_light_us(b, from, to, c->start, &other) ||
            light != other) {
            return false;
        }
    }
    return true;
}

static void
test_round_trip(void)
{
    const struct sf_contact_hdtn hdtn = {.name = "plan.json", .reference = {DAY}};
    struct sf_contact_plan first;
    char again[4096];
    size_t bytes, wanted;

    REQUIRE_EQ(read_ion(example), SF_OK);
    sf_contact_plan_init(&first);
    REQUIRE_EQ(sf_contact_plan_copy(&first, &plan), SF_OK);
    CHECK(plans_agree(&first, &plan));
    /* ION as it is. */
    REQUIRE_EQ(sf_contact_ion_encode(&plan, NULL, 0, &wanted, &error), SF_OK);
    REQUIRE_EQ(sf_contact_ion_encode(&plan, again, sizeof(again) - 1, &bytes, &error), SF_OK);
    CHECK_EQ(bytes, wanted);
    again[bytes] = '\0';
    CHECK(strstr(again, "a contact 2026/11/23-00:00:00 2026/11/23-00:10:00 1 25544 125000 "
                        "0.750000\n") != NULL);
    CHECK(strstr(again, "a range 2026/11/23-00:00:00 2026/11/23-00:10:00 1 25544 0.003500\n") !=
          NULL);
    REQUIRE_EQ(read_ion(again), SF_OK);
    CHECK(plans_agree(&first, &plan));
    CHECK_EQ(plan.range_count, first.range_count);
    CHECK_EQ(sf_contact_ion_encode(&plan, again, bytes - 1, &wanted, &error), SF_ELIMIT);
    CHECK_EQ(wanted, bytes);
    /* To HDTN and from there back to ION. */
    REQUIRE_EQ(sf_contact_hdtn_encode(&hdtn, &first, NULL, 0, &wanted, &error), SF_OK);
    REQUIRE_EQ(
        sf_contact_hdtn_encode(&hdtn, &first, text, sizeof(text) - 1, &bytes, &error), SF_OK);
    CHECK_EQ(bytes, wanted);
    text[bytes] = '\0';
    REQUIRE_EQ(read_hdtn(text), SF_OK);
    CHECK(plans_agree(&first, &plan));
    REQUIRE_EQ(sf_contact_ion_encode(&plan, again, sizeof(again) - 1, &bytes, &error), SF_OK);
    again[bytes] = '\0';
    REQUIRE_EQ(read_ion(again), SF_OK);
    CHECK(plans_agree(&first, &plan));
    CHECK_EQ(sf_contact_hdtn_encode(&hdtn, &first, again, 10, &bytes, &error), SF_ELIMIT);
    sf_contact_plan_fini(&first);
    sf_contact_plan_fini(&plan);
}

static int
add(uint32_t from, uint32_t to, int64_t start_ms, int64_t end_ms)
{
    return sf_contact_plan_add(&plan, &(struct sf_contact){.from = from,
                                          .to = to,
                                          .start = {start_ms},
                                          .end = {end_ms},
                                          .rate_bps = 15,
                                          .confidence_ppm = SF_CONTACT_PPM});
}

static void
test_names(void)
{
    const struct sf_contact_hdtn hdtn = {.name = "late", .reference = {DAY}};
    uint32_t ground, space, found;
    size_t bytes;

    sf_contact_plan_init(&plan);
    REQUIRE_EQ(sf_contact_plan_node(&plan, "svalbard", 0, &ground), SF_OK);
    REQUIRE_EQ(sf_contact_plan_node(&plan, "sat-7", 7, &space), SF_OK);
    CHECK_EQ(sf_contact_plan_node(&plan, NULL, 7, &found), SF_OK);
    CHECK_EQ(found, space);
    CHECK_EQ(sf_contact_plan_node(&plan, "svalbard", 7, &found), SF_EEXIST);
    CHECK_EQ(sf_contact_plan_node(&plan, "other", 7, &found), SF_EEXIST);
    CHECK_EQ(sf_contact_plan_node(&plan, "sat-7", 8, &found), SF_EEXIST);
    CHECK_EQ(sf_contact_plan_node(&plan, NULL, 0, &found), SF_EINVAL);
    CHECK_EQ(sf_contact_plan_node(&plan, "", 1, &found), SF_EINVAL);
    CHECK_EQ(sf_contact_plan_node(&plan, "a b", 1, &found), SF_EINVAL);
    REQUIRE_EQ(add(ground, space, DAY + 1, DAY + 5999), SF_OK);
    REQUIRE_EQ(add(space, ground, DAY + 1, DAY + 999), SF_OK);
    REQUIRE_EQ(sf_contact_plan_seal(&plan, "plan", &error), SF_OK);
    CHECK_EQ(sf_contact_ion_encode(&plan, text, sizeof(text), &bytes, &error), SF_EINVAL);
    CHECK_TEXT(error.text, "svalbard: this node has no number, which ION knows it by");
    CHECK_EQ(sf_contact_hdtn_encode(&hdtn, &plan, text, sizeof(text), &bytes, &error), SF_EINVAL);
    /* A number may come later. */
    CHECK_EQ(sf_contact_plan_node(&plan, "svalbard", 3, &found), SF_OK);
    CHECK_EQ(found, ground);
    CHECK_EQ(sf_contact_plan_numbered(&plan, 3), ground);
    CHECK_EQ(sf_contact_plan_numbered(&plan, 7), space);
    REQUIRE_EQ(sf_contact_ion_encode(&plan, text, sizeof(text), &bytes, &error), SF_OK);
    text[bytes] = '\0';
    /* Inwards to seconds and down to bytes; what is empty then is left out. */
    CHECK_TEXT(text, "# node 3 is svalbard\n# node 7 is sat-7\n"
                     "a contact 2026/11/23-00:00:01 2026/11/23-00:00:05 3 7 1\n");
    REQUIRE_EQ(add(space, ground, DAY - 5000, DAY - 2000), SF_OK);
    REQUIRE_EQ(sf_contact_plan_seal(&plan, "plan", &error), SF_OK);
    CHECK_EQ(sf_contact_hdtn_encode(&hdtn, &plan, text, sizeof(text), &bytes, &error), SF_EINVAL);
    CHECK(strstr(error.text, "from sat-7 to svalbard") != NULL);
    sf_contact_plan_fini(&plan);
}

static void
test_limits(void)
{
    uint32_t a, b, c;

    sf_contact_plan_init(&plan);
    REQUIRE_EQ(sf_contact_plan_node(&plan, "a", 0, &a), SF_OK);
    REQUIRE_EQ(sf_contact_plan_node(&plan, "b", 0, &b), SF_OK);
    CHECK_EQ(add(a, a, 0, 1), SF_EINVAL);
    CHECK_EQ(add(a, 2, 0, 1), SF_EINVAL);
    CHECK_EQ(add(a, b, 1, 1), SF_EINVAL);
    CHECK_EQ(add(a, b, -1, 1), SF_EINVAL);
    CHECK_EQ(add(a, b, 0, SF_CONTACT_MS_MAX + 1), SF_EINVAL);
    for (int64_t i = SF_CONTACTS_MAX; i > 0; i--) {
        REQUIRE_EQ(add(a, b, i * 10, i * 10 + 10), SF_OK);
    }
    CHECK_EQ(add(b, a, 0, 1), SF_ELIMIT);
    REQUIRE_EQ(sf_contact_plan_seal(&plan, "plan", &error), SF_OK);
    for (int64_t i = 10; i < 10 * SF_CONTACTS_MAX; i += 777) {
        const struct sf_contact *contact = sf_contact_at(&plan, a, b, (struct sf_wall){i});

        REQUIRE(contact != NULL);
        CHECK(contact->start.ms <= i && i < contact->end.ms);
    }
    for (uint64_t i = 1; i <= SF_CONTACT_NODES_MAX - 2; i++) {
        REQUIRE_EQ(sf_contact_plan_node(&plan, NULL, i * 7919 % 1000003, &c), SF_OK);
    }
    CHECK_EQ(sf_contact_plan_node(&plan, NULL, UINT64_MAX, &c), SF_ELIMIT);
    for (uint64_t i = 1; i <= SF_CONTACT_NODES_MAX - 2; i++) {
        CHECK_EQ(sf_contact_plan_numbered(&plan, i * 7919 % 1000003), i + 1);
    }
    sf_contact_plan_fini(&plan);
}

static void
test_dates(void)
{
    static const unsigned int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = -25567; /* 1 January 1900 */
    int64_t days;
    size_t wrong = 0;

    for (unsigned int year = 1900; year <= 2500; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (unsigned int month = 1; month <= 12; month++) {
            unsigned int length = lengths[month - 1] + (month == 2 && leap);

            for (unsigned int day = 1; day <= length; day++, expected++) {
                struct sf_contact_date date =
                    sf_contact_date_of((struct sf_wall){expected * 86400000 + 45296789});

                wrong += !sf_contact_days(year, month, day, &days) || days != expected;
                wrong += date.year != year || date.month != month || date.day != day ||
                         date.hour != 12 || date.minute != 34 || date.second != 56;
            }
            wrong += sf_contact_days(year, month, length + 1, &days);
            wrong += sf_contact_days(year, month, 0, &days);
        }
    }
    CHECK_EQ(wrong, 0);
    CHECK(sf_contact_days(1970, 1, 1, &days) && days == 0);
    CHECK(!sf_contact_days(2026, 13, 1, &days) && !sf_contact_days(2026, 0, 1, &days));
    CHECK(!sf_contact_days(1899, 12, 31, &days) && !sf_contact_days(10000, 1, 1, &days));
}

static bool
real(const char *spelled, double *ret_value)
{
    return sf_contact_real(sf_view(spelled, strlen(spelled)), ret_value);
}

static void
test_numbers(void)
{
    static const char *const good[] = {"0", "1", "-1.5", "+2", ".5", "5.", "1e3", "1E-7",
        "15.49507895", "-.22483E-4", "123456789012345678", "0.00000000000000001", "1e300"};
    static const char *const bad[] = {"", "-", ".", "1e", "1e+", "e5", "1.2.3", "1 ", " 1", "0x10",
        "nan", "inf", "1e301", "1234567890123456789", "1,5", "1e5x", "--1"};
    uint64_t integer;
    double value;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double expected = strtod(good[i], NULL);
        double slack = (expected < 0 ? -expected : expected) * 1e-15;

        REQUIRE(real(good[i], &value));
        CHECK(value - expected <= slack && expected - value <= slack);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!real(bad[i], &value));
    }
    CHECK(sf_contact_decimal(sf_view("1.5", 3), 3, 1500, &integer) && integer == 1500);
    CHECK(!sf_contact_decimal(sf_view("1.5", 3), 3, 1499, &integer));
    CHECK(!sf_contact_decimal(sf_view("1.5001", 6), 3, UINT64_MAX, &integer));
    CHECK(!sf_contact_decimal(sf_view("1.", 2), 3, UINT64_MAX, &integer));
    CHECK(!sf_contact_decimal(sf_view("18446744073709552", 17), 3, UINT64_MAX, &integer));
    CHECK(!sf_contact_integer(sf_view("1.0", 3), UINT64_MAX, &integer));
    CHECK(sf_contact_integer(sf_view("18446744073709551615", 20), UINT64_MAX, &integer) &&
          integer == UINT64_MAX);
    CHECK(!sf_contact_integer(sf_view("18446744073709551616", 20), UINT64_MAX, &integer));
}

CHECK_MAIN("contact", {"an ION plan is read as ionrc(5) says", test_ion},
    {"the next contact, the one now and the idle time are found", test_questions},
    {"a mistake in an ION plan is told with line, value and what is accepted", test_ion_mistakes},
    {"an HDTN plan is read, its old rate and our finer light time too", test_hdtn},
    {"a mistake in an HDTN plan is told with line, value and what is accepted", test_hdtn_mistakes},
    {"an error leaves the plan as it was", test_untouched},
    {"ION to HDTN to ION keeps contacts, rates and light times", test_round_trip},
    {"nodes have names, numbers or both, and exports need numbers", test_names},
    {"what is outside of the limits is refused, and full plans are searched right", test_limits},
    {"every day of six centuries has its number", test_dates},
    {"numbers are read whole or not at all", test_numbers})
