/*
 * test_link.c - two engines and a bad path between them: what is offered
 * arrives, whatever the path does and whichever end restarts.
 */
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static struct world world;

#define ENGINE_START (1000 * SF_SEC) /* virtual time of world_init() */

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
set_path(uint32_t loss_ppm, uint32_t dup_ppm, uint64_t jitter_ns)
{
    for (unsigned i = 0; i < 2; i++) {
        world.channels[i].loss_ppm = loss_ppm;
        world.channels[i].dup_ppm = dup_ppm;
        world.channels[i].jitter_ns = jitter_ns;
    }
}

static void
set_dark(bool is_dark)
{
    world.channels[0].is_dark = is_dark;
    world.channels[1].is_dark = is_dark;
}

static void
finish(void)
{
    CHECK_EQ(world.ends[0].wrong_bytes + world.ends[1].wrong_bytes, 0);
    CHECK(world.idle_calls < 50);
    world_fini(&world);
}

/* --- Paths ----------------------------------------------------------------------- */

static void
test_clean(void)
{
    struct sf_link_peer_stats stats;

    start(1);
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    CHECK_EQ(world_kept(&world, 0, 0, 1), 20);
    /* 1.3 MB at 20 Mbit/s are 540 ms, and a round trip is 40. */
    CHECK(world.now - ENGINE_START < 650 * SF_MS);
    world_peer_stats(&world, 0, 1, &stats);
    CHECK_EQ(stats.state, SF_LINK_STATE_UP);
    CHECK_EQ(stats.data_bytes_out, 20 * 65536);
    CHECK_EQ(stats.resent_bytes_out, 0);
    CHECK(stats.rtt_ns >= 40 * SF_MS && stats.rtt_ns < 60 * SF_MS);
    world_peer_stats(&world, 1, 0, &stats);
    CHECK_EQ(stats.data_bytes_in, 20 * 65536);
    finish();
}

static void
test_first_byte(void)
{
    start(2);
    open_both();
    world_offer(&world, 0, 1, 0, 1, 1024);
    world_run(&world, 21 * SF_MS);
    /* One way and no handshake before it. */
    CHECK_EQ(world_kept(&world, 0, 0, 1), 1);
    finish();
}

static void
test_loss(void)
{
    struct sf_link_peer_stats stats;

    for (uint64_t seed = 10; seed < 16; seed++) {
        start(seed);
        set_path((uint32_t)(seed - 10) * 60000, 20000, 0);
        open_both();
        world_offer(&world, 0, 1, 0, 40, 65536);
        CHECK(world_deliver(&world, 0, 0, 30 * SF_SEC));
        CHECK_EQ(world_kept(&world, 0, 0, 1), 40);
        world_peer_stats(&world, 0, 1, &stats);
        /* What is lost goes again, and little else. */
        CHECK(stats.data_bytes_out * (1000 - (seed - 10) * 60) / 1000 < 40 * 65536 * 11 / 10);
        finish();
    }
}

static void
test_reorder(void)
{
    struct sf_link_peer_stats stats;

    start(20);
    set_path(0, 50000, 30 * SF_MS);
    open_both();
    world_offer(&world, 0, 1, 0, 40, 65536);
    CHECK(world_deliver(&world, 0, 0, 30 * SF_SEC));
    world_peer_stats(&world, 0, 1, &stats);
    CHECK(stats.resent_bytes_out < stats.data_bytes_out / 2);
    finish();
}

static void
test_corruption(void)
{
    struct sf_link_stats stats;

    start(21);
    world.channels[0].corrupt_ppm = 100000;
    world.channels[1].corrupt_ppm = 100000;
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    CHECK(world_deliver(&world, 0, 0, 30 * SF_SEC));
    sf_link_stats(world.ends[1].link, &stats);
    CHECK(stats.dropped_auth > 50);
    finish();
}

static void
test_all_at_once(void)
{
    for (uint64_t seed = 30; seed < 40; seed++) {
        start(seed);
        set_path(200000, 50000, 100 * SF_MS);
        world.channels[0].corrupt_ppm = 10000;
        world.ends[1].durable_ns = 30 * SF_MS;
        open_both();
        world_offer(&world, 0, 1, 0, 16, 65536);
        world_offer(&world, 0, 1, 1, 1, 4096);
        world_offer(&world, 1, 0, 0, 100, 16384);
        CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
        CHECK(world_deliver(&world, 0, 1, 60 * SF_SEC));
        CHECK(world_deliver(&world, 1, 0, 60 * SF_SEC));
        finish();
    }
}

static void
test_priority(void)
{
    start(41);
    open_both();
    world_offer(&world, 0, 1, 5, 100, 65536);
    world_run(&world, 500 * SF_MS);
    world_offer(&world, 0, 1, 0, 2, 4096);
    CHECK(world_deliver(&world, 0, 0, 200 * SF_MS));
    CHECK(!world.ends[0].out[5].is_received);
    CHECK(world_deliver(&world, 0, 5, 10 * SF_SEC));
    finish();
}

static void
test_rate(void)
{
    uint64_t before, sent;

    start(42);
    world.ends[0].rate_bps = 5000000;
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    before = world.sent_bytes[0] + world.sent_dgrams[0] * 28;
    world_run(&world, 4 * SF_SEC);
    sent = world.sent_bytes[0] + world.sent_dgrams[0] * 28 - before;
    /* Four seconds at 5 Mbit/s, within one per cent. */
    CHECK(sent > 2475000 && sent < 2525000);
    finish();
}

static void
test_two_peers(void)
{
    world_init(&world, 47, 3);
    for (unsigned i = 0; i < 3; i++) {
        world_open(&world, i);
    }
    world_offer(&world, 0, 1, 0, 40, 65536);
    world_offer(&world, 0, 2, 1, 40, 65536);
    world_offer(&world, 2, 1, 0, 40, 65536);
    /* 2.6 MB at 20 Mbit/s each, side by side. */
    CHECK(world_deliver(&world, 0, 0, 1300 * SF_MS));
    CHECK(world_deliver(&world, 0, 1, 50 * SF_MS));
    CHECK(world_deliver(&world, 2, 0, 50 * SF_MS));
    CHECK_EQ(world_kept(&world, 0, 1, 2), 40);
    finish();
}

static void
test_slow(void)
{
    start(43);
    world.ends[0].rate_bps = world.ends[1].rate_bps = 9600;
    open_both();
    world_offer(&world, 0, 1, 0, 1, 16384);
    CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
    finish();
}

static void
test_asymmetry(void)
{
    start(44);
    world.ends[0].rate_bps = 20000000;
    world.ends[1].rate_bps = 20000;
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    CHECK(world_deliver(&world, 0, 0, 6 * SF_SEC));
    CHECK(world.sent_bytes[1] * 500 < world.sent_bytes[0]);
    finish();
}

static void
test_mtu(void)
{
    start(45);
    world.ends[0].mtu = 1280;
    world.ends[1].mtu = 9000;
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    world_offer(&world, 1, 0, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    CHECK(world_deliver(&world, 1, 0, 10 * SF_SEC));
    /* Each end keeps to its own. */
    CHECK(world.sent_bytes[1] / world.sent_dgrams[1] > 2000);
    CHECK(world.sent_bytes[0] / world.sent_dgrams[0] <= 1252);
    finish();
}

static void
test_spill(void)
{
    start(46);
    world.ends[1].pool_bytes = 8 << 20;
    set_path(300000, 0, 0);
    open_both();
    world_offer(&world, 0, 1, 0, 6, 4 << 20);
    CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
    finish();
}

/* --- Long paths -------------------------------------------------------------------- */

static void
set_delay(uint64_t delay_ns, bool is_known)
{
    for (unsigned i = 0; i < 2; i++) {
        world.channels[i].delay_ns = delay_ns;
        world.ends[i].rtt_ns[1 - i] = is_known ? 2 * delay_ns : 0;
    }
}

static void
test_geostationary(void)
{
    start(50);
    set_delay(300 * SF_MS, false);
    set_path(20000, 0, 0);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    CHECK(world_deliver(&world, 0, 0, 8 * SF_SEC));
    finish();
}

static void
test_mars(void)
{
    sf_mono began;

    start(51);
    set_delay(22 * 60 * SF_SEC, true);
    set_path(50000, 0, 0);
    open_both();
    world_offer(&world, 0, 1, 0, 50, 65536);
    began = world.now;
    CHECK(world_deliver(&world, 0, 0, 6 * 3600 * SF_SEC));
    /* One way, and a round trip for each time something was lost again. */
    CHECK(world.now - began < 5 * 44 * 60 * SF_SEC);
    finish();
}

static void
test_unknown_round_trip(void)
{
    start(52);
    set_delay(30 * SF_SEC, false); /* and nobody said so */
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    CHECK(world_deliver(&world, 0, 0, 1200 * SF_SEC));
    finish();
}

/* --- Outages ------------------------------------------------------------------------- */

static void
test_outage(void)
{
    struct sf_link_peer_stats stats;
    uint64_t before;
    sf_mono light;

    start(60);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    set_dark(true);
    world_run(&world, 10 * SF_SEC);
    world_peer_stats(&world, 0, 1, &stats);
    CHECK_EQ(stats.state, SF_LINK_STATE_DARK);
    CHECK_EQ(world.ends[0].downs, 1);
    before = world.sent_bytes[0];
    world_run(&world, 590 * SF_SEC);
    /* In the dark only beacons: one in four seconds, every other one an opener. */
    CHECK(world.sent_bytes[0] - before < 590 / 4 * 800);
    CHECK(world.sent_bytes[0] - before > 590 / 4 * 300);
    set_dark(false);
    light = world.now;
    CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
    /* 4.3 MB are left at the most: two seconds, after at most one beacon. */
    CHECK(world.now - light < 7 * SF_SEC);
    world_peer_stats(&world, 0, 1, &stats);
    CHECK_EQ(stats.state, SF_LINK_STATE_UP);
    CHECK_EQ(world.ends[0].ups, 2);
    finish();
}

/* Work that comes after a call was answered on the fallback alone, or not at all. */
static void
test_work_later(void)
{
    for (uint64_t deaf = 0; deaf < 4 * SF_SEC; deaf += 150 * SF_MS) {
        start(63);
        world.channels[0].is_dark = true;
        open_both();
        world_run(&world, deaf);
        world.channels[0].is_dark = false;
        world_run(&world, 20 * SF_SEC);
        world_offer(&world, 0, 1, 0, 20, 65536);
        CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
        finish();
    }
}

static void
test_contact(void)
{
    sf_mono light;

    start(61);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    set_dark(true);
    world_run(&world, 86400 * SF_SEC);
    set_dark(false);
    light = world.now;
    CHECK_EQ(sf_link_contact(world.ends[0].link, 1), SF_OK);
    CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
    /* The plan said so: no beacon is waited for. */
    CHECK(world.now - light < 2500 * SF_MS);
    CHECK_EQ(sf_link_contact(world.ends[0].link, 7), SF_ENOENT);
    finish();
}

static void
test_many_outages(void)
{
    for (uint64_t seed = 62; seed < 66; seed++) {
        uint64_t dark = 0;

        start(seed);
        set_path(50000, 10000, 5 * SF_MS);
        open_both();
        world_offer(&world, 0, 1, 0, 60, 262144);
        while (!world.ends[0].out[0].is_received && dark < 100) {
            world_run(&world, 200 * SF_MS + sf_prng_below(&world.prng, 6 * SF_SEC));
            set_dark(true);
            world_run(&world, sf_prng_below(&world.prng, 70 * SF_SEC));
            set_dark(false);
            dark++;
        }
        CHECK(world.ends[0].out[0].is_received);
        CHECK(dark < 30);
        finish();
    }
}

static void
test_one_direction_dark(void)
{
    start(67);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    world.channels[1].is_dark = true;
    world_run(&world, 20 * SF_SEC);
    /* Nothing was heard: full rate for two seconds, then beacons. */
    CHECK(world.sent_bytes[0] < 20000000 / 8 * 4);
    world.channels[1].is_dark = false;
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    finish();
}

/* --- Restarts ---------------------------------------------------------------------------- */

static void
test_receiver_restart(void)
{
    start(70);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    world_close(&world, 1);
    world_run(&world, 300 * SF_MS);
    world_open(&world, 1);
    CHECK(world_deliver(&world, 0, 0, 12 * SF_SEC));
    CHECK_EQ(world_kept(&world, 0, 0, 1), 100);
    finish();
}

/* It waits to be called, so it cannot say that it lost the session. */
static void
test_receiver_restart_unnoticed(void)
{
    struct sf_link_peer_stats stats;

    for (uint64_t delay = SF_MS; delay < 500 * SF_MS; delay += 100 * SF_MS) {
        uint64_t rate = 20000000 / 8;
        uint64_t sent;
        sf_mono gone;

        start(70);
        world.channels[0].delay_ns = world.channels[1].delay_ns = delay;
        world.ends[1].has_endpoint[0] = false;
        open_both();
        world_offer(&world, 0, 1, 0, 300, 65536);
        world_run(&world, 4 * SF_SEC);
        world_close(&world, 1);
        gone = world.now;
        world_run(&world, 50 * SF_MS);
        world_open(&world, 1);
        CHECK(world_deliver(&world, 0, 0, 30 * SF_SEC));
        CHECK_EQ(world_kept(&world, 0, 0, 1), 300);
        world_peer_stats(&world, 0, 1, &stats);
        /* Half a second and a round trip at the rate, and two bundles. */
        sent = rate / 2 + rate * 2 * delay / SF_SEC + 2 * 65536;
        CHECK(stats.resent_bytes_out <= sent);
        CHECK(world.now - gone < 12 * SF_SEC);
        finish();
    }
}

static void
test_receiver_restart_later(void)
{
    start(71);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    world_close(&world, 1);
    world_run(&world, 3600 * SF_SEC);
    world_open(&world, 1);
    CHECK(world_deliver(&world, 0, 0, 12 * SF_SEC));
    finish();
}

static void
test_sender_restart(void)
{
    struct sf_link_peer_stats stats;
    uint64_t kept;

    start(72);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    kept = world_kept(&world, 0, 0, 1);
    CHECK(kept > 20);
    world_close(&world, 0);
    world_run(&world, 5 * SF_SEC);
    world_open(&world, 0);
    world_offer_again(&world, 0, 1, 0);
    CHECK(world_deliver(&world, 0, 0, 12 * SF_SEC));
    CHECK(world.ends[0].out[0].is_mapped);
    world_peer_stats(&world, 0, 1, &stats);
    /* It asked first: no bundle that was held is sent again. */
    CHECK(stats.data_bytes_out <= (100 - kept) * 65536);
    finish();
}

static void
test_both_restart(void)
{
    /* The later ones once ended with two ends that did not understand each other any more. */
    static const uint64_t seeds[] = {73, 74, 75, 76, 77, 87, 132, 137, 240};

    for (size_t s = 0; s < sizeof(seeds) / sizeof(seeds[0]); s++) {
        start(seeds[s]);
        set_path(100000, 10000, 10 * SF_MS);
        world.ends[0].durable_ns = world.ends[1].durable_ns = 20 * SF_MS;
        open_both();
        world_offer(&world, 0, 1, 0, 64, 262144);
        for (unsigned i = 0; i < 10; i++) {
            unsigned end = (unsigned)sf_prng_below(&world.prng, 2);

            world_run(&world, sf_prng_below(&world.prng, 2 * SF_SEC));
            world_close(&world, end);
            world_run(&world, sf_prng_below(&world.prng, 3 * SF_SEC));
            world_open(&world, end);
            if (end == 0) {
                world_offer_again(&world, 0, 1, 0);
            }
        }
        CHECK(world_deliver(&world, 0, 0, 60 * SF_SEC));
        finish();
    }
}

static void
test_late_answer(void)
{
    start(79);
    world_open(&world, 0);
    world_offer(&world, 0, 1, 0, 50, 65536);
    world_run(&world, 600 * SF_SEC); /* there is nobody yet */
    world_open(&world, 1);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    finish();
}

/* --- Objects at the public face ------------------------------------------------------------ */

static void
test_decline(void)
{
    start(80);
    world.ends[1].declines = true;
    open_both();
    world_offer(&world, 0, 1, 0, 50, 65536);
    world_run(&world, 2 * SF_SEC);
    CHECK(world.ends[0].out[0].is_declined);
    sf_link_withdraw(world.ends[0].link, world.ends[0].out[0].handle);
    world_run(&world, 60 * SF_SEC);
    CHECK_EQ(sf_link_deadline(world.ends[0].link), SF_NEVER);
    finish();
}

static void
test_withdraw(void)
{
    uint32_t handle;

    start(81);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    handle = world.ends[0].out[0].handle;
    sf_link_withdraw(world.ends[0].link, handle);
    sf_link_withdraw(world.ends[0].link, handle);
    CHECK_EQ(sf_link_ready(world.ends[0].link, handle, 0, 1), SF_ENOENT);
    CHECK(sf_link_peer_has(world.ends[0].link, handle) == NULL);
    world_run(&world, 2 * SF_SEC);
    CHECK_EQ(world.ends[1].gone, 1);
    finish();
}

static void
test_handles(void)
{
    struct sf_link_object object = {
        .kind = 2, .count = 1, .is_count_final = true, .class_bytes = 1024, .ready = 0};
    uint32_t first = 0, handle = 0;

    start(82);
    open_both();
    CHECK_EQ(sf_link_offer(world.ends[0].link, 5, &object, &handle), SF_ENOENT);
    CHECK_EQ(sf_link_offer(world.ends[0].link, 1, &object, &first), SF_OK);
    CHECK_EQ(sf_link_offer(world.ends[0].link, 1, &object, &handle), SF_EEXIST);
    for (unsigned i = 0; i < 40000; i++) {
        sf_put_be32(object.transfer.b, i + 1);
        CHECK_EQ(sf_link_offer(world.ends[0].link, 1, &object, &handle), SF_OK);
        CHECK(handle != first);
        sf_link_withdraw(world.ends[0].link, handle);
    }
    for (unsigned i = 1; i < SF_LINK_OBJECTS_MAX; i++) {
        sf_put_be32(object.transfer.b, i + 1);
        CHECK_EQ(sf_link_offer(world.ends[0].link, 1, &object, &handle), SF_OK);
    }
    sf_put_be32(object.transfer.b, 9999);
    CHECK_EQ(sf_link_offer(world.ends[0].link, 1, &object, &handle), SF_ELIMIT);
    world_fini(&world);
}

static void
test_peer_limits(void)
{
    struct sf_link_peer peer = {.rate_bps = 1000000};
    struct sf_link *link;

    start(83);
    world_open(&world, 0);
    link = world.ends[0].link;
    memset(peer.fingerprint.b, 9, 32);
    memset(peer.static_pk, 9, 32);
    CHECK_EQ(sf_link_peer_set(link, SF_LINK_PEERS_MAX, &peer), SF_EINVAL);
    peer.rate_bps = SF_LINK_RATE_BPS_MIN - 1;
    CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_EINVAL);
    peer.rate_bps = 1000000;
    CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_OK);
    CHECK_EQ(sf_link_peer_set(link, 6, &peer), SF_EEXIST);
    peer.no_return = true;
    CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_EINVAL);
    peer.no_return = false;
    peer.fingerprint.b[0] = 1;
    CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_EINVAL);
    sf_link_peer_remove(link, 5);
    sf_link_peer_remove(link, 5);
    sf_link_peer_remove(link, 500);
    CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_OK);
    world_fini(&world);
}

/* A peer whose keys are others now is called at once, whenever the next call was to be. */
static void
test_new_keys_call(void)
{
    struct sf_link_peer peer = {.rate_bps = 1000000, .has_endpoint = true};
    uint8_t *const keys[] = {peer.psk, peer.static_pk, peer.prekey_pk};
    const uint8_t another[32] = {9}; /* the base point: a key as any other */
    struct sf_link *link;

    start(85);
    world_open(&world, 0);
    link = world.ends[0].link;
    peer.endpoint = sf_addr_v4(0x0a000009, 7000);
    world_authorise(&world, &peer.endpoint);
    memset(peer.fingerprint.b, 9, 32);
    memcpy(peer.static_pk, world.ends[0].static_pk, 32);
    memcpy(peer.prekey_pk, world.ends[0].static_pk, 32);
    CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_OK);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        world_run(&world, 3600 * SF_SEC);
        CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_OK);
        CHECK(sf_link_deadline(link) > world.now); /* as before */
        memcpy(keys[i], another, 32);
        CHECK_EQ(sf_link_peer_set(link, 5, &peer), SF_OK);
        CHECK(sf_link_deadline(link) <= world.now);
    }
    world_fini(&world);
}

static void
test_remove_running(void)
{
    start(84);
    world.ends[1].durable_ns = 50 * SF_MS;
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, 40 * SF_MS); /* the opener is held back */
    sf_link_peer_remove(world.ends[1].link, 0);
    world_run(&world, 300 * SF_MS);
    world_set_peer(&world, 1, 0);
    CHECK(world_deliver(&world, 0, 0, 12 * SF_SEC));
    world.ends[0].out[0].lent = 0;
    sf_link_peer_remove(world.ends[0].link, 1);
    world_run(&world, 5 * SF_SEC);
    CHECK_EQ(sf_link_deadline(world.ends[0].link), SF_NEVER);
    finish();
}

CHECK_MAIN("link", {"an object crosses a clean path at the rate of the line", test_clean},
    {"data flies with the opener, before any answer", test_first_byte},
    {"loss from 0 to 30 per cent is repaired at its own price", test_loss},
    {"reordering and copies do no harm", test_reorder},
    {"a tenth of the datagrams damaged is a tenth lost", test_corruption},
    {"loss, copies, reordering and damage both ways at once", test_all_at_once},
    {"what is more urgent overtakes", test_priority}, {"the rate is held within 1 %", test_rate},
    {"two peers at once, each at its own rate", test_two_peers},
    {"a line of 9,600 bit/s", test_slow}, {"a way back of a thousandth", test_asymmetry},
    {"each end keeps to its own MTU", test_mtu},
    {"a small pool spills and loads under loss", test_spill},
    {"a geostationary path", test_geostationary}, {"to Mars", test_mars},
    {"a minute's round trip that nobody announced", test_unknown_round_trip},
    {"an outage of ten minutes leaves beacons, and ends at once", test_outage},
    {"work that comes long after a call that was not answered", test_work_later},
    {"a day in the dark, ended by the contact plan", test_contact},
    {"outages of any length at any moment", test_many_outages},
    {"without answers the budget ends the sending", test_one_direction_dark},
    {"the receiver restarts", test_receiver_restart},
    {"what goes to a receiver that is gone has a bound", test_receiver_restart_unnoticed},
    {"the receiver comes back after an hour", test_receiver_restart_later},
    {"the sender restarts, asks for the map, and sends what is missing", test_sender_restart},
    {"both ends restart again and again", test_both_restart},
    {"a receiver that starts ten minutes later", test_late_answer},
    {"an object that is not wanted", test_decline}, {"an object taken back", test_withdraw},
    {"handles go round and skip those in use", test_handles},
    {"peers outside the limits are refused", test_peer_limits},
    {"a peer is removed while it sends", test_remove_running},
    {"a peer whose keys are new is called at once", test_new_keys_call})
