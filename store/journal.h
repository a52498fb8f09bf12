/*
 * journal.h - an append-only log of facts under group commit, and their image.
 *
 * A fact says something of a *key* in one of 256 *tables*: the key's value, or
 * numbers that are (or are no longer) in the key's set. What tables and keys
 * mean is the caller's; nothing here knows bundles or transfers.
 *
 * A fact changes the image in memory (the ledger) at once and is durable when
 * a commit that came after it is done. Facts appended between two calls of
 * sf_journal_commit() or sf_disk_poll() become durable together, all or none,
 * as long as they take less than 1 MiB.
 *
 * Opening recovers: it reads what a crash left, synchronously (sf_disk_run).
 * Everything else completes through sf_disk_poll(). The bytes on the disk and
 * the recovery table are at the top of journal.c and in docs/STORE.md. Not
 * thread-safe.
 */
#ifndef SF_STORE_JOURNAL_H
#define SF_STORE_JOURNAL_H

#include "base/bytes.h"
#include "base/range_set.h"
#include "base/status.h"
#include "store/commit.h"
#include "store/disk.h"
#include "store/recovery.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_JOURNAL_KEY_BYTES_MAX = 64,
    SF_JOURNAL_VALUE_BYTES_MAX = 64 * 1024,
    SF_JOURNAL_TAG_BYTES = 32,
    SF_JOURNAL_RANGES_MAX = 1 << 18, /* ranges of one set */
};

struct sf_journal;

struct sf_journal_config {
    struct sf_disk *disk;
    const char *name; /* of the file; NULL means "journal". Lives as long as the journal */
    struct sf_recovery *ret_recovery; /* set by open also when it fails; may be NULL */
};

/*
 * Open the journal, made empty if there is none, and rebuild the ledger.
 *
 * A torn last commit is dropped: it was never reported done. Damage with
 * intact commits behind it is never skipped.
 *
 * Returns SF_OK and the journal, to be given back with sf_journal_close();
 * SF_EFORMAT if the file is damaged or not a journal (*ret_recovery says where
 * and how; nothing on the disk was changed), SF_EIO, SF_ENOSPC, SF_ENOMEM.
 */
SF_MUST_USE int sf_journal_open(
    const struct sf_journal_config *config, struct sf_journal **ret_journal);

/*
 * Close the file and free the journal; facts without a commit are gone. No
 * commit may be outstanding. Blocks until a running compaction has let go.
 */
void sf_journal_close(struct sf_journal *journal);

/* Free the memory alone, when the disk is gone and will call nothing back any more. */
void sf_journal_drop(struct sf_journal *journal);

/*
 * The value of (table, key) is `value` from now on. Both are copied.
 *
 * Returns SF_OK, SF_EINVAL if the key is empty or either is longer than its
 * limit above, or SF_ENOMEM. Without memory the journal is dead, here and in
 * the calls below: facts tell a change together, and what was appended since the
 * last commit must not become durable without this one.
 */
SF_MUST_USE int sf_journal_set(
    struct sf_journal *journal, uint8_t table, struct sf_view key, struct sf_view value);

/* Forget value, set and tags of (table, key); nothing happens if there is none. Errors as above. */
SF_MUST_USE int sf_journal_unset(struct sf_journal *journal, uint8_t table, struct sf_view key);

/*
 * The numbers [from, to) are in the set of (table, key), which is made if there
 * is none. `tags` is NULL or (to - from) * 32 bytes, one tag to be kept with
 * each number, in place of the one it may have. Without tags those that are
 * there stay.
 *
 * Returns SF_OK, SF_EINVAL (from > to, key, or more than 2^16 tags at once),
 * SF_ELIMIT if the set would fall into more than SF_JOURNAL_RANGES_MAX ranges,
 * with nothing changed, or SF_ENOMEM.
 */
SF_MUST_USE int sf_journal_add(struct sf_journal *journal, uint8_t table, struct sf_view key,
    uint64_t from, uint64_t to, const uint8_t *tags);

/* The numbers [from, to) and their tags are no longer in the set. Errors as for add. */
SF_MUST_USE int sf_journal_remove(
    struct sf_journal *journal, uint8_t table, struct sf_view key, uint64_t from, uint64_t to);

/* Forget the tags of a set, not its numbers. Errors as for unset. */
SF_MUST_USE int sf_journal_drop_tags(struct sf_journal *journal, uint8_t table, struct sf_view key);

/*
 * Call commit->done when everything appended before this call is durable. A
 * commit starts at once if none is running; what comes meanwhile goes into the
 * next one together. Status SF_OK, or SF_EIO: then the journal is dead, what
 * is on the disk is not known, and every later commit fails too. A disk without
 * room is no such error: see sf_journal_is_tight().
 */
void sf_journal_commit(struct sf_journal *journal, struct sf_commit *commit);

/*
 * Whether room runs short: that reserved behind the end is half used and cannot
 * be filled up, or even a commit waits for room. *ret_need_bytes must become
 * free on the disk. Then the caller appends only what gives room back, and
 * calls sf_journal_retry() from time to time. Nothing is lost meanwhile: commits
 * that find no room wait.
 */
bool sf_journal_is_tight(const struct sf_journal *journal, uint64_t *ret_need_bytes);

/* There may be room again: fill up what is reserved, and go on with a commit that waits for it. */
void sf_journal_retry(struct sf_journal *journal);

/* Whether a commit waits for room. */
bool sf_journal_is_stalled(const struct sf_journal *journal);

/* If one does, wait no more: from here on everything ends in SF_EIO, as after a failed write. */
void sf_journal_give_up(struct sf_journal *journal);

/* A change could not be told in full: nothing of it, and nothing after it, becomes durable any more. */
void sf_journal_abandon(struct sf_journal *journal);

/* Whether a write or a sync failed. Never retried: the node stops and recovers from the disk. */
bool sf_journal_failed(const struct sf_journal *journal);

/* The value, valid until the next change of that key; data is NULL if there is none. */
struct sf_view sf_journal_get(const struct sf_journal *journal, uint8_t table, struct sf_view key);

/* The set, valid until the next change of that key; NULL if there never was an add or it was unset. */
const struct sf_range_set *sf_journal_set_of(
    const struct sf_journal *journal, uint8_t table, struct sf_view key);

/* The 32-byte tag of `number`, or NULL if the number is not in the set or has none. */
const uint8_t *sf_journal_tag(
    const struct sf_journal *journal, uint8_t table, struct sf_view key, uint64_t number);

/* Start with {0}. */
struct sf_journal_cursor {
    const void *at;
    bool started;
};

/*
 * Step through the keys of a table in the order in which they were made. A key
 * with a set and no value has a value with data NULL. Nothing may be changed
 * between the steps of one walk. Returns false at the end.
 */
bool sf_journal_next(const struct sf_journal *journal, uint8_t table,
    struct sf_journal_cursor *cursor, struct sf_view *ret_key, struct sf_view *ret_value);

struct sf_journal_stats {
    uint64_t file_bytes;         /* length of the file */
    uint64_t live_bytes;         /* what a compacted one would take, about */
    uint64_t keys;               /* in all tables */
    uint64_t tags;               /* in all sets */
    uint64_t commits;            /* records written since open, each with one sync */
    uint64_t compactions;        /* completed since open */
    uint64_t compactions_failed; /* given up for lack of space or an error on the new file */
};

void sf_journal_stats(const struct sf_journal *journal, struct sf_journal_stats *ret_stats);

#endif
