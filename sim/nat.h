/*
 * nat.h - an address translator that forgets, between one side and the other.
 *
 * The near side's address as the far side sees it changes at given times,
 * every so often, and after nothing has left for too long (RFC 4787 asks
 * translators to keep UDP mappings alive for what goes out, at least 2 minutes
 * long; many keep them for less). It is named by a number that counts the
 * changes. What the far side sends to an older one is lost. No clock: the
 * caller supplies the time. Not thread-safe.
 */
#ifndef SF_SIM_NAT_H
#define SF_SIM_NAT_H

#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SF_SIM_NAT_TIMES_MAX = 64 };

#define SF_SIM_NAT_NS_MIN SF_MS /* of a span that is not 0 */

struct sf_sim_nat_config {
    uint64_t every_ns; /* 0: never */
    uint64_t idle_ns;  /* forgotten after so long without a datagram going out; 0: never */
    sf_mono times[SF_SIM_NAT_TIMES_MAX]; /* in any order */
    size_t count;
};

struct sf_sim_nat {
    struct sf_sim_nat_config config;
    uint64_t forgotten; /* by being idle */
    sf_mono used;       /* when a datagram last went out */
    bool is_used;
};

/* Returns SF_OK, or SF_EINVAL if there are too many times or a span is too short. */
SF_MUST_USE int sf_sim_nat_init(struct sf_sim_nat *nat, const struct sf_sim_nat_config *config);

/* A datagram goes out at `now`. Returns the number of the address it has. */
uint64_t sf_sim_nat_out(struct sf_sim_nat *nat, sf_mono now);

/* Whether what is sent at `now` to the address with this number still comes in. */
bool sf_sim_nat_in(const struct sf_sim_nat *nat, uint64_t address, sf_mono now);

/* How often times and every_ns have changed the address by `now`. */
uint64_t sf_sim_nat_changes(const struct sf_sim_nat_config *config, sf_mono now);

#endif
