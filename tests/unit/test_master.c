/*
 * The master key: only its passphrase opens the file, only the key and the
 * purpose open what is sealed under it, and every changed bit is noticed.
 */
#include "base/master.h"

#include "base/crypto.h"
#include "base/prng.h"

#include "tests/unit/check.h"

static struct sf_prng prng;
static struct sf_random generator;
static uint8_t master[SF_MASTER_BYTES];
static uint8_t file[SF_MASTER_FILE_BYTES];
static uint8_t out[SF_MASTER_BYTES];

static struct sf_view
text(const char *words)
{
    return sf_view(words, strlen(words));
}

static void
start(const char *passphrase)
{
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    sf_prng_init(&prng, 11);
    generator = sf_prng_random(&prng);
    sf_random_fill(&generator, master, sizeof(master));
    memset(out, 0, sizeof(out));
    REQUIRE_EQ(sf_master_encode(master, text(passphrase), &generator, file), SF_OK);
}

static int
decode(const char *passphrase)
{
    return sf_master_decode(sf_view(file, sizeof(file)), text(passphrase), out);
}

static void
test_passphrase(void)
{
    start("correct horse");
    CHECK(!sf_master_is_bare(sf_view(file, sizeof(file))));
    CHECK_EQ(decode("correct horse"), SF_OK);
    CHECK_BYTES(out, master, sizeof(out));
    CHECK_EQ(decode("correct horsE"), SF_EAUTH);
    CHECK_EQ(decode(""), SF_EAUTH);
    /* The key stands nowhere in the file. */
    for (size_t i = 0; i + SF_MASTER_BYTES <= sizeof(file); i++) {
        CHECK(memcmp(file + i, master, 8) != 0);
    }
}

static void
test_salt(void)
{
    uint8_t other[SF_MASTER_FILE_BYTES];

    start("x");
    REQUIRE_EQ(sf_master_encode(master, text("x"), &generator, other), SF_OK);
    CHECK(memcmp(file + 32, other + 32, 16) != 0);
    CHECK(memcmp(file + 48, other + 48, 48) != 0);
}

static void
test_bare(void)
{
    start("");
    CHECK(sf_master_is_bare(sf_view(file, sizeof(file))));
    CHECK_EQ(decode("whatever"), SF_OK);
    CHECK_BYTES(out, master, sizeof(out));
    for (size_t bit = 0; bit < sizeof(file) * 8; bit++) {
        /* The mode itself, flipped, asks for work that is not allowed. */
        file[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK(decode("") < SF_OK);
        file[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void
test_changed(void)
{
    static const size_t places[] = {0, 15, 16, 19, 20, 23, 24, 31, 32, 47, 48, 79, 80, 95};

    start("x");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        file[places[i]] ^= 0x80;
        CHECK(decode("x") < SF_OK);
        file[places[i]] ^= 0x80;
    }
    for (size_t bytes = 0; bytes < sizeof(file); bytes++) {
        CHECK_EQ(sf_master_decode(sf_view(file, bytes), text("x"), out), SF_EFORMAT);
    }
    CHECK_EQ(decode("x"), SF_OK);
}

static void
test_hunger(void)
{
    start("x");
    sf_put_be32(file + 20, UINT32_MAX);
    CHECK_EQ(decode("x"), SF_ELIMIT);
    sf_put_be32(file + 20, 4);
    sf_put_be64(file + 24, UINT64_MAX);
    CHECK_EQ(decode("x"), SF_ELIMIT);
    sf_put_be64(file + 24, 0);
    CHECK_EQ(decode("x"), SF_EINVAL);
}

static void
test_long(void)
{
    static uint8_t words[SF_PASSPHRASE_BYTES_MAX + 1];

    start("x");
    CHECK_EQ(sf_master_encode(master, sf_view(words, sizeof(words)), &generator, file), SF_EINVAL);
    CHECK_EQ(sf_master_decode(sf_view(file, sizeof(file)), sf_view(words, sizeof(words)), out),
        SF_EAUTH);
}

static void
test_sealed(void)
{
    static const char secret[] = "thirty-two bytes that are secret";
    const struct sf_master_seal seal = {master, "kek", &generator};
    uint8_t sealed[sizeof(secret) + SF_MASTER_OVERHEAD_BYTES];
    uint8_t again[sizeof(sealed)];
    uint8_t opened[sizeof(secret)];
    uint8_t other[SF_MASTER_BYTES] = {1};

    start("");
    sf_master_seal(&seal, sf_view(secret, sizeof(secret)), sealed);
    CHECK(sf_master_is_sealed(sf_view(sealed, sizeof(sealed))));
    CHECK_EQ(sf_master_open(master, "kek", sf_view(sealed, sizeof(sealed)), opened), SF_OK);
    CHECK_BYTES(opened, secret, sizeof(secret));
    CHECK_EQ(sf_master_open(master, "keys", sf_view(sealed, sizeof(sealed)), opened), SF_EAUTH);
    CHECK_EQ(sf_master_open(other, "kek", sf_view(sealed, sizeof(sealed)), opened), SF_EAUTH);
    CHECK_EQ(sf_master_open(master, "kek", sf_view(sealed, 63), opened), SF_EFORMAT);
    /* Another salt each time, so never one key for two plaintexts. */
    sf_master_seal(&seal, sf_view(secret, sizeof(secret)), again);
    CHECK(memcmp(sealed + 16, again + 16, 32) != 0);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK(sf_master_open(master, "kek", sf_view(sealed, sizeof(sealed)), opened) < SF_OK);
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

CHECK_MAIN("master", {"only the passphrase opens the master key", test_passphrase},
    {"one passphrase gives another file each time", test_salt},
    {"a bare one opens by itself, and every flipped bit of it is noticed", test_bare},
    {"a changed or cut file is refused", test_changed},
    {"a file that asks for too much work or memory is refused before it gets it", test_hunger},
    {"a passphrase over the limit is refused", test_long},
    {"what is sealed opens under its key for its purpose alone, and only as it is", test_sealed})
