/*
 * shared.c - the flows of shared.h, event by event.
 */
#include "tests/sim/shared.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PACKETS = 1 << 16, /* of one flow, under way at most */
    WINDOW_FIRST = 10, /* datagrams; RFC 6928 */
    WINDOW_LEAST = 4,
    BBR_ROUNDS = 10,
};

#define QUIET_NS     (500 * SF_MS) /* without a report: nothing but questions goes */
#define POLL_NS      (100 * SF_MS)
#define TIMEOUT_NS   SF_SEC
#define CLOCK_OFFSET UINT64_C(3999999000) /* microseconds; it wraps soon */
#define RATE_MOST    UINT64_C(10000000000)

enum event_kind { EVENT_SEND, EVENT_ARRIVE, EVENT_TELL, EVENT_TOLD, EVENT_TIMER };

struct event {
    sf_mono at;
    uint64_t order;
    enum event_kind kind;
    uint8_t flow;
    uint64_t number; /* of the datagram */
};

struct packet {
    sf_mono sent_at;
    sf_mono arrived_at;
    uint64_t delivered; /* BBR: when it was sent */
    sf_mono delivered_at;
    sf_mono first_sent_at;
    bool is_limited;
};

/* A report under way. */
struct news {
    uint64_t number; /* newest that came; 0 = none */
    uint64_t received_bytes;
    uint32_t arrived_us;
    uint64_t trip_ns; /* of that datagram, one way */
    sf_mono at;
};

enum { NEWS = 1024 };

struct cubic {
    uint64_t window; /* datagrams / 1024 */
    uint64_t threshold;
    uint64_t top;      /* W_max / 1024 */
    uint64_t estimate; /* W_est / 1024 */
    sf_mono curve_from;
    uint64_t k_ms;
    uint64_t recover; /* losses before this number belong to the last fall */
};

enum bbr_state { BBR_STARTUP, BBR_DRAIN, BBR_PROBE_BW, BBR_PROBE_RTT };

struct bbr {
    enum bbr_state state;
    uint64_t delivered;
    sf_mono delivered_at, first_sent_at;
    uint64_t round, round_end;
    uint64_t best[BBR_ROUNDS]; /* bits a second, by round */
    uint64_t full_bps;
    unsigned full_count;
    bool is_round_start;
    unsigned phase;
    sf_mono phase_at;
    uint64_t rtt_ns;
    sf_mono rtt_at;
    sf_mono probe_done;
};

struct flow {
    struct shared_flow_config config;
    struct sf_pacer pacer;
    struct sf_rate rate;
    bool is_begun;
    bool is_sending; /* a SEND event is out */
    uint64_t next;   /* number of the next datagram; from 1 */
    struct packet *packets;
    uint64_t in_flight; /* windows: datagrams */
    uint64_t expected;  /* windows: the next number to be acknowledged */
    uint64_t rtt_ns;
    sf_mono acked_at;
    struct cubic cubic;
    struct bbr bbr;

    /* The receiver. */
    uint64_t came; /* newest */
    sf_mono came_at;
    uint64_t received_bytes;
    sf_mono told_at;
    bool is_telling;
    struct news news[NEWS];
    uint64_t news_next, news_taken;

    /* Ours, when nothing is heard. */
    sf_mono heard;
    sf_mono asked; /* sent first since then; SF_NEVER */
    bool is_quiet;

    struct shared_figures figures;
};

struct shared {
    struct sf_sim_path path;
    struct sf_sim_path_config path_config;
    struct flow flows[SHARED_FLOWS_MAX];
    size_t flow_count;
    sf_mono now;
    struct event *heap;
    size_t count, room;
    uint64_t order;
};

/* --- Events ---------------------------------------------------------------------- */

static bool
is_before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void
push(struct shared *shared, sf_mono at, enum event_kind kind, size_t flow, uint64_t number)
{
    struct event event = {at, shared->order++, kind, (uint8_t)flow, number};
    size_t i = shared->count++;

    if (shared->count > shared->room) {
        shared->room = shared->room == 0 ? 4096 : 2 * shared->room;
        shared->heap = realloc(shared->heap, shared->room * sizeof(*shared->heap));
        if (shared->heap == NULL) {
            abort();
        }
    }
    while (i > 0 && is_before(&event, &shared->heap[(i - 1) / 2])) {
        shared->heap[i] = shared->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    shared->heap[i] = event;
}

static struct event
pop(struct shared *shared)
{
    struct event first = shared->heap[0];
    struct event last = shared->heap[--shared->count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= shared->count) {
            break;
        }
        if (child + 1 < shared->count &&
            is_before(&shared->heap[child + 1], &shared->heap[child])) {
            child++;
        }
        if (!is_before(&shared->heap[child], &last)) {
            break;
        }
        shared->heap[i] = shared->heap[child];
        i = child;
    }
    shared->heap[i] = last;
    return first;
}

/* --- Sending ----------------------------------------------------------------------- */

static struct packet *
packet_of(struct flow *flow, uint64_t number)
{
    return &flow->packets[number % PACKETS];
}

static bool
is_ours(const struct flow *flow)
{
    return flow->config.kind == SHARED_ADAPTIVE || flow->config.kind == SHARED_SCAVENGER;
}

/* When its pauses begin. */
static sf_mono
idle_zero(const struct flow *flow)
{
    return flow->config.from_ns + flow->config.idle_from_ns;
}

static bool
has_data(const struct flow *flow, sf_mono now)
{
    if (flow->config.until_ns != 0 && now >= flow->config.until_ns) {
        return false;
    }
    return flow->config.idle_period_ns == 0 || now < idle_zero(flow) ||
           (now - idle_zero(flow)) % flow->config.idle_period_ns >= flow->config.idle_ns;
}

static void
put_on_path(struct shared *shared, struct flow *flow, size_t ip_bytes)
{
    struct sf_sim_delivery deliveries[SF_SIM_PATH_COPIES_MAX];
    size_t copies =
        sf_sim_path_input(&shared->path, ip_bytes - 28, ip_bytes, shared->now, deliveries);
    struct packet *packet = packet_of(flow, flow->next);

    memset(packet, 0, sizeof(*packet));
    packet->sent_at = shared->now;
    packet->delivered = flow->bbr.delivered;
    packet->delivered_at = flow->bbr.delivered_at;
    packet->first_sent_at = flow->bbr.first_sent_at;
    flow->figures.sent_bytes += ip_bytes;
    if (copies == 0) {
        flow->figures.lost_bytes += ip_bytes;
    }
    for (size_t i = 0; i < copies; i++) {
        push(shared, deliveries[i].at + flow->config.delay_ns / 2, EVENT_ARRIVE,
            (size_t)(flow - shared->flows), flow->next);
    }
    flow->in_flight++;
    flow->next++;
}

static void
send_later(struct shared *shared, struct flow *flow, sf_mono at)
{
    if (!flow->is_sending) {
        flow->is_sending = true;
        push(shared, at > shared->now ? at : shared->now, EVENT_SEND,
            (size_t)(flow - shared->flows), 0);
    }
}

/* When data is there again. */
static sf_mono
data_at(const struct flow *flow, sf_mono now)
{
    uint64_t at;

    if (has_data(flow, now)) {
        return now;
    }
    if (flow->config.until_ns != 0 && now >= flow->config.until_ns) {
        return SF_NEVER;
    }
    at = (now - idle_zero(flow)) % flow->config.idle_period_ns;
    return now + flow->config.idle_ns - at;
}

static void
set_pacer(struct flow *flow, uint64_t bps)
{
    int status = sf_pacer_set_rate(&flow->pacer, bps);

    sf_assert(status == SF_OK);
}

static void
send_ours(struct shared *shared, struct flow *flow)
{
    sf_mono at = data_at(flow, shared->now);
    size_t bytes = SHARED_DGRAM_BYTES;

    if (at == SF_NEVER) {
        return;
    }
    if (at > shared->now) {
        send_later(shared, flow, at);
        return;
    }
    /* No report for long: only questions, until one comes. */
    if (flow->asked != SF_NEVER && flow->heard != 0 &&
        shared->now >= flow->asked + QUIET_NS + flow->rtt_ns) {
        flow->is_quiet = true;
        bytes = 100;
    }
    if (is_ours(flow)) {
        set_pacer(flow, sf_rate_bps(&flow->rate));
    }
    if (!sf_pacer_is_open(&flow->pacer, shared->now)) {
        send_later(shared, flow, sf_pacer_deadline(&flow->pacer));
        return;
    }
    if (is_ours(flow)) {
        sf_rate_sent(&flow->rate, 1, flow->next, bytes, flow->pacer.idle_ns, shared->now);
    }
    if (flow->asked == SF_NEVER) {
        flow->asked = shared->now;
    }
    put_on_path(shared, flow, bytes);
    sf_pacer_sent(&flow->pacer, bytes, shared->now);
    send_later(
        shared, flow, flow->is_quiet ? shared->now + POLL_NS : sf_pacer_deadline(&flow->pacer));
}

/* --- The receiver -------------------------------------------------------------------- */

static uint64_t
interval(const struct flow *flow)
{
    uint64_t quarter = flow->rtt_ns / 4;

    if (flow->rtt_ns == 0) {
        return 25 * SF_MS;
    }
    return quarter < 10 * SF_MS ? 10 * SF_MS : quarter < 100 * SF_MS ? quarter : 100 * SF_MS;
}

static bool
is_window(const struct flow *flow)
{
    return flow->config.kind == SHARED_CUBIC || flow->config.kind == SHARED_BBR;
}

static void
arrive(struct shared *shared, struct flow *flow, uint64_t number)
{
    struct packet *packet = packet_of(flow, number);
    uint64_t line_ns =
        shared->path_config.rate_bps == 0
            ? 0
            : (uint64_t)SHARED_DGRAM_BYTES * 8 * SF_SEC / shared->path_config.rate_bps;
    uint64_t trip_ns = shared->now - packet->sent_at;
    uint64_t least_ns = flow->config.delay_ns / 2 + shared->path_config.delay_ns + line_ns;

    packet->arrived_at = shared->now;
    flow->received_bytes += SHARED_DGRAM_BYTES;
    flow->figures.arrived_bytes += SHARED_DGRAM_BYTES;
    flow->figures.queue_ns = trip_ns > least_ns ? trip_ns - least_ns : 0;
    if (flow->figures.queue_ns < flow->figures.queue_least_ns) {
        flow->figures.queue_least_ns = flow->figures.queue_ns;
    }
    if (number > flow->came) {
        flow->came = number;
        flow->came_at = shared->now;
    }
    if (is_window(flow)) {
        push(shared, shared->now + flow->config.delay_ns / 2 + shared->path_config.delay_ns,
            EVENT_TOLD, (size_t)(flow - shared->flows), number);
    } else if (!flow->is_telling) {
        sf_mono due = flow->told_at + interval(flow);

        flow->is_telling = true;
        push(shared, due > shared->now ? due : shared->now, EVENT_TELL,
            (size_t)(flow - shared->flows), 0);
    }
}

static void
tell(struct shared *shared, struct flow *flow)
{
    struct news *news = &flow->news[flow->news_next % NEWS];

    flow->is_telling = false;
    flow->told_at = shared->now;
    if (!sf_sim_path_is_up(&shared->path_config, shared->now)) {
        return;
    }
    *news = (struct news){.number = flow->came,
        .received_bytes = flow->received_bytes,
        .arrived_us = (uint32_t)(flow->came_at / SF_US + CLOCK_OFFSET),
        .trip_ns = flow->came_at - packet_of(flow, flow->came)->sent_at,
        .at = shared->now};
    flow->figures.reports++;
    push(shared, shared->now + flow->config.delay_ns / 2 + shared->path_config.delay_ns, EVENT_TOLD,
        (size_t)(flow - shared->flows), flow->news_next);
    flow->news_next++;
}

static void
told(struct shared *shared, struct flow *flow, uint64_t number)
{
    const struct news *news = &flow->news[number % NEWS];
    struct sf_delivery_report report = {.epoch = 1,
        .counter = news->number,
        .received_bytes = news->received_bytes,
        .arrived_us = news->arrived_us,
        .rtt_ns = news->trip_ns + shared->now - news->at};

    flow->rtt_ns = flow->rtt_ns == 0 ? report.rtt_ns : (7 * flow->rtt_ns + report.rtt_ns) / 8;
    if (flow->is_quiet && is_ours(flow)) {
        sf_rate_resume(&flow->rate);
    }
    flow->heard = shared->now;
    flow->asked = SF_NEVER;
    if (is_ours(flow)) {
        sf_rate_input(&flow->rate, &report, 0, shared->now);
        set_pacer(flow, sf_rate_bps(&flow->rate));
    }
    if (flow->is_quiet) {
        flow->is_quiet = false;
        send_ours(shared, flow);
    }
}

/* --- CUBIC -------------------------------------------------------------------------- */

static uint64_t
cube_root(uint64_t value)
{
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 20; bit > 0; bit >>= 1) {
        if ((root | bit) * (root | bit) * (root | bit) <= value) {
            root |= bit;
        }
    }
    return root;
}

static void
cubic_fall(struct flow *flow, sf_mono now)
{
    struct cubic *cubic = &flow->cubic;
    uint64_t least = (uint64_t)WINDOW_LEAST << 10;

    /* Fast convergence: section 4.7. */
    cubic->top = cubic->window < cubic->top ? cubic->window / 20 * 17 : cubic->window;
    cubic->window = cubic->window / 10 * 7;
    cubic->window = cubic->window > least ? cubic->window : least;
    cubic->threshold = cubic->window;
    cubic->estimate = cubic->window;
    cubic->curve_from = now;
    cubic->k_ms = cubic->top > cubic->window
                      ? cube_root((cubic->top - cubic->window) * 5 / 2 * 1000000 / 1024 * 1000)
                      : 0;
    cubic->recover = flow->next;
}

static void
cubic_grow(struct flow *flow, sf_mono now)
{
    struct cubic *cubic = &flow->cubic;
    uint64_t ms = (now + flow->rtt_ns - cubic->curve_from) / SF_MS;
    uint64_t off = ms < cubic->k_ms ? cubic->k_ms - ms : ms - cubic->k_ms;
    uint64_t step;
    uint64_t target;

    if (cubic->window < cubic->threshold) {
        cubic->window += 1024;
        return;
    }
    off = off < 200000 ? off : 200000;
    step = off * off * off / 1000 * 1024 / 1000000 * 2 / 5;
    target = ms < cubic->k_ms ? (cubic->top > step ? cubic->top - step : 0) : cubic->top + step;
    target = target < cubic->window * 3 / 2 ? target : cubic->window * 3 / 2;
    cubic->estimate += 1024 * 542 / (cubic->window + 1); /* alpha = 0.53 */
    target = target > cubic->estimate ? target : cubic->estimate;
    if (target > cubic->window) {
        cubic->window += (target - cubic->window) * 1024 / cubic->window;
    }
}

static void
send_cubic(struct shared *shared, struct flow *flow)
{
    while (flow->in_flight << 10 < flow->cubic.window && has_data(flow, shared->now)) {
        put_on_path(shared, flow, SHARED_DGRAM_BYTES);
    }
}

static void
cubic_told(struct shared *shared, struct flow *flow, uint64_t lost)
{
    if (lost > 0 && flow->expected > flow->cubic.recover) {
        cubic_fall(flow, shared->now);
    } else if (flow->expected > flow->cubic.recover) {
        cubic_grow(flow, shared->now);
    }
    send_cubic(shared, flow);
}

/* --- BBR ----------------------------------------------------------------------------- */

static uint64_t
bbr_best(const struct bbr *bbr)
{
    uint64_t most = 0;

    for (size_t i = 0; i < BBR_ROUNDS; i++) {
        most = bbr->best[i] > most ? bbr->best[i] : most;
    }
    return most;
}

/* Datagrams of one bandwidth-delay product. */
static uint64_t
bbr_product(const struct bbr *bbr)
{
    return bbr_best(bbr) / 8 * (bbr->rtt_ns / SF_US) / 1000000 / SHARED_DGRAM_BYTES;
}

static void
bbr_sample(struct flow *flow, const struct packet *packet, sf_mono now)
{
    struct bbr *bbr = &flow->bbr;
    uint64_t sent_ns = packet->sent_at - packet->first_sent_at;
    uint64_t acked_ns;
    uint64_t bps;

    bbr->delivered++;
    acked_ns = now - packet->delivered_at;
    bbr->delivered_at = now;
    bbr->first_sent_at = packet->sent_at;
    sent_ns = sent_ns > acked_ns ? sent_ns : acked_ns;
    bbr->is_round_start = packet->delivered >= bbr->round_end;
    if (bbr->is_round_start) {
        bbr->round++;
        bbr->round_end = bbr->delivered;
        bbr->best[bbr->round % BBR_ROUNDS] = 0;
    }
    if (sent_ns < SF_MS) {
        return;
    }
    bps =
        (bbr->delivered - packet->delivered) * SHARED_DGRAM_BYTES * 8 * 1000000 / (sent_ns / SF_US);
    if (bps > bbr->best[bbr->round % BBR_ROUNDS]) {
        bbr->best[bbr->round % BBR_ROUNDS] = bps;
    }
}

static void
bbr_full(struct bbr *bbr)
{
    uint64_t best = bbr_best(bbr);

    if (!bbr->is_round_start || bbr->state != BBR_STARTUP) {
        return;
    }
    if (best >= bbr->full_bps / 4 * 5) {
        bbr->full_bps = best;
        bbr->full_count = 0;
    } else if (++bbr->full_count >= 3) {
        bbr->state = BBR_DRAIN;
    }
}

static void
bbr_cycle(struct flow *flow, sf_mono now)
{
    struct bbr *bbr = &flow->bbr;
    bool is_over = now > bbr->phase_at + bbr->rtt_ns;
    uint64_t product = bbr_product(bbr);

    if (bbr->phase == 0) {
        is_over = is_over && flow->in_flight >= product * 5 / 4;
        is_over = is_over || now > bbr->phase_at + 4 * bbr->rtt_ns;
    } else if (bbr->phase == 1) {
        is_over = is_over || flow->in_flight <= product;
    }
    if (is_over) {
        bbr->phase = (bbr->phase + 1) % 8;
        bbr->phase_at = now;
    }
}

static void
bbr_state(struct flow *flow, uint64_t rtt_ns, sf_mono now)
{
    struct bbr *bbr = &flow->bbr;
    bool is_old = now > bbr->rtt_at + 10 * SF_SEC;

    if (bbr->rtt_ns == 0 || rtt_ns <= bbr->rtt_ns || is_old) {
        bbr->rtt_ns = rtt_ns;
        bbr->rtt_at = now;
    }
    if (is_old && bbr->state != BBR_PROBE_RTT && bbr->state != BBR_STARTUP) {
        bbr->state = BBR_PROBE_RTT;
        bbr->probe_done = 0;
    }
    bbr_full(bbr);
    if (bbr->state == BBR_DRAIN && flow->in_flight <= bbr_product(bbr)) {
        bbr->state = BBR_PROBE_BW;
        bbr->phase = 2;
        bbr->phase_at = now;
    } else if (bbr->state == BBR_PROBE_BW) {
        bbr_cycle(flow, now);
    } else if (bbr->state == BBR_PROBE_RTT) {
        if (bbr->probe_done == 0 && flow->in_flight <= WINDOW_LEAST) {
            bbr->probe_done = now + 200 * SF_MS;
        } else if (bbr->probe_done != 0 && now >= bbr->probe_done) {
            bbr->rtt_at = now;
            bbr->state = BBR_PROBE_BW;
            bbr->phase = 2;
            bbr->phase_at = now;
        }
    }
}

static void
send_bbr(struct shared *shared, struct flow *flow)
{
    static const unsigned cycle[8] = {320, 192, 256, 256, 256, 256, 256, 256};
    struct bbr *bbr = &flow->bbr;
    uint64_t best = bbr_best(bbr);
    uint64_t window = WINDOW_FIRST;
    unsigned gain = bbr->state == BBR_STARTUP ? 739 : bbr->state == BBR_DRAIN ? 88 : 256;

    if (bbr->state == BBR_PROBE_BW) {
        gain = cycle[bbr->phase];
    }
    if (best > 0) {
        uint64_t product = bbr_product(bbr);

        window = bbr->state == BBR_STARTUP ? product * 739 / 256 : 2 * product;
        window = window > WINDOW_FIRST ? window : WINDOW_FIRST;
        set_pacer(flow, best / 256 * gain + 10000);
    }
    window = bbr->state == BBR_PROBE_RTT ? WINDOW_LEAST : window;
    if (flow->in_flight >= window || !has_data(flow, shared->now)) {
        return; /* the next acknowledgement comes back here */
    }
    if (sf_pacer_is_open(&flow->pacer, shared->now)) {
        if (flow->in_flight == 0) {
            bbr->first_sent_at = shared->now;
            bbr->delivered_at = shared->now;
        }
        put_on_path(shared, flow, SHARED_DGRAM_BYTES);
        sf_pacer_sent(&flow->pacer, SHARED_DGRAM_BYTES, shared->now);
    }
    send_later(shared, flow, sf_pacer_deadline(&flow->pacer));
}

/* --- Acknowledgements ------------------------------------------------------------------ */

static void
acked(struct shared *shared, struct flow *flow, uint64_t number)
{
    const struct packet *packet = packet_of(flow, number);
    uint64_t lost = number - flow->expected;
    uint64_t rtt_ns = shared->now - packet->sent_at;

    if (number < flow->expected) {
        return; /* given up before */
    }
    flow->in_flight -= lost + 1 < flow->in_flight ? lost + 1 : flow->in_flight;
    flow->expected = number + 1;
    flow->acked_at = shared->now;
    flow->rtt_ns = flow->rtt_ns == 0 ? rtt_ns : (7 * flow->rtt_ns + rtt_ns) / 8;
    if (flow->config.kind == SHARED_CUBIC) {
        cubic_told(shared, flow, lost);
        return;
    }
    bbr_sample(flow, packet, shared->now);
    bbr_state(flow, rtt_ns, shared->now);
    if (!flow->is_sending) {
        send_bbr(shared, flow);
    }
}

/* Everything under way was lost: begin anew with a small window. */
static void
timer(struct shared *shared, struct flow *flow)
{
    if (flow->in_flight > 0 && shared->now >= flow->acked_at + TIMEOUT_NS + 2 * flow->rtt_ns) {
        flow->in_flight = 0;
        flow->expected = flow->next;
        flow->acked_at = shared->now;
        flow->cubic.threshold = flow->cubic.window / 2;
        flow->cubic.window = (uint64_t)WINDOW_FIRST << 10;
        flow->cubic.recover = flow->next;
        if (flow->config.kind == SHARED_CUBIC) {
            send_cubic(shared, flow);
        } else if (!flow->is_sending) {
            send_bbr(shared, flow);
        }
    }
    push(shared, shared->now + TIMEOUT_NS, EVENT_TIMER, (size_t)(flow - shared->flows), 0);
}

/* --- Running --------------------------------------------------------------------------- */

static void
begin(struct shared *shared, struct flow *flow)
{
    flow->is_begun = true;
    flow->acked_at = shared->now;
    flow->bbr.delivered_at = shared->now;
    flow->bbr.first_sent_at = shared->now;
    if (is_window(flow)) {
        push(shared, shared->now + TIMEOUT_NS, EVENT_TIMER, (size_t)(flow - shared->flows), 0);
    }
}

static void
send_some(struct shared *shared, struct flow *flow)
{
    flow->is_sending = false;
    if (!flow->is_begun) {
        begin(shared, flow);
    }
    if (flow->config.kind == SHARED_CUBIC) {
        send_cubic(shared, flow);
    } else if (flow->config.kind == SHARED_BBR) {
        send_bbr(shared, flow);
    } else {
        send_ours(shared, flow);
    }
}

void
shared_run(struct shared *shared, sf_mono until)
{
    while (shared->count > 0 && shared->heap[0].at < until) {
        struct event event = pop(shared);
        struct flow *flow = &shared->flows[event.flow];

        shared->now = event.at;
        switch (event.kind) {
        case EVENT_SEND:
            send_some(shared, flow);
            break;
        case EVENT_ARRIVE:
            arrive(shared, flow, event.number);
            break;
        case EVENT_TELL:
            tell(shared, flow);
            break;
        case EVENT_TOLD:
            if (is_window(flow)) {
                acked(shared, flow, event.number);
            } else {
                told(shared, flow, event.number);
            }
            break;
        case EVENT_TIMER:
            timer(shared, flow);
            break;
        }
    }
    shared->now = until;
}

static void
open_flow(struct shared *shared, struct flow *flow, const struct shared_flow_config *config)
{
    struct sf_rate_config rate = {.max_bps = config->rate_bps == 0 ? RATE_MOST : config->rate_bps,
        .known_bps = config->known_bps,
        .is_scavenger = config->kind == SHARED_SCAVENGER};
    int status;

    flow->config = *config;
    flow->packets = calloc(PACKETS, sizeof(*flow->packets));
    if (flow->packets == NULL) {
        abort();
    }
    flow->next = 1;
    flow->expected = 1;
    flow->asked = SF_NEVER;
    flow->figures.queue_least_ns = SF_NEVER;
    flow->cubic.window = (uint64_t)WINDOW_FIRST << 10;
    flow->cubic.threshold = SF_NEVER;
    sf_rate_init(&flow->rate, &rate);
    status = sf_pacer_init(&flow->pacer,
        config->kind == SHARED_FIXED ? config->rate_bps : SF_RATE_START_BPS, 200 * SF_US,
        config->from_ns);
    sf_assert(status == SF_OK);
    flow->is_sending = true;
    push(shared, config->from_ns, EVENT_SEND, (size_t)(flow - shared->flows), 0);
}

struct shared *
shared_open(const struct shared_config *config)
{
    struct shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL) {
        abort();
    }
    if (sf_sim_path_init(&shared->path, &config->path, config->seed, 1) != SF_OK) {
        fprintf(stderr, "shared.c: not a path\n");
        exit(1);
    }
    shared->path_config = config->path;
    shared->flow_count = config->flow_count;
    for (size_t i = 0; i < config->flow_count; i++) {
        open_flow(shared, &shared->flows[i], &config->flows[i]);
    }
    return shared;
}

void
shared_close(struct shared *shared)
{
    for (size_t i = 0; i < shared->flow_count; i++) {
        free(shared->flows[i].packets);
    }
    free(shared->heap);
    free(shared);
}

void
shared_change(struct shared *shared, const struct sf_sim_path_config *path)
{
    int status = sf_sim_path_change(&shared->path, path);

    sf_assert(status == SF_OK);
    shared->path_config = *path;
}

void
shared_figures(struct shared *shared, size_t flow, struct shared_figures *ret_figures)
{
    struct flow *of = &shared->flows[flow];

    of->figures.rate_bps = of->pacer.rate_bps;
    *ret_figures = of->figures;
    of->figures.queue_least_ns = SF_NEVER;
}

const struct sf_rate *
shared_rate(const struct shared *shared, size_t flow)
{
    return &shared->flows[flow].rate;
}
