/*
 * people.h - a few nodes with repeatable keys, for tests of sealed objects.
 */
#ifndef SF_TESTS_UNIT_PEOPLE_H
#define SF_TESTS_UNIT_PEOPLE_H

#include "base/assert.h"
#include "base/crypto.h"
#include "base/prng.h"
#include "bundle/card.h"
#include "bundle/identity.h"

#include <stdio.h>
#include <stdlib.h>

enum { PEOPLE_MAX = 8 };

struct people {
    struct sf_prng prng;
    struct sf_random random;
    struct sf_identity *identities[PEOPLE_MAX];
    struct sf_card cards[PEOPLE_MAX];
    size_t count;
};

static inline void
people_open(struct people *people, uint64_t seed, size_t count)
{
    sf_assert(sf_crypto_init() == SF_OK);
    sf_assert(count <= PEOPLE_MAX);
    sf_prng_init(&people->prng, seed);
    people->random = sf_prng_random(&people->prng);
    people->count = count;
    for (size_t i = 0; i < count; i++) {
        char name[16];

        snprintf(name, sizeof(name), "node-%zu", i);
        sf_assert(sf_identity_generate(&people->random, name, &people->identities[i]) == SF_OK);
        sf_card_of(people->identities[i], &people->cards[i]);
    }
}

static inline void
people_close(struct people *people)
{
    for (size_t i = 0; i < people->count; i++) {
        sf_identity_fini(people->identities[i]);
    }
}

static inline const struct sf_card *
people_find(void *context, const struct sf_fingerprint *fingerprint)
{
    struct people *people = context;

    for (size_t i = 0; i < people->count; i++) {
        if (sf_fingerprint_equal(&people->cards[i].fingerprint, fingerprint)) {
            return &people->cards[i];
        }
    }
    return NULL;
}

static inline struct sf_card_lookup
people_lookup(struct people *people)
{
    return (struct sf_card_lookup){.find = people_find, .context = people};
}

#endif
