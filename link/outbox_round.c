/*
 * outbox_round.c - where nothing comes back, what is on offer goes round and
 * round: a carousel that a receiver may join at any time, and that fills what
 * it missed in an earlier round.
 *
 * A round ends with the last bundle that may fly. In a planned contact the next
 * follows at once, since the time is given to this peer; else after a pause
 * that doubles, so that a line that others use is not filled for ever.
 */
#include "link/outbox_private.h"

#define PAUSE_NS_FIRST (5 * SF_SEC)
#define PAUSE_NS_MAX   (300 * SF_SEC)

enum { PAUSE_DOUBLINGS_MAX = 16 };

static uint64_t
pause_ns(const struct sf_outgoing *object)
{
    uint32_t doublings = object->rounds - 1;
    uint64_t pause;

    if (object->outbox->is_eager) {
        return 0;
    }
    pause = PAUSE_NS_FIRST << (doublings < PAUSE_DOUBLINGS_MAX ? doublings : PAUSE_DOUBLINGS_MAX);
    return pause < PAUSE_NS_MAX ? pause : PAUSE_NS_MAX;
}

void
sf_outgoing_count_round(struct sf_outgoing *object, sf_mono now)
{
    uint64_t ready;

    if (!object->object.is_count_final ||
        (object->next < sf_outgoing_end(object) &&
            sf_outgoing_find_ready(object, object->next / object->object.class_bytes, &ready))) {
        return;
    }
    object->rounds++;
    object->round_at = sf_mono_add(now, pause_ns(object));
    object->outbox->timer = sf_mono_min(object->outbox->timer, object->round_at);
    sf_outgoing_place_again(object);
    if (!object->is_ended) {
        object->is_ended = true;
        sf_outbox_tell(object->outbox, SF_OUTBOX_RECEIVED, object->handle, 0);
    }
}

void
sf_outgoing_begin_round(struct sf_outgoing *object, sf_mono now)
{
    if (object->round_at <= now) {
        object->round_at = SF_NEVER;
        object->next = object->object.first * object->object.class_bytes;
        sf_outgoing_wake(object);
    }
}

int
sf_outbox_kept(struct sf_outbox *outbox, uint32_t handle, uint64_t from, uint64_t to)
{
    struct sf_outgoing *object = sf_outgoing_find(outbox, handle);

    if (object == NULL) {
        return SF_ENOENT;
    }
    return outbox->no_return ? sf_range_set_remove(&object->ready, from, to) : SF_OK;
}

void
sf_outbox_set_eager(struct sf_outbox *outbox, bool is_eager)
{
    outbox->is_eager = is_eager;
    for (size_t i = 0; is_eager && i < outbox->object_count; i++) {
        struct sf_outgoing *object = outbox->objects[i];

        if (object->round_at != SF_NEVER) {
            object->round_at = 0;
            outbox->timer = 0;
            outbox->is_idle = false;
        }
    }
}
