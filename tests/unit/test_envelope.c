/*
 * test_envelope.c - a bundle opens for whom it was sealed, and nothing else passes for it.
 */
#include "bundle/envelope.h"

#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/labels.h"
#include "tests/unit/check.h"
#include "tests/unit/people.h"

enum {
    CLASS = 16 << 10,
    OFFSET = 94 + 64, /* of the content in this class */
    AT_ID = 22,
    AT_IV = 40,
    AT_SIV = 59,
    INDEX = 7,
    CONTENT = 1000,
};

static struct people people;
static struct sf_seal seal;
static const uint8_t cek[SF_CEK_BYTES] = {1, 2, 3};
static const struct sf_transfer_id transfer = {{9, 8, 7}};

static uint8_t object[4 << 20];
static uint8_t copy[4 << 20];
static uint8_t plain[4 << 20];

static struct sf_envelope_expect
expect_from(size_t who)
{
    return (struct sf_envelope_expect){
        .signer_pk = people.cards[who].sign_pk,
        .signer_fingerprint = &people.cards[who].fingerprint,
        .kind = SF_KIND_DATA,
        .index = INDEX,
    };
}

/* Content that is one CBOR item: a byte string. */
static void
put_content(uint8_t *at, size_t bytes)
{
    memset(at, 0x5a, bytes);
    at[0] = 0x59;
    sf_put_be16(at + 1, (uint16_t)(bytes - 3));
}

static void
seal_one(uint8_t *out, size_t class_bytes, size_t content_bytes)
{
    uint8_t siv[SF_SIV_BYTES];

    put_content(out + sf_envelope_content_offset(class_bytes), content_bytes);
    REQUIRE_EQ(sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, INDEX, out, class_bytes,
                   content_bytes, siv),
        SF_OK);
}

static int
open_as(struct sf_envelope_expect expect, uint8_t *bytes, size_t class_bytes)
{
    struct sf_view content = {NULL, 0};
    uint8_t siv[SF_SIV_BYTES];
    int status =
        sf_envelope_open(&seal, &expect, sf_view(bytes, class_bytes), bytes, &content, siv);

    CHECK((status == SF_OK) == (content.data != NULL));
    return status;
}

static bool
is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void
test_round_trip(void)
{
    struct sf_envelope_expect expect = expect_from(0);

    for (unsigned i = 0; i < SF_ENVELOPE_CLASSES; i++) {
        size_t class_bytes = sf_envelope_class(i);
        size_t lengths[] = {
            1, 2, 1000, sf_envelope_capacity(class_bytes) - 1, sf_envelope_capacity(class_bytes)};

        for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
            uint8_t *at = object + sf_envelope_content_offset(class_bytes);
            uint8_t sealed_siv[SF_SIV_BYTES];
            uint8_t siv[SF_SIV_BYTES];
            struct sf_view content;

            /* Whatever the buffer held before must not matter. */
            memset(object, 0xee, sizeof(object));
            sf_prng_fill(&people.prng, at, lengths[j]);
            memcpy(copy, at, lengths[j]);
            REQUIRE_EQ(sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, INDEX, object,
                           class_bytes, lengths[j], sealed_siv),
                SF_OK);
            if (class_bytes < sizeof(object)) {
                CHECK_EQ(object[class_bytes], 0xee);
            }
            REQUIRE_EQ(sf_envelope_open(
                           &seal, &expect, sf_view(object, class_bytes), object, &content, siv),
                SF_OK);
            CHECK_EQ(content.bytes, lengths[j]);
            CHECK(content.data == at);
            CHECK_BYTES(content.data, copy, lengths[j]);
            CHECK_BYTES(siv, sealed_siv, sizeof(siv));
        }
    }
}

static void
test_limits(void)
{
    const size_t bad[] = {0, 1, 4096, CLASS - 1, CLASS + 1, 32 << 10, (4 << 20) + 1, 8 << 20};
    uint8_t siv[SF_SIV_BYTES];
    struct sf_envelope_expect expect = expect_from(0);
    struct sf_view content;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!sf_envelope_class_is_valid(bad[i]));
        CHECK_EQ(
            sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, 0, object, bad[i], 10, siv),
            SF_EINVAL);
        CHECK_EQ(sf_envelope_open(&seal, &expect, sf_view(object, bad[i]), object, &content, siv),
            SF_EINVAL);
        CHECK_EQ(sf_envelope_peek(sf_view(object, bad[i]), siv, siv), SF_EFORMAT);
    }
    memset(object, 0x77, CLASS);
    CHECK_EQ(sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, 0, object, CLASS, 0, siv),
        SF_EINVAL);
    CHECK_EQ(sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, 0, object, CLASS,
                 sf_envelope_capacity(CLASS) + 1, siv),
        SF_EINVAL);
    CHECK_EQ(object[0], 0x77);
    CHECK_EQ(object[CLASS - 1], 0x77);
    CHECK_EQ(sf_envelope_class(SF_ENVELOPE_CLASSES), 0);
    CHECK_EQ(sf_envelope_content_offset(CLASS), OFFSET);
}

static void
test_deterministic(void)
{
    seal_one(object, CLASS, CONTENT);
    seal_one(copy, CLASS, CONTENT);
    CHECK_BYTES(object, copy, CLASS);
}

static void
test_fresh_key(void)
{
    uint8_t siv[SF_SIV_BYTES];

    seal_one(object, CLASS, CONTENT);
    put_content(copy + OFFSET, CONTENT);
    copy[OFFSET + 500] ^= 1;
    REQUIRE_EQ(sf_envelope_seal(
                   &seal, people.identities[0], SF_KIND_DATA, INDEX, copy, CLASS, CONTENT, siv),
        SF_OK);
    CHECK_BYTES(object + AT_ID, copy + AT_ID, SF_OBJECT_ID_BYTES);
    CHECK(memcmp(object + AT_SIV, copy + AT_SIV, SF_SIV_BYTES) != 0);
    CHECK(memcmp(object + AT_IV, copy + AT_IV, SF_AEAD_NONCE_BYTES) != 0);
    /* Where the plaintexts are equal the ciphertexts are not: another key stream. */
    CHECK(memcmp(object + OFFSET, copy + OFFSET, 16) != 0);
}

static void
test_siv_without_sealing(void)
{
    uint8_t siv[SF_SIV_BYTES];
    uint8_t sealed_siv[SF_SIV_BYTES];

    put_content(object + OFFSET, CONTENT);
    REQUIRE_EQ(sf_envelope_siv(&seal, SF_KIND_DATA, INDEX, object, CLASS, CONTENT, siv), SF_OK);
    REQUIRE_EQ(sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, INDEX, object, CLASS,
                   CONTENT, sealed_siv),
        SF_OK);
    CHECK_BYTES(siv, sealed_siv, sizeof(siv));
    CHECK_EQ(sf_envelope_siv(&seal, SF_KIND_DATA, INDEX, object, CLASS, 0, siv), SF_EINVAL);
}

static void
test_peek(void)
{
    uint8_t id[SF_OBJECT_ID_BYTES];
    uint8_t expected[SF_OBJECT_ID_BYTES];
    uint8_t siv[SF_SIV_BYTES];

    seal_one(object, CLASS, CONTENT);
    REQUIRE_EQ(sf_envelope_peek(sf_view(object, CLASS), id, siv), SF_OK);
    sf_envelope_id(&seal, SF_KIND_DATA, INDEX, expected);
    CHECK_BYTES(id, expected, sizeof(id));
    CHECK_BYTES(siv, object + AT_SIV, sizeof(siv));
    object[0] ^= 1;
    CHECK_EQ(sf_envelope_peek(sf_view(object, CLASS), id, siv), SF_EFORMAT);
}

/* --- The wrong place, key or signer ---------------------------------------- */

static void
test_wrong_place(void)
{
    struct sf_envelope_expect expect = expect_from(0);
    struct sf_seal other;
    struct sf_view content;
    uint8_t siv[SF_SIV_BYTES];
    uint8_t other_cek[SF_CEK_BYTES] = {4};
    struct sf_transfer_id other_transfer = {{5}};

    seal_one(copy, CLASS, CONTENT);
    memcpy(object, copy, CLASS);
    expect.index = INDEX + 1;
    CHECK_EQ(open_as(expect, object, CLASS), SF_EAUTH);
    expect = expect_from(0);
    expect.kind = SF_KIND_GRANT;
    CHECK_EQ(open_as(expect, object, CLASS), SF_EAUTH);
    expect = expect_from(0);
    sf_seal_init(&other, cek, &other_transfer);
    CHECK_EQ(
        sf_envelope_open(&other, &expect, sf_view(object, CLASS), object, &content, siv), SF_EAUTH);
    sf_seal_init(&other, other_cek, &transfer);
    CHECK_EQ(
        sf_envelope_open(&other, &expect, sf_view(object, CLASS), object, &content, siv), SF_EAUTH);
    /* Told apart by the header alone, so nothing was touched. */
    CHECK_BYTES(object, copy, CLASS);
    CHECK_EQ(open_as(expect, object, CLASS), SF_OK);
}

static void
test_wrong_signer(void)
{
    struct sf_envelope_expect expect = expect_from(1);

    seal_one(copy, CLASS, CONTENT);
    memcpy(object, copy, CLASS);
    CHECK_EQ(open_as(expect, object, CLASS), SF_EAUTH);
    CHECK(is_zero(object, CLASS));
    memcpy(object, copy, CLASS);
    expect.signer_pk = people.cards[0].sign_pk;
    CHECK_EQ(open_as(expect, object, CLASS), SF_EAUTH);
}

static void
test_wrong_class(void)
{
    seal_one(object, 64 << 10, CONTENT);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EFORMAT);
    seal_one(object, CLASS, CONTENT);
    memset(object + CLASS, 0, 48 << 10);
    CHECK_EQ(open_as(expect_from(0), object, 64 << 10), SF_EFORMAT);
}

/* --- A co-recipient who knows the CEK -------------------------------------- */

/* Everything the CEK gives: keys, IV and id for any siv. */
static void
reseal(uint8_t *bytes, const uint8_t siv[SF_SIV_BYTES])
{
    uint8_t place[25];
    uint8_t out[44];
    const struct sf_view info[] = {SF_LABEL_VIEW(SF_LABEL_BUNDLE), sf_view(place, sizeof(place))};

    memcpy(place, transfer.b, 16);
    place[16] = SF_KIND_DATA;
    sf_put_be64(place + 17, INDEX);
    sf_hkdf_sha256(
        sf_view(cek, sizeof(cek)), sf_view(siv, SF_SIV_BYTES), info, 2, out, sizeof(out));
    memcpy(bytes + AT_SIV, siv, SF_SIV_BYTES);
    memcpy(bytes + AT_IV, out + 32, SF_AEAD_NONCE_BYTES);
    sf_aead_seal(out, out + 32, sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)),
        sf_view(bytes + 94, CLASS - 94 - 16), bytes + 94);
}

/* Sealed by node 0, opened by a co-recipient: header as sealed, plaintext behind it. */
static void
open_as_recipient(uint8_t *bytes)
{
    uint8_t header[94];

    seal_one(bytes, CLASS, CONTENT);
    memcpy(header, bytes, sizeof(header));
    REQUIRE_EQ(open_as(expect_from(0), bytes, CLASS), SF_OK);
    memcpy(bytes, header, sizeof(header));
}

static void
test_true_siv_other_content(void)
{
    uint8_t siv[SF_SIV_BYTES];

    open_as_recipient(object);
    memcpy(siv, object + AT_SIV, sizeof(siv));
    object[OFFSET + 10] ^= 1;
    reseal(object, siv); /* the true siv and signature around other content */
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EAUTH);
    CHECK(is_zero(object, CLASS));

    open_as_recipient(object);
    reseal(object, siv); /* the same by a hand that changes nothing: the forgery is well made */
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_OK);
}

static void
test_false_siv_true_content(void)
{
    uint8_t siv[SF_SIV_BYTES];

    open_as_recipient(object);
    memcpy(siv, object + AT_SIV, sizeof(siv));
    siv[0] ^= 1;
    reseal(object, siv);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EAUTH);
}

static void
test_own_siv_other_content(void)
{
    uint8_t siv[SF_SIV_BYTES];

    open_as_recipient(object);
    memcpy(copy, object, CLASS);
    object[OFFSET + 10] ^= 1;
    REQUIRE_EQ(sf_envelope_siv(&seal, SF_KIND_DATA, INDEX, copy, CLASS, CONTENT, siv), SF_OK);
    memcpy(copy, object, CLASS);
    REQUIRE_EQ(sf_envelope_siv(&seal, SF_KIND_DATA, INDEX, copy, CLASS, CONTENT, siv), SF_OK);
    memcpy(object, copy, CLASS);
    reseal(object, siv); /* consistent in itself; only the signature is of another siv */
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EAUTH);
}

static void
test_own_signature(void)
{
    uint8_t siv[SF_SIV_BYTES];

    put_content(object + OFFSET, CONTENT);
    REQUIRE_EQ(sf_envelope_seal(
                   &seal, people.identities[1], SF_KIND_DATA, INDEX, object, CLASS, CONTENT, siv),
        SF_OK);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EAUTH);
}

static void
test_signature_moved(void)
{
    uint8_t signature[SF_SIGNATURE_BYTES];
    uint8_t siv[SF_SIV_BYTES];

    /* The sender's true signature of index 8 in a bundle at 7 with the same content. */
    put_content(copy + OFFSET, CONTENT);
    REQUIRE_EQ(sf_envelope_seal(
                   &seal, people.identities[0], SF_KIND_DATA, INDEX + 1, copy, CLASS, CONTENT, siv),
        SF_OK);
    {
        struct sf_envelope_expect expect = expect_from(0);

        expect.index = INDEX + 1;
        REQUIRE_EQ(open_as(expect, copy, CLASS), SF_OK);
    }
    memcpy(signature, copy + 94, sizeof(signature));
    open_as_recipient(object);
    memcpy(siv, object + AT_SIV, sizeof(siv));
    memcpy(object + 94, signature, sizeof(signature));
    reseal(object, siv);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EAUTH);
}

/* --- Padding --------------------------------------------------------------- */

/* Seal and sign the padded bytes as they stand in `object`, whatever they are. */
static int
open_padded_as_is(void)
{
    struct sf_hmac hmac = seal.siv;
    struct sf_cbor_writer writer;
    uint8_t place[25];
    uint8_t siv[SF_SIV_BYTES];
    uint8_t payload[128];
    uint8_t scratch[256];

    memcpy(place, transfer.b, 16);
    place[16] = SF_KIND_DATA;
    sf_put_be64(place + 17, INDEX);
    sf_hmac_update(&hmac, SF_LABEL_SIV, sizeof(SF_LABEL_SIV) - 1);
    sf_hmac_update(&hmac, place, sizeof(place));
    sf_hmac_update(&hmac, object + OFFSET, CLASS - OFFSET - 16);
    sf_hmac_final(&hmac, siv);
    sf_cbor_writer_init(&writer, payload, sizeof(payload));
    sf_cbor_write_array(&writer, 6);
    sf_cbor_write_uint(&writer, 1);
    sf_cbor_write_uint(&writer, SF_KIND_DATA);
    sf_cbor_write_bytes(&writer, sf_view(people.identities[0]->fingerprint.b, 32));
    sf_cbor_write_bytes(&writer, sf_view(transfer.b, 16));
    sf_cbor_write_uint(&writer, INDEX);
    sf_cbor_write_bytes(&writer, sf_view(siv, sizeof(siv)));
    REQUIRE_EQ(sf_cose_sign(people.identities[0]->sign_sk, SF_LABEL_VIEW(SF_LABEL_SIGN_BUNDLE),
                   sf_view(payload, writer.bytes), scratch, sizeof(scratch), object + 94),
        SF_OK);
    reseal(object, siv);
    return open_as(expect_from(0), object, CLASS);
}

static void
test_padding(void)
{
    const size_t padding_at = OFFSET + CONTENT;
    const size_t end = CLASS - 16;

    open_as_recipient(object);
    memcpy(copy, object, CLASS);
    CHECK_EQ(open_padded_as_is(), SF_OK);
    memcpy(object, copy, CLASS);
    object[padding_at] = 0x81; /* another mark */
    CHECK_EQ(open_padded_as_is(), SF_EFORMAT);
    CHECK(is_zero(object, CLASS));
    memcpy(object, copy, CLASS);
    object[end - 1] = 1; /* something in the last byte */
    CHECK_EQ(open_padded_as_is(), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    object[padding_at + 5000] = 0x7f; /* something in the middle */
    CHECK_EQ(open_padded_as_is(), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    memset(object + OFFSET, 0, end - OFFSET); /* no mark at all */
    CHECK_EQ(open_padded_as_is(), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    memset(object + OFFSET, 0, end - OFFSET);
    object[OFFSET] = 0x80; /* no content */
    CHECK_EQ(open_padded_as_is(), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    memset(object + OFFSET, 0x11, end - OFFSET); /* no room for the mark */
    CHECK_EQ(open_padded_as_is(), SF_EFORMAT);
}

static void
test_padding_is_covered(void)
{
    uint8_t siv[SF_SIV_BYTES];

    /* A second mark further on would lengthen the content: siv and signature forbid it. */
    open_as_recipient(object);
    memcpy(siv, object + AT_SIV, sizeof(siv));
    object[OFFSET + CONTENT + 100] = 0x80;
    reseal(object, siv);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EAUTH);
}

/* --- Checked, not opened --------------------------------------------------- */

static void
test_check(void)
{
    const uint8_t other_cek[SF_CEK_BYTES] = {77};
    struct sf_seal other;

    for (unsigned i = 0; i < SF_ENVELOPE_CLASSES; i++) {
        size_t class_bytes = sf_envelope_class(i);
        struct sf_view view = sf_view(object, class_bytes);

        seal_one(object, class_bytes, CONTENT);
        memcpy(copy, object, class_bytes);
        CHECK_EQ(sf_envelope_check(&seal, SF_KIND_DATA, INDEX, view), SF_OK);
        CHECK_BYTES(object, copy, class_bytes);
        CHECK_EQ(sf_envelope_check(&seal, SF_KIND_DATA, INDEX + 1, view), SF_EAUTH);
        CHECK_EQ(sf_envelope_check(&seal, SF_KIND_GRANT, INDEX, view), SF_EAUTH);
        CHECK_EQ(sf_envelope_check(&seal, SF_KIND_DATA, INDEX, sf_view(object, class_bytes - 1)),
            SF_EINVAL);
        sf_seal_init(&other, other_cek, &seal.transfer);
        CHECK_EQ(sf_envelope_check(&other, SF_KIND_DATA, INDEX, view), SF_EAUTH);
        sf_seal_fini(&other);
    }
}

static void
test_open_elsewhere(void)
{
    struct sf_envelope_expect expect = expect_from(0);
    struct sf_view content;
    uint8_t siv[SF_SIV_BYTES];

    seal_one(object, CLASS, CONTENT);
    memcpy(copy, object, CLASS);
    memset(plain, 0xff, CLASS);
    CHECK_EQ(sf_envelope_open(&seal, &expect, sf_view(object, CLASS), plain, &content, siv), SF_OK);
    CHECK_BYTES(object, copy, CLASS);
    CHECK(content.data == plain + OFFSET && content.bytes == CONTENT);
    CHECK_BYTES(siv, object + AT_SIV, sizeof(siv));
    put_content(copy, CONTENT);
    CHECK_BYTES(content.data, copy, CONTENT);
    object[CLASS - 1] ^= 1;
    CHECK_EQ(
        sf_envelope_open(&seal, &expect, sf_view(object, CLASS), plain, &content, siv), SF_EAUTH);
    CHECK(is_zero(plain, CLASS));
}

/* --- Every flip and cut ---------------------------------------------------- */

static void
test_every_flip(void)
{
    struct sf_envelope_expect expect = expect_from(0);
    size_t passed = 0;

    seal_one(copy, CLASS, CONTENT);
    for (size_t bit = 0; bit < CLASS * 8; bit++) {
        struct sf_view content;
        uint8_t siv[SF_SIV_BYTES];

        memcpy(object, copy, CLASS);
        object[bit / 8] ^= (uint8_t)(1u << bit % 8);
        passed += sf_envelope_check(&seal, SF_KIND_DATA, INDEX, sf_view(object, CLASS)) == SF_OK;
        passed += sf_envelope_open(&seal, &expect, sf_view(object, CLASS), object, &content, siv) ==
                  SF_OK;
    }
    CHECK_EQ(passed, 0);
}

static void
test_every_cut(void)
{
    struct sf_envelope_expect expect = expect_from(0);
    size_t passed = 0;

    seal_one(copy, CLASS, CONTENT);
    for (size_t bytes = 0; bytes < CLASS; bytes++) {
        struct sf_view content;
        uint8_t siv[SF_SIV_BYTES];
        int status;

        /* The slot is always whole: what is missing reads as zeros. */
        memcpy(object, copy, bytes);
        memset(object + bytes, 0, CLASS - bytes);
        passed += sf_envelope_check(&seal, SF_KIND_DATA, INDEX, sf_view(object, CLASS)) == SF_OK &&
                  bytes < CLASS - 16;
        status = sf_envelope_open(&seal, &expect, sf_view(object, CLASS), object, &content, siv);
        passed += status == SF_OK && bytes < CLASS - 16;
        passed += sf_envelope_open(&seal, &expect, sf_view(object, bytes), object, &content, siv) ==
                  SF_OK;
        passed += sf_envelope_peek(sf_view(copy, bytes), siv, siv) == SF_OK;
    }
    CHECK_EQ(passed, 0);
}

static void
test_header_flips(void)
{
    size_t unlike = 0;

    seal_one(copy, CLASS, CONTENT);
    for (size_t bit = 0; bit < 94 * 8; bit++) {
        bool is_value = (bit / 8 >= AT_ID && bit / 8 < AT_ID + 16) ||
                        (bit / 8 >= AT_IV && bit / 8 < AT_IV + 12) ||
                        (bit / 8 >= AT_SIV && bit / 8 < AT_SIV + 32);
        int status;

        memcpy(object, copy, CLASS);
        object[bit / 8] ^= (uint8_t)(1u << bit % 8);
        status = open_as(expect_from(0), object, CLASS);
        unlike += status != (is_value ? SF_EAUTH : SF_EFORMAT);
    }
    CHECK_EQ(unlike, 0);
}

static void
test_canonical(void)
{
    /* The same header in forms that a lenient CBOR reader takes for equal. */
    seal_one(copy, CLASS, CONTENT);
    memcpy(object, copy, CLASS);
    memmove(object + 3, object + 2, CLASS - 3);
    object[2] = 0x58; /* protected: 58 10 for 50 */
    object[3] = 0x10;
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    object[1] = 0x9f; /* an indefinite array */
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    object[91] = 0x5a; /* a length in five bytes */
    sf_put_be32(object + 92, CLASS - 96);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    memmove(object, object + 1, CLASS - 1); /* no tag */
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EFORMAT);
    memcpy(object, copy, CLASS);
    memcpy(object + 20, copy + 38, 14); /* IV before id */
    memcpy(object + 34, copy + 20, 18);
    CHECK_EQ(open_as(expect_from(0), object, CLASS), SF_EFORMAT);
}

static void
test_strict_reader_takes_the_outside(void)
{
    struct sf_cbor_reader reader;

    for (unsigned i = 0; i < SF_ENVELOPE_CLASSES; i++) {
        size_t class_bytes = sf_envelope_class(i);

        seal_one(object, class_bytes, CONTENT);
        sf_cbor_reader_init(&reader, sf_view(object, class_bytes));
        CHECK_EQ(sf_cbor_read_item(&reader, NULL), SF_OK);
        CHECK_EQ(sf_cbor_end(&reader), SF_OK);
    }
}

static const struct check_test tests[] = {
    {"bundles of every class and length open to what was sealed, and touch nothing beside",
        test_round_trip},
    {"other classes and lengths are refused and the buffer left alone", test_limits},
    {"the same content in the same place gives the same object", test_deterministic},
    {"other content in the same place gets another key and IV, and the same id", test_fresh_key},
    {"the siv can be computed without sealing", test_siv_without_sealing},
    {"the outside shows id and siv, without a key", test_peek},
    {"a bundle of another transfer, index, kind or key is refused unopened", test_wrong_place},
    {"a bundle of another signer is refused and nothing of it shown", test_wrong_signer},
    {"a bundle of another class is refused", test_wrong_class},
    {"a co-recipient cannot put other content under the true siv and signature",
        test_true_siv_other_content},
    {"a co-recipient cannot put the true content under another siv", test_false_siv_true_content},
    {"a co-recipient cannot keep the signature with a siv of its own", test_own_siv_other_content},
    {"a co-recipient cannot sign instead of the sender", test_own_signature},
    {"a signature cannot be moved to another index", test_signature_moved},
    {"padding is checked in full, even when signed", test_padding},
    {"padding is covered by the siv", test_padding_is_covered},
    {"a check takes what was sealed for this place, of every class, and changes nothing",
        test_check},
    {"a bundle opens into another buffer, and leaves nothing there when it does not",
        test_open_elsewhere},
    {"every single flipped bit of a bundle of 16 KiB is refused, opened or checked",
        test_every_flip},
    {"every truncation of a bundle of 16 KiB is refused", test_every_cut},
    {"a flipped bit of the header is a wrong format or a wrong value, never more",
        test_header_flips},
    {"a header in another than the canonical form is refused", test_canonical},
    {"the outside is deterministic CBOR in every class", test_strict_reader_takes_the_outside},
};

int
main(void)
{
    int status;

    people_open(&people, 3, 2);
    sf_seal_init(&seal, cek, &transfer);
    status = check_run("envelope", tests, sizeof(tests) / sizeof(tests[0]));
    sf_seal_fini(&seal);
    people_close(&people);
    return status;
}
