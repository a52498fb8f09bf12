/*
 * staging_build.c - the staged files are made: directories, names and lengths,
 * before the first byte is written into one.
 */
#include "node/staging_private.h"

#include <stdio.h>
#include <stdlib.h>

static void built(struct sf_disk_op *op);

void
staging_path(const struct inbound *in, char ret_path[STAGING_PATH_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    char *at = ret_path + snprintf(ret_path, STAGING_PATH_BYTES, "staging/");

    for (size_t i = 0; i < sizeof(in->local.b); i++) {
        *at++ = hex[in->local.b[i] >> 4];
        *at++ = hex[in->local.b[i] & 15];
    }
    *at = '\0';
}

void
staging_entry_path(const struct staging *staging, uint32_t entry, char path[SF_DISK_PATH_BYTES_MAX])
{
    char root[STAGING_PATH_BYTES];
    const struct sf_outline *outline = staging->outline;

    staging_path(staging->in, root);
    if (outline->single) {
        snprintf(path, SF_DISK_PATH_BYTES_MAX, "%s/%s", root, outline->label);
    } else {
        snprintf(path, SF_DISK_PATH_BYTES_MAX, "%s/%s/%s", root, outline->label,
            outline->files[entry].path);
    }
}

static void
build_submit(struct staging *staging, enum build_step build, struct sf_disk_op op)
{
    staging->build = build;
    staging->build_op = op;
    staging->build_op.done = built;
    staging->build_op.owner = staging;
    staging->in_flight++;
    sf_disk_submit(staging_disk(staging), &staging->build_op);
}

void
staging_build_mkdir(struct staging *staging, enum build_step build)
{
    build_submit(staging, build,
        (struct sf_disk_op){
            .kind = SF_DISK_MKDIR, .path = staging->build_path, .flags = SF_DISK_SHARED});
}

/* The next directory of the entry's path that is not there yet, or the file itself. */
static void
build_next_part(struct staging *staging)
{
    char full[SF_DISK_PATH_BYTES_MAX];
    const char *slash;

    staging_entry_path(staging, staging->build_entry, full);
    slash = strchr(full + staging->build_at, '/');
    if (slash != NULL && !staging->outline->single) {
        size_t bytes = (size_t)(slash - full);

        memcpy(staging->build_path, full, bytes);
        staging->build_path[bytes] = '\0';
        staging->build_at = bytes + 1;
        staging_build_mkdir(staging, BUILD_DIRS);
        return;
    }
    memcpy(staging->build_path, full, sizeof(full));
    build_submit(staging, BUILD_OPEN,
        (struct sf_disk_op){.kind = SF_DISK_OPEN,
            .path = staging->build_path,
            .flags = SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_SHARED});
}

/* Where in an entry's path the first directory below the label ends; those before are there. */
static size_t
below_label(const struct staging *staging)
{
    return STAGING_PATH_BYTES + strlen(staging->outline->label) + 1;
}

static void
sync_names(struct staging *staging)
{
    build_submit(staging, BUILD_NAMES,
        (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = staging->build_path});
}

/* Sync the next directory below the label: each path's directories, once each. */
static bool
sync_next_dir(struct staging *staging)
{
    const struct sf_outline *outline = staging->outline;
    char root[STAGING_PATH_BYTES];

    staging_path(staging->in, root);
    for (; !outline->single && staging->build_entry < outline->file_count;
         staging->build_entry++, staging->build_at = 0) {
        uint32_t entry = staging->build_entry;
        const char *path = outline->files[entry].path;
        const char *before = entry == 0 ? "" : outline->files[entry - 1].path;
        const char *slash = strchr(path + staging->build_at, '/');

        for (; slash != NULL; slash = strchr(slash + 1, '/')) {
            size_t bytes = (size_t)(slash - path);

            if (strncmp(path, before, bytes + 1) == 0) {
                continue; /* the same directory as the file before; it is synced */
            }
            staging->build_at = bytes + 1;
            snprintf(staging->build_path, sizeof(staging->build_path), "%s/%s/%.*s", root,
                outline->label, (int)bytes, path);
            sync_names(staging);
            return true;
        }
    }
    return false;
}

/* After those below the label: the label's own, the transfer's, and that of all transfers. */
static void
sync_top_dir(struct staging *staging)
{
    const struct sf_outline *outline = staging->outline;
    char root[STAGING_PATH_BYTES];

    staging_path(staging->in, root);
    switch (staging->build_at++) {
    case 0:
        if (!outline->single) {
            snprintf(
                staging->build_path, sizeof(staging->build_path), "%s/%s", root, outline->label);
            sync_names(staging);
            break;
        }
        staging->build_at++;
        /* fall through */
    case 1:
        snprintf(staging->build_path, sizeof(staging->build_path), "%s", root);
        sync_names(staging);
        break;
    case 2:
        snprintf(staging->build_path, sizeof(staging->build_path), "staging");
        sync_names(staging);
        break;
    default:
        staging->build = BUILD_DONE;
        break;
    }
}

static void
build_names(struct staging *staging)
{
    if (!sync_next_dir(staging)) {
        sync_top_dir(staging);
    }
}

static void
build_entry(struct staging *staging)
{
    if (staging->build_entry == staging->outline->file_count) {
        staging->build_entry = 0;
        staging->build_at = 0;
        build_names(staging);
        return;
    }
    staging->build_at = below_label(staging);
    if (staging->outline->single) {
        staging->build_at = 0;
    }
    build_next_part(staging);
}

/* Nothing more is made; a file that is open is closed. */
static void
build_give_up(struct staging *staging, const struct sf_disk_op *op)
{
    bool is_open = (op->kind == SF_DISK_OPEN && op->status == SF_OK) ||
                   op->kind == SF_DISK_TRUNCATE || op->kind == SF_DISK_SYNC;
    int file = op->kind == SF_DISK_OPEN ? op->ret_file : staging->build_file;

    if (is_open) {
        build_submit(
            staging, BUILD_CLOSE, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = file});
    }
}

void
staging_build_again(struct staging *staging)
{
    if (staging->build_waits && !staging->is_stopping &&
        staging->in->node->now >= staging->room_at) {
        staging->build_waits = false;
        build_submit(staging, staging->build, staging->build_op);
    }
}

void
staging_build_stop(struct staging *staging)
{
    if (staging->build_waits) {
        staging->build_waits = false;
        build_give_up(staging, &staging->build_op);
    }
}

/*
 * How much of an entry an earlier run verified. What it wrote behind that goes: if
 * it were there already, a write that hits another place would not be noticed.
 */
static uint64_t
kept_of(const struct staging *staging, uint32_t entry, uint64_t bytes)
{
    uint64_t start = staging_place(staging, entry, 0);
    uint64_t kept = staging->kept > start ? staging->kept - start : 0;

    return kept < bytes ? kept : bytes;
}

static void
built(struct sf_disk_op *op)
{
    struct staging *staging = op->owner;
    uint64_t bytes = 0;
    size_t used;

    staging->in_flight--;
    if (op->status == SF_ENOSPC && !staging->is_stopping) {
        staging->build_waits = true;
        staging->room_at = sf_mono_add(staging->in->node->now, ROOM_EVERY);
        inbound_pause(staging->in, IN_PAUSE_STAGING, staging->outline->total_bytes);
        return;
    }
    if (staging->is_stopping ||
        (op->status != SF_OK && !(op->kind == SF_DISK_MKDIR && op->status == SF_EEXIST))) {
        staging_fail(staging, op->status);
        build_give_up(staging, op);
        return;
    }
    if (staging->build_entry < staging->outline->file_count) {
        bytes = staging->outline->files[staging->build_entry].bytes;
    }
    switch (staging->build) {
    case BUILD_ROOT:
        if (staging->outline->single) {
            build_entry(staging);
            break;
        }
        staging_path(staging->in, staging->build_path);
        used = strlen(staging->build_path);
        snprintf(staging->build_path + used, sizeof(staging->build_path) - used, "/%s",
            staging->outline->label);
        staging_build_mkdir(staging, BUILD_LABEL);
        break;
    case BUILD_LABEL:
        build_entry(staging);
        break;
    case BUILD_DIRS:
        build_next_part(staging);
        break;
    case BUILD_OPEN:
        staging->build_file = op->ret_file;
        build_submit(staging, BUILD_EMPTY,
            (struct sf_disk_op){.kind = SF_DISK_TRUNCATE,
                .file = staging->build_file,
                .offset = kept_of(staging, staging->build_entry, bytes)});
        break;
    case BUILD_EMPTY:
        build_submit(staging, BUILD_SIZE,
            (struct sf_disk_op){
                .kind = SF_DISK_TRUNCATE, .file = staging->build_file, .offset = bytes});
        break;
    case BUILD_SIZE:
        /* Its length is all that a file of zeros has to lose. */
        build_submit(staging, BUILD_SYNC,
            (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = staging->build_file});
        break;
    case BUILD_SYNC:
        build_submit(staging, BUILD_CLOSE,
            (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = staging->build_file});
        break;
    case BUILD_CLOSE:
        staging->build_entry++;
        build_entry(staging);
        break;
    case BUILD_NAMES:
        build_names(staging);
        break;
    case BUILD_DONE:
        break;
    }
    if (staging->build == BUILD_DONE) {
        inbound_resume(staging->in, IN_PAUSE_STAGING);
        decoder_step(staging->in->decoder);
    }
}

bool
staging_is_ready(const struct staging *staging)
{
    return staging->build == BUILD_DONE && !staging->has_failed;
}
