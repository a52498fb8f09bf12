/*
 * tensors_onnx.c - the weights inside an ONNX model, which is a protobuf message.
 *
 *     ModelProto.graph = 7        a GraphProto
 *     GraphProto.initializer = 5  TensorProtos
 *     TensorProto.data_type = 2, .float_data = 4, .double_data = 10, .raw_data = 9
 *
 * They stand all over the file. So it is walked from field to field, and every field that
 * leads nowhere is skipped by its length. A model cut into pieces is walked as far as its
 * first piece goes.
 */
#include "bundle/tensors_impl.h"

enum {
    VARINT_BYTES_MAX = 10,
    FIELD_BYTES_MAX = 2 * VARINT_BYTES_MAX, /* a tag, and a number or a length */

    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_32 = 5,

    GRAPH = 7,
    INITIALIZER = 5,
    DATA_TYPE = 2,
    FLOAT_DATA = 4,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
};

enum depth { IN_MODEL, IN_GRAPH, IN_TENSOR };

/* TensorProto.DataType. */
static const enum sf_element elements[] = {SF_ELEMENT_OPAQUE, SF_ELEMENT_FP32, SF_ELEMENT_INT8,
    SF_ELEMENT_INT8, SF_ELEMENT_INT16, SF_ELEMENT_INT16, SF_ELEMENT_INT32, SF_ELEMENT_INT64,
    SF_ELEMENT_OPAQUE, SF_ELEMENT_INT8, SF_ELEMENT_FP16, SF_ELEMENT_FP64, SF_ELEMENT_INT32,
    SF_ELEMENT_INT64, SF_ELEMENT_FP32, /* pairs of them, complex */
    SF_ELEMENT_FP64,                   /* the same */
    SF_ELEMENT_BF16, SF_ELEMENT_FP8, SF_ELEMENT_FP8, SF_ELEMENT_FP8, SF_ELEMENT_FP8,
    SF_ELEMENT_INT8, SF_ELEMENT_INT8};

enum { DATA_TYPES = sizeof(elements) / sizeof(elements[0]) };

void
onnx_begin(struct sf_tensors *tensors)
{
    tensors->of.onnx = (struct onnx){.ends = {tensors->file_bytes}};
}

/* Take a number from *at on; false if it does not end within `end` or 64 bits. */
static bool
take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_BYTES_MAX && *at < end; i++) {
        uint8_t byte = *(*at)++;

        if (i == VARINT_BYTES_MAX - 1 && byte > 1) {
            return false;
        }
        value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* A field of bytes, `bytes` long from tensors->at on. False: no more tensors are taken. */
static bool
take_bytes(struct sf_tensors *tensors, uint64_t number, uint64_t bytes)
{
    struct onnx *onnx = &tensors->of.onnx;
    struct sf_tensor tensor = {.offset = tensors->at, .bytes = bytes, .element = onnx->element};
    bool is_way = (onnx->depth == IN_MODEL && number == GRAPH) ||
                  (onnx->depth == IN_GRAPH && number == INITIALIZER);

    if (is_way) {
        onnx->depth++;
        onnx->ends[onnx->depth] = tensors->at + bytes;
        onnx->element = SF_ELEMENT_OPAQUE;
        return true;
    }
    tensors->at += bytes;
    if (onnx->depth != IN_TENSOR) {
        return true;
    }
    if (number == FLOAT_DATA || number == DOUBLE_DATA) {
        tensor.element = number == FLOAT_DATA ? SF_ELEMENT_FP32 : SF_ELEMENT_FP64;
    } else if (number != RAW_DATA) {
        return true;
    }
    return tensors_add(tensors, &tensor);
}

/* One field at `field`, of which `left` bytes are in the window. */
static enum tensors_step
take_field(struct sf_tensors *tensors, const uint8_t *field, size_t left)
{
    struct onnx *onnx = &tensors->of.onnx;
    uint64_t room = onnx->ends[onnx->depth] - tensors->at;
    const uint8_t *at = field;
    const uint8_t *end = field + (left < room ? left : (size_t)room);
    uint64_t tag = 0;
    uint64_t value = 0;
    unsigned wire;

    if (!take_varint(&at, end, &tag) || tag >> 3 == 0) {
        return TENSORS_ODD;
    }
    wire = (unsigned)tag & 7;
    if (wire == WIRE_64 || wire == WIRE_32) {
        ptrdiff_t bytes = wire == WIRE_64 ? 8 : 4;

        if (end - at < bytes) {
            return TENSORS_ODD;
        }
        at += bytes;
    } else if ((wire != WIRE_VARINT && wire != WIRE_BYTES) || !take_varint(&at, end, &value)) {
        return TENSORS_ODD;
    }
    tensors->at += (uint64_t)(at - field);
    tensors->looked_at += (uint64_t)(at - field);
    room -= (uint64_t)(at - field);
    if (wire == WIRE_BYTES) {
        /* What passes the end of the file was cut off with it; what passes its message lies. */
        if (value > room) {
            if (onnx->ends[onnx->depth] != tensors->file_bytes) {
                return TENSORS_ODD;
            }
            value = room;
        }
        return take_bytes(tensors, tag >> 3, value) ? TENSORS_MORE : TENSORS_ODD;
    }
    if (wire == WIRE_VARINT && onnx->depth == IN_TENSOR && tag >> 3 == DATA_TYPE) {
        onnx->element = value < DATA_TYPES ? elements[value] : SF_ELEMENT_OPAQUE;
    }
    return TENSORS_MORE;
}

enum tensors_step
onnx_read(struct sf_tensors *tensors, struct sf_view bytes)
{
    struct onnx *onnx = &tensors->of.onnx;
    uint64_t begin = tensors->at;
    uint64_t window_end = begin + bytes.bytes;

    for (;;) {
        enum tensors_step step;
        uint64_t left;

        while (onnx->depth > 0 && tensors->at == onnx->ends[onnx->depth]) {
            onnx->depth--;
        }
        if (tensors->at == tensors->file_bytes) {
            return TENSORS_DONE;
        }
        if (tensors->at >= window_end) {
            return TENSORS_MORE;
        }
        left = window_end - tensors->at;
        if (left < FIELD_BYTES_MAX && window_end < tensors->file_bytes) {
            return TENSORS_MORE;
        }
        step = take_field(tensors, bytes.data + (tensors->at - begin), (size_t)left);
        if (step != TENSORS_MORE) {
            return step;
        }
    }
}
