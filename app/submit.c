#include "app/submit.h"

#include "app/keeper.h"
#include "app/sources.h"
#include "app/submit_protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 64,
    MESSAGES_PER_TURN = 64, /* of one caller, before others get their turn */
    OFFER_BYTES_MAX = 64 + SF_SUBMIT_BASES_MAX * 48,
    CONTROL_BYTES = CMSG_SPACE(sizeof(int) * SF_SUBMIT_BATCH_FDS_MAX),
};

/* Who is handing over files. */
struct caller {
    struct sf_daemon_source source; /* first: what epoll gives us back is the caller */
    struct sf_submit *submit;
    struct caller *next;
    uint32_t user;
    sf_mono heard;
    bool has_begun;
    uint8_t *begin_message; /* begin's views point into it */
    struct sf_submit_begin begin;
    struct sf_sources sources;
    struct sf_keeper_order order; /* which of them are to be kept */
    uint64_t bytes;               /* of all of them */
};

struct sf_submit {
    struct sf_daemon *daemon;
    struct sf_daemon_source source;
    struct caller *callers;
    size_t caller_count;
    uint8_t message[SF_SUBMIT_MESSAGE_BYTES_MAX + 1]; /* one more, to see what is too long */
};

/* --- Answers ------------------------------------------------------------------------- */

static void
let_go(struct caller *caller)
{
    struct sf_submit *submit = caller->submit;

    for (struct caller **at = &submit->callers; *at != NULL; at = &(*at)->next) {
        if (*at == caller) {
            *at = caller->next;
            break;
        }
    }
    submit->caller_count--;
    sf_daemon_unwatch(submit->daemon, &caller->source);
    close(caller->source.fd);
    sf_sources_fini(&caller->sources);
    sf_keeper_drop(&caller->order);
    free(caller->begin_message);
    free(caller);
}

/*
 * Take what the caller has sent and nobody will look at: closing a socket with
 * messages in it would give the caller an error in front of the answer.
 * Descriptors in them are closed by the kernel, for want of room to receive them.
 */
static void
discard_rest(const struct caller *caller)
{
    char byte;

    if (shutdown(caller->source.fd, SHUT_RD) != 0) {
        return;
    }
    while (recv(caller->source.fd, &byte, sizeof(byte), MSG_DONTWAIT) > 0) {
    }
}

/* The one answer, and the end. A caller that does not read it has gone. */
static void
reply_and_let_go(struct caller *caller, const struct sf_submit_reply *reply)
{
    uint8_t message[SF_SUBMIT_TEXT_BYTES_MAX + 64];
    size_t bytes;

    if (sf_submit_encode_reply(reply, message, sizeof(message), &bytes) == SF_OK) {
        ssize_t sent = send(caller->source.fd, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

        (void)sent;
    }
    discard_rest(caller);
    let_go(caller);
}

/* The other answer: copies that were kept, which the caller gets open for reading. */
static void
offer_and_let_go(struct caller *caller, const struct sf_submit_offer *offer, const int *fds)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * SF_SUBMIT_BASES_MAX)] = {0};
    uint8_t message[OFFER_BYTES_MAX];
    struct iovec part = {message, 0};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};

    if (offer->count > 0) {
        struct cmsghdr *rights = (struct cmsghdr *)(void *)control;

        head.msg_control = control;
        head.msg_controllen = CMSG_SPACE(offer->count * sizeof(int));
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(offer->count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, offer->count * sizeof(int));
    }
    if (sf_submit_encode_offer(offer, message, sizeof(message), &part.iov_len) == SF_OK) {
        ssize_t sent = sendmsg(caller->source.fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);

        (void)sent;
    }
    for (size_t i = 0; i < offer->count; i++) {
        close(fds[i]);
    }
    discard_rest(caller);
    let_go(caller);
}

static void
refuse(struct caller *caller, const struct sf_app_error *error)
{
    const struct sf_submit_reply reply = {
        .status = error->status, .text = sf_view(error->text, strlen(error->text))};

    reply_and_let_go(caller, &reply);
}

static void
refuse_text(struct caller *caller, int status, const char *text)
{
    struct sf_app_error error;

    (void)sf_app_error_set(&error, status, "%s", text);
    refuse(caller, &error);
}

/* --- Messages -------------------------------------------------------------------------- */

/* One packet as it came, with its descriptors. */
struct packet {
    struct sf_view message;
    int fds[SF_SUBMIT_BATCH_FDS_MAX];
    size_t fd_count; /* those still to be closed or taken over: from fd_taken on */
    size_t fd_taken;
};

static void
close_rest(struct packet *packet)
{
    for (size_t i = packet->fd_taken; i < packet->fd_count; i++) {
        close(packet->fds[i]);
    }
    packet->fd_count = 0;
    packet->fd_taken = 0;
}

/* The handlers return whether the caller is still there. */

static bool
take_begin(struct caller *caller, const struct packet *packet)
{
    uint8_t *copy;

    if (caller->has_begun || packet->fd_count > 0) {
        refuse_text(caller, SF_EFORMAT, "a second beginning, or files with it");
        return false;
    }
    copy = malloc(packet->message.bytes);
    if (copy == NULL) {
        refuse_text(caller, SF_ENOMEM, "the daemon has no memory: try again");
        return false;
    }
    memcpy(copy, packet->message.data, packet->message.bytes);
    caller->begin_message = copy;
    if (sf_submit_decode_begin(sf_view(copy, packet->message.bytes), &caller->begin) != SF_OK) {
        refuse_text(caller, SF_EFORMAT, "the beginning of the submission is malformed");
        return false;
    }
    caller->has_begun = true;
    return true;
}

/* Whether the file is still what its owner looked at when the files were listed. */
static bool
is_unchanged(const struct sf_disk_stat *stat, int64_t mtime_s)
{
    const int64_t second = (int64_t)SF_SEC;
    int64_t floor_s = stat->mtime_ns / second - (stat->mtime_ns % second < 0 ? 1 : 0);

    return floor_s == mtime_s;
}

/* One file, with its base if it has one. Returns whether the caller is still there. */
static bool
take_file(struct caller *caller, struct packet *packet, const struct sf_submit_file *file)
{
    struct sf_app_error error;
    const struct sf_node_source *taken;
    int status;

    if (caller->begin.single_file != (file->path.bytes == 0)) {
        refuse_text(caller, SF_EFORMAT, "a file without a path, or a single file with one");
        return false;
    }
    if (!caller->begin.forget_key) {
        sf_keeper_add(caller->submit->daemon->keeper, &caller->order, caller->sources.count,
            packet->fds[packet->fd_taken]);
    }
    status = sf_sources_add(
        &caller->sources, packet->fds[packet->fd_taken++], file->path, file->executable, &error);
    if (status == SF_OK && file->has_base) {
        status = sf_sources_add_base(
            &caller->sources, packet->fds[packet->fd_taken++], &file->base_sha256, &error);
    }
    if (status != SF_OK) {
        refuse(caller, &error);
        return false;
    }
    taken = &caller->sources.list[caller->sources.count - 1];
    caller->bytes += taken->stat.bytes;
    if (!is_unchanged(&taken->stat, file->mtime_s) ||
        (taken->base != NULL && !is_unchanged(&taken->base->stat, file->base_mtime_s))) {
        refuse_text(caller, SF_ESTATE, "a file was changed while it was handed over: send again");
        return false;
    }
    return true;
}

static bool
take_files(struct caller *caller, struct packet *packet)
{
    struct sf_submit_files files;
    size_t fd_count = 0;

    if (!caller->has_begun || sf_submit_decode_files(packet->message, &files) != SF_OK) {
        refuse_text(caller, SF_EFORMAT, "a list of files is malformed");
        return false;
    }
    for (size_t i = 0; i < files.count; i++) {
        fd_count += files.files[i].has_base ? 2 : 1;
    }
    if (fd_count != packet->fd_count) {
        refuse_text(caller, SF_EFORMAT, "a list of files is malformed");
        return false;
    }
    if (caller->sources.count + files.count > caller->begin.file_count) {
        refuse_text(caller, SF_EFORMAT, "more files than were announced");
        return false;
    }
    for (size_t i = 0; i < files.count; i++) {
        if (!take_file(caller, packet, &files.files[i])) {
            return false;
        }
    }
    return true;
}

static void
take_end(struct caller *caller, const struct packet *packet)
{
    char names[SF_SUBMIT_RECIPIENTS_MAX][SF_SUBMIT_NAME_BYTES_MAX + 1];
    const char *recipients[SF_SUBMIT_RECIPIENTS_MAX];
    const struct sf_submit_begin *begin = &caller->begin;
    struct sf_node_send send = {
        .recipients = recipients,
        .recipient_count = begin->recipient_count,
        .label = begin->label,
        .single_file = begin->single_file,
        .priority = begin->priority,
        .deadline = {begin->deadline_ms},
        .forget_key = begin->forget_key,
        .has_resume = begin->has_resume,
        .resume = begin->resume,
    };
    struct sf_submit_reply reply = {.status = SF_OK};
    struct sf_keeper *keeper = caller->submit->daemon->keeper;
    struct sf_app_error error;

    if (!caller->has_begun || packet->fd_count > 0 ||
        sf_submit_decode_end(packet->message) != SF_OK ||
        caller->sources.count != begin->file_count) {
        refuse_text(caller, SF_EFORMAT, "an end before all files were handed over");
        return;
    }
    for (size_t i = 0; i < begin->recipient_count; i++) {
        memcpy(names[i], begin->recipients[i].data, begin->recipients[i].bytes);
        names[i][begin->recipients[i].bytes] = '\0';
        recipients[i] = names[i];
    }
    sf_keeper_name(&caller->order, &caller->sources, caller->user, begin->label);
    sf_keeper_make_room(keeper, caller->bytes);
    if (sf_sources_send(&caller->sources, &send, &reply.transfer, &error) != SF_OK) {
        refuse(caller, &error);
        return;
    }
    sf_keeper_take(keeper, &caller->order, &reply.transfer);
    reply_and_let_go(caller, &reply);
}

/* What may be a base, and the files themselves. */
static void
take_ask(struct caller *caller, const struct packet *packet)
{
    struct sf_submit_ask ask;
    struct sf_submit_offer offer;
    struct sf_app_error error;
    int fds[SF_SUBMIT_BASES_MAX];

    if (caller->has_begun || packet->fd_count > 0 ||
        sf_submit_decode_ask(packet->message, &ask) != SF_OK) {
        refuse_text(caller, SF_EFORMAT, "the question about a base is malformed");
        return;
    }
    if (sf_keeper_offer(caller->submit->daemon->keeper, &ask, caller->user, &offer, fds, &error) !=
        SF_OK) {
        refuse(caller, &error);
        return;
    }
    offer_and_let_go(caller, &offer, fds);
}

static bool
take_packet(struct caller *caller, struct packet *packet)
{
    enum sf_submit_type type;

    if (sf_submit_type(packet->message, &type) != SF_OK) {
        refuse_text(caller, SF_EFORMAT,
            "not a message of this version: use the skyferry that belongs to this skyferryd");
        return false;
    }
    switch (type) {
    case SF_SUBMIT_BEGIN:
        return take_begin(caller, packet);
    case SF_SUBMIT_FILES:
        return take_files(caller, packet);
    case SF_SUBMIT_END:
        take_end(caller, packet);
        return false;
    case SF_SUBMIT_ASK:
        take_ask(caller, packet);
        return false;
    case SF_SUBMIT_TAKEN:
    case SF_SUBMIT_REFUSED:
    case SF_SUBMIT_OFFER:
        break;
    }
    refuse_text(caller, SF_EFORMAT, "this is an answer, not a question");
    return false;
}

/* --- The socket -------------------------------------------------------------------------- */

/* The descriptors that came with a message; all of them, so that none is forgotten open. */
static void
collect_fds(struct msghdr *head, struct packet *packet)
{
    packet->fd_count = 0;
    packet->fd_taken = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(head); control != NULL;
         control = CMSG_NXTHDR(head, control)) {
        size_t count;

        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(fd));
            if (packet->fd_count < SF_SUBMIT_BATCH_FDS_MAX) {
                packet->fds[packet->fd_count++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

/* Take one packet. Returns whether the caller is still there and more may be waiting. */
static bool
receive_packet(struct caller *caller)
{
    struct sf_submit *submit = caller->submit;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
    struct iovec part = {submit->message, sizeof(submit->message)};
    struct msghdr head = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control)};
    struct packet packet;
    ssize_t got = recvmsg(caller->source.fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    bool is_there;

    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return false;
        }
        let_go(caller);
        return false;
    }
    collect_fds(&head, &packet);
    if (got == 0) {
        close_rest(&packet);
        let_go(caller); /* it went away before the end */
        return false;
    }
    caller->heard = submit->daemon->now;
    packet.message = sf_view(submit->message, (size_t)got);
    if ((head.msg_flags & MSG_CTRUNC) != 0) {
        refuse_text(caller, SF_ELIMIT,
            "the daemon cannot hold so many files open: raise its limit of open files "
            "(LimitNOFILE=), or send fewer at once");
        is_there = false;
    } else if ((head.msg_flags & MSG_TRUNC) != 0) {
        refuse_text(caller, SF_EFORMAT, "a message is too long");
        is_there = false;
    } else {
        is_there = take_packet(caller, &packet);
    }
    close_rest(&packet);
    return is_there;
}

static void
caller_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    struct caller *caller = (struct caller *)source;

    (void)daemon;
    (void)events;
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        if (!receive_packet(caller)) {
            return; /* the caller may be gone */
        }
    }
}

/* Take in one who has connected, or turn them away. */
static void
admit(struct sf_submit *submit, int fd)
{
    struct caller *caller = calloc(1, sizeof(*caller));

    if (caller == NULL) {
        close(fd);
        return;
    }
    caller->submit = submit;
    caller->heard = submit->daemon->now;
    caller->source = (struct sf_daemon_source){.ready = caller_ready, .fd = fd};
    caller->next = submit->callers;
    sf_sources_init(&caller->sources, submit->daemon);
    submit->callers = caller;
    submit->caller_count++;
    if (!sf_daemon_is_allowed(submit->daemon, fd, &caller->user)) {
        refuse_text(caller, SF_EAUTH,
            "only root, the daemon's user and members of the socket's group may send");
    } else if (submit->caller_count > SF_SUBMIT_CALLERS_MAX) {
        refuse_text(
            caller, SF_ELIMIT, "others are handing over files just now: try again in a moment");
    } else if (sf_daemon_watch(submit->daemon, &caller->source, EPOLLIN) != SF_OK) {
        refuse_text(caller, SF_EIO, "the daemon cannot watch the connection");
    }
}

static void
listener_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    struct sf_submit *submit = source->owner;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)daemon;
    (void)events;
    if (fd >= 0) {
        admit(submit, fd);
    }
}

int
sf_submit_open(struct sf_daemon *daemon, struct sf_submit **ret_submit, struct sf_app_error *error)
{
    const struct sf_daemon_listener listener = {SF_HOME_SUBMIT, SOCK_SEQPACKET, BACKLOG};
    struct sf_submit *submit = calloc(1, sizeof(*submit));
    int status;
    int fd;

    if (submit == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory for the submit socket");
    }
    submit->daemon = daemon;
    status = sf_daemon_listen(daemon, &listener, &fd, error);
    if (status != SF_OK) {
        free(submit);
        return status;
    }
    submit->source = (struct sf_daemon_source){.ready = listener_ready, .fd = fd, .owner = submit};
    if (sf_daemon_watch(daemon, &submit->source, EPOLLIN) != SF_OK) {
        sf_submit_close(submit);
        return sf_app_error_set(error, SF_EIO, "cannot watch the submit socket");
    }
    *ret_submit = submit;
    return SF_OK;
}

void
sf_submit_close(struct sf_submit *submit)
{
    if (submit == NULL) {
        return;
    }
    while (submit->callers != NULL) {
        refuse_text(submit->callers, SF_ESTATE, "the daemon is stopping");
    }
    sf_daemon_unwatch(submit->daemon, &submit->source);
    (void)unlinkat(submit->daemon->home.fd, SF_HOME_SUBMIT, 0);
    close(submit->source.fd);
    free(submit);
}

void
sf_submit_tick(struct sf_submit *submit)
{
    for (struct caller *caller = submit->callers; caller != NULL;) {
        struct caller *following = caller->next;

        if (submit->daemon->now - caller->heard >= SF_SUBMIT_SILENCE_NS) {
            refuse_text(caller, SF_ESTATE, "nothing was heard for too long: send again");
        }
        caller = following;
    }
}

sf_mono
sf_submit_deadline(const struct sf_submit *submit)
{
    sf_mono at = SF_NEVER;

    for (const struct caller *caller = submit->callers; caller != NULL; caller = caller->next) {
        at = sf_mono_min(at, sf_mono_add(caller->heard, SF_SUBMIT_SILENCE_NS));
    }
    return at;
}
