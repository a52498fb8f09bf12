/*
 * sim_relay.h - the channel model in real time: what comes in at one side goes
 * out at the other when, and if, the profile says so.
 *
 * It holds the datagrams that are under way, counts, listens to signals and to
 * the control socket. Where they come from and go to is a port's matter:
 * sim_proxy.c (UDP sockets) or sim_tun.c (network namespaces).
 */
#ifndef SF_APP_SIM_RELAY_H
#define SF_APP_SIM_RELAY_H

#include "sim/clock.h"
#include "sim/profile.h"

#include <stdio.h>

enum { SF_SIM_FORWARD, SF_SIM_BACK, SF_SIM_DIRECTIONS };
enum { SF_SIM_RELAY_DUE_MAX = 256 }; /* packets handed over at once */

struct sf_sim_relay;

/* A packet under way. */
struct sf_sim_packet {
    struct sf_sim_event event;
    struct sf_sim_relay *relay;
    struct sf_sim_packet *next; /* of those that are free */
    int direction;
    bool is_sent; /* the port says so */
    size_t capacity;
    size_t tag; /* the port's, as it came in */
    uint64_t generation;
    size_t payload_at; /* in `data` */
    size_t bytes;
    uint8_t data[];
};

struct sf_sim_port {
    void *owner;
    /* What was watched as `tag` can be read. */
    void (*readable)(void *owner, size_t tag);
    /* It is time to send these, all of one direction; sets is_sent of those that left. */
    void (*send)(void *owner, int direction, struct sf_sim_packet *const *packets, size_t count);
    /* A translator that restarted; NULL: there is none. */
    void (*rebind)(void *owner);
    /* The profile has changed; NULL: that changes nothing. */
    void (*changed)(void *owner, const struct sf_sim_profile *profile);
};

struct sf_sim_relay_config {
    const char *mode;              /* "proxy" or "tun", for the report */
    struct sf_sim_profile profile; /* windows count from the start of the relay */
    uint64_t seed;
    FILE *record;   /* every packet as it came: u32 big-endian length, bytes; or NULL */
    bool live;      /* counters on standard error, every second */
    int control_fd; /* of sf_sim_control_open(), stays the caller's; -1: none */
};

struct sf_sim_relay_stats {
    uint64_t clients;
    uint64_t nat_rebinds;
    uint64_t nat_dropped; /* sent to an address that was forgotten */
    uint64_t changes;     /* of the profile, while running */
    struct sf_sim_relay_direction {
        uint64_t payload_in; /* bytes behind the IP and UDP heads; behind the IP head in tun mode */
        uint64_t payload_out;
        uint64_t send_failed; /* the host would not take it */
    } directions[SF_SIM_DIRECTIONS];
};

/* A packet that has come in. */
struct sf_sim_input {
    int direction;
    const uint8_t *data;
    size_t bytes;
    size_t payload_at; /* in `data`: what corruption may hit begins there */
    size_t ip_bytes;   /* what rates, queues and MTUs count */
    size_t tag;        /* come back with the packet */
    uint64_t generation;
};

/* Block SIGINT, SIGTERM and SIGUSR1, so that what is made before the relay is also removed. */
bool sf_sim_relay_block_signals(void);

/*
 * Signals are blocked as above from here on at the latest. Returns NULL
 * with errno set on failure, else a relay for sf_sim_relay_close().
 */
struct sf_sim_relay *sf_sim_relay_open(
    const struct sf_sim_relay_config *config, const struct sf_sim_port *port);
void sf_sim_relay_close(struct sf_sim_relay *relay); /* NULL is allowed */

/* Have the port's readable() called with `tag` when `fd` is. Closing it ends that. */
bool sf_sim_relay_watch(struct sf_sim_relay *relay, int fd, size_t tag);

/* For the port, to count in. */
struct sf_sim_relay_stats *sf_sim_relay_stats(struct sf_sim_relay *relay);

/* The time since the start, as of the last event. */
sf_mono sf_sim_relay_now(const struct sf_sim_relay *relay);

/* A packet enters the path; `input` is copied. */
void sf_sim_relay_input(struct sf_sim_relay *relay, const struct sf_sim_input *input);

/*
 * Forward until SIGINT or SIGTERM. SIGUSR1 is the port's rebind(). Returns
 * false with errno set if it cannot go on.
 */
bool sf_sim_relay_run(struct sf_sim_relay *relay);

/* The counters as one JSON object, docs/SIMULATOR.md. */
void sf_sim_relay_report(const struct sf_sim_relay *relay, FILE *out);

#endif
