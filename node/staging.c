/*
 * staging.c - staged files: synced in rounds, read back in order.
 */
#include "node/staging_private.h"

#include <stdio.h>
#include <stdlib.h>

struct sf_disk *
staging_disk(const struct staging *staging)
{
    return staging->in->node->disk;
}

void
staging_fail(struct staging *staging, int status)
{
    if (status == SF_ENOMEM) {
        node_fail(staging->in->node, SF_ENOMEM); /* nothing is wrong with what is staged */
    } else {
        staging->has_failed = true;
    }
}

/* --- What is written --------------------------------------------------------------------------- */

void
staging_zeros(struct staging *staging, uint64_t place, uint64_t bytes)
{
    /* Nothing to sync: the length of the file was set when it was made, and is synced with it. */
    int status = sf_range_set_add(&staging->written, place, place + bytes);

    if (status != SF_OK) {
        staging_fail(staging, status);
    }
}

bool
staging_has(const struct staging *staging, uint64_t place, uint64_t bytes)
{
    return sf_range_set_covers(&staging->written, place, place + bytes);
}

uint64_t
staging_place(const struct staging *staging, uint32_t file, uint64_t offset)
{
    return staging->starts[file] + offset;
}

/* --- Syncing in rounds ----------------------------------------------------------------------- */

static void
end_round(struct staging *staging)
{
    int status;

    if (staging->sync_failed) {
        /* Final for what it covered; the kernel may now show bytes that the disk lacks. */
        staging_fail(staging, SF_EIO);
        return;
    }
    status = sf_range_set_merge(&staging->synced, &staging->round);
    if (status != SF_OK) {
        staging_fail(staging, status);
    }
    sf_range_set_clear(&staging->round);
}

static void
synced(struct sf_disk_op *op)
{
    struct handle *handle = op->owner;
    struct staging *staging = handle->staging;

    staging->in_flight--;
    staging->syncs--;
    staging->sync_failed |= op->status != SF_OK;
    if (staging->syncs == 0) {
        end_round(staging);
    }
    staging_go_on(staging);
}

static bool
is_all_written(const struct staging *staging)
{
    return staging->queue == NULL &&
           sf_range_set_covers(&staging->written, 0, staging->outline->total_bytes);
}

static void
begin_round(struct staging *staging)
{
    sf_mono now = staging->in->node->now;
    int status;

    if (staging->syncs > 0 || sf_range_set_equal(&staging->written, &staging->synced) ||
        (now < staging->round_at && staging->unsynced_bytes < ROUND_BYTES &&
            !is_all_written(staging))) {
        return;
    }
    staging->round_at = sf_mono_add(now, ROUND_EVERY);
    staging->unsynced_bytes = 0;
    status = sf_range_set_copy(&staging->round, &staging->written);
    if (status != SF_OK) {
        staging_fail(staging, status);
        return;
    }
    for (size_t i = 0; i < HANDLES; i++) {
        struct handle *handle = &staging->handles[i];

        if (handle->state != HANDLE_OPEN || !handle->is_dirty) {
            continue;
        }
        /* The file's other handle need not sync it once more. */
        for (size_t j = i; j < HANDLES; j++) {
            if (staging->handles[j].state == HANDLE_OPEN &&
                staging->handles[j].entry == handle->entry) {
                staging->handles[j].is_dirty = false;
            }
        }
        staging->syncs++;
        staging->in_flight++;
        handle->op = (struct sf_disk_op){.kind = SF_DISK_SYNC,
            .flags = SF_DISK_ONCE,
            .file = handle->file,
            .done = synced,
            .owner = handle};
        sf_disk_submit(staging_disk(staging), &handle->op);
    }
    if (staging->syncs == 0) {
        end_round(staging); /* only zeros */
    }
}

/* --- Reading back ------------------------------------------------------------------------------- */

static struct chunk *
chunk_of(struct sf_job *job)
{
    return (struct chunk *)(void *)((char *)job - offsetof(struct chunk, job));
}

static void
run_hash(struct sf_job *job)
{
    struct chunk *chunk = chunk_of(job);
    struct staging *staging = chunk->staging;

    if (chunk->offset == 0) {
        sf_sha256_init(&staging->hash);
    }
    sf_sha256_update(&staging->hash, chunk->data, chunk->bytes);
    if (chunk->offset + chunk->bytes == staging->outline->files[chunk->entry].bytes) {
        sf_sha256_final(&staging->hash, staging->sha256[chunk->entry]);
    }
}

static void
hashed(struct sf_job *job)
{
    struct chunk *chunk = chunk_of(job);
    struct staging *staging = chunk->staging;

    staging->in_flight--;
    staging->hash_next++;
    staging->verified += chunk->bytes;
    chunk->state = CHUNK_FREE;
    staging_go_on(staging);
    decoder_step(staging->in->decoder);
}

static void
hash_chunk(struct staging *staging)
{
    struct chunk *chunk = &staging->chunks[staging->hash_next % READS];

    if (staging->hash_next == staging->read_next || chunk->state != CHUNK_READ) {
        return;
    }
    chunk->state = CHUNK_HASHING;
    chunk->job = (struct sf_job){.run = run_hash, .done = hashed};
    staging->in_flight++;
    sf_workers_submit(staging->in->node->workers, &chunk->job);
}

static void
chunk_read(struct sf_disk_op *op)
{
    struct chunk *chunk = op->owner;
    struct staging *staging = chunk->staging;

    staging->in_flight--;
    chunk->state = CHUNK_READ;
    if (op->status != SF_OK || op->ret_bytes < chunk->bytes) {
        staging_fail(staging, SF_EIO);
    }
    staging_go_on(staging);
}

static void
read_file_changed(struct sf_disk_op *op)
{
    struct staging *staging = op->owner;

    staging->in_flight--;
    staging->is_read_opening = false;
    if (op->kind == SF_DISK_CLOSE) {
        staging->read_file = SF_DISK_NO_FILE;
    } else if (op->status == SF_OK) {
        staging->read_file = op->ret_file;
    } else {
        staging_fail(staging, op->status);
    }
    staging_go_on(staging);
}

static void
read_submit(struct staging *staging, struct sf_disk_op op)
{
    staging->read_op = op;
    staging->read_op.done = read_file_changed;
    staging->read_op.owner = staging;
    staging->is_read_opening = true;
    staging->in_flight++;
    sf_disk_submit(staging_disk(staging), &staging->read_op);
}

/* Stand at the file that holds read_place; returns whether it is open. */
static bool
open_for_reading(struct staging *staging)
{
    bool is_past = staging->read_place == staging->starts[staging->read_entry + 1];

    if (staging->is_read_opening) {
        return false;
    }
    if (is_past && staging->read_file != SF_DISK_NO_FILE) {
        if (staging->read_next == staging->hash_next) {
            read_submit(
                staging, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = staging->read_file});
        }
        return false;
    }
    while (staging->read_place == staging->starts[staging->read_entry + 1]) {
        staging->read_entry++;
    }
    if (staging->read_file != SF_DISK_NO_FILE) {
        return true;
    }
    staging_entry_path(staging, staging->read_entry, staging->read_path);
    read_submit(
        staging, (struct sf_disk_op){
                     .kind = SF_DISK_OPEN, .path = staging->read_path, .flags = SF_DISK_DIRECT});
    return false;
}

/* How far the line is synced without a gap. */
static uint64_t
synced_until(const struct staging *staging)
{
    uint64_t total = staging->outline->total_bytes;
    struct sf_range hole;

    return sf_range_set_hole(&staging->synced, 0, total, &hole) ? hole.from : total;
}

static void
read_chunks(struct staging *staging)
{
    uint64_t until = synced_until(staging);

    while (staging->read_place < until && staging->read_next - staging->hash_next < READS &&
           open_for_reading(staging)) {
        struct chunk *chunk = &staging->chunks[staging->read_next % READS];
        uint64_t end = staging->starts[staging->read_entry + 1];
        uint64_t bytes = (until < end ? until : end) - staging->read_place;

        if (bytes > CHUNK_BYTES) {
            bytes = CHUNK_BYTES;
        }
        if (staging->read_place + bytes < end) {
            bytes -= bytes % SF_DISK_ALIGN; /* only the end of a file may be uneven */
        }
        if (bytes == 0) {
            return;
        }
        if (chunk->data == NULL) {
            chunk->data = chunk_take(staging->in->node, CHUNK_BYTES);
        }
        if (chunk->data == NULL) {
            return; /* others read back just now; the next tick tries again */
        }
        chunk->staging = staging;
        chunk->state = CHUNK_READING;
        chunk->entry = staging->read_entry;
        chunk->offset = staging->read_place - staging->starts[staging->read_entry];
        chunk->bytes = (size_t)bytes;
        chunk->op = (struct sf_disk_op){
            .kind = SF_DISK_READ,
            .file = staging->read_file,
            .offset = chunk->offset,
            .data = chunk->data,
            .bytes = (chunk->bytes + SF_DISK_ALIGN - 1) / SF_DISK_ALIGN * SF_DISK_ALIGN,
            .done = chunk_read,
            .owner = chunk,
        };
        staging->read_place += bytes;
        staging->read_next++;
        staging->in_flight++;
        sf_disk_submit(staging_disk(staging), &chunk->op);
    }
}

static void
give_chunks(struct staging *staging)
{
    for (size_t i = 0; i < READS; i++) {
        chunk_give(staging->in->node, staging->chunks[i].data, CHUNK_BYTES);
        staging->chunks[i].data = NULL;
    }
}

/* --- All together ------------------------------------------------------------------------------------ */

void
staging_go_on(struct staging *staging)
{
    if (staging->is_stepping || staging->build != BUILD_DONE || staging->has_failed ||
        staging->is_stopping) {
        return;
    }
    staging->is_stepping = true;
    staging_pump(staging);
    begin_round(staging);
    read_chunks(staging);
    hash_chunk(staging);
    if (staging->read_next == staging->hash_next && staging->read_place >= synced_until(staging)) {
        give_chunks(staging); /* nothing more to be read back for now */
    }
    staging->is_stepping = false;
}

void
staging_step(struct staging *staging)
{
    staging_build_again(staging);
    staging_go_on(staging);
}

sf_mono
staging_deadline(const struct staging *staging)
{
    sf_mono deadline = SF_NEVER;

    if (staging->build_waits && !staging->is_stopping) {
        return staging->room_at;
    }
    if (staging->build != BUILD_DONE || staging->has_failed || staging->is_stopping) {
        return SF_NEVER;
    }
    if (staging->is_full) {
        deadline = staging->room_at;
    }
    if (staging->syncs == 0 && !sf_range_set_equal(&staging->written, &staging->synced)) {
        deadline = sf_mono_min(deadline, staging->round_at);
    }
    return deadline;
}

uint64_t
staging_verified(const struct staging *staging)
{
    return staging->verified;
}

const uint8_t *
staging_sha256(const struct staging *staging, uint32_t file)
{
    return staging->sha256[file];
}

bool
staging_has_failed(const struct staging *staging)
{
    return staging->has_failed;
}

void
staging_stop(struct staging *staging)
{
    staging->is_stopping = true;
    staging_build_stop(staging);
    staging_drop_writes(staging);
    if (staging->in_flight > 0) {
        return;
    }
    for (size_t i = 0; i < HANDLES; i++) {
        struct handle *handle = &staging->handles[i];

        if (handle->state == HANDLE_OPEN) {
            staging_handle_close(handle);
        }
    }
    if (staging->read_file != SF_DISK_NO_FILE) {
        read_submit(
            staging, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = staging->read_file});
    }
}

bool
staging_is_idle(const struct staging *staging)
{
    if (staging->in_flight > 0) {
        return false;
    }
    if (!staging->is_stopping) {
        return true;
    }
    for (size_t i = 0; i < HANDLES; i++) {
        if (staging->handles[i].state == HANDLE_OPEN) {
            return false;
        }
    }
    return staging->read_file == SF_DISK_NO_FILE;
}

void
staging_free(struct staging *staging)
{
    if (staging == NULL) {
        return;
    }
    give_chunks(staging);
    sf_range_set_fini(&staging->written);
    sf_range_set_fini(&staging->round);
    sf_range_set_fini(&staging->synced);
    free(staging->starts);
    free(staging->sha256);
    sf_wipe(&staging->hash, sizeof(staging->hash));
    free(staging);
}

static int
allocate(struct staging *staging, uint64_t verified)
{
    const struct sf_outline *outline = staging->outline;
    uint8_t empty[32];

    staging->starts = calloc((size_t)outline->file_count + 1, sizeof(*staging->starts));
    staging->sha256 = calloc((size_t)outline->file_count, sizeof(*staging->sha256));
    if (staging->starts == NULL || staging->sha256 == NULL) {
        return SF_ENOMEM;
    }
    sf_sha256(sf_view(NULL, 0), empty);
    for (uint32_t i = 0; i < outline->file_count; i++) {
        staging->starts[i + 1] = staging->starts[i] + outline->files[i].bytes;
        memcpy(staging->sha256[i], empty, sizeof(empty));
    }
    for (size_t i = 0; i < HANDLES; i++) {
        staging->handles[i].entry = NO_ENTRY;
    }
    if (sf_range_set_add(&staging->written, 0, verified) != SF_OK ||
        sf_range_set_add(&staging->synced, 0, verified) != SF_OK) {
        return SF_ENOMEM;
    }
    return SF_OK;
}

int
staging_open(struct inbound *in, const struct sf_outline *outline, uint64_t verified,
    struct staging **ret_staging)
{
    struct staging *staging = calloc(1, sizeof(*staging));

    if (staging == NULL) {
        return SF_ENOMEM;
    }
    staging->in = in;
    staging->outline = outline;
    staging->queue_last = &staging->queue;
    staging->read_file = SF_DISK_NO_FILE;
    staging->kept = verified;
    sf_range_set_init(&staging->written, SF_JOURNAL_RANGES_MAX);
    sf_range_set_init(&staging->round, SF_JOURNAL_RANGES_MAX);
    sf_range_set_init(&staging->synced, SF_JOURNAL_RANGES_MAX);
    if (allocate(staging, verified) != SF_OK) {
        staging_free(staging);
        return SF_ENOMEM;
    }
    *ret_staging = staging;
    staging_path(in, staging->build_path);
    staging_build_mkdir(staging, BUILD_ROOT);
    return SF_OK;
}
