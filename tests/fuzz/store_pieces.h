/*
 * store_pieces.h - inputs of the store's fuzz targets: small files that unfold
 * into large ones. A piece is its length (2 bytes, big endian) and that many
 * bytes; each piece begins the next block of 4096 bytes, zeros fill the rest.
 */
#ifndef SF_TESTS_FUZZ_STORE_PIECES_H
#define SF_TESTS_FUZZ_STORE_PIECES_H

#include "base/bytes.h"

#include <stdlib.h>

enum { PIECE_BLOCK = 4096 };

/* Unfold `input` into `out` of `room` bytes; returns how many it took. What does not fit is left out. */
static inline size_t
unfold(struct sf_view input, uint8_t *out, size_t room)
{
    size_t at = 0;

    memset(out, 0, room);
    while (input.bytes >= 2) {
        size_t bytes = sf_get_be16(input.data);
        size_t blocks;

        bytes = bytes > input.bytes - 2 ? input.bytes - 2 : bytes;
        blocks = bytes == 0 ? PIECE_BLOCK : (bytes + PIECE_BLOCK - 1) / PIECE_BLOCK * PIECE_BLOCK;
        if (blocks > room - at) {
            break;
        }
        if (bytes > 0) {
            memcpy(out + at, input.data + 2, bytes);
        }
        input = sf_view(input.data + 2 + bytes, input.bytes - 2 - bytes);
        at += blocks;
    }
    return at;
}

/* The reverse: pieces that unfold into `file`. Returns their length; `out` has room for file + 2 per block. */
static inline size_t
fold(struct sf_view file, uint8_t *out)
{
    size_t to = 0;

    for (size_t at = 0; at < file.bytes; at += PIECE_BLOCK) {
        size_t bytes = file.bytes - at < PIECE_BLOCK ? file.bytes - at : PIECE_BLOCK;

        while (bytes > 0 && file.data[at + bytes - 1] == 0) {
            bytes--;
        }
        sf_put_be16(out + to, (uint16_t)bytes);
        memcpy(out + to + 2, file.data + at, bytes);
        to += 2 + bytes;
    }
    return to;
}

/* A property that must hold whatever the input. */
static inline void
must(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

#endif
