/*
 * checker.h - what checker.c and checker_link.c keep about a life; nobody
 * else includes it.
 */
#ifndef SF_SIM_CHECKER_H
#define SF_SIM_CHECKER_H

#include "sim/life_state.h"

enum { CHECKER_ADDRESSES_MAX = 1024 };

/* One slot of a spool file. */
struct slot {
    const struct sf_transfer_id *file;
    const char *suffix;
    uint64_t index;
    uint32_t class_bytes;
};

/* A session that datagrams were sent on: its counters only ever grow. */
struct checker_session {
    bool is_used;
    uint8_t from;
    uint8_t to;
    uint32_t id;
    uint64_t counter;
    size_t born; /* the how-manieth of all sessions it is */
};

/* What a node has to do with an address that the operator did not name to it. */
struct checker_address {
    unsigned number;
    struct sf_addr addr;
    uint64_t bytes_in; /* that it had not seen before */
    uint64_t bytes_out;
    bool is_reached; /* something this node sent has come to whoever is there */
    bool is_proven;  /* ... who has sent something since */
};

struct checker {
    uint8_t *object;
    uint8_t *names;

    struct checker_session *sessions; /* a hash table of `session_room` places */
    size_t session_count;
    size_t sessions_born;
    size_t session_room;
    struct checker_address addresses[CHECKER_ADDRESSES_MAX];
    size_t address_count;

    sf_mono calm_at;
    bool is_bounded; /* what is sent from then on */
    uint64_t remaining_bytes;
    uint64_t spare_bytes;
    uint64_t segment_bytes; /* that had left when the faults stopped */
    unsigned open_pairs;
};

/* A node starts anew: what it learnt of addresses is gone. */
void checker_forgets_addresses(struct life *life, unsigned number);

#endif
