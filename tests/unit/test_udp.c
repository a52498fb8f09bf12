/*
 * UDP sockets on the loopback: what is added arrives, whole, in order and from
 * the right address, with segmentation offload and without.
 */
#include "app/udp.h"

#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVED_MAX = 4096 };

struct received {
    size_t bytes[RECEIVED_MAX];
    uint8_t first[RECEIVED_MAX];
    uint8_t last[RECEIVED_MAX];
    struct sf_addr from[RECEIVED_MAX];
    bool is_congested[RECEIVED_MAX];
    size_t count;
};

static struct received received;
static uint32_t mark; /* of what is added */

static void
note(void *context, const struct sf_udp_datagram *came)
{
    struct received *to = context;
    uint8_t *datagram = came->data;
    size_t bytes = came->bytes;

    if (to->count < RECEIVED_MAX) {
        to->bytes[to->count] = bytes;
        to->first[to->count] = bytes == 0 ? 0 : datagram[0];
        to->last[to->count] = bytes == 0 ? 0 : datagram[bytes - 1];
        to->from[to->count] = *came->from;
        to->is_congested[to->count] = came->is_congested;
        to->count++;
    }
    memset(datagram, 0xee, bytes); /* as decryption in place would */
}

/* A port that is free just now, for sockets which are never bound to port 0. */
static uint16_t
free_port(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    int failed = bind(fd, (struct sockaddr *)&address, sizeof(address)) |
                 getsockname(fd, (struct sockaddr *)&address, &bytes);

    close(fd);
    return failed != 0 ? 0 : ntohs(address.sin6_port);
}

static bool
has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bool is_there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return is_there;
}

static struct sf_udp *
open_at(const char *host, uint16_t port)
{
    struct sf_config config;
    struct sf_udp *udp = NULL;
    struct sf_app_error error = {.text = ""};

    sf_config_init(&config);
    config.is_listen_default = false;
    snprintf(config.listen[0].host, sizeof(config.listen[0].host), "%s", host);
    config.listen[0].port = port;
    if (sf_udp_open(&config, &udp, &error) != SF_OK) {
        printf("\n    %s\n", error.text);
    }
    REQUIRE(udp != NULL);
    return udp;
}

static struct sf_addr
address(const char *host, uint16_t port)
{
    struct sf_addr addr = {.port = port};
    struct in_addr v4;

    if (inet_pton(AF_INET, host, &v4) == 1) {
        return sf_addr_v4(ntohl(v4.s_addr), port);
    }
    REQUIRE_EQ(inet_pton(AF_INET6, host, addr.ip), 1);
    return addr;
}

static void
add(struct sf_udp *udp, const struct sf_addr *to, size_t bytes, uint8_t fill)
{
    uint8_t *room = sf_udp_room(udp);

    REQUIRE(room != NULL);
    memset(room, fill, bytes);
    sf_udp_add(udp, to, mark, bytes);
}

static void
flush(struct sf_udp *udp)
{
    size_t index;

    for (int tries = 0; !sf_udp_flush(udp, &index); tries++) {
        struct pollfd ready = {.fd = sf_udp_fd(udp, index), .events = POLLOUT};

        REQUIRE(tries < 100);
        REQUIRE_EQ(poll(&ready, 1, 5000), 1);
    }
}

/* Until `count` datagrams have come, or none comes any more. */
static void
receive(struct sf_udp *udp, size_t count)
{
    received.count = 0;
    while (received.count < count) {
        struct pollfd ready = {.fd = sf_udp_fd(udp, 0), .events = POLLIN};

        if (poll(&ready, 1, 1000) != 1) {
            break;
        }
        (void)sf_udp_receive(udp, 0, note, &received);
    }
}

/* 200 datagrams: two full runs, a shorter one that ends a run, sizes that change. */
static size_t
example_bytes(size_t i)
{
    return i == 130 ? 700 : i > 180 ? 100 + i : 1372;
}

static void
exchange(const char *host, const char *target)
{
    struct sf_udp *a = open_at(host, free_port());
    struct sf_udp *b = open_at(host, free_port());
    struct sf_addr from;
    struct sf_addr to;
    struct sf_udp_stats stats;

    sf_udp_bound(a, 0, &from);
    sf_udp_bound(b, 0, &to);
    to = address(target, to.port);
    for (size_t i = 0; i < 200; i++) {
        add(a, &to, example_bytes(i), (uint8_t)i);
    }
    flush(a);
    receive(b, 200);
    CHECK_EQ(received.count, 200);
    for (size_t i = 0; i < received.count; i++) {
        CHECK_EQ(received.bytes[i], example_bytes(i));
        CHECK_EQ(received.first[i], (uint8_t)i);
        CHECK_EQ(received.last[i], (uint8_t)i);
        CHECK_EQ(received.from[i].port, from.port);
        CHECK_EQ(sf_addr_is_v4(&received.from[i]), sf_addr_is_v4(&to));
    }
    sf_udp_stats(a, &stats);
    CHECK_EQ(stats.datagrams_out, 200);
    CHECK_EQ(stats.dropped_out, 0);
    if (stats.is_gso) {
        CHECK(stats.calls_out <= 3);
    }
    sf_udp_close(a);
    sf_udp_close(b);
}

static void
test_v4(void)
{
    exchange("127.0.0.1", "127.0.0.1");
}

static void
test_dual(void)
{
    if (!has_ipv6()) {
        SKIP("this host has no IPv6");
    }
    exchange("::", "127.0.0.1");
    exchange("::", "::1");
    exchange("::1", "::1");
}

static void
test_no_way(void)
{
    struct sf_udp *udp = open_at("127.0.0.1", free_port());
    struct sf_addr v6 = address("2001:db8::1", 9);
    struct sf_addr here = address("127.0.0.1", free_port());
    struct sf_udp_stats stats;

    /* What has no way is lost, as on any path, and does not hold up the rest. */
    add(udp, &v6, 100, 1);
    add(udp, &here, 100, 2);
    add(udp, &v6, 100, 3);
    flush(udp);
    sf_udp_stats(udp, &stats);
    CHECK_EQ(stats.dropped_out, 2);
    CHECK_EQ(stats.datagrams_out, 1);
    sf_udp_close(udp);
}

static void
test_dont_fragment(void)
{
    struct sf_udp *udp = open_at("127.0.0.1", free_port());
    int value = -1;
    socklen_t bytes = sizeof(value);

    CHECK_EQ(getsockopt(sf_udp_fd(udp, 0), IPPROTO_IP, IP_MTU_DISCOVER, &value, &bytes), 0);
    CHECK_EQ(value, IP_PMTUDISC_PROBE);
    CHECK_EQ(sf_udp_fd(udp, 1), -1);
    sf_udp_close(udp);
    if (!has_ipv6()) {
        SKIP("this host has no IPv6");
    }
    udp = open_at("::", free_port());
    CHECK_EQ(getsockopt(sf_udp_fd(udp, 0), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value, &bytes), 0);
    CHECK_EQ(value, IPV6_PMTUDISC_PROBE);
    CHECK_EQ(getsockopt(sf_udp_fd(udp, 0), IPPROTO_IP, IP_MTU_DISCOVER, &value, &bytes), 0);
    CHECK_EQ(value, IP_PMTUDISC_PROBE);
    sf_udp_close(udp);
}

static void
test_taken(void)
{
    uint16_t port = free_port();
    struct sf_udp *first = open_at("127.0.0.1", port);
    struct sf_udp *second = NULL;
    struct sf_config config;
    struct sf_app_error error;

    sf_config_init(&config);
    config.is_listen_default = false;
    snprintf(config.listen[0].host, sizeof(config.listen[0].host), "127.0.0.1");
    config.listen[0].port = port;
    CHECK_EQ(sf_udp_open(&config, &second, &error), SF_EEXIST);
    CHECK(strstr(error.text, "is taken") != NULL);
    snprintf(config.listen[0].host, sizeof(config.listen[0].host), "192.0.2.1");
    CHECK_EQ(sf_udp_open(&config, &second, &error), SF_EINVAL);
    CHECK(strstr(error.text, "192.0.2.1") != NULL);
    CHECK(second == NULL);
    sf_udp_close(first);
    sf_udp_close(NULL);
}

static void
test_both_families(void)
{
    struct sf_config config;
    struct sf_udp *udp = NULL;
    struct sf_app_error error;

    if (!has_ipv6()) {
        SKIP("this host has no IPv6");
    }
    sf_config_init(&config);
    config.is_listen_default = false;
    config.listen_count = 2;
    config.listen[0].port = free_port();
    snprintf(config.listen[1].host, sizeof(config.listen[1].host), "0.0.0.0");
    config.listen[1].port = config.listen[0].port;
    REQUIRE_EQ(sf_udp_open(&config, &udp, &error), SF_OK);
    CHECK(sf_udp_fd(udp, 1) >= 0);
    sf_udp_close(udp);
}

static void
test_queue_full(void)
{
    struct sf_udp *a = open_at("127.0.0.1", free_port());
    struct sf_udp *b = open_at("127.0.0.1", free_port());
    struct sf_addr to;
    size_t count = 0;

    sf_udp_bound(b, 0, &to);
    for (uint8_t *room; (room = sf_udp_room(a)) != NULL; count++) {
        memset(room, 7, 1372);
        sf_udp_add(a, &to, 0, 1372);
    }
    CHECK(count >= 64 && count <= 512);
    flush(a);
    CHECK(sf_udp_room(a) != NULL);
    receive(b, count);
    CHECK_EQ(received.count, count);
    sf_udp_close(a);
    sf_udp_close(b);
}

static void
test_print(void)
{
    char text[SF_UDP_ADDR_TEXT_BYTES];
    struct sf_addr addr = address("192.0.2.7", 7272);

    sf_udp_addr_print(&addr, text);
    CHECK_TEXT(text, "192.0.2.7:7272");
    addr = address("2001:db8::7", 1);
    sf_udp_addr_print(&addr, text);
    CHECK_TEXT(text, "[2001:db8::7]:1");
}

/* A raw receiver that is told the traffic class of what comes. */
static int
open_class_receiver(uint16_t port)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int one = 1;

    REQUIRE(fd >= 0);
    REQUIRE_EQ(setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)), 0);
    REQUIRE_EQ(bind(fd, (struct sockaddr *)&there, sizeof(there)), 0);
    return fd;
}

static int
next_class(int fd)
{
    uint8_t bytes[2000];
    _Alignas(struct cmsghdr) uint8_t control[64];
    struct iovec part = {bytes, sizeof(bytes)};
    struct msghdr head = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control)};
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (poll(&ready, 1, 1000) != 1 || recvmsg(fd, &head, 0) < 0 || CMSG_FIRSTHDR(&head) == NULL) {
        return -1;
    }
    return *CMSG_DATA(CMSG_FIRSTHDR(&head));
}

static void
test_marks(void)
{
    const struct sf_mark expedited = {.dscp = 46};
    const struct sf_mark found = {.dscp = SF_MARK_DSCP_LE, .is_ect = true};
    uint16_t port = free_port();
    struct sf_addr to = address("127.0.0.1", port);
    int fd = open_class_receiver(port);
    static const char *const hosts[] = {"127.0.0.1", "::"};

    for (size_t i = 0; i < (has_ipv6() ? 2 : 1); i++) {
        struct sf_udp *udp = open_at(hosts[i], free_port());

        mark = sf_mark_encode(&expedited);
        add(udp, &to, 100, 1);
        add(udp, &to, 100, 2); /* as one call */
        mark = sf_mark_encode(&found);
        add(udp, &to, 100, 3);
        mark = 0;
        add(udp, &to, 100, 4);
        flush(udp);
        CHECK_EQ(next_class(fd), 46 << 2);
        CHECK_EQ(next_class(fd), 46 << 2);
        CHECK_EQ(next_class(fd), SF_MARK_DSCP_LE << 2 | 2);
        CHECK_EQ(next_class(fd), 0);
        sf_udp_close(udp);
    }
    close(fd);
}

/* What the network marks CE is told so, also in the middle of others. */
static void
test_congested(void)
{
    uint16_t port = free_port();
    struct sf_udp *udp = open_at("127.0.0.1", port);
    struct sockaddr_in there = {.sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    static const int classes[] = {0, 3, 2, 46 << 2 | 3, 1};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    REQUIRE(fd >= 0);
    for (size_t i = 0; i < 5; i++) {
        REQUIRE_EQ(setsockopt(fd, IPPROTO_IP, IP_TOS, &classes[i], sizeof(classes[i])), 0);
        REQUIRE_EQ(sendto(fd, "datagram", 8, 0, (struct sockaddr *)&there, sizeof(there)), 8);
    }
    receive(udp, 5);
    REQUIRE_EQ(received.count, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(received.is_congested[i], (classes[i] & 3) == 3);
    }
    close(fd);
    sf_udp_close(udp);
}

static void
test_interface(void)
{
    struct sf_mark through = {.is_bound = true};
    uint16_t port = free_port();
    struct sf_addr to = address("127.0.0.1", port);
    struct sf_udp *there = open_at("127.0.0.1", port);
    struct sf_udp *udp = open_at("127.0.0.1", free_port());
    struct sf_udp_stats stats;

    CHECK_EQ(sf_udp_interface(udp, "no-such-one"), 0);
    CHECK_EQ(sf_udp_interface(udp, ""), 0);
    through.index = sf_udp_interface(udp, "lo");
    CHECK(through.index != 0);
    mark = sf_mark_encode(&through);
    add(udp, &to, 100, 7);
    flush(udp);
    receive(there, 1);
    CHECK_EQ(received.count, 1);
    /* It is gone: the datagram leaves by no other. */
    through.index = 0;
    mark = sf_mark_encode(&through);
    add(udp, &to, 100, 8);
    flush(udp);
    through.index = (1 << 24) - 1;
    mark = sf_mark_encode(&through);
    add(udp, &to, 100, 9);
    flush(udp);
    mark = 0;
    sf_udp_stats(udp, &stats);
    CHECK_EQ(stats.dropped_out, 2);
    receive(there, 1);
    CHECK_EQ(received.count, 0);
    sf_udp_close(udp);
    sf_udp_close(there);
}

static void
test_bound_listener(void)
{
    struct sf_config config;
    struct sf_udp *udp = NULL;
    struct sf_app_error error = {.text = ""};

    sf_config_init(&config);
    config.is_listen_default = false;
    REQUIRE_EQ(sf_config_listen_parse("127.0.0.1:1 on lo", &config.listen[0]), SF_OK);
    config.listen[0].port = free_port();
    CHECK_EQ(sf_udp_open(&config, &udp, &error), SF_OK);
    sf_udp_close(udp);
    memcpy(config.listen[0].interface, "not-there", sizeof("not-there"));
    CHECK_EQ(sf_udp_open(&config, &udp, &error), SF_EINVAL);
    CHECK(strstr(error.text, "no interface not-there") != NULL);
}

CHECK_MAIN("udp", {"200 datagrams over IPv4 arrive whole and in order", test_v4},
    {"one socket serves IPv6 and IPv4", test_dual},
    {"what has no way is dropped and holds up nothing", test_no_way},
    {"packets are never fragmented", test_dont_fragment},
    {"a taken port and a foreign address are said so", test_taken},
    {"the same port may be given for both families", test_both_families},
    {"a full queue leaves whole and has room again", test_queue_full},
    {"addresses are printed as people write them", test_print},
    {"datagrams carry their DSCP and say that marks are heeded", test_marks},
    {"what was marked on the way is told", test_congested},
    {"what is bound to an interface leaves by no other", test_interface},
    {"a listener is bound to its interface", test_bound_listener})
