/*
 * inbound_end.c - how incoming transfers end: refused, called back, or
 * delivered; their spool, key and staged files go, their tombstone stays as
 * long as there is room.
 */
#include "node/inbound.h"

#include <stdio.h>
#include <stdlib.h>

void
in_end_on_link(struct inbound *in)
{
    if (in->handle != 0) {
        sf_link_decline(in->node->link, in->peer, in->handle);
        in->handle = 0;
    }
}

/* --- Endings -------------------------------------------------------------------------------------------- */

static void
refusal_durable(void *owner)
{
    struct inbound *in = owner;

    inbound_tell_end(in);
    inbound_let_go(in);
}

void
inbound_refuse(struct inbound *in, enum sf_refusal reason, const char *why)
{
    struct sf_node *node = in->node;
    uint8_t *encoded;
    size_t bytes;

    if (!in_is_open(in) || in->record.phase == SF_IN_DELIVERING) {
        return;
    }
    in->record.phase = SF_IN_REFUSED;
    in->record.reason = (uint8_t)reason;
    in->record.ended = node->wall;
    in->paused = 0;
    if (why != in->why) {
        snprintf(in->why, sizeof(in->why), "%s", why);
    }
    in_end_on_link(in);
    if (in->decoder != NULL) {
        decoder_stop(in->decoder);
    }
    encoded = malloc(SF_RECEIPT_BYTES_MAX);
    if (encoded == NULL || inbound_sign(in, SF_RECEIPT_REFUSED, encoded, &bytes) != SF_OK) {
        node_fail(node, SF_ENOMEM);
        free(encoded);
        return;
    }
    node_must(node, sf_journal_set(node->journal, SF_TABLE_IN_RECEIPT, in_key_view(in),
                        sf_view(encoded, bytes)));
    free(encoded);
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_HELD, in_key_view(in)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_ORPHAN, in_key_view(in)));
    node_must(node, inbound_save(in));
    node_commit_then(node, refusal_durable, in);
    record_in(in, reason == SF_REFUSAL_CANCELLED ? "cancelled" : "refused", why);
    node_say(node, SF_NODE_EVENT_TRANSFER, &in->id, "%s: %s",
        reason == SF_REFUSAL_CANCELLED ? "cancelled" : "refused", why);
}

int
inbound_cancel(struct sf_node *node, struct inbound *in, struct sf_node_error *error)
{
    (void)node;
    if (!in_is_open(in) || in->record.phase == SF_IN_DELIVERING) {
        return node_error(error, SF_ESTATE, "this transfer has ended already");
    }
    inbound_refuse(in, SF_REFUSAL_CANCELLED, "cancelled here");
    return SF_OK;
}

void
inbound_cancelled(struct sf_node *node, struct peer *peer, struct sf_view encoded)
{
    struct refusal refusal = {.reason = SF_REFUSAL_CANCELLED};
    struct sf_cancel cancel;
    struct inbound *in;
    char why[96];

    if (sf_cancel_decode(encoded, peer->conf.card.sign_pk, &peer->conf.card.fingerprint, &cancel) !=
        SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "a cancel of %s is not valid; ignored",
            peer->conf.name);
        record_peer(node, "cancel_rejected", peer, "its form or its signature is wrong");
        return;
    }
    in = inbound_find(node, &cancel.transfer, &peer->conf.card.fingerprint);
    if (in == NULL || in->is_forgotten) {
        postponed_end(node, &cancel.transfer, &peer->conf.card.fingerprint);
        refusal.transfer = cancel.transfer;
        inbound_refuse_unknown(node, peer, &refusal);
        return;
    }
    if (in->record.phase >= SF_IN_DONE) {
        inbound_send_tombstone(in);
        return;
    }
    snprintf(
        why, sizeof(why), "cancelled by %s: %s", peer->conf.name, sf_cancel_text(cancel.reason));
    inbound_refuse(in, SF_REFUSAL_CANCELLED, why);
}

static void
key_gone(struct sf_vault_op *op)
{
    struct inbound *in = op->owner;

    in->is_key_busy = false;
    if (op->status != SF_OK && op->status != SF_ENOENT) {
        node_say(in->node, SF_NODE_EVENT_WARNING, &in->id, "its key could not be erased: %s",
            sf_status_text(op->status));
    }
}

static void
swept(struct inbound *in)
{
    struct sf_node *node = in->node;

    in->is_sweeping = false;
    if (!in->was_swept) {
        in->free_at = sf_mono_add(node->now, FREE_AGAIN);
        return;
    }
    in->is_freed = true;
    /* Bundles that were on their way to the disk when it ended have left facts behind. */
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_HELD, in_key_view(in)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_ORPHAN, in_key_view(in)));
    node_commit(node);
}

static void
spool_gone(struct sf_spool_op *op)
{
    struct inbound *in = op->owner;

    in->is_busy = false;
    in->spool = NULL;
    if (op->status != SF_OK) {
        node_say(in->node, SF_NODE_EVENT_WARNING, &in->id,
            "its spool could not be removed: %s; trying again", sf_status_text(op->status));
        in->free_at = sf_mono_add(in->node->now, FREE_AGAIN);
        return;
    }
    in->is_sweeping = true;
    sweep_begin(in, swept);
}

static void
erase_key(struct inbound *in)
{
    inbound_forget_key(in);
    in->is_key_busy = true;
    in->vault_op = (struct sf_vault_op){.done = key_gone, .owner = in};
    vault_key_in(in, in->vault_op.key);
    sf_vault_erase(in->node->vault, &in->vault_op, in->node->now);
}

void
in_free_step(struct inbound *in)
{
    if (!in->want_freed || in->is_freed || in->is_sweeping || in->is_busy || in->is_key_busy ||
        in->is_recording || in->arrivals > 0 || in->fetches > 0 || !deliver_is_idle(in) ||
        in->node->now < in->free_at) {
        return;
    }
    if (in->decoder != NULL) {
        decoder_stop(in->decoder);
        if (!decoder_is_idle(in->decoder)) {
            return;
        }
        decoder_free(in->decoder);
        in->decoder = NULL;
    }
    deliver_fini(in);
    arrive_drop(in);
    if (in->seal != NULL || in->is_key_stored) {
        in->is_key_stored = false;
        erase_key(in);
    }
    in->is_busy = true;
    in->spool_op = (struct sf_spool_op){
        .done = spool_gone,
        .owner = in,
        .transfer = in->local,
        .direction = SF_SPOOL_IN,
        .spool = in->spool,
    };
    if (in->spool != NULL) {
        sf_spool_remove(&in->spool_op);
    } else {
        sf_spools_unlink(in->node->spools, &in->spool_op);
    }
}

void
inbound_let_go(void *owner)
{
    struct inbound *in = owner;

    in->want_freed = true;
    in_end_on_link(in);
    in_free_step(in);
}

/* --- Tombstones ------------------------------------------------------------------------- */

/* Which peer has most tombstones; NO_PEER if those that belong to no peer are more. */
static unsigned
most_tombstones(struct sf_node *node)
{
    size_t counts[SF_NODE_PEERS_MAX] = {0};
    size_t strays = 0;
    unsigned most = NO_PEER;

    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        const struct peer *peer = peer_of(node, &in->sender);
        size_t *count = peer == NULL ? &strays : &counts[peer_number(node, peer)];

        *count += in->is_freed && !in->is_forgotten;
    }
    for (unsigned i = 0; i < SF_NODE_PEERS_MAX; i++) {
        if (counts[i] > (most == NO_PEER ? strays : counts[most])) {
            most = i;
        }
    }
    return most;
}

/*
 * The oldest tombstones of the peer that has most give way, so that no peer can
 * push out those of others; their numbers remember that they ended.
 */
void
in_prune(struct sf_node *node)
{
    size_t ended = 0;
    unsigned most = NO_PEER;
    struct inbound *next;

    if (node->commits > 0) {
        return;
    }
    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        ended += in->is_freed && !in->is_forgotten;
    }
    if (ended > TOMBSTONES_MAX) {
        most = most_tombstones(node);
    }
    for (struct inbound *in = node->ins; in != NULL; in = next) {
        struct peer *peer = peer_of(node, &in->sender);
        bool is_most = (peer == NULL ? NO_PEER : peer_number(node, peer)) == most;

        next = in->next;
        if (!in->is_freed || in->is_key_busy ||
            (!in->is_forgotten && !(ended > TOMBSTONES_MAX && is_most))) {
            continue;
        }
        if (!in->is_forgotten) {
            ended_add(node, &in->sender, in->record.number);
            node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN, in_key_view(in)));
            node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_RECEIPT, in_key_view(in)));
            node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_LABEL, in_key_view(in)));
            ended--;
        }
        inbound_unlink(node, in);
    }
}
