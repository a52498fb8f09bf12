/*
 * disk_steps.h - one disk operation per call, waited for: for tests that read
 * as a list of steps. Each returns the status.
 */
#ifndef SF_TESTS_UNIT_DISK_STEPS_H
#define SF_TESTS_UNIT_DISK_STEPS_H

#include "store/disk.h"

#include <string.h>

static inline int
step_open(struct sf_disk *disk, const char *path, uint32_t flags, int *ret_file)
{
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .path = path, .flags = flags};
    int status = sf_disk_run(disk, &op);

    *ret_file = op.ret_file;
    return status;
}

static inline int
step_file(struct sf_disk *disk, enum sf_disk_kind kind, int file, uint64_t offset, uint64_t bytes)
{
    struct sf_disk_op op = {.kind = kind, .file = file, .offset = offset, .bytes = bytes};

    return sf_disk_run(disk, &op);
}

static inline int
step_write(struct sf_disk *disk, int file, uint64_t offset, const void *data, size_t bytes)
{
    struct sf_disk_op op = {.kind = SF_DISK_WRITE,
        .file = file,
        .offset = offset,
        .data = (uint8_t *)(uintptr_t)data,
        .bytes = bytes};

    return sf_disk_run(disk, &op);
}

static inline int
step_read(
    struct sf_disk *disk, int file, uint64_t offset, void *out, size_t bytes, size_t *ret_bytes)
{
    struct sf_disk_op op = {
        .kind = SF_DISK_READ, .file = file, .offset = offset, .data = out, .bytes = bytes};
    int status = sf_disk_run(disk, &op);

    *ret_bytes = op.ret_bytes;
    return status;
}

static inline int
step_sync(struct sf_disk *disk, int file)
{
    return step_file(disk, SF_DISK_SYNC, file, 0, 0);
}

static inline int
step_close(struct sf_disk *disk, int file)
{
    return step_file(disk, SF_DISK_CLOSE, file, 0, 0);
}

static inline int
step_path(struct sf_disk *disk, enum sf_disk_kind kind, const char *path)
{
    struct sf_disk_op op = {.kind = kind, .path = path};

    return sf_disk_run(disk, &op);
}

static inline int
step_rename(struct sf_disk *disk, const char *path, const char *path_to, uint32_t flags)
{
    struct sf_disk_op op = {
        .kind = SF_DISK_RENAME, .path = path, .path_to = path_to, .flags = flags};

    return sf_disk_run(disk, &op);
}

static inline int
step_stat(struct sf_disk *disk, const char *path, struct sf_disk_stat *ret_stat)
{
    struct sf_disk_op op = {.kind = SF_DISK_STAT, .path = path};
    int status = sf_disk_run(disk, &op);

    *ret_stat = op.ret_stat;
    return status;
}

#endif
