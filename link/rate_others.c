/*
 * rate_others.c - whether somebody else is in the queue, and what follows.
 */
#include "link/rate_private.h"

enum {
    CONTEST_PERMILLE = 650,
    CALM_PERMILLE = 450,
    SMALL_PERMILLE = 725,   /* so little is left to us: it is others who do not give way */
    SMALL_LOSS_PPM = 80000, /* then only so much loss is a reason to fall */
    FULL_LOSS_PPM = 1000,
};

static uint64_t
whole_trip(const struct sf_rate *rate)
{
    return sf_rate_trip_ns(rate) + sf_rate_queue_ns(rate);
}

static void
begin_contest(struct sf_rate *rate, sf_mono now)
{
    uint64_t bps = sf_rate_share_bps(rate);

    bps = bps > rate->claim_bps ? bps : (bps + rate->claim_bps) / 2;
    rate->phase = SF_RATE_CONTEST;
    rate->yield_from = 0;
    rate->is_dry = false;
    sf_curve_begin(&rate->curve, bps / 8 * (whole_trip(rate) / SF_US) / 1000000, now);
}

void
sf_rate_contest(struct sf_rate *rate, sf_mono now)
{
    sf_curve_follow(&rate->curve, now);
    sf_rate_set_bps(rate, rate->curve.bytes * 8 * 1000000 / (whole_trip(rate) / SF_US + 1));
}

static uint64_t
probe_span(const struct sf_rate *rate)
{
    uint64_t third = sf_rate_trip_ns(rate) / 3;
    uint64_t least = sf_rate_report_ns(rate) * 5 / 2 + sf_rate_enough_ns(rate);

    return third > least ? third : least;
}

bool
sf_rate_may_probe(const struct sf_rate *rate)
{
    return !rate->is_probing && !rate->is_dry && rate->trial_from == 0 && rate->yield_from == 0 &&
           rate->last.span_ns > 0 && !rate->last.is_limited &&
           sf_rate_queue_ns(rate) > sf_rate_none_ns(rate) &&
           rate->bps < rate->config.max_bps / 5 * 4;
}

void
sf_rate_begin_probe(struct sf_rate *rate, sf_mono now)
{
    rate->is_probing = true;
    rate->has_probe_point = false;
    rate->probe_before = rate->last;
    rate->probe_from = now;
    rate->probe_to = now + probe_span(rate);
    /* Not all at the same pace: two that probe in step would learn nothing of each other. */
    rate->probe_wait = SF_RATE_PROBE_ROUNDS - 2 + (unsigned)((now / SF_US * 2654435761 >> 16) % 5);
}

/* How much more arrived, for how much more was sent: the share of the others. */
static void
end_probe(struct sf_rate *rate, const struct sf_delivery_stretch *probe)
{
    const struct sf_delivery_stretch *before = &rate->probe_before;
    uint64_t more, gain, others;

    if (probe->sent_bps < before->sent_bps / 100 * 108 || before->received_bps < 1000) {
        return;
    }
    more = probe->sent_bps * 1000 / before->sent_bps - 1000;
    gain = probe->received_bps * 1000 / before->received_bps;
    gain = gain > 1000 ? gain - 1000 : 0;
    others = gain < more ? gain * 1000 / more : 1000;
    /* Slower to believe that it is alone: one probe may have met a pause of the others. */
    if (others > rate->others_permille) {
        rate->others_permille += (others - rate->others_permille) / 2;
    } else {
        rate->others_permille -= (rate->others_permille - others) / 4;
    }
}

/* Follow a running probe with each report. */
void
sf_rate_watch_probe(struct sf_rate *rate)
{
    const struct sf_delivery_point *newest = &rate->delivery.newest;
    struct sf_delivery_stretch probe;

    if (!rate->is_probing || newest->sent_at < rate->probe_from) {
        return;
    }
    if (!rate->has_probe_point) {
        rate->probe_point = *newest;
        rate->has_probe_point = true;
        return;
    }
    if (newest->sent_at + sf_rate_report_ns(rate) / 2 < rate->probe_to) {
        return;
    }
    if (sf_delivery_between(&rate->probe_point, newest, &probe) && !probe.is_limited) {
        end_probe(rate, &probe);
    }
    rate->is_probing = false;
}

/* Who else is there decides how to go on. */
void
sf_rate_judge_others(struct sf_rate *rate, sf_mono now)
{
    uint64_t others = rate->others_permille;

    if (rate->phase == SF_RATE_CALM && others > CONTEST_PERMILLE && !rate->config.is_scavenger) {
        begin_contest(rate, now);
    } else if (rate->phase == SF_RATE_CONTEST && others < CALM_PERMILLE) {
        rate->phase = SF_RATE_CALM;
    }
}

/*
 * A long queue: what arrives now is all there is for us, whether the line became slower or somebody
 * came. In case it was somebody, what we had before is not forgotten.
 */
static void
give_way(struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    uint64_t had = sf_rate_share_bps(rate);
    uint64_t bps = sf_rate_served_bps(rate, stretch);

    rate->claim_bps = had > rate->claim_bps ? had : rate->claim_bps;
    if (bps < had) {
        sf_rate_set_share(rate, bps);
    }
    rate->yield_from = now;
    rate->yield_bps = stretch->received_bps;
}

/*
 * What was sent since we gave way has come. While a queue of our own drains, more arrives than
 * is sent; somebody who fills whatever room there is leaves us no more than we send.
 */
static void
judge_yield(struct sf_rate *rate, const struct sf_delivery_stretch *stretch)
{
    uint64_t had = rate->yield_bps;
    uint64_t others = 0;

    if (stretch->sent_bps < had / 100 * 95) {
        if (stretch->received_bps < had) {
            others = 1000 * (had - stretch->received_bps) / (had - stretch->sent_bps);
        }
        others = others < 1000 ? others : 1000;
        rate->others_permille = (rate->others_permille + 3 * others) / 4;
    }
    rate->yield_from = 0;
}

/* With a queue far above what is allowed. Returns whether there is one. */
bool
sf_rate_judge_long_queue(
    struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    bool is_long = sf_rate_queue_ns(rate) > 2 * sf_rate_allowed_ns(rate);

    if (rate->yield_from != 0 && stretch->from >= rate->yield_from) {
        judge_yield(rate, stretch);
        sf_rate_judge_others(rate, now);
    }
    if (!is_long) {
        rate->yield_from = 0;
        rate->claim_bps = 0;
    } else if (rate->yield_from == 0 && rate->phase == SF_RATE_CALM) {
        give_way(rate, stretch, now);
    }
    return is_long;
}

/* The queue is as long as it ever gets, and more is lost than the path loses of itself. */
static bool
is_overflow(
    const struct sf_rate *rate, const struct sf_delivery_stretch *stretch, uint64_t bearable_ppm)
{
    bool is_full = sf_rate_queue_ns(rate) >= rate->queue_top_ns / 8 * 7;

    return (is_full || rate->lossy > 0 || rate->is_marked) && stretch->lost_ppm > bearable_ppm;
}

static uint64_t
bearable(const struct sf_rate *rate)
{
    uint64_t own = sf_rate_own_loss_ppm(rate);

    return own + own / 4 + FULL_LOSS_PPM;
}

void
sf_rate_judge_fall(struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    uint64_t least = bearable(rate);

    if (rate->others_permille > SMALL_PERMILLE) {
        least = rate->lossy < 2 ? SF_RATE_PPM : sf_rate_own_loss_ppm(rate) + SMALL_LOSS_PPM;
    }
    if (is_overflow(rate, stretch, least)) {
        sf_curve_fall(&rate->curve, whole_trip(rate), now);
    }
}

bool
sf_rate_judge_short_queue(
    struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now)
{
    if (sf_rate_queue_ns(rate) <= sf_rate_aim_ns(rate) || rate->is_probing ||
        now < sf_mono_add(rate->probe_to, 2 * whole_trip(rate)) ||
        !is_overflow(rate, stretch, bearable(rate))) {
        return false;
    }
    if (now >= sf_mono_add(rate->curve.fell_at, whole_trip(rate))) {
        rate->curve.fell_at = now;
        sf_rate_set_share(rate, sf_rate_share_bps(rate) / 8 * 7);
    }
    return true;
}

/*
 * Each round: at least what Reno would gain (RFC 9438 section 4.3); and who has next to nothing
 * beside somebody who does not give way takes an eighth more.
 */
void
sf_rate_press(struct sf_rate *rate, sf_mono now)
{
    uint64_t bytes = SF_CURVE_SEGMENT_BYTES / 2;

    if (rate->others_permille > SMALL_PERMILLE && rate->lossy < 2) {
        bytes += rate->curve.bytes / 8;
    }
    sf_curve_press(&rate->curve, bytes, now);
}
