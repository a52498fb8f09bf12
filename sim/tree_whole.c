/* What becomes of a tree as a whole: power cuts, copies, searches. */
#include "config.h"

#include "sim/tree.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Power cuts --- */

enum { SECTOR_BYTES = 512 };

/* A lost write may have made the file longer all the same, with zeros or old junk in it. */
static void
lose_write(struct sf_sim_image *image, const struct sf_sim_change *change, uint64_t from, bool junk,
    struct sf_prng *prng)
{
    uint64_t end = change->offset + change->bytes;
    uint64_t old_bytes = image->bytes;

    if (end <= old_bytes || sf_prng_chance(prng, SF_PRNG_PPM / 2)) {
        return;
    }
    if (from < old_bytes) {
        from = old_bytes;
    }
    if (junk && sf_prng_chance(prng, SF_PRNG_PPM / 2)) {
        size_t bytes = (size_t)(end - from);
        uint8_t *noise = sf_sim_allocate(bytes);

        sf_prng_fill(prng, noise, bytes);
        sf_sim_image_write(image, from, noise, bytes);
        free(noise);
    }
    sf_sim_image_truncate(image, end);
}

/* A write of which the medium has only the sectors before a random one. */
static void
tear_write(struct sf_sim_image *image, const struct sf_sim_change *change, struct sf_prng *prng)
{
    uint64_t first = change->offset / SECTOR_BYTES;
    uint64_t end = (change->offset + change->bytes - 1) / SECTOR_BYTES + 1;
    uint64_t torn_at = (first + sf_prng_below(prng, end - first)) * SECTOR_BYTES;

    if (torn_at > change->offset) {
        sf_sim_image_write(image, change->offset, change->data, (size_t)(torn_at - change->offset));
    }
    lose_write(image, change, torn_at, true, prng);
}

static void
crash_bytes(struct sf_sim_tree *tree, struct sf_sim_inode *inode, enum sf_sim_damage_model model,
    struct sf_prng *prng)
{
    struct sf_sim_image *image = &inode->images[SF_SIM_DURABLE];
    size_t lost = sf_prng_below(prng, inode->change_count + 1);

    for (size_t i = 0; i < inode->change_count; i++) {
        const struct sf_sim_change *change = &inode->changes[i];
        uint64_t dice = sf_prng_below(prng, 6);
        bool is_write = change->kind == SF_SIM_CHANGE_WRITE && change->bytes > 0;

        if (model == SF_SIM_DAMAGE_REORDERED ? i >= lost : dice < 3) {
            if (model == SF_SIM_DAMAGE_TORN && is_write && dice > 0) {
                tear_write(image, change, prng);
                tree->torn++;
            } else {
                sf_sim_change_apply(image, change);
            }
        } else if (is_write) {
            lose_write(image, change, change->offset, model == SF_SIM_DAMAGE_TORN, prng);
            tree->lost++;
        }
    }
}

static void
crash_names(struct sf_sim_tree *tree, enum sf_sim_damage_model model, struct sf_prng *prng)
{
    size_t lost = sf_prng_below(prng, tree->name_change_count + 1);

    for (size_t i = 0; i < tree->name_change_count; i++) {
        bool survives = sf_prng_chance(prng, SF_PRNG_PPM / 2);

        if (model == SF_SIM_DAMAGE_REORDERED ? i >= lost : survives) {
            sf_sim_name_change_apply(tree, &tree->name_changes[i], SF_SIM_DURABLE);
        }
    }
}

/* A killed process: the kernel has everything that completed and nothing that did not. */
static void
drop_in_flight(struct sf_sim_tree *tree)
{
    for (struct sf_sim_inode *inode = tree->inodes; inode != NULL; inode = inode->next) {
        size_t kept = 0;

        for (size_t i = 0; i < inode->change_count; i++) {
            if (inode->changes[i].in_flight) {
                free(inode->changes[i].data);
            } else {
                inode->changes[kept++] = inode->changes[i];
            }
        }
        inode->change_count = kept;
    }
}

void
sf_sim_tree_crash(struct sf_sim_tree *tree, enum sf_sim_damage_model model, struct sf_prng *prng)
{
    struct sf_sim_inode *inode;
    struct sf_sim_inode *following;

    if (model == SF_SIM_DAMAGE_KEEP_ALL) {
        drop_in_flight(tree);
        return;
    }
    for (inode = tree->inodes; inode != NULL; inode = inode->next) {
        inode->references++; /* none goes while we walk */
    }
    if (model != SF_SIM_DAMAGE_LOSE_ALL) {
        crash_names(tree, model, prng);
    }
    sf_sim_name_changes_clear(tree);
    for (inode = tree->inodes; inode != NULL; inode = inode->next) {
        if (model != SF_SIM_DAMAGE_LOSE_ALL) {
            crash_bytes(tree, inode, model, prng);
        } else {
            tree->lost += inode->change_count;
        }
        sf_sim_changes_clear(inode);
        inode->diverged = false;
        sf_sim_names_clear(tree, inode, SF_SIM_VOLATILE);
    }
    for (inode = tree->inodes; inode != NULL; inode = inode->next) {
        sf_assert(inode->live == 0);
        sf_sim_image_copy(&inode->images[SF_SIM_VOLATILE], &inode->images[SF_SIM_DURABLE]);
    }
    for (inode = tree->inodes; inode != NULL; inode = inode->next) {
        const struct sf_sim_names *durable = &inode->names[SF_SIM_DURABLE];

        for (size_t i = 0; i < durable->count; i++) {
            sf_sim_names_set(
                tree, inode, SF_SIM_VOLATILE, durable->entries[i].name, durable->entries[i].inode);
        }
    }
    /* One that goes takes along what only it names, never the next one, which we still hold. */
    for (inode = tree->inodes; inode != NULL; inode = following) {
        following = inode->next;
        sf_sim_inode_drop(tree, inode);
    }
}

/* --- Copies --- */

static void
copy_inode(struct sf_sim_tree *to, struct sf_sim_inode *from)
{
    struct sf_sim_inode *inode = sf_sim_inode_new(to, from->is_directory);

    from->copy = inode;
    inode->references = 1; /* ours, while copying */
    inode->number = from->number;
    inode->diverged = from->diverged;
    inode->mtime_ns = from->mtime_ns;
    inode->ctime_ns = from->ctime_ns;
    inode->source_bytes = from->source_bytes;
    inode->generate = from->generate;
    inode->context = from->context;
    sf_sim_image_copy(&inode->images[0], &from->images[0]);
    sf_sim_image_copy(&inode->images[1], &from->images[1]);
    if (from->change_count > 0) {
        inode->changes = sf_sim_allocate(from->change_count * sizeof(*inode->changes));
        inode->change_capacity = from->change_count;
    }
    for (size_t i = 0; i < from->change_count; i++) {
        struct sf_sim_change change = from->changes[i];

        if (change.data != NULL) {
            change.data =
                memcpy(sf_sim_allocate((size_t)change.bytes), change.data, (size_t)change.bytes);
        }
        inode->changes[inode->change_count++] = change;
    }
}

static char *
copy_name(const char *name)
{
    size_t bytes;

    if (name == NULL) {
        return NULL;
    }
    bytes = strlen(name) + 1;
    return memcpy(sf_sim_allocate(bytes), name, bytes);
}

static struct sf_sim_inode *
copy_of(struct sf_sim_inode *inode)
{
    if (inode == NULL) {
        return NULL;
    }
    inode->copy->references++;
    return inode->copy;
}

static void
copy_name_changes(struct sf_sim_tree *to, const struct sf_sim_tree *from)
{
    to->name_changes = sf_sim_allocate(from->name_change_count * sizeof(*to->name_changes));
    to->name_change_capacity = from->name_change_count;
    to->name_change_count = from->name_change_count;
    for (size_t i = 0; i < from->name_change_count; i++) {
        struct sf_sim_name_change change = from->name_changes[i];

        change.inode = copy_of(change.inode);
        change.from_directory = copy_of(change.from_directory);
        change.from_name = copy_name(change.from_name);
        change.to_directory = copy_of(change.to_directory);
        change.to_name = copy_name(change.to_name);
        to->name_changes[i] = change;
    }
}

void
sf_sim_tree_copy(struct sf_sim_tree *to, const struct sf_sim_tree *from)
{
    struct sf_sim_inode *last = from->inodes;

    sf_sim_inode_drop(to, to->root);
    to->root = NULL;
    while (last != NULL && last->next != NULL) {
        last = last->next;
    }
    /* From the oldest on, so that the copy's list has the same order. */
    for (struct sf_sim_inode *inode = last; inode != NULL; inode = inode->previous) {
        copy_inode(to, inode);
    }
    for (struct sf_sim_inode *inode = from->inodes; inode != NULL; inode = inode->next) {
        for (int face = SF_SIM_VOLATILE; face <= SF_SIM_DURABLE; face++) {
            const struct sf_sim_names *names = &inode->names[face];

            for (size_t i = 0; i < names->count; i++) {
                sf_sim_names_set(to, inode->copy, (enum sf_sim_face)face, names->entries[i].name,
                    names->entries[i].inode->copy);
            }
        }
    }
    copy_name_changes(to, from);
    to->root = from->root->copy;
    to->root->references++;
    to->sequence = from->sequence;
    to->inode_next = from->inode_next;
    for (struct sf_sim_inode *inode = from->inodes; inode != NULL; inode = inode->next) {
        sf_sim_inode_drop(to, inode->copy);
        inode->copy = NULL;
    }
}

/* --- Looking at all of it --- */

struct search {
    struct sf_view needle;
    char path[SF_DISK_PATH_BYTES_MAX];
    char *where;
    size_t where_bytes;
};

static bool
found_at(struct search *search)
{
    if (search->where != NULL && search->where_bytes > 0) {
        snprintf(search->where, search->where_bytes, "%s", search->path);
    }
    return true;
}

static bool
search_file(struct search *search, const struct sf_sim_inode *inode)
{
    for (int face = SF_SIM_VOLATILE; face <= SF_SIM_DURABLE; face++) {
        if (sf_sim_image_has(&inode->images[face], search->needle.data, search->needle.bytes)) {
            return found_at(search);
        }
    }
    for (size_t i = 0; i < inode->change_count; i++) {
        const struct sf_sim_change *change = &inode->changes[i];

        if (change->data != NULL && memmem(change->data, (size_t)change->bytes, search->needle.data,
                                        search->needle.bytes) != NULL) {
            return found_at(search);
        }
    }
    return false;
}

static bool
search_inode(struct search *search, const struct sf_sim_inode *inode)
{
    size_t length = strlen(search->path);

    if (search_file(search, inode)) {
        return true;
    }
    for (int face = SF_SIM_VOLATILE; face <= SF_SIM_DURABLE; face++) {
        const struct sf_sim_names *names = &inode->names[face];

        for (size_t i = 0; i < names->count; i++) {
            const char *name = names->entries[i].name;

            if (face == SF_SIM_DURABLE && sf_sim_names_find(&inode->names[SF_SIM_VOLATILE], name) ==
                                              names->entries[i].inode) {
                continue; /* seen */
            }
            snprintf(search->path + length, sizeof(search->path) - length, "%s%s",
                length == 0 ? "" : "/", name);
            if (memmem(name, strlen(name), search->needle.data, search->needle.bytes) != NULL
                    ? found_at(search)
                    : search_inode(search, names->entries[i].inode)) {
                return true;
            }
            search->path[length] = '\0';
        }
    }
    return false;
}

bool
sf_sim_tree_grep(
    const struct sf_sim_tree *tree, struct sf_view needle, char *ret_where, size_t where_bytes)
{
    struct search *search = sf_sim_allocate(sizeof(*search));
    bool found;

    *search = (struct search){.needle = needle, .where = ret_where, .where_bytes = where_bytes};
    found = search_inode(search, tree->root);
    free(search);
    return found;
}

static uint64_t
hash_inode(const struct sf_sim_inode *inode, uint64_t hash)
{
    const struct sf_sim_names *names = &inode->names[SF_SIM_VOLATILE];

    hash = sf_sim_image_hash(&inode->images[SF_SIM_VOLATILE], hash);
    hash = sf_sim_hash(hash, &inode->source_bytes, sizeof(inode->source_bytes));
    for (size_t i = 0; i < names->count; i++) {
        hash = sf_sim_hash(hash, names->entries[i].name, strlen(names->entries[i].name) + 1);
        hash = hash_inode(names->entries[i].inode, hash);
    }
    /* An end mark, or a/b and a next to b would hash alike. */
    return sf_sim_hash(hash, "", 1);
}

uint64_t
sf_sim_tree_hash(const struct sf_sim_tree *tree)
{
    return hash_inode(tree->root, UINT64_C(0xcbf29ce484222325));
}

uint64_t
sf_sim_tree_memory(const struct sf_sim_tree *tree)
{
    uint64_t bytes = 0;

    for (const struct sf_sim_inode *inode = tree->inodes; inode != NULL; inode = inode->next) {
        bytes += sizeof(*inode);
        bytes += sf_sim_image_memory(&inode->images[SF_SIM_VOLATILE]);
        bytes += sf_sim_image_memory(&inode->images[SF_SIM_DURABLE]);
        for (size_t i = 0; i < inode->change_count; i++) {
            bytes += inode->changes[i].data == NULL ? 0 : inode->changes[i].bytes;
        }
    }
    return bytes;
}
