/*
 * path.h - one direction of a network: what becomes of each datagram.
 *
 * Arithmetic in integers over seeded streams, no clock and no bytes: given
 * the length of a datagram and the time, it says when copies of it arrive, if
 * any. The same model serves virtual time and the real-time link.
 *
 * A datagram meets, in this order: the MTU; a queue that drops from its tail;
 * the line, at its rate; contacts and outages, by when its last bit leaves;
 * loss, independent and in bursts (Gilbert, BSTJ 39, 1960; Elliott, BSTJ 42,
 * 1963); duplication, corruption, jitter and reordering. Jitter alone never
 * reorders. Fades make rate and loss worse and better again, slowly.
 *
 * Each kind of chance has a stream of its own, and a stream is drawn from only
 * while its kind is in use: so adding or changing one fault leaves the times
 * and victims of the others as they were. Not thread-safe.
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
    SF_SIM_PATH_FADE_STEPS = 64, /* a fade goes from one level to the next in as many steps */
};

/* Rates, delays and lengths beyond these are refused. */
#define SF_SIM_PATH_RATE_BPS_MAX  UINT64_C(1000000000000)
#define SF_SIM_PATH_TIME_NS_MAX   (UINT64_C(1000) * 86400 * SF_SEC)
#define SF_SIM_PATH_MTU_BYTES_MAX 65535
#define SF_SIM_PATH_FADE_NS_MIN   SF_MS      /* of fade_span_ns, if not 0 */
#define SF_SIM_PATH_PLAN_MAX      65536      /* contacts of one plan */
#define SF_SIM_PATH_DELAY_KEPT    UINT64_MAX /* of a planned contact: that of the path */

struct sf_sim_window {
    sf_mono start;
    uint64_t span_ns;
};

/* A contact with its own rate and light time, from a contact plan. */
struct sf_sim_contact {
    sf_mono start;
    uint64_t span_ns;
    uint64_t rate_bps; /* 0: that of the path */
    uint64_t delay_ns; /* one way; SF_SIM_PATH_DELAY_KEPT: that of the path */
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
    uint32_t duty_ppm;    /* up only in the first part of each period; 0: in all of it */
    struct sf_sim_window outages[SF_SIM_PATH_WINDOWS_MAX]; /* the path is down in them */
    size_t outage_count;
    struct sf_sim_window contacts[SF_SIM_PATH_WINDOWS_MAX]; /* if any: it is up only in them */
    size_t contact_count;

    /*
     * Fades: every fade_span_ns a new depth is drawn, between 0 and 1, and the
     * path moves there in equal steps. With the chance fade_ppm it is uniform,
     * else 0: a clear sky. At depth 1 the rate has lost fade_rate_ppm of itself
     * and fade_loss_ppm of all datagrams are lost beside those of loss_ppm.
     * The depth depends on the time alone, not on the datagrams.
     */
    uint64_t fade_span_ns; /* 0: no fades */
    uint32_t fade_ppm;
    uint32_t fade_rate_ppm; /* less than all */
    uint32_t fade_loss_ppm;

    /*
     * A contact plan: if not NULL, the path is up only in these, beside what
     * the windows say. In order of time, none overlapping; they are the
     * caller's and outlive the path.
     */
    const struct sf_sim_contact *plan;
    size_t plan_count;
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
    uint64_t bursts; /* of these, in the bad state */
    uint64_t corrupted;
    uint64_t duplicated;
    uint64_t reordered;
};

/* Kinds of chance, each a stream. New ones go to the end: the others stay as they are. */
enum sf_sim_path_chance {
    SF_SIM_CHANCE_LOSS,
    SF_SIM_CHANCE_BURST,
    SF_SIM_CHANCE_CORRUPT,
    SF_SIM_CHANCE_DUPLICATE,
    SF_SIM_CHANCE_REORDER,
    SF_SIM_CHANCE_JITTER,
    SF_SIM_CHANCE_COPY, /* all that happens to second copies */
    SF_SIM_CHANCES,
};

struct sf_sim_path {
    struct sf_sim_path_config config;
    struct sf_prng chances[SF_SIM_CHANCES];
    uint64_t fade_seed;
    uint64_t fade_knot;      /* number of the depth last passed, and both ends of that step */
    uint32_t fade_depths[2]; /* in ppm */
    bool fade_is_known;
    sf_mono line_free;      /* when the last bit of what was accepted has left */
    uint64_t line_rate_bps; /* at which it leaves */
    sf_mono old_free;       /* until then what was accepted at another rate leaves */
    uint64_t old_rate_bps;
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
 * The stream of chance of the path from one node of a world to another. A link
 * between real programs is that between nodes 0 and 1, so a seed has the same
 * fades and the same losses in virtual and in real time.
 */
static inline uint64_t
sf_sim_path_stream(unsigned from, unsigned to)
{
    return 3000 + (uint64_t)from * 16 + to;
}

/*
 * Returns SF_OK, or SF_EINVAL if a value of `config` is outside the limits
 * above, a probability is over a million, a count over its maximum or the plan
 * out of order; then `path` is left untouched. Paths with different `stream`s
 * draw independently.
 */
SF_MUST_USE int sf_sim_path_init(struct sf_sim_path *path, const struct sf_sim_path_config *config,
    uint64_t seed, uint64_t stream);

/*
 * The network changes: `config` counts for what enters from now on. What is
 * under way stays so, the streams go on. Errors as of init.
 */
SF_MUST_USE int sf_sim_path_change(
    struct sf_sim_path *path, const struct sf_sim_path_config *config);

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

/* How deep the fade is at `now` (never before an earlier call), in ppm. */
uint32_t sf_sim_path_fade(struct sf_sim_path *path, sf_mono now);

#endif
