/* Tests of store/journal: compaction, a model of it all, and its size. */
#include "base/prng.h"
#include "tests/unit/journal_steps.h"

/* --- Compaction ------------------------------------------------------------------------ */

static void
fill(int rounds)
{
    static uint8_t value[32 * 1024];
    uint8_t number[4];

    for (int i = 0; i < rounds; i++) {
        sf_put_be32(number, (uint32_t)i % 8);
        sf_put_be32(value, (uint32_t)i);
        CHECK_EQ(sf_journal_set(journal, TABLE, sf_view(number, 4), sf_view(value, sizeof(value))),
            SF_OK);
        CHECK_EQ(commit(), SF_OK);
    }
}

static bool
is_filled(int rounds)
{
    uint8_t number[4];

    for (int i = rounds - 8; i < rounds; i++) {
        struct sf_view got;

        sf_put_be32(number, (uint32_t)i % 8);
        got = sf_journal_get(journal, TABLE, sf_view(number, 4));
        if (got.bytes != 32 * 1024 || sf_get_be32(got.data) != (uint32_t)i) {
            return false;
        }
    }
    return true;
}

static void
test_compaction(void)
{
    struct sf_journal_stats stats;

    start();
    set("kept", "value");
    CHECK_EQ(sf_journal_add(journal, 3, text_view("s"), 5, 9, NULL), SF_OK);
    fill(200);
    sf_journal_stats(journal, &stats);
    CHECK(stats.compactions > 0);
    CHECK(stats.file_bytes <= 2 * stats.live_bytes + (2 << 20));
    CHECK(is_filled(200));
    sf_journal_close(journal);
    open_journal();
    CHECK_EQ(recovery.row, 'C');
    CHECK(is_filled(200));
    CHECK(holds("kept", "value"));
    CHECK_EQ(sf_range_set_total(sf_journal_set_of(journal, 3, text_view("s"))), 4);
    CHECK(!file_exists("journal.new"));
    end();
}

/* What every key must at least say after a crash now. */
static void
check_promised(const uint32_t *promised, size_t count)
{
    struct sf_journal_config config = {.disk = NULL};
    struct sf_journal *other;
    struct sf_sim_disk *clone;

    REQUIRE_EQ(sf_sim_disk_clone(sim, &clone), SF_OK);
    sf_sim_disk_restart(clone, SF_SIM_DAMAGE_LOSE_ALL, 1);
    config.disk = sf_sim_disk_interface(clone);
    REQUIRE_EQ(sf_journal_open(&config, &other), SF_OK);
    for (size_t i = 0; i < count; i++) {
        uint8_t name = (uint8_t)i;
        struct sf_view got = sf_journal_get(other, TABLE, sf_view(&name, 1));

        CHECK(promised[i] == 0 || (got.bytes >= 4 && sf_get_be32(got.data) >= promised[i]));
    }
    sf_journal_close(other);
    sf_sim_disk_close(clone);
}

static void
test_compaction_under_load(void)
{
    enum { ROUNDS = 900, KEYS = 16 };
    static struct step_commit steps[ROUNDS];
    static uint8_t value[8 * 1024];
    struct sf_sim_disk_config config = {.seed = 9, .latency_min_ns = 1000, .latency_max_ns = 9000};
    uint32_t promised[KEYS] = {0};
    struct sf_journal_stats stats;

    /* Commits that come at any moment of a compaction, and a crash after each step. */
    start_disk(&config);
    open_journal();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint8_t name = (uint8_t)(i % KEYS);

        sf_put_be32(value, i + 1);
        REQUIRE_EQ(sf_journal_set(journal, TABLE, sf_view(&name, 1), sf_view(value, sizeof(value))),
            SF_OK);
        step_commit_init(&steps[i]);
        sf_journal_commit(journal, &steps[i].commit);
        sf_sim_disk_advance(sim, (i + 1) * UINT64_C(2000));
        (void)sf_disk_poll(disk);
        for (uint32_t past = i < 100 ? 0 : i - 100; past <= i; past++) {
            if (steps[past].is_done) {
                CHECK_EQ(steps[past].commit.status, SF_OK);
                promised[past % KEYS] = past + 1;
            }
        }
        check_promised(promised, KEYS);
    }
    wait_for(&steps[ROUNDS - 1].is_done);
    sf_journal_stats(journal, &stats);
    CHECK(stats.compactions >= 3);
    end();
}

static void
test_compaction_given_up(void)
{
    struct sf_journal_stats stats;
    struct sf_sim_fault fault = {
        .kind = SF_SIM_FAULT_ENOSPC, .op_kinds = 1U << SF_DISK_OPEN, .for_ever = true};

    start();
    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
    fill(200);
    sf_journal_stats(journal, &stats);
    CHECK_EQ(stats.compactions, 0);
    CHECK(stats.compactions_failed > 0);
    CHECK(stats.compactions_failed < 20);
    sf_sim_disk_heal(sim);
    fill(200);
    sf_journal_stats(journal, &stats);
    CHECK(stats.compactions > 0);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK(is_filled(200));
    end();
}

static void
test_compaction_rename_fails(void)
{
    struct sf_sim_fault fault = {.kind = SF_SIM_FAULT_EIO, .op_kinds = 1U << SF_DISK_RENAME};
    int i;

    start();
    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
    for (i = 0; i < 200 && !sf_journal_failed(journal); i++) {
        static uint8_t value[32 * 1024];

        CHECK_EQ(
            sf_journal_set(journal, TABLE, text_view("k"), sf_view(value, sizeof(value))), SF_OK);
        (void)commit();
    }
    CHECK(sf_journal_failed(journal));
    CHECK_EQ(commit(), SF_EIO);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK(sf_journal_get(journal, TABLE, text_view("k")).data != NULL);
    end();
}

/* --- Against a model ---------------------------------------------------------------------- */

enum { MODEL_KEYS = 6, MODEL_NUMBERS = 700 };

struct model_key {
    bool has_value;
    bool has_set;
    uint8_t value[40];
    size_t value_bytes;
    bool in[MODEL_NUMBERS];
    bool tagged[MODEL_NUMBERS];
    uint8_t tags[MODEL_NUMBERS][32];
};

struct model {
    struct model_key keys[MODEL_KEYS];
};

static void
random_fact(struct sf_prng *prng, struct model *model)
{
    uint8_t name = (uint8_t)sf_prng_below(prng, MODEL_KEYS);
    struct model_key *key = &model->keys[name];
    struct sf_view view = sf_view(&name, 1);
    uint64_t from = sf_prng_below(prng, MODEL_NUMBERS);
    uint64_t to = from + sf_prng_below(prng, MODEL_NUMBERS - from) / (1 + sf_prng_below(prng, 40));
    static uint8_t tags[MODEL_NUMBERS][32];
    uint64_t which = sf_prng_below(prng, 100);

    if (which < 20) {
        key->has_value = true;
        key->value_bytes = (size_t)sf_prng_below(prng, sizeof(key->value) + 1);
        sf_prng_fill(prng, key->value, key->value_bytes);
        CHECK_EQ(
            sf_journal_set(journal, TABLE, view, sf_view(key->value, key->value_bytes)), SF_OK);
    } else if (which < 45) {
        bool is_tagged = which < 40;

        sf_prng_fill(prng, tags, sizeof(tags));
        key->has_set = true;
        for (uint64_t i = from; i < to; i++) {
            key->in[i] = true;
            if (is_tagged) {
                key->tagged[i] = true;
                memcpy(key->tags[i], tags[i - from], 32);
            }
        }
        CHECK_EQ(sf_journal_add(journal, TABLE, view, from, to, is_tagged ? tags[0] : NULL), SF_OK);
    } else if (which < 85) {
        for (uint64_t i = from; i < to; i++) {
            key->in[i] = false;
            key->tagged[i] = false;
        }
        CHECK_EQ(sf_journal_remove(journal, TABLE, view, from, to), SF_OK);
    } else if (which < 95) {
        memset(key->tagged, 0, sizeof(key->tagged));
        CHECK_EQ(sf_journal_drop_tags(journal, TABLE, view), SF_OK);
    } else {
        memset(key, 0, sizeof(*key));
        CHECK_EQ(sf_journal_unset(journal, TABLE, view), SF_OK);
    }
}

static bool
matches(const struct model *model)
{
    for (uint8_t name = 0; name < MODEL_KEYS; name++) {
        const struct model_key *key = &model->keys[name];
        struct sf_view view = sf_view(&name, 1);
        struct sf_view value = sf_journal_get(journal, TABLE, view);
        const struct sf_range_set *numbers = sf_journal_set_of(journal, TABLE, view);

        if ((value.data != NULL) != key->has_value || (numbers != NULL) != key->has_set ||
            (key->has_value && !sf_view_equal(value, sf_view(key->value, key->value_bytes)))) {
            return false;
        }
        for (uint64_t i = 0; key->has_set && i < MODEL_NUMBERS; i++) {
            const uint8_t *tag = sf_journal_tag(journal, TABLE, view, i);

            if (sf_range_set_has(numbers, i) != key->in[i] || (tag != NULL) != key->tagged[i] ||
                (tag != NULL && memcmp(tag, key->tags[i], 32) != 0)) {
                return false;
            }
        }
    }
    return true;
}

static void
test_model(void)
{
    static struct model model;
    struct sf_sim_disk_config config = {.seed = 5, .latency_min_ns = 1, .latency_max_ns = 5000};
    uint64_t compactions = 0;
    struct sf_journal_stats stats;
    struct sf_prng prng;

    memset(&model, 0, sizeof(model));
    sf_prng_init(&prng, 20);
    start_disk(&config);
    open_journal();
    for (int round = 0; round < 6000; round++) {
        static struct step_commit steps[4];

        random_fact(&prng, &model);
        step_commit_init(&steps[round % 4]);
        sf_journal_commit(journal, &steps[round % 4].commit);
        if (round % 4 == 3) {
            for (int i = 0; i < 4; i++) {
                wait_for(&steps[i].is_done);
                CHECK_EQ(steps[i].commit.status, SF_OK);
            }
        }
        if (round % 1000 == 999) {
            CHECK(matches(&model));
            sf_journal_stats(journal, &stats);
            compactions += stats.compactions;
            if (round % 2000 == 999) {
                sf_journal_close(journal);
            } else {
                crash(SF_SIM_DAMAGE_LOSE_ALL);
            }
            open_journal();
            CHECK(matches(&model));
        }
    }
    CHECK(compactions > 3);
    end();
}

/* --- Size ------------------------------------------------------------------------------------ */

static void
test_scale(void)
{
    enum { BUNDLES = 668000, GROUP = 256 };
    struct sf_view key = text_view("a transfer of 700 GB");
    struct sf_journal_stats stats;
    uint8_t tag[32] = {0};
    struct sf_sim_disk_stats before;
    struct sf_sim_disk_stats after;

    start();
    for (uint32_t i = 0; i < BUNDLES; i++) {
        sf_put_be32(tag, i);
        if (sf_journal_add(journal, TABLE, key, i, i + 1, tag) != SF_OK) {
            CHECK(false);
            break;
        }
        if (i % GROUP == GROUP - 1) {
            REQUIRE_EQ(commit(), SF_OK);
        }
    }
    CHECK_EQ(commit(), SF_OK);
    sf_journal_stats(journal, &stats);
    CHECK_EQ(stats.tags, BUNDLES);
    CHECK(stats.live_bytes < 24 << 20);
    CHECK(stats.file_bytes < 64 << 20);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    sf_sim_disk_get_stats(sim, &before);
    open_journal();
    sf_sim_disk_get_stats(sim, &after);
    CHECK(after.bytes_read - before.bytes_read <= stats.file_bytes + BLOCK);
    CHECK_EQ(sf_range_set_total(sf_journal_set_of(journal, TABLE, key)), BUNDLES);
    CHECK_EQ(sf_get_be32(sf_journal_tag(journal, TABLE, key, 600000)), 600000);
    end();
}

CHECK_MAIN("journal compaction",
    {"compaction keeps what is true and drops the rest", test_compaction},
    {"commits at any moment of a compaction hold", test_compaction_under_load},
    {"a compaction without space is given up and tried again later", test_compaction_given_up},
    {"a rename that fails in a compaction kills the journal", test_compaction_rename_fails},
    {"random facts match a model across compactions and crashes", test_model},
    {"668,000 bundles are recovered in one pass over the file", test_scale})
