/*
 * receipt.c - receipts and cancels to and from signed bytes.
 *
 * The signature is verified before the payload is looked at, so only the named
 * node can make us parse one. What receipts add up to is receipt_state.c.
 */
#include "bundle/receipt.h"

#include "base/crypto.h"
#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/identity.h"
#include "bundle/labels.h"

#include <stdlib.h>

enum {
    SIGN1_FIELDS = 4,
    RECEIPT_FIELDS = 13,
    FILES_FIELDS = 3,
    FILE_FIELDS = 2,
    REFUSAL_FIELDS = 3,
    CANCEL_FIELDS = 4,
    SIGN1_OVERHEAD_BYTES = 1 + 1 + 4 + 1 + SF_CBOR_HEAD_BYTES_MAX + 2 + SF_SIGNATURE_BYTES,
    LABEL_BYTES_MAX = 32,
};

const char *
sf_refusal_text(enum sf_refusal reason)
{
    switch (reason) {
    case SF_REFUSAL_NONE:
        return "not refused";
    case SF_REFUSAL_STALE_PREKEY:
        return "the grant was sealed to a prekey that is gone";
    case SF_REFUSAL_NOT_ALLOWED:
        return "the peer's policy does not allow it";
    case SF_REFUSAL_NO_SPACE:
        return "the peer's disk is full";
    case SF_REFUSAL_QUOTA:
        return "the peer's quota is used up";
    case SF_REFUSAL_BAD_NAME:
        return "the peer cannot store a file of that name";
    case SF_REFUSAL_TOO_LARGE:
        return "it is larger than the peer takes";
    case SF_REFUSAL_CANCELLED:
        return "it was cancelled at the peer";
    case SF_REFUSAL_DAMAGED:
        return "it is authentic but cannot be decoded";
    case SF_REFUSAL_BAD_PSK:
        return "the pre-shared keys do not match";
    case SF_REFUSAL_FINISHED:
        return "it ended at the peer long ago; the audit logs say how";
    case SF_REFUSAL_NEED_BASE:
        return "what it builds on is not there any more, or was changed";
    }
    return "unknown reason";
}

const char *
sf_cancel_text(enum sf_cancel_reason reason)
{
    switch (reason) {
    case SF_CANCEL_OPERATOR:
        return "cancelled by the sender";
    case SF_CANCEL_SOURCE_CHANGED:
        return "the source was changed while it was read";
    case SF_CANCEL_SOURCE_FAILED:
        return "the source could not be read";
    case SF_CANCEL_CUSTODY_LOST:
        return "the sender's disk lost a part of it";
    case SF_CANCEL_EXPIRED:
        return "its lifetime is over";
    }
    return "unknown reason";
}

void
sf_files_digest(
    const struct sf_file_digest *files, uint32_t file_count, struct sf_digest *ret_digest)
{
    struct sf_view label = SF_LABEL_VIEW(SF_LABEL_FILES);
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, label.data, label.bytes);
    for (uint32_t i = 0; i < file_count; i++) {
        uint8_t bytes[8];

        sf_put_be64(bytes, files[i].bytes);
        sf_sha256_update(&hash, files[i].sha256, sizeof(files[i].sha256));
        sf_sha256_update(&hash, bytes, sizeof(bytes));
    }
    sf_sha256_final(&hash, ret_digest->b);
}

/* --- COSE_Sign1 ---------------------------------------------------------------------- */

/* A buffer for the Sig_structure; NULL if there is no memory. */
static uint8_t *
scratch_for(struct sf_view payload, size_t *ret_bytes)
{
    *ret_bytes = payload.bytes + LABEL_BYTES_MAX + SF_COSE_SIGN_OVERHEAD_MAX;
    return malloc(*ret_bytes);
}

static int
sign1_encode(const struct sf_identity *signer, struct sf_view label, struct sf_view payload,
    struct sf_cbor_writer *cbor)
{
    uint8_t signature[SF_SIGNATURE_BYTES];
    size_t scratch_bytes;
    uint8_t *scratch = scratch_for(payload, &scratch_bytes);
    int status;

    if (scratch == NULL) {
        return SF_ENOMEM;
    }
    status = sf_cose_sign(signer->sign_sk, label, payload, scratch, scratch_bytes, signature);
    free(scratch);
    if (status != SF_OK) {
        return status;
    }
    sf_cbor_write_tag(cbor, SF_COSE_TAG_SIGN1);
    sf_cbor_write_array(cbor, SIGN1_FIELDS);
    sf_cbor_write_bytes(cbor, sf_view(sf_cose_sign_protected, sizeof(sf_cose_sign_protected)));
    sf_cbor_write_map(cbor, 0);
    sf_cbor_write_bytes(cbor, payload);
    sf_cbor_write_bytes(cbor, sf_view(signature, sizeof(signature)));
    return SF_OK;
}

/* Take a COSE_Sign1 apart and verify it; *ret_payload lies inside `encoded`. */
static int
sign1_decode(struct sf_view encoded, struct sf_view label, const uint8_t *sign_pk,
    struct sf_view *ret_payload)
{
    struct sf_cbor_reader cbor;
    struct sf_view payload = {NULL, 0};
    uint8_t protected[sizeof(sf_cose_sign_protected)];
    uint8_t signature[SF_SIGNATURE_BYTES];
    size_t scratch_bytes;
    uint8_t *scratch;
    uint64_t tag = 0;
    int status;

    sf_cbor_reader_init(&cbor, encoded);
    if ((status = sf_cbor_read_tag(&cbor, &tag)) != SF_OK ||
        (status = sf_cbor_expect_array(&cbor, SIGN1_FIELDS)) != SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, protected, sizeof(protected))) != SF_OK ||
        (status = sf_cbor_expect_map(&cbor, 0)) != SF_OK ||
        (status = sf_cbor_read_bytes(&cbor, encoded.bytes, &payload)) != SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, signature, sizeof(signature))) != SF_OK ||
        (status = sf_cbor_end(&cbor)) != SF_OK) {
        return status;
    }
    if (tag != SF_COSE_TAG_SIGN1 ||
        memcmp(protected, sf_cose_sign_protected, sizeof(protected)) != 0) {
        return SF_EFORMAT;
    }
    scratch = scratch_for(payload, &scratch_bytes);
    if (scratch == NULL) {
        return SF_ENOMEM;
    }
    status = sf_cose_verify(sign_pk, label, payload, scratch, scratch_bytes, signature);
    free(scratch);
    if (status == SF_OK) {
        *ret_payload = payload;
    }
    return status;
}

/* --- Receipt: writing ------------------------------------------------------------------ */

void
sf_receipt_init(struct sf_receipt *receipt)
{
    memset(receipt, 0, sizeof(*receipt));
    sf_range_set_init(&receipt->held, SF_RECEIPT_STATE_RANGES_MAX);
}

void
sf_receipt_fini(struct sf_receipt *receipt)
{
    sf_range_set_fini(&receipt->held);
    free(receipt->files);
    receipt->files = NULL;
}

/* Does the phase speak of the whole transfer, with its files and without ranges? */
static bool
is_whole(enum sf_receipt_phase phase)
{
    return phase == SF_RECEIPT_VERIFIED || phase == SF_RECEIPT_FINAL;
}

static bool
is_consistent(const struct sf_receipt *receipt, const struct sf_identity *receiver)
{
    bool refuses = receipt->phase == SF_RECEIPT_REFUSED;

    if (!sf_fingerprint_equal(&receipt->receiver, &receiver->fingerprint) ||
        receipt->phase < SF_RECEIPT_HELD || receipt->phase > SF_RECEIPT_REFUSED) {
        return false;
    }
    if (is_whole(receipt->phase) &&
        (!receipt->has_manifest || receipt->files == NULL || receipt->file_count == 0 ||
            receipt->file_count > SF_OUTLINE_FILES_MAX)) {
        return false;
    }
    return refuses ? receipt->refusal > SF_REFUSAL_NONE && receipt->refusal <= SF_REFUSAL_MAX
                   : receipt->refusal == SF_REFUSAL_NONE;
}

static void
write_held(struct sf_cbor_writer *cbor, const struct sf_receipt *receipt)
{
    const struct sf_range_set *held = &receipt->held;
    size_t count = is_whole(receipt->phase) ? 0 : held->count;
    uint64_t before = 0;

    if (count > SF_RECEIPT_RANGES_MAX) {
        count = SF_RECEIPT_RANGES_MAX;
    }
    sf_cbor_write_array(cbor, 2 * count);
    for (size_t i = 0; i < count; i++) {
        sf_cbor_write_uint(cbor, held->ranges[i].from - before);
        sf_cbor_write_uint(cbor, held->ranges[i].to - held->ranges[i].from);
        before = held->ranges[i].to;
    }
}

static void
write_files(struct sf_cbor_writer *cbor, const struct sf_receipt *receipt)
{
    struct sf_digest digest;

    if (!is_whole(receipt->phase)) {
        sf_cbor_write_null(cbor);
        return;
    }
    sf_files_digest(receipt->files, receipt->file_count, &digest);
    sf_cbor_write_array(cbor, FILES_FIELDS);
    sf_cbor_write_uint(cbor, receipt->file_count);
    sf_cbor_write_bytes(cbor, sf_view(digest.b, sizeof(digest.b)));
    if (receipt->file_count > SF_RECEIPT_FILES_MAX) {
        sf_cbor_write_null(cbor);
        return;
    }
    sf_cbor_write_array(cbor, receipt->file_count);
    for (uint32_t i = 0; i < receipt->file_count; i++) {
        sf_cbor_write_array(cbor, FILE_FIELDS);
        sf_cbor_write_bytes(
            cbor, sf_view(receipt->files[i].sha256, sizeof(receipt->files[i].sha256)));
        sf_cbor_write_uint(cbor, receipt->files[i].bytes);
    }
}

static void
write_receipt(struct sf_cbor_writer *cbor, const struct sf_receipt *receipt)
{
    sf_cbor_write_array(cbor, RECEIPT_FIELDS);
    sf_cbor_write_uint(cbor, SF_RECEIPT_VERSION);
    sf_cbor_write_bytes(cbor, sf_view(receipt->receiver.b, sizeof(receipt->receiver.b)));
    sf_cbor_write_bytes(cbor, sf_view(receipt->sender.b, sizeof(receipt->sender.b)));
    sf_cbor_write_bytes(cbor, sf_view(receipt->transfer.b, sizeof(receipt->transfer.b)));
    sf_cbor_write_uint(cbor, receipt->generation);
    sf_cbor_write_uint(cbor, receipt->counter);
    sf_cbor_write_uint(cbor, receipt->phase);
    write_held(cbor, receipt);
    if (receipt->has_manifest) {
        sf_cbor_write_bytes(cbor, sf_view(receipt->manifest.b, sizeof(receipt->manifest.b)));
    } else {
        sf_cbor_write_null(cbor);
    }
    write_files(cbor, receipt);
    if (receipt->phase == SF_RECEIPT_REFUSED) {
        sf_cbor_write_array(cbor, REFUSAL_FIELDS);
        sf_cbor_write_uint(cbor, receipt->refusal);
        sf_cbor_write_bool(cbor, receipt->retryable);
        sf_cbor_write_uint(cbor, receipt->need_bytes);
    } else {
        sf_cbor_write_null(cbor);
    }
    sf_cbor_write_bytes(cbor, sf_view(receipt->audit_head.b, sizeof(receipt->audit_head.b)));
    sf_cbor_write_bytes(cbor, sf_view(receipt->random, sizeof(receipt->random)));
}

int
sf_receipt_encode(const struct sf_receipt *receipt, const struct sf_identity *receiver,
    uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer cbor;
    uint8_t *payload;
    size_t payload_bytes = 0;
    int status;

    if (!is_consistent(receipt, receiver)) {
        return SF_EINVAL;
    }
    payload = malloc(SF_RECEIPT_BYTES_MAX - SIGN1_OVERHEAD_BYTES);
    if (payload == NULL) {
        return SF_ENOMEM;
    }
    sf_cbor_writer_init(&cbor, payload, SF_RECEIPT_BYTES_MAX - SIGN1_OVERHEAD_BYTES);
    write_receipt(&cbor, receipt);
    status = sf_cbor_finish(&cbor, &payload_bytes);
    if (status != SF_OK) {
        goto out;
    }
    sf_cbor_writer_init(&cbor, out, bytes_max);
    status = sign1_encode(
        receiver, SF_LABEL_VIEW(SF_LABEL_SIGN_RECEIPT), sf_view(payload, payload_bytes), &cbor);
    if (status == SF_OK) {
        status = sf_cbor_finish(&cbor, ret_bytes);
    }
out:
    free(payload);
    return status;
}

/* --- Receipt: reading -------------------------------------------------------------------- */

static int
read_held(struct sf_cbor_reader *cbor, struct sf_range_set *held)
{
    uint64_t count = 0;
    uint64_t before = 0;
    int status = sf_cbor_read_array(cbor, 2 * SF_RECEIPT_RANGES_MAX, &count);

    if (status == SF_OK && count % 2 != 0) {
        return SF_EFORMAT;
    }
    for (uint64_t i = 0; status == SF_OK && i < count; i += 2) {
        uint64_t gap = 0;
        uint64_t length = 0;

        if ((status = sf_cbor_read_uint(cbor, SF_BUNDLES_MAX - before, &gap)) != SF_OK ||
            (status = sf_cbor_read_uint(cbor, SF_BUNDLES_MAX - before - gap, &length)) != SF_OK) {
            break;
        }
        if (length == 0 || (gap == 0 && i > 0)) {
            return SF_EFORMAT;
        }
        status = sf_range_set_add(held, before + gap, before + gap + length);
        before += gap + length;
    }
    return status;
}

/* The list of files, already known to be there; allocated only once the bytes are seen to suffice. */
static int
read_file_list(struct sf_cbor_reader *cbor, struct sf_receipt *receipt)
{
    struct sf_digest digest;
    int status = sf_cbor_expect_array(cbor, receipt->file_count);

    if (status != SF_OK) {
        return status;
    }
    receipt->files = calloc(receipt->file_count, sizeof(*receipt->files));
    if (receipt->files == NULL) {
        return SF_ENOMEM;
    }
    for (uint32_t i = 0; i < receipt->file_count; i++) {
        struct sf_file_digest *file = &receipt->files[i];

        if ((status = sf_cbor_expect_array(cbor, FILE_FIELDS)) != SF_OK ||
            (status = sf_cbor_read_fixed(cbor, file->sha256, sizeof(file->sha256))) != SF_OK ||
            (status = sf_cbor_read_uint(cbor, SF_TRANSFER_BYTES_MAX, &file->bytes)) != SF_OK) {
            return status;
        }
    }
    sf_files_digest(receipt->files, receipt->file_count, &digest);
    return memcmp(digest.b, receipt->files_digest.b, sizeof(digest.b)) == 0 ? SF_OK : SF_EFORMAT;
}

static int
read_files(struct sf_cbor_reader *cbor, struct sf_receipt *receipt)
{
    uint64_t count = 0;
    int status;

    if (!is_whole(receipt->phase)) {
        return sf_cbor_read_null(cbor);
    }
    if ((status = sf_cbor_expect_array(cbor, FILES_FIELDS)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_OUTLINE_FILES_MAX, &count)) != SF_OK ||
        (status = sf_cbor_read_fixed(
             cbor, receipt->files_digest.b, sizeof(receipt->files_digest.b))) != SF_OK) {
        return status;
    }
    if (count == 0) {
        return SF_EFORMAT;
    }
    receipt->file_count = (uint32_t)count;
    return count > SF_RECEIPT_FILES_MAX ? sf_cbor_read_null(cbor) : read_file_list(cbor, receipt);
}

static int
read_refusal(struct sf_cbor_reader *cbor, struct sf_receipt *receipt)
{
    uint64_t reason = 0;
    int status;

    if (receipt->phase != SF_RECEIPT_REFUSED) {
        return sf_cbor_read_null(cbor);
    }
    if ((status = sf_cbor_expect_array(cbor, REFUSAL_FIELDS)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_REFUSAL_MAX, &reason)) != SF_OK ||
        (status = sf_cbor_read_bool(cbor, &receipt->retryable)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, UINT64_MAX, &receipt->need_bytes)) != SF_OK) {
        return status;
    }
    receipt->refusal = (enum sf_refusal)reason;
    return reason == SF_REFUSAL_NONE ? SF_EFORMAT : SF_OK;
}

static int
read_manifest(struct sf_cbor_reader *cbor, struct sf_receipt *receipt)
{
    if (sf_cbor_peek(cbor) == SF_CBOR_NULL) {
        return is_whole(receipt->phase) ? SF_EFORMAT : sf_cbor_read_null(cbor);
    }
    receipt->has_manifest = true;
    return sf_cbor_read_fixed(cbor, receipt->manifest.b, sizeof(receipt->manifest.b));
}

/* Fill `receipt`, which is initialised; what it holds on a failure the caller releases. */
static int
read_receipt(struct sf_view payload, struct sf_receipt *receipt)
{
    struct sf_cbor_reader cbor;
    uint64_t phase = 0;
    int status;

    sf_cbor_reader_init(&cbor, payload);
    if ((status = sf_cbor_expect_array(&cbor, RECEIPT_FIELDS)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, SF_RECEIPT_VERSION)) != SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, receipt->receiver.b, sizeof(receipt->receiver.b))) !=
            SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, receipt->sender.b, sizeof(receipt->sender.b))) !=
            SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, receipt->transfer.b, sizeof(receipt->transfer.b))) !=
            SF_OK ||
        (status = sf_cbor_read_uint(&cbor, UINT64_MAX, &receipt->generation)) != SF_OK ||
        (status = sf_cbor_read_uint(&cbor, UINT64_MAX, &receipt->counter)) != SF_OK ||
        (status = sf_cbor_read_uint(&cbor, SF_RECEIPT_REFUSED, &phase)) != SF_OK) {
        return status;
    }
    if (phase < SF_RECEIPT_HELD) {
        return SF_EFORMAT;
    }
    receipt->phase = (enum sf_receipt_phase)phase;
    if ((status = read_held(&cbor, &receipt->held)) != SF_OK ||
        (status = read_manifest(&cbor, receipt)) != SF_OK ||
        (status = read_files(&cbor, receipt)) != SF_OK ||
        (status = read_refusal(&cbor, receipt)) != SF_OK ||
        (status = sf_cbor_read_fixed(
             &cbor, receipt->audit_head.b, sizeof(receipt->audit_head.b))) != SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, receipt->random, sizeof(receipt->random))) != SF_OK) {
        return status;
    }
    if (is_whole(receipt->phase) && receipt->held.count > 0) {
        return SF_EFORMAT;
    }
    return sf_cbor_end(&cbor);
}

int
sf_receipt_decode(struct sf_view encoded, const uint8_t sign_pk[32],
    const struct sf_fingerprint *receiver, struct sf_receipt *ret_receipt)
{
    struct sf_receipt receipt;
    struct sf_view payload = {NULL, 0};
    int status;

    if (encoded.bytes > SF_RECEIPT_BYTES_MAX) {
        return SF_ELIMIT;
    }
    status = sign1_decode(encoded, SF_LABEL_VIEW(SF_LABEL_SIGN_RECEIPT), sign_pk, &payload);
    if (status != SF_OK) {
        return status;
    }
    sf_receipt_init(&receipt);
    status = read_receipt(payload, &receipt);
    if (status == SF_OK && !sf_fingerprint_equal(&receipt.receiver, receiver)) {
        status = SF_EAUTH;
    }
    if (status != SF_OK) {
        sf_receipt_fini(&receipt);
        return status;
    }
    *ret_receipt = receipt;
    return SF_OK;
}

/* --- Cancel -------------------------------------------------------------------------------- */

int
sf_cancel_encode(const struct sf_cancel *cancel, const struct sf_identity *by, uint8_t *out,
    size_t bytes_max, size_t *ret_bytes)
{
    uint8_t payload[SF_CANCEL_BYTES_MAX];
    size_t payload_bytes = 0;
    struct sf_cbor_writer cbor;
    int status;

    if (!sf_fingerprint_equal(&cancel->by, &by->fingerprint) ||
        cancel->reason < SF_CANCEL_OPERATOR || cancel->reason > SF_CANCEL_REASON_MAX) {
        return SF_EINVAL;
    }
    sf_cbor_writer_init(&cbor, payload, sizeof(payload));
    sf_cbor_write_array(&cbor, CANCEL_FIELDS);
    sf_cbor_write_uint(&cbor, SF_RECEIPT_VERSION);
    sf_cbor_write_bytes(&cbor, sf_view(cancel->by.b, sizeof(cancel->by.b)));
    sf_cbor_write_bytes(&cbor, sf_view(cancel->transfer.b, sizeof(cancel->transfer.b)));
    sf_cbor_write_uint(&cbor, cancel->reason);
    status = sf_cbor_finish(&cbor, &payload_bytes);
    if (status != SF_OK) {
        return status;
    }
    sf_cbor_writer_init(&cbor, out, bytes_max);
    status = sign1_encode(
        by, SF_LABEL_VIEW(SF_LABEL_SIGN_CANCEL), sf_view(payload, payload_bytes), &cbor);
    return status != SF_OK ? status : sf_cbor_finish(&cbor, ret_bytes);
}

int
sf_cancel_decode(struct sf_view encoded, const uint8_t sign_pk[32], const struct sf_fingerprint *by,
    struct sf_cancel *ret_cancel)
{
    struct sf_cancel cancel;
    struct sf_cbor_reader cbor;
    struct sf_view payload = {NULL, 0};
    uint64_t reason = 0;
    int status;

    if (encoded.bytes > SF_CANCEL_BYTES_MAX) {
        return SF_ELIMIT;
    }
    status = sign1_decode(encoded, SF_LABEL_VIEW(SF_LABEL_SIGN_CANCEL), sign_pk, &payload);
    if (status != SF_OK) {
        return status;
    }
    sf_cbor_reader_init(&cbor, payload);
    if ((status = sf_cbor_expect_array(&cbor, CANCEL_FIELDS)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, SF_RECEIPT_VERSION)) != SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, cancel.by.b, sizeof(cancel.by.b))) != SF_OK ||
        (status = sf_cbor_read_fixed(&cbor, cancel.transfer.b, sizeof(cancel.transfer.b))) !=
            SF_OK ||
        (status = sf_cbor_read_uint(&cbor, SF_CANCEL_REASON_MAX, &reason)) != SF_OK ||
        (status = sf_cbor_end(&cbor)) != SF_OK) {
        return status;
    }
    if (reason < SF_CANCEL_OPERATOR) {
        return SF_EFORMAT;
    }
    if (!sf_fingerprint_equal(&cancel.by, by)) {
        return SF_EAUTH;
    }
    cancel.reason = (enum sf_cancel_reason)reason;
    *ret_cancel = cancel;
    return SF_OK;
}
