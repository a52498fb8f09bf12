/*
 * coder.c - contexts of libzstd, and the parameters they are used with.
 *
 * Every parameter is stated here and none is left to a level of the library, whose
 * meaning changes between its versions: the same plaintext is to give the same bytes.
 * Literals are to be coded and hardly any match be looked for when only the Huffman code is
 * wanted: a "target length" of the largest value makes the fastest strategy step over
 * everything. That literals are coded even then takes a parameter that zstd.h counts as
 * experimental, as it does contexts in memory of ours; both are there since 1.4.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include "bundle/coder.h"

#include "base/assert.h"
#include "bundle/frame.h"

#include <stdlib.h>
#include <zstd.h>

struct sf_coder {
    ZSTD_CCtx *encoder; /* both live in the memory below */
    ZSTD_DCtx *decoder;
    void *encoder_memory;
    void *decoder_memory;
    uint8_t *planes;
    uint8_t *room;
};

struct parameter {
    ZSTD_cParameter name;
    int value;
};

/* A Huffman code for each 128 KiB. */
static const struct parameter huffman_parameters[] = {
    {ZSTD_c_strategy, ZSTD_fast},
    {ZSTD_c_windowLog, 17},
    {ZSTD_c_hashLog, 6},
    {ZSTD_c_chainLog, 6},
    {ZSTD_c_searchLog, 1},
    {ZSTD_c_minMatch, 7},
    {ZSTD_c_targetLength, 131072},
    {ZSTD_c_literalCompressionMode, ZSTD_ps_enable},
};

/* Matches over the whole frame: about what level 3 of 1.5 does for 1 MiB. */
static const struct parameter zstd_parameters[] = {
    {ZSTD_c_strategy, ZSTD_dfast},
    {ZSTD_c_windowLog, 20},
    {ZSTD_c_hashLog, 17},
    {ZSTD_c_chainLog, 16},
    {ZSTD_c_searchLog, 1},
    {ZSTD_c_minMatch, 5},
    {ZSTD_c_targetLength, 0},
    {ZSTD_c_literalCompressionMode, ZSTD_ps_auto},
};

enum {
    PARAMETERS = sizeof(zstd_parameters) / sizeof(*zstd_parameters),

    /* libzstd asks for some room beyond what it writes; so do the heads of planes. */
    ROOM_BYTES = SF_FRAME_BYTES_MAX + (16 << 10),

    /* The head of a zstd frame: magic number, descriptor, and what a descriptor must not say. */
    HEAD_BYTES_MIN = 5,
    HEAD_REFUSED = 0x1f, /* dictionary, checksum, reserved and unused bits */
};

static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

static size_t
encoder_bytes(const struct parameter *parameters)
{
    ZSTD_CCtx_params *params = ZSTD_createCCtxParams();
    size_t bytes = 0;

    if (params == NULL) {
        return 0;
    }
    for (size_t i = 0; i < PARAMETERS; i++) {
        bytes = ZSTD_CCtxParams_setParameter(params, parameters[i].name, parameters[i].value);
        sf_assert(!ZSTD_isError(bytes));
    }
    bytes = ZSTD_estimateCCtxSize_usingCCtxParams(params);
    (void)ZSTD_freeCCtxParams(params);
    return ZSTD_isError(bytes) ? 0 : bytes;
}

int
sf_coder_open(struct sf_coder **ret_coder)
{
    struct sf_coder *coder = calloc(1, sizeof(*coder));
    size_t huffman_bytes = encoder_bytes(huffman_parameters);
    size_t zstd_bytes = encoder_bytes(zstd_parameters);
    size_t bytes = huffman_bytes > zstd_bytes ? huffman_bytes : zstd_bytes;

    if (coder == NULL) {
        return SF_ENOMEM;
    }
    if (huffman_bytes == 0 || zstd_bytes == 0) {
        free(coder);
        return SF_ENOMEM;
    }
    coder->encoder_memory = malloc(bytes);
    coder->decoder_memory = malloc(ZSTD_estimateDCtxSize());
    coder->planes = malloc(SF_FRAME_BYTES_MAX);
    coder->room = malloc(ROOM_BYTES);
    if (coder->encoder_memory == NULL || coder->decoder_memory == NULL || coder->planes == NULL ||
        coder->room == NULL) {
        sf_coder_close(coder);
        return SF_ENOMEM;
    }
    coder->encoder = ZSTD_initStaticCCtx(coder->encoder_memory, bytes);
    coder->decoder = ZSTD_initStaticDCtx(coder->decoder_memory, ZSTD_estimateDCtxSize());
    sf_assert(coder->encoder != NULL);
    sf_assert(coder->decoder != NULL);
    *ret_coder = coder;
    return SF_OK;
}

void
sf_coder_close(struct sf_coder *coder)
{
    if (coder == NULL) {
        return;
    }
    free(coder->encoder_memory);
    free(coder->decoder_memory);
    free(coder->planes);
    free(coder->room);
    free(coder);
}

uint8_t *
sf_coder_planes(struct sf_coder *coder)
{
    return coder->planes;
}

uint8_t *
sf_coder_room(struct sf_coder *coder, size_t *ret_bytes_max)
{
    *ret_bytes_max = ROOM_BYTES;
    return coder->room;
}

static size_t
encode(struct sf_coder *coder, const struct parameter *parameters, struct sf_view plain,
    uint8_t *out, size_t bytes_max)
{
    size_t bytes = ZSTD_CCtx_reset(coder->encoder, ZSTD_reset_session_and_parameters);

    sf_assert(!ZSTD_isError(bytes));
    for (size_t i = 0; i < PARAMETERS; i++) {
        bytes = ZSTD_CCtx_setParameter(coder->encoder, parameters[i].name, parameters[i].value);
        sf_assert(!ZSTD_isError(bytes));
    }
    bytes = ZSTD_compress2(coder->encoder, out, bytes_max, plain.data, plain.bytes);
    return ZSTD_isError(bytes) ? 0 : bytes;
}

size_t
sf_coder_huffman(struct sf_coder *coder, struct sf_view plain, uint8_t *out, size_t bytes_max)
{
    return encode(coder, huffman_parameters, plain, out, bytes_max);
}

size_t
sf_coder_zstd(struct sf_coder *coder, struct sf_view plain, uint8_t *out, size_t bytes_max)
{
    return encode(coder, zstd_parameters, plain, out, bytes_max);
}

int
sf_coder_unzstd(struct sf_coder *coder, struct sf_view coded, uint8_t *out, size_t plain_bytes)
{
    size_t bytes;

    if (coded.bytes < HEAD_BYTES_MIN || coded.bytes < plain_bytes / SF_ZSTD_RATIO_MAX ||
        memcmp(coded.data, zstd_magic, sizeof(zstd_magic)) != 0 ||
        (coded.data[sizeof(zstd_magic)] & HEAD_REFUSED) != 0 ||
        ZSTD_getFrameContentSize(coded.data, coded.bytes) != plain_bytes ||
        ZSTD_findFrameCompressedSize(coded.data, coded.bytes) != coded.bytes) {
        return SF_EFORMAT;
    }
    bytes = ZSTD_decompressDCtx(coder->decoder, out, plain_bytes, coded.data, coded.bytes);
    return bytes == plain_bytes ? SF_OK : SF_EFORMAT;
}
