/*
 * settle.c - signed receipts that come back, and what they settle.
 *
 * A receipt counts when it verifies, names this transfer and, for FINAL, this
 * node's own manifest and digests. What it changes is durable before anything
 * is freed on its strength.
 */
#include "node/whole.h"

#include <stdio.h>
#include <stdlib.h>

static bool
is_terminal(const struct sf_receipt *receipt)
{
    return receipt->phase == SF_RECEIPT_FINAL ||
           (receipt->phase == SF_RECEIPT_REFUSED && !receipt->retryable);
}

/*
 * A peer waits for a transfer that is not in custody here: this node's state, or
 * the peer's, was restored from an older copy. It is told, so that it frees what it holds.
 */
static void
disown(struct sf_node *node, struct peer *peer, const struct sf_transfer_id *transfer)
{
    struct sf_cancel cancel = {
        .by = node->card.fingerprint,
        .transfer = *transfer,
        .reason = SF_CANCEL_CUSTODY_LOST,
    };
    uint8_t encoded[SF_CANCEL_BYTES_MAX];
    size_t bytes;

    if (mail_is_waiting(node, peer_number(node, peer), transfer, MAIL_CANCEL)) {
        return;
    }
    record_peer(node, "disowned", peer, "it waits for a transfer that is not in custody here");
    if (sf_cancel_encode(&cancel, node->identity, encoded, sizeof(encoded), &bytes) != SF_OK ||
        mail_letter(node, peer, SF_LETTER_CANCEL, sf_view(encoded, bytes), transfer, MAIL_CANCEL) !=
            SF_OK) {
        node_say(
            node, SF_NODE_EVENT_NOTICE, transfer, "a cancel for %s has to wait", peer->conf.name);
    }
}

/* Write what the receipts of one recipient say to the journal. */
static void
save_held(struct outbound *out, const struct out_to *to, bool is_new_generation)
{
    struct sf_journal *journal = out->node->journal;
    uint8_t key[SF_PAIR_KEY_BYTES];
    struct sf_view view = sf_view(key, sizeof(key));
    const struct sf_range_set *known;

    sf_pair_key(&out->id, &to->fingerprint, key);
    if (is_new_generation) {
        node_must(out->node, sf_journal_unset(journal, SF_TABLE_OUT_HELD, view));
    }
    known = sf_journal_set_of(journal, SF_TABLE_OUT_HELD, view);
    for (size_t i = 0; i < to->receipts.held.count; i++) {
        const struct sf_range *range = &to->receipts.held.ranges[i];

        if (known == NULL || !sf_range_set_covers(known, range->from, range->to)) {
            node_must(out->node,
                sf_journal_add(journal, SF_TABLE_OUT_HELD, view, range->from, range->to, NULL));
            known = sf_journal_set_of(journal, SF_TABLE_OUT_HELD, view);
        }
    }
}

/* Whether every recipient has ended, and how. */
static bool
all_ended(const struct outbound *out, uint32_t *ret_final, uint32_t *ret_revoked)
{
    *ret_final = 0;
    *ret_revoked = 0;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        const struct out_to *to = whole_to(out, &out->to[i]);

        to = to == NULL ? &out->to[i] : to;
        if (out_to_is_open(to) || to->record.phase == SF_TO_STANDBY) {
            return false;
        }
        *ret_final += to->record.phase == SF_TO_FINAL || to->record.phase == SF_TO_SPARED;
        *ret_revoked += to->record.phase == SF_TO_REVOKED;
    }
    return true;
}

static void
done_durable(void *owner)
{
    struct outbound *out = owner;

    out->want_freed = true;
    out_free_step(out);
    if (out_is_shown(out)) {
        record_out(out, "done", NULL, NULL);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "done: every recipient has it%s",
            out->why[0] == '\0' ? "" : " that was not revoked");
    }
}

static void settle(struct outbound *out);

void
out_settle(void *owner)
{
    struct outbound *out = owner;
    struct outbound *delta = delta_of(out);

    settle(out);
    if (delta != NULL) {
        settle(delta); /* it ends as its recipients do, by itself or by the whole */
    }
}

static void
settle(struct outbound *out)
{
    struct sf_node *node = out->node;
    uint32_t final;
    uint32_t revoked;

    if (!out_is_open(out) || !all_ended(out, &final, &revoked)) {
        return;
    }
    if (revoked == out->record.recipient_count) {
        out_cancel(out, "every recipient was revoked here");
        return;
    }
    out->record.ended = node->wall;
    if (final + revoked == out->record.recipient_count) {
        snprintf(out->why, sizeof(out->why), "%s", revoked == 0 ? "" : OUT_REVOKED_WHY);
        out->record.phase = SF_OUT_DONE;
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_SEALED, out_id_view(out)));
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_LABEL, out_id_view(out)));
        node_must(node, outbound_save(out));
        node_commit_then(node, done_durable, out);
        return;
    }
    /* Somebody refused for good. The spool stays until somebody decides. */
    out->record.phase = SF_OUT_FAILED;
    if (out->intake != NULL) {
        intake_stop(out->intake);
    }
    snprintf(out->why, sizeof(out->why), "%s", OUT_REFUSED_WHY);
    node_must(node, outbound_save(out));
    node_commit(node);
    node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "failed: %s", out->why);
}

static void
recipient_ended(struct outbound *out, struct out_to *to, struct peer *peer, struct sf_view encoded,
    enum sf_to_phase phase)
{
    uint8_t key[SF_PAIR_KEY_BYTES];

    to->record.phase = (uint8_t)phase;
    sf_pair_key(&out->id, &to->fingerprint, key);
    node_must(out->node, sf_journal_set(out->node->journal, SF_TABLE_OUT_RECEIPT,
                             sf_view(key, sizeof(key)), encoded));
    out_withdraw(out, to);
    mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT);
    whole_spare(out, to);
    record_out(out, phase == SF_TO_FINAL ? "final" : "refused", to,
        phase == SF_TO_FINAL ? NULL : sf_refusal_text((enum sf_refusal)to->record.reason));
}

/* The recipient cannot take it now: wait, and offer again. */
static void
pause_to(struct outbound *out, struct out_to *to, const struct sf_receipt *receipt)
{
    to->is_paused = true;
    out_withdraw(out, to);
    to->retry_at = out_back_off(out, &to->retry_ns);
    if (receipt->need_bytes > 0) {
        snprintf(to->why, sizeof(to->why), "%s: it needs %llu more bytes",
            sf_refusal_text(receipt->refusal), (unsigned long long)receipt->need_bytes);
    } else {
        snprintf(to->why, sizeof(to->why), "%s", sf_refusal_text(receipt->refusal));
    }
}

static void
refused(struct outbound *out, struct out_to *to, struct peer *peer,
    const struct sf_receipt *receipt, struct sf_view encoded)
{
    if (receipt->refusal == SF_REFUSAL_NEED_BASE && whole_take_over(out, to)) {
        return;
    }
    if (!receipt->retryable) {
        to->record.reason = (uint8_t)receipt->refusal;
        snprintf(to->why, sizeof(to->why), "%s", sf_refusal_text(receipt->refusal));
        recipient_ended(out, to, peer, encoded, SF_TO_REFUSED);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "%s refused it: %s", peer->conf.name,
            sf_refusal_text(receipt->refusal));
        return;
    }
    switch (receipt->refusal) {
    case SF_REFUSAL_STALE_PREKEY:
    case SF_REFUSAL_BAD_PSK:
        if (receipt->refusal == SF_REFUSAL_BAD_PSK) {
            ladder_leap(out->node, peer);
        }
        if (out->seal != NULL) {
            if (to->record.opened) {
                to->record.opened = false; /* it has lost the key since */
                to->grant_ns = 0;
                to->grant_at = 0;
            }
            snprintf(to->why, sizeof(to->why), "%s; it is granted again",
                sf_refusal_text(receipt->refusal));
            if (to->grant_issue != peer->conf.card.issue) {
                to->grant_at = 0; /* there is a newer card: at once */
            }
        } else {
            snprintf(to->why, sizeof(to->why),
                "%s, and the content key was forgotten: cancel it and send again",
                sf_refusal_text(receipt->refusal));
            to->record.reason = (uint8_t)receipt->refusal;
            recipient_ended(out, to, peer, encoded, SF_TO_REFUSED);
        }
        break;
    default:
        pause_to(out, to, receipt);
        break;
    }
}

/* Everybody has opened the grant: what --forget-key asked for can be done. */
static void
forget_if_asked(struct outbound *out)
{
    if (!out->record.forget_key || out->record.phase != SF_OUT_CUSTODY || out->seal == NULL ||
        cache_is_busy(out)) {
        return; /* the next receipt looks again */
    }
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        if (!out->to[i].record.opened) {
            return;
        }
    }
    out_erase_key(out);
    record_out(out, "key_forgotten", NULL, NULL);
}

/* A receipt for a transfer that ended here: it tells whether a cancel arrived. */
static void
receipt_after_end(
    struct outbound *out, struct out_to *to, struct peer *peer, const struct sf_receipt *receipt)
{
    if (!is_terminal(receipt)) {
        if (to->record.phase == SF_TO_FINAL || to->record.phase == SF_TO_REFUSED ||
            to->record.phase == SF_TO_REVOKED) {
            /* It has forgotten that it ended there: its state is an older copy. */
            disown(out->node, peer, &out->id);
        } else if (to->record.phase == SF_TO_CANCELLED && out->record.reason != 0) {
            /* A grant that was on its way has begun it there after all. */
            to->record.phase = SF_TO_CANCELLING;
            node_must(out->node, outbound_save_to(out, to));
            node_commit(out->node);
            out_tell_cancelled(out);
        }
        return;
    }
    if (to->record.phase == SF_TO_CANCELLING) {
        to->record.phase = SF_TO_CANCELLED;
        to->retry_at = SF_NEVER;
        mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_CANCEL);
        node_must(out->node, outbound_save_to(out, to));
        node_commit(out->node);
        record_out(out,
            receipt->phase == SF_RECEIPT_FINAL ? "delivered_before_cancel" : "cancel_confirmed", to,
            NULL);
    }
}

static void
take_receipt(struct outbound *out, struct out_to *to, struct peer *peer,
    const struct sf_receipt *receipt, struct sf_view encoded)
{
    uint64_t generation = to->receipts.generation;
    uint64_t counter = to->receipts.counter;
    uint64_t held = sf_range_set_total(&to->receipts.held);
    bool had_any = to->receipts.any;
    bool changed;
    int status = sf_receipt_merge(&to->receipts, receipt, &changed);

    if (status == SF_ENOMEM) {
        node_fail(out->node, status);
        return;
    }
    if (status != SF_OK) {
        node_say(out->node, SF_NODE_EVENT_WARNING, &out->id,
            "a receipt of %s does not fit this transfer: %s", peer->conf.name,
            sf_status_text(status));
        if (record_may(peer, out->node->now)) {
            record_out(out, "receipt_rejected", to, sf_status_text(status));
        }
        return;
    }
    if (!changed && to->receipts.counter <= counter) {
        return;
    }
    if (to->receipts.final) {
        peer->bundles_out += out->record.count > held ? out->record.count - held : 0;
    } else if (sf_range_set_total(&to->receipts.held) > held) {
        peer->bundles_out += sf_range_set_total(&to->receipts.held) - held;
    }
    to->record.generation = to->receipts.generation;
    to->record.counter = to->receipts.counter;
    if (receipt->phase != SF_RECEIPT_REFUSED) {
        to->record.opened = true;
        if (to->record.rung > peer->record.rung_opened) {
            peer->record.rung_opened = to->record.rung;
            node_must(out->node, peer_save(out->node, peer));
        }
        to->is_paused = false;
        to->retry_ns = 0;
        to->why[0] = '\0';
        mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT);
    }
    if (to->receipts.final) {
        recipient_ended(out, to, peer, encoded, SF_TO_FINAL);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "%s has it: FINAL", peer->conf.name);
    } else if (receipt->phase == SF_RECEIPT_REFUSED) {
        refused(out, to, peer, receipt, encoded);
    } else {
        to->record.phase = to->receipts.verified ? SF_TO_VERIFIED : SF_TO_OPEN;
        if (peer->conf.no_return && had_any && generation != to->receipts.generation) {
            out_withdraw(out, to); /* some of what was spared is lost there */
        }
        if (!to->was_received || generation != to->receipts.generation) {
            out_offer_to(out, to);
        }
        out_spare_held(out, to);
    }
    save_held(out, to, had_any && generation != to->receipts.generation);
    node_must(out->node, outbound_save_to(out, to));
    node_commit_then(out->node, out_settle, out);
    forget_if_asked(out);
}

void
outbound_receipt(struct sf_node *node, struct peer *peer, struct sf_view encoded)
{
    struct sf_receipt receipt;
    struct outbound *out;
    bool is_recipient = false;
    int status =
        sf_receipt_decode(encoded, peer->conf.card.sign_pk, &peer->conf.card.fingerprint, &receipt);

    if (status == SF_ENOMEM) {
        node_fail(node, status); /* it will not come again: so the node starts anew, and asks */
        return;
    }
    if (status != SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "a receipt of %s is not valid; ignored",
            peer->conf.name);
        record_peer(node, "receipt_rejected", peer, "its form or its signature is wrong");
        return;
    }
    if (!sf_fingerprint_equal(&receipt.sender, &node->card.fingerprint)) {
        record_peer(node, "receipt_rejected", peer, "it is for another sender");
        sf_receipt_fini(&receipt);
        return;
    }
    out = outbound_find(node, &receipt.transfer);
    if (out == NULL && !is_terminal(&receipt)) {
        disown(node, peer, &receipt.transfer);
    }
    for (uint32_t i = 0; out != NULL && i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (!sf_fingerprint_equal(&to->fingerprint, &receipt.receiver)) {
            continue;
        }
        is_recipient = true;
        if (out_is_open(out) && out_to_is_open(to)) {
            take_receipt(out, to, peer, &receipt, encoded);
        } else {
            receipt_after_end(out, to, peer, &receipt);
        }
    }
    if (out != NULL && !is_recipient) {
        record_peer(node, "receipt_rejected", peer, "it was not sent this transfer");
    }
    sf_receipt_fini(&receipt);
}
