/*
 * tensors_gguf.c - the header of a GGUF file, version 2 or 3, little endian.
 *
 *     "GGUF", version (4), tensors (8), pairs (8)
 *     pairs:  key, type (4), value
 *     infos:  name, dimensions (4), each (8), type (4), offset (8)
 *     padding to the alignment, then the data, to which the offsets count
 *
 * A string is its length (8) and its bytes. Keys and values are passed over, but for the
 * alignment; long values are skipped, not read.
 */
#include "bundle/tensors_impl.h"

enum {
    HEAD_BYTES = 24,
    VERSION_MIN = 2,
    VERSION_MAX = 3,
    PAIRS_MAX = 65536,
    STRINGS_MAX = 4 << 20, /* in an array: a large vocabulary has 256,000 */
    NAME_BYTES_MAX = 1024,
    DIMENSIONS_MAX = 8,
    ALIGNMENT_DEFAULT = 32,
    ALIGNMENT_MAX = 1 << 20,
    TYPE_UINT32 = 4,
    TYPE_STRING = 8,
    TYPE_ARRAY = 9,
    ARRAY_HEAD_BYTES = 12,
};

/* Bytes of a value of each type; 0: a string, an array, or unknown. */
static const uint8_t value_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

enum { VALUE_TYPES = sizeof(value_bytes) / sizeof(value_bytes[0]) };

struct type {
    uint16_t number; /* as ggml counts them */
    uint16_t block;  /* elements in each */
    uint16_t bytes;
    enum sf_element element;
};

static const struct type types[] = {
    {0, 1, 4, SF_ELEMENT_FP32},
    {1, 1, 2, SF_ELEMENT_FP16},
    {2, 32, 18, SF_ELEMENT_Q4_0},
    {3, 32, 20, SF_ELEMENT_Q4_1},
    {6, 32, 22, SF_ELEMENT_Q5_0},
    {7, 32, 24, SF_ELEMENT_Q5_1},
    {8, 32, 34, SF_ELEMENT_Q8_0},
    {10, 256, 84, SF_ELEMENT_Q2_K},
    {11, 256, 110, SF_ELEMENT_Q3_K},
    {12, 256, 144, SF_ELEMENT_Q4_K},
    {13, 256, 176, SF_ELEMENT_Q5_K},
    {14, 256, 210, SF_ELEMENT_Q6_K},
    {24, 1, 1, SF_ELEMENT_INT8},
    {25, 1, 2, SF_ELEMENT_INT16},
    {26, 1, 4, SF_ELEMENT_INT32},
    {27, 1, 8, SF_ELEMENT_INT64},
    {28, 1, 8, SF_ELEMENT_FP64},
    {30, 1, 2, SF_ELEMENT_BF16},
};

/* What one item came to. */
enum taken {
    TAKEN,
    SHORT, /* not all of it is in the window */
    ODD,
};

/* What is left of a window. */
struct cursor {
    struct sf_tensors *tensors;
    const uint8_t *data;
    size_t left;
};

/* Move on by `bytes`, past the window if need be. */
static void
skip(struct cursor *cursor, uint64_t bytes)
{
    size_t inside = bytes < cursor->left ? (size_t)bytes : cursor->left;

    cursor->tensors->at += bytes;
    cursor->tensors->looked_at += inside;
    cursor->data += inside;
    cursor->left -= inside;
}

static enum taken
take_head(struct cursor *cursor)
{
    struct gguf *gguf = &cursor->tensors->of.gguf;
    uint32_t version;

    if (cursor->left < HEAD_BYTES) {
        return SHORT;
    }
    version = le32(cursor->data + 4);
    gguf->infos_left = le64(cursor->data + 8);
    gguf->pairs_left = le64(cursor->data + 16);
    if (version < VERSION_MIN || version > VERSION_MAX || gguf->infos_left > SF_TENSORS_MAX ||
        gguf->pairs_left > PAIRS_MAX) {
        return ODD;
    }
    gguf->alignment = ALIGNMENT_DEFAULT;
    gguf->state = GGUF_PAIR;
    skip(cursor, HEAD_BYTES);
    return TAKEN;
}

static enum taken
take_array(struct cursor *cursor, size_t head_bytes)
{
    struct gguf *gguf = &cursor->tensors->of.gguf;
    uint32_t type;
    uint64_t count;

    if (cursor->left < head_bytes + ARRAY_HEAD_BYTES) {
        return SHORT;
    }
    type = le32(cursor->data + head_bytes);
    count = le64(cursor->data + head_bytes + 4);
    if (type == TYPE_STRING && count <= STRINGS_MAX) {
        gguf->strings_left = count;
        gguf->state = GGUF_STRINGS;
        skip(cursor, head_bytes + ARRAY_HEAD_BYTES);
        return TAKEN;
    }
    if (type >= VALUE_TYPES || value_bytes[type] == 0 ||
        count > SF_TENSORS_HEADER_BYTES_MAX / value_bytes[type]) {
        return ODD;
    }
    skip(cursor, head_bytes + ARRAY_HEAD_BYTES + count * value_bytes[type]);
    return TAKEN;
}

static enum taken
take_string(struct cursor *cursor, size_t head_bytes)
{
    uint64_t bytes;

    if (cursor->left < head_bytes + 8) {
        return SHORT;
    }
    bytes = le64(cursor->data + head_bytes);
    if (bytes > SF_TENSORS_HEADER_BYTES_MAX) {
        return ODD;
    }
    skip(cursor, head_bytes + 8 + bytes);
    return TAKEN;
}

static enum taken
take_alignment(struct cursor *cursor, size_t head_bytes)
{
    uint32_t alignment;

    if (cursor->left < head_bytes + 4) {
        return SHORT;
    }
    alignment = le32(cursor->data + head_bytes);
    if (alignment == 0 || alignment > ALIGNMENT_MAX) {
        return ODD;
    }
    cursor->tensors->of.gguf.alignment = alignment;
    skip(cursor, head_bytes + 4);
    return TAKEN;
}

static enum taken
take_pair(struct cursor *cursor)
{
    static const char alignment_key[] = "general.alignment";
    struct gguf *gguf = &cursor->tensors->of.gguf;
    enum taken taken;
    uint64_t key_bytes;
    size_t head_bytes;
    uint32_t type;

    if (cursor->left < 8) {
        return SHORT;
    }
    key_bytes = le64(cursor->data);
    if (key_bytes > NAME_BYTES_MAX) {
        return ODD;
    }
    head_bytes = 8 + (size_t)key_bytes + 4;
    if (cursor->left < head_bytes) {
        return SHORT;
    }
    type = le32(cursor->data + head_bytes - 4);
    if (type == TYPE_ARRAY) {
        taken = take_array(cursor, head_bytes);
    } else if (type == TYPE_STRING) {
        taken = take_string(cursor, head_bytes);
    } else if (type == TYPE_UINT32 && key_bytes == sizeof(alignment_key) - 1 &&
               memcmp(cursor->data + 8, alignment_key, (size_t)key_bytes) == 0) {
        taken = take_alignment(cursor, head_bytes);
    } else if (type < VALUE_TYPES) {
        skip(cursor, head_bytes + value_bytes[type]);
        taken = TAKEN;
    } else {
        taken = ODD;
    }
    gguf->pairs_left -= taken == TAKEN ? 1 : 0;
    return taken;
}

/* The elements of a tensor, or 0 if they are none or beyond any file. */
static uint64_t
count_elements(const uint8_t *dimensions, uint32_t count)
{
    uint64_t elements = 1;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t dimension = le64(dimensions + (size_t)i * 8);

        if (dimension == 0 || elements > (UINT64_C(1) << 56) / dimension) {
            return 0;
        }
        elements *= dimension;
    }
    return elements;
}

/* The offset is kept as it stands until the end of the infos is known. */
static bool
add_info(struct sf_tensors *tensors, uint32_t type, uint64_t elements, struct sf_tensor tensor)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].number == type) {
            tensor.element = types[i].element;
            tensor.bytes = elements / types[i].block * types[i].bytes;
            return tensors_add(tensors, &tensor);
        }
    }
    return true;
}

static uint64_t
hash_name(const uint8_t *name, size_t bytes)
{
    uint64_t hash = TENSORS_NAME_BEGIN;

    for (size_t i = 0; i < bytes; i++) {
        hash = tensors_name_add(hash, name[i]);
    }
    return hash;
}

static enum taken
take_info(struct cursor *cursor)
{
    struct gguf *gguf = &cursor->tensors->of.gguf;
    struct sf_tensor tensor = {.bytes = 0};
    uint64_t name_bytes;
    uint32_t dimensions;
    size_t at;

    if (cursor->left < 8) {
        return SHORT;
    }
    name_bytes = le64(cursor->data);
    if (name_bytes > NAME_BYTES_MAX) {
        return ODD;
    }
    at = 8 + (size_t)name_bytes;
    if (cursor->left < at + 4) {
        return SHORT;
    }
    dimensions = le32(cursor->data + at);
    if (dimensions > DIMENSIONS_MAX) {
        return ODD;
    }
    at += 4;
    if (cursor->left < at + dimensions * 8U + 12) {
        return SHORT;
    }
    tensor.offset = le64(cursor->data + at + dimensions * 8U + 4);
    tensor.name = hash_name(cursor->data + 8, (size_t)name_bytes);
    if (!add_info(cursor->tensors, le32(cursor->data + at + dimensions * 8U),
            count_elements(cursor->data + at, dimensions), tensor)) {
        return ODD;
    }
    gguf->infos_left--;
    skip(cursor, at + dimensions * 8U + 12);
    return TAKEN;
}

/* The data begins behind the infos: now every tensor has its place. */
static void
place_tensors(struct sf_tensors *tensors)
{
    uint64_t align = tensors->of.gguf.alignment;
    uint64_t data_at = (tensors->at + align - 1) / align * align;
    size_t kept = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        struct sf_tensor tensor = tensors->list[i];

        if (data_at < tensors->file_bytes && tensor.bytes <= tensors->file_bytes - data_at &&
            tensor.offset <= tensors->file_bytes - data_at - tensor.bytes) {
            tensor.offset += data_at;
            tensors->list[kept++] = tensor;
        }
    }
    tensors->count = kept;
}

enum tensors_step
gguf_read(struct sf_tensors *tensors, struct sf_view bytes)
{
    struct gguf *gguf = &tensors->of.gguf;
    struct cursor cursor = {tensors, bytes.data, bytes.bytes};
    enum taken taken = TAKEN;

    while (taken == TAKEN) {
        if (gguf->state == GGUF_PAIR && gguf->pairs_left == 0) {
            gguf->state = GGUF_INFO;
        }
        if (gguf->state == GGUF_STRINGS && gguf->strings_left == 0) {
            gguf->state = GGUF_PAIR;
            continue;
        }
        if (gguf->state == GGUF_INFO && gguf->infos_left == 0) {
            place_tensors(tensors);
            return TENSORS_DONE;
        }
        switch (gguf->state) {
        case GGUF_HEAD:
            taken = take_head(&cursor);
            break;
        case GGUF_PAIR:
            taken = take_pair(&cursor);
            break;
        case GGUF_STRINGS:
            taken = take_string(&cursor, 0);
            gguf->strings_left -= taken == TAKEN ? 1 : 0;
            break;
        case GGUF_INFO:
            taken = take_info(&cursor);
            break;
        }
    }
    return taken == ODD ? TENSORS_ODD : TENSORS_MORE;
}
