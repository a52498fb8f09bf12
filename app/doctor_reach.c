/*
 * doctor_reach.c - an address from which no node answers: is there a machine,
 * does it take UDP, or does nothing get there at all?
 */
#include "app/doctor_reach.h"

#include "base/assert.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    LISTEN_MS = 2000,
    DATAGRAM_BYTES = 1200, /* as openers have */
    UDP = 0,
    TCP = 1,
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t
to_socket(const struct sf_addr *addr, union address *ret_address)
{
    memset(ret_address, 0, sizeof(*ret_address));
    if (sf_addr_is_v4(addr)) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(addr->port);
        memcpy(&ret_address->v4.sin_addr, addr->ip + 12, 4);
        return sizeof(ret_address->v4);
    }
    ret_address->v6.sin6_family = AF_INET6;
    ret_address->v6.sin6_port = htons(addr->port);
    memcpy(&ret_address->v6.sin6_addr, addr->ip, sizeof(addr->ip));
    return sizeof(ret_address->v6);
}

/* What an error of a socket tells; it replaces what tells less. */
static void
learn(struct sf_reach *reach, int kind, int failed)
{
    enum sf_reach_verdict verdict = SF_REACH_SILENT;

    switch (failed) {
    case 0: /* TCP: somebody took the connection */
    case ECONNREFUSED:
    case ECONNRESET:
        verdict = kind == UDP ? SF_REACH_NOT_OPEN : SF_REACH_UDP_DROPPED;
        break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EINVAL:
        verdict = SF_REACH_NO_ROUTE;
        break;
    case EPERM:
    case EACCES:
        verdict = kind == UDP ? SF_REACH_FORBIDDEN : SF_REACH_SILENT;
        break;
    case EMSGSIZE:
        verdict = SF_REACH_NARROW;
        break;
    case EAFNOSUPPORT:
        verdict = SF_REACH_NO_FAMILY;
        break;
    default:
        break;
    }
    reach->verdict = verdict > reach->verdict ? verdict : reach->verdict;
}

/* The own address that the kernel chose for the way. */
static void
note_local(struct sf_reach *reach, int fd)
{
    union address own = {.any.sa_family = AF_UNSPEC};
    socklen_t bytes = sizeof(own);
    struct sf_addr addr = {.port = 0};

    if (getsockname(fd, &own.any, &bytes) != 0) {
        return;
    }
    if (own.any.sa_family == AF_INET) {
        addr = sf_addr_v4(ntohl(own.v4.sin_addr.s_addr), ntohs(own.v4.sin_port));
    } else {
        memcpy(addr.ip, &own.v6.sin6_addr, sizeof(addr.ip));
        addr.port = ntohs(own.v6.sin6_port);
    }
    sf_udp_addr_print(&addr, reach->local);
}

static void
forbid_fragments(int fd, int family)
{
    int value = family == AF_INET ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
    int failed = family == AF_INET
                     ? setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, sizeof(value))
                     : setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value, sizeof(value));

    (void)failed; /* then a narrow interface is not noticed */
}

/* A socket under way to the address; -1 if what it told is all there is. */
static int
begin(struct sf_reach *reach, int kind)
{
    static const uint8_t zeros[DATAGRAM_BYTES];
    union address to;
    socklen_t bytes = to_socket(&reach->addr, &to);
    int type = kind == UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        learn(reach, kind, errno);
        return -1;
    }
    if (kind == UDP) {
        forbid_fragments(fd, to.any.sa_family);
    }
    if (connect(fd, &to.any, bytes) != 0 && errno != EINPROGRESS) {
        learn(reach, kind, errno);
        close(fd);
        return -1;
    }
    if (kind == UDP) {
        note_local(reach, fd);
        if (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) < 0) {
            learn(reach, kind, errno);
            close(fd);
            return -1;
        }
    }
    return fd;
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether everything that can be known of `reach` is: a refusal of UDP, or of the way. */
static bool
is_settled(const struct sf_reach *reach)
{
    return reach->verdict != SF_REACH_SILENT && reach->verdict != SF_REACH_UDP_DROPPED;
}

/* Take what the socket says, and close it. */
static void
take(struct sf_reach *reach, int kind, struct pollfd *wait)
{
    int failed = 0;
    socklen_t bytes = sizeof(failed);

    if (getsockopt(wait->fd, SOL_SOCKET, SO_ERROR, &failed, &bytes) == 0 &&
        (failed != 0 || kind == TCP)) {
        learn(reach, kind, failed);
    }
    close(wait->fd);
    wait->fd = -1;
}

void
sf_reach_try(struct sf_reach *reach, size_t count)
{
    struct pollfd waits[2 * SF_REACH_MAX];
    uint64_t end = now_ms() + LISTEN_MS;

    sf_assert(count <= SF_REACH_MAX);
    for (size_t i = 0; i < count; i++) {
        reach[i].verdict = SF_REACH_SILENT;
        reach[i].local[0] = '\0';
        waits[2 * i + UDP] = (struct pollfd){.fd = begin(&reach[i], UDP), .events = POLLIN};
        waits[2 * i + TCP] = (struct pollfd){.fd = begin(&reach[i], TCP), .events = POLLOUT};
    }
    for (uint64_t now = now_ms(); now < end; now = now_ms()) {
        bool is_waiting = false;

        for (size_t i = 0; i < count; i++) {
            is_waiting |= !is_settled(&reach[i]);
        }
        if (!is_waiting || poll(waits, 2 * count, (int)(end - now)) <= 0) {
            break;
        }
        for (size_t i = 0; i < 2 * count; i++) {
            if (waits[i].fd >= 0 && waits[i].revents != 0) {
                take(&reach[i / 2], (int)(i % 2), &waits[i]);
            }
        }
    }
    for (size_t i = 0; i < 2 * count; i++) {
        if (waits[i].fd >= 0) {
            close(waits[i].fd);
        }
    }
}
