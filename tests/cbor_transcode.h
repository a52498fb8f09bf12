/*
 * cbor_transcode.h - reads any item with the strict reader and writes it again.
 *
 * Deterministic CBOR has one encoding for one meaning, so what the reader accepts
 * must come out byte for byte.
 */
#ifndef SF_TESTS_CBOR_TRANSCODE_H
#define SF_TESTS_CBOR_TRANSCODE_H

#include "bundle/cbor.h"

static inline int
transcode_one(struct sf_cbor_reader *reader, struct sf_cbor_writer *writer)
{
    struct sf_view view = {NULL, 0};
    uint64_t number = 0;
    int64_t integer = 0;
    bool truth = false;
    int status;

    switch (sf_cbor_peek(reader)) {
    case SF_CBOR_UINT:
        status = sf_cbor_read_uint(reader, UINT64_MAX, &number);
        sf_cbor_write_uint(writer, number);
        return status;
    case SF_CBOR_NEGATIVE:
        status = sf_cbor_read_int(reader, &integer);
        sf_cbor_write_int(writer, integer);
        return status;
    case SF_CBOR_BYTES:
        status = sf_cbor_read_bytes(reader, SIZE_MAX, &view);
        sf_cbor_write_bytes(writer, view);
        return status;
    case SF_CBOR_TEXT:
        status = sf_cbor_read_text(reader, SIZE_MAX, &view);
        sf_cbor_write_text_view(writer, view);
        return status;
    case SF_CBOR_ARRAY:
        status = sf_cbor_read_array(reader, UINT64_MAX, &number);
        sf_cbor_write_array(writer, number);
        return status;
    case SF_CBOR_MAP:
        status = sf_cbor_read_map(reader, UINT64_MAX, &number);
        sf_cbor_write_map(writer, number);
        return status;
    case SF_CBOR_TAG:
        status = sf_cbor_read_tag(reader, &number);
        sf_cbor_write_tag(writer, number);
        return status;
    case SF_CBOR_BOOL:
        status = sf_cbor_read_bool(reader, &truth);
        sf_cbor_write_bool(writer, truth);
        return status;
    case SF_CBOR_NULL:
        status = sf_cbor_read_null(reader);
        sf_cbor_write_null(writer);
        return status;
    case SF_CBOR_NONE:
        break;
    }
    return sf_cbor_read_item(reader, NULL);
}

/* SF_OK if `view` is one strict item; then `out`, which holds view.bytes, is its encoding. */
static inline int
transcode(struct sf_view view, uint8_t *out, size_t *ret_bytes)
{
    struct sf_cbor_reader reader;
    struct sf_cbor_writer writer;
    int status;

    sf_cbor_reader_init(&reader, view);
    sf_cbor_writer_init(&writer, out, view.bytes);
    do {
        status = transcode_one(&reader, &writer);
    } while (status == SF_OK && reader.depth > 0);
    if (status == SF_OK) {
        status = sf_cbor_end(&reader);
    }
    return status == SF_OK ? sf_cbor_finish(&writer, ret_bytes) : status;
}

#endif
