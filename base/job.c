#include "base/job.h"

#include <stddef.h>

static void
inline_submit(struct sf_workers *workers, struct sf_job *job)
{
    struct sf_inline_workers *self = (struct sf_inline_workers *)workers;

    job->next = NULL;
    *self->last = job;
    self->last = &job->next;
}

static bool
inline_poll(struct sf_workers *workers)
{
    struct sf_inline_workers *self = (struct sf_inline_workers *)workers;
    struct sf_job *job = self->first;
    struct sf_job *following;

    if (job == NULL) {
        return false;
    }
    /* Only what is queued now: a `done` that submits again waits for the next poll. */
    self->first = NULL;
    self->last = &self->first;
    for (; job != NULL; job = following) {
        following = job->next;
        job->worker = 0;
        job->run(job);
        job->done(job);
    }
    return true;
}

void
sf_inline_workers_init(struct sf_inline_workers *workers)
{
    workers->workers.submit = inline_submit;
    workers->workers.poll = inline_poll;
    workers->first = NULL;
    workers->last = &workers->first;
}
