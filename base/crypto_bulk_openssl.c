/*
 * crypto_bulk_openssl.c - SHA-256 and ChaCha20-Poly1305 by OpenSSL's libcrypto.
 *
 * Algorithms are fetched once and each thread keeps its contexts: fetching and
 * allocating per call costs more than sealing a small datagram. A thread that
 * cannot get them falls back on libsodium, so nothing here can fail.
 *
 * A bundle goes through libcrypto's own ChaCha20-Poly1305. A datagram is put
 * together here from its ChaCha20 and its Poly1305 as RFC 8439, 2.8 has it: the
 * AEAD calls the cipher three times for it, for the key of the MAC, for the whole
 * blocks and for the rest of one, and a call for one block costs nearly what it
 * costs for sixteen. One call for all of it is a third faster. The same two
 * parts check a tag without deciphering anything.
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
#include <stdlib.h>

_Static_assert(
    sizeof(SHA256_CTX) <= sizeof(struct sf_sha256), "a hash of libcrypto fits in struct sf_sha256");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sf_sha256), "and is aligned in it");

enum {
    /* EVP takes lengths as int; longer messages, which nothing here makes, go to libsodium. */
    EVP_BYTES_MAX = 1 << 30,

    BLOCK_BYTES = 64,       /* of ChaCha20; the first one of a message is the key of its MAC */
    SHORT_BYTES_MAX = 4096, /* with that block: what is enciphered in one call */
    STREAM_IV_BYTES = 4 + SF_AEAD_NONCE_BYTES, /* counter of blocks, little-endian; nonce */
    MAC_KEY_BYTES = 32,
    MAC_PAD_BYTES = 16, /* what each part of the MAC is filled up to */
};

/* A thread's own. */
struct contexts {
    EVP_CIPHER_CTX *aead;
    EVP_CIPHER_CTX *stream;
    EVP_MAC_CTX *mac;
};

static EVP_CIPHER *aead_fetched;
static EVP_CIPHER *stream_fetched;
static EVP_MAC *mac_fetched;
static pthread_key_t contexts_key;
static _Thread_local struct contexts *contexts_cached;

static void
contexts_free(void *memory)
{
    struct contexts *contexts = memory;

    EVP_CIPHER_CTX_free(contexts->aead);
    EVP_CIPHER_CTX_free(contexts->stream);
    EVP_MAC_CTX_free(contexts->mac);
    free(contexts);
}

static bool
init(void)
{
    if (aead_fetched != NULL) {
        return true;
    }
    if (pthread_key_create(&contexts_key, contexts_free) != 0) {
        return false;
    }
    aead_fetched = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    stream_fetched = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
    mac_fetched = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (aead_fetched != NULL && stream_fetched != NULL && mac_fetched != NULL) {
        return true;
    }
    EVP_CIPHER_free(aead_fetched);
    EVP_CIPHER_free(stream_fetched);
    EVP_MAC_free(mac_fetched);
    aead_fetched = NULL;
    (void)pthread_key_delete(contexts_key);
    return false;
}

/* This thread's contexts, or NULL if there are none to be had. */
static struct contexts *
contexts_of_thread(void)
{
    struct contexts *contexts = contexts_cached;

    if (contexts != NULL || aead_fetched == NULL) {
        return contexts;
    }
    contexts = calloc(1, sizeof(*contexts));
    if (contexts == NULL) {
        return NULL;
    }
    contexts->aead = EVP_CIPHER_CTX_new();
    contexts->stream = EVP_CIPHER_CTX_new();
    contexts->mac = EVP_MAC_CTX_new(mac_fetched);
    /* The key is there for its destructor alone; reading goes through the faster thread local. */
    if (contexts->aead == NULL || contexts->stream == NULL || contexts->mac == NULL ||
        EVP_CipherInit_ex2(contexts->aead, aead_fetched, NULL, NULL, 1, NULL) != 1 ||
        EVP_CipherInit_ex2(contexts->stream, stream_fetched, NULL, NULL, 1, NULL) != 1 ||
        pthread_setspecific(contexts_key, contexts) != 0) {
        contexts_free(contexts);
        return NULL;
    }
    contexts_cached = contexts;
    return contexts;
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

/* --- From its parts: RFC 8439, 2.8 --- */

/*
 * Encipher `bytes` bytes at `text` in place, whole blocks, beginning with block 0
 * of the key stream. The key stays in the context until the next call; it is
 * wiped when the thread ends. So it is with all that follow.
 */
static bool
stream_xor(
    EVP_CIPHER_CTX *stream, const uint8_t *key, const uint8_t *nonce, uint8_t *text, size_t bytes)
{
    uint8_t iv[STREAM_IV_BYTES] = {0};
    int done;

    memcpy(iv + STREAM_IV_BYTES - SF_AEAD_NONCE_BYTES, nonce, SF_AEAD_NONCE_BYTES);
    return EVP_EncryptInit_ex2(stream, NULL, key, iv, NULL) == 1 &&
           EVP_EncryptUpdate(stream, text, &done, text, (int)bytes) == 1;
}

static bool
mac_part(EVP_MAC_CTX *mac, struct sf_view part)
{
    static const uint8_t zeros[MAC_PAD_BYTES];
    size_t over = part.bytes % MAC_PAD_BYTES;

    return part.bytes == 0 ||
           (EVP_MAC_update(mac, part.data, part.bytes) == 1 &&
               (over == 0 || EVP_MAC_update(mac, zeros, MAC_PAD_BYTES - over) == 1));
}

/* The tag of `cipher` and `ad` under the MAC key that block 0 of the key stream begins with. */
static bool
make_tag(EVP_MAC_CTX *mac, const uint8_t *mac_key, struct sf_view ad, struct sf_view cipher,
    uint8_t *ret_tag)
{
    uint8_t lengths[2 * 8];
    size_t bytes;

    for (unsigned i = 0; i < 8; i++) {
        lengths[i] = (uint8_t)((uint64_t)ad.bytes >> 8 * i);
        lengths[8 + i] = (uint8_t)((uint64_t)cipher.bytes >> 8 * i);
    }
    return EVP_MAC_init(mac, mac_key, MAC_KEY_BYTES, NULL) == 1 && mac_part(mac, ad) &&
           mac_part(mac, cipher) && EVP_MAC_update(mac, lengths, sizeof(lengths)) == 1 &&
           EVP_MAC_final(mac, ret_tag, &bytes, SF_AEAD_TAG_BYTES) == 1;
}

static bool
is_short(size_t bytes)
{
    return bytes <= SHORT_BYTES_MAX - BLOCK_BYTES;
}

/* The first block for the MAC and `text` behind it, filled up to whole blocks; all enciphered. */
static bool
encipher_short(struct contexts *contexts, const uint8_t *key, const uint8_t *nonce,
    struct sf_view text, uint8_t scratch[SHORT_BYTES_MAX])
{
    size_t bytes = BLOCK_BYTES + (text.bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;

    memset(scratch, 0, BLOCK_BYTES);
    memset(scratch + bytes - BLOCK_BYTES, 0, BLOCK_BYTES);
    if (text.bytes > 0) {
        memcpy(scratch + BLOCK_BYTES, text.data, text.bytes);
    }
    return stream_xor(contexts->stream, key, nonce, scratch, bytes);
}

static bool
seal_short(struct contexts *contexts, const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
    struct sf_view plain, uint8_t *out, uint8_t *ret_tag)
{
    uint8_t scratch[SHORT_BYTES_MAX];
    bool is_done =
        encipher_short(contexts, key, nonce, plain, scratch) &&
        make_tag(contexts->mac, scratch, ad, sf_view(scratch + BLOCK_BYTES, plain.bytes), ret_tag);

    if (plain.bytes > 0) {
        memcpy(out, scratch + BLOCK_BYTES, plain.bytes);
    }
    sf_wipe(
        scratch, BLOCK_BYTES); /* the rest is ciphertext, and key stream that nothing was under */
    return is_done;
}

static bool
open_short(struct contexts *contexts, const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
    struct sf_view cipher, const uint8_t *tag, uint8_t *out)
{
    uint8_t scratch[SHORT_BYTES_MAX];
    uint8_t expected[SF_AEAD_TAG_BYTES];
    bool is_right = encipher_short(contexts, key, nonce, cipher, scratch) &&
                    make_tag(contexts->mac, scratch, ad, cipher, expected) &&
                    sf_ct_equal(expected, tag, sizeof(expected));

    if (is_right && cipher.bytes > 0) {
        memcpy(out, scratch + BLOCK_BYTES, cipher.bytes);
    }
    sf_wipe(scratch, BLOCK_BYTES + cipher.bytes);
    return is_right;
}

/* --- As a whole --- */

static bool
seal_long(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
    struct sf_view plain, uint8_t *out, uint8_t *ret_tag)
{
    int done;

    return EVP_EncryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
           (ad.bytes == 0 ||
               EVP_EncryptUpdate(context, NULL, &done, ad.data, (int)ad.bytes) == 1) &&
           EVP_EncryptUpdate(context, out, &done, plain.data, (int)plain.bytes) == 1 &&
           EVP_EncryptFinal_ex(context, NULL, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SF_AEAD_TAG_BYTES, ret_tag) == 1;
}

static bool
open_long(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
    struct sf_view cipher, const uint8_t *tag, uint8_t *out)
{
    uint8_t expected[SF_AEAD_TAG_BYTES];
    int done;

    memcpy(expected, tag, sizeof(expected));
    return EVP_DecryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SF_AEAD_TAG_BYTES, expected) == 1 &&
           (ad.bytes == 0 ||
               EVP_DecryptUpdate(context, NULL, &done, ad.data, (int)ad.bytes) == 1) &&
           EVP_DecryptUpdate(context, out, &done, cipher.data, (int)cipher.bytes) == 1 &&
           EVP_DecryptFinal_ex(context, NULL, &done) == 1;
}

/* --- Both --- */

static bool
is_too_long(struct sf_view ad, struct sf_view text)
{
    return text.bytes > EVP_BYTES_MAX || ad.bytes > EVP_BYTES_MAX;
}

static void
aead_seal(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view plain,
    uint8_t *out, uint8_t *ret_tag)
{
    struct contexts *contexts = contexts_of_thread();
    bool is_sealed;

    if (contexts == NULL || is_too_long(ad, plain)) {
        sf_crypto_bulk_sodium.aead_seal(key, nonce, ad, plain, out, ret_tag);
        return;
    }
    is_sealed = is_short(plain.bytes)
                    ? seal_short(contexts, key, nonce, ad, plain, out, ret_tag)
                    : seal_long(contexts->aead, key, nonce, ad, plain, out, ret_tag);
    /* With contexts, fetched algorithms and lengths in range there is nothing left to go wrong. */
    sf_assert(is_sealed);
}

static bool
aead_open(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag, uint8_t *out)
{
    struct contexts *contexts = contexts_of_thread();

    if (contexts == NULL || is_too_long(ad, cipher)) {
        return sf_crypto_bulk_sodium.aead_open(key, nonce, ad, cipher, tag, out);
    }
    return is_short(cipher.bytes) ? open_short(contexts, key, nonce, ad, cipher, tag, out)
                                  : open_long(contexts->aead, key, nonce, ad, cipher, tag, out);
}

static bool
aead_check(const uint8_t *key, const uint8_t *nonce, struct sf_view ad, struct sf_view cipher,
    const uint8_t *tag)
{
    struct contexts *contexts = contexts_of_thread();
    uint8_t block[BLOCK_BYTES] = {0};
    uint8_t expected[SF_AEAD_TAG_BYTES];
    bool is_right;

    if (contexts == NULL) {
        return sf_crypto_bulk_sodium.aead_check(key, nonce, ad, cipher, tag);
    }
    is_right = stream_xor(contexts->stream, key, nonce, block, sizeof(block)) &&
               make_tag(contexts->mac, block, ad, cipher, expected) &&
               sf_ct_equal(expected, tag, sizeof(expected));
    sf_wipe(block, sizeof(block));
    return is_right;
}

const struct sf_crypto_bulk sf_crypto_bulk_openssl = {
    .name = "libcrypto",
    .init = init,
    .sha256_init = sha256_init,
    .sha256_update = sha256_update,
    .sha256_final = sha256_final,
    .aead_seal = aead_seal,
    .aead_open = aead_open,
    .aead_check = aead_check,
};

#else

/* ISO C wants a declaration in every file. */
typedef int sf_crypto_bulk_openssl_is_absent;

#endif
