/*
 * rate.c - decides from what arrives.
 *
 * Every report is taken in by the delivery; when a stretch is long enough it
 * is judged: it gives a share, a loss, a round. Then the rate is set anew.
 */
#include "link/rate_private.h"

#include <string.h>

enum {
    START_GAIN = 768, /* of 256: three times what arrives */
    PROBE_GAIN = 320, /* a quarter more */
    DRY_GAIN = 128,   /* while the queue runs dry */
    CALM_FLOOR = 96,  /* it gives way to at most so much of its share in a round trip */
    GROW_FIRST = 5,   /* of 256: 2 % */
    GROW_LAST = 128,  /* half */
    HOLD_ROUNDS = 8,
    TOP_STRETCHES = 32, /* so long is remembered that a queue overflowed */
    SCAVENGE_PERMILLE = 300,
    START_LOSS_PPM = 400000,
    START_OWN_PPM = 200000,
};

#define SPAN_NS_START (8 * SF_MS)
#define GAP_NS_MIN    (100 * SF_MS) /* nothing came for longer, and for three reports: a pause */
#define SETTLE_NS_MIN (50 * SF_MS)  /* a queue is brought to its aim in so long */
#define DRY_NS        (5 * SF_SEC)  /* without the least delay seen */

/* What the queue served. Where no long one stands, more than was sent is jitter. */
static uint64_t
served_at_most(const struct sf_rate *rate, const struct sf_delivery_stretch *stretch)
{
    uint64_t bps = sf_rate_served_bps(rate, stretch);

    return bps < stretch->sent_bps ? bps : stretch->sent_bps;
}

/* --- The rate -------------------------------------------------------------------- */

void
sf_rate_set_bps(struct sf_rate *rate, uint64_t bps)
{
    uint64_t most = rate->config.max_bps;

    bps = bps > SF_RATE_BPS_MIN ? bps : SF_RATE_BPS_MIN;
    rate->bps = bps < most ? bps : most;
}

/* `bps` times gain / 256. */
static uint64_t
times(uint64_t bps, uint64_t gain)
{
    return bps / 256 * gain;
}

static uint64_t
queue_ahead(const struct sf_rate *rate, sf_mono now)
{
    /* Where it did not fit lately, no more than fitted then will stand. */
    uint64_t most = rate->overflowed ? rate->queue_top_ns : SF_NEVER;

    return sf_delivery_ahead_ns(
        &rate->delivery, sf_rate_queue_ns(rate), sf_rate_share_bps(rate), most, now);
}

/* The share, corrected by how far the queue will be from its aim; a gain in 256ths. */
static uint64_t
steer(const struct sf_rate *rate, sf_mono now)
{
    uint64_t settle = sf_rate_clamp(sf_rate_trip_ns(rate), SETTLE_NS_MIN, 4 * SETTLE_NS_MIN);
    uint64_t ahead = queue_ahead(rate, now);
    uint64_t goal = sf_rate_aim_ns(rate);
    uint64_t floor = ahead > 16 * sf_rate_allowed_ns(rate) ? CALM_FLOOR : CALM_FLOOR / 2 * 3;
    uint64_t off;

    if (rate->config.is_scavenger) {
        settle /= 4;
        floor = 8;
    }
    if (rate->is_marked) {
        ahead += goal;
    }
    if (ahead <= goal) {
        off = (goal - ahead) * 256 / settle;
        return 256 + (off < 32 ? off : 32);
    }
    off = (ahead - goal) * 256 / settle;
    return off + floor < 256 ? 256 - off : floor;
}

/* --- The contest ----------------------------------------------------------------------- */

/* --- Probes ------------------------------------------------------------------------- */

/* --- Judging ------------------------------------------------------------------------ */

/* The path is full: `bps` is our share of it. */
static void
leave_start(struct sf_rate *rate, uint64_t bps)
{
    rate->phase = SF_RATE_CALM;
    rate->free_rounds = 0;
    rate->probe_wait = SF_RATE_PROBE_ROUNDS;
    sf_rate_set_share(rate, bps);
}

/* The newest two delays: in the beginning there is no time for more. */
static bool
has_queue_begun(const struct sf_rate *rate)
{
    return rate->delivery.delay_count >= 3 &&
           sf_delivery_queue_ns(&rate->delivery, sf_rate_report_ns(rate)) >
               sf_rate_aim_ns(rate) + sf_rate_jitter_ns(rate);
}

/* What is lost with a full queue, or because more goes than arrives, is not the path's own. */
static void
note_loss(struct sf_rate *rate, const struct sf_delivery_stretch *stretch)
{
    bool is_calm = sf_rate_queue_ns(rate) <= 2 * sf_rate_aim_ns(rate);
    bool is_own = rate->phase == SF_RATE_START
                      ? rate->loss_count == 0 && stretch->lost_ppm < START_OWN_PPM
                      : is_calm && !sf_rate_loses_too_much(rate, stretch);

    if (stretch->sent_bytes >= SF_RATE_LOSS_BYTES &&
        (is_own || stretch->lost_ppm < sf_rate_own_loss_ppm(rate))) {
        rate->losses[rate->loss_count++ % SF_RATE_LOSSES] = stretch->lost_ppm;
    }
    rate->overflowed = rate->overflowed && rate->hold_top > 0;
    rate->hold_top -= rate->hold_top > 0 ? 1 : 0;
    if (!is_calm && sf_rate_loses_too_much(rate, stretch)) {
        rate->overflowed = true;
        rate->hold_top = TOP_STRETCHES;
    }
}

/*
 * Too much is lost and no queue shows: a policer, a queue too short to be seen, one that was full
 * before we came, or a path that loses more than it did. The trial: for a moment no more goes
 * than arrived. What is lost then is the path's own.
 */
static void
begin_trial(struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    rate->trial_from = now;
    rate->lossy = 0;
    rate->free_rounds = 0;
    sf_rate_set_share(rate, stretch->received_bps);
}

static void
end_trial(struct sf_rate *rate, const struct sf_delivery_stretch *stretch)
{
    rate->trial_from = 0;
    rate->losses[0] = stretch->lost_ppm < SF_RATE_PPM / 2 ? stretch->lost_ppm : SF_RATE_PPM / 2;
    rate->loss_count = 1;
    rate->hold = HOLD_ROUNDS;
    sf_rate_set_share(rate, served_at_most(rate, stretch));
}

static void
judge_start(struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    uint64_t bps = served_at_most(rate, stretch);

    note_loss(rate, stretch);
    if (has_queue_begun(rate)) {
        leave_start(rate, bps);
    } else if (stretch->lost_ppm > START_LOSS_PPM && stretch->sent_bytes >= SF_RATE_LOSS_BYTES) {
        rate->lossy++;
        if (rate->lossy >= 2) {
            leave_start(rate, stretch->received_bps);
            begin_trial(rate, stretch, now);
        }
    } else {
        rate->lossy = 0;
        rate->shares[rate->share_at] =
            bps > rate->shares[rate->share_at] ? bps : rate->shares[rate->share_at];
    }
}

static void
judge(struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    uint64_t bps = served_at_most(rate, stretch);
    uint64_t queue_ns = sf_rate_queue_ns(rate);
    bool is_lossy = sf_rate_loses_too_much(rate, stretch);

    rate->last = *stretch;
    if (stretch->is_limited) {
        /* It tells what got through, not what would have. */
        if (bps > sf_rate_share_bps(rate)) {
            rate->shares[rate->share_at] = bps;
        }
        return;
    }
    rate->queue_top_ns -= rate->queue_top_ns / 256;
    rate->queue_top_ns = queue_ns > rate->queue_top_ns ? queue_ns : rate->queue_top_ns;
    if (rate->phase == SF_RATE_START) {
        judge_start(rate, stretch, now);
        return;
    }
    note_loss(rate, stretch);
    if (rate->trial_from != 0) {
        if (stretch->from >= rate->trial_from) {
            end_trial(rate, stretch);
        }
        return;
    }
    rate->lossy = is_lossy ? rate->lossy + 1 : 0;
    if (rate->phase == SF_RATE_CONTEST) {
        sf_rate_judge_fall(rate, stretch, now);
    } else if (sf_rate_judge_long_queue(rate, stretch, now)) {
        return;
    } else if (sf_rate_judge_short_queue(rate, stretch, now)) {
        return;
    } else if (rate->lossy >= 2 && queue_ns <= sf_rate_aim_ns(rate)) {
        begin_trial(rate, stretch, now);
        return;
    }
    if (bps > rate->shares[rate->share_at]) {
        rate->shares[rate->share_at] = bps;
    }
}

static void
end_round(struct sf_rate *rate, sf_mono now)
{
    uint64_t queue_ns = sf_rate_queue_ns(rate);
    bool is_told = rate->last.span_ns > 0 && !rate->last.is_limited;

    rate->round_from = now;
    if (!is_told || rate->phase == SF_RATE_START) {
        return;
    }
    rate->share_at = (rate->share_at + 1) % SF_RATE_ROUNDS;
    rate->shares[rate->share_at] = 0;
    rate->free_rounds = queue_ns <= sf_rate_none_ns(rate) ? rate->free_rounds + 1 : 0;
    if (rate->free_rounds > 2) {
        rate->others_permille = rate->others_permille / 8 * 7;
    }
    if (rate->hold > 0) {
        rate->hold--;
        rate->free_rounds = 0;
    }
    if (rate->probe_wait > 0) {
        rate->probe_wait--;
    }
    sf_rate_judge_others(rate, now);
    if (rate->phase == SF_RATE_CONTEST) {
        sf_rate_press(rate, now);
    }
    if (rate->probe_wait == 0 && sf_rate_may_probe(rate)) {
        sf_rate_begin_probe(rate, now);
    }
}

/* Let the queue run dry if the least delay was not seen for long. */
static void
keep_dry(struct sf_rate *rate, sf_mono now)
{
    if (rate->is_dry) {
        rate->is_dry = now < rate->dry_until;
        return;
    }
    if (rate->phase == SF_RATE_CALM && !rate->is_probing && rate->last.span_ns > 0 &&
        now >= sf_mono_add(rate->delivery.least_at, DRY_NS + 8 * sf_rate_trip_ns(rate))) {
        rate->is_dry = true;
        rate->dry_until = now + 2 * sf_rate_queue_ns(rate) + sf_rate_report_ns(rate);
        rate->delivery.least_at = now;
    }
}

static void
calm(struct sf_rate *rate, sf_mono now)
{
    uint64_t bps = sf_rate_share_bps(rate);
    uint64_t others = rate->others_permille;
    uint64_t grow;

    if (rate->is_probing && now < rate->probe_to) {
        sf_rate_set_bps(rate, times(rate->probe_before.sent_bps, PROBE_GAIN));
    } else if (rate->trial_from != 0) {
        sf_rate_set_bps(rate, bps);
    } else if (rate->is_dry) {
        sf_rate_set_bps(rate, times(bps, DRY_GAIN));
    } else if (sf_rate_queue_ns(rate) <= sf_rate_none_ns(rate) && rate->hold == 0) {
        grow = rate->free_rounds < 5 ? (uint64_t)GROW_FIRST << rate->free_rounds : GROW_LAST;
        sf_rate_set_bps(rate, times(bps, 256 + (grow < GROW_LAST ? grow : GROW_LAST)));
    } else {
        bps = times(bps, steer(rate, now));
        if (rate->config.is_scavenger && others > SCAVENGE_PERMILLE) {
            bps = bps / 1000 * (1000 - others);
        }
        sf_rate_set_bps(rate, bps);
    }
}

static void
decide(struct sf_rate *rate, sf_mono now)
{
    uint64_t bps;

    switch (rate->phase) {
    case SF_RATE_START:
        bps = times(sf_rate_share_bps(rate), START_GAIN);
        if (bps > rate->bps) {
            sf_rate_set_bps(rate, bps);
        }
        if (sf_rate_share_bps(rate) / 9 * 10 >= rate->config.max_bps) {
            leave_start(rate, sf_rate_share_bps(rate)); /* there is nothing more to find */
        }
        return;
    case SF_RATE_CALM:
        keep_dry(rate, now);
        calm(rate, now);
        break;
    case SF_RATE_CONTEST:
        sf_rate_contest(rate, now);
        if (rate->is_probing && now < rate->probe_to) {
            sf_rate_set_bps(rate, times(rate->probe_before.sent_bps, PROBE_GAIN));
        }
        break;
    }
    rate->found_bps = sf_rate_share_bps(rate);
}

/* How long a stretch is before it is judged. */
static uint64_t
stretch_span(const struct sf_rate *rate)
{
    uint64_t few = sf_rate_enough_ns(rate);
    uint64_t span =
        sf_rate_clamp(sf_rate_trip_ns(rate) / 2, SF_RATE_SPAN_NS_MIN, 8 * SF_RATE_SPAN_NS_MIN);

    if (rate->phase == SF_RATE_START) {
        return SPAN_NS_START;
    }
    return span > few ? span : few;
}

/* --- Calls --------------------------------------------------------------------------- */

void
sf_rate_init(struct sf_rate *rate, const struct sf_rate_config *config)
{
    memset(rate, 0, sizeof(*rate));
    sf_delivery_init(&rate->delivery);
    rate->config = *config;
    rate->phase = SF_RATE_START;
    rate->probe_wait = SF_RATE_PROBE_ROUNDS;
    if (config->known_bps != 0) {
        rate->phase = SF_RATE_CALM;
        rate->found_bps = config->known_bps;
        sf_rate_set_share(rate, config->known_bps);
        sf_rate_set_bps(rate, config->known_bps);
    } else {
        sf_rate_set_bps(rate, SF_RATE_START_BPS);
    }
}

void
sf_rate_set(struct sf_rate *rate, const struct sf_rate_config *config)
{
    rate->config.max_bps = config->max_bps;
    rate->config.is_scavenger = config->is_scavenger;
    sf_rate_set_bps(rate, rate->bps);
}

void
sf_rate_input(
    struct sf_rate *rate, const struct sf_delivery_report *report, uint64_t ce_dgrams, sf_mono now)
{
    struct sf_delivery_stretch stretch;
    uint64_t arrived_us = rate->delivery.newest.arrived_us;
    bool had_point = rate->delivery.has_point;
    bool is_judged = false;
    uint64_t gap_ns;

    if (!sf_delivery_input(&rate->delivery, report, now)) {
        return;
    }
    rate->is_marked = rate->is_marked || ce_dgrams > rate->ce_dgrams;
    rate->ce_dgrams = ce_dgrams;
    rate->reported = now;
    gap_ns = (rate->delivery.newest.arrived_us - arrived_us) * SF_US;
    if (!had_point || !rate->has_from || rate->from.received_bytes > report->received_bytes ||
        gap_ns > GAP_NS_MIN + 3 * sf_rate_report_ns(rate)) {
        rate->from = rate->delivery.newest;
        rate->has_from = true;
        rate->is_probing = false;
        return;
    }
    sf_rate_watch_probe(rate);
    if (rate->delivery.newest.arrived_us - rate->from.arrived_us >= stretch_span(rate) / SF_US &&
        sf_delivery_between(&rate->from, &rate->delivery.newest, &stretch)) {
        rate->from = rate->delivery.newest;
        judge(rate, &stretch, now);
        if (stretch.from >= rate->round_from) {
            end_round(rate, now);
        }
        is_judged = true;
    }
    decide(rate, now);
    if (is_judged) {
        rate->is_marked = false;
    }
}

void
sf_rate_resume(struct sf_rate *rate)
{
    sf_delivery_reset(&rate->delivery);
    rate->has_from = false;
    rate->is_probing = false;
    rate->is_dry = false;
    rate->trial_from = 0;
    rate->yield_from = 0;
    rate->lossy = 0;
    rate->last.span_ns = 0;
    if (rate->phase != SF_RATE_START) {
        sf_rate_set_bps(rate, sf_rate_share_bps(rate));
    }
}

uint64_t
sf_rate_bps(const struct sf_rate *rate)
{
    uint64_t bps = rate->bps;

    /* Until somebody answers nobody knows whether the path takes so much. */
    if (rate->reported == 0 && rate->config.known_bps == 0 &&
        rate->delivery.sent_bytes > SF_RATE_BLIND_BYTES && bps > SF_RATE_START_BPS / 10) {
        bps = SF_RATE_START_BPS / 10;
    }
    return bps;
}
