/*
 * threads.h - workers that are threads: jobs run on other cores and come back.
 *
 * One queue, first in first out. Idle threads sleep and use no CPU. Finished
 * jobs wait until their owner polls; an eventfd becomes readable, for epoll.
 * Submit and poll belong to the one thread that opened the workers.
 */
#ifndef SF_APP_THREADS_H
#define SF_APP_THREADS_H

#include "base/job.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { SF_THREADS_MAX = 64 };

struct sf_threads;

/* The cores this process may use, at least 1 and at most SF_THREADS_MAX. */
uint32_t sf_threads_cores(void);

/*
 * Start `count` threads (1 .. SF_THREADS_MAX), which take no signals.
 * Returns SF_OK, SF_EINVAL, SF_ENOMEM, SF_ELIMIT (the system has no more threads or descriptors).
 */
SF_MUST_USE int sf_threads_open(uint32_t count, struct sf_threads **ret_threads);

/*
 * Wait for the jobs that run, end the threads and free everything. Jobs not
 * yet begun are dropped; no `done` is called. NULL is allowed.
 */
void sf_threads_close(struct sf_threads *threads);

/* As an engine sees them; live as long as `threads`. */
struct sf_workers *sf_threads_workers(struct sf_threads *threads);

/* Readable when jobs are finished; drained by poll. */
int sf_threads_fd(const struct sf_threads *threads);

/* No job was submitted that has not been given back. */
bool sf_threads_is_idle(const struct sf_threads *threads);

#endif
