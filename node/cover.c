/*
 * cover.c - filler for peers, so that sizes and times show less.
 *
 * Sizes: a transfer owes each recipient filler for the bundles that it lacks to the next size
 * of a coarse scale (bundle/class.h). It is owed from custody on, and the link sends it when
 * the peer has received all else. Times: a peer may have a budget of filler for each day, out of
 * which the link fills every moment in which bulk might go.
 *
 * A share of the budget is recorded as gone before the link gets it, so that no restart makes
 * it go twice. What is owed is recorded now and then: after a crash a minute's filler may go again.
 */
#include "node/internal.h"

#include "node/outbound.h"

enum {
    SHARES = 32
}; /* of a day's budget: a restart loses at most one, and what is begun of the next */

static struct sf_view
key_of(const struct peer *peer)
{
    return sf_view(peer->conf.card.fingerprint.b, sizeof(peer->conf.card.fingerprint.b));
}

/* The caller commits. */
static void
save(struct sf_node *node, const struct peer *peer)
{
    uint8_t record[SF_RECORD_BYTES_MAX];
    size_t bytes = sf_record_cover_encode(&peer->cover, record);

    node_must(
        node, sf_journal_set(node->journal, SF_TABLE_COVER, key_of(peer), sf_view(record, bytes)));
}

/* What the link has left of it. */
static struct sf_link_cover
left_of(const struct sf_node *node, const struct peer *peer)
{
    struct sf_link_peer_stats stats;

    if (sf_link_peer_stats(node->link, peer_number(node, peer), &stats) != SF_OK) {
        return (struct sf_link_cover){0};
    }
    return stats.cover;
}

static void
tell(struct sf_node *node, const struct peer *peer, uint64_t budget_bytes)
{
    struct sf_link_cover cover = {
        .owed_bytes = peer->cover.owed_bytes, .budget_bytes = budget_bytes};

    node_must(node, sf_link_set_cover(node->link, peer_number(node, peer), &cover));
}

int
cover_set(struct sf_node *node, struct peer *peer, bool is_new)
{
    struct sf_view record = sf_journal_get(node->journal, SF_TABLE_COVER, key_of(peer));
    struct sf_link_cover left = left_of(node, peer);

    if (is_new) {
        peer->cover = (struct sf_record_cover){0};
        if (record.data != NULL && sf_record_cover_decode(record, &peer->cover) != SF_OK) {
            return SF_EFORMAT;
        }
    } else {
        peer->cover.owed_bytes = left.owed_bytes;
    }
    if (peer->conf.privacy == SF_NODE_PRIVACY_NONE) {
        peer->cover.owed_bytes = 0;
    }
    tell(node, peer, peer->conf.privacy == SF_NODE_PRIVACY_TIMING ? left.budget_bytes : 0);
    return SF_OK;
}

uint64_t
cover_pad_bytes(const struct outbound *out, const struct peer *peer)
{
    uint64_t count = out->record.count;

    if (peer->conf.privacy == SF_NODE_PRIVACY_NONE) {
        return 0;
    }
    return (sf_class_padded_count(count, out->record.class_bytes) - count) *
           out->record.class_bytes;
}

void
cover_owe(struct sf_node *node, struct peer *peer, const struct outbound *out)
{
    uint64_t bytes = cover_pad_bytes(out, peer);
    struct sf_link_cover left = left_of(node, peer);

    if (bytes == 0) {
        return;
    }
    peer->cover.owed_bytes =
        left.owed_bytes > UINT64_MAX - bytes ? UINT64_MAX : left.owed_bytes + bytes;
    save(node, peer);
    tell(node, peer, left.budget_bytes);
}

/* --- A day's budget ---------------------------------------------------------------------- */

static uint64_t
share_of(const struct peer *peer)
{
    return peer->conf.cover_day_bytes / SHARES + 1;
}

static bool
is_other_day(const struct sf_node *node, const struct peer *peer)
{
    return peer->cover.day != node->wall.ms / DAY_MS;
}

static bool
lacks_share(const struct sf_node *node, const struct peer *peer)
{
    if (peer->conf.privacy != SF_NODE_PRIVACY_TIMING || peer->conf.cover_day_bytes == 0) {
        return false;
    }
    return is_other_day(node, peer) || (peer->cover.day_bytes < peer->conf.cover_day_bytes &&
                                           left_of(node, peer).budget_bytes < share_of(peer) / 2);
}

/* Shares are recorded as gone: the link may have them. */
static void
shares_durable(void *owner)
{
    struct sf_node *node = owner;

    node->is_sharing = false;
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[node->peer_order[i]];
        struct sf_link_cover left = left_of(node, peer);

        if (peer->cover_share > 0 && peer->conf.privacy == SF_NODE_PRIVACY_TIMING) {
            peer->cover.owed_bytes = left.owed_bytes;
            tell(node, peer, (peer->is_cover_fresh ? 0 : left.budget_bytes) + peer->cover_share);
        }
        peer->cover_share = 0;
        peer->is_cover_fresh = false;
    }
}

static void
take_share(struct sf_node *node, struct peer *peer)
{
    uint64_t share = share_of(peer);
    uint64_t left;

    peer->is_cover_fresh = is_other_day(node, peer);
    if (peer->is_cover_fresh) {
        peer->cover.day = node->wall.ms / DAY_MS;
        peer->cover.day_bytes = 0;
    }
    left = peer->conf.cover_day_bytes - peer->cover.day_bytes;
    peer->cover_share = share < left ? share : left;
    peer->cover.day_bytes += peer->cover_share;
    save(node, peer);
    node->is_sharing = true;
}

/* --- Time --------------------------------------------------------------------------------- */

static bool
is_shut(const struct sf_node *node)
{
    return node->is_closing || sf_node_health(node) != SF_OK;
}

/* What went of what is owed is remembered. Returns whether there is anything new. */
static bool
keep_owed(struct sf_node *node, struct peer *peer)
{
    uint64_t owed_bytes = left_of(node, peer).owed_bytes;

    if (owed_bytes == peer->cover.owed_bytes) {
        return false;
    }
    peer->cover.owed_bytes = owed_bytes;
    save(node, peer);
    return true;
}

void
cover_tick(struct sf_node *node)
{
    bool is_due = node->now >= node->cover_at;
    bool is_new = false;

    if (is_shut(node)) {
        return;
    }
    for (size_t i = 0; i < node->peer_count && !node->is_sharing; i++) {
        struct peer *peer = &node->peers[node->peer_order[i]];

        if (lacks_share(node, peer)) {
            take_share(node, peer);
            node_commit_then(node, shares_durable, node);
        }
    }
    if (!is_due) {
        return;
    }
    node->cover_at = sf_mono_add(node->now, COVER_EVERY);
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[node->peer_order[i]];

        is_new |= peer->cover.owed_bytes > 0 && keep_owed(node, peer);
    }
    if (is_new) {
        node_commit(node);
    }
}

/* When the next day of the wall clock begins. */
static sf_mono
tomorrow(const struct sf_node *node)
{
    int64_t left_ms = DAY_MS - node->wall.ms % DAY_MS;

    return sf_mono_add(node->wall_at, (uint64_t)left_ms * SF_MS);
}

sf_mono
cover_deadline(const struct sf_node *node)
{
    sf_mono deadline = SF_NEVER;

    if (is_shut(node)) {
        return SF_NEVER;
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct peer *peer = &node->peers[node->peer_order[i]];

        if (peer->cover.owed_bytes > 0) {
            deadline = sf_mono_min(deadline, node->cover_at);
        }
        if (!node->is_sharing && lacks_share(node, peer)) {
            deadline = sf_mono_min(deadline, node->now);
        } else if (peer->conf.privacy == SF_NODE_PRIVACY_TIMING) {
            deadline = sf_mono_min(deadline, tomorrow(node));
        }
    }
    return deadline;
}
