/*
 * outbox.c - the objects on offer to one peer, and what the caller is told.
 */
#include "link/outbox_private.h"

#include "base/assert.h"

#include <stdlib.h>

#define ANNOUNCE_GAP_NS_FIRST (100 * SF_MS)
#define MARK_GAP_NS_FIRST     (100 * SF_US)

enum {
    WINDOW_BYTES_DEFAULT = 16 * 1024 * 1024,
    EXTENTS_MIN = 1024,
    PEER_HAS_RANGES_MAX = 1 << 16,
};

int
sf_outbox_open(const struct sf_outbox_config *config, struct sf_outbox **ret_outbox)
{
    size_t extents_max = config->extents_max == 0 ? SF_OUTBOX_EXTENTS_DEFAULT : config->extents_max;
    struct sf_outbox *outbox;

    if (extents_max < EXTENTS_MIN || extents_max >= SF_EXTENT_NONE) {
        return SF_EINVAL;
    }
    outbox = calloc(1, sizeof(*outbox));
    if (outbox == NULL) {
        return SF_ENOMEM;
    }
    outbox->no_return = config->no_return;
    outbox->window.bytes_max =
        config->window_bytes == 0 ? (size_t)WINDOW_BYTES_DEFAULT : config->window_bytes;
    outbox->mark_gap = MARK_GAP_NS_FIRST;
    outbox->timer = SF_NEVER;
    outbox->contact_end = SF_NEVER;
    outbox->head_bytes = SF_OBJECT_DATA_HEAD_MAX;
    sf_outbox_loss_init(outbox);
    sf_extent_store_init(&outbox->store, (uint32_t)extents_max);
    *ret_outbox = outbox;
    return SF_OK;
}

static void
free_object(struct sf_outgoing *object)
{
    sf_window_drop_object(object);
    sf_extents_clear(&object->extents);
    sf_range_set_fini(&object->ready);
    sf_range_set_fini(&object->peer_has);
    free(object);
}

void
sf_outbox_close(struct sf_outbox *outbox)
{
    if (outbox == NULL) {
        return;
    }
    for (size_t i = 0; i < outbox->object_count; i++) {
        free_object(outbox->objects[i]);
    }
    sf_extent_store_fini(&outbox->store);
    free(outbox);
}

void
sf_outbox_session(struct sf_outbox *outbox, uint64_t epoch)
{
    uint64_t ordinal = outbox->session_count++;

    outbox->sessions[ordinal % SF_OUTBOX_SESSIONS_MAX] =
        (struct sf_outbox_session){.epoch = epoch, .base = (ordinal + 1) << SF_OUTBOX_COUNTER_BITS};
    outbox->is_idle = false;
}

void
sf_outbox_set_rtt(struct sf_outbox *outbox, uint64_t srtt_ns, uint64_t rttvar_ns)
{
    outbox->srtt_ns = srtt_ns;
    outbox->rttvar_ns = rttvar_ns;
}

void
sf_outbox_set_rate(struct sf_outbox *outbox, uint64_t rate_bps)
{
    outbox->rate_bps = rate_bps;
}

void
sf_outbox_set_contact_end(struct sf_outbox *outbox, sf_mono end)
{
    outbox->contact_end = end;
}

/* --- Events -------------------------------------------------------------------------- */

/*
 * How many can wait: a WANT for each bundle of the window, a RELEASE for each
 * that was ever supplied, which takes a WANT pulled before, and one of each
 * other kind for each object.
 */
void
sf_outbox_tell(
    struct sf_outbox *outbox, enum sf_outbox_event_kind kind, uint32_t handle, uint64_t index)
{
    size_t at = (outbox->event_first + outbox->event_count) % SF_OUTBOX_EVENTS_MAX;

    sf_assert(outbox->event_count < SF_OUTBOX_EVENTS_MAX);
    outbox->events[at] = (struct sf_outbox_event){.kind = kind, .handle = handle, .index = index};
    outbox->event_count++;
}

bool
sf_outbox_event(struct sf_outbox *outbox, struct sf_outbox_event *ret_event)
{
    if (outbox->event_count == 0) {
        return false;
    }
    *ret_event = outbox->events[outbox->event_first];
    outbox->event_first = (outbox->event_first + 1) % SF_OUTBOX_EVENTS_MAX;
    outbox->event_count--;
    return true;
}

/* What was to be told of a withdrawn object is not told any more. */
static void
forget_events(struct sf_outbox *outbox, uint32_t handle)
{
    size_t kept = 0;

    for (size_t i = 0; i < outbox->event_count; i++) {
        const struct sf_outbox_event *event =
            &outbox->events[(outbox->event_first + i) % SF_OUTBOX_EVENTS_MAX];

        if (event->handle != handle) {
            outbox->events[(outbox->event_first + kept++) % SF_OUTBOX_EVENTS_MAX] = *event;
        }
    }
    outbox->event_count = kept;
}

/* --- Objects -------------------------------------------------------------------------- */

struct sf_outgoing *
sf_outgoing_find(const struct sf_outbox *outbox, uint32_t handle)
{
    for (size_t i = 0; i < outbox->object_count; i++) {
        if (outbox->objects[i]->handle == handle) {
            return outbox->objects[i];
        }
    }
    return NULL;
}

void
sf_outgoing_wake(struct sf_outgoing *object)
{
    object->is_idle = false;
    object->outbox->is_idle = false;
    object->outbox->first_active = 0;
    sf_extents_rewind(&object->extents);
}

void
sf_outgoing_announce(struct sf_outgoing *object, sf_mono at)
{
    struct sf_outbox *outbox = object->outbox;

    object->is_known = false;
    object->announce_at = at;
    object->announce_gap =
        outbox->srtt_ns > ANNOUNCE_GAP_NS_FIRST ? outbox->srtt_ns : ANNOUNCE_GAP_NS_FIRST;
    object->announce_segments = object->segments + 1;
    outbox->timer = sf_mono_min(outbox->timer, at);
    outbox->is_idle = false;
}

void
sf_outbox_forgotten(struct sf_outbox *outbox, sf_mono now)
{
    outbox->now = now;
    for (size_t i = 0; i < outbox->object_count; i++) {
        struct sf_outgoing *object = outbox->objects[i];

        if (object->was_known && !object->is_kept && !object->is_declined) {
            object->is_unknown = true;
            sf_outgoing_announce(object, now);
        }
    }
}

void
sf_outbox_wake(struct sf_outbox *outbox)
{
    for (size_t i = 0; i < outbox->object_count; i++) {
        sf_outgoing_wake(outbox->objects[i]);
    }
}

/* Whether `a` goes before `b`: nobody goes round again before everybody went once. */
static bool
goes_before(const struct sf_outgoing *a, const struct sf_outgoing *b)
{
    if (a->rounds != b->rounds) {
        return a->rounds < b->rounds;
    }
    if (a->object.priority != b->object.priority) {
        return a->object.priority < b->object.priority;
    }
    if (a->object.rank != b->object.rank) {
        return a->object.rank < b->object.rank;
    }
    return a->number < b->number;
}

/* Keep objects[] in the order of sending. */
static void
place_object(struct sf_outbox *outbox, struct sf_outgoing *object)
{
    size_t at = outbox->object_count;

    while (at > 0 && goes_before(object, outbox->objects[at - 1])) {
        outbox->objects[at] = outbox->objects[at - 1];
        at--;
    }
    outbox->objects[at] = object;
    outbox->object_count++;
    outbox->first_active = 0;
}

static void
unplace_object(struct sf_outbox *outbox, const struct sf_outgoing *object)
{
    size_t kept = 0;

    for (size_t i = 0; i < outbox->object_count; i++) {
        if (outbox->objects[i] != object) {
            outbox->objects[kept++] = outbox->objects[i];
        }
    }
    outbox->object_count = kept;
    outbox->first_active = 0;
}

void
sf_outgoing_place_again(struct sf_outgoing *object)
{
    unplace_object(object->outbox, object);
    place_object(object->outbox, object);
}

static int
check_offer(const struct sf_outbox *outbox, const struct sf_link_object *object, uint32_t handle)
{
    if (sf_object_check(object) != SF_OK || object->ready > object->count || handle == 0 ||
        handle > SF_OBJECT_HANDLE_MAX) {
        return SF_EINVAL;
    }
    for (size_t i = 0; i < outbox->object_count; i++) {
        const struct sf_outgoing *other = outbox->objects[i];

        if (other->handle == handle ||
            (other->object.kind == object->kind &&
                sf_transfer_equal(&other->object.transfer, &object->transfer))) {
            return SF_EEXIST;
        }
    }
    return outbox->object_count < SF_LINK_OBJECTS_MAX ? SF_OK : SF_ELIMIT;
}

int
sf_outbox_offer(
    struct sf_outbox *outbox, const struct sf_link_object *object, uint32_t handle, sf_mono now)
{
    struct sf_outgoing *outgoing;
    int status = check_offer(outbox, object, handle);

    if (status != SF_OK) {
        return status;
    }
    outgoing = calloc(1, sizeof(*outgoing));
    if (outgoing == NULL) {
        return SF_ENOMEM;
    }
    sf_range_set_init(&outgoing->ready, SF_OUTBOX_READY_RANGES_MAX);
    sf_range_set_init(&outgoing->peer_has, PEER_HAS_RANGES_MAX);
    status = sf_range_set_add(&outgoing->ready, object->first, object->first + object->ready);
    if (status != SF_OK) {
        free(outgoing);
        return status;
    }
    outgoing->outbox = outbox;
    outgoing->object = *object;
    outgoing->object.ask_map = object->ask_map && !outbox->no_return;
    outgoing->handle = handle;
    outgoing->number = outbox->offers++;
    outgoing->next = object->first * object->class_bytes;
    outgoing->mapped = outgoing->next;
    outgoing->sent = now;
    outgoing->round_at = SF_NEVER;
    sf_extents_init(&outgoing->extents, &outbox->store);
    place_object(outbox, outgoing);
    sf_outgoing_announce(outgoing, now);
    return SF_OK;
}

int
sf_outbox_ready(struct sf_outbox *outbox, uint32_t handle, uint64_t from, uint64_t to)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);
    int status;

    if (object == NULL) {
        return SF_ENOENT;
    }
    if (from > to || from < object->object.first ||
        to > object->object.first + object->object.count) {
        return SF_EINVAL;
    }
    status = sf_range_set_add(&object->ready, from, to);
    if (status == SF_OK) {
        sf_outgoing_wake(object);
    }
    return status;
}

int
sf_outbox_set_count(struct sf_outbox *outbox, uint32_t handle, uint64_t count)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);
    uint64_t end;

    if (object == NULL) {
        return SF_ENOENT;
    }
    end = object->object.first + count;
    if (count == 0 || count > object->object.count ||
        (object->object.is_count_final && count != object->object.count) ||
        (object->ready.count > 0 && object->ready.ranges[object->ready.count - 1].to > end)) {
        return SF_EINVAL;
    }
    if (!object->object.is_count_final) {
        object->object.count = count;
        object->object.is_count_final = true;
        object->revision++;
        sf_extents_confirm(
            &object->extents, SF_EXTENT_NONE, sf_outgoing_end(object), SF_LINK_OBJECT_BYTES_MAX);
        if (object->next > sf_outgoing_end(object)) {
            object->next = sf_outgoing_end(object);
        }
        sf_outgoing_announce(object, outbox->now);
        sf_outgoing_wake(object);
        if (outbox->no_return) {
            sf_outgoing_count_round(object, outbox->now); /* all of it may have been sent already */
        }
    }
    return SF_OK;
}

int
sf_outbox_set_priority(struct sf_outbox *outbox, uint32_t handle, uint8_t priority)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);

    if (object == NULL) {
        return SF_ENOENT;
    }
    object->object.priority = priority;
    sf_outgoing_place_again(object);
    return SF_OK;
}

int
sf_outbox_supply(struct sf_outbox *outbox, uint32_t handle, uint64_t index, const uint8_t *bytes)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);
    struct sf_window_entry *entry;

    if (object == NULL) {
        return SF_ENOENT;
    }
    entry = sf_window_find(object, index);
    if (entry == NULL || entry->state != SF_WINDOW_WANTED) {
        return SF_ESTATE;
    }
    entry->state = SF_WINDOW_LOADED;
    entry->bytes = bytes;
    outbox->window.wanted--;
    sf_outbox_wake(outbox);
    return SF_OK;
}

int
sf_outbox_unsupply(struct sf_outbox *outbox, uint32_t handle, uint64_t index)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);
    struct sf_window_entry *entry;

    if (object == NULL) {
        return SF_ENOENT;
    }
    entry = sf_window_find(object, index);
    if (entry == NULL || entry->state != SF_WINDOW_WANTED) {
        return SF_ESTATE;
    }
    sf_window_drop(outbox, entry);
    sf_outbox_wake(outbox);
    return sf_range_set_remove(&object->ready, index, index + 1);
}

void
sf_outbox_withdraw(struct sf_outbox *outbox, uint32_t handle)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);

    if (object == NULL) {
        return;
    }
    unplace_object(outbox, object);
    forget_events(outbox, handle);
    free_object(object);
    sf_outbox_wake(outbox);
    if (outbox->farewell_count == SF_LINK_OBJECTS_MAX) {
        outbox->farewell_count--; /* the peer will name it one day, and be told then */
    }
    outbox->farewells[outbox->farewell_count++] = (struct sf_outbox_farewell){
        .handle = handle, .at = outbox->now, .gap = ANNOUNCE_GAP_NS_FIRST};
    outbox->timer = 0;
    outbox->is_idle = false;
}

const struct sf_range_set *
sf_outbox_peer_has(struct sf_outbox *outbox, uint32_t handle)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);
    uint32_t class_bytes;
    uint64_t from;

    if (object == NULL || !object->is_mapped) {
        return NULL;
    }
    sf_range_set_clear(&object->peer_has);
    class_bytes = object->object.class_bytes;
    from = object->object.first;
    for (uint32_t at = object->extents.first; at != SF_EXTENT_NONE;
         at = sf_extents_at(&object->extents, at)->next) {
        const struct sf_extent *extent = sf_extents_at(&object->extents, at);

        if (extent->from / class_bytes > from &&
            sf_range_set_add(&object->peer_has, from, extent->from / class_bytes) != SF_OK) {
            return &object->peer_has; /* too scattered: the lower part is true */
        }
        from = (extent->to - 1) / class_bytes + 1;
    }
    if (object->next / class_bytes > from &&
        sf_range_set_add(&object->peer_has, from, object->next / class_bytes) != SF_OK) {
        return &object->peer_has;
    }
    return &object->peer_has;
}

/* --- Dark times, figures ------------------------------------------------------------------ */

void
sf_outbox_pause(struct sf_outbox *outbox, sf_mono now)
{
    if (!outbox->is_dark) {
        outbox->is_dark = true;
        outbox->dark_since = now;
    }
}

void
sf_outbox_resume(struct sf_outbox *outbox, sf_mono now)
{
    uint64_t span;

    if (!outbox->is_dark) {
        return;
    }
    outbox->is_dark = false;
    outbox->is_idle = false;
    outbox->timer = 0;
    outbox->now = now;
    span = now > outbox->dark_since ? now - outbox->dark_since : 0;
    for (size_t i = 0; i < outbox->object_count; i++) {
        struct sf_outgoing *object = outbox->objects[i];

        object->sent = sf_mono_add(object->sent, span);
        object->announce_at = object->is_known ? object->announce_at : now;
        object->probe_doubling = 0;
    }
    for (size_t i = 0; i < outbox->farewell_count; i++) {
        outbox->farewells[i].at = now;
    }
    for (size_t i = 0; i < outbox->mark_count; i++) {
        outbox->marks[i].at = sf_mono_add(outbox->marks[i].at, span);
        outbox->marks[i].until = sf_mono_add(outbox->marks[i].until, span);
    }
}

void
sf_outbox_stats(const struct sf_outbox *outbox, struct sf_outbox_stats *ret_stats)
{
    *ret_stats = outbox->stats;
    ret_stats->objects = outbox->object_count;
    ret_stats->extents = outbox->store.used;
    ret_stats->extents_peak = outbox->store.used_peak;
    ret_stats->memory_bytes = sizeof(*outbox) + outbox->object_count * sizeof(struct sf_outgoing) +
                              outbox->store.capacity * sizeof(struct sf_extent);
}
