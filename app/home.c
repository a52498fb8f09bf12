#include "app/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 255 };

#define SYSTEM_HOME "/var/lib/skyferry"

/* The status that tells the caller what to do about `system_errno`. */
static int
status_of(int system_errno)
{
    switch (system_errno) {
    case ENOENT:
        return SF_ENOENT;
    case EEXIST:
        return SF_EEXIST;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EROFS:
        return SF_EAUTH;
    case ENOSPC:
    case EDQUOT:
        return SF_ENOSPC;
    case ENOMEM:
        return SF_ENOMEM;
    default:
        return SF_EIO;
    }
}

/* --- Where it is -------------------------------------------------------------- */

static int
join(char *out, const char *before, const char *after, struct sf_app_error *error)
{
    int bytes = snprintf(out, SF_HOME_PATH_BYTES_MAX + 1, "%s/%s", before, after);

    if (bytes < 0 || bytes > SF_HOME_PATH_BYTES_MAX) {
        return sf_app_error_set(error, SF_EINVAL, "the path of the home is longer than %d bytes",
            SF_HOME_PATH_BYTES_MAX);
    }
    return SF_OK;
}

static int
make_absolute(const char *path, char *out, struct sf_app_error *error)
{
    char current[SF_HOME_PATH_BYTES_MAX + 1];
    size_t bytes;
    int status;

    if (*path == '/') {
        status = join(out, "", path + 1, error);
    } else if (getcwd(current, sizeof(current)) == NULL) {
        return sf_app_error_set(error, SF_EINVAL,
            "home %s: the current directory has no usable path (%s): give an absolute path", path,
            strerror(errno));
    } else {
        status = join(out, current, path, error);
    }
    if (status != SF_OK) {
        return status;
    }
    for (bytes = strlen(out); bytes > 1 && out[bytes - 1] == '/'; bytes--) {
        out[bytes - 1] = '\0';
    }
    return SF_OK;
}

int
sf_home_locate(
    const char *option, char ret_path[SF_HOME_PATH_BYTES_MAX + 1], struct sf_app_error *error)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *user = getenv("HOME");
    const char *path = option != NULL ? option : getenv("SKYFERRY_HOME");
    char joined[SF_HOME_PATH_BYTES_MAX + 1];
    int status;

    if (path != NULL) {
        if (*path == '\0') {
            return sf_app_error_set(error, SF_EINVAL, "%s is empty: give a directory",
                option != NULL ? "--home" : "SKYFERRY_HOME");
        }
        return make_absolute(path, ret_path, error);
    }
    if (geteuid() == 0) {
        return make_absolute(SYSTEM_HOME, ret_path, error);
    }
    /* The XDG rules: a relative path in the variable is to be ignored. */
    if (state != NULL && *state == '/') {
        status = join(joined, state, "skyferry", error);
    } else if (user != NULL && *user == '/') {
        status = join(joined, user, ".local/state/skyferry", error);
    } else {
        return sf_app_error_set(error, SF_EINVAL,
            "cannot tell where the home is: set SKYFERRY_HOME, or use --home DIR");
    }
    return status == SF_OK ? make_absolute(joined, ret_path, error) : status;
}

/* --- Opening ------------------------------------------------------------------ */

static int
open_directory(const char *path, int flags, struct sf_home *home, struct sf_app_error *error)
{
    home->fd = -1;
    if (strlen(path) > SF_HOME_PATH_BYTES_MAX) {
        return sf_app_error_set(error, SF_EINVAL, "the path of the home is longer than %d bytes",
            SF_HOME_PATH_BYTES_MAX);
    }
    home->lock_fd = -1;
    memcpy(home->path, path, strlen(path) + 1);
    home->fd = open(path, flags | O_DIRECTORY | O_CLOEXEC);
    if (home->fd >= 0) {
        return SF_OK;
    }
    if (errno == ENOENT) {
        return sf_app_error_set(error, SF_ENOENT,
            "there is no node at %s: run `skyferry init`, or name another with --home", path);
    }
    return sf_app_error_set(
        error, status_of(errno), "cannot open the home %s: %s", path, strerror(errno));
}

static int
check_owner(const struct sf_home *home, struct sf_app_error *error)
{
    struct stat info;

    if (fstat(home->fd, &info) != 0) {
        return sf_app_error_set(
            error, SF_EIO, "cannot look at the home %s: %s", home->path, strerror(errno));
    }
    if (info.st_uid != geteuid() && geteuid() != 0) {
        return sf_app_error_set(error, SF_EAUTH,
            "the home %s belongs to user %u, and this is user %u: run as its owner", home->path,
            (unsigned)info.st_uid, (unsigned)geteuid());
    }
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return sf_app_error_set(error, SF_EAUTH,
            "the home %s may be written by others (mode %04o): chmod go-w it", home->path,
            (unsigned)(info.st_mode & 07777));
    }
    return SF_OK;
}

int
sf_home_open(const char *path, struct sf_home *ret_home, struct sf_app_error *error)
{
    struct sf_home home;
    int status = open_directory(path, O_RDONLY, &home, error);

    if (status != SF_OK) {
        return status;
    }
    status = check_owner(&home, error);
    if (status != SF_OK) {
        close(home.fd);
        return status;
    }
    *ret_home = home;
    return SF_OK;
}

int
sf_home_open_client(const char *path, struct sf_home *ret_home, struct sf_app_error *error)
{
    struct sf_home home;
    int status = open_directory(path, O_PATH, &home, error);

    if (status == SF_OK) {
        *ret_home = home;
    }
    return status;
}

/* Every missing directory above `path`. */
static int
make_parents(const char *path, struct sf_app_error *error)
{
    char parent[SF_HOME_PATH_BYTES_MAX + 1];

    memcpy(parent, path, strlen(path) + 1);
    for (char *slash = strchr(parent + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(parent, 0755) != 0 && errno != EEXIST) {
            return sf_app_error_set(error,
                status_of(errno) == SF_ENOENT ? SF_EIO : status_of(errno),
                "cannot make the directory %s: %s", parent, strerror(errno));
        }
        *slash = '/';
    }
    return SF_OK;
}

/* Directory `name` of the home, or the home itself if NULL; it may exist. */
static int
make_directory(int at, const char *path, mode_t mode, struct sf_app_error *error)
{
    if (mkdirat(at, path, mode) != 0 && errno != EEXIST) {
        return sf_app_error_set(
            error, status_of(errno), "cannot make the directory %s: %s", path, strerror(errno));
    }
    return SF_OK;
}

int
sf_home_create(const char *path, struct sf_home *ret_home, struct sf_app_error *error)
{
    struct sf_home home;
    int status;

    if (strlen(path) > SF_HOME_PATH_BYTES_MAX) {
        return sf_app_error_set(error, SF_EINVAL, "the path of the home is longer than %d bytes",
            SF_HOME_PATH_BYTES_MAX);
    }
    status = make_parents(path, error);
    if (status == SF_OK) {
        status = make_directory(AT_FDCWD, path, 0700, error);
    }
    if (status == SF_OK) {
        status = sf_home_open(path, &home, error);
    }
    if (status != SF_OK) {
        return status;
    }
    status = make_directory(home.fd, SF_HOME_PEERS, 0700, error);
    if (status == SF_OK) {
        status = make_directory(home.fd, SF_HOME_INBOX, 0750, error);
    }
    if (status == SF_OK && fsync(home.fd) != 0) {
        status =
            sf_app_error_set(error, SF_EIO, "cannot sync the home %s: %s", path, strerror(errno));
    }
    if (status != SF_OK) {
        sf_home_close(&home);
        return status;
    }
    *ret_home = home;
    return SF_OK;
}

void
sf_home_close(struct sf_home *home)
{
    if (home->lock_fd >= 0) {
        close(home->lock_fd);
    }
    if (home->fd >= 0) {
        close(home->fd);
    }
    home->lock_fd = -1;
    home->fd = -1;
}

int
sf_home_lock(struct sf_home *home, struct sf_app_error *error)
{
    int fd = openat(home->fd, SF_HOME_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int status;

    if (fd < 0) {
        return sf_app_error_set(error, status_of(errno), "cannot open %s/%s: %s", home->path,
            SF_HOME_LOCK, strerror(errno));
    }
    /* flock, not fcntl: it belongs to the open file and is not lost by closing another. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        home->lock_fd = fd;
        return SF_OK;
    }
    if (errno == EWOULDBLOCK) {
        status = sf_app_error_set(error, SF_ESTATE,
            "the home %s is in use by another process: only one skyferryd may run on it",
            home->path);
    } else {
        status = sf_app_error_set(
            error, SF_EIO, "cannot lock %s/%s: %s", home->path, SF_HOME_LOCK, strerror(errno));
    }
    close(fd);
    return status;
}

/* --- Files -------------------------------------------------------------------- */

/* Open file `name` for reading, refusing what is not a plain file of ours. */
static int
open_plain(const struct sf_home *home, const struct sf_home_read *read, int *ret_fd,
    struct sf_app_error *error)
{
    struct stat info;
    /* O_NONBLOCK: a named pipe must not hang us before we see what it is. */
    int fd = openat(home->fd, read->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return sf_app_error_set(error, status_of(errno), "cannot read %s/%s: %s", home->path,
            read->name, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return sf_app_error_set(
            error, SF_EAUTH, "%s/%s is not a regular file", home->path, read->name);
    }
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !read->is_secret) {
        close(fd);
        return sf_app_error_set(error, SF_EAUTH,
            "%s/%s may be written by others (mode %04o): chmod go-w it", home->path, read->name,
            (unsigned)(info.st_mode & 07777));
    }
    if (read->is_secret && (info.st_mode & 077) != 0) {
        close(fd);
        return sf_app_error_set(error, SF_EAUTH,
            "%s/%s holds a secret and may be read by others (mode %04o): chmod 600 it", home->path,
            read->name, (unsigned)(info.st_mode & 07777));
    }
    *ret_fd = fd;
    return SF_OK;
}

int
sf_home_read_file(const struct sf_home *home, const struct sf_home_read *read_, size_t *ret_bytes,
    struct sf_app_error *error)
{
    size_t done = 0;
    char extra = 0;
    int fd = -1;
    int status = open_plain(home, read_, &fd, error);

    if (status != SF_OK) {
        return status;
    }
    for (;;) {
        bool is_full = done == read_->bytes_max;
        void *to = is_full ? &extra : (char *)read_->out + done;
        ssize_t got = read(fd, to, is_full ? 1 : read_->bytes_max - done);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = sf_app_error_set(
                error, SF_EIO, "cannot read %s/%s: %s", home->path, read_->name, strerror(errno));
        } else if (got > 0 && is_full) {
            status = sf_app_error_set(error, SF_ELIMIT, "%s/%s is longer than %zu bytes",
                home->path, read_->name, read_->bytes_max);
        }
        if (got <= 0 || status != SF_OK) {
            break;
        }
        done += (size_t)got;
    }
    close(fd);
    if (status == SF_OK) {
        *ret_bytes = done;
    }
    return status;
}

/* The directory of `name` and the name in it. */
static int
open_parent(const struct sf_home *home, const char *name, int *ret_fd, const char **ret_base)
{
    const char *slash = strrchr(name, '/');
    char parent[NAME_BYTES_MAX + 1];

    if (slash == NULL) {
        *ret_fd = fcntl(home->fd, F_DUPFD_CLOEXEC, 0);
        *ret_base = name;
    } else if (slash - name > NAME_BYTES_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    } else {
        memcpy(parent, name, (size_t)(slash - name));
        parent[slash - name] = '\0';
        *ret_fd = openat(home->fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        *ret_base = slash + 1;
    }
    return *ret_fd < 0 ? -1 : 0;
}

static int
write_all(int fd, struct sf_view content)
{
    size_t done = 0;

    while (done < content.bytes) {
        ssize_t put = write(fd, content.data + done, content.bytes - done);

        if (put < 0 && errno != EINTR) {
            return -1;
        }
        done += put < 0 ? 0 : (size_t)put;
    }
    return 0;
}

/* Make `temporary` in `folder` with the content, synced. Returns -1 and errno on failure. */
static int
write_temporary(int folder, const char *temporary, struct sf_view content)
{
    int fd;
    int failed;

    (void)unlinkat(folder, temporary, 0); /* left by a crash */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    failed = write_all(fd, content) != 0 || fsync(fd) != 0 ? errno : 0;
    if (close(fd) != 0 && failed == 0) {
        failed = errno;
    }
    if (failed != 0) {
        (void)unlinkat(folder, temporary, 0);
        errno = failed;
        return -1;
    }
    return 0;
}

int
sf_home_write_file(
    const struct sf_home *home, const struct sf_home_write *write_, struct sf_app_error *error)
{
    char temporary[NAME_BYTES_MAX + 1];
    const char *base;
    int folder;
    int failed = 0;

    if (open_parent(home, write_->name, &folder, &base) != 0) {
        return sf_app_error_set(error, status_of(errno), "cannot write %s/%s: %s", home->path,
            write_->name, strerror(errno));
    }
    if (snprintf(temporary, sizeof(temporary), ".%s.new", base) >= (int)sizeof(temporary)) {
        failed = ENAMETOOLONG;
    } else if (write_temporary(folder, temporary, write_->content) != 0) {
        failed = errno;
    } else if (renameat2(folder, temporary, folder, base, write_->is_new ? RENAME_NOREPLACE : 0) !=
               0) {
        failed = errno;
        (void)unlinkat(folder, temporary, 0);
    } else if (fsync(folder) != 0) {
        failed = errno;
    }
    close(folder);
    if (failed != 0) {
        return sf_app_error_set(error, status_of(failed), "cannot write %s/%s: %s", home->path,
            write_->name, strerror(failed));
    }
    return SF_OK;
}

/* Zeros over all of file `base`, on the medium as far as the file system goes. */
static int
overwrite(int folder, const char *base)
{
    static const uint8_t zeros[4096];
    int fd = openat(folder, base, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    int failed = 0;

    if (fd < 0) {
        return errno;
    }
    if (fstat(fd, &info) != 0) {
        failed = errno;
    }
    for (off_t at = 0; failed == 0 && at < info.st_size;) {
        size_t left = (size_t)(info.st_size - at);
        ssize_t done = pwrite(fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros), at);

        if (done > 0) {
            at += done;
        } else if (errno != EINTR) {
            failed = errno;
        }
    }
    if (failed == 0 && fsync(fd) != 0) {
        failed = errno;
    }
    close(fd);
    return failed;
}

int
sf_home_shred_file(const struct sf_home *home, const char *name, struct sf_app_error *error)
{
    const char *base;
    int folder;
    int failed;

    if (open_parent(home, name, &folder, &base) != 0) {
        return sf_app_error_set(
            error, status_of(errno), "cannot remove %s/%s: %s", home->path, name, strerror(errno));
    }
    failed = overwrite(folder, base);
    close(folder);
    if (failed != 0) {
        return sf_app_error_set(error, status_of(failed), "cannot overwrite %s/%s: %s", home->path,
            name, strerror(failed));
    }
    return sf_home_remove_file(home, name, error);
}

int
sf_home_remove_file(const struct sf_home *home, const char *name, struct sf_app_error *error)
{
    const char *base;
    int folder;
    int failed = 0;

    if (open_parent(home, name, &folder, &base) != 0) {
        return sf_app_error_set(
            error, status_of(errno), "cannot remove %s/%s: %s", home->path, name, strerror(errno));
    }
    if (unlinkat(folder, base, 0) != 0 || fsync(folder) != 0) {
        failed = errno;
    }
    close(folder);
    if (failed != 0) {
        return sf_app_error_set(error, status_of(failed), "cannot remove %s/%s: %s", home->path,
            name, strerror(failed));
    }
    return SF_OK;
}

void
sf_home_socket(const struct sf_home *home, const char *name,
    char ret_path[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
    const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
    int bytes = snprintf(ret_path, room, "%s/%s", home->path, name);

    if (bytes < 0 || (size_t)bytes >= room) {
        (void)snprintf(ret_path, room, "/proc/self/fd/%d/%s", home->fd, name);
    }
}
