/*
 * crypto_bulk_sodium.c - SHA-256 and ChaCha20-Poly1305 by libsodium.
 */
#include "base/crypto_bulk.h"

#include <sodium.h>

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct sf_sha256),
    "a hash of libsodium fits in struct sf_sha256");
_Static_assert(
    _Alignof(crypto_hash_sha256_state) <= _Alignof(struct sf_sha256), "and is aligned in it");

static bool
init(void)
{
    return true;
}

static void
sha256_init(struct sf_sha256 *hash)
{
    (void)crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)hash->opaque);
}

static void
sha256_update(struct sf_sha256 *hash, const void *data, size_t bytes)
{
    (void)crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)hash->opaque, data, bytes);
}

static void
sha256_final(struct sf_sha256 *hash, uint8_t *ret_digest)
{
    (void)crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)hash->opaque, ret_digest);
}

static void
aead_seal(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view plain,
    uint8_t *out, uint8_t *ret_tag)
{
    (void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(
        out, ret_tag, NULL, plain.data, plain.bytes, ad.data, ad.bytes, NULL, nonce, key);
}

static bool
aead_open(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag, uint8_t *out)
{
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
               out, NULL, cipher.data, cipher.bytes, tag, ad.data, ad.bytes, nonce, key) == 0;
}

const struct sf_crypto_bulk sf_crypto_bulk_sodium = {
    .name = "libsodium",
    .init = init,
    .sha256_init = sha256_init,
    .sha256_update = sha256_update,
    .sha256_final = sha256_final,
    .aead_seal = aead_seal,
    .aead_open = aead_open,
};
