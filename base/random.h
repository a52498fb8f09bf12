/*
 * random.h - where an engine's keys, nonces and jitter come from.
 *
 * The daemon passes the system's generator, the simulator a seeded stream, so
 * a run repeats and production never depends on a seed.
 */
#ifndef SF_BASE_RANDOM_H
#define SF_BASE_RANDOM_H

#include <stddef.h>

struct sf_random {
    /* Fill `out` with `bytes` unpredictable bytes; cannot fail. */
    void (*fill)(void *context, void *out, size_t bytes);
    void *context;
};

/* The system's generator (libsodium's randombytes). */
extern const struct sf_random sf_random_system;

static inline void
sf_random_fill(const struct sf_random *random, void *out, size_t bytes)
{
    random->fill(random->context, out, bytes);
}

#endif
