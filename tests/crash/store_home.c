/*
 * store_home.c - opening a home, waiting for it, and the reference run.
 */
#include "tests/crash/store_home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct sf_transfer_id transfer = {{1, 2, 3, 4}};
const uint8_t secret[32] = "thirty-two bytes of a secret key";
uint8_t sign_pk[32];
uint8_t sign_sk[64];
uint64_t failures;
const char *where = "";
uint64_t where_operation;

bool
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

struct sf_view
home_key(void)
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
void
home_make_bundle(uint64_t index, uint8_t *out)
{
    for (size_t at = 0; at < CLASS_BYTES; at += 8) {
        sf_put_be64(out + at, index * 1000003 + at);
    }
}

void
home_make_tag(uint64_t index, uint8_t tag[32])
{
    memset(tag, (int)index + 1, 32);
}

/* --- Waiting -------------------------------------------------------------------- */

/* What waits for room is tried again, as a node does; a disk that stays full ends the run. */
int
home_wait(struct home *home, const bool *is_done)
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

void
home_io_done(struct sf_spool_io *io)
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
    if (home_wait(home, &waited.is_done) != SF_OK) {
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
    if (home_wait(home, &waited.is_done) != SF_OK) {
        return SF_EIO;
    }
    return waited.commit.status;
}

typedef void spool_call(struct sf_spool_op *op);

void
home_op_init(const struct home *home, struct waited *waited)
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

int
home_op_finish(struct home *home, struct waited *waited)
{
    return home_wait(home, &waited->is_done) != SF_OK ? SF_EIO : waited->op.status;
}

/* --- Opening -------------------------------------------------------------------- */

void
home_drop(struct home *home)
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

int
home_open(struct home *home)
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
    status = sf_journal_set(home->journal, TABLE_TRANSFER, home_key(), sf_view(&value, 1));
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
    status = home_wait(home, &waited.is_done) != SF_OK ? SF_EIO : waited.vault_op.status;
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
    if (home_wait(home, &waited.is_done) != SF_OK) {
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
    sf_audit_entry_hex(&entry, "transfer", home_key());
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
    home_make_bundle(index, flight->object);
    home_make_tag(index, flight->tag);
    flight->put = (struct sf_spool_put){
        .done = put_done,
        .owner = flight,
        .spool = spool,
        .index = index,
        .object = flight->object,
        .table = home->is_receiver ? TABLE_ORPHAN : TABLE_HELD,
        .key = home_key(),
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
            status = home_wait(home, &flight->is_done);
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
        home_make_tag(i, tags[i]);
    }
    status = sf_journal_add(journal, TABLE_HELD, home_key(), 0, COUNT, tags[0]);
    if (status == SF_OK) {
        status = sf_journal_unset(journal, TABLE_ORPHAN, home_key());
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
    struct waited waited = {.io = {.done = home_io_done, .spool = spool, .bytes = sizeof(page)}};
    int status;

    waited.io.owner = &waited;
    waited.io.index = SLOTS - 1;
    waited.io.offset = 8192;
    waited.io.data = page;
    sf_spool_write_raw(&waited.io);
    status = home_wait(home, &waited.is_done) != SF_OK ? SF_EIO : waited.io.status;
    if (status == SF_OK) {
        waited.is_done = false;
        sf_spool_get(&waited.io);
        status = home_wait(home, &waited.is_done) != SF_OK ? SF_EIO : waited.io.status;
    }
    return status;
}

static int
run_transfer(struct home *home)
{
    struct waited waited;
    struct sf_spool *spool;
    int status;

    home_op_init(home, &waited);
    sf_spool_create(home->spools, &waited.op);
    status = home_op_finish(home, &waited);
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
    home_op_init(home, &waited);
    waited.op.spool = spool;
    waited.op.slots = COUNT;
    sf_spool_trim(&waited.op);
    status = home_op_finish(home, &waited);
    status = status == SF_OK ? write_line(home, "custody") : status;
    status = status == SF_OK ? set_phase(home, PHASE_FINAL) : status;
    if (status != SF_OK) {
        return status;
    }
    home_op_init(home, &waited);
    waited.op.spool = spool;
    waited.op.first = 3;
    waited.op.count = 5;
    sf_spool_punch(&waited.op);
    status = home_op_finish(home, &waited);
    if (status != SF_OK) {
        return status;
    }
    home_op_init(home, &waited);
    waited.op.spool = spool;
    sf_spool_remove(&waited.op);
    status = home_op_finish(home, &waited);
    home->promise.removed = status == SF_OK;
    return status;
}

/* Everything, from an empty disk to an ended transfer. Returns what stopped it. */
int
home_run(struct home *home)
{
    int status = home_open(home);

    status = status == SF_OK ? put_secret(home, 1, true) : status;
    status = status == SF_OK ? put_secret(home, 2, false) : status;
    status = status == SF_OK ? run_transfer(home) : status;
    if (status == SF_OK) {
        status = sf_journal_unset(home->journal, TABLE_HELD, home_key());
    }
    status = status == SF_OK ? commit(home) : status;
    status = status == SF_OK ? erase_secret(home, 1) : status;
    return status == SF_OK ? write_line(home, "final") : status;
}
