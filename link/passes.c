#include "config.h"

#include "link/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI          3.14159265358979323846
#define DEGREES     (PI / 180)
#define DAY_MS      86400000.0
#define EARTH_KM    6378.137 /* WGS-84 */
#define FLATTENING  (1 / 298.257223563)
#define EARTH_TURN  7.29211514670698e-5 /* radians a second, with the mean equinox */
#define LIGHT_KM_US 0.299792458
#define BEFORE_MS   (366 * DAY_MS) /* how far from their epoch elements are used */
#define AFTER_MS    (3660 * DAY_MS)

enum {
    STEP_MS_MIN = 5000,
    STEP_MS_MAX = 60000,
    STEPS_A_TURN = 180,
    EXACT_MS = 4, /* what bisection leaves; rounding to seconds follows */
    NO_RATE = -1, /* below the mask */
};

/* --- The station --- */

static bool
is_sane(const struct sf_pass_station *station)
{
    if (!(fabs(station->latitude_deg) <= 90) || !(station->longitude_deg >= -180) ||
        !(station->longitude_deg <= 360) || !(station->altitude_m >= -1000) ||
        !(station->altitude_m <= 100000) || !(station->mask_deg >= -5) ||
        !(station->mask_deg <= 90) || station->rate_count == 0 ||
        station->rate_count > SF_PASS_RATES_MAX) {
        return false;
    }
    for (size_t i = 0; i < station->rate_count; i++) {
        const struct sf_pass_rate *rate = &station->rates[i];

        if (!isfinite(rate->elevation_deg) || rate->up_bps > SF_CONTACT_RATE_MAX ||
            rate->down_bps > SF_CONTACT_RATE_MAX ||
            (i > 0 && rate->elevation_deg <= rate[-1].elevation_deg)) {
            return false;
        }
    }
    return true;
}

/* The station in the frame of the Earth: where it is, and where its up is. */
struct site {
    double place_km[3];
    double up[3];
};

static struct site
find_site(const struct sf_pass_station *station)
{
    double latitude = station->latitude_deg * DEGREES;
    double longitude = station->longitude_deg * DEGREES;
    double altitude = station->altitude_m / 1000;
    double e2 = FLATTENING * (2 - FLATTENING);
    double curve = EARTH_KM / sqrt(1 - e2 * sin(latitude) * sin(latitude));
    struct site site = {
        .up = {cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)}};

    site.place_km[0] = (curve + altitude) * site.up[0];
    site.place_km[1] = (curve + altitude) * site.up[1];
    site.place_km[2] = (curve * (1 - e2) + altitude) * site.up[2];
    return site;
}

/* --- What is seen --- */

/* Everything that is needed to look at one satellite from one station. */
struct sight {
    struct sf_sgp4 sat;
    const struct sf_pass_station *station;
    struct site site;
};

static double
dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static double
minutes_at(const struct sf_sgp4 *sat, int64_t ms)
{
    return ((double)ms - sat->elements.epoch_days * DAY_MS) / 60000;
}

static int
look(const struct sight *sight, int64_t ms, struct sf_pass_view *ret_view)
{
    double angle = sf_sgp4_sidereal((double)ms / DAY_MS);
    double c = cos(angle), s = sin(angle);
    struct sf_sgp4_state state;
    const double *p = state.position_km;
    const double *v = state.velocity_kms;
    double to[3], moving[3];
    double range, height, closing, sine;
    int status = sf_sgp4_at(&sight->sat, minutes_at(&sight->sat, ms), &state);

    if (status != SF_OK) {
        return status;
    }
    to[0] = c * p[0] + s * p[1];
    to[1] = c * p[1] - s * p[0];
    to[2] = p[2];
    moving[0] = c * v[0] + s * v[1] + EARTH_TURN * to[1];
    moving[1] = c * v[1] - s * v[0] - EARTH_TURN * to[0];
    moving[2] = v[2];
    for (size_t i = 0; i < 3; i++) {
        to[i] -= sight->site.place_km[i];
    }
    range = sqrt(dot(to, to));
    height = dot(to, sight->site.up);
    closing = dot(to, moving) / range;
    sine = height / range;
    sine = sine > 1 ? 1 : sine < -1 ? -1 : sine;
    ret_view->range_km = range;
    ret_view->elevation_deg = asin(sine) / DEGREES;
    /* Straight up the cosine vanishes; the sign, which is what matters, stays. */
    ret_view->elevation_rate = (dot(moving, sight->site.up) - sine * closing) /
                               (range * fmax(sqrt(1 - sine * sine), 1e-9)) / DEGREES;
    return SF_OK;
}

int
sf_pass_view_at(const struct sf_sgp4 *sat, const struct sf_pass_station *station, struct sf_wall t,
    struct sf_pass_view *ret_view)
{
    struct sight sight = {*sat, station, find_site(station)};

    return look(&sight, t.ms, ret_view);
}

/* Which rate holds at an elevation: the last one that begins below it. */
static int
rate_at(const struct sf_pass_station *station, double elevation_deg)
{
    int rate = 0;

    if (elevation_deg < station->mask_deg) {
        return NO_RATE;
    }
    for (size_t i = 1; i < station->rate_count; i++) {
        if (elevation_deg >= station->rates[i].elevation_deg) {
            rate = (int)i;
        }
    }
    return rate;
}

/* --- The search --- */

struct search {
    struct sight sight;
    struct sf_passes *found;
    struct sf_pass piece; /* the one that is under way */
    int rate;             /* its rate; NO_RATE: none is */
    uint32_t passes;
};

static uint64_t
light_us(const struct sf_pass_view *view)
{
    return (uint64_t)(view->range_km / LIGHT_KM_US + 0.5);
}

static void
widen(struct search *search, const struct sf_pass_view *view)
{
    if (view->elevation_deg > search->piece.peak_deg) {
        search->piece.peak_deg = view->elevation_deg;
    }
    if (light_us(view) > search->piece.light_us) {
        search->piece.light_us = light_us(view);
    }
}

/* Times inwards to seconds, so that no more is promised than there is. */
static int
keep_piece(struct search *search)
{
    struct sf_passes *found = search->found;
    struct sf_pass piece = search->piece;

    piece.start.ms = (piece.start.ms + 999) / 1000 * 1000;
    piece.end.ms = piece.end.ms / 1000 * 1000;
    if (piece.start.ms >= piece.end.ms) {
        return SF_OK;
    }
    /* Pieces of a pass follow each other without a gap; the lower rate gets the broken second. */
    if (found->count > 0 && found->passes[found->count - 1].pass == piece.pass) {
        struct sf_pass *before = &found->passes[found->count - 1];

        if (piece.rate > before->rate) {
            before->end = piece.start;
        } else {
            piece.start = before->end;
        }
    }
    if (found->count == SF_PASSES_MAX) {
        return SF_ELIMIT;
    }
    if (found->count == found->capacity) {
        size_t capacity = found->capacity == 0 ? 16 : found->capacity * 2;
        struct sf_pass *grown = realloc(found->passes, capacity * sizeof(*grown));

        if (grown == NULL) {
            return SF_ENOMEM;
        }
        found->passes = grown;
        found->capacity = capacity;
    }
    found->passes[found->count++] = piece;
    return SF_OK;
}

/* From `ms` on, where `view` is seen, the rate is `rate`. */
static int
change_rate(struct search *search, int64_t ms, const struct sf_pass_view *view, int rate)
{
    int status = SF_OK;

    if (search->rate != NO_RATE) {
        widen(search, view);
        search->piece.end.ms = ms;
        status = keep_piece(search);
        search->passes += rate == NO_RATE;
    }
    search->rate = rate;
    if (rate != NO_RATE) {
        search->piece = (struct sf_pass){.start = {ms},
            .peak_deg = view->elevation_deg,
            .light_us = light_us(view),
            .pass = search->passes,
            .rate = (uint32_t)rate};
    }
    return status;
}

/* A moment, and what is seen then. */
struct moment {
    int64_t ms;
    struct sf_pass_view view;
};

/* Between two moments the elevation only rises or only falls: find where rates change. */
static int
cross(struct search *search, struct moment from, const struct moment *to)
{
    const struct sf_pass_station *station = search->sight.station;
    int last = rate_at(station, to->view.elevation_deg);

    while (rate_at(station, from.view.elevation_deg) != last) {
        int first = rate_at(station, from.view.elevation_deg);
        struct moment low = from;
        struct moment high = *to;
        int status;

        while (high.ms - low.ms > EXACT_MS) {
            struct moment middle = {.ms = low.ms + (high.ms - low.ms) / 2};

            status = look(&search->sight, middle.ms, &middle.view);
            if (status != SF_OK) {
                return status;
            }
            if (rate_at(station, middle.view.elevation_deg) == first) {
                low = middle;
            } else {
                high = middle;
            }
        }
        status =
            change_rate(search, high.ms, &high.view, rate_at(station, high.view.elevation_deg));
        if (status != SF_OK) {
            return status;
        }
        from = high;
    }
    if (search->rate != NO_RATE) {
        widen(search, &to->view);
    }
    return SF_OK;
}

/* One step of the search, cut where the elevation turns. */
static int
step(struct search *search, const struct moment *from, const struct moment *to)
{
    bool rising = from->view.elevation_rate > 0;
    struct moment low = *from;
    struct moment high = *to;
    int status;

    if (rising == (to->view.elevation_rate > 0)) {
        return cross(search, *from, to);
    }
    while (high.ms - low.ms > EXACT_MS) {
        struct moment middle = {.ms = low.ms + (high.ms - low.ms) / 2};

        status = look(&search->sight, middle.ms, &middle.view);
        if (status != SF_OK) {
            return status;
        }
        if ((middle.view.elevation_rate > 0) == rising) {
            low = middle;
        } else {
            high = middle;
        }
    }
    status = cross(search, *from, &low);
    return status == SF_OK ? cross(search, low, to) : status;
}

static int64_t
step_ms(const struct sf_sgp4 *sat)
{
    double ms = sf_sgp4_period_minutes(sat) * 60000 / STEPS_A_TURN;

    return ms < STEP_MS_MIN ? STEP_MS_MIN : ms > STEP_MS_MAX ? STEP_MS_MAX : (int64_t)ms;
}

/* From one moment to the next until `to_ms`, or until SGP4 has no answer. */
static int
walk(struct search *search, int64_t from_ms, int64_t to_ms)
{
    int64_t stride = step_ms(&search->sight.sat);
    struct moment here = {.ms = from_ms};
    int status = look(&search->sight, here.ms, &here.view);

    if (status == SF_OK) {
        int rate = rate_at(search->sight.station, here.view.elevation_deg);

        if (rate != NO_RATE) {
            status = change_rate(search, here.ms, &here.view, rate);
        }
    }
    while (status == SF_OK && here.ms < to_ms) {
        struct moment next = {.ms = to_ms - here.ms < stride ? to_ms : here.ms + stride};

        sf_sgp4_seek(&search->sight.sat, minutes_at(&search->sight.sat, here.ms));
        status = look(&search->sight, next.ms, &next.view);
        if (status == SF_OK) {
            status = step(search, &here, &next);
        }
        if (status == SF_OK) {
            here = next;
        }
    }
    if (status == SF_ESTATE) {
        search->found->lost_from.ms = here.ms;
        status = SF_OK;
    }
    /* What is still up ends where the search does. */
    return status == SF_OK && search->rate != NO_RATE
               ? change_rate(search, here.ms, &here.view, NO_RATE)
               : status;
}

void
sf_passes_init(struct sf_passes *passes)
{
    memset(passes, 0, sizeof(*passes));
    passes->lost_from = SF_CONTACT_NEVER;
}

void
sf_passes_fini(struct sf_passes *passes)
{
    free(passes->passes);
    sf_passes_init(passes);
}

int
sf_passes_find(struct sf_passes *passes, const struct sf_sgp4 *sat,
    const struct sf_pass_station *station, struct sf_wall from, struct sf_wall to)
{
    double epoch_ms = sat->elements.epoch_days * DAY_MS;
    struct sf_passes found;
    struct search search = {
        .sight = {.sat = *sat, .station = station}, .found = &found, .rate = NO_RATE};
    int status;

    if (!is_sane(station) || from.ms < 0 || to.ms > SF_CONTACT_MS_MAX || from.ms > to.ms ||
        to.ms - from.ms > SF_PASS_DAYS_MAX * INT64_C(86400000) ||
        (double)from.ms < epoch_ms - BEFORE_MS || (double)to.ms > epoch_ms + AFTER_MS) {
        return SF_EINVAL;
    }
    search.sight.site = find_site(station);
    sf_passes_init(&found);
    status = walk(&search, from.ms, to.ms);
    if (status != SF_OK) {
        sf_passes_fini(&found);
        return status;
    }
    sf_passes_fini(passes);
    *passes = found;
    return SF_OK;
}

/* --- Into a plan --- */

int
sf_passes_plan(const struct sf_passes *passes, const struct sf_pass_station *station,
    struct sf_contact_plan *plan, uint32_t ground, uint32_t space)
{
    for (size_t i = 0; i < passes->count; i++) {
        const struct sf_pass *pass = &passes->passes[i];
        const struct sf_pass_rate *rate = &station->rates[pass->rate];
        struct sf_contact contact = {
            .start = pass->start, .end = pass->end, .confidence_ppm = SF_CONTACT_PPM};
        int status = sf_contact_plan_add_range(plan, &(struct sf_contact_range){.from = ground,
                                                         .to = space,
                                                         .start = pass->start,
                                                         .end = pass->end,
                                                         .light_us = pass->light_us,
                                                         .both = true});

        if (status == SF_OK && rate->up_bps > 0) {
            contact.from = ground;
            contact.to = space;
            contact.rate_bps = rate->up_bps;
            status = sf_contact_plan_add(plan, &contact);
        }
        if (status == SF_OK && rate->down_bps > 0) {
            contact.from = space;
            contact.to = ground;
            contact.rate_bps = rate->down_bps;
            status = sf_contact_plan_add(plan, &contact);
        }
        if (status != SF_OK) {
            return status;
        }
    }
    return SF_OK;
}
