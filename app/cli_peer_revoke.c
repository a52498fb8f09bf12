/*
 * cli_peer_revoke.c - `skyferry peer revoke`: a node that is not to be trusted
 * any more, at once through the daemon, or in its files before the next start.
 */
#include <config.h>

#include "app/cli_peer.h"

#include "app/revoked.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json_t *
sf_cli_peer_revoked(const struct sf_home *home, struct sf_app_error *error)
{
    struct sf_revoked_node *nodes = NULL;
    size_t count = 0;
    json_t *list;

    if (sf_revoked_read_all(home, &nodes, &count, error) != SF_OK) {
        return NULL;
    }
    list = json_array();
    sf_assert(list != NULL);
    for (size_t i = 0; i < count; i++) {
        char fingerprint[2 * sizeof(struct sf_fingerprint) + 1];
        int bad;

        sf_cli_hex(nodes[i].fingerprint.b, sizeof(nodes[i].fingerprint.b), fingerprint);
        bad = json_array_append_new(
            list, json_pack("{s:s, s:s?, s:o}", "fingerprint", fingerprint, "was",
                      nodes[i].was[0] == '\0' ? NULL : nodes[i].was, "revoked_ms",
                      nodes[i].when_ms == 0 ? json_null() : json_integer(nodes[i].when_ms)));
        sf_assert(bad == 0);
    }
    free(nodes);
    return list;
}

/* Which node is meant, by the files. */
static int
find_offline(const struct sf_home *home, const char *name, struct sf_revoked_node *ret_node,
    struct sf_app_error *error)
{
    struct sf_peers_peer *peers = NULL;
    struct timespec now;
    size_t count = 0;
    int status = sf_peers_read_all(home, &peers, &count, error);

    if (status != SF_OK) {
        return status;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret_node =
        (struct sf_revoked_node){.when_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
    status = sf_revoked_fingerprint_parse(name, &ret_node->fingerprint) ? SF_OK : SF_ENOENT;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(peers[i].name, name) == 0 ||
            (status == SF_OK &&
                sf_fingerprint_equal(&peers[i].card.fingerprint, &ret_node->fingerprint))) {
            ret_node->fingerprint = peers[i].card.fingerprint;
            memcpy(ret_node->was, peers[i].name, sizeof(ret_node->was));
            status = SF_OK;
            break;
        }
    }
    sf_peers_free(peers, count);
    return status;
}

static int
revoke_offline(struct sf_cli *cli, const char *name)
{
    struct sf_app_error error = {0};
    struct sf_revoked_node node;
    struct sf_home home;
    int exit = SF_EXIT_DONE;
    int status;

    if (!sf_cli_peer_lock(cli, &home, &exit)) {
        return exit;
    }
    status = find_offline(&home, name, &node, &error);
    if (status == SF_ENOENT) {
        sf_home_close(&home);
        return sf_cli_peer_unknown(cli, name);
    }
    if (status == SF_OK) {
        status = sf_revoked_write(&home, &node, &error);
    }
    if (status == SF_OK && node.was[0] != '\0') {
        status = sf_peers_remove(&home, node.was, &error);
    }
    sf_home_close(&home);
    if (status != SF_OK) {
        return sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
    }
    sf_cli_say("%s is revoked. No daemon runs: its transfers end when one starts.", name);
    return SF_EXIT_DONE;
}

static int
run_revoke(struct sf_cli *cli)
{
    const char *name = cli->args.operands[0];
    json_t *answer = NULL;
    bool reached;
    int exit = sf_cli_peer_call(
        cli, &(struct sf_cli_peer_call){"POST", "/revoke", true}, &answer, &reached);

    if (!reached) {
        return revoke_offline(cli, name);
    }
    if (exit == SF_EXIT_DONE) {
        sf_cli_say("%s is revoked; %" PRIu64 " of its transfers ended here.", name,
            sf_cli_number(answer, "transfers_ended", 0));
    }
    json_decref(answer);
    return exit;
}

static const struct sf_arg_option plain_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_peer_revoke = {
    .name = "peer revoke",
    .operands = "NAME|FINGERPRINT",
    .summary = "Trust a node no more, from this moment on",
    .more = "For a peer whose keys are lost or stolen. Nothing of it is accepted or answered any\n"
            "more, nothing goes to it, its open transfers end here, and what is left of its\n"
            "pre-shared key is erased. It is not told. Its card is refused from then on; to trust\n"
            "it again: `skyferry peer add NAME --card FILE --readmit`. A node that was made anew\n"
            "has another card, which can be added at once, under the same name.\n"
            "Works with and without a running daemon.\n",
    .options = plain_options,
    .option_count = SF_CLI_GLOBALS,
    .operands_min = 1,
    .operands_max = 1,
    .no_json = true,
    .run = run_revoke,
};
