/*
 * journal_compact.c - writing the journal anew, without what is no longer true.
 *
 * The ledger is written to `journal.new` record by record while commits go on
 * into the old file; what they write is kept in memory as the tail. When the
 * snapshot is synced, commits are held for a moment: tail and everything still
 * waiting follow, then the fact WHOLE, SYNC, headroom, RENAME, SYNC_DIR. Then the new
 * file is the journal and who waited is told. Until the rename nothing depends
 * on the new file, and an error there only gives it up; from the rename on an
 * error leaves open which file the directory names, so the journal dies.
 *
 * The snapshot is not of one moment, which does no harm: see sf_ledger_walk.
 */
#include "base/assert.h"
#include "store/journal_impl.h"

#include <stdlib.h>

enum { AGAIN_BYTES = 1024 * 1024 };

static void step_done(struct sf_disk_op *op);

static void
submit(struct sf_journal *journal, enum sf_compact_step step, struct sf_disk_op op)
{
    struct sf_compact *compact = &journal->compact;

    compact->step = step;
    compact->op = op;
    compact->op.done = step_done;
    compact->op.owner = journal;
    sf_disk_submit(journal->disk, &compact->op);
}

static void
submit_write(struct sf_journal *journal, enum sf_compact_step step, uint8_t *data, size_t bytes)
{
    submit(journal, step,
        (struct sf_disk_op){
            .kind = SF_DISK_WRITE,
            .file = journal->compact.file,
            .offset = journal->compact.end,
            .data = data,
            .bytes = bytes,
        });
}

static void
submit_file(struct sf_journal *journal, enum sf_compact_step step, enum sf_disk_kind kind, int file)
{
    submit(journal, step, (struct sf_disk_op){.kind = kind, .file = file});
}

bool
sf_journal_compact_keeps(const struct sf_journal *journal)
{
    switch (journal->compact.step) {
    case SF_COMPACT_OPEN:
    case SF_COMPACT_SNAPSHOT:
    case SF_COMPACT_SYNC:
    case SF_COMPACT_HOLD:
        return true;
    default:
        return false;
    }
}

/* Forget the tail and the chunk. */
static void
let_go(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;
    struct sf_journal_record *record;

    sf_ledger_walk_end(&journal->ledger);
    while ((record = sf_journal_queue_pop(&compact->tail)) != NULL) {
        sf_journal_record_give(journal, record);
    }
    if (compact->chunk != NULL) {
        sf_journal_record_give(journal, compact->chunk);
        compact->chunk = NULL;
    }
    journal->hold = false;
}

/* The old file stays the journal. */
static void
give_up(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;
    int file = compact->file;

    let_go(journal);
    journal->stats.compactions_failed++;
    compact->threshold = journal->end + journal->ledger.live_bytes + SF_JOURNAL_COMPACT_SLACK_BYTES;
    compact->file = SF_DISK_NO_FILE;
    if (file != SF_DISK_NO_FILE) {
        submit_file(journal, SF_COMPACT_GIVE_UP_CLOSE, SF_DISK_CLOSE, file);
    } else {
        submit(journal, SF_COMPACT_GIVE_UP_UNLINK,
            (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = journal->name_new});
    }
    sf_journal_start(journal);
}

static void
begin(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;

    compact->chunk = sf_journal_record_take(journal);
    if (compact->chunk == NULL) {
        compact->threshold = journal->end + SF_JOURNAL_COMPACT_SLACK_BYTES;
        return;
    }
    compact->file = SF_DISK_NO_FILE;
    compact->end = 0;
    compact->sequence = 0;
    compact->walk_over = false;
    sf_ledger_walk_begin(&journal->ledger, &compact->walk);
    submit(journal, SF_COMPACT_OPEN,
        (struct sf_disk_op){
            .kind = SF_DISK_OPEN,
            .path = journal->name_new,
            .flags = SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_EXCLUSIVE | SF_DISK_DIRECT,
        });
}

void
sf_journal_compact_if_due(struct sf_journal *journal)
{
    uint64_t limit = 2 * journal->ledger.live_bytes + SF_JOURNAL_COMPACT_SLACK_BYTES;

    if (journal->compact.step == SF_COMPACT_IDLE && !journal->failed &&
        !journal->headroom.is_running && journal->end > limit &&
        journal->end > journal->compact.threshold) {
        begin(journal);
    }
}

/*
 * Write what was read back to where it stands, and sync it. It is the same
 * bytes, so a crash in the middle leaves no other file than one before it; but
 * now the kernel has to write them, whatever an earlier sync that failed dropped.
 */
static int
write_again(struct sf_journal *journal, uint64_t from)
{
    uint8_t *data = aligned_alloc(SF_DISK_ALIGN, AGAIN_BYTES);
    struct sf_disk_op op = {.file = journal->file, .data = data, .offset = from};
    int status = data == NULL ? SF_ENOMEM : SF_OK;

    while (status == SF_OK && op.offset < journal->end) {
        op.bytes = journal->end - op.offset < AGAIN_BYTES ? (size_t)(journal->end - op.offset)
                                                          : AGAIN_BYTES;
        op.kind = SF_DISK_READ;
        status = sf_disk_run(journal->disk, &op);
        if (status == SF_OK && op.ret_bytes != op.bytes) {
            status = SF_EIO; /* shorter than it was */
        }
        op.kind = SF_DISK_WRITE;
        status = status == SF_OK ? sf_disk_run(journal->disk, &op) : status;
        op.offset += op.bytes;
    }
    op.kind = SF_DISK_SYNC;
    status = status == SF_OK ? sf_disk_run(journal->disk, &op) : status;
    free(data);
    return status;
}

int
sf_journal_renew(struct sf_journal *journal)
{
    uint64_t generation = journal->generation;

    begin(journal);
    while (journal->compact.step != SF_COMPACT_IDLE) {
        if (!sf_disk_poll(journal->disk)) {
            journal->disk->wait(journal->disk);
        }
    }
    if (journal->failed) {
        return SF_EIO;
    }
    return journal->generation != generation ? SF_OK : write_again(journal, 0);
}

int
sf_journal_confirm(struct sf_journal *journal)
{
    return write_again(journal, journal->end - SF_JOURNAL_BLOCK_BYTES);
}

/* Fill the chunk from the walk and write it; sync when the walk is over. */
static void
write_snapshot(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;
    struct sf_journal_record *chunk = compact->chunk;
    struct sf_fact fact;

    chunk->bytes = SF_JOURNAL_RECORD_HEAD_BYTES;
    while (!compact->walk_over && chunk->bytes < SF_JOURNAL_RECORD_BYTES_SOFT) {
        /* Room first: a fact taken from the walk cannot be given back. */
        if (!sf_journal_record_reserve(
                chunk, SF_JOURNAL_VALUE_BYTES_MAX + SF_JOURNAL_BLOCK_BYTES)) {
            give_up(journal);
            return;
        }
        if (sf_ledger_walk_next(&journal->ledger, &compact->walk, &fact)) {
            chunk->bytes += sf_fact_encode(&fact, chunk->data + chunk->bytes);
        } else {
            compact->walk_over = true;
        }
    }
    if (chunk->bytes == SF_JOURNAL_RECORD_HEAD_BYTES) {
        submit_file(journal, SF_COMPACT_SYNC, SF_DISK_SYNC, compact->file);
        return;
    }
    submit_write(journal, SF_COMPACT_SNAPSHOT, chunk->data,
        sf_journal_record_stamp(chunk, journal->generation + 1, ++compact->sequence));
}

/* Write the next record of the tail, then those that still wait, then WHOLE. */
static void
write_tail(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;
    struct sf_journal_record *record = compact->at;
    struct sf_fact whole = {.op = SF_FACT_WHOLE};

    if (record == NULL && !compact->at_queue) {
        compact->at_queue = true;
        record = compact->queue_last != NULL ? journal->queue.first : NULL;
    }
    if (record != NULL) {
        compact->at = record == compact->queue_last ? NULL : record->next;
    } else {
        record = compact->chunk;
        record->bytes = SF_JOURNAL_RECORD_HEAD_BYTES;
        record->bytes += sf_fact_encode(&whole, record->data + record->bytes);
        compact->whole_written = true;
    }
    submit_write(journal, SF_COMPACT_TAIL, record->data,
        sf_journal_record_stamp(record, journal->generation + 1, ++compact->sequence));
}

/* Nothing is being written to the old file, and nothing will be. */
static void
switch_over(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;

    sf_journal_close_filling(journal);
    compact->queue_last = journal->queue.last;
    compact->at = compact->tail.first;
    compact->at_queue = false;
    compact->whole_written = false;
    write_tail(journal);
}

void
sf_journal_compact_resume(struct sf_journal *journal)
{
    if (journal->compact.step != SF_COMPACT_HOLD) {
        return;
    }
    if (journal->failed) {
        give_up(journal);
    } else {
        switch_over(journal);
    }
}

/* The new file is the journal, durably. */
static void
finish(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;
    struct sf_commit_list waiters = {0};
    struct sf_journal_record *record;
    int old_file = journal->file;
    bool last = compact->queue_last == NULL;

    while (!last) {
        record = sf_journal_queue_pop(&journal->queue);
        last = record == compact->queue_last;
        sf_commit_list_move(&waiters, &record->waiters);
        sf_journal_record_give(journal, record);
    }
    let_go(journal);
    journal->file = compact->file;
    compact->file = SF_DISK_NO_FILE;
    journal->generation++;
    journal->sequence = compact->sequence;
    journal->end = compact->end;
    journal->headroom.reserved = compact->end + SF_JOURNAL_HEADROOM_BYTES;
    journal->headroom.is_tight = false;
    journal->stalled = false;      /* what waited for room has come along */
    journal->closed_marked = true; /* a damaged snapshot never passes for a torn tail */
    journal->stats.compactions++;
    compact->threshold = 0;
    submit_file(journal, SF_COMPACT_CLOSE_OLD, SF_DISK_CLOSE, old_file);
    sf_journal_start(journal);
    sf_commit_list_finish(&waiters, SF_OK);
}

/* A write to the new file is done. */
static void
written(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;

    compact->end += compact->op.bytes;
    if (compact->step == SF_COMPACT_SNAPSHOT) {
        write_snapshot(journal);
    } else if (!compact->whole_written) {
        write_tail(journal);
    } else {
        submit_file(journal, SF_COMPACT_TAIL_SYNC, SF_DISK_SYNC, compact->file);
    }
}

/* A step before the rename went well. */
static void
advance(struct sf_journal *journal)
{
    struct sf_compact *compact = &journal->compact;

    switch (compact->step) {
    case SF_COMPACT_OPEN:
        compact->file = compact->op.ret_file;
        sf_journal_head_encode(compact->chunk->data, journal->generation + 1);
        submit_write(journal, SF_COMPACT_SNAPSHOT, compact->chunk->data, SF_JOURNAL_BLOCK_BYTES);
        break;
    case SF_COMPACT_SNAPSHOT:
    case SF_COMPACT_TAIL:
        written(journal);
        break;
    case SF_COMPACT_SYNC:
        journal->hold = true;
        compact->step = SF_COMPACT_HOLD;
        if (!journal->running) {
            switch_over(journal);
        }
        break;
    case SF_COMPACT_TAIL_SYNC:
        submit(journal, SF_COMPACT_HEADROOM,
            (struct sf_disk_op){
                .kind = SF_DISK_ALLOCATE,
                .flags = SF_DISK_KEEP_SIZE,
                .file = compact->file,
                .offset = compact->end,
                .bytes = SF_JOURNAL_HEADROOM_BYTES,
            });
        break;
    case SF_COMPACT_HEADROOM:
        submit(journal, SF_COMPACT_RENAME,
            (struct sf_disk_op){
                .kind = SF_DISK_RENAME, .path = journal->name_new, .path_to = journal->name});
        break;
    default:
        sf_assert(false);
    }
}

static void
step_done(struct sf_disk_op *op)
{
    struct sf_journal *journal = op->owner;
    struct sf_compact *compact = &journal->compact;

    switch (compact->step) {
    case SF_COMPACT_RENAME:
    case SF_COMPACT_SYNC_DIR:
        if (op->status != SF_OK) {
            sf_journal_die(journal);
            give_up(journal);
        } else if (compact->step == SF_COMPACT_RENAME) {
            submit(journal, SF_COMPACT_SYNC_DIR,
                (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT});
        } else {
            finish(journal);
        }
        break;
    case SF_COMPACT_CLOSE_OLD:
    case SF_COMPACT_GIVE_UP_UNLINK:
        compact->step = SF_COMPACT_IDLE;
        break;
    case SF_COMPACT_GIVE_UP_CLOSE:
        if (journal->failed) {
            /* The name may be the journal's by now; what is there is for recovery to say. */
            compact->step = SF_COMPACT_IDLE;
        } else {
            submit(journal, SF_COMPACT_GIVE_UP_UNLINK,
                (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = journal->name_new});
        }
        break;
    default:
        if (op->status != SF_OK || journal->failed) {
            if (compact->step == SF_COMPACT_OPEN && op->status == SF_OK) {
                compact->file = op->ret_file;
            }
            give_up(journal);
        } else {
            advance(journal);
        }
    }
}
