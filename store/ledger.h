/*
 * ledger.h - the image of all facts in memory: what the journal says now.
 *
 * Values are kept as bytes, sets as ranges, tags in pages of 256 numbers, so
 * that 668,000 tagged bundles take 22 MB and a set without holes one range.
 * No I/O; the journal appends what it applies here. Not thread-safe.
 */
#ifndef SF_STORE_LEDGER_H
#define SF_STORE_LEDGER_H

#include "base/bytes.h"
#include "base/range_set.h"
#include "base/status.h"
#include "store/fact.h"

#include <stdbool.h>

struct sf_tag_page;

struct sf_ledger_set {
    struct sf_range_set numbers;
    struct sf_tag_page **pages; /* sorted by number */
    size_t page_count;
    size_t page_capacity;
    uint64_t tags;
};

struct sf_ledger_entry {
    struct sf_ledger_entry *next_in_bucket;
    struct sf_ledger_entry *next; /* in the table, in the order of making */
    struct sf_ledger_entry *previous;
    struct sf_ledger_set *set; /* NULL if there is none */
    uint8_t *value;            /* NULL if there is none */
    size_t value_bytes;
    uint64_t hash;
    uint8_t table;
    uint8_t key_bytes;
    uint8_t key[];
};

enum { SF_LEDGER_TABLES = 256 };

/*
 * A walk that writes the whole ledger down while it goes on changing. What it
 * says of a key may be older or newer than what it says of the next one; facts
 * repeated in order on top of it, from those applied after the walk began,
 * give exactly the ledger, because every fact is idempotent and the last one
 * that names a number or a value decides.
 */
struct sf_ledger_walk {
    unsigned int table;            /* SF_LEDGER_TABLES: at the end */
    struct sf_ledger_entry *entry; /* NULL: at the start of the table */
    unsigned int phase;
    uint64_t number; /* the next one to be said */
};

struct sf_ledger {
    struct sf_ledger_entry **buckets;
    size_t bucket_count; /* a power of two */
    struct sf_ledger_entry *first[SF_LEDGER_TABLES];
    struct sf_ledger_entry *last[SF_LEDGER_TABLES];
    struct sf_ledger_walk *walk; /* the one under way, told of entries that go; NULL */
    uint64_t keys;
    uint64_t tags;
    uint64_t live_bytes; /* what a snapshot takes, about */
};

/* SF_OK or SF_ENOMEM. */
SF_MUST_USE int sf_ledger_init(struct sf_ledger *ledger);
void sf_ledger_fini(struct sf_ledger *ledger);

/*
 * Apply a fact (not WHOLE). Returns SF_OK, SF_ELIMIT (ranges of a set) or
 * SF_ENOMEM, with nothing changed.
 */
SF_MUST_USE int sf_ledger_apply(struct sf_ledger *ledger, const struct sf_fact *fact);

/* The entry of (table, key), or NULL. */
struct sf_ledger_entry *sf_ledger_find(
    const struct sf_ledger *ledger, uint8_t table, struct sf_view key);

/* The tag of `number`, or NULL. */
const uint8_t *sf_ledger_tag(const struct sf_ledger_entry *entry, uint64_t number);

/* Begin the one walk there may be at a time; ended by reaching the end or sf_ledger_walk_end(). */
void sf_ledger_walk_begin(struct sf_ledger *ledger, struct sf_ledger_walk *walk);
void sf_ledger_walk_end(struct sf_ledger *ledger);

/*
 * The next fact, none longer than a value of the largest size; its views are
 * valid until the ledger changes. False at the end.
 */
bool sf_ledger_walk_next(
    struct sf_ledger *ledger, struct sf_ledger_walk *walk, struct sf_fact *ret_fact);

#endif
