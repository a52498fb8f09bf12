/*
 * delta_decode.c - frames put together again from their base; the coded bytes may be anybody's.
 */
#include "bundle/delta.h"
#include "bundle/delta_impl.h"

void
delta_digest(
    const struct sf_hmac *key, struct sf_view base, uint8_t ret_digest[SF_REFERENCE_DIGEST_BYTES])
{
    struct sf_hmac hmac = *key;
    uint8_t mac[SF_SHA256_BYTES];

    sf_hmac_update(&hmac, base.data, base.bytes);
    sf_hmac_final(&hmac, mac);
    memcpy(ret_digest, mac, SF_REFERENCE_DIGEST_BYTES);
}

int
sf_reference_decode(const struct sf_coded *coded, struct sf_reference *ret_reference)
{
    if (!sf_codec_has_base(coded->codec) || coded->bytes.bytes < SF_REFERENCE_BYTES) {
        return SF_EFORMAT;
    }
    ret_reference->offset = sf_get_be64(coded->bytes.data);
    memcpy(ret_reference->digest, coded->bytes.data + 8, SF_REFERENCE_DIGEST_BYTES);
    return SF_OK;
}

/* --- Differences --------------------------------------------------------------------------- */

/* Inlined for each width. */
static inline void
unfold_numbers(const uint8_t *base, uint8_t *out, size_t count, unsigned width)
{
    for (size_t i = 0; i < count * width; i += width) {
        delta_store(out + i, width,
            delta_unfold(delta_load(out + i, width), delta_load(base + i, width), width));
    }
}

static int
decode_difference(struct sf_coder *coder, struct sf_view coded, const uint8_t *base, uint8_t *out,
    size_t plain_bytes)
{
    struct delta_numbers numbers;
    struct sf_coded inner;
    size_t end;
    int status;

    if (coded.bytes < DIFFERENCE_HEAD_BYTES ||
        !delta_numbers_of(plain_bytes, coded.data[SF_REFERENCE_BYTES],
            coded.data[SF_REFERENCE_BYTES + 1], &numbers)) {
        return SF_EFORMAT;
    }
    inner.codec = (enum sf_codec)coded.data[SF_REFERENCE_BYTES + 2];
    inner.bytes = sf_view(coded.data + DIFFERENCE_HEAD_BYTES, coded.bytes - DIFFERENCE_HEAD_BYTES);
    if (inner.codec != SF_CODEC_LZ4 && inner.codec != SF_CODEC_ZSTD &&
        inner.codec != SF_CODEC_PLANES) {
        return SF_EFORMAT;
    }
    status = sf_frame_decode(coder, &inner, out, plain_bytes);
    if (status != SF_OK) {
        return status;
    }
    end = numbers.lead + numbers.count * numbers.width;
    unfold_numbers(base, out, numbers.lead, 1);
    base += numbers.lead;
    out += numbers.lead;
    switch (numbers.width) {
    case 1:
        unfold_numbers(base, out, numbers.count, 1);
        break;
    case 2:
        unfold_numbers(base, out, numbers.count, 2);
        break;
    case 4:
        unfold_numbers(base, out, numbers.count, 4);
        break;
    default:
        unfold_numbers(base, out, numbers.count, 8);
        break;
    }
    unfold_numbers(base + end - numbers.lead, out + end - numbers.lead, plain_bytes - end, 1);
    return SF_OK;
}

/* --- Patches ------------------------------------------------------------------------------- */

struct patch {
    struct delta_numbers numbers;
    size_t changes;
    size_t gap_bytes;
    const uint8_t *gaps;   /* in the coder's planes, as are the differences behind them */
    const uint8_t *planes; /* `changes` bytes each */
};

static int
read_patch_head(struct sf_view coded, size_t plain_bytes, struct patch *patch)
{
    const uint8_t *head = coded.data + SF_REFERENCE_BYTES;

    if (coded.bytes < PATCH_HEAD_BYTES ||
        !delta_numbers_of(plain_bytes, head[0], head[1], &patch->numbers)) {
        return SF_EFORMAT;
    }
    patch->changes = sf_get_be32(head + 2);
    patch->gap_bytes = sf_get_be32(head + 6);
    if (patch->changes == 0 || patch->changes > patch->numbers.count ||
        patch->gap_bytes < patch->changes ||
        patch->gap_bytes > plain_bytes - patch->changes * patch->numbers.width) {
        return SF_EFORMAT;
    }
    return SF_OK;
}

/* Decode all planes; what is left of the coded bytes is the lead and the end. */
static int
read_patch_planes(
    struct sf_coder *coder, struct sf_view coded, struct patch *patch, struct sf_view *ret_rest)
{
    uint8_t *planes = sf_coder_planes(coder);
    const uint8_t *column = coded.data + PATCH_HEAD_BYTES;
    size_t columns_bytes = (size_t)(1 + patch->numbers.width) * PLANES_COLUMN_BYTES;
    size_t at = PATCH_HEAD_BYTES + columns_bytes;

    patch->gaps = planes;
    patch->planes = planes + patch->gap_bytes;
    if (coded.bytes < at) {
        return SF_EFORMAT;
    }
    for (unsigned i = 0; i <= patch->numbers.width; i++, column += PLANES_COLUMN_BYTES) {
        size_t bytes = sf_get_be32(column) & PLANES_LENGTH_MAX;
        size_t plane_bytes = i == 0 ? patch->gap_bytes : patch->changes;
        int status;

        if (bytes > coded.bytes - at) {
            return SF_EFORMAT;
        }
        status = frame_take_plane(
            coder, column[0], sf_view(coded.data + at, bytes), planes, plane_bytes);
        if (status != SF_OK) {
            return status;
        }
        at += bytes;
        planes += plane_bytes;
    }
    *ret_rest = sf_view(coded.data + at, coded.bytes - at);
    return SF_OK;
}

/* The next gap, in its shortest form and below `gap_max`; moves *at. */
static bool
take_gap(const struct patch *patch, size_t *at, size_t gap_max, size_t *ret_gap)
{
    size_t gap = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        if (*at == patch->gap_bytes || shift > 3 * PATCH_GAP_BITS) {
            return false;
        }
        byte = patch->gaps[(*at)++];
        gap |= (size_t)(byte & (PATCH_GAP_MORE - 1)) << shift;
        shift += PATCH_GAP_BITS;
    } while ((byte & PATCH_GAP_MORE) != 0);
    *ret_gap = gap;
    return gap < gap_max && (byte != 0 || shift == PATCH_GAP_BITS);
}

/* Change the numbers in `out`, which holds the base. */
static int
apply_patch(const struct patch *patch, uint8_t *out)
{
    const struct delta_numbers *numbers = &patch->numbers;
    uint8_t *number = out + numbers->lead;
    size_t left = numbers->count;
    size_t at = 0;

    for (size_t i = 0; i < patch->changes; i++) {
        uint64_t folded = 0;
        size_t gap = 0;

        if (!take_gap(patch, &at, left, &gap)) {
            return SF_EFORMAT;
        }
        for (unsigned k = 0; k < numbers->width; k++) {
            folded |= (uint64_t)patch->planes[k * patch->changes + i] << 8 * k;
        }
        if (folded == 0) {
            return SF_EFORMAT;
        }
        number += gap * numbers->width;
        delta_store(number, numbers->width,
            delta_unfold(folded, delta_load(number, numbers->width), numbers->width));
        number += numbers->width;
        left -= gap + 1;
    }
    return at == patch->gap_bytes ? SF_OK : SF_EFORMAT;
}

static int
decode_patch(struct sf_coder *coder, struct sf_view coded, const uint8_t *base, uint8_t *out,
    size_t plain_bytes)
{
    struct patch patch;
    struct sf_view rest;
    size_t end;
    int status = read_patch_head(coded, plain_bytes, &patch);

    if (status != SF_OK || (status = read_patch_planes(coder, coded, &patch, &rest)) != SF_OK) {
        return status;
    }
    end = patch.numbers.lead + patch.numbers.count * patch.numbers.width;
    if (rest.bytes != patch.numbers.lead + plain_bytes - end) {
        return SF_EFORMAT;
    }
    memcpy(out, base, plain_bytes);
    status = apply_patch(&patch, out);
    if (status == SF_OK && rest.bytes > 0) {
        memcpy(out, rest.data, patch.numbers.lead);
        memcpy(out + end, rest.data + patch.numbers.lead, plain_bytes - end);
    }
    return status;
}

/* --- All of them ---------------------------------------------------------------------------- */

int
sf_delta_decode(struct sf_coder *coder, const struct sf_coded *coded,
    const struct sf_delta_base *base, uint8_t *out, size_t plain_bytes)
{
    struct sf_reference reference;
    uint8_t digest[SF_REFERENCE_DIGEST_BYTES];
    int status = sf_reference_decode(coded, &reference);

    if (status != SF_OK) {
        return status;
    }
    if (plain_bytes == 0 || plain_bytes > SF_FRAME_BYTES_MAX || coded->bytes.bytes >= plain_bytes ||
        (coded->codec == SF_CODEC_SAME && coded->bytes.bytes != SF_REFERENCE_BYTES)) {
        return SF_EFORMAT;
    }
    delta_digest(base->key, sf_view(base->bytes, plain_bytes), digest);
    if (!sf_ct_equal(digest, reference.digest, sizeof(digest))) {
        return SF_EAUTH;
    }
    switch (coded->codec) {
    case SF_CODEC_PATCH:
        return decode_patch(coder, coded->bytes, base->bytes, out, plain_bytes);
    case SF_CODEC_DIFFERENCE:
        return decode_difference(coder, coded->bytes, base->bytes, out, plain_bytes);
    default:
        memcpy(out, base->bytes, plain_bytes);
        return SF_OK;
    }
}
