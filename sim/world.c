#include "sim/world.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/prng.h"
#include "sim/clock.h"
#include "sim/hollow.h"
#include "sim/image.h"
#include "sim/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DATAGRAM_BYTES_MAX = 9000,
    SPARE_BYTES = 1500, /* most have no more */
    IP_UDP_BYTES = 28,
    STEPS_MAX = 10000000, /* of one node at one time: more is a loop that makes no progress */
    ADDRESS = 0x0a000001, /* of node 0; the next has the next */
    PORT = 7272,
    PORTS = 50000, /* that a translator gives, one after the other */
};

/* 2026-01-01: what wall clocks show when the world begins. */
#define WALL_BEGIN_MS INT64_C(1767225600000)

/* Streams of the seed: adding a node or a path does not shift the others. */
enum { STREAM_NODE = 1000, STREAM_DISK = 2000, STREAM_CRASH = 4000 };
enum { STREAM_GATEWAY = 5000 };

struct known_peer {
    bool is_known;
    bool is_revoked; /* and therefore not known */
    struct sf_node_peer conf;
};

struct world_node {
    struct sf_world *world;
    unsigned number;
    char name[SF_NODE_NAME_BYTES_MAX + 1];
    struct sf_sim_disk *disk;
    struct sf_inline_workers workers;
    struct sf_prng prng;
    struct sf_sim_memory memory; /* what the node allocates */
    struct sf_node_config config;
    struct sf_node *node;
    struct sf_card card;
    struct known_peer peers[SF_WORLD_NODES_MAX];
    struct sf_sim_event wake;
    int64_t wall_ahead_ms; /* of the world's */
    bool is_stepping;
    bool has_nat;
    struct sf_sim_nat nat;
    sf_mono nat_zero; /* what its clock is behind */
};

struct gateway {
    unsigned ends[2];
    struct sf_sim_path paths[2]; /* of what ends[i] sends */
};

struct datagram {
    struct sf_world *world;
    unsigned sender; /* SF_WORLD_NOBODY: a gateway */
    struct sf_addr from;
    unsigned to;
    uint64_t to_address; /* which of those that a translator gave to it */
    size_t bytes;
    struct sf_sim_event event;
    struct datagram *next;
    struct datagram **at;
    uint8_t payload[];
};

struct sf_world {
    uint64_t seed;
    bool steady;
    struct sf_prng crash_prng;
    struct sf_sim_clock clock;
    struct world_node *nodes[SF_WORLD_NODES_MAX];
    unsigned count;
    struct sf_sim_path paths[SF_WORLD_NODES_MAX][SF_WORLD_NODES_MAX];
    struct gateway *gateways[SF_WORLD_GATEWAYS_MAX];
    unsigned gateway_count;
    unsigned gateway_last; /* sent to: looked at first */
    sf_mono path_zero;     /* what their clocks are behind */
    uint64_t payload[SF_WORLD_NODES_MAX][SF_WORLD_NODES_MAX];
    struct datagram *flying;
    struct datagram *spare; /* have room for SPARE_BYTES */
    void (*event)(void *context, unsigned number, const struct sf_node_event *event);
    void *event_context;
    void (*tap)(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count);
    void *tap_context;
    struct sf_world_spy spy;
};

static void *
must_alloc(size_t bytes)
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

struct sf_addr
sf_world_addr(unsigned number)
{
    return sf_addr_v4(ADDRESS + number, PORT);
}

/* Where a datagram comes from that leaves now: behind a translator, from one port after another. */
static struct sf_addr
addr_out(struct world_node *self)
{
    uint64_t address = 0;

    if (self->has_nat) {
        address = sf_sim_nat_out(&self->nat, self->world->clock.now - self->nat_zero);
    }
    return sf_addr_v4(ADDRESS + self->number, (uint16_t)(PORT + address % PORTS));
}

/* Whose address it is, and which of those it has had; SF_WORLD_NOBODY. */
static unsigned
owner_of(const struct sf_world *world, const struct sf_addr *addr, uint64_t *ret_address)
{
    for (unsigned i = 0; i < world->count; i++) {
        struct sf_addr own = sf_world_addr(i);

        if (memcmp(own.ip, addr->ip, sizeof(own.ip)) == 0 && addr->port >= PORT &&
            addr->port < PORT + PORTS) {
            *ret_address = addr->port - PORT;
            return i;
        }
    }
    return SF_WORLD_NOBODY;
}

static bool
is_at(const struct world_node *self, uint64_t address, sf_mono now)
{
    return self->has_nat ? sf_sim_nat_in(&self->nat, address, now - self->nat_zero) : address == 0;
}

static struct sf_addr
addr_of_gateway(unsigned number)
{
    return sf_addr_v4(0x0a000101 + number, PORT);
}

/* --- Steps ----------------------------------------------------------------------------- */

static void arrive(struct sf_sim_event *event, sf_mono now);

/* Its power is cut, or it found that it cannot keep its promise and its program has stopped. */
static bool
is_off(const struct world_node *self)
{
    return self->node == NULL || sf_sim_disk_is_cut(self->disk) ||
           sf_node_health(self->node) != SF_OK;
}

/* A datagram under way, with room for `bytes`; its memory may have been another's. */
static struct datagram *
datagram_new(struct sf_world *world, size_t bytes)
{
    struct datagram *datagram = world->spare;

    if (bytes > SPARE_BYTES) {
        datagram = sf_sim_allocate(sizeof(*datagram) + bytes);
    } else if (datagram != NULL) {
        world->spare = datagram->next;
    } else {
        datagram = sf_sim_allocate(sizeof(*datagram) + SPARE_BYTES);
    }
    memset(datagram, 0, sizeof(*datagram));
    datagram->next = world->flying;
    datagram->at = &world->flying;
    if (world->flying != NULL) {
        world->flying->at = &datagram->next;
    }
    world->flying = datagram;
    return datagram;
}

static void
datagram_free(struct sf_world *world, struct datagram *datagram)
{
    *datagram->at = datagram->next;
    if (datagram->next != NULL) {
        datagram->next->at = datagram->at;
    }
    if (datagram->bytes > SPARE_BYTES) {
        free(datagram);
    } else {
        datagram->next = world->spare;
        world->spare = datagram;
    }
}

/* One hop over `path` of `datagram`, which is a copy of what is under way. */
static void
fly(struct sf_world *world, struct sf_sim_path *path, const struct datagram *model,
    struct sf_view payload)
{
    struct sf_sim_delivery deliveries[SF_SIM_PATH_COPIES_MAX];
    size_t bytes = payload.bytes;
    size_t copies = sf_sim_path_input(
        path, bytes, bytes + IP_UDP_BYTES, world->clock.now - world->path_zero, deliveries);

    for (size_t i = 0; i < copies; i++) {
        struct datagram *datagram = datagram_new(world, bytes);

        datagram->world = world;
        datagram->sender = model->sender;
        datagram->from = model->from;
        datagram->to = model->to;
        datagram->to_address = model->to_address;
        datagram->bytes = bytes;
        memcpy(datagram->payload, payload.data, bytes);
        sf_hollow_damage(&deliveries[i].flip_bit, bytes);
        sf_sim_delivery_apply(&deliveries[i], datagram->payload, bytes);
        datagram->event.fire = arrive;
        datagram->event.owner = datagram;
        sf_sim_clock_set(&world->clock, &datagram->event, deliveries[i].at + world->path_zero);
    }
}

/* A datagram leaves a node for `to`, an address of a node or of a gateway, or of nobody. */
static void
leave(struct world_node *self, const struct sf_addr *to, struct sf_view payload)
{
    struct sf_world *world = self->world;
    unsigned number = self->number;
    struct datagram model = {.sender = number, .from = addr_out(self)};
    struct sf_sim_path *path = NULL;

    model.to = owner_of(world, to, &model.to_address);
    if (model.to != SF_WORLD_NOBODY) {
        path = &world->paths[number][model.to];
    }
    for (unsigned i = 0; path == NULL && i < world->gateway_count; i++) {
        unsigned turn = (world->gateway_last + i) % world->gateway_count;
        struct gateway *gateway = world->gateways[turn];
        struct sf_addr addr = addr_of_gateway(turn);
        unsigned side = gateway->ends[0] == number ? 0 : 1;

        if (sf_addr_equal(&addr, to) && gateway->ends[side] == number) {
            model.sender = SF_WORLD_NOBODY;
            model.to = gateway->ends[1 - side];
            model.from = addr;
            path = &gateway->paths[side];
            world->gateway_last = turn;
        }
    }
    if (world->spy.sent != NULL) {
        const struct sf_world_datagram sent = {number, model.to, *to, payload.data, payload.bytes};

        world->spy.sent(world->spy.context, &sent);
    }
    if (path == NULL) {
        return;
    }
    world->payload[number][model.to] += payload.bytes;
    if (world->tap != NULL) {
        world->tap(world->tap_context, number, model.to, payload.data, payload.bytes);
    }
    fly(world, path, &model, payload);
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
        leave(self, &to, sf_view(payload, bytes));
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

/* Let a node do all it can do now, then sleep. */
static void
step(struct world_node *self)
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
        step(self);
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
    step(event->owner);
}

/* `payload` is what `datagram` shows; the node decrypts it in place. */
static void
take(struct world_node *self, const struct sf_world_datagram *datagram, uint8_t *payload)
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

static void
arrive(struct sf_sim_event *event, sf_mono now)
{
    struct datagram *datagram = event->owner;
    struct world_node *to = datagram->world->nodes[datagram->to];
    const struct sf_world_datagram arrived = {
        datagram->sender, datagram->to, datagram->from, datagram->payload, datagram->bytes};

    if (is_at(to, datagram->to_address, now)) {
        take(to, &arrived, datagram->payload);
    }
    datagram_free(datagram->world, datagram);
}

void
sf_world_inject(struct sf_world *world, const struct sf_addr *from, unsigned to,
    const uint8_t *bytes, size_t count)
{
    uint8_t payload[DATAGRAM_BYTES_MAX];
    const struct sf_world_datagram arrived = {SF_WORLD_NOBODY, to, *from, payload, count};

    sf_assert(count <= sizeof(payload));
    memcpy(payload, bytes, count);
    take(world->nodes[to], &arrived, payload);
}

/* --- Making ------------------------------------------------------------------------------ */

struct sf_world *
sf_world_open(uint64_t seed)
{
    struct sf_world *world = must_alloc(sizeof(*world));

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
    for (unsigned i = 0; i < world->gateway_count; i++) {
        free(world->gateways[i]);
    }
    while (world->flying != NULL) {
        datagram_free(world, world->flying);
    }
    while (world->spare != NULL) {
        struct datagram *next = world->spare->next;

        free(world->spare);
        world->spare = next;
    }
    free(world);
}

sf_mono
sf_world_now(const struct sf_world *world)
{
    return world->clock.now;
}

unsigned
sf_world_add(struct sf_world *world, const char *name)
{
    struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    struct sf_sim_disk_config disk = {
        .seed = world->seed * 31 + STREAM_DISK + world->count, .steady = world->steady};
    struct world_node *self = must_alloc(sizeof(*self));
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
        step(self);
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
        step(self);
    }
    return ended;
}

void
sf_world_path(
    struct sf_world *world, unsigned from, unsigned to, const struct sf_sim_path_config *config)
{
    struct sf_sim_path_stats stats = world->paths[from][to].stats;

    sf_assert(sf_sim_path_init(&world->paths[from][to], config, world->seed,
                  sf_sim_path_stream(from, to)) == SF_OK);
    world->paths[from][to].stats = stats;
}

void
sf_world_path_zero(struct sf_world *world, sf_mono zero)
{
    sf_assert(zero <= world->clock.now);
    world->path_zero = zero;
}

unsigned
sf_world_gateway(struct sf_world *world, unsigned a, unsigned b)
{
    const struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    unsigned number = world->gateway_count++;
    struct gateway *gateway;

    sf_assert(number < SF_WORLD_GATEWAYS_MAX && a < world->count && b < world->count && a != b);
    gateway = must_alloc(sizeof(*gateway));
    world->gateways[number] = gateway;
    gateway->ends[0] = a;
    gateway->ends[1] = b;
    sf_world_gateway_path(world, number, a, &clean);
    sf_world_gateway_path(world, number, b, &clean);
    return number;
}

struct sf_addr
sf_world_gateway_addr(const struct sf_world *world, unsigned gateway)
{
    sf_assert(gateway < world->gateway_count);
    return addr_of_gateway(gateway);
}

/* Which of its ends `from` is. */
static unsigned
side_of(const struct gateway *gateway, unsigned from)
{
    sf_assert(gateway->ends[0] == from || gateway->ends[1] == from);
    return gateway->ends[0] == from ? 0 : 1;
}

void
sf_world_gateway_path(struct sf_world *world, unsigned gateway, unsigned from,
    const struct sf_sim_path_config *config)
{
    struct gateway *at = world->gateways[gateway];
    unsigned side = side_of(at, from);
    struct sf_sim_path_stats stats = at->paths[side].stats;

    sf_assert(sf_sim_path_init(&at->paths[side], config, world->seed,
                  STREAM_GATEWAY + gateway * 2 + side) == SF_OK);
    at->paths[side].stats = stats;
}

const struct sf_sim_path_stats *
sf_world_gateway_stats(const struct sf_world *world, unsigned gateway, unsigned from)
{
    const struct gateway *at = world->gateways[gateway];

    return &at->paths[side_of(at, from)].stats;
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
    step(world->nodes[number]);
}

void
sf_world_poke(struct sf_world *world, unsigned number)
{
    step(world->nodes[number]);
}

void
sf_world_nat(struct sf_world *world, unsigned number, const struct sf_sim_nat_config *config)
{
    struct world_node *self = world->nodes[number];

    self->has_nat = config != NULL;
    self->nat_zero = world->clock.now;
    if (config != NULL) {
        sf_assert(sf_sim_nat_init(&self->nat, config) == SF_OK);
    }
}

uint64_t
sf_world_rebindings(const struct sf_world *world, unsigned number)
{
    const struct world_node *self = world->nodes[number];

    return self->has_nat ? self->nat.forgotten + sf_sim_nat_changes(&self->nat.config,
                                                     world->clock.now - self->nat_zero)
                         : 0;
}

const struct sf_sim_path_stats *
sf_world_path_stats(const struct sf_world *world, unsigned from, unsigned to)
{
    return &world->paths[from][to].stats;
}

uint64_t
sf_world_path_payload(const struct sf_world *world, unsigned from, unsigned to)
{
    return world->payload[from][to];
}

/* --- Transfers ------------------------------------------------------------------------------ */

static void
error_of_open(struct sf_node_error *error, int status, const char *path)
{
    error->status = status;
    snprintf(error->text, sizeof(error->text), "%s: %s", path, sf_status_text(status));
}

static int
open_file(struct world_node *self, const char *path, int *ret_file, struct sf_disk_stat *ret_stat,
    struct sf_node_error *error)
{
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .path = path};
    int status = sf_disk_run(self->config.disk, &op);

    if (status != SF_OK) {
        error_of_open(error, status, path);
        return status;
    }
    *ret_file = op.ret_file;
    *ret_stat = op.ret_stat;
    return SF_OK;
}

/* As the program that sends it would: its digest is that of what stands there now. */
static int
open_base(struct world_node *self, const char *path, struct sf_node_base *ret_base,
    struct sf_node_error *error)
{
    enum { WINDOW_BYTES = 64 << 10 };
    uint8_t *window = must_alloc(WINDOW_BYTES);
    struct sf_sha256 hash;
    uint64_t offset = 0;
    size_t bytes = WINDOW_BYTES;
    int status = open_file(self, path, &ret_base->file, &ret_base->stat, error);

    sf_sha256_init(&hash);
    while (status == SF_OK && bytes == WINDOW_BYTES) {
        status = sf_sim_disk_get(self->disk, path, offset, window, WINDOW_BYTES, &bytes);
        sf_sha256_update(&hash, window, bytes);
        offset += bytes;
    }
    sf_sha256_final(&hash, ret_base->sha256.b);
    free(window);
    return status;
}

int
sf_world_send(struct sf_world *world, const struct sf_world_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error)
{
    struct world_node *self = world->nodes[send->from];
    struct sf_node_source *sources = must_alloc(send->path_count * sizeof(*sources));
    struct sf_node_base *bases = must_alloc(send->path_count * sizeof(*bases));
    const char *recipients[SF_WORLD_NODES_MAX];
    struct sf_node_send order = {
        .recipients = recipients,
        .recipient_count = send->to_count,
        .label = sf_view(send->label, strlen(send->label)),
        .sources = sources,
        .source_count = send->path_count,
        .single_file = send->names == NULL,
        .priority = send->priority,
        .deadline = send->deadline,
        .forget_key = send->forget_key,
        .has_resume = send->has_resume,
        .resume = send->resume,
    };
    int status = SF_OK;

    for (size_t i = 0; i < send->to_count; i++) {
        recipients[i] = world->nodes[send->to[i]]->name;
    }
    for (size_t i = 0; status == SF_OK && i < send->path_count; i++) {
        status = open_file(self, send->paths[i], &sources[i].file, &sources[i].stat, error);
        if (status == SF_OK && send->bases != NULL && send->bases[i] != NULL) {
            sources[i].base = &bases[i];
            status = open_base(self, send->bases[i], &bases[i], error);
        }
        if (send->names != NULL) {
            sources[i].path = sf_view(send->names[i], strlen(send->names[i]));
        }
    }
    if (status == SF_OK) {
        (void)sf_sim_memory_enter(&self->memory);
        status = sf_node_send(self->node, &order, ret_transfer, error);
        (void)sf_sim_memory_enter(NULL);
        step(self);
    }
    free(sources);
    free(bases);
    return status;
}

int
sf_world_cancel(struct sf_world *world, unsigned number, const struct sf_transfer_id *id,
    struct sf_node_error *error)
{
    struct world_node *self = world->nodes[number];
    int status;

    (void)sf_sim_memory_enter(&self->memory);
    status = sf_node_cancel(self->node, id, error);
    (void)sf_sim_memory_enter(NULL);
    step(self);
    return status;
}

bool
sf_world_transfer(struct sf_world *world, unsigned number, const struct sf_transfer_id *id,
    struct sf_node_transfer *ret_transfer)
{
    return world->nodes[number]->node != NULL &&
           sf_node_transfer_find(world->nodes[number]->node, id, ret_transfer);
}

/* --- Running ----------------------------------------------------------------------------------- */

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
    world->spy = spy == NULL ? (struct sf_world_spy){.context = NULL} : *spy;
}
