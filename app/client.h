/*
 * client.h - the command line's end of the control interface: HTTP and JSON
 * over the Unix socket of a running daemon (docs/CONTROL.md).
 */
#ifndef SF_APP_CLIENT_H
#define SF_APP_CLIENT_H

#include "app/home.h"
#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    SF_CLIENT_TEXT_BYTES_MAX = 1023,        /* of an explanation, without the NUL */
    SF_CLIENT_ANSWER_BYTES_MAX = 256 << 20, /* a list of all transfers with all their files */
    SF_CLIENT_PATH_BYTES_MAX = 1023,        /* of a request's path, without the NUL */
};

struct sf_client;

/* Why a call failed. */
struct sf_client_error {
    bool is_unreachable; /* nobody answered: no daemon, or one that died while it worked */
    int system_error;    /* then: errno of the connection, 0 if it broke later */
    int status;          /* else: the daemon's, as an enum sf_status */
    char text[SF_CLIENT_TEXT_BYTES_MAX + 1];
};

/*
 * Prepare to talk to the daemon of the home at `home_path`, which need not
 * exist or run yet. Returns SF_OK, and the caller ends with sf_client_close();
 * or SF_ENOMEM.
 */
SF_MUST_USE int sf_client_open(const char *home_path, struct sf_client **ret_client);

void sf_client_close(struct sf_client *client);

/* One request. */
struct sf_client_call {
    const char *method; /* "GET", "PUT", ... */
    const char *path;   /* "/v1/transfers", encoded */
    json_t *body;       /* borrowed; NULL for none */
};

/*
 * Do one request and wait for its answer. On SF_OK *ret_answer is the answer's
 * object, a new reference. Otherwise *error says why, and the return value is
 * SF_EIO if nobody answered, SF_EFORMAT if what answered was no daemon of ours,
 * or error->status.
 */
SF_MUST_USE int sf_client_do(struct sf_client *client, const struct sf_client_call *call,
    json_t **ret_answer, struct sf_client_error *error);

/* The path of the control socket as it is named to people. */
const char *sf_client_socket(const struct sf_client *client);

/*
 * Write `segment` percent-encoded behind `prefix` into `out`
 * (SF_CLIENT_PATH_BYTES_MAX + 1 bytes), then `suffix`. SF_ELIMIT if too long.
 */
SF_MUST_USE int sf_client_path(
    const char *prefix, const char *segment, const char *suffix, char *out);

#endif
