/*
 * element.h - the types of tensors, and which of their bytes belong together.
 *
 * A tensor is a row of elements of equal length: numbers, or blocks of quantized
 * numbers with their scales. Bytes at the same place of every element are alike, so
 * frames of tensors are coded column by column (planes.h). A shape says how an
 * element falls into columns; a type is a name with a shape.
 */
#ifndef SF_BUNDLE_ELEMENT_H
#define SF_BUNDLE_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_SHAPE_STRIDE_MAX = 255,
    SF_SHAPE_COLUMNS_MAX = 8,
};

/* How one element is laid out. */
struct sf_shape {
    uint8_t stride;                       /* bytes of an element; 0: nothing is known */
    uint8_t column_count;                 /* 1 .. SF_SHAPE_COLUMNS_MAX */
    uint8_t widths[SF_SHAPE_COLUMNS_MAX]; /* bytes of each column; `stride` together */
    bool is_rotated; /* a little-endian number of 2, 4 or 8 bytes, coded with its sign moved from
                        the top bit to the lowest, so that the exponent fills whole bytes */
};

/* May such a shape stand in a frame: the sum is right, and only numbers are rotated? */
bool sf_shape_is_valid(const struct sf_shape *shape);

/* Types that are told apart. The numbers are of this program only, never on a wire. */
enum sf_element {
    SF_ELEMENT_OPAQUE, /* no tensor, or of a type that is not known */
    SF_ELEMENT_BF16,
    SF_ELEMENT_FP16,
    SF_ELEMENT_FP32,
    SF_ELEMENT_FP64,
    SF_ELEMENT_FP8,
    SF_ELEMENT_INT8, /* and every other single byte: unsigned, truth values, packed bits */
    SF_ELEMENT_INT16,
    SF_ELEMENT_INT32,
    SF_ELEMENT_INT64,
    /* Blocks of quantized numbers as GGUF files hold them. */
    SF_ELEMENT_Q4_0,
    SF_ELEMENT_Q4_1,
    SF_ELEMENT_Q5_0,
    SF_ELEMENT_Q5_1,
    SF_ELEMENT_Q8_0,
    SF_ELEMENT_Q2_K,
    SF_ELEMENT_Q3_K,
    SF_ELEMENT_Q4_K,
    SF_ELEMENT_Q5_K,
    SF_ELEMENT_Q6_K,
    SF_ELEMENTS, /* how many there are */
};

/* The shape of a type; of stride 0 for SF_ELEMENT_OPAQUE. Lives for ever. */
const struct sf_shape *sf_element_shape(enum sf_element element);

/* Its name as people write it: "bf16", "q4_K"; "other" for SF_ELEMENT_OPAQUE. */
const char *sf_element_name(enum sf_element element);

#endif
