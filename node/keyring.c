/*
 * keyring.c - the key file `keys`, and the ageing of its prekeys.
 *
 * Prekeys age by the time this node has run. A change is written to the disk
 * before the card that names it goes out, so that a node never advertises a
 * key it could lose in a crash.
 */
#include "node/internal.h"

#include <stdlib.h>

#define AGE_EVERY (UINT64_C(3600) * SF_SEC)

enum step {
    STEP_IDLE,
    STEP_OPEN,
    STEP_CUT,
    STEP_WRITE,
    STEP_SYNC,
    STEP_GIVE_UP, /* closing after a failure */
    STEP_CLOSE,
    STEP_RENAME,
    STEP_DIR,
};

struct keyring {
    struct sf_node *node;
    enum step step;
    int file;
    struct sf_disk_op op;
    uint8_t *bytes; /* the encoded key file, in guarded memory */
    size_t count;
    bool is_card_new;
    bool is_rotation_due; /* asked for while the file was being written */
    bool is_raise_due;    /* above all numbers that a forgotten life can have given out */
    bool has_raised;      /* numbers after a roll-back, in this run */
};

static int
read_keys(struct sf_node *node, uint8_t *bytes, size_t *ret_count)
{
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .path = "keys"};
    int status = sf_disk_run(node->disk, &op);
    int file = op.ret_file;

    if (status != SF_OK) {
        return status;
    }
    op = (struct sf_disk_op){
        .kind = SF_DISK_READ, .file = file, .data = bytes, .bytes = SF_IDENTITY_SEALED_BYTES_MAX};
    status = sf_disk_run(node->disk, &op);
    *ret_count = op.ret_bytes;
    op = (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = file};
    if (sf_disk_run(node->disk, &op) != SF_OK && status == SF_OK) {
        status = SF_EIO;
    }
    return status;
}

int
keyring_load(struct sf_node *node, struct sf_node_error *error)
{
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    int status;

    if (keyring == NULL) {
        return node_error(error, SF_ENOMEM, "out of memory");
    }
    node->keyring = keyring;
    keyring->node = node;
    keyring->bytes = sf_secret_alloc(SF_IDENTITY_SEALED_BYTES_MAX);
    if (keyring->bytes == NULL) {
        return node_error(error, SF_ENOMEM, "no memory that can be locked for keys");
    }
    status = read_keys(node, keyring->bytes, &keyring->count);
    if (status == SF_ENOENT) {
        return node_error(error, status, "this home has no keys; make them with `skyferry init`");
    }
    if (status != SF_OK) {
        return node_error(error, status, "the file keys: %s", sf_status_text(status));
    }
    status = sf_identity_decode_sealed(
        sf_view(keyring->bytes, keyring->count), node->config.master, &node->identity);
    sf_wipe(keyring->bytes, SF_IDENTITY_SEALED_BYTES_MAX);
    if (status == SF_ESTATE) {
        return node_error(error, SF_EAUTH,
            "the file keys is sealed under a master key and the file master is not there; restore "
            "it from a backup");
    }
    if (status != SF_OK) {
        return node_error(error, SF_EFORMAT,
            "the file keys is damaged (%s); restore it from a backup", sf_status_text(status));
    }
    sf_card_of(node->identity, &node->card);
    node->rotated_at = node->now;
    return SF_OK;
}

/* The new key file is durable: its card may be shown. */
static void
publish(struct sf_node *node)
{
    uint8_t encoded[SF_CARD_BYTES_MAX];
    size_t bytes;

    sf_card_of(node->identity, &node->card);
    if (sf_card_encode(node->identity, encoded, sizeof(encoded), &bytes) != SF_OK ||
        sf_link_set_card(node->link, sf_view(encoded, bytes), node->card.link_prekey.number) !=
            SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "the own card cannot be written");
        return;
    }
    node_say(node, SF_NODE_EVENT_NOTICE, NULL, "new prekeys; card issue %llu",
        (unsigned long long)node->card.issue);
}

static void step(struct sf_disk_op *op);
static void write_keys(struct keyring *keyring);
static void raise(struct keyring *keyring);

static void
submit(struct keyring *keyring, enum step step_now, struct sf_disk_op op)
{
    keyring->step = step_now;
    keyring->op = op;
    keyring->op.done = step;
    keyring->op.owner = keyring;
    sf_disk_submit(keyring->node->disk, &keyring->op);
}

static void
finish(struct keyring *keyring, int status)
{
    keyring->step = STEP_IDLE;
    sf_wipe(keyring->bytes, SF_IDENTITY_SEALED_BYTES_MAX);
    if (status != SF_OK) {
        /* The old file still stands; the keys in memory are written with the next try. */
        node_say(keyring->node, SF_NODE_EVENT_WARNING, NULL, "the file keys cannot be written: %s",
            sf_status_text(status));
    } else if (keyring->is_card_new) {
        keyring->is_card_new = false;
        publish(keyring->node);
    }
    if (keyring->is_raise_due) {
        raise(keyring);
    } else if (keyring->is_rotation_due) {
        keyring->is_rotation_due = false;
        if (sf_identity_renew(keyring->node->identity, &keyring->node->config.random) == SF_OK) {
            keyring->is_card_new = true;
            write_keys(keyring);
        }
    }
}

/* Write beside, sync, rename over, sync the directory. */
static void
step(struct sf_disk_op *op)
{
    struct keyring *keyring = op->owner;
    int status = op->status;

    if (status != SF_OK && keyring->step > STEP_OPEN && keyring->step < STEP_GIVE_UP) {
        submit(keyring, STEP_GIVE_UP,
            (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = keyring->file});
        return;
    }
    if (status != SF_OK) {
        finish(keyring, status);
        return;
    }
    switch (keyring->step) {
    case STEP_OPEN:
        keyring->file = op->ret_file;
        submit(keyring, STEP_CUT,
            (struct sf_disk_op){.kind = SF_DISK_TRUNCATE, .file = keyring->file});
        break;
    case STEP_CUT:
        submit(keyring, STEP_WRITE,
            (struct sf_disk_op){.kind = SF_DISK_WRITE,
                .file = keyring->file,
                .data = keyring->bytes,
                .bytes = keyring->count});
        break;
    case STEP_WRITE:
        submit(
            keyring, STEP_SYNC, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = keyring->file});
        break;
    case STEP_SYNC:
        submit(
            keyring, STEP_CLOSE, (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = keyring->file});
        break;
    case STEP_CLOSE:
        submit(keyring, STEP_RENAME,
            (struct sf_disk_op){.kind = SF_DISK_RENAME, .path = "keys.new", .path_to = "keys"});
        break;
    case STEP_RENAME:
        submit(
            keyring, STEP_DIR, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT});
        break;
    case STEP_DIR:
        finish(keyring, SF_OK);
        break;
    case STEP_GIVE_UP:
        finish(keyring, SF_EIO);
        break;
    case STEP_IDLE:
        break;
    }
}

/* Nothing may be being written. */
static void
write_keys(struct keyring *keyring)
{
    struct sf_node *node = keyring->node;

    if (sf_identity_encode_sealed(node->identity, node->config.master, &node->config.random,
            keyring->bytes, &keyring->count) == SF_OK) {
        submit(keyring, STEP_OPEN,
            (struct sf_disk_op){
                .kind = SF_DISK_OPEN, .path = "keys.new", .flags = SF_DISK_RDWR | SF_DISK_CREATE});
    }
}

/*
 * The card as it becomes is above every card of a forgotten life: issues follow
 * the numbers of starts from now on. New keys are made once in a run, or copies
 * that take turns would push out those to which something is under way.
 */
static void
raise(struct keyring *keyring)
{
    struct sf_node *node = keyring->node;
    uint64_t issue = (uint64_t)node->boot << 32;

    keyring->is_raise_due = false;
    if (keyring->has_raised) {
        sf_identity_reissue(node->identity, issue);
    } else if (sf_identity_raise(node->identity, &node->config.random, issue) != SF_OK) {
        return;
    }
    keyring->has_raised = true;
    keyring->is_card_new = true;
    write_keys(keyring);
}

int
sf_node_rotate(struct sf_node *node, uint64_t *ret_issue, struct sf_node_error *error)
{
    struct keyring *keyring = node->keyring;

    if (!keyring_is_idle(node)) {
        /* The keys in memory must stay those that are being written until they are. */
        keyring->is_rotation_due = true;
        *ret_issue = node->identity->card_issue + 1;
        return SF_OK;
    }
    if (sf_identity_renew(node->identity, &node->config.random) != SF_OK) {
        return node_error(error, SF_ELIMIT,
            "%d prekeys are kept already, as what was sealed to them may still come; the oldest "
            "goes when it is %d days old",
            SF_PREKEYS_RENEWED_MAX, SF_PREKEY_KEPT_DAYS);
    }
    keyring->is_card_new = true;
    *ret_issue = node->identity->card_issue;
    write_keys(keyring);
    return SF_OK;
}

void
keyring_rolled_back(struct sf_node *node)
{
    struct keyring *keyring = node->keyring;

    keyring->is_raise_due = true;
    if (keyring_is_idle(node)) {
        raise(keyring);
    }
}

void
keyring_tick(struct sf_node *node)
{
    struct keyring *keyring = node->keyring;
    uint64_t issue = node->identity->card_issue;
    uint64_t elapsed_ns = node->now - node->rotated_at;

    if (elapsed_ns < AGE_EVERY || !keyring_is_idle(node)) {
        return;
    }
    node->rotated_at = node->now;
    if (sf_identity_rotate(node->identity, &node->config.random, elapsed_ns / SF_MS)) {
        keyring->is_card_new |= issue != node->identity->card_issue;
    }
    /* Ages are written as well, or a node that restarts daily would never retire a key. */
    write_keys(keyring);
}

sf_mono
keyring_deadline(const struct sf_node *node)
{
    return sf_mono_add(node->rotated_at, AGE_EVERY);
}

bool
keyring_is_idle(const struct sf_node *node)
{
    return node->keyring == NULL || node->keyring->step == STEP_IDLE;
}

void
keyring_free(struct sf_node *node)
{
    if (node->keyring != NULL) {
        sf_secret_free(node->keyring->bytes);
        free(node->keyring);
        node->keyring = NULL;
    }
}

bool
keyring_link_prekey(void *context, uint32_t number, uint8_t ret_sk[32], uint8_t ret_pk[32])
{
    const struct sf_node *node = context;
    const struct sf_prekey *prekey = sf_prekey_find(&node->identity->link_prekeys, number);

    if (prekey == NULL) {
        return false;
    }
    memcpy(ret_sk, prekey->sk, 32);
    memcpy(ret_pk, prekey->pk, 32);
    return true;
}
