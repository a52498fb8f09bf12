/*
 * sgp4_deep.h - what Sun, Moon and the Earth's uneven field do to slow orbits;
 * inside of sgp4.c.
 */
#ifndef SF_LINK_SGP4_DEEP_H
#define SF_LINK_SGP4_DEEP_H

#include "link/sgp4.h"

#define SF_SGP4_PI     3.14159265358979323846
#define SF_SGP4_TWO_PI (2 * SF_SGP4_PI)
#define SF_SGP4_KE     0.07436691613317342 /* sqrt(398600.8 km^3/s^2), in radii^1.5 a minute */

/* Mean elements at some time, in radians and radians a minute. */
struct sf_sgp4_mean {
    double n, e, i, node, perigee, m;
};

/* Fill sat->deep; everything else of `sat` is there. */
void sf_sgp4_deep_init(struct sf_sgp4 *sat);

/* What has grown with time: `mean` goes from the Earth's steady drift to `minutes` after epoch. */
void sf_sgp4_deep_secular(const struct sf_sgp4 *sat, double minutes, struct sf_sgp4_mean *mean);

/* What comes and goes with the places of Sun and Moon. */
void sf_sgp4_deep_periodic(
    const struct sf_sgp4_deep *deep, double minutes, struct sf_sgp4_mean *mean);

#endif
