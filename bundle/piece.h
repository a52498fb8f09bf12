/*
 * piece.h - the content of a data bundle: what is written into one, and read out of it.
 *
 * The content is one CBOR array of pieces, in this order:
 *
 *   [1, part-offset, total-bytes, bytes]      a part of the outline
 *   [2, file, offset, codec, plain-bytes, coded-bytes, part-offset, bytes]
 *                                             a coded frame, or a part of one
 *   [3, part-offset, total-bytes, bytes]      a part of the digests
 *
 * The bundles of a transfer are one line of such pieces: the outline begins
 * bundle 0, the frames follow in the order of the files and without a gap, the
 * digests end the last bundle. Only the last piece of a bundle may be cut, and what is cut goes
 * on in the first piece of the next bundle. A frame has at most two parts; the
 * outline and the digests may have many.
 *
 * Packing depends only on the pieces and the room, so a repeated seal of the same
 * source gives the same bundles. Nothing allocates; views point into the bundle.
 */
#ifndef SF_BUNDLE_PIECE_H
#define SF_BUNDLE_PIECE_H

#include "base/bytes.h"
#include "base/status.h"
#include "bundle/cbor.h"
#include "bundle/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_CONTENT_PIECES_MAX = 65535, /* in one bundle */
};

/* Numbers on the wire. */
enum sf_piece_type {
    SF_PIECE_OUTLINE = 1,
    SF_PIECE_FRAME = 2,
    SF_PIECE_DIGESTS = 3,
};

struct sf_piece {
    enum sf_piece_type type;
    uint32_t file;   /* FRAME only, as are the next three */
    uint64_t offset; /* of the frame's plaintext in the file */
    enum sf_codec codec;
    uint32_t plain_bytes; /* of the whole frame */
    uint32_t total_bytes; /* of the whole outline, digests, or coded frame */
    uint32_t part_offset; /* where `bytes` belongs in it */
    struct sf_view bytes;
};

/* Is the piece the whole of what it is a part of? */
static inline bool
sf_piece_is_whole(const struct sf_piece *piece)
{
    return piece->bytes.bytes == piece->total_bytes;
}

/* --- Writing --------------------------------------------------------------- */

/* A frame ready to be packed. */
struct sf_coded_frame {
    uint32_t file;
    uint64_t offset; /* of its plaintext in the file */
    enum sf_codec codec;
    uint32_t plain_bytes;
    struct sf_view coded;
};

/* Fields are the writer's own. */
struct sf_content_writer {
    uint8_t *content;
    size_t bytes_max;
    size_t bytes; /* pieces so far, after the room kept for the array's head */
    size_t head_bytes;
    uint32_t pieces;
    bool is_full; /* a piece was cut: the bundle is done */
};

/*
 * Write the content of one bundle into `content`, at most `bytes_max` bytes
 * (sf_envelope_capacity of the class; at least 1,024).
 */
void sf_content_writer_init(struct sf_content_writer *writer, uint8_t *content, size_t bytes_max);

/*
 * Add a frame, or what fits of it. *offset says how many coded bytes earlier
 * bundles took (0 at first) and is moved on. Returns true when the frame is
 * complete; false means that this bundle is full: finish it and call again, with
 * the same frame and offset, on a writer for the next bundle, of the same size.
 */
bool sf_content_add_frame(
    struct sf_content_writer *writer, const struct sf_coded_frame *frame, size_t *offset);

/* The same for the encoded outline, before any frame, and the digests, after all of them. */
bool sf_content_add_outline(
    struct sf_content_writer *writer, struct sf_view outline, size_t *offset);
bool sf_content_add_digests(
    struct sf_content_writer *writer, struct sf_view digests, size_t *offset);

/* Bytes of content that are still free, heads of pieces not counted; 0 once a piece was cut. */
size_t sf_content_room(const struct sf_content_writer *writer);

/* Nothing was added yet. */
bool sf_content_is_empty(const struct sf_content_writer *writer);

/* Close the content and return how many bytes of the buffer it takes. Never fails. */
size_t sf_content_finish(struct sf_content_writer *writer);

/* --- Reading --------------------------------------------------------------- */

/* Fields are the reader's own. */
struct sf_content_reader {
    struct sf_cbor_reader cbor;
    uint32_t left;
};

/*
 * Check `content` through and stand before its first piece.
 *
 * Checked here: strict CBOR; types and limits; codec lengths (zero: none, raw:
 * equal, the others: shorter, and the length of a reference where there is one); parts within their whole; the order above; that only the
 * last piece is cut at its end and only the first continues; no empty parts. Not
 * checked, since it takes the outline: sf_outline_check_piece().
 *
 * Returns SF_OK, SF_EFORMAT, or SF_ELIMIT if a number is beyond a named limit.
 */
SF_MUST_USE int sf_content_reader_init(struct sf_content_reader *reader, struct sf_view content);

/* The next piece, or false after the last. Its view lives as long as the content. */
bool sf_content_next(struct sf_content_reader *reader, struct sf_piece *ret_piece);

#endif
