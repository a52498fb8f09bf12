#include <config.h>

#include "app/sim_proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
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
    CLIENTS_MAX = 64, /* the one idle for longest makes room */
    IN_MESSAGES = 16, /* of one recvmmsg, each up to 64 datagrams put together */
    IN_BYTES = 65536,
    OUT_MESSAGES = 64,     /* of one sendmmsg */
    SEGMENTS_MAX = 64,     /* of one UDP_SEGMENT message: the kernel's own limit */
    RUN_BYTES_MAX = 65000, /* of one UDP_SEGMENT message: an IP packet with its heads */
    SOCKET_BUFFER_BYTES = 8 << 20,
    TAG_LISTEN = CLIENTS_MAX,
};

struct client {
    int fd; /* -1: free */
    struct sf_sim_address address;
    struct sf_sim_nat nat;
    uint64_t nat_address;
    uint64_t used;       /* when last, in datagrams */
    uint64_t generation; /* so that what is under way to an earlier one is not sent to this one */
};

/* One sendmmsg. */
struct out {
    struct mmsghdr messages[OUT_MESSAGES];
    struct iovec parts[SF_SIM_RELAY_DUE_MAX];
    _Alignas(struct cmsghdr) uint8_t control[OUT_MESSAGES][CMSG_SPACE(sizeof(uint16_t))];
    size_t first[OUT_MESSAGES]; /* packet of each message */
    size_t packets[OUT_MESSAGES];
    size_t count;
};

struct sf_sim_proxy {
    struct sf_sim_proxy_config config;
    struct sf_sim_relay *relay;
    struct sf_sim_nat_config nat;
    struct client clients[CLIENTS_MAX];
    size_t last_found;
    uint64_t datagrams;
    int listen_fd;
    bool is_gso;
    struct mmsghdr messages[IN_MESSAGES];
    struct iovec parts[IN_MESSAGES];
    struct sf_sim_address senders[IN_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t control[IN_MESSAGES][CMSG_SPACE(sizeof(int))];
    uint8_t (*buffers)[IN_BYTES];
    struct out out;
};

/* --- Sockets --- */

static void
enlarge_buffers(int fd)
{
    int bytes = SOCKET_BUFFER_BYTES;

    /* The host's own drops would spoil the model; without privileges its limit has to do. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    }
}

static int
open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;

    if (fd >= 0) {
        enlarge_buffers(fd);
        (void)setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)); /* it works without */
    }
    return fd;
}

/* A new socket for client `at` towards the other program. */
static bool
connect_client(struct sf_sim_proxy *proxy, size_t at)
{
    const struct sf_sim_address *to = &proxy->config.to;
    struct client *client = &proxy->clients[at];
    int fd = open_socket(to->storage.ss_family);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&to->storage, to->bytes) != 0 ||
        !sf_sim_relay_watch(proxy->relay, fd, at)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (client->fd >= 0) {
        close(client->fd); /* leaves the epoll set by itself */
    }
    client->fd = fd;
    return true;
}

static bool
is_client(const struct client *client, const struct sf_sim_address *address)
{
    return client->fd >= 0 && client->address.bytes == address->bytes &&
           memcmp(&client->address.storage, &address->storage, address->bytes) == 0;
}

/* The client at this address, made if new; CLIENTS_MAX if it cannot be. */
static size_t
find_client(struct sf_sim_proxy *proxy, const struct sf_sim_address *address)
{
    size_t oldest = 0;
    struct client *client;

    if (is_client(&proxy->clients[proxy->last_found], address)) {
        return proxy->last_found;
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (is_client(&proxy->clients[i], address)) {
            proxy->last_found = i;
            return i;
        }
        if (proxy->clients[i].used < proxy->clients[oldest].used) {
            oldest = i;
        }
    }
    client = &proxy->clients[oldest];
    if (!connect_client(proxy, oldest) || sf_sim_nat_init(&client->nat, &proxy->nat) != SF_OK) {
        return CLIENTS_MAX;
    }
    client->nat_address = sf_sim_nat_out(&client->nat, sf_sim_relay_now(proxy->relay));
    client->address = *address;
    client->generation++;
    sf_sim_relay_stats(proxy->relay)->clients++;
    proxy->last_found = oldest;
    return oldest;
}

/* --- Out --- */

/* A datagram of this client leaves: if its translator has forgotten it, from a new address. */
static void
translate(struct sf_sim_proxy *proxy, size_t at)
{
    struct client *client = &proxy->clients[at];
    uint64_t address = sf_sim_nat_out(&client->nat, sf_sim_relay_now(proxy->relay));

    if (address != client->nat_address && connect_client(proxy, at)) {
        client->nat_address = address;
        sf_sim_relay_stats(proxy->relay)->nat_rebinds++;
    }
}

/* Where a packet goes by; -1 if its client is gone. */
static int
socket_of(const struct sf_sim_proxy *proxy, const struct sf_sim_packet *packet)
{
    const struct client *client = &proxy->clients[packet->tag];

    if (client->generation != packet->generation) {
        return -1;
    }
    return packet->direction == SF_SIM_FORWARD ? client->fd : proxy->listen_fd;
}

/* How many packets from the first on may leave as one message: equal ones, the last may be shorter. */
static size_t
run_length(
    const struct sf_sim_proxy *proxy, struct sf_sim_packet *const *packets, size_t count, bool join)
{
    size_t bytes = packets[0]->bytes;
    size_t run = 1;

    if (!proxy->is_gso || !join || bytes == 0) {
        return 1;
    }
    while (run < count && run < SEGMENTS_MAX) {
        const struct sf_sim_packet *next = packets[run];

        if (next->tag != packets[0]->tag || next->generation != packets[0]->generation ||
            next->bytes == 0 || next->bytes > packets[0]->bytes ||
            bytes + next->bytes > RUN_BYTES_MAX) {
            break;
        }
        bytes += next->bytes;
        run++;
        if (next->bytes < packets[0]->bytes) {
            break;
        }
    }
    return run;
}

/* One message of `run` packets, packets[at] first. */
static void
add_message(struct sf_sim_proxy *proxy, struct sf_sim_packet *const *packets, size_t at, size_t run)
{
    struct out *out = &proxy->out;
    struct msghdr *head = &out->messages[out->count].msg_hdr;
    const struct sf_sim_packet *first = packets[at];

    memset(head, 0, sizeof(*head));
    for (size_t i = 0; i < run; i++) {
        out->parts[at + i] = (struct iovec){packets[at + i]->data, packets[at + i]->bytes};
    }
    head->msg_iov = &out->parts[at];
    head->msg_iovlen = run;
    if (first->direction == SF_SIM_BACK) {
        struct sf_sim_address *to = &proxy->clients[first->tag].address;

        head->msg_name = &to->storage;
        head->msg_namelen = to->bytes;
    }
    if (run > 1) {
        uint16_t segment = (uint16_t)first->bytes;
        struct cmsghdr *control;

        head->msg_control = out->control[out->count];
        head->msg_controllen = sizeof(out->control[0]);
        control = CMSG_FIRSTHDR(head);
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(segment));
        memcpy(CMSG_DATA(control), &segment, sizeof(segment));
    }
    out->first[out->count] = at;
    out->packets[out->count++] = run;
}

/*
 * As many packets from `at` on as one call takes, all by one socket. Returns
 * the socket, or -1 if the first packet has none.
 */
static int
collect(struct sf_sim_proxy *proxy, struct sf_sim_packet *const *packets, size_t at, size_t count,
    bool join)
{
    int fd = socket_of(proxy, packets[at]);

    proxy->out.count = 0;
    while (fd >= 0 && at < count && proxy->out.count < OUT_MESSAGES) {
        size_t run = run_length(proxy, packets + at, count - at, join);

        if (socket_of(proxy, packets[at]) != fd) {
            break;
        }
        add_message(proxy, packets, at, run);
        at += run;
        if (!join) {
            break;
        }
    }
    return fd;
}

static void
send_packets(void *owner, int direction, struct sf_sim_packet *const *packets, size_t count)
{
    struct sf_sim_proxy *proxy = owner;
    size_t at = 0;
    size_t alone = 0; /* packets before this one go each in a message of its own */
    bool tried_again = false;

    for (size_t i = 0; i < count && direction == SF_SIM_FORWARD; i++) {
        if (socket_of(proxy, packets[i]) >= 0) {
            translate(proxy, packets[i]->tag);
        }
    }
    while (at < count) {
        int fd = collect(proxy, packets, at, count, at >= alone);
        int done = fd < 0 ? 0 : sendmmsg(fd, proxy->out.messages, (unsigned)proxy->out.count, 0);

        for (int i = 0; i < done; i++) {
            for (size_t k = 0; k < proxy->out.packets[i]; k++) {
                packets[proxy->out.first[i] + k]->is_sent = true;
            }
            at += proxy->out.packets[i];
        }
        if (done > 0) {
            tried_again = false;
        } else if (fd >= 0 && errno == ECONNREFUSED && !tried_again) {
            /* That was about an earlier one: nobody listens, and it may yet begin to. */
            tried_again = true;
        } else if (fd >= 0 && proxy->out.packets[0] > 1) {
            /* Devices and long datagrams that cannot be joined: EIO, EINVAL, EMSGSIZE, ... */
            proxy->is_gso = errno == EMSGSIZE || errno == EAGAIN;
            alone = at + proxy->out.packets[0];
        } else {
            at++;
            tried_again = false;
        }
    }
}

/* --- In --- */

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

/* All datagrams of one message enter the path. */
static void
enter(struct sf_sim_proxy *proxy, int direction, size_t at, struct mmsghdr *message)
{
    struct client *client = &proxy->clients[at];
    const struct sf_sim_address *outside =
        direction == SF_SIM_FORWARD ? &proxy->config.to : &client->address;
    size_t head_bytes = outside->storage.ss_family == AF_INET6 ? 48 : 28; /* IP and UDP */
    const uint8_t *data = message->msg_hdr.msg_iov->iov_base;
    size_t left = message->msg_len;
    size_t segment = segment_bytes(&message->msg_hdr, left);

    client->used = ++proxy->datagrams;
    do {
        size_t bytes = left < segment ? left : segment;
        struct sf_sim_input input = {.direction = direction,
            .data = data,
            .bytes = bytes,
            .ip_bytes = bytes + head_bytes,
            .tag = at,
            .generation = client->generation};

        if (direction == SF_SIM_BACK &&
            !sf_sim_nat_in(&client->nat, client->nat_address, sf_sim_relay_now(proxy->relay))) {
            sf_sim_relay_stats(proxy->relay)->nat_dropped++;
        } else {
            sf_sim_relay_input(proxy->relay, &input);
        }
        data += bytes;
        left -= bytes;
    } while (left > 0);
}

/* Take what has arrived on one socket, a batch at most. */
static void
receive(void *owner, size_t tag)
{
    struct sf_sim_proxy *proxy = owner;
    int fd = tag == TAG_LISTEN ? proxy->listen_fd : proxy->clients[tag].fd;
    int count;

    for (size_t i = 0; i < IN_MESSAGES; i++) {
        memset(&proxy->senders[i].storage, 0, sizeof(proxy->senders[i].storage));
        proxy->parts[i] = (struct iovec){proxy->buffers[i], IN_BYTES};
        proxy->messages[i].msg_hdr = (struct msghdr){.msg_name = &proxy->senders[i].storage,
            .msg_namelen = sizeof(proxy->senders[i].storage),
            .msg_iov = &proxy->parts[i],
            .msg_iovlen = 1,
            .msg_control = proxy->control[i],
            .msg_controllen = sizeof(proxy->control[i])};
    }
    count = recvmmsg(fd, proxy->messages, IN_MESSAGES, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        size_t at = tag;

        if (tag == TAG_LISTEN) {
            proxy->senders[i].bytes = proxy->messages[i].msg_hdr.msg_namelen;
            at = find_client(proxy, &proxy->senders[i]);
            if (at == CLIENTS_MAX) {
                sf_sim_relay_stats(proxy->relay)->directions[SF_SIM_FORWARD].send_failed++;
                continue;
            }
        }
        enter(proxy, tag == TAG_LISTEN ? SF_SIM_FORWARD : SF_SIM_BACK, at, &proxy->messages[i]);
    }
}

/* --- Changes --- */

static void
rebind(void *owner)
{
    struct sf_sim_proxy *proxy = owner;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (proxy->clients[i].fd < 0) {
            continue;
        }
        if (connect_client(proxy, i)) {
            sf_sim_relay_stats(proxy->relay)->nat_rebinds++;
        } else {
            sf_sim_relay_stats(proxy->relay)->directions[SF_SIM_FORWARD].send_failed++;
        }
    }
}

static void
changed(void *owner, const struct sf_sim_profile *profile)
{
    struct sf_sim_proxy *proxy = owner;

    proxy->nat = profile->nat;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        proxy->clients[i].nat.config = profile->nat;
    }
}

/* --- Opening and closing --- */

static bool
start(struct sf_sim_proxy *proxy, struct sf_sim_address *ret_listen)
{
    const struct sf_sim_port port = {.owner = proxy,
        .readable = receive,
        .send = send_packets,
        .rebind = rebind,
        .changed = changed};
    const struct sf_sim_address *listen = &proxy->config.listen;
    int value = 0;
    socklen_t value_bytes = sizeof(value);

    proxy->buffers = malloc(IN_MESSAGES * sizeof(*proxy->buffers));
    proxy->listen_fd = open_socket(listen->storage.ss_family);
    if (proxy->buffers == NULL || proxy->listen_fd < 0 ||
        bind(proxy->listen_fd, (const struct sockaddr *)&listen->storage, listen->bytes) != 0) {
        return false;
    }
    proxy->is_gso = getsockopt(proxy->listen_fd, SOL_UDP, UDP_SEGMENT, &value, &value_bytes) == 0;
    ret_listen->bytes = sizeof(ret_listen->storage);
    if (getsockname(
            proxy->listen_fd, (struct sockaddr *)&ret_listen->storage, &ret_listen->bytes) != 0) {
        return false;
    }
    proxy->relay = sf_sim_relay_open(&proxy->config.relay, &port);
    return proxy->relay != NULL && sf_sim_relay_watch(proxy->relay, proxy->listen_fd, TAG_LISTEN);
}

struct sf_sim_proxy *
sf_sim_proxy_open(const struct sf_sim_proxy_config *config, struct sf_sim_address *ret_listen)
{
    struct sf_sim_proxy *proxy = calloc(1, sizeof(*proxy));
    int error;

    if (proxy == NULL) {
        return NULL;
    }
    proxy->config = *config;
    proxy->nat = config->relay.profile.nat;
    proxy->listen_fd = -1;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        proxy->clients[i].fd = -1;
    }
    if (!start(proxy, ret_listen)) {
        error = errno;
        sf_sim_proxy_close(proxy);
        errno = error;
        return NULL;
    }
    return proxy;
}

struct sf_sim_relay *
sf_sim_proxy_relay(struct sf_sim_proxy *proxy)
{
    return proxy->relay;
}

void
sf_sim_proxy_close(struct sf_sim_proxy *proxy)
{
    sf_sim_relay_close(proxy->relay);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (proxy->clients[i].fd >= 0) {
            close(proxy->clients[i].fd);
        }
    }
    if (proxy->listen_fd >= 0) {
        close(proxy->listen_fd);
    }
    free(proxy->buffers);
    free(proxy);
}
