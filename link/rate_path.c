/*
 * rate_path.c - what the rate knows of its path: its round trip, the queue that
 * may stand, our share, its own loss.
 */
#include "link/rate_private.h"

#include <string.h>

enum { FEW_DATAGRAMS = 16 };

#define QUEUE_NS_MIN   (5 * SF_MS) /* a queue may stand: RTT / 8 within these */
#define QUEUE_NS_MAX   (25 * SF_MS)
#define RTT_NS_UNKNOWN (100 * SF_MS)
#define ENOUGH_NS_MAX  (2 * SF_SEC)

uint64_t
sf_rate_trip_ns(const struct sf_rate *rate)
{
    uint64_t rtt_ns = sf_delivery_rtt_ns(&rate->delivery);

    return rtt_ns == 0 ? RTT_NS_UNKNOWN : rtt_ns;
}

/* How often reports come, at most; see inbox_report.c. */
uint64_t
sf_rate_report_ns(const struct sf_rate *rate)
{
    return sf_rate_clamp(sf_rate_trip_ns(rate) / 4, 10 * SF_MS, 100 * SF_MS);
}

/* As long as some datagrams take: of fewer nothing can be told. */
uint64_t
sf_rate_enough_ns(const struct sf_rate *rate)
{
    uint64_t ns = (uint64_t)FEW_DATAGRAMS * SF_CURVE_SEGMENT_BYTES * 8 * SF_SEC / rate->bps;

    return ns < ENOUGH_NS_MAX ? ns : ENOUGH_NS_MAX;
}

/* The queue that may stand. */
uint64_t
sf_rate_allowed_ns(const struct sf_rate *rate)
{
    return sf_rate_clamp(sf_rate_trip_ns(rate) / 8, QUEUE_NS_MIN, QUEUE_NS_MAX);
}

uint64_t
sf_rate_jitter_ns(const struct sf_rate *rate)
{
    uint64_t jitter_ns = rate->delivery.jitter_us * SF_US;

    return jitter_ns < sf_rate_allowed_ns(rate) ? jitter_ns : sf_rate_allowed_ns(rate);
}

/* log2 of `value` in sixteenths. */
static unsigned
log2_16(uint64_t value)
{
    unsigned whole = 63 - (unsigned)__builtin_clzll(value | 1);
    uint64_t rest = whole >= 4 ? value >> (whole - 4) : value << (4 - whole);

    return whole * 16 + (unsigned)(rest & 15);
}

/* The queue aimed at: from 3/4 to 1/4 of what is allowed, less with each doubling of the rate. */
uint64_t
sf_rate_aim_ns(const struct sf_rate *rate)
{
    const unsigned slow = 17 * 16; /* 131 kbit/s */
    const unsigned fast = 33 * 16; /* 8.6 Gbit/s */
    unsigned here = (unsigned)sf_rate_clamp(log2_16(rate->bps), slow, fast);
    uint64_t half = sf_rate_allowed_ns(rate) / 2;
    uint64_t queue_ns = half / 2 + half * (fast - here) / (fast - slow);

    if (rate->config.is_scavenger) {
        return queue_ns / 4;
    }
    return queue_ns + sf_rate_jitter_ns(rate) / 2;
}

/* Below this there is no queue to speak of. */
uint64_t
sf_rate_none_ns(const struct sf_rate *rate)
{
    return sf_rate_aim_ns(rate) / 2 + sf_rate_jitter_ns(rate) / 4;
}

uint64_t
sf_rate_queue_ns(const struct sf_rate *rate)
{
    return sf_delivery_queue_ns(&rate->delivery,
        sf_rate_clamp(sf_rate_trip_ns(rate) / 2, SF_RATE_SPAN_NS_MIN, 4 * SF_RATE_SPAN_NS_MIN));
}

uint64_t
sf_rate_share_bps(const struct sf_rate *rate)
{
    uint64_t most = 0;

    for (size_t i = 0; i < SF_RATE_ROUNDS; i++) {
        most = rate->shares[i] > most ? rate->shares[i] : most;
    }
    return most;
}

/* Nothing before counts: the share is `bps`. */
void
sf_rate_set_share(struct sf_rate *rate, uint64_t bps)
{
    memset(rate->shares, 0, sizeof(rate->shares));
    rate->shares[rate->share_at] = bps;
}

/* What the path loses whatever we do. */
uint64_t
sf_rate_own_loss_ppm(const struct sf_rate *rate)
{
    size_t count = rate->loss_count < SF_RATE_LOSSES ? rate->loss_count : SF_RATE_LOSSES;
    uint64_t least = count == 0 ? 0 : SF_RATE_PPM / 2;

    for (size_t i = 0; i < count; i++) {
        least = rate->losses[i] < least ? rate->losses[i] : least;
    }
    return least;
}

/* What the queue served of a stretch: what arrived, and what was lost behind the queue. */
uint64_t
sf_rate_served_bps(const struct sf_rate *rate, const struct sf_delivery_stretch *stretch)
{
    uint64_t own = sf_rate_own_loss_ppm(rate);

    return stretch->received_bps + stretch->received_bps * own / (SF_RATE_PPM - own);
}

bool
sf_rate_loses_too_much(const struct sf_rate *rate, const struct sf_delivery_stretch *stretch)
{
    uint64_t own = sf_rate_own_loss_ppm(rate);

    return stretch->sent_bytes >= SF_RATE_LOSS_BYTES &&
           stretch->lost_ppm > own + own / 2 + SF_RATE_LOSS_SLACK_PPM;
}
