/*
 * staging_private.h - what staging.c, staging_write.c and staging_build.c share;
 * nobody else includes it.
 */
#ifndef SF_NODE_STAGING_PRIVATE_H
#define SF_NODE_STAGING_PRIVATE_H

#include "node/staging.h"

enum {
    HANDLES = 16, /* open for writing; of a large file there are two */
    NO_ENTRY = 0xffffffff,
    READS = 2, /* chunks being read back or hashed */
    CHUNK_BYTES = 1 << 20,
    ROUND_BYTES = 32 << 20, /* written since the last sync before the next */
    ROOM_BYTES = 32 << 20,  /* written at most before the disk is asked again what is free */
};

#define ROUND_EVERY (250 * SF_MS)
#define ROOM_EVERY  (5 * SF_SEC) /* a full disk is tried again */

enum handle_state { HANDLE_FREE, HANDLE_OPENING, HANDLE_OPEN, HANDLE_CLOSING };

struct handle {
    struct staging *staging;
    enum handle_state state;
    uint32_t entry; /* of the outline */
    uint32_t how;   /* SF_DISK_DIRECT, or 0: through the page cache */
    int file;
    unsigned writes; /* in flight */
    bool is_dirty;   /* written since it was last synced */
    uint64_t used;
    struct sf_disk_op op; /* open, close, sync */
    char path[SF_DISK_PATH_BYTES_MAX];
};

enum chunk_state { CHUNK_FREE, CHUNK_READING, CHUNK_READ, CHUNK_HASHING };

struct chunk {
    struct staging *staging;
    enum chunk_state state;
    uint32_t entry;
    uint64_t offset; /* in the file */
    size_t bytes;
    uint8_t *data;
    struct sf_disk_op op;
    struct sf_job job;
};

enum build_step {
    BUILD_ROOT,
    BUILD_LABEL,
    BUILD_DIRS,
    BUILD_OPEN,
    BUILD_EMPTY,
    BUILD_SIZE,
    BUILD_SYNC,
    BUILD_CLOSE,
    BUILD_NAMES, /* sync of the directories, so that files once verified are found again */
    BUILD_DONE,
};

struct staging {
    struct inbound *in;
    const struct sf_outline *outline;
    uint64_t *starts; /* of each file on the line, and its end */
    uint8_t (*sha256)[32];
    uint64_t kept; /* bytes on the line that an earlier run verified */

    enum build_step build;
    uint32_t build_entry;
    size_t build_at; /* in the path, of the next directory to make */
    int build_file;
    bool build_waits; /* the disk was full; the step is tried again at room_at */
    struct sf_disk_op build_op;
    char build_path[SF_DISK_PATH_BYTES_MAX];

    struct handle handles[HANDLES];
    uint64_t clock;
    struct staging_write *queue;
    struct staging_write **queue_last;
    bool is_full; /* the disk had no room for the write at the head of the queue */
    sf_mono room_at;
    uint64_t room_bytes; /* may be written before the disk is asked again how much is free */
    bool is_asking;
    struct sf_disk_op room_op;

    struct sf_range_set written; /* on the line; completed */
    struct sf_range_set round;   /* what the running syncs cover */
    struct sf_range_set synced;
    uint64_t unsynced_bytes;
    unsigned syncs;
    bool sync_failed;
    sf_mono round_at;

    struct chunk chunks[READS];
    uint64_t read_next; /* running numbers */
    uint64_t hash_next;
    uint64_t read_place; /* on the line */
    uint64_t verified;
    uint32_t read_entry;
    uint32_t hash_entry;
    int read_file; /* open for reading read_entry, or SF_DISK_NO_FILE */
    bool is_read_opening;
    struct sf_disk_op read_op;
    char read_path[SF_DISK_PATH_BYTES_MAX];
    struct sf_sha256 hash;

    unsigned in_flight;
    bool has_failed;
    bool is_stopping;
    bool is_stepping;
};

/* --- staging.c --- */

struct sf_disk *staging_disk(const struct staging *staging);
/* `status` came of it: what is staged is not to be trusted any more, unless memory had run out. */
void staging_fail(struct staging *staging, int status);
/* Go on with whatever can go on. */
void staging_go_on(struct staging *staging);

/* --- staging_write.c --- */

/* Begin the writes that can begin. */
void staging_pump(struct staging *staging);
/* Give those that were not begun back to their owners. */
void staging_drop_writes(struct staging *staging);
void staging_handle_close(struct handle *handle);

/* --- staging_build.c --- */

/* Make the directory build_path; everything else follows from there. */
void staging_build_mkdir(struct staging *staging, enum build_step build);
/* Try the step again that the full disk refused, when it is time. */
void staging_build_again(struct staging *staging);
/* Do not try it again. */
void staging_build_stop(struct staging *staging);
/* The path of file `entry` of the outline. */
void staging_entry_path(
    const struct staging *staging, uint32_t entry, char path[SF_DISK_PATH_BYTES_MAX]);

#endif
