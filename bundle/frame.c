/*
 * frame.c - frame codecs: zero, raw, LZ4.
 */
#include "bundle/frame.h"

#include "base/assert.h"

#include <lz4.h>

enum {
    LZ4_MATCH_MIN = 4, /* a match of length n is written as n - 4 */

    /* LZ4 must save at least one byte in this many, or decoding is not worth it. */
    LZ4_GAIN_MIN = 64,

    /* From this size on a few samples tell whether LZ4 is tried on the whole frame. */
    PROBE_FROM_BYTES = 256 << 10,
    PROBE_SAMPLES = 4,
    PROBE_SAMPLE_BYTES = 8 << 10,

    /* What the samples must save, one byte in this many: less than a frame must, since a
     * sample sees fewer repetitions. */
    PROBE_GAIN_MIN = 128,
};

static bool
is_zero(const uint8_t *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

/* Could LZ4 gain something on `plain`? Looks at samples spread over it. */
static bool
looks_compressible(struct sf_view plain, uint8_t *scratch)
{
    size_t stride = (plain.bytes - PROBE_SAMPLE_BYTES) / (PROBE_SAMPLES - 1);
    size_t coded = 0;

    for (size_t i = 0; i < PROBE_SAMPLES; i++) {
        /* A sample that does not shrink does not fit and gives 0: count it in full. */
        int bytes = LZ4_compress_default((const char *)plain.data + i * stride, (char *)scratch,
            PROBE_SAMPLE_BYTES, PROBE_SAMPLE_BYTES);

        coded += bytes > 0 ? (size_t)bytes : PROBE_SAMPLE_BYTES;
    }
    return coded <=
           (size_t)PROBE_SAMPLES * PROBE_SAMPLE_BYTES * (PROBE_GAIN_MIN - 1) / PROBE_GAIN_MIN;
}

void
sf_frame_encode(
    struct sf_view plain, uint8_t *scratch, enum sf_codec *ret_codec, struct sf_view *ret_coded)
{
    size_t bytes_max = plain.bytes - plain.bytes / LZ4_GAIN_MIN - 1;
    int bytes = 0;

    sf_assert(plain.bytes > 0);
    sf_assert(plain.bytes <= SF_FRAME_BYTES_MAX);
    if (is_zero(plain.data, plain.bytes)) {
        *ret_codec = SF_CODEC_ZERO;
        *ret_coded = sf_view(scratch, 0);
        return;
    }
    if (bytes_max > 0 && (plain.bytes < PROBE_FROM_BYTES || looks_compressible(plain, scratch))) {
        bytes = LZ4_compress_default(
            (const char *)plain.data, (char *)scratch, (int)plain.bytes, (int)bytes_max);
    }
    if (bytes > 0) {
        *ret_codec = SF_CODEC_LZ4;
        *ret_coded = sf_view(scratch, (size_t)bytes);
    } else {
        *ret_codec = SF_CODEC_RAW;
        *ret_coded = plain;
    }
}

/* The lengths of an LZ4 sequence go on in bytes of 255 after a first part of 15. */
static bool
take_length(struct sf_view coded, size_t *at, size_t first, size_t *ret_length)
{
    size_t length = first;
    uint8_t more = first == 15 ? 255 : 0;

    while (more == 255) {
        if (*at == coded.bytes) {
            return false;
        }
        more = coded.data[(*at)++];
        length += more;
    }
    *ret_length = length;
    return true;
}

/*
 * Does the block keep the LZ4 block format and give exactly `plain_bytes` bytes? liblz4
 * itself accepts a match at distance 0, which copies whatever was in the output before;
 * with this check every right decoder gives the same bytes or none. Lengths cannot
 * wrap: each is below 256 times the coded bytes.
 */
static bool
is_lz4_block(struct sf_view coded, size_t plain_bytes)
{
    size_t at = 0;
    size_t done = 0;

    while (at < coded.bytes) {
        uint8_t token = coded.data[at++];
        size_t length = 0;
        size_t distance;

        if (!take_length(coded, &at, token >> 4, &length) || length > coded.bytes - at) {
            return false;
        }
        at += length;
        done += length;
        if (at == coded.bytes) {
            return done == plain_bytes;
        }
        if (coded.bytes - at < 2) {
            return false;
        }
        distance = (size_t)coded.data[at] | (size_t)coded.data[at + 1] << 8;
        at += 2;
        if (distance == 0 || distance > done || !take_length(coded, &at, token & 15, &length)) {
            return false;
        }
        done += length + LZ4_MATCH_MIN;
        if (done > plain_bytes) {
            return false;
        }
    }
    return false;
}

int
sf_frame_decode(unsigned codec, struct sf_view coded, uint8_t *out, size_t plain_bytes)
{
    int bytes;

    if (plain_bytes == 0 || plain_bytes > SF_FRAME_BYTES_MAX) {
        return SF_EFORMAT;
    }
    switch (codec) {
    case SF_CODEC_ZERO:
        if (coded.bytes != 0) {
            return SF_EFORMAT;
        }
        memset(out, 0, plain_bytes);
        return SF_OK;
    case SF_CODEC_RAW:
        if (coded.bytes != plain_bytes) {
            return SF_EFORMAT;
        }
        memcpy(out, coded.data, plain_bytes);
        return SF_OK;
    case SF_CODEC_LZ4:
        if (coded.bytes == 0 || coded.bytes >= plain_bytes || !is_lz4_block(coded, plain_bytes)) {
            return SF_EFORMAT;
        }
        bytes = LZ4_decompress_safe(
            (const char *)coded.data, (char *)out, (int)coded.bytes, (int)plain_bytes);
        return bytes >= 0 && (size_t)bytes == plain_bytes ? SF_OK : SF_EFORMAT;
    default:
        return SF_EFORMAT;
    }
}
