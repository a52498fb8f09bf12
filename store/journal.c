/*
 * journal.c - facts and group commit; the bytes are described in journal_impl.h.
 *
 * A fact goes into the ledger and into the record being filled. A commit
 * closes that record and, if none is running, starts: WRITE, then SYNC, then
 * everybody who waited for it is told. What is appended meanwhile fills the
 * next record. There is no timer: the medium's own pace makes the groups.
 */
#include "store/journal.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "store/journal_impl.h"

#include <stdlib.h>

enum { RECORD_BYTES_FIRST = 64 * 1024 };

/* --- Records --------------------------------------------------------------- */

struct sf_journal_record *
sf_journal_record_take(struct sf_journal *journal)
{
    struct sf_journal_record *record = journal->spare;

    if (record != NULL) {
        journal->spare = NULL;
    } else {
        record = calloc(1, sizeof(*record));
        if (record == NULL) {
            return NULL;
        }
        record->data = aligned_alloc(SF_DISK_ALIGN, RECORD_BYTES_FIRST);
        if (record->data == NULL) {
            free(record);
            return NULL;
        }
        record->capacity = RECORD_BYTES_FIRST;
    }
    record->next = NULL;
    record->waiters = (struct sf_commit_list){0};
    record->bytes = SF_JOURNAL_RECORD_HEAD_BYTES;
    return record;
}

static void
record_free(struct sf_journal_record *record)
{
    if (record != NULL) {
        free(record->data);
        free(record);
    }
}

void
sf_journal_record_give(struct sf_journal *journal, struct sf_journal_record *record)
{
    if (journal->spare == NULL && record->capacity <= SF_JOURNAL_RECORD_BYTES_SOFT) {
        journal->spare = record;
    } else {
        record_free(record);
    }
}

bool
sf_journal_record_reserve(struct sf_journal_record *record, size_t bytes)
{
    size_t capacity = record->capacity;
    uint8_t *data;

    sf_assert(record->bytes + bytes <= SF_JOURNAL_RECORD_BYTES_MAX);
    if (record->bytes + bytes <= capacity) {
        return true;
    }
    while (capacity < record->bytes + bytes) {
        capacity *= 2;
    }
    data = aligned_alloc(SF_DISK_ALIGN, capacity);
    if (data == NULL) {
        return false;
    }
    memcpy(data, record->data, record->bytes);
    free(record->data);
    record->data = data;
    record->capacity = capacity;
    return true;
}

size_t
sf_journal_record_stamp(struct sf_journal_record *record, uint64_t generation, uint64_t sequence)
{
    size_t bytes = (record->bytes + SF_JOURNAL_BLOCK_BYTES - 1) / SF_JOURNAL_BLOCK_BYTES *
                   SF_JOURNAL_BLOCK_BYTES;
    uint8_t *head = record->data;

    memset(head + record->bytes, 0, bytes - record->bytes);
    memcpy(head, "SFJR", 4);
    sf_put_be32(head + 8, (uint32_t)(record->bytes - SF_JOURNAL_RECORD_HEAD_BYTES));
    sf_put_be32(head + 12, 0);
    sf_put_be64(head + 16, generation);
    sf_put_be64(head + 24, sequence);
    sf_put_be32(head + 4, sf_crc32c(0, head + 8, bytes - 8));
    return bytes;
}

void
sf_journal_head_encode(uint8_t *block, uint64_t generation)
{
    memset(block, 0, SF_JOURNAL_BLOCK_BYTES);
    memcpy(block, "skyferry-journal", 16);
    sf_put_be32(block + 16, SF_JOURNAL_VERSION);
    sf_put_be32(block + 20, SF_JOURNAL_BLOCK_BYTES);
    sf_put_be64(block + 24, generation);
    sf_put_be32(
        block + SF_JOURNAL_BLOCK_BYTES - 4, sf_crc32c(0, block, SF_JOURNAL_BLOCK_BYTES - 4));
}

void
sf_journal_queue_push(struct sf_journal_queue *queue, struct sf_journal_record *record)
{
    record->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = record;
    } else {
        queue->first = record;
    }
    queue->last = record;
    queue->bytes += record->bytes;
}

struct sf_journal_record *
sf_journal_queue_pop(struct sf_journal_queue *queue)
{
    struct sf_journal_record *record = queue->first;

    if (record != NULL) {
        queue->first = record->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        queue->bytes -= record->bytes;
        record->next = NULL;
    }
    return record;
}

static void
queue_free(struct sf_journal_queue *queue)
{
    struct sf_journal_record *record;

    while ((record = sf_journal_queue_pop(queue)) != NULL) {
        record_free(record);
    }
}

/* --- Appending --------------------------------------------------------------- */

void
sf_journal_close_filling(struct sf_journal *journal)
{
    if (journal->filling != NULL) {
        sf_journal_queue_push(&journal->queue, journal->filling);
        journal->filling = NULL;
    }
}

/* Room for a fact of `bytes` in the record being filled. */
static bool
reserve(struct sf_journal *journal, size_t bytes)
{
    if (journal->filling != NULL && journal->filling->bytes + bytes > SF_JOURNAL_RECORD_BYTES_MAX) {
        sf_journal_close_filling(journal);
    }
    if (journal->filling == NULL) {
        journal->filling = sf_journal_record_take(journal);
    }
    return journal->filling != NULL && sf_journal_record_reserve(journal->filling, bytes);
}

/*
 * Apply the fact and put it into the record being filled. Facts tell a change
 * together: if one is missing for want of memory, none that follow may become
 * durable without it.
 */
static int
append(struct sf_journal *journal, const struct sf_fact *fact)
{
    int status = reserve(journal, sf_fact_bytes(fact)) ? SF_OK : SF_ENOMEM;

    if (status == SF_OK) {
        status = sf_ledger_apply(&journal->ledger, fact);
    }
    if (status == SF_OK) {
        journal->filling->bytes +=
            sf_fact_encode(fact, journal->filling->data + journal->filling->bytes);
    } else if (status == SF_ENOMEM) {
        sf_journal_abandon(journal);
    }
    return status;
}

static bool
is_key(struct sf_view key)
{
    return key.bytes > 0 && key.bytes <= SF_JOURNAL_KEY_BYTES_MAX;
}

int
sf_journal_set(struct sf_journal *journal, uint8_t table, struct sf_view key, struct sf_view value)
{
    struct sf_fact fact = {.op = SF_FACT_SET, .table = table, .key = key, .value = value};

    if (!is_key(key) || value.bytes > SF_JOURNAL_VALUE_BYTES_MAX) {
        return SF_EINVAL;
    }
    return append(journal, &fact);
}

int
sf_journal_unset(struct sf_journal *journal, uint8_t table, struct sf_view key)
{
    struct sf_fact fact = {.op = SF_FACT_UNSET, .table = table, .key = key};

    if (!is_key(key)) {
        return SF_EINVAL;
    }
    if (sf_ledger_find(&journal->ledger, table, key) == NULL) {
        return SF_OK;
    }
    return append(journal, &fact);
}

int
sf_journal_add(struct sf_journal *journal, uint8_t table, struct sf_view key, uint64_t from,
    uint64_t to, const uint8_t *tags)
{
    struct sf_fact fact = {
        .op = tags != NULL && from < to ? SF_FACT_ADD_TAGGED : SF_FACT_ADD,
        .table = table,
        .key = key,
        .from = from,
        .to = to,
        .tags = tags,
    };

    if (!is_key(key) || from > to ||
        (fact.op == SF_FACT_ADD_TAGGED && to - from > SF_FACT_TAGS_MAX)) {
        return SF_EINVAL;
    }
    return append(journal, &fact);
}

int
sf_journal_remove(
    struct sf_journal *journal, uint8_t table, struct sf_view key, uint64_t from, uint64_t to)
{
    struct sf_fact fact = {
        .op = SF_FACT_REMOVE, .table = table, .key = key, .from = from, .to = to};

    if (!is_key(key) || from > to) {
        return SF_EINVAL;
    }
    return append(journal, &fact);
}

int
sf_journal_drop_tags(struct sf_journal *journal, uint8_t table, struct sf_view key)
{
    struct sf_fact fact = {.op = SF_FACT_DROP_TAGS, .table = table, .key = key};

    if (!is_key(key)) {
        return SF_EINVAL;
    }
    return append(journal, &fact);
}

/* --- Commits ------------------------------------------------------------------ */

static void
idle_done(struct sf_disk_op *op)
{
    struct sf_journal *journal = op->owner;

    journal->idle_running = false;
    sf_commit_list_finish(&journal->idle, journal->failed ? SF_EIO : SF_OK);
}

/* Finish what waits in `idle` from the next poll: an operation that does nothing brings us there. */
static void
start_idle(struct sf_journal *journal)
{
    if (journal->idle_running || journal->idle.first == NULL) {
        return;
    }
    journal->idle_running = true;
    journal->idle_op = (struct sf_disk_op){
        .kind = SF_DISK_STAT, .path = journal->name, .done = idle_done, .owner = journal};
    sf_disk_submit(journal->disk, &journal->idle_op);
}

void
sf_journal_die(struct sf_journal *journal)
{
    journal->failed = true;
    journal->hold = false;
    for (struct sf_journal_record *record = journal->queue.first; record != NULL;
         record = record->next) {
        sf_commit_list_move(&journal->idle, &record->waiters);
    }
    if (journal->filling != NULL) {
        sf_commit_list_move(&journal->idle, &journal->filling->waiters);
    }
    start_idle(journal);
}

static void
commit_over(struct sf_journal *journal, int status)
{
    struct sf_journal_record *record;
    struct sf_commit_list waiters;

    journal->running = false;
    if (status != SF_OK) {
        sf_journal_die(journal);
        sf_journal_compact_resume(journal);
        return;
    }
    record = sf_journal_queue_pop(&journal->queue);
    waiters = record->waiters;
    record->waiters = (struct sf_commit_list){0};
    journal->sequence++;
    journal->end += journal->op.bytes;
    journal->closed_marked = false;
    journal->stats.commits++;
    if (sf_journal_compact_keeps(journal)) {
        sf_journal_queue_push(&journal->compact.tail, record);
    } else {
        sf_journal_record_give(journal, record);
    }
    sf_journal_compact_resume(journal);
    sf_journal_start(journal);
    sf_journal_compact_if_due(journal);
    sf_journal_check_headroom(journal);
    sf_commit_list_finish(&waiters, SF_OK);
}

static void
sync_done(struct sf_disk_op *op)
{
    commit_over(op->owner, op->status);
}

/*
 * No room for it: nobody was told that it is durable, and nothing behind it was
 * written. It stays the first of the queue and is written again, whole and to
 * the same place, when sf_journal_retry() says so.
 */
static void
stall(struct sf_journal *journal)
{
    journal->running = false;
    journal->stalled = true;
    sf_journal_compact_resume(journal);
}

static void
write_done(struct sf_disk_op *op)
{
    if (op->status == SF_ENOSPC) {
        stall(op->owner);
        return;
    }
    if (op->status != SF_OK) {
        commit_over(op->owner, op->status);
        return;
    }
    op->kind = SF_DISK_SYNC;
    op->done = sync_done;
    sf_disk_submit(((struct sf_journal *)op->owner)->disk, op);
}

/* Whether anybody waits for the first record of the queue or a later one. */
static bool
has_waiters(const struct sf_journal *journal)
{
    for (const struct sf_journal_record *record = journal->queue.first; record != NULL;
         record = record->next) {
        if (record->waiters.first != NULL) {
            return true;
        }
    }
    return journal->filling != NULL && journal->filling->waiters.first != NULL;
}

void
sf_journal_start(struct sf_journal *journal)
{
    struct sf_journal_record *record;

    if (journal->running || journal->hold || journal->failed || journal->stalled ||
        !has_waiters(journal)) {
        return;
    }
    if (sf_journal_compact_keeps(journal) &&
        journal->compact.tail.bytes > SF_JOURNAL_TAIL_BYTES_MAX) {
        return; /* the new file takes them along */
    }
    if (journal->queue.first == NULL) {
        sf_journal_close_filling(journal);
    }
    record = journal->queue.first;
    sf_assert(record != NULL);
    journal->running = true;
    journal->op = (struct sf_disk_op){
        .kind = SF_DISK_WRITE,
        .file = journal->file,
        .offset = journal->end,
        .data = record->data,
        .bytes = sf_journal_record_stamp(record, journal->generation, journal->sequence + 1),
        .done = write_done,
        .owner = journal,
    };
    sf_disk_submit(journal->disk, &journal->op);
}

void
sf_journal_commit(struct sf_journal *journal, struct sf_commit *commit)
{
    struct sf_journal_record *filling = journal->filling;

    if (journal->failed) {
        sf_commit_list_push(&journal->idle, commit);
        start_idle(journal);
    } else if (filling != NULL && filling->bytes > SF_JOURNAL_RECORD_HEAD_BYTES) {
        sf_commit_list_push(&filling->waiters, commit);
        if (filling->bytes > SF_JOURNAL_RECORD_BYTES_SOFT) {
            sf_journal_close_filling(journal);
        }
        sf_journal_start(journal);
    } else if (journal->queue.last != NULL) {
        sf_commit_list_push(&journal->queue.last->waiters, commit);
        sf_journal_start(journal);
    } else {
        sf_commit_list_push(&journal->idle, commit);
        start_idle(journal);
    }
}

/* --- Room ---------------------------------------------------------------------- */

/* Not while a compaction is about to change files: it brings its own. */
void
sf_journal_check_headroom(struct sf_journal *journal)
{
    if (journal->compact.step == SF_COMPACT_IDLE && !journal->failed) {
        sf_headroom_check(&journal->headroom, journal->file, journal->end);
    }
}

bool
sf_journal_is_tight(const struct sf_journal *journal, uint64_t *ret_need_bytes)
{
    if (!journal->stalled && !journal->headroom.is_tight) {
        return false;
    }
    *ret_need_bytes = sf_headroom_lacks(&journal->headroom, journal->end);
    return true;
}

bool
sf_journal_is_stalled(const struct sf_journal *journal)
{
    return journal->stalled;
}

void
sf_journal_give_up(struct sf_journal *journal)
{
    if (journal->stalled && !journal->failed) {
        sf_journal_die(journal);
    }
}

void
sf_journal_abandon(struct sf_journal *journal)
{
    if (!journal->failed) {
        sf_journal_die(journal);
    }
}

void
sf_journal_retry(struct sf_journal *journal)
{
    if (journal->failed) {
        return;
    }
    if (journal->compact.step == SF_COMPACT_IDLE) {
        sf_headroom_retry(&journal->headroom, journal->file, journal->end);
    }
    if (journal->stalled) {
        journal->stalled = false;
        sf_journal_start(journal);
    }
}

/* --- Reading ------------------------------------------------------------------- */

bool
sf_journal_failed(const struct sf_journal *journal)
{
    return journal->failed;
}

struct sf_view
sf_journal_get(const struct sf_journal *journal, uint8_t table, struct sf_view key)
{
    const struct sf_ledger_entry *entry = sf_ledger_find(&journal->ledger, table, key);

    return entry == NULL ? sf_view(NULL, 0) : sf_view(entry->value, entry->value_bytes);
}

const struct sf_range_set *
sf_journal_set_of(const struct sf_journal *journal, uint8_t table, struct sf_view key)
{
    const struct sf_ledger_entry *entry = sf_ledger_find(&journal->ledger, table, key);

    return entry == NULL || entry->set == NULL ? NULL : &entry->set->numbers;
}

const uint8_t *
sf_journal_tag(const struct sf_journal *journal, uint8_t table, struct sf_view key, uint64_t number)
{
    const struct sf_ledger_entry *entry = sf_ledger_find(&journal->ledger, table, key);

    return entry == NULL ? NULL : sf_ledger_tag(entry, number);
}

bool
sf_journal_next(const struct sf_journal *journal, uint8_t table, struct sf_journal_cursor *cursor,
    struct sf_view *ret_key, struct sf_view *ret_value)
{
    const struct sf_ledger_entry *entry = cursor->at;

    entry = cursor->started ? entry->next : journal->ledger.first[table];
    if (entry == NULL) {
        return false;
    }
    cursor->at = entry;
    cursor->started = true;
    *ret_key = sf_view(entry->key, entry->key_bytes);
    *ret_value = sf_view(entry->value, entry->value_bytes);
    return true;
}

void
sf_journal_stats(const struct sf_journal *journal, struct sf_journal_stats *ret_stats)
{
    *ret_stats = journal->stats;
    ret_stats->file_bytes = journal->end;
    ret_stats->live_bytes = journal->ledger.live_bytes;
    ret_stats->keys = journal->ledger.keys;
    ret_stats->tags = journal->ledger.tags;
}

/* --- Opening and closing ---------------------------------------------------------- */

int
sf_journal_open(const struct sf_journal_config *config, struct sf_journal **ret_journal)
{
    const char *name = config->name == NULL ? "journal" : config->name;
    struct sf_recovery recovery = {.text = "out of memory"};
    struct sf_journal *journal = NULL;
    int status = SF_ENOMEM;

    sf_assert(strlen(name) < SF_JOURNAL_NAME_BYTES_MAX && strchr(name, '/') == NULL);
    journal = calloc(1, sizeof(*journal));
    if (journal == NULL) {
        goto out;
    }
    journal->disk = config->disk;
    journal->file = SF_DISK_NO_FILE;
    journal->compact.file = SF_DISK_NO_FILE;
    if (sf_ledger_init(&journal->ledger) != SF_OK) {
        goto out;
    }
    memcpy(journal->name, name, strlen(name) + 1);
    memcpy(journal->name_new, name, strlen(name));
    memcpy(journal->name_new + strlen(name), ".new", 5);
    sf_headroom_init(&journal->headroom, journal->disk, SF_JOURNAL_HEADROOM_BYTES);
    status = sf_journal_recover(journal, &recovery);
    if (status == SF_OK) {
        status = sf_headroom_fill(&journal->headroom, journal->file, journal->end);
    }
    if (status == SF_OK && !journal->closed_marked) {
        /*
         * The process before may have ended over a sync that failed. What that
         * covered can be read and yet never reach the disk, whatever is synced
         * now: so it is written again, under a name given again.
         */
        status = sf_journal_renew(journal);
    } else if (status == SF_OK) {
        status = sf_journal_confirm(journal);
    }

out:
    if (config->ret_recovery != NULL) {
        *config->ret_recovery = recovery;
    }
    if (status != SF_OK) {
        if (journal != NULL) {
            journal->failed = true; /* close without a mark */
            sf_journal_close(journal);
        }
        return status;
    }
    *ret_journal = journal;
    return SF_OK;
}

/*
 * An empty record says that the log was closed in order. It confirms the one
 * before it: damage there is then no torn tail any more. Without it nothing is
 * lost, so errors do not matter.
 */
static void
mark_closed(struct sf_journal *journal)
{
    struct sf_journal_record *record;
    struct sf_disk_op op = {.kind = SF_DISK_WRITE, .file = journal->file, .offset = journal->end};

    if (journal->failed || journal->stalled || journal->closed_marked) {
        return;
    }
    record = sf_journal_record_take(journal);
    if (record == NULL) {
        return;
    }
    op.data = record->data;
    op.bytes = sf_journal_record_stamp(record, journal->generation, journal->sequence + 1);
    if (sf_disk_run(journal->disk, &op) == SF_OK) {
        op.kind = SF_DISK_SYNC;
        if (sf_disk_run(journal->disk, &op) == SF_OK) {
            journal->closed_marked = true;
        }
    }
    record_free(record);
}

static void
close_file(struct sf_journal *journal, int file)
{
    struct sf_disk_op op = {.kind = SF_DISK_CLOSE, .file = file};

    if (file != SF_DISK_NO_FILE && sf_disk_run(journal->disk, &op) != SF_OK) {
        /* Nothing is lost by it: what counts was synced. */
        journal->failed = true;
    }
}

void
sf_journal_close(struct sf_journal *journal)
{
    while (journal->running || journal->idle_running || journal->headroom.is_running ||
           journal->compact.step != SF_COMPACT_IDLE) {
        if (!sf_disk_poll(journal->disk)) {
            journal->disk->wait(journal->disk);
        }
    }
    mark_closed(journal);
    close_file(journal, journal->file);
    sf_journal_drop(journal);
}

void
sf_journal_drop(struct sf_journal *journal)
{
    record_free(journal->filling);
    record_free(journal->spare);
    queue_free(&journal->queue);
    queue_free(&journal->compact.tail);
    record_free(journal->compact.chunk);
    sf_ledger_fini(&journal->ledger);
    free(journal);
}
