/*
 * audit_open.c - what is left of an audit log, and what that means.
 *
 * The rows of the recovery table, as in docs/STORE.md:
 *
 *   A  no log, no heads                first start: make empty ones
 *   B  all lines and heads good        take them
 *   C  the tail of the log is bad,     a torn commit: cut it off
 *      at most one commit long, above all heads, and no later line counts it as durable
 *   D  the last head is bad, nothing   a torn head: cut it off
 *      good behind it
 *   E  a bad line that is none of C    damage: refuse
 *   F  a good line in a wrong place    the log was changed: refuse
 *   G  a head names another hash       the log was rewritten: refuse
 *   H  a head counts more lines        the log was cut: refuse
 *   I  a bad head that is not D, or    the heads are damaged or forged: refuse
 *      one of another key
 *
 * A refusal changes nothing on the disk.
 */
#include "base/assert.h"
#include "store/audit_impl.h"

#include <stdlib.h>

static int
run(struct sf_audit *audit, struct sf_disk_op op)
{
    return sf_disk_run(audit->disk, &op);
}

static int
refuse(struct sf_recovery *recovery, char row, uint64_t offset, const char *text)
{
    *recovery = (struct sf_recovery){.row = row, .offset = offset, .text = text};
    return SF_EFORMAT;
}

/* Open `path` for appending, and once more for reading what the medium has. */
static int
open_both(
    struct sf_audit *audit, const char *path, int *ret_file, int *ret_direct, uint64_t *ret_bytes)
{
    struct sf_disk_op op = {
        .kind = SF_DISK_OPEN, .path = path, .flags = SF_DISK_RDWR | SF_DISK_CREATE};
    int status = sf_disk_run(audit->disk, &op);

    if (status != SF_OK) {
        return status;
    }
    *ret_file = op.ret_file;
    *ret_bytes = op.ret_stat.bytes;
    op = (struct sf_disk_op){.kind = SF_DISK_OPEN, .path = path, .flags = SF_DISK_DIRECT};
    status = sf_disk_run(audit->disk, &op);
    if (status == SF_OK) {
        *ret_direct = op.ret_file;
    }
    return status;
}

/* Whether a good head stands anywhere behind the front of `text`. */
static bool
has_good_head(const struct sf_audit *audit, struct sf_view text)
{
    for (size_t at = 1; at < text.bytes; at++) {
        struct sf_audit_note note;
        size_t bytes;

        if (text.data[at - 1] == '\n' &&
            sf_audit_note_decode(sf_view(text.data + at, text.bytes - at), audit->origin,
                audit->public_key, &note, &bytes) == SF_OK) {
            return true;
        }
    }
    return false;
}

/* Read all heads: where the good ones end, and how many lines the last one counts. */
static int
read_heads(struct sf_audit *audit, struct sf_audit_source *heads, struct sf_recovery *recovery)
{
    struct sf_audit_note note = {0};
    uint64_t lines = 0;
    int status;

    for (;;) {
        size_t bytes;

        status = sf_audit_source_fill(heads, 2 * SF_AUDIT_HEAD_BYTES_MAX);
        if (status != SF_OK) {
            return status;
        }
        if (heads->bytes == 0) {
            break;
        }
        status = sf_audit_note_decode(
            sf_view(heads->data, heads->bytes), audit->origin, audit->public_key, &note, &bytes);
        if (status != SF_OK || note.lines <= lines) {
            break;
        }
        lines = note.lines;
        audit->head_at = heads->offset;
        sf_audit_source_skip(heads, bytes);
    }
    audit->lines_signed = lines;
    audit->heads_end = heads->offset;
    if (heads->bytes == 0) {
        return SF_OK;
    }
    if (status == SF_OK || heads->end - heads->offset > SF_AUDIT_HEAD_BYTES_MAX ||
        has_good_head(audit, sf_view(heads->data, heads->bytes))) {
        return refuse(recovery, 'I', heads->offset, "the audit log's heads are damaged");
    }
    if (status == SF_EAUTH) {
        return refuse(
            recovery, 'I', heads->offset, "the audit log has a head that this node did not sign");
    }
    *recovery = (struct sf_recovery){.row = 'D',
        .offset = heads->offset,
        .cut_bytes = heads->end - heads->offset,
        .text = "a head of the audit log was torn; it was dropped"};
    return SF_OK;
}

/* The walk stands before a bad line: tell a torn tail (SF_OK) from damage. */
static int
judge_bad(struct sf_audit *audit, struct sf_audit_walk *walk, struct sf_recovery *recovery)
{
    struct sf_audit_source *log = &walk->log;
    uint64_t number = walk->lines + 1;
    uint64_t offset = log->offset;
    uint64_t left = log->end - offset;

    if (number <= audit->lines_signed || left > SF_AUDIT_BATCH_BYTES_MAX) {
        return refuse(recovery, 'E', offset, "the audit log is damaged");
    }
    for (;;) {
        struct sf_audit_line line;
        const uint8_t *end;
        size_t bytes;
        int status = sf_audit_source_fill(log, SF_AUDIT_LINE_BYTES_MAX + 1);

        if (status != SF_OK) {
            return status;
        }
        if (log->bytes == 0) {
            break;
        }
        bytes = log->bytes > SF_AUDIT_LINE_BYTES_MAX + 1 ? SF_AUDIT_LINE_BYTES_MAX + 1 : log->bytes;
        end = memchr(log->data, '\n', bytes);
        bytes = end == NULL ? bytes : (size_t)(end - log->data);
        if (end != NULL && sf_audit_line_decode(sf_view(log->data, bytes), &line) == SF_OK &&
            line.synced >= number) {
            return refuse(recovery, 'E', offset,
                "the audit log is damaged: a later line counts the bad one as durable");
        }
        sf_audit_source_skip(log, end == NULL ? bytes : bytes + 1);
    }
    *recovery = (struct sf_recovery){.row = 'C',
        .offset = offset,
        .cut_bytes = left,
        .text = "the audit log ended in a torn commit, which was dropped"};
    return SF_OK;
}

static int
read_log(struct sf_audit *audit, struct sf_audit_walk *walk, struct sf_recovery *recovery)
{
    int status;

    do {
        status = sf_audit_walk_line(walk);
    } while (status == SF_OK);
    audit->lines = walk->lines;
    audit->end = walk->log.offset;
    memcpy(audit->hash, walk->hash, sizeof(walk->hash));
    if (status == SF_EFORMAT) {
        return judge_bad(audit, walk, recovery);
    }
    if (status == SF_ENOENT) {
        status = sf_audit_walk_end(walk);
    }
    if (status != SF_EAUTH) {
        return status;
    }
    switch (walk->fault.reason) {
    case SF_AUDIT_HEAD_DIFFERS:
        return refuse(recovery, 'G', walk->fault.offset, walk->fault.text);
    case SF_AUDIT_LOG_TRUNCATED:
        return refuse(recovery, 'H', walk->log.offset, walk->fault.text);
    default:
        return refuse(recovery, 'F', walk->fault.offset, walk->fault.text);
    }
}

/*
 * Write what was read back to its place. If the sync that covered it failed,
 * only the cache may have it, and no later sync would save it; with more behind
 * it on the disk it would be damage after the next power cut.
 */
static int
write_again(struct sf_audit *audit, int file, uint64_t from, uint64_t end)
{
    struct sf_disk_op op = {.kind = SF_DISK_READ, .file = file, .offset = from};
    int status;

    if (from >= end) {
        return SF_OK;
    }
    op.bytes = (size_t)(end - from);
    op.data = malloc(op.bytes);
    if (op.data == NULL) {
        return SF_ENOMEM;
    }
    status = sf_disk_run(audit->disk, &op);
    if (status == SF_OK && op.ret_bytes != op.bytes) {
        status = SF_EIO; /* shorter than it was */
    }
    op.kind = SF_DISK_WRITE;
    status = status == SF_OK ? sf_disk_run(audit->disk, &op) : status;
    free(op.data);
    return status;
}

/* Cut torn tails, and make sure of the rest. All but the last commit and head were synced. */
static int
settle(struct sf_audit *audit, const struct sf_audit_walk *walk, uint64_t log_bytes,
    uint64_t heads_bytes)
{
    uint64_t batch_at = walk->batch_offset;
    int status = SF_OK;

    if (audit->end - batch_at > SF_AUDIT_BATCH_BYTES_MAX) {
        batch_at = audit->end - SF_AUDIT_BATCH_BYTES_MAX; /* lines of no commit of ours */
    }

    if (log_bytes > audit->end) {
        status =
            run(audit, (struct sf_disk_op){
                           .kind = SF_DISK_TRUNCATE, .file = audit->file, .offset = audit->end});
    }
    if (status == SF_OK && heads_bytes > audit->heads_end) {
        status = run(audit,
            (struct sf_disk_op){
                .kind = SF_DISK_TRUNCATE, .file = audit->heads_file, .offset = audit->heads_end});
    }
    if (status == SF_OK) {
        status = write_again(audit, audit->file, batch_at, audit->end);
    }
    if (status == SF_OK) {
        status = write_again(audit, audit->heads_file, audit->head_at, audit->heads_end);
    }
    if (status == SF_OK) {
        status = run(audit, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = audit->file});
    }
    if (status == SF_OK) {
        status = run(audit, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = audit->heads_file});
    }
    if (status == SF_OK) {
        status = run(audit, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT});
    }
    return status;
}

static int
close_direct(struct sf_audit *audit, int file)
{
    return file == SF_DISK_NO_FILE
               ? SF_OK
               : run(audit, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = file});
}

int
sf_audit_recover(struct sf_audit *audit, struct sf_recovery *recovery)
{
    struct sf_audit_walk walk = {.origin = audit->origin, .public_key = audit->public_key};
    int log_direct = SF_DISK_NO_FILE;
    int heads_direct = SF_DISK_NO_FILE;
    uint64_t log_bytes = 0;
    uint64_t heads_bytes = 0;
    int status;
    int closed;

    *recovery = (struct sf_recovery){.text = "the disk failed"};
    status = open_both(audit, "audit.log", &audit->file, &log_direct, &log_bytes);
    if (status == SF_OK) {
        status = open_both(audit, "audit.heads", &audit->heads_file, &heads_direct, &heads_bytes);
    }
    if (status == SF_OK) {
        status = sf_audit_source_file(&walk.heads, audit->disk, heads_direct, heads_bytes);
    }
    if (status == SF_OK) {
        status = read_heads(audit, &walk.heads, recovery);
        sf_audit_source_fini(&walk.heads);
    }
    if (status == SF_OK) {
        status = sf_audit_source_file(&walk.heads, audit->disk, heads_direct, audit->heads_end);
    }
    if (status == SF_OK) {
        status = sf_audit_source_file(&walk.log, audit->disk, log_direct, log_bytes);
    }
    if (status == SF_OK) {
        status = read_log(audit, &walk, recovery);
    }
    if (status == SF_OK) {
        status = settle(audit, &walk, log_bytes, heads_bytes);
    }
    if (status == SF_OK && recovery->row == 0) {
        *recovery = log_bytes + heads_bytes == 0
                        ? (struct sf_recovery){.row = 'A', .text = "the audit log is empty"}
                        : (struct sf_recovery){
                              .row = 'B', .offset = audit->end, .text = "the audit log is whole"};
    }
    sf_audit_source_fini(&walk.log);
    sf_audit_source_fini(&walk.heads);
    closed = close_direct(audit, log_direct);
    closed = close_direct(audit, heads_direct) != SF_OK ? SF_EIO : closed;
    return status == SF_OK ? closed : status;
}
