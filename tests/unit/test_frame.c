/*
 * test_frame.c - frame codecs.
 */
#include "base/prng.h"
#include "bundle/frame.h"
#include "tests/unit/check.h"

#include <lz4.h>
#include <zstd.h>

enum { GUARD_BYTES = 64 };

static struct sf_coder *coder;

static uint8_t plain[SF_FRAME_BYTES_MAX];
static uint8_t scratch[SF_FRAME_BYTES_MAX + GUARD_BYTES];
static uint8_t decoded[SF_FRAME_BYTES_MAX + GUARD_BYTES];

static int
decode(unsigned codec, struct sf_view bytes, uint8_t *out, size_t plain_bytes)
{
    struct sf_coded coded = {(enum sf_codec)codec, bytes};

    return sf_frame_decode(coder, &coded, out, plain_bytes);
}

/* Encode and decode plain[0..bytes), check that it comes back, and return what it became. */
static struct sf_coded
round_trip_as(enum sf_element element, uint8_t lead, size_t bytes)
{
    struct sf_frame frame = {sf_view(plain, bytes), element, lead};
    struct sf_coded coded = {SF_CODEC_RAW, {NULL, 0}};

    if (coder == NULL) {
        REQUIRE_EQ(sf_coder_open(&coder), SF_OK);
    }
    memset(scratch + bytes, 0xa5, GUARD_BYTES);
    memset(decoded, 0x5a, bytes + GUARD_BYTES);
    sf_frame_encode(coder, &frame, scratch, &coded);
    CHECK(coded.bytes.bytes <= bytes);
    CHECK_EQ(sf_frame_decode(coder, &coded, decoded, bytes), SF_OK);
    CHECK_BYTES(decoded, plain, bytes);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        CHECK_EQ(scratch[bytes + i], 0xa5);
        CHECK_EQ(decoded[bytes + i], 0x5a);
    }
    return coded;
}

static enum sf_codec
round_trip(size_t bytes, size_t *ret_coded)
{
    struct sf_coded coded = round_trip_as(SF_ELEMENT_OPAQUE, 0, bytes);

    *ret_coded = coded.bytes.bytes;
    return coded.codec;
}

static void
fill_text(size_t bytes)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog ";

    for (size_t i = 0; i < bytes; i++) {
        plain[i] = (uint8_t)((size_t)text[i % 44] + i / 4400 % 3);
    }
}

/* An LZ4 block of `bytes` bytes of text, which then stand in `plain`. */
static struct sf_view
lz4_of_text(size_t bytes)
{
    int coded;

    fill_text(bytes);
    coded = LZ4_compress_default(
        (const char *)plain, (char *)scratch, (int)bytes, (int)sizeof(scratch));
    REQUIRE(coded > 0);
    return sf_view(scratch, (size_t)coded);
}

/* Numbers as weights are: small, of either sign, drawn from a bell. */
static float
draw_weight(struct sf_prng *prng)
{
    int32_t sum = 0;

    for (unsigned i = 0; i < 12; i++) {
        sum += (int32_t)sf_prng_below(prng, 1 << 20);
    }
    return (float)(sum - (6 << 20)) / (float)(1 << 20) * 0.02F;
}

/* Fill plain[0..bytes) with weights, `width` bytes each: 4 fp32, 2 bf16. */
static void
fill_weights(size_t bytes, size_t width, uint64_t seed)
{
    struct sf_prng prng;

    sf_prng_init(&prng, seed);
    for (size_t i = 0; i + width <= bytes; i += width) {
        float weight = draw_weight(&prng);
        uint32_t bits;

        memcpy(&bits, &weight, sizeof(bits));
        for (size_t k = 0; k < width; k++) {
            plain[i + k] = (uint8_t)(bits >> 8 * (4 - width + k));
        }
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
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_ZSTD);
    CHECK(coded < 256);
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
test_matches(void)
{
    size_t coded = 0;

    fill_text(sizeof(plain));
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_ZSTD);
    CHECK(coded < SF_FRAME_BYTES_MAX / 20);
    CHECK_EQ(round_trip(4096, &coded), SF_CODEC_ZSTD);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX - 1, &coded), SF_CODEC_ZSTD);
    /* Too short for the head of a zstd frame to pay. */
    memset(plain, 'x', 100);
    memcpy(plain, "head", 4);
    CHECK_EQ(round_trip(20, &coded), SF_CODEC_LZ4);
}

/* bf16 at 16 bits, of which a bell's exponents take 2.6: 65 to 67 of 100 bytes. */
static void
test_weights(void)
{
    struct sf_coded coded;
    size_t bytes = 0;

    fill_weights(sizeof(plain), 2, 21);
    coded = round_trip_as(SF_ELEMENT_BF16, 0, sizeof(plain));
    CHECK_EQ(coded.codec, SF_CODEC_PLANES);
    CHECK(coded.bytes.bytes < SF_FRAME_BYTES_MAX / 1000 * 675);
    /* Without being told, and from any byte on: the width, the place and the rotation are found. */
    CHECK_EQ(round_trip(sizeof(plain), &bytes), SF_CODEC_PLANES);
    CHECK_EQ(bytes, coded.bytes.bytes);
    memmove(plain + 1, plain, sizeof(plain) - 1);
    CHECK_EQ(round_trip(sizeof(plain), &bytes), SF_CODEC_PLANES);
    CHECK(bytes < coded.bytes.bytes + 64);

    fill_weights(sizeof(plain), 4, 22);
    coded = round_trip_as(SF_ELEMENT_FP32, 0, sizeof(plain));
    CHECK_EQ(coded.codec, SF_CODEC_PLANES);
    CHECK(coded.bytes.bytes < SF_FRAME_BYTES_MAX / 1000 * 845);
    CHECK_EQ(round_trip(sizeof(plain), &bytes), SF_CODEC_PLANES);
    CHECK(bytes < coded.bytes.bytes + 64);
}

/* What the header of a file says may be wrong, in type, in place or altogether. */
static void
test_wrong_types(void)
{
    struct sf_prng prng;

    for (int e = 0; e < SF_ELEMENTS; e++) {
        fill_weights(100000, 2, 23);
        (void)round_trip_as((enum sf_element)e, 3, 99999);
        CHECK_EQ(round_trip_as((enum sf_element)e, 0, 100000).codec, SF_CODEC_PLANES);
        fill_text(100000);
        (void)round_trip_as((enum sf_element)e, 255, 77777);
        sf_prng_init(&prng, 24);
        sf_prng_fill(&prng, plain, 100000);
        CHECK_EQ(round_trip_as((enum sf_element)e, 0, 100000).codec, SF_CODEC_RAW);
        for (size_t bytes = 1; bytes < 300; bytes += 7) {
            (void)round_trip_as((enum sf_element)e, 0, bytes);
            (void)round_trip_as((enum sf_element)e, 255, bytes);
        }
    }
}

/* Weights that were only widened: two planes of zeros cost nothing. */
static void
test_widened_numbers(void)
{
    struct sf_coded coded;

    fill_weights(sizeof(plain), 4, 25);
    for (size_t i = 0; i < sizeof(plain); i += 4) {
        plain[i] = plain[i + 1] = 0;
    }
    coded = round_trip_as(SF_ELEMENT_FP32, 0, sizeof(plain));
    CHECK_EQ(coded.codec, SF_CODEC_PLANES);
    CHECK(coded.bytes.bytes < SF_FRAME_BYTES_MAX / 1000 * 340);
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
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_ZSTD);
    CHECK(coded < SF_FRAME_BYTES_MAX * 6 / 10);
    fill_text(sizeof(plain));
    sf_prng_fill(&prng, plain + SF_FRAME_BYTES_MAX / 4, SF_FRAME_BYTES_MAX / 4 * 3);
    CHECK_EQ(round_trip(SF_FRAME_BYTES_MAX, &coded), SF_CODEC_ZSTD);
}

static void
test_small_gain(void)
{
    struct sf_prng prng;
    size_t coded = 0;

    /* One repetition in 16 KiB saves some bytes, but not one in 128. */
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

/* Also on a coder that has seen other frames, and on another one. */
static void
test_repeats(void)
{
    static uint8_t other[SF_FRAME_BYTES_MAX];
    struct sf_frame frame = {.plain = sf_view(plain, sizeof(plain))};
    struct sf_coded coded[2] = {{SF_CODEC_RAW, {NULL, 0}}, {SF_CODEC_RAW, {NULL, 0}}};
    struct sf_coder *fresh = NULL;

    REQUIRE_EQ(sf_coder_open(&fresh), SF_OK);
    for (unsigned i = 0; i < 2; i++) {
        fill_text(sizeof(plain));
        if (i == 1) {
            fill_weights(sizeof(plain), 2, 26);
        }
        sf_frame_encode(coder, &frame, scratch, &coded[0]);
        sf_frame_encode(fresh, &frame, other, &coded[1]);
        CHECK_EQ(coded[0].codec, coded[1].codec);
        CHECK(sf_view_equal(coded[0].bytes, coded[1].bytes));
    }
    sf_coder_close(fresh);
}

static void
test_bad_zero_and_raw(void)
{
    memset(plain, 1, 100);
    CHECK_EQ(decode(SF_CODEC_ZERO, sf_view(plain, 1), decoded, 100), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_RAW, sf_view(plain, 99), decoded, 100), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_RAW, sf_view(plain, 101), decoded, 100), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODECS, sf_view(plain, 100), decoded, 100), SF_EFORMAT);
    CHECK_EQ(decode(UINT32_MAX, sf_view(plain, 100), decoded, 100), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_ZERO, sf_view(plain, 0), decoded, 0), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_RAW, sf_view(plain, 0), decoded, 0), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_ZERO, sf_view(plain, 0), decoded, SF_FRAME_BYTES_MAX + 1), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_LZ4, sf_view(plain, 0), decoded, 100), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_LZ4, sf_view(plain, 100), decoded, 100), SF_EFORMAT);
}

/* A block that would give more, or less, than its frame, into memory of exactly its frame. */
static void
test_lz4_wrong_length(void)
{
    struct sf_view coded = lz4_of_text(4096);

    for (size_t bytes = coded.bytes + 1; bytes < 4200; bytes++) {
        uint8_t *out = malloc(bytes);

        REQUIRE(out != NULL);
        CHECK_EQ(decode(SF_CODEC_LZ4, coded, out, bytes), bytes == 4096 ? SF_OK : SF_EFORMAT);
        free(out);
    }
}

static void
test_lz4_damaged(void)
{
    struct sf_view coded = lz4_of_text(2048);
    uint8_t *out = malloc(2048);

    REQUIRE(out != NULL);
    for (size_t cut = 0; cut < coded.bytes; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);

        REQUIRE(copy != NULL);
        memcpy(copy, coded.data, cut);
        CHECK_EQ(decode(SF_CODEC_LZ4, sf_view(copy, cut), out, 2048), SF_EFORMAT);
        free(copy);
    }
    for (size_t bit = 0; bit < coded.bytes * 8; bit++) {
        int status;

        scratch[bit / 8] = (uint8_t)(scratch[bit / 8] ^ 1u << bit % 8);
        status = decode(SF_CODEC_LZ4, coded, out, 2048);
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

    CHECK_EQ(decode(SF_CODEC_LZ4, sf_view(zero, sizeof(zero)), decoded, 25), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_LZ4, sf_view(one, sizeof(one)), decoded, 25), SF_OK);
    CHECK_EQ(decode(SF_CODEC_LZ4, sf_view(two, sizeof(two)), decoded, 25), SF_EFORMAT);
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
        status = decode(SF_CODEC_LZ4, sf_view(scratch, coded_bytes), out, plain_bytes);
        CHECK(status == SF_OK || status == SF_EFORMAT);
        free(out);
    }
}

/* --- zstd and planes from anybody ------------------------------------------------------ */

/* Every cut and every flipped bit of `coded`, into memory of exactly its frame. */
static void
damage(enum sf_codec codec, struct sf_view coded, size_t plain_bytes)
{
    uint8_t *out = malloc(plain_bytes);
    uint8_t *copy = malloc(coded.bytes);

    REQUIRE(out != NULL && copy != NULL);
    for (size_t cut = 0; cut < coded.bytes; cut++) {
        uint8_t *shorter = malloc(cut == 0 ? 1 : cut);

        REQUIRE(shorter != NULL);
        memcpy(shorter, coded.data, cut);
        CHECK_EQ(decode(codec, sf_view(shorter, cut), out, plain_bytes), SF_EFORMAT);
        free(shorter);
    }
    for (size_t bit = 0; bit < coded.bytes * 8; bit++) {
        int status;

        memcpy(copy, coded.data, coded.bytes);
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1u << bit % 8);
        status = decode(codec, sf_view(copy, coded.bytes), out, plain_bytes);
        CHECK(status == SF_OK || status == SF_EFORMAT);
    }
    CHECK_EQ(decode(codec, coded, out, plain_bytes - 1), SF_EFORMAT);
    free(copy);
    free(out);
}

static void
test_damaged(void)
{
    struct sf_coded coded;

    fill_text(2000);
    damage(SF_CODEC_ZSTD,
        sf_view(scratch, sf_coder_zstd(coder, sf_view(plain, 2000), scratch, sizeof(scratch))),
        2000);
    fill_weights(3000, 2, 27);
    coded = round_trip_as(SF_ELEMENT_BF16, 5, 3000);
    REQUIRE_EQ(coded.codec, SF_CODEC_PLANES);
    damage(coded.codec, coded.bytes, 3000);
    memset(plain, 0, 3000);
    for (size_t i = 0; i < 3000; i += 18) {
        plain[i] = (uint8_t)i;
    }
    coded = round_trip_as(SF_ELEMENT_Q4_0, 0, 3000);
    REQUIRE_EQ(coded.codec, SF_CODEC_PLANES);
    damage(coded.codec, coded.bytes, 3000);
}

/* What libzstd itself would take, and a frame must not be. */
static void
test_zstd_strict(void)
{
    static uint8_t frames[4096];
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t bytes;

    REQUIRE(context != NULL);
    fill_text(1000);
    bytes = ZSTD_compress2(context, frames, sizeof(frames), plain, 1000);
    REQUIRE(!ZSTD_isError(bytes));
    CHECK_EQ(decode(SF_CODEC_ZSTD, sf_view(frames, bytes), decoded, 1000), SF_OK);
    /* A byte behind it; a second frame, of nothing; one that is skipped. */
    CHECK_EQ(decode(SF_CODEC_ZSTD, sf_view(frames, bytes + 1), decoded, 1000), SF_EFORMAT);
    memcpy(frames + bytes, "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00", 9);
    CHECK_EQ(decode(SF_CODEC_ZSTD, sf_view(frames, bytes + 9), decoded, 1000), SF_EFORMAT);
    memcpy(frames + bytes, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
    CHECK_EQ(decode(SF_CODEC_ZSTD, sf_view(frames, bytes + 8), decoded, 1000), SF_EFORMAT);
    /* With a checksum, and without its content size. */
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    bytes = ZSTD_compress2(context, frames, sizeof(frames), plain, 1000);
    CHECK_EQ(decode(SF_CODEC_ZSTD, sf_view(frames, bytes), decoded, 1000), SF_EFORMAT);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    bytes = ZSTD_compress2(context, frames, sizeof(frames), plain, 1000);
    CHECK_EQ(decode(SF_CODEC_ZSTD, sf_view(frames, bytes), decoded, 1000), SF_EFORMAT);
    (void)ZSTD_freeCCtx(context);
}

/* Three bytes of lead, then 20 elements of two columns: letters, and always an x. */
static const char planes_text[] = "ledaxbxcxdxexfxgxhxixjxkxlxmxnxoxpxqxrxsxtx";
static const uint8_t planes_head[] = {3, 2, 2, 1, 1, 0, 0, 0, 20, 1, 0, 0, 1};

static size_t
write_planes(uint8_t *out)
{
    memcpy(out, planes_head, sizeof(planes_head));
    memcpy(out + 13, "abcdefghijklmnopqrstxled", 24);
    return 37;
}

static void
test_planes_strict(void)
{
    static const struct {
        size_t at;
        uint8_t byte;
    } bad[] = {
        {0, 1},    /* another lead: 21 elements */
        {0, 255},  /* a lead longer than the frame */
        {1, 3},    /* a stride that is not the sum of the columns */
        {1, 0},    /* no stride */
        {2, 0},    /* no columns */
        {2, 1},    /* fewer columns than the stride */
        {2, 9},    /* more columns than there may be */
        {2, 0x7f}, /* and far more */
        {3, 0},    /* a column of nothing */
        {5, 3},    /* an unknown method */
        {5, 1},    /* one byte that all have, twenty times */
        {5, 2},    /* a zstd frame as long as its plane */
        {8, 21},   /* a plane longer than it can be */
        {8, 19},   /* and shorter */
        {6, 1},    /* far beyond the end */
        {9, 0},    /* a plane of one byte as it is */
        {9, 2},    /* a zstd frame of one byte */
        {12, 2},   /* two bytes that all have */
        {12, 0},   /* and none */
    };
    uint8_t coded[64] = {0};
    uint8_t out[43];
    size_t bytes = write_planes(coded);

    CHECK_EQ(decode(SF_CODEC_PLANES, sf_view(coded, bytes), out, 43), SF_OK);
    CHECK_BYTES(out, planes_text, 43);
    CHECK_EQ(decode(SF_CODEC_PLANES, sf_view(coded, bytes), out, 42), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_PLANES, sf_view(coded, bytes + 1), out, 43), SF_EFORMAT);
    CHECK_EQ(decode(SF_CODEC_PLANES, sf_view(coded, bytes - 1), out, 43), SF_EFORMAT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)write_planes(coded);
        coded[bad[i].at] = bad[i].byte;
        CHECK_EQ(decode(SF_CODEC_PLANES, sf_view(coded, bytes), out, 43), SF_EFORMAT);
    }
    /* Rotated: the letters are shifted, the x gives a bit and takes one. */
    (void)write_planes(coded);
    coded[2] = 0x82;
    CHECK_EQ(decode(SF_CODEC_PLANES, sf_view(coded, bytes), out, 43), SF_OK);
    CHECK_EQ(out[3], 'a' >> 1);
    CHECK_EQ(out[4], 'x' >> 1 | 0x80);
}

CHECK_MAIN("frame", {"a frame of zeros takes no bytes", test_zero},
    {"what cannot be compressed stays as it is", test_raw},
    {"what repeats itself becomes a zstd frame, or an LZ4 block if it is short", test_matches},
    {"weights become planes, and their width is found", test_weights},
    {"a type that is wrong costs bytes, not rightness", test_wrong_types},
    {"numbers that were only widened cost what they were", test_widened_numbers},
    {"a frame compressible in part is not overlooked", test_mixed},
    {"a gain too small to matter is not taken", test_small_gain},
    {"every length comes back", test_all_lengths},
    {"the same plaintext gives the same bytes", test_repeats},
    {"codecs and lengths that contradict each other are refused", test_bad_zero_and_raw},
    {"an LZ4 block must give its frame exactly and never more", test_lz4_wrong_length},
    {"a damaged LZ4 block stays within its frame", test_lz4_damaged},
    {"an LZ4 match at distance zero is refused", test_lz4_distance_zero},
    {"junk as an LZ4 block stays within its frame", test_lz4_junk},
    {"damaged zstd frames and planes stay within their frame", test_damaged},
    {"a zstd frame is one frame, with its size and nothing else", test_zstd_strict},
    {"planes that contradict their frame are refused", test_planes_strict})
