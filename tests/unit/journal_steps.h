/*
 * journal_steps.h - what the tests of the journal have in common: one on a simulated disk, opened,
 * told facts, committed, cut off.
 */
#ifndef SF_TESTS_UNIT_JOURNAL_STEPS_H
#define SF_TESTS_UNIT_JOURNAL_STEPS_H

#include "store/journal.h"
#include "tests/unit/store_steps.h"

enum { BLOCK = 4096, TABLE = 7 };

static struct sf_journal *journal;
static struct sf_recovery recovery;

static inline int
try_open(void)
{
    struct sf_journal_config config = {.disk = disk, .ret_recovery = &recovery};

    journal = NULL;
    return sf_journal_open(&config, &journal);
}

static inline void
open_journal(void)
{
    REQUIRE_EQ(try_open(), SF_OK);
}

static inline void
start(void)
{
    start_disk(NULL);
    open_journal();
}

static inline void
end(void)
{
    sf_journal_close(journal);
    end_disk();
}

static inline int
commit(void)
{
    struct step_commit step;

    step_commit_init(&step);
    sf_journal_commit(journal, &step.commit);
    CHECK(!step.is_done);
    wait_for(&step.is_done);
    return step.commit.status;
}

static inline void
set(const char *key, const char *value)
{
    CHECK_EQ(sf_journal_set(journal, TABLE, text_view(key), text_view(value)), SF_OK);
}

static inline bool
holds(const char *key, const char *value)
{
    struct sf_view got = sf_journal_get(journal, TABLE, text_view(key));

    return value == NULL ? got.data == NULL : sf_view_equal(got, text_view(value));
}

/* Power off without a word, and on again. */
static inline void
crash(enum sf_sim_damage_model model)
{
    sf_sim_disk_cut(sim);
    sf_journal_drop(journal);
    sf_sim_disk_restart(sim, model, 1);
}

#endif
