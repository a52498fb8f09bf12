/* Tests of store/fact: every kind comes back as it was, and nothing else is taken for one. */
#include "base/bytes.h"
#include "store/fact.h"
#include "store/journal.h"
#include "tests/unit/check.h"

enum { HEAD = 3, KEY = 3, ROOM = 256 };

static const uint8_t tags[2 * SF_FACT_TAG_BYTES] = {1, 2, 3};

static const struct sf_fact kinds[] = {
    {.op = SF_FACT_SET, .table = 7, .key = {(const uint8_t *)"key", KEY}, .value = {tags, 5}},
    {.op = SF_FACT_UNSET, .table = 7, .key = {(const uint8_t *)"key", KEY}},
    {.op = SF_FACT_ADD, .table = 7, .key = {(const uint8_t *)"key", KEY}, .from = 4, .to = 4},
    {.op = SF_FACT_ADD_TAGGED,
        .table = 7,
        .key = {(const uint8_t *)"key", KEY},
        .from = 4,
        .to = 6,
        .tags = tags},
    {.op = SF_FACT_REMOVE, .table = 7, .key = {(const uint8_t *)"key", KEY}, .from = 4, .to = 9},
    {.op = SF_FACT_DROP_TAGS, .table = 7, .key = {(const uint8_t *)"key", KEY}},
    {.op = SF_FACT_WHOLE},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* What is refused leaves the bytes and the fact as they were. */
static void
check_refused(const uint8_t *bytes, size_t count)
{
    struct sf_view body = sf_view(bytes, count);
    struct sf_fact fact = {.op = SF_FACT_DROP_TAGS, .table = 99};

    CHECK_EQ(sf_fact_decode(&body, &fact), SF_EFORMAT);
    CHECK(body.data == bytes && body.bytes == count);
    CHECK(fact.op == SF_FACT_DROP_TAGS && fact.table == 99);
}

static void
test_round_trip(void)
{
    uint8_t bytes[KINDS * ROOM];
    size_t count = 0;
    struct sf_view body;

    for (size_t i = 0; i < KINDS; i++) {
        size_t took = sf_fact_encode(&kinds[i], bytes + count);

        CHECK_EQ(took, sf_fact_bytes(&kinds[i]));
        count += took;
    }
    body = sf_view(bytes, count);
    for (size_t i = 0; i < KINDS; i++) {
        struct sf_fact fact;

        REQUIRE_EQ(sf_fact_decode(&body, &fact), SF_OK);
        CHECK_EQ(fact.op, kinds[i].op);
        CHECK_EQ(fact.table, kinds[i].table);
        CHECK(sf_view_equal(fact.key, kinds[i].key));
        CHECK(sf_view_equal(fact.value, kinds[i].value));
        CHECK(fact.from == kinds[i].from && fact.to == kinds[i].to);
        CHECK((fact.tags == NULL) == (kinds[i].tags == NULL));
        if (fact.tags != NULL) {
            CHECK_BYTES(fact.tags, tags, sizeof(tags));
        }
    }
    CHECK_EQ(body.bytes, 0);
}

static void
test_cut(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        uint8_t bytes[ROOM];
        size_t count = sf_fact_encode(&kinds[i], bytes);

        for (size_t left = 1; left < count; left++) {
            check_refused(bytes, left);
        }
    }
}

/* One of `kinds`, with some bytes of it changed. */
static void
check_changed(size_t kind, size_t at, const uint8_t *change, size_t change_bytes)
{
    uint8_t bytes[ROOM];
    size_t count = sf_fact_encode(&kinds[kind], bytes);

    memcpy(bytes + at, change, change_bytes);
    check_refused(bytes, count);
}

static void
test_wrong(void)
{
    uint8_t number[12];

    check_changed(0, 0, (const uint8_t[]){0}, 1);                 /* no operation */
    check_changed(0, 0, (const uint8_t[]){SF_FACT_WHOLE + 1}, 1); /* none that there is */
    check_changed(0, 2, (const uint8_t[]){0}, 1);                 /* no key */
    check_changed(0, 2, (const uint8_t[]){SF_JOURNAL_KEY_BYTES_MAX + 1}, 1);
    check_changed(6, 1, (const uint8_t[]){1}, 1); /* WHOLE is of no table */
    check_changed(1, 0, (const uint8_t[]){SF_FACT_WHOLE}, 1);
    sf_put_be32(number, SF_JOURNAL_VALUE_BYTES_MAX + 1);
    check_changed(0, HEAD + KEY, number, 4);
    sf_put_be64(number, 5); /* from behind to */
    check_changed(2, HEAD + KEY, number, 8);
    sf_put_be64(number, 4);
    sf_put_be32(number + 8, 0); /* tags of nothing */
    check_changed(3, HEAD + KEY, number, 12);
    sf_put_be32(number + 8, SF_FACT_TAGS_MAX + 1);
    check_changed(3, HEAD + KEY, number, 12);
    sf_put_be64(number, UINT64_MAX - 1); /* numbers beyond the last */
    sf_put_be32(number + 8, 2);
    check_changed(3, HEAD + KEY, number, 12);
}

CHECK_MAIN("fact", {"every kind of fact comes back as it was", test_round_trip},
    {"a fact that is cut anywhere is refused", test_cut},
    {"sizes, numbers and keys out of bounds are refused", test_wrong})
