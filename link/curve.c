/*
 * curve.c - a cube in milliseconds.
 */
#include "link/curve.h"

#define SEGMENTS_MAX UINT64_C(1000000)
#define MS_MAX       UINT64_C(200000) /* whose cube fits */

/* The cube root, rounded down. */
static uint64_t
cube_root(uint64_t value)
{
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 20; bit > 0; bit >>= 1) {
        uint64_t next = root | bit;

        if (next * next * next <= value) {
            root = next;
        }
    }
    return root;
}

/* K of RFC 9438 is the cube root of what lacks, over C, in seconds. */
static void
aim_at(struct sf_curve *curve, uint64_t top_bytes, sf_mono now)
{
    uint64_t lack = top_bytes > curve->bytes ? top_bytes - curve->bytes : 0;
    uint64_t segments = lack / SF_CURVE_SEGMENT_BYTES;

    segments = segments < SEGMENTS_MAX ? segments : SEGMENTS_MAX;
    curve->top_bytes = top_bytes;
    curve->from = now;
    curve->span_ns = cube_root(segments * 5 / 2 * 1000000000) * SF_MS;
}

void
sf_curve_begin(struct sf_curve *curve, uint64_t bytes, sf_mono now)
{
    curve->bytes = bytes;
    curve->fell_at = now;
    aim_at(curve, bytes, now);
}

void
sf_curve_fall(struct sf_curve *curve, uint64_t trip_ns, sf_mono now)
{
    uint64_t top = curve->bytes;

    if (now < sf_mono_add(curve->fell_at, trip_ns)) {
        return;
    }
    /* Who falls before it was up again lets others have more: section 4.7. */
    if (curve->bytes < curve->top_bytes) {
        top = top / 20 * 17;
    }
    curve->bytes = curve->bytes / 10 * 7;
    curve->fell_at = now;
    aim_at(curve, top, now);
}

void
sf_curve_follow(struct sf_curve *curve, sf_mono now)
{
    uint64_t at = now - curve->from;
    bool is_below = at < curve->span_ns;
    uint64_t ms = (is_below ? curve->span_ns - at : at - curve->span_ns) / SF_MS;
    uint64_t most = 2 * curve->top_bytes;
    uint64_t step, bytes;

    ms = ms < MS_MAX ? ms : MS_MAX;
    step = ms * ms * ms / 1000000 * 2 * SF_CURVE_SEGMENT_BYTES / 5 / 1000;
    if (is_below) {
        bytes = curve->top_bytes > step ? curve->top_bytes - step : 0;
    } else {
        bytes = curve->top_bytes + step < most ? curve->top_bytes + step : most;
    }
    if (bytes < 2 * SF_CURVE_SEGMENT_BYTES) {
        bytes = 2 * SF_CURVE_SEGMENT_BYTES;
    }
    curve->bytes = bytes > curve->bytes ? bytes : curve->bytes;
}

void
sf_curve_press(struct sf_curve *curve, uint64_t bytes, sf_mono now)
{
    curve->bytes += bytes;
    if (bytes > SF_CURVE_SEGMENT_BYTES) {
        aim_at(curve, curve->bytes, now);
    }
}
