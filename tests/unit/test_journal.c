/* Tests of store/journal: facts, group commit, compaction, and each row of the recovery table. */
#include "base/crc32c.h"
#include "base/prng.h"
#include "store/journal.h"
#include "tests/unit/store_steps.h"

enum { BLOCK = 4096, TABLE = 7 };

static struct sf_journal *journal;
static struct sf_recovery recovery;

static int
try_open(void)
{
    struct sf_journal_config config = {.disk = disk, .ret_recovery = &recovery};

    journal = NULL;
    return sf_journal_open(&config, &journal);
}

static void
open_journal(void)
{
    REQUIRE_EQ(try_open(), SF_OK);
}

static void
start(void)
{
    start_disk(NULL);
    open_journal();
}

static void
end(void)
{
    sf_journal_close(journal);
    end_disk();
}

static int
commit(void)
{
    struct step_commit step;

    step_commit_init(&step);
    sf_journal_commit(journal, &step.commit);
    CHECK(!step.is_done);
    wait_for(&step.is_done);
    return step.commit.status;
}

static void
set(const char *key, const char *value)
{
    CHECK_EQ(sf_journal_set(journal, TABLE, text_view(key), text_view(value)), SF_OK);
}

static bool
holds(const char *key, const char *value)
{
    struct sf_view got = sf_journal_get(journal, TABLE, text_view(key));

    return value == NULL ? got.data == NULL : sf_view_equal(got, text_view(value));
}

/* Power off without a word, and on again. */
static void
crash(enum sf_sim_damage_model model)
{
    sf_sim_disk_cut(sim);
    sf_journal_drop(journal);
    sf_sim_disk_restart(sim, model, 1);
}

/* --- Facts --------------------------------------------------------------------- */

static void
test_values(void)
{
    start();
    CHECK(holds("a", NULL));
    set("a", "one");
    CHECK(holds("a", "one"));
    set("a", "two");
    set("empty", "");
    CHECK(holds("a", "two"));
    CHECK(holds("empty", ""));
    CHECK(sf_journal_get(journal, TABLE, text_view("empty")).data != NULL);
    CHECK_EQ(sf_journal_unset(journal, TABLE, text_view("a")), SF_OK);
    CHECK(holds("a", NULL));
    CHECK(sf_journal_get(journal, TABLE + 1, text_view("empty")).data == NULL);
    end();
}

static void
test_sets(void)
{
    uint8_t tags[3 * 32];
    const struct sf_range_set *numbers;
    struct sf_view key = text_view("set");

    start();
    for (size_t i = 0; i < sizeof(tags); i++) {
        tags[i] = (uint8_t)i;
    }
    CHECK(sf_journal_set_of(journal, TABLE, key) == NULL);
    CHECK_EQ(sf_journal_add(journal, TABLE, key, 254, 257, tags), SF_OK);
    CHECK_EQ(sf_journal_add(journal, TABLE, key, 10, 20, NULL), SF_OK);
    numbers = sf_journal_set_of(journal, TABLE, key);
    REQUIRE(numbers != NULL);
    CHECK_EQ(sf_range_set_total(numbers), 13);
    CHECK_BYTES(sf_journal_tag(journal, TABLE, key, 256), tags + 64, 32);
    CHECK(sf_journal_tag(journal, TABLE, key, 15) == NULL);
    CHECK(sf_journal_tag(journal, TABLE, key, 257) == NULL);
    CHECK_EQ(sf_journal_add(journal, TABLE, key, 254, 257, NULL), SF_OK);
    CHECK_BYTES(sf_journal_tag(journal, TABLE, key, 254), tags, 32);
    CHECK_EQ(sf_journal_remove(journal, TABLE, key, 255, 300), SF_OK);
    CHECK(sf_journal_tag(journal, TABLE, key, 255) == NULL);
    CHECK_BYTES(sf_journal_tag(journal, TABLE, key, 254), tags, 32);
    CHECK_EQ(sf_journal_drop_tags(journal, TABLE, key), SF_OK);
    CHECK(sf_journal_tag(journal, TABLE, key, 254) == NULL);
    CHECK_EQ(sf_range_set_total(sf_journal_set_of(journal, TABLE, key)), 11);
    CHECK_EQ(sf_journal_unset(journal, TABLE, key), SF_OK);
    CHECK(sf_journal_set_of(journal, TABLE, key) == NULL);
    CHECK_EQ(sf_journal_add(journal, TABLE, key, 5, 5, NULL), SF_OK);
    CHECK(sf_journal_set_of(journal, TABLE, key) != NULL);
    end();
}

static void
test_limits(void)
{
    static uint8_t big[SF_JOURNAL_VALUE_BYTES_MAX + 1];
    struct sf_view key = sf_view(big, SF_JOURNAL_KEY_BYTES_MAX);
    struct sf_view long_key = sf_view(big, SF_JOURNAL_KEY_BYTES_MAX + 1);
    struct sf_view none = sf_view(big, 0);

    start();
    CHECK_EQ(sf_journal_set(journal, 0, none, none), SF_EINVAL);
    CHECK_EQ(sf_journal_set(journal, 0, long_key, none), SF_EINVAL);
    CHECK_EQ(sf_journal_set(journal, 0, key, sf_view(big, sizeof(big))), SF_EINVAL);
    CHECK_EQ(sf_journal_set(journal, 0, key, sf_view(big, sizeof(big) - 1)), SF_OK);
    CHECK_EQ(sf_journal_add(journal, 0, key, 2, 1, NULL), SF_EINVAL);
    CHECK_EQ(sf_journal_add(journal, 0, key, 0, 65537, big), SF_EINVAL);
    CHECK_EQ(sf_journal_remove(journal, 0, key, 2, 1), SF_EINVAL);
    for (uint64_t i = 0; i < SF_JOURNAL_RANGES_MAX; i++) {
        REQUIRE_EQ(sf_journal_add(journal, 1, key, 2 * i, 2 * i + 1, NULL), SF_OK);
    }
    CHECK_EQ(sf_journal_add(journal, 1, key, UINT64_MAX - 1, UINT64_MAX, NULL), SF_ELIMIT);
    CHECK(!sf_range_set_has(sf_journal_set_of(journal, 1, key), UINT64_MAX - 1));
    CHECK_EQ(sf_journal_add(journal, 1, key, 0, 10, NULL), SF_OK);
    CHECK_EQ(commit(), SF_OK);
    CHECK_EQ(sf_journal_add(journal, 1, key, UINT64_MAX - 1, UINT64_MAX, NULL), SF_OK);
    end();
}

static void
test_walk(void)
{
    struct sf_journal_cursor cursor = {0};
    struct sf_view key;
    struct sf_view value;

    start();
    set("b", "1");
    set("a", "2");
    CHECK_EQ(sf_journal_add(journal, TABLE, text_view("s"), 1, 2, NULL), SF_OK);
    CHECK(sf_journal_next(journal, TABLE, &cursor, &key, &value));
    CHECK(sf_view_equal(key, text_view("b")) && sf_view_equal(value, text_view("1")));
    CHECK(sf_journal_next(journal, TABLE, &cursor, &key, &value));
    CHECK(sf_view_equal(key, text_view("a")));
    CHECK(sf_journal_next(journal, TABLE, &cursor, &key, &value));
    CHECK(sf_view_equal(key, text_view("s")) && value.data == NULL);
    CHECK(!sf_journal_next(journal, TABLE, &cursor, &key, &value));
    CHECK(!sf_journal_next(journal, TABLE, &cursor, &key, &value));
    end();
}

/* --- Commits --------------------------------------------------------------------- */

static void
test_uncommitted_is_lost(void)
{
    start();
    set("a", "kept");
    CHECK_EQ(commit(), SF_OK);
    set("a", "lost");
    set("b", "lost");
    crash(SF_SIM_DAMAGE_KEEP_ALL);
    open_journal();
    CHECK(holds("a", "kept"));
    CHECK(holds("b", NULL));
    end();
}

static void
test_group_commit(void)
{
    struct step_commit steps[100];
    struct sf_journal_stats stats;

    start();
    for (int i = 0; i < 100; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i);
        set(key, "v");
        step_commit_init(&steps[i]);
        sf_journal_commit(journal, &steps[i].commit);
    }
    for (int i = 0; i < 100; i++) {
        CHECK(!steps[i].is_done);
    }
    wait_for(&steps[99].is_done);
    for (int i = 0; i < 100; i++) {
        CHECK(steps[i].is_done);
        CHECK_EQ(steps[i].commit.status, SF_OK);
    }
    sf_journal_stats(journal, &stats);
    CHECK_EQ(stats.commits, 2); /* the first at once, all others together */
    end();
}

static void
test_commit_of_nothing(void)
{
    struct sf_journal_stats before;
    struct sf_journal_stats after;

    start();
    sf_journal_stats(journal, &before);
    CHECK_EQ(commit(), SF_OK);
    sf_journal_stats(journal, &after);
    CHECK_EQ(after.file_bytes, before.file_bytes);
    CHECK_EQ(after.commits, 0);
    end();
}

static void
fail_next(enum sf_disk_kind kind, enum sf_sim_fault_kind fault_kind)
{
    struct sf_sim_fault fault = {
        .kind = fault_kind,
        .operation = sf_sim_disk_operations(sim),
        .op_kinds = 1U << kind,
    };

    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
}

static void
check_dead(enum sf_disk_kind kind, enum sf_sim_fault_kind fault_kind)
{
    struct step_commit second;

    start();
    set("a", "held");
    CHECK_EQ(commit(), SF_OK);
    set("a", "not");
    fail_next(kind, fault_kind);
    step_commit_init(&second);
    CHECK_EQ(commit(), SF_EIO);
    CHECK(sf_journal_failed(journal));
    set("b", "not");
    CHECK_EQ(commit(), SF_EIO);
    CHECK_EQ(commit(), SF_EIO);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK(holds("a", "held"));
    CHECK(holds("b", NULL));
    end();
}

static void
test_failed_write(void)
{
    check_dead(SF_DISK_WRITE, SF_SIM_FAULT_EIO);
}

/* --- A full disk ---------------------------------------------------------------- */

static void
poll_idle(void)
{
    while (sf_sim_disk_deadline(sim) != SF_NEVER) {
        (void)sf_disk_poll(disk);
    }
}

/* What finds no room waits; it is durable when it says so, in one piece, and nothing died. */
static void
test_commit_waits_for_room(void)
{
    static const enum sf_sim_fault_kind kinds[] = {SF_SIM_FAULT_ENOSPC, SF_SIM_FAULT_SHORT};

    for (size_t i = 0; i < 2; i++) {
        struct step_commit step;
        struct step_commit later;
        uint64_t need;

        start();
        set("a", "held");
        CHECK_EQ(commit(), SF_OK);
        CHECK(!sf_journal_is_tight(journal, &need));
        set("a", "waits");
        fail_next(SF_DISK_WRITE, kinds[i]);
        step_commit_init(&step);
        step_commit_init(&later);
        sf_journal_commit(journal, &step.commit);
        poll_idle();
        CHECK(!step.is_done);
        CHECK(!sf_journal_failed(journal));
        CHECK(sf_journal_is_tight(journal, &need));
        set("b", "behind it");
        sf_journal_commit(journal, &later.commit);
        poll_idle();
        CHECK(!later.is_done);
        sf_journal_retry(journal);
        wait_for(&later.is_done);
        CHECK(step.is_done);
        CHECK_EQ(step.commit.status, SF_OK);
        CHECK(!sf_journal_is_tight(journal, &need));
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        open_journal();
        CHECK(holds("a", "waits"));
        CHECK(holds("b", "behind it"));
        end();
    }
}

/* A crash while a commit waits for room: it was never reported, and what was is there. */
static void
test_crash_while_waiting_for_room(void)
{
    struct step_commit step;

    start();
    set("a", "held");
    CHECK_EQ(commit(), SF_OK);
    set("a", "not");
    fail_next(SF_DISK_WRITE, SF_SIM_FAULT_SHORT);
    step_commit_init(&step);
    sf_journal_commit(journal, &step.commit);
    poll_idle();
    CHECK(!step.is_done);
    crash(SF_SIM_DAMAGE_KEEP_ALL);
    open_journal();
    CHECK(holds("a", "held"));
    end();
}

/* Others take the last block: what was reserved beforehand holds a thousand commits more. */
static void
test_headroom(void)
{
    struct sf_sim_disk_stats stats;
    uint64_t need = 0;
    unsigned commits = 0;

    start();
    set("a", "held");
    CHECK_EQ(commit(), SF_OK);
    sf_sim_disk_get_stats(sim, &stats);
    sf_sim_disk_set_capacity(sim, stats.used_bytes);
    while (!sf_journal_is_tight(journal, &need) && commits < 5000) {
        set("a", "again");
        CHECK_EQ(commit(), SF_OK);
        commits++;
    }
    CHECK(commits >= 500 && commits < 5000);
    CHECK(need >= 1 << 20 && need <= 4 << 20);
    for (unsigned i = 0; i < 500; i++) {
        set("b", "to give room back");
        CHECK_EQ(commit(), SF_OK);
    }
    /* A restart on the full disk finds what was reserved. */
    crash(SF_SIM_DAMAGE_KEEP_ALL);
    open_journal();
    set("c", "after a restart");
    CHECK_EQ(commit(), SF_OK);
    CHECK(sf_journal_is_tight(journal, &need));
    sf_sim_disk_set_capacity(sim, 0);
    sf_journal_retry(journal);
    poll_idle();
    CHECK(!sf_journal_is_tight(journal, &need));
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK(holds("a", "again"));
    CHECK(holds("b", "to give room back"));
    CHECK(holds("c", "after a restart"));
    end();
}

static void
test_failed_sync(void)
{
    check_dead(SF_DISK_SYNC, SF_SIM_FAULT_EIO);
}

/*
 * A sync fails, the process is killed, and what it had covered is still read. There is no room to
 * write the journal anew: it is on the disk all the same before more is added to it.
 */
static void
test_failed_sync_then_no_room(void)
{
    struct sf_sim_fault fault = {.kind = SF_SIM_FAULT_EIO, .op_kinds = 1U << SF_DISK_SYNC};
    struct sf_sim_disk_stats stats;

    start();
    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
    set("a", "1");
    CHECK_EQ(commit(), SF_EIO);
    crash(SF_SIM_DAMAGE_KEEP_ALL);
    sf_sim_disk_heal(sim);
    sf_sim_disk_get_stats(sim, &stats);
    sf_sim_disk_set_capacity(sim, stats.used_bytes);
    open_journal();
    CHECK(holds("a", "1"));
    sf_sim_disk_set_capacity(sim, 0);
    set("b", "2");
    CHECK_EQ(commit(), SF_OK);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK(holds("a", "1"));
    CHECK(holds("b", "2"));
    end();
}

/* The sync of the closing record fails, which nobody is told: it may not be built upon all the same. */
static void
test_failed_sync_of_the_end(void)
{
    struct sf_sim_fault fault = {.kind = SF_SIM_FAULT_EIO, .op_kinds = 1U << SF_DISK_SYNC};

    start();
    set("a", "1");
    CHECK_EQ(commit(), SF_OK);
    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
    sf_journal_close(journal);
    sf_sim_disk_heal(sim);
    open_journal();
    set("b", "2");
    CHECK_EQ(commit(), SF_OK);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK(holds("a", "1"));
    CHECK(holds("b", "2"));
    end();
}

static void
test_large_group_is_one(void)
{
    static uint8_t value[60 * 1024];
    char key[8];

    /* 15 facts, 900 KiB: a cut while they are written leaves all or none. */
    for (uint64_t operation = 0; operation < 6; operation++) {
        struct step_commit step;
        int found = 0;

        start();
        for (int i = 0; i < 15; i++) {
            snprintf(key, sizeof(key), "k%d", i);
            CHECK_EQ(sf_journal_set(journal, TABLE, text_view(key), sf_view(value, sizeof(value))),
                SF_OK);
        }
        step_commit_init(&step);
        sf_journal_commit(journal, &step.commit);
        sf_sim_disk_cut_at(sim, sf_sim_disk_operations(sim) + operation);
        for (int i = 0; i < 10 && !step.is_done; i++) {
            (void)sf_disk_poll(disk);
        }
        crash(SF_SIM_DAMAGE_TORN);
        sf_sim_disk_cut_at(sim, SF_NEVER);
        open_journal();
        for (int i = 0; i < 15; i++) {
            snprintf(key, sizeof(key), "k%d", i);
            found += sf_journal_get(journal, TABLE, text_view(key)).data != NULL;
        }
        CHECK(found == 0 || found == 15);
        CHECK(found == 15 || !step.is_done || step.commit.status != SF_OK);
        end();
    }
}

/* --- The recovery table ------------------------------------------------------------ */

/* A journal with a few commits; `ended` says whether it was closed in order. */
static void
make_sample(bool ended)
{
    start();
    set("a", "1");
    CHECK_EQ(commit(), SF_OK);
    set("b", "2");
    CHECK_EQ(commit(), SF_OK);
    set("c", "3");
    CHECK_EQ(commit(), SF_OK);
    if (ended) {
        sf_journal_close(journal);
    } else {
        crash(SF_SIM_DAMAGE_LOSE_ALL);
    }
}

/* The sample's blocks: head, WHOLE, a, b, c, and the mark of the end. */
enum { AT_WHOLE = BLOCK, AT_A = 2 * BLOCK, AT_B = 3 * BLOCK, AT_C = 4 * BLOCK, AT_END = 5 * BLOCK };

/* The damaged journal is refused and left alone. */
static void
check_refused(char row, uint64_t offset)
{
    uint64_t hash = sf_sim_disk_hash(sim);

    CHECK_EQ(try_open(), SF_EFORMAT);
    CHECK_EQ(recovery.row, row);
    CHECK_EQ(recovery.offset, offset);
    CHECK(recovery.text != NULL);
    CHECK_EQ(sf_sim_disk_hash(sim), hash);
    end_disk();
}

static void
rot(uint64_t offset)
{
    REQUIRE_EQ(sf_sim_disk_rot(sim, "journal", offset, 1), SF_OK);
}

static void
test_row_a(void)
{
    start();
    CHECK_EQ(recovery.row, 'A');
    CHECK(holds("a", NULL));
    end();
}

static void
test_row_b(void)
{
    start_disk(NULL);
    put_file("journal.new", (const uint8_t *)"half", 4);
    open_journal();
    CHECK_EQ(recovery.row, 'B');
    CHECK(!file_exists("journal.new"));
    end();
}

static void
test_row_c(void)
{
    make_sample(true);
    open_journal();
    CHECK_EQ(recovery.row, 'C');
    CHECK(holds("a", "1") && holds("b", "2") && holds("c", "3"));
    end();
}

static void
test_row_d(void)
{
    make_sample(false);
    put_file("journal.new", (const uint8_t *)"half", 4);
    open_journal();
    CHECK_EQ(recovery.row, 'D');
    CHECK(!file_exists("journal.new"));
    CHECK(holds("c", "3"));
    end();
}

static void
test_row_e(void)
{
    size_t bytes;
    uint8_t *data;

    make_sample(false);
    rot(AT_C + 40);
    open_journal();
    CHECK_EQ(recovery.row, 'E');
    CHECK_EQ(recovery.offset, AT_C);
    CHECK_EQ(recovery.cut_bytes, BLOCK);
    CHECK(holds("b", "2") && holds("c", NULL));
    set("d", "4");
    CHECK_EQ(commit(), SF_OK);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    open_journal();
    CHECK_EQ(recovery.row, 'C');
    CHECK(holds("b", "2") && holds("c", NULL) && holds("d", "4"));
    end();

    /* A part of a block is torn as well. */
    make_sample(false);
    data = take_file("journal", &bytes);
    CHECK_EQ(bytes, AT_END);
    put_file("journal", data, AT_C + 100);
    free(data);
    open_journal();
    CHECK_EQ(recovery.row, 'E');
    CHECK_EQ(recovery.cut_bytes, 100);
    CHECK(holds("b", "2") && holds("c", NULL));
    end();
}

static void
test_row_f(void)
{
    make_sample(false);
    rot(AT_B + 40);
    check_refused('F', AT_B);
    make_sample(true);
    rot(AT_C + 40); /* the last commit, confirmed by the mark of an ordered end */
    check_refused('F', AT_C);
    make_sample(false);
    rot(AT_A + 8); /* its length: where the next record begins is not told by it */
    check_refused('F', AT_A);
}

static void
test_row_g(void)
{
    size_t bytes;
    uint8_t *data;

    make_sample(false);
    data = take_file("journal", &bytes);
    memset(data + bytes, 0x55, (4 << 20) + BLOCK);
    put_file("journal", data, bytes + (4 << 20) + BLOCK);
    free(data);
    check_refused('G', AT_END);
}

static void
test_row_h(void)
{
    make_sample(false);
    rot(0);
    check_refused('H', 0);
    make_sample(false);
    rot(30);
    check_refused('H', 0);
    make_sample(false);
    put_file("journal", (const uint8_t *)"", 0);
    check_refused('H', 0);
}

static void
test_row_i(void)
{
    size_t bytes;
    uint8_t *data;

    make_sample(false);
    rot(AT_WHOLE + 33);
    check_refused('I', AT_WHOLE);
    make_sample(false);
    data = take_file("journal", &bytes);
    put_file("journal", data, AT_WHOLE);
    free(data);
    check_refused('I', AT_WHOLE);
}

static void
test_row_j(void)
{
    size_t bytes;
    uint8_t *data;

    make_sample(false);
    data = take_file("journal", &bytes);
    memmove(data + AT_A, data + AT_B, bytes - AT_B);
    put_file("journal", data, bytes - BLOCK);
    free(data);
    check_refused('J', AT_A);
}

static void
test_row_k(void)
{
    size_t bytes;
    uint8_t *data;

    make_sample(false);
    data = take_file("journal", &bytes);
    data[AT_B + 32] = 99; /* the op of its fact, under a right checksum */
    sf_put_be32(data + AT_B + 4, sf_crc32c(0, data + AT_B + 8, BLOCK - 8));
    put_file("journal", data, bytes);
    free(data);
    check_refused('K', AT_B);
}

static void
test_old_records_are_junk(void)
{
    size_t bytes;
    uint8_t *data;

    /* A record of an earlier sequence, as a disk may show in blocks that were never written. */
    make_sample(false);
    data = take_file("journal", &bytes);
    memcpy(data + AT_END, data + AT_A, BLOCK);
    put_file("journal", data, bytes + BLOCK);
    free(data);
    open_journal();
    CHECK_EQ(recovery.row, 'E');
    CHECK_EQ(recovery.cut_bytes, BLOCK);
    CHECK(holds("c", "3"));
    end();
}

/* No flipped bit is ever taken for a fact: the journal opens as it was, without its end, or not. */
static void
test_every_bit(void)
{
    size_t bytes;
    uint8_t *data;

    make_sample(false);
    data = take_file("journal", &bytes);
    for (size_t bit = 0; bit < bytes * 8; bit += bit % 4096 < 1024 ? 1 : 37) {
        int status;

        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1U << bit % 8);
        start_disk(NULL);
        put_file("journal", data, bytes);
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1U << bit % 8);
        status = try_open();
        if (bit / 8 >= AT_C) {
            CHECK_EQ(status, SF_OK);
            CHECK_EQ(recovery.row, 'E');
            CHECK(holds("a", "1") && holds("b", "2") && holds("c", NULL));
            sf_journal_close(journal);
        } else {
            CHECK_EQ(status, SF_EFORMAT);
        }
    }
    free(data);
    end_disk();
}

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

CHECK_MAIN("journal", {"a value is what was set last", test_values},
    {"a set holds numbers and their tags", test_sets},
    {"limits are answered, not passed", test_limits},
    {"a walk shows keys in the order of making", test_walk},
    {"what was not committed is gone after a crash", test_uncommitted_is_lost},
    {"commits that come while one runs share the next sync", test_group_commit},
    {"a commit of nothing writes nothing", test_commit_of_nothing},
    {"a failed write kills the journal", test_failed_write},
    {"a commit that finds no room waits for it", test_commit_waits_for_room},
    {"a crash while a commit waits for room loses nothing", test_crash_while_waiting_for_room},
    {"a full disk leaves room for what frees it", test_headroom},
    {"a failed sync kills the journal", test_failed_sync},
    {"what a failed sync covered is written again, with or without room for a new file",
        test_failed_sync_then_no_room},
    {"a closing record whose sync failed is written again", test_failed_sync_of_the_end},
    {"facts of one commit survive all or none", test_large_group_is_one},
    {"row A: nothing there makes an empty journal", test_row_a},
    {"row B: a first start that was cut off begins anew", test_row_b},
    {"row C: a whole journal is taken", test_row_c},
    {"row D: a half-made snapshot is discarded", test_row_d},
    {"row E: a torn last commit is dropped", test_row_e},
    {"row F: damage before a good record refuses", test_row_f},
    {"row G: more behind a bad record than a crash can tear refuses", test_row_g},
    {"row H: a damaged head refuses", test_row_h},
    {"row I: a snapshot that is not whole refuses", test_row_i},
    {"row J: a missing record refuses", test_row_j}, {"row K: an unknown fact refuses", test_row_k},
    {"a record of an earlier sequence is no record", test_old_records_are_junk},
    {"no flipped bit becomes a fact", test_every_bit},
    {"compaction keeps what is true and drops the rest", test_compaction},
    {"commits at any moment of a compaction hold", test_compaction_under_load},
    {"a compaction without space is given up and tried again later", test_compaction_given_up},
    {"a rename that fails in a compaction kills the journal", test_compaction_rename_fails},
    {"random facts match a model across compactions and crashes", test_model},
    {"668,000 bundles are recovered in one pass over the file", test_scale})
