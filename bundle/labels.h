/*
 * labels.h - every name under which something is hashed, derived or signed.
 *
 * One use, one label: no two computations with a common key share one, so an
 * output of one use can never stand in for another's. They are bytes without
 * the NUL. docs/PROTOCOL.md lists them with the inputs that follow each.
 */
#ifndef SF_BUNDLE_LABELS_H
#define SF_BUNDLE_LABELS_H

#include "base/bytes.h"

/* Version and suite of everything sealed here; suite 2 is kept for a hybrid with a KEM that outlives quantum computers. */
enum {
    SF_PROTOCOL_VERSION = 1,
    SF_SUITE_1 = 1, /* X25519, HKDF-SHA-256, ChaCha20-Poly1305, Ed25519 */
};

/* Digests. */
#define SF_LABEL_NODE     "skyferry-node-1"     /* fingerprint of a node: its signing key */
#define SF_LABEL_KEYS     "skyferry-keys-1"     /* check of a key file */
#define SF_LABEL_MANIFEST "skyferry-manifest-1" /* manifest digest: outline, digests */
#define SF_LABEL_FILES    "skyferry-files-1"    /* digest of all files: SHA-256 and length each */

/* HMAC and HKDF, from a transfer's CEK. */
#define SF_LABEL_KEY_SIV  "skyferry-key-siv-1"  /* K_siv: transfer */
#define SF_LABEL_KEY_ID   "skyferry-key-id-1"   /* K_id: transfer */
#define SF_LABEL_KEY_BASE "skyferry-key-base-1" /* K_base: transfer */
#define SF_LABEL_SIV      "skyferry-siv-1" /* under K_siv: transfer, kind, index, padded content */
#define SF_LABEL_BUNDLE   "skyferry-bundle-1" /* key and IV of a bundle: transfer, kind, index */

/* Names at rest in a node. */
#define SF_LABEL_NAME    "skyferry-name-1"    /* under a CEK: the transfer's label */
#define SF_LABEL_HISTORY "skyferry-history-1" /* under a node's seed: names of inbox entries */

/* Grants and letters. */
#define SF_LABEL_GRANT       "skyferry-grant-1"       /* HPKE info of a grant's entry */
#define SF_LABEL_LETTER      "skyferry-letter-1"      /* HPKE info of a letter's entry */
#define SF_LABEL_GRANT_BODY  "skyferry-grant-body-1"  /* digest of a grant that is signed */
#define SF_LABEL_LETTER_BODY "skyferry-letter-body-1" /* digest of a letter that is signed */
#define SF_LABEL_GRANT_PSK   "skyferry-grant-psk-1"   /* HPKE psk_id: rung */

/* From the seed two operators share. */
#define SF_LABEL_PSK_LINK    "skyferry-psk-link-1"    /* the PSK of link sessions */
#define SF_LABEL_PSK_CHECK   "skyferry-psk-check-1"   /* tells whether a seed was seen before */
#define SF_LABEL_LADDER      "skyferry-ladder-1"      /* bottom of a ladder: from, to */
#define SF_LABEL_LADDER_NEXT "skyferry-ladder-next-1" /* the ladder's next state */
#define SF_LABEL_LADDER_PSK  "skyferry-ladder-psk-1"  /* the PSK of one rung */

/* External additional data of COSE signatures: what a signature is for. */
#define SF_LABEL_SIGN_CARD    "skyferry-sign-card-1"
#define SF_LABEL_SIGN_BUNDLE  "skyferry-sign-bundle-1"
#define SF_LABEL_SIGN_GRANT   "skyferry-sign-grant-1"
#define SF_LABEL_SIGN_LETTER  "skyferry-sign-letter-1"
#define SF_LABEL_SIGN_RECEIPT "skyferry-sign-receipt-1"
#define SF_LABEL_SIGN_CANCEL  "skyferry-sign-cancel-1"
#define SF_LABEL_SIGN_AUDIT   "skyferry-sign-audit-1"

/* A label as a view. */
#define SF_LABEL_VIEW(label) sf_view((label), sizeof(label) - 1)

/* COSE header labels: registered ones, and ours from the range for private use (below -65536). */
enum {
    SF_COSE_ALG = 1,
    SF_COSE_KID = 4,
    SF_COSE_IV = 5,
    SF_COSE_VERSION = -70001, /* protected, uint */
    SF_COSE_SUITE = -70002,   /* protected, uint */
    SF_COSE_SIV = -70003,     /* unprotected, 32 bytes */
    SF_COSE_ENTRIES = -70004, /* unprotected, the entries of a grant or a letter */
};

/* COSE algorithm numbers and CBOR tags. */
enum {
    SF_COSE_ALG_CHACHA20_POLY1305 = 24,
    SF_COSE_ALG_EDDSA = -8,
    SF_COSE_TAG_ENCRYPT0 = 16,
    SF_COSE_TAG_SIGN1 = 18,
};

#endif
