/*
 * fuzz_vault.c - any bytes as the files of a vault: it opens and works, or is
 * refused. The first byte says whether the KEK's checksums are set right; two
 * pieces of `kek` and those of `vault` follow (store_pieces.h).
 */
#include "base/crc32c.h"
#include "base/crypto.h"
#include "base/prng.h"
#include "sim/disk.h"
#include "store/vault.h"
#include "tests/fuzz/store_pieces.h"

enum { ROOM = 128 * 1024, KEK_BYTES = 2 * PIECE_BLOCK };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool is_done;

static void
op_done(struct sf_vault_op *op)
{
    must(op->status == SF_OK);
    is_done = true;
}

static void
finish(struct sf_disk *disk)
{
    while (!is_done) {
        (void)sf_disk_poll(disk);
    }
    is_done = false;
}

/* It opened: it keeps a secret, and forgets one. */
static void
use(struct sf_disk *disk, struct sf_vault *vault)
{
    struct sf_vault_op op = {.done = op_done, .key = "a key of ours 17"};
    uint8_t out[SF_VAULT_SECRET_BYTES_MAX];
    size_t bytes;

    sf_vault_put(vault, &op, sf_view("secret", 6), 0);
    finish(disk);
    must(sf_vault_get(vault, op.key, out, sizeof(out), &bytes) == SF_OK && bytes == 6);
    sf_vault_erase(vault, &op, 0);
    sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
    finish(disk);
    must(sf_vault_get(vault, op.key, out, sizeof(out), &bytes) == SF_ENOENT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t file[ROOM];
    struct sf_sim_disk_config sim_config = {.seed = 1};
    struct sf_recovery recovery;
    struct sf_prng prng;
    struct sf_random generator;
    struct sf_vault_config config = {.random = &generator, .ret_recovery = &recovery};
    struct sf_vault *vault;
    struct sf_sim_disk *sim;
    size_t file_bytes;
    int status;

    must(sf_crypto_init() == SF_OK);
    if (bytes == 0) {
        return 0;
    }
    sf_prng_init(&prng, 1);
    generator = sf_prng_random(&prng);
    file_bytes = unfold(sf_view(data + 1, bytes - 1), file, sizeof(file));
    file_bytes = file_bytes < KEK_BYTES ? KEK_BYTES : file_bytes;
    for (size_t at = 0; (data[0] & 1) != 0 && at < KEK_BYTES; at += PIECE_BLOCK) {
        sf_put_be32(file + at + PIECE_BLOCK - 4, sf_crc32c(0, file + at, PIECE_BLOCK - 4));
    }
    must(sf_sim_disk_open(&sim_config, &sim) == SF_OK);
    must(sf_sim_disk_put(sim, "kek", sf_view(file, KEK_BYTES)) == SF_OK);
    must(sf_sim_disk_put(sim, "vault", sf_view(file + KEK_BYTES, file_bytes - KEK_BYTES)) == SF_OK);
    config.disk = sf_sim_disk_interface(sim);
    status = sf_vault_open(&config, &vault);
    if (status == SF_OK) {
        must(recovery.row >= 'A' && recovery.row <= 'E');
        use(config.disk, vault);
        sf_vault_close(vault);
        must(sf_vault_open(&config, &vault) == SF_OK && recovery.row == 'B');
        sf_vault_close(vault);
    } else {
        /* Damaged, or sealed under a master key that is not here. */
        must((status == SF_EFORMAT && recovery.row == 'F') ||
             (status == SF_EAUTH && recovery.text != NULL));
    }
    sf_sim_disk_close(sim);
    return 0;
}
