/*
 * world.c - the nodes of a world: made, started, cut, and stepped through.
 */
#include "sim/world_state.h"

#include "base/assert.h"
#include "base/crypto.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DATAGRAM_BYTES_MAX = 9000,
    STEPS_MAX = 10000000, /* of one node at one time: more is a loop that makes no progress */
};

/* 2026-01-01: what wall clocks show when the world begins. */
#define WALL_BEGIN_MS INT64_C(1767225600000)

/* Streams of the seed: adding a node or a path does not shift the others. */
enum { STREAM_NODE = 1000, STREAM_DISK = 2000, STREAM_CRASH = 4000 };

void *
world_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);

    sf_assert(memory != NULL);
    return memory;
}

static struct sf_wall
wall_of(const struct world_node *self)
{
    return (struct sf_wall){
        WALL_BEGIN_MS + (int64_t)(self->world->clock.now / SF_MS) + self->wall_ahead_ms};
}

/* --- Steps ----------------------------------------------------------------------------- */

/* Its power is cut, or it found that it cannot keep its promise and its program has stopped. */
static bool
is_off(const struct world_node *self)
{
    return self->node == NULL || sf_sim_disk_is_cut(self->disk) ||
           sf_node_health(self->node) != SF_OK;
}

static bool
output(struct world_node *self, struct sf_addr *ret_to, uint8_t *payload, size_t room,
    size_t *ret_bytes)
{
    bool is_any;

    (void)sf_sim_memory_enter(&self->memory);
    is_any = sf_node_output(self->node, ret_to, payload, room, ret_bytes, self->world->clock.now);
    (void)sf_sim_memory_enter(NULL);
    return is_any;
}

static void
send_all(struct world_node *self)
{
    uint8_t payload[DATAGRAM_BYTES_MAX];
    struct sf_addr to;
    size_t bytes;

    while (output(self, &to, payload, sizeof(payload), &bytes)) {
        world_leave(self, &to, sf_view(payload, bytes));
    }
}

static void
pull_events(struct world_node *self)
{
    struct sf_node_event event;

    while (sf_node_event(self->node, &event)) {
        if (self->world->event != NULL) {
            self->world->event(self->world->event_context, self->number, &event);
        }
    }
}

static void
has_stepped(struct world_node *self)
{
    const struct sf_world_spy *spy = &self->world->spy;

    if (spy->stepped != NULL) {
        spy->stepped(spy->context, self->number);
    }
}

/* Whether an operation of its disk or a job waits to be carried out now. */
static bool
has_work(const struct world_node *self)
{
    return self->workers.first != NULL ||
           sf_sim_disk_deadline(self->disk) <= self->world->clock.now;
}

/* When it has something to do if nothing comes. */
static sf_mono
deadline_of(const struct world_node *self)
{
    return sf_mono_min(sf_node_deadline(self->node), sf_sim_disk_deadline(self->disk));
}

static void
sleep_until(struct world_node *self, sf_mono deadline)
{
    struct sf_sim_clock *clock = &self->world->clock;

    deadline = deadline > clock->now ? deadline : clock->now + 1;
    if (deadline == SF_NEVER) {
        sf_sim_clock_cancel(clock, &self->wake);
    } else if (self->wake.place == 0 || self->wake.at != deadline) {
        sf_sim_clock_set(clock, &self->wake, deadline);
    }
}

void
world_step(struct world_node *self)
{
    struct sf_world *world = self->world;
    struct sf_disk *disk = sf_sim_disk_interface(self->disk);
    sf_mono now = world->clock.now;
    bool any = true;

    if (self->is_stepping || is_off(self)) {
        return;
    }
    self->is_stepping = true;
    sf_sim_disk_advance(self->disk, now);
    for (unsigned i = 0; any && !is_off(self); i++) {
        sf_assert(i < STEPS_MAX);
        (void)sf_sim_memory_enter(&self->memory);
        any = sf_disk_poll(disk);
        any |= sf_workers_poll(&self->workers.workers);
        sf_node_tick(self->node, now, wall_of(self));
        (void)sf_sim_memory_enter(NULL);
        send_all(self);
        any |= has_work(self);
    }
    pull_events(self);
    self->is_stepping = false;
    has_stepped(self);
    if (is_off(self)) {
        return; /* in the middle of it; somebody will notice */
    }
    sleep_until(self, deadline_of(self));
}

/* A datagram came: as a program does, look at timers and at what waits, and go on if need be. */
static void
look(struct world_node *self)
{
    sf_mono deadline = deadline_of(self);

    if (self->workers.first != NULL || deadline <= self->world->clock.now) {
        world_step(self);
    } else {
        pull_events(self);
        has_stepped(self);
        sleep_until(self, deadline);
    }
}

static void
wake(struct sf_sim_event *event, sf_mono now)
{
    (void)now;
    world_step(event->owner);
}

void
world_take(struct world_node *self, const struct sf_world_datagram *datagram, uint8_t *payload)
{
    const struct sf_world_spy *spy = &self->world->spy;

    if (is_off(self)) {
        return;
    }
    if (spy->arrives != NULL) {
        spy->arrives(spy->context, datagram);
    }
    (void)sf_sim_memory_enter(&self->memory);
    sf_node_input(self->node, &datagram->addr, payload, datagram->count, self->world->clock.now);
    (void)sf_sim_memory_enter(NULL);
    if (spy->taken != NULL) {
        spy->taken(spy->context, datagram);
    }
    look(self);
}

void
sf_world_inject(struct sf_world *world, const struct sf_addr *from, unsigned to,
    const uint8_t *bytes, size_t count)
{
    uint8_t payload[DATAGRAM_BYTES_MAX];
    const struct sf_world_datagram arrived = {SF_WORLD_NOBODY, to, *from, payload, count};

    sf_assert(count <= sizeof(payload));
    memcpy(payload, bytes, count);
    world_take(world->nodes[to], &arrived, payload);
}

void
sf_world_poke(struct sf_world *world, unsigned number)
{
    world_step(world->nodes[number]);
}

/* --- Making ---------------------------------------------------------------------------- */

struct sf_world *
sf_world_open(uint64_t seed)
{
    struct sf_world *world = world_alloc(sizeof(*world));

    sf_assert(sf_crypto_init() == SF_OK);
    world->seed = seed;
    sf_prng_init_stream(&world->crash_prng, seed, STREAM_CRASH);
    sf_sim_clock_init(&world->clock, SF_SEC);
    return world;
}

void
sf_world_set_steady(struct sf_world *world)
{
    world->steady = true;
}

void
sf_world_close(struct sf_world *world)
{
    sf_sim_clock_fini(&world->clock);
    for (unsigned i = 0; i < world->count; i++) {
        struct world_node *self = world->nodes[i];

        sf_sim_disk_cut(self->disk);
        sf_node_drop(self->node);
        sf_sim_disk_close(self->disk);
        free(self);
    }
    world_net_close(world);
    free(world);
}

unsigned
sf_world_add(struct sf_world *world, const char *name)
{
    struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    struct sf_sim_disk_config disk = {
        .seed = world->seed * 31 + STREAM_DISK + world->count, .steady = world->steady};
    struct world_node *self = world_alloc(sizeof(*self));
    struct sf_identity *identity;
    struct sf_random random;
    uint8_t keys[SF_IDENTITY_BYTES_MAX];
    size_t bytes;

    sf_assert(world->count < SF_WORLD_NODES_MAX);
    self->world = world;
    self->number = world->count++;
    world->nodes[self->number] = self;
    snprintf(self->name, sizeof(self->name), "%s", name);
    sf_assert(sf_sim_disk_open(&disk, &self->disk) == SF_OK);
    sf_prng_init_stream(&self->prng, world->seed, STREAM_NODE + self->number);
    random = sf_prng_random(&self->prng);
    sf_assert(sf_identity_generate(&random, name, &identity) == SF_OK);
    sf_assert(sf_identity_encode(identity, keys, sizeof(keys), &bytes) == SF_OK);
    sf_card_of(identity, &self->card);
    sf_identity_fini(identity);
    sf_assert(sf_sim_disk_put(self->disk, "keys", sf_view(keys, bytes)) == SF_OK);
    sf_inline_workers_init(&self->workers);
    self->config = (struct sf_node_config){
        .disk = sf_sim_disk_interface(self->disk),
        .workers = &self->workers.workers,
        .random = random,
        .worker_count = 2,
        .code_raw = world->steady,
    };
    self->wake.fire = wake;
    self->wake.owner = self;
    for (unsigned i = 0; i < SF_WORLD_NODES_MAX; i++) {
        sf_world_path(world, self->number, i, &clean);
        sf_world_path(world, i, self->number, &clean);
    }
    return self->number;
}

struct sf_sim_memory *
sf_world_memory(struct sf_world *world, unsigned number)
{
    return &world->nodes[number]->memory;
}

struct sf_sim_disk *
sf_world_disk(struct sf_world *world, unsigned number)
{
    return world->nodes[number]->disk;
}

void
sf_world_replace_disk(struct sf_world *world, unsigned number, struct sf_sim_disk *disk)
{
    struct world_node *self = world->nodes[number];

    sf_assert(self->node == NULL);
    sf_sim_disk_close(self->disk);
    self->disk = disk;
    self->config.disk = sf_sim_disk_interface(disk);
}

struct sf_node_config *
sf_world_config(struct sf_world *world, unsigned number)
{
    return &world->nodes[number]->config;
}

struct sf_node *
sf_world_node(struct sf_world *world, unsigned number)
{
    return world->nodes[number]->node;
}

/* --- Their lives ----------------------------------------------------------------------- */

int
sf_world_start(struct sf_world *world, unsigned number, struct sf_node_error *error)
{
    struct world_node *self = world->nodes[number];
    int status;

    sf_assert(self->node == NULL);
    sf_sim_disk_advance(self->disk, world->clock.now);
    sf_inline_workers_init(&self->workers);
    (void)sf_sim_memory_enter(&self->memory);
    status = sf_node_open(&self->config, world->clock.now, wall_of(self), &self->node, error);
    (void)sf_sim_memory_enter(NULL);
    if (status != SF_OK) {
        self->node = NULL;
        return status;
    }
    for (unsigned i = 0; i < SF_WORLD_NODES_MAX; i++) {
        if (self->peers[i].is_revoked) {
            (void)sf_node_revoke(self->node, &self->peers[i].conf.card.fingerprint);
        }
        if (self->peers[i].is_known) {
            status = sf_node_peer_set(self->node, &self->peers[i].conf, error);
            sf_assert(status == SF_OK);
        }
    }
    sf_sim_clock_set(&world->clock, &self->wake, world->clock.now);
    return SF_OK;
}

void
sf_world_crash(struct sf_world *world, unsigned number, enum sf_sim_damage_model model)
{
    struct world_node *self = world->nodes[number];

    sf_sim_disk_cut(self->disk);
    sf_node_drop(self->node);
    self->node = NULL;
    sf_sim_clock_cancel(&world->clock, &self->wake);
    sf_sim_disk_restart(self->disk, model, sf_prng_u64(&world->crash_prng));
}

bool
sf_world_is_off(const struct sf_world *world, unsigned number)
{
    return is_off(world->nodes[number]);
}

void
sf_world_stop(struct sf_world *world, unsigned number)
{
    struct world_node *self = world->nodes[number];

    sf_node_close(self->node);
    self->node = NULL;
    sf_sim_clock_cancel(&world->clock, &self->wake);
    if (!world->steady) {
        /* One that failed while it stopped leaves operations behind; its process ends over them. */
        sf_sim_disk_restart(self->disk, SF_SIM_DAMAGE_KEEP_ALL, 0);
    }
}

void
sf_world_introduce(
    struct sf_world *world, unsigned number, unsigned other, const struct sf_node_peer *conf)
{
    struct world_node *self = world->nodes[number];
    struct known_peer *known = &self->peers[other];
    struct sf_node_error error;

    known->is_known = true;
    known->is_revoked = false;
    known->conf = conf != NULL ? *conf
                               : (struct sf_node_peer){
                                     .may_send = true,
                                     .may_receive = true,
                                     .has_endpoint = true,
                                     .rate_bps = 100000000,
                                 };
    known->conf.endpoint = sf_world_addr(other);
    known->conf.card = world->nodes[other]->card;
    snprintf(known->conf.name, sizeof(known->conf.name), "%s", world->nodes[other]->name);
    if (self->node != NULL) {
        sf_assert(sf_node_peer_set(self->node, &known->conf, &error) == SF_OK);
        world_step(self);
    }
}

uint64_t
sf_world_revoke(struct sf_world *world, unsigned number, unsigned other)
{
    struct world_node *self = world->nodes[number];
    struct known_peer *known = &self->peers[other];
    uint64_t ended = 0;

    known->is_known = false;
    known->is_revoked = true;
    if (self->node != NULL) {
        ended = sf_node_revoke(self->node, &known->conf.card.fingerprint);
        world_step(self);
    }
    return ended;
}

struct sf_wall
sf_world_wall(const struct sf_world *world, unsigned number)
{
    return wall_of(world->nodes[number]);
}

void
sf_world_wall_jump(struct sf_world *world, unsigned number, int64_t ms)
{
    world->nodes[number]->wall_ahead_ms += ms;
    world_step(world->nodes[number]);
}

/* --- Running --------------------------------------------------------------------------- */

sf_mono
sf_world_now(const struct sf_world *world)
{
    return world->clock.now;
}

void
sf_world_run(struct sf_world *world, sf_mono until)
{
    sf_sim_clock_run(&world->clock, until);
}

bool
sf_world_run_until(struct sf_world *world, sf_mono until,
    bool (*is_done)(struct sf_world *world, void *context), void *context)
{
    while (!is_done(world, context)) {
        if (sf_sim_clock_deadline(&world->clock) > until) {
            sf_sim_clock_run(&world->clock, until);
            return is_done(world, context);
        }
        (void)sf_sim_clock_step(&world->clock);
    }
    return true;
}

void
sf_world_watch(struct sf_world *world,
    void (*event)(void *context, unsigned number, const struct sf_node_event *event), void *context)
{
    world->event = event;
    world->event_context = context;
}

void
sf_world_tap(struct sf_world *world,
    void (*datagram)(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count),
    void *context)
{
    world->tap = datagram;
    world->tap_context = context;
}

void
sf_world_spy(struct sf_world *world, const struct sf_world_spy *spy)
{
    static const struct sf_world_spy nobody = {.context = NULL};

    world->spy = spy == NULL ? nobody : *spy;
}
