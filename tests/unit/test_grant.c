/*
 * test_grant.c - a grant opens for its recipients, once each in their own way, and for nobody else.
 */
#include "bundle/grant.h"

#include "bundle/cbor.h"
#include "bundle/labels.h"
#include "bundle/parcel.h"
#include "tests/unit/check.h"
#include "tests/unit/people.h"

enum {
    SENDER = 0,
    RUNG = 41,
    ENTRIES_AT_SHORT = 59, /* one or two entries */
    ENTRIES_AT = 60,       /* four and more */
    CLASS = 1 << 20,
};

static struct people people;
static const uint8_t cek[SF_CEK_BYTES] = {1, 2, 3};
static const struct sf_transfer_id transfer = {{9, 8, 7}};
static uint8_t object[SF_GRANT_BYTES_MAX];
static uint8_t copy[SF_GRANT_BYTES_MAX];

/* --- PSKs: each node of `people` may have one rung with everyone ----------- */

struct psks {
    bool has[PEOPLE_MAX];
    uint8_t key[PEOPLE_MAX][SF_PSK_BYTES];
    uint64_t rung;
    bool required;
    size_t asked;
};

static struct psks psks;

static bool
psk_find(void *context, uint64_t rung, size_t n, uint8_t ret_psk[SF_PSK_BYTES],
    struct sf_fingerprint *ret_sender)
{
    struct psks *known = context;

    known->asked++;
    if (rung != known->rung) {
        return false;
    }
    for (size_t i = 0; i < PEOPLE_MAX; i++) {
        if (known->has[i] && n-- == 0) {
            memcpy(ret_psk, known->key[i], SF_PSK_BYTES);
            *ret_sender = people.cards[i].fingerprint;
            return true;
        }
    }
    return false;
}

static bool
psk_required(void *context, const struct sf_fingerprint *sender)
{
    const struct psks *known = context;

    return known->required && sf_fingerprint_equal(sender, &people.cards[SENDER].fingerprint);
}

static const struct sf_grant_psk_lookup psk_lookup = {
    .find = psk_find, .required = psk_required, .context = &psks};

/* --- Sealing and opening --------------------------------------------------- */

static struct sf_grant_recipient recipients[SF_GRANT_ENTRIES_MAX + 1];

static struct sf_grant_config
config_for(size_t count)
{
    memset(recipients, 0, sizeof(recipients));
    for (size_t i = 0; i < count; i++) {
        recipients[i].card = &people.cards[1 + i % (people.count - 1)];
        recipients[i].number = 1000 + i;
    }
    return (struct sf_grant_config){
        .identity = people.identities[SENDER],
        .transfer = transfer,
        .cek = cek,
        .class_bytes = CLASS,
        .slots = 12345,
        .recipients = recipients,
        .recipient_count = count,
    };
}

static size_t
seal(const struct sf_grant_config *config, uint8_t out[SF_GRANT_BYTES_MAX])
{
    size_t bytes = 0;

    REQUIRE_EQ(sf_grant_seal(config, &people.random, out, SF_GRANT_BYTES_MAX, &bytes), SF_OK);
    return bytes;
}

static int
open_as(size_t who, const uint8_t *bytes, size_t count, struct sf_grant *ret_grant)
{
    struct sf_card_lookup lookup = people_lookup(&people);

    return sf_grant_open(
        people.identities[who], &lookup, &psk_lookup, sf_view(bytes, count), ret_grant);
}

static void
test_round_trip(void)
{
    static const size_t counts[] = {1, 2, 3, 4, 5, 6, 7};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct sf_grant_config config = config_for(counts[i]);
        size_t bytes = seal(&config, object);

        for (size_t who = 1; who <= counts[i]; who++) {
            struct sf_grant grant;
            uint8_t id[SF_OBJECT_ID_BYTES];

            REQUIRE_EQ(open_as(who, object, bytes, &grant), SF_OK);
            CHECK(sf_fingerprint_equal(&grant.sender, &people.cards[SENDER].fingerprint));
            CHECK(sf_transfer_equal(&grant.transfer, &transfer));
            CHECK_BYTES(grant.cek, cek, sizeof(cek));
            CHECK_EQ(grant.class_bytes, CLASS);
            CHECK_EQ(grant.slots, 12345);
            CHECK_EQ(grant.number, 1000 + who - 1);
            CHECK_EQ(grant.prekey_number, people.cards[who].prekey.number);
            CHECK(!grant.has_psk);
            REQUIRE_EQ(sf_grant_id(sf_view(object, bytes), id), SF_OK);
            CHECK_BYTES(grant.id, id, sizeof(id));
        }
    }
}

static void
test_classes(void)
{
    static const struct {
        size_t count;
        size_t bytes;
    } cases[] = {{1, 1024}, {4, 1024}, {5, 4096}, {32, 4096}, {33, 16384}, {128, 16384}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sf_grant_config config = config_for(cases[i].count);
        struct sf_parcel parcel;
        struct sf_grant grant;
        size_t bytes = seal(&config, object);
        size_t power = 1;

        while (power < cases[i].count) {
            power *= 2;
        }
        CHECK_EQ(bytes, cases[i].bytes);
        REQUIRE_EQ(sf_parcel_parse(sf_view(object, bytes), &parcel), SF_OK);
        CHECK_EQ(parcel.entry_count, power);
        CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
    }
}

static void
test_limits(void)
{
    struct sf_grant_config config = config_for(1);
    size_t bytes = 7;

    config.class_bytes = 4096;
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EINVAL);
    config = config_for(1);
    config.slots = 0;
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EINVAL);
    config.slots = UINT64_C(1) << 32;
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EINVAL);
    config = config_for(0);
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EINVAL);
    config = config_for(SF_GRANT_ENTRIES_MAX + 1);
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EINVAL);
    config = config_for(1);
    recipients[0].has_psk = true; /* rung 0 */
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EINVAL);
    config = config_for(1);
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, 1023, &bytes), SF_ELIMIT);
    CHECK_EQ(bytes, 7);
}

static void
test_low_order_card(void)
{
    struct sf_grant_config config = config_for(2);
    struct sf_card low = people.cards[2];
    size_t bytes;

    memset(low.prekey.pk, 0, sizeof(low.prekey.pk));
    recipients[1].card = &low;
    memset(object, 0x55, sizeof(object));
    CHECK_EQ(sf_grant_seal(&config, &people.random, object, sizeof(object), &bytes), SF_EAUTH);
    for (size_t i = 0; i < 1024; i++) {
        REQUIRE_EQ(object[i], 0);
    }
}

static void
test_every_one_differs(void)
{
    struct sf_grant_config config = config_for(1);
    size_t bytes = seal(&config, object);
    size_t equal = 0;

    seal(&config, copy);
    for (size_t i = ENTRIES_AT_SHORT; i < bytes; i++) {
        equal += object[i] == copy[i];
    }
    CHECK(equal < bytes / 64);
}

static void
test_shuffle(void)
{
    struct sf_grant_config config = config_for(3);
    size_t at[4] = {0};

    for (int round = 0; round < 400; round++) {
        uint8_t hint[SF_SHA256_BYTES];

        seal(&config, object);
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *entry = object + ENTRIES_AT + i * SF_PARCEL_ENTRY_BYTES;
            struct sf_view enc = sf_view(entry, 32);

            sf_hmac_sha256(sf_view(people.cards[1].hint_key, 32), &enc, 1, hint);
            at[i] += memcmp(hint, entry + 32, 8) == 0;
        }
    }
    CHECK_EQ(at[0] + at[1] + at[2] + at[3], 400);
    for (size_t i = 0; i < 4; i++) {
        CHECK(at[i] > 60);
        CHECK(at[i] < 140);
    }
}

static void
test_filling_looks_real(void)
{
    struct sf_grant_config config = config_for(65);
    size_t high_bits = 0;

    seal(&config, object);
    /* An X25519 public key has its highest bit clear; so must what stands in for one. */
    for (size_t i = 0; i < 128; i++) {
        high_bits += object[ENTRIES_AT + i * SF_PARCEL_ENTRY_BYTES + 31] >> 7;
    }
    CHECK_EQ(high_bits, 0);
}

/* --- Who may not open it --------------------------------------------------- */

static void
test_not_for_us(void)
{
    struct sf_grant_config config = config_for(2);
    struct sf_grant grant = {.slots = 77};
    size_t bytes = seal(&config, object);

    CHECK_EQ(open_as(SENDER, object, bytes, &grant), SF_ENOENT);
    CHECK_EQ(open_as(5, object, bytes, &grant), SF_ENOENT);
    CHECK_EQ(grant.slots, 77);
}

static void
test_prekey_gone(void)
{
    struct sf_grant_config config = config_for(1);
    struct sf_identity *who = people.identities[1];
    struct sf_identity saved = *who;
    struct sf_grant grant;
    size_t bytes = seal(&config, object);

    sf_identity_rotate(who, &people.random, 30 * SF_DAY_MS);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
    sf_identity_rotate(who, &people.random, 30 * SF_DAY_MS);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_ESTATE);
    *who = saved;
    sf_wipe(&saved, sizeof(saved));
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
}

static void
test_unknown_sender(void)
{
    struct sf_grant_config config = config_for(1);
    struct sf_grant grant;
    size_t bytes;
    struct sf_fingerprint saved = people.cards[SENDER].fingerprint;

    bytes = seal(&config, object);
    people.cards[SENDER].fingerprint.b[0] ^= 1;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    people.cards[SENDER].fingerprint = saved;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
}

static void
test_sender_lies(void)
{
    struct sf_grant_config config = config_for(1);
    struct sf_identity *sender = people.identities[SENDER];
    struct sf_fingerprint saved = sender->fingerprint;
    struct sf_grant grant;
    size_t bytes;

    /* Signed by one node, in the name of another that the recipient knows. */
    sender->fingerprint = people.cards[3].fingerprint;
    bytes = seal(&config, object);
    sender->fingerprint = saved;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
}

static const struct sf_card *
find_wrong_card(void *context, const struct sf_fingerprint *fingerprint)
{
    (void)fingerprint;
    return context;
}

static void
test_lookup_mistake(void)
{
    struct sf_grant_config config = config_for(1);
    struct sf_card wrong = people.cards[3];
    const struct sf_card_lookup lookup = {.find = find_wrong_card, .context = &wrong};
    struct sf_grant grant;
    size_t bytes = seal(&config, object);

    CHECK_EQ(sf_grant_open(people.identities[1], &lookup, NULL, sf_view(object, bytes), &grant),
        SF_EAUTH);
    /* Not even when its key is the right one. */
    memcpy(wrong.sign_pk, people.cards[SENDER].sign_pk, sizeof(wrong.sign_pk));
    CHECK_EQ(sf_grant_open(people.identities[1], &lookup, NULL, sf_view(object, bytes), &grant),
        SF_EAUTH);
}

/* --- PSK ------------------------------------------------------------------- */

static size_t
seal_with_psk(void)
{
    struct sf_grant_config config = config_for(1);

    memset(&psks, 0, sizeof(psks));
    psks.has[SENDER] = true;
    memset(psks.key[SENDER], 0x3c, SF_PSK_BYTES);
    psks.rung = RUNG;
    psks.required = true;
    recipients[0].has_psk = true;
    recipients[0].rung = RUNG;
    memcpy(recipients[0].psk, psks.key[SENDER], SF_PSK_BYTES);
    return seal(&config, object);
}

static void
test_psk(void)
{
    struct sf_grant grant;
    size_t bytes = seal_with_psk();

    REQUIRE_EQ(open_as(1, object, bytes, &grant), SF_OK);
    CHECK(grant.has_psk);
    CHECK_EQ(grant.rung, RUNG);
    /* Other peers' keys for the same rung are tried and do no harm. */
    psks.has[4] = psks.has[2] = true;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
    memset(&psks, 0, sizeof(psks));
}

static void
test_psk_wrong(void)
{
    struct sf_card_lookup lookup = people_lookup(&people);
    struct sf_grant grant;
    size_t bytes = seal_with_psk();

    psks.key[SENDER][0] ^= 1;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    psks.key[SENDER][0] ^= 1;
    psks.rung = RUNG + 1;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    psks.rung = RUNG;
    psks.has[SENDER] = false;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    CHECK_EQ(sf_grant_open(people.identities[1], &lookup, NULL, sf_view(object, bytes), &grant),
        SF_EAUTH);
    memset(&psks, 0, sizeof(psks));
}

static void
test_psk_of_another(void)
{
    struct sf_grant grant;
    size_t bytes = seal_with_psk();

    /* The key opens the entry, but it was agreed with node 4, who did not sign. */
    psks.has[SENDER] = false;
    psks.has[4] = true;
    memcpy(psks.key[4], psks.key[SENDER], SF_PSK_BYTES);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    memset(&psks, 0, sizeof(psks));
}

static void
test_psk_stripped(void)
{
    struct sf_grant_config config = config_for(1);
    struct sf_grant grant;
    size_t bytes = seal(&config, object);

    psks.required = true;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    psks.required = false;
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
}

static bool
psk_endless(void *context, uint64_t rung, size_t n, uint8_t ret_psk[SF_PSK_BYTES],
    struct sf_fingerprint *ret_sender)
{
    (void)rung;
    (void)n;
    ++*(size_t *)context;
    memset(ret_psk, 0, SF_PSK_BYTES);
    memset(ret_sender, 0, sizeof(*ret_sender));
    return true;
}

static void
test_psk_bounded(void)
{
    struct sf_card_lookup lookup = people_lookup(&people);
    size_t asked = 0;
    const struct sf_grant_psk_lookup endless = {.find = psk_endless, .context = &asked};
    struct sf_grant grant;
    size_t bytes = seal_with_psk();

    CHECK_EQ(sf_grant_open(people.identities[1], &lookup, &endless, sf_view(object, bytes), &grant),
        SF_EAUTH);
    CHECK_EQ(asked, SF_GRANT_PSK_CANDIDATES_MAX);
    memset(&psks, 0, sizeof(psks));
}

static void
test_rung_is_masked(void)
{
    struct sf_grant_config config = config_for(1);
    size_t zeros = 0;

    /* Prekey number 1 and rung 0 would be plain to see. */
    for (int i = 0; i < 50; i++) {
        const uint8_t *entry = object + ENTRIES_AT_SHORT;

        seal(&config, object);
        zeros += sf_get_be32(entry + 40) < 1000;
        zeros += sf_get_be64(entry + 44) == 0;
    }
    CHECK_EQ(zeros, 0);
}

/* --- Tampering ------------------------------------------------------------- */

static void
test_every_flip(void)
{
    struct sf_grant_config config = config_for(1);
    size_t bytes = seal(&config, copy);
    size_t counts[16] = {0};
    struct sf_grant grant;

    for (size_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(object, copy, bytes);
        object[bit / 8] ^= (uint8_t)(1u << bit % 8);
        counts[-open_as(1, object, bytes, &grant)]++;
    }
    CHECK_EQ(counts[-SF_OK], 0);
    CHECK(counts[-SF_ENOENT] > 0);    /* hint and enc */
    CHECK_EQ(counts[-SF_ESTATE], 32); /* the prekey's number */
    CHECK(counts[-SF_EAUTH] > 5000);
    CHECK(counts[-SF_EFORMAT] > 0);
    for (size_t cut = 0; cut < bytes; cut++) {
        CHECK_EQ(open_as(1, copy, cut, &grant), SF_EFORMAT);
    }
}

static void
test_swapped_entries(void)
{
    struct sf_grant_config config = config_for(2);
    size_t bytes = seal(&config, copy);
    struct sf_grant grant;

    memcpy(object, copy, bytes);
    memcpy(object + ENTRIES_AT_SHORT, copy + ENTRIES_AT_SHORT + SF_PARCEL_ENTRY_BYTES,
        SF_PARCEL_ENTRY_BYTES);
    memcpy(object + ENTRIES_AT_SHORT + SF_PARCEL_ENTRY_BYTES, copy + ENTRIES_AT_SHORT,
        SF_PARCEL_ENTRY_BYTES);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    CHECK_EQ(open_as(2, object, bytes, &grant), SF_EAUTH);
}

static void
test_spliced(void)
{
    struct sf_grant_config config = config_for(1);
    size_t bytes = seal(&config, object);
    struct sf_grant grant;

    /* The entry of one grant with the body of another of the same sender. */
    seal(&config, copy);
    memcpy(object + ENTRIES_AT_SHORT, copy + ENTRIES_AT_SHORT, SF_PARCEL_ENTRY_BYTES);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    /* The same with that grant's head as well: only the body differs. */
    memcpy(object, copy, ENTRIES_AT_SHORT + SF_PARCEL_ENTRY_BYTES);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EAUTH);
    memcpy(object, copy, bytes);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_OK);
}

static const struct sf_parcel_use use = {
    .kind = SF_KIND_GRANT,
    .entry_label = {(const uint8_t *)SF_LABEL_GRANT, sizeof(SF_LABEL_GRANT) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_GRANT_BODY, sizeof(SF_LABEL_GRANT_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_GRANT, sizeof(SF_LABEL_SIGN_GRANT) - 1},
};

static void
test_co_recipient_readdresses(void)
{
    struct sf_grant_config config = config_for(1);
    size_t bytes = seal(&config, object);
    struct sf_parcel parcel;
    struct sf_parcel_entry entry;
    struct sf_grant grant;
    struct sf_fingerprint sender;
    struct sf_view content;
    uint8_t plain[1024];
    uint8_t signature[SF_SIGNATURE_BYTES];
    struct sf_card_lookup lookup = people_lookup(&people);
    const struct sf_grant_recipient victim = {.card = &people.cards[2], .number = 1};
    struct sf_parcel_config forged = {
        .use = &use, .identity = people.identities[1], .recipients = &victim, .recipient_count = 1};

    /* Node 1 opens its grant and knows body, body key and the sender's signature. */
    REQUIRE_EQ(sf_parcel_parse(sf_view(object, bytes), &parcel), SF_OK);
    REQUIRE_EQ(sf_parcel_open_entry(&parcel, &use, people.identities[1], NULL, &entry), SF_OK);
    REQUIRE_EQ(
        sf_parcel_open_body(&parcel, &use, &entry, &lookup, plain, &sender, &content), SF_OK);
    memcpy(signature, plain, sizeof(signature));

    /* It makes a well-formed grant for node 2 out of them, sealed under the same body key. */
    forged.content = content;
    REQUIRE_EQ(sf_parcel_seal(&forged, &people.random, copy, sizeof(copy), &bytes), SF_OK);
    REQUIRE_EQ(sf_parcel_parse(sf_view(copy, bytes), &parcel), SF_OK);
    REQUIRE_EQ(sf_parcel_open_entry(&parcel, &use, people.identities[2], NULL, &entry), SF_OK);
    {
        uint8_t *cipher = copy + parcel.outside.bytes;
        struct sf_view sealed = parcel.cipher;
        struct sf_view open = sf_view(cipher, sealed.bytes - SF_AEAD_TAG_BYTES);
        static const uint8_t ad[] = "\x83\x68"
                                    "Encrypt0\x50\xa3\x01\x18\x18\x3a\x00\x01\x11\x70\x01\x3a\x00"
                                    "\x01\x11\x71\x01\x40";

        REQUIRE_EQ(sf_aead_open(entry.body_key, parcel.iv, sf_view(ad, 28), sealed, cipher), SF_OK);
        memcpy(cipher, signature, sizeof(signature));
        memcpy(cipher + 64, people.cards[SENDER].fingerprint.b, 32);
        sf_aead_seal(entry.body_key, parcel.iv, sf_view(ad, 28), open, cipher);
    }
    CHECK_EQ(open_as(2, copy, bytes, &grant), SF_EAUTH);
}

/* --- Signed, and still wrong ----------------------------------------------- */

static int
open_content(struct sf_view content)
{
    const struct sf_grant_recipient recipient = {.card = &people.cards[1]};
    const struct sf_parcel_config config = {.use = &use,
        .identity = people.identities[SENDER],
        .recipients = &recipient,
        .recipient_count = 1,
        .content = content};
    struct sf_grant grant;
    size_t bytes;

    REQUIRE_EQ(sf_parcel_seal(&config, &people.random, object, sizeof(object), &bytes), SF_OK);
    return open_as(1, object, bytes, &grant);
}

static int
open_fields(uint64_t version, size_t transfer_bytes, uint64_t class_bytes, uint64_t slots)
{
    struct sf_cbor_writer writer;
    uint8_t content[128];

    sf_cbor_writer_init(&writer, content, sizeof(content));
    sf_cbor_write_array(&writer, 5);
    sf_cbor_write_uint(&writer, version);
    sf_cbor_write_bytes(&writer, sf_view(cek, transfer_bytes));
    sf_cbor_write_bytes(&writer, sf_view(cek, sizeof(cek)));
    sf_cbor_write_uint(&writer, class_bytes);
    sf_cbor_write_uint(&writer, slots);
    return open_content(sf_view(content, writer.bytes));
}

static void
test_malformed_content(void)
{
    CHECK_EQ(open_fields(1, 16, CLASS, 1), SF_OK);
    CHECK_EQ(open_fields(2, 16, CLASS, 1), SF_EFORMAT);
    CHECK_EQ(open_fields(1, 15, CLASS, 1), SF_EFORMAT);
    CHECK_EQ(open_fields(1, 16, CLASS + 1, 1), SF_EFORMAT);
    CHECK_EQ(open_fields(1, 16, UINT64_C(1) << 32 | CLASS, 1), SF_EFORMAT);
    CHECK_EQ(open_fields(1, 16, CLASS, 0), SF_EFORMAT);
    CHECK_EQ(open_fields(1, 16, CLASS, UINT64_C(1) << 32), SF_EFORMAT);
    CHECK_EQ(open_content(sf_view("\xf6", 1)), SF_EFORMAT);
}

/* --- The outside ----------------------------------------------------------- */

/* An outer form with any number of entries and any length of ciphertext around it. */
static size_t
outside(size_t class_bytes, size_t entries_bytes, uint8_t *out)
{
    struct sf_cbor_writer writer;
    const uint8_t zero[16] = {0};
    uint8_t *space;

    sf_cbor_writer_init(&writer, out, 64 << 10);
    sf_cbor_write_tag(&writer, 16);
    sf_cbor_write_array(&writer, 3);
    sf_cbor_write_bytes(
        &writer, sf_view("\xa3\x01\x18\x18\x3a\x00\x01\x11\x70\x01\x3a\x00\x01\x11\x71\x01", 16));
    sf_cbor_write_map(&writer, 3);
    sf_cbor_write_uint(&writer, 4);
    sf_cbor_write_bytes(&writer, sf_view(zero, 16));
    sf_cbor_write_uint(&writer, 5);
    sf_cbor_write_bytes(&writer, sf_view(zero, 12));
    sf_cbor_write_int(&writer, -70004);
    space = sf_cbor_write_space(&writer, entries_bytes);
    if (space != NULL) {
        memset(space, 0, entries_bytes);
    }
    if (class_bytes > writer.bytes + 3) {
        size_t left = class_bytes - writer.bytes;
        size_t head = left > 258 ? 3 : left > 25 ? 2 : 1;

        space = sf_cbor_write_space(&writer, left - head);
        REQUIRE(space != NULL);
        memset(space, 0, left - head);
    }
    return writer.bytes;
}

static int
parse_outside(size_t class_bytes, size_t entries_bytes)
{
    static uint8_t bytes[64 << 10];
    struct sf_parcel parcel;

    return sf_parcel_parse(sf_view(bytes, outside(class_bytes, entries_bytes, bytes)), &parcel);
}

static void
test_outside(void)
{
    CHECK_EQ(parse_outside(1024, 108), SF_OK);
    CHECK_EQ(parse_outside(16384, 128 * 108), SF_OK);
    CHECK_EQ(parse_outside(65536, 129 * 108), SF_EFORMAT);
    CHECK_EQ(parse_outside(65536, 256 * 108), SF_EFORMAT);
    CHECK_EQ(parse_outside(1024, 0), SF_EFORMAT);
    CHECK_EQ(parse_outside(1024, 107), SF_EFORMAT);
    CHECK_EQ(parse_outside(1024, 109), SF_EFORMAT);
    CHECK_EQ(parse_outside(1024, 3 * 108), SF_EFORMAT);
    CHECK_EQ(parse_outside(1024, 8 * 108), SF_EFORMAT); /* no room for a body */
    CHECK_EQ(parse_outside(2048, 108), SF_EFORMAT);     /* no control class */
    CHECK_EQ(parse_outside(1025, 108), SF_EFORMAT);
}

static void
test_cap_before_crypto(void)
{
    struct sf_grant grant;
    size_t bytes;

    /* Too many entries: refused although every one of them would match our hint. */
    bytes = outside(16384, 129 * 108, object);
    for (size_t i = 0; i < 129; i++) {
        uint8_t *entry = object + ENTRIES_AT + i * SF_PARCEL_ENTRY_BYTES;
        struct sf_view enc = sf_view(entry, 32);
        uint8_t mask[SF_SHA256_BYTES];

        sf_hmac_sha256(sf_view(people.cards[1].hint_key, 32), &enc, 1, mask);
        memcpy(entry + 32, mask, 8);
    }
    CHECK_EQ(bytes, 16384);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_EFORMAT);
    /* With 128 of the same they are looked at. */
    memset(object, 0, sizeof(object));
    bytes = outside(16384, 128 * 108, object);
    CHECK_EQ(open_as(1, object, bytes, &grant), SF_ENOENT);
}

static const struct check_test tests[] = {
    {"every recipient opens the grant and finds its own number in it", test_round_trip},
    {"entries are filled up to a power of two, in the smallest class that holds them",
        test_classes},
    {"what is outside the limits is not sealed", test_limits},
    {"a card with a key of low order stops the sealing and leaves nothing behind",
        test_low_order_card},
    {"no two grants are alike", test_every_one_differs},
    {"a recipient's entry may stand at any place", test_shuffle},
    {"entries for nobody look like the others", test_filling_looks_real},
    {"a grant for others is met with silence", test_not_for_us},
    {"a grant to a prekey that is gone says so", test_prekey_gone},
    {"a grant of an unknown sender is refused", test_unknown_sender},
    {"a grant in another sender's name is refused", test_sender_lies},
    {"a lookup that answers with another card is not trusted", test_lookup_mistake},
    {"a grant under a pre-shared key opens with it and names the rung", test_psk},
    {"a grant under another key, another rung or a rung nobody knows is refused", test_psk_wrong},
    {"a grant under the key of another peer than its signer is refused", test_psk_of_another},
    {"a grant without the pre-shared key that was agreed is refused", test_psk_stripped},
    {"the keys tried for one entry are bounded", test_psk_bounded},
    {"prekey number and rung cannot be read without the hint key", test_rung_is_masked},
    {"every single flipped bit and every truncation of a grant is refused", test_every_flip},
    {"swapped entries are refused", test_swapped_entries},
    {"parts of two grants do not open together", test_spliced},
    {"a recipient cannot address a grant to someone else", test_co_recipient_readdresses},
    {"signed content out of its limits is refused", test_malformed_content},
    {"an outer form out of its limits is refused", test_outside},
    {"more than 128 entries are refused before any cryptography", test_cap_before_crypto},
};

int
main(void)
{
    int status;

    people_open(&people, 4, 8);
    status = check_run("grant", tests, sizeof(tests) / sizeof(tests[0]));
    people_close(&people);
    return status;
}
