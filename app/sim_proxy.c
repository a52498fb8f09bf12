#include <config.h>

#include "app/sim_proxy.h"

#include "base/bytes.h"
#include "sim/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64, /* the one idle for longest makes room */
    BATCH = 64,
    DATAGRAM_BYTES_MAX = 65536,
    SOCKET_BUFFER_BYTES = 8 << 20,
    TAG_LISTEN = CLIENTS_MAX,
    TAG_SIGNAL,
};

/* Datagrams under way; beyond it they are dropped as by a full queue. */
static const size_t UNDER_WAY_BYTES_MAX = (size_t)1 << 30;

struct client {
    int fd; /* -1: free */
    struct sf_sim_address address;
    uint64_t used;       /* when last, in datagrams */
    uint64_t generation; /* so that what is under way to an earlier one is not sent to this one */
};

struct sf_sim_proxy {
    struct sf_sim_proxy_config config;
    struct sf_sim_clock clock;
    struct sf_sim_path paths[SF_SIM_DIRECTIONS];
    struct sf_sim_proxy_stats stats;
    struct client clients[CLIENTS_MAX];
    uint64_t datagrams;
    size_t under_way_bytes;
    struct timespec start;
    int listen_fd;
    int signal_fd;
    int epoll_fd;
    struct sf_sim_event live;
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sf_sim_address senders[BATCH];
    uint8_t (*buffers)[DATAGRAM_BYTES_MAX];
};

struct packet {
    struct sf_sim_event event;
    struct sf_sim_proxy *proxy;
    int direction;
    size_t client;
    uint64_t generation;
    size_t bytes;
    uint8_t data[];
};

static sf_mono
now_of(const struct sf_sim_proxy *proxy)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (sf_mono)((int64_t)(now.tv_sec - proxy->start.tv_sec) * (int64_t)SF_SEC +
                     (now.tv_nsec - proxy->start.tv_nsec));
}

/* --- Sockets --- */

static bool
watch(struct sf_sim_proxy *proxy, int fd, size_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

    return epoll_ctl(proxy->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

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

    if (fd >= 0) {
        enlarge_buffers(fd);
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
        !watch(proxy, fd, at)) {
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

/* The client at this address, made if new; CLIENTS_MAX if it cannot be. */
static size_t
find_client(struct sf_sim_proxy *proxy, const struct sf_sim_address *address)
{
    size_t oldest = 0;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &proxy->clients[i];

        if (client->fd >= 0 && client->address.bytes == address->bytes &&
            memcmp(&client->address.storage, &address->storage, address->bytes) == 0) {
            return i;
        }
        if (client->used < proxy->clients[oldest].used) {
            oldest = i;
        }
    }
    if (!connect_client(proxy, oldest)) {
        return CLIENTS_MAX;
    }
    proxy->clients[oldest].address = *address;
    proxy->clients[oldest].generation++;
    proxy->stats.clients++;
    return oldest;
}

/* --- Datagrams --- */

static void
deliver(struct sf_sim_event *event, sf_mono now)
{
    struct packet *packet = event->owner;
    struct sf_sim_proxy *proxy = packet->proxy;
    const struct client *client = &proxy->clients[packet->client];
    struct sf_sim_proxy_direction *direction = &proxy->stats.directions[packet->direction];
    ssize_t sent = -1;

    (void)now;
    if (client->generation == packet->generation) {
        if (packet->direction == SF_SIM_FORWARD) {
            sent = send(client->fd, packet->data, packet->bytes, 0);
            if (sent < 0 && errno == ECONNREFUSED) {
                /* That was about an earlier one: nobody listens, and it may yet begin to. */
                sent = send(client->fd, packet->data, packet->bytes, 0);
            }
        } else {
            sent = sendto(proxy->listen_fd, packet->data, packet->bytes, 0,
                (const struct sockaddr *)&client->address.storage, client->address.bytes);
        }
    }
    if (sent < 0) {
        direction->send_failed++;
    } else {
        direction->payload_out += packet->bytes;
    }
    proxy->under_way_bytes -= packet->bytes;
    free(packet);
}

static void
record(struct sf_sim_proxy *proxy, const uint8_t *data, size_t bytes)
{
    uint8_t length[4];

    if (proxy->config.record != NULL) {
        sf_put_be32(length, (uint32_t)bytes);
        (void)fwrite(length, 1, sizeof(length), proxy->config.record);
        (void)fwrite(data, 1, bytes, proxy->config.record);
    }
}

/* One datagram enters the path. */
static void
enter(struct sf_sim_proxy *proxy, int direction, size_t client, const uint8_t *data, size_t bytes)
{
    const struct sf_sim_address *outside =
        direction == SF_SIM_FORWARD ? &proxy->config.to : &proxy->clients[client].address;
    size_t head_bytes = outside->storage.ss_family == AF_INET6 ? 48 : 28; /* IP and UDP */
    struct sf_sim_delivery deliveries[SF_SIM_PATH_COPIES_MAX];
    size_t count = sf_sim_path_input(
        &proxy->paths[direction], bytes, bytes + head_bytes, proxy->clock.now, deliveries);

    proxy->stats.directions[direction].payload_in += bytes;
    proxy->clients[client].used = ++proxy->datagrams;
    record(proxy, data, bytes);
    for (size_t i = 0; i < count; i++) {
        struct packet *packet = NULL;

        if (proxy->under_way_bytes + bytes <= UNDER_WAY_BYTES_MAX) {
            packet = malloc(sizeof(*packet) + bytes);
        }
        if (packet == NULL) {
            proxy->paths[direction].stats.dropped_queue++;
            proxy->paths[direction].stats.datagrams_out--;
            continue;
        }
        *packet = (struct packet){.event = {.fire = deliver, .owner = packet},
            .proxy = proxy,
            .direction = direction,
            .client = client,
            .generation = proxy->clients[client].generation,
            .bytes = bytes};
        memcpy(packet->data, data, bytes);
        sf_sim_delivery_apply(&deliveries[i], packet->data, bytes);
        proxy->under_way_bytes += bytes;
        sf_sim_clock_set(&proxy->clock, &packet->event, deliveries[i].at);
    }
}

/* Take what has arrived on one socket, a batch at most. */
static void
receive(struct sf_sim_proxy *proxy, size_t tag)
{
    int fd = tag == TAG_LISTEN ? proxy->listen_fd : proxy->clients[tag].fd;
    int count;

    for (size_t i = 0; i < BATCH; i++) {
        memset(&proxy->senders[i].storage, 0, sizeof(proxy->senders[i].storage));
        proxy->vectors[i] = (struct iovec){proxy->buffers[i], DATAGRAM_BYTES_MAX};
        proxy->messages[i].msg_hdr = (struct msghdr){.msg_name = &proxy->senders[i].storage,
            .msg_namelen = sizeof(proxy->senders[i].storage),
            .msg_iov = &proxy->vectors[i],
            .msg_iovlen = 1};
    }
    count = recvmmsg(fd, proxy->messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        size_t client = tag;
        int direction = SF_SIM_BACK;

        if (tag == TAG_LISTEN) {
            proxy->senders[i].bytes = proxy->messages[i].msg_hdr.msg_namelen;
            direction = SF_SIM_FORWARD;
            client = find_client(proxy, &proxy->senders[i]);
            if (client == CLIENTS_MAX) {
                proxy->stats.directions[direction].send_failed++;
                continue;
            }
        }
        enter(proxy, direction, client, proxy->buffers[i], proxy->messages[i].msg_len);
    }
}

/* --- The loop --- */

static uint64_t
dropped(const struct sf_sim_path_stats *stats)
{
    return stats->dropped_loss + stats->dropped_mtu + stats->dropped_outage + stats->dropped_queue;
}

static void
show_live(struct sf_sim_event *event, sf_mono now)
{
    struct sf_sim_proxy *proxy = event->owner;
    const struct sf_sim_path_stats *forward = &proxy->paths[SF_SIM_FORWARD].stats;
    const struct sf_sim_path_stats *back = &proxy->paths[SF_SIM_BACK].stats;

    fprintf(stderr,
        "\r%6" PRIu64 " s  forward: %" PRIu64 " in, %" PRIu64 " dropped   back: %" PRIu64
        " in, %" PRIu64 " dropped   \033[K",
        now / SF_SEC, forward->datagrams_in, dropped(forward), back->datagrams_in, dropped(back));
    fflush(stderr);
    sf_sim_clock_set(&proxy->clock, event, now + SF_SEC);
}

/* Returns whether to go on. */
static bool
take_signal(struct sf_sim_proxy *proxy)
{
    struct signalfd_siginfo info;

    if (read(proxy->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return true;
    }
    if (info.ssi_signo != SIGUSR1) {
        return false;
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (proxy->clients[i].fd >= 0 && !connect_client(proxy, i)) {
            proxy->stats.directions[SF_SIM_FORWARD].send_failed++;
        }
    }
    return true;
}

static bool
loop(struct sf_sim_proxy *proxy)
{
    struct epoll_event events[BATCH];

    for (;;) {
        sf_mono now = now_of(proxy);
        sf_mono deadline;
        struct timespec wait = {0, 0};
        int count;

        sf_sim_clock_run(&proxy->clock, now);
        deadline = sf_sim_clock_deadline(&proxy->clock);
        now = now_of(proxy);
        if (deadline != SF_NEVER && deadline > now) {
            wait.tv_sec = (time_t)((deadline - now) / SF_SEC);
            wait.tv_nsec = (long)((deadline - now) % SF_SEC);
        }
        count =
            epoll_pwait2(proxy->epoll_fd, events, BATCH, deadline == SF_NEVER ? NULL : &wait, NULL);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        sf_sim_clock_run(&proxy->clock, now_of(proxy));
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 != TAG_SIGNAL) {
                receive(proxy, (size_t)events[i].data.u64);
            } else if (!take_signal(proxy)) {
                return true;
            }
        }
    }
}

bool
sf_sim_proxy_run(struct sf_sim_proxy *proxy, struct sf_sim_proxy_stats *ret_stats)
{
    bool good;

    if (proxy->config.live) {
        proxy->live = (struct sf_sim_event){.fire = show_live, .owner = proxy};
        sf_sim_clock_set(&proxy->clock, &proxy->live, SF_SEC);
    }
    good = loop(proxy);
    if (proxy->config.live) {
        fputc('\n', stderr);
    }
    proxy->stats.seconds = (double)now_of(proxy) / (double)SF_SEC;
    for (int i = 0; i < SF_SIM_DIRECTIONS; i++) {
        proxy->stats.directions[i].path = proxy->paths[i].stats;
    }
    *ret_stats = proxy->stats;
    return good;
}

/* --- Opening and closing --- */

static bool
take_signals(struct sf_sim_proxy *proxy)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return false;
    }
    proxy->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return proxy->signal_fd >= 0;
}

static bool
start(struct sf_sim_proxy *proxy, struct sf_sim_address *ret_listen)
{
    const struct sf_sim_address *listen = &proxy->config.listen;

    proxy->buffers = malloc(BATCH * sizeof(*proxy->buffers));
    proxy->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    proxy->listen_fd = open_socket(listen->storage.ss_family);
    if (proxy->buffers == NULL || proxy->epoll_fd < 0 || proxy->listen_fd < 0 ||
        bind(proxy->listen_fd, (const struct sockaddr *)&listen->storage, listen->bytes) != 0) {
        return false;
    }
    ret_listen->bytes = sizeof(ret_listen->storage);
    return getsockname(proxy->listen_fd, (struct sockaddr *)&ret_listen->storage,
               &ret_listen->bytes) == 0 &&
           take_signals(proxy) && watch(proxy, proxy->listen_fd, TAG_LISTEN) &&
           watch(proxy, proxy->signal_fd, TAG_SIGNAL);
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
    proxy->listen_fd = proxy->signal_fd = proxy->epoll_fd = -1;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        proxy->clients[i].fd = -1;
    }
    sf_sim_clock_init(&proxy->clock, 0);
    if (sf_sim_path_init(&proxy->paths[SF_SIM_FORWARD], &config->profile.forward, config->seed,
            SF_SIM_FORWARD) != SF_OK ||
        sf_sim_path_init(&proxy->paths[SF_SIM_BACK], &config->profile.back, config->seed,
            SF_SIM_BACK) != SF_OK) {
        sf_sim_proxy_close(proxy);
        errno = EINVAL;
        return NULL;
    }
    if (!start(proxy, ret_listen)) {
        error = errno;
        sf_sim_proxy_close(proxy);
        errno = error;
        return NULL;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* wake when asked, not 50 us later */
    (void)clock_gettime(CLOCK_MONOTONIC, &proxy->start);
    return proxy;
}

void
sf_sim_proxy_close(struct sf_sim_proxy *proxy)
{
    const int fds[] = {proxy->listen_fd, proxy->signal_fd, proxy->epoll_fd};

    sf_sim_clock_cancel(&proxy->clock, &proxy->live);
    while (proxy->clock.count > 0) {
        struct sf_sim_event *event = proxy->clock.heap[1];

        sf_sim_clock_cancel(&proxy->clock, event);
        free(event->owner);
    }
    sf_sim_clock_fini(&proxy->clock);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (proxy->clients[i].fd >= 0) {
            close(proxy->clients[i].fd);
        }
    }
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(proxy->buffers);
    free(proxy);
}
