/*
 * layout.c - ranges, which are tensors and what lies between them, become segments, and
 * segments frames.
 */
#include "bundle/layout.h"

#include "base/assert.h"

enum {
    /* Less than the longest frame over this is small: it may share a frame. */
    SMALL_PARTS = 4,
    LEAD_BYTES_MAX = 255,
    FRAME_BYTES_MIN = 4096,
};

uint64_t
sf_layout_frames_max(uint64_t total_bytes, uint32_t file_count, uint32_t frame_bytes)
{
    uint64_t whole = total_bytes / frame_bytes;
    uint64_t large = SMALL_PARTS * (whole + 1); /* files that are not small, at most */

    if (large > file_count) {
        large = file_count;
    }
    /*
     * Two neighbouring segments have a quarter of a frame: 8 for each frame_bytes, and one
     * more. Cutting them adds a frame for each frame_bytes less an element: below 1.1.
     */
    return file_count + 10 * (whole + large) + 1;
}

void
sf_layout_init(struct sf_layout *layout, const struct sf_tensor *tensors, size_t count,
    uint64_t file_bytes, uint32_t frame_bytes)
{
    sf_assert(frame_bytes >= FRAME_BYTES_MIN);
    *layout = (struct sf_layout){
        .tensors = tensors,
        .tensor_count = count,
        .file_bytes = file_bytes,
        .frame_bytes = frame_bytes,
    };
}

/* The next tensor, or what lies before it. False at the end of the file. */
static bool
next_range(struct sf_layout *layout, struct sf_layout_segment *ret_range)
{
    struct sf_layout_segment range = {.offset = layout->range_at};

    if (layout->has_ahead) {
        layout->has_ahead = false;
        *ret_range = layout->ahead;
        return true;
    }
    if (layout->range_at == layout->file_bytes) {
        return false;
    }
    range.bytes = layout->file_bytes - layout->range_at;
    if (layout->tensor_next < layout->tensor_count) {
        const struct sf_tensor *tensor = &layout->tensors[layout->tensor_next];

        sf_assert(tensor->offset >= layout->range_at);
        range.bytes = tensor->offset - layout->range_at;
        if (range.bytes == 0) {
            range.bytes = tensor->bytes;
            range.element = tensor->element;
            layout->tensor_next++;
        }
    }
    layout->range_at += range.bytes;
    *ret_range = range;
    return true;
}

static bool
is_small(const struct sf_layout *layout, const struct sf_layout_segment *segment)
{
    return segment->bytes < layout->frame_bytes / SMALL_PARTS;
}

/* Is `next` more of the same: the type, and whole elements before it? */
static bool
is_same(const struct sf_layout_segment *segment, const struct sf_layout_segment *next)
{
    unsigned stride = sf_element_shape(segment->element)->stride;

    return segment->element == next->element && stride > 0 &&
           (segment->bytes - segment->lead) % stride == 0;
}

/* Take `next` into the segment, if they are to share frames. */
static bool
merge(const struct sf_layout *layout, struct sf_layout_segment *segment,
    const struct sf_layout_segment *next)
{
    if (is_small(layout, next) && is_same(segment, next)) {
        segment->bytes += next->bytes;
        return true;
    }
    if (is_small(layout, segment) && is_small(layout, next)) {
        segment->bytes += next->bytes;
        segment->element = SF_ELEMENT_OPAQUE;
        segment->lead = 0;
        return true;
    }
    /* A few bytes ahead of a tensor, its name or padding, are not worth a frame. */
    if (segment->element == SF_ELEMENT_OPAQUE && segment->bytes <= LEAD_BYTES_MAX &&
        next->element != SF_ELEMENT_OPAQUE) {
        segment->lead = (uint8_t)segment->bytes;
        segment->bytes += next->bytes;
        segment->element = next->element;
        return true;
    }
    return false;
}

static bool
next_segment(struct sf_layout *layout)
{
    struct sf_layout_segment segment;
    struct sf_layout_segment next;

    if (!next_range(layout, &segment)) {
        return false;
    }
    while (next_range(layout, &next)) {
        if (!merge(layout, &segment, &next)) {
            layout->ahead = next;
            layout->has_ahead = true;
            break;
        }
    }
    layout->segment = segment;
    return true;
}

bool
sf_layout_next(struct sf_layout *layout, struct sf_layout_frame *ret_frame)
{
    struct sf_layout_segment *segment = &layout->segment;
    unsigned stride;
    uint32_t bytes;

    if (segment->bytes == 0 && !next_segment(layout)) {
        return false;
    }
    stride = sf_element_shape(segment->element)->stride;
    bytes = layout->frame_bytes;
    if (segment->bytes <= bytes) {
        bytes = (uint32_t)segment->bytes;
    } else if (stride > 0) {
        /* Whole elements, so that the next frame begins with one. */
        bytes -= (bytes - segment->lead) % stride;
    }
    *ret_frame = (struct sf_layout_frame){segment->offset, bytes, segment->element, segment->lead};
    segment->offset += bytes;
    segment->bytes -= bytes;
    segment->lead = 0;
    return true;
}
