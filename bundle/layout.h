/*
 * layout.h - how a file is cut into frames.
 *
 * Frames follow the borders of tensors, so that all of a frame is of one type, and so that
 * the same tensor is cut in the same way wherever it stands in a file. Small neighbours share a
 * frame: of two neighbouring segments at least one has a quarter of the longest frame, which
 * bounds the number of frames (sf_layout_frames_max), however many tensors there are. What no
 * tensor covers is cut every `frame_bytes`.
 *
 * The same list and lengths give the same frames. No allocation, no I/O.
 */
#ifndef SF_BUNDLE_LAYOUT_H
#define SF_BUNDLE_LAYOUT_H

#include "bundle/tensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The most frames that `file_count` files of `total_bytes` bytes together are cut into. Every
 * file may end in a short frame; one of less than a quarter of a frame is a single one.
 */
uint64_t sf_layout_frames_max(uint64_t total_bytes, uint32_t file_count, uint32_t frame_bytes);

/* A frame of a file: where it is and what is known about it (struct sf_frame). */
struct sf_layout_frame {
    uint64_t offset;
    uint32_t bytes; /* 1 .. frame_bytes */
    enum sf_element element;
    uint8_t lead;
};

/* A run of bytes that is cut in one way. Fields are the layout's own, as are those below. */
struct sf_layout_segment {
    uint64_t offset;
    uint64_t bytes;
    enum sf_element element;
    uint8_t lead; /* bytes at its beginning that are no elements */
};

struct sf_layout {
    const struct sf_tensor *tensors;
    size_t tensor_count;
    size_t tensor_next;
    uint64_t file_bytes;
    uint32_t frame_bytes;
    uint64_t range_at; /* what lies before is in segments */
    bool has_ahead;
    struct sf_layout_segment ahead; /* a range that was looked at and not taken */
    struct sf_layout_segment segment;
};

/*
 * Cut a file of `file_bytes` bytes into frames of at most `frame_bytes` (4 KiB or more), by
 * `tensors` of that file, sorted and none over another; they outlive the layout.
 */
void sf_layout_init(struct sf_layout *layout, const struct sf_tensor *tensors, size_t count,
    uint64_t file_bytes, uint32_t frame_bytes);

/* The next frame, each where the last one ended; false at the end of the file. */
bool sf_layout_next(struct sf_layout *layout, struct sf_layout_frame *ret_frame);

#endif
