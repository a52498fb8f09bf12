/* Tests of link/passes: what is found is held against looking at every second. */
#include "link/contact_orbit.h"
#include "link/passes.h"
#include "tests/unit/check.h"

#include <math.h>

#define DAY INT64_C(1795392000000) /* 2026-11-23 00:00:00 UTC */

enum { HOUR_MS = 3600000, DAY_MS = 86400000 };

static struct sf_passes passes;

static const struct sf_pass_station berlin = {.latitude_deg = 52.5,
    .longitude_deg = 13.4,
    .altitude_m = 40,
    .mask_deg = 10,
    .rates = {{.up_bps = 2000, .down_bps = 8000}},
    .rate_count = 1};

/* Number `which` of tests/vectors/passes.tle: two low orbits, a half-day one, a synchronous one. */
static struct sf_sgp4
satellite(size_t which)
{
    const char *srcdir = getenv("srcdir");
    struct sf_contact_error error;
    struct sf_orbits orbits;
    struct sf_sgp4 sat = {0};
    char path[512];
    char text[4096];
    size_t bytes = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/tests/vectors/passes.tle", srcdir == NULL ? "." : srcdir);
    file = fopen(path, "rb");
    if (file != NULL) {
        bytes = fread(text, 1, sizeof(text), file);
        fclose(file);
    }
    sf_orbits_init(&orbits);
    REQUIRE_EQ(sf_orbits_decode(&orbits, path, sf_view(text, bytes), &error), SF_OK);
    REQUIRE(orbits.count > which);
    REQUIRE_EQ(sf_sgp4_init(&sat, &orbits.orbits[which].elements), SF_OK);
    sf_orbits_fini(&orbits);
    return sat;
}

static int
find(const struct sf_sgp4 *sat, const struct sf_pass_station *station, int64_t from_ms,
    int64_t to_ms)
{
    return sf_passes_find(
        &passes, sat, station, (struct sf_wall){from_ms}, (struct sf_wall){to_ms});
}

static double
elevation(const struct sf_sgp4 *sat, const struct sf_pass_station *station, int64_t ms)
{
    struct sf_pass_view view;

    REQUIRE_EQ(sf_pass_view_at(sat, station, (struct sf_wall){ms}, &view), SF_OK);
    return view.elevation_deg;
}

/* What holds at every second: in a piece exactly if there is a rate, and in the right one. */
static void
check_seconds(const struct sf_sgp4 *sat, const struct sf_pass_station *station, int64_t from_ms,
    int64_t to_ms)
{
    size_t at = 0;
    size_t wrong = 0;

    for (int64_t ms = from_ms; ms < to_ms; ms += 1000) {
        double up = elevation(sat, station, ms);
        double next = elevation(sat, station, ms + 1000);
        double low = up < next ? up : next;
        double high = up < next ? next : up;
        bool in;

        while (at < passes.count && passes.passes[at].end.ms <= ms) {
            at++;
        }
        in = at < passes.count && passes.passes[at].start.ms <= ms;
        if (in) {
            const struct sf_pass *pass = &passes.passes[at];
            const struct sf_pass_rate *rate = &station->rates[pass->rate];

            /* The whole second is above the mask, and above where its rate begins. */
            wrong += low < station->mask_deg - 1e-6;
            wrong += pass->rate > 0 && low < rate->elevation_deg - 1e-6;
            /* Pieces share the second in which one turns into the other. */
            wrong += high > pass->peak_deg + (station->rate_count > 1 ? 1 : 1e-3);
        } else {
            /* The second is missing only if a part of it is below. */
            wrong += low > station->mask_deg + 1e-6;
        }
    }
    CHECK_EQ(wrong, 0);
}

static void
test_low(void)
{
    for (size_t which = 0; which < 2; which++) {
        struct sf_sgp4 sat = satellite(which);
        int64_t total = 0;

        REQUIRE_EQ(find(&sat, &berlin, DAY, DAY + 2 * DAY_MS), SF_OK);
        CHECK(passes.count >= 6 && passes.count <= 16);
        CHECK_EQ(passes.lost_from.ms, INT64_MAX);
        check_seconds(&sat, &berlin, DAY, DAY + 2 * DAY_MS);
        for (size_t i = 0; i < passes.count; i++) {
            const struct sf_pass *pass = &passes.passes[i];

            CHECK_EQ(pass->pass, i);
            CHECK(pass->start.ms % 1000 == 0 && pass->end.ms % 1000 == 0);
            CHECK(pass->peak_deg >= 10 && pass->peak_deg <= 90);
            /* 400 to 2,000 km away. */
            CHECK(pass->light_us > 1300 && pass->light_us < 7000);
            total += pass->end.ms - pass->start.ms;
        }
        CHECK(total > 30 * 60000 && total < 160 * 60000);
    }
}

static void
test_high(void)
{
    struct sf_sgp4 half_day = satellite(2);
    struct sf_sgp4 still = satellite(3);
    struct sf_pass_station below = berlin;
    struct sf_pass_view view;

    REQUIRE_EQ(find(&half_day, &berlin, DAY, DAY + DAY_MS), SF_OK);
    CHECK(passes.count > 0);
    check_seconds(&half_day, &berlin, DAY, DAY + DAY_MS);

    /* Straight below a synchronous satellite it is always up, and nowhere else within reach. */
    below.latitude_deg = 0;
    for (below.longitude_deg = -180; below.longitude_deg < 180; below.longitude_deg++) {
        if (elevation(&still, &below, DAY) > 89) {
            break;
        }
    }
    REQUIRE(below.longitude_deg < 180);
    REQUIRE_EQ(find(&still, &below, DAY, DAY + 3 * DAY_MS), SF_OK);
    REQUIRE_EQ(passes.count, 1);
    CHECK_EQ(passes.passes[0].start.ms, DAY);
    CHECK_EQ(passes.passes[0].end.ms, DAY + 3 * DAY_MS);
    CHECK(passes.passes[0].light_us > 118000 && passes.passes[0].light_us < 121000);
    below.longitude_deg += 120;
    REQUIRE_EQ(find(&still, &below, DAY, DAY + 3 * DAY_MS), SF_OK);
    CHECK_EQ(passes.count, 0);
    REQUIRE_EQ(sf_pass_view_at(&still, &below, (struct sf_wall){DAY}, &view), SF_OK);
    CHECK(view.elevation_deg < 0);
}

static void
test_window(void)
{
    struct sf_sgp4 sat = satellite(0);
    struct sf_pass whole;
    int64_t middle;

    REQUIRE_EQ(find(&sat, &berlin, DAY, DAY + DAY_MS), SF_OK);
    REQUIRE(passes.count > 0);
    whole = passes.passes[0];
    middle = (whole.start.ms + whole.end.ms) / 2000 * 1000;
    REQUIRE_EQ(find(&sat, &berlin, middle, middle + 5000), SF_OK);
    REQUIRE_EQ(passes.count, 1);
    CHECK_EQ(passes.passes[0].start.ms, middle);
    CHECK_EQ(passes.passes[0].end.ms, middle + 5000);
    REQUIRE_EQ(find(&sat, &berlin, middle, middle), SF_OK);
    CHECK_EQ(passes.count, 0);
    REQUIRE_EQ(find(&sat, &berlin, middle + 1, middle + 999), SF_OK);
    CHECK_EQ(passes.count, 0);
    REQUIRE_EQ(find(&sat, &berlin, middle, middle + HOUR_MS), SF_OK);
    REQUIRE(passes.count == 1);
    CHECK_EQ(passes.passes[0].end.ms, whole.end.ms);
}

static void
test_short(void)
{
    struct sf_sgp4 sat = satellite(0);
    struct sf_pass_station high = berlin;
    double peak = 0;
    size_t seconds = 0;

    /* A mask a little under the highest pass of two days leaves some seconds, between samples. */
    REQUIRE_EQ(find(&sat, &berlin, DAY, DAY + 2 * DAY_MS), SF_OK);
    for (size_t i = 0; i < passes.count; i++) {
        peak = passes.passes[i].peak_deg > peak ? passes.passes[i].peak_deg : peak;
    }
    high.mask_deg = peak - 0.05;
    REQUIRE_EQ(find(&sat, &high, DAY, DAY + 2 * DAY_MS), SF_OK);
    REQUIRE_EQ(passes.count, 1);
    seconds = (size_t)((passes.passes[0].end.ms - passes.passes[0].start.ms) / 1000);
    CHECK(seconds > 0 && seconds < 30);
    check_seconds(&sat, &high, passes.passes[0].start.ms - 60000, passes.passes[0].end.ms + 60000);
}

static void
test_rates(void)
{
    struct sf_sgp4 sat = satellite(0);
    struct sf_pass_station station = berlin;
    struct sf_contact_plan plan;
    struct sf_contact_error error;
    uint32_t ground, space;
    uint64_t light;
    uint32_t highest = 0;

    station.rates[1] = (struct sf_pass_rate){20, 4000, 0};
    station.rates[2] = (struct sf_pass_rate){30, 0, 32000};
    station.rate_count = 3;
    REQUIRE_EQ(find(&sat, &station, DAY, DAY + 2 * DAY_MS), SF_OK);
    check_seconds(&sat, &station, DAY, DAY + 2 * DAY_MS);
    for (size_t i = 0; i < passes.count; i++) {
        const struct sf_pass *pass = &passes.passes[i];

        highest = pass->rate > highest ? pass->rate : highest;
        if (i > 0 && pass[-1].pass == pass->pass) {
            CHECK_EQ(pass[-1].end.ms, pass->start.ms);
            CHECK(pass[-1].rate != pass->rate);
        }
    }
    CHECK_EQ(highest, 2);
    sf_contact_plan_init(&plan);
    REQUIRE_EQ(sf_contact_plan_node(&plan, "berlin", 1, &ground), SF_OK);
    REQUIRE_EQ(sf_contact_plan_node(&plan, "low", 25544, &space), SF_OK);
    REQUIRE_EQ(sf_passes_plan(&passes, &station, &plan, ground, space), SF_OK);
    REQUIRE_EQ(sf_contact_plan_seal(&plan, "plan", &error), SF_OK);
    for (size_t i = 0; i < passes.count; i++) {
        const struct sf_pass *pass = &passes.passes[i];
        const struct sf_contact *up = sf_contact_at(&plan, ground, space, pass->start);
        const struct sf_contact *down = sf_contact_at(&plan, space, ground, pass->start);

        CHECK_EQ(up == NULL ? 0 : up->rate_bps, station.rates[pass->rate].up_bps);
        CHECK_EQ(down == NULL ? 0 : down->rate_bps, station.rates[pass->rate].down_bps);
        CHECK(sf_contact_light_us(&plan, space, ground, pass->start, &light));
        CHECK_EQ(light, pass->light_us);
    }
    sf_contact_plan_fini(&plan);
}

static void
test_refusals(void)
{
    struct sf_sgp4 sat = satellite(0);
    struct sf_pass_station bad[9];
    struct sf_passes before;

    REQUIRE_EQ(find(&sat, &berlin, DAY, DAY + DAY_MS), SF_OK);
    before = passes;
    for (size_t i = 0; i < 9; i++) {
        bad[i] = berlin;
    }
    bad[0].latitude_deg = 90.1;
    bad[1].longitude_deg = 361;
    bad[2].altitude_m = -1001;
    bad[3].mask_deg = (double)NAN;
    bad[4].mask_deg = 91;
    bad[5].rate_count = 0;
    bad[6].rate_count = SF_PASS_RATES_MAX + 1;
    bad[7].rate_count = 2; /* of equal elevation */
    bad[8].rates[0].up_bps = SF_CONTACT_RATE_MAX + 1;
    for (size_t i = 0; i < 9; i++) {
        CHECK_EQ(find(&sat, &bad[i], DAY, DAY + DAY_MS), SF_EINVAL);
    }
    CHECK_EQ(find(&sat, &berlin, DAY, DAY - 1), SF_EINVAL);
    CHECK_EQ(find(&sat, &berlin, -1, DAY), SF_EINVAL);
    CHECK_EQ(find(&sat, &berlin, DAY, DAY + INT64_C(3661) * DAY_MS), SF_EINVAL);
    CHECK_EQ(find(&sat, &berlin, DAY - INT64_C(367) * DAY_MS, DAY), SF_EINVAL);
    CHECK_BYTES(&passes, &before, sizeof(before));
}

static void
test_decay(void)
{
    struct sf_sgp4 sat = satellite(0);
    struct sf_sgp4_elements low = sat.elements;

    /* Very much drag: it comes down within a few months. */
    low.drag = 0.05;
    REQUIRE_EQ(sf_sgp4_init(&sat, &low), SF_OK);
    REQUIRE_EQ(find(&sat, &berlin, DAY, DAY + INT64_C(100) * DAY_MS), SF_OK);
    CHECK(passes.lost_from.ms > DAY && passes.lost_from.ms < DAY + INT64_C(100) * DAY_MS);
    REQUIRE(passes.count > 0);
    CHECK(passes.passes[passes.count - 1].end.ms <= passes.lost_from.ms);
    sf_passes_fini(&passes);
}

CHECK_MAIN("passes", {"every second of two days is right, for low orbits", test_low},
    {"so it is for eccentric and synchronous ones", test_high},
    {"passes are cut by the window that is asked for", test_window},
    {"a pass of seconds is not stepped over", test_short},
    {"rates by elevation make pieces, and pieces make contacts both ways", test_rates},
    {"what is outside of the limits is refused", test_refusals},
    {"where the satellite comes down the search ends, and says so", test_decay})
