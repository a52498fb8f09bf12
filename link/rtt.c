/*
 * rtt.c - RFC 6298's estimator with alpha 1/8 and beta 1/4.
 */
#include "link/rtt.h"

#include "base/time.h"

#define TIMEOUT_NS_MIN (10 * SF_MS)

void
sf_rtt_init(struct sf_rtt *rtt)
{
    *rtt = (struct sf_rtt){0};
}

void
sf_rtt_sample(struct sf_rtt *rtt, uint64_t elapsed_ns, uint64_t held_ns)
{
    uint64_t sample = held_ns <= elapsed_ns ? elapsed_ns - held_ns : elapsed_ns;
    uint64_t gap;

    if (sample > SF_RTT_NS_MAX) {
        return;
    }
    if (sample == 0) {
        sample = 1; /* zero stands for "not known" */
    }
    rtt->latest_ns = sample;
    if (rtt->srtt_ns == 0) {
        rtt->srtt_ns = sample;
        rtt->rttvar_ns = sample / 2;
        rtt->min_ns = sample;
        return;
    }
    gap = sample > rtt->srtt_ns ? sample - rtt->srtt_ns : rtt->srtt_ns - sample;
    rtt->rttvar_ns = (3 * rtt->rttvar_ns + gap) / 4;
    rtt->srtt_ns = (7 * rtt->srtt_ns + sample) / 8;
    if (rtt->srtt_ns == 0) {
        rtt->srtt_ns = 1;
    }
    if (sample < rtt->min_ns) {
        rtt->min_ns = sample;
    }
}

uint64_t
sf_rtt_timeout(const struct sf_rtt *rtt, uint64_t unknown_ns)
{
    uint64_t timeout;

    if (rtt->srtt_ns == 0) {
        return unknown_ns;
    }
    timeout = rtt->srtt_ns + 4 * rtt->rttvar_ns;
    return timeout > TIMEOUT_NS_MIN ? timeout : TIMEOUT_NS_MIN;
}
