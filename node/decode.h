/*
 * decode.h - what decode.c and decode_frame.c share; nobody else includes it.
 */
#ifndef SF_NODE_DECODE_H
#define SF_NODE_DECODE_H

#include "node/bases.h"
#include "node/staging.h"

enum {
    WORKS_MAX = 5,              /* bundles being decoded */
    PARTS_MAX = 16,             /* cut frames that wait for the rest */
    FRAMES_BYTES_MAX = 8 << 20, /* decoded frames on their way to the disk, */
    TASKS_MAX = 256,            /* ... and their number, however small; more than PARTS_MAX */
    FETCHES_MAX = 2,
    PUNCH_BYTES = 16 << 20, /* verified since the last time, before slots are given back */
};

/* One bundle being decoded. */
struct work {
    struct decoder *decoder;
    uint64_t index;
    uint8_t *plain;
    struct sf_content_reader reader;
    struct sf_piece piece; /* the next one, if has_piece */
    bool has_piece;
    unsigned pending; /* writes, jobs and parts that are not through */
    uint64_t end;     /* on the line, of the last frame that touches it */
    bool keeps_slot;  /* holds a piece of the manifest */
    bool was_dropped; /* something of it was given up: decode it again */
    struct work *next;
};

/* A frame being decoded or written, or a part of one waiting for the other. */
struct task {
    struct flight flight;
    struct decoder *decoder;
    struct work *works[2];
    uint32_t file;
    uint64_t offset; /* in the file */
    enum sf_codec codec;
    uint32_t plain_bytes;
    struct sf_view coded; /* in a bundle, or `joined` */
    uint8_t *joined;
    uint32_t joined_bytes; /* of the first part that came, */
    uint32_t part_offset;  /* ... and where it belongs */
    uint32_t total_bytes;
    uint8_t *base; /* what it refers to, if it needs a base */
    struct sf_disk_op read;
    uint8_t *out_memory;
    size_t out_bytes;
    uint8_t *out; /* in out_memory, as far into a page as `offset` is */
    int status;
    struct sf_job job;
    struct staging_write write;
    struct task *next; /* in `parts` */
};

/* Outline or digests, put together from parts. */
struct assembly {
    uint8_t *bytes;
    uint32_t total;
    struct sf_range_set have;
    bool is_complete;
};

struct decoder {
    struct inbound *in;
    struct sf_outline outline;
    bool has_outline;
    struct assembly outline_parts;
    struct assembly digest_parts;
    struct sf_digests digests;
    bool has_digests;
    struct sf_digest manifest;
    struct staging *staging;
    struct bases *bases;       /* NULL: it needs none */
    struct sf_range_set begun; /* bundles taken, decoded or given back */
    uint64_t outline_bundles;  /* the first ones, which hold the outline */
    uint64_t *ends;            /* of every bundle on the line, plus one; 0: not decoded */
    struct work *works;
    unsigned work_count;
    struct task *parts;
    unsigned part_count;
    uint64_t frame_bytes; /* decoded, not yet written */
    unsigned task_count;  /* frames under way, and parts */
    unsigned fetches;
    unsigned in_flight; /* jobs, writes, the punch, its commit */
    uint64_t noted;     /* verified bytes in the journal */
    bool is_punching;
    struct sf_spool_op punch;
    bool is_complete;
    bool has_mismatch; /* a file read back is not what the digests say */
    bool is_stopping;
    bool is_stepping;
    bool is_told;        /* complete, and delivery has begun */
    bool is_yielding;    /* its turn ends as soon as nothing of it is in memory */
    bool is_starved;     /* what it has was decoded as far as it goes: more must come first */
    uint64_t turn;       /* the number of its last turn */
    uint64_t turn_bytes; /* of bundles taken in it */
};

/* --- decode.c --- */

/* Authentic, and yet not what a sender of ours makes: refuse it for good. */
void decode_damaged(struct decoder *decoder, const char *why);
void decode_out_of_memory(struct decoder *decoder);
/* What it builds on is not there: refuse it for good, its sender has the whole for that. */
void decode_without_base(struct decoder *decoder, const char *why);
/* Something of a bundle is through: when all is, it is done with. */
void decode_work_release(struct work *work);
/* A frame that touches the bundle ends at `end` on the line. */
void decode_work_end(struct work *work, uint64_t end);

/* Whether it could go on with a turn, or is busy with the one it has. */
bool decoder_has_work(const struct decoder *decoder);
/* Let the turn end: what was begun and can wait is decoded again later. */
void decoder_yield(struct decoder *decoder);

/* --- decode_frame.c --- */

/* Take a frame, or a part of one. */
void decode_take_frame(struct work *work, const struct sf_piece *piece);
/* Give up the part that `at` points to; its bundle is decoded again later. */
void decode_drop_part(struct decoder *decoder, struct task **at);

#endif
