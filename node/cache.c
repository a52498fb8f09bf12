/*
 * cache.c - sealed bundles in memory while the link sends them.
 *
 * A bundle comes in fresh from the intake or is read back from the spool when
 * the link wants it. While it is lent it stays; afterwards it stays as long as
 * there is room, since another recipient or a repair may want it next.
 */
#include "node/internal.h"

#include "base/crc32c.h"

#include <stdlib.h>

enum { LENT_MAX = SF_NODE_RECIPIENTS_MAX };

struct cached {
    struct outbound *out;
    uint64_t index;
    uint8_t *object;
    bool is_loading;
    uint32_t lent[LENT_MAX]; /* handles that have it, or wait for it */
    unsigned lent_count;
    struct sf_spool_io io;
    uint32_t crc; /* what it had when it was sealed, once the key is forgotten */
    int status;
    struct sf_job job;
    struct cached *next;  /* in its bucket */
    struct cached *newer; /* among the idle ones */
    struct cached *older;
};

static struct cached **
bucket_of(struct sf_node *node, uint64_t index)
{
    return &node->cache.buckets[index % CACHE_BUCKETS];
}

static struct cached *
find(struct sf_node *node, const struct outbound *out, uint64_t index)
{
    struct cached *entry = *bucket_of(node, index);

    while (entry != NULL && (entry->out != out || entry->index != index)) {
        entry = entry->next;
    }
    return entry;
}

/* --- Idle ones, in the order in which they were left ------------------------------------------ */

static bool
is_idle(const struct cached *entry)
{
    return !entry->is_loading && entry->lent_count == 0;
}

static void
leave(struct cached *entry)
{
    struct cache *cache = &entry->out->node->cache;

    entry->older = cache->newest_idle;
    entry->newer = NULL;
    *(entry->older == NULL ? &cache->oldest_idle : &entry->older->newer) = entry;
    cache->newest_idle = entry;
}

static void
take_up(struct cached *entry)
{
    struct cache *cache = &entry->out->node->cache;

    *(entry->older == NULL ? &cache->oldest_idle : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &cache->newest_idle : &entry->newer->older) = entry->older;
}

static void
remove_entry(struct sf_node *node, struct cached *entry)
{
    struct cached **at = bucket_of(node, entry->index);

    if (is_idle(entry)) {
        take_up(entry);
    }
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    node->cache.bytes -= entry->out->record.class_bytes;
    memory_give(node, entry->out->record.class_bytes);
    free(entry->object);
    free(entry);
}

/*
 * Make room for `bytes` by forgetting what was left longest ago. If all are lent there is none:
 * the link's own window bounds how many those are.
 */
static void
make_room(struct sf_node *node, uint64_t bytes)
{
    while (node->cache.bytes + bytes > CACHE_BYTES_MAX && node->cache.oldest_idle != NULL) {
        remove_entry(node, node->cache.oldest_idle);
    }
}

static struct cached *
add(struct sf_node *node, struct outbound *out, uint64_t index, uint8_t *object)
{
    struct cached **bucket = bucket_of(node, index);
    struct cached *entry;

    make_room(node, out->record.class_bytes);
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return NULL;
    }
    entry->out = out;
    entry->index = index;
    entry->object = object;
    entry->next = *bucket;
    *bucket = entry;
    leave(entry);
    node->cache.bytes += out->record.class_bytes;
    memory_take(node, out->record.class_bytes);
    return entry;
}

/* --- Fresh ones, and those that are lent ------------------------------------------------------- */

void
cache_insert(struct sf_node *node, struct outbound *out, uint64_t index, uint8_t *object)
{
    if (find(node, out, index) != NULL || add(node, out, index, object) == NULL) {
        free(object);
    }
}

static void
lend(struct sf_node *node, struct cached *entry, uint32_t handle)
{
    if (entry->lent_count == LENT_MAX ||
        sf_link_supply(node->link, handle, entry->index, entry->object) != SF_OK) {
        return;
    }
    if (entry->lent_count == 0) {
        take_up(entry);
    }
    entry->lent[entry->lent_count++] = handle;
}

/* The load is over: hand the bundle to whoever waits, or say that it cannot be had. */
static void
finish_load(struct cached *entry, bool is_good)
{
    struct outbound *out = entry->out;
    struct sf_node *node = out->node;
    uint64_t index = entry->index;
    uint32_t waiting[LENT_MAX];
    unsigned count = entry->lent_count;

    memcpy(waiting, entry->lent, sizeof(waiting));
    entry->is_loading = false;
    entry->lent_count = 0;
    out->loads--;
    leave(entry);
    if (!is_good) {
        remove_entry(node, entry);
    }
    for (unsigned i = 0; i < count; i++) {
        if (is_good) {
            lend(node, entry, waiting[i]);
        } else {
            outbound_unreadable(node, waiting[i], index);
        }
    }
}

static struct cached *
cached_of(struct sf_job *job)
{
    return (struct cached *)(void *)((char *)job - offsetof(struct cached, job));
}

/* On a worker: is it still what was sealed? */
static void
run_check(struct sf_job *job)
{
    struct cached *entry = cached_of(job);
    const struct outbound *out = entry->out;
    struct sf_view object = sf_view(entry->object, out->record.class_bytes);

    if (out->seal != NULL) {
        entry->status = sf_envelope_check(out->seal, SF_KIND_DATA, entry->index, object);
    } else {
        entry->status = sf_crc32c(0, object.data, object.bytes) == entry->crc ? SF_OK : SF_EFORMAT;
    }
}

static void
checked(struct sf_job *job)
{
    struct cached *entry = cached_of(job);

    finish_load(entry, entry->status == SF_OK);
}

/*
 * What the disk gave is checked before it flies, or rot would be sent again and
 * again: by its tag, or by its checksum once the key is forgotten.
 */
static void
loaded(struct sf_spool_io *io)
{
    struct cached *entry = io->owner;
    const struct outbound *out = entry->out;
    const uint8_t *tag;

    if (io->status != SF_OK) {
        finish_load(entry, false);
        return;
    }
    if (out->seal == NULL) {
        tag = sf_journal_tag(out->node->journal, SF_TABLE_OUT_SEALED,
            sf_view(out->id.b, sizeof(out->id.b)), entry->index);
        if (tag == NULL) {
            finish_load(entry, false);
            return;
        }
        entry->crc = sf_get_be32(tag + SEALED_TAG_SIV_BYTES);
    }
    entry->job = (struct sf_job){.run = run_check, .done = checked};
    sf_workers_submit(out->node->workers, &entry->job);
}

void
cache_want(struct sf_node *node, struct outbound *out, uint32_t handle, uint64_t index)
{
    struct cached *entry = find(node, out, index);
    uint8_t *object;

    if (entry != NULL && !entry->is_loading) {
        lend(node, entry, handle);
        return;
    }
    if (entry != NULL) {
        if (entry->lent_count < LENT_MAX) {
            entry->lent[entry->lent_count++] = handle;
        }
        return;
    }
    if (out->spool == NULL) {
        outbound_unreadable(node, handle, index);
        return;
    }
    object = buffer_alloc(out->record.class_bytes);
    entry = object == NULL ? NULL : add(node, out, index, object);
    if (entry == NULL) {
        free(object);
        outbound_unreadable(node, handle, index);
        return;
    }
    take_up(entry);
    entry->is_loading = true;
    entry->lent[entry->lent_count++] = handle;
    out->loads++;
    entry->io = (struct sf_spool_io){
        .done = loaded,
        .owner = entry,
        .spool = out->spool,
        .index = index,
        .bytes = out->record.class_bytes,
        .data = object,
    };
    sf_spool_get(&entry->io);
}

static void
give_back(struct cached *entry, uint32_t handle)
{
    for (unsigned i = 0; i < entry->lent_count; i++) {
        if (entry->lent[i] == handle) {
            entry->lent[i] = entry->lent[--entry->lent_count];
            if (is_idle(entry)) {
                leave(entry);
            }
            return;
        }
    }
}

void
cache_release(struct sf_node *node, struct outbound *out, uint32_t handle, uint64_t index)
{
    struct cached *entry = find(node, out, index);

    if (entry != NULL) {
        give_back(entry, handle);
        make_room(node, 0);
    }
}

void
cache_withdrawn(struct sf_node *node, struct outbound *out, uint32_t handle)
{
    for (size_t i = 0; i < CACHE_BUCKETS; i++) {
        for (struct cached *entry = node->cache.buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->out == out) {
                give_back(entry, handle);
            }
        }
    }
    make_room(node, 0);
}

/* Forget those of `out`, or all if it is NULL. */
static void
forget(struct sf_node *node, const struct outbound *out)
{
    for (size_t i = 0; i < CACHE_BUCKETS; i++) {
        struct cached *next;

        for (struct cached *entry = node->cache.buckets[i]; entry != NULL; entry = next) {
            next = entry->next;
            if (out == NULL || entry->out == out) {
                remove_entry(node, entry);
            }
        }
    }
}

void
cache_forget(struct sf_node *node, struct outbound *out)
{
    sf_assert(!cache_is_busy(out));
    forget(node, out);
}

bool
cache_is_busy(const struct outbound *out)
{
    return out->loads > 0;
}

void
cache_fini(struct sf_node *node)
{
    forget(node, NULL);
}
