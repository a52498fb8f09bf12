/*
 * bytes.h - views of bytes, and integers in them.
 *
 * A view never owns what it points at; whoever hands one out says how long it
 * lives. Integers on the wire and on disk are big endian unless a format says
 * otherwise, and are moved byte by byte, so alignment does not matter.
 */
#ifndef SF_BASE_BYTES_H
#define SF_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sf_view {
    const uint8_t *data;
    size_t bytes;
};

/* Names of things that cross rooms: 16 bytes of a transfer, 32 of a node or a digest. */
struct sf_transfer_id {
    uint8_t b[16];
};
struct sf_fingerprint {
    uint8_t b[32];
};
struct sf_digest {
    uint8_t b[32];
};

static inline struct sf_view
sf_view(const void *data, size_t bytes)
{
    return (struct sf_view){data, bytes};
}

static inline bool
sf_view_equal(struct sf_view a, struct sf_view b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

static inline bool
sf_transfer_equal(const struct sf_transfer_id *a, const struct sf_transfer_id *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool
sf_fingerprint_equal(const struct sf_fingerprint *a, const struct sf_fingerprint *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline void
sf_put_be16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void
sf_put_be32(uint8_t *to, uint32_t value)
{
    sf_put_be16(to, (uint16_t)(value >> 16));
    sf_put_be16(to + 2, (uint16_t)value);
}

static inline void
sf_put_be64(uint8_t *to, uint64_t value)
{
    sf_put_be32(to, (uint32_t)(value >> 32));
    sf_put_be32(to + 4, (uint32_t)value);
}

static inline uint16_t
sf_get_be16(const uint8_t *from)
{
    return (uint16_t)((uint16_t)(from[0] << 8) | from[1]);
}

static inline uint32_t
sf_get_be32(const uint8_t *from)
{
    return (uint32_t)sf_get_be16(from) << 16 | sf_get_be16(from + 2);
}

static inline uint64_t
sf_get_be64(const uint8_t *from)
{
    return (uint64_t)sf_get_be32(from) << 32 | sf_get_be32(from + 4);
}

#endif
