/*
 * fuzz_object_messages.c - any bytes as messages to a receiver of objects: its
 * memory stays bounded and its own reports are well formed.
 *
 * Input: datagrams one after the other, each behind two bytes: its length and
 * what the caller does about events: 1 accept, 2 decline, 4 say AGAIN, 8 fail
 * the disk, 16 wait; the upper three bits choose the time that passes.
 */
#include "base/assert.h"
#include "link/inbox.h"
#include "link/report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { ACCEPT = 1, DECLINE = 2, AGAIN = 4, FAIL = 8, WAIT = 16, DGRAM_BYTES = 300 };

static struct sf_pool *pool;
static struct sf_inbox *inbox;

static void
take_event(const struct sf_inbox_event *event, unsigned choice)
{
    int status = (choice & FAIL) != 0 ? SF_EIO : SF_OK;

    switch (event->kind) {
    case SF_INBOX_OBJECT:
        if ((choice & DECLINE) != 0) {
            sf_inbox_decline(inbox, event->handle);
        } else if ((choice & ACCEPT) != 0) {
            sf_assert(sf_inbox_accept(inbox, event->handle, NULL) == SF_OK);
        }
        break;
    case SF_INBOX_BUNDLE:
        sf_assert(event->buffer != NULL);
        sf_pool_return(pool, event->buffer);
        status = sf_inbox_received(inbox, event->handle, event->index,
            (choice & AGAIN) != 0 ? SF_LINK_AGAIN : SF_LINK_KEEP);
        sf_assert(status == SF_OK || status == SF_ENOENT || status == SF_ESTATE);
        break;
    case SF_INBOX_SPILL:
        sf_inbox_spilled(inbox, event->handle, event->index, event->buffer, status);
        break;
    case SF_INBOX_LOAD:
        sf_inbox_loaded(inbox, event->handle, event->index, event->buffer, status);
        break;
    case SF_INBOX_COUNT:
    case SF_INBOX_GONE:
        break;
    }
}

/* What it says must be what its own reader takes. */
static void
check_report(sf_mono now)
{
    uint8_t message[DGRAM_BYTES];
    struct sf_message_writer writer;
    struct sf_message_reader reader;
    struct sf_report_decoder decoder;
    struct sf_report report;

    sf_message_writer_init(&writer, message, sizeof(message));
    if (sf_inbox_fill(inbox, &writer, now)) {
        sf_message_reader_init(&reader, sf_view(message + 1, writer.bytes - 1));
        sf_assert(message[0] == SF_MESSAGE_REPORT);
        sf_assert(sf_report_decode(&reader, &report, &decoder) == SF_OK);
        sf_assert(sf_message_left(&reader) == 0);
    }
}

static void
input(const uint8_t *data, size_t bytes, uint64_t counter, sf_mono now)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(data, bytes));
    sf_assert(sf_inbox_datagram(inbox, UINT64_C(1) << 32, counter, bytes, now));
    while (sf_message_left(&reader) > 0) {
        enum sf_message_type type = (enum sf_message_type)sf_message_get_u8(&reader);

        if (sf_inbox_message(inbox, type, &reader, now) != SF_OK) {
            break;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_inbox_config config = {.boot = 1};
    struct sf_inbox_event event;
    uint64_t counter = 0;
    sf_mono now = SF_SEC;

    if (pool == NULL) { /* one for all runs: each must leave it empty */
        sf_assert(sf_pool_open(SF_POOL_BYTES_MIN, &pool) == SF_OK);
    }
    config.pool = pool;
    sf_assert(sf_inbox_open(&config, &inbox) == SF_OK);
    while (bytes >= 2) {
        size_t length = data[0] < bytes - 2 ? data[0] : bytes - 2;
        unsigned choice = data[1];

        now += (uint64_t)(choice >> 5) * 10 * SF_MS;
        input(data + 2, length, counter++, now);
        while ((choice & WAIT) == 0 && sf_inbox_event(inbox, &event)) {
            take_event(&event, choice);
        }
        check_report(now);
        data += 2 + length;
        bytes -= 2 + length;
    }
    while (sf_inbox_event(inbox, &event)) {
        take_event(&event, ACCEPT);
    }
    sf_inbox_close(inbox);
    sf_assert(sf_pool_bytes_used(pool) == 0);
    return 0;
}
