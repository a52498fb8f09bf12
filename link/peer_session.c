/*
 * peer_session.c - the outgoing sessions of a peer: when one is opened, how long
 * its opener may go unanswered, and which of them the peer says that it knows.
 */
#include "link/core.h"

/* --- Where an opener goes -------------------------------------------------------------- */

/*
 * Who started anew behind a translator can be reached only where it was heard
 * last, and knows no session on which that address could be challenged. So an
 * opener goes there as soon as it is paid for, if no session of ours is known.
 */
enum sf_address_path
sf_peer_opener_path(const struct sf_peer *peer)
{
    if (!peer->out[SF_OUT_DATA].is_heard &&
        sf_addresses_may_send(&peer->addresses, SF_ADDRESS_LEARNT, SF_OPENER_BYTES)) {
        return SF_ADDRESS_LEARNT;
    }
    return sf_addresses_control(&peer->addresses);
}

static bool
may_send_opener(const struct sf_peer *peer)
{
    return sf_addresses_may_send(&peer->addresses, sf_peer_opener_path(peer), SF_OPENER_BYTES);
}

void
sf_peer_look_around(struct sf_peer *peer, sf_mono now)
{
    bool is_asking = !peer->out[SF_OUT_DATA].is_heard || sf_peer_is_quiet(peer, now);

    if (peer->addresses.use == SF_ADDRESS_ENDPOINT && !sf_peer_is_dark(peer) && is_asking &&
        peer->opening.sent > 0 && peer->heard < peer->opening.first) {
        sf_addresses_turn(&peer->addresses);
    }
}

/* --- Which there are ------------------------------------------------------------------- */

/* Has the opener of `which` left at least once? */
static bool
has_left(const struct sf_peer *peer, enum sf_out which)
{
    return !peer->opening.is_on || peer->opening.which != which || peer->opening.sent > 0;
}

enum sf_out
sf_peer_control_out(const struct sf_peer *peer)
{
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    const struct sf_session_out *fallback = &peer->out[SF_OUT_STATIC];

    if (fallback->is_open && fallback->is_heard && !(data->is_open && data->is_heard)) {
        return SF_OUT_STATIC;
    }
    /* Before its opener a session's datagrams would only be noise. */
    return data->is_open && has_left(peer, SF_OUT_DATA) ? SF_OUT_DATA : SF_OUT_COUNT;
}

/* Is a session needed that is not there? */
static bool
wants_session(const struct sf_peer *peer)
{
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    const struct sf_session_out *fallback = &peer->out[SF_OUT_STATIC];
    bool has_report = sf_inbox_deadline(peer->inbox) != SF_NEVER;
    bool is_work = sf_peer_is_trusted(peer) && sf_peer_has_work(peer);

    if (peer->opening.is_on || peer->is_jumping || sf_peer_is_dark(peer)) {
        return false;
    }
    if (data->is_open) {
        /*
         * It was given up while nothing was to be sent. Work and reports would now wait for
         * ever; and an answer on it is not understood.
         */
        return !data->is_heard && !sf_peer_has_no_return(peer) &&
               (is_work || has_report || (sf_peer_has_control(peer) && !fallback->is_heard));
    }
    return sf_peer_has_control(peer) || has_report || is_work ||
           (sf_peer_is_trusted(peer) && sf_peer_must_be_reached(peer));
}

/* --- Opening one ----------------------------------------------------------------------- */

static uint64_t
next_epoch(struct sf_link *link, struct sf_peer *peer)
{
    uint64_t epoch = (uint64_t)link->lives.boot << 32 | ++link->session_number;

    if (epoch <= peer->epoch_last) {
        epoch = peer->epoch_last + 1;
    }
    peer->epoch_last = epoch;
    return epoch;
}

static uint32_t
fresh_id(const struct sf_link *link)
{
    uint32_t id;

    do {
        sf_random_fill(link->random, &id, sizeof(id));
    } while (id == 0);
    return id;
}

static void
fill_messages(struct sf_link *link, struct sf_peer *peer, bool is_static, uint8_t *messages,
    bool *ret_has_challenge, sf_mono now)
{
    struct sf_message_writer writer;
    size_t begin;

    memset(messages, 0, SF_OPENER_MESSAGES_BYTES);
    sf_message_writer_init(&writer, messages, SF_OPENER_MESSAGES_BYTES);
    /* First, as what follows may be about the life that was seen. */
    sf_peer_stale_put(peer, &writer);
    sf_control_hello(link, peer, &writer, 0);
    sf_control_stamp(&writer, now);
    *ret_has_challenge = sf_addresses_control(&peer->addresses) == SF_ADDRESS_LEARNT;
    if (*ret_has_challenge) {
        begin = sf_message_begin(&writer, SF_MESSAGE_CHALLENGE);
        sf_message_put_bytes(&writer, peer->addresses.token, SF_MESSAGE_TOKEN_BYTES);
        (void)sf_message_end(&writer, begin);
    }
    /* Whoever holds an old card of the peer may be known there by an old one as well. */
    if (is_static && link->card_bytes > 0) {
        begin = sf_message_begin(&writer, SF_MESSAGE_CARD);
        sf_message_put_varint(&writer, link->card_bytes);
        sf_message_put_bytes(&writer, link->card, link->card_bytes);
        (void)sf_message_end(&writer, begin);
    }
}

static int
make_opener(struct sf_link *link, struct sf_peer *peer, enum sf_out which, sf_mono now)
{
    struct sf_session_out session = {.is_open = true, .opened = now};
    struct sf_opener_payload payload;
    struct sf_opener_clear clear = {.key = SF_OPENER_TO_PREKEY};
    uint8_t ephemeral_sk[32];
    struct sf_opener_keys keys = {
        .static_sk = link->static_sk,
        .static_pk = link->static_pk,
        .ephemeral_sk = ephemeral_sk,
        .remote_pk = peer->config.prekey_pk,
        .psk = peer->config.psk,
        .receiver = &peer->config.fingerprint,
        .mac_key = &peer->mac_key,
        .shared = &peer->shared,
    };
    int status;

    session.is_static = which == SF_OUT_STATIC;
    if (session.is_static) {
        clear.key = SF_OPENER_TO_STATIC;
        keys.remote_pk = peer->config.static_pk;
    } else {
        clear.prekey_number = peer->config.prekey_number;
    }
    session.id = fresh_id(link);
    session.epoch = next_epoch(link, peer);
    payload.epoch = session.epoch;
    payload.session_id = session.id;
    payload.prekey_known = peer->config.prekey_number;
    memcpy(payload.life, peer->lives.life, sizeof(payload.life));
    fill_messages(
        link, peer, session.is_static, payload.messages, &peer->opening.has_challenge, now);
    sf_random_fill(link->random, ephemeral_sk, sizeof(ephemeral_sk));
    status = sf_opener_encode(&keys, &clear, &payload, peer->opening.dgram, session.key);
    if (status == SF_OK) {
        sf_session_out_fini(&peer->out[which]);
        peer->out[which] = session;
    }
    sf_wipe(ephemeral_sk, sizeof(ephemeral_sk));
    sf_wipe(&session, sizeof(session));
    return status;
}

void
sf_peer_call(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    struct sf_opening *opening = &peer->opening;
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    enum sf_out which;

    if (peer->is_jumping) {
        return; /* sf_peer_boot_durable() does */
    }
    if (peer->unanswered % 2 == 1 && !sf_peer_has_no_return(peer)) {
        which = SF_OUT_STATIC;
    } else {
        which = data->is_open && (data->is_heard || sf_peer_has_no_return(peer)) ? SF_OUT_NEXT
                                                                                 : SF_OUT_DATA;
    }
    /* A key of low order on a card cannot be called; trying again later costs nothing. */
    opening->is_on = make_opener(link, peer, which, now) == SF_OK;
    opening->which = which;
    opening->sent = 0;
    opening->first = now;
    opening->due = now;
    if (opening->is_on && which == SF_OUT_DATA) {
        sf_outbox_session(peer->outbox, data->epoch);
    }
    if (peer->calling == SF_NEVER && !data->is_heard) {
        peer->calling = now;
    }
}

/* NEXT takes over. */
static void
take_over(struct sf_peer *peer)
{
    sf_session_out_fini(&peer->out[SF_OUT_DATA]);
    peer->out[SF_OUT_DATA] = peer->out[SF_OUT_NEXT];
    sf_session_out_fini(&peer->out[SF_OUT_NEXT]);
    if (peer->opening.is_on && peer->opening.which == SF_OUT_NEXT) {
        peer->opening.which = SF_OUT_DATA;
    }
    sf_outbox_session(peer->outbox, peer->out[SF_OUT_DATA].epoch);
}

/* --- What the peer says of them -------------------------------------------------------- */

void
sf_peer_named(struct sf_link *link, struct sf_peer *peer, uint64_t heard, sf_mono now)
{
    struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    struct sf_session_out *fallback = &peer->out[SF_OUT_STATIC];
    uint64_t young = 2 * sf_peer_round_trip(peer);
    bool is_ours = false;
    bool is_new = false;

    for (int which = 0; which < SF_OUT_COUNT && heard != 0; which++) {
        struct sf_session_out *session = &peer->out[which];

        if (!session->is_open || (session->epoch ^ peer->lives.life[0]) != heard) {
            continue;
        }
        is_ours = true;
        session->is_heard = true;
        peer->was_named = true;
        if (peer->opening.is_on && peer->opening.which == (enum sf_out)which) {
            peer->opening.is_on = false;
            peer->unanswered = 0;
            is_new = true;
        }
        if (which == SF_OUT_NEXT) {
            take_over(peer);
        }
        if (which != SF_OUT_STATIC) {
            peer->calling = SF_NEVER;
            sf_session_out_fini(&peer->out[SF_OUT_STATIC]);
            return;
        }
        break;
    }
    /* Only the fallback was heard. The opener to the prekey may just have been lost. */
    if (is_new && !data->is_heard && sf_peer_has_work(peer)) {
        sf_peer_call(link, peer, now);
        return;
    }
    /* It names another session, or none: ours is lost there, unless the news are too fresh. */
    young = young > SF_LINK_LOST_NS_MIN ? young : SF_LINK_LOST_NS_MIN;
    if (!is_ours && fallback->is_heard && now >= sf_mono_add(fallback->opened, young)) {
        sf_session_out_fini(fallback);
    }
    if (data->is_open && data->is_heard && now >= sf_mono_add(data->opened, young)) {
        data->is_heard = false;
        peer->unanswered = 0;
        sf_session_out_fini(&peer->out[SF_OUT_NEXT]);
        sf_peer_call(link, peer, now);
    }
}

/* --- Time ------------------------------------------------------------------------------ */

sf_mono
sf_peer_opener_due(const struct sf_peer *peer)
{
    const struct sf_opening *opening = &peer->opening;

    if (!opening->is_on || !may_send_opener(peer)) {
        return SF_NEVER;
    }
    if (opening->sent > 0 && sf_peer_is_dark(peer)) {
        return SF_NEVER; /* a beacon is sent once */
    }
    if (sf_peer_has_no_return(peer) && opening->sent >= SF_LINK_OPENERS_FIRST &&
        !sf_peer_has_work(peer)) {
        return SF_NEVER;
    }
    return opening->due;
}

static sf_mono
opener_given_up(const struct sf_peer *peer)
{
    if (!peer->opening.is_on || peer->opening.sent == 0 || sf_peer_is_dark(peer) ||
        !may_send_opener(peer)) {
        return SF_NEVER;
    }
    if (sf_peer_has_no_return(peer)) {
        return sf_peer_has_work(peer) ? sf_mono_add(peer->opening.first, SF_LINK_NO_RETURN_OPEN_NS)
                                      : SF_NEVER;
    }
    return sf_mono_add(peer->opening.first, sf_peer_answer_ns(peer));
}

/*
 * The peer lets go of the old session soon after the new one's opener has come.
 * Where its answer takes longer than that, NEXT takes over without being named.
 */
static sf_mono
take_over_at(const struct sf_peer *peer)
{
    const struct sf_opening *opening = &peer->opening;

    if (!opening->is_on || opening->which != SF_OUT_NEXT || opening->sent < SF_LINK_OPENERS_FIRST ||
        sf_peer_is_dark(peer)) {
        return SF_NEVER;
    }
    return sf_mono_add(opening->first, SF_LINK_TAKE_OVER_NS);
}

void
sf_peer_session_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (now >= opener_given_up(peer)) {
        if (sf_peer_has_no_return(peer)) {
            peer->opening.is_on = false;
        } else {
            peer->unanswered++;
        }
        sf_peer_call(link, peer, now);
    } else if (wants_session(peer) && may_send_opener(peer)) {
        sf_peer_call(link, peer, now);
    }
    if (now >= take_over_at(peer)) {
        take_over(peer);
    }
}

sf_mono
sf_peer_session_deadline(const struct sf_peer *peer)
{
    sf_mono due;

    if (wants_session(peer) && may_send_opener(peer)) {
        return 0;
    }
    due = sf_mono_min(opener_given_up(peer), take_over_at(peer));
    return sf_mono_min(due, sf_peer_opener_due(peer));
}
