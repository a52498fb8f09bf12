/*
 * path.h - one direction of a network: what becomes of each datagram.
 *
 * Arithmetic in integers over a seeded stream, no clock and no bytes: given
 * the length of a datagram and the time, it says when copies of it arrive, if
 * any. The same model serves virtual time and the real-time proxy.
 *
 * A datagram meets, in this order: the MTU; a queue that drops from its tail;
 * the line, at its rate; contacts and outages, by when its last bit leaves;
 * loss, independent and in bursts (Gilbert, BSTJ 39, 1960; Elliott, BSTJ 42,
 * 1963); duplication, corruption, jitter and reordering. Jitter alone never
 * reorders. Not thread-safe.
 */
#ifndef SF_SIM_PATH_H
#define SF_SIM_PATH_H

#include "base/prng.h"
#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_SIM_PATH_WINDOWS_MAX = 64,
    SF_SIM_PATH_COPIES_MAX = 2,
};

/* Rates, delays and lengths beyond these are refused. */
#define SF_SIM_PATH_RATE_BPS_MAX  UINT64_C(1000000000000)
#define SF_SIM_PATH_TIME_NS_MAX   (UINT64_C(1000) * 86400 * SF_SEC)
#define SF_SIM_PATH_MTU_BYTES_MAX 65535

struct sf_sim_window {
    sf_mono start;
    uint64_t span_ns;
};

struct sf_sim_path_config {
    uint64_t rate_bps;        /* of IP bytes; 0: no limit */
    uint64_t delay_ns;        /* one way */
    uint64_t jitter_ns;       /* added, uniform in [0, jitter] */
    uint32_t loss_ppm;        /* of all datagrams, each on its own */
    uint32_t burst_enter_ppm; /* a good state turns bad, per datagram */
    uint32_t burst_leave_ppm; /* a bad state turns good, per datagram */
    uint32_t burst_loss_ppm;  /* loss in the bad state */
    uint32_t corrupt_ppm;     /* one bit flips */
    uint32_t duplicate_ppm;   /* a second copy arrives, with jitter and order of its own */
    uint32_t reorder_ppm;     /* held back by up to reorder_ns, others overtake */
    uint64_t reorder_ns;
    uint64_t queue_bytes; /* waiting for the line; 0: no limit */
    uint32_t mtu_bytes;   /* IP bytes; longer ones vanish; 0: no limit */
    uint64_t period_ns;   /* windows repeat after this; 0: they do not */
    struct sf_sim_window outages[SF_SIM_PATH_WINDOWS_MAX]; /* the path is down in them */
    size_t outage_count;
    struct sf_sim_window contacts[SF_SIM_PATH_WINDOWS_MAX]; /* if any: it is up only in them */
    size_t contact_count;
};

struct sf_sim_path_stats {
    uint64_t datagrams_in;
    uint64_t bytes_in; /* IP bytes */
    uint64_t datagrams_out;
    uint64_t bytes_out;
    uint64_t dropped_mtu;
    uint64_t dropped_queue;
    uint64_t dropped_outage;
    uint64_t dropped_loss;
    uint64_t corrupted;
    uint64_t duplicated;
    uint64_t reordered;
};

struct sf_sim_path {
    struct sf_sim_path_config config;
    struct sf_prng prng;
    sf_mono line_free;  /* when the last bit of what was accepted has left */
    uint64_t remainder; /* of the division by the rate, or slow lines would drift */
    sf_mono last_at;    /* the latest arrival that keeps the order */
    bool bad;           /* Gilbert-Elliott state */
    struct sf_sim_path_stats stats;
};

struct sf_sim_delivery {
    sf_mono at;
    bool corrupted;
    uint32_t flip_bit; /* which bit, counted from the first of the datagram's payload */
};

/*
 * Returns SF_OK, or SF_EINVAL if a value of `config` is outside the limits
 * above, a probability is over a million or a count over its maximum; then
 * `path` is left untouched. Paths with different `stream`s draw independently.
 */
SF_MUST_USE int sf_sim_path_init(struct sf_sim_path *path, const struct sf_sim_path_config *config,
    uint64_t seed, uint64_t stream);

/*
 * A datagram of `payload_bytes`, `ip_bytes` with its IP and UDP headers,
 * enters at `now` (never before an earlier one). Returns how many copies
 * arrive, each described in `ret_deliveries`.
 */
size_t sf_sim_path_input(struct sf_sim_path *path, size_t payload_bytes, size_t ip_bytes,
    sf_mono now, struct sf_sim_delivery ret_deliveries[SF_SIM_PATH_COPIES_MAX]);

/* Do to the payload what `delivery` says. */
void sf_sim_delivery_apply(
    const struct sf_sim_delivery *delivery, uint8_t *payload, size_t payload_bytes);

/* Whether something whose last bit leaves at `at` gets through contacts and outages. */
bool sf_sim_path_is_up(const struct sf_sim_path_config *config, sf_mono at);

#endif
