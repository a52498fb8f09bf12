/*
 * ladder.h - pre-shared keys of grants: one for each use, by a one-way climb.
 *
 * From a seed that two operators share follow the key of link sessions and one
 * ladder for each direction. A rung's state gives its own key and the state
 * above it; nothing leads down. Who keeps only the state of the lowest rung
 * that was not used yet cannot say any more what was used before.
 *
 *   state 0     = HKDF-SHA-256(ikm seed, no salt, "skyferry-ladder-1" || from || to)
 *   state n + 1 = HKDF-Expand(state n, "skyferry-ladder-next-1", 32)
 *   key n       = HKDF-Expand(state n, "skyferry-ladder-psk-1", 32)
 *   link key    = HKDF-SHA-256(ikm seed, no salt, "skyferry-psk-link-1")
 *   check       = HKDF-SHA-256(ikm seed, no salt, "skyferry-psk-check-1"), 16 bytes
 *
 * from and to are fingerprints. Rung 0 is never used: in a grant it means that
 * there is none. Thread-safe.
 */
#ifndef SF_BUNDLE_LADDER_H
#define SF_BUNDLE_LADDER_H

#include "bundle/card.h"

#include <stdint.h>

enum { SF_LADDER_SEED_BYTES = 32, SF_LADDER_CHECK_BYTES = 16 };

/* A place on a ladder. Secret: wipe it after use. */
struct sf_rung {
    uint64_t number;
    uint8_t state[32];
};

/* Stand on rung 1 of the ladder of grants `from` one node `to` another. */
void sf_ladder_begin(const uint8_t seed[SF_LADDER_SEED_BYTES], const struct sf_fingerprint *from,
    const struct sf_fingerprint *to, struct sf_rung *ret_rung);

/* One rung up; what was below is gone. */
void sf_ladder_climb(struct sf_rung *rung);

/* The pre-shared key of this rung. */
void sf_ladder_psk(const struct sf_rung *rung, uint8_t ret_psk[32]);

/* The pre-shared key of link sessions, and what tells whether a seed was seen before. */
void sf_ladder_link_psk(const uint8_t seed[SF_LADDER_SEED_BYTES], uint8_t ret_psk[32]);
void sf_ladder_check(
    const uint8_t seed[SF_LADDER_SEED_BYTES], uint8_t ret_check[SF_LADDER_CHECK_BYTES]);

#endif
