/*
 * pacer.c - integer virtual-time pacing.
 */
#include "link/pacer.h"

#include "base/assert.h"

int
sf_pacer_init(struct sf_pacer *pacer, uint64_t rate_bps, uint64_t burst_ns, sf_mono now)
{
    if (rate_bps < SF_PACER_RATE_BPS_MIN || rate_bps > SF_PACER_RATE_BPS_MAX ||
        burst_ns > SF_PACER_BURST_NS_MAX) {
        return SF_EINVAL;
    }
    pacer->rate_bps = rate_bps;
    pacer->burst_ns = burst_ns;
    pacer->remainder = 0;
    pacer->next = now;
    pacer->idle_ns = 0;
    pacer->is_awaited = false;
    return SF_OK;
}

int
sf_pacer_set_rate(struct sf_pacer *pacer, uint64_t rate_bps)
{
    if (rate_bps < SF_PACER_RATE_BPS_MIN || rate_bps > SF_PACER_RATE_BPS_MAX) {
        return SF_EINVAL;
    }
    if (rate_bps != pacer->rate_bps) {
        pacer->rate_bps = rate_bps;
        pacer->remainder = 0; /* it was counted in the old rate */
    }
    return SF_OK;
}

/* Line time that may be made good after a datagram of `line_ns`. */
static uint64_t
allowance_ns(const struct sf_pacer *pacer, uint64_t line_ns)
{
    uint64_t late_ns = SF_PACER_LATE_DGRAMS * line_ns;

    if (!pacer->is_awaited) {
        return pacer->burst_ns;
    }
    late_ns = late_ns > SF_PACER_LATE_NS ? late_ns : SF_PACER_LATE_NS;
    return late_ns > pacer->burst_ns ? late_ns : pacer->burst_ns;
}

void
sf_pacer_sent(struct sf_pacer *pacer, size_t ip_bytes, sf_mono now)
{
    uint64_t line_ns = (uint64_t)ip_bytes * 8 * SF_SEC / pacer->rate_bps;
    uint64_t most_ns = allowance_ns(pacer, line_ns);
    sf_mono oldest = now > most_ns ? now - most_ns : 0;
    uint64_t scaled;

    sf_assert(ip_bytes <= SF_PACER_DGRAM_BYTES_MAX);
    if (pacer->next < oldest) {
        /* The line stood idle: what was not used then is gone but for the allowance. */
        pacer->idle_ns += oldest - pacer->next;
        pacer->next = oldest;
        pacer->remainder = 0;
    }
    /* Carry the remainder, or a slow link drifts by one ns per datagram. */
    scaled = (uint64_t)ip_bytes * 8 * SF_SEC + pacer->remainder;
    pacer->next = sf_mono_add(pacer->next, scaled / pacer->rate_bps);
    pacer->remainder = scaled % pacer->rate_bps;
}
