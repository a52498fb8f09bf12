/*
 * frame.h - how the plaintext of one frame is coded.
 *
 * A frame is a run of at most SF_FRAME_BYTES_MAX bytes of one file and is coded
 * on its own, whichever way is smallest: nothing at all when it is all zeros,
 * an LZ4 block when that saves enough, else the bytes as they are. Every way is
 * a pure function of the plaintext, so that sealing a source twice gives the
 * same bytes. No allocation; thread-safe.
 */
#ifndef SF_BUNDLE_FRAME_H
#define SF_BUNDLE_FRAME_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_FRAME_BYTES_MAX = 1 << 20, /* plaintext of one frame */
};

/* Numbers on the wire. */
enum sf_codec {
    SF_CODEC_ZERO = 0, /* no coded bytes; the plaintext is all zeros */
    SF_CODEC_RAW = 1,  /* the coded bytes are the plaintext */
    SF_CODEC_LZ4 = 2,  /* one LZ4 block, shorter than the plaintext */
};

/*
 * Code `plain`, 1 to SF_FRAME_BYTES_MAX bytes. `scratch` has room for at least
 * plain.bytes bytes and does not overlap it. *ret_coded points into `scratch`
 * (LZ4), is `plain` itself (raw: nothing is copied), or is empty (zero); it is
 * never longer than `plain`. Data that looks incompressible in a few samples is
 * not run through LZ4 in full.
 */
void sf_frame_encode(
    struct sf_view plain, uint8_t *scratch, enum sf_codec *ret_codec, struct sf_view *ret_coded);

/*
 * Decode a frame of exactly `plain_bytes` bytes (1 to SF_FRAME_BYTES_MAX) into
 * `out`. Never writes past out + plain_bytes and never reads past `coded`, whatever
 * the bytes are.
 *
 * Returns SF_OK, or SF_EFORMAT if the codec is unknown, plain_bytes is outside its
 * limits, or the coded bytes do not give exactly plain_bytes bytes; `out` may then
 * hold part of a frame and is not to be used.
 */
SF_MUST_USE int sf_frame_decode(
    unsigned codec, struct sf_view coded, uint8_t *out, size_t plain_bytes);

#endif
