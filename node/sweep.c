/*
 * sweep.c - removal of what is staged of a transfer, whatever is in there.
 *
 * Walks down: lists a directory, unlinks what can be unlinked, enters what
 * cannot, removes the directory when it is empty, goes up again. A name that
 * will not go is left behind: the owner tries again, and so does the next start.
 */
#include "node/internal.h"

#include <stdlib.h>

enum { LIST_BYTES = 64 * 1024 };

struct sweep {
    struct flight flight;
    struct inbound *in;
    void (*done)(struct inbound *in);
    char path[SF_DISK_PATH_BYTES_MAX]; /* of the directory being emptied */
    char entry[SF_DISK_PATH_BYTES_MAX];
    size_t root_bytes;
    uint8_t names[LIST_BYTES];
    size_t names_bytes;
    size_t at;
    bool any_gone; /* since the directory was listed */
    struct sf_disk_op op;
};

static void listed(struct sf_disk_op *op);
static void removed(struct sf_disk_op *op);
static void emptied(struct sf_disk_op *op);

static void
submit(struct sweep *sweep, void (*done)(struct sf_disk_op *op), struct sf_disk_op op)
{
    sweep->op = op;
    sweep->op.done = done;
    sweep->op.owner = sweep;
    sf_disk_submit(sweep->in->node->disk, &sweep->op);
}

static void
finish(struct sweep *sweep, bool is_gone)
{
    struct inbound *in = sweep->in;
    void (*done)(struct inbound * in) = sweep->done;

    in->was_swept = is_gone;

    flight_end(&sweep->flight);
    free(sweep);
    done(in);
}

static void
list(struct sweep *sweep)
{
    submit(sweep, listed,
        (struct sf_disk_op){.kind = SF_DISK_LIST,
            .path = sweep->path,
            .data = sweep->names,
            .bytes = sizeof(sweep->names)});
}

/* Remove the next entry of the listing, or the directory itself. */
static void
next(struct sweep *sweep)
{
    const char *name = (const char *)sweep->names + sweep->at;
    size_t path_bytes = strlen(sweep->path);
    size_t name_bytes;

    if (sweep->at >= sweep->names_bytes) {
        submit(sweep, emptied, (struct sf_disk_op){.kind = SF_DISK_RMDIR, .path = sweep->path});
        return;
    }
    name_bytes = strlen(name);
    sweep->at += name_bytes + 1;
    if (path_bytes + name_bytes + 2 > sizeof(sweep->entry)) {
        next(sweep);
        return;
    }
    memcpy(sweep->entry, sweep->path, path_bytes);
    sweep->entry[path_bytes] = '/';
    memcpy(sweep->entry + path_bytes + 1, name, name_bytes + 1);
    submit(sweep, removed, (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = sweep->entry});
}

static void
removed(struct sf_disk_op *op)
{
    struct sweep *sweep = op->owner;

    if (op->status == SF_OK || op->status == SF_ENOENT) {
        sweep->any_gone = true;
        next(sweep);
        return;
    }
    /* A directory: enter it. It is listed again when it is gone. */
    memcpy(sweep->path, sweep->entry, sizeof(sweep->path));
    list(sweep);
}

static void
listed(struct sf_disk_op *op)
{
    struct sweep *sweep = op->owner;

    if (op->status != SF_OK && op->status != SF_ELIMIT) {
        finish(sweep, op->status == SF_ENOENT); /* nothing staged, or not to be removed now */
        return;
    }
    sweep->names_bytes = op->ret_bytes;
    sweep->at = 0;
    sweep->any_gone = false;
    next(sweep);
}

static void
emptied(struct sf_disk_op *op)
{
    struct sweep *sweep = op->owner;

    if (op->status != SF_OK) {
        if (sweep->any_gone) {
            list(sweep); /* there were more names than fit one listing */
        } else {
            finish(sweep, false);
        }
        return;
    }
    if (strlen(sweep->path) <= sweep->root_bytes) {
        finish(sweep, true);
        return;
    }
    *strrchr(sweep->path, '/') = '\0';
    list(sweep);
}

static void
sweep_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct sweep));
}

void
sweep_begin(struct inbound *in, void (*done)(struct inbound *in))
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));

    in->was_swept = false;
    if (sweep == NULL) {
        node_fail(in->node, SF_ENOMEM); /* the next start sweeps again */
        done(in);
        return;
    }
    flight_begin(&in->node->flights, &sweep->flight, sweep_drop);
    sweep->in = in;
    sweep->done = done;
    staging_path(in, sweep->path);
    sweep->root_bytes = strlen(sweep->path);
    list(sweep);
}
