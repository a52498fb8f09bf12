/*
 * posix.h - a disk over plain system calls: openat2, pread, pwrite, fdatasync.
 *
 * For hosts where io_uring is disabled, and the oracle the other disks are
 * tested against. An operation is carried out inside sf_disk_poll(), in the
 * order of submission, so a poll blocks as long as the medium takes.
 * Not thread-safe; a thread that needs a disk opens its own.
 */
#ifndef SF_STORE_POSIX_H
#define SF_STORE_POSIX_H

#include "store/disk.h"

/*
 * Open the directory `root` as a disk. Modes of new files are those of
 * disk.h cut by the process's umask.
 *
 * Returns SF_OK and a disk to be closed with sf_posix_disk_close(), SF_ENOENT
 * if there is no such directory, SF_EINVAL if it may not be entered, SF_ELIMIT
 * if no descriptor is free, SF_ENOMEM.
 */
SF_MUST_USE int sf_posix_disk_open(const char *root, struct sf_disk **ret_disk);

/* Close every file still open and the disk. Operations not yet done are dropped unfinished. */
void sf_posix_disk_close(struct sf_disk *disk);

/*
 * Take over `fd`, a descriptor of a regular file that the caller was given (a
 * source handed over by right of its owner). Operations on the handle may read
 * only; SF_DISK_CLOSE closes the descriptor.
 *
 * Returns the handle (0 or more), or SF_EINVAL if `fd` is no readable regular
 * file, SF_ELIMIT if too many files are open, SF_ENOMEM; then the caller keeps `fd`.
 */
SF_MUST_USE int sf_posix_disk_adopt(struct sf_disk *disk, int fd);

/* Nothing is submitted that poll() has not given back. */
bool sf_posix_disk_idle(const struct sf_disk *disk);

#endif
