/*
 * link.h - the datagram engine: moves arrays of bundles to peers over paths
 * that lose, repeat, reorder and go dark.
 *
 * One `struct sf_link` per node holds all its peers, sessions and objects. It
 * is sans-I/O: datagrams, time and answers come in as arguments; datagrams and
 * events are pulled out. It never reads a clock, a socket or a disk, and never
 * calls back, but for the one look-up of a secret key named in the config.
 *
 * The driver's loop, after anything that may have changed something:
 *
 *     while (sf_link_output(link, &to, buffer, sizeof(buffer), &bytes, now))
 *         send(to, buffer, bytes);
 *     while (sf_link_event(link, &event))
 *         handle(&event);
 *     sleep until input, or sf_link_deadline(link)
 *
 * Events and datagrams wait inside until pulled; neither queue grows without
 * bound. A call that answers an event may produce the next datagram, so pull
 * both again after it. Calls without a time of their own use the latest `now`
 * the link was given.
 *
 * What the link promises: every bundle that was offered and may fly is
 * delivered to the peer's BUNDLE event as long as the path sometimes works;
 * not more often than needed, in the order of priority and index. What it does
 * not promise is custody: "received" here is a matter of memory, and a restart
 * of either end may forget it. Custody is the receipts' business.
 *
 * The format of datagrams and the state tables are in docs/protocol/03-link.md.
 * Not thread-safe.
 */
#ifndef SF_LINK_LINK_H
#define SF_LINK_LINK_H

#include "base/bytes.h"
#include "base/random.h"
#include "base/range_set.h"
#include "base/status.h"
#include "base/time.h"
#include "link/addr.h"
#include "link/lives.h"
#include "link/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_LINK_PEERS_MAX = 64,    /* peers are numbered 0 .. 63 by the caller */
    SF_LINK_ENDPOINTS_MAX = 8, /* authorised addresses of a peer */
    SF_LINK_MTU_MIN = 1280,    /* IP bytes of the largest datagram that is tried */
    SF_LINK_MTU_MAX = 9000,
    SF_LINK_MTU_DEFAULT = 1400,
    SF_LINK_DGRAM_BYTES_MAX = 9000, /* room that sf_link_output() needs at most */
    SF_LINK_CARD_BYTES_MAX = 1024,  /* an own or a peer's card, opaque to the link */
    SF_LINK_BUFFER_ALIGN = 4096,    /* of every bundle buffer in events */
    SF_LINK_POOL_BYTES_DEFAULT = 48 * 1024 * 1024,
};

#define SF_LINK_RATE_BPS_MIN     UINT64_C(1000)
#define SF_LINK_RATE_BPS_MAX     UINT64_C(100000000000)
#define SF_LINK_RTT_NS_MAX       (UINT64_C(4) * 3600 * SF_SEC)
#define SF_LINK_BURST_NS_DEFAULT (200 * SF_US)

enum { SF_LINK_LIMITS_MAX = 16 };

struct sf_link;

/* --- Opening ------------------------------------------------------------ */

struct sf_link_config {
    struct sf_fingerprint fingerprint; /* own */
    uint8_t static_sk[32];             /* own X25519 link static key; copied, wiped at close */
    uint8_t static_pk[32];
    uint8_t hint_key[32]; /* of the own card: openers must prove that they know it */

    /*
     * Copy the keys of the own link prekey `number`; false if it is gone or
     * never was. May be called from sf_link_input() only.
     */
    bool (*prekey)(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32]);
    void *context;

    const struct sf_random *random; /* lives as long as the link */
    /* This start, durable before the link is opened and greater than any before, and those before it. */
    struct sf_lives lives;
    uint16_t mtu;       /* IP bytes of the largest datagram tried; 0 = SF_LINK_MTU_DEFAULT */
    uint16_t mtu_blind; /* IP bytes where nothing comes back; 0 = mtu, or the default if less */
    size_t pool_bytes;  /* memory for bundles being assembled; 0 = default; >= 2 largest bundles */
    uint64_t burst_ns;  /* how far ahead of its rate a peer may be sent to; 0 = default */
    sf_mono now;
};

/*
 * Make a link without peers. Allocates what it will ever need but for what
 * peers and objects add, each bounded by the limits above.
 *
 * Returns SF_OK; SF_EINVAL if a field is outside its limits; SF_ENOMEM.
 */
SF_MUST_USE int sf_link_open(const struct sf_link_config *config, struct sf_link **ret_link);

/*
 * Wipe all keys and free everything. Borrowed bundles (sf_link_supply) are the
 * caller's again; buffers the caller still holds from events become invalid.
 * NULL is allowed.
 */
void sf_link_close(struct sf_link *link);

/*
 * The own card, as peers shall get it (at most SF_LINK_CARD_BYTES_MAX bytes,
 * copied), and the number of the link prekey in it. Peers that open sessions
 * to an older prekey are sent the card. Call at start and after each rotation.
 *
 * Returns SF_OK or SF_EINVAL (too long or empty).
 */
SF_MUST_USE int sf_link_set_card(struct sf_link *link, struct sf_view card, uint32_t prekey_number);

/* --- Peers -------------------------------------------------------------- */

/* How the rate towards a peer comes about. */
enum sf_link_pace {
    SF_LINK_PACE_FIXED,     /* it is rate_bps, whatever is lost */
    SF_LINK_PACE_ADAPTIVE,  /* found, on a path that others use too: at most rate_bps (rate.h) */
    SF_LINK_PACE_SCAVENGER, /* the same, giving way to all others */
};

struct sf_link_peer {
    struct sf_fingerprint fingerprint;
    uint8_t static_pk[32]; /* from its card, as the next four */
    uint8_t hint_key[32];
    uint32_t prekey_number;
    uint8_t prekey_pk[32];
    uint8_t psk[32];   /* the pair's psk_link; all zero = none */
    bool has_endpoint; /* the operator authorised `endpoint` for this peer */
    bool no_return;    /* nothing ever comes back: send without being answered */
    struct sf_addr endpoint;
    struct sf_addr others[SF_LINK_ENDPOINTS_MAX - 1]; /* as well, tried in turn with it */
    unsigned other_count;                             /* of these; 0 without an endpoint */
    enum sf_link_pace pace;
    uint64_t rate_bps;   /* IP bits a second towards the peer */
    uint64_t max_bps;    /* never more, also in a contact; 0 = no such ceiling */
    uint64_t known_bps;  /* of a path whose rate is found: what it was before; 0 = not known */
    uint32_t limits;     /* bit i: limit number i counts for it (sf_link_limit) */
    uint32_t mark;       /* the caller's own, see sf_link_mark() */
    uint64_t rtt_ns;     /* round trip by the contact plan; 0 = not known */
    uint64_t epoch_seen; /* highest epoch ever accepted from it, as made durable; 0 = none */
    uint64_t life_seen;  /* the life it belongs to, made durable with it */
};

/*
 * Add peer number `peer`, or change what is known of it. A change keeps its
 * sessions, objects and learnt address; new keys are used from the next opener
 * on, which follows at once if the prekey or the PSK changed. `epoch_seen` may
 * only grow, and `no_return` stays as it was first.
 *
 * Returns SF_OK; SF_EINVAL for a number or value outside its limits, a changed
 * fingerprint or no_return; SF_EEXIST if another peer has the
 * fingerprint or the static key; SF_ENOMEM. On failure nothing changed.
 */
SF_MUST_USE int sf_link_peer_set(
    struct sf_link *link, unsigned peer, const struct sf_link_peer *config);

/*
 * Forget `peer` with its sessions and objects, wiping its keys. Events of it
 * that were not pulled vanish; bundles lent to its objects are the caller's
 * again without RELEASE. Buffers held by the caller stay valid until returned.
 */
void sf_link_peer_remove(struct sf_link *link, unsigned peer);

/*
 * A contact with `peer` begins: forget the back-off of dark times and open a
 * fresh session at once. Returns SF_OK or SF_ENOENT.
 */
SF_MUST_USE int sf_link_contact(struct sf_link *link, unsigned peer);

/* When a peer may be sent to. */
enum sf_link_reach_kind {
    SF_LINK_REACH_ALWAYS,  /* no plan: at any time; beacons while it does not answer. The default */
    SF_LINK_REACH_CONTACT, /* in a contact, up to its end: as above, at its rate */
    SF_LINK_REACH_SILENT,  /* between contacts: nothing leaves, and no timer runs */
    SF_LINK_REACH_CALLED,  /* the plan has ended: a beacon an hour, or when the peer calls */
};

struct sf_link_reach {
    enum sf_link_reach_kind kind;

    /*
     * Of a contact: the last bit leaves by then; SF_NEVER if it is not known.
     * Between contacts and after the last: what was under way has come in by then.
     */
    sf_mono end;

    /* Of a contact. */
    uint64_t rate_bps; /* IP bits a second, in place of the peer's */
    uint64_t rtt_ns;   /* round trip by the plan; 0 = that of the peer */
    bool has_endpoint; /* reached at `endpoint`, authorised by the plan, not where it was before */
    struct sf_addr endpoint;
    bool no_return; /* nothing comes back in this contact */
};

/*
 * What the contact plan says about `peer` from now on. A contact begins with
 * an opener and with bulk behind it, unless one at the same endpoint was on
 * already: then only its rate, light time and end change. A contact at another
 * endpoint forgets what was measured and proven on the path before.
 *
 * Returns SF_OK; SF_ENOENT; SF_EINVAL for a rate or round trip outside the
 * limits of struct sf_link_peer.
 */
SF_MUST_USE int sf_link_set_reach(
    struct sf_link *link, unsigned peer, const struct sf_link_reach *reach, sf_mono now);

/*
 * The own state was restored from an older copy, and the peer can have seen
 * epochs up to `epoch` that are forgotten here: as if it had said so, which one
 * cannot whom nothing reaches. Makes a STALE event, unless the link is above it.
 *
 * Returns SF_OK, SF_ENOENT, or SF_EINVAL where no epoch is above `epoch`.
 */
SF_MUST_USE int sf_link_restored(struct sf_link *link, unsigned peer, uint64_t epoch);

/*
 * All peers together that name `limit` (below SF_LINK_LIMITS_MAX) get at most
 * `rate_bps` IP bits a second; 0 takes the limit away. SF_OK or SF_EINVAL.
 */
SF_MUST_USE int sf_link_limit(struct sf_link *link, unsigned limit, uint64_t rate_bps);

/*
 * Filler for a peer: datagrams that nobody on the way can tell from bulk, and that the peer
 * drops. It goes when nothing else may go to anybody, at the peer's rate.
 */
struct sf_link_cover {
    uint64_t owed_bytes;   /* of segments it is to stand for: sent when the peer has received all
                              that is on offer to it, and while it answers */
    uint64_t budget_bytes; /* IP bytes: while there are any, filler goes whenever bulk might go, and
                              all datagrams beside openers, probes and questions are of one size */
};

/*
 * What may go from now on. What goes counts against both; see sf_link_peer_stats.
 * SF_OK or SF_ENOENT.
 */
SF_MUST_USE int sf_link_set_cover(
    struct sf_link *link, unsigned peer, const struct sf_link_cover *cover);

/* --- The four calls ----------------------------------------------------- */

/*
 * Take one datagram (UDP payload) that came from `from`. `dgram` is decrypted
 * in place and is garbage afterwards.
 *
 * Nothing that comes in is an error of the caller: what is malformed, not
 * authentic, replayed or over a limit is dropped and counted.
 */
void sf_link_input(struct sf_link *link, const struct sf_addr *from, uint8_t *dgram,
    size_t dgram_bytes, sf_mono now);

/*
 * The datagram given to sf_link_input() last bore the mark CE (RFC 3168): a
 * router's queue on its way is long. Its sender is told in the next report. Of
 * a datagram that was dropped, or held back, nothing is counted.
 */
void sf_link_congested(struct sf_link *link);

/*
 * The own host could not send a datagram of `dgram_bytes` (UDP payload) to `to`:
 * it is larger than its interface takes. Smaller ones are made from now on.
 */
void sf_link_refused(struct sf_link *link, const struct sf_addr *to, size_t dgram_bytes);

/*
 * The next datagram that may leave at `now`, if any. `dgram_bytes_max` must
 * hold the MTU of the config. Datagrams of bulk to one peer are of the same
 * size for long, so a driver may collect them for one UDP_SEGMENT call.
 *
 * Returns false when nothing may leave before sf_link_deadline() or new input.
 */
bool sf_link_output(struct sf_link *link, struct sf_addr *ret_to, uint8_t *dgram,
    size_t dgram_bytes_max, size_t *ret_bytes, sf_mono now);

/* The `mark` of the peer whose datagram sf_link_output() gave last. */
uint32_t sf_link_mark(const struct sf_link *link);

/*
 * When to call sf_link_output() next if nothing else happens; not after `now`
 * means at once. SF_NEVER if only input or a call can bring anything.
 */
sf_mono sf_link_deadline(const struct sf_link *link);

enum sf_link_event_kind {
    /* About peers. */
    SF_LINK_UP,      /* peer: it was heard, for the first time or after the dark */
    SF_LINK_DOWN,    /* peer: asked and not heard for the unanswered budget; only beacons go out */
    SF_LINK_ADDRESS, /* peer, addr: the address it is reached at was proven */
    SF_LINK_EPOCH,   /* peer, epoch, life: make them durable as epoch_seen and life_seen, then
                         sf_link_epoch_durable() */
    SF_LINK_STALE,   /* peer, epoch, is_copy: it has seen a life of ours that we do not know of: our
                        state was rolled back, or (is_copy) a copy of us runs. The link jumps to `epoch`: make durable that the next boot
                        counter is greater than epoch >> 32, then sf_link_boot_durable() */
    SF_LINK_MISMATCH, /* peer: openers come in its name and do not authenticate: the pre-shared
                         keys differ, or somebody else makes them. Nothing was answered */
    SF_LINK_OUTSIDE,  /* peer: it was heard between its contacts, after what was under way */
    SF_LINK_NARROW,   /* peer: it is heard, but datagrams of 1,200 bytes do not come through, and
                         without them nothing can be sent. UP, or none again, once they do */
    SF_LINK_CARD,     /* peer, bytes: its current card; if it verifies, sf_link_peer_set() */

    /* About outgoing objects: `handle` as given by sf_link_offer(). */
    SF_LINK_WANT,     /* handle, index: answer with supply or unsupply, soon */
    SF_LINK_RELEASE,  /* handle, index: the bytes supplied are the caller's again */
    SF_LINK_MAP,      /* handle: what the peer has is known now (see sf_link_peer_has) */
    SF_LINK_RECEIVED, /* handle: the peer's node kept every bundle of [first, first + count), and
                         count is final. Withdraw it, or leave it to be asked for again */
    SF_LINK_DECLINED, /* handle: the peer does not want it (sf_link_decline) */

    /* About incoming objects: `peer` and `handle` name them in every call. */
    SF_LINK_LIFE,   /* peer, news: of copies of a node's state */
    SF_LINK_OBJECT, /* handle, object: announced; accept or decline. No segment is kept before */
    SF_LINK_COUNT,  /* handle, object: its count changed or became final */
    SF_LINK_BUNDLE, /* handle, index, buffer: complete. The buffer (class_bytes, page-aligned) is
                       the caller's until sf_link_buffer_return(); give a verdict with
                       sf_link_received() when it is checked and durable */
    SF_LINK_SPILL,  /* handle, index, buffer, ranges: memory is short; store this partial bundle
                       where the whole one will go, then sf_link_spilled() */
    SF_LINK_LOAD,   /* handle, index, buffer, ranges: read those bytes of the spilled bundle back
                       into the buffer, then sf_link_loaded() */
    SF_LINK_GONE,   /* handle: the peer withdrew it; the handle means nothing any more */
};

/* What is noticed of copies. */
enum sf_link_news {
    SF_LINK_NEWS_REFUSED = 1,  /* the peer calls as another life than the one that was seen */
    SF_LINK_NEWS_RESTORED = 2, /* the peer goes on above it: its state was restored */
    SF_LINK_NEWS_COPIED = 4,   /* lives of the peer take turns: two copies of it run */
    SF_LINK_NEWS_OWN_COPY = 8, /* the peer was called by a life of ours that we do not know of */
};

struct sf_link_event {
    enum sf_link_event_kind kind;
    unsigned peer;
    uint32_t handle;
    uint64_t index;
    uint64_t epoch;
    uint64_t life;
    bool is_copy;
    enum sf_link_news news;
    struct sf_addr addr;
    struct sf_link_object object;
    uint8_t *buffer;
    size_t buffer_bytes;
    struct sf_view bytes;              /* lives until the next call into the link */
    const struct sf_range_set *ranges; /* as `bytes`; bytes within the bundle */
};

/*
 * The next thing the caller must know; false if there is none. Events of one
 * object come in the order they happened.
 */
bool sf_link_event(struct sf_link *link, struct sf_link_event *ret_event);

/*
 * `epoch`, reported by EPOCH, is durable: the peer's session may be used. What
 * came in it meanwhile was partly held back, partly lost to be repaired.
 * An unknown peer or epoch is ignored (it was replaced meanwhile).
 */
void sf_link_epoch_durable(struct sf_link *link, unsigned peer, uint64_t epoch);

/*
 * The boot counter that STALE asked for is durable as `boot`, or will be above
 * it at the next start: sessions to the peer may be opened again. Ignored if a
 * later STALE asked for more, or the peer is unknown.
 */
void sf_link_boot_durable(struct sf_link *link, unsigned peer, uint32_t boot);

/* --- Outgoing objects ---------------------------------------------------- */

/*
 * Offer `object` to `peer`. It is announced now and again until the peer
 * answers; bundles that may fly are asked for with WANT as their turn comes.
 * Handles of outgoing objects are unique in the link and not reused soon.
 *
 * Returns SF_OK; SF_EINVAL for values outside the limits of object.h;
 * SF_ENOENT no such peer; SF_EEXIST if transfer and kind are on offer to it
 * already; SF_ELIMIT beyond SF_LINK_OBJECTS_MAX; SF_ENOMEM.
 */
SF_MUST_USE int sf_link_offer(
    struct sf_link *link, unsigned peer, const struct sf_link_object *object, uint32_t *ret_handle);

/*
 * Bundles [from, to) may fly. Returns SF_OK, SF_ENOENT (no such handle),
 * SF_EINVAL (outside [first, first + count)), SF_ELIMIT (too scattered).
 */
SF_MUST_USE int sf_link_ready(struct sf_link *link, uint32_t handle, uint64_t from, uint64_t to);

/*
 * The final number of slots, at most the count offered and above every index
 * made ready. Returns SF_OK, SF_ENOENT, SF_EINVAL.
 */
SF_MUST_USE int sf_link_set_count(struct sf_link *link, uint32_t handle, uint64_t count);

/*
 * Lower or raise the priority of an object on offer. SF_OK or SF_ENOENT.
 */
SF_MUST_USE int sf_link_set_priority(struct sf_link *link, uint32_t handle, uint8_t priority);

/*
 * Answer to WANT: the class_bytes bytes of bundle `index`. They stay the
 * caller's, and must not change, until RELEASE, withdraw or close.
 *
 * Returns SF_OK; SF_ENOENT if the object is gone, SF_ESTATE if the bundle was
 * not wanted: then nothing is borrowed.
 */
SF_MUST_USE int sf_link_supply(
    struct sf_link *link, uint32_t handle, uint64_t index, const uint8_t *bytes);

/*
 * Answer to WANT: the bundle cannot be read. It may not fly any more, until
 * sf_link_ready() names it again. SF_OK, SF_ENOENT or SF_ESTATE as above.
 */
SF_MUST_USE int sf_link_unsupply(struct sf_link *link, uint32_t handle, uint64_t index);

/*
 * What the peer's link says it has: bundles received in whole. Valid until the
 * next call into the link. NULL if there is no such handle or no report yet.
 */
const struct sf_range_set *sf_link_peer_has(const struct sf_link *link, uint32_t handle);

/*
 * A peer from which nothing comes back keeps bundles [from, to): a receipt that
 * came another way says so. They do not go again; everything else does, round
 * after round. Returns SF_OK, SF_ENOENT, SF_ELIMIT (too scattered).
 */
SF_MUST_USE int sf_link_kept(struct sf_link *link, uint32_t handle, uint64_t from, uint64_t to);

/*
 * Take the object back. The peer is told when it can be. Its lent bundles are
 * the caller's again at once, without RELEASE; no event names it any more.
 * An unknown handle is ignored.
 */
void sf_link_withdraw(struct sf_link *link, uint32_t handle);

/* --- Incoming objects ---------------------------------------------------- */

/*
 * Take the object announced by OBJECT. `have` (NULL = none) are the bundles
 * held already, by index; they are reported as received and never asked for.
 *
 * Returns SF_OK, SF_ENOENT (withdrawn meanwhile), SF_ESTATE (accepted before),
 * SF_ENOMEM.
 */
SF_MUST_USE int sf_link_accept(
    struct sf_link *link, unsigned peer, uint32_t handle, const struct sf_range_set *have);

/*
 * Do not take the object (or no longer); the peer is told. What is assembled
 * of it is dropped, and the handle means nothing any more. An announcement
 * that comes later makes a new OBJECT event under a new handle.
 * An unknown handle is ignored.
 */
void sf_link_decline(struct sf_link *link, unsigned peer, uint32_t handle);

/*
 * Verdict on bundle `index` after BUNDLE, or AGAIN for one kept before that was
 * lost since. Returns SF_OK, SF_ENOENT, SF_ESTATE (the bundle is not complete).
 */
SF_MUST_USE int sf_link_received(struct sf_link *link, unsigned peer, uint32_t handle,
    uint64_t index, enum sf_link_verdict verdict);

/* Give back a buffer of a BUNDLE event. Until then it counts against the pool. */
void sf_link_buffer_return(struct sf_link *link, uint8_t *buffer);

/*
 * Stop (or resume) wanting more of an incoming object, for want of room: no new
 * bundle is begun, and the peer is told. SF_OK or SF_ENOENT.
 */
SF_MUST_USE int sf_link_pause(struct sf_link *link, unsigned peer, uint32_t handle);
SF_MUST_USE int sf_link_resume(struct sf_link *link, unsigned peer, uint32_t handle);

/*
 * Answers to SPILL and LOAD: `status` is SF_OK, or an error, which drops the
 * partial bundle: its segments are asked for again. The buffer is the link's
 * again. For an object that is gone they only return the buffer.
 */
void sf_link_spilled(struct sf_link *link, unsigned peer, uint32_t handle, uint64_t index,
    uint8_t *buffer, int status);
void sf_link_loaded(struct sf_link *link, unsigned peer, uint32_t handle, uint64_t index,
    uint8_t *buffer, int status);

/* --- Figures -------------------------------------------------------------- */

enum sf_link_state {
    SF_LINK_STATE_NEVER, /* not heard since the link was opened */
    SF_LINK_STATE_UP,
    SF_LINK_STATE_DARK,
};

/* Why the rate is what it is. */
enum sf_link_rate_cause {
    SF_LINK_CAUSE_FIXED,   /* it was given */
    SF_LINK_CAUSE_CONTACT, /* it is that of the contact */
    SF_LINK_CAUSE_SEEKING, /* it grows, until the path shows what it takes */
    SF_LINK_CAUSE_FOUND,   /* the path takes no more, or others need it */
    SF_LINK_CAUSE_CEILING, /* the path would take more than the rate given */
    SF_LINK_CAUSE_LIMIT,   /* a limit shared with other peers */
};

struct sf_link_peer_stats {
    enum sf_link_state state;
    bool has_addr;
    bool is_proven;      /* `addr` answered a challenge in this run */
    struct sf_addr addr; /* where it is reached now */
    uint64_t rtt_ns;     /* smoothed; 0 = not measured */
    uint16_t mtu_bytes;  /* IP bytes of the datagrams that bulk goes in; 0 = not known */
    bool is_narrow;      /* the path takes no datagrams of 1,200 bytes */
    sf_mono heard;       /* last authentic datagram; 0 = never */
    enum sf_link_reach_kind reach;
    sf_mono reach_heard; /* the first authentic datagram since this contact began; 0 = none */
    uint64_t rate_bps;   /* allowed now */
    enum sf_link_rate_cause rate_cause;
    uint64_t found_bps;  /* what the path takes, worth remembering; 0 = not found */
    uint64_t dgrams_out; /* IP bytes and datagrams, all kinds */
    uint64_t bytes_out;
    uint64_t dgrams_in;
    uint64_t bytes_in;
    uint64_t data_bytes_out;   /* segment bytes, first time and again */
    uint64_t resent_bytes_out; /* of these, again */
    uint64_t data_bytes_in;    /* segment bytes that were new */
    uint64_t again_bytes_in;   /* segment bytes that were there already */
    uint64_t openers_out;
    uint64_t openers_in;
    struct sf_link_cover cover;       /* what is left of it */
    uint64_t cover_bytes_out;         /* IP bytes of filler */
    uint64_t cover_segment_bytes_out; /* bytes of segments that it stood for */
};

struct sf_link_stats {
    uint64_t dgrams_dropped; /* all of the following, summed */
    uint64_t dropped_format; /* not a datagram of ours */
    uint64_t dropped_auth;   /* wrong MAC, unknown session, failed decryption */
    uint64_t dropped_replay; /* counter or opener seen before, stale epoch */
    uint64_t dropped_flood;  /* over the rate of openers */
    uint64_t dropped_limit;  /* no room */
    size_t pool_bytes_used;
    size_t peers;
};

/* Returns SF_OK or SF_ENOENT. */
SF_MUST_USE int sf_link_peer_stats(
    const struct sf_link *link, unsigned peer, struct sf_link_peer_stats *ret_stats);
void sf_link_stats(const struct sf_link *link, struct sf_link_stats *ret_stats);

#endif
