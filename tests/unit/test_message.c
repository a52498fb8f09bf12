/*
 * test_message.c - varints and fields inside a datagram.
 */
#include "tests/unit/check.h"

#include "link/message.h"

static void
test_varints(void)
{
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX,
        (UINT64_C(1) << 42) - 1, (UINT64_C(1) << 62), (UINT64_C(1) << 63) - 1};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t memory[16];
        struct sf_message_writer writer;
        struct sf_message_reader reader;

        sf_message_writer_init(&writer, memory, sizeof(memory));
        sf_message_put_varint(&writer, values[i]);
        CHECK(!writer.is_full);
        CHECK_EQ(writer.bytes, sf_message_varint_bytes(values[i]));
        sf_message_reader_init(&reader, sf_view(memory, writer.bytes));
        CHECK_EQ(sf_message_get_varint(&reader), values[i]);
        CHECK(!reader.is_bad);
        CHECK_EQ(sf_message_left(&reader), 0);
        /* Cut off anywhere it is bad. */
        for (size_t bytes = 0; bytes < writer.bytes; bytes++) {
            sf_message_reader_init(&reader, sf_view(memory, bytes));
            CHECK_EQ(sf_message_get_varint(&reader), 0);
            CHECK(reader.is_bad);
        }
    }
}

static void
test_long_forms(void)
{
    static const uint8_t bad[][10] = {
        {0x80, 0x00},
        {0xff, 0x80, 0x00},
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sf_message_reader reader;

        sf_message_reader_init(&reader, sf_view(bad[i], sizeof(bad[i])));
        CHECK_EQ(sf_message_get_varint(&reader), 0);
        CHECK(reader.is_bad);
        CHECK_EQ(sf_message_get_u8(&reader), 0);
        CHECK_EQ(sf_message_get_u64(&reader), 0);
    }
}

static void
test_full(void)
{
    uint8_t memory[10];
    struct sf_message_writer writer;
    size_t begin;

    sf_message_writer_init(&writer, memory, sizeof(memory));
    begin = sf_message_begin(&writer, SF_MESSAGE_STALE);
    sf_message_put_u64(&writer, 1);
    CHECK(sf_message_end(&writer, begin));
    CHECK_EQ(writer.bytes, 9);
    begin = sf_message_begin(&writer, SF_MESSAGE_STALE);
    sf_message_put_u64(&writer, 1);
    sf_message_put_u8(&writer, 1); /* nothing after what did not fit */
    CHECK(!sf_message_end(&writer, begin));
    CHECK_EQ(writer.bytes, 9);
    begin = sf_message_begin(&writer, SF_MESSAGE_PADDING);
    CHECK(sf_message_end(&writer, begin));
    CHECK_EQ(sf_message_room(&writer), 0);
}

static void
test_bytes(void)
{
    static const uint8_t memory[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct sf_message_reader reader;
    struct sf_view view;

    sf_message_reader_init(&reader, sf_view(memory, sizeof(memory)));
    CHECK_EQ(sf_message_get_u64(&reader), 0x0102030405060708);
    view = sf_message_get_bytes(&reader, UINT64_MAX);
    CHECK(view.data == NULL);
    CHECK_EQ(view.bytes, 0);
    CHECK(reader.is_bad);
    CHECK_EQ(sf_message_get_u8(&reader), 0);
    sf_message_reader_init(&reader, sf_view(NULL, 0));
    CHECK_EQ(sf_message_left(&reader), 0);
    CHECK_EQ(sf_message_get_bytes(&reader, 0).bytes, 0);
    CHECK(!reader.is_bad);
}

CHECK_MAIN("message", {"varints come back in their shortest form", test_varints},
    {"longer forms and more than 63 bits are refused", test_long_forms},
    {"what does not fit leaves the datagram as it was", test_full},
    {"bytes beyond the end are refused, and so is all that follows", test_bytes})
