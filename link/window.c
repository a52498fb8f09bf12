/*
 * window.c - the bundles an outbox has borrowed: those being sent, a few to
 * come, and those sent lately, whose repair is likely. The rest lies with the
 * caller, so memory does not grow with the object or the path.
 */
#include "link/outbox_private.h"

#include "base/assert.h"

struct sf_window_entry *
sf_window_find(struct sf_outgoing *object, uint64_t index)
{
    struct sf_window *window = &object->outbox->window;
    struct sf_window_entry *entry = &window->entries[object->window_hit];

    if (entry->state != SF_WINDOW_FREE && entry->object == object && entry->index == index) {
        return entry;
    }
    for (size_t i = 0; i < SF_OUTBOX_WINDOW_BUNDLES_MAX; i++) {
        entry = &window->entries[i];
        if (entry->state != SF_WINDOW_FREE && entry->object == object && entry->index == index) {
            object->window_hit = i;
            return entry;
        }
    }
    return NULL;
}

const uint8_t *
sf_window_bytes(struct sf_outgoing *object, uint64_t index)
{
    struct sf_window_entry *entry = sf_window_find(object, index);

    if (entry == NULL || entry->state != SF_WINDOW_LOADED) {
        return NULL;
    }
    entry->used = ++object->outbox->window.tick;
    return entry->bytes;
}

size_t
sf_window_bundles(const struct sf_outgoing *object)
{
    size_t bundles = object->outbox->window.bytes_max / object->object.class_bytes;

    if (bundles > SF_OUTBOX_WINDOW_BUNDLES_MAX) {
        bundles = SF_OUTBOX_WINDOW_BUNDLES_MAX;
    }
    return bundles < 2 ? 2 : bundles;
}

void
sf_window_drop(struct sf_outbox *outbox, struct sf_window_entry *entry)
{
    struct sf_window *window = &outbox->window;

    sf_assert(entry->state != SF_WINDOW_FREE);
    window->bytes -= entry->object->object.class_bytes;
    window->count--;
    window->wanted -= entry->state == SF_WINDOW_WANTED ? 1 : 0;
    *entry = (struct sf_window_entry){.state = SF_WINDOW_FREE};
}

void
sf_window_drop_object(struct sf_outgoing *object)
{
    struct sf_window *window = &object->outbox->window;

    for (size_t i = 0; i < SF_OUTBOX_WINDOW_BUNDLES_MAX; i++) {
        if (window->entries[i].state != SF_WINDOW_FREE && window->entries[i].object == object) {
            sf_window_drop(object->outbox, &window->entries[i]);
        }
    }
}

/* Not yet sent to its end for the first time. */
static bool
is_to_come(const struct sf_window_entry *entry)
{
    const struct sf_outgoing *object = entry->object;

    return (entry->index + 1) * object->object.class_bytes > object->next;
}

/*
 * Whether `entry` is to be given back before `other`: what was not used for
 * longer, except that what was asked for ahead stays. Of all it was touched the
 * longest ago, and is used next: each bundle would be fetched twice.
 */
static bool
goes_before(const struct sf_window_entry *entry, const struct sf_window_entry *other)
{
    if (is_to_come(entry) != is_to_come(other)) {
        return is_to_come(other);
    }
    return entry->used < other->used;
}

/* Give back the bundle that can be missed best. False if none is here. */
static bool
release_one(struct sf_outbox *outbox)
{
    struct sf_window *window = &outbox->window;
    struct sf_window_entry *oldest = NULL;

    for (size_t i = 0; i < SF_OUTBOX_WINDOW_BUNDLES_MAX; i++) {
        struct sf_window_entry *entry = &window->entries[i];

        if (entry->state == SF_WINDOW_LOADED && (oldest == NULL || goes_before(entry, oldest))) {
            oldest = entry;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    sf_outbox_tell(outbox, SF_OUTBOX_RELEASE, oldest->object->handle, oldest->index);
    sf_window_drop(outbox, oldest);
    return true;
}

/* Whether one more bundle of `bytes` fits; two always may be here. */
static bool
has_room(const struct sf_window *window, size_t bytes)
{
    return window->count < SF_OUTBOX_WINDOW_BUNDLES_MAX &&
           (window->count < 2 || window->bytes + bytes <= window->bytes_max);
}

bool
sf_window_want(struct sf_outgoing *object, uint64_t index)
{
    struct sf_outbox *outbox = object->outbox;
    struct sf_window *window = &outbox->window;

    if (sf_window_find(object, index) != NULL) {
        return true;
    }
    /* Half at most is on its way, so that what came is used before it must go. */
    if (window->wanted >= (sf_window_bundles(object) + 1) / 2) {
        return false;
    }
    while (!has_room(window, object->object.class_bytes)) {
        if (!release_one(outbox)) {
            return false;
        }
    }
    for (size_t i = 0; i < SF_OUTBOX_WINDOW_BUNDLES_MAX; i++) {
        if (window->entries[i].state == SF_WINDOW_FREE) {
            window->entries[i] = (struct sf_window_entry){.object = object,
                .index = index,
                .used = ++window->tick,
                .state = SF_WINDOW_WANTED};
            window->bytes += object->object.class_bytes;
            window->count++;
            window->wanted++;
            sf_outbox_tell(outbox, SF_OUTBOX_WANT, object->handle, index);
            return true;
        }
    }
    return false;
}
