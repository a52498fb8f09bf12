/*
 * Lives of nodes: which start was which, and who notices when it was another one.
 */
#include "link/lives.h"

#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;

static struct sf_lives
lives_of(uint32_t boot, uint64_t first)
{
    struct sf_lives lives = {0};

    for (uint32_t i = 1; i <= boot; i++) {
        sf_lives_begin(&lives, i, first + i);
    }
    return lives;
}

static void
test_arithmetic(void)
{
    struct sf_lives lives = lives_of(3, 100);

    CHECK_EQ(sf_lives_at(&lives, 3), 103);
    CHECK_EQ(sf_lives_at(&lives, 1), 101);
    CHECK_EQ(sf_lives_at(&lives, 4), 0);
    CHECK_EQ(sf_lives_at(&lives, 0), 0);
    CHECK(!sf_lives_covers(&lives, 0) && !sf_lives_covers(&lives, 4));
    lives = lives_of(20, 100);
    CHECK_EQ(sf_lives_at(&lives, 13), 113);
    CHECK(sf_lives_covers(&lives, 13) && !sf_lives_covers(&lives, 12));

    /* A jump takes the numbers in between. */
    sf_lives_jump(&lives, 23);
    CHECK_EQ(sf_lives_at(&lives, 20), 120);
    CHECK_EQ(sf_lives_at(&lives, 22), 120);
    CHECK_EQ(sf_lives_at(&lives, 23), 120);
    CHECK_EQ(sf_lives_at(&lives, 19), 119);
    sf_lives_admit(&lives, 21, 9);
    CHECK_EQ(sf_lives_at(&lives, 21), 9);
    sf_lives_admit(&lives, 23, 9); /* not the present one */
    CHECK_EQ(sf_lives_at(&lives, 23), 120);
    sf_lives_admit(&lives, 2, 9); /* nor what is not shown */
    CHECK_EQ(sf_lives_at(&lives, 2), 0);
    sf_lives_jump(&lives, 1000);
    CHECK_EQ(sf_lives_at(&lives, 993), 120);
    CHECK_EQ(sf_lives_at(&lives, 992), 0);
}

static void
test_follow(void)
{
    struct sf_lives lives = lives_of(10, 100);

    CHECK(sf_lives_follow(&lives, 0, 0)); /* never seen */
    for (uint32_t boot = 3; boot <= 10; boot++) {
        CHECK(sf_lives_follow(&lives, boot, 100 + boot));
        CHECK(!sf_lives_follow(&lives, boot, 200 + boot));
    }
    CHECK(!sf_lives_follow(&lives, 11, 111));
    /* Of what is longer ago nothing can be said. */
    CHECK(sf_lives_follow(&lives, 2, 7));
}

/* --- Two ends, and the disk of one is put back -------------------------------------------------- */

static void
start(uint64_t seed)
{
    world_init(&world, seed, 2);
    world_open(&world, 0);
    world_open(&world, 1);
}

/* End 0 starts so many times, and speaks each time. */
static void
live(unsigned times, unsigned slot)
{
    for (unsigned i = 0; i < times; i++) {
        world_close(&world, 0);
        world_open(&world, 0);
        world_offer(&world, 0, 1, slot + i, 2, 65536);
        CHECK(world_deliver(&world, 0, slot + i, 20 * SF_SEC));
    }
}

/* The image is of start 2; it lived for `before` starts more, and is started as often as `after` says. */
static void
put_back(uint64_t seed, unsigned before, unsigned after)
{
    struct sf_lives image;

    start(seed);
    live(1, 0);
    image = world.ends[0].lives;
    live(before, 1);
    world_close(&world, 0);
    world.ends[0].lives = image;
    world.ends[0].boot = image.boot;
    for (unsigned i = 1; i < after; i++) {
        world_open(&world, 0); /* no time passes: nobody hears of it */
        world_close(&world, 0);
    }
    world_open(&world, 0);
    world_offer(&world, 0, 1, 7, 5, 65536);
    CHECK(world_deliver(&world, 0, 7, 60 * SF_SEC));
}

static void
finish(void)
{
    world_close(&world, 0);
    world_close(&world, 1);
    world_fini(&world);
}

/* However often each of them was started. */
static void
test_noticed(void)
{
    for (unsigned before = 1; before <= 4; before++) {
        for (unsigned after = 1; after <= before + 3; after++) {
            uint32_t least = 1 + 1 + before; /* start 1, live(1), and what was forgotten */

            put_back(500 + before * 10 + after, before, after);
            CHECK_EQ(world.ends[0].stales, 1);
            CHECK_EQ(world.ends[0].copies, 0); /* it was not accepted in this run before */
            CHECK_EQ(world.ends[1].news[SF_LINK_NEWS_RESTORED], 1);
            CHECK_EQ(world.ends[1].news[SF_LINK_NEWS_COPIED], 0);
            CHECK_EQ(world.ends[1].stales, 0);
            /* Nothing was used again: it goes on above all that was. */
            CHECK(world.ends[0].stale_epoch >> 32 > least);
            CHECK_EQ(world.ends[1].epoch_seen[0] >> 32, world.ends[0].stale_epoch >> 32);
            finish();
        }
    }
}

/* The one who could say it has nothing else to say, and believes the other to be away. */
static void
test_told_in_the_dark(void)
{
    struct sf_lives image;

    start(650);
    live(1, 0);
    image = world.ends[0].lives;
    live(1, 1);
    world_close(&world, 0);
    world_offer(&world, 1, 0, 2, 5, 65536); /* it calls, hears nothing, and thinks better of it */
    world_run(&world, 60 * SF_SEC);
    CHECK_EQ(world.ends[1].downs, 1);
    sf_link_withdraw(world.ends[1].link, world.ends[1].out[2].handle);
    world_run(&world, 60 * SF_SEC);
    world.ends[0].lives = image;
    world.ends[0].boot = image.boot;
    world_open(&world, 0);
    world_offer(&world, 0, 1, 7, 5, 65536);
    CHECK(world_deliver(&world, 0, 7, 60 * SF_SEC));
    CHECK_EQ(world.ends[0].stales, 1);
    finish();
}

/* Each refuses the other's openers; and in these each is told. */
static void
test_both_put_back(void)
{
    for (unsigned after = 1; after <= 2; after++) {
        struct sf_lives images[2];

        start(700 + after);
        live(1, 0);
        for (unsigned i = 0; i < 2; i++) {
            images[i] = world.ends[i].lives;
        }
        for (unsigned turn = 0; turn < 2; turn++) {
            world_close(&world, 1);
            world_open(&world, 1);
            live(1, 1 + turn);
        }
        for (unsigned i = 0; i < 2; i++) {
            world_close(&world, i);
            world.ends[i].lives = images[i];
            world.ends[i].boot = images[i].boot + after - 1;
        }
        world_open(&world, 0);
        world_open(&world, 1);
        world_offer(&world, 0, 1, 7, 5, 65536);
        CHECK(world_deliver(&world, 0, 7, 60 * SF_SEC));
        CHECK_EQ(world.ends[0].stales, 1);
        CHECK_EQ(world.ends[1].stales, 1);
        finish();
    }
}

/* Ordinary starts, also many in the dark, make no noise. */
static void
test_no_noise(void)
{
    start(601);
    live(3, 0);
    for (unsigned i = 0; i < 20; i++) {
        world_close(&world, 0);
        world_open(&world, 0);
    }
    live(2, 3);
    world_close(&world, 1);
    world_open(&world, 1);
    live(1, 5);
    CHECK_EQ(world.ends[0].stales, 0);
    for (unsigned news = 0; news < 9; news++) {
        CHECK_EQ(world.ends[0].news[news], 0);
        CHECK_EQ(world.ends[1].news[news], 0);
    }
    finish();
}

CHECK_MAIN("lives", {"starts are numbered, each with its life", test_arithmetic},
    {"who was seen as another life does not follow", test_follow},
    {"an image that is put back is noticed, however often it was started before and after",
        test_noticed},
    {"who has nothing else to say, and is in the dark, says it all the same",
        test_told_in_the_dark},
    {"two ends that were both put back find to each other", test_both_put_back},
    {"ordinary starts are taken for what they are", test_no_noise})
