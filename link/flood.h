/*
 * flood.h - how many openers are worth a public-key operation.
 *
 * An opener whose mac is right may still be a copy, or one of a flood made by
 * somebody who has seen the card. Copies seen in this run are dropped; the rest
 * passes token buckets: 20 a second for each IPv4 /24 or IPv6 /56, 1,000 a
 * second in all, of which a quarter is kept for addresses that are authorised
 * or proven, so that strangers cannot shut out a peer.
 *
 * Fixed memory, whatever comes.
 */
#ifndef SF_LINK_FLOOD_H
#define SF_LINK_FLOOD_H

#include "base/random.h"
#include "base/time.h"
#include "link/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_FLOOD_PREFIX_PER_SEC = 20,
    SF_FLOOD_ALL_PER_SEC = 1000,
    SF_FLOOD_RESERVED = SF_FLOOD_ALL_PER_SEC / 4,
    SF_FLOOD_PREFIXES = 1024,   /* remembered at once */
    SF_FLOOD_SEEN_SETS = 16384, /* of SF_FLOOD_SEEN_WAYS openers each */
    SF_FLOOD_SEEN_WAYS = 4,
};

struct sf_flood_bucket {
    uint64_t prefix;
    uint64_t credit_ns; /* time saved up, spent at 1 s / rate each */
    sf_mono last;
};

struct sf_flood {
    uint64_t salt; /* so that nobody can choose prefixes that share a bucket */
    struct sf_flood_bucket all;
    struct sf_flood_bucket prefixes[SF_FLOOD_PREFIXES];
    uint64_t seen[SF_FLOOD_SEEN_SETS][SF_FLOOD_SEEN_WAYS];
    uint8_t seen_next[SF_FLOOD_SEEN_SETS]; /* the way to be overwritten next */
};

void sf_flood_init(struct sf_flood *flood, const struct sf_random *random, sf_mono now);

/* Was an opener with this mac taken before in this run? */
bool sf_flood_has_seen(const struct sf_flood *flood, const uint8_t mac[16]);

/* Remember it. The oldest of its set is forgotten. */
void sf_flood_see(struct sf_flood *flood, const uint8_t mac[16]);

/*
 * May an opener from `from` be worked on? Takes a token if so. `is_trusted`:
 * the address is authorised or proven for some peer.
 */
bool sf_flood_admit(
    struct sf_flood *flood, const struct sf_addr *from, bool is_trusted, sf_mono now);

#endif
