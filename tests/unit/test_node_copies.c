/*
 * Images that are put back and copies that run: noticed whatever the number of
 * starts, said at both ends, and nothing is used or lost twice.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

static bool
audit_says(struct fixture *f, unsigned number, const char *text)
{
    static uint8_t log[1 << 20];
    size_t got;

    REQUIRE_EQ(
        sf_sim_disk_get(fixture_disk(f, number), "audit.log", 0, log, sizeof(log), &got), SF_OK);
    return memmem(log, got, text, strlen(text)) != NULL;
}

static struct sf_sim_disk *
image_of(struct fixture *f, unsigned number)
{
    struct sf_sim_disk *image = NULL;

    REQUIRE_EQ(sf_sim_disk_clone(fixture_disk(f, number), &image), SF_OK);
    sf_sim_disk_restart(image, SF_SIM_DAMAGE_KEEP_ALL, 1);
    return image;
}

static void
put_back(struct fixture *f, unsigned number, struct sf_sim_disk *image)
{
    sf_world_crash(f->world, number, SF_SIM_DAMAGE_LOSE_ALL);
    sf_world_replace_disk(f->world, number, image);
    fixture_start(f, number);
}

static void
send_another(struct fixture *f, unsigned content)
{
    static const char *const paths[16] = {"source/0", "source/1", "source/2", "source/3",
        "source/4", "source/5", "source/6", "source/7"};
    struct sf_world_send order = fixture_order();

    fixture_source(f, GROUND, paths[content], 300000, content);
    order.paths = &paths[content];
    order.label = paths[content] + sizeof("source/") - 1;
    fixture_send(f, &order);
}

static void
check_arrived(struct fixture *f, unsigned content)
{
    char path[64];

    snprintf(path, sizeof(path), "inbox/ground/%u", content);
    fixture_check_file(f, SAT, path, 300000, content);
}

static const struct peer *
peer_in(struct fixture *f, unsigned number)
{
    return &sf_world_node(f->world, number)->peers[0];
}

/*
 * The case that numbers alone cannot tell: as many starts as before, and as many
 * sessions. Each end in turn is put back.
 */
static void
test_equal_starts(void)
{
    for (unsigned who = GROUND; who <= SAT; who++) {
        unsigned other = who == GROUND ? SAT : GROUND;
        struct fixture f;
        struct sf_sim_disk *image;
        uint64_t number;
        uint32_t boot;

        fixture_open(&f, 30 + who, 2);
        send_another(&f, 0);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
        sf_world_stop(f.world, who);
        image = image_of(&f, who);
        fixture_start(&f, who);
        boot = sf_world_node(f.world, who)->boot;
        for (unsigned i = 1; i <= 3; i++) {
            send_another(&f, i);
            REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
        }
        number = peer_in(&f, GROUND)->record.number_next;
        put_back(&f, who, image);
        CHECK_EQ(sf_world_node(f.world, who)->boot, boot); /* as many starts as before */
        if (who == GROUND) {
            fixture_source(&f, GROUND, "source/1", 300000, 1); /* the older disk has it not */
            fixture_source(&f, GROUND, "source/2", 300000, 2);
            fixture_source(&f, GROUND, "source/3", 300000, 3);
        }
        send_another(&f, 4);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
        check_arrived(&f, 4);
        CHECK(audit_says(&f, who, "\"restored\""));
        CHECK(audit_says(&f, other, "\"peer_restored\""));
        CHECK(!audit_says(&f, who, "\"copy_runs\""));
        CHECK(sf_world_node(f.world, who)->boot > boot);
        if (who == GROUND) {
            CHECK(peer_in(&f, GROUND)->record.number_next > number);
        }
        /* An ordinary start after it is one, and says nothing. */
        sf_world_stop(f.world, other);
        fixture_start(&f, other);
        sf_world_stop(f.world, who);
        fixture_start(&f, who);
        send_another(&f, 5);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
        CHECK(!audit_says(&f, other, "\"peer_copied\""));
        fixture_close(&f);
    }
}

/* Receipts of the life that is forgotten say nothing about what this one holds. */
static void
test_receipts(void)
{
    struct fixture f;
    struct sf_sim_disk *image;
    const struct out_to *to;
    uint64_t generation;
    uint64_t seen;
    uint64_t held;

    fixture_open(&f, 40, 2);
    fixture_slow(&f, 10000000);
    sf_world_stop(f.world, SAT);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 12000000);
    fixture_run(&f, 2 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_RECEIVING);
    image = image_of(&f, SAT); /* amid the transfer */
    sf_world_stop(f.world, SAT);
    fixture_start(&f, SAT);
    fixture_run(&f, 5 * SF_SEC);
    to = &outbound_find(sf_world_node(f.world, GROUND), &f.id)->to[0];
    generation = to->receipts.generation;
    held = sf_range_set_total(&to->receipts.held);
    put_back(&f, SAT, image);
    fixture_run(&f, 2 * SF_SEC);
    seen = to->receipts.generation;
    CHECK(sf_range_set_total(&to->receipts.held) >=
          2); /* what the image has is not asked for again */
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    CHECK(held > 2);
    CHECK(seen > generation);
    CHECK(audit_says(&f, SAT, "\"restored\""));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 12000000, 0);
    fixture_close(&f);
}

/* The key file was restored too: prekeys that peers have are gone, and their numbers come again. */
static void
test_old_keys(void)
{
    struct fixture f;
    struct sf_sim_disk *image;
    struct sf_node *sat;
    uint64_t issue;
    uint32_t number;

    fixture_open(&f, 41, 2);
    send_another(&f, 0);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    sf_world_stop(f.world, SAT);
    image = image_of(&f, SAT);
    fixture_start(&f, SAT);
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE_EQ(sf_node_rotate(sf_world_node(f.world, SAT), &issue, &f.error), SF_OK);
        sf_world_poke(f.world, SAT);
        fixture_run(&f, SF_SEC);
    }
    fixture_run(&f, 300 * SF_SEC);
    send_another(&f, 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    CHECK_EQ(peer_in(&f, GROUND)->conf.card.issue, issue);
    number = peer_in(&f, GROUND)->conf.card.prekey.number;
    put_back(&f, SAT, image);
    send_another(&f, 2);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    check_arrived(&f, 2);
    sat = sf_world_node(f.world, SAT);
    CHECK(sf_node_card(sat)->issue > issue);
    CHECK(sf_node_card(sat)->prekey.number > number + 1);
    CHECK_EQ(peer_in(&f, GROUND)->conf.card.issue, sf_node_card(sat)->issue);
    fixture_close(&f);
}

/* --- Two copies at once ---------------------------------------------------------------------- */

enum { COPY = EDGE };

/* COPY is ground's home at another address, from before its last start. Not started yet. */
static void
make_copy(struct fixture *f, uint64_t seed)
{
    static const char *const names[] = {"ground", "sat", "copy"};

    memset(f, 0, sizeof(*f));
    f->world = sf_world_open(seed);
    sf_world_watch(f->world, fixture_say, f);
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE_EQ(sf_world_add(f->world, names[i]), i);
    }
    sf_world_introduce(f->world, GROUND, SAT, NULL);
    sf_world_introduce(f->world, SAT, GROUND, NULL);
    sf_world_introduce(f->world, COPY, SAT, NULL);
    fixture_start(f, GROUND);
    fixture_start(f, SAT);
    send_another(f, 0);
    REQUIRE(fixture_until(f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    sf_world_stop(f->world, GROUND);
    sf_world_replace_disk(f->world, COPY, image_of(f, GROUND));
    fixture_start(f, GROUND);
}

/* Sat is told where to call ground. */
static void
move_endpoint(struct fixture *f, unsigned to)
{
    struct sf_node *sat = sf_world_node(f->world, SAT);

    sat->peers[0].conf.endpoint = sf_world_addr(to);
    REQUIRE_EQ(peer_link(sat, &sat->peers[0]), SF_OK);
    sf_world_poke(f->world, SAT);
}

/* The copy calls from an address that sat was never told: it gets not a byte, and the true one goes on. */
static void
test_copy_elsewhere(void)
{
    struct fixture f;

    make_copy(&f, 50);
    send_another(&f, 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_start(&f, COPY);
    fixture_run(&f, 30 * SF_SEC);
    send_another(&f, 2);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    check_arrived(&f, 2);
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(sf_world_path_payload(f.world, SAT, COPY), 0);
    CHECK(audit_says(&f, SAT, "\"peer_refused\""));
    CHECK(audit_says(&f, GROUND, "\"copy_runs\""));
    CHECK(!audit_says(&f, GROUND, "\"restored\""));
    /* The true one ends; whoever lets the copy take its place says so on both sides. */
    sf_world_stop(f.world, GROUND);
    move_endpoint(&f, COPY);
    fixture_run(&f, 60 * SF_SEC);
    CHECK(audit_says(&f, COPY, "\"restored\""));
    CHECK(audit_says(&f, SAT, "\"peer_restored\""));
    fixture_close(&f);
}

/* Sat is told now of one address, now of the other: lives take turns, and both ends say so. */
static void
test_copies_take_turns(void)
{
    struct fixture f;

    make_copy(&f, 51);
    fixture_run(&f, 10 * SF_SEC); /* ground is accepted */
    fixture_start(&f, COPY);
    for (unsigned turn = 0; turn < 6; turn++) {
        move_endpoint(&f, turn % 2 == 0 ? COPY : GROUND);
        fixture_run(&f, 200 * SF_SEC);
    }
    /* Nothing is lost by it: what is sent now arrives. */
    send_another(&f, 1);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    check_arrived(&f, 1);
    CHECK(audit_says(&f, SAT, "\"peer_copied\""));
    CHECK(audit_says(&f, GROUND, "\"copy_runs\"") || audit_says(&f, COPY, "\"copy_runs\""));
    fixture_close(&f);
}

CHECK_MAIN("node: copies of a state",
    {"an image put back with as many starts as before is noticed and uses nothing again",
        test_equal_starts},
    {"receipts of a forgotten life are replaced by those of a later generation", test_receipts},
    {"restored keys are replaced by such as no card has ever named", test_old_keys},
    {"a copy at another address gets not a byte, and both ends say that it is there",
        test_copy_elsewhere},
    {"copies that take turns are told apart, said, and lose nothing", test_copies_take_turns})
