#include "app/udp.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
    REFUSED_MAX = 16,      /* addresses to which something was too large, not told yet */
    IN_MESSAGES = 16,      /* of one recvmmsg */
    IN_BYTES = 65536,      /* of one, which UDP_GRO may fill */
    IN_CALLS_MAX = 4,      /* before others get their turn */
    CONTROL_IN_BYTES =
        CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)),      /* UDP_GRO, and the mark */
    TCLASS_AT = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 3 : 0, /* its low byte in an int */
    CONTROL_OUT_BYTES = CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) +
                        CMSG_SPACE(sizeof(struct in6_pktinfo)), /* UDP_SEGMENT, mark, interface */
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct udp_socket {
    int fd;
    bool is_v6;
    bool takes_v4;  /* directly, or as mapped addresses */
    uint32_t index; /* of the interface it is bound to; 0 = any */
};

struct datagram {
    struct sf_addr to;
    uint32_t mark;
    size_t offset; /* in `out` */
    size_t bytes;
};

struct sf_udp {
    struct udp_socket sockets[SF_UDP_SOCKETS_MAX];
    size_t socket_count;
    struct sf_udp_stats stats;

    uint8_t out[OUT_BYTES];
    size_t out_bytes;
    struct datagram queue[OUT_DATAGRAMS_MAX]; /* [sent, queued) wait to be sent */
    size_t queued;
    size_t sent;

    struct {
        struct sf_addr to;
        size_t bytes;
    } refused[REFUSED_MAX];
    size_t refused_count;
    bool is_single; /* the next datagram goes alone: UDP_SEGMENT was refused, or its size */

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
    case ENODEV:
        return sf_app_error_set(error, SF_EINVAL,
            "cannot listen on %s: this machine has no interface %s", where, listen->interface);
    default:
        return sf_app_error_set(error, SF_EIO, "cannot listen on %s: %s", where, strerror(failed));
    }
}

static uint32_t
interface_index(int fd, const char *name)
{
    struct ifreq request = {.ifr_ifindex = 0};

    if (*name == '\0' || strlen(name) >= sizeof(request.ifr_name)) {
        return 0;
    }
    memcpy(request.ifr_name, name, strlen(name) + 1);
    return ioctl(fd, SIOCGIFINDEX, &request) == 0 && request.ifr_ifindex > 0
               ? (uint32_t)request.ifr_ifindex
               : 0;
}

/* Nothing is to come in or go out by another interface. */
static bool
bind_interface(struct udp_socket *opened, const struct sf_config_listen *listen, int *ret_errno)
{
    if (listen->interface[0] == '\0') {
        return true;
    }
    opened->index = interface_index(opened->fd, listen->interface);
    if (opened->index == 0 || setsockopt(opened->fd, SOL_SOCKET, SO_BINDTODEVICE, listen->interface,
                                  (socklen_t)strlen(listen->interface) + 1) != 0) {
        *ret_errno = opened->index == 0 ? ENODEV : errno;
        return false;
    }
    return true;
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
        set_option(opened->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    }
    if (opened->takes_v4) {
        set_option(opened->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    }
    granted = set_buffers(opened->fd);
    set_option(opened->fd, IPPROTO_IP, IP_RECVTOS, 1);
    if (opened->is_v6) {
        set_option(opened->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    }
    if (!bind_interface(opened, listen, ret_errno)) {
        close(opened->fd);
        return false;
    }
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
    static const struct sf_config_listen v4_default = {
        .host = "0.0.0.0", .port = SF_CONFIG_PORT_DEFAULT};
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

uint32_t
sf_udp_interface(const struct sf_udp *udp, const char *name)
{
    return interface_index(udp->sockets[0].fd, name);
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
    union socket_address address = {.any.sa_family = AF_UNSPEC};
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

/* What the kernel says beside a message. */
struct beside {
    size_t segment; /* bytes of each datagram that UDP_GRO put together; 0 = it is one */
    bool is_congested;
};

static struct beside
read_beside(struct msghdr *message)
{
    struct beside beside = {.segment = 0};

    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        int value = 0;
        size_t bytes = control->cmsg_len - CMSG_LEN(0);

        memcpy(&value, CMSG_DATA(control), bytes < sizeof(value) ? bytes : sizeof(value));
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO && value > 0) {
            beside.segment = (size_t)value;
        } else if ((control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) ||
                   (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS)) {
            /* IP_TOS is a byte: on big-endian machines too it is the first. */
            beside.is_congested =
                (CMSG_DATA(control)[bytes == 1 ? 0 : TCLASS_AT] & IPTOS_ECN_MASK) == IPTOS_ECN_CE;
        }
    }
    return beside;
}

static void
take_message(
    struct sf_udp *udp, struct mmsghdr *message, uint8_t *data, sf_udp_input input, void *context)
{
    size_t bytes = message->msg_len;
    const struct beside beside = read_beside(&message->msg_hdr);
    size_t segment = beside.segment != 0 ? beside.segment : bytes;
    struct sf_addr from;

    if ((message->msg_hdr.msg_flags & MSG_TRUNC) != 0 || segment > SF_UDP_DATAGRAM_BYTES_MAX ||
        !addr_from_socket(message->msg_hdr.msg_name, &from)) {
        udp->stats.dropped_in++;
        return;
    }
    for (size_t at = 0; at < bytes; at += segment) {
        udp->stats.datagrams_in++;
        input(context, &(struct sf_udp_datagram){.from = &from,
                           .data = data + at,
                           .bytes = bytes - at < segment ? bytes - at : segment,
                           .is_congested = beside.is_congested});
    }
}

bool
sf_udp_receive(struct sf_udp *udp, size_t index, sf_udp_input input, void *context)
{
    struct mmsghdr messages[IN_MESSAGES];
    struct iovec parts[IN_MESSAGES];
    union socket_address from[IN_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t control[IN_MESSAGES][CONTROL_IN_BYTES];

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
            messages[i].msg_hdr.msg_controllen = CONTROL_IN_BYTES;
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
sf_udp_add(struct sf_udp *udp, const struct sf_addr *to, uint32_t mark, size_t bytes)
{
    sf_assert(bytes <= SF_UDP_DATAGRAM_BYTES_MAX && bytes <= OUT_BYTES - udp->out_bytes);
    udp->queue[udp->queued++] = (struct datagram){*to, mark, udp->out_bytes, bytes};
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

    if (!udp->stats.is_gso || udp->is_single || first->bytes == 0) {
        return 1;
    }
    while (at + count < udp->queued && count < SEGMENTS_MAX) {
        const struct datagram *next = &udp->queue[at + count];

        if (next->bytes == 0 || next->bytes > first->bytes || bytes + next->bytes > RUN_BYTES_MAX ||
            next->mark != first->mark || !sf_addr_equal(&next->to, &first->to)) {
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

/*
 * The socket for a datagram, SF_UDP_SOCKETS_MAX if none: of those that take its
 * family and its interface the one bound to that interface, and the plain
 * IPv4 one before the dual one.
 */
static size_t
sender_of(const struct sf_udp *udp, const struct datagram *datagram)
{
    const struct sf_mark mark = sf_mark_decode(datagram->mark);
    bool is_v4 = sf_addr_is_v4(&datagram->to);
    size_t best = SF_UDP_SOCKETS_MAX;
    int best_worth = 0;

    if (mark.is_bound && mark.index == 0) {
        return SF_UDP_SOCKETS_MAX; /* it is not there now */
    }
    for (size_t i = 0; i < udp->socket_count; i++) {
        const struct udp_socket *socket_ = &udp->sockets[i];
        int worth = 1;

        if (!(is_v4 ? socket_->takes_v4 : socket_->is_v6) ||
            (mark.is_bound && socket_->index != 0 && socket_->index != mark.index)) {
            continue;
        }
        worth += is_v4 && !socket_->is_v6 ? 1 : 0;
        worth += socket_->index == mark.index ? 2 : 0;
        if (worth > best_worth) {
            best = i;
            best_worth = worth;
        }
    }
    return best;
}

/* One call's worth of messages, all through one socket. */
struct batch {
    struct mmsghdr messages[MESSAGES_MAX];
    struct iovec parts[MESSAGES_MAX];
    union socket_address to[MESSAGES_MAX];
    _Alignas(struct cmsghdr) uint8_t control[MESSAGES_MAX][CONTROL_OUT_BYTES];
    size_t datagrams[MESSAGES_MAX]; /* in each message */
    size_t count;
    size_t sender;
};

/* One more thing to tell the kernel beside a message. */
static void
put_beside(struct msghdr *head, int level, int type, const void *value, size_t bytes)
{
    struct cmsghdr *control =
        (struct cmsghdr *)(void *)((uint8_t *)head->msg_control + head->msg_controllen);

    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(control), value, bytes);
    head->msg_controllen += CMSG_SPACE(bytes);
}

static void
put_mark(struct msghdr *head, const struct datagram *datagram)
{
    const struct sf_mark mark = sf_mark_decode(datagram->mark);
    int tos = mark.dscp << 2 | (mark.is_ect ? IPTOS_ECN_ECT0 : 0);

    if (sf_addr_is_v4(&datagram->to)) {
        const struct in_pktinfo through = {.ipi_ifindex = (int)mark.index};

        if (tos != 0) {
            put_beside(head, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
        }
        if (mark.is_bound) {
            put_beside(head, IPPROTO_IP, IP_PKTINFO, &through, sizeof(through));
        }
    } else {
        const struct in6_pktinfo through = {.ipi6_ifindex = mark.index};

        if (tos != 0) {
            put_beside(head, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
        }
        if (mark.is_bound) {
            put_beside(head, IPPROTO_IPV6, IPV6_PKTINFO, &through, sizeof(through));
        }
    }
}

static void
add_message(struct sf_udp *udp, struct batch *batch, size_t at, size_t count)
{
    const struct datagram *first = &udp->queue[at];
    const struct datagram *last = &udp->queue[at + count - 1];
    struct msghdr *head = &batch->messages[batch->count].msg_hdr;
    uint16_t segment = (uint16_t)first->bytes;

    memset(head, 0, sizeof(*head));
    batch->parts[batch->count] =
        (struct iovec){udp->out + first->offset, last->offset + last->bytes - first->offset};
    head->msg_iov = &batch->parts[batch->count];
    head->msg_iovlen = 1;
    head->msg_name = &batch->to[batch->count];
    head->msg_namelen =
        addr_to_socket(&first->to, udp->sockets[batch->sender].is_v6, &batch->to[batch->count]);
    head->msg_control = batch->control[batch->count];
    if (count > 1) {
        put_beside(head, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
    }
    if (first->mark != 0) {
        put_mark(head, first);
    }
    if (head->msg_controllen == 0) {
        head->msg_control = NULL;
    }
    batch->datagrams[batch->count++] = count;
}

/* What can go in the next call; count 0 if the next datagram has no socket to go by. */
static void
collect(struct sf_udp *udp, struct batch *batch)
{
    batch->count = 0;
    batch->sender = sender_of(udp, &udp->queue[udp->sent]);
    for (size_t at = udp->sent; at < udp->queued && batch->count < MESSAGES_MAX;) {
        size_t count = run_length(udp, at);

        if (batch->sender == SF_UDP_SOCKETS_MAX ||
            sender_of(udp, &udp->queue[at]) != batch->sender) {
            break;
        }
        add_message(udp, batch, at, count);
        at += count;
    }
}

/* Others that are not told any more will be refused again. */
static void
note_refused(struct sf_udp *udp, const struct datagram *datagram)
{
    size_t at = 0;

    while (at < udp->refused_count && !sf_addr_equal(&udp->refused[at].to, &datagram->to)) {
        at++;
    }
    if (at == REFUSED_MAX) {
        return;
    }
    if (at == udp->refused_count || datagram->bytes < udp->refused[at].bytes) {
        udp->refused[at].to = datagram->to;
        udp->refused[at].bytes = datagram->bytes;
    }
    udp->refused_count += at == udp->refused_count ? 1 : 0;
}

bool
sf_udp_refused(struct sf_udp *udp, struct sf_addr *ret_to, size_t *ret_bytes)
{
    if (udp->refused_count == 0) {
        return false;
    }
    udp->refused_count--;
    *ret_to = udp->refused[udp->refused_count].to;
    *ret_bytes = udp->refused[udp->refused_count].bytes;
    return true;
}

static void
drop(struct sf_udp *udp, size_t count, int failed)
{
    if (failed == EMSGSIZE) {
        note_refused(udp, &udp->queue[udp->sent]);
    }
    udp->stats.dropped_out += count;
    udp->stats.too_large += failed == EMSGSIZE ? count : 0;
    udp->stats.errno_out = failed;
    udp->sent += count;
}

/* Its interface is gone, or no socket is of its family. */
static int
why_no_sender(const struct datagram *datagram)
{
    return sf_mark_decode(datagram->mark).is_bound ? ENODEV : EAFNOSUPPORT;
}

/* The kernel refused the first message of `batch`. */
static void
first_refused(struct sf_udp *udp, const struct batch *batch, int failed)
{
    /*
     * A device without checksum offload answers EIO, older kernels EINVAL; but
     * EINVAL may also mean that the segments are too large for the interface. Whether
     * the first goes alone tells which it is.
     */
    if (batch->datagrams[0] > 1 &&
        (failed == EIO || failed == EINVAL || failed == EOPNOTSUPP || failed == ENOPROTOOPT)) {
        udp->is_single = true;
        return;
    }
    udp->is_single = false;
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
            drop(udp, 1, why_no_sender(&udp->queue[udp->sent]));
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
        if (done > 0 && udp->is_single) {
            /* It did: from here on all go datagram by datagram. */
            udp->is_single = false;
            udp->stats.is_gso = false;
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
