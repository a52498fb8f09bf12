/*
 * Memory has one bound for the whole node: very many transfers at once, in both
 * directions, take no more of it than a few, and each has its turn.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

enum { EACH = 16, BYTES = 2500000, LIMIT_BYTES = 72 << 20, TINY = 8000 };

struct all {
    struct sf_transfer_id ids[2][EACH + 1];
    size_t count;
};

static bool
are_done(struct sf_world *world, void *context)
{
    const struct all *all = context;
    struct sf_node_transfer transfer;

    for (unsigned from = 0; from < 2; from++) {
        for (size_t i = 0; i < all->count; i++) {
            if (!sf_world_transfer(world, from, &all->ids[from][i], &transfer) ||
                transfer.state != SF_NODE_DONE) {
                return false;
            }
        }
    }
    return true;
}

static void
send_one(struct fixture *f, struct all *all, unsigned from, size_t number)
{
    unsigned to = from == GROUND ? SAT : GROUND;
    struct sf_world_send order = fixture_order();
    char label[32];

    snprintf(label, sizeof(label), "file-%zu", number);
    order.from = from;
    order.to = &to;
    order.label = label;
    REQUIRE_EQ(sf_world_send(f->world, &order, &all->ids[from][number], &f->error), SF_OK);
}

static uint64_t
peak(struct fixture *f, unsigned number)
{
    uint64_t bytes;
    uint64_t most;

    sf_node_memory(sf_world_node(f->world, number), &bytes, &most);
    return most;
}

/* From now on it is another peak. */
static void
forget_peak(struct fixture *f, unsigned number)
{
    struct sf_node *node = sf_world_node(f->world, number);

    node->memory_peak = node->memory_bytes;
}

static void
open_with_files(struct fixture *f, uint64_t seed)
{
    fixture_make(f, seed, 2);
    for (unsigned i = 0; i < 2; i++) {
        sf_world_config(f->world, i)->class_bytes = 1 << 20;           /* as large files have it */
        sf_sim_disk_latency(fixture_disk(f, i), 2 * SF_MS, 5 * SF_MS); /* so that they overlap */
        fixture_start(f, i);
    }
    fixture_run(f, SF_SEC);
    fixture_source(f, GROUND, "source/model", BYTES, 0);
    fixture_source(f, SAT, "source/model", BYTES, 1);
}

/* The most that `count` transfers in each direction at once take. */
static uint64_t
take_all(size_t count)
{
    struct all all = {.count = count};
    struct fixture f;
    uint64_t most;
    uint64_t bytes;

    open_with_files(&f, 1);
    for (size_t i = 0; i < count; i++) {
        send_one(&f, &all, GROUND, i);
        send_one(&f, &all, SAT, i);
    }
    REQUIRE(sf_world_run_until(f.world, sf_world_now(f.world) + 3600 * SF_SEC, are_done, &all));
    for (size_t i = 0; i < count; i++) {
        char path[64];

        snprintf(path, sizeof(path), "inbox/ground/file-%zu", i);
        fixture_check_file(&f, SAT, path, BYTES, 0);
        snprintf(path, sizeof(path), "inbox/sat/file-%zu", i);
        fixture_check_file(&f, GROUND, path, BYTES, 1);
    }
    fixture_run(&f, 60 * SF_SEC);
    most = peak(&f, GROUND) > peak(&f, SAT) ? peak(&f, GROUND) : peak(&f, SAT);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t peak_now;

        sf_node_memory(sf_world_node(f.world, i), &bytes, &peak_now);
        CHECK_EQ(bytes, 0); /* every buffer was given back */
    }
    fixture_close(&f);
    return most;
}

static void
test_many_take_no_more_than_few(void)
{
    uint64_t few = take_all(2);
    uint64_t many = take_all(EACH);

    printf("%llu and %llu MiB ", (unsigned long long)few >> 20, (unsigned long long)many >> 20);
    CHECK(many <= LIMIT_BYTES);
    CHECK(many <= few + CACHE_BYTES_MAX + (8 << 20) + (64 << 10)); /* the last: not only buffers */
}

/* Nothing of a part that waits for another bundle keeps the others from their turn. */
static void
test_a_stuck_one_holds_up_nobody(void)
{
    const struct sf_sim_path_config lossy = {.delay_ns = 20 * SF_MS, .loss_ppm = 100000};
    struct all all = {.count = 4};
    struct fixture f;

    open_with_files(&f, 2);
    sf_world_path(f.world, GROUND, SAT, &lossy);
    sf_world_path(f.world, SAT, GROUND, &lossy);
    for (size_t i = 0; i < all.count; i++) {
        send_one(&f, &all, GROUND, i);
        send_one(&f, &all, SAT, i);
    }
    CHECK(sf_world_run_until(f.world, sf_world_now(f.world) + 3600 * SF_SEC, are_done, &all));
    fixture_close(&f);
}

/* What can be coded, so that its frames are cut. */
static void
generate_nibbles(void *context, uint64_t offset, uint8_t *out, size_t bytes)
{
    sf_sim_disk_generate(context, offset, out, bytes);
    for (size_t i = 0; i < bytes; i++) {
        out[i] &= 0x0f;
    }
}

/* Two that both wait for the rest of a frame are not decoded in turns, over and over. */
static void
test_those_that_wait_rest(void)
{
    const struct sf_sim_path_config slow = {
        .delay_ns = 20 * SF_MS, .rate_bps = 1000000, .queue_bytes = 1 << 20, .loss_ppm = 100000};
    static const unsigned senders[] = {GROUND, EDGE};
    struct sf_node_transfer transfer;
    struct sf_transfer_id ids[2];
    struct fixture f;

    fixture_open(&f, 3, 3);
    fixture_run(&f, SF_SEC);
    for (unsigned i = 0; i < 2; i++) {
        struct sf_world_send order = fixture_order();

        sf_world_path(f.world, senders[i], SAT, &slow);
        REQUIRE_EQ(sf_sim_disk_source(fixture_disk(&f, senders[i]), "source/model", BYTES,
                       generate_nibbles, &fixture_seeds[i]),
            SF_OK);
        order.from = senders[i];
        REQUIRE_EQ(sf_world_send(f.world, &order, &ids[i], &f.error), SF_OK);
    }
    for (unsigned second = 0; second < 120; second++) {
        fixture_run(&f, SF_SEC);
        REQUIRE(sf_world_node(f.world, SAT)->turns < 300);
    }
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(sf_world_transfer(f.world, senders[i], &ids[i], &transfer));
        CHECK_EQ(transfer.state, SF_NODE_DONE);
    }
    fixture_close(&f);
}

/* While many large ones are sealed in turns an urgent one is taken into custody at once. */
static void
test_an_urgent_one_is_sealed_first(void)
{
    static const char *const large[] = {"source/large"};
    struct sf_transfer_id ids[EACH];
    struct sf_world_send order = fixture_order();
    size_t sealed = 0;
    struct fixture f;

    open_with_files(&f, 3);
    fixture_source(&f, GROUND, "source/large", 20000000, 2);
    sf_sim_disk_latency(fixture_disk(&f, GROUND), SF_MS, 2 * SF_MS);
    order.paths = large;
    for (size_t i = 0; i < EACH; i++) {
        fixture_send(&f, &order);
        ids[i] = f.id;
    }
    fixture_run(&f, 20 * SF_MS);
    order = fixture_order();
    order.label = "urgent";
    order.priority = 0;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    for (size_t i = 0; i < EACH; i++) {
        f.id = ids[i];
        sealed += fixture_transfer(&f, GROUND).state != SF_NODE_SEALING;
    }
    CHECK(sealed < EACH / 2);
    fixture_close(&f);
}

/* The most that one transfer of `count` files of a few bytes, some empty, takes at its receiver. */
static uint64_t
take_tiny(size_t count)
{
    static char names[TINY][16];
    static const char *paths[TINY];
    struct sf_world_send order = fixture_order();
    struct fixture f;
    uint64_t most;

    open_with_files(&f, 4);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "tiny-%zu", i);
        paths[i] = names[i];
        fixture_source(&f, GROUND, names[i], i % 16, i % 16);
    }
    order.label = "tiny";
    order.paths = paths;
    order.names = paths;
    order.path_count = count;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 3600 * SF_SEC));
    for (size_t i = 0; i < count; i++) {
        char path[64];

        snprintf(path, sizeof(path), "inbox/ground/tiny/tiny-%zu", i);
        fixture_check_file(&f, SAT, path, i % 16, i % 16);
    }
    most = peak(&f, SAT);
    fixture_close(&f);
    return most;
}

/* Each has a frame of its own: they wait for each other, and all arrive. */
static void
test_tiny_files(void)
{
    uint64_t few = take_tiny(16);
    uint64_t many = take_tiny(TINY);

    printf("%llu and %llu KiB ", (unsigned long long)few >> 10, (unsigned long long)many >> 10);
    /* While it is decoded, what is there already is read back, through buffers of 1 MiB. */
    CHECK(many <= few + (2 << 20));
}

/*
 * What changed alone, against what the first ones brought: half of the frames are the same, the
 * others differ in every number, so all that bases take is taken, at both ends at once.
 */
static void
test_bases_take_no_more(void)
{
    static const char *const paths[] = {"source/next"};
    static const char *const bases[] = {"source/model"};
    struct all all = {.count = 1};
    struct fixture f;
    uint64_t without = take_all(8); /* each delta has a whole beside it: two transfers */
    uint64_t with;
    uint8_t *next = malloc(BYTES);

    REQUIRE(next != NULL);
    open_with_files(&f, 2);
    send_one(&f, &all, GROUND, 0);
    send_one(&f, &all, SAT, 0);
    REQUIRE(sf_world_run_until(f.world, sf_world_now(f.world) + 3600 * SF_SEC, are_done, &all));
    for (unsigned from = 0; from < 2; from++) {
        sf_sim_disk_generate(&fixture_seeds[from], 0, next, BYTES);
        for (size_t i = BYTES / 2; i < BYTES; i++) {
            next[i] = (uint8_t)(next[i] + 1 + i % 2);
        }
        REQUIRE_EQ(
            sf_sim_disk_put(fixture_disk(&f, from), "source/next", sf_view(next, BYTES)), SF_OK);
        forget_peak(&f, from);
    }
    all.count = 4;
    for (size_t i = 0; i < all.count; i++) {
        for (unsigned from = 0; from < 2; from++) {
            unsigned to = from == GROUND ? SAT : GROUND;
            struct sf_world_send order = fixture_order();
            char label[32];

            snprintf(label, sizeof(label), "next-%zu", i);
            order.from = from;
            order.to = &to;
            order.label = label;
            order.paths = paths;
            order.bases = bases;
            REQUIRE_EQ(sf_world_send(f.world, &order, &all.ids[from][i], &f.error), SF_OK);
        }
    }
    REQUIRE(sf_world_run_until(f.world, sf_world_now(f.world) + 3600 * SF_SEC, are_done, &all));
    with = peak(&f, GROUND) > peak(&f, SAT) ? peak(&f, GROUND) : peak(&f, SAT);
    printf("%llu and %llu KiB ", (unsigned long long)without >> 10, (unsigned long long)with >> 10);
    /* One base is hashed at a time, through a buffer of 1 MiB. */
    CHECK(with <= without + (2 << 20));
    CHECK(with <= LIMIT_BYTES);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t bytes;

        fixture_run(&f, 60 * SF_SEC);
        sf_node_memory(sf_world_node(f.world, i), &bytes, &with);
        CHECK_EQ(bytes, 0);
    }
    free(next);
    fixture_close(&f);
}

/* However many there were: what one needed while it went is given back, and the history has an end. */
static void
test_ended_transfers_keep_little(void)
{
    enum { FILES = HISTORY_MAX + 20 };
    struct fixture f;
    struct sf_world_send order = fixture_order();
    size_t kept = 0;

    fixture_open(&f, 5, 2);
    fixture_source(&f, GROUND, "source/model", TINY, 0);
    for (unsigned i = 0; i < FILES; i++) {
        char label[32];

        snprintf(label, sizeof(label), "file-%u", i);
        order.label = label;
        fixture_send(&f, &order);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    }
    fixture_run(&f, 60 * SF_SEC);
    for (const struct outbound *out = sf_world_node(f.world, GROUND)->outs; out != NULL;
         out = out->next) {
        kept++;
    }
    CHECK_EQ(kept, HISTORY_MAX);
    kept = 0;
    for (const struct inbound *in = sf_world_node(f.world, SAT)->ins; in != NULL; in = in->next) {
        CHECK(in->delivery == NULL && in->decoder == NULL && in->seal == NULL);
        kept++;
    }
    CHECK_EQ(kept, FILES); /* tombstones, of which there may be TOMBSTONES_MAX */
    fixture_close(&f);
}

CHECK_MAIN("node: memory",
    {"of transfers that have ended little is kept, and of few", test_ended_transfers_keep_little},
    {"very many transfers at once take no more than a few", test_many_take_no_more_than_few},
    {"what changed alone takes no more than the whole", test_bases_take_no_more},
    {"very many tiny files in one transfer take no more than a few", test_tiny_files},
    {"one that waits for a bundle holds up nobody", test_a_stuck_one_holds_up_nobody},
    {"those that wait for a bundle rest until it comes", test_those_that_wait_rest},
    {"an urgent one is sealed before those that wait", test_an_urgent_one_is_sealed_first})
