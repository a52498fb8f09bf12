/*
 * frame.h - how the plaintext of one frame is coded.
 *
 * A frame is a run of at most SF_FRAME_BYTES_MAX bytes of one file and is coded
 * on its own, whichever way is smallest: nothing at all when it is all zeros, planes
 * of numbers, matches, or the bytes as they are. Every way is a pure function of the
 * plaintext and of what is known about it, so that sealing a source twice gives the
 * same bytes.
 *
 * The coded bytes of SF_CODEC_PLANES:
 *
 *   bytes   what
 *   1       lead: bytes ahead of the first element, 0 .. 255
 *   1       stride: bytes of an element, 1 .. 255
 *   1       columns of an element, 1 .. 8; plus 128 if its numbers are rotated
 *   c       width of each column in bytes; together the stride
 *   4 c     of each column: method (1), length of its coded plane (3, big endian)
 *   ..      the coded planes in order
 *   ..      the lead, then what is left behind the last whole element, as they are
 *
 * with as many elements as fit behind the lead, at least one. Methods: 0 the plane as
 * it is, 1 one byte that all of the plane has, 2 a zstd frame, shorter than the plane.
 */
#ifndef SF_BUNDLE_FRAME_H
#define SF_BUNDLE_FRAME_H

#include "base/bytes.h"
#include "base/status.h"
#include "bundle/coder.h"
#include "bundle/element.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_FRAME_BYTES_MAX = 1 << 20, /* plaintext of one frame */
};

/* Numbers on the wire. */
enum sf_codec {
    SF_CODEC_ZERO = 0,   /* no coded bytes; the plaintext is all zeros */
    SF_CODEC_RAW = 1,    /* the coded bytes are the plaintext */
    SF_CODEC_LZ4 = 2,    /* one LZ4 block, shorter than the plaintext */
    SF_CODEC_ZSTD = 3,   /* one zstd frame, shorter than the plaintext */
    SF_CODEC_PLANES = 4, /* columns of numbers, shorter than the plaintext */
    /* Those that need a base, shorter than the plaintext: see delta.h. */
    SF_CODEC_SAME = 5,       /* a reference to bytes of the base */
    SF_CODEC_PATCH = 6,      /* ... and the few numbers that differ from it */
    SF_CODEC_DIFFERENCE = 7, /* ... and the difference of all numbers */
    SF_CODECS,               /* how many there are */
};

enum sf_plane_method {
    SF_PLANE_RAW = 0,
    SF_PLANE_SAME = 1,
    SF_PLANE_ZSTD = 2,
};

/* A frame to be coded, and what is known about it. */
struct sf_frame {
    struct sf_view plain;    /* 1 .. SF_FRAME_BYTES_MAX bytes */
    enum sf_element element; /* what stands in it; OPAQUE: look yourself */
    uint8_t lead;            /* bytes ahead of the first element */
};

/* A coded frame. */
struct sf_coded {
    enum sf_codec codec;
    struct sf_view bytes;
};

/*
 * Code `frame` on `coder`. `scratch` has room for at least plain.bytes bytes and does
 * not overlap it. ret_coded->bytes points into `scratch`, is the plaintext itself (raw:
 * nothing is copied), or is empty (zero); it is never longer than the plaintext. What is
 * known about the frame may be wrong: that costs bytes, not rightness.
 */
void sf_frame_encode(struct sf_coder *coder, const struct sf_frame *frame, uint8_t *scratch,
    struct sf_coded *ret_coded);

/*
 * Decode a frame of exactly `plain_bytes` bytes (1 to SF_FRAME_BYTES_MAX) into
 * `out`. Never writes past out + plain_bytes, never reads past the coded bytes, and never
 * allocates, whatever the bytes are; coded->codec may be any number.
 *
 * Returns SF_OK, or SF_EFORMAT if the codec is unknown or needs a base, plain_bytes is outside its
 * limits, or the coded bytes do not give exactly plain_bytes bytes; `out` may then
 * hold part of a frame and is not to be used.
 */
SF_MUST_USE int sf_frame_decode(
    struct sf_coder *coder, const struct sf_coded *coded, uint8_t *out, size_t plain_bytes);

#endif
