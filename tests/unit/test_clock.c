/* Tests of sim/clock. */
#include "base/prng.h"
#include "sim/clock.h"
#include "tests/unit/check.h"

static struct sf_sim_clock sim_clock;
static char fired[64];
static char names[] = "abcd";

static void
note(struct sf_sim_event *event, sf_mono now)
{
    CHECK(now == sim_clock.now);
    strncat(fired, event->owner, 1);
}

static void
test_order(void)
{
    struct sf_sim_event a = {.fire = note, .owner = &names[0]};
    struct sf_sim_event b = {.fire = note, .owner = &names[1]};
    struct sf_sim_event c = {.fire = note, .owner = &names[2]};
    struct sf_sim_event d = {.fire = note, .owner = &names[3]};

    fired[0] = '\0';
    sf_sim_clock_init(&sim_clock, 100);
    CHECK(!sf_sim_clock_step(&sim_clock));
    CHECK(sf_sim_clock_deadline(&sim_clock) == SF_NEVER);
    sf_sim_clock_set(&sim_clock, &a, 300);
    sf_sim_clock_set(&sim_clock, &b, 200);
    sf_sim_clock_set(&sim_clock, &c, 200);
    sf_sim_clock_set(&sim_clock, &d, 50); /* past: now */
    CHECK(sf_sim_clock_deadline(&sim_clock) == 100);
    sf_sim_clock_run(&sim_clock, 250);
    CHECK_TEXT(fired, "dbc");
    CHECK(sim_clock.now == 250);
    sf_sim_clock_cancel(&sim_clock, &b);
    sf_sim_clock_set(&sim_clock, &a, 400); /* anew */
    sf_sim_clock_set(&sim_clock, &b, 500);
    sf_sim_clock_cancel(&sim_clock, &b);
    sf_sim_clock_run(&sim_clock, 1000);
    CHECK_TEXT(fired, "dbca");
    sf_sim_clock_fini(&sim_clock);
}

enum { EVENTS = 500 };

static sf_mono last_at;
static uint64_t last_sequence;
static size_t count;

static void
check_order(struct sf_sim_event *event, sf_mono now)
{
    REQUIRE(event->at == now);
    REQUIRE(now > last_at || (now == last_at && event->sequence > last_sequence));
    last_at = now;
    last_sequence = event->sequence;
    count++;
}

static void
test_heap(void)
{
    static struct sf_sim_event events[EVENTS];
    struct sf_prng prng;
    size_t waiting = 0;

    sf_prng_init(&prng, 1);
    sf_sim_clock_init(&sim_clock, 1);
    for (int i = 0; i < 20000; i++) {
        struct sf_sim_event *event = &events[sf_prng_below(&prng, EVENTS)];

        event->fire = check_order;
        if (sf_prng_chance(&prng, 300000)) {
            sf_sim_clock_cancel(&sim_clock, event);
        } else {
            sf_sim_clock_set(&sim_clock, event, sf_prng_below(&prng, 1000));
        }
    }
    for (size_t i = 0; i < EVENTS; i++) {
        waiting += events[i].place != 0;
    }
    CHECK_EQ(waiting, sim_clock.count);
    while (sf_sim_clock_step(&sim_clock)) {
    }
    CHECK_EQ(count, waiting);
    sf_sim_clock_fini(&sim_clock);
}

CHECK_MAIN("clock", {"events fire by time, then in the order they were set", test_order},
    {"any sets and cancels keep the order", test_heap})
