/*
 * hpke.h - hybrid public key encryption (RFC 9180), one suite of it.
 *
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305: 0x0020, 0x0001,
 * 0x0003; modes Base and PSK. Grants and letters seal one message per context;
 * the context is public so that all of the RFC's vectors can be checked.
 * Thread-safe for distinct contexts.
 */
#ifndef SF_BUNDLE_HPKE_H
#define SF_BUNDLE_HPKE_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_HPKE_ENC_BYTES = 32,     /* encapsulated key */
    SF_HPKE_SECRET_BYTES = 32,  /* shared secret of the KEM */
    SF_HPKE_IKM_BYTES = 32,     /* randomness of one encapsulation */
    SF_HPKE_PSK_BYTES_MIN = 32, /* RFC 9180, 9.5 */
};

/* A pre-shared key and its name; both empty in mode Base, neither in mode PSK. */
struct sf_hpke_psk {
    struct sf_view key; /* at least SF_HPKE_PSK_BYTES_MIN bytes */
    struct sf_view id;
};

/* One direction's key material. Secret: wipe it with sf_hpke_fini(). */
struct sf_hpke {
    uint8_t key[SF_AEAD_KEY_BYTES];
    uint8_t base_nonce[SF_AEAD_NONCE_BYTES];
    uint8_t exporter[SF_SHA256_BYTES];
    uint64_t sequence;
};

/* DeriveKeyPair (7.1.3): the key pair of 32 or more random bytes. */
void sf_hpke_derive_keypair(
    struct sf_view ikm, uint8_t ret_sk[SF_X25519_BYTES], uint8_t ret_pk[SF_X25519_BYTES]);

/*
 * Encap (4.1) to `pk_r`, with the ephemeral key pair derived from `ikm`, which
 * must be fresh random bytes.
 *
 * Returns SF_OK, or SF_EAUTH if `pk_r` is of low order.
 */
SF_MUST_USE int sf_hpke_encap(const uint8_t pk_r[SF_X25519_BYTES],
    const uint8_t ikm[SF_HPKE_IKM_BYTES], uint8_t ret_enc[SF_HPKE_ENC_BYTES],
    uint8_t ret_secret[SF_HPKE_SECRET_BYTES]);

/* Decap (4.1) with the recipient's key pair. SF_OK, or SF_EAUTH if `enc` is of low order. */
SF_MUST_USE int sf_hpke_decap(const uint8_t enc[SF_HPKE_ENC_BYTES],
    const uint8_t sk_r[SF_X25519_BYTES], const uint8_t pk_r[SF_X25519_BYTES],
    uint8_t ret_secret[SF_HPKE_SECRET_BYTES]);

/*
 * KeySchedule (5.1) in mode Base (`psk` NULL) or PSK.
 *
 * Returns SF_OK, or SF_EINVAL if the PSK is shorter than SF_HPKE_PSK_BYTES_MIN
 * or one of its parts is empty; then `hpke` is untouched.
 */
SF_MUST_USE int sf_hpke_schedule(struct sf_hpke *hpke, const uint8_t secret[SF_HPKE_SECRET_BYTES],
    struct sf_view info, const struct sf_hpke_psk *psk);

/* Wipe the context. */
void sf_hpke_fini(struct sf_hpke *hpke);

/*
 * Seal the next message: plain.bytes + SF_AEAD_TAG_BYTES to `out`, which may be
 * `plain.data`. Returns SF_OK, or SF_ELIMIT when the sequence is used up.
 */
SF_MUST_USE int sf_hpke_context_seal(
    struct sf_hpke *hpke, struct sf_view ad, struct sf_view plain, uint8_t *out);

/*
 * Open the next message into `out` (may be `sealed.data`). SF_OK, SF_EFORMAT if
 * shorter than a tag, SF_EAUTH (`out` is zeroed and the sequence stays), SF_ELIMIT.
 */
SF_MUST_USE int sf_hpke_context_open(
    struct sf_hpke *hpke, struct sf_view ad, struct sf_view sealed, uint8_t *out);

/* Export (5.3): a secret for another use; `out_bytes` at most SF_HKDF_BYTES_MAX. */
void sf_hpke_context_export(
    const struct sf_hpke *hpke, struct sf_view label, uint8_t *out, size_t out_bytes);

/* What a single-shot seal or open is given (6.1). */
struct sf_hpke_message {
    struct sf_view info;
    struct sf_view ad;
    const struct sf_hpke_psk *psk; /* NULL: mode Base */
};

/*
 * Encapsulate to `pk_r` with randomness `ikm`, and seal `plain` as the only
 * message: plain.bytes + SF_AEAD_TAG_BYTES to `out`. Errors as encap and schedule.
 */
SF_MUST_USE int sf_hpke_seal(const struct sf_hpke_message *message,
    const uint8_t pk_r[SF_X25519_BYTES], const uint8_t ikm[SF_HPKE_IKM_BYTES], struct sf_view plain,
    uint8_t ret_enc[SF_HPKE_ENC_BYTES], uint8_t *out);

/* Open such a message with the recipient's key pair. Errors as decap, schedule and context_open. */
SF_MUST_USE int sf_hpke_open(const struct sf_hpke_message *message,
    const uint8_t enc[SF_HPKE_ENC_BYTES], const uint8_t sk_r[SF_X25519_BYTES],
    const uint8_t pk_r[SF_X25519_BYTES], struct sf_view sealed, uint8_t *out);

#endif
