/*
 * sim_tun.h - a relay between two network namespaces: a TUN device in each,
 * and the channel model between them. It carries any IP packet.
 *
 * Needs CAP_NET_ADMIN, and CAP_SYS_ADMIN to enter and make namespaces.
 */
#ifndef SF_APP_SIM_TUN_H
#define SF_APP_SIM_TUN_H

#include "app/sim_relay.h"

#include <net/if.h>
#include <netinet/in.h>

enum {
    SF_SIM_TUN_ADDRESSES_MAX = 4,
    SF_SIM_TUN_NAME_BYTES = 128, /* of a namespace: a name below /run/netns, or a path */
    SF_SIM_TUN_ERROR_BYTES = 256,
};

struct sf_sim_tun_address {
    bool is_v6;
    struct in6_addr v6;
    struct in_addr v4;
    unsigned prefix_bits;
};

/* One end: "NAMESPACE:ADDR/LEN[,ADDR/LEN...]"; an empty name is the namespace we run in. */
struct sf_sim_tun_end {
    char name[SF_SIM_TUN_NAME_BYTES];
    struct sf_sim_tun_address addresses[SF_SIM_TUN_ADDRESSES_MAX];
    size_t address_count;
};

struct sf_sim_tun_config {
    struct sf_sim_relay_config relay;
    struct sf_sim_tun_end
        ends[SF_SIM_DIRECTIONS]; /* the near one, whose packets go forward; the far */
    bool make;                   /* make the namespaces, and remove them at the end */
};

struct sf_sim_tun;

/* Read an end as above. False if `text` is none. */
bool sf_sim_tun_end_parse(const char *text, struct sf_sim_tun_end *ret_end);

/*
 * Make devices, and namespaces if told to. Signals are blocked as by
 * sf_sim_relay_open(). Returns a tun for sf_sim_tun_close(), which removes what
 * was made; or NULL, with nothing left behind and a sentence in `error`.
 */
struct sf_sim_tun *sf_sim_tun_open(
    const struct sf_sim_tun_config *config, char error[SF_SIM_TUN_ERROR_BYTES]);
void sf_sim_tun_close(struct sf_sim_tun *tun);

struct sf_sim_relay *sf_sim_tun_relay(struct sf_sim_tun *tun);

/* The device at that end. */
const char *sf_sim_tun_device(const struct sf_sim_tun *tun, int end);

#endif
