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
#include "tests/crash/store_home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t states;

/* --- Recovery, and what must be true after it ----------------------------------------- */

static enum phase
phase_of(const struct home *home)
{
    struct sf_view value = sf_journal_get(home->journal, TABLE_TRANSFER, home_key());

    return value.data == NULL ? PHASE_NONE : (enum phase)value.data[0];
}

/* What a node does after a start: files without a fact go, those with one are opened. */
static int
recover(struct home *home, struct sf_spool **ret_spool)
{
    enum phase phase;
    struct waited waited;
    size_t count;
    int status = home_open(home);

    *ret_spool = NULL;
    if (status != SF_OK) {
        return status;
    }
    phase = phase_of(home);
    (void)sf_spools_list(home->spools, &count);
    home_op_init(home, &waited);
    if (phase == PHASE_NONE || phase == PHASE_FINAL) {
        if (count > 0) {
            sf_spools_unlink(home->spools, &waited.op);
            status = home_op_finish(home, &waited);
        }
        return status;
    }
    waited.op.slots = phase == PHASE_COUNTED ? COUNT : SLOTS;
    sf_spool_reopen(home->spools, &waited.op);
    status = home_op_finish(home, &waited);
    *ret_spool = waited.op.spool;
    return status;
}

static void
check_bundle(struct home *home, struct sf_spool *spool, uint8_t table, uint64_t index)
{
    static _Alignas(4096) uint8_t object[CLASS_BYTES];
    static uint8_t expected[CLASS_BYTES];
    struct waited waited = {
        .io = {.done = home_io_done, .spool = spool, .index = index, .bytes = CLASS_BYTES}};
    const uint8_t *tag = sf_journal_tag(home->journal, table, home_key(), index);
    uint8_t expected_tag[32];

    waited.io.owner = &waited;
    waited.io.data = object;
    sf_spool_get(&waited.io);
    EXPECT(home_wait(home, &waited.is_done) == SF_OK && waited.io.status == SF_OK);
    home_make_bundle(index, expected);
    home_make_tag(index, expected_tag);
    EXPECT(memcmp(object, expected, CLASS_BYTES) == 0);
    EXPECT(tag != NULL && memcmp(tag, expected_tag, 32) == 0);
}

static void
check_bundles(struct home *home, const struct promise *promise, struct sf_spool *spool)
{
    const struct sf_range_set *held = sf_journal_set_of(home->journal, TABLE_HELD, home_key());
    const struct sf_range_set *orphans = sf_journal_set_of(home->journal, TABLE_ORPHAN, home_key());

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
    home_drop(&home);
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
    home_drop(home);
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
    EXPECT(home_run(&home) == SF_OK);
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
    (void)home_run(&home); /* may well end in an error: only promises count */
    promise = home.promise;
    sf_sim_disk_cut(sim);
    home_drop(&home);
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
