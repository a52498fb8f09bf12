/*
 * test_node_disk.c - how much of its disk a receiver uses while a transfer comes in, looked at all
 * the time, in virtual time: plaintext grows as slots are given back.
 */
#include "tests/unit/node_fixture.h"

#define RATE UINT64_C(200000000)
#define STEP (20 * SF_MS)

enum { BYTES = 200000000, WINDOW = 16 << 20 };

static struct fixture f;

static uint64_t
used(void)
{
    struct sf_sim_disk_stats stats;

    sf_sim_disk_get_stats(fixture_disk(&f, SAT), &stats);
    return stats.used_bytes;
}

/* What is sealed in slots, or reserved for it, and was not opened yet. */
static uint64_t
unopened(const struct sf_node_transfer *in)
{
    uint64_t count = in->count != 0 ? in->count : in->slots;

    return in->state == SF_NODE_DONE ? 0 : (count - in->held) * in->class_bytes;
}

static void
test_peak(void)
{
    uint64_t base, peak = 0, opened_peak = 0;
    unsigned samples = 0;

    fixture_make(&f, 81, 2);
    fixture_slow(&f, RATE);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    base = used();
    fixture_send_file(&f, BYTES);
    while (fixture_transfer(&f, SAT).state != SF_NODE_DONE && samples < 5000) {
        struct sf_node_transfer in;
        uint64_t now;

        fixture_run(&f, STEP);
        in = fixture_transfer(&f, SAT);
        now = used() - base;
        samples++;
        peak = now > peak ? now : peak;
        if (in.class_bytes != 0) {
            uint64_t open = unopened(&in);

            opened_peak = now > open && now - open > opened_peak ? now - open : opened_peak;
            /* Beside what is reserved for what is to come: what was opened, once, and a window. */
            CHECK(now <= open + (uint64_t)in.held * in.class_bytes + 2 * WINDOW);
        }
    }
    CHECK_EQ((int)fixture_transfer(&f, SAT).state, (int)SF_NODE_DONE);
    CHECK(samples > 300);
    printf("%.3f of the plaintext at most, %.3f beside what was not opened yet ",
        (double)peak / BYTES, (double)opened_peak / BYTES);
    /* The promise, and what preallocation makes of it: never more than the file and a window. */
    CHECK(opened_peak <= BYTES / 10 * 11);
    CHECK(peak <= BYTES / 10 * 11 + WINDOW);
    fixture_run(&f, 60 * SF_SEC);
    CHECK(used() - base <= BYTES + (1 << 20));
    fixture_check_freed(&f, SAT);
    fixture_close(&f);
}

CHECK_MAIN(
    "node_disk", {"a receiver's disk holds the file once, and a window beside it", test_peak})
