/*
 * A contact plan under a scenario: who gets the file, through which station in
 * which contact, and what is refused; and that the engines follow it as the
 * estimate does.
 */
#include "sim/schedule.h"

#include "link/contact_ion.h"
#include "sim/fluid.h"
#include "sim/hollow.h"
#include "sim/whatif.h"
#include "tests/unit/check.h"

#define S SF_SEC

static struct sf_contact_plan plan;
static struct sf_scenario scenario;
static struct sf_schedule schedule;
static struct sf_scenario_error error;
static struct sf_whatif played;
static struct sf_whatif estimate;

static void
read_plan(const char *text)
{
    const struct sf_contact_ion config = {.name = "plan"};
    struct sf_contact_error wrong = {0, ""};

    REQUIRE_EQ(sf_contact_ion_decode(&config, sf_view(text, strlen(text)), &plan, &wrong), SF_OK);
}

static int
make(const char *text)
{
    sf_contact_plan_fini(&plan);
    sf_contact_plan_init(&plan);
    read_plan(text);
    error = (struct sf_scenario_error){0, ""};
    return sf_schedule_make(&plan, &scenario, &schedule, &error);
}

static void
set(const char *key, const char *value)
{
    static const struct sf_scenario_loader none = {NULL, NULL};

    REQUIRE_EQ(sf_scenario_set(&scenario, key, value, &none, &error), SF_OK);
}

static void
start(void)
{
    sf_scenario_init(&scenario);
    set("size", "1MB");
}

static void
end(void)
{
    sf_schedule_fini(&schedule);
    sf_contact_plan_fini(&plan);
    sf_contact_plan_init(&plan);
}

static void
check_contact(const struct sf_schedule_way *way, size_t index, sf_mono from, sf_mono to,
    const char *station, uint64_t rate_bps)
{
    REQUIRE(index < way->count);
    CHECK_EQ(way->contacts[index].start, from);
    CHECK_EQ(way->contacts[index].start + way->contacts[index].span_ns, to);
    CHECK_EQ(way->contacts[index].rate_bps, rate_bps);
    CHECK_TEXT(schedule.stations[way->stations[index]], station);
}

/* --- Who and when ------------------------------------------------------------------ */

static void
test_stations(void)
{
    start();
    REQUIRE_EQ(make("a contact +0 +100 1 9 1000\na contact +0 +100 9 1 250\n"
                    "a contact +200 +300 2 9 2000\na contact +210 +290 9 2 500\n"
                    "a range +0 +1000 1 9 0.004\n"),
        SF_OK);
    CHECK_EQ(scenario.receiver_count, 1);
    CHECK_TEXT(scenario.receivers[0].name, "9");
    CHECK_EQ(schedule.station_count, 2);
    CHECK_EQ(schedule.up[0].count, 2);
    check_contact(&schedule.up[0], 0, 0, 100 * S, "1", 8000);
    check_contact(&schedule.up[0], 1, 200 * S, 300 * S, "2", 16000);
    CHECK_EQ(schedule.up[0].contacts[0].delay_ns, 4 * SF_MS);
    CHECK_EQ(schedule.up[0].contacts[1].delay_ns, SF_SIM_PATH_DELAY_KEPT);
    CHECK_EQ(schedule.down[0].count, 2);
    check_contact(&schedule.down[0], 0, 0, 100 * S, "1", 2000);
    check_contact(&schedule.down[0], 1, 210 * S, 290 * S, "2", 4000);
    CHECK(scenario.receivers[0].profile.forward.plan == schedule.up[0].contacts);
    CHECK_TEXT(sf_schedule_station(&scenario, 0, 99 * S), "1");
    CHECK(sf_schedule_station(&scenario, 0, 100 * S) == NULL);
    CHECK_TEXT(sf_schedule_station(&scenario, 0, 200 * S), "2");
    end();
}

static void
test_overlap(void)
{
    start();
    /* The pass over 1 has two rates; 2 rises and sets within it, 3 rises before its end. */
    REQUIRE_EQ(make("a contact +0 +100 1 9 1000\na contact +100 +200 1 9 2000\n"
                    "a contact +50 +150 2 9 9000\na contact +180 +260 3 9 3000\n"),
        SF_OK);
    CHECK_EQ(schedule.up[0].count, 3);
    check_contact(&schedule.up[0], 0, 0, 100 * S, "1", 8000);
    check_contact(&schedule.up[0], 1, 100 * S, 200 * S, "1", 16000);
    check_contact(&schedule.up[0], 2, 200 * S + SF_SCHEDULE_SWITCH_NS, 260 * S, "3", 24000);
    CHECK_EQ(schedule.down[0].count, 0);
    end();
    start();
    /* Of the pass over 2 the first part is over when 1 sets, and the second has begun. */
    REQUIRE_EQ(make("a contact +0 +200 1 9 1000\na contact +50 +150 2 9 9000\n"
                    "a contact +150 +300 2 9 3000\n"),
        SF_OK);
    CHECK_EQ(schedule.up[0].count, 2);
    check_contact(&schedule.up[0], 1, 200 * S + SF_SCHEDULE_SWITCH_NS, 300 * S, "2", 24000);
    end();
}

static void
test_receivers(void)
{
    start();
    REQUIRE_EQ(make("a contact +0 +100 1 9 1000\na contact +0 +100 1 8 1000\n"
                    "a contact +200 +300 2 9 1000\na contact +250 +350 2 8 1000\n"
                    "a contact +0 +900 8 9 1000\n"),
        SF_EFORMAT);
    CHECK(strstr(error.text, "receiver = NODE") != NULL);
    CHECK(strstr(error.text, "its nodes are 1, 8, 9, 2") != NULL ||
          strstr(error.text, "its nodes are 1, 9, 8, 2") != NULL);
    set("receiver", "9");
    set("receiver", "8");
    REQUIRE_EQ(make("a contact +0 +100 1 9 1000\na contact +0 +100 1 8 1000\n"
                    "a contact +200 +300 2 9 1000\na contact +250 +350 2 8 1000\n"
                    "a contact +0 +900 8 9 1000\n"),
        SF_OK);
    CHECK_EQ(schedule.station_count, 2); /* what one receiver has with another is no station's */
    CHECK_EQ(schedule.up[0].count, 2);
    CHECK_EQ(schedule.up[1].count, 2);
    check_contact(&schedule.up[1], 1, 250 * S, 350 * S, "2", 8000);
    end();
}

static void
test_dates(void)
{
    start();
    REQUIRE_EQ(make("a contact 2026/11/23-00:00:10 2026/11/23-00:01:00 1 9 1000\n"), SF_OK);
    check_contact(&schedule.up[0], 0, 0, 50 * S, "1", 8000);
    end();
    start();
    REQUIRE_EQ(make("a contact +10 +60 1 9 1000\n"), SF_OK);
    check_contact(&schedule.up[0], 0, 10 * S, 60 * S, "1", 8000);
    end();
}

static void
check_refused(const char *text, unsigned line, const char *why)
{
    CHECK(make(text) != SF_OK);
    CHECK_EQ(error.line, line);
    if (strstr(error.text, why) == NULL) {
        printf("\n    \"%s\" is not in \"%s\"\n", why, error.text);
        CHECK(false);
    }
    CHECK(scenario.schedule == NULL);
    CHECK(scenario.receivers[0].profile.forward.plan == NULL);
    CHECK_EQ(schedule.station_count, 0);
}

static void
test_refused(void)
{
    char many[4096] = "";

    start();
    check_refused("# nothing\n", 0, "the plan has no contacts");
    check_refused("a contact +0 +1 1 9 1000\na contact +5 +9 1 9 1\n", 2, "rate of 8 bit/s");
    check_refused(
        "a contact +0 +1 1 9 1000\n\na contact +5 +90000000 1 9 1000\n", 3, "more than 1000 days");
    for (unsigned i = 1; i <= SF_SCHEDULE_STATIONS_MAX + 1; i++) {
        size_t used = strlen(many);

        snprintf(many + used, sizeof(many) - used, "a contact +%u +%u %u 99 1000\n", i * 10,
            i * 10 + 5, i);
    }
    check_refused(many, 0, "more than 16 stations");
    set("receiver", "7");
    check_refused("a contact +0 +1 1 9 1000\n", 0, "no node \"7\"; its nodes are 1, 9");
    start();
    set("receiver", "1");
    check_refused("a contact +0 +1 1 9 1000\n", 0, "nobody sends to 1");
    start();
    set("receivers", "2");
    check_refused("a contact +0 +1 1 9 1000\n", 0, "receivers of a plan are named");
    end();
}

/* --- The engines and the fluid ----------------------------------------------------------- */

static const struct sf_whatif_sample *
last_of(const struct sf_whatif *result)
{
    REQUIRE(result->sample_count > 0);
    return &result->samples[result->sample_count - 1];
}

/* Both within 2 %, in the time of delivery and in what was sent. */
static void
check_agrees(void)
{
    REQUIRE_EQ(sf_hollow_init(), SF_OK);
    REQUIRE_EQ(sf_whatif_run(&scenario, NULL, &played), SF_OK);
    sf_fluid_estimate(&scenario, &estimate);
    REQUIRE_EQ(played.outcome, SF_WHATIF_DELIVERED);
    REQUIRE_EQ(estimate.outcome, SF_WHATIF_DELIVERED);
    for (size_t i = 0; i < scenario.receiver_count; i++) {
        double times = (double)(estimate.receivers[i].delivered_at - estimate.begin) /
                       (double)(played.receivers[i].delivered_at - played.begin);

        printf("\n    engine %.2f s, estimate %+.2f %%",
            (double)(played.receivers[i].delivered_at - played.begin) / 1e9, (times - 1) * 100);
        CHECK(times > 0.98 && times < 1.02);
        CHECK_EQ(played.receivers[i].compared_bytes, scenario.size_bytes);
        CHECK_EQ(played.receivers[i].contacts, estimate.receivers[i].contacts);
    }
    {
        double bytes =
            (double)last_of(&estimate)->sent_bytes / (double)last_of(&played)->sent_bytes;

        printf(", bytes %+.2f %%", (bytes - 1) * 100);
        CHECK(bytes > 0.98 && bytes < 1.02);
    }
}

#define PASSES                                                                                     \
    "a contact +10 +40 1 9 2500000\na contact +10 +40 9 1 500000\n"                                \
    "a contact +30 +60 2 9 1250000\na contact +30 +60 9 2 500000\n"                                \
    "a contact +3000 +3040 3 9 2500000\na contact +3000 +3040 9 3 500000\n"                        \
    "a contact +6000 +6100 1 9 2500000\na contact +6000 +6100 9 1 500000\n"                        \
    "a range +0 +9000 1 9 0.008\na range +0 +9000 2 9 0.005\na range +0 +9000 3 9 0.009\n"

static void
test_played(void)
{
    uint64_t received = 0;

    start();
    set("size", "230MB");
    set("link.loss", "0.5%");
    REQUIRE_EQ(make(PASSES), SF_OK);
    check_agrees();
    REQUIRE_EQ(played.contact_count, 4);
    /* Through each station, and nothing outside of its contacts. */
    for (size_t i = 0; i < 4; i++) {
        CHECK(played.contacts[i].received_bytes > 20000000);
        received += played.contacts[i].received_bytes;
    }
    CHECK_EQ(received, played.receivers[0].received_bytes);
    CHECK_EQ(last_of(&played)->dark_datagrams, 0);
    CHECK_TEXT(sf_schedule_station(&scenario, 0, played.contacts[0].start), "1");
    CHECK_TEXT(sf_schedule_station(&scenario, 0, played.contacts[1].start), "2");
    CHECK_TEXT(sf_schedule_station(&scenario, 0, played.contacts[2].start), "3");
    CHECK_TEXT(sf_schedule_station(&scenario, 0, played.contacts[3].start), "1");
    end();
}

static void
test_two_receivers(void)
{
    start();
    set("size", "90MB");
    set("start", "5s");
    set("receiver", "9");
    set("receiver", "8");
    REQUIRE_EQ(make(PASSES "a contact +100 +130 1 8 2500000\na contact +100 +130 8 1 500000\n"
                           "a contact +5000 +5900 2 8 2500000\na contact +5000 +5900 8 2 500000\n"),
        SF_OK);
    check_agrees();
    CHECK(played.receivers[0].delivered_at < 100 * S);
    CHECK(played.receivers[1].delivered_at > 5000 * S);
    end();
}

/* A month in the dark between two contacts: nothing is sent, and little is done. */
static void
test_dark_month(void)
{
    start();
    set("size", "30MB");
    set("until", "60d");
    REQUIRE_EQ(make("a contact +0 +10 1 9 1250000\na contact +0 +10 9 1 1250000\n"
                    "a contact +2592000 +2592060 2 9 1250000\n"
                    "a contact +2592000 +2592060 9 2 1250000\n"),
        SF_OK);
    check_agrees();
    CHECK_EQ(played.receivers[0].contacts, 2);
    CHECK_EQ(last_of(&played)->dark_datagrams, 0);
    end();
}

static void
test_never(void)
{
    enum sf_whatif_outcome outcome = SF_WHATIF_DELIVERED;
    char why[SF_WHATIF_TEXT_BYTES] = "";

    start();
    set("size", "230MB");
    REQUIRE_EQ(make("a contact +10 +40 1 9 2500000\na contact +10 +40 9 1 500000\n"), SF_OK);
    CHECK(sf_fluid_is_hopeless(&scenario, &outcome, why));
    CHECK_EQ(outcome, SF_WHATIF_NEVER);
    CHECK(strstr(why, "together carry 75000000 bytes at most") != NULL);
    end();
}

CHECK_MAIN("schedule",
    {"the one node in all contacts is reached through the others", test_stations},
    {"of stations that overlap the one that rose first is used until it sets", test_overlap},
    {"receivers may be named, and must be where it is not clear", test_receivers},
    {"dates count from the first contact, relative times from zero", test_dates},
    {"what cannot be used is refused, with its line where it has one", test_refused},
    {"nodes go through one station after the other as the plan has it", test_played},
    {"two receivers are reached in their own contacts", test_two_receivers},
    {"a dark month is crossed in silence", test_dark_month},
    {"contacts that carry too little are told beforehand", test_never})
