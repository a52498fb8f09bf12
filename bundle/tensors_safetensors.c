/*
 * tensors_safetensors.c - the header of a safetensors file: a length, then JSON.
 *
 *     8 bytes, little endian: length of the JSON
 *     {"name": {"dtype": "BF16", "shape": [..], "data_offsets": [begin, end]}, ..}
 *     the data, to which the offsets count
 *
 * The JSON is read byte by byte in a machine of a few words, so that neither its length nor
 * its form asks for memory. It is not checked to be JSON in every respect: what matters is
 * found if it is there, and what is odd enough to be noticed ends the reading.
 */
#include "bundle/tensors_impl.h"

enum { LENGTH_BYTES = 8, DIGITS_MAX = 19 };

enum field { FIELD_OTHER, FIELD_TYPE, FIELD_OFFSETS };

struct type_name {
    const char *name;
    enum sf_element element;
};

static const struct type_name type_names[] = {
    {"BF16", SF_ELEMENT_BF16},
    {"F16", SF_ELEMENT_FP16},
    {"F32", SF_ELEMENT_FP32},
    {"F64", SF_ELEMENT_FP64},
    {"F8_E4M3", SF_ELEMENT_FP8},
    {"F8_E5M2", SF_ELEMENT_FP8},
    {"F8_E8M0", SF_ELEMENT_FP8},
    {"I8", SF_ELEMENT_INT8},
    {"U8", SF_ELEMENT_INT8},
    {"BOOL", SF_ELEMENT_INT8},
    {"I16", SF_ELEMENT_INT16},
    {"U16", SF_ELEMENT_INT16},
    {"I32", SF_ELEMENT_INT32},
    {"U32", SF_ELEMENT_INT32},
    {"I64", SF_ELEMENT_INT64},
    {"U64", SF_ELEMENT_INT64},
};

enum tensors_step
safetensors_begin(struct sf_tensors *tensors, struct sf_view bytes)
{
    uint64_t json_bytes = le64(bytes.data);

    if (json_bytes > SF_TENSORS_HEADER_BYTES_MAX ||
        json_bytes > tensors->file_bytes - LENGTH_BYTES) {
        return TENSORS_ODD;
    }
    tensors->of.safetensors = (struct safetensors){.data_at = LENGTH_BYTES + json_bytes};
    tensors->at = LENGTH_BYTES;
    return TENSORS_MORE;
}

static bool
is_text(const struct safetensors *json, const char *wanted)
{
    size_t bytes = strlen(wanted);

    return json->text_bytes == bytes && memcmp(json->text, wanted, bytes) == 0;
}

static bool
is_in_array(const struct safetensors *json)
{
    return (json->arrays >> json->depth & 1) != 0;
}

/* A whole string: a key of a tensor's object, or its type. */
static void
end_string(struct safetensors *json)
{
    if (json->depth == 1 && !json->is_value) {
        json->name = json->hash;
    }
    if (json->depth != 2 || is_in_array(json)) {
        return;
    }
    if (!json->is_value) {
        json->field = is_text(json, "dtype")          ? FIELD_TYPE
                      : is_text(json, "data_offsets") ? FIELD_OFFSETS
                                                      : FIELD_OTHER;
    } else if (json->field == FIELD_TYPE) {
        json->has_type = true;
        for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
            if (is_text(json, type_names[i].name)) {
                json->element = type_names[i].element;
            }
        }
    }
}

static void
end_number(struct safetensors *json)
{
    if (json->depth == 3 && is_in_array(json) && json->field == FIELD_OFFSETS) {
        if (json->offset_count < 2 && !json->is_odd_number) {
            json->offsets[json->offset_count] = json->number;
        }
        json->offset_count += json->is_odd_number ? 3 : 1;
    }
}

/* The object of a tensor begins or, with `tensors`, ends. */
static void
begin_tensor(struct safetensors *json)
{
    json->field = FIELD_OTHER;
    json->has_type = false;
    json->element = SF_ELEMENT_OPAQUE;
    json->offset_count = 0;
}

static bool
end_tensor(struct sf_tensors *tensors)
{
    const struct safetensors *json = &tensors->of.safetensors;
    struct sf_tensor tensor = {.element = json->element, .name = json->name};

    if (!json->has_type || json->offset_count != 2 || json->offsets[0] > json->offsets[1] ||
        json->offsets[1] > tensors->file_bytes - json->data_at) {
        return true;
    }
    tensor.offset = json->data_at + json->offsets[0];
    tensor.bytes = json->offsets[1] - json->offsets[0];
    return tensors_add(tensors, &tensor);
}

static bool
take_open(struct safetensors *json, bool is_array)
{
    if (json->depth == JSON_DEPTH_MAX || json->is_over || (json->depth == 0 && is_array)) {
        return false;
    }
    json->depth++;
    json->arrays &= ~(1U << json->depth);
    json->arrays |= (unsigned)is_array << json->depth;
    json->is_value = false;
    if (json->depth == 2) {
        begin_tensor(json);
    }
    return true;
}

static bool
take_close(struct sf_tensors *tensors, bool is_array)
{
    struct safetensors *json = &tensors->of.safetensors;

    if (json->depth == 0 || is_in_array(json) != is_array) {
        return false;
    }
    if (json->depth == 2 && !end_tensor(tensors)) {
        return false;
    }
    json->depth--;
    json->is_value = false;
    json->is_over = json->depth == 0;
    return true;
}

/* A byte outside of strings, numbers and words. */
static bool
take_between(struct sf_tensors *tensors, uint8_t byte)
{
    struct safetensors *json = &tensors->of.safetensors;

    switch (byte) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return true;
    case '{':
    case '[':
        return take_open(json, byte == '[');
    case '}':
    case ']':
        return take_close(tensors, byte == ']');
    case ':':
        json->is_value = true;
        return json->depth > 0;
    case ',':
        json->is_value = false;
        return json->depth > 0;
    case '"':
        json->token = JSON_STRING;
        json->text_bytes = 0;
        json->hash = TENSORS_NAME_BEGIN;
        json->is_escaped = false;
        return json->depth > 0;
    default:
        json->token = (byte >= '0' && byte <= '9') || byte == '-' ? JSON_NUMBER : JSON_WORD;
        json->number = byte == '-' ? 0 : (uint64_t)(byte - '0');
        json->text_bytes = 1;
        json->is_odd_number = byte == '-';
        return json->depth > 0 && (json->token == JSON_NUMBER || (byte >= 'a' && byte <= 'z'));
    }
}

static void
take_in_string(struct safetensors *json, uint8_t byte)
{
    if (byte == '"' && !json->is_escaped) {
        json->token = JSON_BETWEEN;
        end_string(json);
        return;
    }
    /* An escaped string is kept as it is written; none that matters is. */
    json->is_escaped = byte == '\\' && !json->is_escaped;
    if (json->text_bytes < JSON_TEXT_BYTES) {
        json->text[json->text_bytes] = (char)byte;
    }
    json->text_bytes++;
    json->hash = tensors_name_add(json->hash, byte);
}

static bool
take(struct sf_tensors *tensors, uint8_t byte)
{
    struct safetensors *json = &tensors->of.safetensors;

    if (json->token == JSON_STRING) {
        take_in_string(json, byte);
        return true;
    }
    if (json->token == JSON_BETWEEN) {
        return take_between(tensors, byte);
    }
    if (memchr(" \t\r\n,]}", byte, 7) != NULL) {
        if (json->token == JSON_NUMBER) {
            end_number(json);
        }
        json->token = JSON_BETWEEN;
        return take_between(tensors, byte);
    }
    json->is_odd_number |= byte < '0' || byte > '9' || ++json->text_bytes > DIGITS_MAX;
    if (!json->is_odd_number) {
        json->number = json->number * 10 + (uint64_t)(byte - '0');
    }
    return true;
}

enum tensors_step
safetensors_read(struct sf_tensors *tensors, struct sf_view bytes)
{
    const struct safetensors *json = &tensors->of.safetensors;

    for (size_t i = 0; i < bytes.bytes && tensors->at < json->data_at; i++) {
        if (!take(tensors, bytes.data[i])) {
            return TENSORS_ODD;
        }
        tensors->at++;
        tensors->looked_at++;
    }
    if (tensors->at < json->data_at) {
        return TENSORS_MORE;
    }
    return json->is_over ? TENSORS_DONE : TENSORS_ODD;
}
