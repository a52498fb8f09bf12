/*
 * whole.c - pairs of transfers: what changed, and all of it.
 */
#include "node/whole.h"

#include <stdio.h>

static struct outbound *
pair_of(const struct outbound *out, enum sf_out_role role)
{
    struct outbound *pair = NULL;

    if (out->record.role != SF_OUT_ALONE) {
        pair = outbound_find(out->node, &out->record.pair);
    }
    return pair != NULL && pair->record.role == role &&
                   sf_transfer_equal(&pair->record.pair, &out->id)
               ? pair
               : NULL;
}

struct outbound *
whole_of(const struct outbound *delta)
{
    return pair_of(delta, SF_OUT_WHOLE);
}

struct outbound *
delta_of(const struct outbound *whole)
{
    return pair_of(whole, SF_OUT_DELTA);
}

/* --- Bases ----------------------------------------------------------------------------- */

static struct out_to *
find_to(const struct outbound *out, const struct sf_fingerprint *fingerprint)
{
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        if (sf_fingerprint_equal(&out->to[i].fingerprint, fingerprint)) {
            return &out->to[i];
        }
    }
    return NULL;
}

static bool
has_file(const struct outbound *out, const struct sf_digest *sha256, uint64_t bytes)
{
    /* More files than a receipt lists cannot be found by the recipient either. */
    if (!out->has_manifest || out->files == NULL || out->record.file_count > SF_RECEIPT_FILES_MAX) {
        return false;
    }
    for (uint64_t i = 0; i < out->record.file_count; i++) {
        if (out->files[i].bytes == bytes &&
            memcmp(out->files[i].sha256.b, sha256->b, sizeof(sha256->b)) == 0) {
            return true;
        }
    }
    return false;
}

/* By which transfer it came there; a delta stands for the whole that went in its place. */
static bool
has_final(const struct outbound *out, const struct sf_fingerprint *fingerprint)
{
    const struct out_to *to = find_to(out, fingerprint);

    return to != NULL && to->record.phase == SF_TO_FINAL;
}

/* Of the peer of that name; NULL: there is none. */
static const struct sf_fingerprint *
fingerprint_of(const struct sf_node *node, const char *name)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct peer *peer = &node->peers[node->peer_order[i]];

        if (strcmp(peer->conf.name, name) == 0) {
            return &peer->conf.card.fingerprint;
        }
    }
    return NULL;
}

bool
sf_node_came_by(const struct sf_node *node, const struct sf_transfer_id *transfer, const char *name,
    struct sf_transfer_id *ret_by)
{
    const struct sf_fingerprint *fingerprint = fingerprint_of(node, name);

    for (const struct outbound *out = node->outs; fingerprint != NULL && out != NULL;
         out = out->next) {
        bool is_it =
            sf_transfer_equal(&out->id, transfer) ||
            (out->record.role == SF_OUT_WHOLE && sf_transfer_equal(&out->record.pair, transfer));

        if (is_it && out->has_manifest && has_final(out, fingerprint)) {
            *ret_by = out->id;
            return true;
        }
    }
    return false;
}

bool
sf_node_holds(
    const struct sf_node *node, const char *name, const struct sf_digest *sha256, uint64_t bytes)
{
    const struct sf_fingerprint *fingerprint = fingerprint_of(node, name);

    for (const struct outbound *out = node->outs; fingerprint != NULL && out != NULL;
         out = out->next) {
        if (has_file(out, sha256, bytes) && has_final(out, fingerprint)) {
            return true;
        }
    }
    return false;
}

/* The first recipient that did not get all bases by `out`, or NULL. */
static const char *
who_lacks(struct sf_node *node, const struct outbound *out, const struct sf_node_send *send)
{
    for (size_t i = 0; i < send->recipient_count; i++) {
        const struct peer *peer = peer_named(node, send->recipients[i]);

        if (peer == NULL || !has_final(out, &peer->conf.card.fingerprint)) {
            return send->recipients[i];
        }
    }
    return NULL;
}

static bool
has_all_files(const struct outbound *out, const struct sf_node_send *send)
{
    for (size_t i = 0; i < send->source_count; i++) {
        const struct sf_node_base *base = send->sources[i].base;

        if (base != NULL && !has_file(out, &base->sha256, base->stat.bytes)) {
            return false;
        }
    }
    return true;
}

int
whole_find_base(struct sf_node *node, const struct sf_node_send *send,
    const struct sf_transfer_id *must_be, struct outbound **ret_base, struct sf_node_error *error)
{
    struct outbound *found = NULL;
    const char *lacks = send->recipients[0];
    size_t count = 0;

    for (size_t i = 0; i < send->source_count; i++) {
        count += send->sources[i].base != NULL;
    }
    if (count > SF_OUTLINE_BASES_MAX) {
        return node_error(error, SF_EINVAL, "%zu files have a base: a transfer has at most %d",
            count, SF_OUTLINE_BASES_MAX);
    }
    if (send->forget_key) {
        return node_error(error, SF_EINVAL,
            "with a base the key cannot be forgotten: the whole may have to be granted later");
    }
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        if ((must_be != NULL && !sf_transfer_equal(&out->id, must_be)) ||
            !has_all_files(out, send)) {
            continue;
        }
        lacks = who_lacks(node, out, send);
        if (lacks == NULL) {
            found = out; /* the newest stands last */
        }
    }
    if (found == NULL) {
        return node_error(error, SF_ENOENT,
            "%.63s has not signed for this base: no transfer that is remembered here brought it "
            "to every recipient; send without a base, or to each by itself",
            lacks);
    }
    *ret_base = found;
    return SF_OK;
}

/* --- What becomes of the two --------------------------------------------------------------- */

bool
whole_is_awaited(const struct outbound *delta)
{
    const struct outbound *whole = whole_of(delta);

    return delta->record.role == SF_OUT_DELTA && (whole == NULL || !whole->is_custody_durable);
}

const struct out_to *
whole_to(const struct outbound *delta, const struct out_to *to)
{
    const struct outbound *whole = whole_of(delta);

    return to->record.phase != SF_TO_WHOLE || whole == NULL ? NULL
                                                            : find_to(whole, &to->fingerprint);
}

static void
offer_whole(void *owner)
{
    outbound_offer(owner);
}

bool
whole_take_over(struct outbound *delta, struct out_to *to)
{
    struct sf_node *node = delta->node;
    struct outbound *whole = whole_of(delta);
    struct peer *peer = peer_of(node, &to->fingerprint);
    struct out_to *other = whole == NULL ? NULL : find_to(whole, &to->fingerprint);

    if (other == NULL || peer == NULL || !whole->is_custody_durable || !out_is_open(whole) ||
        other->record.phase != SF_TO_STANDBY) {
        return false;
    }
    to->record.phase = SF_TO_WHOLE;
    to->record.reason = SF_REFUSAL_NEED_BASE;
    out_withdraw(delta, to);
    mail_drop(node, peer_number(node, peer), &delta->id, MAIL_GRANT);
    other->record.phase = SF_TO_OPEN;
    other->record.number = peer->record.number_next++;
    cover_owe(node, peer, whole);
    node_must(node, peer_save(node, peer));
    node_must(node, outbound_save_to(delta, to));
    node_must(node, outbound_save_to(whole, other));
    record_out(delta, "base_missing", to, sf_refusal_text(SF_REFUSAL_NEED_BASE));
    node_say(node, SF_NODE_EVENT_TRANSFER, &delta->id, "%s: %s; it gets the whole", peer->conf.name,
        sf_refusal_text(SF_REFUSAL_NEED_BASE));
    node_commit_then(node, offer_whole, whole);
    return true;
}

void
whole_spare(struct outbound *delta, const struct out_to *to)
{
    struct outbound *whole = whole_of(delta);
    struct out_to *other = whole == NULL ? NULL : find_to(whole, &to->fingerprint);

    if (other != NULL && other->record.phase == SF_TO_STANDBY) {
        other->record.phase = SF_TO_SPARED;
        node_must(delta->node, outbound_save_to(whole, other));
        node_commit_then(delta->node, out_settle, whole);
    }
}

void
whole_failed(struct outbound *out, enum sf_cancel_reason reason, const char *why)
{
    struct outbound *whole = whole_of(out);
    struct outbound *delta = delta_of(out);

    if (whole != NULL && (out_is_open(whole) || whole->record.phase == SF_OUT_FAILED) &&
        whole->record.reason == 0) {
        outbound_end(whole, SF_OUT_CANCELLED, reason);
    }
    if (delta != NULL && delta->record.phase == SF_OUT_SEALING) {
        outbound_fail(delta, reason, why);
    }
}

void
whole_recover(struct sf_node *node)
{
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        const struct outbound *delta = delta_of(out);

        if (out->record.role == SF_OUT_WHOLE && out_is_open(out) &&
            (delta == NULL || !out_is_open(delta))) {
            outbound_end(out, SF_OUT_CANCELLED, SF_CANCEL_OPERATOR);
        }
    }
}
