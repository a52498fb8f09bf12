/*
 * fuzz_journal.c - any bytes as a journal: it opens and works, or is refused
 * untouched. The first byte says whether checksums are set right, so that what
 * lies behind them is reached; pieces follow (store_pieces.h).
 */
#include "base/crc32c.h"
#include "sim/disk.h"
#include "store/journal.h"
#include "tests/fuzz/store_pieces.h"

enum { ROOM = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
set_checksums(uint8_t *file, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PIECE_BLOCK) {
        uint64_t record = ((uint64_t)32 + sf_get_be32(file + at + 8) + PIECE_BLOCK - 1) /
                          PIECE_BLOCK * PIECE_BLOCK;

        if (at == 0) {
            sf_put_be32(file + PIECE_BLOCK - 4, sf_crc32c(0, file, PIECE_BLOCK - 4));
        } else if (memcmp(file + at, "SFJR", 4) == 0 && record <= bytes - at) {
            sf_put_be32(file + at + 4, sf_crc32c(0, file + at + 8, (size_t)record - 8));
        }
    }
}

static bool is_done;

static void
committed(struct sf_commit *commit)
{
    must(commit->status == SF_OK);
    is_done = true;
}

/* It opened: everything in it can be read, and it takes a fact that is there after a crash. */
static void
use(struct sf_disk *disk, struct sf_sim_disk *sim, struct sf_journal *journal)
{
    struct sf_journal_config config = {.disk = disk};
    struct sf_commit commit = {.done = committed};
    struct sf_view name = sf_view("name", 4);

    for (unsigned int table = 0; table < 256; table++) {
        struct sf_journal_cursor cursor = {0};
        struct sf_view key;
        struct sf_view value;

        while (sf_journal_next(journal, (uint8_t)table, &cursor, &key, &value)) {
            const struct sf_range_set *set = sf_journal_set_of(journal, (uint8_t)table, key);

            must(key.bytes > 0 && key.bytes <= SF_JOURNAL_KEY_BYTES_MAX);
            for (size_t i = 0; set != NULL && i < set->count; i++) {
                (void)sf_journal_tag(journal, (uint8_t)table, key, set->ranges[i].from);
            }
        }
    }
    must(sf_journal_set(journal, 200, name, name) == SF_OK);
    is_done = false;
    sf_journal_commit(journal, &commit);
    while (!is_done) {
        (void)sf_disk_poll(disk);
    }
    sf_sim_disk_cut(sim);
    sf_journal_drop(journal);
    sf_sim_disk_restart(sim, SF_SIM_DAMAGE_LOSE_ALL, 1);
    must(sf_journal_open(&config, &journal) == SF_OK);
    must(sf_view_equal(sf_journal_get(journal, 200, name), name));
    sf_journal_close(journal);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t file[ROOM];
    struct sf_sim_disk_config sim_config = {.seed = 1};
    struct sf_recovery recovery;
    struct sf_journal_config config = {.ret_recovery = &recovery};
    struct sf_journal *journal;
    struct sf_sim_disk *sim;
    uint64_t hash;
    size_t file_bytes;
    int status;

    if (bytes == 0) {
        return 0;
    }
    file_bytes = unfold(sf_view(data + 1, bytes - 1), file, sizeof(file));
    if ((data[0] & 1) != 0 && file_bytes > 0) {
        set_checksums(file, file_bytes);
    }
    must(sf_sim_disk_open(&sim_config, &sim) == SF_OK);
    must(sf_sim_disk_put(sim, "journal", sf_view(file, file_bytes)) == SF_OK);
    hash = sf_sim_disk_hash(sim);
    config.disk = sf_sim_disk_interface(sim);
    status = sf_journal_open(&config, &journal);
    must(recovery.text != NULL);
    if (status == SF_OK) {
        must(recovery.row == 'C' || recovery.row == 'E');
        use(config.disk, sim, journal);
    } else {
        must(status == SF_EFORMAT && recovery.row >= 'F' && recovery.row <= 'K');
        must(sf_sim_disk_hash(sim) == hash);
    }
    sf_sim_disk_close(sim);
    return 0;
}
