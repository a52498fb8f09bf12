/*
 * staging.h - the files of a transfer while they are put together.
 *
 * All files of the outline, one behind the other, are one line of plaintext
 * bytes; frames are written to places on it in any order. What is written is
 * synced in rounds, and what is synced without a gap is read back from the
 * disk, past the page cache, and hashed: only that counts as verified. Large writes
 * go past the cache too: a file of hundreds of gigabytes does not push out of memory
 * what others have there.
 */
#ifndef SF_NODE_STAGING_H
#define SF_NODE_STAGING_H

#include "node/internal.h"

struct staging;
struct staging_write;
struct handle;

enum {
    /* From here on a write goes past the page cache, if its memory allows it (below). */
    STAGING_DIRECT_BYTES_MIN = 64 << 10,
    STAGING_PARTS_MAX = 3, /* before, in and behind whole pages */
};

struct staging_part {
    struct staging_write *write;
    struct handle *handle;
    struct sf_disk_op op;
};

/* A write; lives until `done`. */
struct staging_write {
    void (*done)(struct staging_write *write);
    void *owner;
    uint32_t file;
    uint64_t offset; /* in the file */
    /*
     * Live until done. What is to go past the page cache begins as far into a page
     * of memory as `offset` is into a page of the file.
     */
    struct sf_view bytes;

    struct staging *staging; /* private, as the rest */
    struct staging_part parts[STAGING_PARTS_MAX];
    unsigned pending;
    int status;
    struct staging_write *next;
};

/*
 * Begin to make the files below staging/<hex of in>. The first `verified`
 * bytes of the line are known to be durable and right. `outline` outlives it.
 * Returns SF_OK or SF_ENOMEM.
 */
SF_MUST_USE int staging_open(struct inbound *in, const struct sf_outline *outline,
    uint64_t verified, struct staging **ret_staging);

/* The files are there: writes may come. */
bool staging_is_ready(const struct staging *staging);

/* Where the first byte of a frame stands on the line. */
uint64_t staging_place(const struct staging *staging, uint32_t file, uint64_t offset);

/* Write; when `done` is called it was written or the staging has failed. */
void staging_write(struct staging *staging, struct staging_write *write);

/* These bytes are zeros: a new file has them already. */
void staging_zeros(struct staging *staging, uint64_t place, uint64_t bytes);

bool staging_has(const struct staging *staging, uint64_t place, uint64_t bytes);

/* Go on with syncing and reading back. */
void staging_step(struct staging *staging);
sf_mono staging_deadline(const struct staging *staging);

/* How far the line is verified without a gap; all of it ends at outline->total_bytes. */
uint64_t staging_verified(const struct staging *staging);
/* What was read back; valid for files that end at or before that. */
const uint8_t *staging_sha256(const struct staging *staging, uint32_t file);

/* A sync or a read failed: what is staged is not to be trusted. */
bool staging_has_failed(const struct staging *staging);

void staging_stop(struct staging *staging);
bool staging_is_idle(const struct staging *staging);
void staging_free(struct staging *staging);

#endif
