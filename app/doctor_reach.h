/*
 * doctor_reach.h - what can be told of the way to an address where nobody answers.
 */
#ifndef SF_APP_DOCTOR_REACH_H
#define SF_APP_DOCTOR_REACH_H

#include "app/udp.h"
#include "link/addr.h"

#include <stddef.h>

/* In the order of how much is told. */
enum sf_reach_verdict {
    SF_REACH_SILENT,      /* nothing came back, of nothing */
    SF_REACH_NO_FAMILY,   /* this machine has no IPv6, or no IPv4 */
    SF_REACH_NO_ROUTE,    /* this machine, or a router, has no way there */
    SF_REACH_FORBIDDEN,   /* this machine's own firewall forbids it */
    SF_REACH_NARROW,      /* the interface takes no datagrams of 1,200 bytes */
    SF_REACH_UDP_DROPPED, /* the machine is there: it answered TCP, and not UDP */
    SF_REACH_NOT_OPEN,    /* the machine is there: nobody listens on the port */
};

struct sf_reach {
    struct sf_addr addr;
    enum sf_reach_verdict verdict;
    char local[SF_UDP_ADDR_TEXT_BYTES]; /* the own address it leaves from; "" if not known */
};

enum { SF_REACH_MAX = 16 };

/*
 * Try `count` addresses, at most SF_REACH_MAX, at once: a datagram of 1,200
 * zeros, which no node answers, and a TCP connection, which no node takes. What
 * systems on the way say to these is listened to for two seconds at most.
 */
void sf_reach_try(struct sf_reach *reach, size_t count);

#endif
