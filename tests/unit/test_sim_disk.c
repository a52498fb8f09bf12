/* Tests of sim/disk: what survives a power cut, what a fault does, what it costs. */
#include "base/prng.h"
#include "sim/disk.h"
#include "tests/unit/check.h"
#include "tests/unit/disk_steps.h"

static struct sf_sim_disk *sim;
static struct sf_disk *disk;

static void
start(const struct sf_sim_disk_config *config)
{
    static const struct sf_sim_disk_config plain = {.seed = 1};

    sf_sim_disk_close(sim);
    sim = NULL;
    REQUIRE_EQ(sf_sim_disk_open(config == NULL ? &plain : config, &sim), SF_OK);
    disk = sf_sim_disk_interface(sim);
}

static void
end(void)
{
    sf_sim_disk_close(sim);
    sim = NULL;
}

/* Whether `path` is there and holds exactly `text`. */
static bool
holds(struct sf_sim_disk *of, const char *path, const char *text)
{
    uint8_t bytes[256];
    size_t count;

    return sf_sim_disk_get(of, path, 0, bytes, sizeof(bytes), &count) == SF_OK &&
           count == strlen(text) && memcmp(bytes, text, count) == 0;
}

static bool
exists(struct sf_sim_disk *of, const char *path)
{
    size_t count;
    uint8_t byte;

    return sf_sim_disk_get(of, path, 0, &byte, 1, &count) == SF_OK;
}

static int
make(const char *path, const char *text)
{
    int file;

    CHECK_EQ(step_open(disk, path, SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_write(disk, file, 0, text, strlen(text)), SF_OK);
    return file;
}

static void
lose_all(void)
{
    sf_sim_disk_restart(sim, SF_SIM_DAMAGE_LOSE_ALL, 1);
}

static void
test_nothing_synced(void)
{
    start(NULL);
    (void)make("a", "text");
    CHECK(holds(sim, "a", "text"));
    lose_all();
    CHECK(!exists(sim, "a"));
    end();
}

static void
test_file_synced_name_not(void)
{
    int file;

    start(NULL);
    file = make("a", "text");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    lose_all();
    CHECK(!exists(sim, "a"));
    end();
}

static void
test_name_synced_file_not(void)
{
    start(NULL);
    (void)make("a", "text");
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    lose_all();
    CHECK(holds(sim, "a", ""));
    end();
}

static void
test_both_synced(void)
{
    int file;

    start(NULL);
    file = make("a", "text");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    CHECK_EQ(step_write(disk, file, 0, "TEXT", 4), SF_OK);
    CHECK(holds(sim, "a", "TEXT"));
    lose_all();
    CHECK(holds(sim, "a", "text"));
    CHECK_EQ(step_sync(disk, file), SF_EINVAL); /* a restart closes files */
    end();
}

static void
test_directories(void)
{
    int file;

    start(NULL);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d"), SF_OK);
    file = make("d/a", "text");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "d"), SF_OK);
    lose_all();
    CHECK_EQ(step_path(disk, SF_DISK_STAT, "d"), SF_ENOENT);

    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d"), SF_OK);
    file = make("d/a", "text");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "d"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "d/a"), SF_OK);
    CHECK(!exists(sim, "d/a"));
    lose_all();
    CHECK(holds(sim, "d/a", "text"));
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "d/a"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "d"), SF_OK);
    lose_all();
    CHECK(!exists(sim, "d/a"));
    end();
}

static void
test_rename(void)
{
    int file;

    start(NULL);
    CHECK_EQ(sf_sim_disk_put(sim, "x/a", sf_view("old", 3)), SF_OK);
    CHECK_EQ(sf_sim_disk_put(sim, "y/z", sf_view("", 0)), SF_OK);
    CHECK_EQ(step_rename(disk, "x/a", "y/b", 0), SF_OK);
    lose_all();
    CHECK(holds(sim, "x/a", "old") && !exists(sim, "y/b"));
    /* One directory synced is not enough; either name is possible, never none or both. */
    CHECK_EQ(step_rename(disk, "x/a", "y/b", 0), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "y"), SF_OK);
    lose_all();
    CHECK(holds(sim, "x/a", "old") && !exists(sim, "y/b"));
    CHECK_EQ(step_rename(disk, "x/a", "y/b", 0), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "y"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "x"), SF_OK);
    lose_all();
    CHECK(!exists(sim, "x/a") && holds(sim, "y/b", "old"));
    /* The usual replacement: write, sync, rename over, sync the directory. */
    file = make("y/new", "new");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_rename(disk, "y/new", "y/b", 0), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "y"), SF_OK);
    lose_all();
    CHECK(holds(sim, "y/b", "new") && !exists(sim, "y/new"));
    end();
}

static void
test_rename_is_atomic(void)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        start(NULL);
        CHECK_EQ(sf_sim_disk_put(sim, "x/a", sf_view("old", 3)), SF_OK);
        CHECK_EQ(sf_sim_disk_put(sim, "y/z", sf_view("", 0)), SF_OK);
        CHECK_EQ(step_rename(disk, "x/a", "y/b", 0), SF_OK);
        if (seed % 3 == 1) {
            CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "y"), SF_OK);
        }
        sf_sim_disk_restart(sim, (enum sf_sim_damage_model)(seed % SF_SIM_DAMAGE_MODELS), seed);
        CHECK(exists(sim, "x/a") != exists(sim, "y/b"));
    }
    end();
}

static void
test_earlier_changes_follow(void)
{
    start(NULL);
    /* b's removal is durable, so the rename that made b must be, and a is gone for good. */
    CHECK_EQ(sf_sim_disk_put(sim, "x/a", sf_view("old", 3)), SF_OK);
    CHECK_EQ(sf_sim_disk_put(sim, "y/z", sf_view("", 0)), SF_OK);
    CHECK_EQ(step_rename(disk, "x/a", "y/b", 0), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "y/b"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "y"), SF_OK);
    lose_all();
    CHECK(!exists(sim, "x/a") && !exists(sim, "y/b"));
    end();
}

static void
test_failed_sync(void)
{
    int file;

    start(NULL);
    CHECK_EQ(sf_sim_disk_put(sim, "a", sf_view("old!", 4)), SF_OK);
    file = make("a", "new!");
    REQUIRE_EQ(sf_sim_disk_fault(sim, &(struct sf_sim_fault){.kind = SF_SIM_FAULT_EIO,
                                          .op_kinds = 1u << SF_DISK_SYNC}),
        SF_OK);
    CHECK_EQ(step_sync(disk, file), SF_EIO);
    CHECK(holds(sim, "a", "new!"));
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_write(disk, file, 4, "tail", 4), SF_OK);
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK(holds(sim, "a", "new!tail"));
    lose_all();
    CHECK(holds(sim, "a", "old!tail"));
    end();
}

static void
test_failed_directory_sync(void)
{
    start(NULL);
    (void)make("a", "x");
    REQUIRE_EQ(sf_sim_disk_fault(sim, &(struct sf_sim_fault){.kind = SF_SIM_FAULT_EIO,
                                          .op_kinds = 1u << SF_DISK_SYNC_DIR}),
        SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_EIO);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    CHECK(exists(sim, "a"));
    lose_all();
    CHECK(!exists(sim, "a"));
    end();
}

static int done_count;

static void
count_done(struct sf_disk_op *op)
{
    (void)op;
    done_count++;
}

static void
test_sync_covers_completed(void)
{
    struct sf_disk_op write = {.kind = SF_DISK_WRITE, .done = count_done};
    struct sf_disk_op sync = {.kind = SF_DISK_SYNC, .done = count_done};
    uint8_t bytes[4] = "new!";

    start(NULL);
    CHECK_EQ(sf_sim_disk_put(sim, "a", sf_view("old!", 4)), SF_OK);
    write.file = make("a", "old!");
    CHECK_EQ(step_sync(disk, write.file), SF_OK);
    /* Both in flight at once: the write is done first, and yet the sync does not cover it. */
    sync.file = write.file;
    write.data = bytes;
    write.bytes = sizeof(bytes);
    done_count = 0;
    sf_disk_submit(disk, &write);
    sf_disk_submit(disk, &sync);
    while (sf_disk_poll(disk)) {
    }
    CHECK_EQ(done_count, 2);
    CHECK_EQ(write.status, SF_OK);
    CHECK_EQ(sync.status, SF_OK);
    lose_all();
    CHECK(holds(sim, "a", "old!"));
    end();
}

static void
test_cut_at(void)
{
    int file;

    start(NULL);
    file = make("a", "one");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    sf_sim_disk_cut_at(sim, sf_sim_disk_operations(sim) + 1);
    CHECK_EQ(step_write(disk, file, 0, "two", 3), SF_OK);
    CHECK(!sf_sim_disk_is_cut(sim));
    CHECK_EQ(step_sync(disk, file), SF_EIO);
    CHECK(sf_sim_disk_is_cut(sim));
    CHECK_EQ(step_write(disk, file, 0, "xxx", 3), SF_EIO);
    lose_all();
    CHECK(!sf_sim_disk_is_cut(sim));
    CHECK(holds(sim, "a", "one"));
    end();
}

/* Which of 16 blocks written without a sync survive; -1 if one is neither old nor new. */
static int
survivors(enum sf_sim_damage_model model, uint64_t seed, int *ret_torn)
{
    uint8_t block[4096];
    int file;
    int mask = 0;

    start(NULL);
    CHECK_EQ(step_open(disk, "a", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, 16 * sizeof(block)), SF_OK);
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    memset(block, 'n', sizeof(block));
    for (uint64_t i = 0; i < 16; i++) {
        CHECK_EQ(step_write(disk, file, i * sizeof(block), block, sizeof(block)), SF_OK);
    }
    sf_sim_disk_restart(sim, model, seed);
    for (uint64_t i = 0; i < 16; i++) {
        size_t count;
        size_t present = 0;

        CHECK_EQ(sf_sim_disk_get(sim, "a", i * sizeof(block), block, sizeof(block), &count), SF_OK);
        while (present < sizeof(block) && block[present] == 'n') {
            present++;
        }
        for (size_t k = present; k < sizeof(block); k++) {
            CHECK_EQ(block[k], 0);
        }
        mask |= (present == sizeof(block)) << i;
        if (present > 0 && present < sizeof(block)) {
            CHECK_EQ(present % 512, 0);
            ++*ret_torn;
        }
    }
    return mask;
}

static void
test_damage_models(void)
{
    int torn = 0;
    int torn_elsewhere = 0;
    int first_lost_last_kept = 0;
    int different = 0;
    int last = -1;

    CHECK_EQ(survivors(SF_SIM_DAMAGE_LOSE_ALL, 1, &torn_elsewhere), 0);
    CHECK_EQ(survivors(SF_SIM_DAMAGE_KEEP_ALL, 1, &torn_elsewhere), 0xffff);
    for (uint64_t seed = 0; seed < 50; seed++) {
        int mask = survivors(SF_SIM_DAMAGE_SUBSET, seed, &torn_elsewhere);

        different += mask != last;
        last = mask;
        CHECK_EQ(survivors(SF_SIM_DAMAGE_SUBSET, seed, &torn_elsewhere), mask);
        mask = survivors(SF_SIM_DAMAGE_REORDERED, seed, &torn_elsewhere);
        first_lost_last_kept += (mask & 1) == 0 && (mask & 0x8000) != 0;
        (void)survivors(SF_SIM_DAMAGE_TORN, seed, &torn);
    }
    CHECK(different > 40);
    CHECK(first_lost_last_kept > 30);
    CHECK(torn > 100);
    CHECK_EQ(torn_elsewhere, 0);
    end();
}

static void
test_lost_append_may_lengthen(void)
{
    int zeros = 0;
    int junk = 0;
    int torn = 0;
    int absent = 0;

    for (uint64_t seed = 0; seed < 400; seed++) {
        uint8_t bytes[1500];
        uint8_t found[2000];
        size_t count;
        int file;
        size_t good = 0;

        start(NULL);
        CHECK_EQ(sf_sim_disk_put(sim, "log", sf_view("head", 4)), SF_OK);
        CHECK_EQ(step_open(disk, "log", SF_DISK_RDWR, &file), SF_OK);
        memset(bytes, 'r', sizeof(bytes));
        CHECK_EQ(step_write(disk, file, 4, bytes, sizeof(bytes)), SF_OK);
        sf_sim_disk_restart(sim, SF_SIM_DAMAGE_TORN, seed);
        CHECK_EQ(sf_sim_disk_get(sim, "log", 0, found, sizeof(found), &count), SF_OK);
        CHECK_BYTES(found, "head", 4);
        CHECK(count <= 4 + sizeof(bytes));
        while (4 + good < count && found[4 + good] == 'r') {
            good++;
        }
        absent += count == 4;
        torn += good > 0 && good < sizeof(bytes);
        zeros += 4 + good < count && found[count - 1] == 0;
        junk += 4 + good < count && found[count - 1] != 0;
    }
    CHECK(absent > 20);
    CHECK(torn > 50);
    CHECK(zeros > 20);
    CHECK(junk > 20);
    end();
}

static void
test_in_flight_write_may_survive(void)
{
    int survived = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sf_disk_op write = {.kind = SF_DISK_WRITE, .done = count_done};
        uint8_t *bytes = malloc(3);

        REQUIRE(bytes != NULL);
        memcpy(bytes, "new", 3);
        start(&(struct sf_sim_disk_config){.seed = seed, .latency_min_ns = 5, .latency_max_ns = 9});
        CHECK_EQ(sf_sim_disk_put(sim, "a", sf_view("old", 3)), SF_OK);
        CHECK_EQ(step_open(disk, "a", SF_DISK_RDWR, &write.file), SF_OK);
        write.data = bytes;
        write.bytes = 3;
        sf_disk_submit(disk, &write);
        sf_sim_disk_cut(sim);
        free(bytes); /* allowed once the power is off */
        sf_sim_disk_restart(sim, SF_SIM_DAMAGE_SUBSET, seed);
        CHECK(holds(sim, "a", "old") || holds(sim, "a", "new"));
        survived += holds(sim, "a", "new");
    }
    CHECK(survived > 25 && survived < 75);
    end();
}

struct every_cut {
    int clones;
    int old;
    int new;
};

static void
clone_and_cut(void *context, uint64_t operation, const struct sf_disk_op *op)
{
    struct every_cut *cuts = context;

    (void)op;
    for (int model = 0; model < SF_SIM_DAMAGE_MODELS; model++) {
        struct sf_sim_disk *clone;

        REQUIRE_EQ(sf_sim_disk_clone(sim, &clone), SF_OK);
        sf_sim_disk_restart(clone, (enum sf_sim_damage_model)model, operation);
        /* The invariant of a replacement: the old text or the new one, whole. */
        if (holds(clone, "a", "old")) {
            cuts->old++;
        } else {
            CHECK(holds(clone, "a", "newer"));
            cuts->new ++;
        }
        cuts->clones++;
        sf_sim_disk_close(clone);
    }
}

static void
test_cut_at_every_operation(void)
{
    struct every_cut cuts = {0, 0, 0};
    uint64_t hash;
    int file;

    start(NULL);
    CHECK_EQ(sf_sim_disk_put(sim, "a", sf_view("old", 3)), SF_OK);
    sf_sim_disk_watch(sim, clone_and_cut, &cuts);
    file = make("a.new", "newer");
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_rename(disk, "a.new", "a", 0), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    CHECK_EQ(step_close(disk, file), SF_OK);
    sf_sim_disk_watch(sim, NULL, NULL);
    CHECK_EQ(cuts.clones, 6 * SF_SIM_DAMAGE_MODELS);
    CHECK(cuts.old >= 4 * SF_SIM_DAMAGE_MODELS);
    CHECK(cuts.new >= SF_SIM_DAMAGE_MODELS);
    /* Clones share pages and yet never touch the original. */
    hash = sf_sim_disk_hash(sim);
    lose_all();
    CHECK(sf_sim_disk_hash(sim) == hash);
    end();
}

static void
test_faults(void)
{
    static const struct {
        enum sf_sim_fault_kind kind;
        int write;
        int read;
    } cases[] = {{SF_SIM_FAULT_EIO, SF_EIO, SF_EIO}, {SF_SIM_FAULT_ENOSPC, SF_ENOSPC, SF_EIO},
        {SF_SIM_FAULT_SHORT, SF_ENOSPC, SF_EIO}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[8];
        size_t count;
        int file;

        start(NULL);
        file = make("a", "12345678");
        REQUIRE_EQ(sf_sim_disk_fault(sim, &(struct sf_sim_fault){.kind = cases[i].kind,
                                              .operation = sf_sim_disk_operations(sim) + 1}),
            SF_OK);
        CHECK_EQ(step_write(disk, file, 0, "x", 1), SF_OK);
        CHECK_EQ(step_write(disk, file, 0, "abcdefgh", 8), cases[i].write);
        CHECK(holds(sim, "a", cases[i].kind == SF_SIM_FAULT_SHORT ? "abcd5678" : "x2345678"));
        CHECK_EQ(step_write(disk, file, 0, "1234", 4), SF_OK);
        REQUIRE_EQ(
            sf_sim_disk_fault(sim, &(struct sf_sim_fault){.kind = cases[i].kind, .for_ever = true}),
            SF_OK);
        CHECK_EQ(step_read(disk, file, 0, text, 8, &count), cases[i].read);
        CHECK_EQ(count, 0);
        CHECK_EQ(step_read(disk, file, 0, text, 8, &count), cases[i].read);
        sf_sim_disk_heal(sim);
        CHECK_EQ(step_read(disk, file, 0, text, 8, &count), SF_OK);
        CHECK_EQ(step_close(disk, file), SF_OK);
    }
    end();
}

static void
test_capacity(void)
{
    static uint8_t block[8192];
    struct sf_disk_op space = {.kind = SF_DISK_SPACE};
    int file;
    int other;

    start(&(struct sf_sim_disk_config){.seed = 1, .capacity_bytes = 4 * 4096});
    file = make("a", "x");
    CHECK_EQ(sf_disk_run(disk, &space), SF_OK);
    CHECK_EQ(space.ret_stat.free_bytes, 3 * 4096);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, 5 * 4096), SF_ENOSPC);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, 4 * 4096), SF_OK);
    other = make("b", "");
    CHECK_EQ(step_write(disk, other, 0, "x", 1), SF_ENOSPC);
    /* What was allocated can always be written. */
    CHECK_EQ(step_write(disk, file, 8192, block, sizeof(block)), SF_OK);
    {
        struct sf_disk_op behind = {.kind = SF_DISK_ALLOCATE,
            .flags = SF_DISK_KEEP_SIZE,
            .file = file,
            .offset = 4 * 4096,
            .bytes = 4096};

        CHECK_EQ(sf_disk_run(disk, &behind), SF_ENOSPC);
    }
    CHECK_EQ(step_file(disk, SF_DISK_PUNCH, file, 4096, 4096), SF_OK);
    CHECK_EQ(step_write(disk, other, 0, "x", 1), SF_OK);
    CHECK_EQ(step_write(disk, file, 4096, "x", 1), SF_ENOSPC);
    /* An unlinked file takes its space until it is closed. */
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "a"), SF_OK);
    CHECK_EQ(step_write(disk, other, 4096, "x", 1), SF_ENOSPC);
    CHECK_EQ(step_close(disk, file), SF_OK);
    CHECK_EQ(step_write(disk, other, 4096, block, sizeof(block)), SF_OK);
    sf_sim_disk_set_capacity(sim, 4096);
    CHECK_EQ(step_write(disk, other, 65536, "x", 1), SF_ENOSPC);
    end();
}

static void
test_sparse_spool(void)
{
    static uint8_t block[4096];
    struct sf_sim_disk_stats stats;
    size_t count;
    int file;

    start(NULL);
    CHECK_EQ(
        step_open(disk, "spool", SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_DIRECT, &file), SF_OK);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, UINT64_C(700) * 1000 * 1000 * 1000), SF_OK);
    CHECK_EQ(step_read(disk, file, UINT64_C(1) << 39, block, 1, &count), SF_EINVAL);
    sf_sim_disk_get_stats(sim, &stats);
    CHECK(stats.memory_bytes < 100000);
    CHECK(stats.used_bytes >= UINT64_C(700) * 1000 * 1000 * 1000);
    end();
}

/* Writes, punches and shorter files against flat bytes, most of them zeros. */
static void
test_zeros(void)
{
    enum { MODEL_BYTES = 3 << 20, STEPS = 2000 };
    static uint8_t model[MODEL_BYTES];
    static uint8_t bytes[MODEL_BYTES];
    struct sf_sim_disk_config config = {.seed = 1, .steady = true};
    struct sf_sim_disk_stats stats;
    struct sf_prng prng;
    size_t count;
    int file;

    start(&config);
    sf_prng_init(&prng, 5);
    memset(model, 0, sizeof(model));
    file = make("a", "");
    CHECK_EQ(step_write(disk, file, 0, model, sizeof(model)), SF_OK);
    sf_sim_disk_get_stats(sim, &stats);
    CHECK_EQ(stats.used_bytes, sizeof(model));
    CHECK(stats.memory_bytes < 4096);
    CHECK_EQ(sf_sim_disk_zeros(sim, "a"), sizeof(model));
    CHECK_EQ(sf_sim_disk_zeros(sim, "b"), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        size_t offset = (size_t)sf_prng_below(&prng, MODEL_BYTES);
        size_t most = i % 8 == 0 ? MODEL_BYTES : 9000;
        size_t length =
            (size_t)sf_prng_below(&prng, most < MODEL_BYTES - offset ? most : MODEL_BYTES - offset);

        if (i % 3 == 0) {
            offset = offset / 4096 * 4096;
        }
        memset(bytes, 0, length);
        if (i % 4 == 3) {
            CHECK_EQ(step_file(disk, SF_DISK_PUNCH, file, offset, length), SF_OK);
        } else {
            for (uint64_t k = sf_prng_below(&prng, 4); length > 0 && k > 0; k--) {
                bytes[sf_prng_below(&prng, length)] = (uint8_t)k;
            }
            CHECK_EQ(step_write(disk, file, offset, bytes, length), SF_OK);
        }
        memcpy(model + offset, bytes, length);
        if (i % 100 == 0) {
            for (count = 0; count < sizeof(model) && model[count] == 0; count++) {
            }
            CHECK_EQ(sf_sim_disk_zeros(sim, "a"), count);
            REQUIRE_EQ(step_read(disk, file, 0, bytes, sizeof(bytes), &count), SF_OK);
            CHECK_BYTES(bytes, model, sizeof(model));
            REQUIRE_EQ(step_read(disk, file, offset + 1, bytes, 5000, &count), SF_OK);
            CHECK_BYTES(bytes, model + offset + 1, count);
        }
    }
    end();
}

static void
test_source(void)
{
    uint64_t seed = 7;
    uint64_t huge = UINT64_C(700) * 1000 * 1000 * 1000;
    uint8_t whole[300];
    uint8_t part[100];
    struct sf_disk_stat before;
    struct sf_disk_stat after;
    size_t count;
    int file;

    start(NULL);
    CHECK_EQ(sf_sim_disk_source(sim, "outbox/model", huge, sf_sim_disk_generate, &seed), SF_OK);
    CHECK_EQ(sf_sim_disk_source(sim, "outbox/model", huge, sf_sim_disk_generate, &seed), SF_EEXIST);
    CHECK_EQ(step_open(disk, "outbox/model", SF_DISK_RDWR, &file), SF_EINVAL);
    CHECK_EQ(step_open(disk, "outbox/model", 0, &file), SF_OK);
    CHECK_EQ(step_read(disk, file, huge - 200, whole, sizeof(whole), &count), SF_OK);
    CHECK_EQ(count, 200);
    CHECK_EQ(step_read(disk, file, huge - 130, part, sizeof(part), &count), SF_OK);
    CHECK_EQ(count, 100);
    CHECK_BYTES(part, whole + 70, 100);
    CHECK_EQ(step_stat(disk, "outbox/model", &before), SF_OK);
    CHECK_EQ(before.bytes, huge);
    lose_all();
    CHECK_EQ(step_stat(disk, "outbox/model", &after), SF_OK);
    CHECK(after.inode == before.inode && after.mtime_ns == before.mtime_ns &&
          after.ctime_ns == before.ctime_ns);
    CHECK_EQ(sf_sim_disk_touch(sim, "outbox/model", 5), SF_OK);
    CHECK_EQ(step_stat(disk, "outbox/model", &after), SF_OK);
    CHECK(after.mtime_ns != before.mtime_ns && after.ctime_ns != before.ctime_ns);
    end();
}

static void
test_latency(void)
{
    struct sf_disk_op op = {.kind = SF_DISK_MKDIR, .path = "d", .done = count_done};

    start(&(struct sf_sim_disk_config){.seed = 3, .latency_min_ns = 10, .latency_max_ns = 20});
    CHECK(sf_sim_disk_deadline(sim) == SF_NEVER);
    sf_sim_disk_advance(sim, 1000);
    done_count = 0;
    sf_disk_submit(disk, &op);
    CHECK(sf_sim_disk_deadline(sim) >= 1010 && sf_sim_disk_deadline(sim) <= 1020);
    CHECK(!sf_disk_poll(disk));
    sf_sim_disk_advance(sim, sf_sim_disk_deadline(sim) - 1);
    CHECK(!sf_disk_poll(disk));
    disk->wait(disk);
    CHECK(sf_disk_poll(disk));
    CHECK_EQ(done_count, 1);
    CHECK_EQ(step_path(disk, SF_DISK_STAT, "d"), SF_OK);
    end();
}

static char order_seen[9];

static void
note_order(struct sf_disk_op *op)
{
    strncat(order_seen, op->path, 1);
}

static void
test_shuffle(void)
{
    static const char *const names[8] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    char first[9];

    for (int run = 0; run < 3; run++) {
        struct sf_disk_op ops[8];

        start(&(struct sf_sim_disk_config){.seed = run == 2 ? 6 : 5, .shuffle = true});
        order_seen[0] = '\0';
        for (int i = 0; i < 8; i++) {
            ops[i] =
                (struct sf_disk_op){.kind = SF_DISK_MKDIR, .path = names[i], .done = note_order};
            sf_disk_submit(disk, &ops[i]);
        }
        CHECK(sf_disk_poll(disk));
        CHECK_EQ(strlen(order_seen), 8);
        CHECK(strcmp(order_seen, "abcdefgh") != 0);
        if (run == 0) {
            memcpy(first, order_seen, sizeof(first));
        } else {
            CHECK((strcmp(first, order_seen) == 0) == (run == 1));
        }
    }
    end();
}

static void
test_rot_and_grep(void)
{
    static uint8_t block[8192];
    char where[64];
    int file;

    start(NULL);
    memcpy(block + 4090, "secretword", 10);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d"), SF_OK);
    CHECK_EQ(step_open(disk, "d/file-of-sat7", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK(!sf_sim_disk_grep(sim, sf_view("secretword", 10), NULL, 0));
    CHECK_EQ(step_write(disk, file, 0, block, sizeof(block)), SF_OK);
    CHECK(sf_sim_disk_grep(sim, sf_view("secretword", 10), where, sizeof(where)));
    CHECK_TEXT(where, "d/file-of-sat7");
    CHECK(sf_sim_disk_grep(sim, sf_view("sat7", 4), where, sizeof(where)));
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "d"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    /* Overwritten for programs, but not yet on the medium. */
    memset(block, 0, sizeof(block));
    CHECK_EQ(step_write(disk, file, 0, block, sizeof(block)), SF_OK);
    CHECK(sf_sim_disk_grep(sim, sf_view("secretword", 10), NULL, 0));
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK(!sf_sim_disk_grep(sim, sf_view("secretword", 10), NULL, 0));
    CHECK_EQ(sf_sim_disk_rot(sim, "d/file-of-sat7", 100, 0x41), SF_OK);
    CHECK(sf_sim_disk_grep(sim, sf_view("\0\x41\0", 3), NULL, 0));
    lose_all();
    CHECK(sf_sim_disk_grep(sim, sf_view("\0\x41\0", 3), NULL, 0));
    CHECK_EQ(sf_sim_disk_rot(sim, "d/none", 0, 1), SF_ENOENT);
    CHECK_EQ(sf_sim_disk_rot(sim, "d/file-of-sat7", 8192, 1), SF_EINVAL);
    end();
}

/* A random program; every cut must leave what the rules promise and never crash the model. */
static void
random_program(uint64_t seed)
{
    static uint8_t bytes[20000];
    struct sf_prng prng;
    int files[3] = {-1, -1, -1};
    static const char *const names[] = {"a", "b", "d/a", "d/b"};

    sf_prng_init(&prng, seed);
    for (int step = 0; step < 120; step++) {
        const char *name = names[sf_prng_below(&prng, 4)];
        size_t at = sf_prng_below(&prng, 3);
        uint64_t offset = sf_prng_below(&prng, 300000);
        size_t count = 1 + sf_prng_below(&prng, sizeof(bytes) - 1);
        int status = SF_OK;

        switch (sf_prng_below(&prng, 12)) {
        case 0:
            status = step_path(disk, SF_DISK_MKDIR, "d");
            break;
        case 1:
            if (files[at] < 0) {
                status = step_open(disk, name, SF_DISK_RDWR | SF_DISK_CREATE, &files[at]);
            }
            break;
        case 2:
            status = step_close(disk, files[at]);
            files[at] = -1;
            break;
        case 3:
            status = step_path(disk, SF_DISK_UNLINK, name);
            break;
        case 4:
            status = step_rename(disk, name, names[sf_prng_below(&prng, 4)], 0);
            break;
        case 5:
            status = step_path(disk, SF_DISK_SYNC_DIR, seed % 2 == 0 ? "." : "d");
            break;
        case 6:
            status = step_file(disk, SF_DISK_PUNCH, files[at], offset, count);
            break;
        case 7:
            status = step_file(disk, SF_DISK_TRUNCATE, files[at], offset, 0);
            break;
        case 8:
            status = step_file(disk, SF_DISK_ALLOCATE, files[at], offset, count);
            break;
        case 9:
            status = step_sync(disk, files[at]);
            break;
        default:
            sf_prng_fill(&prng, bytes, count);
            status = step_write(disk, files[at], offset, bytes, count);
            break;
        }
        (void)status; /* half of these are mistakes, and answered as such */
        if (sf_prng_chance(&prng, 30000)) {
            sf_sim_disk_restart(
                sim, (enum sf_sim_damage_model)sf_prng_below(&prng, SF_SIM_DAMAGE_MODELS), seed);
            files[0] = files[1] = files[2] = -1;
        }
    }
}

static void
test_random_programs(void)
{
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct sf_sim_disk *clone;
        struct sf_sim_disk_stats stats;
        uint64_t hash;

        start(&(struct sf_sim_disk_config){.seed = seed, .capacity_bytes = 1 << 20});
        sf_sim_disk_set_rates(
            sim, &(struct sf_sim_disk_rates){.sync_error_ppm = seed % 3 == 0 ? 100000 : 0,
                     .bit_rot_ppm = seed % 5 == 0 ? 100000 : 0});
        random_program(seed);
        hash = sf_sim_disk_hash(sim);
        REQUIRE_EQ(sf_sim_disk_clone(sim, &clone), SF_OK);
        CHECK(sf_sim_disk_hash(clone) == hash);
        sf_sim_disk_restart(clone, SF_SIM_DAMAGE_KEEP_ALL, 1);
        CHECK(sf_sim_disk_hash(clone) == hash);
        sf_sim_disk_restart(clone, SF_SIM_DAMAGE_LOSE_ALL, 1);
        hash = sf_sim_disk_hash(clone);
        sf_sim_disk_close(clone);
        /* The damage is that of the seed, not of chance. */
        sf_sim_disk_restart(sim, SF_SIM_DAMAGE_LOSE_ALL, 1);
        CHECK(sf_sim_disk_hash(sim) == hash);
        sf_sim_disk_get_stats(sim, &stats);
        CHECK(stats.used_bytes <= 1 << 20);
        CHECK(stats.operations > 0);
    }
    end();
}

CHECK_MAIN("sim_disk", {"a cut takes what was never synced", test_nothing_synced},
    {"a file's sync does not make its name durable", test_file_synced_name_not},
    {"a directory's sync does not make a file's bytes durable", test_name_synced_file_not},
    {"bytes and name synced survive, and later bytes do not", test_both_synced},
    {"directories and removals are durable by the sync of what contains them", test_directories},
    {"a rename is durable when both directories are synced", test_rename},
    {"a rename leaves one of the two names under every damage", test_rename_is_atomic},
    {"a durable name brings its earlier changes with it", test_earlier_changes_follow},
    {"a failed sync drops what it covered though programs still see it", test_failed_sync},
    {"a failed directory sync drops the names it covered", test_failed_directory_sync},
    {"a sync covers only writes completed when it was submitted", test_sync_covers_completed},
    {"a cut at an operation freezes the disk and ends the rest in errors", test_cut_at},
    {"each damage model leaves what it says", test_damage_models},
    {"a lost append may lengthen the file with zeros or junk", test_lost_append_may_lengthen},
    {"a write in flight at the cut may have happened", test_in_flight_write_may_survive},
    {"one run serves a cut at every operation", test_cut_at_every_operation},
    {"faults hit once or for ever, whole or half way", test_faults},
    {"a full disk refuses blocks and takes them back", test_capacity},
    {"a preallocated spool costs no memory, and unaligned direct reads are refused",
        test_sparse_spool},
    {"zeros cost nothing, wherever other bytes stand among them", test_zeros},
    {"a 700 GB source is read anywhere and shows when it is touched", test_source},
    {"operations take their time", test_latency},
    {"without latency a shuffled disk reorders, the same way for the same seed", test_shuffle},
    {"rot hits the medium and grep sees bytes, names and the durable face", test_rot_and_grep},
    {"random programs, faults and cuts never confuse the model", test_random_programs})
