/*
 * peer_stale.c - what two ends tell each other of starts: a peer that has seen
 * a later one of ours than we know of, or we of it. So a state that was put
 * back jumps above what it forgot, and copies that run are noticed.
 */
#include "link/core.h"

enum { STALE_BEACONS = 4 }; /* for one refused opener: half of them may be lost */

void
sf_peer_news(struct sf_peer *peer, enum sf_link_news news)
{
    peer->life_news |= news;
    peer->notices |= SF_NOTICE_LIFE;
}

/* --- What a peer says of ours ---------------------------------------------------------- */

/* What it has seen is ours. So whose is what it refused? What is older than we know of, nobody can say. */
static void
stale_is_other(struct sf_peer *peer, const struct sf_stale *stale)
{
    uint32_t boot = (uint32_t)(stale->epoch_refused >> 32);

    if (stale->life_refused != 0 &&
        (boot > peer->lives.boot || sf_lives_covers(&peer->lives, boot)) &&
        sf_lives_at(&peer->lives, boot) != stale->life_refused) {
        sf_peer_news(peer, SF_LINK_NEWS_OWN_COPY);
    }
}

/* Whether what the peer has seen is a session of this state: one of ours, or too long ago to say. */
static bool
is_ours(const struct sf_peer *peer, const struct sf_stale *stale)
{
    uint32_t boot = (uint32_t)(stale->epoch >> 32);

    if (boot > peer->lives.boot || (boot == peer->lives.boot && stale->epoch > peer->epoch_last)) {
        return false;
    }
    return !sf_lives_covers(&peer->lives, boot) || sf_lives_at(&peer->lives, boot) == stale->life;
}

void
sf_peer_stale(struct sf_peer *peer, const struct sf_stale *stale, sf_mono now)
{
    uint32_t boot = (uint32_t)(stale->epoch >> 32);
    uint32_t above = boot > peer->lives.boot ? boot : peer->lives.boot;

    /* Who orders a jump may order another one behind it at once. */
    if (above >= UINT32_MAX - 1 || (peer->is_jumping && stale->life != 0)) {
        return;
    }
    if (is_ours(peer, stale)) {
        stale_is_other(peer, stale);
        return;
    }
    /* Each jump is a write to the disk: a peer's word is good for one a second. */
    if (stale->life != 0 && peer->jumped != 0 &&
        now < sf_mono_add(peer->jumped, SF_LINK_STALE_NS)) {
        return;
    }
    peer->jumped = now > 0 ? now : 1;
    /* Into a boot of its own: what handles meant in the forgotten ones must not come back. */
    sf_lives_jump(&peer->lives, above + 1);
    sf_lives_admit(&peer->lives, boot, stale->life);
    peer->epoch_last = (uint64_t)peer->lives.boot << 32;
    peer->stale_epoch = peer->epoch_last;
    peer->is_stale_copy = peer->was_named; /* this life was accepted, and then another one */
    peer->was_named = false;
    sf_inbox_raise_boot(peer->inbox, peer->lives.boot);
    peer->notices |= SF_NOTICE_STALE;
    for (int which = 0; which < SF_OUT_COUNT; which++) {
        sf_session_out_fini(&peer->out[which]);
    }
    peer->opening.is_on = false;
    /* Used before it is durable, a power cut would let the node fall behind it once more. */
    peer->is_jumping = true;
}

void
sf_peer_boot_durable(struct sf_link *link, struct sf_peer *peer, uint32_t boot, sf_mono now)
{
    if (!peer->is_jumping || boot < peer->epoch_last >> 32) {
        return;
    }
    peer->is_jumping = false;
    peer->unanswered = 0;
    if (sf_peer_is_dark(peer)) {
        peer->beacon_due = now;
    } else {
        sf_peer_call(link, peer, now);
    }
}

/* --- What we say of its ---------------------------------------------------------------- */

/* Again until it follows. */
void
sf_peer_stale_put(struct sf_peer *peer, struct sf_message_writer *writer)
{
    size_t begin;

    if (peer->life_refused == 0 || !sf_peer_is_trusted(peer)) {
        return;
    }
    peer->stale_due -= peer->stale_due > 0;
    begin = sf_message_begin(writer, SF_MESSAGE_STALE);
    sf_message_put_u64(writer, peer->epoch_seen);
    sf_message_put_u64(writer, peer->life_seen);
    sf_message_put_u64(writer, peer->epoch_refused);
    sf_message_put_u64(writer, peer->life_refused);
    (void)sf_message_end(writer, begin);
}

void
sf_peer_tell_stale(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    bool was_on = peer->opening.is_on;
    sf_mono first = peer->opening.first;

    /* In the dark beacons will say it, if they come through; after the fallback, the next opener. */
    peer->stale_due = STALE_BEACONS;
    if (sf_peer_is_dark(peer) || (was_on && peer->unanswered % 2 == 1)) {
        return;
    }
    if (!was_on) {
        peer->unanswered = 0; /* nothing is under way: not to the fallback, which cannot say it */
    }
    sf_peer_call(link, peer, now);
    if (was_on) {
        peer->opening.first = first; /* copies of old openers must not put off giving up */
    }
}
