/*
 * envelope.h - one sealed bundle: a fixed-size COSE_Encrypt0 object.
 *
 *   offset  bytes  what
 *   0       1      d0: tag 16, COSE_Encrypt0
 *   1       1      83: array of 3
 *   2       17     byte string: protected {1: 24, -70001: version 1, -70002: suite 1}
 *   19      72     unprotected {4: id (16), 5: IV (12), -70003: siv (32)}
 *   91      3 | 5  head of the ciphertext (3 up to 64 KiB, 5 above)
 *   94|96   ..     ciphertext of: signature (64), content, 80, 00...
 *   end-16  16     tag
 *
 * Every byte is determined by content, keys and place (transfer, kind, index):
 * sealing the same again gives the same object, and sealing another content in
 * the same place gives another key (a repeat after a crash can never use a key
 * and IV for two plaintexts). The whole object has one of the
 * classes below.
 *
 * Everything is done without allocation, by pure functions:
 * thread-safe for distinct objects; a `struct sf_seal` may be shared by threads
 * that only read it.
 */
#ifndef SF_BUNDLE_ENVELOPE_H
#define SF_BUNDLE_ENVELOPE_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"
#include "bundle/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_CEK_BYTES = 32,
    SF_SIV_BYTES = 32,
    SF_OBJECT_ID_BYTES = 16,
    SF_ENVELOPE_CLASS_MIN = 16 << 10,
    SF_ENVELOPE_CLASS_MAX = 4 << 20,
    SF_ENVELOPE_CLASSES = 5, /* 16 KiB, 64 KiB, 256 KiB, 1 MiB, 4 MiB */
};

/* What an object is; part of what is signed and of the derived keys. */
enum sf_kind {
    SF_KIND_DATA = 1,
    SF_KIND_GRANT = 2,
    SF_KIND_LETTER = 3,
};

/* The keys of one transfer's bundles. Secret: in guarded memory where it lives long. */
struct sf_seal {
    struct sf_transfer_id transfer;
    uint8_t cek[SF_CEK_BYTES];
    struct sf_hmac siv;  /* keyed with K_siv */
    struct sf_hmac id;   /* keyed with K_id */
    struct sf_hmac base; /* keyed with K_base, for frames coded against a base (delta.h) */
};

/* Derive the keys of `transfer` from its content key. Wipe them with sf_seal_fini(). */
void sf_seal_init(
    struct sf_seal *seal, const uint8_t cek[SF_CEK_BYTES], const struct sf_transfer_id *transfer);
void sf_seal_fini(struct sf_seal *seal);

/* Whether `class_bytes` is one of the sizes of a data bundle. */
bool sf_envelope_class_is_valid(size_t class_bytes);

/* Class number `index` (0 .. SF_ENVELOPE_CLASSES - 1), ascending; 0 beyond. */
size_t sf_envelope_class(unsigned index);

/* Where the content starts in an object of a valid class, and how many bytes of it fit. */
size_t sf_envelope_content_offset(size_t class_bytes);
size_t sf_envelope_capacity(size_t class_bytes);

/* The id under which the bundle at (kind, index) travels. */
void sf_envelope_id(const struct sf_seal *seal, enum sf_kind kind, uint64_t index,
    uint8_t ret_id[SF_OBJECT_ID_BYTES]);

/*
 * Seal the `content_bytes` bytes at object + sf_envelope_content_offset() in
 * place, signed by `signer`; the rest of the `class_bytes` bytes is overwritten.
 * The signature is verified before the object is finished.
 *
 * Returns SF_OK and the siv, which is journalled with the bundle; SF_EINVAL if
 * the class or the length (1 .. capacity) is not allowed, with the object
 * untouched; SF_EIO if the fresh signature does not verify (a fault of the
 * machine), with the object zeroed.
 */
SF_MUST_USE int sf_envelope_seal(const struct sf_seal *seal, const struct sf_identity *signer,
    enum sf_kind kind, uint64_t index, uint8_t *object, size_t class_bytes, size_t content_bytes,
    uint8_t ret_siv[SF_SIV_BYTES]);

/*
 * The siv that sealing this content would give, to compare with a journalled
 * one without signing. Content as for sf_envelope_seal(); what lies behind it in
 * the object becomes padding. Returns SF_OK or SF_EINVAL.
 */
SF_MUST_USE int sf_envelope_siv(const struct sf_seal *seal, enum sf_kind kind, uint64_t index,
    uint8_t *object, size_t class_bytes, size_t content_bytes, uint8_t ret_siv[SF_SIV_BYTES]);

/* Who must have signed a bundle, and where it must belong. */
struct sf_envelope_expect {
    const uint8_t *signer_pk;                        /* SF_SIGN_PUBLIC_BYTES */
    const struct sf_fingerprint *signer_fingerprint; /* of that key */
    enum sf_kind kind;
    uint64_t index;
};

/*
 * Open a whole object into `plain`, as many bytes, which is object.data (in place)
 * or does not overlap it. Checked in this order: class; every byte of the outer
 * header; id and IV against the derived ones; the AEAD; the recomputed siv, in
 * constant time; the signature; the padding in full. That the content is one CBOR
 * item is for its reader to say.
 *
 * Returns SF_OK, *ret_content (in `plain`, valid as long as it is unchanged) and
 * the siv; SF_EINVAL (class), SF_EFORMAT (not such an object; or padding wrong
 * although signed), SF_EAUTH (another transfer, place, key, or signer). When the
 * header, id or IV is wrong `plain` is unchanged; after a later error it is zeroed.
 */
SF_MUST_USE int sf_envelope_open(const struct sf_seal *seal,
    const struct sf_envelope_expect *expect, struct sf_view object, uint8_t *plain,
    struct sf_view *ret_content, uint8_t ret_siv[SF_SIV_BYTES]);

/*
 * Whether a whole object is, to the last bit, one that was sealed with `seal` for
 * (kind, index): the outer header, id and IV, and the tag over the ciphertext.
 * Nothing is deciphered. For what this node itself has sealed and kept: it tells
 * rot, and anybody without the content key. Who has that key could make such an
 * object, so what others send is opened, never only checked.
 *
 * Returns SF_OK, SF_EINVAL (class), SF_EFORMAT or SF_EAUTH, as sf_envelope_open().
 */
SF_MUST_USE int sf_envelope_check(
    const struct sf_seal *seal, enum sf_kind kind, uint64_t index, struct sf_view object);

/*
 * What the outside of a bundle shows without any key. `object` is a whole bundle
 * of a valid class. SF_OK, or SF_EFORMAT with the outputs untouched.
 */
SF_MUST_USE int sf_envelope_peek(
    struct sf_view object, uint8_t ret_id[SF_OBJECT_ID_BYTES], uint8_t ret_siv[SF_SIV_BYTES]);

#endif
