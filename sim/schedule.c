#include "sim/schedule.h"

#include "link/link.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELATIVE_MS_MAX (INT64_C(365) * 86400 * 1000) /* times before it are not dates */
#define MS_NS           ((sf_mono)SF_MS)

_Static_assert((int)SF_CONTACT_NAME_BYTES == (int)SF_SCENARIO_NAME_BYTES, "a name fits either");

struct making {
    const struct sf_contact_plan *plan;
    struct sf_schedule *schedule;
    struct sf_scenario_error *error;
    uint32_t receivers[SF_SCENARIO_RECEIVERS_MAX]; /* nodes of the plan */
    size_t receiver_count;
    uint32_t stations[SF_SCHEDULE_STATIONS_MAX];
};

static sf_mono
later_of(sf_mono a, sf_mono b)
{
    return a > b ? a : b;
}

__attribute__((format(printf, 4, 5))) static int
fail(struct making *making, int status, uint32_t line, const char *format, ...)
{
    va_list arguments;

    making->error->line = line;
    va_start(arguments, format);
    vsnprintf(making->error->text, sizeof(making->error->text), format, arguments);
    va_end(arguments);
    return status;
}

/* --- Who is who ----------------------------------------------------------------------- */

/* "1, 2, 25544" */
static void
list_nodes(const struct sf_contact_plan *plan, char *ret_text, size_t text_bytes)
{
    size_t bytes = 0;

    *ret_text = '\0';
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const char *name = plan->nodes[i].name;

        if (bytes + strlen(name) + 8 > text_bytes) {
            (void)snprintf(ret_text + bytes, text_bytes - bytes, ", ...");
            return;
        }
        bytes += (size_t)snprintf(
            ret_text + bytes, text_bytes - bytes, "%s%s", i == 0 ? "" : ", ", name);
    }
}

static bool
is_in_all(const struct sf_contact_plan *plan, uint32_t node)
{
    for (size_t i = 0; i < plan->contact_count; i++) {
        if (plan->contacts[i].from != node && plan->contacts[i].to != node) {
            return false;
        }
    }
    return true;
}

/* The one node that takes part in every contact. */
static int
find_receiver(struct making *making)
{
    const struct sf_contact_plan *plan = making->plan;
    char nodes[SF_SCENARIO_ERROR_BYTES / 2];
    uint32_t candidates[2] = {plan->contacts[0].to, plan->contacts[0].from};

    for (size_t i = 0; i < 2; i++) {
        if (is_in_all(plan, candidates[i])) {
            making->receivers[making->receiver_count++] = candidates[i];
            return SF_OK;
        }
    }
    list_nodes(plan, nodes, sizeof(nodes));
    return fail(making, SF_EFORMAT, 0,
        "no node takes part in every contact: say with `receiver = NODE` who gets the file; its "
        "nodes are %s",
        nodes);
}

static int
find_receivers(struct making *making, const struct sf_scenario *scenario)
{
    char nodes[SF_SCENARIO_ERROR_BYTES / 2];

    if (making->plan->contact_count == 0) {
        return fail(making, SF_EFORMAT, 0, "the plan has no contacts");
    }
    if (!scenario->is_named && scenario->receiver_count != 1) {
        return fail(making, SF_EFORMAT, 0,
            "receivers of a plan are named: say with `receiver = NODE` who gets the file");
    }
    if (!scenario->is_named) {
        return find_receiver(making);
    }
    for (size_t i = 0; i < scenario->receiver_count; i++) {
        uint32_t node = sf_contact_plan_named(making->plan, scenario->receivers[i].name);

        if (node == SF_CONTACT_NONE) {
            list_nodes(making->plan, nodes, sizeof(nodes));
            return fail(making, SF_EFORMAT, 0, "there is no node \"%s\"; its nodes are %s",
                scenario->receivers[i].name, nodes);
        }
        making->receivers[making->receiver_count++] = node;
    }
    return SF_OK;
}

static bool
is_receiver(const struct making *making, uint32_t node)
{
    for (size_t i = 0; i < making->receiver_count; i++) {
        if (making->receivers[i] == node) {
            return true;
        }
    }
    return false;
}

/* The number of the station `node`, which is added if it is new. */
static int
find_station(struct making *making, uint32_t node, unsigned *ret_station)
{
    struct sf_schedule *schedule = making->schedule;

    for (*ret_station = 0; *ret_station < schedule->station_count; ++*ret_station) {
        if (making->stations[*ret_station] == node) {
            return SF_OK;
        }
    }
    if (schedule->station_count == SF_SCHEDULE_STATIONS_MAX) {
        return fail(making, SF_ELIMIT, 0, "more than %d stations have contacts with the receivers",
            SF_SCHEDULE_STATIONS_MAX);
    }
    making->stations[schedule->station_count] = node;
    memcpy(schedule->stations[schedule->station_count++], making->plan->nodes[node].name,
        SF_CONTACT_NAME_BYTES);
    return SF_OK;
}

/* --- Which contacts are used ------------------------------------------------------------ */

/* Part of a pass: rates may change in the middle of one. */
struct piece {
    const struct sf_contact *contact;
    unsigned station;
    struct sf_wall pass; /* when the pass began that it belongs to */
};

static int
compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a;
    const struct piece *y = b;

    if (x->pass.ms != y->pass.ms) {
        return x->pass.ms < y->pass.ms ? -1 : 1;
    }
    if (x->station != y->station) {
        return x->station < y->station ? -1 : 1;
    }
    return x->contact->start.ms < y->contact->start.ms ? -1 : 1;
}

static sf_mono
clock_of(const struct sf_schedule *schedule, struct sf_wall at)
{
    return (sf_mono)(at.ms - schedule->zero.ms) * MS_NS;
}

/* Add [start, end) of `contact` to a way. */
static int
add_contact(struct making *making, struct sf_schedule_way *way, const struct sf_contact *contact,
    sf_mono start, sf_mono end, unsigned station)
{
    struct sf_wall at = {making->schedule->zero.ms + (int64_t)(start / MS_NS)};
    uint64_t delay_ns = SF_SIM_PATH_DELAY_KEPT;
    uint64_t light_us;

    if (contact->rate_bps < SF_LINK_RATE_BPS_MIN || contact->rate_bps > SF_LINK_RATE_BPS_MAX) {
        return fail(making, SF_ELIMIT, contact->line,
            "the rate of %" PRIu64 " bit/s is not accepted: give 1 kbit/s to 100 Gbit/s",
            contact->rate_bps);
    }
    if (end > SF_SIM_PATH_TIME_NS_MAX) {
        return fail(making, SF_ELIMIT, contact->line,
            "the contact ends more than 1000 days after the first one begins");
    }
    if (way->count == way->capacity) {
        size_t capacity = way->capacity == 0 ? 64 : way->capacity * 2;
        void *contacts = realloc(way->contacts, capacity * sizeof(*way->contacts));
        void *stations;

        if (contacts != NULL) {
            way->contacts = contacts;
        }
        stations = realloc(way->stations, capacity * sizeof(*way->stations));
        if (stations != NULL) {
            way->stations = stations;
        }
        if (contacts == NULL || stations == NULL) {
            return fail(making, SF_ENOMEM, 0, "no memory");
        }
        way->capacity = capacity;
    }
    if (sf_contact_light_us(making->plan, contact->from, contact->to, at, &light_us)) {
        delay_ns = light_us * SF_US;
    }
    way->stations[way->count] = station;
    way->contacts[way->count++] =
        (struct sf_sim_contact){start, end - start, contact->rate_bps, delay_ns};
    return SF_OK;
}

/* What comes back from `receiver` through the station while [start, end) lasts. */
static int
add_return(struct making *making, unsigned receiver, unsigned station, sf_mono start, sf_mono end)
{
    const struct sf_contact_plan *plan = making->plan;
    uint32_t from = making->receivers[receiver];
    uint32_t to = making->stations[station];
    struct sf_wall at = {making->schedule->zero.ms + (int64_t)(start / MS_NS)};
    const struct sf_contact *contact = sf_contact_next(plan, from, to, at);

    while (contact != NULL && clock_of(making->schedule, contact->start) < end) {
        sf_mono begin = later_of(start, clock_of(making->schedule, contact->start));
        sf_mono stop = sf_mono_min(end, clock_of(making->schedule, contact->end));
        int status =
            add_contact(making, &making->schedule->down[receiver], contact, begin, stop, station);

        if (status != SF_OK) {
            return status;
        }
        contact = sf_contact_next(plan, from, to, contact->end);
    }
    return SF_OK;
}

/* Take the pieces in order of their passes, none before the last one has ended. */
static int
use_pieces(struct making *making, unsigned receiver, const struct piece *pieces, size_t count)
{
    struct sf_schedule *schedule = making->schedule;
    const struct piece *last = NULL; /* that was used */
    sf_mono free_at = 0;

    for (size_t i = 0; i < count; i++) {
        const struct piece *piece = &pieces[i];
        sf_mono start = clock_of(schedule, piece->contact->start);
        sf_mono end = clock_of(schedule, piece->contact->end);
        int status;

        if (last != NULL && last->station != piece->station) {
            start = later_of(start, free_at + SF_SCHEDULE_SWITCH_NS);
        }
        if (start >= end) {
            continue;
        }
        status = add_contact(
            making, &schedule->up[receiver], piece->contact, start, end, piece->station);
        if (status == SF_OK) {
            status = add_return(making, receiver, piece->station, start, end);
        }
        if (status != SF_OK) {
            return status;
        }
        last = piece;
        free_at = end;
    }
    return SF_OK;
}

static int
schedule_receiver(struct making *making, unsigned receiver)
{
    const struct sf_contact_plan *plan = making->plan;
    struct piece *pieces = calloc(plan->contact_count, sizeof(*pieces));
    size_t count = 0;
    int status = SF_OK;

    if (pieces == NULL) {
        return fail(making, SF_ENOMEM, 0, "no memory");
    }
    /* By pair, a pass stands in one run, in order. */
    for (size_t i = 0; status == SF_OK && i < plan->contact_count; i++) {
        const struct sf_contact *contact = &plan->contacts[plan->by_pair[i]];
        struct piece *piece = &pieces[count];

        if (contact->to != making->receivers[receiver] || is_receiver(making, contact->from)) {
            continue;
        }
        *piece = (struct piece){.contact = contact, .pass = contact->start};
        status = find_station(making, contact->from, &piece->station);
        if (count > 0 && pieces[count - 1].station == piece->station &&
            pieces[count - 1].contact->end.ms == contact->start.ms) {
            piece->pass = pieces[count - 1].pass;
        }
        count++;
    }
    if (status == SF_OK && count == 0) {
        status = fail(making, SF_EFORMAT, 0, "nobody sends to %s in it",
            plan->nodes[making->receivers[receiver]].name);
    }
    if (status == SF_OK) {
        qsort(pieces, count, sizeof(*pieces), compare_pieces);
        status = use_pieces(making, receiver, pieces, count);
    }
    free(pieces);
    return status;
}

/* --- All of it ---------------------------------------------------------------------------- */

static void
put_plan(struct sf_sim_path_config *path, const struct sf_schedule_way *way)
{
    static const struct sf_sim_contact none;

    path->contact_count = 0;
    path->period_ns = 0;
    path->duty_ppm = 0;
    path->plan = way->count == 0 ? &none : way->contacts; /* NULL would be: always up */
    path->plan_count = way->count;
}

int
sf_schedule_make(const struct sf_contact_plan *plan, struct sf_scenario *scenario,
    struct sf_schedule *ret_schedule, struct sf_scenario_error *ret_error)
{
    struct making making = {.plan = plan, .schedule = ret_schedule, .error = ret_error};
    int status;

    memset(ret_schedule, 0, sizeof(*ret_schedule));
    status = find_receivers(&making, scenario);
    if (status == SF_OK && plan->contacts[0].start.ms >= RELATIVE_MS_MAX) {
        ret_schedule->zero = plan->contacts[0].start;
    }
    for (unsigned i = 0; status == SF_OK && i < making.receiver_count; i++) {
        status = schedule_receiver(&making, i);
    }
    if (status != SF_OK) {
        sf_schedule_fini(ret_schedule);
        return status;
    }
    for (unsigned i = 0; i < making.receiver_count; i++) {
        struct sf_scenario_receiver *receiver = &scenario->receivers[i];

        memcpy(receiver->name, plan->nodes[making.receivers[i]].name, sizeof(receiver->name));
        put_plan(&receiver->profile.forward, &ret_schedule->up[i]);
        put_plan(&receiver->profile.back, &ret_schedule->down[i]);
    }
    scenario->receiver_count = making.receiver_count;
    scenario->schedule = ret_schedule;
    return SF_OK;
}

void
sf_schedule_fini(struct sf_schedule *schedule)
{
    for (size_t i = 0; i < SF_SCENARIO_RECEIVERS_MAX; i++) {
        free(schedule->up[i].contacts);
        free(schedule->up[i].stations);
        free(schedule->down[i].contacts);
        free(schedule->down[i].stations);
    }
    memset(schedule, 0, sizeof(*schedule));
}

const char *
sf_schedule_station(const struct sf_scenario *scenario, unsigned receiver, sf_mono at)
{
    const struct sf_schedule_way *way;
    size_t low = 0;
    size_t high;

    if (scenario->schedule == NULL) {
        return NULL;
    }
    way = &scenario->schedule->up[receiver];
    high = way->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (way->contacts[middle].start + way->contacts[middle].span_ns > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < way->count && way->contacts[low].start <= at
               ? scenario->schedule->stations[way->stations[low]]
               : NULL;
}
