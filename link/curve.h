/*
 * curve.h - how much may be in flight beside flows that fill the queue: the
 * curve of CUBIC (RFC 9438), with C = 0.4 and beta = 0.7.
 *
 * After each fall the pipe grows along a cube: fast at first, slow near where
 * it fell, then faster and faster. Integers; no clock.
 */
#ifndef SF_LINK_CURVE_H
#define SF_LINK_CURVE_H

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum { SF_CURVE_SEGMENT_BYTES = 1400 };

struct sf_curve {
    uint64_t bytes;     /* in flight, now */
    uint64_t top_bytes; /* where it fell last */
    sf_mono from;
    uint64_t span_ns; /* from then until it is at the top again */
    sf_mono fell_at;
};

/* Begin with `bytes` in flight, on the flat of the curve. */
void sf_curve_begin(struct sf_curve *curve, uint64_t bytes, sf_mono now);

/* Something was lost for want of room: fall by three tenths, at most once in `trip_ns`. */
void sf_curve_fall(struct sf_curve *curve, uint64_t trip_ns, sf_mono now);

/* Follow the curve to `now`. */
void sf_curve_follow(struct sf_curve *curve, sf_mono now);

/* Take `bytes` more beside the curve, and go on from there. */
void sf_curve_press(struct sf_curve *curve, uint64_t bytes, sf_mono now);

#endif
