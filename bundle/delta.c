/*
 * delta.c - coding a frame against a base: the same, a few numbers, or all differences.
 */
#include "bundle/delta.h"

#include "base/assert.h"
#include "bundle/delta_impl.h"

enum {
    /* Patches are tried as long as at most one number in so many differs. */
    PATCH_PART_MIN = 4,
};

/* A frame, its base, and the numbers that both are taken as. */
struct pair {
    struct sf_view plain;
    uint8_t *base;
    struct delta_numbers numbers;
    struct sf_probe shape; /* of the differences */
};

static void
put_reference(const struct sf_delta_base *base, size_t bytes, uint8_t out[SF_REFERENCE_BYTES])
{
    sf_put_be64(out, base->offset);
    delta_digest(base->key, sf_view(base->bytes, bytes), out + 8);
}

/*
 * Numbers of 1, 2, 4 or 8 bytes differ as numbers, blocks of quantized ones byte by byte. Of
 * what is not known samples tell the width.
 */
static bool
find_numbers(const struct sf_frame *frame, struct pair *pair)
{
    struct sf_probe probe = {.shape = *sf_element_shape(frame->element), .lead = frame->lead};
    struct sf_shape *shape = &probe.shape;
    unsigned width = 1;

    if (shape->stride == 0 && frame->plain.bytes >= FRAME_PROBE_BYTES_MIN) {
        sf_probe_numbers(frame->plain, &probe);
    }
    if (shape->stride == 0) {
        *shape = *sf_element_shape(SF_ELEMENT_INT8);
    }
    if (shape->column_count == shape->stride) {
        width = shape->stride;
    }
    shape->is_rotated = false; /* folded differences have their signs below */
    pair->shape = probe;
    return delta_numbers_of(frame->plain.bytes, width, probe.lead, &pair->numbers);
}

/* --- Patches --------------------------------------------------------------------------- */

/* How many numbers differ, and what the gaps between them take. */
static size_t
count_changes(const struct pair *pair, size_t *ret_gap_bytes)
{
    const struct delta_numbers *numbers = &pair->numbers;
    const uint8_t *plain = pair->plain.data + numbers->lead;
    const uint8_t *base = pair->base + numbers->lead;
    size_t changes = 0;
    size_t gap_bytes = 0;
    size_t gap = 0;

    for (size_t i = 0; i < numbers->count; i++) {
        if (memcmp(plain + i * numbers->width, base + i * numbers->width, numbers->width) == 0) {
            gap++;
            continue;
        }
        changes++;
        do {
            gap_bytes++;
            gap >>= PATCH_GAP_BITS;
        } while (gap > 0);
    }
    *ret_gap_bytes = gap_bytes;
    return changes;
}

/* Write the gaps to `gaps`, and the planes of the differences, `changes` bytes each, behind them. */
static void
split_changes(const struct pair *pair, size_t changes, uint8_t *gaps, uint8_t *planes)
{
    const struct delta_numbers *numbers = &pair->numbers;
    unsigned width = numbers->width;
    const uint8_t *plain = pair->plain.data + numbers->lead;
    const uint8_t *base = pair->base + numbers->lead;
    size_t gap = 0;
    size_t done = 0;

    for (size_t i = 0; i < numbers->count; i++, plain += width, base += width) {
        uint64_t folded = delta_fold(delta_load(plain, width), delta_load(base, width), width);

        if (folded == 0) {
            gap++;
            continue;
        }
        for (; gap >= PATCH_GAP_MORE; gap >>= PATCH_GAP_BITS) {
            *gaps++ = (uint8_t)(gap | PATCH_GAP_MORE);
        }
        *gaps++ = (uint8_t)gap;
        gap = 0;
        for (unsigned k = 0; k < width; k++) {
            planes[k * changes + done] = (uint8_t)(folded >> 8 * k);
        }
        done++;
    }
}

/* Returns the length of the patch in the coder's room, or 0 if there is none. */
static size_t
encode_patch(struct sf_coder *coder, const struct pair *pair, const uint8_t *reference)
{
    const struct delta_numbers *numbers = &pair->numbers;
    struct frame_output output = {.at = PATCH_HEAD_BYTES};
    uint8_t *out = output.bytes = sf_coder_room(coder, &output.end);
    uint8_t *planes = sf_coder_planes(coder);
    uint8_t *column = out + PATCH_HEAD_BYTES;
    size_t gap_bytes = 0;
    size_t changes = count_changes(pair, &gap_bytes);
    size_t end = numbers->lead + numbers->count * numbers->width;

    if (changes == 0 || changes > numbers->count / PATCH_PART_MIN ||
        gap_bytes + changes * numbers->width > pair->plain.bytes) {
        return 0;
    }
    memcpy(out, reference, SF_REFERENCE_BYTES);
    out[SF_REFERENCE_BYTES] = (uint8_t)numbers->width;
    out[SF_REFERENCE_BYTES + 1] = (uint8_t)numbers->lead;
    sf_put_be32(out + SF_REFERENCE_BYTES + 2, (uint32_t)changes);
    sf_put_be32(out + SF_REFERENCE_BYTES + 6, (uint32_t)gap_bytes);
    split_changes(pair, changes, planes, planes + gap_bytes);
    output.at += (size_t)(1 + numbers->width) * PLANES_COLUMN_BYTES;
    for (unsigned i = 0; i <= numbers->width; i++, column += PLANES_COLUMN_BYTES) {
        size_t bytes = i == 0 ? gap_bytes : changes;

        if (!frame_put_plane(coder, sf_view(planes, bytes), &output, column)) {
            return 0;
        }
        planes += bytes;
    }
    if (!frame_put(&output, sf_view(pair->plain.data, numbers->lead)) ||
        !frame_put(&output, sf_view(pair->plain.data + end, pair->plain.bytes - end))) {
        return 0;
    }
    return output.at;
}

/* --- Differences ------------------------------------------------------------------------ */

/* Inlined for each width, so that the loops become loads of that width. */
static inline void
fold_numbers(const uint8_t *plain, uint8_t *base, size_t count, unsigned width)
{
    for (size_t i = 0; i < count * width; i += width) {
        delta_store(base + i, width,
            delta_fold(delta_load(plain + i, width), delta_load(base + i, width), width));
    }
}

/* The base becomes the difference. */
static void
fold_pair(const struct pair *pair)
{
    const struct delta_numbers *numbers = &pair->numbers;
    const uint8_t *plain = pair->plain.data;
    size_t lead = numbers->lead;
    size_t end = lead + numbers->count * numbers->width;

    fold_numbers(plain, pair->base, lead, 1);
    switch (numbers->width) {
    case 1:
        fold_numbers(plain + lead, pair->base + lead, numbers->count, 1);
        break;
    case 2:
        fold_numbers(plain + lead, pair->base + lead, numbers->count, 2);
        break;
    case 4:
        fold_numbers(plain + lead, pair->base + lead, numbers->count, 4);
        break;
    default:
        fold_numbers(plain + lead, pair->base + lead, numbers->count, 8);
        break;
    }
    fold_numbers(plain + end, pair->base + end, pair->plain.bytes - end, 1);
}

static void
try_difference(struct frame_choice *choice, const struct pair *pair, const uint8_t *reference)
{
    uint8_t head[DIFFERENCE_HEAD_BYTES] = {0};

    memcpy(head, reference, SF_REFERENCE_BYTES);
    head[SF_REFERENCE_BYTES] = (uint8_t)pair->numbers.width;
    head[SF_REFERENCE_BYTES + 1] = (uint8_t)pair->numbers.lead;
    fold_pair(pair);
    choice->plain = sf_view(pair->base, pair->plain.bytes);
    choice->head = sf_view(head, sizeof(head));
    frame_try_planes(choice, &pair->shape);
    if (frame_has_matches(choice->plain)) {
        frame_try_matches(choice);
    }
    choice->plain = pair->plain;
    choice->head = sf_view(NULL, 0);
}

/* --- Choosing --------------------------------------------------------------------------- */

void
sf_delta_encode(struct sf_coder *coder, const struct sf_frame *frame,
    const struct sf_delta_base *base, uint8_t *scratch, struct sf_coded *ret_coded)
{
    struct frame_choice choice = {.coder = coder, .plain = frame->plain, .scratch = scratch};
    struct pair pair = {.plain = frame->plain, .base = base->bytes};
    uint8_t reference[SF_REFERENCE_BYTES];

    bool is_zero = frame->plain.data[0] == 0 && frame_is_same(frame->plain);

    if (is_zero || frame->plain.bytes <= SF_REFERENCE_BYTES) {
        sf_frame_encode(coder, frame, scratch, ret_coded);
        return;
    }
    put_reference(base, frame->plain.bytes, reference);
    if (memcmp(frame->plain.data, base->bytes, frame->plain.bytes) == 0) {
        memcpy(scratch, reference, sizeof(reference));
        *ret_coded = (struct sf_coded){SF_CODEC_SAME, sf_view(scratch, sizeof(reference))};
        return;
    }
    sf_frame_encode(coder, frame, scratch, &choice.best);
    if (find_numbers(frame, &pair)) {
        frame_consider(&choice, SF_CODEC_PATCH, encode_patch(coder, &pair, reference));
        try_difference(&choice, &pair, reference);
    }
    *ret_coded = choice.best;
}
