/*
 * peer_contact.c - when a contact plan lets a peer be sent to.
 *
 * A planned peer is silent between its contacts: nothing leaves, whatever
 * comes in, and no timer runs. A contact begins with an opener and bulk right
 * behind it, at the contact's rate, to the contact's address; before its end
 * it falls silent in time for the last bit to have left. What comes in is
 * taken at any time: the plan speaks of sending alone.
 */
#include "link/core.h"

/* --- What the plan says --------------------------------------------------------- */

uint64_t
sf_peer_rate_bps(const struct sf_peer *peer)
{
    const struct sf_link_reach *reach = &peer->reach;
    uint64_t most = peer->config.max_bps;
    uint64_t bps = reach->kind == SF_LINK_REACH_CONTACT ? reach->rate_bps : peer->config.rate_bps;

    return most != 0 && most < bps ? most : bps;
}

uint64_t
sf_peer_planned_rtt_ns(const struct sf_peer *peer)
{
    const struct sf_link_reach *reach = &peer->reach;

    return reach->kind == SF_LINK_REACH_CONTACT && reach->rtt_ns != 0 ? reach->rtt_ns
                                                                      : peer->config.rtt_ns;
}

bool
sf_peer_has_endpoint(const struct sf_peer *peer)
{
    return peer->config.has_endpoint ||
           (peer->reach.kind == SF_LINK_REACH_CONTACT && peer->reach.has_endpoint);
}

bool
sf_peer_has_no_return(const struct sf_peer *peer)
{
    return peer->config.no_return ||
           (peer->reach.kind == SF_LINK_REACH_CONTACT && peer->reach.no_return);
}

sf_mono
sf_peer_contact_end(const struct sf_peer *peer)
{
    return peer->reach.kind == SF_LINK_REACH_CONTACT ? peer->reach.end : SF_NEVER;
}

/* Line time of the largest datagram, and of what a burst puts before it. */
static uint64_t
last_call_ns(const struct sf_link *link, const struct sf_peer *peer)
{
    return peer->pacer.burst_ns + (uint64_t)link->mtu * 8 * SF_SEC / sf_peer_rate_bps(peer) + 1;
}

bool
sf_peer_is_silent(const struct sf_link *link, const struct sf_peer *peer, sf_mono now)
{
    const struct sf_link_reach *reach = &peer->reach;

    return reach->kind == SF_LINK_REACH_SILENT ||
           (reach->kind == SF_LINK_REACH_CONTACT && reach->end != SF_NEVER &&
               sf_mono_add(now, last_call_ns(link, peer)) > reach->end);
}

bool
sf_peer_may_wake(struct sf_peer *peer, sf_mono now)
{
    bool is_tail = now <= peer->reach.end;

    switch (peer->reach.kind) {
    case SF_LINK_REACH_SILENT:
        if (!is_tail && !peer->is_outside_told) {
            peer->is_outside_told = true;
            peer->notices |= SF_NOTICE_OUTSIDE;
        }
        return false;
    case SF_LINK_REACH_CALLED:
        return !is_tail;
    default:
        return true;
    }
}

uint64_t
sf_peer_beacon_first_ns(const struct sf_peer *peer)
{
    return peer->reach.kind == SF_LINK_REACH_CALLED ? SF_LINK_RARE_NS_MIN : 0;
}

uint64_t
sf_peer_beacon_most_ns(const struct sf_peer *peer)
{
    bool has_work = peer->open_object_count > 0 || sf_peer_is_covered(peer);

    switch (peer->reach.kind) {
    case SF_LINK_REACH_CALLED:
        return SF_LINK_RARE_NS_MAX;
    case SF_LINK_REACH_CONTACT:
        /* A contact is short, and its every second is wanted. */
        return has_work ? SF_LINK_BEACON_NS_CONTACT : SF_LINK_KEEPALIVE_NS;
    default:
        return has_work ? SF_LINK_BEACON_NS_MAX : SF_LINK_KEEPALIVE_NS;
    }
}

/* --- Changes ----------------------------------------------------------------------- */

/* Where the operator, or the contact, says that the peer is. */
static void
authorise(struct sf_peer *peer)
{
    const struct sf_link_peer *config = &peer->config;
    struct sf_addr endpoints[SF_LINK_ENDPOINTS_MAX];
    size_t count = 0;

    if (peer->reach.kind == SF_LINK_REACH_CONTACT && peer->reach.has_endpoint) {
        endpoints[count++] = peer->reach.endpoint;
    } else if (config->has_endpoint) {
        endpoints[count++] = config->endpoint;
        for (unsigned i = 0; i < config->other_count; i++) {
            endpoints[count++] = config->others[i];
        }
    }
    sf_addresses_set_endpoints(&peer->addresses, endpoints, count);
}

void
sf_peer_apply_reach(struct sf_peer *peer)
{
    sf_outbox_set_eager(peer->outbox, peer->reach.kind == SF_LINK_REACH_CONTACT);
    sf_peer_apply_rate(peer, peer->config.pace);
    authorise(peer);
    if (peer->rtt.srtt_ns == 0) {
        uint64_t planned = sf_peer_planned_rtt_ns(peer);

        sf_outbox_set_rtt(peer->outbox, planned, planned / 4);
        sf_inbox_set_rtt(peer->inbox, planned);
    }
}

/* Whether the same peer is reached on the same path as before. */
static bool
is_same_path(const struct sf_link_reach *a, const struct sf_link_reach *b)
{
    return a->has_endpoint == b->has_endpoint &&
           (!a->has_endpoint || sf_addr_equal(&a->endpoint, &b->endpoint));
}

/* Another gateway: nothing measured or proven on the last one holds here. */
static void
change_path(struct sf_peer *peer, const struct sf_link_reach *reach)
{
    if (reach->has_endpoint) {
        sf_addresses_leave(&peer->addresses);
    }
    sf_rtt_init(&peer->rtt);
    sf_peer_rate_resume(peer);
    peer->gap_ns = 0;
    peer->path = *reach;
}

static void
begin(struct sf_link *link, struct sf_peer *peer, const struct sf_link_reach *reach, sf_mono now)
{
    bool was_open = peer->reach.kind == SF_LINK_REACH_CONTACT;
    bool is_other = !is_same_path(&peer->path, reach);

    if (is_other) {
        change_path(peer, reach);
    }
    peer->reach = *reach;
    sf_peer_apply_reach(peer);
    if (was_open && !is_other) {
        return; /* the next piece of one pass, at another rate, or its end was moved */
    }
    if (reach->has_endpoint) {
        sf_addresses_try(&peer->addresses, SF_ADDRESS_ENDPOINT);
    }
    peer->reach_heard = 0;
    peer->sent = now;
    peer->control.echo = false; /* of a stamp from before the silence */
    sf_peer_contact(link, peer, now);
}

void
sf_peer_set_reach(
    struct sf_link *link, struct sf_peer *peer, const struct sf_link_reach *reach, sf_mono now)
{
    enum sf_link_reach_kind before = peer->reach.kind;

    if (reach->kind == SF_LINK_REACH_CONTACT) {
        begin(link, peer, reach, now);
        return;
    }
    peer->reach = *reach;
    peer->is_outside_told = false;
    sf_peer_apply_reach(peer);
    if (reach->kind == before) {
        return;
    }
    if (reach->kind == SF_LINK_REACH_ALWAYS) {
        sf_peer_contact(link, peer, now);
    } else {
        sf_peer_go_silent(peer, now);
    }
}
