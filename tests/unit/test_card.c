/*
 * test_card.c - cards are true to the identity, and nothing else passes for one.
 */
#include "bundle/card.h"

#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/labels.h"
#include "tests/hex.h"
#include "tests/unit/check.h"
#include "tests/unit/people.h"

static struct people people;

static size_t
encoded(size_t who, uint8_t out[SF_CARD_BYTES_MAX])
{
    size_t bytes = 0;

    REQUIRE_EQ(sf_card_encode(people.identities[who], out, SF_CARD_BYTES_MAX, &bytes), SF_OK);
    return bytes;
}

static void
test_round_trip(void)
{
    uint8_t bytes[SF_CARD_BYTES_MAX];
    struct sf_card card;

    REQUIRE_EQ(sf_card_decode(sf_view(bytes, encoded(0, bytes)), &card), SF_OK);
    CHECK_BYTES(card.fingerprint.b, people.identities[0]->fingerprint.b, 32);
    CHECK_BYTES(card.sign_pk, people.identities[0]->sign_pk, 32);
    CHECK_BYTES(card.link_static_pk, people.identities[0]->link_static_pk, 32);
    CHECK_BYTES(card.hint_key, people.identities[0]->hint_key, 32);
    CHECK_BYTES(card.prekey.pk, sf_prekey_current(&people.identities[0]->prekeys)->pk, 32);
    CHECK_EQ(card.prekey.number, sf_prekey_current(&people.identities[0]->prekeys)->number);
    CHECK_BYTES(
        card.link_prekey.pk, sf_prekey_current(&people.identities[0]->link_prekeys)->pk, 32);
    CHECK_EQ(
        card.link_prekey.number, sf_prekey_current(&people.identities[0]->link_prekeys)->number);
    CHECK_EQ(card.issue, 1);
    CHECK_TEXT(card.name, "node-0");
}

static void
test_longest(void)
{
    struct sf_identity *identity = people.identities[1];
    struct sf_identity saved = *identity;
    uint8_t bytes[SF_CARD_BYTES_MAX];
    char text[SF_CARD_TEXT_BYTES_MAX];
    struct sf_card card;
    size_t count;

    memset(identity->name, 'n', SF_NAME_BYTES_MAX);
    identity->name[SF_NAME_BYTES_MAX] = '\0';
    identity->card_issue = UINT64_MAX;
    identity->prekeys.keys[0].number = UINT32_MAX - 1;
    identity->link_prekeys.keys[0].number = UINT32_MAX;
    count = encoded(1, bytes);
    CHECK_EQ(sf_card_decode(sf_view(bytes, count), &card), SF_OK);
    CHECK_EQ(card.issue == UINT64_MAX, true);
    CHECK_EQ(sf_card_to_text(sf_view(bytes, count), text, sizeof(text), &count), SF_OK);
    *identity = saved;
    sf_wipe(&saved, sizeof(saved));
}

static void
test_damage(void)
{
    uint8_t bytes[SF_CARD_BYTES_MAX + 1];
    size_t count = encoded(0, bytes);
    struct sf_card card = {.issue = 77};

    for (size_t bit = 0; bit < count * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(sf_card_decode(sf_view(bytes, count), &card) < SF_OK);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < count; cut++) {
        CHECK(sf_card_decode(sf_view(bytes, cut), &card) < SF_OK);
    }
    bytes[count] = 0;
    CHECK_EQ(sf_card_decode(sf_view(bytes, count + 1), &card), SF_EFORMAT);
    CHECK_EQ(sf_card_decode(sf_view(bytes, sizeof(bytes)), &card), SF_ELIMIT);
    CHECK_EQ(card.issue, 77);
}

/* --- Cards that are truly signed and still wrong --------------------------- */

struct fields {
    uint64_t version;
    const char *name;
    const uint8_t *link_static_pk;
    uint64_t number;
    const uint8_t *prekey;
    uint64_t link_number;
    uint64_t issue;
    const char *label;
};

static int
decode_fields(const struct fields *fields)
{
    const struct sf_identity *who = people.identities[0];
    struct sf_cbor_writer writer;
    struct sf_card card;
    uint8_t payload[400];
    uint8_t scratch[600];
    uint8_t signature[SF_SIGNATURE_BYTES];
    uint8_t bytes[SF_CARD_BYTES_MAX];
    size_t payload_bytes;

    sf_cbor_writer_init(&writer, payload, sizeof(payload));
    sf_cbor_write_array(&writer, 10);
    sf_cbor_write_uint(&writer, fields->version);
    sf_cbor_write_text(&writer, fields->name);
    sf_cbor_write_bytes(&writer, sf_view(who->sign_pk, 32));
    sf_cbor_write_bytes(&writer, sf_view(fields->link_static_pk, 32));
    sf_cbor_write_bytes(&writer, sf_view(who->hint_key, 32));
    sf_cbor_write_uint(&writer, fields->number);
    sf_cbor_write_bytes(&writer, sf_view(fields->prekey, 32));
    sf_cbor_write_uint(&writer, fields->link_number);
    sf_cbor_write_bytes(&writer, sf_view(who->link_static_pk, 32));
    sf_cbor_write_uint(&writer, fields->issue);
    payload_bytes = writer.bytes;
    REQUIRE_EQ(sf_cose_sign(who->sign_sk, sf_view(fields->label, strlen(fields->label)),
                   sf_view(payload, payload_bytes), scratch, sizeof(scratch), signature),
        SF_OK);
    sf_cbor_writer_init(&writer, bytes, sizeof(bytes));
    sf_cbor_write_tag(&writer, 18);
    sf_cbor_write_array(&writer, 4);
    sf_cbor_write_bytes(&writer, sf_view("\xa1\x01\x27", 3));
    sf_cbor_write_map(&writer, 0);
    sf_cbor_write_bytes(&writer, sf_view(payload, payload_bytes));
    sf_cbor_write_bytes(&writer, sf_view(signature, sizeof(signature)));
    return sf_card_decode(sf_view(bytes, writer.bytes), &card);
}

/*
 * libsodium takes the public key from the secret one. With a wrong one there the
 * signature is what a faulty processor makes: wrong, and a help to find the key.
 */
static void
test_bad_signature_is_never_shown(void)
{
    const struct sf_view payload = sf_view("payload", 7);
    uint8_t key[SF_SIGN_SECRET_BYTES];
    uint8_t scratch[200];
    uint8_t signature[SF_SIGNATURE_BYTES];
    uint8_t none[SF_SIGNATURE_BYTES] = {0};

    memcpy(key, people.identities[0]->sign_sk, sizeof(key));
    CHECK_EQ(sf_cose_sign(key, SF_LABEL_VIEW(SF_LABEL_SIGN_CARD), payload, scratch, sizeof(scratch),
                 signature),
        SF_OK);
    memcpy(key + SF_SIGN_SEED_BYTES, people.identities[1]->sign_pk, SF_SIGN_PUBLIC_BYTES);
    CHECK_EQ(sf_cose_sign(key, SF_LABEL_VIEW(SF_LABEL_SIGN_CARD), payload, scratch, sizeof(scratch),
                 signature),
        SF_EIO);
    CHECK(memcmp(signature, none, sizeof(none)) == 0);
}

static void
test_signed_but_wrong(void)
{
    const uint8_t *pk = people.identities[0]->link_static_pk;
    const uint8_t low[32] = {1};
    const struct fields good = {1, "n", pk, 1, pk, 2, 1, SF_LABEL_SIGN_CARD};
    struct fields fields = good;

    CHECK_EQ(decode_fields(&fields), SF_OK);
    fields.version = 2;
    CHECK_EQ(decode_fields(&fields), SF_EFORMAT);
    fields = good;
    fields.name = "a/b";
    CHECK_EQ(decode_fields(&fields), SF_EFORMAT);
    fields = good;
    fields.number = 0;
    CHECK_EQ(decode_fields(&fields), SF_EFORMAT);
    fields = good;
    fields.link_number = UINT64_C(1) << 32;
    CHECK_EQ(decode_fields(&fields), SF_ELIMIT);
    fields = good;
    fields.issue = 0;
    CHECK_EQ(decode_fields(&fields), SF_EFORMAT);
    fields = good;
    fields.prekey = low;
    CHECK_EQ(decode_fields(&fields), SF_EAUTH);
    fields = good;
    fields.link_static_pk = low;
    CHECK_EQ(decode_fields(&fields), SF_EAUTH);
    fields = good;
    fields.label = SF_LABEL_SIGN_BUNDLE;
    CHECK_EQ(decode_fields(&fields), SF_EAUTH);
}

static void
test_other_signer(void)
{
    uint8_t mine[SF_CARD_BYTES_MAX];
    uint8_t other[SF_CARD_BYTES_MAX];
    size_t mine_bytes = encoded(0, mine);
    size_t other_bytes = encoded(2, other);
    struct sf_card card;

    /* My card with the signature of another node over its own. */
    memcpy(mine + mine_bytes - SF_SIGNATURE_BYTES, other + other_bytes - SF_SIGNATURE_BYTES,
        SF_SIGNATURE_BYTES);
    CHECK_EQ(sf_card_decode(sf_view(mine, mine_bytes), &card), SF_EAUTH);
}

static void
test_supersedes(void)
{
    struct sf_card known = people.cards[0];
    struct sf_card card = known;

    CHECK(!sf_card_supersedes(&card, &known));
    card.issue++;
    CHECK(sf_card_supersedes(&card, &known));
    CHECK(!sf_card_supersedes(&known, &card));
    card = people.cards[1];
    card.issue = 100;
    CHECK(!sf_card_supersedes(&card, &known));
}

/* --- Text ------------------------------------------------------------------ */

static void
test_text(void)
{
    uint8_t bytes[SF_CARD_BYTES_MAX];
    uint8_t back[SF_CARD_BYTES_MAX];
    char text[SF_CARD_TEXT_BYTES_MAX + 8];
    size_t count = encoded(0, bytes);
    size_t text_bytes = 0;
    size_t back_bytes = 0;

    REQUIRE_EQ(
        sf_card_to_text(sf_view(bytes, count), text + 1, SF_CARD_TEXT_BYTES_MAX, &text_bytes),
        SF_OK);
    CHECK_EQ(strlen(text + 1), text_bytes);
    CHECK(strncmp(text + 1, "skyferry-card-1:", 16) == 0);
    CHECK(strpbrk(text + 1, "\n =+/") == NULL);
    text[0] = ' ';
    memcpy(text + 1 + text_bytes, "\r\n", 3);
    REQUIRE_EQ(
        sf_card_from_text(sf_view(text, text_bytes + 3), back, sizeof(back), &back_bytes), SF_OK);
    CHECK_EQ(back_bytes, count);
    CHECK_BYTES(back, bytes, count);
    CHECK_EQ(sf_card_to_text(sf_view(bytes, count), text, text_bytes, &text_bytes), SF_ELIMIT);
    CHECK_EQ(sf_card_from_text(sf_view(text, 1), back, sizeof(back), &back_bytes), SF_EFORMAT);
}

static int
from_text(const char *text)
{
    uint8_t out[4];
    size_t bytes;

    return sf_card_from_text(sf_view(text, strlen(text)), out, sizeof(out), &bytes);
}

static void
test_bad_text(void)
{
    CHECK_EQ(from_text("skyferry-card-1:Zm9v"), SF_OK);
    CHECK_EQ(from_text("skyferry-card-1:Zm8"), SF_OK);
    CHECK_EQ(from_text("skyferry-card-1:Zg"), SF_OK);
    CHECK_EQ(from_text(""), SF_EFORMAT);
    CHECK_EQ(from_text("skyferry-card-1:"), SF_EFORMAT);
    CHECK_EQ(from_text("skyferry-card-2:Zm9v"), SF_EFORMAT);
    CHECK_EQ(from_text("skyferry-card-1:Zm9vZ"), SF_EFORMAT); /* a lone digit */
    CHECK_EQ(from_text("skyferry-card-1:Zm9"), SF_EFORMAT);   /* bits left over */
    CHECK_EQ(from_text("skyferry-card-1:Zh"), SF_EFORMAT);
    CHECK_EQ(from_text("skyferry-card-1:Zg=="), SF_EFORMAT); /* padding */
    CHECK_EQ(from_text("skyferry-card-1:Zm 9v"), SF_EFORMAT);
    CHECK_EQ(from_text("skyferry-card-1:Zm/v"), SF_EFORMAT);
    CHECK_EQ(from_text("skyferry-card-1:Zm9vZm9v"), SF_ELIMIT);
    CHECK_EQ(from_text("skyferry-card-1:Zm9vZm9vZm9vZm9v"), SF_ELIMIT);
}

static const struct check_test tests[] = {
    {"a card tells the public keys of its identity and nothing is lost on the way",
        test_round_trip},
    {"the longest card fits the limits, also as text", test_longest},
    {"a card with any bit flipped, cut short or with a byte more is refused", test_damage},
    {"a card that is signed but has a value out of its limits, a key of low order or a signature "
     "made for something else is refused",
        test_signed_but_wrong},
    {"a signature that does not verify is never shown", test_bad_signature_is_never_shown},
    {"a card signed by another node is refused", test_other_signer},
    {"only a higher issue of the same node supersedes a card", test_supersedes},
    {"a card goes through a line of text and back, with white space around it", test_text},
    {"text that is not exactly one card's text is refused", test_bad_text},
};

int
main(void)
{
    int status;

    people_open(&people, 2, 3);
    status = check_run("card", tests, sizeof(tests) / sizeof(tests[0]));
    people_close(&people);
    return status;
}
