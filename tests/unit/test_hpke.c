/*
 * test_hpke.c - HPKE against the vectors of RFC 9180, A.2.1 (Base) and A.2.2 (PSK).
 */
#include "bundle/hpke.h"

#include "tests/hex.h"
#include "tests/unit/check.h"

#define PLAINTEXT "4265617574792069732074727574682c20747275746820626561757479"
#define INFO      "4f6465206f6e2061204772656369616e2055726e"

enum { BYTES_MAX = 128, ENCRYPTIONS = 6, EXPORTS = 3 };

struct vector {
    const char *ikm_e, *pk_e, *sk_e;
    const char *ikm_r, *pk_r, *sk_r;
    const char *psk, *psk_id; /* NULL in mode Base */
    const char *secret;
    const char *key, *base_nonce, *exporter;
    struct {
        uint64_t sequence;
        const char *ad;
        const char *sealed;
    } encryptions[ENCRYPTIONS];
    const char *exports[EXPORTS];
};

static const char *const export_labels[EXPORTS] = {"", "00", "54657374436f6e74657874"};

static const struct vector base = {
    .ikm_e = "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
    .pk_e = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
    .sk_e = "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
    .ikm_r = "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
    .pk_r = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
    .sk_r = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
    .secret = "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7",
    .key = "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91",
    .base_nonce = "5c4d98150661b848853b547f",
    .exporter = "a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922",
    .encryptions =
        {
            {0, "436f756e742d30",
                "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db"
                "21993c62ce81883d2dd1b51a28"},
            {1, "436f756e742d31",
                "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e"
                "85285337cc95ba5f59992dc98c"},
            {2, "436f756e742d32",
                "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02"
                "b4f10ecac6f48c32f878fae86b"},
            {4, "436f756e742d34",
                "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122b"
                "b153495ff0b02e9e54a50dbe16"},
            {255, "436f756e742d323535",
                "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b888"
                "0a5f6b3936da9cd6c23ef2a95c"},
            {256, "436f756e742d323536",
                "7a4a13e9ef23978e2c520fd4d2e757514ae160cd0cd05e556ef692370ca53076"
                "214c0c40d4c728d6ed9e727a5b"},
        },
    .exports =
        {
            "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e",
            "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69",
            "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
        },
};

static const struct vector psk = {
    .ikm_e = "35706a0b09fb26fb45c39c2f5079c709c7cf98e43afa973f14d88ece7e29c2e3",
    .pk_e = "2261299c3f40a9afc133b969a97f05e95be2c514e54f3de26cbe5644ac735b04",
    .sk_e = "0c35fdf49df7aa01cd330049332c40411ebba36e0c718ebc3edf5845795f6321",
    .ikm_r = "26b923eade72941c8a85b09986cdfa3f1296852261adedc52d58d2930269812b",
    .pk_r = "13640af826b722fc04feaa4de2f28fbd5ecc03623b317834e7ff4120dbe73062",
    .sk_r = "77d114e0212be51cb1d76fa99dd41cfd4d0166b08caa09074430a6c59ef17879",
    .psk = "0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82",
    .psk_id = "456e6e796e20447572696e206172616e204d6f726961",
    .secret = "4be079c5e77779d0215b3f689595d59e3e9b0455d55662d1f3666ec606e50ea7",
    .key = "600d2fdb0313a7e5c86a9ce9221cd95bed069862421744cfb4ab9d7203a9c019",
    .base_nonce = "112e0465562045b7368653e7",
    .exporter = "73b506dc8b6b4269027f80b0362def5cbb57ee50eed0c2873dac9181f453c5ac",
    .encryptions =
        {
            {0, "436f756e742d30",
                "4a177f9c0d6f15cfdf533fb65bf84aecdc6ab16b8b85b4cf65a370e07fc1d78d"
                "28fb073214525276f4a89608ff"},
            {1, "436f756e742d31",
                "5c3cabae2f0b3e124d8d864c116fd8f20f3f56fda988c3573b40b09997fd6c76"
                "9e77c8eda6cda4f947f5b704a8"},
            {2, "436f756e742d32",
                "14958900b44bdae9cbe5a528bf933c5c990dbb8e282e6e495adf8205d19da9eb"
                "270e3a6f1e0613ab7e757962a4"},
            {4, "436f756e742d34",
                "c2a7bc09ddb853cf2effb6e8d058e346f7fe0fb3476528c80db6b698415c5f8c"
                "50b68a9a355609e96d2117f8d3"},
            {255, "436f756e742d323535",
                "2414d0788e4bc39a59a26d7bd5d78e111c317d44c37bd5a4c2a1235f2ddc2085"
                "c487d406490e75210c958724a7"},
            {256, "436f756e742d323536",
                "c567ae1c3f0f75abe1dd9e4532b422600ed4a6e5b9484dafb1e43ab9f5fd662b"
                "28c00e2e81d3cde955dae7e218"},
        },
    .exports =
        {
            "813c1bfc516c99076ae0f466671f0ba5ff244a41699f7b2417e4c59d46d39f40",
            "2745cf3d5bb65c333658732954ee7af49eb895ce77f8022873a62a13c94cb4e1",
            "ad40e3ae14f21c99bfdebc20ae14ab86f4ca2dc9a4799d200f43a25f99fa78ae",
        },
};

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

static void
check_kem(const struct vector *vector)
{
    struct bytes ikm_e = hex(vector->ikm_e);
    struct bytes ikm_r = hex(vector->ikm_r);
    uint8_t sk[SF_X25519_BYTES];
    uint8_t pk[SF_X25519_BYTES];
    uint8_t enc[SF_HPKE_ENC_BYTES];
    uint8_t secret[SF_HPKE_SECRET_BYTES];

    sf_hpke_derive_keypair(view(&ikm_e), sk, pk);
    check_hex(sk, vector->sk_e);
    check_hex(pk, vector->pk_e);
    sf_hpke_derive_keypair(view(&ikm_r), sk, pk);
    check_hex(sk, vector->sk_r);
    check_hex(pk, vector->pk_r);
    REQUIRE_EQ(sf_hpke_encap(pk, ikm_e.data, enc, secret), SF_OK);
    check_hex(enc, vector->pk_e);
    check_hex(secret, vector->secret);
    memset(secret, 0, sizeof(secret));
    REQUIRE_EQ(sf_hpke_decap(enc, sk, pk, secret), SF_OK);
    check_hex(secret, vector->secret);
}

static void
check_encryptions(const struct sf_hpke *fresh, const struct vector *vector)
{
    struct bytes plain = hex(PLAINTEXT);

    for (size_t i = 0; i < ENCRYPTIONS; i++) {
        struct sf_hpke sender = *fresh;
        struct sf_hpke receiver = *fresh;
        struct bytes ad = hex(vector->encryptions[i].ad);
        uint8_t sealed[BYTES_MAX];
        uint8_t opened[BYTES_MAX];
        struct sf_view sealed_view = sf_view(sealed, plain.count + SF_AEAD_TAG_BYTES);

        sender.sequence = receiver.sequence = vector->encryptions[i].sequence;
        REQUIRE_EQ(sf_hpke_context_seal(&sender, view(&ad), view(&plain), sealed), SF_OK);
        check_hex(sealed, vector->encryptions[i].sealed);
        REQUIRE_EQ(sf_hpke_context_open(&receiver, view(&ad), sealed_view, opened), SF_OK);
        CHECK_BYTES(opened, plain.data, plain.count);
        CHECK_EQ(receiver.sequence, vector->encryptions[i].sequence + 1);
        /* Out of turn it does not open, and the sequence does not move. */
        CHECK_EQ(sf_hpke_context_open(&receiver, view(&ad), sealed_view, opened), SF_EAUTH);
        CHECK_EQ(receiver.sequence, vector->encryptions[i].sequence + 1);
    }
}

static void
check_vector(const struct vector *vector)
{
    struct bytes secret = hex(vector->secret);
    struct bytes info = hex(INFO);
    struct bytes key = hex(vector->psk == NULL ? "" : vector->psk);
    struct bytes id = hex(vector->psk == NULL ? "" : vector->psk_id);
    const struct sf_hpke_psk given = {.key = view(&key), .id = view(&id)};
    struct sf_hpke hpke;

    check_kem(vector);
    REQUIRE_EQ(
        sf_hpke_schedule(&hpke, secret.data, view(&info), vector->psk ? &given : NULL), SF_OK);
    check_hex(hpke.key, vector->key);
    check_hex(hpke.base_nonce, vector->base_nonce);
    check_hex(hpke.exporter, vector->exporter);
    check_encryptions(&hpke, vector);
    for (size_t i = 0; i < EXPORTS; i++) {
        struct bytes label = hex(export_labels[i]);
        uint8_t out[32];

        sf_hpke_context_export(&hpke, view(&label), out, sizeof(out));
        check_hex(out, vector->exports[i]);
    }
    sf_hpke_fini(&hpke);
}

static void
test_base(void)
{
    check_vector(&base);
}

static void
test_psk(void)
{
    check_vector(&psk);
}

static const uint8_t some_key[32] = {1};
static const struct sf_hpke_psk some_psk = {
    .key = {some_key, sizeof(some_key)}, .id = {some_key, 1}};

static void
check_single_shot(const struct vector *vector)
{
    struct bytes info = hex(INFO);
    struct bytes plain = hex(PLAINTEXT);
    struct bytes ikm_e = hex(vector->ikm_e);
    struct bytes sk_r = hex(vector->sk_r);
    struct bytes pk_r = hex(vector->pk_r);
    struct bytes ad = hex(vector->encryptions[0].ad);
    struct bytes key = hex(vector->psk == NULL ? "" : vector->psk);
    struct bytes id = hex(vector->psk == NULL ? "" : vector->psk_id);
    const struct sf_hpke_psk given = {.key = view(&key), .id = view(&id)};
    struct sf_hpke_message message = {
        .info = view(&info), .ad = view(&ad), .psk = vector->psk == NULL ? NULL : &given};
    uint8_t enc[SF_HPKE_ENC_BYTES];
    uint8_t sealed[BYTES_MAX];
    uint8_t opened[BYTES_MAX];
    struct sf_view sealed_view = sf_view(sealed, plain.count + SF_AEAD_TAG_BYTES);

    REQUIRE_EQ(sf_hpke_seal(&message, pk_r.data, ikm_e.data, view(&plain), enc, sealed), SF_OK);
    check_hex(enc, vector->pk_e);
    check_hex(sealed, vector->encryptions[0].sealed);
    REQUIRE_EQ(sf_hpke_open(&message, enc, sk_r.data, pk_r.data, sealed_view, opened), SF_OK);
    CHECK_BYTES(opened, plain.data, plain.count);

    message.info = sf_view("other", 5);
    CHECK_EQ(sf_hpke_open(&message, enc, sk_r.data, pk_r.data, sealed_view, opened), SF_EAUTH);
    message.info = view(&info);
    message.psk = vector->psk == NULL ? &some_psk : NULL;
    CHECK_EQ(sf_hpke_open(&message, enc, sk_r.data, pk_r.data, sealed_view, opened), SF_EAUTH);
}

static void
test_single_shot(void)
{
    check_single_shot(&base);
    check_single_shot(&psk);
}

static void
test_bad_psk(void)
{
    const uint8_t secret[SF_HPKE_SECRET_BYTES] = {1};
    const uint8_t key[32] = {2};
    struct sf_hpke_psk given = {.key = sf_view(key, 31), .id = sf_view("id", 2)};
    struct sf_hpke hpke;

    CHECK_EQ(sf_hpke_schedule(&hpke, secret, sf_view(NULL, 0), &given), SF_EINVAL);
    given.key.bytes = 32;
    given.id.bytes = 0;
    CHECK_EQ(sf_hpke_schedule(&hpke, secret, sf_view(NULL, 0), &given), SF_EINVAL);
    given.id.bytes = 2;
    CHECK_EQ(sf_hpke_schedule(&hpke, secret, sf_view(NULL, 0), &given), SF_OK);
}

static void
test_low_order(void)
{
    const uint8_t low[SF_X25519_BYTES] = {1};
    const uint8_t ikm[SF_HPKE_IKM_BYTES] = {2};
    uint8_t sk[SF_X25519_BYTES];
    uint8_t pk[SF_X25519_BYTES];
    uint8_t enc[SF_HPKE_ENC_BYTES];
    uint8_t secret[SF_HPKE_SECRET_BYTES];

    sf_hpke_derive_keypair(sf_view(ikm, sizeof(ikm)), sk, pk);
    CHECK_EQ(sf_hpke_encap(low, ikm, enc, secret), SF_EAUTH);
    CHECK_EQ(sf_hpke_decap(low, sk, pk, secret), SF_EAUTH);
}

static void
test_sequence_ends(void)
{
    struct sf_hpke hpke = {.sequence = UINT64_MAX};
    uint8_t out[32] = {0};

    CHECK_EQ(sf_hpke_context_seal(&hpke, sf_view(NULL, 0), sf_view(out, 4), out), SF_ELIMIT);
    CHECK_EQ(sf_hpke_context_open(&hpke, sf_view(NULL, 0), sf_view(out, 20), out), SF_ELIMIT);
}

static const struct check_test tests[] = {
    {"mode Base gives every value of RFC 9180, A.2.1", test_base},
    {"mode PSK gives every value of RFC 9180, A.2.2", test_psk},
    {"the single-shot calls give the RFC's first message, and refuse another info or mode",
        test_single_shot},
    {"a PSK that is too short or has no name is refused", test_bad_psk},
    {"keys of low order are refused by both ends", test_low_order},
    {"a context whose sequence is used up seals and opens nothing", test_sequence_ends},
};

int
main(void)
{
    if (sf_crypto_init() != SF_OK) {
        return EXIT_FAILURE;
    }
    return check_run("hpke", tests, sizeof(tests) / sizeof(tests[0]));
}
