/*
 * bench_link_objects.c - datagrams a second through an outbox and into an
 * inbox, on one core, without encryption and sockets; run by hand:
 * tests/bench/bench_link_objects [MEGABYTES [LOSS IN PER CENT]]
 *
 * Each side is timed on its own over batches of datagrams, so neither waits for
 * the other.
 */
#include "base/assert.h"
#include "base/prng.h"
#include "link/inbox.h"
#include "link/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MIB = 1024 * 1024, BATCH = 1024, ROOM = 1344, HEAD_BYTES = 56 };

static uint8_t bundle[MIB];
static uint8_t dgrams[BATCH][ROOM];
static size_t dgram_bytes[BATCH];
static struct sf_outbox *outbox;
static struct sf_inbox *inbox;
static struct sf_pool *pool;
static struct sf_prng prng;
static uint64_t counter;
static sf_mono now = SF_SEC; /* simulated: 3 Gbit/s */
static bool is_done;

static double
seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t
fill_batch(void)
{
    size_t count = 0;

    while (count < BATCH) {
        struct sf_outbox_event event;
        struct sf_message_writer writer;

        while (sf_outbox_event(outbox, &event)) {
            if (event.kind == SF_OUTBOX_WANT) {
                sf_assert(sf_outbox_supply(outbox, event.handle, event.index, bundle) == SF_OK);
            }
            is_done |= event.kind == SF_OUTBOX_RECEIVED;
        }
        sf_message_writer_init(&writer, dgrams[count], ROOM);
        if (!sf_outbox_fill(outbox, &writer, counter + count, now)) {
            break;
        }
        dgram_bytes[count++] = writer.bytes;
        now += 3700;
    }
    return count;
}

static void
take_events(void)
{
    struct sf_inbox_event event;

    while (sf_inbox_event(inbox, &event)) {
        if (event.kind == SF_INBOX_OBJECT) {
            sf_assert(sf_inbox_accept(inbox, event.handle, NULL) == SF_OK);
        } else if (event.kind == SF_INBOX_BUNDLE) {
            sf_pool_return(pool, event.buffer);
            sf_assert(sf_inbox_received(inbox, event.handle, event.index, SF_LINK_KEEP) == SF_OK);
        }
    }
}

static void
input_batch(size_t count, unsigned loss_percent)
{
    for (size_t i = 0; i < count; i++) {
        struct sf_message_reader reader;

        if (loss_percent > 0 && sf_prng_below(&prng, 100) < loss_percent) {
            continue;
        }
        sf_message_reader_init(&reader, sf_view(dgrams[i], dgram_bytes[i]));
        sf_assert(sf_inbox_datagram(
            inbox, UINT64_C(1) << 32, counter + i, dgram_bytes[i] + HEAD_BYTES, now));
        while (sf_message_left(&reader) > 0) {
            enum sf_message_type type = (enum sf_message_type)sf_message_get_u8(&reader);

            sf_assert(sf_inbox_message(inbox, type, &reader, now) == SF_OK);
        }
        take_events();
    }
}

static void
report(double *out_time)
{
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    uint8_t message[ROOM];
    double start;

    sf_message_writer_init(&writer, message, sizeof(message));
    while (sf_inbox_fill(inbox, &writer, now)) {
        sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
        start = seconds();
        sf_assert(sf_outbox_report(outbox, &reader, now) == SF_OK);
        *out_time += seconds() - start;
        sf_message_writer_init(&writer, message, sizeof(message));
    }
}

int
main(int argc, char **argv)
{
    uint64_t bundles = argc > 1 ? strtoull(argv[1], NULL, 10) : 4000;
    unsigned loss = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    struct sf_link_object object = {
        .kind = 1, .count = bundles, .is_count_final = true, .class_bytes = MIB, .ready = bundles};
    struct sf_outbox_config out = {0};
    struct sf_inbox_config in = {.boot = 1};
    double out_time = 0;
    double in_time = 0;

    sf_prng_init(&prng, 1);
    sf_assert(sf_pool_open((size_t)48 * MIB, &pool) == SF_OK);
    in.pool = pool;
    sf_assert(sf_inbox_open(&in, &inbox) == SF_OK && sf_outbox_open(&out, &outbox) == SF_OK);
    sf_outbox_session(outbox, UINT64_C(1) << 32);
    sf_outbox_set_rtt(outbox, 20 * SF_MS, SF_MS);
    sf_inbox_set_rtt(inbox, 20 * SF_MS);
    sf_assert(sf_outbox_offer(outbox, &object, 1, now) == SF_OK);
    while (!is_done) {
        double start = seconds();
        double middle;
        size_t count = fill_batch();

        middle = seconds();
        input_batch(count, loss);
        out_time += middle - start;
        in_time += seconds() - middle;
        counter += count;
        now += count == 0 ? SF_MS : 0;
        report(&out_time);
    }
    printf("%" PRIu64 " MiB, %u %% loss, %" PRIu64 " datagrams\n", bundles, loss, counter);
    printf("outbox %8.0f datagrams/s  %6.2f Gbit/s\n", (double)counter / out_time,
        (double)counter / out_time * 1400 * 8 / 1e9);
    printf("inbox  %8.0f datagrams/s  %6.2f Gbit/s\n", (double)counter / in_time,
        (double)counter / in_time * 1400 * 8 / 1e9);
    sf_outbox_close(outbox);
    sf_inbox_close(inbox);
    sf_pool_close(pool);
    return EXIT_SUCCESS;
}
