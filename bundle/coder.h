/*
 * coder.h - the memory and the contexts that coding and decoding frames take.
 *
 * One coder belongs to one thread at a time. All its memory is taken when it is
 * opened, about 4 MiB, and none later, whatever is coded or decoded. Behind the first
 * two calls stand the pieces that only frame.c and frame_decode.c use.
 */
#ifndef SF_BUNDLE_CODER_H
#define SF_BUNDLE_CODER_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_coder;

/* SF_OK, or SF_ENOMEM. Release with sf_coder_close, which takes NULL too. */
SF_MUST_USE int sf_coder_open(struct sf_coder **ret_coder);
void sf_coder_close(struct sf_coder *coder);

/* --- For frame.c and frame_decode.c -------------------------------------------------- */

/* For the planes of a frame: SF_FRAME_BYTES_MAX bytes. */
uint8_t *sf_coder_planes(struct sf_coder *coder);

/* For a frame coded in one way: *ret_bytes_max bytes, enough for each way at its worst. */
uint8_t *sf_coder_room(struct sf_coder *coder, size_t *ret_bytes_max);

/*
 * Code `plain` as one zstd frame of at most `bytes_max` bytes: its bytes through a Huffman
 * code alone, or with matches too. Returns the length, or 0 if it does not fit; libzstd may
 * say so when the room is less than it needs at the worst.
 */
size_t sf_coder_huffman(
    struct sf_coder *coder, struct sf_view plain, uint8_t *out, size_t bytes_max);
size_t sf_coder_zstd(struct sf_coder *coder, struct sf_view plain, uint8_t *out, size_t bytes_max);

/*
 * Decode one zstd frame that gives exactly `plain_bytes` bytes. Refused are: anything but one
 * frame of RFC 8878 with its content size, without checksum and dictionary; more than
 * SF_ZSTD_RATIO_MAX plain bytes for each coded one. Never writes past out + plain_bytes.
 * SF_OK or SF_EFORMAT.
 */
SF_MUST_USE int sf_coder_unzstd(
    struct sf_coder *coder, struct sf_view coded, uint8_t *out, size_t plain_bytes);

/* The most that the blocks of a zstd frame can give: 128 KiB for 4 bytes. */
#define SF_ZSTD_RATIO_MAX 32768U

#endif
