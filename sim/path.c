#include "sim/path.h"

#include <string.h>

/* --- Opening --- */

static bool
windows_are_valid(const struct sf_sim_window *windows, size_t count)
{
    if (count > SF_SIM_PATH_WINDOWS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (windows[i].start > SF_SIM_PATH_TIME_NS_MAX ||
            windows[i].span_ns > SF_SIM_PATH_TIME_NS_MAX) {
            return false;
        }
    }
    return true;
}

static bool
plan_is_valid(const struct sf_sim_contact *plan, size_t count)
{
    sf_mono end = 0;

    if (count > SF_SIM_PATH_PLAN_MAX) {
        return false;
    }
    for (size_t i = 0; plan != NULL && i < count; i++) {
        if (plan[i].start < end || plan[i].start > SF_SIM_PATH_TIME_NS_MAX ||
            plan[i].span_ns > SF_SIM_PATH_TIME_NS_MAX ||
            plan[i].rate_bps > SF_SIM_PATH_RATE_BPS_MAX ||
            (plan[i].delay_ns > SF_SIM_PATH_TIME_NS_MAX &&
                plan[i].delay_ns != SF_SIM_PATH_DELAY_KEPT)) {
            return false;
        }
        end = plan[i].start + plan[i].span_ns;
    }
    return true;
}

static bool
shares_are_valid(const struct sf_sim_path_config *c)
{
    return c->loss_ppm <= SF_PRNG_PPM && c->burst_enter_ppm <= SF_PRNG_PPM &&
           c->burst_leave_ppm <= SF_PRNG_PPM && c->burst_loss_ppm <= SF_PRNG_PPM &&
           c->corrupt_ppm <= SF_PRNG_PPM && c->duplicate_ppm <= SF_PRNG_PPM &&
           c->reorder_ppm <= SF_PRNG_PPM && c->duty_ppm <= SF_PRNG_PPM &&
           c->fade_ppm <= SF_PRNG_PPM && c->fade_rate_ppm < SF_PRNG_PPM &&
           c->fade_loss_ppm <= SF_PRNG_PPM;
}

static bool
is_valid(const struct sf_sim_path_config *c)
{
    return c->rate_bps <= SF_SIM_PATH_RATE_BPS_MAX && c->delay_ns <= SF_SIM_PATH_TIME_NS_MAX &&
           c->jitter_ns <= SF_SIM_PATH_TIME_NS_MAX && c->reorder_ns <= SF_SIM_PATH_TIME_NS_MAX &&
           c->period_ns <= SF_SIM_PATH_TIME_NS_MAX && c->mtu_bytes <= SF_SIM_PATH_MTU_BYTES_MAX &&
           c->fade_span_ns <= SF_SIM_PATH_TIME_NS_MAX &&
           (c->fade_span_ns == 0 || c->fade_span_ns >= SF_SIM_PATH_FADE_NS_MIN) &&
           shares_are_valid(c) && windows_are_valid(c->outages, c->outage_count) &&
           windows_are_valid(c->contacts, c->contact_count) &&
           plan_is_valid(c->plan, c->plan_count);
}

int
sf_sim_path_init(struct sf_sim_path *path, const struct sf_sim_path_config *config, uint64_t seed,
    uint64_t stream)
{
    struct sf_prng seeds;

    if (!is_valid(config)) {
        return SF_EINVAL;
    }
    *path = (struct sf_sim_path){.config = *config};
    sf_prng_init_stream(&seeds, seed, stream);
    path->fade_seed = sf_prng_u64(&seeds);
    for (size_t i = 0; i < SF_SIM_CHANCES; i++) {
        sf_prng_init(&path->chances[i], sf_prng_u64(&seeds));
    }
    return SF_OK;
}

int
sf_sim_path_change(struct sf_sim_path *path, const struct sf_sim_path_config *config)
{
    if (!is_valid(config)) {
        return SF_EINVAL;
    }
    path->config = *config;
    path->fade_is_known = false;
    return SF_OK;
}

/* --- Time --- */

static bool
is_inside(const struct sf_sim_window *windows, size_t count, sf_mono at)
{
    for (size_t i = 0; i < count; i++) {
        if (at >= windows[i].start && at - windows[i].start < windows[i].span_ns) {
            return true;
        }
    }
    return false;
}

/* The planned contact at that time, or NULL. */
static const struct sf_sim_contact *
planned(const struct sf_sim_path_config *config, sf_mono at)
{
    size_t low = 0;
    size_t high = config->plan == NULL ? 0 : config->plan_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (config->plan[middle].start <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || at - config->plan[low - 1].start >= config->plan[low - 1].span_ns) {
        return NULL;
    }
    return &config->plan[low - 1];
}

bool
sf_sim_path_is_up(const struct sf_sim_path_config *config, sf_mono at)
{
    if (config->plan != NULL && planned(config, at) == NULL) {
        return false;
    }
    if (config->period_ns != 0) {
        at %= config->period_ns;
        /* In two parts, since the product may not fit. */
        if (config->duty_ppm != 0 &&
            at >= config->period_ns / SF_PRNG_PPM * config->duty_ppm +
                      config->period_ns % SF_PRNG_PPM * config->duty_ppm / SF_PRNG_PPM) {
            return false;
        }
    }
    return !is_inside(config->outages, config->outage_count, at) &&
           (config->contact_count == 0 || is_inside(config->contacts, config->contact_count, at));
}

/* --- Fades --- */

static uint32_t
depth_at_knot(const struct sf_sim_path *path, uint64_t knot)
{
    struct sf_prng prng;
    bool is_faded;
    uint32_t depth;

    sf_prng_init_stream(&prng, path->fade_seed, knot);
    is_faded = sf_prng_chance(&prng, path->config.fade_ppm);
    depth = (uint32_t)sf_prng_below(&prng, SF_PRNG_PPM + 1);
    return is_faded ? depth : 0;
}

uint32_t
sf_sim_path_fade(struct sf_sim_path *path, sf_mono now)
{
    uint64_t span_ns = path->config.fade_span_ns;
    uint64_t knot;
    int64_t step;
    int64_t from;
    int64_t to;

    if (span_ns == 0) {
        return 0;
    }
    knot = now / span_ns;
    if (!path->fade_is_known || path->fade_knot != knot) {
        path->fade_is_known = true;
        path->fade_knot = knot;
        path->fade_depths[0] = depth_at_knot(path, knot);
        path->fade_depths[1] = depth_at_knot(path, knot + 1);
    }
    step = (int64_t)(now % span_ns / (span_ns / SF_SIM_PATH_FADE_STEPS));
    from = path->fade_depths[0];
    to = path->fade_depths[1];
    if (step >= SF_SIM_PATH_FADE_STEPS) {
        step = SF_SIM_PATH_FADE_STEPS - 1; /* the span does not divide */
    }
    return (uint32_t)(from + (to - from) * step / SF_SIM_PATH_FADE_STEPS);
}

/* `ppm` scaled by `depth_ppm`. */
static uint32_t
faded(uint32_t ppm, uint32_t depth_ppm)
{
    return (uint32_t)((uint64_t)ppm * depth_ppm / SF_PRNG_PPM);
}

/* --- The line --- */

/* The rate of what enters now; 0: no limit. */
static uint64_t
rate_now(const struct sf_sim_path *path, uint32_t depth_ppm, sf_mono now)
{
    const struct sf_sim_contact *contact = planned(&path->config, now);
    uint64_t rate_bps = path->config.rate_bps;
    uint64_t kept_ppm;

    if (contact != NULL && contact->rate_bps != 0) {
        rate_bps = contact->rate_bps;
    }
    if (depth_ppm == 0 || rate_bps == 0) {
        return rate_bps;
    }
    kept_ppm = SF_PRNG_PPM - faded(path->config.fade_rate_ppm, depth_ppm);
    rate_bps = rate_bps / SF_PRNG_PPM * kept_ppm + rate_bps % SF_PRNG_PPM * kept_ppm / SF_PRNG_PPM;
    return rate_bps == 0 ? 1 : rate_bps;
}

/* Bytes that leave in `span_ns`, to the microsecond. */
static uint64_t
bytes_in(uint64_t span_ns, uint64_t rate_bps)
{
    uint64_t rest_us = span_ns % SF_SEC / SF_US;

    /* In two parts, so that a long queue on a fast line does not overflow. */
    return span_ns / SF_SEC * (rate_bps / 8) + rest_us * (rate_bps / 8) / 1000000;
}

/* Bytes that wait for the line at `now`. */
static uint64_t
backlog(const struct sf_sim_path *path, sf_mono now)
{
    sf_mono from = now;
    uint64_t bytes = 0;

    if (path->line_free <= now) {
        return 0;
    }
    if (path->old_free > now) {
        bytes = bytes_in(path->old_free - now, path->old_rate_bps);
        from = path->old_free;
    }
    return bytes + bytes_in(path->line_free - from, path->line_rate_bps);
}

/* From here on the line runs at another rate; what waits leaves as it would have. */
static void
set_line_rate(struct sf_sim_path *path, uint64_t rate_bps, sf_mono now)
{
    if (rate_bps == path->line_rate_bps) {
        return;
    }
    if (path->line_free > now && path->old_free > now) {
        /* Two rates wait already: the mean of both keeps the count of bytes. */
        uint64_t wait_us = (path->line_free - now + SF_US - 1) / SF_US;
        unsigned __int128 bits = (unsigned __int128)backlog(path, now) * 8 * 1000000;

        path->old_rate_bps = (uint64_t)(bits / wait_us);
    } else {
        path->old_rate_bps = path->line_rate_bps;
    }
    path->old_free = path->line_free;
    path->line_rate_bps = rate_bps;
    path->remainder = 0;
}

/* When the last bit of a datagram that enters now has left. */
static sf_mono
transmit(struct sf_sim_path *path, size_t ip_bytes, sf_mono now)
{
    uint64_t scaled;

    if (path->line_rate_bps == 0) {
        return now;
    }
    if (path->line_free < now) {
        path->line_free = now;
        path->remainder = 0;
    }
    scaled = (uint64_t)ip_bytes * 8 * SF_SEC + path->remainder;
    path->line_free += scaled / path->line_rate_bps;
    path->remainder = scaled % path->line_rate_bps;
    return path->line_free;
}

/* --- Chance --- */

/* True with that chance; nothing is drawn for what never happens. */
static bool
happens(struct sf_prng *prng, uint32_t ppm)
{
    return ppm != 0 && sf_prng_chance(prng, ppm);
}

static bool
is_lost(struct sf_sim_path *path, uint32_t depth_ppm)
{
    const struct sf_sim_path_config *config = &path->config;
    uint32_t loss_ppm = config->loss_ppm + faded(config->fade_loss_ppm, depth_ppm);
    bool lost = false;

    /* The number is drawn in clear skies too, so that a fade shifts nothing. */
    if (config->loss_ppm != 0 || config->fade_loss_ppm != 0) {
        lost = sf_prng_chance(&path->chances[SF_SIM_CHANCE_LOSS], loss_ppm);
    }
    if (config->burst_enter_ppm != 0 || path->bad) {
        struct sf_prng *burst = &path->chances[SF_SIM_CHANCE_BURST];
        bool turns =
            sf_prng_chance(burst, path->bad ? config->burst_leave_ppm : config->burst_enter_ppm);
        bool hit = sf_prng_chance(burst, config->burst_loss_ppm);

        path->bad = path->bad != turns;
        path->stats.bursts += path->bad && hit;
        lost |= path->bad && hit;
    }
    return lost;
}

/* Everything chance decides about one copy. */
struct fate {
    bool corrupted;
    bool reordered;
    uint32_t flip_bit;
    uint64_t jitter_ns;
    uint64_t hold_ns;
};

static struct fate
draw_fate(const struct sf_sim_path_config *config, size_t payload_bytes, struct sf_prng *corrupt,
    struct sf_prng *reorder, struct sf_prng *jitter)
{
    struct fate fate = {.corrupted = happens(corrupt, config->corrupt_ppm)};

    if (fate.corrupted) {
        fate.flip_bit = (uint32_t)sf_prng_below(corrupt, (uint64_t)payload_bytes * 8);
        fate.corrupted = payload_bytes > 0;
    }
    fate.reordered = happens(reorder, config->reorder_ppm) && config->reorder_ns > 0;
    if (fate.reordered) {
        fate.hold_ns = 1 + sf_prng_below(reorder, config->reorder_ns);
    }
    if (config->jitter_ns > 0) {
        fate.jitter_ns = sf_prng_below(jitter, config->jitter_ns + 1);
    }
    return fate;
}

/* --- Datagrams --- */

static struct sf_sim_delivery
deliver(struct sf_sim_path *path, const struct fate *fate, sf_mono left, size_t ip_bytes)
{
    const struct sf_sim_contact *contact = planned(&path->config, left);
    struct sf_sim_delivery delivery = {
        .at = left + path->config.delay_ns + fate->jitter_ns,
        .corrupted = fate->corrupted,
        .flip_bit = fate->flip_bit,
    };

    if (contact != NULL && contact->delay_ns != SF_SIM_PATH_DELAY_KEPT) {
        delivery.at = left + contact->delay_ns + fate->jitter_ns;
    }
    if (delivery.at < path->last_at) {
        delivery.at = path->last_at;
    }
    if (fate->reordered) {
        delivery.at += fate->hold_ns;
        path->stats.reordered++;
    } else {
        path->last_at = delivery.at;
    }
    path->stats.corrupted += fate->corrupted;
    path->stats.datagrams_out++;
    path->stats.bytes_out += ip_bytes;
    return delivery;
}

size_t
sf_sim_path_input(struct sf_sim_path *path, size_t payload_bytes, size_t ip_bytes, sf_mono now,
    struct sf_sim_delivery ret_deliveries[SF_SIM_PATH_COPIES_MAX])
{
    const struct sf_sim_path_config *config = &path->config;
    struct sf_prng *chances = path->chances;
    uint32_t depth_ppm = sf_sim_path_fade(path, now);
    /* Chance decides before the queue does, so that a fuller queue shifts nothing. */
    bool lost = is_lost(path, depth_ppm);
    bool duplicated = happens(&chances[SF_SIM_CHANCE_DUPLICATE], config->duplicate_ppm);
    struct fate fate = draw_fate(config, payload_bytes, &chances[SF_SIM_CHANCE_CORRUPT],
        &chances[SF_SIM_CHANCE_REORDER], &chances[SF_SIM_CHANCE_JITTER]);
    struct sf_prng *copy = &chances[SF_SIM_CHANCE_COPY];
    sf_mono left;

    path->stats.datagrams_in++;
    path->stats.bytes_in += ip_bytes;
    if (config->mtu_bytes != 0 && ip_bytes > config->mtu_bytes) {
        path->stats.dropped_mtu++;
        return 0;
    }
    set_line_rate(path, rate_now(path, depth_ppm, now), now);
    if (path->line_rate_bps != 0 && config->queue_bytes != 0 &&
        backlog(path, now) + ip_bytes > config->queue_bytes) {
        path->stats.dropped_queue++;
        return 0;
    }
    left = transmit(path, ip_bytes, now);
    if (!sf_sim_path_is_up(config, left)) {
        path->stats.dropped_outage++;
        return 0;
    }
    if (lost) {
        path->stats.dropped_loss++;
        return 0;
    }
    ret_deliveries[0] = deliver(path, &fate, left, ip_bytes);
    if (!duplicated) {
        return 1;
    }
    path->stats.duplicated++;
    fate = draw_fate(config, payload_bytes, copy, copy, copy);
    ret_deliveries[1] = deliver(path, &fate, left, ip_bytes);
    return 2;
}

void
sf_sim_delivery_apply(
    const struct sf_sim_delivery *delivery, uint8_t *payload, size_t payload_bytes)
{
    if (delivery->corrupted && delivery->flip_bit / 8 < payload_bytes) {
        payload[delivery->flip_bit / 8] =
            (uint8_t)(payload[delivery->flip_bit / 8] ^ 1u << delivery->flip_bit % 8);
    }
}
