/*
 * cose.c - Sig_structure and Enc_structure.
 */
#include "bundle/cose.h"

#include "bundle/cbor.h"
#include "bundle/labels.h"

const uint8_t sf_cose_sign_protected[3] = {0xa1, 0x01, 0x27};

const uint8_t sf_cose_seal_protected[SF_COSE_SEAL_PROTECTED_BYTES] = {
    0xa3,                                     /* map of 3 */
    0x01, 0x18, 0x18,                         /* alg: 24 */
    0x3a, 0x00, 0x01, 0x11, 0x70, 0x01,       /* -70001: version 1 */
    0x3a, 0x00, 0x01, 0x11, 0x71, SF_SUITE_1, /* -70002: suite 1 */
};

const uint8_t sf_cose_seal_ad[SF_COSE_SEAL_AD_BYTES] = {
    0x83,                                                                   /* array of 3 */
    0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0',                           /* context */
    0x50,                                                                   /* protected */
    0xa3, 0x01, 0x18, 0x18, 0x3a, 0x00, 0x01, 0x11, 0x70, 0x01, 0x3a, 0x00, /* .. */
    0x01, 0x11, 0x71, SF_SUITE_1,                                           /* .. */
    0x40,                                                                   /* no external data */
};

static int
sig_structure(struct sf_view label, struct sf_view payload, uint8_t *scratch, size_t scratch_bytes,
    struct sf_view *ret_structure)
{
    struct sf_cbor_writer writer;
    size_t bytes;
    int status;

    sf_cbor_writer_init(&writer, scratch, scratch_bytes);
    sf_cbor_write_array(&writer, 4);
    sf_cbor_write_text(&writer, "Signature1");
    sf_cbor_write_bytes(&writer, sf_view(sf_cose_sign_protected, sizeof(sf_cose_sign_protected)));
    sf_cbor_write_bytes(&writer, label);
    sf_cbor_write_bytes(&writer, payload);
    status = sf_cbor_finish(&writer, &bytes);
    if (status == SF_OK) {
        *ret_structure = sf_view(scratch, bytes);
    }
    return status;
}

int
sf_cose_sign(const uint8_t sign_sk[SF_SIGN_SECRET_BYTES], struct sf_view label,
    struct sf_view payload, uint8_t *scratch, size_t scratch_bytes,
    uint8_t ret_signature[SF_SIGNATURE_BYTES])
{
    const uint8_t *sign_pk = sign_sk + SF_SIGN_SEED_BYTES; /* the second half of libsodium's key */
    struct sf_view structure;
    int status = sig_structure(label, payload, scratch, scratch_bytes, &structure);

    if (status != SF_OK) {
        sf_wipe(ret_signature, SF_SIGNATURE_BYTES);
        return status;
    }
    sf_sign(sign_sk, structure, ret_signature);
    if (sf_verify(sign_pk, structure, ret_signature) != SF_OK) {
        /* A faulty signature can give the key away: nobody may see it. */
        sf_wipe(ret_signature, SF_SIGNATURE_BYTES);
        return SF_EIO;
    }
    return SF_OK;
}

int
sf_cose_verify(const uint8_t sign_pk[SF_SIGN_PUBLIC_BYTES], struct sf_view label,
    struct sf_view payload, uint8_t *scratch, size_t scratch_bytes,
    const uint8_t signature[SF_SIGNATURE_BYTES])
{
    struct sf_view structure;
    int status = sig_structure(label, payload, scratch, scratch_bytes, &structure);

    return status == SF_OK ? sf_verify(sign_pk, structure, signature) : status;
}
