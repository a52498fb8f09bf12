/*
 * outbox_fill.c - what goes into the next datagram.
 *
 * Farewells and announcements that are due, then one segment: of the first
 * object in order that has one to go, what is lost before what is new. Objects
 * found to have none are idle and not looked at again until something happens
 * to them; probes and announcements wait for one common timer.
 */
#include "link/outbox_private.h"

#include "base/assert.h"
#include "link/path_mtu.h"

#define ANNOUNCE_GAP_NS_MAX (5 * SF_SEC)
#define PROBE_NS_MAX        (20 * SF_SEC) /* or the probe time itself if that is longer */

enum {
    AHEAD_BUNDLES_MAX = 8, /* asked for before their turn */
    PROBE_DOUBLING_MAX = 3,
    PROBE_DOUBLING_MAX_BLIND = 6, /* while the round trip is not known */
    PROBE_DOUBLING_MAX_LAST = 12, /* while only the node's word is missing */
    ANNOUNCE_SEGMENTS_FACTOR = 4,
};

/* --- Timers ----------------------------------------------------------------------------- */

bool
sf_outgoing_is_sendable(const struct sf_outgoing *object)
{
    return object->round_at == SF_NEVER && !object->is_declined && !object->is_paused &&
           !object->is_unknown && !object->is_kept &&
           (object->is_mapped || !object->object.ask_map);
}

/* Whether segments are on their way of which nothing was heard. */
static bool
is_in_flight(const struct sf_outgoing *object)
{
    return object->extents.count > object->extents.lost_count;
}

/* Whether all of it went and was confirmed, but for the node's word. */
static bool
is_confirmed(const struct sf_outgoing *object)
{
    return object->extents.count == 0 && object->object.is_count_final && !object->is_kept &&
           object->next == sf_outgoing_end(object);
}

/* When the silence about an object becomes suspicious. */
static sf_mono
probe_at(const struct sf_outgoing *object)
{
    uint64_t span = sf_outbox_probe_ns(object->outbox);

    if (object->outbox->no_return || !sf_outgoing_is_sendable(object) ||
        !(is_in_flight(object) || (is_confirmed(object) && object->is_known))) {
        return SF_NEVER;
    }
    for (unsigned i = 0; i < object->probe_doubling && span < PROBE_NS_MAX; i++) {
        span *= 2;
    }
    return sf_mono_add(object->sent, span);
}

static void
count_probe(struct sf_outgoing *object)
{
    unsigned doubling_max = PROBE_DOUBLING_MAX;

    if (!is_in_flight(object)) {
        doubling_max = PROBE_DOUBLING_MAX_LAST;
    } else if (object->outbox->srtt_ns == 0) {
        doubling_max = PROBE_DOUBLING_MAX_BLIND;
    }
    if (object->probe_doubling < doubling_max) {
        object->probe_doubling++;
    }
}

/* Send the last segments in flight once more: at either end of what is open. */
static void
probe(struct sf_outgoing *object, sf_mono now)
{
    struct sf_outbox *outbox = object->outbox;
    struct sf_extents *extents = &object->extents;
    uint32_t at = extents->last;

    count_probe(object);
    object->sent = now;
    if (!is_in_flight(object)) {
        sf_outgoing_announce(object, now); /* the answer tells what became of it */
        return;
    }
    while (sf_extents_at(extents, at)->segment == 0) {
        at = sf_extents_at(extents, at)->prev;
    }
    outbox->stats.probe_bytes += sf_extents_probe(extents, at);
    if (is_in_flight(object)) {
        at = extents->first;
        while (sf_extents_at(extents, at)->segment == 0) {
            at = sf_extents_at(extents, at)->next;
        }
        outbox->stats.probe_bytes += sf_extents_probe(extents, at);
    }
    outbox->is_asking = true;
    sf_outgoing_wake(object);
}

static void
write_farewells(struct sf_outbox *outbox, struct sf_message_writer *writer, sf_mono now)
{
    for (size_t i = 0; i < outbox->farewell_count; i++) {
        struct sf_outbox_farewell *farewell = &outbox->farewells[i];

        if (farewell->at <= now && sf_object_withdrawn_encode(writer, farewell->handle)) {
            /* Where nobody will say that it was heard, it is said a few times. */
            farewell->at = outbox->no_return && farewell->gap >= ANNOUNCE_GAP_NS_MAX
                               ? SF_NEVER
                               : sf_mono_add(now, farewell->gap + outbox->srtt_ns);
            farewell->gap =
                farewell->gap < ANNOUNCE_GAP_NS_MAX ? farewell->gap * 2 : ANNOUNCE_GAP_NS_MAX;
        }
    }
}

static bool
write_notice(struct sf_outgoing *object, struct sf_message_writer *writer, sf_mono now)
{
    struct sf_object_notice notice = {.handle = object->handle,
        .revision = object->revision,
        .ask_map = object->object.ask_map && !object->is_mapped,
        .object = object->object};

    if (!sf_object_notice_encode(writer, &notice)) {
        return false;
    }
    object->announce_at = sf_mono_add(now, object->announce_gap);
    object->announce_gap *= object->announce_gap < ANNOUNCE_GAP_NS_MAX ? 2 : 1;
    object->announce_segments = object->segments * ANNOUNCE_SEGMENTS_FACTOR + 1;
    return true;
}

/* Do what is due, and find out when the next thing is. */
static void
run_timers(struct sf_outbox *outbox, struct sf_message_writer *writer, sf_mono now)
{
    write_farewells(outbox, writer, now);
    for (size_t i = 0; i < outbox->object_count; i++) {
        struct sf_outgoing *object = outbox->objects[i];

        sf_outgoing_begin_round(object, now);
        if (probe_at(object) <= now) {
            probe(object, now);
        }
        if (!object->is_known && object->announce_at <= now) {
            (void)write_notice(object, writer, now); /* no room: the timer stays due */
        }
    }
    outbox->timer = SF_NEVER;
    for (size_t i = 0; i < outbox->farewell_count; i++) {
        outbox->timer = sf_mono_min(outbox->timer, outbox->farewells[i].at);
    }
    for (size_t i = 0; i < outbox->object_count; i++) {
        const struct sf_outgoing *object = outbox->objects[i];

        outbox->timer = sf_mono_min(outbox->timer, probe_at(object));
        outbox->timer = sf_mono_min(outbox->timer, object->round_at);
        if (!object->is_known) {
            outbox->timer = sf_mono_min(outbox->timer, object->announce_at);
        }
    }
}

/* --- Segments ----------------------------------------------------------------------------- */

/* A place to send from: [from, limit) of an object, whose bundle is here. */
struct pick {
    struct sf_outgoing *object;
    bool is_row;          /* no segment, but a row of the block just sent */
    const uint8_t *bytes; /* of the bundle */
    uint64_t from;
    uint64_t limit;
    uint32_t lost; /* the lost extent it begins, or NONE for new data */
};

/* The lowest lost range whose bundle is here; others are asked for on the way. */
static bool
pick_lost(struct sf_outgoing *object, struct pick *ret_pick)
{
    struct sf_extents *extents = &object->extents;
    uint32_t class_bytes = object->object.class_bytes;

    while (extents->lost_count > 0 && extents->lost_hint != SF_EXTENT_NONE) {
        const struct sf_extent *extent = sf_extents_at(extents, extents->lost_hint);
        uint64_t index = extent->from / class_bytes;

        if (extent->segment == 0 && sf_range_set_has(&object->ready, index)) {
            const uint8_t *bytes = sf_window_bytes(object, index);

            if (bytes != NULL) {
                uint64_t bundle_end = (index + 1) * class_bytes;

                *ret_pick = (struct pick){.object = object,
                    .bytes = bytes,
                    .from = extent->from,
                    .limit = extent->to < bundle_end ? extent->to : bundle_end,
                    .lost = extents->lost_hint};
                return true;
            }
            (void)sf_window_want(object, index);
        }
        extents->lost_hint = extent->next;
    }
    return false;
}

bool
sf_outgoing_find_ready(const struct sf_outgoing *object, uint64_t index, uint64_t *ret_index)
{
    const struct sf_range_set *ready = &object->ready;
    size_t low = 0;
    size_t high = ready->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ready->ranges[middle].to <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == ready->count) {
        return false;
    }
    *ret_index = ready->ranges[low].from > index ? ready->ranges[low].from : index;
    return true;
}

/* Ask for bundle `index` and, as far as the window allows, for those that follow. */
static void
want_ahead(struct sf_outgoing *object, uint64_t index)
{
    size_t ahead = sf_window_bundles(object) / 2;
    uint64_t end = object->object.first + object->object.count;

    ahead = ahead < AHEAD_BUNDLES_MAX ? ahead : AHEAD_BUNDLES_MAX;
    for (size_t i = 0; i <= ahead; i++) {
        if (index >= end || !sf_outgoing_find_ready(object, index, &index) ||
            !sf_window_want(object, index)) {
            break;
        }
        index++;
    }
}

static bool
pick_new(struct sf_outgoing *object, struct pick *ret_pick)
{
    struct sf_outbox *outbox = object->outbox;
    uint32_t class_bytes = object->object.class_bytes;
    uint64_t index = object->next / class_bytes;
    const uint8_t *bytes;
    uint64_t ready;

    /* An eighth of the nodes is for repair, which may split what is in flight. */
    if (object->next >= sf_outgoing_end(object) || !sf_outgoing_find_ready(object, index, &ready) ||
        outbox->store.used > outbox->store.capacity_max / 8 * 7 ||
        !sf_extent_store_reserve(&outbox->store)) {
        return false;
    }
    if (ready > index && outbox->no_return) {
        object->next = ready * class_bytes; /* nobody will ever ask for what is left out */
        index = ready;
    } else if (ready > index) {
        if (!sf_extents_skip(&object->extents, object->next, ready * class_bytes) ||
            !sf_extent_store_reserve(&outbox->store)) {
            return false;
        }
        object->next = ready * class_bytes;
        index = ready;
    }
    if (object->next % class_bytes == 0 || sf_window_bytes(object, index) == NULL) {
        want_ahead(object, index);
    }
    bytes = sf_window_bytes(object, index);
    if (bytes == NULL) {
        return false;
    }
    *ret_pick = (struct pick){.object = object,
        .bytes = bytes,
        .from = object->next,
        .limit = (index + 1) * class_bytes,
        .lost = SF_EXTENT_NONE};
    return true;
}

/* What of the object goes next: rows of a block before anything outside it. */
static bool
pick_of(struct sf_outgoing *object, struct pick *ret_pick)
{
    bool is_found;

    if (!sf_outgoing_is_sendable(object)) {
        object->block.rows = 0;
        object->block.segments = 0;
        return false;
    }
    is_found = pick_lost(object, ret_pick) || pick_new(object, ret_pick);
    if (!is_found || !sf_outgoing_is_in_block(object, ret_pick->from)) {
        sf_outgoing_leave_block(object);
        if (object->block.rows > 0) {
            *ret_pick = (struct pick){.object = object, .is_row = true};
            return true;
        }
    }
    return is_found;
}

static bool
pick_next(struct sf_outbox *outbox, struct pick *ret_pick)
{
    for (size_t i = outbox->first_active; i < outbox->object_count; i++) {
        struct sf_outgoing *object = outbox->objects[i];

        if (!object->is_idle) {
            if (pick_of(object, ret_pick)) {
                outbox->first_active = i;
                return true;
            }
            object->is_idle = true;
        }
    }
    outbox->first_active = outbox->object_count;
    return false;
}

/* Whether nothing of the object is left to go, no row either. */
static bool
is_all_sent(struct sf_outgoing *object)
{
    uint64_t ready;

    if (object->extents.lost_count > 0 ||
        (object->next < sf_outgoing_end(object) &&
            sf_outgoing_find_ready(object, object->next / object->object.class_bytes, &ready))) {
        return false;
    }
    sf_outgoing_leave_block(object);
    return object->block.rows == 0;
}

/* What was written is accounted for. */
static void
note_sent(const struct pick *pick, uint64_t to, uint64_t seq, uint32_t segment, sf_mono now)
{
    struct sf_outgoing *object = pick->object;
    struct sf_outbox *outbox = object->outbox;
    uint64_t bytes = to - pick->from;

    outbox->stats.data_bytes += bytes;
    if (pick->lost != SF_EXTENT_NONE && sf_extents_at(&object->extents, pick->lost)->was_sent) {
        outbox->stats.resent_bytes += bytes;
    }
    if (!outbox->no_return) {
        sf_extents_sent(&object->extents, pick->lost, pick->from, to, seq, segment);
    } else if (pick->lost != SF_EXTENT_NONE) {
        sf_extents_confirm(&object->extents, SF_EXTENT_NONE, pick->from, to);
    }
    if (pick->lost == SF_EXTENT_NONE) {
        object->next = to;
    }
    object->sent = now;
    object->segments++;
    if (!object->is_known && object->segments >= object->announce_segments) {
        object->announce_at = now;
        outbox->timer = 0;
    }
}

/* Segments end where symbols do, so that a lost one is one symbol lost. */
static uint64_t
segment_end(const struct pick *pick, size_t symbol_bytes)
{
    uint64_t offset = pick->from % pick->object->object.class_bytes;
    uint64_t end = pick->from - offset % symbol_bytes + symbol_bytes;

    return end < pick->limit ? end : pick->limit;
}

static bool
write_segment(const struct pick *pick, struct sf_message_writer *writer, uint64_t seq, sf_mono now)
{
    struct sf_outgoing *object = pick->object;
    bool is_sized = object->outbox->is_covered;
    size_t symbol_bytes = object->outbox->symbol_bytes;
    uint64_t to = segment_end(pick, symbol_bytes);
    size_t bytes = (size_t)(to - pick->from);
    size_t begin;
    bool fitted;

    if (sf_message_room(writer) <
        bytes + (is_sized ? SF_OBJECT_SIZED_HEAD_MAX : SF_OBJECT_DATA_HEAD_MAX)) {
        return false; /* it goes in the next datagram, and whole */
    }
    begin = sf_message_begin(writer, is_sized ? SF_MESSAGE_DATA_SIZED : SF_MESSAGE_DATA);
    sf_message_put_varint(writer, object->handle);
    sf_message_put_varint(writer, pick->from / SF_OBJECT_UNIT);
    if (is_sized) {
        sf_message_put_varint(writer, bytes);
    }
    object->outbox->head_bytes = writer->bytes - begin;
    sf_message_put_bytes(writer, pick->bytes + pick->from % object->object.class_bytes, bytes);
    fitted = sf_message_end(writer, begin);
    sf_assert(fitted);
    sf_outgoing_note_block(object, pick->from);
    note_sent(pick, to, seq, (uint32_t)symbol_bytes, now);
    return true;
}

/* The peer is asked what it has; or, where it cannot say, a round is over. */
static void
note_all_sent(struct sf_outgoing *object, sf_mono now)
{
    if (object->outbox->no_return) {
        sf_outgoing_count_round(object, now);
    } else {
        object->outbox->is_asking = true;
    }
}

/* One segment, or one row, if there is room for it. */
static bool
write_bulk(struct sf_outbox *outbox, struct sf_message_writer *writer, uint64_t seq, sf_mono now)
{
    bool is_written = false;
    struct pick pick;

    while (!is_written && pick_next(outbox, &pick)) {
        if (pick.is_row) {
            is_written = sf_outgoing_write_row(pick.object, writer);
            pick.object->sent = is_written ? now : pick.object->sent;
        } else {
            is_written = write_segment(&pick, writer, seq, now);
        }
        if (!is_written && (!pick.is_row || pick.object->block.rows > 0)) {
            return false; /* it goes in the next datagram, which has more room */
        }
        if (is_all_sent(pick.object)) {
            note_all_sent(pick.object, now);
        }
    }
    return is_written;
}

/* --- The whole datagram --------------------------------------------------------------------- */

/* A whole segment, or row, for datagrams like this one. */
static size_t
symbol_of(const struct sf_message_writer *writer)
{
    size_t room = writer->bytes_max > SF_OBJECT_REPAIR_HEAD_MAX + SF_REPAIR_SYMBOL_BYTES_MIN
                      ? writer->bytes_max - SF_OBJECT_REPAIR_HEAD_MAX
                      : SF_REPAIR_SYMBOL_BYTES_MIN;

    room = room < SF_REPAIR_SYMBOL_BYTES_MAX ? room : (size_t)SF_REPAIR_SYMBOL_BYTES_MAX;
    return room / SF_OBJECT_UNIT * SF_OBJECT_UNIT;
}

/* Datagrams are larger or smaller from now on: see how those fare. */
static void
set_symbol(struct sf_outbox *outbox, size_t symbol_bytes)
{
    if (symbol_bytes != outbox->symbol_bytes) {
        outbox->symbol_bytes = symbol_bytes;
        outbox->large.count = 0;
        sf_extent_store_watch(&outbox->store, (uint32_t)symbol_bytes);
    }
}

bool
sf_outbox_fill(
    struct sf_outbox *outbox, struct sf_message_writer *writer, uint64_t counter, sf_mono now)
{
    struct sf_outbox_session *session;
    size_t begin = writer->bytes;
    uint64_t seq;

    if (outbox->is_dark || outbox->session_count == 0 || sf_outbox_deadline(outbox) > now) {
        return false;
    }
    outbox->now = now;
    set_symbol(outbox, symbol_of(writer));
    session = &outbox->sessions[(outbox->session_count - 1) % SF_OUTBOX_SESSIONS_MAX];
    seq = session->base + counter;
    if (outbox->timer <= now) {
        run_timers(outbox, writer, now);
    }
    if (outbox->is_asking && sf_message_room(writer) > 0) {
        sf_message_put_u8(writer, SF_MESSAGE_ASK);
        outbox->is_asking = false;
    }
    if (!write_bulk(outbox, writer, seq, now) && writer->bytes == begin) {
        run_timers(outbox, writer, now); /* sending moved the probes: look before sleeping */
        outbox->is_idle = writer->bytes == begin && outbox->first_active == outbox->object_count;
    }
    if (writer->bytes == begin) {
        return false;
    }
    session->counter = counter;
    session->is_used = true;
    if (writer->bytes > SF_PATH_MTU_FLOOR && ++outbox->large.count <= SF_OUTBOX_LARGE_MAX) {
        outbox->large.epoch = session->epoch;
        outbox->large.counter = counter;
    }
    sf_outbox_mark_sent(outbox, seq, now);
    return true;
}

void
sf_outbox_set_covered(struct sf_outbox *outbox, bool is_covered)
{
    outbox->is_covered = is_covered;
}

size_t
sf_outbox_filler(
    struct sf_outbox *outbox, struct sf_message_writer *writer, uint64_t counter, sf_mono now)
{
    struct sf_outbox_session *session;
    size_t bytes;

    if (outbox->is_dark || outbox->session_count == 0) {
        return 0;
    }
    outbox->now = now;
    set_symbol(outbox, symbol_of(writer));
    bytes = outbox->is_covered || writer->bytes > 0 ? sf_message_room(writer)
                                                    : outbox->head_bytes + outbox->symbol_bytes;
    if (bytes == 0 || bytes > sf_message_room(writer)) {
        return 0;
    }
    session = &outbox->sessions[(outbox->session_count - 1) % SF_OUTBOX_SESSIONS_MAX];
    sf_message_put_u8(writer, SF_MESSAGE_FILLER);
    memset(writer->data + writer->bytes, SF_MESSAGE_PADDING, bytes - 1);
    writer->bytes += bytes - 1;
    session->counter = counter;
    session->is_used = true;
    sf_outbox_mark_sent(outbox, session->base + counter, now);
    return outbox->symbol_bytes;
}

sf_mono
sf_outbox_deadline(const struct sf_outbox *outbox)
{
    if (outbox->is_dark || outbox->session_count == 0) {
        return SF_NEVER;
    }
    return outbox->is_idle && !outbox->is_asking ? outbox->timer : 0;
}
