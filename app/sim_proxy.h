/*
 * sim_proxy.h - a relay between two real UDP programs.
 *
 * Whoever sends to the listening socket is a client; for each there is one
 * socket of its own towards the other program, as behind a NAT. One path per
 * direction is shared by all clients. Runs of equal datagrams come in and leave
 * in one piece where the kernel can do that (UDP_GRO, UDP_SEGMENT).
 */
#ifndef SF_APP_SIM_PROXY_H
#define SF_APP_SIM_PROXY_H

#include "app/sim_relay.h"

#include <sys/socket.h>

struct sf_sim_address {
    struct sockaddr_storage storage;
    socklen_t bytes;
};

struct sf_sim_proxy_config {
    struct sf_sim_relay_config relay;
    struct sf_sim_address listen;
    struct sf_sim_address to;
};

struct sf_sim_proxy;

/*
 * Bind and get ready; signals are blocked as by sf_sim_relay_open(). Returns
 * NULL with errno set on failure, else a proxy for sf_sim_proxy_close();
 * *ret_listen is the address really bound.
 */
struct sf_sim_proxy *sf_sim_proxy_open(
    const struct sf_sim_proxy_config *config, struct sf_sim_address *ret_listen);

/* To run it; SIGUSR1 gives every client a new socket, as a NAT that forgot them. */
struct sf_sim_relay *sf_sim_proxy_relay(struct sf_sim_proxy *proxy);

void sf_sim_proxy_close(struct sf_sim_proxy *proxy);

#endif
