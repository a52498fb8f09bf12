/* Tests of store/vault: secrets kept, secrets gone, and each row of the recovery table. */
#include "base/crypto.h"
#include "base/master.h"
#include "base/prng.h"
#include "store/vault.h"
#include "tests/unit/store_steps.h"

enum { BLOCK = 4096 };

static struct sf_vault *vault;
static struct sf_recovery recovery;
static struct sf_prng prng;
static struct sf_random generator;
static const uint8_t *master; /* NULL: the home has none */

static int
try_open(void)
{
    struct sf_vault_config config = {
        .disk = disk, .random = &generator, .master = master, .ret_recovery = &recovery};

    vault = NULL;
    return sf_vault_open(&config, &vault);
}

static void
start(void)
{
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    sf_prng_init(&prng, 3);
    generator = sf_prng_random(&prng);
    start_disk(NULL);
    REQUIRE_EQ(try_open(), SF_OK);
}

static void
end(void)
{
    sf_vault_close(vault);
    end_disk();
}

static void
crash(enum sf_sim_damage_model model)
{
    sf_sim_disk_cut(sim);
    sf_vault_drop(vault);
    sf_sim_disk_restart(sim, model, 1);
}

struct waited {
    bool is_done;
    struct sf_vault_op op;
};

static void
op_done(struct sf_vault_op *op)
{
    ((struct waited *)op->owner)->is_done = true;
}

static void
prepare(struct waited *waited, uint8_t name)
{
    *waited = (struct waited){.op = {.done = op_done, .owner = waited}};
    memset(waited->op.key, name, SF_VAULT_KEY_BYTES);
}

static int
finish(struct waited *waited)
{
    CHECK(!waited->is_done);
    wait_for(&waited->is_done);
    return waited->op.status;
}

static int
put(uint8_t name, const char *secret)
{
    struct waited waited;

    prepare(&waited, name);
    sf_vault_put(vault, &waited.op, text_view(secret), 0);
    return finish(&waited);
}

static int
erase(uint8_t name)
{
    struct waited waited;

    prepare(&waited, name);
    sf_vault_erase(vault, &waited.op, 0);
    sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
    return finish(&waited);
}

static bool
holds(uint8_t name, const char *secret)
{
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t out[SF_VAULT_SECRET_BYTES_MAX];
    size_t bytes = 0;
    int status;

    memset(key, name, sizeof(key));
    status = sf_vault_get(vault, key, out, sizeof(out), &bytes);
    if (secret == NULL) {
        return status == SF_ENOENT;
    }
    return status == SF_OK && sf_view_equal(sf_view(out, bytes), text_view(secret));
}

/* What stands in a file now, to be looked for later. */
struct trace {
    uint8_t kek[32];
    uint8_t sealed[4][64];
    size_t count;
};

static void
take_trace(struct trace *trace)
{
    size_t bytes;
    uint8_t *data = take_file("kek", &bytes);

    trace->count = 0;
    for (size_t at = 0; at + BLOCK <= bytes; at += BLOCK) {
        if (data[at] != 0) {
            memcpy(trace->kek, data + at + 32, 32);
        }
    }
    free(data);
    data = take_file("vault", &bytes);
    for (size_t at = 0; at + BLOCK <= bytes && trace->count < 4; at += BLOCK) {
        if (data[at] != 0) {
            memcpy(trace->sealed[trace->count++], data + at + 32, 64);
        }
    }
    free(data);
}

static bool
is_anywhere(const struct trace *trace)
{
    bool found = sf_sim_disk_grep(sim, sf_view(trace->kek, 32), NULL, 0);

    for (size_t i = 0; i < trace->count; i++) {
        found |= sf_sim_disk_grep(sim, sf_view(trace->sealed[i], 64), NULL, 0);
    }
    return found;
}

static void
test_put_and_get(void)
{
    uint8_t key[SF_VAULT_KEY_BYTES] = {0};
    uint8_t out[4];
    size_t bytes;
    uint32_t cursor = 0;
    struct sf_vault_stats stats;

    start();
    CHECK(holds(1, NULL));
    CHECK_EQ(put(1, "first"), SF_OK);
    CHECK_EQ(put(2, "second"), SF_OK);
    CHECK(holds(1, "first") && holds(2, "second"));
    memset(key, 1, sizeof(key));
    CHECK_EQ(sf_vault_get(vault, key, out, sizeof(out), &bytes), SF_ELIMIT);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK(holds(1, "first") && holds(2, "second"));
    CHECK(sf_vault_next(vault, &cursor, key));
    CHECK(sf_vault_next(vault, &cursor, key));
    CHECK(!sf_vault_next(vault, &cursor, key));
    sf_vault_stats(vault, &stats);
    CHECK_EQ(stats.secrets, 2);
    CHECK(!sf_sim_disk_grep(sim, text_view("first"), NULL, 0));
    end();
}

static void
test_limits(void)
{
    static uint8_t big[SF_VAULT_SECRET_BYTES_MAX + 1];
    struct waited waited;

    start();
    prepare(&waited, 1);
    sf_vault_put(vault, &waited.op, sf_view(big, sizeof(big)), 0);
    CHECK_EQ(finish(&waited), SF_EINVAL);
    prepare(&waited, 1);
    sf_vault_put(vault, &waited.op, sf_view(big, 0), 0);
    CHECK_EQ(finish(&waited), SF_EINVAL);
    prepare(&waited, 1);
    sf_vault_put(vault, &waited.op, sf_view(big, sizeof(big) - 1), 0);
    CHECK_EQ(finish(&waited), SF_OK);
    prepare(&waited, 9);
    sf_vault_erase(vault, &waited.op, 0);
    CHECK_EQ(finish(&waited), SF_ENOENT);
    end();
}

static void
test_erase_leaves_nothing(void)
{
    struct waited waited;
    struct trace trace;

    start();
    CHECK_EQ(put(1, "goes"), SF_OK);
    CHECK_EQ(put(2, "stays"), SF_OK);
    take_trace(&trace);
    CHECK_EQ(trace.count, 2);
    CHECK(is_anywhere(&trace));
    CHECK_EQ(sf_vault_deadline(vault), SF_NEVER);
    prepare(&waited, 1);
    sf_vault_erase(vault, &waited.op, 5 * SF_SEC);
    CHECK(holds(1, NULL));
    CHECK_EQ(sf_vault_deadline(vault), 5 * SF_SEC + SF_VAULT_ERASE_WITHIN);
    CHECK(SF_VAULT_ERASE_WITHIN < 60 * SF_SEC);
    sf_vault_tick(vault, 5 * SF_SEC);
    (void)sf_disk_poll(disk);
    CHECK(!waited.is_done);
    sf_vault_tick(vault, 5 * SF_SEC + SF_VAULT_ERASE_WITHIN);
    CHECK_EQ(finish(&waited), SF_OK);
    CHECK(!is_anywhere(&trace));
    CHECK(holds(2, "stays"));
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    CHECK(!is_anywhere(&trace));
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'B');
    CHECK(holds(1, NULL) && holds(2, "stays"));
    end();
}

static void
test_erase_unrotated_comes_back(void)
{
    struct waited waited;

    start();
    CHECK_EQ(put(1, "goes"), SF_OK);
    prepare(&waited, 1);
    sf_vault_erase(vault, &waited.op, 0);
    CHECK(holds(1, NULL));
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK(holds(1, "goes"));
    CHECK_EQ(erase(1), SF_OK);
    CHECK(holds(1, NULL));
    end();
}

static void
test_replace(void)
{
    struct trace trace;

    start();
    CHECK_EQ(put(1, "old"), SF_OK);
    take_trace(&trace);
    CHECK_EQ(put(1, "new"), SF_OK);
    CHECK(holds(1, "new"));
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK(holds(1, "new"));
    CHECK(sf_vault_deadline(vault) != SF_NEVER);
    sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
    CHECK_EQ(put(2, "other"), SF_OK); /* waits for the rotation */
    CHECK(!is_anywhere(&trace));
    CHECK(holds(1, "new"));
    end();
}

static void
test_erase_of_a_put_under_way(void)
{
    struct waited putting;
    struct waited erasing;
    struct trace trace;

    start();
    CHECK_EQ(put(3, "stays"), SF_OK);
    prepare(&putting, 1);
    sf_vault_put(vault, &putting.op, text_view("short life"), 0);
    prepare(&erasing, 1);
    sf_vault_erase(vault, &erasing.op, 0);
    CHECK(holds(1, NULL));
    sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
    CHECK_EQ(finish(&putting), SF_OK);
    take_trace(&trace);
    while (!erasing.is_done) {
        sf_vault_tick(vault, 2 * SF_VAULT_ERASE_WITHIN);
        if (!sf_disk_poll(disk)) {
            disk->wait(disk);
        }
    }
    CHECK_EQ(erasing.op.status, SF_OK);
    CHECK(!is_anywhere(&trace));
    CHECK(holds(3, "stays"));
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK(holds(1, NULL) && holds(3, "stays"));
    end();
}

static void
test_many(void)
{
    struct waited waited[200];
    struct sf_vault_stats stats;

    start();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            prepare(&waited[i], (uint8_t)i);
            sf_vault_put(vault, &waited[i].op, text_view(round == 2 ? "last" : "early"), 0);
        }
        for (int i = 0; i < 200; i++) {
            wait_for(&waited[i].is_done);
            CHECK_EQ(waited[i].op.status, SF_OK);
        }
    }
    for (int i = 0; i < 200; i += 2) {
        prepare(&waited[i], (uint8_t)i);
        sf_vault_erase(vault, &waited[i].op, 0);
    }
    sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
    for (int i = 0; i < 200; i += 2) {
        wait_for(&waited[i].is_done);
        CHECK_EQ(waited[i].op.status, SF_OK);
    }
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    sf_vault_stats(vault, &stats);
    CHECK_EQ(stats.secrets, 100);
    for (int i = 0; i < 200; i++) {
        CHECK(holds((uint8_t)i, i % 2 == 0 ? NULL : "last"));
    }
    end();
}

static void
fail_next(enum sf_disk_kind kind, enum sf_sim_fault_kind fault_kind)
{
    struct sf_sim_fault fault = {
        .kind = fault_kind, .operation = sf_sim_disk_operations(sim), .op_kinds = 1U << kind};

    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
}

static void
test_no_space(void)
{
    start();
    fail_next(SF_DISK_ALLOCATE, SF_SIM_FAULT_ENOSPC);
    CHECK_EQ(put(1, "no room"), SF_ENOSPC);
    CHECK(holds(1, NULL));
    CHECK(!sf_vault_failed(vault));
    CHECK_EQ(put(1, "room"), SF_OK);
    /* A rotation wants no space: both halves were allocated. */
    sf_sim_disk_set_capacity(sim, 1);
    CHECK_EQ(put(2, "room too"), SF_OK);
    CHECK_EQ(erase(1), SF_OK);
    CHECK(holds(2, "room too"));
    end();
}

static void
test_errors_kill(void)
{
    start();
    CHECK_EQ(put(1, "kept"), SF_OK);
    fail_next(SF_DISK_SYNC, SF_SIM_FAULT_EIO);
    CHECK_EQ(put(2, "lost"), SF_EIO);
    CHECK(sf_vault_failed(vault));
    CHECK_EQ(put(3, "lost"), SF_EIO);
    CHECK_EQ(erase(1), SF_EIO);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK(holds(1, "kept") && holds(2, NULL));
    for (int kind = 0; kind < 2; kind++) {
        fail_next(kind == 0 ? SF_DISK_WRITE : SF_DISK_SYNC, SF_SIM_FAULT_EIO);
        CHECK_EQ(erase(1), SF_EIO);
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK(holds(1, "kept"));
    }
    end();
}

/*
 * A sync that failed has dropped what it covered, yet a process that starts
 * anew reads it, and the next sync is fine: every operation of a rotation in turn.
 */
static void
test_only_the_cache_had_it(void)
{
    bool was_hit = true;

    for (uint64_t operation = 0; was_hit; operation++) {
        struct sf_sim_fault fault = {.kind = SF_SIM_FAULT_EIO, .op_kinds = 1U << SF_DISK_SYNC};

        start();
        CHECK_EQ(put(1, "goes"), SF_OK);
        CHECK_EQ(put(2, "stays"), SF_OK);
        fault.operation = sf_sim_disk_operations(sim) + operation;
        REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
        was_hit = erase(1) == SF_EIO;
        sf_sim_disk_heal(sim);
        crash(SF_SIM_DAMAGE_KEEP_ALL);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK(holds(2, "stays"));
        CHECK_EQ(put(3, "came later"), SF_OK);
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK(holds(2, "stays") && holds(3, "came later"));
        end();
    }
}

/* --- The recovery table -------------------------------------------------------- */

static void
test_row_a(void)
{
    start();
    CHECK_EQ(recovery.row, 'A');
    sf_vault_close(vault);
    /* A torn first KEK, and nothing sealed under it. */
    REQUIRE_EQ(sf_sim_disk_rot(sim, "kek", BLOCK + 40, 1), SF_OK);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'A');
    CHECK_EQ(put(1, "one"), SF_OK);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'B');
    CHECK(holds(1, "one"));
    end();
}

/* Cut a rotation at each of its operations; say which rows that gave. */
static void
test_rows_c_and_d(void)
{
    bool seen[128] = {false};

    for (uint64_t operation = 0; operation < 12; operation++) {
        for (int model = 0; model < SF_SIM_DAMAGE_MODELS; model++) {
            struct waited waited;
            struct trace trace;

            start();
            CHECK_EQ(put(1, "goes"), SF_OK);
            CHECK_EQ(put(2, "stays"), SF_OK);
            take_trace(&trace);
            sf_sim_disk_cut_at(sim, sf_sim_disk_operations(sim) + operation);
            prepare(&waited, 1);
            sf_vault_erase(vault, &waited.op, 0);
            sf_vault_tick(vault, SF_VAULT_ERASE_WITHIN);
            while (!waited.is_done) {
                if (!sf_disk_poll(disk)) {
                    disk->wait(disk);
                }
            }
            crash((enum sf_sim_damage_model)model);
            sf_sim_disk_cut_at(sim, SF_NEVER);
            REQUIRE_EQ(try_open(), SF_OK);
            seen[(int)recovery.row] = true;
            CHECK(holds(2, "stays"));
            CHECK(holds(1, "goes") || !is_anywhere(&trace));
            CHECK(waited.op.status == SF_EIO || holds(1, NULL));
            sf_vault_close(vault);
            REQUIRE_EQ(try_open(), SF_OK);
            CHECK_EQ(recovery.row, 'B');
            end();
        }
    }
    CHECK(seen['B'] && seen['C'] && seen['D']);
}

static void
test_row_e(void)
{
    struct sf_vault_stats stats;

    start();
    CHECK_EQ(put(1, "rots"), SF_OK);
    CHECK_EQ(put(2, "stays"), SF_OK);
    sf_vault_close(vault);
    REQUIRE_EQ(sf_sim_disk_rot(sim, "vault", BLOCK + 100, 1), SF_OK);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'E');
    sf_vault_stats(vault, &stats);
    CHECK_EQ(stats.slots_discarded, 1);
    CHECK(holds(1, NULL) && holds(2, "stays"));
    sf_vault_close(vault);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'B');
    end();
}

static void
test_row_f(void)
{
    uint64_t hash;

    start();
    CHECK_EQ(put(1, "lost"), SF_OK);
    sf_vault_close(vault);
    REQUIRE_EQ(sf_sim_disk_rot(sim, "kek", BLOCK + 40, 1), SF_OK);
    hash = sf_sim_disk_hash(sim);
    CHECK_EQ(try_open(), SF_EFORMAT);
    CHECK_EQ(recovery.row, 'F');
    CHECK_EQ(sf_sim_disk_hash(sim), hash);
    end_disk();
}

static void
test_row_g(void)
{
    size_t bytes = (size_t)SF_VAULT_SLOTS_MAX * 2 * BLOCK + 1;
    uint8_t *data = calloc(1, bytes);

    start();
    sf_vault_close(vault);
    REQUIRE(data != NULL);
    put_file("vault", data, bytes);
    free(data);
    CHECK_EQ(try_open(), SF_EFORMAT);
    CHECK_EQ(recovery.row, 'G');
    end_disk();
}

/* Whatever bit flips, a secret is there as it was or not at all. */
static void
test_every_bit(void)
{
    size_t bytes;
    uint8_t *data;

    start();
    CHECK_EQ(put(1, "secret"), SF_OK);
    sf_vault_close(vault);
    data = take_file("vault", &bytes);
    for (size_t bit = 0; bit < 400 * 8; bit++) {
        data[BLOCK + bit / 8] = (uint8_t)(data[BLOCK + bit / 8] ^ 1U << bit % 8);
        put_file("vault", data, bytes);
        data[BLOCK + bit / 8] = (uint8_t)(data[BLOCK + bit / 8] ^ 1U << bit % 8);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK_EQ(recovery.row, 'E');
        CHECK(holds(1, NULL));
        sf_vault_close(vault);
    }
    free(data);
    end_disk();
}

static const uint8_t one_master[SF_MASTER_BYTES] = {1};
static const uint8_t other_master[SF_MASTER_BYTES] = {2};

/* Whether a block of `kek` holds a KEK that no passphrase keeps. */
static bool
is_kek_bare(void)
{
    size_t bytes;
    uint8_t *data = take_file("kek", &bytes);
    bool is_bare = false;

    for (size_t at = 0; at + BLOCK <= bytes; at += BLOCK) {
        is_bare |= data[at] != 0 && sf_get_be32(data + at + 16) == 1;
    }
    free(data);
    return is_bare;
}

static void
test_master(void)
{
    master = one_master;
    start();
    CHECK_EQ(put('a', "a secret"), SF_OK);
    CHECK(!is_kek_bare());
    sf_vault_close(vault);
    master = other_master;
    CHECK_EQ(try_open(), SF_EAUTH);
    CHECK(strstr(recovery.text, "another master key") != NULL);
    master = NULL;
    CHECK_EQ(try_open(), SF_EAUTH);
    master = one_master;
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK(holds('a', "a secret"));
    master = NULL;
    end();
}

static void
test_master_later(void)
{
    start();
    CHECK_EQ(put('a', "a secret"), SF_OK);
    CHECK(is_kek_bare());
    sf_vault_close(vault);
    master = one_master;
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(sf_vault_deadline(vault), 0);
    sf_vault_tick(vault, SF_SEC);
    for (unsigned i = 0; i < 1000 && is_kek_bare(); i++) {
        (void)sf_disk_poll(disk);
    }
    CHECK(!is_kek_bare());
    CHECK(holds('a', "a secret"));
    master = NULL;
    end();
}

CHECK_MAIN("vault", {"a secret is kept sealed and read back, also after a crash", test_put_and_get},
    {"limits are answered, not passed", test_limits},
    {"an erase leaves neither the old KEK nor anything under it", test_erase_leaves_nothing},
    {"an erase that did not come to its rotation is undone by a crash",
        test_erase_unrotated_comes_back},
    {"a replaced secret vanishes, the new one holds", test_replace},
    {"a put that is erased while it waits leaves nothing", test_erase_of_a_put_under_way},
    {"many secrets share syncs, grow the file and survive a rotation", test_many},
    {"a put without space is refused and does not kill", test_no_space},
    {"a failed write or sync kills the vault and loses nothing", test_errors_kill},
    {"what only the cache had after a failed sync is on the disk after an open",
        test_only_the_cache_had_it},
    {"rows A and B: a first start, a torn one, and a whole vault", test_row_a},
    {"rows C and D: a rotation cut anywhere is undone or finished", test_rows_c_and_d},
    {"row E: a slot that does not open is wiped", test_row_e},
    {"row F: secrets without a KEK refuse", test_row_f},
    {"row G: more slots than allowed refuse", test_row_g},
    {"no flipped bit becomes a secret", test_every_bit},
    {"under a master key the KEK opens with that key alone", test_master},
    {"a bare KEK is replaced by a sealed one once there is a master key", test_master_later})
