#include "app/sources.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { ROOM_FIRST = 16 };

void
sf_sources_init(struct sf_sources *sources, struct sf_daemon *daemon)
{
    *sources = (struct sf_sources){.daemon = daemon};
}

static void
forget_paths(struct sf_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free((void *)(uintptr_t)sources->list[i].path.data);
        free((void *)(uintptr_t)sources->list[i].base);
    }
    free(sources->list);
    sf_sources_init(sources, sources->daemon);
}

void
sf_sources_fini(struct sf_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        sf_daemon_drop(sources->daemon, sources->list[i].file);
        if (sources->list[i].base != NULL) {
            sf_daemon_drop(sources->daemon, sources->list[i].base->file);
        }
    }
    forget_paths(sources);
}

static bool
make_room(struct sf_sources *sources)
{
    size_t room = sources->room == 0 ? ROOM_FIRST : 2 * sources->room;
    struct sf_node_source *grown;

    if (sources->count < sources->room) {
        return true;
    }
    grown = reallocarray(sources->list, room, sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    sources->list = grown;
    sources->room = room;
    return true;
}

/* Files that the kernel makes up while they are read: the size they show is not theirs. */
static bool
is_made_up(int fd)
{
    struct statfs info;

    return fstatfs(fd, &info) == 0 &&
           (info.f_type == PROC_SUPER_MAGIC || info.f_type == SYSFS_MAGIC ||
               info.f_type == DEBUGFS_MAGIC || info.f_type == TRACEFS_MAGIC ||
               info.f_type == CGROUP_SUPER_MAGIC || info.f_type == CGROUP2_SUPER_MAGIC);
}

/* What the file is now, if it is one that can be sent. */
static int
check(int fd, struct sf_disk_stat *ret_stat, struct sf_app_error *error)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat info;

    if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY) {
        return sf_app_error_set(
            error, SF_EAUTH, "a file was handed over that is not open for reading");
    }
    if (fstat(fd, &info) != 0) {
        return sf_app_error_set(error, SF_EIO, "cannot look at a file: %s", strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return sf_app_error_set(error, SF_EINVAL,
            "only regular files can be sent: a %s was handed over",
            S_ISDIR(info.st_mode)    ? "directory"
            : S_ISFIFO(info.st_mode) ? "pipe"
            : S_ISSOCK(info.st_mode) ? "socket"
                                     : "device");
    }
    if (is_made_up(fd)) {
        return sf_app_error_set(error, SF_EINVAL,
            "a file of /proc, /sys or the like has no size of its own: copy it first, send the "
            "copy");
    }
    *ret_stat = (struct sf_disk_stat){
        .bytes = (uint64_t)info.st_size,
        .inode = info.st_ino,
        .mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec,
        .ctime_ns = (int64_t)info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec,
        .is_regular = true,
    };
    return SF_OK;
}

int
sf_sources_add(struct sf_sources *sources, int fd, struct sf_view path, bool is_executable,
    struct sf_app_error *error)
{
    struct sf_node_source source = {.executable = is_executable};
    uint8_t *copy = NULL;
    int status = check(fd, &source.stat, error);

    if (status != SF_OK) {
        goto out;
    }
    copy = malloc(path.bytes + 1);
    if (sources->count == SF_SOURCES_MAX) {
        status = sf_app_error_set(error, SF_ELIMIT,
            "a transfer has at most %d files: send an archive, or several transfers",
            SF_SOURCES_MAX);
        goto out;
    }
    if (copy == NULL || !make_room(sources)) {
        status = sf_app_error_set(error, SF_ENOMEM, "no memory for %zu files", sources->count + 1);
        goto out;
    }
    source.file = sf_daemon_adopt(sources->daemon, fd);
    if (source.file < 0) {
        status = sf_app_error_set(error, source.file,
            "the daemon cannot hold more than %zu files open: raise its limit of open files "
            "(LimitNOFILE=), or send fewer at once",
            sources->count);
        goto out;
    }
    memcpy(copy, path.data, path.bytes);
    copy[path.bytes] = '\0';
    source.path = sf_view(copy, path.bytes);
    sources->list[sources->count++] = source;
    return SF_OK;

out:
    free(copy);
    close(fd);
    return status;
}

int
sf_sources_add_base(
    struct sf_sources *sources, int fd, const struct sf_digest *sha256, struct sf_app_error *error)
{
    struct sf_node_base *base = calloc(1, sizeof(*base));
    int status;

    sf_assert(sources->count > 0);
    if (base == NULL) {
        close(fd);
        return sf_app_error_set(error, SF_ENOMEM, "no memory for a base");
    }
    status = check(fd, &base->stat, error);
    if (status != SF_OK) {
        free(base);
        close(fd);
        return status;
    }
    base->sha256 = *sha256;
    base->file = sf_daemon_adopt(sources->daemon, fd);
    if (base->file < 0) {
        status = sf_app_error_set(error, base->file,
            "the daemon cannot hold more files open: raise its limit of open files (LimitNOFILE=)");
        free(base);
        close(fd);
        return status;
    }
    sources->list[sources->count - 1].base = base;
    return SF_OK;
}

int
sf_sources_send(struct sf_sources *sources, struct sf_node_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_app_error *error)
{
    struct sf_node_error why;
    int status;

    send->sources = sources->list;
    send->source_count = sources->count;
    status = sf_node_send(sources->daemon->node, send, ret_transfer, &why);
    forget_paths(sources);
    if (status != SF_OK) {
        return sf_app_error_set(error, status, "%s", why.text);
    }
    sf_daemon_news_watch(sources->daemon, ret_transfer);
    return SF_OK;
}
