/*
 * Only what changed: transfers against a base, and what becomes of them when it is gone, another,
 * or when either end loses its power.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

enum { BYTES = 1200001 };

static uint8_t *before;
static uint8_t *after;

/* Two versions: the first third is the same, a few bytes of the second, many of the last differ. */
static void
make_versions(struct fixture *f)
{
    struct sf_prng prng;

    if (before == NULL) {
        before = malloc(BYTES);
        after = malloc(BYTES);
        REQUIRE(before != NULL && after != NULL);
        sf_prng_init(&prng, 5);
        sf_prng_fill(&prng, before, BYTES);
        memcpy(after, before, BYTES);
        for (size_t i = BYTES / 3; i < BYTES; i++) {
            if (sf_prng_below(&prng, i < 2 * BYTES / 3 ? 100 : 3) == 0) {
                after[i] = (uint8_t)(after[i] + 1 + sf_prng_below(&prng, 3));
            }
        }
    }
    REQUIRE_EQ(
        sf_sim_disk_put(fixture_disk(f, GROUND), "source/before", sf_view(before, BYTES)), SF_OK);
    REQUIRE_EQ(
        sf_sim_disk_put(fixture_disk(f, GROUND), "source/after", sf_view(after, BYTES)), SF_OK);
}

static void
check_file(struct fixture *f, unsigned number, const char *path, const uint8_t *content)
{
    uint8_t *actual = malloc(BYTES + 1);
    size_t got = 0;

    REQUIRE(actual != NULL);
    REQUIRE_EQ(sf_sim_disk_get(fixture_disk(f, number), path, 0, actual, BYTES + 1, &got), SF_OK);
    REQUIRE_EQ(got, BYTES);
    CHECK(memcmp(actual, content, BYTES) == 0);
    free(actual);
}

static const unsigned both[] = {SAT, EDGE};

/* The first version goes to `count` nodes. */
static void
send_before(struct fixture *f, size_t count)
{
    static const char *const paths[] = {"source/before"};
    struct sf_world_send order = fixture_order();

    order.to = both;
    order.to_count = count;
    order.paths = paths;
    fixture_send(f, &order);
    REQUIRE(fixture_until(f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
}

static struct sf_world_send
after_order(size_t count)
{
    static const char *const paths[] = {"source/after"};
    static const char *const bases[] = {"source/before"};
    struct sf_world_send order = fixture_order();

    order.to = both;
    order.to_count = count;
    order.paths = paths;
    order.bases = bases;
    order.label = "next.bin";
    return order;
}

static void
send_after(struct fixture *f, size_t count)
{
    struct sf_world_send order = after_order(count);

    fixture_send(f, &order);
}

static void
open_with_base(struct fixture *f, uint64_t seed, unsigned count)
{
    fixture_open(f, seed, count);
    make_versions(f);
    send_before(f, count - 1);
}

static void
remove_file(struct fixture *f, unsigned number, const char *path)
{
    struct sf_disk_op op = {.kind = SF_DISK_UNLINK, .path = path};

    REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(f, number)), &op), SF_OK);
}

/* As somebody with an editor would: the same file, another byte. */
static void
change_file(struct fixture *f, unsigned number, const char *path, uint64_t offset)
{
    uint8_t byte = 0;
    struct sf_disk *disk = sf_sim_disk_interface(fixture_disk(f, number));
    struct sf_disk_op open = {.kind = SF_DISK_OPEN, .path = path, .flags = SF_DISK_RDWR};
    struct sf_disk_op op = {.kind = SF_DISK_READ, .offset = offset, .data = &byte, .bytes = 1};

    REQUIRE_EQ(sf_disk_run(disk, &open), SF_OK);
    op.file = open.ret_file;
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    byte ^= 0x40;
    op = (struct sf_disk_op){
        .kind = SF_DISK_WRITE, .file = open.ret_file, .offset = offset, .data = &byte, .bytes = 1};
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    op = (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = open.ret_file};
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
}

static size_t
count_shown(struct fixture *f, unsigned number)
{
    struct sf_node_transfer transfer;
    size_t count = 0;

    while (sf_node_transfer_at(sf_world_node(f->world, number), count, &transfer)) {
        count++;
    }
    return count;
}

/* It ended well, and nothing is left over at either end. */
static void
check_end(struct fixture *f, size_t count)
{
    REQUIRE(fixture_until(f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_run(f, 120 * SF_SEC);
    fixture_check_freed(f, GROUND);
    for (size_t i = 0; i < count; i++) {
        check_file(f, both[i], "inbox/ground/next.bin", after);
        fixture_check_freed(f, both[i]);
        CHECK_EQ(fixture_transfer(f, GROUND).recipients[i].state, SF_NODE_TO_FINAL);
    }
}

/* --- The base is there ---------------------------------------------------------------- */

static void
test_less_is_sent(void)
{
    struct fixture f;
    struct sf_node_transfer transfer;
    uint64_t sent;

    open_with_base(&f, 1, 2);
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    send_after(&f, 1);
    check_end(&f, 1);
    sent = sf_world_path_payload(f.world, GROUND, SAT) - sent;
    transfer = fixture_transfer(&f, GROUND);
    CHECK(transfer.has_base && !transfer.is_in_place);
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    %llu of %d bytes\n", (unsigned long long)sent, BYTES);
    }
    CHECK(sent < BYTES / 4);
    /* The whole beside it was never shown, and never flew. */
    CHECK_EQ(count_shown(&f, GROUND), 2);
    CHECK_EQ(count_shown(&f, SAT), 2);
    check_file(&f, SAT, "inbox/ground/model.bin", before);
    fixture_close(&f);
}

/* The second version is the base of a third, and so on. */
static void
test_a_row_of_versions(void)
{
    static const char *const paths[] = {"source/before"};
    static const char *const bases[] = {"source/after"};
    struct fixture f;
    struct sf_world_send order;

    open_with_base(&f, 2, 2);
    send_after(&f, 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    order = after_order(1);
    order.paths = paths;
    order.bases = bases;
    order.label = "back.bin";
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    check_file(&f, SAT, "inbox/ground/back.bin", before);
    fixture_close(&f);
}

static void
test_folder(void)
{
    static const char *const old_paths[] = {"source/before", "source/other"};
    static const char *const names[] = {"a/one.bin", "two.bin"};
    static const char *const paths[] = {"source/after", "source/other"};
    static const char *const bases[] = {"source/before", NULL};
    struct sf_world_send order = fixture_order();
    struct fixture f;
    uint64_t sent;

    fixture_open(&f, 3, 2);
    make_versions(&f);
    fixture_source(&f, GROUND, "source/other", 10000, 1);
    order.paths = old_paths;
    order.names = names;
    order.path_count = 2;
    order.label = "model";
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    order.paths = paths;
    order.bases = bases;
    order.label = "model-2";
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    CHECK(sf_world_path_payload(f.world, GROUND, SAT) - sent < BYTES / 4);
    check_file(&f, SAT, "inbox/ground/model-2/a/one.bin", after);
    fixture_check_file(&f, SAT, "inbox/ground/model-2/two.bin", 10000, 1);
    fixture_close(&f);
}

/* --- It is not ------------------------------------------------------------------------- */

enum trouble { GONE, CHANGED_FIRST, CHANGED_LAST, MOVED, LONGER, TROUBLES };

static void
make_trouble(struct fixture *f, unsigned number, enum trouble trouble)
{
    struct sf_disk_op op = {.kind = SF_DISK_RENAME,
        .path = "inbox/ground/model.bin",
        .path_to = "inbox/ground/elsewhere.bin"};

    switch (trouble) {
    case GONE:
        remove_file(f, number, "inbox/ground/model.bin");
        break;
    case CHANGED_FIRST:
        change_file(f, number, "inbox/ground/model.bin", 0);
        break;
    case CHANGED_LAST:
        change_file(f, number, "inbox/ground/model.bin", BYTES - 1);
        break;
    case MOVED:
        REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(f, number)), &op), SF_OK);
        break;
    default:
        REQUIRE_EQ(sf_sim_disk_put(fixture_disk(f, number), "inbox/ground/model.bin",
                       sf_view("another file altogether", 23)),
            SF_OK);
        break;
    }
}

static void
test_base_is_gone(void)
{
    for (unsigned trouble = GONE; trouble < TROUBLES; trouble++) {
        struct fixture f;
        struct sf_node_transfer transfer;

        open_with_base(&f, 10 + trouble, 2);
        make_trouble(&f, SAT, (enum trouble)trouble);
        send_after(&f, 1);
        check_end(&f, 1);
        /* The whole went in its place, with a number, a key and a receipt of its own. */
        CHECK_EQ(count_shown(&f, GROUND), 3);
        CHECK_EQ(count_shown(&f, SAT), 3);
        transfer = fixture_transfer(&f, SAT);
        CHECK_EQ(transfer.state, SF_NODE_FAILED);
        CHECK(sf_node_transfer_receipt(sf_world_node(f.world, GROUND), &f.id, 0).bytes > 0);
        fixture_close(&f);
    }
}

/*
 * A base is hashed to its end before it is used: one that was changed where nothing refers to
 * is refused too.
 */
static void
test_changed_where_unused(void)
{
    static const char *const paths[] = {"source/half"};
    struct sf_world_send order = after_order(1);
    struct sf_prng prng;
    uint8_t *half = malloc(BYTES);
    struct fixture f;

    REQUIRE(half != NULL);
    open_with_base(&f, 25, 2);
    sf_prng_init(&prng, 77);
    sf_prng_fill(&prng, half, BYTES);
    memcpy(half, before, BYTES / 2);
    REQUIRE_EQ(
        sf_sim_disk_put(fixture_disk(&f, GROUND), "source/half", sf_view(half, BYTES)), SF_OK);
    change_file(&f, SAT, "inbox/ground/model.bin", BYTES - 5);
    order.paths = paths;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    check_file(&f, SAT, "inbox/ground/next.bin", half);
    CHECK_EQ(count_shown(&f, GROUND), 3);
    free(half);
    fixture_close(&f);
}

/* One of two has lost it: the other gets the difference, and nobody waits for anybody. */
static void
test_one_of_two(void)
{
    struct fixture f;
    uint64_t to_sat;
    uint64_t to_edge;

    open_with_base(&f, 20, 3);
    make_trouble(&f, EDGE, GONE);
    to_sat = sf_world_path_payload(f.world, GROUND, SAT);
    to_edge = sf_world_path_payload(f.world, GROUND, EDGE);
    send_after(&f, 2);
    check_end(&f, 2);
    CHECK(sf_world_path_payload(f.world, GROUND, SAT) - to_sat < BYTES / 4);
    CHECK(sf_world_path_payload(f.world, GROUND, EDGE) - to_edge > BYTES);
    fixture_close(&f);
}

/* Changed while it is in use: whatever was read of it until then, the file is right. */
static void
test_changed_in_use(void)
{
    unsigned whole = 0;

    for (unsigned n = 0; n < 12; n++) {
        struct fixture f;

        fixture_make(&f, 30 + n, 2);
        fixture_slow(&f, 20000000);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        make_versions(&f);
        send_before(&f, 1);
        send_after(&f, 1);
        fixture_run(&f, (46 + 6 * n) * SF_MS);
        change_file(&f, SAT, "inbox/ground/model.bin", BYTES - 1 - n);
        check_end(&f, 1);
        whole += count_shown(&f, GROUND) == 3;
        fixture_close(&f);
    }
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    %u of 12 needed the whole\n", whole);
    }
    CHECK(whole > 0);
}

/* --- Restarts ---------------------------------------------------------------------------- */

/* A node loses its power after so much time, and again, while the base is there or is not. */
static void
check_restarts(unsigned victim, bool is_there, unsigned round)
{
    static const enum sf_sim_damage_model models[] = {
        SF_SIM_DAMAGE_LOSE_ALL, SF_SIM_DAMAGE_KEEP_ALL, SF_SIM_DAMAGE_TORN};
    struct fixture f;

    fixture_make(&f, 100 + round, 2);
    fixture_slow(&f, 20000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    make_versions(&f);
    send_before(&f, 1);
    if (!is_there) {
        make_trouble(&f, SAT, (enum trouble)(round % TROUBLES));
    }
    send_after(&f, 1);
    if (victim == GROUND) {
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 10 * SF_SEC));
    }
    for (unsigned n = 0; n < 3; n++) {
        fixture_run(&f, (20 + 41 * round + 30 * n) * SF_MS);
        sf_world_crash(f.world, victim, models[(round + n) % 3]);
        fixture_start(&f, victim);
    }
    check_end(&f, 1);
    fixture_close(&f);
}

static void
test_sender_restarts(void)
{
    for (unsigned round = 0; round < 5; round++) {
        check_restarts(GROUND, true, round);
        check_restarts(GROUND, false, round);
    }
}

static void
test_receiver_restarts(void)
{
    for (unsigned round = 0; round < 5; round++) {
        check_restarts(SAT, true, round);
        check_restarts(SAT, false, round);
    }
}

/* Gone between two lives, when half of it was used. */
static void
test_gone_after_restart(void)
{
    for (unsigned n = 0; n < 8; n++) {
        struct fixture f;

        fixture_make(&f, 200 + n, 2);
        fixture_slow(&f, 10000000);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        make_versions(&f);
        send_before(&f, 1);
        send_after(&f, 1);
        fixture_run(&f, (60 + 40 * n) * SF_MS);
        sf_world_crash(f.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
        if (fixture_has_file(&f, SAT, "inbox/ground/model.bin")) {
            make_trouble(&f, SAT, n % 2 == 0 ? GONE : CHANGED_LAST);
        }
        fixture_start(&f, SAT);
        check_end(&f, 1);
        fixture_close(&f);
    }
}

/*
 * The power goes at each of the first operations of the disk: either the transfer is known, and
 * goes on when it is sent again, or nothing of it and of the whole beside it is left.
 */
static void
test_every_beginning(void)
{
    unsigned known = 0;

    for (unsigned n = 1; n <= 36; n++) {
        struct fixture f;
        struct sf_world_send order = after_order(1);
        uint64_t operations;

        open_with_base(&f, 900 + n, 2);
        operations = sf_sim_disk_operations(fixture_disk(&f, GROUND));
        sf_sim_disk_cut_at(
            fixture_disk(&f, GROUND), operations + 2 + n); /* 2: the files are opened */
        fixture_send(&f, &order);
        fixture_run(&f, 100 * SF_MS);
        REQUIRE(sf_world_is_off(f.world, GROUND));
        sf_world_crash(
            f.world, GROUND, n % 2 == 0 ? SF_SIM_DAMAGE_LOSE_ALL : SF_SIM_DAMAGE_KEEP_ALL);
        fixture_start(&f, GROUND);
        fixture_run(&f, 10 * SF_MS);
        if (fixture_transfer(&f, GROUND).state == SF_NODE_INTERRUPTED) {
            known++;
            order.has_resume = true;
            order.resume = f.id;
            fixture_send(&f, &order);
            check_end(&f, 1);
        } else {
            fixture_run(&f, 70 * SF_SEC);
            fixture_check_freed(&f, GROUND);
            CHECK_EQ(count_shown(&f, GROUND), 1);
        }
        fixture_close(&f);
    }
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    %u of 36 were known\n", known);
    }
    CHECK(known > 5 && known < 36);
}

/* Before custody: interrupted; sent again it goes on, sealed the same, wherever the cut was. */
static void
test_sealing_is_resumed(void)
{
    unsigned resumed = 0;

    for (unsigned n = 0; n < 8; n++) {
        struct fixture f;
        struct sf_world_send order = after_order(1);

        open_with_base(&f, 300 + n, 2);
        if (n % 5 == 0) {
            make_trouble(&f, SAT, GONE);
        }
        sf_sim_disk_latency(fixture_disk(&f, GROUND), 20000, 400000);
        fixture_send(&f, &order);
        fixture_run(&f, (200 + 3700 * n) * SF_US);
        sf_world_crash(f.world, GROUND, n % 2 == 0 ? SF_SIM_DAMAGE_LOSE_ALL : SF_SIM_DAMAGE_TORN);
        fixture_start(&f, GROUND);
        fixture_run(&f, SF_MS);
        order.has_resume = fixture_transfer(&f, GROUND).state == SF_NODE_INTERRUPTED;
        order.resume = f.id;
        resumed += order.has_resume;
        if (fixture_transfer(&f, GROUND).state != SF_NODE_CUSTODY &&
            fixture_transfer(&f, GROUND).state != SF_NODE_DONE) {
            fixture_send(&f, &order);
        }
        check_end(&f, 1);
        fixture_close(&f);
    }
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    %u of 8 resumed\n", resumed);
    }
    CHECK(resumed > 3);
}

/* Nobody sends it again: it fails, and so does the whole beside it. */
static void
test_sealing_is_given_up(void)
{
    struct fixture f;
    struct sf_world_send order = after_order(1);

    open_with_base(&f, 400, 2);
    sf_sim_disk_latency(fixture_disk(&f, GROUND), 20000, 400000);
    fixture_send(&f, &order);
    fixture_run(&f, 12 * SF_MS);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_INTERRUPTED);
    /* Without its base it is another transfer. */
    order.has_resume = true;
    order.resume = f.id;
    order.bases = NULL;
    CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_EINVAL);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 1000 * SF_SEC));
    fixture_run(&f, 120 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_freed(&f, SAT);
    fixture_close(&f);
}

/* --- Cancels --------------------------------------------------------------------------------- */

static void
test_cancelled_half_way(void)
{
    for (unsigned n = 0; n < 12; n++) {
        struct fixture f;
        unsigned by = n % 2 == 0 ? GROUND : SAT;

        fixture_make(&f, 500 + n, 2);
        fixture_slow(&f, 5000000);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        make_versions(&f);
        send_before(&f, 1);
        if (n >= 6) {
            make_trouble(&f, SAT, GONE);
        }
        send_after(&f, 1);
        fixture_run(&f, (10 + 70 * (n % 6)) * SF_MS);
        if (sf_world_cancel(f.world, by, &f.id, &f.error) == SF_OK) {
            fixture_run(&f, 600 * SF_SEC);
            if (by == GROUND) {
                CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CANCELLED);
                CHECK(!fixture_has_file(&f, SAT, "inbox/ground/next.bin"));
            } else {
                /* The sender keeps it until it is cancelled there too. */
                CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_FAILED);
                CHECK_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
                fixture_run(&f, 60 * SF_SEC);
            }
            fixture_check_freed(&f, GROUND);
            fixture_check_freed(&f, SAT);
        } else {
            check_end(&f, 1);
        }
        fixture_close(&f);
    }
}

/* A recipient is revoked, before or after it has asked for the whole: both let go of it. */
static void
test_revoked(void)
{
    for (unsigned n = 0; n < 4; n++) {
        struct fixture f;
        struct sf_node *node;

        open_with_base(&f, 520 + n, 3);
        make_trouble(&f, EDGE, GONE);
        send_after(&f, 2);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 10 * SF_SEC));
        fixture_run(&f, n * 8 * SF_MS);
        node = sf_world_node(f.world, GROUND);
        sf_node_revoke(node, &peer_named(node, "edge")->conf.card.fingerprint);
        sf_world_poke(f.world, GROUND);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
        fixture_run(&f, 120 * SF_SEC);
        check_file(&f, SAT, "inbox/ground/next.bin", after);
        fixture_check_freed(&f, GROUND);
        CHECK_EQ(fixture_transfer(&f, GROUND).recipients[1].state, SF_NODE_TO_REVOKED);
        fixture_close(&f);
    }
}

/* What is being sent is the base of nothing; nor is what was cancelled half-way. */
static void
test_base_was_cancelled(void)
{
    static const char *const paths[] = {"source/before"};
    struct sf_world_send order = fixture_order();
    struct sf_world_send next = after_order(1);
    struct fixture f;

    fixture_make(&f, 600, 2);
    fixture_slow(&f, 5000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    make_versions(&f);
    order.paths = paths;
    fixture_send(&f, &order);
    fixture_run(&f, SF_SEC);
    CHECK_EQ(sf_world_send(f.world, &next, &f.id, &f.error), SF_ENOENT);
    REQUIRE_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
    fixture_run(&f, 10 * SF_SEC);
    CHECK_EQ(sf_world_send(f.world, &next, &f.id, &f.error), SF_ENOENT);
    CHECK(strstr(f.error.text, "sat has not signed") != NULL);
    fixture_close(&f);
}

/* --- Orders that cannot be ---------------------------------------------------------------------- */

static void
test_bad_orders(void)
{
    static const char *const stranger[] = {"source/after"};
    struct fixture f;
    struct sf_world_send order = after_order(1);
    struct sf_digest digest;

    open_with_base(&f, 700, 2);
    order.bases = stranger; /* nobody has got that */
    CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_ENOENT);
    order = after_order(1);
    order.forget_key = true;
    CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_EINVAL);
    sf_sha256(sf_view(before, BYTES), digest.b);
    CHECK(sf_node_holds(sf_world_node(f.world, GROUND), "sat", &digest, BYTES));
    CHECK(!sf_node_holds(sf_world_node(f.world, GROUND), "sat", &digest, BYTES - 1));
    CHECK(!sf_node_holds(sf_world_node(f.world, GROUND), "nobody", &digest, BYTES));
    digest.b[0] ^= 1;
    CHECK(!sf_node_holds(sf_world_node(f.world, GROUND), "sat", &digest, BYTES));
    fixture_run(&f, SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_close(&f);
}

/*
 * A hostile sender guesses what somebody has put in the place of a delivered file, and names it
 * as a base: it learns nothing, for this node never signed for that.
 */
static void
test_probing(void)
{
    static const char *const bases[] = {"source/after"};
    static const char *const paths[] = {"source/before"};
    struct fixture f;
    struct sf_world_send order = after_order(1);
    struct outbound *out;

    open_with_base(&f, 703, 2);
    REQUIRE_EQ(
        sf_sim_disk_put(fixture_disk(&f, SAT), "inbox/ground/model.bin", sf_view(after, BYTES)),
        SF_OK);
    out = outbound_find(sf_world_node(f.world, GROUND), &f.id);
    REQUIRE(out != NULL);
    sf_sha256(sf_view(after, BYTES), out->files[0].sha256.b); /* it says that it had sent that */
    order.bases = bases;
    order.paths = paths;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    check_file(&f, SAT, "inbox/ground/next.bin", before);
    CHECK_EQ(count_shown(&f, GROUND), 3);
    fixture_close(&f);
}

/* After a crash between two facts there is a whole, and no delta that it stands beside. */
static void
test_whole_alone(void)
{
    struct fixture f;
    struct sf_node *node;

    fixture_make(&f, 704, 2);
    fixture_slow(&f, 5000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    make_versions(&f);
    send_before(&f, 1);
    send_after(&f, 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 10 * SF_SEC));
    node = sf_world_node(f.world, GROUND);
    REQUIRE_EQ(sf_journal_unset(node->journal, SF_TABLE_OUT, sf_view(f.id.b, 16)), SF_OK);
    node_commit(node);
    fixture_run(&f, 50 * SF_MS);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    fixture_run(&f, 120 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_freed(&f, SAT);
    fixture_close(&f);
}

/* By which transfer each of them got it is known, by itself or as the whole; and is a base again. */
static void
test_came_by(void)
{
    struct fixture f;
    struct sf_node *node;
    struct sf_transfer_id first;
    struct sf_transfer_id by;
    struct sf_transfer_id whole;
    struct sf_world_send order = after_order(1);
    static const char *const paths[] = {"source/before"};
    static const char *const bases[] = {"source/after"};

    open_with_base(&f, 705, 3);
    first = f.id;
    node = sf_world_node(f.world, GROUND);
    REQUIRE(sf_node_came_by(node, &first, "sat", &by));
    CHECK(sf_transfer_equal(&by, &first));
    CHECK(!sf_node_came_by(node, &first, "nobody", &by));
    make_trouble(&f, EDGE, GONE);
    send_after(&f, 2);
    CHECK(!sf_node_came_by(node, &f.id, "sat", &by)); /* not yet */
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    REQUIRE(sf_node_came_by(node, &f.id, "sat", &by));
    CHECK(sf_transfer_equal(&by, &f.id));
    REQUIRE(sf_node_came_by(node, &f.id, "edge", &whole));
    CHECK(!sf_transfer_equal(&whole, &f.id));
    /* The same over a restart, and what came as the whole is a base. */
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    node = sf_world_node(f.world, GROUND);
    REQUIRE(sf_node_came_by(node, &f.id, "edge", &by));
    CHECK(sf_transfer_equal(&by, &whole));
    order.to = &both[1];
    order.paths = paths;
    order.bases = bases;
    order.label = "again.bin";
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    by = fixture_transfer(&f, GROUND).base;
    CHECK(sf_transfer_equal(&by, &whole));
    REQUIRE(sf_node_came_by(node, &f.id, "edge", &by));
    CHECK(sf_transfer_equal(&by, &f.id)); /* not for want of its base */
    check_file(&f, EDGE, "inbox/ground/again.bin", before);
    fixture_close(&f);
}

/* Only one of the two recipients has it: nothing is begun. */
static void
test_not_all_have_it(void)
{
    struct fixture f;
    struct sf_world_send order = after_order(2);

    fixture_open(&f, 701, 3);
    make_versions(&f);
    send_before(&f, 1);
    CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_ENOENT);
    CHECK(strstr(f.error.text, "edge has not signed") != NULL);
    fixture_close(&f);
}

/* No room for the whole: neither is begun, and the reason says so. */
static void
test_no_room_for_the_whole(void)
{
    struct fixture f;

    open_with_base(&f, 702, 2);
    sf_sim_disk_set_capacity(fixture_disk(&f, GROUND), 6 * 1000 * 1000);
    send_after(&f, 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 10 * SF_SEC));
    CHECK(strstr(fixture_transfer(&f, GROUND).why, "no space") != NULL);
    fixture_run(&f, 120 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    fixture_check_freed(&f, SAT);
    fixture_close(&f);
}

CHECK_MAIN("node_delta", {"only what changed is sent, and the file is whole", test_less_is_sent},
    {"a version that came as a difference is a base itself", test_a_row_of_versions},
    {"a file in a folder has a base of its own", test_folder},
    {"a base that is gone, moved or changed costs the whole, and nobody's doing",
        test_base_is_gone},
    {"a base is hashed to its end before it is used", test_changed_where_unused},
    {"who has lost its base gets the whole, others the difference", test_one_of_two},
    {"a base that is changed while it is used never makes a wrong file", test_changed_in_use},
    {"the sender may restart at any time", test_sender_restarts},
    {"so may the receiver", test_receiver_restarts},
    {"a base may vanish between two lives", test_gone_after_restart},
    {"the power may go at every step of the beginning", test_every_beginning},
    {"an interrupted sealing is resumed, the whole first", test_sealing_is_resumed},
    {"or given up, with the whole", test_sealing_is_given_up},
    {"either end may cancel at any time", test_cancelled_half_way},
    {"a recipient may be revoked, with the difference or the whole", test_revoked},
    {"what did not arrive is no base", test_base_was_cancelled},
    {"a base that the recipient has not signed for is refused", test_bad_orders},
    {"a sender cannot ask for what it has not sent", test_probing},
    {"by which transfer a file came is known, and makes it a base", test_came_by},
    {"a whole that has lost its delta is freed", test_whole_alone},
    {"and one that not all recipients have", test_not_all_have_it},
    {"without room for the whole nothing is begun", test_no_room_for_the_whole})
