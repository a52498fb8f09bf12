/*
 * courier.c - receipts carried by other means than the link: where nothing
 * comes back over it, somebody brings them on a stick, or by mail.
 *
 * They are the letters that travel over the link: sealed to the sender, signed
 * by the receiver, cumulative, so that neither a reader on the way nor a copy
 * nor an old one does harm.
 */
#include "node/internal.h"

#include <stdlib.h>

static struct inbound *
find_in(struct sf_node *node, const struct sf_transfer_id *id)
{
    struct inbound *in = node->ins;

    while (in != NULL && !sf_transfer_equal(&in->id, id)) {
        in = in->next;
    }
    return in;
}

int
sf_node_receipt_export(struct sf_node *node, const struct sf_transfer_id *id, uint8_t *out,
    size_t *ret_bytes, struct sf_node_error *error)
{
    struct inbound *in = find_in(node, id);
    const struct peer *peer = in == NULL ? NULL : peer_of(node, &in->sender);
    uint8_t *receipt;
    size_t bytes;
    int status;

    if (in == NULL) {
        return node_error(error, SF_ENOENT,
            "there is no incoming transfer of that id: receipts are given where it arrives");
    }
    if (peer == NULL) {
        return node_error(
            error, SF_ESTATE, "its sender is no peer of this node: add the sender's card first");
    }
    receipt = malloc(SF_RECEIPT_BYTES_MAX);
    if (receipt == NULL) {
        return node_error(error, SF_ENOMEM, "no memory for the receipt");
    }
    status = inbound_state(in, receipt, &bytes);
    if (status == SF_ESTATE) {
        (void)node_error(error, status,
            "nothing of it can be signed for just now: its grant has not come, or it is being "
            "delivered; try again in a moment");
    } else if (status == SF_OK) {
        status = sf_letter_seal(node->identity, &peer->conf.card, SF_LETTER_RECEIPT,
            sf_view(receipt, bytes), &node->config.random, out, SF_LETTER_BYTES_MAX, ret_bytes);
    }
    if (status != SF_OK && status != SF_ESTATE) {
        (void)node_error(error, status, "the receipt cannot be sealed: %s", sf_status_text(status));
    }
    free(receipt);
    return status;
}

/* What the receipt in `content` of `peer` is about; it was decoded once already if it counts. */
static int
subject_of(const struct peer *peer, struct sf_view content, struct sf_transfer_id *ret_transfer)
{
    struct sf_receipt receipt;
    int status =
        sf_receipt_decode(content, peer->conf.card.sign_pk, &peer->conf.card.fingerprint, &receipt);

    if (status == SF_OK) {
        *ret_transfer = receipt.transfer;
        sf_receipt_fini(&receipt);
    }
    return status;
}

static bool
was_sent_to(struct sf_node *node, const struct sf_transfer_id *id, const struct peer *peer)
{
    const struct outbound *out = outbound_find(node, id);

    for (uint32_t i = 0; out != NULL && i < out->record.recipient_count; i++) {
        if (sf_fingerprint_equal(&out->to[i].fingerprint, &peer->conf.card.fingerprint)) {
            return true;
        }
    }
    return false;
}

int
sf_node_receipt_import(struct sf_node *node, uint8_t *letter, size_t bytes,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error)
{
    const struct sf_card_lookup cards = {peers_find_card, node};
    struct sf_letter opened;
    struct sf_transfer_id transfer;
    struct peer *peer;
    int status = sf_letter_open(node->identity, &cards, letter, bytes, &opened);

    switch (status) {
    case SF_OK:
        break;
    case SF_EFORMAT:
        return node_error(
            error, status, "this is no receipt: give what `skyferry receipt export` wrote");
    case SF_ENOENT:
        return node_error(error, SF_EAUTH, "this receipt is for another node");
    case SF_ESTATE:
        return node_error(error, status,
            "this receipt is sealed to a key that this node has given up: give the receiver this "
            "node's current card (`skyferry card`), and export it again");
    default:
        return node_error(error, status,
            "this receipt is not authentic: no peer of this node has signed it, or it was changed");
    }
    peer = peer_of(node, &opened.sender);
    if (opened.type != SF_LETTER_RECEIPT || peer == NULL ||
        subject_of(peer, opened.content, &transfer) != SF_OK) {
        return node_error(error, SF_EAUTH, "this is an authentic letter, but no valid receipt");
    }
    if (!was_sent_to(node, &transfer, peer)) {
        return node_error(error, SF_ENOENT,
            "peer %s gives a receipt for a transfer that this node has not sent to it, or has "
            "forgotten",
            peer->conf.name);
    }
    outbound_receipt(node, peer, opened.content);
    *ret_transfer = transfer;
    return SF_OK;
}
