/*
 * piece.c - packing pieces into the content of a bundle, and taking them out.
 */
#include "bundle/piece.h"

#include "base/assert.h"
#include "bundle/delta.h"
#include "bundle/manifest.h"

enum {
    /* A part shorter than this is not begun: its head would cost more than it is worth. */
    PART_BYTES_MIN = 64,

    OUTLINE_FIELDS = 4, /* and DIGESTS */
    FRAME_FIELDS = 8,
    CONTENT_BYTES_MIN = 1024,
};

/* --- Writing --------------------------------------------------------------------- */

/*
 * The array's head comes first and its length depends on the count of pieces, which
 * is known last. Room for the shortest head is kept, and the pieces are moved by a
 * byte or two the few times that the count outgrows it.
 */

void
sf_content_writer_init(struct sf_content_writer *writer, uint8_t *content, size_t bytes_max)
{
    sf_assert(bytes_max >= CONTENT_BYTES_MIN);
    *writer = (struct sf_content_writer){
        .content = content,
        .bytes_max = bytes_max,
        .bytes = 1,
        .head_bytes = 1,
    };
}

/* Everything in a piece but its bytes and their head. */
static void
write_fields(struct sf_cbor_writer *cbor, const struct sf_piece *piece)
{
    if (piece->type == SF_PIECE_FRAME) {
        sf_cbor_write_array(cbor, FRAME_FIELDS);
        sf_cbor_write_uint(cbor, piece->type);
        sf_cbor_write_uint(cbor, piece->file);
        sf_cbor_write_uint(cbor, piece->offset);
        sf_cbor_write_uint(cbor, piece->codec);
        sf_cbor_write_uint(cbor, piece->plain_bytes);
        sf_cbor_write_uint(cbor, piece->total_bytes);
        sf_cbor_write_uint(cbor, piece->part_offset);
    } else {
        sf_cbor_write_array(cbor, OUTLINE_FIELDS);
        sf_cbor_write_uint(cbor, piece->type);
        sf_cbor_write_uint(cbor, piece->part_offset);
        sf_cbor_write_uint(cbor, piece->total_bytes);
    }
}

/* How many of `bytes` payload bytes fit in `room` together with their head. */
static size_t
fit(size_t room, size_t bytes)
{
    size_t head = sf_cbor_head_bytes(bytes);

    if (bytes <= room && head <= room - bytes) {
        return bytes;
    }
    /* One that is cut may need a shorter head than the whole; a byte lost to that is no harm. */
    head = sf_cbor_head_bytes(room);
    return room > head ? room - head : 0;
}

/*
 * Append `piece`, whose bytes are all that is still to be placed of its whole, or as
 * much of it as fits. Returns how many bytes were placed; *ret_done says whether that
 * was all of them. What is left over must fit in the next bundle if it is a frame, so
 * a frame of which too little would go into this one is not begun here.
 */
static size_t
add_piece(struct sf_content_writer *writer, struct sf_piece *piece, bool *ret_done)
{
    size_t head_bytes = sf_cbor_head_bytes((uint64_t)writer->pieces + 1);
    size_t head_grows = head_bytes - writer->head_bytes;
    size_t room = writer->bytes_max - writer->bytes;
    size_t all = piece->bytes.bytes;
    struct sf_cbor_writer cbor;
    size_t fields;
    size_t placed;

    *ret_done = false;
    sf_cbor_writer_init(&cbor, NULL, SIZE_MAX);
    write_fields(&cbor, piece);
    fields = cbor.bytes + head_grows;
    if (writer->is_full || writer->pieces == SF_CONTENT_PIECES_MAX || fields >= room) {
        writer->is_full = true;
        return 0;
    }
    placed = fit(room - fields, all);
    if (placed < all) {
        writer->is_full = true;
        if (placed < PART_BYTES_MIN ||
            (piece->type == SF_PIECE_FRAME &&
                all - placed > writer->bytes_max - SF_CBOR_HEAD_BYTES_MAX * FRAME_FIELDS)) {
            return 0;
        }
    }
    if (head_grows > 0) {
        memmove(writer->content + head_bytes, writer->content + writer->head_bytes,
            writer->bytes - writer->head_bytes);
        writer->bytes += head_grows;
        writer->head_bytes = head_bytes;
    }
    sf_cbor_writer_init(&cbor, writer->content + writer->bytes, writer->bytes_max - writer->bytes);
    write_fields(&cbor, piece);
    sf_cbor_write_bytes(&cbor, sf_view(piece->bytes.data, placed));
    sf_assert(cbor.status == SF_OK);
    writer->bytes += cbor.bytes;
    writer->pieces++;
    *ret_done = placed == all;
    return placed;
}

bool
sf_content_add_frame(
    struct sf_content_writer *writer, const struct sf_coded_frame *frame, size_t *offset)
{
    struct sf_piece piece = {
        .type = SF_PIECE_FRAME,
        .file = frame->file,
        .offset = frame->offset,
        .codec = frame->codec,
        .plain_bytes = frame->plain_bytes,
        .total_bytes = (uint32_t)frame->coded.bytes,
        .part_offset = (uint32_t)*offset,
    };
    bool is_done;

    sf_assert(frame->coded.bytes <= SF_FRAME_BYTES_MAX);
    sf_assert(*offset <= frame->coded.bytes);
    piece.bytes = frame->coded;
    if (*offset > 0) {
        piece.bytes = sf_view(frame->coded.data + *offset, frame->coded.bytes - *offset);
    }
    *offset += add_piece(writer, &piece, &is_done);
    return is_done;
}

/* The outline or the digests, of which nothing may be left to do when called. */
static bool
add_manifest(
    struct sf_content_writer *writer, enum sf_piece_type type, struct sf_view whole, size_t *offset)
{
    struct sf_piece piece = {
        .type = type,
        .total_bytes = (uint32_t)whole.bytes,
        .part_offset = (uint32_t)*offset,
    };
    bool is_done;

    sf_assert(whole.bytes <= SF_OUTLINE_BYTES_MAX);
    sf_assert(*offset < whole.bytes);
    piece.bytes = sf_view(whole.data + *offset, whole.bytes - *offset);
    *offset += add_piece(writer, &piece, &is_done);
    return is_done;
}

bool
sf_content_add_outline(struct sf_content_writer *writer, struct sf_view outline, size_t *offset)
{
    return add_manifest(writer, SF_PIECE_OUTLINE, outline, offset);
}

bool
sf_content_add_digests(struct sf_content_writer *writer, struct sf_view digests, size_t *offset)
{
    return add_manifest(writer, SF_PIECE_DIGESTS, digests, offset);
}

size_t
sf_content_room(const struct sf_content_writer *writer)
{
    return writer->is_full ? 0 : writer->bytes_max - writer->bytes;
}

bool
sf_content_is_empty(const struct sf_content_writer *writer)
{
    return writer->pieces == 0;
}

size_t
sf_content_finish(struct sf_content_writer *writer)
{
    struct sf_cbor_writer cbor;

    sf_cbor_writer_init(&cbor, writer->content, writer->head_bytes);
    sf_cbor_write_array(&cbor, writer->pieces);
    sf_assert(cbor.status == SF_OK);
    sf_assert(cbor.bytes == writer->head_bytes);
    return writer->bytes;
}

/* --- Reading ---------------------------------------------------------------------- */

/* Is the coded length one that the codec can have? */
static bool
is_coded_bytes(const struct sf_piece *piece)
{
    switch (piece->codec) {
    case SF_CODEC_ZERO:
        return piece->total_bytes == 0;
    case SF_CODEC_RAW:
        return piece->total_bytes == piece->plain_bytes;
    case SF_CODEC_LZ4:
    case SF_CODEC_ZSTD:
    case SF_CODEC_PLANES:
        return piece->total_bytes > 0 && piece->total_bytes < piece->plain_bytes;
    case SF_CODEC_SAME:
        return piece->total_bytes == SF_REFERENCE_BYTES && piece->total_bytes < piece->plain_bytes;
    case SF_CODEC_PATCH:
    case SF_CODEC_DIFFERENCE:
        return piece->total_bytes > SF_REFERENCE_BYTES && piece->total_bytes < piece->plain_bytes;
    case SF_CODECS:
        break;
    }
    return false;
}

static int
read_frame(struct sf_cbor_reader *cbor, struct sf_piece *piece)
{
    uint64_t file = 0;
    uint64_t place = 0;
    uint64_t codec = 0;
    uint64_t plain = 0;
    uint64_t total = 0;
    uint64_t offset = 0;
    int status = sf_cbor_read_uint(cbor, SF_OUTLINE_FILES_MAX - 1, &file);

    if (status != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_TRANSFER_BYTES_MAX, &place)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_CODECS - 1, &codec)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_FRAME_BYTES_MAX, &plain)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_FRAME_BYTES_MAX, &total)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_FRAME_BYTES_MAX, &offset)) != SF_OK ||
        (status = sf_cbor_read_bytes(cbor, SF_FRAME_BYTES_MAX, &piece->bytes)) != SF_OK) {
        return status;
    }
    piece->file = (uint32_t)file;
    piece->offset = place;
    piece->codec = (enum sf_codec)codec;
    piece->plain_bytes = (uint32_t)plain;
    piece->total_bytes = (uint32_t)total;
    piece->part_offset = (uint32_t)offset;
    return plain > 0 && is_coded_bytes(piece) ? SF_OK : SF_EFORMAT;
}

static int
read_manifest(struct sf_cbor_reader *cbor, struct sf_piece *piece)
{
    size_t bytes_max =
        piece->type == SF_PIECE_OUTLINE ? SF_OUTLINE_BYTES_MAX : SF_DIGESTS_BYTES_MAX;
    uint64_t offset = 0;
    uint64_t total = 0;
    int status = sf_cbor_read_uint(cbor, bytes_max, &offset);

    if (status != SF_OK || (status = sf_cbor_read_uint(cbor, bytes_max, &total)) != SF_OK ||
        (status = sf_cbor_read_bytes(cbor, bytes_max, &piece->bytes)) != SF_OK) {
        return status;
    }
    piece->part_offset = (uint32_t)offset;
    piece->total_bytes = (uint32_t)total;
    return total > 0 ? SF_OK : SF_EFORMAT;
}

/* One piece, with all rules that concern it alone. */
static int
read_piece(struct sf_cbor_reader *cbor, struct sf_piece *ret_piece)
{
    struct sf_piece piece = {.type = SF_PIECE_OUTLINE};
    uint64_t fields = 0;
    uint64_t type = 0;
    int status = sf_cbor_read_array(cbor, FRAME_FIELDS, &fields);

    if (status != SF_OK) {
        return status;
    }
    status = sf_cbor_read_uint(cbor, UINT64_MAX, &type);
    if (status != SF_OK) {
        return status;
    }
    if (type < SF_PIECE_OUTLINE || type > SF_PIECE_DIGESTS ||
        fields != (type == SF_PIECE_FRAME ? FRAME_FIELDS : OUTLINE_FIELDS)) {
        return SF_EFORMAT;
    }
    piece.type = (enum sf_piece_type)type;
    status = type == SF_PIECE_FRAME ? read_frame(cbor, &piece) : read_manifest(cbor, &piece);
    if (status != SF_OK) {
        return status;
    }
    if (piece.part_offset > piece.total_bytes ||
        piece.bytes.bytes > piece.total_bytes - piece.part_offset) {
        return SF_EFORMAT;
    }
    if (piece.bytes.bytes == 0 && piece.total_bytes > 0) {
        return SF_EFORMAT;
    }
    *ret_piece = piece;
    return SF_OK;
}

/* Does a part end where its whole ends? */
static bool
is_ended(const struct sf_piece *piece)
{
    return piece->part_offset + piece->bytes.bytes == piece->total_bytes;
}

/* May `piece` stand right behind `before` in a bundle: later in the transfer, without a gap in a file? */
static bool
is_in_order(const struct sf_piece *before, const struct sf_piece *piece)
{
    if (before->type != piece->type) {
        return before->type < piece->type;
    }
    if (piece->type != SF_PIECE_FRAME) {
        return false;
    }
    return before->file == piece->file ? piece->offset == before->offset + before->plain_bytes
                                       : before->file < piece->file && piece->offset == 0;
}

int
sf_content_reader_init(struct sf_content_reader *reader, struct sf_view content)
{
    struct sf_cbor_reader cbor;
    struct sf_piece before = {.type = SF_PIECE_OUTLINE};
    uint64_t count = 0;
    int status;

    sf_cbor_reader_init(&cbor, content);
    status = sf_cbor_read_array(&cbor, SF_CONTENT_PIECES_MAX, &count);
    for (uint64_t i = 0; status == SF_OK && i < count; i++) {
        struct sf_piece piece;

        status = read_piece(&cbor, &piece);
        if (status != SF_OK) {
            break;
        }
        if (i > 0 &&
            (piece.part_offset > 0 || !is_ended(&before) || !is_in_order(&before, &piece))) {
            return SF_EFORMAT;
        }
        /* A frame has two parts at most: one that was cut before is not cut again. */
        if (piece.type == SF_PIECE_FRAME && piece.part_offset > 0 && !is_ended(&piece)) {
            return SF_EFORMAT;
        }
        before = piece;
    }
    if (status == SF_OK) {
        status = sf_cbor_end(&cbor);
    }
    if (status == SF_OK && count == 0) {
        status = SF_EFORMAT;
    }
    if (status != SF_OK) {
        return status;
    }
    sf_cbor_reader_init(&reader->cbor, content);
    status = sf_cbor_read_array(&reader->cbor, SF_CONTENT_PIECES_MAX, &count);
    reader->left = (uint32_t)count;
    return status;
}

bool
sf_content_next(struct sf_content_reader *reader, struct sf_piece *ret_piece)
{
    int status;

    if (reader->left == 0) {
        return false;
    }
    reader->left--;
    status = read_piece(&reader->cbor, ret_piece);
    sf_assert(status == SF_OK);
    return true;
}
