/*
 * sim_proxy.h - the channel model between two real UDP programs, in real time.
 *
 * Whoever sends to the listening socket is a client; for each there is one
 * socket of its own towards the other program, as behind a NAT. One path per
 * direction is shared by all clients.
 */
#ifndef SF_APP_SIM_PROXY_H
#define SF_APP_SIM_PROXY_H

#include "sim/profile.h"

#include <stdio.h>
#include <sys/socket.h>

struct sf_sim_address {
    struct sockaddr_storage storage;
    socklen_t bytes;
};

struct sf_sim_proxy_config {
    struct sf_sim_address listen;
    struct sf_sim_address to;
    struct sf_sim_profile profile; /* windows count from the start of the proxy */
    uint64_t seed;
    FILE *record; /* every datagram as it came: u32 big-endian length, bytes; or NULL */
    bool live;    /* counters on standard error, every second */
};

enum { SF_SIM_FORWARD, SF_SIM_BACK, SF_SIM_DIRECTIONS };

struct sf_sim_proxy_stats {
    double seconds;
    uint64_t clients;
    struct sf_sim_proxy_direction {
        struct sf_sim_path_stats path;
        uint64_t payload_in; /* UDP payload bytes */
        uint64_t payload_out;
        uint64_t send_failed; /* the host would not take it */
    } directions[SF_SIM_DIRECTIONS];
};

struct sf_sim_proxy;

/*
 * Bind and get ready; signals SIGINT, SIGTERM and SIGUSR1 are blocked from here
 * on. Returns NULL with errno set on failure, else a proxy for
 * sf_sim_proxy_close(); *ret_listen is the address really bound.
 */
struct sf_sim_proxy *sf_sim_proxy_open(
    const struct sf_sim_proxy_config *config, struct sf_sim_address *ret_listen);

/*
 * Forward until SIGINT or SIGTERM. SIGUSR1 gives every client a new socket
 * towards the other program, as a NAT that forgot them. Returns false with
 * errno set if it cannot go on.
 */
bool sf_sim_proxy_run(struct sf_sim_proxy *proxy, struct sf_sim_proxy_stats *ret_stats);

void sf_sim_proxy_close(struct sf_sim_proxy *proxy);

#endif
