/*
 * element.c - the table of types and shapes.
 *
 * The layouts of quantized blocks are those of GGUF files (ggml's block_q4_0 and its
 * kin): scales, minima, high bits and low bits become columns of their own.
 */
#include "bundle/element.h"

#include "base/assert.h"

struct type {
    const char *name;
    struct sf_shape shape;
};

static const struct type types[SF_ELEMENTS] = {
    [SF_ELEMENT_OPAQUE] = {"other", {.stride = 0}},
    [SF_ELEMENT_BF16] = {"bf16", {2, 2, {1, 1}, true}},
    [SF_ELEMENT_FP16] = {"fp16", {2, 2, {1, 1}, true}},
    [SF_ELEMENT_FP32] = {"fp32", {4, 4, {1, 1, 1, 1}, true}},
    /* Eleven bits of exponent: with the sign above them they lie better in two bytes. */
    [SF_ELEMENT_FP64] = {"fp64", {8, 8, {1, 1, 1, 1, 1, 1, 1, 1}, false}},
    [SF_ELEMENT_FP8] = {"fp8", {1, 1, {1}, false}},
    [SF_ELEMENT_INT8] = {"int8", {1, 1, {1}, false}},
    [SF_ELEMENT_INT16] = {"int16", {2, 2, {1, 1}, false}},
    [SF_ELEMENT_INT32] = {"int32", {4, 4, {1, 1, 1, 1}, false}},
    [SF_ELEMENT_INT64] = {"int64", {8, 8, {1, 1, 1, 1, 1, 1, 1, 1}, false}},
    [SF_ELEMENT_Q4_0] = {"q4_0", {18, 3, {1, 1, 16}, false}},
    [SF_ELEMENT_Q4_1] = {"q4_1", {20, 5, {1, 1, 1, 1, 16}, false}},
    [SF_ELEMENT_Q5_0] = {"q5_0", {22, 4, {1, 1, 4, 16}, false}},
    [SF_ELEMENT_Q5_1] = {"q5_1", {24, 6, {1, 1, 1, 1, 4, 16}, false}},
    [SF_ELEMENT_Q8_0] = {"q8_0", {34, 3, {1, 1, 32}, false}},
    [SF_ELEMENT_Q2_K] = {"q2_K", {84, 6, {16, 64, 1, 1, 1, 1}, false}},
    [SF_ELEMENT_Q3_K] = {"q3_K", {110, 5, {32, 64, 12, 1, 1}, false}},
    [SF_ELEMENT_Q4_K] = {"q4_K", {144, 6, {1, 1, 1, 1, 12, 128}, false}},
    [SF_ELEMENT_Q5_K] = {"q5_K", {176, 7, {1, 1, 1, 1, 12, 32, 128}, false}},
    [SF_ELEMENT_Q6_K] = {"q6_K", {210, 5, {128, 64, 16, 1, 1}, false}},
};

bool
sf_shape_is_valid(const struct sf_shape *shape)
{
    unsigned sum = 0;
    bool is_number = shape->column_count == shape->stride &&
                     (shape->stride == 2 || shape->stride == 4 || shape->stride == 8);

    if (shape->stride == 0 || shape->column_count == 0 ||
        shape->column_count > SF_SHAPE_COLUMNS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < shape->column_count; i++) {
        if (shape->widths[i] == 0) {
            return false;
        }
        sum += shape->widths[i];
    }
    return sum == shape->stride && (is_number || !shape->is_rotated);
}

const struct sf_shape *
sf_element_shape(enum sf_element element)
{
    sf_assert(element < SF_ELEMENTS);
    return &types[element].shape;
}

const char *
sf_element_name(enum sf_element element)
{
    sf_assert(element < SF_ELEMENTS);
    return types[element].name;
}
