#include "sim/life.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "sim/life_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 24,
    BASES_ONE_IN = 3,   /* lives in which what changed alone is sent too */
    PRIVACY_ONE_IN = 3, /* lives in which filler hides sizes and times */
    PRIVACY_MODES = 3,
    COVER_DAY_BYTES = 1000000, /* at most */
    EVENTS_MAX = 2000000,      /* of datagrams and words; a hundred times as many as usual */
    STREAM_SHAPE = 200000,     /* streams of the seed, beside those of world.c and faults.c */
    STREAM_WORK,
    STREAM_PACE,
    STREAM_BASES,
    STREAM_PRIVACY,
    EVENT_DATAGRAM = 1,
};

#define DAY_NS   (UINT64_C(86400) * SF_SEC)
#define PATIENCE (UINT64_C(3) * 3600 * SF_SEC) /* after which what has not ended never will */
#define AFTER_NS (600 * SF_SEC)                /* for the last to be told and all to be freed */

static const char *const names[LIFE_NODES_MAX] = {"ground", "sat", "edge", "relay"};

enum topology { TOPOLOGY_MESH, TOPOLOGY_STAR, TOPOLOGY_CHAIN, TOPOLOGIES };

static const char *const topology_names[TOPOLOGIES] = {"mesh", "star", "chain"};

void
life_fail(struct life *life, const char *invariant, const char *format, ...)
{
    struct sf_life_result *result = life->result;
    va_list arguments;

    if (!result->is_good) {
        return;
    }
    result->is_good = false;
    snprintf(result->invariant, sizeof(result->invariant), "%s", invariant);
    va_start(arguments, format);
    vsnprintf(result->failure, sizeof(result->failure), format, arguments);
    va_end(arguments);
    sf_trace_say(
        &life->trace, sf_world_now(life->world), "FAILED %s: %s", invariant, result->failure);
}

static bool
is_over(struct sf_world *world, void *context)
{
    struct life *life = context;

    (void)world;
    if (life->trace.events > EVENTS_MAX) {
        life_fail(life, "I8", "%d events, and no end of them", EVENTS_MAX);
    }
    return life_is_over(life);
}

void
life_pass(struct life *life, uint64_t span_ns)
{
    (void)sf_world_run_until(
        life->world, sf_mono_add(sf_world_now(life->world), span_ns), is_over, life);
}

/* --- What is seen ---------------------------------------------------------------------- */

static void
heard(void *context, unsigned number, const struct sf_node_event *event)
{
    struct life *life = context;

    sf_trace_say(&life->trace, sf_world_now(life->world), "[%s] %02x%02x %s %s",
        life->nodes[number].name, event->transfer.b[0], event->transfer.b[1], event->peer,
        event->text);
}

static void
sent(void *context, const struct sf_world_datagram *datagram)
{
    struct life *life = context;
    uint64_t numbers[] = {datagram->from, datagram->to, datagram->addr.port, datagram->count,
        sf_crc32c(0, datagram->bytes, datagram->count)};

    sf_trace_count(&life->trace, sf_world_now(life->world), EVENT_DATAGRAM, numbers,
        sizeof(numbers) / sizeof(numbers[0]));
    sf_trace_explain(&life->trace, sf_world_now(life->world), "[%s] -> %s port %u: %zu bytes",
        life->nodes[datagram->from].name,
        datagram->to == SF_WORLD_NOBODY ? "nobody" : life->nodes[datagram->to].name,
        datagram->addr.port, datagram->count);
    attacker_sees_sent(life, datagram);
    checker_sent(life, datagram);
}

static void
arrives(void *context, const struct sf_world_datagram *datagram)
{
    attacker_sees_arrival(context, datagram);
    checker_arrives(context, datagram);
}

static void
taken(void *context, const struct sf_world_datagram *datagram)
{
    attacker_sees_taken(context, datagram);
}

static void
stepped(void *context, unsigned number)
{
    checker_stepped(context, number);
    traitor_stepped(context);
}

/* The program under test opens, changes and removes files here. */
static void
before_operation(void *context, uint64_t operation, const struct sf_disk_op *op)
{
    struct life_node *node = context;

    (void)operation;
    node->is_inbox_touched |=
        op->kind == SF_DISK_RENAME && op->path_to != NULL && strncmp(op->path_to, "inbox/", 6) == 0;
}

void
life_watch_disk(struct life *life, unsigned number)
{
    sf_sim_disk_watch(sf_world_disk(life->world, number), before_operation, &life->nodes[number]);
}

/* --- Who is there ------------------------------------------------------------------------ */

static uint64_t
pick(struct life *life, uint64_t below)
{
    return sf_prng_below(&life->shape, below);
}

static void
connect_nodes(struct life *life, enum topology topology)
{
    for (unsigned a = 0; a < life->node_count; a++) {
        for (unsigned b = a + 1; b < life->node_count; b++) {
            bool is_connected =
                topology == TOPOLOGY_MESH || (topology == TOPOLOGY_STAR ? a == 0 : b == a + 1);

            life->is_connected[a][b] = is_connected;
            life->is_connected[b][a] = is_connected;
        }
    }
}

static void
introduce(struct life *life, unsigned number, unsigned other, const uint8_t *psk)
{
    struct sf_node_peer conf = {
        .may_send = true,
        .may_receive = true,
        .has_endpoint = !life->nodes[other].is_behind_nat,
        .rate_bps = life->rate_bps,
        .has_psk = psk != NULL,
        .no_return = life->is_one_way && number == 0 && other == 1,
    };

    if (psk != NULL) {
        memcpy(conf.psk, psk, sizeof(conf.psk));
    }
    if (life->has_privacy) {
        conf.privacy = (enum sf_node_privacy)sf_prng_below(&life->privacy, PRIVACY_MODES);
        conf.cover_day_bytes = sf_prng_below(&life->privacy, COVER_DAY_BYTES);
    }
    sf_world_introduce(life->world, number, other, &conf);
}

static unsigned
introduce_all(struct life *life)
{
    unsigned psks = 0;

    for (unsigned a = 0; a < life->node_count; a++) {
        for (unsigned b = a + 1; b < life->node_count; b++) {
            uint8_t psk[32];
            bool has_psk = pick(life, 3) == 0;

            sf_prng_fill(&life->shape, psk, sizeof(psk));
            if (life->is_connected[a][b]) {
                introduce(life, a, b, has_psk ? psk : NULL);
                introduce(life, b, a, has_psk ? psk : NULL);
                psks += has_psk;
            }
        }
    }
    return psks;
}

static void
add_nodes(struct life *life, uint32_t class_bytes)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        struct sf_node_config *config;

        life->nodes[i].name = names[i];
        (void)sf_world_add(life->world, names[i]);
        config = sf_world_config(life->world, i);
        config->class_bytes = class_bytes;
        /* They find out; only where nothing comes back they have to be told. */
        config->mtu_bytes = life->faults.is_on[SF_FAULT_MTU] ? SF_LINK_MTU_MAX : 0;
        config->mtu_blind_bytes = life->calm.mtu_bytes;
        config->reserve_bytes = 256 << 10;
        config->punch_bytes = pick(life, 2) == 0 ? 0 : 32768;
        sf_sim_disk_latency(
            sf_world_disk(life->world, i), 20 * SF_US, 100 * SF_US + pick(life, 5) * SF_MS);
        life_watch_disk(life, i);
    }
}

static void
open_nat(struct life *life)
{
    unsigned number =
        1 + (unsigned)sf_faults_pick(&life->faults, SF_FAULT_NAT, life->node_count - 1);
    struct sf_sim_nat_config config = {
        .every_ns = (10 + sf_faults_pick(&life->faults, SF_FAULT_NAT, 110)) * SF_SEC,
        .idle_ns = 60 * SF_SEC,
    };

    if (life->faults.is_on[SF_FAULT_NAT] && !life->is_one_way) {
        life->nodes[number].is_behind_nat = true;
        sf_world_nat(life->world, number, &config);
    }
}

static void
open_life(struct life *life)
{
    static const uint32_t classes[] = {0, 16384, 16384, 65536};
    static const uint32_t mtus[] = {1280, 9000, 4000, 1500};
    static const uint64_t rates[] = {200000, 1000000, 4000000, 16000000};
    enum topology topology = (enum topology)pick(life, TOPOLOGIES);
    uint32_t class_bytes = classes[pick(life, 4)];
    uint32_t mtu = life->faults.is_on[SF_FAULT_MTU]
                       ? mtus[sf_faults_pick(&life->faults, SF_FAULT_MTU, 4)]
                       : SF_LINK_MTU_DEFAULT;
    char faults[SF_LIFE_PARAMETERS_BYTES - 170];
    unsigned psks;

    life->is_one_way = life->faults.is_on[SF_FAULT_ONE_WAY];
    life->node_count = life->is_one_way ? 2 : 2 + (unsigned)pick(life, LIFE_NODES_MAX - 1);
    life->rate_bps = life->is_one_way ? rates[0] : rates[pick(life, 4)];
    life->calm = (struct sf_sim_path_config){
        .delay_ns = 500 * SF_US + pick(life, 300) * SF_MS,
        .rate_bps = life->rate_bps + life->rate_bps / 4,
        .queue_bytes = 1000000,
        .mtu_bytes = mtu,
    };
    life->result->faults[SF_FAULT_MTU] = mtu != SF_LINK_MTU_DEFAULT;
    add_nodes(life, class_bytes);
    connect_nodes(life, topology);
    open_nat(life);
    psks = introduce_all(life);
    life_paths(life);
    sf_faults_text(&life->faults, faults, sizeof(faults));
    snprintf(life->result->parameters, sizeof(life->result->parameters),
        "%u nodes, %s, %u PSKs, class %u, MTU %u, %" PRIu64 " bit/s%s%s; %s", life->node_count,
        topology_names[topology], psks, class_bytes, mtu, life->rate_bps,
        life->has_bases ? ", bases" : "", life->has_privacy ? ", filler" : "", faults);
    sf_trace_say(&life->trace, 0, "seed %" PRIu64 ": %s", life->seed, life->result->parameters);
}

/* --- Its course ----------------------------------------------------------------------------- */

static void
live(struct life *life)
{
    for (unsigned i = 0; i < life->node_count && !life_is_over(life); i++) {
        life_start(life, i);
    }
    life_send(life);
    for (unsigned i = 0; i < ROUNDS && !life_is_over(life); i++) {
        life_work(life);
        life_faults(life);
        life_pass(life, sf_prng_below(&life->pace, 2) == 0
                            ? sf_prng_below(&life->pace, 300) * SF_MS
                            : sf_prng_below(&life->pace, 8000) * SF_MS);
        if (!life_is_over(life)) {
            life_revive(life);
        }
    }
}

static bool
is_done(struct sf_world *world, void *context)
{
    struct life *life = context;

    return is_over(world, life) || life_all_ended(life);
}

static void
end_life(struct life *life)
{
    life_calm(life);
    sf_trace_say(&life->trace, sf_world_now(life->world), "calm");
    life->is_calm = true;
    checker_calm(life);
    (void)sf_world_run_until(life->world, sf_world_now(life->world) + PATIENCE, is_done, life);
    if (life_is_over(life)) {
        return;
    }
    checker_end(life);
    life_cancel_rest(life);
    life_pass(life, AFTER_NS);
    if (!life_is_over(life) && !checker_is_clean(life)) {
        life_pass(life, DAY_NS + AFTER_NS); /* bundles wait so long for a grant that never comes */
    }
    if (!life_is_over(life)) {
        checker_rest(life);
    }
}

/* What is left of the day is quiet. */
static void
rest(struct life *life)
{
    sf_mono now = sf_world_now(life->world);

    if (life->is_one_way) {
        for (unsigned i = 0; i < life->node_count; i++) {
            sf_world_stop(life->world, i); /* its receiver calls for ever and is never heard */
        }
    }
    if (now < DAY_NS) {
        life_pass(life, DAY_NS - now);
    }
}

static void
summarize(struct life *life)
{
    struct sf_life_result *result = life->result;
    uint64_t hashes[LIFE_NODES_MAX];

    for (unsigned i = 0; i < life->node_count; i++) {
        hashes[i] = sf_sim_disk_hash(sf_world_disk(life->world, i));
    }
    sf_trace_count(&life->trace, sf_world_now(life->world), 0, hashes, life->node_count);
    life_count_faults(life);
    result->trace_hash = life->trace.hash;
    result->events = life->trace.events;
    result->span_ns = sf_world_now(life->world);
    result->transfers = life->sent_count;
    for (unsigned i = 0; i < life->sent_count; i++) {
        for (unsigned k = 0; k < life->sent[i].to_count; k++) {
            result->delivered += life->sent[i].claims[k].is_delivered;
        }
    }
}

void
sf_life_run(const struct sf_life_config *config, struct sf_life_result *ret_result)
{
    struct life *life = calloc(1, sizeof(*life));
    const struct sf_world_spy spy = {life, sent, arrives, taken, stepped};

    sf_assert(life != NULL);
    *ret_result = (struct sf_life_result){.is_good = true};
    life->seed = config->seed;
    life->result = ret_result;
    sf_prng_init_stream(&life->shape, config->seed, STREAM_SHAPE);
    sf_prng_init_stream(&life->work, config->seed, STREAM_WORK);
    sf_prng_init_stream(&life->pace, config->seed, STREAM_PACE);
    sf_prng_init_stream(&life->bases, config->seed, STREAM_BASES);
    life->has_bases = sf_prng_below(&life->bases, BASES_ONE_IN) == 0;
    sf_prng_init_stream(&life->privacy, config->seed, STREAM_PRIVACY);
    life->has_privacy = sf_prng_below(&life->privacy, PRIVACY_ONE_IN) == 0;
    sf_faults_draw(&life->faults, config->seed);
    sf_trace_init(&life->trace, config->line, config->context);
    life->world = sf_world_open(config->seed);
    sf_world_watch(life->world, heard, life);
    sf_world_spy(life->world, &spy);
    checker_open(life);
    attacker_open(life);
    open_life(life);
    live(life);
    if (!life_is_over(life)) {
        end_life(life);
    }
    if (!life_is_over(life)) {
        rest(life);
    }
    summarize(life);
    sf_world_spy(life->world, NULL);
    life_faults_fini(life);
    sf_world_close(life->world);
    life_work_fini(life);
    attacker_close(life);
    checker_close(life);
    free(life);
}
