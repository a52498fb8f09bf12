/*
 * cbor.h - a strict reader and a writer of deterministic CBOR (RFC 8949, 4.2).
 *
 * The reader takes one item at a time out of bytes it never copies, through
 * libcbor's streaming decoder; it allocates nothing, whatever a head claims.
 * It refuses what deterministic encoding forbids: integers and lengths not in
 * their shortest form, indefinite lengths, map keys out of order or twice,
 * bytes after the last item; and what Skyferry has no use for: floats, the
 * simple values other than false, true and null, containers as map keys,
 * nesting beyond SF_CBOR_DEPTH_MAX, text that is not UTF-8.
 *
 * A failure sticks: every later call on the same reader (or writer) answers it
 * again, so that a decoder may read several fields and look once. Not thread-safe.
 */
#ifndef SF_BUNDLE_CBOR_H
#define SF_BUNDLE_CBOR_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_CBOR_DEPTH_MAX = 12,     /* arrays, maps and tags within each other */
    SF_CBOR_HEAD_BYTES_MAX = 9, /* the longest head of an item */
};

enum sf_cbor_type {
    SF_CBOR_NONE, /* nothing left, nothing the reader takes, or it has failed */
    SF_CBOR_UINT,
    SF_CBOR_NEGATIVE,
    SF_CBOR_BYTES,
    SF_CBOR_TEXT,
    SF_CBOR_ARRAY,
    SF_CBOR_MAP,
    SF_CBOR_TAG,
    SF_CBOR_BOOL,
    SF_CBOR_NULL,
};

/* --- Reading --------------------------------------------------------------- */

struct sf_cbor_level {
    uint64_t left; /* items still to come in this container; keys and values each count */
    bool is_map;
    size_t key_at; /* the encoded key before, for the order; key_bytes 0 if none */
    size_t key_bytes;
};

/* Fields are the reader's own. */
struct sf_cbor_reader {
    struct sf_view view;
    size_t at;
    int status;
    unsigned depth;
    bool started; /* the one outermost item has begun */
    struct sf_cbor_level levels[SF_CBOR_DEPTH_MAX];
};

/* Read one item, with all that is in it, from `view`, which must outlive the reader. */
void sf_cbor_reader_init(struct sf_cbor_reader *reader, struct sf_view view);

/* What comes next, from its first byte alone; SF_CBOR_NONE at the end or after a failure. */
enum sf_cbor_type sf_cbor_peek(const struct sf_cbor_reader *reader);

/*
 * Each of these takes the next item, which must be of the named type.
 *
 * They return SF_OK, SF_EFORMAT if the bytes are not strict CBOR, end early or
 * hold another type, and SF_ELIMIT if the value, length or count is beyond the
 * given maximum (inclusive). Outputs are untouched on a failure. Views point into
 * the reader's bytes.
 */
SF_MUST_USE int sf_cbor_read_uint(struct sf_cbor_reader *reader, uint64_t max, uint64_t *ret_value);
SF_MUST_USE int sf_cbor_read_int(struct sf_cbor_reader *reader, int64_t *ret_value);
SF_MUST_USE int sf_cbor_read_bool(struct sf_cbor_reader *reader, bool *ret_value);
SF_MUST_USE int sf_cbor_read_null(struct sf_cbor_reader *reader);
SF_MUST_USE int sf_cbor_read_tag(struct sf_cbor_reader *reader, uint64_t *ret_tag);
SF_MUST_USE int sf_cbor_read_bytes(
    struct sf_cbor_reader *reader, size_t bytes_max, struct sf_view *ret_bytes);
SF_MUST_USE int sf_cbor_read_text(
    struct sf_cbor_reader *reader, size_t bytes_max, struct sf_view *ret_text);

/* A byte string of exactly `bytes` bytes, copied to `out`; another length is SF_EFORMAT. */
SF_MUST_USE int sf_cbor_read_fixed(struct sf_cbor_reader *reader, uint8_t *out, size_t bytes);

/* A uint or a text that must be exactly this; anything else is SF_EFORMAT. For map keys and labels. */
SF_MUST_USE int sf_cbor_expect_uint(struct sf_cbor_reader *reader, uint64_t value);
SF_MUST_USE int sf_cbor_expect_text(struct sf_cbor_reader *reader, const char *text);

/*
 * Enter an array of *ret_count items, or a map of *ret_count pairs. A count that
 * cannot fit in the bytes left is SF_EFORMAT, so it is safe to allocate by it.
 * The container is left by itself when its last item has been read.
 */
SF_MUST_USE int sf_cbor_read_array(
    struct sf_cbor_reader *reader, uint64_t count_max, uint64_t *ret_count);
SF_MUST_USE int sf_cbor_read_map(
    struct sf_cbor_reader *reader, uint64_t count_max, uint64_t *ret_count);

/* As above, but the count must be `count`; another one is SF_EFORMAT. */
SF_MUST_USE int sf_cbor_expect_array(struct sf_cbor_reader *reader, uint64_t count);
SF_MUST_USE int sf_cbor_expect_map(struct sf_cbor_reader *reader, uint64_t count);

/* The next item whole, checked through, as its encoded bytes. `ret_item` may be NULL to skip it. */
SF_MUST_USE int sf_cbor_read_item(struct sf_cbor_reader *reader, struct sf_view *ret_item);

/*
 * SF_OK if the outermost item is complete and no byte follows it; else the
 * failure that stuck, or SF_EFORMAT.
 */
SF_MUST_USE int sf_cbor_end(struct sf_cbor_reader *reader);

/* --- Writing --------------------------------------------------------------- */

/* `bytes` may be read: what was written so far. The rest is the writer's own. */
struct sf_cbor_writer {
    uint8_t *data;
    size_t bytes_max;
    size_t bytes;
    int status;
};

/*
 * Write into `out`, at most `bytes_max` bytes. With `out` NULL nothing is stored
 * and `bytes` only counts, to learn how long an encoding will be.
 */
void sf_cbor_writer_init(struct sf_cbor_writer *writer, uint8_t *out, size_t bytes_max);

/*
 * Append an item, always in its shortest form. What does not fit is not written
 * in part, and the writer stays at SF_ELIMIT. The caller writes as many items as
 * a head announced, and map keys in ascending order of their encodings.
 */
void sf_cbor_write_uint(struct sf_cbor_writer *writer, uint64_t value);
void sf_cbor_write_int(struct sf_cbor_writer *writer, int64_t value);
void sf_cbor_write_bool(struct sf_cbor_writer *writer, bool value);
void sf_cbor_write_null(struct sf_cbor_writer *writer);
void sf_cbor_write_tag(struct sf_cbor_writer *writer, uint64_t tag);
void sf_cbor_write_bytes(struct sf_cbor_writer *writer, struct sf_view bytes);
void sf_cbor_write_text(struct sf_cbor_writer *writer, const char *text);
void sf_cbor_write_text_view(struct sf_cbor_writer *writer, struct sf_view text);
void sf_cbor_write_array(struct sf_cbor_writer *writer, uint64_t count);
void sf_cbor_write_map(struct sf_cbor_writer *writer, uint64_t count);

/* Append items that are encoded already. */
void sf_cbor_write_raw(struct sf_cbor_writer *writer, struct sf_view encoded);

/*
 * Append the head of a byte string of `bytes` bytes and make room for them.
 * Returns where they belong, for the caller to fill, or NULL when they do not
 * fit or the writer only counts.
 */
uint8_t *sf_cbor_write_space(struct sf_cbor_writer *writer, size_t bytes);

/* SF_OK and the length of all that was written, or SF_ELIMIT if something did not fit. */
SF_MUST_USE int sf_cbor_finish(const struct sf_cbor_writer *writer, size_t *ret_bytes);

/* Bytes of the shortest head that carries `value` (a number, a length or a count): 1, 2, 3, 5 or 9. */
size_t sf_cbor_head_bytes(uint64_t value);

#endif
