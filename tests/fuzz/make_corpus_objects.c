/*
 * make_corpus_objects.c - writes the seeds of fuzz_report and
 * fuzz_object_messages; run by hand: make_corpus_objects $(srcdir)/tests/fuzz/corpus
 */
#include "link/objects.h"
#include "link/report.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { KIB = 1024, CLASS_BYTES = 16 * KIB };

static const char *root;
static uint8_t seed[65536];
static size_t seed_bytes;

static void
save(const char *target, const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", root, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(seed, 1, seed_bytes, file) != seed_bytes || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    seed_bytes = 0;
}

/* --- fuzz_report ---------------------------------------------------------------------------- */

/* One report behind `sent` datagrams: a hole of a segment in every `spacing` of them. */
static void
add_report(uint64_t number, uint8_t sent, uint64_t counter, struct sf_report_section head,
    uint64_t spacing)
{
    struct sf_report report = {.number = number,
        .epoch = UINT64_C(1) << 32 | 1,
        .counter = counter,
        .held_us = 9000,
        .arrived_us = (uint32_t)number * 12000,
        .ce_dgrams = number - 1};
    struct sf_report_encoder encoder;
    struct sf_message_writer writer;
    uint8_t message[2000];

    sf_message_writer_init(&writer, message, sizeof(message));
    sf_assert(sf_report_begin(&encoder, &writer, &report));
    if (head.state != SF_REPORT_MAP) {
        sf_assert(sf_report_state_section(&encoder, head.handle, head.state, head.revision));
    } else {
        uint64_t at = head.base;

        sf_assert(sf_report_map_begin(&encoder, &head));
        for (unsigned i = 0; spacing > 0 && i < 8; i++) {
            sf_assert(sf_report_map_add(&encoder, at, at + spacing * 576));
            at += (spacing + 1) * 576;
        }
        (void)sf_report_map_end(&encoder, &head);
    }
    sf_report_end(&encoder);
    sf_put_be16(seed + seed_bytes, (uint16_t)(writer.bytes - 1));
    seed[seed_bytes + 2] = sent;
    memcpy(seed + seed_bytes + 3, message + 1, writer.bytes - 1);
    seed_bytes += 3 + writer.bytes - 1;
}

static void
write_reports(void)
{
    struct sf_report_section map = {.state = SF_REPORT_MAP, .handle = 1, .is_last = true};
    struct sf_report_section state = {.handle = 1};

    add_report(1, 60, 50, map, 4);
    add_report(2, 60, 110, map, 5);
    save("report", "holes");
    map.is_last = false;
    add_report(1, 63, 62, map, 2);
    map.base = 16 * 576;
    add_report(2, 0xc0 | 20, 62, map, 1);
    save("report", "truncated");
    map.base = 0;
    map.is_last = true;
    map.is_kept = true;
    add_report(1, 63, 62, map, 60);
    save("report", "kept");
    map.handle = 2;
    map.is_kept = false;
    map.is_paused = true;
    map.base = 5 * CLASS_BYTES;
    add_report(1, 63, 62, map, 0);
    map.is_paused = false;
    add_report(2, 0x80 | 10, 63, map, 3);
    save("report", "paused");
    state.state = SF_REPORT_HEARD;
    add_report(1, 5, 4, state, 0);
    state.state = SF_REPORT_UNKNOWN;
    add_report(2, 5, 9, state, 0);
    state.state = SF_REPORT_DECLINED;
    add_report(3, 5, 14, state, 0);
    state.handle = 77;
    add_report(4, 5, 14, state, 0);
    save("report", "states");
}

/* --- fuzz_object_messages --------------------------------------------------------------------- */

static struct sf_message_writer dgram;
static uint8_t dgram_data[255];

static void
begin_dgram(void)
{
    sf_message_writer_init(&dgram, dgram_data, sizeof(dgram_data));
}

static void
end_dgram(uint8_t choice)
{
    seed[seed_bytes] = (uint8_t)dgram.bytes;
    seed[seed_bytes + 1] = choice;
    memcpy(seed + seed_bytes + 2, dgram_data, dgram.bytes);
    seed_bytes += 2 + dgram.bytes;
}

static void
add_notice(uint32_t handle, uint8_t name, uint32_t class_bytes, uint64_t count, bool is_final)
{
    struct sf_object_notice notice = {.handle = handle,
        .object = {
            .kind = 1, .count = count, .is_count_final = is_final, .class_bytes = class_bytes}};

    notice.object.transfer.b[0] = name;
    sf_assert(sf_object_notice_encode(&dgram, &notice));
}

static void
add_data(uint32_t handle, uint64_t address, size_t bytes)
{
    static const uint8_t zeros[240];
    size_t begin = sf_message_begin(&dgram, SF_MESSAGE_DATA);

    sf_message_put_varint(&dgram, handle);
    sf_message_put_varint(&dgram, address / SF_OBJECT_UNIT);
    sf_message_put_bytes(&dgram, zeros, bytes);
    sf_assert(sf_message_end(&dgram, begin));
}

/* A row of zeros, which repairs segments of zeros. */
static void
add_row(uint32_t handle, uint64_t address, unsigned symbols, unsigned row)
{
    const struct sf_object_repair repair = {
        .handle = handle, .address = address, .symbols = symbols, .row = row};
    uint8_t *bytes = sf_object_repair_encode(&dgram, &repair, 128);

    sf_assert(bytes != NULL);
    memset(bytes, 0, 128);
}

/* A bundle of 8 symbols, of which two come as rows; then rows that lie. */
static void
write_rows(void)
{
    begin_dgram();
    add_notice(1, 1, KIB, 2, true);
    add_row(1, 0, 8, 3);
    end_dgram(1);
    for (uint64_t at = 256; at < KIB; at += 128) {
        begin_dgram();
        add_data(1, at, 128);
        end_dgram(0x21);
    }
    begin_dgram();
    add_row(1, 0, 8, 127);
    end_dgram(5);
    for (unsigned i = 0; i < 20; i++) {
        begin_dgram();
        add_row(1, KIB + i % 3 * 16, 8 - i % 3, i);
        end_dgram(1);
    }
    begin_dgram();
    add_row(1, 2 * KIB, 8, 0);
    end_dgram(1);
    save("object_messages", "rows");
}

static void
write_messages(void)
{
    begin_dgram();
    add_notice(1, 1, KIB, 3, true);
    end_dgram(1);
    for (uint64_t at = 0; at < 3 * KIB; at += 128) {
        begin_dgram();
        add_data(1, at, 128);
        end_dgram(0x21);
    }
    begin_dgram();
    sf_assert(sf_object_withdrawn_encode(&dgram, 1));
    sf_message_put_u8(&dgram, SF_MESSAGE_ASK);
    end_dgram(0x21);
    save("object_messages", "whole");
    for (uint8_t i = 1; i < 20; i++) {
        begin_dgram();
        add_notice(i, i, (uint32_t)SF_LINK_CLASS_BYTES_MAX, 100, i % 2 == 0);
        add_data(i, (uint64_t)i * SF_LINK_CLASS_BYTES_MAX, 64);
        end_dgram((uint8_t)(i % 4 == 0 ? 9 : 1));
    }
    for (uint8_t i = 1; i < 20; i++) {
        begin_dgram();
        add_data(i, (uint64_t)i * SF_LINK_CLASS_BYTES_MAX + 160, 64);
        end_dgram(1);
    }
    save("object_messages", "spill");
    begin_dgram();
    add_notice(1, 1, KIB, 30, false);
    add_data(1, 2048, 208);
    end_dgram(0x10);
    begin_dgram();
    add_notice(1, 1, KIB, 2, true);
    end_dgram(1);
    begin_dgram();
    add_notice(2, 1, 2 * KIB, 2, true);
    end_dgram(2);
    begin_dgram();
    add_data(2, 16, 16);
    end_dgram(0xe4);
    save("object_messages", "shapes");
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus_objects FOLDER\n");
        return EXIT_FAILURE;
    }
    root = argv[1];
    write_reports();
    write_messages();
    write_rows();
    return EXIT_SUCCESS;
}
