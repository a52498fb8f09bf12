/*
 * test_object_lies.c - each side alone, its peer played by the test. A peer that
 * has proven who it is and then says what it likes harms itself at most; and
 * what an honest one hears, and when.
 */
#include "link/report.h"
#include "tests/unit/check.h"
#include "tests/unit/object_pair.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

#define EPOCH (UINT64_C(1) << 32 | 1)

static uint8_t bundle[MIB];
static struct sf_outbox *outbox;
static struct sf_inbox *inbox;
static struct sf_pool *pool;
static sf_mono now;
static uint64_t counter;

/* --- A sender alone ----------------------------------------------------------------------- */

static void
open_outbox(size_t extents_max)
{
    struct sf_outbox_config config = {.extents_max = extents_max};

    now = SF_SEC;
    counter = 0;
    REQUIRE_EQ(sf_outbox_open(&config, &outbox), SF_OK);
    sf_outbox_session(outbox, EPOCH);
    sf_outbox_set_rtt(outbox, 20 * SF_MS, SF_MS);
}

static void
offer(uint32_t handle, uint32_t class_bytes, uint64_t count)
{
    struct sf_link_object object = {.kind = 1,
        .count = count,
        .is_count_final = true,
        .class_bytes = class_bytes,
        .ready = count};

    object.transfer.b[0] = (uint8_t)handle;
    REQUIRE_EQ(sf_outbox_offer(outbox, &object, handle, now), SF_OK);
}

/* Send up to `count` datagrams; returns how many there were. */
static size_t
send_some(size_t count)
{
    size_t sent = 0;

    while (sent < count) {
        struct sf_outbox_event event;
        uint8_t dgram[1344];
        struct sf_message_writer writer;

        while (sf_outbox_event(outbox, &event)) {
            if (event.kind == SF_OUTBOX_WANT) {
                REQUIRE_EQ(sf_outbox_supply(outbox, event.handle, event.index, bundle), SF_OK);
            }
        }
        sf_message_writer_init(&writer, dgram, sizeof(dgram));
        if (!sf_outbox_fill(outbox, &writer, counter, now)) {
            if (outbox != NULL && sf_outbox_event(outbox, &event)) {
                REQUIRE_EQ(event.kind, SF_OUTBOX_WANT);
                REQUIRE_EQ(sf_outbox_supply(outbox, event.handle, event.index, bundle), SF_OK);
                continue;
            }
            break;
        }
        counter++;
        sent++;
        now += 100 * SF_US;
    }
    return sent;
}

static size_t
count_events(enum sf_outbox_event_kind kind)
{
    struct sf_outbox_event event;
    size_t count = 0;

    while (sf_outbox_event(outbox, &event)) {
        count += event.kind == kind ? 1 : 0;
    }
    return count;
}

struct lie {
    uint64_t number;
    uint64_t epoch;
    uint64_t counter;
    struct sf_report_section head;
    const struct sf_range *ranges;
    size_t count;
};

static int
tell(const struct lie *lie)
{
    struct sf_report report = {
        .number = lie->number, .epoch = lie->epoch, .counter = lie->counter, .held_us = 50000};
    struct sf_report_encoder encoder;
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    static uint8_t message[SF_REPORT_BYTES_MAX];

    sf_message_writer_init(&writer, message, sizeof(message));
    REQUIRE(sf_report_begin(&encoder, &writer, &report));
    REQUIRE(sf_report_map_begin(&encoder, &lie->head));
    for (size_t i = 0; i < lie->count; i++) {
        REQUIRE(sf_report_map_add(&encoder, lie->ranges[i].from, lie->ranges[i].to));
    }
    sf_report_map_end(&encoder, &lie->head);
    sf_report_end(&encoder);
    sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
    return sf_outbox_report(outbox, &reader, now);
}

static struct sf_outbox_stats
stats(void)
{
    struct sf_outbox_stats got;

    sf_outbox_stats(outbox, &got);
    return got;
}

static void
test_future(void)
{
    struct lie lie = {.number = 1,
        .epoch = EPOCH,
        .counter = UINT64_MAX >> 1,
        .head = {.handle = 1, .is_last = true}};

    /* "I have heard your datagram 2^63 and nothing of the object": it goes once more. */
    open_outbox(0);
    offer(1, 64 * KIB, 4);
    CHECK(send_some(1000) >= 197);
    now += SF_SEC;
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK(send_some(1000) <= 210);
    CHECK(stats().resent_bytes <= 5 * 64 * KIB);
    sf_outbox_close(outbox);
}

static void
test_never_sent(void)
{
    static const struct sf_range all = {0, (uint64_t)1 << 45};
    struct lie lie = {.number = 1,
        .epoch = EPOCH,
        .head = {.handle = 1, .is_last = true},
        .ranges = &all,
        .count = 1};

    /* "I have it all, and more than there is": then it gets no more; no word of RECEIVED. */
    open_outbox(0);
    offer(1, 64 * KIB, 100);
    send_some(10);
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(count_events(SF_OUTBOX_RECEIVED), 0);
    CHECK(send_some(100) <= 2);
    CHECK_EQ(sf_range_set_total(sf_outbox_peer_has(outbox, 1)), 100);
    /* The truth, later, is believed again. */
    lie.number = 2;
    lie.count = 0;
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(sf_range_set_total(sf_outbox_peer_has(outbox, 1)), 0);
    CHECK(send_some(100) >= 100);
    sf_outbox_close(outbox);
}

static void
test_other_life(void)
{
    struct lie lie = {.number = 1, .head = {.handle = 1, .is_last = true, .is_kept = true}};
    static const struct sf_range all = {0, 4 * 64 * KIB};

    lie.ranges = &all;
    lie.count = 1;
    open_outbox(0);
    offer(1, 64 * KIB, 4);
    send_some(1000);
    lie.epoch = UINT64_C(7) << 32 | 1; /* another boot: handle 1 was something else */
    CHECK_EQ(tell(&lie), SF_OK);
    lie.epoch = EPOCH + 5; /* a session never opened */
    CHECK_EQ(tell(&lie), SF_OK);
    lie.epoch = 0;
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(count_events(SF_OUTBOX_RECEIVED), 0);
    CHECK(sf_outbox_peer_has(outbox, 1) == NULL);
    lie.epoch = EPOCH;
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(count_events(SF_OUTBOX_RECEIVED), 1);
    sf_outbox_close(outbox);
}

static void
test_old_report(void)
{
    static const struct sf_range half = {0, 128 * KIB};
    struct lie lie = {.number = 5,
        .epoch = EPOCH,
        .head = {.handle = 1, .is_last = true},
        .ranges = &half,
        .count = 1};

    open_outbox(0);
    offer(1, 64 * KIB, 4);
    send_some(1000);
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(sf_range_set_total(sf_outbox_peer_has(outbox, 1)), 2);
    lie.count = 0; /* the same number again, and an older one, say otherwise */
    CHECK_EQ(tell(&lie), SF_OK);
    lie.number = 4;
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(sf_range_set_total(sf_outbox_peer_has(outbox, 1)), 2);
    sf_outbox_close(outbox);
}

static void
test_tiny_ranges(void)
{
    static struct sf_range ranges[1500];
    struct lie lie = {
        .epoch = EPOCH, .head = {.handle = 1, .is_last = true}, .ranges = ranges, .count = 1500};
    struct sf_prng prng;

    /* Every other sixteen bytes missing, here and there, in every report. */
    sf_prng_init(&prng, 1);
    open_outbox(1024);
    offer(1, MIB, 1000);
    for (uint64_t number = 1; number <= 300; number++) {
        uint64_t at = sf_prng_below(&prng, 8 * MIB / 16) * 16;

        send_some(20);
        lie.number = number;
        lie.counter = counter;
        lie.head.base = at;
        for (size_t i = 0; i < lie.count; i++) {
            at += 16;
            ranges[i] = (struct sf_range){at, at + 16};
            at += 16;
        }
        CHECK_EQ(tell(&lie), SF_OK);
        CHECK(stats().extents <= 1024);
        CHECK(stats().memory_bytes <= 512 * KIB);
    }
    /* A peer that comes to its senses gets its object. */
    ranges[0] = (struct sf_range){0, (uint64_t)1000 * MIB};
    lie.number = 1000;
    lie.head.base = 0;
    lie.count = 1;
    CHECK_EQ(tell(&lie), SF_OK);
    CHECK_EQ(stats().extents, 0);
    sf_outbox_close(outbox);
}

static void
test_strange_handles(void)
{
    struct lie lie = {.epoch = EPOCH, .head = {.is_last = true}};

    open_outbox(0);
    for (uint32_t handle = 2; handle < 2000; handle++) {
        lie.number = handle;
        lie.head.handle = handle;
        CHECK_EQ(tell(&lie), SF_OK);
    }
    /* Each is told once that it means nothing, as far as there is room to remember. */
    CHECK(send_some(1000) <= 256);
    CHECK(stats().memory_bytes <= 256 * KIB);
    sf_outbox_close(outbox);
}

/* --- A receiver alone ------------------------------------------------------------------------ */

static void
open_inbox(void)
{
    struct sf_inbox_config config = {.boot = 1};

    now = SF_SEC;
    counter = 0;
    REQUIRE_EQ(sf_pool_open(8 * MIB, &pool), SF_OK);
    config.pool = pool;
    REQUIRE_EQ(sf_inbox_open(&config, &inbox), SF_OK);
}

static void
close_inbox(void)
{
    sf_inbox_close(inbox);
    CHECK_EQ(sf_pool_bytes_used(pool), 0);
    sf_pool_close(pool);
}

static bool
arrive(void)
{
    now += 10 * SF_US;
    return sf_inbox_datagram(inbox, EPOCH, counter++, 1400, now);
}

static void
announce(uint32_t handle, uint32_t name, uint32_t class_bytes, uint64_t count)
{
    struct sf_object_notice notice = {.handle = handle,
        .object = {.kind = 1, .count = count, .is_count_final = true, .class_bytes = class_bytes}};
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    uint8_t message[SF_OBJECT_MESSAGE_MAX];

    sf_put_be32(notice.object.transfer.b, name);
    sf_message_writer_init(&writer, message, sizeof(message));
    REQUIRE(sf_object_notice_encode(&writer, &notice));
    sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
    CHECK(arrive());
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_OBJECT, &reader, now), SF_OK);
}

static void
segment(uint32_t handle, uint64_t address, size_t bytes)
{
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    uint8_t message[2048];

    sf_message_writer_init(&writer, message, sizeof(message));
    sf_message_put_varint(&writer, handle);
    sf_message_put_varint(&writer, address / SF_OBJECT_UNIT);
    sf_message_put_bytes(&writer, bundle, bytes);
    sf_message_reader_init(&reader, sf_view(message, writer.bytes));
    CHECK(arrive());
    CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_DATA, &reader, now), SF_OK);
}

/* Take events; objects are accepted, spills stored if `is_storing`. Returns how many. */
static size_t
take_events(bool is_storing)
{
    struct sf_inbox_event event;
    size_t count = 0;

    while (sf_inbox_event(inbox, &event)) {
        count++;
        switch (event.kind) {
        case SF_INBOX_OBJECT:
            REQUIRE_EQ(sf_inbox_accept(inbox, event.handle, NULL), SF_OK);
            break;
        case SF_INBOX_BUNDLE:
            sf_pool_return(pool, event.buffer);
            break;
        case SF_INBOX_SPILL:
            sf_inbox_spilled(
                inbox, event.handle, event.index, event.buffer, is_storing ? SF_OK : SF_EIO);
            break;
        case SF_INBOX_LOAD:
            sf_inbox_loaded(inbox, event.handle, event.index, event.buffer, SF_OK);
            break;
        case SF_INBOX_COUNT:
        case SF_INBOX_GONE:
            break;
        }
    }
    return count;
}

static struct sf_inbox_stats
in_stats(void)
{
    struct sf_inbox_stats got;

    sf_inbox_stats(inbox, &got);
    return got;
}

/* Reports that are due until `until`; returns their bytes. */
static size_t
report_bytes(sf_mono until)
{
    size_t bytes = 0;

    while (sf_inbox_deadline(inbox) <= until) {
        struct sf_message_writer writer;
        uint8_t message[1344];

        now = sf_inbox_deadline(inbox) > now ? sf_inbox_deadline(inbox) : now;
        sf_message_writer_init(&writer, message, sizeof(message));
        REQUIRE(sf_inbox_fill(inbox, &writer, now));
        bytes += writer.bytes;
    }
    now = until;
    return bytes;
}

static void
test_begin_everything(void)
{
    open_inbox();
    announce(1, 1, MIB, 668000);
    take_events(true);
    for (uint64_t i = 0; i < 20000; i++) {
        segment(1, i * 33 * MIB, 1024);
        take_events(true);
        CHECK(sf_pool_bytes_used(pool) <= 8 * MIB);
    }
    CHECK_EQ(in_stats().partials, SF_INBOX_PARTIALS_MAX);
    CHECK(in_stats().dropped_bytes > 0);
    close_inbox();
    /* And if nothing can be stored, no more is kept than memory holds. */
    open_inbox();
    announce(1, 1, MIB, 668000);
    take_events(false);
    for (uint64_t i = 0; i < 1000; i++) {
        segment(1, i * MIB, 1024);
        take_events(false);
        CHECK(in_stats().partials <= 8);
    }
    close_inbox();
}

static void
test_unanswered_spills(void)
{
    /* The caller is slow: nothing waits for it but what needs memory. */
    open_inbox();
    announce(1, 1, MIB, 1000);
    take_events(true);
    for (uint64_t i = 0; i < 1000; i++) {
        segment(1, i * MIB, 1024);
    }
    CHECK_EQ(in_stats().partials, 8);
    CHECK(sf_pool_bytes_used(pool) <= 8 * MIB);
    CHECK(take_events(true) <= 8);
    segment(1, 500 * MIB, 1024);
    CHECK_EQ(in_stats().partials, 9);
    close_inbox();
}

static void
test_scattered_segments(void)
{
    /* Every other sixteen bytes: no more than 256 ranges are kept of a bundle. */
    open_inbox();
    announce(1, 1, 64 * KIB, 4);
    take_events(true);
    for (uint64_t at = 0; at < 64 * KIB; at += 32) {
        segment(1, at, 16);
    }
    CHECK_EQ(in_stats().data_bytes, SF_LINK_RANGES_MAX * 16);
    /* What joins them is taken, so the bundle still ends up complete. */
    for (int turn = 0; turn < 2; turn++) {
        for (uint64_t at = 0; at < 64 * KIB; at += KIB) {
            segment(1, at, KIB);
        }
    }
    CHECK_EQ(in_stats().data_bytes, 64 * KIB);
    CHECK_EQ(take_events(true), 1);
    close_inbox();
}

static void
test_beyond(void)
{
    open_inbox();
    announce(1, 1, 64 * KIB, 4);
    take_events(true);
    segment(1, 4 * 64 * KIB, 1024);                /* behind the last bundle */
    segment(1, 64 * KIB - 16, 32);                 /* across a border */
    segment(1, SF_LINK_OBJECT_BYTES_MAX - 16, 16); /* at the end of the address space */
    CHECK_EQ(in_stats().data_bytes, 0);
    CHECK_EQ(in_stats().partials, 0);
    close_inbox();
}

static void
test_unknown_handles(void)
{
    open_inbox();
    for (uint32_t i = 0; i < 100000; i++) {
        segment(1 + i * 7 % SF_OBJECT_HANDLE_MAX, 0, 1024);
    }
    CHECK_EQ(in_stats().partials, 0);
    /* A thousandth of what came in goes back at most. */
    CHECK(report_bytes(now + 60 * SF_SEC) <= 100000 * 1400 / 1000);
    CHECK_EQ(sf_inbox_deadline(inbox), SF_NEVER);
    close_inbox();
}

static void
test_many_announcements(void)
{
    open_inbox();
    for (uint32_t i = 1; i <= 5000; i++) {
        announce(i, i, 64 * KIB, 4);
        CHECK(in_stats().objects <= SF_LINK_OBJECTS_MAX);
    }
    CHECK_EQ(take_events(true), SF_LINK_OBJECTS_MAX);
    for (uint32_t i = 1; i <= 5000; i++) {
        segment(i, 0, 1024);
    }
    CHECK_EQ(in_stats().partials, 128); /* as many as memory holds */
    close_inbox();
}

static void
test_changing_announcements(void)
{
    /* One name, another shape every time: the old one ends, and nothing is left of it. */
    open_inbox();
    for (uint32_t i = 1; i <= 3000; i++) {
        announce(1 + i % 5, 1, i % 2 == 0 ? 64 * KIB : 16 * KIB, 4 + i % 3);
        segment(1 + i % 5, 0, 1024);
        if (i % 7 == 0) {
            take_events(true);
        }
        CHECK(in_stats().objects <= SF_LINK_OBJECTS_MAX);
    }
    take_events(true);
    CHECK_EQ(in_stats().objects, 1);
    close_inbox();
}

static void
test_earlier_boot(void)
{
    open_inbox();
    CHECK(sf_inbox_datagram(inbox, UINT64_C(5) << 32, 1, 100, now));
    CHECK(!sf_inbox_datagram(inbox, UINT64_C(4) << 32, 99, 100, now));
    CHECK(sf_inbox_datagram(inbox, UINT64_C(5) << 32 | 3, 1, 100, now));
    CHECK(sf_inbox_datagram(inbox, UINT64_C(6) << 32, 1, 100, now));
    close_inbox();
}

static void
test_endless_asking(void)
{
    struct sf_message_reader reader;
    size_t reports = 0;

    open_inbox();
    announce(1, 1, 64 * KIB, 4);
    take_events(true);
    for (int i = 0; i < 100000; i++) { /* ten microseconds apart: a second */
        struct sf_message_writer writer;
        uint8_t message[1344];

        CHECK(arrive());
        sf_message_reader_init(&reader, sf_view("", 0));
        CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_ASK, &reader, now), SF_OK);
        sf_message_writer_init(&writer, message, sizeof(message));
        reports += sf_inbox_fill(inbox, &writer, now) ? 1 : 0;
    }
    CHECK(reports <= 201);
    close_inbox();
}

/* --- Words to an honest peer ------------------------------------------------------------------- */

/* What the next report says of `handle` first; -1 if it does not mention it. */
static int
state_told(uint32_t handle)
{
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    struct sf_report_decoder decoder;
    struct sf_report_section section;
    struct sf_report report;
    uint8_t message[1344];
    int state = -1;

    if (sf_inbox_deadline(inbox) > now) {
        now = sf_inbox_deadline(inbox);
    }
    sf_message_writer_init(&writer, message, sizeof(message));
    REQUIRE(sf_inbox_fill(inbox, &writer, now));
    sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
    REQUIRE_EQ(sf_report_decode(&reader, &report, &decoder), SF_OK);
    while (sf_report_next_section(&decoder, &section)) {
        state = section.handle == handle && state == -1 ? (int)section.state : state;
    }
    return state;
}

static void
test_unknown_becomes_known(void)
{
    /* Segments overtook their announcement: nothing false is said of it afterwards. */
    open_inbox();
    segment(1, 0, 1024);
    announce(1, 1, 64 * KIB, 4);
    take_events(true);
    CHECK_EQ(state_told(1), SF_REPORT_MAP);
    close_inbox();
    open_inbox();
    segment(1, 0, 1024);
    CHECK_EQ(state_told(1), SF_REPORT_UNKNOWN);
    announce(1, 1, 64 * KIB, 4);
    CHECK_EQ(state_told(1), SF_REPORT_HEARD);
    take_events(true);
    CHECK_EQ(state_told(1), SF_REPORT_MAP);
    close_inbox();
}

static void
test_restarted_peer(void)
{
    /* Handles of another boot mean nothing: neither as objects nor in what is said. */
    open_inbox();
    announce(1, 1, 64 * KIB, 4);
    take_events(true);
    segment(9, 0, 1024);
    CHECK(sf_inbox_datagram(inbox, EPOCH + (UINT64_C(1) << 32), 1, 100, now));
    CHECK_EQ(state_told(9), -1);
    /* The same object under another handle is the same object. */
    {
        struct sf_object_notice notice = {.handle = 7,
            .ask_map = true,
            .object = {.kind = 1, .count = 4, .is_count_final = true, .class_bytes = 64 * KIB}};
        struct sf_message_writer writer;
        struct sf_message_reader reader;
        uint8_t message[SF_OBJECT_MESSAGE_MAX];

        sf_put_be32(notice.object.transfer.b, 1);
        sf_message_writer_init(&writer, message, sizeof(message));
        REQUIRE(sf_object_notice_encode(&writer, &notice));
        sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
        CHECK_EQ(sf_inbox_message(inbox, SF_MESSAGE_OBJECT, &reader, now), SF_OK);
    }
    CHECK_EQ(take_events(true), 0);
    CHECK_EQ(state_told(7), SF_REPORT_MAP);
    CHECK_EQ(in_stats().objects, 1);
    close_inbox();
}

static void
test_report_before_event(void)
{
    /* A bundle that is complete and not yet pulled is told once, not twice. */
    open_inbox();
    announce(1, 1, KIB, 4);
    take_events(true);
    segment(1, 0, KIB);
    segment(1, 2 * KIB, KIB);
    CHECK_EQ(state_told(1), SF_REPORT_MAP);
    CHECK_EQ(take_events(true), 2);
    close_inbox();
}

static void
test_silence(void)
{
    size_t reports;

    /* Something is missing and nothing comes: ever fewer words, at least one a minute. */
    open_inbox();
    announce(1, 1, KIB, 2);
    take_events(true);
    segment(1, 0, KIB);
    take_events(true);
    REQUIRE_EQ(sf_inbox_received(inbox, 1, 0, SF_LINK_KEEP), SF_OK);
    report_bytes(now + 3600 * SF_SEC);
    reports = in_stats().reports;
    CHECK(reports >= 60 && reports <= 80);
    /* All is there and kept: a few words, then none. */
    segment(1, KIB, KIB);
    take_events(true);
    REQUIRE_EQ(sf_inbox_received(inbox, 1, 1, SF_LINK_KEEP), SF_OK);
    report_bytes(now + 3600 * SF_SEC);
    CHECK_EQ(sf_inbox_deadline(inbox), SF_NEVER);
    CHECK(in_stats().reports - reports <= 5);
    close_inbox();
}

static void
test_last_datagram_asks(void)
{
    /* 1,000 and some segments, then the peer is asked what came: in the last datagram if it
     * has room, else in one more. */
    static const uint32_t classes[] = {KIB, 16 * KIB, 64 * KIB};

    for (size_t i = 0; i < 3; i++) {
        size_t asks = 0;
        bool is_last = false;

        open_outbox(0);
        offer(1, classes[i], 20);
        for (int turn = 0; turn < 2000; turn++) {
            struct sf_message_writer writer;
            struct sf_outbox_event event;
            uint8_t dgram[1344];

            while (sf_outbox_event(outbox, &event)) {
                REQUIRE_EQ(sf_outbox_supply(outbox, 1, event.index, bundle), SF_OK);
            }
            sf_message_writer_init(&writer, dgram, sizeof(dgram));
            if (sf_outbox_fill(outbox, &writer, counter, now)) {
                counter++;
                is_last = dgram[0] == SF_MESSAGE_ASK;
                asks += is_last ? 1 : 0;
            }
        }
        CHECK_EQ(asks, 1);
        CHECK(is_last);
        sf_outbox_close(outbox);
    }
}

static void
test_dark(void)
{
    open_outbox(0);
    offer(1, 64 * KIB, 4);
    send_some(1000);
    CHECK(sf_outbox_deadline(outbox) != SF_NEVER); /* a probe */
    sf_outbox_pause(outbox, now);
    CHECK_EQ(sf_outbox_deadline(outbox), SF_NEVER);
    now += 3600 * SF_SEC;
    CHECK_EQ(send_some(10), 0);
    sf_outbox_resume(outbox, now);
    /* Not as if an hour of silence had gone by. */
    CHECK(send_some(10) <= 1);
    now += 200 * SF_MS;
    CHECK(send_some(10) >= 1);
    sf_outbox_close(outbox);
}

CHECK_MAIN("object_lies", {"a counter from the future costs one repetition", test_future},
    {"ranges never sent or beyond the object end nothing", test_never_sent},
    {"a report on another life of ours is not heard", test_other_life},
    {"an old or repeated report changes nothing", test_old_report},
    {"endless tiny ranges stay within the nodes there are", test_tiny_ranges},
    {"handles that mean nothing are remembered up to a limit", test_strange_handles},
    {"who begins every bundle is stopped at a limit", test_begin_everything},
    {"spills that nobody answers hold up only what needs memory", test_unanswered_spills},
    {"more ranges than may be kept are dropped and come again", test_scattered_segments},
    {"segments beyond the object or across bundles are dropped", test_beyond},
    {"segments of unknown handles get few words back", test_unknown_handles},
    {"announcements without end fill the table and no more", test_many_announcements},
    {"a name that changes its shape leaves nothing behind", test_changing_announcements},
    {"what an earlier boot of the peer sent is told apart", test_earlier_boot},
    {"who asks all the time gets a report every five milliseconds", test_endless_asking},
    {"a handle that became known is not called unknown", test_unknown_becomes_known},
    {"handles of an earlier boot mean nothing, objects do", test_restarted_peer},
    {"a complete bundle is told once, also before it is taken", test_report_before_event},
    {"silence grows while nothing changes, and lasts when nothing is missing", test_silence},
    {"the last datagram of an object asks for a report", test_last_datagram_asks},
    {"nothing is due in the dark and nothing is overdue after it", test_dark})
