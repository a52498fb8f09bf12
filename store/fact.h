/*
 * fact.h - one fact of the journal, in and out of bytes.
 *
 *   op (1)  table (1)  key bytes (1)  key, then by op:
 *   1 SET        value bytes (4), value
 *   2 UNSET      -
 *   3 ADD        from (8), to (8)
 *   4 ADD_TAGGED from (8), count (4), count tags of 32 bytes
 *   5 REMOVE     from (8), to (8)
 *   6 DROP_TAGS  -
 *   7 WHOLE      (table 0, no key) ends the snapshot at a journal's start
 *
 * Integers are big endian. Facts stand one behind the other without padding.
 */
#ifndef SF_STORE_FACT_H
#define SF_STORE_FACT_H

#include "base/bytes.h"
#include "base/status.h"

enum sf_fact_op {
    SF_FACT_SET = 1,
    SF_FACT_UNSET = 2,
    SF_FACT_ADD = 3,
    SF_FACT_ADD_TAGGED = 4,
    SF_FACT_REMOVE = 5,
    SF_FACT_DROP_TAGS = 6,
    SF_FACT_WHOLE = 7,
};

enum {
    SF_FACT_TAG_BYTES = 32,
    SF_FACT_TAGS_MAX = 1 << 16, /* in one fact */
};

struct sf_fact {
    enum sf_fact_op op;
    uint8_t table;
    struct sf_view key;
    struct sf_view value; /* SET */
    uint64_t from;        /* ADD, ADD_TAGGED, REMOVE: numbers [from, to), from <= to */
    uint64_t to;
    const uint8_t *tags; /* ADD_TAGGED: (to - from) * 32 bytes */
};

/* How many bytes the fact takes. */
size_t sf_fact_bytes(const struct sf_fact *fact);

/* Write the fact; `out` has room for sf_fact_bytes(). Returns that number. */
size_t sf_fact_encode(const struct sf_fact *fact, uint8_t *out);

/*
 * Take the next fact off the front of `body`; its views point into it. Returns
 * SF_OK, or SF_EFORMAT with both untouched. `body` must not be empty.
 */
SF_MUST_USE int sf_fact_decode(struct sf_view *body, struct sf_fact *ret_fact);

#endif
