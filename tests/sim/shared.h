/*
 * shared.h - several flows through one bottleneck, in virtual time: ours, with
 * the engine's own rate control and pacer, and simple models of what else is
 * on such a path.
 *
 * One queue in front of one line (sim/path.h), the same for all; before and
 * behind it each flow has its own delay. Datagrams are numbers: what is lost
 * is counted, and the flow goes on with new ones, as if repair were perfect.
 *
 *   SF_SHARED_ADAPTIVE   link/rate.h with link/pacer.h; reports as an inbox makes them
 *   SF_SHARED_SCAVENGER  the same, giving way
 *   SF_SHARED_FIXED      a pacer at a fixed rate
 *   SF_SHARED_CUBIC      RFC 9438: slow start until a loss, then the curve with C = 0.4 and
 *                        beta = 0.7, and the TCP-friendly region; every datagram is acknowledged; a
 *                        loss is known when a later one is acknowledged, and counts once a
 *                        window. No timeouts, no HyStart, no pacing: the window's clock is its acknowledgements
 *   SF_SHARED_BBR        BBR version 1 as it is deployed: start at 2.89, drain, eight phases of gains,
 *                        the most of ten rounds, the least round trip of ten seconds with 200 ms
 *                        at four datagrams, twice the product in flight; deaf to loss
 */
#ifndef SF_TESTS_SIM_SHARED_H
#define SF_TESTS_SIM_SHARED_H

#include "link/pacer.h"
#include "link/rate.h"
#include "sim/path.h"

enum {
    SHARED_FLOWS_MAX = 4,
    SHARED_DGRAM_BYTES = 1400,
};

enum shared_kind {
    SHARED_ADAPTIVE,
    SHARED_SCAVENGER,
    SHARED_FIXED,
    SHARED_CUBIC,
    SHARED_BBR,
};

struct shared_flow_config {
    enum shared_kind kind;
    uint64_t delay_ns; /* both ways together, beside the line and its queue */
    uint64_t from_ns;  /* when it begins */
    uint64_t until_ns; /* and ends; 0 = never */
    uint64_t rate_bps; /* FIXED; the others: the ceiling, 0 = none */
    uint64_t known_bps;
    /* From then on nothing to send in the first part of every so many; 0 = always something. */
    uint64_t idle_from_ns, idle_ns, idle_period_ns;
};

struct shared_config {
    uint64_t seed;
    struct sf_sim_path_config path;
    struct shared_flow_config flows[SHARED_FLOWS_MAX];
    size_t flow_count;
};

struct shared;

/* Exits without memory. */
struct shared *shared_open(const struct shared_config *config);
void shared_close(struct shared *shared);

/* Let time pass to `until`. */
void shared_run(struct shared *shared, sf_mono until);

/* From now on the path is another. */
void shared_change(struct shared *shared, const struct sf_sim_path_config *path);

struct shared_figures {
    uint64_t sent_bytes;
    uint64_t arrived_bytes;
    uint64_t lost_bytes;
    uint64_t queue_ns;       /* of the last one that arrived */
    uint64_t queue_least_ns; /* since it was last asked; resets */
    uint64_t rate_bps;       /* it would send at now */
    uint64_t reports;
};

void shared_figures(struct shared *shared, size_t flow, struct shared_figures *ret_figures);

/* The rate control of an ADAPTIVE or SCAVENGER flow. */
const struct sf_rate *shared_rate(const struct shared *shared, size_t flow);

#endif
