/*
 * output.c - a datagram goes out: what it carries, on which session, to where.
 *
 * One datagram at a time, when the pacer allows it: first an opener that is
 * due, then the challenge to a learnt address, then what control has to say
 * together with reports and, where bulk may go, segments behind it.
 */
#include "link/core.h"

#include "base/assert.h"
#include "link/repair.h"

/* --- Messages ---------------------------------------------------------------------- */

/*
 * What names the peer's session that we can decrypt: one to our prekey before one
 * to the static key. Its epoch alone would name that of a forgotten life as well.
 */
static uint64_t
session_heard(const struct sf_peer *peer)
{
    const struct sf_session_in *prekey = NULL;
    const struct sf_session_in *fallback = NULL;

    for (unsigned i = 0; i < SF_SESSION_PER_PEER_MAX; i++) {
        const struct sf_session_in *session = &peer->in[i];

        if (session->state != SF_SESSION_LIVE) {
            continue;
        }
        if (session->is_static) {
            fallback = fallback == NULL || session->epoch > fallback->epoch ? session : fallback;
        } else {
            prekey = prekey == NULL || session->epoch > prekey->epoch ? session : prekey;
        }
    }
    prekey = prekey != NULL ? prekey : fallback;
    return prekey == NULL ? 0 : prekey->epoch ^ prekey->life;
}

void
sf_control_hello(struct sf_link *link, const struct sf_peer *peer, struct sf_message_writer *writer,
    unsigned flags_more)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_HELLO);
    unsigned flags = flags_more;

    if (peer->addresses.use != SF_ADDRESS_ENDPOINT && !sf_peer_has_no_return(peer)) {
        flags |= SF_HELLO_LEARNT;
    }
    sf_message_put_varint(writer, flags);
    sf_message_put_varint(writer, ++link->hello_number);
    sf_message_put_u64(writer, session_heard(peer));
    sf_message_put_varint(writer, 0);
    (void)sf_message_end(writer, begin);
}

void
sf_control_stamp(struct sf_message_writer *writer, sf_mono now)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_STAMP);

    sf_message_put_varint(writer, (uint32_t)(now / SF_US));
    (void)sf_message_end(writer, begin);
}

static void
put_token(struct sf_message_writer *writer, enum sf_message_type type, const uint8_t *token)
{
    size_t begin = sf_message_begin(writer, type);

    sf_message_put_bytes(writer, token, SF_MESSAGE_TOKEN_BYTES);
    (void)sf_message_end(writer, begin);
}

static void
put_number(struct sf_message_writer *writer, enum sf_message_type type, uint64_t number)
{
    size_t begin = sf_message_begin(writer, type);

    sf_message_put_varint(writer, number);
    (void)sf_message_end(writer, begin);
}

static void
put_echo(struct sf_peer *peer, struct sf_message_writer *writer, sf_mono now)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_ECHO);

    sf_message_put_varint(writer, peer->control.stamp);
    sf_message_put_varint(writer, (now - peer->control.stamp_at) / SF_US);
    if (sf_message_end(writer, begin)) {
        peer->control.echo = false;
    }
}

static void
put_card(struct sf_link *link, struct sf_peer *peer, struct sf_message_writer *writer)
{
    size_t begin = sf_message_begin(writer, SF_MESSAGE_CARD);

    sf_message_put_varint(writer, link->card_bytes);
    sf_message_put_bytes(writer, link->card, link->card_bytes);
    (void)sf_message_end(writer, begin);
    peer->control.card = false;
}

/* HELLO and whatever else is waiting. Room for all of it but a card is never lacking. */
static void
put_control(struct sf_link *link, struct sf_peer *peer, bool is_static,
    struct sf_message_writer *writer, sf_mono now)
{
    struct sf_control *control = &peer->control;
    bool is_trusted = peer->addresses.use != SF_ADDRESS_NONE;
    bool is_heard = peer->out[is_static ? SF_OUT_STATIC : SF_OUT_DATA].is_heard;
    bool poll = control->poll || (!is_heard && !sf_peer_has_no_return(peer));
    bool ask = control->ask && !is_static;

    sf_control_hello(link, peer, writer, poll ? SF_HELLO_POLL : 0);
    control->hello = false;
    control->poll = false;
    control->ask = false;
    if (poll) {
        sf_control_stamp(writer, now);
    }
    if (ask) {
        sf_message_put_u8(writer, SF_MESSAGE_ASK);
    }
    if (control->probed) {
        put_number(writer, SF_MESSAGE_PROBED, control->probed_number);
        control->probed = false;
    }
    if (control->answer) {
        put_token(writer, SF_MESSAGE_ANSWER, control->token);
        control->answer = false;
    }
    if (control->echo) {
        put_echo(peer, writer, now);
    }
    if (control->card && is_trusted) {
        put_card(link, peer, writer);
    }
}

/* --- Sending ------------------------------------------------------------------------- */

/* Where a datagram goes, and how large it may be. */
struct leaving {
    enum sf_address_path path;
    struct sf_addr to;
    size_t bytes_max; /* UDP payload */
};

static bool
may_leave(const struct sf_link *link, struct sf_peer *peer, enum sf_address_path path,
    size_t bytes_min, size_t dgram_bytes_max, struct leaving *ret_leaving)
{
    const struct sf_address *address;
    size_t room;

    if (!sf_addresses_may_send(&peer->addresses, path, bytes_min)) {
        return false;
    }
    address = &peer->addresses.paths[path];
    room = sf_peer_mtu_bytes(link, peer, &address->addr);
    room = room < dgram_bytes_max ? room : dgram_bytes_max;
    if (path == SF_ADDRESS_LEARNT && address->in_bytes - address->out_bytes < room) {
        room = (size_t)(address->in_bytes - address->out_bytes);
    }
    if (room < bytes_min) {
        return false;
    }
    *ret_leaving = (struct leaving){.path = path, .to = address->addr, .bytes_max = room};
    return true;
}

/* `session` is NULL for an opener. */
static void
has_left(struct sf_link *link, struct sf_peer *peer, const struct leaving *leaving,
    const struct sf_session_out *session, size_t bytes, sf_mono now)
{
    size_t ip_bytes = bytes + sf_link_ip_head(&leaving->to);

    sf_addresses_sent(&peer->addresses, leaving->path, bytes);
    sf_peer_paced(link, peer, ip_bytes, now);
    if (session == &peer->out[SF_OUT_DATA]) {
        sf_peer_rate_sent(peer, session, ip_bytes, now);
    }
    link->mark = peer->config.mark;
    peer->stats.dgrams_out++;
    peer->stats.bytes_out += ip_bytes;
    peer->sent = now;
}

/* What left wants an answer. */
static void
has_asked(struct sf_peer *peer, sf_mono now)
{
    if (peer->asked == SF_NEVER && peer->state != SF_LINK_STATE_DARK) {
        peer->asked = now;
    }
}

static bool
send_opener(struct sf_link *link, struct sf_peer *peer, const struct leaving *leaving,
    uint8_t *dgram, size_t *ret_bytes, sf_mono now)
{
    struct sf_opening *opening = &peer->opening;
    uint64_t wait = SF_LINK_REPEAT_NS_MIN << (opening->sent < 16 ? opening->sent : 16);
    uint64_t most = sf_peer_round_trip(peer) / 8;
    /* At most a fiftieth of the line. */
    uint64_t least =
        (SF_OPENER_BYTES + SF_LINK_IP6_HEAD_BYTES) * 8 * 50 * SF_SEC / sf_peer_rate_bps(peer);

    memcpy(dgram, opening->dgram, SF_OPENER_BYTES);
    *ret_bytes = SF_OPENER_BYTES;
    most = most > SF_LINK_REPEAT_NS_MAX ? most : SF_LINK_REPEAT_NS_MAX;
    wait = wait < most ? wait : most;
    opening->due = sf_mono_add(now, wait > least ? wait : least);
    opening->sent++;
    if (opening->sent == 1) {
        opening->first = now;
        peer->out[opening->which].opened = now;
    } else if (!sf_peer_has_no_return(peer) && opening->which != SF_OUT_STATIC) {
        /* The opener may be there and only its answer lost: a copy would be ignored. */
        peer->control.poll = true;
    }
    if (opening->has_challenge && leaving->path == SF_ADDRESS_LEARNT) {
        sf_addresses_challenged(&peer->addresses, now);
    }
    peer->stats.openers_out++;
    has_left(link, peer, leaving, NULL, SF_OPENER_BYTES, now);
    has_asked(peer, now);
    return true;
}

/* Seal what `writer` holds; a session that is used up is given up. */
static bool
seal(struct sf_link *link, struct sf_peer *peer, struct sf_session_out *session, uint8_t *dgram,
    const struct sf_message_writer *writer, size_t *ret_bytes, sf_mono now)
{
    uint64_t counter;

    if (sf_session_seal(session, dgram, writer->bytes, &counter) != SF_OK) {
        sf_session_out_fini(session);
        peer->unanswered = 0;
        sf_peer_call(link, peer, now);
        return false;
    }
    *ret_bytes = writer->bytes + SF_SESSION_OVERHEAD_BYTES;
    return true;
}

static bool
send_challenge(struct sf_link *link, struct sf_peer *peer, enum sf_out out,
    const struct leaving *leaving, uint8_t *dgram, size_t *ret_bytes, sf_mono now)
{
    struct sf_message_writer writer;

    sf_message_writer_init(
        &writer, dgram + SF_SESSION_HEAD_BYTES, leaving->bytes_max - SF_SESSION_OVERHEAD_BYTES);
    sf_control_hello(link, peer, &writer, 0);
    put_token(&writer, SF_MESSAGE_CHALLENGE, peer->addresses.token);
    if (!seal(link, peer, &peer->out[out], dgram, &writer, ret_bytes, now)) {
        return false;
    }
    sf_addresses_challenged(&peer->addresses, now);
    has_left(link, peer, leaving, &peer->out[out], *ret_bytes, now);
    return true;
}

/*
 * A datagram of a size that is on trial: nothing of it would be missed. It asks
 * for no other answer than that it came, and is counted by nobody: that it is
 * lost says nothing of the line.
 */
static bool
send_probe(struct sf_link *link, struct sf_peer *peer, struct leaving *leaving, size_t probe_bytes,
    uint8_t *dgram, size_t *ret_bytes, sf_mono now)
{
    struct sf_message_writer writer;

    leaving->bytes_max = probe_bytes;
    sf_message_writer_init(
        &writer, dgram + SF_SESSION_HEAD_BYTES, probe_bytes - SF_SESSION_OVERHEAD_BYTES);
    put_number(&writer, SF_MESSAGE_PROBE, ++peer->probe_number);
    memset(writer.data + writer.bytes, SF_MESSAGE_PADDING, sf_message_room(&writer));
    writer.bytes = writer.bytes_max;
    if (!seal(link, peer, &peer->out[SF_OUT_DATA], dgram, &writer, ret_bytes, now)) {
        return false;
    }
    sf_peer_mtu_probed(link, peer, &leaving->to, now);
    has_left(link, peer, leaving, NULL, *ret_bytes, now);
    return true;
}

/*
 * A stamp now and then, on a slow line once in so many datagrams. Returns
 * whether it was time for one.
 */
static bool
put_stamp(struct sf_peer *peer, struct sf_message_writer *writer, sf_mono now)
{
    uint64_t bits = (uint64_t)SF_LINK_STAMP_DGRAMS * SF_LINK_MTU_DEFAULT * 8;
    uint64_t gap = bits * SF_SEC / peer->pacer.rate_bps;

    if (now < peer->stamp_due) {
        return false;
    }
    gap = gap > SF_LINK_STAMP_NS_MIN ? gap : SF_LINK_STAMP_NS_MIN;
    gap = gap > peer->rtt.srtt_ns / 4 ? gap : peer->rtt.srtt_ns / 4;
    sf_control_stamp(writer, now);
    peer->stamp_due = sf_mono_add(now, gap);
    return true;
}

/*
 * Segments, rows and what belongs to them; false if there is nothing. Segments
 * are all of one size, which leaves no room for a stamp: that goes before them.
 */
static bool
put_bulk(struct sf_peer *peer, struct sf_message_writer *writer, uint64_t counter, sf_mono now)
{
    size_t before = writer->bytes;
    sf_mono stamp_due = peer->stamp_due;
    bool had_echo = peer->control.echo;
    bool is_stamped = sf_outbox_deadline(peer->outbox) <= now && put_stamp(peer, writer, now);
    bool is_filled;

    if (is_stamped && had_echo) {
        put_echo(peer, writer, now);
    }
    sf_outbox_set_covered(peer->outbox, sf_peer_is_covered(peer));
    sf_outbox_set_rate(peer->outbox, peer->pacer.rate_bps);
    sf_outbox_set_contact_end(peer->outbox, sf_peer_contact_end(peer));
    is_filled = sf_outbox_fill(peer->outbox, writer, counter, now);
    if (!is_filled && (!is_stamped || sf_outbox_deadline(peer->outbox) > now)) {
        peer->stamp_due = stamp_due; /* there is nothing to go with it */
        peer->control.echo = had_echo;
        writer->bytes = before;
        return false;
    }
    sf_peer_bulk_sent(peer, now);
    return true;
}

/* The room for messages in a datagram of bulk: of one size if it is covered. */
static size_t
room_for_bulk(const struct sf_peer *peer, const struct leaving *leaving)
{
    size_t room = leaving->bytes_max - SF_SESSION_OVERHEAD_BYTES;
    size_t whole = SF_OBJECT_REPAIR_HEAD_MAX + SF_REPAIR_SYMBOL_BYTES_MAX;

    return sf_peer_is_covered(peer) && room > whole ? whole : room;
}

/* PADDING up to the size that all have. */
static void
pad(struct sf_message_writer *writer)
{
    memset(writer->data + writer->bytes, SF_MESSAGE_PADDING, sf_message_room(writer));
    writer->bytes = writer->bytes_max;
}

/* Control, reports and segments in one datagram; false if there was nothing to say. */
static bool
send_messages(struct sf_link *link, struct sf_peer *peer, enum sf_out out, bool has_control,
    bool has_bulk, const struct leaving *leaving, uint8_t *dgram, size_t *ret_bytes, sf_mono now)
{
    struct sf_session_out *session = &peer->out[out];
    struct sf_message_writer writer;
    bool wants_answer = peer->control.poll && has_control;
    bool has_said = has_control;

    sf_message_writer_init(&writer, dgram + SF_SESSION_HEAD_BYTES, room_for_bulk(peer, leaving));
    if (has_control) {
        put_control(link, peer, out == SF_OUT_STATIC, &writer, now);
    }
    if (out == SF_OUT_DATA && sf_inbox_deadline(peer->inbox) <= now &&
        peer->state != SF_LINK_STATE_DARK) {
        struct sf_control control = peer->control;

        if (!has_said) {
            put_control(link, peer, false, &writer, now); /* reports never go without a HELLO */
        }
        if (sf_inbox_fill(peer->inbox, &writer, now)) {
            put_stamp(peer, &writer, now); /* whoever only receives learns the round trip as well */
            has_said = true;
        } else if (!has_said) {
            peer->control = control;
            writer.bytes = 0;
        }
    }
    if (has_bulk && put_bulk(peer, &writer, session->counter, now)) {
        has_said = true;
        wants_answer = true;
    }
    if (has_said && has_bulk && sf_peer_is_covered(peer)) {
        pad(&writer);
    }
    if (!has_said || !seal(link, peer, session, dgram, &writer, ret_bytes, now)) {
        return false;
    }
    has_left(link, peer, leaving, session, *ret_bytes, now);
    if (wants_answer) {
        has_asked(peer, now);
    }
    return true;
}

static bool
send_filler(struct sf_link *link, struct sf_peer *peer, const struct leaving *leaving,
    uint8_t *dgram, size_t *ret_bytes, sf_mono now)
{
    struct sf_session_out *session = &peer->out[SF_OUT_DATA];
    size_t ip_bytes = leaving->bytes_max + sf_link_ip_head(&leaving->to);
    struct sf_message_writer writer;
    size_t segment_bytes;

    sf_message_writer_init(&writer, dgram + SF_SESSION_HEAD_BYTES, room_for_bulk(peer, leaving));
    if (!sf_peer_cover_fits(peer, ip_bytes)) {
        return false;
    }
    sf_outbox_set_covered(peer->outbox, sf_peer_is_covered(peer));
    if (put_stamp(peer, &writer, now) && peer->control.echo) {
        put_echo(peer, &writer, now);
    }
    segment_bytes = sf_outbox_filler(peer->outbox, &writer, session->counter, now);
    if (segment_bytes == 0 || !seal(link, peer, session, dgram, &writer, ret_bytes, now)) {
        return false;
    }
    sf_peer_bulk_sent(peer, now);
    sf_peer_cover_sent(peer, segment_bytes, *ret_bytes + sf_link_ip_head(&leaving->to));
    has_left(link, peer, leaving, session, *ret_bytes, now);
    has_asked(peer, now);
    return true;
}

/* A key that has been used long enough makes way while it still works. */
static void
renew(struct sf_link *link, struct sf_peer *peer, sf_mono now)
{
    const struct sf_session_out *data = &peer->out[SF_OUT_DATA];
    bool is_due = now >= sf_mono_add(data->opened, SF_SESSION_REKEY_NS) ||
                  data->counter >= SF_SESSION_COUNTER_LIMIT / 2;

    if (data->is_open && data->is_heard && is_due && !peer->opening.is_on &&
        peer->state != SF_LINK_STATE_DARK) {
        peer->unanswered = 0;
        sf_peer_call(link, peer, now);
    }
}

/* A datagram of this peer, whose line is free. */
static bool
send_next(struct sf_link *link, struct sf_peer *peer, struct sf_addr *ret_to, uint8_t *dgram,
    size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now)
{
    struct sf_addresses *addresses = &peer->addresses;
    struct leaving leaving;
    bool has_control, has_bulk;
    size_t probe_bytes;
    enum sf_out out;

    sf_peer_tick(link, peer, now);
    if (now >= sf_peer_opener_due(peer)) {
        sf_peer_look_around(peer, now);
    }
    if (now >= sf_peer_opener_due(peer) && may_leave(link, peer, sf_peer_opener_path(peer),
                                               SF_OPENER_BYTES, dgram_bytes_max, &leaving)) {
        *ret_to = leaving.to;
        return send_opener(link, peer, &leaving, dgram, ret_bytes, now);
    }
    out = sf_peer_control_out(peer);
    if (now >= sf_peer_challenge_due(peer) &&
        may_leave(link, peer, SF_ADDRESS_LEARNT, SF_LINK_CONTROL_ROOM, dgram_bytes_max, &leaving)) {
        *ret_to = leaving.to;
        return send_challenge(link, peer, out, &leaving, dgram, ret_bytes, now);
    }
    probe_bytes = sf_peer_mtu_probe(link, peer, now);
    if (probe_bytes != 0 && probe_bytes <= dgram_bytes_max &&
        may_leave(link, peer, addresses->use, SF_LINK_CONTROL_ROOM, dgram_bytes_max, &leaving)) {
        *ret_to = leaving.to;
        return send_probe(link, peer, &leaving, probe_bytes, dgram, ret_bytes, now);
    }
    has_control = out != SF_OUT_COUNT && sf_peer_has_control(peer);
    has_bulk = sf_peer_may_bulk(peer, now);
    if (out == SF_OUT_STATIC && has_control) {
        has_bulk = false; /* bulk goes on the next datagram, on its own session */
    } else if (peer->control.ask) {
        has_bulk = false; /* the question goes alone: it must be small, to come through */
    } else if (has_bulk) {
        out = SF_OUT_DATA;
    }
    if (out == SF_OUT_COUNT || !may_leave(link, peer, sf_addresses_control(addresses),
                                   SF_LINK_CONTROL_ROOM, dgram_bytes_max, &leaving)) {
        return false;
    }
    *ret_to = leaving.to;
    if (!send_messages(link, peer, out, has_control, has_bulk, &leaving, dgram, ret_bytes, now)) {
        return false;
    }
    renew(link, peer, now);
    return true;
}

/* Is there anything to send that only waits for the line? */
static bool
is_line_awaited(const struct sf_link *link, const struct sf_peer *peer, sf_mono now)
{
    return sf_peer_may_bulk(peer, now) &&
           (sf_outbox_deadline(peer->outbox) <= now || sf_peer_cover_is_due(link, peer, now));
}

bool
sf_output_peer(struct sf_link *link, struct sf_peer *peer, struct sf_addr *ret_to, uint8_t *dgram,
    size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now)
{
    if (sf_peer_line(link, peer) > now) {
        if (is_line_awaited(link, peer, now)) {
            sf_peer_line_awaited(link, peer);
        }
        return false;
    }
    if (sf_peer_is_silent(link, peer, now) ||
        !send_next(link, peer, ret_to, dgram, dgram_bytes_max, ret_bytes, now)) {
        if (!sf_peer_cover_is_due(link, peer, now)) {
            sf_peer_line_idle(link, peer);
        }
        return false;
    }
    return true;
}

bool
sf_output_filler(struct sf_link *link, struct sf_peer *peer, struct sf_addr *ret_to, uint8_t *dgram,
    size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now)
{
    struct leaving leaving;

    if (!sf_peer_cover_is_due(link, peer, now) || sf_peer_line(link, peer) > now ||
        !may_leave(link, peer, sf_addresses_control(&peer->addresses), SF_LINK_CONTROL_ROOM,
            dgram_bytes_max, &leaving) ||
        !send_filler(link, peer, &leaving, dgram, ret_bytes, now)) {
        return false;
    }
    *ret_to = leaving.to;
    renew(link, peer, now);
    return true;
}
