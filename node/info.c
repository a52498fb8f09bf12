/*
 * info.c - what people are shown of transfers.
 */
#include "node/whole.h"

#include <stdio.h>

const char *
sf_node_state_name(enum sf_node_state state)
{
    static const char *const names[] = {"sealing", "interrupted", "custody", "receiving",
        "verifying", "done", "failed", "cancelled", "waiting"};

    return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *
sf_node_recipient_state_name(enum sf_node_recipient_state state)
{
    static const char *const names[] = {
        "waiting", "held", "verified", "paused", "final", "refused", "cancelled", "revoked"};

    return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static enum sf_node_state
out_state(const struct outbound *out)
{
    switch (out->record.phase) {
    case SF_OUT_SEALING:
        return out->intake == NULL && out->restarted ? SF_NODE_INTERRUPTED : SF_NODE_SEALING;
    case SF_OUT_CUSTODY:
        return out->is_custody_durable ? SF_NODE_CUSTODY : SF_NODE_SEALING;
    case SF_OUT_DONE:
        return SF_NODE_DONE;
    case SF_OUT_FAILED:
        return SF_NODE_FAILED;
    default:
        return SF_NODE_CANCELLED;
    }
}

static enum sf_node_recipient_state
to_state(const struct out_to *to)
{
    switch (to->record.phase) {
    case SF_TO_VERIFIED:
        return SF_NODE_TO_VERIFIED;
    case SF_TO_FINAL:
        return SF_NODE_TO_FINAL;
    case SF_TO_REFUSED:
        return SF_NODE_TO_REFUSED;
    case SF_TO_CANCELLING:
    case SF_TO_CANCELLED:
    case SF_TO_SPARED:
        return SF_NODE_TO_CANCELLED;
    case SF_TO_REVOKED:
        return SF_NODE_TO_REVOKED;
    default:
        break;
    }
    if (to->is_paused) {
        return SF_NODE_TO_PAUSED;
    }
    return to->record.opened ? SF_NODE_TO_HELD : SF_NODE_TO_WAITING;
}

/* Why nothing moves towards a recipient, as far as this end can know. */
static const char *
silence(const struct sf_node *node, const struct peer *peer)
{
    struct sf_link_peer_stats stats;

    if (peer == NULL) {
        return "the peer was removed; add it again, or cancel";
    }
    if (!peer->conf.may_receive) {
        return "the peer is no longer allowed to receive";
    }
    if (sf_link_peer_stats(node->link, peer_number(node, peer), &stats) != SF_OK) {
        return "";
    }
    if (contacts_are_silent(peer)) {
        return "waits for the next contact of its plan";
    }
    if (contacts_have_ended(peer) && stats.state != SF_LINK_STATE_UP) {
        return "its contact plan has ended";
    }
    if (stats.state == SF_LINK_STATE_DARK) {
        return "out of contact";
    }
    if (stats.state == SF_LINK_STATE_UP) {
        return "";
    }
    return stats.has_addr
               ? "no answer yet: it is away, or its address, card or pre-shared key differs"
               : "waits to be called: the peer has no endpoint here";
}

static void
fill_recipient(
    struct sf_node *node, struct outbound *out, struct out_to *to, struct sf_node_recipient *ret)
{
    const struct peer *peer = peer_of(node, &to->fingerprint);
    struct outbound *whole = whole_of(out);
    const struct sf_range_set *has =
        to->data_handle == 0 ? NULL : sf_link_peer_has(node->link, to->data_handle);

    if (to->record.phase == SF_TO_WHOLE && whole != NULL) {
        fill_recipient(node, whole, &whole->to[to->record.order], ret);
        if (ret->why[0] == '\0') {
            snprintf(ret->why, sizeof(ret->why), "its base was gone: it gets the whole");
        }
        return;
    }
    memset(ret, 0, sizeof(*ret));
    ret->state = to_state(to);
    snprintf(ret->name, sizeof(ret->name), "%s",
        peer != NULL                       ? peer->conf.name
        : ret->state == SF_NODE_TO_REVOKED ? "(revoked)"
                                           : "(removed)");
    ret->held = to->record.phase == SF_TO_FINAL ? out->record.count
                                                : sf_range_set_total(&to->receipts.held);
    ret->pad_bytes = peer != NULL && out->record.count != 0 ? cover_pad_bytes(out, peer) : 0;
    if (has != NULL) {
        to->link_has = sf_range_set_total(has);
    }
    ret->link_bytes = (to->record.phase == SF_TO_FINAL ? out->record.count : to->link_has) *
                      (uint64_t)out->record.class_bytes;
    if (ret->state == SF_NODE_TO_REVOKED) {
        snprintf(ret->why, sizeof(ret->why), "it was revoked here");
    } else if (to->why[0] == '\0' && ret->state <= SF_NODE_TO_VERIFIED) {
        snprintf(ret->why, sizeof(ret->why), "%s", silence(node, peer));
    } else {
        snprintf(ret->why, sizeof(ret->why), "%s", to->why);
    }
}

static void
fill_out(struct outbound *out, struct sf_node_transfer *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = out->id;
    ret->outgoing = true;
    ret->state = out_state(out);
    memcpy(ret->label, out->label, sizeof(ret->label));
    ret->single_file = out->record.single_file;
    ret->priority = out->record.priority;
    ret->deadline = out->record.deadline;
    ret->class_bytes = out->record.class_bytes;
    ret->slots = out->record.slots;
    ret->count = out->record.count;
    ret->sealed = out->record.count != 0 ? out->record.count : sf_range_set_total(&out->sealed);
    ret->plain_bytes = out->record.plain_bytes;
    ret->plain_done = out->record.count != 0 ? out->record.plain_bytes : out->plain_done;
    ret->created = out->record.created;
    ret->ended = out->record.ended;
    ret->has_base = out->record.role == SF_OUT_DELTA;
    ret->base = out->record.base;
    ret->is_in_place = out->record.role == SF_OUT_WHOLE;
    ret->key_forgotten = out->record.forget_key && out->seal == NULL;
    ret->recipient_count = out->record.recipient_count;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        fill_recipient(out->node, out, &out->to[i], &ret->recipients[i]);
    }
    if (out->node->is_full && out->record.phase == SF_OUT_SEALING) {
        snprintf(ret->why, sizeof(ret->why),
            "waits: this disk is full, %llu more bytes must become free",
            (unsigned long long)out->node->full_need_bytes);
    } else {
        memcpy(ret->why, out->why, sizeof(ret->why));
    }
}

static enum sf_node_state
in_state(const struct inbound *in)
{
    switch (in->record.phase) {
    case SF_IN_DELIVERING:
        return SF_NODE_VERIFYING;
    case SF_IN_DONE:
        return SF_NODE_DONE;
    case SF_IN_REFUSED:
        return in->record.reason == SF_REFUSAL_CANCELLED ? SF_NODE_CANCELLED : SF_NODE_FAILED;
    default:
        break;
    }
    return in->record.count != 0 && sf_range_set_covers(&in->held, 0, in->record.count)
               ? SF_NODE_VERIFYING
               : SF_NODE_RECEIVING;
}

static void
fill_in(const struct inbound *in, struct sf_node_transfer *ret)
{
    const struct peer *peer = peer_of(in->node, &in->sender);
    const struct sf_outline *outline = in->decoder == NULL ? NULL : decoder_outline(in->decoder);

    memset(ret, 0, sizeof(*ret));
    ret->id = in->id;
    ret->state = in_state(in);
    ret->class_bytes = in->record.class_bytes;
    ret->slots = in->record.slots;
    ret->count = in->record.count;
    ret->held = in->record.phase == SF_IN_DONE ? in->record.count : sf_range_set_total(&in->held);
    if (outline != NULL) {
        snprintf(ret->label, sizeof(ret->label), "%s", outline->label);
        ret->single_file = outline->single;
        ret->plain_bytes = outline->total_bytes;
        ret->plain_done = decoder_verified_bytes(in->decoder);
    } else if (in->record.phase == SF_IN_DONE) {
        ret->plain_bytes = in->record.verified;
        ret->plain_done = in->record.verified;
    }
    ret->received_bytes = in->received_bytes;
    ret->created = in->record.created;
    ret->ended = in->record.ended;
    snprintf(ret->peer, sizeof(ret->peer), "%s", peer == NULL ? "(removed)" : peer->conf.name);
    ret->need_bytes = in->paused != 0 ? in->need_bytes : 0;
    memcpy(ret->delivered_as, in->delivered_as, sizeof(ret->delivered_as));
    memcpy(ret->why, in->why, sizeof(ret->why));
}

bool
sf_node_transfer_at(const struct sf_node *node, size_t index, struct sf_node_transfer *ret_transfer)
{
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        if (out_is_shown(out) && index-- == 0) {
            fill_out(out, ret_transfer);
            return true;
        }
    }
    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (!in->is_forgotten && index-- == 0) {
            fill_in(in, ret_transfer);
            return true;
        }
    }
    return postponed_at(node, index, ret_transfer);
}

static const struct inbound *
find_in(const struct sf_node *node, const struct sf_transfer_id *id)
{
    const struct inbound *in = node->ins;

    while (in != NULL && (in->is_forgotten || !sf_transfer_equal(&in->id, id))) {
        in = in->next;
    }
    return in;
}

static struct outbound *
find_out(const struct sf_node *node, const struct sf_transfer_id *id)
{
    struct outbound *out = node->outs;

    while (out != NULL && !sf_transfer_equal(&out->id, id)) {
        out = out->next;
    }
    return out;
}

bool
sf_node_transfer_find(const struct sf_node *node, const struct sf_transfer_id *id,
    struct sf_node_transfer *ret_transfer)
{
    struct outbound *out = find_out(node, id);
    const struct inbound *in = find_in(node, id);

    if (out != NULL) {
        fill_out(out, ret_transfer);
    } else if (in != NULL) {
        fill_in(in, ret_transfer);
    }
    return out != NULL || in != NULL || postponed_find(node, id, ret_transfer);
}

struct sf_view
sf_node_transfer_receipt(const struct sf_node *node, const struct sf_transfer_id *id, size_t index)
{
    const struct outbound *out = find_out(node, id);
    const struct inbound *in = find_in(node, id);
    uint8_t key[SF_PAIR_KEY_BYTES];

    if (out != NULL && index < out->record.recipient_count) {
        if (out->to[index].record.phase == SF_TO_WHOLE && whole_of(out) != NULL) {
            out = whole_of(out);
        }
        sf_pair_key(&out->id, &out->to[index].fingerprint, key);
        return sf_journal_get(node->journal, SF_TABLE_OUT_RECEIPT, sf_view(key, sizeof(key)));
    }
    if (in != NULL && index == 0 && in->record.phase >= SF_IN_DONE) {
        return sf_journal_get(
            node->journal, SF_TABLE_IN_RECEIPT, sf_view(in->key, sizeof(in->key)));
    }
    return sf_view(NULL, 0);
}

/* A delivered transfer's digests stand in its own FINAL receipt. */
static bool
file_of_receipt(const struct sf_node *node, const struct inbound *in, size_t index,
    struct sf_node_file *ret_file)
{
    struct sf_view encoded = sf_node_transfer_receipt(node, &in->id, 0);
    struct sf_receipt receipt;
    bool is_there;

    if (encoded.data == NULL || sf_receipt_decode(encoded, node->identity->sign_pk,
                                    &node->card.fingerprint, &receipt) != SF_OK) {
        return false;
    }
    is_there = receipt.files != NULL && index < receipt.file_count;
    if (is_there) {
        memcpy(ret_file->sha256.b, receipt.files[index].sha256, sizeof(ret_file->sha256.b));
        ret_file->bytes = receipt.files[index].bytes;
    }
    sf_receipt_fini(&receipt);
    return is_there;
}

bool
sf_node_transfer_file(const struct sf_node *node, const struct sf_transfer_id *id, size_t index,
    struct sf_node_file *ret_file)
{
    const struct outbound *out = find_out(node, id);
    const struct inbound *in = find_in(node, id);

    if (out != NULL) {
        if (!out->has_manifest || out->files == NULL || index >= out->record.file_count) {
            return false;
        }
        *ret_file = out->files[index];
        return true;
    }
    return in != NULL && file_of_receipt(node, in, index, ret_file);
}

int
sf_node_cancel(
    struct sf_node *node, const struct sf_transfer_id *transfer, struct sf_node_error *error)
{
    struct outbound *out = find_out(node, transfer);
    const struct inbound *found = find_in(node, transfer);

    if (out != NULL) {
        return outbound_cancel(node, out, error);
    }
    if (found != NULL) {
        return inbound_cancel(node, inbound_find(node, transfer, &found->sender), error);
    }
    if (postponed_cancel(node, transfer)) {
        return SF_OK;
    }
    return node_error(error, SF_ENOENT, "there is no transfer of that number");
}
