/*
 * cbor.c - the strict reader of deterministic CBOR.
 *
 * libcbor tells us one head (and for strings, where the bytes are) per call; all
 * rules are ours: shortest forms by how many bytes the head took, order of keys by
 * comparing their encodings, ends of containers by counting down.
 */
#include "bundle/cbor.h"

#include <cbor.h>

enum { MAJOR_TAG = 6 };

/* What one call of the streaming decoder found. */
struct item {
    enum sf_cbor_type type;
    uint64_t value; /* number, length, count, tag or bool */
    const uint8_t *data;
    size_t bytes; /* of the whole item, without what a container holds */
};

/* --- libcbor's callbacks: each fills a struct item ------------------------------ */

static void
found(void *context, enum sf_cbor_type type, uint64_t value)
{
    struct item *item = context;

    item->type = type;
    item->value = value;
}

static void
on_uint8(void *context, uint8_t value)
{
    found(context, SF_CBOR_UINT, value);
}

static void
on_uint16(void *context, uint16_t value)
{
    found(context, SF_CBOR_UINT, value);
}

static void
on_uint32(void *context, uint32_t value)
{
    found(context, SF_CBOR_UINT, value);
}

static void
on_uint64(void *context, uint64_t value)
{
    found(context, SF_CBOR_UINT, value);
}

static void
on_negative8(void *context, uint8_t value)
{
    found(context, SF_CBOR_NEGATIVE, value);
}

static void
on_negative16(void *context, uint16_t value)
{
    found(context, SF_CBOR_NEGATIVE, value);
}

static void
on_negative32(void *context, uint32_t value)
{
    found(context, SF_CBOR_NEGATIVE, value);
}

static void
on_negative64(void *context, uint64_t value)
{
    found(context, SF_CBOR_NEGATIVE, value);
}

static void
on_bytes(void *context, cbor_data data, size_t bytes)
{
    found(context, SF_CBOR_BYTES, bytes);
    ((struct item *)context)->data = data;
}

static void
on_text(void *context, cbor_data data, size_t bytes)
{
    found(context, SF_CBOR_TEXT, bytes);
    ((struct item *)context)->data = data;
}

static void
on_array(void *context, size_t count)
{
    found(context, SF_CBOR_ARRAY, count);
}

static void
on_map(void *context, size_t count)
{
    found(context, SF_CBOR_MAP, count);
}

/* Never called: see decode(). */
static void
refuse_tag(void *context, uint64_t tag)
{
    (void)context;
    (void)tag;
}

static void
on_bool(void *context, bool value)
{
    found(context, SF_CBOR_BOOL, value);
}

static void
on_null(void *context)
{
    found(context, SF_CBOR_NULL, 0);
}

/* Indefinite lengths, breaks, undefined and floats: the type stays NONE, which is refused. */

static void
refuse(void *context)
{
    (void)context;
}

static void
refuse_float(void *context, float value)
{
    (void)context;
    (void)value;
}

static void
refuse_double(void *context, double value)
{
    (void)context;
    (void)value;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negative8,
    .negint16 = on_negative16,
    .negint32 = on_negative32,
    .negint64 = on_negative64,
    .byte_string = on_bytes,
    .byte_string_start = refuse,
    .string = on_text,
    .string_start = refuse,
    .array_start = on_array,
    .indef_array_start = refuse,
    .map_start = on_map,
    .indef_map_start = refuse,
    .tag = refuse_tag,
    .float2 = refuse_float,
    .float4 = refuse_float,
    .float8 = refuse_double,
    .undefined = refuse,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = refuse,
};

/* --- Reader: one item ------------------------------------------------------------- */

static int
fail(struct sf_cbor_reader *reader, int status)
{
    if (reader->status == SF_OK) {
        reader->status = status;
    }
    return reader->status;
}

void
sf_cbor_reader_init(struct sf_cbor_reader *reader, struct sf_view view)
{
    /* The levels are written when they are entered; clearing them would cost more than reading. */
    reader->view = view;
    reader->at = 0;
    reader->status = SF_OK;
    reader->depth = 0;
    reader->started = false;
}

static bool
at_end(const struct sf_cbor_reader *reader)
{
    return reader->started && reader->depth == 0;
}

enum sf_cbor_type
sf_cbor_peek(const struct sf_cbor_reader *reader)
{
    static const enum sf_cbor_type of_major[8] = {SF_CBOR_UINT, SF_CBOR_NEGATIVE, SF_CBOR_BYTES,
        SF_CBOR_TEXT, SF_CBOR_ARRAY, SF_CBOR_MAP, SF_CBOR_TAG, SF_CBOR_NONE};
    uint8_t first;

    if (reader->status != SF_OK || at_end(reader) || reader->at >= reader->view.bytes) {
        return SF_CBOR_NONE;
    }
    first = reader->view.data[reader->at];
    switch (first) {
    case 0xf4:
    case 0xf5:
        return SF_CBOR_BOOL;
    case 0xf6:
        return SF_CBOR_NULL;
    default:
        return of_major[first >> 5];
    }
}

/* Is `text` UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF? */
static bool
is_utf8(struct sf_view text)
{
    size_t at = 0;

    while (at < text.bytes) {
        uint8_t lead = text.data[at];
        size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        uint8_t low = 0x80;
        uint8_t high = 0xbf;

        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || more >= text.bytes - at) {
            return false;
        }
        /* The second byte alone tells overlong forms, surrogates and too large values. */
        switch (lead) {
        case 0xe0:
            low = 0xa0;
            break;
        case 0xed:
            high = 0x9f;
            break;
        case 0xf0:
            low = 0x90;
            break;
        case 0xf4:
            high = 0x8f;
            break;
        default:
            break;
        }
        for (size_t i = 1; i <= more; i++) {
            uint8_t byte = text.data[at + i];

            if (byte < low || byte > high) {
                return false;
            }
            low = 0x80;
            high = 0xbf;
        }
        at += more + 1;
    }
    return true;
}

/*
 * One head by libcbor. Its decoder knows only the tags that RFC 7049 named and
 * calls COSE's (16, 18) an error; as heads go a tag is a number of another major
 * type, so it is read as one.
 */
static bool
decode_head(const uint8_t *data, size_t left, struct item *item)
{
    struct cbor_decoder_result result;
    uint8_t number[SF_CBOR_HEAD_BYTES_MAX];
    bool is_tag = data[0] >> 5 == 6;

    if (is_tag) {
        left = left < sizeof(number) ? left : sizeof(number);
        memcpy(number, data, left);
        number[0] &= 0x1f;
        data = number;
    }
    result = cbor_stream_decode(data, left, &callbacks, item);
    if (result.status != CBOR_DECODER_FINISHED || item->type == SF_CBOR_NONE) {
        return false;
    }
    if (is_tag) {
        item->type = SF_CBOR_TAG;
    }
    item->bytes = result.read;
    return true;
}

/* Decode the head at the reader's place into `item`, with every rule that needs no context. */
static int
take(const struct sf_cbor_reader *reader, struct item *item)
{
    size_t left = reader->view.bytes - reader->at;
    size_t head;

    *item = (struct item){.type = SF_CBOR_NONE};
    if (left == 0) {
        return SF_EFORMAT;
    }
    if (!decode_head(reader->view.data + reader->at, left, item)) {
        return SF_EFORMAT;
    }
    head = item->bytes;
    switch (item->type) {
    case SF_CBOR_BYTES:
    case SF_CBOR_TEXT:
        head -= (size_t)item->value;
        break;
    case SF_CBOR_BOOL:
    case SF_CBOR_NULL:
        return SF_OK;
    default:
        break;
    }
    if (head != sf_cbor_head_bytes(item->value)) {
        return SF_EFORMAT;
    }
    if (item->type == SF_CBOR_TEXT && !is_utf8(sf_view(item->data, (size_t)item->value))) {
        return SF_EFORMAT;
    }
    return SF_OK;
}

/* A key must be a plain item, and stand after the key before it in bytewise order. */
static int
check_key(const struct sf_cbor_reader *reader, struct sf_cbor_level *level, const struct item *item)
{
    const uint8_t *key = reader->view.data + reader->at;
    const uint8_t *before = reader->view.data + level->key_at;
    size_t common = item->bytes < level->key_bytes ? item->bytes : level->key_bytes;
    int order;

    switch (item->type) {
    case SF_CBOR_UINT:
    case SF_CBOR_NEGATIVE:
    case SF_CBOR_BYTES:
    case SF_CBOR_TEXT:
        break;
    default:
        return SF_EFORMAT;
    }
    if (level->key_bytes > 0) {
        order = memcmp(key, before, common);
        /* Encodings are prefix-free, so equal up to the shorter one means equal. */
        if (order <= 0) {
            return SF_EFORMAT;
        }
    }
    level->key_at = reader->at;
    level->key_bytes = item->bytes;
    return SF_OK;
}

/* Enter a container of `items` items, each at least one byte long. */
static int
enter(struct sf_cbor_reader *reader, uint64_t items, bool is_map)
{
    if (items > reader->view.bytes - reader->at) {
        return SF_EFORMAT;
    }
    if (reader->depth == SF_CBOR_DEPTH_MAX) {
        return SF_ELIMIT;
    }
    reader->levels[reader->depth++] = (struct sf_cbor_level){.left = items, .is_map = is_map};
    return SF_OK;
}

/* Take the next item of any type and keep count of the containers it stands in. */
static int
next(struct sf_cbor_reader *reader, struct item *item)
{
    struct sf_cbor_level *level = reader->depth > 0 ? &reader->levels[reader->depth - 1] : NULL;
    int status;

    if (reader->status != SF_OK) {
        return reader->status;
    }
    if (at_end(reader)) {
        return fail(reader, SF_EFORMAT);
    }
    status = take(reader, item);
    if (status == SF_OK && level != NULL && level->is_map && level->left % 2 == 0) {
        status = check_key(reader, level, item);
    }
    if (status != SF_OK) {
        return fail(reader, status);
    }
    reader->started = true;
    reader->at += item->bytes;
    if (level != NULL) {
        level->left--;
    }
    switch (item->type) {
    case SF_CBOR_ARRAY:
        status = enter(reader, item->value, false);
        break;
    case SF_CBOR_MAP:
        status = item->value > UINT64_MAX / 2 ? SF_EFORMAT : enter(reader, item->value * 2, true);
        break;
    case SF_CBOR_TAG:
        status = enter(reader, 1, false);
        break;
    default:
        break;
    }
    if (status != SF_OK) {
        return fail(reader, status);
    }
    while (reader->depth > 0 && reader->levels[reader->depth - 1].left == 0) {
        reader->depth--;
    }
    return SF_OK;
}

/* The next item, which must be of `type` and its value at most `max`. */
static int
next_of(struct sf_cbor_reader *reader, enum sf_cbor_type type, uint64_t max, struct item *item)
{
    int status = next(reader, item);

    if (status != SF_OK) {
        return status;
    }
    if (item->type != type) {
        return fail(reader, SF_EFORMAT);
    }
    if (item->value > max) {
        return fail(reader, SF_ELIMIT);
    }
    return SF_OK;
}

/* --- Reader: the calls -------------------------------------------------------------- */

int
sf_cbor_read_uint(struct sf_cbor_reader *reader, uint64_t max, uint64_t *ret_value)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_UINT, max, &item);

    if (status == SF_OK) {
        *ret_value = item.value;
    }
    return status;
}

int
sf_cbor_read_int(struct sf_cbor_reader *reader, int64_t *ret_value)
{
    struct item item;
    int status = next(reader, &item);

    if (status != SF_OK) {
        return status;
    }
    if (item.type != SF_CBOR_UINT && item.type != SF_CBOR_NEGATIVE) {
        return fail(reader, SF_EFORMAT);
    }
    if (item.value > INT64_MAX) {
        return fail(reader, SF_ELIMIT);
    }
    *ret_value = item.type == SF_CBOR_UINT ? (int64_t)item.value : -1 - (int64_t)item.value;
    return SF_OK;
}

int
sf_cbor_read_bool(struct sf_cbor_reader *reader, bool *ret_value)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_BOOL, 1, &item);

    if (status == SF_OK) {
        *ret_value = item.value != 0;
    }
    return status;
}

int
sf_cbor_read_null(struct sf_cbor_reader *reader)
{
    struct item item;

    return next_of(reader, SF_CBOR_NULL, 0, &item);
}

int
sf_cbor_read_tag(struct sf_cbor_reader *reader, uint64_t *ret_tag)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_TAG, UINT64_MAX, &item);

    if (status == SF_OK) {
        *ret_tag = item.value;
    }
    return status;
}

int
sf_cbor_read_bytes(struct sf_cbor_reader *reader, size_t bytes_max, struct sf_view *ret_bytes)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_BYTES, bytes_max, &item);

    if (status == SF_OK) {
        *ret_bytes = sf_view(item.data, (size_t)item.value);
    }
    return status;
}

int
sf_cbor_read_text(struct sf_cbor_reader *reader, size_t bytes_max, struct sf_view *ret_text)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_TEXT, bytes_max, &item);

    if (status == SF_OK) {
        *ret_text = sf_view(item.data, (size_t)item.value);
    }
    return status;
}

int
sf_cbor_read_fixed(struct sf_cbor_reader *reader, uint8_t *out, size_t bytes)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_BYTES, UINT64_MAX, &item);

    if (status != SF_OK) {
        return status;
    }
    if (item.value != bytes) {
        return fail(reader, SF_EFORMAT);
    }
    if (bytes > 0) {
        memcpy(out, item.data, bytes);
    }
    return SF_OK;
}

int
sf_cbor_expect_uint(struct sf_cbor_reader *reader, uint64_t value)
{
    uint64_t found_value;
    int status = sf_cbor_read_uint(reader, UINT64_MAX, &found_value);

    if (status == SF_OK && found_value != value) {
        status = fail(reader, SF_EFORMAT);
    }
    return status;
}

int
sf_cbor_expect_text(struct sf_cbor_reader *reader, const char *text)
{
    struct sf_view found_text;
    int status = sf_cbor_read_text(reader, SIZE_MAX, &found_text);

    if (status == SF_OK && !sf_view_equal(found_text, sf_view(text, strlen(text)))) {
        status = fail(reader, SF_EFORMAT);
    }
    return status;
}

int
sf_cbor_read_array(struct sf_cbor_reader *reader, uint64_t count_max, uint64_t *ret_count)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_ARRAY, count_max, &item);

    if (status == SF_OK) {
        *ret_count = item.value;
    }
    return status;
}

int
sf_cbor_read_map(struct sf_cbor_reader *reader, uint64_t count_max, uint64_t *ret_count)
{
    struct item item;
    int status = next_of(reader, SF_CBOR_MAP, count_max, &item);

    if (status == SF_OK) {
        *ret_count = item.value;
    }
    return status;
}

int
sf_cbor_expect_array(struct sf_cbor_reader *reader, uint64_t count)
{
    uint64_t found_count;
    int status = sf_cbor_read_array(reader, UINT64_MAX, &found_count);

    if (status == SF_OK && found_count != count) {
        status = fail(reader, SF_EFORMAT);
    }
    return status;
}

int
sf_cbor_expect_map(struct sf_cbor_reader *reader, uint64_t count)
{
    uint64_t found_count;
    int status = sf_cbor_read_map(reader, UINT64_MAX, &found_count);

    if (status == SF_OK && found_count != count) {
        status = fail(reader, SF_EFORMAT);
    }
    return status;
}

int
sf_cbor_read_item(struct sf_cbor_reader *reader, struct sf_view *ret_item)
{
    size_t from = reader->at;
    unsigned depth = reader->depth;
    struct item item;
    int status;

    do {
        status = next(reader, &item);
    } while (status == SF_OK && reader->depth > depth);
    if (status == SF_OK && ret_item != NULL) {
        *ret_item = sf_view(reader->view.data + from, reader->at - from);
    }
    return status;
}

int
sf_cbor_end(struct sf_cbor_reader *reader)
{
    if (reader->status == SF_OK && (!at_end(reader) || reader->at != reader->view.bytes)) {
        return fail(reader, SF_EFORMAT);
    }
    return reader->status;
}
