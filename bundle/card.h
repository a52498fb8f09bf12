/*
 * card.h - a node's public keys, signed by itself.
 *
 * COSE_Sign1 (tag 18, EdDSA) over the payload [version, name, sign_pk,
 * link_static_pk, hint_key, prekey number, prekey, link prekey number, link
 * prekey, issue], deterministic CBOR. As text: "skyferry-card-1:" and base64url
 * without padding, one line. Who may trust a card is the operator's word; the
 * signature only says that its parts belong together, and that a newer issue of
 * a known fingerprint comes from the same node. Cards are semi-secret: the hint
 * key lets its reader recognise what is meant for the node, not open it.
 * Thread-safe.
 */
#ifndef SF_BUNDLE_CARD_H
#define SF_BUNDLE_CARD_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"
#include "bundle/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_CARD_TEXT_PREFIX "skyferry-card-1:"

enum {
    SF_CARD_BYTES_MAX = 512,
    SF_CARD_TEXT_BYTES_MAX = 704, /* with the NUL */
};

struct sf_card_prekey {
    uint32_t number;
    uint8_t pk[SF_X25519_BYTES];
};

struct sf_card {
    struct sf_fingerprint fingerprint;
    uint8_t sign_pk[SF_SIGN_PUBLIC_BYTES];
    uint8_t link_static_pk[SF_X25519_BYTES];
    uint8_t hint_key[SF_HINT_KEY_BYTES];
    struct sf_card_prekey prekey;
    struct sf_card_prekey link_prekey;
    uint64_t issue;
    char name[SF_NAME_BYTES_MAX + 1];
};

/* The card of an identity as it is now. */
void sf_card_of(const struct sf_identity *identity, struct sf_card *ret_card);

/*
 * Write and sign the card. SF_OK and *ret_bytes, SF_ELIMIT if bytes_max is too
 * small (SF_CARD_BYTES_MAX suffices), SF_EIO if the signature does not verify
 * (a fault of the machine).
 */
SF_MUST_USE int sf_card_encode(
    const struct sf_identity *identity, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/*
 * Read a card and verify its signature.
 *
 * Returns SF_OK, SF_EFORMAT (not a card, or a bad name), SF_ELIMIT (longer than
 * SF_CARD_BYTES_MAX, or a number beyond its limit), SF_EAUTH (signature wrong, or
 * an X25519 key of low order, with which nothing could be sealed).
 */
SF_MUST_USE int sf_card_decode(struct sf_view encoded, struct sf_card *ret_card);

/* An encoded card as one line of text without newline, NUL-terminated. SF_OK, or SF_ELIMIT. */
SF_MUST_USE int sf_card_to_text(
    struct sf_view encoded, char *out, size_t bytes_max, size_t *ret_bytes);

/*
 * The encoded card in a line of text; white space before and after it is left out.
 * Returns SF_OK with *ret_bytes, SF_EFORMAT (prefix or base64url wrong, bits left
 * over), or SF_ELIMIT (too long for bytes_max). Decode what comes out.
 */
SF_MUST_USE int sf_card_from_text(
    struct sf_view text, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/* Whether `card` is a newer issue of the same node's `known` card. */
bool sf_card_supersedes(const struct sf_card *card, const struct sf_card *known);

/* Finds the card of a node the caller trusts; NULL if there is none. */
struct sf_card_lookup {
    const struct sf_card *(*find)(void *context, const struct sf_fingerprint *fingerprint);
    void *context;
};

#endif
