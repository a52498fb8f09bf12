/*
 * job.h - work for other cores, handed out and taken back.
 *
 * Engines do not know threads. They fill a job, submit it, and get it back
 * through `done` on their own thread, from sf_workers_poll(). `run` may be
 * executed on any thread: it reads and writes only what the job owns or what
 * nobody changes while it runs.
 *
 * The daemon's workers are threads (app/threads.c); tests and the simulator
 * use the inline ones below, which run jobs in the order they came.
 */
#ifndef SF_BASE_JOB_H
#define SF_BASE_JOB_H

#include <stdbool.h>
#include <stdint.h>

struct sf_job {
    void (*run)(struct sf_job *job);
    void (*done)(struct sf_job *job);
    struct sf_job *next; /* belongs to the workers while submitted, as does the next */
    uint32_t worker;     /* who runs it, from 0: what is set aside for one worker is its own */
};

struct sf_workers {
    void (*submit)(struct sf_workers *workers, struct sf_job *job);
    /* Call `done` of every finished job; `done` may submit again. Returns whether any was called. */
    bool (*poll)(struct sf_workers *workers);
};

static inline void
sf_workers_submit(struct sf_workers *workers, struct sf_job *job)
{
    workers->submit(workers, job);
}

static inline bool
sf_workers_poll(struct sf_workers *workers)
{
    return workers->poll(workers);
}

/* Workers without threads: a job runs inside the poll that finishes it. */
struct sf_inline_workers {
    struct sf_workers workers;
    struct sf_job *first;
    struct sf_job **last;
};

void sf_inline_workers_init(struct sf_inline_workers *workers);

#endif
