/*
 * fuzz_content.c - the content of a bundle: pieces stay within it and fit together.
 */
#include "base/assert.h"
#include "bundle/piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_content_reader reader;
    struct sf_piece piece;
    volatile uint8_t sum = 0;

    if (sf_content_reader_init(&reader, sf_view(data, bytes)) != SF_OK) {
        return 0;
    }
    while (sf_content_next(&reader, &piece)) {
        sf_assert(piece.part_offset <= piece.total_bytes);
        sf_assert(piece.bytes.bytes <= piece.total_bytes - piece.part_offset);
        for (size_t i = 0; i < piece.bytes.bytes; i++) {
            sum = (uint8_t)(sum + piece.bytes.data[i]);
        }
        if (piece.type == SF_PIECE_FRAME) {
            sf_assert(piece.plain_bytes > 0);
            sf_assert(piece.plain_bytes <= SF_FRAME_BYTES_MAX);
            sf_assert(piece.total_bytes <= piece.plain_bytes);
        }
    }
    return 0;
}
