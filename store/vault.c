/*
 * vault.c - puts, erases and rotations; the bytes are described in vault_impl.h.
 *
 * One disk operation is under way at a time. Puts that wait share one sync;
 * erases wait for the next rotation, which leaves their secrets out. A failed
 * write or sync leaves open what the disk has, so the vault is dead then;
 * space for both halves is allocated with a put, so a rotation never wants any.
 */
#include "store/vault.h"

#include "base/assert.h"
#include "store/vault_impl.h"

#include <stdlib.h>

static void advance(struct sf_vault *vault);
static void op_done(struct sf_disk_op *op);

/* --- Lists of ops ------------------------------------------------------------ */

static void
list_push(struct sf_vault_list *list, struct sf_vault_op *op)
{
    op->next = NULL;
    if (list->last != NULL) {
        list->last->next = op;
    } else {
        list->first = op;
    }
    list->last = op;
}

static struct sf_vault_op *
list_pop(struct sf_vault_list *list)
{
    struct sf_vault_op *op = list->first;

    if (op != NULL) {
        list->first = op->next;
        if (list->first == NULL) {
            list->last = NULL;
        }
        op->next = NULL;
    }
    return op;
}

static void
list_move(struct sf_vault_list *to, struct sf_vault_list *from)
{
    struct sf_vault_op *op;

    while ((op = list_pop(from)) != NULL) {
        list_push(to, op);
    }
}

static void
list_finish(struct sf_vault_list *list, int status)
{
    struct sf_vault_list taken = *list;
    struct sf_vault_op *op;

    *list = (struct sf_vault_list){0};
    while ((op = list_pop(&taken)) != NULL) {
        op->status = status;
        op->done(op);
    }
}

static void
idle_done(struct sf_disk_op *disk_op)
{
    struct sf_vault *vault = disk_op->owner;
    struct sf_vault_list taken = vault->idle;
    struct sf_vault_op *op;

    vault->idle = (struct sf_vault_list){0};
    vault->idle_running = false;
    while ((op = list_pop(&taken)) != NULL) {
        op->done(op);
    }
}

/* Tell `op` its status from the next poll: an operation that does nothing brings us there. */
static void
answer(struct sf_vault *vault, struct sf_vault_op *op, int status)
{
    op->status = status;
    list_push(&vault->idle, op);
    if (!vault->idle_running) {
        vault->idle_running = true;
        vault->idle_op = (struct sf_disk_op){
            .kind = SF_DISK_STAT, .path = "vault", .done = idle_done, .owner = vault};
        sf_disk_submit(vault->disk, &vault->idle_op);
    }
}

/* --- Slots in memory ------------------------------------------------------------ */

int
sf_vault_grow(struct sf_vault *vault)
{
    uint32_t count = vault->slot_count + SF_VAULT_GROUP;
    struct sf_vault_slot *slots;
    uint8_t **secrets;

    if (count > SF_VAULT_SLOTS_MAX) {
        return SF_ELIMIT;
    }
    slots = realloc(vault->slots, count * sizeof(*slots));
    if (slots == NULL) {
        return SF_ENOMEM;
    }
    vault->slots = slots;
    secrets = realloc(vault->secrets, count / SF_VAULT_GROUP * sizeof(*secrets));
    if (secrets == NULL) {
        return SF_ENOMEM;
    }
    vault->secrets = secrets;
    secrets[vault->slot_count / SF_VAULT_GROUP] =
        sf_secret_alloc((size_t)SF_VAULT_GROUP * SF_VAULT_SECRET_BYTES_MAX);
    if (secrets[vault->slot_count / SF_VAULT_GROUP] == NULL) {
        return SF_ENOMEM;
    }
    memset(slots + vault->slot_count, 0, SF_VAULT_GROUP * sizeof(*slots));
    vault->slot_count = count;
    return SF_OK;
}

/* A slot for a new secret. */
static int
find_free(struct sf_vault *vault, uint32_t *ret_at)
{
    uint32_t at = 0;

    while (at < vault->slot_count && vault->slots[at].state != SF_VAULT_FREE) {
        at++;
    }
    if (at == vault->slot_count) {
        int status = sf_vault_grow(vault);

        if (status != SF_OK) {
            return status;
        }
    }
    *ret_at = at;
    return SF_OK;
}

static bool
is_there(const struct sf_vault_slot *slot)
{
    return slot->state == SF_VAULT_LIVE || (slot->state == SF_VAULT_WRITING && !slot->doomed);
}

/* Forget the secret in memory; the next rotation leaves the slot out. */
static void
erase_slot(struct sf_vault *vault, uint32_t at)
{
    struct sf_vault_slot *slot = &vault->slots[at];

    sf_wipe(sf_vault_secret(vault, at), SF_VAULT_SECRET_BYTES_MAX);
    if (slot->state == SF_VAULT_WRITING) {
        slot->doomed = true;
    } else {
        slot->state = SF_VAULT_ERASED;
    }
}

static void
schedule(struct sf_vault *vault, sf_mono now)
{
    vault->deadline = sf_mono_min(vault->deadline, sf_mono_add(now, SF_VAULT_ERASE_WITHIN));
}

/* --- The machine ------------------------------------------------------------------- */

static void
submit(struct sf_vault *vault, enum sf_vault_step step, struct sf_disk_op op)
{
    vault->step = step;
    vault->op = op;
    vault->op.done = op_done;
    vault->op.owner = vault;
    sf_disk_submit(vault->disk, &vault->op);
}

static void
submit_write(
    struct sf_vault *vault, enum sf_vault_step step, int file, uint64_t offset, uint8_t *block)
{
    submit(vault, step,
        (struct sf_disk_op){
            .kind = SF_DISK_WRITE,
            .file = file,
            .offset = offset,
            .data = block,
            .bytes = SF_VAULT_BLOCK_BYTES,
        });
}

static void
submit_sync(struct sf_vault *vault, enum sf_vault_step step, int file)
{
    submit(vault, step, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = file});
}

/* A put did not come to be; its slot may hold a part of it, which the next one there overwrites. */
static void
put_failed(struct sf_vault *vault, struct sf_vault_op *op, int status)
{
    erase_slot(vault, op->slot);
    vault->slots[op->slot].state = SF_VAULT_FREE;
    vault->slots[op->slot].doomed = false;
    op->status = status;
    op->done(op);
}

static void
die(struct sf_vault *vault)
{
    vault->failed = true;
    vault->step = SF_VAULT_IDLE;
    vault->deadline = SF_NEVER;
    sf_wipe(vault->kek_block, SF_VAULT_BLOCK_BYTES);
    list_finish(&vault->written, SF_EIO);
    list_finish(&vault->writing, SF_EIO);
    list_finish(&vault->queued, SF_EIO);
    list_finish(&vault->erasing, SF_EIO);
    list_finish(&vault->erased, SF_EIO);
}

/* Write the next put of the group, or sync them all. */
static void
write_put(struct sf_vault *vault)
{
    struct sf_vault_op *op = vault->writing.first;
    unsigned int half = vault->generation % 2;

    if (op == NULL) {
        if (vault->written.first == NULL) {
            vault->step = SF_VAULT_IDLE;
            advance(vault);
        } else {
            submit_sync(vault, SF_VAULT_PUT_SYNC, vault->file);
        }
        return;
    }
    if (op->slot >= vault->allocated) {
        submit(vault, SF_VAULT_PUT_ALLOCATE,
            (struct sf_disk_op){
                .kind = SF_DISK_ALLOCATE,
                .file = vault->file,
                .offset = sf_vault_offset(vault->allocated, 0),
                .bytes = (size_t)(sf_vault_offset(vault->allocated + SF_VAULT_GROUP, 0) -
                                  sf_vault_offset(vault->allocated, 0)),
            });
        return;
    }
    vault->slots[op->slot].dirty = (uint8_t)(vault->slots[op->slot].dirty | 1U << half);
    sf_vault_slot_encode(vault, op->slot, vault->generation, vault->keys->kek, vault->block);
    submit_write(
        vault, SF_VAULT_PUT_WRITE, vault->file, sf_vault_offset(op->slot, half), vault->block);
}

/* The puts of the group are durable: what they replace is to vanish. */
static void
puts_synced(struct sf_vault *vault)
{
    struct sf_vault_list done = vault->written;
    bool is_erased = false;

    vault->written = (struct sf_vault_list){0};
    for (struct sf_vault_op *op = done.first; op != NULL; op = op->next) {
        struct sf_vault_slot *slot = &vault->slots[op->slot];

        slot->state = slot->doomed ? SF_VAULT_ERASED : SF_VAULT_LIVE;
        is_erased |= slot->doomed;
        slot->doomed = false;
        for (uint32_t at = 0; at < vault->slot_count; at++) {
            if (vault->slots[at].state == SF_VAULT_LIVE && vault->slots[at].order < slot->order &&
                memcmp(vault->slots[at].key, slot->key, SF_VAULT_KEY_BYTES) == 0) {
                erase_slot(vault, at);
                is_erased = true;
            }
        }
    }
    if (is_erased && vault->deadline == SF_NEVER) {
        vault->deadline = 0; /* a rotation has gone by since it was asked for */
    }
    vault->step = SF_VAULT_IDLE;
    advance(vault);
    list_finish(&done, SF_OK);
}

/* Line 1 of a rotation: the next live secret into the other half. */
static void
rotate_slots(struct sf_vault *vault)
{
    unsigned int half = (vault->generation + 1) % 2;

    while (vault->at < vault->slot_count && vault->slots[vault->at].state != SF_VAULT_LIVE) {
        vault->at++;
    }
    if (vault->at == vault->slot_count) {
        submit_sync(vault, SF_VAULT_ROTATE_SYNC, vault->file);
        return;
    }
    vault->slots[vault->at].dirty = (uint8_t)(vault->slots[vault->at].dirty | 1U << half);
    sf_vault_slot_encode(
        vault, vault->at, vault->generation + 1, vault->keys->kek_next, vault->block);
    submit_write(
        vault, SF_VAULT_ROTATE_SLOTS, vault->file, sf_vault_offset(vault->at, half), vault->block);
    vault->at++;
}

/* Whether the secret that `op` erases is still to be written by a put that waits. */
static bool
is_to_come(const struct sf_vault *vault, const struct sf_vault_op *op)
{
    for (uint32_t at = 0; at < vault->slot_count; at++) {
        if (vault->slots[at].state == SF_VAULT_WRITING && vault->slots[at].doomed &&
            memcmp(vault->slots[at].key, op->key, SF_VAULT_KEY_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static void
rotate_begin(struct sf_vault *vault)
{
    struct sf_vault_list erased = vault->erased;
    struct sf_vault_op *op;

    vault->rotate_wanted = false;
    vault->deadline = SF_NEVER;
    vault->erased = (struct sf_vault_list){0};
    while ((op = list_pop(&erased)) != NULL) {
        list_push(is_to_come(vault, op) ? &vault->erased : &vault->erasing, op);
    }
    for (uint32_t at = 0; at < vault->slot_count; at++) {
        if (vault->slots[at].state == SF_VAULT_ERASED) {
            vault->slots[at].state = SF_VAULT_ERASING;
        }
    }
    sf_random_fill(vault->random, vault->keys->kek_next, SF_VAULT_KEK_BYTES);
    vault->at = 0;
    rotate_slots(vault);
}

/* Line 3: zeros over the next slot of the old half. The new generation is the current one here. */
static void
rotate_wipe_slots(struct sf_vault *vault)
{
    unsigned int half = (vault->generation + 1) % 2;

    while (vault->at < vault->slot_count && (vault->slots[vault->at].dirty & 1U << half) == 0) {
        vault->at++;
    }
    if (vault->at == vault->slot_count) {
        submit_sync(vault, SF_VAULT_ROTATE_WIPE_SYNC, vault->file);
        return;
    }
    vault->slots[vault->at].dirty = (uint8_t)(vault->slots[vault->at].dirty & ~(1U << half));
    memset(vault->block, 0, SF_VAULT_BLOCK_BYTES);
    submit_write(vault, SF_VAULT_ROTATE_WIPE_SLOTS, vault->file, sf_vault_offset(vault->at, half),
        vault->block);
    vault->at++;
}

static void
rotate_end(struct sf_vault *vault)
{
    struct sf_vault_list done = vault->erasing;

    vault->erasing = (struct sf_vault_list){0};
    for (uint32_t at = 0; at < vault->slot_count; at++) {
        if (vault->slots[at].state == SF_VAULT_ERASING) {
            vault->slots[at].state = SF_VAULT_FREE;
        }
    }
    vault->step = SF_VAULT_IDLE;
    advance(vault);
    list_finish(&done, SF_OK);
}

/* The step that follows a KEK operation that went well. */
static void
rotate_kek(struct sf_vault *vault)
{
    struct sf_vault_keys *keys = vault->keys;
    uint64_t next_offset = (vault->generation + 1) % 2 * SF_VAULT_BLOCK_BYTES;

    switch (vault->step) {
    case SF_VAULT_ROTATE_SYNC:
        sf_vault_kek_encode(vault, vault->generation + 1, keys->kek_next);
        submit_write(vault, SF_VAULT_ROTATE_KEK, vault->kek_file, next_offset, vault->kek_block);
        break;
    case SF_VAULT_ROTATE_KEK:
        sf_wipe(vault->kek_block, SF_VAULT_BLOCK_BYTES);
        submit_sync(vault, SF_VAULT_ROTATE_KEK_SYNC, vault->kek_file);
        break;
    case SF_VAULT_ROTATE_KEK_SYNC:
        vault->generation++;
        memcpy(keys->kek, keys->kek_next, SF_VAULT_KEK_BYTES);
        sf_wipe(keys->kek_next, SF_VAULT_KEK_BYTES);
        next_offset = (vault->generation + 1) % 2 * SF_VAULT_BLOCK_BYTES;
        submit_write(
            vault, SF_VAULT_ROTATE_WIPE_KEK, vault->kek_file, next_offset, vault->kek_block);
        break;
    case SF_VAULT_ROTATE_WIPE_KEK:
        submit_sync(vault, SF_VAULT_ROTATE_WIPE_KEK_SYNC, vault->kek_file);
        break;
    default:
        vault->at = 0;
        rotate_wipe_slots(vault);
    }
}

/* Begin what is to be done, if nothing is under way. */
static void
advance(struct sf_vault *vault)
{
    if (vault->step != SF_VAULT_IDLE || vault->failed) {
        return;
    }
    if (vault->rotate_wanted) {
        rotate_begin(vault);
    } else if (vault->queued.first != NULL) {
        list_move(&vault->writing, &vault->queued);
        write_put(vault);
    }
}

static void
op_done(struct sf_disk_op *op)
{
    struct sf_vault *vault = op->owner;
    bool is_put = vault->step == SF_VAULT_PUT_ALLOCATE || vault->step == SF_VAULT_PUT_WRITE;

    if (op->status == SF_ENOSPC && is_put) {
        put_failed(vault, list_pop(&vault->writing), SF_ENOSPC);
        write_put(vault);
        return;
    }
    if (op->status != SF_OK) {
        die(vault);
        return;
    }
    switch (vault->step) {
    case SF_VAULT_PUT_ALLOCATE:
        vault->allocated += SF_VAULT_GROUP;
        write_put(vault);
        break;
    case SF_VAULT_PUT_WRITE:
        list_push(&vault->written, list_pop(&vault->writing));
        write_put(vault);
        break;
    case SF_VAULT_PUT_SYNC:
        puts_synced(vault);
        break;
    case SF_VAULT_ROTATE_SLOTS:
        rotate_slots(vault);
        break;
    case SF_VAULT_ROTATE_WIPE_SLOTS:
        rotate_wipe_slots(vault);
        break;
    case SF_VAULT_ROTATE_WIPE_SYNC:
        rotate_end(vault);
        break;
    default:
        rotate_kek(vault);
    }
}

/* --- The public face ------------------------------------------------------------------ */

void
sf_vault_put(struct sf_vault *vault, struct sf_vault_op *op, struct sf_view secret, sf_mono now)
{
    struct sf_vault_slot *slot;
    int status = SF_OK;

    if (vault->failed) {
        status = SF_EIO;
    } else if (secret.bytes == 0 || secret.bytes > SF_VAULT_SECRET_BYTES_MAX) {
        status = SF_EINVAL;
    } else {
        status = find_free(vault, &op->slot);
    }
    if (status != SF_OK) {
        answer(vault, op, status);
        return;
    }
    for (uint32_t at = 0; at < vault->slot_count; at++) {
        if (is_there(&vault->slots[at]) &&
            memcmp(vault->slots[at].key, op->key, SF_VAULT_KEY_BYTES) == 0) {
            schedule(vault, now);
        }
    }
    slot = &vault->slots[op->slot];
    slot->state = SF_VAULT_WRITING;
    slot->doomed = false;
    slot->order = ++vault->order;
    slot->bytes = (uint16_t)secret.bytes;
    memcpy(slot->key, op->key, SF_VAULT_KEY_BYTES);
    memcpy(sf_vault_secret(vault, op->slot), secret.data, secret.bytes);
    list_push(&vault->queued, op);
    advance(vault);
}

void
sf_vault_erase(struct sf_vault *vault, struct sf_vault_op *op, sf_mono now)
{
    bool found = false;

    if (vault->failed) {
        answer(vault, op, SF_EIO);
        return;
    }
    for (uint32_t at = 0; at < vault->slot_count; at++) {
        if (is_there(&vault->slots[at]) &&
            memcmp(vault->slots[at].key, op->key, SF_VAULT_KEY_BYTES) == 0) {
            erase_slot(vault, at);
            found = true;
        }
    }
    if (!found) {
        answer(vault, op, SF_ENOENT);
        return;
    }
    list_push(&vault->erased, op);
    schedule(vault, now);
}

int
sf_vault_get(const struct sf_vault *vault, const uint8_t key[SF_VAULT_KEY_BYTES], uint8_t *out,
    size_t out_bytes_max, size_t *ret_bytes)
{
    const struct sf_vault_slot *newest = NULL;

    for (uint32_t at = 0; at < vault->slot_count; at++) {
        const struct sf_vault_slot *slot = &vault->slots[at];

        if (is_there(slot) && memcmp(slot->key, key, SF_VAULT_KEY_BYTES) == 0 &&
            (newest == NULL || slot->order > newest->order)) {
            newest = slot;
        }
    }
    if (newest == NULL) {
        return SF_ENOENT;
    }
    if (newest->bytes > out_bytes_max) {
        return SF_ELIMIT;
    }
    memcpy(out, sf_vault_secret(vault, (uint32_t)(newest - vault->slots)), newest->bytes);
    *ret_bytes = newest->bytes;
    return SF_OK;
}

void
sf_vault_tick(struct sf_vault *vault, sf_mono now)
{
    if (vault->deadline != SF_NEVER && now >= vault->deadline) {
        vault->rotate_wanted = true;
        vault->deadline = SF_NEVER;
        advance(vault);
    }
}

sf_mono
sf_vault_deadline(const struct sf_vault *vault)
{
    return vault->deadline;
}

bool
sf_vault_next(const struct sf_vault *vault, uint32_t *cursor, uint8_t ret_key[SF_VAULT_KEY_BYTES])
{
    while (*cursor < vault->slot_count) {
        const struct sf_vault_slot *slot = &vault->slots[(*cursor)++];

        if (is_there(slot)) {
            memcpy(ret_key, slot->key, SF_VAULT_KEY_BYTES);
            return true;
        }
    }
    return false;
}

bool
sf_vault_failed(const struct sf_vault *vault)
{
    return vault->failed;
}

void
sf_vault_stats(const struct sf_vault *vault, struct sf_vault_stats *ret_stats)
{
    *ret_stats = (struct sf_vault_stats){
        .generation = vault->generation, .slots_discarded = vault->discarded};
    for (uint32_t at = 0; at < vault->slot_count; at++) {
        ret_stats->secrets += is_there(&vault->slots[at]);
    }
}

int
sf_vault_open(const struct sf_vault_config *config, struct sf_vault **ret_vault)
{
    struct sf_recovery recovery = {.text = "out of memory"};
    struct sf_vault *vault = calloc(1, sizeof(*vault));
    int status = SF_ENOMEM;

    if (vault == NULL) {
        goto out;
    }
    vault->disk = config->disk;
    vault->random = config->random;
    vault->master = config->master;
    vault->file = SF_DISK_NO_FILE;
    vault->kek_file = SF_DISK_NO_FILE;
    vault->deadline = SF_NEVER;
    vault->keys = sf_secret_alloc(sizeof(*vault->keys));
    vault->kek_block = sf_secret_alloc(SF_VAULT_BLOCK_BYTES);
    vault->block = aligned_alloc(SF_DISK_ALIGN, SF_VAULT_BLOCK_BYTES);
    if (vault->keys == NULL || vault->kek_block == NULL || vault->block == NULL) {
        goto out;
    }
    sf_assert((uintptr_t)vault->kek_block % SF_DISK_ALIGN == 0);
    status = sf_vault_recover(vault, &recovery);

out:
    if (config->ret_recovery != NULL) {
        *config->ret_recovery = recovery;
    }
    if (status != SF_OK) {
        if (vault != NULL) {
            sf_vault_close(vault);
        }
        return status;
    }
    *ret_vault = vault;
    return SF_OK;
}

static void
close_file(struct sf_vault *vault, int file)
{
    struct sf_disk_op op = {.kind = SF_DISK_CLOSE, .file = file};

    if (file != SF_DISK_NO_FILE && sf_disk_run(vault->disk, &op) != SF_OK) {
        vault->failed = true; /* nothing is lost by it: what counts was synced */
    }
}

void
sf_vault_close(struct sf_vault *vault)
{
    while (vault->step != SF_VAULT_IDLE || vault->idle_running) {
        if (!sf_disk_poll(vault->disk)) {
            vault->disk->wait(vault->disk);
        }
    }
    close_file(vault, vault->file);
    close_file(vault, vault->kek_file);
    sf_vault_drop(vault);
}

void
sf_vault_drop(struct sf_vault *vault)
{
    for (uint32_t group = 0; group < vault->slot_count / SF_VAULT_GROUP; group++) {
        sf_secret_free(vault->secrets[group]);
    }
    free(vault->secrets);
    free(vault->slots);
    sf_secret_free(vault->keys);
    sf_secret_free(vault->kek_block);
    free(vault->block);
    free(vault);
}
