/*
 * frame.c - coding a frame: which ways are worth a try, and which is the smallest.
 */
#include "bundle/frame.h"

#include "base/assert.h"
#include "bundle/frame_impl.h"
#include "bundle/planes.h"
#include "bundle/probe.h"

#include <lz4.h>

enum {
    /* A way must save at least one byte in this many, or decoding is not worth it. */
    GAIN_MIN = 128,

    /* Up to this many bytes samples tell too little: matches are tried in any case, and LZ4. */
    SMALL_BYTES_MAX = 16 << 10,

    /* What samples must save of a byte, in 1/256 bit, for a way to be tried on the whole. */
    COLUMNS_GAIN_MIN = 16,
    MATCHES_GAIN_MIN = 32,
};

bool
frame_is_same(struct sf_view bytes)
{
    return memcmp(bytes.data, bytes.data + 1, bytes.bytes - 1) == 0;
}

/* --- Planes --------------------------------------------------------------------------- */

bool
frame_put(struct frame_output *output, struct sf_view bytes)
{
    if (bytes.bytes > output->end - output->at) {
        return false;
    }
    if (bytes.bytes > 0) {
        memcpy(output->bytes + output->at, bytes.data, bytes.bytes);
    }
    output->at += bytes.bytes;
    return true;
}

/* The length of a zstd frame shorter than the plane, written if samples promise one; else 0. */
static size_t
put_zstd(struct sf_coder *coder, struct sf_view plane, const struct frame_output *output)
{
    uint32_t entropy = sf_probe_entropy(plane);
    uint8_t *out = output->bytes + output->at;
    size_t room = output->end - output->at;
    size_t bytes = 0;

    if (sf_probe_repetition(plane) + MATCHES_GAIN_MIN < entropy) {
        bytes = sf_coder_zstd(coder, plane, out, room);
    } else if (entropy + COLUMNS_GAIN_MIN <= SF_PROBE_BITS_MAX) {
        bytes = sf_coder_huffman(coder, plane, out, room);
    }
    return bytes < plane.bytes ? bytes : 0;
}

bool
frame_put_plane(struct sf_coder *coder, struct sf_view plane, struct frame_output *output,
    uint8_t column[PLANES_COLUMN_BYTES])
{
    size_t before = output->at;
    size_t bytes = 0;
    enum sf_plane_method method = SF_PLANE_RAW;

    if (frame_is_same(plane)) {
        method = SF_PLANE_SAME;
        if (!frame_put(output, sf_view(plane.data, 1))) {
            return false;
        }
    } else if ((bytes = put_zstd(coder, plane, output)) > 0) {
        method = SF_PLANE_ZSTD;
        output->at += bytes;
    } else if (!frame_put(output, plane)) {
        return false;
    }
    sf_put_be32(column, (uint32_t)(output->at - before));
    column[0] = (uint8_t)method;
    return true;
}

/* Returns the length of the coded planes in the coder's room, or 0 if there is no element. */
static size_t
encode_planes(struct sf_coder *coder, struct sf_view plain, const struct sf_probe *as)
{
    const struct sf_shape *shape = &as->shape;
    struct frame_output output = {.at = PLANES_HEAD_BYTES};
    uint8_t *out = output.bytes = sf_coder_room(coder, &output.end);
    uint8_t *planes = sf_coder_planes(coder);
    uint8_t *column = out + PLANES_HEAD_BYTES + shape->column_count;
    const uint8_t *elements = plain.data + as->lead;
    size_t count;
    size_t place = 0;

    if (plain.bytes < (size_t)as->lead + shape->stride) {
        return 0;
    }
    output.at += (size_t)shape->column_count * (1 + PLANES_COLUMN_BYTES);
    count = (plain.bytes - as->lead) / shape->stride;
    out[0] = as->lead;
    out[1] = shape->stride;
    out[2] = (uint8_t)(shape->column_count | (shape->is_rotated ? PLANES_ROTATED : 0));
    memcpy(out + PLANES_HEAD_BYTES, shape->widths, shape->column_count);
    sf_planes_split(shape, elements, count, planes);
    for (unsigned c = 0; c < shape->column_count; c++, column += PLANES_COLUMN_BYTES) {
        size_t plane_bytes = count * shape->widths[c];

        if (!frame_put_plane(coder, sf_view(planes + place, plane_bytes), &output, column)) {
            return 0;
        }
        place += plane_bytes;
    }
    if (!frame_put(&output, sf_view(plain.data, as->lead)) ||
        !frame_put(&output, sf_view(elements + place, plain.bytes - as->lead - place))) {
        return 0;
    }
    return output.at;
}

/* --- Choosing ------------------------------------------------------------------------- */

void
frame_consider(struct frame_choice *choice, enum sf_codec codec, size_t bytes)
{
    size_t plain_bytes = choice->plain.bytes;
    size_t head_bytes = choice->head.bytes;
    size_t bytes_max = choice->best.codec == SF_CODEC_RAW ? plain_bytes - plain_bytes / GAIN_MIN
                                                          : choice->best.bytes.bytes;
    size_t room;

    if (bytes == 0 || head_bytes + bytes >= bytes_max) {
        return;
    }
    if (head_bytes > 0) {
        memcpy(choice->scratch, choice->head.data, head_bytes);
        choice->scratch[head_bytes - 1] = (uint8_t)codec;
        codec = SF_CODEC_DIFFERENCE;
    }
    memcpy(choice->scratch + head_bytes, sf_coder_room(choice->coder, &room), bytes);
    choice->best = (struct sf_coded){codec, sf_view(choice->scratch, head_bytes + bytes)};
}

void
frame_try_planes(struct frame_choice *choice, const struct sf_probe *as)
{
    frame_consider(choice, SF_CODEC_PLANES, encode_planes(choice->coder, choice->plain, as));
}

void
frame_try_matches(struct frame_choice *choice)
{
    struct sf_view plain = choice->plain;
    size_t bytes_max;
    uint8_t *out = sf_coder_room(choice->coder, &bytes_max);
    int bytes;

    frame_consider(choice, SF_CODEC_ZSTD, sf_coder_zstd(choice->coder, plain, out, bytes_max));
    if (plain.bytes <= SMALL_BYTES_MAX) {
        bytes = LZ4_compress_default(
            (const char *)plain.data, (char *)out, (int)plain.bytes, (int)bytes_max);
        frame_consider(choice, SF_CODEC_LZ4, bytes > 0 ? (size_t)bytes : 0);
    }
}

/* Whether matches are worth a try. */
bool
frame_has_matches(struct sf_view plain)
{
    return plain.bytes <= SMALL_BYTES_MAX ||
           sf_probe_repetition(plain) + MATCHES_GAIN_MIN <= SF_PROBE_BITS_MAX;
}

/* Nothing is known about the frame: look at samples. */
static void
try_what_samples_promise(struct frame_choice *choice)
{
    struct sf_view plain = choice->plain;
    struct sf_probe probe = {.bits = SF_PROBE_BITS_MAX};

    if (plain.bytes >= FRAME_PROBE_BYTES_MIN) {
        sf_probe_numbers(plain, &probe);
    }
    if (probe.bits + COLUMNS_GAIN_MIN <= SF_PROBE_BITS_MAX) {
        frame_try_planes(choice, &probe);
    }
    if (frame_has_matches(plain)) {
        frame_try_matches(choice);
    }
}

void
frame_try_plain(struct frame_choice *choice, const struct sf_frame *frame)
{
    struct sf_probe known = {.shape = *sf_element_shape(frame->element), .lead = frame->lead};

    if (known.shape.stride > 0) {
        frame_try_planes(choice, &known);
    }
    if (choice->best.codec == SF_CODEC_RAW) {
        try_what_samples_promise(choice);
    }
}

void
sf_frame_encode(struct sf_coder *coder, const struct sf_frame *frame, uint8_t *scratch,
    struct sf_coded *ret_coded)
{
    struct frame_choice choice = {.coder = coder,
        .plain = frame->plain,
        .scratch = scratch,
        .best = {SF_CODEC_RAW, frame->plain}};

    sf_assert(frame->plain.bytes > 0);
    sf_assert(frame->plain.bytes <= SF_FRAME_BYTES_MAX);
    if (frame->plain.data[0] == 0 && frame_is_same(frame->plain)) {
        *ret_coded = (struct sf_coded){SF_CODEC_ZERO, sf_view(scratch, 0)};
        return;
    }
    frame_try_plain(&choice, frame);
    *ret_coded = choice.best;
}
