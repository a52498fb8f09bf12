/*
 * input.c - a datagram comes in: from bytes nobody vouches for to messages of
 * a peer.
 *
 *   four zero bytes   an opener: mac, seen before?, rate, public keys, epoch
 *   anything else     a session's datagram: id, window, AEAD
 *
 * Whatever fails is dropped and counted, and nothing else has changed by then.
 * What comes in on a session whose epoch is not durable yet is held back as it
 * was decrypted, and taken in later in the order it came.
 */
#include "link/core.h"

#include "base/assert.h"

static void
drop(struct sf_link *link, uint64_t *reason)
{
    (*reason)++;
    link->stats.dgrams_dropped++;
}

/* --- Messages ------------------------------------------------------------------- */

struct arrival {
    struct sf_peer *peer;
    uint64_t epoch;
    uint64_t counter;
    bool is_opener;
    bool is_static;
    bool is_objects; /* messages of the inner half are taken */
    bool is_newest;
    sf_mono now;
};

static int
take_hello(struct sf_link *link, const struct arrival *arrival, struct sf_message_reader *reader)
{
    struct sf_peer *peer = arrival->peer;
    uint64_t flags = sf_message_get_varint(reader);
    uint64_t number = sf_message_get_varint(reader);
    uint64_t heard = sf_message_get_u64(reader);
    uint32_t boot = (uint32_t)(arrival->epoch >> 32);

    (void)sf_message_get_varint(reader); /* capabilities: none are defined yet */
    if (reader->is_bad) {
        return SF_EFORMAT;
    }
    if ((flags & SF_HELLO_POLL) != 0) {
        peer->control.hello = true;
    }
    /* Only the newest word counts: one that was overtaken speaks of the past. */
    if (boot < peer->hello_boot || (boot == peer->hello_boot && number <= peer->hello_number)) {
        return SF_OK;
    }
    peer->hello_boot = boot;
    peer->hello_number = number;
    peer->keepalive = (flags & SF_HELLO_LEARNT) != 0;
    sf_peer_named(link, peer, heard, arrival->now);
    return SF_OK;
}

static int
take_token(struct sf_link *link, const struct arrival *arrival, struct sf_message_reader *reader,
    enum sf_message_type type)
{
    struct sf_peer *peer = arrival->peer;
    struct sf_view token = sf_message_get_bytes(reader, SF_MESSAGE_TOKEN_BYTES);

    (void)link;
    if (reader->is_bad) {
        return SF_EFORMAT;
    }
    if (type == SF_MESSAGE_CHALLENGE) {
        memcpy(peer->control.token, token.data, token.bytes);
        peer->control.answer = true;
    } else if (sf_addresses_answered(&peer->addresses, token.data)) {
        peer->notices |= SF_NOTICE_ADDRESS;
        sf_peer_rate_resume(peer);
        peer->control.hello = true; /* it is to know that its address was learnt */
    }
    return SF_OK;
}

static int
take_card(const struct arrival *arrival, struct sf_message_reader *reader)
{
    struct sf_peer *peer = arrival->peer;
    struct sf_view card = sf_message_get_bytes(reader, sf_message_get_varint(reader));

    if (reader->is_bad || card.bytes == 0 || card.bytes > SF_LINK_CARD_BYTES_MAX) {
        return SF_EFORMAT;
    }
    memcpy(peer->card, card.data, card.bytes);
    peer->card_bytes = card.bytes;
    peer->notices |= SF_NOTICE_CARD;
    return SF_OK;
}

static int
take_time(
    const struct arrival *arrival, struct sf_message_reader *reader, enum sf_message_type type)
{
    struct sf_peer *peer = arrival->peer;
    uint64_t stamp = sf_message_get_varint(reader);
    uint64_t held_us = type == SF_MESSAGE_ECHO ? sf_message_get_varint(reader) : 0;

    if (reader->is_bad || stamp > UINT32_MAX) {
        return SF_EFORMAT;
    }
    if (type == SF_MESSAGE_STAMP) {
        if (arrival->is_newest) {
            peer->control.stamp = (uint32_t)stamp;
            peer->control.stamp_at = arrival->now;
            peer->control.echo = true;
        }
        return SF_OK;
    }
    if (held_us <= UINT32_MAX) {
        uint32_t elapsed_us = (uint32_t)(arrival->now / SF_US) - (uint32_t)stamp;

        sf_rtt_sample(&peer->rtt, elapsed_us * SF_US, held_us * SF_US);
        sf_outbox_set_rtt(peer->outbox, peer->rtt.srtt_ns, peer->rtt.rttvar_ns);
        sf_inbox_set_rtt(peer->inbox, peer->rtt.srtt_ns);
    }
    return SF_OK;
}

static int
take_probe(
    const struct arrival *arrival, struct sf_message_reader *reader, enum sf_message_type type)
{
    struct sf_peer *peer = arrival->peer;
    uint64_t number = sf_message_get_varint(reader);

    if (reader->is_bad) {
        return SF_EFORMAT;
    }
    if (type == SF_MESSAGE_PROBE) {
        peer->control.probed = true;
        peer->control.probed_number = number;
    } else {
        sf_peer_mtu_answered(peer, number, arrival->now);
    }
    return SF_OK;
}

/* Types that every session may carry. SF_ENOENT: not one of them. */
static int
take_outer(struct sf_link *link, const struct arrival *arrival, enum sf_message_type type,
    struct sf_message_reader *reader)
{
    switch (type) {
    case SF_MESSAGE_HELLO:
        return take_hello(link, arrival, reader);
    case SF_MESSAGE_CHALLENGE:
    case SF_MESSAGE_ANSWER:
        return take_token(link, arrival, reader, type);
    case SF_MESSAGE_CARD:
        return take_card(arrival, reader);
    case SF_MESSAGE_STAMP:
    case SF_MESSAGE_ECHO:
        return take_time(arrival, reader, type);
    case SF_MESSAGE_PROBE:
    case SF_MESSAGE_PROBED:
        return take_probe(arrival, reader, type);
    default:
        break;
    }
    if (type >= SF_MESSAGE_EXTENSION_FIRST && type <= SF_MESSAGE_EXTENSION_LAST) {
        (void)sf_message_get_bytes(reader, sf_message_get_varint(reader));
        return reader->is_bad ? SF_EFORMAT : SF_OK;
    }
    return SF_ENOENT;
}

static int
take_report(struct sf_link *link, const struct arrival *arrival, struct sf_message_reader *reader)
{
    struct sf_peer *peer = arrival->peer;
    uint64_t number = sf_outbox_newest_report(peer->outbox)->number;
    int status;

    if (!peer->was_named) {
        return SF_EFORMAT; /* it has not heard this life yet: whatever it reports is another's */
    }
    status = sf_outbox_report(peer->outbox, reader, arrival->now);

    if (sf_outbox_newest_report(peer->outbox)->number != number) {
        sf_peer_rate_report(peer, sf_outbox_newest_report(peer->outbox), arrival->now);
        sf_peer_mtu_report(link, peer, arrival->now);
    }
    return status;
}

static int
take_stale(struct sf_peer *peer, struct sf_message_reader *reader, sf_mono now)
{
    struct sf_stale stale;

    stale.epoch = sf_message_get_u64(reader);
    stale.life = sf_message_get_u64(reader);
    stale.epoch_refused = sf_message_get_u64(reader);
    stale.life_refused = sf_message_get_u64(reader);
    if (reader->is_bad || stale.life == 0) {
        return SF_EFORMAT;
    }
    sf_peer_stale(peer, &stale, now);
    return SF_OK;
}

/*
 * Types that sessions to the static key must not carry, nor openers but for STALE:
 * who was restored may have lost the prekeys that it would be told with.
 */
static int
take_inner(struct sf_link *link, const struct arrival *arrival, enum sf_message_type type,
    struct sf_message_reader *reader)
{
    struct sf_peer *peer = arrival->peer;

    if (type == SF_MESSAGE_STALE ? arrival->is_static && !arrival->is_opener
                                 : arrival->is_static || arrival->is_opener) {
        return SF_EFORMAT;
    }
    switch (type) {
    case SF_MESSAGE_STALE:
        return take_stale(peer, reader, arrival->now);
    case SF_MESSAGE_REPORT:
        return take_report(link, arrival, reader);
    case SF_MESSAGE_DATA:
    case SF_MESSAGE_DATA_SIZED:
    case SF_MESSAGE_REPAIR:
    case SF_MESSAGE_OBJECT:
    case SF_MESSAGE_WITHDRAWN:
    case SF_MESSAGE_ASK:
    case SF_MESSAGE_FILLER:
        /* From an earlier boot of the peer its handles mean something else: read no further. */
        return arrival->is_objects ? sf_inbox_message(peer->inbox, type, reader, arrival->now)
                                   : SF_EFORMAT;
    default:
        return SF_EFORMAT;
    }
}

static void
take_messages(struct sf_link *link, const struct arrival *arrival, struct sf_view plain)
{
    struct sf_message_reader reader;
    int status = SF_OK;

    sf_message_reader_init(&reader, plain);
    while (status == SF_OK && sf_message_left(&reader) > 0) {
        enum sf_message_type type = (enum sf_message_type)sf_message_get_u8(&reader);

        if (type == SF_MESSAGE_PADDING) {
            return;
        }
        status = take_outer(link, arrival, type, &reader);
        if (status == SF_ENOENT) {
            status = take_inner(link, arrival, type, &reader);
        }
    }
}

/* An authentic datagram of a session that may be used. `bytes` is the UDP payload. */
static void
take(struct sf_link *link, struct arrival *arrival, const struct sf_addr *from, size_t bytes,
    struct sf_view plain)
{
    struct sf_peer *peer = arrival->peer;
    size_t ip_bytes = bytes + sf_link_ip_head(from);
    bool is_reborn = false;

    arrival->is_newest =
        arrival->epoch > peer->newest_epoch ||
        (arrival->epoch == peer->newest_epoch && arrival->counter >= peer->newest_counter);
    if (arrival->is_newest) {
        is_reborn = peer->newest_epoch != 0 && arrival->epoch >> 32 > peer->newest_epoch >> 32;
        peer->newest_epoch = arrival->epoch;
        peer->newest_counter = arrival->counter;
    }
    sf_addresses_heard(
        &peer->addresses, from, bytes, arrival->is_newest, link->random, arrival->now);
    peer->stats.dgrams_in++;
    peer->stats.bytes_in += ip_bytes;
    sf_peer_wake(peer, arrival->now);
    if (is_reborn) {
        sf_outbox_forgotten(peer->outbox, arrival->now);
    }
    if (!arrival->is_static && !arrival->is_opener) {
        arrival->is_objects = sf_inbox_datagram(
            peer->inbox, arrival->epoch, arrival->counter, ip_bytes, arrival->now);
        link->came_from = peer;
    }
    take_messages(link, arrival, plain);
}

/* --- Holding back ------------------------------------------------------------------ */

static uint8_t *
held_slot(const struct sf_link *link, size_t index)
{
    return link->held_plain + index * SF_LINK_HELD_BYTES;
}

/* True if it was kept. */
static bool
hold(struct sf_link *link, const struct sf_held *entry, const uint8_t *plain)
{
    size_t most = entry->is_opener ? SF_LINK_HELD_MAX : SF_LINK_HELD_DATA_MAX;

    if (link->held_count >= most || entry->plain_bytes > SF_LINK_HELD_BYTES) {
        return false;
    }
    memcpy(held_slot(link, link->held_count), plain, entry->plain_bytes);
    link->held[link->held_count++] = *entry;
    return true;
}

/* Take entry `index` out; those behind it move up. */
static void
release_held(struct sf_link *link, size_t index)
{
    size_t behind = link->held_count - index - 1;

    memmove(&link->held[index], &link->held[index + 1], behind * sizeof(link->held[0]));
    memmove(
        held_slot(link, index), held_slot(link, index + 1), behind * (size_t)SF_LINK_HELD_BYTES);
    link->held_count--;
    sf_wipe(held_slot(link, link->held_count), SF_LINK_HELD_BYTES);
}

void
sf_input_forget(struct sf_link *link, unsigned peer, uint64_t epoch)
{
    for (size_t i = link->held_count; i-- > 0;) {
        if (link->held[i].peer == peer && (epoch == 0 || link->held[i].epoch == epoch)) {
            release_held(link, i);
        }
    }
}

/* --- Incoming sessions -------------------------------------------------------------- */

static void
end_session(struct sf_link *link, struct sf_session_in *session)
{
    if (session->state == SF_SESSION_WAITING) {
        sf_input_forget(link, session->peer, session->epoch);
    }
    sf_session_table_remove(&link->sessions, session);
}

void
sf_input_expire(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    for (unsigned i = 0; i < SF_SESSION_PER_PEER_MAX; i++) {
        if (peer->in[i].state == SF_SESSION_OLD && now >= peer->in[i].expiry) {
            end_session(link, &peer->in[i]);
        }
    }
}

/* Who makes room for a new session: lower goes first. The one in use never does. */
static unsigned
worth(const struct sf_session_in *session)
{
    switch (session->state) {
    case SF_SESSION_FREE:
        return 0;
    case SF_SESSION_WAITING:
        return 1; /* a later opener of the same peer has come: it has given this one up */
    case SF_SESSION_OLD:
        return 2;
    case SF_SESSION_LIVE:
        break;
    }
    return session->is_static ? 3 : 4;
}

static struct sf_session_in *
room_for_session(struct sf_link *link, struct sf_peer *peer)
{
    struct sf_session_in *best = &peer->in[0];

    for (unsigned i = 1; i < SF_SESSION_PER_PEER_MAX; i++) {
        struct sf_session_in *other = &peer->in[i];

        if (worth(other) < worth(best) ||
            (worth(other) == worth(best) && other->expiry < best->expiry)) {
            best = other;
        }
    }
    sf_assert(worth(best) < 4);
    end_session(link, best);
    return best;
}

/*
 * One to the static key leaves that of the bulk in use, unless that is of a start before: the peer
 * has forgotten it, and if it were named, would never hear that the new one has come.
 */
static bool
takes_over(const struct sf_session_in *session, const struct sf_session_in *other)
{
    return !session->is_static || other->is_static || other->epoch >> 32 != session->epoch >> 32;
}

/* `session` may be used now: those before it live on for a while. */
static void
go_live(struct sf_link *link, struct sf_peer *peer, struct sf_session_in *session, sf_mono now)
{
    for (unsigned i = 0; i < SF_SESSION_PER_PEER_MAX; i++) {
        struct sf_session_in *other = &peer->in[i];

        if (other == session || other->state == SF_SESSION_FREE || other->epoch > session->epoch) {
            continue;
        }
        if (other->state == SF_SESSION_WAITING) {
            end_session(link, other);
        } else if (other->state == SF_SESSION_LIVE && takes_over(session, other)) {
            other->state = SF_SESSION_OLD;
            other->expiry = sf_mono_add(now, SF_SESSION_LIVES_ON_NS);
        }
    }
    session->state = SF_SESSION_LIVE;
}

static struct sf_session_in *
session_of(struct sf_peer *peer, uint64_t epoch)
{
    for (unsigned i = 0; i < SF_SESSION_PER_PEER_MAX; i++) {
        if (peer->in[i].state != SF_SESSION_FREE && peer->in[i].epoch == epoch) {
            return &peer->in[i];
        }
    }
    return NULL;
}

void
sf_input_durable(struct sf_link *link, struct sf_peer *peer, uint64_t epoch, sf_mono now)
{
    struct sf_session_in *session = session_of(peer, epoch);
    size_t i = 0;

    if (session == NULL || session->state != SF_SESSION_WAITING) {
        return;
    }
    go_live(link, peer, session, now);
    peer->stats.openers_in++;
    peer->control.hello = true; /* name it */
    while (i < link->held_count) {
        struct sf_held entry = link->held[i];
        struct arrival arrival = {.peer = peer,
            .epoch = entry.epoch,
            .counter = entry.counter,
            .is_opener = entry.is_opener,
            .is_static = session->is_static,
            .now = now};

        if (entry.peer != peer->number || entry.epoch != epoch) {
            i++;
            continue;
        }
        memcpy(link->scratch, held_slot(link, i), entry.plain_bytes);
        release_held(link, i);
        if (entry.is_opener && entry.prekey_known != link->card_prekey && link->card_bytes > 0) {
            peer->control.card = true;
        }
        take(link, &arrival, &entry.from, entry.dgram_bytes,
            sf_view(link->scratch, entry.plain_bytes));
    }
}

/* --- Openers ------------------------------------------------------------------------- */

static struct sf_peer *
peer_of_key(const struct sf_link *link, const uint8_t static_pk[32])
{
    for (unsigned i = 0; i < link->peer_end; i++) {
        if (link->peers[i] != NULL &&
            memcmp(link->peers[i]->config.static_pk, static_pk, 32) == 0) {
            return link->peers[i];
        }
    }
    return NULL;
}

static bool
is_trusted_source(const struct sf_link *link, const struct sf_addr *from)
{
    for (unsigned i = 0; i < link->peer_end; i++) {
        if (link->peers[i] != NULL && sf_addresses_trusts(&link->peers[i]->addresses, from)) {
            return true;
        }
    }
    return false;
}

/* The public-key part: SF_OK, *ret_peer, the payload and the session's key. */
static int
read_opener(struct sf_link *link, struct sf_view dgram, const struct sf_opener_clear *clear,
    struct sf_peer **ret_peer, struct sf_opener_payload *ret_payload, uint8_t ret_key[32])
{
    struct sf_noise_reader reader;
    uint8_t local_sk[32];
    uint8_t local_pk[32];
    uint8_t remote_static[32];
    struct sf_peer *peer = NULL;
    int status = SF_OK;

    if (clear->key == SF_OPENER_TO_STATIC) {
        memcpy(local_sk, link->static_sk, 32);
        memcpy(local_pk, link->static_pk, 32);
    } else if (!link->prekey(link->context, clear->prekey_number, local_sk, local_pk)) {
        return SF_EAUTH;
    }
    status =
        sf_opener_sender(&reader, dgram, &link->fingerprint, local_sk, local_pk, remote_static);
    if (status == SF_OK) {
        peer = peer_of_key(link, remote_static);
        status = peer == NULL ? SF_EAUTH
                              : sf_opener_read(
                                    &reader, peer->config.psk, &peer->shared, ret_payload, ret_key);
    }
    sf_noise_reader_fini(&reader);
    sf_wipe(local_sk, sizeof(local_sk));
    *ret_peer = peer;
    return status;
}

/*
 * An authentic opener that does not follow on what was seen: of an epoch we have
 * left behind, or of another life. It may be a copy, so the peer is told where it
 * surely is; and it may have lost our session with its memory, so it is told by a
 * new one.
 */
static void
answer_stale(struct sf_link *link, struct sf_peer *peer, const struct sf_opener_payload *payload,
    sf_mono now)
{
    bool is_soon = peer->stale_sent != 0 && now < sf_mono_add(peer->stale_sent, SF_LINK_STALE_NS);
    bool is_same = payload->epoch == peer->epoch_seen && payload->life[0] == peer->life_seen;

    if (payload->epoch >> 32 >= peer->epoch_seen >> 32 && payload->life[0] != peer->life_seen) {
        sf_peer_news(peer, SF_LINK_NEWS_REFUSED);
    }
    if (!is_same && peer->addresses.use != SF_ADDRESS_NONE && !is_soon) {
        peer->stale_sent = now > 0 ? now : 1;
        peer->epoch_refused = payload->epoch;
        peer->life_refused = payload->life[0];
        sf_peer_tell_stale(link, peer, now);
    }
}

/*
 * What a refused opener says of our own lives counts all the same: its sender has
 * seen them, whenever that was; and where both ends were restored each refuses
 * the other's openers until one of them has jumped.
 */
static void
hear_refused(struct sf_peer *peer, const struct sf_opener_payload *payload, sf_mono now)
{
    struct sf_message_reader reader;

    sf_message_reader_init(&reader, sf_view(payload->messages, sizeof(payload->messages)));
    if (sf_message_get_u8(&reader) == SF_MESSAGE_STALE) {
        (void)!take_stale(peer, &reader, now);
    }
}

/* Whether the opener goes on from what was seen of its sender. */
static bool
follows(const struct sf_peer *peer, const struct sf_opener_payload *payload)
{
    struct sf_lives lives = {.boot = (uint32_t)(payload->epoch >> 32)};

    memcpy(lives.life, payload->life, sizeof(lives.life));
    return payload->epoch > peer->epoch_seen &&
           sf_lives_follow(&lives, (uint32_t)(peer->epoch_seen >> 32), peer->life_seen);
}

/* The peer has another life from now on; one that it had before does not come back but from a copy. */
static void
see_life(struct sf_peer *peer, const struct sf_opener_payload *payload)
{
    bool was_refused = peer->life_refused == payload->life[0];

    peer->epoch_seen = payload->epoch;
    peer->life_refused = 0;
    if (payload->life[0] == peer->life_seen) {
        return;
    }
    if (was_refused) {
        sf_peer_news(peer, SF_LINK_NEWS_RESTORED);
    }
    for (size_t i = 0; i < SF_LINK_LIVES_PAST; i++) {
        if (peer->lives_past[i] == payload->life[0]) {
            sf_peer_news(peer, SF_LINK_NEWS_COPIED);
        }
    }
    memmove(peer->lives_past + 1, peer->lives_past,
        (SF_LINK_LIVES_PAST - 1) * sizeof(peer->lives_past[0]));
    peer->lives_past[0] = peer->life_seen;
    peer->life_seen = payload->life[0];
}

static int
open_session(struct sf_link *link, struct sf_peer *peer, const struct sf_opener_payload *payload,
    bool is_static, const uint8_t key[32])
{
    struct sf_session_in *session = room_for_session(link, peer);
    int status;

    session->state = SF_SESSION_WAITING;
    session->is_static = is_static;
    session->peer = peer->number;
    session->id = payload->session_id;
    session->epoch = payload->epoch;
    session->life = payload->life[0];
    session->expiry = 0;
    memcpy(session->key, key, 32);
    sf_replay_init(&session->replay);
    status = sf_session_table_add(&link->sessions, session);
    if (status != SF_OK) {
        sf_wipe(session, sizeof(*session));
    }
    return status;
}

static void
input_opener(struct sf_link *link, const struct sf_addr *from, struct sf_view dgram, sf_mono now)
{
    const uint8_t *mac = dgram.data + SF_OPENER_MAC_AT;
    struct sf_opener_payload payload;
    struct sf_opener_clear clear;
    struct sf_peer *peer = NULL;
    uint8_t key[32];
    int status;

    status = sf_opener_check(dgram, &link->mac_key, &clear);
    if (status != SF_OK) {
        drop(link, status == SF_EAUTH ? &link->stats.dropped_auth : &link->stats.dropped_format);
        return;
    }
    if (sf_flood_has_seen(&link->flood, mac)) {
        drop(link, &link->stats.dropped_replay);
        return;
    }
    if (!sf_flood_admit(&link->flood, from, is_trusted_source(link, from), now)) {
        drop(link, &link->stats.dropped_flood);
        return;
    }
    sf_flood_see(&link->flood, mac);
    status = read_opener(link, dgram, &clear, &peer, &payload, key);
    if (status != SF_OK) {
        if (peer != NULL) {
            peer->notices |= SF_NOTICE_MISMATCH;
        }
        drop(link, status == SF_EAUTH ? &link->stats.dropped_auth : &link->stats.dropped_format);
    } else if (!follows(peer, &payload)) {
        hear_refused(peer, &payload, now);
        answer_stale(link, peer, &payload, now);
        drop(link, &link->stats.dropped_replay);
    } else if (link->held_count == SF_LINK_HELD_MAX ||
               open_session(link, peer, &payload, clear.key == SF_OPENER_TO_STATIC, key) != SF_OK) {
        drop(link, &link->stats.dropped_limit);
    } else {
        struct sf_held entry = {.peer = peer->number,
            .is_opener = true,
            .epoch = payload.epoch,
            .from = *from,
            .dgram_bytes = dgram.bytes,
            .prekey_known = payload.prekey_known,
            .plain_bytes = sizeof(payload.messages)};

        (void)hold(link, &entry, payload.messages);
        see_life(peer, &payload);
        peer->notices |= SF_NOTICE_EPOCH;
    }
    sf_wipe(key, sizeof(key));
    sf_wipe(&payload, sizeof(payload));
}

/* --- Datagrams ------------------------------------------------------------------------ */

static void
input_data(struct sf_link *link, const struct sf_addr *from, struct sf_view dgram, sf_mono now)
{
    struct arrival arrival = {.now = now};
    struct sf_session_in *session;
    struct sf_view plain;
    int status;

    status =
        sf_session_table_open(&link->sessions, dgram, link->scratch, &session, &arrival.counter);
    if (status != SF_OK) {
        drop(link, status == SF_EFORMAT  ? &link->stats.dropped_format
                   : status == SF_EEXIST ? &link->stats.dropped_replay
                                         : &link->stats.dropped_auth);
        return;
    }
    plain = sf_view(link->scratch, dgram.bytes - SF_SESSION_OVERHEAD_BYTES);
    arrival.peer = link->peers[session->peer];
    arrival.epoch = session->epoch;
    arrival.is_static = session->is_static;
    if (session->state == SF_SESSION_WAITING) {
        struct sf_held entry = {.peer = session->peer,
            .epoch = session->epoch,
            .counter = arrival.counter,
            .from = *from,
            .dgram_bytes = dgram.bytes,
            .plain_bytes = plain.bytes};

        if (!hold(link, &entry, plain.data)) {
            drop(link, &link->stats.dropped_limit);
        }
        return;
    }
    take(link, &arrival, from, dgram.bytes, plain);
}

void
sf_link_input(struct sf_link *link, const struct sf_addr *from, uint8_t *dgram, size_t dgram_bytes,
    sf_mono now)
{
    struct sf_view view = sf_view(dgram, dgram_bytes);

    link->now = now > link->now ? now : link->now;
    now = link->now;
    link->came_from = NULL;
    if (dgram_bytes < SF_SESSION_OVERHEAD_BYTES || dgram_bytes > SF_LINK_DGRAM_BYTES_MAX) {
        drop(link, &link->stats.dropped_format);
        return;
    }
    if (sf_get_be32(dgram) == 0) {
        input_opener(link, from, view, now);
        return;
    }
    for (unsigned i = 0; i < link->peer_end; i++) {
        if (link->peers[i] != NULL) {
            sf_input_expire(link, link->peers[i], now);
        }
    }
    input_data(link, from, view, now);
}

void
sf_link_congested(struct sf_link *link)
{
    if (link->came_from != NULL) {
        sf_inbox_congested(link->came_from->inbox);
        link->came_from = NULL;
    }
}
