/*
 * store_steps.h - what tests of the store have in common: a simulated disk, a
 * commit that is waited for, files taken out, damaged and put back.
 */
#ifndef SF_TESTS_UNIT_STORE_STEPS_H
#define SF_TESTS_UNIT_STORE_STEPS_H

#include "sim/disk.h"
#include "store/commit.h"
#include "tests/unit/check.h"

static struct sf_sim_disk *sim;
static struct sf_disk *disk;

static inline void
start_disk(const struct sf_sim_disk_config *config)
{
    static const struct sf_sim_disk_config plain = {.seed = 1};

    sf_sim_disk_close(sim);
    sim = NULL;
    REQUIRE_EQ(sf_sim_disk_open(config == NULL ? &plain : config, &sim), SF_OK);
    disk = sf_sim_disk_interface(sim);
}

static inline void
end_disk(void)
{
    sf_sim_disk_close(sim);
    sim = NULL;
}

/* A commit whose completion can be seen. */
struct step_commit {
    struct sf_commit commit;
    bool is_done;
};

static inline void
step_committed(struct sf_commit *commit)
{
    ((struct step_commit *)commit->owner)->is_done = true;
}

static inline void
step_commit_init(struct step_commit *step)
{
    *step = (struct step_commit){.commit = {.done = step_committed, .owner = step}};
}

/* Poll until *flag. */
static inline void
wait_for(const bool *flag)
{
    while (!*flag) {
        if (!sf_disk_poll(disk)) {
            disk->wait(disk);
        }
    }
}

/* A file's bytes as programs see them; *ret_bytes of them, to be freed. */
static inline uint8_t *
take_file(const char *path, size_t *ret_bytes)
{
    size_t room = 32 << 20;
    uint8_t *data = malloc(room);

    REQUIRE(data != NULL);
    REQUIRE_EQ(sf_sim_disk_get(sim, path, 0, data, room, ret_bytes), SF_OK);
    REQUIRE(*ret_bytes < room);
    return data;
}

static inline void
put_file(const char *path, const uint8_t *data, size_t bytes)
{
    REQUIRE_EQ(sf_sim_disk_put(sim, path, sf_view(data, bytes)), SF_OK);
}

static inline bool
file_exists(const char *path)
{
    size_t bytes;
    uint8_t byte;

    return sf_sim_disk_get(sim, path, 0, &byte, 1, &bytes) == SF_OK;
}

static inline struct sf_view
text_view(const char *text)
{
    return sf_view(text, strlen(text));
}

#endif
