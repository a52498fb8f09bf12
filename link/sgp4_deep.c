/*
 * Deep-space part of SGP4 (SDP4): Sun and Moon, and resonance with the Earth's
 * rotation for orbits of about one day and of about half a day.
 *
 * Hujsak, "A Restricted Four Body Solution for Resonating Satellites Without
 * Drag", Spacetrack Report No. 1, 1979, as used by Spacetrack Report No. 3,
 * section 8, and corrected in AIAA 2006-6753. The numbers are the theory's own.
 */
#include "config.h"

#include "link/sgp4_deep.h"

#include <math.h>
#include <stddef.h>

#define EARTH_TURN        4.37526908801129966e-3 /* radians a minute */
#define FLAT              5.2359877e-2           /* radians; nodes of flatter orbits mean nothing */
#define LYDDANE_BELOW     0.2                    /* radians of inclination */
#define STEP_MINUTES      720.0
#define DAYS_1900_TO_1970 25567.5 /* from noon of 31 December 1899 */

enum { SUN, MOON, TUGS };
enum { BY_SQUARE, BY_PRODUCT, BY_SINE };

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

/* --- Sun and Moon --- */

/* Where a body's orbit lies, and how strongly and how fast it tugs. */
struct body {
    double cos_g, sin_g; /* its perigee */
    double cos_i, sin_i;
    double cos_h, sin_h; /* its node, seen from the satellite's */
    double strength, motion, eccentricity, mean_longitude;
};

static void
find_bodies(double epoch_days, double node, struct body bodies[TUGS])
{
    double day = epoch_days + DAYS_1900_TO_1970;
    double moon_node = angle(4.5236020 - 9.2422029e-4 * day);
    double cos_i = 0.91375164 - 0.03568096 * cos(moon_node);
    double sin_i = sqrt(1 - square(cos_i));
    double sin_h = 0.089683511 * sin(moon_node) / sin_i;
    double cos_h = sqrt(1 - square(sin_h));
    double perigee = 5.8351514 + 0.0019443680 * day;
    double g = perigee - moon_node +
               atan2(0.39785416 * sin(moon_node) / sin_i,
                   cos_h * cos(moon_node) + 0.91744867 * sin_h * sin(moon_node));

    bodies[SUN] = (struct body){.cos_g = 0.1945905,
        .sin_g = -0.98088458,
        .cos_i = 0.91744867,
        .sin_i = 0.39785416,
        .cos_h = cos(node),
        .sin_h = sin(node),
        .strength = 2.9864797e-6,
        .motion = 1.19459e-5,
        .eccentricity = 0.01675,
        .mean_longitude = angle(6.2565837 + 0.017201977 * day)};
    bodies[MOON] = (struct body){.cos_g = cos(g),
        .sin_g = sin(g),
        .cos_i = cos_i,
        .sin_i = sin_i,
        .cos_h = cos_h * cos(node) + sin_h * sin(node),
        .sin_h = cos_h * sin(node) - sin_h * cos(node),
        .strength = 4.7968065e-7,
        .motion = 1.5835218e-4,
        .eccentricity = 0.05490,
        .mean_longitude = angle(4.7199672 + 0.22997150 * day - perigee)};
}

/* The geometry of a body and an orbit: Z and X of the theory, by their two indices. */
struct geometry {
    double x1, x2, x3, x4;
    double z[4][4];
};

static void
find_geometry(const struct body *b, const struct sf_sgp4_elements *el, struct geometry *ret)
{
    double cosi = cos(el->inclination), sini = sin(el->inclination);
    double cosw = cos(el->perigee), sinw = sin(el->perigee);
    double e2 = square(el->eccentricity);
    double a1 = b->cos_g * b->cos_h + b->sin_g * b->cos_i * b->sin_h;
    double a3 = -b->sin_g * b->cos_h + b->cos_g * b->cos_i * b->sin_h;
    double a7 = -b->cos_g * b->sin_h + b->sin_g * b->cos_i * b->cos_h;
    double a8 = b->sin_g * b->sin_i;
    double a9 = b->sin_g * b->sin_h + b->cos_g * b->cos_i * b->cos_h;
    double a10 = b->cos_g * b->sin_i;
    double a2 = cosi * a7 + sini * a8, a4 = cosi * a9 + sini * a10;
    double a5 = cosi * a8 - sini * a7, a6 = cosi * a10 - sini * a9;
    double x1 = a1 * cosw + a2 * sinw, x2 = a3 * cosw + a4 * sinw;
    double x3 = a2 * cosw - a1 * sinw, x4 = a4 * cosw - a3 * sinw;
    double x5 = a5 * sinw, x6 = a6 * sinw, x7 = a5 * cosw, x8 = a6 * cosw;
    double(*z)[4] = ret->z;

    ret->x1 = x1, ret->x2 = x2, ret->x3 = x3, ret->x4 = x4;
    z[3][1] = 12 * x1 * x1 - 3 * x3 * x3;
    z[3][2] = 24 * x1 * x2 - 6 * x3 * x4;
    z[3][3] = 12 * x2 * x2 - 3 * x4 * x4;
    z[1][1] = -6 * a1 * a5 - e2 * (24 * x1 * x7 + 6 * x3 * x5);
    z[1][2] = -6 * (a1 * a6 + a3 * a5) - e2 * (24 * (x2 * x7 + x1 * x8) + 6 * (x3 * x6 + x4 * x5));
    z[1][3] = -6 * a3 * a6 - e2 * (24 * x2 * x8 + 6 * x4 * x6);
    z[2][1] = 6 * a2 * a5 + e2 * (24 * x1 * x5 - 6 * x3 * x7);
    z[2][2] = 6 * (a4 * a5 + a2 * a6) + e2 * (24 * (x2 * x5 + x1 * x6) - 6 * (x4 * x7 + x3 * x8));
    z[2][3] = 6 * a4 * a6 + e2 * (24 * x2 * x6 - 6 * x4 * x8);
    /* Z with one index in the theory: 2 (3 (...) + e^2 Z3n) + (1 - e^2) Z3n. */
    z[0][1] = 6 * (a1 * a1 + a2 * a2) + (1 + e2) * z[3][1];
    z[0][2] = 12 * (a1 * a3 + a2 * a4) + (1 + e2) * z[3][2];
    z[0][3] = 6 * (a3 * a3 + a4 * a4) + (1 + e2) * z[3][3];
}

/* The tug's periodic terms, and its share of the steady drifts. */
static void
add_tug(struct sf_sgp4_deep *deep, struct sf_sgp4_tug *tug, const struct body *body,
    const struct sf_sgp4 *sat)
{
    const struct sf_sgp4_elements *el = &sat->elements;
    struct geometry g;
    double e2 = square(el->eccentricity);
    double beta = sqrt(1 - e2);
    double s3 = body->strength / sat->n;
    double s2 = -0.5 * s3 / beta;
    double s4 = s3 * beta;
    double s1 = -15 * el->eccentricity * s4;
    double h_dot = 0;

    find_geometry(body, el, &g);
    tug->mean_longitude = body->mean_longitude;
    tug->motion = body->motion;
    tug->eccentricity = body->eccentricity;
    tug->e[BY_SQUARE] = 2 * s1 * (g.x2 * g.x3 + g.x1 * g.x4);
    tug->e[BY_PRODUCT] = 2 * s1 * (g.x2 * g.x4 - g.x1 * g.x3);
    tug->i[BY_SQUARE] = 2 * s2 * g.z[1][2];
    tug->i[BY_PRODUCT] = 2 * s2 * (g.z[1][3] - g.z[1][1]);
    tug->l[BY_SQUARE] = -2 * s3 * g.z[0][2];
    tug->l[BY_PRODUCT] = -2 * s3 * (g.z[0][3] - g.z[0][1]);
    tug->l[BY_SINE] = 2 * s3 * (21 + 9 * e2) * body->eccentricity;
    tug->gh[BY_SQUARE] = 2 * s4 * g.z[3][2];
    tug->gh[BY_PRODUCT] = 2 * s4 * (g.z[3][3] - g.z[3][1]);
    tug->gh[BY_SINE] = -18 * s4 * body->eccentricity;
    tug->h[BY_SQUARE] = -2 * s2 * g.z[2][2];
    tug->h[BY_PRODUCT] = -2 * s2 * (g.z[2][3] - g.z[2][1]);

    if (el->inclination >= FLAT && el->inclination <= SF_SGP4_PI - FLAT) {
        h_dot = -body->motion * s2 * (g.z[2][1] + g.z[2][3]) / sin(el->inclination);
    }
    deep->e_dot += s1 * body->motion * (g.x1 * g.x3 + g.x2 * g.x4);
    deep->i_dot += s2 * body->motion * (g.z[1][1] + g.z[1][3]);
    deep->m_dot -= body->motion * s3 * (g.z[0][1] + g.z[0][3] - 14 - 6 * e2);
    deep->perigee_dot +=
        s4 * body->motion * (g.z[3][1] + g.z[3][3] - 6) - cos(el->inclination) * h_dot;
    deep->node_dot += h_dot;
}

/* --- Resonance --- */

/*
 * Half-day resonance: each term pulls with sin(m E + k L - phase), E the argument
 * of perigee and L the resonance angle; d = weight x F(inclination) x G(eccentricity).
 */
static const struct {
    int perigee, lambda;
    double phase;
} half_day[10] = {{2, 1, 5.7686396}, {0, 1, 5.7686396}, {1, 1, 0.95240898}, {-1, 1, 0.95240898},
    {2, 2, 1.8014998}, {0, 2, 1.8014998}, {1, 1, 1.0508330}, {-1, 1, 1.0508330}, {1, 2, 4.4108898},
    {-1, 2, 4.4108898}};

/* One-day resonance: sin(k (L - phase)), k = 1, 2, 3. */
static const double synchronous_phase[3] = {0.13130908, 2.8843198, 0.37448087};

static double
polynomial(const double c[4], double x)
{
    return c[0] + x * (c[1] + x * (c[2] + x * c[3]));
}

/* G of the theory, polynomials in e that were fitted piece by piece. */
static void
find_eccentricity_functions(double e, double g[10])
{
    static const double upto_065[6][4] = {{3.616, -13.2470, 16.2900, 0},
        {-19.302, 117.3900, -228.4190, 156.5910}, {-18.9068, 109.7927, -214.6334, 146.5816},
        {-41.122, 242.6940, -471.0940, 313.9530}, {-146.407, 841.8800, -1629.014, 1083.4350},
        {-532.114, 3017.977, -5740.032, 3708.2760}};
    static const double above_065[6][4] = {{-72.099, 331.819, -508.738, 266.724},
        {-346.844, 1582.851, -2415.925, 1246.113}, {-342.585, 1554.908, -2366.899, 1215.972},
        {-1052.797, 4758.686, -7193.992, 3651.957}, {-3581.690, 16178.110, -24462.770, 12422.520},
        {1464.74, -4664.75, 3763.64, 0}};
    static const double above_0715[4] = {-5149.66, 29936.92, -54087.36, 31324.56};
    static const double below_07[3][4] = {{-853.66600, 4690.2500, -8624.7700, 5341.4},
        {-822.71072, 4568.6173, -8491.4146, 5337.524},
        {-919.22770, 4988.6100, -9064.7700, 5542.21}};
    static const double from_07[3][4] = {{-40023.880, 170470.89, -242699.48, 115605.82},
        {-51752.104, 218913.95, -309468.16, 146349.42},
        {-37995.780, 161616.52, -229838.20, 109377.94}};
    const double(*low)[4] = e <= 0.65 ? upto_065 : above_065;
    const double(*high)[4] = e < 0.7 ? below_07 : from_07;

    g[0] = -0.306 - (e - 0.64) * 0.440;
    for (size_t i = 0; i < 6; i++) {
        g[1 + i] = polynomial(low[i], e);
    }
    if (e > 0.715) {
        g[6] = polynomial(above_0715, e);
    }
    for (size_t i = 0; i < 3; i++) {
        g[7 + i] = polynomial(high[i], e);
    }
}

/* F of the theory, for the ten terms in the order of half_day[]. */
static void
find_inclination_functions(double i, double f[10])
{
    double c = cos(i), s = sin(i);
    double c2 = c * c, s2 = s * s;

    f[0] = 0.75 * (1 + 2 * c + c2);
    f[1] = 1.5 * s2;
    f[2] = 1.875 * s * (1 - 2 * c - 3 * c2);
    f[3] = -1.875 * s * (1 + 2 * c - 3 * c2);
    f[4] = 35 * s2 * f[0];
    f[5] = 39.3750 * s2 * s2;
    f[6] = 9.84375 * s * (s2 * (1 - 2 * c - 5 * c2) + 0.33333333 * (-2 + 4 * c + 6 * c2));
    f[7] = s * (4.92187512 * s2 * (-2 - 4 * c + 10 * c2) + 6.56250012 * (1 + 2 * c - 3 * c2));
    f[8] = 29.53125 * s * (2 - 8 * c + c2 * (-12 + 8 * c + 10 * c2));
    f[9] = 29.53125 * s * (-2 - 8 * c + c2 * (12 + 8 * c - 10 * c2));
}

static void
set_half_day(struct sf_sgp4_deep *deep, const struct sf_sgp4 *sat)
{
    /* The Earth's tesseral terms, and by which power of 1/a beyond the square they weaken. */
    static const struct {
        double root;
        int power;
    } weight[10] = {{1.7891679e-6, 0}, {1.7891679e-6, 0}, {3.7393792e-7, 1}, {3.7393792e-7, 1},
        {2 * 7.3636953e-9, 2}, {2 * 7.3636953e-9, 2}, {1.1428639e-7, 3}, {1.1428639e-7, 3},
        {2 * 2.1765803e-9, 3}, {2 * 2.1765803e-9, 3}};
    const struct sf_sgp4_elements *el = &sat->elements;
    double f[10], g[10];
    double inverse_a = pow(sat->n / SF_SGP4_KE, 2.0 / 3);

    find_eccentricity_functions(el->eccentricity, g);
    find_inclination_functions(el->inclination, f);
    /* The polynomials stand in the order of G: 201 211 310 322 410 422 520 532 521 533. */
    for (size_t i = 0; i < 10; i++) {
        deep->half_day[i] = 3 * square(sat->n) * square(inverse_a) * weight[i].root *
                            pow(inverse_a, weight[i].power) * f[i] * g[i];
    }
    deep->lambda = angle(el->mean_anomaly + 2 * (el->node - deep->sidereal));
    deep->lambda_dot =
        sat->m_dot + deep->m_dot + 2 * (sat->node_dot + deep->node_dot - EARTH_TURN) - sat->n;
}

static void
set_synchronous(struct sf_sgp4_deep *deep, const struct sf_sgp4 *sat)
{
    const struct sf_sgp4_elements *el = &sat->elements;
    double e2 = square(el->eccentricity);
    double c = cos(el->inclination);
    double inverse_a = pow(sat->n / SF_SGP4_KE, 2.0 / 3);
    double scale = 3 * square(sat->n) * square(inverse_a);
    double f311 = 0.9375 * square(sin(el->inclination)) * (1 + 3 * c) - 0.75 * (1 + c);

    deep->synchronous[0] = scale * inverse_a * f311 * (1 + 2 * e2) * 2.1460748e-6;
    deep->synchronous[1] =
        2 * scale * 0.75 * square(1 + c) * (1 + e2 * (0.8125 * e2 - 2.5)) * 1.7891679e-6;
    deep->synchronous[2] = 3 * scale * inverse_a * 1.875 * pow(1 + c, 3) *
                           (1 + e2 * (6.60937 * e2 - 6)) * 2.2123015e-7;
    deep->lambda = angle(el->mean_anomaly + el->node + el->perigee - deep->sidereal);
    deep->lambda_dot = sat->m_dot + sat->perigee_dot + sat->node_dot - EARTH_TURN + deep->m_dot +
                       deep->perigee_dot + deep->node_dot - sat->n;
}

void
sf_sgp4_deep_init(struct sf_sgp4 *sat)
{
    struct sf_sgp4_deep *deep = &sat->deep;
    struct body bodies[TUGS];

    find_bodies(sat->elements.epoch_days, sat->elements.node, bodies);
    for (size_t i = 0; i < TUGS; i++) {
        add_tug(deep, &deep->tugs[i], &bodies[i], sat);
    }
    deep->sidereal = sf_sgp4_sidereal(sat->elements.epoch_days);
    if (sat->n > 0.0034906585 && sat->n < 0.0052359877) {
        deep->resonance = 1;
        set_synchronous(deep, sat);
    } else if (sat->n >= 8.26e-3 && sat->n <= 9.24e-3 && sat->elements.eccentricity >= 0.5) {
        deep->resonance = 2;
        set_half_day(deep, sat);
    }
}

/* The pull on the mean motion at `lambda`, and its change with it. */
static void
find_pull(const struct sf_sgp4 *sat, double lambda, double t, double *ret_pull, double *ret_slope)
{
    const struct sf_sgp4_deep *deep = &sat->deep;
    double perigee = sat->elements.perigee + sat->perigee_dot * t;

    *ret_pull = *ret_slope = 0;
    if (deep->resonance == 1) {
        for (int k = 1; k <= 3; k++) {
            double at = k * (lambda - synchronous_phase[k - 1]);

            *ret_pull += deep->synchronous[k - 1] * sin(at);
            *ret_slope += k * deep->synchronous[k - 1] * cos(at);
        }
        return;
    }
    for (size_t i = 0; i < 10; i++) {
        double at = half_day[i].perigee * perigee + half_day[i].lambda * lambda - half_day[i].phase;

        *ret_pull += deep->half_day[i] * sin(at);
        *ret_slope += half_day[i].lambda * deep->half_day[i] * cos(at);
    }
}

/* One step of the theory: the Taylor series of lambda and n, to the second order. */
static void
step_resonance(const struct sf_sgp4 *sat, double at, double step, double *lambda, double *n)
{
    double pull, slope;
    double speed = *n + sat->deep.lambda_dot;

    find_pull(sat, *lambda, at, &pull, &slope);
    *lambda += speed * step + pull * step * step / 2;
    *n += pull * step + slope * speed * step * step / 2;
}

/*
 * Follow the resonance to `t` in the steps of half a day that belong to the theory, whole
 * ones only. From where a seek got to, if that is on the way, else from the epoch, so the
 * answer never hangs on earlier questions.
 */
static double
follow_resonance(const struct sf_sgp4 *sat, double t, double *ret_lambda, double *ret_n)
{
    const struct sf_sgp4_deep *deep = &sat->deep;
    double step = t < 0 ? -STEP_MINUTES : STEP_MINUTES;
    bool on_the_way = deep->at * t > 0 && fabs(deep->at) <= fabs(t);
    double at = on_the_way ? deep->at : 0;

    *ret_lambda = on_the_way ? deep->at_lambda : deep->lambda;
    *ret_n = on_the_way ? deep->at_n : sat->n;
    for (; fabs(t - at) >= STEP_MINUTES; at += step) {
        step_resonance(sat, at, step, ret_lambda, ret_n);
    }
    return at;
}

void
sf_sgp4_seek(struct sf_sgp4 *sat, double minutes)
{
    double lambda, n;
    double at;

    if (sat->deep.resonance != 0 && fabs(minutes) <= SF_SGP4_YEARS_MAX * 525960.0) {
        at = follow_resonance(sat, minutes, &lambda, &n);
        sat->deep.at = at;
        sat->deep.at_lambda = lambda;
        sat->deep.at_n = n;
    }
}

static void
apply_resonance(const struct sf_sgp4 *sat, double t, struct sf_sgp4_mean *mean)
{
    double turned = angle(sat->deep.sidereal + t * EARTH_TURN);
    double lambda;
    double at = follow_resonance(sat, t, &lambda, &mean->n);

    step_resonance(sat, at, t - at, &lambda, &mean->n);
    mean->m = sat->deep.resonance == 1 ? lambda - mean->node - mean->perigee + turned
                                       : lambda - 2 * mean->node + 2 * turned;
}

void
sf_sgp4_deep_secular(const struct sf_sgp4 *sat, double minutes, struct sf_sgp4_mean *mean)
{
    const struct sf_sgp4_deep *deep = &sat->deep;

    mean->e += deep->e_dot * minutes;
    mean->i += deep->i_dot * minutes;
    mean->perigee += deep->perigee_dot * minutes;
    mean->node += deep->node_dot * minutes;
    mean->m += deep->m_dot * minutes;
    if (deep->resonance != 0) {
        apply_resonance(sat, minutes, mean);
    }
}

/* Node and perigee lose their meaning on flat orbits: Lyddane's way around it. */
static void
turn_flat(struct sf_sgp4_mean *mean, double di, double dl, double dgh, double dh)
{
    double sini = sin(mean->i), cosi = cos(mean->i);
    double old = angle(mean->node);
    double a = sini * sin(old) + dh * cos(old) + di * cosi * sin(old);
    double b = sini * cos(old) - dh * sin(old) + di * cosi * cos(old);
    double longitude = mean->m + mean->perigee + cosi * old + dl + dgh - di * old * sini;

    mean->node = atan2(a, b);
    if (fabs(old - mean->node) > SF_SGP4_PI) {
        mean->node += mean->node < old ? SF_SGP4_TWO_PI : -SF_SGP4_TWO_PI;
    }
    mean->m += dl;
    mean->perigee = longitude - mean->m - cosi * mean->node;
}

void
sf_sgp4_deep_periodic(const struct sf_sgp4_deep *deep, double minutes, struct sf_sgp4_mean *mean)
{
    double de = 0, di = 0, dl = 0, dgh = 0, dh = 0;

    for (size_t i = 0; i < TUGS; i++) {
        const struct sf_sgp4_tug *tug = &deep->tugs[i];
        double anomaly = tug->mean_longitude + tug->motion * minutes;
        double longitude = anomaly + 2 * tug->eccentricity * sin(anomaly);
        double by_square = 0.5 * square(sin(longitude)) - 0.25;
        double by_product = -0.5 * sin(longitude) * cos(longitude);

        de += tug->e[BY_SQUARE] * by_square + tug->e[BY_PRODUCT] * by_product;
        di += tug->i[BY_SQUARE] * by_square + tug->i[BY_PRODUCT] * by_product;
        dl += tug->l[BY_SQUARE] * by_square + tug->l[BY_PRODUCT] * by_product +
              tug->l[BY_SINE] * sin(longitude);
        dgh += tug->gh[BY_SQUARE] * by_square + tug->gh[BY_PRODUCT] * by_product +
               tug->gh[BY_SINE] * sin(longitude);
        dh += tug->h[BY_SQUARE] * by_square + tug->h[BY_PRODUCT] * by_product;
    }
    mean->e += de;
    mean->i += di;
    if (mean->i >= LYDDANE_BELOW) {
        mean->node += dh / sin(mean->i);
        mean->perigee += dgh - cos(mean->i) * dh / sin(mean->i);
        mean->m += dl;
    } else {
        turn_flat(mean, di, dl, dgh, dh);
    }
}
