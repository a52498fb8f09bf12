/*
 * staging_write.c - frames on their way into staged files: which file is open,
 * whether there is room, and which bytes go past the page cache.
 *
 * A frame stands anywhere in its file, but past the cache only whole pages can be
 * written, from memory that is aligned as they are. So one that is long enough,
 * and whose memory stands to pages as its place in the file does, is cut: its
 * whole pages go past the cache, through a handle of their own, and what hangs
 * over at either end goes through it. The page at such an edge is only ever
 * written through the cache, by both neighbours, so that neither undoes the other.
 */
#include "node/staging_private.h"

#include <stdlib.h>

/* --- Handles ------------------------------------------------------------------------------- */

static void
handle_changed(struct sf_disk_op *op)
{
    struct handle *handle = op->owner;
    struct staging *staging = handle->staging;

    staging->in_flight--;
    if (handle->state == HANDLE_CLOSING) {
        handle->state = HANDLE_FREE;
        handle->entry = NO_ENTRY;
    } else if (op->status == SF_OK) {
        handle->state = HANDLE_OPEN;
        handle->file = op->ret_file;
    } else {
        handle->state = HANDLE_FREE;
        handle->entry = NO_ENTRY;
        staging_fail(staging, op->status);
    }
    staging_go_on(staging);
}

static void
handle_submit(struct handle *handle, enum handle_state state, struct sf_disk_op op)
{
    handle->state = state;
    handle->op = op;
    handle->op.done = handle_changed;
    handle->op.owner = handle;
    handle->staging->in_flight++;
    sf_disk_submit(staging_disk(handle->staging), &handle->op);
}

void
staging_handle_close(struct handle *handle)
{
    handle_submit(
        handle, HANDLE_CLOSING, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = handle->file});
}

static void
handle_open(struct staging *staging, struct handle *handle, uint32_t entry, uint32_t how)
{
    handle->staging = staging;
    handle->entry = entry;
    handle->how = how;
    handle->is_dirty = false;
    staging_entry_path(staging, entry, handle->path);
    handle_submit(handle, HANDLE_OPENING,
        (struct sf_disk_op){
            .kind = SF_DISK_OPEN, .path = handle->path, .flags = SF_DISK_RDWR | how});
}

/*
 * The open handle of a file, past the cache (`how` is SF_DISK_DIRECT) or through it
 * (0), or NULL while one is being made ready. A handle is taken from another file
 * only when that one is synced.
 */
static struct handle *
handle_for(struct staging *staging, uint32_t entry, uint32_t how)
{
    struct handle *victim = NULL;

    for (size_t i = 0; i < HANDLES; i++) {
        struct handle *handle = &staging->handles[i];

        if (handle->state != HANDLE_FREE && handle->entry == entry && handle->how == how) {
            handle->used = ++staging->clock;
            return handle->state == HANDLE_OPEN ? handle : NULL;
        }
        if (handle->state == HANDLE_FREE ||
            (handle->state == HANDLE_OPEN && handle->writes == 0 && !handle->is_dirty &&
                staging->syncs == 0 &&
                (victim == NULL ||
                    (victim->state == HANDLE_OPEN && handle->used < victim->used)))) {
            victim = victim != NULL && victim->state == HANDLE_FREE ? victim : handle;
        }
    }
    if (victim == NULL) {
        staging->round_at = 0; /* all are dirty: sync now */
    } else if (victim->state == HANDLE_OPEN) {
        staging_handle_close(victim);
    } else {
        victim->used = ++staging->clock;
        handle_open(staging, victim, entry, how);
    }
    return NULL;
}

/* --- Room ---------------------------------------------------------------------------------- */

/* No room: what is queued waits, and the sender is told to. */
static void
wait_for_room(struct staging *staging, uint64_t free_bytes)
{
    uint64_t left = staging->outline->total_bytes - sf_range_set_total(&staging->written);

    staging->is_full = true;
    staging->room_bytes = 0;
    staging->room_at = sf_mono_add(staging->in->node->now, ROOM_EVERY);
    inbound_pause(staging->in, IN_PAUSE_STAGING, left > free_bytes ? left - free_bytes : left);
}

static void
room_known(struct sf_disk_op *op)
{
    struct staging *staging = op->owner;
    uint64_t reserve = staging->in->node->config.reserve_bytes;
    uint64_t room = op->ret_stat.free_bytes > reserve ? op->ret_stat.free_bytes - reserve : 0;

    staging->in_flight--;
    staging->is_asking = false;
    if (op->status != SF_OK) {
        room = ROOM_BYTES; /* a disk that cannot say: it will refuse */
    }
    if (staging->queue != NULL && room < staging->queue->bytes.bytes) {
        wait_for_room(staging, room);
    } else {
        staging->room_bytes = room < ROOM_BYTES ? room : ROOM_BYTES;
    }
    staging_go_on(staging);
}

/* Whether `bytes` more may be written without touching what the journal needs to go on. */
static bool
has_room(struct staging *staging, uint64_t bytes)
{
    if (staging->room_bytes >= bytes) {
        return true;
    }
    if (!staging->is_asking) {
        staging->is_asking = true;
        staging->in_flight++;
        staging->room_op =
            (struct sf_disk_op){.kind = SF_DISK_SPACE, .done = room_known, .owner = staging};
        sf_disk_submit(staging_disk(staging), &staging->room_op);
    }
    return false;
}

/* --- Writing ------------------------------------------------------------------------------- */

/* All parts of a write are through. */
static void
written(struct staging_write *write)
{
    struct staging *staging = write->staging;
    uint64_t place = staging_place(staging, write->file, write->offset);
    int status = write->status;

    if (status == SF_ENOSPC && !staging->is_stopping) {
        write->next = staging->queue;
        staging->queue = write;
        if (write->next == NULL) {
            staging->queue_last = &write->next;
        }
        wait_for_room(staging, 0);
        return;
    }
    if (status == SF_OK) {
        status = sf_range_set_add(&staging->written, place, place + write->bytes.bytes);
    }
    if (status != SF_OK) {
        staging_fail(staging, status);
    } else {
        staging->unsynced_bytes += write->bytes.bytes;
        inbound_resume(staging->in, IN_PAUSE_STAGING);
    }
    write->done(write);
    staging_go_on(staging);
}

static void
part_written(struct sf_disk_op *op)
{
    struct staging_part *part = op->owner;
    struct staging_write *write = part->write;

    write->staging->in_flight--;
    write->pending--;
    part->handle->writes--;
    if (op->status == SF_OK) {
        part->handle->is_dirty = true;
    } else if (write->status == SF_OK || op->status != SF_ENOSPC) {
        write->status = op->status; /* that there is no room is the least of it */
    }
    if (write->pending == 0) {
        written(write);
    }
}

/* Where in its file the whole pages of a write that go past the cache begin and end. */
static void
pages_of(const struct staging_write *write, uint64_t *ret_from, uint64_t *ret_to)
{
    uint64_t end = write->offset + write->bytes.bytes;
    uint64_t lead = write->offset % SF_DISK_ALIGN;
    bool is_aligned = (uintptr_t)write->bytes.data % SF_DISK_ALIGN == lead;

    *ret_from = write->offset;
    *ret_to = write->offset;
    if (write->bytes.bytes >= STAGING_DIRECT_BYTES_MIN && is_aligned) {
        *ret_from += lead == 0 ? 0 : SF_DISK_ALIGN - lead;
        *ret_to = end - end % SF_DISK_ALIGN;
    }
}

static void
add_part(struct staging_write *write, struct handle *handle, uint64_t from, uint64_t to)
{
    struct staging_part *part = &write->parts[write->pending++];

    part->write = write;
    part->handle = handle;
    part->op = (struct sf_disk_op){
        .kind = SF_DISK_WRITE,
        .file = handle->file,
        .offset = from,
        .data = (uint8_t *)(uintptr_t)write->bytes.data + (from - write->offset),
        .bytes = (size_t)(to - from),
        .done = part_written,
        .owner = part,
    };
    handle->writes++;
}

/* Cut a write into parts for the handles it needs; false while one is not open. */
static bool
cut(struct staging *staging, struct staging_write *write)
{
    uint64_t end = write->offset + write->bytes.bytes;
    struct handle *pages = NULL;
    struct handle *edges = NULL;
    uint64_t from;
    uint64_t to;

    pages_of(write, &from, &to);
    if (from < to) {
        pages = handle_for(staging, write->file, SF_DISK_DIRECT);
    }
    if (write->offset < from || to < end) {
        edges = handle_for(staging, write->file, 0);
    }
    if ((from < to && pages == NULL) || ((write->offset < from || to < end) && edges == NULL)) {
        return false;
    }
    write->pending = 0;
    write->status = SF_OK;
    if (write->offset < from) {
        add_part(write, edges, write->offset, from);
    }
    if (from < to) {
        add_part(write, pages, from, to);
    }
    if (to < end) {
        add_part(write, edges, to, end);
    }
    return true;
}

void
staging_pump(struct staging *staging)
{
    struct staging_write **at = &staging->queue;

    if (staging->is_full) {
        if (staging->in->node->now < staging->room_at) {
            return;
        }
        staging->is_full = false;
    }
    while (*at != NULL && !staging->is_full) {
        struct staging_write *write = *at;

        if (!has_room(staging, write->bytes.bytes)) {
            break;
        }
        if (!cut(staging, write)) {
            at = &write->next;
            continue;
        }
        *at = write->next;
        staging->room_bytes -= write->bytes.bytes;
        staging->in_flight += write->pending;
        for (unsigned i = 0, count = write->pending; i < count; i++) {
            sf_disk_submit(staging_disk(staging), &write->parts[i].op);
        }
    }
    staging->queue_last = &staging->queue;
    while (*staging->queue_last != NULL) {
        staging->queue_last = &(*staging->queue_last)->next;
    }
}

void
staging_write(struct staging *staging, struct staging_write *write)
{
    write->staging = staging;
    write->next = NULL;
    *staging->queue_last = write;
    staging->queue_last = &write->next;
    staging_go_on(staging);
}

void
staging_drop_writes(struct staging *staging)
{
    while (staging->queue != NULL) {
        struct staging_write *write = staging->queue;

        staging->queue = write->next;
        write->done(write);
    }
    staging->queue_last = &staging->queue;
}
