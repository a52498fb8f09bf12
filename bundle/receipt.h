/*
 * receipt.h - the receiver's signed statements, what the sender makes of them, and cancels.
 *
 * A receipt is cumulative: it says all that the receiver holds, so that loss,
 * replay and reordering do no harm. It travels sealed in a letter, and the encoded
 * bytes of a FINAL are kept as the proof and the tombstone.
 *
 * Both are tagged COSE_Sign1 (RFC 9052, EdDSA, external data of labels.h) over
 *
 *   receipt  [1, receiver, sender, transfer, generation, counter, phase, held, manifest,
 *             files, refusal, audit head, random]
 *   held     [gap, length, gap, length, ...]: each range by its distance from the one
 *            before and its length, so gaps after the first are not 0; empty in VERIFIED
 *            and FINAL, which speak of the whole
 *   manifest null, or its digest; always there in VERIFIED and FINAL
 *   files    null, or in VERIFIED and FINAL [count, digest of all, list]; list is
 *            [[sha256, bytes], ...], or null when there are more than 1,024
 *   refusal  null, or in REFUSED [reason, retryable, bytes needed]
 *   cancel   [1, by, transfer, reason]
 */
#ifndef SF_BUNDLE_RECEIPT_H
#define SF_BUNDLE_RECEIPT_H

#include "base/bytes.h"
#include "base/range_set.h"
#include "base/status.h"
#include "bundle/manifest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_identity; /* bundle/identity.h */

enum {
    SF_RECEIPT_VERSION = 1,
    SF_RECEIPT_RANGES_MAX = 4096,    /* in one receipt */
    SF_RECEIPT_FILES_MAX = 1024,     /* listed one by one; more are covered by files_digest alone */
    SF_RECEIPT_BYTES_MAX = 62 << 10, /* encoded: fits the largest control class */
    SF_CANCEL_BYTES_MAX = 256,       /* encoded */
    SF_RECEIPT_STATE_RANGES_MAX = 65536,
};

/* Numbers on the wire. */
enum sf_receipt_phase {
    SF_RECEIPT_HELD = 1,     /* `held` is opened and durable */
    SF_RECEIPT_VERIFIED = 2, /* all files were read back and match their digests */
    SF_RECEIPT_FINAL = 3,    /* delivered; the sender may free */
    SF_RECEIPT_REFUSED = 4,  /* `refusal` says why */
};

/* Numbers on the wire. */
enum sf_refusal {
    SF_REFUSAL_NONE = 0,
    SF_REFUSAL_STALE_PREKEY = 1, /* retryable with a new grant */
    SF_REFUSAL_NOT_ALLOWED = 2,
    SF_REFUSAL_NO_SPACE = 3, /* retryable; need_bytes says how much is missing */
    SF_REFUSAL_QUOTA = 4,    /* retryable */
    SF_REFUSAL_BAD_NAME = 5,
    SF_REFUSAL_TOO_LARGE = 6,
    SF_REFUSAL_CANCELLED = 7,
    SF_REFUSAL_DAMAGED = 8,    /* authentic, and yet it cannot be decoded */
    SF_REFUSAL_BAD_PSK = 9,    /* retryable with a new grant */
    SF_REFUSAL_FINISHED = 10,  /* it ended there long ago, and its receipt is not kept any more */
    SF_REFUSAL_NEED_BASE = 11, /* what it builds on is not there, or was changed */
    SF_REFUSAL_MAX = 11,
};

/* A short English text for it, never NULL. */
const char *sf_refusal_text(enum sf_refusal reason);

struct sf_receipt {
    struct sf_fingerprint receiver; /* who signs */
    struct sf_fingerprint sender;   /* whom it is for */
    struct sf_transfer_id transfer;
    uint64_t generation; /* grows when anything held was lost */
    uint64_t counter;    /* grows with every receipt of a generation */
    enum sf_receipt_phase phase;
    struct sf_range_set held; /* bundle indices; HELD and REFUSED only */
    bool has_manifest;        /* the next is known; always so in VERIFIED and FINAL */
    struct sf_digest manifest;
    struct sf_digest files_digest; /* VERIFIED and FINAL: see sf_files_digest */
    struct sf_file_digest *files;  /* VERIFIED and FINAL: in the outline's order, or NULL if many */
    uint32_t file_count;           /* of the transfer, also when not listed */
    enum sf_refusal refusal;       /* REFUSED only, as are the next two */
    bool retryable;
    uint64_t need_bytes;
    struct sf_digest audit_head; /* of the receiver's audit log */
    uint8_t random[16];
};

/* An empty receipt: all zeros, an empty set. fini releases the set and `files`. */
void sf_receipt_init(struct sf_receipt *receipt);
void sf_receipt_fini(struct sf_receipt *receipt);

/* SHA-256("skyferry-files-1" || for each file: sha256 || length (u64 BE)). */
void sf_files_digest(
    const struct sf_file_digest *files, uint32_t file_count, struct sf_digest *ret_digest);

/*
 * Sign with `receiver`, whose fingerprint must be receipt->receiver, and encode. If
 * `held` has more than SF_RECEIPT_RANGES_MAX ranges the lowest are stated: saying
 * less than one holds is always true. VERIFIED and FINAL state no ranges, and need
 * `files` (all of file_count), of which files_digest is computed here; they are listed
 * unless there are more than SF_RECEIPT_FILES_MAX.
 *
 * Returns SF_OK, SF_EINVAL if fields contradict each other, SF_ELIMIT if `out` is
 * too small (SF_RECEIPT_BYTES_MAX always suffices), SF_ENOMEM, or SF_EIO if the fresh
 * signature does not verify.
 */
SF_MUST_USE int sf_receipt_encode(const struct sf_receipt *receipt,
    const struct sf_identity *receiver, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/*
 * Decode and verify the signature with `sign_pk`, the key of the node whose
 * fingerprint is `receiver`; the receipt must name that node.
 *
 * Returns SF_OK, SF_EFORMAT, SF_ELIMIT, SF_EAUTH (signature or receiver) or
 * SF_ENOMEM; on a failure *ret_receipt is untouched. Release with sf_receipt_fini.
 */
SF_MUST_USE int sf_receipt_decode(struct sf_view encoded, const uint8_t sign_pk[32],
    const struct sf_fingerprint *receiver, struct sf_receipt *ret_receipt);

/* --- The sender's view of one recipient --------------------------------------- */

/*
 * What all receipts merged so far say. Merging is commutative and idempotent within a
 * generation; a higher generation replaces HELD and VERIFIED; FINAL absorbs everything,
 * and a terminal refusal everything but FINAL.
 */
struct sf_receipt_state {
    struct sf_fingerprint receiver;
    struct sf_fingerprint sender;
    struct sf_transfer_id transfer;
    uint64_t slots; /* bundle indices are below it */

    bool has_manifest; /* what VERIFIED and FINAL must prove is known */
    struct sf_digest manifest;
    struct sf_digest files_digest;

    bool any; /* a receipt has been merged */
    uint64_t generation;
    uint64_t counter;
    bool verified;
    bool final;
    bool failed;             /* refused for good, and not FINAL */
    enum sf_refusal refusal; /* the newest receipt refuses, or failed says why */
    uint64_t need_bytes;
    struct sf_range_set held;
};

struct sf_receipt_binding {
    struct sf_fingerprint receiver;
    struct sf_fingerprint sender;
    struct sf_transfer_id transfer;
    uint64_t slots;
};

void sf_receipt_state_init(
    struct sf_receipt_state *state, const struct sf_receipt_binding *binding);
void sf_receipt_state_fini(struct sf_receipt_state *state);

/* The transfer is sealed: from now on VERIFIED and FINAL for exactly this may be accepted. */
void sf_receipt_state_set_manifest(struct sf_receipt_state *state, const struct sf_digest *manifest,
    const struct sf_digest *files_digest);

/*
 * Merge a decoded receipt. An older generation, a repeat, and anything after FINAL
 * change nothing and are SF_OK.
 *
 * Returns SF_OK; SF_EAUTH if the receipt is for another receiver, sender or transfer,
 * or states a manifest or files that are not ours (also: VERIFIED or FINAL before ours
 * is set); SF_EFORMAT if it lists an index that does not exist; SF_ENOMEM or SF_ELIMIT.
 * On a failure the state is unchanged. *ret_changed says whether anything new was learnt.
 */
SF_MUST_USE int sf_receipt_merge(
    struct sf_receipt_state *state, const struct sf_receipt *receipt, bool *ret_changed);

/* --- Cancel -------------------------------------------------------------------- */

/* Numbers on the wire. */
enum sf_cancel_reason {
    SF_CANCEL_OPERATOR = 1,       /* somebody asked for it */
    SF_CANCEL_SOURCE_CHANGED = 2, /* the file was modified while it was sealed */
    SF_CANCEL_SOURCE_FAILED = 3,  /* the file could not be read */
    SF_CANCEL_CUSTODY_LOST = 4,   /* the sender's disk lost bundles and cannot seal them again */
    SF_CANCEL_EXPIRED = 5,        /* its lifetime is over */
    SF_CANCEL_REASON_MAX = 5,
};

const char *sf_cancel_text(enum sf_cancel_reason reason);

/* Signed by the sender: recipients free what they hold and deliver nothing. */
struct sf_cancel {
    struct sf_fingerprint by;
    struct sf_transfer_id transfer;
    enum sf_cancel_reason reason;
};

/* As sf_receipt_encode and sf_receipt_decode. */
SF_MUST_USE int sf_cancel_encode(const struct sf_cancel *cancel, const struct sf_identity *by,
    uint8_t *out, size_t bytes_max, size_t *ret_bytes);
SF_MUST_USE int sf_cancel_decode(struct sf_view encoded, const uint8_t sign_pk[32],
    const struct sf_fingerprint *by, struct sf_cancel *ret_cancel);

#endif
