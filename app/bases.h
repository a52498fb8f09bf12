/*
 * bases.h - earlier versions of the files that are to be sent: which is whose, and what they are
 * by their digests.
 */
#ifndef SF_APP_BASES_H
#define SF_APP_BASES_H

#include "app/walk.h"
#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SF_BASES_MAX = 16 /* of one transfer, as its outline allows */ };

struct sf_base_file {
    size_t file; /* whose base it is: its place in the walk of what is sent */
    int fd;      /* the walk's below */
    uint64_t bytes;
    int64_t mtime_s;
    struct sf_digest sha256; /* once it is read */
};

struct sf_bases {
    struct sf_walk walk;
    struct sf_base_file list[SF_BASES_MAX];
    size_t count;
    size_t left_out; /* counterparts that are too many: the largest files have theirs */
    char error[SF_WALK_ERROR_BYTES];
};

/*
 * Open `path`, a file if `walk` is a single one and else a directory, and find the counterpart of
 * each file of `walk` in it, by its path. SF_OK, and the caller ends with sf_bases_fini(); or what
 * sf_walk() returns, SF_EINVAL (a file against a directory) or SF_ENOENT (no file has a
 * counterpart), with what to do in bases->error.
 */
SF_MUST_USE int sf_bases_open(struct sf_bases *bases, const struct sf_walk *walk, const char *path);

/* Read all of them, for their digests. SF_OK or SF_EIO (also: one was changed meanwhile). */
SF_MUST_USE int sf_bases_hash(struct sf_bases *bases);

/* The base of file number `file` of the walk, or NULL. */
const struct sf_base_file *sf_bases_find(const struct sf_bases *bases, size_t file);

/* Close and free everything. A zeroed one is allowed. */
void sf_bases_fini(struct sf_bases *bases);

#endif
