/* Tests of store/journal: facts, commits, what failed and full disks do to them. */
#include "tests/unit/journal_steps.h"

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
    CHECK_EQ(sf_journal_add(journal, 0, none, 1, 2, NULL), SF_EINVAL);
    CHECK_EQ(sf_journal_remove(journal, 0, key, 2, 1), SF_EINVAL);
    CHECK_EQ(sf_journal_remove(journal, 0, long_key, 1, 2), SF_EINVAL);
    CHECK_EQ(sf_journal_unset(journal, 0, none), SF_EINVAL);
    CHECK_EQ(sf_journal_drop_tags(journal, 0, long_key), SF_EINVAL);
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
    crash(SF_SIM_DAMAGE_LOSE_ALL); /* what an open has shown stays, also if nothing is added */
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

/*
 * The process is killed at every step of writing the journal anew, so that its name may be known to the
 * cache alone, and there is no room to do it again: what is added then is not lost with the name.
 */
static void
test_killed_while_renewed_then_no_room(void)
{
    struct sf_sim_disk_stats stats;
    bool was_cut = true;

    for (uint64_t operation = 1; was_cut; operation++) {
        start();
        set("a", "1");
        CHECK_EQ(commit(), SF_OK);
        crash(SF_SIM_DAMAGE_KEEP_ALL);
        sf_sim_disk_cut_at(sim, sf_sim_disk_operations(sim) + operation);
        (void)try_open();
        was_cut = sf_sim_disk_is_cut(sim);
        if (was_cut) {
            if (journal != NULL) { /* the cut came after all that opening needs */
                sf_journal_drop(journal);
            }
            sf_sim_disk_restart(sim, SF_SIM_DAMAGE_KEEP_ALL, 1);
        } else {
            crash(SF_SIM_DAMAGE_KEEP_ALL);
        }
        sf_sim_disk_get_stats(sim, &stats);
        sf_sim_disk_set_capacity(sim, stats.used_bytes);
        open_journal();
        sf_sim_disk_set_capacity(sim, 0);
        set("b", "2");
        CHECK_EQ(commit(), SF_OK);
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        open_journal();
        CHECK(holds("a", "1") && holds("b", "2"));
        end();
    }
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
    {"a name that only the cache has is made durable without room too",
        test_killed_while_renewed_then_no_room},
    {"a closing record whose sync failed is written again", test_failed_sync_of_the_end},
    {"facts of one commit survive all or none", test_large_group_is_one})
