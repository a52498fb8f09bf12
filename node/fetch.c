/*
 * fetch.c - opening bundles, fresh ones and those read back from their slots.
 */
#include "node/internal.h"

#include <stdlib.h>

int
open_bundle(const struct inbound *in, uint64_t index, const uint8_t *sealed, uint8_t *plain,
    struct sf_view *ret_content)
{
    uint8_t siv[SF_SIV_BYTES];
    const struct sf_envelope_expect expect = {
        .signer_pk = in->signer_pk,
        .signer_fingerprint = &in->sender,
        .kind = SF_KIND_DATA,
        .index = index,
    };

    return sf_envelope_open(
        in->seal, &expect, sf_view(sealed, in->record.class_bytes), plain, ret_content, siv);
}

void
fetch_drop(struct fetch *fetch)
{
    free(fetch->plain);
    free(fetch->io.data);
}

static void
finish(struct fetch *fetch, int status)
{
    if (status != SF_OK) {
        free(fetch->plain);
        fetch->plain = NULL;
    }
    free(fetch->io.data);
    fetch->io.data = NULL;
    fetch->status = status;
    memory_give(fetch->in->node, 2 * (uint64_t)fetch->in->record.class_bytes);
    fetch->in->fetches--;
    fetch->done(fetch);
}

static struct fetch *
fetch_of(struct sf_job *job)
{
    return (struct fetch *)(void *)((char *)job - offsetof(struct fetch, job));
}

static void
run_open(struct sf_job *job)
{
    struct fetch *fetch = fetch_of(job);

    fetch->status =
        open_bundle(fetch->in, fetch->index, fetch->io.data, fetch->plain, &fetch->content);
}

static void
opened(struct sf_job *job)
{
    struct fetch *fetch = fetch_of(job);

    finish(fetch, fetch->status);
}

static void
got(struct sf_spool_io *io)
{
    struct fetch *fetch = io->owner;

    if (io->status != SF_OK) {
        finish(fetch, io->status);
        return;
    }
    if (fetch->in->seal == NULL) {
        finish(fetch, SF_ESTATE); /* it ended meanwhile */
        return;
    }
    fetch->job = (struct sf_job){.run = run_open, .done = opened};
    sf_workers_submit(fetch->in->node->workers, &fetch->job);
}

int
fetch_begin(struct fetch *fetch)
{
    uint32_t class_bytes = fetch->in->record.class_bytes;
    uint8_t *sealed = buffer_alloc(class_bytes);

    fetch->plain = malloc(class_bytes);
    if (sealed == NULL || fetch->plain == NULL) {
        free(sealed);
        free(fetch->plain);
        fetch->plain = NULL;
        return SF_ENOMEM;
    }
    fetch->io = (struct sf_spool_io){
        .done = got,
        .owner = fetch,
        .spool = fetch->in->spool,
        .index = fetch->index,
        .bytes = class_bytes,
        .data = sealed,
    };
    memory_take(fetch->in->node, 2 * (uint64_t)class_bytes);
    fetch->in->fetches++;
    sf_spool_get(&fetch->io);
    return SF_OK;
}
