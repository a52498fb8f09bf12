/*
 * deliver.c - from staging into the inbox, once.
 *
 *   times and execute bits set -> inbox/PEER made and synced
 *   -> INTENT: phase DELIVERING with the signed FINAL receipt, durable
 *   -> rename without replacing -> both directories synced
 *   -> DONE durable -> FINAL sent
 *
 * A name that is taken is left alone: the next one in line (deliver_name) is
 * intended, durably, before it is tried.
 *
 * After a crash with the intent durable: if the staged entry is there the
 * rename is done again; if it is not, it was done. Whether the disk has it is not
 * known, since a sync may have failed before: so it is taken back and done anew.
 */
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { SUFFIX_BYTES_MAX = 9 + 6 }; /* "~12345678-65535" */

#define TRY_AGAIN (30 * SF_SEC) /* the inbox cannot be written just now */

enum step {
    STEP_FILE, /* open one file after the other */
    STEP_FILE_SET,
    STEP_FILE_CLOSE,
    STEP_INBOX,
    STEP_INBOX_SYNC,
    STEP_INTENT,
    STEP_LOOK,      /* after a restart: is it still staged? */
    STEP_TAKE_BACK, /* it is not */
    STEP_RENAME,
    STEP_TARGET_SYNC,
    STEP_SOURCE_SYNC,
    STEP_UNDO, /* a sync failed: take back what it covered, to do it anew */
    STEP_DONE,
};

struct delivery {
    struct inbound *in;
    enum step step;
    uint32_t file; /* of the outline, whose time is set now */
    int open_file;
    bool is_busy;
    uint64_t era; /* of the inbox, when a name was last made there */
    char label[256];
    char name[256]; /* in the inbox */
    char peer[SF_NODE_NAME_BYTES_MAX + 1];
    char source[SF_DISK_PATH_BYTES_MAX];
    char target[SF_DISK_PATH_BYTES_MAX];
    struct sf_disk_op op;
};

static void done(struct sf_disk_op *op);

static struct sf_view
key_view(const struct inbound *in)
{
    return sf_view(in->key, sizeof(in->key));
}

static void
submit(struct delivery *delivery, enum step step, struct sf_disk_op op)
{
    delivery->step = step;
    delivery->op = op;
    delivery->op.done = done;
    delivery->op.owner = delivery;
    delivery->is_busy = true;
    sf_disk_submit(delivery->in->node->disk, &delivery->op);
}

static void
submit_sync(struct delivery *delivery, enum step step, const char *path)
{
    submit(delivery, step, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = path});
}

void
deliver_name(const struct inbound *in, const char label[256], char ret_name[256])
{
    size_t keep = strlen(label);
    char suffix[SUFFIX_BYTES_MAX + 1];
    size_t bytes;

    if (in->record.apart == 0) {
        memcpy(ret_name, label, 256);
        return;
    }
    bytes = (size_t)snprintf(suffix, sizeof(suffix), "~%02x%02x%02x%02x", in->id.b[0], in->id.b[1],
        in->id.b[2], in->id.b[3]);
    if (in->record.apart > 1) {
        bytes += (size_t)snprintf(
            suffix + bytes, sizeof(suffix) - bytes, "-%u", (unsigned)in->record.apart);
    }
    if (keep > SF_COMPONENT_BYTES_MAX - bytes) {
        keep = SF_COMPONENT_BYTES_MAX - bytes;
    }
    snprintf(ret_name, 256, "%.*s%s", (int)keep, label, suffix);
}

static void
set_paths(struct delivery *delivery)
{
    char root[STAGING_PATH_BYTES];

    deliver_name(delivery->in, delivery->label, delivery->name);
    staging_path(delivery->in, root);
    snprintf(delivery->source, sizeof(delivery->source), "%s/%s", root, delivery->label);
    snprintf(
        delivery->target, sizeof(delivery->target), "inbox/%s/%s", delivery->peer, delivery->name);
}

/* --- The end ------------------------------------------------------------------------------ */

static void
delivered(void *owner)
{
    struct delivery *delivery = owner;
    struct inbound *in = delivery->in;

    delivery->is_busy = false;
    memcpy(in->delivered_as, delivery->name, sizeof(in->delivered_as));
    record_in(in, "delivered", NULL);
    node_say(in->node, SF_NODE_EVENT_TRANSFER, &in->id, "delivered from %s", delivery->peer);
    inbound_tell_end(in);
    inbound_let_go(in);
}

static void
finish(struct delivery *delivery)
{
    struct inbound *in = delivery->in;
    struct sf_node *node = in->node;

    delivery->step = STEP_DONE;
    delivery->is_busy = true;
    in->record.phase = SF_IN_DONE;
    in->record.ended = node->wall;
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_HELD, key_view(in)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_ORPHAN, key_view(in)));
    node_must(node, inbound_save(in));
    node_commit_then(node, delivered, delivery);
}

/* --- The intent ------------------------------------------------------------------------------ */

static void
rename_now(struct delivery *delivery)
{
    set_paths(delivery);
    delivery->era = delivery->in->node->inbox_era;
    submit(delivery, STEP_RENAME,
        (struct sf_disk_op){.kind = SF_DISK_RENAME,
            .path = delivery->source,
            .path_to = delivery->target,
            .flags = SF_DISK_NOREPLACE});
}

static void
intent_durable(void *owner)
{
    struct delivery *delivery = owner;

    rename_now(delivery);
}

static void
save_name(struct delivery *delivery)
{
    struct inbound *in = delivery->in;
    uint8_t sealed[LABEL_SEALED_BYTES_MAX];
    size_t bytes;

    deliver_name(in, delivery->label, delivery->name);
    bytes = history_seal(in->node, delivery->label, sealed);
    node_must(in->node,
        sf_journal_set(in->node->journal, SF_TABLE_IN_LABEL, key_view(in), sf_view(sealed, bytes)));
    node_must(in->node, inbound_save(in));
}

/* Everything about the delivery is written down before it happens. */
static void
intend(struct delivery *delivery)
{
    struct inbound *in = delivery->in;
    struct sf_node *node = in->node;
    uint8_t *receipt = malloc(SF_RECEIPT_BYTES_MAX);
    size_t bytes;

    if (receipt == NULL || inbound_sign(in, SF_RECEIPT_FINAL, receipt, &bytes) != SF_OK) {
        node_fail(node, SF_ENOMEM);
        free(receipt);
        return;
    }
    delivery->step = STEP_INTENT;
    delivery->is_busy = true;
    in->record.phase = SF_IN_DELIVERING;
    in->record.verified = decoder_outline(in->decoder)->total_bytes;
    node_must(node,
        sf_journal_set(node->journal, SF_TABLE_IN_RECEIPT, key_view(in), sf_view(receipt, bytes)));
    free(receipt);
    save_name(delivery);
    node_commit_then(node, intent_durable, delivery);
}

/* --- Steps --------------------------------------------------------------------------------------- */

/* Open the next file to give it its time and its execute bit; false after the last. */
static bool
open_next_file(struct delivery *delivery)
{
    const struct sf_outline *outline = decoder_outline(delivery->in->decoder);
    char root[STAGING_PATH_BYTES];

    if (delivery->file == outline->file_count) {
        delivery->file = 0;
        return false;
    }
    staging_path(delivery->in, root);
    if (outline->single) {
        snprintf(delivery->source, sizeof(delivery->source), "%s/%s", root, outline->label);
    } else {
        snprintf(delivery->source, sizeof(delivery->source), "%s/%s/%s", root, outline->label,
            outline->files[delivery->file].path);
    }
    submit(delivery, STEP_FILE,
        (struct sf_disk_op){.kind = SF_DISK_OPEN, .path = delivery->source, .flags = SF_DISK_RDWR});
    return true;
}

static void
set_file(struct delivery *delivery, int file)
{
    const struct sf_outline_file *entry =
        &decoder_outline(delivery->in->decoder)->files[delivery->file];
    int64_t seconds_max = INT64_MAX / 1000000000;
    int64_t ms = entry->mtime_ms;

    if (ms / 1000 > seconds_max || ms / 1000 < -seconds_max) {
        ms = 0; /* a time no file system has */
    }
    delivery->open_file = file;
    submit(delivery, STEP_FILE_SET,
        (struct sf_disk_op){.kind = SF_DISK_ATTRIBUTES,
            .file = file,
            .mtime_ns = ms * 1000000,
            .flags = entry->executable ? SF_DISK_EXECUTABLE : 0});
}

static void
make_inbox(struct delivery *delivery)
{
    snprintf(delivery->target, sizeof(delivery->target), "inbox/%s", delivery->peer);
    delivery->era = delivery->in->node->inbox_era;
    submit(delivery, STEP_INBOX,
        (struct sf_disk_op){
            .kind = SF_DISK_MKDIR, .path = delivery->target, .flags = SF_DISK_SHARED});
}

static void
sync_target(struct delivery *delivery)
{
    snprintf(delivery->target, sizeof(delivery->target), "inbox/%s", delivery->peer);
    submit_sync(delivery, STEP_TARGET_SYNC, delivery->target);
}

static void
renamed(struct delivery *delivery, int status)
{
    struct inbound *in = delivery->in;

    if (status == SF_EEXIST && in->record.apart < UINT16_MAX) {
        in->record.apart++;
        delivery->is_busy = true;
        save_name(delivery);
        node_commit_then(in->node, intent_durable, delivery);
        return;
    }
    if (status != SF_OK) {
        snprintf(in->why, sizeof(in->why), "the inbox cannot take it: %s", sf_status_text(status));
        in->deliver_at = sf_mono_add(in->node->now, TRY_AGAIN);
        return;
    }
    sync_target(delivery);
}

/* Move what is in the inbox back to where it was staged. */
static void
take_back(struct delivery *delivery, enum step step)
{
    set_paths(delivery);
    submit(delivery, step,
        (struct sf_disk_op){.kind = SF_DISK_RENAME,
            .path = delivery->target,
            .path_to = delivery->source,
            .flags = SF_DISK_NOREPLACE});
}

/*
 * A failed sync is final for what it covered: names that programs go on seeing
 * and that the disk does not have. They are made anew, before the next try.
 */
static void
failed(struct delivery *delivery, int status)
{
    struct inbound *in = delivery->in;

    snprintf(in->why, sizeof(in->why), "the inbox cannot be written: %s", sf_status_text(status));
    node_say(in->node, SF_NODE_EVENT_WARNING, &in->id, "%s", in->why);
    switch (delivery->step) {
    case STEP_INBOX_SYNC:
        snprintf(delivery->target, sizeof(delivery->target), "inbox/%s", delivery->peer);
        submit(delivery, STEP_UNDO,
            (struct sf_disk_op){.kind = SF_DISK_RMDIR, .path = delivery->target});
        break;
    case STEP_TARGET_SYNC:
    case STEP_SOURCE_SYNC:
        take_back(delivery, STEP_UNDO);
        break;
    default:
        in->deliver_at = sf_mono_add(in->node->now, TRY_AGAIN);
        break;
    }
}

static void
step_done(struct delivery *delivery, const struct sf_disk_op *op)
{
    struct inbound *in = delivery->in;
    char root[STAGING_PATH_BYTES];

    switch (delivery->step) {
    case STEP_FILE:
        set_file(delivery, op->ret_file);
        break;
    case STEP_FILE_SET:
        submit(delivery, STEP_FILE_CLOSE,
            (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = delivery->open_file});
        break;
    case STEP_FILE_CLOSE:
        delivery->file++;
        if (!open_next_file(delivery)) {
            make_inbox(delivery);
        }
        break;
    case STEP_INBOX:
        submit_sync(delivery, STEP_INBOX_SYNC, "inbox");
        break;
    case STEP_INBOX_SYNC:
        intend(delivery);
        break;
    case STEP_INTENT:
        break;
    case STEP_LOOK:
    case STEP_TAKE_BACK:
        rename_now(delivery);
        break;
    case STEP_RENAME:
        renamed(delivery, op->status);
        break;
    case STEP_TARGET_SYNC:
        staging_path(delivery->in, root);
        snprintf(delivery->source, sizeof(delivery->source), "%s", root);
        submit_sync(delivery, STEP_SOURCE_SYNC, delivery->source);
        break;
    case STEP_SOURCE_SYNC:
        finish(delivery);
        break;
    case STEP_UNDO:
        in->deliver_at = sf_mono_add(in->node->now, TRY_AGAIN);
        break;
    case STEP_DONE:
        break;
    }
}

/* It was called back before the rename was intended: close what is open and do no more. */
static void
give_up(struct delivery *delivery, const struct sf_disk_op *op)
{
    if (delivery->step == STEP_FILE && op->status == SF_OK) {
        delivery->open_file = op->ret_file;
    } else if (delivery->step != STEP_FILE_SET) {
        return;
    }
    submit(delivery, STEP_FILE_CLOSE,
        (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = delivery->open_file});
}

/*
 * What came of the step that is done. Syncs of folders are shared: one that failed,
 * for whomever, may have lost the name that this one was to keep.
 */
static int
outcome(struct delivery *delivery, const struct sf_disk_op *op)
{
    struct sf_node *node = delivery->in->node;

    switch (delivery->step) {
    case STEP_INBOX_SYNC:
    case STEP_TARGET_SYNC:
    case STEP_SOURCE_SYNC:
        node->inbox_era += op->status != SF_OK;
        return op->status == SF_OK && delivery->era != node->inbox_era ? SF_EIO : op->status;
    case STEP_INBOX:
        return op->status == SF_EEXIST ? SF_OK : op->status;
    case STEP_RENAME:
    case STEP_FILE_SET:
    case STEP_UNDO:
        return SF_OK; /* the step itself knows what to make of it */
    default:
        return op->status;
    }
}

static void
done(struct sf_disk_op *op)
{
    struct delivery *delivery = op->owner;
    int status;

    delivery->is_busy = false;
    if (delivery->in->record.phase == SF_IN_REFUSED) {
        give_up(delivery, op);
        return;
    }
    if (delivery->step == STEP_LOOK && op->status == SF_ENOENT) {
        take_back(delivery, STEP_TAKE_BACK); /* the rename was done before the restart */
        return;
    }
    if (delivery->step == STEP_TAKE_BACK && op->status == SF_ENOENT) {
        /* Whoever it was for has taken it already: there is no name to be kept. */
        delivery->era = delivery->in->node->inbox_era;
        sync_target(delivery);
        return;
    }
    status = outcome(delivery, op);
    if (status != SF_OK) {
        failed(delivery, status);
        return;
    }
    step_done(delivery, op);
}

static struct delivery *
create(struct inbound *in)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    const struct peer *peer = peer_of(in->node, &in->sender);

    if (delivery == NULL || peer == NULL) {
        free(delivery);
        in->deliver_at = sf_mono_add(in->node->now, TRY_AGAIN);
        return NULL;
    }
    delivery->in = in;
    memcpy(delivery->peer, peer->conf.name, sizeof(delivery->peer));
    in->deliver_at = SF_NEVER;
    in->delivery = delivery;
    return delivery;
}

void
deliver_begin(struct inbound *in)
{
    struct delivery *delivery = create(in);

    if (delivery == NULL) {
        return;
    }
    snprintf(delivery->label, sizeof(delivery->label), "%s", decoder_outline(in->decoder)->label);
    if (!open_next_file(delivery)) {
        make_inbox(delivery);
    }
}

void
deliver_resume(struct inbound *in)
{
    struct delivery *delivery = create(in);
    struct sf_view sealed = sf_journal_get(in->node->journal, SF_TABLE_IN_LABEL, key_view(in));

    if (delivery == NULL) {
        return;
    }
    if (history_open(in->node, sealed, delivery->label) != SF_OK) {
        snprintf(in->why, sizeof(in->why), "the name it is to have cannot be read");
        return;
    }
    set_paths(delivery);
    submit(
        delivery, STEP_LOOK, (struct sf_disk_op){.kind = SF_DISK_STAT, .path = delivery->source});
}

void
deliver_tick(struct inbound *in)
{
    if (in->node->now < in->deliver_at || (in->delivery != NULL && in->delivery->is_busy)) {
        return;
    }
    deliver_fini(in);
    if (in->record.phase == SF_IN_DELIVERING) {
        deliver_resume(in);
    } else {
        deliver_begin(in);
    }
}

void
deliver_fini(struct inbound *in)
{
    free(in->delivery);
    in->delivery = NULL;
}

bool
deliver_is_idle(const struct inbound *in)
{
    return in->delivery == NULL || !in->delivery->is_busy;
}
