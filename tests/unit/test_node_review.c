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

/* An orderly stop in the middle ends soon, whatever waits for what, and costs nothing. */
static void
test_stop_amid_decoding(void)
{
    const struct sf_sim_path_config path = {
        .delay_ns = 20 * SF_MS, .rate_bps = 110000000, .loss_ppm = 200000};

    for (unsigned i = 1; i < 6; i++) {
        struct sf_world_send order = fixture_order();
        struct fixture f;

        fixture_make(&f, 20 + i, 2);
        sf_world_path(f.world, GROUND, SAT, &path);
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        REQUIRE_EQ(sf_sim_disk_source(fixture_disk(&f, GROUND), "source/model", 20000000,
                       generate_text, &fixture_seeds[0]),
            SF_OK);
        fixture_send(&f, &order);
        fixture_run(&f, i * 300 * SF_MS);
        sf_world_stop(f.world, SAT);
        fixture_start(&f, SAT);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
        fixture_close(&f);
    }
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

/* --- Many at once -------------------------------------------------------------------- */

/* So many transfers to one peer that not all can be on offer: an urgent one overtakes them. */
static void
test_many_and_one_urgent(void)
{
    struct sf_world_send order = fixture_order();
    static const char *const paths[] = {"source/model"};
    struct fixture f;
    size_t offers = 0;

    fixture_make(&f, 30, 2);
    fixture_slow(&f, 1000000);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_source(&f, GROUND, "source/model", 100000, 0);
    order.paths = paths;
    for (unsigned i = 0; i < 160; i++) {
        fixture_send(&f, &order);
    }
    fixture_run(&f, 20 * SF_SEC);
    for (const struct outbound *out = node_of(&f, GROUND)->outs; out != NULL; out = out->next) {
        offers += out->to[0].data_handle != 0;
    }
    CHECK(offers > 0);
    CHECK(offers <= 128);
    order.priority = 1;
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 20 * SF_SEC));
    fixture_run(&f, 600 * SF_SEC);
    for (const struct outbound *out = node_of(&f, GROUND)->outs; out != NULL; out = out->next) {
        CHECK_EQ(out->record.phase, SF_OUT_DONE);
    }
    fixture_close(&f);
}

/* --- Good keys, bad manners ------------------------------------------------------------ */

static size_t
count_inbound(struct fixture *f, unsigned number, bool is_ended)
{
    size_t count = 0;

    for (const struct inbound *in = node_of(f, number)->ins; in != NULL; in = in->next) {
        count += is_ended ? in->is_freed && !in->is_forgotten : !in->is_freed || in->is_forgotten;
    }
    return count;
}

/* Announce a transfer of one small slot in the name of the only peer. */
static void
announce(struct fixture *f, unsigned number, uint32_t id)
{
    struct sf_link_event event = {.kind = SF_LINK_OBJECT, .handle = 1000000 + id};

    event.object.kind = SF_KIND_DATA;
    event.object.count = 1;
    event.object.class_bytes = 16384;
    sf_put_be32(event.object.transfer.b, id);
    inbound_object(node_of(f, number), &event);
}

/* Let a node go on that was called behind the back of its world. */
static void
nudge(struct fixture *f, unsigned number)
{
    static const struct sf_transfer_id none;

    (void)!sf_world_cancel(f->world, number, &none, &f->error);
    fixture_run(f, SF_SEC);
}

/* Thousands of announcements: so many transfers, so many files, and no more. */
static void
test_announcements(void)
{
    struct fixture f;

    fixture_open(&f, 5, 2);
    fixture_run(&f, SF_SEC);
    for (uint32_t i = 0; i < 3000; i++) {
        announce(&f, SAT, i);
        if (i % 100 == 0) {
            nudge(&f, SAT);
        }
    }
    nudge(&f, SAT);
    CHECK_EQ(count_inbound(&f, SAT, false), INBOUND_MAX);
    CHECK_EQ(fixture_count_names(&f, SAT, "spool"), INBOUND_MAX);
    /* A file has to wait, and is not lost. */
    fixture_send_file(&f, 100000);
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK_EQ(fixture_transfer(&f, GROUND).recipients[0].state, SF_NODE_TO_PAUSED);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 2 * DAY));
    fixture_run(&f, 60 * SF_SEC);
    CHECK_EQ(count_inbound(&f, SAT, false), 0);
    fixture_check_freed(&f, SAT);
    fixture_close(&f);
}

static void
end_one(struct fixture *f, const struct sf_fingerprint *sender, uint32_t number)
{
    struct sf_transfer_id id = {{0}};
    struct inbound *in;

    sf_put_be32(id.b, number);
    in = inbound_create(node_of(f, SAT), &id, sender);
    in->record.phase = SF_IN_DONE;
    in->record.number = number;
    in->want_freed = true;
    in->is_freed = true;
}

/* One peer's endless transfers push out its own tombstones, nobody else's. */
static void
test_tombstones(void)
{
    struct sf_fingerprint ground;
    struct sf_fingerprint edge;
    struct fixture f;

    fixture_open(&f, 6, 3);
    fixture_run(&f, SF_SEC);
    ground = sf_node_card(node_of(&f, GROUND))->fingerprint;
    edge = sf_node_card(node_of(&f, EDGE))->fingerprint;
    for (uint32_t i = 1; i <= 50; i++) {
        end_one(&f, &edge, i);
    }
    for (uint32_t i = 1; i <= TOMBSTONES_MAX; i++) {
        end_one(&f, &ground, i);
    }
    inbound_tick(node_of(&f, SAT));
    CHECK_EQ(count_inbound(&f, SAT, true), TOMBSTONES_MAX);
    CHECK(!ended_has(node_of(&f, SAT), &edge, 1));
    CHECK(ended_has(node_of(&f, SAT), &ground, 1));
    CHECK(ended_has(node_of(&f, SAT), &ground, 50));
    CHECK(!ended_has(node_of(&f, SAT), &ground, 51));
    fixture_close(&f);
}

/*
 * A transfer waits for room while thousands of later ones come and end, and
 * their tombstones go: it is still taken. One that has ended is not taken a
 * second time, however old it is: the sender is told, and nothing is stored.
 */
static void
test_paused_while_later_ones_end(void)
{
    struct sf_node_peer conf = {.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .rate_bps = 100000000,
        .quota_bytes = 50000};
    struct sf_world_send order = fixture_order();
    struct sf_fingerprint ground;
    struct sf_transfer_id first;
    struct outbound *out;
    struct fixture f;

    fixture_make(&f, 8, 2);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 300000);
    first = f.id;
    fixture_run(&f, 30 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_WAITING);
    ground = sf_node_card(node_of(&f, GROUND))->fingerprint;
    for (uint32_t i = 2; i <= TOMBSTONES_MAX + 600; i++) {
        end_one(&f, &ground, i);
    }
    inbound_tick(node_of(&f, SAT));
    CHECK(ended_has(node_of(&f, SAT), &ground, 500));
    CHECK(!ended_has(node_of(&f, SAT), &ground, 1));
    conf.quota_bytes = 0;
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 300000, 0);

    /* The next one has a number that, to the receiver, ended long ago. */
    CHECK(ended_has(node_of(&f, SAT), &ground, 2));
    fixture_send(&f, &order);
    out = outbound_find(node_of(&f, GROUND), &f.id);
    REQUIRE(out != NULL);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 1200 * SF_SEC));
    CHECK_EQ(out->to[0].record.number, 2);
    CHECK_EQ(out->to[0].record.reason, SF_REFUSAL_FINISHED);
    CHECK(strstr(out->to[0].why, "ended") != NULL);
    fixture_run(&f, 120 * SF_SEC);
    fixture_check_freed(&f, SAT);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 1);
    CHECK(!sf_transfer_equal(&first, &f.id));
    fixture_close(&f);
}

/* A peer that leaves a hole between all its numbers does not make the set grow for ever. */
static void
test_holes_are_bounded(void)
{
    struct sf_fingerprint ground;
    const struct sf_range_set *ended;
    struct fixture f;

    fixture_open(&f, 9, 2);
    fixture_run(&f, SF_SEC);
    ground = sf_node_card(node_of(&f, GROUND))->fingerprint;
    for (uint64_t i = 1; i <= 5000; i++) {
        ended_add(node_of(&f, SAT), &ground, 2 * i);
    }
    ended = sf_journal_set_of(
        node_of(&f, SAT)->journal, SF_TABLE_IN_ENDED, sf_view(ground.b, sizeof(ground.b)));
    REQUIRE(ended != NULL);
    CHECK(ended->count <= 4096);
    CHECK(ended_has(node_of(&f, SAT), &ground, 10000));
    CHECK(!ended_has(node_of(&f, SAT), &ground, 9999));
    fixture_close(&f);
}

static uint64_t
audit_bytes(struct fixture *f, unsigned number)
{
    struct sf_disk_op op = {.kind = SF_DISK_STAT, .path = "audit.log"};

    REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(f, number)), &op), SF_OK);
    return op.ret_stat.bytes;
}

/* What is refused is on record, but no peer fills the disk with it. */
static void
test_refusals_on_record(void)
{
    struct sf_node_peer conf = {.may_receive = true, .has_endpoint = true, .rate_bps = 100000000};
    struct fixture f;
    uint64_t before;
    uint64_t after;

    fixture_make(&f, 7, 2);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    before = audit_bytes(&f, SAT);
    for (uint32_t i = 0; i < 10000; i++) {
        announce(&f, SAT, i);
    }
    nudge(&f, SAT);
    after = audit_bytes(&f, SAT);
    CHECK(after > before);
    CHECK(after - before < 64 * 1024);
    /* Later there is room for more, which says how many were left out. */
    fixture_run(&f, 600 * SF_SEC);
    nudge(&f, SAT);
    announce(&f, SAT, 1);
    nudge(&f, SAT);
    CHECK(audit_bytes(&f, SAT) > after);
    CHECK_EQ(node_of(&f, SAT)->peers[0].omitted, 0);
    fixture_close(&f);
}

/* A peer that says over and over that this node was restored harms itself alone. */
static void
test_stale_lies(void)
{
    struct sf_fingerprint edge;
    struct fixture f;
    uint64_t rung;
    uint32_t boot;

    fixture_open(&f, 8, 3);
    fixture_run(&f, SF_SEC);
    edge = sf_node_card(node_of(&f, EDGE))->fingerprint;
    rung = peer_of(node_of(&f, SAT), &edge)->ladder.out.number;
    boot = node_of(&f, SAT)->boot;
    for (unsigned i = 0; i < 20; i++) {
        struct sf_link_event event = {.kind = SF_LINK_STALE,
            .peer = peer_number(node_of(&f, SAT),
                peer_of(node_of(&f, SAT), &sf_node_card(node_of(&f, GROUND))->fingerprint)),
            .epoch = (UINT64_C(0xffffff00) + i) << 32};

        if (i % 2 == 1) {
            event.epoch = (uint64_t)(100 + i) << 32;
        }
        node_link_event(node_of(&f, SAT), &event);
    }
    CHECK_EQ(node_of(&f, SAT)->boot, boot); /* not before it is durable */
    nudge(&f, SAT);
    fixture_run(&f, 2 * SF_SEC);
    CHECK_EQ(peer_of(node_of(&f, SAT), &edge)->ladder.out.number, rung);
    CHECK(node_of(&f, SAT)->boot > boot);
    CHECK(node_of(&f, SAT)->boot < 1000);
    fixture_close(&f);
}

CHECK_MAIN("node: review",
    {"frames cut at the ends of bundles that come out of order are put together", test_cut_frames},
    {"a stop while frames wait for their other part ends, and the next start goes on",
        test_stop_amid_decoding},
    {"cancelled before the rename is intended: not delivered", test_cancel_at_delivery},
    {"nothing spins while delivery waits", test_sleeps_while_delivering},
    {"every cancel to a peer that was away is confirmed", test_cancels_in_the_dark},
    {"of very many transfers to one peer the urgent one goes first, and all arrive",
        test_many_and_one_urgent},
    {"a peer that announces without end gets so many transfers and no more", test_announcements},
    {"a peer's endless transfers push out no other's tombstones", test_tombstones},
    {"what waits while thousands of later ones end is taken; what ended is not taken twice",
        test_paused_while_later_ones_end},
    {"holes between numbers are bounded", test_holes_are_bounded},
    {"endless refusals are on record without filling the disk", test_refusals_on_record},
    {"a peer's lies about restored state move no other's ladder, nor the boot counter far",
        test_stale_lies})
