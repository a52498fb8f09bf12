/*
 * resolve.h - host names to addresses, in a process of its own.
 *
 * The system's look-up blocks, for many seconds if a name server does not
 * answer; it opens sockets and reads files all over the system; and it parses
 * what strangers on the network say. So it is kept apart from the process that
 * has the keys: a child that holds no descriptor of its parent's but the socket
 * between them, and may start no program and write no file.
 *
 * Numeric addresses need no look-up (sf_endpoint_numeric). The descriptor becomes readable, for
 * epoll, when there are answers. Not thread-safe.
 */
#ifndef SF_APP_RESOLVE_H
#define SF_APP_RESOLVE_H

#include "app/peers.h"
#include "base/status.h"
#include "link/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum { SF_RESOLVE_ADDRS_MAX = 4 }; /* of one name: further ones are left out */

struct sf_resolver;

/*
 * Start the process. Before there are threads, keys in memory, and a confinement
 * that forbids it. SF_OK, SF_ENOMEM, SF_ELIMIT.
 */
SF_MUST_USE int sf_resolver_open(struct sf_resolver **ret_resolver);

/* Close. A look-up under way is not waited for, and its answer is dropped. NULL is allowed. */
void sf_resolver_close(struct sf_resolver *resolver);

int sf_resolver_fd(const struct sf_resolver *resolver);

/*
 * Look up `endpoint`; `tag` comes back with the answer. Questions wait for each
 * other. SF_OK, SF_ELIMIT (too many waiting: ask again later), SF_EIO (the
 * process is gone: names can be looked up again after a restart).
 */
SF_MUST_USE int sf_resolver_ask(
    struct sf_resolver *resolver, uint64_t tag, const struct sf_endpoint *endpoint);

struct sf_resolver_answer {
    uint64_t tag;
    struct sf_addr addrs[SF_RESOLVE_ADDRS_MAX]; /* in the order the system prefers */
    size_t count;                               /* 0: not found */
    char why[128];                              /* if not */
};

/* The next answer; false if there is none. */
bool sf_resolver_next(struct sf_resolver *resolver, struct sf_resolver_answer *ret_answer);

/* The process ended, as sf_resolver_next() found: the descriptor stays readable for nothing. */
bool sf_resolver_is_gone(const struct sf_resolver *resolver);

#endif
