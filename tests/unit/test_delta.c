/*
 * test_delta.c - frames coded against a base, and where in it they are looked for.
 */
#include "base/prng.h"
#include "bundle/delta.h"
#include "bundle/match.h"
#include "tests/unit/check.h"

enum { GUARD_BYTES = 64 };

static struct sf_coder *coder;
static struct sf_hmac key;
static struct sf_prng prng;
static uint8_t plain[SF_FRAME_BYTES_MAX];
static uint8_t base[SF_FRAME_BYTES_MAX];
static uint8_t used[SF_FRAME_BYTES_MAX];
static uint8_t scratch[SF_FRAME_BYTES_MAX + GUARD_BYTES];
static uint8_t decoded[SF_FRAME_BYTES_MAX + GUARD_BYTES];

static void
setup(void)
{
    if (coder == NULL) {
        REQUIRE_EQ(sf_coder_open(&coder), SF_OK);
        sf_hmac_init(&key, sf_view("a key", 5));
    }
    sf_prng_init(&prng, 11);
}

/* bf16 or fp32 numbers of one size, as weights are. */
static void
fill_weights(size_t bytes, size_t width)
{
    for (size_t i = 0; i + width <= bytes; i += width) {
        float weight = ((float)sf_prng_below(&prng, 1 << 20) - (float)(1 << 19)) * 1e-7F;
        uint32_t bits;

        memcpy(&bits, &weight, sizeof(bits));
        for (size_t k = 0; k < width; k++) {
            plain[i + k] = (uint8_t)(bits >> 8 * (4 - width + k));
        }
    }
    memcpy(base, plain, bytes);
}

/* Move one number in `every` by a unit or two in its last place. */
static void
nudge(size_t bytes, size_t width, uint64_t every)
{
    for (size_t i = 0; i + width <= bytes; i += width) {
        if (sf_prng_below(&prng, every) == 0 && base[i] > 1 && base[i] < 254) {
            base[i] = (uint8_t)(base[i] + (sf_prng_below(&prng, 2) == 0 ? 1 : -1));
        }
    }
}

static int
decode(const struct sf_coded *coded, size_t bytes)
{
    struct sf_delta_base of = {&key, 77, base};

    return sf_delta_decode(coder, coded, &of, decoded, bytes);
}

/* Code plain[0..bytes) against base[0..bytes), check that it comes back, and return what it became. */
static struct sf_coded
round_trip(enum sf_element element, uint8_t lead, size_t bytes)
{
    struct sf_frame frame = {sf_view(plain, bytes), element, lead};
    struct sf_delta_base of = {&key, 77, used};
    struct sf_coded coded = {SF_CODEC_RAW, {NULL, 0}};
    struct sf_reference reference = {0};

    setup();
    memcpy(used, base, bytes);
    memset(scratch + bytes, 0xa5, GUARD_BYTES);
    memset(decoded, 0x5a, bytes + GUARD_BYTES);
    sf_delta_encode(coder, &frame, &of, scratch, &coded);
    CHECK(coded.bytes.bytes <= bytes);
    if (sf_codec_has_base(coded.codec)) {
        CHECK_EQ(sf_reference_decode(&coded, &reference), SF_OK);
        CHECK_EQ(reference.offset, 77);
        CHECK_EQ(decode(&coded, bytes), SF_OK);
    } else {
        CHECK_EQ(sf_reference_decode(&coded, &reference), SF_EFORMAT);
        CHECK_EQ(sf_frame_decode(coder, &coded, decoded, bytes), SF_OK);
    }
    CHECK_BYTES(decoded, plain, bytes);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        CHECK_EQ(scratch[bytes + i], 0xa5);
        CHECK_EQ(decoded[bytes + i], 0x5a);
    }
    return coded;
}

/* --- Coding ------------------------------------------------------------------------------ */

static void
test_same(void)
{
    struct sf_coded coded;

    setup();
    fill_weights(sizeof(plain), 2);
    coded = round_trip(SF_ELEMENT_BF16, 0, sizeof(plain));
    CHECK_EQ(coded.codec, SF_CODEC_SAME);
    CHECK_EQ(coded.bytes.bytes, SF_REFERENCE_BYTES);
    CHECK_EQ(round_trip(SF_ELEMENT_OPAQUE, 0, 25).codec, SF_CODEC_SAME);
    /* Not longer than a reference: it stays what it is. */
    CHECK_EQ(round_trip(SF_ELEMENT_OPAQUE, 0, 24).codec, SF_CODEC_RAW);
    memset(plain, 0, 4096);
    memset(base, 0, 4096);
    CHECK_EQ(round_trip(SF_ELEMENT_BF16, 0, 4096).codec, SF_CODEC_ZERO);
}

static void
test_few_changes(void)
{
    struct sf_coded coded;

    setup();
    fill_weights(sizeof(plain), 2);
    nudge(sizeof(plain), 2, 83);
    coded = round_trip(SF_ELEMENT_BF16, 0, sizeof(plain));
    CHECK_EQ(coded.codec, SF_CODEC_PATCH);
    /* 1.2 % of the numbers, 0.8 % of the bytes. */
    CHECK(coded.bytes.bytes < sizeof(plain) * 8 / 1000);
    CHECK_EQ(round_trip(SF_ELEMENT_OPAQUE, 0, sizeof(plain)).codec, SF_CODEC_PATCH);
}

static void
test_one_change(void)
{
    setup();
    fill_weights(65536, 4);
    for (size_t at = 0; at < 65536; at += 65535) {
        uint8_t was = base[at];

        base[at] ^= 0x55;
        CHECK(round_trip(SF_ELEMENT_FP32, 0, 65536).bytes.bytes < 100);
        CHECK(round_trip(SF_ELEMENT_FP32, 3, 65536).bytes.bytes < 100);
        base[at] = was;
    }
}

static void
test_all_changed(void)
{
    struct sf_coded coded;
    struct sf_frame frame = {sf_view(plain, sizeof(plain)), SF_ELEMENT_BF16, 0};
    size_t alone;

    setup();
    fill_weights(sizeof(plain), 2);
    nudge(sizeof(plain), 2, 2);
    sf_frame_encode(coder, &frame, scratch, &coded);
    alone = coded.bytes.bytes;
    coded = round_trip(SF_ELEMENT_BF16, 0, sizeof(plain));
    CHECK_EQ(coded.codec, SF_CODEC_DIFFERENCE);
    CHECK(coded.bytes.bytes < alone / 3);
}

static void
test_nothing_in_common(void)
{
    setup();
    fill_weights(sizeof(plain), 2);
    sf_prng_fill(&prng, base, sizeof(base));
    CHECK_EQ(round_trip(SF_ELEMENT_BF16, 0, sizeof(plain)).codec, SF_CODEC_PLANES);
    sf_prng_fill(&prng, plain, sizeof(plain));
    CHECK_EQ(round_trip(SF_ELEMENT_OPAQUE, 0, sizeof(plain)).codec, SF_CODEC_RAW);
}

/* Never more bytes than without the base, whatever is said about the frame. */
static void
test_every_type_and_length(void)
{
    static const size_t lengths[] = {1, 2, 23, 24, 25, 26, 27, 60, 63, 64, 65, 511, 4097, 20001};

    setup();
    for (unsigned element = 0; element < SF_ELEMENTS; element++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            for (unsigned every = 1; every <= 300; every *= 17) {
                struct sf_frame frame = {sf_view(plain, lengths[i]), (enum sf_element)element,
                    (uint8_t)sf_prng_below(&prng, 20)};
                struct sf_coded coded;
                size_t alone;

                fill_weights(lengths[i], 2);
                nudge(lengths[i], 2, every);
                sf_frame_encode(coder, &frame, scratch, &coded);
                alone = coded.bytes.bytes;
                coded = round_trip(frame.element, frame.lead, lengths[i]);
                CHECK(coded.bytes.bytes <= alone || coded.codec == SF_CODEC_SAME);
            }
        }
    }
}

static void
test_extremes(void)
{
    static const uint64_t numbers[] = {0, 1, UINT64_C(0x7fffffffffffffff),
        UINT64_C(0x8000000000000000), UINT64_MAX, UINT64_C(0x00000000ffffffff)};
    size_t at = 0;

    setup();
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 6; k++) {
            for (unsigned n = 0; n < 8; n++, at++) {
                plain[at] = (uint8_t)(numbers[i] >> 8 * n);
                base[at] = (uint8_t)(numbers[k] >> 8 * n);
            }
        }
    }
    memset(plain + at, 3, 8192);
    memset(base + at, 3, 8192);
    (void)round_trip(SF_ELEMENT_INT64, 0, at + 8192);
    (void)round_trip(SF_ELEMENT_INT32, 0, at + 8192);
    (void)round_trip(SF_ELEMENT_INT16, 1, at + 8192);
    (void)round_trip(SF_ELEMENT_INT8, 7, at + 8192);
    (void)round_trip(SF_ELEMENT_Q4_K, 0, at + 8192);
}

/* --- Decoding what is not right -------------------------------------------------------------- */

static void
test_another_base(void)
{
    struct sf_coded coded;

    setup();
    fill_weights(8192, 2);
    coded = round_trip(SF_ELEMENT_BF16, 0, 8192);
    base[8191] ^= 1;
    CHECK_EQ(decode(&coded, 8192), SF_EAUTH);
    coded = round_trip(SF_ELEMENT_BF16, 0, 8192);
    CHECK(sf_codec_has_base(coded.codec));
    base[0] ^= 1;
    CHECK_EQ(decode(&coded, 8192), SF_EAUTH);
}

/* Every bit of a patch and of a difference, changed: refused, or it stays within its frame. */
static void
test_damaged(void)
{
    static uint8_t copy[SF_FRAME_BYTES_MAX];

    setup();
    for (unsigned every = 2; every <= 60; every += 58) {
        struct sf_coded coded;
        struct sf_coded bad;

        fill_weights(3001, 2);
        nudge(3001, 2, every);
        coded = round_trip(SF_ELEMENT_BF16, 1, 3001);
        CHECK_EQ(coded.codec, every == 2 ? SF_CODEC_DIFFERENCE : SF_CODEC_PATCH);
        memcpy(copy, coded.bytes.data, coded.bytes.bytes);
        bad = (struct sf_coded){coded.codec, sf_view(copy, coded.bytes.bytes)};
        for (size_t bit = 0; bit < 8 * coded.bytes.bytes; bit++) {
            int status;

            copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
            memset(decoded + 3001, 0x5a, GUARD_BYTES);
            status = decode(&bad, 3001);
            CHECK(status == SF_OK || status == SF_EFORMAT || status == SF_EAUTH);
            /* The offset is not what the digest speaks for; the caller has read there. */
            CHECK(bit / 8 < 8 || bit / 8 >= SF_REFERENCE_BYTES || status == SF_EAUTH);
            for (size_t i = 0; i < GUARD_BYTES; i++) {
                CHECK_EQ(decoded[3001 + i], 0x5a);
            }
            copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        for (size_t bytes = 0; bytes < coded.bytes.bytes; bytes++) {
            bad.bytes.bytes = bytes;
            CHECK(decode(&bad, 3001) != SF_OK);
        }
    }
}

/* --- Where it is looked for -------------------------------------------------------------------- */

static bool
find(struct sf_match *match, uint64_t offset, uint32_t bytes, uint64_t *ret_offset)
{
    struct sf_layout_frame frame = {offset, bytes, SF_ELEMENT_BF16, 0};

    *ret_offset = 0;
    return sf_match_find(match, &frame, ret_offset);
}

static void
test_match_names(void)
{
    static const struct sf_tensor now[] = {{200, 1000, SF_ELEMENT_BF16, 7},
        {1200, 500, SF_ELEMENT_BF16, 8}, {1700, 300, SF_ELEMENT_BF16, 9},
        {2000, 100, SF_ELEMENT_BF16, 10}, {2100, 50, SF_ELEMENT_BF16, 11}};
    static const struct sf_tensor before[] = {{100, 500, SF_ELEMENT_BF16, 8},
        {600, 1000, SF_ELEMENT_BF16, 7}, {1600, 300, SF_ELEMENT_FP32, 9},
        {1900, 100, SF_ELEMENT_BF16, 10}};
    struct sf_match_file file = {now, 5, 2150};
    struct sf_match_file of = {before, 4, 2000};
    struct sf_match match;
    uint64_t place;

    REQUIRE_EQ(sf_match_init(&match, &file, &of), SF_OK);
    CHECK(find(&match, 0, 200, &place));
    CHECK_EQ(place, 0);
    CHECK(find(&match, 200, 400, &place));
    CHECK_EQ(place, 600);
    CHECK(find(&match, 600, 600, &place));
    CHECK_EQ(place, 1000);
    CHECK(find(&match, 1200, 500, &place));
    CHECK_EQ(place, 100);
    /* Of that name, but of another type: as far off as the last. */
    CHECK(find(&match, 1700, 300, &place));
    CHECK_EQ(place, 600);
    CHECK(find(&match, 2000, 100, &place));
    CHECK_EQ(place, 1900);
    /* Not there at all, and beyond the end. */
    CHECK(!find(&match, 2100, 50, &place));
    sf_match_fini(&match);
}

static void
test_match_without_names(void)
{
    static const struct sf_tensor now[] = {
        {500, 1000, SF_ELEMENT_FP16, 0}, {1600, 1000, SF_ELEMENT_FP16, 0}};
    static const struct sf_tensor before[] = {
        {300, 1000, SF_ELEMENT_FP16, 0}, {1400, 1000, SF_ELEMENT_FP16, 0}};
    struct sf_match_file file = {now, 2, 2600};
    struct sf_match_file of = {before, 2, 2400};
    struct sf_match_file nothing = {NULL, 0, 100};
    struct sf_match match;
    uint64_t place;

    REQUIRE_EQ(sf_match_init(&match, &file, &of), SF_OK);
    CHECK(find(&match, 100, 400, &place));
    CHECK_EQ(place, 100);
    CHECK(find(&match, 500, 1000, &place));
    CHECK_EQ(place, 300);
    CHECK(find(&match, 1600, 1000, &place));
    CHECK_EQ(place, 1400);
    sf_match_fini(&match);
    REQUIRE_EQ(sf_match_init(&match, &nothing, &nothing), SF_OK);
    CHECK(find(&match, 50, 50, &place));
    CHECK_EQ(place, 50);
    CHECK(!find(&match, 50, 51, &place));
    sf_match_fini(&match);
}

/* A tensor before the first of the base would begin before its beginning. */
static void
test_match_wraps(void)
{
    static const struct sf_tensor now[] = {
        {5000, 10, SF_ELEMENT_INT8, 1}, {6000, 10, SF_ELEMENT_INT8, 2}};
    static const struct sf_tensor before[] = {{100, 10, SF_ELEMENT_INT8, 2}};
    struct sf_match_file file = {now, 2, 7000};
    struct sf_match_file of = {before, 1, 200};
    struct sf_match match;
    uint64_t place;

    REQUIRE_EQ(sf_match_init(&match, &file, &of), SF_OK);
    CHECK(!find(&match, 4000, 1000, &place));
    CHECK(find(&match, 6000, 10, &place));
    CHECK_EQ(place, 100);
    CHECK(!find(&match, 6010, 900, &place));
    sf_match_fini(&match);
}

CHECK_MAIN("delta", {"what is the same becomes a reference", test_same},
    {"a few changed numbers become a patch, smaller than they are", test_few_changes},
    {"one changed number is found at either end", test_one_change},
    {"many changed numbers become differences", test_all_changed},
    {"a base that has nothing in common costs nothing", test_nothing_in_common},
    {"every type, length and lead comes back, and never longer", test_every_type_and_length},
    {"differences wrap around", test_extremes}, {"another base is noticed", test_another_base},
    {"what is damaged is refused, or stays within its frame", test_damaged},
    {"tensors are found by name, wherever they stand", test_match_names},
    {"without names, by where the first one stands", test_match_without_names},
    {"a place outside of the base is none", test_match_wraps})
