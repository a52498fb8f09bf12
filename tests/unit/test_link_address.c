/*
 * test_link_address.c - where a peer is reached: learnt and proven addresses,
 * moving ones, forged ones, silent ones, and paths without return.
 */
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;

static const struct sf_addr *
stranger(void)
{
    static struct sf_addr addr;

    addr = sf_addr_v4(0xcb007101, 666);
    return &addr;
}

static void
start(uint64_t seed)
{
    world_init(&world, seed, 2);
}

static void
open_both(void)
{
    world_open(&world, 0);
    world_open(&world, 1);
}

static void
finish(void)
{
    CHECK_EQ(world.ends[0].wrong_bytes + world.ends[1].wrong_bytes, 0);
    CHECK(world.idle_calls < 50);
    world_fini(&world);
}

/* --- Addresses ----------------------------------------------------------------------------------- */

static void
test_one_side_calls(void)
{
    struct sf_link_peer_stats stats;

    start(130);
    world.ends[1].has_endpoint[0] = false; /* 0 is behind a NAT */
    open_both();
    world_offer(&world, 1, 0, 0, 20, 65536);
    CHECK(world_deliver(&world, 1, 0, 5 * SF_SEC));
    world_peer_stats(&world, 1, 0, &stats);
    CHECK(stats.is_proven);
    CHECK(sf_addr_equal(&stats.addr, &world.ends[0].addr));
    CHECK_EQ(world.ends[1].addresses, 1);
    finish();
}

static void
test_keepalive(void)
{
    uint64_t sent;

    start(131);
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_run(&world, 10 * SF_SEC);
    sent = world.sent_dgrams[0];
    CHECK(sf_link_deadline(world.ends[0].link) > world.now + 10 * SF_SEC);
    CHECK_EQ(sf_link_deadline(world.ends[1].link), SF_NEVER);
    world_run(&world, 1000 * SF_SEC);
    /* One in 25 seconds, an opener now and then. */
    CHECK(world.sent_dgrams[0] - sent >= 39);
    CHECK(world.sent_dgrams[0] - sent <= 70);
    /* The way to it is open at any time. */
    world_offer(&world, 1, 0, 0, 1, 16384);
    CHECK(world_deliver(&world, 1, 0, SF_SEC));
    finish();
}

static void
test_idle(void)
{
    uint64_t sent[2];

    start(132);
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[0].handle);
    world_run(&world, 60 * SF_SEC);
    sent[0] = world.sent_dgrams[0];
    sent[1] = world.sent_dgrams[1];
    CHECK_EQ(sf_link_deadline(world.ends[0].link), SF_NEVER);
    CHECK_EQ(sf_link_deadline(world.ends[1].link), SF_NEVER);
    world_run(&world, 86400 * SF_SEC);
    CHECK_EQ(world.sent_dgrams[0], sent[0]);
    CHECK_EQ(world.sent_dgrams[1], sent[1]);
    /* After a day of silence the first byte still goes at once. */
    world_offer(&world, 0, 1, 1, 1, 16384);
    CHECK(world_deliver(&world, 0, 1, SF_SEC));
    finish();
}

static void
test_never_called(void)
{
    start(133);
    world.ends[0].has_endpoint[1] = false;
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    world_run(&world, 600 * SF_SEC);
    CHECK_EQ(world.sent_dgrams[0] + world.sent_dgrams[1], 0);
    finish();
}

static void
move(unsigned end, uint32_t ip)
{
    world.ends[end].addr = sf_addr_v4(ip, (uint16_t)(9000 + ip % 1000));
}

static void
test_rebinding(void)
{
    start(134);
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_offer(&world, 1, 0, 0, 200, 65536);
    world_offer(&world, 0, 1, 0, 200, 65536);
    for (unsigned i = 0; i < 6; i++) {
        world_run(&world, 700 * SF_MS);
        move(0, 0x0b000001 + i);
    }
    CHECK(world_deliver(&world, 1, 0, 15 * SF_SEC));
    CHECK(world_deliver(&world, 0, 0, 15 * SF_SEC));
    CHECK(world.ends[1].addresses >= 6);
    finish();
}

/* The receiver behind the NAT moves while it only reports. */
static void
test_rebinding_receiver(void)
{
    start(135);
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_offer(&world, 1, 0, 0, 300, 65536);
    world_run(&world, 2 * SF_SEC);
    move(0, 0x0b000101);
    CHECK(world_deliver(&world, 1, 0, 60 * SF_SEC));
    finish();
}

static void
test_ground_restart(void)
{
    start(136);
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_run(&world, 100 * SF_SEC);
    world_close(&world, 1); /* with it the learnt address goes */
    world_run(&world, 300 * SF_SEC);
    world_open(&world, 1);
    world_offer(&world, 1, 0, 0, 20, 65536);
    CHECK(world_deliver(&world, 1, 0, 60 * SF_SEC));
    finish();
}

/* Everything 0 sends arrives from an address that cannot be reached. */
static void
test_forged_source(void)
{
    const struct sf_addr forged = *stranger();
    const struct world_address *address;

    start(137);
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_offer(&world, 1, 0, 0, 200, 65536);
    world.ends[0].forged = forged;
    world_run(&world, 5 * SF_SEC);
    address = world_address(&world, &forged);
    CHECK(address->in_bytes > 0);
    CHECK(address->out_bytes <= address->in_bytes);
    CHECK(address->out_dgrams <= address->in_dgrams);
    CHECK_EQ(world.sent_large[1], 0);
    CHECK_EQ(world.ends[1].addresses, 0);
    world.ends[0].forged.port = 0;
    CHECK(world_deliver(&world, 1, 0, 60 * SF_SEC));
    address = world_address(&world, &forged);
    CHECK(address->out_bytes <= address->in_bytes);
    CHECK(address->out_dgrams <= address->in_dgrams);
    finish();
}

/* Somebody in between sends copies of everything ahead of the original, from elsewhere. */
static void
test_bulk_is_not_stolen(void)
{
    const struct world_address *address;
    uint64_t large;
    size_t seen = 0;

    start(138);
    world.is_taping = true;
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_offer(&world, 1, 0, 0, 20, 65536);
    world_run(&world, 200 * SF_MS);
    CHECK_EQ(world.ends[1].addresses, 1);
    large = world.sent_large[1];
    CHECK(large > 0);
    for (unsigned i = 0; i < 200; i++) {
        for (; seen < world.tape_count; seen++) {
            if (sf_addr_equal(&world.tape[seen].from, &world.ends[0].addr)) {
                world_inject(&world, 1, stranger(), world.tape[seen].data, world.tape[seen].bytes);
            }
        }
        world_run(&world, 5 * SF_MS);
    }
    address = world_address(&world, stranger());
    CHECK(address->in_bytes > 0);
    CHECK(address->out_bytes <= address->in_bytes);
    CHECK(address->out_dgrams <= address->in_dgrams);
    CHECK_EQ(world.ends[1].addresses, 1);
    CHECK(world_deliver(&world, 1, 0, 10 * SF_SEC));
    finish();
}

static void
test_unanswered_budget(void)
{
    uint64_t bytes;

    start(139);
    world_open(&world, 0); /* nobody answers at the endpoint */
    world_offer(&world, 0, 1, 0, 1000, 65536);
    world_run(&world, 3 * SF_SEC);
    bytes = world.sent_bytes[0];
    /* Two seconds at 20 Mbit/s, then beacons. */
    CHECK(bytes > 4500000 && bytes < 5200000);
    world_run(&world, 1000 * SF_SEC);
    CHECK(world.sent_bytes[0] - bytes < 1000 / 4 * 1300);
    finish();
}

/* --- Several endpoints ---------------------------------------------------------------- */

/* End 1 is said to be at two other places as well. */
static void
add_aliases(void)
{
    world.ends[1].aliases[0] = sf_addr_v4(0xcb007102, 7272);
    world.ends[1].aliases[1] = sf_addr_v4(0xcb007103, 7272);
    world.ends[1].alias_count = 2;
}

static uint64_t
bytes_to(const struct sf_addr *addr)
{
    const struct world_address *address = world_address(&world, addr);

    return address == NULL ? 0 : address->out_bytes;
}

static void
test_one_of_three_answers(void)
{
    uint64_t first, second;

    start(140);
    add_aliases();
    world.ends[1].has_endpoint[0] = false; /* it waits to be called */
    open_both();
    world_offer(&world, 0, 1, 0, 40, 65536);
    /* Two repetitions of the opener later it is found; 1.1 s of line for 2.6 MB. */
    CHECK(world_deliver(&world, 0, 0, 2 * SF_SEC));
    first = bytes_to(&world.ends[1].aliases[0]);
    second = bytes_to(&world.ends[1].aliases[1]);
    CHECK(first > 0 && second > 0);
    /* It is kept: the others get nothing more. */
    world_offer(&world, 0, 1, 1, 100, 65536);
    CHECK(world_deliver(&world, 0, 1, 5 * SF_SEC));
    world_run(&world, 300 * SF_SEC);
    CHECK_EQ(bytes_to(&world.ends[1].aliases[0]), first);
    CHECK_EQ(bytes_to(&world.ends[1].aliases[1]), second);
    CHECK_EQ(world.ends[0].addresses, 0); /* nothing had to be proven */
    finish();
}

/* It calls from one of the places itself: nothing has to be tried. */
static void
test_one_of_three_calls(void)
{
    start(143);
    add_aliases();
    open_both();
    world_offer(&world, 0, 1, 0, 40, 65536);
    CHECK(world_deliver(&world, 0, 0, 1300 * SF_MS));
    CHECK_EQ(bytes_to(&world.ends[1].aliases[1]), 0);
    finish();
}

static void
test_none_of_three_answers(void)
{
    struct end *end = &world.ends[1];
    uint64_t before[3];

    start(141);
    add_aliases();
    world_open(&world, 0);
    world_offer(&world, 0, 1, 0, 1000, 65536);
    world_run(&world, 10 * SF_SEC);
    /* The unanswered budget is that of the peer: all three together get no more than one would. */
    before[0] = bytes_to(&end->aliases[0]);
    before[1] = bytes_to(&end->aliases[1]);
    before[2] = bytes_to(&end->addr);
    CHECK(before[0] > 0 && before[1] > 0 && before[2] > 0);
    CHECK(before[0] + before[1] + before[2] < 2500000 * 21 / 10 + 40 * 1200);
    /* Then each gets its turn with beacons: one in four seconds. */
    world_run(&world, 240 * SF_SEC);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t more = bytes_to(i < 2 ? &end->aliases[i] : &end->addr) - before[i];

        CHECK(more >= 10 * 1200 && more <= 30 * 1200);
    }
    world_open(&world, 1);
    CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
    finish();
}

static void
test_endpoint_dies(void)
{
    struct sf_addr home;
    uint64_t kept;

    start(142);
    add_aliases();
    home = world.ends[1].addr;
    open_both();
    world_offer(&world, 0, 1, 0, 1000, 65536);
    world_run(&world, 3 * SF_SEC);
    kept = world_kept(&world, 0, 0, 1);
    CHECK(kept > 50);
    /* That way is gone; another that the operator named works. */
    world.ends[1].addr = world.ends[1].aliases[0];
    world.ends[1].has_endpoint[0] = false; /* and it cannot call by itself */
    world.ends[1].forged = home;           /* what is under way comes from where it was */
    world_run(&world, SF_MS);
    world.ends[1].forged.port = 0;
    CHECK(world_deliver(&world, 0, 0, 45 * SF_SEC));
    CHECK_EQ(world.ends[0].addresses, 0);
    finish();
}

static void
test_no_return(void)
{
    start(140);
    world.ends[0].no_return[1] = true;
    world.ends[1].has_endpoint[0] = false;
    world.channels[1].is_dark = true;
    open_both();
    world_offer(&world, 0, 1, 0, 1000, 65536);
    world_run(&world, 40 * SF_SEC);
    CHECK_EQ(world_kept(&world, 0, 0, 1), 1000);
    CHECK(world.ends[0].out[0].is_received); /* all of it was sent once */
    CHECK(world.ends[1].epochs >= 2);
    /* Through it the learnt address got no more than it sent. */
    CHECK(world.sent_bytes[1] <= world.sent_bytes[0]);
    CHECK_EQ(world.sent_large[1], 0);
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[0].handle);
    world_run(&world, 100 * SF_SEC);
    CHECK_EQ(sf_link_deadline(world.ends[0].link), SF_NEVER);
    finish();
}

static void
test_no_return_joins_late(void)
{
    start(141);
    world.ends[0].no_return[1] = true;
    world.ends[1].has_endpoint[0] = false;
    world_open(&world, 0);
    world_offer(&world, 0, 1, 0, 2000, 65536);
    world_run(&world, 15 * SF_SEC);
    world_open(&world, 1);
    world_run(&world, 20 * SF_SEC);
    /* It waits for an opener, at most a second or so; of 57 datagrams 7 are repair. */
    CHECK(world_kept(&world, 0, 0, 1) > 570);
    finish();
}

CHECK_MAIN("link address", {"a peer that alone can call is reached", test_one_side_calls},
    {"a learnt path is kept alive, and only that", test_keepalive},
    {"idle engines are silent for ever", test_idle},
    {"without an address nothing is sent", test_never_called},
    {"a NAT that rebinds again and again", test_rebinding},
    {"a NAT that rebinds under a receiver", test_rebinding_receiver},
    {"a restart forgets learnt addresses, and the peer calls again", test_ground_restart},
    {"a forged source gets at most what it sent", test_forged_source},
    {"copies from elsewhere do not move the bulk", test_bulk_is_not_stolen},
    {"an authorised address gets two seconds of bulk unanswered", test_unanswered_budget},
    {"of three endpoints the one that answers is found and kept", test_one_of_three_answers},
    {"of three endpoints the one that calls is used at once", test_one_of_three_calls},
    {"three endpoints that do not answer get what one would", test_none_of_three_answers},
    {"where an endpoint dies in mid-transfer another takes its place", test_endpoint_dies},
    {"a path without return", test_no_return},
    {"a receiver without return may come late", test_no_return_joins_late})
