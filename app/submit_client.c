#include <config.h>

#include "app/submit_client.h"

#include "app/home.h"
#include "app/submit_protocol.h"
#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
went_wrong(struct sf_client_error *error, int system_error)
{
    error->is_unreachable = true;
    error->system_error = system_error == EPIPE || system_error == ECONNRESET ? 0 : system_error;
    error->status = system_error == EINTR ? SF_ESTATE : SF_EIO;
    (void)snprintf(error->text, sizeof(error->text), "%s", strerror(system_error));
    return error->status;
}

static int
open_socket(const char *home_path, int *ret_fd, struct sf_client_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sf_app_error why = {0};
    struct sf_home home;
    int system_error = 0;
    int fd;

    if (sf_home_open_client(home_path, &home, &why) != SF_OK) {
        return went_wrong(error, why.status == SF_EAUTH ? EACCES : ENOENT);
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sf_home_socket(&home, SF_HOME_SUBMIT, address.sun_path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        system_error = errno;
    }
    sf_home_close(&home);
    if (system_error != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return went_wrong(error, system_error);
    }
    *ret_fd = fd;
    return SF_OK;
}

/* Send one packet with `count` descriptors; returns 0 or an errno. */
static int
send_packet(int fd, const uint8_t *message, size_t bytes, const int *files, size_t count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(SF_SUBMIT_BATCH_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        struct cmsghdr *header;

        memset(&control, 0, sizeof(control));
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
        header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), files, count * sizeof(int));
    }
    for (;;) {
        if (sendmsg(fd, &packet, MSG_NOSIGNAL) >= 0) {
            return 0;
        }
        /* Too many descriptors are on their way: the daemon has to take some first. */
        if (errno != ETOOMANYREFS) {
            return errno;
        }
        if (usleep(10000) != 0) {
            return errno;
        }
    }
}

static int
send_begin(const struct sf_submit_client *submit, int fd, uint8_t *message)
{
    const struct sf_walk *walk = submit->walk;
    struct sf_submit_begin begin = {
        .recipient_count = submit->recipient_count,
        .label = sf_view(walk->label, strlen(walk->label)),
        .file_count = (uint32_t)walk->file_count,
        .priority = submit->priority,
        .deadline_ms = submit->deadline_ms,
        .single_file = walk->single_file,
        .forget_key = submit->forget_key,
        .has_resume = submit->resume != NULL,
    };
    size_t bytes = 0;

    if (submit->recipient_count > SF_SUBMIT_RECIPIENTS_MAX) {
        return E2BIG;
    }
    for (size_t i = 0; i < submit->recipient_count; i++) {
        begin.recipients[i] = sf_view(submit->recipients[i], strlen(submit->recipients[i]));
    }
    if (submit->resume != NULL) {
        begin.resume = *submit->resume;
    }
    if (sf_submit_encode_begin(&begin, message, SF_SUBMIT_MESSAGE_BYTES_MAX, &bytes) != SF_OK) {
        return EINVAL;
    }
    return send_packet(fd, message, bytes, NULL, 0);
}

/* As many files from `first` on as one packet holds; moves *first. */
static int
send_batch(const struct sf_submit_client *submit, int fd, uint8_t *message, size_t *first)
{
    const struct sf_walk *walk = submit->walk;
    struct sf_submit_files batch = {0};
    int files[SF_SUBMIT_BATCH_FDS_MAX];
    size_t fd_count = 0;
    size_t room = SF_SUBMIT_MESSAGE_BYTES_MAX - SF_SUBMIT_FILES_HEAD_BYTES;
    size_t bytes = 0;

    while (*first < walk->file_count && batch.count < SF_SUBMIT_BATCH_FILES_MAX) {
        const struct sf_walk_file *from = &walk->files[*first];
        struct sf_submit_file file = {
            .path = sf_view(from->path, strlen(from->path)),
            .executable = from->executable,
            .mtime_s = from->mtime_s,
        };
        const struct sf_base_file *base =
            submit->bases == NULL ? NULL : sf_bases_find(submit->bases, *first);

        if (base != NULL) {
            file.has_base = true;
            file.base_mtime_s = base->mtime_s;
            file.base_sha256 = base->sha256;
        }
        if (sf_submit_file_bytes(&file) > room) {
            break;
        }
        room -= sf_submit_file_bytes(&file);
        files[fd_count++] = from->fd;
        if (base != NULL) {
            files[fd_count++] = base->fd;
        }
        batch.files[batch.count++] = file;
        (*first)++;
    }
    if (batch.count == 0 ||
        sf_submit_encode_files(&batch, message, SF_SUBMIT_MESSAGE_BYTES_MAX, &bytes) != SF_OK) {
        return EINVAL;
    }
    return send_packet(fd, message, bytes, files, fd_count);
}

static int
send_all(const struct sf_submit_client *submit, int fd, uint8_t *message)
{
    size_t first = 0;
    size_t bytes = 0;
    int failed = send_begin(submit, fd, message);

    while (failed == 0 && first < submit->walk->file_count) {
        failed = send_batch(submit, fd, message, &first);
    }
    if (failed == 0) {
        sf_assert(sf_submit_encode_end(message, SF_SUBMIT_MESSAGE_BYTES_MAX, &bytes) == SF_OK);
        failed = send_packet(fd, message, bytes, NULL, 0);
    }
    return failed;
}

/* Receive one packet, with room for `head`'s descriptors. */
static ssize_t
receive(int fd, struct msghdr *head)
{
    ssize_t bytes = recvmsg(fd, head, MSG_CMSG_CLOEXEC);

    /* The daemon hung up on packets it had not read: that is told once, before its answer. */
    return bytes < 0 && errno == ECONNRESET ? recvmsg(fd, head, MSG_CMSG_CLOEXEC) : bytes;
}

/* Not the answer hoped for: a refusal, or something that this program does not know. */
static int
take_refusal(struct sf_view message, struct sf_client_error *error)
{
    struct sf_submit_reply reply;

    if (sf_submit_decode_reply(message, &reply) != SF_OK || reply.status == SF_OK) {
        error->status = SF_EFORMAT;
        (void)snprintf(error->text, sizeof(error->text),
            "the daemon answered in a way this program does not know; are both of one version?");
        return SF_EFORMAT;
    }
    error->status = reply.status;
    (void)snprintf(error->text, sizeof(error->text), "%.*s", (int)reply.text.bytes,
        (const char *)reply.text.data);
    return reply.status;
}

static int
read_answer(
    int fd, uint8_t *message, struct sf_transfer_id *ret_transfer, struct sf_client_error *error)
{
    struct iovec part = {message, SF_SUBMIT_MESSAGE_BYTES_MAX};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    struct sf_submit_reply reply;
    ssize_t bytes = receive(fd, &head);

    if (bytes <= 0) {
        return went_wrong(error, bytes == 0 ? ECONNRESET : errno);
    }
    if (sf_submit_decode_reply(sf_view(message, (size_t)bytes), &reply) != SF_OK ||
        reply.status != SF_OK) {
        return take_refusal(sf_view(message, (size_t)bytes), error);
    }
    *ret_transfer = reply.transfer;
    return SF_OK;
}

int
sf_submit_client_do(const struct sf_submit_client *submit, struct sf_transfer_id *ret_transfer,
    struct sf_client_error *error)
{
    uint8_t *message = malloc(SF_SUBMIT_MESSAGE_BYTES_MAX);
    int failed;
    int status;
    int fd = -1;

    sf_assert(message != NULL);
    *error = (struct sf_client_error){0};
    status = open_socket(submit->home_path, &fd, error);
    if (status == SF_OK) {
        failed = send_all(submit, fd, message);
        if (failed == EINVAL || failed == E2BIG) {
            error->status = SF_EINVAL;
            (void)snprintf(error->text, sizeof(error->text),
                "these names are too long or too many to be handed to the daemon");
            status = SF_EINVAL;
        } else if (failed != 0 && failed != EPIPE && failed != ECONNRESET) {
            status = went_wrong(error, failed);
        } else {
            /* Also where the daemon hung up: it may have said why first. */
            status = read_answer(fd, message, ret_transfer, error);
        }
        (void)close(fd);
    }
    free(message);
    return status;
}

static int
read_offer(int fd, struct sf_submit_offer *ret_offer, int ret_fds[SF_SUBMIT_BASES_MAX],
    struct sf_client_error *error)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(SF_SUBMIT_BASES_MAX * sizeof(int))];
    } control;
    uint8_t message[SF_SUBMIT_TEXT_BYTES_MAX + 64];
    struct iovec part = {message, sizeof(message)};
    struct msghdr head = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control)};
    const struct cmsghdr *rights;
    ssize_t bytes = receive(fd, &head);
    size_t count = 0;

    if (bytes <= 0) {
        return went_wrong(error, bytes == 0 ? ECONNRESET : errno);
    }
    rights = CMSG_FIRSTHDR(&head);
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
        count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(ret_fds, CMSG_DATA(rights), count * sizeof(int));
    }
    if (sf_submit_decode_offer(sf_view(message, (size_t)bytes), ret_offer) == SF_OK &&
        ret_offer->count == count) {
        return SF_OK;
    }
    for (size_t i = 0; i < count; i++) {
        (void)close(ret_fds[i]);
    }
    return take_refusal(sf_view(message, (size_t)bytes), error);
}

int
sf_submit_client_ask(const char *home_path, const struct sf_submit_ask *ask,
    struct sf_submit_offer *ret_offer, int ret_fds[SF_SUBMIT_BASES_MAX],
    struct sf_client_error *error)
{
    uint8_t message[SF_SUBMIT_TEXT_BYTES_MAX];
    size_t bytes = 0;
    int status;
    int failed;
    int fd = -1;

    *error = (struct sf_client_error){0};
    if (sf_submit_encode_ask(ask, message, sizeof(message), &bytes) != SF_OK) {
        error->status = SF_EINVAL;
        (void)snprintf(error->text, sizeof(error->text), "this is no name of a peer or a file");
        return SF_EINVAL;
    }
    status = open_socket(home_path, &fd, error);
    if (status != SF_OK) {
        return status;
    }
    failed = send_packet(fd, message, bytes, NULL, 0);
    status = failed != 0 && failed != EPIPE && failed != ECONNRESET
                 ? went_wrong(error, failed)
                 : read_offer(fd, ret_offer, ret_fds, error);
    (void)close(fd);
    return status;
}
