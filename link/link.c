/*
 * link.c - the engine's public functions: peers come and go, objects are
 * handed to the peer's outbox or inbox, datagrams and events are pulled out.
 */
#include "link/core.h"

#include "base/assert.h"

#include <stdlib.h>

_Static_assert((int)SF_LINK_ENDPOINTS_MAX == (int)SF_ADDRESS_ENDPOINTS_MAX, "one list, two words");
_Static_assert(SF_LINK_RTT_NS_MAX == SF_RTT_NS_MAX, "what may be planned may be measured");

/* --- Opening -------------------------------------------------------------------------- */

int
sf_link_open(const struct sf_link_config *config, struct sf_link **ret_link)
{
    size_t mtu = config->mtu != 0 ? config->mtu : SF_LINK_MTU_DEFAULT;
    size_t blind = config->mtu_blind;
    struct sf_link *link = NULL;
    int status = SF_ENOMEM;

    if (blind == 0) {
        blind = mtu < SF_LINK_MTU_DEFAULT ? mtu : (size_t)SF_LINK_MTU_DEFAULT;
    }
    if (mtu < SF_LINK_MTU_MIN || mtu > SF_LINK_MTU_MAX || blind < SF_LINK_MTU_MIN || blind > mtu ||
        config->prekey == NULL || config->random == NULL ||
        config->burst_ns > SF_PACER_BURST_NS_MAX) {
        return SF_EINVAL;
    }
    link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return SF_ENOMEM;
    }
    link->static_sk = sf_secret_alloc(32);
    link->held_plain = calloc(SF_LINK_HELD_MAX, SF_LINK_HELD_BYTES);
    if (link->static_sk == NULL || link->held_plain == NULL) {
        goto out;
    }
    status = sf_pool_open(
        config->pool_bytes != 0 ? config->pool_bytes : (size_t)SF_LINK_POOL_BYTES_DEFAULT,
        &link->pool);
    if (status != SF_OK) {
        goto out;
    }
    link->fingerprint = config->fingerprint;
    memcpy(link->static_sk, config->static_sk, 32);
    memcpy(link->static_pk, config->static_pk, 32);
    sf_opener_mac_init(&link->mac_key, config->hint_key);
    link->prekey = config->prekey;
    link->context = config->context;
    link->random = config->random;
    link->lives = config->lives;
    link->mtu = mtu;
    link->mtu_blind = blind;
    link->burst_ns = config->burst_ns != 0 ? config->burst_ns : SF_LINK_BURST_NS_DEFAULT;
    link->now = config->now;
    sf_flood_init(&link->flood, link->random, link->now);
    *ret_link = link;
    link = NULL;
out:
    sf_link_close(link);
    return status;
}

void
sf_link_close(struct sf_link *link)
{
    if (link == NULL) {
        return;
    }
    for (unsigned i = 0; i < SF_LINK_PEERS_MAX; i++) {
        sf_link_peer_remove(link, i);
    }
    sf_pool_close(link->pool);
    sf_secret_free(link->static_sk);
    free(link->held_plain);
    sf_wipe(link, sizeof(*link));
    free(link);
}

int
sf_link_set_card(struct sf_link *link, struct sf_view card, uint32_t prekey_number)
{
    bool is_new = prekey_number != link->card_prekey || link->card_bytes == 0;

    if (card.bytes == 0 || card.bytes > SF_LINK_CARD_BYTES_MAX) {
        return SF_EINVAL;
    }
    memcpy(link->card, card.data, card.bytes);
    link->card_bytes = card.bytes;
    link->card_prekey = prekey_number;
    for (unsigned i = 0; i < SF_LINK_PEERS_MAX; i++) {
        struct sf_peer *peer = link->peers[i];

        /* Those who are not there now will show by their next opener what they know. */
        if (is_new && peer != NULL && peer->state == SF_LINK_STATE_UP) {
            peer->control.card = true;
        }
    }
    return SF_OK;
}

/* --- Peers ------------------------------------------------------------------------------ */

static struct sf_peer *
peer_at(const struct sf_link *link, unsigned peer)
{
    return peer < SF_LINK_PEERS_MAX ? link->peers[peer] : NULL;
}

static int
check_peer(const struct sf_link *link, unsigned number, const struct sf_link_peer *config)
{
    const struct sf_peer *peer = peer_at(link, number);

    if (number >= SF_LINK_PEERS_MAX || config->rate_bps < SF_LINK_RATE_BPS_MIN ||
        config->rate_bps > SF_LINK_RATE_BPS_MAX || config->rtt_ns > SF_RTT_NS_MAX ||
        config->known_bps > SF_LINK_RATE_BPS_MAX ||
        (config->max_bps != 0 && config->max_bps < SF_LINK_RATE_BPS_MIN) ||
        config->other_count > SF_LINK_ENDPOINTS_MAX - 1 ||
        (config->other_count > 0 && !config->has_endpoint) ||
        config->pace > SF_LINK_PACE_SCAVENGER || config->limits >> SF_LINK_LIMITS_MAX != 0 ||
        (config->no_return && !config->has_endpoint && peer == NULL) ||
        (config->no_return && config->pace != SF_LINK_PACE_FIXED)) {
        return SF_EINVAL;
    }
    if (peer != NULL && (!sf_fingerprint_equal(&peer->config.fingerprint, &config->fingerprint) ||
                            peer->config.no_return != config->no_return)) {
        return SF_EINVAL;
    }
    for (unsigned i = 0; i < SF_LINK_PEERS_MAX; i++) {
        const struct sf_peer *other = link->peers[i];

        if (other != NULL && i != number &&
            (sf_fingerprint_equal(&other->config.fingerprint, &config->fingerprint) ||
                memcmp(other->config.static_pk, config->static_pk, 32) == 0)) {
            return SF_EEXIST;
        }
    }
    return SF_OK;
}

static void
free_peer(struct sf_peer *peer)
{
    if (peer != NULL) {
        if (peer->outbox != NULL) {
            sf_outbox_close(peer->outbox);
        }
        if (peer->inbox != NULL) {
            sf_inbox_close(peer->inbox);
        }
        free(peer->rate);
        sf_secret_free(peer);
    }
}

static int
make_peer(struct sf_link *link, unsigned number, const struct sf_link_peer *config,
    struct sf_peer **ret_peer)
{
    struct sf_outbox_config outbox = {.no_return = config->no_return};
    struct sf_inbox_config inbox = {.pool = link->pool, .boot = link->lives.boot};
    struct sf_peer *peer = sf_secret_alloc(sizeof(*peer));
    int status;

    if (peer == NULL) {
        return SF_ENOMEM;
    }
    peer->rate = calloc(1, sizeof(*peer->rate));
    if (peer->rate == NULL) {
        free_peer(peer);
        return SF_ENOMEM;
    }
    peer->number = number;
    peer->lives = link->lives;
    peer->calling = SF_NEVER;
    peer->asked = SF_NEVER;
    sf_addresses_init(&peer->addresses);
    sf_rtt_init(&peer->rtt);
    status = sf_pacer_init(&peer->pacer, config->rate_bps, link->burst_ns, link->now);
    if (status == SF_OK) {
        status = sf_outbox_open(&outbox, &peer->outbox);
    }
    if (status == SF_OK) {
        status = sf_inbox_open(&inbox, &peer->inbox);
    }
    if (status != SF_OK) {
        free_peer(peer);
        return status;
    }
    *ret_peer = peer;
    return SF_OK;
}

/* Do both say the same addresses, in the same order? */
static bool
is_where(const struct sf_link_peer *a, const struct sf_link_peer *b)
{
    bool is_same = a->has_endpoint == b->has_endpoint && a->other_count == b->other_count &&
                   sf_addr_equal(&a->endpoint, &b->endpoint);

    for (unsigned i = 0; i < a->other_count && is_same; i++) {
        is_same = sf_addr_equal(&a->others[i], &b->others[i]);
    }
    return is_same;
}

/* Bring `peer` in line with `config`, which was checked. */
static void
apply(struct sf_link *link, struct sf_peer *peer, const struct sf_link_peer *config, bool is_new)
{
    const struct sf_link_peer *old = &peer->config;
    bool has_new_keys = !is_new && (old->prekey_number != config->prekey_number ||
                                       memcmp(old->prekey_pk, config->prekey_pk, 32) != 0 ||
                                       memcmp(old->static_pk, config->static_pk, 32) != 0 ||
                                       !sf_ct_equal(old->psk, config->psk, 32));
    bool has_moved = !is_where(old, config);
    enum sf_link_pace pace = is_new ? SF_LINK_PACE_FIXED : old->pace;

    peer->config = *config;
    sf_peer_apply_rate(peer, pace);
    sf_opener_mac_init(&peer->mac_key, config->hint_key);
    sf_peer_apply_reach(peer);
    if (config->epoch_seen > peer->epoch_seen) {
        peer->epoch_seen = config->epoch_seen;
        peer->life_seen = config->life_seen;
    }
    if (has_moved) {
        peer->beacon_due = link->now;
        peer->beacon_wait = SF_LINK_BEACON_NS_MIN;
    }
    if (has_new_keys && peer->addresses.use != SF_ADDRESS_NONE) {
        peer->unanswered = 0;
        sf_peer_call(link, peer, link->now);
    }
}

int
sf_link_peer_set(struct sf_link *link, unsigned peer, const struct sf_link_peer *config)
{
    bool is_new = peer_at(link, peer) == NULL;
    int status = check_peer(link, peer, config);

    if (status == SF_OK && is_new) {
        status = make_peer(link, peer, config, &link->peers[peer]);
        if (status == SF_OK) {
            link->stats.peers++;
            link->peer_end = peer < link->peer_end ? link->peer_end : peer + 1;
        }
    }
    if (status == SF_OK) {
        apply(link, link->peers[peer], config, is_new);
    }
    return status;
}

void
sf_link_peer_remove(struct sf_link *link, unsigned peer)
{
    struct sf_peer *gone = peer_at(link, peer);

    if (gone == NULL) {
        return;
    }
    sf_input_forget(link, peer, 0);
    for (unsigned i = 0; i < SF_SESSION_PER_PEER_MAX; i++) {
        sf_session_table_remove(&link->sessions, &gone->in[i]);
    }
    if (link->came_from == gone) {
        link->came_from = NULL;
    }
    free_peer(gone);
    link->peers[peer] = NULL;
    link->stats.peers--;
    while (link->peer_end > 0 && link->peers[link->peer_end - 1] == NULL) {
        link->peer_end--;
    }
    link->output_next = link->output_next < link->peer_end ? link->output_next : 0;
    link->event_next = link->event_next < link->peer_end ? link->event_next : 0;
}

int
sf_link_contact(struct sf_link *link, unsigned peer)
{
    if (peer_at(link, peer) == NULL) {
        return SF_ENOENT;
    }
    sf_peer_contact(link, link->peers[peer], link->now);
    return SF_OK;
}

int
sf_link_set_reach(
    struct sf_link *link, unsigned peer, const struct sf_link_reach *reach, sf_mono now)
{
    if (peer_at(link, peer) == NULL) {
        return SF_ENOENT;
    }
    if (reach->kind == SF_LINK_REACH_CONTACT &&
        (reach->rate_bps < SF_LINK_RATE_BPS_MIN || reach->rate_bps > SF_LINK_RATE_BPS_MAX ||
            reach->rtt_ns > SF_RTT_NS_MAX)) {
        return SF_EINVAL;
    }
    link->now = now > link->now ? now : link->now;
    sf_peer_set_reach(link, link->peers[peer], reach, link->now);
    return SF_OK;
}

int
sf_link_restored(struct sf_link *link, unsigned peer, uint64_t epoch)
{
    if (peer_at(link, peer) == NULL) {
        return SF_ENOENT;
    }
    if (epoch >> 32 >= UINT32_MAX) {
        return SF_EINVAL;
    }
    sf_peer_stale(link->peers[peer], &(struct sf_stale){.epoch = epoch}, link->now);
    return SF_OK;
}

void
sf_link_boot_durable(struct sf_link *link, unsigned peer, uint32_t boot)
{
    if (peer_at(link, peer) != NULL) {
        sf_peer_boot_durable(link, link->peers[peer], boot, link->now);
    }
}

void
sf_link_epoch_durable(struct sf_link *link, unsigned peer, uint64_t epoch)
{
    if (peer_at(link, peer) != NULL) {
        sf_input_durable(link, link->peers[peer], epoch, link->now);
    }
}

/* The number of the peer that is `i` turns behind number `first`. */
static unsigned
turn_of(const struct sf_link *link, unsigned first, unsigned i)
{
    unsigned number = first + i;

    return number < link->peer_end ? number : number - link->peer_end;
}

/* --- Datagrams ----------------------------------------------------------------------------- */

typedef bool (*output_function)(struct sf_link *link, struct sf_peer *peer, struct sf_addr *ret_to,
    uint8_t *dgram, size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now);

/* The next datagram that `output` makes for any of the peers. */
static bool
output_any(struct sf_link *link, output_function output, struct sf_addr *ret_to, uint8_t *dgram,
    size_t dgram_bytes_max, size_t *ret_bytes)
{
    /* A peer keeps its turn as long as it may send, so that its datagrams leave in one burst. */
    for (unsigned i = 0; i < link->peer_end; i++) {
        unsigned number = turn_of(link, link->output_next, i);
        struct sf_peer *peer = link->peers[number];

        if (peer != NULL &&
            output(link, peer, ret_to, dgram, dgram_bytes_max, ret_bytes, link->now)) {
            link->output_next = number;
            if (peer->config.limits != 0 && sf_peer_line(link, peer) > link->now) {
                link->output_next = (number + 1) % SF_LINK_PEERS_MAX; /* others share the limit */
            }
            return true;
        }
    }
    return false;
}

bool
sf_link_output(struct sf_link *link, struct sf_addr *ret_to, uint8_t *dgram, size_t dgram_bytes_max,
    size_t *ret_bytes, sf_mono now)
{
    link->now = now > link->now ? now : link->now;
    return output_any(link, sf_output_peer, ret_to, dgram, dgram_bytes_max, ret_bytes) ||
           output_any(link, sf_output_filler, ret_to, dgram, dgram_bytes_max, ret_bytes);
}

void
sf_link_refused(struct sf_link *link, const struct sf_addr *to, size_t dgram_bytes)
{
    for (unsigned i = 0; i < link->peer_end; i++) {
        if (link->peers[i] != NULL) {
            sf_peer_mtu_refused(link->peers[i], to, dgram_bytes, link->now);
        }
    }
}

uint32_t
sf_link_mark(const struct sf_link *link)
{
    return link->mark;
}

sf_mono
sf_link_deadline(const struct sf_link *link)
{
    sf_mono deadline = SF_NEVER;

    for (unsigned i = 0; i < link->peer_end; i++) {
        if (link->peers[i] != NULL) {
            deadline = sf_mono_min(deadline, sf_peer_deadline(link, link->peers[i]));
        }
    }
    return deadline;
}

/* --- Outgoing objects ------------------------------------------------------------------------ */

static struct sf_peer *
peer_of_handle(const struct sf_link *link, uint32_t handle)
{
    return peer_at(link, handle & ((1u << SF_LINK_HANDLE_PEER_BITS) - 1));
}

static bool
is_used(const struct sf_peer *peer, uint32_t sequence)
{
    return (peer->handles[sequence / 8] >> (sequence % 8) & 1) != 0;
}

/* Handles go round, so that one given back is not seen again for long. */
static uint32_t
next_sequence(const struct sf_peer *peer)
{
    uint32_t sequence = peer->sequence;

    do {
        sequence = (sequence + 1) % SF_LINK_HANDLE_SEQUENCES;
    } while (sequence == 0 || is_used(peer, sequence));
    return sequence;
}

static void
set_object_open(struct sf_peer *peer, uint32_t handle)
{
    for (size_t i = 0; i < peer->open_object_count; i++) {
        if (peer->open_objects[i] == handle) {
            return;
        }
    }
    sf_assert(peer->open_object_count < SF_LINK_OBJECTS_MAX);
    peer->open_objects[peer->open_object_count++] = handle;
}

static void
set_object_done(struct sf_peer *peer, uint32_t handle)
{
    for (size_t i = 0; i < peer->open_object_count; i++) {
        if (peer->open_objects[i] == handle) {
            peer->open_objects[i] = peer->open_objects[--peer->open_object_count];
            return;
        }
    }
}

int
sf_link_offer(
    struct sf_link *link, unsigned peer, const struct sf_link_object *object, uint32_t *ret_handle)
{
    struct sf_peer *to = peer_at(link, peer);
    uint32_t sequence, handle;
    int status;

    if (to == NULL) {
        return SF_ENOENT;
    }
    sequence = next_sequence(to);
    handle = sequence << SF_LINK_HANDLE_PEER_BITS | peer;
    status = sf_outbox_offer(to->outbox, object, handle, link->now);
    if (status == SF_OK) {
        to->sequence = sequence;
        to->handles[sequence / 8] |= (uint8_t)(1u << (sequence % 8));
        set_object_open(to, handle);
        *ret_handle = handle;
    }
    return status;
}

int
sf_link_ready(struct sf_link *link, uint32_t handle, uint64_t from, uint64_t to)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? SF_ENOENT : sf_outbox_ready(peer->outbox, handle, from, to);
}

int
sf_link_set_count(struct sf_link *link, uint32_t handle, uint64_t count)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? SF_ENOENT : sf_outbox_set_count(peer->outbox, handle, count);
}

int
sf_link_set_priority(struct sf_link *link, uint32_t handle, uint8_t priority)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? SF_ENOENT : sf_outbox_set_priority(peer->outbox, handle, priority);
}

int
sf_link_supply(struct sf_link *link, uint32_t handle, uint64_t index, const uint8_t *bytes)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? SF_ENOENT : sf_outbox_supply(peer->outbox, handle, index, bytes);
}

int
sf_link_unsupply(struct sf_link *link, uint32_t handle, uint64_t index)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? SF_ENOENT : sf_outbox_unsupply(peer->outbox, handle, index);
}

const struct sf_range_set *
sf_link_peer_has(const struct sf_link *link, uint32_t handle)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? NULL : sf_outbox_peer_has(peer->outbox, handle);
}

int
sf_link_kept(struct sf_link *link, uint32_t handle, uint64_t from, uint64_t to)
{
    struct sf_peer *peer = peer_of_handle(link, handle);

    return peer == NULL ? SF_ENOENT : sf_outbox_kept(peer->outbox, handle, from, to);
}

void
sf_link_withdraw(struct sf_link *link, uint32_t handle)
{
    struct sf_peer *peer = peer_of_handle(link, handle);
    uint32_t sequence = handle >> SF_LINK_HANDLE_PEER_BITS;

    if (peer == NULL || sequence >= SF_LINK_HANDLE_SEQUENCES || !is_used(peer, sequence)) {
        return;
    }
    sf_outbox_withdraw(peer->outbox, handle);
    set_object_done(peer, handle);
    peer->handles[sequence / 8] &= (uint8_t) ~(1u << (sequence % 8));
}

/* --- Incoming objects ------------------------------------------------------------------------ */

int
sf_link_accept(
    struct sf_link *link, unsigned peer, uint32_t handle, const struct sf_range_set *have)
{
    struct sf_peer *from = peer_at(link, peer);

    return from == NULL ? SF_ENOENT : sf_inbox_accept(from->inbox, handle, have);
}

void
sf_link_decline(struct sf_link *link, unsigned peer, uint32_t handle)
{
    if (peer_at(link, peer) != NULL) {
        sf_inbox_decline(link->peers[peer]->inbox, handle);
    }
}

int
sf_link_received(struct sf_link *link, unsigned peer, uint32_t handle, uint64_t index,
    enum sf_link_verdict verdict)
{
    struct sf_peer *from = peer_at(link, peer);

    return from == NULL ? SF_ENOENT : sf_inbox_received(from->inbox, handle, index, verdict);
}

void
sf_link_buffer_return(struct sf_link *link, uint8_t *buffer)
{
    sf_pool_return(link->pool, buffer);
}

int
sf_link_pause(struct sf_link *link, unsigned peer, uint32_t handle)
{
    struct sf_peer *from = peer_at(link, peer);

    return from == NULL ? SF_ENOENT : sf_inbox_pause_object(from->inbox, handle);
}

int
sf_link_resume(struct sf_link *link, unsigned peer, uint32_t handle)
{
    struct sf_peer *from = peer_at(link, peer);

    return from == NULL ? SF_ENOENT : sf_inbox_resume_object(from->inbox, handle);
}

void
sf_link_spilled(struct sf_link *link, unsigned peer, uint32_t handle, uint64_t index,
    uint8_t *buffer, int status)
{
    if (peer_at(link, peer) != NULL) {
        sf_inbox_spilled(link->peers[peer]->inbox, handle, index, buffer, status);
    } else {
        sf_pool_return(link->pool, buffer);
    }
}

void
sf_link_loaded(struct sf_link *link, unsigned peer, uint32_t handle, uint64_t index,
    uint8_t *buffer, int status)
{
    if (peer_at(link, peer) != NULL) {
        sf_inbox_loaded(link->peers[peer]->inbox, handle, index, buffer, status);
    } else {
        sf_pool_return(link->pool, buffer);
    }
}

/* --- Events ---------------------------------------------------------------------------------- */

static const struct notice_kind {
    enum sf_peer_notice notice;
    enum sf_link_event_kind kind;
} notice_kinds[] = {
    {SF_NOTICE_EPOCH, SF_LINK_EPOCH},
    {SF_NOTICE_STALE, SF_LINK_STALE},
    {SF_NOTICE_DOWN, SF_LINK_DOWN},
    {SF_NOTICE_UP, SF_LINK_UP},
    {SF_NOTICE_ADDRESS, SF_LINK_ADDRESS},
    {SF_NOTICE_CARD, SF_LINK_CARD},
    {SF_NOTICE_MISMATCH, SF_LINK_MISMATCH},
    {SF_NOTICE_OUTSIDE, SF_LINK_OUTSIDE},
    {SF_NOTICE_NARROW, SF_LINK_NARROW},
    {SF_NOTICE_LIFE, SF_LINK_LIFE},
};

static bool
peer_notice(struct sf_peer *peer, struct sf_link_event *event)
{
    if (peer->notices == 0) {
        return false;
    }
    *event = (struct sf_link_event){.peer = peer->number};
    for (size_t i = 0; i < sizeof(notice_kinds) / sizeof(notice_kinds[0]); i++) {
        unsigned notice = notice_kinds[i].notice;

        if ((peer->notices & notice) == 0) {
            continue;
        }
        peer->notices &= ~notice;
        event->kind = notice_kinds[i].kind;
        if (notice == SF_NOTICE_EPOCH) {
            event->epoch = peer->epoch_seen;
            event->life = peer->life_seen;
        } else if (notice == SF_NOTICE_STALE) {
            event->epoch = peer->stale_epoch;
            event->is_copy = peer->is_stale_copy;
        } else if (notice == SF_NOTICE_LIFE) {
            unsigned lowest = peer->life_news & (~peer->life_news + 1);

            event->news = (enum sf_link_news)lowest;
            peer->life_news &= ~lowest;
            peer->notices |= peer->life_news != 0 ? SF_NOTICE_LIFE : 0;
        } else if (notice == SF_NOTICE_ADDRESS) {
            event->addr = peer->addresses.paths[SF_ADDRESS_PROVEN].addr;
        } else if (notice == SF_NOTICE_CARD) {
            event->bytes = sf_view(peer->card, peer->card_bytes);
        }
        return true;
    }
    return false;
}

static bool
outbox_event(struct sf_peer *peer, struct sf_link_event *event)
{
    static const enum sf_link_event_kind kinds[] = {
        [SF_OUTBOX_WANT] = SF_LINK_WANT,
        [SF_OUTBOX_RELEASE] = SF_LINK_RELEASE,
        [SF_OUTBOX_MAP] = SF_LINK_MAP,
        [SF_OUTBOX_RECEIVED] = SF_LINK_RECEIVED,
        [SF_OUTBOX_DECLINED] = SF_LINK_DECLINED,
    };
    struct sf_outbox_event out;

    if (!sf_outbox_event(peer->outbox, &out)) {
        return false;
    }
    if (out.kind == SF_OUTBOX_RECEIVED || out.kind == SF_OUTBOX_DECLINED) {
        set_object_done(peer, out.handle);
    } else if (out.kind == SF_OUTBOX_WANT) {
        set_object_open(peer, out.handle); /* the peer lost some of what it had */
    }
    *event = (struct sf_link_event){
        .kind = kinds[out.kind], .peer = peer->number, .handle = out.handle, .index = out.index};
    return true;
}

static bool
inbox_event(struct sf_peer *peer, struct sf_link_event *event)
{
    static const enum sf_link_event_kind kinds[] = {
        [SF_INBOX_OBJECT] = SF_LINK_OBJECT,
        [SF_INBOX_COUNT] = SF_LINK_COUNT,
        [SF_INBOX_BUNDLE] = SF_LINK_BUNDLE,
        [SF_INBOX_SPILL] = SF_LINK_SPILL,
        [SF_INBOX_LOAD] = SF_LINK_LOAD,
        [SF_INBOX_GONE] = SF_LINK_GONE,
    };
    struct sf_inbox_event in;

    if (!sf_inbox_event(peer->inbox, &in)) {
        return false;
    }
    *event = (struct sf_link_event){
        .kind = kinds[in.kind],
        .peer = peer->number,
        .handle = in.handle,
        .index = in.index,
        .object = in.object,
        .buffer = in.buffer,
        .buffer_bytes = in.buffer_bytes,
        .ranges = in.ranges,
    };
    return true;
}

bool
sf_link_event(struct sf_link *link, struct sf_link_event *ret_event)
{
    for (unsigned i = 0; i < link->peer_end; i++) {
        unsigned number = turn_of(link, link->event_next, i);
        struct sf_peer *peer = link->peers[number];

        if (peer != NULL && (peer_notice(peer, ret_event) || outbox_event(peer, ret_event) ||
                                inbox_event(peer, ret_event))) {
            link->event_next = number;
            return true;
        }
    }
    return false;
}

/* --- Figures ----------------------------------------------------------------------------------- */

int
sf_link_peer_stats(const struct sf_link *link, unsigned peer, struct sf_link_peer_stats *ret_stats)
{
    const struct sf_peer *p = peer_at(link, peer);
    struct sf_link_peer_stats stats = {0};
    struct sf_outbox_stats out;
    struct sf_inbox_stats in;
    enum sf_address_path path;

    if (p == NULL) {
        return SF_ENOENT;
    }
    sf_outbox_stats(p->outbox, &out);
    sf_inbox_stats(p->inbox, &in);
    path = sf_addresses_control(&p->addresses);
    stats.state = p->heard == 0                  ? SF_LINK_STATE_NEVER
                  : p->state == SF_LINK_STATE_UP ? SF_LINK_STATE_UP
                                                 : SF_LINK_STATE_DARK;
    if (path != SF_ADDRESS_NONE) {
        stats.has_addr = true;
        stats.is_proven = path == SF_ADDRESS_PROVEN;
        stats.addr = p->addresses.paths[path].addr;
    }
    stats.rtt_ns = p->rtt.srtt_ns;
    sf_peer_mtu_stats(link, p, &stats);
    stats.heard = p->heard;
    stats.reach = p->reach.kind;
    stats.reach_heard = p->reach_heard;
    sf_peer_rate_stats(link, p, &stats);
    stats.dgrams_out = p->stats.dgrams_out;
    stats.bytes_out = p->stats.bytes_out;
    stats.dgrams_in = p->stats.dgrams_in;
    stats.bytes_in = p->stats.bytes_in;
    stats.data_bytes_out = out.data_bytes;
    stats.resent_bytes_out = out.resent_bytes;
    stats.data_bytes_in = in.data_bytes;
    stats.again_bytes_in = in.again_bytes;
    stats.openers_out = p->stats.openers_out;
    stats.openers_in = p->stats.openers_in;
    sf_peer_cover_stats(p, &stats);
    *ret_stats = stats;
    return SF_OK;
}

void
sf_link_stats(const struct sf_link *link, struct sf_link_stats *ret_stats)
{
    *ret_stats = link->stats;
    ret_stats->pool_bytes_used = sf_pool_bytes_used(link->pool);
}
