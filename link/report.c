/*
 * report.c - writes and reads REPORT messages; the format stands in report.h.
 */
#include "link/report.h"

#include "base/assert.h"

enum {
    FLAG_STATE = 3,
    FLAG_LAST = 4,
    FLAG_KEPT = 8,
    FLAGS_KNOWN = FLAG_STATE | FLAG_LAST | FLAG_KEPT,
    LENGTH_AT = 1,                                  /* of the u16, from the message's start */
    RUN_END_BYTES = 6 + 1,                          /* a run that ends the section */
    RUN_BYTES_MAX = 2 * SF_MESSAGE_VARINT_BYTES_MAX /* any run */
};

#define UNITS_MAX (SF_LINK_OBJECT_BYTES_MAX / SF_OBJECT_UNIT)

/* --- Writing -------------------------------------------------------------------- */

bool
sf_report_begin(struct sf_report_encoder *encoder, struct sf_message_writer *writer,
    const struct sf_report *report)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_REPORT);

    sf_message_put_bytes(writer, "\0\0", 2); /* the length, when it is known */
    sf_message_put_u64(writer, report->number);
    sf_message_put_u64(writer, report->epoch);
    sf_message_put_varint(writer, report->counter);
    sf_message_put_varint(writer, report->held_us);
    sf_message_put_varint(writer, report->ip_bytes);
    sf_message_put_varint(writer, report->bytes_per_second);
    sf_message_put_varint(writer, report->arrived_us);
    sf_message_put_varint(writer, report->ce_dgrams);
    sf_message_put_varint(writer, report->loss.received);
    sf_message_put_varint(writer, report->loss.lost);
    sf_message_put_varint(writer, report->loss.gaps);
    if (!sf_message_end(writer, begin)) {
        return false;
    }
    encoder->writer = writer;
    encoder->begin = begin;
    return true;
}

bool
sf_report_state_section(struct sf_report_encoder *encoder, uint32_t handle,
    enum sf_report_state state, uint8_t revision)
{
    struct sf_message_writer *writer = encoder->writer;

    sf_assert(state != SF_REPORT_MAP);
    if (sf_message_room(writer) < SF_REPORT_SECTION_BYTES_MAX) {
        return false;
    }
    sf_message_put_u8(writer, (uint8_t)state);
    sf_message_put_varint(writer, handle);
    if (state == SF_REPORT_HEARD) {
        sf_message_put_u8(writer, revision);
    }
    return true;
}

bool
sf_report_map_begin(struct sf_report_encoder *encoder, const struct sf_report_section *head)
{
    struct sf_message_writer *writer = encoder->writer;

    if (sf_message_room(writer) < SF_REPORT_SECTION_BYTES_MAX + RUN_BYTES_MAX) {
        return false;
    }
    encoder->section = writer->bytes;
    encoder->run_from = head->base;
    encoder->run_to = head->base;
    sf_message_put_u8(writer, SF_REPORT_MAP);
    sf_message_put_varint(writer, head->handle);
    sf_message_put_u8(writer, head->revision);
    sf_message_put_u8(writer, head->is_paused ? 1 : 0);
    sf_message_put_varint(writer, head->base / SF_OBJECT_UNIT);
    return true;
}

bool
sf_report_map_add(struct sf_report_encoder *encoder, uint64_t from, uint64_t to)
{
    struct sf_message_writer *writer = encoder->writer;
    uint64_t received = (encoder->run_to - encoder->run_from) / SF_OBJECT_UNIT;
    uint64_t missing = (from - encoder->run_to) / SF_OBJECT_UNIT;

    sf_assert(from >= encoder->run_to && from < to);
    if (missing == 0) {
        encoder->run_to = to;
        return true;
    }
    if (sf_message_room(writer) <
        sf_message_varint_bytes(received) + sf_message_varint_bytes(missing) + RUN_END_BYTES) {
        return false;
    }
    sf_message_put_varint(writer, received);
    sf_message_put_varint(writer, missing);
    encoder->run_from = from;
    encoder->run_to = to;
    return true;
}

uint64_t
sf_report_map_end(struct sf_report_encoder *encoder, const struct sf_report_section *head)
{
    struct sf_message_writer *writer = encoder->writer;

    sf_message_put_varint(writer, (encoder->run_to - encoder->run_from) / SF_OBJECT_UNIT);
    sf_message_put_varint(writer, 0);
    sf_assert(!writer->is_full);
    writer->data[encoder->section] = (uint8_t)(SF_REPORT_MAP | (head->is_last ? FLAG_LAST : 0) |
                                               (head->is_kept ? FLAG_KEPT : 0));
    return encoder->run_to;
}

void
sf_report_end(struct sf_report_encoder *encoder)
{
    struct sf_message_writer *writer = encoder->writer;
    size_t bytes = writer->bytes - encoder->begin - LENGTH_AT - 2;

    sf_assert(!writer->is_full && bytes <= UINT16_MAX);
    sf_put_be16(writer->data + encoder->begin + LENGTH_AT, (uint16_t)bytes);
}

/* --- Reading -------------------------------------------------------------------- */

/* One section's head; false if it is malformed. */
static bool
read_head(struct sf_message_reader *reader, struct sf_report_section *ret_section)
{
    uint8_t flags = sf_message_get_u8(reader);
    uint64_t handle = sf_message_get_varint(reader);
    uint64_t base = 0;
    uint8_t paused = 0;

    *ret_section = (struct sf_report_section){.state = (enum sf_report_state)(flags & FLAG_STATE)};
    if (reader->is_bad || (flags & ~FLAGS_KNOWN) != 0 || handle == 0 ||
        handle > SF_OBJECT_HANDLE_MAX) {
        return false;
    }
    if (ret_section->state == SF_REPORT_MAP) {
        ret_section->revision = sf_message_get_u8(reader);
        paused = sf_message_get_u8(reader);
        base = sf_message_get_varint(reader);
    } else if (flags != ret_section->state) {
        return false;
    } else if (ret_section->state == SF_REPORT_HEARD) {
        ret_section->revision = sf_message_get_u8(reader);
    }
    if (reader->is_bad || paused > 1 || base > UNITS_MAX) {
        return false;
    }
    ret_section->handle = (uint32_t)handle;
    ret_section->is_last = (flags & FLAG_LAST) != 0;
    ret_section->is_kept = (flags & FLAG_KEPT) != 0;
    ret_section->is_paused = paused != 0;
    ret_section->base = base * SF_OBJECT_UNIT;
    return true;
}

static bool
check_section(struct sf_message_reader *reader)
{
    struct sf_report_section section;
    uint64_t at;
    bool is_first = true;

    if (!read_head(reader, &section)) {
        return false;
    }
    if (section.state != SF_REPORT_MAP) {
        return true;
    }
    at = section.base / SF_OBJECT_UNIT;
    for (;;) {
        uint64_t received = sf_message_get_varint(reader);
        uint64_t missing = sf_message_get_varint(reader);

        if (reader->is_bad || (received == 0 && !is_first) || received > UNITS_MAX - at ||
            missing > UNITS_MAX - at - received) {
            return false;
        }
        if (missing == 0) {
            return true;
        }
        at += received + missing;
        is_first = false;
    }
}

int
sf_report_decode(struct sf_message_reader *reader, struct sf_report *ret_report,
    struct sf_report_decoder *ret_decoder)
{
    struct sf_message_reader body;
    struct sf_message_reader sections;
    struct sf_report report;
    uint64_t arrived_us;
    struct sf_view length = sf_message_get_bytes(reader, 2);
    struct sf_view view;

    if (reader->is_bad) {
        return SF_EFORMAT;
    }
    view = sf_message_get_bytes(reader, sf_get_be16(length.data));
    if (reader->is_bad) {
        return SF_EFORMAT;
    }
    sf_message_reader_init(&body, view);
    report.number = sf_message_get_u64(&body);
    report.epoch = sf_message_get_u64(&body);
    report.counter = sf_message_get_varint(&body);
    report.held_us = sf_message_get_varint(&body);
    report.ip_bytes = sf_message_get_varint(&body);
    report.bytes_per_second = sf_message_get_varint(&body);
    arrived_us = sf_message_get_varint(&body);
    report.ce_dgrams = sf_message_get_varint(&body);
    report.loss.received = sf_message_get_varint(&body);
    report.loss.lost = sf_message_get_varint(&body);
    report.loss.gaps = sf_message_get_varint(&body);
    if (body.is_bad || arrived_us > UINT32_MAX) {
        return SF_EFORMAT;
    }
    report.arrived_us = (uint32_t)arrived_us;
    sections = body;
    while (sf_message_left(&body) > 0) {
        if (!check_section(&body)) {
            return SF_EFORMAT;
        }
    }
    *ret_report = report;
    ret_decoder->reader = sections;
    ret_decoder->at = 0;
    ret_decoder->is_in_map = false;
    return SF_OK;
}

bool
sf_report_next_section(struct sf_report_decoder *decoder, struct sf_report_section *ret_section)
{
    struct sf_range received;
    uint64_t missing;

    while (sf_report_next_run(decoder, &received, &missing)) {
    }
    if (sf_message_left(&decoder->reader) == 0) {
        return false;
    }
    if (!read_head(&decoder->reader, ret_section)) {
        sf_assert(false); /* it was checked by decode */
    }
    decoder->is_in_map = ret_section->state == SF_REPORT_MAP;
    decoder->at = ret_section->base;
    return true;
}

bool
sf_report_next_run(
    struct sf_report_decoder *decoder, struct sf_range *ret_received, uint64_t *ret_missing)
{
    if (!decoder->is_in_map) {
        return false;
    }
    ret_received->from = decoder->at;
    ret_received->to = decoder->at + sf_message_get_varint(&decoder->reader) * SF_OBJECT_UNIT;
    *ret_missing = sf_message_get_varint(&decoder->reader) * SF_OBJECT_UNIT;
    decoder->at = ret_received->to + *ret_missing;
    decoder->is_in_map = *ret_missing != 0;
    return true;
}
