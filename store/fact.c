/* fact.c - one fact of the journal, in and out of bytes; the layout is in fact.h. */
#include "store/fact.h"

#include "base/assert.h"
#include "store/journal.h"

enum { HEAD_BYTES = 3 };

size_t
sf_fact_bytes(const struct sf_fact *fact)
{
    size_t bytes = HEAD_BYTES + fact->key.bytes;

    switch (fact->op) {
    case SF_FACT_SET:
        return bytes + 4 + fact->value.bytes;
    case SF_FACT_ADD:
    case SF_FACT_REMOVE:
        return bytes + 16;
    case SF_FACT_ADD_TAGGED:
        return bytes + 12 + (size_t)(fact->to - fact->from) * SF_FACT_TAG_BYTES;
    case SF_FACT_UNSET:
    case SF_FACT_DROP_TAGS:
    case SF_FACT_WHOLE:
        break;
    }
    return bytes;
}

static uint8_t *
put_bytes(uint8_t *at, const void *data, size_t bytes)
{
    if (bytes > 0) {
        memcpy(at, data, bytes);
    }
    return at + bytes;
}

size_t
sf_fact_encode(const struct sf_fact *fact, uint8_t *out)
{
    uint8_t *at = out;

    *at++ = (uint8_t)fact->op;
    *at++ = fact->table;
    *at++ = (uint8_t)fact->key.bytes;
    at = put_bytes(at, fact->key.data, fact->key.bytes);
    switch (fact->op) {
    case SF_FACT_SET:
        sf_put_be32(at, (uint32_t)fact->value.bytes);
        at = put_bytes(at + 4, fact->value.data, fact->value.bytes);
        break;
    case SF_FACT_ADD:
    case SF_FACT_REMOVE:
        sf_put_be64(at, fact->from);
        sf_put_be64(at + 8, fact->to);
        at += 16;
        break;
    case SF_FACT_ADD_TAGGED:
        sf_put_be64(at, fact->from);
        sf_put_be32(at + 8, (uint32_t)(fact->to - fact->from));
        at = put_bytes(at + 12, fact->tags, (size_t)(fact->to - fact->from) * SF_FACT_TAG_BYTES);
        break;
    case SF_FACT_UNSET:
    case SF_FACT_DROP_TAGS:
    case SF_FACT_WHOLE:
        break;
    }
    sf_assert((size_t)(at - out) == sf_fact_bytes(fact));
    return (size_t)(at - out);
}

/* The part of a fact behind its key. Returns how many bytes it took, or SIZE_MAX if it is wrong. */
static size_t
decode_rest(struct sf_view rest, struct sf_fact *fact)
{
    uint64_t count;

    switch (fact->op) {
    case SF_FACT_SET:
        if (rest.bytes < 4) {
            return SIZE_MAX;
        }
        count = sf_get_be32(rest.data);
        if (count > SF_JOURNAL_VALUE_BYTES_MAX || count > rest.bytes - 4) {
            return SIZE_MAX;
        }
        fact->value = sf_view(rest.data + 4, (size_t)count);
        return 4 + (size_t)count;
    case SF_FACT_ADD:
    case SF_FACT_REMOVE:
        if (rest.bytes < 16) {
            return SIZE_MAX;
        }
        fact->from = sf_get_be64(rest.data);
        fact->to = sf_get_be64(rest.data + 8);
        return fact->from <= fact->to ? 16 : SIZE_MAX;
    case SF_FACT_ADD_TAGGED:
        if (rest.bytes < 12) {
            return SIZE_MAX;
        }
        fact->from = sf_get_be64(rest.data);
        count = sf_get_be32(rest.data + 8);
        if (count == 0 || count > SF_FACT_TAGS_MAX || count > UINT64_MAX - fact->from ||
            count > (rest.bytes - 12) / SF_FACT_TAG_BYTES) {
            return SIZE_MAX;
        }
        fact->to = fact->from + count;
        fact->tags = rest.data + 12;
        return 12 + (size_t)count * SF_FACT_TAG_BYTES;
    case SF_FACT_UNSET:
    case SF_FACT_DROP_TAGS:
    case SF_FACT_WHOLE:
        return 0;
    }
    return SIZE_MAX;
}

int
sf_fact_decode(struct sf_view *body, struct sf_fact *ret_fact)
{
    struct sf_fact fact = {0};
    struct sf_view rest;
    size_t key_bytes;
    size_t took;

    if (body->bytes < HEAD_BYTES) {
        return SF_EFORMAT;
    }
    if (body->data[0] < SF_FACT_SET || body->data[0] > SF_FACT_WHOLE) {
        return SF_EFORMAT;
    }
    fact.op = (enum sf_fact_op)body->data[0];
    fact.table = body->data[1];
    key_bytes = body->data[2];
    if (key_bytes > SF_JOURNAL_KEY_BYTES_MAX || key_bytes > body->bytes - HEAD_BYTES ||
        (key_bytes == 0) != (fact.op == SF_FACT_WHOLE)) {
        return SF_EFORMAT;
    }
    if (fact.op == SF_FACT_WHOLE && fact.table != 0) {
        return SF_EFORMAT;
    }
    fact.key = sf_view(body->data + HEAD_BYTES, key_bytes);
    rest = sf_view(body->data + HEAD_BYTES + key_bytes, body->bytes - HEAD_BYTES - key_bytes);
    took = decode_rest(rest, &fact);
    if (took == SIZE_MAX) {
        return SF_EFORMAT;
    }
    *body = sf_view(rest.data + took, rest.bytes - took);
    *ret_fact = fact;
    return SF_OK;
}
