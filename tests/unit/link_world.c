/*
 * link_world.c - link engines in virtual time.
 */
#include "tests/unit/link_world.h"

#include "base/assert.h"
#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

/* --- Keys ------------------------------------------------------------------------ */

static void
derive(unsigned end, const char *what, uint32_t number, uint8_t ret_key[32])
{
    uint8_t head[8];
    struct sf_sha256 hash;

    sf_put_be32(head, end);
    sf_put_be32(head + 4, number);
    sf_sha256_init(&hash);
    sf_sha256_update(&hash, head, sizeof(head));
    sf_sha256_update(&hash, what, strlen(what));
    sf_sha256_final(&hash, ret_key);
}

static void
prekey_pk(unsigned end, uint32_t number, uint8_t ret_pk[32])
{
    uint8_t sk[32];

    derive(end, "prekey", number, sk);
    sf_x25519_public(ret_pk, sk);
}

static bool
find_prekey(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32])
{
    const struct end *end = context;

    if (number < end->prekey_oldest || number > end->prekey_number) {
        return false;
    }
    derive(end->number, "prekey", number, ret_sk);
    sf_x25519_public(ret_pk, ret_sk);
    return true;
}

/* --- Content --------------------------------------------------------------------- */

static void
fill_bundle(const struct sf_transfer_id *transfer, uint64_t index, uint8_t *out, size_t bytes)
{
    struct sf_prng prng;

    sf_prng_init_stream(&prng, sf_get_be64(transfer->b), index);
    sf_prng_fill(&prng, out, bytes);
}

/* --- Packets --------------------------------------------------------------------- */

static bool
is_before(const struct packet *a, const struct packet *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void
push_packet(struct world *world, struct packet packet)
{
    size_t i = world->packet_count++;

    if (world->packet_count > world->packet_max) {
        world->packet_max = world->packet_max * 2 + 64;
        world->packets = realloc(world->packets, world->packet_max * sizeof(packet));
        sf_assert(world->packets != NULL);
    }
    packet.order = world->order++;
    while (i > 0 && is_before(&packet, &world->packets[(i - 1) / 2])) {
        world->packets[i] = world->packets[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->packets[i] = packet;
}

static struct packet
pop_packet(struct world *world)
{
    struct packet first = world->packets[0];
    struct packet last = world->packets[--world->packet_count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= world->packet_count) {
            break;
        }
        if (child + 1 < world->packet_count &&
            is_before(&world->packets[child + 1], &world->packets[child])) {
            child++;
        }
        if (!is_before(&world->packets[child], &last)) {
            break;
        }
        world->packets[i] = world->packets[child];
        i = child;
    }
    world->packets[i] = last;
    return first;
}

static uint8_t *
copy_of(const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);

    sf_assert(copy != NULL);
    memcpy(copy, data, bytes);
    return copy;
}

static struct world_address *
address_of(struct world *world, const struct sf_addr *addr)
{
    for (size_t i = 0; i < world->address_count; i++) {
        if (sf_addr_equal(&world->addresses[i].addr, addr)) {
            return &world->addresses[i];
        }
    }
    sf_assert(world->address_count < WORLD_ADDRESSES_MAX);
    world->addresses[world->address_count] = (struct world_address){.addr = *addr};
    return &world->addresses[world->address_count++];
}

void
world_authorise(struct world *world, const struct sf_addr *addr)
{
    address_of(world, addr)->is_ends = true;
}

const struct world_address *
world_address(const struct world *world, const struct sf_addr *addr)
{
    static const struct world_address none;

    for (size_t i = 0; i < world->address_count; i++) {
        if (sf_addr_equal(&world->addresses[i].addr, addr)) {
            return &world->addresses[i];
        }
    }
    return &none;
}

/* Wait for the line: false if there is no room before it. Then packet->at is when it has passed. */
static bool
pass_line(struct channel *channel, struct packet *packet, sf_mono now)
{
    uint64_t wait = channel->line_free > now ? channel->line_free - now : 0;

    packet->at = now;
    if (channel->rate_bps == 0) {
        return true;
    }
    if (wait > channel->queue_ns) {
        return false;
    }
    channel->waited_ns = wait;
    channel->line_free = now + wait + (packet->bytes + 28) * 8 * SF_SEC / channel->rate_bps;
    packet->at = channel->line_free;
    packet->is_marked = channel->mark_ns != 0 && wait > channel->mark_ns;
    return true;
}

static void
transmit(
    struct world *world, unsigned end, const struct sf_addr *to, const uint8_t *data, size_t bytes)
{
    struct channel *channel = &world->channels[end];
    struct world_address *address = address_of(world, to);
    unsigned copies = sf_prng_chance(&world->prng, channel->dup_ppm) ? 2 : 1;

    if (channel->device_bytes != 0 && bytes + 28 > channel->device_bytes) {
        sf_link_refused(world->ends[end].link, to, bytes);
        return;
    }
    for (unsigned i = 0; i < world->end_count; i++) {
        address->is_ends |= sf_addr_equal(&world->ends[i].addr, to);
    }
    address->out_bytes += bytes;
    address->out_dgrams++;
    world->sent_bytes[end] += bytes;
    world->sent_dgrams[end]++;
    world->sent_large[end] += bytes > 600 && sf_get_be32(data) != 0 ? 1 : 0;
    if (world->is_taping && world->tape_count < WORLD_TAPE_MAX) {
        world->tape[world->tape_count++] = (struct packet){.at = world->now,
            .from = world->ends[end].addr,
            .to = *to,
            .bytes = bytes,
            .data = copy_of(data, bytes)};
    }
    while (copies-- > 0) {
        const struct end *from = &world->ends[end];
        struct packet packet = {.from = from->forged.port != 0 ? from->forged : from->addr,
            .to = *to,
            .bytes = bytes,
            .data = NULL};

        if (!pass_line(channel, &packet, world->now) || channel->is_dark ||
            (channel->mtu_bytes != 0 && bytes + 28 > channel->mtu_bytes) ||
            sf_prng_chance(&world->prng, channel->loss_ppm)) {
            continue;
        }
        packet.at += channel->delay_ns +
                     (channel->jitter_ns > 0 ? sf_prng_below(&world->prng, channel->jitter_ns) : 0);
        packet.data = copy_of(data, bytes);
        if (sf_prng_chance(&world->prng, channel->corrupt_ppm)) {
            packet.data[sf_prng_below(&world->prng, bytes)] ^= 0x10;
        }
        push_packet(world, packet);
    }
}

/* --- The application --------------------------------------------------------------- */

static struct world_object *
out_object(struct end *end, uint32_t handle)
{
    for (unsigned i = 0; i < WORLD_OBJECTS_MAX; i++) {
        if (end->out[i].is_used && end->out[i].handle == handle) {
            return &end->out[i];
        }
    }
    sf_assert(false);
    return NULL;
}

/* The object of this handle, or else the one of this transfer, or else a free one. */
static struct world_object *
in_object(struct end *end, unsigned peer, uint32_t handle, const struct sf_link_object *object)
{
    struct world_object *found = NULL;

    for (unsigned i = 0; i < WORLD_OBJECTS_MAX; i++) {
        struct world_object *o = &end->in[i];

        if (object == NULL && o->is_used && o->peer == peer && o->handle == handle) {
            return o;
        }
        if (object != NULL && o->is_used &&
            sf_transfer_equal(&o->object.transfer, &object->transfer)) {
            found = o;
        }
    }
    for (unsigned i = 0; i < WORLD_OBJECTS_MAX && found == NULL && object != NULL; i++) {
        if (!end->in[i].is_used) {
            found = &end->in[i];
            found->is_used = true;
            sf_range_set_init(&found->kept, 4096);
            found->spilled = calloc(object->count, sizeof(*found->spilled));
            sf_assert(found->spilled != NULL);
        }
    }
    sf_assert(found != NULL);
    found->peer = peer;
    found->handle = handle;
    found->object = *object;
    return found;
}

static void
on_bundle(struct end *end, const struct sf_link_event *event)
{
    struct world_object *object = in_object(end, event->peer, event->handle, NULL);
    uint8_t *expected = malloc(event->buffer_bytes);

    sf_assert(expected != NULL && event->buffer_bytes == object->object.class_bytes);
    sf_assert((uintptr_t)event->buffer % SF_LINK_BUFFER_ALIGN == 0);
    fill_bundle(&object->object.transfer, event->index, expected, event->buffer_bytes);
    end->wrong_bytes += memcmp(expected, event->buffer, event->buffer_bytes) != 0 ? 1 : 0;
    free(expected);
    object->bundles++;
    sf_assert(sf_range_set_add(&object->kept, event->index, event->index + 1) == SF_OK);
    sf_assert(sf_link_received(end->link, event->peer, event->handle, event->index, SF_LINK_KEEP) ==
              SF_OK);
    sf_link_buffer_return(end->link, event->buffer);
}

static void
on_spill(struct end *end, const struct sf_link_event *event)
{
    struct world_object *object = in_object(end, event->peer, event->handle, NULL);
    uint8_t **slot = &object->spilled[event->index];

    if (*slot == NULL) {
        *slot = calloc(1, event->buffer_bytes);
        sf_assert(*slot != NULL);
    }
    for (size_t i = 0; i < event->ranges->count; i++) {
        const struct sf_range *range = &event->ranges->ranges[i];

        memcpy(*slot + range->from, event->buffer + range->from, range->to - range->from);
    }
    sf_link_spilled(end->link, event->peer, event->handle, event->index, event->buffer, SF_OK);
}

static void
on_load(struct end *end, const struct sf_link_event *event)
{
    struct world_object *object = in_object(end, event->peer, event->handle, NULL);

    for (size_t i = 0; i < event->ranges->count; i++) {
        const struct sf_range *range = &event->ranges->ranges[i];

        memcpy(event->buffer + range->from, object->spilled[event->index] + range->from,
            range->to - range->from);
    }
    sf_link_loaded(end->link, event->peer, event->handle, event->index, event->buffer, SF_OK);
}

static void
on_want(struct end *end, const struct sf_link_event *event)
{
    struct world_object *object = out_object(end, event->handle);
    uint8_t *bytes = object->spilled[event->index];

    if (bytes == NULL) {
        bytes = malloc(object->object.class_bytes);
        sf_assert(bytes != NULL);
        fill_bundle(&object->object.transfer, event->index, bytes, object->object.class_bytes);
        object->spilled[event->index] = bytes;
    }
    object->wants++;
    object->lent++;
    sf_assert(sf_link_supply(end->link, event->handle, event->index, bytes) == SF_OK);
}

/* A test's card: fingerprint and prekey number. */
static void
on_card(struct world *world, struct end *end, const struct sf_link_event *event)
{
    end->cards++;
    if (end->ignores_cards || event->bytes.bytes != 36) {
        return;
    }
    sf_assert(memcmp(event->bytes.data, world->ends[event->peer].fingerprint.b, 32) == 0);
    end->knows_prekey[event->peer] = sf_get_be32(event->bytes.data + 32);
    world_set_peer(world, end->number, event->peer);
}

static void
on_object(struct end *end, const struct sf_link_event *event)
{
    struct world_object *object = NULL;

    if (end->declines) {
        sf_link_decline(end->link, event->peer, event->handle);
        return;
    }
    object = in_object(end, event->peer, event->handle, &event->object);
    sf_assert(sf_link_accept(end->link, event->peer, event->handle, &object->kept) == SF_OK);
}

static void
on_event(struct world *world, struct end *end, const struct sf_link_event *event)
{
    switch (event->kind) {
    case SF_LINK_UP:
        end->ups++;
        break;
    case SF_LINK_DOWN:
        end->downs++;
        break;
    case SF_LINK_ADDRESS:
        end->addresses++;
        break;
    case SF_LINK_EPOCH:
        end->epochs++;
        end->durable.is_due = true;
        end->durable.peer = event->peer;
        end->durable.epoch = event->epoch;
        end->durable.life = event->life;
        end->durable.at = world->now + end->durable_ns;
        break;
    case SF_LINK_STALE:
        end->stales++;
        end->stale_epoch = event->epoch;
        end->copies += event->is_copy;
        if (!end->is_boot_lost) {
            sf_link_boot_durable(end->link, event->peer, (uint32_t)(event->epoch >> 32));
        }
        break;
    case SF_LINK_LIFE:
        end->news[event->news]++;
        break;
    case SF_LINK_MISMATCH:
        end->mismatches++;
        break;
    case SF_LINK_OUTSIDE:
        end->outsides++;
        break;
    case SF_LINK_NARROW:
        end->narrows++;
        break;
    case SF_LINK_CARD:
        on_card(world, end, event);
        break;
    case SF_LINK_WANT:
        on_want(end, event);
        break;
    case SF_LINK_RELEASE:
        sf_assert(out_object(end, event->handle)->lent > 0);
        out_object(end, event->handle)->lent--;
        break;
    case SF_LINK_MAP:
        out_object(end, event->handle)->is_mapped = true;
        break;
    case SF_LINK_RECEIVED:
        out_object(end, event->handle)->is_received = true;
        break;
    case SF_LINK_DECLINED:
        out_object(end, event->handle)->is_declined = true;
        break;
    case SF_LINK_OBJECT:
        on_object(end, event);
        break;
    case SF_LINK_COUNT:
        in_object(end, event->peer, event->handle, NULL)->object = event->object;
        break;
    case SF_LINK_BUNDLE:
        on_bundle(end, event);
        break;
    case SF_LINK_SPILL:
        on_spill(end, event);
        break;
    case SF_LINK_LOAD:
        on_load(end, event);
        break;
    case SF_LINK_GONE:
        for (unsigned i = 0; i < WORLD_OBJECTS_MAX; i++) {
            struct world_object *object = &end->in[i];

            if (object->peer == event->peer && object->handle == event->handle) {
                object->handle = 0;
            }
        }
        end->gone++;
        break;
    }
}

/* --- Time ---------------------------------------------------------------------------- */

void
world_pump(struct world *world, unsigned number)
{
    struct end *end = &world->ends[number];
    uint8_t dgram[SF_LINK_DGRAM_BYTES_MAX];
    struct sf_link_event event;
    struct sf_addr to;
    size_t bytes;
    bool again = true;

    while (end->link != NULL && again) {
        again = false;
        if (end->durable.is_due && end->durable.at <= world->now) {
            end->durable.is_due = false;
            end->epoch_seen[end->durable.peer] = end->durable.epoch;
            end->life_seen[end->durable.peer] = end->durable.life;
            sf_link_epoch_durable(end->link, end->durable.peer, end->durable.epoch);
        }
        while (sf_link_output(end->link, &to, dgram, sizeof(dgram), &bytes, world->now)) {
            transmit(world, number, &to, dgram, bytes);
            again = true;
        }
        while (sf_link_event(end->link, &event)) {
            on_event(world, end, &event);
            again = true;
        }
    }
}

static void
deliver(struct world *world, const struct packet *packet)
{
    for (unsigned i = 0; i < world->end_count; i++) {
        struct end *end = &world->ends[i];

        if (end->link != NULL && sf_addr_equal(&end->addr, &packet->to)) {
            sf_link_input(end->link, &packet->from, packet->data, packet->bytes, world->now);
            if (packet->is_marked) {
                sf_link_congested(end->link);
            }
            world_pump(world, i);
        }
    }
    address_of(world, &packet->from)->in_bytes += packet->bytes;
    address_of(world, &packet->from)->in_dgrams++;
}

static sf_mono
next_time(struct world *world)
{
    sf_mono next = world->packet_count > 0 ? world->packets[0].at : SF_NEVER;

    for (unsigned i = 0; i < world->end_count; i++) {
        struct end *end = &world->ends[i];

        if (end->link == NULL) {
            continue;
        }
        next = sf_mono_min(next, sf_link_deadline(end->link));
        if (end->durable.is_due) {
            next = sf_mono_min(next, end->durable.at);
        }
    }
    return next;
}

static bool
step(struct world *world, sf_mono end_time)
{
    sf_mono next = next_time(world);

    if (next <= world->now) {
        /* A deadline that is there already and brings nothing would spin for ever. */
        world->idle_calls++;
        next = world->now + SF_US;
    }
    if (next > end_time) {
        world->now = end_time;
        return false;
    }
    world->now = next;
    while (world->packet_count > 0 && world->packets[0].at <= world->now) {
        struct packet packet = pop_packet(world);

        deliver(world, &packet);
        free(packet.data);
    }
    for (unsigned i = 0; i < world->end_count; i++) {
        world_pump(world, i);
    }
    return true;
}

void
world_run(struct world *world, uint64_t span_ns)
{
    sf_mono end_time = world->now + span_ns;

    for (unsigned i = 0; i < world->end_count; i++) {
        world_pump(world, i);
    }
    while (step(world, end_time)) {
    }
}

bool
world_deliver(struct world *world, unsigned end, unsigned slot, uint64_t span_ns)
{
    sf_mono end_time = world->now + span_ns;

    world_pump(world, end);
    while (!world->ends[end].out[slot].is_received && step(world, end_time)) {
    }
    return world->ends[end].out[slot].is_received;
}

void
world_inject(struct world *world, unsigned end, const struct sf_addr *from, const uint8_t *data,
    size_t bytes)
{
    uint8_t *copy = copy_of(data, bytes);

    address_of(world, from)->in_bytes += bytes;
    address_of(world, from)->in_dgrams++;
    sf_link_input(world->ends[end].link, from, copy, bytes, world->now);
    world_pump(world, end);
    free(copy);
}

/* --- Ends ------------------------------------------------------------------------------ */

void
world_init(struct world *world, uint64_t seed, unsigned end_count)
{
    sf_assert(sf_crypto_init() == SF_OK);
    memset(world, 0, sizeof(*world));
    world->now = 1000 * SF_SEC;
    world->end_count = end_count;
    sf_prng_init_stream(&world->prng, seed, 0);
    sf_prng_init_stream(&world->key_prng, seed, 1);
    world->random = sf_prng_random(&world->key_prng);
    for (unsigned i = 0; i < end_count; i++) {
        struct end *end = &world->ends[i];

        end->number = i;
        derive(i, "static", 0, end->static_sk);
        sf_x25519_public(end->static_pk, end->static_sk);
        derive(i, "hint", 0, end->hint_key);
        derive(i, "fingerprint", 0, end->fingerprint.b);
        end->prekey_number = 1;
        end->prekey_oldest = 1;
        end->addr = sf_addr_v4(0x0a000001 + i, 7000);
        end->rate_bps = 20000000;
        world->channels[i].delay_ns = 20 * SF_MS;
        for (unsigned j = 0; j < end_count; j++) {
            end->has_endpoint[j] = true;
            end->knows_prekey[j] = 1;
        }
    }
}

static void
give_card(struct end *end)
{
    uint8_t card[36];

    memcpy(card, end->fingerprint.b, 32);
    sf_put_be32(card + 32, end->prekey_number);
    sf_assert(
        sf_link_set_card(end->link, sf_view(card, sizeof(card)), end->prekey_number) == SF_OK);
}

void
world_set_peer(struct world *world, unsigned number, unsigned other)
{
    struct end *end = &world->ends[number];
    const struct end *to = &world->ends[other];
    struct sf_link_peer peer = {.fingerprint = to->fingerprint,
        .prekey_number = end->knows_prekey[other],
        .has_endpoint = end->has_endpoint[other],
        .no_return = end->no_return[other],
        .endpoint = to->addr,
        .rate_bps = end->rate_bps,
        .pace = end->pace,
        .known_bps = end->known_bps,
        .limits = end->limits,
        .mark = 100 + other,
        .rtt_ns = end->rtt_ns[other],
        .epoch_seen = end->epoch_seen[other],
        .life_seen = end->life_seen[other]};

    if (peer.has_endpoint && to->alias_count > 0) {
        peer.endpoint = to->aliases[0];
        for (unsigned i = 1; i < to->alias_count; i++) {
            peer.others[peer.other_count++] = to->aliases[i];
        }
        peer.others[peer.other_count++] = to->addr;
    }
    if (peer.has_endpoint) {
        world_authorise(world, &peer.endpoint);
    }
    for (unsigned i = 0; i < peer.other_count; i++) {
        world_authorise(world, &peer.others[i]);
    }
    memcpy(peer.static_pk, to->static_pk, 32);
    memcpy(peer.hint_key, to->hint_key, 32);
    memcpy(peer.psk, end->psk[other], 32);
    prekey_pk(other, end->knows_prekey[other], peer.prekey_pk);
    sf_assert(sf_link_peer_set(end->link, other, &peer) == SF_OK);
}

/* The next start, of the number after end->boot; a test may have set that ahead, or back. */
static struct sf_lives
world_lives(struct world *world, struct end *end)
{
    if (end->lives.boot > end->boot) {
        end->lives = (struct sf_lives){.boot = end->boot}; /* an image of before */
    }
    end->boot++;
    while (end->lives.boot < end->boot) {
        uint64_t life;

        sf_random_fill(&world->random, &life, sizeof(life));
        sf_lives_begin(&end->lives, end->lives.boot + 1, life | 1);
    }
    return end->lives;
}

void
world_open(struct world *world, unsigned number)
{
    struct end *end = &world->ends[number];
    struct sf_link_config config = {.fingerprint = end->fingerprint,
        .prekey = find_prekey,
        .context = end,
        .random = &world->random,
        .lives = world_lives(world, end),
        .mtu = end->mtu,
        .mtu_blind = end->mtu_blind,
        .pool_bytes = end->pool_bytes != 0 ? end->pool_bytes : (size_t)(16 << 20),
        .now = world->now};

    memcpy(config.static_sk, end->static_sk, 32);
    memcpy(config.static_pk, end->static_pk, 32);
    memcpy(config.hint_key, end->hint_key, 32);
    sf_assert(sf_link_open(&config, &end->link) == SF_OK);
    give_card(end);
    for (unsigned j = 0; j < world->end_count; j++) {
        if (j != number) {
            world_set_peer(world, number, j);
        }
    }
}

void
world_close(struct world *world, unsigned number)
{
    struct end *end = &world->ends[number];

    sf_link_close(end->link);
    end->link = NULL;
    end->durable.is_due = false;
    for (unsigned i = 0; i < WORLD_OBJECTS_MAX; i++) {
        end->out[i].lent = 0;
        end->out[i].handle = 0;
        /* What was only partly there is lost with the engine's memory. */
        end->in[i].handle = 0;
    }
}

void
world_rotate(struct world *world, unsigned number, unsigned keep)
{
    struct end *end = &world->ends[number];

    end->prekey_number++;
    end->prekey_oldest = end->prekey_number - keep;
    if (end->link != NULL) {
        give_card(end);
    }
}

static void
offer(struct world *world, unsigned number, unsigned other, struct world_object *object)
{
    struct end *end = &world->ends[number];

    object->is_received = false;
    object->lent = 0;
    sf_assert(sf_link_offer(end->link, other, &object->object, &object->handle) == SF_OK);
}

void
world_offer(struct world *world, unsigned number, unsigned other, unsigned slot, uint64_t count,
    uint32_t class_bytes)
{
    struct world_object *object = &world->ends[number].out[slot];

    sf_assert(!object->is_used);
    object->is_used = true;
    sf_range_set_init(&object->kept, 4096);
    object->spilled = calloc(count, sizeof(*object->spilled));
    sf_assert(object->spilled != NULL);
    object->object = (struct sf_link_object){.kind = 1,
        .priority = (uint8_t)slot,
        .count = count,
        .is_count_final = true,
        .class_bytes = class_bytes,
        .ready = count};
    sf_put_be32(object->object.transfer.b, number + 1);
    sf_put_be32(object->object.transfer.b + 4, slot + 1);
    offer(world, number, other, object);
}

void
world_offer_again(struct world *world, unsigned number, unsigned other, unsigned slot)
{
    struct world_object *object = &world->ends[number].out[slot];

    object->object.ask_map = true;
    offer(world, number, other, object);
}

uint64_t
world_kept(const struct world *world, unsigned number, unsigned slot, unsigned other)
{
    const struct world_object *object = &world->ends[number].out[slot];

    for (unsigned i = 0; i < WORLD_OBJECTS_MAX; i++) {
        const struct world_object *in = &world->ends[other].in[i];

        if (in->is_used && sf_transfer_equal(&in->object.transfer, &object->object.transfer)) {
            return sf_range_set_total(&in->kept);
        }
    }
    return 0;
}

void
world_peer_stats(
    const struct world *world, unsigned end, unsigned other, struct sf_link_peer_stats *stats)
{
    sf_assert(sf_link_peer_stats(world->ends[end].link, other, stats) == SF_OK);
}

static void
free_object(struct world_object *object)
{
    if (object->is_used) {
        for (uint64_t i = 0; i < object->object.count; i++) {
            free(object->spilled[i]);
        }
        free(object->spilled);
        sf_range_set_fini(&object->kept);
    }
}

void
world_fini(struct world *world)
{
    for (size_t i = 0; i < world->address_count; i++) {
        const struct world_address *address = &world->addresses[i];

        sf_assert(address->is_ends || address->out_bytes <= address->in_bytes);
    }
    for (unsigned i = 0; i < world->end_count; i++) {
        sf_link_close(world->ends[i].link);
        for (unsigned j = 0; j < WORLD_OBJECTS_MAX; j++) {
            free_object(&world->ends[i].out[j]);
            free_object(&world->ends[i].in[j]);
        }
    }
    for (size_t i = 0; i < world->packet_count; i++) {
        free(world->packets[i].data);
    }
    for (size_t i = 0; i < world->tape_count; i++) {
        free(world->tape[i].data);
    }
    free(world->packets);
}
