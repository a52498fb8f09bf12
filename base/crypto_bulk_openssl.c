/*
 * crypto_bulk_openssl.c - SHA-256 and ChaCha20-Poly1305 by OpenSSL's libcrypto.
 *
 * The cipher is fetched once and each thread keeps one context: fetching and
 * allocating per call costs more than sealing a small datagram. A thread that
 * cannot get a context falls back on libsodium, so nothing here can fail.
 *
 * SHA-256 uses the calls on a plain struct, which OpenSSL 3 deprecates in favour
 * of allocated contexts: a running hash must be copied, kept in other structs
 * and thrown away without a destructor, and the code behind both is the same.
 */
#include "config.h"

#ifdef SF_HAVE_LIBCRYPTO

#define OPENSSL_SUPPRESS_DEPRECATED 1

#include "base/assert.h"
#include "base/crypto_bulk.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>

_Static_assert(
    sizeof(SHA256_CTX) <= sizeof(struct sf_sha256), "a hash of libcrypto fits in struct sf_sha256");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sf_sha256), "and is aligned in it");

/* EVP takes lengths as int; longer messages, which nothing here makes, go to libsodium. */
enum { EVP_BYTES_MAX = 1 << 30 };

static EVP_CIPHER *cipher_fetched;
static pthread_key_t context_key;
static _Thread_local EVP_CIPHER_CTX *context_cached;

static void
context_free(void *context)
{
    EVP_CIPHER_CTX_free(context);
}

static bool
init(void)
{
    if (cipher_fetched != NULL) {
        return true;
    }
    if (pthread_key_create(&context_key, context_free) != 0) {
        return false;
    }
    cipher_fetched = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (cipher_fetched == NULL) {
        (void)pthread_key_delete(context_key);
        return false;
    }
    return true;
}

/* This thread's context, or NULL if there is none to be had. */
static EVP_CIPHER_CTX *
context_of_thread(void)
{
    EVP_CIPHER_CTX *context = context_cached;

    if (context != NULL || cipher_fetched == NULL) {
        return context;
    }
    context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return NULL;
    }
    /* The key is there for its destructor alone; reading goes through the faster thread local. */
    if (pthread_setspecific(context_key, context) != 0 ||
        EVP_CipherInit_ex2(context, cipher_fetched, NULL, NULL, 1, NULL) != 1) {
        (void)pthread_setspecific(context_key, NULL);
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    context_cached = context;
    return context;
}

static void
sha256_init(struct sf_sha256 *hash)
{
    (void)SHA256_Init((SHA256_CTX *)(void *)hash->opaque);
}

static void
sha256_update(struct sf_sha256 *hash, const void *data, size_t bytes)
{
    (void)SHA256_Update((SHA256_CTX *)(void *)hash->opaque, data, bytes);
}

static void
sha256_final(struct sf_sha256 *hash, uint8_t *ret_digest)
{
    (void)SHA256_Final(ret_digest, (SHA256_CTX *)(void *)hash->opaque);
}

/* The key stays in the context until the next call; it is wiped when the thread ends. */
static bool
seal_with(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
    struct sf_view plain, uint8_t *out, uint8_t *ret_tag)
{
    int done;

    return EVP_EncryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
           (ad.bytes == 0 ||
               EVP_EncryptUpdate(context, NULL, &done, ad.data, (int)ad.bytes) == 1) &&
           (plain.bytes == 0 ||
               EVP_EncryptUpdate(context, out, &done, plain.data, (int)plain.bytes) == 1) &&
           EVP_EncryptFinal_ex(context, NULL, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SF_AEAD_TAG_BYTES, ret_tag) == 1;
}

static void
aead_seal(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view plain,
    uint8_t *out, uint8_t *ret_tag)
{
    EVP_CIPHER_CTX *context = context_of_thread();

    if (context == NULL || plain.bytes > EVP_BYTES_MAX || ad.bytes > EVP_BYTES_MAX) {
        sf_crypto_bulk_sodium.aead_seal(key, nonce, ad, plain, out, ret_tag);
        return;
    }
    /* With a context, a fetched cipher and lengths in range there is nothing left to go wrong. */
    sf_assert(seal_with(context, key, nonce, ad, plain, out, ret_tag));
}

static bool
aead_open(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag, uint8_t *out)
{
    EVP_CIPHER_CTX *context = context_of_thread();
    uint8_t expected[SF_AEAD_TAG_BYTES];
    int done;

    if (context == NULL || cipher.bytes > EVP_BYTES_MAX || ad.bytes > EVP_BYTES_MAX) {
        return sf_crypto_bulk_sodium.aead_open(key, nonce, ad, cipher, tag, out);
    }
    memcpy(expected, tag, sizeof(expected));
    return EVP_DecryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SF_AEAD_TAG_BYTES, expected) == 1 &&
           (ad.bytes == 0 ||
               EVP_DecryptUpdate(context, NULL, &done, ad.data, (int)ad.bytes) == 1) &&
           (cipher.bytes == 0 ||
               EVP_DecryptUpdate(context, out, &done, cipher.data, (int)cipher.bytes) == 1) &&
           EVP_DecryptFinal_ex(context, NULL, &done) == 1;
}

const struct sf_crypto_bulk sf_crypto_bulk_openssl = {
    .name = "libcrypto",
    .init = init,
    .sha256_init = sha256_init,
    .sha256_update = sha256_update,
    .sha256_final = sha256_final,
    .aead_seal = aead_seal,
    .aead_open = aead_open,
};

#else

/* ISO C wants a declaration in every file. */
typedef int sf_crypto_bulk_openssl_is_absent;

#endif
