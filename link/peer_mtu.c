/*
 * peer_mtu.c - how large the datagrams to a peer may be: the sizes found of the
 * paths it was reached by, and the probes that find them.
 */
#include "link/core.h"

#include "base/assert.h"

_Static_assert((int)SF_PATH_MTU_FLOOR == (int)SF_OPENER_BYTES, "every path must take openers");

/* The largest worth trying to `addr`. */
static size_t
top_of(const struct sf_link *link, const struct sf_addr *addr)
{
    return link->mtu - sf_link_ip_head(addr);
}

static struct sf_peer_path *
find(struct sf_peer *peer, const struct sf_addr *addr)
{
    for (size_t i = 0; i < SF_LINK_PATHS_MAX; i++) {
        if (peer->paths[i].used != 0 && sf_addr_equal(&peer->paths[i].addr, addr)) {
            return &peer->paths[i];
        }
    }
    return NULL;
}

/* What is known of the path to `addr`, in place of what was not used for the longest time. */
static struct sf_path_mtu *
path_to(const struct sf_link *link, struct sf_peer *peer, const struct sf_addr *addr)
{
    struct sf_peer_path *path = find(peer, addr);

    if (path == NULL) {
        path = &peer->paths[0];
        for (size_t i = 1; i < SF_LINK_PATHS_MAX; i++) {
            path = peer->paths[i].used < path->used ? &peer->paths[i] : path;
        }
        path->addr = *addr;
        sf_path_mtu_init(&path->mtu, top_of(link, addr), link->now);
    }
    path->used = ++peer->path_uses;
    return &path->mtu;
}

/* The path that bulk takes; NULL if it takes none, or nobody could say what comes through. */
static const struct sf_path_mtu *
path_in_use(const struct sf_peer *peer)
{
    const struct sf_addresses *addresses = &peer->addresses;

    if (addresses->use == SF_ADDRESS_NONE || sf_peer_has_no_return(peer)) {
        return NULL;
    }
    for (size_t i = 0; i < SF_LINK_PATHS_MAX; i++) {
        if (peer->paths[i].used != 0 &&
            sf_addr_equal(&peer->paths[i].addr, &addresses->paths[addresses->use].addr)) {
            return &peer->paths[i].mtu;
        }
    }
    return NULL;
}

size_t
sf_peer_mtu_bytes(const struct sf_link *link, struct sf_peer *peer, const struct sf_addr *addr)
{
    if (sf_peer_has_no_return(peer)) {
        return link->mtu_blind - sf_link_ip_head(addr);
    }
    return path_to(link, peer, addr)->bytes;
}

/* --- Probes ---------------------------------------------------------------------- */

/* Bulk goes, and answers come: the time to try. */
static bool
may_probe(const struct sf_peer *peer, sf_mono now)
{
    return peer->rtt.srtt_ns != 0 && peer->bulk_sent != 0 && peer->out[SF_OUT_DATA].is_heard &&
           (peer->open_object_count > 0 || sf_peer_is_covered(peer)) && sf_peer_may_bulk(peer, now);
}

sf_mono
sf_peer_mtu_due(const struct sf_link *link, const struct sf_peer *peer)
{
    const struct sf_path_mtu *mtu = path_in_use(peer);

    return mtu == NULL || !may_probe(peer, link->now) ? SF_NEVER : sf_path_mtu_deadline(mtu);
}

size_t
sf_peer_mtu_probe(const struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (now < sf_peer_mtu_due(link, peer)) {
        return 0;
    }
    return sf_path_mtu_tick(
        path_to(link, peer, &peer->addresses.paths[peer->addresses.use].addr), peer->heard, now);
}

void
sf_peer_mtu_probed(
    const struct sf_link *link, struct sf_peer *peer, const struct sf_addr *addr, sf_mono now)
{
    struct sf_path_mtu *mtu = path_to(link, peer, addr);
    uint64_t line_ns = (uint64_t)mtu->probe * 8 * SF_SEC / sf_peer_rate_bps(peer);
    uint64_t wait_ns = sf_rtt_timeout(&peer->rtt, SF_SEC) + peer->rtt.srtt_ns / 2 + line_ns;

    sf_path_mtu_probed(mtu, peer->probe_number,
        sf_mono_add(now, wait_ns > SF_LINK_PROBE_NS_MIN ? wait_ns : SF_LINK_PROBE_NS_MIN), now);
}

void
sf_peer_mtu_answered(struct sf_peer *peer, uint64_t number, sf_mono now)
{
    for (size_t i = 0; i < SF_LINK_PATHS_MAX; i++) {
        if (peer->paths[i].used != 0 && sf_path_mtu_answered(&peer->paths[i].mtu, number, now)) {
            return;
        }
    }
}

/* --- Signs ----------------------------------------------------------------------- */

/*
 * The peer reports, yet of what goes out nothing came for long. A small datagram
 * that asks for a report tells what that is: an outage, or the size.
 */
static bool
is_stuck(const struct sf_peer *peer)
{
    const struct sf_report *report = sf_outbox_newest_report(peer->outbox);
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];

    return report->epoch == data->epoch && report->counter + 1 < data->counter &&
           report->held_us >= SF_LINK_QUIET_NS_MIN / SF_US;
}

void
sf_peer_mtu_report(const struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    struct sf_path_mtu *mtu;

    if (path_in_use(peer) == NULL) {
        return;
    }
    mtu = path_to(link, peer, &peer->addresses.paths[peer->addresses.use].addr);
    switch (sf_outbox_passage(peer->outbox)) {
    case SF_OUTBOX_PASSAGE_OPEN:
        sf_path_mtu_came(mtu);
        peer->notices &= ~(unsigned)SF_NOTICE_NARROW;
        break;
    case SF_OUTBOX_PASSAGE_DOUBTFUL:
        sf_path_mtu_doubt(mtu, now); /* at the floor chance is to blame: they are short enough */
        break;
    case SF_OUTBOX_PASSAGE_SHUT:
        if (sf_path_mtu_black_hole(mtu, now)) {
            peer->notices |= SF_NOTICE_NARROW;
        }
        break;
    case SF_OUTBOX_PASSAGE_UNKNOWN:
        if (is_stuck(peer)) {
            peer->control.poll = true;
            peer->control.ask = true;
        }
        break;
    }
}

void
sf_peer_mtu_doubt(struct sf_peer *peer, sf_mono now)
{
    const struct sf_addresses *addresses = &peer->addresses;
    struct sf_peer_path *path = addresses->use == SF_ADDRESS_NONE
                                    ? NULL
                                    : find(peer, &addresses->paths[addresses->use].addr);

    if (path != NULL) {
        sf_path_mtu_doubt(&path->mtu, now);
    }
}

void
sf_peer_mtu_refused(struct sf_peer *peer, const struct sf_addr *addr, size_t bytes, sf_mono now)
{
    struct sf_peer_path *path = find(peer, addr);

    if (path != NULL) {
        sf_path_mtu_refused(&path->mtu, bytes, now);
    }
}

void
sf_peer_mtu_stats(
    const struct sf_link *link, const struct sf_peer *peer, struct sf_link_peer_stats *stats)
{
    const struct sf_path_mtu *mtu = path_in_use(peer);

    if (stats->has_addr && mtu != NULL) {
        stats->mtu_bytes = (uint16_t)(mtu->bytes + sf_link_ip_head(&stats->addr));
        stats->is_narrow = mtu->is_narrow;
    } else if (sf_peer_has_no_return(peer)) {
        stats->mtu_bytes = (uint16_t)link->mtu_blind;
    }
}
