/*
 * uring.h - a disk over io_uring: the production one.
 *
 * Reads, writes, syncs, opens, renames and the like are carried out by the
 * kernel while the caller goes on. What the ring has no operation for (LIST,
 * SPACE, STAT of an open file) is a short system call inside submit. The ring
 * is restricted to the operations used here. Not thread-safe; a thread that
 * needs a disk opens its own.
 */
#ifndef SF_STORE_URING_H
#define SF_STORE_URING_H

#include "store/disk.h"

/*
 * Open the directory `root` as a disk. Modes of new files are those of
 * disk.h cut by the process's umask.
 *
 * Returns SF_OK and a disk to be closed with sf_uring_disk_close(); SF_ESTATE
 * if io_uring is not available here (disabled, filtered, too old, or no locked
 * memory left for a ring: use posix.h), SF_ENOENT if there is no such directory, SF_EINVAL if it may not
 * be entered, SF_ELIMIT, SF_ENOMEM.
 */
SF_MUST_USE int sf_uring_disk_open(const char *root, struct sf_disk **ret_disk);

/*
 * Wait for the operations the kernel holds (their memory is the caller's and
 * the kernel may be writing to it), close every file and the disk. Operations
 * still queued here are dropped unfinished; no `done` is called.
 */
void sf_uring_disk_close(struct sf_disk *disk);

/*
 * Take over `fd`, a descriptor of a regular file that the caller was given (a
 * source handed over by right of its owner). Operations on the handle may read
 * only; SF_DISK_CLOSE closes the descriptor.
 *
 * Returns the handle (0 or more), or SF_EINVAL if `fd` is no readable regular
 * file, SF_ELIMIT if too many files are open, SF_ENOMEM; then the caller keeps `fd`.
 */
SF_MUST_USE int sf_uring_disk_adopt(struct sf_disk *disk, int fd);

/*
 * An eventfd, readable when operations finished: for the caller's epoll. It is
 * drained by poll(); the disk owns it.
 */
int sf_uring_disk_fd(const struct sf_disk *disk);

/* Nothing is submitted that poll() has not given back. */
bool sf_uring_disk_idle(const struct sf_disk *disk);

/*
 * Pin `memory` (page aligned, to outlive the disk) so that reads and writes
 * inside it spare the kernel the page look-ups. An optimisation: where
 * RLIMIT_MEMLOCK is too small it is refused and everything works as before.
 *
 * Returns SF_OK, or SF_ELIMIT if the kernel refused, SF_ESTATE if memory was
 * registered before, SF_EINVAL.
 */
SF_MUST_USE int sf_uring_disk_register(struct sf_disk *disk, uint8_t *memory, size_t bytes);

#endif
