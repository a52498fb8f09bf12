/*
 * vault_open.c - what is left of a vault, and what that means.
 *
 * The rows of the recovery table, as in docs/STORE.md:
 *
 *   A  no KEK block whole, no slot     first start, or a crash in it: make a KEK
 *   B  one KEK block whole, the other  take it
 *      one and the other half empty
 *   C  one whole, rests of another     a crash in a rotation: take it, wipe the rests
 *      KEK or in the other half
 *   D  two whole                       a crash between lines 2 and 3 of a rotation:
 *                                      take the newer, wipe what is the older's
 *   E  as B to D, and slots that the   a torn put, or a medium that forgets: wipe them
 *      KEK does not open
 *   F  no KEK block whole, but slots   the secrets are lost: refuse, change nothing
 *   G  more slots than the limit       a later version, or not a vault: refuse
 *
 * Before anything is overwritten, both files are synced: after a process was
 * killed the newer KEK may be known to the cache alone, and the older one is
 * the only one that a power cut would leave.
 */
#include "base/assert.h"
#include "store/vault_impl.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 256 * SF_VAULT_BLOCK_BYTES };

struct opening {
    struct sf_vault *vault;
    struct sf_recovery *recovery;
    uint8_t *chunk;
    uint64_t file_bytes;
    bool kek_good[2];
    bool kek_dirty[2];
    bool is_kek_bare; /* the newest is not sealed */
    bool is_rest;
    bool is_slot;
};

static int
run(struct sf_vault *vault, struct sf_disk_op op)
{
    return sf_disk_run(vault->disk, &op);
}

static int
refuse(struct opening *opening, char row, const char *text)
{
    opening->recovery->row = row;
    opening->recovery->text = text;
    return SF_EFORMAT;
}

static int
open_file(struct sf_vault *vault, const char *path, int *ret_file, uint64_t *ret_bytes)
{
    struct sf_disk_op op = {
        .kind = SF_DISK_OPEN,
        .path = path,
        .flags = SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_DIRECT,
    };
    int status = sf_disk_run(vault->disk, &op);

    if (status == SF_OK) {
        *ret_file = op.ret_file;
        *ret_bytes = op.ret_stat.bytes;
    }
    return status;
}

/* Read the two KEK blocks; the newest good one becomes the vault's. */
static int
read_kek(struct opening *opening)
{
    struct sf_vault *vault = opening->vault;

    for (unsigned int half = 0; half < 2; half++) {
        struct sf_disk_op op = {
            .kind = SF_DISK_READ,
            .file = vault->kek_file,
            .offset = half * SF_VAULT_BLOCK_BYTES,
            .data = vault->kek_block,
            .bytes = SF_VAULT_BLOCK_BYTES,
        };
        uint64_t generation;
        int status;

        memset(vault->kek_block, 0, SF_VAULT_BLOCK_BYTES);
        status = sf_disk_run(vault->disk, &op);
        if (status != SF_OK) {
            return status;
        }
        opening->kek_dirty[half] = !sf_vault_block_is_empty(vault->kek_block);
        status = sf_vault_kek_decode(vault, half, &generation, vault->keys->kek_next);
        if (status == SF_EAUTH) {
            opening->recovery->text = "the key-encryption key is sealed under another master key";
            return SF_EAUTH;
        }
        opening->kek_good[half] = status == SF_OK;
        if (opening->kek_good[half] && generation > vault->generation) {
            vault->generation = generation;
            memcpy(vault->keys->kek, vault->keys->kek_next, SF_VAULT_KEK_BYTES);
            opening->is_kek_bare = sf_get_be32(vault->kek_block + 16) == SF_VAULT_VERSION;
        }
    }
    sf_wipe(vault->kek_block, SF_VAULT_BLOCK_BYTES);
    sf_wipe(vault->keys->kek_next, SF_VAULT_KEK_BYTES);
    return SF_OK;
}

/* Take block number `number` of the vault. */
static int
take_block(struct opening *opening, uint64_t number, const uint8_t *block)
{
    struct sf_vault *vault = opening->vault;
    unsigned int half = number % 2;
    uint32_t at = (uint32_t)(number / 2);
    struct sf_vault_slot *slot;

    if (sf_vault_block_is_empty(block)) {
        return SF_OK;
    }
    while (at >= vault->slot_count) {
        int status = sf_vault_grow(vault);

        if (status != SF_OK) {
            return status;
        }
    }
    slot = &vault->slots[at];
    slot->dirty = (uint8_t)(slot->dirty | 1U << half);
    opening->is_slot = true;
    if (vault->generation == 0 || half != vault->generation % 2) {
        opening->is_rest = true;
    } else if (!sf_vault_slot_decode(vault, at, block)) {
        vault->discarded++;
    } else if (slot->order > vault->order) {
        vault->order = slot->order;
    }
    return SF_OK;
}

static int
read_slots(struct opening *opening)
{
    struct sf_vault *vault = opening->vault;
    uint64_t offset = 0;

    if (opening->file_bytes > sf_vault_offset(SF_VAULT_SLOTS_MAX, 0)) {
        return refuse(opening, 'G', "the vault has more slots than this version allows");
    }
    while (offset < opening->file_bytes) {
        struct sf_disk_op op = {
            .kind = SF_DISK_READ,
            .file = vault->file,
            .offset = offset,
            .data = opening->chunk,
            .bytes = CHUNK_BYTES,
        };
        int status;

        memset(opening->chunk, 0, CHUNK_BYTES); /* a last block may be a part of one */
        status = sf_disk_run(vault->disk, &op);
        if (status == SF_OK && op.ret_bytes == 0) {
            status = SF_EIO;
        }
        for (size_t at = 0; status == SF_OK && at < op.ret_bytes; at += SF_VAULT_BLOCK_BYTES) {
            status = take_block(opening, (offset + at) / SF_VAULT_BLOCK_BYTES, opening->chunk + at);
        }
        if (status != SF_OK) {
            return status;
        }
        offset += CHUNK_BYTES;
    }
    return SF_OK;
}

static int
sync_both(struct sf_vault *vault)
{
    int status = run(vault, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = vault->file});

    if (status != SF_OK) {
        return status;
    }
    return run(vault, (struct sf_disk_op){.kind = SF_DISK_SYNC, .file = vault->kek_file});
}

static int
write_block(struct sf_vault *vault, int file, uint64_t offset, uint8_t *block)
{
    return run(vault, (struct sf_disk_op){
                          .kind = SF_DISK_WRITE,
                          .file = file,
                          .offset = offset,
                          .data = block,
                          .bytes = SF_VAULT_BLOCK_BYTES,
                      });
}

/* Write a block back as it was read. */
static int
write_again(struct sf_vault *vault, int file, uint64_t offset, uint8_t *block)
{
    int status = run(vault, (struct sf_disk_op){
                                .kind = SF_DISK_READ,
                                .file = file,
                                .offset = offset,
                                .data = block,
                                .bytes = SF_VAULT_BLOCK_BYTES,
                            });

    return status == SF_OK ? write_block(vault, file, offset, block) : status;
}

/*
 * What was read may stand in the page cache alone, where the sync that covered
 * it failed in an earlier run: another sync would be fine and save nothing. So
 * the KEK and the slots are written once more before anything is built on
 * them. They are the same bytes: a power cut amid that leaves the block as it was.
 */
static int
make_durable(struct sf_vault *vault)
{
    unsigned int half = vault->generation % 2;
    int status = SF_OK;

    for (uint32_t at = 0; status == SF_OK && at < vault->slot_count; at++) {
        if (vault->slots[at].state == SF_VAULT_LIVE) {
            status = write_again(vault, vault->file, sf_vault_offset(at, half), vault->block);
        }
    }
    if (status == SF_OK && vault->generation > 0) {
        status = write_again(
            vault, vault->kek_file, (uint64_t)half * SF_VAULT_BLOCK_BYTES, vault->kek_block);
        sf_wipe(vault->kek_block, SF_VAULT_BLOCK_BYTES);
    }
    return status == SF_OK ? sync_both(vault) : status;
}

/* Overwrite what does not belong to the current generation. */
static int
wipe_rests(struct opening *opening)
{
    struct sf_vault *vault = opening->vault;
    unsigned int current = vault->generation % 2;
    unsigned int other = 1 - current;
    int status = SF_OK;

    memset(vault->block, 0, SF_VAULT_BLOCK_BYTES);
    if (opening->kek_dirty[other]) {
        status = write_block(
            vault, vault->kek_file, (uint64_t)other * SF_VAULT_BLOCK_BYTES, vault->block);
    }
    for (uint32_t at = 0; status == SF_OK && at < vault->slot_count; at++) {
        struct sf_vault_slot *slot = &vault->slots[at];

        if ((slot->dirty & 1U << other) != 0) {
            status = write_block(vault, vault->file, sf_vault_offset(at, other), vault->block);
        }
        if (status == SF_OK && slot->state == SF_VAULT_FREE && (slot->dirty & 1U << current) != 0) {
            status = write_block(vault, vault->file, sf_vault_offset(at, current), vault->block);
        }
        slot->dirty = slot->state == SF_VAULT_FREE ? 0 : (uint8_t)(1U << current);
    }
    return status == SF_OK ? sync_both(vault) : status;
}

/* Of two slots with one key the earlier one was replaced: the first rotation leaves it out. */
static void
drop_replaced(struct sf_vault *vault)
{
    for (uint32_t a = 0; a < vault->slot_count; a++) {
        for (uint32_t b = 0; vault->slots[a].state == SF_VAULT_LIVE && b < vault->slot_count; b++) {
            if (vault->slots[b].state == SF_VAULT_LIVE &&
                vault->slots[b].order > vault->slots[a].order &&
                memcmp(vault->slots[a].key, vault->slots[b].key, SF_VAULT_KEY_BYTES) == 0) {
                vault->slots[a].state = SF_VAULT_ERASED;
                sf_wipe(sf_vault_secret(vault, a), SF_VAULT_SECRET_BYTES_MAX);
                vault->deadline = 0;
            }
        }
    }
}

/* The first KEK. */
static int
make_kek(struct sf_vault *vault)
{
    unsigned int half;
    int status;

    vault->generation = 1;
    half = vault->generation % 2;
    sf_random_fill(vault->random, vault->keys->kek, SF_VAULT_KEK_BYTES);
    sf_vault_kek_encode(vault, vault->generation, vault->keys->kek);
    status = write_block(
        vault, vault->kek_file, (uint64_t)half * SF_VAULT_BLOCK_BYTES, vault->kek_block);
    sf_wipe(vault->kek_block, SF_VAULT_BLOCK_BYTES);
    return status == SF_OK ? sync_both(vault) : status;
}

/* Which row it is, once everything was read. */
static int
judge(struct opening *opening)
{
    struct sf_recovery *recovery = opening->recovery;
    struct sf_vault *vault = opening->vault;

    if (vault->generation == 0) {
        if (opening->is_slot) {
            return refuse(opening, 'F', "the vault has secrets and no whole key-encryption key");
        }
        *recovery = (struct sf_recovery){.row = 'A', .text = "a new key-encryption key was made"};
    } else if (vault->discarded > 0) {
        *recovery = (struct sf_recovery){
            .row = 'E', .text = "the vault had slots that do not open; they were wiped"};
    } else if (opening->kek_good[0] && opening->kek_good[1]) {
        *recovery = (struct sf_recovery){
            .row = 'D', .text = "an interrupted rotation of the vault was finished"};
    } else if (opening->is_rest || (opening->kek_dirty[0] && opening->kek_dirty[1])) {
        *recovery = (struct sf_recovery){
            .row = 'C', .text = "the rests of an interrupted rotation of the vault were wiped"};
    } else {
        *recovery = (struct sf_recovery){.row = 'B', .text = "the vault is whole"};
    }
    recovery->offset = opening->file_bytes;
    return SF_OK;
}

int
sf_vault_recover(struct sf_vault *vault, struct sf_recovery *recovery)
{
    struct opening opening = {.vault = vault, .recovery = recovery};
    uint64_t kek_bytes = 0;
    int status;

    recovery->text = "the disk failed";
    opening.chunk = aligned_alloc(SF_DISK_ALIGN, CHUNK_BYTES);
    if (opening.chunk == NULL) {
        return SF_ENOMEM;
    }
    status = open_file(vault, "vault", &vault->file, &opening.file_bytes);
    if (status == SF_OK) {
        status = open_file(vault, "kek", &vault->kek_file, &kek_bytes);
    }
    if (status == SF_OK) {
        status = read_kek(&opening);
    }
    if (status == SF_OK) {
        status = read_slots(&opening);
    }
    if (status == SF_OK) {
        status = judge(&opening);
    }
    if (status != SF_OK) {
        goto out;
    }
    if (kek_bytes < 2 * SF_VAULT_BLOCK_BYTES) {
        /* Room for both blocks, so that a rotation never wants any. */
        status = run(vault, (struct sf_disk_op){.kind = SF_DISK_ALLOCATE,
                                .file = vault->kek_file,
                                .bytes = 2 * SF_VAULT_BLOCK_BYTES});
    }
    if (status == SF_OK) {
        status = make_durable(vault);
    }
    if (status == SF_OK) {
        status = run(vault, (struct sf_disk_op){.kind = SF_DISK_SYNC_DIR, .path = SF_DISK_ROOT});
    }
    if (status == SF_OK && vault->generation == 0) {
        status = make_kek(vault);
        opening.kek_dirty[vault->generation % 2] = false;
    }
    if (status == SF_OK) {
        status = wipe_rests(&opening);
    }
    if (status == SF_OK) {
        drop_replaced(vault);
        if (vault->master != NULL && opening.is_kek_bare) {
            vault->deadline = 0; /* a rotation replaces it by a sealed one and wipes it */
        }
        vault->allocated = (uint32_t)(opening.file_bytes / (2 * SF_VAULT_BLOCK_BYTES)) /
                           SF_VAULT_GROUP * SF_VAULT_GROUP;
    }

out:
    free(opening.chunk);
    return status;
}
