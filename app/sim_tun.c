#include <config.h>

#include "app/sim_tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    READS_MAX = 64, /* from one device before the others get their turn */
    PACKET_BYTES_MAX = 65536,
    QUEUE_PACKETS = 10000, /* of the device: ours is the model's, this one must not drop */
    MTU_DEFAULT = 1500,
    MTU_MIN_V4 = 68, /* RFC 791 */
    MTU_MIN_V6 = 1280,
    V4_HEAD_BYTES = 20,
    V6_HEAD_BYTES = 40,
    V6_TRIES = 600, /* of 5 ms */
};

#define NETNS_FOLDER "/run/netns"

/* What an AF_INET6 socket takes with SIOCSIFADDR; <linux/ipv6.h> does not go with <netinet/in.h>. */
struct v6_request {
    struct in6_addr address;
    uint32_t prefix_bits;
    int index;
};

struct sf_sim_tun {
    struct sf_sim_tun_config config;
    struct sf_sim_relay *relay;
    int own_netns;
    int fds[SF_SIM_DIRECTIONS];
    char devices[SF_SIM_DIRECTIONS][IFNAMSIZ];
    bool is_made[SF_SIM_DIRECTIONS];
    char *error;
    uint8_t packet[PACKET_BYTES_MAX];
};

/* --- Text --- */

static bool
parse_address(const char *text, struct sf_sim_tun_address *ret_address)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    char *end;
    unsigned long bits;

    if (slash == NULL || (size_t)(slash - text) >= sizeof(host) || slash[1] < '0' ||
        slash[1] > '9') {
        return false;
    }
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    bits = strtoul(slash + 1, &end, 10);
    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->is_v6 = strchr(host, ':') != NULL;
    ret_address->prefix_bits = (unsigned)bits;
    if (*end != '\0' || bits > (ret_address->is_v6 ? 128u : 32u)) {
        return false;
    }
    return ret_address->is_v6 ? inet_pton(AF_INET6, host, &ret_address->v6) == 1
                              : inet_pton(AF_INET, host, &ret_address->v4) == 1;
}

bool
sf_sim_tun_end_parse(const char *text, struct sf_sim_tun_end *ret_end)
{
    const char *colon = strchr(text, ':');
    struct sf_sim_tun_end end = {.address_count = 0};
    char rest[512];
    char *save = NULL;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(end.name) ||
        strlen(colon + 1) >= sizeof(rest)) {
        return false;
    }
    memcpy(end.name, text, (size_t)(colon - text));
    if (strcmp(end.name, ".") == 0 || strcmp(end.name, "..") == 0) {
        return false;
    }
    snprintf(rest, sizeof(rest), "%s", colon + 1);
    for (char *word = strtok_r(rest, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
        if (end.address_count == SF_SIM_TUN_ADDRESSES_MAX ||
            !parse_address(word, &end.addresses[end.address_count])) {
            return false;
        }
        end.address_count++;
    }
    if (end.address_count == 0) {
        return false;
    }
    *ret_end = end;
    return true;
}

/* --- Errors --- */

__attribute__((format(printf, 2, 3))) static bool
fail(struct sf_sim_tun *tun, const char *format, ...)
{
    int error = errno;
    va_list arguments;
    size_t bytes;

    va_start(arguments, format);
    vsnprintf(tun->error, SF_SIM_TUN_ERROR_BYTES, format, arguments);
    va_end(arguments);
    bytes = strlen(tun->error);
    snprintf(tun->error + bytes, SF_SIM_TUN_ERROR_BYTES - bytes, ": %s%s", strerror(error),
        error == EPERM || error == EACCES
            ? "; --tun needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN); --listen and --to do not"
            : "");
    return false;
}

/* --- Namespaces --- */

static void
path_of(const struct sf_sim_tun_end *end, char path[SF_SIM_TUN_NAME_BYTES + 16])
{
    snprintf(path, SF_SIM_TUN_NAME_BYTES + 16, "%s%s",
        strchr(end->name, '/') == NULL ? NETNS_FOLDER "/" : "", end->name);
}

/* Names bound below /run/netns are seen everywhere, as ip-netns(8) has it. */
static bool
share_folder(void)
{
    if (mkdir(NETNS_FOLDER, 0755) != 0 && errno != EEXIST) {
        return false;
    }
    if (mount("", NETNS_FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0) {
        return true;
    }
    return errno == EINVAL &&
           mount(NETNS_FOLDER, NETNS_FOLDER, "none", MS_BIND | MS_REC, NULL) == 0 &&
           mount("", NETNS_FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0;
}

static bool
set_flags_up(int fd, const char *device)
{
    struct ifreq request = {.ifr_flags = 0};

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return false;
    }
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* A new namespace at `path`; we are in it afterwards. */
static bool
fill_namespace(struct sf_sim_tun *tun, const char *path)
{
    int fd;
    bool up;

    if (unshare(CLONE_NEWNET) != 0) {
        return fail(tun, "a network namespace cannot be made");
    }
    if (mount("/proc/self/ns/net", path, "none", MS_BIND, NULL) != 0) {
        return fail(tun, "%s cannot be made", path);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    up = fd >= 0 && set_flags_up(fd, "lo");
    if (fd >= 0) {
        close(fd);
    }
    return up || fail(tun, "the loopback of %s cannot be set up", path);
}

static bool
make_namespace(struct sf_sim_tun *tun, int end)
{
    char path[SF_SIM_TUN_NAME_BYTES + 16];
    int fd;

    path_of(&tun->config.ends[end], path);
    if (!share_folder()) {
        return fail(tun, NETNS_FOLDER " cannot be prepared");
    }
    fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    if (fd < 0) {
        return fail(tun, "the namespace %s cannot be made%s", path,
            errno == EEXIST ? " (without --make, one that exists is used)" : "");
    }
    close(fd);
    tun->is_made[end] = true;
    return fill_namespace(tun, path);
}

/* Be in the namespace of that end. */
static bool
enter_namespace(struct sf_sim_tun *tun, int end)
{
    const char *name = tun->config.ends[end].name;
    char path[SF_SIM_TUN_NAME_BYTES + 16];
    bool good;
    int fd;

    if (*name == '\0') {
        return true;
    }
    if (tun->config.make) {
        return make_namespace(tun, end);
    }
    path_of(&tun->config.ends[end], path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(tun, "there is no namespace %s (--make makes it)", path);
    }
    good = setns(fd, CLONE_NEWNET) == 0 || fail(tun, "%s cannot be entered", path);
    close(fd);
    return good;
}

/* --- Devices --- */

/* Write to a setting of the device below /proc/sys. What is not there needs no setting. */
static void
set_v6(const char *device, const char *setting, const char *value)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", device, setting);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored = write(fd, value, strlen(value));

        (void)ignored;
        close(fd);
    }
}

static bool
add_v4(int fd, const char *device, const struct sf_sim_tun_address *address, size_t number)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address->v4};
    uint32_t mask = address->prefix_bits == 0 ? 0 : UINT32_MAX << (32 - address->prefix_bits);
    struct ifreq request;

    memset(&request, 0, sizeof(request));
    /* Further addresses have names of their own: "sky0:1". */
    if (number == 0) {
        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
    } else {
        snprintf(request.ifr_name, sizeof(request.ifr_name), "%.12s:%u", device, (unsigned)number);
    }
    memcpy(&request.ifr_addr, &in, sizeof(in));
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) {
        return false;
    }
    in.sin_addr.s_addr = htonl(mask);
    memcpy(&request.ifr_netmask, &in, sizeof(in));
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0;
}

static bool
add_v6(const char *device, const struct sf_sim_tun_address *address)
{
    struct v6_request request = {.address = address->v6,
        .prefix_bits = address->prefix_bits,
        .index = (int)if_nametoindex(device)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && ioctl(fd, SIOCSIFADDR, &request) == 0;
    int error = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return good;
}

/* The kernel looks at a new address in its own time; before that no program can use it. */
static bool
await_v6(const struct sf_sim_tun_address *address)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_addr = address->v6};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = false;

    for (int i = 0; fd >= 0 && !good && i < V6_TRIES; i++) {
        good = bind(fd, (const struct sockaddr *)&in, sizeof(in)) == 0;
        if (!good && errno != EADDRNOTAVAIL) {
            break;
        }
        if (!good) {
            (void)nanosleep(&pause, NULL);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Length of queue, MTU, addresses, up. */
static bool
configure(struct sf_sim_tun *tun, int end, int fd)
{
    const struct sf_sim_tun_end *config = &tun->config.ends[end];
    const struct sf_sim_path_config *path = end == SF_SIM_FORWARD
                                                ? &tun->config.relay.profile.forward
                                                : &tun->config.relay.profile.back;
    const char *device = tun->devices[end];
    struct ifreq request;
    bool any_v6 = false;

    memset(&request, 0, sizeof(request));
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
    request.ifr_qlen = QUEUE_PACKETS;
    if (ioctl(fd, SIOCSIFTXQLEN, &request) != 0) {
        return fail(tun, "%s: the length of its queue cannot be set", device);
    }
    request.ifr_mtu = path->mtu_bytes == 0 ? MTU_DEFAULT : (int)path->mtu_bytes;
    if (ioctl(fd, SIOCSIFMTU, &request) != 0) {
        return fail(tun, "%s: an MTU of %d bytes cannot be set", device, request.ifr_mtu);
    }
    for (size_t i = 0; i < config->address_count; i++) {
        any_v6 |= config->addresses[i].is_v6;
    }
    /* What the kernel says of its own accord is no part of the traffic. */
    set_v6(device, any_v6 ? "addr_gen_mode" : "disable_ipv6", "1");
    for (size_t i = 0; i < config->address_count; i++) {
        const struct sf_sim_tun_address *address = &config->addresses[i];

        if (!address->is_v6 && !add_v4(fd, device, address, i)) {
            return fail(tun, "%s: address number %zu cannot be set", device, i + 1);
        }
    }
    if (!set_flags_up(fd, device)) {
        return fail(tun, "%s cannot be set up", device);
    }
    for (size_t i = 0; i < config->address_count; i++) {
        const struct sf_sim_tun_address *address = &config->addresses[i];

        if (address->is_v6 && (!add_v6(device, address) || !await_v6(address))) {
            return fail(tun, "%s: address number %zu cannot be set", device, i + 1);
        }
    }
    return true;
}

/* A device in the namespace we are in. */
static bool
make_device(struct sf_sim_tun *tun, int end)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    bool good;
    int fd;

    tun->fds[end] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun->fds[end] < 0) {
        return fail(tun, "/dev/net/tun cannot be opened");
    }
    snprintf(request.ifr_name, sizeof(request.ifr_name), "sky%%d");
    if (ioctl(tun->fds[end], TUNSETIFF, &request) != 0) {
        return fail(tun, "a TUN device cannot be made");
    }
    snprintf(tun->devices[end], sizeof(tun->devices[end]), "%.*s", IFNAMSIZ - 1, request.ifr_name);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    good = fd >= 0 ? configure(tun, end, fd) : fail(tun, "no socket");
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* --- Packets --- */

/* Bytes before the payload; the whole packet if it is none of IP. */
static size_t
head_bytes(const uint8_t *packet, size_t bytes)
{
    size_t head = bytes;

    if (bytes >= V4_HEAD_BYTES && packet[0] >> 4 == 4) {
        head = (size_t)(packet[0] & 15) * 4;
    } else if (bytes >= V6_HEAD_BYTES && packet[0] >> 4 == 6) {
        head = V6_HEAD_BYTES;
    }
    return head < bytes ? head : bytes;
}

static void
receive(void *owner, size_t tag)
{
    struct sf_sim_tun *tun = owner;

    for (int i = 0; i < READS_MAX; i++) {
        ssize_t bytes = read(tun->fds[tag], tun->packet, sizeof(tun->packet));
        struct sf_sim_input input = {.direction = (int)tag, .data = tun->packet, .tag = tag};

        if (bytes <= 0) {
            return;
        }
        input.bytes = input.ip_bytes = (size_t)bytes;
        input.payload_at = head_bytes(tun->packet, (size_t)bytes);
        sf_sim_relay_input(tun->relay, &input);
    }
}

static void
send_packets(void *owner, int direction, struct sf_sim_packet *const *packets, size_t count)
{
    struct sf_sim_tun *tun = owner;
    int to = tun->fds[direction == SF_SIM_FORWARD ? SF_SIM_BACK : SF_SIM_FORWARD];

    for (size_t i = 0; i < count; i++) {
        packets[i]->is_sent =
            write(to, packets[i]->data, packets[i]->bytes) == (ssize_t)packets[i]->bytes;
    }
}

/* --- Opening and closing --- */

static bool
check_mtu(struct sf_sim_tun *tun, int end)
{
    const struct sf_sim_path_config *path = end == SF_SIM_FORWARD
                                                ? &tun->config.relay.profile.forward
                                                : &tun->config.relay.profile.back;

    for (size_t i = 0; i < tun->config.ends[end].address_count; i++) {
        uint32_t least = tun->config.ends[end].addresses[i].is_v6 ? MTU_MIN_V6 : MTU_MIN_V4;

        if (path->mtu_bytes != 0 && path->mtu_bytes < least) {
            errno = EINVAL;
            return fail(tun, "mtu: %u bytes are not accepted: IPv%d needs %u at least",
                (unsigned)path->mtu_bytes, least == MTU_MIN_V6 ? 6 : 4, (unsigned)least);
        }
    }
    return true;
}

static bool
start(struct sf_sim_tun *tun)
{
    const struct sf_sim_port port = {.owner = tun, .readable = receive, .send = send_packets};
    bool good = true;

    tun->own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (tun->own_netns < 0 || !sf_sim_relay_block_signals()) {
        return fail(tun, "/proc/self/ns/net cannot be opened");
    }
    for (int end = 0; end < SF_SIM_DIRECTIONS && good; end++) {
        good = check_mtu(tun, end) && enter_namespace(tun, end) && make_device(tun, end);
        if (setns(tun->own_netns, CLONE_NEWNET) != 0 && good) {
            return fail(tun, "our own namespace cannot be entered again");
        }
    }
    if (!good) {
        return false;
    }
    tun->relay = sf_sim_relay_open(&tun->config.relay, &port);
    if (tun->relay == NULL || !sf_sim_relay_watch(tun->relay, tun->fds[0], SF_SIM_FORWARD) ||
        !sf_sim_relay_watch(tun->relay, tun->fds[1], SF_SIM_BACK)) {
        return fail(tun, "the relay cannot be started");
    }
    return true;
}

struct sf_sim_tun *
sf_sim_tun_open(const struct sf_sim_tun_config *config, char error[SF_SIM_TUN_ERROR_BYTES])
{
    struct sf_sim_tun *tun = calloc(1, sizeof(*tun));

    if (tun == NULL) {
        snprintf(error, SF_SIM_TUN_ERROR_BYTES, "no memory");
        return NULL;
    }
    tun->config = *config;
    tun->error = error;
    tun->own_netns = tun->fds[0] = tun->fds[1] = -1;
    if (!start(tun)) {
        sf_sim_tun_close(tun);
        return NULL;
    }
    return tun;
}

void
sf_sim_tun_close(struct sf_sim_tun *tun)
{
    sf_sim_relay_close(tun->relay);
    for (int end = 0; end < SF_SIM_DIRECTIONS; end++) {
        char path[SF_SIM_TUN_NAME_BYTES + 16];

        if (tun->fds[end] >= 0) {
            close(tun->fds[end]); /* and the device is gone */
        }
        if (tun->is_made[end]) {
            path_of(&tun->config.ends[end], path);
            (void)umount2(path, MNT_DETACH);
            (void)unlink(path);
        }
    }
    if (tun->own_netns >= 0) {
        close(tun->own_netns);
    }
    free(tun);
}

struct sf_sim_relay *
sf_sim_tun_relay(struct sf_sim_tun *tun)
{
    return tun->relay;
}

const char *
sf_sim_tun_device(const struct sf_sim_tun *tun, int end)
{
    return tun->devices[end];
}
