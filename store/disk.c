#include "config.h"

#include "store/disk.h"

#include "base/assert.h"

#include <string.h>

/* Relative, no empty component, no "." and no "..", so that it can never leave the root. */
static bool
is_path(const char *path)
{
    if (path == NULL || strnlen(path, SF_DISK_PATH_BYTES_MAX) == SF_DISK_PATH_BYTES_MAX) {
        return false;
    }
    for (;;) {
        size_t bytes = strcspn(path, "/");

        if (bytes == 0 || (bytes == 1 && path[0] == '.') ||
            (bytes == 2 && path[0] == '.' && path[1] == '.')) {
            return false;
        }
        if (path[bytes] == '\0') {
            return true;
        }
        path += bytes + 1;
    }
}

static bool
is_path_or_root(const char *path)
{
    return path != NULL && (strcmp(path, ".") == 0 || is_path(path));
}

/* The kernel counts file offsets in signed 64 bits. */
static bool
is_extent(uint64_t offset, uint64_t bytes)
{
    return offset <= INT64_MAX && bytes <= INT64_MAX - offset;
}

static bool
is_aligned(const struct sf_disk_op *op)
{
    return op->offset % SF_DISK_ALIGN == 0 && op->bytes % SF_DISK_ALIGN == 0 &&
           (uintptr_t)op->data % SF_DISK_ALIGN == 0;
}

int
sf_disk_op_check(const struct sf_disk_op *op, bool direct)
{
    bool good = false;

    switch (op->kind) {
    case SF_DISK_OPEN:
    case SF_DISK_UNLINK:
    case SF_DISK_MKDIR:
    case SF_DISK_RMDIR:
        good = is_path(op->path);
        break;
    case SF_DISK_RENAME:
        good = is_path(op->path) && is_path(op->path_to);
        break;
    case SF_DISK_SYNC_DIR:
        good = is_path_or_root(op->path);
        break;
    case SF_DISK_LIST:
        good = is_path_or_root(op->path) && (op->data != NULL || op->bytes == 0);
        break;
    case SF_DISK_STAT:
        good = op->path == NULL ? op->file >= 0 : is_path_or_root(op->path);
        break;
    case SF_DISK_READ:
    case SF_DISK_WRITE:
        good = op->file >= 0 && is_extent(op->offset, op->bytes) &&
               (op->data != NULL || op->bytes == 0) && (!direct || is_aligned(op));
        break;
    case SF_DISK_ALLOCATE:
    case SF_DISK_PUNCH:
        good = op->file >= 0 && op->bytes > 0 && is_extent(op->offset, op->bytes);
        break;
    case SF_DISK_TRUNCATE:
        good = op->file >= 0 && is_extent(op->offset, 0);
        break;
    case SF_DISK_CLOSE:
    case SF_DISK_SYNC:
    case SF_DISK_ATTRIBUTES:
        good = op->file >= 0;
        break;
    case SF_DISK_SPACE:
        good = true;
        break;
    }
    return good ? SF_OK : SF_EINVAL;
}

static void
run_done(struct sf_disk_op *op)
{
    *(bool *)op->owner = true;
}

int
sf_disk_run(struct sf_disk *disk, struct sf_disk_op *op)
{
    void *owner = op->owner;
    bool done = false;

    sf_assert(op->done == NULL);
    op->done = run_done;
    op->owner = &done;
    sf_disk_submit(disk, op);
    while (!done) {
        if (!sf_disk_poll(disk)) {
            disk->wait(disk);
        }
    }
    op->done = NULL;
    op->owner = owner;
    return op->status;
}
