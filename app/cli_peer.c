/*
 * cli_peer.c - `skyferry peer list|remove|reset`, and what they share with
 * `peer add`.
 *
 * With a running daemon everything goes through it, so that it takes effect at
 * once. Without one the files in peers/ are changed directly, under the home's
 * lock, so that a node can be prepared before its first start.
 */
#include <config.h>

#include "app/cli_peer.h"

#include "app/peers.h"
#include "app/progress.h"
#include "app/table.h"
#include "app/text.h"
#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
sf_cli_peer_lock(struct sf_cli *cli, struct sf_home *home, int *ret_exit)
{
    struct sf_app_error error = {0};
    int status;

    if (!sf_cli_home(cli, home, ret_exit)) {
        return false;
    }
    status = sf_home_lock(home, &error);
    if (status != SF_OK) {
        *ret_exit = status == SF_ESTATE
                        ? sf_cli_fail(SF_EXIT_FAILED,
                              "a daemon is starting or stopping in %s; try again in a moment (%s)",
                              cli->home_path, error.text)
                        : sf_cli_fail(SF_EXIT_FAILED, "%s", error.text);
        sf_home_close(home);
        return false;
    }
    return true;
}

/* --- list ------------------------------------------------------------------ */

/* As the daemon would tell it, from the files. */
static json_t *
list_offline(struct sf_cli *cli, int *ret_exit)
{
    struct sf_app_error error = {0};
    struct sf_peers_peer *peers = NULL;
    json_t *list = json_array();
    json_t *revoked = NULL;
    struct sf_home home;
    size_t count = 0;
    int status;

    sf_assert(list != NULL);
    if (!sf_cli_home(cli, &home, ret_exit)) {
        json_decref(list);
        return NULL;
    }
    status = sf_peers_read_all(&home, &peers, &count, &error);
    if (status == SF_OK && (revoked = sf_cli_peer_revoked(&home, &error)) == NULL) {
        sf_peers_free(peers, count);
        status = error.status;
    }
    sf_home_close(&home);
    if (status != SF_OK) {
        *ret_exit = sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct sf_peers_peer *peer = &peers[i];
        char fingerprint[2 * sizeof(struct sf_fingerprint) + 1];
        char endpoint[SF_ENDPOINTS_BYTES_MAX + 1];
        char rate[SF_UNITS_TEXT_BYTES];
        json_t *allow = json_array();
        int bad = 0;

        sf_cli_hex(peer->card.fingerprint.b, sizeof(peer->card.fingerprint.b), fingerprint);
        sf_endpoints_print(&peer->endpoints, endpoint);
        sf_peers_rate_print(peer, rate);
        bad |= peer->may_send ? json_array_append_new(allow, json_string("send")) : 0;
        bad |= peer->may_receive ? json_array_append_new(allow, json_string("receive")) : 0;
        bad |= json_array_append_new(list,
            json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:b, s:b, s:n}", "name", peer->name,
                "fingerprint", fingerprint, "endpoint",
                peer->endpoints.count == 0 ? NULL : endpoint, "rate", rate, "rate_bps",
                peer->pace == SF_LINK_PACE_FIXED ? json_integer((json_int_t)peer->rate_bps)
                                                 : json_null(),
                "allow", allow, "quota_bytes",
                peer->quota_bytes == 0 ? json_null() : json_integer((json_int_t)peer->quota_bytes),
                "psk", peer->has_psk, "return", !peer->no_return, "link"));
        sf_assert(bad == 0);
    }
    sf_peers_free(peers, count);
    return json_pack("{s:b, s:o, s:o}", "running", 0, "peers", list, "revoked", revoked);
}

json_t *
sf_cli_peer_all(struct sf_cli *cli, int *ret_exit)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;

    if (!sf_cli_client(cli, &client, ret_exit)) {
        return NULL;
    }
    if (sf_client_do(client, &(struct sf_client_call){"GET", "/v1/peers", NULL}, &answer, &error) ==
        SF_OK) {
        sf_assert(json_object_set_new(answer, "running", json_true()) == 0);
    } else if (error.is_unreachable && error.system_error != EACCES) {
        answer = list_offline(cli, ret_exit);
    } else {
        *ret_exit = sf_cli_call_failed(cli, &error);
    }
    sf_client_close(client);
    return answer;
}

static void
print_number(uint64_t value, char *text)
{
    (void)snprintf(text, SF_TEXT_AMOUNT_BYTES, "%" PRIu64, value);
}

static void
add_amount(struct sf_table *table, uint64_t value, void (*print)(uint64_t, char *))
{
    char text[SF_TEXT_AMOUNT_BYTES];

    if (value == UINT64_MAX) {
        sf_table_add(table, "-");
        return;
    }
    print(value, text);
    sf_table_add(table, text);
}

/* What holds now and why, or how it is set. */
static void
add_rate(struct sf_table *table, const json_t *peer, const json_t *link)
{
    char text[SF_TEXT_AMOUNT_BYTES + 16];

    sf_cli_rate(link, "rate_bps", "rate_why", text, sizeof(text));
    sf_table_add(
        table, link == NULL || json_is_null(link) ? sf_cli_string(peer, "rate", "-") : text);
}

static void
add_peer_row(struct sf_table *table, const json_t *peer)
{
    const json_t *link = json_object_get(peer, "link");
    const json_t *item;
    const char *endpoint = sf_cli_string(peer, "endpoint", "waits for it");
    uint64_t rtt_ns = sf_cli_number(link, "rtt_ns", UINT64_MAX);
    char text[SF_TEXT_AMOUNT_BYTES];
    char allow[32] = "";
    size_t i;

    json_array_foreach(json_object_get(peer, "allow"), i, item)
    {
        (void)snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%.10s",
            i > 0 ? "," : "", json_is_string(item) ? json_string_value(item) : "?");
    }
    sf_table_add(table, sf_cli_string(peer, "name", "?"));
    sf_table_add(
        table, sf_cli_bool(link, "is_narrow") ? "narrow" : sf_cli_string(link, "state", "-"));
    if (sf_cli_string(link, "address", NULL) != NULL) {
        endpoint = sf_cli_string(link, "address", NULL);
    }
    sf_table_add(table, endpoint);
    add_rate(table, peer, link);
    if (rtt_ns == UINT64_MAX || rtt_ns == 0) {
        sf_table_add(table, "-");
    } else {
        (void)snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64 " ms", rtt_ns / SF_MS,
            rtt_ns % SF_MS / (SF_MS / 10));
        sf_table_add(table, text);
    }
    add_amount(table, sf_cli_number(link, "mtu_bytes", UINT64_MAX), print_number);
    add_amount(table, sf_cli_number(link, "heard_s", UINT64_MAX), sf_text_duration);
    add_amount(table, sf_cli_number(link, "bytes_out", UINT64_MAX), sf_text_size);
    add_amount(table, sf_cli_number(link, "bytes_in", UINT64_MAX), sf_text_size);
    sf_table_add(table, allow[0] == '\0' ? "none" : allow);
    sf_table_add(table, sf_cli_bool(peer, "psk") ? "yes" : "no");
    (void)snprintf(text, sizeof(text), "%.*s", SF_CLI_FINGERPRINT_SHOWN,
        sf_cli_string(peer, "fingerprint", "?"));
    sf_table_add(table, text);
}

static int
run_list(struct sf_cli *cli)
{
    static const struct sf_table_column columns[] = {
        {"PEER", false, true, false},
        {"STATE", false, false, false},
        {"ADDRESS", false, true, false},
        {"RATE", true, false, false},
        {"RTT", true, false, false},
        {"MTU", true, false, true},
        {"HEARD", true, false, false},
        {"OUT", true, false, true},
        {"IN", true, false, true},
        {"MAY", false, false, true},
        {"PSK", false, false, true},
        {"FINGERPRINT", false, false, true},
    };
    bool terminal = isatty(STDOUT_FILENO) == 1;
    int exit = SF_EXIT_DONE;
    struct sf_table table;
    json_t *answer = sf_cli_peer_all(cli, &exit);
    json_t *peer;
    char *text;
    size_t i;

    if (answer == NULL) {
        return exit;
    }
    if (cli->json) {
        return sf_cli_print_json(answer);
    }
    sf_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        add_peer_row(&table, peer);
    }
    if (sf_table_rows(&table) == 0) {
        sf_cli_say("No peers yet. Add one:  skyferry peer add NAME --card FILE");
    } else {
        text = sf_table_text(&table, terminal ? sf_screen_columns(stdout) : 0, terminal);
        (void)fputs(text, stdout);
        free(text);
        if (!sf_cli_bool(answer, "running")) {
            sf_cli_say("No daemon runs, so nothing is known of their state.");
        }
    }
    json_array_foreach(json_object_get(answer, "revoked"), i, peer)
    {
        sf_cli_say("Revoked: %s (%.*s...)", sf_cli_string(peer, "was", "a node"),
            SF_CLI_FINGERPRINT_SHOWN, sf_cli_string(peer, "fingerprint", "?"));
    }
    sf_table_fini(&table);
    json_decref(answer);
    return sf_cli_finish(SF_EXIT_DONE);
}

static const struct sf_arg_option plain_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_peer_list = {
    .name = "peer list",
    .operands = "",
    .summary = "List the peers, whether they are reached, and what they may do",
    .more = "STATE is up (it answers), dark (it did, and will again), never (not yet heard of) or\n"
            "narrow (it answers, but the path takes no datagrams of 1,200 bytes: nothing can go).\n"
            "MTU is what the path was found to take.\n",
    .options = plain_options,
    .option_count = SF_CLI_GLOBALS,
    .run = run_list,
};

/* --- remove and reset ------------------------------------------------------ */

int
sf_cli_peer_unknown(const struct sf_cli *cli, const char *name)
{
    char shown[256];

    (void)sf_text_escape(sf_view(name, strlen(name)), cli->utf8, shown, sizeof(shown));
    return sf_cli_fail(
        SF_EXIT_FAILED, "there is no peer '%s'\n  `skyferry peer list` shows them", shown);
}

static int
remove_offline(struct sf_cli *cli, const char *name)
{
    struct sf_app_error error = {0};
    struct sf_home home;
    int exit = SF_EXIT_DONE;
    int status;

    if (!sf_cli_peer_lock(cli, &home, &exit)) {
        return exit;
    }
    status = sf_peers_name_is_valid(name) ? sf_peers_remove(&home, name, &error) : SF_ENOENT;
    sf_home_close(&home);
    if (status == SF_ENOENT) {
        return sf_cli_peer_unknown(cli, name);
    }
    if (status != SF_OK) {
        return sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
    }
    sf_cli_say("Peer %s removed.", name);
    return SF_EXIT_DONE;
}

int
sf_cli_peer_call(
    struct sf_cli *cli, const struct sf_cli_peer_call *call, json_t **ret_answer, bool *ret_reached)
{
    const char *name = cli->args.operands[0];
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;
    int exit = SF_EXIT_DONE;

    *ret_reached = true;
    if (sf_client_path("/v1/peers/", name, call->suffix, path) != SF_OK) {
        return sf_cli_peer_unknown(cli, name);
    }
    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (sf_client_do(client, &(struct sf_client_call){call->method, path, NULL}, &answer, &error) ==
        SF_OK) {
        *ret_answer = answer;
    } else if (error.is_unreachable && call->works_offline && error.system_error != EACCES) {
        *ret_reached = false;
        exit = SF_EXIT_FAILED;
    } else {
        exit = sf_cli_call_failed(cli, &error);
    }
    sf_client_close(client);
    return exit;
}

static int
run_remove(struct sf_cli *cli)
{
    bool reached;
    json_t *answer = NULL;
    int exit =
        sf_cli_peer_call(cli, &(struct sf_cli_peer_call){"DELETE", "", true}, &answer, &reached);

    json_decref(answer);
    if (!reached) {
        return remove_offline(cli, cli->args.operands[0]);
    }
    if (exit == SF_EXIT_DONE) {
        sf_cli_say("Peer %s removed.", cli->args.operands[0]);
    }
    return exit;
}

static int
run_reset(struct sf_cli *cli)
{
    bool reached;
    json_t *answer = NULL;
    int exit = sf_cli_peer_call(
        cli, &(struct sf_cli_peer_call){"POST", "/reset", false}, &answer, &reached);

    json_decref(answer);
    if (exit == SF_EXIT_DONE) {
        sf_cli_say(
            "The next session with %s will count as newer than any before.", cli->args.operands[0]);
    }
    return exit;
}

const struct sf_cli_command sf_cli_peer_remove = {
    .name = "peer remove",
    .operands = "NAME",
    .summary = "Forget a peer",
    .more = "Not while transfers to or from it are open: cancel them first.\n"
            "Works with and without a running daemon.\n",
    .options = plain_options,
    .option_count = SF_CLI_GLOBALS,
    .operands_min = 1,
    .operands_max = 1,
    .no_json = true,
    .run = run_remove,
};

const struct sf_cli_command sf_cli_peer_reset = {
    .name = "peer reset",
    .operands = "NAME",
    .summary = "Start sessions anew after this node was restored from a backup",
    .more = "A restored node repeats session numbers, which its peers refuse as replays. Over a\n"
            "two-way link that heals by itself; over a one-way link nobody can tell this node,\n"
            "so this command lets it jump above everything the peer can have seen. A backup\n"
            "that is older than an earlier reset needs one more for each of those.\n",
    .options = plain_options,
    .option_count = SF_CLI_GLOBALS,
    .operands_min = 1,
    .operands_max = 1,
    .no_json = true,
    .run = run_reset,
};
