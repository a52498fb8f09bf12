/*
 * delta_impl.h - what delta.c and delta_decode.c share: numbers and their differences.
 */
#ifndef SF_BUNDLE_DELTA_IMPL_H
#define SF_BUNDLE_DELTA_IMPL_H

#include "bundle/delta.h"
#include "bundle/frame_impl.h"

enum {
    DIFFERENCE_HEAD_BYTES = SF_REFERENCE_BYTES + 3, /* width, lead, codec */
    PATCH_HEAD_BYTES = SF_REFERENCE_BYTES + 10,     /* width, lead, count, length of the gaps */
    PATCH_GAP_BITS = 7,
    PATCH_GAP_MORE = 0x80,
    DELTA_WIDTH_MAX = 8,
};

/* Little-endian numbers of a frame: where they begin, how wide and how many they are. */
struct delta_numbers {
    unsigned width;
    size_t lead;
    size_t count;
};

/* How a frame of `plain_bytes` falls into numbers; false if it holds none. */
static inline bool
delta_numbers_of(size_t plain_bytes, unsigned width, size_t lead, struct delta_numbers *ret_numbers)
{
    if ((width != 1 && width != 2 && width != 4 && width != 8) || plain_bytes < lead + width) {
        return false;
    }
    *ret_numbers = (struct delta_numbers){width, lead, (plain_bytes - lead) / width};
    return true;
}

static inline uint64_t
delta_load(const uint8_t *from, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)from[i] << 8 * i;
    }
    return value;
}

static inline void
delta_store(uint8_t *to, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
}

static inline uint64_t
delta_mask(unsigned width)
{
    return UINT64_MAX >> (64 - 8 * width);
}

/* The difference of two numbers, folded: 0, 1, 2, 3, .. stand for 0, -1, 1, -2, .. */
static inline uint64_t
delta_fold(uint64_t number, uint64_t base, unsigned width)
{
    uint64_t mask = delta_mask(width);
    uint64_t difference = (number - base) & mask;
    uint64_t flip = difference >> (8 * width - 1) == 0 ? 0 : mask;

    return (difference << 1 & mask) ^ flip;
}

static inline uint64_t
delta_unfold(uint64_t folded, uint64_t base, unsigned width)
{
    uint64_t flip = (folded & 1) == 0 ? 0 : UINT64_MAX;

    return (base + (folded >> 1 ^ flip)) & delta_mask(width);
}

/* The digest of bytes of the base. */
void delta_digest(
    const struct sf_hmac *key, struct sf_view base, uint8_t ret_digest[SF_REFERENCE_DIGEST_BYTES]);

#endif
