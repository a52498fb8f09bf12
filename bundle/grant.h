/*
 * grant.h - the object that gives recipients a transfer's content key.
 *
 * Two layers. One HPKE message per recipient, an *entry*, holds a fresh body key
 * and the recipient's own number for the transfer. The body, sealed once under
 * that key, holds the sender's signature and [version, sender, transfer, CEK, class,
 * slots]. The signature covers the entries too, so nobody who has the body
 * key can address the grant to someone else, change a number or reorder them.
 *
 * Outside: tagged COSE_Encrypt0 [{1: 24, version, suite}, {4: id, 5: IV, -70004:
 * entries}, ciphertext] of 1, 4 or 16 KiB. An entry is 108 bytes that look
 * random: enc (32), hint (8), prekey number (4) and PSK rung (8) both masked
 * with the recipient's hint key, sealed key and number (56). Entries are shuffled and filled
 * up to a power of two with ones that nobody can open.
 *
 * Thread-safe.
 */
#ifndef SF_BUNDLE_GRANT_H
#define SF_BUNDLE_GRANT_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/status.h"
#include "bundle/card.h"
#include "bundle/envelope.h"
#include "bundle/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_GRANT_ENTRIES_MAX = 128,
    SF_GRANT_BYTES_MAX = 16 << 10, /* of a grant: the largest class it can need */
    SF_PSK_BYTES = 32,
    SF_GRANT_PSK_CANDIDATES_MAX = 64, /* tried for one entry */
};

/* One to whom the key is given. */
struct sf_grant_recipient {
    const struct sf_card *card; /* its prekey is used */
    bool has_psk;
    uint8_t psk[SF_PSK_BYTES]; /* of `rung`, if has_psk */
    uint64_t rung;             /* 1 and up, reserved durably and never used before, if has_psk */
    uint64_t number;           /* of this transfer for this recipient */
};

struct sf_grant_config {
    const struct sf_identity *identity; /* the sender */
    struct sf_transfer_id transfer;
    const uint8_t *cek;   /* SF_CEK_BYTES */
    uint32_t class_bytes; /* of the transfer's bundles */
    uint64_t slots;       /* the most bundles it can have, 1 .. SF_BUNDLES_MAX */
    const struct sf_grant_recipient *recipients;
    size_t recipient_count; /* 1 .. SF_GRANT_ENTRIES_MAX */
};

/*
 * Write a grant of a control class (1, 4 or 16 KiB) to `out`. Every call gives
 * another object, with keys of its own.
 *
 * Returns SF_OK and *ret_bytes; SF_EINVAL (a value outside the limits above),
 * SF_ELIMIT (bytes_max too small; SF_GRANT_BYTES_MAX suffices), SF_EAUTH (a card
 * with a key of low order), SF_EIO (the fresh signature does not verify).
 */
SF_MUST_USE int sf_grant_seal(const struct sf_grant_config *config, const struct sf_random *random,
    uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/* What an opened grant says. Holds the CEK: wipe it after use. */
struct sf_grant {
    uint8_t id[SF_OBJECT_ID_BYTES]; /* of this grant object, for REFUSED */
    struct sf_fingerprint sender;
    struct sf_transfer_id transfer;
    uint8_t cek[SF_CEK_BYTES];
    uint32_t class_bytes;
    uint64_t slots;
    uint64_t number;        /* this recipient's number for the transfer */
    uint32_t prekey_number; /* to which it was sealed */
    bool has_psk;
    uint64_t rung; /* the one used, if has_psk: commit to it now, erase it at FINAL */
};

/* The pre-shared keys a recipient could have been given under `rung`. */
struct sf_grant_psk_lookup {
    /*
     * Candidate number `n` (0, 1, ...) for `rung`: its key and whose it is.
     * Returns false when there are no more. Must not commit to the rung: nothing
     * is authentic yet. May be NULL: no peer has one.
     */
    bool (*find)(void *context, uint64_t rung, size_t n, uint8_t ret_psk[SF_PSK_BYTES],
        struct sf_fingerprint *ret_sender);
    /* Whether grants from `sender` must use a PSK; one without is then SF_EAUTH. May be NULL: none. */
    bool (*required)(void *context, const struct sf_fingerprint *sender);
    void *context;
};

/*
 * Open a grant. Checked in this order: size and outer form, with the number of
 * entries; a hint; the prekey; the entry; the body; the sender's card; the signature; the
 * padding in full; the fields; that a PSK was used where it must be, and is the sender's.
 *
 * Returns SF_OK and *ret_grant;
 *   SF_EFORMAT  not a grant, or its signed content is malformed: drop it
 *   SF_ENOENT   it is not for this node: stay silent
 *   SF_ESTATE   it is, but the prekey is gone: answer REFUSED with sf_grant_id() and the current card
 *   SF_EAUTH    it claims to be, but nothing in it proves it (unknown sender, wrong or
 *               missing PSK, tampered with): drop it
 * *ret_grant is untouched unless SF_OK.
 */
SF_MUST_USE int sf_grant_open(const struct sf_identity *identity,
    const struct sf_card_lookup *cards, const struct sf_grant_psk_lookup *psks,
    struct sf_view object, struct sf_grant *ret_grant);

/* The id of a grant, without opening it. SF_OK, or SF_EFORMAT. */
SF_MUST_USE int sf_grant_id(struct sf_view object, uint8_t ret_id[SF_OBJECT_ID_BYTES]);

#endif
