#include "sim/clock.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static bool
is_before(const struct sf_sim_event *a, const struct sf_sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void
put(struct sf_sim_clock *clock, size_t place, struct sf_sim_event *event)
{
    clock->heap[place] = event;
    event->place = place;
}

static void
sift_up(struct sf_sim_clock *clock, size_t place, struct sf_sim_event *event)
{
    while (place > 1 && is_before(event, clock->heap[place / 2])) {
        put(clock, place, clock->heap[place / 2]);
        place /= 2;
    }
    put(clock, place, event);
}

static void
sift_down(struct sf_sim_clock *clock, size_t place, struct sf_sim_event *event)
{
    for (;;) {
        size_t child = place * 2;

        if (child < clock->count && is_before(clock->heap[child + 1], clock->heap[child])) {
            child++;
        }
        if (child > clock->count || !is_before(clock->heap[child], event)) {
            break;
        }
        put(clock, place, clock->heap[child]);
        place = child;
    }
    put(clock, place, event);
}

void
sf_sim_clock_init(struct sf_sim_clock *clock, sf_mono now)
{
    memset(clock, 0, sizeof(*clock));
    clock->now = now;
}

void
sf_sim_clock_fini(struct sf_sim_clock *clock)
{
    for (size_t i = 1; i <= clock->count; i++) {
        clock->heap[i]->place = 0;
    }
    free(clock->heap);
    clock->heap = NULL;
    clock->count = 0;
    clock->capacity = 0;
}

void
sf_sim_clock_set(struct sf_sim_clock *clock, struct sf_sim_event *event, sf_mono at)
{
    sf_sim_clock_cancel(clock, event);
    if (clock->count + 1 >= clock->capacity) {
        size_t capacity = clock->capacity == 0 ? 64 : clock->capacity * 2;
        struct sf_sim_event **heap = realloc(clock->heap, capacity * sizeof(struct sf_sim_event *));

        sf_assert(heap != NULL);
        clock->heap = heap;
        clock->capacity = capacity;
    }
    event->at = at < clock->now ? clock->now : at;
    event->sequence = clock->sequence++;
    clock->count++;
    sift_up(clock, clock->count, event);
}

void
sf_sim_clock_cancel(struct sf_sim_clock *clock, struct sf_sim_event *event)
{
    size_t place = event->place;
    struct sf_sim_event *last;

    if (place == 0) {
        return;
    }
    sf_assert(place <= clock->count && clock->heap[place] == event);
    event->place = 0;
    last = clock->heap[clock->count--];
    if (last == event) {
        return;
    }
    if (place > 1 && is_before(last, clock->heap[place / 2])) {
        sift_up(clock, place, last);
    } else {
        sift_down(clock, place, last);
    }
}

sf_mono
sf_sim_clock_deadline(const struct sf_sim_clock *clock)
{
    return clock->count == 0 ? SF_NEVER : clock->heap[1]->at;
}

bool
sf_sim_clock_step(struct sf_sim_clock *clock)
{
    struct sf_sim_event *event;

    if (clock->count == 0) {
        return false;
    }
    event = clock->heap[1];
    sf_sim_clock_cancel(clock, event);
    clock->now = event->at;
    event->fire(event, clock->now);
    return true;
}

void
sf_sim_clock_run(struct sf_sim_clock *clock, sf_mono until)
{
    while (clock->count > 0 && clock->heap[1]->at <= until) {
        (void)sf_sim_clock_step(clock);
    }
    if (clock->now < until) {
        clock->now = until;
    }
}
