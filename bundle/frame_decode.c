/*
 * frame_decode.c - coded bytes back into plaintext; they may be anybody's.
 */
#include "bundle/frame.h"
#include "bundle/frame_impl.h"
#include "bundle/planes.h"

#include <lz4.h>

enum { LZ4_MATCH_MIN = 4 /* a match of length n is written as n - 4 */ };

/* --- LZ4 ------------------------------------------------------------------------------ */

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

static int
decode_lz4(struct sf_view coded, uint8_t *out, size_t plain_bytes)
{
    int bytes;

    if (coded.bytes == 0 || coded.bytes >= plain_bytes || !is_lz4_block(coded, plain_bytes)) {
        return SF_EFORMAT;
    }
    bytes = LZ4_decompress_safe(
        (const char *)coded.data, (char *)out, (int)coded.bytes, (int)plain_bytes);
    return bytes >= 0 && (size_t)bytes == plain_bytes ? SF_OK : SF_EFORMAT;
}

/* --- Planes ----------------------------------------------------------------------------- */

/* The head of coded planes, and what follows from it. */
struct head {
    struct sf_shape shape;
    uint8_t lead;
    size_t bytes;    /* of the head */
    size_t elements; /* in the frame */
    size_t rest;     /* bytes that belong to no element: lead and end */
};

static int
read_head(struct sf_view coded, size_t plain_bytes, struct head *ret_head)
{
    struct head head = {.bytes = PLANES_HEAD_BYTES};

    if (coded.bytes < PLANES_HEAD_BYTES) {
        return SF_EFORMAT;
    }
    head.lead = coded.data[0];
    head.shape.stride = coded.data[1];
    head.shape.column_count = coded.data[2] & (uint8_t)~PLANES_ROTATED;
    head.shape.is_rotated = (coded.data[2] & PLANES_ROTATED) != 0;
    if (head.shape.column_count > SF_SHAPE_COLUMNS_MAX) {
        return SF_EFORMAT;
    }
    head.bytes += (size_t)head.shape.column_count * (1 + PLANES_COLUMN_BYTES);
    if (coded.bytes < head.bytes) {
        return SF_EFORMAT;
    }
    memcpy(head.shape.widths, coded.data + PLANES_HEAD_BYTES, head.shape.column_count);
    if (!sf_shape_is_valid(&head.shape) || plain_bytes < (size_t)head.lead + head.shape.stride) {
        return SF_EFORMAT;
    }
    head.elements = (plain_bytes - head.lead) / head.shape.stride;
    head.rest = plain_bytes - head.elements * head.shape.stride;
    *ret_head = head;
    return SF_OK;
}

int
frame_take_plane(struct sf_coder *coder, unsigned method, struct sf_view coded, uint8_t *plane,
    size_t plane_bytes)
{
    switch (method) {
    case SF_PLANE_RAW:
        if (coded.bytes != plane_bytes) {
            return SF_EFORMAT;
        }
        memcpy(plane, coded.data, plane_bytes);
        return SF_OK;
    case SF_PLANE_SAME:
        if (coded.bytes != 1) {
            return SF_EFORMAT;
        }
        memset(plane, coded.data[0], plane_bytes);
        return SF_OK;
    case SF_PLANE_ZSTD:
        if (coded.bytes >= plane_bytes) {
            return SF_EFORMAT;
        }
        return sf_coder_unzstd(coder, coded, plane, plane_bytes);
    default:
        return SF_EFORMAT;
    }
}

static int
decode_planes(struct sf_coder *coder, struct sf_view coded, uint8_t *out, size_t plain_bytes)
{
    uint8_t *planes = sf_coder_planes(coder);
    struct head head;
    const uint8_t *column;
    size_t at;
    size_t place = 0;
    int status = read_head(coded, plain_bytes, &head);

    if (status != SF_OK) {
        return status;
    }
    at = head.bytes;
    column = coded.data + PLANES_HEAD_BYTES + head.shape.column_count;
    for (unsigned c = 0; c < head.shape.column_count; c++, column += PLANES_COLUMN_BYTES) {
        size_t bytes = sf_get_be32(column) & PLANES_LENGTH_MAX;
        size_t plane_bytes = head.elements * head.shape.widths[c];

        if (bytes > coded.bytes - at) {
            return SF_EFORMAT;
        }
        status = frame_take_plane(
            coder, column[0], sf_view(coded.data + at, bytes), planes + place, plane_bytes);
        if (status != SF_OK) {
            return status;
        }
        at += bytes;
        place += plane_bytes;
    }
    if (coded.bytes - at != head.rest) {
        return SF_EFORMAT;
    }
    memcpy(out, coded.data + at, head.lead);
    sf_planes_join(&head.shape, planes, head.elements, out + head.lead);
    memcpy(out + head.lead + place, coded.data + at + head.lead, head.rest - head.lead);
    return SF_OK;
}

/* --- All of them ------------------------------------------------------------------------ */

int
sf_frame_decode(
    struct sf_coder *coder, const struct sf_coded *coded, uint8_t *out, size_t plain_bytes)
{
    struct sf_view bytes = coded->bytes;

    if (plain_bytes == 0 || plain_bytes > SF_FRAME_BYTES_MAX) {
        return SF_EFORMAT;
    }
    switch ((unsigned)coded->codec) {
    case SF_CODEC_ZERO:
        if (bytes.bytes != 0) {
            return SF_EFORMAT;
        }
        memset(out, 0, plain_bytes);
        return SF_OK;
    case SF_CODEC_RAW:
        if (bytes.bytes != plain_bytes) {
            return SF_EFORMAT;
        }
        memcpy(out, bytes.data, plain_bytes);
        return SF_OK;
    case SF_CODEC_LZ4:
        return decode_lz4(bytes, out, plain_bytes);
    case SF_CODEC_ZSTD:
        if (bytes.bytes >= plain_bytes) {
            return SF_EFORMAT;
        }
        return sf_coder_unzstd(coder, bytes, out, plain_bytes);
    case SF_CODEC_PLANES:
        if (bytes.bytes >= plain_bytes) {
            return SF_EFORMAT;
        }
        return decode_planes(coder, bytes, out, plain_bytes);
    default:
        return SF_EFORMAT;
    }
}
