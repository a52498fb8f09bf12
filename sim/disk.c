#include "sim/disk.h"

#include "base/assert.h"
#include "sim/disk_state.h"
#include "sim/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each purpose draws from a stream of its own, so that one setting does not shift another. */
enum { STREAM_LATENCY, STREAM_FAULTS, STREAM_AIM };

static void submit(struct sf_disk *interface, struct sf_disk_op *op);
static bool poll(struct sf_disk *interface);
static void wait(struct sf_disk *interface);

static struct sf_sim_disk *
disk_of(struct sf_disk *interface)
{
    return (struct sf_sim_disk *)interface;
}

int
sf_sim_disk_open(const struct sf_sim_disk_config *config, struct sf_sim_disk **ret_disk)
{
    struct sf_sim_disk *disk;

    if (config->latency_min_ns > config->latency_max_ns) {
        return SF_EINVAL;
    }
    disk = sf_sim_allocate(sizeof(*disk));
    memset(disk, 0, sizeof(*disk));
    disk->interface = (struct sf_disk){submit, poll, wait};
    disk->config = *config;
    disk->cut_at = SF_NEVER;
    sf_prng_init_stream(&disk->latency, config->seed, STREAM_LATENCY);
    sf_prng_init_stream(&disk->luck, config->seed, STREAM_FAULTS);
    sf_prng_init_stream(&disk->aim, config->seed, STREAM_AIM);
    sf_sim_tree_init(&disk->tree);
    disk->tree.steady = config->steady;
    *ret_disk = disk;
    return SF_OK;
}

static void
close_handles(struct sf_sim_disk *disk)
{
    for (size_t i = 0; i < disk->handle_count; i++) {
        if (disk->handles[i].inode != NULL) {
            sf_sim_inode_release(&disk->tree, disk->handles[i].inode);
        }
    }
    disk->handle_count = 0;
}

void
sf_sim_disk_close(struct sf_sim_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    close_handles(disk);
    sf_sim_tree_fini(&disk->tree);
    free(disk->handles);
    free(disk->flights);
    free(disk);
}

struct sf_disk *
sf_sim_disk_interface(struct sf_sim_disk *disk)
{
    return &disk->interface;
}

/* --- Time --- */

void
sf_sim_disk_advance(struct sf_sim_disk *disk, sf_mono now)
{
    if (now > disk->now) {
        disk->now = now;
    }
}

sf_mono
sf_sim_disk_deadline(const struct sf_sim_disk *disk)
{
    sf_mono deadline = SF_NEVER;

    for (size_t i = 0; i < disk->flight_count; i++) {
        deadline = sf_mono_min(deadline, disk->flights[i].due);
    }
    return deadline;
}

sf_mono
sf_sim_disk_now(const struct sf_sim_disk *disk)
{
    return disk->now;
}

void
sf_sim_disk_latency(struct sf_sim_disk *disk, uint64_t min_ns, uint64_t max_ns)
{
    sf_assert(min_ns <= max_ns);
    disk->config.latency_min_ns = min_ns;
    disk->config.latency_max_ns = max_ns;
}

/* --- Operations: each sets op->ret_x and returns its status --- */

static struct sf_sim_handle *
handle_of(struct sf_sim_disk *disk, const struct sf_disk_op *op)
{
    if (op->file < 0 || (size_t)op->file >= disk->handle_count ||
        disk->handles[op->file].inode == NULL) {
        return NULL;
    }
    return &disk->handles[op->file];
}

static int
do_open(struct sf_sim_disk *disk, struct sf_disk_op *op)
{
    const char *name;
    struct sf_sim_inode *directory = sf_sim_tree_find_parent(&disk->tree, op->path, &name);
    struct sf_sim_inode *inode;
    size_t at = 0;

    if (directory == NULL) {
        return SF_ENOENT;
    }
    inode = sf_sim_names_find(&directory->names[SF_SIM_VOLATILE], name);
    if (inode == NULL && (op->flags & SF_DISK_CREATE) == 0) {
        return SF_ENOENT;
    }
    if (inode != NULL) {
        if ((op->flags & SF_DISK_CREATE) != 0 && (op->flags & SF_DISK_EXCLUSIVE) != 0) {
            return SF_EEXIST;
        }
        if (inode->is_directory || (inode->generate != NULL && (op->flags & SF_DISK_RDWR) != 0)) {
            return SF_EINVAL;
        }
    } else {
        inode = sf_sim_tree_make(&disk->tree, directory, name, false);
    }
    while (at < disk->handle_count && disk->handles[at].inode != NULL) {
        at++;
    }
    if (at == disk->handle_count) {
        disk->handles =
            sf_sim_reallocate(disk->handles, ++disk->handle_count * sizeof(*disk->handles));
    }
    sf_sim_inode_hold(&disk->tree, inode);
    disk->handles[at] = (struct sf_sim_handle){inode, op->flags, strchr(op->path, '/') == NULL};
    op->ret_file = (int)at;
    op->ret_stat = sf_sim_inode_stat(inode);
    return SF_OK;
}

static bool
has_room(const struct sf_sim_disk *disk, const struct sf_sim_inode *inode, uint64_t offset,
    uint64_t bytes)
{
    uint64_t blocks_max = disk->config.capacity_bytes / SF_SIM_PAGE_BYTES;
    uint64_t missing = sf_sim_image_blocks_missing(&inode->images[SF_SIM_VOLATILE], offset, bytes);

    return disk->config.capacity_bytes == 0 || missing == 0 ||
           (disk->tree.used_blocks <= blocks_max && missing <= blocks_max - disk->tree.used_blocks);
}

static int
is_full(struct sf_sim_disk *disk, struct sf_disk_op *op)
{
    op->system_errno = ENOSPC;
    disk->stats.full++;
    return SF_ENOSPC;
}

/* The medium does not do what it was told, and nobody hears of it. */
static bool
goes_wrong(
    struct sf_sim_disk *disk, const struct sf_disk_op *op, struct sf_prng *prng, uint32_t ppm)
{
    const struct sf_sim_handle *handle = handle_of(disk, op);
    bool is_spared = disk->rates.media_in_folders && handle != NULL && handle->is_in_root;

    return sf_prng_chance(prng, ppm) && !is_spared;
}

/* Where a write really goes: elsewhere in the file, if it has more than that. */
static uint64_t
aim(struct sf_sim_disk *disk, const struct sf_disk_op *op, const struct sf_sim_inode *inode,
    size_t bytes)
{
    uint64_t blocks = inode->images[SF_SIM_VOLATILE].bytes / SF_SIM_PAGE_BYTES;
    uint64_t taken = (bytes + SF_SIM_PAGE_BYTES - 1) / SF_SIM_PAGE_BYTES;

    if (!goes_wrong(disk, op, &disk->aim, disk->rates.misdirect_ppm) || blocks <= taken) {
        return op->offset;
    }
    disk->stats.faults++;
    disk->stats.misdirected++;
    return sf_prng_below(&disk->aim, blocks - taken + 1) * SF_SIM_PAGE_BYTES;
}

static int
do_write(struct sf_sim_disk *disk, struct sf_disk_op *op, struct sf_sim_inode *inode, size_t bytes)
{
    uint64_t offset;

    if (!has_room(disk, inode, op->offset, bytes)) {
        return is_full(disk, op);
    }
    op->ret_bytes = bytes;
    if (bytes == 0) {
        return SF_OK;
    }
    offset = aim(disk, op, inode, bytes);
    sf_sim_tree_change(&disk->tree, inode, SF_SIM_CHANGE_WRITE, offset, bytes, op->data, false);
    disk->stats.bytes_written += bytes;
    if (goes_wrong(disk, op, &disk->luck, disk->rates.bit_rot_ppm)) {
        disk->stats.faults++;
        disk->stats.rotted++;
        sf_sim_inode_flip(disk, inode, offset + sf_prng_below(&disk->luck, bytes),
            (uint8_t)(1u << sf_prng_below(&disk->luck, 8)));
    }
    return SF_OK;
}

static int
do_file(struct sf_sim_disk *disk, struct sf_disk_op *op, uint64_t sequence)
{
    struct sf_sim_handle *handle = handle_of(disk, op);
    struct sf_sim_inode *inode;
    struct sf_sim_tree *tree = &disk->tree;

    if (handle == NULL) {
        return SF_EINVAL;
    }
    inode = handle->inode;
    if ((handle->flags & SF_DISK_RDWR) == 0 &&
        (op->kind == SF_DISK_WRITE || op->kind == SF_DISK_ALLOCATE || op->kind == SF_DISK_PUNCH ||
            op->kind == SF_DISK_TRUNCATE || op->kind == SF_DISK_ATTRIBUTES)) {
        return SF_EINVAL;
    }
    switch (op->kind) {
    case SF_DISK_CLOSE:
        handle->inode = NULL;
        sf_sim_inode_release(tree, inode);
        return SF_OK;
    case SF_DISK_READ:
        sf_sim_inode_read(inode, op->offset, op->data, op->bytes, &op->ret_bytes);
        disk->stats.bytes_read += op->ret_bytes;
        return SF_OK;
    case SF_DISK_WRITE:
        return do_write(disk, op, inode, op->bytes);
    case SF_DISK_SYNC:
        sf_sim_tree_sync(tree, inode, sequence, false);
        disk->stats.syncs++;
        return SF_OK;
    case SF_DISK_ALLOCATE:
        if (!has_room(disk, inode, op->offset, op->bytes)) {
            return is_full(disk, op);
        }
        sf_sim_tree_change(tree, inode,
            (op->flags & SF_DISK_KEEP_SIZE) != 0 ? SF_SIM_CHANGE_RESERVE_BEHIND
                                                 : SF_SIM_CHANGE_RESERVE,
            op->offset, op->bytes, NULL, false);
        return SF_OK;
    case SF_DISK_PUNCH:
        sf_sim_tree_change(tree, inode, SF_SIM_CHANGE_PUNCH, op->offset, op->bytes, NULL, false);
        return SF_OK;
    case SF_DISK_TRUNCATE:
        sf_sim_tree_change(tree, inode, SF_SIM_CHANGE_TRUNCATE, op->offset, 0, NULL, false);
        return SF_OK;
    case SF_DISK_ATTRIBUTES:
        inode->mtime_ns = op->mtime_ns;
        return SF_OK;
    default:
        return SF_EINVAL;
    }
}

static bool
is_inside(const struct sf_sim_inode *directory, const struct sf_sim_inode *inode)
{
    const struct sf_sim_names *names = &directory->names[SF_SIM_VOLATILE];

    for (size_t i = 0; i < names->count; i++) {
        if (names->entries[i].inode == inode || is_inside(names->entries[i].inode, inode)) {
            return true;
        }
    }
    return false;
}

static int
do_rename(struct sf_sim_disk *disk, const struct sf_disk_op *op)
{
    const char *from_name;
    const char *to_name;
    struct sf_sim_inode *from = sf_sim_tree_find_parent(&disk->tree, op->path, &from_name);
    struct sf_sim_inode *to = sf_sim_tree_find_parent(&disk->tree, op->path_to, &to_name);
    struct sf_sim_inode *moved;
    struct sf_sim_inode *taken;

    if (from == NULL || to == NULL) {
        return SF_ENOENT;
    }
    moved = sf_sim_names_find(&from->names[SF_SIM_VOLATILE], from_name);
    taken = sf_sim_names_find(&to->names[SF_SIM_VOLATILE], to_name);
    if (moved == NULL) {
        return SF_ENOENT;
    }
    if (taken != NULL && (op->flags & SF_DISK_NOREPLACE) != 0) {
        return SF_EEXIST;
    }
    if (moved == taken) {
        return SF_OK;
    }
    if (moved->is_directory && (moved == to || is_inside(moved, to))) {
        return SF_EINVAL;
    }
    if (taken != NULL) {
        if (taken->is_directory != moved->is_directory) {
            return moved->is_directory ? SF_ENOENT : SF_EINVAL; /* ENOTDIR, EISDIR */
        }
        if (taken->names[SF_SIM_VOLATILE].count > 0) {
            return SF_EEXIST;
        }
    }
    sf_sim_tree_rename(&disk->tree, from, from_name, to, to_name);
    return SF_OK;
}

/* Operations on what is at `path`, or is not. */
static int
do_path(struct sf_sim_disk *disk, struct sf_disk_op *op, uint64_t sequence)
{
    struct sf_sim_inode *inode = sf_sim_tree_find(&disk->tree, op->path);
    struct sf_sim_inode *directory;
    const char *name;

    if (op->kind == SF_DISK_MKDIR) {
        directory = sf_sim_tree_find_parent(&disk->tree, op->path, &name);
        if (directory == NULL) {
            return SF_ENOENT;
        }
        if (inode != NULL) {
            return SF_EEXIST;
        }
        (void)sf_sim_tree_make(&disk->tree, directory, name, true);
        return SF_OK;
    }
    if (inode == NULL ||
        (!inode->is_directory && op->kind != SF_DISK_UNLINK && op->kind != SF_DISK_STAT)) {
        return SF_ENOENT;
    }
    switch (op->kind) {
    case SF_DISK_STAT:
        op->ret_stat = sf_sim_inode_stat(inode);
        return SF_OK;
    case SF_DISK_LIST:
        return sf_sim_inode_list(inode, op->data, op->bytes, &op->ret_bytes);
    case SF_DISK_SYNC_DIR:
        sf_sim_tree_sync_names(&disk->tree, inode, sequence, false);
        disk->stats.syncs++;
        return SF_OK;
    case SF_DISK_RMDIR:
        if (inode->names[SF_SIM_VOLATILE].count > 0) {
            return SF_EEXIST;
        }
        break;
    default:
        if (inode->is_directory) {
            return SF_EINVAL;
        }
        break;
    }
    directory = sf_sim_tree_find_parent(&disk->tree, op->path, &name);
    sf_sim_tree_unlink(&disk->tree, directory, name);
    return SF_OK;
}

static int
carry_out(struct sf_sim_disk *disk, struct sf_disk_op *op, uint64_t sequence)
{
    switch (op->kind) {
    case SF_DISK_OPEN:
        return do_open(disk, op);
    case SF_DISK_RENAME:
        return do_rename(disk, op);
    case SF_DISK_SPACE:
        op->ret_stat.free_bytes = INT64_MAX;
        if (disk->config.capacity_bytes != 0) {
            uint64_t used = disk->tree.used_blocks * SF_SIM_PAGE_BYTES;

            op->ret_stat.free_bytes =
                used > disk->config.capacity_bytes ? 0 : disk->config.capacity_bytes - used;
        }
        return SF_OK;
    case SF_DISK_STAT:
        if (op->path == NULL) {
            struct sf_sim_handle *handle = handle_of(disk, op);

            if (handle == NULL) {
                return SF_EINVAL;
            }
            op->ret_stat = sf_sim_inode_stat(handle->inode);
            return SF_OK;
        }
        return do_path(disk, op, sequence);
    case SF_DISK_UNLINK:
    case SF_DISK_MKDIR:
    case SF_DISK_RMDIR:
    case SF_DISK_SYNC_DIR:
    case SF_DISK_LIST:
        return do_path(disk, op, sequence);
    default:
        return do_file(disk, op, sequence);
    }
}

/* --- Faults --- */

static bool
wants_space(enum sf_disk_kind kind)
{
    return kind == SF_DISK_WRITE || kind == SF_DISK_ALLOCATE || kind == SF_DISK_OPEN ||
           kind == SF_DISK_MKDIR || kind == SF_DISK_RENAME;
}

/* Whether operation `number` is to fail; *ret_kind says how. */
static bool
draw_fault(struct sf_sim_disk *disk, const struct sf_disk_op *op, uint64_t number,
    enum sf_sim_fault_kind *ret_kind)
{
    uint32_t ppm = 0;

    for (size_t i = 0; i < disk->fault_count; i++) {
        struct sf_sim_armed_fault *fault = &disk->faults[i];
        bool matches = fault->fault.op_kinds == 0 ? op->kind != SF_DISK_CLOSE
                                                  : (fault->fault.op_kinds >> op->kind & 1) != 0;

        if (matches && number >= fault->fault.operation && !fault->spent) {
            fault->spent = !fault->fault.for_ever;
            *ret_kind = fault->fault.kind;
            return true;
        }
    }
    if (op->kind == SF_DISK_READ) {
        ppm = disk->rates.read_error_ppm;
    } else if (op->kind == SF_DISK_WRITE) {
        ppm = disk->rates.write_error_ppm;
    } else if (op->kind == SF_DISK_SYNC || op->kind == SF_DISK_SYNC_DIR) {
        ppm = disk->rates.sync_error_ppm;
    }
    *ret_kind = SF_SIM_FAULT_EIO;
    return sf_prng_chance(&disk->luck, ppm);
}

static int
fail(
    struct sf_sim_disk *disk, struct sf_disk_op *op, enum sf_sim_fault_kind kind, uint64_t sequence)
{
    struct sf_sim_handle *handle = handle_of(disk, op);

    disk->stats.faults++;
    disk->stats.read_errors += op->kind == SF_DISK_READ;
    disk->stats.write_errors += op->kind == SF_DISK_WRITE;
    disk->stats.sync_errors += op->kind == SF_DISK_SYNC || op->kind == SF_DISK_SYNC_DIR;
    if (kind == SF_SIM_FAULT_SHORT && op->kind == SF_DISK_WRITE && handle != NULL &&
        (handle->flags & SF_DISK_RDWR) != 0) {
        (void)do_write(disk, op, handle->inode, op->bytes / 2);
        op->ret_bytes = 0;
        op->system_errno = ENOSPC;
        return SF_ENOSPC;
    }
    if (kind == SF_SIM_FAULT_SHORT && op->kind == SF_DISK_READ && handle != NULL) {
        sf_sim_inode_read(handle->inode, op->offset, op->data, op->bytes / 2, &op->ret_bytes);
        op->ret_bytes = 0;
    }
    if (op->kind == SF_DISK_SYNC && handle != NULL) {
        sf_sim_tree_sync(&disk->tree, handle->inode, sequence, true);
    } else if (op->kind == SF_DISK_SYNC_DIR) {
        struct sf_sim_inode *inode = sf_sim_tree_find(&disk->tree, op->path);

        if (inode != NULL && inode->is_directory) {
            sf_sim_tree_sync_names(&disk->tree, inode, sequence, true);
        }
    }
    if (kind == SF_SIM_FAULT_ENOSPC && wants_space(op->kind)) {
        op->system_errno = ENOSPC;
        return SF_ENOSPC;
    }
    op->system_errno = EIO;
    return SF_EIO;
}

/* --- Submit and poll --- */

static void
submit(struct sf_disk *interface, struct sf_disk_op *op)
{
    struct sf_sim_memory *memory = sf_sim_memory_enter(NULL); /* the disk has memory of its own */
    struct sf_sim_disk *disk = disk_of(interface);
    uint64_t latency = 0;

    if (!disk->is_cut) {
        latency = disk->config.latency_min_ns +
                  sf_prng_below(&disk->latency,
                      disk->config.latency_max_ns - disk->config.latency_min_ns + 1);
    }
    if (disk->flight_count == disk->flight_capacity) {
        disk->flight_capacity = disk->flight_capacity == 0 ? 16 : disk->flight_capacity * 2;
        disk->flights =
            sf_sim_reallocate(disk->flights, disk->flight_capacity * sizeof(*disk->flights));
    }
    disk->flights[disk->flight_count++] = (struct sf_sim_flight){
        op, sf_mono_add(disk->now, latency), disk->order++, disk->tree.sequence};
    (void)sf_sim_memory_enter(memory);
}

/* The next flight to carry out among those submitted before `order`, or flight_count. */
static size_t
pick(struct sf_sim_disk *disk, uint64_t order)
{
    size_t best = disk->flight_count;
    uint64_t candidates = 0;

    for (size_t i = 0; i < disk->flight_count; i++) {
        const struct sf_sim_flight *flight = &disk->flights[i];

        if (flight->order >= order || (flight->due > disk->now && !disk->is_cut)) {
            continue;
        }
        candidates++;
        if (disk->config.shuffle && !disk->is_cut) {
            /* Each of the candidates with the same chance. */
            if (sf_prng_below(&disk->latency, candidates) == 0) {
                best = i;
            }
        } else if (best == disk->flight_count || flight->due < disk->flights[best].due ||
                   (flight->due == disk->flights[best].due &&
                       flight->order < disk->flights[best].order)) {
            best = i;
        }
    }
    return best;
}

static bool
is_direct(struct sf_sim_disk *disk, const struct sf_disk_op *op)
{
    struct sf_sim_handle *handle = handle_of(disk, op);

    return handle != NULL && (handle->flags & SF_DISK_DIRECT) != 0;
}

static void
execute(struct sf_sim_disk *disk, struct sf_sim_flight flight)
{
    struct sf_disk_op *op = flight.op;
    uint64_t number = disk->operations;
    enum sf_sim_fault_kind kind;

    op->ret_bytes = 0;
    op->ret_file = SF_DISK_NO_FILE;
    memset(&op->ret_stat, 0, sizeof(op->ret_stat));
    op->system_errno = 0;
    if (disk->is_cut) {
        op->status = SF_EIO;
        op->system_errno = EIO;
        return;
    }
    disk->operations++;
    disk->stats.operations++;
    op->status = sf_disk_op_check(op, is_direct(disk, op));
    if (op->status != SF_OK) {
        return;
    }
    if (draw_fault(disk, op, number, &kind)) {
        op->status = fail(disk, op, kind, flight.sequence);
    } else {
        op->status = carry_out(disk, op, flight.sequence);
    }
}

/* Carry out what comes next of what was submitted before `order`; NULL if nothing is due. */
static struct sf_disk_op *
carry_out_next(struct sf_sim_disk *disk, uint64_t order)
{
    size_t at = pick(disk, order);
    struct sf_sim_flight flight;

    if (at == disk->flight_count) {
        return NULL;
    }
    if (!disk->is_cut) {
        if (disk->before != NULL) {
            disk->before(disk->before_context, disk->operations, disk->flights[at].op);
        }
        if (disk->operations == disk->cut_at) {
            sf_sim_disk_cut(disk);
        }
    }
    flight = disk->flights[at];
    disk->flight_count--;
    memmove(&disk->flights[at], &disk->flights[at + 1],
        (disk->flight_count - at) * sizeof(*disk->flights));
    execute(disk, flight);
    return flight.op;
}

static bool
poll(struct sf_disk *interface)
{
    struct sf_sim_disk *disk = disk_of(interface);
    uint64_t order = disk->order; /* what `done` submits waits for the next poll */
    bool any = false;

    for (;;) {
        struct sf_sim_memory *memory = sf_sim_memory_enter(NULL);
        struct sf_disk_op *op = carry_out_next(disk, order);

        (void)sf_sim_memory_enter(memory);
        if (op == NULL) {
            return any;
        }
        op->done(op);
        any = true;
    }
}

static void
wait(struct sf_disk *interface)
{
    struct sf_sim_disk *disk = disk_of(interface);
    sf_mono deadline = sf_sim_disk_deadline(disk);

    if (deadline != SF_NEVER) {
        sf_sim_disk_advance(disk, deadline);
    }
}

/* --- Power cuts --- */

/* What the operations in flight on `from` may have done to the medium, noted on `disk`. */
static void
note_in_flight(struct sf_sim_disk *disk, const struct sf_sim_disk *from)
{
    for (size_t i = 0; i < from->flight_count; i++) {
        const struct sf_disk_op *op = from->flights[i].op;
        struct sf_sim_inode *inode;
        enum sf_sim_change_kind kind;

        if (op->file < 0 || (size_t)op->file >= from->handle_count ||
            from->handles[op->file].inode == NULL ||
            (from->handles[op->file].flags & SF_DISK_RDWR) == 0 ||
            sf_disk_op_check(op, false) != SF_OK) {
            continue;
        }
        if (op->kind == SF_DISK_WRITE && op->bytes > 0) {
            kind = SF_SIM_CHANGE_WRITE;
        } else if (op->kind == SF_DISK_PUNCH) {
            kind = SF_SIM_CHANGE_PUNCH;
        } else if (op->kind == SF_DISK_TRUNCATE) {
            kind = SF_SIM_CHANGE_TRUNCATE;
        } else {
            continue;
        }
        inode = from->handles[op->file].inode;
        if (disk != from) {
            inode = sf_sim_tree_by_number(&disk->tree, inode->number);
        }
        if (inode != NULL) {
            sf_sim_tree_change(&disk->tree, inode, kind, op->offset, op->bytes, op->data, true);
        }
    }
}

uint64_t
sf_sim_disk_operations(const struct sf_sim_disk *disk)
{
    return disk->operations;
}

void
sf_sim_disk_cut_at(struct sf_sim_disk *disk, uint64_t operation)
{
    disk->cut_at = operation;
}

void
sf_sim_disk_cut(struct sf_sim_disk *disk)
{
    if (!disk->is_cut) {
        disk->is_cut = true;
        note_in_flight(disk, disk);
    }
}

bool
sf_sim_disk_is_cut(const struct sf_sim_disk *disk)
{
    return disk->is_cut;
}

void
sf_sim_disk_restart(struct sf_sim_disk *disk, enum sf_sim_damage_model model, uint64_t seed)
{
    struct sf_prng prng;

    sf_assert(model < SF_SIM_DAMAGE_MODELS);
    sf_assert(!disk->config.steady);
    sf_sim_disk_cut(disk);
    sf_prng_init(&prng, seed);
    close_handles(disk);
    disk->flight_count = 0;
    sf_sim_tree_crash(&disk->tree, model, &prng);
    disk->cut_at = SF_NEVER;
    disk->is_cut = false;
}

int
sf_sim_disk_clone(const struct sf_sim_disk *disk, struct sf_sim_disk **ret_clone)
{
    struct sf_sim_disk *clone;
    int status = sf_sim_disk_open(&disk->config, &clone);

    if (status != SF_OK) {
        return status;
    }
    sf_sim_tree_copy(&clone->tree, &disk->tree);
    clone->now = disk->now;
    clone->operations = disk->operations;
    if (!disk->is_cut) { /* else they were noted when the power went */
        note_in_flight(clone, disk);
    }
    *ret_clone = clone;
    return SF_OK;
}

void
sf_sim_disk_watch(struct sf_sim_disk *disk,
    void (*before)(void *context, uint64_t operation, const struct sf_disk_op *op), void *context)
{
    disk->before = before;
    disk->before_context = context;
}
