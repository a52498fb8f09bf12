/*
 * peer_rate.c - how fast datagrams leave towards a peer: its pacer, what is
 * found of its path, and the limits it shares with others.
 */
#include "link/core.h"

#include "base/assert.h"

static bool
is_found(const struct sf_peer *peer)
{
    return peer->config.pace != SF_LINK_PACE_FIXED;
}

static struct sf_rate_config
rate_config(const struct sf_peer *peer)
{
    return (struct sf_rate_config){.max_bps = sf_peer_rate_bps(peer),
        .known_bps = peer->config.known_bps,
        .is_scavenger = peer->config.pace == SF_LINK_PACE_SCAVENGER};
}

/* Set the pacer to what holds now. */
static void
set_pacer(struct sf_peer *peer)
{
    uint64_t bps = is_found(peer) ? sf_rate_bps(peer->rate) : sf_peer_rate_bps(peer);
    int status;

    bps = bps < SF_PACER_RATE_BPS_MIN ? SF_PACER_RATE_BPS_MIN : bps;
    status = sf_pacer_set_rate(&peer->pacer, bps);
    sf_assert(status == SF_OK); /* check_peer() knows the same limits */
}

void
sf_peer_apply_rate(struct sf_peer *peer, enum sf_link_pace before)
{
    struct sf_rate_config config = rate_config(peer);

    if (is_found(peer) && before == SF_LINK_PACE_FIXED) {
        sf_rate_init(peer->rate, &config);
    } else if (is_found(peer)) {
        sf_rate_set(peer->rate, &config);
    }
    set_pacer(peer);
}

void
sf_peer_rate_sent(
    struct sf_peer *peer, const struct sf_session_out *session, size_t ip_bytes, sf_mono now)
{
    if (is_found(peer)) {
        sf_rate_sent(
            peer->rate, session->epoch, session->counter - 1, ip_bytes, peer->pacer.idle_ns, now);
        set_pacer(peer);
    }
}

void
sf_peer_rate_report(struct sf_peer *peer, const struct sf_report *report, sf_mono now)
{
    const struct sf_delivery_report delivery = {.epoch = report->epoch,
        .counter = report->counter,
        .received_bytes = report->ip_bytes,
        .arrived_us = report->arrived_us,
        .rtt_ns = peer->rtt.latest_ns};

    if (is_found(peer)) {
        sf_rate_input(peer->rate, &delivery, report->ce_dgrams, now);
        set_pacer(peer);
    }
}

void
sf_peer_rate_resume(struct sf_peer *peer)
{
    if (is_found(peer)) {
        sf_rate_resume(peer->rate);
        set_pacer(peer);
    }
}

/* --- Limits ---------------------------------------------------------------------- */

int
sf_link_limit(struct sf_link *link, unsigned limit, uint64_t rate_bps)
{
    int status = SF_OK;

    if (limit >= SF_LINK_LIMITS_MAX) {
        return SF_EINVAL;
    }
    if (rate_bps == 0) {
        link->limits_on &= ~(1u << limit);
        return SF_OK;
    }
    if ((link->limits_on >> limit & 1) != 0) {
        return sf_pacer_set_rate(&link->limits[limit], rate_bps);
    }
    status = sf_pacer_init(&link->limits[limit], rate_bps, link->burst_ns, link->now);
    if (status == SF_OK) {
        link->limits_on |= 1u << limit;
    }
    return status;
}

sf_mono
sf_peer_line(const struct sf_link *link, const struct sf_peer *peer)
{
    uint32_t limits = peer->config.limits & link->limits_on;
    sf_mono line = sf_pacer_deadline(&peer->pacer);

    for (unsigned i = 0; limits >> i != 0; i++) {
        if ((limits >> i & 1) != 0 && sf_pacer_deadline(&link->limits[i]) > line) {
            line = sf_pacer_deadline(&link->limits[i]);
        }
    }
    return line;
}

void
sf_peer_line_awaited(struct sf_link *link, struct sf_peer *peer)
{
    uint32_t limits = peer->config.limits & link->limits_on;

    sf_pacer_await(&peer->pacer);
    for (unsigned i = 0; limits >> i != 0; i++) {
        if ((limits >> i & 1) != 0) {
            sf_pacer_await(&link->limits[i]);
        }
    }
}

void
sf_peer_line_idle(struct sf_link *link, struct sf_peer *peer)
{
    uint32_t limits = peer->config.limits & link->limits_on;

    sf_pacer_idle(&peer->pacer);
    for (unsigned i = 0; limits >> i != 0; i++) {
        if ((limits >> i & 1) != 0) {
            sf_pacer_idle(&link->limits[i]);
        }
    }
}

void
sf_peer_paced(struct sf_link *link, struct sf_peer *peer, size_t ip_bytes, sf_mono now)
{
    uint32_t limits = peer->config.limits & link->limits_on;

    sf_pacer_sent(&peer->pacer, ip_bytes, now);
    for (unsigned i = 0; limits >> i != 0; i++) {
        if ((limits >> i & 1) != 0) {
            sf_pacer_sent(&link->limits[i], ip_bytes, now);
        }
    }
}

/* --- Figures --------------------------------------------------------------------- */

void
sf_peer_rate_stats(
    const struct sf_link *link, const struct sf_peer *peer, struct sf_link_peer_stats *stats)
{
    uint32_t limits = peer->config.limits & link->limits_on;

    stats->rate_bps = peer->pacer.rate_bps;
    stats->rate_cause =
        peer->reach.kind == SF_LINK_REACH_CONTACT ? SF_LINK_CAUSE_CONTACT : SF_LINK_CAUSE_FIXED;
    if (is_found(peer)) {
        stats->found_bps = sf_rate_found(peer->rate);
        if (stats->rate_bps >= sf_peer_rate_bps(peer)) {
            stats->rate_cause = SF_LINK_CAUSE_CEILING;
        } else {
            stats->rate_cause =
                peer->rate->phase == SF_RATE_START ? SF_LINK_CAUSE_SEEKING : SF_LINK_CAUSE_FOUND;
        }
    }
    for (unsigned i = 0; limits >> i != 0; i++) {
        if ((limits >> i & 1) != 0 && link->limits[i].rate_bps < stats->rate_bps) {
            stats->rate_bps = link->limits[i].rate_bps;
            stats->rate_cause = SF_LINK_CAUSE_LIMIT;
        }
    }
}
