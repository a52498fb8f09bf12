/*
 * world_net.c - what is between the nodes of a world: addresses, paths, gateways,
 * translators, and the datagrams that are under way.
 */
#include "sim/world_state.h"

#include "base/assert.h"
#include "sim/hollow.h"
#include "sim/image.h"

#include <stdlib.h>

enum {
    SPARE_BYTES = 1500, /* most datagrams have no more */
    IP_UDP_BYTES = 28,
    ADDRESS = 0x0a000001, /* of node 0; the next has the next */
    PORT = 7272,
    PORTS = 50000, /* that a translator gives, one after the other */
};

/* A stream of the seed (world.c has the others). */
enum { STREAM_GATEWAY = 5000 };

static void arrive(struct sf_sim_event *event, sf_mono now);

/* --- Addresses ------------------------------------------------------------------------- */

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

/* --- Datagrams ------------------------------------------------------------------------- */

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

void
world_leave(struct world_node *self, const struct sf_addr *to, struct sf_view payload)
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

static void
arrive(struct sf_sim_event *event, sf_mono now)
{
    struct datagram *datagram = event->owner;
    struct world_node *to = datagram->world->nodes[datagram->to];
    const struct sf_world_datagram arrived = {
        datagram->sender, datagram->to, datagram->from, datagram->payload, datagram->bytes};

    if (is_at(to, datagram->to_address, now)) {
        world_take(to, &arrived, datagram->payload);
    }
    datagram_free(datagram->world, datagram);
}

void
world_net_close(struct sf_world *world)
{
    for (unsigned i = 0; i < world->gateway_count; i++) {
        free(world->gateways[i]);
    }
    while (world->flying != NULL) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the next one is the first by then */
        datagram_free(world, world->flying);
    }
    while (world->spare != NULL) {
        struct datagram *next = world->spare->next;

        free(world->spare);
        world->spare = next;
    }
}

/* --- Paths ----------------------------------------------------------------------------- */

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

/* --- Gateways -------------------------------------------------------------------------- */

unsigned
sf_world_gateway(struct sf_world *world, unsigned a, unsigned b)
{
    const struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    unsigned number = world->gateway_count++;
    struct gateway *gateway;

    sf_assert(number < SF_WORLD_GATEWAYS_MAX && a < world->count && b < world->count && a != b);
    gateway = world_alloc(sizeof(*gateway));
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

/* --- Translators ----------------------------------------------------------------------- */

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
