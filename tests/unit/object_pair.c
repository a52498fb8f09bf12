/*
 * object_pair.c - the loop of two drivers and the channel between them.
 */
#include "tests/unit/object_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MTU_DEFAULT = 1400,
    POOL_DEFAULT = 48 * 1024 * 1024,
    STEP_MAX = 100000000,
};

enum dgram_kind { FORWARD, BACKWARD, ANSWER_WANT, ANSWER_SPILL, ANSWER_LOAD };

/* Something that happens at a time: a datagram arrives, a disk answers. */
struct pair_dgram {
    sf_mono at;
    uint64_t number;
    enum dgram_kind kind;
    uint8_t *data;
    size_t bytes;
    uint64_t epoch;
    uint64_t counter;
    sf_mono stamp; /* FORWARD: when it left; BACKWARD: what is echoed */
    uint64_t held;
    bool has_stamp;
    uint32_t handle;
    uint64_t index;
    uint8_t *buffer;
};

/* Bytes of a bundle kept by a driver. */
struct pair_bytes {
    uint32_t handle;
    uint64_t index;
    uint8_t *data;
    struct pair_bytes *next;
};

static void *
must(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "object_pair: out of memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void
must_ok(int status, const char *what)
{
    if (status != SF_OK) {
        fprintf(stderr, "object_pair: %s: %s\n", what, sf_status_text(status));
        exit(EXIT_FAILURE);
    }
}

/* --- The queue of what is to come --------------------------------------------------------- */

static bool
is_before(const struct pair_dgram *a, const struct pair_dgram *b)
{
    return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static void
push(struct pair *pair, struct pair_dgram dgram)
{
    size_t at = pair->queue_count;

    if (at == pair->queue_capacity) {
        pair->queue_capacity = at == 0 ? 1024 : at * 2;
        pair->queue = must(realloc(pair->queue, pair->queue_capacity * sizeof(*pair->queue)));
    }
    dgram.number = pair->queue_number++;
    pair->queue_count++;
    while (at > 0 && is_before(&dgram, &pair->queue[(at - 1) / 2])) {
        pair->queue[at] = pair->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    pair->queue[at] = dgram;
}

static struct pair_dgram
pop(struct pair *pair)
{
    struct pair_dgram first = pair->queue[0];
    struct pair_dgram last = pair->queue[--pair->queue_count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= pair->queue_count) {
            break;
        }
        if (child + 1 < pair->queue_count &&
            is_before(&pair->queue[child + 1], &pair->queue[child])) {
            child++;
        }
        if (!is_before(&pair->queue[child], &last)) {
            break;
        }
        pair->queue[at] = pair->queue[child];
        at = child;
    }
    pair->queue[at] = last;
    return first;
}

/* --- The channel ---------------------------------------------------------------------------- */

static bool
is_outage(const struct pair *pair, sf_mono at)
{
    for (size_t i = 0; i < pair->config.outage_count; i++) {
        if (at >= pair->config.outages[i].from && at < pair->config.outages[i].to) {
            return true;
        }
    }
    return false;
}

static bool
is_lost(struct pair *pair, enum dgram_kind kind)
{
    const struct pair_config *config = &pair->config;

    if (is_outage(pair, pair->now)) {
        return true;
    }
    if (kind == BACKWARD) {
        return sf_prng_chance(&pair->channel, config->return_loss_ppm);
    }
    if (pair->is_burst) {
        pair->is_burst = !sf_prng_chance(&pair->channel, config->burst_end_ppm);
    } else {
        pair->is_burst = sf_prng_chance(&pair->channel, config->burst_ppm);
    }
    return pair->is_burst || sf_prng_chance(&pair->channel, config->loss_ppm);
}

static void
transmit(struct pair *pair, struct pair_dgram dgram, const uint8_t *data)
{
    const struct pair_config *config = &pair->config;
    unsigned copies = 1;

    if (is_lost(pair, dgram.kind)) {
        return;
    }
    if (dgram.kind == FORWARD && sf_prng_chance(&pair->channel, config->dup_ppm)) {
        copies = 2;
    }
    while (copies-- > 0) {
        dgram.at = pair->now + config->rtt_ns / 2;
        if (sf_prng_chance(&pair->channel, config->reorder_ppm) || copies > 0) {
            dgram.at += sf_prng_below(&pair->channel, config->reorder_ns + 1);
        }
        dgram.data = must(malloc(dgram.bytes));
        memcpy(dgram.data, data, dgram.bytes);
        push(pair, dgram);
    }
}

/* --- Bundles --------------------------------------------------------------------------------- */

/* The bytes of bundle `index`: different in every bundle and kilobyte. */
static void
make_bundle(const struct pair_object *object, uint64_t index, uint8_t *out)
{
    uint32_t bytes = object->object.class_bytes;
    uint64_t name = index * 1000003 + object->object.transfer.b[0];

    memset(out, (int)(index * 7 + object->object.transfer.b[0]), bytes);
    for (uint32_t at = 0; at + 16 <= bytes; at += 512) {
        sf_put_be64(out + at, name);
        sf_put_be64(out + at + 8, at);
    }
}

static bool
is_bundle(const struct pair_object *object, uint64_t index, const uint8_t *bytes)
{
    uint8_t *expected = must(malloc(object->object.class_bytes));
    bool is_equal;

    make_bundle(object, index, expected);
    is_equal = memcmp(expected, bytes, object->object.class_bytes) == 0;
    free(expected);
    return is_equal;
}

static struct pair_object *
by_out(struct pair *pair, uint32_t handle)
{
    for (size_t i = 0; i < pair->object_count; i++) {
        if (pair->objects[i].out_handle == handle) {
            return &pair->objects[i];
        }
    }
    return NULL;
}

static struct pair_object *
by_in(struct pair *pair, uint32_t handle)
{
    for (size_t i = 0; i < pair->object_count; i++) {
        if (pair->objects[i].in_handle == handle) {
            return &pair->objects[i];
        }
    }
    return NULL;
}

/* --- The sender's driver ------------------------------------------------------------------------ */

static void
lend(struct pair *pair, uint32_t handle, uint64_t index)
{
    struct pair_object *object = by_out(pair, handle);
    struct pair_bytes *lent;

    if (object == NULL) {
        return;
    }
    lent = must(calloc(1, sizeof(*lent)));
    lent->handle = handle;
    lent->index = index;
    lent->data = must(malloc(object->object.class_bytes));
    make_bundle(object, index, lent->data);
    if (sf_outbox_supply(pair->outbox, handle, index, lent->data) != SF_OK) {
        free(lent->data);
        free(lent);
        return;
    }
    lent->next = pair->loans;
    pair->loans = lent;
    pair->lent++;
    pair->lent_peak = pair->lent > pair->lent_peak ? pair->lent : pair->lent_peak;
}

static void
take_back(struct pair *pair, uint32_t handle, uint64_t index, bool is_all)
{
    struct pair_bytes **at = &pair->loans;

    while (*at != NULL) {
        struct pair_bytes *lent = *at;

        if (is_all || (lent->handle == handle && lent->index == index)) {
            *at = lent->next;
            free(lent->data);
            free(lent);
            pair->lent--;
        } else {
            at = &lent->next;
        }
    }
}

static void
run_outbox(struct pair *pair)
{
    struct sf_outbox_event event;

    while (sf_outbox_event(pair->outbox, &event)) {
        struct pair_object *object = by_out(pair, event.handle);

        switch (event.kind) {
        case SF_OUTBOX_WANT:
            pair->wants++;
            if (pair->config.read_ns == 0) {
                lend(pair, event.handle, event.index);
            } else {
                push(pair, (struct pair_dgram){.at = pair->now + pair->config.read_ns,
                               .kind = ANSWER_WANT,
                               .handle = event.handle,
                               .index = event.index,
                               .epoch = pair->epoch});
            }
            break;
        case SF_OUTBOX_RELEASE:
            take_back(pair, event.handle, event.index, false);
            break;
        case SF_OUTBOX_RECEIVED:
            object->is_received = true;
            object->received_at = pair->now;
            break;
        case SF_OUTBOX_DECLINED:
            object->is_declined = true;
            break;
        case SF_OUTBOX_MAP:
            break;
        }
    }
}

/* Send at most one datagram forward. */
static bool
send_forward(struct pair *pair)
{
    uint8_t buffer[9000];
    struct sf_message_writer writer;
    size_t ip_bytes;

    if (!sf_pacer_is_open(&pair->pacer, pair->now)) {
        return false;
    }
    sf_message_writer_init(&writer, buffer, pair->config.mtu - PAIR_HEAD_BYTES);
    if (!sf_outbox_fill(pair->outbox, &writer, pair->counter, pair->now)) {
        return false;
    }
    ip_bytes = writer.bytes + PAIR_HEAD_BYTES;
    sf_pacer_sent(&pair->pacer, ip_bytes, pair->now);
    pair->forward_bytes += ip_bytes;
    pair->forward_dgrams++;
    transmit(pair,
        (struct pair_dgram){.kind = FORWARD,
            .bytes = writer.bytes,
            .epoch = pair->epoch,
            .counter = pair->counter,
            .stamp = pair->now},
        buffer);
    pair->counter++;
    return true;
}

/* --- The receiver's driver -------------------------------------------------------------------------- */

static void
take_bundle(struct pair *pair, const struct sf_inbox_event *event)
{
    struct pair_object *object = by_in(pair, event->handle);
    enum sf_link_verdict verdict = SF_LINK_KEEP;

    object->bundles++;
    object->wrong += is_bundle(object, event->index, event->buffer) ? 0 : 1;
    sf_pool_return(pair->pool, event->buffer);
    if (sf_prng_chance(&pair->faults, pair->config.again_ppm)) {
        verdict = SF_LINK_AGAIN;
    } else {
        must_ok(sf_range_set_add(&object->have, event->index, event->index + 1), "have");
        pair->delivered_bytes += object->object.class_bytes;
        if (object->have.count == 1 && sf_range_set_total(&object->have) == object->object.count) {
            object->done_at = pair->now;
        }
    }
    must_ok(sf_inbox_received(pair->inbox, event->handle, event->index, verdict), "received");
}

static void
answer_disk(struct pair *pair, const struct sf_inbox_event *event, enum dgram_kind kind)
{
    struct pair_bytes *spill = pair->spills;

    while (spill != NULL && (spill->handle != event->handle || spill->index != event->index)) {
        spill = spill->next;
    }
    if (spill == NULL) {
        spill = must(calloc(1, sizeof(*spill)));
        spill->handle = event->handle;
        spill->index = event->index;
        spill->data = must(calloc(1, event->buffer_bytes));
        spill->next = pair->spills;
        pair->spills = spill;
    }
    for (size_t i = 0; i < event->ranges->count; i++) {
        size_t from = (size_t)event->ranges->ranges[i].from;
        size_t bytes = (size_t)event->ranges->ranges[i].to - from;

        if (kind == ANSWER_SPILL) {
            memcpy(spill->data + from, event->buffer + from, bytes);
        } else {
            memcpy(event->buffer + from, spill->data + from, bytes);
        }
    }
    push(pair, (struct pair_dgram){.at = pair->now + pair->config.read_ns,
                   .kind = kind,
                   .handle = event->handle,
                   .index = event->index,
                   .buffer = event->buffer});
}

static void
take_announcement(struct pair *pair, const struct sf_inbox_event *event)
{
    for (size_t i = 0; i < pair->object_count; i++) {
        struct pair_object *object = &pair->objects[i];

        if (!sf_transfer_equal(&object->object.transfer, &event->object.transfer)) {
            continue;
        }
        if (object->is_declined_there) {
            sf_inbox_decline(pair->inbox, event->handle);
            return;
        }
        object->in_handle = event->handle;
        must_ok(sf_inbox_accept(pair->inbox, event->handle, &object->have), "accept");
        return;
    }
}

static void
run_inbox(struct pair *pair)
{
    struct sf_inbox_event event;

    while (sf_inbox_event(pair->inbox, &event)) {
        struct pair_object *object = by_in(pair, event.handle);

        switch (event.kind) {
        case SF_INBOX_OBJECT:
            take_announcement(pair, &event);
            break;
        case SF_INBOX_COUNT:
            break;
        case SF_INBOX_BUNDLE:
            take_bundle(pair, &event);
            break;
        case SF_INBOX_SPILL:
            answer_disk(pair, &event, ANSWER_SPILL);
            break;
        case SF_INBOX_LOAD:
            answer_disk(pair, &event, ANSWER_LOAD);
            break;
        case SF_INBOX_GONE:
            if (object != NULL) {
                object->is_gone = true;
            }
            break;
        }
    }
}

static bool
send_backward(struct pair *pair)
{
    uint8_t buffer[9000];
    struct sf_message_writer writer;

    sf_message_writer_init(&writer, buffer, pair->config.mtu - PAIR_HEAD_BYTES);
    if (!sf_inbox_fill(pair->inbox, &writer, pair->now)) {
        return false;
    }
    if (pair->config.no_return) {
        return true;
    }
    pair->return_bytes += writer.bytes + PAIR_HEAD_BYTES;
    pair->return_dgrams++;
    transmit(pair,
        (struct pair_dgram){.kind = BACKWARD,
            .bytes = writer.bytes,
            .stamp = pair->stamp,
            .held = pair->now - pair->stamp_at,
            .has_stamp = pair->has_stamp},
        buffer);
    return true;
}

/* --- What happens ---------------------------------------------------------------------------------------- */

static void
input_forward(struct pair *pair, const struct pair_dgram *dgram)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(dgram->data, dgram->bytes));
    if (!sf_inbox_datagram(
            pair->inbox, dgram->epoch, dgram->counter, dgram->bytes + PAIR_HEAD_BYTES, pair->now)) {
        return;
    }
    if (!pair->has_stamp || dgram->stamp >= pair->stamp) {
        pair->stamp = dgram->stamp;
        pair->stamp_at = pair->now;
        pair->has_stamp = true;
    }
    while (sf_message_left(&reader) > 0) {
        uint8_t type = sf_message_get_u8(&reader);

        must_ok(sf_inbox_message(pair->inbox, (enum sf_message_type)type, &reader, pair->now),
            "inbox message");
    }
}

static void
input_backward(struct pair *pair, const struct pair_dgram *dgram)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(dgram->data, dgram->bytes));
    if (dgram->has_stamp) {
        sf_rtt_sample(&pair->rtt, pair->now - dgram->stamp, dgram->held);
        sf_outbox_set_rtt(pair->outbox, pair->rtt.srtt_ns, pair->rtt.rttvar_ns);
        sf_inbox_set_rtt(pair->inbox, pair->rtt.srtt_ns);
    }
    while (sf_message_left(&reader) > 0) {
        uint8_t type = sf_message_get_u8(&reader);

        if (type != SF_MESSAGE_REPORT) {
            must_ok(SF_EFORMAT, "a report");
        }
        must_ok(sf_outbox_report(pair->outbox, &reader, pair->now), "report");
    }
}

static void
happen(struct pair *pair, struct pair_dgram *dgram)
{
    bool fails = sf_prng_chance(&pair->faults, pair->config.spill_fails_ppm);

    switch (dgram->kind) {
    case FORWARD:
        input_forward(pair, dgram);
        break;
    case BACKWARD:
        input_backward(pair, dgram);
        break;
    case ANSWER_WANT:
        if (dgram->epoch >> 32 == pair->epoch >> 32) { /* else an earlier life asked */
            lend(pair, dgram->handle, dgram->index);
        }
        break;
    case ANSWER_SPILL:
        sf_inbox_spilled(
            pair->inbox, dgram->handle, dgram->index, dgram->buffer, fails ? SF_EIO : SF_OK);
        break;
    case ANSWER_LOAD:
        sf_inbox_loaded(
            pair->inbox, dgram->handle, dgram->index, dgram->buffer, fails ? SF_EIO : SF_OK);
        break;
    }
    free(dgram->data);
}

/* Both sides pause when the path is dark for longer than the unanswered budget. */
static void
watch_darkness(struct pair *pair)
{
    uint64_t budget = 3 * pair->config.rtt_ns > 2 * SF_SEC ? 3 * pair->config.rtt_ns : 2 * SF_SEC;
    bool is_dark =
        pair->now > budget && is_outage(pair, pair->now) && is_outage(pair, pair->now - budget);

    if (is_dark && !pair->is_dark) {
        sf_outbox_pause(pair->outbox, pair->now);
        sf_inbox_pause(pair->inbox);
    } else if (!is_dark && pair->is_dark) {
        sf_outbox_resume(pair->outbox, pair->now);
        sf_inbox_resume(pair->inbox, pair->now);
    }
    pair->is_dark = is_dark;
}

static sf_mono
next_time(const struct pair *pair)
{
    sf_mono next = pair->queue_count > 0 ? pair->queue[0].at : SF_NEVER;
    sf_mono out = sf_outbox_deadline(pair->outbox);

    out = out > sf_pacer_deadline(&pair->pacer) ? out : sf_pacer_deadline(&pair->pacer);
    next = sf_mono_min(next, out);
    next = sf_mono_min(next, sf_inbox_deadline(pair->inbox));
    for (size_t i = 0; i < pair->config.outage_count; i++) {
        /* Looked at now and then while it lasts, and at its end. */
        if (pair->now < pair->config.outages[i].to && pair->now >= pair->config.outages[i].from) {
            next = sf_mono_min(next, sf_mono_min(pair->now + SF_SEC, pair->config.outages[i].to));
        }
    }
    return next > pair->now ? next : pair->now;
}

static void
step(struct pair *pair)
{
    watch_darkness(pair);
    while (pair->queue_count > 0 && pair->queue[0].at <= pair->now) {
        struct pair_dgram dgram = pop(pair);

        happen(pair, &dgram);
        run_inbox(pair);
        run_outbox(pair);
    }
    while (send_forward(pair)) {
        run_outbox(pair);
    }
    run_outbox(pair);
    while (send_backward(pair)) {
    }
    run_inbox(pair);
}

void
pair_run(struct pair *pair, sf_mono until)
{
    size_t stuck = 0;

    for (;;) {
        sf_mono before = pair->now;

        step(pair);
        pair->now = next_time(pair);
        stuck = pair->now == before ? stuck + 1 : 0;
        if (stuck > 10000) {
            must_ok(SF_ESTATE, "time stands still");
        }
        if (pair->now >= until) {
            pair->now = until;
            return;
        }
    }
}

static bool
is_finished(const struct pair *pair)
{
    for (size_t i = 0; i < pair->object_count; i++) {
        if (!pair->objects[i].is_received && !pair->objects[i].is_declined) {
            return false;
        }
    }
    return true;
}

bool
pair_finish(struct pair *pair)
{
    sf_mono limit = pair->config.limit_ns == 0 ? 86400 * SF_SEC : pair->config.limit_ns;
    size_t stuck = 0;

    while (pair->now < limit) {
        sf_mono before = pair->now;

        step(pair);
        if (is_finished(pair)) {
            return true;
        }
        pair->now = next_time(pair);
        stuck = pair->now == before ? stuck + 1 : 0;
        if (stuck > 10000) {
            must_ok(SF_ESTATE, "time stands still");
        }
    }
    return false;
}

/* --- Opening and closing -------------------------------------------------------------------------------------- */

static void
open_outbox(struct pair *pair)
{
    struct sf_outbox_config config = {.window_bytes = pair->config.window_bytes,
        .extents_max = pair->config.extents_max,
        .no_return = pair->config.no_return};

    must_ok(sf_outbox_open(&config, &pair->outbox), "outbox");
    pair->epoch = ((pair->epoch >> 32) + 1) << 32 | 1;
    pair->counter = 0;
    sf_outbox_session(pair->outbox, pair->epoch);
    sf_rtt_init(&pair->rtt);
}

static void
open_inbox(struct pair *pair, uint32_t boot)
{
    struct sf_inbox_config config = {.pool = pair->pool, .boot = boot};

    must_ok(sf_inbox_open(&config, &pair->inbox), "inbox");
}

void
pair_open(struct pair *pair, const struct pair_config *config)
{
    memset(pair, 0, sizeof(*pair));
    pair->config = *config;
    pair->config.mtu = config->mtu == 0 ? (size_t)MTU_DEFAULT : config->mtu;
    pair->now = SF_SEC;
    sf_prng_init_stream(&pair->channel, config->seed, 1);
    sf_prng_init_stream(&pair->faults, config->seed, 2);
    must_ok(sf_pool_open(
                config->pool_bytes == 0 ? (size_t)POOL_DEFAULT : config->pool_bytes, &pair->pool),
        "pool");
    must_ok(sf_pacer_init(&pair->pacer, config->rate_bps, 200 * SF_US, pair->now), "pacer");
    open_outbox(pair);
    open_inbox(pair, 1);
}

static void
drop_queue(struct pair *pair)
{
    for (size_t i = 0; i < pair->queue_count; i++) {
        free(pair->queue[i].data);
    }
    pair->queue_count = 0;
}

/* What was on its way to the inbox, from the path or from its disk, comes to nobody. */
static void
drop_for_inbox(struct pair *pair)
{
    struct pair_dgram *queue = pair->queue;
    size_t count = pair->queue_count;

    pair->queue = NULL;
    pair->queue_count = 0;
    pair->queue_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        if (queue[i].kind == BACKWARD || queue[i].kind == ANSWER_WANT) {
            push(pair, queue[i]);
        } else {
            free(queue[i].data);
        }
    }
    free(queue);
}

static void
drop_spills(struct pair *pair)
{
    while (pair->spills != NULL) {
        struct pair_bytes *spill = pair->spills;

        pair->spills = spill->next;
        free(spill->data);
        free(spill);
    }
}

void
pair_close(struct pair *pair)
{
    sf_outbox_close(pair->outbox);
    sf_inbox_close(pair->inbox);
    sf_pool_close(pair->pool);
    take_back(pair, 0, 0, true);
    drop_queue(pair);
    drop_spills(pair);
    free(pair->queue);
    for (size_t i = 0; i < pair->object_count; i++) {
        sf_range_set_fini(&pair->objects[i].have);
    }
}

size_t
pair_offer_as(struct pair *pair, const struct sf_link_object *object)
{
    size_t at = pair->object_count++;
    struct pair_object *mine = &pair->objects[at];

    mine->object = *object;
    mine->object.transfer.b[0] = (uint8_t)(at + 1);
    mine->out_handle = (uint32_t)at + 1;
    sf_range_set_init(&mine->have, 1 << 20);
    must_ok(sf_outbox_offer(pair->outbox, &mine->object, mine->out_handle, pair->now), "offer");
    return at;
}

size_t
pair_offer(struct pair *pair, uint32_t class_bytes, uint64_t count, uint8_t priority)
{
    return pair_offer_as(pair, &(struct sf_link_object){.kind = 1,
                                   .priority = priority,
                                   .count = count,
                                   .is_count_final = true,
                                   .class_bytes = class_bytes,
                                   .ready = count});
}

void
pair_restart_inbox(struct pair *pair)
{
    drop_for_inbox(pair);
    drop_spills(pair);
    sf_inbox_close(pair->inbox);
    sf_pool_close(pair->pool);
    must_ok(
        sf_pool_open(pair->config.pool_bytes == 0 ? (size_t)POOL_DEFAULT : pair->config.pool_bytes,
            &pair->pool),
        "pool");
    open_inbox(pair, 2);
    pair->has_stamp = false;
    for (size_t i = 0; i < pair->object_count; i++) {
        pair->objects[i].in_handle = 0;
    }
    /* The sender notices that its session is not heard and opens another. */
    pair->epoch++;
    pair->counter = 0;
    sf_outbox_session(pair->outbox, pair->epoch);
}

void
pair_restart_outbox(struct pair *pair)
{
    sf_outbox_close(pair->outbox);
    take_back(pair, 0, 0, true);
    open_outbox(pair);
    for (size_t i = 0; i < pair->object_count; i++) {
        struct pair_object *mine = &pair->objects[i];

        mine->object.ask_map = true;
        mine->out_handle = (uint32_t)(pair->object_count - i); /* other numbers than before */
        must_ok(sf_outbox_offer(pair->outbox, &mine->object, mine->out_handle, pair->now), "offer");
    }
}
