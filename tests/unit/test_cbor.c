/*
 * test_cbor.c - the strict CBOR reader and the writer.
 */
#include "base/prng.h"
#include "bundle/cbor.h"
#include "tests/cbor_transcode.h"
#include "tests/hex.h"
#include "tests/unit/check.h"

#include <sys/resource.h>

enum { BYTES_MAX = 4096 };

/* Read one whole item and nothing behind it. */
static int
read_all(struct sf_view view)
{
    struct sf_cbor_reader reader;
    int status;

    sf_cbor_reader_init(&reader, view);
    status = sf_cbor_read_item(&reader, NULL);
    return status == SF_OK ? sf_cbor_end(&reader) : status;
}

static int
read_hex(const char *hex)
{
    uint8_t bytes[BYTES_MAX];
    size_t count = hex_decode(hex, bytes, sizeof(bytes));

    REQUIRE(count != SIZE_MAX);
    return read_all(sf_view(bytes, count));
}

struct sample {
    const char *what;
    const char *hex;
};

static void
check_all(const struct sample *samples, size_t count, int expected)
{
    for (size_t i = 0; i < count; i++) {
        int status = read_hex(samples[i].hex);

        if (status != expected) {
            printf("\n    %s (%s): %d\n", samples[i].what, samples[i].hex, status);
        }
        CHECK_EQ(status, expected);
    }
}

#define CHECK_ALL(samples, expected)                                                               \
    check_all((samples), sizeof(samples) / sizeof((samples)[0]), (expected))

static void
test_good(void)
{
    static const struct sample good[] = {
        {"0", "00"},
        {"23", "17"},
        {"24", "1818"},
        {"255", "18ff"},
        {"256", "190100"},
        {"65535", "19ffff"},
        {"65536", "1a00010000"},
        {"2^32-1", "1affffffff"},
        {"2^32", "1b0000000100000000"},
        {"2^64-1", "1bffffffffffffffff"},
        {"-1", "20"},
        {"-2^64", "3bffffffffffffffff"},
        {"no bytes", "40"},
        {"three bytes", "43010203"},
        {"text", "6161"},
        {"text of four bytes", "64f0908091"},
        {"no items", "80"},
        {"nested", "8301820203820405"},
        {"map", "a201020304"},
        {"keys of several types", "a3010220034100 04"},
        {"shorter text keys first", "a2616100 62616200"},
        {"tag", "c100"},
        {"tag 5", "c500"},
        {"tag 16", "d000"},
        {"tag 18", "d200"},
        {"tag 20", "d400"},
        {"tag 23", "d700"},
        {"tag 24", "d81800"},
        {"tag 255", "d8ff00"},
        {"tag 2^64-1", "dbffffffffffffffff00"},
        {"false", "f4"},
        {"true", "f5"},
        {"null", "f6"},
        {"twelve arrays", "818181818181818181818180"},
    };

    CHECK_ALL(good, SF_OK);
}

static void
test_not_shortest(void)
{
    static const struct sample bad[] = {
        {"0 in two bytes", "1800"},
        {"23 in two bytes", "1817"},
        {"24 in three", "190018"},
        {"255 in three", "1900ff"},
        {"256 in five", "1a00000100"},
        {"65535 in five", "1a0000ffff"},
        {"65536 in nine", "1b0000000000010000"},
        {"2^32-1 in nine", "1b00000000ffffffff"},
        {"-1 in two", "3800"},
        {"-256 in three", "3900ff"},
        {"-65536 in five", "3a0000ffff"},
        {"-2^32 in nine", "3b00000000ffffffff"},
        {"length 1 in two", "580100"},
        {"length 1 in three", "59000100"},
        {"length 1 in five", "5a0000000100"},
        {"length 1 in nine", "5b000000000000000100"},
        {"text length 1 in two", "780161"},
        {"array count 0 in two", "9800"},
        {"array count 1 in nine", "9b000000000000000100"},
        {"map count 0 in two", "b800"},
        {"tag 1 in two", "d80100"},
        {"tag 18 in two", "d81200"},
        {"tag 1 in nine", "db000000000000000100"},
        {"inside an array", "811800"},
        {"as a map's key", "a1180000"},
    };

    CHECK_ALL(bad, SF_EFORMAT);
}

static void
test_keys(void)
{
    static const struct sample bad[] = {
        {"the same key twice", "a201000100"},
        {"keys descending", "a202000100"},
        {"negative before positive", "a220000100"},
        {"text before number", "a2616100 0100"},
        {"longer text first", "a2626162 00616100"},
        {"second of three out of order", "a3010003000200"},
        {"the same text twice", "a2616100616100"},
        {"an array as key", "a18000"},
        {"a map as key", "a1a000"},
        {"a tag as key", "a1c10000"},
        {"true as key", "a1f500"},
        {"null as key", "a1f600"},
        {"inside a value", "a101a202000100"},
        {"behind a nested map", "a202a101000100"},
    };

    CHECK_ALL(bad, SF_EFORMAT);
}

static void
test_indefinite(void)
{
    static const struct sample bad[] = {
        {"bytes", "5f4100ff"},
        {"no bytes", "5fff"},
        {"text", "7f6161ff"},
        {"array", "9f00ff"},
        {"map", "bf0000ff"},
        {"a lone break", "ff"},
        {"a break in an array", "81ff"},
    };

    CHECK_ALL(bad, SF_EFORMAT);
}

static void
test_unwanted(void)
{
    static const struct sample bad[] = {
        {"half float", "f90000"},
        {"float", "fa00000000"},
        {"double", "fb0000000000000000"},
        {"undefined", "f7"},
        {"simple 0", "e0"},
        {"simple 19", "f3"},
        {"simple 32", "f820"},
        {"true in two bytes", "f815"},
        {"reserved 28 of a uint", "1c"},
        {"reserved 31 of a uint", "1f"},
        {"reserved 30 of bytes", "5e"},
        {"reserved 31 of a tag", "df00"},
        {"reserved 28 of a tag", "dc00"},
        {"overlong '/'", "62c0af"},
        {"overlong NUL", "62c080"},
        {"overlong of three", "63e08080"},
        {"overlong of four", "64f0808080"},
        {"surrogate", "63eda080"},
        {"above U+10FFFF", "64f4908080"},
        {"lead byte f5", "64f5808080"},
        {"a lone continuation", "6180"},
        {"a text that ends early", "61c3"},
        {"ascii inside a sequence", "62c341"},
    };

    CHECK_ALL(bad, SF_EFORMAT);
}

static void
test_trailing(void)
{
    static const struct sample bad[] = {
        {"nothing at all", ""},
        {"a number behind a number", "0000"},
        {"a zero behind an array", "8000"},
        {"a break behind a map", "a0ff"},
        {"an array with one item too few", "8100 00"},
        {"an array with one item too many announced", "8200"},
        {"a map without its last value", "a20100 02"},
        {"a tag without an item", "c1"},
        {"tag 18 without an item", "d2"},
        {"a tag that ends in its head", "db01020304"},
    };

    CHECK_ALL(bad, SF_EFORMAT);
}

static void
test_depth(void)
{
    static const struct sample bad[] = {
        {"thirteen arrays", "81818181818181818181818180"},
        {"thirteen tags", "c1c1c1c1c1c1c1c1c1c1c1c1c100"},
        {"maps and arrays", "a10081a10081a10081a10081a10081a10081a10081a0"},
    };
    uint8_t deep[BYTES_MAX];

    CHECK_ALL(bad, SF_ELIMIT);
    memset(deep, 0x81, sizeof(deep));
    CHECK_EQ(read_all(sf_view(deep, sizeof(deep))), SF_ELIMIT);
}

/* Heads that announce far more than there is: the reader must answer without taking memory. */
static void
test_bombs(void)
{
    static const struct sample bad[] = {
        {"the nine-byte bomb", "9b0000000010000000"},
        {"2^64-1 items", "9bffffffffffffffff"},
        {"2^63 pairs, twice that wraps", "bb8000000000000000"},
        {"2^64-1 pairs", "bbffffffffffffffff"},
        {"2^64-1 bytes", "5bffffffffffffffff"},
        {"2^64-1 bytes of text", "7bffffffffffffffff"},
        {"2^31 items", "9a80000000"},
        {"two more pairs than bytes", "a3010203"},
        {"bombs in a row", "829b00000000100000009b0000000010000000"},
    };
    static const uint8_t bomb[] = {0x9b, 0, 0, 0, 0, 0x10, 0, 0, 0};
    struct sf_cbor_reader reader;
    struct rusage before;
    struct rusage after;
    uint64_t count = 77;

    getrusage(RUSAGE_SELF, &before);
    CHECK_ALL(bad, SF_EFORMAT);
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 4096);
    /* Whoever allocates by a count must be told before, not when the items run out. */
    sf_cbor_reader_init(&reader, sf_view(bomb, sizeof(bomb)));
    CHECK_EQ(sf_cbor_read_array(&reader, UINT64_MAX, &count), SF_EFORMAT);
    CHECK_EQ(count, 77);
    sf_cbor_reader_init(&reader, sf_view("\xa2\x01\x02\x03", 4));
    CHECK_EQ(sf_cbor_read_map(&reader, UINT64_MAX, &count), SF_EFORMAT);
    sf_cbor_reader_init(&reader, sf_view("\x82\x01\x02", 3));
    CHECK_EQ(sf_cbor_read_array(&reader, UINT64_MAX, &count), SF_OK);
}

static void
test_limits(void)
{
    uint8_t bytes[BYTES_MAX];
    struct sf_cbor_reader reader;
    struct sf_view view = sf_view(
        bytes, hex_decode("8600 1903e8 4401020304 626161 8100 a10000", bytes, sizeof(bytes)));
    struct sf_view got = {NULL, 7};
    uint64_t value = 7;

    sf_cbor_reader_init(&reader, view);
    CHECK_EQ(sf_cbor_read_array(&reader, 5, &value), SF_ELIMIT);
    CHECK_EQ(value, 7);
    CHECK_EQ(sf_cbor_read_uint(&reader, UINT64_MAX, &value), SF_ELIMIT);
    CHECK_EQ(sf_cbor_peek(&reader), SF_CBOR_NONE);

    sf_cbor_reader_init(&reader, view);
    CHECK_EQ(sf_cbor_read_array(&reader, 6, &value), SF_OK);
    CHECK_EQ(value, 6);
    CHECK_EQ(sf_cbor_read_uint(&reader, 0, &value), SF_OK);
    CHECK_EQ(sf_cbor_read_uint(&reader, 999, &value), SF_ELIMIT);

    sf_cbor_reader_init(&reader, view);
    CHECK_EQ(sf_cbor_expect_array(&reader, 6), SF_OK);
    CHECK_EQ(sf_cbor_read_uint(&reader, 0, &value), SF_OK);
    CHECK_EQ(sf_cbor_read_uint(&reader, 1000, &value), SF_OK);
    CHECK_EQ(sf_cbor_read_bytes(&reader, 4, &got), SF_OK);
    CHECK_EQ(got.bytes, 4);
    CHECK(got.data >= bytes && got.data < bytes + sizeof(bytes));
    CHECK_EQ(sf_cbor_read_text(&reader, 1, &got), SF_ELIMIT);
    CHECK_EQ(got.bytes, 4);
    CHECK_EQ(sf_cbor_end(&reader), SF_ELIMIT);
}

static void
test_types(void)
{
    uint8_t bytes[BYTES_MAX];
    struct sf_view number = sf_view(bytes, hex_decode("182a", bytes, sizeof(bytes)));
    struct sf_cbor_reader reader;
    struct sf_view view = {NULL, 0};
    uint8_t fixed[4];
    uint64_t value = 0;
    bool truth = false;

    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_bytes(&reader, 100, &view), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_text(&reader, 100, &view), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_bool(&reader, &truth), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_null(&reader), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_tag(&reader, &value), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_array(&reader, 100, &value), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_map(&reader, 100, &value), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_read_fixed(&reader, fixed, sizeof(fixed)), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_expect_uint(&reader, 43), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_expect_text(&reader, "x"), SF_EFORMAT);
    sf_cbor_reader_init(&reader, number);
    CHECK_EQ(sf_cbor_expect_uint(&reader, 42), SF_OK);
    CHECK_EQ(sf_cbor_end(&reader), SF_OK);
    CHECK_EQ(sf_cbor_read_uint(&reader, UINT64_MAX, &value), SF_EFORMAT);
}

static void
test_int_limits(void)
{
    static const struct {
        const char *hex;
        int status;
        int64_t value;
    } samples[] = {
        {"00", SF_OK, 0},
        {"20", SF_OK, -1},
        {"1b7fffffffffffffff", SF_OK, INT64_MAX},
        {"3b7fffffffffffffff", SF_OK, INT64_MIN},
        {"1b8000000000000000", SF_ELIMIT, 5},
        {"3b8000000000000000", SF_ELIMIT, 5},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        uint8_t bytes[16];
        uint8_t again[16];
        size_t count = hex_decode(samples[i].hex, bytes, sizeof(bytes));
        struct sf_cbor_reader reader;
        struct sf_cbor_writer writer;
        int64_t value = 5;

        sf_cbor_reader_init(&reader, sf_view(bytes, count));
        CHECK_EQ(sf_cbor_read_int(&reader, &value), samples[i].status);
        CHECK_EQ(value, samples[i].value);
        if (samples[i].status == SF_OK) {
            sf_cbor_writer_init(&writer, again, sizeof(again));
            sf_cbor_write_int(&writer, value);
            CHECK(sf_view_equal(sf_view(again, writer.bytes), sf_view(bytes, count)));
        }
    }
}

/* An object with everything in it. */
static size_t
make_sample(uint8_t *out, size_t bytes_max)
{
    struct sf_cbor_writer writer;
    size_t bytes = 0;

    sf_cbor_writer_init(&writer, out, bytes_max);
    sf_cbor_write_tag(&writer, 1000);
    sf_cbor_write_map(&writer, 4);
    sf_cbor_write_uint(&writer, 1);
    sf_cbor_write_array(&writer, 3);
    sf_cbor_write_int(&writer, -500);
    sf_cbor_write_bool(&writer, true);
    sf_cbor_write_null(&writer);
    sf_cbor_write_uint(&writer, 300);
    sf_cbor_write_bytes(&writer, sf_view("0123456789012345678901234567890", 31));
    sf_cbor_write_text(&writer, "a");
    sf_cbor_write_map(&writer, 1);
    sf_cbor_write_text(&writer, "b");
    sf_cbor_write_array(&writer, 0);
    sf_cbor_write_text(&writer, "aa");
    sf_cbor_write_uint(&writer, UINT64_MAX);
    CHECK_EQ(sf_cbor_finish(&writer, &bytes), SF_OK);
    return bytes;
}

static void
test_truncations(void)
{
    uint8_t sample[BYTES_MAX];
    size_t bytes = make_sample(sample, sizeof(sample));

    CHECK_EQ(read_all(sf_view(sample, bytes)), SF_OK);
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *copy =
            malloc(cut == 0 ? 1 : cut); /* its own size: sanitizers see a read too far */

        REQUIRE(copy != NULL);
        memcpy(copy, sample, cut);
        CHECK_EQ(read_all(sf_view(copy, cut)), SF_EFORMAT);
        free(copy);
    }
}

static void
test_flips(void)
{
    uint8_t sample[BYTES_MAX];
    uint8_t again[BYTES_MAX];
    size_t bytes = make_sample(sample, sizeof(sample));

    for (size_t bit = 0; bit < bytes * 8; bit++) {
        size_t count = 0;
        int status;

        sample[bit / 8] = (uint8_t)(sample[bit / 8] ^ 1u << bit % 8);
        status = transcode(sf_view(sample, bytes), again, &count);
        CHECK(status == SF_OK || status == SF_EFORMAT || status == SF_ELIMIT);
        if (status == SF_OK) {
            CHECK(sf_view_equal(sf_view(sample, bytes), sf_view(again, count)));
        }
        sample[bit / 8] = (uint8_t)(sample[bit / 8] ^ 1u << bit % 8);
    }
}

static void
test_junk(void)
{
    struct sf_prng prng;
    size_t accepted = 0;

    sf_prng_init(&prng, 1);
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t junk[24];
        uint8_t again[24];
        size_t count = 0;
        size_t bytes = 1 + (size_t)sf_prng_below(&prng, sizeof(junk));

        sf_prng_fill(&prng, junk, bytes);
        if (transcode(sf_view(junk, bytes), again, &count) == SF_OK) {
            accepted++;
            CHECK(sf_view_equal(sf_view(junk, bytes), sf_view(again, count)));
        }
    }
    CHECK(accepted > 100);
}

static void
test_items(void)
{
    uint8_t bytes[BYTES_MAX];
    size_t count = hex_decode("83 82010241ff a1008101 05", bytes, sizeof(bytes));
    struct sf_cbor_reader reader;
    struct sf_view item = {NULL, 0};
    uint64_t value = 0;

    sf_cbor_reader_init(&reader, sf_view(bytes, count));
    CHECK_EQ(sf_cbor_expect_array(&reader, 3), SF_OK);
    CHECK_EQ(sf_cbor_read_item(&reader, &item), SF_OK);
    CHECK(sf_view_equal(item, sf_view(bytes + 1, 3)));
    CHECK_EQ(sf_cbor_read_item(&reader, &item), SF_OK);
    CHECK(sf_view_equal(item, sf_view(bytes + 4, 2)));
    CHECK_EQ(sf_cbor_peek(&reader), SF_CBOR_MAP);
    CHECK_EQ(sf_cbor_read_item(&reader, NULL), SF_OK);
    CHECK_EQ(sf_cbor_end(&reader), SF_EFORMAT); /* a fourth item stands behind the three */
    CHECK_EQ(sf_cbor_read_uint(&reader, 9, &value), SF_EFORMAT);
}

static void
test_writer_overflow(void)
{
    uint8_t sample[BYTES_MAX];
    uint8_t tight[BYTES_MAX];
    size_t bytes = make_sample(sample, sizeof(sample));
    struct sf_cbor_writer writer;
    size_t count = 77;

    for (size_t room = 0; room < 40; room++) {
        memset(tight, 0xee, sizeof(tight));
        sf_cbor_writer_init(&writer, tight, room);
        sf_cbor_write_bytes(&writer, sf_view(sample, 38));
        sf_cbor_write_uint(&writer, 1);
        CHECK_EQ(sf_cbor_finish(&writer, &count), room < 41 ? SF_ELIMIT : SF_OK);
        CHECK_EQ(count, 77);
        CHECK_EQ(tight[room], 0xee);
    }
    sf_cbor_writer_init(&writer, tight, sizeof(tight));
    CHECK(sf_cbor_write_space(&writer, SIZE_MAX) == NULL);
    CHECK_EQ(sf_cbor_finish(&writer, &count), SF_ELIMIT);
    sf_cbor_writer_init(&writer, tight, sizeof(tight));
    sf_cbor_write_raw(&writer, sf_view(sample, bytes));
    CHECK_EQ(sf_cbor_finish(&writer, &count), SF_OK);
    CHECK_EQ(count, bytes);
}

static void
test_counting(void)
{
    uint8_t sample[BYTES_MAX];
    size_t bytes = make_sample(sample, sizeof(sample));

    CHECK_EQ(make_sample(NULL, SIZE_MAX), bytes);
    CHECK_EQ(sf_cbor_head_bytes(23), 1);
    CHECK_EQ(sf_cbor_head_bytes(24), 2);
    CHECK_EQ(sf_cbor_head_bytes(256), 3);
    CHECK_EQ(sf_cbor_head_bytes(65536), 5);
    CHECK_EQ(sf_cbor_head_bytes(UINT64_C(1) << 32), 9);
}

CHECK_MAIN("cbor", {"every deterministic item is accepted", test_good},
    {"a number not in its shortest form is refused", test_not_shortest},
    {"map keys out of order, twice or not plain are refused", test_keys},
    {"indefinite lengths are refused", test_indefinite},
    {"floats, undefined, simple values and bad text are refused", test_unwanted},
    {"bytes behind the item, or missing from it, are refused", test_trailing},
    {"nesting has a limit", test_depth},
    {"a head that claims too much takes no memory", test_bombs},
    {"values, lengths and counts beyond a limit are refused and stick", test_limits},
    {"an item of another type is refused", test_types},
    {"signed integers stop at 64 bits", test_int_limits},
    {"no truncation of a sample is accepted", test_truncations},
    {"a flipped bit is refused or gives another deterministic item", test_flips},
    {"junk is refused or deterministic", test_junk}, {"an item can be taken whole", test_items},
    {"the writer never writes past its room and says so", test_writer_overflow},
    {"the writer counts without a buffer", test_counting})
