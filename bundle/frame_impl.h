/*
 * frame_impl.h - what frame.c and frame_decode.c share with delta.c and delta_decode.c; the
 * head of coded planes, see frame.h.
 */
#ifndef SF_BUNDLE_FRAME_IMPL_H
#define SF_BUNDLE_FRAME_IMPL_H

#include "bundle/frame.h"
#include "bundle/probe.h"

enum {
    PLANES_HEAD_BYTES = 3,   /* lead, stride, count of columns */
    PLANES_COLUMN_BYTES = 4, /* besides its width: method and length of its plane */
    PLANES_ROTATED = 0x80,
    PLANES_LENGTH_MAX = 0xffffff,
    PLANES_LEAD_MAX = 255,

    FRAME_PROBE_BYTES_MIN = 64, /* below this samples tell nothing */
};

/* --- frame.c --------------------------------------------------------------------------- */

/* Where coded bytes are written. */
struct frame_output {
    uint8_t *bytes;
    size_t at;
    size_t end;
};

/* Whether all bytes, at least one, are the same. */
bool frame_is_same(struct sf_view bytes);

/* Append bytes; false if there is no room. */
bool frame_put(struct frame_output *output, struct sf_view bytes);

/* Code a plane of at least one byte in whichever way is smallest, and write its column's method and length. */
bool frame_put_plane(struct sf_coder *coder, struct sf_view plane, struct frame_output *output,
    uint8_t column[PLANES_COLUMN_BYTES]);

/* The best way so far, and where another one is tried. */
struct frame_choice {
    struct sf_coder *coder;
    struct sf_view plain; /* what is coded: the frame, or a difference */
    uint8_t *scratch;
    struct sf_coded best;
    struct sf_view head; /* of a difference: goes before it, and ends with its codec */
};

/* `bytes` bytes in the coder's room are the frame coded another way; 0: it could not be. */
void frame_consider(struct frame_choice *choice, enum sf_codec codec, size_t bytes);

/* Try planes of elements as `as` says; matches; all that a frame of which this is known may gain by. */
void frame_try_planes(struct frame_choice *choice, const struct sf_probe *as);
void frame_try_matches(struct frame_choice *choice);
bool frame_has_matches(struct sf_view plain);
void frame_try_plain(struct frame_choice *choice, const struct sf_frame *frame);

/* --- frame_decode.c ---------------------------------------------------------------------- */

/* Decode the plane of a column, of exactly `plane_bytes` bytes. SF_OK or SF_EFORMAT. */
SF_MUST_USE int frame_take_plane(struct sf_coder *coder, unsigned method, struct sf_view coded,
    uint8_t *plane, size_t plane_bytes);

#endif
