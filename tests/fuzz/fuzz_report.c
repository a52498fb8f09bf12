/*
 * fuzz_report.c - any bytes as reports to a sender with two objects in flight:
 * the list of what is in flight stays in order and within the object, and the
 * sender goes on.
 *
 * Input: reports one after the other, each behind two bytes of length and one
 * that says how many datagrams to send before it and how much time passes.
 */
#include "base/assert.h"
#include "link/outbox_private.h"
#include "link/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { KIB = 1024, CLASS_BYTES = 16 * KIB, DGRAM_BYTES = 600 };

static const uint8_t bundle[CLASS_BYTES];
static struct sf_outbox *outbox;
static uint64_t counter;
static sf_mono now;

static void
check_object(const struct sf_outgoing *object)
{
    uint64_t at = 0;
    uint32_t lost = 0;

    for (uint32_t i = object->extents.first; i != SF_EXTENT_NONE;
         i = sf_extents_at(&object->extents, i)->next) {
        const struct sf_extent *extent = sf_extents_at(&object->extents, i);

        sf_assert(extent->from >= at && extent->from < extent->to);
        sf_assert(extent->to <= object->next);
        lost += extent->segment == 0 ? 1 : 0;
        at = extent->to;
    }
    sf_assert(lost == object->extents.lost_count);
    sf_assert(object->next <= sf_outgoing_end(object));
}

static void
pull_events(void)
{
    struct sf_outbox_event event;

    while (sf_outbox_event(outbox, &event)) {
        if (event.kind == SF_OUTBOX_WANT) {
            sf_assert(sf_outbox_supply(outbox, event.handle, event.index, bundle) == SF_OK);
        }
    }
}

static void
send_some(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t dgram[DGRAM_BYTES];
        struct sf_message_writer writer;

        pull_events();
        sf_message_writer_init(&writer, dgram, sizeof(dgram));
        if (sf_outbox_fill(outbox, &writer, counter, now)) {
            counter++;
        }
        sf_assert(writer.bytes <= sizeof(dgram));
        now += SF_MS;
    }
}

static void
offer(uint32_t handle, uint64_t first, uint64_t count)
{
    struct sf_link_object object = {.kind = 1,
        .first = first,
        .count = count,
        .is_count_final = handle == 1,
        .class_bytes = CLASS_BYTES,
        .ready = count - 1};

    object.transfer.b[0] = (uint8_t)handle;
    sf_assert(sf_outbox_offer(outbox, &object, handle, now) == SF_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_outbox_config config = {.extents_max = 1024};

    now = SF_SEC;
    counter = 0;
    sf_assert(sf_outbox_open(&config, &outbox) == SF_OK);
    sf_outbox_session(outbox, UINT64_C(1) << 32 | 1);
    sf_outbox_set_rtt(outbox, 20 * SF_MS, SF_MS);
    offer(1, 0, 20);
    offer(2, 5, 40);
    while (bytes >= 3) {
        size_t length = sf_get_be16(data);
        struct sf_message_reader reader;
        int status;

        send_some(data[2] & 0x3f);
        now += (uint64_t)(data[2] >> 6) * 40 * SF_MS;
        length = length < bytes - 3 ? length : bytes - 3;
        sf_message_reader_init(&reader, sf_view(data + 3, length));
        status = sf_outbox_report(outbox, &reader, now);
        sf_assert(status == SF_OK || status == SF_EFORMAT);
        for (size_t i = 0; i < outbox->object_count; i++) {
            check_object(outbox->objects[i]);
            (void)sf_outbox_peer_has(outbox, outbox->objects[i]->handle);
        }
        data += 3 + length;
        bytes -= 3 + length;
    }
    send_some(100);
    sf_outbox_close(outbox);
    return 0;
}
