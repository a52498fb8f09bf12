#include "config.h"

#include "store/uring.h"

#include "base/assert.h"
#include "store/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    FLIGHTS_MAX = 256,      /* operations the kernel holds at once; more wait their turn here */
    FILES_REGISTERED = 256, /* handles below it spare the kernel a look-up per operation */
    NO_FLIGHT = -1,
};

/* What goes through the ring. Nothing else may, whoever gets hold of it: see restrict_ring(). */
static const uint8_t ring_operations[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READ_FIXED,
    IORING_OP_WRITE_FIXED, IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_OPENAT2,
    IORING_OP_RENAMEAT, IORING_OP_UNLINKAT, IORING_OP_MKDIRAT, IORING_OP_CLOSE};
enum { RING_OPERATIONS = sizeof(ring_operations) / sizeof(ring_operations[0]) };

/* Calls on the ring itself that stay possible once it runs. */
static const uint8_t ring_registrations[] = {IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_BUFFERS};
enum { RING_REGISTRATIONS = sizeof(ring_registrations) / sizeof(ring_registrations[0]) };

/* An operation the kernel holds. */
struct flight {
    struct sf_disk_op *op;
    size_t done;  /* READ, WRITE: bytes so far */
    bool is_once; /* READ: asked not to stay in the page cache */
    int fd;       /* a directory opened for this operation alone, or -1 */
    int fd_to;
    struct open_how how;
    int next_free;
};

struct uring_disk {
    struct sf_disk interface;
    struct io_uring ring;
    bool has_ring;
    int root_fd;
    int event_fd;
    struct sf_sys_files files;
    size_t files_registered;
    uint8_t *memory; /* registered as buffer 0 */
    size_t memory_bytes;
    struct flight flights[FLIGHTS_MAX];
    int free_flight;
    size_t in_flight;
    bool polling;
    struct sf_disk_op *waiting; /* for a flight */
    struct sf_disk_op **waiting_last;
    struct sf_disk_op *ready; /* done, to be given back by poll */
    struct sf_disk_op **ready_last;
};

static struct uring_disk *
disk_of(struct sf_disk *interface)
{
    return (struct uring_disk *)interface;
}

static void
queue_ready(struct uring_disk *disk, struct sf_disk_op *op)
{
    op->next = NULL;
    *disk->ready_last = op;
    disk->ready_last = &op->next;
}

/* --- Flights --- */

static int
take_flight(struct uring_disk *disk, struct sf_disk_op *op)
{
    int at = disk->free_flight;

    disk->free_flight = disk->flights[at].next_free;
    disk->flights[at] = (struct flight){.op = op, .fd = -1, .fd_to = -1};
    disk->in_flight++;
    return at;
}

/* The operation is over: close what was opened for it and hand it to poll. */
static void
end_flight(struct uring_disk *disk, int at)
{
    struct flight *flight = &disk->flights[at];

    sf_sys_close_parent(disk->root_fd, flight->fd);
    sf_sys_close_parent(disk->root_fd, flight->fd_to);
    queue_ready(disk, flight->op);
    flight->op = NULL;
    flight->next_free = disk->free_flight;
    disk->free_flight = at;
    disk->in_flight--;
}

static struct io_uring_sqe *
next_sqe(struct uring_disk *disk)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&disk->ring);

    if (sqe == NULL) {
        (void)io_uring_submit(&disk->ring);
        sqe = io_uring_get_sqe(&disk->ring);
    }
    /* There are as many entries as flights, and each flight has one at a time. */
    sf_assert(sqe != NULL);
    return sqe;
}

/* The descriptor as the ring is to see it; sets the flag if it is a registered one. */
static int
ring_file(const struct uring_disk *disk, int file, unsigned int *ret_flags)
{
    *ret_flags = 0;
    if ((size_t)file < disk->files_registered) {
        *ret_flags = IOSQE_FIXED_FILE;
        return file;
    }
    return disk->files.table[file].fd;
}

static bool
in_registered_memory(const struct uring_disk *disk, const uint8_t *data, size_t bytes)
{
    return disk->memory != NULL && data >= disk->memory && bytes <= disk->memory_bytes &&
           (size_t)(data - disk->memory) <= disk->memory_bytes - bytes;
}

/* Ask for what is left of a READ or WRITE. */
static void
prepare_transfer(struct uring_disk *disk, struct flight *flight, struct io_uring_sqe *sqe)
{
    const struct sf_disk_op *op = flight->op;
    uint8_t *data = op->data + flight->done;
    size_t left = op->bytes - flight->done;
    unsigned int bytes = (unsigned int)(left < SF_SYS_IO_BYTES_MAX ? left : SF_SYS_IO_BYTES_MAX);
    uint64_t offset = op->offset + flight->done;
    bool fixed = in_registered_memory(disk, data, bytes);
    unsigned int flags;
    int fd = ring_file(disk, op->file, &flags);

    if (op->kind == SF_DISK_READ) {
        if (fixed) {
            io_uring_prep_read_fixed(sqe, fd, data, bytes, offset, 0);
        } else {
            io_uring_prep_read(sqe, fd, data, bytes, offset);
        }
    } else if (fixed) {
        io_uring_prep_write_fixed(sqe, fd, data, bytes, offset, 0);
    } else {
        io_uring_prep_write(sqe, fd, data, bytes, offset);
    }
    if (op->kind == SF_DISK_READ) {
        sqe->rw_flags = sf_sys_read_flags(&disk->files.table[op->file], op);
    }
    flight->is_once = sqe->rw_flags != 0;
    io_uring_sqe_set_flags(sqe, flags);
}

static void
prepare_file(struct uring_disk *disk, struct flight *flight, struct io_uring_sqe *sqe)
{
    const struct sf_disk_op *op = flight->op;
    unsigned int flags;
    int fd = ring_file(disk, op->file, &flags);

    switch (op->kind) {
    case SF_DISK_READ:
    case SF_DISK_WRITE:
        prepare_transfer(disk, flight, sqe);
        return;
    case SF_DISK_SYNC:
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        break;
    default: /* ALLOCATE, PUNCH */
        io_uring_prep_fallocate(
            sqe, fd, sf_sys_allocate_mode(op), (off_t)op->offset, (off_t)op->bytes);
        break;
    }
    io_uring_sqe_set_flags(sqe, flags);
}

/* Open the directories the names stand in. Returns 0 or an errno. */
static int
open_parents(
    struct uring_disk *disk, struct flight *flight, const char **ret_name, const char **ret_name_to)
{
    const struct sf_disk_op *op = flight->op;
    struct open_how how = sf_sys_directory_how();
    int error;

    *ret_name_to = NULL;
    if (op->kind == SF_DISK_SYNC_DIR) {
        *ret_name = NULL;
        return sf_sys_open_at(disk->root_fd, op->path, &how, &flight->fd);
    }
    error = sf_sys_open_parent(disk->root_fd, op->path, &flight->fd, ret_name);
    if (error == 0 && op->kind == SF_DISK_RENAME) {
        error = sf_sys_open_parent(disk->root_fd, op->path_to, &flight->fd_to, ret_name_to);
    }
    return error;
}

static void
prepare_path(struct flight *flight, const char *name, const char *name_to, struct io_uring_sqe *sqe)
{
    const struct sf_disk_op *op = flight->op;

    switch (op->kind) {
    case SF_DISK_SYNC_DIR:
        io_uring_prep_fsync(sqe, flight->fd, 0);
        break;
    case SF_DISK_RENAME:
        io_uring_prep_renameat(sqe, flight->fd, name, flight->fd_to, name_to,
            (op->flags & SF_DISK_NOREPLACE) != 0 ? RENAME_NOREPLACE : 0);
        break;
    case SF_DISK_MKDIR:
        io_uring_prep_mkdirat(sqe, flight->fd, name, sf_sys_mode(SF_DISK_MKDIR, op->flags));
        break;
    default: /* UNLINK, RMDIR */
        io_uring_prep_unlinkat(sqe, flight->fd, name, op->kind == SF_DISK_RMDIR ? AT_REMOVEDIR : 0);
        break;
    }
}

/* --- Beginning --- */

/* What the ring has no operation for, and what is over at once. Returns 0 or an errno. */
static int
run_here(struct uring_disk *disk, struct sf_disk_op *op)
{
    switch (op->kind) {
    case SF_DISK_LIST:
        return sf_sys_list(disk->root_fd, op);
    case SF_DISK_SPACE:
        return sf_sys_space(disk->root_fd, &op->ret_stat);
    case SF_DISK_TRUNCATE:
        return ftruncate(disk->files.table[op->file].fd, (off_t)op->offset) == 0 ? 0 : errno;
    case SF_DISK_ATTRIBUTES:
        return sf_sys_attributes(disk->files.table[op->file].fd, op);
    case SF_DISK_STAT:
        if (op->path != NULL) {
            return sf_sys_stat_path(disk->root_fd, op->path, &op->ret_stat);
        }
        return sf_sys_stat(disk->files.table[op->file].fd, &op->ret_stat);
    default: /* READ, WRITE of nothing */
        return 0;
    }
}

static bool
runs_here(const struct sf_disk_op *op)
{
    return op->kind == SF_DISK_LIST || op->kind == SF_DISK_SPACE || op->kind == SF_DISK_TRUNCATE ||
           op->kind == SF_DISK_STAT || op->kind == SF_DISK_ATTRIBUTES ||
           ((op->kind == SF_DISK_READ || op->kind == SF_DISK_WRITE) && op->bytes == 0);
}

static void
prepare_close(struct uring_disk *disk, struct sf_disk_op *op, struct io_uring_sqe *sqe)
{
    struct sf_sys_file *file = sf_sys_files_get(&disk->files, op->file);
    int none = -1;

    if ((size_t)op->file < disk->files_registered) {
        (void)io_uring_register_files_update(&disk->ring, (unsigned int)op->file, &none, 1);
    }
    io_uring_prep_close(sqe, file->fd);
    file->fd = -1; /* the handle is free from now on; the descriptor is the kernel's */
}

static void
begin(struct uring_disk *disk, struct sf_disk_op *op)
{
    const char *name = NULL;
    const char *name_to = NULL;
    struct flight *flight;
    struct io_uring_sqe *sqe;
    bool by_path = op->kind == SF_DISK_SYNC_DIR || op->kind == SF_DISK_RENAME ||
                   op->kind == SF_DISK_MKDIR || op->kind == SF_DISK_UNLINK ||
                   op->kind == SF_DISK_RMDIR;
    int error;
    int at;

    op->status = sf_sys_files_check(&disk->files, op);
    if (op->status != SF_OK) {
        queue_ready(disk, op);
        return;
    }
    if (runs_here(op)) {
        sf_sys_answer(op, run_here(disk, op));
        queue_ready(disk, op);
        return;
    }
    if (op->kind == SF_DISK_READ && sf_sys_read_hole(disk->files.table[op->file].fd, op)) {
        sf_sys_answer(op, 0);
        queue_ready(disk, op);
        return;
    }
    at = take_flight(disk, op);
    flight = &disk->flights[at];
    if (by_path) {
        error = open_parents(disk, flight, &name, &name_to);
        if (error != 0) {
            sf_sys_answer(op, error);
            end_flight(disk, at);
            return;
        }
    }
    if (op->kind == SF_DISK_READ && disk->files.table[op->file].drop_on_read) {
        sf_sys_drop_cache(disk->files.table[op->file].fd, op->offset, op->bytes);
    }
    sqe = next_sqe(disk);
    if (by_path) {
        prepare_path(flight, name, name_to, sqe);
    } else if (op->kind == SF_DISK_OPEN) {
        flight->how = sf_sys_open_how(op->flags);
        io_uring_prep_openat2(sqe, disk->root_fd, op->path, &flight->how);
    } else if (op->kind == SF_DISK_CLOSE) {
        prepare_close(disk, op, sqe);
    } else {
        prepare_file(disk, flight, sqe);
    }
    io_uring_sqe_set_data64(sqe, (unsigned int)at);
}

/* Begin what waits, as far as there are flights, and tell the kernel. */
static void
begin_waiting(struct uring_disk *disk)
{
    while (disk->waiting != NULL && disk->free_flight != NO_FLIGHT) {
        struct sf_disk_op *op = disk->waiting;

        disk->waiting = op->next;
        if (disk->waiting == NULL) {
            disk->waiting_last = &disk->waiting;
        }
        begin(disk, op);
    }
    if (io_uring_sq_ready(&disk->ring) > 0) {
        (void)io_uring_submit(&disk->ring); /* what it could not take now, the next one takes */
    }
    if (disk->ready != NULL) {
        (void)eventfd_write(disk->event_fd, 1);
    }
}

/* --- Ending --- */

static void
finish_open(struct uring_disk *disk, struct sf_disk_op *op, int result)
{
    int fd = result;
    int error;

    if (result < 0) {
        sf_sys_answer(op, -result);
        return;
    }
    error = sf_sys_files_add(&disk->files, fd, op->flags, &op->ret_file, &op->ret_stat);
    if (error == 0 && (size_t)op->ret_file < disk->files_registered &&
        io_uring_register_files_update(&disk->ring, (unsigned int)op->ret_file, &fd, 1) < 0) {
        /* Then no handle is looked up there any more; they all work by descriptor. */
        disk->files_registered = 0;
    }
    if (error != 0) {
        close(fd);
    }
    sf_sys_answer(op, error);
}

/* Whether a READ or WRITE is complete; else it was asked to go on. */
static bool
finish_transfer(struct uring_disk *disk, int at, int result)
{
    struct flight *flight = &disk->flights[at];
    struct sf_disk_op *op = flight->op;
    struct io_uring_sqe *sqe;

    if (result == -EOPNOTSUPP && flight->is_once) {
        disk->files.table[op->file].keeps_cache = true;
        result = -EAGAIN;
    }
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
        sf_sys_answer(op, -result);
        return true;
    }
    if (result == 0 && op->kind == SF_DISK_WRITE) {
        sf_sys_answer(op, ENOSPC);
        return true;
    }
    flight->done += result > 0 ? (size_t)result : 0;
    if (result == 0 || flight->done == op->bytes) {
        op->ret_bytes = flight->done;
        return true;
    }
    sqe = next_sqe(disk);
    prepare_transfer(disk, flight, sqe);
    io_uring_sqe_set_data64(sqe, (unsigned int)at);
    return false;
}

static void
finish(struct uring_disk *disk, int at, int result)
{
    struct sf_disk_op *op = disk->flights[at].op;

    switch (op->kind) {
    case SF_DISK_READ:
    case SF_DISK_WRITE:
        if (!finish_transfer(disk, at, result)) {
            return;
        }
        break;
    case SF_DISK_OPEN:
        if (result == -EAGAIN || result == -EINTR) {
            struct open_how how = sf_sys_open_how(op->flags);
            int fd = -1;
            int error = sf_sys_open_at(disk->root_fd, op->path, &how, &fd);

            result = error == 0 ? fd : -error;
        }
        finish_open(disk, op, result);
        break;
    case SF_DISK_CLOSE:
        break; /* no write hides here: what matters was synced */
    case SF_DISK_ALLOCATE:
    case SF_DISK_PUNCH:
        if (result == -EINTR) {
            struct io_uring_sqe *sqe = next_sqe(disk);

            prepare_file(disk, &disk->flights[at], sqe);
            io_uring_sqe_set_data64(sqe, (unsigned int)at);
            return;
        }
        sf_sys_answer(op, result < 0 ? -result : 0);
        break;
    case SF_DISK_SYNC:
        sf_sys_synced(disk->files.table[op->file].fd, op);
        sf_sys_answer(op, result < 0 ? -result : 0);
        break;
    default:
        sf_sys_answer(op, result < 0 ? -result : 0);
        break;
    }
    end_flight(disk, at);
}

static void
reap(struct uring_disk *disk)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&disk->ring, &cqe) == 0) {
        int at = (int)io_uring_cqe_get_data64(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&disk->ring, cqe);
        finish(disk, at, result);
    }
}

/* --- The interface --- */

static void
uring_submit(struct sf_disk *interface, struct sf_disk_op *op)
{
    struct uring_disk *disk = disk_of(interface);

    sf_sys_reset(op);
    op->next = NULL;
    *disk->waiting_last = op;
    disk->waiting_last = &op->next;
    if (!disk->polling) { /* else poll tells the kernel of all of them at once */
        begin_waiting(disk);
    }
}

static bool
uring_poll(struct sf_disk *interface)
{
    struct uring_disk *disk = disk_of(interface);
    struct sf_disk_op *op;
    struct sf_disk_op *following;
    eventfd_t count;
    bool any;

    if (disk->in_flight == 0 && disk->ready == NULL && disk->waiting == NULL) {
        return false;
    }
    (void)eventfd_read(disk->event_fd, &count); /* before reaping: a later event counts anew */
    reap(disk);
    op = disk->ready;
    any = op != NULL;
    disk->ready = NULL;
    disk->ready_last = &disk->ready;
    disk->polling = true;
    for (; op != NULL; op = following) {
        following = op->next;
        op->done(op);
    }
    disk->polling = false;
    begin_waiting(disk);
    return any;
}

static void
uring_wait(struct sf_disk *interface)
{
    struct uring_disk *disk = disk_of(interface);

    if (disk->ready == NULL && disk->in_flight > 0) {
        (void)io_uring_submit_and_wait(&disk->ring, 1);
    }
}

/* --- Opening and closing --- */

static bool
supports_all(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool all = probe != NULL;

    for (size_t i = 0; all && i < RING_OPERATIONS; i++) {
        all = io_uring_opcode_supported(probe, ring_operations[i]);
    }
    if (probe != NULL) {
        io_uring_free_probe(probe);
    }
    return all;
}

/*
 * Seccomp does not see what goes through a ring, so the ring itself is told
 * what it may do. (liburing 2.3 declares calls for this but does not export them.)
 */
static int
restrict_ring(struct io_uring *ring)
{
    struct io_uring_restriction rules[RING_OPERATIONS + RING_REGISTRATIONS + 1];
    unsigned int count = 0;
    int result;

    memset(rules, 0, sizeof(rules));
    for (size_t i = 0; i < RING_OPERATIONS; i++, count++) {
        rules[count].opcode = IORING_RESTRICTION_SQE_OP;
        rules[count].sqe_op = ring_operations[i];
    }
    for (size_t i = 0; i < RING_REGISTRATIONS; i++, count++) {
        rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
        rules[count].register_op = ring_registrations[i];
    }
    rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[count++].sqe_flags = IOSQE_FIXED_FILE;
    result =
        io_uring_register((unsigned int)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules, count);
    if (result < 0) {
        return result;
    }
    return io_uring_register((unsigned int)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int
start_ring(struct uring_disk *disk)
{
    int result = io_uring_queue_init(FLIGHTS_MAX, &disk->ring, IORING_SETUP_R_DISABLED);

    if (result < 0) {
        /* ENOMEM too: it mostly means that RLIMIT_MEMLOCK has no room for the ring. */
        return SF_ESTATE;
    }
    disk->has_ring = true;
    if (!supports_all(&disk->ring)) {
        return SF_ESTATE;
    }
    if (io_uring_register_files_sparse(&disk->ring, FILES_REGISTERED) == 0) {
        disk->files_registered = FILES_REGISTERED;
    }
    disk->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (disk->event_fd < 0) {
        return SF_ELIMIT;
    }
    if (io_uring_register_eventfd(&disk->ring, disk->event_fd) < 0 ||
        restrict_ring(&disk->ring) < 0) {
        return SF_ESTATE;
    }
    return SF_OK;
}

int
sf_uring_disk_open(const char *root, struct sf_disk **ret_disk)
{
    struct uring_disk *disk = calloc(1, sizeof(*disk));
    int error;
    int status;

    if (disk == NULL) {
        return SF_ENOMEM;
    }
    disk->root_fd = -1;
    disk->event_fd = -1;
    disk->interface = (struct sf_disk){uring_submit, uring_poll, uring_wait};
    disk->waiting_last = &disk->waiting;
    disk->ready_last = &disk->ready;
    for (int i = 0; i < FLIGHTS_MAX; i++) {
        disk->flights[i].next_free = i + 1 < FLIGHTS_MAX ? i + 1 : NO_FLIGHT;
    }
    error = sf_sys_open_root(root, &disk->root_fd);
    status = error == 0 ? start_ring(disk) : sf_sys_status(error);
    if (status != SF_OK) {
        sf_uring_disk_close(&disk->interface);
        return status;
    }
    *ret_disk = &disk->interface;
    return SF_OK;
}

void
sf_uring_disk_close(struct sf_disk *interface)
{
    struct uring_disk *disk;

    if (interface == NULL) {
        return;
    }
    disk = disk_of(interface);
    while (disk->in_flight > 0) {
        uring_wait(interface);
        reap(disk);
        disk->ready = NULL; /* nobody is told */
        disk->ready_last = &disk->ready;
        (void)io_uring_submit(&disk->ring);
    }
    if (disk->has_ring) {
        io_uring_queue_exit(&disk->ring);
    }
    sf_sys_files_fini(&disk->files);
    if (disk->event_fd >= 0) {
        close(disk->event_fd);
    }
    if (disk->root_fd >= 0) {
        close(disk->root_fd);
    }
    free(disk);
}

int
sf_uring_disk_adopt(struct sf_disk *interface, int fd)
{
    struct uring_disk *disk = disk_of(interface);
    int file;
    int error = sf_sys_files_adopt(&disk->files, fd, &file);

    if (error != 0) {
        return sf_sys_status(error);
    }
    if ((size_t)file < disk->files_registered &&
        io_uring_register_files_update(&disk->ring, (unsigned int)file, &fd, 1) < 0) {
        disk->files_registered = 0;
    }
    return file;
}

int
sf_uring_disk_fd(const struct sf_disk *interface)
{
    return ((const struct uring_disk *)interface)->event_fd;
}

bool
sf_uring_disk_idle(const struct sf_disk *interface)
{
    const struct uring_disk *disk = (const struct uring_disk *)interface;

    return disk->in_flight == 0 && disk->ready == NULL && disk->waiting == NULL;
}

int
sf_uring_disk_register(struct sf_disk *interface, uint8_t *memory, size_t bytes)
{
    struct uring_disk *disk = disk_of(interface);
    struct iovec buffer = {memory, bytes};

    if (memory == NULL || (uintptr_t)memory % SF_DISK_ALIGN != 0 || bytes == 0) {
        return SF_EINVAL;
    }
    if (disk->memory != NULL) {
        return SF_ESTATE;
    }
    if (io_uring_register_buffers(&disk->ring, &buffer, 1) < 0) {
        return SF_ELIMIT;
    }
    disk->memory = memory;
    disk->memory_bytes = bytes;
    return SF_OK;
}
