/*
 * journal_open.c - what is left of a journal, and what that means.
 *
 * The rows of the recovery table, as in docs/STORE.md. "Bad" is a block that
 * does not begin a record with a right checksum, of this file's generation and
 * not of an earlier sequence.
 *
 *   A  no journal, no journal.new       first start: make an empty one
 *   B  no journal, but journal.new      a crash in the first start: discard, as A
 *   C  all records good to the end      take them
 *   D  as C, and there is a journal.new a crash in a compaction: discard that
 *   E  bad to the end, at most one      a torn commit: cut it off
 *      record long, behind WHOLE
 *   F  bad, a good record behind        damage: refuse
 *   G  bad, more behind than a record   damage: refuse
 *   H  the head is bad                  damage, or not a journal: refuse
 *   I  bad or the end before WHOLE      damage: the snapshot was synced; refuse
 *   J  good, but a sequence too high    damage: a record is missing; refuse
 *   K  good, but a fact is unknown      a later version, or a bug: refuse
 *
 * A refusal changes nothing on the disk. Before anything recovered is believed
 * to be durable, file and directory are synced: a process that was killed
 * leaves bytes that only the cache has.
 */
#include "base/assert.h"
#include "base/crc32c.h"
#include "store/journal_impl.h"

#include <stdlib.h>

enum { READ_BYTES = 1024 * 1024, WINDOW_BYTES = SF_JOURNAL_RECORD_BYTES_MAX + READ_BYTES };

/* A stretch of the file in memory. */
struct window {
    struct sf_disk *disk;
    int file;
    uint64_t file_bytes;
    uint8_t *data;
    size_t room;
    uint64_t from; /* multiple of the block */
    size_t bytes;
};

struct found {
    bool good;
    uint64_t sequence;
    size_t bytes; /* with padding */
    struct sf_view body;
};

static int
run(struct sf_disk *disk, struct sf_disk_op op)
{
    return sf_disk_run(disk, &op);
}

/* Have `bytes` bytes at `offset` in memory, as far as the file goes. */
static int
window_load(struct window *window, uint64_t offset, size_t bytes)
{
    uint64_t end = offset + bytes < window->file_bytes ? offset + bytes : window->file_bytes;

    sf_assert(bytes <= SF_JOURNAL_RECORD_BYTES_MAX);
    if (offset >= window->from && end <= window->from + window->bytes) {
        return SF_OK;
    }
    if (offset >= window->from && offset < window->from + window->bytes) {
        size_t gone = (size_t)(offset - window->from);

        memmove(window->data, window->data + gone, window->bytes - gone);
        window->bytes -= gone;
    } else {
        window->bytes = 0;
    }
    window->from = offset;
    while (window->bytes < window->room && window->from + window->bytes < window->file_bytes) {
        struct sf_disk_op op = {
            .kind = SF_DISK_READ,
            .file = window->file,
            .offset = window->from + window->bytes,
            .data = window->data + window->bytes,
            .bytes = window->room - window->bytes < READ_BYTES ? window->room - window->bytes
                                                               : READ_BYTES,
        };
        int status = sf_disk_run(window->disk, &op);

        if (status != SF_OK) {
            return status;
        }
        if (op.ret_bytes == 0) {
            return SF_EIO; /* shorter than it said */
        }
        window->bytes += op.ret_bytes;
        if (op.ret_bytes % SF_JOURNAL_BLOCK_BYTES != 0 &&
            window->from + window->bytes < window->file_bytes) {
            return SF_EIO;
        }
    }
    return SF_OK;
}

/* What stands at `offset`, a multiple of the block below the file's length. */
static int
look_at(struct window *window, uint64_t generation, uint64_t offset, struct found *found)
{
    uint64_t left = window->file_bytes - offset;
    const uint8_t *head;
    size_t body_bytes;
    size_t bytes;
    int status;

    *found = (struct found){0};
    if (left < SF_JOURNAL_BLOCK_BYTES) {
        return SF_OK;
    }
    status = window_load(window, offset, SF_JOURNAL_BLOCK_BYTES);
    if (status != SF_OK) {
        return status;
    }
    head = window->data + (offset - window->from);
    body_bytes = sf_get_be32(head + 8);
    if (memcmp(head, "SFJR", 4) != 0 || sf_get_be64(head + 16) != generation ||
        body_bytes > SF_JOURNAL_RECORD_BYTES_MAX - SF_JOURNAL_RECORD_HEAD_BYTES) {
        return SF_OK;
    }
    bytes = (SF_JOURNAL_RECORD_HEAD_BYTES + body_bytes + SF_JOURNAL_BLOCK_BYTES - 1) /
            SF_JOURNAL_BLOCK_BYTES * SF_JOURNAL_BLOCK_BYTES;
    if (bytes > left) {
        return SF_OK;
    }
    status = window_load(window, offset, bytes);
    if (status != SF_OK) {
        return status;
    }
    head = window->data + (offset - window->from);
    if (sf_crc32c(0, head + 8, bytes - 8) != sf_get_be32(head + 4)) {
        return SF_OK;
    }
    found->good = true;
    found->sequence = sf_get_be64(head + 24);
    found->bytes = bytes;
    found->body = sf_view(head + SF_JOURNAL_RECORD_HEAD_BYTES, body_bytes);
    return SF_OK;
}

static int
refuse(struct sf_recovery *recovery, char row, uint64_t offset, const char *text)
{
    *recovery = (struct sf_recovery){.row = row, .offset = offset, .text = text};
    return SF_EFORMAT;
}

/* `offset` is bad: tell a torn tail (SF_OK) from damage. */
static int
judge_bad(struct window *window, uint64_t generation, uint64_t expected, uint64_t offset,
    bool is_whole, struct sf_recovery *recovery)
{
    uint64_t left = window->file_bytes - offset;
    struct found found;

    if (!is_whole) {
        return refuse(recovery, 'I', offset, "the journal's snapshot is damaged");
    }
    if (left > SF_JOURNAL_RECORD_BYTES_MAX) {
        return refuse(recovery, 'G', offset,
            "the journal is damaged: more follows the bad record than a crash can tear");
    }
    for (uint64_t at = offset + SF_JOURNAL_BLOCK_BYTES; at < window->file_bytes;
         at += SF_JOURNAL_BLOCK_BYTES) {
        int status = look_at(window, generation, at, &found);

        if (status != SF_OK) {
            return status;
        }
        if (found.good && found.sequence >= expected) {
            return refuse(
                recovery, 'F', offset, "the journal is damaged: a good record follows the bad one");
        }
    }
    *recovery = (struct sf_recovery){.row = 'E',
        .offset = offset,
        .cut_bytes = left,
        .text = "the journal ends in a torn commit, which was dropped"};
    return SF_OK;
}

/* Apply the facts of a record. */
static int
apply(struct sf_journal *journal, struct sf_view body, bool *is_whole)
{
    struct sf_fact fact;

    while (body.bytes > 0) {
        int status = sf_fact_decode(&body, &fact);

        if (status != SF_OK) {
            return status;
        }
        if (fact.op == SF_FACT_WHOLE) {
            if (*is_whole || body.bytes > 0) {
                return SF_EFORMAT;
            }
            *is_whole = true;
            continue;
        }
        status = sf_ledger_apply(&journal->ledger, &fact);
        if (status != SF_OK) {
            return status == SF_ENOMEM ? SF_ENOMEM : SF_EFORMAT;
        }
    }
    return SF_OK;
}

/* Read all records; journal->end and ->sequence are those of the last good one. */
static int
read_records(struct sf_journal *journal, struct window *window, struct sf_recovery *recovery)
{
    bool is_whole = false;
    struct found found;
    int status;

    journal->end = SF_JOURNAL_BLOCK_BYTES;
    journal->sequence = 0;
    while (journal->end < window->file_bytes) {
        status = look_at(window, journal->generation, journal->end, &found);
        if (status != SF_OK) {
            return status;
        }
        if (!found.good || found.sequence <= journal->sequence) {
            return judge_bad(window, journal->generation, journal->sequence + 1, journal->end,
                is_whole, recovery);
        }
        if (found.sequence != journal->sequence + 1) {
            return refuse(recovery, 'J', journal->end,
                "the journal is damaged: a record is missing before this one");
        }
        status = apply(journal, found.body, &is_whole);
        if (status == SF_EFORMAT) {
            return refuse(recovery, 'K', journal->end,
                "the journal has a fact that this version does not know");
        }
        if (status != SF_OK) {
            return status;
        }
        journal->sequence = found.sequence;
        journal->end += found.bytes;
        journal->closed_marked = is_whole && found.body.bytes == 0;
    }
    if (!is_whole) {
        return refuse(recovery, 'I', journal->end, "the journal's snapshot is not whole");
    }
    *recovery =
        (struct sf_recovery){.row = 'C', .offset = journal->end, .text = "the journal is whole"};
    return SF_OK;
}

static int
read_head(struct sf_journal *journal, struct window *window, struct sf_recovery *recovery)
{
    const uint8_t *head = window->data;
    int status;

    if (window->file_bytes < SF_JOURNAL_BLOCK_BYTES) {
        return refuse(recovery, 'H', 0, "the journal is shorter than its head");
    }
    status = window_load(window, 0, SF_JOURNAL_BLOCK_BYTES);
    if (status != SF_OK) {
        return status;
    }
    if (memcmp(head, "skyferry-journal", 16) != 0) {
        return refuse(recovery, 'H', 0, "this is not a journal");
    }
    if (sf_crc32c(0, head, SF_JOURNAL_BLOCK_BYTES - 4) !=
        sf_get_be32(head + SF_JOURNAL_BLOCK_BYTES - 4)) {
        return refuse(recovery, 'H', 0, "the journal's head is damaged");
    }
    if (sf_get_be32(head + 16) != SF_JOURNAL_VERSION ||
        sf_get_be32(head + 20) != SF_JOURNAL_BLOCK_BYTES) {
        return refuse(recovery, 'H', 0, "the journal was written by another version");
    }
    journal->generation = sf_get_be64(head + 24);
    return SF_OK;
}

/* Cut the torn tail, discard a half-made journal.new, and make sure of the rest. */
static int
settle(struct sf_journal *journal, struct sf_recovery *recovery)
{
    int status;

    if (recovery->row == 'E') {
        status = run(journal->disk,
            (struct sf_disk_op){
                .kind = SF_DISK_TRUNCATE, .file = journal->file, .offset = journal->end});
        if (status != SF_OK) {
            return status;
        }
    }
    status = run(journal->disk, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = journal->file});
    if (status != SF_OK) {
        return status;
    }
    status =
        run(journal->disk, (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = journal->name_new});
    if (status == SF_OK && recovery->row == 'C') {
        recovery->row = 'D';
        recovery->text = "the journal is whole; a compaction that was not finished is discarded";
    }
    if (status != SF_OK && status != SF_ENOENT) {
        return status;
    }
    return run(journal->disk, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT});
}

static int
recover_file(struct sf_journal *journal, struct sf_recovery *recovery)
{
    struct sf_disk_op stat = {.kind = SF_DISK_STAT, .file = journal->file};
    struct window window = {.disk = journal->disk, .file = journal->file};
    int status = sf_disk_run(journal->disk, &stat);

    if (status != SF_OK) {
        return status;
    }
    window.file_bytes = stat.ret_stat.bytes;
    window.room = window.file_bytes < WINDOW_BYTES
                      ? ((size_t)window.file_bytes / SF_DISK_ALIGN + 1) * SF_DISK_ALIGN
                      : WINDOW_BYTES;
    window.data = aligned_alloc(SF_DISK_ALIGN, window.room);
    if (window.data == NULL) {
        return SF_ENOMEM;
    }
    status = read_head(journal, &window, recovery);
    if (status == SF_OK) {
        status = read_records(journal, &window, recovery);
    }
    free(window.data);
    return status == SF_OK ? settle(journal, recovery) : status;
}

int
sf_journal_create(struct sf_journal *journal)
{
    struct sf_journal_record *record = sf_journal_record_take(journal);
    struct sf_fact whole = {.op = SF_FACT_WHOLE};
    struct sf_disk_op op = {
        .kind = SF_DISK_OPEN,
        .path = journal->name_new,
        .flags = SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_EXCLUSIVE | SF_DISK_DIRECT,
    };
    int status;

    if (record == NULL) {
        return SF_ENOMEM;
    }
    status = sf_disk_run(journal->disk, &op);
    if (status != SF_OK) {
        goto out;
    }
    journal->file = op.ret_file;
    journal->generation = 1;
    journal->sequence = 1;
    journal->closed_marked = true;
    sf_journal_head_encode(record->data, journal->generation);
    op = (struct sf_disk_op){.kind = SF_DISK_WRITE, .file = journal->file, .data = record->data};
    op.bytes = SF_JOURNAL_BLOCK_BYTES;
    status = sf_disk_run(journal->disk, &op);
    if (status != SF_OK) {
        goto out;
    }
    record->bytes += sf_fact_encode(&whole, record->data + record->bytes);
    op.offset = SF_JOURNAL_BLOCK_BYTES;
    op.bytes = sf_journal_record_stamp(record, journal->generation, journal->sequence);
    journal->end = op.offset + op.bytes;
    status = sf_disk_run(journal->disk, &op);
    if (status != SF_OK) {
        goto out;
    }
    status = run(journal->disk, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = journal->file});
    if (status != SF_OK) {
        goto out;
    }
    status = run(journal->disk,
        (struct sf_disk_op){
            .kind = SF_DISK_RENAME, .path = journal->name_new, .path_to = journal->name});
    if (status != SF_OK) {
        goto out;
    }
    status =
        run(journal->disk, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT});

out:
    sf_journal_record_give(journal, record);
    return status;
}

int
sf_journal_recover(struct sf_journal *journal, struct sf_recovery *recovery)
{
    struct sf_disk_op op = {
        .kind = SF_DISK_OPEN, .path = journal->name, .flags = SF_DISK_RDWR | SF_DISK_DIRECT};
    int status = sf_disk_run(journal->disk, &op);

    recovery->text = "the disk failed";
    if (status == SF_OK) {
        journal->file = op.ret_file;
        return recover_file(journal, recovery);
    }
    if (status != SF_ENOENT) {
        return status;
    }
    status =
        run(journal->disk, (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = journal->name_new});
    if (status != SF_OK && status != SF_ENOENT) {
        return status;
    }
    *recovery = status == SF_OK ? (struct sf_recovery){.row = 'B',
                                      .text = "the first start was not finished; made anew"}
                                : (struct sf_recovery){.row = 'A',
                                      .text = "there was no journal; made an empty one"};
    return sf_journal_create(journal);
}
