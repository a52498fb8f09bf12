/*
 * disk_state.h - what disk.c and disk_probe.c know of a simulated disk.
 */
#ifndef SF_SIM_DISK_STATE_H
#define SF_SIM_DISK_STATE_H

#include "sim/disk.h"
#include "sim/tree.h"

/* An operation submitted and not carried out. */
struct sf_sim_flight {
    struct sf_disk_op *op;
    sf_mono due;
    uint64_t order;    /* of submission */
    uint64_t sequence; /* SYNC, SYNC_DIR: the last change it covers */
};

struct sf_sim_handle {
    struct sf_sim_inode *inode; /* NULL: free */
    uint32_t flags;
    bool is_in_root;
};

struct sf_sim_armed_fault {
    struct sf_sim_fault fault;
    bool spent;
};

struct sf_sim_disk {
    struct sf_disk interface;
    struct sf_sim_disk_config config;
    struct sf_sim_tree tree;
    struct sf_prng latency;
    struct sf_prng luck;
    struct sf_prng aim;
    sf_mono now;
    struct sf_sim_flight *flights;
    size_t flight_count;
    size_t flight_capacity;
    uint64_t order;
    struct sf_sim_handle *handles;
    size_t handle_count;
    uint64_t operations;
    uint64_t cut_at;
    bool is_cut;
    void (*before)(void *context, uint64_t operation, const struct sf_disk_op *op);
    void *before_context;
    struct sf_sim_armed_fault faults[SF_SIM_DISK_FAULTS_MAX];
    size_t fault_count;
    struct sf_sim_disk_rates rates;
    struct sf_sim_disk_stats stats;
};

struct sf_disk_stat sf_sim_inode_stat(const struct sf_sim_inode *inode);

/* As SF_DISK_LIST. */
int sf_sim_inode_list(
    const struct sf_sim_inode *directory, uint8_t *out, size_t bytes, size_t *ret_bytes);

/* *ret_bytes is short only at the end. */
void sf_sim_inode_read(const struct sf_sim_inode *inode, uint64_t offset, uint8_t *out,
    size_t bytes, size_t *ret_bytes);

/* Flip bits of a byte on the medium: in both faces and in what waits to be synced. */
void sf_sim_inode_flip(
    struct sf_sim_disk *disk, struct sf_sim_inode *inode, uint64_t offset, uint8_t mask);

#endif
