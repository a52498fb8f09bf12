/*
 * schema.h - the durable facts of a node: tables, keys and records of the
 * journal, byte by byte.
 *
 * The journal keeps facts without knowing what they mean; this file is their
 * meaning. Records are fixed layouts of big-endian integers behind a version
 * byte; a record of another version or length is SF_EFORMAT, never guessed at.
 * No record holds a key, a file name or a path: the label of a transfer is
 * kept sealed under its content key and can be read only as long as that key
 * exists.
 *
 *   table          key                        value
 *   NODE           "boot"                     u32: starts of this node so far; then the lives of the
 *                                             last 8, the present one first, u64 each (link/lives.h)
 *   NODE           "run"                      u64: milliseconds this node has run
 *   PEER           fingerprint                struct sf_record_peer
 *   CARD           fingerprint                newest card learnt over the link
 *   REVOKED        fingerprint                i64: when, in ms of the wall clock
 *   COVER          fingerprint                struct sf_record_cover
 *   OUT            transfer                   struct sf_record_out
 *   OUT_SEALED     transfer                   set of bundle indices, each tagged with its siv but
 *                                             the last 4 bytes, and the CRC-32C of the object
 *   OUT_MANIFEST   transfer                   manifest digest, then sha256 and u64 length per file
 *   OUT_TO         transfer, fingerprint      struct sf_record_to
 *   OUT_HELD       transfer, fingerprint      set of bundle indices that recipient's receipts list
 *   OUT_RECEIPT    transfer, fingerprint      its signed FINAL or terminal REFUSED
 *   OUT_LABEL      transfer                   nonce (12), sealed label
 *   IN             transfer, fingerprint      struct sf_record_in
 *   IN_HELD        transfer, fingerprint      set of bundle indices opened and durable
 *   IN_ORPHAN      transfer, fingerprint      set of bundle indices durable, not yet opened
 *   IN_RECEIPT     transfer, fingerprint      own signed FINAL or terminal REFUSED: the tombstone
 *   IN_LABEL       transfer, fingerprint      nonce (12), sealed name of the inbox entry
 *   IN_ENDED       fingerprint                set of the sender's numbers for transfers that have
 *                                             ended here and whose tombstone is not kept any more
 */
#ifndef SF_NODE_SCHEMA_H
#define SF_NODE_SCHEMA_H

#include "base/bytes.h"
#include "base/status.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum sf_table {
    SF_TABLE_NODE = 1,
    SF_TABLE_PEER = 2,
    SF_TABLE_CARD = 3,
    SF_TABLE_REVOKED = 4,
    SF_TABLE_COVER = 5,
    SF_TABLE_OUT = 10,
    SF_TABLE_OUT_SEALED = 11,
    SF_TABLE_OUT_MANIFEST = 12,
    SF_TABLE_OUT_TO = 13,
    SF_TABLE_OUT_HELD = 14,
    SF_TABLE_OUT_RECEIPT = 15,
    SF_TABLE_OUT_LABEL = 16,
    SF_TABLE_IN = 20,
    SF_TABLE_IN_HELD = 21,
    SF_TABLE_IN_ORPHAN = 22,
    SF_TABLE_IN_RECEIPT = 23,
    SF_TABLE_IN_LABEL = 24,
    SF_TABLE_IN_ENDED = 25,
};

enum {
    SF_RECORD_PEER_BYTES = 1 + 5 * 8,
    SF_RECORD_COVER_BYTES = 1 + 3 * 8,
    SF_RECORD_OUT_BYTES = 1 + 6 + 4 + 4 + 7 * 8 + 2 * 16,
    SF_RECORD_TO_BYTES = 1 + 3 + 4 * 8,
    SF_RECORD_IN_BYTES = 1 + 4 + 4 + 9 * 8,
    SF_RECORD_BYTES_MAX = 128,
    SF_PAIR_KEY_BYTES = 48, /* transfer, fingerprint */
};

/* What a peer and this node have counted towards each other. */
struct sf_record_peer {
    uint64_t epoch_in;    /* highest link epoch accepted from it, */
    uint64_t life_in;     /* ... and which life of it that is */
    uint64_t number_next; /* number of the next transfer to it */
    uint64_t rung_opened; /* highest rung of the ladder towards it whose grant it has opened */
    uint64_t found_bps;   /* what its path took, where that is found; 0 = not known */
};

/* Filler for a peer (node/cover.c). */
struct sf_record_cover {
    uint64_t owed_bytes; /* of segments that filler is still to stand for */
    int64_t day;         /* of the wall clock, since 1970, */
    uint64_t day_bytes;  /* ... of whose budget so many may have gone */
};

enum sf_out_phase {
    SF_OUT_SEALING = 1,
    SF_OUT_CUSTODY = 2,
    SF_OUT_DONE = 3,
    SF_OUT_FAILED = 4,    /* kept until cancelled */
    SF_OUT_CANCELLED = 5, /* spool and key are gone; recipients may still have to be told */
};

/* Two transfers of the same files stand for one: only what changed, and all of it. */
enum sf_out_role {
    SF_OUT_ALONE = 0,
    SF_OUT_DELTA = 1, /* what changed; goes to every recipient */
    SF_OUT_WHOLE = 2, /* everything; kept for those whose base is gone */
};

struct sf_record_out {
    uint8_t phase; /* enum sf_out_phase */
    uint8_t role;  /* enum sf_out_role */
    uint8_t priority;
    bool single_file;
    bool forget_key;
    uint8_t reason; /* enum sf_cancel_reason; not 0: it was cancelled, its spool and key are gone */
    uint32_t class_bytes;
    uint32_t recipient_count;
    uint64_t slots;
    uint64_t count; /* 0 until sealed to the end */
    uint64_t plain_bytes;
    uint64_t file_count;
    struct sf_wall created;
    struct sf_wall ended;
    struct sf_wall deadline;    /* it should be there by then; 0 = none was given */
    struct sf_transfer_id pair; /* the other of the two; zeros if alone */
    struct sf_transfer_id base; /* DELTA: by which the recipients got the bases; else zeros */
};

enum sf_to_phase {
    SF_TO_OPEN = 1,
    SF_TO_VERIFIED = 2,
    SF_TO_FINAL = 3,
    SF_TO_REFUSED = 4,
    SF_TO_CANCELLING = 5, /* the signed cancel has not been answered yet */
    SF_TO_CANCELLED = 6,
    SF_TO_REVOKED = 7, /* it was revoked before it had all; nobody tells it */
    SF_TO_WHOLE = 8,   /* DELTA: its base is gone; it gets the whole */
    SF_TO_STANDBY = 9, /* WHOLE: not sent, as long as its base is there */
    SF_TO_SPARED = 10, /* WHOLE: it was not needed */
};

struct sf_record_to {
    uint8_t phase;  /* enum sf_to_phase */
    uint8_t order;  /* position among the recipients */
    uint8_t reason; /* of a refusal, enum sf_refusal */
    bool opened;    /* a receipt has shown that it opened its grant */
    uint64_t number;
    uint64_t rung;
    uint64_t generation; /* of the receipts merged so far */
    uint64_t counter;
};

enum sf_in_phase {
    SF_IN_ORPHANED = 1, /* bundles but no grant yet */
    SF_IN_RECEIVING = 2,
    SF_IN_DELIVERING = 3, /* everything verified; the rename is intended */
    SF_IN_DONE = 4,
    SF_IN_REFUSED = 5, /* for good; the tombstone says why */
};

struct sf_record_in {
    uint8_t phase;  /* enum sf_in_phase */
    uint8_t reason; /* of a refusal */
    uint16_t apart; /* the inbox entry is called: 0 as the label, else see deliver_name() */
    uint32_t class_bytes;
    uint64_t slots;
    uint64_t count;      /* 0 until the digests are known */
    uint64_t number;     /* of the sender; 0 until granted */
    uint64_t generation; /* of own receipts */
    uint64_t verified; /* plaintext bytes synced, read back and hashed; slots before may be gone */
    uint64_t punched;  /* slots below are given back */
    uint64_t inode;    /* of the staged entry once the rename is intended */
    struct sf_wall created;
    struct sf_wall ended;
};

/* Encoders fill `out` and return the record's length. */
size_t sf_record_peer_encode(const struct sf_record_peer *record, uint8_t out[SF_RECORD_BYTES_MAX]);
size_t sf_record_cover_encode(
    const struct sf_record_cover *record, uint8_t out[SF_RECORD_BYTES_MAX]);
size_t sf_record_out_encode(const struct sf_record_out *record, uint8_t out[SF_RECORD_BYTES_MAX]);
size_t sf_record_to_encode(const struct sf_record_to *record, uint8_t out[SF_RECORD_BYTES_MAX]);
size_t sf_record_in_encode(const struct sf_record_in *record, uint8_t out[SF_RECORD_BYTES_MAX]);

/* Decoders return SF_OK, or SF_EFORMAT with *ret_record untouched. */
SF_MUST_USE int sf_record_peer_decode(struct sf_view value, struct sf_record_peer *ret_record);
SF_MUST_USE int sf_record_cover_decode(struct sf_view value, struct sf_record_cover *ret_record);
SF_MUST_USE int sf_record_out_decode(struct sf_view value, struct sf_record_out *ret_record);
SF_MUST_USE int sf_record_to_decode(struct sf_view value, struct sf_record_to *ret_record);
SF_MUST_USE int sf_record_in_decode(struct sf_view value, struct sf_record_in *ret_record);

/* The key of facts about a transfer and one other node. */
void sf_pair_key(const struct sf_transfer_id *transfer, const struct sf_fingerprint *fingerprint,
    uint8_t ret_key[SF_PAIR_KEY_BYTES]);

#endif
