/*
 * submit_client.h - the caller's side of submit.sock: hand open files to the
 * daemon (app/submit_protocol.h).
 */
#ifndef SF_APP_SUBMIT_CLIENT_H
#define SF_APP_SUBMIT_CLIENT_H

#include "app/bases.h"
#include "app/client.h"
#include "app/submit_protocol.h"
#include "app/walk.h"
#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_submit_client {
    const char *home_path;
    const struct sf_walk *walk;   /* its descriptors stay open and its own */
    const struct sf_bases *bases; /* the same, read; or NULL */
    const char *const *recipients;
    size_t recipient_count;
    uint8_t priority;
    int64_t deadline_ms; /* since 1970; 0 = none */
    bool forget_key;
    const struct sf_transfer_id *resume; /* or NULL */
};

/*
 * Hand over the files of `submit->walk` and wait for the answer. On SF_OK the
 * daemon has taken them as *ret_transfer and is sealing; custody comes later.
 *
 * Otherwise *error says why: is_unreachable if no daemon is there or it went
 * away before it answered (nothing was taken, or will show as interrupted);
 * else the daemon's refusal. Returns SF_EIO or error->status. A signal that
 * comes before the answer ends the waiting with SF_ESTATE and is_unreachable.
 */
SF_MUST_USE int sf_submit_client_do(const struct sf_submit_client *submit,
    struct sf_transfer_id *ret_transfer, struct sf_client_error *error);

/*
 * Ask the daemon of that home which copies may be a base. On SF_OK the ret_offer->count
 * descriptors in `ret_fds` are the caller's, in the order of the offer. Fails as above.
 */
SF_MUST_USE int sf_submit_client_ask(const char *home_path, const struct sf_submit_ask *ask,
    struct sf_submit_offer *ret_offer, int ret_fds[SF_SUBMIT_BASES_MAX],
    struct sf_client_error *error);

#endif
