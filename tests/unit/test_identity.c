/*
 * test_identity.c - keys are made, written, read back, and age as they should.
 */
#include "bundle/identity.h"

#include "bundle/cbor.h"
#include "bundle/labels.h"
#include "tests/unit/check.h"
#include "tests/unit/people.h"

static struct people people;

static size_t
encoded(const struct sf_identity *identity, uint8_t out[SF_IDENTITY_BYTES_MAX])
{
    size_t bytes = 0;

    REQUIRE_EQ(sf_identity_encode(identity, out, SF_IDENTITY_BYTES_MAX, &bytes), SF_OK);
    return bytes;
}

static void
test_names(void)
{
    static const char *const good[] = {"a", "sat-7", "Ground_1", "x.y", "7"};
    static const char *const bad[] = {"", ".", "..", ".x", "-x", "a b", "a/b", "a\n", "\xc3\xa4",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct sf_identity *identity = NULL;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(sf_name_is_valid(sf_view(good[i], strlen(good[i]))));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!sf_name_is_valid(sf_view(bad[i], strlen(bad[i]))));
        CHECK_EQ(sf_identity_generate(&people.random, bad[i], &identity), SF_EINVAL);
        CHECK(identity == NULL);
    }
}

static void
test_round_trip(void)
{
    const struct sf_identity *identity = people.identities[0];
    struct sf_identity *back = NULL;
    uint8_t file[SF_IDENTITY_BYTES_MAX];
    uint8_t again[SF_IDENTITY_BYTES_MAX];
    size_t bytes = encoded(identity, file);

    REQUIRE_EQ(sf_identity_decode(sf_view(file, bytes), &back), SF_OK);
    CHECK_BYTES(back, identity, sizeof(*identity));
    CHECK_EQ(encoded(back, again), bytes);
    CHECK_BYTES(again, file, bytes);
    sf_identity_fini(back);
}

static void
test_small_buffer(void)
{
    uint8_t file[SF_IDENTITY_BYTES_MAX];
    size_t bytes = encoded(people.identities[0], file);
    size_t ret_bytes = 77;

    CHECK_EQ(sf_identity_encode(people.identities[0], file, bytes - 1, &ret_bytes), SF_ELIMIT);
    CHECK_EQ(ret_bytes, 77);
    CHECK_EQ(sf_identity_encode(people.identities[0], file, bytes, &ret_bytes), SF_OK);
}

static void
test_damage(void)
{
    struct sf_identity *back = NULL;
    uint8_t file[SF_IDENTITY_BYTES_MAX];
    size_t bytes = encoded(people.identities[0], file);

    for (size_t bit = 0; bit < bytes * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(sf_identity_decode(sf_view(file, bytes), &back) < SF_OK);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < bytes; cut++) {
        CHECK(sf_identity_decode(sf_view(file, cut), &back) < SF_OK);
    }
    file[bytes] = 0;
    CHECK_EQ(sf_identity_decode(sf_view(file, bytes + 1), &back), SF_EFORMAT);
    CHECK(back == NULL);
}

/* A key file with a true checksum around any body. */
static size_t
wrap_body(struct sf_view body, uint8_t out[SF_IDENTITY_BYTES_MAX])
{
    struct sf_cbor_writer writer;
    struct sf_sha256 hash;
    uint8_t digest[SF_SHA256_BYTES];

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, SF_LABEL_KEYS, sizeof(SF_LABEL_KEYS) - 1);
    sf_sha256_update(&hash, body.data, body.bytes);
    sf_sha256_final(&hash, digest);
    sf_cbor_writer_init(&writer, out, SF_IDENTITY_BYTES_MAX);
    sf_cbor_write_array(&writer, 2);
    sf_cbor_write_bytes(&writer, body);
    sf_cbor_write_bytes(&writer, sf_view(digest, sizeof(digest)));
    return writer.bytes;
}

struct body {
    uint64_t version;
    const char *name;
    uint64_t issue;
    uint64_t number_last;
    size_t prekeys;
    uint64_t first_number;
    uint64_t age_step; /* each key is that much older than the next */
};

static int
decode_body(const struct body *body)
{
    struct sf_cbor_writer writer;
    struct sf_identity *identity = NULL;
    const uint8_t key[32] = {5};
    uint8_t bytes[SF_IDENTITY_BYTES_MAX];
    uint8_t file[SF_IDENTITY_BYTES_MAX];
    int status;

    sf_cbor_writer_init(&writer, bytes, sizeof(bytes));
    sf_cbor_write_array(&writer, 9);
    sf_cbor_write_uint(&writer, body->version);
    sf_cbor_write_text(&writer, body->name);
    for (int i = 0; i < 3; i++) {
        sf_cbor_write_bytes(&writer, sf_view(key, sizeof(key)));
    }
    sf_cbor_write_uint(&writer, body->issue);
    sf_cbor_write_uint(&writer, body->number_last);
    for (int ring = 0; ring < 2; ring++) {
        sf_cbor_write_array(&writer, body->prekeys);
        for (size_t i = 0; i < body->prekeys; i++) {
            sf_cbor_write_array(&writer, 3);
            sf_cbor_write_uint(&writer, body->first_number + i);
            sf_cbor_write_bytes(&writer, sf_view(key, sizeof(key)));
            sf_cbor_write_uint(&writer, 1000 + (body->prekeys - i) * body->age_step);
        }
    }
    status =
        sf_identity_decode(sf_view(file, wrap_body(sf_view(bytes, writer.bytes), file)), &identity);
    sf_identity_fini(identity);
    return status;
}

static void
test_limits(void)
{
    const struct body good = {1, "node", 1, 20, 2, 3, 5};
    struct body body = good;

    CHECK_EQ(decode_body(&body), SF_OK);
    body.version = 2;
    CHECK_EQ(decode_body(&body), SF_EFORMAT);
    body = good;
    body.name = "../etc";
    CHECK_EQ(decode_body(&body), SF_EFORMAT);
    body = good;
    body.issue = 0;
    CHECK_EQ(decode_body(&body), SF_EFORMAT);
    body = good;
    body.number_last = 3;
    CHECK_EQ(decode_body(&body), SF_ELIMIT);
    body = good;
    body.number_last = UINT64_C(1) << 32;
    CHECK_EQ(decode_body(&body), SF_ELIMIT);
    body = good;
    body.first_number = 0;
    CHECK_EQ(decode_body(&body), SF_EFORMAT);
    body = good;
    body.prekeys = 0;
    CHECK_EQ(decode_body(&body), SF_EFORMAT);
    body = good;
    body.prekeys = SF_PREKEYS_MAX;
    body.number_last = 100;
    CHECK_EQ(decode_body(&body), SF_OK);
    body.prekeys = SF_PREKEYS_MAX + 1;
    CHECK_EQ(decode_body(&body), SF_ELIMIT);
}

/* --- Ageing ---------------------------------------------------------------- */

static struct sf_identity *
fresh(void)
{
    struct sf_identity *identity = NULL;

    REQUIRE_EQ(sf_identity_generate(&people.random, "ageing", &identity), SF_OK);
    return identity;
}

static void
test_new_prekey(void)
{
    struct sf_identity *identity = fresh();
    uint32_t first = sf_prekey_current(&identity->prekeys)->number;

    CHECK(!sf_identity_rotate(identity, &people.random, 7 * SF_DAY_MS - 1));
    CHECK_EQ(sf_prekey_current(&identity->prekeys)->number, first);
    CHECK_EQ(identity->card_issue, 1);
    CHECK(sf_identity_rotate(identity, &people.random, 1));
    CHECK(sf_prekey_current(&identity->prekeys)->number > first);
    CHECK_EQ(sf_prekey_current(&identity->prekeys)->age_ms, 0);
    CHECK_EQ(identity->prekeys.count, 2);
    CHECK_EQ(identity->link_prekeys.count, 2);
    CHECK_EQ(identity->card_issue, 2);
    CHECK(sf_prekey_find(&identity->prekeys, first) != NULL);
    sf_identity_fini(identity);
}

/* In hours, as a daemon counts. */
static bool
pass_hours(struct sf_identity *identity, uint64_t hours)
{
    bool changed = false;

    while (hours-- > 0) {
        changed |= sf_identity_rotate(identity, &people.random, SF_DAY_MS / 24);
    }
    return changed;
}

static void
test_retire(void)
{
    struct sf_identity *identity = fresh();
    uint32_t first = sf_prekey_current(&identity->prekeys)->number;
    uint32_t first_link = sf_prekey_current(&identity->link_prekeys)->number;

    pass_hours(identity, 14 * 24 - 1);
    CHECK(sf_prekey_find(&identity->link_prekeys, first_link) != NULL);
    pass_hours(identity, 1);
    CHECK(sf_prekey_find(&identity->link_prekeys, first_link) == NULL);
    pass_hours(identity, 31 * 24 - 1);
    CHECK(sf_prekey_find(&identity->prekeys, first) != NULL);
    CHECK(pass_hours(identity, 1));
    CHECK(sf_prekey_find(&identity->prekeys, first) == NULL);
    /* Nothing of it is left behind the last key either. */
    for (size_t i = identity->prekeys.count; i < SF_PREKEYS_MAX; i++) {
        const uint8_t zero[sizeof(struct sf_prekey)] = {0};

        CHECK_BYTES(&identity->prekeys.keys[i], zero, sizeof(zero));
    }
    sf_identity_fini(identity);
}

static void
test_at_most_one(void)
{
    struct sf_identity *identity = fresh();
    uint32_t last = 0;

    for (int week = 0; week < 52; week++) {
        size_t before = identity->prekeys.count;
        uint32_t oldest = identity->prekeys.keys[0].number;

        sf_identity_rotate(identity, &people.random, 7 * SF_DAY_MS);
        CHECK(identity->prekeys.count >= before);
        CHECK(identity->prekeys.count <= 8);
        /* The second oldest of last week is still there: one went at most. */
        CHECK(identity->prekeys.keys[0].number == oldest ||
              (before > 1 && identity->prekeys.keys[0].number > oldest));
        CHECK(sf_prekey_current(&identity->prekeys)->number > last);
        last = sf_prekey_current(&identity->prekeys)->number;
    }
    sf_identity_fini(identity);
}

static void
test_endless_time(void)
{
    struct sf_identity *identity = fresh();
    struct sf_identity *back = NULL;
    uint8_t file[SF_IDENTITY_BYTES_MAX];
    uint32_t first = sf_prekey_current(&identity->prekeys)->number;

    CHECK(sf_identity_rotate(identity, &people.random, UINT64_MAX));
    CHECK(sf_identity_rotate(identity, &people.random, UINT64_MAX));
    CHECK(sf_prekey_find(&identity->prekeys, first) == NULL);
    CHECK(identity->prekeys.count >= 1);
    CHECK_EQ(sf_identity_decode(sf_view(file, encoded(identity, file)), &back), SF_OK);
    sf_identity_fini(back);
    sf_identity_fini(identity);
}

static void
test_renew(void)
{
    struct sf_identity *identity = fresh();
    struct sf_identity *back = NULL;
    uint8_t file[SF_IDENTITY_BYTES_MAX];
    uint32_t first = sf_prekey_current(&identity->prekeys)->number;
    uint64_t issue = identity->card_issue;
    unsigned renewed = 0;

    REQUIRE_EQ(sf_identity_renew(identity, &people.random), SF_OK);
    CHECK_EQ(identity->card_issue, issue + 1);
    CHECK(sf_prekey_current(&identity->prekeys)->number > first);
    CHECK(sf_prekey_find(&identity->prekeys, first) != NULL); /* what is under way can be opened */
    CHECK_EQ(sf_prekey_current(&identity->link_prekeys)->age_ms, 0);
    CHECK_EQ(identity->link_prekeys.count, 2);

    /* However often somebody asks, what ages in the rings has its time. */
    pass_hours(identity, 40 * 24);
    CHECK(sf_prekey_find(&identity->prekeys, first) != NULL);
    while (sf_identity_renew(identity, &people.random) == SF_OK) {
        renewed++;
    }
    CHECK(renewed >= 10);
    CHECK_EQ(identity->prekeys.count, SF_PREKEYS_RENEWED_MAX);
    issue = identity->card_issue;
    CHECK_EQ(sf_identity_renew(identity, &people.random), SF_ELIMIT);
    CHECK_EQ(identity->card_issue, issue);
    CHECK_EQ(sf_identity_decode(sf_view(file, encoded(identity, file)), &back), SF_OK);
    sf_identity_fini(back);
    pass_hours(identity, 4 * 24 + 23);
    CHECK(sf_prekey_find(&identity->prekeys, first) != NULL);
    pass_hours(identity, 60 * 24);
    CHECK(identity->prekeys.count < SF_PREKEYS_RENEWED_MAX);
    CHECK_EQ(sf_identity_renew(identity, &people.random), SF_OK);
    sf_identity_fini(identity);
}

static void
test_raise(void)
{
    struct sf_identity *identity = fresh();
    uint32_t first = sf_prekey_current(&identity->prekeys)->number;
    uint32_t last = identity->number_last;

    REQUIRE_EQ(sf_identity_raise(identity, &people.random, UINT64_C(7) << 32), SF_OK);
    CHECK(sf_prekey_current(&identity->prekeys)->number > last + SF_PREKEYS_LEFT_OUT);
    CHECK(sf_prekey_find(&identity->prekeys, first) != NULL);
    CHECK_EQ(identity->card_issue, UINT64_C(7) << 32);
    last = sf_prekey_current(&identity->prekeys)->number;
    sf_identity_reissue(identity, 5); /* it only grows */
    CHECK_EQ(identity->card_issue, (UINT64_C(7) << 32) + 1);
    CHECK_EQ(sf_prekey_current(&identity->prekeys)->number, last);
    identity->number_last = UINT32_MAX - SF_PREKEYS_LEFT_OUT;
    CHECK_EQ(sf_identity_raise(identity, &people.random, 1), SF_ELIMIT);
    CHECK_EQ(sf_prekey_current(&identity->prekeys)->number, last);
    sf_identity_fini(identity);
}

static void
test_numbers_end(void)
{
    struct sf_identity *identity = fresh();

    identity->number_last = UINT32_MAX;
    sf_identity_rotate(identity, &people.random, 400 * SF_DAY_MS);
    CHECK_EQ(identity->prekeys.count, 1);
    CHECK_EQ(identity->number_last, UINT32_MAX);
    CHECK_EQ(sf_identity_renew(identity, &people.random), SF_ELIMIT);
    CHECK_EQ(identity->prekeys.count, 1);
    sf_identity_fini(identity);
}

static const struct check_test tests[] = {
    {"a name has only harmless bytes and cannot hide a file or look like an option", test_names},
    {"a key file gives back the identity it was made of, and the same file again", test_round_trip},
    {"a key file that does not fit is not written", test_small_buffer},
    {"a key file with any bit flipped, cut short or with a byte more is refused", test_damage},
    {"a key file with a true checksum but values beyond their limits is refused", test_limits},
    {"a prekey is replaced after seven days of run time and kept on", test_new_prekey},
    {"prekeys are erased after 45 days of run time, link prekeys after 14", test_retire},
    {"at most one prekey is erased for each seven days that pass", test_at_most_one},
    {"any length of time passes in bounded work and leaves a valid key file", test_endless_time},
    {"new prekeys come when somebody asks, and cost no old one its time", test_renew},
    {"after a restore numbers and issues leave out what may have been used", test_raise},
    {"when prekey numbers run out the current key stays", test_numbers_end},
};

int
main(void)
{
    int status;

    people_open(&people, 1, 1);
    status = check_run("identity", tests, sizeof(tests) / sizeof(tests[0]));
    people_close(&people);
    return status;
}
