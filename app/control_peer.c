#include "app/control_internal.h"

#include "app/units.h"

#include <stdio.h>
#include <string.h>

/* "MEMBER: expected FORM". */
static int
complain(struct sf_app_error *error, const char *member, const char *form)
{
    return sf_app_error_set(error, SF_EINVAL, "%s: expected %s", member, form);
}

static int
take_card(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    if (!json_is_string(value)) {
        return complain(error, "card", "the line that `skyferry card` prints at the peer");
    }
    return sf_peers_card_parse(
        sf_view(json_string_value(value), json_string_length(value)), peer, error);
}

static int
take_endpoint(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_is_null(value) ? "none" : json_string_value(value);

    if (text == NULL || sf_endpoints_parse(text, &peer->endpoints) != SF_OK) {
        return complain(error, "endpoint", SF_ENDPOINTS_FORM ", or null");
    }
    return SF_OK;
}

static int
take_rtt(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_is_null(value) ? "none" : json_string_value(value);

    if (text == NULL || sf_peers_rtt_parse(text, &peer->rtt_ns) != SF_OK) {
        return complain(error, "rtt", SF_PEERS_RTT_FORM ", or null");
    }
    return SF_OK;
}

static int
take_rate(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_string_value(value);
    uint64_t bps;

    if (!json_is_integer(value)) {
        return text != NULL && sf_peers_rate_parse(text, peer) == SF_OK
                   ? SF_OK
                   : complain(error, "rate", SF_PEERS_RATE_FORM);
    }
    bps = (uint64_t)json_integer_value(value);
    if (bps < SF_PEERS_RATE_BPS_MIN || bps > SF_PEERS_RATE_BPS_MAX) {
        return complain(error, "rate", "1kbit to 100Gbit");
    }
    peer->pace = SF_LINK_PACE_FIXED;
    peer->rate_bps = bps;
    return SF_OK;
}

static int
take_rate_max(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_is_null(value) ? "none" : json_string_value(value);
    uint64_t bps = json_is_integer(value) ? (uint64_t)json_integer_value(value) : 0;

    if (json_is_integer(value) && bps >= SF_PEERS_RATE_BPS_MIN && bps <= SF_PEERS_RATE_BPS_MAX) {
        peer->rate_max_bps = bps;
        return SF_OK;
    }
    return text != NULL && sf_peers_rate_max_parse(text, &peer->rate_max_bps) == SF_OK
               ? SF_OK
               : complain(error, "rate_max", SF_UNITS_RATE_FORM ", from 1kbit to 100Gbit, or null");
}

static int
take_dscp(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_string_value(value);

    peer->has_dscp = !json_is_null(value);
    if (peer->has_dscp && (text == NULL || sf_mark_dscp_parse(text, &peer->dscp) != SF_OK)) {
        return complain(error, "dscp", SF_MARK_DSCP_FORM ", or null for the default");
    }
    return SF_OK;
}

static int
take_interface(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_is_null(value) ? "none" : json_string_value(value);

    return text != NULL && sf_mark_interface_parse(text, peer->interface) == SF_OK
               ? SF_OK
               : complain(error, "interface", SF_MARK_INTERFACE_FORM ", or null");
}

static int
take_quota(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_string_value(value);
    uint64_t bytes = 0;

    if (json_is_null(value)) {
        peer->quota_bytes = 0;
        return SF_OK;
    }
    if (json_is_integer(value) && json_integer_value(value) > 0) {
        bytes = (uint64_t)json_integer_value(value);
    } else if (text == NULL || sf_units_size_parse(text, &bytes) != SF_OK || bytes == 0) {
        return complain(error, "quota", SF_UNITS_SIZE_FORM ", or null for the default");
    }
    peer->quota_bytes = bytes;
    return SF_OK;
}

static int
take_privacy(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_is_null(value) ? "default" : json_string_value(value);

    return text != NULL && sf_peers_privacy_parse(text, peer) == SF_OK
               ? SF_OK
               : complain(error, "privacy", SF_CONFIG_PRIVACY_FORM ", or null for the default");
}

static int
take_privacy_budget(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *text = json_is_null(value) ? "default" : json_string_value(value);

    return text != NULL && sf_peers_privacy_budget_parse(text, peer) == SF_OK
               ? SF_OK
               : complain(error, "privacy_budget", SF_UNITS_SIZE_FORM ", or null for the default");
}

static int
take_allow(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    static const char form[] = "a list of \"send\" and \"receive\"";
    bool send = false;
    bool receive = false;

    if (!json_is_array(value)) {
        return complain(error, "allow", form);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *word = json_string_value(json_array_get(value, i));

        if (word != NULL && strcmp(word, "send") == 0) {
            send = true;
        } else if (word != NULL && strcmp(word, "receive") == 0) {
            receive = true;
        } else {
            return complain(error, "allow", form);
        }
    }
    peer->may_send = send;
    peer->may_receive = receive;
    return SF_OK;
}

static int
take_psk(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    if (json_is_null(value)) {
        peer->has_psk = false;
        memset(peer->psk, 0, sizeof(peer->psk));
        return SF_OK;
    }
    if (!json_is_string(value) ||
        sf_peers_psk_parse(
            sf_view(json_string_value(value), json_string_length(value)), peer->psk) != SF_OK) {
        return complain(error, "psk", "64 hexadecimal digits, not all zero, or null");
    }
    peer->has_psk = true;
    return SF_OK;
}

static int
take_return(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    if (!json_is_boolean(value)) {
        return complain(error, "return", "true or false");
    }
    peer->no_return = !json_boolean_value(value);
    return SF_OK;
}

static const struct {
    const char *name;
    int (*take)(const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error);
} members[] = {
    {"card", take_card},
    {"endpoint", take_endpoint},
    {"rtt", take_rtt},
    {"rate", take_rate},
    {"rate_bps", take_rate},
    {"rate_max", take_rate_max},
    {"dscp", take_dscp},
    {"interface", take_interface},
    {"quota", take_quota},
    {"quota_bytes", take_quota},
    {"allow", take_allow},
    {"privacy", take_privacy},
    {"privacy_budget", take_privacy_budget},
    {"psk", take_psk},
    {"return", take_return},
};

static int
take_member(
    const char *name, const json_t *value, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(name, members[i].name) == 0) {
            return members[i].take(value, peer, error);
        }
    }
    return sf_app_error_set(error, SF_EINVAL,
        "unknown member %.40s: expected card, endpoint, rate, rate_max, rtt, allow, quota, psk, "
        "return, dscp, interface, privacy or privacy_budget",
        name);
}

int
sf_control_peer_from_json(
    const json_t *body, struct sf_peers_peer *peer, struct sf_app_error *error)
{
    const char *name;
    json_t *value;

    if (!json_is_object(body)) {
        return sf_app_error_set(
            error, SF_EFORMAT, "expected a JSON object with card, endpoint, rate, allow, ...");
    }
    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        int status = take_member(name, value, peer, error);

        if (status != SF_OK) {
            return status;
        }
    }
    if (peer->card_bytes == 0) {
        return sf_app_error_set(error, SF_EINVAL,
            "a new peer needs its card: the line that `skyferry card` prints there");
    }
    return SF_OK;
}
