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

#define ANNOUNCE_GAP_NS_MAX (5 * SF_SEC)
#define PROBE_NS_MAX        (20 * SF_SEC) /* or the probe time itself if that is longer */

enum {
    SEGMENT_BYTES_MIN = 128, /* room for less is not worth a head */
    AHEAD_BUNDLES_MAX = 8,   /* asked for before their turn */
    PROBE_DOUBLING_MAX = 3,
    PROBE_DOUBLING_MAX_BLIND = 6, /* while the round trip is not known */
    PROBE_DOUBLING_MAX_LAST = 12, /* while only the node's word is missing */
    ANNOUNCE_SEGMENTS_FACTOR = 4,
};

/* --- Timers ----------------------------------------------------------------------------- */

static bool
is_sendable(const struct sf_outgoing *object)
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

    if (object->outbox->no_return || !is_sendable(object) ||
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

static bool
pick_next(struct sf_outbox *outbox, struct pick *ret_pick)
{
    for (size_t i = outbox->first_active; i < outbox->object_count; i++) {
        struct sf_outgoing *object = outbox->objects[i];

        if (!object->is_idle) {
            if (is_sendable(object) &&
                (pick_lost(object, ret_pick) || pick_new(object, ret_pick))) {
                outbox->first_active = i;
                return true;
            }
            object->is_idle = true;
        }
    }
    outbox->first_active = outbox->object_count;
    return false;
}

/* Whether nothing of the object is left to go once [.., to) of `pick` went. */
static bool
is_final_segment(const struct pick *pick, uint64_t to)
{
    const struct sf_outgoing *object = pick->object;
    uint64_t next = pick->lost == SF_EXTENT_NONE ? to : object->next;
    uint64_t lost_left = object->extents.lost_count;
    uint64_t ready;

    if (pick->lost != SF_EXTENT_NONE && to == sf_extents_at(&object->extents, pick->lost)->to) {
        lost_left--;
    }
    return lost_left == 0 &&
           (next >= sf_outgoing_end(object) ||
               !sf_outgoing_find_ready(object, next / object->object.class_bytes, &ready));
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
    if (outbox->no_return) {
        sf_outgoing_count_round(object, now);
    }
}

static bool
write_segment(struct sf_outbox *outbox, struct sf_message_writer *writer, uint64_t seq, sf_mono now)
{
    size_t room = sf_message_room(writer);
    struct pick pick;
    uint64_t bundle_start;
    uint32_t segment;
    uint64_t to;
    size_t begin;
    bool fitted;

    if (room < SEGMENT_BYTES_MIN + SF_OBJECT_DATA_HEAD_MAX || !pick_next(outbox, &pick)) {
        return false;
    }
    segment = (uint32_t)((room - SF_OBJECT_DATA_HEAD_MAX) / SF_OBJECT_UNIT * SF_OBJECT_UNIT);
    to = pick.limit - pick.from > segment ? pick.from + segment : pick.limit;
    if (!outbox->no_return && is_final_segment(&pick, to)) {
        if (to - pick.from + SF_OBJECT_DATA_HEAD_MAX < room) {
            sf_message_put_u8(writer, SF_MESSAGE_ASK);
        } else {
            outbox->is_asking = true;
        }
    }
    bundle_start = pick.from - pick.from % pick.object->object.class_bytes;
    begin = sf_message_begin(writer, SF_MESSAGE_DATA);
    sf_message_put_varint(writer, pick.object->handle);
    sf_message_put_varint(writer, pick.from / SF_OBJECT_UNIT);
    sf_message_put_bytes(writer, pick.bytes + (pick.from - bundle_start), (size_t)(to - pick.from));
    fitted = sf_message_end(writer, begin);
    sf_assert(fitted);
    note_sent(&pick, to, seq, segment, now);
    return true;
}

/* --- The whole datagram --------------------------------------------------------------------- */

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
    session = &outbox->sessions[(outbox->session_count - 1) % SF_OUTBOX_SESSIONS_MAX];
    seq = session->base + counter;
    if (outbox->timer <= now) {
        run_timers(outbox, writer, now);
    }
    if (outbox->is_asking && sf_message_room(writer) > 0) {
        sf_message_put_u8(writer, SF_MESSAGE_ASK);
        outbox->is_asking = false;
    }
    if (!write_segment(outbox, writer, seq, now) && writer->bytes == begin) {
        run_timers(outbox, writer, now); /* sending moved the probes: look before sleeping */
        outbox->is_idle = writer->bytes == begin && outbox->first_active == outbox->object_count;
    }
    if (writer->bytes == begin) {
        return false;
    }
    session->counter = counter;
    session->is_used = true;
    sf_outbox_mark_sent(outbox, seq, now);
    return true;
}

sf_mono
sf_outbox_deadline(const struct sf_outbox *outbox)
{
    if (outbox->is_dark || outbox->session_count == 0) {
        return SF_NEVER;
    }
    return outbox->is_idle && !outbox->is_asking ? outbox->timer : 0;
}
