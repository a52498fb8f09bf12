/*
 * walk.h - what a `send` is made of: regular files, opened, with their names.
 *
 * Every file is opened by the caller's own right, from the descriptor of the
 * directory it was found in, never through a symbolic link. What cannot be
 * carried (links, devices, sockets, pipes) is refused by name rather than left
 * out, so that what arrives is what was named.
 */
#ifndef SF_APP_WALK_H
#define SF_APP_WALK_H

#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SF_WALK_FILES_MAX = 65536,      /* of one transfer, as the manifest allows */
    SF_WALK_DEPTH_MAX = 64,         /* components of a path below the label */
    SF_WALK_NAME_BYTES_MAX = 255,   /* of a component */
    SF_WALK_ERROR_BYTES = 5 * 1024, /* names in full, escaped */
};

struct sf_walk_file {
    char *path; /* below the label, components joined by '/'; "" for a single file */
    int fd;     /* open for reading; the walk's */
    uint64_t bytes;
    int64_t mtime_s;
    bool executable;
};

struct sf_walk_config {
    char *const *paths; /* as the user gave them */
    size_t path_count;
    const char *label; /* what the transfer shall be called; NULL to derive it */
    const char *home;  /* a directory never to be sent as a whole (it holds keys), or NULL */
    const struct sf_random *random; /* for the label of several paths */
};

struct sf_walk {
    struct sf_walk_file *files; /* in an order that repeats: by name, directory by directory */
    size_t file_count;
    uint64_t bytes; /* of all files */
    char label[SF_WALK_NAME_BYTES_MAX + 1];
    bool single_file;
    bool label_made_up;       /* several paths, and the user gave no label */
    size_t empty_directories; /* found, and not carried: a manifest knows files alone */
    char error[SF_WALK_ERROR_BYTES];
};

/*
 * Open everything below the paths. One path keeps its own name; several become
 * a directory `skyferry-<8 hex>` that holds them, unless a label is given. The
 * path itself may contain "..", and links in its leading part are followed as
 * by any program; its last component, and all below it, must be real.
 *
 * Returns SF_OK, and the caller ends with sf_walk_fini(); or, with the path and
 * what to do in walk->error, and nothing left open:
 *   SF_ENOENT  no such file, or no file at all below the paths
 *   SF_EAUTH   the caller may not read it
 *   SF_EINVAL  not something that can be carried
 *   SF_ELIMIT  over a limit above, or of open files
 *   SF_EIO     the file system failed
 */
SF_MUST_USE int sf_walk(const struct sf_walk_config *config, struct sf_walk *walk);

/* Close and free everything. A zeroed walk is allowed. */
void sf_walk_fini(struct sf_walk *walk);

/* Let this process hold as many open files as the system lets it; returns how many. */
size_t sf_walk_raise_limit(void);

#endif
