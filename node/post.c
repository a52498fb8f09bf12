/*
 * post.c - grants and letters that arrive.
 *
 * What cannot be opened because a prekey is gone is answered with the current
 * card; what is not for this node, or proves nothing, is dropped in silence.
 */
#include "node/internal.h"

#include <stdlib.h>

/* The peer seals to keys that are gone: it needs the current card. */
static void
post_card(struct sf_node *node, struct peer *peer)
{
    static const struct sf_transfer_id about_none;
    uint8_t card[SF_CARD_BYTES_MAX];
    size_t bytes;

    if (mail_is_waiting(node, peer_number(node, peer), &about_none, MAIL_CARD) ||
        sf_card_encode(node->identity, card, sizeof(card), &bytes) != SF_OK) {
        return;
    }
    if (mail_letter(node, peer, SF_LETTER_CARD, sf_view(card, bytes), &about_none, MAIL_CARD) !=
        SF_OK) {
        node_say(node, SF_NODE_EVENT_NOTICE, NULL, "the card for %s has to wait", peer->conf.name);
    }
}

struct bearer {
    struct sf_node *node;
    struct peer *peer;
};

/* Who brings a grant must have signed it: no other peer's ladder is climbed for it. */
static bool
find_psk(
    void *context, uint64_t rung, size_t n, uint8_t ret_psk[32], struct sf_fingerprint *ret_sender)
{
    const struct bearer *bearer = context;

    *ret_sender = bearer->peer->conf.card.fingerprint;
    return n == 0 && bearer->peer->conf.has_psk &&
           ladder_find(bearer->node, bearer->peer, rung, ret_psk);
}

static bool
require_psk(void *context, const struct sf_fingerprint *sender)
{
    const struct bearer *bearer = context;
    const struct peer *peer = peer_of(bearer->node, sender);

    return peer != NULL && peer->conf.has_psk;
}

static void
take_grant(struct sf_node *node, struct peer *peer, const struct sf_transfer_id *transfer,
    struct sf_view object)
{
    const struct sf_card_lookup cards = {peers_find_card, node};
    struct bearer bearer = {node, peer};
    const struct sf_grant_psk_lookup psks = {find_psk, require_psk, &bearer};
    struct refusal refusal = {.transfer = *transfer, .retryable = true};
    struct sf_grant grant;
    int status = sf_grant_open(node->identity, &cards, &psks, object, &grant);

    switch (status) {
    case SF_OK:
        /* Who sends it must be who signed it, and it must be what the link announced. */
        if (sf_fingerprint_equal(&grant.sender, &peer->conf.card.fingerprint) &&
            sf_transfer_equal(&grant.transfer, transfer)) {
            inbound_grant(node, peer, &grant);
        } else {
            record_peer(node, "grant_rejected", peer, "not the sender's, or for another transfer");
        }
        sf_wipe(&grant, sizeof(grant));
        break;
    case SF_ESTATE:
        post_card(node, peer);
        refusal.reason = SF_REFUSAL_STALE_PREKEY;
        inbound_refuse_unknown(node, peer, &refusal);
        break;
    case SF_EAUTH:
        record_peer(node, "grant_rejected", peer, "pre-shared key missing or wrong, or forged");
        node_say(node, SF_NODE_EVENT_WARNING, transfer,
            "a grant of %s does not open: pre-shared key missing or wrong, or forged",
            peer->conf.name);
        refusal.reason = SF_REFUSAL_BAD_PSK;
        inbound_refuse_unknown(node, peer, &refusal);
        break;
    default:
        break;
    }
}

static void
take_letter(struct sf_node *node, struct peer *peer, uint8_t *bytes, size_t count)
{
    const struct sf_card_lookup cards = {peers_find_card, node};
    struct sf_letter letter;
    int status = sf_letter_open(node->identity, &cards, bytes, count, &letter);

    if (status == SF_ESTATE) {
        post_card(node, peer);
        return;
    }
    if (status != SF_OK || !sf_fingerprint_equal(&letter.sender, &peer->conf.card.fingerprint)) {
        return;
    }
    switch (letter.type) {
    case SF_LETTER_RECEIPT:
    case SF_LETTER_REFUSED:
        outbound_receipt(node, peer, letter.content);
        break;
    case SF_LETTER_CANCEL:
        inbound_cancelled(node, peer, letter.content);
        break;
    case SF_LETTER_CARD:
        (void)peer_take_card(node, peer, letter.content);
        break;
    }
}

void
post_take(struct sf_node *node, struct peer *peer, enum sf_kind kind,
    const struct sf_transfer_id *transfer, uint8_t *bytes, size_t count)
{
    if (kind == SF_KIND_GRANT) {
        take_grant(node, peer, transfer, sf_view(bytes, count));
    } else if (kind == SF_KIND_LETTER) {
        take_letter(node, peer, bytes, count);
    }
}
