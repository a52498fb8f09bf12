/*
 * faults.h - what can go wrong in a life, by name, and how much of it a seed gets.
 *
 * The kinds are those of the fault model (docs/TESTING.md). Each has a stream
 * of its own, drawn from only by what that kind does: a new kind, or one more
 * of its faults, leaves the others as they were.
 */
#ifndef SF_SIM_FAULTS_H
#define SF_SIM_FAULTS_H

#include "base/prng.h"
#include "sim/disk.h"
#include "sim/path.h"

/* New kinds go to the end: their numbers name streams. */
enum sf_fault {
    /* Disks. */
    SF_FAULT_READ_ERROR,
    SF_FAULT_WRITE_ERROR,
    SF_FAULT_SYNC_ERROR, /* the dirty data is dropped, and the next sync is fine */
    SF_FAULT_BIT_ROT,
    SF_FAULT_MISDIRECTED,
    SF_FAULT_TORN_WRITE, /* by a power cut */
    SF_FAULT_LOST_WRITE, /* by a power cut */
    SF_FAULT_FULL_DISK,
    SF_FAULT_SLOW_DISK, /* up to 1 s an operation */
    /* Links. */
    SF_FAULT_LOSS,
    SF_FAULT_BURST, /* nothing gets through, for up to 70 s */
    SF_FAULT_DUPLICATE,
    SF_FAULT_REORDER,
    SF_FAULT_CORRUPT,
    SF_FAULT_LONG_DELAY, /* up to 22 minutes one way */
    SF_FAULT_ONE_WAY,
    SF_FAULT_ASYMMETRY, /* 1 : 1000 */
    SF_FAULT_WINDOWS,   /* contacts come and go */
    SF_FAULT_NAT,
    SF_FAULT_MTU,
    /* Nodes. */
    SF_FAULT_CRASH,
    SF_FAULT_CRASH_AT, /* in the middle of a disk operation */
    SF_FAULT_ABSENCE,  /* off for up to 120 days */
    SF_FAULT_WALL,     /* the wall clock jumps */
    SF_FAULT_ROLLBACK, /* an older image of the disk is put back */
    /* An attacker on the path. */
    SF_FAULT_REPLAY,
    SF_FAULT_SPOOF, /* replayed from another address */
    SF_FAULT_SPLICE,
    SF_FAULT_JUNK,
    SF_FAULT_MEMORY, /* allocations of a node fail, one or some dozens in a row */
    SF_FAULT_FORGE,  /* a recipient makes bundles for another one, with the content key */
    SF_FAULTS,
};

const char *sf_fault_name(enum sf_fault kind);

struct sf_faults {
    struct sf_prng prng[SF_FAULTS];
    bool is_on[SF_FAULTS];
    uint32_t share_ppm[SF_FAULTS]; /* how much of the most there can be; only where it is on */
};

/* Which kinds `seed` gets, and how much of each. */
void sf_faults_draw(struct sf_faults *faults, uint64_t seed);

/* A number below `below` from the stream of `kind`. */
uint64_t sf_faults_pick(struct sf_faults *faults, enum sf_fault kind, uint64_t below);

/* Whether a fault of `kind` happens now, `ppm` times in a million where the kind is on at all. */
bool sf_faults_strikes(struct sf_faults *faults, enum sf_fault kind, uint32_t ppm);

/* Up to `most` of it, by the share of the seed; 0 where the kind is off. */
uint64_t sf_faults_amount(struct sf_faults *faults, enum sf_fault kind, uint64_t most);

/* Make a clean path bad for a while. */
void sf_faults_path(struct sf_faults *faults, struct sf_sim_path_config *path);

/* How a disk is to fail from now on, by rates. Nothing: all zero. */
void sf_faults_disk(struct sf_faults *faults, struct sf_sim_disk_rates *ret_rates);

/* What a wall clock is off by after a jump, at a true time of `true_ms` since 1970. */
int64_t sf_faults_wall_ms(struct sf_faults *faults, int64_t true_ms);

/* "loss 12 %, bit rot, ..." into `text`. */
void sf_faults_text(const struct sf_faults *faults, char *text, size_t bytes);

#endif
