/*
 * journal_impl.h - the bytes of the journal, and what its three files share:
 * journal.c (facts and commits), journal_open.c (recovery), journal_compact.c.
 *
 * The file `journal` is made of blocks of 4096 bytes, read and written past
 * the page cache, so that nothing synced is ever written again and recovery
 * sees what the medium has. All integers are big endian.
 *
 *   Block 0, the head:
 *      0  "skyferry-journal"
 *     16  version (4) = 1
 *     20  block bytes (4) = 4096
 *     24  generation (8): 1 in the first file, one more with each compaction
 *     32  zeros
 *   4092  CRC-32C of bytes 0 .. 4091
 *
 *   Then records, each at the start of a block:
 *      0  "SFJR"
 *      4  CRC-32C (4) of everything from byte 8 to the end of the record's last block
 *      8  body bytes (4), at most 4 MiB - 32
 *     12  zeros (4)
 *     16  generation (8), as in the head
 *     24  sequence (8): 1, 2, 3, ... in the file
 *     32  body: facts (fact.h), one behind the other
 *         zeros to the end of the block
 *
 * A journal begins with its snapshot: records written, synced and renamed into
 * place as `journal.new`, the last of which ends with the fact WHOLE. Behind
 * them each commit is one record: written, then synced, before the next one is
 * written. So at most one record, the last, can be torn, and a bad record with
 * a good one behind it, or with more bytes behind it than a record has, is
 * damage and not a crash.
 */
#ifndef SF_STORE_JOURNAL_IMPL_H
#define SF_STORE_JOURNAL_IMPL_H

#include "store/headroom.h"
#include "store/journal.h"
#include "store/ledger.h"

enum {
    SF_JOURNAL_BLOCK_BYTES = SF_DISK_ALIGN,
    SF_JOURNAL_VERSION = 1,
    SF_JOURNAL_RECORD_HEAD_BYTES = 32,
    SF_JOURNAL_RECORD_BYTES_MAX = 4 * 1024 * 1024,
    SF_JOURNAL_RECORD_BYTES_SOFT = 1024 * 1024, /* a commit closes a record that has passed it */
    SF_JOURNAL_COMPACT_SLACK_BYTES = 1024 * 1024,
    SF_JOURNAL_TAIL_BYTES_MAX = 8 * 1024 * 1024, /* commits wait for a compaction beyond it */
    SF_JOURNAL_NAME_BYTES_MAX = 64,
    SF_JOURNAL_HEADROOM_BYTES = 4 * 1024 * 1024, /* a thousand commits while the disk is full */
};

/* One record being filled, written, or kept for the tail of a compaction. */
struct sf_journal_record {
    struct sf_journal_record *next;
    struct sf_commit_list waiters;
    size_t bytes; /* head and facts so far */
    size_t capacity;
    uint8_t *data; /* block-aligned */
};

struct sf_journal_queue {
    struct sf_journal_record *first;
    struct sf_journal_record *last;
    uint64_t bytes;
};

enum sf_compact_step {
    SF_COMPACT_IDLE,
    SF_COMPACT_OPEN,
    SF_COMPACT_SNAPSHOT, /* a record of the snapshot is being written */
    SF_COMPACT_SYNC,     /* the snapshot, while commits still go on */
    SF_COMPACT_HOLD,     /* waiting for the running commit */
    SF_COMPACT_TAIL,     /* facts since the walk began, and WHOLE */
    SF_COMPACT_TAIL_SYNC,
    SF_COMPACT_HEADROOM, /* as much behind the new file as behind the old one */
    SF_COMPACT_RENAME,
    SF_COMPACT_SYNC_DIR,
    SF_COMPACT_CLOSE_OLD,
    SF_COMPACT_GIVE_UP_CLOSE,
    SF_COMPACT_GIVE_UP_UNLINK,
};

struct sf_compact {
    enum sf_compact_step step;
    struct sf_disk_op op;
    struct sf_ledger_walk walk;
    bool walk_over;
    int file;
    uint64_t end;
    uint64_t sequence;
    struct sf_journal_record *chunk;      /* of the snapshot, and WHOLE */
    struct sf_journal_queue tail;         /* committed since the walk began */
    struct sf_journal_record *at;         /* of the tail or the queue, being written; NULL: WHOLE */
    struct sf_journal_record *queue_last; /* the last one of the queue that goes along */
    bool at_queue;
    bool whole_written;
    uint64_t threshold; /* no compaction below this file length, after one that was given up */
};

struct sf_journal {
    struct sf_disk *disk;
    char name[SF_JOURNAL_NAME_BYTES_MAX];
    char name_new[SF_JOURNAL_NAME_BYTES_MAX + 4];
    struct sf_ledger ledger;
    bool failed;
    bool closed_marked; /* the last record is an empty one: the log was closed in order */

    int file;
    uint64_t generation;
    uint64_t sequence; /* of the last durable record */
    uint64_t end;      /* where the next record goes */

    struct sf_journal_record *filling; /* facts without a closed record; NULL if none */
    struct sf_journal_queue queue;     /* closed records; the first is being written if running */
    bool running;
    bool hold;    /* a compaction is switching files: no commit may start */
    bool stalled; /* there was no room for the first record of the queue */
    struct sf_headroom headroom;
    struct sf_journal_record *spare;
    struct sf_disk_op op; /* of the running commit */

    struct sf_commit_list idle; /* waiting for nothing but a turn of the disk */
    struct sf_disk_op idle_op;
    bool idle_running;

    struct sf_compact compact;
    struct sf_journal_stats stats;
};

/* An empty record, or NULL. */
struct sf_journal_record *sf_journal_record_take(struct sf_journal *journal);
void sf_journal_record_give(struct sf_journal *journal, struct sf_journal_record *record);
/* Room for `bytes` more; false without memory. */
bool sf_journal_record_reserve(struct sf_journal_record *record, size_t bytes);
/* Fill in the head, the padding and the checksum; returns how many bytes go to the disk. */
size_t sf_journal_record_stamp(
    struct sf_journal_record *record, uint64_t generation, uint64_t sequence);
void sf_journal_head_encode(uint8_t *block, uint64_t generation);

void sf_journal_queue_push(struct sf_journal_queue *queue, struct sf_journal_record *record);
struct sf_journal_record *sf_journal_queue_pop(struct sf_journal_queue *queue);

/* Close the record being filled, if there is one. */
void sf_journal_close_filling(struct sf_journal *journal);
/* Start writing the first record of the queue if somebody waits and nothing is in the way. */
void sf_journal_start(struct sf_journal *journal);
/* Fill up what is reserved behind the end, if it is time. */
void sf_journal_check_headroom(struct sf_journal *journal);
/* Nothing works from here on: every commit, now and later, ends in SF_EIO. */
void sf_journal_die(struct sf_journal *journal);

/*
 * Write the journal anew and wait for it; without room, or if the new file fails, what stands in
 * the old one is written to its place again. Not SF_OK: what was read may not be on the disk.
 */
SF_MUST_USE int sf_journal_renew(struct sf_journal *journal);
/* The last record says that the log was closed in order; its own sync may have failed: once more. */
SF_MUST_USE int sf_journal_confirm(struct sf_journal *journal);
/* Start a compaction if the file has grown enough. */
void sf_journal_compact_if_due(struct sf_journal *journal);
/* The running commit is over; go on if a compaction waits for that. */
void sf_journal_compact_resume(struct sf_journal *journal);
/* A commit that was carried out during a compaction: keep its record for the tail. */
bool sf_journal_compact_keeps(const struct sf_journal *journal);

/* Write `name_new` whole from the ledger, synchronously, and rename it into place. */
int sf_journal_create(struct sf_journal *journal);
int sf_journal_recover(struct sf_journal *journal, struct sf_recovery *recovery);

#endif
