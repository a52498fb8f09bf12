/*
 * submit.h - `submit.sock`: files handed over as open descriptors.
 *
 * The messages are in submit_protocol.h. A transfer is begun only when all its
 * files are here; a caller that goes away before leaves nothing behind.
 */
#ifndef SF_APP_SUBMIT_H
#define SF_APP_SUBMIT_H

#include "app/daemon.h"

enum { SF_SUBMIT_CALLERS_MAX = 4 };

#define SF_SUBMIT_SILENCE_NS (30 * SF_SEC)

/* Start listening. SF_OK, or an error with its text; closed with sf_submit_close(). */
SF_MUST_USE int sf_submit_open(
    struct sf_daemon *daemon, struct sf_submit **ret_submit, struct sf_app_error *error);

/* NULL is allowed. */
void sf_submit_close(struct sf_submit *submit);

/* Let go of callers that have been silent too long. */
void sf_submit_tick(struct sf_submit *submit);
sf_mono sf_submit_deadline(const struct sf_submit *submit);

#endif
