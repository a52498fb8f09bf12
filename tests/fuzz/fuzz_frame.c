/*
 * fuzz_frame.c - frame codecs, both ways: any bytes as a coded frame stay within
 * the frame (four bytes first: codec and plaintext length), and any bytes as a
 * plaintext come back.
 */
#include "base/assert.h"
#include "bundle/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

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
        int status = sf_frame_decode(data[0], sf_view(data + 4, bytes - 4), out, plain_bytes);

        sf_assert(status == SF_OK || status == SF_EFORMAT);
    }
    free(out);
}

static void
round_trip(const uint8_t *data, size_t bytes)
{
    uint8_t *scratch = malloc(bytes);
    uint8_t *out = malloc(bytes);

    if (scratch != NULL && out != NULL) {
        enum sf_codec codec = SF_CODEC_RAW;
        struct sf_view coded = {NULL, 0};
        int status;

        sf_frame_encode(sf_view(data, bytes), scratch, &codec, &coded);
        status = sf_frame_decode(codec, coded, out, bytes);
        sf_assert(status == SF_OK);
        sf_assert(memcmp(out, data, bytes) == 0);
    }
    free(scratch);
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    decode(data, bytes);
    if (bytes > 0 && bytes <= SF_FRAME_BYTES_MAX) {
        round_trip(data, bytes);
    }
    return 0;
}
