/*
 * spool.h - sealed bundles on the disk: one preallocated file per transfer and
 * direction, an array of equal slots; slot number = bundle index.
 *
 * Files are spool/<32 hex of the transfer>.out (to be sent) and .in (received).
 * A spool file holds slots and nothing else: class and count of slots are facts
 * of the caller, given again at sf_spool_reopen().
 *
 * The custody rule is in one place, sf_spool_put(): slot written -> file synced
 * (one sync for all puts that wait) -> fact appended -> journal synced -> done.
 * So whatever was reported done is held after any crash.
 *
 * Slots are read and written past the page cache: memory, offsets and lengths
 * are multiples of SF_DISK_ALIGN, class_bytes too.
 *
 * Every call completes through sf_disk_poll(), never from inside the call; an
 * op belongs to the spool until `done`, which may use it again or free it. Only
 * sf_spools_open() and _close() block. Not thread-safe. Passing arguments
 * outside the stated limits is a bug of the caller and asserts.
 */
#ifndef SF_STORE_SPOOL_H
#define SF_STORE_SPOOL_H

#include "base/bytes.h"
#include "base/status.h"
#include "store/commit.h"
#include "store/disk.h"
#include "store/journal.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_SPOOL_CLASS_BYTES_MAX = 4 * 1024 * 1024,
    SF_SPOOL_FILES_MAX = 65536, /* in the folder */
};

enum sf_spool_direction {
    SF_SPOOL_OUT = 1,
    SF_SPOOL_IN = 2,
};

struct sf_spool;     /* one open file */
struct sf_spool_set; /* the folder, and all that is open in it */

struct sf_spools_config {
    struct sf_disk *disk;
    struct sf_journal *journal; /* outlives the set */
    uint64_t reserve_bytes;     /* create leaves at least so much free on the file system */
};

/* A file in the folder, as sf_spools_list() shows it. */
struct sf_spool_file {
    struct sf_transfer_id transfer;
    enum sf_spool_direction direction;
};

/*
 * Open the folder, made if absent, and list it. Blocks (recovery).
 * Returns SF_OK, SF_EIO, SF_ENOSPC, SF_ENOMEM, or SF_ELIMIT for a folder with too many files.
 */
SF_MUST_USE int sf_spools_open(
    const struct sf_spools_config *config, struct sf_spool_set **ret_spools);

/* Close all files and free the set with its spools. No op may be outstanding. Blocks. */
void sf_spools_close(struct sf_spool_set *spools);

/* Free the memory alone, when the disk is gone and will call nothing back any more. */
void sf_spools_drop(struct sf_spool_set *spools);

/*
 * The spool files that sf_spools_open() found, in no order; names that are not
 * ours are left out and left alone. Recovery is the caller's: for each file
 * without a fact sf_spools_unlink(), for each fact sf_spool_reopen(), which
 * answers SF_ENOENT if there is no file. Valid until close.
 */
const struct sf_spool_file *sf_spools_list(const struct sf_spool_set *spools, size_t *ret_count);

/* --- Operations on files ---------------------------------------------- */

struct sf_spool_op {
    void (*done)(struct sf_spool_op *op);
    void *owner;

    /* The caller's, for create, reopen and unlink: */
    struct sf_transfer_id transfer;
    enum sf_spool_direction direction;
    uint32_t class_bytes; /* create, reopen: multiple of 4 KiB, <= SF_SPOOL_CLASS_BYTES_MAX */
    uint64_t slots;       /* create, reopen, trim: how many; > 0, slots * class_bytes < 2^62 */

    /* The caller's for the rest; the answer of create and reopen: */
    struct sf_spool *spool;
    uint64_t first; /* punch: slots [first, first + count) */
    uint64_t count;

    int status;
    int system_errno;    /* of the disk operation that failed; 0 otherwise */
    uint64_t need_bytes; /* SF_ENOSPC: so many more bytes must become free */
    uint64_t free_bytes; /* create, space: free above the reserve, before it */

    /* Private. */
    struct sf_spool_set *spools;
    struct sf_disk_op disk_op;
    int step;
    int result;
    uint64_t era;
    struct sf_spool_op *next;
    char path[56];
};

/*
 * Make the file with all its slots allocated, and its name durable; op->spool
 * is the open spool. Status SF_ENOSPC (need_bytes: nothing is left behind) if
 * the reserve would be touched, SF_EEXIST, SF_EIO, SF_ENOMEM. Do not record the
 * transfer before this is done: a crash in it leaves a file without a fact, or none.
 */
void sf_spool_create(struct sf_spool_set *spools, struct sf_spool_op *op);

/*
 * Open the file of a fact after a restart, with its class and its number of
 * slots. A longer file is cut (a trim is repeated). Status SF_ENOENT if there
 * is none, SF_EFORMAT if it is shorter than its slots (nothing is changed),
 * SF_EEXIST if it is open already, SF_EIO, SF_ENOMEM.
 */
void sf_spool_reopen(struct sf_spool_set *spools, struct sf_spool_op *op);

/* Delete the file of (transfer, direction), which is not open; SF_OK also if there is none. Durable. */
void sf_spools_unlink(struct sf_spool_set *spools, struct sf_spool_op *op);

/* How much is free above the reserve: op->free_bytes. */
void sf_spools_space(struct sf_spool_set *spools, struct sf_spool_op *op);

/*
 * Give the blocks of slots [first, first + count) back; they read as zero. The
 * caller's facts must be durable before. Status SF_OK, SF_EIO.
 */
void sf_spool_punch(struct sf_spool_op *op);

/*
 * Give back all slots from op->slots on: the file gets shorter, durably. Record
 * the new number first: a file may be longer than its fact says, never shorter.
 */
void sf_spool_trim(struct sf_spool_op *op);

/*
 * Delete the file durably and close the spool, whose pointer is void afterwards,
 * whatever the status. Waits for puts and reads under way; no new ones may be
 * begun. SF_EIO: the file may still be there, and shows up after a restart.
 */
void sf_spool_remove(struct sf_spool_op *op);

/* Close the spool without deleting; waits as remove does, and its pointer is void afterwards. */
void sf_spool_close(struct sf_spool_op *op);

/* --- Bundles ----------------------------------------------------------- */

struct sf_spool_put {
    void (*done)(struct sf_spool_put *put);
    void *owner;

    struct sf_spool *spool;
    uint64_t index;        /* < slots */
    const uint8_t *object; /* class_bytes, aligned; must live until done */
    uint8_t table;         /* the fact: `index` is in the set of (table, key) */
    struct sf_view key;    /* must live until done */
    const uint8_t *tag;    /* 32 bytes kept with it, or NULL; must live until done */

    int status;
    int system_errno;

    /* Private. */
    struct sf_disk_op disk_op;
    struct sf_commit commit;
    struct sf_spool_put *next;
    uint64_t era;
};

/*
 * Write a bundle to its slot and record it. Status SF_OK: it is held, durably.
 * Anything else: it is not held and no fact was made durable (SF_EIO also when
 * a sync that covered it failed, for every put it covered; SF_ENOSPC; SF_ELIMIT
 * or SF_ENOMEM from the fact). A fact whose commit failed shows in the image,
 * but the journal is dead then. Puts to different slots may run together; to
 * one slot only one at a time.
 */
void sf_spool_put(struct sf_spool_put *put);

struct sf_spool_io {
    void (*done)(struct sf_spool_io *io);
    void *owner;

    struct sf_spool *spool;
    uint64_t index;  /* the slot, < slots */
    uint32_t offset; /* in the slot, multiple of 4 KiB */
    uint32_t bytes;  /* multiple of 4 KiB, ends within the slot; class_bytes for a whole bundle */
    uint8_t *data;   /* aligned; must live until done; write does not change it */

    int status;
    int system_errno;

    struct sf_disk_op disk_op; /* private */
};

/* Read a slot or pages of it. Never written or punched pages read as zero. SF_OK or SF_EIO. */
void sf_spool_get(struct sf_spool_io *io);

/*
 * Write pages outside custody (a partly received bundle): no sync, no fact;
 * after a crash they hold anything. SF_OK, SF_EIO, SF_ENOSPC.
 */
void sf_spool_write_raw(struct sf_spool_io *io);

uint32_t sf_spool_class_bytes(const struct sf_spool *spool);
uint64_t sf_spool_slots(const struct sf_spool *spool);

struct sf_spools_stats {
    uint64_t open_files;
    uint64_t puts; /* done with SF_OK */
    uint64_t puts_failed;
    uint64_t syncs; /* of spool files for puts; puts / syncs is the group */
};

void sf_spools_stats(const struct sf_spool_set *spools, struct sf_spools_stats *ret_stats);

#endif
