/*
 * What becomes of a scenario: played out by the engines, estimated by the
 * fluid, and both against each other.
 */
#include "sim/contacts.h"
#include "sim/fluid.h"
#include "sim/hollow.h"
#include "sim/whatif.h"

#include "base/time.h"
#include "tests/unit/check.h"

#include <malloc.h>

static struct sf_scenario scenario;
static struct sf_whatif played;
static struct sf_whatif estimate;

static bool
load(void *context, const char *name, struct sf_sim_profile *profile, char *ret_text)
{
    const struct sf_sim_profile_named *named = sf_sim_profile_find(name);
    struct sf_sim_profile_error error;

    (void)context;
    if (named == NULL) {
        snprintf(ret_text, SF_SCENARIO_ERROR_BYTES, "there is no profile \"%s\"", name);
        return false;
    }
    return sf_sim_profile_parse(profile, sf_view(named->text, strlen(named->text)), &error) ==
           SF_OK;
}

static const struct sf_scenario_loader loader = {load, NULL};

/* The scenario that these lines make. */
static void
set_up(const char *text)
{
    struct sf_scenario_error error = {0, ""};
    int status;

    sf_scenario_init(&scenario);
    status = sf_scenario_parse(&scenario, sf_view(text, strlen(text)), &loader, &error);
    if (status != SF_OK) {
        printf("\n    line %u: %s\n", error.line, error.text);
    }
    REQUIRE_EQ(status, SF_OK);
    REQUIRE_EQ(sf_scenario_check(&scenario, &error), SF_OK);
}

/* As `skyferry-sim run` begins. */
static void
begin(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
    REQUIRE_EQ(sf_hollow_init(), SF_OK);
}

static void
play(const char *text)
{
    set_up(text);
    begin();
    REQUIRE_EQ(sf_whatif_run(&scenario, NULL, &played), SF_OK);
}

static const struct sf_whatif_sample *
last_sample(const struct sf_whatif *result)
{
    REQUIRE(result->sample_count > 0);
    return &result->samples[result->sample_count - 1];
}

/* --- Contacts --------------------------------------------------------------------- */

static void
check_interval(const struct sf_sim_path_config *path, sf_mono at, sf_mono start, sf_mono end)
{
    struct sf_sim_interval interval = {0, 0};

    REQUIRE(sf_sim_contacts_next(path, at, &interval));
    CHECK_EQ(interval.start, start);
    CHECK_EQ(interval.end, end);
}

static void
test_contacts(void)
{
    static const struct sf_sim_contact plan[] = {
        {10, 5, 0, SF_SIM_PATH_DELAY_KEPT}, {15, 5, 1000, SF_SIM_PATH_DELAY_KEPT}, {40, 1, 0, 7}};
    struct sf_sim_path_config path = {.rate_bps = 0};
    struct sf_sim_interval interval;

    check_interval(&path, 3, 3, SF_NEVER);
    path.outages[path.outage_count++] = (struct sf_sim_window){5, 10};
    check_interval(&path, 3, 3, 5);
    check_interval(&path, 5, 15, SF_NEVER);
    path.period_ns = 100;
    check_interval(&path, 90, 90, 105);
    path.contacts[path.contact_count++] = (struct sf_sim_window){0, 50};
    path.contacts[path.contact_count++] = (struct sf_sim_window){40, 20};
    check_interval(&path, 20, 20, 60);
    check_interval(&path, 60, 100, 105);
    path.contacts[0].span_ns = 0;
    path.contacts[1].span_ns = 0;
    CHECK(!sf_sim_contacts_next(&path, 0, &interval));

    path = (struct sf_sim_path_config){.plan = plan, .plan_count = 3};
    check_interval(&path, 0, 10, 20);
    check_interval(&path, 20, 40, 41);
    CHECK(!sf_sim_contacts_next(&path, 41, &interval));

    path = (struct sf_sim_path_config){.period_ns = 100, .duty_ppm = 250000};
    check_interval(&path, 10, 10, 25);
    check_interval(&path, 25, 100, 125);
}

/* --- The engines -------------------------------------------------------------------- */

static void
test_delivers(void)
{
    play("size = 3MB\nlink.rate = 20Mbit\nlink.delay = 50ms\nlink.loss = 1%\n");
    CHECK_EQ(played.outcome, SF_WHATIF_DELIVERED);
    CHECK(!played.is_estimate);
    CHECK_TEXT(played.why, "");
    CHECK_EQ(played.receivers[0].compared_bytes, 3000000);
    CHECK(played.receivers[0].is_confirmed);
    CHECK(played.receivers[0].delivered_at < played.receivers[0].confirmed_at);
    CHECK_EQ(played.receivers[0].contacts, 1);
    CHECK_EQ(played.receivers[0].contacts_wasted, 0);
    CHECK(last_sample(&played)->lost_datagrams > 0);
    CHECK(last_sample(&played)->resent_bytes > 0);
    CHECK(sf_whatif_goodput_bps(&played) > 10000000);
    CHECK(sf_whatif_goodput_bps(&played) < 20000000);
    CHECK_EQ(played.sealed_bytes, played.bundles * played.class_bytes);
}

static void
test_repeats(void)
{
    static struct sf_whatif first;

    play("size = 1MB\nlink.rate = 20Mbit\nlink.delay = 50ms\nlink.loss = 3%\nseed = 9\n");
    first = played;
    play("size = 1MB\nlink.rate = 20Mbit\nlink.delay = 50ms\nlink.loss = 3%\nseed = 9\n");
    CHECK_BYTES(&first, &played, sizeof(first));
    play("size = 1MB\nlink.rate = 20Mbit\nlink.delay = 50ms\nlink.loss = 3%\nseed = 10\n");
    CHECK(memcmp(&first, &played, sizeof(first)) != 0);
}

static void
test_receivers(void)
{
    play("size = 1MB\nreceiver = near\nreceiver = far\n"
         "link.rate = 20Mbit\nlink.delay = 50ms\n");
    CHECK_EQ(played.receiver_count, 2);
    CHECK_EQ(played.outcome, SF_WHATIF_DELIVERED);
    CHECK_EQ(played.receivers[0].compared_bytes, 1000000);
    CHECK_EQ(played.receivers[1].compared_bytes, 1000000);
}

static void
test_contact_table(void)
{
    uint64_t received = 0;

    /* The second contact is too short for a round trip: wasted. */
    play("size = 10MB\nlink.rate = 20Mbit\nlink.delay = 100ms\nlink.contact = 0s+3s\n"
         "link.contact = 60s+100ms\nlink.contact = 100s+60s\n");
    CHECK_EQ(played.outcome, SF_WHATIF_DELIVERED);
    REQUIRE_EQ(played.contact_count, 3);
    CHECK_EQ(played.receivers[0].contacts, 3);
    CHECK_EQ(played.receivers[0].contacts_wasted, 1);
    CHECK_EQ(played.contacts[1].received_bytes, 0);
    CHECK_EQ(played.contacts[2].start, 100 * SF_SEC);
    CHECK_EQ(played.contacts[2].end, 160 * SF_SEC);
    for (size_t i = 0; i < played.contact_count; i++) {
        received += played.contacts[i].received_bytes;
    }
    CHECK_EQ(received, played.receivers[0].received_bytes);
    CHECK(last_sample(&played)->dark_datagrams > 0);
}

static void
test_start_later(void)
{
    play("size = 1MB\nlink.rate = 20Mbit\nlink.delay = 10ms\nlink.contact = 10h+1min\nstart = "
         "10h\n");
    CHECK_EQ(played.outcome, SF_WHATIF_DELIVERED);
    CHECK_EQ(played.begin, 36000 * SF_SEC);
    CHECK(played.end < 36002 * SF_SEC);
}

static void
test_engine_gives_up(void)
{
    play("size = 5MB\nlink.rate = 10Mbit\nlink.contact = 0s+1s\n");
    CHECK_EQ(played.outcome, SF_WHATIF_NEVER);
    CHECK(strstr(played.why, "the last contact with sat-1 is over") != NULL);
    CHECK(played.end < 60 * SF_SEC);
    play("size = 5MB\nlink.rate = 10Mbit\nuntil = 2s\n");
    CHECK_EQ(played.outcome, SF_WHATIF_LATE);
    CHECK_EQ(played.end, 2 * SF_SEC);
    CHECK_EQ(played.receivers[0].compared_bytes, 0);
}

static bool
count_ticks(void *context, sf_mono now, uint32_t share_ppm)
{
    unsigned *left = context;

    (void)now;
    CHECK(share_ppm <= 1000000);
    return --*left > 0;
}

static void
test_can_be_given_up(void)
{
    unsigned left = 3;
    const struct sf_whatif_progress progress = {count_ticks, &left};

    set_up("size = 5MB\nlink.rate = 10Mbit\n");
    CHECK_EQ(sf_whatif_run(&scenario, &progress, &played), SF_ESTATE);
    CHECK_EQ(left, 0);
}

static void
test_samples_are_bounded(void)
{
    play("size = 1MB\nlink.rate = 100kbit\nlink.period = 30s\nlink.contact = 0s+10s\n");
    CHECK_EQ(played.outcome, SF_WHATIF_DELIVERED);
    CHECK(played.end > 200 * SF_SEC);
    CHECK(played.sample_count > SF_WHATIF_SAMPLES_MAX / 2);
    for (size_t i = 1; i < played.sample_count; i++) {
        CHECK(played.samples[i].at >= played.samples[i - 1].at);
        CHECK(played.samples[i].sent_bytes >= played.samples[i - 1].sent_bytes);
    }
    CHECK_EQ(played.samples[0].at, 0);
    CHECK_EQ(last_sample(&played)->at, played.end);
}

static size_t
in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static bool
watch_memory(void *context, sf_mono now, uint32_t share_ppm)
{
    size_t *most = context;
    size_t now_in_use = in_use();

    (void)now;
    (void)share_ppm;
    *most = now_in_use > *most ? now_in_use : *most;
    return true;
}

/* Bytes in use at the most, at any of the samples, while `text` is played out. */
static size_t
memory_for(const char *text)
{
    size_t before = in_use();
    size_t most = before;
    const struct sf_whatif_progress progress = {watch_memory, &most};

    set_up(text);
    begin();
    REQUIRE_EQ(sf_whatif_run(&scenario, &progress, &played), SF_OK);
    REQUIRE_EQ(played.outcome, SF_WHATIF_DELIVERED);
    return most - before;
}

static void
test_memory(void)
{
    static const struct {
        const char *small;
        const char *large;
    } pairs[] = {
        {"size = 300MB\nlink.rate = 1Gbit\nlink.delay = 5ms\nlink.loss = 0.3%\n",
            "size = 1300MB\nlink.rate = 1Gbit\nlink.delay = 5ms\nlink.loss = 0.3%\n"},
    };

    if (in_use() == 0) {
        printf("\n    SKIP: this allocator does not count");
        return;
    }
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        size_t small = memory_for(pairs[i].small);
        size_t large = memory_for(pairs[i].large);

        printf("\n    %zu KiB for 300 MB, %zu KiB for 1.3 GB", small / 1024, large / 1024);
        CHECK(small < 160 << 20);
        CHECK(large < small + (2 << 20)); /* 140 GB take less than 280 MiB more */
    }
}

/* --- The fluid --------------------------------------------------------------------- */

/* IP bytes that were sent while a contact was there. */
static double
sent_in_contact(const struct sf_whatif *whole)
{
    double bytes = 0;

    CHECK_EQ(whole->contacts_cut, 0);
    for (size_t i = 0; i < whole->contact_count; i++) {
        bytes += (double)whole->contacts[i].sent_bytes;
    }
    return bytes;
}

/* Within 2 % in the time of delivery and in what was sent for it. */
static void
check_agrees(const char *text)
{
    double times;
    double bytes;

    play(text);
    sf_fluid_estimate(&scenario, &estimate);
    REQUIRE_EQ(played.outcome, SF_WHATIF_DELIVERED);
    REQUIRE_EQ(estimate.outcome, SF_WHATIF_DELIVERED);
    CHECK(estimate.is_estimate);
    CHECK_EQ(estimate.bundles, played.bundles);
    CHECK_EQ(estimate.class_bytes, played.class_bytes);
    CHECK_EQ(estimate.receivers[0].contacts, played.receivers[0].contacts);
    times = (double)(estimate.receivers[0].delivered_at - estimate.begin) /
            (double)(played.receivers[0].delivered_at - played.begin);
    bytes = sent_in_contact(&estimate) / sent_in_contact(&played);
    printf("\n    engine %.2f s, estimate %+.2f %%, bytes %+.2f %%",
        (double)(played.receivers[0].delivered_at - played.begin) / 1e9, (times - 1) * 100,
        (bytes - 1) * 100);
    CHECK(times > 0.98 && times < 1.02);
    CHECK(bytes > 0.98 && bytes < 1.02);
}

#define LEO "link.rate = 50Mbit\nlink.delay = 15ms\nlink.loss = 0.5%\nlink.queue = 512KiB\n"
#define GEO "link.rate = 20Mbit\nlink.delay = 300ms\nlink.queue = 1MiB\n"

static void
test_agrees_clean(void)
{
    check_agrees("size = 20MB\nlink.rate = 100Mbit\nlink.delay = 1ms\n");
    check_agrees("size = 20MB\nprofile = clean\nlink.rate = 100Mbit\n");
    check_agrees("size = 20MB\nlink.rate = 100Mbit\nlink.delay = 20ms\nmtu = 1500\n");
    check_agrees(
        "size = 20MB\nlink.rate = 100Mbit\nlink.delay = 20ms\nmtu = 9000\nlink.mtu = 1500\n");
}

static void
test_agrees_geo(void)
{
    check_agrees("size = 40MB\n" GEO);
    check_agrees("size = 40MB\n" GEO "link.loss = 1%\n");
    check_agrees("size = 40MB\nprofile = geo-vsat\n");
    check_agrees("size = 40MB\nprofile = geo-vsat\nlink.loss = 1%\n");
}

static void
test_agrees_lunar(void)
{
    check_agrees("size = 30MB\nlink.rate = 20Mbit\nlink.delay = 1300ms\n");
    check_agrees("size = 100MB\nprofile = lunar\n");
    check_agrees("size = 400MB\nprofile = lunar\n");
}

static void
test_agrees_windows(void)
{
    check_agrees("size = 60MB\n" LEO "link.period = 60s\nlink.contact = 0s+5s\n");
    check_agrees("size = 60MB\nstart = 30s\n" LEO "link.period = 3min\nlink.contact = 5s+20s\n");
    check_agrees("size = 100MB\nstart = 7min\n" LEO "rate = 20Mbit\n"
                 "link.period = 95min\nlink.contact = 10min+30s\nlink.contact = 25min+30s\n");
}

static void
test_agrees_passes(void)
{
    check_agrees("size = 1GB\nprofile = leo-pass\n");
    check_agrees("size = 1GB\nprofile = leo-pass\nlink.loss = 2%\n");
}

static void
test_month_is_quick(void)
{
    set_up("size = 140GB\n" LEO "link.period = 95min\nlink.contact = 10min+10min\n");
    sf_fluid_estimate(&scenario, &estimate);
    CHECK_EQ(estimate.outcome, SF_WHATIF_DELIVERED);
    CHECK(estimate.receivers[0].contacts > 35 && estimate.receivers[0].contacts < 45);
    CHECK_EQ(estimate.contact_count, estimate.receivers[0].contacts);
    CHECK(last_sample(&estimate)->received_bytes[0] >= 140000000000);

    set_up("size = 700GB\n" LEO "link.period = 95min\nlink.contact = 10min+10min\nreceivers = 8\n"
           "link.rate = 20Mbit\n");
    sf_fluid_estimate(&scenario, &estimate);
    CHECK_EQ(estimate.outcome, SF_WHATIF_LATE);
    CHECK(strstr(estimate.why, "in that time") != NULL);
}

static void
check_hopeless(const char *text, enum sf_whatif_outcome outcome, const char *why)
{
    enum sf_whatif_outcome found = SF_WHATIF_DELIVERED;
    char found_why[SF_WHATIF_TEXT_BYTES] = "";

    set_up(text);
    CHECK(sf_fluid_is_hopeless(&scenario, &found, found_why));
    CHECK_EQ(found, outcome);
    if (strstr(found_why, why) == NULL) {
        printf("\n    \"%s\" is not in \"%s\"\n", why, found_why);
        CHECK(false);
    }
    sf_fluid_estimate(&scenario, &estimate);
    CHECK_EQ(estimate.outcome, outcome);
    CHECK(!estimate.receivers[0].is_delivered);
}

static void
test_hopeless(void)
{
    enum sf_whatif_outcome outcome;
    char why[SF_WHATIF_TEXT_BYTES];

    check_hopeless("size = 1MB\nlink.loss = 100%\n", SF_WHATIF_NEVER, "back from sat-1 loses");
    check_hopeless("size = 1MB\nlink.forward.loss = 100%\n", SF_WHATIF_NEVER, "to sat-1 loses");
    check_hopeless("size = 1MB\nlink.mtu = 576\n", SF_WHATIF_NEVER, "MTU of 576");
    check_hopeless("size = 1MB\nlink.mtu = 1227\nmtu = 1500\n", SF_WHATIF_NEVER, "MTU of 1227");
    check_hopeless("size = 1MB\nlink.contact = 0s+1s\nstart = 2s\n", SF_WHATIF_NEVER,
        "there is no contact back from sat-1 after the order");
    check_hopeless("size = 1MB\nlink.contact = 2d+1s\nuntil = 1d\n", SF_WHATIF_LATE,
        "begins 172800 s after the order");
    check_hopeless("size = 10MB\nlink.rate = 1Mbit\nlink.contact = 0s+9s\n", SF_WHATIF_NEVER,
        "all contacts to sat-1 together carry 1125000 bytes at most");
    check_hopeless("size = 10MB\nlink.rate = 1Mbit\nuntil = 1min\n", SF_WHATIF_LATE,
        "carries 7500000 bytes at most in that time");
    check_hopeless("size = 10MB\nlink.rate = 1Mbit\nlink.period = 10s\nlink.contact = 0s+1s\n"
                   "until = 1min\n",
        SF_WHATIF_LATE, "carry 750000 bytes at most in that time");
    set_up("size = 10MB\nlink.rate = 1Mbit\n");
    CHECK(!sf_fluid_is_hopeless(&scenario, &outcome, why));
}

CHECK_MAIN("whatif", {"contacts without outages are found in order", test_contacts},
    {"a file is delivered, compared and confirmed", test_delivers},
    {"the same seed gives the same result, another one another", test_repeats},
    {"every receiver gets the file", test_receivers},
    {"the table of contacts adds up and shows a wasted one", test_contact_table},
    {"an order may be given long after the beginning", test_start_later},
    {"the engine's run ends when it is proven lost or late", test_engine_gives_up},
    {"a run can be given up", test_can_be_given_up},
    {"samples are bounded and in order", test_samples_are_bounded},
    {"a gigabyte more takes no more than two megabytes more", test_memory},
    {"fluid and engine agree on clean links", test_agrees_clean},
    {"fluid and engine agree on geostationary links", test_agrees_geo},
    {"fluid and engine agree on links to the Moon", test_agrees_lunar},
    {"fluid and engine agree on links with windows", test_agrees_windows},
    {"fluid and engine agree on passes", test_agrees_passes},
    {"a month of contacts is estimated", test_month_is_quick},
    {"what cannot end well is told beforehand, with its reason", test_hopeless})
