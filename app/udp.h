/*
 * udp.h - the daemon's UDP sockets: many datagrams with few system calls.
 *
 * A run of equal datagrams to one address leaves as one call with UDP_SEGMENT
 * and comes in as one with UDP_GRO, where the kernel has them; else, and after
 * the first refusal at run time, plain sendmmsg and recvmmsg do the same.
 * Packets are never fragmented, and what routers say of their size is not heard
 * (IP_PMTUDISC_PROBE): the link finds out by itself. Not thread-safe.
 */
#ifndef SF_APP_UDP_H
#define SF_APP_UDP_H

#include "app/config.h"
#include "app/error.h"
#include "app/mark.h"
#include "base/status.h"
#include "link/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_UDP_SOCKETS_MAX = SF_CONFIG_LISTEN_MAX,
    SF_UDP_DATAGRAM_BYTES_MAX = 9000,
};

struct sf_udp;

struct sf_udp_stats {
    uint64_t datagrams_out;
    uint64_t datagrams_in;
    uint64_t calls_out;
    uint64_t calls_in;
    uint64_t dropped_out; /* no route, too large for the path, ... */
    uint64_t too_large;   /* of these: EMSGSIZE, the interface takes less */
    uint64_t dropped_in;  /* larger than any datagram of ours */
    int errno_out;        /* of the latest one dropped */
    bool is_gso;
    bool is_gro;
    uint32_t receive_buffer_bytes; /* smallest of all sockets, as the kernel granted it */
};

/*
 * Bind the addresses. `[::]` serves IPv4 too. With `is_listen_default` a host
 * without IPv6 gets 0.0.0.0 instead. No address may fail.
 *
 * Returns SF_OK and sockets to be closed with sf_udp_close(); SF_EEXIST (the
 * port is taken), SF_EINVAL (no such local address), SF_EAUTH, SF_EIO, SF_ENOMEM.
 */
SF_MUST_USE int sf_udp_open(
    const struct sf_config *config, struct sf_udp **ret_udp, struct sf_app_error *error);

/* NULL is allowed. */
void sf_udp_close(struct sf_udp *udp);

/* Descriptor number `index` for epoll; -1 beyond the last. */
int sf_udp_fd(const struct sf_udp *udp, size_t index);

/* The address socket `index` is bound to (port 0 was replaced by a real one). */
void sf_udp_bound(const struct sf_udp *udp, size_t index, struct sf_addr *ret_addr);

/*
 * Take what has come in at socket `index`, a bounded amount, and call `input`
 * for each datagram, whose bytes it may overwrite. Returns whether more may be waiting.
 */
struct sf_udp_datagram {
    const struct sf_addr *from;
    uint8_t *data;
    size_t bytes;
    bool is_congested; /* it came with the mark CE */
};
typedef void (*sf_udp_input)(void *context, const struct sf_udp_datagram *datagram);
bool sf_udp_receive(struct sf_udp *udp, size_t index, sf_udp_input input, void *context);

/*
 * The index of an interface; 0 if there is none of that name, or `name` is "".
 * Works also once the process is confined.
 */
uint32_t sf_udp_interface(const struct sf_udp *udp, const char *name);

/*
 * Room for the next datagram to send, SF_UDP_DATAGRAM_BYTES_MAX bytes, or NULL
 * if there is none: then flush. sf_udp_add() says what was put there, and how it
 * is marked (app/mark.h). One that is bound to an interface leaves through no other.
 */
uint8_t *sf_udp_room(struct sf_udp *udp);
void sf_udp_add(struct sf_udp *udp, const struct sf_addr *to, uint32_t mark, size_t bytes);

/*
 * Send what was added. Returns true if all of it left (or was dropped: then
 * the path lost it, as paths do); false if a socket is full: wait until *ret_index
 * is writable, then flush again, and add nothing before.
 */
bool sf_udp_flush(struct sf_udp *udp, size_t *ret_index);

/*
 * A datagram of *ret_bytes to *ret_to was dropped since, as larger than the
 * interface takes. False: none. Of many to one address the smallest is told.
 */
bool sf_udp_refused(struct sf_udp *udp, struct sf_addr *ret_to, size_t *ret_bytes);

void sf_udp_stats(const struct sf_udp *udp, struct sf_udp_stats *ret_stats);

/* "[2001:db8::1]:7272", "192.0.2.1:7272". */
enum { SF_UDP_ADDR_TEXT_BYTES = 64 };
void sf_udp_addr_print(const struct sf_addr *addr, char ret_text[SF_UDP_ADDR_TEXT_BYTES]);

#endif
