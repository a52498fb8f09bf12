/*
 * passes.h - when a satellite stands above a ground station's horizon.
 *
 * SGP4 positions, turned by sidereal time into the frame of the Earth (UT1 taken
 * as UTC, no polar motion: below 0.5 km), seen from a station on the WGS-84
 * ellipsoid. Every extreme of the elevation and every crossing of a limit is
 * bracketed and bisected, so no pass is too short to be seen; times are then
 * rounded inwards to whole seconds. Predictions are in floating point: an input
 * to a simulation, never part of what must repeat.
 */
#ifndef SF_LINK_PASSES_H
#define SF_LINK_PASSES_H

#include "link/contact.h"
#include "link/sgp4.h"

enum {
    SF_PASSES_MAX = SF_CONTACTS_MAX / 2, /* each is a contact up and one down */
    SF_PASS_RATES_MAX = 16,
    SF_PASS_DAYS_MAX = 3660,
};

/* From this elevation on these rates hold; 0: nothing is sent that way. */
struct sf_pass_rate {
    double elevation_deg;
    uint64_t up_bps;
    uint64_t down_bps;
};

struct sf_pass_station {
    double latitude_deg;  /* geodetic, north positive, -90 to 90 */
    double longitude_deg; /* east positive, -180 to 360 */
    double altitude_m;    /* above the ellipsoid, -1000 to 100000 */
    double mask_deg;      /* nothing is received below this elevation, -5 to 90 */
    struct sf_pass_rate rates[SF_PASS_RATES_MAX]; /* by rising elevation; the first holds from
                                                     the mask, whatever its own */
    size_t rate_count;                            /* at least 1 */
};

/* A run of one rate; a pass over several rates is several pieces, one after the other. */
struct sf_pass {
    struct sf_wall start;
    struct sf_wall end;
    double peak_deg;   /* the highest elevation in it */
    uint64_t light_us; /* one way, the longest in it */
    uint32_t pass;     /* from 0; pieces of one pass share it */
    uint32_t rate;     /* index into the station's */
};

struct sf_passes {
    struct sf_pass *passes; /* by start */
    size_t count;
    size_t capacity;
    struct sf_wall lost_from; /* from here on SGP4 has no answer; SF_CONTACT_NEVER: it has */
};

void sf_passes_init(struct sf_passes *passes);
void sf_passes_fini(struct sf_passes *passes);

/*
 * Find the passes of `sat` over `station` in [from, to) and replace `passes`,
 * which must be initialised, with them.
 *
 * Returns SF_OK; SF_EINVAL if a value of the station is outside its limits, or
 * [from, to) is not of 0 to SF_PASS_DAYS_MAX days in the years 1970 to 9999;
 * SF_ELIMIT; SF_ENOMEM. On an error `passes` are as they were.
 */
SF_MUST_USE int sf_passes_find(struct sf_passes *passes, const struct sf_sgp4 *sat,
    const struct sf_pass_station *station, struct sf_wall from, struct sf_wall to);

/*
 * Add `passes` to `plan` as contacts and ranges between its nodes `ground` and
 * `space`. The plan is then to be sealed.
 *
 * Returns SF_OK or an error of sf_contact_plan_add(); the plan may then hold some.
 */
SF_MUST_USE int sf_passes_plan(const struct sf_passes *passes,
    const struct sf_pass_station *station, struct sf_contact_plan *plan, uint32_t ground,
    uint32_t space);

/* How high and how far the satellite is at `t`; SF_ESTATE where SGP4 has no answer. */
struct sf_pass_view {
    double elevation_deg;
    double elevation_rate; /* degrees a second */
    double range_km;
};
SF_MUST_USE int sf_pass_view_at(const struct sf_sgp4 *sat, const struct sf_pass_station *station,
    struct sf_wall t, struct sf_pass_view *ret_view);

#endif
