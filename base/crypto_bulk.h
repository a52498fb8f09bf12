/*
 * crypto_bulk.h - who does the hashing and ciphering: libcrypto or libsodium.
 *
 * Inside base/, and for sim/hollow.c. Both back ends give the same bytes for the same
 * input; the tests hold one against the other. libsodium's is always compiled, since
 * the other falls back on it when a thread cannot get its context.
 */
#ifndef SF_BASE_CRYPTO_BULK_H
#define SF_BASE_CRYPTO_BULK_H

#include "base/crypto.h"

struct sf_crypto_bulk {
    const char *name;
    /* Fetch algorithms once; false if they are not to be had. Called with no other call running. */
    bool (*init)(void);
    void (*sha256_init)(struct sf_sha256 *hash);
    void (*sha256_update)(struct sf_sha256 *hash, const void *data, size_t bytes);
    void (*sha256_final)(struct sf_sha256 *hash, uint8_t *ret_digest);
    void (*aead_seal)(const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
        struct sf_view plain, uint8_t *out, uint8_t *ret_tag);
    /* False if the tag is wrong; then `out` may hold anything. */
    bool (*aead_open)(const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
        struct sf_view cipher, const uint8_t *tag, uint8_t *out);
    /* Whether the tag is right; deciphers nothing. */
    bool (*aead_check)(const uint8_t *key, const uint8_t *nonce, struct sf_view ad,
        struct sf_view cipher, const uint8_t *tag);
};

extern const struct sf_crypto_bulk sf_crypto_bulk_sodium;

/* Only where configure found libcrypto (SF_HAVE_LIBCRYPTO). */
extern const struct sf_crypto_bulk sf_crypto_bulk_openssl;

/*
 * What a simulation has put in the place of both, and of Ed25519: sizes without
 * secrecy (sim/hollow.h). The symbol is weak: only a program that links
 * sim/hollow.c has the variable at all. In every other, the daemon before all,
 * its address is NULL: there is nothing that a setting or a fault could select.
 * tests/house/check_hollow.sh looks at the programs.
 */
struct sf_crypto_hollow {
    struct sf_crypto_bulk bulk;
    void (*sign)(const uint8_t *sk, struct sf_view message, uint8_t *ret_signature);
    bool (*verify)(const uint8_t *pk, struct sf_view message, const uint8_t *signature);
};

extern const struct sf_crypto_hollow *sf_crypto_hollow __attribute__((weak, visibility("hidden")));

#endif
