/*
 * test_repair.c - the code itself, and bundles put together with its help.
 */
#include "base/prng.h"
#include "link/inbox.h"
#include "link/objects.h"
#include "link/repair.h"
#include "tests/unit/check.h"

#include <string.h>

enum { CLASS = 262144, SYMBOL = 1328, HANDLE = 7 };

static uint8_t bundle[CLASS];
static uint8_t copy[CLASS];
static uint8_t rows[SF_REPAIR_SYMBOLS_MAX][SF_REPAIR_SYMBOL_BYTES_MAX];
static struct sf_prng prng;

static void
fill(uint64_t seed)
{
    sf_prng_init(&prng, seed);
    sf_prng_fill(&prng, bundle, sizeof(bundle));
    memcpy(copy, bundle, sizeof(copy));
}

/* --- The code --------------------------------------------------------------------- */

/* `symbols` of the block are wiped; as many rows from `row` on bring them back. */
static void
check_block(const struct sf_repair_block *block, unsigned symbols, unsigned row)
{
    struct sf_repair_lost lost = {.count = symbols};

    for (unsigned i = 0; i < symbols; i++) {
        bool is_taken = true;

        while (is_taken) {
            lost.missing[i] = (uint8_t)sf_prng_below(&prng, block->symbols);
            is_taken = memchr(lost.missing, lost.missing[i], i) != NULL;
        }
        lost.rows[i] = (uint8_t)((row + i) % SF_REPAIR_ROWS_MAX);
        lost.bytes[i] = rows[i];
        sf_repair_encode(block, bundle, lost.rows[i], rows[i]);
    }
    for (unsigned i = 0; i < symbols; i++) {
        memset(copy + block->start + lost.missing[i] * block->symbol_bytes, 0xee,
            sf_repair_symbol_bytes(block, lost.missing[i]));
    }
    sf_repair_decode(block, &lost, copy);
    CHECK(memcmp(copy, bundle, sizeof(copy)) == 0);
}

static void
test_any_rows(void)
{
    static const unsigned lost[] = {1, 2, 3, 4, 5, 8, 17, 64, 99};

    fill(1);
    for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++) {
        for (size_t offset = 0; offset < CLASS; offset += CLASS / 2) {
            struct sf_repair_block block = sf_repair_block_at(CLASS, SYMBOL, offset);

            check_block(&block, lost[i] < block.symbols ? lost[i] : block.symbols,
                (unsigned)sf_prng_below(&prng, SF_REPAIR_ROWS_MAX));
        }
    }
}

static void
test_all_sizes(void)
{
    fill(2);
    for (unsigned round = 0; round < 200; round++) {
        size_t class_bytes = (size_t)(64 + sf_prng_below(&prng, CLASS / 16 - 64)) * 16;
        size_t symbol = (size_t)(2 + sf_prng_below(&prng, 511)) * 16;
        struct sf_repair_block block =
            sf_repair_block_at(class_bytes, symbol, (size_t)sf_prng_below(&prng, class_bytes));
        unsigned most = block.symbols < 6 ? block.symbols : 6;

        CHECK_EQ(sf_repair_block_check(&block, class_bytes), SF_OK);
        check_block(&block, 1 + (unsigned)sf_prng_below(&prng, most), round);
    }
}

/* Blocks lie side by side, cover the bundle, and none is larger than it may be. */
static void
test_blocks_cover(void)
{
    for (size_t class_bytes = 1024; class_bytes <= 4194304; class_bytes *= 4) {
        for (size_t symbol = 32; symbol <= 8192; symbol *= 2) {
            size_t at = 0;

            while (at < class_bytes) {
                struct sf_repair_block block = sf_repair_block_at(class_bytes, symbol, at);

                CHECK_EQ(block.start, at);
                CHECK(block.symbols >= 1 && block.symbols <= SF_REPAIR_SYMBOLS_MAX);
                CHECK_EQ(sf_repair_block_at(class_bytes, symbol, at + block.bytes - 1).start, at);
                REQUIRE(block.bytes > 0);
                at += block.bytes;
            }
            CHECK_EQ(at, class_bytes);
        }
    }
}

/* The rows that docs/protocol/04-objects.md gives: whoever builds the code anew can compare. */
static void
test_vector(void)
{
    static const uint8_t expected[2][4] = {{0x7d, 0x93, 0xbc, 0x52}, {0x4a, 0x36, 0xb2, 0xce}};
    struct sf_repair_block block = {.symbols = 3, .symbol_bytes = 32, .bytes = 96};

    for (size_t i = 0; i < sizeof(bundle); i++) {
        bundle[i] = (uint8_t)i;
    }
    for (unsigned row = 0; row < 2; row++) {
        sf_repair_encode(&block, bundle, row * 127, rows[row]);
        CHECK(memcmp(rows[row], expected[row], sizeof(expected[row])) == 0);
    }
}

static void
test_blocks_of_liars(void)
{
    static const struct sf_repair_block bad[] = {
        {.start = 0, .symbols = 0, .symbol_bytes = 1328},
        {.start = 0, .symbols = 129, .symbol_bytes = 32},
        {.start = 0, .symbols = 2, .symbol_bytes = 16},
        {.start = 0, .symbols = 2, .symbol_bytes = 8208},
        {.start = 0, .symbols = 2, .symbol_bytes = 1000},
        {.start = 8, .symbols = 2, .symbol_bytes = 1328},
        {.start = CLASS, .symbols = 1, .symbol_bytes = 1328},
        {.start = CLASS - 1328, .symbols = 2, .symbol_bytes = 1328},
        {.start = SIZE_MAX - 15, .symbols = 128, .symbol_bytes = 8192},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct sf_repair_block block = bad[i];

        CHECK_EQ(sf_repair_block_check(&block, CLASS), SF_EFORMAT);
    }
}

/* --- Bundles ------------------------------------------------------------------------ */

static struct sf_pool *pool;
static struct sf_inbox *inbox;
static uint64_t counter;

static void
open_inbox(void)
{
    struct sf_inbox_config config = {.boot = 1};
    struct sf_object_notice notice = {
        .handle = HANDLE, .object = {.count = 2, .is_count_final = true, .class_bytes = CLASS}};
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    struct sf_inbox_event event;
    uint8_t message[64];

    counter = 0;
    CHECK_EQ(sf_pool_open(SF_POOL_BYTES_MIN, &pool), SF_OK);
    config.pool = pool;
    CHECK_EQ(sf_inbox_open(&config, &inbox), SF_OK);
    CHECK(sf_inbox_datagram(inbox, (uint64_t)1 << 32, counter++, 1400, SF_SEC));
    sf_message_writer_init(&writer, message, sizeof(message));
    CHECK(sf_object_notice_encode(&writer, &notice));
    sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_OBJECT, &reader, SF_SEC), SF_OK);
    REQUIRE(sf_inbox_event(inbox, &event));
    CHECK_EQ(event.kind, SF_INBOX_OBJECT);
    CHECK_EQ(sf_inbox_accept(inbox, event.handle, NULL), SF_OK);
}

static void
close_inbox(void)
{
    sf_inbox_close(inbox);
    CHECK_EQ(sf_pool_bytes_used(pool), 0); /* no row is left behind */
    sf_pool_close(pool);
}

static void
give_symbol(uint64_t index, size_t offset)
{
    uint8_t message[2 * SYMBOL];
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    size_t bytes = CLASS - offset < SYMBOL ? CLASS - offset : SYMBOL;

    sf_message_writer_init(&writer, message, sizeof(message));
    sf_message_put_varint(&writer, HANDLE);
    sf_message_put_varint(&writer, (index * CLASS + offset) / 16);
    sf_message_put_bytes(&writer, bundle + offset, bytes);
    CHECK(sf_inbox_datagram(inbox, (uint64_t)1 << 32, counter++, 1400, SF_SEC));
    sf_message_reader_init(&reader, sf_view(message, writer.bytes));
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_DATA, &reader, SF_SEC), SF_OK);
}

static void
give_row(uint64_t index, const struct sf_repair_block *block, unsigned row, uint8_t flip)
{
    uint8_t message[2 * SYMBOL];
    struct sf_object_repair repair = {.handle = HANDLE,
        .address = index * CLASS + block->start,
        .symbols = block->symbols,
        .row = row};
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    uint8_t *out;

    sf_message_writer_init(&writer, message, sizeof(message));
    out = sf_object_repair_encode(&writer, &repair, block->symbol_bytes);
    REQUIRE(out != NULL);
    sf_repair_encode(block, bundle, row, out);
    out[100] ^= flip;
    CHECK(sf_inbox_datagram(inbox, (uint64_t)1 << 32, counter++, 1400, SF_SEC));
    sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_REPAIR, &reader, SF_SEC), SF_OK);
}

/* All symbols of bundle `index` but every `skip`-th. */
static void
give_bundle(uint64_t index, size_t skip)
{
    for (size_t i = 0; i * SYMBOL < CLASS; i++) {
        if (i % skip != 1) {
            give_symbol(index, i * SYMBOL);
        }
    }
}

static bool
next_bundle(struct sf_inbox_event *event)
{
    return sf_inbox_event(inbox, event) && event->kind == SF_INBOX_BUNDLE;
}

static struct sf_inbox_stats
stats(void)
{
    struct sf_inbox_stats stats;

    sf_inbox_stats(inbox, &stats);
    return stats;
}

/* Rows that come before their segments, between them, or after: the bundle is the same. */
static void
test_bundle_comes_by_repair(void)
{
    struct sf_repair_block first = sf_repair_block_at(CLASS, SYMBOL, 0);
    struct sf_repair_block second = sf_repair_block_at(CLASS, SYMBOL, CLASS - 1);
    struct sf_inbox_event event;

    fill(3);
    open_inbox();
    give_row(0, &first, 5, 0);
    give_row(0, &first, 5, 0); /* again: of no use */
    give_bundle(0, 50);        /* misses 1, 51, 101, 151 */
    CHECK(!sf_inbox_event(inbox, &event));
    give_row(0, &second, 127, 0);
    give_row(0, &first, 90, 0); /* now the first block is whole */
    CHECK_EQ(stats().rebuilt_bytes, 2 * SYMBOL);
    CHECK(!sf_inbox_event(inbox, &event));
    give_symbol(0, 101 * SYMBOL); /* one came after all: one row is enough */
    REQUIRE(next_bundle(&event));
    CHECK(memcmp(event.buffer, bundle, CLASS) == 0);
    sf_pool_return(pool, event.buffer);
    give_row(0, &second, 3, 0); /* late: nothing happens */
    CHECK(!sf_inbox_event(inbox, &event));
    close_inbox();
}

/* A wrong row spoils a bundle, not the engine: the node sees it, and it comes again. */
static void
test_wrong_row(void)
{
    struct sf_repair_block block = sf_repair_block_at(CLASS, SYMBOL, 0);
    struct sf_inbox_event event;

    fill(4);
    open_inbox();
    give_bundle(0, 1000);
    give_row(0, &block, 9, 0x40);
    REQUIRE(next_bundle(&event));
    CHECK(memcmp(event.buffer, bundle, CLASS) != 0);
    sf_pool_return(pool, event.buffer);
    CHECK_EQ(sf_inbox_received(inbox, event.handle, 0, SF_LINK_AGAIN), SF_OK);
    give_bundle(0, 1000);
    give_row(0, &block, 10, 0);
    REQUIRE(next_bundle(&event));
    CHECK(memcmp(event.buffer, bundle, CLASS) == 0);
    sf_pool_return(pool, event.buffer);
    close_inbox();
}

/* Rows of blocks cut in every possible way, and nothing but rows: bounded, and gone at the end. */
static void
test_rows_without_end(void)
{
    struct sf_inbox_event event;

    fill(5);
    open_inbox();
    for (unsigned i = 0; i < 3000; i++) {
        struct sf_repair_block block = {.start = (size_t)sf_prng_below(&prng, CLASS / 16) * 16,
            .symbols = 1 + (unsigned)sf_prng_below(&prng, SF_REPAIR_SYMBOLS_MAX),
            .symbol_bytes = (size_t)(2 + sf_prng_below(&prng, 80)) * 16};

        if (sf_repair_block_check(&block, CLASS) == SF_OK && block.symbols > 1) {
            give_row(i % 2, &block, i % SF_REPAIR_ROWS_MAX, 0);
        }
    }
    CHECK(!sf_inbox_event(inbox, &event));
    CHECK(sf_pool_bytes_used(pool) <= 2 * (CLASS + 256 * 4096));
    close_inbox();
}

/* A row of a block that lies half outside, or of nothing that is known. */
static void
test_misplaced_rows(void)
{
    struct sf_repair_block block = {
        .start = CLASS - 2 * SYMBOL, .symbols = 2, .symbol_bytes = SYMBOL};
    uint8_t message[64] = {HANDLE, 0x80, 0x80, 0x02, 127, 2, 0}; /* 128 symbols from bundle 2 on */
    struct sf_message_reader reader;

    fill(6);
    open_inbox();
    block.start = CLASS - 16; /* its second symbol begins in the next bundle */
    give_row(0, &block, 1, 0);
    CHECK_EQ(stats().row_bytes, 0);
    CHECK_EQ(stats().partials, 0);
    sf_message_reader_init(&reader, sf_view(message, 7 + 32));
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_REPAIR, &reader, SF_SEC), SF_OK);
    CHECK_EQ(stats().partials, 0);
    message[0] = HANDLE + 1;
    sf_message_reader_init(&reader, sf_view(message, 7 + 32));
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_REPAIR, &reader, SF_SEC), SF_OK);
    close_inbox();
}

static void
test_malformed_rows(void)
{
    /* handle, address / 16, symbols - 1, symbol bytes / 16, row */
    static const uint8_t bad[][5] = {
        {0, 0, 1, 2, 0},        /* no handle */
        {HANDLE, 0, 128, 2, 0}, /* 129 symbols */
        {HANDLE, 0, 1, 1, 0},   /* too small */
        {HANDLE, 0, 1, 2, 128}, /* no such row */
        {HANDLE, 0, 1, 3, 0},   /* longer than the message */
    };
    struct sf_object_repair repair = {.handle = 99};
    struct sf_message_reader reader;
    uint8_t message[5 + 32] = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        memcpy(message, bad[i], sizeof(bad[i]));
        sf_message_reader_init(&reader, sf_view(message, sizeof(message)));
        CHECK_EQ(sf_object_repair_decode(&reader, &repair), SF_EFORMAT);
        CHECK_EQ(repair.handle, 99);
    }
    message[0] = HANDLE;
    message[3] = 2;
    message[4] = 0;
    for (size_t bytes = 0; bytes < sizeof(message); bytes++) {
        sf_message_reader_init(&reader, sf_view(message, bytes));
        CHECK_EQ(sf_object_repair_decode(&reader, &repair), SF_EFORMAT);
    }
    sf_message_reader_init(&reader, sf_view(message, sizeof(message)));
    CHECK_EQ(sf_object_repair_decode(&reader, &repair), SF_OK);
    CHECK_EQ(repair.bytes.bytes, 32);
    CHECK_EQ(repair.symbols, 2);
}

CHECK_MAIN("repair", {"any rows bring back as many symbols", test_any_rows},
    {"blocks of all sizes", test_all_sizes},
    {"blocks lie side by side and cover the bundle", test_blocks_cover},
    {"the rows of the protocol's example", test_vector},
    {"blocks that lie outside are refused", test_blocks_of_liars},
    {"a bundle comes by repair, in whatever order", test_bundle_comes_by_repair},
    {"a wrong row spoils one bundle, which comes again", test_wrong_row},
    {"rows without end stay within their bound", test_rows_without_end},
    {"rows of elsewhere begin nothing", test_misplaced_rows},
    {"every malformed row is refused", test_malformed_rows})
