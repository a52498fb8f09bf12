/*
 * test_vectors.c - the golden vectors and their verdicts (tests/vectors/NAME.txt).
 */
#include "base/crypto.h"
#include "bundle/delta.h"
#include "bundle/envelope.h"
#include "bundle/grant.h"
#include "bundle/ladder.h"
#include "bundle/letter.h"
#include "bundle/manifest.h"
#include "bundle/piece.h"
#include "bundle/receipt.h"
#include "tests/cbor_transcode.h"
#include "tests/unit/check.h"
#include "tests/vectors/vector_file.h"

static int
status_of(const char *verdict)
{
    static const struct {
        const char *verdict;
        int status;
    } verdicts[] = {
        {"ok", SF_OK},
        {"format", SF_EFORMAT},
        {"limit", SF_ELIMIT},
        {"auth", SF_EAUTH},
        {"not-for-us", SF_ENOENT},
        {"stale", SF_ESTATE},
    };

    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        if (strcmp(verdicts[i].verdict, verdict) == 0) {
            return verdicts[i].status;
        }
    }
    vector_die("unknown verdict", verdict);
    return SF_OK;
}

static void
check_file(
    const char *name, size_t count_min, int (*open)(const struct vector *, uint8_t *, size_t))
{
    const char *srcdir = getenv("srcdir");
    struct vector_file file;
    char path[4096];
    size_t good = 0;

    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    snprintf(path, sizeof(path), "%s/tests/vectors/%s.txt", srcdir == NULL ? "." : srcdir, name);
    vector_file_open(&file, path);
    CHECK(file.count >= count_min);
    for (size_t i = 0; i < file.count; i++) {
        const struct vector *vector = &file.vectors[i];
        const char *verdict = vector_text(vector, "verdict");
        size_t bytes = 0;
        uint8_t *object = vector_object(vector, &bytes);
        int status = open(vector, object, bytes);

        if (status != status_of(verdict)) {
            printf("\n    %s/%s: %s, not %s\n", name, vector_text(vector, "name"),
                sf_status_text(status), verdict);
        }
        CHECK_EQ(status, status_of(verdict));
        good += status == SF_OK;
        free(object);
    }
    CHECK(good > 0);
    CHECK(good < file.count);
    vector_file_close(&file);
}

/* The field `key` must be exactly these bytes. */
static void
check_field(const struct vector *vector, const char *key, const void *data, size_t bytes)
{
    size_t expected_bytes = 0;
    uint8_t *expected = vector_bytes(vector, key, &expected_bytes);

    CHECK(sf_view_equal(sf_view(expected, expected_bytes), sf_view(data, bytes)));
    free(expected);
}

/* A field of a fixed length. */
static void
get_field(const struct vector *vector, const char *key, uint8_t *out, size_t bytes)
{
    size_t got = 0;
    uint8_t *data = vector_bytes(vector, key, &got);

    REQUIRE_EQ(got, bytes);
    memcpy(out, data, bytes);
    free(data);
}

static int
open_cbor(const struct vector *vector, uint8_t *object, size_t bytes)
{
    uint8_t again[256];
    size_t count = 0;

    (void)vector;
    REQUIRE(bytes <= sizeof(again));
    return transcode(sf_view(object, bytes), again, &count);
}

static int
open_content(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_content_reader reader;

    (void)vector;
    return sf_content_reader_init(&reader, sf_view(object, bytes));
}

static int
open_frame(const struct vector *vector, uint8_t *object, size_t bytes)
{
    uint8_t plain[512];
    size_t plain_bytes = (size_t)strtoul(vector_text(vector, "plain-bytes"), NULL, 10);
    struct sf_coded coded = {
        (enum sf_codec)strtoul(vector_text(vector, "codec"), NULL, 10), sf_view(object, bytes)};
    struct sf_coder *coder = NULL;
    int status;

    REQUIRE(plain_bytes <= sizeof(plain));
    REQUIRE_EQ(sf_coder_open(&coder), SF_OK);
    status = sf_frame_decode(coder, &coded, plain, plain_bytes);
    sf_coder_close(coder);
    if (status == SF_OK) {
        check_field(vector, "plain", plain, plain_bytes);
    }
    return status;
}

static int
open_delta(const struct vector *vector, uint8_t *object, size_t bytes)
{
    uint8_t key_bytes[32];
    uint8_t base_bytes[64];
    uint8_t plain[64];
    struct sf_hmac key;
    struct sf_delta_base base = {.key = &key, .bytes = base_bytes};
    struct sf_coded coded = {
        (enum sf_codec)strtoul(vector_text(vector, "codec"), NULL, 10), sf_view(object, bytes)};
    struct sf_reference reference = {0};
    struct sf_coder *coder = NULL;
    int status;

    get_field(vector, "key", key_bytes, sizeof(key_bytes));
    get_field(vector, "base", base_bytes, sizeof(base_bytes));
    sf_hmac_init(&key, sf_view(key_bytes, sizeof(key_bytes)));
    REQUIRE_EQ(sf_coder_open(&coder), SF_OK);
    CHECK_EQ(sf_reference_decode(&coded, &reference), SF_OK);
    CHECK_EQ(reference.offset, 4096);
    status = sf_delta_decode(coder, &coded, &base, plain, sizeof(plain));
    sf_coder_close(coder);
    if (status == SF_OK) {
        check_field(vector, "plain", plain, sizeof(plain));
    }
    return status;
}

static int
open_outline(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_outline outline;
    int status = sf_outline_decode(sf_view(object, bytes), &outline);

    (void)vector;
    if (status == SF_OK) {
        sf_outline_fini(&outline);
    }
    return status;
}

static int
open_digests(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_outline_file files[8];
    struct sf_outline outline = {.files = files};
    struct sf_digests digests;
    char *at = NULL;
    int status;

    for (const char *text = vector_text(vector, "lengths"); *text != '\0'; text = at) {
        REQUIRE(outline.file_count < 8);
        files[outline.file_count++] =
            (struct sf_outline_file){.path = "x", .bytes = strtoull(text, &at, 10)};
    }
    status = sf_digests_decode(sf_view(object, bytes), &outline, &digests);
    if (status == SF_OK) {
        sf_digests_fini(&digests);
    }
    return status;
}

static int
open_card(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_card card;
    int status = sf_card_decode(sf_view(object, bytes), &card);

    if (status == SF_OK) {
        check_field(vector, "fingerprint", card.fingerprint.b, sizeof(card.fingerprint.b));
    }
    return status;
}

static int
open_receipt(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_receipt receipt;
    struct sf_fingerprint receiver;
    uint8_t sign_pk[32];
    int status;

    get_field(vector, "sign-pk", sign_pk, sizeof(sign_pk));
    sf_fingerprint_of(sign_pk, &receiver);
    status = sf_receipt_decode(sf_view(object, bytes), sign_pk, &receiver, &receipt);
    if (status == SF_OK) {
        sf_receipt_fini(&receipt);
    }
    return status;
}

static int
open_cancel(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_cancel cancel;
    struct sf_fingerprint by;
    uint8_t sign_pk[32];

    get_field(vector, "sign-pk", sign_pk, sizeof(sign_pk));
    sf_fingerprint_of(sign_pk, &by);
    return sf_cancel_decode(sf_view(object, bytes), sign_pk, &by, &cancel);
}

static int
open_bundle(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_transfer_id transfer;
    struct sf_fingerprint fingerprint;
    struct sf_envelope_expect expect = {.kind = SF_KIND_DATA};
    struct sf_view content = {NULL, 0};
    struct sf_seal seal;
    uint8_t cek[SF_CEK_BYTES];
    uint8_t sign_pk[32];
    uint8_t siv[SF_SIV_BYTES];
    int status;

    get_field(vector, "transfer", transfer.b, sizeof(transfer.b));
    get_field(vector, "cek", cek, sizeof(cek));
    get_field(vector, "sign-pk", sign_pk, sizeof(sign_pk));
    sf_fingerprint_of(sign_pk, &fingerprint);
    expect.signer_pk = sign_pk;
    expect.signer_fingerprint = &fingerprint;
    expect.index = strtoull(vector_text(vector, "index"), NULL, 10);
    sf_seal_init(&seal, cek, &transfer);
    status = sf_envelope_open(&seal, &expect, sf_view(object, bytes), object, &content, siv);
    if (status == SF_OK) {
        check_field(vector, "content", content.data, content.bytes);
        check_field(vector, "siv", siv, sizeof(siv));
    }
    sf_seal_fini(&seal);
    /* A length that is no class is a wrong call here; from outside it is a wrong object. */
    return status == SF_EINVAL ? SF_EFORMAT : status;
}

/* The one card that the vector's reader knows. */
static const struct sf_card *
find_card(void *context, const struct sf_fingerprint *fingerprint)
{
    const struct sf_card *card = context;

    return sf_fingerprint_equal(&card->fingerprint, fingerprint) ? card : NULL;
}

/* Keys and the sender's card of a grant or a letter. */
static struct sf_identity *
get_keys(const struct vector *vector, struct sf_card *ret_card)
{
    struct sf_identity *identity = NULL;
    size_t bytes = 0;
    uint8_t *data = vector_bytes(vector, "keys", &bytes);

    REQUIRE_EQ(sf_identity_decode(sf_view(data, bytes), &identity), SF_OK);
    free(data);
    data = vector_bytes(vector, "sender-card", &bytes);
    REQUIRE_EQ(sf_card_decode(sf_view(data, bytes), ret_card), SF_OK);
    free(data);
    return identity;
}

/* The ladder from the sender to the recipient of a vector. */
struct ladder {
    struct sf_rung bottom;
    struct sf_fingerprint sender;
};

static bool
find_psk(void *context, uint64_t number, size_t n, uint8_t ret_psk[32],
    struct sf_fingerprint *ret_sender)
{
    const struct ladder *ladder = context;
    struct sf_rung rung = ladder->bottom;

    if (n > 0) {
        return false;
    }
    while (rung.number < number) {
        sf_ladder_climb(&rung);
    }
    sf_ladder_psk(&rung, ret_psk);
    *ret_sender = ladder->sender;
    return true;
}

static int
open_grant(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct ladder ladder;
    const struct sf_grant_psk_lookup psks = {.find = find_psk, .context = &ladder};
    bool has_seed = vector_find(vector, "seed") != NULL;
    struct sf_card card;
    struct sf_card_lookup cards = {.find = find_card, .context = &card};
    struct sf_identity *identity = get_keys(vector, &card);
    struct sf_grant grant;
    int status;

    if (has_seed) {
        size_t seed_bytes = 0;
        uint8_t *seed = vector_bytes(vector, "seed", &seed_bytes);

        REQUIRE_EQ(seed_bytes, SF_LADDER_SEED_BYTES);
        sf_ladder_begin(seed, &card.fingerprint, &identity->fingerprint, &ladder.bottom);
        ladder.sender = card.fingerprint;
        free(seed);
    }
    status =
        sf_grant_open(identity, &cards, has_seed ? &psks : NULL, sf_view(object, bytes), &grant);
    if (status == SF_OK) {
        CHECK_EQ(grant.has_psk, has_seed);
        if (has_seed) {
            CHECK_EQ(grant.rung, strtoull(vector_text(vector, "rung"), NULL, 10));
        }
        check_field(vector, "transfer", grant.transfer.b, sizeof(grant.transfer.b));
        check_field(vector, "cek", grant.cek, sizeof(grant.cek));
        CHECK_EQ(grant.number, strtoull(vector_text(vector, "number"), NULL, 10));
    }
    sf_identity_fini(identity);
    return status;
}

static int
open_letter(const struct vector *vector, uint8_t *object, size_t bytes)
{
    struct sf_card card;
    struct sf_card_lookup cards = {.find = find_card, .context = &card};
    struct sf_identity *identity = get_keys(vector, &card);
    struct sf_letter letter;
    int status = sf_letter_open(identity, &cards, object, bytes, &letter);

    if (status == SF_OK) {
        check_field(vector, "content", letter.content.data, letter.content.bytes);
        CHECK_EQ(letter.type, strtoul(vector_text(vector, "type"), NULL, 10));
    }
    sf_identity_fini(identity);
    return status;
}

#define VECTOR_TEST(name, count_min)                                                               \
    static void test_##name(void)                                                                  \
    {                                                                                              \
        check_file(#name, (count_min), open_##name);                                               \
    }

VECTOR_TEST(cbor, 17)
VECTOR_TEST(content, 16)
VECTOR_TEST(frame, 11)
VECTOR_TEST(delta, 20)
VECTOR_TEST(outline, 13)
VECTOR_TEST(digests, 5)
VECTOR_TEST(card, 4)
VECTOR_TEST(receipt, 8)
VECTOR_TEST(cancel, 4)
VECTOR_TEST(bundle, 17)
VECTOR_TEST(letter, 5)
VECTOR_TEST(grant, 13)

CHECK_MAIN("vectors", {"CBOR", test_cbor}, {"contents", test_content}, {"frames", test_frame},
    {"frames coded against a base", test_delta}, {"outlines", test_outline},
    {"digests", test_digests}, {"cards", test_card}, {"receipts", test_receipt},
    {"cancels", test_cancel}, {"bundles", test_bundle}, {"letters", test_letter},
    {"grants", test_grant})
