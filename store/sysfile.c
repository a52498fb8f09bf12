#include "config.h"

#include "store/sysfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_RETRIES = 16 };

static const uint64_t RESOLVE_INSIDE =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

int
sf_sys_status(int system_errno)
{
    switch (system_errno) {
    case 0:
        return SF_OK;
    case ENOENT:
    case ENOTDIR:
        return SF_ENOENT;
    case EEXIST:
    case ENOTEMPTY:
        return SF_EEXIST;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SF_ENOSPC;
    case EMFILE:
    case ENFILE:
    case ERANGE:
        return SF_ELIMIT;
    case ENOMEM:
        return SF_ENOMEM;
    case EACCES:
    case EBADF:
    case EBUSY:
    case EINVAL:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
    case EOPNOTSUPP:
    case EPERM:
    case EXDEV:
        return SF_EINVAL;
    default:
        return SF_EIO;
    }
}

void
sf_sys_answer(struct sf_disk_op *op, int system_errno)
{
    op->status = sf_sys_status(system_errno);
    op->system_errno = system_errno;
}

void
sf_sys_reset(struct sf_disk_op *op)
{
    op->status = SF_OK;
    op->system_errno = 0;
    op->ret_bytes = 0;
    op->ret_file = SF_DISK_NO_FILE;
    memset(&op->ret_stat, 0, sizeof(op->ret_stat));
}

/* --- Paths --- */

int
sf_sys_open_root(const char *root, int *ret_fd)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    *ret_fd = fd;
    return 0;
}

int
sf_sys_open_at(int root_fd, const char *path, const struct open_how *how, int *ret_fd)
{
    /* RESOLVE_BENEATH answers EAGAIN when a rename ran beside it: harmless, try again. */
    for (int i = 0; i < OPEN_RETRIES; i++) {
        long fd = syscall(SYS_openat2, root_fd, path, how, sizeof(*how));

        if (fd >= 0) {
            *ret_fd = (int)fd;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return errno;
        }
    }
    return EAGAIN;
}

struct open_how
sf_sys_open_how(uint32_t flags)
{
    /* O_NONBLOCK: something else than a file (a pipe) must not keep us waiting. */
    struct open_how how = {.flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK, .resolve = RESOLVE_INSIDE};

    how.flags |= (flags & SF_DISK_RDWR) != 0 ? O_RDWR : O_RDONLY;
    if ((flags & SF_DISK_CREATE) != 0) {
        how.flags |= O_CREAT;
        how.mode = sf_sys_mode(SF_DISK_OPEN, flags);
        if ((flags & SF_DISK_EXCLUSIVE) != 0) {
            how.flags |= O_EXCL;
        }
    }
    return how;
}

struct open_how
sf_sys_directory_how(void)
{
    return (struct open_how){
        .flags = O_CLOEXEC | O_DIRECTORY | O_RDONLY, .resolve = RESOLVE_INSIDE};
}

struct open_how
sf_sys_path_how(void)
{
    /* With O_NOFOLLOW a link at the end is opened itself, and shows as neither file nor directory. */
    return (struct open_how){.flags = O_CLOEXEC | O_PATH | O_NOFOLLOW, .resolve = RESOLVE_INSIDE};
}

int
sf_sys_open_parent(int root_fd, const char *path, int *ret_fd, const char **ret_name)
{
    char parent[SF_DISK_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    struct open_how how = sf_sys_path_how();
    size_t bytes;

    if (slash == NULL) {
        *ret_fd = root_fd;
        *ret_name = path;
        return 0;
    }
    bytes = (size_t)(slash - path);
    memcpy(parent, path, bytes);
    parent[bytes] = '\0';
    how.flags = O_CLOEXEC | O_PATH | O_DIRECTORY; /* a link here is refused as one */
    *ret_name = slash + 1;
    return sf_sys_open_at(root_fd, parent, &how, ret_fd);
}

void
sf_sys_close_parent(int root_fd, int fd)
{
    if (fd >= 0 && fd != root_fd) {
        close(fd);
    }
}

unsigned int
sf_sys_mode(enum sf_disk_kind kind, uint32_t flags)
{
    bool shared = (flags & SF_DISK_SHARED) != 0;

    if (kind == SF_DISK_MKDIR) {
        return shared ? 0750 : 0700;
    }
    return shared ? 0640 : 0600;
}

/* --- Questions --- */

int
sf_sys_stat(int fd, struct sf_disk_stat *ret_stat)
{
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return errno;
    }
    *ret_stat = (struct sf_disk_stat){
        .bytes = (uint64_t)info.st_size,
        .inode = info.st_ino,
        .mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec,
        .ctime_ns = (int64_t)info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec,
        .is_directory = S_ISDIR(info.st_mode),
        .is_regular = S_ISREG(info.st_mode),
    };
    return 0;
}

int
sf_sys_stat_path(int root_fd, const char *path, struct sf_disk_stat *ret_stat)
{
    struct open_how how = sf_sys_path_how();
    int fd;
    int error = sf_sys_open_at(root_fd, path, &how, &fd);

    if (error == 0) {
        error = sf_sys_stat(fd, ret_stat);
        close(fd);
    }
    return error;
}

int
sf_sys_list(int root_fd, struct sf_disk_op *op)
{
    struct open_how how = sf_sys_directory_how();
    struct dirent *entry;
    DIR *directory;
    size_t used = 0;
    int fd = -1;
    int error = sf_sys_open_at(root_fd, op->path, &how, &fd);

    if (error != 0) {
        return error;
    }
    directory = fdopendir(fd);
    if (directory == NULL) {
        error = errno;
        close(fd);
        return error;
    }
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        size_t bytes = strlen(entry->d_name) + 1;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (bytes > op->bytes - used) {
            errno = ERANGE;
            break;
        }
        memcpy(op->data + used, entry->d_name, bytes);
        used += bytes;
    }
    error = errno;
    closedir(directory);
    if (error == 0) {
        op->ret_bytes = used;
    }
    return error;
}

int
sf_sys_space(int root_fd, struct sf_disk_stat *ret_stat)
{
    struct statvfs info;

    if (fstatvfs(root_fd, &info) != 0) {
        return errno;
    }
    if (__builtin_mul_overflow(
            (uint64_t)info.f_bavail, (uint64_t)info.f_frsize, &ret_stat->free_bytes)) {
        ret_stat->free_bytes = UINT64_MAX;
    }
    return 0;
}

int
sf_sys_attributes(int fd, const struct sf_disk_op *op)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct stat stat;
    mode_t mode;

    times[1].tv_sec = (time_t)(op->mtime_ns / 1000000000);
    times[1].tv_nsec = (long)(op->mtime_ns % 1000000000);
    if (times[1].tv_nsec < 0) {
        times[1].tv_sec--;
        times[1].tv_nsec += 1000000000;
    }
    if (fstat(fd, &stat) != 0) {
        return errno;
    }
    mode = stat.st_mode & 0666;
    if ((op->flags & SF_DISK_EXECUTABLE) != 0) {
        mode |= (mode & 0444) >> 2;
    }
    return fchmod(fd, mode) == 0 && futimens(fd, times) == 0 ? 0 : errno;
}

/* --- Open files --- */

/* Whether reads and writes aligned to SF_DISK_ALIGN may bypass the page cache of `fd`. */
static bool
takes_direct(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx info;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
        (info.stx_mask & STATX_DIOALIGN) != 0) {
        return info.stx_dio_offset_align != 0 && info.stx_dio_offset_align <= SF_DISK_ALIGN &&
               info.stx_dio_mem_align <= SF_DISK_ALIGN;
    }
#endif
    (void)fd;
    return true; /* not said: the kernel will refuse if not */
}

/* Have `fd` block, and go past the page cache if that is wanted and possible: whether it does. */
static bool
set_flags(int fd, bool direct)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0) {
        return false;
    }
    flags &= ~(O_NONBLOCK | O_DIRECT);
    if (direct && takes_direct(fd) && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0) {
        return true;
    }
    (void)fcntl(fd, F_SETFL, flags);
    return false;
}

static int
find_free(struct sf_sys_files *files, size_t *ret_at)
{
    struct sf_sys_file *table;
    size_t at = 0;

    while (at < files->count && files->table[at].fd >= 0) {
        at++;
    }
    if (at == files->count) {
        size_t count = files->count == 0 ? 16 : files->count * 2;

        if (files->count >= SF_SYS_FILES_MAX) {
            return EMFILE;
        }
        table = realloc(files->table, count * sizeof(*table));
        if (table == NULL) {
            return ENOMEM;
        }
        for (size_t i = files->count; i < count; i++) {
            table[i].fd = -1;
        }
        files->table = table;
        files->count = count;
    }
    *ret_at = at;
    return 0;
}

int
sf_sys_files_add(struct sf_sys_files *files, int fd, uint32_t flags, int *ret_file,
    struct sf_disk_stat *ret_stat)
{
    struct sf_sys_file file = {.fd = fd, .writable = (flags & SF_DISK_RDWR) != 0};
    struct sf_disk_stat stat = {.bytes = 0};
    size_t at;
    int error = sf_sys_stat(fd, &stat);

    if (error == 0 && !stat.is_regular) {
        error = stat.is_directory ? EISDIR : EINVAL;
    }
    if (error == 0) {
        error = find_free(files, &at);
    }
    if (error != 0) {
        return error;
    }
    file.direct = (flags & SF_DISK_DIRECT) != 0;
    file.drop_on_read = !set_flags(fd, file.direct) && file.direct;
    files->table[at] = file;
    *ret_file = (int)at;
    *ret_stat = stat;
    return 0;
}

int
sf_sys_files_adopt(struct sf_sys_files *files, int fd, int *ret_file)
{
    struct sf_disk_stat stat;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) != 0) {
        return EINVAL;
    }
    return sf_sys_files_add(files, fd, 0, ret_file, &stat);
}

struct sf_sys_file *
sf_sys_files_get(struct sf_sys_files *files, int file)
{
    if (file < 0 || (size_t)file >= files->count || files->table[file].fd < 0) {
        return NULL;
    }
    return &files->table[file];
}

bool
sf_sys_read_hole(int fd, struct sf_disk_op *op)
{
    struct stat info;
    off_t data;

    if (op->kind != SF_DISK_READ || (op->flags & SF_DISK_SPARSE) == 0 || op->bytes == 0) {
        return false;
    }
    data = lseek(fd, (off_t)op->offset, SEEK_DATA);
    if (data >= 0 && (uint64_t)data < op->offset + op->bytes) {
        return false;
    }
    /* Behind the last data there may be less than is asked for. */
    if ((data < 0 && errno != ENXIO) || fstat(fd, &info) != 0 ||
        (uint64_t)info.st_size < op->offset + op->bytes) {
        return false;
    }
    memset(op->data, 0, op->bytes);
    op->ret_bytes = op->bytes;
    return true;
}

int
sf_sys_read_flags(const struct sf_sys_file *file, const struct sf_disk_op *op)
{
    return (op->flags & SF_DISK_ONCE) != 0 && !file->keeps_cache ? RWF_DONTCACHE : 0;
}

int
sf_sys_allocate_mode(const struct sf_disk_op *op)
{
    if (op->kind == SF_DISK_PUNCH) {
        return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    }
    return (op->flags & SF_DISK_KEEP_SIZE) != 0 ? FALLOC_FL_KEEP_SIZE : 0;
}

static bool
takes_file(const struct sf_disk_op *op)
{
    switch (op->kind) {
    case SF_DISK_CLOSE:
    case SF_DISK_READ:
    case SF_DISK_WRITE:
    case SF_DISK_SYNC:
    case SF_DISK_ALLOCATE:
    case SF_DISK_PUNCH:
    case SF_DISK_TRUNCATE:
    case SF_DISK_ATTRIBUTES:
        return true;
    case SF_DISK_STAT:
        return op->path == NULL;
    default:
        return false;
    }
}

int
sf_sys_files_check(struct sf_sys_files *files, const struct sf_disk_op *op)
{
    const struct sf_sys_file *file;
    bool writes = op->kind == SF_DISK_WRITE || op->kind == SF_DISK_ALLOCATE ||
                  op->kind == SF_DISK_PUNCH || op->kind == SF_DISK_TRUNCATE ||
                  op->kind == SF_DISK_ATTRIBUTES;

    if (!takes_file(op)) {
        return sf_disk_op_check(op, false);
    }
    file = sf_sys_files_get(files, op->file);
    if (file == NULL || (writes && !file->writable)) {
        return SF_EINVAL;
    }
    return sf_disk_op_check(op, file->direct);
}

void
sf_sys_files_fini(struct sf_sys_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->table[i].fd >= 0) {
            close(files->table[i].fd);
        }
    }
    free(files->table);
    files->table = NULL;
    files->count = 0;
}

void
sf_sys_drop_cache(int fd, uint64_t offset, size_t bytes)
{
    (void)posix_fadvise(fd, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
}

void
sf_sys_synced(int fd, const struct sf_disk_op *op)
{
    int kept = errno;

    if ((op->flags & SF_DISK_ONCE) != 0) {
        sf_sys_drop_cache(fd, 0, 0); /* to the end */
    }
    errno = kept;
}
