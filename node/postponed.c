/*
 * postponed.c - transfers that were refused for now, for people to see.
 *
 * Nothing of such a transfer is kept, and its sender asks again by itself; but
 * who looks at this end must learn that it waits, for how much, and what to do.
 * In memory alone: after a restart it is asked again soon.
 */
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { POSTPONED_MAX = 64 }; /* of one peer; the one not asked for longest gives way */

#define POSTPONED_GRACE (UINT64_C(86400) * SF_SEC) /* not asked for so long: forgotten */

struct postponed {
    struct sf_node *node;
    struct sf_transfer_id transfer;
    struct sf_fingerprint sender;
    enum sf_refusal reason;
    uint64_t need_bytes;
    uint64_t bytes; /* what it would make this node keep */
    struct sf_wall since;
    sf_mono asked;
    struct postponed *next;
};

static struct postponed **
find(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender)
{
    struct postponed **at = &node->postponed;

    while (*at != NULL && !(sf_transfer_equal(&(*at)->transfer, transfer) &&
                              sf_fingerprint_equal(&(*at)->sender, sender))) {
        at = &(*at)->next;
    }
    return at;
}

static void
drop(struct postponed **at)
{
    struct postponed *gone = *at;

    *at = gone->next;
    free(gone);
}

void
postponed_end(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender)
{
    struct postponed **at = find(node, transfer, sender);

    if (*at != NULL) {
        drop(at);
    }
}

uint64_t
postponed_end_all(struct sf_node *node, const struct sf_fingerprint *sender)
{
    struct postponed **at = &node->postponed;
    uint64_t ended = 0;

    while (*at != NULL) {
        if (sf_fingerprint_equal(&(*at)->sender, sender)) {
            drop(at);
            ended++;
        } else {
            at = &(*at)->next;
        }
    }
    return ended;
}

/* The peer has as many as it may: the one not asked for longest goes. */
static void
make_room(struct sf_node *node, const struct sf_fingerprint *sender)
{
    struct postponed **oldest = NULL;
    size_t count = 0;

    for (struct postponed **at = &node->postponed; *at != NULL; at = &(*at)->next) {
        if (sf_fingerprint_equal(&(*at)->sender, sender)) {
            count++;
            oldest = oldest == NULL || (*at)->asked < (*oldest)->asked ? at : oldest;
        }
    }
    if (count >= POSTPONED_MAX) {
        drop(oldest);
    }
}

void
postpone(struct sf_node *node, const struct peer *peer, const struct refusal *refusal)
{
    const struct sf_fingerprint *sender = &peer->conf.card.fingerprint;
    struct postponed *entry = *find(node, &refusal->transfer, sender);

    if (entry == NULL) {
        make_room(node, sender);
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL) {
            return; /* the sender is told all the same */
        }
        entry->node = node;
        entry->transfer = refusal->transfer;
        entry->sender = *sender;
        entry->since = node->wall;
        entry->next = node->postponed;
        node->postponed = entry;
        node_say(node, SF_NODE_EVENT_WARNING, &refusal->transfer,
            "refused for now: %s: %llu more bytes are needed",
            refusal->reason == SF_REFUSAL_QUOTA ? "more than the quota of its sender leaves"
                                                : "no room on this disk",
            (unsigned long long)refusal->need_bytes);
    }
    entry->reason = refusal->reason;
    entry->need_bytes = refusal->need_bytes;
    entry->bytes = refusal->bytes > entry->bytes ? refusal->bytes : entry->bytes;
    entry->asked = node->now;
}

uint64_t
postponed_bytes(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender)
{
    const struct postponed *entry = *find(node, transfer, sender);

    return entry == NULL ? 0 : entry->bytes;
}

void
postponed_tick(struct sf_node *node)
{
    struct postponed **at = &node->postponed;

    while (*at != NULL) {
        if (node->now >= sf_mono_add((*at)->asked, POSTPONED_GRACE)) {
            drop(at);
        } else {
            at = &(*at)->next;
        }
    }
}

void
postponed_fini(struct sf_node *node)
{
    while (node->postponed != NULL) {
        drop(&node->postponed);
    }
}

static void
fill(const struct postponed *entry, struct sf_node_transfer *ret)
{
    const struct peer *peer = peer_of(entry->node, &entry->sender);
    const char *name = peer == NULL ? "(removed)" : peer->conf.name;

    memset(ret, 0, sizeof(*ret));
    ret->id = entry->transfer;
    ret->state = SF_NODE_WAITING;
    ret->created = entry->since;
    ret->need_bytes = entry->need_bytes;
    snprintf(ret->peer, sizeof(ret->peer), "%s", name);
    if (entry->reason == SF_REFUSAL_QUOTA && entry->need_bytes == 0) {
        snprintf(ret->why, sizeof(ret->why),
            "refused for now: %s has too many transfers under way here; its sender asks again by "
            "itself",
            name);
    } else if (entry->reason == SF_REFUSAL_QUOTA) {
        snprintf(ret->why, sizeof(ret->why),
            "refused for now: %llu more bytes than the quota of %s leaves; raise it with `skyferry "
            "peer add %s --quota SIZE`, or let what is under way end; its sender asks again by "
            "itself",
            (unsigned long long)entry->need_bytes, name, name);
    } else {
        snprintf(ret->why, sizeof(ret->why),
            "refused for now: no room: %llu more bytes must become free on this disk, beside the "
            "reserve; its sender asks again by itself",
            (unsigned long long)entry->need_bytes);
    }
}

bool
postponed_at(const struct sf_node *node, size_t index, struct sf_node_transfer *ret_transfer)
{
    for (const struct postponed *entry = node->postponed; entry != NULL; entry = entry->next) {
        const struct inbound *in = inbound_find(entry->node, &entry->transfer, &entry->sender);

        if ((in == NULL || in->is_forgotten) && index-- == 0) {
            fill(entry, ret_transfer);
            return true;
        }
    }
    return false;
}

static const struct postponed *
named(const struct sf_node *node, const struct sf_transfer_id *transfer)
{
    const struct postponed *entry = node->postponed;

    while (entry != NULL && !sf_transfer_equal(&entry->transfer, transfer)) {
        entry = entry->next;
    }
    return entry;
}

bool
postponed_find(const struct sf_node *node, const struct sf_transfer_id *transfer,
    struct sf_node_transfer *ret_transfer)
{
    const struct postponed *entry = named(node, transfer);

    if (entry != NULL) {
        fill(entry, ret_transfer);
    }
    return entry != NULL;
}

bool
postponed_cancel(struct sf_node *node, const struct sf_transfer_id *transfer)
{
    const struct postponed *entry = named(node, transfer);
    struct refusal refusal = {.transfer = *transfer, .reason = SF_REFUSAL_CANCELLED};
    struct peer *peer;

    if (entry == NULL) {
        return false;
    }
    peer = peer_of(node, &entry->sender);
    if (peer != NULL) {
        record_peer(node, "cancelled", peer, "a transfer refused for want of room");
        inbound_refuse_unknown(node, peer, &refusal);
    }
    postponed_end(node, transfer, &entry->sender);
    return true;
}
