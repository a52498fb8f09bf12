/*
 * audit.c - appending to the audit log, and signing its head.
 *
 * Lines are kept as fields until their commit starts, so that number, chain
 * and the count of durable lines are those of the moment of writing. One disk
 * operation is under way at a time: lines, their sync, a head, its sync. An
 * error of any of them is final.
 */
#include "store/audit.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "store/audit_impl.h"

#include <stdlib.h>

enum { PENDING_BYTES_FIRST = 4096 };

static void advance(struct sf_audit *audit);
static void op_done(struct sf_disk_op *op);

static void
idle_done(struct sf_disk_op *op)
{
    struct sf_audit *audit = op->owner;

    audit->idle_running = false;
    sf_commit_list_finish(&audit->idle, audit->failed ? SF_EIO : SF_OK);
}

/* Finish what waits in `idle` from the next poll: an operation that does nothing brings us there. */
static void
start_idle(struct sf_audit *audit)
{
    if (audit->idle_running || audit->idle.first == NULL) {
        return;
    }
    audit->idle_running = true;
    audit->idle_op = (struct sf_disk_op){
        .kind = SF_DISK_STAT, .path = "audit.log", .done = idle_done, .owner = audit};
    sf_disk_submit(audit->disk, &audit->idle_op);
}

static void
die(struct sf_audit *audit)
{
    audit->failed = true;
    audit->step = SF_AUDIT_IDLE;
    sf_commit_list_move(&audit->idle, &audit->running);
    sf_commit_list_move(&audit->idle, &audit->waiting);
    sf_commit_list_move(&audit->idle, &audit->head_now);
    sf_commit_list_move(&audit->idle, &audit->head_batch);
    sf_commit_list_move(&audit->idle, &audit->head_queue);
    start_idle(audit);
}

static void
submit(struct sf_audit *audit, struct sf_disk_op op)
{
    audit->op = op;
    audit->op.done = op_done;
    audit->op.owner = audit;
    sf_disk_submit(audit->disk, &audit->op);
}

/* --- Lines -------------------------------------------------------------------------- */

/* Turn the pending fields into lines. False without memory. */
static bool
make_batch(struct sf_audit *audit)
{
    size_t capacity = audit->pending_bytes + audit->pending_lines * SF_AUDIT_FRAME_BYTES_MAX +
                      SF_AUDIT_LINE_BYTES_MAX;
    struct sf_audit_line line = {.seq = audit->lines, .synced = audit->lines};
    const char *at = audit->pending;

    audit->batch = malloc(capacity);
    if (audit->batch == NULL) {
        return false;
    }
    audit->batch_bytes = 0;
    memcpy(audit->batch_hash, audit->hash, sizeof(audit->hash));
    while (at < audit->pending + audit->pending_bytes) {
        const char *end = memchr(at, '\n', (size_t)(audit->pending + audit->pending_bytes - at));
        char *out = audit->batch + audit->batch_bytes;
        size_t bytes;

        line.seq++;
        memcpy(line.prev, audit->batch_hash, sizeof(line.prev));
        bytes = sf_audit_line_encode(&line, sf_view(at, (size_t)(end - at)), out);
        sf_assert(bytes > 0);
        sf_sha256(sf_view(out, bytes), audit->batch_hash);
        out[bytes] = '\n';
        audit->batch_bytes += bytes + 1;
        at = end + 1;
    }
    audit->batch_lines = audit->pending_lines;
    audit->pending_bytes = 0;
    audit->pending_lines = 0;
    return true;
}

static void
start_batch(struct sf_audit *audit)
{
    if (!make_batch(audit)) {
        die(audit);
        return;
    }
    sf_commit_list_move(&audit->running, &audit->waiting);
    sf_commit_list_move(&audit->head_batch, &audit->head_queue);
    audit->step = SF_AUDIT_WRITE;
    submit(audit, (struct sf_disk_op){
                      .kind = SF_DISK_WRITE,
                      .file = audit->file,
                      .offset = audit->end,
                      .data = (uint8_t *)audit->batch,
                      .bytes = audit->batch_bytes,
                  });
}

static void
batch_synced(struct sf_audit *audit)
{
    struct sf_commit_list done = audit->running;

    audit->running = (struct sf_commit_list){0};
    audit->end += audit->batch_bytes;
    sf_headroom_check(&audit->headroom, audit->file, audit->end);
    audit->lines += audit->batch_lines;
    memcpy(audit->hash, audit->batch_hash, sizeof(audit->hash));
    free(audit->batch);
    audit->batch = NULL;
    sf_commit_list_move(&audit->head_now, &audit->head_batch);
    audit->step = SF_AUDIT_IDLE;
    advance(audit);
    sf_commit_list_finish(&done, SF_OK);
}

/* --- Heads ----------------------------------------------------------------------------- */

/* Sign the head of what is durable. */
static void
start_head(struct sf_audit *audit)
{
    struct sf_audit_note note = {.lines = audit->lines};
    uint8_t signature[64];
    size_t bytes;

    memcpy(note.hash, audit->hash, sizeof(note.hash));
    bytes = sf_audit_note_text(&note, audit->origin, audit->head);
    if (audit->sign(audit->sign_context, sf_view(audit->head, bytes), signature) != SF_OK ||
        sf_verify(audit->public_key, sf_view(audit->head, bytes), signature) != SF_OK) {
        die(audit);
        return;
    }
    audit->head_bytes =
        sf_audit_note_finish(audit->origin, audit->public_key, signature, bytes, audit->head);
    audit->step = SF_AUDIT_HEAD_WRITE;
    submit(audit, (struct sf_disk_op){
                      .kind = SF_DISK_WRITE,
                      .file = audit->heads_file,
                      .offset = audit->heads_end,
                      .data = (uint8_t *)audit->head,
                      .bytes = audit->head_bytes,
                  });
}

static void
head_synced(struct sf_audit *audit)
{
    struct sf_commit_list done = audit->head_now;

    /* Lines wait while a head is under way, so those it counts are all there are. */
    audit->head_now = (struct sf_commit_list){0};
    audit->heads_end += audit->head_bytes;
    sf_headroom_check(&audit->heads_headroom, audit->heads_file, audit->heads_end);
    audit->lines_signed = audit->lines;
    audit->step = SF_AUDIT_IDLE;
    advance(audit);
    sf_commit_list_finish(&done, SF_OK);
}

/* --- The machine ------------------------------------------------------------------------ */

static void
advance(struct sf_audit *audit)
{
    if (audit->step != SF_AUDIT_IDLE || audit->failed) {
        return;
    }
    if (audit->pending_bytes == 0) {
        sf_commit_list_move(&audit->head_now, &audit->head_queue);
    }
    if (audit->head_now.first != NULL && audit->lines_signed < audit->lines) {
        start_head(audit);
        return;
    }
    sf_commit_list_move(&audit->idle, &audit->head_now);
    start_idle(audit);
    if (audit->waiting.first != NULL || audit->head_queue.first != NULL) {
        start_batch(audit);
    }
}

static void
op_done(struct sf_disk_op *op)
{
    struct sf_audit *audit = op->owner;

    if (op->status == SF_ENOSPC && op->kind == SF_DISK_WRITE) {
        audit->stalled = true; /* nothing was reported: it is written again, to the same place */
        return;
    }
    if (op->status != SF_OK) {
        die(audit);
        return;
    }
    switch (audit->step) {
    case SF_AUDIT_WRITE:
        audit->step = SF_AUDIT_SYNC;
        submit(audit, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = audit->file});
        break;
    case SF_AUDIT_SYNC:
        batch_synced(audit);
        break;
    case SF_AUDIT_HEAD_WRITE:
        audit->step = SF_AUDIT_HEAD_SYNC;
        submit(audit, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = audit->heads_file});
        break;
    case SF_AUDIT_HEAD_SYNC:
        head_synced(audit);
        break;
    case SF_AUDIT_IDLE:
        sf_assert(false);
    }
}

/* --- Room ------------------------------------------------------------------------------------ */

bool
sf_audit_is_tight(const struct sf_audit *audit, uint64_t *ret_need_bytes)
{
    if (!audit->stalled && !audit->headroom.is_tight && !audit->heads_headroom.is_tight) {
        return false;
    }
    *ret_need_bytes = sf_headroom_lacks(&audit->headroom, audit->end) +
                      sf_headroom_lacks(&audit->heads_headroom, audit->heads_end);
    return true;
}

void
sf_audit_retry(struct sf_audit *audit)
{
    if (audit->failed) {
        return;
    }
    sf_headroom_retry(&audit->headroom, audit->file, audit->end);
    sf_headroom_retry(&audit->heads_headroom, audit->heads_file, audit->heads_end);
    if (audit->stalled) {
        audit->stalled = false;
        sf_disk_submit(audit->disk, &audit->op);
    }
}

void
sf_audit_give_up(struct sf_audit *audit)
{
    if (audit->stalled && !audit->failed) {
        audit->stalled = false;
        die(audit);
    }
}

/* --- The public face ----------------------------------------------------------------------- */

int
sf_audit_append(struct sf_audit *audit, const struct sf_audit_entry *entry)
{
    size_t bytes = audit->pending_bytes + entry->bytes + 1;

    if (entry->overflow ||
        bytes + (audit->pending_lines + 1) * SF_AUDIT_FRAME_BYTES_MAX > SF_AUDIT_BATCH_BYTES_MAX) {
        return SF_ELIMIT;
    }
    if (bytes > audit->pending_capacity) {
        size_t capacity =
            audit->pending_capacity == 0 ? PENDING_BYTES_FIRST : audit->pending_capacity;
        char *pending;

        while (capacity < bytes) {
            capacity *= 2;
        }
        pending = realloc(audit->pending, capacity);
        if (pending == NULL) {
            return SF_ENOMEM;
        }
        audit->pending = pending;
        audit->pending_capacity = capacity;
    }
    memcpy(audit->pending + audit->pending_bytes, entry->text, entry->bytes);
    audit->pending[bytes - 1] = '\n';
    audit->pending_bytes = bytes;
    audit->pending_lines++;
    return SF_OK;
}

void
sf_audit_commit(struct sf_audit *audit, struct sf_commit *commit)
{
    bool is_writing = audit->step == SF_AUDIT_WRITE || audit->step == SF_AUDIT_SYNC;

    if (!audit->failed && audit->pending_bytes > 0) {
        sf_commit_list_push(&audit->waiting, commit);
        advance(audit);
    } else if (!audit->failed && is_writing) {
        sf_commit_list_push(&audit->running, commit);
    } else {
        sf_commit_list_push(&audit->idle, commit);
        start_idle(audit);
    }
}

void
sf_audit_commit_head(struct sf_audit *audit, struct sf_commit *commit)
{
    if (audit->failed) {
        sf_commit_list_push(&audit->idle, commit);
        start_idle(audit);
        return;
    }
    sf_commit_list_push(&audit->head_queue, commit);
    advance(audit);
}

void
sf_audit_head(const struct sf_audit *audit, uint8_t ret_hash[32], uint64_t *ret_lines)
{
    memcpy(ret_hash, audit->hash, sizeof(audit->hash));
    *ret_lines = audit->lines;
}

bool
sf_audit_failed(const struct sf_audit *audit)
{
    return audit->failed;
}

int
sf_audit_open(const struct sf_audit_config *config, struct sf_audit **ret_audit)
{
    struct sf_recovery recovery = {.text = "out of memory"};
    struct sf_audit *audit = NULL;
    int status = SF_ENOMEM;

    if (!sf_audit_origin_is_good(config->origin)) {
        recovery.text = "the log's origin is not a name";
        status = SF_EINVAL;
        goto out;
    }
    audit = calloc(1, sizeof(*audit));
    if (audit == NULL) {
        goto out;
    }
    audit->disk = config->disk;
    audit->origin = config->origin;
    memcpy(audit->public_key, config->public_key, sizeof(audit->public_key));
    audit->sign = config->sign;
    audit->sign_context = config->sign_context;
    audit->file = SF_DISK_NO_FILE;
    audit->heads_file = SF_DISK_NO_FILE;
    sf_headroom_init(&audit->headroom, audit->disk, SF_AUDIT_HEADROOM_BYTES);
    sf_headroom_init(&audit->heads_headroom, audit->disk, SF_AUDIT_HEADS_HEADROOM_BYTES);
    status = sf_audit_recover(audit, &recovery);
    if (status == SF_OK) {
        status = sf_headroom_fill(&audit->headroom, audit->file, audit->end);
    }
    if (status == SF_OK) {
        status = sf_headroom_fill(&audit->heads_headroom, audit->heads_file, audit->heads_end);
    }

out:
    if (config->ret_recovery != NULL) {
        *config->ret_recovery = recovery;
    }
    if (status != SF_OK) {
        if (audit != NULL) {
            sf_audit_close(audit);
        }
        return status;
    }
    *ret_audit = audit;
    return SF_OK;
}

static void
close_file(struct sf_audit *audit, int file)
{
    struct sf_disk_op op = {.kind = SF_DISK_CLOSE, .file = file};

    if (file != SF_DISK_NO_FILE && sf_disk_run(audit->disk, &op) != SF_OK) {
        audit->failed = true; /* nothing is lost by it: what counts was synced */
    }
}

void
sf_audit_close(struct sf_audit *audit)
{
    while ((audit->step != SF_AUDIT_IDLE && !audit->stalled) || audit->idle_running ||
           audit->headroom.is_running || audit->heads_headroom.is_running) {
        if (!sf_disk_poll(audit->disk)) {
            audit->disk->wait(audit->disk);
        }
    }
    close_file(audit, audit->file);
    close_file(audit, audit->heads_file);
    sf_audit_drop(audit);
}

void
sf_audit_drop(struct sf_audit *audit)
{
    free(audit->pending);
    free(audit->batch);
    free(audit);
}
