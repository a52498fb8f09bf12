/*
 * What each resource of the HTTP interface answers; the shapes are in
 * docs/CONTROL.md and control_json.c.
 */
#include "app/control_internal.h"

#include "base/crypto.h"
#include "bundle/letter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_DIGITS = 2 * sizeof(struct sf_transfer_id),
    ID_DIGITS_MIN = 4,
    NAME_BYTES = 256,
    HTTP_OK = 200,
    HTTP_CREATED = 201,
    HTTP_ACCEPTED = 202,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD = 405,
};

/* --- Refusals ------------------------------------------------------------------ */

static const struct {
    int status;
    unsigned http;
    const char *word;
} refusals[] = {
    {SF_EINVAL, 400, "invalid"},
    {SF_EFORMAT, 400, "format"},
    {SF_EAUTH, 403, "denied"},
    {SF_ENOENT, HTTP_NOT_FOUND, "not-found"},
    {SF_ESTATE, 409, "state"},
    {SF_EEXIST, 409, "exists"},
    {SF_ELIMIT, 422, "limit"},
    {SF_EIO, 500, "io"},
    {SF_ENOMEM, 503, "busy"},
    {SF_ENOSPC, 507, "no-space"},
};

void
sf_control_refuse_http(
    struct sf_control_reply *reply, unsigned http, const char *word, const char *text)
{
    json_t *error = json_object();

    sf_control_set_text(error, "status", word);
    sf_control_set_text(error, "text", text);
    json_decref(reply->body);
    reply->http = http;
    reply->body = sf_control_object();
    sf_control_set(reply->body, "error", error);
}

void
sf_control_refuse(struct sf_control_reply *reply, const struct sf_app_error *error)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].status == error->status) {
            sf_control_refuse_http(reply, refusals[i].http, refusals[i].word, error->text);
            return;
        }
    }
    sf_control_refuse_http(reply, 500, "io", error->text);
}

/* --- Finding transfers ------------------------------------------------------------ */

static int
digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

char *
sf_control_hex_bytes(const char *text, size_t *ret_bytes)
{
    size_t digits = strlen(text);
    char *bytes = digits % 2 == 0 ? malloc(digits / 2 + 1) : NULL;

    if (bytes == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < digits / 2; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            free(bytes);
            return NULL;
        }
        bytes[i] = (char)(high << 4 | low);
    }
    bytes[digits / 2] = '\0';
    *ret_bytes = digits / 2;
    return bytes;
}

bool
sf_control_id_parse(const char *text, struct sf_transfer_id *ret_id)
{
    size_t count = 0;
    char *bytes = strlen(text) == ID_DIGITS ? sf_control_hex_bytes(text, &count) : NULL;

    if (bytes == NULL) {
        return false;
    }
    memcpy(ret_id->b, bytes, sizeof(ret_id->b));
    free(bytes);
    return true;
}

/* Whether the id begins with the digits of `text`. */
static bool
id_begins_with(const struct sf_transfer_id *id, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        int half = i % 2 == 0 ? id->b[i / 2] >> 4 : id->b[i / 2] & 15;

        if (digit_value(text[i]) != half) {
            return false;
        }
    }
    return true;
}

/* The transfer that `text` names, whole or by its first digits, into daemon->scratch. */
static int
find_transfer(struct sf_daemon *daemon, const char *text, struct sf_app_error *error)
{
    struct sf_transfer_id id;
    size_t digits = strlen(text);
    size_t found = 0;

    if (digits < ID_DIGITS_MIN || digits > ID_DIGITS ||
        strspn(text, "0123456789abcdef") != digits) {
        return sf_app_error_set(error, SF_EINVAL,
            "\"%.40s\" is no transfer: expected the %d to %d hexadecimal digits that "
            "`skyferry status` shows",
            text, ID_DIGITS_MIN, ID_DIGITS);
    }
    if (sf_control_id_parse(text, &id)) {
        found = sf_node_transfer_find(daemon->node, &id, daemon->scratch) ? 1 : 0;
    } else {
        for (size_t i = 0; found < 2 && sf_node_transfer_at(daemon->node, i, daemon->scratch);
             i++) {
            if (id_begins_with(&daemon->scratch->id, text)) {
                id = daemon->scratch->id;
                found++;
            }
        }
        if (found == 1) {
            found = sf_node_transfer_find(daemon->node, &id, daemon->scratch) ? 1 : 0;
        }
    }
    if (found == 0) {
        return sf_app_error_set(
            error, SF_ENOENT, "there is no transfer %s: `skyferry status` lists them", text);
    }
    if (found > 1) {
        return sf_app_error_set(
            error, SF_EINVAL, "more than one transfer begins with %s: give more digits", text);
    }
    return SF_OK;
}

/* --- Resources ---------------------------------------------------------------------- */

/* One request: who asks what, and the reply to fill. */
struct task {
    struct sf_daemon *daemon;
    const struct sf_control_call *call;
    const char *name; /* what '*' in the path stands for, or "" */
    struct sf_control_reply *reply;
};

static void
answer_with(struct task *task, unsigned http, json_t *body)
{
    task->reply->http = http;
    task->reply->body = body;
}

static void
append(json_t *list, json_t *value)
{
    int failed = json_array_append_new(list, value);

    (void)failed;
}

static void
get_node(struct task *task)
{
    answer_with(task, HTTP_OK, sf_control_node_json(task->daemon));
}

static void
get_transfers(struct task *task)
{
    json_t *body = sf_control_object();
    json_t *list = json_array();
    struct sf_node_transfer *transfer = task->daemon->scratch;

    for (size_t i = 0; sf_node_transfer_at(task->daemon->node, i, transfer); i++) {
        bool is_open = transfer->state != SF_NODE_DONE && transfer->state != SF_NODE_FAILED &&
                       transfer->state != SF_NODE_CANCELLED;

        if (is_open || !task->call->open_only) {
            append(list, sf_control_transfer_json(task->daemon, transfer, false));
        }
    }
    sf_control_set(body, "transfers", list);
    sf_control_set_full(task->daemon, body);
    answer_with(task, HTTP_OK, body);
}

static void
get_transfer(struct task *task)
{
    struct sf_app_error error;
    json_t *body;

    if (find_transfer(task->daemon, task->name, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    body = sf_control_object();
    sf_control_set(
        body, "transfer", sf_control_transfer_json(task->daemon, task->daemon->scratch, true));
    answer_with(task, HTTP_OK, body);
}

static json_t *
id_body(const struct sf_transfer_id *id)
{
    json_t *body = sf_control_object();

    sf_control_set_hex(body, "id", sf_view(id->b, sizeof(id->b)));
    return body;
}

static void
post_transfer(struct task *task)
{
    struct sf_transfer_id id;
    struct sf_app_error error;

    if (sf_control_send(task->daemon, task->call->body, &id, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_ACCEPTED, id_body(&id));
}

static void
post_cancel(struct task *task)
{
    struct sf_transfer_id id;
    struct sf_app_error error;
    struct sf_node_error why;
    int status = find_transfer(task->daemon, task->name, &error);

    if (status == SF_OK) {
        id = task->daemon->scratch->id;
        status = sf_node_cancel(task->daemon->node, &id, &why);
        if (status != SF_OK) {
            (void)sf_app_error_set(&error, status, "%s", why.text);
        }
    }
    if (status != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, id_body(&id));
}

static json_t *
revoked_list(const struct sf_daemon *daemon)
{
    json_t *list = json_array();

    for (size_t i = 0; i < daemon->revoked_count; i++) {
        append(list, sf_control_revoked_json(&daemon->revoked[i]));
    }
    return list;
}

static void
get_peers(struct task *task)
{
    json_t *body = sf_control_object();
    json_t *list = json_array();

    for (size_t i = 0; i < task->daemon->peer_count; i++) {
        append(list, sf_control_peer_json(task->daemon, &task->daemon->peers[i]));
    }
    sf_control_set(body, "peers", list);
    sf_control_set(body, "revoked", revoked_list(task->daemon));
    answer_with(task, HTTP_OK, body);
}

static void
put_peer(struct task *task)
{
    struct sf_daemon_peer *known = sf_daemon_peer_find(task->daemon, task->name);
    struct sf_peers_peer peer;
    struct sf_app_error error;
    bool is_new = false;
    int status;

    sf_peers_peer_init(&peer);
    if (!sf_peers_name_is_valid(task->name)) {
        status = sf_app_error_set(&error, SF_EINVAL,
            "\"%.80s\" cannot name a peer: expected 1 to %d of A-Z a-z 0-9 . _ -, not beginning "
            "with . or -",
            task->name, SF_PEERS_NAME_BYTES_MAX);
        goto out;
    }
    if (known != NULL) {
        peer = known->conf;
    }
    memcpy(peer.name, task->name, strlen(task->name) + 1);
    status = sf_control_peer_from_json(task->call->body, &peer, &error);
    if (status == SF_OK) {
        status = sf_daemon_peer_put(task->daemon, &peer, &is_new, &error);
    }
    if (status == SF_OK) {
        json_t *body = sf_control_object();

        known = sf_daemon_peer_find(task->daemon, task->name);
        sf_control_set(body, "peer", sf_control_peer_json(task->daemon, known));
        answer_with(task, is_new ? HTTP_CREATED : HTTP_OK, body);
    }

out:
    sf_wipe(&peer, sizeof(peer));
    if (status != SF_OK) {
        sf_control_refuse(task->reply, &error);
    }
}

static void
delete_peer(struct task *task)
{
    struct sf_app_error error;

    if (sf_daemon_peer_delete(task->daemon, task->name, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, sf_control_object());
}

static void
post_peer_revoke(struct task *task)
{
    struct sf_revoked_node node;
    struct sf_app_error error;
    uint64_t ended = 0;
    json_t *body;

    if (sf_daemon_peer_revoke(task->daemon, task->name, &node, &ended, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    body = sf_control_object();
    sf_control_set(body, "revoked", sf_control_revoked_json(&node));
    sf_control_set_count(body, "transfers_ended", ended);
    answer_with(task, HTTP_OK, body);
}

static void
delete_revoked(struct task *task)
{
    struct sf_app_error error;

    if (sf_daemon_readmit(task->daemon, task->name, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, sf_control_object());
}

static void
post_keys_rotate(struct task *task)
{
    struct sf_node_error why;
    struct sf_app_error error;
    uint64_t issue = 0;
    json_t *body;
    int status = sf_node_rotate(task->daemon->node, &issue, &why);

    if (status != SF_OK) {
        (void)sf_app_error_set(&error, status, "%s", why.text);
        sf_control_refuse(task->reply, &error);
        return;
    }
    body = sf_control_object();
    sf_control_set_count(body, "card_issue", issue);
    answer_with(task, HTTP_ACCEPTED, body);
}

static void
post_peer_reset(struct task *task)
{
    struct sf_node_error why;
    struct sf_app_error error;
    int status = sf_node_peer_reset(task->daemon->node, task->name, &why);

    if (status != SF_OK) {
        (void)sf_app_error_set(&error, status, "%s", why.text);
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, sf_control_object());
}

static void
post_peers_reload(struct task *task)
{
    struct sf_app_error error;

    if (sf_daemon_peers_load(task->daemon, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, sf_control_object());
}

/* The peer the path names; NULL when the refusal is there. */
static struct sf_daemon_peer *
named_peer(struct task *task)
{
    struct sf_daemon_peer *peer = sf_daemon_peer_find(task->daemon, task->name);
    struct sf_app_error error;

    if (peer == NULL) {
        (void)sf_app_error_set(&error, SF_ENOENT,
            "there is no peer %.63s: `skyferry peer list` lists them", task->name);
        sf_control_refuse(task->reply, &error);
    }
    return peer;
}

static void
get_contacts(struct task *task)
{
    answer_with(task, HTTP_OK, sf_control_contacts_json(task->daemon, NULL));
}

static void
get_peer_contacts(struct task *task)
{
    const struct sf_daemon_peer *peer = named_peer(task);

    if (peer != NULL) {
        answer_with(task, HTTP_OK, sf_control_contacts_json(task->daemon, peer));
    }
}

static void
put_peer_contacts(struct task *task)
{
    const json_t *text = json_object_get(task->call->body, "text");
    struct sf_app_error error;
    int status;

    if (!json_is_string(text)) {
        status = sf_app_error_set(
            &error, SF_EFORMAT, "expected {\"text\": \"...\"} with a plan file, skyferry.conf(5)");
    } else {
        status = sf_daemon_plan_put(task->daemon, task->name,
            sf_view(json_string_value(text), json_string_length(text)), &error);
    }
    if (status != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    get_peer_contacts(task);
}

static void
delete_peer_contacts(struct task *task)
{
    struct sf_app_error error;

    if (sf_daemon_plan_delete(task->daemon, task->name, &error) != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, sf_control_object());
}

/* The signed receipt of an incoming transfer, sealed to its sender. */
static void
get_receipt(struct task *task)
{
    struct sf_app_error error;
    struct sf_node_error why;
    struct sf_transfer_id id;
    uint8_t *letter = malloc(SF_LETTER_BYTES_MAX);
    size_t bytes = 0;
    json_t *body;
    int status = find_transfer(task->daemon, task->name, &error);

    if (status == SF_OK && letter == NULL) {
        status = sf_app_error_set(&error, SF_ENOMEM, "no memory for the receipt");
    }
    if (status == SF_OK) {
        id = task->daemon->scratch->id;
        status = sf_node_receipt_export(task->daemon->node, &id, letter, &bytes, &why);
        if (status != SF_OK) {
            (void)sf_app_error_set(&error, status, "%s", why.text);
        }
    }
    if (status == SF_OK) {
        body = id_body(&id);
        sf_control_set_hex(body, "receipt", sf_view(letter, bytes));
        answer_with(task, HTTP_OK, body);
    } else {
        sf_control_refuse(task->reply, &error);
    }
    free(letter);
}

static void
post_receipt(struct task *task)
{
    const char *hex = json_string_value(json_object_get(task->call->body, "receipt"));
    struct sf_app_error error;
    struct sf_node_error why;
    struct sf_transfer_id id;
    size_t bytes = 0;
    char *letter = hex == NULL ? NULL : sf_control_hex_bytes(hex, &bytes);
    int status;

    if (letter == NULL) {
        status = sf_app_error_set(
            &error, SF_EFORMAT, "expected {\"receipt\": \"...\"} with hexadecimal digits");
    } else {
        status = sf_node_receipt_import(task->daemon->node, (uint8_t *)letter, bytes, &id, &why);
        if (status != SF_OK) {
            (void)sf_app_error_set(&error, status, "%s", why.text);
        }
    }
    free(letter);
    if (status != SF_OK) {
        sf_control_refuse(task->reply, &error);
        return;
    }
    answer_with(task, HTTP_OK, id_body(&id));
}

static void
get_inbox(struct task *task)
{
    json_t *body = sf_control_object();
    json_t *list = json_array();

    for (size_t i = 0; sf_node_transfer_at(task->daemon->node, i, task->daemon->scratch); i++) {
        json_t *entry = sf_control_inbox_json(task->daemon, task->daemon->scratch);

        if (entry != NULL) {
            append(list, entry);
        }
    }
    sf_control_set(body, "entries", list);
    answer_with(task, HTTP_OK, body);
}

static void
get_events(struct task *task)
{
    const struct sf_daemon *daemon = task->daemon;
    uint64_t next = daemon->news_next;
    uint64_t from = task->call->has_since ? task->call->since : next;
    bool is_lost = from > next;
    json_t *body;
    json_t *list;

    if (from == next && task->call->has_since && task->call->may_wait) {
        task->reply->is_waiting = true;
        return;
    }
    /* Numbers below the first one of this run were never there. */
    if (from < daemon->news_first) {
        from = daemon->news_first;
        is_lost = true;
    }
    if (next - daemon->news_first > SF_DAEMON_NEWS_MAX && from < next - SF_DAEMON_NEWS_MAX) {
        from = next - SF_DAEMON_NEWS_MAX;
        is_lost = true;
    }
    body = sf_control_object();
    list = json_array();
    for (; from < next; from++) {
        append(list, sf_control_news_json(&daemon->news[from % SF_DAEMON_NEWS_MAX]));
    }
    sf_control_set_count(body, "next", next);
    sf_control_set(body, "lost", json_boolean(is_lost));
    sf_control_set(body, "events", list);
    answer_with(task, HTTP_OK, body);
}

/* '*' stands for one component. The first that fits is taken. */
static const struct {
    const char *method;
    const char *path;
    void (*answer)(struct task *task);
} routes[] = {
    {"GET", "/v1/node", get_node},
    {"GET", "/v1/transfers", get_transfers},
    {"POST", "/v1/transfers", post_transfer},
    {"GET", "/v1/transfers/*", get_transfer},
    {"POST", "/v1/transfers/*/cancel", post_cancel},
    {"GET", "/v1/transfers/*/receipt", get_receipt},
    {"POST", "/v1/receipts", post_receipt},
    {"GET", "/v1/peers", get_peers},
    {"POST", "/v1/peers/reload", post_peers_reload},
    {"PUT", "/v1/peers/*", put_peer},
    {"DELETE", "/v1/peers/*", delete_peer},
    {"POST", "/v1/peers/*/reset", post_peer_reset},
    {"POST", "/v1/peers/*/revoke", post_peer_revoke},
    {"DELETE", "/v1/revoked/*", delete_revoked},
    {"POST", "/v1/keys/rotate", post_keys_rotate},
    {"GET", "/v1/contacts", get_contacts},
    {"GET", "/v1/peers/*/contacts", get_peer_contacts},
    {"PUT", "/v1/peers/*/contacts", put_peer_contacts},
    {"DELETE", "/v1/peers/*/contacts", delete_peer_contacts},
    {"GET", "/v1/inbox", get_inbox},
    {"GET", "/v1/events", get_events},
};

/* Whether `path` fits `pattern`; then ret_name is what the '*' stands for. */
static bool
fits(const char *pattern, const char *path, char ret_name[NAME_BYTES])
{
    ret_name[0] = '\0';
    while (*pattern != '\0') {
        if (*pattern == '*') {
            size_t bytes = strcspn(path, "/");

            if (bytes == 0 || bytes >= NAME_BYTES) {
                return false;
            }
            memcpy(ret_name, path, bytes);
            ret_name[bytes] = '\0';
            path += bytes;
            pattern++;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

void
sf_control_answer(struct sf_daemon *daemon, const struct sf_control_call *call,
    struct sf_control_reply *ret_reply)
{
    char name[NAME_BYTES];
    struct task task = {daemon, call, name, ret_reply};
    struct sf_app_error error;
    bool is_known = false;

    *ret_reply = (struct sf_control_reply){.http = 0};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!fits(routes[i].path, call->path, name)) {
            continue;
        }
        is_known = true;
        if (strcmp(routes[i].method, call->method) == 0) {
            routes[i].answer(&task);
            return;
        }
    }
    if (is_known) {
        (void)sf_app_error_set(
            &error, SF_EINVAL, "%.80s does not know the method %.16s", call->path, call->method);
        sf_control_refuse_http(ret_reply, HTTP_METHOD, "method", error.text);
    } else {
        (void)sf_app_error_set(&error, SF_ENOENT,
            "there is nothing at %.80s: see docs/CONTROL.md for what there is", call->path);
        sf_control_refuse_http(ret_reply, HTTP_NOT_FOUND, "not-found", error.text);
    }
}
