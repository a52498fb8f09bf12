/*
 * test_report.c - REPORT and the object messages, written and read, whole,
 * full, cut, flipped and false.
 */
#include "link/report.h"

#include "base/prng.h"
#include "link/inbox.h"
#include "link/pool.h"
#include "tests/unit/check.h"

enum { ROOM = 1344, KIB = 1024 };

static uint8_t buffer[9000];
static struct sf_message_writer writer;
static struct sf_report_encoder encoder;

static const struct sf_report sample = {.number = UINT64_C(0x700000001),
    .epoch = UINT64_C(0x300000002),
    .counter = 123456789,
    .held_us = 4321,
    .ip_bytes = UINT64_C(700000000000),
    .bytes_per_second = 12500000,
    .arrived_us = UINT32_MAX - 5,
    .ce_dgrams = 321};

static void
begin(size_t room)
{
    sf_message_writer_init(&writer, buffer, room);
    REQUIRE(sf_report_begin(&encoder, &writer, &sample));
}

/* Decode what was written; the type byte is taken off. */
static int
decode(size_t bytes, struct sf_report *ret_report, struct sf_report_decoder *ret_decoder)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(buffer + 1, bytes - 1));
    return sf_report_decode(&reader, ret_report, ret_decoder);
}

static void
test_round_trip(void)
{
    struct sf_report_section head = {.handle = 77,
        .revision = 3,
        .is_paused = true,
        .base = 5 * KIB,
        .is_last = true,
        .is_kept = true};
    struct sf_report_section section;
    struct sf_report_decoder decoder;
    struct sf_report report;
    struct sf_range run;
    uint64_t missing;

    begin(ROOM);
    CHECK(sf_report_state_section(&encoder, 5, SF_REPORT_UNKNOWN, 0));
    CHECK(sf_report_state_section(&encoder, 6, SF_REPORT_HEARD, 9));
    REQUIRE(sf_report_map_begin(&encoder, &head));
    CHECK(sf_report_map_add(&encoder, 6 * KIB, 7 * KIB));
    CHECK(sf_report_map_add(&encoder, 7 * KIB, 8 * KIB)); /* touches: one run */
    CHECK(sf_report_map_add(&encoder, 10 * KIB, 10 * KIB + 16));
    CHECK_EQ(sf_report_map_end(&encoder, &head), 10 * KIB + 16);
    CHECK(sf_report_state_section(&encoder, 8, SF_REPORT_DECLINED, 0));
    sf_report_end(&encoder);

    REQUIRE_EQ(decode(writer.bytes, &report, &decoder), SF_OK);
    CHECK_EQ(report.number, sample.number);
    CHECK_EQ(report.epoch, sample.epoch);
    CHECK_EQ(report.counter, sample.counter);
    CHECK_EQ(report.held_us, sample.held_us);
    CHECK_EQ(report.ip_bytes, sample.ip_bytes);
    CHECK_EQ(report.bytes_per_second, sample.bytes_per_second);
    CHECK_EQ(report.arrived_us, sample.arrived_us);
    CHECK_EQ(report.ce_dgrams, sample.ce_dgrams);
    REQUIRE(sf_report_next_section(&decoder, &section));
    CHECK_EQ(section.state, SF_REPORT_UNKNOWN);
    CHECK_EQ(section.handle, 5);
    REQUIRE(sf_report_next_section(&decoder, &section));
    CHECK_EQ(section.state, SF_REPORT_HEARD);
    CHECK_EQ(section.revision, 9);
    REQUIRE(sf_report_next_section(&decoder, &section));
    CHECK_EQ(section.state, SF_REPORT_MAP);
    CHECK_EQ(section.handle, 77);
    CHECK(section.is_last && section.is_kept && section.is_paused);
    CHECK_EQ(section.base, 5 * KIB);
    REQUIRE(sf_report_next_run(&decoder, &run, &missing));
    CHECK_EQ(run.from, 5 * KIB);
    CHECK_EQ(run.to, 5 * KIB);
    CHECK_EQ(missing, KIB);
    REQUIRE(sf_report_next_run(&decoder, &run, &missing));
    CHECK_EQ(run.from, 6 * KIB);
    CHECK_EQ(run.to, 8 * KIB);
    CHECK_EQ(missing, 2 * KIB);
    REQUIRE(sf_report_next_run(&decoder, &run, &missing));
    CHECK_EQ(run.from, 10 * KIB);
    CHECK_EQ(run.to, 10 * KIB + 16);
    CHECK_EQ(missing, 0);
    CHECK(!sf_report_next_run(&decoder, &run, &missing));
    REQUIRE(sf_report_next_section(&decoder, &section));
    CHECK_EQ(section.state, SF_REPORT_DECLINED);
    CHECK(!sf_report_next_section(&decoder, &section));
}

/* A clock of 2^32 microseconds has no more: what is written instead is no report. */
static void
test_clock_too_large(void)
{
    struct sf_report_decoder decoder;
    struct sf_report report = {.number = 42};
    size_t at;

    begin(ROOM);
    sf_report_end(&encoder);
    at = writer.bytes - 6; /* the last byte of the clock; marks and loss follow */
    REQUIRE_EQ(buffer[at], 0x0f);
    buffer[at] = 0x10;
    CHECK_EQ(decode(writer.bytes, &report, &decoder), SF_EFORMAT);
    CHECK_EQ(report.number, 42);
}

/* What an inbox says of the newest datagram is of when it came, not of when it is said. */
static void
test_arrival(void)
{
    struct sf_inbox_config config = {.boot = 1};
    struct sf_report_decoder decoder;
    struct sf_message_reader reader;
    struct sf_report report;
    struct sf_inbox *inbox = NULL;

    REQUIRE_EQ(sf_pool_open(8 << 20, &config.pool), SF_OK);
    REQUIRE_EQ(sf_inbox_open(&config, &inbox), SF_OK);
    CHECK(sf_inbox_datagram(inbox, UINT64_C(1) << 32 | 1, 7, 1000, 5000 * SF_SEC));
    sf_inbox_congested(inbox);
    CHECK(sf_inbox_datagram(inbox, UINT64_C(1) << 32 | 1, 6, 900, 5000 * SF_SEC + 80 * SF_MS));
    sf_inbox_pause(inbox);
    sf_inbox_resume(inbox, 5000 * SF_SEC + 100 * SF_MS);
    sf_message_writer_init(&writer, buffer, ROOM);
    REQUIRE(sf_inbox_fill(inbox, &writer, 5000 * SF_SEC + 200 * SF_MS));
    sf_message_reader_init(&reader, sf_view(buffer + 1, writer.bytes - 1));
    REQUIRE_EQ(sf_report_decode(&reader, &report, &decoder), SF_OK);
    CHECK_EQ(report.counter, 7);
    CHECK_EQ(report.held_us, 200000);
    CHECK_EQ(report.arrived_us, (uint32_t)(UINT64_C(5000) * 1000000));
    CHECK_EQ(report.ip_bytes, 1900);
    CHECK_EQ(report.ce_dgrams, 1);
    sf_inbox_close(inbox);
    sf_pool_close(config.pool);
}

static void
test_runs_not_taken(void)
{
    struct sf_report_section head = {.handle = 1, .is_last = true};
    struct sf_report_section section;
    struct sf_report_decoder decoder;
    struct sf_report report;

    begin(ROOM);
    REQUIRE(sf_report_map_begin(&encoder, &head));
    CHECK(sf_report_map_add(&encoder, KIB, 2 * KIB));
    sf_report_map_end(&encoder, &head);
    CHECK(sf_report_state_section(&encoder, 2, SF_REPORT_UNKNOWN, 0));
    sf_report_end(&encoder);
    REQUIRE_EQ(decode(writer.bytes, &report, &decoder), SF_OK);
    REQUIRE(sf_report_next_section(&decoder, &section));
    REQUIRE(sf_report_next_section(&decoder, &section));
    CHECK_EQ(section.handle, 2);
}

static void
test_full(void)
{
    /* With any room the section ends where the room does, and says so. */
    for (size_t room = SF_REPORT_HEAD_BYTES_MAX; room < 600; room++) {
        struct sf_report_section head = {.handle = 1};
        struct sf_report_section section;
        struct sf_report_decoder decoder;
        struct sf_report report;
        struct sf_range run;
        uint64_t missing;
        uint64_t added = 0;
        uint64_t end;

        begin(room);
        if (!sf_report_map_begin(&encoder, &head)) {
            continue;
        }
        for (uint64_t i = 1; i < 1000; i++) {
            if (!sf_report_map_add(&encoder, i * 100000, i * 100000 + 16 * i)) {
                break;
            }
            added = i;
        }
        end = sf_report_map_end(&encoder, &head);
        sf_report_end(&encoder);
        CHECK(writer.bytes <= room);
        CHECK_EQ(end, added * 100000 + 16 * added);
        REQUIRE_EQ(decode(writer.bytes, &report, &decoder), SF_OK);
        REQUIRE(sf_report_next_section(&decoder, &section));
        CHECK(!section.is_last);
        while (sf_report_next_run(&decoder, &run, &missing)) {
        }
        CHECK_EQ(run.to, end);
    }
    sf_message_writer_init(&writer, buffer, 20);
    CHECK(!sf_report_begin(&encoder, &writer, &sample));
    CHECK_EQ(writer.bytes, 0);
}

/* A report with one section of these bytes. */
static int
decode_section(const char *bytes, size_t count)
{
    struct sf_report report;
    struct sf_report_decoder decoder;

    begin(ROOM);
    sf_message_put_bytes(&writer, bytes, count);
    sf_report_end(&encoder);
    return decode(writer.bytes, &report, &decoder);
}

#define SECTION(bytes) decode_section((bytes), sizeof(bytes) - 1)

static void
test_malformed(void)
{
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x01\x00"), SF_OK);
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x00\x00"), SF_OK);
    CHECK_EQ(SECTION("\x13\x01\x00\x00\x00\x01\x00"), SF_EFORMAT);             /* flag not known */
    CHECK_EQ(SECTION("\x03\x00\x00\x00\x00\x01\x00"), SF_EFORMAT);             /* handle 0 */
    CHECK_EQ(SECTION("\x03\xff\xff\xff\x01\x00\x00\x00\x01\x00"), SF_EFORMAT); /* too large */
    CHECK_EQ(SECTION("\x03\x01\x00\x02\x00\x01\x00"), SF_EFORMAT); /* paused is 0 or 1 */
    CHECK_EQ(SECTION("\x04\x01"), SF_EFORMAT);                     /* LAST without a map */
    CHECK_EQ(SECTION("\x00\x01"), SF_OK);
    CHECK_EQ(SECTION("\x01\x01"), SF_EFORMAT);                             /* no revision */
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x01"), SF_EFORMAT);             /* cut off */
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x01\x01\x00\x00"), SF_EFORMAT); /* empty run inside */
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x81\x00\x00"), SF_EFORMAT);     /* not the shortest */
    /* Beyond the largest address: the base, a run, a gap. */
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x81\x80\x80\x80\x80\x80\x01\x01\x00"), SF_EFORMAT);
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x81\x80\x80\x80\x80\x80\x01\x00"), SF_EFORMAT);
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\x01\x80\x80\x80\x80\x80\x80\x01\x01\x00"), SF_EFORMAT);
    CHECK_EQ(SECTION("\x03\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00"), SF_EFORMAT);
}

static void
test_cut(void)
{
    struct sf_report_section head = {.handle = 300, .is_last = true};
    struct sf_report_decoder decoder;
    struct sf_report report = {.number = 42};

    begin(ROOM);
    REQUIRE(sf_report_map_begin(&encoder, &head));
    CHECK(sf_report_map_add(&encoder, 1000 * KIB, 2000 * KIB));
    sf_report_map_end(&encoder, &head);
    sf_report_end(&encoder);
    for (size_t bytes = 1; bytes < writer.bytes; bytes++) {
        CHECK_EQ(decode(bytes, &report, &decoder), SF_EFORMAT);
        CHECK_EQ(report.number, 42);
    }
    /* The length field says less than there is: the end is cut off as well. */
    buffer[2]--;
    CHECK_EQ(decode(writer.bytes, &report, &decoder), SF_EFORMAT);
}

static void
test_any_bytes(void)
{
    struct sf_prng prng;

    sf_prng_init(&prng, 11);
    for (int turn = 0; turn < 20000; turn++) {
        char bytes[40];
        size_t count = (size_t)sf_prng_below(&prng, sizeof(bytes));
        struct sf_report_section section;
        struct sf_report_decoder decoder;
        struct sf_report report;
        struct sf_range run;
        uint64_t missing;

        sf_prng_fill(&prng, bytes, count);
        bytes[0] = (char)(bytes[0] & 0xf);
        begin(ROOM);
        sf_message_put_bytes(&writer, bytes, count);
        sf_report_end(&encoder);
        if (decode(writer.bytes, &report, &decoder) != SF_OK) {
            continue;
        }
        while (sf_report_next_section(&decoder, &section)) {
            while (sf_report_next_run(&decoder, &run, &missing)) {
                CHECK(run.to >= run.from && run.to + missing <= SF_LINK_OBJECT_BYTES_MAX);
            }
        }
    }
}

/* --- OBJECT, DATA, WITHDRAWN -------------------------------------------------------------- */

static struct sf_object_notice
make_notice(void)
{
    struct sf_object_notice notice = {.handle = 1234,
        .revision = 250,
        .ask_map = true,
        .object = {.kind = 9,
            .first = 3,
            .count = 668000,
            .is_count_final = true,
            .class_bytes = KIB * KIB}};

    memset(notice.object.transfer.b, 0xab, sizeof(notice.object.transfer.b));
    return notice;
}

static int
decode_notice(size_t bytes, struct sf_object_notice *ret_notice)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(buffer + 1, bytes - 1));
    return sf_object_notice_decode(&reader, ret_notice);
}

static void
test_notice(void)
{
    struct sf_object_notice notice = make_notice();
    struct sf_object_notice read = {.handle = 1};

    sf_message_writer_init(&writer, buffer, SF_OBJECT_MESSAGE_MAX);
    REQUIRE(sf_object_notice_encode(&writer, &notice));
    for (size_t bytes = 1; bytes < writer.bytes; bytes++) {
        CHECK_EQ(decode_notice(bytes, &read), SF_EFORMAT);
    }
    CHECK_EQ(read.handle, 1);
    REQUIRE_EQ(decode_notice(writer.bytes, &read), SF_OK);
    CHECK_EQ(read.handle, 1234);
    CHECK_EQ(read.revision, 250);
    CHECK(read.ask_map && read.object.is_count_final);
    CHECK_EQ(read.object.kind, 9);
    CHECK_EQ(read.object.first, 3);
    CHECK_EQ(read.object.count, 668000);
    CHECK_EQ(read.object.class_bytes, KIB * KIB);
    CHECK_EQ(read.object.transfer.b[15], 0xab);
    sf_message_writer_init(&writer, buffer, writer.bytes - 1);
    CHECK(!sf_object_notice_encode(&writer, &notice));
    CHECK_EQ(writer.bytes, 0);
}

static int
recode(const struct sf_object_notice *notice)
{
    struct sf_object_notice read;

    sf_message_writer_init(&writer, buffer, sizeof(buffer));
    REQUIRE(sf_object_notice_encode(&writer, notice));
    return decode_notice(writer.bytes, &read);
}

static void
test_notice_limits(void)
{
    struct sf_object_notice notice = make_notice();
    struct sf_object_notice read;

    notice.object.count = 0;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice.object.count = SF_LINK_OBJECT_BYTES_MAX / (KIB * KIB) - 3;
    CHECK_EQ(recode(&notice), SF_OK);
    notice.object.count++;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice.object.count = UINT64_MAX >> 1;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice = make_notice();
    notice.object.first = UINT64_MAX >> 1;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice = make_notice();
    notice.object.class_bytes = SF_LINK_CLASS_BYTES_MIN - SF_OBJECT_UNIT;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice.object.class_bytes = SF_LINK_CLASS_BYTES_MAX + SF_OBJECT_UNIT;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice = make_notice();
    notice.handle = 0;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice.handle = SF_OBJECT_HANDLE_MAX;
    CHECK_EQ(recode(&notice), SF_OK);
    notice.handle = SF_OBJECT_HANDLE_MAX + 1;
    CHECK_EQ(recode(&notice), SF_EFORMAT);
    notice = make_notice();
    CHECK_EQ(recode(&notice), SF_OK);
    buffer[4] |= 4; /* type, handle (2), revision, flags */
    CHECK_EQ(decode_notice(writer.bytes, &read), SF_EFORMAT);
}

static int
decode_segment(const char *bytes, size_t count, enum sf_message_type type,
    struct sf_object_segment *ret_segment)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(bytes, count));
    return sf_object_segment_decode(&reader, type, ret_segment);
}

#define SEGMENT(bytes, type, out) decode_segment((bytes), sizeof(bytes) - 1, (type), (out))

static void
test_segment(void)
{
    struct sf_object_segment segment = {.handle = 99};

    REQUIRE_EQ(SEGMENT("\x07\x05"
                       "0123456789abcdef",
                   SF_MESSAGE_DATA, &segment),
        SF_OK);
    CHECK_EQ(segment.handle, 7);
    CHECK_EQ(segment.address, 80);
    CHECK_EQ(segment.bytes.bytes, 16);
    CHECK_BYTES(segment.bytes.data, "0123456789abcdef", 16);
    REQUIRE_EQ(SEGMENT("\x07\x05\x10"
                       "0123456789abcdefX",
                   SF_MESSAGE_DATA_SIZED, &segment),
        SF_OK);
    CHECK_EQ(segment.bytes.bytes, 16);
    segment.handle = 99;
    CHECK_EQ(SEGMENT("\x07\x05", SF_MESSAGE_DATA, &segment), SF_EFORMAT);
    CHECK_EQ(SEGMENT("\x07\x05"
                     "0123456789abcde",
                 SF_MESSAGE_DATA, &segment),
        SF_EFORMAT);
    CHECK_EQ(SEGMENT("\x00\x05"
                     "0123456789abcdef",
                 SF_MESSAGE_DATA, &segment),
        SF_EFORMAT);
    CHECK_EQ(SEGMENT("\x07\x05\x20"
                     "0123456789abcdef",
                 SF_MESSAGE_DATA_SIZED, &segment),
        SF_EFORMAT);
    CHECK_EQ(SEGMENT("\x07\x80\x80\x80\x80\x80\x80\x01"
                     "0123456789abcdef",
                 SF_MESSAGE_DATA, &segment),
        SF_EFORMAT);
    CHECK_EQ(SEGMENT("\x07\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", SF_MESSAGE_DATA, &segment),
        SF_EFORMAT);
    CHECK_EQ(segment.handle, 99);
}

static void
test_withdrawn(void)
{
    struct sf_message_reader reader;
    uint32_t handle = 1;

    sf_message_writer_init(&writer, buffer, 8);
    REQUIRE(sf_object_withdrawn_encode(&writer, SF_OBJECT_HANDLE_MAX));
    sf_message_reader_init(&reader, sf_view(buffer + 1, writer.bytes - 1));
    REQUIRE_EQ(sf_object_withdrawn_decode(&reader, &handle), SF_OK);
    CHECK_EQ(handle, SF_OBJECT_HANDLE_MAX);
    sf_message_reader_init(&reader, sf_view("\x00", 1));
    CHECK_EQ(sf_object_withdrawn_decode(&reader, &handle), SF_EFORMAT);
    sf_message_reader_init(&reader, sf_view("", 0));
    CHECK_EQ(sf_object_withdrawn_decode(&reader, &handle), SF_EFORMAT);
    CHECK_EQ(handle, SF_OBJECT_HANDLE_MAX);
}

CHECK_MAIN("report", {"a report comes back as it was written", test_round_trip},
    {"runs that nobody takes are passed over", test_runs_not_taken},
    {"a clock beyond 32 bits is refused", test_clock_too_large},
    {"an inbox says when the newest datagram came, and how many were marked", test_arrival},
    {"a full report says where it ends", test_full},
    {"every malformed section is refused", test_malformed},
    {"a report cut anywhere is refused and changes nothing", test_cut},
    {"no bytes lead beyond the largest address", test_any_bytes},
    {"an announcement comes back as it was written, and cut nowhere", test_notice},
    {"an announcement outside the limits is refused", test_notice_limits},
    {"segments are multiples of sixteen within the address space", test_segment},
    {"a withdrawal names a handle", test_withdrawn})
