/*
 * address.h - where a peer is, and how much it may be sent there.
 *
 * An address is *authorised* when the operator named it for the peer; of several
 * one is in use, and the others get their turn while it does not answer. It is *proven*
 * when a challenge sent there was answered, else only *learnt* from datagrams
 * that were authentic but may have been re-sent from anywhere by somebody in
 * between. A learnt address gets at most what came from it, in bytes and in
 * datagrams, and never bulk; so the engine cannot be aimed at a third party.
 *
 * Arithmetic only; the caller sends.
 */
#ifndef SF_LINK_ADDRESS_H
#define SF_LINK_ADDRESS_H

#include "base/random.h"
#include "base/time.h"
#include "link/addr.h"
#include "link/message.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_ADDRESS_CHALLENGES_MAX = 6, /* to one learnt address, then wait for it to speak again */
    SF_ADDRESS_ENDPOINTS_MAX = 8,  /* authorised for one peer */
};

#define SF_ADDRESS_CHALLENGE_NS_MIN (250 * SF_MS) /* before the first repetition; doubles */

enum sf_address_path {
    SF_ADDRESS_NONE = -1,
    SF_ADDRESS_ENDPOINT = 0, /* authorised: the one whose turn it is */
    SF_ADDRESS_PROVEN = 1,
    SF_ADDRESS_LEARNT = 2,
};

struct sf_address {
    bool is_set;
    struct sf_addr addr;
    uint64_t in_bytes; /* authentic, since it was learnt */
    uint64_t in_dgrams;
    uint64_t out_bytes;
    uint64_t out_dgrams;
};

struct sf_addresses {
    struct sf_address paths[3];
    enum sf_address_path use; /* where bulk goes: ENDPOINT, PROVEN, or NONE */
    struct sf_addr endpoints[SF_ADDRESS_ENDPOINTS_MAX]; /* all that are authorised */
    size_t endpoint_count;

    /* The challenge to the learnt address. */
    uint8_t token[SF_MESSAGE_TOKEN_BYTES];
    unsigned challenges;   /* sent with this token */
    sf_mono challenge_due; /* SF_NEVER if none is to be sent */
};

void sf_addresses_init(struct sf_addresses *addresses);

/*
 * The operator's addresses, at most SF_ADDRESS_ENDPOINTS_MAX, in the order to try
 * them; none takes them away. The one in use stays so if it is among them.
 */
void sf_addresses_set_endpoints(
    struct sf_addresses *addresses, const struct sf_addr *endpoints, size_t count);

/* The next of them has its turn. */
void sf_addresses_turn(struct sf_addresses *addresses);

/*
 * An authentic datagram of `bytes` came from `from`. With `is_newest` (it has
 * the highest counter so far: what comes late must not move anything) another
 * authorised address is the one in use from now on, and a new one becomes the
 * learnt one, to be challenged.
 */
void sf_addresses_heard(struct sf_addresses *addresses, const struct sf_addr *from, size_t bytes,
    bool is_newest, const struct sf_random *random, sf_mono now);

/*
 * An authentic ANSWER came in. True if it proves the learnt address, which is
 * then the one in use; false if the token is not the one sent.
 */
bool sf_addresses_answered(
    struct sf_addresses *addresses, const uint8_t token[SF_MESSAGE_TOKEN_BYTES]);

/* The peer is elsewhere now: forget what was proven and learnt. */
void sf_addresses_leave(struct sf_addresses *addresses);

/* May `bytes` more be sent on `path`? For the learnt path this is its budget. */
bool sf_addresses_may_send(
    const struct sf_addresses *addresses, enum sf_address_path path, size_t bytes);

/* A datagram of `bytes` was sent on `path`. */
void sf_addresses_sent(struct sf_addresses *addresses, enum sf_address_path path, size_t bytes);

/* The challenge was sent at `now`; plans the next. */
void sf_addresses_challenged(struct sf_addresses *addresses, sf_mono now);

/* Use `path` if it is known: where to look for a peer that does not answer. */
void sf_addresses_try(struct sf_addresses *addresses, enum sf_address_path path);

/* Where control datagrams go: the path in use, else the learnt one, else NONE. */
enum sf_address_path sf_addresses_control(const struct sf_addresses *addresses);

/* Is `addr` authorised or proven? */
bool sf_addresses_trusts(const struct sf_addresses *addresses, const struct sf_addr *addr);

#endif
