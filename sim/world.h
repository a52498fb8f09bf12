/*
 * world.h - nodes in virtual time: the engines that ship, on disks and paths
 * that fail as they are told to.
 *
 * A world has one clock and one seed. Each node has a home on a simulated
 * disk, workers that run inside the step, randomness from its own stream, and
 * a path to every other node. Nothing happens but by events, so the same calls
 * on the same seed give the same run. Running out of memory aborts: this is an
 * instrument. Not thread-safe.
 */
#ifndef SF_SIM_WORLD_H
#define SF_SIM_WORLD_H

#include "base/time.h"
#include "node/node.h"
#include "sim/disk.h"
#include "sim/nat.h"
#include "sim/path.h"

enum {
    SF_WORLD_NODES_MAX = 16,
    SF_WORLD_NOBODY = SF_WORLD_NODES_MAX, /* no node of this world */
    SF_WORLD_GATEWAYS_MAX = 128,
};

struct sf_world;

/* Aborts without memory. */
struct sf_world *sf_world_open(uint64_t seed);
void sf_world_close(struct sf_world *world);

/*
 * Nodes that are added from now on never crash, and their files are not made
 * smaller: their disks keep no more than what is read again.
 */
void sf_world_set_steady(struct sf_world *world);

sf_mono sf_world_now(const struct sf_world *world);

/* Add a node with fresh keys, not started; returns its number. Its disk lives as long as the world. */
unsigned sf_world_add(struct sf_world *world, const char *name);

/* The account of what a node allocates, by which it can be made to fail (sim/memory.h). */
struct sf_sim_memory *sf_world_memory(struct sf_world *world, unsigned number);

struct sf_sim_disk *sf_world_disk(struct sf_world *world, unsigned number);

/* Put another disk into a node that is not running, and close the old one: a restored image. */
void sf_world_replace_disk(struct sf_world *world, unsigned number, struct sf_sim_disk *disk);

/* What the node is started with the next time; its disk, workers and randomness are the world's. */
struct sf_node_config *sf_world_config(struct sf_world *world, unsigned number);

/* The running node, or NULL. */
struct sf_node *sf_world_node(struct sf_world *world, unsigned number);

/*
 * Start a node on what its disk holds and give it the peers it was introduced
 * to. Returns the status of sf_node_open(), with *error.
 */
SF_MUST_USE int sf_world_start(
    struct sf_world *world, unsigned number, struct sf_node_error *error);

/* The power of a node is cut: its memory is gone, its disk keeps what `model` leaves. */
void sf_world_crash(struct sf_world *world, unsigned number, enum sf_sim_damage_model model);

/*
 * Whether a node does not run: it was not started, its disk has cut the power,
 * or its health told its driver to stop. sf_world_crash() takes it from there.
 */
bool sf_world_is_off(const struct sf_world *world, unsigned number);

/* Stop a node in an orderly way. */
void sf_world_stop(struct sf_world *world, unsigned number);

/*
 * `number` knows `other` from now on, also after restarts. `conf` may be NULL:
 * both ways allowed, 100 Mbit/s, with an endpoint. Name and card are filled in.
 */
void sf_world_introduce(
    struct sf_world *world, unsigned number, unsigned other, const struct sf_node_peer *conf);

/*
 * `number` revokes `other`, whom it knew, now and after every start, until it is
 * introduced again. Returns how many of its transfers ended.
 */
uint64_t sf_world_revoke(struct sf_world *world, unsigned number, unsigned other);

/* What becomes of datagrams from one node to another; the default is a clean path of 1 ms. */
void sf_world_path(
    struct sf_world *world, unsigned from, unsigned to, const struct sf_sim_path_config *config);

/* Contacts, outages and fades of paths are counted from `zero` on the world's clock; 0 at first. */
void sf_world_path_zero(struct sf_world *world, sf_mono zero);

/*
 * A gateway between two nodes: what either sends to its address comes out at
 * the other, and seems to come from it. It keeps nothing. Returns its number;
 * each direction is a clean path of 1 ms until it is given another.
 */
unsigned sf_world_gateway(struct sf_world *world, unsigned a, unsigned b);
struct sf_addr sf_world_gateway_addr(const struct sf_world *world, unsigned gateway);
/* What becomes of what `from` sends through it. */
void sf_world_gateway_path(struct sf_world *world, unsigned gateway, unsigned from,
    const struct sf_sim_path_config *config);
const struct sf_sim_path_stats *sf_world_gateway_stats(
    const struct sf_world *world, unsigned gateway, unsigned from);

/* The wall clock of a node, and how it is set: it jumps by `ms`, and the node looks at it. */
struct sf_wall sf_world_wall(const struct sf_world *world, unsigned number);
void sf_world_wall_jump(struct sf_world *world, unsigned number, int64_t ms);

/*
 * A node stands behind a translator: others see it at addresses that change,
 * and can call it only at the newest. Counts from now; NULL takes it away.
 */
void sf_world_nat(struct sf_world *world, unsigned number, const struct sf_sim_nat_config *config);

/* How often its address has changed since then. */
uint64_t sf_world_rebindings(const struct sf_world *world, unsigned number);

/* Where a node is called by those who know its endpoint. */
struct sf_addr sf_world_addr(unsigned number);

/* A datagram of somebody who is no node reaches a node now, as if it came from `from`. */
void sf_world_inject(struct sf_world *world, const struct sf_addr *from, unsigned to,
    const uint8_t *bytes, size_t count);

/* Let a node act on what was called on it from outside. */
void sf_world_poke(struct sf_world *world, unsigned number);

const struct sf_sim_path_stats *sf_world_path_stats(
    const struct sf_world *world, unsigned from, unsigned to);
/* UDP payload bytes that entered the path. */
uint64_t sf_world_path_payload(const struct sf_world *world, unsigned from, unsigned to);

/*
 * Send files that stand on the sender's disk (`paths`, one after the other) as
 * one transfer called `label`; a single path gives a single file. Returns the
 * status of sf_node_send().
 */
struct sf_world_send {
    unsigned from;
    const unsigned *to;
    size_t to_count;
    const char *label;
    const char *const *paths;
    const char *const *names; /* as the transfer calls them; NULL for a single file */
    size_t path_count;
    const char *const
        *bases; /* earlier versions, on the same disk; NULL, or for each path or NULL */
    uint8_t priority;
    struct sf_wall deadline;
    bool forget_key;
    bool has_resume;
    struct sf_transfer_id resume;
};
SF_MUST_USE int sf_world_send(struct sf_world *world, const struct sf_world_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error);

/* sf_node_cancel() at a running node, which goes on at once. */
SF_MUST_USE int sf_world_cancel(struct sf_world *world, unsigned number,
    const struct sf_transfer_id *id, struct sf_node_error *error);

/* Let time pass to `until`. */
void sf_world_run(struct sf_world *world, sf_mono until);

/*
 * Let time pass until `is_done` says so, at most to `until`; it is asked after
 * every event. Returns whether it did.
 */
bool sf_world_run_until(struct sf_world *world, sf_mono until,
    bool (*is_done)(struct sf_world *world, void *context), void *context);

/* Called with every event of every node, in order; NULL ends it. */
void sf_world_watch(struct sf_world *world,
    void (*event)(void *context, unsigned number, const struct sf_node_event *event),
    void *context);

/* Called with every datagram that enters a path; NULL ends it. */
void sf_world_tap(struct sf_world *world,
    void (*datagram)(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count),
    void *context);

struct sf_world_datagram {
    unsigned from;       /* whose it is; SF_WORLD_NOBODY: it was injected, or came by a gateway */
    unsigned to;         /* whom it goes to; SF_WORLD_NOBODY: that address is nobody's */
    struct sf_addr addr; /* arrives, taken: where it seems to come from; sent: where it goes */
    const uint8_t *bytes;
    size_t count;
};

/* One who sees everything. Any of the functions may be NULL. */
struct sf_world_spy {
    void *context;
    void (*sent)(void *context, const struct sf_world_datagram *datagram);
    void (*arrives)(void *context, const struct sf_world_datagram *datagram); /* just before, */
    void (*taken)(void *context, const struct sf_world_datagram *datagram);   /* ... and after */
    void (*stepped)(void *context, unsigned number); /* a node has done all it could at this time */
};

/* `spy` is copied; NULL ends it. */
void sf_world_spy(struct sf_world *world, const struct sf_world_spy *spy);

/* The state of a transfer at one node. */
bool sf_world_transfer(struct sf_world *world, unsigned number, const struct sf_transfer_id *id,
    struct sf_node_transfer *ret_transfer);

#endif
