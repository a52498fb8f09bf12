/*
 * sgp4.h - where a satellite is, from its mean elements: the SGP4 theory, with
 * its deep-space part (SDP4) for periods of 225 minutes and more.
 *
 * Hoots and Roehrich, "Models for Propagation of NORAD Element Sets",
 * Spacetrack Report No. 3, 1980, with the corrections of Vallado, Crawford,
 * Hujsak and Kelso, "Revisiting Spacetrack Report #3", AIAA 2006-6753. WGS-72
 * constants, as the elements are made with. Arithmetic only; positions are in
 * the frame of the theory (true equator, mean equinox of date: TEME).
 * Elements are good to a kilometre or so at their epoch and lose a few a day.
 */
#ifndef SF_LINK_SGP4_H
#define SF_LINK_SGP4_H

#include "base/status.h"

#include <stdbool.h>

enum { SF_SGP4_YEARS_MAX = 100 };

/* Mean elements as published: angles in radians, mean motion in radians a minute (Kozai). */
struct sf_sgp4_elements {
    double epoch_days; /* days since 1970-01-01 00:00 UTC */
    double mean_motion;
    double eccentricity;
    double inclination;
    double node; /* right ascension of the ascending node */
    double perigee;
    double mean_anomaly;
    double drag; /* B*, per earth radius */
};

struct sf_sgp4_state {
    double position_km[3];
    double velocity_kms[3];
};

/* Terms of one tug, the Sun's or the Moon's, on a deep-space orbit. */
struct sf_sgp4_tug {
    double mean_longitude; /* at epoch */
    double motion;
    double eccentricity;
    double e[2], i[2], l[3], gh[3], h[2]; /* by sin^2, sin cos and sin of its true longitude */
};

struct sf_sgp4_deep {
    struct sf_sgp4_tug tugs[2];
    double e_dot, i_dot, m_dot, perigee_dot, node_dot; /* secular, of Sun and Moon */
    double sidereal;                                   /* the Earth's angle at epoch */
    int resonance; /* 0: none, 1: of one day, 2: of half a day */
    double synchronous[3];
    double half_day[10];
    double lambda, lambda_dot;  /* resonance angle at epoch, and its steady rate */
    double at, at_lambda, at_n; /* where sf_sgp4_seek() got to */
};

/* Prepared once per satellite, then read only but for sf_sgp4_seek(). */
struct sf_sgp4 {
    struct sf_sgp4_elements elements;
    double n, a; /* Brouwer mean motion and semi-major axis, in earth radii */
    double m_dot, perigee_dot, node_dot, node_drag;
    double c1, c4, c5, d2, d3, d4;
    double l2, l3, l4, l5; /* drag on the mean longitude, by powers of time */
    double perigee_drag, m_drag, eta, m_drag_epoch;
    bool simple; /* low perigee, or deep space: drag by its first terms alone */
    bool is_deep;
    struct sf_sgp4_deep deep;
};

/*
 * Prepare `sat` for `elements`.
 *
 * Returns SF_OK; SF_EINVAL if an element is not finite, the eccentricity is
 * outside [0, 1), the inclination outside [0, pi], or the mean motion not
 * above 0; then `sat` is untouched.
 */
SF_MUST_USE int sf_sgp4_init(struct sf_sgp4 *sat, const struct sf_sgp4_elements *elements);

/*
 * The state `minutes` after the epoch (before it, if negative).
 *
 * Returns SF_OK; SF_ESTATE if the theory has no answer there, since the
 * satellite has come down, the elements have run out of meaning, or it is more
 * than SF_SGP4_YEARS_MAX away.
 * *ret_state is changed on SF_OK only.
 */
SF_MUST_USE int sf_sgp4_at(
    const struct sf_sgp4 *sat, double minutes, struct sf_sgp4_state *ret_state);

/*
 * Make later questions about times from `minutes` on, away from the epoch,
 * cheap for resonant orbits, which are followed step by step from their epoch.
 * Answers stay the same to the last bit.
 */
void sf_sgp4_seek(struct sf_sgp4 *sat, double minutes);

/* The orbit's period at epoch, in minutes. */
double sf_sgp4_period_minutes(const struct sf_sgp4 *sat);

/* Greenwich mean sidereal time (IAU 1982) in radians, `days` after 1970 (UT1, here UTC). */
double sf_sgp4_sidereal(double days);

#endif
