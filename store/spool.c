/*
 * spool.c - the folder of spool files: making, finding, trimming, removing them.
 */
#include "store/spool.h"

#include "base/assert.h"
#include "store/spool_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "spool"

enum {
    HEX_BYTES = 32,
    LIST_BYTES_FIRST = 64 * 1024,
    LIST_BYTES_MAX = SF_SPOOL_FILES_MAX * 64,
};

/* --- Names ------------------------------------------------------------------- */

static void
make_path(char *path, size_t bytes, const struct sf_transfer_id *transfer,
    enum sf_spool_direction direction)
{
    static const char digits[] = "0123456789abcdef";
    char hex[HEX_BYTES + 1];

    for (size_t i = 0; i < sizeof(transfer->b); i++) {
        hex[2 * i] = digits[transfer->b[i] >> 4];
        hex[2 * i + 1] = digits[transfer->b[i] & 15];
    }
    hex[HEX_BYTES] = '\0';
    snprintf(path, bytes, FOLDER "/%s.%s", hex, direction == SF_SPOOL_OUT ? "out" : "in");
}

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Whether `name` is that of a spool file, and whose. */
static bool
parse_name(const char *name, struct sf_spool_file *ret_file)
{
    struct sf_spool_file file = {0};

    if (strlen(name) < HEX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < HEX_BYTES; i++) {
        int value = hex_value(name[i]);

        if (value < 0) {
            return false;
        }
        file.transfer.b[i / 2] = (uint8_t)(file.transfer.b[i / 2] << 4 | value);
    }
    if (strcmp(name + HEX_BYTES, ".out") == 0) {
        file.direction = SF_SPOOL_OUT;
    } else if (strcmp(name + HEX_BYTES, ".in") == 0) {
        file.direction = SF_SPOOL_IN;
    } else {
        return false;
    }
    *ret_file = file;
    return true;
}

/* --- Opening the folder --------------------------------------------------------- */

/* The names in the folder, NUL-terminated each; *ret_names is the caller's to free. */
static int
list_names(struct sf_disk *disk, uint8_t **ret_names, size_t *ret_bytes)
{
    for (size_t bytes = LIST_BYTES_FIRST;; bytes *= 2) {
        uint8_t *names = malloc(bytes);
        struct sf_disk_op op = {
            .kind = SF_DISK_LIST, .path = FOLDER, .data = names, .bytes = bytes};
        int status;

        if (names == NULL) {
            return SF_ENOMEM;
        }
        status = sf_disk_run(disk, &op);
        if (status == SF_OK) {
            *ret_names = names;
            *ret_bytes = op.ret_bytes;
            return SF_OK;
        }
        free(names);
        if (status != SF_ELIMIT || bytes >= LIST_BYTES_MAX) {
            return status;
        }
    }
}

static int
list_files(struct sf_spool_set *spools)
{
    uint8_t *names = NULL;
    size_t bytes = 0;
    size_t count = 0;
    int status = list_names(spools->disk, &names, &bytes);

    if (status != SF_OK) {
        return status;
    }
    for (size_t at = 0; at < bytes; at += strlen((char *)names + at) + 1) {
        count++;
    }
    spools->files = calloc(count == 0 ? 1 : count, sizeof(*spools->files));
    if (spools->files == NULL) {
        status = SF_ENOMEM;
        goto out;
    }
    for (size_t at = 0; at < bytes; at += strlen((char *)names + at) + 1) {
        if (parse_name((char *)names + at, &spools->files[spools->file_count])) {
            spools->file_count++;
        }
    }
    if (spools->file_count > SF_SPOOL_FILES_MAX) {
        status = SF_ELIMIT;
    }

out:
    free(names);
    return status;
}

int
sf_spools_open(const struct sf_spools_config *config, struct sf_spool_set **ret_spools)
{
    struct sf_disk_op make = {.kind = SF_DISK_MKDIR, .path = FOLDER};
    struct sf_disk_op sync = {.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT};
    struct sf_spool_set *spools = calloc(1, sizeof(*spools));
    int status;

    if (spools == NULL) {
        return SF_ENOMEM;
    }
    spools->disk = config->disk;
    spools->journal = config->journal;
    spools->reserve_bytes = config->reserve_bytes;
    status = sf_disk_run(config->disk, &make);
    if (status == SF_OK || status == SF_EEXIST) {
        status = sf_disk_run(config->disk, &sync);
    }
    if (status == SF_OK) {
        status = list_files(spools);
    }
    if (status != SF_OK) {
        sf_spools_drop(spools);
        return status;
    }
    *ret_spools = spools;
    return SF_OK;
}

void
sf_spools_close(struct sf_spool_set *spools)
{
    for (struct sf_spool *spool = spools->open; spool != NULL; spool = spool->next) {
        struct sf_disk_op op = {.kind = SF_DISK_CLOSE, .file = spool->file};
        int status = sf_disk_run(spools->disk, &op);

        (void)status; /* nothing is lost by it: what counts was synced */
    }
    sf_spools_drop(spools);
}

void
sf_spools_drop(struct sf_spool_set *spools)
{
    while (spools->open != NULL) {
        struct sf_spool *spool = spools->open;

        spools->open = spool->next;
        free(spool);
    }
    free(spools->files);
    free(spools);
}

const struct sf_spool_file *
sf_spools_list(const struct sf_spool_set *spools, size_t *ret_count)
{
    *ret_count = spools->file_count;
    return spools->files;
}

void
sf_spools_stats(const struct sf_spool_set *spools, struct sf_spools_stats *ret_stats)
{
    *ret_stats = spools->stats;
}

uint32_t
sf_spool_class_bytes(const struct sf_spool *spool)
{
    return spool->class_bytes;
}

uint64_t
sf_spool_slots(const struct sf_spool *spool)
{
    return spool->slots;
}

/* --- Operations on files: the common part ------------------------------------------ */

typedef void step(struct sf_disk_op *op);

/* Submit the next disk operation of `op`; `done` gets it back. */
static void
submit(struct sf_spool_op *op, step *done, struct sf_disk_op disk_op)
{
    op->disk_op = disk_op;
    op->disk_op.done = done;
    op->disk_op.owner = op;
    sf_disk_submit(op->spools->disk, &op->disk_op);
}

static void
begin(struct sf_spool_set *spools, struct sf_spool_op *op)
{
    op->spools = spools;
    op->status = SF_OK;
    op->result = SF_OK;
    op->system_errno = 0;
    op->need_bytes = 0;
    op->free_bytes = 0;
}

static void
finish(struct sf_spool_op *op, int status)
{
    op->status = status;
    op->done(op);
}

/* Remember the first thing that went wrong. */
static void
note(struct sf_spool_op *op, int status)
{
    if (op->result == SF_OK && status != SF_OK) {
        op->result = status;
        op->system_errno = op->disk_op.system_errno;
    }
}

/* The last step of several calls. */
static void
step_finish(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    note(op, disk_op->status);
    finish(op, op->result);
}

/* A failed sync is final for all names made since the one before, whoever asked for it. */
static void
count_failure(struct sf_spool_op *op, const struct sf_disk_op *sync)
{
    op->spools->era += sync->status != SF_OK;
}

/* The last step of what changed the folder. */
static void
folder_synced(struct sf_disk_op *disk_op)
{
    count_failure(disk_op->owner, disk_op);
    step_finish(disk_op);
}

static void
sync_folder(struct sf_spool_op *op, void (*done)(struct sf_disk_op *op))
{
    submit(op, done, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = FOLDER});
}

static struct sf_spool *
make_spool(struct sf_spool_op *op, int file)
{
    struct sf_spool *spool = calloc(1, sizeof(*spool));

    if (spool == NULL) {
        return NULL;
    }
    spool->spools = op->spools;
    spool->transfer = op->transfer;
    spool->direction = op->direction;
    spool->file = file;
    spool->class_bytes = op->class_bytes;
    spool->slots = op->slots;
    spool->next = op->spools->open;
    op->spools->open = spool;
    op->spools->stats.open_files++;
    return spool;
}

static bool
is_open(const struct sf_spool_set *spools, const struct sf_spool_op *op)
{
    for (const struct sf_spool *spool = spools->open; spool != NULL; spool = spool->next) {
        if (spool->direction == op->direction &&
            sf_transfer_equal(&spool->transfer, &op->transfer)) {
            return true;
        }
    }
    return false;
}

static void
check_shape(const struct sf_spool_op *op)
{
    sf_assert(op->direction == SF_SPOOL_OUT || op->direction == SF_SPOOL_IN);
    sf_assert(op->class_bytes > 0 && op->class_bytes <= SF_SPOOL_CLASS_BYTES_MAX);
    sf_assert(op->class_bytes % SF_DISK_ALIGN == 0);
    sf_assert(op->slots > 0 && op->slots <= (UINT64_C(1) << 62) / op->class_bytes);
}

static uint64_t
bytes_of(const struct sf_spool_op *op)
{
    return op->slots * op->class_bytes;
}

/* --- Create --------------------------------------------------------------------------- */

static void
create_unlinked(struct sf_disk_op *disk_op)
{
    sync_folder(disk_op->owner, folder_synced);
}

static void
create_closed(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    submit(op, create_unlinked, (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = op->path});
}

/* Take back a file that could not be finished. If that fails it shows up in the next listing. */
static void
create_undo(struct sf_spool_op *op, int file)
{
    submit(op, create_closed, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = file});
}

static void
create_named(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;
    int file = op->step;

    count_failure(op, disk_op);
    note(op, disk_op->status);
    if (op->result == SF_OK && op->era != op->spools->era) {
        note(op, SF_EIO); /* the name was lost with somebody else's sync */
    }
    if (op->result == SF_OK) {
        op->spool = make_spool(op, file);
        note(op, op->spool == NULL ? SF_ENOMEM : SF_OK);
    }
    if (op->result != SF_OK) {
        create_undo(op, file);
        return;
    }
    finish(op, SF_OK);
}

static void
create_synced(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    note(op, disk_op->status);
    if (op->result != SF_OK) {
        create_undo(op, op->step);
        return;
    }
    sync_folder(op, create_named);
}

static void
create_allocated(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    op->spools->creating_bytes -= bytes_of(op);
    note(op, disk_op->status);
    if (op->result != SF_OK) {
        op->need_bytes = op->result == SF_ENOSPC ? bytes_of(op) : 0;
        create_undo(op, op->step);
        return;
    }
    submit(op, create_synced, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = op->step});
}

static void
create_opened(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    if (disk_op->status != SF_OK) {
        op->spools->creating_bytes -= bytes_of(op);
        note(op, disk_op->status);
        op->need_bytes = op->result == SF_ENOSPC ? bytes_of(op) : 0;
        finish(op, op->result);
        return;
    }
    op->step = disk_op->ret_file;
    submit(op, create_allocated,
        (struct sf_disk_op){
            .kind = SF_DISK_ALLOCATE, .file = op->step, .bytes = (size_t)bytes_of(op)});
}

/* What is free above the reserve and the promises. */
static uint64_t
free_above_reserve(const struct sf_spool_set *spools, uint64_t free_bytes)
{
    uint64_t kept = spools->reserve_bytes;

    kept = spools->creating_bytes > UINT64_MAX - kept ? UINT64_MAX : kept + spools->creating_bytes;
    return free_bytes > kept ? free_bytes - kept : 0;
}

static void
create_measured(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;
    struct sf_spool_set *spools = op->spools;

    note(op, disk_op->status);
    if (op->result != SF_OK) {
        finish(op, op->result);
        return;
    }
    op->free_bytes = free_above_reserve(spools, disk_op->ret_stat.free_bytes);
    if (op->free_bytes < bytes_of(op)) {
        op->need_bytes = bytes_of(op) - op->free_bytes;
        finish(op, SF_ENOSPC);
        return;
    }
    spools->creating_bytes += bytes_of(op);
    op->era = spools->era;
    submit(op, create_opened,
        (struct sf_disk_op){
            .kind = SF_DISK_OPEN,
            .path = op->path,
            .flags = SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_EXCLUSIVE | SF_DISK_DIRECT,
        });
}

void
sf_spool_create(struct sf_spool_set *spools, struct sf_spool_op *op)
{
    check_shape(op);
    begin(spools, op);
    op->spool = NULL;
    make_path(op->path, sizeof(op->path), &op->transfer, op->direction);
    submit(op, create_measured, (struct sf_disk_op){.kind = SF_DISK_SPACE});
}

/* --- Reopen ---------------------------------------------------------------------------- */

static void
reopen_ready(struct sf_spool_op *op, int file)
{
    if (op->result == SF_OK) {
        op->spool = make_spool(op, file);
        note(op, op->spool == NULL ? SF_ENOMEM : SF_OK);
    }
    if (op->result != SF_OK) {
        submit(op, step_finish, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = file});
        return;
    }
    finish(op, SF_OK);
}

static void
reopen_synced(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    note(op, disk_op->status);
    reopen_ready(op, op->step);
}

static void
reopen_cut(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    if (disk_op->status != SF_OK) {
        note(op, disk_op->status);
        reopen_ready(op, op->step);
        return;
    }
    submit(op, reopen_synced, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = op->step});
}

static void
reopen_opened(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    note(op, disk_op->status);
    if (op->result != SF_OK) {
        finish(op, op->result);
        return;
    }
    op->step = disk_op->ret_file;
    if (is_open(op->spools, op)) {
        note(op, SF_EEXIST);
    } else if (disk_op->ret_stat.bytes < bytes_of(op)) {
        note(op, SF_EFORMAT);
    } else if (disk_op->ret_stat.bytes > bytes_of(op)) {
        submit(op, reopen_cut,
            (struct sf_disk_op){
                .kind = SF_DISK_TRUNCATE, .file = op->step, .offset = bytes_of(op)});
        return;
    }
    reopen_ready(op, op->step);
}

void
sf_spool_reopen(struct sf_spool_set *spools, struct sf_spool_op *op)
{
    check_shape(op);
    begin(spools, op);
    op->spool = NULL;
    make_path(op->path, sizeof(op->path), &op->transfer, op->direction);
    submit(op, reopen_opened,
        (struct sf_disk_op){
            .kind = SF_DISK_OPEN, .path = op->path, .flags = SF_DISK_RDWR | SF_DISK_DIRECT});
}

/* --- Unlink, space ------------------------------------------------------------------------ */

static void
unlink_unlinked(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    note(op, disk_op->status == SF_ENOENT ? SF_OK : disk_op->status);
    sync_folder(op, folder_synced);
}

void
sf_spools_unlink(struct sf_spool_set *spools, struct sf_spool_op *op)
{
    sf_assert(!is_open(spools, op));
    begin(spools, op);
    make_path(op->path, sizeof(op->path), &op->transfer, op->direction);
    submit(op, unlink_unlinked, (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = op->path});
}

static void
space_measured(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    op->free_bytes = free_above_reserve(op->spools, disk_op->ret_stat.free_bytes);
    step_finish(disk_op);
}

void
sf_spools_space(struct sf_spool_set *spools, struct sf_spool_op *op)
{
    begin(spools, op);
    submit(op, space_measured, (struct sf_disk_op){.kind = SF_DISK_SPACE});
}

/* --- Leaving -------------------------------------------------------------------------------- */

static void
free_spool(struct sf_spool *spool)
{
    struct sf_spool **at = &spool->spools->open;

    while (*at != spool) {
        at = &(*at)->next;
    }
    *at = spool->next;
    spool->spools->stats.open_files--;
    free(spool);
}

static void
leave_closed(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    free_spool(op->spool);
    op->spool = NULL;
    if (op->step == 0) {
        step_finish(disk_op);
        return;
    }
    /* The bytes are to vanish: an error of close does not matter. */
    submit(op, unlink_unlinked, (struct sf_disk_op){.kind = SF_DISK_UNLINK, .path = op->path});
}

void
sf_spool_leave_if_quiet(struct sf_spool *spool)
{
    struct sf_spool_op *op = spool->leaving;

    if (op != NULL && spool->in_flight == 0) {
        spool->in_flight = UINT64_MAX; /* nothing may come any more */
        submit(op, leave_closed, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = spool->file});
    }
}

static void
leave(struct sf_spool_op *op, int unlink)
{
    struct sf_spool *spool = op->spool;

    sf_assert(spool->leaving == NULL);
    begin(spool->spools, op);
    op->step = unlink;
    make_path(op->path, sizeof(op->path), &spool->transfer, spool->direction);
    spool->leaving = op;
    sf_spool_leave_if_quiet(spool);
}

void
sf_spool_remove(struct sf_spool_op *op)
{
    leave(op, 1);
}

void
sf_spool_close(struct sf_spool_op *op)
{
    leave(op, 0);
}

void
sf_spool_enter(struct sf_spool *spool)
{
    sf_assert(spool->leaving == NULL);
    spool->in_flight++;
}

/* --- Punch, trim ------------------------------------------------------------------------------ */

static void
slots_done(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;
    struct sf_spool *spool = op->spool;

    spool->in_flight--;
    step_finish(disk_op);
    sf_spool_leave_if_quiet(spool);
}

void
sf_spool_punch(struct sf_spool_op *op)
{
    struct sf_spool *spool = op->spool;

    sf_assert(op->count > 0 && op->count <= spool->slots);
    sf_assert(op->first <= spool->slots - op->count);
    begin(spool->spools, op);
    sf_spool_enter(spool);
    submit(op, slots_done,
        (struct sf_disk_op){
            .kind = SF_DISK_PUNCH,
            .file = spool->file,
            .offset = op->first * spool->class_bytes,
            .bytes = (size_t)(op->count * spool->class_bytes),
        });
}

static void
trim_cut(struct sf_disk_op *disk_op)
{
    struct sf_spool_op *op = disk_op->owner;

    if (disk_op->status != SF_OK) {
        slots_done(disk_op);
        return;
    }
    submit(op, slots_done, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = op->spool->file});
}

void
sf_spool_trim(struct sf_spool_op *op)
{
    struct sf_spool *spool = op->spool;

    sf_assert(op->slots > 0 && op->slots <= spool->slots);
    begin(spool->spools, op);
    sf_spool_enter(spool);
    spool->slots = op->slots;
    submit(op, trim_cut,
        (struct sf_disk_op){
            .kind = SF_DISK_TRUNCATE,
            .file = spool->file,
            .offset = op->slots * spool->class_bytes,
        });
}
