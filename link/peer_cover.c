/*
 * peer_cover.c - filler: datagrams that stand for bulk where there is none.
 *
 * Owed filler hides how much bulk there was: it goes when all that is on offer
 * to the peer was received, and only to who is there. A budget hides whether
 * there is bulk at all: as long as it lasts, filler takes every moment in which
 * bulk might go and none does, and the datagrams of both are of one size.
 *
 * Filler goes when nothing else may go to anybody, so it delays nothing by more
 * than the line time of one datagram.
 */
#include "link/core.h"

int
sf_link_set_cover(struct sf_link *link, unsigned peer, const struct sf_link_cover *cover)
{
    if (peer >= SF_LINK_PEERS_MAX || link->peers[peer] == NULL) {
        return SF_ENOENT;
    }
    link->peers[peer]->cover = *cover;
    return SF_OK;
}

bool
sf_peer_is_covered(const struct sf_peer *peer)
{
    return peer->cover.budget_bytes > 0;
}

bool
sf_peer_cover_is_due(const struct sf_link *link, const struct sf_peer *peer, sf_mono now)
{
    bool is_owed = peer->cover.owed_bytes > 0 && peer->open_object_count == 0 &&
                   (peer->out[SF_OUT_DATA].is_heard || sf_peer_has_no_return(peer));

    return (is_owed || sf_peer_is_covered(peer)) && sf_peer_may_bulk(peer, now) &&
           !sf_peer_is_silent(link, peer, now);
}

static uint64_t
less(uint64_t bytes, uint64_t spent)
{
    return bytes > spent ? bytes - spent : 0;
}

bool
sf_peer_cover_fits(struct sf_peer *peer, size_t ip_bytes)
{
    if (peer->cover.owed_bytes == 0 && peer->cover.budget_bytes < ip_bytes) {
        peer->cover.budget_bytes = 0; /* what is left is less than a datagram */
        return false;
    }
    return true;
}

void
sf_peer_cover_sent(struct sf_peer *peer, size_t segment_bytes, size_t ip_bytes)
{
    peer->cover.owed_bytes = less(peer->cover.owed_bytes, segment_bytes);
    peer->cover.budget_bytes = less(peer->cover.budget_bytes, ip_bytes);
    peer->stats.cover_segment_bytes += segment_bytes;
    peer->stats.cover_bytes += ip_bytes;
}

void
sf_peer_cover_stats(const struct sf_peer *peer, struct sf_link_peer_stats *stats)
{
    stats->cover = peer->cover;
    stats->cover_bytes_out = peer->stats.cover_bytes;
    stats->cover_segment_bytes_out = peer->stats.cover_segment_bytes;
}
