/*
 * test_frame.c - frame codecs.
 */
#include "base/prng.h"
#include "bundle/frame.h"
#include "tests/unit/check.h"

#include <lz4.h>

enum { GUARD_BYTES = 64 };

static uint8_t plain[SF_FRAME_BYTES_MAX];
static uint8_t scratch[SF_FRAME_BYTES_MAX + GUARD_BYTES];
static uint8_t decoded[SF_FRAME_BYTES_MAX + GUARD_BYTES];

/* Encode and decode plain[0..bytes), check that it comes back, and return the codec. */
static enum sf_codec
round_trip(size_t bytes, size_t *ret_coded)
{
    struct sf_view coded = {NULL, 0};
    enum sf_codec codec = SF_CODEC_RAW;

    memset(scratch + bytes, 0xa5, GUARD_BYTES);
    memset(decoded, 0x5a, bytes + GUARD_BYTES);
    sf_frame_encode(sf_view(plain, bytes), scratch, &codec, &coded);
    CHECK(coded.bytes <= bytes);
    CHECK_EQ(sf_frame_decode(codec, coded, decoded, bytes), SF_OK);
    CHECK_BYTES(decoded, plain, bytes);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        CHECK_EQ(scratch[bytes + i], 0xa5);
        CHECK_EQ(decoded[bytes + i], 0x5a);
    }
    *ret_coded = coded.bytes;
    return codec;
}

static void
fill_text(size_t bytes)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog ";

    for (size_t i = 0; i < bytes; i++) {
        plain[i] = (uint8_t)((size_t)text[i % 44] + i / 4400 % 3);
    }
}

static void
test_zero(void)
{
    size_t coded = 1;

    memset(plain, 0, sizeof(plain));
    CHECK_EQ(round_trip(1, &coded), SF_CODEC_ZERO);
    CHECK_EQ(coded, 0);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_ZERO);
    CHECK_EQ(coded, 0);
    plain[SF_FRAME_BYTES_MAX - 1] = 1;
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_LZ4);
    CHECK(coded < 8192);
}

static void
test_raw(void)
{
    struct sf_prng prng;
    size_t coded = 0;

    sf_prng_init(&prng, 7);
    sf_prng_fill(&prng, plain, sizeof(plain));
    CHECK_EQ(round_trip(1, &coded), SF_CODEC_RAW);
    CHECK_EQ(round_trip(100, &coded), SF_CODEC_RAW);
    CHECK_EQ(round_trip(16384, &coded), SF_CODEC_RAW);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_RAW);
    CHECK_EQ(coded, SF_FRAME_BYTES_MAX);
}

static void
test_lz4(void)
{
    size_t coded = 0;

    fill_text(sizeof(plain));
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_LZ4);
    CHECK(coded < SF_FRAME_BYTES_MAX / 20);
    CHECK_EQ(round_trip(4096, &coded), SF_CODEC_LZ4);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX - 1, &coded), SF_CODEC_LZ4);
}

/* The probe must not overlook a frame of which only a half, or a quarter, can be compressed. */
static void
test_mixed(void)
{
    struct sf_prng prng;
    size_t coded = 0;

    sf_prng_init(&prng, 8);
    fill_text(sizeof(plain));
    sf_prng_fill(&prng, plain, SF_FRAME_BYTES_MAX / 2);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_LZ4);
    CHECK(coded < SF_FRAME_BYTES_MAX * 6 / 10);
    fill_text(sizeof(plain));
    sf_prng_fill(&prng, plain + SF_FRAME_BYTES_MAX / 4, SF_FRAME_BYTES_MAX / 4 * 3);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_LZ4);
}

static void
test_small_gain(void)
{
    struct sf_prng prng;
    size_t coded = 0;

    /* One repetition in 16 KiB saves some bytes, but not one in 64. */
    sf_prng_init(&prng, 9);
    sf_prng_fill(&prng, plain, 16384);
    memcpy(plain + 8000, plain + 100, 120);
    CHECK_EQ(round_trip(16384, &coded), SF_CODEC_RAW);
}

static void
test_all_lengths(void)
{
    size_t coded = 0;

    for (size_t bytes = 1; bytes <= 600; bytes++) {
        fill_text(bytes);
        (void)round_trip(bytes, &coded);
        memset(plain, 'x', bytes);
        (void)round_trip(bytes, &coded);
    }
}

static void
test_repeats(void)
{
    static uint8_t other[SF_FRAME_BYTES_MAX];
    enum sf_codec codecs[2] = {SF_CODEC_RAW, SF_CODEC_RAW};
    struct sf_view coded[2] = {{NULL, 0}, {NULL, 0}};

    fill_text(sizeof(plain));
    sf_frame_encode(sf_view(plain, sizeof(plain)), scratch, &codecs[0], &coded[0]);
    sf_frame_encode(sf_view(plain, sizeof(plain)), other, &codecs[1], &coded[1]);
    CHECK_EQ(codecs[0], codecs[1]);
    CHECK(sf_view_equal(coded[0], coded[1]));
}

static void
test_bad_zero_and_raw(void)
{
    memset(plain, 1, 100);
    CHECK_EQ(sf_frame_decode(SF_CODEC_ZERO, sf_view(plain, 1), decoded, 100), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_RAW, sf_view(plain, 99), decoded, 100), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_RAW, sf_view(plain, 101), decoded, 100), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(3, sf_view(plain, 100), decoded, 100), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(UINT32_MAX, sf_view(plain, 100), decoded, 100), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_ZERO, sf_view(plain, 0), decoded, 0), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_RAW, sf_view(plain, 0), decoded, 0), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_ZERO, sf_view(plain, 0), decoded, SF_FRAME_BYTES_MAX + 1),
        SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_LZ4, sf_view(plain, 0), decoded, 100), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_LZ4, sf_view(plain, 100), decoded, 100), SF_EFORMAT);
}

/* A block that would give more, or less, than its frame, into memory of exactly its frame. */
static void
test_lz4_wrong_length(void)
{
    struct sf_view coded = {NULL, 0};
    enum sf_codec codec = SF_CODEC_RAW;

    fill_text(4096);
    sf_frame_encode(sf_view(plain, 4096), scratch, &codec, &coded);
    REQUIRE_EQ(codec, SF_CODEC_LZ4);
    for (size_t bytes = coded.bytes + 1; bytes < 4200; bytes++) {
        uint8_t *out = malloc(bytes);

        REQUIRE(out != NULL);
        CHECK_EQ(
            sf_frame_decode(SF_CODEC_LZ4, coded, out, bytes), bytes == 4096 ? SF_OK : SF_EFORMAT);
        free(out);
    }
}

static void
test_lz4_damaged(void)
{
    struct sf_view coded = {NULL, 0};
    enum sf_codec codec = SF_CODEC_RAW;
    uint8_t *out = malloc(2048);

    REQUIRE(out != NULL);
    fill_text(2048);
    sf_frame_encode(sf_view(plain, 2048), scratch, &codec, &coded);
    REQUIRE_EQ(codec, SF_CODEC_LZ4);
    for (size_t cut = 0; cut < coded.bytes; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);

        REQUIRE(copy != NULL);
        memcpy(copy, coded.data, cut);
        CHECK_EQ(sf_frame_decode(SF_CODEC_LZ4, sf_view(copy, cut), out, 2048), SF_EFORMAT);
        free(copy);
    }
    for (size_t bit = 0; bit < coded.bytes * 8; bit++) {
        int status;

        scratch[bit / 8] = (uint8_t)(scratch[bit / 8] ^ 1u << bit % 8);
        status = sf_frame_decode(SF_CODEC_LZ4, coded, out, 2048);
        CHECK(status == SF_OK || status == SF_EFORMAT);
        scratch[bit / 8] = (uint8_t)(scratch[bit / 8] ^ 1u << bit % 8);
    }
    free(out);
}

/* liblz4 takes this and copies what was in the output before. */
static void
test_lz4_distance_zero(void)
{
    static const uint8_t zero[] = {0x1f, 'a', 0, 0, 0, 0x50, 'a', 'a', 'a', 'a', 'a'};
    static const uint8_t one[] = {0x1f, 'a', 1, 0, 0, 0x50, 'a', 'a', 'a', 'a', 'a'};
    static const uint8_t two[] = {0x1f, 'a', 2, 0, 0, 0x50, 'a', 'a', 'a', 'a', 'a'};

    CHECK_EQ(sf_frame_decode(SF_CODEC_LZ4, sf_view(zero, sizeof(zero)), decoded, 25), SF_EFORMAT);
    CHECK_EQ(sf_frame_decode(SF_CODEC_LZ4, sf_view(one, sizeof(one)), decoded, 25), SF_OK);
    CHECK_EQ(sf_frame_decode(SF_CODEC_LZ4, sf_view(two, sizeof(two)), decoded, 25), SF_EFORMAT);
}

static void
test_lz4_junk(void)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 10);
    for (unsigned i = 0; i < 100000; i++) {
        size_t plain_bytes = 2 + (size_t)sf_prng_below(&prng, 300);
        size_t coded_bytes = 1 + (size_t)sf_prng_below(&prng, plain_bytes - 1);
        uint8_t *out = malloc(plain_bytes);
        int status;

        REQUIRE(out != NULL);
        sf_prng_fill(&prng, scratch, coded_bytes);
        status = sf_frame_decode(SF_CODEC_LZ4, sf_view(scratch, coded_bytes), out, plain_bytes);
        CHECK(status == SF_OK || status == SF_EFORMAT);
        free(out);
    }
}

CHECK_MAIN("frame", {"a frame of zeros takes no bytes", test_zero},
    {"what cannot be compressed stays as it is", test_raw},
    {"what can be compressed becomes an LZ4 block", test_lz4},
    {"a frame compressible in part is not overlooked", test_mixed},
    {"a gain too small to matter is not taken", test_small_gain},
    {"every length comes back", test_all_lengths},
    {"the same plaintext gives the same bytes", test_repeats},
    {"codecs and lengths that contradict each other are refused", test_bad_zero_and_raw},
    {"an LZ4 block must give its frame exactly and never more", test_lz4_wrong_length},
    {"a damaged LZ4 block stays within its frame", test_lz4_damaged},
    {"an LZ4 match at distance zero is refused", test_lz4_distance_zero},
    {"junk as an LZ4 block stays within its frame", test_lz4_junk})
