/*
 * vault.h - secrets that must vanish: content keys, wrapped, in fixed slots.
 *
 * Secrets stand in the file `vault` sealed under a key-encryption key (KEK) in
 * the file `kek`. Erasing one replaces the KEK, seals the others anew and
 * overwrites what was there, so that after at most 60 s neither the old KEK
 * nor anything sealed under it is left in the home (what flash and
 * copy-on-write file systems may keep is said in docs/STORE.md).
 *
 * In memory secrets stand in guarded pages. Puts and erases complete through
 * sf_disk_poll(); opening blocks. The bytes on the disk, and why each step of
 * a rotation may be the last before a power cut, are at the top of vault.c.
 * Not thread-safe.
 */
#ifndef SF_STORE_VAULT_H
#define SF_STORE_VAULT_H

#include "base/bytes.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "store/disk.h"
#include "store/recovery.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_VAULT_KEY_BYTES = 17,         /* the caller's: say, a kind and a transfer */
    SF_VAULT_SECRET_BYTES_MAX = 256, /* at least 1 */
    SF_VAULT_SLOTS_MAX = 16384,
};

/* Erased secrets are gone from the disk this long after the first erase, plus the time of the writes. */
#define SF_VAULT_ERASE_WITHIN (20 * SF_SEC)

struct sf_vault;

struct sf_vault_config {
    struct sf_disk *disk;
    const struct sf_random *random; /* outlives the vault */
    const uint8_t *master; /* base/master.h: the KEK is kept sealed under it; NULL if there is none.
                              Outlives the vault */
    struct sf_recovery *ret_recovery; /* set by open also when it fails; may be NULL */
};

/*
 * Open the vault, made empty if there is none; finishes a rotation that a crash
 * interrupted. Blocks. Returns SF_OK, SF_EFORMAT if there are secrets and no
 * KEK that could open them, SF_EAUTH if the KEK is sealed under another master
 * key, SF_EIO, SF_ENOSPC, SF_ENOMEM.
 *
 * A slot that does not open is taken for a put that a crash tore, and wiped
 * (row says so): record a secret elsewhere only after its put is done, and take
 * SF_ENOENT from sf_vault_get() for such a record as a lost secret.
 */
SF_MUST_USE int sf_vault_open(const struct sf_vault_config *config, struct sf_vault **ret_vault);

/* Wipe the memory, close the files. No op may be outstanding. Does not rotate. Blocks. */
void sf_vault_close(struct sf_vault *vault);

/* Wipe and free the memory alone, when the disk is gone and will call nothing back any more. */
void sf_vault_drop(struct sf_vault *vault);

struct sf_vault_op {
    void (*done)(struct sf_vault_op *op);
    void *owner;

    uint8_t key[SF_VAULT_KEY_BYTES]; /* the caller's */

    int status;

    struct sf_vault_op *next; /* private, as the rest */
    uint32_t slot;
};

/*
 * Keep `secret` (copied at once) under op->key; one that is there is replaced,
 * and the old one vanishes as by an erase. Readable at once, durable when done:
 * SF_OK, SF_EINVAL (length), SF_ELIMIT (slots), SF_ENOSPC (not kept), SF_ENOMEM,
 * SF_EIO (the vault is dead: stop and recover). Puts wait for a running rotation.
 * `now` starts the time in which a replaced secret must vanish.
 */
void sf_vault_put(
    struct sf_vault *vault, struct sf_vault_op *op, struct sf_view secret, sf_mono now);

/*
 * Forget the secret of op->key: no get finds it from now on. Done with SF_OK
 * when neither it nor the KEK it was sealed under is on the disk any more,
 * within SF_VAULT_ERASE_WITHIN if sf_vault_tick() is called; after a crash
 * before that it is there again, to be erased again. SF_ENOENT, SF_EIO.
 */
void sf_vault_erase(struct sf_vault *vault, struct sf_vault_op *op, sf_mono now);

/*
 * Copy the secret of `key` to `out`. Returns SF_OK and its length, SF_ENOENT,
 * or SF_ELIMIT if it is longer than out_bytes_max.
 */
SF_MUST_USE int sf_vault_get(const struct sf_vault *vault, const uint8_t key[SF_VAULT_KEY_BYTES],
    uint8_t *out, size_t out_bytes_max, size_t *ret_bytes);

/* Start the rotation that is due at `now`, if one is. */
void sf_vault_tick(struct sf_vault *vault, sf_mono now);

/* When sf_vault_tick() has something to do; SF_NEVER if nothing was erased. */
sf_mono sf_vault_deadline(const struct sf_vault *vault);

/* Step through the keys, in no order: *cursor starts at 0. Nothing may change between steps. */
bool sf_vault_next(
    const struct sf_vault *vault, uint32_t *cursor, uint8_t ret_key[SF_VAULT_KEY_BYTES]);

bool sf_vault_failed(const struct sf_vault *vault);

struct sf_vault_stats {
    uint64_t secrets;
    uint64_t generation;      /* of the KEK; grows by one per rotation */
    uint64_t slots_discarded; /* that did not open, at open */
};

void sf_vault_stats(const struct sf_vault *vault, struct sf_vault_stats *ret_stats);

#endif
