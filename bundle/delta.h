/*
 * delta.h - frames coded against a base: bytes of a file that the receiver holds already.
 *
 * Each begins with a reference: where in the base as many bytes as the frame has are to be
 * read, and their digest under a key of the transfer.
 *
 *   bytes   what
 *   8       offset in the base, big endian
 *   16      HMAC-SHA-256(K_base, those bytes of the base), its first 16 bytes
 *
 * SF_CODEC_SAME is the reference alone: the frame is those bytes.
 *
 * SF_CODEC_DIFFERENCE: the frame is those bytes and a difference.
 *
 *   24      the reference
 *   1       width of a number: 1, 2, 4 or 8
 *   1       lead: bytes ahead of the first number, 0 .. 255
 *   1       codec of the difference: LZ4, zstd or planes
 *   ..      the difference, coded as a frame of the same length
 *
 * with as many little-endian numbers as fit behind the lead, at least one. A difference d is
 * that of two numbers modulo 2^n, taken as one with a sign and folded so that small ones of
 * either sign are small: d << 1, and all bits flipped if d was negative. The lead, and what is
 * left behind the last whole number, are folded differences of bytes.
 *
 * SF_CODEC_PATCH: the frame is those bytes but for a few numbers.
 *
 *   24      the reference
 *   1       width of a number, as above
 *   1       lead, as above
 *   4       how many numbers differ, at least one
 *   4       length of the gaps
 *   4 (1+w) of the gaps, then of each byte of the differences, lowest first: method (1) and
 *           length of its coded plane (3), as in planes (frame.h)
 *   ..      the coded planes in order
 *   ..      the lead, then what is left behind the last whole number, as they are
 *
 * The gaps say for each number that differs how many before it do not, seven bits to a byte,
 * the lowest first, the top bit set if more follow, in their shortest form; the differences are
 * folded, and none is 0.
 *
 * The digest makes a base that is not the sender's a thing that is noticed, never a wrong file.
 */
#ifndef SF_BUNDLE_DELTA_H
#define SF_BUNDLE_DELTA_H

#include "base/crypto.h"
#include "bundle/frame.h"

#include <stdbool.h>

enum {
    SF_REFERENCE_DIGEST_BYTES = 16,
    SF_REFERENCE_BYTES = 8 + SF_REFERENCE_DIGEST_BYTES,
};

struct sf_reference {
    uint64_t offset;
    uint8_t digest[SF_REFERENCE_DIGEST_BYTES];
};

/* Does a frame of this codec need a base? */
static inline bool
sf_codec_has_base(enum sf_codec codec)
{
    return codec == SF_CODEC_SAME || codec == SF_CODEC_PATCH || codec == SF_CODEC_DIFFERENCE;
}

/* Bytes of the base that may be like a frame's. */
struct sf_delta_base {
    const struct sf_hmac *key; /* keyed with K_base (struct sf_seal); never changed */
    uint64_t offset;           /* of the bytes in the base */
    uint8_t *bytes;            /* as many as the frame has; encoding uses them up */
};

/*
 * As sf_frame_encode(), and against the base where that is smaller; the bytes of the base are
 * overwritten. What is the same, as a reference; else the smallest of all ways.
 */
void sf_delta_encode(struct sf_coder *coder, const struct sf_frame *frame,
    const struct sf_delta_base *base, uint8_t *scratch, struct sf_coded *ret_coded);

/* The reference of a coded frame that has a base. SF_OK or SF_EFORMAT. */
SF_MUST_USE int sf_reference_decode(
    const struct sf_coded *coded, struct sf_reference *ret_reference);

/*
 * Decode a frame that has a base, of which base->bytes are what the reference asked for (as
 * many as the frame has; they stay). Otherwise as sf_frame_decode().
 *
 * Returns SF_OK; SF_EAUTH if the base is not the sender's; SF_EFORMAT.
 */
SF_MUST_USE int sf_delta_decode(struct sf_coder *coder, const struct sf_coded *coded,
    const struct sf_delta_base *base, uint8_t *out, size_t plain_bytes);

#endif
