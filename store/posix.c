#include "config.h"

#include "store/posix.h"

#include "store/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct posix_disk {
    struct sf_disk interface;
    int root_fd;
    struct sf_sys_files files;
    struct sf_disk_op *first;
    struct sf_disk_op **last;
};

static struct posix_disk *
disk_of(struct sf_disk *interface)
{
    return (struct posix_disk *)interface;
}

/* --- Operations: each returns 0 or an errno --- */

static int
do_open(struct posix_disk *disk, struct sf_disk_op *op)
{
    struct open_how how = sf_sys_open_how(op->flags);
    int fd;
    int error = sf_sys_open_at(disk->root_fd, op->path, &how, &fd);

    if (error != 0) {
        return error;
    }
    error = sf_sys_files_add(&disk->files, fd, op->flags, &op->ret_file, &op->ret_stat);
    if (error != 0) {
        close(fd);
    }
    return error;
}

static int
do_read(struct sf_sys_file *file, struct sf_disk_op *op)
{
    size_t done = 0;

    if (sf_sys_read_hole(file->fd, op)) {
        return 0;
    }
    if (file->drop_on_read) {
        sf_sys_drop_cache(file->fd, op->offset, op->bytes);
    }
    while (done < op->bytes) {
        size_t want = op->bytes - done;
        struct iovec part = {
            op->data + done, want < SF_SYS_IO_BYTES_MAX ? want : SF_SYS_IO_BYTES_MAX};
        int flags = sf_sys_read_flags(file, op);
        ssize_t got = preadv2(file->fd, &part, 1, (off_t)(op->offset + done), flags);

        if (got < 0 && errno == EOPNOTSUPP && flags != 0) {
            file->keeps_cache = true;
            continue;
        }
        if (got < 0 && errno != EINTR) {
            return errno;
        }
        if (got == 0) {
            break;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    op->ret_bytes = done;
    return 0;
}

static int
do_write(const struct sf_sys_file *file, struct sf_disk_op *op)
{
    size_t done = 0;

    while (done < op->bytes) {
        size_t want = op->bytes - done;
        ssize_t put = pwrite(file->fd, op->data + done,
            want < SF_SYS_IO_BYTES_MAX ? want : SF_SYS_IO_BYTES_MAX, (off_t)(op->offset + done));

        if (put < 0 && errno != EINTR) {
            return errno;
        }
        if (put == 0) {
            return ENOSPC;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    op->ret_bytes = done;
    return 0;
}

static int
do_file(struct posix_disk *disk, struct sf_disk_op *op)
{
    struct sf_sys_file *file = sf_sys_files_get(&disk->files, op->file);
    int result = 0;
    int fd = file->fd;

    switch (op->kind) {
    case SF_DISK_CLOSE:
        file->fd = -1;
        close(fd); /* no write hides here: what matters was synced */
        return 0;
    case SF_DISK_READ:
        return do_read(file, op);
    case SF_DISK_WRITE:
        return do_write(file, op);
    case SF_DISK_SYNC:
        result = fdatasync(fd); /* never repeated: see disk.h */
        sf_sys_synced(fd, op);
        break;
    case SF_DISK_ALLOCATE:
    case SF_DISK_PUNCH:
        do {
            result = fallocate(fd, sf_sys_allocate_mode(op), (off_t)op->offset, (off_t)op->bytes);
        } while (result != 0 && errno == EINTR);
        break;
    case SF_DISK_TRUNCATE:
        do {
            result = ftruncate(fd, (off_t)op->offset);
        } while (result != 0 && errno == EINTR);
        break;
    case SF_DISK_ATTRIBUTES:
        return sf_sys_attributes(fd, op);
    default:
        return sf_sys_stat(fd, &op->ret_stat);
    }
    return result == 0 ? 0 : errno;
}

static int
do_rename(struct posix_disk *disk, const struct sf_disk_op *op)
{
    const char *name;
    const char *name_to;
    int from_fd = -1;
    int to_fd = -1;
    int error = sf_sys_open_parent(disk->root_fd, op->path, &from_fd, &name);

    if (error == 0) {
        error = sf_sys_open_parent(disk->root_fd, op->path_to, &to_fd, &name_to);
    }
    if (error == 0 && renameat2(from_fd, name, to_fd, name_to,
                          (op->flags & SF_DISK_NOREPLACE) != 0 ? RENAME_NOREPLACE : 0) != 0) {
        error = errno;
    }
    sf_sys_close_parent(disk->root_fd, from_fd);
    sf_sys_close_parent(disk->root_fd, to_fd);
    return error;
}

/* What makes or removes one name. */
static int
do_name(struct posix_disk *disk, const struct sf_disk_op *op)
{
    const char *name;
    int result;
    int fd;
    int error = sf_sys_open_parent(disk->root_fd, op->path, &fd, &name);

    if (error != 0) {
        return error;
    }
    if (op->kind == SF_DISK_MKDIR) {
        result = mkdirat(fd, name, sf_sys_mode(SF_DISK_MKDIR, op->flags));
    } else {
        result = unlinkat(fd, name, op->kind == SF_DISK_RMDIR ? AT_REMOVEDIR : 0);
    }
    error = result == 0 ? 0 : errno;
    sf_sys_close_parent(disk->root_fd, fd);
    return error;
}

static int
do_sync_directory(struct posix_disk *disk, const struct sf_disk_op *op)
{
    struct open_how how = sf_sys_directory_how();
    int fd;
    int error = sf_sys_open_at(disk->root_fd, op->path, &how, &fd);

    if (error == 0) {
        error = fsync(fd) == 0 ? 0 : errno;
        close(fd);
    }
    return error;
}

static int
carry_out(struct posix_disk *disk, struct sf_disk_op *op)
{
    switch (op->kind) {
    case SF_DISK_OPEN:
        return do_open(disk, op);
    case SF_DISK_RENAME:
        return do_rename(disk, op);
    case SF_DISK_UNLINK:
    case SF_DISK_MKDIR:
    case SF_DISK_RMDIR:
        return do_name(disk, op);
    case SF_DISK_SYNC_DIR:
        return do_sync_directory(disk, op);
    case SF_DISK_LIST:
        return sf_sys_list(disk->root_fd, op);
    case SF_DISK_SPACE:
        return sf_sys_space(disk->root_fd, &op->ret_stat);
    case SF_DISK_STAT:
        if (op->path != NULL) {
            return sf_sys_stat_path(disk->root_fd, op->path, &op->ret_stat);
        }
        return do_file(disk, op);
    default:
        return do_file(disk, op);
    }
}

/* --- The interface --- */

static void
posix_submit(struct sf_disk *interface, struct sf_disk_op *op)
{
    struct posix_disk *disk = disk_of(interface);

    op->next = NULL;
    *disk->last = op;
    disk->last = &op->next;
}

static bool
posix_poll(struct sf_disk *interface)
{
    struct posix_disk *disk = disk_of(interface);
    struct sf_disk_op *op = disk->first;
    struct sf_disk_op *following;
    bool any = op != NULL;

    /* Only what is queued now: what `done` submits waits for the next poll. */
    disk->first = NULL;
    disk->last = &disk->first;
    for (; op != NULL; op = following) {
        following = op->next;
        sf_sys_reset(op);
        op->status = sf_sys_files_check(&disk->files, op);
        if (op->status == SF_OK) {
            sf_sys_answer(op, carry_out(disk, op));
        }
        op->done(op);
    }
    return any;
}

static void
posix_wait(struct sf_disk *interface)
{
    (void)interface; /* poll() itself does the waiting */
}

int
sf_posix_disk_open(const char *root, struct sf_disk **ret_disk)
{
    struct posix_disk *disk = calloc(1, sizeof(*disk));
    int error;

    if (disk == NULL) {
        return SF_ENOMEM;
    }
    error = sf_sys_open_root(root, &disk->root_fd);
    if (error != 0) {
        free(disk);
        return sf_sys_status(error);
    }
    disk->interface = (struct sf_disk){posix_submit, posix_poll, posix_wait};
    disk->last = &disk->first;
    *ret_disk = &disk->interface;
    return SF_OK;
}

void
sf_posix_disk_close(struct sf_disk *interface)
{
    struct posix_disk *disk;

    if (interface == NULL) {
        return;
    }
    disk = disk_of(interface);
    sf_sys_files_fini(&disk->files);
    close(disk->root_fd);
    free(disk);
}

int
sf_posix_disk_adopt(struct sf_disk *interface, int fd)
{
    int file;
    int error = sf_sys_files_adopt(&disk_of(interface)->files, fd, &file);

    return error == 0 ? file : sf_sys_status(error);
}

bool
sf_posix_disk_idle(const struct sf_disk *interface)
{
    return ((const struct posix_disk *)interface)->first == NULL;
}
