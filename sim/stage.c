#include "sim/stage.h"

#include "base/assert.h"
#include "node/contacts.h"
#include "sim/image.h"
#include "sim/schedule.h"

#include <stdlib.h>
#include <string.h>

enum { GROUND = SF_STAGE_GROUND, NOWHERE = UINT32_MAX };

/* The way between the sender and one receiver. */
struct way {
    unsigned gateways[SF_SCHEDULE_STATIONS_MAX]; /* by station; NOWHERE: it never uses that one */
    struct sf_sim_contact *contacts;             /* what the gateways' paths refer to */
};

struct sf_stage {
    const struct sf_scenario *scenario;
    struct sf_world *world;
    struct way ways[SF_SCENARIO_RECEIVERS_MAX];
};

/* --- Gateways -------------------------------------------------------------------------- */

/* The contacts of a way that go through `station`, put at *at, which moves on behind them. */
static struct sf_sim_path_config
path_through(const struct sf_sim_path_config *whole, const struct sf_schedule_way *way,
    unsigned station, struct sf_sim_contact **at)
{
    struct sf_sim_path_config path = *whole;

    path.plan = *at;
    path.plan_count = 0;
    for (size_t i = 0; i < way->count; i++) {
        if (way->stations[i] == station) {
            (*at)[path.plan_count++] = way->contacts[i];
        }
    }
    *at += path.plan_count;
    return path;
}

static void
make_gateways(struct sf_stage *stage, unsigned receiver)
{
    const struct sf_sim_path_config nothing = {.loss_ppm = SF_PRNG_PPM};
    const struct sf_sim_profile *profile = &stage->scenario->receivers[receiver].profile;
    const struct sf_schedule *schedule = stage->scenario->schedule;
    const struct sf_schedule_way *up = &schedule->up[receiver];
    const struct sf_schedule_way *down = &schedule->down[receiver];
    struct way *way = &stage->ways[receiver];
    struct sf_sim_contact *at;

    way->contacts = sf_sim_allocate((up->count + down->count + 1) * sizeof(*way->contacts));
    at = way->contacts;
    sf_world_path(stage->world, GROUND, receiver + 1, &nothing);
    sf_world_path(stage->world, receiver + 1, GROUND, &nothing);
    for (unsigned i = 0; i < schedule->station_count; i++) {
        struct sf_sim_path_config forward = path_through(&profile->forward, up, i, &at);
        struct sf_sim_path_config back = path_through(&profile->back, down, i, &at);

        way->gateways[i] = NOWHERE;
        if (forward.plan_count > 0) {
            way->gateways[i] = sf_world_gateway(stage->world, GROUND, receiver + 1);
            sf_world_gateway_path(stage->world, way->gateways[i], GROUND, &forward);
            sf_world_gateway_path(stage->world, way->gateways[i], receiver + 1, &back);
        }
    }
}

/* --- Contacts that the nodes follow ------------------------------------------------------ */

/* Whether anything comes back while a contact lasts; *next is where the last search ended. */
static bool
has_return(const struct sf_schedule_way *down, const struct sf_sim_contact *contact, size_t *next)
{
    while (*next < down->count && down->contacts[*next].start < contact->start) {
        ++*next;
    }
    return *next < down->count && down->contacts[*next].start < contact->start + contact->span_ns;
}

static void
follow(struct sf_stage *stage, unsigned receiver, bool is_sender)
{
    const struct sf_schedule *schedule = stage->scenario->schedule;
    const struct sf_schedule_way *way =
        is_sender ? &schedule->up[receiver] : &schedule->down[receiver];
    unsigned number = is_sender ? GROUND : receiver + 1;
    const char *peer = is_sender ? stage->scenario->receivers[receiver].name : "ground";
    int64_t zero_ms =
        sf_world_wall(stage->world, number).ms - (int64_t)(stage->scenario->start_ns / SF_MS);
    struct sf_node_contact *contacts = sf_sim_allocate((way->count + 1) * sizeof(*contacts));
    struct sf_node_error error;
    size_t back = 0;

    for (size_t i = 0; i < way->count; i++) {
        const struct sf_sim_contact *from = &way->contacts[i];
        uint64_t most = stage->scenario->rate_bps;

        contacts[i] = (struct sf_node_contact){
            .start = {zero_ms + (int64_t)(from->start / SF_MS)},
            .end = {zero_ms + (int64_t)((from->start + from->span_ns) / SF_MS)},
            .rate_bps = most != 0 && most < from->rate_bps ? most : from->rate_bps,
            .light_ns = from->delay_ns == SF_SIM_PATH_DELAY_KEPT ? 0 : from->delay_ns,
            .has_endpoint = true,
            .endpoint = sf_world_gateway_addr(
                stage->world, stage->ways[receiver].gateways[way->stations[i]]),
            .no_return = is_sender && !has_return(&schedule->down[receiver], from, &back),
        };
    }
    if (way->count > 0) {
        sf_assert(sf_node_contacts_set(sf_world_node(stage->world, number), peer, contacts,
                      way->count, &error) == SF_OK);
        sf_world_poke(stage->world, number);
    }
    free(contacts);
}

/* --- Making --------------------------------------------------------------------------------- */

static void
add_receiver(struct sf_stage *stage, unsigned receiver)
{
    const struct sf_scenario *scenario = stage->scenario;
    const struct sf_sim_profile *profile = &scenario->receivers[receiver].profile;
    struct sf_node_peer conf = {.may_send = true, .may_receive = true, .has_endpoint = true};
    uint64_t back_bps = profile->back.rate_bps;
    unsigned number = sf_world_add(stage->world, scenario->receivers[receiver].name);

    sf_assert(number == receiver + 1);
    sf_world_config(stage->world, number)->mtu_bytes = sf_scenario_mtu_bytes(scenario);
    if (scenario->schedule != NULL) {
        make_gateways(stage, receiver);
    } else {
        sf_world_path(stage->world, GROUND, number, &profile->forward);
        sf_world_path(stage->world, number, GROUND, &profile->back);
    }
    conf.rate_bps = sf_scenario_rate_bps(scenario, receiver);
    sf_world_introduce(stage->world, GROUND, number, &conf);
    conf.rate_bps = back_bps == 0 ? conf.rate_bps : back_bps;
    sf_world_introduce(stage->world, number, GROUND, &conf);
}

struct sf_stage *
sf_stage_open(const struct sf_scenario *scenario)
{
    struct sf_stage *stage = sf_sim_allocate(sizeof(*stage));
    struct sf_node_error error;

    memset(stage, 0, sizeof(*stage));
    stage->scenario = scenario;
    stage->world = sf_world_open(scenario->seed);
    sf_world_set_steady(stage->world);
    /* The clock of a world begins at one second, that of the paths with it. */
    sf_world_path_zero(stage->world, SF_SEC);
    sf_world_run(stage->world, SF_SEC + scenario->start_ns);
    sf_assert(sf_world_add(stage->world, "ground") == GROUND);
    sf_world_config(stage->world, GROUND)->mtu_bytes = sf_scenario_mtu_bytes(scenario);
    for (unsigned i = 0; i < scenario->receiver_count; i++) {
        add_receiver(stage, i);
    }
    for (unsigned i = 0; i <= scenario->receiver_count; i++) {
        sf_assert(sf_world_start(stage->world, i, &error) == SF_OK);
    }
    for (unsigned i = 0; scenario->schedule != NULL && i < scenario->receiver_count; i++) {
        follow(stage, i, true);
        follow(stage, i, false);
    }
    return stage;
}

void
sf_stage_close(struct sf_stage *stage)
{
    sf_world_close(stage->world);
    for (size_t i = 0; i < SF_SCENARIO_RECEIVERS_MAX; i++) {
        free(stage->ways[i].contacts);
    }
    free(stage);
}

struct sf_world *
sf_stage_world(struct sf_stage *stage)
{
    return stage->world;
}

/* --- Counting ---------------------------------------------------------------------------------- */

static void
add_stats(struct sf_sim_path_stats *sum, const struct sf_sim_path_stats *more)
{
    sum->datagrams_in += more->datagrams_in;
    sum->bytes_in += more->bytes_in;
    sum->datagrams_out += more->datagrams_out;
    sum->bytes_out += more->bytes_out;
    sum->dropped_mtu += more->dropped_mtu;
    sum->dropped_queue += more->dropped_queue;
    sum->dropped_outage += more->dropped_outage;
    sum->dropped_loss += more->dropped_loss;
    sum->corrupted += more->corrupted;
    sum->duplicated += more->duplicated;
    sum->reordered += more->reordered;
}

/* Of the paths between the sender and a receiver, what `from` sent. */
static struct sf_sim_path_stats
count(const struct sf_stage *stage, unsigned receiver, unsigned from)
{
    const struct sf_schedule *schedule = stage->scenario->schedule;
    struct sf_sim_path_stats sum;

    if (schedule == NULL) {
        return *sf_world_path_stats(stage->world, from, from == GROUND ? receiver + 1 : GROUND);
    }
    memset(&sum, 0, sizeof(sum));
    for (size_t i = 0; i < schedule->station_count; i++) {
        unsigned gateway = stage->ways[receiver].gateways[i];

        if (gateway != NOWHERE) {
            add_stats(&sum, sf_world_gateway_stats(stage->world, gateway, from));
        }
    }
    return sum;
}

struct sf_sim_path_stats
sf_stage_sent(const struct sf_stage *stage, unsigned receiver)
{
    return count(stage, receiver, GROUND);
}

struct sf_sim_path_stats
sf_stage_returned(const struct sf_stage *stage, unsigned receiver)
{
    return count(stage, receiver, receiver + 1);
}
