/* audit_walk.c - along the chain and its heads, line by line; the offline check. */
#include "base/assert.h"
#include "base/crypto.h"
#include "store/audit_impl.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 64 * 1024, BUFFER_BYTES = CHUNK_BYTES + SF_AUDIT_LINE_BYTES_MAX + 1 };

/* --- Where the bytes come from ------------------------------------------------------ */

void
sf_audit_source_view(struct sf_audit_source *source, struct sf_view view)
{
    *source = (struct sf_audit_source){
        .data = view.data, .bytes = view.bytes, .end = view.bytes, .file = SF_DISK_NO_FILE};
}

int
sf_audit_source_file(
    struct sf_audit_source *source, struct sf_disk *disk, int file, uint64_t file_bytes)
{
    *source = (struct sf_audit_source){.disk = disk, .file = file, .end = file_bytes};
    source->buffer = malloc(BUFFER_BYTES);
    source->chunk = aligned_alloc(SF_DISK_ALIGN, CHUNK_BYTES);
    if (source->buffer == NULL || source->chunk == NULL) {
        sf_audit_source_fini(source);
        return SF_ENOMEM;
    }
    source->data = source->buffer;
    return SF_OK;
}

void
sf_audit_source_fini(struct sf_audit_source *source)
{
    free(source->buffer);
    free(source->chunk);
    *source = (struct sf_audit_source){0};
}

int
sf_audit_source_fill(struct sf_audit_source *source, size_t bytes)
{
    sf_assert(source->disk == NULL || bytes <= SF_AUDIT_LINE_BYTES_MAX + 1);
    while (source->disk != NULL && source->bytes < bytes && source->read_to < source->end) {
        struct sf_disk_op op = {
            .kind = SF_DISK_READ,
            .file = source->file,
            .offset = source->read_to,
            .data = source->chunk,
            .bytes = CHUNK_BYTES,
        };
        int status = sf_disk_run(source->disk, &op);
        size_t got = op.ret_bytes;

        if (status != SF_OK) {
            return status;
        }
        if (got > source->end - source->read_to) {
            got = (size_t)(source->end - source->read_to);
        }
        if (got == 0 || (got < CHUNK_BYTES && source->read_to + got < source->end)) {
            return SF_EIO; /* shorter than it said */
        }
        memmove(source->buffer, source->data, source->bytes);
        memcpy(source->buffer + source->bytes, source->chunk, got);
        source->data = source->buffer;
        source->bytes += got;
        source->read_to += got;
    }
    return SF_OK;
}

void
sf_audit_source_skip(struct sf_audit_source *source, size_t bytes)
{
    sf_assert(bytes <= source->bytes);
    if (bytes > 0) {
        source->data += bytes;
    }
    source->bytes -= bytes;
    source->offset += bytes;
}

/* --- Heads --------------------------------------------------------------------------- */

static const char *
text_of(enum sf_audit_reason reason)
{
    static const char *const texts[] = {
        [SF_AUDIT_INTACT] = "intact",
        [SF_AUDIT_LINE_DAMAGED] = "the line is damaged or was edited",
        [SF_AUDIT_LINE_UNFINISHED] = "the last line has no end",
        [SF_AUDIT_LINE_MISSING] = "lines before this one were removed",
        [SF_AUDIT_LINE_REPEATED] = "the line was inserted, or stands in the wrong place",
        [SF_AUDIT_CHAIN_BROKEN] = "the line before this one was replaced",
        [SF_AUDIT_HEAD_DAMAGED] = "a signed head is damaged",
        [SF_AUDIT_HEAD_FORGED] = "a head was not signed by this node",
        [SF_AUDIT_HEAD_DIFFERS] = "the line is not the one that was signed: the log was rewritten",
        [SF_AUDIT_LOG_TRUNCATED] = "lines that a signed head counts were cut off",
    };

    return texts[reason];
}

/* What a fault means to the caller: broken bytes, or somebody's hand. */
static int
fault(struct sf_audit_walk *walk, enum sf_audit_reason reason, uint64_t line, uint64_t offset)
{
    bool is_head = reason >= SF_AUDIT_HEAD_DAMAGED;

    walk->fault = (struct sf_audit_fault){
        .reason = reason,
        .line = line,
        .head = is_head ? walk->head_count : 0,
        .offset = offset,
        .text = text_of(reason),
    };
    return reason == SF_AUDIT_LINE_DAMAGED || reason == SF_AUDIT_LINE_UNFINISHED ||
                   reason == SF_AUDIT_HEAD_DAMAGED
               ? SF_EFORMAT
               : SF_EAUTH;
}

/* Have the next head at hand, if there is one. */
static int
load_note(struct sf_audit_walk *walk)
{
    struct sf_audit_source *heads = &walk->heads;
    uint64_t before = walk->note.lines;
    size_t bytes;
    int status;

    if (walk->has_note) {
        return SF_OK;
    }
    status = sf_audit_source_fill(heads, SF_AUDIT_HEAD_BYTES_MAX);
    if (status != SF_OK || heads->bytes == 0) {
        return status;
    }
    walk->head_count++;
    walk->note_offset = heads->offset;
    status = sf_audit_note_decode(
        sf_view(heads->data, heads->bytes), walk->origin, walk->public_key, &walk->note, &bytes);
    if (status == SF_OK && walk->note.lines <= before) {
        status = SF_EFORMAT;
    }
    if (status != SF_OK) {
        return fault(walk, status == SF_EAUTH ? SF_AUDIT_HEAD_FORGED : SF_AUDIT_HEAD_DAMAGED,
            walk->lines, walk->note_offset);
    }
    sf_audit_source_skip(heads, bytes);
    walk->has_note = true;
    return SF_OK;
}

/* --- Lines ---------------------------------------------------------------------------- */

static int
check_line(struct sf_audit_walk *walk, struct sf_view text)
{
    uint64_t number = walk->lines + 1;
    uint64_t offset = walk->log.offset;
    struct sf_audit_line line;

    if (sf_audit_line_decode(text, &line) != SF_OK) {
        return fault(walk, SF_AUDIT_LINE_DAMAGED, number, offset);
    }
    if (line.seq != number) {
        return fault(walk, line.seq > number ? SF_AUDIT_LINE_MISSING : SF_AUDIT_LINE_REPEATED,
            number, offset);
    }
    if (memcmp(line.prev, walk->hash, sizeof(line.prev)) != 0) {
        return fault(walk, SF_AUDIT_CHAIN_BROKEN, number, offset);
    }
    if (line.seq == line.synced + 1) {
        walk->batch_offset = offset;
    }
    return SF_OK;
}

int
sf_audit_walk_line(struct sf_audit_walk *walk)
{
    struct sf_audit_source *log = &walk->log;
    uint64_t offset = log->offset;
    const uint8_t *end;
    size_t bytes;
    int status = sf_audit_source_fill(log, SF_AUDIT_LINE_BYTES_MAX + 1);

    if (status != SF_OK) {
        return status;
    }
    if (log->bytes == 0) {
        return SF_ENOENT;
    }
    bytes = log->bytes > SF_AUDIT_LINE_BYTES_MAX + 1 ? SF_AUDIT_LINE_BYTES_MAX + 1 : log->bytes;
    end = memchr(log->data, '\n', bytes);
    if (end == NULL) {
        bool is_last = log->offset + bytes == log->end;

        return fault(walk, is_last ? SF_AUDIT_LINE_UNFINISHED : SF_AUDIT_LINE_DAMAGED,
            walk->lines + 1, offset);
    }
    bytes = (size_t)(end - log->data);
    status = check_line(walk, sf_view(log->data, bytes));
    if (status != SF_OK) {
        return status;
    }
    sf_sha256(sf_view(log->data, bytes), walk->hash);
    sf_audit_source_skip(log, bytes + 1);
    walk->lines++;
    status = load_note(walk);
    if (status == SF_OK && walk->has_note && walk->note.lines == walk->lines) {
        if (memcmp(walk->note.hash, walk->hash, sizeof(walk->hash)) != 0) {
            return fault(walk, SF_AUDIT_HEAD_DIFFERS, walk->lines, offset);
        }
        walk->lines_signed = walk->lines;
        walk->has_note = false;
    }
    return status;
}

int
sf_audit_walk_end(struct sf_audit_walk *walk)
{
    int status = load_note(walk);

    if (status == SF_OK && walk->has_note) {
        return fault(walk, SF_AUDIT_LOG_TRUNCATED, walk->note.lines, walk->note_offset);
    }
    return status;
}

int
sf_audit_verify(const struct sf_audit_check *check, struct sf_audit_summary *ret_summary,
    struct sf_audit_fault *ret_fault)
{
    struct sf_audit_walk walk = {.origin = check->origin, .public_key = check->public_key};
    int status;

    sf_audit_source_view(&walk.log, check->log);
    sf_audit_source_view(&walk.heads, check->heads);
    do {
        status = sf_audit_walk_line(&walk);
    } while (status == SF_OK);
    if (status == SF_ENOENT) {
        status = sf_audit_walk_end(&walk);
    }
    if (status != SF_OK) {
        *ret_fault = walk.fault;
        return status;
    }
    ret_summary->lines = walk.lines;
    ret_summary->heads = walk.head_count;
    ret_summary->lines_signed = walk.lines_signed;
    memcpy(ret_summary->hash, walk.hash, sizeof(walk.hash));
    return SF_OK;
}
