#include "sim/path.h"

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
is_valid(const struct sf_sim_path_config *c)
{
    return c->rate_bps <= SF_SIM_PATH_RATE_BPS_MAX && c->delay_ns <= SF_SIM_PATH_TIME_NS_MAX &&
           c->jitter_ns <= SF_SIM_PATH_TIME_NS_MAX && c->reorder_ns <= SF_SIM_PATH_TIME_NS_MAX &&
           c->period_ns <= SF_SIM_PATH_TIME_NS_MAX && c->loss_ppm <= SF_PRNG_PPM &&
           c->burst_enter_ppm <= SF_PRNG_PPM && c->burst_leave_ppm <= SF_PRNG_PPM &&
           c->burst_loss_ppm <= SF_PRNG_PPM && c->corrupt_ppm <= SF_PRNG_PPM &&
           c->duplicate_ppm <= SF_PRNG_PPM && c->reorder_ppm <= SF_PRNG_PPM &&
           c->mtu_bytes <= SF_SIM_PATH_MTU_BYTES_MAX &&
           windows_are_valid(c->outages, c->outage_count) &&
           windows_are_valid(c->contacts, c->contact_count);
}

int
sf_sim_path_init(struct sf_sim_path *path, const struct sf_sim_path_config *config, uint64_t seed,
    uint64_t stream)
{
    if (!is_valid(config)) {
        return SF_EINVAL;
    }
    *path = (struct sf_sim_path){.config = *config};
    sf_prng_init_stream(&path->prng, seed, stream);
    return SF_OK;
}

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

bool
sf_sim_path_is_up(const struct sf_sim_path_config *config, sf_mono at)
{
    if (config->period_ns != 0) {
        at %= config->period_ns;
    }
    return !is_inside(config->outages, config->outage_count, at) &&
           (config->contact_count == 0 || is_inside(config->contacts, config->contact_count, at));
}

/* Bytes that wait for the line at `now`, to the microsecond. */
static uint64_t
backlog(const struct sf_sim_path *path, sf_mono now)
{
    uint64_t wait_ns = path->line_free > now ? path->line_free - now : 0;
    uint64_t whole = wait_ns / SF_SEC * (path->config.rate_bps / 8);
    uint64_t rest_us = wait_ns % SF_SEC / SF_US;

    /* In two parts, so that a long queue on a fast line does not overflow. */
    return whole + rest_us * (path->config.rate_bps / 8) / 1000000;
}

/* When the last bit of a datagram that enters now has left. */
static sf_mono
transmit(struct sf_sim_path *path, size_t ip_bytes, sf_mono now)
{
    uint64_t scaled;

    if (path->config.rate_bps == 0) {
        return now;
    }
    if (path->line_free < now) {
        path->line_free = now;
        path->remainder = 0;
    }
    scaled = (uint64_t)ip_bytes * 8 * SF_SEC + path->remainder;
    path->line_free += scaled / path->config.rate_bps;
    path->remainder = scaled % path->config.rate_bps;
    return path->line_free;
}

/* Everything chance decides about a datagram: always as many draws, so that no setting shifts another. */
struct draws {
    bool lost;
    bool duplicated;
    struct copy_draws {
        bool corrupted;
        bool reordered;
        uint32_t flip_bit;
        uint64_t jitter_ns;
        uint64_t hold_ns;
    } copies[SF_SIM_PATH_COPIES_MAX];
};

static struct draws
draw(struct sf_sim_path *path, size_t payload_bytes)
{
    const struct sf_sim_path_config *config = &path->config;
    struct sf_prng *prng = &path->prng;
    struct draws draws;
    bool lost = sf_prng_chance(prng, config->loss_ppm);
    bool turns =
        sf_prng_chance(prng, path->bad ? config->burst_leave_ppm : config->burst_enter_ppm);
    bool lost_in_burst = sf_prng_chance(prng, config->burst_loss_ppm);

    path->bad = path->bad != turns;
    draws.lost = lost || (path->bad && lost_in_burst);
    draws.duplicated = sf_prng_chance(prng, config->duplicate_ppm);
    for (size_t i = 0; i < SF_SIM_PATH_COPIES_MAX; i++) {
        struct copy_draws *copy = &draws.copies[i];

        copy->corrupted = sf_prng_chance(prng, config->corrupt_ppm) && payload_bytes > 0;
        copy->flip_bit = (uint32_t)sf_prng_below(prng, (uint64_t)payload_bytes * 8);
        copy->reordered = sf_prng_chance(prng, config->reorder_ppm) && config->reorder_ns > 0;
        copy->jitter_ns = sf_prng_below(prng, config->jitter_ns + 1);
        copy->hold_ns = 1 + sf_prng_below(prng, config->reorder_ns);
    }
    return draws;
}

static struct sf_sim_delivery
deliver(struct sf_sim_path *path, const struct copy_draws *copy, sf_mono left, size_t ip_bytes)
{
    struct sf_sim_delivery delivery = {
        .at = left + path->config.delay_ns + copy->jitter_ns,
        .corrupted = copy->corrupted,
        .flip_bit = copy->flip_bit,
    };

    if (delivery.at < path->last_at) {
        delivery.at = path->last_at;
    }
    if (copy->reordered) {
        delivery.at += copy->hold_ns;
        path->stats.reordered++;
    } else {
        path->last_at = delivery.at;
    }
    path->stats.corrupted += copy->corrupted;
    path->stats.datagrams_out++;
    path->stats.bytes_out += ip_bytes;
    return delivery;
}

size_t
sf_sim_path_input(struct sf_sim_path *path, size_t payload_bytes, size_t ip_bytes, sf_mono now,
    struct sf_sim_delivery ret_deliveries[SF_SIM_PATH_COPIES_MAX])
{
    const struct sf_sim_path_config *config = &path->config;
    struct draws draws = draw(path, payload_bytes);
    sf_mono left;

    path->stats.datagrams_in++;
    path->stats.bytes_in += ip_bytes;
    if (config->mtu_bytes != 0 && ip_bytes > config->mtu_bytes) {
        path->stats.dropped_mtu++;
        return 0;
    }
    if (config->rate_bps != 0 && config->queue_bytes != 0 &&
        backlog(path, now) + ip_bytes > config->queue_bytes) {
        path->stats.dropped_queue++;
        return 0;
    }
    left = transmit(path, ip_bytes, now);
    if (!sf_sim_path_is_up(config, left)) {
        path->stats.dropped_outage++;
        return 0;
    }
    if (draws.lost) {
        path->stats.dropped_loss++;
        return 0;
    }
    ret_deliveries[0] = deliver(path, &draws.copies[0], left, ip_bytes);
    if (!draws.duplicated) {
        return 1;
    }
    path->stats.duplicated++;
    ret_deliveries[1] = deliver(path, &draws.copies[1], left, ip_bytes);
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
