/*
 * test_planes.c - elements and planes: the shapes, and both ways of taking them apart.
 */
#include "base/prng.h"
#include "bundle/planes.h"
#include "tests/unit/check.h"

enum { ELEMENTS_MAX = 400, GUARD_BYTES = 16 };

static uint8_t elements[ELEMENTS_MAX * SF_SHAPE_STRIDE_MAX];
static uint8_t planes[2][ELEMENTS_MAX * SF_SHAPE_STRIDE_MAX + GUARD_BYTES];
static uint8_t joined[2][ELEMENTS_MAX * SF_SHAPE_STRIDE_MAX + GUARD_BYTES];

static void
check_guard(const uint8_t *bytes)
{
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        CHECK_EQ(bytes[i], 0xa5);
    }
}

/* Both ways give the same planes, give the elements back, and stay in their place. */
static void
check_shape(const struct sf_shape *shape, size_t count)
{
    size_t bytes = count * shape->stride;

    memset(planes, 0xa5, sizeof(planes));
    memset(joined, 0xa5, sizeof(joined));
    sf_planes_split(shape, elements, count, planes[0]);
    sf_planes_split_plain(shape, elements, count, planes[1]);
    CHECK_BYTES(planes[0], planes[1], bytes);
    sf_planes_join(shape, planes[0], count, joined[0]);
    sf_planes_join_plain(shape, planes[0], count, joined[1]);
    CHECK_BYTES(joined[0], elements, bytes);
    CHECK_BYTES(joined[1], elements, bytes);
    check_guard(planes[0] + bytes);
    check_guard(planes[1] + bytes);
    check_guard(joined[0] + bytes);
    check_guard(joined[1] + bytes);
}

static void
test_every_type(void)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 3);
    sf_prng_fill(&prng, elements, sizeof(elements));
    for (int e = 1; e < SF_ELEMENTS; e++) {
        struct sf_shape shape = *sf_element_shape((enum sf_element)e);

        REQUIRE(sf_shape_is_valid(&shape));
        for (size_t count = 0; count <= 70; count++) {
            check_shape(&shape, count);
        }
        check_shape(&shape, ELEMENTS_MAX);
        /* Numbers the other way too. */
        shape.is_rotated = !shape.is_rotated;
        if (sf_shape_is_valid(&shape)) {
            check_shape(&shape, ELEMENTS_MAX - 1);
        }
    }
}

static void
test_any_columns(void)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 4);
    sf_prng_fill(&prng, elements, sizeof(elements));
    for (unsigned round = 0; round < 300; round++) {
        struct sf_shape shape = {.column_count = (uint8_t)(1 + sf_prng_below(&prng, 8))};

        for (unsigned c = 0; c < shape.column_count; c++) {
            shape.widths[c] = (uint8_t)(1 + sf_prng_below(&prng, 30));
            shape.stride = (uint8_t)(shape.stride + shape.widths[c]);
        }
        REQUIRE(sf_shape_is_valid(&shape));
        check_shape(&shape, sf_prng_below(&prng, ELEMENTS_MAX));
    }
}

/* 1.0 in bfloat16 is 3f80: sign 0, exponent 7f, mantissa 00; -1.0 is bf80. */
static void
test_exponent_fills_a_byte(void)
{
    static const uint8_t numbers[] = {0x80, 0x3f, 0x80, 0xbf};
    static const uint8_t expected[] = {0x00, 0x01, 0x7f, 0x7f};

    sf_planes_split(sf_element_shape(SF_ELEMENT_BF16), numbers, 2, planes[0]);
    CHECK_BYTES(planes[0], expected, sizeof(expected));
}

static void
test_bad_shapes(void)
{
    const struct sf_shape good = {4, 2, {1, 3}, false};
    struct sf_shape bad = good;

    CHECK(sf_shape_is_valid(&good));
    bad.is_rotated = true;
    CHECK(!sf_shape_is_valid(&bad));
    bad = good;
    bad.stride = 5;
    CHECK(!sf_shape_is_valid(&bad));
    bad = good;
    bad.column_count = 0;
    CHECK(!sf_shape_is_valid(&bad));
    bad = (struct sf_shape){9, 9, {1, 1, 1, 1, 1, 1, 1, 1}, false};
    CHECK(!sf_shape_is_valid(&bad));
    bad = (struct sf_shape){4, 2, {4, 0}, false};
    CHECK(!sf_shape_is_valid(&bad));
    bad = (struct sf_shape){1, 1, {1}, true};
    CHECK(!sf_shape_is_valid(&bad));
    bad = (struct sf_shape){3, 3, {1, 1, 1}, true};
    CHECK(!sf_shape_is_valid(&bad));
    CHECK(!sf_shape_is_valid(sf_element_shape(SF_ELEMENT_OPAQUE)));
}

CHECK_MAIN("planes",
    {"every type is taken apart and put together, both ways alike", test_every_type},
    {"so are columns of any width", test_any_columns},
    {"the exponent of a rotated number fills a byte", test_exponent_fills_a_byte},
    {"shapes that contradict themselves are refused", test_bad_shapes})
