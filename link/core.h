/*
 * core.h - what the files that make up the engine share; nobody else's.
 *
 *   link.c    the public functions, and events
 *   peer.c          one peer: what there is to do for it, and when
 *   peer_session.c  its outgoing sessions: opening, being named, taking over
 *   peer_silence.c  when it does not answer: the quiet, the dark, beacons
 *   peer_stale.c    what two ends tell each other of starts: states put back, copies
 *   peer_contact.c  when a contact plan lets it be sent to
 *   peer_cover.c    filler, which stands for bulk where there is none
 *   peer_mtu.c      how large they may be
 *   peer_rate.c     how fast datagrams leave towards it
 *   input.c         a datagram comes in
 *   output.c        a datagram goes out
 *
 * Each peer has up to three outgoing sessions: DATA carries everything; NEXT
 * is opened to take over and does so once the peer has named it; STATIC is the
 * fallback to the peer's static key, when its prekey on our card may be gone.
 * At most one of them is being opened at a time.
 */
#ifndef SF_LINK_CORE_H
#define SF_LINK_CORE_H

#include "base/crypto.h"
#include "link/address.h"
#include "link/flood.h"
#include "link/inbox.h"
#include "link/link.h"
#include "link/message.h"
#include "link/opener.h"
#include "link/outbox.h"
#include "link/pacer.h"
#include "link/path_mtu.h"
#include "link/pool.h"
#include "link/rate.h"
#include "link/report.h"
#include "link/rtt.h"
#include "link/session.h"

enum {
    SF_LINK_LIVES_PAST = 4,      /* lives of a peer that are remembered */
    SF_LINK_HELD_MAX = 192,      /* datagrams kept while an epoch becomes durable... */
    SF_LINK_HELD_DATA_MAX = 128, /* ...of these no openers: one peer must not shut out others */
    SF_LINK_HELD_BYTES = 2048,   /* longer ones are not kept */
    SF_LINK_IP4_HEAD_BYTES = 28, /* IP and UDP */
    SF_LINK_IP6_HEAD_BYTES = 48,
    SF_LINK_CONTROL_ROOM =
        96, /* UDP bytes of the largest control datagram without card or report */
    SF_LINK_STAMP_DGRAMS = 128,   /* between two stamps, by line time */
    SF_LINK_OPENERS_FIRST = 3,    /* sent before bulk when nobody will say that one was heard */
    SF_LINK_PATHS_MAX = 8,        /* addresses of a peer whose largest datagram is remembered */
    SF_LINK_HANDLE_PEER_BITS = 6, /* a handle: sequence, then the peer's number */
    SF_LINK_HANDLE_SEQUENCES = (SF_OBJECT_HANDLE_MAX + 1) >> SF_LINK_HANDLE_PEER_BITS,
};

#define SF_LINK_ANSWER_NS_MIN     SF_SEC         /* then an opener counts as unanswered */
#define SF_LINK_BUDGET_NS_MIN     (2 * SF_SEC)   /* sending without an answer */
#define SF_LINK_QUIET_NS_MIN      (200 * SF_MS)  /* without a report while segments go */
#define SF_LINK_GAP_FADES_NS      (10 * SF_SEC)  /* a silence is remembered for about so long */
#define SF_LINK_QUIET_POLL_NS     (100 * SF_MS)  /* between the questions that take its place */
#define SF_LINK_RUN_NS            (100 * SF_MS)  /* a longer pause ends a run of segments */
#define SF_LINK_REPEAT_NS_MIN     (100 * SF_MS)  /* the same opener again; doubles */
#define SF_LINK_REPEAT_NS_MAX     SF_SEC         /* or an eighth of the round trip */
#define SF_LINK_TAKE_OVER_NS      (4 * SF_SEC)   /* well before the peer drops the old session */
#define SF_LINK_BEACON_NS_MIN     (250 * SF_MS)  /* in the dark; grows by a sixth */
#define SF_LINK_BEACON_NS_MAX     (4 * SF_SEC)   /* while there is something to send */
#define SF_LINK_BEACON_NS_CONTACT SF_SEC         /* the same within a planned contact */
#define SF_LINK_RARE_NS_MIN       (900 * SF_SEC) /* after the plan has ended */
#define SF_LINK_RARE_NS_MAX       (3600 * SF_SEC)
#define SF_LINK_KEEPALIVE_NS      (25 * SF_SEC) /* and between beacons of an idle peer */
#define SF_LINK_NO_RETURN_OPEN_NS (10 * SF_SEC) /* a new opener where nothing comes back */
#define SF_LINK_STALE_NS          SF_SEC        /* between two STALE to one peer */
#define SF_LINK_STAMP_NS_MIN      (25 * SF_MS)  /* between two stamps */
#define SF_LINK_PROBE_NS_MIN      (100 * SF_MS) /* a larger datagram on trial is not lost before */
#define SF_LINK_LOST_NS_MIN       (250 * SF_MS) /* a session just opened is not yet lost */

enum sf_hello_flags {
    SF_HELLO_POLL = 1,   /* say HELLO soon */
    SF_HELLO_LEARNT = 2, /* your address was learnt from you: keep the path alive */
};

enum sf_out {
    SF_OUT_DATA,
    SF_OUT_NEXT,
    SF_OUT_STATIC,
    SF_OUT_COUNT,
};

/* The opener that is out and was not heard yet. */
struct sf_opening {
    bool is_on;
    bool has_challenge; /* it carries the challenge of the learnt address */
    enum sf_out which;
    unsigned sent;
    sf_mono first; /* when it was made */
    sf_mono due;   /* when it goes again */
    uint8_t dgram[SF_OPENER_BYTES];
};

/* What the next control datagram must carry. */
struct sf_control {
    bool hello;
    bool poll;
    bool answer;
    bool card;
    bool ask;    /* with a poll: what came of the segments */
    bool probed; /* a probe came in: its number is to be said */
    bool echo;   /* goes along, is never a reason to send */
    uint64_t probed_number;
    uint8_t token[SF_MESSAGE_TOKEN_BYTES];
    uint32_t stamp;
    sf_mono stamp_at; /* when `stamp` came in */
};

enum sf_peer_notice {
    SF_NOTICE_UP = 1,
    SF_NOTICE_DOWN = 2,
    SF_NOTICE_ADDRESS = 4,
    SF_NOTICE_EPOCH = 8,
    SF_NOTICE_STALE = 16,
    SF_NOTICE_CARD = 32,
    SF_NOTICE_MISMATCH = 64,
    SF_NOTICE_OUTSIDE = 128,
    SF_NOTICE_NARROW = 256,
    SF_NOTICE_LIFE = 512,
};

/* An address the peer was reached at, and what its path takes. */
struct sf_peer_path {
    struct sf_addr addr;
    uint64_t used; /* when, among all uses; 0 = nothing is here */
    struct sf_path_mtu mtu;
};

struct sf_peer {
    unsigned number;
    struct sf_link_peer config;
    struct sf_hmac mac_key; /* of openers to it */
    struct sf_noise_shared shared;
    struct sf_addresses addresses;
    struct sf_peer_path paths[SF_LINK_PATHS_MAX];
    uint64_t path_uses;
    uint64_t probe_number; /* of the last probe */
    struct sf_pacer pacer;
    struct sf_rate *rate; /* used where the rate is found */
    struct sf_rtt rtt;
    struct sf_outbox *outbox;
    struct sf_inbox *inbox;
    struct sf_link_cover cover; /* what is left of it */

    /* Outgoing. */
    struct sf_session_out out[SF_OUT_COUNT];
    struct sf_opening opening;
    unsigned unanswered;   /* openers in a row that nobody heard */
    uint64_t epoch_last;   /* of our newest opener */
    sf_mono calling;       /* since when no session of ours is heard; SF_NEVER if one is */
    struct sf_lives lives; /* of ours, as it is shown them */
    bool is_jumping;       /* the boot of `epoch_last` is not durable yet: nothing is opened */
    struct sf_control control;
    sf_mono stamp_due;
    sf_mono stale_sent;
    unsigned stale_due; /* openers that are to say STALE although there is nothing else to say */
    sf_mono jumped;     /* when a peer's word last made it jump; 0: never */

    /* Incoming. */
    struct sf_session_in in[SF_SESSION_PER_PEER_MAX];
    uint64_t epoch_seen;                     /* highest accepted, durable or not, */
    uint64_t life_seen;                      /* ... and its life */
    uint64_t lives_past[SF_LINK_LIVES_PAST]; /* that it had before in this run; 0 = none */
    uint64_t epoch_refused, life_refused;    /* of the last opener that did not follow */
    uint64_t newest_epoch, newest_counter;   /* of the newest datagram; its source counts */
    uint32_t hello_boot; /* with the next, orders its HELLOs: one that was overtaken is ignored */
    uint64_t hello_number;

    /* What the contact plan says. */
    struct sf_link_reach reach;
    struct sf_link_reach path; /* whose endpoint rtt and proven address belong to */
    bool is_outside_told;      /* in this silence */
    sf_mono reach_heard;       /* first authentic datagram of this contact; 0 = none */

    /* Whether it answers. */
    enum sf_link_state state;
    sf_mono heard;      /* last authentic datagram; 0 = never */
    sf_mono asked;      /* first datagram since then that wants an answer; SF_NEVER if none */
    sf_mono sent;       /* last datagram to it */
    sf_mono bulk_since; /* since then segments go without a longer pause */
    sf_mono bulk_sent;  /* the last of them; 0 = none */
    uint64_t gap_ns;    /* between its datagrams while segments go: the longest, fading */
    sf_mono quiet_poll; /* when it is asked next */
    bool keepalive;     /* it asked us to keep the path alive */
    bool was_named;     /* it named a session of ours in this run: it was reached */
    sf_mono beacon_due; /* in the dark */
    uint64_t beacon_wait;
    unsigned beacons;

    /* Objects on offer that the peer does not have in whole; handles. */
    uint32_t open_objects[SF_LINK_OBJECTS_MAX];
    size_t open_object_count;
    uint32_t sequence;                             /* of the handle given last */
    uint8_t handles[SF_LINK_HANDLE_SEQUENCES / 8]; /* bits: sequences in use */

    /* Events not yet pulled. */
    unsigned notices; /* enum sf_peer_notice */
    uint64_t stale_epoch;
    bool is_stale_copy;
    unsigned life_news; /* enum sf_link_news, bits */
    size_t card_bytes;
    uint8_t card[SF_LINK_CARD_BYTES_MAX];

    struct {
        uint64_t dgrams_out, bytes_out, dgrams_in, bytes_in, openers_out, openers_in;
        uint64_t cover_bytes, cover_segment_bytes;
    } stats;
};

/* A decrypted datagram of a session whose epoch is not durable yet. */
struct sf_held {
    unsigned peer;
    bool is_opener;
    uint64_t epoch;
    uint64_t counter;
    struct sf_addr from;
    size_t dgram_bytes;
    uint32_t prekey_known; /* openers */
    size_t plain_bytes;
};

struct sf_link {
    struct sf_fingerprint fingerprint;
    uint8_t *static_sk; /* in guarded memory */
    uint8_t static_pk[32];
    struct sf_hmac mac_key; /* of openers to us */
    bool (*prekey)(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32]);
    void *context;
    const struct sf_random *random;
    struct sf_lives lives;
    uint32_t session_number;
    uint64_t hello_number; /* of the last HELLO written to anybody */
    size_t mtu;            /* IP bytes: the most that is tried */
    size_t mtu_blind;      /* IP bytes where nobody can say what came through */
    uint64_t burst_ns;
    struct sf_pacer limits[SF_LINK_LIMITS_MAX];
    uint32_t limits_on; /* bits */
    uint32_t mark;      /* of the peer that was sent to last */
    sf_mono now;        /* the latest given */

    uint8_t card[SF_LINK_CARD_BYTES_MAX];
    size_t card_bytes;
    uint32_t card_prekey;

    struct sf_pool *pool;
    struct sf_peer *peers[SF_LINK_PEERS_MAX];
    unsigned peer_end;    /* none has this number or a higher one: every datagram walks them */
    unsigned output_next; /* peer whose turn it is */
    unsigned event_next;
    struct sf_peer *came_from; /* whose datagram was taken in last; NULL if it was not */
    struct sf_session_table sessions;
    struct sf_flood flood;

    struct sf_held held[SF_LINK_HELD_MAX];
    size_t held_count;
    uint8_t *held_plain; /* SF_LINK_HELD_MAX slots of SF_LINK_HELD_BYTES */
    uint8_t scratch[SF_LINK_DGRAM_BYTES_MAX];

    struct sf_link_stats stats;
};

static inline size_t
sf_link_ip_head(const struct sf_addr *addr)
{
    return sf_addr_is_v4(addr) ? SF_LINK_IP4_HEAD_BYTES : SF_LINK_IP6_HEAD_BYTES;
}

/* --- peer_contact.c ------------------------------------------------------------ */

/* Of the contact, or, without one, of the peer: rate, round trip, where it is, what comes back. */
uint64_t sf_peer_rate_bps(const struct sf_peer *peer);
uint64_t sf_peer_planned_rtt_ns(const struct sf_peer *peer);
bool sf_peer_has_endpoint(const struct sf_peer *peer);
bool sf_peer_has_no_return(const struct sf_peer *peer);

/* When the contact that is on ends; SF_NEVER if none is planned. */
sf_mono sf_peer_contact_end(const struct sf_peer *peer);

/* Does the plan forbid to send now? Then nothing is due either. */
bool sf_peer_is_silent(const struct sf_link *link, const struct sf_peer *peer, sf_mono now);

/* It was heard: may that end its darkness? Not between contacts, nor by what was under way. */
bool sf_peer_may_wake(struct sf_peer *peer, sf_mono now);

/* In the dark: how long before the first beacon, and at most between two. */
uint64_t sf_peer_beacon_first_ns(const struct sf_peer *peer);
uint64_t sf_peer_beacon_most_ns(const struct sf_peer *peer);

/* Bring pacer, address and round trip in line with config and contact. */
void sf_peer_apply_reach(struct sf_peer *peer);

void sf_peer_set_reach(
    struct sf_link *link, struct sf_peer *peer, const struct sf_link_reach *reach, sf_mono now);

/* --- peer_rate.c --------------------------------------------------------------- */

/* Its config or its contact changed; it was paced as `before` says. */
void sf_peer_apply_rate(struct sf_peer *peer, enum sf_link_pace before);

/* A datagram of `session` left: the one before its counter. */
void sf_peer_rate_sent(
    struct sf_peer *peer, const struct sf_session_out *session, size_t ip_bytes, sf_mono now);

/* A new report came. */
void sf_peer_rate_report(struct sf_peer *peer, const struct sf_report *report, sf_mono now);

/* It is heard after a silence, or at another address: what was sent before tells nothing. */
void sf_peer_rate_resume(struct sf_peer *peer);

/* When its line, and all limits it shares, are free again. */
sf_mono sf_peer_line(const struct sf_link *link, const struct sf_peer *peer);

/* There is a datagram for it that only waits for that; there is none. */
void sf_peer_line_awaited(struct sf_link *link, struct sf_peer *peer);
void sf_peer_line_idle(struct sf_link *link, struct sf_peer *peer);

/* `ip_bytes` went to it. */
void sf_peer_paced(struct sf_link *link, struct sf_peer *peer, size_t ip_bytes, sf_mono now);

void sf_peer_rate_stats(
    const struct sf_link *link, const struct sf_peer *peer, struct sf_link_peer_stats *stats);

/* --- peer_cover.c -------------------------------------------------------------- */

/* Is there a budget? Then datagrams are of one size, and the peer is called as if there was work. */
bool sf_peer_is_covered(const struct sf_peer *peer);

/* May filler go now, if nothing else does and the line is free? */
bool sf_peer_cover_is_due(const struct sf_link *link, const struct sf_peer *peer, sf_mono now);

/* May one datagram of `ip_bytes` go? A budget that is too small for it is used up. */
bool sf_peer_cover_fits(struct sf_peer *peer, size_t ip_bytes);

/* It went, in the place of `segment_bytes` of a segment. */
void sf_peer_cover_sent(struct sf_peer *peer, size_t segment_bytes, size_t ip_bytes);

void sf_peer_cover_stats(const struct sf_peer *peer, struct sf_link_peer_stats *stats);

/* --- peer_mtu.c ---------------------------------------------------------------- */

/* UDP payload of the largest datagram that the path to `addr` is known to take. */
size_t sf_peer_mtu_bytes(
    const struct sf_link *link, struct sf_peer *peer, const struct sf_addr *addr);

/* When the path that bulk takes has a probe to send, or one to give up; SF_NEVER: not now. */
sf_mono sf_peer_mtu_due(const struct sf_link *link, const struct sf_peer *peer);

/* UDP payload of the probe that is to go there now; 0 = none. It left as `probe_number`. */
size_t sf_peer_mtu_probe(const struct sf_link *link, struct sf_peer *peer, sf_mono now);
void sf_peer_mtu_probed(
    const struct sf_link *link, struct sf_peer *peer, const struct sf_addr *addr, sf_mono now);

/* The peer says that probe `number` came through. */
void sf_peer_mtu_answered(struct sf_peer *peer, uint64_t number, sf_mono now);

/* Bulk is under way and nothing comes back: the path may take less than it did. */
void sf_peer_mtu_doubt(struct sf_peer *peer, sf_mono now);

/* A report was taken in: it tells whether datagrams of the size in use come through. */
void sf_peer_mtu_report(const struct sf_link *link, struct sf_peer *peer, sf_mono now);

/* The own host refused a datagram of `bytes` to `addr` as too large. */
void sf_peer_mtu_refused(
    struct sf_peer *peer, const struct sf_addr *addr, size_t bytes, sf_mono now);

void sf_peer_mtu_stats(
    const struct sf_link *link, const struct sf_peer *peer, struct sf_link_peer_stats *stats);

/* --- peer.c ------------------------------------------------------------------- */

/* Measured, or by the contact plan; 0 = not known. */
uint64_t sf_peer_round_trip(const struct sf_peer *peer);

/* Line time of an opener: on a slow line waiting begins when it has left. */
uint64_t sf_peer_opener_ns(const struct sf_peer *peer);

/* How long an opener may stay unanswered, and how long bulk may. */
uint64_t sf_peer_answer_ns(const struct sf_peer *peer);
uint64_t sf_peer_budget_ns(const struct sf_peer *peer);

static inline bool
sf_peer_is_dark(const struct sf_peer *peer)
{
    return peer->state == SF_LINK_STATE_DARK;
}

/* Is there an address for it at which it was proven or authorised to be? */
static inline bool
sf_peer_is_trusted(const struct sf_peer *peer)
{
    return peer->addresses.use != SF_ADDRESS_NONE;
}

/* Are there objects, or words about them, that wait to go to it? */
bool sf_peer_has_work(const struct sf_peer *peer);

/* Has it to be reached although there is nothing to send? */
bool sf_peer_must_be_reached(const struct sf_peer *peer);

/* Is there anything in `control` that may go on the path in use? */
bool sf_peer_has_control(const struct sf_peer *peer);

/* May bulk go to the peer now? */
bool sf_peer_may_bulk(const struct sf_peer *peer, sf_mono now);

/* When the learnt address is to be challenged on a session of its own; SF_NEVER if it is not. */
sf_mono sf_peer_challenge_due(const struct sf_peer *peer);

/* Let time pass: go dark, give up an opener, open what is needed, plan beacons. */
void sf_peer_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now);

/* When something is to be sent to the peer, or tick has something to do. */
sf_mono sf_peer_deadline(const struct sf_link *link, const struct sf_peer *peer);

/* --- peer_session.c ------------------------------------------------------------ */

/* Make a new opener now. */
void sf_peer_call(struct sf_link *link, struct sf_peer *peer, sf_mono now);

/* The newest HELLO names the session of ours whose epoch, XOR its life, is `heard` (0 = none). */
void sf_peer_named(struct sf_link *link, struct sf_peer *peer, uint64_t heard, sf_mono now);

/* The session that control datagrams go on; SF_OUT_COUNT if none is open. */
enum sf_out sf_peer_control_out(const struct sf_peer *peer);

/* When the opener that is out is to be sent (again); SF_NEVER if it is not. */
sf_mono sf_peer_opener_due(const struct sf_peer *peer);

/* Where it goes. */
enum sf_address_path sf_peer_opener_path(const struct sf_peer *peer);

/* The opener goes again: to the next of several endpoints, if the last did not answer. */
void sf_peer_look_around(struct sf_peer *peer, sf_mono now);

/* In the light: give up an opener, open what is needed, let a session take over; and when. */
void sf_peer_session_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now);
sf_mono sf_peer_session_deadline(const struct sf_peer *peer);

/* --- peer_silence.c ------------------------------------------------------------ */

/* Segments left at `now`. */
void sf_peer_bulk_sent(struct sf_peer *peer, sf_mono now);

/* An authentic datagram came: it is not dark. */
void sf_peer_wake(struct sf_peer *peer, sf_mono now);

/* Reports have stopped while segments went: bulk pauses, and questions take its place. */
bool sf_peer_is_quiet(const struct sf_peer *peer, sf_mono now);
void sf_peer_quiet_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now);
sf_mono sf_peer_quiet_deadline(const struct sf_peer *peer, sf_mono now);

/* Nothing more goes out, and time stands still, until a contact or a beacon. */
void sf_peer_go_silent(struct sf_peer *peer, sf_mono now);

/* Go dark, or, in the dark, put out the next beacon; and when. */
void sf_peer_dark_tick(struct sf_link *link, struct sf_peer *peer, sf_mono now);
sf_mono sf_peer_dark_deadline(const struct sf_peer *peer);

/* A contact begins: forget the dark and call. */
void sf_peer_contact(struct sf_link *link, struct sf_peer *peer, sf_mono now);

/* --- peer_stale.c -------------------------------------------------------------- */

/* Something was noticed of copies; an event says so. */
void sf_peer_news(struct sf_peer *peer, enum sf_link_news news);

/* What STALE says. */
struct sf_stale {
    uint64_t epoch; /* the highest of ours that the peer has seen, */
    uint64_t life;  /* ... which was of this life; 0: whichever */
    uint64_t epoch_refused;
    uint64_t life_refused;
};

/* If that is no start that we know of: jump above it, and wait until that is durable. */
void sf_peer_stale(struct sf_peer *peer, const struct sf_stale *stale, sf_mono now);

/* A boot counter of `boot` is durable: open anew, if that was waited for. */
void sf_peer_boot_durable(struct sf_link *link, struct sf_peer *peer, uint32_t boot, sf_mono now);

/* Tell the peer, in an opener, what we have seen of it. */
void sf_peer_tell_stale(struct sf_link *link, struct sf_peer *peer, sf_mono now);

/* What an opener made now is to say of that, if anything. */
void sf_peer_stale_put(struct sf_peer *peer, struct sf_message_writer *writer);

/* --- messages of the outer half; output.c, used for openers too ------------------ */

void sf_control_hello(struct sf_link *link, const struct sf_peer *peer,
    struct sf_message_writer *writer, unsigned flags_more);
void sf_control_stamp(struct sf_message_writer *writer, sf_mono now);

/* --- input.c ------------------------------------------------------------------- */

/* Let go of sessions that lived on long enough. */
void sf_input_expire(struct sf_link *link, struct sf_peer *peer, sf_mono now);

/* Sessions with epochs up to `epoch` may be used; then what was held is taken in. */
void sf_input_durable(struct sf_link *link, struct sf_peer *peer, uint64_t epoch, sf_mono now);

/* Forget held datagrams of the peer, of `epoch` or (0) all. */
void sf_input_forget(struct sf_link *link, unsigned peer, uint64_t epoch);

/* --- output.c ------------------------------------------------------------------ */

/* Build the next datagram to `peer` that may leave at `now`. */
bool sf_output_peer(struct sf_link *link, struct sf_peer *peer, struct sf_addr *ret_to,
    uint8_t *dgram, size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now);

/* Build one of filler, after nobody had anything else. */
bool sf_output_filler(struct sf_link *link, struct sf_peer *peer, struct sf_addr *ret_to,
    uint8_t *dgram, size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now);

#endif
