/*
 * object.h - what the link moves: arrays of equal bundles.
 *
 * To the link an object is a transfer id, a kind and a number of slots of one
 * size; it does not know what they hold. A grant or a letter is an object of
 * one slot. The bytes of an object form one linear space: byte `offset` of
 * bundle `index` is at index * class_bytes + offset.
 */
#ifndef SF_LINK_OBJECT_H
#define SF_LINK_OBJECT_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_LINK_OBJECTS_MAX = 256,                 /* outgoing, and incoming, per peer */
    SF_LINK_CLASS_BYTES_MIN = 1024,            /* a multiple of 16 */
    SF_LINK_CLASS_BYTES_MAX = 4 * 1024 * 1024, /* bytes of one bundle */
    SF_LINK_RANGES_MAX = 256,                  /* received ranges kept for a partial bundle */
};

/* Last byte of an object's linear space: class_bytes * count may not pass it. */
#define SF_LINK_OBJECT_BYTES_MAX (UINT64_C(1) << 46)

struct sf_link_object {
    struct sf_transfer_id transfer; /* with `kind`, its name between the two nodes */
    uint8_t kind;                   /* the caller's; carried as it is */
    uint8_t priority;               /* lower goes first; not on the wire */
    uint64_t rank;                  /* among equal ones: lower goes first; not on the wire */
    uint64_t first;                 /* index of its first bundle (0 today) */
    uint64_t count;                 /* slots; an upper bound until it is final */
    bool is_count_final;            /* false while the sender does not yet know the end */
    uint32_t class_bytes;           /* bytes of every bundle */
    uint64_t ready;                 /* outgoing: bundles [first, first + ready) may fly */
    bool ask_map;                   /* outgoing: send nothing before the peer said what it has */
};

enum sf_link_verdict {
    SF_LINK_KEEP,  /* it stays received */
    SF_LINK_AGAIN, /* forget it and report it missing */
};

#endif
