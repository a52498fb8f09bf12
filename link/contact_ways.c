/*
 * contact_ways.c - a sweep over the beginnings and ends of all contacts of all
 * ways, in order of time.
 */
#include "config.h"

#include "link/contact_ways.h"

#include <stdlib.h>

/* A contact begins or ends. */
struct turn {
    int64_t at_ms;
    uint32_t way;
    const struct sf_contact *contact; /* NULL: that way's ends */
};

struct sweep {
    const struct sf_contact_plan *plan;
    const struct sf_contact_way *ways;
    size_t way_count;
    struct turn *turns;
    size_t turn_count;
    const struct sf_contact *open[SF_CONTACT_WAYS_MAX]; /* by way */
    bool knows_returns;                                 /* the plan has the other direction */
    struct sf_contact_leg *legs;
    size_t leg_count, leg_room;
};

static int
compare_turns(const void *left, const void *right)
{
    const struct turn *a = left;
    const struct turn *b = right;

    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms ? -1 : 1;
    }
    /* An end before the beginning that follows it at once. */
    if ((a->contact == NULL) != (b->contact == NULL)) {
        return a->contact == NULL ? -1 : 1;
    }
    return (a->way > b->way) - (a->way < b->way);
}

static bool
is_of(const struct sf_contact *contact, uint32_t from, uint32_t to)
{
    return contact->from == from && contact->to == to;
}

static void
collect(struct sweep *sweep)
{
    const struct sf_contact_plan *plan = sweep->plan;

    for (size_t i = 0; i < plan->contact_count; i++) {
        const struct sf_contact *contact = &plan->contacts[i];

        for (uint32_t way = 0; way < sweep->way_count; way++) {
            const struct sf_contact_way *at = &sweep->ways[way];

            sweep->knows_returns |= is_of(contact, at->to, at->from);
            if (is_of(contact, at->from, at->to)) {
                sweep->turns[sweep->turn_count++] = (struct turn){contact->start.ms, way, contact};
                sweep->turns[sweep->turn_count++] = (struct turn){contact->end.ms, way, NULL};
                break; /* a way given twice is one */
            }
        }
    }
    if (sweep->turn_count > 0) {
        qsort(sweep->turns, sweep->turn_count, sizeof(*sweep->turns), compare_turns);
    }
}

/* Whether something can come back in answer to what is sent in [start, end). */
static bool
has_return(const struct sweep *sweep, int64_t start_ms, int64_t end_ms, uint64_t light_us)
{
    struct sf_wall start = {start_ms};

    end_ms += (int64_t)(2 * light_us / 1000);
    for (size_t i = 0; i < sweep->way_count; i++) {
        const struct sf_contact *back =
            sf_contact_next(sweep->plan, sweep->ways[i].to, sweep->ways[i].from, start);

        if (back != NULL && back->start.ms < end_ms) {
            return true;
        }
    }
    return false;
}

/* What is taken for a while. */
struct taken {
    uint32_t way; /* way_count: none */
    const struct sf_contact *contact;
    int64_t since_ms;
};

static int
add_leg(struct sweep *sweep, const struct taken *taken, int64_t end_ms)
{
    const struct sf_contact_way *at = &sweep->ways[taken->way];
    struct sf_contact_leg leg = {.start = {taken->since_ms},
        .end = {end_ms},
        .rate_bps = taken->contact->rate_bps,
        .way = taken->way};

    if (sweep->leg_count == SF_CONTACTS_MAX) {
        return SF_ELIMIT;
    }
    if (sweep->leg_count == sweep->leg_room) {
        size_t room = sweep->leg_room == 0 ? 64 : 2 * sweep->leg_room;
        struct sf_contact_leg *grown = realloc(sweep->legs, room * sizeof(*grown));

        if (grown == NULL) {
            return SF_ENOMEM;
        }
        sweep->legs = grown;
        sweep->leg_room = room;
    }
    (void)sf_contact_light_us(sweep->plan, at->from, at->to, leg.start, &leg.light_us);
    leg.no_return = sweep->knows_returns && !has_return(sweep, leg.start.ms, end_ms, leg.light_us);
    sweep->legs[sweep->leg_count++] = leg;
    return SF_OK;
}

/* The fastest way that is open, `kept` if it is as fast; way_count if none is. */
static uint32_t
choose(const struct sweep *sweep, uint32_t kept)
{
    uint32_t best = kept;

    if (best < sweep->way_count && sweep->open[best] == NULL) {
        best = (uint32_t)sweep->way_count;
    }
    for (uint32_t way = 0; way < sweep->way_count; way++) {
        if (sweep->open[way] != NULL &&
            (best == sweep->way_count ||
                sweep->open[way]->rate_bps > sweep->open[best]->rate_bps)) {
            best = way;
        }
    }
    return best;
}

static int
run(struct sweep *sweep)
{
    struct taken taken = {.way = (uint32_t)sweep->way_count};

    for (size_t i = 0; i < sweep->turn_count;) {
        int64_t now_ms = sweep->turns[i].at_ms;
        const struct sf_contact *contact;
        uint32_t way;

        for (; i < sweep->turn_count && sweep->turns[i].at_ms == now_ms; i++) {
            sweep->open[sweep->turns[i].way] = sweep->turns[i].contact;
        }
        way = choose(sweep, taken.way);
        contact = way == sweep->way_count ? NULL : sweep->open[way];
        if (contact == taken.contact) {
            continue;
        }
        if (taken.contact != NULL) {
            int status = add_leg(sweep, &taken, now_ms);

            if (status != SF_OK) {
                return status;
            }
        }
        taken = (struct taken){way, contact, now_ms};
    }
    return SF_OK;
}

int
sf_contact_ways_legs(const struct sf_contact_plan *plan, const struct sf_contact_way *ways,
    size_t way_count, struct sf_contact_leg **ret_legs, size_t *ret_count)
{
    struct sweep sweep = {.plan = plan, .ways = ways, .way_count = way_count};
    int status;

    if (way_count > SF_CONTACT_WAYS_MAX) {
        return SF_EINVAL;
    }
    for (size_t i = 0; i < way_count; i++) {
        if (ways[i].from >= plan->node_count || ways[i].to >= plan->node_count) {
            return SF_EINVAL;
        }
    }
    sweep.turns = malloc((2 * plan->contact_count + 1) * sizeof(*sweep.turns));
    if (sweep.turns == NULL) {
        return SF_ENOMEM;
    }
    collect(&sweep);
    status = run(&sweep);
    free(sweep.turns);
    if (status != SF_OK || sweep.leg_count == 0) {
        free(sweep.legs);
        sweep.legs = NULL;
    }
    if (status == SF_OK) {
        *ret_legs = sweep.legs;
        *ret_count = sweep.leg_count;
    }
    return status;
}
