/*
 * bench_sim_link.c - counts what a link lets through: numbered and time-stamped
 * datagrams from one socket to another, each in a network namespace if wanted.
 * Used by tests/bench/link.
 *
 *     bench_sim_link FROM TO SEND-TO BIND MBIT SECONDS BYTES
 *
 * FROM and TO are names below /run/netns, or - for this namespace; SEND-TO and
 * BIND are ADDR:PORT (IPv4). MBIT counts IP bytes, 0 is as fast as it goes. One
 * line of JSON tells what arrived: nobody passes or fails here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
    HEAD_BYTES = 28,
    BATCH = 32,
    BYTES_MAX = 9000,
    QUIET_MS = 1500, /* the end, when nothing has come for so long */
    BUCKETS = 4000000,
    BUCKET_US = 1,
    JOINED_MAX = 40, /* datagrams of one call */
};

struct mark {
    uint64_t number;
    uint64_t sent_ns;
};

struct result {
    uint64_t received;
    uint64_t repeated; /* or older than one before */
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t first_bytes;
    uint64_t least_ns; /* of the delays */
    uint64_t most_ns;
    uint32_t delays[BUCKETS]; /* by microseconds, the last one holds what is longer */
};

static void
die(const char *what)
{
    fprintf(stderr, "bench_sim_link: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void
enter(const char *name)
{
    char path[256];
    int fd;

    if (strcmp(name, "-") == 0) {
        return;
    }
    snprintf(path, sizeof(path), "/run/netns/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        die(path);
    }
    close(fd);
}

static struct sockaddr_in
parse(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(text, ':');

    errno = EINVAL;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host)) {
        die(text);
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        die(text);
    }
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return address;
}

static int
open_socket(void)
{
    int bytes = 32 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        die("socket");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    }
    return fd;
}

static void
count_one(struct result *result, const struct mark *mark, size_t bytes, uint64_t now)
{
    static uint64_t next;
    uint64_t delay = now - mark->sent_ns;
    uint64_t bucket = delay / 1000 / BUCKET_US;

    if (result->received++ == 0) {
        result->first_ns = now;
        result->first_bytes = bytes;
        result->least_ns = delay;
    }
    result->last_ns = now;
    result->repeated += mark->number < next;
    next = mark->number >= next ? mark->number + 1 : next;
    result->least_ns = delay < result->least_ns ? delay : result->least_ns;
    result->most_ns = delay > result->most_ns ? delay : result->most_ns;
    result->delays[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static void
receive(int fd, struct result *result)
{
    static uint8_t buffers[BATCH][BYTES_MAX];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct timeval patience = {.tv_sec = 60};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    patience = (struct timeval){.tv_sec = QUIET_MS / 1000, .tv_usec = QUIET_MS % 1000 * 1000};
    for (;;) {
        int count;

        memset(messages, 0, sizeof(messages));
        for (size_t i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){buffers[i], BYTES_MAX};
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (count <= 0) {
            return;
        }
        if (result->received == 0) {
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        }
        for (int i = 0; i < count; i++) {
            struct mark mark;

            memcpy(&mark, buffers[i], sizeof(mark));
            count_one(result, &mark, messages[i].msg_len, now_ns());
        }
    }
}

/* Send for that long; returns how many. */
static uint64_t
send_all(int fd, uint64_t bits_per_second, uint64_t span_ns, size_t bytes)
{
    static uint8_t buffer[JOINED_MAX * BYTES_MAX];
    int segment = (int)bytes;
    size_t joined = 65000 / bytes < JOINED_MAX ? 65000 / bytes : JOINED_MAX;
    uint64_t gap_ns = bits_per_second == 0
                          ? 0
                          : (uint64_t)(bytes + HEAD_BYTES) * 8 * 1000000000 / bits_per_second;
    uint64_t start = now_ns();
    uint64_t number = 0;

    /* A train of several at high rates only: below, each at its own time. */
    if (gap_ns > 100000 || setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) != 0) {
        joined = 1;
    } else if (gap_ns != 0 && gap_ns * joined > 200000) {
        joined = 200000 / gap_ns + 1;
    }
    while (now_ns() - start < span_ns) {
        uint64_t due = start + number * gap_ns;
        uint64_t now = now_ns();

        if (gap_ns != 0 && now < due) {
            struct timespec wait = {0, (long)(due - now < 900000000 ? due - now : 900000000)};

            nanosleep(&wait, NULL);
            continue;
        }
        for (size_t i = 0; i < joined; i++) {
            struct mark mark = {number + i, now_ns()};

            memcpy(buffer + i * bytes, &mark, sizeof(mark));
        }
        if (send(fd, buffer, joined * bytes, 0) >= 0) {
            number += joined;
        } else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) {
            die("send");
        }
    }
    return number;
}

/* The delay that `share` of a thousand do not exceed, in microseconds. */
static uint64_t
quantile(const struct result *result, uint64_t share)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        seen += result->delays[i];
        if (seen * 1000 >= result->received * share) {
            return i * BUCKET_US;
        }
    }
    return 0;
}

static void
print(const struct result *result, uint64_t sent, size_t bytes)
{
    double seconds = (double)(result->last_ns - result->first_ns) / 1e9;
    double bits = result->received < 2
                      ? 0
                      : (double)(result->received - 1) * (double)(bytes + HEAD_BYTES) * 8;

    printf("{\"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"lost_percent\": %.4f"
           ", \"repeated_or_late\": %" PRIu64
           ", \"ip_mbit_s\": %.3f, \"delay_ms\": {\"least\": %.3f"
           ", \"p50\": %.3f, \"p99\": %.3f, \"most\": %.3f}}\n",
        sent, result->received,
        sent == 0 ? 0 : 100.0 * (double)(int64_t)(sent - result->received) / (double)sent,
        result->repeated, seconds > 0 ? bits / seconds / 1e6 : 0, (double)result->least_ns / 1e6,
        (double)quantile(result, 500) / 1e3, (double)quantile(result, 990) / 1e3,
        (double)result->most_ns / 1e6);
}

int
main(int argc, char **argv)
{
    const struct sched_param priority = {.sched_priority = 5};
    struct sockaddr_in to;
    struct sockaddr_in own;
    struct result *result;
    size_t bytes;
    uint64_t sent;
    pid_t child;
    int fd;

    if (argc != 8) {
        fprintf(stderr, "usage: bench_sim_link FROM TO SEND-TO BIND MBIT SECONDS BYTES\n");
        return 2;
    }
    bytes = strtoul(argv[7], NULL, 10);
    bytes = bytes < sizeof(struct mark) ? sizeof(struct mark)
            : bytes > BYTES_MAX         ? BYTES_MAX
                                        : bytes;
    to = parse(argv[3]);
    own = parse(argv[4]);
    result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED) {
        die("memory");
    }
    /* What is measured is the link, not who else wants the processor; where that is permitted. */
    (void)sched_setscheduler(0, SCHED_FIFO, &priority);
    child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        enter(argv[2]);
        fd = open_socket();
        if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) != 0) {
            die(argv[4]);
        }
        receive(fd, result);
        exit(EXIT_SUCCESS);
    }
    usleep(100000); /* the receiver is there */
    enter(argv[1]);
    fd = open_socket();
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        die(argv[3]);
    }
    sent = send_all(
        fd, strtoull(argv[5], NULL, 10) * 1000000, (uint64_t)(strtod(argv[6], NULL) * 1e9), bytes);
    waitpid(child, NULL, 0);
    print(result, sent, bytes);
    return EXIT_SUCCESS;
}
