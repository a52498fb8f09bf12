/*
 * crypto.h - the one place that calls libsodium and libcrypto.
 *
 * SHA-256, HMAC and HKDF (RFC 6234, 2104, 5869), ChaCha20-Poly1305 (RFC 8439),
 * X25519 (RFC 7748), Ed25519 (RFC 8032), memory for secrets. Bulk hashing and
 * ciphering go through libcrypto where configure found it, else through
 * libsodium; both give the same bytes (crypto_bulk.h).
 *
 * Call sf_crypto_init() once before anything else here. After that every
 * function may be called from any thread, for distinct outputs. None allocates
 * per call: libcrypto's contexts are kept one per thread and freed when the
 * thread ends.
 */
#ifndef SF_BASE_CRYPTO_H
#define SF_BASE_CRYPTO_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_SHA256_BYTES = 32,
    SF_AEAD_KEY_BYTES = 32,
    SF_AEAD_NONCE_BYTES = 12,
    SF_AEAD_TAG_BYTES = 16,
    SF_X25519_BYTES = 32, /* secret key, public key and shared secret alike */
    SF_SIGN_SEED_BYTES = 32,
    SF_SIGN_SECRET_BYTES = 64, /* seed and public key, as libsodium keeps them */
    SF_SIGN_PUBLIC_BYTES = 32,
    SF_SIGNATURE_BYTES = 64,
    SF_HKDF_BYTES_MAX = 255 * SF_SHA256_BYTES,
};

/*
 * Prepare the libraries. May be called again, and from several threads.
 *
 * Returns SF_OK, or SF_EIO if the system cannot give random bytes.
 */
SF_MUST_USE int sf_crypto_init(void);

/* Whether sf_crypto_init() has been called. */
bool sf_crypto_is_ready(void);

/* "libcrypto" or "libsodium": who does the bulk work in this build. */
const char *sf_crypto_bulk_name(void);

/* --- SHA-256, HMAC, HKDF --------------------------------------------------- */

/* A running hash. May be copied by assignment; holds what was hashed, so wipe it if that was secret. */
struct sf_sha256 {
    _Alignas(16) uint8_t opaque[128];
};

void sf_sha256_init(struct sf_sha256 *hash);
void sf_sha256_update(struct sf_sha256 *hash, const void *data, size_t bytes);
/* Ends the hash; init it again before further use. */
void sf_sha256_final(struct sf_sha256 *hash, uint8_t ret_digest[SF_SHA256_BYTES]);

/* All in one call. `ret_digest` may lie inside `data`. */
void sf_sha256(struct sf_view data, uint8_t ret_digest[SF_SHA256_BYTES]);

/* A running HMAC-SHA-256. A keyed one may be copied by assignment and used many times. */
struct sf_hmac {
    struct sf_sha256 inner;
    struct sf_sha256 outer;
};

void sf_hmac_init(struct sf_hmac *hmac, struct sf_view key);
void sf_hmac_update(struct sf_hmac *hmac, const void *data, size_t bytes);
/* Ends the HMAC and wipes it. */
void sf_hmac_final(struct sf_hmac *hmac, uint8_t ret_mac[SF_SHA256_BYTES]);

/* HMAC-SHA-256 over `part_count` parts, one behind the other. */
void sf_hmac_sha256(struct sf_view key, const struct sf_view *parts, size_t part_count,
    uint8_t ret_mac[SF_SHA256_BYTES]);

/* RFC 5869, 2.2: the pseudorandom key. An empty salt is 32 zero bytes. */
void sf_hkdf_extract(struct sf_view salt, struct sf_view ikm, uint8_t ret_prk[SF_SHA256_BYTES]);

/*
 * RFC 5869, 2.3, with `info` given as `part_count` parts, one behind the other.
 * `out_bytes` is at most SF_HKDF_BYTES_MAX, which is asserted: a length never
 * comes from outside. `out` must not overlap the inputs.
 */
void sf_hkdf_expand(const uint8_t prk[SF_SHA256_BYTES], const struct sf_view *info_parts,
    size_t part_count, uint8_t *out, size_t out_bytes);

/* Extract, then expand. */
void sf_hkdf_sha256(struct sf_view ikm, struct sf_view salt, const struct sf_view *info_parts,
    size_t part_count, uint8_t *out, size_t out_bytes);

/* --- ChaCha20-Poly1305 ----------------------------------------------------- */

/*
 * Encrypt `plain` under `key` and `nonce`, and authenticate it with `ad`. The
 * ciphertext and then the tag (SF_AEAD_TAG_BYTES) go to `out`, which may be
 * `plain.data` itself (in place) but must not overlap it in part.
 * The pair of key and nonce MUST be used for one plaintext only.
 */
void sf_aead_seal(const uint8_t key[SF_AEAD_KEY_BYTES], const uint8_t nonce[SF_AEAD_NONCE_BYTES],
    struct sf_view ad, struct sf_view plain, uint8_t *out);

/* The same with the tag somewhere else. */
void sf_aead_seal_detached(const uint8_t key[SF_AEAD_KEY_BYTES],
    const uint8_t nonce[SF_AEAD_NONCE_BYTES], struct sf_view ad, struct sf_view plain, uint8_t *out,
    uint8_t ret_tag[SF_AEAD_TAG_BYTES]);

/*
 * Check and decrypt `sealed` (ciphertext and tag) into `out`, sealed.bytes - 16
 * bytes; `out` may be `sealed.data` itself.
 *
 * Returns SF_OK, SF_EFORMAT if `sealed` is shorter than a tag, SF_EAUTH if the
 * tag is wrong. After SF_EAUTH `out` is all zero: when several keys are to be
 * tried on the same bytes, do not open in place.
 */
SF_MUST_USE int sf_aead_open(const uint8_t key[SF_AEAD_KEY_BYTES],
    const uint8_t nonce[SF_AEAD_NONCE_BYTES], struct sf_view ad, struct sf_view sealed,
    uint8_t *out);

/* The same with the tag somewhere else; `out` takes cipher.bytes bytes. */
SF_MUST_USE int sf_aead_open_detached(const uint8_t key[SF_AEAD_KEY_BYTES],
    const uint8_t nonce[SF_AEAD_NONCE_BYTES], struct sf_view ad, struct sf_view cipher,
    const uint8_t tag[SF_AEAD_TAG_BYTES], uint8_t *out);

/*
 * Whether sf_aead_open_detached() would take it, without deciphering a byte: for
 * what only has to be what it was. SF_OK or SF_EAUTH.
 */
SF_MUST_USE int sf_aead_check(const uint8_t key[SF_AEAD_KEY_BYTES],
    const uint8_t nonce[SF_AEAD_NONCE_BYTES], struct sf_view ad, struct sf_view cipher,
    const uint8_t tag[SF_AEAD_TAG_BYTES]);

/* --- X25519 and Ed25519 ---------------------------------------------------- */

/* The public key of a secret one (any 32 random bytes). */
void sf_x25519_public(uint8_t ret_pk[SF_X25519_BYTES], const uint8_t sk[SF_X25519_BYTES]);

/*
 * The secret shared by `sk` and `pk`; hash it before use as a key.
 *
 * Returns SF_OK, or SF_EAUTH if it would be all zero (`pk` is of low order);
 * then `ret_shared` is all zero.
 */
SF_MUST_USE int sf_x25519(uint8_t ret_shared[SF_X25519_BYTES], const uint8_t sk[SF_X25519_BYTES],
    const uint8_t pk[SF_X25519_BYTES]);

/* The Ed25519 key pair of a seed. */
void sf_sign_keypair(const uint8_t seed[SF_SIGN_SEED_BYTES], uint8_t ret_pk[SF_SIGN_PUBLIC_BYTES],
    uint8_t ret_sk[SF_SIGN_SECRET_BYTES]);

void sf_sign(const uint8_t sk[SF_SIGN_SECRET_BYTES], struct sf_view message,
    uint8_t ret_signature[SF_SIGNATURE_BYTES]);

/* SF_OK, or SF_EAUTH. Refuses keys of low order and signatures with a second valid form. */
SF_MUST_USE int sf_verify(const uint8_t pk[SF_SIGN_PUBLIC_BYTES], struct sf_view message,
    const uint8_t signature[SF_SIGNATURE_BYTES]);

/* --- Passphrases ------------------------------------------------------------- */

struct sf_pwhash {
    const uint8_t *salt; /* 16 bytes */
    uint32_t passes;
    uint64_t memory_bytes; /* taken while it runs */
};

/*
 * Argon2id (RFC 9106, version 0x13, one lane) of a passphrase: `out_bytes` of key,
 * 16 at least. Takes a good part of a second by design.
 * Returns SF_OK, SF_EINVAL (fewer passes or memory than the function allows), SF_ENOMEM.
 */
SF_MUST_USE int sf_pwhash(
    const struct sf_pwhash *hash, struct sf_view passphrase, uint8_t *out, size_t out_bytes);

/* --- Secrets --------------------------------------------------------------- */

/* Whether two secrets are equal, in a time that depends on `bytes` alone. */
bool sf_ct_equal(const void *a, const void *b, size_t bytes);

/* Overwrite with zeros, even where the compiler sees no later use. */
void sf_wipe(void *data, size_t bytes);

/*
 * Zeroed memory for keys: locked against swapping where the system allows it,
 * left out of core dumps, between guard pages. NULL if there is none. Costs
 * several pages each: for a few long-lived secrets, not for one per bundle.
 */
void *sf_secret_alloc(size_t bytes);

/* Wipe and free; NULL is allowed. */
void sf_secret_free(void *data);

#endif
