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

    /* Below this nothing but LZ4 has a chance, whose blocks have no head. */
    PROBE_BYTES_MIN = 64,
    /* Up to this many bytes samples tell too little: matches are tried in any case, and LZ4. */
    SMALL_BYTES_MAX = 16 << 10,

    /* What samples must save of a byte, in 1/256 bit, for a way to be tried on the whole. */
    COLUMNS_GAIN_MIN = 16,
    MATCHES_GAIN_MIN = 32,
};

/* Where coded bytes are written. */
struct output {
    uint8_t *bytes;
    size_t at;
    size_t end;
};

static bool
is_same(struct sf_view bytes)
{
    return memcmp(bytes.data, bytes.data + 1, bytes.bytes - 1) == 0;
}

/* --- Planes --------------------------------------------------------------------------- */

static bool
put(struct output *output, struct sf_view bytes)
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
put_zstd(struct sf_coder *coder, struct sf_view plane, const struct output *output)
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

static bool
put_plane(struct sf_coder *coder, struct sf_view plane, struct output *output,
    enum sf_plane_method *ret_method)
{
    size_t bytes;

    if (is_same(plane)) {
        *ret_method = SF_PLANE_SAME;
        return put(output, sf_view(plane.data, 1));
    }
    bytes = put_zstd(coder, plane, output);
    if (bytes == 0) {
        *ret_method = SF_PLANE_RAW;
        return put(output, plane);
    }
    *ret_method = SF_PLANE_ZSTD;
    output->at += bytes;
    return true;
}

/* Returns the length of the coded planes in the coder's room, or 0 if there is no element. */
static size_t
encode_planes(struct sf_coder *coder, struct sf_view plain, const struct sf_probe *as)
{
    const struct sf_shape *shape = &as->shape;
    struct output output = {.at = PLANES_HEAD_BYTES};
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
        size_t before = output.at;
        enum sf_plane_method method = SF_PLANE_RAW;

        if (!put_plane(coder, sf_view(planes + place, plane_bytes), &output, &method)) {
            return 0;
        }
        sf_put_be32(column, (uint32_t)(output.at - before));
        column[0] = (uint8_t)method;
        place += plane_bytes;
    }
    if (!put(&output, sf_view(plain.data, as->lead)) ||
        !put(&output, sf_view(elements + place, plain.bytes - as->lead - place))) {
        return 0;
    }
    return output.at;
}

/* --- Choosing ------------------------------------------------------------------------- */

/* The best way so far, and where another one is tried. */
struct choice {
    struct sf_coder *coder;
    struct sf_view plain;
    uint8_t *scratch;
    struct sf_coded best;
};

/* `bytes` bytes in the coder's room are the frame coded another way; 0: it could not be. */
static void
consider(struct choice *choice, enum sf_codec codec, size_t bytes)
{
    size_t plain_bytes = choice->plain.bytes;
    size_t bytes_max = choice->best.codec == SF_CODEC_RAW ? plain_bytes - plain_bytes / GAIN_MIN
                                                          : choice->best.bytes.bytes;
    size_t room;

    if (bytes > 0 && bytes < bytes_max) {
        memcpy(choice->scratch, sf_coder_room(choice->coder, &room), bytes);
        choice->best = (struct sf_coded){codec, sf_view(choice->scratch, bytes)};
    }
}

static void
try_planes(struct choice *choice, const struct sf_probe *as)
{
    consider(choice, SF_CODEC_PLANES, encode_planes(choice->coder, choice->plain, as));
}

static void
try_matches(struct choice *choice)
{
    struct sf_view plain = choice->plain;
    size_t bytes_max;
    uint8_t *out = sf_coder_room(choice->coder, &bytes_max);
    int bytes;

    consider(choice, SF_CODEC_ZSTD, sf_coder_zstd(choice->coder, plain, out, bytes_max));
    if (plain.bytes <= SMALL_BYTES_MAX) {
        bytes = LZ4_compress_default(
            (const char *)plain.data, (char *)out, (int)plain.bytes, (int)bytes_max);
        consider(choice, SF_CODEC_LZ4, bytes > 0 ? (size_t)bytes : 0);
    }
}

/* Nothing is known about the frame: look at samples. */
static void
try_what_samples_promise(struct choice *choice)
{
    struct sf_view plain = choice->plain;
    struct sf_probe probe = {.bits = SF_PROBE_BITS_MAX};

    if (plain.bytes >= PROBE_BYTES_MIN) {
        sf_probe_numbers(plain, &probe);
    }
    if (probe.bits + COLUMNS_GAIN_MIN <= SF_PROBE_BITS_MAX) {
        try_planes(choice, &probe);
    }
    if (plain.bytes <= SMALL_BYTES_MAX ||
        sf_probe_repetition(plain) + MATCHES_GAIN_MIN <= SF_PROBE_BITS_MAX) {
        try_matches(choice);
    }
}

void
sf_frame_encode(struct sf_coder *coder, const struct sf_frame *frame, uint8_t *scratch,
    struct sf_coded *ret_coded)
{
    struct choice choice = {coder, frame->plain, scratch, {SF_CODEC_RAW, frame->plain}};
    struct sf_probe known = {.shape = *sf_element_shape(frame->element), .lead = frame->lead};

    sf_assert(frame->plain.bytes > 0);
    sf_assert(frame->plain.bytes <= SF_FRAME_BYTES_MAX);
    if (frame->plain.data[0] == 0 && is_same(frame->plain)) {
        *ret_coded = (struct sf_coded){SF_CODEC_ZERO, sf_view(scratch, 0)};
        return;
    }
    if (known.shape.stride > 0) {
        try_planes(&choice, &known);
    }
    if (choice.best.codec == SF_CODEC_RAW) {
        try_what_samples_promise(&choice);
    }
    *ret_coded = choice.best;
}
