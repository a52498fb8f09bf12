/*
 * disk.h - a disk in memory that fails the way disks fail.
 *
 * A whole file tree with two faces. What programs see is *volatile*: every
 * completed write and name change. What a power cut leaves is *durable*: file
 * bytes covered by a SYNC that was submitted after the write completed, names
 * covered by a SYNC_DIR of their directory. A file's SYNC does not make its
 * name durable, and a rename between two directories wants both synced (it is
 * atomic: either face shows one of the two names). A failed SYNC drops what it
 * covered: programs go on seeing it, no later SYNC saves it.
 *
 * Everything follows from the seed, and time moves only when the caller says
 * so. Storage is sparse and shared between clones: a preallocated spool or a
 * 700 GB generated source costs no memory. Running out of memory aborts: this
 * is an instrument, not part of a node. Not thread-safe.
 */
#ifndef SF_SIM_DISK_H
#define SF_SIM_DISK_H

#include "base/bytes.h"
#include "base/time.h"
#include "store/disk.h"

struct sf_sim_disk;

struct sf_sim_disk_config {
    uint64_t seed;
    uint64_t capacity_bytes; /* SF_ENOSPC beyond it, counted in 4 KiB blocks; 0: no limit */
    uint64_t latency_min_ns; /* each operation takes a random time between the two; */
    uint64_t latency_max_ns; /* both 0: it is carried out by the next poll */
    bool shuffle;            /* with no latency: carry out what is in flight in random order */
    bool steady;             /* there is never a restart: nothing is kept for one, which asserts */
};

/* Make an empty disk; `config` is copied. Close it with sf_sim_disk_close(). */
SF_MUST_USE int sf_sim_disk_open(
    const struct sf_sim_disk_config *config, struct sf_sim_disk **ret_disk);
void sf_sim_disk_close(struct sf_sim_disk *disk);

/* The interface for the program under test; valid until close, also across restarts. */
struct sf_disk *sf_sim_disk_interface(struct sf_sim_disk *disk);

/* --- Time --- */

/* It is `now`; operations due by then are carried out by the next poll. Never goes back. */
void sf_sim_disk_advance(struct sf_sim_disk *disk, sf_mono now);

/* When the next operation in flight is due (maybe already); SF_NEVER if none is. */
sf_mono sf_sim_disk_deadline(const struct sf_sim_disk *disk);

/*
 * What time it is here: ahead of what it was last told if somebody waited for
 * it since. What is submitted now is not done before.
 */
sf_mono sf_sim_disk_now(const struct sf_sim_disk *disk);

/* Change the latency from now on; reconfigures nothing else. */
void sf_sim_disk_latency(struct sf_sim_disk *disk, uint64_t min_ns, uint64_t max_ns);

/* --- Power cuts --- */

/* Operations carried out since open: the next one has this number. Restarts do not reset it. */
uint64_t sf_sim_disk_operations(const struct sf_sim_disk *disk);

/*
 * Cut the power when operation number `operation` is about to be carried out;
 * it and all others in flight may then be half done (see the damage models).
 * SF_NEVER takes the order back.
 */
void sf_sim_disk_cut_at(struct sf_sim_disk *disk, uint64_t operation);

/*
 * Cut the power now. The image is frozen; operations in flight and every later
 * one end in SF_EIO without effect (so that a program in sf_disk_run() comes
 * out), until sf_sim_disk_restart(). Their memory may be freed from now on, if
 * the disk is restarted or closed without another poll.
 */
void sf_sim_disk_cut(struct sf_sim_disk *disk);

/* The power is off. */
bool sf_sim_disk_is_cut(const struct sf_sim_disk *disk);

enum sf_sim_damage_model {
    SF_SIM_DAMAGE_LOSE_ALL, /* nothing survives but what was durable */
    SF_SIM_DAMAGE_KEEP_ALL, /* every completed change survives: a killed process, not a power cut */
    SF_SIM_DAMAGE_SUBSET,   /* each unsynced change survives or not, on its own */
    SF_SIM_DAMAGE_TORN,     /* as SUBSET, and a write may survive only up to a 512-byte sector; */
                            /* what a lost write had appended may read as zeros or old junk */
    SF_SIM_DAMAGE_REORDERED, /* the newest unsynced changes survive, the oldest are lost */
    SF_SIM_DAMAGE_MODELS,
};

/*
 * Power is back: files are closed, operations in flight forgotten, and the
 * tree is what the cut left under `model`; `seed` makes its choices. Cuts
 * first if the power is still on. Faults and rates stay as they were set.
 */
void sf_sim_disk_restart(struct sf_sim_disk *disk, enum sf_sim_damage_model model, uint64_t seed);

/*
 * A disk of its own with the same tree, both faces and all unsynced changes;
 * what is in flight becomes damage a cut may do. No files are open in it, no
 * faults are set and the power is on. Costs a few words per 4 KiB block in use.
 */
SF_MUST_USE int sf_sim_disk_clone(const struct sf_sim_disk *disk, struct sf_sim_disk **ret_clone);

/*
 * Call `before` with the number of each operation right before it is carried
 * out; it may clone. So one run serves a cut at every operation. NULL ends it.
 */
void sf_sim_disk_watch(struct sf_sim_disk *disk,
    void (*before)(void *context, uint64_t operation, const struct sf_disk_op *op), void *context);

/* --- Faults --- */

enum sf_sim_fault_kind {
    SF_SIM_FAULT_EIO,    /* no effect; a SYNC or SYNC_DIR drops what it covers */
    SF_SIM_FAULT_ENOSPC, /* no effect, on WRITE, ALLOCATE, OPEN, MKDIR, RENAME; others: EIO */
    SF_SIM_FAULT_SHORT,  /* READ and WRITE: half is done, then SF_EIO / SF_ENOSPC; others: EIO */
};

struct sf_sim_fault {
    enum sf_sim_fault_kind kind;
    uint64_t operation; /* hits the first matching operation with this number or a later one */
    uint32_t op_kinds;  /* bits 1 << SF_DISK_x that match; 0: any but CLOSE */
    bool for_ever;      /* that one and every matching one after it; else once */
};

enum { SF_SIM_DISK_FAULTS_MAX = 16 };

/* Add a fault. Returns SF_OK or SF_ELIMIT. */
SF_MUST_USE int sf_sim_disk_fault(struct sf_sim_disk *disk, const struct sf_sim_fault *fault);

/* Take back all faults, those by rate as well. */
void sf_sim_disk_heal(struct sf_sim_disk *disk);

/* Random faults, in millionths of the operations of that kind. */
struct sf_sim_disk_rates {
    uint32_t read_error_ppm;
    uint32_t write_error_ppm;
    uint32_t sync_error_ppm;
    uint32_t bit_rot_ppm;   /* of the WRITEs: one bit of what was written flips on the medium */
    uint32_t misdirect_ppm; /* of the WRITEs: it goes to another block of the file, and says OK */
    bool media_in_folders;  /* bit rot and misdirected writes spare files that stand in the root */
};

void sf_sim_disk_set_rates(struct sf_sim_disk *disk, const struct sf_sim_disk_rates *rates);

/* Flip the bits of `mask` in the byte at `offset` of file `path`. SF_ENOENT, SF_EINVAL. */
SF_MUST_USE int sf_sim_disk_rot(
    struct sf_sim_disk *disk, const char *path, uint64_t offset, uint8_t mask);

/* Change the capacity; less than what is in use means full. 0: no limit. */
void sf_sim_disk_set_capacity(struct sf_sim_disk *disk, uint64_t capacity_bytes);

/* --- What tests put in and look for --- */

/*
 * A durable read-only file of `bytes` bytes whose content is made on demand:
 * `generate` fills `out` with the bytes from `offset`, always the same ones.
 * Parent directories are made. `context` must outlive the disk and its clones.
 * Returns SF_OK, SF_EEXIST, SF_EINVAL.
 */
SF_MUST_USE int sf_sim_disk_source(struct sf_sim_disk *disk, const char *path, uint64_t bytes,
    void (*generate)(void *context, uint64_t offset, uint8_t *out, size_t bytes), void *context);

/* A generator: bytes that depend on the seed at `context` (a uint64_t) and the offset alone. */
void sf_sim_disk_generate(void *context, uint64_t offset, uint8_t *out, size_t bytes);

/* A durable file with these bytes, replacing one of that name. Parents are made. SF_EINVAL. */
SF_MUST_USE int sf_sim_disk_put(struct sf_sim_disk *disk, const char *path, struct sf_view content);

/*
 * Read from file `path` as a program would see it, without an operation.
 * *ret_bytes is short only at the end. SF_ENOENT, SF_EINVAL.
 */
SF_MUST_USE int sf_sim_disk_get(struct sf_sim_disk *disk, const char *path, uint64_t offset,
    uint8_t *out, size_t bytes, size_t *ret_bytes);

/* Bytes of file `path`, from its beginning on, that are zeros; found by what is not. 0 without it. */
uint64_t sf_sim_disk_zeros(struct sf_sim_disk *disk, const char *path);

/* Set a file's modification time, as somebody touching a source would. SF_ENOENT. */
SF_MUST_USE int sf_sim_disk_touch(struct sf_sim_disk *disk, const char *path, int64_t mtime_ns);

/*
 * Whether `needle` (1 to 4096 bytes) is anywhere: in either face of a file
 * still reachable from the root, in unsynced writes, or in a name. Generated
 * sources are not searched. If so, `ret_where` (may be NULL) gets a path or
 * "(unlinked)", cut to `where_bytes`.
 */
bool sf_sim_disk_grep(
    const struct sf_sim_disk *disk, struct sf_view needle, char *ret_where, size_t where_bytes);

/*
 * As sf_sim_disk_get(), of what a power cut would leave if nothing survived it
 * but what was synced.
 */
SF_MUST_USE int sf_sim_disk_get_durable(struct sf_sim_disk *disk, const char *path, uint64_t offset,
    uint8_t *out, size_t bytes, size_t *ret_bytes);

/*
 * The names in folder `path` as a program would see them, each with its NUL,
 * without an operation. SF_ENOENT, SF_ELIMIT.
 */
SF_MUST_USE int sf_sim_disk_names(
    struct sf_sim_disk *disk, const char *path, uint8_t *out, size_t bytes, size_t *ret_bytes);

struct sf_sim_disk_stats {
    uint64_t operations; /* carried out */
    uint64_t syncs;      /* SYNC and SYNC_DIR */
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t faults; /* operations that failed because they were told to, or went wrong unseen: */
    uint64_t read_errors;
    uint64_t write_errors;
    uint64_t sync_errors;
    uint64_t rotted;
    uint64_t misdirected;
    uint64_t full;         /* refused because the capacity is used up */
    uint64_t torn;         /* writes of which a power cut left a part, */
    uint64_t lost;         /* ... or nothing */
    uint64_t used_bytes;   /* blocks in use, programs' view */
    uint64_t memory_bytes; /* what the image costs this process; blocks shared by clones in full */
};

void sf_sim_disk_get_stats(const struct sf_sim_disk *disk, struct sf_sim_disk_stats *ret_stats);

/* A number that changes with any byte, name or length of the volatile face: to compare runs. */
uint64_t sf_sim_disk_hash(const struct sf_sim_disk *disk);

#endif
