/*
 * test_link_guard.c - who gets an answer: sessions, keys, epochs and addresses
 * between engines, and silence to everybody else.
 */
#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

#include "base/crypto.h"
#include "link/core.h"

#include <malloc.h>

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

static bool
is_opener(const struct packet *packet)
{
    return packet->bytes == SF_OPENER_BYTES && sf_get_be32(packet->data) == 0;
}

/* The first opener on the tape that end `from` sent; NULL if there is none. */
static const struct packet *
taped_opener(unsigned from)
{
    for (size_t i = 0; i < world.tape_count; i++) {
        if (is_opener(&world.tape[i]) &&
            sf_addr_equal(&world.tape[i].from, &world.ends[from].addr)) {
            return &world.tape[i];
        }
    }
    return NULL;
}

static unsigned
openers_on_tape(unsigned from)
{
    unsigned count = 0;

    for (size_t i = 0; i < world.tape_count; i++) {
        count +=
            is_opener(&world.tape[i]) && sf_addr_equal(&world.tape[i].from, &world.ends[from].addr)
                ? 1
                : 0;
    }
    return count;
}

static struct sf_link_stats
stats_of(unsigned end)
{
    struct sf_link_stats stats;

    sf_link_stats(world.ends[end].link, &stats);
    return stats;
}

/* --- Silence --------------------------------------------------------------------------- */

static void
test_junk(void)
{
    uint8_t junk[1400];
    uint64_t sent;
    size_t memory;

    start(100);
    open_both();
    world_run(&world, 5 * SF_SEC);
    sent = world.sent_bytes[1];
    memory = mallinfo2().uordblks;
    for (unsigned i = 0; i < 100000; i++) {
        size_t bytes = sf_prng_below(&world.prng, sizeof(junk) + 1);

        sf_prng_fill(&world.prng, junk, bytes);
        if (i % 3 == 0 && bytes >= 12) {
            memset(junk, 0, 4);
            junk[4] = junk[5] = 1;
            junk[6] = junk[7] = 0;
            bytes = i % 2 == 0 ? SF_OPENER_BYTES : bytes;
        }
        sf_link_input(world.ends[1].link, stranger(), junk, bytes, world.now);
    }
    world_pump(&world, 1);
    CHECK_EQ(mallinfo2().uordblks, memory);
    CHECK_EQ(world.sent_bytes[1], sent);
    world_run(&world, 20 * SF_SEC);
    CHECK_EQ(world_address(&world, stranger())->out_bytes, 0);
    CHECK_EQ(world.sent_bytes[1], sent);
    CHECK_EQ(stats_of(1).dgrams_dropped, 100000);
    finish();
}

static void
test_wrong_mac(void)
{
    uint8_t dgram[SF_OPENER_BYTES];
    struct sf_link_stats before;

    start(101);
    world.is_taping = true;
    world_open(&world, 0);
    world_run(&world, SF_SEC);
    world_open(&world, 1);
    before = stats_of(1);
    memcpy(dgram, taped_opener(0)->data, sizeof(dgram));
    dgram[SF_OPENER_BYTES - 1] ^= 1;
    world_inject(&world, 1, stranger(), dgram, sizeof(dgram));
    CHECK_EQ(stats_of(1).dropped_auth, before.dropped_auth + 1);
    CHECK_EQ(world_address(&world, stranger())->out_bytes, 0);
    CHECK_EQ(world.ends[1].epochs, 0);
    finish();
}

static void
test_unknown_node(void)
{
    world_init(&world, 102, 3);
    world.is_taping = true;
    for (unsigned i = 0; i < 3; i++) {
        world_open(&world, i);
    }
    sf_link_peer_remove(world.ends[1].link, 2);
    world_offer(&world, 2, 1, 0, 10, 65536);
    world_run(&world, 30 * SF_SEC);
    /* It has the card and good keys, but the operator does not know it. */
    CHECK_EQ(world_kept(&world, 2, 0, 1), 0);
    CHECK_EQ(world_address(&world, &world.ends[2].addr)->in_bytes > 0, 1);
    for (size_t i = 0; i < world.tape_count; i++) {
        CHECK(!(sf_addr_equal(&world.tape[i].from, &world.ends[1].addr) &&
                sf_addr_equal(&world.tape[i].to, &world.ends[2].addr)));
    }
    world_fini(&world);
}

static void
test_unknown_id(void)
{
    struct sf_link_stats before;
    uint64_t sent;

    start(103);
    world.is_taping = true;
    open_both();
    world_offer(&world, 0, 1, 0, 2, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    world_run(&world, 5 * SF_SEC);
    world_close(&world, 1);
    world_open(&world, 1); /* its sessions are gone */
    world.channels[0].is_dark = true;
    world_run(&world, 5 * SF_SEC);
    before = stats_of(1);
    sent = world.sent_dgrams[1];
    for (size_t i = 0; i < world.tape_count; i++) {
        if (!is_opener(&world.tape[i]) && sf_addr_equal(&world.tape[i].from, &world.ends[0].addr)) {
            world_inject(&world, 1, stranger(), world.tape[i].data, world.tape[i].bytes);
        }
    }
    CHECK(stats_of(1).dropped_auth > before.dropped_auth + 50);
    CHECK_EQ(world.sent_dgrams[1], sent);
    CHECK_EQ(world_address(&world, stranger())->out_bytes, 0);
    finish();
}

static void
test_replayed_datagrams(void)
{
    struct sf_link_peer_stats stats;
    uint64_t sent;

    start(104);
    world.is_taping = true;
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    world_run(&world, 5 * SF_SEC);
    sent = world.sent_dgrams[1];
    for (size_t i = 0; i < world.tape_count; i++) {
        world_inject(&world, 1, stranger(), world.tape[i].data, world.tape[i].bytes);
    }
    CHECK_EQ(world.sent_dgrams[1], sent);
    CHECK_EQ(world_address(&world, stranger())->out_bytes, 0);
    CHECK(stats_of(1).dropped_replay > 100);
    world_peer_stats(&world, 1, 0, &stats);
    CHECK(sf_addr_equal(&stats.addr, &world.ends[0].addr));
    finish();
}

/* Replayed openers: of this boot, and after a restart, when only the epoch is remembered. */
static void
test_replayed_opener(void)
{
    uint64_t sent;

    start(105);
    world.is_taping = true;
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    world_run(&world, 5 * SF_SEC);
    sent = world.sent_dgrams[1];
    CHECK(taped_opener(0) != NULL);
    world_inject(&world, 1, stranger(), taped_opener(0)->data, SF_OPENER_BYTES);
    world_run(&world, 3 * SF_SEC);
    CHECK_EQ(world.sent_dgrams[1], sent);
    world_close(&world, 1);
    world_open(&world, 1);
    world.channels[0].is_dark = true;
    world_run(&world, 10 * SF_SEC);
    CHECK_EQ(world.ends[1].epochs, 1);
    world_inject(&world, 1, stranger(), taped_opener(0)->data, SF_OPENER_BYTES);
    world_run(&world, 3 * SF_SEC);
    CHECK_EQ(world.ends[1].epochs, 1); /* no new session came of it */
    CHECK_EQ(world_address(&world, stranger())->out_bytes, 0);
    finish();
}

static void
test_identical_opener(void)
{
    struct sf_link_stats before;

    start(106);
    world.is_taping = true;
    open_both();
    world_offer(&world, 0, 1, 0, 200, 65536);
    world_run(&world, SF_SEC);
    before = stats_of(1);
    for (unsigned i = 0; i < 100; i++) {
        world_inject(&world, 1, &world.ends[0].addr, taped_opener(0)->data, SF_OPENER_BYTES);
    }
    /* The window stands: what was received in the session is still known as a copy. */
    for (size_t i = 0; i < world.tape_count; i++) {
        if (world.tape[i].at + SF_SEC / 2 < world.now &&
            sf_addr_equal(&world.tape[i].from, &world.ends[0].addr)) {
            world_inject(&world, 1, &world.ends[0].addr, world.tape[i].data, world.tape[i].bytes);
        }
    }
    CHECK_EQ(stats_of(1).dropped_auth, before.dropped_auth);
    CHECK(stats_of(1).dropped_replay >= before.dropped_replay + 500);
    /* They cost no public-key operation: not even a token was asked for. */
    CHECK_EQ(stats_of(1).dropped_flood, before.dropped_flood);
    CHECK_EQ(world.ends[1].epochs, 1);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    finish();
}

/* --- Floods ------------------------------------------------------------------------------ */

/* Openers with a good mac from somebody who has seen the card, but is no peer. */
static void
make_foreign_opener(uint32_t number, uint8_t dgram[SF_OPENER_BYTES])
{
    const struct end *to = &world.ends[1];
    uint8_t static_sk[32], static_pk[32], ephemeral[32], prekey_pk[32], psk[32] = {0}, key[32];
    struct sf_opener_clear clear = {.key = SF_OPENER_TO_STATIC};
    struct sf_opener_payload payload = {.epoch = number + 1, .session_id = number + 1, .life = {7}};
    struct sf_noise_shared shared = {0};
    struct sf_hmac mac_key;
    struct sf_opener_keys keys = {.static_sk = static_sk,
        .static_pk = static_pk,
        .ephemeral_sk = ephemeral,
        .remote_pk = prekey_pk,
        .psk = psk,
        .receiver = &to->fingerprint,
        .mac_key = &mac_key,
        .shared = &shared};

    memset(static_sk, 0x55, 32);
    sf_x25519_public(static_pk, static_sk);
    sf_prng_fill(&world.prng, ephemeral, 32);
    memcpy(prekey_pk, to->static_pk, 32);
    sf_opener_mac_init(&mac_key, to->hint_key);
    REQUIRE_EQ(sf_opener_encode(&keys, &clear, &payload, dgram, key), SF_OK);
}

static void
test_flood(void)
{
    struct sf_link_stats before;
    uint8_t dgram[SF_OPENER_BYTES];
    uint64_t sent = 0;

    start(107);
    open_both();
    world_offer(&world, 0, 1, 0, 100, 65536);
    world_run(&world, SF_SEC);
    before = stats_of(1);
    for (uint32_t i = 0; i < 2000; i++) {
        struct sf_addr from = sf_addr_v4(0xc6000000 + (i / 40) * 256, (uint16_t)i);

        make_foreign_opener(i, dgram);
        sf_link_input(world.ends[1].link, &from, dgram, sizeof(dgram), world.now);
        world_pump(&world, 1);
        sent += world_address(&world, &from)->out_bytes;
    }
    /* Fifty prefixes of 20 openers each, but 750 in all for strangers. */
    CHECK_EQ(stats_of(1).dropped_auth - before.dropped_auth, 750);
    CHECK_EQ(stats_of(1).dropped_flood - before.dropped_flood, 1250);
    CHECK_EQ(sent, 0);
    /* The peer itself comes through. */
    world_close(&world, 0);
    world_open(&world, 0);
    world_offer_again(&world, 0, 1, 0);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    finish();
}

/* --- Keys ---------------------------------------------------------------------------------- */

static void
test_psk(void)
{
    start(110);
    memset(world.ends[0].psk[1], 7, 32);
    memset(world.ends[1].psk[0], 7, 32);
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    finish();
}

static void
test_psk_differs(void)
{
    start(111);
    memset(world.ends[0].psk[1], 7, 32);
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(!world_deliver(&world, 0, 0, 60 * SF_SEC));
    CHECK_EQ(world.ends[1].epochs, 0);
    CHECK_EQ(world_kept(&world, 0, 0, 1), 0);
    /* The side that can know is told; nothing goes out for it. */
    CHECK(world.ends[1].mismatches > 0);
    /* Once both have it, it works without a restart. */
    memset(world.ends[1].psk[0], 7, 32);
    world_set_peer(&world, 1, 0);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    finish();
}

static void
test_stale_prekey(void)
{
    start(112);
    world_rotate(&world, 1, 0); /* 0 knows prekey 1, which is gone */
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    CHECK_EQ(world.ends[0].knows_prekey[1], 2);
    CHECK(world.ends[0].cards >= 1);
    finish();
}

static void
test_both_prekeys_stale(void)
{
    start(113);
    world_rotate(&world, 0, 0);
    world_rotate(&world, 1, 0);
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    world_offer(&world, 1, 0, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 15 * SF_SEC));
    CHECK(world_deliver(&world, 1, 0, 15 * SF_SEC));
    CHECK_EQ(world.ends[0].knows_prekey[1], 2);
    CHECK_EQ(world.ends[1].knows_prekey[0], 2);
    finish();
}

static void
test_both_stale_one_calls(void)
{
    start(114);
    world_rotate(&world, 0, 0);
    world_rotate(&world, 1, 0);
    world.ends[1].has_endpoint[0] = false;
    open_both();
    world_offer(&world, 1, 0, 0, 10, 65536);
    CHECK(world_deliver(&world, 1, 0, 30 * SF_SEC));
    finish();
}

static void
test_fallback_carries_no_bulk(void)
{
    struct sf_link_peer_stats stats;

    start(115);
    world_rotate(&world, 1, 0);
    world.ends[0].ignores_cards = true;
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    world_run(&world, 60 * SF_SEC);
    CHECK(world.ends[0].cards >= 1);
    CHECK_EQ(world_kept(&world, 0, 0, 1), 0);
    world_peer_stats(&world, 1, 0, &stats);
    CHECK_EQ(stats.data_bytes_in + stats.again_bytes_in, 0);
    CHECK(!world.ends[1].in[0].is_used); /* not even an announcement */
    finish();
}

static size_t
write_notice(uint8_t *out, size_t bytes_max)
{
    struct sf_object_notice notice = {.handle = 77,
        .revision = 1,
        .object = {.kind = 1, .count = 1, .is_count_final = true, .class_bytes = 1024}};
    struct sf_message_writer writer;

    sf_message_writer_init(&writer, out, bytes_max);
    CHECK(sf_object_notice_encode(&writer, &notice));
    return writer.bytes;
}

/* What an honest engine never does: announce an object on the fallback, or speak of epochs. */
static void
test_object_on_fallback(void)
{
    enum { STALE_BYTES = 1 + 4 * 8 };
    uint8_t dgram[256];
    uint64_t counter;
    struct sf_peer *peer;
    size_t bytes;

    start(117);
    open_both();
    world_run(&world, SF_SEC);
    peer = world.ends[0].link->peers[1];
    for (enum sf_out out = SF_OUT_STATIC;; out = SF_OUT_DATA) {
        if (out == SF_OUT_STATIC) {
            peer->unanswered = 1;
            sf_peer_call(world.ends[0].link, peer, world.now);
            REQUIRE(peer->out[SF_OUT_STATIC].is_open);
            world_inject(&world, 1, &world.ends[0].addr, peer->opening.dgram, SF_OPENER_BYTES);
        }
        bytes = write_notice(dgram + SF_SESSION_HEAD_BYTES, 128);
        REQUIRE_EQ(sf_session_seal(&peer->out[out], dgram, bytes, &counter), SF_OK);
        world_inject(&world, 1, &world.ends[0].addr, dgram, bytes + SF_SESSION_OVERHEAD_BYTES);
        CHECK_EQ(world.ends[1].in[0].is_used, out == SF_OUT_DATA);
        memset(dgram + SF_SESSION_HEAD_BYTES, 0, STALE_BYTES);
        dgram[SF_SESSION_HEAD_BYTES] = SF_MESSAGE_STALE;
        dgram[SF_SESSION_HEAD_BYTES + 4] = 99; /* boot 99, */
        dgram[SF_SESSION_HEAD_BYTES + 16] = 1; /* ... of that life */
        REQUIRE_EQ(sf_session_seal(&peer->out[out], dgram, STALE_BYTES, &counter), SF_OK);
        world_inject(
            &world, 1, &world.ends[0].addr, dgram, STALE_BYTES + SF_SESSION_OVERHEAD_BYTES);
        CHECK_EQ(world.ends[1].stales, out == SF_OUT_DATA);
        if (out == SF_OUT_DATA) {
            break;
        }
    }
    finish();
}

/* Nor in an opener. */
static void
test_object_in_opener(void)
{
    struct end *from = &world.ends[0];
    const struct end *to = &world.ends[1];
    struct sf_opener_clear clear = {.key = SF_OPENER_TO_STATIC};
    static struct sf_opener_payload payload;
    uint8_t ephemeral[32], dgram[SF_OPENER_BYTES], key[32];
    struct sf_hmac mac_key;
    struct sf_noise_shared shared = {0};
    struct sf_opener_keys keys = {.static_sk = from->static_sk,
        .static_pk = from->static_pk,
        .ephemeral_sk = ephemeral,
        .remote_pk = to->static_pk,
        .psk = from->psk[1],
        .receiver = &to->fingerprint,
        .mac_key = &mac_key,
        .shared = &shared};

    start(118);
    open_both();
    world_run(&world, SF_SEC);
    sf_opener_mac_init(&mac_key, to->hint_key);
    memset(ephemeral, 0x77, sizeof(ephemeral));
    memset(&payload, 0, sizeof(payload));
    payload.epoch = UINT64_C(5) << 32;
    payload.session_id = 5;
    payload.life[0] = 5;
    payload.life[4] = world.ends[1].life_seen[0]; /* of boot 1 */
    (void)write_notice(payload.messages, sizeof(payload.messages));
    REQUIRE_EQ(sf_opener_encode(&keys, &clear, &payload, dgram, key), SF_OK);
    world_inject(&world, 1, &from->addr, dgram, sizeof(dgram));
    CHECK_EQ(world.ends[1].epoch_seen[0], payload.epoch);
    CHECK(!world.ends[1].in[0].is_used);
    finish();
}

static void
test_retired_prekey_overlap(void)
{
    start(116);
    open_both();
    world_offer(&world, 0, 1, 0, 200, 65536);
    world_run(&world, SF_SEC);
    world_rotate(&world, 1, 1); /* the old one is kept: nothing stops */
    world_run(&world, SF_SEC);
    CHECK_EQ(world.ends[0].knows_prekey[1], 2);
    CHECK(world_deliver(&world, 0, 0, 10 * SF_SEC));
    CHECK_EQ(world.ends[0].downs, 0);
    finish();
}

/* --- Epochs ---------------------------------------------------------------------------------- */

static void
test_epoch_before_use(void)
{
    start(120);
    world.ends[1].durable_ns = 200 * SF_MS;
    open_both();
    world_offer(&world, 0, 1, 0, 1, 16384);
    world_run(&world, 150 * SF_MS);
    CHECK_EQ(world.ends[1].epochs, 1);
    CHECK_EQ(world_kept(&world, 0, 0, 1), 0);
    CHECK(!world.ends[1].in[0].is_used);
    world_run(&world, 75 * SF_MS);
    /* What came meanwhile was held back and not lost. */
    CHECK_EQ(world_kept(&world, 0, 0, 1), 1);
    finish();
}

static void
test_epoch_never_durable(void)
{
    start(121);
    world.ends[1].durable_ns = 3600 * SF_SEC;
    open_both();
    world_offer(&world, 0, 1, 0, 20, 65536);
    world_run(&world, 60 * SF_SEC);
    CHECK(!world.ends[1].in[0].is_used);
    finish();
}

static void
test_rolled_back(void)
{
    start(122);
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    world_close(&world, 0);
    world.ends[0].boot = 7;
    world_open(&world, 0);
    world_run(&world, 5 * SF_SEC);
    world_close(&world, 0);
    world.ends[0].boot = 2; /* an image of before */
    world_open(&world, 0);
    world_offer(&world, 0, 1, 1, 10, 65536);
    CHECK(world_deliver(&world, 0, 1, 10 * SF_SEC));
    CHECK_EQ(world.ends[0].stales, 1);
    CHECK_EQ(world.ends[0].stale_epoch >> 32, 9);
    CHECK_EQ(world.ends[1].stales, 0);
    finish();
}

/* Before it is durable that it jumps, nothing says so: it might fall back behind it once more. */
static void
test_rolled_back_not_durable(void)
{
    start(130);
    open_both();
    world_run(&world, SF_SEC);
    world_close(&world, 0);
    world.ends[0].boot = 7;
    world_open(&world, 0);
    world_run(&world, 5 * SF_SEC);
    world_close(&world, 0);
    world.ends[0].boot = 2;
    world.ends[0].is_boot_lost = true;
    world_open(&world, 0);
    world_offer(&world, 0, 1, 1, 10, 65536);
    world_run(&world, 60 * SF_SEC);
    CHECK_EQ(world.ends[0].stales, 1);
    CHECK(!world.ends[1].in[1].is_used);
    CHECK_EQ(world.ends[1].epochs, 2);
    sf_link_boot_durable(world.ends[0].link, 1, 8); /* too little: STALE asked for 9 */
    world_run(&world, 10 * SF_SEC);
    CHECK_EQ(world.ends[1].epochs, 2);
    sf_link_boot_durable(world.ends[0].link, 1, 9);
    CHECK(world_deliver(&world, 0, 1, 60 * SF_SEC));
    finish();
}

/*
 * Who has just started has opened nothing yet. That the peer has seen sessions of the boot before
 * is no news then, and no sign of a state that was rolled back.
 */
static void
test_earlier_boot_is_no_news(void)
{
    struct packet opener;

    start(131);
    world.is_taping = true;
    open_both();
    world_run(&world, SF_SEC);
    world.is_taping = false;
    REQUIRE(world.tape_count > 0);
    opener = world.tape[0];
    CHECK(sf_addr_equal(&opener.from, &world.ends[0].addr) && opener.bytes == SF_OPENER_BYTES);
    world_close(&world, 0);
    world_open(&world, 0);
    world_run(&world, SF_SEC);
    world_close(&world, 0);
    world_close(&world, 1); /* it forgets which openers it has seen, not how far they counted */
    world_open(&world, 1);
    world_run(&world, SF_SEC);
    world.ends[0].has_endpoint[1] = false; /* so that it does not call by itself */
    world_open(&world, 0);
    world_inject(&world, 1, &opener.from, opener.data, opener.bytes);
    world_run(&world, 20 * SF_SEC);
    CHECK(world.ends[0].ups > 0);
    CHECK_EQ(world.ends[0].stales, 0);
    finish();
}

/* The rolled back node receives: its reports are to be believed again. */
static void
test_rolled_back_receiver(void)
{
    start(127);
    world.ends[1].boot = 7;
    open_both();
    world_offer(&world, 0, 1, 0, 10, 65536);
    CHECK(world_deliver(&world, 0, 0, 5 * SF_SEC));
    world_offer(&world, 0, 1, 1, 100, 65536);
    world_run(&world, SF_SEC);
    world_close(&world, 1);
    world.ends[1].boot = 2;
    world_open(&world, 1);
    CHECK(world_deliver(&world, 0, 1, 20 * SF_SEC));
    CHECK_EQ(world.ends[1].stales, 1);
    finish();
}

/* The answer to a stale epoch never goes to where a copied opener came from. */
static void
test_stale_answer_goes_home(void)
{
    const struct packet *old;
    uint64_t home, sent;

    start(123);
    world.is_taping = true;
    open_both();
    world_run(&world, 5 * SF_SEC);
    old = taped_opener(0);
    world_close(&world, 0);
    world_open(&world, 0); /* a newer epoch is seen */
    world_run(&world, 5 * SF_SEC);
    world_close(&world, 1);
    world_open(&world, 1); /* and the seen openers forgotten */
    world_run(&world, 5 * SF_SEC);
    home = world_address(&world, &world.ends[0].addr)->out_dgrams;
    sent = world.sent_dgrams[1];
    for (unsigned i = 0; i < 20; i++) {
        world_inject(&world, 1, stranger(), old->data, SF_OPENER_BYTES);
    }
    world_run(&world, SF_SEC);
    CHECK_EQ(world_address(&world, stranger())->out_bytes, 0);
    CHECK_EQ(world.sent_dgrams[1], sent + 1);
    CHECK_EQ(world_address(&world, &world.ends[0].addr)->out_dgrams, home + 1);
    /* The peer knows better. */
    CHECK_EQ(world.ends[0].stales, 0);
    finish();
}

static void
test_epochs_grow(void)
{
    uint64_t last = 0;

    start(124);
    open_both();
    world_offer(&world, 0, 1, 0, 2000, 65536);
    for (unsigned i = 0; i < 5; i++) {
        world_run(&world, 10 * SF_SEC);
        CHECK(world.ends[1].epoch_seen[0] >= last);
        last = world.ends[1].epoch_seen[0];
        CHECK_EQ(sf_link_contact(world.ends[0].link, 1), SF_OK);
        world_run(&world, SF_SEC);
        CHECK(world.ends[1].epoch_seen[0] > last); /* a fresh session at each contact */
    }
    finish();
}

static void
test_rekey(void)
{
    unsigned epochs;

    start(125);
    world.ends[0].rate_bps = 1000000;
    open_both();
    world_offer(&world, 0, 1, 0, 1000, 65536);
    world_run(&world, 115 * SF_SEC);
    epochs = world.ends[1].epochs;
    CHECK_EQ(epochs, 1);
    world_run(&world, 10 * SF_SEC);
    CHECK_EQ(world.ends[1].epochs, 2);
    world_run(&world, 120 * SF_SEC);
    CHECK_EQ(world.ends[1].epochs, 3);
    CHECK_EQ(stats_of(1).dropped_auth, 0); /* without a single datagram lost */
    CHECK_EQ(world.ends[0].downs, 0);
    finish();
}

static void
test_rekey_under_loss(void)
{
    start(126);
    world.ends[0].rate_bps = 1000000;
    world.channels[0].loss_ppm = world.channels[1].loss_ppm = 300000;
    open_both();
    world_offer(&world, 0, 1, 0, 700, 65536);
    CHECK(world_deliver(&world, 0, 0, 800 * SF_SEC));
    CHECK(stats_of(1).dropped_auth < 100);
    finish();
}

/* --- Openers ------------------------------------------------------------------------------------- */

static void
test_fallback_alternates(void)
{
    const struct packet *last = NULL;
    unsigned to_static = 0, to_prekey = 0;

    start(150);
    world.is_taping = true;
    world_open(&world, 0);
    world_offer(&world, 0, 1, 0, 1, 16384);
    world_run(&world, 60 * SF_SEC);
    for (size_t i = 0; i < world.tape_count; i++) {
        const struct packet *packet = &world.tape[i];

        if (!is_opener(packet)) {
            continue;
        }
        /* Repeated as it was, or a new one to the other key. */
        if (last == NULL || memcmp(last->data, packet->data, SF_OPENER_BYTES) != 0) {
            CHECK(last == NULL || last->data[6] != packet->data[6] || to_static == 1);
            to_static += packet->data[6] == SF_OPENER_TO_STATIC ? 1 : 0;
            to_prekey += packet->data[6] == SF_OPENER_TO_PREKEY ? 1 : 0;
        }
        last = packet;
    }
    CHECK(to_static >= 5 && to_prekey >= 5);
    CHECK(openers_on_tape(0) < 40);
    finish();
}

static void
test_three_sessions(void)
{
    start(151);
    open_both();
    world_offer(&world, 0, 1, 0, 3000, 65536);
    /* A peer that opens as fast as it can displaces nobody but itself. */
    for (unsigned i = 0; i < 200; i++) {
        world_run(&world, 20 * SF_MS);
        CHECK_EQ(sf_link_contact(world.ends[0].link, 1), SF_OK);
    }
    CHECK(world.ends[1].epochs > 50);
    world_run(&world, 5 * SF_SEC);
    CHECK(world_kept(&world, 0, 0, 1) > 100);
    finish();
}

CHECK_MAIN("link guard", {"junk gets no byte back and leaves the memory as it was", test_junk},
    {"an opener with a wrong mac gets no byte back", test_wrong_mac},
    {"a node that is no peer gets no byte back", test_unknown_node},
    {"datagrams of unknown sessions get no byte back", test_unknown_id},
    {"replayed datagrams get no byte back and move no address", test_replayed_datagrams},
    {"a replayed opener opens nothing, in this boot and the next", test_replayed_opener},
    {"an identical opener is ignored without touching the window", test_identical_opener},
    {"a flood of openers is cut to the buckets, and the peer comes through", test_flood},
    {"a pre-shared key on both sides", test_psk},
    {"different pre-shared keys never meet", test_psk_differs},
    {"a prekey that is gone is replaced over the fallback", test_stale_prekey},
    {"both prekeys gone", test_both_prekeys_stale},
    {"both prekeys gone, and one side alone can call", test_both_stale_one_calls},
    {"the fallback carries no objects", test_fallback_carries_no_bulk},
    {"what must not be said on the fallback is not heard there", test_object_on_fallback},
    {"an object announced in an opener is not heard", test_object_in_opener},
    {"a rotated prekey interrupts nothing", test_retired_prekey_overlap},
    {"no session is used before its epoch is durable", test_epoch_before_use},
    {"an epoch that is never durable is never used", test_epoch_never_durable},
    {"a rolled back node is told, jumps, and says so", test_rolled_back},
    {"a jump that is not durable yet is not used", test_rolled_back_not_durable},
    {"a session of the boot before is no news to who has just started",
        test_earlier_boot_is_no_news},
    {"a rolled back receiver is told as well", test_rolled_back_receiver},
    {"a stale epoch is answered at the peer's own address alone", test_stale_answer_goes_home},
    {"epochs only grow, and each contact has its own", test_epochs_grow},
    {"keys are changed after 120 s without a loss", test_rekey},
    {"keys are changed under 30 % loss", test_rekey_under_loss},
    {"every second unanswered opener goes to the static key", test_fallback_alternates},
    {"sessions opened without end displace only their own", test_three_sessions})
