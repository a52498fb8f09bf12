/*
 * peer.c - when to call a peer, when to be silent, when to try again.
 *
 * No call changes more than it says; nothing here sends. Time decides only in
 * sf_peer_tick(), which does nothing that sf_peer_deadline() did not announce.
 */
#include "link/core.h"

#include "base/assert.h"

enum { STALE_BEACONS = 4 }; /* for one refused opener: half of them may be lost */

/* --- Spans of time ------------------------------------------------------------ */

uint64_t
sf_peer_round_trip(const struct sf_peer *peer)
{
    if (peer->rtt.srtt_ns > 0) {
        return peer->rtt.srtt_ns + 2 * peer->rtt.rttvar_ns;
    }
    return sf_peer_planned_rtt_ns(peer);
}

/* Line time of an opener: on a slow line waiting begins when it has left. */
static uint64_t
opener_ns(const struct sf_peer *peer)
{
    uint64_t bits = (SF_OPENER_BYTES + SF_LINK_IP6_HEAD_BYTES) * 8;

    return bits * SF_SEC / sf_peer_rate_bps(peer);
}

static uint64_t
span_of_answers(const struct sf_peer *peer, uint64_t least)
{
    uint64_t three = 3 * sf_peer_round_trip(peer);

    return (three > least ? three : least) + 4 * opener_ns(peer);
}

uint64_t
sf_peer_answer_ns(const struct sf_peer *peer)
{
    return span_of_answers(peer, SF_LINK_ANSWER_NS_MIN);
}

uint64_t
sf_peer_budget_ns(const struct sf_peer *peer)
{
    return span_of_answers(peer, SF_LINK_BUDGET_NS_MIN);
}

static bool
is_dark(const struct sf_peer *peer)
{
    return peer->state == SF_LINK_STATE_DARK;
}

/* --- Silence ------------------------------------------------------------------- */

/* When reports about the running segments must have begun to come in. */
static sf_mono
reports_since(const struct sf_peer *peer)
{
    return sf_mono_add(peer->bulk_since, sf_peer_round_trip(peer));
}

/*
 * While segments go, reports come back all the time. When they stop, what goes
 * out is most likely lost: the peer restarted, or the path is gone. So bulk
 * pauses long before the dark, and small questions take its place. A path on
 * which reports come seldom is given the time it was seen to take.
 */
static sf_mono
quiet_at(const struct sf_peer *peer)
{
    uint64_t span = 2 * peer->gap_ns;
    sf_mono since = reports_since(peer);

    if (peer->asked == SF_NEVER || sf_peer_has_no_return(peer) || is_dark(peer) ||
        peer->bulk_sent == 0 || peer->rtt.srtt_ns == 0 || !peer->out[SF_OUT_DATA].is_heard) {
        return SF_NEVER;
    }
    since = since > peer->asked ? since : peer->asked;
    span = span > SF_LINK_QUIET_NS_MIN ? span : SF_LINK_QUIET_NS_MIN;
    return sf_mono_add(since, span + 4 * opener_ns(peer));
}

/* In the quiet: between two questions. More than a few in a round trip tell nothing new. */
static uint64_t
quiet_gap(const struct sf_peer *peer)
{
    uint64_t eighth = sf_peer_round_trip(peer) / 8;

    return (eighth > SF_LINK_QUIET_POLL_NS ? eighth : SF_LINK_QUIET_POLL_NS) + opener_ns(peer);
}

/* In the quiet: when its sessions are taken for lost there. */
static sf_mono
lost_at(const struct sf_peer *peer)
{
    return peer->opening.is_on ? SF_NEVER : sf_mono_add(peer->asked, sf_peer_answer_ns(peer));
}

void
sf_peer_bulk_sent(struct sf_peer *peer, sf_mono now)
{
    if (peer->bulk_sent == 0 || now > sf_mono_add(peer->bulk_sent, SF_LINK_RUN_NS)) {
        peer->bulk_since = now;
    }
    peer->bulk_sent = now > 0 ? now : 1;
}

/* It is heard: remember how long it was silent while reports were to be expected. */
static void
note_gap(struct sf_peer *peer, sf_mono now)
{
    uint64_t most = sf_peer_budget_ns(peer) / 2;
    uint64_t since = now - peer->heard;
    uint64_t gap = 0;

    if (peer->asked != SF_NEVER && peer->bulk_sent != 0 && reports_since(peer) <= peer->asked) {
        gap = now - peer->asked < most ? now - peer->asked : most;
    }
    since = since < SF_LINK_GAP_FADES_NS ? since : SF_LINK_GAP_FADES_NS;
    peer->gap_ns -= peer->gap_ns / SF_MS * (since / SF_US) / (SF_LINK_GAP_FADES_NS / SF_US) * SF_MS;
    peer->gap_ns = gap > peer->gap_ns ? gap : peer->gap_ns;
}

/* --- What there is to do ------------------------------------------------------ */

static bool
has_work(const struct sf_peer *peer)
{
    return peer->open_object_count > 0 || sf_outbox_deadline(peer->outbox) != SF_NEVER;
}

static bool
is_trusted(const struct sf_peer *peer)
{
    return peer->addresses.use != SF_ADDRESS_NONE;
}

/* Has it to be reached although there is nothing to send? */
static bool
must_be_reached(const struct sf_peer *peer)
{
    return sf_peer_has_endpoint(peer) && !sf_peer_has_no_return(peer) &&
           (!peer->was_named || peer->keepalive);
}

/* Shall beacons go out while it does not answer? */
static bool
is_expected(const struct sf_peer *peer)
{
    return is_trusted(peer) && (has_work(peer) || must_be_reached(peer) || peer->stale_due > 0);
}

static bool
may_send_control(const struct sf_peer *peer)
{
    return sf_addresses_may_send(
        &peer->addresses, sf_addresses_control(&peer->addresses), SF_LINK_CONTROL_ROOM);
}

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

bool
sf_peer_has_control(const struct sf_peer *peer)
{
    const struct sf_control *control = &peer->control;

    if (is_dark(peer)) {
        return control->poll;
    }
    if (control->hello || control->poll || control->answer || control->probed) {
        return true;
    }
    if (!is_trusted(peer)) {
        return false;
    }
    return control->card;
}

/* Is a session needed that is not there? */
static bool
wants_session(const struct sf_peer *peer)
{
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    const struct sf_session_out *fallback = &peer->out[SF_OUT_STATIC];
    bool has_report = sf_inbox_deadline(peer->inbox) != SF_NEVER;
    bool is_work = is_trusted(peer) && has_work(peer);

    if (peer->opening.is_on || peer->is_jumping || is_dark(peer)) {
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
           (is_trusted(peer) && must_be_reached(peer));
}

bool
sf_peer_may_bulk(const struct sf_peer *peer, sf_mono now)
{
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    const struct sf_opening *opening = &peer->opening;

    if (!is_trusted(peer) || is_dark(peer) || !data->is_open || now >= quiet_at(peer)) {
        return false;
    }
    if (opening->is_on && opening->which == SF_OUT_DATA) {
        unsigned least = sf_peer_has_no_return(peer) ? SF_LINK_OPENERS_FIRST : 1;

        if (opening->sent < least) {
            return false;
        }
    }
    if (data->is_heard || sf_peer_has_no_return(peer)) {
        return true;
    }
    return peer->calling == SF_NEVER || now < sf_mono_add(peer->calling, sf_peer_budget_ns(peer));
}

void
sf_peer_look_around(struct sf_peer *peer, sf_mono now)
{
    bool is_asking = !peer->out[SF_OUT_DATA].is_heard || now >= quiet_at(peer);

    if (peer->addresses.use == SF_ADDRESS_ENDPOINT && !is_dark(peer) && is_asking &&
        peer->opening.sent > 0 && peer->heard < peer->opening.first) {
        sf_addresses_turn(&peer->addresses);
    }
}

/* --- Opening sessions ----------------------------------------------------------- */

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
    /* First, as what follows may be about the life that was seen; and again until it follows. */
    if (peer->life_refused != 0 && is_trusted(peer)) {
        peer->stale_due -= peer->stale_due > 0;
        begin = sf_message_begin(&writer, SF_MESSAGE_STALE);
        sf_message_put_u64(&writer, peer->epoch_seen);
        sf_message_put_u64(&writer, peer->life_seen);
        sf_message_put_u64(&writer, peer->epoch_refused);
        sf_message_put_u64(&writer, peer->life_refused);
        (void)sf_message_end(&writer, begin);
    }
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

/* --- What the peer says of our sessions ------------------------------------------- */

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
    if (is_new && !data->is_heard && has_work(peer)) {
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

void
sf_peer_news(struct sf_peer *peer, enum sf_link_news news)
{
    peer->life_news |= news;
    peer->notices |= SF_NOTICE_LIFE;
}

/* What it has seen is ours. So whose is what it refused? What is older than we know of, nobody can say. */
static void
stale_is_other(struct sf_peer *peer, const struct sf_stale *stale)
{
    uint32_t boot = (uint32_t)(stale->epoch_refused >> 32);

    if (stale->life_refused != 0 &&
        (boot > peer->lives.boot || sf_lives_covers(&peer->lives, boot)) &&
        sf_lives_at(&peer->lives, boot) != stale->life_refused) {
        sf_peer_news(peer, SF_LINK_NEWS_OWN_COPY);
    }
}

/* Whether what the peer has seen is a session of this state: one of ours, or too long ago to say. */
static bool
is_ours(const struct sf_peer *peer, const struct sf_stale *stale)
{
    uint32_t boot = (uint32_t)(stale->epoch >> 32);

    if (boot > peer->lives.boot || (boot == peer->lives.boot && stale->epoch > peer->epoch_last)) {
        return false;
    }
    return !sf_lives_covers(&peer->lives, boot) || sf_lives_at(&peer->lives, boot) == stale->life;
}

void
sf_peer_stale(struct sf_peer *peer, const struct sf_stale *stale, sf_mono now)
{
    uint32_t boot = (uint32_t)(stale->epoch >> 32);
    uint32_t above = boot > peer->lives.boot ? boot : peer->lives.boot;

    if (above >= UINT32_MAX - 1 || peer->is_jumping) {
        return;
    }
    if (is_ours(peer, stale)) {
        stale_is_other(peer, stale);
        return;
    }
    /* Each jump is a write to the disk: a peer's word is good for one a second. */
    if (stale->life != 0 && peer->jumped != 0 &&
        now < sf_mono_add(peer->jumped, SF_LINK_STALE_NS)) {
        return;
    }
    peer->jumped = now > 0 ? now : 1;
    /* Into a boot of its own: what handles meant in the forgotten ones must not come back. */
    sf_lives_jump(&peer->lives, above + 1);
    sf_lives_admit(&peer->lives, boot, stale->life);
    peer->epoch_last = (uint64_t)peer->lives.boot << 32;
    peer->stale_epoch = peer->epoch_last;
    peer->is_stale_copy = peer->was_named; /* this life was accepted, and then another one */
    peer->was_named = false;
    sf_inbox_raise_boot(peer->inbox, peer->lives.boot);
    peer->notices |= SF_NOTICE_STALE;
    for (int which = 0; which < SF_OUT_COUNT; which++) {
        sf_session_out_fini(&peer->out[which]);
    }
    peer->opening.is_on = false;
    /* Used before it is durable, a power cut would let the node fall behind it once more. */
    peer->is_jumping = true;
}

void
sf_peer_boot_durable(struct sf_link *link, struct sf_peer *peer, uint32_t boot, sf_mono now)
{
    if (!peer->is_jumping || boot < peer->epoch_last >> 32) {
        return;
    }
    peer->is_jumping = false;
    peer->unanswered = 0;
    if (is_dark(peer)) {
        peer->beacon_due = now;
    } else {
        sf_peer_call(link, peer, now);
    }
}

void
sf_peer_tell_stale(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    bool was_on = peer->opening.is_on;
    sf_mono first = peer->opening.first;

    /* In the dark beacons will say it, if they come through; after the fallback, the next opener. */
    peer->stale_due = STALE_BEACONS;
    if (is_dark(peer) || (was_on && peer->unanswered % 2 == 1)) {
        return;
    }
    if (!was_on) {
        peer->unanswered = 0; /* nothing is under way: not to the fallback, which cannot say it */
    }
    sf_peer_call(link, peer, now);
    if (was_on) {
        peer->opening.first = first; /* copies of old openers must not put off giving up */
    }
}

/* --- Light and dark --------------------------------------------------------------- */

static void
brighten(struct sf_peer *peer, sf_mono now)
{
    sf_outbox_resume(peer->outbox, now);
    sf_inbox_resume(peer->inbox, now);
    if (peer->calling != SF_NEVER) {
        peer->calling = now;
    }
    peer->beacons = 0;
}

void
sf_peer_wake(struct sf_peer *peer, sf_mono now)
{
    if (is_dark(peer) || now >= quiet_at(peer)) {
        sf_peer_rate_resume(peer);
    }
    note_gap(peer, now);
    peer->heard = now > 0 ? now : 1;
    peer->reach_heard = peer->reach_heard == 0 ? peer->heard : peer->reach_heard;
    peer->asked = SF_NEVER;
    if (!sf_peer_may_wake(peer, now)) {
        return;
    }
    if (peer->state == SF_LINK_STATE_UP) {
        return;
    }
    if (is_dark(peer)) {
        brighten(peer, now);
    }
    peer->state = SF_LINK_STATE_UP;
    /* Only the newest state is told; the caller pulls both if it was quick. */
    peer->notices |= SF_NOTICE_UP;
}

void
sf_peer_go_silent(struct sf_peer *peer, sf_mono now)
{
    uint64_t first = sf_peer_beacon_first_ns(peer);

    peer->state = SF_LINK_STATE_DARK;
    peer->asked = SF_NEVER;
    peer->bulk_sent = 0;
    peer->opening.is_on = false;
    peer->control.hello = false;
    peer->control.poll = false;
    peer->control.answer = false;
    peer->control.probed = false;
    peer->beacon_wait = first > SF_LINK_BEACON_NS_MIN ? first : SF_LINK_BEACON_NS_MIN;
    peer->beacon_due = sf_mono_add(now, first);
    peer->beacons = 0;
    sf_outbox_pause(peer->outbox, now);
    sf_inbox_pause(peer->inbox);
}

static void
go_dark(struct sf_peer *peer, sf_mono now)
{
    if (peer->bulk_sent > peer->heard) {
        sf_peer_mtu_doubt(peer, now);
    }
    if (peer->state == SF_LINK_STATE_UP) {
        peer->notices &= ~(unsigned)SF_NOTICE_UP;
        peer->notices |= SF_NOTICE_DOWN;
    }
    sf_peer_go_silent(peer, now);
}

void
sf_peer_contact(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (is_dark(peer)) {
        brighten(peer, now);
        peer->state = SF_LINK_STATE_NEVER;
    }
    peer->asked = SF_NEVER;
    peer->unanswered = 0;
    if (is_trusted(peer)) {
        sf_peer_call(link, peer, now);
    }
}

/* One more beacon: a HELLO on a session that was heard, every other time an opener. */
static void
beacon(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    uint64_t most = sf_peer_beacon_most_ns(peer);

    if (peer->opening.is_on) {
        peer->opening.is_on = false;
        peer->unanswered++;
    }
    /* The peer may be where it last was, or where the operator says. */
    sf_addresses_try(
        &peer->addresses, peer->beacons % 4 < 2 ? SF_ADDRESS_PROVEN : SF_ADDRESS_ENDPOINT);
    if (peer->addresses.use == SF_ADDRESS_ENDPOINT && peer->beacons % 2 == 0) {
        sf_addresses_turn(&peer->addresses);
    }
    if (peer->out[SF_OUT_DATA].is_heard && peer->beacons % 2 == 0) {
        peer->control.poll = true;
    } else {
        sf_peer_call(link, peer, now);
    }
    peer->beacons++;
    peer->beacon_wait += peer->beacon_wait / 6;
    peer->beacon_wait = peer->beacon_wait < most ? peer->beacon_wait : most;
    peer->beacon_due = sf_mono_add(now, peer->beacon_wait + opener_ns(peer));
}

/* --- Time ------------------------------------------------------------------------- */

sf_mono
sf_peer_opener_due(const struct sf_peer *peer)
{
    const struct sf_opening *opening = &peer->opening;

    if (!opening->is_on || !may_send_opener(peer)) {
        return SF_NEVER;
    }
    if (opening->sent > 0 && is_dark(peer)) {
        return SF_NEVER; /* a beacon is sent once */
    }
    if (sf_peer_has_no_return(peer) && opening->sent >= SF_LINK_OPENERS_FIRST && !has_work(peer)) {
        return SF_NEVER;
    }
    return opening->due;
}

/* On a session that the peer does not know a challenge would be noise, and cost what was earned. */
sf_mono
sf_peer_challenge_due(const struct sf_peer *peer)
{
    enum sf_out out = sf_peer_control_out(peer);

    if (is_dark(peer) || out == SF_OUT_COUNT || !peer->out[out].is_heard ||
        !sf_addresses_may_send(&peer->addresses, SF_ADDRESS_LEARNT, SF_LINK_CONTROL_ROOM)) {
        return SF_NEVER;
    }
    return peer->addresses.challenge_due;
}

static sf_mono
opener_given_up(const struct sf_peer *peer)
{
    if (!peer->opening.is_on || peer->opening.sent == 0 || is_dark(peer) ||
        !may_send_opener(peer)) {
        return SF_NEVER;
    }
    if (sf_peer_has_no_return(peer)) {
        return has_work(peer) ? sf_mono_add(peer->opening.first, SF_LINK_NO_RETURN_OPEN_NS)
                              : SF_NEVER;
    }
    return sf_mono_add(peer->opening.first, sf_peer_answer_ns(peer));
}

static sf_mono
dark_at(const struct sf_peer *peer)
{
    if (is_dark(peer) || sf_peer_has_no_return(peer) || peer->asked == SF_NEVER) {
        return SF_NEVER;
    }
    return sf_mono_add(peer->asked, sf_peer_budget_ns(peer));
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
        is_dark(peer)) {
        return SF_NEVER;
    }
    return sf_mono_add(opening->first, SF_LINK_TAKE_OVER_NS);
}

static sf_mono
keepalive_at(const struct sf_peer *peer)
{
    if (is_dark(peer) || !peer->keepalive || peer->control.poll || !is_trusted(peer)) {
        return SF_NEVER;
    }
    return sf_mono_add(peer->sent, SF_LINK_KEEPALIVE_NS);
}

void
sf_peer_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    if (now >= dark_at(peer)) {
        go_dark(peer, now);
    }
    if (is_dark(peer)) {
        if (is_expected(peer) && now >= peer->beacon_due) {
            beacon(link, peer, now);
        }
        return;
    }
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
    if (now >= quiet_at(peer) && now >= peer->quiet_poll) {
        sf_peer_mtu_doubt(peer, now);
        peer->control.poll = true;
        peer->control.ask = true;
        peer->quiet_poll = sf_mono_add(now, quiet_gap(peer));
    }
    if (now >= quiet_at(peer) && now >= lost_at(peer)) {
        peer->unanswered = 0;
        sf_peer_call(link, peer, now);
    }
    if (now >= keepalive_at(peer)) {
        peer->control.poll = true;
    }
}

/* In the dark nothing is due but beacons, and what they have put out. */
static sf_mono
dark_deadline(const struct sf_peer *peer)
{
    sf_mono due = is_expected(peer) ? peer->beacon_due : SF_NEVER;

    due = sf_mono_min(due, sf_peer_opener_due(peer));
    if (sf_peer_has_control(peer) && sf_peer_control_out(peer) != SF_OUT_COUNT &&
        may_send_control(peer)) {
        due = 0;
    }
    return due;
}

static sf_mono
light_deadline(const struct sf_link *link, const struct sf_peer *peer)
{
    enum sf_out out = sf_peer_control_out(peer);
    sf_mono due = sf_mono_min(dark_at(peer), keepalive_at(peer));

    if (wants_session(peer) && may_send_opener(peer)) {
        return 0;
    }
    due = sf_mono_min(due, opener_given_up(peer));
    due = sf_mono_min(due, take_over_at(peer));
    due = sf_mono_min(due, sf_peer_opener_due(peer));
    if (link->now >= quiet_at(peer)) {
        due = sf_mono_min(due, sf_mono_min(peer->quiet_poll, lost_at(peer)));
    }
    due = sf_mono_min(due, sf_peer_challenge_due(peer));
    due = sf_mono_min(due, sf_peer_mtu_due(link, peer));
    if (out != SF_OUT_COUNT && may_send_control(peer)) {
        if (sf_peer_has_control(peer)) {
            due = 0;
        }
        if (out == SF_OUT_DATA) {
            due = sf_mono_min(due, sf_inbox_deadline(peer->inbox));
        }
    }
    if (sf_peer_may_bulk(peer, link->now)) {
        due = sf_mono_min(due, sf_outbox_deadline(peer->outbox));
    }
    return due;
}

sf_mono
sf_peer_deadline(const struct sf_link *link, const struct sf_peer *peer)
{
    sf_mono line = sf_peer_line(link, peer);
    sf_mono due;

    if (sf_peer_is_silent(link, peer, link->now)) {
        return SF_NEVER; /* until the caller says otherwise */
    }
    due = is_dark(peer) ? dark_deadline(peer) : light_deadline(link, peer);
    return due == SF_NEVER || due > line ? due : line;
}
