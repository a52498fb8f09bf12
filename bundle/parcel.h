/*
 * parcel.h - what grants and letters have in common: an object sealed to the
 * prekeys of one or more nodes.
 *
 * Inside bundle/ only; grant.h and letter.h are what others call.
 *
 *   offset   bytes     what
 *   0        1         d0: tag 16, COSE_Encrypt0
 *   1        1         83: array of 3
 *   2        17        byte string: protected {1: 24, -70001: version 1, -70002: suite 1}
 *   19       1         a3: unprotected, 3 pairs
 *   20       18        4: id (16 random bytes)
 *   38       14        5: IV (12 random bytes)
 *   52       5         -70004:
 *   57       2 | 3     head of the entries
 *   59|60    108 n     entries, n a power of two up to 128
 *   ..       3         head of the ciphertext (its length is always 256 .. 65,535)
 *   ..       ..        ciphertext of: signature (64), sender (32), content, 80, 00...
 *   end-16   16        tag
 *
 * An entry: enc (32), hint (8), prekey number (4), rung (8), sealed body key and number (56).
 * With m = HMAC-SHA-256(hint key, enc): hint = m[0..8], and the two numbers are
 * masked with m[8..12] and m[12..20], so that only who holds the card can tell
 * whom an entry is for, or a real one from filling.
 *
 * The signature is that of a COSE_Sign1 with detached payload [suite, kind,
 * sender, d], d = HMAC-SHA-256(body key, label || all before the ciphertext, its head
 * included || all behind the signature). It ties content, entries and body key together.
 *
 * Thread-safe.
 */
#ifndef SF_BUNDLE_PARCEL_H
#define SF_BUNDLE_PARCEL_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/status.h"
#include "bundle/card.h"
#include "bundle/envelope.h"
#include "bundle/grant.h"
#include "bundle/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_PARCEL_ENTRY_BYTES = 108,
    SF_PARCEL_BODY_FRAME_BYTES = 64 + 32 + 1, /* signature, sender, padding mark */
};

/* In what grants and letters differ. */
struct sf_parcel_use {
    enum sf_kind kind;
    struct sf_view entry_label;
    struct sf_view body_label;
    struct sf_view sign_label;
};

struct sf_parcel_config {
    const struct sf_parcel_use *use;
    const struct sf_identity *identity; /* the sender */
    const struct sf_grant_recipient *recipients;
    size_t recipient_count;      /* 1 .. SF_GRANT_ENTRIES_MAX */
    struct sf_view content_head; /* goes before the content; may be empty */
    struct sf_view content;      /* at least one byte */
};

/* The control class such an object needs, or 0 if none is large enough. */
size_t sf_parcel_class(size_t recipient_count, size_t content_bytes);

/*
 * Write the object. SF_OK and *ret_bytes; SF_ELIMIT (bytes_max too small, or no
 * class large enough), SF_EAUTH (a card with a key of low order), SF_EIO (the
 * fresh signature does not verify). After an error `out` holds no secret.
 */
SF_MUST_USE int sf_parcel_seal(const struct sf_parcel_config *config,
    const struct sf_random *random, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/* The outside of an object; views into it. */
struct sf_parcel {
    struct sf_view head;    /* all before the entries */
    struct sf_view outside; /* all before the ciphertext */
    struct sf_view entries;
    struct sf_view cipher; /* with the tag */
    size_t entry_count;
    uint8_t id[SF_OBJECT_ID_BYTES];
    uint8_t iv[SF_AEAD_NONCE_BYTES];
};

/* Check the whole outer form; no cryptography. SF_OK or SF_EFORMAT. */
SF_MUST_USE int sf_parcel_parse(struct sf_view object, struct sf_parcel *ret_parcel);

/* What this node's entry says. Secret: wipe it. */
struct sf_parcel_entry {
    uint8_t body_key[SF_AEAD_KEY_BYTES];
    uint64_t number;
    uint32_t prekey_number;
    bool has_psk;
    uint64_t rung;
    struct sf_fingerprint psk_owner; /* if has_psk */
};

/*
 * Find and open this node's entry: the first whose hint matches decides. Nothing
 * is authenticated yet. SF_OK, SF_ENOENT (no hint matches), SF_ESTATE (the prekey
 * is gone), SF_EAUTH. `psks` may be NULL.
 */
SF_MUST_USE int sf_parcel_open_entry(const struct sf_parcel *parcel,
    const struct sf_parcel_use *use, const struct sf_identity *identity,
    const struct sf_grant_psk_lookup *psks, struct sf_parcel_entry *ret_entry);

/*
 * Decrypt the body to `plain` (cipher.bytes - 16 bytes; may be the cipher
 * itself) and verify who sent it. SF_OK, *ret_sender and *ret_content (in `plain`);
 * SF_EAUTH, or SF_EFORMAT if the padding is wrong although signed; then `plain` is zeroed.
 */
SF_MUST_USE int sf_parcel_open_body(const struct sf_parcel *parcel, const struct sf_parcel_use *use,
    const struct sf_parcel_entry *entry, const struct sf_card_lookup *cards, uint8_t *plain,
    struct sf_fingerprint *ret_sender, struct sf_view *ret_content);

#endif
