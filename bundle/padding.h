/*
 * padding.h - content filled up to a fixed length: 0x80, then zeros (ISO/IEC 7816-4).
 *
 * Only authenticated bytes are ever unpadded, so the time it takes tells nothing.
 */
#ifndef SF_BUNDLE_PADDING_H
#define SF_BUNDLE_PADDING_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SF_PADDING_MARK = 0x80, SF_PADDING_BYTES_MIN = 1 };

/* Fill `padded` behind its first `content_bytes` bytes, which must be fewer than `padded_bytes`. */
static inline void
sf_padding_put(uint8_t *padded, size_t padded_bytes, size_t content_bytes)
{
    padded[content_bytes] = SF_PADDING_MARK;
    memset(padded + content_bytes + 1, 0, padded_bytes - content_bytes - 1);
}

/* The content, at least one byte, in front of the padding: SF_OK, or SF_EFORMAT if it is not whole. */
SF_MUST_USE static inline int
sf_padding_take(struct sf_view padded, struct sf_view *ret_content)
{
    size_t end = padded.bytes;

    while (end > 0 && padded.data[end - 1] == 0) {
        end--;
    }
    if (end < 2 || padded.data[end - 1] != SF_PADDING_MARK) {
        return SF_EFORMAT;
    }
    *ret_content = sf_view(padded.data, end - 1);
    return SF_OK;
}

#endif
