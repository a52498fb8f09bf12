/*
 * coders.c - the coders of the workers.
 */
#include "node/internal.h"

#include "base/assert.h"

int
node_coder(struct coders *coders, const struct sf_job *job, struct sf_coder **ret_coder)
{
    struct sf_coder **coder = &coders->of[job->worker];
    int status = SF_OK;

    sf_assert(job->worker < SF_NODE_WORKERS_MAX);
    /* No lock: only the worker itself, one job at a time, touches its place. */
    if (*coder == NULL) {
        status = sf_coder_open(coder);
    }
    *ret_coder = *coder;
    return status;
}

void
coders_fini(struct coders *coders)
{
    for (unsigned i = 0; i < SF_NODE_WORKERS_MAX; i++) {
        sf_coder_close(coders->of[i]);
        coders->of[i] = NULL;
    }
}
