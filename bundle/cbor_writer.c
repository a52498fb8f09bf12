/*
 * cbor_writer.c - the writer of deterministic CBOR, over libcbor's encoders.
 */
#include "bundle/cbor.h"

#include <cbor.h>

size_t
sf_cbor_head_bytes(uint64_t value)
{
    if (value < 24) {
        return 1;
    }
    return value <= UINT8_MAX ? 2 : value <= UINT16_MAX ? 3 : value <= UINT32_MAX ? 5 : 9;
}

void
sf_cbor_writer_init(struct sf_cbor_writer *writer, uint8_t *out, size_t bytes_max)
{
    *writer = (struct sf_cbor_writer){.data = out, .bytes_max = bytes_max, .status = SF_OK};
}

/* Room for `bytes` more, counted as written. False if there is none; the failure sticks. */
static bool
reserve(struct sf_cbor_writer *writer, size_t bytes)
{
    if (writer->status != SF_OK) {
        return false;
    }
    if (bytes > writer->bytes_max - writer->bytes) {
        writer->status = SF_ELIMIT;
        return false;
    }
    writer->bytes += bytes;
    return true;
}

static void
append(struct sf_cbor_writer *writer, const uint8_t *data, size_t bytes)
{
    if (reserve(writer, bytes) && writer->data != NULL && bytes > 0) {
        memcpy(writer->data + writer->bytes - bytes, data, bytes);
    }
}

/* A string, kept in one piece: head and bytes go in together or not at all. */
static uint8_t *
append_string(struct sf_cbor_writer *writer, const uint8_t *head, size_t head_bytes, size_t bytes)
{
    uint8_t *at;

    if (bytes > SIZE_MAX - head_bytes) {
        writer->status = SF_ELIMIT;
        return NULL;
    }
    if (!reserve(writer, head_bytes + bytes) || writer->data == NULL) {
        return NULL;
    }
    at = writer->data + writer->bytes - bytes;
    memcpy(at - head_bytes, head, head_bytes);
    return at;
}

void
sf_cbor_write_uint(struct sf_cbor_writer *writer, uint64_t value)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    append(writer, head, cbor_encode_uint(value, head, sizeof(head)));
}

void
sf_cbor_write_int(struct sf_cbor_writer *writer, int64_t value)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    if (value >= 0) {
        sf_cbor_write_uint(writer, (uint64_t)value);
    } else {
        append(writer, head, cbor_encode_negint((uint64_t)(-1 - value), head, sizeof(head)));
    }
}

void
sf_cbor_write_bool(struct sf_cbor_writer *writer, bool value)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    append(writer, head, cbor_encode_bool(value, head, sizeof(head)));
}

void
sf_cbor_write_null(struct sf_cbor_writer *writer)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    append(writer, head, cbor_encode_null(head, sizeof(head)));
}

void
sf_cbor_write_tag(struct sf_cbor_writer *writer, uint64_t tag)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    append(writer, head, cbor_encode_tag(tag, head, sizeof(head)));
}

void
sf_cbor_write_array(struct sf_cbor_writer *writer, uint64_t count)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    append(writer, head, cbor_encode_array_start((size_t)count, head, sizeof(head)));
}

void
sf_cbor_write_map(struct sf_cbor_writer *writer, uint64_t count)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    append(writer, head, cbor_encode_map_start((size_t)count, head, sizeof(head)));
}

uint8_t *
sf_cbor_write_space(struct sf_cbor_writer *writer, size_t bytes)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];

    return append_string(
        writer, head, cbor_encode_bytestring_start(bytes, head, sizeof(head)), bytes);
}

void
sf_cbor_write_bytes(struct sf_cbor_writer *writer, struct sf_view bytes)
{
    uint8_t *at = sf_cbor_write_space(writer, bytes.bytes);

    if (at != NULL && bytes.bytes > 0) {
        memcpy(at, bytes.data, bytes.bytes);
    }
}

void
sf_cbor_write_text_view(struct sf_cbor_writer *writer, struct sf_view text)
{
    uint8_t head[SF_CBOR_HEAD_BYTES_MAX];
    size_t head_bytes = cbor_encode_string_start(text.bytes, head, sizeof(head));
    uint8_t *at = append_string(writer, head, head_bytes, text.bytes);

    if (at != NULL && text.bytes > 0) {
        memcpy(at, text.data, text.bytes);
    }
}

void
sf_cbor_write_text(struct sf_cbor_writer *writer, const char *text)
{
    sf_cbor_write_text_view(writer, sf_view(text, strlen(text)));
}

void
sf_cbor_write_raw(struct sf_cbor_writer *writer, struct sf_view encoded)
{
    append(writer, encoded.data, encoded.bytes);
}

int
sf_cbor_finish(const struct sf_cbor_writer *writer, size_t *ret_bytes)
{
    if (writer->status == SF_OK) {
        *ret_bytes = writer->bytes;
    }
    return writer->status;
}
