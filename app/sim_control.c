#include <config.h>

#include "app/sim_control.h"

#include "app/sim.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static const char *const heads[] = {
    [SF_SIM_CONTROL_CHANGE] = "skyferry-sim 1 change\n",
    [SF_SIM_CONTROL_REPLACE] = "skyferry-sim 1 replace\n",
    [SF_SIM_CONTROL_COUNTERS] = "skyferry-sim 1 counters\n",
};

enum {
    KINDS = sizeof(heads) / sizeof(heads[0]),
    ANSWER_SECONDS = 5,
    FOLDER_BYTES = SF_SIM_CONTROL_PATH_BYTES - 24, /* "/PID.sock" fits behind it */
};

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

/* A socket that talks to `path`; -1 with errno: ECONNREFUSED if nobody listens there. */
static int
connect_to(const char *path)
{
    struct sockaddr_un address = address_of(path);
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error;

    /* A bind without a name takes a free one, where the answer goes. */
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&own, sizeof(own.sun_family)) == 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0) {
        return fd;
    }
    error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return -1;
}

/* --- Where --- */

/* The folder for sockets nobody gave a path; made if `make`. False with errno. */
static bool
own_folder(char folder[FOLDER_BYTES], bool make)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat stat;
    int bytes;

    if (runtime != NULL && *runtime == '/') {
        bytes = snprintf(folder, FOLDER_BYTES, "%s/skyferry-sim", runtime);
    } else {
        bytes = snprintf(folder, FOLDER_BYTES, "/tmp/skyferry-sim-%u", (unsigned)geteuid());
    }
    if (bytes >= FOLDER_BYTES) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (make && mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return false;
    }
    if (lstat(folder, &stat) != 0) {
        return false;
    }
    /* /tmp is everybody's: what another user put there is not ours. */
    if (!S_ISDIR(stat.st_mode) || stat.st_uid != geteuid() || (stat.st_mode & 077) != 0) {
        errno = EPERM;
        return false;
    }
    return true;
}

size_t
sf_sim_control_find(char path[SF_SIM_CONTROL_PATH_BYTES])
{
    char folder[FOLDER_BYTES];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    if (!own_folder(folder, false)) {
        return 0;
    }
    dir = opendir(folder);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char found[SF_SIM_CONTROL_PATH_BYTES];
        int fd;

        if (strstr(entry->d_name, ".sock") == NULL || strlen(entry->d_name) > 16) {
            continue;
        }
        snprintf(found, sizeof(found), "%s/%.16s", folder, entry->d_name);
        fd = connect_to(found);
        if (fd < 0) {
            if (errno == ECONNREFUSED) {
                (void)unlink(found); /* it died without clearing up */
            }
            continue;
        }
        close(fd);
        count++;
        if (count == 2) {
            (void)sf_sim_say(0, "running: --control %s", path);
        }
        if (count >= 2) {
            (void)sf_sim_say(0, "running: --control %s", found);
        }
        snprintf(path, SF_SIM_CONTROL_PATH_BYTES, "%s", found);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

/* --- The link's side --- */

int
sf_sim_control_open(char path[SF_SIM_CONTROL_PATH_BYTES])
{
    struct sockaddr_un address;
    const int one = 1;
    int error;
    int fd;

    if (*path == '\0') {
        char folder[FOLDER_BYTES];

        if (!own_folder(folder, true)) {
            return -1;
        }
        snprintf(path, SF_SIM_CONTROL_PATH_BYTES, "%s/%ld.sock", folder, (long)getpid());
    }
    fd = connect_to(path);
    if (fd >= 0) {
        close(fd);
        errno = EADDRINUSE;
        return -1;
    }
    if (errno == ECONNREFUSED) {
        (void)unlink(path);
    }
    address = address_of(path);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        chmod(path, 0600) == 0) {
        return fd;
    }
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

void
sf_sim_control_close(int fd, const char *path)
{
    if (fd >= 0) {
        close(fd);
        (void)unlink(path);
    }
}

/* Whether the sender of a message may command us. */
static bool
is_allowed(struct msghdr *message)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        struct ucred sender;

        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&sender, CMSG_DATA(control), sizeof(sender));
            return sender.uid == 0 || sender.uid == geteuid();
        }
    }
    return false;
}

bool
sf_sim_control_receive(int fd, struct sf_sim_control_request *ret_request)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec part = {ret_request->buffer, SF_SIM_CONTROL_TEXT_BYTES};
    struct msghdr message = {.msg_name = &ret_request->from,
        .msg_namelen = sizeof(ret_request->from),
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control)};
    ssize_t bytes = recvmsg(fd, &message, MSG_DONTWAIT);

    if (bytes < 0) {
        return false;
    }
    ret_request->from_bytes = message.msg_namelen;
    ret_request->buffer[bytes] = '\0';
    if (!is_allowed(&message)) {
        sf_sim_control_answer(fd, ret_request, false, "not permitted: it is another user's link");
        return false;
    }
    for (int kind = 0; kind < KINDS && (message.msg_flags & MSG_TRUNC) == 0; kind++) {
        size_t head = strlen(heads[kind]);

        if ((size_t)bytes >= head && memcmp(ret_request->buffer, heads[kind], head) == 0) {
            ret_request->kind = (enum sf_sim_control_kind)kind;
            ret_request->text = sf_view(ret_request->buffer + head, (size_t)bytes - head);
            return true;
        }
    }
    sf_sim_control_answer(
        fd, ret_request, false, "no request of this version: give change, replace or counters");
    return false;
}

void
sf_sim_control_answer(
    int fd, const struct sf_sim_control_request *request, bool is_good, const char *text)
{
    char head[] = "error\n";
    struct iovec parts[2] = {{head, strlen(head)}, {(void *)(uintptr_t)text, strlen(text)}};
    struct msghdr message = {.msg_name = (void *)(uintptr_t)&request->from,
        .msg_namelen = request->from_bytes,
        .msg_iov = parts,
        .msg_iovlen = 2};

    if (is_good) {
        memcpy(head, "ok\n", 4);
        parts[0].iov_len = 3;
    }
    /* Who does not wait for the answer goes without. */
    (void)sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- The asking side --- */

int
sf_sim_control_ask(const char *path, enum sf_sim_control_kind kind, const char *text,
    char answer[SF_SIM_CONTROL_TEXT_BYTES + 1])
{
    struct iovec parts[2] = {{(void *)(uintptr_t)heads[kind], strlen(heads[kind])},
        {(void *)(uintptr_t)text, strlen(text)}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t bytes = -1;
    int error;
    int fd = connect_to(path);

    if (fd < 0) {
        return -1;
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0) {
        bytes = recv(fd, answer, SF_SIM_CONTROL_TEXT_BYTES, 0);
    }
    error = errno;
    close(fd);
    if (bytes < 0) {
        errno = error;
        return -1;
    }
    answer[bytes] = '\0';
    if (strncmp(answer, "ok\n", 3) == 0) {
        memmove(answer, answer + 3, (size_t)bytes - 2);
        return 1;
    }
    if (strncmp(answer, "error\n", 6) == 0) {
        memmove(answer, answer + 6, (size_t)bytes - 5);
        return 0;
    }
    errno = EPROTO;
    return -1;
}
