/*
 * prng.h - a repeatable stream of numbers for simulations, tests and jitter.
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM TOMS 47(4), 2021), its state filled by splitmix64 from a
 * 64-bit seed. Never a source of keys. Integers only, so a run repeats on every
 * machine. Not thread-safe.
 */
#ifndef SF_BASE_PRNG_H
#define SF_BASE_PRNG_H

#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_prng {
    uint64_t state[4];
};

enum { SF_PRNG_PPM = 1000000 };

/* Any seed will do; equal seeds give equal streams. */
void sf_prng_init(struct sf_prng *prng, uint64_t seed);

/*
 * A stream of its own for part `stream` of a run seeded with `seed`: drawing
 * from one never shifts another.
 */
void sf_prng_init_stream(struct sf_prng *prng, uint64_t seed, uint64_t stream);

uint64_t sf_prng_u64(struct sf_prng *prng);

/* Uniform in [0, bound), exactly (by rejection); 0 if bound is 0. */
uint64_t sf_prng_below(struct sf_prng *prng, uint64_t bound);

/* True `ppm` times in a million on average; draws one number whatever the answer. */
bool sf_prng_chance(struct sf_prng *prng, uint32_t ppm);

void sf_prng_fill(struct sf_prng *prng, void *out, size_t bytes);

/* `prng` as an engine's randomness; it must outlive the use. For tests and simulations only. */
struct sf_random sf_prng_random(struct sf_prng *prng);

#endif
