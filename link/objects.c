/*
 * objects.c - OBJECT, DATA and WITHDRAWN, byte by byte.
 */
#include "link/objects.h"

#include "link/repair.h"

enum { FLAG_FINAL = 1, FLAG_ASK_MAP = 2, FLAGS_KNOWN = FLAG_FINAL | FLAG_ASK_MAP };

int
sf_object_check(const struct sf_link_object *object)
{
    uint64_t slots_max;

    if (object->class_bytes < SF_LINK_CLASS_BYTES_MIN ||
        object->class_bytes > SF_LINK_CLASS_BYTES_MAX ||
        object->class_bytes % SF_OBJECT_UNIT != 0) {
        return SF_EINVAL;
    }
    slots_max = SF_LINK_OBJECT_BYTES_MAX / object->class_bytes;
    if (object->count == 0 || object->count > slots_max ||
        object->first > slots_max - object->count) {
        return SF_EINVAL;
    }
    return SF_OK;
}

bool
sf_object_notice_encode(struct sf_message_writer *writer, const struct sf_object_notice *notice)
{
    const struct sf_link_object *object = &notice->object;
    size_t begin = sf_message_begin(writer, SF_MESSAGE_OBJECT);

    sf_message_put_varint(writer, notice->handle);
    sf_message_put_u8(writer, notice->revision);
    sf_message_put_u8(writer, (uint8_t)((object->is_count_final ? FLAG_FINAL : 0) |
                                        (notice->ask_map ? FLAG_ASK_MAP : 0)));
    sf_message_put_u8(writer, object->kind);
    sf_message_put_bytes(writer, object->transfer.b, sizeof(object->transfer.b));
    sf_message_put_varint(writer, object->first);
    sf_message_put_varint(writer, object->count);
    sf_message_put_varint(writer, object->class_bytes / SF_OBJECT_UNIT);
    return sf_message_end(writer, begin);
}

/* A handle, or 0 if it is none. */
static uint32_t
get_handle(struct sf_message_reader *reader)
{
    uint64_t handle = sf_message_get_varint(reader);

    return handle <= SF_OBJECT_HANDLE_MAX ? (uint32_t)handle : 0;
}

int
sf_object_notice_decode(struct sf_message_reader *reader, struct sf_object_notice *ret_notice)
{
    struct sf_object_notice notice = {0};
    struct sf_view transfer;
    uint64_t class_units;
    uint8_t flags;

    notice.handle = get_handle(reader);
    notice.revision = sf_message_get_u8(reader);
    flags = sf_message_get_u8(reader);
    notice.object.kind = sf_message_get_u8(reader);
    transfer = sf_message_get_bytes(reader, sizeof(notice.object.transfer.b));
    notice.object.first = sf_message_get_varint(reader);
    notice.object.count = sf_message_get_varint(reader);
    class_units = sf_message_get_varint(reader);
    if (reader->is_bad || notice.handle == 0 || (flags & ~FLAGS_KNOWN) != 0 ||
        class_units > SF_LINK_CLASS_BYTES_MAX / SF_OBJECT_UNIT) {
        return SF_EFORMAT;
    }
    memcpy(notice.object.transfer.b, transfer.data, transfer.bytes);
    notice.object.class_bytes = (uint32_t)class_units * SF_OBJECT_UNIT;
    notice.object.is_count_final = (flags & FLAG_FINAL) != 0;
    notice.ask_map = (flags & FLAG_ASK_MAP) != 0;
    if (sf_object_check(&notice.object) != SF_OK) {
        return SF_EFORMAT;
    }
    *ret_notice = notice;
    return SF_OK;
}

int
sf_object_segment_decode(struct sf_message_reader *reader, enum sf_message_type type,
    struct sf_object_segment *ret_segment)
{
    struct sf_object_segment segment;
    uint64_t units;
    uint64_t bytes;

    segment.handle = get_handle(reader);
    units = sf_message_get_varint(reader);
    bytes = type == SF_MESSAGE_DATA_SIZED ? sf_message_get_varint(reader) : sf_message_left(reader);
    segment.bytes = sf_message_get_bytes(reader, bytes);
    if (reader->is_bad || segment.handle == 0 ||
        units >= SF_LINK_OBJECT_BYTES_MAX / SF_OBJECT_UNIT || segment.bytes.bytes == 0 ||
        segment.bytes.bytes % SF_OBJECT_UNIT != 0) {
        return SF_EFORMAT;
    }
    segment.address = units * SF_OBJECT_UNIT;
    *ret_segment = segment;
    return SF_OK;
}

uint8_t *
sf_object_repair_encode(
    struct sf_message_writer *writer, const struct sf_object_repair *repair, size_t symbol_bytes)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_REPAIR);

    sf_message_put_varint(writer, repair->handle);
    sf_message_put_varint(writer, repair->address / SF_OBJECT_UNIT);
    sf_message_put_u8(writer, (uint8_t)(repair->symbols - 1));
    sf_message_put_varint(writer, symbol_bytes / SF_OBJECT_UNIT);
    sf_message_put_u8(writer, (uint8_t)repair->row);
    if (!sf_message_end(writer, begin)) {
        return NULL;
    }
    if (sf_message_room(writer) < symbol_bytes) {
        writer->bytes = begin;
        return NULL;
    }
    writer->bytes += symbol_bytes;
    return writer->data + writer->bytes - symbol_bytes;
}

int
sf_object_repair_decode(struct sf_message_reader *reader, struct sf_object_repair *ret_repair)
{
    struct sf_object_repair repair;
    uint64_t units;
    uint64_t symbol_units;

    repair.handle = get_handle(reader);
    units = sf_message_get_varint(reader);
    repair.symbols = (unsigned)sf_message_get_u8(reader) + 1;
    symbol_units = sf_message_get_varint(reader);
    repair.row = sf_message_get_u8(reader);
    if (reader->is_bad || repair.handle == 0 ||
        units >= SF_LINK_OBJECT_BYTES_MAX / SF_OBJECT_UNIT ||
        repair.symbols > SF_REPAIR_SYMBOLS_MAX || repair.row >= SF_REPAIR_ROWS_MAX ||
        symbol_units < SF_REPAIR_SYMBOL_BYTES_MIN / SF_OBJECT_UNIT ||
        symbol_units > SF_REPAIR_SYMBOL_BYTES_MAX / SF_OBJECT_UNIT) {
        return SF_EFORMAT;
    }
    repair.bytes = sf_message_get_bytes(reader, symbol_units * SF_OBJECT_UNIT);
    if (reader->is_bad) {
        return SF_EFORMAT;
    }
    repair.address = units * SF_OBJECT_UNIT;
    *ret_repair = repair;
    return SF_OK;
}

bool
sf_object_withdrawn_encode(struct sf_message_writer *writer, uint32_t handle)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_WITHDRAWN);

    sf_message_put_varint(writer, handle);
    return sf_message_end(writer, begin);
}

int
sf_object_withdrawn_decode(struct sf_message_reader *reader, uint32_t *ret_handle)
{
    uint32_t handle = get_handle(reader);

    if (reader->is_bad || handle == 0) {
        return SF_EFORMAT;
    }
    *ret_handle = handle;
    return SF_OK;
}
