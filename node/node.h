/*
 * node.h - one endpoint: where sealed bundles, the custody store and the link
 * meet.
 *
 * The node keeps the promise of the whole system: what `sf_node_send` has
 * taken into custody is delivered whole, or someone is told why. Its rule is
 * verified -> durable -> acknowledged, in that order, everywhere.
 *
 * It is an engine like the ones it is made of: time and datagrams come in as
 * arguments, datagrams and events come out, disk operations go through a
 * `struct sf_disk` and CPU work through `struct sf_workers`. It reads no
 * clock, opens no socket, starts no thread and prints nothing, so that the
 * simulator runs the very code that flies.
 *
 * The driver's loop:
 *
 *     sf_disk_poll(disk); sf_workers_poll(workers);     what was finished
 *     sf_node_input(node, from, datagram, bytes, now);  what came in
 *     sf_node_tick(node, now, wall);                    whenever the deadline has passed,
 *                                                       and after anything above
 *     while (sf_node_output(node, ...)) send;           what goes out
 *     while (sf_node_event(node, &event)) log;
 *     sleep until sf_node_deadline(node), or input, or a completion.
 *
 * Not thread-safe; everything is called on one thread.
 */
#ifndef SF_NODE_NODE_H
#define SF_NODE_NODE_H

#include "base/bytes.h"
#include "base/job.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "bundle/card.h"
#include "bundle/identity.h"
#include "link/link.h"
#include "store/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_NODE_NAME_BYTES_MAX = 63, /* of a peer, without the NUL */
    SF_NODE_PEERS_MAX = 64,
    SF_NODE_WORKERS_MAX = 64,
    SF_NODE_RECIPIENTS_MAX = 32,    /* of one transfer */
    SF_NODE_TEXT_BYTES_MAX = 511,   /* of an explanation, without the NUL */
    SF_NODE_PRIORITY_DEFAULT = 128, /* 0 is most urgent, 255 least */
};

struct sf_node;

struct sf_node_config {
    struct sf_disk *disk;       /* its root is the node's home; outlives the node */
    struct sf_workers *workers; /* outlive the node */
    struct sf_random random;
    const uint8_t *master;    /* base/master.h: opens `keys` and `kek`; NULL for a home without one.
                              Guarded memory that outlives the node */
    uint32_t worker_count;    /* how many jobs may run at once; 1 .. SF_NODE_WORKERS_MAX */
    uint32_t mtu_bytes;       /* of the largest IP packet tried, 1280 .. 9000; 0 for 1400 */
    uint32_t mtu_blind_bytes; /* of IP packets to where nothing comes back; 0 for 1400 at most */
    uint64_t reserve_bytes;   /* keep this much of the file system free */
    uint64_t quota_bytes;     /* a peer's open transfers may keep here, each counted with its sealed
                               bytes or its plaintext, whichever is more; unless its own quota says
                               otherwise */
    uint32_t
        class_bytes; /* fixed size class of outgoing bundles; 0 lets the size of the transfer decide */
    uint32_t punch_bytes; /* so much is read back right before slots are given back; 0: 16 MiB */
    bool code_raw;        /* files are sealed as they are, without a try at making them smaller */
};

/* Why something cannot be done, for a person: what was wrong, with which value, what to do. */
struct sf_node_error {
    int status;
    char text[SF_NODE_TEXT_BYTES_MAX + 1];
};

/*
 * Open the node whose home is the root of `config->disk`: read `keys`, recover
 * the journal and the spool, and take up every transfer where it stood. May
 * block on the disk; nothing else of the node does.
 *
 * Returns SF_OK and *ret_node, which the caller closes; or SF_ENOENT (no keys:
 * `skyferry init` was not run), SF_EAUTH (keys that are sealed, and not under
 * config->master), SF_EFORMAT (a damaged file, named in *error),
 * SF_EIO, SF_ENOMEM, SF_EINVAL, with *error saying what to do.
 */
SF_MUST_USE int sf_node_open(const struct sf_node_config *config, sf_mono now, struct sf_wall wall,
    struct sf_node **ret_node, struct sf_node_error *error);

/*
 * Free the node. What was durable stays; nothing needs to be shut down first
 * (a power cut is the ordinary end). The disk must be idle or outlive its
 * operations: this waits for the ones in flight.
 */
void sf_node_close(struct sf_node *node);

/* Free the memory alone: the power is gone, the disk and the workers call nothing back any more. */
void sf_node_drop(struct sf_node *node);

/* This node's own card; valid until the next tick. */
const struct sf_card *sf_node_card(const struct sf_node *node);

/* --- The engine ------------------------------------------------------------ */

/* A datagram came in. It is decrypted in place: garbage afterwards. */
void sf_node_input(
    struct sf_node *node, const struct sf_addr *from, uint8_t *datagram, size_t bytes, sf_mono now);

/* The datagram that came in last bore the mark CE, as sf_link_congested(). */
void sf_node_congested(struct sf_node *node);

/* The own host could not send a datagram of `bytes` to `to`, as sf_link_refused(). */
void sf_node_refused(struct sf_node *node, const struct sf_addr *to, size_t bytes);

/* The next datagram to send, if one may leave now. Returns false if none. */
bool sf_node_output(struct sf_node *node, struct sf_addr *ret_to, uint8_t *datagram,
    size_t bytes_max, size_t *ret_bytes, sf_mono now);

/* The `mark` of the peer that the datagram given last is for. */
uint32_t sf_node_mark(const struct sf_node *node);

/* Let timers run and go on with whatever completions have made possible. */
void sf_node_tick(struct sf_node *node, sf_mono now, struct sf_wall wall);

/* When sf_node_tick() or sf_node_output() is to be called next without anything else happening. */
sf_mono sf_node_deadline(const struct sf_node *node);

/*
 * SF_OK while the node can keep its promise. SF_EIO once the journal could not
 * be written: nothing more is acknowledged; the driver stops the program and
 * says so, and a restart recovers what the disk really holds.
 */
SF_MUST_USE int sf_node_health(const struct sf_node *node);

/*
 * Whether the disk has no room left even for the node's own records: it takes
 * nothing new in, from nobody, until *ret_need_bytes more bytes are free, and
 * then goes on by itself. Nothing is lost by it.
 */
bool sf_node_is_full(const struct sf_node *node, uint64_t *ret_need_bytes);

/*
 * Bytes in large buffers of transfers being sealed, sent from memory, received
 * and decoded, and the most there ever were since the node was opened. The link's
 * pool is a constant beside them.
 */
void sf_node_memory(const struct sf_node *node, uint64_t *ret_bytes, uint64_t *ret_peak);

/* --- Events ---------------------------------------------------------------- */

enum sf_node_event_kind {
    SF_NODE_EVENT_TRANSFER, /* a transfer changed state */
    SF_NODE_EVENT_PEER,     /* a peer came up or went dark */
    SF_NODE_EVENT_NOTICE,   /* worth a line in the log */
    SF_NODE_EVENT_WARNING,  /* worth the operator's attention */
};

struct sf_node_event {
    enum sf_node_event_kind kind;
    struct sf_transfer_id transfer;        /* TRANSFER, else zero */
    char peer[SF_NODE_NAME_BYTES_MAX + 1]; /* or "" */
    char text[SF_NODE_TEXT_BYTES_MAX + 1]; /* one line, no secrets, no file names */
};

bool sf_node_event(struct sf_node *node, struct sf_node_event *ret_event);

/* --- Peers ----------------------------------------------------------------- */

/* What is done so that sizes and times show less. */
enum sf_node_privacy {
    SF_NODE_PRIVACY_NONE,
    SF_NODE_PRIVACY_SIZE,   /* filler hides how many bundles a transfer has */
    SF_NODE_PRIVACY_TIMING, /* and, within a budget, whether there is a transfer */
};

struct sf_node_peer {
    char name[SF_NODE_NAME_BYTES_MAX + 1];
    struct sf_card card;                              /* a newer one learnt over the link wins */
    bool may_send;                                    /* it may send to this node */
    bool may_receive;                                 /* this node may send to it */
    bool has_endpoint;                                /* else this node waits to be called */
    struct sf_addr endpoint;                          /* authorised by the operator */
    struct sf_addr others[SF_LINK_ENDPOINTS_MAX - 1]; /* as well, tried in turn with it */
    unsigned other_count;
    enum sf_link_pace pace; /* FIXED: at rate_bps; else found, at most rate_bps */
    uint64_t rate_bps;      /* IP bits per second towards it */
    uint64_t max_bps;       /* never more, also in a contact; 0 = no such ceiling */
    uint64_t rtt_ns;        /* round trip, until it is measured; 0: not known */
    uint32_t limits;        /* bit i: limit number i counts for it, see sf_node_limit() */
    uint32_t mark;          /* the driver's own: sf_node_mark() */
    uint64_t quota_bytes;   /* 0: the node's default */
    bool has_psk;
    uint8_t
        psk[32]; /* the pair's seed, needed once; all zeros: what is left of it is in the vault */
    bool no_return; /* a one-way link: nothing will ever come back */
    enum sf_node_privacy privacy;
    uint64_t cover_day_bytes; /* TIMING: IP bytes of filler in a day of the wall clock, UTC */
};

/*
 * Add a peer, or change the one of that name. Returns SF_OK, SF_EINVAL (a bad
 * value), SF_EEXIST (another name has this card), SF_ELIMIT, SF_ENOENT (a
 * pre-shared key, and neither its seed nor what is left of it); *error explains.
 */
SF_MUST_USE int sf_node_peer_set(
    struct sf_node *node, const struct sf_node_peer *peer, struct sf_node_error *error);

/* Forget a peer. SF_ENOENT; SF_ESTATE while transfers to or from it are open. */
SF_MUST_USE int sf_node_peer_remove(
    struct sf_node *node, const char *name, struct sf_node_error *error);

/*
 * Revoke the node of that fingerprint: from now on nothing of it is accepted or
 * answered, nothing goes to it, and no pre-shared key of it is kept. Its open
 * transfers end (except what is verified whole and on its way into the inbox);
 * those to other recipients as well go on. The audit log says so.
 *
 * Returns how many transfers ended. That it may not be a peer again is the
 * caller's to keep: durably, before the call, and called again after every
 * start, which finishes what a crash interrupted and otherwise changes nothing.
 */
uint64_t sf_node_revoke(struct sf_node *node, const struct sf_fingerprint *fingerprint);

/*
 * Make new prekeys now; they are on this node's card once the key file is
 * durable, when *ret_issue of the card is reached or passed. What was sealed to the old
 * ones can still be opened. SF_OK; SF_ELIMIT: too many are kept already; *error
 * explains.
 */
SF_MUST_USE int sf_node_rotate(
    struct sf_node *node, uint64_t *ret_issue, struct sf_node_error *error);

struct sf_node_peer_info {
    struct sf_node_peer peer; /* the psk is zeroed */
    bool is_psk_kept;         /* what is left of the seed is durable: the seed can go */
    uint64_t cover_day_bytes; /* of today's budget, that may have gone */
    struct sf_link_peer_stats link;
};

/*
 * All peers together that name `limit` get at most `rate_bps` IP bits a
 * second; 0 takes it away. SF_OK or SF_EINVAL, as sf_link_limit().
 */
SF_MUST_USE int sf_node_limit(struct sf_node *node, unsigned limit, uint64_t rate_bps);

/* The peer number `index`, in the order they were added; false beyond the last. */
bool sf_node_peer_at(const struct sf_node *node, size_t index, struct sf_node_peer_info *ret_info);

/*
 * Jump above every epoch the peer can have seen, after a restore: where a peer
 * cannot say so, because nothing comes back, or because this node has no address
 * there. Each one in a run goes further: one for this restore, and one for each
 * reset that may be forgotten with it.
 *
 * Returns SF_OK, SF_ENOENT, SF_ELIMIT after sixteen in a run, or SF_EINVAL when
 * the numbers are used up.
 */
SF_MUST_USE int sf_node_peer_reset(
    struct sf_node *node, const char *name, struct sf_node_error *error);

/* --- Transfers ------------------------------------------------------------- */

/*
 * An earlier version of a file, which every recipient has got from this node: only what changed
 * is sent. Open and readable; what it was by its digest is the caller's to know, and checked by
 * the recipients.
 */
struct sf_node_base {
    int file; /* handle of the disk; the node closes it, also after a failure */
    struct sf_disk_stat stat;
    struct sf_digest sha256;
};

/* One file to send: an open, readable, regular file and where it goes below the transfer's label. */
struct sf_node_source {
    int file;            /* handle of the disk; the node closes it, also after a failure */
    struct sf_view path; /* components joined by '/'; empty if the transfer is a single file */
    bool executable;
    struct sf_disk_stat stat;        /* as it is now; another length, time or inode at the end of
                                 sealing means that the file was changed meanwhile */
    const struct sf_node_base *base; /* NULL: it is sent for itself */
};

struct sf_node_send {
    const char *const *recipients; /* peer names */
    size_t recipient_count;        /* 1 .. SF_NODE_RECIPIENTS_MAX */
    struct sf_view label;          /* what the recipient's inbox will show: one path component */
    const struct sf_node_source *sources;
    size_t source_count;
    bool single_file; /* label is the file itself, not a directory */
    uint8_t priority;
    struct sf_wall
        deadline;    /* of one priority the earliest goes first, then those without; 0 = none */
    bool forget_key; /* drop the content key once every recipient has opened its grant */
    bool has_resume; /* go on with `resume`, whose sealing a restart had interrupted */
    struct sf_transfer_id resume;
};

/*
 * Whether the recipient of that name holds a file of this digest and length from this node: it
 * has signed for it with FINAL, and that is remembered. Then it may be a base.
 */
bool sf_node_holds(
    const struct sf_node *node, const char *name, const struct sf_digest *sha256, uint64_t bytes);

/*
 * By which transfer the recipient of that name got what outgoing `transfer` was to bring it: by
 * itself, or by the whole that went in its place. False if it has not signed for it with FINAL, or
 * that is forgotten: then it is no base for it.
 */
bool sf_node_came_by(const struct sf_node *node, const struct sf_transfer_id *transfer,
    const char *name, struct sf_transfer_id *ret_by);

/*
 * Begin to take files into custody. On SF_OK the transfer exists (*ret_transfer)
 * and its state tells how far it is; it is in custody when the state says so.
 *
 * Errors: SF_ENOENT (unknown peer, or nothing to resume), SF_EINVAL (a bad
 * name), SF_ESTATE (peer may not receive), SF_ENOSPC (with the amount needed),
 * SF_ELIMIT, SF_ENOMEM; *error says which value and what to do. The sources
 * are closed in every case.
 *
 * With bases the whole is sealed first, as a transfer of its own that stays here, and what changed
 * after that; custody begins when both are durable. A recipient whose base is gone, or was
 * changed, says so once and gets the whole, without anybody's doing. All bases must have come to
 * every recipient by one transfer, which SF_ENOENT says they did not; at most
 * SF_OUTLINE_BASES_MAX of them; not with forget_key (SF_EINVAL).
 */
SF_MUST_USE int sf_node_send(struct sf_node *node, const struct sf_node_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error);

/*
 * Cancel a transfer at this end and tell the other with a signed message, now
 * or when it comes. At the sender spool and key are freed at once; at the
 * receiver what it holds is. SF_ENOENT, SF_ESTATE (finished already).
 */
SF_MUST_USE int sf_node_cancel(
    struct sf_node *node, const struct sf_transfer_id *transfer, struct sf_node_error *error);

enum sf_node_state {
    SF_NODE_SEALING,     /* out: reading, sealing; bundles may fly already */
    SF_NODE_INTERRUPTED, /* out: a restart came before custody; send again to go on */
    SF_NODE_CUSTODY,     /* out: durable, on its way or waiting */
    SF_NODE_RECEIVING,   /* in */
    SF_NODE_VERIFYING,   /* in: all bundles are here */
    SF_NODE_DONE,        /* FINAL everywhere; in: delivered */
    SF_NODE_FAILED,      /* will not arrive; `why` says why */
    SF_NODE_CANCELLED,
    SF_NODE_WAITING, /* in: refused for now; its sender asks again; `why` says what it takes */
};

enum sf_node_recipient_state {
    SF_NODE_TO_WAITING, /* nothing heard of it yet */
    SF_NODE_TO_HELD,    /* a signed HELD receipt came */
    SF_NODE_TO_VERIFIED,
    SF_NODE_TO_PAUSED, /* the peer cannot take it now; `why` says why */
    SF_NODE_TO_FINAL,
    SF_NODE_TO_REFUSED, /* for good */
    SF_NODE_TO_CANCELLED,
    SF_NODE_TO_REVOKED,
};

struct sf_node_recipient {
    char name[SF_NODE_NAME_BYTES_MAX + 1];
    enum sf_node_recipient_state state;
    uint64_t held;       /* bundles its receipts list */
    uint64_t link_bytes; /* sealed bytes its link has reported received */
    uint64_t pad_bytes;  /* that filler stands for, so that its size shows less; 0 while unknown */
    char why[SF_NODE_TEXT_BYTES_MAX + 1];
};

struct sf_node_file {
    struct sf_digest sha256;
    uint64_t bytes;
};

struct sf_node_transfer {
    struct sf_transfer_id id;
    bool outgoing;
    enum sf_node_state state;
    char label[256]; /* "" once the key is gone; may hold any bytes but NUL and '/' */
    bool single_file;
    uint8_t priority;
    struct sf_wall deadline; /* out: it should be there by then; 0 = none */
    uint32_t class_bytes;
    uint64_t slots;          /* most bundles it can have */
    uint64_t count;          /* bundles it has, 0 while unknown */
    uint64_t sealed;         /* out: bundles sealed and durable */
    uint64_t held;           /* in: bundles opened and durable */
    uint64_t plain_bytes;    /* of all files, 0 while unknown */
    uint64_t plain_done;     /* out: sealed from; in: verified on disk */
    uint64_t received_bytes; /* in: sealed bytes received */
    uint64_t need_bytes;     /* in: must become free before it goes on; 0 if nothing is missing */
    struct sf_wall created;
    struct sf_wall ended;                                        /* 0 while open */
    char peer[SF_NODE_NAME_BYTES_MAX + 1];                       /* in: the sender */
    struct sf_node_recipient recipients[SF_NODE_RECIPIENTS_MAX]; /* out */
    size_t recipient_count;
    bool key_forgotten;
    bool has_base;              /* out: what changed against files that the recipients hold, */
    struct sf_transfer_id base; /* ... which they got by that one; else zeros */
    bool is_in_place;           /* out: sent whole, in the place of one whose base was gone */
    char delivered_as[256];     /* in: the entry in inbox/PEER once delivered */
    char why[SF_NODE_TEXT_BYTES_MAX + 1]; /* FAILED, CANCELLED, or what it waits for; else "" */
};

/* Number `index` in order of creation; false beyond the last. */
bool sf_node_transfer_at(
    const struct sf_node *node, size_t index, struct sf_node_transfer *ret_transfer);
/* By id; false if unknown. */
bool sf_node_transfer_find(const struct sf_node *node, const struct sf_transfer_id *id,
    struct sf_node_transfer *ret_transfer);
/* File `index` of a transfer's digests, in the order of its manifest; false if unknown or beyond. */
bool sf_node_transfer_file(const struct sf_node *node, const struct sf_transfer_id *id,
    size_t index, struct sf_node_file *ret_file);
/*
 * The signed FINAL (or terminal REFUSED) receipt of recipient `index` of an
 * outgoing transfer, or (index 0) of this node for an incoming one; data NULL
 * if there is none. Valid until the next call into the node.
 */
struct sf_view sf_node_transfer_receipt(
    const struct sf_node *node, const struct sf_transfer_id *id, size_t index);

/*
 * What this node can sign about incoming transfer `id` now, as a letter sealed
 * to its sender: to be carried there by other means than the link. `out` takes
 * SF_LETTER_BYTES_MAX bytes.
 *
 * Returns SF_OK; SF_ENOENT (no such incoming transfer); SF_ESTATE (nothing of it
 * is durable yet, or its sender is no peer any more); SF_EAUTH (the sender's
 * card cannot be sealed to), SF_ENOMEM, SF_EIO.
 */
SF_MUST_USE int sf_node_receipt_export(struct sf_node *node, const struct sf_transfer_id *id,
    uint8_t *out, size_t *ret_bytes, struct sf_node_error *error);

/*
 * Take such a letter (changed in place), as if it had come over the link: it
 * counts if it authenticates, and for what its signature says.
 *
 * Returns SF_OK, and the transfer it is about; SF_EFORMAT (no letter),
 * SF_EAUTH (not for this node, of nobody known, not authentic, or no receipt),
 * SF_ESTATE (sealed to a key that is gone), SF_ENOENT (about a transfer that
 * this node has not sent to that peer, or has forgotten).
 */
SF_MUST_USE int sf_node_receipt_import(struct sf_node *node, uint8_t *letter, size_t bytes,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error);

const char *sf_node_state_name(enum sf_node_state state);
const char *sf_node_recipient_state_name(enum sf_node_recipient_state state);

#endif
