/*
 * crash_store.c - power cuts and failing operations at every step of the store.
 *
 * A reference run of a sending and of a receiving node goes through all four
 * parts of the store. Before each disk operation the disk is cloned, the power
 * cut under every damage model, everything recovered, and compared with what
 * had been reported done by then. Recovery itself is cut off as well, and must
 * come to the same state when it is repeated. Then the same runs with the n-th
 * operation failing, once and for ever.
 *
 *     crash_store          what `make check` runs
 *     crash_store full     more seeds, and a second cut at every operation of every recovery
 *
 * Prints how many states it looked at.
 */
#include "base/crypto.h"
#include "base/prng.h"
#include "sim/disk.h"
#include "store/audit.h"
#include "store/journal.h"
#include "store/spool.h"
#include "store/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASS_BYTES = 16 * 1024,
    SLOTS = 24,
    COUNT = 20,
    FLIGHT = 6,
    TABLE_TRANSFER = 10,
    TABLE_HELD = 11,
    TABLE_ORPHAN = 12,
    TABLE_FILLER = 13,
    FILLER_BYTES = 60 * 1024,
    FILLERS = 20,
};

enum phase { PHASE_NONE, PHASE_OPEN, PHASE_COUNTED, PHASE_FINAL };

/* What has been reported done, and what has at least been begun. */
struct promise {
    enum phase phase;
    enum phase phase_begun;
    bool held[COUNT];
    bool moved; /* all orphans were taken over in one commit */
    bool removed;
    bool secret_put;
    bool erase_begun;
    bool erased;
    uint64_t lines;
    uint64_t lines_signed;
    bool other_put; /* a second secret, which stays */
    uint8_t old_kek[32];
    uint8_t old_sealed[2][32]; /* a piece of each slot under it */
    bool has_old_kek;
};

struct home {
    struct sf_sim_disk *sim;
    struct sf_disk *disk;
    struct sf_journal *journal;
    struct sf_spool_set *spools;
    struct sf_vault *vault;
    struct sf_audit *audit;
    struct sf_prng prng;
    struct sf_random random;
    struct promise promise;
    bool is_receiver;
    uint64_t lines_signed; /* as recovered */
};

static const struct sf_transfer_id transfer = {{1, 2, 3, 4}};
static const uint8_t secret[32] = "thirty-two bytes of a secret key";
static uint8_t sign_pk[32];
static uint8_t sign_sk[64];
static uint64_t states;
static uint64_t failures;
static const char *where = "";
static uint64_t where_operation;

#define EXPECT(expression) expect((expression), #expression, __LINE__)

static bool
expect(bool is_true, const char *text, int line)
{
    if (!is_true) {
        failures++;
        if (failures < 20) {
            printf("FAIL: %s, operation %llu: %s (line %d)\n", where,
                (unsigned long long)where_operation, text, line);
        }
    }
    return is_true;
}

static struct sf_view
key_view(void)
{
    return sf_view(transfer.b, sizeof(transfer.b));
}

static int
sign(void *context, struct sf_view message, uint8_t ret_signature[64])
{
    (void)context;
    sf_sign(sign_sk, message, ret_signature);
    return SF_OK;
}

/* What bundle `index` must read as. */
static void
make_bundle(uint64_t index, uint8_t *out)
{
    for (size_t at = 0; at < CLASS_BYTES; at += 8) {
        sf_put_be64(out + at, index * 1000003 + at);
    }
}

static void
make_tag(uint64_t index, uint8_t tag[32])
{
    memset(tag, (int)index + 1, 32);
}

/* --- Waiting -------------------------------------------------------------------- */

struct waited {
    bool is_done;
    struct sf_commit commit;
    struct sf_spool_op op;
    struct sf_spool_io io;
    struct sf_vault_op vault_op;
};

/* What waits for room is tried again, as a node does; a disk that stays full ends the run. */
static int
wait_until(struct home *home, const bool *is_done)
{
    int tries = 0;

    while (!*is_done) {
        if (sf_sim_disk_is_cut(home->sim)) {
            return SF_EIO;
        }
        if (sf_disk_poll(home->disk)) {
            continue;
        }
        if (sf_sim_disk_deadline(home->sim) != SF_NEVER) {
            home->disk->wait(home->disk);
        } else if (tries++ == 3) {
            return SF_ENOSPC;
        } else {
            sf_journal_retry(home->journal);
            if (home->audit != NULL) {
                sf_audit_retry(home->audit);
            }
        }
    }
    return SF_OK;
}

static void
commit_done(struct sf_commit *commit)
{
    ((struct waited *)commit->owner)->is_done = true;
}

static void
op_done(struct sf_spool_op *op)
{
    ((struct waited *)op->owner)->is_done = true;
}

static void
io_done(struct sf_spool_io *io)
{
    ((struct waited *)io->owner)->is_done = true;
}

static void
vault_done(struct sf_vault_op *op)
{
    ((struct waited *)op->owner)->is_done = true;
}

static int
commit(struct home *home)
{
    struct waited waited = {.commit = {.done = commit_done}};

    waited.commit.owner = &waited;
    sf_journal_commit(home->journal, &waited.commit);
    if (wait_until(home, &waited.is_done) != SF_OK) {
        return SF_EIO;
    }
    return waited.commit.status;
}

static int
audit_head(struct home *home)
{
    struct waited waited = {.commit = {.done = commit_done}};

    waited.commit.owner = &waited;
    sf_audit_commit_head(home->audit, &waited.commit);
    if (wait_until(home, &waited.is_done) != SF_OK) {
        return SF_EIO;
    }
    return waited.commit.status;
}

typedef void spool_call(struct sf_spool_op *op);

static void
init_op(const struct home *home, struct waited *waited)
{
    *waited = (struct waited){
        .op =
            {
                .done = op_done,
                .transfer = transfer,
                .direction = home->is_receiver ? SF_SPOOL_IN : SF_SPOOL_OUT,
                .class_bytes = CLASS_BYTES,
                .slots = SLOTS,
            },
    };
    waited->op.owner = waited;
}

static int
finish_op(struct home *home, struct waited *waited)
{
    return wait_until(home, &waited->is_done) != SF_OK ? SF_EIO : waited->op.status;
}

/* --- Opening -------------------------------------------------------------------- */

static void
drop(struct home *home)
{
    if (home->audit != NULL) {
        sf_audit_drop(home->audit);
    }
    if (home->vault != NULL) {
        sf_vault_drop(home->vault);
    }
    if (home->spools != NULL) {
        sf_spools_drop(home->spools);
    }
    if (home->journal != NULL) {
        sf_journal_drop(home->journal);
    }
    home->audit = NULL;
    home->vault = NULL;
    home->spools = NULL;
    home->journal = NULL;
}

static int
open_all(struct home *home)
{
    struct sf_journal_config journal = {.disk = home->disk};
    struct sf_vault_config vault = {.disk = home->disk, .random = &home->random};
    struct sf_audit_config audit = {.disk = home->disk, .origin = "node", .sign = sign};
    struct sf_spools_config spools = {.disk = home->disk};
    int status = sf_journal_open(&journal, &home->journal);

    if (status != SF_OK) {
        home->journal = NULL;
        return status;
    }
    spools.journal = home->journal;
    status = sf_spools_open(&spools, &home->spools);
    if (status != SF_OK) {
        home->spools = NULL;
        return status;
    }
    status = sf_vault_open(&vault, &home->vault);
    if (status != SF_OK) {
        home->vault = NULL;
        return status;
    }
    memcpy(audit.public_key, sign_pk, sizeof(sign_pk));
    status = sf_audit_open(&audit, &home->audit);
    if (status != SF_OK) {
        home->audit = NULL;
    }
    return status;
}

/* --- The reference run ------------------------------------------------------------ */

static int
set_phase(struct home *home, enum phase phase)
{
    uint8_t value = (uint8_t)phase;
    int status;

    home->promise.phase_begun = phase;
    status = sf_journal_set(home->journal, TABLE_TRANSFER, key_view(), sf_view(&value, 1));
    if (status == SF_OK) {
        status = commit(home);
    }
    if (status == SF_OK) {
        home->promise.phase = phase;
    }
    return status;
}

static int
put_secret(struct home *home, uint8_t name, bool is_ours)
{
    struct waited waited = {.vault_op = {.done = vault_done}};
    int status;

    waited.vault_op.owner = &waited;
    memset(waited.vault_op.key, name, sizeof(waited.vault_op.key));
    sf_vault_put(home->vault, &waited.vault_op, sf_view(secret, sizeof(secret)), 0);
    status = wait_until(home, &waited.is_done) != SF_OK ? SF_EIO : waited.vault_op.status;
    if (status == SF_OK) {
        home->promise.secret_put |= is_ours;
        home->promise.other_put |= !is_ours;
    }
    return status;
}

static int
erase_secret(struct home *home, uint8_t name)
{
    struct waited waited = {.vault_op = {.done = vault_done}};
    uint8_t block[4096];
    size_t bytes;

    for (uint64_t at = 0; at < 8192; at += 4096) {
        if (sf_sim_disk_get(home->sim, "kek", at, block, sizeof(block), &bytes) == SF_OK &&
            bytes == sizeof(block) && block[0] != 0) {
            memcpy(home->promise.old_kek, block + 32, 32);
            home->promise.has_old_kek = true;
            for (uint64_t slot = 0; slot < 2; slot++) {
                if (sf_sim_disk_get(home->sim, "vault", slot * 8192 + at, block, sizeof(block),
                        &bytes) != SF_OK) {
                    return SF_EIO;
                }
                memcpy(home->promise.old_sealed[slot], block + 64, 32);
            }
        }
    }
    home->promise.erase_begun = true;
    waited.vault_op.owner = &waited;
    memset(waited.vault_op.key, name, sizeof(waited.vault_op.key));
    sf_vault_erase(home->vault, &waited.vault_op, 0);
    sf_vault_tick(home->vault, SF_VAULT_ERASE_WITHIN);
    if (wait_until(home, &waited.is_done) != SF_OK) {
        return SF_EIO;
    }
    home->promise.erased = waited.vault_op.status == SF_OK;
    return waited.vault_op.status;
}

static int
write_line(struct home *home, const char *event)
{
    struct sf_audit_entry entry;
    int status;

    sf_audit_entry_init(&entry, event);
    sf_audit_entry_hex(&entry, "transfer", key_view());
    status = sf_audit_append(home->audit, &entry);
    if (status == SF_OK) {
        sf_audit_entry_number(&entry, "more", 1);
        status = sf_audit_append(home->audit, &entry);
    }
    if (status == SF_OK) {
        status = audit_head(home);
    }
    if (status == SF_OK) {
        home->promise.lines += 2;
        home->promise.lines_signed = home->promise.lines;
    }
    return status;
}

struct flight {
    struct sf_spool_put put;
    struct home *home;
    uint8_t *object;
    uint8_t tag[32];
    bool is_done;
};

static void
put_done(struct sf_spool_put *put)
{
    struct flight *flight = put->owner;

    flight->is_done = true;
    if (put->status == SF_OK) {
        flight->home->promise.held[put->index] = true;
    }
}

static void
begin_put(struct home *home, struct sf_spool *spool, struct flight *flight, uint64_t index)
{
    flight->home = home;
    flight->is_done = false;
    make_bundle(index, flight->object);
    make_tag(index, flight->tag);
    flight->put = (struct sf_spool_put){
        .done = put_done,
        .owner = flight,
        .spool = spool,
        .index = index,
        .object = flight->object,
        .table = home->is_receiver ? TABLE_ORPHAN : TABLE_HELD,
        .key = key_view(),
        .tag = flight->tag,
    };
    sf_spool_put(&flight->put);
}

/* A fact of no meaning, so large that the journal is compacted while puts go on. */
static int
fill(struct home *home, int round)
{
    static uint8_t value[FILLER_BYTES];

    memset(value, round, sizeof(value));
    return sf_journal_set(
        home->journal, TABLE_FILLER, sf_view("filler", 6), sf_view(value, sizeof(value)));
}

static int
put_all(struct home *home, struct sf_spool *spool)
{
    static _Alignas(4096) uint8_t objects[FLIGHT][CLASS_BYTES];
    static struct flight flights[FLIGHT]; /* some are left under way when one fails */
    int status = SF_OK;

    memset(flights, 0, sizeof(flights));
    for (uint64_t i = 0; i < COUNT + FLIGHT && status == SF_OK; i++) {
        struct flight *flight = &flights[i % FLIGHT];

        flight->object = objects[i % FLIGHT];
        if (i >= FLIGHT) {
            status = wait_until(home, &flight->is_done);
            status = status == SF_OK ? flight->put.status : status;
        }
        if (status == SF_OK && i < COUNT) {
            /* The receiver gets them in another order. */
            begin_put(home, spool, flight, home->is_receiver ? i * 7 % COUNT : i);
            status = fill(home, (int)i);
        }
    }
    return status;
}

/* The receiver's grant opened: what was an orphan is held, all in one commit. */
static int
take_orphans(struct home *home)
{
    struct sf_journal *journal = home->journal;
    uint8_t tags[COUNT][32];
    int status;

    for (uint64_t i = 0; i < COUNT; i++) {
        make_tag(i, tags[i]);
    }
    status = sf_journal_add(journal, TABLE_HELD, key_view(), 0, COUNT, tags[0]);
    if (status == SF_OK) {
        status = sf_journal_unset(journal, TABLE_ORPHAN, key_view());
    }
    if (status == SF_OK) {
        status = commit(home);
    }
    home->promise.moved = status == SF_OK;
    return status;
}

/* Pages outside custody, and reading back. */
static int
use_pages(struct home *home, struct sf_spool *spool)
{
    static _Alignas(4096) uint8_t page[4096];
    struct waited waited = {.io = {.done = io_done, .spool = spool, .bytes = sizeof(page)}};
    int status;

    waited.io.owner = &waited;
    waited.io.index = SLOTS - 1;
    waited.io.offset = 8192;
    waited.io.data = page;
    sf_spool_write_raw(&waited.io);
    status = wait_until(home, &waited.is_done) != SF_OK ? SF_EIO : waited.io.status;
    if (status == SF_OK) {
        waited.is_done = false;
        sf_spool_get(&waited.io);
        status = wait_until(home, &waited.is_done) != SF_OK ? SF_EIO : waited.io.status;
    }
    return status;
}

static int
run_transfer(struct home *home)
{
    struct waited waited;
    struct sf_spool *spool;
    int status;

    init_op(home, &waited);
    sf_spool_create(home->spools, &waited.op);
    status = finish_op(home, &waited);
    if (status != SF_OK) {
        return status;
    }
    spool = waited.op.spool;
    status = set_phase(home, PHASE_OPEN);
    status = status == SF_OK ? put_all(home, spool) : status;
    status = status == SF_OK ? use_pages(home, spool) : status;
    if (status == SF_OK && home->is_receiver) {
        status = take_orphans(home);
    }
    status = status == SF_OK ? set_phase(home, PHASE_COUNTED) : status;
    if (status != SF_OK) {
        return status;
    }
    init_op(home, &waited);
    waited.op.spool = spool;
    waited.op.slots = COUNT;
    sf_spool_trim(&waited.op);
    status = finish_op(home, &waited);
    status = status == SF_OK ? write_line(home, "custody") : status;
    status = status == SF_OK ? set_phase(home, PHASE_FINAL) : status;
    if (status != SF_OK) {
        return status;
    }
    init_op(home, &waited);
    waited.op.spool = spool;
    waited.op.first = 3;
    waited.op.count = 5;
    sf_spool_punch(&waited.op);
    status = finish_op(home, &waited);
    if (status != SF_OK) {
        return status;
    }
    init_op(home, &waited);
    waited.op.spool = spool;
    sf_spool_remove(&waited.op);
    status = finish_op(home, &waited);
    home->promise.removed = status == SF_OK;
    return status;
}

/* Everything, from an empty disk to an ended transfer. Returns what stopped it. */
static int
run_reference(struct home *home)
{
    int status = open_all(home);

    status = status == SF_OK ? put_secret(home, 1, true) : status;
    status = status == SF_OK ? put_secret(home, 2, false) : status;
    status = status == SF_OK ? run_transfer(home) : status;
    if (status == SF_OK) {
        status = sf_journal_unset(home->journal, TABLE_HELD, key_view());
    }
    status = status == SF_OK ? commit(home) : status;
    status = status == SF_OK ? erase_secret(home, 1) : status;
    return status == SF_OK ? write_line(home, "final") : status;
}

/* --- Recovery, and what must be true after it ----------------------------------------- */

static enum phase
phase_of(const struct home *home)
{
    struct sf_view value = sf_journal_get(home->journal, TABLE_TRANSFER, key_view());

    return value.data == NULL ? PHASE_NONE : (enum phase)value.data[0];
}

/* What a node does after a start: files without a fact go, those with one are opened. */
static int
recover(struct home *home, struct sf_spool **ret_spool)
{
    enum phase phase;
    struct waited waited;
    size_t count;
    int status = open_all(home);

    *ret_spool = NULL;
    if (status != SF_OK) {
        return status;
    }
    phase = phase_of(home);
    (void)sf_spools_list(home->spools, &count);
    init_op(home, &waited);
    if (phase == PHASE_NONE || phase == PHASE_FINAL) {
        if (count > 0) {
            sf_spools_unlink(home->spools, &waited.op);
            status = finish_op(home, &waited);
        }
        return status;
    }
    waited.op.slots = phase == PHASE_COUNTED ? COUNT : SLOTS;
    sf_spool_reopen(home->spools, &waited.op);
    status = finish_op(home, &waited);
    *ret_spool = waited.op.spool;
    return status;
}

static void
check_bundle(struct home *home, struct sf_spool *spool, uint8_t table, uint64_t index)
{
    static _Alignas(4096) uint8_t object[CLASS_BYTES];
    static uint8_t expected[CLASS_BYTES];
    struct waited waited = {
        .io = {.done = io_done, .spool = spool, .index = index, .bytes = CLASS_BYTES}};
    const uint8_t *tag = sf_journal_tag(home->journal, table, key_view(), index);
    uint8_t expected_tag[32];

    waited.io.owner = &waited;
    waited.io.data = object;
    sf_spool_get(&waited.io);
    EXPECT(wait_until(home, &waited.is_done) == SF_OK && waited.io.status == SF_OK);
    make_bundle(index, expected);
    make_tag(index, expected_tag);
    EXPECT(memcmp(object, expected, CLASS_BYTES) == 0);
    EXPECT(tag != NULL && memcmp(tag, expected_tag, 32) == 0);
}

static void
check_bundles(struct home *home, const struct promise *promise, struct sf_spool *spool)
{
    const struct sf_range_set *held = sf_journal_set_of(home->journal, TABLE_HELD, key_view());
    const struct sf_range_set *orphans = sf_journal_set_of(home->journal, TABLE_ORPHAN, key_view());

    EXPECT(!promise->moved || orphans == NULL);
    EXPECT(!home->is_receiver || held == NULL || orphans == NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        bool is_held = held != NULL && sf_range_set_has(held, i);
        bool is_orphan = orphans != NULL && sf_range_set_has(orphans, i);

        EXPECT(is_held || is_orphan || !promise->held[i]);
        if (is_held || is_orphan) {
            check_bundle(home, spool, is_held ? TABLE_HELD : TABLE_ORPHAN, i);
        }
    }
}

/* What was erased is nowhere, neither the KEK nor anything sealed under it. */
static void
check_gone(const struct home *home, const struct promise *promise)
{
    EXPECT(!sf_sim_disk_grep(home->sim, sf_view(promise->old_kek, 32), NULL, 0));
    for (int slot = 0; slot < 2; slot++) {
        EXPECT(!sf_sim_disk_grep(home->sim, sf_view(promise->old_sealed[slot], 32), NULL, 0));
    }
}

static void
check_vault(struct home *home, const struct promise *promise)
{
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t got[SF_VAULT_SECRET_BYTES_MAX];
    size_t bytes = 0;
    int status;

    memset(key, 1, sizeof(key));
    status = sf_vault_get(home->vault, key, got, sizeof(got), &bytes);
    EXPECT(status == SF_OK || status == SF_ENOENT);
    if (status == SF_OK) {
        EXPECT(bytes == sizeof(secret) && memcmp(got, secret, bytes) == 0);
        EXPECT(!promise->erased);
    } else {
        EXPECT(!promise->secret_put || promise->erase_begun);
    }
    if (promise->has_old_kek && status == SF_ENOENT) {
        check_gone(home, promise);
    }
    memset(key, 2, sizeof(key));
    status = sf_vault_get(home->vault, key, got, sizeof(got), &bytes);
    EXPECT(status == SF_OK || !promise->other_put);
    EXPECT(!sf_sim_disk_grep(home->sim, sf_view(secret, sizeof(secret)), NULL, 0));
}

static void
check_audit(struct home *home, const struct promise *promise)
{
    static uint8_t log[65536];
    static uint8_t heads[65536];
    struct sf_audit_check check = {.origin = "node", .public_key = sign_pk};
    struct sf_audit_summary summary = {0};
    struct sf_audit_fault fault = {0};
    size_t bytes;

    EXPECT(sf_sim_disk_get(home->sim, "audit.log", 0, log, sizeof(log), &bytes) == SF_OK);
    check.log = sf_view(log, bytes);
    EXPECT(sf_sim_disk_get(home->sim, "audit.heads", 0, heads, sizeof(heads), &bytes) == SF_OK);
    check.heads = sf_view(heads, bytes);
    EXPECT(sf_audit_verify(&check, &summary, &fault) == SF_OK);
    EXPECT(summary.lines >= promise->lines);
    EXPECT(summary.lines_signed >= promise->lines_signed);
    home->lines_signed = summary.lines_signed;
}

/* A number for everything that recovery came to. */
static uint64_t
digest(struct home *home)
{
    struct sf_sha256 hash;
    uint8_t out[32];
    uint64_t lines;

    sf_sha256_init(&hash);
    for (unsigned int table = 0; table < 256; table++) {
        struct sf_journal_cursor cursor = {0};
        struct sf_view key;
        struct sf_view value;

        while (sf_journal_next(home->journal, (uint8_t)table, &cursor, &key, &value)) {
            const struct sf_range_set *set = sf_journal_set_of(home->journal, (uint8_t)table, key);

            sf_sha256_update(&hash, key.data, key.bytes);
            sf_sha256_update(&hash, value.data, value.bytes);
            for (size_t i = 0; set != NULL && i < set->count; i++) {
                sf_sha256_update(&hash, &set->ranges[i], sizeof(set->ranges[i]));
            }
        }
    }
    sf_audit_head(home->audit, out, &lines);
    sf_sha256_update(&hash, out, sizeof(out));
    sf_sha256_update(&hash, &home->lines_signed, sizeof(home->lines_signed));
    for (uint32_t cursor = 0; sf_vault_next(home->vault, &cursor, out);) {
        sf_sha256_update(&hash, out, SF_VAULT_KEY_BYTES);
    }
    sf_sha256_final(&hash, out);
    return sf_get_be64(out);
}

static bool
has_spool_file(const struct home *home)
{
    const char *path = home->is_receiver ? "spool/01020304000000000000000000000000.in"
                                         : "spool/01020304000000000000000000000000.out";
    size_t bytes;
    uint8_t byte;

    return sf_sim_disk_get(home->sim, path, 0, &byte, 1, &bytes) == SF_OK;
}

static void
check_home(struct home *home, const struct promise *promise, struct sf_spool *spool)
{
    enum phase phase = phase_of(home);

    EXPECT(phase >= promise->phase && phase <= promise->phase_begun);
    if (spool != NULL) {
        check_bundles(home, promise, spool);
    } else {
        EXPECT(!has_spool_file(home));
    }
    check_vault(home, promise);
    check_audit(home, promise);
}

/* --- Cuts ------------------------------------------------------------------------------- */

static void
init_home(struct home *home, struct sf_sim_disk *sim, const struct home *like)
{
    *home = (struct home){
        .sim = sim, .disk = sf_sim_disk_interface(sim), .is_receiver = like->is_receiver};
    sf_prng_init(&home->prng, where_operation);
    home->random = sf_prng_random(&home->prng);
}

struct second {
    const struct home *home;
    const struct promise *promise;
    uint64_t every;
};

static uint64_t look(struct sf_sim_disk *sim, const struct home *like,
    const struct promise *promise, uint64_t second_every);

static void
before_recovery_op(void *context, uint64_t operation, const struct sf_disk_op *op)
{
    struct second *second = context;
    struct sf_sim_disk *clone;

    (void)op;
    for (uint64_t model = 0; model < SF_SIM_DAMAGE_MODELS; model++) {
        if ((operation + model) % second->every != 0 ||
            !EXPECT(sf_sim_disk_clone(second->home->sim, &clone) == SF_OK)) {
            continue;
        }
        sf_sim_disk_restart(clone, (enum sf_sim_damage_model)model, operation);
        (void)look(clone, second->home, second->promise, 0);
        sf_sim_disk_close(clone);
    }
}

/* Recover what is on `sim` and compare it with the promise; its power is on. */
static uint64_t
look(struct sf_sim_disk *sim, const struct home *like, const struct promise *promise,
    uint64_t second_every)
{
    struct home home;
    struct second second = {.home = &home, .promise = promise, .every = second_every};
    struct sf_spool *spool;
    uint64_t state = 0;

    states++;
    init_home(&home, sim, like);
    EXPECT(!promise->removed || !has_spool_file(&home));
    if (promise->erased) {
        check_gone(&home, promise);
    }
    if (second_every > 0) {
        sf_sim_disk_watch(sim, before_recovery_op, &second);
    }
    if (EXPECT(recover(&home, &spool) == SF_OK)) {
        sf_sim_disk_watch(sim, NULL, NULL);
        check_home(&home, promise, spool);
        state = digest(&home);
    }
    sf_sim_disk_cut(sim);
    drop(&home);
    return state;
}

/* The power goes now, under `model`; recover twice. */
static void
cut_once(
    const struct home *home, enum sf_sim_damage_model model, uint64_t seed, uint64_t second_every)
{
    struct sf_sim_disk *clone;
    uint64_t first;
    uint64_t again;

    if (!EXPECT(sf_sim_disk_clone(home->sim, &clone) == SF_OK)) {
        return;
    }
    sf_sim_disk_restart(clone, model, seed);
    first = look(clone, home, &home->promise, second_every);
    sf_sim_disk_restart(clone, SF_SIM_DAMAGE_LOSE_ALL, seed);
    again = look(clone, home, &home->promise, 0);
    EXPECT(first == again);
    sf_sim_disk_close(clone);
}

struct plan {
    const struct home *home;
    uint64_t seeds;
    uint64_t second_every;
};

static void
before_op(void *context, uint64_t operation, const struct sf_disk_op *op)
{
    struct plan *plan = context;

    (void)op;
    where_operation = operation;
    for (int model = 0; model < SF_SIM_DAMAGE_MODELS; model++) {
        bool is_chancy = model != SF_SIM_DAMAGE_LOSE_ALL && model != SF_SIM_DAMAGE_KEEP_ALL;

        for (uint64_t seed = 0; seed < (is_chancy ? plan->seeds : 1); seed++) {
            bool goes_deep = seed == 0 && plan->second_every > 0 &&
                             operation % SF_SIM_DAMAGE_MODELS == (uint64_t)model;

            cut_once(plan->home, (enum sf_sim_damage_model)model, operation * 16 + seed,
                goes_deep ? plan->second_every : 0);
        }
    }
}

static void
start_home(struct home *home, bool is_receiver, uint64_t seed)
{
    struct sf_sim_disk_config config = {.seed = seed, .shuffle = true};

    *home = (struct home){.is_receiver = is_receiver};
    if (sf_sim_disk_open(&config, &home->sim) != SF_OK) {
        abort();
    }
    home->disk = sf_sim_disk_interface(home->sim);
    sf_prng_init(&home->prng, seed);
    home->random = sf_prng_random(&home->prng);
}

static void
end_home(struct home *home)
{
    sf_sim_disk_cut(home->sim);
    drop(home);
    sf_sim_disk_close(home->sim);
}

/* Cut at every operation of one run. Returns how many operations it had. */
static uint64_t
cut_everywhere(bool is_receiver, uint64_t seed, uint64_t seeds, uint64_t second_every)
{
    struct home home;
    struct plan plan = {.home = &home, .seeds = seeds, .second_every = second_every};
    struct sf_journal_stats stats = {0};
    uint64_t operations;

    where = is_receiver ? "cut while receiving" : "cut while sending";
    start_home(&home, is_receiver, seed);
    sf_sim_disk_watch(home.sim, before_op, &plan);
    EXPECT(run_reference(&home) == SF_OK);
    sf_sim_disk_watch(home.sim, NULL, NULL);
    operations = sf_sim_disk_operations(home.sim);
    sf_journal_stats(home.journal, &stats);
    EXPECT(stats.compactions > 0);
    EXPECT(home.promise.removed && home.promise.erased);
    for (int i = 0; i < COUNT; i++) {
        EXPECT(home.promise.held[i]);
    }
    end_home(&home);
    return operations;
}

/* --- Failing operations --------------------------------------------------------------------- */

/* `cut_after` operations later the power goes; SF_NEVER: when the run has ended. */
static void
fail_one(bool is_receiver, uint64_t operation, enum sf_sim_fault_kind kind, bool for_ever,
    uint64_t cut_after)
{
    struct sf_sim_fault fault = {.kind = kind, .operation = operation, .for_ever = for_ever};
    struct home home;
    struct promise promise;
    struct sf_sim_disk *sim;

    where_operation = operation;
    start_home(&home, is_receiver, 1);
    sim = home.sim;
    EXPECT(sf_sim_disk_fault(sim, &fault) == SF_OK);
    if (cut_after != SF_NEVER) {
        sf_sim_disk_cut_at(sim, operation + cut_after);
    }
    (void)run_reference(&home); /* may well end in an error: only promises count */
    promise = home.promise;
    sf_sim_disk_cut(sim);
    drop(&home);
    sf_sim_disk_heal(sim);
    sf_sim_disk_cut_at(sim, SF_NEVER);
    sf_sim_disk_restart(
        sim, operation % 2 == 0 ? SF_SIM_DAMAGE_LOSE_ALL : SF_SIM_DAMAGE_TORN, operation);
    (void)look(sim, &home, &promise, 0);
    sf_sim_disk_close(sim);
}

static void
fail_everywhere(bool is_receiver, uint64_t operations, uint64_t step)
{
    where = is_receiver ? "failure while receiving" : "failure while sending";
    for (uint64_t operation = 0; operation < operations; operation += step) {
        for (int kind = SF_SIM_FAULT_EIO; kind <= SF_SIM_FAULT_SHORT; kind++) {
            fail_one(is_receiver, operation, (enum sf_sim_fault_kind)kind, false, SF_NEVER);
            fail_one(is_receiver, operation, (enum sf_sim_fault_kind)kind, false, 14);
            fail_one(is_receiver, operation, (enum sf_sim_fault_kind)kind, true, SF_NEVER);
        }
    }
}

int
main(int argc, char **argv)
{
    bool is_full = argc > 1 && strcmp(argv[1], "full") == 0;
    uint8_t seed[32] = {7};

    if (sf_crypto_init() != SF_OK) {
        return EXIT_FAILURE;
    }
    sf_sign_keypair(seed, sign_pk, sign_sk);
    for (int is_receiver = 0; is_receiver < 2; is_receiver++) {
        uint64_t operations = 0;

        for (uint64_t run = 1; run <= (is_full ? 6 : 1); run++) {
            operations = cut_everywhere(is_receiver != 0, run, is_full ? 4 : 2,
                !is_full   ? 23
                : run == 1 ? 1
                           : 5);
        }
        printf("%s: %llu operations, %llu states so far\n", where, (unsigned long long)operations,
            (unsigned long long)states);
        fail_everywhere(is_receiver != 0, operations, 1);
        printf("%s: %llu states so far\n", where, (unsigned long long)states);
    }
    printf(
        "%llu states, %llu failures\n", (unsigned long long)states, (unsigned long long)failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
