/*
 * spool_put.c - bundles into their slots, and the one place where custody begins.
 *
 * A put walks: WRITE -> (waits) -> SYNC, shared -> fact -> commit, shared ->
 * done. A SYNC that fails takes with it every put whose write had begun before
 * it ended: the kernel tells of a lost page once, to whichever sync comes
 * first. The file's era counts such failures, and a put of an earlier era is
 * never believed.
 */
#include "base/assert.h"
#include "store/spool_impl.h"

static void
list_push(struct sf_spool_puts *list, struct sf_spool_put *put)
{
    put->next = NULL;
    if (list->last != NULL) {
        list->last->next = put;
    } else {
        list->first = put;
    }
    list->last = put;
}

static struct sf_spool_put *
list_take(struct sf_spool_puts *list)
{
    struct sf_spool_put *first = list->first;

    *list = (struct sf_spool_puts){0};
    return first;
}

/* --- Puts --------------------------------------------------------------------------------------- */

static void start_sync(struct sf_spool *spool);

static void
put_finish(struct sf_spool_put *put, int status)
{
    struct sf_spool *spool = put->spool;

    if (status == SF_OK) {
        spool->spools->stats.puts++;
    } else {
        spool->spools->stats.puts_failed++;
    }
    spool->in_flight--;
    put->status = status;
    put->done(put);
    sf_spool_leave_if_quiet(spool);
}

static void
put_committed(struct sf_commit *commit)
{
    put_finish(commit->owner, commit->status);
}

/* A sync failed: nothing whose write had begun is held. */
static void
fail_all(struct sf_spool *spool, int system_errno)
{
    struct sf_spool_put *lists[2];

    lists[0] = list_take(&spool->covered);
    lists[1] = list_take(&spool->written);
    spool->era++;
    for (int i = 0; i < 2; i++) {
        struct sf_spool_put *put = lists[i];

        while (put != NULL) {
            struct sf_spool_put *next = put->next;

            put->system_errno = system_errno;
            put_finish(put, SF_EIO);
            put = next;
        }
    }
}

/* What a sync covered gets its facts, all of them before the first commit, so that one serves all. */
static void
record_covered(struct sf_spool *spool)
{
    struct sf_journal *journal = spool->spools->journal;
    struct sf_spool_put *put = list_take(&spool->covered);
    struct sf_spool_puts recorded = {0};

    while (put != NULL) {
        struct sf_spool_put *next = put->next;
        int status =
            sf_journal_add(journal, put->table, put->key, put->index, put->index + 1, put->tag);

        if (status == SF_OK) {
            list_push(&recorded, put);
        } else {
            put_finish(put, status);
        }
        put = next;
    }
    put = list_take(&recorded);
    while (put != NULL) {
        struct sf_spool_put *next = put->next;

        put->commit = (struct sf_commit){.done = put_committed, .owner = put};
        sf_journal_commit(journal, &put->commit);
        put = next;
    }
}

static void
sync_done(struct sf_disk_op *disk_op)
{
    struct sf_spool *spool = disk_op->owner;

    spool->sync_running = false;
    spool->spools->stats.syncs++;
    if (disk_op->status != SF_OK) {
        fail_all(spool, disk_op->system_errno);
        return;
    }
    record_covered(spool);
    start_sync(spool);
}

static void
start_sync(struct sf_spool *spool)
{
    if (spool->sync_running || spool->written.first == NULL) {
        return;
    }
    spool->covered = spool->written;
    spool->written = (struct sf_spool_puts){0};
    spool->sync_running = true;
    spool->sync_op = (struct sf_disk_op){
        .kind = SF_DISK_SYNC, .file = spool->file, .done = sync_done, .owner = spool};
    sf_disk_submit(spool->spools->disk, &spool->sync_op);
}

static void
put_written(struct sf_disk_op *disk_op)
{
    struct sf_spool_put *put = disk_op->owner;
    struct sf_spool *spool = put->spool;

    if (disk_op->status != SF_OK || put->era != spool->era) {
        put->system_errno = disk_op->system_errno;
        put_finish(put, disk_op->status != SF_OK ? disk_op->status : SF_EIO);
        return;
    }
    list_push(&spool->written, put);
    start_sync(spool);
}

void
sf_spool_put(struct sf_spool_put *put)
{
    struct sf_spool *spool = put->spool;

    sf_assert(put->index < spool->slots);
    sf_assert((uintptr_t)put->object % SF_DISK_ALIGN == 0);
    sf_assert(put->key.bytes > 0 && put->key.bytes <= SF_JOURNAL_KEY_BYTES_MAX);
    sf_spool_enter(spool);
    put->status = SF_OK;
    put->system_errno = 0;
    put->era = spool->era;
    put->disk_op = (struct sf_disk_op){
        .kind = SF_DISK_WRITE,
        .file = spool->file,
        .offset = put->index * spool->class_bytes,
        .data = (uint8_t *)(uintptr_t)put->object,
        .bytes = spool->class_bytes,
        .done = put_written,
        .owner = put,
    };
    sf_disk_submit(spool->spools->disk, &put->disk_op);
}

/* --- Pages ---------------------------------------------------------------------------------------- */

static void
io_done(struct sf_disk_op *disk_op)
{
    struct sf_spool_io *io = disk_op->owner;
    struct sf_spool *spool = io->spool;

    spool->in_flight--;
    io->status = disk_op->status;
    io->system_errno = disk_op->system_errno;
    if (io->status == SF_OK && disk_op->kind == SF_DISK_READ && disk_op->ret_bytes != io->bytes) {
        io->status = SF_EIO; /* somebody made the file shorter */
    }
    io->done(io);
    sf_spool_leave_if_quiet(spool);
}

static void
submit_io(struct sf_spool_io *io, enum sf_disk_kind kind)
{
    struct sf_spool *spool = io->spool;

    sf_assert(io->index < spool->slots);
    sf_assert(io->offset % SF_DISK_ALIGN == 0 && io->bytes % SF_DISK_ALIGN == 0);
    sf_assert(io->bytes > 0 && io->bytes <= spool->class_bytes);
    sf_assert(io->offset <= spool->class_bytes - io->bytes);
    sf_assert((uintptr_t)io->data % SF_DISK_ALIGN == 0);
    sf_spool_enter(spool);
    io->status = SF_OK;
    io->system_errno = 0;
    io->disk_op = (struct sf_disk_op){
        .kind = kind,
        .file = spool->file,
        .offset = io->index * spool->class_bytes + io->offset,
        .data = io->data,
        .bytes = io->bytes,
        .done = io_done,
        .owner = io,
    };
    sf_disk_submit(spool->spools->disk, &io->disk_op);
}

void
sf_spool_get(struct sf_spool_io *io)
{
    submit_io(io, SF_DISK_READ);
}

void
sf_spool_write_raw(struct sf_spool_io *io)
{
    submit_io(io, SF_DISK_WRITE);
}
