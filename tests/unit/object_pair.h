/*
 * object_pair.h - an outbox and an inbox on either side of a seeded channel in
 * virtual time, for the tests of link/: what one offers the other must get.
 */
#ifndef SF_TESTS_UNIT_OBJECT_PAIR_H
#define SF_TESTS_UNIT_OBJECT_PAIR_H

#include "base/prng.h"
#include "link/inbox.h"
#include "link/outbox.h"
#include "link/pacer.h"
#include "link/rtt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAIR_HEAD_BYTES = 56, /* IP, UDP, session id, counter and tag */
    PAIR_OBJECTS_MAX = 64,
    PAIR_OUTAGES_MAX = 4,
};

struct pair_config {
    uint64_t seed;
    uint64_t rate_bps;
    uint64_t rtt_ns;
    uint32_t loss_ppm;      /* of each datagram, in the good state */
    uint32_t burst_ppm;     /* chance of a burst of loss to begin at a datagram */
    uint32_t burst_end_ppm; /* chance of it to end */
    uint32_t dup_ppm;
    uint32_t reorder_ppm; /* delayed by up to reorder_ns more */
    uint64_t reorder_ns;
    uint32_t return_loss_ppm;
    size_t mtu;               /* IP bytes; 0 = 1400 */
    size_t pool_bytes;        /* 0 = 48 MiB */
    size_t window_bytes;      /* 0 = default */
    size_t extents_max;       /* 0 = default */
    uint64_t read_ns;         /* time to answer a WANT, SPILL or LOAD */
    uint32_t again_ppm;       /* chance of a verdict AGAIN */
    uint32_t spill_fails_ppm; /* chance that a SPILL or LOAD fails */
    bool no_return;
    struct sf_range outages[PAIR_OUTAGES_MAX]; /* times in which nothing gets through */
    size_t outage_count;
    uint64_t limit_ns; /* give up there; 0 = 1 day */
};

struct pair_object {
    struct sf_link_object object;
    uint32_t out_handle;
    uint32_t in_handle;     /* 0 = not announced yet */
    bool is_declined_there; /* decline it when it is announced */
    bool is_received;       /* RECEIVED came */
    bool is_declined;
    bool is_gone;
    uint64_t bundles;         /* BUNDLE events */
    uint64_t wrong;           /* with other bytes than supplied */
    struct sf_range_set have; /* bundles kept */
    sf_mono done_at;          /* the last bundle was kept */
    sf_mono received_at;
};

struct pair_dgram;
struct pair_bytes;

struct pair {
    struct pair_config config;
    sf_mono now;
    struct sf_prng channel;
    struct sf_prng faults;
    bool is_burst;
    struct sf_outbox *outbox;
    struct sf_inbox *inbox;
    struct sf_pool *pool;
    struct sf_pacer pacer;
    struct sf_rtt rtt;
    uint64_t epoch;
    uint64_t counter;
    bool is_dark;

    struct pair_object objects[PAIR_OBJECTS_MAX];
    size_t object_count;

    struct pair_dgram *queue; /* a heap by time */
    size_t queue_count;
    size_t queue_capacity;
    uint64_t queue_number;
    sf_mono stamp; /* newest that came to the inbox */
    sf_mono stamp_at;
    bool has_stamp;

    struct pair_bytes *spills; /* partial bundles the receiver's driver stored */
    struct pair_bytes *loans;  /* bundles supplied and not released */
    size_t lent;               /* how many */
    size_t lent_peak;
    uint64_t wants; /* WANT events */

    uint64_t forward_bytes; /* IP bytes */
    uint64_t forward_dgrams;
    uint64_t return_bytes;
    uint64_t return_dgrams;
    uint64_t delivered_bytes; /* of data bundles, once */
};

/* Exits on lack of memory. */
void pair_open(struct pair *pair, const struct pair_config *config);
void pair_close(struct pair *pair);

/* Offer an object of `count` bundles, all ready, count final; returns its place in objects[]. */
size_t pair_offer(struct pair *pair, uint32_t class_bytes, uint64_t count, uint8_t priority);

/* The same, with everything chosen by the caller but the transfer id. */
size_t pair_offer_as(struct pair *pair, const struct sf_link_object *object);

/* Run until `until`, or until nothing can happen any more. */
void pair_run(struct pair *pair, sf_mono until);

/* Run until every object is received (or declined); false at the limit of time. */
bool pair_finish(struct pair *pair);

/* The receiver forgets everything and starts anew, holding what it kept. */
void pair_restart_inbox(struct pair *pair);

/* The sender forgets everything and offers again what it offered, asking for the map. */
void pair_restart_outbox(struct pair *pair);

#endif
