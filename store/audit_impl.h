/*
 * audit_impl.h - the bytes of the audit log, and what its files share: audit.c
 * (appending), audit_line.c (the formats), audit_walk.c (checking the chain),
 * audit_open.c (recovery).
 *
 * `audit.log`, one line per record, each ended by "\n":
 *
 *   {"seq":N,"prev":"H","synced":S,"event":"E",...,"crc":"C"}
 *
 *   N  1, 2, 3, ... in decimal
 *   H  SHA-256 of the line before, without its "\n", in lower-case hex; zeros for N = 1
 *   S  how many lines were durable when this one was written
 *   C  CRC-32C of the line up to, not including, `,"crc":`, 8 digits of lower-case hex
 *
 * The line is valid JSON in printable UTF-8 of at most 8192 bytes. The CRC
 * tells a line that a crash tore; the chain and the heads tell a line that a
 * person changed. S tells the two apart where both are possible: a bad line
 * whose number a later line counts as durable was not torn.
 *
 * `audit.heads`, one signed note (C2SP signed-note, the text of tlog-checkpoint)
 * after the other, each followed by an empty line:
 *
 *   <origin>
 *   <number of lines>
 *   <base64 of the SHA-256 of that line: the head of the chain, no Merkle root>
 *   <empty>
 *   <em dash> <origin> <base64 of key id (4) and Ed25519 signature (64)>
 *
 * The signature is over the first three lines with their "\n". Key id =
 * SHA-256(origin, "\n", 0x01, public key), first four bytes. Numbers grow
 * strictly. A head is written after the lines it counts are durable.
 */
#ifndef SF_STORE_AUDIT_IMPL_H
#define SF_STORE_AUDIT_IMPL_H

#include "store/audit.h"
#include "store/headroom.h"

enum {
    SF_AUDIT_HEAD_BYTES_MAX = 640,
    SF_AUDIT_BATCH_BYTES_MAX = 512 * 1024, /* one commit */
    SF_AUDIT_HEADROOM_BYTES = 1024 * 1024, /* two of the largest */
    SF_AUDIT_HEADS_HEADROOM_BYTES = 256 * 1024,
    SF_AUDIT_FRAME_BYTES_MAX = 192, /* of a line, around its fields */
};

struct sf_audit_line {
    uint64_t seq;
    uint64_t synced;
    uint8_t prev[32];
};

/* Make the line around `fields`; returns its length, 0 if it would be too long. */
size_t sf_audit_line_encode(
    const struct sf_audit_line *line, struct sf_view fields, char out[SF_AUDIT_LINE_BYTES_MAX]);
/* SF_OK, or SF_EFORMAT if `text` (without "\n") is not a line with a right CRC. */
SF_MUST_USE int sf_audit_line_decode(struct sf_view text, struct sf_audit_line *ret_line);

struct sf_audit_note {
    uint64_t lines;
    uint8_t hash[32];
};

/* The text to be signed; returns its length. */
size_t sf_audit_note_text(
    const struct sf_audit_note *note, const char *origin, char out[SF_AUDIT_HEAD_BYTES_MAX]);
/* The whole head from the text and its signature, in place; returns its length. */
size_t sf_audit_note_finish(const char *origin, const uint8_t public_key[32],
    const uint8_t signature[64], size_t text_bytes, char out[SF_AUDIT_HEAD_BYTES_MAX]);
/*
 * Read the head at the front of `text`. SF_OK and how long it is, SF_EFORMAT if
 * it is none, SF_EAUTH if another key signed it, or nobody.
 */
SF_MUST_USE int sf_audit_note_decode(struct sf_view text, const char *origin,
    const uint8_t public_key[32], struct sf_audit_note *ret_note, size_t *ret_bytes);

bool sf_audit_origin_is_good(const char *origin);

/* Bytes read from the front: of a view, or of a file. */
struct sf_audit_source {
    const uint8_t *data; /* what is at hand */
    size_t bytes;
    uint64_t offset; /* of data[0] */
    uint64_t end;    /* of the whole */

    struct sf_disk *disk; /* NULL: data is the whole */
    int file;
    uint64_t read_to;
    uint8_t *buffer;
    uint8_t *chunk; /* aligned */
};

void sf_audit_source_view(struct sf_audit_source *source, struct sf_view view);
/* `file` is open for DIRECT reading. SF_OK or SF_ENOMEM. */
SF_MUST_USE int sf_audit_source_file(
    struct sf_audit_source *source, struct sf_disk *disk, int file, uint64_t file_bytes);
void sf_audit_source_fini(struct sf_audit_source *source);
/* Have at least `bytes` at hand, or all there are. SF_OK, SF_EIO. */
SF_MUST_USE int sf_audit_source_fill(struct sf_audit_source *source, size_t bytes);
void sf_audit_source_skip(struct sf_audit_source *source, size_t bytes);

/* A walk along log and heads together. */
struct sf_audit_walk {
    struct sf_audit_source log;
    struct sf_audit_source heads;
    const char *origin;
    const uint8_t *public_key;
    uint64_t lines;
    uint64_t batch_offset; /* where the commit of the last line begins */
    uint8_t hash[32];
    uint64_t head_count;
    uint64_t lines_signed;     /* by heads that were compared */
    struct sf_audit_note note; /* the next head to be compared */
    uint64_t note_offset;
    bool has_note;
    struct sf_audit_fault fault;
};

/* The next line of the log. SF_ENOENT at its end; SF_EFORMAT, SF_EAUTH with the fault; SF_EIO. */
SF_MUST_USE int sf_audit_walk_line(struct sf_audit_walk *walk);
/* At the end of the log: whether a head counts more lines, or is bad. Same answers, SF_OK if none. */
SF_MUST_USE int sf_audit_walk_end(struct sf_audit_walk *walk);

struct sf_audit {
    struct sf_disk *disk;
    const char *origin;
    uint8_t public_key[32];
    sf_audit_sign *sign;
    void *sign_context;
    bool failed;

    int file;
    int heads_file;
    uint64_t end;
    uint64_t heads_end;
    uint64_t head_at; /* where the last head began, when the log was opened */
    uint64_t lines;   /* durable */
    uint8_t hash[32];
    uint64_t lines_signed;

    enum {
        SF_AUDIT_IDLE,
        SF_AUDIT_WRITE,
        SF_AUDIT_SYNC,
        SF_AUDIT_HEAD_WRITE,
        SF_AUDIT_HEAD_SYNC,
    } step;
    struct sf_disk_op op;
    bool stalled; /* there was no room for what `op` writes; it is written again */
    struct sf_headroom headroom;
    struct sf_headroom heads_headroom;

    char *pending; /* fields of lines to be written, each with its "\n" */
    size_t pending_bytes;
    size_t pending_capacity;
    size_t pending_lines;
    char *batch; /* lines being written */
    size_t batch_bytes;
    uint64_t batch_lines;
    uint8_t batch_hash[32];
    char head[SF_AUDIT_HEAD_BYTES_MAX];
    size_t head_bytes;

    struct sf_commit_list waiting;    /* for the pending lines */
    struct sf_commit_list running;    /* for the batch */
    struct sf_commit_list head_queue; /* for the pending lines, then a head */
    struct sf_commit_list head_batch; /* for the batch, then a head */
    struct sf_commit_list head_now;   /* for a head */

    struct sf_commit_list idle;
    struct sf_disk_op idle_op;
    bool idle_running;
};

int sf_audit_recover(struct sf_audit *audit, struct sf_recovery *recovery);

#endif
