/*
 * What a node finds of a path it was not told the rate of, in virtual time: it
 * is used, and remembered over a crash.
 */
#include "tests/unit/node_fixture.h"

enum { LINE_BPS = 50000000, BYTES = 16 << 20 };

/* Ground finds the rate of its path to sat, which is a line of 50 Mbit/s and 40 ms. */
static void
start(struct fixture *f, uint64_t seed)
{
    const struct sf_sim_path_config path = {
        .delay_ns = 20 * SF_MS, .rate_bps = LINE_BPS, .queue_bytes = 400000};
    const struct sf_node_peer conf = {.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .pace = SF_LINK_PACE_ADAPTIVE,
        .rate_bps = 1000000000};

    fixture_make(f, seed, 2);
    sf_world_path(f->world, GROUND, SAT, &path);
    sf_world_path(f->world, SAT, GROUND, &path);
    sf_world_introduce(f->world, GROUND, SAT, &conf);
    sf_world_introduce(f->world, SAT, GROUND, NULL);
    fixture_start(f, GROUND);
    fixture_start(f, SAT);
}

static struct sf_link_peer_stats
link_of(struct fixture *f)
{
    struct sf_node_peer_info info;

    memset(&info, 0, sizeof(info));
    REQUIRE(sf_node_peer_at(sf_world_node(f->world, GROUND), 0, &info));
    return info.link;
}

static void
test_remembered(void)
{
    struct fixture f;
    struct sf_link_peer_stats link;

    start(&f, 91);
    fixture_send_file(&f, BYTES);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 20 * SF_SEC));
    fixture_run(&f, 15 * SF_SEC);
    link = link_of(&f);
    CHECK(link.found_bps > LINE_BPS / 100 * 85 && link.found_bps < LINE_BPS / 100 * 115);
    CHECK(link.rate_cause == SF_LINK_CAUSE_FOUND);

    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    /* Before anything was sent in this life. */
    link = link_of(&f);
    CHECK(link.rate_bps > LINE_BPS / 100 * 85 && link.rate_bps < LINE_BPS / 100 * 115);
    sf_world_close(f.world);
}

static void
test_one_way(void)
{
    struct fixture f;
    struct sf_node_peer conf = {.may_receive = true,
        .has_endpoint = true,
        .no_return = true,
        .pace = SF_LINK_PACE_ADAPTIVE,
        .rate_bps = LINE_BPS};
    struct sf_node_peer_info info;

    start(&f, 92);
    REQUIRE(sf_node_peer_at(sf_world_node(f.world, SAT), 0, &info));
    conf.card = info.peer.card;
    memcpy(conf.name, info.peer.name, sizeof(conf.name));
    CHECK_EQ(sf_node_peer_set(sf_world_node(f.world, SAT), &conf, &f.error), SF_EINVAL);
    CHECK(strstr(f.error.text, "no rate can be found") != NULL);
    sf_world_close(f.world);
}

CHECK_MAIN("node_rate", {"what was found of a path is known after a crash", test_remembered},
    {"where nothing comes back a rate must be given", test_one_way})
