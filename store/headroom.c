#include "store/headroom.h"

enum { LEAST_BYTES = 64 * 1024 }; /* less is not worth asking for */

void
sf_headroom_init(struct sf_headroom *headroom, struct sf_disk *disk, uint64_t bytes)
{
    *headroom = (struct sf_headroom){.disk = disk, .bytes = bytes};
}

static struct sf_disk_op
reservation(int file, uint64_t end, uint64_t bytes)
{
    return (struct sf_disk_op){
        .kind = SF_DISK_ALLOCATE,
        .flags = SF_DISK_KEEP_SIZE,
        .file = file,
        .offset = end,
        .bytes = (size_t)bytes,
    };
}

int
sf_headroom_fill(struct sf_headroom *headroom, int file, uint64_t end)
{
    headroom->is_tight = false;
    headroom->reserved = end;
    /* What an earlier run had reserved is still the file's, so less may do. */
    for (uint64_t bytes = headroom->bytes; bytes >= LEAST_BYTES; bytes /= 2) {
        struct sf_disk_op op = reservation(file, end, bytes);
        int status = sf_disk_run(headroom->disk, &op);

        if (status == SF_OK) {
            headroom->reserved = end + bytes;
            return SF_OK;
        }
        if (status != SF_ENOSPC) {
            return status;
        }
        headroom->is_tight = true;
    }
    return SF_OK;
}

static void
filled(struct sf_disk_op *op)
{
    struct sf_headroom *headroom = op->owner;

    headroom->is_running = false;
    /* Other errors are not about room: what is written next will meet them. */
    headroom->is_tight = op->status == SF_ENOSPC;
    if (op->status == SF_OK && headroom->asked > headroom->reserved) {
        headroom->reserved = headroom->asked;
    }
    if (headroom->done != NULL) {
        headroom->done(headroom->owner);
    }
}

static void
begin(struct sf_headroom *headroom, int file, uint64_t end)
{
    uint64_t from = headroom->reserved > end ? headroom->reserved : end;

    if (headroom->is_running || from >= end + headroom->bytes) {
        return;
    }
    headroom->is_running = true;
    headroom->asked = end + headroom->bytes;
    headroom->op = reservation(file, from, headroom->asked - from);
    headroom->op.done = filled;
    headroom->op.owner = headroom;
    sf_disk_submit(headroom->disk, &headroom->op);
}

void
sf_headroom_check(struct sf_headroom *headroom, int file, uint64_t end)
{
    if (!headroom->is_tight && headroom->reserved < end + headroom->bytes / 2) {
        begin(headroom, file, end);
    }
}

void
sf_headroom_retry(struct sf_headroom *headroom, int file, uint64_t end)
{
    begin(headroom, file, end);
}

uint64_t
sf_headroom_lacks(const struct sf_headroom *headroom, uint64_t end)
{
    uint64_t left = headroom->reserved > end ? headroom->reserved - end : 0;

    return left < headroom->bytes ? headroom->bytes - left : 0;
}
