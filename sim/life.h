/*
 * life.h - one short life of a few nodes, from one seed: whatever can go wrong
 * does, the promises are checked after every event, then the faults stop and
 * everything must come to a good end.
 *
 * Who is there, what is sent, and what fails how often follow from the seed
 * alone; so does every event, which the trace hash shows. A life lasts at least
 * one virtual day. Integers only. Aborts without memory. Not thread-safe.
 */
#ifndef SF_SIM_LIFE_H
#define SF_SIM_LIFE_H

#include "base/time.h"
#include "sim/faults.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_LIFE_PARAMETERS_BYTES = 1024,
    SF_LIFE_FAILURE_BYTES = 512,
};

struct sf_life_config {
    uint64_t seed;
    void (*line)(void *context, const char *text); /* of the trace; NULL: nobody listens */
    void *context;
};

struct sf_life_result {
    bool is_good;
    char invariant[16];                        /* that does not hold: "I1" .. "I8", or "other" */
    char failure[SF_LIFE_FAILURE_BYTES];       /* what was seen, and when */
    char parameters[SF_LIFE_PARAMETERS_BYTES]; /* one line */
    uint64_t trace_hash;
    uint64_t events;
    sf_mono span_ns; /* how long it was, in virtual time */
    uint64_t transfers;
    uint64_t delivered;         /* to so many recipients */
    uint64_t faults[SF_FAULTS]; /* how often each fired */
};

void sf_life_run(const struct sf_life_config *config, struct sf_life_result *ret_result);

#endif
