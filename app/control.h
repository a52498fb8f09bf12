/*
 * control.h - HTTP and JSON on `control.sock`, as docs/CONTROL.md says.
 *
 * libmicrohttpd without a thread of its own: its epoll descriptor is one more
 * source of the daemon's loop, so a request sees the node at rest.
 */
#ifndef SF_APP_CONTROL_H
#define SF_APP_CONTROL_H

#include "app/daemon.h"

enum {
    SF_CONTROL_BODY_BYTES_MAX = 1 << 20,
    SF_CONTROL_PLAN_BYTES_MAX = 2 * SF_PLAN_FILE_BYTES_MAX, /* with every other character escaped */
    SF_CONTROL_CONNECTIONS_MAX = 32,
};

/* Start listening. SF_OK, or an error with its text; closed with sf_control_close(). */
SF_MUST_USE int sf_control_open(
    struct sf_daemon *daemon, struct sf_control **ret_control, struct sf_app_error *error);

/* NULL is allowed. */
void sf_control_close(struct sf_control *control);

/* Answer who waits for events, if there are new ones or they have waited long enough. */
void sf_control_tick(struct sf_control *control);

/* When sf_control_tick() is to be called at the latest. */
sf_mono sf_control_deadline(const struct sf_control *control);

#endif
