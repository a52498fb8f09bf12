#include <config.h>

#include "app/sim_relay.h"

#include "app/sim_control.h"
#include "base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    SMALL_BYTES = 2048, /* packets of up to this many are kept for the next one */
    REPORT_BYTES = 4096,
    NICENESS = -15,
};

/* Above all tags of ports. */
#define TAG_SIGNAL  (UINT64_C(1) << 62)
#define TAG_CONTROL (UINT64_C(1) << 63)

/* Packets under way; beyond it they are dropped as by a full queue. */
static const size_t UNDER_WAY_BYTES_MAX = (size_t)1 << 30;

/* The shortest sleep: on a fast line some packets leave together instead of one by one. */
static const uint64_t SLEEP_NS_MIN = 40 * SF_US;

struct sf_sim_relay {
    struct sf_sim_relay_config config;
    struct sf_sim_port port;
    struct sf_sim_clock clock;
    struct sf_sim_path paths[SF_SIM_DIRECTIONS];
    struct sf_sim_relay_stats stats;
    size_t under_way_bytes;
    struct sf_sim_packet *free;
    struct sf_sim_packet *due[SF_SIM_DIRECTIONS][SF_SIM_RELAY_DUE_MAX];
    size_t due_count[SF_SIM_DIRECTIONS];
    struct timespec start;
    int signal_fd;
    int epoll_fd;
    struct sf_sim_event live;
    uint64_t live_bytes[SF_SIM_DIRECTIONS]; /* out, when last shown */
    bool is_over;
};

static sf_mono
time_of(const struct sf_sim_relay *relay)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (sf_mono)((int64_t)(now.tv_sec - relay->start.tv_sec) * (int64_t)SF_SEC +
                     (now.tv_nsec - relay->start.tv_nsec));
}

sf_mono
sf_sim_relay_now(const struct sf_sim_relay *relay)
{
    return relay->clock.now;
}

struct sf_sim_relay_stats *
sf_sim_relay_stats(struct sf_sim_relay *relay)
{
    return &relay->stats;
}

bool
sf_sim_relay_watch(struct sf_sim_relay *relay, int fd, size_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

    return epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* --- Packets --- */

static struct sf_sim_packet *
take_packet(struct sf_sim_relay *relay, size_t bytes)
{
    struct sf_sim_packet *packet = relay->free;
    size_t capacity = bytes <= SMALL_BYTES ? SMALL_BYTES : bytes;

    if (relay->under_way_bytes + bytes > UNDER_WAY_BYTES_MAX) {
        return NULL;
    }
    if (capacity == SMALL_BYTES && packet != NULL) {
        relay->free = packet->next;
    } else {
        packet = malloc(sizeof(*packet) + capacity);
        if (packet == NULL) {
            return NULL;
        }
    }
    *packet = (struct sf_sim_packet){.relay = relay, .capacity = capacity, .bytes = bytes};
    relay->under_way_bytes += bytes;
    return packet;
}

static void
give_packet(struct sf_sim_relay *relay, struct sf_sim_packet *packet)
{
    relay->under_way_bytes -= packet->bytes;
    if (packet->capacity != SMALL_BYTES) {
        free(packet);
        return;
    }
    packet->next = relay->free;
    relay->free = packet;
}

static void
send_due(struct sf_sim_relay *relay, int direction)
{
    struct sf_sim_relay_direction *stats = &relay->stats.directions[direction];
    size_t count = relay->due_count[direction];

    if (count == 0) {
        return;
    }
    relay->due_count[direction] = 0;
    relay->port.send(relay->port.owner, direction, relay->due[direction], count);
    for (size_t i = 0; i < count; i++) {
        struct sf_sim_packet *packet = relay->due[direction][i];

        if (packet->is_sent) {
            stats->payload_out += packet->bytes - packet->payload_at;
        } else {
            stats->send_failed++;
        }
        give_packet(relay, packet);
    }
}

static void
packet_is_due(struct sf_sim_event *event, sf_mono now)
{
    struct sf_sim_packet *packet = event->owner;
    struct sf_sim_relay *relay = packet->relay;

    (void)now;
    relay->due[packet->direction][relay->due_count[packet->direction]++] = packet;
    if (relay->due_count[packet->direction] == SF_SIM_RELAY_DUE_MAX) {
        send_due(relay, packet->direction);
    }
}

/* Send all whose time has come. */
static void
advance(struct sf_sim_relay *relay)
{
    sf_sim_clock_run(&relay->clock, time_of(relay));
    send_due(relay, SF_SIM_FORWARD);
    send_due(relay, SF_SIM_BACK);
}

static void
record(struct sf_sim_relay *relay, const struct sf_sim_input *input)
{
    uint8_t length[4];

    if (relay->config.record != NULL) {
        sf_put_be32(length, (uint32_t)input->bytes);
        (void)fwrite(length, 1, sizeof(length), relay->config.record);
        (void)fwrite(input->data, 1, input->bytes, relay->config.record);
    }
}

void
sf_sim_relay_input(struct sf_sim_relay *relay, const struct sf_sim_input *input)
{
    struct sf_sim_path *path = &relay->paths[input->direction];
    struct sf_sim_delivery deliveries[SF_SIM_PATH_COPIES_MAX];
    size_t payload_bytes = input->bytes - input->payload_at;
    size_t count =
        sf_sim_path_input(path, payload_bytes, input->ip_bytes, relay->clock.now, deliveries);

    relay->stats.directions[input->direction].payload_in += payload_bytes;
    record(relay, input);
    for (size_t i = 0; i < count; i++) {
        struct sf_sim_packet *packet = take_packet(relay, input->bytes);

        if (packet == NULL) {
            path->stats.dropped_queue++;
            path->stats.datagrams_out--;
            path->stats.bytes_out -= input->ip_bytes;
            continue;
        }
        packet->direction = input->direction;
        packet->tag = input->tag;
        packet->generation = input->generation;
        packet->payload_at = input->payload_at;
        memcpy(packet->data, input->data, input->bytes);
        sf_sim_delivery_apply(&deliveries[i], packet->data + input->payload_at, payload_bytes);
        packet->event.fire = packet_is_due;
        packet->event.owner = packet;
        sf_sim_clock_set(&relay->clock, &packet->event, deliveries[i].at);
    }
}

/* --- Counters --- */

static uint64_t
dropped(const struct sf_sim_path_stats *stats)
{
    return stats->dropped_loss + stats->dropped_mtu + stats->dropped_outage + stats->dropped_queue;
}

static void
show_live(struct sf_sim_event *event, sf_mono now)
{
    static const char *const names[SF_SIM_DIRECTIONS] = {"forward", "back"};
    struct sf_sim_relay *relay = event->owner;

    fprintf(stderr, "\r%6" PRIu64 " s", now / SF_SEC);
    for (int i = 0; i < SF_SIM_DIRECTIONS; i++) {
        const struct sf_sim_path_stats *stats = &relay->paths[i].stats;
        uint64_t bits = (stats->bytes_out - relay->live_bytes[i]) * 8;

        relay->live_bytes[i] = stats->bytes_out;
        fprintf(stderr,
            "  %s %" PRIu64 ".%" PRIu64 " Mbit/s, %" PRIu64 " in, %" PRIu64 " dropped%s", names[i],
            bits / 1000000, bits / 100000 % 10, stats->datagrams_in, dropped(stats),
            sf_sim_path_is_up(&relay->paths[i].config, now) ? "" : ", DARK");
    }
    fputs("\033[K", stderr);
    fflush(stderr);
    sf_sim_clock_set(&relay->clock, event, now + SF_SEC);
}

static void
report_direction(const struct sf_sim_relay *relay, FILE *out, const char *name, int direction)
{
    const struct sf_sim_relay_direction *own = &relay->stats.directions[direction];
    const struct sf_sim_path_stats *path = &relay->paths[direction].stats;

    fprintf(out,
        "  \"%s\": {\"datagrams_in\": %" PRIu64 ", \"payload_bytes_in\": %" PRIu64
        ", \"ip_bytes_in\": %" PRIu64 ",\n",
        name, path->datagrams_in, own->payload_in, path->bytes_in);
    fprintf(out,
        "    \"datagrams_out\": %" PRIu64 ", \"payload_bytes_out\": %" PRIu64
        ", \"ip_bytes_out\": %" PRIu64 ", \"send_failed\": %" PRIu64 ",\n",
        path->datagrams_out, own->payload_out, path->bytes_out, own->send_failed);
    fprintf(out,
        "    \"dropped\": {\"loss\": %" PRIu64 ", \"queue\": %" PRIu64 ", \"mtu\": %" PRIu64
        ", \"outage\": %" PRIu64 "},\n",
        path->dropped_loss, path->dropped_queue, path->dropped_mtu, path->dropped_outage);
    fprintf(out,
        "    \"duplicated\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"corrupted\": %" PRIu64
        "},\n",
        path->duplicated, path->reordered, path->corrupted);
}

void
sf_sim_relay_report(const struct sf_sim_relay *relay, FILE *out)
{
    fprintf(out,
        "{\"version\": 1, \"mode\": \"%s\", \"seconds\": %.3f, \"seed\": %" PRIu64
        ", \"clients\": %" PRIu64 ",\n",
        relay->config.mode, (double)time_of(relay) / (double)SF_SEC, relay->config.seed,
        relay->stats.clients);
    report_direction(relay, out, "forward", SF_SIM_FORWARD);
    report_direction(relay, out, "back", SF_SIM_BACK);
    fprintf(out,
        "  \"nat\": {\"rebinds\": %" PRIu64 ", \"dropped\": %" PRIu64 "}, \"changes\": %" PRIu64
        "}\n",
        relay->stats.nat_rebinds, relay->stats.nat_dropped, relay->stats.changes);
}

/* --- Signals and control --- */

static void
take_signal(struct sf_sim_relay *relay)
{
    struct signalfd_siginfo info;

    if (read(relay->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    if (info.ssi_signo != SIGUSR1) {
        relay->is_over = true;
    } else if (relay->port.rebind != NULL) {
        relay->port.rebind(relay->port.owner);
    }
}

/* The network becomes what `text` says. On failure *error says why. */
static bool
change(struct sf_sim_relay *relay, bool from_nothing, struct sf_view text,
    struct sf_sim_profile_error *error)
{
    struct sf_sim_profile work = relay->config.profile;

    if (from_nothing) {
        sf_sim_profile_init(&work);
    }
    work.now = relay->clock.now;
    if (sf_sim_profile_parse(&work, text, error) != SF_OK) {
        return false;
    }
    work.now = SF_NEVER;
    if (sf_sim_path_change(&relay->paths[SF_SIM_FORWARD], &work.forward) != SF_OK ||
        sf_sim_path_change(&relay->paths[SF_SIM_BACK], &work.back) != SF_OK) {
        snprintf(error->text, sizeof(error->text), "the values are beyond their limits");
        return false;
    }
    relay->config.profile = work;
    relay->stats.changes++;
    if (relay->port.changed != NULL) {
        relay->port.changed(relay->port.owner, &work);
    }
    return true;
}

static void
take_request(struct sf_sim_relay *relay)
{
    struct sf_sim_control_request request;
    struct sf_sim_profile_error error;
    char report[REPORT_BYTES];
    FILE *out;

    if (!sf_sim_control_receive(relay->config.control_fd, &request)) {
        return;
    }
    switch (request.kind) {
    case SF_SIM_CONTROL_CHANGE:
    case SF_SIM_CONTROL_REPLACE:
        if (change(relay, request.kind == SF_SIM_CONTROL_REPLACE, request.text, &error)) {
            sf_sim_control_answer(relay->config.control_fd, &request, true, "");
        } else {
            sf_sim_control_answer(relay->config.control_fd, &request, false, error.text);
        }
        return;
    case SF_SIM_CONTROL_COUNTERS:
        memset(report, 0, sizeof(report));
        out = fmemopen(report, sizeof(report) - 1, "w");
        if (out != NULL) {
            sf_sim_relay_report(relay, out);
            fclose(out);
        }
        sf_sim_control_answer(relay->config.control_fd, &request, out != NULL, report);
        return;
    }
}

/* --- The loop --- */

/* Wait until something can be read or is due. False if that fails. */
static bool
wait_for(struct sf_sim_relay *relay, struct epoll_event *events, int *ret_count)
{
    sf_mono deadline = sf_sim_clock_deadline(&relay->clock);
    sf_mono now = time_of(relay);
    struct timespec wait = {0, 0};
    uint64_t span = deadline > now ? deadline - now : 0;

    if (span != 0 && span < SLEEP_NS_MIN) {
        span = SLEEP_NS_MIN;
    }
    wait.tv_sec = (time_t)(span / SF_SEC);
    wait.tv_nsec = (long)(span % SF_SEC);
    *ret_count =
        epoll_pwait2(relay->epoll_fd, events, EVENTS, deadline == SF_NEVER ? NULL : &wait, NULL);
    return *ret_count >= 0 || errno == EINTR;
}

static bool
loop(struct sf_sim_relay *relay)
{
    struct epoll_event events[EVENTS];
    int count;

    while (!relay->is_over) {
        if (!wait_for(relay, events, &count)) {
            return false;
        }
        advance(relay);
        for (int i = 0; i < count; i++) {
            switch (events[i].data.u64) {
            case TAG_SIGNAL:
                take_signal(relay);
                break;
            case TAG_CONTROL:
                take_request(relay);
                break;
            default:
                relay->port.readable(relay->port.owner, (size_t)events[i].data.u64);
                break;
            }
        }
        advance(relay);
    }
    return true;
}

bool
sf_sim_relay_run(struct sf_sim_relay *relay)
{
    bool good;

    if (relay->config.live) {
        relay->live = (struct sf_sim_event){.fire = show_live, .owner = relay};
        sf_sim_clock_set(&relay->clock, &relay->live, SF_SEC);
    }
    good = loop(relay);
    if (relay->config.live) {
        int error = errno;

        sf_sim_clock_cancel(&relay->clock, &relay->live);
        fputc('\n', stderr);
        errno = error;
    }
    return good;
}

/* --- Opening and closing --- */

static void
relay_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGUSR1);
}

bool
sf_sim_relay_block_signals(void)
{
    sigset_t signals;

    relay_signals(&signals);
    return sigprocmask(SIG_BLOCK, &signals, NULL) == 0;
}

static bool
take_signals(struct sf_sim_relay *relay)
{
    sigset_t signals;

    relay_signals(&signals);
    if (!sf_sim_relay_block_signals()) {
        return false;
    }
    relay->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return relay->signal_fd >= 0;
}

static bool
watch_own(struct sf_sim_relay *relay, int fd, uint64_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

    return fd < 0 || epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool
start(struct sf_sim_relay *relay)
{
    const struct sf_sim_relay_config *config = &relay->config;

    if (sf_sim_path_init(&relay->paths[SF_SIM_FORWARD], &config->profile.forward, config->seed,
            sf_sim_path_stream(0, 1)) != SF_OK ||
        sf_sim_path_init(&relay->paths[SF_SIM_BACK], &config->profile.back, config->seed,
            sf_sim_path_stream(1, 0)) != SF_OK) {
        errno = EINVAL;
        return false;
    }
    relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return relay->epoll_fd >= 0 && take_signals(relay) &&
           watch_own(relay, relay->signal_fd, TAG_SIGNAL) &&
           watch_own(relay, config->control_fd, TAG_CONTROL);
}

struct sf_sim_relay *
sf_sim_relay_open(const struct sf_sim_relay_config *config, const struct sf_sim_port *port)
{
    struct sf_sim_relay *relay = calloc(1, sizeof(*relay));
    int error;

    if (relay == NULL) {
        return NULL;
    }
    relay->config = *config;
    relay->port = *port;
    relay->signal_fd = relay->epoll_fd = -1;
    sf_sim_clock_init(&relay->clock, 0);
    if (!start(relay)) {
        error = errno;
        sf_sim_relay_close(relay);
        errno = error;
        return NULL;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* wake when asked, not 50 us later */
    /* A link does not wait for the programs at its ends; without privileges it has to. */
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    (void)clock_gettime(CLOCK_MONOTONIC, &relay->start);
    return relay;
}

void
sf_sim_relay_close(struct sf_sim_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    sf_sim_clock_cancel(&relay->clock, &relay->live);
    while (relay->clock.count > 0) {
        struct sf_sim_event *event = relay->clock.heap[1];

        sf_sim_clock_cancel(&relay->clock, event);
        give_packet(relay, event->owner);
    }
    sf_sim_clock_fini(&relay->clock);
    while (relay->free != NULL) {
        struct sf_sim_packet *packet = relay->free;

        relay->free = packet->next;
        free(packet);
    }
    if (relay->signal_fd >= 0) {
        close(relay->signal_fd);
    }
    if (relay->epoll_fd >= 0) {
        close(relay->epoll_fd);
    }
    free(relay);
}
