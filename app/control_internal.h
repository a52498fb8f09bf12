/*
 * control_internal.h - between the parts of the HTTP interface.
 *
 * control.c speaks HTTP and hands a call to sf_control_answer()
 * (control_route.c), which fills a reply with the help of control_json.c (what
 * things look like), control_peer.c (peers from JSON) and outbox.c (files by path).
 */
#ifndef SF_APP_CONTROL_INTERNAL_H
#define SF_APP_CONTROL_INTERNAL_H

#include "app/daemon.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_CONTROL_WAIT_MS_DEFAULT = 30000,
    SF_CONTROL_WAIT_MS_MAX = 60000,
};

struct sf_control_call {
    const char *method;
    const char *path;   /* percent signs decoded */
    const json_t *body; /* NULL if there is none */
    bool open_only;     /* ?open=1 */
    bool has_since;
    uint64_t since;
    bool may_wait; /* the time to wait for events is not over */
};

struct sf_control_reply {
    unsigned http;
    json_t *body;    /* the caller's to decref */
    bool is_waiting; /* no answer yet: there is no event from `since` on */
};

/* Answer `call`. Always fills *ret_reply. */
void sf_control_answer(struct sf_daemon *daemon, const struct sf_control_call *call,
    struct sf_control_reply *ret_reply);

/* The reply for a failure. `error->status` decides the HTTP code. */
void sf_control_refuse(struct sf_control_reply *reply, const struct sf_app_error *error);
/* The same with a code and a status word that no sf_status has. */
void sf_control_refuse_http(
    struct sf_control_reply *reply, unsigned http, const char *word, const char *text);

/* --- control_json.c ------------------------------------------------------------ */

/* An object with "version"; NULL without memory. */
json_t *sf_control_object(void);
/* Set member `key`, taking over `value`. */
void sf_control_set(json_t *object, const char *key, json_t *value);
void sf_control_set_count(json_t *object, const char *key, uint64_t value);
void sf_control_set_text(json_t *object, const char *key, const char *text);
void sf_control_set_hex(json_t *object, const char *key, struct sf_view bytes);
/* A name that may be any bytes: `key`, and `key`_hex if it is not plain UTF-8. */
void sf_control_set_name(json_t *object, const char *key, struct sf_view name);

/* full_need_bytes: what must become free before anything is taken in, or null. */
void sf_control_set_full(struct sf_daemon *daemon, json_t *object);

json_t *sf_control_node_json(struct sf_daemon *daemon);
/* With files and receipts if `details`. */
json_t *sf_control_transfer_json(
    struct sf_daemon *daemon, const struct sf_node_transfer *transfer, bool details);
json_t *sf_control_peer_json(struct sf_daemon *daemon, const struct sf_daemon_peer *peer);
json_t *sf_control_revoked_json(const struct sf_revoked_node *node);
/* NULL if the transfer is no delivered one. */
json_t *sf_control_inbox_json(struct sf_daemon *daemon, const struct sf_node_transfer *transfer);
json_t *sf_control_news_json(const struct sf_daemon_news *news);

/* --- control_contacts.c ---------------------------------------------------------- */

/* The contacts of all peers, or, more of them, of one. */
json_t *sf_control_contacts_json(struct sf_daemon *daemon, const struct sf_daemon_peer *only);

/*
 * Set "plan": when the transfer will have arrived at `peer` by its contact plan.
 * Returns whether it has one; then *ret_eta_s is how long that is, UINT64_MAX
 * if the plan ends before.
 */
bool sf_control_set_plan(struct sf_daemon *daemon, json_t *object,
    const struct sf_node_transfer *transfer, const char *peer, uint64_t *ret_eta_s);

/* --- control_peer.c ------------------------------------------------------------- */

/* The body of a PUT onto `peer`, which has its defaults or what is known of it. */
SF_MUST_USE int sf_control_peer_from_json(
    const json_t *body, struct sf_peers_peer *peer, struct sf_app_error *error);

/* --- outbox.c --------------------------------------------------------------------- */

/* POST /v1/transfers. */
SF_MUST_USE int sf_control_send(struct sf_daemon *daemon, const json_t *body,
    struct sf_transfer_id *ret_transfer, struct sf_app_error *error);

/* --- control_route.c -------------------------------------------------------------- */

/* Parse 32 hex digits. */
bool sf_control_id_parse(const char *text, struct sf_transfer_id *ret_id);
/* The bytes of an even number of hex digits in fresh memory, NUL behind them; or NULL. */
char *sf_control_hex_bytes(const char *text, size_t *ret_bytes);

#endif
