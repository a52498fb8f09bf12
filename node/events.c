/*
 * events.c - what the node tells people: events to be pulled, and errors.
 */
#include "node/internal.h"

#include <stdarg.h>
#include <stdio.h>

void
node_say(struct sf_node *node, enum sf_node_event_kind kind, const struct sf_transfer_id *transfer,
    const char *format, ...)
{
    struct event_ring *ring = node->events;
    struct sf_node_event *event;
    va_list arguments;

    if (ring->count == EVENTS_MAX) {
        ring->first = (ring->first + 1) % EVENTS_MAX;
        ring->count--;
    }
    event = &ring->events[(ring->first + ring->count++) % EVENTS_MAX];
    memset(event, 0, sizeof(*event));
    event->kind = kind;
    if (transfer != NULL) {
        event->transfer = *transfer;
    }
    va_start(arguments, format);
    vsnprintf(event->text, sizeof(event->text), format, arguments);
    va_end(arguments);
}

void
node_say_peer(struct sf_node *node, const struct peer *peer, const char *text)
{
    struct event_ring *ring = node->events;

    node_say(node, SF_NODE_EVENT_PEER, NULL, "%s", text);
    memcpy(ring->events[(ring->first + ring->count - 1) % EVENTS_MAX].peer, peer->conf.name,
        sizeof(peer->conf.name));
}

bool
sf_node_event(struct sf_node *node, struct sf_node_event *ret_event)
{
    struct event_ring *ring = node->events;

    if (ring->count == 0) {
        return false;
    }
    *ret_event = ring->events[ring->first];
    ring->first = (ring->first + 1) % EVENTS_MAX;
    ring->count--;
    return true;
}

int
node_error(struct sf_node_error *error, int status, const char *format, ...)
{
    va_list arguments;

    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return status;
}
