/*
 * submit_protocol.h - how files are handed to the daemon by right of the caller.
 *
 * `submit.sock` is a Unix SOCK_SEQPACKET socket: every message below is one
 * packet. The caller opens the files itself and passes the descriptors, so the
 * daemon reads nothing that the caller could not read. Integers are big endian.
 *
 *     caller: BEGIN  u8 1, u8 version, u8 flags, u8 priority, i64 deadline (ms since 1970,
 *                    0 = none), resume (16), u32 file count, u8 recipients, { u8 bytes, name }...,
 *                    u8 bytes, label
 *     caller: FILES  u8 2, u8 version, u8 count, { u8 flags, i64 mtime, u16 bytes, path,
 *                    with a base: i64 its mtime, its SHA-256 (32) }...
 *                    with the descriptors in one SCM_RIGHTS, in the same order, a base's behind
 *                    its file's; repeated until `file count` files have been passed
 *     caller: END    u8 3, u8 version
 *     daemon: TAKEN  u8 4, u8 version, transfer (16)
 *     daemon: REFUSED u8 5, u8 version, u8 status (-enum sf_status), text (UTF-8, the rest)
 *
 * Or, to find out what may be a base:
 *
 *     caller: ASK    u8 6, u8 version, u8 what (1 the newest of the label; 2 `transfer`; 3 what the
 *                    interrupted `transfer` was begun with), transfer (16; zeros for 1),
 *                    u8 bytes, recipient, u8 bytes, label
 *     daemon: OFFER  u8 7, u8 version, transfer by which the recipient got them (16), u8 count,
 *                    { tag of the path (16), SHA-256 (32) }... with as many descriptors in one
 *                    SCM_RIGHTS; or REFUSED. No copies: count 0, zeros, no descriptors
 *
 * The daemon offers copies of files that the same user has sent (app/kept.h), and to root all.
 *
 * One transfer, or one question, per connection. The daemon answers once, after END or at the
 * first thing it cannot take, and closes; a caller whose send fails with EPIPE
 * reads the answer before it gives up. Closing before END forgets everything.
 */
#ifndef SF_APP_SUBMIT_PROTOCOL_H
#define SF_APP_SUBMIT_PROTOCOL_H

#include "app/kept.h"
#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_SUBMIT_VERSION = 2,
    SF_SUBMIT_MESSAGE_BYTES_MAX = 64 * 1024,
    SF_SUBMIT_BATCH_FILES_MAX = 64, /* files in one FILES, */
    SF_SUBMIT_BATCH_FDS_MAX = 128,  /* ... and descriptors with it; the kernel takes 253 */
    SF_SUBMIT_FILES_MAX = 65536,    /* of one transfer */
    SF_SUBMIT_RECIPIENTS_MAX = 32,
    SF_SUBMIT_NAME_BYTES_MAX = 63, /* of a recipient */
    SF_SUBMIT_LABEL_BYTES_MAX = 255,
    SF_SUBMIT_PATH_BYTES_MAX = 16384, /* 64 components of 255 bytes, and the '/' between them */
    SF_SUBMIT_TEXT_BYTES_MAX = 1023,
    SF_SUBMIT_BASES_MAX = 16, /* of one transfer, as its outline allows */
};

enum sf_submit_type {
    SF_SUBMIT_BEGIN = 1,
    SF_SUBMIT_FILES = 2,
    SF_SUBMIT_END = 3,
    SF_SUBMIT_TAKEN = 4,
    SF_SUBMIT_REFUSED = 5,
    SF_SUBMIT_ASK = 6,
    SF_SUBMIT_OFFER = 7,
};

struct sf_submit_begin {
    struct sf_view recipients[SF_SUBMIT_RECIPIENTS_MAX]; /* peer names */
    size_t recipient_count;                              /* 1 .. */
    struct sf_view label; /* one path component: the base name, or the directory's name */
    uint32_t file_count;  /* 1 .. SF_SUBMIT_FILES_MAX */
    uint8_t priority;     /* 0 most urgent */
    int64_t deadline_ms;  /* since 1970; 0 = none */
    bool single_file;     /* the label is the file itself; its path is empty */
    bool forget_key;
    bool has_resume; /* go on with `resume` */
    struct sf_transfer_id resume;
};

struct sf_submit_file {
    struct sf_view path; /* relative, components joined by '/'; empty for a single file */
    bool executable;
    int64_t mtime_s; /* when the caller listed it; another one by now refuses the transfer */
    bool has_base;
    int64_t base_mtime_s; /* when it was read for its digest; the same holds */
    struct sf_digest base_sha256;
};

struct sf_submit_files {
    struct sf_submit_file files[SF_SUBMIT_BATCH_FILES_MAX];
    size_t count; /* 1 .. */
};

/* The answer. */
struct sf_submit_reply {
    int status; /* SF_OK: taken */
    struct sf_transfer_id transfer;
    struct sf_view text; /* why not */
};

enum sf_submit_ask_what {
    SF_SUBMIT_ASK_NEWEST = 1,
    SF_SUBMIT_ASK_TRANSFER = 2,
    SF_SUBMIT_ASK_RESUMED = 3,
};

/* What may be a base for files of that label, to this recipient? */
struct sf_submit_ask {
    enum sf_submit_ask_what what;
    struct sf_transfer_id transfer; /* zeros for NEWEST */
    struct sf_view recipient;
    struct sf_view label;
};

struct sf_submit_offer {
    struct sf_transfer_id by; /* the recipient got them by that one; zeros if there are none */
    struct {
        struct sf_kept_tag path;
        struct sf_digest sha256; /* what the recipient has signed for */
    } files[SF_SUBMIT_BASES_MAX];
    size_t count; /* 0: there are none */
};

/*
 * Encoders write one message of at most `bytes_max` bytes (give them
 * SF_SUBMIT_MESSAGE_BYTES_MAX) and return its length in *ret_bytes.
 * SF_EINVAL for values outside the limits above, SF_ELIMIT if it does not fit:
 * then send fewer files in one message (see sf_submit_file_bytes()).
 */
SF_MUST_USE int sf_submit_encode_begin(
    const struct sf_submit_begin *begin, uint8_t *out, size_t bytes_max, size_t *ret_bytes);
SF_MUST_USE int sf_submit_encode_files(
    const struct sf_submit_files *files, uint8_t *out, size_t bytes_max, size_t *ret_bytes);
SF_MUST_USE int sf_submit_encode_end(uint8_t *out, size_t bytes_max, size_t *ret_bytes);
SF_MUST_USE int sf_submit_encode_reply(
    const struct sf_submit_reply *reply, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

SF_MUST_USE int sf_submit_encode_ask(
    const struct sf_submit_ask *ask, uint8_t *out, size_t bytes_max, size_t *ret_bytes);
SF_MUST_USE int sf_submit_encode_offer(
    const struct sf_submit_offer *offer, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

enum { SF_SUBMIT_FILES_HEAD_BYTES = 3 };
/* What one file takes in a FILES message, which begins with SF_SUBMIT_FILES_HEAD_BYTES. */
size_t sf_submit_file_bytes(const struct sf_submit_file *file);

/* The type of a message of ours, or SF_EFORMAT (too short, another version, unknown). */
SF_MUST_USE int sf_submit_type(struct sf_view message, enum sf_submit_type *ret_type);

/*
 * Strict decoders; views point into the message. SF_EFORMAT for anything that
 * an encoder would not have written, also a path or label that names more than
 * it may (empty component, ".", "..", NUL, '/' in a label). Then *ret is untouched.
 */
SF_MUST_USE int sf_submit_decode_begin(struct sf_view message, struct sf_submit_begin *ret_begin);
SF_MUST_USE int sf_submit_decode_files(struct sf_view message, struct sf_submit_files *ret_files);
SF_MUST_USE int sf_submit_decode_end(struct sf_view message);
SF_MUST_USE int sf_submit_decode_reply(struct sf_view message, struct sf_submit_reply *ret_reply);
SF_MUST_USE int sf_submit_decode_ask(struct sf_view message, struct sf_submit_ask *ret_ask);
SF_MUST_USE int sf_submit_decode_offer(struct sf_view message, struct sf_submit_offer *ret_offer);

#endif
