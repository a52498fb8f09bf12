/*
 * fuzz_receipt.c - receipts and cancels: as they come from outside, and as signed
 * payloads, which a malicious but authentic peer can choose. What is accepted can be
 * written and signed again, byte for byte (Ed25519 is deterministic), and merged.
 */
#include "base/assert.h"
#include "base/crypto.h"
#include "base/prng.h"
#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/identity.h"
#include "bundle/labels.h"
#include "bundle/receipt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct sf_identity *peer;

static void
set_up(void)
{
    struct sf_prng prng;
    struct sf_random random;
    int status;

    if (peer != NULL) {
        return;
    }
    sf_prng_init(&prng, 1);
    random = sf_prng_random(&prng);
    status = sf_crypto_init();
    sf_assert(status == SF_OK);
    status = sf_identity_generate(&random, "peer", &peer);
    sf_assert(status == SF_OK);
}

static void
merge(const struct sf_receipt *receipt)
{
    struct sf_receipt_binding binding = {.receiver = receipt->receiver,
        .sender = receipt->sender,
        .transfer = receipt->transfer,
        .slots = 1000};
    struct sf_receipt_state state;
    bool changed = false;

    sf_receipt_state_init(&state, &binding);
    sf_receipt_state_set_manifest(&state, &receipt->manifest, &receipt->files_digest);
    if (sf_receipt_merge(&state, receipt, &changed) == SF_OK) {
        int status = sf_receipt_merge(&state, receipt, &changed);

        sf_assert(status == SF_OK);
        sf_assert(!changed);
    }
    sf_receipt_state_fini(&state);
}

static void
try_receipt(struct sf_view view)
{
    static uint8_t again[SF_RECEIPT_BYTES_MAX];
    struct sf_receipt receipt;
    size_t count = 0;

    if (sf_receipt_decode(view, peer->sign_pk, &peer->fingerprint, &receipt) != SF_OK) {
        return;
    }
    if (receipt.files != NULL || receipt.file_count == 0) {
        int status = sf_receipt_encode(&receipt, peer, again, sizeof(again), &count);

        sf_assert(status == SF_OK);
        sf_assert(sf_view_equal(view, sf_view(again, count)));
    }
    merge(&receipt);
    sf_receipt_fini(&receipt);
}

static void
try_cancel(struct sf_view view)
{
    uint8_t again[SF_CANCEL_BYTES_MAX];
    struct sf_cancel cancel;
    size_t count = 0;

    if (sf_cancel_decode(view, peer->sign_pk, &peer->fingerprint, &cancel) == SF_OK) {
        int status = sf_cancel_encode(&cancel, peer, again, sizeof(again), &count);

        sf_assert(status == SF_OK);
        sf_assert(sf_view_equal(view, sf_view(again, count)));
    }
}

/* `payload` signed by the peer; to `out`, which holds payload.bytes + 128. Returns its length. */
static size_t
sign(struct sf_view label, struct sf_view payload, uint8_t *out, uint8_t *scratch)
{
    uint8_t signature[SF_SIGNATURE_BYTES];
    struct sf_cbor_writer cbor;
    int status =
        sf_cose_sign(peer->sign_sk, label, payload, scratch, payload.bytes + 128, signature);

    sf_assert(status == SF_OK);
    sf_cbor_writer_init(&cbor, out, payload.bytes + 128);
    sf_cbor_write_tag(&cbor, SF_COSE_TAG_SIGN1);
    sf_cbor_write_array(&cbor, 4);
    sf_cbor_write_bytes(&cbor, sf_view(sf_cose_sign_protected, sizeof(sf_cose_sign_protected)));
    sf_cbor_write_map(&cbor, 0);
    sf_cbor_write_bytes(&cbor, payload);
    sf_cbor_write_bytes(&cbor, sf_view(signature, sizeof(signature)));
    sf_assert(cbor.status == SF_OK);
    return cbor.bytes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *signed_bytes = malloc(bytes + 128);
    uint8_t *scratch = malloc(bytes + 128);
    struct sf_view payload = sf_view(data, bytes);

    set_up();
    /* The signer is whoever the payload names, or no input would get past that. */
    if (bytes >= 4 + sizeof(peer->fingerprint)) {
        memcpy(&peer->fingerprint, data + 4, sizeof(peer->fingerprint));
    }
    if (signed_bytes != NULL && scratch != NULL) {
        size_t count = sign(SF_LABEL_VIEW(SF_LABEL_SIGN_RECEIPT), payload, signed_bytes, scratch);

        try_receipt(payload);
        try_receipt(sf_view(signed_bytes, count));
        count = sign(SF_LABEL_VIEW(SF_LABEL_SIGN_CANCEL), payload, signed_bytes, scratch);
        try_cancel(payload);
        try_cancel(sf_view(signed_bytes, count));
    }
    free(signed_bytes);
    free(scratch);
    return 0;
}
