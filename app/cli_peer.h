/*
 * cli_peer.h - what the commands about peers share.
 */
#ifndef SF_APP_CLI_PEER_H
#define SF_APP_CLI_PEER_H

#include "app/cli.h"
#include "app/home.h"

#include <stdbool.h>

enum { SF_CLI_FINGERPRINT_SHOWN = 16 }; /* digits of a fingerprint that people are shown */

/*
 * The answer of GET /v1/peers, from the daemon or, when none runs, from the home; NULL when it
 * has said why not. `running` in it says which.
 */
json_t *sf_cli_peer_all(struct sf_cli *cli, int *ret_exit);

/*
 * Open the home and take its lock, for a change of its files without a daemon.
 * On failure it has said so and *ret_exit is set.
 */
SF_MUST_USE bool sf_cli_peer_lock(struct sf_cli *cli, struct sf_home *home, int *ret_exit);

/* Those that this node has revoked, as GET /v1/peers lists them; NULL with *error. */
json_t *sf_cli_peer_revoked(const struct sf_home *home, struct sf_app_error *error);

/* There is none of that name: says so and returns the exit code. */
int sf_cli_peer_unknown(const struct sf_cli *cli, const char *name);

/*
 * One call about the peer in operand 0. On SF_EXIT_DONE *ret_answer is a new
 * reference. A failure has been told, but for !*ret_reached: no daemon runs,
 * and the command can do without.
 */
struct sf_cli_peer_call {
    const char *method;
    const char *suffix; /* behind /v1/peers/NAME */
    bool works_offline;
};
int sf_cli_peer_call(struct sf_cli *cli, const struct sf_cli_peer_call *call, json_t **ret_answer,
    bool *ret_reached);

#endif
