/*
 * delivery.c - runs of datagrams, points, delays.
 */
#include "link/delivery.h"

#include <string.h>

#define RUN_NS_MIN   (500 * SF_US)
#define RUN_NS_NEW   SF_MS /* while the round trip is not known */
#define RUNS_PER_RTT 64
#define NEAR_US      1000      /* as near to the least delay as if it were it */
#define SHIFT_US_MAX 600000000 /* a delay that changes by more is another clock */

void
sf_delivery_init(struct sf_delivery *delivery)
{
    memset(delivery, 0, sizeof(*delivery));
}

void
sf_delivery_reset(struct sf_delivery *delivery)
{
    delivery->has_point = false;
    delivery->has_delay = false;
    delivery->delay_count = 0;
    delivery->jitter_us = 0;
    delivery->rtt_ns = 0;
    delivery->rtt_before_ns = 0;
}

/* --- Sending ------------------------------------------------------------------- */

static struct sf_delivery_run *
run_at(struct sf_delivery *delivery, uint64_t number)
{
    return &delivery->runs[number % SF_DELIVERY_RUNS];
}

static uint64_t
run_span(const struct sf_delivery *delivery)
{
    uint64_t rtt_ns = sf_delivery_rtt_ns(delivery);

    if (rtt_ns == 0) {
        return RUN_NS_NEW;
    }
    return rtt_ns / RUNS_PER_RTT > RUN_NS_MIN ? rtt_ns / RUNS_PER_RTT : RUN_NS_MIN;
}

void
sf_delivery_sent(struct sf_delivery *delivery, uint64_t epoch, uint64_t counter, size_t ip_bytes,
    uint64_t idle_ns, sf_mono now)
{
    struct sf_delivery_run *run = NULL;

    delivery->sent_bytes += ip_bytes;
    if (delivery->run_end > delivery->run_first) {
        run = run_at(delivery, delivery->run_end - 1);
    }
    if (run != NULL && run->epoch == epoch && run->idle_ns == idle_ns &&
        now < sf_mono_add(run->first_at, run_span(delivery))) {
        run->last = counter;
        run->last_at = now;
        run->last_bytes = delivery->sent_bytes;
        return;
    }
    if (delivery->run_end - delivery->run_first == SF_DELIVERY_RUNS) {
        delivery->run_first++;
    }
    *run_at(delivery, delivery->run_end++) = (struct sf_delivery_run){.epoch = epoch,
        .first = counter,
        .last = counter,
        .first_at = now,
        .last_at = now,
        .first_bytes = delivery->sent_bytes,
        .last_bytes = delivery->sent_bytes,
        .idle_ns = idle_ns};
}

/* --- Points -------------------------------------------------------------------- */

static bool
is_behind(const struct sf_delivery_run *run, uint64_t epoch, uint64_t counter)
{
    return run->epoch > epoch || (run->epoch == epoch && run->first > counter);
}

/* The run that a datagram left in, or the last one before it; NULL if it is forgotten. */
static const struct sf_delivery_run *
find_run(struct sf_delivery *delivery, uint64_t epoch, uint64_t counter)
{
    uint64_t low = delivery->run_first;
    uint64_t high = delivery->run_end;
    const struct sf_delivery_run *run;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (is_behind(run_at(delivery, middle), epoch, counter)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low == delivery->run_first) {
        return NULL;
    }
    run = run_at(delivery, low - 1);
    return run->epoch == epoch ? run : NULL;
}

/* `value` at `at` of `whole` on the way from `from` to `to`. */
static uint64_t
between(uint64_t from, uint64_t to, uint64_t at, uint64_t whole)
{
    return whole == 0 ? from : from + (to - from) * at / whole;
}

static void
place(const struct sf_delivery_run *run, uint64_t counter, struct sf_delivery_point *ret_point)
{
    uint64_t whole = run->last - run->first;
    uint64_t at = counter - run->first < whole ? counter - run->first : whole;

    ret_point->sent_at = between(run->first_at, run->last_at, at, whole);
    ret_point->sent_bytes = between(run->first_bytes, run->last_bytes, at, whole);
    ret_point->idle_ns = run->idle_ns;
}

/* --- Delays -------------------------------------------------------------------- */

static void
begin_delays(struct sf_delivery *delivery, int64_t delay, sf_mono now)
{
    delivery->has_delay = true;
    delivery->delay_count = 0;
    delivery->jitter_us = 0;
    delivery->least = delay;
    delivery->least_before = delay;
    delivery->least_at = now;
    delivery->window_at = now;
}

static void
take_delay(struct sf_delivery *delivery, int64_t delay, uint64_t rtt_ns, sf_mono now)
{
    size_t slot = delivery->delay_count % SF_DELIVERY_DELAYS;
    int64_t shift = delay - delivery->least;

    if (!delivery->has_delay || shift > SHIFT_US_MAX || shift < -SHIFT_US_MAX) {
        begin_delays(delivery, delay, now);
        slot = 0;
    } else if (delivery->delay_count > 0) {
        int64_t step = delay - delivery->delays[(delivery->delay_count - 1) % SF_DELIVERY_DELAYS];
        uint64_t size = (uint64_t)(step < 0 ? -step : step);

        delivery->jitter_us += size / 16;
        delivery->jitter_us -= delivery->jitter_us / 16;
    }
    delivery->delays[slot] = delay;
    delivery->delay_at[slot] = delivery->newest.sent_at;
    delivery->delay_count++;
    if (now >= sf_mono_add(delivery->window_at, SF_DELIVERY_WINDOW_NS)) {
        delivery->window_at = now;
        delivery->least_before = delivery->least;
        delivery->least = delay;
        delivery->rtt_before_ns = delivery->rtt_ns;
        delivery->rtt_ns = rtt_ns;
    }
    delivery->least = delay < delivery->least ? delay : delivery->least;
    if (delay <= delivery->least_before + NEAR_US && delay <= delivery->least + NEAR_US) {
        delivery->least_at = now;
    }
    if (rtt_ns != 0 && (delivery->rtt_ns == 0 || rtt_ns < delivery->rtt_ns)) {
        delivery->rtt_ns = rtt_ns;
    }
}

uint64_t
sf_delivery_queue_ns(const struct sf_delivery *delivery, uint64_t span_ns)
{
    int64_t base =
        delivery->least < delivery->least_before ? delivery->least : delivery->least_before;
    size_t count =
        delivery->delay_count < SF_DELIVERY_DELAYS ? delivery->delay_count : SF_DELIVERY_DELAYS;
    int64_t least = INT64_MAX;

    for (size_t i = 1; i <= count; i++) {
        size_t slot = (delivery->delay_count - i) % SF_DELIVERY_DELAYS;

        if (i > 1 && sf_mono_add(delivery->delay_at[slot], span_ns) < delivery->newest.sent_at) {
            break;
        }
        least = delivery->delays[slot] < least ? delivery->delays[slot] : least;
    }
    return count == 0 || least <= base ? 0 : (uint64_t)(least - base) * SF_US;
}

/* Line time of `bytes` at `bps`. */
static uint64_t
line_ns(uint64_t bytes, uint64_t bps)
{
    return bytes * 8 * 1000000 / bps * SF_US;
}

uint64_t
sf_delivery_ahead_ns(const struct sf_delivery *delivery, uint64_t queue_ns, uint64_t bps,
    uint64_t most_ns, sf_mono now)
{
    uint64_t bytes = delivery->newest.sent_bytes;
    sf_mono at = delivery->newest.sent_at;
    uint64_t number = delivery->run_end;

    if (!delivery->has_point || bps == 0) {
        return queue_ns;
    }
    while (number > delivery->run_first &&
           delivery->runs[(number - 1) % SF_DELIVERY_RUNS].last_at > at) {
        number--;
    }
    for (; number < delivery->run_end; number++) {
        const struct sf_delivery_run *run = &delivery->runs[number % SF_DELIVERY_RUNS];
        sf_mono to = number + 1 < delivery->run_end
                         ? delivery->runs[(number + 1) % SF_DELIVERY_RUNS].first_at
                         : now;

        if (run->last_bytes > bytes) {
            queue_ns += line_ns(run->last_bytes - bytes, bps);
            bytes = run->last_bytes;
        }
        if (to > at) {
            queue_ns = queue_ns > to - at ? queue_ns - (to - at) : 0;
            at = to;
        }
        queue_ns = queue_ns < most_ns ? queue_ns : most_ns;
    }
    return queue_ns;
}

uint64_t
sf_delivery_rtt_ns(const struct sf_delivery *delivery)
{
    if (delivery->rtt_before_ns == 0) {
        return delivery->rtt_ns;
    }
    return delivery->rtt_ns != 0 && delivery->rtt_ns < delivery->rtt_before_ns
               ? delivery->rtt_ns
               : delivery->rtt_before_ns;
}

/* --- Reports ------------------------------------------------------------------- */

bool
sf_delivery_input(
    struct sf_delivery *delivery, const struct sf_delivery_report *report, sf_mono now)
{
    const struct sf_delivery_run *run = find_run(delivery, report->epoch, report->counter);
    struct sf_delivery_point point;

    if (run == NULL) {
        return false;
    }
    place(run, report->counter, &point);
    point.received_bytes = report->received_bytes;
    if (delivery->has_point && point.received_bytes < delivery->newest.received_bytes) {
        sf_delivery_reset(delivery); /* the receiver began anew, and its clock perhaps too */
    }
    if (!delivery->has_point) {
        point.arrived_us = UINT64_C(1) << 32 | report->arrived_us;
    } else {
        /* What goes back by less than half its circle went back. */
        uint32_t step = report->arrived_us - delivery->arrived_last;

        if (step > UINT32_MAX / 2 || point.sent_at < delivery->newest.sent_at) {
            return false;
        }
        point.arrived_us = delivery->newest.arrived_us + step;
    }
    delivery->arrived_last = report->arrived_us;
    delivery->newest = point;
    delivery->has_point = true;
    take_delay(delivery, (int64_t)point.arrived_us - (int64_t)(point.sent_at / SF_US),
        report->rtt_ns, now);
    return true;
}

static uint64_t
bits_per_second(uint64_t bytes, uint64_t span_ns)
{
    return span_ns < SF_US ? 0 : bytes * 8 * 1000000 / (span_ns / SF_US);
}

bool
sf_delivery_between(const struct sf_delivery_point *from, const struct sf_delivery_point *to,
    struct sf_delivery_stretch *ret_stretch)
{
    uint64_t sent = to->sent_bytes - from->sent_bytes;
    uint64_t received = to->received_bytes - from->received_bytes;
    uint64_t sent_ns = to->sent_at - from->sent_at;
    uint64_t span_ns = (to->arrived_us - from->arrived_us) * SF_US;

    if (to->sent_bytes <= from->sent_bytes || to->received_bytes <= from->received_bytes ||
        to->arrived_us <= from->arrived_us || to->sent_at <= from->sent_at ||
        sent > UINT64_MAX / 8000000) {
        return false;
    }
    *ret_stretch = (struct sf_delivery_stretch){.from = from->sent_at,
        .to = to->sent_at,
        .span_ns = span_ns,
        .sent_bytes = sent,
        .is_limited = to->idle_ns - from->idle_ns > sent_ns / 16};
    received = received < sent ? received : sent; /* copies, and what was late before */
    ret_stretch->sent_bps = bits_per_second(sent, sent_ns);
    ret_stretch->received_bps = bits_per_second(received, span_ns);
    ret_stretch->lost_ppm = (sent - received) * 1000000 / sent;
    return ret_stretch->sent_bps > 0 && ret_stretch->received_bps > 0;
}
