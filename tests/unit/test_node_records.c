/*
 * What a node does with records of its journal that are none, with files that are not there, and without memory
 * while it starts; and what it remembers of what has ended.
 */
#include "tests/unit/node_unfinished.h"

#include "base/bytes.h"
#include "bundle/letter.h"
#include "bundle/manifest.h"
#include "node/schema.h"
#include "sim/memory.h"
#include "store/journal.h"
#include "tests/unit/disk_steps.h"

enum { VALUE_MAX = 4096 };

/* --- Records ---------------------------------------------------------------------------------- */

static struct sf_journal *
open_journal(unsigned number)
{
    struct sf_journal_config config = {.disk = sf_sim_disk_interface(fixture_disk(&f, number))};
    struct sf_journal *journal = NULL;

    REQUIRE_EQ(sf_journal_open(&config, &journal), SF_OK);
    return journal;
}

static void
record_done(struct sf_commit *commit)
{
    *(bool *)commit->owner = true;
}

static void
close_journal(unsigned number, struct sf_journal *journal)
{
    struct sf_disk *disk = sf_sim_disk_interface(fixture_disk(&f, number));
    bool is_done = false;
    struct sf_commit commit = {.done = record_done, .owner = &is_done};

    sf_journal_commit(journal, &commit);
    while (!is_done) {
        if (!sf_disk_poll(disk)) {
            disk->wait(disk);
        }
    }
    CHECK_EQ(commit.status, SF_OK);
    sf_journal_close(journal);
}

/* The newest record of a table. */
struct record {
    uint8_t key[256];
    size_t key_bytes;
    uint8_t value[VALUE_MAX];
    size_t value_bytes;
};

static bool
find_record(unsigned number, uint8_t table, struct record *ret_record)
{
    struct sf_journal *journal = open_journal(number);
    struct sf_journal_cursor cursor = {0};
    struct sf_view key;
    struct sf_view value;
    bool is_there = false;

    while (sf_journal_next(journal, table, &cursor, &key, &value)) {
        if (value.data != NULL && value.bytes > 0) {
            is_there = true;
            REQUIRE(value.bytes <= VALUE_MAX);
            memcpy(ret_record->key, key.data, key.bytes);
            memcpy(ret_record->value, value.data, value.bytes);
            ret_record->key_bytes = key.bytes;
            ret_record->value_bytes = value.bytes;
        }
    }
    sf_journal_close(journal);
    return is_there;
}

static void
put_record(unsigned number, uint8_t table, const struct record *record, size_t value_bytes)
{
    struct sf_journal *journal = open_journal(number);

    CHECK_EQ(sf_journal_set(journal, table, sf_view(record->key, record->key_bytes),
                 sf_view(record->value, value_bytes)),
        SF_OK);
    close_journal(number, journal);
}

/* Without what it has to know a node does not start, and says why; nothing is thrown away. */
static void
test_needed_records(void)
{
    static const struct {
        unsigned number;
        uint8_t table;
    } cases[] = {
        {GROUND, SF_TABLE_NODE},
        {GROUND, SF_TABLE_OUT},
        {GROUND, SF_TABLE_OUT_TO},
        {SAT, SF_TABLE_NODE},
        {SAT, SF_TABLE_IN},
    };

    make_unfinished();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record record;

        REQUIRE(find_record(cases[i].number, cases[i].table, &record));
        put_record(cases[i].number, cases[i].table, &record, record.value_bytes - 1);
        f.error.text[0] = '\0';
        CHECK_EQ(sf_world_start(f.world, cases[i].number, &f.error), SF_EFORMAT);
        CHECK(f.error.text[0] != '\0');
        put_record(cases[i].number, cases[i].table, &record, record.value_bytes);
    }
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    check_arrives();
    fixture_close(&f);
}

/* A node that has started as often as can be counted starts no more: its epochs would come again. */
static void
test_last_start(void)
{
    struct record record;

    make_unfinished();
    REQUIRE(find_record(GROUND, SF_TABLE_NODE, &record));
    sf_put_be32(record.value, UINT32_MAX - 1);
    put_record(GROUND, SF_TABLE_NODE, &record, record.value_bytes);
    CHECK_EQ(sf_world_start(f.world, GROUND, &f.error), SF_ELIMIT);
    fixture_close(&f);
}

/* Nor with one that asks for more than there can be. */
static void
test_too_much(void)
{
    struct record record;
    struct record bad;
    struct sf_record_out good;
    struct sf_record_to to;

    make_unfinished();
    REQUIRE(find_record(GROUND, SF_TABLE_OUT, &record));
    REQUIRE_EQ(sf_record_out_decode(sf_view(record.value, record.value_bytes), &good), SF_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct sf_record_out out = good;

        bad = record;
        out.recipient_count = i == 0 ? SF_NODE_RECIPIENTS_MAX + 1 : out.recipient_count;
        out.file_count = i == 1 ? SF_OUTLINE_FILES_MAX + 1 : out.file_count;
        put_record(GROUND, SF_TABLE_OUT, &bad, sf_record_out_encode(&out, bad.value));
        CHECK_EQ(sf_world_start(f.world, GROUND, &f.error), SF_EFORMAT);
    }
    put_record(GROUND, SF_TABLE_OUT, &record, record.value_bytes);
    /* One of a recipient that the transfer has no place for is nobody's, and harms nobody. */
    REQUIRE(find_record(GROUND, SF_TABLE_OUT_TO, &bad));
    REQUIRE_EQ(sf_record_to_decode(sf_view(bad.value, bad.value_bytes), &to), SF_OK);
    to.order = 7;
    bad.key[bad.key_bytes - 1] ^= 1;
    put_record(GROUND, SF_TABLE_OUT_TO, &bad, sf_record_to_encode(&to, bad.value));
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    check_arrives();
    fixture_close(&f);
}

/* A record under a key that has another length is none of this version. */
static void
test_strange_keys(void)
{
    static const struct {
        unsigned number;
        uint8_t table;
    } cases[] = {{GROUND, SF_TABLE_OUT}, {SAT, SF_TABLE_IN}};

    make_unfinished();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record record;
        struct sf_journal *journal;

        REQUIRE(find_record(cases[i].number, cases[i].table, &record));
        record.key_bytes--;
        put_record(cases[i].number, cases[i].table, &record, record.value_bytes);
        CHECK_EQ(sf_world_start(f.world, cases[i].number, &f.error), SF_EFORMAT);
        journal = open_journal(cases[i].number);
        CHECK_EQ(sf_journal_unset(journal, cases[i].table, sf_view(record.key, record.key_bytes)),
            SF_OK);
        close_journal(cases[i].number, journal);
    }
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    check_arrives();
    fixture_close(&f);
}

/* What a node can do without: it starts, and the transfer ends as if nothing had been wrong. */
static void
test_spare_records(void)
{
    static const struct {
        unsigned number;
        uint8_t table;
        bool is_emptied; /* or lacks a byte */
    } cases[] = {
        {GROUND, SF_TABLE_OUT_MANIFEST, false},
        {GROUND, SF_TABLE_OUT_LABEL, false},
        {GROUND, SF_TABLE_OUT_LABEL, true},
        {GROUND, SF_TABLE_OUT_RECEIPT, false},
        {GROUND, SF_TABLE_OUT_RECEIPT, true},
        {SAT, SF_TABLE_IN_RECEIPT, false},
        {SAT, SF_TABLE_IN_RECEIPT, true},
        {SAT, SF_TABLE_IN_LABEL, false},
        {SAT, SF_TABLE_IN_LABEL, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record record;

        make_unfinished();
        REQUIRE(find_record(cases[i].number, cases[i].table, &record));
        put_record(cases[i].number, cases[i].table, &record,
            cases[i].is_emptied ? 0 : record.value_bytes - 1);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        check_arrives();
        fixture_close(&f);
    }
}

/* A receipt that cannot be compared with what was sent ends no custody. */
static void
test_no_manifest(void)
{
    struct record record;

    make_unfinished();
    REQUIRE(find_record(GROUND, SF_TABLE_OUT_MANIFEST, &record));
    put_record(GROUND, SF_TABLE_OUT_MANIFEST, &record, 0);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 600 * SF_SEC);
    fixture_check_file(&f, SAT, "inbox/ground/other.bin", FILE_BYTES, 1);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK_EQ(fixture_count_names(&f, GROUND, "spool"), 1);
    fixture_close(&f);
}

/* --- Files ------------------------------------------------------------------------------------- */

static void
remove_spool(unsigned number)
{
    static uint8_t names[4096];
    struct sf_disk *disk = sf_sim_disk_interface(fixture_disk(&f, number));
    struct sf_disk_op list = {
        .kind = SF_DISK_LIST, .path = "spool", .data = names, .bytes = sizeof(names)};
    char path[sizeof(names) + 8];

    REQUIRE_EQ(sf_disk_run(disk, &list), SF_OK);
    REQUIRE(list.ret_bytes > 0);
    snprintf(path, sizeof(path), "spool/%s", (const char *)names);
    REQUIRE_EQ(step_path(disk, SF_DISK_UNLINK, path), SF_OK);
}

/* A sender whose sealed bundles are gone says so to its owner and to the recipient. */
static void
test_no_spool_to_send(void)
{
    make_unfinished();
    remove_spool(GROUND);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    CHECK(fixture_until(&f, GROUND, SF_NODE_FAILED, 60 * SF_SEC));
    CHECK(strstr(fixture_transfer(&f, GROUND).why, "gone") != NULL);
    fixture_run(&f, 120 * SF_SEC);
    CHECK(fixture_transfer(&f, SAT).state != SF_NODE_RECEIVING);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/other.bin"));
    fixture_close(&f);
}

/* A receiver whose bundles are gone never signs for the file as if they were there. */
static void
test_no_spool_to_receive(void)
{
    make_unfinished();
    remove_spool(SAT);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, 600 * SF_SEC);
    if (fixture_transfer(&f, GROUND).state == SF_NODE_DONE) {
        fixture_check_file(&f, SAT, "inbox/ground/other.bin", FILE_BYTES, 1);
    } else {
        CHECK(fixture_transfer(&f, GROUND).recipients[0].why[0] != '\0');
        CHECK(!fixture_has_file(&f, SAT, "inbox/ground/other.bin"));
    }
    fixture_close(&f);
}

/* A staged folder of no transfer is swept; what else somebody has put there stays. */
static void
test_strays(void)
{
    static const char *const names[] = {"staging/0123456789abcdef0123456789abcdef", "staging/notes",
        "staging/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"};
    struct sf_disk *disk;

    make_unfinished();
    disk = sf_sim_disk_interface(fixture_disk(&f, SAT));
    for (size_t i = 0; i < 3; i++) {
        REQUIRE_EQ(step_path(disk, SF_DISK_MKDIR, names[i]), SF_OK);
    }
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    check_arrives();
    for (size_t i = 0; i < 3; i++) {
        struct sf_disk_stat stat;

        CHECK_EQ(step_stat(disk, names[i], &stat), i == 0 ? SF_ENOENT : SF_OK);
    }
    fixture_close(&f);
}

static void
test_no_keys(void)
{
    struct sf_disk *disk;
    int file;

    make_unfinished();
    disk = sf_sim_disk_interface(fixture_disk(&f, GROUND));
    REQUIRE_EQ(step_rename(disk, "keys", "elsewhere", 0), SF_OK);
    CHECK_EQ(sf_world_start(f.world, GROUND, &f.error), SF_ENOENT);
    CHECK(strstr(f.error.text, "skyferry init") != NULL);
    REQUIRE_EQ(step_open(disk, "keys", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    REQUIRE_EQ(step_write(disk, file, 0, "nothing", 7), SF_OK);
    REQUIRE_EQ(step_close(disk, file), SF_OK);
    CHECK_EQ(sf_world_start(f.world, GROUND, &f.error), SF_EFORMAT);
    CHECK(strstr(f.error.text, "damaged") != NULL);
    REQUIRE_EQ(step_rename(disk, "elsewhere", "keys", 0), SF_OK);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    check_arrives();
    fixture_close(&f);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* However a start fails for want of memory, the next one finds all that was there. */
static void
test_starts_without_memory(void)
{
    if (!sf_sim_memory_is_there()) {
        SKIP("linked without what makes allocations fail");
    }
    make_unfinished();
    for (unsigned number = GROUND; number <= SAT; number++) {
        struct sf_sim_memory *memory = sf_world_memory(f.world, number);
        unsigned refused = 0;
        int status;

        do {
            memory->fail_at = memory->calls + refused;
            memory->fails = 1;
            memory->failed = 0;
            status = sf_world_start(f.world, number, &f.error);
            if (status == SF_OK && memory->failed > 0) {
                /* It went on without; then it must have been for something it can do without. */
                sf_world_crash(f.world, number, SF_SIM_DAMAGE_KEEP_ALL);
            }
            CHECK(status == SF_OK || status == SF_ENOMEM);
            refused++;
        } while (memory->failed > 0);
        CHECK_EQ(status, SF_OK);
        CHECK(refused > 20);
    }
    check_arrives();
    fixture_close(&f);
}

/*
 * Sat remembers what has ended of ground in as many ranges as it may, and some more; ground's numbers
 * are beyond all of them.
 */
static void
fill_ended(void)
{
    enum { RANGES = 4100, FIRST = 301, NUMBER = 10000, ENDED = 4110 };
    struct sf_view sender = sf_view(
        sf_node_card(sf_world_node(f.world, GROUND))->fingerprint.b, sizeof(struct sf_fingerprint));
    uint8_t key[sizeof(struct sf_fingerprint)];
    struct sf_journal *journal;
    struct record record;
    struct sf_record_peer peer;
    struct sf_record_in in;

    memcpy(key, sender.data, sizeof(key));
    sf_world_stop(f.world, GROUND);
    sf_world_stop(f.world, SAT);
    REQUIRE(find_record(GROUND, SF_TABLE_PEER, &record));
    REQUIRE_EQ(sf_record_peer_decode(sf_view(record.value, record.value_bytes), &peer), SF_OK);
    peer.number_next = NUMBER;
    record.value_bytes = sf_record_peer_encode(&peer, record.value);
    put_record(GROUND, SF_TABLE_PEER, &record, record.value_bytes);
    journal = open_journal(SAT);
    for (uint64_t i = 0; i < RANGES; i++) {
        REQUIRE_EQ(sf_journal_add(journal, SF_TABLE_IN_ENDED, sf_view(key, sizeof(key)),
                       FIRST + 2 * i, FIRST + 1 + 2 * i, NULL),
            SF_OK);
    }
    close_journal(SAT, journal);
    REQUIRE(find_record(SAT, SF_TABLE_IN, &record));
    REQUIRE_EQ(sf_record_in_decode(sf_view(record.value, record.value_bytes), &in), SF_OK);
    REQUIRE_EQ(in.phase, SF_IN_DONE);
    journal = open_journal(SAT);
    for (unsigned i = 0; i < ENDED; i++) {
        record.key[0] = (uint8_t)i;
        record.key[1] = (uint8_t)(i >> 8);
        in.number = 20000 + 2 * i;
        record.value_bytes = sf_record_in_encode(&in, record.value);
        REQUIRE_EQ(sf_journal_set(journal, SF_TABLE_IN, sf_view(record.key, record.key_bytes),
                       sf_view(record.value, record.value_bytes)),
            SF_OK);
    }
    close_journal(SAT, journal);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
}

/* The lowest holes among the ranges are closed, as long as there are too many; no other is. */
static void
check_ended(void)
{
    struct sf_journal *journal;
    struct sf_journal_cursor cursor = {0};
    const struct sf_range_set *ended;
    struct sf_view key, value;

    sf_world_stop(f.world, SAT);
    journal = open_journal(SAT);
    REQUIRE(sf_journal_next(journal, SF_TABLE_IN_ENDED, &cursor, &key, &value));
    ended = sf_journal_set_of(journal, SF_TABLE_IN_ENDED, key);
    REQUIRE(ended != NULL);
    CHECK(sf_range_set_has(ended, 290) && sf_range_set_has(ended, 302));
    CHECK(!sf_range_set_has(ended, 2000) && !sf_range_set_has(ended, 8000));
    sf_journal_close(journal);
}

/* The oldest of those that ended give way, and their records with them; the newest stay. */
static void
test_history(void)
{
    enum { SENT = 270, KEPT = 256 };
    static uint8_t letter[SF_LETTER_BYTES_MAX];
    struct sf_transfer_id first;
    struct sf_transfer_id about;
    struct sf_node_transfer transfer;
    size_t letter_bytes;

    fixture_open(&f, 40004, 2);
    fixture_send_file(&f, 100);
    first = f.id;
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    REQUIRE_EQ(sf_node_receipt_export(
                   sf_world_node(f.world, SAT), &first, letter, &letter_bytes, &f.error),
        SF_OK);
    for (unsigned i = 1; i < SENT; i++) {
        struct sf_world_send order = fixture_order();

        if (i == SENT - 3) {
            fill_ended();
        }
        fixture_send(&f, &order);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
        fixture_run(&f, SF_SEC);
    }
    CHECK(count_transfers() >= KEPT && count_transfers() <= KEPT + 1);
    CHECK(!sf_world_transfer(f.world, GROUND, &first, &transfer));
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_DONE);
    CHECK_EQ(sf_node_receipt_import(
                 sf_world_node(f.world, GROUND), letter, letter_bytes, &about, &f.error),
        SF_ENOENT);
    CHECK(strstr(f.error.text, "forgotten") != NULL);
    CHECK_EQ(sf_node_peer_remove(sf_world_node(f.world, SAT), "ground", &f.error), SF_OK);
    CHECK_EQ(
        sf_node_receipt_export(sf_world_node(f.world, SAT), &f.id, letter, &letter_bytes, &f.error),
        SF_ESTATE);
    CHECK(!sf_world_transfer(f.world, SAT, &first, &transfer));
    check_ended();
    sf_world_stop(f.world, GROUND);
    fixture_start(&f, GROUND);
    CHECK(count_transfers() >= KEPT && count_transfers() <= KEPT + 1);
    CHECK(!sf_world_transfer(f.world, GROUND, &first, &transfer));
    fixture_close(&f);
}

CHECK_MAIN("node_records", {"a node without a record that it needs says so", test_needed_records},
    {"a node with a record of too much says so", test_too_much},
    {"starts are counted to the last", test_last_start},
    {"a record of another version is said and kept", test_strange_keys},
    {"a record that it can do without is done without", test_spare_records},
    {"a receipt that cannot be compared ends no custody", test_no_manifest},
    {"a sender without its bundles says so", test_no_spool_to_send},
    {"a receiver without its bundles signs for nothing", test_no_spool_to_receive},
    {"strays are swept, and nothing else", test_strays},
    {"a home without keys is said", test_no_keys},
    {"a start that finds no memory loses nothing", test_starts_without_memory},
    {"ended transfers give way to new ones", test_history})
