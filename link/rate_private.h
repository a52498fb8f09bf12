/*
 * rate_private.h - what the files of the rate share: rate.c (what to do with
 * each report), rate_path.c (what is known of the path), rate_others.c (who
 * else is on it).
 */
#ifndef SF_LINK_RATE_PRIVATE_H
#define SF_LINK_RATE_PRIVATE_H

#include "link/rate.h"

enum {
    SF_RATE_PPM = 1000000,
    SF_RATE_LOSS_SLACK_PPM = 20000, /* beyond the path's own loss and half of it */
    SF_RATE_LOSS_DATAGRAMS = 100,   /* fewer tell no share of loss */
    SF_RATE_PROBE_ROUNDS = 8,       /* from one probe to the next, about */
};

#define SF_RATE_SPAN_NS_MIN (25 * SF_MS) /* of a stretch: jitter must not decide */
#define SF_RATE_LOSS_BYTES  ((uint64_t)SF_RATE_LOSS_DATAGRAMS * SF_CURVE_SEGMENT_BYTES)

static inline uint64_t
sf_rate_clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* --- rate.c ----------------------------------------------------------------------- */

/* Set the rate, within its bounds. */
void sf_rate_set_bps(struct sf_rate *rate, uint64_t bps);

/* --- rate_path.c ------------------------------------------------------------------ */

/* The shortest round trip of late, and the longest time between reports that it makes. */
uint64_t sf_rate_trip_ns(const struct sf_rate *rate);
uint64_t sf_rate_report_ns(const struct sf_rate *rate);

/* As long as some datagrams take: of fewer nothing can be told. */
uint64_t sf_rate_enough_ns(const struct sf_rate *rate);

/* The queue that stands; that may stand; that is aimed at; below which there is none. */
uint64_t sf_rate_queue_ns(const struct sf_rate *rate);
uint64_t sf_rate_allowed_ns(const struct sf_rate *rate);
uint64_t sf_rate_aim_ns(const struct sf_rate *rate);
uint64_t sf_rate_none_ns(const struct sf_rate *rate);
uint64_t sf_rate_jitter_ns(const struct sf_rate *rate);

/* Our share of the line. To set it: nothing before counts any more. */
uint64_t sf_rate_share_bps(const struct sf_rate *rate);
void sf_rate_set_share(struct sf_rate *rate, uint64_t bps);

/* What the path loses whatever we do, and whether a stretch lost clearly more. */
uint64_t sf_rate_own_loss_ppm(const struct sf_rate *rate);
bool sf_rate_loses_too_much(const struct sf_rate *rate, const struct sf_delivery_stretch *stretch);

/* What the queue served of a stretch: what arrived, and what was lost behind the queue. */
uint64_t sf_rate_served_bps(const struct sf_rate *rate, const struct sf_delivery_stretch *stretch);

/* --- rate_others.c ------------------------------------------------------------------ */

/* In the contest: the rate by the curve; what a stretch, and what a round does to it. */
void sf_rate_contest(struct sf_rate *rate, sf_mono now);
void sf_rate_judge_fall(
    struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now);
void sf_rate_press(struct sf_rate *rate, sf_mono now);

/* Probes: may one begin; begin it; follow it with each report. */
bool sf_rate_may_probe(const struct sf_rate *rate);
void sf_rate_begin_probe(struct sf_rate *rate, sf_mono now);
void sf_rate_watch_probe(struct sf_rate *rate);

/* Who else is there decides whether to contest. */
void sf_rate_judge_others(struct sf_rate *rate, sf_mono now);

/* Give way to a queue far above what is allowed. Returns whether there is one. */
bool sf_rate_judge_long_queue(
    struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now);

/*
 * The same for a queue that is too short to be long, and overflows at less than
 * would be allowed: others in it fall for that, so we do. Returns whether it does.
 */
bool sf_rate_judge_short_queue(
    struct sf_rate *rate, const struct sf_delivery_stretch *stretch, sf_mono now);

#endif
