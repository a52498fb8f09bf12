/*
 * cose.h - the two COSE structures that get signed and authenticated (RFC 9052).
 *
 * Only what every sealed or signed object of Skyferry has in common; the
 * objects themselves are written by their own modules. Thread-safe.
 */
#ifndef SF_BUNDLE_COSE_H
#define SF_BUNDLE_COSE_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_COSE_SIGN_OVERHEAD_MAX = 64, /* what a Sig_structure adds to label and payload at most */
    /* The protected header of every sealed object: {1: 24, version: 1, suite: 1}. */
    SF_COSE_SEAL_PROTECTED_BYTES = 16,
    SF_COSE_SEAL_AD_BYTES = 28, /* the Enc_structure with that header */
};

/* {1: -8}: the protected header of every signature here, as bytes inside their byte string. */
extern const uint8_t sf_cose_sign_protected[3];

/* The protected header of every sealed object, and its Enc_structure (RFC 9052, 5.3). */
extern const uint8_t sf_cose_seal_protected[SF_COSE_SEAL_PROTECTED_BYTES];
extern const uint8_t sf_cose_seal_ad[SF_COSE_SEAL_AD_BYTES];

/*
 * Sign `payload` as COSE_Sign1 does (RFC 9052, 4.4; EdDSA): the Sig_structure
 * ["Signature1", {1: -8}, label, payload] is built in `scratch`, which needs
 * label.bytes + payload.bytes + SF_COSE_SIGN_OVERHEAD_MAX bytes.
 *
 * Verifies what it signed, so that a fault of the machine does not leave it.
 * Returns SF_OK, SF_ELIMIT if `scratch` is too small, SF_EIO if the signature
 * does not verify; then `ret_signature` is all zero.
 */
SF_MUST_USE int sf_cose_sign(const uint8_t sign_sk[SF_SIGN_SECRET_BYTES], struct sf_view label,
    struct sf_view payload, uint8_t *scratch, size_t scratch_bytes,
    uint8_t ret_signature[SF_SIGNATURE_BYTES]);

/* Verify such a signature. SF_OK, SF_ELIMIT if `scratch` is too small, or SF_EAUTH. */
SF_MUST_USE int sf_cose_verify(const uint8_t sign_pk[SF_SIGN_PUBLIC_BYTES], struct sf_view label,
    struct sf_view payload, uint8_t *scratch, size_t scratch_bytes,
    const uint8_t signature[SF_SIGNATURE_BYTES]);

#endif
