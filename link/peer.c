/*
 * peer.c - what there is to do for a peer, and when.
 *
 * No call changes more than it says; nothing here sends. Time decides only in
 * sf_peer_tick(), which does nothing that sf_peer_deadline() did not announce.
 */
#include "link/core.h"

/* --- Spans of time --------------------------------------------------------------------- */

uint64_t
sf_peer_round_trip(const struct sf_peer *peer)
{
    if (peer->rtt.srtt_ns > 0) {
        return peer->rtt.srtt_ns + 2 * peer->rtt.rttvar_ns;
    }
    return sf_peer_planned_rtt_ns(peer);
}

uint64_t
sf_peer_opener_ns(const struct sf_peer *peer)
{
    uint64_t bits = (SF_OPENER_BYTES + SF_LINK_IP6_HEAD_BYTES) * 8;

    return bits * SF_SEC / sf_peer_rate_bps(peer);
}

static uint64_t
span_of_answers(const struct sf_peer *peer, uint64_t least)
{
    uint64_t three = 3 * sf_peer_round_trip(peer);

    return (three > least ? three : least) + 4 * sf_peer_opener_ns(peer);
}

uint64_t
sf_peer_answer_ns(const struct sf_peer *peer)
{
    return span_of_answers(peer, SF_LINK_ANSWER_NS_MIN);
}

uint64_t
sf_peer_budget_ns(const struct sf_peer *peer)
{
    return span_of_answers(peer, SF_LINK_BUDGET_NS_MIN);
}

/* --- What there is to do --------------------------------------------------------------- */

bool
sf_peer_has_work(const struct sf_peer *peer)
{
    return peer->open_object_count > 0 || sf_peer_is_covered(peer) ||
           sf_outbox_deadline(peer->outbox) != SF_NEVER;
}

bool
sf_peer_must_be_reached(const struct sf_peer *peer)
{
    return sf_peer_has_endpoint(peer) && !sf_peer_has_no_return(peer) &&
           (!peer->was_named || peer->keepalive);
}

static bool
may_send_control(const struct sf_peer *peer)
{
    return sf_addresses_may_send(
        &peer->addresses, sf_addresses_control(&peer->addresses), SF_LINK_CONTROL_ROOM);
}

bool
sf_peer_has_control(const struct sf_peer *peer)
{
    const struct sf_control *control = &peer->control;

    if (sf_peer_is_dark(peer)) {
        return control->poll;
    }
    if (control->hello || control->poll || control->answer || control->probed) {
        return true;
    }
    if (!sf_peer_is_trusted(peer)) {
        return false;
    }
    return control->card;
}

bool
sf_peer_may_bulk(const struct sf_peer *peer, sf_mono now)
{
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    const struct sf_opening *opening = &peer->opening;

    if (!sf_peer_is_trusted(peer) || sf_peer_is_dark(peer) || !data->is_open ||
        sf_peer_is_quiet(peer, now)) {
        return false;
    }
    if (opening->is_on && opening->which == SF_OUT_DATA) {
        unsigned least = sf_peer_has_no_return(peer) ? SF_LINK_OPENERS_FIRST : 1;

        if (opening->sent < least) {
            return false;
        }
    }
    if (data->is_heard || sf_peer_has_no_return(peer)) {
        return true;
    }
    return peer->calling == SF_NEVER || now < sf_mono_add(peer->calling, sf_peer_budget_ns(peer));
}

/* --- Time ------------------------------------------------------------------------------ */

/* On a session that the peer does not know a challenge would be noise, and cost what was earned. */
sf_mono
sf_peer_challenge_due(const struct sf_peer *peer)
{
    enum sf_out out = sf_peer_control_out(peer);

    if (sf_peer_is_dark(peer) || out == SF_OUT_COUNT || !peer->out[out].is_heard ||
        !sf_addresses_may_send(&peer->addresses, SF_ADDRESS_LEARNT, SF_LINK_CONTROL_ROOM)) {
        return SF_NEVER;
    }
    return peer->addresses.challenge_due;
}

static sf_mono
keepalive_at(const struct sf_peer *peer)
{
    if (sf_peer_is_dark(peer) || !peer->keepalive || peer->control.poll ||
        !sf_peer_is_trusted(peer)) {
        return SF_NEVER;
    }
    return sf_mono_add(peer->sent, SF_LINK_KEEPALIVE_NS);
}

void
sf_peer_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    sf_peer_dark_tick(link, peer, now);
    if (sf_peer_is_dark(peer)) {
        return;
    }
    sf_peer_session_tick(link, peer, now);
    sf_peer_quiet_tick(link, peer, now);
    if (now >= keepalive_at(peer)) {
        peer->control.poll = true;
    }
}

/* In the dark nothing is due but beacons, and what they have put out. */
static sf_mono
dark_deadline(const struct sf_peer *peer)
{
    sf_mono due = sf_mono_min(sf_peer_dark_deadline(peer), sf_peer_opener_due(peer));

    if (sf_peer_has_control(peer) && sf_peer_control_out(peer) != SF_OUT_COUNT &&
        may_send_control(peer)) {
        due = 0;
    }
    return due;
}

static sf_mono
light_deadline(const struct sf_link *link, const struct sf_peer *peer)
{
    enum sf_out out = sf_peer_control_out(peer);
    sf_mono due = sf_mono_min(sf_peer_dark_deadline(peer), keepalive_at(peer));

    due = sf_mono_min(due, sf_peer_session_deadline(peer));
    due = sf_mono_min(due, sf_peer_quiet_deadline(peer, link->now));
    due = sf_mono_min(due, sf_peer_challenge_due(peer));
    due = sf_mono_min(due, sf_peer_mtu_due(link, peer));
    if (out != SF_OUT_COUNT && may_send_control(peer)) {
        if (sf_peer_has_control(peer)) {
            due = 0;
        }
        if (out == SF_OUT_DATA) {
            due = sf_mono_min(due, sf_inbox_deadline(peer->inbox));
        }
    }
    if (sf_peer_may_bulk(peer, link->now)) {
        due = sf_mono_min(due, sf_outbox_deadline(peer->outbox));
    }
    return sf_peer_cover_is_due(link, peer, link->now) ? 0 : due;
}

sf_mono
sf_peer_deadline(const struct sf_link *link, const struct sf_peer *peer)
{
    sf_mono line = sf_peer_line(link, peer);
    sf_mono due;

    if (sf_peer_is_silent(link, peer, link->now)) {
        return SF_NEVER; /* until the caller says otherwise */
    }
    due = sf_peer_is_dark(peer) ? dark_deadline(peer) : light_deadline(link, peer);
    return due == SF_NEVER || due > line ? due : line;
}
