/* ledger.c - the image of all facts in memory; see ledger.h. */
#include "store/ledger.h"

#include "base/assert.h"
#include "store/journal.h"

#include <stdlib.h>

enum {
    BUCKETS_FIRST = 64,
    PAGE_NUMBERS = 256,
    PAGE_SHIFT = 8,
    FACT_HEAD_BYTES = 3,
};

/* Tags of PAGE_NUMBERS numbers, for those that have one. */
struct sf_tag_page {
    uint64_t number; /* its first number >> PAGE_SHIFT */
    uint64_t has[PAGE_NUMBERS / 64];
    uint32_t count;
    uint8_t tags[PAGE_NUMBERS][SF_FACT_TAG_BYTES];
};

/* --- Tags of a set ------------------------------------------------------ */

static bool
page_has(const struct sf_tag_page *page, unsigned int at)
{
    return (page->has[at / 64] >> at % 64 & 1) != 0;
}

/* The first page whose number is at least `number`. */
static size_t
find_page(const struct sf_ledger_set *set, uint64_t number)
{
    size_t low = 0;
    size_t high = set->page_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->pages[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Make the page `number` if it is not there. */
static int
make_page(struct sf_ledger_set *set, uint64_t number)
{
    size_t at = find_page(set, number);
    struct sf_tag_page *page;

    if (at < set->page_count && set->pages[at]->number == number) {
        return SF_OK;
    }
    if (set->page_count == set->page_capacity) {
        size_t capacity = set->page_capacity == 0 ? 8 : set->page_capacity * 2;
        struct sf_tag_page **pages = realloc(set->pages, capacity * sizeof(*pages));

        if (pages == NULL) {
            return SF_ENOMEM;
        }
        set->pages = pages;
        set->page_capacity = capacity;
    }
    page = calloc(1, sizeof(*page));
    if (page == NULL) {
        return SF_ENOMEM;
    }
    page->number = number;
    memmove(&set->pages[at + 1], &set->pages[at], (set->page_count - at) * sizeof(*set->pages));
    set->pages[at] = page;
    set->page_count++;
    return SF_OK;
}

/* Drop the tags of [from, to); pages left empty go. */
static void
drop_tags(struct sf_ledger_set *set, uint64_t from, uint64_t to)
{
    size_t at = find_page(set, from >> PAGE_SHIFT);
    size_t keep = at;

    for (; at < set->page_count; at++) {
        struct sf_tag_page *page = set->pages[at];
        uint64_t base = page->number << PAGE_SHIFT;

        for (unsigned int i = 0; base < to && i < PAGE_NUMBERS; i++) {
            if (base + i >= from && base + i < to && page_has(page, i)) {
                page->has[i / 64] &= ~(UINT64_C(1) << i % 64);
                page->count--;
                set->tags--;
            }
        }
        if (page->count == 0) {
            free(page);
        } else {
            set->pages[keep++] = page;
        }
    }
    set->page_count = keep;
}

/* Set tags whose pages were made. */
static void
put_tags(struct sf_ledger_set *set, uint64_t from, uint64_t to, const uint8_t *tags)
{
    size_t at = find_page(set, from >> PAGE_SHIFT);

    for (uint64_t number = from; number < to; number++) {
        unsigned int i = number % PAGE_NUMBERS;
        struct sf_tag_page *page;

        while (set->pages[at]->number < number >> PAGE_SHIFT) {
            at++;
        }
        page = set->pages[at];
        if (!page_has(page, i)) {
            page->has[i / 64] |= UINT64_C(1) << i % 64;
            page->count++;
            set->tags++;
        }
        memcpy(page->tags[i], tags + (number - from) * SF_FACT_TAG_BYTES, SF_FACT_TAG_BYTES);
    }
}

static void
free_set(struct sf_ledger_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->page_count; i++) {
        free(set->pages[i]);
    }
    free(set->pages);
    sf_range_set_fini(&set->numbers);
    free(set);
}

static struct sf_ledger_set *
make_set(void)
{
    struct sf_ledger_set *set = calloc(1, sizeof(*set));

    if (set != NULL) {
        /* Twice what the journal promises: a walk may mix older and newer ranges. */
        sf_range_set_init(&set->numbers, 2 * SF_JOURNAL_RANGES_MAX);
    }
    return set;
}

/* --- Entries ------------------------------------------------------------- */

/* FNV-1a over table and key, its high bits folded in. */
static uint64_t
hash_of(uint8_t table, struct sf_view key)
{
    uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ table) * UINT64_C(0x100000001b3);

    for (size_t i = 0; i < key.bytes; i++) {
        hash = (hash ^ key.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 29;
}

/* What the entry takes in a snapshot, about. */
static uint64_t
cost_of(const struct sf_ledger_entry *entry)
{
    uint64_t head = FACT_HEAD_BYTES + (uint64_t)entry->key_bytes;
    uint64_t cost = 0;

    if (entry->value != NULL) {
        cost += head + 4 + entry->value_bytes;
    }
    if (entry->set != NULL) {
        cost += (head + 16) * (entry->set->numbers.count + 1);
        cost += (head + 12) * (entry->set->page_count / 4 + 1);
        cost += entry->set->tags * SF_FACT_TAG_BYTES;
    }
    return cost;
}

struct sf_ledger_entry *
sf_ledger_find(const struct sf_ledger *ledger, uint8_t table, struct sf_view key)
{
    uint64_t hash = hash_of(table, key);
    struct sf_ledger_entry *entry = ledger->buckets[hash & (ledger->bucket_count - 1)];

    while (entry != NULL && (entry->hash != hash || entry->table != table ||
                                !sf_view_equal(sf_view(entry->key, entry->key_bytes), key))) {
        entry = entry->next_in_bucket;
    }
    return entry;
}

/* Twice the buckets; without memory the old ones serve on. */
static void
grow_buckets(struct sf_ledger *ledger)
{
    size_t count = ledger->bucket_count * 2;
    struct sf_ledger_entry **buckets = calloc(count, sizeof(struct sf_ledger_entry *));

    if (buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < ledger->bucket_count; i++) {
        struct sf_ledger_entry *entry = ledger->buckets[i];

        while (entry != NULL) {
            struct sf_ledger_entry *next = entry->next_in_bucket;

            entry->next_in_bucket = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
            entry = next;
        }
    }
    free(ledger->buckets);
    ledger->buckets = buckets;
    ledger->bucket_count = count;
}

/* An entry without value and set, not yet in the ledger. */
static struct sf_ledger_entry *
make_entry(uint8_t table, struct sf_view key)
{
    struct sf_ledger_entry *entry = calloc(1, sizeof(*entry) + key.bytes);

    if (entry != NULL) {
        entry->hash = hash_of(table, key);
        entry->table = table;
        entry->key_bytes = (uint8_t)key.bytes;
        memcpy(entry->key, key.data, key.bytes);
    }
    return entry;
}

static void
link_entry(struct sf_ledger *ledger, struct sf_ledger_entry *entry)
{
    struct sf_ledger_entry **bucket;

    if (ledger->keys >= ledger->bucket_count) {
        grow_buckets(ledger);
    }
    bucket = &ledger->buckets[entry->hash & (ledger->bucket_count - 1)];
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    entry->previous = ledger->last[entry->table];
    if (entry->previous != NULL) {
        entry->previous->next = entry;
    } else {
        ledger->first[entry->table] = entry;
    }
    ledger->last[entry->table] = entry;
    ledger->keys++;
}

static void
free_entry(struct sf_ledger_entry *entry)
{
    free_set(entry->set);
    free(entry->value);
    free(entry);
}

static void
unlink_entry(struct sf_ledger *ledger, struct sf_ledger_entry *entry)
{
    struct sf_ledger_entry **at = &ledger->buckets[entry->hash & (ledger->bucket_count - 1)];
    struct sf_ledger_walk *walk = ledger->walk;

    while (*at != entry) {
        at = &(*at)->next_in_bucket;
    }
    *at = entry->next_in_bucket;
    if (walk != NULL && walk->entry == entry) {
        walk->entry = entry->next;
        walk->phase = 0;
        walk->number = 0;
        if (walk->entry == NULL) {
            walk->table++;
        }
    }
    if (entry->previous != NULL) {
        entry->previous->next = entry->next;
    } else {
        ledger->first[entry->table] = entry->next;
    }
    if (entry->next != NULL) {
        entry->next->previous = entry->previous;
    } else {
        ledger->last[entry->table] = entry->previous;
    }
    ledger->keys--;
}

int
sf_ledger_init(struct sf_ledger *ledger)
{
    *ledger = (struct sf_ledger){.bucket_count = BUCKETS_FIRST};
    ledger->buckets = calloc(BUCKETS_FIRST, sizeof(struct sf_ledger_entry *));
    return ledger->buckets == NULL ? SF_ENOMEM : SF_OK;
}

void
sf_ledger_fini(struct sf_ledger *ledger)
{
    for (unsigned int table = 0; table < SF_LEDGER_TABLES; table++) {
        struct sf_ledger_entry *entry = ledger->first[table];

        while (entry != NULL) {
            struct sf_ledger_entry *next = entry->next;

            free_entry(entry);
            entry = next;
        }
    }
    free(ledger->buckets);
    *ledger = (struct sf_ledger){0};
}

/* --- Applying ------------------------------------------------------------ */

static int
apply_set(struct sf_ledger_entry *entry, const struct sf_fact *fact)
{
    uint8_t *value = malloc(fact->value.bytes == 0 ? 1 : fact->value.bytes);

    if (value == NULL) {
        return SF_ENOMEM;
    }
    if (fact->value.bytes > 0) {
        memcpy(value, fact->value.data, fact->value.bytes);
    }
    free(entry->value);
    entry->value = value;
    entry->value_bytes = fact->value.bytes;
    return SF_OK;
}

static int
apply_add(struct sf_ledger_set *set, const struct sf_fact *fact)
{
    size_t ranges = set->numbers.count;
    int status;

    if (fact->op == SF_FACT_ADD_TAGGED) {
        for (uint64_t page = fact->from >> PAGE_SHIFT; page <= (fact->to - 1) >> PAGE_SHIFT;
             page++) {
            status = make_page(set, page);
            if (status != SF_OK) {
                return status; /* pages made for nothing do no harm */
            }
        }
    }
    status = sf_range_set_add(&set->numbers, fact->from, fact->to);
    if (status != SF_OK) {
        return status;
    }
    if (set->numbers.count > SF_JOURNAL_RANGES_MAX && set->numbers.count > ranges) {
        /* One range more means that none of the numbers was there: taking them out undoes it. */
        status = sf_range_set_remove(&set->numbers, fact->from, fact->to);
        sf_assert(status == SF_OK);
        return SF_ELIMIT;
    }
    if (fact->op == SF_FACT_ADD_TAGGED) {
        put_tags(set, fact->from, fact->to, fact->tags);
    }
    return SF_OK;
}

static int
apply_remove(struct sf_ledger_set *set, const struct sf_fact *fact)
{
    size_t ranges = set->numbers.count;
    int status = sf_range_set_remove(&set->numbers, fact->from, fact->to);

    if (status != SF_OK) {
        return status;
    }
    if (set->numbers.count > SF_JOURNAL_RANGES_MAX && set->numbers.count > ranges) {
        /* One range more means that all of the numbers were there: putting them back undoes it. */
        status = sf_range_set_add(&set->numbers, fact->from, fact->to);
        sf_assert(status == SF_OK);
        return SF_ELIMIT;
    }
    drop_tags(set, fact->from, fact->to);
    return SF_OK;
}

/* Facts that make an entry if there is none. `entry` may be new. */
static int
apply_to(struct sf_ledger_entry *entry, const struct sf_fact *fact)
{
    struct sf_ledger_set *set = entry->set;
    int status;

    if (fact->op == SF_FACT_SET) {
        return apply_set(entry, fact);
    }
    if (set == NULL) {
        set = make_set();
        if (set == NULL) {
            return SF_ENOMEM;
        }
    }
    status = apply_add(set, fact);
    if (status != SF_OK && entry->set == NULL) {
        free_set(set);
        return status;
    }
    entry->set = set;
    return status;
}

static int
apply_making(struct sf_ledger *ledger, const struct sf_fact *fact)
{
    struct sf_ledger_entry *entry = sf_ledger_find(ledger, fact->table, fact->key);
    bool is_new = entry == NULL;
    uint64_t cost;
    uint64_t tags;
    int status;

    if (is_new) {
        entry = make_entry(fact->table, fact->key);
        if (entry == NULL) {
            return SF_ENOMEM;
        }
    }
    cost = cost_of(entry);
    tags = entry->set != NULL ? entry->set->tags : 0;
    status = apply_to(entry, fact);
    if (status != SF_OK && is_new) {
        free_entry(entry);
        return status;
    }
    if (is_new) {
        link_entry(ledger, entry);
    }
    ledger->live_bytes += cost_of(entry) - cost;
    ledger->tags += (entry->set != NULL ? entry->set->tags : 0) - tags;
    return status;
}

int
sf_ledger_apply(struct sf_ledger *ledger, const struct sf_fact *fact)
{
    struct sf_ledger_entry *entry;
    uint64_t cost;
    uint64_t tags;
    int status = SF_OK;

    sf_assert(fact->op != SF_FACT_WHOLE);
    if (fact->op == SF_FACT_SET || fact->op == SF_FACT_ADD || fact->op == SF_FACT_ADD_TAGGED) {
        return apply_making(ledger, fact);
    }
    entry = sf_ledger_find(ledger, fact->table, fact->key);
    if (entry == NULL) {
        return SF_OK;
    }
    cost = cost_of(entry);
    tags = entry->set != NULL ? entry->set->tags : 0;
    if (fact->op == SF_FACT_UNSET) {
        unlink_entry(ledger, entry);
        free_entry(entry);
        ledger->live_bytes -= cost;
        ledger->tags -= tags;
        return SF_OK;
    }
    if (entry->set != NULL) {
        if (fact->op == SF_FACT_REMOVE) {
            status = apply_remove(entry->set, fact);
        } else {
            drop_tags(entry->set, 0, UINT64_MAX);
        }
        ledger->tags += entry->set->tags - tags;
    }
    ledger->live_bytes += cost_of(entry) - cost;
    return status;
}

const uint8_t *
sf_ledger_tag(const struct sf_ledger_entry *entry, uint64_t number)
{
    const struct sf_ledger_set *set = entry->set;
    size_t at;

    if (set == NULL) {
        return NULL;
    }
    at = find_page(set, number >> PAGE_SHIFT);
    if (at == set->page_count || set->pages[at]->number != number >> PAGE_SHIFT ||
        !page_has(set->pages[at], number % PAGE_NUMBERS)) {
        return NULL;
    }
    return set->pages[at]->tags[number % PAGE_NUMBERS];
}

/* --- The walk -------------------------------------------------------------- */

enum walk_phase { WALK_VALUE, WALK_MADE, WALK_RANGES, WALK_TAGS, WALK_OVER };

void
sf_ledger_walk_begin(struct sf_ledger *ledger, struct sf_ledger_walk *walk)
{
    sf_assert(ledger->walk == NULL);
    *walk = (struct sf_ledger_walk){0};
    ledger->walk = walk;
}

void
sf_ledger_walk_end(struct sf_ledger *ledger)
{
    ledger->walk = NULL;
}

/* The next range at or after walk->number. */
static bool
walk_range(struct sf_ledger_walk *walk, const struct sf_range_set *numbers, struct sf_fact *fact)
{
    size_t low = 0;
    size_t high = numbers->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (numbers->ranges[middle].to <= walk->number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == numbers->count) {
        return false;
    }
    fact->op = SF_FACT_ADD;
    fact->from =
        numbers->ranges[low].from > walk->number ? numbers->ranges[low].from : walk->number;
    fact->to = numbers->ranges[low].to;
    walk->number = fact->to;
    return true;
}

/* The next run of tags at or after walk->number; never across pages, whose tags are not adjacent. */
static bool
walk_tags(struct sf_ledger_walk *walk, const struct sf_ledger_set *set, struct sf_fact *fact)
{
    for (size_t at = find_page(set, walk->number >> PAGE_SHIFT); at < set->page_count; at++) {
        const struct sf_tag_page *page = set->pages[at];
        uint64_t base = page->number << PAGE_SHIFT;
        unsigned int from = walk->number > base ? (unsigned int)(walk->number - base) : 0;
        unsigned int to;

        while (from < PAGE_NUMBERS && !page_has(page, from)) {
            from++;
        }
        if (from == PAGE_NUMBERS) {
            continue;
        }
        for (to = from; to < PAGE_NUMBERS && page_has(page, to); to++) {
        }
        fact->op = SF_FACT_ADD_TAGGED;
        fact->from = base + from;
        fact->to = base + to;
        fact->tags = page->tags[from];
        walk->number = fact->to;
        return true;
    }
    return false;
}

/* The next fact of the entry the walk is at; false if there is none left. */
static bool
walk_entry(struct sf_ledger_walk *walk, struct sf_fact *fact)
{
    const struct sf_ledger_entry *entry = walk->entry;

    *fact = (struct sf_fact){.table = entry->table, .key = sf_view(entry->key, entry->key_bytes)};
    if (walk->phase == WALK_VALUE) {
        walk->phase = WALK_MADE;
        if (entry->value != NULL) {
            fact->op = SF_FACT_SET;
            fact->value = sf_view(entry->value, entry->value_bytes);
            return true;
        }
    }
    if (entry->set == NULL) {
        return false;
    }
    if (walk->phase == WALK_MADE) {
        walk->phase = WALK_RANGES;
        fact->op = SF_FACT_ADD; /* of nothing: the set is there even if it is empty */
        return true;
    }
    if (walk->phase == WALK_RANGES) {
        if (walk_range(walk, &entry->set->numbers, fact)) {
            return true;
        }
        walk->phase = WALK_TAGS;
        walk->number = 0;
    }
    if (walk->phase == WALK_TAGS && walk_tags(walk, entry->set, fact)) {
        return true;
    }
    walk->phase = WALK_OVER;
    return false;
}

bool
sf_ledger_walk_next(struct sf_ledger *ledger, struct sf_ledger_walk *walk, struct sf_fact *ret_fact)
{
    while (walk->table < SF_LEDGER_TABLES) {
        if (walk->entry == NULL) {
            walk->entry = ledger->first[walk->table];
            walk->phase = WALK_VALUE;
            walk->number = 0;
        }
        if (walk->entry != NULL) {
            if (walk_entry(walk, ret_fact)) {
                return true;
            }
            walk->entry = walk->entry->next;
            walk->phase = WALK_VALUE;
            walk->number = 0;
        }
        if (walk->entry == NULL) {
            walk->table++;
        }
    }
    ledger->walk = NULL;
    return false;
}
