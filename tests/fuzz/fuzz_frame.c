/*
 * fuzz_frame.c - frame codecs, both ways: any bytes as a coded frame stay within
 * the frame (four bytes first: codec and plaintext length), and any bytes as a
 * plaintext come back, whatever is said about them. What planes decode to with the fast
 * code must be what they decode to with the plain one.
 */
#include "base/assert.h"
#include "bundle/frame.h"
#include "bundle/planes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct sf_coder *coder;

static void
decode(const uint8_t *data, size_t bytes)
{
    size_t plain_bytes;
    uint8_t *out;

    if (bytes < 4) {
        return;
    }
    plain_bytes = (size_t)(data[1] << 16 | data[2] << 8 | data[3]) % (SF_FRAME_BYTES_MAX + 2);
    out = malloc(plain_bytes == 0 ? 1 : plain_bytes);
    if (out != NULL) {
        struct sf_coded coded = {(enum sf_codec)data[0], sf_view(data + 4, bytes - 4)};
        int status = sf_frame_decode(coder, &coded, out, plain_bytes);

        sf_assert(status == SF_OK || status == SF_EFORMAT);
    }
    free(out);
}

static void
round_trip(const struct sf_frame *frame)
{
    size_t bytes = frame->plain.bytes;
    uint8_t *scratch = malloc(bytes);
    uint8_t *out = malloc(bytes);

    if (scratch != NULL && out != NULL) {
        struct sf_coded coded;
        int status;

        sf_frame_encode(coder, frame, scratch, &coded);
        status = sf_frame_decode(coder, &coded, out, bytes);
        sf_assert(status == SF_OK);
        sf_assert(memcmp(out, frame->plain.data, bytes) == 0);
    }
    free(scratch);
    free(out);
}

/* Any shape over any bytes: both ways of taking them apart, and back. */
static void
compare_planes(const uint8_t *data, size_t bytes)
{
    struct sf_shape shape = {.stride = 0};
    size_t count;
    uint8_t *planes;
    uint8_t *out;

    if (bytes < 2 + SF_SHAPE_COLUMNS_MAX) {
        return;
    }
    shape.stride = data[0];
    shape.column_count = data[1] & 0x7f;
    shape.is_rotated = data[1] >> 7;
    memcpy(shape.widths, data + 2, SF_SHAPE_COLUMNS_MAX);
    if (!sf_shape_is_valid(&shape)) {
        return;
    }
    count = bytes / shape.stride;
    planes = malloc(2 * bytes);
    out = malloc(bytes);
    if (planes != NULL && out != NULL) {
        sf_planes_split(&shape, data, count, planes);
        sf_planes_split_plain(&shape, data, count, planes + bytes);
        sf_assert(memcmp(planes, planes + bytes, count * shape.stride) == 0);
        sf_planes_join(&shape, planes, count, out);
        sf_assert(memcmp(out, data, count * shape.stride) == 0);
        sf_planes_join_plain(&shape, planes, count, out);
        sf_assert(memcmp(out, data, count * shape.stride) == 0);
    }
    free(planes);
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (coder == NULL) {
        sf_assert(sf_coder_open(&coder) == SF_OK);
    }
    decode(data, bytes);
    compare_planes(data, bytes);
    if (bytes > 2 && bytes <= SF_FRAME_BYTES_MAX) {
        struct sf_frame frame = {
            sf_view(data, bytes), (enum sf_element)(data[0] % SF_ELEMENTS), data[1]};

        round_trip(&frame);
        frame = (struct sf_frame){.plain = sf_view(data, bytes)};
        round_trip(&frame);
    }
    return 0;
}
