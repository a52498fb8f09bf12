/*
 * The cryptography that has sizes and nothing else: what it must still tell
 * apart, and that it cannot come after the real one.
 */
#include "sim/hollow.h"

#include "base/crypto.h"
#include "tests/unit/check.h"

#include <sys/wait.h>
#include <unistd.h>

enum { BIG = 100000 };

static uint8_t key[SF_AEAD_KEY_BYTES] = {1};
static uint8_t nonce[SF_AEAD_NONCE_BYTES] = {2};
static uint8_t plain[1372];
static uint8_t sealed[sizeof(plain) + SF_AEAD_TAG_BYTES];
static uint8_t opened[sizeof(plain)];

static int
open_sealed(const char *ad)
{
    return sf_aead_open(
        key, nonce, sf_view(ad, strlen(ad)), sf_view(sealed, sizeof(sealed)), opened);
}

static void
test_seal(void)
{
    memset(plain, 7, sizeof(plain));
    sf_aead_seal(key, nonce, sf_view("ad", 2), sf_view(plain, sizeof(plain)), sealed);
    CHECK_BYTES(sealed, plain, sizeof(plain));
    CHECK_EQ(open_sealed("ad"), SF_OK);
    CHECK_BYTES(opened, plain, sizeof(plain));
    CHECK_EQ(open_sealed("ae"), SF_EAUTH);
    CHECK_EQ(open_sealed(""), SF_EAUTH);
    /* Nothing at all may be sealed, too. */
    sf_aead_seal(key, nonce, sf_view(NULL, 0), sf_view(NULL, 0), opened);
    CHECK_EQ(sf_aead_open(key, nonce, sf_view(NULL, 0), sf_view(opened, SF_AEAD_TAG_BYTES), opened),
        SF_OK);
    key[31] ^= 1;
    CHECK_EQ(open_sealed("ad"), SF_EAUTH);
    key[31] ^= 1;
    nonce[11] ^= 1;
    CHECK_EQ(open_sealed("ad"), SF_EAUTH);
    nonce[11] ^= 1;
}

static void
test_damage(void)
{
    uint32_t bit = 100;

    sf_aead_seal(key, nonce, sf_view("ad", 2), sf_view(plain, sizeof(plain)), sealed);
    for (uint32_t i = 0; i < sizeof(sealed) * 8; i++) {
        bit = i;
        sf_hollow_damage(&bit, sizeof(sealed));
        REQUIRE(bit < sizeof(sealed) * 8);
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
        REQUIRE_EQ(open_sealed("ad"), SF_EAUTH);
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
    }
    bit = 100;
    sf_hollow_damage(&bit, SF_AEAD_TAG_BYTES - 1);
    CHECK_EQ(bit, 100);
    CHECK_EQ(open_sealed("ad"), SF_OK);
}

/* The digest of BIG bytes, taken `step` at a time. */
static void
digest_in_steps(const uint8_t *bytes, size_t step, uint8_t *ret_digest)
{
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    for (size_t at = 0; at < BIG; at += step) {
        sf_sha256_update(&hash, bytes + at, BIG - at < step ? BIG - at : step);
    }
    sf_sha256_final(&hash, ret_digest);
}

static void
test_steps(void)
{
    static const size_t steps[] = {1, 3, 63, 64, 65, 1000, 4096, 4097, 16384, 50000};
    static uint8_t bytes[BIG];
    uint8_t whole[SF_SHA256_BYTES];
    uint8_t parts[SF_SHA256_BYTES];

    for (size_t i = 0; i < BIG; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    digest_in_steps(bytes, BIG, whole);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        digest_in_steps(bytes, steps[i], parts);
        CHECK_BYTES(parts, whole, sizeof(whole));
    }
    bytes[16000]++;
    digest_in_steps(bytes, 4096, parts);
    CHECK(memcmp(parts, whole, sizeof(whole)) != 0);
}

static void
test_length(void)
{
    static const uint8_t zeros[BIG];
    uint8_t shorter[SF_SHA256_BYTES];
    uint8_t longer[SF_SHA256_BYTES];

    for (size_t bytes = 0; bytes + 1 < BIG; bytes += bytes < 200 ? 1 : 997) {
        sf_sha256(sf_view(zeros, bytes), shorter);
        sf_sha256(sf_view(zeros, bytes + 1), longer);
        CHECK(memcmp(shorter, longer, sizeof(longer)) != 0);
    }
}

static void
test_sign(void)
{
    uint8_t seed[SF_SIGN_SEED_BYTES] = {3};
    uint8_t pk[SF_SIGN_PUBLIC_BYTES];
    uint8_t sk[SF_SIGN_SECRET_BYTES];
    uint8_t signature[SF_SIGNATURE_BYTES];

    sf_sign_keypair(seed, pk, sk);
    sf_sign(sk, sf_view("what", 4), signature);
    CHECK_EQ(sf_verify(pk, sf_view("what", 4), signature), SF_OK);
    CHECK_EQ(sf_verify(pk, sf_view("whet", 4), signature), SF_EAUTH);
    signature[63] ^= 1;
    CHECK_EQ(sf_verify(pk, sf_view("what", 4), signature), SF_EAUTH);
    signature[63] ^= 1;
    pk[0] ^= 1;
    CHECK_EQ(sf_verify(pk, sf_view("what", 4), signature), SF_EAUTH);
}

/* In a process of its own, since the choice is for good. */
static void
test_not_afterwards(void)
{
    int status = 0;
    pid_t child;

    CHECK(!sf_hollow_is_chosen());
    child = fork();
    if (child == 0) {
        bool good = sf_crypto_init() == SF_OK && sf_hollow_init() == SF_ESTATE &&
                    !sf_hollow_is_chosen() && strncmp(sf_crypto_bulk_name(), "lib", 3) == 0;

        _exit(good ? 0 : 1);
    }
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    REQUIRE_EQ(sf_hollow_init(), SF_OK);
    REQUIRE_EQ(sf_hollow_init(), SF_OK);
    CHECK(sf_hollow_is_chosen());
    CHECK_TEXT(sf_crypto_bulk_name(), "none (hollow)");
}

CHECK_MAIN("hollow", {"it cannot be chosen once the real one is in use", test_not_afterwards},
    {"what is sealed is as long as ever, and opens with all that belongs to it", test_seal},
    {"wherever a datagram is damaged, that is found", test_damage},
    {"how bytes are cut does not change their digest", test_steps},
    {"the length of zeros counts", test_length},
    {"a signature belongs to its key and its message", test_sign})
