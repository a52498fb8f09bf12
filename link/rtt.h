/*
 * rtt.h - the smoothed round trip (RFC 6298 section 2, in integers).
 *
 * Samples come from echoed stamps, less the time the peer held them. Not
 * thread-safe; one per peer.
 */
#ifndef SF_LINK_RTT_H
#define SF_LINK_RTT_H

#include <stdint.h>

/* Longer samples are a peer's mistake or a clock's: Mars and back is 45 minutes. */
#define SF_RTT_NS_MAX (UINT64_C(4) * 3600 * 1000000000)

struct sf_rtt {
    uint64_t srtt_ns; /* 0 = no sample yet */
    uint64_t rttvar_ns;
    uint64_t min_ns; /* smallest sample; 0 = none */
    uint64_t latest_ns;
};

void sf_rtt_init(struct sf_rtt *rtt);

/*
 * A stamp came back `elapsed_ns` after it left, of which the peer says it held
 * it for `held_ns`. A hold longer than the whole is not believed and counts as
 * zero. Samples above SF_RTT_NS_MAX are dropped.
 */
void sf_rtt_sample(struct sf_rtt *rtt, uint64_t elapsed_ns, uint64_t held_ns);

/* When an answer is overdue: srtt + 4 rttvar, at least 10 ms; `unknown_ns` without a sample. */
uint64_t sf_rtt_timeout(const struct sf_rtt *rtt, uint64_t unknown_ns);

#endif
