/* Tests of store/spool: custody, groups, errors, space, and what is left after a restart. */
#include "store/spool.h"
#include "tests/unit/store_steps.h"

enum { CLASS_BYTES = 16 * 1024, SLOTS = 8, TABLE = 11, PUTS = 8 };

static struct sf_journal *journal;
static struct sf_spool_set *spools;
static _Alignas(4096) uint8_t object[PUTS][CLASS_BYTES];
static uint8_t tag[32] = {42};

struct waited {
    bool is_done;
    struct sf_spool_op op;
    struct sf_spool_put put;
    struct sf_spool_io io;
};

static void
open_home(uint64_t reserve_bytes)
{
    struct sf_journal_config journal_config = {.disk = disk};
    struct sf_spools_config config = {.disk = disk, .reserve_bytes = reserve_bytes};

    REQUIRE_EQ(sf_journal_open(&journal_config, &journal), SF_OK);
    config.journal = journal;
    REQUIRE_EQ(sf_spools_open(&config, &spools), SF_OK);
}

static void
start(void)
{
    start_disk(NULL);
    open_home(0);
}

static void
close_home(void)
{
    sf_spools_close(spools);
    sf_journal_close(journal);
}

static void
end(void)
{
    close_home();
    end_disk();
}

static void
crash(void)
{
    sf_sim_disk_cut(sim);
    sf_spools_drop(spools);
    sf_journal_drop(journal);
    sf_sim_disk_restart(sim, SF_SIM_DAMAGE_LOSE_ALL, 1);
}

static void
op_done(struct sf_spool_op *op)
{
    ((struct waited *)op->owner)->is_done = true;
}

static void
put_done(struct sf_spool_put *put)
{
    ((struct waited *)put->owner)->is_done = true;
}

static void
io_done(struct sf_spool_io *io)
{
    ((struct waited *)io->owner)->is_done = true;
}

static struct sf_spool_op *
prepare(struct waited *waited, uint8_t name)
{
    *waited = (struct waited){
        .op =
            {
                .done = op_done,
                .owner = waited,
                .transfer = {{name}},
                .direction = SF_SPOOL_OUT,
                .class_bytes = CLASS_BYTES,
                .slots = SLOTS,
            },
    };
    return &waited->op;
}

static int
finish(struct waited *waited)
{
    CHECK(!waited->is_done);
    wait_for(&waited->is_done);
    return waited->op.status;
}

static int
create(uint8_t name, struct sf_spool **ret_spool)
{
    struct waited waited;
    int status;

    sf_spool_create(spools, prepare(&waited, name));
    status = finish(&waited);
    *ret_spool = waited.op.spool;
    return status;
}

static int
reopen(uint8_t name, uint64_t slots, struct sf_spool **ret_spool)
{
    struct waited waited;
    int status;

    prepare(&waited, name)->slots = slots;
    sf_spool_reopen(spools, &waited.op);
    status = finish(&waited);
    *ret_spool = waited.op.spool;
    return status;
}

static void
begin_put(struct waited *waited, struct sf_spool *spool, uint64_t index)
{
    memset(object[index], (int)index + 1, CLASS_BYTES);
    *waited = (struct waited){
        .put =
            {
                .done = put_done,
                .owner = waited,
                .spool = spool,
                .index = index,
                .object = object[index],
                .table = TABLE,
                .key = text_view("key"),
                .tag = tag,
            },
    };
    sf_spool_put(&waited->put);
}

static int
put(struct sf_spool *spool, uint64_t index)
{
    struct waited waited;

    begin_put(&waited, spool, index);
    CHECK(!waited.is_done);
    wait_for(&waited.is_done);
    return waited.put.status;
}

/* What the slot reads as, if all its bytes are the same; else -1. */
static int
read_slot(struct sf_spool *spool, uint64_t index)
{
    static _Alignas(4096) uint8_t data[CLASS_BYTES];
    struct waited waited = {
        .io = {.done = io_done, .spool = spool, .index = index, .bytes = CLASS_BYTES}};

    waited.io.owner = &waited;
    waited.io.data = data;
    sf_spool_get(&waited.io);
    wait_for(&waited.is_done);
    CHECK_EQ(waited.io.status, SF_OK);
    return memcmp(data, data + 1, CLASS_BYTES - 1) == 0 ? data[0] : -1;
}

static bool
is_held(uint64_t index)
{
    const struct sf_range_set *set = sf_journal_set_of(journal, TABLE, text_view("key"));

    return set != NULL && sf_range_set_has(set, index);
}

static void
fail_from_now(enum sf_disk_kind kind, enum sf_sim_fault_kind fault_kind)
{
    struct sf_sim_fault fault = {
        .kind = fault_kind, .operation = sf_sim_disk_operations(sim), .op_kinds = 1U << kind};

    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault), SF_OK);
}

static void
test_put_and_get(void)
{
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    CHECK_EQ(sf_spool_class_bytes(spool), CLASS_BYTES);
    CHECK_EQ(sf_spool_slots(spool), SLOTS);
    CHECK_EQ(read_slot(spool, 3), 0);
    CHECK_EQ(put(spool, 3), SF_OK);
    CHECK_EQ(read_slot(spool, 3), 4);
    CHECK(is_held(3));
    CHECK_BYTES(sf_journal_tag(journal, TABLE, text_view("key"), 3), tag, 32);
    crash();
    open_home(0);
    CHECK(is_held(3));
    REQUIRE_EQ(reopen(1, SLOTS, &spool), SF_OK);
    CHECK_EQ(read_slot(spool, 3), 4);
    end();
}

static void
test_shared_sync(void)
{
    struct waited waited[PUTS];
    struct sf_journal_stats journal_stats;
    struct sf_spools_stats stats;
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    for (uint64_t i = 0; i < PUTS; i++) {
        begin_put(&waited[i], spool, i);
    }
    for (uint64_t i = 0; i < PUTS; i++) {
        wait_for(&waited[i].is_done);
        CHECK_EQ(waited[i].put.status, SF_OK);
    }
    sf_spools_stats(spools, &stats);
    sf_journal_stats(journal, &journal_stats);
    CHECK_EQ(stats.puts, PUTS);
    CHECK(stats.syncs <= 2);
    CHECK(journal_stats.commits <= 3);
    end();
}

static void
test_order(void)
{
    struct waited waited;
    struct sf_spool *spool;

    /* At every step before done nothing is held; once it is done a cut leaves it. */
    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    begin_put(&waited, spool, 0);
    while (!waited.is_done) {
        struct sf_sim_disk *clone;
        struct sf_disk *kept = disk;
        struct sf_journal *other;
        struct sf_journal_config config;

        REQUIRE_EQ(sf_sim_disk_clone(sim, &clone), SF_OK);
        sf_sim_disk_restart(clone, SF_SIM_DAMAGE_LOSE_ALL, 1);
        config = (struct sf_journal_config){.disk = sf_sim_disk_interface(clone)};
        REQUIRE_EQ(sf_journal_open(&config, &other), SF_OK);
        CHECK(sf_journal_set_of(other, TABLE, text_view("key")) == NULL);
        sf_journal_close(other);
        sf_sim_disk_close(clone);
        disk = kept;
        (void)sf_disk_poll(disk);
    }
    crash();
    open_home(0);
    CHECK(is_held(0));
    end();
}

static void
test_failed_sync(void)
{
    struct waited waited[PUTS];
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    CHECK_EQ(put(spool, 7), SF_OK);
    for (uint64_t i = 0; i < 4; i++) {
        begin_put(&waited[i], spool, i);
    }
    fail_from_now(SF_DISK_SYNC, SF_SIM_FAULT_EIO);
    for (uint64_t i = 0; i < 4; i++) {
        wait_for(&waited[i].is_done);
        CHECK_EQ(waited[i].put.status, SF_EIO);
        CHECK(!is_held(i));
    }
    CHECK(!sf_journal_failed(journal));
    CHECK(is_held(7));
    CHECK_EQ(put(spool, 1), SF_OK); /* written anew, not synced again */
    CHECK(is_held(1));
    crash();
    open_home(0);
    REQUIRE_EQ(reopen(1, SLOTS, &spool), SF_OK);
    CHECK(is_held(1) && is_held(7) && !is_held(0));
    CHECK_EQ(read_slot(spool, 1), 2);
    end();
}

static void
test_failed_write(void)
{
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    fail_from_now(SF_DISK_WRITE, SF_SIM_FAULT_EIO);
    CHECK_EQ(put(spool, 1), SF_EIO);
    CHECK(!is_held(1));
    CHECK_EQ(put(spool, 1), SF_OK);
    end();
}

static void
test_failed_journal(void)
{
    struct waited waited;
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    begin_put(&waited, spool, 1);
    (void)sf_disk_poll(disk); /* the slot is written */
    (void)sf_disk_poll(disk); /* and synced */
    fail_from_now(SF_DISK_WRITE, SF_SIM_FAULT_EIO);
    wait_for(&waited.is_done);
    CHECK_EQ(waited.put.status, SF_EIO);
    CHECK(sf_journal_failed(journal));
    crash();
    open_home(0);
    CHECK(!is_held(1));
    end();
}

/* What the journal reserves for itself comes on top. */
enum { CAPACITY_BYTES = (4 << 20) + (1 << 20) };

static void
test_reserve(void)
{
    struct sf_sim_disk_config config = {.seed = 1, .capacity_bytes = CAPACITY_BYTES};
    struct waited waited;
    struct sf_spool *spool;

    start_disk(&config);
    open_home(700 * 1024);
    sf_spools_space(spools, prepare(&waited, 0));
    CHECK_EQ(finish(&waited), SF_OK);
    CHECK(waited.op.free_bytes > SLOTS * CLASS_BYTES);
    CHECK(waited.op.free_bytes <= 324 * 1024);
    REQUIRE_EQ(create(1, &spool), SF_OK);
    REQUIRE_EQ(create(2, &spool), SF_OK);
    sf_spool_create(spools, prepare(&waited, 3));
    CHECK_EQ(finish(&waited), SF_ENOSPC);
    CHECK(waited.op.need_bytes > 0);
    CHECK_EQ(waited.op.need_bytes, SLOTS * CLASS_BYTES - waited.op.free_bytes);
    CHECK(!file_exists("spool/03000000000000000000000000000000.out"));
    end();
}

static void
test_two_creates_share_no_space(void)
{
    struct sf_sim_disk_config config = {
        .seed = 1, .capacity_bytes = CAPACITY_BYTES, .shuffle = true};
    struct waited waited[12];
    int made = 0;

    start_disk(&config);
    open_home(500 * 1024);
    for (uint8_t i = 0; i < 12; i++) {
        sf_spool_create(spools, prepare(&waited[i], (uint8_t)(i + 1)));
    }
    for (int i = 0; i < 12; i++) {
        wait_for(&waited[i].is_done);
        CHECK(waited[i].op.status == SF_OK || waited[i].op.status == SF_ENOSPC);
        made += waited[i].op.status == SF_OK;
    }
    CHECK(made >= 1 && made <= 4); /* 1024 - 500 KiB hold four files of 128 KiB */
    sf_spools_space(spools, prepare(&waited[0], 0));
    CHECK_EQ(finish(&waited[0]), SF_OK);
    end();
}

static void
test_allocate_fails(void)
{
    struct waited waited;
    struct sf_spool *spool;

    start();
    fail_from_now(SF_DISK_ALLOCATE, SF_SIM_FAULT_ENOSPC);
    sf_spool_create(spools, prepare(&waited, 1));
    CHECK_EQ(finish(&waited), SF_ENOSPC);
    CHECK(waited.op.need_bytes > 0);
    CHECK(!file_exists("spool/01000000000000000000000000000000.out"));
    CHECK_EQ(create(1, &spool), SF_OK);
    CHECK_EQ(create(1, &spool), SF_EEXIST);
    end();
}

/* A failed sync of the folder drops every name that was new, whoever asked for it. */
static void
test_shared_folder_sync_fails(void)
{
    struct waited created, unlinked;
    struct sf_spool *spool;

    start();
    fail_from_now(SF_DISK_SYNC_DIR, SF_SIM_FAULT_EIO);
    sf_spool_create(spools, prepare(&created, 1));
    sf_spools_unlink(spools, prepare(&unlinked, 2));
    CHECK_EQ(finish(&unlinked), SF_EIO);
    CHECK_EQ(finish(&created), SF_EIO);
    CHECK(!file_exists("spool/01000000000000000000000000000000.out"));
    CHECK_EQ(create(1, &spool), SF_OK);
    crash();
    open_home(0);
    CHECK_EQ(reopen(1, SLOTS, &spool), SF_OK);
    end();
}

static void
test_pages(void)
{
    static _Alignas(4096) uint8_t page[4096];
    struct waited waited = {.io = {.done = io_done, .index = 2, .offset = 4096, .bytes = 4096}};
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    memset(page, 9, sizeof(page));
    waited.io.owner = &waited;
    waited.io.spool = spool;
    waited.io.data = page;
    sf_spool_write_raw(&waited.io);
    wait_for(&waited.is_done);
    CHECK_EQ(waited.io.status, SF_OK);
    CHECK_EQ(read_slot(spool, 2), -1);
    memset(page, 0, sizeof(page));
    waited.is_done = false;
    sf_spool_get(&waited.io);
    wait_for(&waited.is_done);
    CHECK_EQ(waited.io.status, SF_OK);
    CHECK_EQ(page[0], 9);
    CHECK(!is_held(2));
    end();
}

static void
test_punch(void)
{
    struct sf_sim_disk_stats before;
    struct sf_sim_disk_stats after;
    struct waited waited;
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    CHECK_EQ(put(spool, 1), SF_OK);
    CHECK_EQ(put(spool, 2), SF_OK);
    sf_sim_disk_get_stats(sim, &before);
    prepare(&waited, 1)->spool = spool;
    waited.op.first = 0;
    waited.op.count = 2;
    sf_spool_punch(&waited.op);
    CHECK_EQ(finish(&waited), SF_OK);
    sf_sim_disk_get_stats(sim, &after);
    CHECK_EQ(before.used_bytes - after.used_bytes, 2 * CLASS_BYTES);
    CHECK_EQ(read_slot(spool, 1), 0);
    CHECK_EQ(read_slot(spool, 2), 3);
    end();
}

static void
test_trim(void)
{
    struct waited waited;
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    CHECK_EQ(put(spool, 1), SF_OK);
    prepare(&waited, 1)->spool = spool;
    waited.op.slots = 3;
    sf_spool_trim(&waited.op);
    CHECK_EQ(finish(&waited), SF_OK);
    CHECK_EQ(sf_spool_slots(spool), 3);
    crash();
    open_home(0);
    CHECK_EQ(reopen(1, SLOTS, &spool), SF_EFORMAT); /* shorter than its fact says */
    CHECK(spool == NULL);
    CHECK_EQ(reopen(1, 2, &spool), SF_OK); /* longer: the trim is repeated */
    CHECK_EQ(read_slot(spool, 1), 2);
    CHECK_EQ(reopen(1, 2, &spool), SF_EEXIST);
    close_home();
    open_home(0);
    CHECK_EQ(reopen(1, 3, &spool), SF_EFORMAT);
    end();
}

static void
test_remove_waits(void)
{
    struct waited waited[3];
    struct sf_spool *spool;
    size_t count;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    begin_put(&waited[0], spool, 0);
    begin_put(&waited[1], spool, 1);
    prepare(&waited[2], 1)->spool = spool;
    sf_spool_remove(&waited[2].op);
    CHECK_EQ(finish(&waited[2]), SF_OK);
    CHECK(waited[0].is_done && waited[1].is_done);
    CHECK_EQ(waited[0].put.status, SF_OK);
    CHECK(waited[2].op.spool == NULL);
    crash();
    open_home(0);
    (void)sf_spools_list(spools, &count);
    CHECK_EQ(count, 0);
    CHECK_EQ(reopen(1, SLOTS, &spool), SF_ENOENT);
    end();
}

static void
test_list(void)
{
    const struct sf_spool_file *files;
    struct waited waited;
    struct sf_spool *spool;
    size_t count;

    start();
    REQUIRE_EQ(create(0xab, &spool), SF_OK);
    prepare(&waited, 0xcd)->direction = SF_SPOOL_IN;
    sf_spool_create(spools, &waited.op);
    REQUIRE_EQ(finish(&waited), SF_OK);
    put_file("spool/AB000000000000000000000000000000.out", (const uint8_t *)"x", 1);
    put_file("spool/ab00000000000000000000000000000.out", (const uint8_t *)"x", 1);
    put_file("spool/notes.txt", (const uint8_t *)"x", 1);
    crash();
    open_home(0);
    files = sf_spools_list(spools, &count);
    REQUIRE_EQ(count, 2);
    CHECK_EQ(files[0].transfer.b[0] + files[1].transfer.b[0], 0xab + 0xcd);
    CHECK_EQ(files[0].direction + files[1].direction, SF_SPOOL_OUT + SF_SPOOL_IN);
    sf_spools_unlink(spools, prepare(&waited, 0xab));
    CHECK_EQ(finish(&waited), SF_OK);
    sf_spools_unlink(spools, prepare(&waited, 0xab));
    CHECK_EQ(finish(&waited), SF_OK);
    crash();
    open_home(0);
    (void)sf_spools_list(spools, &count);
    CHECK_EQ(count, 1);
    CHECK(file_exists("spool/notes.txt"));
    end();
}

static void
test_close(void)
{
    struct waited waited;
    struct sf_spools_stats stats;
    struct sf_spool *spool;

    start();
    REQUIRE_EQ(create(1, &spool), SF_OK);
    prepare(&waited, 1)->spool = spool;
    sf_spool_close(&waited.op);
    CHECK_EQ(finish(&waited), SF_OK);
    sf_spools_stats(spools, &stats);
    CHECK_EQ(stats.open_files, 0);
    CHECK_EQ(reopen(1, SLOTS, &spool), SF_OK);
    end();
}

CHECK_MAIN("spool", {"row A: a put is read back, also after a crash", test_put_and_get},
    {"puts that wait together share one sync and one commit", test_shared_sync},
    {"a bundle is held when its put is done and not before", test_order},
    {"a failed sync takes every put it covered", test_failed_sync},
    {"a failed write takes its put alone", test_failed_write},
    {"a put whose fact is not durable is not held", test_failed_journal},
    {"create leaves the reserve alone and says how much is missing", test_reserve},
    {"creates under way do not promise the same space", test_two_creates_share_no_space},
    {"a create that fails leaves nothing behind", test_allocate_fails},
    {"a name is lost with a sync of its folder that another asked for",
        test_shared_folder_sync_fails},
    {"pages outside custody are written and read", test_pages},
    {"punched slots read as zero and give their blocks back", test_punch},
    {"rows D and E: a longer file is cut, a shorter one refused", test_trim},
    {"row F: remove waits for puts under way and is durable", test_remove_waits},
    {"rows B, C and G: files without a fact are listed and removed, others left alone", test_list},
    {"a closed spool can be opened again", test_close})
