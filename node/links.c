/*
 * links.c - who gets which event of the link; sessions and their epochs.
 */
#include "node/internal.h"

#include <stdlib.h>

/* What the link waits for. */
struct epoch_note {
    struct flight flight;
    struct sf_node *node;
    unsigned peer;
    struct sf_fingerprint fingerprint; /* another peer may have the number by then */
    uint64_t epoch;
};

static struct epoch_note *
note_new(struct sf_node *node, unsigned peer, uint64_t epoch)
{
    struct epoch_note *note = malloc(sizeof(*note));

    if (note != NULL) {
        *note = (struct epoch_note){.node = node,
            .peer = peer,
            .fingerprint = node->peers[peer].conf.card.fingerprint,
            .epoch = epoch};
    }
    return note;
}

/* The peer it is about is still there. */
static bool
note_holds(const struct epoch_note *note)
{
    const struct peer *peer = &note->node->peers[note->peer];

    return peer->used && sf_fingerprint_equal(&peer->conf.card.fingerprint, &note->fingerprint);
}

static void
epoch_durable(void *owner)
{
    struct epoch_note *note = owner;

    if (note_holds(note)) {
        sf_link_epoch_durable(note->node->link, note->peer, note->epoch);
    }
    flight_end(&note->flight);
    free(note);
}

static void
epoch_note_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct epoch_note));
}

/* The highest epoch accepted from a peer must survive before its session is used. */
static void
note_epoch(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];
    struct epoch_note *note = note_new(node, event->peer, event->epoch);

    if (note == NULL) {
        return; /* the opener is repeated */
    }
    if (event->epoch >> 32 > peer->record.epoch_in >> 32) {
        inbound_peer_restarted(node, peer);
    }
    if (event->epoch > peer->record.epoch_in) {
        peer->record.epoch_in = event->epoch;
        peer->record.life_in = event->life;
    }
    if (peer_save(node, peer) != SF_OK) {
        free(note);
        return;
    }
    flight_begin(&node->flights, &note->flight, epoch_note_drop);
    node_commit_then(node, epoch_durable, note);
}

/* What people and the audit log are told of copies of a state, theirs or ours. */
enum news { NEWS_RESTORED, NEWS_COPY_RUNS, NEWS_REFUSED, NEWS_PEER_RESTORED, NEWS_PEER_COPIED };

static const struct {
    const char *event;
    const char *text;
} news_texts[] = {
    [NEWS_RESTORED] = {"restored",
        "it has seen a later life of this node than the node remembers: this state was restored "
        "from an older copy; nothing that the forgotten life has used is used again"},
    [NEWS_COPY_RUNS] = {"copy_runs",
        "another life of this node calls it: a copy of this home runs somewhere, or what one that "
        "was restored had sent is sent again; stop the other one"},
    [NEWS_REFUSED] = {"peer_refused",
        "it calls as another life than the one that was seen: it was restored from an older copy, "
        "or a copy of it runs; it is told, and taken when it has left out what was used"},
    [NEWS_PEER_RESTORED] = {"peer_restored",
        "its state was restored from an older copy; it goes on "
        "above all that it had used before"},
    [NEWS_PEER_COPIED] = {"peer_copied", "two copies of it run: they take turns; stop one of them"},
};

/* At most once an hour of a kind: whoever replays what is old could cause it at will. */
static void
tell_news(struct sf_node *node, struct peer *peer, enum news news)
{
    sf_mono *at = &peer->news_at[news];

    if (*at != 0 && node->now < sf_mono_add(*at, MISMATCH_EVERY)) {
        return;
    }
    *at = node->now > 0 ? node->now : 1;
    record_peer(node, news_texts[news].event, peer, news_texts[news].text);
    node_say(
        node, SF_NODE_EVENT_WARNING, NULL, "peer %s: %s", peer->conf.name, news_texts[news].text);
}

static void
note_life(struct sf_node *node, struct peer *peer, enum sf_link_news news)
{
    switch (news) {
    case SF_LINK_NEWS_REFUSED:
        tell_news(node, peer, NEWS_REFUSED);
        break;
    case SF_LINK_NEWS_RESTORED:
        tell_news(node, peer, NEWS_PEER_RESTORED);
        break;
    case SF_LINK_NEWS_COPIED:
        tell_news(node, peer, NEWS_PEER_COPIED);
        break;
    case SF_LINK_NEWS_OWN_COPY:
        tell_news(node, peer, NEWS_COPY_RUNS);
        break;
    }
}

/* The node's starts count on from where they were before its state was rolled back. */
static void
boot_durable(void *owner)
{
    struct epoch_note *note = owner;
    struct sf_node *node = note->node;
    uint32_t boot = (uint32_t)(note->epoch >> 32);

    if (boot > node->boot) {
        node->boot = boot;
        node->generations = node_lot(node) / 2;
        peers_rolled_back(node);
        inbound_rolled_back(node);
        keyring_rolled_back(node);
        node_commit(node);
    }
    if (note_holds(note)) {
        sf_link_boot_durable(node->link, note->peer, boot);
    }
    flight_end(&note->flight);
    free(note);
}

/* A peer has seen higher epochs of ours than we know of: our state was rolled back. */
static void
note_stale(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];
    uint64_t boot = (event->epoch >> 32) + 1; /* above what was used before */
    struct epoch_note *note = note_new(node, event->peer, boot << 32);

    tell_news(node, peer, event->is_copy ? NEWS_COPY_RUNS : NEWS_RESTORED);
    ladder_rolled_back(node, peer);
    if (note == NULL) {
        node_fail(node, SF_ENOMEM); /* the link would wait for ever */
        return;
    }
    if (boot > node->boot_told && boot - node->boot_began > BOOTS_AHEAD_MAX) {
        /* Believed, it could use up all numbers. It gets what it asks for, for this run. */
        record_peer(node, "stale_rejected", peer, "it claims sessions of too many starts ahead");
        sf_link_boot_durable(node->link, event->peer, (uint32_t)(event->epoch >> 32));
        free(note);
        node_commit(node);
        return;
    }
    if (boot > node->boot_told) {
        node->boot_told = (uint32_t)boot;
        sf_lives_jump(&node->lives, node->boot_told);
        node_must(node, lives_save(node));
    }
    flight_begin(&node->flights, &note->flight, epoch_note_drop);
    node_commit_then(node, boot_durable, note);
}

/* Somebody calls in a peer's name and cannot prove it: said once an hour, answered never. */
static void
note_mismatch(struct sf_node *node, struct peer *peer)
{
    static const char why[] =
        "calls in its name do not authenticate: the pre-shared keys differ, or they are forged";

    if (peer->mismatch_at != 0 && node->now < sf_mono_add(peer->mismatch_at, MISMATCH_EVERY)) {
        return;
    }
    peer->mismatch_at = node->now;
    record_peer(node, "call_rejected", peer, why);
    node_say(node, SF_NODE_EVENT_WARNING, NULL, "peer %s: %s", peer->conf.name, why);
}

static void
peer_event(struct sf_node *node, const struct sf_link_event *event)
{
    struct peer *peer = &node->peers[event->peer];

    switch (event->kind) {
    case SF_LINK_UP:
        peer->up = true;
        node_say_peer(node, peer, "up");
        outbound_peer_changed(node, event->peer);
        break;
    case SF_LINK_DOWN:
        peer->up = false;
        node_say_peer(node, peer, "dark");
        break;
    case SF_LINK_ADDRESS:
        node_say_peer(node, peer, "address proven");
        break;
    case SF_LINK_EPOCH:
        note_epoch(node, event);
        break;
    case SF_LINK_STALE:
        note_stale(node, event);
        break;
    case SF_LINK_LIFE:
        note_life(node, peer, event->news);
        break;
    case SF_LINK_MISMATCH:
        note_mismatch(node, peer);
        break;
    case SF_LINK_NARROW:
        node_say(node, SF_NODE_EVENT_WARNING, NULL,
            "peer %s answers, but the path to it takes no datagrams of 1,200 bytes: nothing can be "
            "sent on it (it needs an MTU of 1,228 bytes for IPv4, 1,248 for IPv6)",
            peer->conf.name);
        break;
    case SF_LINK_OUTSIDE:
        node_say(node, SF_NODE_EVENT_WARNING, NULL,
            "peer %s calls while its plan says that it cannot be reached: a clock is wrong, or a "
            "plan is",
            peer->conf.name);
        break;
    case SF_LINK_CARD:
        if (peer_take_card(node, peer, event->bytes)) {
            node_say_peer(node, peer, "new card");
        }
        break;
    default:
        break;
    }
}

void
node_link_event(struct sf_node *node, const struct sf_link_event *event)
{
    switch (event->kind) {
    case SF_LINK_WANT:
        if (!mail_want(node, event->handle, event->index)) {
            (void)outbound_want(node, event->handle, event->index);
        }
        break;
    case SF_LINK_RELEASE:
        (void)outbound_release(node, event->handle, event->index);
        break;
    case SF_LINK_MAP:
        (void)outbound_map(node, event->handle);
        break;
    case SF_LINK_RECEIVED:
        if (!mail_received(node, event->handle)) {
            outbound_received(node, event->handle);
        }
        break;
    case SF_LINK_DECLINED:
        if (!mail_received(node, event->handle)) {
            outbound_declined(node, event->handle);
        }
        break;
    case SF_LINK_OBJECT:
        inbound_object(node, event);
        break;
    case SF_LINK_COUNT:
        inbound_count(node, event);
        break;
    case SF_LINK_BUNDLE:
        inbound_bundle(node, event);
        break;
    case SF_LINK_SPILL:
        inbound_spill(node, event);
        break;
    case SF_LINK_LOAD:
        inbound_load(node, event);
        break;
    case SF_LINK_GONE:
        inbound_gone(node, event);
        break;
    default:
        if (event->peer < SF_NODE_PEERS_MAX && node->peers[event->peer].used) {
            peer_event(node, event);
        }
        break;
    }
}

void
node_drain(struct sf_node *node)
{
    struct sf_link_event event;

    while (sf_link_event(node->link, &event)) {
        node_link_event(node, &event);
    }
}
