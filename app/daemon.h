/*
 * daemon.h - skyferryd as its parts see it.
 *
 * One thread runs everything but jobs and name look-ups: a loop over epoll
 * hands datagrams, completions, requests and timers to the node, and carries
 * out what the node asks for. The parts are
 *
 *     daemon.c         opening, the loop, closing
 *     daemon_peers.c   peers/ and the node's peers, and the look-up of their names
 *     daemon_revoke.c  nodes that are not trusted any more
 *     daemon_limits.c  ceilings that peers share, by the hour
 *     daemon_plan.c    their contact plans
 *     daemon_news.c    events kept for those who ask, and rates
 *     control.c        HTTP; control_*.c what it answers
 *     submit.c         files handed over as descriptors
 *     keeper.c         copies of them, against which the next version may be sent
 */
#ifndef SF_APP_DAEMON_H
#define SF_APP_DAEMON_H

#include "app/config.h"
#include "app/confine.h"
#include "app/error.h"
#include "app/home.h"
#include "app/peers.h"
#include "app/revoked.h"
#include "app/plan.h"
#include "app/resolve.h"
#include "app/threads.h"
#include "app/udp.h"
#include "base/bytes.h"
#include "base/status.h"
#include "base/time.h"
#include "node/node.h"
#include "store/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SF_DAEMON_NEWS_MAX = 1024,   /* events kept */
    SF_DAEMON_WATCHED_MAX = 256, /* open transfers whose rate is measured */
    SF_DAEMON_SAMPLES = 8,
};

struct sf_control;
struct sf_submit;
struct sf_keeper;
struct sf_daemon_plan;

/* An event as it is kept for GET /v1/events. */
struct sf_daemon_news {
    uint64_t number;
    struct sf_wall time;
    struct sf_node_event event;
};

/* Bytes counted at some moments of the last seconds. */
struct sf_daemon_meter {
    struct {
        sf_mono at;
        uint64_t bytes;
    } samples[SF_DAEMON_SAMPLES];
    size_t count; /* the newest is the last */
};

/* An open transfer, and how fast it moves towards each recipient. */
struct sf_daemon_watched {
    struct sf_transfer_id id;
    struct sf_daemon_meter *meters; /* one, or one for each recipient */
    size_t meter_count;
};

/* One of a peer's endpoints: an address, or what its name was looked up to. */
struct sf_daemon_place {
    uint64_t tag; /* of the question, so that an answer to an older one is dropped */
    bool is_name;
    struct sf_addr addrs[SF_RESOLVE_ADDRS_MAX];
    size_t count;
};

/* A peer as configured, and where that is. */
struct sf_daemon_peer {
    struct sf_peers_peer conf;
    uint32_t interface_index; /* of the one it is bound to; 0 = none, or not there */
    struct sf_daemon_place places[SF_ENDPOINTS_MAX]; /* of conf.endpoints */
    sf_mono lookup_at;                               /* SF_NEVER if none of them is a name */
    uint64_t lookup_span;
    struct sf_daemon_plan *plan; /* NULL: none */
};

struct sf_daemon {
    struct sf_home home;
    struct sf_config config;
    gid_t group; /* of the sockets */
    struct sf_confine confine;
    uint8_t *master; /* of the home, in guarded memory; NULL if it has none */

    struct sf_disk *disk;
    bool is_uring;
    struct sf_threads *threads;
    struct sf_udp *udp;
    bool is_udp_full; /* wait until socket `udp_full` is writable */
    size_t udp_full;
    struct sf_node *node;
    struct sf_resolver *resolver;
    struct sf_control *control;
    struct sf_submit *submit;
    struct sf_keeper *keeper;

    int epoll_fd;
    int timer_fd;
    int clock_fd; /* ready when the wall clock was set */
    int signal_fd;
    sf_mono timer_set; /* what timer_fd is set to */
    sf_mono now;       /* read once in each turn of the loop */
    struct sf_wall wall;
    sf_mono started;
    struct sf_wall started_wall;
    bool is_stopping;

    struct sf_daemon_peer *peers; /* SF_PEERS_MAX */
    size_t peer_count;
    struct sf_revoked_node *revoked; /* their transfers have ended, and they cannot be peers */
    size_t revoked_count;
    uint64_t tag_last;
    sf_mono interfaces_at; /* when to look at the interfaces peers are bound to */
    sf_mono limits_at;     /* when the hours of limits are to be looked at */

    struct sf_daemon_news *news;       /* SF_DAEMON_NEWS_MAX, number n at n modulo that */
    uint64_t news_next;                /* the number of the next one */
    uint64_t news_first;               /* of this run */
    struct sf_daemon_watched *watched; /* SF_DAEMON_WATCHED_MAX */
    size_t watched_count;
    sf_mono sampled;
    struct sf_node_transfer *scratch; /* too large for the stack */
};

/* --- daemon.c ---------------------------------------------------------------- */

/* What to do with a descriptor that is ready. Lives, in its place, as long as it is watched. */
struct sf_daemon_source {
    void (*ready)(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events);
    int fd;
    size_t index;
    void *owner;
};

/* Watch source->fd for `events` (EPOLLIN, ...), or for others than before. SF_OK or SF_EIO. */
SF_MUST_USE int sf_daemon_watch(
    struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events);
void sf_daemon_unwatch(struct sf_daemon *daemon, const struct sf_daemon_source *source);

/*
 * Open everything for the locked home in daemon->home and daemon->config (the
 * rest zero); on failure sf_daemon_close() has been called.
 */
SF_MUST_USE int sf_daemon_open(struct sf_daemon *daemon, struct sf_app_error *error);

/* Run until a signal ends it. Returns SF_OK, or SF_EIO when the node cannot keep its promise. */
SF_MUST_USE int sf_daemon_run(struct sf_daemon *daemon);
void sf_daemon_close(struct sf_daemon *daemon);

/*
 * Hand a descriptor to the disk: its handle, or SF_EINVAL, SF_ELIMIT, SF_ENOMEM
 * with `fd` still the caller's.
 */
SF_MUST_USE int sf_daemon_adopt(struct sf_daemon *daemon, int fd);
/* Close a handle of the disk that no node took. */
void sf_daemon_drop(struct sf_daemon *daemon, int handle);

/* --- daemon_home.c ------------------------------------------------------------ */

/*
 * Refuse to start where secrets may be read by others; open the master key, if
 * there is one; find the group of sockets and inbox, give it what is its, and
 * keep others out of staging. SF_EINVAL, SF_EAUTH, ..., with *error.
 */
SF_MUST_USE int sf_daemon_home_open(struct sf_daemon *daemon, struct sf_app_error *error);

/*
 * Whether the process at the other end of Unix socket `fd` may use the daemon:
 * root, the daemon's user, or a member of the socket's group. *ret_user is whose it is.
 */
bool sf_daemon_is_allowed(const struct sf_daemon *daemon, int fd, uint32_t *ret_user);

/*
 * A listening Unix socket `name` in the home, mode 0660 and of the configured
 * group; one left by an earlier run is replaced (the home is locked).
 */
struct sf_daemon_listener {
    const char *name;
    int type; /* SOCK_STREAM or SOCK_SEQPACKET */
    int backlog;
};
SF_MUST_USE int sf_daemon_listen(struct sf_daemon *daemon,
    const struct sf_daemon_listener *listener, int *ret_fd, struct sf_app_error *error);

/* --- daemon_revoke.c ---------------------------------------------------------- */

/* Read who is revoked, and hold the node to it. SF_ELIMIT, SF_ENOMEM, SF_EIO, with *error. */
SF_MUST_USE int sf_daemon_revoked_load(struct sf_daemon *daemon, struct sf_app_error *error);
/* The revoked node of that fingerprint, or NULL. */
const struct sf_revoked_node *sf_daemon_revoked_find(
    const struct sf_daemon *daemon, const struct sf_fingerprint *fingerprint);
/* Take those of revoked nodes out of the list just read: a crash left their files. *count falls. */
void sf_daemon_revoked_leave_out(
    const struct sf_daemon *daemon, struct sf_peers_peer *peers, size_t *count);
/*
 * Revoke the peer of that name, or the node of that fingerprint, durably; *ret_ended
 * of its transfers ended; once more changes nothing. SF_ENOENT; what the disk says, and then
 * it holds until the daemon stops; with *error.
 */
SF_MUST_USE int sf_daemon_peer_revoke(struct sf_daemon *daemon, const char *name,
    struct sf_revoked_node *ret_node, uint64_t *ret_ended, struct sf_app_error *error);
/* The revoked node of that fingerprint may be added again. SF_ENOENT; what the disk says. */
SF_MUST_USE int sf_daemon_readmit(
    struct sf_daemon *daemon, const char *digits, struct sf_app_error *error);

/* --- daemon_peers.c ----------------------------------------------------------- */

/* Read peers/ and make the node's peers the same. On a failure of reading nothing changes. */
SF_MUST_USE int sf_daemon_peers_load(struct sf_daemon *daemon, struct sf_app_error *error);
/* Add or change one, in the node and in peers/: *ret_is_new. Errors leave all as it was. */
SF_MUST_USE int sf_daemon_peer_put(struct sf_daemon *daemon, const struct sf_peers_peer *conf,
    bool *ret_is_new, struct sf_app_error *error);
SF_MUST_USE int sf_daemon_peer_delete(
    struct sf_daemon *daemon, const char *name, struct sf_app_error *error);
/* The addresses of its endpoints, the first of each before the second of any. Returns how many. */
size_t sf_daemon_peer_addrs(
    const struct sf_daemon_peer *peer, struct sf_addr ret_addrs[SF_LINK_ENDPOINTS_MAX]);

struct sf_daemon_peer *sf_daemon_peer_find(struct sf_daemon *daemon, const char *name);
/* Ask for names that are due; returns when to call again. */
sf_mono sf_daemon_peers_tick(struct sf_daemon *daemon);
/* Take the answers of the resolver. */
void sf_daemon_peers_answers(struct sf_daemon *daemon);

/* --- daemon_plan.c ------------------------------------------------------------- */

/* Read peers/NAME.plan again; none is fine, and clears it. On a failure the one before stays. */
SF_MUST_USE int sf_daemon_plan_load(
    struct sf_daemon *daemon, struct sf_daemon_peer *peer, struct sf_app_error *error);
/* Tell the node of the peer's plan, or that it has none. */
SF_MUST_USE int sf_daemon_plan_give(
    struct sf_daemon *daemon, const struct sf_daemon_peer *peer, struct sf_app_error *error);
/* Put a plan, or take it away, in the node and in peers/. Errors leave all as it was. */
SF_MUST_USE int sf_daemon_plan_put(
    struct sf_daemon *daemon, const char *name, struct sf_view text, struct sf_app_error *error);
SF_MUST_USE int sf_daemon_plan_delete(
    struct sf_daemon *daemon, const char *name, struct sf_app_error *error);
/* Look gateways up that are due; returns when to call again. */
sf_mono sf_daemon_plans_tick(struct sf_daemon *daemon);
/* Whether the answer was for a gateway. */
bool sf_daemon_plan_answer(struct sf_daemon *daemon, const struct sf_resolver_answer *answer);
void sf_daemon_plan_free(struct sf_daemon_plan *plan);

/* --- daemon_limits.c ---------------------------------------------------------- */

/* The limits of the config that count for a peer, a bit for each. */
uint32_t sf_daemon_limits_of(const struct sf_daemon *daemon, const struct sf_peers_peer *conf);
/* Let those hold whose hour it is; returns when to call again. */
sf_mono sf_daemon_limits_tick(struct sf_daemon *daemon);

/* --- daemon_news.c ------------------------------------------------------------ */

SF_MUST_USE int sf_daemon_news_open(struct sf_daemon *daemon);
void sf_daemon_news_close(struct sf_daemon *daemon);
/* Take the node's events: into the log and the list. Returns whether there was one. */
bool sf_daemon_news_collect(struct sf_daemon *daemon);
/* Measure rates, when a second has passed since the last time. */
void sf_daemon_news_sample(struct sf_daemon *daemon);
/* Begin to measure a transfer. */
void sf_daemon_news_watch(struct sf_daemon *daemon, const struct sf_transfer_id *id);

/* Bits a second of meter `index` of a transfer; false if nothing moves or nothing is known. */
bool sf_daemon_rate(const struct sf_daemon *daemon, const struct sf_transfer_id *id, size_t index,
    uint64_t *ret_bps);

#endif
