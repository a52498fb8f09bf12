/*
 * fuzz_frame.c - frame codecs, both ways: any bytes as a coded frame stay within
 * the frame (four bytes first: codec and plaintext length), and any bytes as a
 * plaintext come back, whatever is said about them. What planes decode to with the fast
 * code must be what they decode to with the plain one. The same against a base: as it comes,
 * and one that differs from the frame in what the bytes say.
 */
#include "base/assert.h"
#include "bundle/delta.h"
#include "bundle/planes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct sf_coder *coder;
static struct sf_hmac key;

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

/* A digest that fits, so that what stands behind it is looked at. */
static void
decode_against(const uint8_t *data, size_t bytes)
{
    static uint8_t base_bytes[SF_FRAME_BYTES_MAX];
    struct sf_delta_base base = {&key, 0, base_bytes};
    size_t plain_bytes;
    uint8_t mac[SF_SHA256_BYTES];
    struct sf_hmac hmac = key;
    uint8_t *coded = malloc(bytes + SF_REFERENCE_BYTES);
    uint8_t *out;

    plain_bytes = (size_t)(data[1] << 16 | data[2] << 8 | data[3]) % SF_FRAME_BYTES_MAX + 1;
    out = malloc(plain_bytes);
    for (size_t i = 0; i < plain_bytes; i++) {
        base_bytes[i] = (uint8_t)(i * 7);
    }
    sf_hmac_update(&hmac, base_bytes, plain_bytes);
    sf_hmac_final(&hmac, mac);
    if (coded != NULL && out != NULL) {
        struct sf_coded frame = {(enum sf_codec)(SF_CODEC_SAME + data[0] % 3),
            sf_view(coded, SF_REFERENCE_BYTES + bytes - 4)};
        int status;

        memset(coded, 0, 8);
        memcpy(coded + 8, mac, SF_REFERENCE_DIGEST_BYTES);
        memcpy(coded + SF_REFERENCE_BYTES, data + 4, bytes - 4);
        status = sf_delta_decode(coder, &frame, &base, out, plain_bytes);
        sf_assert(status == SF_OK || status == SF_EFORMAT);
    }
    free(coded);
    free(out);
}

/* The second half of the bytes says where, and by how much, the base differs. */
static void
delta_round_trip(const struct sf_frame *frame)
{
    size_t bytes = frame->plain.bytes;
    uint8_t *base_bytes = malloc(2 * bytes);
    uint8_t *scratch = malloc(bytes);
    uint8_t *out = malloc(bytes);

    if (base_bytes != NULL && scratch != NULL && out != NULL) {
        struct sf_delta_base base = {&key, bytes, base_bytes};
        struct sf_coded coded;
        int status;

        memcpy(base_bytes, frame->plain.data, bytes);
        for (size_t i = bytes / 2; i + 2 < bytes; i += 3) {
            base_bytes[frame->plain.data[i] * bytes / 256] ^= frame->plain.data[i + 1];
        }
        memcpy(base_bytes + bytes, base_bytes, bytes);
        sf_delta_encode(coder, frame, &base, scratch, &coded);
        base.bytes = base_bytes + bytes;
        status = sf_codec_has_base(coded.codec) ? sf_delta_decode(coder, &coded, &base, out, bytes)
                                                : sf_frame_decode(coder, &coded, out, bytes);
        sf_assert(status == SF_OK);
        sf_assert(coded.bytes.bytes <= bytes);
        sf_assert(memcmp(out, frame->plain.data, bytes) == 0);
    }
    free(base_bytes);
    free(scratch);
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
        sf_hmac_init(&key, sf_view("key", 3));
    }
    decode(data, bytes);
    if (bytes >= 4) {
        decode_against(data, bytes);
    }
    compare_planes(data, bytes);
    if (bytes > 2 && bytes <= SF_FRAME_BYTES_MAX) {
        struct sf_frame frame = {
            sf_view(data, bytes), (enum sf_element)(data[0] % SF_ELEMENTS), data[1]};

        round_trip(&frame);
        delta_round_trip(&frame);
        frame = (struct sf_frame){.plain = sf_view(data, bytes)};
        round_trip(&frame);
        delta_round_trip(&frame);
    }
    return 0;
}
