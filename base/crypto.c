/*
 * crypto.c - the primitives, from libsodium and the bulk back end.
 */
#include "config.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/crypto_bulk.h"
#include "base/random.h"

#include <pthread.h>
#include <sodium.h>

#ifdef SF_HAVE_LIBCRYPTO
#define REAL_BULK sf_crypto_bulk_openssl
#else
#define REAL_BULK sf_crypto_bulk_sodium
#endif

enum { HMAC_BLOCK_BYTES = 64 };

_Static_assert(SF_SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "libsodium's secret key");
_Static_assert(SF_SIGNATURE_BYTES == crypto_sign_BYTES, "libsodium's signature");

/* The simulation's, in a program that has it and has chosen it; else NULL. */
static const struct sf_crypto_hollow *
hollow(void)
{
    return &sf_crypto_hollow == NULL ? NULL : sf_crypto_hollow;
}

static const struct sf_crypto_bulk *
bulk(void)
{
    return hollow() == NULL ? &REAL_BULK : &hollow()->bulk;
}

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_status = SF_EIO;

static void
init_libraries(void)
{
    if (sodium_init() >= 0 && bulk()->init()) {
        init_status = SF_OK;
    }
}

int
sf_crypto_init(void)
{
    if (pthread_once(&init_once, init_libraries) != 0) {
        return SF_EIO;
    }
    return init_status;
}

bool
sf_crypto_is_ready(void)
{
    return init_status == SF_OK;
}

const char *
sf_crypto_bulk_name(void)
{
    return bulk()->name;
}

static void
system_fill(void *context, void *out, size_t bytes)
{
    (void)context;
    randombytes_buf(out, bytes);
}

const struct sf_random sf_random_system = {.fill = system_fill, .context = NULL};

/* --- SHA-256, HMAC, HKDF --------------------------------------------------- */

void
sf_sha256_init(struct sf_sha256 *hash)
{
    bulk()->sha256_init(hash);
}

void
sf_sha256_update(struct sf_sha256 *hash, const void *data, size_t bytes)
{
    if (bytes > 0) {
        bulk()->sha256_update(hash, data, bytes);
    }
}

void
sf_sha256_final(struct sf_sha256 *hash, uint8_t ret_digest[SF_SHA256_BYTES])
{
    bulk()->sha256_final(hash, ret_digest);
}

void
sf_sha256(struct sf_view data, uint8_t ret_digest[SF_SHA256_BYTES])
{
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, data.data, data.bytes);
    sf_sha256_final(&hash, ret_digest);
}

void
sf_hmac_init(struct sf_hmac *hmac, struct sf_view key)
{
    uint8_t block[HMAC_BLOCK_BYTES] = {0};

    if (key.bytes > sizeof(block)) {
        sf_sha256(key, block);
    } else if (key.bytes > 0) {
        memcpy(block, key.data, key.bytes);
    }
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] ^= 0x36;
    }
    sf_sha256_init(&hmac->inner);
    sf_sha256_update(&hmac->inner, block, sizeof(block));
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    sf_sha256_init(&hmac->outer);
    sf_sha256_update(&hmac->outer, block, sizeof(block));
    sf_wipe(block, sizeof(block));
}

void
sf_hmac_update(struct sf_hmac *hmac, const void *data, size_t bytes)
{
    sf_sha256_update(&hmac->inner, data, bytes);
}

void
sf_hmac_final(struct sf_hmac *hmac, uint8_t ret_mac[SF_SHA256_BYTES])
{
    uint8_t inner[SF_SHA256_BYTES];

    sf_sha256_final(&hmac->inner, inner);
    sf_sha256_update(&hmac->outer, inner, sizeof(inner));
    sf_sha256_final(&hmac->outer, ret_mac);
    sf_wipe(inner, sizeof(inner));
    sf_wipe(hmac, sizeof(*hmac));
}

void
sf_hmac_sha256(struct sf_view key, const struct sf_view *parts, size_t part_count,
    uint8_t ret_mac[SF_SHA256_BYTES])
{
    struct sf_hmac hmac;

    sf_hmac_init(&hmac, key);
    for (size_t i = 0; i < part_count; i++) {
        sf_hmac_update(&hmac, parts[i].data, parts[i].bytes);
    }
    sf_hmac_final(&hmac, ret_mac);
}

void
sf_hkdf_extract(struct sf_view salt, struct sf_view ikm, uint8_t ret_prk[SF_SHA256_BYTES])
{
    sf_hmac_sha256(salt, &ikm, 1, ret_prk);
}

void
sf_hkdf_expand(const uint8_t prk[SF_SHA256_BYTES], const struct sf_view *info_parts,
    size_t part_count, uint8_t *out, size_t out_bytes)
{
    struct sf_hmac keyed;
    uint8_t block[SF_SHA256_BYTES];

    sf_assert(out_bytes <= SF_HKDF_BYTES_MAX);
    sf_hmac_init(&keyed, sf_view(prk, SF_SHA256_BYTES));
    for (uint8_t counter = 1; out_bytes > 0; counter++) {
        struct sf_hmac hmac = keyed;
        size_t take = out_bytes < sizeof(block) ? out_bytes : sizeof(block);

        if (counter > 1) {
            sf_hmac_update(&hmac, block, sizeof(block));
        }
        for (size_t i = 0; i < part_count; i++) {
            sf_hmac_update(&hmac, info_parts[i].data, info_parts[i].bytes);
        }
        sf_hmac_update(&hmac, &counter, 1);
        sf_hmac_final(&hmac, block);
        memcpy(out, block, take);
        out += take;
        out_bytes -= take;
    }
    sf_wipe(&keyed, sizeof(keyed));
    sf_wipe(block, sizeof(block));
}

void
sf_hkdf_sha256(struct sf_view ikm, struct sf_view salt, const struct sf_view *info_parts,
    size_t part_count, uint8_t *out, size_t out_bytes)
{
    uint8_t prk[SF_SHA256_BYTES];

    sf_hkdf_extract(salt, ikm, prk);
    sf_hkdf_expand(prk, info_parts, part_count, out, out_bytes);
    sf_wipe(prk, sizeof(prk));
}

/* --- ChaCha20-Poly1305 ----------------------------------------------------- */

void
sf_aead_seal(const uint8_t key[SF_AEAD_KEY_BYTES], const uint8_t nonce[SF_AEAD_NONCE_BYTES],
    struct sf_view ad, struct sf_view plain, uint8_t *out)
{
    bulk()->aead_seal(key, nonce, ad, plain, out, out + plain.bytes);
}

void
sf_aead_seal_detached(const uint8_t key[SF_AEAD_KEY_BYTES],
    const uint8_t nonce[SF_AEAD_NONCE_BYTES], struct sf_view ad, struct sf_view plain, uint8_t *out,
    uint8_t ret_tag[SF_AEAD_TAG_BYTES])
{
    bulk()->aead_seal(key, nonce, ad, plain, out, ret_tag);
}

int
sf_aead_open(const uint8_t key[SF_AEAD_KEY_BYTES], const uint8_t nonce[SF_AEAD_NONCE_BYTES],
    struct sf_view ad, struct sf_view sealed, uint8_t *out)
{
    size_t cipher_bytes;

    if (sealed.bytes < SF_AEAD_TAG_BYTES) {
        return SF_EFORMAT;
    }
    cipher_bytes = sealed.bytes - SF_AEAD_TAG_BYTES;
    return sf_aead_open_detached(
        key, nonce, ad, sf_view(sealed.data, cipher_bytes), sealed.data + cipher_bytes, out);
}

int
sf_aead_open_detached(const uint8_t key[SF_AEAD_KEY_BYTES],
    const uint8_t nonce[SF_AEAD_NONCE_BYTES], struct sf_view ad, struct sf_view cipher,
    const uint8_t tag[SF_AEAD_TAG_BYTES], uint8_t *out)
{
    if (!bulk()->aead_open(key, nonce, ad, cipher, tag, out)) {
        /* libcrypto deciphers before it knows; what it wrote must not be taken for plaintext. */
        if (cipher.bytes > 0) {
            sf_wipe(out, cipher.bytes);
        }
        return SF_EAUTH;
    }
    return SF_OK;
}

int
sf_aead_check(const uint8_t key[SF_AEAD_KEY_BYTES], const uint8_t nonce[SF_AEAD_NONCE_BYTES],
    struct sf_view ad, struct sf_view cipher, const uint8_t tag[SF_AEAD_TAG_BYTES])
{
    return bulk()->aead_check(key, nonce, ad, cipher, tag) ? SF_OK : SF_EAUTH;
}

/* --- X25519 and Ed25519 ---------------------------------------------------- */

void
sf_x25519_public(uint8_t ret_pk[SF_X25519_BYTES], const uint8_t sk[SF_X25519_BYTES])
{
    (void)crypto_scalarmult_curve25519_base(ret_pk, sk);
}

int
sf_x25519(uint8_t ret_shared[SF_X25519_BYTES], const uint8_t sk[SF_X25519_BYTES],
    const uint8_t pk[SF_X25519_BYTES])
{
    if (crypto_scalarmult_curve25519(ret_shared, sk, pk) != 0) {
        sf_wipe(ret_shared, SF_X25519_BYTES);
        return SF_EAUTH;
    }
    return SF_OK;
}

void
sf_sign_keypair(const uint8_t seed[SF_SIGN_SEED_BYTES], uint8_t ret_pk[SF_SIGN_PUBLIC_BYTES],
    uint8_t ret_sk[SF_SIGN_SECRET_BYTES])
{
    (void)crypto_sign_seed_keypair(ret_pk, ret_sk, seed);
}

void
sf_sign(const uint8_t sk[SF_SIGN_SECRET_BYTES], struct sf_view message,
    uint8_t ret_signature[SF_SIGNATURE_BYTES])
{
    if (hollow() != NULL) {
        hollow()->sign(sk, message, ret_signature);
        return;
    }
    (void)crypto_sign_detached(ret_signature, NULL, message.data, message.bytes, sk);
}

int
sf_verify(const uint8_t pk[SF_SIGN_PUBLIC_BYTES], struct sf_view message,
    const uint8_t signature[SF_SIGNATURE_BYTES])
{
    if (hollow() != NULL) {
        return hollow()->verify(pk, message, signature) ? SF_OK : SF_EAUTH;
    }
    if (crypto_sign_verify_detached(signature, message.data, message.bytes, pk) != 0) {
        return SF_EAUTH;
    }
    return SF_OK;
}

/* --- Passphrases ------------------------------------------------------------- */

int
sf_pwhash(const struct sf_pwhash *hash, struct sf_view passphrase, uint8_t *out, size_t out_bytes)
{
    if (hash->passes < crypto_pwhash_argon2id_OPSLIMIT_MIN ||
        hash->memory_bytes < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
        hash->memory_bytes > SIZE_MAX / 2) {
        return SF_EINVAL;
    }
    return crypto_pwhash_argon2id(out, out_bytes, (const char *)passphrase.data, passphrase.bytes,
               hash->salt, hash->passes, (size_t)hash->memory_bytes,
               crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0
               ? SF_OK
               : SF_ENOMEM;
}

/* --- Secrets --------------------------------------------------------------- */

bool
sf_ct_equal(const void *a, const void *b, size_t bytes)
{
    return sodium_memcmp(a, b, bytes) == 0;
}

void
sf_wipe(void *data, size_t bytes)
{
    sodium_memzero(data, bytes);
}

void *
sf_secret_alloc(size_t bytes)
{
    void *data = sodium_malloc(bytes);

    if (data != NULL) {
        memset(data, 0, bytes);
    }
    return data;
}

void
sf_secret_free(void *data)
{
    sodium_free(data);
}
