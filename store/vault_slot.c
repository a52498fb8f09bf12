/* vault_slot.c - blocks of the vault and of the KEK's file; see vault_impl.h for the bytes. */
#include "base/crc32c.h"
#include "base/master.h"
#include "store/vault_impl.h"

enum {
    SLOT_NONCE = 16,
    SLOT_SEALED = 32,
    SLOT_END = SLOT_SEALED + SF_VAULT_PLAIN_BYTES + SF_AEAD_TAG_BYTES,
    KEK_AT = 32,
    KEK_CRC = SF_VAULT_BLOCK_BYTES - 4,
    AD_BYTES = 32,
};

static const char kek_purpose[] = "kek";

bool
sf_vault_block_is_empty(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, SF_VAULT_BLOCK_BYTES - 1) == 0;
}

void
sf_vault_kek_encode(
    struct sf_vault *vault, uint64_t generation, const uint8_t kek[SF_VAULT_KEK_BYTES])
{
    uint8_t *block = vault->kek_block;

    memset(block, 0, SF_VAULT_BLOCK_BYTES);
    memcpy(block, "skyferry-kek", 12);
    sf_put_be64(block + 24, generation);
    if (vault->master == NULL) {
        sf_put_be32(block + 16, SF_VAULT_VERSION);
        memcpy(block + KEK_AT, kek, SF_VAULT_KEK_BYTES);
    } else {
        const struct sf_master_seal seal = {vault->master, kek_purpose, vault->random};

        sf_put_be32(block + 16, SF_VAULT_VERSION_SEALED);
        sf_master_seal(&seal, sf_view(kek, SF_VAULT_KEK_BYTES), block + KEK_AT);
    }
    sf_put_be32(block + KEK_CRC, sf_crc32c(0, block, KEK_CRC));
}

int
sf_vault_kek_decode(const struct sf_vault *vault, unsigned int half, uint64_t *ret_generation,
    uint8_t ret_kek[SF_VAULT_KEK_BYTES])
{
    const uint8_t *block = vault->kek_block;
    uint32_t version = sf_get_be32(block + 16);
    uint64_t generation = sf_get_be64(block + 24);

    if (memcmp(block, "skyferry-kek\0\0\0", 16) != 0 || generation == 0 || generation % 2 != half ||
        sf_crc32c(0, block, KEK_CRC) != sf_get_be32(block + KEK_CRC)) {
        return SF_EFORMAT;
    }
    if (version == SF_VAULT_VERSION) {
        memcpy(ret_kek, block + KEK_AT, SF_VAULT_KEK_BYTES);
    } else if (version != SF_VAULT_VERSION_SEALED) {
        return SF_EFORMAT;
    } else if (vault->master == NULL ||
               sf_master_open(vault->master, kek_purpose,
                   sf_view(block + KEK_AT, SF_VAULT_KEK_BYTES + SF_MASTER_OVERHEAD_BYTES),
                   ret_kek) != SF_OK) {
        return SF_EAUTH;
    }
    *ret_generation = generation;
    return SF_OK;
}

static void
make_ad(uint8_t ad[AD_BYTES], const uint8_t *block)
{
    memcpy(ad, "skyferry-vault-1", 16);
    memcpy(ad + 16, block, 16);
}

void
sf_vault_slot_encode(const struct sf_vault *vault, uint32_t at, uint64_t generation,
    const uint8_t kek[SF_VAULT_KEK_BYTES], uint8_t *block)
{
    const struct sf_vault_slot *slot = &vault->slots[at];
    uint8_t *plain = vault->keys->plain;
    uint8_t ad[AD_BYTES];

    memset(plain, 0, SF_VAULT_PLAIN_BYTES);
    sf_put_be64(plain, slot->order);
    sf_put_be16(plain + 8, slot->bytes);
    memcpy(plain + 10, slot->key, SF_VAULT_KEY_BYTES);
    memcpy(plain + 10 + SF_VAULT_KEY_BYTES, sf_vault_secret(vault, at), slot->bytes);

    memset(block, 0, SF_VAULT_BLOCK_BYTES);
    memcpy(block, "SFVS", 4);
    sf_put_be32(block + 4, at);
    sf_put_be64(block + 8, generation);
    sf_random_fill(vault->random, block + SLOT_NONCE, SF_AEAD_NONCE_BYTES);
    make_ad(ad, block);
    sf_aead_seal(kek, block + SLOT_NONCE, sf_view(ad, sizeof(ad)),
        sf_view(plain, SF_VAULT_PLAIN_BYTES), block + SLOT_SEALED);
    sf_wipe(plain, SF_VAULT_PLAIN_BYTES);
}

bool
sf_vault_slot_decode(struct sf_vault *vault, uint32_t at, const uint8_t *block)
{
    struct sf_vault_slot *slot = &vault->slots[at];
    uint8_t *plain = vault->keys->plain;
    uint8_t ad[AD_BYTES];
    uint16_t bytes;
    bool good = false;

    if (memcmp(block, "SFVS", 4) != 0 || sf_get_be32(block + 4) != at ||
        sf_get_be64(block + 8) != vault->generation || sf_get_be32(block + 28) != 0) {
        return false;
    }
    for (size_t i = SLOT_END; i < SF_VAULT_BLOCK_BYTES; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    make_ad(ad, block);
    if (sf_aead_open(vault->keys->kek, block + SLOT_NONCE, sf_view(ad, sizeof(ad)),
            sf_view(block + SLOT_SEALED, SF_VAULT_PLAIN_BYTES + SF_AEAD_TAG_BYTES),
            plain) != SF_OK) {
        goto out;
    }
    bytes = sf_get_be16(plain + 8);
    if (bytes == 0 || bytes > SF_VAULT_SECRET_BYTES_MAX) {
        goto out;
    }
    slot->order = sf_get_be64(plain);
    slot->bytes = bytes;
    memcpy(slot->key, plain + 10, SF_VAULT_KEY_BYTES);
    memcpy(sf_vault_secret(vault, at), plain + 10 + SF_VAULT_KEY_BYTES, bytes);
    slot->state = SF_VAULT_LIVE;
    good = true;

out:
    sf_wipe(plain, SF_VAULT_PLAIN_BYTES);
    return good;
}
