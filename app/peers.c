#include "app/peers.h"

#include "app/config.h"
#include "app/units.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 128,         /* "peers/NAME.conf" with the NUL */
    PSK_FILE_BYTES_MAX = 256, /* 64 digits and the blanks around them */
    CONF_BYTES_MAX = 4096,    /* of what is written */
    PORT_DIGITS_MAX = 5,
    ENTRIES_MAX = 4096, /* looked at in peers/ */
};

/* --- Values ------------------------------------------------------------------- */

void
sf_peers_peer_init(struct sf_peers_peer *peer)
{
    memset(peer, 0, sizeof(*peer));
    peer->rate_bps = SF_PEERS_RATE_BPS_DEFAULT;
    peer->may_send = true;
    peer->may_receive = true;
}

bool
sf_peers_name_is_valid(const char *name)
{
    return sf_name_is_valid(sf_view(name, strlen(name)));
}

int
sf_peers_card_parse(struct sf_view text, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    uint8_t encoded[SF_CARD_BYTES_MAX];
    struct sf_card card;
    size_t bytes;
    int status = sf_card_from_text(text, encoded, sizeof(encoded), &bytes);

    if (status == SF_OK) {
        status = sf_card_decode(sf_view(encoded, bytes), &card);
    }
    if (status == SF_EAUTH) {
        return sf_app_error_set(error, SF_EAUTH,
            "the card's signature does not fit: it was changed or cut on the way; get it again "
            "with `skyferry card` at the peer");
    }
    if (status != SF_OK) {
        return sf_app_error_set(error, SF_EFORMAT,
            "this is no card: expected the line beginning with %s that `skyferry card` prints at "
            "the peer",
            SF_CARD_TEXT_PREFIX);
    }
    peer->card = card;
    memcpy(peer->card_encoded, encoded, bytes);
    peer->card_bytes = bytes;
    return SF_OK;
}

bool
sf_peers_card_print(const struct sf_peers_peer *peer, char ret_text[SF_CARD_TEXT_BYTES_MAX])
{
    size_t bytes;

    return peer->card_bytes > 0 && sf_card_to_text(sf_view(peer->card_encoded, peer->card_bytes),
                                       ret_text, SF_CARD_TEXT_BYTES_MAX, &bytes) == SF_OK;
}

/* A rate within the limits of the link. */
static bool
parse_bps(const char *text, uint64_t *ret_bps)
{
    uint64_t bps;

    if (sf_units_rate_parse(text, &bps) != SF_OK || bps < SF_PEERS_RATE_BPS_MIN ||
        bps > SF_PEERS_RATE_BPS_MAX) {
        return false;
    }
    *ret_bps = bps;
    return true;
}

int
sf_peers_rate_parse(const char *text, struct sf_peers_peer *peer)
{
    if (strcmp(text, "adaptive") == 0) {
        peer->pace = SF_LINK_PACE_ADAPTIVE;
        return SF_OK;
    }
    if (strcmp(text, "scavenger") == 0) {
        peer->pace = SF_LINK_PACE_SCAVENGER;
        return SF_OK;
    }
    if (!parse_bps(text, &peer->rate_bps)) {
        return SF_EFORMAT;
    }
    peer->pace = SF_LINK_PACE_FIXED;
    return SF_OK;
}

int
sf_peers_rate_max_parse(const char *text, uint64_t *ret_bps)
{
    if (strcmp(text, "none") == 0) {
        *ret_bps = 0;
        return SF_OK;
    }
    return parse_bps(text, ret_bps) ? SF_OK : SF_EFORMAT;
}

int
sf_peers_privacy_parse(const char *text, struct sf_peers_peer *peer)
{
    enum sf_node_privacy privacy = SF_NODE_PRIVACY_NONE;
    bool is_given = strcmp(text, "default") != 0;

    if (is_given && sf_config_privacy_parse(text, &privacy) != SF_OK) {
        return SF_EFORMAT;
    }
    peer->has_privacy = is_given;
    peer->privacy = privacy;
    return SF_OK;
}

int
sf_peers_privacy_budget_parse(const char *text, struct sf_peers_peer *peer)
{
    bool is_given = strcmp(text, "default") != 0;
    uint64_t bytes = 0;

    if (is_given && sf_units_size_parse(text, &bytes) != SF_OK) {
        return SF_EFORMAT;
    }
    peer->has_privacy_budget = is_given;
    peer->privacy_budget_bytes = bytes;
    return SF_OK;
}

int
sf_peers_rtt_parse(const char *text, uint64_t *ret_ns)
{
    uint64_t ns = 0;

    if (strcmp(text, "none") != 0 &&
        (sf_units_duration_parse(text, &ns) != SF_OK || ns < SF_MS || ns > SF_LINK_RTT_NS_MAX)) {
        return SF_EFORMAT;
    }
    *ret_ns = ns / SF_MS * SF_MS; /* as it is written down */
    return SF_OK;
}

void
sf_peers_rate_print(const struct sf_peers_peer *peer, char ret_text[SF_UNITS_TEXT_BYTES])
{
    if (peer->pace == SF_LINK_PACE_FIXED) {
        sf_units_rate_print(peer->rate_bps, ret_text);
    } else {
        (void)snprintf(ret_text, SF_UNITS_TEXT_BYTES, "%s",
            peer->pace == SF_LINK_PACE_ADAPTIVE ? "adaptive" : "scavenger");
    }
}

uint64_t
sf_peers_rate_given(const struct sf_peers_peer *peer)
{
    uint64_t bps = peer->pace == SF_LINK_PACE_FIXED ? peer->rate_bps : SF_PEERS_RATE_BPS_MAX;

    return peer->rate_max_bps != 0 && peer->rate_max_bps < bps ? peer->rate_max_bps : bps;
}

int
sf_peers_allow_parse(const char *text, bool *ret_send, bool *ret_receive)
{
    bool send = false;
    bool receive = false;

    if (strcmp(text, "none") == 0) {
        *ret_send = false;
        *ret_receive = false;
        return SF_OK;
    }
    for (;;) {
        size_t bytes = strcspn(text, ",");
        const char *stop = text + bytes;

        while (bytes > 0 && *text == ' ') {
            text++;
            bytes--;
        }
        while (bytes > 0 && text[bytes - 1] == ' ') {
            bytes--;
        }
        if (bytes == 4 && strncmp(text, "send", 4) == 0 && !send) {
            send = true;
        } else if (bytes == 7 && strncmp(text, "receive", 7) == 0 && !receive) {
            receive = true;
        } else {
            return SF_EFORMAT;
        }
        if (*stop == '\0') {
            break;
        }
        text = stop + 1;
    }
    *ret_send = send;
    *ret_receive = receive;
    return SF_OK;
}

const char *
sf_peers_allow_print(bool may_send, bool may_receive)
{
    if (may_send) {
        return may_receive ? "send,receive" : "send";
    }
    return may_receive ? "receive" : "none";
}

static int
hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static bool
is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

int
sf_peers_psk_parse(struct sf_view text, uint8_t ret_psk[SF_PEERS_PSK_BYTES])
{
    uint8_t psk[SF_PEERS_PSK_BYTES];
    uint8_t any = 0;
    int status = SF_EFORMAT;

    while (text.bytes > 0 && is_space(text.data[0])) {
        text = sf_view(text.data + 1, text.bytes - 1);
    }
    while (text.bytes > 0 && is_space(text.data[text.bytes - 1])) {
        text.bytes--;
    }
    if (text.bytes != 2 * sizeof(psk)) {
        return SF_EFORMAT;
    }
    for (size_t i = 0; i < sizeof(psk); i++) {
        int high = hex_digit(text.data[2 * i]);
        int low = hex_digit(text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            goto out;
        }
        psk[i] = (uint8_t)(high << 4 | low);
        any |= psk[i];
    }
    /* All zero is how "no key" is written below; taking it would look safe and not be. */
    if (any != 0) {
        memcpy(ret_psk, psk, sizeof(psk));
        status = SF_OK;
    }

out:
    sf_wipe(psk, sizeof(psk));
    return status;
}

/* --- The conf file ------------------------------------------------------------ */

enum key {
    KEY_ENDPOINT,
    KEY_RATE,
    KEY_RATE_MAX,
    KEY_ALLOW,
    KEY_QUOTA,
    KEY_PSK,
    KEY_RETURN,
    KEY_DSCP,
    KEY_INTERFACE,
    KEY_RTT,
    KEY_PRIVACY,
    KEY_PRIVACY_BUDGET,
    KEY_COUNT
};

static const struct {
    const char *name;
    const char *form;
} keys[KEY_COUNT] = {
    [KEY_ENDPOINT] = {"endpoint", SF_ENDPOINTS_FORM ", or none"},
    [KEY_RATE] = {"rate", SF_PEERS_RATE_FORM},
    [KEY_RATE_MAX] = {"rate-max", SF_UNITS_RATE_FORM ", from 1kbit to 100Gbit, or none"},
    [KEY_ALLOW] = {"allow", SF_PEERS_ALLOW_FORM},
    [KEY_QUOTA] = {"quota", SF_UNITS_SIZE_FORM ", or default"},
    [KEY_PSK] = {"psk", "a file with 64 hexadecimal digits, vault, or none"},
    [KEY_RETURN] = {"return", "yes or none"},
    [KEY_DSCP] = {"dscp", SF_MARK_DSCP_FORM ", or default"},
    [KEY_INTERFACE] = {"interface", SF_MARK_INTERFACE_FORM},
    [KEY_RTT] = {"rtt", SF_PEERS_RTT_FORM},
    [KEY_PRIVACY] = {"privacy", SF_PEERS_PRIVACY_FORM},
    [KEY_PRIVACY_BUDGET] = {"privacy-budget", SF_PEERS_PRIVACY_BUDGET_FORM},
};

struct parse {
    struct sf_peers_peer peer;
    char psk_file[SF_HOME_PATH_BYTES_MAX + 1];
    bool is_set[KEY_COUNT];
};

static bool
set_value(struct parse *parse, enum key key, const char *value)
{
    struct sf_peers_peer *peer = &parse->peer;

    switch (key) {
    case KEY_ENDPOINT:
        return sf_endpoints_parse(value, &peer->endpoints) == SF_OK;
    case KEY_RATE:
        return sf_peers_rate_parse(value, peer) == SF_OK;
    case KEY_RATE_MAX:
        return sf_peers_rate_max_parse(value, &peer->rate_max_bps) == SF_OK;
    case KEY_ALLOW:
        return sf_peers_allow_parse(value, &peer->may_send, &peer->may_receive) == SF_OK;
    case KEY_QUOTA:
        if (strcmp(value, "default") == 0) {
            peer->quota_bytes = 0;
            return true;
        }
        /* 0 would mean the default; whoever wants nothing from a peer says so with `allow`. */
        return sf_units_size_parse(value, &peer->quota_bytes) == SF_OK && peer->quota_bytes > 0;
    case KEY_PSK:
        peer->has_psk = strcmp(value, "none") != 0;
        if (strlen(value) > SF_HOME_PATH_BYTES_MAX) {
            return false;
        }
        if (strcmp(value, "vault") == 0) {
            value = ""; /* what is left of it is the node's */
        }
        memcpy(parse->psk_file, value, strlen(value) + 1);
        return true;
    case KEY_RETURN:
        peer->no_return = strcmp(value, "none") == 0;
        return peer->no_return || strcmp(value, "yes") == 0;
    case KEY_DSCP:
        peer->has_dscp = strcmp(value, "default") != 0;
        return !peer->has_dscp || sf_mark_dscp_parse(value, &peer->dscp) == SF_OK;
    case KEY_INTERFACE:
        return sf_mark_interface_parse(value, peer->interface) == SF_OK;
    case KEY_RTT:
        return sf_peers_rtt_parse(value, &peer->rtt_ns) == SF_OK;
    case KEY_PRIVACY:
        return sf_peers_privacy_parse(value, peer) == SF_OK;
    case KEY_PRIVACY_BUDGET:
        return sf_peers_privacy_budget_parse(value, peer) == SF_OK;
    case KEY_COUNT:
        break;
    }
    return false;
}

static int
take_setting(void *context, const char *file, unsigned line, const char *key, const char *value,
    struct sf_app_error *error)
{
    struct parse *parse = context;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(key, keys[i].name) != 0) {
            continue;
        }
        if (parse->is_set[i]) {
            return sf_app_error_set(
                error, SF_EFORMAT, "%s:%u: %s is set a second time: remove one", file, line, key);
        }
        parse->is_set[i] = true;
        if (!set_value(parse, (enum key)i, value)) {
            return sf_config_complain(error, file, line, key, value, keys[i].form);
        }
        return SF_OK;
    }
    return sf_app_error_set(error, SF_EFORMAT,
        "%s:%u: unknown key %s: expected endpoint, rate, rate-max, rtt, allow, quota, "
        "psk, return, dscp, interface, privacy or privacy-budget",
        file, line, key);
}

int
sf_peers_conf_parse(const char *file, struct sf_view text, struct sf_peers_peer *peer,
    char *ret_psk_file, struct sf_app_error *error)
{
    struct parse *parse = calloc(1, sizeof(*parse));
    int status;

    if (parse == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "%s: no memory to read it", file);
    }
    parse->peer = *peer;
    parse->peer.has_psk = false;
    status = sf_config_each(file, text, take_setting, parse, error);
    if (status == SF_OK) {
        *peer = parse->peer;
        memcpy(ret_psk_file, parse->psk_file, strlen(parse->psk_file) + 1);
    }
    sf_wipe(parse, sizeof(*parse));
    free(parse);
    return status;
}

/* --- Reading ------------------------------------------------------------------ */

static void
file_name(char out[PATH_BYTES], const char *name, const char *suffix)
{
    (void)snprintf(out, PATH_BYTES, "%s/%s.%s", SF_HOME_PEERS, name, suffix);
}

static int
read_card(const struct sf_home *home, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    char text[SF_CARD_TEXT_BYTES_MAX + 64];
    char path[PATH_BYTES];
    const struct sf_home_read read = {.name = path, .out = text, .bytes_max = sizeof(text)};
    struct sf_app_error why;
    size_t bytes;
    int status;

    file_name(path, peer->name, "card");
    status = sf_home_read_file(home, &read, &bytes, error);
    if (status == SF_ENOENT) {
        return sf_app_error_set(error, SF_EFORMAT,
            "peer %s has no card (%s/%s): add the peer again", peer->name, home->path, path);
    }
    if (status != SF_OK) {
        return status;
    }
    status = sf_peers_card_parse(sf_view(text, bytes), peer, &why);
    if (status != SF_OK) {
        return sf_app_error_set(error, SF_EFORMAT, "%s/%s: %s", home->path, path, why.text);
    }
    return SF_OK;
}

/* The key in `file`: relative names are in peers/. */
static int
read_psk(const struct sf_home *home, const char *file, struct sf_peers_peer *peer,
    struct sf_app_error *error)
{
    char path[SF_HOME_PATH_BYTES_MAX + 16];
    uint8_t text[PSK_FILE_BYTES_MAX];
    const struct sf_home_read read = {
        .name = path, .is_secret = true, .out = text, .bytes_max = sizeof(text)};
    size_t bytes = 0;
    int status;

    (void)snprintf(path, sizeof(path), "%s%s", *file == '/' ? "" : SF_HOME_PEERS "/", file);
    status = sf_home_read_file(home, &read, &bytes, error);
    if (status == SF_ENOENT) {
        status = SF_EFORMAT; /* the peer is there; its conf names what is not */
    } else if (status == SF_OK) {
        status = sf_peers_psk_parse(sf_view(text, bytes), peer->psk);
        if (status != SF_OK) {
            status = sf_app_error_set(error, SF_EFORMAT,
                "the key of peer %s in %s: expected 64 hexadecimal digits, not all zero",
                peer->name, path);
        }
    }
    sf_wipe(text, sizeof(text));
    return status;
}

int
sf_peers_read(const struct sf_home *home, const char *name, struct sf_peers_peer *ret_peer,
    struct sf_app_error *error)
{
    char *text = malloc(SF_CONFIG_FILE_BYTES_MAX);
    char psk_file[SF_HOME_PATH_BYTES_MAX + 1] = "";
    char file[SF_HOME_PATH_BYTES_MAX + PATH_BYTES + 2];
    char path[PATH_BYTES];
    const struct sf_home_read read = {
        .name = path, .out = text, .bytes_max = SF_CONFIG_FILE_BYTES_MAX};
    struct sf_peers_peer peer;
    size_t bytes;
    int status;

    sf_peers_peer_init(&peer);
    if (text == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory to read peer %.63s", name);
    }
    if (!sf_peers_name_is_valid(name)) {
        status = sf_app_error_set(error, SF_ENOENT, "there is no peer %.63s", name);
        goto out;
    }
    memcpy(peer.name, name, strlen(name) + 1);
    file_name(path, name, "conf");
    status = sf_home_read_file(home, &read, &bytes, error);
    if (status != SF_OK) {
        if (status == SF_ENOENT) {
            status = sf_app_error_set(error, SF_ENOENT, "there is no peer %s", name);
        }
        goto out;
    }
    (void)snprintf(file, sizeof(file), "%s/%s", home->path, path);
    status = sf_peers_conf_parse(file, sf_view(text, bytes), &peer, psk_file, error);
    if (status == SF_OK) {
        status = read_card(home, &peer, error);
    }
    if (status == SF_OK && peer.has_psk && psk_file[0] != '\0') {
        status = read_psk(home, psk_file, &peer, error);
    }
    if (status == SF_OK) {
        *ret_peer = peer;
    }

out:
    sf_wipe(&peer, sizeof(peer));
    free(text);
    return status;
}

/* Whether `entry` is the conf of a peer, and of which. */
static bool
is_conf(const char *entry, char ret_name[SF_PEERS_NAME_BYTES_MAX + 1])
{
    size_t bytes = strlen(entry);

    if (bytes <= 5 || bytes - 5 > SF_PEERS_NAME_BYTES_MAX ||
        strcmp(entry + bytes - 5, ".conf") != 0) {
        return false;
    }
    memcpy(ret_name, entry, bytes - 5);
    ret_name[bytes - 5] = '\0';
    return sf_peers_name_is_valid(ret_name);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The names of all peers, sorted. */
static int
list_names(const struct sf_home *home, char names[SF_PEERS_MAX][SF_PEERS_NAME_BYTES_MAX + 1],
    size_t *ret_count, struct sf_app_error *error)
{
    int fd = openat(home->fd, SF_HOME_PEERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    size_t seen = 0;
    size_t count = 0;
    int status = SF_OK;

    if (folder == NULL) {
        int failed = errno;

        if (fd >= 0) {
            close(fd);
        } else if (failed == ENOENT) {
            *ret_count = 0;
            return SF_OK;
        }
        return sf_app_error_set(
            error, SF_EIO, "cannot list %s/%s: %s", home->path, SF_HOME_PEERS, strerror(failed));
    }
    while ((entry = readdir(folder)) != NULL) {
        char name[SF_PEERS_NAME_BYTES_MAX + 1];
        bool is_peer = is_conf(entry->d_name, name);

        if (++seen > ENTRIES_MAX || (is_peer && count == SF_PEERS_MAX)) {
            status = sf_app_error_set(error, SF_ELIMIT,
                "%s/%s has too many entries: a node has at most %d peers", home->path,
                SF_HOME_PEERS, SF_PEERS_MAX);
            break;
        }
        if (is_peer) {
            memcpy(names[count++], name, sizeof(name));
        }
    }
    closedir(folder);
    qsort(names, count, sizeof(names[0]), compare_names);
    *ret_count = count;
    return status;
}

int
sf_peers_read_all(const struct sf_home *home, struct sf_peers_peer **ret_peers, size_t *ret_count,
    struct sf_app_error *error)
{
    char names[SF_PEERS_MAX][SF_PEERS_NAME_BYTES_MAX + 1];
    struct sf_peers_peer *peers;
    size_t count = 0;
    int status = list_names(home, names, &count, error);

    if (status != SF_OK) {
        return status;
    }
    peers = calloc(count == 0 ? 1 : count, sizeof(*peers));
    if (peers == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory for %zu peers", count);
    }
    for (size_t i = 0; i < count && status == SF_OK; i++) {
        status = sf_peers_read(home, names[i], &peers[i], error);
    }
    if (status != SF_OK) {
        sf_peers_free(peers, count);
        return status;
    }
    *ret_peers = peers;
    *ret_count = count;
    return SF_OK;
}

void
sf_peers_free(struct sf_peers_peer *peers, size_t count)
{
    if (peers != NULL) {
        sf_wipe(peers, count * sizeof(*peers));
        free(peers);
    }
}

/* --- Writing ------------------------------------------------------------------ */

static int
write_one(const struct sf_home *home, const struct sf_peers_peer *peer, const char *suffix,
    struct sf_view content, struct sf_app_error *error)
{
    char path[PATH_BYTES];
    const struct sf_home_write write = {.name = path, .content = content};

    file_name(path, peer->name, suffix);
    return sf_home_write_file(home, &write, error);
}

/* Whether the seed itself is at hand, and not only known to be in the vault. */
static bool
has_seed(const struct sf_peers_peer *peer)
{
    static const uint8_t none[SF_PEERS_PSK_BYTES];

    return peer->has_psk && !sf_ct_equal(peer->psk, none, sizeof(none));
}

static int
write_psk(const struct sf_home *home, const struct sf_peers_peer *peer, struct sf_app_error *error)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * SF_PEERS_PSK_BYTES + 1];
    int status;

    for (size_t i = 0; i < SF_PEERS_PSK_BYTES; i++) {
        text[2 * i] = digits[peer->psk[i] >> 4];
        text[2 * i + 1] = digits[peer->psk[i] & 15];
    }
    text[2 * SF_PEERS_PSK_BYTES] = '\n';
    status = write_one(home, peer, "psk", sf_view(text, sizeof(text)), error);
    sf_wipe(text, sizeof(text));
    return status;
}

static int
write_card(const struct sf_home *home, const struct sf_peers_peer *peer, struct sf_app_error *error)
{
    char text[SF_CARD_TEXT_BYTES_MAX + 1];
    size_t bytes;

    if (!sf_peers_card_print(peer, text)) {
        return sf_app_error_set(error, SF_EINVAL, "peer %s has no card", peer->name);
    }
    bytes = strlen(text);
    text[bytes] = '\n';
    return write_one(home, peer, "card", sf_view(text, bytes + 1), error);
}

static int
write_conf(const struct sf_home *home, const struct sf_peers_peer *peer, struct sf_app_error *error)
{
    char text[CONF_BYTES_MAX];
    char endpoint[SF_ENDPOINTS_BYTES_MAX + 1];
    char rate[SF_UNITS_TEXT_BYTES];
    char rate_max[SF_UNITS_TEXT_BYTES] = "none";
    char rtt[SF_UNITS_TEXT_BYTES] = "none";
    char quota[SF_UNITS_TEXT_BYTES] = "default";
    char dscp[SF_MARK_TEXT_BYTES] = "default";
    char budget[SF_UNITS_TEXT_BYTES] = "default";
    int bytes;

    sf_endpoints_print(&peer->endpoints, endpoint);
    sf_peers_rate_print(peer, rate);
    if (peer->rate_max_bps != 0) {
        sf_units_rate_print(peer->rate_max_bps, rate_max);
    }
    if (peer->rtt_ns != 0) {
        (void)snprintf(rtt, sizeof(rtt), "%llums", (unsigned long long)(peer->rtt_ns / SF_MS));
    }
    if (peer->has_dscp) {
        sf_mark_dscp_print(peer->dscp, dscp);
    }
    if (peer->quota_bytes > 0) {
        sf_units_size_print(peer->quota_bytes, quota);
    }
    if (peer->has_privacy_budget) {
        sf_units_size_print(peer->privacy_budget_bytes, budget);
    }
    bytes = snprintf(text, sizeof(text),
        "# Peer %s; see skyferry.conf(5). After a change: skyferryd reads it at SIGHUP.\n"
        "\n"
        "# Where it is reached, one or several places, tried in turn; none: it calls.\n"
        "endpoint = %s\n"
        "# Send to it at this rate, counted as IP packets; adaptive: find it, on a path that\n"
        "# others use too; scavenger: the same, and give way to all others.\n"
        "rate = %s\n"
        "# Never more than this.\n"
        "rate-max = %s\n"
        "# Round trip, until it is measured; needed where it is above two seconds.\n"
        "rtt = %s\n"
        "# send: it may send to this node. receive: this node may send to it.\n"
        "allow = %s\n"
        "# Sealed bytes it may have here.\n"
        "quota = %s\n"
        "# File with a key that both ends share, in peers/ and readable by the owner only; vault:\n"
        "# the daemon has taken it, and keeps no more of it than keys that were not used yet.\n"
        "psk = %s%s\n"
        "# none: a one-way link on which nothing ever comes back.\n"
        "return = %s\n"
        "# How its packets are marked: a DSCP; default: le for a scavenger, 0 for others.\n"
        "dscp = %s\n"
        "# They leave through this interface alone.\n"
        "interface = %s\n"
        "# What an observer is kept from: size, none or timing, and how much filler may go in a "
        "day.\n"
        "privacy = %s\n"
        "privacy-budget = %s\n",
        peer->name, endpoint, rate, rate_max, rtt,
        sf_peers_allow_print(peer->may_send, peer->may_receive), quota,
        has_seed(peer)  ? peer->name
        : peer->has_psk ? "vault"
                        : "none",
        has_seed(peer) ? ".psk" : "", peer->no_return ? "none" : "yes", dscp,
        peer->interface[0] == '\0' ? "none" : peer->interface,
        peer->has_privacy ? sf_config_privacy_name(peer->privacy) : "default", budget);
    sf_assert(bytes > 0 && bytes < (int)sizeof(text));
    return write_one(home, peer, "conf", sf_view(text, (size_t)bytes), error);
}

/* Remove peers/NAME.SUFFIX; that it is not there is fine. */
static int
remove_one(
    const struct sf_home *home, const char *name, const char *suffix, struct sf_app_error *error)
{
    char path[PATH_BYTES];
    int status;

    file_name(path, name, suffix);
    status = sf_home_remove_file(home, path, error);
    return status == SF_ENOENT ? SF_OK : status;
}

/* The same for the key, which is overwritten first. */
static int
shred_psk(const struct sf_home *home, const char *name, struct sf_app_error *error)
{
    char path[PATH_BYTES];
    int status;

    file_name(path, name, "psk");
    status = sf_home_shred_file(home, path, error);
    return status == SF_ENOENT ? SF_OK : status;
}

int
sf_peers_write(
    const struct sf_home *home, const struct sf_peers_peer *peer, struct sf_app_error *error)
{
    int status;

    if (!sf_peers_name_is_valid(peer->name)) {
        return sf_app_error_set(error, SF_EINVAL,
            "\"%.63s\" cannot name a peer: expected 1 to %d of A-Z a-z 0-9 . _ -, not beginning "
            "with . or -",
            peer->name, SF_PEERS_NAME_BYTES_MAX);
    }
    if (peer->no_return && peer->endpoints.count == 0) {
        return sf_app_error_set(error, SF_EINVAL, "peer %s: " SF_PEERS_ONE_WAY, peer->name);
    }
    if (peer->no_return && peer->pace != SF_LINK_PACE_FIXED) {
        return sf_app_error_set(error, SF_EINVAL, "peer %s: " SF_PEERS_RATE_ONE_WAY, peer->name);
    }
    status = write_card(home, peer, error);
    if (status == SF_OK && has_seed(peer)) {
        status = write_psk(home, peer, error);
    }
    if (status == SF_OK) {
        status = write_conf(home, peer, error);
    }
    /* Last: until the new conf is there the old one may name the key. */
    if (status == SF_OK && !has_seed(peer)) {
        status = shred_psk(home, peer->name, error);
    }
    return status;
}

int
sf_peers_remove(const struct sf_home *home, const char *name, struct sf_app_error *error)
{
    char path[PATH_BYTES];
    int status;

    if (!sf_peers_name_is_valid(name)) {
        return sf_app_error_set(error, SF_ENOENT, "there is no peer %.63s", name);
    }
    file_name(path, name, "conf");
    status = sf_home_remove_file(home, path, error);
    if (status == SF_ENOENT) {
        return sf_app_error_set(error, SF_ENOENT, "there is no peer %s", name);
    }
    if (status == SF_OK) {
        status = shred_psk(home, name, error);
    }
    if (status == SF_OK) {
        status = remove_one(home, name, "plan", error);
    }
    return status == SF_OK ? remove_one(home, name, "card", error) : status;
}
