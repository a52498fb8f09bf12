/*
 * disk.h - every byte that is to survive goes through here.
 *
 * A disk takes operations and gives them back, in any order, through `done`
 * from sf_disk_poll() on the caller's thread. There are three: uring.c
 * (production), posix.c (plain calls; hosts without io_uring, and the oracle
 * in tests) and sim/disk.c (virtual time, faults, power cuts).
 *
 * Ordering is the caller's: two operations in flight together may be carried
 * out in either order, and a SYNC covers only writes that had completed when
 * it was submitted. A SYNC that failed is final: what it covered is lost and
 * must be treated as never written (the kernel may report success for a
 * retry and yet not have the bytes).
 *
 * Paths are relative to the disk's root, separated by '/', without "." or
 * "..", and symbolic links are never followed. SF_DISK_ROOT names the root
 * itself, for SYNC_DIR and LIST.
 */
#ifndef SF_STORE_DISK_H
#define SF_STORE_DISK_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_DISK_ALIGN = 4096,          /* offset, length and memory of DIRECT reads and writes */
    SF_DISK_PATH_BYTES_MAX = 4096, /* with the NUL */
    SF_DISK_NO_FILE = -1,
};

#define SF_DISK_ROOT "."

enum sf_disk_kind {
    SF_DISK_OPEN,     /* path, flags -> ret_file, ret_stat */
    SF_DISK_CLOSE,    /* file */
    SF_DISK_READ,     /* file, offset, data, bytes -> ret_bytes (short only at the end) */
    SF_DISK_WRITE,    /* file, offset, data, bytes: all or an error */
    SF_DISK_SYNC,     /* file: data and what is needed to find it */
    SF_DISK_ALLOCATE, /* file, offset, bytes: reserve; SF_ENOSPC now rather than later; a shorter
                         file becomes that long and reads as zeros there */
    SF_DISK_PUNCH,    /* file, offset, bytes: give the blocks back, read as zero */
    SF_DISK_TRUNCATE, /* file, offset = new length */
    SF_DISK_ATTRIBUTES, /* file, mtime_ns, EXECUTABLE or not: comfort, durable when it happens to be */
    SF_DISK_RENAME,     /* path -> path_to; SF_DISK_NOREPLACE: SF_EEXIST if taken */
    SF_DISK_UNLINK,     /* path: a file */
    SF_DISK_MKDIR,      /* path; SF_EEXIST if there */
    SF_DISK_RMDIR,      /* path: an empty directory, else SF_EEXIST */
    SF_DISK_SYNC_DIR, /* path: the names in it */
    SF_DISK_STAT,     /* path -> ret_stat, or SF_ENOENT; or file if path is NULL */
    SF_DISK_LIST,  /* path, data, bytes -> NUL-terminated names, ret_bytes; SF_ELIMIT if too many */
    SF_DISK_SPACE, /* -> ret_stat.free_bytes, what an unprivileged writer may still use */
};

enum sf_disk_flags {
    SF_DISK_RDWR = 1 << 0,       /* else read only */
    SF_DISK_CREATE = 1 << 1,     /* make it (mode 0600, or 0640 below inbox staging) if absent */
    SF_DISK_EXCLUSIVE = 1 << 2,  /* with CREATE: SF_EEXIST if present */
    SF_DISK_DIRECT = 1 << 3,     /* past the page cache where the file system can */
    SF_DISK_NOREPLACE = 1 << 4,  /* RENAME */
    SF_DISK_EXECUTABLE = 1 << 6, /* ATTRIBUTES: whoever may read it may run it */
    SF_DISK_SHARED = 1 << 5,     /* CREATE, MKDIR: readable by the group (0640, 0750) */
    SF_DISK_SPARSE = 1 << 8,     /* READ: what is a hole all through is not read, it is zeros */
    /*
     * READ: what was not in the page cache before is not to stay there. SYNC: nothing of the
     * file is. Where the system can: what is read or written once is not worth what others lose.
     */
    SF_DISK_ONCE = 1 << 9,
    SF_DISK_KEEP_SIZE = 1 << 7, /* ALLOCATE: blocks behind the end, whose place stays */
};

struct sf_disk_stat {
    uint64_t bytes;      /* length of the file */
    uint64_t free_bytes; /* SPACE only */
    uint64_t inode;
    int64_t mtime_ns;
    int64_t ctime_ns;
    bool is_directory;
    bool is_regular;
};

struct sf_disk_op {
    enum sf_disk_kind kind;
    uint32_t flags;
    int file;
    const char *path;    /* must live until done */
    const char *path_to; /* must live until done */
    uint64_t offset;
    int64_t mtime_ns; /* ATTRIBUTES: since 1970 */
    uint8_t *data;    /* must live until done; WRITE does not change it */
    size_t bytes;

    void (*done)(struct sf_disk_op *op); /* may submit, also this op again */
    void *owner;                         /* the caller's */

    int status;       /* SF_OK, SF_EIO, SF_ENOSPC, SF_ENOENT, SF_EEXIST, SF_ELIMIT, SF_EINVAL */
    int system_errno; /* what the kernel said, for a log line; 0 if it said nothing */
    size_t ret_bytes;
    int ret_file;
    struct sf_disk_stat ret_stat;

    struct sf_disk_op *next; /* belongs to the disk while submitted */
};

struct sf_disk {
    void (*submit)(struct sf_disk *disk, struct sf_disk_op *op);
    /* Call `done` of finished operations. Returns whether any was called. */
    bool (*poll)(struct sf_disk *disk);
    /* Block (or advance simulated time) until poll() would return true. */
    void (*wait)(struct sf_disk *disk);
};

static inline void
sf_disk_submit(struct sf_disk *disk, struct sf_disk_op *op)
{
    disk->submit(disk, op);
}

static inline bool
sf_disk_poll(struct sf_disk *disk)
{
    return disk->poll(disk);
}

/*
 * What can be said about an operation without looking at the disk; every disk
 * asks this first, so that a mistake shows on all of them. `direct` says that
 * its file was opened with SF_DISK_DIRECT: then offset, length and memory must
 * be multiples of SF_DISK_ALIGN. Returns SF_OK or SF_EINVAL.
 */
SF_MUST_USE int sf_disk_op_check(const struct sf_disk_op *op, bool direct);

/*
 * Submit `op` and poll until it is done; other operations may finish meanwhile.
 * For start-up and recovery, where nothing else is to be kept waiting. `op->done`
 * must be NULL. Returns op->status.
 */
SF_MUST_USE int sf_disk_run(struct sf_disk *disk, struct sf_disk_op *op);

#endif
