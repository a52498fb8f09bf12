/*
 * confine.h - takes from this process what it will never need again.
 *
 * Two walls, built by the kernel, that nothing in the process can take down:
 *
 *   files   Landlock: of the whole file system there are the home, to read and
 *           write, and the outboxes, to read. Descriptors that were opened
 *           before, or are handed over, stay usable. No TCP, and no abstract
 *           sockets or signals to processes outside. It binds the operations
 *           of an io_uring too.
 *   calls   seccomp: the system calls the daemon makes and no others. No new
 *           program, process, socket or ring, no tracing, no memory that can be
 *           written and executed. Filters do not see what goes through an
 *           io_uring; that ring has restrictions of its own (store/uring.c).
 *
 * The order matters. Threads inherit the first wall, so it is built before
 * there are any; the second is built around all of them, when every socket is
 * open. A process built with sanitizers, which need more than this, is left
 * alone and says so.
 */
#ifndef SF_APP_CONFINE_H
#define SF_APP_CONFINE_H

#include "app/error.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* What stands; each is false where the kernel has no such wall, or this build cannot have it. */
struct sf_confine {
    bool has_files;
    bool has_calls;
    int landlock_abi; /* 0 = none */
};

/* Directories by descriptor: to read and write, and only to read. */
struct sf_confine_files {
    int home_fd;
    const int *read_fds;
    size_t read_count;
};

/*
 * Build the first wall around the calling thread and those it will start.
 * Returns SF_OK, also where the kernel has no Landlock of version 2 or later
 * (ret_confine->has_files tells), or SF_EIO with *error.
 */
SF_MUST_USE int sf_confine_files(const struct sf_confine_files *files,
    struct sf_confine *ret_confine, struct sf_app_error *error);

/* Build the second around every thread. SF_OK, also without seccomp, or SF_EIO with *error. */
SF_MUST_USE int sf_confine_calls(struct sf_confine *confine, struct sf_app_error *error);

/*
 * Walk against the walls that are said to stand: open a file and a directory
 * outside, make a socket, a ring and a pipe to a new process, run a program.
 * Returns SF_OK if each was refused, else SF_EAUTH with *error naming what was not.
 */
SF_MUST_USE int sf_confine_check(const struct sf_confine *confine, struct sf_app_error *error);

/*
 * For a helper process that looks up names and does nothing else: it may read
 * what the system's resolver reads, write nothing, and start no program. What
 * the kernel does not have is left out.
 */
void sf_confine_resolver(void);

#endif
