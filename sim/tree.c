#include "sim/tree.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* Modification times of files start here: a plausible date, the same in every run. */
static const int64_t TIME_BASE_NS = INT64_C(1750000000000000000);

/* --- Names --- */

static size_t
find_entry(const struct sf_sim_names *names, const char *name, bool *ret_found)
{
    size_t low = 0;
    size_t high = names->count;

    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(names->entries[middle].name, name);

        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sf_sim_inode *
sf_sim_names_find(const struct sf_sim_names *names, const char *name)
{
    bool found;
    size_t at = find_entry(names, name, &found);

    return found ? names->entries[at].inode : NULL;
}

static char *
copy_text(const char *text)
{
    /* cppcheck-suppress ctunullpointer; who has a directory has a name in it */
    size_t bytes = strlen(text) + 1;

    return memcpy(sf_sim_allocate(bytes), text, bytes);
}

static void
live_add(struct sf_sim_tree *tree, struct sf_sim_inode *inode)
{
    if (inode->live++ == 0) {
        tree->used_blocks += sf_range_set_total(&inode->images[SF_SIM_VOLATILE].blocks);
    }
}

static void
live_remove(struct sf_sim_tree *tree, struct sf_sim_inode *inode)
{
    sf_assert(inode->live > 0);
    if (--inode->live == 0) {
        tree->used_blocks -= sf_range_set_total(&inode->images[SF_SIM_VOLATILE].blocks);
    }
}

static void
names_remove(struct sf_sim_tree *tree, struct sf_sim_inode *directory, enum sf_sim_face face,
    const char *name)
{
    struct sf_sim_names *names = &directory->names[face];
    struct sf_sim_inode *inode;
    bool found;
    size_t at = find_entry(names, name, &found);

    if (!found) {
        return;
    }
    inode = names->entries[at].inode;
    free(names->entries[at].name);
    names->count--;
    memmove(&names->entries[at], &names->entries[at + 1],
        (names->count - at) * sizeof(*names->entries));
    if (face == SF_SIM_VOLATILE) {
        live_remove(tree, inode);
    }
    sf_sim_inode_drop(tree, inode);
}

/* `name` is `inode` from now on, whatever it was. */
void
sf_sim_names_set(struct sf_sim_tree *tree, struct sf_sim_inode *directory, enum sf_sim_face face,
    const char *name, struct sf_sim_inode *inode)
{
    struct sf_sim_names *names = &directory->names[face];
    bool found;
    size_t at;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what was found is there */
    inode->references++;
    if (face == SF_SIM_VOLATILE) {
        live_add(tree, inode);
    }
    names_remove(tree, directory, face, name);
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 4 : names->capacity * 2;
        names->entries =
            sf_sim_reallocate(names->entries, names->capacity * sizeof(*names->entries));
    }
    at = find_entry(names, name, &found);
    memmove(&names->entries[at + 1], &names->entries[at],
        (names->count - at) * sizeof(*names->entries));
    names->entries[at] = (struct sf_sim_entry){copy_text(name), inode};
    names->count++;
}

void
sf_sim_names_clear(struct sf_sim_tree *tree, struct sf_sim_inode *directory, enum sf_sim_face face)
{
    struct sf_sim_names *names = &directory->names[face];

    while (names->count > 0) {
        names_remove(tree, directory, face, names->entries[names->count - 1].name);
    }
    free(names->entries);
    memset(names, 0, sizeof(*names));
}

/* --- Inodes --- */

struct sf_sim_inode *
sf_sim_inode_new(struct sf_sim_tree *tree, bool is_directory)
{
    struct sf_sim_inode *inode = sf_sim_allocate(sizeof(*inode));

    memset(inode, 0, sizeof(*inode));
    inode->number = tree->inode_next++;
    inode->is_directory = is_directory;
    inode->mtime_ns = TIME_BASE_NS + (int64_t)tree->sequence;
    inode->ctime_ns = inode->mtime_ns;
    sf_sim_image_init(&inode->images[SF_SIM_VOLATILE]);
    sf_sim_image_init(&inode->images[SF_SIM_DURABLE]);
    inode->next = tree->inodes;
    if (tree->inodes != NULL) {
        tree->inodes->previous = inode;
    }
    tree->inodes = inode;
    return inode;
}

void
sf_sim_changes_clear(struct sf_sim_inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        free(inode->changes[i].data);
    }
    inode->change_count = 0;
}

void
sf_sim_inode_drop(struct sf_sim_tree *tree, struct sf_sim_inode *inode)
{
    sf_assert(inode->references > 0);
    if (--inode->references > 0) {
        return;
    }
    inode->references++; /* or clearing a directory that names nothing else would come back here */
    sf_sim_names_clear(tree, inode, SF_SIM_VOLATILE);
    sf_sim_names_clear(tree, inode, SF_SIM_DURABLE);
    sf_sim_image_fini(&inode->images[SF_SIM_VOLATILE]);
    sf_sim_image_fini(&inode->images[SF_SIM_DURABLE]);
    sf_sim_changes_clear(inode);
    free(inode->changes);
    if (inode->next != NULL) {
        inode->next->previous = inode->previous;
    }
    if (inode->previous != NULL) {
        inode->previous->next = inode->next;
    } else {
        tree->inodes = inode->next;
    }
    free(inode);
}

void
sf_sim_inode_hold(struct sf_sim_tree *tree, struct sf_sim_inode *inode)
{
    inode->references++;
    live_add(tree, inode);
}

void
sf_sim_inode_release(struct sf_sim_tree *tree, struct sf_sim_inode *inode)
{
    live_remove(tree, inode);
    sf_sim_inode_drop(tree, inode);
}

/* --- The tree --- */

void
sf_sim_tree_init(struct sf_sim_tree *tree)
{
    memset(tree, 0, sizeof(*tree));
    tree->inode_next = 2; /* as on most file systems */
    tree->root = sf_sim_inode_new(tree, true);
    tree->root->references = 1;
}

static void
name_change_drop(struct sf_sim_tree *tree, struct sf_sim_name_change *change)
{
    free(change->from_name);
    free(change->to_name);
    if (change->from_directory != NULL) {
        sf_sim_inode_drop(tree, change->from_directory);
    }
    if (change->to_directory != NULL) {
        sf_sim_inode_drop(tree, change->to_directory);
    }
    sf_sim_inode_drop(tree, change->inode);
}

void
sf_sim_name_changes_clear(struct sf_sim_tree *tree)
{
    for (size_t i = 0; i < tree->name_change_count; i++) {
        name_change_drop(tree, &tree->name_changes[i]);
    }
    tree->name_change_count = 0;
}

void
sf_sim_tree_fini(struct sf_sim_tree *tree)
{
    sf_sim_name_changes_clear(tree);
    free(tree->name_changes);
    sf_sim_inode_drop(tree, tree->root);
    sf_assert(tree->inodes == NULL);
    memset(tree, 0, sizeof(*tree));
}

static struct sf_sim_inode *
find_parent(
    const struct sf_sim_tree *tree, enum sf_sim_face face, const char *path, const char **ret_name)
{
    struct sf_sim_inode *at = tree->root;
    char name[SF_DISK_PATH_BYTES_MAX];
    const char *slash;

    while ((slash = strchr(path, '/')) != NULL) {
        size_t bytes = (size_t)(slash - path);

        memcpy(name, path, bytes);
        name[bytes] = '\0';
        at = sf_sim_names_find(&at->names[face], name);
        if (at == NULL || !at->is_directory) {
            return NULL;
        }
        path = slash + 1;
    }
    *ret_name = path;
    return at;
}

struct sf_sim_inode *
sf_sim_tree_find_parent(const struct sf_sim_tree *tree, const char *path, const char **ret_name)
{
    return find_parent(tree, SF_SIM_VOLATILE, path, ret_name);
}

static struct sf_sim_inode *
find(const struct sf_sim_tree *tree, enum sf_sim_face face, const char *path)
{
    const char *name;
    struct sf_sim_inode *directory;

    if (strcmp(path, ".") == 0 || *path == '\0') {
        return tree->root;
    }
    directory = find_parent(tree, face, path, &name);
    return directory == NULL ? NULL : sf_sim_names_find(&directory->names[face], name);
}

struct sf_sim_inode *
sf_sim_tree_find(const struct sf_sim_tree *tree, const char *path)
{
    return find(tree, SF_SIM_VOLATILE, path);
}

struct sf_sim_inode *
sf_sim_tree_find_durable(const struct sf_sim_tree *tree, const char *path)
{
    return find(tree, SF_SIM_DURABLE, path);
}

struct sf_sim_inode *
sf_sim_tree_by_number(const struct sf_sim_tree *tree, uint64_t number)
{
    struct sf_sim_inode *inode = tree->inodes;

    while (inode != NULL && inode->number != number) {
        inode = inode->next;
    }
    return inode;
}

/* --- Changes of names --- */

void
sf_sim_name_change_apply(
    struct sf_sim_tree *tree, const struct sf_sim_name_change *change, enum sf_sim_face face)
{
    if (change->from_directory != NULL && sf_sim_names_find(&change->from_directory->names[face],
                                              change->from_name) == change->inode) {
        names_remove(tree, change->from_directory, face, change->from_name);
    }
    if (change->to_directory != NULL) {
        sf_sim_names_set(tree, change->to_directory, face, change->to_name, change->inode);
    }
}

static void
change_names(struct sf_sim_tree *tree, struct sf_sim_inode *inode,
    struct sf_sim_inode *from_directory, const char *from_name, struct sf_sim_inode *to_directory,
    const char *to_name)
{
    struct sf_sim_name_change change = {
        .sequence = ++tree->sequence,
        .from_synced = from_directory == NULL,
        .to_synced = to_directory == NULL,
        .inode = inode,
        .from_directory = from_directory,
        .to_directory = to_directory,
    };

    inode->references++;
    if (from_directory != NULL) {
        from_directory->references++;
        change.from_name = copy_text(from_name);
    }
    if (to_directory != NULL) {
        to_directory->references++;
        change.to_name = copy_text(to_name);
    }
    if (tree->name_change_count == tree->name_change_capacity) {
        tree->name_change_capacity =
            tree->name_change_capacity == 0 ? 16 : tree->name_change_capacity * 2;
        tree->name_changes = sf_sim_reallocate(
            tree->name_changes, tree->name_change_capacity * sizeof(*tree->name_changes));
    }
    tree->name_changes[tree->name_change_count++] = change;
    inode->ctime_ns = TIME_BASE_NS + (int64_t)tree->sequence;
    sf_sim_name_change_apply(tree, &change, SF_SIM_VOLATILE);
}

struct sf_sim_inode *
sf_sim_tree_make(
    struct sf_sim_tree *tree, struct sf_sim_inode *directory, const char *name, bool is_directory)
{
    struct sf_sim_inode *inode = sf_sim_inode_new(tree, is_directory);

    change_names(tree, inode, NULL, NULL, directory, name);
    return inode;
}

void
sf_sim_tree_unlink(struct sf_sim_tree *tree, struct sf_sim_inode *directory, const char *name)
{
    struct sf_sim_inode *inode = sf_sim_names_find(&directory->names[SF_SIM_VOLATILE], name);

    sf_assert(inode != NULL);
    change_names(tree, inode, directory, name, NULL, NULL);
}

void
sf_sim_tree_rename(struct sf_sim_tree *tree, struct sf_sim_inode *from_directory,
    const char *from_name, struct sf_sim_inode *to_directory, const char *to_name)
{
    struct sf_sim_inode *inode =
        sf_sim_names_find(&from_directory->names[SF_SIM_VOLATILE], from_name);

    sf_assert(inode != NULL);
    change_names(tree, inode, from_directory, from_name, to_directory, to_name);
}

static bool
same_name(const struct sf_sim_inode *directory_a, const char *name_a,
    const struct sf_sim_inode *directory_b, const char *name_b)
{
    return directory_a != NULL && directory_a == directory_b && strcmp(name_a, name_b) == 0;
}

static bool
concern_same_name(const struct sf_sim_name_change *a, const struct sf_sim_name_change *b)
{
    return same_name(a->from_directory, a->from_name, b->from_directory, b->from_name) ||
           same_name(a->from_directory, a->from_name, b->to_directory, b->to_name) ||
           same_name(a->to_directory, a->to_name, b->from_directory, b->from_name) ||
           same_name(a->to_directory, a->to_name, b->to_directory, b->to_name);
}

static bool
is_synced(const struct sf_sim_name_change *change)
{
    return change->from_synced && change->to_synced;
}

/* Whatever happened earlier to a name that is durable now is durable with it, as in a log. */
static void
sync_earlier(struct sf_sim_tree *tree)
{
    for (size_t i = tree->name_change_count; i-- > 0;) {
        struct sf_sim_name_change *earlier = &tree->name_changes[i];

        for (size_t k = i + 1; !is_synced(earlier) && k < tree->name_change_count; k++) {
            if (is_synced(&tree->name_changes[k]) &&
                concern_same_name(earlier, &tree->name_changes[k])) {
                earlier->from_synced = true;
                earlier->to_synced = true;
            }
        }
    }
}

void
sf_sim_tree_sync_names(
    struct sf_sim_tree *tree, struct sf_sim_inode *directory, uint64_t sequence, bool failed)
{
    size_t kept = 0;

    for (size_t i = 0; i < tree->name_change_count; i++) {
        struct sf_sim_name_change *change = &tree->name_changes[i];

        if (change->sequence <= sequence) {
            change->from_synced |= change->from_directory == directory;
            change->to_synced |= change->to_directory == directory;
        }
    }
    if (!failed) {
        sync_earlier(tree);
    }
    for (size_t i = 0; i < tree->name_change_count; i++) {
        struct sf_sim_name_change change = tree->name_changes[i];
        bool covered = change.sequence <= sequence &&
                       (change.from_directory == directory || change.to_directory == directory);

        if (!failed && is_synced(&change)) {
            sf_sim_name_change_apply(tree, &change, SF_SIM_DURABLE);
        } else if (!failed || !covered) {
            tree->name_changes[kept++] = change;
            continue;
        }
        name_change_drop(tree, &change);
    }
    tree->name_change_count = kept;
}

/* --- Changes of bytes --- */

static void
apply(struct sf_sim_image *image, enum sf_sim_change_kind kind, uint64_t offset, uint64_t bytes,
    const uint8_t *data)
{
    switch (kind) {
    case SF_SIM_CHANGE_WRITE:
        sf_sim_image_write(image, offset, data, (size_t)bytes);
        break;
    case SF_SIM_CHANGE_RESERVE:
        sf_sim_image_reserve(image, offset, bytes);
        break;
    case SF_SIM_CHANGE_RESERVE_BEHIND:
        sf_sim_image_reserve_behind(image, offset, bytes);
        break;
    case SF_SIM_CHANGE_PUNCH:
        sf_sim_image_punch(image, offset, bytes);
        break;
    case SF_SIM_CHANGE_TRUNCATE:
        sf_sim_image_truncate(image, offset);
        break;
    }
}

void
sf_sim_change_apply(struct sf_sim_image *image, const struct sf_sim_change *change)
{
    apply(image, change->kind, change->offset, change->bytes, change->data);
}

/* Keep a change until it is synced. */
static void
keep_change(struct sf_sim_inode *inode, struct sf_sim_change change, const uint8_t *data)
{
    if (change.kind == SF_SIM_CHANGE_WRITE) {
        change.data = memcpy(sf_sim_allocate((size_t)change.bytes), data, (size_t)change.bytes);
    }
    if (inode->change_count == inode->change_capacity) {
        inode->change_capacity = inode->change_capacity == 0 ? 4 : inode->change_capacity * 2;
        inode->changes =
            sf_sim_reallocate(inode->changes, inode->change_capacity * sizeof(*inode->changes));
    }
    inode->changes[inode->change_count++] = change;
}

void
sf_sim_tree_change(struct sf_sim_tree *tree, struct sf_sim_inode *inode,
    enum sf_sim_change_kind kind, uint64_t offset, uint64_t bytes, const uint8_t *data,
    bool in_flight)
{
    struct sf_sim_image *image = &inode->images[SF_SIM_VOLATILE];
    struct sf_sim_change change = {kind, in_flight, ++tree->sequence, offset, bytes, NULL};

    if (!tree->steady) {
        keep_change(inode, change, data);
    }
    if (in_flight) {
        return;
    }
    if (inode->live > 0) {
        tree->used_blocks -= sf_range_set_total(&image->blocks);
    }
    apply(image, kind, offset, bytes, data);
    if (inode->live > 0) {
        tree->used_blocks += sf_range_set_total(&image->blocks);
    }
    inode->mtime_ns = TIME_BASE_NS + (int64_t)tree->sequence;
    inode->ctime_ns = inode->mtime_ns;
}

/* The part of a file a change touched, for sharing pages; a shorter file touches all to the end. */
static void
share_change(struct sf_sim_inode *inode, const struct sf_sim_change *change)
{
    struct sf_sim_image *durable = &inode->images[SF_SIM_DURABLE];
    struct sf_sim_image *visible = &inode->images[SF_SIM_VOLATILE];

    if (change->kind == SF_SIM_CHANGE_TRUNCATE) {
        sf_sim_image_copy(durable, visible);
    } else if (change->kind == SF_SIM_CHANGE_RESERVE ||
               change->kind == SF_SIM_CHANGE_RESERVE_BEHIND) {
        sf_sim_image_share(durable, visible, change->offset, 0);
    } else {
        sf_sim_image_share(durable, visible, change->offset, change->bytes);
    }
}

void
sf_sim_tree_sync(
    struct sf_sim_tree *tree, struct sf_sim_inode *inode, uint64_t sequence, bool failed)
{
    bool all = true;
    size_t kept = 0;

    (void)tree;
    for (size_t i = 0; i < inode->change_count; i++) {
        all = all && inode->changes[i].sequence <= sequence && !inode->changes[i].in_flight;
    }
    for (size_t i = 0; i < inode->change_count; i++) {
        struct sf_sim_change change = inode->changes[i];

        if (change.sequence > sequence || change.in_flight) {
            inode->changes[kept++] = change;
            continue;
        }
        if (failed) {
            inode->diverged = true;
        } else if (all && !inode->diverged) {
            share_change(inode, &change);
        } else {
            sf_sim_change_apply(&inode->images[SF_SIM_DURABLE], &change);
        }
        free(change.data);
    }
    inode->change_count = kept;
}

void
sf_sim_tree_settle(struct sf_sim_tree *tree)
{
    for (size_t i = 0; i < tree->name_change_count; i++) {
        sf_sim_name_change_apply(tree, &tree->name_changes[i], SF_SIM_DURABLE);
    }
    sf_sim_name_changes_clear(tree);
    for (struct sf_sim_inode *inode = tree->inodes; inode != NULL; inode = inode->next) {
        if (inode->change_count > 0) {
            sf_sim_tree_sync(tree, inode, UINT64_MAX, false);
        }
    }
}
