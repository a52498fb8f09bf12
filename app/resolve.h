/*
 * resolve.h - host names to addresses, on a thread of its own, so that a name
 * server that does not answer never holds up a transfer.
 *
 * Numeric addresses need no thread. Results come back through sf_resolver_next()
 * on the owner's thread; an eventfd becomes readable, for epoll.
 */
#ifndef SF_APP_RESOLVE_H
#define SF_APP_RESOLVE_H

#include "app/peers.h"
#include "base/status.h"
#include "link/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether the host is an address as it stands; then no look-up is needed. */
bool sf_resolve_numeric(const struct sf_peers_endpoint *endpoint, struct sf_addr *ret_addr);

struct sf_resolver;

/* No thread is started before the first question. SF_OK, SF_ENOMEM, SF_ELIMIT. */
SF_MUST_USE int sf_resolver_open(struct sf_resolver **ret_resolver);

/*
 * Close. A look-up under way is not waited for: its thread ends by itself and
 * its answer is dropped. NULL is allowed.
 */
void sf_resolver_close(struct sf_resolver *resolver);

int sf_resolver_fd(const struct sf_resolver *resolver);

/*
 * Look up `endpoint`; `tag` comes back with the answer. Questions wait for each
 * other. SF_OK, SF_ELIMIT (too many waiting: ask again later), SF_ENOMEM.
 */
SF_MUST_USE int sf_resolver_ask(
    struct sf_resolver *resolver, uint64_t tag, const struct sf_peers_endpoint *endpoint);

struct sf_resolver_answer {
    uint64_t tag;
    bool is_found;
    struct sf_addr addr;
    char why[128]; /* if not */
};

/* The next answer; false if there is none. */
bool sf_resolver_next(struct sf_resolver *resolver, struct sf_resolver_answer *ret_answer);

#endif
