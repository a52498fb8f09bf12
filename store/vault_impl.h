/*
 * vault_impl.h - the bytes of the vault, and what its files share: vault.c
 * (puts and rotations), vault_slot.c (the formats), vault_open.c (recovery).
 *
 * Integers are big endian. Both files are made of blocks of 4096 bytes, read
 * and written past the page cache. A block of zeros is empty.
 *
 * `kek` has two blocks; the KEK of generation g is in block g mod 2:
 *      0  "skyferry-kek", zeros (4)
 *     16  version (4) = 1, zeros (4)
 *     24  generation (8), from 1
 *     32  KEK (32)
 *     64  zeros
 *   4092  CRC-32C of bytes 0 .. 4091
 *
 * `vault` has two halves, interleaved: block 2 * i + h is slot i of half h. The
 * slots of generation g are those of half g mod 2:
 *      0  "SFVS"
 *      4  slot number i (4)
 *      8  generation (8)
 *     16  nonce (12), random
 *     28  zeros (4)
 *     32  ChaCha20-Poly1305 under the KEK of its generation, additional data
 *         "skyferry-vault-1" and bytes 0 .. 15, of: order of the put (8),
 *         secret bytes (2), key (17), secret, zeros to 256: 283 bytes, tag (16)
 *    331  zeros
 *
 * A slot is valid if and only if it opens under the newest KEK. Of two valid
 * slots with the same key the one of the later put holds.
 *
 * Rotation from g to g + 1, each line synced before the next one begins:
 *   1  live secrets, sealed under a new KEK, into half g + 1 (which was empty)
 *   2  the new KEK into the other block of `kek`: from here on it is g + 1
 *   3  zeros over the old KEK, and over all slots of half g
 * A cut in 1 leaves a half that nothing opens, in 2 a KEK block whose checksum
 * is wrong, or a whole one; in 3 two KEKs, or a rest of the old one. Opening
 * takes the newest whole KEK, makes sure of it, and overwrites everything that
 * does not belong to it.
 */
#ifndef SF_STORE_VAULT_IMPL_H
#define SF_STORE_VAULT_IMPL_H

#include "base/crypto.h"
#include "store/vault.h"

enum {
    SF_VAULT_BLOCK_BYTES = SF_DISK_ALIGN,
    SF_VAULT_VERSION = 1,
    SF_VAULT_VERSION_SEALED = 2, /* of a KEK block: under the master key */
    SF_VAULT_KEK_BYTES = SF_AEAD_KEY_BYTES,
    SF_VAULT_PLAIN_BYTES = 8 + 2 + SF_VAULT_KEY_BYTES + SF_VAULT_SECRET_BYTES_MAX,
    SF_VAULT_GROUP = 64, /* slots that are allocated, and kept in memory, together */
};

enum sf_vault_state {
    SF_VAULT_FREE,
    SF_VAULT_WRITING, /* a put that is not durable yet */
    SF_VAULT_LIVE,
    SF_VAULT_ERASED,  /* to be left out by the next rotation */
    SF_VAULT_ERASING, /* left out by the running one */
};

struct sf_vault_slot {
    enum sf_vault_state state;
    uint8_t dirty; /* bit h: block of half h may hold something */
    bool doomed;   /* WRITING, and erased already */
    uint16_t bytes;
    uint64_t order;
    uint8_t key[SF_VAULT_KEY_BYTES];
};

/* In guarded memory. */
struct sf_vault_keys {
    uint8_t kek[SF_VAULT_KEK_BYTES];
    uint8_t kek_next[SF_VAULT_KEK_BYTES];
    uint8_t plain[SF_VAULT_PLAIN_BYTES];
};

enum sf_vault_step {
    SF_VAULT_IDLE,
    SF_VAULT_PUT_ALLOCATE,
    SF_VAULT_PUT_WRITE,
    SF_VAULT_PUT_SYNC,
    SF_VAULT_ROTATE_SLOTS,
    SF_VAULT_ROTATE_SYNC,
    SF_VAULT_ROTATE_KEK,
    SF_VAULT_ROTATE_KEK_SYNC,
    SF_VAULT_ROTATE_WIPE_KEK,
    SF_VAULT_ROTATE_WIPE_KEK_SYNC,
    SF_VAULT_ROTATE_WIPE_SLOTS,
    SF_VAULT_ROTATE_WIPE_SYNC,
};

struct sf_vault_list {
    struct sf_vault_op *first;
    struct sf_vault_op *last;
};

struct sf_vault {
    struct sf_disk *disk;
    const struct sf_random *random;
    const uint8_t *master; /* or NULL */
    int file;
    int kek_file;
    bool failed;
    uint64_t generation;
    uint64_t order; /* of the last put */
    uint64_t discarded;

    struct sf_vault_slot *slots;
    uint8_t **secrets;   /* guarded memory, one piece per group of slots */
    uint32_t slot_count; /* in memory, a multiple of the group */
    uint32_t allocated;  /* on the disk */
    struct sf_vault_keys *keys;

    enum sf_vault_step step;
    struct sf_disk_op op;
    uint8_t *block;               /* aligned: slots */
    uint8_t *kek_block;           /* aligned and guarded */
    struct sf_vault_list queued;  /* puts */
    struct sf_vault_list writing; /* puts that share the next sync */
    struct sf_vault_list written;
    struct sf_vault_list erased;  /* erases for the next rotation */
    struct sf_vault_list erasing; /* of the running one */
    uint32_t at;                  /* slot of the running rotation */
    sf_mono deadline;
    bool rotate_wanted;

    struct sf_vault_list idle; /* to be told their status at the next poll */
    struct sf_disk_op idle_op;
    bool idle_running;
};

static inline uint64_t
sf_vault_offset(uint32_t slot, unsigned int half)
{
    return (2 * (uint64_t)slot + half) * SF_VAULT_BLOCK_BYTES;
}

static inline uint8_t *
sf_vault_secret(const struct sf_vault *vault, uint32_t slot)
{
    return vault->secrets[slot / SF_VAULT_GROUP] +
           (size_t)(slot % SF_VAULT_GROUP) * SF_VAULT_SECRET_BYTES_MAX;
}

bool sf_vault_block_is_empty(const uint8_t *block);
/* In the vault's kek_block; sealed where the vault has a master key. */
void sf_vault_kek_encode(
    struct sf_vault *vault, uint64_t generation, const uint8_t kek[SF_VAULT_KEK_BYTES]);
/*
 * What kek_block, read from block `half`, holds: SF_OK, the KEK of that generation;
 * SF_EFORMAT, no whole one; SF_EAUTH, one that the master key, or none, does not open.
 */
SF_MUST_USE int sf_vault_kek_decode(const struct sf_vault *vault, unsigned int half,
    uint64_t *ret_generation, uint8_t ret_kek[SF_VAULT_KEK_BYTES]);
/* Seal slot `at` under `kek` into `block`. */
void sf_vault_slot_encode(const struct sf_vault *vault, uint32_t at, uint64_t generation,
    const uint8_t kek[SF_VAULT_KEK_BYTES], uint8_t *block);
/* Open slot `at` under the current KEK into the memory of the vault; false if it is not valid. */
bool sf_vault_slot_decode(struct sf_vault *vault, uint32_t at, const uint8_t *block);

/* One more group of slots in memory. SF_OK, SF_ELIMIT, SF_ENOMEM. */
int sf_vault_grow(struct sf_vault *vault);
int sf_vault_recover(struct sf_vault *vault, struct sf_recovery *recovery);

#endif
