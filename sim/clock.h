/*
 * clock.h - virtual time: events in the order of their time, and of their
 * making where times are equal.
 *
 * An event is the caller's memory and belongs to the clock while it waits.
 * The clock only ever goes forward, from event to event or to a time the
 * caller names; the real-time proxy steps it by the system's clock.
 */
#ifndef SF_SIM_CLOCK_H
#define SF_SIM_CLOCK_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_sim_event {
    void (*fire)(struct sf_sim_event *event, sf_mono now); /* may set any event, also this one */
    void *owner;                                           /* the caller's */

    sf_mono at; /* from here on the clock's */
    uint64_t sequence;
    size_t place; /* in the heap, from 1; 0 while it does not wait */
};

struct sf_sim_clock {
    sf_mono now;
    uint64_t sequence;
    struct sf_sim_event **heap; /* from index 1 */
    size_t count;
    size_t capacity;
};

void sf_sim_clock_init(struct sf_sim_clock *clock, sf_mono now);

/* Forget all events; their memory is the caller's. */
void sf_sim_clock_fini(struct sf_sim_clock *clock);

/*
 * Have `event` fire at `at`, or now if that is past. An event that waits is
 * set anew. `event` was zeroed before its first use. Aborts without memory.
 */
void sf_sim_clock_set(struct sf_sim_clock *clock, struct sf_sim_event *event, sf_mono at);

/* `event` does not fire; nothing happens if it does not wait. */
void sf_sim_clock_cancel(struct sf_sim_clock *clock, struct sf_sim_event *event);

/* When the next event fires, SF_NEVER if none waits. */
sf_mono sf_sim_clock_deadline(const struct sf_sim_clock *clock);

/* Go to the next event and fire it. Returns false, with the time unchanged, if none waits. */
bool sf_sim_clock_step(struct sf_sim_clock *clock);

/* Fire all that is due by `until`, then be there. */
void sf_sim_clock_run(struct sf_sim_clock *clock, sf_mono until);

#endif
