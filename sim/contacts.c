#include "sim/contacts.h"

/* Take `boundary` for the next change, if it lies after `at` and before the one found so far. */
static void
consider(sf_mono boundary, sf_mono at, sf_mono *next)
{
    if (boundary > at && boundary < *next) {
        *next = boundary;
    }
}

static void
consider_windows(
    const struct sf_sim_window *windows, size_t count, sf_mono base, sf_mono at, sf_mono *next)
{
    for (size_t i = 0; i < count; i++) {
        consider(base + windows[i].start, at, next);
        consider(base + windows[i].start + windows[i].span_ns, at, next);
    }
}

/* The plan is in order of time: only the contact around `at` and the next one matter. */
static void
consider_plan(const struct sf_sim_path_config *config, sf_mono at, sf_mono *next)
{
    size_t low = 0;
    size_t high = config->plan_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (config->plan[middle].start + config->plan[middle].span_ns > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low < config->plan_count) {
        consider(config->plan[low].start, at, next);
        consider(config->plan[low].start + config->plan[low].span_ns, at, next);
    }
}

/* The first moment after `at` in which the path may go up or down, or SF_NEVER. */
static sf_mono
next_change(const struct sf_sim_path_config *config, sf_mono at)
{
    sf_mono base = config->period_ns == 0 ? 0 : at - at % config->period_ns;
    sf_mono next = SF_NEVER;

    consider_windows(config->contacts, config->contact_count, base, at, &next);
    consider_windows(config->outages, config->outage_count, base, at, &next);
    if (config->period_ns != 0) {
        /* The share of a period, by the same arithmetic as the path's. */
        consider(
            base + (sf_mono)((unsigned __int128)config->period_ns * config->duty_ppm / SF_PRNG_PPM),
            at, &next);
        consider(base + config->period_ns, at, &next);
    }
    consider_plan(config, at, &next);
    return next;
}

/*
 * The first moment from `at` on in which the path is up, or is not; SF_NEVER
 * if there is none. All that repeats is seen after a period; the plan ends.
 */
static sf_mono
find(const struct sf_sim_path_config *config, sf_mono at, bool is_up)
{
    sf_mono repeats_from = at;

    if (config->plan_count > 0) {
        const struct sf_sim_contact *last = &config->plan[config->plan_count - 1];

        repeats_from = last->start + last->span_ns > at ? last->start + last->span_ns : at;
    }
    while (sf_sim_path_is_up(config, at) != is_up) {
        if (config->period_ns != 0 && at > repeats_from + 2 * config->period_ns) {
            return SF_NEVER;
        }
        at = next_change(config, at);
        if (at == SF_NEVER) {
            return SF_NEVER;
        }
    }
    return at;
}

bool
sf_sim_contacts_next(
    const struct sf_sim_path_config *config, sf_mono at, struct sf_sim_interval *ret_interval)
{
    sf_mono start = find(config, at, true);

    if (start == SF_NEVER) {
        return false;
    }
    *ret_interval = (struct sf_sim_interval){start, find(config, start, false)};
    return true;
}
