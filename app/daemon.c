#include "app/daemon.h"

#include "app/control.h"
#include "app/keeper.h"
#include "app/log.h"
#include "app/privilege.h"
#include "app/submit.h"
#include "app/traced.h"
#include "base/random.h"
#include "store/posix.h"
#include "store/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 32,        /* of one epoll_wait */
    WORKERS_AUTO_MAX = 16,  /* each has memory for coding of its own; no disk needs more */
    ROUNDS_MAX = 8,         /* of disk and workers before sockets get their turn */
    OUTPUT_ROUNDS_MAX = 16, /* full queues sent before others get their turn */
};

/* As late as the kernel's clocks go: in the year 2255. */
#define CLOCK_NEVER_S INT64_C(9000000000)

/* While a socket is full its writability wakes us; the timer only guards against a lost wake-up. */
#define FULL_SPAN (10 * SF_MS)

/*
 * What leaves at once is what the line had time for since the clock was last looked at: of
 * the 200 us of a burst this is left for sleep and work, and the machine takes 20 to 60 us to
 * wake up. To sleep costs about 25 us of a core on a virtual machine, however short, and
 * some 80 us with all that follows from it at both ends; so it is not done for less than a nap.
 */
#define BURST_SPAN (150 * SF_US)
#define NAP_SPAN   (50 * SF_US)

static sf_mono
clock_now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (sf_mono)time.tv_sec * SF_SEC + (sf_mono)time.tv_nsec;
}

static void
read_clocks(struct sf_daemon *daemon)
{
    struct timespec time;

    daemon->now = clock_now();
    (void)clock_gettime(CLOCK_REALTIME, &time);
    daemon->wall.ms = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* --- Descriptors ---------------------------------------------------------------- */

int
sf_daemon_watch(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = source}};

    if (epoll_ctl(daemon->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) == 0) {
        return SF_OK;
    }
    if (errno == ENOENT && epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0) {
        return SF_OK;
    }
    return SF_EIO;
}

void
sf_daemon_unwatch(struct sf_daemon *daemon, const struct sf_daemon_source *source)
{
    (void)epoll_ctl(daemon->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/* The 8 bytes of an eventfd or timerfd that only had to wake us. */
static void
drain(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));

    (void)got;
}

static void
timer_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    (void)events;
    daemon->timer_set = SF_NEVER;
    drain(source->fd);
}

/*
 * Contact plans are in wall time: when somebody sets that clock, sleep must end.
 * A timer that never comes is cancelled then.
 */
static void
watch_clock(const struct sf_daemon *daemon)
{
    const struct itimerspec never = {.it_value = {CLOCK_NEVER_S, 0}};

    if (timerfd_settime(
            daemon->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) != 0) {
        sf_log(SF_LOG_WARNING, "cannot tell when the clock is set: %s", strerror(errno));
    }
}

static void
clock_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    (void)events;
    drain(source->fd);
    watch_clock(daemon);
}

/* Disk and workers are polled in every turn; being woken is all that is needed. */
static void
completion_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    (void)daemon;
    (void)source;
    (void)events;
}

static void
resolver_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    (void)events;
    sf_daemon_peers_answers(daemon);
    if (sf_resolver_is_gone(daemon->resolver)) {
        sf_daemon_unwatch(daemon, source);
        sf_log(SF_LOG_WARNING,
            "the process that looks up names has ended: names of peers are looked up again after "
            "a restart; addresses are not affected");
    }
}

static void
reload_peers(struct sf_daemon *daemon)
{
    struct sf_app_error error;

    if (sf_daemon_peers_load(daemon, &error) == SF_OK) {
        sf_log(SF_LOG_NOTICE, "peers read again: %zu", daemon->peer_count);
    } else {
        sf_log(SF_LOG_ERROR, "peers not read again: %s", error.text);
    }
}

static void
signal_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload_peers(daemon);
        } else {
            daemon->is_stopping = true;
        }
    }
}

static void
take_datagram(void *context, const struct sf_udp_datagram *datagram)
{
    struct sf_daemon *daemon = context;

    sf_node_input(daemon->node, datagram->from, datagram->data, datagram->bytes, daemon->now);
    if (datagram->is_congested) {
        sf_node_congested(daemon->node);
    }
}

static void
udp_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    if ((events & EPOLLOUT) != 0) {
        daemon->is_udp_full = false;
        if (sf_daemon_watch(daemon, source, EPOLLIN) != SF_OK) {
            sf_log(SF_LOG_ERROR, "cannot watch a socket: %s", strerror(errno));
        }
    }
    if ((events & ~(uint32_t)EPOLLOUT) != 0) {
        /* More may be waiting: epoll is level-triggered and says so again. */
        bool is_more = sf_udp_receive(daemon->udp, source->index, take_datagram, daemon);

        (void)is_more;
    }
}

/* --- The disk ------------------------------------------------------------------- */

static int
open_disk(struct sf_daemon *daemon, struct sf_app_error *error)
{
    int status = SF_ESTATE;

    if (daemon->config.disk != SF_CONFIG_DISK_POSIX) {
        status = sf_uring_disk_open(daemon->home.path, &daemon->disk);
        daemon->is_uring = status == SF_OK;
    }
    if (status == SF_ESTATE && daemon->config.disk == SF_CONFIG_DISK_URING) {
        return sf_app_error_set(error, SF_ESTATE,
            "io_uring is not available here (see kernel.io_uring_disabled and the seccomp filter "
            "of the service): set `disk = auto` or `disk = posix`");
    }
    if (status == SF_ESTATE) {
        status = sf_posix_disk_open(daemon->home.path, &daemon->disk);
    }
    if (status != SF_OK) {
        return sf_app_error_set(error, status, "cannot open the disk at %s: %s", daemon->home.path,
            sf_status_text(status));
    }
    return SF_OK;
}

static void
close_disk(struct sf_daemon *daemon)
{
    if (daemon->disk == NULL) {
        return;
    }
    if (daemon->is_uring) {
        sf_uring_disk_close(daemon->disk);
    } else {
        sf_posix_disk_close(daemon->disk);
    }
    daemon->disk = NULL;
}

int
sf_daemon_adopt(struct sf_daemon *daemon, int fd)
{
    return daemon->is_uring ? sf_uring_disk_adopt(daemon->disk, fd)
                            : sf_posix_disk_adopt(daemon->disk, fd);
}

static void
dropped(struct sf_disk_op *op)
{
    free(op);
}

void
sf_daemon_drop(struct sf_daemon *daemon, int handle)
{
    struct sf_disk_op *op = calloc(1, sizeof(*op));

    if (op == NULL) {
        return; /* the descriptor stays open until the end; better than stopping for it */
    }
    op->kind = SF_DISK_CLOSE;
    op->file = handle;
    op->done = dropped;
    sf_disk_submit(daemon->disk, op);
}

/* --- Opening and closing -------------------------------------------------------- */

static struct sf_daemon_source timer_source = {.ready = timer_ready};
static struct sf_daemon_source clock_source = {.ready = clock_ready};
static struct sf_daemon_source signal_source = {.ready = signal_ready};
static struct sf_daemon_source disk_source = {.ready = completion_ready};
static struct sf_daemon_source workers_source = {.ready = completion_ready};
static struct sf_daemon_source resolver_source = {.ready = resolver_ready};
static struct sf_daemon_source udp_sources[SF_UDP_SOCKETS_MAX];

/* The signals we take through a descriptor; they were blocked before any thread was started. */
static int
open_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
watch_all(struct sf_daemon *daemon)
{
    int status;

    timer_source.fd = daemon->timer_fd;
    clock_source.fd = daemon->clock_fd;
    signal_source.fd = daemon->signal_fd;
    workers_source.fd = sf_threads_fd(daemon->threads);
    resolver_source.fd = sf_resolver_fd(daemon->resolver);
    status = sf_daemon_watch(daemon, &timer_source, EPOLLIN);
    if (status == SF_OK) {
        watch_clock(daemon);
        status = sf_daemon_watch(daemon, &clock_source, EPOLLIN);
    }
    if (status == SF_OK) {
        status = sf_daemon_watch(daemon, &signal_source, EPOLLIN);
    }
    if (status == SF_OK) {
        status = sf_daemon_watch(daemon, &workers_source, EPOLLIN);
    }
    if (status == SF_OK) {
        status = sf_daemon_watch(daemon, &resolver_source, EPOLLIN);
    }
    if (status == SF_OK && daemon->is_uring) {
        disk_source.fd = sf_uring_disk_fd(daemon->disk);
        status = sf_daemon_watch(daemon, &disk_source, EPOLLIN);
    }
    for (size_t i = 0; status == SF_OK && sf_udp_fd(daemon->udp, i) >= 0; i++) {
        udp_sources[i] = (struct sf_daemon_source){
            .ready = udp_ready, .fd = sf_udp_fd(daemon->udp, i), .index = i};
        status = sf_daemon_watch(daemon, &udp_sources[i], EPOLLIN);
    }
    return status;
}

static int
open_node(struct sf_daemon *daemon, struct sf_app_error *error)
{
    uint32_t cores = sf_threads_cores();
    uint32_t most = cores < WORKERS_AUTO_MAX ? cores : WORKERS_AUTO_MAX;
    uint32_t workers = daemon->config.workers != 0 ? daemon->config.workers : most;
    struct sf_node_config config = {
        .disk = daemon->disk,
        .random = sf_random_system,
        .master = daemon->master,
        .worker_count = workers,
        /* As much as the interface takes, and the path; where nothing comes back, what most take. */
        .mtu_bytes =
            daemon->config.mtu_bytes != 0 ? daemon->config.mtu_bytes : (uint32_t)SF_LINK_MTU_MAX,
        .mtu_blind_bytes = daemon->config.mtu_bytes != 0 ? daemon->config.mtu_bytes
                                                         : (uint32_t)SF_LINK_MTU_DEFAULT,
        .reserve_bytes = daemon->config.reserve_bytes,
        .quota_bytes = daemon->config.quota_bytes,
        .class_bytes = daemon->config.class_bytes,
    };
    struct sf_node_error why;
    int status = sf_threads_open(workers, &daemon->threads);

    if (status != SF_OK) {
        return sf_app_error_set(error, status, "cannot start %u worker threads: %s",
            (unsigned)workers, sf_status_text(status));
    }
    daemon->config.workers = workers;
    config.workers = sf_threads_workers(daemon->threads);
    status = sf_node_open(&config, daemon->now, daemon->wall, &daemon->node, &why);
    return status == SF_OK ? SF_OK : sf_app_error_set(error, status, "%s", why.text);
}

/* Every transfer that was open when the last run ended. */
static void
watch_open_transfers(struct sf_daemon *daemon)
{
    for (size_t i = 0; sf_node_transfer_at(daemon->node, i, daemon->scratch); i++) {
        struct sf_transfer_id id = daemon->scratch->id;

        sf_daemon_news_watch(daemon, &id);
    }
}

/* From here on there are only the home and the outboxes, for this thread and those it starts. */
static int
confine_files(struct sf_daemon *daemon, struct sf_app_error *error)
{
    int outboxes[SF_CONFIG_OUTBOX_MAX];
    struct sf_confine_files files = {.home_fd = daemon->home.fd, .read_fds = outboxes};
    int status;

    if (daemon->config.confine == SF_CONFIG_CONFINE_NO) {
        return SF_OK;
    }
    for (size_t i = 0; i < daemon->config.outbox_count; i++) {
        int fd = open(daemon->config.outbox[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0) {
            sf_log(SF_LOG_WARNING,
                "outbox = %s: %s: nothing can be sent from it before a restart that finds it",
                daemon->config.outbox[i], strerror(errno));
            continue;
        }
        outboxes[files.read_count++] = fd;
    }
    status = sf_confine_files(&files, &daemon->confine, error);
    for (size_t i = 0; i < files.read_count; i++) {
        close(outboxes[i]);
    }
    return status;
}

/* Everything is open: no new sockets, programs or rings, no rights; and see that this holds. */
static int
confine_rest(struct sf_daemon *daemon, struct sf_app_error *error)
{
    int status = sf_privilege_drop(error);

    if (status != SF_OK || daemon->config.confine == SF_CONFIG_CONFINE_NO) {
        return status;
    }
    status = sf_confine_calls(&daemon->confine, error);
    if (status == SF_OK) {
        status = sf_confine_check(&daemon->confine, error);
    }
    if (status == SF_OK && daemon->config.confine == SF_CONFIG_CONFINE_YES &&
        !(daemon->confine.has_files && daemon->confine.has_calls)) {
        status = sf_app_error_set(error, SF_EAUTH,
            "confine = yes: this %s has no %s: set `confine = auto` to run with what there is",
            SF_IS_TRACED ? "build with sanitizers" : "kernel",
            daemon->confine.has_files ? "seccomp" : "Landlock of version 2 or later (Linux 5.19)");
    }
    return status;
}

/* The steps of opening, each of which needs those before it. */
static int
open_parts(struct sf_daemon *daemon, struct sf_app_error *error)
{
    int status;

    daemon->peers = calloc(SF_PEERS_MAX, sizeof(*daemon->peers));
    if (daemon->peers == NULL || sf_daemon_news_open(daemon) != SF_OK ||
        sf_resolver_open(&daemon->resolver) != SF_OK) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory to begin with");
    }
    daemon->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    daemon->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    daemon->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    daemon->signal_fd = open_signals();
    if (daemon->epoll_fd < 0 || daemon->timer_fd < 0 || daemon->clock_fd < 0 ||
        daemon->signal_fd < 0) {
        return sf_app_error_set(error, SF_EIO, "cannot wait for events: %s", strerror(errno));
    }
    status = sf_daemon_home_open(daemon, error);
    if (status == SF_OK) {
        /* Before the disk is touched: two nodes behind one address is the likelier mistake. */
        status = sf_udp_open(&daemon->config, &daemon->udp, error);
    }
    if (status == SF_OK) {
        status = confine_files(daemon, error);
    }
    if (status == SF_OK) {
        status = open_disk(daemon, error);
    }
    if (status == SF_OK) {
        status = open_node(daemon, error);
    }
    if (status == SF_OK) {
        status = sf_daemon_peers_load(daemon, error);
    }
    if (status == SF_OK && watch_all(daemon) != SF_OK) {
        status = sf_app_error_set(error, SF_EIO, "cannot wait for events: %s", strerror(errno));
    }
    if (status == SF_OK) {
        watch_open_transfers(daemon);
        status = sf_control_open(daemon, &daemon->control, error);
    }
    if (status == SF_OK) {
        status = sf_keeper_open(daemon, &daemon->keeper, error);
    }
    if (status == SF_OK) {
        status = sf_submit_open(daemon, &daemon->submit, error);
    }
    if (status == SF_OK) {
        status = confine_rest(daemon, error);
    }
    return status;
}

int
sf_daemon_open(struct sf_daemon *daemon, struct sf_app_error *error)
{
    int status;

    daemon->epoll_fd = -1;
    daemon->timer_fd = -1;
    daemon->clock_fd = -1;
    daemon->signal_fd = -1;
    daemon->timer_set = SF_NEVER;
    read_clocks(daemon);
    daemon->started = daemon->now;
    daemon->started_wall = daemon->wall;
    status = open_parts(daemon, error);
    if (status != SF_OK) {
        sf_daemon_close(daemon);
    }
    return status;
}

static void
close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void
sf_daemon_close(struct sf_daemon *daemon)
{
    sf_submit_close(daemon->submit);
    daemon->submit = NULL;
    sf_control_close(daemon->control);
    daemon->control = NULL;
    sf_keeper_stop(daemon->keeper);
    if (daemon->node != NULL) {
        sf_node_close(daemon->node);
        daemon->node = NULL;
    }
    sf_threads_close(daemon->threads);
    daemon->threads = NULL;
    sf_keeper_close(daemon->keeper);
    daemon->keeper = NULL;
    close_disk(daemon);
    sf_udp_close(daemon->udp);
    daemon->udp = NULL;
    sf_resolver_close(daemon->resolver);
    daemon->resolver = NULL;
    sf_daemon_news_close(daemon);
    sf_secret_free(daemon->master);
    daemon->master = NULL;
    close_fd(&daemon->signal_fd);
    close_fd(&daemon->timer_fd);
    close_fd(&daemon->clock_fd);
    close_fd(&daemon->epoll_fd);
    if (daemon->peers != NULL) {
        for (size_t i = 0; i < daemon->peer_count; i++) {
            sf_daemon_plan_free(daemon->peers[i].plan);
        }
        sf_wipe(daemon->peers, SF_PEERS_MAX * sizeof(*daemon->peers));
        free(daemon->peers);
        free(daemon->revoked);
        daemon->peers = NULL;
    }
}

/* --- The loop -------------------------------------------------------------------- */

/* Let what is finished have its consequences, a bounded number of rounds. */
static void
advance(struct sf_daemon *daemon)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool is_moved = sf_disk_poll(daemon->disk);

        is_moved = sf_workers_poll(sf_threads_workers(daemon->threads)) || is_moved;
        sf_node_tick(daemon->node, daemon->now, daemon->wall);
        if (!is_moved) {
            break;
        }
    }
}

/* What the interface does not take is made smaller. */
static void
take_refusals(struct sf_daemon *daemon)
{
    struct sf_addr to;
    size_t bytes;

    while (sf_udp_refused(daemon->udp, &to, &bytes)) {
        sf_node_refused(daemon->node, &to, bytes);
    }
}

/* Send until the node has nothing that may leave now, or a socket is full. */
static void
send_output(struct sf_daemon *daemon)
{
    for (int round = 0; round < OUTPUT_ROUNDS_MAX && !daemon->is_udp_full; round++) {
        bool is_more = true;
        uint8_t *room;

        while (is_more && (room = sf_udp_room(daemon->udp)) != NULL) {
            struct sf_addr to;
            size_t bytes;

            is_more = sf_node_output(
                daemon->node, &to, room, SF_UDP_DATAGRAM_BYTES_MAX, &bytes, daemon->now);
            if (is_more) {
                sf_udp_add(daemon->udp, &to, sf_node_mark(daemon->node), bytes);
            }
        }
        if (!sf_udp_flush(daemon->udp, &daemon->udp_full)) {
            daemon->is_udp_full = sf_daemon_watch(daemon, &udp_sources[daemon->udp_full],
                                      EPOLLIN | EPOLLOUT) == SF_OK;
        }
        take_refusals(daemon);
        if (!is_more) {
            break;
        }
    }
}

/* Set the timer to `at`, if it is not already. */
static void
set_timer(struct sf_daemon *daemon, sf_mono at)
{
    struct itimerspec timer = {.it_value = {0, 0}};

    if (at == daemon->timer_set) {
        return;
    }
    if (at != SF_NEVER) {
        timer.it_value.tv_sec = (time_t)(at / SF_SEC);
        timer.it_value.tv_nsec = (long)(at % SF_SEC);
    }
    if (timerfd_settime(daemon->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL) == 0) {
        daemon->timer_set = at;
    }
}

/* `at`, which is near, or as much later as is worth sleeping for. */
static sf_mono
end_of_nap(const struct sf_daemon *daemon, sf_mono at)
{
    sf_mono burst = daemon->now + BURST_SPAN;
    sf_mono nap = clock_now() + NAP_SPAN; /* `now` is from before what was just sent */
    sf_mono least = burst > nap ? burst : nap;

    return at > least ? at : least;
}

/* How long epoll may wait: 0 if there is something to do at once, else -1 with the timer set. */
static int
prepare_wait(struct sf_daemon *daemon, sf_mono peers_at)
{
    sf_mono at = sf_node_deadline(daemon->node);

    if (daemon->is_udp_full && at < daemon->now + FULL_SPAN) {
        at = daemon->now + FULL_SPAN;
    }
    at = sf_mono_min(at, peers_at);
    at = sf_mono_min(at, sf_control_deadline(daemon->control));
    at = sf_mono_min(at, sf_submit_deadline(daemon->submit));
    if (at <= daemon->now || (!daemon->is_uring && !sf_posix_disk_idle(daemon->disk))) {
        return 0;
    }
    /* The pacer may run a burst ahead: waking for each datagram would cost more than sending it. */
    set_timer(daemon, at < daemon->now + BURST_SPAN + NAP_SPAN ? end_of_nap(daemon, at) : at);
    return -1;
}

static int
wait_for_events(struct sf_daemon *daemon, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(daemon->epoll_fd, events, EVENTS_MAX, timeout_ms);

    if (count < 0 && errno != EINTR) {
        sf_log(SF_LOG_ERROR, "cannot wait for events: %s", strerror(errno));
        return SF_EIO;
    }
    read_clocks(daemon);
    for (int i = 0; i < count; i++) {
        struct sf_daemon_source *source = events[i].data.ptr;

        source->ready(daemon, source, events[i].events);
    }
    return SF_OK;
}

int
sf_daemon_run(struct sf_daemon *daemon)
{
    int status = SF_OK;

    while (!daemon->is_stopping && status == SF_OK) {
        sf_mono peers_at;

        advance(daemon);
        send_output(daemon);
        (void)sf_daemon_news_collect(daemon);
        sf_daemon_news_sample(daemon);
        if (sf_node_health(daemon->node) != SF_OK) {
            sf_log(SF_LOG_ERROR,
                "the journal could not be written: nothing more is acknowledged. Check the disk, "
                "then start again: recovery finds what it really holds");
            return SF_EIO;
        }
        peers_at = sf_mono_min(sf_daemon_peers_tick(daemon), sf_daemon_limits_tick(daemon));
        sf_control_tick(daemon->control);
        sf_submit_tick(daemon->submit);
        sf_keeper_tick(daemon->keeper);
        status = wait_for_events(daemon, prepare_wait(daemon, peers_at));
    }
    return status;
}
