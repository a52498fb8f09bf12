/*
 * intake.h - what intake.c, intake_open.c and intake_read.c share; nobody else includes it.
 */
#ifndef SF_NODE_INTAKE_H
#define SF_NODE_INTAKE_H

#include "bundle/match.h"
#include "node/internal.h"

enum {
    FRAMES_MAX = 12,
    BUNDLES_MAX = 8,
};

enum frame_state {
    FRAME_FREE,
    FRAME_READING,
    FRAME_READ, /* may be hashed and coded */
};

struct frame {
    struct intake *intake;
    enum frame_state state;
    uint32_t file;
    uint64_t offset; /* in the file */
    uint8_t *plain;
    uint8_t *scratch;
    uint8_t *base; /* where there are bases */
    uint32_t plain_bytes;
    enum sf_element element; /* as the file's header says */
    uint8_t lead;
    bool has_base;        /* `base` is read too, */
    uint64_t base_offset; /* ... from there */
    unsigned reads;       /* under way */
    bool is_hashed;
    bool is_coded;
    bool is_packed;
    int status; /* of coding it */
    struct sf_coded coded;
    struct sf_disk_op op;
    struct sf_disk_op base_op;
    struct sf_job code;
};

struct bundle {
    struct intake *intake;
    bool is_used;
    bool is_known; /* journalled before a restart: compare only */
    uint64_t index;
    uint8_t *object;
    size_t content_bytes;
    uint8_t siv[SF_SIV_BYTES];
    int status;
    struct sf_job seal;
    struct sf_spool_put put;
};

struct source {
    int file;
    struct sf_disk_stat stat;
    int base_file; /* SF_DISK_NO_FILE: it has none */
    struct sf_disk_stat base_stat;
};

struct intake {
    struct outbound *out;
    struct sf_outline outline; /* its strings stand in `names` */
    char *names;
    struct source *sources; /* in the outline's order */
    struct sf_file_digest *digests;
    uint8_t *outline_bytes;
    size_t outline_count;
    size_t outline_offset;
    uint8_t *digest_bytes;
    size_t digest_count;
    size_t digest_offset;

    struct frame frames[FRAMES_MAX];
    uint64_t frame_ring; /* how many are used */
    uint64_t read_next;  /* running numbers: frames begun to be read, */
    uint64_t hash_next;  /* ... hashed, */
    uint64_t pack_next;  /* ... packed, */
    uint64_t free_next;  /* ... and given back */
    uint32_t read_file;
    uint64_t read_offset;
    bool is_planned;  /* it is known how read_file is cut */
    bool is_planning; /* a window of its header is being read */
    struct sf_tensors *tensors;
    struct sf_tensors *base_tensors; /* where there are bases */
    bool is_base_planned;            /* ... and it is known where those of read_file's are */
    struct sf_match match;
    bool is_borrowing; /* the files are another's to close */
    struct sf_layout layout;
    uint8_t *window;
    struct sf_disk_op window_op;
    size_t pack_offset;

    struct sf_job hash_job;
    uint64_t hash_until;
    bool is_hashing;
    struct sf_sha256 hash;
    uint64_t hashed_bytes;

    struct bundle bundles[BUNDLES_MAX];
    size_t bundle_ring;
    struct bundle *filling;
    struct sf_content_writer writer;
    uint64_t bundle_next;
    bool is_packed; /* everything is in bundles */

    uint32_t check_next; /* source whose stat is looked at again */
    struct sf_disk_op check;
    bool is_checking;
    bool is_checked;

    bool has_turn;      /* the frames have their buffers */
    bool is_yielding;   /* nothing more is read; the turn ends when all frames are packed */
    uint64_t turn;      /* the number of its last turn, 0: none yet */
    uint64_t turn_from; /* hashed_bytes when it began */
    bool has_frames;

    unsigned in_flight;
    bool is_stopping;
    bool is_stepping;
};

/* Get the buffers of the frames, and give them back. SF_OK, SF_ENOMEM. */
SF_MUST_USE int intake_take_frames(struct intake *intake);
void intake_give_frames(struct intake *intake);

/* --- intake.c --- */

/* The transfer ends with this reason, unless it has ended already. */
void intake_stop_with(struct intake *intake, enum sf_cancel_reason reason, const char *why);

/* --- intake_read.c --- */

/* Begin to read whatever has room. */
void intake_read(struct intake *intake);
/* Every frame of every file was begun to be read. */
bool intake_is_read(const struct intake *intake);

#endif
