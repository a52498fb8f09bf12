/*
 * What the daemon does to its home before it opens anything in it: who may
 * connect to the sockets, who may enter, and that secrets are secret.
 */
#include "app/daemon.h"

#include "app/unlock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEER_GROUPS_MAX = 256 };

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* --- Sockets ------------------------------------------------------------------------ */

bool
sf_daemon_is_allowed(const struct sf_daemon *daemon, int fd, uint32_t *ret_user)
{
    struct ucred caller;
    gid_t groups[PEER_GROUPS_MAX];
    socklen_t bytes = sizeof(caller);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller, &bytes) != 0) {
        return false;
    }
    *ret_user = caller.uid;
    if (caller.uid == 0 || caller.uid == geteuid() || caller.gid == daemon->group) {
        return true;
    }
    bytes = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0) {
        return false;
    }
    for (size_t i = 0; i < bytes / sizeof(groups[0]); i++) {
        if (groups[i] == daemon->group) {
            return true;
        }
    }
    return false;
}

int
sf_daemon_listen(struct sf_daemon *daemon, const struct sf_daemon_listener *listener, int *ret_fd,
    struct sf_app_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, listener->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask;
    int failed;

    sf_home_socket(&daemon->home, listener->name, address.sun_path);
    if (fd < 0) {
        return sf_app_error_set(error, SF_EIO, "cannot make a socket: %s", strerror(errno));
    }
    if (unlinkat(daemon->home.fd, listener->name, 0) != 0 && errno != ENOENT) {
        failed = errno;
        goto failed;
    }
    /* Nobody may connect before the group is right. */
    mask = umask(0177);
    failed = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    (void)umask(mask);
    if (failed != 0) {
        goto failed;
    }
    if ((daemon->config.group[0] != '\0' && fchownat(daemon->home.fd, listener->name, (uid_t)-1,
                                                daemon->group, AT_SYMLINK_NOFOLLOW) != 0) ||
        fchmodat(daemon->home.fd, listener->name, 0660, 0) != 0 ||
        listen(fd, listener->backlog) != 0) {
        failed = errno;
        goto failed;
    }
    *ret_fd = fd;
    return SF_OK;

failed:
    close(fd);
    return sf_app_error_set(error, SF_EIO, "cannot listen on %s/%s: %s", daemon->home.path,
        listener->name, strerror(failed));
}

/* --- Owners and modes ----------------------------------------------------------------- */

/* Give directory `name` of the home ("" for itself) our group and `mode`, where it has others. */
static bool
set_access(const struct sf_daemon *daemon, const char *name, mode_t mode)
{
    int fd = name[0] == '\0'
                 ? fcntl(daemon->home.fd, F_DUPFD_CLOEXEC, 0)
                 : openat(daemon->home.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    bool is_done;
    int failed;

    if (fd < 0) {
        return false;
    }
    is_done = fstat(fd, &info) == 0 &&
              (info.st_gid == daemon->group || fchown(fd, (uid_t)-1, daemon->group) == 0) &&
              ((info.st_mode & 07777) == mode || fchmod(fd, mode) == 0);
    failed = errno;
    close(fd);
    errno = failed;
    return is_done;
}

/* Nobody else may read the keys, nor the vault of the transfers' and what opens it. */
static int
check_secrets(const struct sf_daemon *daemon, struct sf_app_error *error)
{
    static const char *const names[] = {SF_HOME_KEYS, SF_HOME_MASTER, "kek", "vault"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct stat info;

        if (fstatat(daemon->home.fd, names[i], &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0)) {
            return sf_app_error_set(error, SF_EAUTH,
                "%s/%s holds a secret and may be read by others, or is no file (mode %04o): "
                "chmod 600 it; if somebody may have read it, make a new node",
                daemon->home.path, names[i], (unsigned)(info.st_mode & 07777));
        }
    }
    return SF_OK;
}

/* What is being received is the daemon's alone until it is delivered. */
static int
open_staging(const struct sf_daemon *daemon, mode_t inherit, struct sf_app_error *error)
{
    if ((mkdirat(daemon->home.fd, SF_HOME_STAGING, 0700) != 0 && errno != EEXIST) ||
        !set_access(daemon, SF_HOME_STAGING, 0700 | inherit)) {
        return sf_app_error_set(error, SF_EAUTH, "cannot close %s/%s to others: %s",
            daemon->home.path, SF_HOME_STAGING, strerror(errno));
    }
    return SF_OK;
}

/* Find the group of sockets and inbox, and let it into the home. */
static int
open_group(struct sf_daemon *daemon, struct sf_app_error *error)
{
    const struct group *entry;
    struct stat info;
    mode_t inherit;

    daemon->group = getegid();
    if (daemon->config.group[0] == '\0') {
        return open_staging(daemon, 0, error);
    }
    entry = getgrnam(daemon->config.group);
    if (entry == NULL) {
        return sf_app_error_set(error, SF_EINVAL,
            "group = %s: there is no such group: make it with `groupadd --system %s`, or remove "
            "the setting",
            daemon->config.group, daemon->config.group);
    }
    daemon->group = entry->gr_gid;
    /* Set-group-id: what is made in staging, and delivered from there, inherits the group. */
    inherit = daemon->group == getegid() ? 0 : S_ISGID;
    if (fstat(daemon->home.fd, &info) != 0 ||
        !set_access(daemon, "", (info.st_mode & 07777) | S_IXGRP) ||
        !set_access(daemon, SF_HOME_INBOX, 0750 | inherit)) {
        return sf_app_error_set(error, SF_EAUTH,
            "group = %s: cannot give home and inbox to it (%s): run as a member of the group, or "
            "remove the setting",
            daemon->config.group, strerror(errno));
    }
    return open_staging(daemon, inherit, error);
}

int
sf_daemon_home_open(struct sf_daemon *daemon, struct sf_app_error *error)
{
    int status = check_secrets(daemon, error);

    if (status == SF_OK) {
        status = sf_unlock_master(&daemon->home, &daemon->master, error);
    }
    return status == SF_OK ? open_group(daemon, error) : status;
}
