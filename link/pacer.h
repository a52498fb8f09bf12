/*
 * pacer.h - decides when the next datagram may leave.
 *
 * Virtual time: every datagram moves the time of the next one by its length at
 * the link's rate. Whoever comes late may catch up by at most the burst, so an
 * idle link stores up no right to a flood. A datagram that was there and had to
 * wait for the line is another matter: if a busy machine wakes us late for it,
 * some milliseconds are made good, or the rate would fall with every such delay.
 *
 * Arithmetic only: no clock, no I/O, no allocation. Bytes are IP bytes.
 * Not thread-safe; one pacer belongs to one peer.
 */
#ifndef SF_LINK_PACER_H
#define SF_LINK_PACER_H

#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_PACER_RATE_BPS_MIN    UINT64_C(1000)
#define SF_PACER_RATE_BPS_MAX    UINT64_C(100000000000)
#define SF_PACER_BURST_NS_MAX    (100 * SF_MS)
#define SF_PACER_DGRAM_BYTES_MAX 65535
/* What is made good at most for a datagram that waited: this, or so many like it. */
#define SF_PACER_LATE_NS     (4 * SF_MS)
#define SF_PACER_LATE_DGRAMS 4

struct sf_pacer {
    uint64_t rate_bps;
    uint64_t burst_ns;
    uint64_t remainder; /* bit-nanoseconds not yet a whole nanosecond, below rate_bps */
    sf_mono next;       /* when the line is free again */
    uint64_t idle_ns;   /* line time nobody used, beyond bursts, so far */
    bool is_awaited;    /* a datagram waits for that */
};

/*
 * Prepare `pacer` for `rate_bps` bits per second, at most `burst_ns` of line
 * time ahead. It starts idle: the first datagram may leave at `now`.
 *
 * Returns SF_OK, or SF_EINVAL if a value is outside the limits above; then
 * `pacer` is left untouched.
 */
SF_MUST_USE int sf_pacer_init(
    struct sf_pacer *pacer, uint64_t rate_bps, uint64_t burst_ns, sf_mono now);

/* Change the rate; what is on the line already stays there. SF_OK or SF_EINVAL. */
SF_MUST_USE int sf_pacer_set_rate(struct sf_pacer *pacer, uint64_t rate_bps);

/* Whether a datagram may leave at `now`. */
static inline bool
sf_pacer_is_open(const struct sf_pacer *pacer, sf_mono now)
{
    return pacer->next <= now;
}

/* When it may. */
static inline sf_mono
sf_pacer_deadline(const struct sf_pacer *pacer)
{
    return pacer->next;
}

/* There is a datagram that only waits for the line. */
static inline void
sf_pacer_await(struct sf_pacer *pacer)
{
    pacer->is_awaited = true;
}

/* There is none: the line stands idle because nothing is to be sent. */
static inline void
sf_pacer_idle(struct sf_pacer *pacer)
{
    pacer->is_awaited = false;
}

/*
 * A datagram of `ip_bytes` (at most SF_PACER_DGRAM_BYTES_MAX) left at `now`.
 * Counts also when the pacer was not open, for what may not wait.
 */
void sf_pacer_sent(struct sf_pacer *pacer, size_t ip_bytes, sf_mono now);

#endif
