/*
 * The model, for each receiver by itself:
 *
 *   - The file becomes bundles of its class, bundles become segments of the MTU;
 *     heads, tags and the last short segment of a bundle count. Nothing is
 *     compressed, since the engine's source is random.
 *   - In a contact segments leave at the rate of the peer. The path passes on at
 *     most its own rate, and loses the share that independent loss, bursts and
 *     corruption lose on average, the same at any time. Fades count with their
 *     mean depth. All of it is sent again.
 *   - A contact begins to carry data when a beacon has found it: the sender's
 *     beacons follow the engine's own timetable, counted from when the last
 *     contact was lost, and one round trip passes until data flows. (Receivers
 *     with something to say beacon too, so the engine may be up to 4 s earlier.)
 *     Within the unanswered budget small questions find it at once.
 *   - Where a round trip is longer than that budget, which the engine cannot know, it
 *     pauses after the budget until the first answer comes.
 *   - At the end of a contact data flows into the dark until the missing reports are
 *     noticed.
 *   - What is sent in the last round trip is followed by repair, and so arrives
 *     without another. Where round trips are very short the end waits for them: as
 *     many as the worst segment of the last one needs on average.
 *   - Where a contact plan is followed, data flows from the first moment of a contact to
 *     the last, at its rate.
 *   - Sealing and disks take no time; the queue, the way back and several
 *     receivers do not slow each other down.
 *
 * Floating point: nothing here has to repeat bit by bit.
 */
#include "sim/fluid.h"

#include "bundle/class.h"
#include "bundle/envelope.h"
#include "node/node.h"
#include "sim/contacts.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UDP_IP_BYTES = 28,
    OPENER_IP_BYTES = 1228,   /* every path must take so much */
    SESSION_BYTES = 28,       /* of a datagram: id, counter, tag */
    DATA_HEAD_BYTES_MAX = 10, /* what the engine keeps free for a segment's head */
    UNIT_BYTES = 16,          /* of segments */
    OPENER_BYTES = 1200 + 48, /* IP bytes, as the engine reckons */
    OUTLINE_AND_DIGEST_BYTES = 200,
    FRAME_HEAD_BYTES = 24,
    GRANT_BYTES = 1024,
    SAMPLES = 400,
    ROUNDS_MAX = 64,
};

/* The engine's timetable of the dark (docs/protocol/03-link.md, section 7), in seconds. */
static const double quiet_s = 0.2; /* without a report */
static const double budget_s = 2.0;
static const double beacon_first_s = 0.25;
static const double beacon_growth = 7.0 / 6;
static const double beacon_most_s = 4.0;
static const double exposed_s = 0.01;     /* shorter round trips are waited for */
static const double block_segments = 110; /* about so many share their rows */

static double
seconds(sf_mono ns)
{
    return ns == SF_NEVER ? INFINITY : (double)ns / 1e9;
}

static sf_mono
nanoseconds(double s)
{
    return s > 9e9 ? SF_NEVER : (sf_mono)(s * 1e9);
}

/* --- What is sent ---------------------------------------------------------------- */

struct load {
    uint32_t class_bytes;
    uint64_t bundles;
    double data_bytes;     /* segment bytes of the whole */
    double segment_bytes;  /* the mean */
    double datagram_bytes; /* IP bytes, the mean */
};

/* IP bytes of the largest datagrams that go forward: what nodes try, and all paths take. */
static uint32_t
datagram_bytes_max(const struct sf_scenario *scenario)
{
    uint32_t bytes = sf_scenario_mtu_bytes(scenario);

    for (size_t i = 0; i < scenario->receiver_count; i++) {
        uint32_t path_bytes = scenario->receivers[i].profile.forward.mtu_bytes;

        bytes = path_bytes != 0 && path_bytes < bytes ? path_bytes : bytes;
    }
    return bytes > OPENER_IP_BYTES ? bytes : (uint32_t)OPENER_IP_BYTES;
}

static bool
make_load(const struct sf_scenario *scenario, struct load *ret_load)
{
    const struct sf_class_input input = {.total_bytes = scenario->size_bytes,
        .outline_bytes = 100,
        .file_count = 1,
        .largest = SF_CLASS_AUTO_MAX};
    uint32_t room = datagram_bytes_max(scenario) - UDP_IP_BYTES - SESSION_BYTES;
    uint32_t segment = (room - DATA_HEAD_BYTES_MAX) / UNIT_BYTES * UNIT_BYTES;
    struct sf_class_choice choice;
    double content;
    double segments;
    double head = 2;

    if (sf_class_choose(&input, &choice) != SF_OK) {
        return false;
    }
    content = (double)scenario->size_bytes + OUTLINE_AND_DIGEST_BYTES +
              FRAME_HEAD_BYTES * ceil((double)scenario->size_bytes / choice.frame_bytes);
    ret_load->class_bytes = choice.class_bytes;
    ret_load->bundles = (uint64_t)ceil(
        content / (double)(sf_envelope_capacity(choice.class_bytes) - FRAME_HEAD_BYTES));
    ret_load->data_bytes = (double)ret_load->bundles * choice.class_bytes + GRANT_BYTES;
    /* The address of a segment in the middle, in units, seven bits a byte. */
    for (double at = ret_load->data_bytes / 2 / UNIT_BYTES; at >= 1; at /= 128) {
        head++;
    }
    segments = ceil((double)choice.class_bytes / segment);
    ret_load->segment_bytes = choice.class_bytes / segments;
    ret_load->datagram_bytes = ret_load->segment_bytes + UDP_IP_BYTES + SESSION_BYTES + head;
    return true;
}

/* --- The way --------------------------------------------------------------------- */

/* The share of datagrams that a path loses in the long run. */
static double
loss_of(const struct sf_sim_path_config *path)
{
    double enter = path->burst_enter_ppm / 1e6;
    double leave = path->burst_leave_ppm / 1e6;
    double bad = enter == 0 ? 0 : enter / (enter + leave);
    double fade = path->fade_span_ns == 0 ? 0 : path->fade_ppm / 1e6 / 2;

    return 1 - (1 - path->loss_ppm / 1e6) * (1 - bad * path->burst_loss_ppm / 1e6) *
                   (1 - path->corrupt_ppm / 1e6) * (1 - fade * path->fade_loss_ppm / 1e6);
}

struct flow {
    const struct sf_scenario *scenario;
    const struct sf_sim_path_config *forward;
    const struct sf_sim_path_config *back;
    struct load load;
    double rate_bps; /* of the peer */
    double loss;
    double begin; /* all times in seconds */
    double until;
    /* Where it stands. */
    double left;   /* segment bytes that have not arrived */
    double quiet;  /* until when data still flows into a path that went down */
    double dark;   /* since when beacons go out */
    bool is_first; /* no contact was there yet */
    /* The answer. */
    double delivered; /* INFINITY: not */
    double sent;      /* IP bytes */
    double lost;      /* datagrams */
    double into_dark; /* datagrams */
    double again;     /* segment bytes */
    uint64_t contacts;
    uint64_t wasted;
    bool is_over; /* there are no contacts any more */
    /* Who is told of it. */
    struct sf_whatif *result;
    unsigned receiver;
    bool fills_samples;
    size_t sample; /* the next to be filled */
};

static const struct sf_sim_contact *
planned_at(const struct sf_sim_path_config *path, sf_mono at)
{
    size_t low = 0;
    size_t high = path->plan_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (path->plan[middle].start + path->plan[middle].span_ns > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < path->plan_count && path->plan[low].start <= at ? &path->plan[low] : NULL;
}

static double
delay_of(const struct sf_sim_path_config *path, double at)
{
    const struct sf_sim_contact *planned = planned_at(path, nanoseconds(at));
    uint64_t delay = planned == NULL || planned->delay_ns == SF_SIM_PATH_DELAY_KEPT
                         ? path->delay_ns
                         : planned->delay_ns;

    return ((double)delay + (double)path->jitter_ns / 2) / 1e9;
}

/* IP bits a second that the path passes on at `at`, and until when that holds. */
static double
rate_of(const struct sf_sim_path_config *path, double at, double *ret_until)
{
    const struct sf_sim_contact *planned = planned_at(path, nanoseconds(at));
    double fade = path->fade_span_ns == 0 ? 0 : path->fade_ppm / 1e6 / 2;
    uint64_t rate = planned == NULL || planned->rate_bps == 0 ? path->rate_bps : planned->rate_bps;

    *ret_until = planned == NULL ? INFINITY : seconds(planned->start + planned->span_ns);
    return rate == 0 ? INFINITY : (double)rate * (1 - fade * path->fade_rate_ppm / 1e6);
}

/* IP bits a second that the sender sends: as configured, or by the plan that it follows. */
static double
pace_of(const struct flow *flow, double at)
{
    double until;

    return flow->scenario->schedule == NULL
               ? flow->rate_bps
               : fmin(flow->rate_bps, rate_of(flow->forward, at, &until));
}

static double
rtt_of(const struct flow *flow, double at)
{
    return delay_of(flow->forward, at) + delay_of(flow->back, at);
}

/* --- Telling ---------------------------------------------------------------------- */

static double
sample_time(const struct sf_whatif *result, size_t index)
{
    return seconds(result->begin) +
           (seconds(result->end) - seconds(result->begin)) * (double)index / (SAMPLES - 1);
}

/* Between `from` and `to` the sums grow by these, evenly: fill the samples in it. */
struct growth {
    double sent;
    double lost;
    double into_dark;
    double again;
    double arrived;
};

static void
grow(struct flow *flow, double from, double to, const struct growth *by)
{
    struct sf_whatif *result = flow->result;

    while (
        flow->fills_samples && flow->sample < SAMPLES && sample_time(result, flow->sample) <= to) {
        struct sf_whatif_sample *sample = &result->samples[flow->sample];
        double at = sample_time(result, flow->sample);
        double part = at <= from || to <= from ? (at > from) : (at - from) / (to - from);
        double size = (double)flow->scenario->size_bytes;
        double arrived = flow->load.data_bytes - flow->left + by->arrived * part;
        double share = arrived / flow->load.data_bytes;
        double per_datagram = flow->load.datagram_bytes;

        sample->sent_bytes += (uint64_t)(flow->sent + by->sent * part);
        sample->sent_datagrams += (uint64_t)((flow->sent + by->sent * part) / per_datagram);
        sample->lost_datagrams += (uint64_t)(flow->lost + by->lost * part);
        sample->dark_datagrams += (uint64_t)(flow->into_dark + by->into_dark * part);
        sample->resent_bytes += (uint64_t)(flow->again + by->again * part);
        sample->data_bytes +=
            (uint64_t)((flow->sent + by->sent * part) / per_datagram * flow->load.segment_bytes);
        sample->received_bytes[flow->receiver] = (uint64_t)arrived;
        sample->delivered_bytes[flow->receiver] =
            at >= flow->delivered ? (uint64_t)size : (uint64_t)(size * (share < 1 ? share : 1));
        sample->custody_bytes = (uint64_t)size;
        flow->sample++;
    }
    flow->sent += by->sent;
    flow->lost += by->lost;
    flow->into_dark += by->into_dark;
    flow->again += by->again;
    flow->left -= by->arrived;
}

static struct sf_whatif_contact *
open_row(struct flow *flow, double start, double end)
{
    struct sf_whatif *result = flow->result;

    if (flow->fills_samples) {
        return NULL; /* the second time round */
    }
    if (result->contact_count == SF_WHATIF_CONTACTS_MAX) {
        result->contacts_cut++;
        return NULL;
    }
    result->contacts[result->contact_count] = (struct sf_whatif_contact){
        .receiver = flow->receiver,
        .start = nanoseconds(start),
        .end = nanoseconds(end),
        .is_needed = true,
    };
    return &result->contacts[result->contact_count++];
}

/* --- Walking ------------------------------------------------------------------------ */

/* The first beacon at or after `start`, by the timetable that began when it got dark. */
static double
beacon_after(const struct flow *flow, double start)
{
    double opener = OPENER_BYTES * 8 / flow->rate_bps;
    double wait = beacon_first_s;
    double at = flow->dark;

    while (at < start) {
        wait = fmin(wait * beacon_growth, beacon_most_s);
        if (wait == beacon_most_s) {
            double step = wait + opener;

            return at + step * ceil((start - at) / step);
        }
        at += wait + opener;
    }
    return at;
}

/* Data into a path that has gone down, until the sender notices. */
static void
send_into_dark(struct flow *flow, double from, double to)
{
    /* When all of it was sent once, the engine waits for an answer. */
    double most = flow->left / flow->load.segment_bytes * flow->load.datagram_bytes;
    double sent = fmin(flow->rate_bps / 8 * (to - from), most);
    struct growth by = {
        .sent = sent,
        .into_dark = sent / flow->load.datagram_bytes,
        .again = sent / flow->load.datagram_bytes * flow->load.segment_bytes,
    };

    if (to > from) {
        grow(flow, from, to, &by);
    }
}

/*
 * Round trips until the last of `count` segments is repaired: the expected
 * greatest of as many geometric numbers.
 */
static double
repair_rounds(double count, double loss)
{
    double rounds = 0;

    if (loss <= 0 || loss >= 1) {
        return 0;
    }
    for (int k = 1; k <= ROUNDS_MAX; k++) {
        rounds += 1 - pow(1 - pow(loss, k), count);
    }
    return rounds;
}

/* Data flows from `from` to at most `end`. Returns when the last byte that was missing has left. */
static double
pour(struct flow *flow, double from, double end, struct sf_whatif_contact *row)
{
    while (from < end && flow->left > 0) {
        double until;
        double passed = rate_of(flow->forward, from, &until);
        double pace = pace_of(flow, from);
        double kept = fmin(1, passed / pace) * (1 - flow->loss);
        double datagrams = pace / 8 / flow->load.datagram_bytes; /* a second */
        double arriving = datagrams * kept * flow->load.segment_bytes;
        double span = fmin(fmin(end, until) - from, flow->left / arriving);
        struct growth by = {
            .sent = pace / 8 * span,
            .lost = datagrams * (1 - kept) * span,
            .again = datagrams * (1 - kept) * flow->load.segment_bytes * span,
            .arrived = fmin(arriving * span, flow->left),
        };

        if (span >= flow->left / arriving) {
            by.arrived = flow->left; /* exactly all of it */
        }
        if (row != NULL) {
            row->sent_bytes += (uint64_t)by.sent;
            row->sent_datagrams += (uint64_t)(by.sent / flow->load.datagram_bytes);
            row->lost_datagrams += (uint64_t)by.lost;
            row->received_bytes += (uint64_t)by.arrived;
            row->resent_bytes += (uint64_t)by.again;
        }
        grow(flow, from, from + span, &by);
        from += span;
    }
    return from;
}

/* The next contact from `at` on: false if there is none, or the time is over. */
static bool
next_contact(struct flow *flow, double at, double *ret_start, double *ret_end)
{
    struct sf_sim_interval interval;

    if (!sf_sim_contacts_next(flow->forward, nanoseconds(at), &interval)) {
        flow->is_over = true;
        return false;
    }
    *ret_start = seconds(interval.start);
    *ret_end = seconds(interval.end);
    return *ret_start < flow->until && flow->contacts < SF_FLUID_CONTACTS_MAX;
}

/* When a contact from `start` to `end` begins to carry data. */
static double
flows_from(struct flow *flow, double start)
{
    double beacon;

    if (start <= flow->quiet || flow->scenario->schedule != NULL) {
        return start; /* the gap was not noticed, or there was none, or the plan is followed */
    }
    if (start <= flow->dark) {
        return start + rtt_of(flow, start);
    }
    beacon = beacon_after(flow, start);
    return beacon + rtt_of(flow, beacon);
}

/* The contact ends at `end`: what the sender does when nothing comes back any more. */
static void
lose_contact(struct flow *flow, double end)
{
    double last_heard = end + delay_of(flow->back, end);

    flow->quiet = flow->scenario->schedule == NULL ? last_heard + quiet_s : end;
    flow->dark =
        last_heard + fmax(budget_s, 3 * rtt_of(flow, end)) + 4 * OPENER_BYTES * 8 / flow->rate_bps;
}

/* Rows that follow each segment which would be missed only at the end, as link/outbox_repair.c has it. */
static double
rows_share(const struct flow *flow)
{
    double lost = block_segments * flow->loss / (1 - flow->loss);

    if (flow->loss == 0) {
        return 0;
    }
    return floor(lost + 3.5 * sqrt(lost / (1 - flow->loss)) + 1.5) / block_segments;
}

/* All data has left at `at` in a contact that lasts until `end`: wait for the last repair. */
static void
finish(struct flow *flow, double at, double end)
{
    double rtt = rtt_of(flow, at);
    double in_flight =
        fmin(pace_of(flow, at) / 8 * rtt, flow->load.data_bytes) / flow->load.datagram_bytes;
    double rows = in_flight * rows_share(flow);
    double repaired = at + rows * flow->load.datagram_bytes * 8 / pace_of(flow, at);

    if (rtt < exposed_s) {
        /* The engine waits an eighth more, for what might only be late. */
        repaired = at + rtt * 9 / 8 * repair_rounds(in_flight, flow->loss);
    } else {
        flow->sent += rows * flow->load.datagram_bytes;
    }

    if (repaired > end) {
        double start;
        double next_end;

        lose_contact(flow, end);
        if (!next_contact(flow, end, &start, &next_end)) {
            return;
        }
        flow->contacts++;
        repaired = flows_from(flow, start);
        (void)open_row(flow, start, next_end);
    }
    if (repaired + delay_of(flow->forward, at) <= flow->until) {
        flow->delivered = repaired + delay_of(flow->forward, at);
    }
}

/* Let everything flow that will. */
static void
walk(struct flow *flow)
{
    double at = flow->begin;
    double start = INFINITY;
    double end;

    flow->left = flow->load.data_bytes;
    flow->dark = flow->begin + budget_s + 4 * OPENER_BYTES * 8 / flow->rate_bps;
    flow->quiet = flow->dark; /* nothing is known of a round trip yet */
    if (flow->scenario->schedule != NULL) {
        flow->quiet = flow->begin; /* nothing is sent outside of contacts */
    }
    if (!next_contact(flow, at, &start, &end) || start > at) {
        /* Nobody is there to hear the beginning. */
        send_into_dark(flow, at, fmin(fmin(start, flow->quiet), flow->until));
    }
    while (next_contact(flow, at, &start, &end)) {
        struct sf_whatif_contact *row = open_row(flow, start, end);
        double flowing = fmax(flows_from(flow, start), flow->begin);
        double stop = fmin(end, flow->until);

        flow->contacts++;
        if (flowing >= stop) {
            flow->wasted++;
            at = end;
            continue;
        }
        at = flowing;
        if (flow->contacts == 1 && flowing == flow->begin && rtt_of(flow, start) > budget_s) {
            at = pour(flow, flowing, fmin(flowing + budget_s, stop), row);
            at = flow->left > 0 ? fmin(flow->begin + rtt_of(flow, start), stop) : at;
        }
        at = flow->left > 0 ? pour(flow, at, stop, row) : at;
        if (flow->left <= 0) {
            finish(flow, at, end);
            return;
        }
        if (end >= flow->until) {
            return;
        }
        lose_contact(flow, end);
        if (!next_contact(flow, end, &start, &stop)) {
            start = flow->until;
        }
        send_into_dark(flow, end, fmin(start, flow->quiet));
        at = end;
    }
}

static void
flow_init(struct flow *flow, const struct sf_scenario *scenario, const struct load *load,
    struct sf_whatif *result, unsigned receiver)
{
    const struct sf_sim_profile *profile = &scenario->receivers[receiver].profile;

    *flow = (struct flow){
        .scenario = scenario,
        .forward = &profile->forward,
        .back = &profile->back,
        .load = *load,
        .rate_bps = (double)sf_scenario_rate_bps(scenario, receiver),
        .loss = loss_of(&profile->forward),
        .begin = seconds(scenario->start_ns),
        .until = seconds(scenario->start_ns + scenario->until_ns),
        .delivered = INFINITY,
        .result = result,
        .receiver = receiver,
    };
}

/* --- The answer ------------------------------------------------------------------------ */

static void
conclude(struct sf_whatif *result, const struct flow *flow, const char *name)
{
    struct sf_whatif_receiver *to = &result->receivers[flow->receiver];

    to->contacts = flow->contacts;
    to->contacts_wasted = flow->wasted;
    to->received_bytes = (uint64_t)(flow->load.data_bytes - flow->left);
    to->is_delivered = isfinite(flow->delivered) != 0;
    to->is_confirmed = to->is_delivered;
    if (to->is_delivered) {
        to->delivered_at = nanoseconds(flow->delivered);
        to->confirmed_at = nanoseconds(flow->delivered + delay_of(flow->back, flow->delivered));
        result->end = to->confirmed_at > result->end ? to->confirmed_at : result->end;
        return;
    }
    result->end = nanoseconds(flow->until);
    result->outcome = flow->is_over ? SF_WHATIF_NEVER : SF_WHATIF_LATE;
    snprintf(result->why, sizeof(result->why),
        "%s: %.0f of %.0f sealed bytes have not arrived at %s",
        flow->is_over ? "the last contact is over" : "the time is over", flow->left,
        flow->load.data_bytes, name);
    snprintf(to->why, sizeof(to->why), "%s", result->why);
}

/* --- Hopeless ----------------------------------------------------------------------------- */

/* What is asked: whether one way of a receiver is closed, or carries too little. */
struct doubt {
    const struct sf_scenario *scenario;
    const struct sf_sim_path_config *path;
    const char *way; /* "to sat-1" */
    enum sf_whatif_outcome *ret_outcome;
    char *ret_why;
};

__attribute__((format(printf, 3, 4))) static bool
despair(const struct doubt *doubt, enum sf_whatif_outcome outcome, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(doubt->ret_why, SF_WHATIF_TEXT_BYTES, format, arguments);
    va_end(arguments);
    *doubt->ret_outcome = outcome;
    return true;
}

static bool
is_closed(const struct doubt *doubt)
{
    const struct sf_sim_path_config *path = doubt->path;
    struct sf_sim_interval interval;

    if (path->mtu_bytes != 0 && path->mtu_bytes < OPENER_IP_BYTES) {
        return despair(doubt, SF_WHATIF_NEVER,
            "the way %s has an MTU of %" PRIu32 ", and a session opens with one of %d bytes",
            doubt->way, path->mtu_bytes, OPENER_IP_BYTES);
    }
    if (path->loss_ppm == SF_PRNG_PPM || path->corrupt_ppm == SF_PRNG_PPM) {
        return despair(doubt, SF_WHATIF_NEVER, "the way %s loses everything", doubt->way);
    }
    if (!sf_sim_contacts_next(path, doubt->scenario->start_ns, &interval)) {
        return despair(
            doubt, SF_WHATIF_NEVER, "there is no contact %s after the order", doubt->way);
    }
    if (interval.start >= doubt->scenario->start_ns + doubt->scenario->until_ns) {
        return despair(doubt, SF_WHATIF_LATE,
            "the first contact %s begins %.0f s after the order, when the time is over", doubt->way,
            seconds(interval.start - doubt->scenario->start_ns));
    }
    return false;
}

/* Whether all contacts together, without any loss, carry less than `needed` IP bytes. */
static bool
is_too_thin(const struct doubt *doubt, size_t receiver, double needed)
{
    double peer_bps = (double)sf_scenario_rate_bps(doubt->scenario, receiver);
    double until = seconds(doubt->scenario->start_ns + doubt->scenario->until_ns);
    double carried = 0;
    sf_mono at = doubt->scenario->start_ns;
    struct sf_sim_interval interval;

    for (uint64_t i = 0; i < SF_FLUID_CONTACTS_MAX && carried < needed; i++) {
        double from;
        double end;

        if (!sf_sim_contacts_next(doubt->path, at, &interval)) {
            return despair(doubt, SF_WHATIF_NEVER,
                "all contacts %s together carry %.0f bytes at most, and %.0f have to get through",
                doubt->way, carried, needed);
        }
        if (seconds(interval.start) >= until) {
            return despair(doubt, SF_WHATIF_LATE,
                "the contacts %s carry %.0f bytes at most in that time, and %.0f have to get "
                "through",
                doubt->way, carried, needed);
        }
        end = fmin(seconds(interval.end), until);
        for (from = seconds(interval.start); from < end && carried < needed;) {
            double holds;
            double rate = fmin(rate_of(doubt->path, from, &holds), peer_bps);

            holds = fmin(holds, end);
            carried += rate / 8 * (holds - from);
            from = holds;
        }
        at = interval.end;
        if (at == SF_NEVER && carried < needed) {
            return despair(doubt, SF_WHATIF_LATE,
                "the way %s carries %.0f bytes at most in that time, and %.0f have to get through",
                doubt->way, carried, needed);
        }
    }
    return false;
}

bool
sf_fluid_is_hopeless(
    const struct sf_scenario *scenario, enum sf_whatif_outcome *ret_outcome, char *ret_why)
{
    struct doubt doubt = {.scenario = scenario, .ret_outcome = ret_outcome, .ret_why = ret_why};
    struct load load;

    if (!make_load(scenario, &load)) {
        return despair(&doubt, SF_WHATIF_NEVER,
            "%" PRIu64 " bytes are more than a transfer can hold", scenario->size_bytes);
    }
    for (size_t i = 0; i < scenario->receiver_count; i++) {
        const struct sf_scenario_receiver *receiver = &scenario->receivers[i];
        char way[SF_SCENARIO_NAME_BYTES + 16];
        double datagrams = load.data_bytes / load.segment_bytes;

        snprintf(way, sizeof(way), "back from %s", receiver->name);
        doubt.way = way;
        doubt.path = &receiver->profile.back;
        if (is_closed(&doubt)) {
            return true;
        }
        snprintf(way, sizeof(way), "to %s", receiver->name);
        doubt.path = &receiver->profile.forward;
        if (is_closed(&doubt) || is_too_thin(&doubt, i, datagrams * load.datagram_bytes)) {
            return true;
        }
    }
    return false;
}

/* Rows of several receivers in the order of their start. */
static int
by_start(const void *left, const void *right)
{
    const struct sf_whatif_contact *a = left;
    const struct sf_whatif_contact *b = right;

    return a->start != b->start ? (a->start > b->start) - (a->start < b->start)
                                : (a->receiver > b->receiver) - (a->receiver < b->receiver);
}

/* Nobody gets it, for the reason of the whole. */
static void
why_all(struct sf_whatif *result)
{
    for (size_t i = 0; i < result->receiver_count; i++) {
        snprintf(result->receivers[i].why, sizeof(result->receivers[i].why), "%s", result->why);
    }
}

void
sf_fluid_estimate(const struct sf_scenario *scenario, struct sf_whatif *ret_result)
{
    struct load load;
    struct flow flow;

    memset(ret_result, 0, sizeof(*ret_result));
    ret_result->is_estimate = true;
    ret_result->begin = scenario->start_ns;
    ret_result->custody_at = scenario->start_ns;
    ret_result->end = scenario->start_ns;
    ret_result->plain_bytes = scenario->size_bytes;
    ret_result->receiver_count = scenario->receiver_count;
    if (sf_fluid_is_hopeless(scenario, &ret_result->outcome, ret_result->why)) {
        why_all(ret_result);
        return;
    }
    if (!make_load(scenario, &load)) {
        return; /* that would be hopeless */
    }
    ret_result->class_bytes = load.class_bytes;
    ret_result->bundles = load.bundles;
    ret_result->sealed_bytes = load.bundles * load.class_bytes;
    for (unsigned i = 0; i < scenario->receiver_count; i++) {
        flow_init(&flow, scenario, &load, ret_result, i);
        walk(&flow);
        conclude(ret_result, &flow, scenario->receivers[i].name);
    }
    qsort(
        ret_result->contacts, ret_result->contact_count, sizeof(ret_result->contacts[0]), by_start);
    /* Once more, now that it is known how long it takes, for the samples. */
    ret_result->sample_count = SAMPLES;
    for (size_t i = 0; i < SAMPLES; i++) {
        ret_result->samples[i].at = nanoseconds(sample_time(ret_result, i));
    }
    for (unsigned i = 0; i < scenario->receiver_count; i++) {
        static const struct growth nothing;

        flow_init(&flow, scenario, &load, ret_result, i);
        flow.fills_samples = true;
        walk(&flow);
        grow(&flow, 0, INFINITY, &nothing);
    }
}
