/*
 * bases.c - bases are found, opened and hashed, one after the other.
 */
#include "node/bases.h"

#include "node/decode.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 1 << 20 };

enum base_step {
    BASE_FIND,
    BASE_OPENING,
    BASE_READ, /* the next chunk is to be read */
    BASE_READING,
    BASE_READ_DONE, /* ... and hashed */
    BASE_HASHING,
    BASE_READY,
};

struct bases {
    struct inbound *in;
    const struct sf_outline *outline;
    int files[SF_OUTLINE_BASES_MAX];
    uint32_t at; /* the one that is looked at now; all before it are right */
    enum base_step step;
    uint64_t offset; /* hashed up to there */
    size_t bytes;    /* of the chunk */
    uint8_t *chunk;  /* while it has the turn to hash */
    struct sf_sha256 hash;
    const char *why; /* one is missing; NULL: none that is known */
    struct sf_disk_op op;
    struct sf_job job;
    unsigned in_flight;
    bool is_stopping;
    char path[SF_DISK_PATH_BYTES_MAX];
};

static void
go_on(struct bases *bases)
{
    bases_step(bases);
    decoder_step(bases->in->decoder);
}

static void
submit(struct bases *bases, enum base_step step, struct sf_disk_op op,
    void (*done)(struct sf_disk_op *op))
{
    bases->step = step;
    bases->op = op;
    bases->op.done = done;
    bases->op.owner = bases;
    bases->in_flight++;
    sf_disk_submit(bases->in->node->disk, &bases->op);
}

/* One base is hashed at a time in the whole node: reading one that is large must not starve others. */
static bool
take_turn(struct bases *bases)
{
    struct sf_node *node = bases->in->node;

    if (node->hashing == NULL && (bases->chunk = buffer_alloc(CHUNK_BYTES)) != NULL) {
        node->hashing = bases;
        memory_take(node, CHUNK_BYTES);
    }
    return node->hashing == bases;
}

static void
give_turn(struct bases *bases)
{
    struct sf_node *node = bases->in->node;

    if (node->hashing == bases) {
        node->hashing = NULL;
        memory_give(node, CHUNK_BYTES);
        free(bases->chunk);
        bases->chunk = NULL;
    }
}

static void
miss(struct bases *bases, const char *why)
{
    if (bases->why == NULL) {
        bases->why = why;
    }
    give_turn(bases);
}

/* --- Finding --------------------------------------------------------------------------- */

/* Whether this node has signed for a file of that digest and length, and no other did. */
static bool
is_signed_for(const struct inbound *was, const struct sf_outline_base *base)
{
    struct sf_node *node = was->node;
    struct sf_view encoded =
        sf_journal_get(node->journal, SF_TABLE_IN_RECEIPT, sf_view(was->key, sizeof(was->key)));
    struct sf_receipt receipt;
    bool is_there = false;

    if (encoded.data == NULL || sf_receipt_decode(encoded, node->identity->sign_pk,
                                    &node->card.fingerprint, &receipt) != SF_OK) {
        return false;
    }
    for (uint32_t i = 0; receipt.phase == SF_RECEIPT_FINAL && receipt.files != NULL &&
                         i < receipt.file_count && !is_there;
         i++) {
        is_there = receipt.files[i].bytes == base->bytes &&
                   memcmp(receipt.files[i].sha256, base->sha256, sizeof(base->sha256)) == 0;
    }
    sf_receipt_fini(&receipt);
    return is_there;
}

static void opened(struct sf_disk_op *op);

static void
find_next(struct bases *bases)
{
    const struct sf_outline_base *base = &bases->outline->bases[bases->at];
    struct sf_node *node = bases->in->node;
    const struct inbound *was =
        inbound_find(node, &bases->outline->base_transfer, &bases->in->sender);
    const struct peer *peer = peer_of(node, &bases->in->sender);
    int bytes;

    if (was == NULL || peer == NULL || was->record.phase != SF_IN_DONE ||
        was->delivered_as[0] == '\0' || !is_signed_for(was, base)) {
        miss(bases, "what it builds on was not delivered here, or that is forgotten");
        return;
    }
    bytes = snprintf(bases->path, sizeof(bases->path), "inbox/%s/%s%s%s", peer->conf.name,
        was->delivered_as, base->path[0] == '\0' ? "" : "/", base->path);
    if (bytes < 0 || (size_t)bytes >= sizeof(bases->path)) {
        miss(bases, "what it builds on is not there any more");
        return;
    }
    submit(bases, BASE_OPENING, (struct sf_disk_op){.kind = SF_DISK_OPEN, .path = bases->path},
        opened);
}

static void
opened(struct sf_disk_op *op)
{
    struct bases *bases = op->owner;
    const struct sf_outline_base *base = &bases->outline->bases[bases->at];

    bases->in_flight--;
    if (op->status != SF_OK) {
        miss(bases, "what it builds on is not there any more");
    } else {
        bases->files[bases->at] = op->ret_file;
        if (!op->ret_stat.is_regular || op->ret_stat.bytes != base->bytes) {
            miss(bases, "what it builds on was changed since it was delivered");
        }
    }
    sf_sha256_init(&bases->hash);
    bases->offset = 0;
    bases->step = BASE_READ;
    go_on(bases);
}

/* --- Hashing ----------------------------------------------------------------------------- */

static void
end_hash(struct bases *bases)
{
    const struct sf_outline_base *base = &bases->outline->bases[bases->at];
    uint8_t sha256[SF_SHA256_BYTES];

    sf_sha256_final(&bases->hash, sha256);
    if (memcmp(sha256, base->sha256, sizeof(sha256)) != 0) {
        miss(bases, "what it builds on was changed since it was delivered");
        return;
    }
    bases->at++;
    bases->step = bases->at == bases->outline->base_count ? BASE_READY : BASE_FIND;
    give_turn(bases);
}

static struct bases *
bases_of(struct sf_job *job)
{
    return (struct bases *)(void *)((char *)job - offsetof(struct bases, job));
}

/* On a worker. */
static void
run_hash(struct sf_job *job)
{
    struct bases *bases = bases_of(job);

    sf_sha256_update(&bases->hash, bases->chunk, bases->bytes);
}

static void
hashed(struct sf_job *job)
{
    struct bases *bases = bases_of(job);

    bases->in_flight--;
    bases->offset += bases->bytes;
    bases->step = BASE_READ;
    go_on(bases);
}

static void
chunk_read(struct sf_disk_op *op)
{
    struct bases *bases = op->owner;

    bases->in_flight--;
    bases->step = BASE_READ_DONE;
    if (op->status != SF_OK || op->ret_bytes != bases->bytes) {
        miss(bases, "what it builds on cannot be read");
    }
    go_on(bases);
}

static void
read_next(struct bases *bases)
{
    uint64_t left = bases->outline->bases[bases->at].bytes - bases->offset;

    if (left == 0) {
        end_hash(bases);
        return;
    }
    if (!take_turn(bases)) {
        return; /* the next tick tries again */
    }
    bases->bytes = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
    submit(bases, BASE_READING,
        (struct sf_disk_op){.kind = SF_DISK_READ,
            .file = bases->files[bases->at],
            .offset = bases->offset,
            .data = bases->chunk,
            .bytes = bases->bytes},
        chunk_read);
}

/* --- All together -------------------------------------------------------------------------- */

void
bases_step(struct bases *bases)
{
    bool more = true;

    while (more && !bases->is_stopping && bases->why == NULL) {
        enum base_step step = bases->step;

        if (step == BASE_FIND) {
            find_next(bases);
        } else if (step == BASE_READ) {
            read_next(bases);
        } else if (step == BASE_READ_DONE) {
            bases->step = BASE_HASHING;
            bases->job = (struct sf_job){.run = run_hash, .done = hashed};
            bases->in_flight++;
            sf_workers_submit(bases->in->node->workers, &bases->job);
        }
        more = bases->step != step && bases->in_flight == 0;
    }
}

int
bases_open(struct inbound *in, const struct sf_outline *outline, struct bases **ret_bases)
{
    struct bases *bases = calloc(1, sizeof(*bases));

    if (bases == NULL) {
        return SF_ENOMEM;
    }
    bases->in = in;
    bases->outline = outline;
    bases->step = BASE_FIND;
    for (size_t i = 0; i < SF_OUTLINE_BASES_MAX; i++) {
        bases->files[i] = SF_DISK_NO_FILE;
    }
    *ret_bases = bases;
    return SF_OK;
}

bool
bases_are_ready(const struct bases *bases)
{
    return bases->step == BASE_READY && bases->why == NULL;
}

bool
bases_are_missing(const struct bases *bases, const char **ret_why)
{
    *ret_why = bases->why;
    return bases->why != NULL;
}

void
bases_set_changed(struct bases *bases)
{
    miss(bases, "what it builds on was changed while it was used");
}

int
bases_file(const struct bases *bases, uint32_t file, uint64_t *ret_bytes)
{
    int number = sf_outline_base_of(bases->outline, file);

    sf_assert(number >= 0);
    sf_assert(bases_are_ready(bases));
    *ret_bytes = bases->outline->bases[number].bytes;
    return bases->files[number];
}

static void
closed(struct sf_disk_op *op)
{
    struct bases *bases = op->owner;

    bases->in_flight--;
    bases_stop(bases);
}

void
bases_stop(struct bases *bases)
{
    if (bases == NULL) {
        return;
    }
    bases->is_stopping = true;
    for (size_t i = 0; i < SF_OUTLINE_BASES_MAX && bases->in_flight == 0; i++) {
        int file = bases->files[i];

        if (file != SF_DISK_NO_FILE) {
            bases->files[i] = SF_DISK_NO_FILE;
            submit(bases, bases->step, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = file},
                closed);
        }
    }
}

bool
bases_are_idle(const struct bases *bases)
{
    if (bases == NULL) {
        return true;
    }
    for (size_t i = 0; bases->is_stopping && i < SF_OUTLINE_BASES_MAX; i++) {
        if (bases->files[i] != SF_DISK_NO_FILE) {
            return false;
        }
    }
    return bases->in_flight == 0;
}

void
bases_free(struct bases *bases)
{
    if (bases != NULL) {
        give_turn(bases);
        sf_wipe(&bases->hash, sizeof(bases->hash));
        free(bases);
    }
}
