/*
 * test_crypto.c - the primitives against the vectors of their RFCs, and the two
 * bulk back ends against each other.
 */
#include "config.h"

#include "base/crypto.h"
#include "base/crypto_bulk.h"
#include "base/prng.h"
#include "base/random.h"
#include "tests/hex.h"
#include "tests/unit/check.h"

#include <pthread.h>

enum { BYTES_MAX = 512 };

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t count;
};

static struct bytes
hex(const char *text)
{
    struct bytes bytes = {.count = 0};

    bytes.count = hex_decode(text, bytes.data, sizeof(bytes.data));
    REQUIRE(bytes.count != SIZE_MAX);
    return bytes;
}

static struct bytes
counting(unsigned from, unsigned to)
{
    struct bytes bytes = {.count = 0};

    for (unsigned i = from; i <= to; i++) {
        bytes.data[bytes.count++] = (uint8_t)i;
    }
    return bytes;
}

static struct bytes
repeated(uint8_t byte, size_t count)
{
    struct bytes bytes = {.count = count};

    memset(bytes.data, byte, count);
    return bytes;
}

static struct sf_view
view(const struct bytes *bytes)
{
    return sf_view(bytes->data, bytes->count);
}

static void
check_hex(const uint8_t *actual, const char *expected)
{
    struct bytes bytes = hex(expected);

    CHECK_BYTES(actual, bytes.data, bytes.count);
}

/* --- SHA-256, HMAC, HKDF --------------------------------------------------- */

static void
test_sha256(void)
{
    uint8_t digest[SF_SHA256_BYTES];
    struct sf_sha256 hash;
    struct sf_sha256 copy;

    sf_sha256(sf_view("abc", 3), digest);
    check_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sf_sha256(sf_view(NULL, 0), digest);
    check_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sf_sha256_init(&hash);
    for (int i = 0; i < 1000000 / 50; i++) {
        sf_sha256_update(&hash, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 50);
    }
    copy = hash;
    sf_sha256_final(&hash, digest);
    check_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    sf_sha256_final(&copy, digest);
    check_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void
test_hmac(void)
{
    uint8_t mac[SF_SHA256_BYTES];
    struct bytes long_key = repeated(0xaa, 131);
    const struct sf_view parts[] = {
        sf_view("what do ya ", 11), sf_view(NULL, 0), sf_view("want for nothing?", 17)};
    const struct sf_view text =
        sf_view("Test Using Larger Than Block-Size Key - Hash Key First", 54);

    sf_hmac_sha256(sf_view("Jefe", 4), parts, 3, mac);
    check_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    sf_hmac_sha256(view(&long_key), &text, 1, mac);
    check_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
test_hkdf(void)
{
    uint8_t out[BYTES_MAX];
    uint8_t prk[SF_SHA256_BYTES];
    struct bytes ikm = repeated(0x0b, 22);
    struct bytes salt = counting(0x00, 0x0c);
    struct bytes info = counting(0xf0, 0xf9);
    struct sf_view parts[] = {sf_view(info.data, 3), sf_view(info.data + 3, info.count - 3)};

    sf_hkdf_extract(view(&salt), view(&ikm), prk);
    check_hex(prk, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    sf_hkdf_expand(prk, parts, 2, out, 42);
    check_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                   "34007208d5b887185865");

    ikm = counting(0x00, 0x4f);
    salt = counting(0x60, 0xaf);
    info = counting(0xb0, 0xff);
    parts[0] = view(&info);
    sf_hkdf_sha256(view(&ikm), view(&salt), parts, 1, out, 82);
    check_hex(out, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                   "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                   "cc30c58179ec3e87c14c01d5c1f3434f1d87");

    ikm = repeated(0x0b, 22);
    sf_hkdf_sha256(view(&ikm), sf_view(NULL, 0), NULL, 0, out, 42);
    check_hex(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                   "9d201395faa4b61a96c8");
}

/* --- ChaCha20-Poly1305 ----------------------------------------------------- */

static void
test_aead(void)
{
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    struct bytes key = counting(0x80, 0x9f);
    struct bytes nonce = hex("070000004041424344454647");
    struct bytes ad = hex("50515253c0c1c2c3c4c5c6c7");
    struct sf_view plain = sf_view(text, sizeof(text) - 1);
    uint8_t sealed[sizeof(text) - 1 + SF_AEAD_TAG_BYTES];
    uint8_t in_place[sizeof(sealed)];

    sf_aead_seal(key.data, nonce.data, view(&ad), plain, sealed);
    check_hex(sealed, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                      "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                      "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                      "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");
    memcpy(in_place, text, plain.bytes);
    sf_aead_seal(key.data, nonce.data, view(&ad), sf_view(in_place, plain.bytes), in_place);
    CHECK_BYTES(in_place, sealed, sizeof(sealed));
    CHECK_EQ(sf_aead_open(
                 key.data, nonce.data, view(&ad), sf_view(in_place, sizeof(in_place)), in_place),
        SF_OK);
    CHECK_BYTES(in_place, text, plain.bytes);
}

static void
test_aead_refuses(void)
{
    uint8_t key[SF_AEAD_KEY_BYTES] = {1};
    uint8_t nonce[SF_AEAD_NONCE_BYTES] = {2};
    uint8_t sealed[40 + SF_AEAD_TAG_BYTES];
    uint8_t out[40];
    const uint8_t zero[40] = {0};

    sf_aead_seal(key, nonce, sf_view("ad", 2), sf_view(zero, 40), sealed);
    CHECK_EQ(sf_aead_check(key, nonce, sf_view("ad", 2), sf_view(sealed, 40), sealed + 40), SF_OK);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(sf_aead_check(key, nonce, sf_view("ad", 2), sf_view(sealed, 40), sealed + 40),
            SF_EAUTH);
        memset(out, 0xff, sizeof(out));
        CHECK_EQ(sf_aead_open(key, nonce, sf_view("ad", 2), sf_view(sealed, sizeof(sealed)), out),
            SF_EAUTH);
        CHECK_BYTES(out, zero, sizeof(out));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bytes = 0; bytes < sizeof(sealed); bytes++) {
        CHECK_EQ(sf_aead_open(key, nonce, sf_view("ad", 2), sf_view(sealed, bytes), out),
            bytes < SF_AEAD_TAG_BYTES ? SF_EFORMAT : SF_EAUTH);
    }
    CHECK_EQ(
        sf_aead_open(key, nonce, sf_view("aD", 2), sf_view(sealed, sizeof(sealed)), out), SF_EAUTH);
    CHECK_EQ(
        sf_aead_open(key, nonce, sf_view("ad", 2), sf_view(sealed, sizeof(sealed)), out), SF_OK);
}

/* --- The two back ends ----------------------------------------------------- */

#ifdef SF_HAVE_LIBCRYPTO
static const struct sf_crypto_bulk *const bulks[] = {
    &sf_crypto_bulk_sodium, &sf_crypto_bulk_openssl};

/* Lengths around every block size, and a large one. */
static const size_t lengths[] = {0, 1, 15, 16, 17, 31, 32, 55, 56, 63, 64, 65, 127, 128, 129, 255,
    256, 511, 512, 1000, 1024, 1399, 4031, 4032, 4033, 4095, 4096, 16384, 65537, 1048576 + 3};

static void
compare_sha256(const uint8_t *data, size_t bytes, size_t cut)
{
    uint8_t digests[2][SF_SHA256_BYTES];

    for (int i = 0; i < 2; i++) {
        struct sf_sha256 hash;

        bulks[i]->sha256_init(&hash);
        bulks[i]->sha256_update(&hash, data, cut);
        bulks[i]->sha256_update(&hash, data + cut, bytes - cut);
        bulks[i]->sha256_final(&hash, digests[i]);
    }
    CHECK_BYTES(digests[0], digests[1], sizeof(digests[0]));
}

static void
compare_aead(struct sf_prng *prng, const uint8_t *data, size_t bytes, uint8_t *out[2])
{
    uint8_t key[SF_AEAD_KEY_BYTES];
    uint8_t nonce[SF_AEAD_NONCE_BYTES];
    uint8_t ad[64];
    uint8_t tags[2][SF_AEAD_TAG_BYTES];
    size_t ad_bytes = sf_prng_below(prng, sizeof(ad) + 1);

    sf_prng_fill(prng, key, sizeof(key));
    sf_prng_fill(prng, nonce, sizeof(nonce));
    sf_prng_fill(prng, ad, sizeof(ad));
    for (int i = 0; i < 2; i++) {
        bulks[i]->aead_seal(
            key, nonce, sf_view(ad, ad_bytes), sf_view(data, bytes), out[i], tags[i]);
    }
    CHECK_BYTES(out[0], out[1], bytes);
    CHECK_BYTES(tags[0], tags[1], sizeof(tags[0]));
    /* Each opens what the other has sealed, in place; neither takes a wrong tag. */
    for (int i = 0; i < 2; i++) {
        uint8_t wrong[SF_AEAD_TAG_BYTES];
        uint8_t *sealed = out[1 - i];

        CHECK(bulks[i]->aead_open(
            key, nonce, sf_view(ad, ad_bytes), sf_view(sealed, bytes), tags[1 - i], sealed));
        CHECK_BYTES(sealed, data, bytes);
        bulks[1 - i]->aead_seal(
            key, nonce, sf_view(ad, ad_bytes), sf_view(data, bytes), sealed, tags[1 - i]);
        CHECK(bulks[i]->aead_check(
            key, nonce, sf_view(ad, ad_bytes), sf_view(sealed, bytes), tags[1 - i]));
        memcpy(wrong, tags[1 - i], sizeof(wrong));
        wrong[sf_prng_below(prng, sizeof(wrong))] ^= 1;
        CHECK(!bulks[i]->aead_check(
            key, nonce, sf_view(ad, ad_bytes), sf_view(sealed, bytes), wrong));
        CHECK(!bulks[i]->aead_open(
            key, nonce, sf_view(ad, ad_bytes), sf_view(sealed, bytes), wrong, sealed));
    }
}
#endif

static void
test_back_ends_agree(void)
{
#ifdef SF_HAVE_LIBCRYPTO
    struct sf_prng prng;
    size_t bytes_max = lengths[sizeof(lengths) / sizeof(lengths[0]) - 1];
    uint8_t *data = malloc(bytes_max);
    uint8_t *out[2] = {malloc(bytes_max), malloc(bytes_max)};

    REQUIRE(data != NULL && out[0] != NULL && out[1] != NULL);
    sf_prng_init(&prng, 8439);
    sf_prng_fill(&prng, data, bytes_max);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        compare_sha256(data, lengths[i], sf_prng_below(&prng, lengths[i] + 1));
        compare_aead(&prng, data, lengths[i], out);
    }
    for (size_t bytes = 0; bytes < 300; bytes++) {
        compare_sha256(data, bytes, sf_prng_below(&prng, bytes + 1));
        compare_aead(&prng, data, bytes, out);
    }
    free(data);
    free(out[0]);
    free(out[1]);
#else
    SKIP("this build has no libcrypto to compare libsodium with");
#endif
}

/* --- Threads --------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 2000 };

static void *
seal_and_open(void *context)
{
    uint8_t key[SF_AEAD_KEY_BYTES] = {*(uint8_t *)context};
    uint8_t nonce[SF_AEAD_NONCE_BYTES] = {0};
    uint8_t data[200 + SF_AEAD_TAG_BYTES];
    uintptr_t wrong = 0;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        sf_put_be32(nonce, i);
        memset(data, (int)(i & 0xff), 200);
        sf_aead_seal(key, nonce, sf_view(NULL, 0), sf_view(data, 200), data);
        if (sf_aead_open(key, nonce, sf_view(NULL, 0), sf_view(data, sizeof(data)), data) !=
                SF_OK ||
            data[199] != (i & 0xff)) {
            wrong++;
        }
    }
    return (void *)wrong;
}

static void
test_threads(void)
{
    pthread_t threads[THREADS];
    uint8_t numbers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = (uint8_t)i;
        REQUIRE(pthread_create(&threads[i], NULL, seal_and_open, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;

        REQUIRE(pthread_join(threads[i], &wrong) == 0);
        CHECK(wrong == NULL);
    }
}

/* --- X25519 and Ed25519 ---------------------------------------------------- */

static void
test_x25519(void)
{
    struct bytes k = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    struct bytes u = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    struct bytes a = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    struct bytes b = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    uint8_t a_pk[SF_X25519_BYTES];
    uint8_t b_pk[SF_X25519_BYTES];
    uint8_t shared[SF_X25519_BYTES];

    CHECK_EQ(sf_x25519(shared, k.data, u.data), SF_OK);
    check_hex(shared, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    sf_x25519_public(a_pk, a.data);
    check_hex(a_pk, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    sf_x25519_public(b_pk, b.data);
    check_hex(b_pk, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    CHECK_EQ(sf_x25519(shared, a.data, b_pk), SF_OK);
    check_hex(shared, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    CHECK_EQ(sf_x25519(shared, b.data, a_pk), SF_OK);
    check_hex(shared, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void
test_x25519_iterated(void)
{
    uint8_t k[SF_X25519_BYTES] = {9};
    uint8_t u[SF_X25519_BYTES] = {9};
    uint8_t result[SF_X25519_BYTES];

    for (int i = 1; i <= 1000; i++) {
        REQUIRE_EQ(sf_x25519(result, k, u), SF_OK);
        memcpy(u, k, sizeof(u));
        memcpy(k, result, sizeof(k));
        if (i == 1) {
            check_hex(k, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
        }
    }
    check_hex(k, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

static void
test_x25519_low_order(void)
{
    static const char *const low[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    const uint8_t zero[SF_X25519_BYTES] = {0};
    uint8_t sk[SF_X25519_BYTES] = {0x77, 1, 2, 3};
    uint8_t shared[SF_X25519_BYTES];

    for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
        struct bytes pk = hex(low[i]);

        memset(shared, 0xff, sizeof(shared));
        CHECK_EQ(sf_x25519(shared, sk, pk.data), SF_EAUTH);
        CHECK_BYTES(shared, zero, sizeof(shared));
    }
}

static void
check_signature(const char *seed, const char *pk, const char *message, const char *signature)
{
    struct bytes seed_bytes = hex(seed);
    struct bytes text = hex(message);
    uint8_t ret_pk[SF_SIGN_PUBLIC_BYTES];
    uint8_t sk[SF_SIGN_SECRET_BYTES];
    uint8_t made[SF_SIGNATURE_BYTES];

    sf_sign_keypair(seed_bytes.data, ret_pk, sk);
    check_hex(ret_pk, pk);
    sf_sign(sk, view(&text), made);
    check_hex(made, signature);
    CHECK_EQ(sf_verify(ret_pk, view(&text), made), SF_OK);
    for (size_t bit = 0; bit < sizeof(made) * 8; bit++) {
        made[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(sf_verify(ret_pk, view(&text), made), SF_EAUTH);
        made[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
test_ed25519(void)
{
    check_signature("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    check_signature("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
        "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    check_signature("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
        "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

static void
test_ed25519_malleable(void)
{
    /* S + L, where L is the order of the group: the same signature to a careless verifier. */
    struct bytes order = hex("edd3f55c1a631258d69cf7a2def9de14"
                             "00000000000000000000000000000010");
    uint8_t seed[SF_SIGN_SEED_BYTES] = {7};
    uint8_t pk[SF_SIGN_PUBLIC_BYTES];
    uint8_t sk[SF_SIGN_SECRET_BYTES];
    uint8_t signature[SF_SIGNATURE_BYTES];
    unsigned carry = 0;

    sf_sign_keypair(seed, pk, sk);
    sf_sign(sk, sf_view("text", 4), signature);
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)signature[32 + i] + order.data[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    CHECK_EQ(sf_verify(pk, sf_view("text", 4), signature), SF_EAUTH);
}

/* --- Secrets and randomness ------------------------------------------------ */

static void
test_secrets(void)
{
    uint8_t *secret = sf_secret_alloc(100);
    const uint8_t zero[100] = {0};

    REQUIRE(secret != NULL);
    CHECK_BYTES(secret, zero, 100);
    memset(secret, 0xa5, 100);
    CHECK(!sf_ct_equal(secret, zero, 100));
    sf_wipe(secret, 100);
    CHECK(sf_ct_equal(secret, zero, 100));
    sf_secret_free(secret);
    sf_secret_free(NULL);
}

static void
test_system_random(void)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};

    sf_random_fill(&sf_random_system, a, sizeof(a));
    sf_random_fill(&sf_random_system, b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
}

static const struct check_test tests[] = {
    {"SHA-256 gives the digests of FIPS 180-4, and a running hash can be copied", test_sha256},
    {"HMAC-SHA-256 gives the values of RFC 4231, in parts and with a long key", test_hmac},
    {"HKDF-SHA-256 gives the values of RFC 5869, A.1 to A.3", test_hkdf},
    {"ChaCha20-Poly1305 gives the sealed text of RFC 8439, 2.8.2, also in place", test_aead},
    {"a sealed text with any bit flipped, cut or moved is refused and nothing of it shown",
        test_aead_refuses},
    {"libcrypto and libsodium give the same bytes and open each other's", test_back_ends_agree},
    {"threads seal and open at the same time without disturbing each other", test_threads},
    {"X25519 gives the values of RFC 7748, 5.2 and 6.1", test_x25519},
    {"X25519 gives the value of RFC 7748, 5.2 after 1,000 iterations", test_x25519_iterated},
    {"X25519 refuses every point of low order", test_x25519_low_order},
    {"Ed25519 gives the signatures of RFC 8032, 7.1 and refuses them with a bit flipped",
        test_ed25519},
    {"Ed25519 refuses the second form of a signature", test_ed25519_malleable},
    {"guarded memory starts zeroed, compares and wipes", test_secrets},
    {"the system's generator does not repeat itself", test_system_random},
};

int
main(void)
{
    if (sf_crypto_init() != SF_OK || sf_crypto_init() != SF_OK) {
        return EXIT_FAILURE;
    }
    printf("bulk back end: %s\n", sf_crypto_bulk_name());
    return check_run("crypto", tests, sizeof(tests) / sizeof(tests[0]));
}
