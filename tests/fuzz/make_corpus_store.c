/* make_corpus_store.c - writes the seeds of fuzz_journal, fuzz_vault and fuzz_audit below the folder given. */
#include "base/crypto.h"
#include "base/prng.h"
#include "sim/disk.h"
#include "store/audit.h"
#include "store/journal.h"
#include "store/vault.h"
#include "tests/fuzz/store_pieces.h"

#include <stdio.h>

enum { ROOM = 1 << 20 };

static struct sf_sim_disk *sim;
static struct sf_disk *disk;
static uint8_t secret_key[64];
static bool is_done;
static const char *folder;

static int
sign(void *context, struct sf_view message, uint8_t ret_signature[64])
{
    (void)context;
    sf_sign(secret_key, message, ret_signature);
    return SF_OK;
}

static void
committed(struct sf_commit *commit)
{
    must(commit->status == SF_OK);
    is_done = true;
}

static void
op_done(struct sf_vault_op *op)
{
    must(op->status == SF_OK);
    is_done = true;
}

static void
finish(void)
{
    while (!is_done) {
        (void)sf_disk_poll(disk);
    }
    is_done = false;
}

static struct sf_view
take(const char *path)
{
    static uint8_t data[2][ROOM];
    static int turn;
    size_t bytes;

    turn = 1 - turn;
    must(sf_sim_disk_get(sim, path, 0, data[turn], ROOM, &bytes) == SF_OK);
    return sf_view(data[turn], bytes);
}

static void
save(const char *target, const char *name, struct sf_view bytes)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    file = fopen(path, "wb");
    must(file != NULL && fwrite(bytes.data, 1, bytes.bytes, file) == bytes.bytes);
    must(fclose(file) == 0);
}

static void
start(void)
{
    struct sf_sim_disk_config config = {.seed = 1};

    must(sf_sim_disk_open(&config, &sim) == SF_OK);
    disk = sf_sim_disk_interface(sim);
}

static void
save_pieces(const char *target, const char *name, uint8_t mode, struct sf_view file)
{
    static uint8_t pieces[ROOM + ROOM / 1024 + 1];

    pieces[0] = mode;
    save(target, name, sf_view(pieces, 1 + fold(file, pieces + 1)));
}

static void
make_journal(void)
{
    struct sf_journal_config config = {.disk = NULL};
    struct sf_commit commit = {.done = committed};
    struct sf_journal *journal;
    uint8_t tags[3 * 32] = {1, 2, 3};
    struct sf_view key = sf_view("a key", 5);
    struct sf_view file;

    start();
    config.disk = disk;
    must(sf_journal_open(&config, &journal) == SF_OK);
    must(sf_journal_set(journal, 1, key, sf_view("value", 5)) == SF_OK);
    must(sf_journal_add(journal, 2, key, 7, 10, tags) == SF_OK);
    sf_journal_commit(journal, &commit);
    finish();
    must(sf_journal_add(journal, 2, key, 20, 4000, NULL) == SF_OK);
    must(sf_journal_remove(journal, 2, key, 30, 40) == SF_OK);
    sf_journal_commit(journal, &commit);
    finish();
    must(sf_journal_drop_tags(journal, 2, key) == SF_OK);
    must(sf_journal_unset(journal, 1, key) == SF_OK);
    sf_journal_commit(journal, &commit);
    finish();
    file = take("journal");
    save_pieces("journal", "open", 1, file);
    save_pieces("journal", "torn", 0, sf_view(file.data, file.bytes - PIECE_BLOCK));
    sf_journal_close(journal);
    save_pieces("journal", "ended", 0, take("journal"));
    sf_sim_disk_close(sim);
}

static void
save_vault(const char *name)
{
    static uint8_t both[ROOM];
    struct sf_view kek = take("kek");
    struct sf_view vault;

    memcpy(both, kek.data, 2 * PIECE_BLOCK);
    vault = take("vault");
    vault.bytes = vault.bytes > 8 * PIECE_BLOCK ? 8 * PIECE_BLOCK : vault.bytes;
    memcpy(both + 2 * PIECE_BLOCK, vault.data, vault.bytes);
    save_pieces("vault", name, 1, sf_view(both, 2 * PIECE_BLOCK + vault.bytes));
}

static void
make_vault(void)
{
    struct sf_prng prng;
    struct sf_random generator;
    struct sf_vault_config config = {.random = &generator};
    struct sf_vault_op op = {.done = op_done, .key = "a transfer"};
    struct sf_vault *vault;

    sf_prng_init(&prng, 1);
    generator = sf_prng_random(&prng);
    start();
    config.disk = disk;
    must(sf_vault_open(&config, &vault) == SF_OK);
    save_vault("empty");
    for (uint8_t name = 1; name < 4; name++) {
        op.key[16] = name;
        sf_vault_put(vault, &op, sf_view("0123456789abcdef0123456789abcdef", 32), 0);
        finish();
    }
    save_vault("three");
    sf_vault_erase(vault, &op, 0);
    sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
    for (int i = 0; i < 5; i++) {
        (void)sf_disk_poll(disk);
    }
    save_vault("rotating");
    finish();
    save_vault("rotated");
    sf_vault_close(vault);
    sf_sim_disk_close(sim);
}

static void
make_audit(void)
{
    static const uint8_t seed[32] = {9};
    static uint8_t both[ROOM];
    struct sf_audit_config config = {.origin = "node", .sign = sign};
    struct sf_commit commit = {.done = committed};
    struct sf_audit_entry entry;
    struct sf_audit *audit;
    struct sf_view part;
    size_t bytes;

    sf_sign_keypair(seed, config.public_key, secret_key);
    start();
    config.disk = disk;
    must(sf_audit_open(&config, &audit) == SF_OK);
    for (uint64_t i = 0; i < 4; i++) {
        sf_audit_entry_init(&entry, "event");
        sf_audit_entry_number(&entry, "n", i);
        sf_audit_entry_text(&entry, "name", sf_view("a \"name\"\n", 9));
        must(sf_audit_append(audit, &entry) == SF_OK);
        if (i % 2 == 0) {
            sf_audit_commit(audit, &commit);
        } else {
            sf_audit_commit_head(audit, &commit);
        }
        finish();
    }
    sf_audit_close(audit);
    part = take("audit.log");
    both[0] = 0;
    sf_put_be16(both + 1, (uint16_t)part.bytes);
    memcpy(both + 3, part.data, part.bytes);
    bytes = 3 + part.bytes;
    part = take("audit.heads");
    memcpy(both + bytes, part.data, part.bytes);
    save("audit", "signed", sf_view(both, bytes + part.bytes));
    save("audit", "unsigned", sf_view(both, bytes));
    both[0] = 1;
    save("audit", "checksums", sf_view(both, bytes));
    sf_sim_disk_close(sim);
}

int
main(int argc, char **argv)
{
    must(argc == 2 && sf_crypto_init() == SF_OK);
    folder = argv[1];
    make_journal();
    make_vault();
    make_audit();
    return 0;
}
