/*
 * internal.h - what the parts of node/ share; nobody outside includes it.
 *
 *   node.c      the calls of the engine
 *   open.c      opening and closing
 *   links.c     who gets which event of the link
 *   events.c    what people are told
 *   commits.c   facts that are to become durable
 *   names.c     names at rest
 *   peers.c     peers and their cards
 *   revoke.c    peers that are not trusted any more
 *   ladder.c    pre-shared keys, used once
 *   contacts.c  when they can be reached, by their contact plans
 *   cover.c     filler for them, which hides sizes and times
 *   keyring.c   the key file and the ageing of prekeys
 *   mail.c      grants and letters on their way to peers
 *   cache.c     sealed bundles in memory while the link sends them
 *   intake.c    files -> frames -> sealed bundles -> spool          (sender)
 *   send.c      outgoing transfers: new, resumed, recovered           (sender)
 *   outbound.c  transfers in custody, receipts that come back        (sender)
 *   whole.c     what changed, and the whole beside it                (sender)
 *   inbound.c   incoming transfers: begun, paused, lost in part      (receiver)
 *   inbound_end.c  incoming transfers: ended, freed, remembered      (receiver)
 *   receipt.c   what is signed about them                            (receiver)
 *   arrive.c    bundles that arrive: opened, durable, acknowledged   (receiver)
 *   fetch.c     bundles read back from their slots                   (receiver)
 *   bases.c     files delivered earlier that a transfer builds on    (receiver)
 *   decode.c    opened bundles -> frames                             (receiver)
 *   staging.c   frames -> staged files, synced, read back and hashed (receiver)
 *   staging_write.c  ... written, past the page cache where that can be
 *   deliver.c   staged files -> inbox, once; the FINAL receipt       (receiver)
 *   sweep.c     removal of what is staged                            (receiver)
 *   recover.c   incoming transfers after a restart                   (receiver)
 *   ended.c     numbers of transfers long ended                      (receiver)
 *   turns.c     memory: who may use the large buffers now
 *   room.c      quotas, pauses, a full disk
 *   postponed.c what was refused for now                             (receiver)
 *   post.c      grants and letters that arrive
 *   courier.c   receipts that are carried by other means than the link
 *   record.c    the audit log
 *   info.c      what people are shown
 */
#ifndef SF_NODE_INTERNAL_H
#define SF_NODE_INTERNAL_H

#include "base/assert.h"
#include "base/crypto.h"
#include "base/range_set.h"
#include "bundle/class.h"
#include "bundle/envelope.h"
#include "bundle/grant.h"
#include "bundle/ladder.h"
#include "bundle/letter.h"
#include "bundle/manifest.h"
#include "bundle/receipt.h"
#include "node/flight.h"
#include "node/node.h"
#include "node/schema.h"
#include "store/audit.h"
#include "store/journal.h"
#include "store/spool.h"
#include "store/vault.h"

enum {
    EVENTS_MAX = 512,           /* waiting to be pulled; the oldest give way */
    TRANSFERS_MAX = 4096,       /* of each direction, open and ended */
    HISTORY_MAX = 256,          /* ended outgoing transfers kept for `status` */
    TOMBSTONES_MAX = 4096,      /* ended incoming transfers kept; who has most loses first */
    INBOUND_MAX = 256,          /* incoming transfers of one peer that have not ended */
    CACHE_BYTES_MAX = 16 << 20, /* sealed bundles lent to the link or just sealed */
    SEALED_TAG_SIV_BYTES = 28,  /* of a bundle's siv in its tag; its CRC-32C stands behind */
    NO_PEER = 0xffff,
};

#define RATES_EVERY     (2 * SF_SEC)  /* what is found of paths is looked at */
#define COVER_EVERY     (60 * SF_SEC) /* how much filler is still owed is kept */
#define RECEIPT_EVERY   (1 * SF_SEC)  /* HELD receipts of one transfer */
#define MISMATCH_EVERY  (UINT64_C(3600) * SF_SEC)
#define RETRY_FIRST     (5 * SF_SEC) /* after a refusal that may pass */
#define RETRY_LAST      (300 * SF_SEC)
#define GRANT_ASK       (30 * SF_SEC) /* bundles without a grant: it is asked for */
#define DECODE_FIRST    (30 * SF_SEC) /* after the disk failed what is staged */
#define DECODE_LAST     (UINT64_C(3600) * SF_SEC)
#define FREE_AGAIN      (60 * SF_SEC)              /* after what is to go could not be removed */
#define ORPHAN_GRACE    (UINT64_C(86400) * SF_SEC) /* orphans of a grant that never comes */
#define RECORD_EVERY    (60 * SF_SEC) /* of records a peer causes: none fills the disk with them */
#define INTERRUPT_GRACE (UINT64_C(900) * SF_SEC) /* a transfer whose source is gone waits so long */

enum { DAY_MS = 86400 * 1000 };

enum {
    /* Each `peer reset` leaves out so many starts: what was forgotten is not more than that, */
    BOOTS_RESET = 1 << 16,
    /* ... but for resets among it, each of which takes another one by hand or word of a peer. */
    RESETS_MAX = 16,
    /* Further ahead no peer is believed, or it could use them up. */
    BOOTS_AHEAD_MAX = RESETS_MAX * BOOTS_RESET,
};

/* --- Peers --------------------------------------------------------------- */

enum {
    LADDER_PASSED_MAX = 6, /* rungs passed over whose keys are kept */
    LADDER_STATE = 'P',    /* kinds of secrets in the vault, beside enum sf_spool_direction */
    LADDER_PASSED = 'S',
};

/* The key of one rung. */
struct ladder_rung {
    uint64_t number;
    uint8_t psk[32];
};

/* What is left of the seed shared with a peer (ladder.c). */
struct ladder {
    bool is_there;
    bool is_durable; /* in the vault: grants may be made, and the seed may go */
    bool has_strode; /* in this run */
    sf_mono keep_at; /* it is not: when that is tried again; SF_NEVER or 0: no need */
    uint8_t check[16];
    uint8_t link[32];
    struct sf_rung out; /* the next one towards the peer */
    struct sf_rung in;  /* the next one from it */
    sf_mono reach_at;   /* not before then is one looked for that is far above it */
    struct ladder_rung passed[LADDER_PASSED_MAX];
    size_t passed_count;
};

struct outbound;

struct peer {
    bool used;
    struct sf_node_peer conf; /* conf.card: the newest known; conf.psk is wiped once it is taken */
    struct sf_record_peer record;
    struct ladder ladder;
    bool up;
    sf_mono mismatch_at;       /* when a failed call in its name was last told of; 0: never */
    sf_mono refused_at;        /* when it was last told no: at most one a second */
    bool has_skipped;          /* rungs after a roll-back, in this run */
    unsigned resets;           /* by hand, in this run */
    sf_mono news_at[5];        /* when news of copies were last told, by kind; 0: never */
    struct contacts *contacts; /* its contact plan; NULL: it has none */
    struct sf_record_cover cover;
    uint64_t cover_share;         /* of the day's budget, being recorded as gone; 0: none */
    bool is_cover_fresh;          /* ... of another day's than what the link has */
    uint64_t bundles_out;         /* that its receipts have added */
    uint64_t bundles_in;          /* that arrived whole from it */
    unsigned records;             /* of the audit log it has caused lately, */
    sf_mono records_at;           /* ... counted down from then, */
    uint64_t omitted;             /* ... and those that were too many */
    enum sf_refusal data_refused; /* why what it offered last was, */
    sf_mono data_refused_until;   /* ... which is not written down again before then */
};

/* The peer of that fingerprint or name, or NULL. */
struct peer *peer_of(struct sf_node *node, const struct sf_fingerprint *fingerprint);
struct peer *peer_named(struct sf_node *node, const char *name);
unsigned peer_number(const struct sf_node *node, const struct peer *peer);

/* This node's state was restored from an older copy: jump over what it may have used since. */
void peers_rolled_back(struct sf_node *node);
/* Any number. */
uint32_t node_lot(struct sf_node *node);
/* Write how often this node was started, and as which lives; the caller commits. */
SF_MUST_USE int lives_save(struct sf_node *node);
/* Remember what was found of the peers' paths, now and then. */
void peers_tick(struct sf_node *node);

/* Write the peer's record to the journal; the caller commits. */
SF_MUST_USE int peer_save(struct sf_node *node, const struct peer *peer);

/* Hand the peer's keys and address to the link again after a change. */
SF_MUST_USE int peer_link(struct sf_node *node, struct peer *peer);

/* It was revoked once and is a peer again, on purpose (revoke.c). */
void revoked_readmit(struct sf_node *node, const struct sf_fingerprint *fingerprint);

/* Take a peer that nothing refers to any more out of the link and the list. */
void peer_drop(struct sf_node *node, struct peer *peer);

/* Take a card of a known peer if it is newer; returns whether it was. */
bool peer_take_card(struct sf_node *node, struct peer *peer, struct sf_view encoded);

/* --- Ladders of pre-shared keys (ladder.c) --- */

/*
 * Take the seed of peer->conf, which is wiped, or find what is left of it in
 * the vault. SF_OK, SF_ENOENT (there is neither), SF_ENOMEM.
 */
SF_MUST_USE int ladder_set(struct sf_node *node, struct peer *peer);
/* Whether a grant may be made now: the peer is there to take it, and not too many were not opened. */
bool ladder_may_grant(const struct peer *peer);
/* Try again to keep those that found no room. */
void ladder_tick(struct sf_node *node);
sf_mono ladder_deadline(const struct sf_node *node);
/*
 * Take the next rung towards `peer` for one grant. `done` gets it when it can
 * never be taken again, whatever happens, or NULL if the vault could not keep
 * that. SF_OK, SF_ESTATE (not now), SF_ENOMEM.
 */
SF_MUST_USE int ladder_reserve(struct sf_node *node, struct peer *peer,
    void (*done)(void *owner, const struct ladder_rung *rung), void *owner);
/*
 * The peer has seen rungs that this node does not remember: leave many out, once
 * in a run. Each peer speaks for its own ladder alone.
 */
void ladder_rolled_back(struct sf_node *node, struct peer *peer);
/* It has refused a rung: the same, as often as it does, and not out of its reach. */
void ladder_leap(struct sf_node *node, struct peer *peer);
/*
 * The key of a rung from `peer`, if it was not used yet and is in reach: always
 * within 4,096, and once a minute within 262,144. Commits to nothing.
 */
bool ladder_find(
    const struct sf_node *node, struct peer *peer, uint64_t number, uint8_t ret_psk[32]);
/* A grant under it authenticates: it is gone from now on, and for good when the next put is. */
void ladder_commit(struct sf_node *node, struct peer *peer, uint64_t number);
/* Nothing of what was shared with the node of that fingerprint is kept. */
void ladder_erase(struct sf_node *node, const struct sf_fingerprint *fingerprint);

/* Look-ups for grants and letters. */
const struct sf_card *peers_find_card(void *context, const struct sf_fingerprint *fingerprint);

/* --- Contact plans (contacts.c) ---------------------------------------------- */

void contacts_tick(struct sf_node *node);
sf_mono contacts_deadline(const struct sf_node *node);
/* Between two contacts: nothing can leave for it, and nothing is to be tried. */
bool contacts_are_silent(const struct peer *peer);
bool contacts_have_ended(const struct peer *peer);
void contacts_drop(struct peer *peer);
/* A bundle of data that came over the link of that peer (or NO_PEER) is held. */
void contacts_bundle_came(struct sf_node *node, unsigned peer);

/* --- Filler (cover.c) ------------------------------------------------------------ */

/* A peer is known to the link, or what is set for it has changed. SF_OK, SF_EFORMAT. */
SF_MUST_USE int cover_set(struct sf_node *node, struct peer *peer, bool is_new);
/* What filler stands for when a transfer goes to `peer`: bytes of sealed bundles; 0 if unknown. */
uint64_t cover_pad_bytes(const struct outbound *out, const struct peer *peer);
/* A transfer that will go to it, or goes already, has all its bundles; the caller commits. */
void cover_owe(struct sf_node *node, struct peer *peer, const struct outbound *out);
void cover_tick(struct sf_node *node);
sf_mono cover_deadline(const struct sf_node *node);

/* --- Mail: single-bundle objects on their way ------------------------------ */

/*
 * Send `bytes` (copied) to `peer` as an object of `kind`. `subject` and `topic`
 * name what it is about: mail with the same ones that is still waiting is
 * replaced. `id` is the object's name on the link.
 */
struct mail_item {
    unsigned peer;
    enum sf_kind kind;
    struct sf_transfer_id id;
    struct sf_transfer_id subject;
    unsigned topic;
    struct sf_view bytes; /* of a control class */
};
enum mail_topic { MAIL_GRANT, MAIL_RECEIPT, MAIL_CANCEL, MAIL_CARD };

SF_MUST_USE int mail_post(struct sf_node *node, const struct mail_item *item);
/* Take back what waits about `subject` for `peer`. */
void mail_drop(
    struct sf_node *node, unsigned peer, const struct sf_transfer_id *subject, unsigned topic);
void mail_drop_peer(struct sf_node *node, unsigned peer);
bool mail_is_waiting(const struct sf_node *node, unsigned peer,
    const struct sf_transfer_id *subject, unsigned topic);
/* Link events; return whether the handle was mail. */
bool mail_want(struct sf_node *node, uint32_t handle, uint64_t index);
bool mail_received(struct sf_node *node, uint32_t handle);
void mail_fini(struct sf_node *node);

/* Seal `content` as a letter to `peer` and post it. */
SF_MUST_USE int mail_letter(struct sf_node *node, struct peer *peer, enum sf_letter_type type,
    struct sf_view content, const struct sf_transfer_id *subject, unsigned topic);

/* --- Cache of sealed bundles ------------------------------------------------ */

struct outbound;

enum { CACHE_BUCKETS = 1024 };

struct cache {
    struct cached *buckets[CACHE_BUCKETS]; /* by index, of all transfers */
    struct cached *newest_idle;            /* of those that are not lent and not loading */
    struct cached *oldest_idle;
    uint64_t bytes;
};

/* Give a freshly sealed, durable bundle to the cache, which frees `object` in time. */
void cache_insert(struct sf_node *node, struct outbound *out, uint64_t index, uint8_t *object);
/* The link wants a bundle of `out` under `handle`: supply it from memory or from the spool. */
void cache_want(struct sf_node *node, struct outbound *out, uint32_t handle, uint64_t index);
/* The link gave one back. */
void cache_release(struct sf_node *node, struct outbound *out, uint32_t handle, uint64_t index);
/* Every bundle lent under `handle` came back at once (withdrawn). */
void cache_withdrawn(struct sf_node *node, struct outbound *out, uint32_t handle);
/* Forget all bundles of `out`. */
void cache_forget(struct sf_node *node, struct outbound *out);
/* Whether a read from the spool of `out` is under way. */
bool cache_is_busy(const struct outbound *out);
void cache_fini(struct sf_node *node);

/* --- Outgoing transfers ------------------------------------------------------ */

struct out_to {
    struct sf_fingerprint fingerprint;
    struct sf_record_to record;
    struct sf_receipt_state receipts;
    uint32_t data_handle; /* 0: not on offer */
    sf_mono grant_at;     /* when it is granted (again) while no receipt shows it was opened */
    uint64_t grant_ns;    /* the wait after that */
    bool is_granting;     /* a rung is being reserved for it */
    uint64_t grant_issue; /* of the card it was last granted to; 0: not yet in this run */
    bool is_paused;       /* the peer cannot take it now */
    sf_mono retry_at;     /* when to offer again; SF_NEVER if not waiting for that */
    uint64_t retry_ns;    /* the next wait */
    bool was_offered;     /* before: ask for the map before anything is sent again */
    bool was_received;    /* its link has had all of it: ask for the map before sending again */
    uint64_t link_has;    /* bundles its link has reported */
    char why[128];
};

struct intake;

struct outbound {
    struct sf_node *node;
    struct sf_transfer_id id;
    struct sf_record_out record;
    struct out_to *to;    /* record.recipient_count of them */
    struct sf_seal *seal; /* guarded memory; NULL once the key is gone */
    struct sf_spool *spool;
    struct sf_range_set sealed;
    char label[256];
    struct sf_node_file *files; /* record.file_count, once sealed to the end */
    bool has_manifest;
    struct sf_digest manifest;
    struct sf_digest files_digest;
    struct intake *intake; /* while sealing */
    bool is_begun;         /* its facts are durable: grants and bundles may go out */
    bool restarted;        /* was there when the node started: ask for the map first */
    bool is_busy;          /* a file operation on the spool is under way */
    bool want_freed;       /* spool and key are to go as soon as nothing uses them */
    bool is_freed;
    uint64_t plain_done;
    sf_mono interrupted_at;
    sf_mono next_look; /* of the periodic work */
    char why[SF_NODE_TEXT_BYTES_MAX + 1];
    struct sf_spool_op spool_op;
    struct sf_vault_op vault_op;
    bool is_key_busy; /* vault_op is under way */
    bool is_custody_durable;
    sf_mono free_at;     /* its spool could not be removed: tried again then */
    uint64_t unreadable; /* the bundle that could not be read last, */
    unsigned unreadable_times;
    unsigned loads; /* of the cache, under way */
    struct outbound *next;
};

struct outbound *outbound_find(struct sf_node *node, const struct sf_transfer_id *id);
/* Take up every outgoing transfer of the journal; blocks on the disk. */
SF_MUST_USE int outbound_recover(struct sf_node *node, struct sf_node_error *error);
SF_MUST_USE int outbound_cancel(
    struct sf_node *node, struct outbound *out, struct sf_node_error *error);
/* Something the recipient could not do before may work now: a new card, a new session. */
void outbound_peer_changed(struct sf_node *node, unsigned peer);
/* A signed receipt of `peer` arrived. */
void outbound_receipt(struct sf_node *node, struct peer *peer, struct sf_view encoded);
void outbound_tick(struct sf_node *node);
sf_mono outbound_deadline(const struct sf_node *node);
/* Put what may fly on offer, to every recipient. */
void outbound_offer(struct outbound *out);
/* Bundle `index` is durable. */
void outbound_sealed(struct outbound *out, uint64_t index);
/* All bundles and the manifest are known; makes custody durable. */
void outbound_complete(struct outbound *out);
/* It cannot be completed: fail it, free it, tell the recipients. */
void outbound_fail(struct outbound *out, enum sf_cancel_reason reason, const char *why);
/* End it for every recipient that has not finished; those that know of it get a signed cancel. */
void outbound_end(struct outbound *out, enum sf_out_phase phase, enum sf_cancel_reason reason);
/* Facts about it; the caller commits. */
SF_MUST_USE int outbound_save(struct outbound *out);
SF_MUST_USE int outbound_save_to(struct outbound *out, const struct out_to *to);
void outbound_load_manifest(struct outbound *out);
/* An empty one at the end of the list; NULL without memory. */
struct outbound *outbound_create(struct sf_node *node, uint32_t recipients, uint64_t files);
SF_MUST_USE int outbound_set_key(struct outbound *out, const uint8_t cek[SF_CEK_BYTES]);
void outbound_bind(struct outbound *out, struct out_to *to);
void outbound_unlink(struct sf_node *node, struct outbound *out);
void outbound_fini(struct sf_node *node);
/* Link events of a data object; return false if `handle` is none. */
bool outbound_want(struct sf_node *node, uint32_t handle, uint64_t index);
bool outbound_release(struct sf_node *node, uint32_t handle, uint64_t index);
bool outbound_map(struct sf_node *node, uint32_t handle);
/* The recipient's link has all of it: nothing is lent to the link while FINAL is awaited. */
void outbound_received(struct sf_node *node, uint32_t handle);
void outbound_declined(struct sf_node *node, uint32_t handle);
/* A bundle its link wants cannot be had from the spool, or is not what was sealed. */
void outbound_unreadable(struct sf_node *node, uint32_t handle, uint64_t index);

/* --- Intake ------------------------------------------------------------------ */

/*
 * Check names and sizes of what is to be sent, choose its class and make an
 * intake that stands still. On a failure nothing is kept and the sources are
 * the caller's.
 */
struct intake_use {
    const struct sf_node_send *send;
    uint32_t fixed_class;        /* 0: by the size */
    enum sf_out_role role;       /* WHOLE: the sources stay the delta's */
    const struct outbound *base; /* DELTA: by which the bases were sent */
    struct sf_transfer_id pair;  /* WHOLE: its delta */
};
SF_MUST_USE int intake_open(struct sf_node *node, const struct intake_use *use,
    struct intake **ret_intake, struct sf_class_choice *ret_choice, struct sf_node_error *error);
/* The sources are the intake's from now on; it runs as soon as `out` has a spool and a key. */
void intake_start(struct intake *intake, struct outbound *out);
/* Go on with whatever can go on. */
void intake_step(struct intake *intake);
/* Begin nothing new; when it is idle, close it. */
void intake_stop(struct intake *intake);
bool intake_is_idle(const struct intake *intake);
/* Close the sources and free it; free alone when the disk is gone, or it was never started. */
void intake_close(struct intake *intake);
void intake_free(struct intake *intake);
void intake_close_source(struct sf_node *node, int file);
/* It was stopped or is complete, and nothing is in flight: it may be closed. */
bool intake_is_over(const struct intake *intake);

/* --- Incoming transfers -------------------------------------------------------- */

struct decoder;
struct delivery;
struct arrival;
struct bases;

struct inbound {
    struct sf_node *node;
    struct sf_transfer_id id;
    struct sf_fingerprint sender;
    uint8_t signer_pk[SF_SIGN_PUBLIC_BYTES];
    bool has_signer;             /* signer_pk is known: the sender is a peer */
    struct sf_transfer_id local; /* name of spool and staging: id and sender hashed together */
    uint8_t key[SF_PAIR_KEY_BYTES];
    struct sf_record_in record;
    struct sf_seal *seal; /* NULL until the grant is open, and after the end */
    struct sf_spool *spool;
    struct sf_range_set held;
    struct sf_range_set orphans;
    struct decoder *decoder;     /* from the moment there are seal and spool */
    struct delivery *delivery;   /* while staged files move into the inbox */
    struct arrival *waiting;     /* bundles that came before there was a spool */
    struct sf_range_set storing; /* bundles that came and are not yet held, or lost again */
    unsigned arrivals;           /* bundles in jobs or on their way to the disk */
    unsigned fetches;            /* bundles being read back from their slots */
    unsigned wrong;              /* bundles in a row that were not what was sealed */
    uint32_t handle;             /* of the data object on the link; 0: none */
    unsigned peer;
    bool is_key_stored; /* the content key is durable in the vault */
    bool is_recording;  /* the first fact about it is being committed */
    bool is_recorded;   /* ... is durable: receipts may be given */
    bool is_checking_orphan;
    unsigned changes;    /* generations being committed: no receipt meanwhile */
    bool receipt_due;    /* what is held has changed since the last receipt */
    sf_mono receipt_at;  /* not before */
    unsigned paused;     /* enum in_pause: for want of room */
    sf_mono rest_at;     /* bundles could not be stored: until then none are taken; 0: no rest */
    uint64_t rest_ns;    /* the last such wait; 0: one was stored since */
    bool was_reset;      /* decoded a second time, after a mismatch */
    sf_mono decode_at;   /* a decoder is made again; 0: not waiting for that */
    uint64_t decode_ns;  /* the last such wait */
    sf_mono deliver_at;  /* delivery is tried again; SF_NEVER if not waiting for that */
    bool is_asked;       /* ended, and its sender announces it still */
    bool is_forgotten;   /* nothing of it was recorded; it vanishes */
    sf_mono ask_at;      /* when a grant that does not come is asked for */
    uint64_t link_count; /* of bundles, as the sender's link last said for good; else 0 */
    uint64_t received_bytes;
    uint64_t plain_bytes; /* of all its files, as the outline says; 0 until then */
    uint64_t need_bytes;
    bool want_freed;
    bool is_freed;
    bool is_sweeping;
    bool was_swept;   /* the last time nothing was left */
    bool is_unswept;  /* what was staged must go before it is decoded again */
    sf_mono free_at;  /* something could not be removed: tried again then */
    bool is_busy;     /* spool_op is under way */
    bool is_key_busy; /* vault_op is under way */
    sf_mono touched;
    char why[SF_NODE_TEXT_BYTES_MAX + 1];
    char delivered_as[256];
    struct sf_spool_op spool_op;
    struct sf_vault_op vault_op;
    struct inbound *next;
};

struct inbound *inbound_find(
    struct sf_node *node, const struct sf_transfer_id *id, const struct sf_fingerprint *sender);
SF_MUST_USE int inbound_recover(struct sf_node *node, struct sf_node_error *error);
void inbound_fini(struct sf_node *node);
/* Events of the link about incoming objects. */
void inbound_object(struct sf_node *node, const struct sf_link_event *event);
void inbound_count(struct sf_node *node, const struct sf_link_event *event);
void inbound_bundle(struct sf_node *node, const struct sf_link_event *event);
void inbound_gone(struct sf_node *node, const struct sf_link_event *event);
void inbound_spill(struct sf_node *node, const struct sf_link_event *event);
void inbound_load(struct sf_node *node, const struct sf_link_event *event);
/* An opened grant, and a signed cancel, of `peer`. */
void inbound_grant(struct sf_node *node, struct peer *peer, const struct sf_grant *grant);
void inbound_cancelled(struct sf_node *node, struct peer *peer, struct sf_view encoded);
/* The sender has a new card: what it could not open is written again. */
void inbound_peer_changed(struct sf_node *node, const struct peer *peer);
/* The sender lives anew, perhaps on an older copy: it is told once more what is held of its. */
void inbound_peer_restarted(struct sf_node *node, const struct peer *peer);
/* This node's state was restored from an older copy: what was said to be held may not be. */
void inbound_rolled_back(struct sf_node *node);
SF_MUST_USE int inbound_cancel(
    struct sf_node *node, struct inbound *in, struct sf_node_error *error);
void inbound_tick(struct sf_node *node);
sf_mono inbound_deadline(const struct sf_node *node);
SF_MUST_USE int inbound_save(struct inbound *in);
/* A held bundle turned out to be unreadable: a new generation, and ask again. */
void inbound_lost(struct inbound *in, uint64_t from, uint64_t to);
/* Refuse it for good: tombstone, free, tell the sender. */
void inbound_refuse(struct inbound *in, enum sf_refusal reason, const char *why);
/* Spool, key and staging go as soon as nothing uses them; the durable fact allows it. */
void inbound_let_go(void *owner);
/* Send the signed receipt kept as the tombstone. */
/* The FINAL or terminal REFUSED goes out: now that it is durable, ... */
void inbound_tell_end(struct inbound *in);
/* ... and again, when somebody asks. */
void inbound_send_tombstone(struct inbound *in);

/*
 * Numbers of transfers that have ended here and are remembered by nothing else
 * (ended.c). In exact ranges: what is open, or was never seen, is not among them.
 */
bool ended_has(const struct sf_node *node, const struct sf_fingerprint *sender, uint64_t number);
void ended_add(struct sf_node *node, const struct sf_fingerprint *sender, uint64_t number);
/* A grant has shown that this is one of them: its data is not taken ahead of a grant either. */
void ended_note(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender);
bool ended_is_noted(const struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender);

/* Shared by the parts of the receiver. */
struct inbound *inbound_create(
    struct sf_node *node, const struct sf_transfer_id *id, const struct sf_fingerprint *sender);
void inbound_unlink(struct sf_node *node, struct inbound *in);
SF_MUST_USE int inbound_set_key(struct inbound *in, const uint8_t cek[SF_CEK_BYTES]);
/* From memory alone; the vault keeps it. */
void inbound_forget_key(struct inbound *in);
void inbound_make_spool(struct inbound *in);
void inbound_advance(struct inbound *in);
/* Bundles that waited for the spool, and orphans that waited for the grant, go on. */
void arrive_go_on(struct inbound *in);
void arrive_drop(struct inbound *in);
/* Grants and letters of that peer that are not whole yet are forgotten. */
void arrive_drop_controls(struct sf_node *node, unsigned peer);
void arrive_fini(struct sf_node *node);

/* A receipt that is signed but not necessarily about a known transfer. */
struct refusal {
    struct sf_transfer_id transfer;
    enum sf_refusal reason;
    bool retryable;
    uint64_t need_bytes;
    uint64_t bytes; /* for want of room: what the transfer would make this node keep */
};
/* Tell `peer`, at most once a second. */
void inbound_refuse_unknown(struct sf_node *node, struct peer *peer, const struct refusal *refusal);
/* The receipt of `phase` about `in`, signed, in `out`. */
SF_MUST_USE int inbound_sign(struct inbound *in, enum sf_receipt_phase phase,
    uint8_t out[SF_RECEIPT_BYTES_MAX], size_t *ret_bytes);

/* Refuse for now what was begun: nothing of it is kept, its sender is told and asks again. */
void inbound_turn_away(struct inbound *in, const struct refusal *refusal, const char *why);

/* --- Room (room.c) ---------------------------------------------------------------------- */

/* Whether `peer` may begin a transfer that keeps `bytes` bytes here; else *refusal says why not. */
bool room_for(
    struct sf_node *node, const struct peer *peer, uint64_t bytes, struct refusal *refusal);
/* The same when the outline says what it decodes to; turned away if not. */
bool room_for_plain(struct inbound *in, uint64_t plain_bytes);

/* Stop or go on taking bundles, for want of room: for what is decoded, or in the whole node. */
enum in_pause { IN_PAUSE_STAGING = 1, IN_PAUSE_NODE = 2 };
void inbound_pause(struct inbound *in, enum in_pause cause, uint64_t need_bytes);
void inbound_resume(struct inbound *in, enum in_pause cause);
/* Whether the link is to bring nothing of it now. */
bool inbound_is_resting(const struct inbound *in);
/* A bundle could not be stored, for `status`: take none for a while, longer each time in a row. */
void inbound_rest(struct inbound *in, int status);
void inbound_rest_tick(struct inbound *in);
/* One was stored. */
void inbound_rested(struct inbound *in);

/* The disk refused a write into room that had been reserved: some file systems do. */
void room_refused(struct sf_node *node);
void room_tick(struct sf_node *node);
sf_mono room_deadline(const struct sf_node *node);

/* --- Transfers refused for now (postponed.c) ----------------------------------------------- */

/* Remember it for people; `peer` asks again by itself. */
void postpone(struct sf_node *node, const struct peer *peer, const struct refusal *refusal);
/* It was taken, or called back. */
void postponed_end(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender);
/* All of that sender; returns how many there were. */
uint64_t postponed_end_all(struct sf_node *node, const struct sf_fingerprint *sender);
/* What it would make this node keep, if it was refused before; else 0. */
uint64_t postponed_bytes(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender);
bool postponed_at(const struct sf_node *node, size_t index, struct sf_node_transfer *ret_transfer);
bool postponed_find(const struct sf_node *node, const struct sf_transfer_id *transfer,
    struct sf_node_transfer *ret_transfer);
/* Refuse it for good; false if there is none. */
bool postponed_cancel(struct sf_node *node, const struct sf_transfer_id *transfer);
void postponed_tick(struct sf_node *node);
void postponed_fini(struct sf_node *node);

/* The receipt about `in` that can be given now; SF_ESTATE: nothing can. */
SF_MUST_USE int inbound_state(
    struct inbound *in, uint8_t out[SF_RECEIPT_BYTES_MAX], size_t *ret_bytes);

/* --- Letters and grants that arrive (post.c) ----------------------------------------- */

/* A complete control object; `bytes` may be changed. */
void post_take(struct sf_node *node, struct peer *peer, enum sf_kind kind,
    const struct sf_transfer_id *transfer, uint8_t *bytes, size_t count);

/* --- Bundles read back and opened (fetch.c) --------------------------------------------- */

/*
 * Read the bundle `index` of `in` from its slot and open it. `done` gets
 * SF_OK with the plaintext, whose buffer becomes the owner's to free(), or the
 * reason: SF_EIO (the disk), SF_EAUTH or SF_EFORMAT (it is not what was sealed).
 */
struct fetch {
    struct flight flight;
    struct inbound *in;
    uint64_t index;
    void (*done)(struct fetch *fetch);
    void *owner;
    int status;
    uint8_t *plain;
    struct sf_view content;
    struct sf_spool_io io;
    struct sf_job job;
};
SF_MUST_USE int fetch_begin(struct fetch *fetch);
/* Free what a fetch in flight owns, not the fetch itself. */
void fetch_drop(struct fetch *fetch);

/* On a worker: open `sealed` into `plain`, another buffer of that size. */
SF_MUST_USE int open_bundle(const struct inbound *in, uint64_t index, const uint8_t *sealed,
    uint8_t *plain, struct sf_view *ret_content);

/* --- Decoding (decode.c, staging.c) ------------------------------------------------------ */

/* One bundle opened: `content` lies in `plain`, which the taker frees. */
struct opened {
    uint64_t index;
    uint8_t *plain;
    struct sf_view content;
};

SF_MUST_USE int decoder_open(struct inbound *in);
/* Take an opened, held bundle, or leave it for later; `plain` is freed in time either way. */
void decoder_take(struct decoder *decoder, const struct opened *opened);
void decoder_step(struct decoder *decoder);
sf_mono decoder_deadline(const struct decoder *decoder);
bool decoder_is_idle(const struct decoder *decoder);
uint64_t decoder_verified_bytes(const struct decoder *decoder);
/* NULL until the outline is known. */
const struct sf_outline *decoder_outline(const struct decoder *decoder);
const struct sf_digests *decoder_digests(const struct decoder *decoder);
/* Everything was read back and matches. */
bool decoder_is_complete(const struct decoder *decoder, struct sf_digest *ret_manifest);
/* What is staged is not what it must be: decode again from the slots. */
bool decoder_has_failed(const struct decoder *decoder);
/* ... because its bytes are others, not because the disk said so. */
bool decoder_has_mismatch(const struct decoder *decoder);
/* Stop; once idle it may be freed. */
void decoder_stop(struct decoder *decoder);
void decoder_free(struct decoder *decoder);

/* The path of what is staged for `in`: staging/<32 hex>. */
enum { STAGING_PATH_BYTES = 8 + 32 + 1 };
void staging_path(const struct inbound *in, char ret_path[STAGING_PATH_BYTES]);

/* --- Delivery (deliver.c) and removal of what is staged (sweep.c) ------------------------- */

/* Everything is verified: into the inbox, once. */
void deliver_begin(struct inbound *in);
/* After a restart with an intended rename. */
void deliver_resume(struct inbound *in);
/* Try again what failed. */
void deliver_tick(struct inbound *in);
void deliver_fini(struct inbound *in);
bool deliver_is_idle(const struct inbound *in);
/*
 * The entry's name in the inbox: the label; where that was taken LABEL~ and 8
 * digits of the transfer; where that was taken too the same with -2, -3, ...
 */
void deliver_name(const struct inbound *in, const char label[256], char ret_name[256]);

/* Remove staging/<hex> with all that is in it, then call `done`. */
void sweep_begin(struct inbound *in, void (*done)(struct inbound *in));

/* --- The audit log ------------------------------------------------------------------ */

void record_out(struct outbound *out, const char *event, const struct out_to *to, const char *why);
void record_in(struct inbound *in, const char *event, const char *why);
void record_peer(struct sf_node *node, const char *event, struct peer *peer, const char *why);
/* What the operator did to a peer, by which `ended` transfers ended; never left out. */
void record_operator(struct sf_node *node, const char *event,
    const struct sf_fingerprint *fingerprint, uint64_t ended);
/*
 * Whether one more record that a peer causes at will may be written; those that
 * may not are counted, and record_peer() tells how many they were.
 */
bool record_may(struct peer *peer, sf_mono now);

/* --- The node ----------------------------------------------------------------------- */

enum { ENDED_NOTES = 64 };

struct ended_note {
    struct sf_transfer_id transfer;
    struct sf_fingerprint sender;
};

struct event_ring {
    struct sf_node_event events[EVENTS_MAX];
    size_t first;
    size_t count;
};

/* --- coders.c --- */

/* Memory for coding frames: one for each worker, opened when it first needs it. */
struct coders {
    struct sf_coder *of[SF_NODE_WORKERS_MAX];
};

/* On a worker: the coder that belongs to the one that runs `job`. SF_OK or SF_ENOMEM. */
SF_MUST_USE int node_coder(
    struct coders *coders, const struct sf_job *job, struct sf_coder **ret_coder);
void coders_fini(struct coders *coders);

struct sf_node {
    struct sf_node_config config;
    struct sf_disk *disk;
    struct sf_workers *workers;
    struct coders coders;
    sf_mono now;
    sf_mono rates_at; /* when to look at what was found of paths */
    sf_mono cover_at; /* when to keep what is still owed of filler */
    bool is_sharing;  /* a share of somebody's budget is being recorded */
    struct sf_wall wall;
    sf_mono wall_at; /* when it showed that */
    bool is_open;    /* recovery is over */
    bool is_closing; /* begin nothing new */
    int health;
    bool is_full; /* the disk has no room: nothing new is taken in */
    uint64_t full_need_bytes;
    sf_mono room_at;       /* it is tried again */
    sf_mono refused_until; /* reserved room was refused: full at least until then */

    struct sf_identity *identity;
    struct sf_card card;
    sf_mono rotated_at;
    struct keyring *keyring;

    struct sf_journal *journal;
    struct sf_spool_set *spools;
    struct sf_vault *vault;
    struct sf_audit *audit;
    struct sf_link *link;
    uint32_t boot;
    uint32_t boot_began;   /* what it was when the node started */
    uint32_t boot_told;    /* what it becomes as soon as that is durable */
    struct sf_lives lives; /* of this start and those before it, up to boot_told */

    struct peer peers[SF_NODE_PEERS_MAX];
    unsigned peer_order[SF_NODE_PEERS_MAX];
    size_t peer_count;

    struct outbound *outs;
    struct inbound *ins;
    struct postponed *postponed;
    struct ended_note ended[ENDED_NOTES];
    size_t ended_next;
    struct mail *mails;
    struct control *controls; /* control objects on their way in */
    struct cache cache;

    uint64_t memory_bytes; /* in large buffers of node/ */
    uint64_t memory_peak;
    struct intake *sealing;   /* whose turn it is; NULL: nobody's */
    struct decoder *decoding; /* the same */
    struct bases *hashing;    /* the same */
    uint64_t turns;
    unsigned chunks; /* of staging, being read back */
    uint64_t opening_bytes;
    unsigned orphan_checks;

    uint64_t inbox_era; /* failed syncs of the folders that deliveries share, so far */

    struct event_ring *events;
    struct flight *flights; /* what disk, workers and commits hold on to */
    unsigned commits;       /* of the node's own, outstanding */
    struct sf_commit audit_commit;
    unsigned audit_commits; /* 0 or 1 */
    bool audit_again;       /* records were appended while it ran */
    uint32_t receipts;      /* signed since the start; with the boot counter they are in order */
    uint32_t generations;   /* of receipts, begun since the start */
};

/* Append an event; printf-like text. */
__attribute__((format(printf, 4, 5))) void node_say(struct sf_node *node,
    enum sf_node_event_kind kind, const struct sf_transfer_id *transfer, const char *format, ...);
/* An event about a peer. */
void node_say_peer(struct sf_node *node, const struct peer *peer, const char *text);
__attribute__((format(printf, 3, 4))) int node_error(
    struct sf_node_error *error, int status, const char *format, ...);

/* Stop: `status` leaves this run nothing it may promise. The next start finds what is durable. */
void node_fail(struct sf_node *node, int status);
/* A fact could not be appended: the same, unless `status` is SF_OK. */
void node_must(struct sf_node *node, int status);

/* Commit the journal and forget about it: a failure shows in the node's health. */
void node_commit(struct sf_node *node);
/* Commit, then call `done(owner)`; not called if the journal died. */
void node_commit_then(struct sf_node *node, void (*done)(void *owner), void *owner);

/* Act on one event of the link, and on every one that waits there. */
void node_link_event(struct sf_node *node, const struct sf_link_event *event);
void node_drain(struct sf_node *node);

/* Page-aligned memory; NULL if there is none. Free with free(). */
uint8_t *buffer_alloc(size_t bytes);

/* --- Memory (turns.c) ------------------------------------------------------------------- */

/* Keep account of the large buffers. */
void memory_take(struct sf_node *node, uint64_t bytes);
void memory_give(struct sf_node *node, uint64_t bytes);
/* Whether the turn to decode is this decoder's; it takes it if nobody has it. */
bool turn_is_to_decode(struct decoder *decoder);
void turn_end_decoding(struct decoder *decoder);
/* A buffer for reading back what is staged; NULL while others have them all. */
uint8_t *chunk_take(struct sf_node *node, size_t bytes);
void chunk_give(struct sf_node *node, uint8_t *data, size_t bytes);
/* Whether one more bundle of that size may be opened now. */
bool opening_take(struct sf_node *node, uint64_t bytes);
void opening_give(struct sf_node *node, uint64_t bytes);
/* Let turns begin and end. */
void turns_tick(struct sf_node *node);

/* --- The key ring ------------------------------------------------------------------- */

SF_MUST_USE int keyring_load(struct sf_node *node, struct sf_node_error *error);
void keyring_tick(struct sf_node *node);
sf_mono keyring_deadline(const struct sf_node *node);
/* The keys were restored too: new ones, with numbers above all that can have been given out. */
void keyring_rolled_back(struct sf_node *node);
bool keyring_is_idle(const struct sf_node *node);
void keyring_free(struct sf_node *node);
bool keyring_link_prekey(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32]);

/* Vault keys: which content key. */
void vault_key_out(const struct sf_transfer_id *id, uint8_t ret_key[SF_VAULT_KEY_BYTES]);
void vault_key_in(const struct inbound *in, uint8_t ret_key[SF_VAULT_KEY_BYTES]);

/* Keep the name of an inbox entry under the node's own key, for as long as it is listed. */
size_t history_seal(struct sf_node *node, const char *name, uint8_t out[12 + 255 + 16]);
SF_MUST_USE int history_open(const struct sf_node *node, struct sf_view sealed, char ret_name[256]);

/* Label under the content key: nonce (12), sealed bytes; so that it vanishes with the key. */
enum { LABEL_SEALED_BYTES_MAX = 12 + 255 + 16 };
size_t label_seal(struct sf_node *node, const struct sf_seal *seal, const char *label,
    uint8_t out[LABEL_SEALED_BYTES_MAX]);
SF_MUST_USE int label_open(const struct sf_seal *seal, struct sf_view sealed, char ret_label[256]);

#endif
