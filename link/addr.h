/*
 * addr.h - where a datagram comes from or goes to.
 *
 * An IPv6 address and a UDP port; IPv4 is written in its mapped form
 * (::ffff:a.b.c.d), so that one type and one comparison serve both.
 */
#ifndef SF_LINK_ADDR_H
#define SF_LINK_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sf_addr {
    uint8_t ip[16];
    uint16_t port;
};

static inline bool
sf_addr_equal(const struct sf_addr *a, const struct sf_addr *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static inline bool
sf_addr_is_v4(const struct sf_addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(addr->ip, mapped, sizeof(mapped)) == 0;
}

/* The mapped form of an IPv4 address in host order. */
static inline struct sf_addr
sf_addr_v4(uint32_t ip, uint16_t port)
{
    struct sf_addr addr = {.port = port};

    addr.ip[10] = 0xff;
    addr.ip[11] = 0xff;
    addr.ip[12] = (uint8_t)(ip >> 24);
    addr.ip[13] = (uint8_t)(ip >> 16);
    addr.ip[14] = (uint8_t)(ip >> 8);
    addr.ip[15] = (uint8_t)ip;
    return addr;
}

#endif
