#include "app/udp.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
    BUFFER_BYTES = 8 << 20, /* asked of the kernel, in and out: 40 ms at 1.6 Gbit/s */
    OUT_BYTES = 512 * 1024,
    OUT_DATAGRAMS_MAX = 512,
    MESSAGES_MAX = 32,     /* of one sendmmsg */
    SEGMENTS_MAX = 64,     /* of one UDP_SEGMENT call; the kernel's own limit */
    RUN_BYTES_MAX = 65000, /* of one UDP_SEGMENT call: an IP packet with its heads */
    IN_MESSAGES = 16,      /* of one recvmmsg */
    IN_BYTES = 65536,      /* of one, which UDP_GRO may fill */
    IN_CALLS_MAX = 4,      /* before others get their turn */
    CONTROL_BYTES = CMSG_SPACE(sizeof(int)),
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct udp_socket {
    int fd;
    bool is_v6;
    bool takes_v4; /* directly, or as mapped addresses */
};

struct datagram {
    struct sf_addr to;
    size_t offset; /* in `out` */
    size_t bytes;
};

struct sf_udp {
    struct udp_socket sockets[SF_UDP_SOCKETS_MAX];
    size_t socket_count;
    size_t for_v4; /* the socket that sends to IPv4, SF_UDP_SOCKETS_MAX if none */
    size_t for_v6;
    struct sf_udp_stats stats;

    uint8_t out[OUT_BYTES];
    size_t out_bytes;
    struct datagram queue[OUT_DATAGRAMS_MAX]; /* [sent, queued) wait to be sent */
    size_t queued;
    size_t sent;

    uint8_t in[IN_MESSAGES][IN_BYTES];
};

/* --- Opening ------------------------------------------------------------------ */

static bool
parse_host(const char *host, uint16_t port, union socket_address *ret_address)
{
    memset(ret_address, 0, sizeof(*ret_address));
    if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(port);
        return true;
    }
    return false;
}

static void
set_option(int fd, int level, int option, int value)
{
    int ignored = setsockopt(fd, level, option, &value, sizeof(value));

    (void)ignored; /* what these improve works without them */
}

/* As large as the kernel lets us, beyond its sysctl if privileged. Returns what it granted. */
static uint32_t
set_buffers(int fd)
{
    const int bytes = BUFFER_BYTES;
    int granted = 0;
    socklen_t granted_bytes = sizeof(granted);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &granted_bytes) != 0 || granted < 0) {
        return 0;
    }
    return (uint32_t)granted / 2; /* the kernel doubles it for its own books */
}

/* Whether a listener of the config takes IPv4 at `port` by itself. */
static bool
has_own_v4(const struct sf_config *config, uint16_t port)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (strchr(config->listen[i].host, ':') == NULL && config->listen[i].port == port) {
            return true;
        }
    }
    return false;
}

static int
open_failed(
    const struct sf_config_listen *listen, bool is_v6, int failed, struct sf_app_error *error)
{
    char where[SF_UDP_ADDR_TEXT_BYTES + SF_CONFIG_HOST_BYTES_MAX];

    (void)snprintf(where, sizeof(where), "%s%s%s:%u", is_v6 ? "[" : "", listen->host,
        is_v6 ? "]" : "", (unsigned)listen->port);
    switch (failed) {
    case EADDRINUSE:
        return sf_app_error_set(error, SF_EEXIST,
            "UDP port %u at %s is taken by another program: stop it, or choose another port with "
            "`listen` in the config or --listen",
            (unsigned)listen->port, where);
    case EADDRNOTAVAIL:
        return sf_app_error_set(error, SF_EINVAL,
            "cannot listen on %s: this machine has no such address; [::]:%u listens on all", where,
            (unsigned)listen->port);
    case EACCES:
    case EPERM:
        return sf_app_error_set(error, SF_EAUTH,
            "cannot listen on %s: not permitted (ports below 1024 need privileges)", where);
    default:
        return sf_app_error_set(error, SF_EIO, "cannot listen on %s: %s", where, strerror(failed));
    }
}

/* Bind one socket. On failure *ret_errno says why. */
static bool
open_socket(const struct sf_config *config, const struct sf_config_listen *listen,
    struct sf_udp *udp, int *ret_errno)
{
    struct udp_socket *opened = &udp->sockets[udp->socket_count];
    union socket_address address;
    const int one = 1;
    uint32_t granted;
    bool only_v6;

    if (!parse_host(listen->host, listen->port, &address)) {
        *ret_errno = EINVAL;
        return false;
    }
    opened->is_v6 = address.any.sa_family == AF_INET6;
    opened->fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (opened->fd < 0) {
        *ret_errno = errno;
        return false;
    }
    only_v6 = opened->is_v6 &&
              (!IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr) || has_own_v4(config, listen->port));
    opened->takes_v4 = !only_v6;
    if (opened->is_v6) {
        set_option(opened->fd, IPPROTO_IPV6, IPV6_V6ONLY, only_v6 ? 1 : 0);
        set_option(opened->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
    }
    if (opened->takes_v4) {
        set_option(opened->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    }
    granted = set_buffers(opened->fd);
    if (setsockopt(opened->fd, SOL_UDP, UDP_GRO, &one, sizeof(one)) != 0) {
        udp->stats.is_gro = false;
    }
    if (bind(opened->fd, &address.any, opened->is_v6 ? sizeof(address.v6) : sizeof(address.v4)) !=
        0) {
        *ret_errno = errno;
        close(opened->fd);
        return false;
    }
    if (udp->socket_count == 0 || granted < udp->stats.receive_buffer_bytes) {
        udp->stats.receive_buffer_bytes = granted;
    }
    udp->socket_count++;
    return true;
}

/* Which socket sends where: the plain IPv4 one goes before the dual one. */
static void
choose_senders(struct sf_udp *udp)
{
    udp->for_v4 = SF_UDP_SOCKETS_MAX;
    udp->for_v6 = SF_UDP_SOCKETS_MAX;
    for (size_t i = udp->socket_count; i-- > 0;) {
        const struct udp_socket *socket_ = &udp->sockets[i];

        if (socket_->is_v6) {
            udp->for_v6 = i;
        }
        if (socket_->takes_v4 && (udp->for_v4 == SF_UDP_SOCKETS_MAX || !socket_->is_v6 ||
                                     udp->sockets[udp->for_v4].is_v6)) {
            udp->for_v4 = i;
        }
    }
}

/* Whether the kernel knows UDP_SEGMENT; whether the device does shows when it is used. */
static bool
probe_gso(const struct sf_udp *udp)
{
    int value = 0;
    socklen_t bytes = sizeof(value);

    return getsockopt(udp->sockets[0].fd, SOL_UDP, UDP_SEGMENT, &value, &bytes) == 0;
}

int
sf_udp_open(const struct sf_config *config, struct sf_udp **ret_udp, struct sf_app_error *error)
{
    static const struct sf_config_listen v4_default = {"0.0.0.0", SF_CONFIG_PORT_DEFAULT};
    struct sf_udp *udp = calloc(1, sizeof(*udp));
    int failed = 0;

    if (udp == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory for the sockets");
    }
    udp->stats.is_gro = true;
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct sf_config_listen *listen = &config->listen[i];

        if (open_socket(config, listen, udp, &failed)) {
            continue;
        }
        if (config->is_listen_default && (failed == EAFNOSUPPORT || failed == EADDRNOTAVAIL)) {
            listen = &v4_default;
            if (open_socket(config, listen, udp, &failed)) {
                continue;
            }
        }
        sf_udp_close(udp);
        return open_failed(listen, strchr(listen->host, ':') != NULL, failed, error);
    }
    sf_assert(udp->socket_count > 0);
    choose_senders(udp);
    udp->stats.is_gso = probe_gso(udp);
    *ret_udp = udp;
    return SF_OK;
}

void
sf_udp_close(struct sf_udp *udp)
{
    if (udp == NULL) {
        return;
    }
    for (size_t i = 0; i < udp->socket_count; i++) {
        close(udp->sockets[i].fd);
    }
    free(udp);
}

int
sf_udp_fd(const struct sf_udp *udp, size_t index)
{
    return index < udp->socket_count ? udp->sockets[index].fd : -1;
}

/* --- Addresses ---------------------------------------------------------------- */

static bool
addr_from_socket(const union socket_address *from, struct sf_addr *ret_addr)
{
    if (from->any.sa_family == AF_INET6) {
        memcpy(ret_addr->ip, &from->v6.sin6_addr, sizeof(ret_addr->ip));
        ret_addr->port = ntohs(from->v6.sin6_port);
        return true;
    }
    if (from->any.sa_family == AF_INET) {
        *ret_addr = sf_addr_v4(ntohl(from->v4.sin_addr.s_addr), ntohs(from->v4.sin_port));
        return true;
    }
    return false;
}

static socklen_t
addr_to_socket(const struct sf_addr *addr, bool is_v6, union socket_address *ret_to)
{
    memset(ret_to, 0, sizeof(*ret_to));
    if (is_v6) {
        ret_to->v6.sin6_family = AF_INET6;
        ret_to->v6.sin6_port = htons(addr->port);
        memcpy(&ret_to->v6.sin6_addr, addr->ip, sizeof(addr->ip));
        return sizeof(ret_to->v6);
    }
    ret_to->v4.sin_family = AF_INET;
    ret_to->v4.sin_port = htons(addr->port);
    memcpy(&ret_to->v4.sin_addr, addr->ip + 12, 4);
    return sizeof(ret_to->v4);
}

void
sf_udp_bound(const struct sf_udp *udp, size_t index, struct sf_addr *ret_addr)
{
    union socket_address address;
    socklen_t bytes = sizeof(address);

    memset(ret_addr, 0, sizeof(*ret_addr));
    if (index < udp->socket_count &&
        getsockname(udp->sockets[index].fd, &address.any, &bytes) == 0) {
        (void)addr_from_socket(&address, ret_addr);
    }
}

void
sf_udp_addr_print(const struct sf_addr *addr, char ret_text[SF_UDP_ADDR_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool is_v4 = sf_addr_is_v4(addr);

    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6, addr->ip + (is_v4 ? 12 : 0), host, sizeof(host));
    (void)snprintf(ret_text, SF_UDP_ADDR_TEXT_BYTES, "%s%s%s:%u", is_v4 ? "" : "[", host,
        is_v4 ? "" : "]", (unsigned)addr->port);
}

/* --- Receiving ---------------------------------------------------------------- */

/* Bytes of each datagram in a message that UDP_GRO may have put together. */
static size_t
segment_bytes(struct msghdr *message, size_t bytes)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            int value;

            memcpy(&value, CMSG_DATA(control), sizeof(value));
            if (value > 0) {
                return (size_t)value;
            }
        }
    }
    return bytes;
}

static void
take_message(
    struct sf_udp *udp, struct mmsghdr *message, uint8_t *data, sf_udp_input input, void *context)
{
    size_t bytes = message->msg_len;
    size_t segment = segment_bytes(&message->msg_hdr, bytes);
    struct sf_addr from;

    if ((message->msg_hdr.msg_flags & MSG_TRUNC) != 0 || segment > SF_UDP_DATAGRAM_BYTES_MAX ||
        !addr_from_socket(message->msg_hdr.msg_name, &from)) {
        udp->stats.dropped_in++;
        return;
    }
    for (size_t at = 0; at < bytes; at += segment) {
        udp->stats.datagrams_in++;
        input(context, &from, data + at, bytes - at < segment ? bytes - at : segment);
    }
}

bool
sf_udp_receive(struct sf_udp *udp, size_t index, sf_udp_input input, void *context)
{
    struct mmsghdr messages[IN_MESSAGES];
    struct iovec parts[IN_MESSAGES];
    union socket_address from[IN_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t control[IN_MESSAGES][CONTROL_BYTES];

    for (int calls = 0; calls < IN_CALLS_MAX; calls++) {
        int got;

        memset(messages, 0, sizeof(messages));
        for (size_t i = 0; i < IN_MESSAGES; i++) {
            parts[i] = (struct iovec){udp->in[i], IN_BYTES};
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &from[i];
            messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
            messages[i].msg_hdr.msg_control = control[i];
            messages[i].msg_hdr.msg_controllen = CONTROL_BYTES;
        }
        got = recvmmsg(udp->sockets[index].fd, messages, IN_MESSAGES, MSG_DONTWAIT, NULL);
        udp->stats.calls_in++;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false; /* nothing there, or an error that is gone with being told */
        }
        for (int i = 0; i < got; i++) {
            take_message(udp, &messages[i], udp->in[i], input, context);
        }
        if (got < IN_MESSAGES) {
            return false;
        }
    }
    return true;
}

/* --- Sending ------------------------------------------------------------------ */

uint8_t *
sf_udp_room(struct sf_udp *udp)
{
    if (udp->queued == OUT_DATAGRAMS_MAX ||
        OUT_BYTES - udp->out_bytes < SF_UDP_DATAGRAM_BYTES_MAX) {
        return NULL;
    }
    return udp->out + udp->out_bytes;
}

void
sf_udp_add(struct sf_udp *udp, const struct sf_addr *to, size_t bytes)
{
    sf_assert(bytes <= SF_UDP_DATAGRAM_BYTES_MAX && bytes <= OUT_BYTES - udp->out_bytes);
    udp->queue[udp->queued++] = (struct datagram){*to, udp->out_bytes, bytes};
    udp->out_bytes += bytes;
}

/*
 * How many datagrams from `at` on may leave in one call: equal ones to one
 * address, the last may be shorter.
 */
static size_t
run_length(const struct sf_udp *udp, size_t at)
{
    const struct datagram *first = &udp->queue[at];
    size_t bytes = first->bytes;
    size_t count = 1;

    if (!udp->stats.is_gso || first->bytes == 0) {
        return 1;
    }
    while (at + count < udp->queued && count < SEGMENTS_MAX) {
        const struct datagram *next = &udp->queue[at + count];

        if (next->bytes == 0 || next->bytes > first->bytes || bytes + next->bytes > RUN_BYTES_MAX ||
            !sf_addr_equal(&next->to, &first->to)) {
            break;
        }
        bytes += next->bytes;
        count++;
        if (next->bytes < first->bytes) {
            break;
        }
    }
    return count;
}

static size_t
sender_of(const struct sf_udp *udp, const struct sf_addr *to)
{
    return sf_addr_is_v4(to) ? udp->for_v4 : udp->for_v6;
}

/* One call's worth of messages, all through one socket. */
struct batch {
    struct mmsghdr messages[MESSAGES_MAX];
    struct iovec parts[MESSAGES_MAX];
    union socket_address to[MESSAGES_MAX];
    _Alignas(struct cmsghdr) uint8_t control[MESSAGES_MAX][CMSG_SPACE(sizeof(uint16_t))];
    size_t datagrams[MESSAGES_MAX]; /* in each message */
    size_t count;
    size_t sender;
};

static void
add_message(struct sf_udp *udp, struct batch *batch, size_t at, size_t count)
{
    const struct datagram *first = &udp->queue[at];
    const struct datagram *last = &udp->queue[at + count - 1];
    struct msghdr *head = &batch->messages[batch->count].msg_hdr;

    memset(head, 0, sizeof(*head));
    batch->parts[batch->count] =
        (struct iovec){udp->out + first->offset, last->offset + last->bytes - first->offset};
    head->msg_iov = &batch->parts[batch->count];
    head->msg_iovlen = 1;
    head->msg_name = &batch->to[batch->count];
    head->msg_namelen =
        addr_to_socket(&first->to, udp->sockets[batch->sender].is_v6, &batch->to[batch->count]);
    if (count > 1) {
        uint16_t segment = (uint16_t)first->bytes;
        struct cmsghdr *control;

        head->msg_control = batch->control[batch->count];
        head->msg_controllen = sizeof(batch->control[batch->count]);
        control = CMSG_FIRSTHDR(head);
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(segment));
        memcpy(CMSG_DATA(control), &segment, sizeof(segment));
    }
    batch->datagrams[batch->count++] = count;
}

/* What can go in the next call; count 0 if the next datagram has no socket to go by. */
static void
collect(struct sf_udp *udp, struct batch *batch)
{
    batch->count = 0;
    batch->sender = sender_of(udp, &udp->queue[udp->sent].to);
    for (size_t at = udp->sent; at < udp->queued && batch->count < MESSAGES_MAX;) {
        size_t count = run_length(udp, at);

        if (batch->sender == SF_UDP_SOCKETS_MAX ||
            sender_of(udp, &udp->queue[at].to) != batch->sender) {
            break;
        }
        add_message(udp, batch, at, count);
        at += count;
    }
}

static void
drop(struct sf_udp *udp, size_t count, int failed)
{
    udp->stats.dropped_out += count;
    udp->stats.too_large += failed == EMSGSIZE ? count : 0;
    udp->stats.errno_out = failed;
    udp->sent += count;
}

/* The kernel refused the first message of `batch`. */
static void
first_refused(struct sf_udp *udp, const struct batch *batch, int failed)
{
    /*
     * A device without checksum offload answers EIO, older kernels EINVAL:
     * then everything is sent datagram by datagram from here on.
     */
    if (batch->datagrams[0] > 1 &&
        (failed == EIO || failed == EINVAL || failed == EOPNOTSUPP || failed == ENOPROTOOPT)) {
        udp->stats.is_gso = false;
        return;
    }
    drop(udp, batch->datagrams[0], failed);
}

bool
sf_udp_flush(struct sf_udp *udp, size_t *ret_index)
{
    struct batch batch;

    while (udp->sent < udp->queued) {
        int done;

        collect(udp, &batch);
        if (batch.count == 0) {
            drop(udp, 1, EAFNOSUPPORT);
            continue;
        }
        done = sendmmsg(udp->sockets[batch.sender].fd, batch.messages, (unsigned)batch.count, 0);
        udp->stats.calls_out++;
        if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            *ret_index = batch.sender;
            return false;
        }
        if (done < 0 && errno != EINTR) {
            first_refused(udp, &batch, errno);
        }
        for (int i = 0; i < done; i++) {
            udp->stats.datagrams_out += batch.datagrams[i];
            udp->sent += batch.datagrams[i];
        }
    }
    udp->queued = 0;
    udp->sent = 0;
    udp->out_bytes = 0;
    return true;
}

void
sf_udp_stats(const struct sf_udp *udp, struct sf_udp_stats *ret_stats)
{
    *ret_stats = udp->stats;
}
