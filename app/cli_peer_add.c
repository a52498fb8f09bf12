/*
 * cli_peer_add.c - `skyferry peer add`: what the operator says of a peer, to
 * the daemon or, without one, into its files.
 */
#include <config.h>

#include "app/cli_peer.h"

#include "app/peers.h"
#include "app/plan.h"
#include "app/revoked.h"
#include "app/units.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_BYTES_MAX = 4096, /* of a card or key file */
};

/* What `peer add` was told; `has_` for what may be absent. */
struct wish {
    const char *name;
    bool has_card;
    struct sf_card card;
    uint8_t card_encoded[SF_CARD_BYTES_MAX];
    size_t card_bytes;
    char card_text[SF_CARD_TEXT_BYTES_MAX];
    bool has_endpoints;
    struct sf_endpoints endpoints;
    const char *rate_text, *rate_max_text, *rtt_text, *dscp_text, *interface_text;
    struct sf_peers_peer path; /* what these say */
    bool has_allow;
    bool may_send;
    bool may_receive;
    bool has_psk;
    uint8_t psk[SF_PEERS_PSK_BYTES];
    const char *privacy_text, *privacy_budget_text;
    struct sf_peers_peer privacy; /* both, parsed */
    bool has_quota;
    uint64_t quota_bytes;
    bool has_return;
    bool no_return;
    bool is_readmitted; /* revoked or not */
};

/* --- Reading the options of `peer add` ------------------------------------- */

/* The content of FILE or, for "-", of standard input. */
static bool
read_input(const char *path, uint8_t out[INPUT_BYTES_MAX], size_t *ret_bytes, int *ret_exit)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    size_t bytes;

    if (file == NULL) {
        *ret_exit = sf_cli_fail(SF_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    bytes = fread(out, 1, INPUT_BYTES_MAX, file);
    if (ferror(file) != 0 || bytes == INPUT_BYTES_MAX) {
        *ret_exit = sf_cli_fail(SF_EXIT_FAILED, "cannot read %s: %s", path,
            ferror(file) != 0 ? strerror(errno) : "it is far too long");
        bytes = 0;
    }
    if (!is_stdin) {
        (void)fclose(file);
    }
    *ret_bytes = bytes;
    return *ret_exit == SF_EXIT_DONE;
}

static int
read_card(struct wish *wish, const char *path)
{
    uint8_t input[INPUT_BYTES_MAX];
    struct sf_view text;
    size_t bytes = 0;
    int exit = SF_EXIT_DONE;
    int status;

    if (strncmp(path, SF_CARD_TEXT_PREFIX, strlen(SF_CARD_TEXT_PREFIX)) == 0) {
        /* The line itself, pasted in place of a file's name. */
        text = sf_view(path, strlen(path));
    } else if (read_input(path, input, &bytes, &exit)) {
        text = sf_view(input, bytes);
    } else {
        return exit;
    }
    status =
        sf_card_from_text(text, wish->card_encoded, sizeof(wish->card_encoded), &wish->card_bytes);
    if (status != SF_OK) {
        return sf_cli_fail(SF_EXIT_INTEGRITY,
            "%.200s holds no card (%s)\n"
            "  A card is the one line \"%s...\" that `skyferry card` prints on the other side.",
            path, sf_status_text(status), SF_CARD_TEXT_PREFIX);
    }
    status = sf_card_decode(sf_view(wish->card_encoded, wish->card_bytes), &wish->card);
    if (status == SF_OK) {
        status = sf_card_to_text(sf_view(wish->card_encoded, wish->card_bytes), wish->card_text,
            sizeof(wish->card_text), &bytes);
    }
    if (status != SF_OK) {
        return sf_cli_fail(SF_EXIT_INTEGRITY,
            "the card in %.200s is damaged: its signature does not hold (%s)\n"
            "  Ask for it again: `skyferry card` on the other side.",
            path, sf_status_text(status));
    }
    wish->has_card = true;
    return SF_EXIT_DONE;
}

static int
read_psk(struct wish *wish, const char *path)
{
    uint8_t input[INPUT_BYTES_MAX];
    size_t bytes = 0;
    int exit = SF_EXIT_DONE;

    if (read_input(path, input, &bytes, &exit)) {
        if (sf_peers_psk_parse(sf_view(input, bytes), wish->psk) != SF_OK) {
            exit = sf_cli_fail(SF_EXIT_USAGE,
                "%s holds no pre-shared key: 64 hex digits, the same on both sides\n"
                "  Make one:  openssl rand -hex 32",
                path);
        }
        wish->has_psk = exit == SF_EXIT_DONE;
    }
    sf_wipe(input, sizeof(input));
    return exit;
}

/* Those that say how fast, and by which way. */
static int
read_path(struct sf_cli *cli, struct wish *wish)
{
    struct sf_peers_peer *path = &wish->path;

    sf_peers_peer_init(path);
    wish->rate_text = sf_cli_option(cli, "rate");
    wish->rate_max_text = sf_cli_option(cli, "rate-max");
    wish->rtt_text = sf_cli_option(cli, "rtt");
    wish->dscp_text = sf_cli_option(cli, "dscp");
    wish->interface_text = sf_cli_option(cli, "interface");
    if (wish->rate_text != NULL && sf_peers_rate_parse(wish->rate_text, path) != SF_OK) {
        return sf_cli_usage(cli, "--rate %s: expected %s", wish->rate_text, SF_PEERS_RATE_FORM);
    }
    if (wish->rate_max_text != NULL &&
        sf_peers_rate_max_parse(wish->rate_max_text, &path->rate_max_bps) != SF_OK) {
        return sf_cli_usage(cli, "--rate-max %s: expected %s", wish->rate_max_text,
            SF_UNITS_RATE_FORM ", from 1kbit to 100Gbit, or none");
    }
    if (wish->rtt_text != NULL && sf_peers_rtt_parse(wish->rtt_text, &path->rtt_ns) != SF_OK) {
        return sf_cli_usage(cli, "--rtt %s: expected %s", wish->rtt_text, SF_PEERS_RTT_FORM);
    }
    if (wish->dscp_text != NULL && strcmp(wish->dscp_text, "default") != 0) {
        path->has_dscp = true;
        if (sf_mark_dscp_parse(wish->dscp_text, &path->dscp) != SF_OK) {
            return sf_cli_usage(
                cli, "--dscp %s: expected %s", wish->dscp_text, SF_MARK_DSCP_FORM ", or default");
        }
    }
    if (wish->interface_text != NULL &&
        sf_mark_interface_parse(wish->interface_text, path->interface) != SF_OK) {
        return sf_cli_usage(
            cli, "--interface %s: expected %s", wish->interface_text, SF_MARK_INTERFACE_FORM);
    }
    return SF_EXIT_DONE;
}

/* The options that are short texts. */
static int
read_values(struct sf_cli *cli, struct wish *wish)
{
    const char *endpoint = sf_cli_option(cli, "endpoint");
    const char *allow = sf_cli_option(cli, "allow");
    const char *quota = sf_cli_option(cli, "quota");
    const char *back = sf_cli_option(cli, "return");

    wish->has_endpoints = endpoint != NULL;
    if (endpoint != NULL && sf_endpoints_parse(endpoint, &wish->endpoints) != SF_OK) {
        return sf_cli_usage(cli, "--endpoint %s: expected %s", endpoint, SF_ENDPOINTS_FORM);
    }
    if (allow != NULL &&
        sf_peers_allow_parse(allow, &wish->may_send, &wish->may_receive) != SF_OK) {
        return sf_cli_usage(cli, "--allow %s: expected %s", allow, SF_PEERS_ALLOW_FORM);
    }
    if (quota != NULL && sf_units_size_parse(quota, &wish->quota_bytes) != SF_OK) {
        return sf_cli_usage(cli, "--quota %s: expected %s", quota, SF_UNITS_SIZE_FORM);
    }
    wish->privacy_text = sf_cli_option(cli, "privacy");
    wish->privacy_budget_text = sf_cli_option(cli, "privacy-budget");
    if (wish->privacy_text != NULL &&
        sf_peers_privacy_parse(wish->privacy_text, &wish->privacy) != SF_OK) {
        return sf_cli_usage(
            cli, "--privacy %s: expected %s", wish->privacy_text, SF_PEERS_PRIVACY_FORM);
    }
    if (wish->privacy_budget_text != NULL &&
        sf_peers_privacy_budget_parse(wish->privacy_budget_text, &wish->privacy) != SF_OK) {
        return sf_cli_usage(cli, "--privacy-budget %s: expected %s", wish->privacy_budget_text,
            SF_PEERS_PRIVACY_BUDGET_FORM);
    }
    if (back != NULL && strcmp(back, "none") != 0 && strcmp(back, "normal") != 0) {
        return sf_cli_usage(cli,
            "--return %s: expected none (a one-way link: nothing ever comes back) or normal", back);
    }
    wish->has_allow = allow != NULL;
    wish->has_quota = quota != NULL;
    wish->has_return = back != NULL;
    wish->is_readmitted = sf_cli_option(cli, "readmit") != NULL;
    wish->no_return = back != NULL && strcmp(back, "none") == 0;
    return SF_EXIT_DONE;
}

static int
read_wish(struct sf_cli *cli, struct wish *wish)
{
    const char *card = sf_cli_option(cli, "card");
    const char *psk = sf_cli_option(cli, "psk");
    int exit;

    *wish = (struct wish){.name = cli->args.operands[0]};
    if (!sf_peers_name_is_valid(wish->name)) {
        return sf_cli_usage(cli,
            "'%.100s' cannot name a peer: 1 to %d of A-Z a-z 0-9 . _ -, not beginning with . or -",
            wish->name, SF_PEERS_NAME_BYTES_MAX);
    }
    if (card != NULL && psk != NULL && strcmp(card, "-") == 0 && strcmp(psk, "-") == 0) {
        return sf_cli_usage(cli, "standard input cannot be both the card and the key");
    }
    exit = read_values(cli, wish);
    if (exit == SF_EXIT_DONE && wish->is_readmitted && card == NULL) {
        return sf_cli_usage(cli, "--readmit: whom? give the card too");
    }
    if (exit == SF_EXIT_DONE) {
        exit = read_path(cli, wish);
    }
    if (exit == SF_EXIT_DONE && card != NULL) {
        exit = read_card(wish, card);
    }
    if (exit == SF_EXIT_DONE && psk != NULL) {
        exit = read_psk(wish, psk);
    }
    return exit;
}

/* --- Adding, through the daemon -------------------------------------------- */

static json_t *
wish_json(const struct wish *wish)
{
    json_t *body = json_object();
    int status = 0;

    sf_assert(body != NULL);
    if (wish->has_card) {
        status |= json_object_set_new(body, "card", json_string(wish->card_text));
    }
    if (wish->has_endpoints) {
        char text[SF_ENDPOINTS_BYTES_MAX + 1];

        sf_endpoints_print(&wish->endpoints, text);
        status |= json_object_set_new(
            body, "endpoint", wish->endpoints.count == 0 ? json_null() : json_string(text));
    }
    if (wish->rate_text != NULL) {
        status |= json_object_set_new(body, "rate", json_string(wish->rate_text));
    }
    if (wish->rtt_text != NULL) {
        status |= json_object_set_new(body, "rtt", json_string(wish->rtt_text));
    }
    if (wish->rate_max_text != NULL) {
        status |= json_object_set_new(body, "rate_max", json_string(wish->rate_max_text));
    }
    if (wish->dscp_text != NULL) {
        status |= json_object_set_new(
            body, "dscp", wish->path.has_dscp ? json_string(wish->dscp_text) : json_null());
    }
    if (wish->interface_text != NULL) {
        status |= json_object_set_new(body, "interface",
            wish->path.interface[0] == '\0' ? json_null() : json_string(wish->path.interface));
    }
    if (wish->has_allow) {
        json_t *allow = json_array();

        status |= wish->may_send ? json_array_append_new(allow, json_string("send")) : 0;
        status |= wish->may_receive ? json_array_append_new(allow, json_string("receive")) : 0;
        status |= json_object_set_new(body, "allow", allow);
    }
    if (wish->has_quota) {
        status |=
            json_object_set_new(body, "quota_bytes", json_integer((json_int_t)wish->quota_bytes));
    }
    if (wish->privacy_text != NULL) {
        status |= json_object_set_new(body, "privacy", json_string(wish->privacy_text));
    }
    if (wish->privacy_budget_text != NULL) {
        status |=
            json_object_set_new(body, "privacy_budget", json_string(wish->privacy_budget_text));
    }
    if (wish->has_psk) {
        char hex[2 * SF_PEERS_PSK_BYTES + 1];

        sf_cli_hex(wish->psk, sizeof(wish->psk), hex);
        status |= json_object_set_new(body, "psk", json_string(hex));
        sf_wipe(hex, sizeof(hex));
    }
    if (wish->has_return) {
        status |= json_object_set_new(body, "return", json_boolean(!wish->no_return));
    }
    sf_assert(status == 0);
    return body;
}

/* The peer of that name in the answer of GET /v1/peers, borrowed; NULL if there is none. */
static json_t *
find_peer(const json_t *answer, const char *name)
{
    json_t *peer;
    size_t i;

    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        if (strcmp(sf_cli_string(peer, "name", ""), name) == 0) {
            return peer;
        }
    }
    return NULL;
}

static int
other_card(const struct wish *wish, const char *known)
{
    char fingerprint[2 * sizeof(struct sf_fingerprint) + 1];

    sf_cli_hex(wish->card.fingerprint.b, sizeof(wish->card.fingerprint.b), fingerprint);
    return sf_cli_fail(SF_EXIT_REFUSED,
        "the card is not of the node that is known as %s\n"
        "  known:  %.64s\n"
        "  card:   %s\n"
        "  If %s was made anew, remove it first:  skyferry peer remove %s",
        wish->name, known, fingerprint, wish->name, wish->name);
}

static int
needs_card(const struct sf_cli *cli, const char *name)
{
    return sf_cli_usage(cli,
        "there is no peer %s yet, so its card is needed: --card FILE, or --card - to paste it",
        name);
}

static void
say_added(const struct wish *wish, bool is_new, const char *fingerprint, bool has_endpoint)
{
    sf_cli_say("Peer %s %s: %.*s...", wish->name, is_new ? "added" : "changed",
        SF_CLI_FINGERPRINT_SHOWN, fingerprint);
    if (is_new && !has_endpoint) {
        sf_cli_say("  It has no endpoint, so this node waits until it calls. To call it:\n"
                   "  skyferry peer add %s --endpoint HOST:PORT",
            wish->name);
    }
}

/* In the answer of GET /v1/peers: the node of that fingerprint cannot be a peer. */
static bool
is_revoked(const json_t *answer, const char *fingerprint)
{
    json_t *node;
    size_t i;

    json_array_foreach(json_object_get(answer, "revoked"), i, node)
    {
        if (strcmp(sf_cli_string(node, "fingerprint", ""), fingerprint) == 0) {
            return true;
        }
    }
    return false;
}

static int
readmit(struct sf_cli *cli, struct sf_client *client, const char *fingerprint)
{
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    struct sf_client_error error;
    json_t *answer = NULL;
    int exit = SF_EXIT_DONE;

    sf_assert(sf_client_path("/v1/revoked/", fingerprint, "", path) == SF_OK);
    if (sf_client_do(client, &(struct sf_client_call){"DELETE", path, NULL}, &answer, &error) !=
        SF_OK) {
        exit = sf_cli_call_failed(cli, &error);
    }
    json_decref(answer);
    return exit;
}

/* SF_EXIT_DONE and *ret_reached, or failures that were told; not reached is no failure. */
static int
add_online(struct sf_cli *cli, const struct wish *wish, bool *ret_reached)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;
    json_t *body = NULL;
    const char *known;
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    char fingerprint[2 * sizeof(struct sf_fingerprint) + 1];
    bool is_new;
    int exit = SF_EXIT_DONE;

    *ret_reached = true;
    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (sf_client_do(client, &(struct sf_client_call){"GET", "/v1/peers", NULL}, &answer, &error) !=
        SF_OK) {
        *ret_reached = !error.is_unreachable || error.system_error == EACCES;
        exit = *ret_reached ? sf_cli_call_failed(cli, &error) : SF_EXIT_DONE;
        goto out;
    }
    is_new = find_peer(answer, wish->name) == NULL;
    known = sf_cli_string(find_peer(answer, wish->name), "fingerprint", "");
    sf_cli_hex(wish->card.fingerprint.b, sizeof(wish->card.fingerprint.b), fingerprint);
    if (is_new && !wish->has_card) {
        exit = needs_card(cli, wish->name);
        goto out;
    }
    if (!is_new && wish->has_card && strcmp(known, fingerprint) != 0) {
        exit = other_card(wish, known);
        goto out;
    }
    if (wish->is_readmitted && is_revoked(answer, fingerprint)) {
        exit = readmit(cli, client, fingerprint);
        if (exit != SF_EXIT_DONE) {
            goto out;
        }
    }
    json_decref(answer);
    answer = NULL;
    body = wish_json(wish);
    sf_assert(sf_client_path("/v1/peers/", wish->name, "", path) == SF_OK);
    if (sf_client_do(client, &(struct sf_client_call){"PUT", path, body}, &answer, &error) !=
        SF_OK) {
        exit = sf_cli_call_failed(cli, &error);
        goto out;
    }
    say_added(wish, is_new,
        sf_cli_string(json_object_get(answer, "peer"), "fingerprint", fingerprint),
        sf_cli_string(json_object_get(answer, "peer"), "endpoint", NULL) != NULL);
out:
    json_decref(body);
    json_decref(answer);
    sf_client_close(client);
    return exit;
}

/* --- Adding, without a daemon ---------------------------------------------- */

/* A revoked node is a peer again only if the operator says so. */
static int
check_revoked(const struct sf_home *home, const struct wish *wish)
{
    const struct sf_fingerprint *fingerprint = &wish->card.fingerprint;
    struct sf_app_error error = {0};
    struct sf_revoked_node *nodes = NULL;
    const struct sf_revoked_node *revoked = NULL;
    size_t count = 0;
    int status = sf_revoked_read_all(home, &nodes, &count, &error);

    if (status == SF_OK && wish->has_card) {
        revoked = sf_revoked_find(nodes, count, fingerprint);
    }
    if (revoked != NULL && wish->is_readmitted) {
        status = sf_revoked_remove(home, fingerprint, &error);
    } else if (revoked != NULL) {
        status = sf_revoked_refuse(revoked, wish->name, &error);
    }
    free(nodes);
    return status == SF_OK ? SF_EXIT_DONE : sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
}

static void
apply(const struct wish *wish, struct sf_peers_peer *peer)
{
    (void)snprintf(peer->name, sizeof(peer->name), "%s", wish->name);
    if (wish->has_card) {
        /* It was verified when it was read; this keeps the signed form as well. */
        int status =
            sf_peers_card_parse(sf_view(wish->card_text, strlen(wish->card_text)), peer, NULL);

        sf_assert(status == SF_OK);
    }
    if (wish->has_endpoints) {
        peer->endpoints = wish->endpoints;
    }
    if (wish->rate_text != NULL) {
        peer->pace = wish->path.pace;
        peer->rate_bps =
            wish->path.pace == SF_LINK_PACE_FIXED ? wish->path.rate_bps : peer->rate_bps;
    }
    if (wish->rtt_text != NULL) {
        peer->rtt_ns = wish->path.rtt_ns;
    }
    if (wish->rate_max_text != NULL) {
        peer->rate_max_bps = wish->path.rate_max_bps;
    }
    if (wish->dscp_text != NULL) {
        peer->has_dscp = wish->path.has_dscp;
        peer->dscp = wish->path.dscp;
    }
    if (wish->interface_text != NULL) {
        memcpy(peer->interface, wish->path.interface, sizeof(peer->interface));
    }
    if (wish->has_allow) {
        peer->may_send = wish->may_send;
        peer->may_receive = wish->may_receive;
    }
    if (wish->has_quota) {
        peer->quota_bytes = wish->quota_bytes;
    }
    if (wish->privacy_text != NULL) {
        peer->has_privacy = wish->privacy.has_privacy;
        peer->privacy = wish->privacy.privacy;
    }
    if (wish->privacy_budget_text != NULL) {
        peer->has_privacy_budget = wish->privacy.has_privacy_budget;
        peer->privacy_budget_bytes = wish->privacy.privacy_budget_bytes;
    }
    if (wish->has_psk) {
        peer->has_psk = true;
        memcpy(peer->psk, wish->psk, sizeof(peer->psk));
    }
    if (wish->has_return) {
        peer->no_return = wish->no_return;
    }
}

static int
add_offline(struct sf_cli *cli, const struct wish *wish)
{
    struct sf_app_error error = {0};
    struct sf_peers_peer *peer = calloc(1, sizeof(*peer));
    char fingerprint[2 * sizeof(struct sf_fingerprint) + 1];
    struct sf_home home;
    bool is_new;
    int exit = SF_EXIT_DONE;
    int status;

    sf_assert(peer != NULL);
    if (!sf_cli_peer_lock(cli, &home, &exit)) {
        free(peer);
        return exit;
    }
    status = sf_peers_read(&home, wish->name, peer, &error);
    is_new = status == SF_ENOENT;
    if (is_new) {
        sf_peers_peer_init(peer);
    } else if (status != SF_OK) {
        exit = sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
        goto out;
    }
    if (is_new && !wish->has_card) {
        exit = needs_card(cli, wish->name);
        goto out;
    }
    if (!is_new && wish->has_card &&
        !sf_fingerprint_equal(&wish->card.fingerprint, &peer->card.fingerprint)) {
        sf_cli_hex(peer->card.fingerprint.b, sizeof(peer->card.fingerprint.b), fingerprint);
        exit = other_card(wish, fingerprint);
        goto out;
    }
    exit = check_revoked(&home, wish);
    if (exit != SF_EXIT_DONE) {
        goto out;
    }
    if (is_new) {
        /* Of a peer of that name that was removed just before a crash: it must not bind this one. */
        status = sf_plan_remove(&home, wish->name, &error);
        if (status != SF_OK && status != SF_ENOENT) {
            exit = sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
            goto out;
        }
    }
    apply(wish, peer);
    status = sf_peers_write(&home, peer, &error);
    if (status != SF_OK) {
        exit = sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
        goto out;
    }
    sf_cli_hex(peer->card.fingerprint.b, sizeof(peer->card.fingerprint.b), fingerprint);
    say_added(wish, is_new, fingerprint, peer->endpoints.count > 0);
out:
    sf_home_close(&home);
    sf_wipe(peer, sizeof(*peer));
    free(peer);
    return exit;
}

static int
run_add(struct sf_cli *cli)
{
    struct wish *wish = calloc(1, sizeof(*wish));
    bool reached = false;
    int exit;

    sf_assert(wish != NULL);
    exit = read_wish(cli, wish);
    if (exit == SF_EXIT_DONE) {
        exit = add_online(cli, wish, &reached);
        if (exit == SF_EXIT_DONE && !reached) {
            exit = add_offline(cli, wish);
        }
    }
    sf_wipe(wish, sizeof(*wish));
    free(wish);
    return exit;
}

static const struct sf_arg_option add_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"card", 0, "FILE|-", "its card, as `skyferry card` prints it there; - reads standard input"},
    {"endpoint", 0, "HOST:PORT...",
        "where to call it; may be given up to four times: they are\ntried in turn; without one "
        "this "
        "node waits to be called;\n`none` takes it away"},
    {"rate", 0, "RATE|adaptive|scavenger",
        "send to it at this rate of IP bits, e.g. 100Mbit (the\ndefault); adaptive finds the rate "
        "of a path that is\nshared; scavenger too, and gives way to all others"},
    {"rate-max", 0, "RATE|none", "never send to it faster than this"},
    {"rtt", 0, "SPAN|none",
        "the round trip, e.g. 40min, until it is measured; needed\nwhere it is above two seconds"},
    {"dscp", 0, "DSCP", "mark its packets: le, af11, ef, ..., 0 to 63, or default"},
    {"interface", 0, "NAME|none", "send to it through this interface alone"},
    {"allow", 0, "WHAT", "what it may do: send, receive, send,receive (the default)\nor none"},
    {"psk", 0, "FILE|-", "a pre-shared key, 64 hex digits, the same on both sides"},
    {"quota", 0, "SIZE", "sealed bytes it may have waiting here, e.g. 200GByte"},
    {"privacy", 0, "size|none|timing",
        "what an observer is kept from: how many bundles a transfer\nhas, nearly; nothing; also "
        "whether there is one"},
    {"privacy-budget", 0, "SIZE", "with timing: no more filler to it in a day"},
    {"return", 0, "none|normal", "none: a one-way link, nothing ever comes back"},
    {"readmit", 0, NULL, "trust the node of this card again although it was revoked"},
};

const struct sf_cli_command sf_cli_peer_add = {
    .name = "peer add",
    .operands = "NAME --card FILE|- [--endpoint HOST:PORT]... [--rate 100Mbit|adaptive]\n"
                "       [--allow send,receive]",
    .summary = "Add a peer by its card, or change what is set for it",
    .more =
        "NAME is what this node calls the peer. Where the peer exists only the options that\n"
        "are given change. Works with and without a running daemon.\n"
        "\n"
        "    skyferry peer add sat-7 --card sat-7.card --endpoint 192.0.2.7:7272 --rate 20Mbit\n"
        "    ssh ground skyferry card | skyferry peer add ground --card -\n",
    .options = add_options,
    .option_count = sizeof(add_options) / sizeof(add_options[0]),
    .operands_min = 1,
    .operands_max = 1,
    .no_json = true,
    .run = run_add,
};
