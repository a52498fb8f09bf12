/*
 * test_letter.c - a letter reaches the one it is for, says who wrote it, and bends for nobody.
 */
#include "bundle/letter.h"

#include "bundle/cbor.h"
#include "bundle/grant.h"
#include "bundle/labels.h"
#include "bundle/parcel.h"
#include "tests/unit/check.h"
#include "tests/unit/people.h"

enum { SENDER = 0, RECIPIENT = 1, STRANGER = 2 };

static struct people people;
static uint8_t object[SF_LETTER_BYTES_MAX];
static uint8_t copy[SF_LETTER_BYTES_MAX];
static uint8_t text[SF_LETTER_CONTENT_BYTES_MAX + 1];

static size_t
seal(size_t content_bytes, uint8_t out[SF_LETTER_BYTES_MAX])
{
    size_t bytes = 0;

    REQUIRE_EQ(
        sf_letter_seal(people.identities[SENDER], &people.cards[RECIPIENT], SF_LETTER_RECEIPT,
            sf_view(text, content_bytes), &people.random, out, SF_LETTER_BYTES_MAX, &bytes),
        SF_OK);
    return bytes;
}

static int
open_as(size_t who, uint8_t *bytes, size_t count, struct sf_letter *ret_letter)
{
    struct sf_card_lookup lookup = people_lookup(&people);

    return sf_letter_open(people.identities[who], &lookup, bytes, count, ret_letter);
}

static void
test_round_trip(void)
{
    static const size_t lengths[] = {
        1, 23, 24, 255, 256, 700, 2000, 10000, 60 << 10, SF_LETTER_CONTENT_BYTES_MAX};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int type = SF_LETTER_RECEIPT; type <= SF_LETTER_TYPE_MAX; type++) {
            struct sf_letter letter;
            size_t bytes = 0;

            REQUIRE_EQ(sf_letter_seal(people.identities[SENDER], &people.cards[RECIPIENT],
                           (enum sf_letter_type)type, sf_view(text, lengths[i]), &people.random,
                           object, sizeof(object), &bytes),
                SF_OK);
            CHECK(bytes == 1024 || bytes == 4096 || bytes == 16384 || bytes == 65536);
            REQUIRE_EQ(open_as(RECIPIENT, object, bytes, &letter), SF_OK);
            CHECK(sf_fingerprint_equal(&letter.sender, &people.cards[SENDER].fingerprint));
            CHECK_EQ(letter.type, type);
            CHECK(sf_view_equal(letter.content, sf_view(text, lengths[i])));
        }
    }
}

static void
test_classes(void)
{
    /* All short letters look alike; the limits are where the next class begins. */
    CHECK_EQ(seal(1, object), 1024);
    CHECK_EQ(seal(735, object), 1024);
    CHECK_EQ(seal(736, object), 4096);
    CHECK_EQ(seal(4096 - 289, object), 4096);
    CHECK_EQ(seal(4096 - 288, object), 16384);
    CHECK_EQ(seal(16384 - 289, object), 16384);
    CHECK_EQ(seal(16384 - 288, object), 65536);
}

static int
try_seal(enum sf_letter_type type, size_t content_bytes, size_t bytes_max)
{
    size_t bytes;

    return sf_letter_seal(people.identities[SENDER], &people.cards[RECIPIENT], type,
        sf_view(text, content_bytes), &people.random, object, bytes_max, &bytes);
}

static void
test_limits(void)
{
    CHECK_EQ(try_seal((enum sf_letter_type)0, 10, sizeof(object)), SF_EINVAL);
    CHECK_EQ(
        try_seal((enum sf_letter_type)(SF_LETTER_TYPE_MAX + 1), 10, sizeof(object)), SF_EINVAL);
    CHECK_EQ(try_seal(SF_LETTER_CARD, 0, sizeof(object)), SF_EINVAL);
    CHECK_EQ(try_seal(SF_LETTER_CARD, SF_LETTER_CONTENT_BYTES_MAX + 1, sizeof(object)), SF_EINVAL);
    CHECK_EQ(try_seal(SF_LETTER_CARD, 10, 1023), SF_ELIMIT);
    CHECK_EQ(try_seal(SF_LETTER_CARD, 10, 1024), SF_OK);
}

static void
test_not_for_us(void)
{
    struct sf_letter letter;
    size_t bytes = seal(100, object);

    memcpy(copy, object, bytes);
    CHECK_EQ(open_as(STRANGER, object, bytes, &letter), SF_ENOENT);
    CHECK_EQ(open_as(SENDER, object, bytes, &letter), SF_ENOENT);
    CHECK_BYTES(object, copy, bytes);
}

static void
test_prekey_gone(void)
{
    struct sf_identity *who = people.identities[RECIPIENT];
    struct sf_identity saved = *who;
    struct sf_letter letter;
    size_t bytes = seal(100, object);

    memcpy(copy, object, bytes);
    sf_identity_rotate(who, &people.random, 60 * SF_DAY_MS);
    CHECK_EQ(open_as(RECIPIENT, object, bytes, &letter), SF_ESTATE);
    CHECK_BYTES(object, copy, bytes);
    *who = saved;
    sf_wipe(&saved, sizeof(saved));
    CHECK_EQ(open_as(RECIPIENT, object, bytes, &letter), SF_OK);
}

static void
test_unknown_sender(void)
{
    struct sf_fingerprint saved = people.cards[SENDER].fingerprint;
    struct sf_letter letter;
    size_t bytes = seal(100, object);

    people.cards[SENDER].fingerprint.b[31] ^= 1;
    CHECK_EQ(open_as(RECIPIENT, object, bytes, &letter), SF_EAUTH);
    people.cards[SENDER].fingerprint = saved;
}

static void
test_in_anothers_name(void)
{
    struct sf_identity *sender = people.identities[SENDER];
    struct sf_fingerprint saved = sender->fingerprint;
    struct sf_letter letter;
    size_t bytes;

    sender->fingerprint = people.cards[STRANGER].fingerprint;
    bytes = seal(100, object);
    sender->fingerprint = saved;
    CHECK_EQ(open_as(RECIPIENT, object, bytes, &letter), SF_EAUTH);
}

static void
test_every_flip(void)
{
    struct sf_letter letter = {.type = SF_LETTER_CARD};
    size_t bytes = seal(100, copy);
    size_t passed = 0;

    for (size_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(object, copy, bytes);
        object[bit / 8] ^= (uint8_t)(1u << bit % 8);
        passed += open_as(RECIPIENT, object, bytes, &letter) == SF_OK;
    }
    CHECK_EQ(passed, 0);
    for (size_t cut = 0; cut < bytes; cut++) {
        CHECK_EQ(open_as(RECIPIENT, copy, cut, &letter), SF_EFORMAT);
    }
    CHECK_EQ(letter.type, SF_LETTER_CARD);
}

static void
test_grant_is_no_letter(void)
{
    const struct sf_grant_recipient recipient = {.card = &people.cards[RECIPIENT]};
    const uint8_t cek[SF_CEK_BYTES] = {1};
    const struct sf_grant_config config = {.identity = people.identities[SENDER],
        .cek = cek,
        .class_bytes = 1 << 20,
        .slots = 1,
        .recipients = &recipient,
        .recipient_count = 1};
    struct sf_card_lookup lookup = people_lookup(&people);
    struct sf_letter letter;
    struct sf_grant grant;
    size_t bytes;

    REQUIRE_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_OK);
    CHECK_EQ(open_as(RECIPIENT, object, bytes, &letter), SF_EAUTH);
    bytes = seal(100, object);
    CHECK_EQ(
        sf_grant_open(people.identities[RECIPIENT], &lookup, NULL, sf_view(object, bytes), &grant),
        SF_EAUTH);
}

/* --- Truly signed and still wrong ------------------------------------------ */

static const struct sf_parcel_use use = {
    .kind = SF_KIND_LETTER,
    .entry_label = {(const uint8_t *)SF_LABEL_LETTER, sizeof(SF_LABEL_LETTER) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_LETTER_BODY, sizeof(SF_LABEL_LETTER_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_LETTER, sizeof(SF_LABEL_SIGN_LETTER) - 1},
};

static int
open_parcel(const struct sf_grant_recipient *recipients, size_t count, struct sf_view content)
{
    const struct sf_parcel_config config = {.use = &use,
        .identity = people.identities[SENDER],
        .recipients = recipients,
        .recipient_count = count,
        .content = content};
    struct sf_letter letter;
    size_t bytes;

    REQUIRE_EQ(sf_parcel_seal(&config, &people.random, object, sizeof(object), &bytes), SF_OK);
    return open_as(RECIPIENT, object, bytes, &letter);
}

static void
test_malformed_content(void)
{
    const struct sf_grant_recipient one = {.card = &people.cards[RECIPIENT]};

    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x01\x41x", 5)), SF_OK);
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x02\x01\x41x", 5)), SF_EFORMAT); /* version */
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x00\x41x", 5)), SF_EFORMAT); /* type 0 */
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x05\x41x", 5)), SF_EFORMAT); /* type 5 */
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x01\x40", 4)), SF_EFORMAT);  /* empty */
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x01\x61x", 5)), SF_EFORMAT); /* text */
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x01\x58\x01x", 6)), SF_EFORMAT);
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x83\x01\x01\x41x\x00", 6)), SF_EFORMAT);
    CHECK_EQ(open_parcel(&one, 1, sf_view("\x82\x01\x01", 3)), SF_EFORMAT);
}

static void
test_one_recipient(void)
{
    struct sf_grant_recipient two[2] = {
        {.card = &people.cards[RECIPIENT]}, {.card = &people.cards[STRANGER]}};

    CHECK_EQ(open_parcel(two, 2, sf_view("\x83\x01\x01\x41x", 5)), SF_EFORMAT);
    /* Letters never use a PSK: a rung has nothing to open it with. */
    two[0].has_psk = true;
    two[0].rung = 1;
    CHECK_EQ(open_parcel(two, 1, sf_view("\x83\x01\x01\x41x", 5)), SF_EAUTH);
}

static const struct check_test tests[] = {
    {"letters of every type and length arrive as they were written", test_round_trip},
    {"a letter takes the smallest class that holds it", test_classes},
    {"what is outside the limits is not sealed", test_limits},
    {"a letter for another is met with silence and left as it was", test_not_for_us},
    {"a letter to a prekey that is gone says so and is left as it was", test_prekey_gone},
    {"a letter of an unknown sender is refused", test_unknown_sender},
    {"a letter in another sender's name is refused", test_in_anothers_name},
    {"every single flipped bit and every truncation of a letter is refused", test_every_flip},
    {"a grant does not open as a letter, nor a letter as a grant", test_grant_is_no_letter},
    {"signed content that is not exactly a letter's is refused", test_malformed_content},
    {"a letter has one recipient and no pre-shared key", test_one_recipient},
};

int
main(void)
{
    int status;

    people_open(&people, 5, 3);
    sf_prng_fill(&people.prng, text, sizeof(text));
    status = check_run("letter", tests, sizeof(tests) / sizeof(tests[0]));
    people_close(&people);
    return status;
}
