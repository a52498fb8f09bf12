/*
 * inbox.c - incoming objects: what they are called, what came of them, and
 * what the caller is told.
 */
#include "link/inbox_private.h"

#include "base/assert.h"

#include <stdlib.h>

#define BACKOFF_NS_FIRST (100 * SF_MS)

enum { ALLOWANCE_BYTES_FIRST = 8192 }; /* of reports, until the rate of a path is found */

int
sf_inbox_open(const struct sf_inbox_config *config, struct sf_inbox **ret_inbox)
{
    struct sf_inbox *inbox = calloc(1, sizeof(*inbox));

    if (inbox == NULL) {
        return SF_ENOMEM;
    }
    inbox->pool = config->pool;
    inbox->next_handle = 1;
    inbox->report_number = (uint64_t)config->boot << 32;
    inbox->due = SF_NEVER;
    inbox->backoff_ns = BACKOFF_NS_FIRST;
    inbox->allowance = ALLOWANCE_BYTES_FIRST;
    *ret_inbox = inbox;
    return SF_OK;
}

/* --- The queue of events ------------------------------------------------------------ */

void
sf_inbox_queue(struct sf_inbox *inbox, struct sf_inbox_note *note, enum sf_inbox_event_kind kind)
{
    sf_assert(!note->is_queued);
    note->kind = kind;
    note->is_queued = true;
    note->next = NULL;
    note->prev = inbox->note_last;
    if (inbox->note_last == NULL) {
        inbox->note_first = note;
    } else {
        inbox->note_last->next = note;
    }
    inbox->note_last = note;
}

void
sf_inbox_unqueue(struct sf_inbox *inbox, struct sf_inbox_note *note)
{
    if (!note->is_queued) {
        return;
    }
    if (note->prev == NULL) {
        inbox->note_first = note->next;
    } else {
        note->prev->next = note->next;
    }
    if (note->next == NULL) {
        inbox->note_last = note->prev;
    } else {
        note->next->prev = note->prev;
    }
    note->is_queued = false;
}

/* --- Objects ------------------------------------------------------------------------- */

static struct sf_incoming *
find_handle(const struct sf_inbox *inbox, uint32_t handle)
{
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        struct sf_incoming *object = inbox->objects[i];

        if (object != NULL && object->handle == handle && !object->is_gone) {
            return object;
        }
    }
    return NULL;
}

/* By the peer's number: the cache answers for all but the first segment after a change. */
static struct sf_incoming *
find_wire(struct sf_inbox *inbox, uint32_t wire_handle)
{
    struct sf_incoming **cached = &inbox->cache[wire_handle % SF_INBOX_CACHE];

    if (*cached != NULL && (*cached)->wire_handle == wire_handle) {
        return *cached;
    }
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        struct sf_incoming *object = inbox->objects[i];

        if (object != NULL && object->wire_handle == wire_handle) {
            *cached = object;
            return object;
        }
    }
    return NULL;
}

static struct sf_incoming *
find_name(const struct sf_inbox *inbox, const struct sf_link_object *name)
{
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        struct sf_incoming *object = inbox->objects[i];

        if (object != NULL && !object->is_gone && object->object.kind == name->kind &&
            sf_transfer_equal(&object->object.transfer, &name->transfer)) {
            return object;
        }
    }
    return NULL;
}

static void
unbind(struct sf_incoming *object)
{
    struct sf_incoming **cached = &object->inbox->cache[object->wire_handle % SF_INBOX_CACHE];

    if (*cached == object) {
        *cached = NULL;
    }
    object->wire_handle = 0;
}

static void
drop_partials(struct sf_incoming *object)
{
    while (object->partial_count > 0) {
        sf_partial_free(object->partials[object->partial_count - 1]);
    }
}

static void
free_object(struct sf_incoming *object)
{
    struct sf_inbox *inbox = object->inbox;

    drop_partials(object);
    unbind(object);
    sf_inbox_unqueue(inbox, &object->note);
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        if (inbox->objects[i] == object) {
            inbox->objects[i] = NULL;
        }
    }
    free(object->partials);
    sf_range_set_fini(&object->done);
    sf_range_set_fini(&object->kept);
    free(object);
    inbox->stats.objects--;
}

/* The object ends; the caller is told unless it does not know of it yet. */
static void
end_object(struct sf_incoming *object)
{
    bool is_known = !object->note.is_queued || object->note.kind != SF_INBOX_OBJECT;

    if (!is_known) {
        free_object(object);
        return;
    }
    drop_partials(object);
    unbind(object);
    sf_inbox_unqueue(object->inbox, &object->note);
    object->is_gone = true;
    sf_inbox_queue(object->inbox, &object->note, SF_INBOX_GONE);
}

/*
 * A place for one more object: a free one, or that of an object that is over or
 * that the peer has not named since its restart, the one touched longest ago.
 */
static struct sf_incoming **
find_place(struct sf_inbox *inbox)
{
    struct sf_incoming *oldest = NULL;
    size_t at = 0;

    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        struct sf_incoming *object = inbox->objects[i];

        if (object == NULL) {
            return &inbox->objects[i];
        }
        if (!object->is_gone && (object->wire_handle == 0 || sf_incoming_is_kept(object)) &&
            (oldest == NULL || object->touched < oldest->touched)) {
            oldest = object;
            at = i;
        }
    }
    if (oldest == NULL) {
        return NULL;
    }
    end_object(oldest); /* its place is free once the caller was told */
    return inbox->objects[at] == NULL ? &inbox->objects[at] : NULL;
}

static void
begin_object(struct sf_inbox *inbox, const struct sf_object_notice *notice)
{
    struct sf_incoming **place = find_place(inbox);
    struct sf_incoming *object;

    if (place == NULL || (object = calloc(1, sizeof(*object))) == NULL) {
        return; /* the peer will announce it again */
    }
    object->inbox = inbox;
    object->note.object = object;
    object->handle = inbox->next_handle++;
    object->object = notice->object;
    object->wire_handle = notice->handle;
    object->revision = notice->revision;
    object->repeats = SF_INBOX_REPEATS;
    object->touched = inbox->now;
    sf_range_set_init(&object->done, SF_INBOX_DONE_RANGES_MAX);
    sf_range_set_init(&object->kept, SF_INBOX_DONE_RANGES_MAX);
    *place = object;
    inbox->stats.objects++;
    sf_inbox_queue(inbox, &object->note, SF_INBOX_OBJECT);
}

/* The number of slots becomes known better: it may shrink while it is not final. */
static void
change_count(struct sf_incoming *object, const struct sf_link_object *news)
{
    uint64_t end = news->first + news->count;

    if (object->object.is_count_final || news->count > object->object.count ||
        (news->count == object->object.count && !news->is_count_final)) {
        return;
    }
    while (object->partial_count > 0 && object->partials[object->partial_count - 1]->index >= end) {
        sf_partial_free(object->partials[object->partial_count - 1]);
    }
    /* Cutting off the upper end needs no new range. */
    if (sf_range_set_remove(&object->done, end, UINT64_MAX) != SF_OK ||
        sf_range_set_remove(&object->kept, end, UINT64_MAX) != SF_OK) {
        return;
    }
    object->object.count = news->count;
    object->object.is_count_final = news->is_count_final;
    if (!object->note.is_queued) {
        sf_inbox_queue(object->inbox, &object->note, SF_INBOX_COUNT);
    }
}

static void
input_notice(struct sf_inbox *inbox, const struct sf_object_notice *notice)
{
    struct sf_incoming *object = find_name(inbox, &notice->object);
    struct sf_incoming *other = find_wire(inbox, notice->handle);

    if (other != NULL && other != object) {
        unbind(other); /* the peer uses the handle for something else now */
    }
    sf_inbox_unanswer(inbox, notice->handle);
    if (object != NULL && (object->object.class_bytes != notice->object.class_bytes ||
                              object->object.first != notice->object.first)) {
        end_object(object);
        object = NULL;
    }
    if (object == NULL) {
        begin_object(inbox, notice);
        sf_inbox_report_soon(inbox);
        return;
    }
    if (object->wire_handle != notice->handle) {
        unbind(object);
        object->wire_handle = notice->handle;
        sf_inbox_report_now(inbox);
    }
    object->revision = notice->revision;
    object->repeats = SF_INBOX_REPEATS;
    object->touched = inbox->now;
    change_count(object, &notice->object);
    if (notice->ask_map && object->is_accepted) {
        sf_inbox_report_now(inbox);
    } else {
        sf_inbox_report_soon(inbox);
    }
}

/* --- Segments -------------------------------------------------------------------------- */

bool
sf_incoming_is_kept(const struct sf_incoming *object)
{
    return object->object.is_count_final && sf_range_set_covers(&object->kept, object->object.first,
                                                object->object.first + object->object.count);
}

static bool
is_done(const struct sf_incoming *object)
{
    return object->object.is_count_final && sf_range_set_covers(&object->done, object->object.first,
                                                object->object.first + object->object.count);
}

/* All of `partial` is in memory: it counts as received from now on. */
static void
complete(struct sf_partial *partial)
{
    struct sf_incoming *object = partial->object;
    struct sf_inbox *inbox = object->inbox;

    if (sf_range_set_add(&object->done, partial->index, partial->index + 1) != SF_OK) {
        sf_partial_free(partial); /* too scattered: it comes again */
        return;
    }
    partial->state = SF_PARTIAL_COMPLETE;
    sf_partial_drop_rows(partial);
    sf_pool_drop(inbox->pool, &partial->holder);
    if (object->is_accepted) {
        sf_inbox_queue(inbox, &partial->note, SF_INBOX_BUNDLE);
    }
    if (is_done(object)) {
        sf_inbox_report_now(inbox);
    }
}

/* The bundle a segment belongs to, begun if it may be; NULL if the segment is of no use. */
static struct sf_partial *
partial_for(struct sf_incoming *object, uint64_t index)
{
    struct sf_partial *partial = sf_partial_find(object, index);

    if (partial != NULL || object->is_paused || sf_range_set_has(&object->done, index) ||
        (!object->is_accepted && object->partial_count >= SF_INBOX_PENDING_BUNDLES)) {
        return partial;
    }
    return sf_partial_begin(object, index);
}

/* The object named by the peer, which it is told if it means nothing here. */
static struct sf_incoming *
touch_object(struct sf_inbox *inbox, uint32_t wire_handle)
{
    struct sf_incoming *object = find_wire(inbox, wire_handle);

    if (object == NULL) {
        sf_inbox_answer(inbox, wire_handle, SF_REPORT_UNKNOWN);
        return NULL;
    }
    object->touched = inbox->now;
    object->repeats = SF_INBOX_REPEATS;
    sf_inbox_report_soon(inbox);
    return object;
}

/*
 * The bundle in which [address, address + span) lies, if something can be done
 * with it; *ret_offset is where in it.
 */
static struct sf_partial *
place_of(struct sf_incoming *object, uint64_t address, size_t span, size_t *ret_offset)
{
    uint64_t index = address / object->object.class_bytes;
    struct sf_partial *partial;

    *ret_offset = (size_t)(address % object->object.class_bytes);
    if (index < object->object.first || index - object->object.first >= object->object.count ||
        span > object->object.class_bytes - *ret_offset) {
        return NULL;
    }
    partial = partial_for(object, index);
    return partial != NULL && partial->state != SF_PARTIAL_COMPLETE ? partial : NULL;
}

static void
input_segment(struct sf_inbox *inbox, const struct sf_object_segment *segment)
{
    struct sf_incoming *object = touch_object(inbox, segment->handle);
    size_t bytes = segment->bytes.bytes;
    struct sf_partial *partial = NULL;
    size_t offset = 0;

    if (object != NULL) {
        partial = place_of(object, segment->address, bytes, &offset);
    }
    if (partial == NULL) {
        if (object != NULL &&
            sf_range_set_has(&object->done, segment->address / object->object.class_bytes)) {
            inbox->stats.again_bytes += bytes;
        } else {
            inbox->stats.dropped_bytes += bytes;
        }
        return;
    }
    if (sf_partial_write(partial, offset, segment->bytes) ||
        (partial->rows != NULL && sf_partial_repair(partial, offset))) {
        complete(partial);
    }
}

static void
input_repair(struct sf_inbox *inbox, const struct sf_object_repair *repair)
{
    struct sf_incoming *object = touch_object(inbox, repair->handle);
    struct sf_repair_block block = {
        .symbols = repair->symbols, .symbol_bytes = repair->bytes.bytes};
    /* Of the last symbol a single byte may lie within the bundle. */
    size_t span = (repair->symbols - 1) * repair->bytes.bytes + 1;
    struct sf_partial *partial;

    if (object == NULL) {
        return;
    }
    partial = place_of(object, repair->address, span, &block.start);
    if (partial != NULL && sf_repair_block_check(&block, object->object.class_bytes) == SF_OK &&
        sf_partial_keep_row(partial, &block, repair->row, repair->bytes) &&
        sf_partial_repair(partial, block.start)) {
        complete(partial);
    }
}

/* --- Datagrams -------------------------------------------------------------------------- */

/* The peer restarted: its handles start anew, what came of its objects stays. */
static void
forget_bindings(struct sf_inbox *inbox)
{
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        if (inbox->objects[i] != NULL) {
            unbind(inbox->objects[i]);
        }
    }
    inbox->answer_count = 0;
    inbox->is_in_round = false;
}

/* What the counter of a datagram tells of those before it. */
static void
count_loss(struct sf_inbox *inbox, uint64_t epoch, uint64_t counter)
{
    uint64_t gap;

    if (epoch > inbox->epoch) {
        inbox->loss = (struct sf_report_loss){.received = 1};
        return;
    }
    if (epoch < inbox->epoch) {
        return;
    }
    inbox->loss.received++;
    if (counter <= inbox->counter) {
        inbox->loss.lost -= inbox->loss.lost > 0 ? 1 : 0; /* late: it was taken for lost */
        return;
    }
    gap = counter - inbox->counter - 1;
    if (gap > 0 && gap <= SF_REPORT_GAP_MAX) {
        inbox->loss.lost += gap;
        inbox->loss.gaps++;
    }
}

bool
sf_inbox_datagram(
    struct sf_inbox *inbox, uint64_t epoch, uint64_t counter, size_t ip_bytes, sf_mono now)
{
    inbox->now = now;
    inbox->stats.dgrams++;
    inbox->stats.ip_bytes += ip_bytes;
    inbox->bytes_since_report += ip_bytes;
    if (epoch >> 32 < inbox->epoch >> 32) {
        return false;
    }
    if (epoch >> 32 > inbox->epoch >> 32) {
        forget_bindings(inbox);
    }
    count_loss(inbox, epoch, counter);
    if (epoch > inbox->epoch || (epoch == inbox->epoch && counter >= inbox->counter)) {
        inbox->epoch = epoch;
        inbox->counter = counter;
        inbox->counter_at = now;
    }
    return true;
}

void
sf_inbox_congested(struct sf_inbox *inbox)
{
    inbox->stats.ce_dgrams++;
}

int
sf_inbox_message(struct sf_inbox *inbox, enum sf_message_type type,
    struct sf_message_reader *reader, sf_mono now)
{
    struct sf_object_segment segment;
    struct sf_object_repair repair;
    struct sf_object_notice notice;
    struct sf_incoming *object;
    uint32_t wire_handle;
    int status;

    inbox->now = now;
    switch (type) {
    case SF_MESSAGE_DATA:
    case SF_MESSAGE_DATA_SIZED:
        status = sf_object_segment_decode(reader, type, &segment);
        if (status == SF_OK) {
            input_segment(inbox, &segment);
        }
        return status;
    case SF_MESSAGE_REPAIR:
        status = sf_object_repair_decode(reader, &repair);
        if (status == SF_OK) {
            input_repair(inbox, &repair);
        }
        return status;
    case SF_MESSAGE_OBJECT:
        status = sf_object_notice_decode(reader, &notice);
        if (status == SF_OK) {
            input_notice(inbox, &notice);
        }
        return status;
    case SF_MESSAGE_WITHDRAWN:
        status = sf_object_withdrawn_decode(reader, &wire_handle);
        if (status == SF_OK) {
            object = find_wire(inbox, wire_handle);
            if (object != NULL) {
                end_object(object);
            }
            sf_inbox_answer(inbox, wire_handle, SF_REPORT_UNKNOWN);
        }
        return status;
    case SF_MESSAGE_ASK:
        sf_inbox_report_now(inbox);
        return SF_OK;
    case SF_MESSAGE_FILLER:
        sf_inbox_report_soon(inbox);
        return SF_OK;
    default:
        return SF_EFORMAT;
    }
}

/* --- The caller's answers --------------------------------------------------------------- */

/* What the caller holds already, cut to the object's slots. */
static int
take_have(struct sf_incoming *object, const struct sf_range_set *have)
{
    uint64_t first = object->object.first;
    uint64_t end = first + object->object.count;

    for (size_t i = 0; have != NULL && i < have->count; i++) {
        uint64_t from = have->ranges[i].from > first ? have->ranges[i].from : first;
        uint64_t to = have->ranges[i].to < end ? have->ranges[i].to : end;

        if (from < to && (sf_range_set_add(&object->done, from, to) != SF_OK ||
                             sf_range_set_add(&object->kept, from, to) != SF_OK)) {
            sf_range_set_clear(&object->done);
            sf_range_set_clear(&object->kept);
            return SF_ENOMEM;
        }
    }
    return SF_OK;
}

int
sf_inbox_accept(struct sf_inbox *inbox, uint32_t handle, const struct sf_range_set *have)
{
    struct sf_incoming *object = find_handle(inbox, handle);
    int status;

    if (object == NULL) {
        return SF_ENOENT;
    }
    if (object->is_accepted) {
        return SF_ESTATE;
    }
    sf_range_set_clear(&object->done);
    status = take_have(object, have);
    if (status != SF_OK) {
        drop_partials(object);
        return status;
    }
    object->is_accepted = true;
    object->repeats = SF_INBOX_REPEATS;
    for (size_t i = object->partial_count; i > 0; i--) {
        struct sf_partial *partial = object->partials[i - 1];

        if (sf_range_set_has(&object->done, partial->index)) {
            sf_partial_free(partial);
        } else if (partial->state == SF_PARTIAL_COMPLETE) {
            complete(partial);
        }
    }
    sf_inbox_report_now(inbox);
    return SF_OK;
}

void
sf_inbox_decline(struct sf_inbox *inbox, uint32_t handle)
{
    struct sf_incoming *object = find_handle(inbox, handle);

    if (object != NULL) {
        if (object->wire_handle != 0) {
            sf_inbox_answer(inbox, object->wire_handle, SF_REPORT_DECLINED);
        }
        free_object(object);
    }
}

int
sf_inbox_received(
    struct sf_inbox *inbox, uint32_t handle, uint64_t index, enum sf_link_verdict verdict)
{
    struct sf_incoming *object = find_handle(inbox, handle);
    int status;

    if (object == NULL) {
        return SF_ENOENT;
    }
    if (!sf_range_set_has(&object->done, index) || sf_partial_find(object, index) != NULL) {
        return SF_ESTATE;
    }
    object->repeats = SF_INBOX_REPEATS;
    if (verdict == SF_LINK_AGAIN) {
        status = sf_range_set_remove(&object->kept, index, index + 1);
        if (status == SF_OK) {
            status = sf_range_set_remove(&object->done, index, index + 1);
        }
        if (status == SF_OK) {
            sf_inbox_report_now(inbox);
        }
        return status;
    }
    status = sf_range_set_add(&object->kept, index, index + 1);
    if (status == SF_OK && sf_incoming_is_kept(object)) {
        sf_inbox_report_now(inbox);
    }
    return status;
}

int
sf_inbox_pause_object(struct sf_inbox *inbox, uint32_t handle)
{
    struct sf_incoming *object = find_handle(inbox, handle);

    if (object == NULL) {
        return SF_ENOENT;
    }
    object->is_paused = true;
    object->repeats = SF_INBOX_REPEATS;
    sf_inbox_report_now(inbox);
    return SF_OK;
}

int
sf_inbox_resume_object(struct sf_inbox *inbox, uint32_t handle)
{
    struct sf_incoming *object = find_handle(inbox, handle);

    if (object == NULL) {
        return SF_ENOENT;
    }
    object->is_paused = false;
    object->repeats = SF_INBOX_REPEATS;
    sf_inbox_report_now(inbox);
    return SF_OK;
}

/* The spilled or loading bundle whose event the caller answers; NULL if it is gone. */
static struct sf_partial *
find_told(struct sf_inbox *inbox, uint32_t handle, uint64_t index, uint8_t *buffer)
{
    struct sf_incoming *object = find_handle(inbox, handle);
    struct sf_partial *partial = object == NULL ? NULL : sf_partial_find(object, index);

    if (partial == NULL || partial->note.is_queued ||
        !((partial->state == SF_PARTIAL_SPILLING && partial->buffer == buffer) ||
            (partial->state == SF_PARTIAL_LOADING && partial->load_buffer == buffer))) {
        return NULL;
    }
    return partial;
}

void
sf_inbox_spilled(
    struct sf_inbox *inbox, uint32_t handle, uint64_t index, uint8_t *buffer, int status)
{
    struct sf_partial *partial = find_told(inbox, handle, index, buffer);

    if (partial == NULL) {
        sf_pool_return(inbox->pool, buffer);
        return;
    }
    sf_partial_spilled(partial, buffer, status);
}

void
sf_inbox_loaded(
    struct sf_inbox *inbox, uint32_t handle, uint64_t index, uint8_t *buffer, int status)
{
    struct sf_partial *partial = find_told(inbox, handle, index, buffer);

    if (partial == NULL) {
        sf_pool_return(inbox->pool, buffer);
        return;
    }
    if (sf_partial_loaded(partial, buffer, status)) {
        complete(partial);
    }
    sf_inbox_report_soon(inbox);
}

/* --- Events and figures ------------------------------------------------------------------- */

static void
tell_partial(struct sf_partial *partial, struct sf_inbox_event *ret_event)
{
    ret_event->index = partial->index;
    ret_event->buffer_bytes = partial->object->object.class_bytes;
    switch (ret_event->kind) {
    case SF_INBOX_BUNDLE:
        ret_event->buffer = partial->buffer;
        partial->buffer = NULL; /* the caller's now */
        sf_partial_free(partial);
        break;
    case SF_INBOX_SPILL:
        ret_event->buffer = partial->buffer;
        ret_event->ranges = &partial->ranges;
        break;
    default:
        ret_event->buffer = partial->load_buffer;
        ret_event->ranges = &partial->stored;
        break;
    }
}

bool
sf_inbox_event(struct sf_inbox *inbox, struct sf_inbox_event *ret_event)
{
    struct sf_inbox_note *note = inbox->note_first;
    struct sf_incoming *object;

    if (note == NULL) {
        return false;
    }
    object = note->object;
    sf_inbox_unqueue(inbox, note);
    *ret_event = (struct sf_inbox_event){
        .kind = note->kind, .handle = object->handle, .object = object->object};
    if (note->partial != NULL) {
        tell_partial(note->partial, ret_event);
    } else if (note->kind == SF_INBOX_GONE) {
        free_object(object);
    }
    return true;
}

void
sf_inbox_stats(const struct sf_inbox *inbox, struct sf_inbox_stats *ret_stats)
{
    *ret_stats = inbox->stats;
}

void
sf_inbox_close(struct sf_inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        if (inbox->objects[i] != NULL) {
            free_object(inbox->objects[i]);
        }
    }
    free(inbox);
}
