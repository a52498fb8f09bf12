/*
 * checker_link.c - the invariants of the link: no nonce twice (I6), and no byte
 * to an address that is neither authorised nor proven (I7).
 */
#include "sim/checker.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS_FIRST = 256, DATAGRAM_HEAD_BYTES = 12, LINK_SESSIONS = 3 };

/* --- I6: no key and nonce seal two things; of datagrams ------------------------------------ */

static struct checker_session *
session_place(
    struct checker_session *sessions, size_t room, unsigned from, unsigned to, uint32_t id)
{
    size_t at = (id * 2654435761u + from * 31 + to) & (room - 1);

    while (sessions[at].is_used &&
           !(sessions[at].from == from && sessions[at].to == to && sessions[at].id == id)) {
        at = (at + 1) & (room - 1);
    }
    return &sessions[at];
}

static void
grow_sessions(struct checker *checker)
{
    size_t room = checker->session_room == 0 ? SESSIONS_FIRST : 2 * checker->session_room;
    struct checker_session *sessions = calloc(room, sizeof(*sessions));

    sf_assert(sessions != NULL);
    for (size_t i = 0; i < checker->session_room; i++) {
        const struct checker_session *old = &checker->sessions[i];

        if (old->is_used) {
            *session_place(sessions, room, old->from, old->to, old->id) = *old;
        }
    }
    free(checker->sessions);
    checker->sessions = sessions;
    checker->session_room = room;
}

/*
 * Identifiers are drawn: among thousands of sessions one comes twice now and then, with another key.
 * A link keeps three sessions to a peer, so one with so many after it is gone.
 */
static bool
is_drawn_again(const struct checker *checker, const struct checker_session *session)
{
    size_t later = 0;

    for (size_t i = 0; i < checker->session_room; i++) {
        const struct checker_session *other = &checker->sessions[i];

        later += other->is_used && other->from == session->from && other->to == session->to &&
                 other->born > session->born;
    }
    return later >= LINK_SESSIONS;
}

/* The counter is the nonce; a session has a key of its own. */
static void
check_i6_datagram(struct life *life, const struct sf_world_datagram *datagram)
{
    struct checker *checker = life->checker;
    struct checker_session *session;
    uint32_t id;
    uint64_t counter;

    if (datagram->to == SF_WORLD_NOBODY || datagram->count < DATAGRAM_HEAD_BYTES) {
        return;
    }
    id = sf_get_be32(datagram->bytes);
    counter = sf_get_be64(datagram->bytes + 4);
    if (id == 0) {
        return; /* an opener: its key is fresh */
    }
    if (2 * checker->session_count >= checker->session_room) {
        grow_sessions(checker);
    }
    session =
        session_place(checker->sessions, checker->session_room, datagram->from, datagram->to, id);
    if (session->is_used && counter == 0 && is_drawn_again(checker, session)) {
        session->is_used = false;
        checker->session_count--;
    }
    if (session->is_used && counter <= session->counter) {
        life_fail(life, "I6", "%s used counter %" PRIu64 " of a session twice",
            life->nodes[datagram->from].name, counter);
    }
    if (!session->is_used) {
        session->is_used = true;
        session->born = ++checker->sessions_born;
        checker->session_count++;
    }
    session->from = (uint8_t)datagram->from;
    session->to = (uint8_t)datagram->to;
    session->id = id;
    session->counter = counter;
}

/* --- I7: silence ------------------------------------------------------------------------------ */

static bool
is_authorised(const struct life *life, unsigned number, const struct sf_addr *addr)
{
    for (unsigned i = 0; i < life->node_count; i++) {
        struct sf_addr endpoint = sf_world_addr(i);

        if (life->is_connected[number][i] && !life->nodes[i].is_behind_nat &&
            sf_addr_equal(&endpoint, addr)) {
            return true;
        }
    }
    return false;
}

static struct checker_address *
address_of(struct checker *checker, unsigned number, const struct sf_addr *addr)
{
    struct checker_address *address = checker->addresses;

    while (address < checker->addresses + checker->address_count &&
           !(address->number == number && sf_addr_equal(&address->addr, addr))) {
        address++;
    }
    if (address == checker->addresses + checker->address_count) {
        sf_assert(checker->address_count < CHECKER_ADDRESSES_MAX);
        checker->address_count++;
        *address = (struct checker_address){.number = number, .addr = *addr};
    }
    return address;
}

static void
check_i7_silence(struct life *life, const struct sf_world_datagram *datagram)
{
    struct checker_address *address;

    if (is_authorised(life, datagram->from, &datagram->addr)) {
        return;
    }
    address = address_of(life->checker, datagram->from, &datagram->addr);
    address->bytes_out += datagram->count;
    if (!address->is_proven && address->bytes_out > address->bytes_in) {
        life_fail(life, "I7",
            "%s sent %" PRIu64 " bytes to an address that had brought in %" PRIu64
            " and has proven nothing",
            life->nodes[datagram->from].name, address->bytes_out, address->bytes_in);
    }
}

void
checker_sent(struct life *life, const struct sf_world_datagram *datagram)
{
    check_i6_datagram(life, datagram);
    check_i7_silence(life, datagram);
}

/* Whatever address of its own it was sent to, the one who got it can answer now. */
static void
note_reached(struct checker *checker, unsigned from, unsigned to)
{
    struct sf_addr own = sf_world_addr(to);

    for (size_t i = 0; i < checker->address_count; i++) {
        struct checker_address *address = &checker->addresses[i];

        if (address->number == from && memcmp(address->addr.ip, own.ip, sizeof(own.ip)) == 0) {
            address->is_reached = true;
        }
    }
}

/* Something that may be new to `to` comes from `addr`, perhaps an answer. */
static void
note_heard(struct life *life, unsigned to, const struct sf_addr *addr, size_t count)
{
    struct checker_address *address;

    if (!is_authorised(life, to, addr)) {
        address = address_of(life->checker, to, addr);
        address->bytes_in += count;
        address->is_proven |= address->is_reached;
    }
}

void
checker_arrives(struct life *life, const struct sf_world_datagram *datagram)
{
    if (datagram->from == SF_WORLD_NOBODY) {
        return; /* what it may bring, the attacker says */
    }
    note_heard(life, datagram->to, &datagram->addr, datagram->count);
    note_reached(life->checker, datagram->from, datagram->to);
}

void
checker_replayed(
    struct life *life, unsigned from, unsigned to, const struct sf_addr *addr, size_t count)
{
    note_heard(life, to, addr, count);
    note_reached(life->checker, from, to);
}

void
checker_forgets_addresses(struct life *life, unsigned number)
{
    struct checker *checker = life->checker;
    size_t kept = 0;

    for (size_t i = 0; i < checker->address_count; i++) {
        if (checker->addresses[i].number != number) {
            checker->addresses[kept++] = checker->addresses[i];
        }
    }
    checker->address_count = kept;
}
