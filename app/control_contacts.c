/*
 * control_contacts.c - contact plans as the HTTP interface shows them, and when
 * transfers will have arrived by them.
 */
#include "app/control_internal.h"

#include "node/contacts.h"

enum {
    SHOWN_FEW = 8, /* of each peer, when all are listed: so many past and so many to come */
    SHOWN_MANY = SF_NODE_CONTACTS_PAST_MAX,
};

static void
append(json_t *list, json_t *value)
{
    int failed = json_array_append_new(list, value);

    (void)failed;
}

/* "always", "on call", ...: how the peer can be reached. */
static const char *
state_word(enum sf_node_contacts_state state)
{
    switch (state) {
    case SF_NODE_CONTACTS_OPEN:
        return "open";
    case SF_NODE_CONTACTS_AWAIT:
        return "waiting";
    case SF_NODE_CONTACTS_ENDED:
        return "ended";
    case SF_NODE_CONTACTS_NONE:
        break;
    }
    return "none";
}

static json_t *
contact_json(const char *state, const struct sf_node_contact *contact)
{
    json_t *object = json_object();
    char where[SF_UDP_ADDR_TEXT_BYTES];

    sf_control_set_text(object, "state", state);
    sf_control_set_count(object, "start_ms", (uint64_t)contact->start.ms);
    sf_control_set_count(object, "end_ms", (uint64_t)contact->end.ms);
    sf_control_set_count(object, "rate_bps", contact->rate_bps);
    sf_control_set_count(object, "light_us", contact->light_ns / SF_US);
    if (contact->has_endpoint) {
        sf_udp_addr_print(&contact->endpoint, where);
        sf_control_set_text(object, "address", where);
    } else {
        sf_control_set(object, "address", json_null());
    }
    sf_control_set(object, "return", json_boolean(!contact->no_return));
    return object;
}

static json_t *
past_json(
    bool is_open, const struct sf_node_contact *contact, const struct sf_node_carried *carried)
{
    json_t *object = contact_json(is_open ? "open" : "past", contact);

    sf_control_set_count(object, "bytes_out", carried->bytes_out);
    sf_control_set_count(object, "bytes_in", carried->bytes_in);
    sf_control_set_count(object, "bundles_out", carried->bundles_out);
    sf_control_set_count(object, "bundles_in", carried->bundles_in);
    if (carried->heard.ms == 0) {
        sf_control_set(object, "heard_ms", json_null());
    } else {
        sf_control_set_count(object, "heard_ms", (uint64_t)carried->heard.ms);
    }
    return object;
}

/* In order of time, at most `shown` that have begun and as many to come. */
static json_t *
list_json(const struct sf_node *node, const char *name, size_t shown)
{
    bool is_open = sf_node_contacts_state(node, name) == SF_NODE_CONTACTS_OPEN;
    struct sf_node_contact contact;
    struct sf_node_carried carried;
    json_t *list = json_array();
    size_t past = 0;

    while (past < shown && sf_node_contact_past(node, name, past, &contact, &carried)) {
        past++;
    }
    for (size_t i = past; i-- > 0;) {
        if (sf_node_contact_past(node, name, i, &contact, &carried)) {
            append(list, past_json(is_open && i == 0, &contact, &carried));
        }
    }
    for (size_t i = 0; i < shown && sf_node_contact_next(node, name, i, &contact); i++) {
        append(list, contact_json("next", &contact));
    }
    return list;
}

static json_t *
peer_json(const struct sf_daemon *daemon, const struct sf_daemon_peer *peer, size_t shown)
{
    const struct sf_node *node = daemon->node;
    const char *name = peer->conf.name;
    json_t *object = json_object();

    sf_control_set_text(object, "name", name);
    sf_control_set_text(object, "state", state_word(sf_node_contacts_state(node, name)));
    sf_control_set_count(object, "to_come", sf_node_contacts_to_come(node, name));
    sf_control_set(object, "contacts", list_json(node, name, shown));
    return object;
}

json_t *
sf_control_contacts_json(struct sf_daemon *daemon, const struct sf_daemon_peer *only)
{
    json_t *body = sf_control_object();
    json_t *list = json_array();

    sf_control_set_count(body, "now_ms", (uint64_t)daemon->wall.ms);
    for (size_t i = 0; i < daemon->peer_count; i++) {
        const struct sf_daemon_peer *peer = &daemon->peers[i];

        if (only == NULL || only == peer) {
            append(list, peer_json(daemon, peer, only == NULL ? SHOWN_FEW : SHOWN_MANY));
        }
    }
    sf_control_set(body, "peers", list);
    return body;
}

bool
sf_control_set_plan(struct sf_daemon *daemon, json_t *object,
    const struct sf_node_transfer *transfer, const char *peer, uint64_t *ret_eta_s)
{
    struct sf_wall arrival = {0};
    int status = sf_node_contacts_eta(daemon->node, peer, &transfer->id, daemon->wall, &arrival);
    json_t *plan;

    if (status != SF_OK && status != SF_ELIMIT) {
        sf_control_set(object, "plan", json_null());
        return false;
    }
    plan = json_object();
    sf_control_set(plan, "within", json_boolean(status == SF_OK));
    sf_control_set_count(plan, status == SF_OK ? "arrival_ms" : "ends_ms", (uint64_t)arrival.ms);
    sf_control_set(object, "plan", plan);
    *ret_eta_s = UINT64_MAX;
    if (status == SF_OK) {
        int64_t left = arrival.ms - daemon->wall.ms;

        *ret_eta_s = left > 0 ? ((uint64_t)left + 999) / 1000 : 0;
    }
    return true;
}
