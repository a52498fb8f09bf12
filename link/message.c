/*
 * message.c - varints and fields of the messages inside a datagram.
 */
#include "link/message.h"

#include "base/assert.h"

void
sf_message_writer_init(struct sf_message_writer *writer, uint8_t *data, size_t bytes_max)
{
    writer->data = data;
    writer->bytes = 0;
    writer->bytes_max = bytes_max;
    writer->is_full = false;
}

size_t
sf_message_begin(struct sf_message_writer *writer, enum sf_message_type type)
{
    size_t begin = writer->bytes;

    writer->is_full = false;
    sf_message_put_u8(writer, (uint8_t)type);
    return begin;
}

bool
sf_message_end(struct sf_message_writer *writer, size_t begin)
{
    bool fitted = !writer->is_full;

    sf_assert(begin <= writer->bytes);
    if (!fitted) {
        writer->bytes = begin;
        writer->is_full = false;
    }
    return fitted;
}

void
sf_message_put_bytes(struct sf_message_writer *writer, const void *data, size_t bytes)
{
    if (writer->is_full || bytes > sf_message_room(writer)) {
        writer->is_full = true;
        return;
    }
    if (bytes > 0) {
        memcpy(writer->data + writer->bytes, data, bytes);
    }
    writer->bytes += bytes;
}

void
sf_message_put_u8(struct sf_message_writer *writer, uint8_t value)
{
    sf_message_put_bytes(writer, &value, 1);
}

void
sf_message_put_u64(struct sf_message_writer *writer, uint64_t value)
{
    uint8_t field[8];

    sf_put_be64(field, value);
    sf_message_put_bytes(writer, field, sizeof(field));
}

void
sf_message_put_varint(struct sf_message_writer *writer, uint64_t value)
{
    uint8_t field[SF_MESSAGE_VARINT_BYTES_MAX];
    size_t bytes = 0;

    sf_assert(value >> 63 == 0);
    do {
        uint8_t more = value > 0x7f ? 0x80 : 0;

        field[bytes++] = (uint8_t)((value & 0x7f) | more);
        value >>= 7;
    } while (value > 0);
    sf_message_put_bytes(writer, field, bytes);
}

size_t
sf_message_varint_bytes(uint64_t value)
{
    size_t bytes = 1;

    while (value > 0x7f) {
        value >>= 7;
        bytes++;
    }
    return bytes;
}

void
sf_message_reader_init(struct sf_message_reader *reader, struct sf_view view)
{
    reader->at = view.data;
    reader->end = view.bytes > 0 ? view.data + view.bytes : view.data;
    reader->is_bad = false;
}

struct sf_view
sf_message_get_bytes(struct sf_message_reader *reader, uint64_t bytes)
{
    struct sf_view view = {NULL, 0};

    if (reader->is_bad || bytes > sf_message_left(reader)) {
        reader->is_bad = true;
        return view;
    }
    view = sf_view(reader->at, (size_t)bytes);
    if (bytes > 0) {
        reader->at += bytes;
    }
    return view;
}

uint8_t
sf_message_get_u8(struct sf_message_reader *reader)
{
    struct sf_view view = sf_message_get_bytes(reader, 1);

    return view.bytes == 1 ? view.data[0] : 0;
}

uint64_t
sf_message_get_u64(struct sf_message_reader *reader)
{
    struct sf_view view = sf_message_get_bytes(reader, 8);

    return view.bytes == 8 ? sf_get_be64(view.data) : 0;
}

uint64_t
sf_message_get_varint(struct sf_message_reader *reader)
{
    uint64_t value = 0;
    unsigned i;

    for (i = 0; i < SF_MESSAGE_VARINT_BYTES_MAX; i++) {
        uint8_t byte = sf_message_get_u8(reader);

        if (reader->is_bad) {
            return 0;
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            /* A last byte of zero means a shorter form exists. */
            if (byte == 0 && i > 0) {
                break;
            }
            return value;
        }
    }
    reader->is_bad = true;
    return 0;
}
