/*
 * scenario.h - a question to the simulator: what is sent, to whom, over which
 * network, and how long one is ready to wait.
 *
 *     # 2 GB to two satellites behind a rainy geostationary link.
 *     size      = 2GB
 *     profile   = geo-vsat
 *     receivers = 2
 *     until     = 12h
 *     link.loss = 2%
 *
 * One `key = value` per line, '#' begins a comment. `link.` before a key of
 * profiles changes the network of every receiver; such lines stand behind
 * `profile` and `receiver`. `plan` is a name alone: the caller reads the plan and
 * puts it under the scenario (schedule.h). Keys are in docs/SIMULATOR.md and in the table of
 * scenario.c. Reads no files: profiles are looked up by the caller.
 */
#ifndef SF_SIM_SCENARIO_H
#define SF_SIM_SCENARIO_H

#include "base/bytes.h"
#include "sim/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_SCENARIO_BYTES_MAX = 65536,
    SF_SCENARIO_LINE_BYTES_MAX = 256,
    SF_SCENARIO_ERROR_BYTES = 512,
    SF_SCENARIO_NAME_BYTES = 64, /* with the NUL */
    SF_SCENARIO_RECEIVERS_MAX = 8,
};

#define SF_SCENARIO_SIZE_MAX     UINT64_C(100000000000000) /* 100 TB */
#define SF_SCENARIO_TIME_NS_MAX  (UINT64_C(1000) * 86400 * SF_SEC)
#define SF_SCENARIO_RATE_BPS_MIN UINT64_C(1000)
#define SF_SCENARIO_RATE_BPS_MAX UINT64_C(100000000000)

struct sf_scenario_receiver {
    char name[SF_SCENARIO_NAME_BYTES];
    char profile_name[SF_SCENARIO_NAME_BYTES]; /* or "" */
    struct sf_sim_profile profile;             /* forward is towards the receiver */
};

struct sf_schedule;

struct sf_scenario {
    char title[SF_SCENARIO_NAME_BYTES]; /* or "" */
    uint64_t size_bytes;                /* of the file; 0: not said yet */
    uint64_t start_ns;                  /* when the order is given, on the profiles' clock */
    uint64_t until_ns;                  /* how long after the order one gives up */
    uint64_t rate_bps;                  /* as configured for every peer; 0: as its path has it */
    uint64_t seed;
    uint32_t mtu_bytes; /* IP bytes of the largest datagram; 0: the default, or the paths' */
    struct sf_scenario_receiver receivers[SF_SCENARIO_RECEIVERS_MAX];
    size_t receiver_count;                 /* at least 1 */
    char plan[SF_SCENARIO_LINE_BYTES_MAX]; /* name of a contact plan, or "" */
    const struct sf_schedule *schedule;    /* made from it (schedule.h), or NULL */

    bool is_named;   /* receivers were named one by one */
    bool is_changed; /* by `link.` lines */
};

struct sf_scenario_error {
    unsigned int line;                  /* from 1; 0: not from a file */
    char text[SF_SCENARIO_ERROR_BYTES]; /* what is wrong, with which value, what is accepted */
};

/*
 * Finds the profile called `name` and applies it to `profile`, which is fresh.
 * Returns false with a sentence in `ret_text` (of SF_SCENARIO_ERROR_BYTES).
 */
struct sf_scenario_loader {
    bool (*load)(void *context, const char *name, struct sf_sim_profile *profile, char *ret_text);
    void *context;
};

/* One receiver on a perfect network, 30 days, seed 1, no size. */
void sf_scenario_init(struct sf_scenario *scenario);

/*
 * Apply the lines of `text` on top of `scenario`.
 *
 * Returns SF_OK; SF_ELIMIT if the text, a line or a value is over its limit,
 * SF_EFORMAT for anything else that is wrong. Then *ret_error says what, and
 * `scenario` is left untouched.
 */
SF_MUST_USE int sf_scenario_parse(struct sf_scenario *scenario, struct sf_view text,
    const struct sf_scenario_loader *loader, struct sf_scenario_error *ret_error);

/* Apply one assignment, as from a command line. Answers as parse does. */
SF_MUST_USE int sf_scenario_set(struct sf_scenario *scenario, const char *key, const char *value,
    const struct sf_scenario_loader *loader, struct sf_scenario_error *ret_error);

/* Whether the question is complete and its networks agree with themselves. SF_OK, or SF_EFORMAT with *ret_error. */
SF_MUST_USE int sf_scenario_check(
    const struct sf_scenario *scenario, struct sf_scenario_error *ret_error);

/* The rate that peer `index` is sent to at: as configured, else its path's, else 1 Gbit/s. */
uint64_t sf_scenario_rate_bps(const struct sf_scenario *scenario, size_t index);

/* IP bytes of the largest datagram: as configured, else what every path lets through. */
uint32_t sf_scenario_mtu_bytes(const struct sf_scenario *scenario);

#endif
