/*
 * frame_impl.h - the head of coded planes, for frame.c and frame_decode.c; see frame.h.
 */
#ifndef SF_BUNDLE_FRAME_IMPL_H
#define SF_BUNDLE_FRAME_IMPL_H

enum {
    PLANES_HEAD_BYTES = 3,   /* lead, stride, count of columns */
    PLANES_COLUMN_BYTES = 4, /* besides its width: method and length of its plane */
    PLANES_ROTATED = 0x80,
    PLANES_LENGTH_MAX = 0xffffff,
    PLANES_LEAD_MAX = 255,
};

#endif
