/*
 * test_layout.c - how files are cut into frames.
 */
#include "base/prng.h"
#include "bundle/layout.h"
#include "tests/unit/check.h"

enum { MIB = 1 << 20, KIB = 1 << 10, FRAMES_MAX = 4096 };

static struct sf_layout_frame frames[FRAMES_MAX];

/* Cut and check what holds for every file; returns the number of frames. */
static size_t
cut(const struct sf_tensor *tensors, size_t count, uint64_t file_bytes, uint32_t frame_bytes)
{
    struct sf_layout layout;
    struct sf_layout_frame frame;
    uint64_t at = 0;
    size_t n = 0;

    sf_layout_init(&layout, tensors, count, file_bytes, frame_bytes);
    while (sf_layout_next(&layout, &frame)) {
        REQUIRE(frame.bytes > 0 && frame.bytes <= frame_bytes);
        REQUIRE_EQ(frame.offset, at);
        REQUIRE(frame.lead < frame.bytes);
        at += frame.bytes;
        REQUIRE(n < FRAMES_MAX);
        frames[n++] = frame;
    }
    CHECK_EQ(at, file_bytes);
    CHECK(!sf_layout_next(&layout, &frame));
    CHECK(n <= sf_layout_frames_max(file_bytes, 1, frame_bytes));
    return n;
}

static void
check_frame(size_t i, uint64_t offset, uint32_t bytes, enum sf_element element, uint8_t lead)
{
    CHECK_EQ(frames[i].offset, offset);
    CHECK_EQ(frames[i].bytes, bytes);
    CHECK_EQ(frames[i].element, element);
    CHECK_EQ(frames[i].lead, lead);
}

static void
test_nothing_known(void)
{
    CHECK_EQ(cut(NULL, 0, 0, MIB), 0);
    CHECK_EQ(cut(NULL, 0, 1, MIB), 1);
    CHECK_EQ(cut(NULL, 0, 3 * MIB + 5, MIB), 4);
    check_frame(3, 3 * MIB, 5, SF_ELEMENT_OPAQUE, 0);
}

/* A header, a large tensor, a small one of another type, a large one. */
static void
test_borders(void)
{
    static const struct sf_tensor tensors[] = {
        {5000, 3 * MIB, SF_ELEMENT_BF16, 0},
        {5000 + 3 * MIB, 16 * KIB, SF_ELEMENT_FP32, 0},
        {5000 + 3 * MIB + 16 * KIB, MIB + 2, SF_ELEMENT_BF16, 0},
    };
    uint64_t end = 5000 + 4 * MIB + 16 * KIB + 2;

    CHECK_EQ(cut(tensors, 3, end, MIB), 7);
    check_frame(0, 0, 5000, SF_ELEMENT_OPAQUE, 0);
    check_frame(1, 5000, MIB, SF_ELEMENT_BF16, 0);
    check_frame(4, 5000 + 3 * MIB, 16 * KIB, SF_ELEMENT_FP32, 0);
    check_frame(6, end - 2, 2, SF_ELEMENT_BF16, 0);
}

static void
test_small_neighbours(void)
{
    static const struct sf_tensor tensors[] = {
        {0, 16 * KIB, SF_ELEMENT_FP32, 0},
        {16 * KIB, 16 * KIB, SF_ELEMENT_FP32, 0}, /* the same type */
        {32 * KIB, 2 * MIB, SF_ELEMENT_BF16, 0},
        {32 * KIB + 2 * MIB, 8 * KIB, SF_ELEMENT_BF16, 0}, /* the same as a large one before it */
        {40 * KIB + 2 * MIB, 8 * KIB, SF_ELEMENT_FP32, 0}, /* two types: looked at as a whole */
        {48 * KIB + 2 * MIB, 8 * KIB, SF_ELEMENT_INT8, 0},
    };

    CHECK_EQ(cut(tensors, 6, 2 * MIB + 56 * KIB, MIB), 5);
    check_frame(0, 0, 32 * KIB, SF_ELEMENT_FP32, 0);
    check_frame(1, 32 * KIB, MIB, SF_ELEMENT_BF16, 0);
    check_frame(3, 2 * MIB + 32 * KIB, 8 * KIB, SF_ELEMENT_BF16, 0);
    check_frame(4, 2 * MIB + 40 * KIB, 16 * KIB, SF_ELEMENT_OPAQUE, 0);
}

/* What stands between tensors, as in an ONNX model, leads the next one and sets its phase. */
static void
test_leads(void)
{
    static const struct sf_tensor tensors[] = {
        {61, 3 * MIB, SF_ELEMENT_FP16, 0},
        {61 + 3 * MIB + 255, MIB, SF_ELEMENT_FP32, 0},
        {61 + 4 * MIB + 255 + 256, 2 * MIB, SF_ELEMENT_Q4_0, 0},
    };
    uint64_t second = 61 + 3 * MIB;
    uint64_t third = second + 255 + MIB;

    CHECK_EQ(cut(tensors, 3, third + 256 + 2 * MIB, MIB), 10);
    check_frame(0, 0, MIB - 1, SF_ELEMENT_FP16, 61);
    check_frame(1, MIB - 1, MIB, SF_ELEMENT_FP16, 0);
    check_frame(3, 3 * MIB - 1, 62, SF_ELEMENT_FP16, 0);
    check_frame(4, second, MIB - 1, SF_ELEMENT_FP32, 255);
    check_frame(5, second + MIB - 1, 256, SF_ELEMENT_FP32, 0);
    check_frame(6, third, 256, SF_ELEMENT_OPAQUE, 0);
    check_frame(7, third + 256, MIB - MIB % 18, SF_ELEMENT_Q4_0, 0);
}

/* Whatever stands before a large tensor, it is cut alike. */
static void
test_moved(void)
{
    for (uint64_t before = 300; before < 2 * MIB; before += 77777) {
        struct sf_tensor tensors[] = {
            {before, 3 * MIB, SF_ELEMENT_BF16, 0}, {before + 3 * MIB, 5000000, SF_ELEMENT_FP32, 0}};
        size_t n = cut(tensors, 2, before + 3 * MIB + 5000000, MIB);

        REQUIRE(n > 8);
        check_frame(n - 8, before, MIB, SF_ELEMENT_BF16, 0);
        check_frame(n - 5, before + 3 * MIB, MIB, SF_ELEMENT_FP32, 0);
    }
}

/* Many tensors, of any length and type, with and without gaps: the bound holds. */
static void
test_bound(void)
{
    enum { TENSORS = 3000 };
    static struct sf_tensor tensors[TENSORS];
    struct sf_prng prng;

    sf_prng_init(&prng, 8);
    for (unsigned round = 0; round < 200; round++) {
        uint32_t frame_bytes = 16384U << sf_prng_below(&prng, 7);
        uint64_t length_max = 1 + sf_prng_below(&prng, 1 + sf_prng_below(&prng, frame_bytes));
        uint64_t gap_max = 1 + sf_prng_below(&prng, 400);
        uint64_t at = 0;
        size_t n = 0;

        while (n < TENSORS && at < (uint64_t)300 * frame_bytes) {
            at += sf_prng_below(&prng, 3) == 0 ? sf_prng_below(&prng, gap_max) : 0;
            tensors[n] = (struct sf_tensor){at, 1 + sf_prng_below(&prng, length_max),
                (enum sf_element)sf_prng_below(&prng, SF_ELEMENTS), 0};
            at += tensors[n++].bytes;
        }
        (void)cut(tensors, n, at + sf_prng_below(&prng, 100), frame_bytes);
    }
    /* The worst there is: a small one, one just large enough, and so on. */
    for (size_t i = 0; i < TENSORS; i++) {
        tensors[i] = (struct sf_tensor){i / 2 * 4097 + (i % 2 == 0 ? 0 : 1), i % 2 == 0 ? 1 : 4096,
            i % 2 == 0 ? SF_ELEMENT_INT8 : SF_ELEMENT_FP32, 0};
    }
    CHECK(cut(tensors, TENSORS, TENSORS / 2 * 4097, 16384) == TENSORS);
}

CHECK_MAIN("layout", {"without tensors a file is cut at equal distances", test_nothing_known},
    {"frames follow the borders of tensors", test_borders},
    {"small neighbours share a frame", test_small_neighbours},
    {"a few bytes ahead of a tensor lead its first frame", test_leads},
    {"a tensor is cut alike wherever it stands", test_moved},
    {"the number of frames is bounded", test_bound})
