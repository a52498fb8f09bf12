/* Scenarios as text: what is accepted, and what every mistake is told. */
#include "sim/scenario.h"
#include "sim/value.h"

#include "tests/unit/check.h"

static bool
load(void *context, const char *name, struct sf_sim_profile *profile, char *ret_text)
{
    static const char text[] = "rate = 3Mbit\nmtu = 1300\n";
    struct sf_sim_profile_error error;

    (void)context;
    if (strcmp(name, "slow") != 0) {
        snprintf(ret_text, SF_SCENARIO_ERROR_BYTES, "there is no profile \"%s\"", name);
        return false;
    }
    return sf_sim_profile_parse(profile, sf_view(text, strlen(text)), &error) == SF_OK;
}

static const struct sf_scenario_loader loader = {load, NULL};
static struct sf_scenario scenario;
static struct sf_scenario_error error;

static int
parse(const char *text)
{
    sf_scenario_init(&scenario);
    memset(&error, 0, sizeof(error));
    return sf_scenario_parse(&scenario, sf_view(text, strlen(text)), &loader, &error);
}

/* `text` is refused in `line` with a sentence that holds `words`; nothing is changed. */
static void
check_refused(const char *text, unsigned int line, const char *words)
{
    static struct sf_scenario fresh;

    sf_scenario_init(&fresh);
    CHECK(parse(text) != SF_OK);
    CHECK_EQ(error.line, line);
    if (strstr(error.text, words) == NULL) {
        printf("\n    \"%s\" is not in \"%s\"\n", words, error.text);
        CHECK(false);
    }
    CHECK_BYTES(&fresh, &scenario, sizeof(fresh));
}

static void
test_all_keys(void)
{
    REQUIRE_EQ(parse("# a question\n"
                     "title = Two of them\n"
                     "size = 1.5GB   # decimal\n"
                     "profile = slow\n"
                     "receivers = 2\n"
                     "start = 10min\n"
                     "until=2.5h\r\n"
                     "\trate = 2Mbit\n"
                     "mtu = 1280\n"
                     "seed = 18446744073709551615\n"
                     "link.loss = 5%\n"
                     "link.back.rate = 64kbit"),
        SF_OK);
    CHECK_TEXT(scenario.title, "Two of them");
    CHECK_EQ(scenario.size_bytes, 1500000000);
    CHECK_EQ(scenario.receiver_count, 2);
    CHECK_EQ(scenario.start_ns, 600 * SF_SEC);
    CHECK_EQ(scenario.until_ns, 9000 * SF_SEC);
    CHECK_EQ(scenario.rate_bps, 2000000);
    CHECK_EQ(scenario.mtu_bytes, 1280);
    CHECK(scenario.seed == UINT64_MAX);
    for (size_t i = 0; i < 2; i++) {
        CHECK_TEXT(scenario.receivers[i].profile_name, "slow");
        CHECK_EQ(scenario.receivers[i].profile.forward.rate_bps, 3000000);
        CHECK_EQ(scenario.receivers[i].profile.back.rate_bps, 64000);
        CHECK_EQ(scenario.receivers[i].profile.forward.loss_ppm, 50000);
    }
    CHECK_TEXT(scenario.receivers[1].name, "sat-2");
    CHECK_EQ(sf_scenario_check(&scenario, &error), SF_OK);
}

static void
test_named_receivers(void)
{
    REQUIRE_EQ(
        parse("size = 1MB\nreceiver = edge\nreceiver = sat.7 slow\nlink.delay = 1s\n"), SF_OK);
    CHECK_EQ(scenario.receiver_count, 2);
    CHECK_TEXT(scenario.receivers[0].name, "edge");
    CHECK_EQ(scenario.receivers[0].profile.forward.rate_bps, 0);
    CHECK_TEXT(scenario.receivers[1].name, "sat.7");
    CHECK_EQ(scenario.receivers[1].profile.forward.rate_bps, 3000000);
    CHECK_EQ(scenario.receivers[1].profile.forward.delay_ns, SF_SEC);
    CHECK_EQ(sf_scenario_rate_bps(&scenario, 0), 1000000000);
    CHECK_EQ(sf_scenario_rate_bps(&scenario, 1), 3000000);
    CHECK_EQ(sf_scenario_mtu_bytes(&scenario), 1300);
}

static void
test_one_by_one(void)
{
    sf_scenario_init(&scenario);
    REQUIRE_EQ(sf_scenario_set(&scenario, "size", "2MB", &loader, &error), SF_OK);
    REQUIRE_EQ(sf_scenario_set(&scenario, "link.loss", "2%", &loader, &error), SF_OK);
    CHECK_EQ(scenario.size_bytes, 2000000);
    CHECK(sf_scenario_set(&scenario, "size", "2", NULL, &error) == SF_OK);
    CHECK_EQ(sf_scenario_set(&scenario, "size", "many", &loader, &error), SF_EFORMAT);
    CHECK_EQ(error.line, 0);
    CHECK_EQ(scenario.size_bytes, 2);
}

static void
test_refusals(void)
{
    check_refused("size = lots\n", 1, "size: \"lots\" is not accepted: give a size such as 140GB");
    check_refused("\nsize = 0\n", 2, "from 1 byte to 100TB");
    check_refused("size = 101TB\n", 1, "from 1 byte to 100TB");
    check_refused("size = 0.5B\n", 1, "\"0.5B\"");
    check_refused("size = -1\n", 1, "\"-1\"");
    check_refused("size = 1 GB\n", 1, "\"1 GB\"");
    check_refused("size = 99999999999999999999\n", 1, "99999999999999999999");
    check_refused("until = 30\n", 1, "until: \"30\" is not accepted: give a time such as");
    check_refused("until = 0s\n", 1, "from 1s to 1000d");
    check_refused("until = 1001d\n", 1, "from 1s to 1000d");
    check_refused("start = soon\n", 1, "start: \"soon\"");
    check_refused("rate = 10\n", 1, "rate: \"10\" is not accepted: give a rate such as 20Mbit");
    check_refused("rate = 1bit\n", 1, "from 1kbit to 100Gbit");
    check_refused("rate = unlimited\n", 1, "\"unlimited\"");
    check_refused("mtu = 576\n", 1, "from 1280 to 9000");
    check_refused("mtu = 1400.5\n", 1, "1400.5");
    check_refused("seed = x\n", 1, "from 0 to 2^64 - 1");
    check_refused("receivers = 9\n", 1, "a number from 1 to 8");
    check_refused("receivers = 0\n", 1, "a number from 1 to 8");
    check_refused("receiver = a\nreceivers = 2\n", 2, "named one by one already");
    check_refused("receiver = a\nreceiver = a\n", 2, "\"a\" is there already");
    check_refused("receiver = a/b\n", 1, "letters, digits");
    check_refused("receiver = -x\n", 1, "letters, digits");
    check_refused("receiver =\n", 1, "letters, digits");
    check_refused("receiver = a fast\n", 1, "receiver: there is no profile \"fast\"");
    check_refused("receiver=1\nreceiver=2\nreceiver=3\nreceiver=4\nreceiver=5\nreceiver=6\n"
                  "receiver=7\nreceiver=8\nreceiver=9\n",
        9, "at most 8");
    check_refused("profile = fast\n", 1, "profile: there is no profile \"fast\"");
    check_refused("profile =\n", 1, "the name of a profile");
    check_refused("receiver = a\nprofile = slow\n", 2, "put it in front of them");
    check_refused("link.loss = 1%\nprofile = slow\n", 2, "put them behind it");
    check_refused("link.loss = 1%\nreceiver = a\n", 2, "put them behind the receivers");
    check_refused("link.loss = 101%\n", 1, "link.loss: \"101%\" is not accepted");
    check_refused("link.speed = 1\n", 1, "speed");
    check_refused("colour = red\n", 1, "\"colour\" is no key; accepted are: size, profile");
    check_refused("size\n", 1, "give KEY = VALUE");
    check_refused("= 1\n", 1, "\"\" is no key");
    check_refused("title = \xc3\xa9\n", 1, "printable ASCII");
    check_refused("title = 0123456789012345678901234567890123456789012345678901234567890123\n", 1,
        "at most 63");
}

static void
test_limits(void)
{
    static char text[SF_SCENARIO_BYTES_MAX + 2];
    static char line[SF_SCENARIO_LINE_BYTES_MAX + 3];

    memset(text, '\n', sizeof(text) - 1);
    CHECK_EQ(parse(text), SF_ELIMIT);
    CHECK(strstr(error.text, "65536") != NULL);
    memset(line, ' ', sizeof(line) - 2);
    CHECK_EQ(parse(line), SF_ELIMIT);
    CHECK(strstr(error.text, "256") != NULL);
    sf_scenario_init(&scenario);
    CHECK_EQ(sf_scenario_parse(&scenario, sf_view("size\0= 1", 8), &loader, &error), SF_EFORMAT);
    CHECK(strstr(error.text, "NUL") != NULL);
    CHECK_EQ(sf_scenario_set(&scenario, "title", line, &loader, &error), SF_ELIMIT);
}

static void
test_incomplete(void)
{
    REQUIRE_EQ(parse("profile = slow\n"), SF_OK);
    CHECK_EQ(sf_scenario_check(&scenario, &error), SF_EFORMAT);
    CHECK(strstr(error.text, "there is no size") != NULL);
    REQUIRE_EQ(parse("size = 1MB\nlink.burst-loss = 5%\n"), SF_OK);
    CHECK_EQ(sf_scenario_check(&scenario, &error), SF_EFORMAT);
    CHECK(strstr(error.text, "sat-1: ") == error.text);
}

static void
test_values(void)
{
    uint64_t value = 7;

    CHECK_EQ(sf_sim_value_size("1.5KiB", UINT64_MAX, &value), SF_OK);
    CHECK_EQ(value, 1536);
    CHECK_EQ(sf_sim_value_size("0.000000001TB", UINT64_MAX, &value), SF_OK);
    CHECK_EQ(value, 1000);
    CHECK_EQ(sf_sim_value_rate("2.5MByte", UINT64_MAX, &value), SF_OK);
    CHECK_EQ(value, 20000000);
    CHECK_EQ(sf_sim_value_time("0.000000001s", UINT64_MAX, &value), SF_OK);
    CHECK_EQ(value, 1);
    CHECK_EQ(sf_sim_value_time("1d", UINT64_C(86399) * SF_SEC, &value), SF_ELIMIT);
    CHECK_EQ(sf_sim_value_time("1.0000000001s", UINT64_MAX, &value), SF_EFORMAT);
    CHECK_EQ(sf_sim_value_time("1.s", UINT64_MAX, &value), SF_EFORMAT);
    CHECK_EQ(sf_sim_value_time("", UINT64_MAX, &value), SF_EFORMAT);
    CHECK_EQ(sf_sim_value_count("18446744073709551616", UINT64_MAX, &value), SF_ELIMIT);
    CHECK_EQ(sf_sim_value_size("20000000TB", UINT64_MAX, &value), SF_ELIMIT);
    CHECK_EQ(value, 1);
}

CHECK_MAIN("scenario", {"all keys are read", test_all_keys},
    {"receivers are named, each with its profile", test_named_receivers},
    {"keys are set one by one", test_one_by_one},
    {"every mistake is told with its line, its value and what is accepted", test_refusals},
    {"limits hold", test_limits}, {"an incomplete scenario is told", test_incomplete},
    {"values are exact", test_values})
