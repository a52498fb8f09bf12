/*
 * planes.c - splitting and joining, in plain C and with SSE2.
 *
 * SSE2 is part of every x86-64, so nothing has to be asked of the processor at run
 * time, and at several times the speed of the entropy coder behind it nothing wider
 * is needed. Its kernel for numbers: one step of "unzip" parts the bytes at even places
 * from those at odd ones; a number of 2, 4 or 8 bytes takes one, two or three steps.
 */
#include "bundle/planes.h"

#include <stdbool.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#define HAS_SSE2 1
#else
#define HAS_SSE2 0
#endif

/* --- Plain C ------------------------------------------------------------------------ */

/* In bytes: the top bit of a byte's lower neighbour comes in at the bottom. */
static void
rotate_left(uint8_t *number, unsigned bytes)
{
    uint8_t carry = number[bytes - 1] >> 7;

    for (unsigned i = 0; i < bytes; i++) {
        uint8_t top = number[i] >> 7;

        number[i] = (uint8_t)(number[i] << 1 | carry);
        carry = top;
    }
}

static void
rotate_right(uint8_t *number, unsigned bytes)
{
    uint8_t carry = number[0] & 1;

    for (unsigned i = bytes; i > 0; i--) {
        uint8_t low = number[i - 1] & 1;

        number[i - 1] = (uint8_t)(number[i - 1] >> 1 | carry << 7);
        carry = low;
    }
}

/* Elements `from` to `count`; the planes are those of all `count`. */
static void
split_from(const struct sf_shape *shape, const uint8_t *elements, size_t from, size_t count,
    uint8_t *planes)
{
    uint8_t element[SF_SHAPE_STRIDE_MAX];

    for (size_t i = from; i < count; i++) {
        size_t at = 0;

        memcpy(element, elements + i * shape->stride, shape->stride);
        if (shape->is_rotated) {
            rotate_left(element, shape->stride);
        }
        for (unsigned c = 0; c < shape->column_count; c++) {
            memcpy(planes + at * count + i * shape->widths[c], element + at, shape->widths[c]);
            at += shape->widths[c];
        }
    }
}

static void
join_from(const struct sf_shape *shape, const uint8_t *planes, size_t from, size_t count,
    uint8_t *elements)
{
    for (size_t i = from; i < count; i++) {
        uint8_t *element = elements + i * shape->stride;
        size_t at = 0;

        for (unsigned c = 0; c < shape->column_count; c++) {
            memcpy(element + at, planes + at * count + i * shape->widths[c], shape->widths[c]);
            at += shape->widths[c];
        }
        if (shape->is_rotated) {
            rotate_right(element, shape->stride);
        }
    }
}

void
sf_planes_split_plain(
    const struct sf_shape *shape, const uint8_t *elements, size_t count, uint8_t *planes)
{
    split_from(shape, elements, 0, count, planes);
}

void
sf_planes_join_plain(
    const struct sf_shape *shape, const uint8_t *planes, size_t count, uint8_t *elements)
{
    join_from(shape, planes, 0, count, elements);
}

/* --- SSE2 ----------------------------------------------------------------------------- */

#if HAS_SSE2

enum { LANE_BYTES = 16 };

static inline __m128i
load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static inline void
store(uint8_t *to, __m128i value)
{
    _mm_storeu_si128((__m128i *)(void *)to, value);
}

static inline __m128i
rotated_left(__m128i x, unsigned stride)
{
    switch (stride) {
    case 2:
        return _mm_or_si128(_mm_slli_epi16(x, 1), _mm_srli_epi16(x, 15));
    case 4:
        return _mm_or_si128(_mm_slli_epi32(x, 1), _mm_srli_epi32(x, 31));
    default:
        return _mm_or_si128(_mm_slli_epi64(x, 1), _mm_srli_epi64(x, 63));
    }
}

static inline __m128i
rotated_right(__m128i x, unsigned stride)
{
    switch (stride) {
    case 2:
        return _mm_or_si128(_mm_srli_epi16(x, 1), _mm_slli_epi16(x, 15));
    case 4:
        return _mm_or_si128(_mm_srli_epi32(x, 1), _mm_slli_epi32(x, 31));
    default:
        return _mm_or_si128(_mm_srli_epi64(x, 1), _mm_slli_epi64(x, 63));
    }
}

/*
 * `lanes` holds 2n vectors: part the bytes at even places, into the first n, from those
 * at odd places. Repeated on both halves, a column of every element is in one vector.
 */
static inline void
unzip(__m128i *lanes, unsigned n)
{
    const __m128i low = _mm_set1_epi16(0xff);
    __m128i even[4];
    __m128i odd[4];

    for (unsigned i = 0; i < n; i++) {
        __m128i a = lanes[2 * i];
        __m128i b = lanes[2 * i + 1];

        even[i] = _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
        odd[i] = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
    }
    memcpy(lanes, even, n * sizeof(*even));
    memcpy(lanes + n, odd, n * sizeof(*odd));
}

static inline void
zip(__m128i *lanes, unsigned n)
{
    __m128i whole[8];

    for (unsigned i = 0; i < n; i++) {
        whole[2 * i] = _mm_unpacklo_epi8(lanes[i], lanes[n + i]);
        whole[2 * i + 1] = _mm_unpackhi_epi8(lanes[i], lanes[n + i]);
    }
    memcpy(lanes, whole, 2 * n * sizeof(*whole));
}

/* Where unzipping leaves each column: their numbers with the bits reversed. */
static const uint8_t order_of_2[] = {0, 1};
static const uint8_t order_of_4[] = {0, 2, 1, 3};
static const uint8_t order_of_8[] = {0, 4, 2, 6, 1, 5, 3, 7};

/* Inlined with a constant stride, so that every loop below is unrolled. */
static inline size_t
split_numbers(bool is_rotated, const uint8_t *elements, size_t count, uint8_t *planes,
    unsigned stride, const uint8_t *order)
{
    size_t i = 0;

    for (; i + LANE_BYTES <= count; i += LANE_BYTES) {
        __m128i lanes[8];

        for (unsigned k = 0; k < stride; k++) {
            lanes[k] = load(elements + i * stride + (size_t)k * LANE_BYTES);
            if (is_rotated) {
                lanes[k] = rotated_left(lanes[k], stride);
            }
        }
        for (unsigned n = stride / 2; n > 0; n /= 2) {
            for (unsigned at = 0; at < stride; at += 2 * n) {
                unzip(lanes + at, n);
            }
        }
        for (unsigned k = 0; k < stride; k++) {
            store(planes + order[k] * count + i, lanes[k]);
        }
    }
    return i;
}

static inline size_t
join_numbers(bool is_rotated, const uint8_t *planes, size_t count, uint8_t *elements,
    unsigned stride, const uint8_t *order)
{
    size_t i = 0;

    for (; i + LANE_BYTES <= count; i += LANE_BYTES) {
        __m128i lanes[8];

        for (unsigned k = 0; k < stride; k++) {
            lanes[k] = load(planes + order[k] * count + i);
        }
        for (unsigned n = 1; n < stride; n *= 2) {
            for (unsigned at = 0; at < stride; at += 2 * n) {
                zip(lanes + at, n);
            }
        }
        for (unsigned k = 0; k < stride; k++) {
            __m128i lane = is_rotated ? rotated_right(lanes[k], stride) : lanes[k];

            store(elements + i * stride + (size_t)k * LANE_BYTES, lane);
        }
    }
    return i;
}

/* Returns how many elements were done; the rest is for the plain loop. */
static size_t
split_fast(const struct sf_shape *shape, const uint8_t *elements, size_t count, uint8_t *planes)
{
    bool is_rotated = shape->is_rotated;

    if (shape->column_count != shape->stride) {
        return 0;
    }
    switch (shape->stride) {
    case 2:
        return split_numbers(is_rotated, elements, count, planes, 2, order_of_2);
    case 4:
        return split_numbers(is_rotated, elements, count, planes, 4, order_of_4);
    case 8:
        return split_numbers(is_rotated, elements, count, planes, 8, order_of_8);
    default:
        return 0;
    }
}

static size_t
join_fast(const struct sf_shape *shape, const uint8_t *planes, size_t count, uint8_t *elements)
{
    bool is_rotated = shape->is_rotated;

    if (shape->column_count != shape->stride) {
        return 0;
    }
    switch (shape->stride) {
    case 2:
        return join_numbers(is_rotated, planes, count, elements, 2, order_of_2);
    case 4:
        return join_numbers(is_rotated, planes, count, elements, 4, order_of_4);
    case 8:
        return join_numbers(is_rotated, planes, count, elements, 8, order_of_8);
    default:
        return 0;
    }
}

#else

static size_t
split_fast(const struct sf_shape *shape, const uint8_t *elements, size_t count, uint8_t *planes)
{
    (void)shape;
    (void)elements;
    (void)count;
    (void)planes;
    return 0;
}

static size_t
join_fast(const struct sf_shape *shape, const uint8_t *planes, size_t count, uint8_t *elements)
{
    (void)shape;
    (void)planes;
    (void)count;
    (void)elements;
    return 0;
}

#endif

void
sf_planes_split(
    const struct sf_shape *shape, const uint8_t *elements, size_t count, uint8_t *planes)
{
    if (shape->stride == 1) {
        memcpy(planes, elements, count);
        return;
    }
    split_from(shape, elements, split_fast(shape, elements, count, planes), count, planes);
}

void
sf_planes_join(const struct sf_shape *shape, const uint8_t *planes, size_t count, uint8_t *elements)
{
    if (shape->stride == 1) {
        memcpy(elements, planes, count);
        return;
    }
    join_from(shape, planes, join_fast(shape, planes, count, elements), count, elements);
}
