/*
 * tree.h - the file tree of the simulated disk, with its volatile and its
 * durable face and the changes that lie between them.
 *
 * A change is kept from the moment it completes until a sync covers it, in
 * order; the durable face is what follows from applying to it whatever
 * survives. disk.c brings operations, time and faults.
 */
#ifndef SF_SIM_TREE_H
#define SF_SIM_TREE_H

#include "base/prng.h"
#include "sim/disk.h"
#include "sim/image.h"

enum sf_sim_change_kind {
    SF_SIM_CHANGE_WRITE,
    SF_SIM_CHANGE_RESERVE,
    SF_SIM_CHANGE_RESERVE_BEHIND, /* the length stays */
    SF_SIM_CHANGE_PUNCH,
    SF_SIM_CHANGE_TRUNCATE,
};

/* A change of a file's bytes that no sync has covered. */
struct sf_sim_change {
    enum sf_sim_change_kind kind;
    bool in_flight; /* never completed: programs do not see it, the medium may have it */
    uint64_t sequence;
    uint64_t offset;
    uint64_t bytes;
    uint8_t *data; /* WRITE: its own copy */
};

struct sf_sim_entry {
    char *name;
    struct sf_sim_inode *inode;
};

/* Names of one face of a directory, sorted. */
struct sf_sim_names {
    struct sf_sim_entry *entries;
    size_t count;
    size_t capacity;
};

enum sf_sim_face { SF_SIM_VOLATILE, SF_SIM_DURABLE };

struct sf_sim_inode {
    uint64_t number;
    bool is_directory;
    bool diverged; /* a sync failed: the volatile image has bytes no sync will save */
    int64_t mtime_ns;
    int64_t ctime_ns;
    struct sf_sim_image images[2]; /* by face */
    struct sf_sim_names names[2];  /* by face */
    struct sf_sim_change *changes;
    size_t change_count;
    size_t change_capacity;
    uint64_t source_bytes;
    void (*generate)(void *context, uint64_t offset, uint8_t *out, size_t bytes);
    void *context;
    size_t references; /* names of both faces, name changes, handles */
    size_t live;       /* volatile names and handles: while there are any, its blocks count */
    struct sf_sim_inode *copy; /* while cloning */
    struct sf_sim_inode *next;
    struct sf_sim_inode *previous;
};

/* A change of names that no sync has covered: taken away, put there, or both at once. */
struct sf_sim_name_change {
    uint64_t sequence;
    bool in_flight;
    bool from_synced;
    bool to_synced;
    struct sf_sim_inode *inode;
    struct sf_sim_inode *from_directory; /* NULL: made here */
    char *from_name;
    struct sf_sim_inode *to_directory; /* NULL: removed */
    char *to_name;
};

struct sf_sim_tree {
    struct sf_sim_inode *root;
    struct sf_sim_inode *inodes; /* all of them */
    struct sf_sim_name_change *name_changes;
    size_t name_change_count;
    size_t name_change_capacity;
    uint64_t sequence; /* of the last change; a sync covers up to what this was when submitted */
    uint64_t inode_next;
    uint64_t used_blocks; /* of live files, volatile face */
    bool steady;          /* bytes have no durable face and no changes are kept */
    uint64_t torn;        /* writes of which a power cut left a part, */
    uint64_t lost;        /* ... or nothing */
};

void sf_sim_tree_init(struct sf_sim_tree *tree);
void sf_sim_tree_fini(struct sf_sim_tree *tree);

/* `to` (initialised, empty) becomes a copy of `from`. Handles' references are not copied. */
void sf_sim_tree_copy(struct sf_sim_tree *to, const struct sf_sim_tree *from);

/* --- Look-up --- */

/* The inode at `path` in the volatile face, "." or "" being the root, or NULL. */
struct sf_sim_inode *sf_sim_tree_find(const struct sf_sim_tree *tree, const char *path);

/* The same in the durable face. */
struct sf_sim_inode *sf_sim_tree_find_durable(const struct sf_sim_tree *tree, const char *path);

/* The inode with this number, or NULL. */
struct sf_sim_inode *sf_sim_tree_by_number(const struct sf_sim_tree *tree, uint64_t number);

/* The directory `path` would stand in and, at *ret_name, the last component; or NULL. */
struct sf_sim_inode *sf_sim_tree_find_parent(
    const struct sf_sim_tree *tree, const char *path, const char **ret_name);

struct sf_sim_inode *sf_sim_names_find(const struct sf_sim_names *names, const char *name);

/* --- Handles --- */

void sf_sim_inode_hold(struct sf_sim_tree *tree, struct sf_sim_inode *inode);
void sf_sim_inode_release(struct sf_sim_tree *tree, struct sf_sim_inode *inode);

/* --- Changes of names: volatile at once, durable when synced --- */

/* A new file or directory at `name`, which is free. */
struct sf_sim_inode *sf_sim_tree_make(
    struct sf_sim_tree *tree, struct sf_sim_inode *directory, const char *name, bool is_directory);
void sf_sim_tree_unlink(struct sf_sim_tree *tree, struct sf_sim_inode *directory, const char *name);
void sf_sim_tree_rename(struct sf_sim_tree *tree, struct sf_sim_inode *from_directory,
    const char *from_name, struct sf_sim_inode *to_directory, const char *to_name);

/* Names in `directory` changed up to `sequence` are durable; or, if `failed`, never will be. */
void sf_sim_tree_sync_names(
    struct sf_sim_tree *tree, struct sf_sim_inode *directory, uint64_t sequence, bool failed);

/* --- Changes of bytes --- */

/* Note `change` (its data is copied) and, unless it is in flight, carry it out. */
void sf_sim_tree_change(struct sf_sim_tree *tree, struct sf_sim_inode *inode,
    enum sf_sim_change_kind kind, uint64_t offset, uint64_t bytes, const uint8_t *data,
    bool in_flight);

/* Bytes changed up to `sequence` are durable; or, if `failed`, never will be. */
void sf_sim_tree_sync(
    struct sf_sim_tree *tree, struct sf_sim_inode *inode, uint64_t sequence, bool failed);

/* Everything is durable as it is. */
void sf_sim_tree_settle(struct sf_sim_tree *tree);

/*
 * What a power cut leaves: the durable face and the unsynced changes that
 * survive under `model`. The caller released all handles.
 */
void sf_sim_tree_crash(
    struct sf_sim_tree *tree, enum sf_sim_damage_model model, struct sf_prng *prng);

/* --- What tree_whole.c needs of tree.c --- */

/* `name` is `inode` in that face of `directory` from now on, whatever it was before. */
void sf_sim_names_set(struct sf_sim_tree *tree, struct sf_sim_inode *directory,
    enum sf_sim_face face, const char *name, struct sf_sim_inode *inode);
void sf_sim_names_clear(
    struct sf_sim_tree *tree, struct sf_sim_inode *directory, enum sf_sim_face face);

/* A new inode without references. */
struct sf_sim_inode *sf_sim_inode_new(struct sf_sim_tree *tree, bool is_directory);

/* One reference less; the last one frees it and all that hangs on it. */
void sf_sim_inode_drop(struct sf_sim_tree *tree, struct sf_sim_inode *inode);

void sf_sim_change_apply(struct sf_sim_image *image, const struct sf_sim_change *change);
void sf_sim_changes_clear(struct sf_sim_inode *inode);
void sf_sim_name_change_apply(
    struct sf_sim_tree *tree, const struct sf_sim_name_change *change, enum sf_sim_face face);
void sf_sim_name_changes_clear(struct sf_sim_tree *tree);

/* --- Looking at all of it --- */

bool sf_sim_tree_grep(
    const struct sf_sim_tree *tree, struct sf_view needle, char *ret_where, size_t where_bytes);
uint64_t sf_sim_tree_hash(const struct sf_sim_tree *tree);
uint64_t sf_sim_tree_memory(const struct sf_sim_tree *tree);

#endif
