/*
 * Nodes that follow contact plans, in virtual time: handovers between gateways,
 * silence between contacts, a dark month, clocks that jump, outages within a
 * contact, and what is told of all that.
 */
#include "node/contacts.h"
#include "tests/unit/node_fixture.h"

enum { CONTACTS_MAX = 64, LEAVES_MAX = 1 << 20 };

#define RATE  UINT64_C(20000000)
#define LIGHT (20 * SF_MS)

/* When datagrams left, and how long they were. */
struct leaves {
    struct fixture *f;
    unsigned from;
    size_t count;
    struct {
        sf_mono at;
        size_t ip_bytes;
    } list[LEAVES_MAX];
};

static struct leaves leaves;

static void
note_leave(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)to;
    (void)bytes;
    if (from == leaves.from && leaves.count < LEAVES_MAX) {
        leaves.list[leaves.count].at = sf_world_now(leaves.f->world);
        leaves.list[leaves.count++].ip_bytes = count + 28;
    }
}

static void
watch_leaves(struct fixture *f, unsigned from)
{
    leaves.f = f;
    leaves.from = from;
    leaves.count = 0;
    sf_world_tap(f->world, note_leave, NULL);
}

static size_t
leaves_between(sf_mono from, sf_mono to)
{
    size_t count = 0;

    for (size_t i = 0; i < leaves.count; i++) {
        count += leaves.list[i].at >= from && leaves.list[i].at < to;
    }
    return count;
}

/* The IP bytes of those. */
static uint64_t
bytes_between(sf_mono from, sf_mono to)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < leaves.count; i++) {
        if (leaves.list[i].at >= from && leaves.list[i].at < to) {
            bytes += leaves.list[i].ip_bytes;
        }
    }
    return bytes;
}

/* A contact from `start_s` to `end_s` on the world's clock, as node `number` sees it now. */
static struct sf_node_contact
contact_at(struct fixture *f, unsigned number, uint64_t start_s, uint64_t end_s)
{
    int64_t zero = sf_world_wall(f->world, number).ms - (int64_t)(sf_world_now(f->world) / SF_MS);

    return (struct sf_node_contact){.start = {zero + (int64_t)start_s * 1000},
        .end = {zero + (int64_t)end_s * 1000},
        .rate_bps = RATE,
        .light_ns = LIGHT};
}

static void
set_plan(struct fixture *f, unsigned number, unsigned peer, const struct sf_node_contact *contacts,
    size_t count)
{
    static const char *const names[] = {"ground", "sat", "edge"};

    REQUIRE_EQ(sf_node_contacts_set(
                   sf_world_node(f->world, number), names[peer], contacts, count, &f->error),
        SF_OK);
    sf_world_poke(f->world, number);
}

/* Ground and sat with a path of LIGHT and a bit more than RATE, up only in `windows`. */
static void
open_pair(struct fixture *f, uint64_t seed, const struct sf_sim_window *windows, size_t count)
{
    struct sf_sim_path_config path = {
        .delay_ns = LIGHT, .rate_bps = RATE + RATE / 100, .queue_bytes = 1 << 20};

    fixture_make(f, seed, 2);
    for (size_t i = 0; i < count; i++) {
        path.contacts[i] = windows[i];
    }
    path.contact_count = count;
    sf_world_path(f->world, GROUND, SAT, &path);
    sf_world_path(f->world, SAT, GROUND, &path);
    fixture_start(f, GROUND);
    fixture_start(f, SAT);
}

static uint64_t
resent_bytes(struct fixture *f, unsigned number)
{
    struct sf_node_peer_info info;

    REQUIRE(sf_node_peer_at(sf_world_node(f->world, number), 0, &info));
    return info.link.resent_bytes_out;
}

/* --- Tests ------------------------------------------------------------------------- */

static void
test_silence(void)
{
    const struct sf_sim_window windows[] = {{10 * SF_SEC, 5 * SF_SEC}, {100 * SF_SEC, 60 * SF_SEC}};
    struct sf_node_contact plan[2];
    struct fixture f;

    open_pair(&f, 1, windows, 2);
    plan[0] = contact_at(&f, GROUND, 10, 15);
    plan[1] = contact_at(&f, GROUND, 100, 160);
    watch_leaves(&f, GROUND);
    set_plan(&f, GROUND, SAT, plan, 2);
    set_plan(&f, SAT, GROUND, plan, 2);
    fixture_send_file(&f, 24000000); /* 10 s of line time: more than the first contact */
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 200 * SF_SEC));
    fixture_run(&f, 100 * SF_SEC);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 24000000, 0);
    CHECK(leaves.count > 10000);
    for (size_t i = 0; i < leaves.count; i++) {
        sf_mono at = leaves.list[i].at;
        sf_mono last = at + leaves.list[i].ip_bytes * 8 * SF_SEC / RATE;
        bool is_within = (at >= 10 * SF_SEC && last <= 15 * SF_SEC) ||
                         (at >= 100 * SF_SEC && last <= 160 * SF_SEC);

        REQUIRE(is_within);
    }
    /* At full rate from the first moment: nine tenths of the first half second's bytes. */
    CHECK(leaves_between(10 * SF_SEC, 10 * SF_SEC + SF_SEC / 2) > RATE / 2 / 8 / 1400 * 9 / 10);
    CHECK(leaves_between(100 * SF_SEC, 100 * SF_SEC + SF_SEC / 2) > RATE / 2 / 8 / 1400 * 9 / 10);
    CHECK(leaves_between(14 * SF_SEC + SF_SEC / 2, 15 * SF_SEC) > RATE / 2 / 8 / 1400 * 9 / 10);
    /* What was on its way at the end was not lost, so hardly anything went twice. */
    CHECK(resent_bytes(&f, GROUND) < 100000);
    fixture_close(&f);
}

static void
test_three_gateways(void)
{
    struct sf_sim_path_config path = {
        .delay_ns = LIGHT, .rate_bps = RATE + RATE / 100, .queue_bytes = 1 << 20};
    const struct sf_sim_path_config none = {.loss_ppm = 1000000};
    struct sf_node_contact plan[3];
    struct fixture f;
    uint64_t most;

    fixture_make(&f, 2, 2);
    sf_world_path(f.world, GROUND, SAT, &none);
    sf_world_path(f.world, SAT, GROUND, &none);
    for (unsigned i = 0; i < 3; i++) {
        unsigned gateway = sf_world_gateway(f.world, GROUND, SAT);

        path.contact_count = 1;
        path.contacts[0] = (struct sf_sim_window){(10 + 30 * i) * SF_SEC, 5 * SF_SEC};
        sf_world_gateway_path(f.world, gateway, GROUND, &path);
        sf_world_gateway_path(f.world, gateway, SAT, &path);
        plan[i] = contact_at(&f, GROUND, 10 + 30 * i, 15 + 30 * i);
        plan[i].has_endpoint = true;
        plan[i].endpoint = sf_world_gateway_addr(f.world, gateway);
    }
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    set_plan(&f, GROUND, SAT, plan, 3);
    set_plan(&f, SAT, GROUND, plan, 3);
    fixture_send_file(&f, 26000000); /* 11 s of line time */
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
    CHECK(sf_world_now(f.world) > 70 * SF_SEC && sf_world_now(f.world) < 75 * SF_SEC);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 26000000, 0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(sf_world_gateway_stats(f.world, i, GROUND)->bytes_out > 2000000);
    }
    CHECK_EQ(sf_world_path_stats(f.world, GROUND, SAT)->datagrams_in, 0);
    /* R3's bound, twice: rate x (round trip + 0.5 s) and two bundles for each handover. */
    most = RATE / 8 * (2 * LIGHT + SF_SEC / 2) / SF_SEC + 2 * (1 << 20);
    CHECK(resent_bytes(&f, GROUND) <= 2 * most);
    CHECK(resent_bytes(&f, GROUND) < 100000); /* and in truth far less */
    fixture_close(&f);
}

static void
test_receiver_without_plan(void)
{
    struct sf_node_peer waits = {.may_send = true, .may_receive = true, .rate_bps = RATE};
    struct sf_node_contact plan[2];
    struct fixture f;

    fixture_make(&f, 3, 2);
    sf_world_introduce(f.world, SAT, GROUND, &waits);
    for (unsigned i = 0; i < 2; i++) {
        struct sf_sim_path_config path = {
            .delay_ns = LIGHT, .rate_bps = RATE + RATE / 100, .contact_count = 1};
        unsigned gateway = sf_world_gateway(f.world, GROUND, SAT);

        path.contacts[0] = (struct sf_sim_window){(10 + 600 * i) * SF_SEC, 6 * SF_SEC};
        sf_world_gateway_path(f.world, gateway, GROUND, &path);
        sf_world_gateway_path(f.world, gateway, SAT, &path);
        plan[i] = contact_at(&f, GROUND, 10 + 600 * i, 16 + 600 * i);
        plan[i].has_endpoint = true;
        plan[i].endpoint = sf_world_gateway_addr(f.world, gateway);
    }
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    set_plan(&f, GROUND, SAT, plan, 2);
    fixture_send_file(&f, 20000000);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 700 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 20000000, 0);
    fixture_close(&f);
}

static void
test_dark_month(void)
{
    const struct sf_sim_window windows[] = {
        {10 * SF_SEC, 2 * SF_SEC}, {30 * DAY, 600 * SF_SEC}, {60 * DAY, 600 * SF_SEC}};
    struct sf_node_contact plan[2];
    struct fixture f;
    size_t after_plan;

    open_pair(&f, 4, windows, 3);
    plan[0] = contact_at(&f, GROUND, 10, 12);
    plan[1] = contact_at(&f, GROUND, 30 * 86400, 30 * 86400 + 600);
    watch_leaves(&f, GROUND);
    set_plan(&f, GROUND, SAT, plan, 2);
    set_plan(&f, SAT, GROUND, plan, 2);
    fixture_send_file(&f, 20000000);
    fixture_run(&f, 30 * DAY - SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK(leaves.count > 1000);
    CHECK_EQ(leaves_between(12 * SF_SEC, 30 * DAY), 0);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    /* The plan ends with work in hand: a few beacons a day, and it goes on when the peer is there. */
    fixture_run(&f, 700 * SF_SEC);
    fixture_source(&f, GROUND, "source/more", 1000000, 1);
    {
        static const char *const paths[] = {"source/more"};
        struct sf_world_send order = fixture_order();

        order.paths = paths;
        order.label = "more.bin";
        fixture_send(&f, &order);
    }
    fixture_run(&f, 10 * DAY);
    after_plan = leaves_between(30 * DAY + 700 * SF_SEC, 41 * DAY);
    CHECK(after_plan >= 10 * 20 && after_plan <= 11 * 48);
    CHECK_EQ(sf_node_contacts_state(sf_world_node(f.world, GROUND), "sat"), SF_NODE_CONTACTS_ENDED);
    fixture_close(&f);
}

/*
 * The path goes away from 20 s to 30 s, within a contact. Within a second or
 * three round trips bulk has stopped; after it the full rate is there again.
 */
static void
check_outage(uint64_t seed, uint64_t light_ns, uint64_t noticed_ns, uint64_t back_ns)
{
    struct sf_sim_path_config path = {
        .delay_ns = light_ns, .rate_bps = RATE + RATE / 100, .queue_bytes = 1 << 20};
    struct sf_node_contact plan;
    struct fixture f;
    sf_mono noticed = 20 * SF_SEC + noticed_ns;

    fixture_make(&f, seed, 2);
    path.outages[0] = (struct sf_sim_window){20 * SF_SEC, 10 * SF_SEC};
    path.outage_count = 1;
    sf_world_path(f.world, GROUND, SAT, &path);
    sf_world_path(f.world, SAT, GROUND, &path);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    plan = contact_at(&f, GROUND, 10, 100);
    plan.light_ns = light_ns;
    watch_leaves(&f, GROUND);
    set_plan(&f, GROUND, SAT, &plan, 1);
    set_plan(&f, SAT, GROUND, &plan, 1);
    fixture_send_file(&f, 60000000);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 100 * SF_SEC));
    CHECK(leaves_between(noticed, 30 * SF_SEC) < 200);
    CHECK(leaves_between(20 * SF_SEC, noticed) < RATE / 8 / 1400 * noticed_ns / SF_SEC);
    CHECK(leaves_between(30 * SF_SEC + back_ns, 31 * SF_SEC + back_ns) > RATE / 8 / 1400 * 9 / 10);
    fixture_close(&f);
}

static void
test_outage(void)
{
    check_outage(5, LIGHT, SF_SEC, SF_SEC + 4 * LIGHT);
    check_outage(23, 300 * SF_MS, 3 * 600 * SF_MS, SF_SEC + 4 * 300 * SF_MS);
}

static void
test_rates(void)
{
    struct sf_sim_path_config path = {.delay_ns = LIGHT};
    struct sf_node_contact plan[3];
    struct fixture f;

    fixture_make(&f, 6, 2);
    sf_world_path(f.world, GROUND, SAT, &path);
    sf_world_path(f.world, SAT, GROUND, &path);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    for (unsigned i = 0; i < 3; i++) { /* the first two are pieces of one pass */
        plan[i] = contact_at(&f, GROUND, i == 2 ? 50 : 10 + 10 * i, i == 2 ? 60 : 20 + 10 * i);
        plan[i].rate_bps = RATE << i >> 1;
    }
    watch_leaves(&f, GROUND);
    set_plan(&f, GROUND, SAT, plan, 3);
    set_plan(&f, SAT, GROUND, plan, 3);
    fixture_send_file(&f, 100000000);
    fixture_run(&f, 60 * SF_SEC);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t from = (i == 2 ? 51 : 11 + 10 * i) * SF_SEC;
        uint64_t expected = plan[i].rate_bps / 8 * 8;
        uint64_t bytes = bytes_between(from, from + 8 * SF_SEC);

        CHECK(bytes > expected * 99 / 100 && bytes < expected * 101 / 100);
    }
    fixture_close(&f);
}

static void
test_clock_jumps(void)
{
    const struct sf_sim_path_config none = {.loss_ppm = 1000000};
    const struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    struct sf_node_contact plan[2];
    struct fixture f;

    fixture_open(&f, 7, 2);
    plan[0] = contact_at(&f, GROUND, 1000, 1030);
    plan[1] = contact_at(&f, GROUND, 5000, 5030);
    watch_leaves(&f, GROUND);
    set_plan(&f, GROUND, SAT, plan, 2);
    fixture_send_file(&f, 200000000);
    sf_world_run(f.world, 100 * SF_SEC);
    CHECK_EQ(leaves.count, 0);
    sf_world_wall_jump(f.world, GROUND, 905000); /* at 100 s the clock says 1005 */
    sf_world_run(f.world, 105 * SF_SEC);
    CHECK(leaves_between(100 * SF_SEC, 105 * SF_SEC) > 1000);
    sf_world_wall_jump(f.world, GROUND, -500000); /* ... and now 510: before it again */
    sf_world_run(f.world, 606 * SF_SEC);
    CHECK_EQ(leaves_between(105 * SF_SEC + 1, 595 * SF_SEC), 0); /* 1000 comes at 595 s */
    CHECK(leaves_between(595 * SF_SEC, 605 * SF_SEC) > 1000);
    /* A day ahead: the plan is over, and the peer does not call. */
    sf_world_path(f.world, SAT, GROUND, &none);
    sf_world_wall_jump(f.world, GROUND, 86400000);
    sf_world_run(f.world, 1206 * SF_SEC);
    CHECK_EQ(leaves_between(606 * SF_SEC + 1, 1206 * SF_SEC), 0);
    sf_world_wall_jump(f.world, GROUND, -86400000);
    sf_world_path(f.world, SAT, GROUND, &clean);
    sf_world_run(f.world, 4630 * SF_SEC); /* and back: the last contact is kept, at 4595 s */
    CHECK_EQ(leaves_between(1206 * SF_SEC, 4595 * SF_SEC), 0);
    CHECK(leaves_between(4595 * SF_SEC, 4625 * SF_SEC) > 1000);
    fixture_close(&f);
}

static void
test_carried(void)
{
    const struct sf_sim_window windows[] = {{10 * SF_SEC, 5 * SF_SEC}, {100 * SF_SEC, 60 * SF_SEC}};
    struct sf_node_contact plan[3], seen;
    struct sf_node_carried carried;
    struct fixture f;
    struct sf_node *node;

    open_pair(&f, 8, windows, 2);
    plan[0] = contact_at(&f, GROUND, 10, 15);
    plan[1] = contact_at(&f, GROUND, 50, 55); /* wasted: the path is not there */
    plan[2] = contact_at(&f, GROUND, 100, 160);
    set_plan(&f, GROUND, SAT, plan, 3);
    set_plan(&f, SAT, GROUND, plan, 3);
    node = sf_world_node(f.world, GROUND);
    CHECK_EQ(sf_node_contacts_state(node, "sat"), SF_NODE_CONTACTS_AWAIT);
    CHECK_EQ(sf_node_contacts_state(node, "nobody"), SF_NODE_CONTACTS_NONE);
    CHECK(!sf_node_contact_past(node, "sat", 0, &seen, &carried));
    REQUIRE(sf_node_contact_next(node, "sat", 2, &seen));
    CHECK_EQ(seen.start.ms, plan[2].start.ms);
    CHECK(!sf_node_contact_next(node, "sat", 3, &seen));
    fixture_send_file(&f, 24000000);
    fixture_run(&f, 12 * SF_SEC);
    CHECK_EQ(sf_node_contacts_state(node, "sat"), SF_NODE_CONTACTS_OPEN);
    REQUIRE(sf_node_contact_next(node, "sat", 0, &seen));
    CHECK_EQ(seen.start.ms, plan[1].start.ms);
    fixture_run(&f, 158 * SF_SEC);
    REQUIRE(sf_node_contact_past(node, "sat", 2, &seen, &carried));
    CHECK_EQ(seen.start.ms, plan[0].start.ms);
    CHECK(carried.bytes_out > RATE / 8 * 49 / 10 && carried.bytes_out <= RATE / 8 * 5);
    CHECK(carried.bytes_in > 1000);
    CHECK(carried.bundles_out >= 8 && carried.bundles_out <= 12);
    CHECK(carried.heard.ms >= seen.start.ms && carried.heard.ms < seen.start.ms + 200);
    REQUIRE(sf_node_contact_past(node, "sat", 1, &seen, &carried));
    CHECK_EQ(seen.start.ms, plan[1].start.ms);
    CHECK_EQ(carried.bytes_in, 0);
    CHECK_EQ(carried.heard.ms, 0);
    REQUIRE(sf_node_contact_past(node, "sat", 0, &seen, &carried));
    CHECK(carried.bundles_out >= 12);
    REQUIRE(sf_node_contact_past(sf_world_node(f.world, SAT), "ground", 0, &seen, &carried));
    CHECK(carried.bundles_in >= 12 && carried.bundles_out == 0);
    fixture_close(&f);
}

static void
test_arrival(void)
{
    struct sf_node_contact plan[2];
    struct sf_wall now, when;
    struct fixture f;
    struct sf_node *node;

    fixture_open(&f, 9, 2);
    node = sf_world_node(f.world, GROUND);
    now.ms = contact_at(&f, GROUND, 0, 1).start.ms;
    CHECK_EQ(sf_node_contacts_arrival(node, "sat", 1000, now, &when), SF_ENOENT);
    plan[0] = contact_at(&f, GROUND, 10, 15);
    plan[1] = contact_at(&f, GROUND, 100, 110);
    plan[1].light_ns = 5 * SF_SEC;
    set_plan(&f, GROUND, SAT, plan, 2);
    REQUIRE_EQ(sf_node_contacts_arrival(node, "sat", RATE / 8 * 2, now, &when), SF_OK);
    CHECK_EQ(when.ms, plan[0].start.ms + 2020);
    REQUIRE_EQ(sf_node_contacts_arrival(node, "sat", RATE / 8 * 9, now, &when), SF_OK);
    CHECK_EQ(when.ms, plan[1].start.ms + 4000 + 5000);
    CHECK_EQ(sf_node_contacts_arrival(node, "sat", RATE / 8 * 15 + 1, now, &when), SF_ELIMIT);
    CHECK_EQ(when.ms, plan[1].end.ms);
    CHECK_EQ(sf_node_contacts_arrival(node, "sat", UINT64_MAX, now, &when), SF_ELIMIT);
    now.ms += 12000; /* three seconds of the first are left */
    REQUIRE_EQ(sf_node_contacts_arrival(node, "sat", RATE / 8 * 4, now, &when), SF_OK);
    CHECK_EQ(when.ms, plan[1].start.ms + 1000 + 5000);
    fixture_close(&f);
}

/* A transfer has an arrival at a peer with a plan as long as it is open there, and at no other. */
static void
test_eta_of_some(void)
{
    static const struct sf_transfer_id none = {{9}};
    struct sf_world_send both = fixture_order();
    struct sf_world_send one = fixture_order();
    static const unsigned edge[] = {EDGE};
    struct sf_transfer_id to_both;
    struct sf_node_contact plan[1];
    struct sf_wall now, when;
    struct sf_node *node;
    struct fixture f;

    fixture_make(&f, 12, 3);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    node = sf_world_node(f.world, GROUND);
    plan[0] = contact_at(&f, GROUND, 100, 2000);
    set_plan(&f, GROUND, SAT, plan, 1);
    fixture_source(&f, GROUND, "source/model", 100000, 0);
    both.to_count = 2;
    fixture_send(&f, &both);
    to_both = f.id;
    one.to = edge;
    fixture_send(&f, &one);
    fixture_run(&f, SF_SEC / 2);
    now = sf_world_wall(f.world, GROUND);
    CHECK_EQ(sf_node_contacts_eta(node, "sat", &to_both, now, &when), SF_OK);
    CHECK(when.ms > now.ms && when.ms < plan[0].end.ms);
    CHECK_EQ(sf_node_contacts_eta(node, "sat", &f.id, now, &when), SF_ENOENT);
    CHECK_EQ(sf_node_contacts_eta(node, "sat", &none, now, &when), SF_ENOENT);
    CHECK_EQ(sf_node_contacts_eta(node, "edge", &f.id, now, &when), SF_ENOENT);
    fixture_run(&f, 200 * SF_SEC);
    CHECK(fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    CHECK_EQ(sf_node_contacts_eta(node, "sat", &to_both, sf_world_wall(f.world, GROUND), &when),
        SF_ENOENT);
    fixture_close(&f);
}

static void
test_mistakes(void)
{
    struct sf_node_contact plan[3], seen;
    struct fixture f;
    struct sf_node *node;

    fixture_open(&f, 10, 2);
    node = sf_world_node(f.world, GROUND);
    for (unsigned i = 0; i < 3; i++) {
        plan[i] = contact_at(&f, GROUND, 100 + 100 * i, 150 + 100 * i);
    }
    set_plan(&f, GROUND, SAT, plan, 3);
    CHECK_EQ(sf_node_contacts_set(node, "nobody", plan, 3, &f.error), SF_ENOENT);
    CHECK_EQ(sf_node_contacts_set(node, "sat", plan, 0, &f.error), SF_EINVAL);
    CHECK_EQ(
        sf_node_contacts_set(node, "sat", plan, SF_NODE_CONTACTS_MAX + 1, &f.error), SF_ELIMIT);
    for (unsigned k = 0; k < 6; k++) {
        struct sf_node_contact bad[3] = {plan[0], plan[1], plan[2]};

        bad[1].end.ms = k == 0 ? bad[1].start.ms : bad[1].end.ms;
        bad[1].rate_bps = k == 1 ? 0 : k == 2 ? SF_LINK_RATE_BPS_MAX + 1 : bad[1].rate_bps;
        bad[1].light_ns = k == 3 ? SF_LINK_RTT_NS_MAX : bad[1].light_ns;
        bad[1].start.ms = k == 4 ? plan[0].end.ms - 1 : k == 5 ? -1 : bad[1].start.ms;
        CHECK_EQ(sf_node_contacts_set(node, "sat", bad, 3, &f.error), SF_EINVAL);
        CHECK(strstr(f.error.text, "contact 2") != NULL);
    }
    CHECK(sf_node_contact_next(node, "sat", 2, &seen));
    CHECK_EQ(seen.end.ms, plan[2].end.ms);
    /* The same again is nothing new; whatever differs in it is. */
    set_plan(&f, GROUND, SAT, plan, 3);
    for (unsigned k = 0; k < 8; k++) {
        struct sf_node_contact *last = &plan[2];

        last->start.ms += k == 0;
        last->end.ms += k == 1;
        last->rate_bps += k == 2;
        last->light_ns += k == 3;
        last->has_endpoint ^= k == 4;
        last->endpoint = k == 4   ? sf_world_addr(SAT)
                         : k == 5 ? sf_world_addr(EDGE)
                                  : last->endpoint;
        last->no_return ^= k == 6;
        set_plan(&f, GROUND, SAT, plan, 3);
        REQUIRE(sf_node_contact_next(node, "sat", 2, &seen));
        CHECK(seen.start.ms == last->start.ms && seen.end.ms == last->end.ms);
        CHECK(seen.rate_bps == last->rate_bps && seen.light_ns == last->light_ns);
        CHECK(seen.has_endpoint == last->has_endpoint && seen.no_return == last->no_return);
        CHECK(!seen.has_endpoint || sf_addr_equal(&seen.endpoint, &last->endpoint));
    }
    CHECK_EQ(sf_node_contacts_clear(node, "nobody", &f.error), SF_ENOENT);
    CHECK_EQ(sf_node_contacts_clear(node, "sat", &f.error), SF_OK);
    CHECK(!sf_node_contact_next(node, "sat", 0, &seen));
    fixture_send_file(&f, 100000);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 20 * SF_SEC)); /* at any time again */
    fixture_close(&f);
}

/* --- One way -------------------------------------------------------------------------- */

/* Ground sends to sat, and nothing comes back; a twentieth is lost. */
static void
open_one_way(struct fixture *f, uint64_t seed, uint32_t loss_ppm)
{
    const struct sf_sim_path_config path = {
        .delay_ns = LIGHT, .rate_bps = RATE + RATE / 100, .loss_ppm = loss_ppm};
    const struct sf_sim_path_config none = {.loss_ppm = 1000000};
    const struct sf_node_peer up = {
        .may_receive = true, .has_endpoint = true, .no_return = true, .rate_bps = RATE};
    const struct sf_node_peer down = {.may_send = true, .rate_bps = RATE};

    fixture_make(f, seed, 2);
    sf_world_introduce(f->world, GROUND, SAT, &up);
    sf_world_introduce(f->world, SAT, GROUND, &down);
    sf_world_path(f->world, GROUND, SAT, &path);
    sf_world_path(f->world, SAT, GROUND, &none);
    fixture_start(f, GROUND);
    fixture_start(f, SAT);
}

static uint64_t
data_bytes(struct fixture *f)
{
    struct sf_node_peer_info info;

    REQUIRE(sf_node_peer_at(sf_world_node(f->world, GROUND), 0, &info));
    return info.link.data_bytes_out;
}

static void
test_one_way_contact(void)
{
    struct sf_sim_path_config path = {
        .delay_ns = LIGHT, .rate_bps = RATE + RATE / 100, .loss_ppm = 20000};
    struct sf_sim_path_config back = {.delay_ns = LIGHT, .contact_count = 1};
    struct sf_node_contact plan[2];
    struct fixture f;
    uint64_t sent;

    fixture_make(&f, 19, 2);
    back.contacts[0] = (struct sf_sim_window){1000 * SF_SEC, 100 * SF_SEC};
    sf_world_path(f.world, GROUND, SAT, &path);
    sf_world_path(f.world, SAT, GROUND, &back);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    plan[0] = contact_at(&f, GROUND, 10, 40);
    plan[0].no_return = true;
    plan[1] = contact_at(&f, GROUND, 1000, 1100);
    set_plan(&f, GROUND, SAT, plan, 2);
    set_plan(&f, SAT, GROUND, &plan[1], 1);
    fixture_send_file(&f, 40000000);
    sf_world_run(f.world, 100 * SF_SEC);
    /* Unanswered, and yet all of it went in the first contact; what was lost goes in the second. */
    sent = data_bytes(&f);
    CHECK(sent > 40000000);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 950 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 40000000, 0);
    CHECK(data_bytes(&f) - sent < 4000000);
    fixture_close(&f);
}

/* Carry a receipt from sat to ground; returns what ground makes of it. */
static int
carry(struct fixture *f, size_t flipped)
{
    static uint8_t letter[64 << 10];
    struct sf_transfer_id id;
    size_t bytes = 0;
    int status;

    REQUIRE_EQ(
        sf_node_receipt_export(sf_world_node(f->world, SAT), &f->id, letter, &bytes, &f->error),
        SF_OK);
    if (flipped > 0) {
        letter[flipped * bytes / 100] ^= 4;
    }
    status = sf_node_receipt_import(sf_world_node(f->world, GROUND), letter, bytes, &id, &f->error);
    if (status == SF_OK) {
        CHECK(sf_transfer_equal(&id, &f->id));
        sf_world_poke(f->world, GROUND);
    }
    return status;
}

static void
test_carousel(void)
{
    struct sf_node_contact plan[2];
    struct fixture f;
    uint64_t sent;

    open_one_way(&f, 20, 50000);
    plan[0] = contact_at(&f, GROUND, 10, 40);
    plan[1] = contact_at(&f, GROUND, 1000, 2000);
    watch_leaves(&f, GROUND);
    set_plan(&f, GROUND, SAT, plan, 2);
    fixture_send_file(&f, 20000000);
    sf_world_run(f.world, 40 * SF_SEC);
    /* In 30 s the file of 8 s goes round three times: rounds follow each other at once. */
    sent = data_bytes(&f);
    CHECK(sent > 60000000);
    CHECK(fixture_transfer(&f, SAT).held > 0);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK(fixture_until(&f, SAT, SF_NODE_DONE, 1100 * SF_SEC));
    CHECK_EQ(leaves_between(40 * SF_SEC, 1000 * SF_SEC), 0);
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 20000000, 0);
    CHECK_EQ(carry(&f, 0), SF_OK);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, SF_SEC));
    sent = data_bytes(&f);
    fixture_run(&f, 100 * SF_SEC);
    CHECK_EQ(data_bytes(&f), sent);
    fixture_close(&f);
}

static void
test_held_receipt(void)
{
    struct fixture f;
    uint64_t sent, held, each;

    open_one_way(&f, 21, 50000);
    fixture_send_file(&f, 20000000);
    while (fixture_transfer(&f, SAT).held < 200) {
        fixture_run(&f, SF_SEC);
        REQUIRE(sf_world_now(f.world) < 200 * SF_SEC);
    }
    CHECK(fixture_transfer(&f, SAT).state == SF_NODE_RECEIVING);
    CHECK_EQ(carry(&f, 0), SF_OK);
    held = fixture_transfer(&f, GROUND).recipients[0].held;
    CHECK(held >= 200);            /* of 307 */
    CHECK_EQ(carry(&f, 0), SF_OK); /* twice is once */
    /* What it lists does not go again: the rest of this round and the next are as much shorter. */
    each = fixture_transfer(&f, GROUND).class_bytes;
    sent = data_bytes(&f);
    fixture_run(&f, 40 * SF_SEC);
    CHECK(data_bytes(&f) > sent);
    CHECK(data_bytes(&f) - sent <= 3 * (fixture_transfer(&f, GROUND).count - held) * each);
    CHECK(fixture_until(&f, SAT, SF_NODE_DONE, 1000 * SF_SEC));
    CHECK_EQ(carry(&f, 0), SF_OK);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, SF_SEC));
    fixture_close(&f);
}

static void
test_receipts_that_lie(void)
{
    static uint8_t letter[64 << 10];
    struct fixture f;
    struct sf_transfer_id id;
    size_t bytes = 0;

    open_one_way(&f, 22, 0);
    fixture_send_file(&f, 3000000);
    CHECK(fixture_until(&f, SAT, SF_NODE_DONE, 100 * SF_SEC));
    for (size_t percent = 1; percent < 100; percent++) {
        int status = carry(&f, percent);

        CHECK(status == SF_EFORMAT || status == SF_EAUTH || status == SF_ESTATE);
    }
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    REQUIRE_EQ(sf_node_receipt_export(sf_world_node(f.world, SAT), &f.id, letter, &bytes, &f.error),
        SF_OK);
    /* Not for the node that wrote it, not in part, and not from a node without the transfer. */
    CHECK_EQ(sf_node_receipt_import(sf_world_node(f.world, SAT), letter, bytes, &id, &f.error),
        SF_EAUTH);
    for (size_t cut = 0; cut < bytes; cut += 97) {
        CHECK(sf_node_receipt_import(sf_world_node(f.world, GROUND), letter, cut, &id, &f.error) !=
              SF_OK);
    }
    CHECK_EQ(
        sf_node_receipt_export(sf_world_node(f.world, GROUND), &f.id, letter, &bytes, &f.error),
        SF_ENOENT);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK_EQ(carry(&f, 0), SF_OK);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, SF_SEC));
    fixture_close(&f);
}

CHECK_MAIN("node: contacts",
    {"in a contact without return everything goes, and the next one repairs it",
        test_one_way_contact},
    {"where nothing comes back a file goes round within contacts, until its receipt is carried",
        test_carousel},
    {"what a carried receipt lists does not go again", test_held_receipt},
    {"carried receipts that were changed, cut, or are for others count for nothing",
        test_receipts_that_lie},
    {"nothing leaves outside the contacts, and the transfer goes on at full rate in the next",
        test_silence},
    {"three gateways in turn carry one transfer, and keep nothing", test_three_gateways},
    {"a receiver without a plan is reached through any gateway", test_receiver_without_plan},
    {"a dark month costs no datagram, and a plan that ended few", test_dark_month},
    {"an outage within a contact is noticed within a second or three round trips, and survived",
        test_outage},
    {"each contact has its own rate, also the pieces of one pass", test_rates},
    {"a wall clock that jumps moves the contacts with it", test_clock_jumps},
    {"what each contact carried is told", test_carried},
    {"when bytes will have arrived follows from the coming contacts", test_arrival},
    {"only what is open for a peer has an arrival there", test_eta_of_some},
    {"plans with mistakes are refused, and nothing changes", test_mistakes})
