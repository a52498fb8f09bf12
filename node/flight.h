/*
 * flight.h - what a disk, a worker or a commit holds on to, so that it can be
 * freed when the power goes and none of them will give it back.
 *
 * An object in flight is in the node's list from begin to end; what is left in
 * the list when the node is dropped is freed by its own function.
 */
#ifndef SF_NODE_FLIGHT_H
#define SF_NODE_FLIGHT_H

#include <stddef.h>

struct flight {
    void (*drop)(struct flight *flight); /* free the object and what it owns */
    struct flight *next;
    struct flight **at;
};

static inline void
flight_begin(struct flight **list, struct flight *flight, void (*drop)(struct flight *flight))
{
    flight->drop = drop;
    flight->next = *list;
    flight->at = list;
    if (*list != NULL) {
        (*list)->at = &flight->next;
    }
    *list = flight;
}

static inline void
flight_end(struct flight *flight)
{
    *flight->at = flight->next;
    if (flight->next != NULL) {
        flight->next->at = flight->at;
    }
}

/* Free everything that is still in the list. */
static inline void
flight_drop_all(struct flight **list)
{
    while (*list != NULL) {
        struct flight *flight = *list;

        flight_end(flight);
        flight->drop(flight);
    }
}

/* The object around a flight: FLIGHT_OF(flight, struct arrival). The member is called `flight`. */
#define FLIGHT_OF(pointer, type) ((type *)(void *)((char *)(pointer)-offsetof(type, flight)))

#endif
