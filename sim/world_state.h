/*
 * world_state.h - what the files that make up a world share; nobody else's.
 *
 *   world.c       its nodes: made, started, cut, and stepped through
 *   world_net.c   what is between them: addresses, paths, gateways, translators
 *   world_send.c  transfers
 */
#ifndef SF_SIM_WORLD_STATE_H
#define SF_SIM_WORLD_STATE_H

#include "base/prng.h"
#include "sim/clock.h"
#include "sim/memory.h"
#include "sim/world.h"

struct known_peer {
    bool is_known;
    bool is_revoked; /* and therefore not known */
    struct sf_node_peer conf;
};

struct world_node {
    struct sf_world *world;
    unsigned number;
    char name[SF_NODE_NAME_BYTES_MAX + 1];
    struct sf_sim_disk *disk;
    struct sf_inline_workers workers;
    struct sf_prng prng;
    struct sf_sim_memory memory; /* what the node allocates */
    struct sf_node_config config;
    struct sf_node *node;
    struct sf_card card;
    struct known_peer peers[SF_WORLD_NODES_MAX];
    struct sf_sim_event wake;
    int64_t wall_ahead_ms; /* of the world's */
    bool is_stepping;
    bool has_nat;
    struct sf_sim_nat nat;
    sf_mono nat_zero; /* what its clock is behind */
};

struct gateway {
    unsigned ends[2];
    struct sf_sim_path paths[2]; /* of what ends[i] sends */
};

struct datagram {
    struct sf_world *world;
    unsigned sender; /* SF_WORLD_NOBODY: a gateway */
    struct sf_addr from;
    unsigned to;
    uint64_t to_address; /* which of those that a translator gave to it */
    size_t bytes;
    struct sf_sim_event event;
    struct datagram *next;
    struct datagram **at;
    uint8_t payload[];
};

struct sf_world {
    uint64_t seed;
    bool steady;
    struct sf_prng crash_prng;
    struct sf_sim_clock clock;
    struct world_node *nodes[SF_WORLD_NODES_MAX];
    unsigned count;
    struct sf_sim_path paths[SF_WORLD_NODES_MAX][SF_WORLD_NODES_MAX];
    struct gateway *gateways[SF_WORLD_GATEWAYS_MAX];
    unsigned gateway_count;
    unsigned gateway_last; /* sent to: looked at first */
    sf_mono path_zero;     /* what their clocks are behind */
    uint64_t payload[SF_WORLD_NODES_MAX][SF_WORLD_NODES_MAX];
    struct datagram *flying;
    struct datagram *spare; /* have room for SPARE_BYTES */
    void (*event)(void *context, unsigned number, const struct sf_node_event *event);
    void *event_context;
    void (*tap)(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count);
    void *tap_context;
    struct sf_world_spy spy;
};

/* --- world.c ------------------------------------------------------------------- */

/* Zeroes; aborts without memory. */
void *world_alloc(size_t bytes);

/* Let a node do all it can do now, then sleep. */
void world_step(struct world_node *self);

/* A datagram reaches it. `payload` is what `datagram` shows; the node decrypts it in place. */
void world_take(
    struct world_node *self, const struct sf_world_datagram *datagram, uint8_t *payload);

/* --- world_net.c --------------------------------------------------------------- */

/* A datagram leaves a node for `to`, an address of a node or of a gateway, or of nobody. */
void world_leave(struct world_node *self, const struct sf_addr *to, struct sf_view payload);

/* Let go of gateways, and of what is under way. */
void world_net_close(struct sf_world *world);

#endif
