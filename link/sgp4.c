/*
 * Near-earth part of SGP4. Symbols are those of Spacetrack Report No. 3,
 * section 6: k2, k4 and A30 are the Earth's zonal terms, xi and eta those of
 * the drag, theta is cos i.
 */
#include "config.h"

#include "link/sgp4.h"

#include "link/sgp4_deep.h"

#include <math.h>
#include <stddef.h>

#define EARTH_KM 6378.135
#define J2       0.001082616
#define J3       (-0.00000253881)
#define J4       (-0.00000165597)
#define K2       (J2 / 2)
#define K4       (-3 * J4 / 8)

#define DRAG_TOP_KM        120.0 /* q0 of the density function */
#define DRAG_BOTTOM_KM     78.0  /* s */
#define LOW_PERIGEE_KM     220.0 /* below it drag is taken by its first terms */
#define DEEP_MINUTES       225.0
#define ECCENTRICITY_FLOOR 1e-6
#define ROUND_ECCENTRICITY 1e-4 /* below it terms over e are dropped */
#define KEPLER_STEPS_MAX   10

static double
square(double x)
{
    return x * x;
}

static double
angle(double x)
{
    return fmod(x, SF_SGP4_TWO_PI);
}

static bool
is_sane(const struct sf_sgp4_elements *elements)
{
    return isfinite(elements->epoch_days) && isfinite(elements->node) &&
           isfinite(elements->perigee) && isfinite(elements->mean_anomaly) &&
           isfinite(elements->drag) && elements->eccentricity >= 0 && elements->eccentricity < 1 &&
           elements->inclination >= 0 && elements->inclination <= SF_SGP4_PI &&
           elements->mean_motion > 0 && isfinite(elements->mean_motion);
}

/* From Kozai's mean motion, as published, to Brouwer's, which the theory needs. */
static void
recover_motion(struct sf_sgp4 *sat)
{
    const struct sf_sgp4_elements *el = &sat->elements;
    double theta2 = square(cos(el->inclination));
    double beta2 = 1 - square(el->eccentricity);
    double shape = 1.5 * K2 * (3 * theta2 - 1) / (beta2 * sqrt(beta2));
    double a1 = pow(SF_SGP4_KE / el->mean_motion, 2.0 / 3);
    double delta1 = shape / square(a1);
    double a2 = a1 * (1 - delta1 * (1.0 / 3 + delta1 * (1 + delta1 * 134.0 / 81)));

    sat->n = el->mean_motion / (1 + shape / square(a2));
    sat->a = pow(SF_SGP4_KE / sat->n, 2.0 / 3);
}

/* Drifts that the flattened Earth causes, to the second order. */
static void
set_drifts(struct sf_sgp4 *sat)
{
    double theta = cos(sat->elements.inclination);
    double theta2 = square(theta);
    double theta4 = square(theta2);
    double beta2 = 1 - square(sat->elements.eccentricity);
    double beta = sqrt(beta2);
    double first = K2 / square(sat->a * beta2);
    double second = square(first);
    double fourth = K4 / square(square(sat->a * beta2));

    sat->m_dot = sat->n * (1 + 1.5 * first * beta * (3 * theta2 - 1) +
                              3.0 / 16 * second * beta * (13 - 78 * theta2 + 137 * theta4));
    sat->perigee_dot = sat->n * (-1.5 * first * (1 - 5 * theta2) +
                                    3.0 / 16 * second * (7 - 114 * theta2 + 395 * theta4) +
                                    1.25 * fourth * (3 - 36 * theta2 + 49 * theta4));
    sat->node_dot =
        sat->n * theta *
        (-3 * first + 1.5 * second * (4 - 19 * theta2) + 2.5 * fourth * (3 - 7 * theta2));
}

/* The height s of the density function, lowered for low perigees; earth radii from the centre. */
static double
drag_bottom(double perigee_km, double *ret_strength)
{
    double bottom_km = DRAG_BOTTOM_KM;

    if (perigee_km < 98) {
        bottom_km = 20;
    } else if (perigee_km < 156) {
        bottom_km = perigee_km - DRAG_BOTTOM_KM;
    }
    *ret_strength = square(square((DRAG_TOP_KM - bottom_km) / EARTH_KM));
    return bottom_km / EARTH_KM + 1;
}

/* What drag does with higher powers of time, where it is worth it. */
static void
set_fine_drag(struct sf_sgp4 *sat, double xi, double s)
{
    double c1 = sat->c1;
    double c1_2 = square(c1);

    sat->d2 = 4 * sat->a * xi * c1_2;
    sat->d3 = 4.0 / 3 * sat->a * square(xi) * (17 * sat->a + s) * c1_2 * c1;
    sat->d4 = 2.0 / 3 * square(sat->a) * square(xi) * xi * (221 * sat->a + 31 * s) * square(c1_2);
    sat->l3 = sat->d2 + 2 * c1_2;
    sat->l4 = 0.25 * (3 * sat->d3 + 12 * c1 * sat->d2 + 10 * c1_2 * c1);
    sat->l5 = 0.2 * (3 * sat->d4 + 12 * c1 * sat->d3 + 6 * square(sat->d2) + 30 * c1_2 * sat->d2 +
                        15 * square(c1_2));
}

static void
set_drag(struct sf_sgp4 *sat)
{
    const struct sf_sgp4_elements *el = &sat->elements;
    double e = el->eccentricity;
    double beta2 = 1 - square(e);
    double theta = cos(el->inclination);
    double theta2 = square(theta);
    double perigee_km = (sat->a * (1 - e) - 1) * EARTH_KM;
    double strength;
    double s = drag_bottom(perigee_km, &strength);
    double xi = 1 / (sat->a - s);
    double eta = sat->a * e * xi;
    double eta2 = square(eta);
    double psi2 = fabs(1 - eta2);
    double base = strength * square(square(xi));
    double coefficient = base / pow(psi2, 3.5);
    double bulge = K2 * xi / psi2;
    double c2 = coefficient * sat->n *
                (sat->a * (1 + 1.5 * eta2 + e * eta * (4 + eta2)) +
                    0.75 * bulge * (3 * theta2 - 1) * (8 + eta2 * (24 + 3 * eta2)));

    sat->eta = eta;
    sat->simple = sat->is_deep || perigee_km < LOW_PERIGEE_KM;
    sat->c1 = el->drag * c2;
    sat->c4 = 2 * sat->n * coefficient * sat->a * beta2 *
              (eta * (2 + 0.5 * eta2) + e * (0.5 + 2 * eta2) -
                  2 * bulge / sat->a *
                      (3 * (1 - 3 * theta2) * (1 + 1.5 * eta2 - e * eta * (2 + 0.5 * eta2)) +
                          0.75 * (1 - theta2) * (2 * eta2 - e * eta * (1 + eta2)) *
                              cos(2 * el->perigee)));
    sat->c5 = 2 * coefficient * sat->a * beta2 * (1 + 2.75 * eta * (eta + e) + e * eta * eta2);
    sat->l2 = 1.5 * sat->c1;
    sat->node_drag = -10.5 * sat->n * K2 * theta / (square(sat->a) * beta2) * sat->c1;
    if (e > ROUND_ECCENTRICITY) {
        /* A30 over k2 is -2 J3 over J2. */
        double c3 = -2 * J3 / J2 * base * xi * sat->n * sin(el->inclination) / e;

        sat->perigee_drag = el->drag * c3 * cos(el->perigee);
        sat->m_drag = -2.0 / 3 * base * el->drag / (e * eta);
    }
    sat->m_drag_epoch = pow(1 + eta * cos(el->mean_anomaly), 3);
    if (!sat->simple) {
        set_fine_drag(sat, xi, s);
    }
}

int
sf_sgp4_init(struct sf_sgp4 *sat, const struct sf_sgp4_elements *elements)
{
    struct sf_sgp4 work = {.elements = *elements};

    if (!is_sane(elements)) {
        return SF_EINVAL;
    }
    recover_motion(&work);
    if (!(work.n > 0) || !isfinite(work.a)) {
        return SF_EINVAL;
    }
    work.is_deep = sf_sgp4_period_minutes(&work) >= DEEP_MINUTES;
    set_drifts(&work);
    set_drag(&work);
    if (work.is_deep) {
        sf_sgp4_deep_init(&work);
    }
    *sat = work;
    return SF_OK;
}

double
sf_sgp4_period_minutes(const struct sf_sgp4 *sat)
{
    return SF_SGP4_TWO_PI / sat->n;
}

double
sf_sgp4_sidereal(double days)
{
    /* Julian centuries from J2000.0, which is 10,957.5 days after 1970. */
    double centuries = (days - 10957.5) / 36525;
    double seconds =
        67310.54841 + centuries * (3164400184.812866 + centuries * (0.093104 - 6.2e-6 * centuries));
    double radians = fmod(seconds, 86400) / 86400 * SF_SGP4_TWO_PI;

    return radians < 0 ? radians + SF_SGP4_TWO_PI : radians;
}

/* Drift, drag and, far out, Sun and Moon, up to `t`. */
static int
move_mean(const struct sf_sgp4 *sat, double t, struct sf_sgp4_mean *mean, double *ret_a)
{
    const struct sf_sgp4_elements *el = &sat->elements;
    double shrink = 1 - sat->c1 * t;
    double e_loss = el->drag * sat->c4 * t;
    double l_gain = sat->l2 * t * t;
    double longitude;

    mean->n = sat->n;
    mean->e = el->eccentricity;
    mean->i = el->inclination;
    mean->m = el->mean_anomaly + sat->m_dot * t;
    mean->perigee = el->perigee + sat->perigee_dot * t;
    mean->node = el->node + sat->node_dot * t + sat->node_drag * t * t;
    if (!sat->simple) {
        double shift = sat->perigee_drag * t +
                       sat->m_drag * (pow(1 + sat->eta * cos(mean->m), 3) - sat->m_drag_epoch);

        mean->m += shift;
        mean->perigee -= shift;
        shrink -= t * t * (sat->d2 + t * (sat->d3 + t * sat->d4));
        e_loss += el->drag * sat->c5 * (sin(mean->m) - sin(el->mean_anomaly));
        l_gain += t * t * t * (sat->l3 + t * (sat->l4 + t * sat->l5));
    }
    if (sat->is_deep) {
        sf_sgp4_deep_secular(sat, t, mean);
    }
    if (!(mean->n > 0)) {
        return SF_ESTATE;
    }
    *ret_a = pow(SF_SGP4_KE / mean->n, 2.0 / 3) * square(shrink);
    mean->n = SF_SGP4_KE / pow(*ret_a, 1.5);
    mean->e -= e_loss;
    if (!(mean->e < 1) || mean->e < -0.001) {
        return SF_ESTATE;
    }
    if (mean->e < ECCENTRICITY_FLOOR) {
        mean->e = ECCENTRICITY_FLOOR;
    }
    longitude = angle(mean->m + sat->n * l_gain + mean->perigee + mean->node);
    mean->node = angle(mean->node);
    mean->perigee = angle(mean->perigee);
    mean->m = angle(longitude - mean->perigee - mean->node);
    return SF_OK;
}

/* Kepler's equation for E + perigee, in the components of e along and across the node. */
static double
solve_kepler(double u, double along, double across)
{
    double guess = u;

    for (int i = 0; i < KEPLER_STEPS_MAX; i++) {
        double sine = sin(guess);
        double cosine = cos(guess);
        double step =
            (u - across * cosine + along * sine - guess) / (1 - cosine * along - sine * across);

        /* Very eccentric orbits send the first steps far off. */
        step = step > 0.95 ? 0.95 : step < -0.95 ? -0.95 : step;
        guess += step;
        if (fabs(step) < 1e-12) {
            break;
        }
    }
    return guess;
}

/* From mean elements of the day to position and velocity: long and short periods. */
static int
place(const struct sf_sgp4_mean *mean, double a, struct sf_sgp4_state *ret_state)
{
    double theta = cos(mean->i);
    double theta2 = square(theta);
    double sini = sin(mean->i);
    double beta2 = 1 - square(mean->e);
    double along = mean->e * cos(mean->perigee);
    double lift = -0.5 * J3 / J2 * sini / (a * beta2);
    double across = mean->e * sin(mean->perigee) + lift;
    /* 1 + theta vanishes for i = 180 degrees. */
    double divisor = fabs(1 + theta) > 1.5e-12 ? 1 + theta : 1.5e-12;
    double u = angle(mean->m + mean->perigee + 0.5 * lift * along * (3 + 5 * theta) / divisor);
    double anomaly = solve_kepler(u, along, across);
    double e_cos = along * cos(anomaly) + across * sin(anomaly);
    double e_sin = along * sin(anomaly) - across * cos(anomaly);
    double e2 = square(along) + square(across);
    double p = a * (1 - e2);
    double r = a * (1 - e_cos);
    double beta = sqrt(1 - e2);
    double mix = e_sin / (1 + beta);
    double cos_u = a / r * (cos(anomaly) - along + across * mix);
    double sin_u = a / r * (sin(anomaly) - across - along * mix);
    double sin_2u = 2 * sin_u * cos_u;
    double cos_2u = 1 - 2 * square(sin_u);
    double k = K2 / p;
    double kp = k / p;
    double radius, latitude, node, tilt, speed_out, speed_on;

    if (!(p >= 0) || !(r > 0)) {
        return SF_ESTATE;
    }
    radius = r * (1 - 1.5 * kp * beta * (3 * theta2 - 1)) + 0.5 * k * (1 - theta2) * cos_2u;
    latitude = atan2(sin_u, cos_u) - 0.25 * kp * (7 * theta2 - 1) * sin_2u;
    node = mean->node + 1.5 * kp * theta * sin_2u;
    tilt = mean->i + 1.5 * kp * theta * sini * cos_2u;
    speed_out = sqrt(a) * e_sin / r - mean->n * k * (1 - theta2) * sin_2u / SF_SGP4_KE;
    speed_on =
        sqrt(p) / r + mean->n * k * ((1 - theta2) * cos_2u + 1.5 * (3 * theta2 - 1)) / SF_SGP4_KE;
    if (!(radius >= 1)) {
        return SF_ESTATE; /* it is in the ground */
    }
    {
        /* Unit vectors to the satellite and ahead of it. */
        double on_node[3] = {cos(node), sin(node), 0};
        double off_node[3] = {-sin(node) * cos(tilt), cos(node) * cos(tilt), sin(tilt)};

        for (size_t i = 0; i < 3; i++) {
            double to = off_node[i] * sin(latitude) + on_node[i] * cos(latitude);
            double ahead = off_node[i] * cos(latitude) - on_node[i] * sin(latitude);

            ret_state->position_km[i] = radius * to * EARTH_KM;
            ret_state->velocity_kms[i] =
                (speed_out * to + speed_on * ahead) * SF_SGP4_KE * EARTH_KM / 60;
        }
    }
    return SF_OK;
}

int
sf_sgp4_at(const struct sf_sgp4 *sat, double minutes, struct sf_sgp4_state *ret_state)
{
    struct sf_sgp4_mean mean;
    double a;
    int status = SF_ESTATE;

    if (fabs(minutes) <= SF_SGP4_YEARS_MAX * 525960.0) {
        status = move_mean(sat, minutes, &mean, &a);
    }
    if (status != SF_OK) {
        return status;
    }
    if (sat->is_deep) {
        sf_sgp4_deep_periodic(&sat->deep, minutes, &mean);
        if (mean.i < 0) {
            mean.i = -mean.i;
            mean.node += SF_SGP4_PI;
            mean.perigee -= SF_SGP4_PI;
        }
        if (!(mean.e >= 0) || mean.e > 1) {
            return SF_ESTATE;
        }
    }
    return place(&mean, a, ret_state);
}
