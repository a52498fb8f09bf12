/*
 * time.h - two clocks, two types, never converted implicitly.
 *
 * Engines run on sf_mono: nanoseconds from an arbitrary start that never go
 * back. People, cards and audit records use sf_wall: milliseconds since
 * 1970-01-01 UTC, which may jump. No engine reads a clock; the caller passes
 * both in.
 */
#ifndef SF_BASE_TIME_H
#define SF_BASE_TIME_H

#include <stdint.h>

typedef uint64_t sf_mono;

struct sf_wall {
    int64_t ms;
};

#define SF_US    UINT64_C(1000)
#define SF_MS    UINT64_C(1000000)
#define SF_SEC   UINT64_C(1000000000)
#define SF_NEVER UINT64_MAX /* a deadline that only input can bring nearer */

static inline sf_mono
sf_mono_min(sf_mono a, sf_mono b)
{
    return a < b ? a : b;
}

/* `now + span`, held at SF_NEVER instead of wrapping. */
static inline sf_mono
sf_mono_add(sf_mono now, uint64_t span_ns)
{
    return span_ns > SF_NEVER - now ? SF_NEVER : now + span_ns;
}

#endif
