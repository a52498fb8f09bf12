/*
 * peer_silence.c - when a peer that does not answer is asked, given up for now,
 * and tried again: the quiet, and the dark.
 */
#include "link/core.h"

/* --- The quiet ------------------------------------------------------------------------- */

/* When reports about the running segments must have begun to come in. */
static sf_mono
reports_since(const struct sf_peer *peer)
{
    return sf_mono_add(peer->bulk_since, sf_peer_round_trip(peer));
}

/*
 * While segments go, reports come back all the time. When they stop, what goes
 * out is most likely lost: the peer restarted, or the path is gone. So bulk
 * pauses long before the dark, and small questions take its place. A path on
 * which reports come seldom is given the time it was seen to take.
 */
static sf_mono
quiet_at(const struct sf_peer *peer)
{
    uint64_t span = 2 * peer->gap_ns;
    sf_mono since = reports_since(peer);

    if (peer->asked == SF_NEVER || sf_peer_has_no_return(peer) || sf_peer_is_dark(peer) ||
        peer->bulk_sent == 0 || peer->rtt.srtt_ns == 0 || !peer->out[SF_OUT_DATA].is_heard) {
        return SF_NEVER;
    }
    since = since > peer->asked ? since : peer->asked;
    span = span > SF_LINK_QUIET_NS_MIN ? span : SF_LINK_QUIET_NS_MIN;
    return sf_mono_add(since, span + 4 * sf_peer_opener_ns(peer));
}

bool
sf_peer_is_quiet(const struct sf_peer *peer, sf_mono now)
{
    return now >= quiet_at(peer);
}

/* In the quiet: between two questions. More than a few in a round trip tell nothing new. */
static uint64_t
quiet_gap(const struct sf_peer *peer)
{
    uint64_t eighth = sf_peer_round_trip(peer) / 8;

    return (eighth > SF_LINK_QUIET_POLL_NS ? eighth : SF_LINK_QUIET_POLL_NS) +
           sf_peer_opener_ns(peer);
}

/* In the quiet: when its sessions are taken for lost there. */
static sf_mono
lost_at(const struct sf_peer *peer)
{
    return peer->opening.is_on ? SF_NEVER : sf_mono_add(peer->asked, sf_peer_answer_ns(peer));
}

void
sf_peer_quiet_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (now >= quiet_at(peer) && now >= peer->quiet_poll) {
        sf_peer_mtu_doubt(peer, now);
        peer->control.poll = true;
        peer->control.ask = true;
        peer->quiet_poll = sf_mono_add(now, quiet_gap(peer));
    }
    if (now >= quiet_at(peer) && now >= lost_at(peer)) {
        peer->unanswered = 0;
        sf_peer_call(link, peer, now);
    }
}

sf_mono
sf_peer_quiet_deadline(const struct sf_peer *peer, sf_mono now)
{
    return now < quiet_at(peer) ? SF_NEVER : sf_mono_min(peer->quiet_poll, lost_at(peer));
}

/* --- What is sent and heard ------------------------------------------------------------ */

void
sf_peer_bulk_sent(struct sf_peer *peer, sf_mono now)
{
    if (peer->bulk_sent == 0 || now > sf_mono_add(peer->bulk_sent, SF_LINK_RUN_NS)) {
        peer->bulk_since = now;
    }
    peer->bulk_sent = now > 0 ? now : 1;
}

/* It is heard: remember how long it was silent while reports were to be expected. */
static void
note_gap(struct sf_peer *peer, sf_mono now)
{
    uint64_t most = sf_peer_budget_ns(peer) / 2;
    uint64_t since = now - peer->heard;
    uint64_t gap = 0;

    if (peer->asked != SF_NEVER && peer->bulk_sent != 0 && reports_since(peer) <= peer->asked) {
        gap = now - peer->asked < most ? now - peer->asked : most;
    }
    since = since < SF_LINK_GAP_FADES_NS ? since : SF_LINK_GAP_FADES_NS;
    peer->gap_ns -= peer->gap_ns / SF_MS * (since / SF_US) / (SF_LINK_GAP_FADES_NS / SF_US) * SF_MS;
    peer->gap_ns = gap > peer->gap_ns ? gap : peer->gap_ns;
}

static void
brighten(struct sf_peer *peer, sf_mono now)
{
    sf_outbox_resume(peer->outbox, now);
    sf_inbox_resume(peer->inbox, now);
    if (peer->calling != SF_NEVER) {
        peer->calling = now;
    }
    peer->beacons = 0;
}

void
sf_peer_wake(struct sf_peer *peer, sf_mono now)
{
    if (sf_peer_is_dark(peer) || now >= quiet_at(peer)) {
        sf_peer_rate_resume(peer);
    }
    note_gap(peer, now);
    peer->heard = now > 0 ? now : 1;
    peer->reach_heard = peer->reach_heard == 0 ? peer->heard : peer->reach_heard;
    peer->asked = SF_NEVER;
    if (!sf_peer_may_wake(peer, now)) {
        return;
    }
    if (peer->state == SF_LINK_STATE_UP) {
        return;
    }
    if (sf_peer_is_dark(peer)) {
        brighten(peer, now);
    }
    peer->state = SF_LINK_STATE_UP;
    /* Only the newest state is told; the caller pulls both if it was quick. */
    peer->notices |= SF_NOTICE_UP;
}

/* --- The dark -------------------------------------------------------------------------- */

static sf_mono
dark_at(const struct sf_peer *peer)
{
    if (sf_peer_is_dark(peer) || sf_peer_has_no_return(peer) || peer->asked == SF_NEVER) {
        return SF_NEVER;
    }
    return sf_mono_add(peer->asked, sf_peer_budget_ns(peer));
}

void
sf_peer_go_silent(struct sf_peer *peer, sf_mono now)
{
    uint64_t first = sf_peer_beacon_first_ns(peer);

    peer->state = SF_LINK_STATE_DARK;
    peer->asked = SF_NEVER;
    peer->bulk_sent = 0;
    peer->opening.is_on = false;
    peer->control.hello = false;
    peer->control.poll = false;
    peer->control.answer = false;
    peer->control.probed = false;
    peer->beacon_wait = first > SF_LINK_BEACON_NS_MIN ? first : SF_LINK_BEACON_NS_MIN;
    peer->beacon_due = sf_mono_add(now, first);
    peer->beacons = 0;
    sf_outbox_pause(peer->outbox, now);
    sf_inbox_pause(peer->inbox);
}

static void
go_dark(struct sf_peer *peer, sf_mono now)
{
    if (peer->bulk_sent > peer->heard) {
        sf_peer_mtu_doubt(peer, now);
    }
    if (peer->state == SF_LINK_STATE_UP) {
        peer->notices &= ~(unsigned)SF_NOTICE_UP;
        peer->notices |= SF_NOTICE_DOWN;
    }
    sf_peer_go_silent(peer, now);
}

void
sf_peer_contact(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (sf_peer_is_dark(peer)) {
        brighten(peer, now);
        peer->state = SF_LINK_STATE_NEVER;
    }
    peer->asked = SF_NEVER;
    peer->unanswered = 0;
    if (sf_peer_is_trusted(peer)) {
        sf_peer_call(link, peer, now);
    }
}

/* Shall beacons go out while it does not answer? */
static bool
is_expected(const struct sf_peer *peer)
{
    return sf_peer_is_trusted(peer) &&
           (sf_peer_has_work(peer) || sf_peer_must_be_reached(peer) || peer->stale_due > 0);
}

/* One more beacon: a HELLO on a session that was heard, every other time an opener. */
static void
beacon(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    uint64_t most = sf_peer_beacon_most_ns(peer);

    if (peer->opening.is_on) {
        peer->opening.is_on = false;
        peer->unanswered++;
    }
    /* The peer may be where it last was, or where the operator says. */
    sf_addresses_try(
        &peer->addresses, peer->beacons % 4 < 2 ? SF_ADDRESS_PROVEN : SF_ADDRESS_ENDPOINT);
    if (peer->addresses.use == SF_ADDRESS_ENDPOINT && peer->beacons % 2 == 0) {
        sf_addresses_turn(&peer->addresses);
    }
    if (peer->out[SF_OUT_DATA].is_heard && peer->beacons % 2 == 0) {
        peer->control.poll = true;
    } else {
        sf_peer_call(link, peer, now);
    }
    peer->beacons++;
    peer->beacon_wait += peer->beacon_wait / 6;
    peer->beacon_wait = peer->beacon_wait < most ? peer->beacon_wait : most;
    peer->beacon_due = sf_mono_add(now, peer->beacon_wait + sf_peer_opener_ns(peer));
}

void
sf_peer_dark_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (now >= dark_at(peer)) {
        go_dark(peer, now);
    }
    if (sf_peer_is_dark(peer) && is_expected(peer) && now >= peer->beacon_due) {
        beacon(link, peer, now);
    }
}

sf_mono
sf_peer_dark_deadline(const struct sf_peer *peer)
{
    if (!sf_peer_is_dark(peer)) {
        return dark_at(peer);
    }
    return is_expected(peer) ? peer->beacon_due : SF_NEVER;
}
