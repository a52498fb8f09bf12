/*
 * bases.h - earlier versions of the files that are to be sent: which is whose, and what they are
 * by their digests. They are files that the caller has, or copies that the daemon has kept.
 */
#ifndef SF_APP_BASES_H
#define SF_APP_BASES_H

#include "app/submit_protocol.h"
#include "app/walk.h"
#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SF_BASES_MAX = SF_SUBMIT_BASES_MAX };

struct sf_base_file {
    size_t file; /* whose base it is: its place in the walk of what is sent */
    int fd;      /* the walk's below, or of a copy */
    uint64_t bytes;
    int64_t mtime_s;
    struct sf_digest sha256; /* once it is read */
};

struct sf_bases {
    struct sf_walk walk;
    bool are_copies; /* there is no walk; each is open for itself */
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

/*
 * Pair the copies of `offer`, whose descriptors `fds` are taken over, with the files of `walk`,
 * and read each to its end: what is not what the recipient has signed for is left out, so there may be
 * none in the end. SF_OK; SF_ENOMEM. The caller ends with sf_bases_fini().
 */
SF_MUST_USE int sf_bases_take(struct sf_bases *bases, const struct sf_walk *walk,
    const struct sf_submit_offer *offer, const int *fds);

/* Read all of them, for their digests. SF_OK or SF_EIO (also: one was changed meanwhile). */
SF_MUST_USE int sf_bases_hash(struct sf_bases *bases);

/* The base of file number `file` of the walk, or NULL. */
const struct sf_base_file *sf_bases_find(const struct sf_bases *bases, size_t file);

/* Close and free everything. A zeroed one is allowed. */
void sf_bases_fini(struct sf_bases *bases);

#endif
