/*
 * delivery.h - what became of what was sent: how fast it went and came, how
 * much of it was lost, how long it queued.
 *
 * The sender remembers moments of sending, as runs of datagrams; a report
 * names the newest datagram that came, when it came by the receiver's clock,
 * and all bytes so far. Two reports make a stretch: so many bytes, sent in so
 * long and received in so long. Both spans are of the clock that saw them, so
 * neither the way back nor its jitter plays a part (the delivery rate of
 * draft-cheng-iccrg-delivery-rate-estimation, with the receiver's clock in
 * place of the acknowledgements').
 *
 * The one-way delay is arrival less sending. The clocks have different zeros
 * and drift, so only what is above the least of late means something: that is
 * the queue (RFC 6817 section 3.4).
 *
 * Integers, no clock, no allocation. One for each peer, not thread-safe.
 */
#ifndef SF_LINK_DELIVERY_H
#define SF_LINK_DELIVERY_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_DELIVERY_RUNS = 512,  /* a round trip takes 64 of them */
    SF_DELIVERY_DELAYS = 16, /* the latest one-way delays */
};

#define SF_DELIVERY_WINDOW_NS (15 * SF_SEC) /* the least delay of one to two of these counts */

/* Datagrams sent without a pause. */
struct sf_delivery_run {
    uint64_t epoch;
    uint64_t first, last; /* counters */
    sf_mono first_at, last_at;
    uint64_t first_bytes, last_bytes; /* sent so far, with that datagram */
    uint64_t idle_ns;                 /* line time not used before it, so far */
};

/* A datagram that is known to have come, and all before it. */
struct sf_delivery_point {
    sf_mono sent_at;
    uint64_t sent_bytes;
    uint64_t idle_ns;
    uint64_t arrived_us; /* of the receiver's clock, without its wrapping */
    uint64_t received_bytes;
};

/* What a report says of the path. */
struct sf_delivery_report {
    uint64_t epoch;
    uint64_t counter;
    uint64_t received_bytes;
    uint32_t arrived_us;
    uint64_t rtt_ns; /* the latest round trip; 0 = not measured */
};

/* From one datagram that came to a later one. */
struct sf_delivery_stretch {
    uint64_t sent_bps;
    uint64_t received_bps;
    uint64_t lost_ppm; /* of the bytes sent */
    uint64_t sent_bytes;
    uint64_t span_ns; /* of arrival */
    sf_mono from, to; /* when its ends were sent */
    bool is_limited;  /* the line stood idle: there was nothing to send */
};

struct sf_delivery {
    struct sf_delivery_run runs[SF_DELIVERY_RUNS]; /* run n at n modulo that */
    uint64_t run_first, run_end;                   /* [first, end) are kept */
    uint64_t sent_bytes;

    bool has_point;
    struct sf_delivery_point newest;
    uint32_t arrived_last; /* as the report said */

    /* Delays: arrival less sending, microseconds, of any zero. */
    int64_t delays[SF_DELIVERY_DELAYS];
    sf_mono delay_at[SF_DELIVERY_DELAYS]; /* when sent */
    size_t delay_count;                   /* ever */
    int64_t least, least_before;          /* of this window, of the one before */
    sf_mono least_at;                     /* when something was last within a millisecond of it */
    uint64_t rtt_ns, rtt_before_ns;       /* the shortest round trips of the two windows */
    sf_mono window_at;
    bool has_delay;
    uint64_t jitter_us; /* mean difference between one delay and the next */
};

void sf_delivery_init(struct sf_delivery *delivery);

/*
 * A datagram left at `now` as `counter` of session `epoch`; both only grow.
 * `idle_ns` is the line time that was not used so far, for want of data.
 */
void sf_delivery_sent(struct sf_delivery *delivery, uint64_t epoch, uint64_t counter,
    size_t ip_bytes, uint64_t idle_ns, sf_mono now);

/*
 * Take a report. Returns whether it tells something new; false for one about
 * datagrams that are not remembered, or older than the last.
 */
bool sf_delivery_input(
    struct sf_delivery *delivery, const struct sf_delivery_report *report, sf_mono now);

/*
 * The stretch between two points. False if there is none: nothing came between
 * them, or the receiver began anew.
 */
bool sf_delivery_between(const struct sf_delivery_point *from, const struct sf_delivery_point *to,
    struct sf_delivery_stretch *ret_stretch);

/* The least queue of what was sent within `span_ns` before the newest point. */
uint64_t sf_delivery_queue_ns(const struct sf_delivery *delivery, uint64_t span_ns);

/*
 * The queue that a datagram will meet that leaves at `now`: `queue_ns` at the
 * newest point, and what was sent since then, less what a line of `bps` takes
 * away; never more than `most_ns`, which is all that fits (a Smith predictor).
 */
uint64_t sf_delivery_ahead_ns(const struct sf_delivery *delivery, uint64_t queue_ns, uint64_t bps,
    uint64_t most_ns, sf_mono now);

/* The shortest round trip of late; 0 = not measured. */
uint64_t sf_delivery_rtt_ns(const struct sf_delivery *delivery);

/* The path may be another one: forget its delays, and where the last stretch ended. */
void sf_delivery_reset(struct sf_delivery *delivery);

#endif
