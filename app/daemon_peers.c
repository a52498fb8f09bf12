#include "app/daemon.h"

#include "app/log.h"
#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SF_PEERS_RATE_BPS_MIN == SF_LINK_RATE_BPS_MIN, "the link's limits are the peers'");
_Static_assert(SF_PEERS_RATE_BPS_MAX == SF_LINK_RATE_BPS_MAX, "the link's limits are the peers'");
_Static_assert((int)SF_PEERS_MAX == (int)SF_NODE_PEERS_MAX, "every peer of peers/ fits the node");

/* Names are looked up again while a peer does not answer: after a minute, then ever more rarely. */
#define LOOKUP_SPAN_MIN (60 * SF_SEC)
#define LOOKUP_SPAN_MAX (900 * SF_SEC)

#define INTERFACES_SPAN (5 * SF_SEC) /* those that peers are bound to are looked at */

struct sf_daemon_peer *
sf_daemon_peer_find(struct sf_daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->peer_count; i++) {
        if (strcmp(daemon->peers[i].conf.name, name) == 0) {
            return &daemon->peers[i];
        }
    }
    return NULL;
}

static bool
has_addr(const struct sf_addr *addrs, size_t count, const struct sf_addr *addr)
{
    bool is_there = false;

    for (size_t i = 0; i < count; i++) {
        is_there |= sf_addr_equal(&addrs[i], addr);
    }
    return is_there;
}

size_t
sf_daemon_peer_addrs(
    const struct sf_daemon_peer *peer, struct sf_addr ret_addrs[SF_LINK_ENDPOINTS_MAX])
{
    size_t count = 0;

    for (size_t k = 0; k < SF_RESOLVE_ADDRS_MAX; k++) {
        for (size_t i = 0; i < peer->conf.endpoints.count; i++) {
            const struct sf_daemon_place *place = &peer->places[i];

            if (k < place->count && count < SF_LINK_ENDPOINTS_MAX &&
                !has_addr(ret_addrs, count, &place->addrs[k])) {
                ret_addrs[count++] = place->addrs[k];
            }
        }
    }
    return count;
}

/* How its datagrams look and leave. Where the rate is found marks are heeded, so they may come. */
static uint32_t
mark_of(const struct sf_daemon_peer *peer)
{
    const struct sf_peers_peer *conf = &peer->conf;
    struct sf_mark mark = {.dscp = conf->has_dscp ? conf->dscp : 0,
        .is_ect = conf->pace != SF_LINK_PACE_FIXED,
        .is_bound = conf->interface[0] != '\0',
        .index = peer->interface_index};

    if (!conf->has_dscp && conf->pace == SF_LINK_PACE_SCAVENGER) {
        mark.dscp = SF_MARK_DSCP_LE;
    }
    return sf_mark_encode(&mark);
}

/*
 * Tell the node what is known of `peer`. A one-way link whose name was not yet
 * looked up has nowhere to send to and is told of when it has.
 */
static int
give_to_node(
    struct sf_daemon *daemon, const struct sf_daemon_peer *peer, struct sf_app_error *error)
{
    struct sf_addr addrs[SF_LINK_ENDPOINTS_MAX] = {{.port = 0}};
    size_t count = sf_daemon_peer_addrs(peer, addrs);
    struct sf_node_error why;
    struct sf_node_peer given = {
        .card = peer->conf.card,
        .may_send = peer->conf.may_send,
        .may_receive = peer->conf.may_receive,
        .has_endpoint = count > 0,
        .pace = peer->conf.pace,
        .rate_bps = sf_peers_rate_given(&peer->conf),
        .max_bps = peer->conf.rate_max_bps,
        .rtt_ns = peer->conf.rtt_ns,
        .limits = sf_daemon_limits_of(daemon, &peer->conf),
        .mark = mark_of(peer),
        .quota_bytes = peer->conf.quota_bytes,
        .has_psk = peer->conf.has_psk,
        .no_return = peer->conf.no_return,
        .privacy = peer->conf.has_privacy ? peer->conf.privacy : daemon->config.privacy,
        .cover_day_bytes = peer->conf.has_privacy_budget ? peer->conf.privacy_budget_bytes
                                                         : daemon->config.privacy_budget_bytes,
    };
    int status;

    if (peer->conf.no_return && count == 0) {
        return SF_OK;
    }
    memcpy(given.name, peer->conf.name, sizeof(peer->conf.name));
    for (size_t i = 0; i < count; i++) {
        if (i == 0) {
            given.endpoint = addrs[0];
        } else {
            given.others[given.other_count++] = addrs[i];
        }
    }
    memcpy(given.psk, peer->conf.psk, sizeof(given.psk));
    status = sf_node_peer_set(daemon->node, &given, &why);
    sf_wipe(&given, sizeof(given));
    if (status != SF_OK) {
        return sf_app_error_set(error, status, "%s", why.text);
    }
    return sf_daemon_plan_give(daemon, peer, error); /* the node's peer may be a new one */
}

/* Where `endpoint` is, as far as that needs no look-up; as it was, if it was one before. */
static struct sf_daemon_place
place_of(struct sf_daemon *daemon, const struct sf_daemon_peer *before,
    const struct sf_endpoint *endpoint)
{
    struct sf_daemon_place place = {.tag = ++daemon->tag_last};

    for (size_t i = 0; i < before->conf.endpoints.count; i++) {
        if (sf_endpoint_equal(&before->conf.endpoints.list[i], endpoint)) {
            return before->places[i];
        }
    }
    place.is_name = !sf_endpoint_numeric(endpoint, &place.addrs[0]);
    place.count = place.is_name ? 0 : 1;
    return place;
}

/* `peer` with `conf`: endpoints that did not change keep their addresses. */
static void
set_conf(struct sf_daemon *daemon, struct sf_daemon_peer *peer, const struct sf_peers_peer *conf)
{
    struct sf_daemon_place places[SF_ENDPOINTS_MAX] = {{.tag = 0}};
    bool has_name = false;
    bool has_new = false;

    for (size_t i = 0; i < conf->endpoints.count; i++) {
        places[i] = place_of(daemon, peer, &conf->endpoints.list[i]);
        has_name |= places[i].is_name;
        has_new |= places[i].is_name && places[i].count == 0;
    }
    peer->conf = *conf;
    memcpy(peer->places, places, sizeof(places));
    peer->interface_index = sf_udp_interface(daemon->udp, conf->interface);
    if (has_new || !has_name) {
        peer->lookup_at = has_new ? daemon->now : SF_NEVER;
        peer->lookup_span = LOOKUP_SPAN_MIN;
    }
}

static int
remove_from_node(struct sf_daemon *daemon, const char *name, struct sf_app_error *error)
{
    struct sf_node_error why;
    int status = sf_node_peer_remove(daemon->node, name, &why);

    return status == SF_OK || status == SF_ENOENT ? SF_OK
                                                  : sf_app_error_set(error, status, "%s", why.text);
}

/* Whether `conf` can follow on `known` (NULL if it is a new peer). */
static int
check_change(const struct sf_daemon *daemon, const struct sf_daemon_peer *known,
    const struct sf_peers_peer *conf, struct sf_app_error *error)
{
    const struct sf_revoked_node *revoked = sf_daemon_revoked_find(daemon, &conf->card.fingerprint);

    if (revoked != NULL) {
        return sf_revoked_refuse(revoked, conf->name, error);
    }
    if (known == NULL && daemon->peer_count == SF_PEERS_MAX) {
        return sf_app_error_set(error, SF_ELIMIT,
            "a node has at most %d peers: remove one before adding %s", SF_PEERS_MAX, conf->name);
    }
    if (known != NULL &&
        !sf_fingerprint_equal(&known->conf.card.fingerprint, &conf->card.fingerprint)) {
        return sf_app_error_set(error, SF_EEXIST,
            "peer %s is another node: remove it first, or choose another name", conf->name);
    }
    if (conf->no_return && conf->endpoints.count == 0) {
        return sf_app_error_set(error, SF_EINVAL, "peer %s: " SF_PEERS_ONE_WAY, conf->name);
    }
    return SF_OK;
}

/* Add or change a peer in the node and in the daemon's list. */
static int
apply(struct sf_daemon *daemon, const struct sf_peers_peer *conf, struct sf_app_error *error)
{
    struct sf_daemon_peer *known = sf_daemon_peer_find(daemon, conf->name);
    struct sf_daemon_peer peer;
    int status = check_change(daemon, known, conf, error);

    if (status == SF_OK && known != NULL && known->conf.no_return != conf->no_return) {
        /* To the link the two are different kinds of peer. */
        status = remove_from_node(daemon, conf->name, error);
    }
    if (status != SF_OK) {
        return status;
    }
    memset(&peer, 0, sizeof(peer));
    if (known != NULL) {
        peer = *known;
    }
    set_conf(daemon, &peer, conf);
    status = give_to_node(daemon, &peer, error);
    if (status == SF_OK) {
        if (known == NULL) {
            known = &daemon->peers[daemon->peer_count++];
        }
        *known = peer;
    }
    sf_wipe(&peer, sizeof(peer));
    return status;
}

/* Take a peer out of the node and the list. */
static int
retire(struct sf_daemon *daemon, struct sf_daemon_peer *peer, struct sf_app_error *error)
{
    int status = remove_from_node(daemon, peer->conf.name, error);

    if (status != SF_OK) {
        return status;
    }
    sf_daemon_plan_free(peer->plan);
    *peer = daemon->peers[--daemon->peer_count];
    sf_wipe(&daemon->peers[daemon->peer_count], sizeof(*daemon->peers));
    return SF_OK;
}

/* Peers that are in the list and no longer in peers/. */
static void
retire_missing(struct sf_daemon *daemon, const struct sf_peers_peer *peers, size_t count)
{
    for (size_t i = 0; i < daemon->peer_count;) {
        struct sf_app_error why;
        bool is_there = false;

        for (size_t k = 0; k < count && !is_there; k++) {
            is_there = strcmp(daemon->peers[i].conf.name, peers[k].name) == 0;
        }
        if (is_there) {
            i++;
        } else if (retire(daemon, &daemon->peers[i], &why) != SF_OK) {
            sf_log(SF_LOG_WARNING, "peer %s is gone from peers/ and is kept until a restart: %s",
                daemon->peers[i].conf.name, why.text);
            i++;
        }
    }
}

int
sf_daemon_peers_load(struct sf_daemon *daemon, struct sf_app_error *error)
{
    struct sf_peers_peer *peers;
    size_t count;
    size_t all;
    int status = sf_peers_read_all(&daemon->home, &peers, &all, error);

    if (status != SF_OK) {
        return status;
    }
    count = all;
    status = sf_daemon_revoked_load(daemon, error);
    if (status != SF_OK) {
        sf_peers_free(peers, all);
        return status;
    }
    sf_daemon_revoked_leave_out(daemon, peers, &count);
    retire_missing(daemon, peers, count);
    for (size_t i = 0; i < count; i++) {
        struct sf_app_error why;
        int one = apply(daemon, &peers[i], &why);

        if (one == SF_OK) {
            one = sf_daemon_plan_load(daemon, sf_daemon_peer_find(daemon, peers[i].name), &why);
        }
        if (one != SF_OK && status == SF_OK) {
            status = sf_app_error_set(error, one, "peer %s: %s", peers[i].name, why.text);
        }
    }
    sf_peers_free(peers, all);
    return status;
}

int
sf_daemon_peer_put(struct sf_daemon *daemon, const struct sf_peers_peer *conf, bool *ret_is_new,
    struct sf_app_error *error)
{
    struct sf_daemon_peer *known = sf_daemon_peer_find(daemon, conf->name);
    struct sf_peers_peer before;
    struct sf_app_error ignored;
    int status;

    if (known != NULL) {
        before = known->conf;
    }
    status = apply(daemon, conf, error);
    if (status != SF_OK) {
        goto out;
    }
    if (known == NULL) {
        /* Of a peer of that name that was removed just before a crash: it must not bind this one. */
        status = sf_plan_remove(&daemon->home, conf->name, error);
        status = status == SF_ENOENT ? SF_OK : status;
    }
    if (status == SF_OK) {
        status = sf_peers_write(&daemon->home, conf, error);
    }
    if (status == SF_OK) {
        *ret_is_new = known == NULL;
    } else if (known != NULL) {
        /* What the disk says after a restart is what holds now. */
        int undone = apply(daemon, &before, &ignored);

        (void)undone;
    } else {
        int undone = retire(daemon, sf_daemon_peer_find(daemon, conf->name), &ignored);

        (void)undone;
    }

out:
    if (known != NULL) {
        sf_wipe(&before, sizeof(before));
    }
    return status;
}

int
sf_daemon_peer_delete(struct sf_daemon *daemon, const char *name, struct sf_app_error *error)
{
    struct sf_daemon_peer *peer = sf_daemon_peer_find(daemon, name);
    int status;

    if (peer == NULL) {
        return sf_app_error_set(
            error, SF_ENOENT, "there is no peer %.63s: `skyferry peer list` lists them", name);
    }
    status = retire(daemon, peer, error);
    if (status != SF_OK) {
        return status;
    }
    status = sf_peers_remove(&daemon->home, name, error);
    return status == SF_ENOENT ? SF_OK : status;
}

/* --- Names -------------------------------------------------------------------- */

static bool
is_up(const struct sf_daemon *daemon, const char *name)
{
    struct sf_node_peer_info info;

    for (size_t i = 0; sf_node_peer_at(daemon->node, i, &info); i++) {
        if (strcmp(info.peer.name, name) == 0) {
            return info.link.state == SF_LINK_STATE_UP;
        }
    }
    return false;
}

/* The seeds of pre-shared keys that the node has taken, durably, go from peers/. */
static void
drop_seeds(struct sf_daemon *daemon)
{
    static const uint8_t none[SF_PEERS_PSK_BYTES];
    struct sf_node_peer_info info;

    for (size_t i = 0; sf_node_peer_at(daemon->node, i, &info); i++) {
        struct sf_daemon_peer *peer =
            info.is_psk_kept ? sf_daemon_peer_find(daemon, info.peer.name) : NULL;
        struct sf_app_error why;

        if (peer == NULL || !peer->conf.has_psk ||
            sf_ct_equal(peer->conf.psk, none, sizeof(none))) {
            continue;
        }
        sf_wipe(peer->conf.psk, sizeof(peer->conf.psk));
        if (sf_peers_write(&daemon->home, &peer->conf, &why) == SF_OK) {
            sf_log(SF_LOG_INFO,
                "peer %s: its pre-shared key is taken and its file erased; erase other copies too",
                peer->conf.name);
        } else {
            sf_log(SF_LOG_WARNING, "peer %s: the file of its pre-shared key is not erased: %s",
                peer->conf.name, why.text);
        }
    }
}

/* Interfaces come and go; what is not there cannot be sent through. */
static void
watch_interface(struct sf_daemon *daemon, struct sf_daemon_peer *peer)
{
    uint32_t index = sf_udp_interface(daemon->udp, peer->conf.interface);
    struct sf_app_error why;

    if (index == peer->interface_index) {
        return;
    }
    peer->interface_index = index;
    sf_log(index == 0 ? SF_LOG_WARNING : SF_LOG_NOTICE, "peer %s: interface %s %s", peer->conf.name,
        peer->conf.interface, index == 0 ? "is not there: nothing is sent to it" : "is there");
    if (give_to_node(daemon, peer, &why) != SF_OK) {
        sf_log(SF_LOG_WARNING, "peer %s: %s", peer->conf.name, why.text);
    }
}

/* Ask for its names: again if they were found and do not answer, or if they were not found. */
static void
look_up(struct sf_daemon *daemon, struct sf_daemon_peer *peer)
{
    bool is_known = true;
    bool is_asked = true;

    for (size_t i = 0; i < peer->conf.endpoints.count; i++) {
        is_known &= peer->places[i].count > 0;
    }
    if (is_known && is_up(daemon, peer->conf.name)) {
        peer->lookup_span = LOOKUP_SPAN_MIN;
    } else {
        for (size_t i = 0; i < peer->conf.endpoints.count; i++) {
            is_asked &=
                !peer->places[i].is_name || sf_resolver_ask(daemon->resolver, peer->places[i].tag,
                                                &peer->conf.endpoints.list[i]) == SF_OK;
        }
        if (is_asked) {
            peer->lookup_span *= 2;
            peer->lookup_span =
                peer->lookup_span < LOOKUP_SPAN_MAX ? peer->lookup_span : LOOKUP_SPAN_MAX;
        }
    }
    peer->lookup_at = daemon->now + peer->lookup_span;
}

sf_mono
sf_daemon_peers_tick(struct sf_daemon *daemon)
{
    sf_mono next = SF_NEVER;
    bool is_time = daemon->now >= daemon->interfaces_at;

    if (is_time) {
        daemon->interfaces_at = daemon->now + INTERFACES_SPAN;
    }

    drop_seeds(daemon);

    for (size_t i = 0; i < daemon->peer_count; i++) {
        struct sf_daemon_peer *peer = &daemon->peers[i];

        if (peer->conf.interface[0] != '\0') {
            if (is_time) {
                watch_interface(daemon, peer);
            }
            next = sf_mono_min(next, daemon->interfaces_at);
        }
        if (peer->lookup_at <= daemon->now) {
            look_up(daemon, peer);
        }
        next = sf_mono_min(next, peer->lookup_at);
    }
    return sf_mono_min(next, sf_daemon_plans_tick(daemon));
}

/* The peer that asked, and for which of its endpoints; NULL if nobody did. */
static struct sf_daemon_peer *
who_asked(struct sf_daemon *daemon, uint64_t tag, size_t *ret_place)
{
    for (size_t i = 0; i < daemon->peer_count; i++) {
        for (size_t k = 0; k < daemon->peers[i].conf.endpoints.count; k++) {
            if (daemon->peers[i].places[k].tag == tag) {
                *ret_place = k;
                return &daemon->peers[i];
            }
        }
    }
    return NULL;
}

static bool
is_same(const struct sf_daemon_place *place, const struct sf_resolver_answer *answer)
{
    bool is_equal = place->count == answer->count;

    for (size_t i = 0; i < place->count && is_equal; i++) {
        is_equal = sf_addr_equal(&place->addrs[i], &answer->addrs[i]);
    }
    return is_equal;
}

static void
take_answer(struct sf_daemon *daemon, const struct sf_resolver_answer *answer)
{
    size_t number = 0;
    struct sf_daemon_peer *peer = who_asked(daemon, answer->tag, &number);
    struct sf_daemon_place *place;
    struct sf_app_error why;
    char text[SF_UDP_ADDR_TEXT_BYTES];

    if (peer == NULL) {
        (void)sf_daemon_plan_answer(daemon, answer);
        return;
    }
    place = &peer->places[number];
    if (answer->count == 0) {
        sf_log(SF_LOG_WARNING, "peer %s: cannot look up %s: %s", peer->conf.name,
            peer->conf.endpoints.list[number].host, answer->why);
        return;
    }
    if (is_same(place, answer)) {
        return;
    }
    memcpy(place->addrs, answer->addrs, sizeof(place->addrs));
    place->count = answer->count;
    for (size_t i = 0; i < place->count; i++) {
        sf_udp_addr_print(&place->addrs[i], text);
        sf_log(SF_LOG_INFO, "peer %s: %s is %s%s", peer->conf.name,
            peer->conf.endpoints.list[number].host, i > 0 ? "also " : "", text);
    }
    if (give_to_node(daemon, peer, &why) != SF_OK) {
        sf_log(SF_LOG_WARNING, "peer %s: %s", peer->conf.name, why.text);
    }
}

void
sf_daemon_peers_answers(struct sf_daemon *daemon)
{
    struct sf_resolver_answer answer;

    while (sf_resolver_next(daemon->resolver, &answer)) {
        take_answer(daemon, &answer);
    }
}
