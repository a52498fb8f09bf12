/*
 * sysfile.h - the system calls posix.c and uring.c share: paths that cannot
 * leave the root, descriptors that can be used past the page cache, errno as
 * a status. Room-internal. Calls return 0 or a positive errno unless they say
 * otherwise.
 */
#ifndef SF_STORE_SYSFILE_H
#define SF_STORE_SYSFILE_H

#include "store/disk.h"

#include <linux/openat2.h>

/* Linux 6.14 has it, where the file system knows it too; else EOPNOTSUPP. */
#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x80
#endif

/* Bytes one read or write asks the kernel for; it takes no more than 2 GiB at once. */
enum { SF_SYS_IO_BYTES_MAX = 1 << 30 };

/* A status for `system_errno`; SF_OK for 0. */
int sf_sys_status(int system_errno);

/* Set op->status and op->system_errno from `system_errno`. */
void sf_sys_answer(struct sf_disk_op *op, int system_errno);

/* Set everything an operation gives back to "nothing yet". */
void sf_sys_reset(struct sf_disk_op *op);

int sf_sys_open_root(const char *root, int *ret_fd);

/* Open `path` below `root_fd` without following a symbolic link anywhere. */
int sf_sys_open_at(int root_fd, const char *path, const struct open_how *how, int *ret_fd);

/* What an OPEN with `flags` asks of openat2; SF_DISK_DIRECT is added later. */
struct open_how sf_sys_open_how(uint32_t flags);

/* The same for a directory, and for a mere handle on a path. */
struct open_how sf_sys_directory_how(void);
struct open_how sf_sys_path_how(void);

/*
 * The directory `path` stands in: `root_fd` itself or a new descriptor, to be
 * given to sf_sys_close_parent(). *ret_name points into `path`.
 */
int sf_sys_open_parent(int root_fd, const char *path, int *ret_fd, const char **ret_name);
void sf_sys_close_parent(int root_fd, int fd);

unsigned int sf_sys_mode(enum sf_disk_kind kind, uint32_t flags);

int sf_sys_stat(int fd, struct sf_disk_stat *ret_stat);
int sf_sys_stat_path(int root_fd, const char *path, struct sf_disk_stat *ret_stat);
/* Modification time, and who may run it. */
int sf_sys_attributes(int fd, const struct sf_disk_op *op);
int sf_sys_list(int root_fd, struct sf_disk_op *op);
int sf_sys_space(int root_fd, struct sf_disk_stat *ret_stat);

/* --- Open files, by handle --- */

struct sf_sys_file {
    int fd; /* -1: free */
    bool writable;
    bool direct;       /* was opened with SF_DISK_DIRECT: alignment is asked for */
    bool drop_on_read; /* but has to go through the page cache, which reads empty first */
    bool keeps_cache;  /* reads leave it in the page cache: the kernel knows no other way */
};

struct sf_sys_files {
    struct sf_sys_file *table;
    size_t count;
};

enum { SF_SYS_FILES_MAX = 131072 };

/*
 * Give `fd` a handle, having made sure that it is a regular file, and that it
 * bypasses the page cache if `flags` has SF_DISK_DIRECT and the file system
 * can. On an error the caller keeps `fd`.
 */
int sf_sys_files_add(struct sf_sys_files *files, int fd, uint32_t flags, int *ret_file,
    struct sf_disk_stat *ret_stat);

/* As add, for a descriptor from outside: it must be open for reading. */
int sf_sys_files_adopt(struct sf_sys_files *files, int fd, int *ret_file);

/* The open file of op->file, or NULL. */
struct sf_sys_file *sf_sys_files_get(struct sf_sys_files *files, int file);

/* What may be said against `op` before it is begun; SF_OK or SF_EINVAL. */
int sf_sys_files_check(struct sf_sys_files *files, const struct sf_disk_op *op);

/* Close all and free the table. */
void sf_sys_files_fini(struct sf_sys_files *files);

/*
 * Answer a READ with SF_DISK_SPARSE whose whole range is a hole: zeros, as many as
 * the file is long. The kernel would fill its page cache with them first. Returns
 * false, with nothing done, if it must be read.
 */
bool sf_sys_read_hole(int fd, struct sf_disk_op *op);

/* The flags of a read of `file`, for preadv2() or the ring. */
int sf_sys_read_flags(const struct sf_sys_file *file, const struct sf_disk_op *op);

/* The mode of fallocate() for ALLOCATE or PUNCH. */
int sf_sys_allocate_mode(const struct sf_disk_op *op);

/* After a SYNC, whatever came of it: with SF_DISK_ONCE the file leaves the page cache. Keeps errno. */
void sf_sys_synced(int fd, const struct sf_disk_op *op);

/* Make a buffered read of this range come from the medium, as far as the kernel will. */
void sf_sys_drop_cache(int fd, uint64_t offset, size_t bytes);

#endif
