/*
 * inbox_report.c - when to tell the peer what came, and in which words.
 *
 * A round tells all that is to be told, lowest address first. What does not
 * fit into one datagram goes on in the next: at once as long as the round
 * stays within a small share of what was received, else after an interval.
 * The first round after something changed comes within an interval, or as
 * soon as data have come in that are worth the last one; while nothing changes
 * the silence doubles, and once nothing is missing it lasts.
 */
#include "link/inbox_private.h"

#include "base/assert.h"

#define INTERVAL_NS_MIN     (10 * SF_MS)
#define INTERVAL_NS_MAX     (100 * SF_MS)
#define INTERVAL_NS_UNKNOWN (25 * SF_MS) /* before the round trip is known */
#define PAUSE_NS_UNKNOWN    SF_SEC       /* the longest, then */
#define URGENT_GAP_NS       (5 * SF_MS)  /* between reports that cannot wait */
#define SILENCE_NS_MAX      (60 * SF_SEC)

enum {
    RETURN_SHARE = 2048,             /* reports in all: this part of what came in */
    ALLOWANCE_BYTES_MAX = 64 * 1024, /* what may be saved of that... */
    DGRAM_HEAD_BYTES = 72,           /* what a report brings with it: IP, UDP, session, HELLO */
    ANSWER_REPEATS = 2,
};

static uint64_t
interval(const struct sf_inbox *inbox)
{
    uint64_t quarter = inbox->rtt_ns / 4;

    if (inbox->rtt_ns == 0) {
        return INTERVAL_NS_UNKNOWN;
    }
    if (quarter < INTERVAL_NS_MIN) {
        return INTERVAL_NS_MIN;
    }
    return quarter < INTERVAL_NS_MAX ? quarter : INTERVAL_NS_MAX;
}

/*
 * How long to wait before further reports of `bytes`: an interval if the
 * allowance covers them, else until data have come in of which they are the
 * share. But not so long that a loss is told late.
 */
static uint64_t
pause(const struct sf_inbox *inbox, uint64_t bytes)
{
    uint64_t least = interval(inbox);
    uint64_t quarter = inbox->rtt_ns == 0 ? PAUSE_NS_UNKNOWN : inbox->rtt_ns / 4;
    uint64_t most = quarter > INTERVAL_NS_MAX ? quarter : INTERVAL_NS_MAX;
    uint64_t earned;

    if (inbox->allowance >= bytes || inbox->bytes_per_second == 0) {
        return least;
    }
    earned = bytes * RETURN_SHARE * SF_SEC / inbox->bytes_per_second;
    earned = earned < most ? earned : most;
    return earned > least ? earned : least;
}

/* A report is due `gap` after the last one, or at once if that is over. */
static void
bring_forward(struct sf_inbox *inbox, uint64_t gap)
{
    sf_mono due = sf_mono_add(inbox->reported, gap);

    inbox->backoff_ns = pause(inbox, inbox->round_bytes);
    due = due > inbox->now ? due : inbox->now;
    inbox->due = sf_mono_min(inbox->due, due);
}

void
sf_inbox_report_soon(struct sf_inbox *inbox)
{
    bring_forward(inbox, pause(inbox, inbox->round_bytes));
}

void
sf_inbox_report_now(struct sf_inbox *inbox)
{
    bring_forward(inbox, inbox->reported == 0 ? 0 : URGENT_GAP_NS);
}

void
sf_inbox_answer(struct sf_inbox *inbox, uint32_t wire_handle, enum sf_report_state state)
{
    size_t at = 0;

    while (at < inbox->answer_count && inbox->answers[at].wire_handle != wire_handle) {
        at++;
    }
    if (at == SF_INBOX_ANSWERS_MAX) {
        return; /* it will come up again */
    }
    if (at == inbox->answer_count) {
        inbox->answer_count++;
        sf_inbox_report_now(inbox);
    }
    inbox->answers[at] = (struct sf_inbox_answer){wire_handle, state, ANSWER_REPEATS};
}

void
sf_inbox_unanswer(struct sf_inbox *inbox, uint32_t wire_handle)
{
    size_t kept = 0;

    for (size_t i = 0; i < inbox->answer_count; i++) {
        if (inbox->answers[i].wire_handle != wire_handle) {
            inbox->answers[kept++] = inbox->answers[i];
        }
    }
    inbox->answer_count = kept;
}

void
sf_inbox_raise_boot(struct sf_inbox *inbox, uint32_t boot)
{
    uint64_t least = (uint64_t)boot << 32;

    inbox->report_number = inbox->report_number > least ? inbox->report_number : least;
}

void
sf_inbox_set_rtt(struct sf_inbox *inbox, uint64_t srtt_ns)
{
    inbox->rtt_ns = srtt_ns;
}

void
sf_inbox_pause(struct sf_inbox *inbox)
{
    inbox->is_dark = true;
}

void
sf_inbox_resume(struct sf_inbox *inbox, sf_mono now)
{
    inbox->is_dark = false;
    inbox->now = now;
    if (inbox->epoch != 0) {
        sf_inbox_report_now(inbox);
    }
}

sf_mono
sf_inbox_deadline(const struct sf_inbox *inbox)
{
    return inbox->is_dark ? SF_NEVER : inbox->due;
}

/* --- What is received, in order ----------------------------------------------------- */

struct received {
    const struct sf_incoming *object;
    size_t done;    /* next range of object->done */
    size_t partial; /* next partial bundle */
    size_t range;   /* next of its ranges */
    uint64_t from;  /* nothing below is of interest */
};

static void
received_init(struct received *received, const struct sf_incoming *object, uint64_t from)
{
    uint64_t index = from / object->object.class_bytes;
    size_t low = 0;
    size_t high = object->done.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->done.ranges[middle].to <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *received = (struct received){.object = object,
        .done = low,
        .partial = sf_partial_lower_bound(object, index),
        .from = from};
}

/* The next range received, in bytes of the object; false at the end. */
static bool
received_next(struct received *received, struct sf_range *ret_range)
{
    const struct sf_incoming *object = received->object;
    uint64_t class_bytes = object->object.class_bytes;

    for (;;) {
        const struct sf_partial *partial = NULL;
        const struct sf_range *done = NULL;

        if (received->partial < object->partial_count) {
            partial = object->partials[received->partial];
            if (partial->state == SF_PARTIAL_COMPLETE || received->range >= partial->ranges.count) {
                received->partial++; /* a complete one is among the done */
                received->range = 0;
                continue;
            }
        }
        if (received->done < object->done.count) {
            done = &object->done.ranges[received->done];
        }
        if (done != NULL && (partial == NULL || done->from <= partial->index)) {
            *ret_range = (struct sf_range){done->from * class_bytes, done->to * class_bytes};
            received->done++;
        } else if (partial != NULL) {
            const struct sf_range *range = &partial->ranges.ranges[received->range++];

            ret_range->from = partial->index * class_bytes + range->from;
            ret_range->to = partial->index * class_bytes + range->to;
        } else {
            return false;
        }
        if (ret_range->to > received->from) {
            if (ret_range->from < received->from) {
                ret_range->from = received->from;
            }
            return true;
        }
    }
}

/* --- Words ---------------------------------------------------------------------------- */

static bool
is_to_be_told(const struct sf_incoming *object)
{
    return object != NULL && object->wire_handle != 0 &&
           (object->repeats > 0 || !sf_incoming_is_kept(object));
}

/*
 * The map of one object, from the cursor on. Returns whether all of it went in;
 * else the cursor stands where the next report goes on.
 */
static bool
encode_map(struct sf_inbox *inbox, struct sf_report_encoder *encoder, struct sf_incoming *object)
{
    uint64_t start = object->object.first * object->object.class_bytes;
    struct sf_report_section head = {.handle = object->wire_handle,
        .revision = object->revision,
        .is_paused = object->is_paused,
        .is_kept = sf_incoming_is_kept(object),
        .is_last = true,
        .base = inbox->cursor_address > start ? inbox->cursor_address : start};
    struct received received;
    struct sf_range range;

    if (!sf_report_map_begin(encoder, &head)) {
        return false;
    }
    received_init(&received, object, head.base);
    while (received_next(&received, &range)) {
        if (!sf_report_map_add(encoder, range.from, range.to)) {
            head.is_last = false;
            break;
        }
    }
    inbox->cursor_address = sf_report_map_end(encoder, &head);
    return head.is_last;
}

static bool
encode_object(struct sf_inbox *inbox, struct sf_report_encoder *encoder, struct sf_incoming *object)
{
    bool is_in = object->is_accepted ? encode_map(inbox, encoder, object)
                                     : sf_report_state_section(encoder, object->wire_handle,
                                           SF_REPORT_HEARD, object->revision);

    if (is_in && object->repeats > 0) {
        object->repeats--;
    }
    return is_in;
}

static void
encode_answers(struct sf_inbox *inbox, struct sf_report_encoder *encoder)
{
    size_t kept = 0;

    for (size_t i = 0; i < inbox->answer_count; i++) {
        struct sf_inbox_answer answer = inbox->answers[i];

        if (sf_report_state_section(encoder, answer.wire_handle, answer.state, 0)) {
            answer.repeats--;
        }
        if (answer.repeats > 0) {
            inbox->answers[kept++] = answer;
        }
    }
    inbox->answer_count = kept;
}

/* --- When ------------------------------------------------------------------------------ */

static void
begin_round(struct sf_inbox *inbox, sf_mono now)
{
    uint64_t elapsed = now - inbox->reported;

    if (elapsed >= INTERVAL_NS_MIN) {
        inbox->bytes_per_second = inbox->bytes_since_report * (SF_SEC / SF_US) / (elapsed / SF_US);
    }
    inbox->allowance += inbox->bytes_since_report / RETURN_SHARE;
    if (inbox->allowance > ALLOWANCE_BYTES_MAX) {
        inbox->allowance = ALLOWANCE_BYTES_MAX;
    }
    inbox->bytes_since_report = 0;
    inbox->round_bytes = 0;
    inbox->is_in_round = true;
    inbox->cursor_slot = 0;
    inbox->cursor_address = 0;
}

/* Whether there is something the peer may not know yet. */
static bool
is_open_question(const struct sf_inbox *inbox)
{
    for (size_t i = 0; i < SF_LINK_OBJECTS_MAX; i++) {
        if (is_to_be_told(inbox->objects[i])) {
            return true;
        }
    }
    return inbox->answer_count > 0;
}

static void
plan_next(struct sf_inbox *inbox, size_t bytes, sf_mono now)
{
    bool is_allowed;

    bytes += DGRAM_HEAD_BYTES;
    inbox->round_bytes += bytes;
    is_allowed = inbox->allowance >= bytes;
    inbox->allowance -= is_allowed ? bytes : inbox->allowance;
    if (inbox->is_in_round) {
        inbox->due = is_allowed ? now : sf_mono_add(now, pause(inbox, bytes));
    } else if (is_open_question(inbox)) {
        inbox->due = sf_mono_add(now, inbox->backoff_ns);
        inbox->backoff_ns =
            inbox->backoff_ns < SILENCE_NS_MAX / 2 ? inbox->backoff_ns * 2 : SILENCE_NS_MAX;
    } else {
        inbox->due = SF_NEVER;
    }
}

bool
sf_inbox_fill(struct sf_inbox *inbox, struct sf_message_writer *writer, sf_mono now)
{
    struct sf_report_encoder encoder;
    struct sf_report report = {.number = inbox->report_number + 1,
        .epoch = inbox->epoch,
        .counter = inbox->counter,
        .held_us = (now - inbox->counter_at) / SF_US,
        .ip_bytes = inbox->stats.ip_bytes,
        .bytes_per_second = inbox->bytes_per_second,
        .arrived_us = (uint32_t)(inbox->counter_at / SF_US),
        .ce_dgrams = inbox->stats.ce_dgrams,
        .loss = inbox->loss};
    size_t begin = writer->bytes;

    if (inbox->is_dark || inbox->due > now) {
        return false;
    }
    inbox->now = now;
    if (!sf_report_begin(&encoder, writer, &report)) {
        return false;
    }
    if (!inbox->is_in_round) {
        begin_round(inbox, now);
    }
    encode_answers(inbox, &encoder);
    while (inbox->cursor_slot < SF_LINK_OBJECTS_MAX) {
        struct sf_incoming *object = inbox->objects[inbox->cursor_slot];

        if (is_to_be_told(object) && !encode_object(inbox, &encoder, object)) {
            break;
        }
        inbox->cursor_slot++;
        inbox->cursor_address = 0;
    }
    sf_report_end(&encoder);
    inbox->is_in_round = inbox->cursor_slot < SF_LINK_OBJECTS_MAX;
    inbox->reported = now;
    inbox->report_number++;
    inbox->stats.reports++;
    inbox->stats.report_bytes += writer->bytes - begin;
    plan_next(inbox, writer->bytes - begin, now);
    return true;
}
