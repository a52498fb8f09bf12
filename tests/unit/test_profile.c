/* Tests of sim/profile: the values it reads, and what it says of those it does not. */
#include "sim/profile.h"
#include "tests/unit/check.h"

static struct sf_sim_profile profile;
static struct sf_sim_profile_error error;

static int
parse(const char *text)
{
    sf_sim_profile_init(&profile);
    return sf_sim_profile_parse(&profile, sf_view(text, strlen(text)), &error);
}

static void
test_values(void)
{
    CHECK_EQ(parse("# A link.\n"
                   "delay = 300ms\n"
                   "jitter=1.5us # half\r\n"
                   "\n"
                   "  rate = 2.5MByte\n"
                   "back.rate = 256kbit\n"
                   "loss = 0.5%\n"
                   "forward.corrupt = 7ppm\n"
                   "queue = 1MiB\n"
                   "mtu = 1400\n"
                   "outage = 5s+2s\n"
                   "outage = 1min+100ms\n"
                   "back.outage = none\n"
                   "period = 95min"),
        SF_OK);
    CHECK(profile.forward.delay_ns == 300 * SF_MS && profile.back.delay_ns == 300 * SF_MS);
    CHECK_EQ(profile.forward.jitter_ns, 1500);
    CHECK_EQ(profile.forward.rate_bps, 20000000);
    CHECK_EQ(profile.back.rate_bps, 256000);
    CHECK_EQ(profile.back.loss_ppm, 5000);
    CHECK_EQ(profile.forward.corrupt_ppm, 7);
    CHECK_EQ(profile.back.corrupt_ppm, 0);
    CHECK_EQ(profile.forward.queue_bytes, 1048576);
    CHECK_EQ(profile.forward.mtu_bytes, 1400);
    REQUIRE_EQ(profile.forward.outage_count, 2);
    CHECK(profile.forward.outages[1].start == 60 * SF_SEC &&
          profile.forward.outages[1].span_ns == 100 * SF_MS);
    CHECK_EQ(profile.back.outage_count, 0);
    CHECK(profile.back.period_ns == 5700 * SF_SEC);
}

static void
test_errors(void)
{
    static const struct {
        const char *text;
        unsigned int line;
        const char *says[2];
    } cases[] = {
        {"delay = 300\n", 1, {"\"300\"", "ms"}},
        {"\n\ndelay = -1s\n", 3, {"\"-1s\"", "time"}},
        {"delay = 1.s\n", 1, {"\"1.s\"", "time"}},
        {"delay = 1.0000000001s\n", 1, {"delay", "time"}},
        {"delay = 1001d\n", 1, {"1001d", "1000d"}},
        {"delay = 99999999999999999999s\n", 1, {"delay", "time"}},
        {"rate = 20\n", 1, {"\"20\"", "Mbit"}},
        {"rate = 20 Mbit\n", 1, {"\"20 Mbit\"", "Mbit"}},
        {"loss = 101%\n", 1, {"101%", "100%"}},
        {"loss = \n", 1, {"\"\"", "share"}},
        {"mtu = 65536\n", 1, {"65536", "size"}},
        {"speed = 1Mbit\n", 1, {"\"speed\"", "rate delay jitter"}},
        {"speed = 1Mbit\n", 1, {"nat-every", "nat-rebind"}},
        {"back.forward.loss = 1%\n", 1, {"no key", "loss"}},
        {"loss\n", 1, {"\"loss\"", "KEY = VALUE"}},
        {"outage = 5s\n", 1, {"\"5s\"", "5s+2s"}},
        {"outage = +5s\n", 1, {"\"+5s\"", "5s+2s"}},
        {"loss = 1%\x01\n", 1, {"1%?", "share"}},
        {"outage = now+5s\n", 1, {"\"now+5s\"", "5s+2s"}},
        {"fade-rate = 100%\n", 1, {"\"100%\"", "less than 100%"}},
        {"fade-span = 0.5ms\n", 1, {"\"0.5ms\"", "1ms"}},
        {"duty = 101%\n", 1, {"\"101%\"", "100%"}},
        {"nat-idle = 10\n", 1, {"\"10\"", "none"}},
        {"nat-rebind = never\n", 1, {"\"never\"", "90s"}},
        {"back.nat-idle = 10s\n", 1, {"back.nat-idle", "whole"}},
        {"loss = 1%\nduty = 10%\n\n", 3, {"duty", "period"}},
        {"reorder = 1%\n", 1, {"reorder", "reorder-delay"}},
        {"burst-enter = 1%\nburst-leave = 1%\n", 2, {"burst-enter", "burst-loss"}},
        {"burst-enter = 1%\nburst-loss = 1%\n", 2, {"burst-enter", "burst-leave"}},
        {"burst-loss = 1%\n", 1, {"burst-loss", "burst-enter"}},
        {"back.fade-rate = 1%\n", 1, {"fade-rate", "fade-span"}},
        {"fade-loss = 1%\n", 1, {"fade-loss", "fade-span"}},
        {"fade-span = 1s\n", 1, {"fade-span", "fade-loss"}},
        {"period = 1min\ncontact = 0s+1s\ncontact = 60s+1s\n", 3, {"contact", "number 2"}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(parse(cases[i].text), SF_EFORMAT);
        CHECK_EQ(error.line, cases[i].line);
        CHECK(strstr(error.text, cases[i].says[0]) != NULL);
        CHECK(strstr(error.text, cases[i].says[1]) != NULL);
    }
}

static void
test_slow_things(void)
{
    CHECK_EQ(parse("fade-span = 10min\nfade-chance = 5%\nfade-rate = 55%\nback.fade-loss = 2%\n"
                   "period = 2h\nduty = 12.5%\n"
                   "nat-every = 6h\nnat-idle = 60s\nnat-rebind = 5s\nnat-rebind = 1min\n"),
        SF_OK);
    CHECK(profile.forward.fade_span_ns == 600 * SF_SEC && profile.back.fade_ppm == 50000);
    CHECK(profile.forward.fade_rate_ppm == 550000 && profile.forward.fade_loss_ppm == 0);
    CHECK_EQ(profile.back.fade_loss_ppm, 20000);
    CHECK_EQ(profile.back.duty_ppm, 125000);
    CHECK(profile.nat.every_ns == 21600 * SF_SEC && profile.nat.idle_ns == 60 * SF_SEC);
    REQUIRE_EQ(profile.nat.count, 2);
    CHECK(profile.nat.times[1] == 60 * SF_SEC);
    CHECK_EQ(sf_sim_profile_set(&profile, "nat-rebind=none", &error), SF_OK);
    CHECK_EQ(sf_sim_profile_set(&profile, "nat-idle=none", &error), SF_OK);
    CHECK(profile.nat.count == 0 && profile.nat.idle_ns == 0);
    /* Faded all of the time unless something else is said. */
    CHECK_EQ(parse("fade-span = 10min\nfade-rate = 55%\n"), SF_OK);
    CHECK_EQ(profile.forward.fade_ppm, SF_PRNG_PPM);
    /* A link that runs knows what now is. */
    profile.now = 77 * SF_SEC;
    CHECK_EQ(sf_sim_profile_set(&profile, "outage=now+5s", &error), SF_OK);
    CHECK(profile.forward.outages[0].start == 77 * SF_SEC);
    CHECK_EQ(sf_sim_profile_set(&profile, "nat-rebind=now", &error), SF_OK);
    CHECK(profile.nat.times[0] == 77 * SF_SEC);
    /* One assignment may need another that follows. */
    CHECK_EQ(sf_sim_profile_set(&profile, "duty=5%", &error), SF_OK);
    CHECK_EQ(sf_sim_profile_check(&profile, &error), SF_EFORMAT);
    CHECK_EQ(sf_sim_profile_set(&profile, "period=5min", &error), SF_OK);
    CHECK_EQ(sf_sim_profile_check(&profile, &error), SF_OK);
}

static void
test_limits(void)
{
    static char text[SF_SIM_PROFILE_BYTES_MAX + 2];

    memset(text, '\n', SF_SIM_PROFILE_BYTES_MAX + 1);
    CHECK_EQ(parse(text), SF_ELIMIT);
    text[SF_SIM_PROFILE_BYTES_MAX] = '\0';
    CHECK_EQ(parse(text), SF_OK);
    memset(text, '#', SF_SIM_PROFILE_LINE_BYTES_MAX + 1);
    text[SF_SIM_PROFILE_LINE_BYTES_MAX + 1] = '\0';
    CHECK_EQ(parse(text), SF_ELIMIT);
    text[SF_SIM_PROFILE_LINE_BYTES_MAX] = '\0';
    CHECK_EQ(parse(text), SF_OK);
    text[0] = '\0';
    for (int i = 0; i <= SF_SIM_PATH_WINDOWS_MAX; i++) {
        strcat(text, "outage=1s+1s\n");
    }
    CHECK_EQ(parse(text), SF_ELIMIT);
    CHECK_EQ(error.line, SF_SIM_PATH_WINDOWS_MAX + 1);
    sf_sim_profile_init(&profile);
    CHECK_EQ(sf_sim_profile_parse(&profile, sf_view("loss=1\0%", 8), &error), SF_EFORMAT);
}

static void
test_untouched(void)
{
    CHECK_EQ(parse("loss = 5%\n"), SF_OK);
    CHECK_EQ(
        sf_sim_profile_parse(&profile, sf_view("loss = 1%\ndelay = x\n", 20), &error), SF_EFORMAT);
    CHECK_EQ(profile.forward.loss_ppm, 50000);
    CHECK_EQ(sf_sim_profile_set(&profile, "loss=2x", &error), SF_EFORMAT);
    CHECK_EQ(sf_sim_profile_set(&profile, "loss", &error), SF_EFORMAT);
    CHECK_EQ(error.line, 0);
    CHECK_EQ(profile.forward.loss_ppm, 50000);
    CHECK_EQ(sf_sim_profile_set(&profile, "back.loss=2%", &error), SF_OK);
    CHECK(profile.forward.loss_ppm == 50000 && profile.back.loss_ppm == 20000);
}

static void
test_named(void)
{
    static const char *const expected[] = {"leo-pass", "leo-optical", "starlink", "oneweb",
        "iridium-certus", "bgan", "geo-vsat", "edge-4g-cgnat", "lunar", "mars-relay", "clean"};

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        CHECK(sf_sim_profile_find(expected[i]) != NULL);
    }
    CHECK(sf_sim_profile_find("moon") == NULL);
    for (const struct sf_sim_profile_named *named = sf_sim_profiles; named->name != NULL; named++) {
        struct sf_sim_path path;
        struct sf_sim_nat nat;
        char summary[128];

        CHECK_EQ(parse(named->text), SF_OK);
        CHECK_EQ(sf_sim_path_init(&path, &profile.forward, 1, 0), SF_OK);
        CHECK_EQ(sf_sim_path_init(&path, &profile.back, 1, 0), SF_OK);
        CHECK_EQ(sf_sim_nat_init(&nat, &profile.nat), SF_OK);
        CHECK(strncmp(named->text + 2, named->name, strlen(named->name)) == 0);
        sf_sim_profile_summary(named, summary, sizeof(summary));
        CHECK(strlen(summary) > 10 && strlen(summary) < 100);
        /* No figure without its source. */
        CHECK(strcmp(named->name, "clean") == 0 || strstr(named->text, "# Sources\n") != NULL);
    }
}

CHECK_MAIN("profile", {"values, units, directions and comments are read", test_values},
    {"an error names the line, the value and what is accepted", test_errors},
    {"fades, duty, translators and now are read", test_slow_things},
    {"long texts, long lines and too many windows are refused", test_limits},
    {"an error leaves the profile as it was", test_untouched},
    {"every profile that comes with the program is valid", test_named})
