/*
 * What an attentive reader doubted: races between what ends a transfer and
 * what goes on with it, states that might never be left, peers with good keys
 * and bad manners.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

static struct sf_node *
node_of(struct fixture *f, unsigned number)
{
    return sf_world_node(f->world, number);
}

static struct inbound *
inbound_of(struct fixture *f, unsigned number)
{
    return inbound_find(node_of(f, number), &f->id, &sf_node_card(node_of(f, GROUND))->fingerprint);
}

/* --- Liveness ------------------------------------------------------------------- */

/* Text that LZ4 shortens by about half, so that frames are cut at the ends of bundles. */
static void
generate_text(void *context, uint64_t offset, uint8_t *out, size_t bytes)
{
    sf_sim_disk_generate(context, offset, out, bytes);
    for (size_t i = 0; i < bytes; i++) {
        if ((offset + i) / 32 % 2 == 0) {
            out[i] = 0;
        }
    }
}

/* Bundles come far out of order, each with parts of frames whose other part is elsewhere. */
static void
test_cut_frames(void)
{
    const struct sf_sim_path_config path = {
        .delay_ns = 20 * SF_MS, .rate_bps = 110000000, .loss_ppm = 200000};
    struct sf_world_send order = fixture_order();
    struct fixture f;

    fixture_make(&f, 1, 2);
    sf_world_path(f.world, GROUND, SAT, &path);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    REQUIRE_EQ(sf_sim_disk_source(fixture_disk(&f, GROUND), "source/model", 20000000, generate_text,
                   &fixture_seeds[0]),
        SF_OK);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_close(&f);
}

/* --- Ends that meet ----------------------------------------------------------------- */

static bool
is_delivering(struct sf_world *world, void *context)
{
    struct fixture *f = context;
    const struct inbound *in = inbound_find(
        sf_world_node(world, SAT), &f->id, &sf_node_card(node_of(f, GROUND))->fingerprint);

    return in != NULL && in->delivery != NULL && in->record.phase == SF_IN_RECEIVING;
}

/* Called back while staged files get their times: it is not delivered after all. */
static void
test_cancel_at_delivery(void)
{
    for (unsigned steps = 0; steps < 8; steps++) {
        struct fixture f;

        fixture_make(&f, 2, 2);
        sf_sim_disk_latency(fixture_disk(&f, SAT), 5 * SF_MS, 10 * SF_MS);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        fixture_send_file(&f, 100000);
        REQUIRE(
            sf_world_run_until(f.world, sf_world_now(f.world) + 60 * SF_SEC, is_delivering, &f));
        fixture_run(&f, steps * 8 * SF_MS);
        if (inbound_of(&f, SAT)->record.phase != SF_IN_RECEIVING) {
            CHECK(steps > 2);
            fixture_close(&f);
            return;
        }
        REQUIRE_EQ(sf_world_cancel(f.world, SAT, &f.id, &f.error), SF_OK);
        fixture_run(&f, 60 * SF_SEC);
        CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_CANCELLED);
        CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
        CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].state, SF_NODE_TO_REFUSED);
        fixture_check_freed(&f, SAT);
        fixture_close(&f);
    }
}

static bool
has_intended(struct sf_world *world, void *context)
{
    struct fixture *f = context;
    const struct inbound *in = inbound_find(
        sf_world_node(world, SAT), &f->id, &sf_node_card(node_of(f, GROUND))->fingerprint);

    return in != NULL && in->record.phase == SF_IN_DELIVERING;
}

/* While the inbox makes it wait the node sleeps: no deadline lies behind. */
static void
test_sleeps_while_delivering(void)
{
    struct fixture f;
    unsigned late = 0;

    fixture_make(&f, 3, 2);
    sf_sim_disk_latency(fixture_disk(&f, SAT), 50 * SF_MS, 60 * SF_MS);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 100000);
    REQUIRE(sf_world_run_until(f.world, sf_world_now(f.world) + 60 * SF_SEC, has_intended, &f));
    /* As a bundle that came again would make it. */
    inbound_of(&f, SAT)->receipt_due = true;
    inbound_of(&f, SAT)->receipt_at = 0;
    fixture_run(&f, 20 * SF_MS);
    for (unsigned i = 0; i < 100 && has_intended(f.world, &f); i++) {
        late += inbound_deadline(node_of(&f, SAT)) < sf_world_now(f.world);
        fixture_run(&f, SF_MS);
    }
    CHECK_EQ(late, 0);
    fixture_close(&f);
}

/* Two cancels to a peer that is long away: both are confirmed once it is back. */
static void
test_cancels_in_the_dark(void)
{
    struct sf_world_send order = fixture_order();
    struct sf_transfer_id ids[3];
    struct fixture f;

    fixture_open(&f, 4, 2);
    fixture_run(&f, SF_SEC);
    sf_world_stop(f.world, SAT);
    fixture_source(&f, GROUND, "source/model", 1000, 0);
    for (unsigned i = 0; i < 3; i++) {
        fixture_send(&f, &order);
        ids[i] = f.id;
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 10 * SF_SEC));
        REQUIRE_EQ(sf_world_cancel(f.world, GROUND, &f.id, &f.error), SF_OK);
    }
    fixture_run(&f, 150 * SF_SEC);
    fixture_start(&f, SAT);
    fixture_run(&f, 400 * SF_SEC);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(outbound_find(node_of(&f, GROUND), &ids[i])->to[0].record.phase, SF_TO_CANCELLED);
    }
    fixture_close(&f);
}

CHECK_MAIN("node: review",
    {"frames cut at the ends of bundles that come out of order are put together", test_cut_frames},
    {"cancelled before the rename is intended: not delivered", test_cancel_at_delivery},
    {"nothing spins while delivery waits", test_sleeps_while_delivering},
    {"every cancel to a peer that was away is confirmed", test_cancels_in_the_dark})
