#include "app/control_internal.h"

#include "app/unlock.h"

#include "base/crypto.h"

#include <config.h>

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { KEY_BYTES = 64, API_VERSION = 1 };

/* --- Values -------------------------------------------------------------------- */

json_t *
sf_control_object(void)
{
    json_t *object = json_object();

    sf_control_set_count(object, "version", API_VERSION);
    return object;
}

void
sf_control_set(json_t *object, const char *key, json_t *value)
{
    /* Fails only without memory; a reply then lacks a member, and the next one will not. */
    int failed = json_object_set_new(object, key, value == NULL ? json_null() : value);

    (void)failed;
}

void
sf_control_set_count(json_t *object, const char *key, uint64_t value)
{
    sf_control_set(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

/* A number that is null while it is 0: not known, not there. */
static void
set_known(json_t *object, const char *key, uint64_t value)
{
    if (value == 0) {
        sf_control_set(object, key, json_null());
    } else {
        sf_control_set_count(object, key, value);
    }
}

void
sf_control_set_text(json_t *object, const char *key, const char *text)
{
    sf_control_set_name(object, key, sf_view(text, strlen(text)));
}

static char *
hex_text(struct sf_view bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * bytes.bytes + 1);

    if (text != NULL) {
        for (size_t i = 0; i < bytes.bytes; i++) {
            text[2 * i] = digits[bytes.data[i] >> 4];
            text[2 * i + 1] = digits[bytes.data[i] & 15];
        }
        text[2 * bytes.bytes] = '\0';
    }
    return text;
}

void
sf_control_set_hex(json_t *object, const char *key, struct sf_view bytes)
{
    char *text = hex_text(bytes);

    sf_control_set(object, key, text == NULL ? NULL : json_string(text));
    free(text);
}

/* Bytes of the valid UTF-8 character at the start of `text`; 0 if there is none, or a control. */
static size_t
plain_character(struct sf_view text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = text.data[0];
    uint32_t code;
    size_t bytes;

    if (lead < 0x80) {
        return lead < ' ' || lead == 0x7f ? 0 : 1;
    }
    bytes = lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc0 || lead >= 0xf8 || text.bytes < bytes) {
        return 0;
    }
    code = lead & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text.data[i] & 0x3fu);
    }
    /* Shortest form, no surrogates, nothing beyond Unicode, no C1 controls. */
    if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
        code < 0xa0) {
        return 0;
    }
    return bytes;
}

void
sf_control_set_name(json_t *object, const char *key, struct sf_view name)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *shown = malloc(3 * name.bytes + 1);
    char hex_key[KEY_BYTES];
    bool is_exact = true;
    size_t bytes = 0;

    if (shown == NULL) {
        sf_control_set(object, key, NULL);
        return;
    }
    shown[0] = '\0';
    for (size_t at = 0; at < name.bytes;) {
        size_t step = plain_character(sf_view(name.data + at, name.bytes - at));

        if (step == 0) {
            is_exact = false;
            memcpy(shown + bytes, replacement, 3);
            bytes += 3;
            at++;
        } else {
            memcpy(shown + bytes, name.data + at, step);
            bytes += step;
            at += step;
        }
    }
    sf_control_set(object, key, json_stringn(shown, bytes));
    free(shown);
    if (!is_exact) {
        (void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
        sf_control_set_hex(object, hex_key, name);
    }
}

static void
set_addr(json_t *object, const char *key, bool is_there, const struct sf_addr *addr)
{
    char text[SF_UDP_ADDR_TEXT_BYTES];

    if (!is_there) {
        sf_control_set(object, key, json_null());
        return;
    }
    sf_udp_addr_print(addr, text);
    sf_control_set_text(object, key, text);
}

/* --- The node ------------------------------------------------------------------- */

/* This node's card as one line, signed with the keys as they are on the disk now. */
static bool
own_card(const struct sf_daemon *daemon, char ret_text[SF_CARD_TEXT_BYTES_MAX])
{
    uint8_t encoded[SF_CARD_BYTES_MAX];
    struct sf_identity *identity = NULL;
    size_t bytes = 0;
    bool is_done =
        sf_unlock_identity(&daemon->home, daemon->master, &identity, NULL) == SF_OK &&
        sf_card_encode(identity, encoded, sizeof(encoded), &bytes) == SF_OK &&
        sf_card_to_text(sf_view(encoded, bytes), ret_text, SF_CARD_TEXT_BYTES_MAX, &bytes) == SF_OK;

    sf_identity_fini(identity);
    return is_done;
}

/* Which walls stand around the daemon; see app/confine.h. */
static const char *
confined_name(const struct sf_confine *confine)
{
    if (confine->has_files && confine->has_calls) {
        return "files and calls";
    }
    return confine->has_files ? "files" : confine->has_calls ? "calls" : "no";
}

/* What is allocated now, buffers and all; null where the library cannot tell. */
static void
set_heap(json_t *object)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();

    sf_control_set_count(object, "heap_bytes", info.uordblks + info.hblkhd);
#else
    sf_control_set(object, "heap_bytes", json_null());
#endif
}

json_t *
sf_control_node_json(struct sf_daemon *daemon)
{
    const struct sf_card *card = sf_node_card(daemon->node);
    json_t *object = sf_control_object();
    json_t *listen = json_array();
    struct sf_udp_stats udp;
    struct statvfs space;
    char text[SF_CARD_TEXT_BYTES_MAX];

    sf_udp_stats(daemon->udp, &udp);
    sf_control_set_text(object, "name", card->name);
    sf_control_set_hex(
        object, "fingerprint", sf_view(card->fingerprint.b, sizeof(card->fingerprint.b)));
    sf_control_set(object, "card", own_card(daemon, text) ? json_string(text) : json_null());
    sf_control_set_count(object, "card_issue", card->issue);
    sf_control_set_text(object, "program", PACKAGE_VERSION);
    sf_control_set_count(object, "pid", (uint64_t)getpid());
    sf_control_set_count(object, "started_ms", (uint64_t)daemon->started_wall.ms);
    sf_control_set_count(object, "uptime_s", (daemon->now - daemon->started) / SF_SEC);
    sf_control_set_text(object, "home", daemon->home.path);
    for (size_t i = 0; sf_udp_fd(daemon->udp, i) >= 0; i++) {
        char where[SF_UDP_ADDR_TEXT_BYTES];
        struct sf_addr addr;
        int failed;

        sf_udp_bound(daemon->udp, i, &addr);
        sf_udp_addr_print(&addr, where);
        failed = json_array_append_new(listen, json_string(where));
        (void)failed;
    }
    sf_control_set(object, "listen", listen);
    sf_control_set_text(object, "disk", daemon->is_uring ? "io_uring" : "posix");
    sf_control_set_text(object, "confined", confined_name(&daemon->confine));
    sf_control_set_count(object, "workers", daemon->config.workers);
    sf_control_set_count(object, "mtu_bytes",
        daemon->config.mtu_bytes == 0 ? SF_LINK_MTU_MAX : daemon->config.mtu_bytes);
    sf_control_set(object, "udp_gso", json_boolean(udp.is_gso));
    sf_control_set(object, "udp_gro", json_boolean(udp.is_gro));
    sf_control_set_count(object, "udp_dropped_out", udp.dropped_out);
    sf_control_set_text(object, "health", sf_node_health(daemon->node) == SF_OK ? "ok" : "failed");
    if (fstatvfs(daemon->home.fd, &space) == 0) {
        sf_control_set_count(object, "free_bytes", (uint64_t)space.f_bavail * space.f_frsize);
    } else {
        sf_control_set(object, "free_bytes", json_null());
    }
    set_heap(object);
    sf_control_set_count(object, "reserve_bytes", daemon->config.reserve_bytes);
    sf_control_set_count(object, "quota_bytes", daemon->config.quota_bytes);
    sf_control_set_text(object, "privacy", sf_config_privacy_name(daemon->config.privacy));
    sf_control_set_count(object, "privacy_budget_bytes", daemon->config.privacy_budget_bytes);
    sf_control_set_full(daemon, object);
    return object;
}

void
sf_control_set_full(struct sf_daemon *daemon, json_t *object)
{
    uint64_t need_bytes;

    if (sf_node_is_full(daemon->node, &need_bytes)) {
        sf_control_set_count(object, "full_need_bytes", need_bytes);
    } else {
        sf_control_set(object, "full_need_bytes", json_null());
    }
}

/* --- Transfers -------------------------------------------------------------------- */

/* The words of the interface: these never change, whatever people are shown. */
static const char *
state_word(enum sf_node_state state)
{
    switch (state) {
    case SF_NODE_SEALING:
        return "sealing";
    case SF_NODE_INTERRUPTED:
        return "interrupted";
    case SF_NODE_CUSTODY:
        return "custody";
    case SF_NODE_RECEIVING:
        return "receiving";
    case SF_NODE_VERIFYING:
        return "verifying";
    case SF_NODE_DONE:
        return "done";
    case SF_NODE_FAILED:
        return "failed";
    case SF_NODE_CANCELLED:
        return "cancelled";
    case SF_NODE_WAITING:
        return "waiting";
    }
    return "unknown";
}

static const char *
recipient_word(enum sf_node_recipient_state state)
{
    switch (state) {
    case SF_NODE_TO_WAITING:
        return "waiting";
    case SF_NODE_TO_HELD:
        return "held";
    case SF_NODE_TO_VERIFIED:
        return "verified";
    case SF_NODE_TO_PAUSED:
        return "paused";
    case SF_NODE_TO_FINAL:
        return "final";
    case SF_NODE_TO_REFUSED:
        return "refused";
    case SF_NODE_TO_CANCELLED:
        return "cancelled";
    case SF_NODE_TO_REVOKED:
        return "revoked";
    }
    return "unknown";
}

/* Sealed bytes the transfer has, as well as is known. */
static uint64_t
sealed_bytes(const struct sf_node_transfer *transfer)
{
    uint64_t count = transfer->count != 0 ? transfer->count : transfer->slots;

    return count * transfer->class_bytes;
}

static const char *
cause_word(enum sf_link_rate_cause cause)
{
    static const char *const words[] = {
        [SF_LINK_CAUSE_FIXED] = "fixed",
        [SF_LINK_CAUSE_CONTACT] = "contact",
        [SF_LINK_CAUSE_SEEKING] = "seeking",
        [SF_LINK_CAUSE_FOUND] = "found",
        [SF_LINK_CAUSE_CEILING] = "ceiling",
        [SF_LINK_CAUSE_LIMIT] = "limit",
    };

    return words[cause];
}

/* What the link to a recipient may send at, and why. */
static void
set_link_rate(struct sf_daemon *daemon, json_t *object, const char *name)
{
    struct sf_node_peer_info info;

    for (size_t i = 0; sf_node_peer_at(daemon->node, i, &info); i++) {
        if (strcmp(info.peer.name, name) == 0) {
            sf_control_set_count(object, "link_rate_bps", info.link.rate_bps);
            sf_control_set_text(object, "link_rate_why", cause_word(info.link.rate_cause));
            return;
        }
    }
    sf_control_set(object, "link_rate_bps", json_null());
    sf_control_set(object, "link_rate_why", json_null());
}

/* rate_bps and eta_s by meter `index`, with `done` of the sealed bytes there. */
static void
set_rate(struct sf_daemon *daemon, json_t *object, const struct sf_node_transfer *transfer,
    size_t index, uint64_t done)
{
    uint64_t total = sealed_bytes(transfer);
    uint64_t rate_bps;

    if (!sf_daemon_rate(daemon, &transfer->id, index, &rate_bps)) {
        sf_control_set(object, "rate_bps", json_null());
        sf_control_set(object, "eta_s", json_null());
        return;
    }
    sf_control_set_count(object, "rate_bps", rate_bps);
    if (rate_bps == 0 || done > total) {
        sf_control_set(object, "eta_s", json_null());
    } else {
        sf_control_set_count(object, "eta_s", (total - done) / (rate_bps / 8 + 1));
    }
}

static void
set_eta(json_t *object, uint64_t eta_s)
{
    if (eta_s == UINT64_MAX) {
        sf_control_set(object, "eta_s", json_null());
    } else {
        sf_control_set_count(object, "eta_s", eta_s);
    }
}

static void
set_receipt(struct sf_daemon *daemon, json_t *object, const struct sf_transfer_id *id, size_t index)
{
    struct sf_view receipt = sf_node_transfer_receipt(daemon->node, id, index);

    if (receipt.data == NULL) {
        sf_control_set(object, "receipt", json_null());
    } else {
        sf_control_set_hex(object, "receipt", receipt);
    }
}

static json_t *
recipients_json(struct sf_daemon *daemon, const struct sf_node_transfer *transfer, bool details)
{
    json_t *list = json_array();

    for (size_t i = 0; i < transfer->recipient_count; i++) {
        const struct sf_node_recipient *recipient = &transfer->recipients[i];
        json_t *object = json_object();
        uint64_t eta_s;
        int failed;

        sf_control_set_text(object, "name", recipient->name);
        sf_control_set_text(object, "state", recipient_word(recipient->state));
        sf_control_set_count(object, "held", recipient->held);
        sf_control_set_count(object, "link_bytes", recipient->link_bytes);
        sf_control_set_count(object, "pad_bytes", recipient->pad_bytes);
        set_rate(daemon, object, transfer, i, recipient->link_bytes);
        if (sf_control_set_plan(daemon, object, transfer, recipient->name, &eta_s)) {
            set_eta(object, eta_s); /* what is fast now may have to wait for days */
        }
        set_link_rate(daemon, object, recipient->name);
        sf_control_set_text(object, "why", recipient->why);
        if (details) {
            set_receipt(daemon, object, &transfer->id, i);
        }
        failed = json_array_append_new(list, object);
        (void)failed;
    }
    return list;
}

static json_t *
files_json(struct sf_daemon *daemon, const struct sf_transfer_id *id)
{
    json_t *list = json_array();
    struct sf_node_file file;

    for (size_t i = 0; sf_node_transfer_file(daemon->node, id, i, &file); i++) {
        json_t *object = json_object();
        int failed;

        sf_control_set_hex(object, "sha256", sf_view(file.sha256.b, sizeof(file.sha256.b)));
        sf_control_set_count(object, "bytes", file.bytes);
        failed = json_array_append_new(list, object);
        (void)failed;
    }
    return list;
}

/* Where recipients have contact plans the transfer is over when the last of them has it. */
static void
set_latest(json_t *transfer)
{
    json_t *recipient;
    uint64_t latest = 0;
    bool has_plan = false;
    size_t i;

    json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
    {
        const json_t *eta = json_object_get(recipient, "eta_s");

        if (!json_is_object(json_object_get(recipient, "plan"))) {
            continue;
        }
        has_plan = true;
        if (!json_is_integer(eta)) {
            latest = UINT64_MAX;
        } else if ((uint64_t)json_integer_value(eta) > latest) {
            latest = (uint64_t)json_integer_value(eta);
        }
    }
    if (has_plan) {
        set_eta(transfer, latest);
    }
}

/* The whole transfer's rate: if it is outgoing that of the slowest recipient that moves. */
static void
set_overall_rate(struct sf_daemon *daemon, json_t *object, const struct sf_node_transfer *transfer)
{
    size_t slowest = 0;
    uint64_t least = UINT64_MAX;

    if (!transfer->outgoing) {
        set_rate(daemon, object, transfer, 0, transfer->received_bytes);
        return;
    }
    for (size_t i = 0; i < transfer->recipient_count; i++) {
        uint64_t rate_bps;

        if (sf_daemon_rate(daemon, &transfer->id, i, &rate_bps) && rate_bps < least) {
            least = rate_bps;
            slowest = i;
        }
    }
    set_rate(daemon, object, transfer, slowest, transfer->recipients[slowest].link_bytes);
    set_latest(object);
}

/*
 * "late" of the transfer and of each recipient: whether it will be there, or was,
 * after the deadline; null where there is none, or no telling.
 */
static void
set_late(struct sf_daemon *daemon, json_t *object, const struct sf_node_transfer *transfer)
{
    bool is_open = transfer->ended.ms == 0;
    bool has_end = is_open || transfer->state == SF_NODE_DONE; /* else it is never there */
    int64_t deadline_ms = has_end ? transfer->deadline.ms : 0;
    bool is_late = false;
    bool is_known = !is_open;
    json_t *recipient;
    size_t i;

    json_array_foreach(json_object_get(object, "recipients"), i, recipient)
    {
        const json_t *eta = json_object_get(recipient, "eta_s");
        const json_t *within = json_object_get(json_object_get(recipient, "plan"), "within");
        bool is_there =
            strcmp(json_string_value(json_object_get(recipient, "state")), "final") == 0;
        bool has_word = json_is_integer(eta) || json_is_false(within);
        int64_t left_ms = json_is_integer(eta) ? json_integer_value(eta) * 1000 : INT64_MAX / 2;
        bool is_its = !is_there && is_open &&
                      (daemon->wall.ms > deadline_ms ||
                          (has_word && daemon->wall.ms + left_ms > deadline_ms));

        has_word |= is_there || daemon->wall.ms > deadline_ms;
        sf_control_set(
            recipient, "late", deadline_ms == 0 || !has_word ? json_null() : json_boolean(is_its));
        is_late |= is_its;
        is_known |= has_word;
    }
    is_late |= !is_open && transfer->ended.ms > deadline_ms;
    sf_control_set(
        object, "late", deadline_ms == 0 || !is_known ? json_null() : json_boolean(is_late));
}

json_t *
sf_control_transfer_json(
    struct sf_daemon *daemon, const struct sf_node_transfer *transfer, bool details)
{
    json_t *object = json_object();

    sf_control_set_hex(object, "id", sf_view(transfer->id.b, sizeof(transfer->id.b)));
    sf_control_set_text(object, "direction", transfer->outgoing ? "out" : "in");
    sf_control_set_text(object, "state", state_word(transfer->state));
    sf_control_set_text(object, "label", transfer->label);
    sf_control_set(object, "single_file", json_boolean(transfer->single_file));
    sf_control_set_count(object, "priority", transfer->priority);
    set_known(object, "deadline_ms", (uint64_t)transfer->deadline.ms);
    sf_control_set_count(object, "class_bytes", transfer->class_bytes);
    sf_control_set_count(object, "slots", transfer->slots);
    set_known(object, "count", transfer->count);
    sf_control_set_count(object, "sealed", transfer->sealed);
    sf_control_set_count(object, "held", transfer->held);
    set_known(object, "sealed_bytes", transfer->count * transfer->class_bytes);
    set_known(object, "plain_bytes", transfer->plain_bytes);
    sf_control_set_count(object, "plain_done", transfer->plain_done);
    sf_control_set_count(object, "received_bytes", transfer->received_bytes);
    set_known(object, "need_bytes", transfer->need_bytes);
    set_known(object, "created_ms", (uint64_t)transfer->created.ms);
    set_known(object, "ended_ms", (uint64_t)transfer->ended.ms);
    if (transfer->outgoing) {
        sf_control_set(object, "peer", json_null());
    } else {
        sf_control_set_text(object, "peer", transfer->peer);
    }
    sf_control_set(object, "recipients", recipients_json(daemon, transfer, details));
    sf_control_set(object, "key_forgotten", json_boolean(transfer->key_forgotten));
    sf_control_set(object, "has_base", json_boolean(transfer->has_base));
    sf_control_set(object, "is_in_place", json_boolean(transfer->is_in_place));
    if (transfer->delivered_as[0] == '\0') {
        sf_control_set(object, "delivered_as", json_null());
    } else {
        sf_control_set_text(object, "delivered_as", transfer->delivered_as);
    }
    set_overall_rate(daemon, object, transfer);
    set_late(daemon, object, transfer);
    sf_control_set_text(object, "why", transfer->why);
    if (details) {
        sf_control_set(object, "files", files_json(daemon, &transfer->id));
        if (!transfer->outgoing) {
            set_receipt(daemon, object, &transfer->id, 0);
        }
    }
    return object;
}

json_t *
sf_control_inbox_json(struct sf_daemon *daemon, const struct sf_node_transfer *transfer)
{
    json_t *object;
    struct sf_node_file file;
    struct stat info;
    uint64_t bytes = 0;
    uint64_t count = 0;
    bool exists;
    bool is_single;
    char path[sizeof(SF_HOME_INBOX) + sizeof(transfer->peer) + sizeof(transfer->delivered_as)];

    if (transfer->outgoing || transfer->delivered_as[0] == '\0') {
        return NULL;
    }
    object = json_object();
    for (; sf_node_transfer_file(daemon->node, &transfer->id, count, &file); count++) {
        bytes += file.bytes;
    }
    (void)snprintf(
        path, sizeof(path), "%s/%s/%s", SF_HOME_INBOX, transfer->peer, transfer->delivered_as);
    exists = fstatat(daemon->home.fd, path, &info, AT_SYMLINK_NOFOLLOW) == 0;
    /* A node that has forgotten the key has forgotten this too; the entry itself shows it. */
    is_single = transfer->single_file || (exists && S_ISREG(info.st_mode) && count <= 1);
    sf_control_set_text(object, "peer", transfer->peer);
    sf_control_set_text(object, "name", transfer->delivered_as);
    sf_control_set_text(object, "path", path);
    sf_control_set(object, "single_file", json_boolean(is_single));
    sf_control_set_count(object, "bytes", bytes != 0 ? bytes : transfer->plain_bytes);
    sf_control_set_count(object, "files", count);
    if (is_single && sf_node_transfer_file(daemon->node, &transfer->id, 0, &file)) {
        sf_control_set_hex(object, "sha256", sf_view(file.sha256.b, sizeof(file.sha256.b)));
    } else {
        sf_control_set(object, "sha256", json_null());
    }
    set_known(object, "delivered_ms", (uint64_t)transfer->ended.ms);
    sf_control_set_hex(object, "transfer", sf_view(transfer->id.b, sizeof(transfer->id.b)));
    sf_control_set(object, "exists", json_boolean(exists));
    return object;
}

/* --- Peers and events ---------------------------------------------------------------- */

static json_t *
link_json(const struct sf_daemon *daemon, const struct sf_link_peer_stats *link)
{
    static const char *const words[] = {
        [SF_LINK_STATE_NEVER] = "never",
        [SF_LINK_STATE_UP] = "up",
        [SF_LINK_STATE_DARK] = "dark",
    };
    static const char *const reaches[] = {
        [SF_LINK_REACH_ALWAYS] = "always",
        [SF_LINK_REACH_CONTACT] = "contact",
        [SF_LINK_REACH_SILENT] = "silent",
        [SF_LINK_REACH_CALLED] = "called",
    };
    json_t *object = json_object();

    sf_control_set_text(object, "state", words[link->state]);
    sf_control_set_text(object, "reach", reaches[link->reach]);
    set_addr(object, "address", link->has_addr, &link->addr);
    sf_control_set(object, "is_proven", json_boolean(link->is_proven));
    set_known(object, "rtt_ns", link->rtt_ns);
    set_known(object, "mtu_bytes", link->mtu_bytes);
    sf_control_set(object, "is_narrow", json_boolean(link->is_narrow));
    if (link->heard == 0 || link->heard > daemon->now) {
        sf_control_set(object, "heard_s", json_null());
    } else {
        sf_control_set_count(object, "heard_s", (daemon->now - link->heard) / SF_SEC);
    }
    sf_control_set_count(object, "rate_bps", link->rate_bps);
    sf_control_set_text(object, "rate_why", cause_word(link->rate_cause));
    set_known(object, "found_bps", link->found_bps);
    sf_control_set_count(object, "bytes_out", link->bytes_out);
    sf_control_set_count(object, "bytes_in", link->bytes_in);
    sf_control_set_count(object, "dgrams_out", link->dgrams_out);
    sf_control_set_count(object, "dgrams_in", link->dgrams_in);
    sf_control_set_count(object, "data_bytes_out", link->data_bytes_out);
    sf_control_set_count(object, "resent_bytes_out", link->resent_bytes_out);
    sf_control_set_count(object, "data_bytes_in", link->data_bytes_in);
    sf_control_set_count(object, "again_bytes_in", link->again_bytes_in);
    return object;
}

static json_t *
allow_json(const struct sf_peers_peer *peer)
{
    json_t *list = json_array();
    int failed = 0;

    if (peer->may_send) {
        failed |= json_array_append_new(list, json_string("send"));
    }
    if (peer->may_receive) {
        failed |= json_array_append_new(list, json_string("receive"));
    }
    (void)failed;
    return list;
}

/* How the rate comes about, and how its datagrams look. */
static void
set_path(json_t *object, const struct sf_peers_peer *conf)
{
    char text[SF_UNITS_TEXT_BYTES];
    char dscp[SF_MARK_TEXT_BYTES];

    sf_peers_rate_print(conf, text);
    sf_mark_dscp_print(conf->dscp, dscp);
    sf_control_set_text(object, "rate", text);
    set_known(object, "rate_bps", conf->pace == SF_LINK_PACE_FIXED ? conf->rate_bps : 0);
    set_known(object, "rate_max_bps", conf->rate_max_bps);
    set_known(object, "rtt_ms", conf->rtt_ns / SF_MS);
    sf_control_set(object, "dscp", conf->has_dscp ? json_string(dscp) : json_null());
    sf_control_set(object, "interface",
        conf->interface[0] == '\0' ? json_null() : json_string(conf->interface));
}

/* What is hidden of what goes to it, as it holds now. */
static void
set_privacy(const struct sf_daemon *daemon, json_t *object, const struct sf_peers_peer *conf,
    const struct sf_node_peer_info *info)
{
    sf_control_set_text(object, "privacy",
        sf_config_privacy_name(conf->has_privacy ? conf->privacy : daemon->config.privacy));
    sf_control_set_count(object, "privacy_budget_bytes",
        conf->has_privacy_budget ? conf->privacy_budget_bytes
                                 : daemon->config.privacy_budget_bytes);
    sf_control_set_count(object, "filler_day_bytes", info->cover_day_bytes);
    sf_control_set_count(object, "filler_bytes_out", info->link.cover_bytes_out);
    sf_control_set_count(object, "filler_owed_bytes", info->link.cover.owed_bytes);
}

json_t *
sf_control_revoked_json(const struct sf_revoked_node *node)
{
    json_t *object = json_object();

    sf_control_set_hex(
        object, "fingerprint", sf_view(node->fingerprint.b, sizeof(node->fingerprint.b)));
    sf_control_set(object, "was", node->was[0] == '\0' ? json_null() : json_string(node->was));
    sf_control_set(
        object, "revoked_ms", node->when_ms == 0 ? json_null() : json_integer(node->when_ms));
    return object;
}

static json_t *
addrs_json(const struct sf_addr *addrs, size_t count)
{
    json_t *list = json_array();
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        char text[SF_UDP_ADDR_TEXT_BYTES];

        sf_udp_addr_print(&addrs[i], text);
        failed |= json_array_append_new(list, json_string(text));
    }
    (void)failed; /* without memory the list is shorter */
    return list;
}

json_t *
sf_control_peer_json(struct sf_daemon *daemon, const struct sf_daemon_peer *peer)
{
    const struct sf_peers_peer *conf = &peer->conf;
    json_t *object = json_object();
    char endpoint[SF_ENDPOINTS_BYTES_MAX + 1];
    struct sf_addr addrs[SF_LINK_ENDPOINTS_MAX];
    size_t addr_count = sf_daemon_peer_addrs(peer, addrs);
    char card[SF_CARD_TEXT_BYTES_MAX];
    struct sf_node_peer_info info;
    bool is_found = false;

    for (size_t i = 0; !is_found && sf_node_peer_at(daemon->node, i, &info); i++) {
        is_found = strcmp(info.peer.name, conf->name) == 0;
    }
    if (!is_found) {
        memset(&info, 0, sizeof(info));
    }
    sf_endpoints_print(&conf->endpoints, endpoint);
    sf_control_set_text(object, "name", conf->name);
    sf_control_set_hex(
        object, "fingerprint", sf_view(conf->card.fingerprint.b, sizeof(conf->card.fingerprint.b)));
    sf_control_set(
        object, "card", sf_peers_card_print(conf, card) ? json_string(card) : json_null());
    sf_control_set(
        object, "endpoint", conf->endpoints.count == 0 ? json_null() : json_string(endpoint));
    set_addr(object, "address", addr_count > 0, &addrs[0]);
    sf_control_set(object, "addresses", addrs_json(addrs, addr_count));
    set_path(object, conf);
    sf_control_set(object, "allow", allow_json(conf));
    set_known(object, "quota_bytes", conf->quota_bytes);
    sf_control_set(object, "psk", json_boolean(conf->has_psk));
    sf_control_set(object, "return", json_boolean(!conf->no_return));
    set_privacy(daemon, object, conf, &info);
    sf_control_set(object, "link", link_json(daemon, &info.link));
    return object;
}

json_t *
sf_control_news_json(const struct sf_daemon_news *news)
{
    static const char *const words[] = {
        [SF_NODE_EVENT_TRANSFER] = "transfer",
        [SF_NODE_EVENT_PEER] = "peer",
        [SF_NODE_EVENT_NOTICE] = "notice",
        [SF_NODE_EVENT_WARNING] = "warning",
    };
    static const struct sf_transfer_id none;
    json_t *object = json_object();

    sf_control_set_count(object, "number", news->number);
    sf_control_set_count(object, "time_ms", (uint64_t)news->time.ms);
    sf_control_set_text(object, "kind", words[news->event.kind]);
    if (sf_transfer_equal(&news->event.transfer, &none)) {
        sf_control_set(object, "transfer", json_null());
    } else {
        sf_control_set_hex(
            object, "transfer", sf_view(news->event.transfer.b, sizeof(news->event.transfer.b)));
    }
    sf_control_set(
        object, "peer", news->event.peer[0] == '\0' ? json_null() : json_string(news->event.peer));
    sf_control_set_text(object, "text", news->event.text);
    return object;
}
