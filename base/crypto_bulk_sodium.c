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

static void
mac_part(crypto_onetimeauth_poly1305_state *mac, struct sf_view part)
{
    static const uint8_t zeros[16];

    (void)crypto_onetimeauth_poly1305_update(mac, part.data, part.bytes);
    (void)crypto_onetimeauth_poly1305_update(mac, zeros, (16 - part.bytes % 16) % 16);
}

/* RFC 8439, 2.8: the MAC alone, under the first bytes of the key stream. */
static bool
aead_check(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag)
{
    crypto_onetimeauth_poly1305_state mac;
    uint8_t mac_key[crypto_onetimeauth_poly1305_KEYBYTES];
    uint8_t lengths[2 * 8];
    uint8_t expected[SF_AEAD_TAG_BYTES];

    for (unsigned i = 0; i < 8; i++) {
        lengths[i] = (uint8_t)((uint64_t)ad.bytes >> 8 * i);
        lengths[8 + i] = (uint8_t)((uint64_t)cipher.bytes >> 8 * i);
    }
    (void)crypto_stream_chacha20_ietf(mac_key, sizeof(mac_key), nonce, key);
    (void)crypto_onetimeauth_poly1305_init(&mac, mac_key);
    mac_part(&mac, ad);
    mac_part(&mac, cipher);
    (void)crypto_onetimeauth_poly1305_update(&mac, lengths, sizeof(lengths));
    (void)crypto_onetimeauth_poly1305_final(&mac, expected);
    sf_wipe(mac_key, sizeof(mac_key));
    sf_wipe(&mac, sizeof(mac));
    return sf_ct_equal(expected, tag, sizeof(expected));
}

const struct sf_crypto_bulk sf_crypto_bulk_sodium = {
    .name = "libsodium",
    .init = init,
    .sha256_init = sha256_init,
    .sha256_update = sha256_update,
    .sha256_final = sha256_final,
    .aead_seal = aead_seal,
    .aead_open = aead_open,
    .aead_check = aead_check,
};
