/* Tests of store/journal: each row of the recovery table. */
#include "base/crc32c.h"
#include "tests/unit/journal_steps.h"

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
    make_sample(true);
    sf_sim_disk_cut(sim); /* the mark is synced: the power may go right behind it */
    sf_sim_disk_restart(sim, SF_SIM_DAMAGE_LOSE_ALL, 1);
    rot(AT_C + 40);
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

CHECK_MAIN("journal recovery", {"row A: nothing there makes an empty journal", test_row_a},
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
    {"no flipped bit becomes a fact", test_every_bit})
