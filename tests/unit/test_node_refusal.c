/*
 * What cannot be: peers that may not, disks that are full, sources that
 * change, keys that are stale, wrong or missing. It is said why, at the side
 * that may know, and nothing is half delivered.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

static struct sf_node_peer
peer_conf(void)
{
    return (struct sf_node_peer){
        .may_send = true, .may_receive = true, .has_endpoint = true, .rate_bps = 100000000};
}

static bool
holds_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        printf("\n    '%s' is not in '%s'\n", part, text);
        return false;
    }
    return true;
}

/* --- Permission and quota ------------------------------------------------------------- */

static void
test_may_not_receive(void)
{
    struct sf_node_peer conf = peer_conf();
    struct sf_world_send order = fixture_order();
    struct fixture f;

    fixture_make(&f, 1, 2);
    conf.may_receive = false;
    sf_world_introduce(f.world, GROUND, SAT, &conf);
    fixture_start(&f, GROUND);
    fixture_source(&f, GROUND, "source/model", 1000, 0);
    CHECK_EQ(sf_world_send(f.world, &order, &f.id, &f.error), SF_ESTATE);
    CHECK(holds_text(f.error.text, "sat"));
    fixture_close(&f);
}

static void
test_may_not_send(void)
{
    struct sf_node_peer conf = peer_conf();
    struct sf_node_transfer transfer;
    struct fixture f;

    fixture_make(&f, 2, 2);
    conf.may_send = false;
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 500000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 60 * SF_SEC));
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_REFUSED);
    CHECK(holds_text(transfer.recipients[0].why, "allow"));
    fixture_run(&f, 60 * SF_SEC);
    fixture_check_freed(&f, SAT);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    fixture_close(&f);
}

/* Unknown to the other end: no answer, nothing stored. */
static void
test_stranger(void)
{
    struct fixture f;
    uint64_t used;
    struct sf_sim_disk_stats stats;

    memset(&f, 0, sizeof(f));
    f.world = sf_world_open(3);
    (void)sf_world_add(f.world, "ground");
    (void)sf_world_add(f.world, "sat");
    sf_world_introduce(f.world, GROUND, SAT, NULL);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    sf_sim_disk_get_stats(fixture_disk(&f, SAT), &stats);
    used = stats.used_bytes;
    fixture_send_file(&f, 500000);
    fixture_run(&f, 1800 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK_EQ(sf_world_path_payload(f.world, SAT, GROUND), 0);
    sf_sim_disk_get_stats(fixture_disk(&f, SAT), &stats);
    CHECK_EQ(stats.used_bytes, used);
    /* Once it is introduced the file arrives. */
    sf_world_introduce(f.world, SAT, GROUND, NULL);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_close(&f);
}

static void
test_quota(void)
{
    struct sf_node_peer conf = peer_conf();
    struct sf_node_transfer transfer;
    struct fixture f;

    fixture_make(&f, 4, 2);
    conf.quota_bytes = 300000;
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 500000);
    fixture_run(&f, 60 * SF_SEC);
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.state, SF_NODE_CUSTODY);
    CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_PAUSED);
    CHECK(holds_text(transfer.recipients[0].why, "quota"));
    fixture_check_freed(&f, SAT);
    conf.quota_bytes = 3000000;
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 500000, 0);
    fixture_close(&f);
}

/* --- Full disks ----------------------------------------------------------------------------- */

static uint64_t
used_bytes(struct fixture *f, unsigned number)
{
    struct sf_sim_disk_stats stats;

    sf_sim_disk_get_stats(fixture_disk(f, number), &stats);
    return stats.used_bytes;
}

static void
test_receiver_full_before(void)
{
    struct sf_node_transfer transfer;
    struct fixture f;

    fixture_open(&f, 5, 2);
    fixture_run(&f, SF_SEC);
    sf_sim_disk_set_capacity(fixture_disk(&f, SAT), used_bytes(&f, SAT) + 200000);
    fixture_send_file(&f, 1000000);
    fixture_run(&f, 120 * SF_SEC);
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.state, SF_NODE_CUSTODY);
    CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_PAUSED);
    CHECK(holds_text(transfer.recipients[0].why, "it needs"));
    fixture_check_freed(&f, SAT);
    sf_sim_disk_set_capacity(fixture_disk(&f, SAT), 0);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
    fixture_close(&f);
}

/* Room for the sealed bundles, too little for what is decoded: at every amount in between. */
static void
test_receiver_full_during(void)
{
    enum { RESERVE = 1 << 20 };

    for (uint64_t room = 1040000; room < 2200000; room += 97000) {
        struct sf_node_transfer transfer;
        struct fixture f;
        enum sf_node_state state;

        fixture_make(&f, 6, 2);
        sf_world_config(f.world, SAT)->reserve_bytes = RESERVE;
        fixture_start(&f, GROUND);
        fixture_start(&f, SAT);
        fixture_run(&f, SF_SEC);
        sf_sim_disk_set_capacity(fixture_disk(&f, SAT), used_bytes(&f, SAT) + RESERVE + room);
        fixture_send_file(&f, 1000000);
        fixture_run(&f, 120 * SF_SEC);
        CHECK(!sf_world_is_off(f.world, SAT));
        transfer = fixture_transfer(&f, GROUND);
        state = transfer.state;
        if (state != SF_NODE_DONE) {
            CHECK_EQ(transfer.state, SF_NODE_CUSTODY);
            CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_PAUSED);
            CHECK(holds_text(transfer.recipients[0].why, "it needs"));
            if (fixture_transfer(&f, SAT).state == SF_NODE_RECEIVING) {
                CHECK(holds_text(fixture_transfer(&f, SAT).why, "no room"));
            }
        }
        if (state == SF_NODE_FAILED) {
            printf("\n    room %d: %s\n", (int)room, transfer.recipients[0].why);
        }
        sf_sim_disk_set_capacity(fixture_disk(&f, SAT), 0);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
        fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
        fixture_close(&f);
    }
}

static void
test_sender_full(void)
{
    struct sf_world_send order = fixture_order();
    struct sf_node_transfer transfer;
    struct fixture f;

    fixture_open(&f, 7, 2);
    fixture_run(&f, SF_SEC);
    fixture_source(&f, GROUND, "source/model", 1000000, 0);
    sf_sim_disk_set_capacity(fixture_disk(&f, GROUND), used_bytes(&f, GROUND) + 800000);
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 60 * SF_SEC));
    transfer = fixture_transfer(&f, GROUND);
    CHECK(holds_text(transfer.why, "more bytes must become free"));
    fixture_run(&f, 60 * SF_SEC);
    fixture_check_freed(&f, GROUND);
    CHECK(!sf_world_transfer(f.world, SAT, &f.id, &transfer));
    fixture_close(&f);
}

/* --- The source ---------------------------------------------------------------------------------- */

static void
check_failed_clean(struct fixture *f, const char *why)
{
    struct sf_node_transfer transfer;

    REQUIRE(fixture_until(f, GROUND, SF_NODE_FAILED, 120 * SF_SEC));
    transfer = fixture_transfer(f, GROUND);
    CHECK(holds_text(transfer.why, why));
    fixture_run(f, 300 * SF_SEC);
    fixture_check_freed(f, GROUND);
    fixture_check_freed(f, SAT);
    CHECK(!fixture_has_file(f, SAT, "inbox/ground/model.bin"));
    if (sf_world_transfer(f->world, SAT, &f->id, &transfer)) {
        CHECK_EQ(transfer.state, SF_NODE_CANCELLED);
    }
    CHECK_EQ(outbound_find(sf_world_node(f->world, GROUND), &f->id)->to[0].record.phase,
        SF_TO_CANCELLED);
}

static void
test_source_touched(void)
{
    struct fixture f;

    fixture_make(&f, 8, 2);
    sf_sim_disk_latency(fixture_disk(&f, GROUND), 10 * SF_MS, 20 * SF_MS);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, 20000000);
    fixture_run(&f, 400 * SF_MS);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_SEALING);
    CHECK(fixture_transfer(&f, SAT).held > 0); /* bundles have flown already */
    REQUIRE_EQ(sf_sim_disk_touch(fixture_disk(&f, GROUND), "source/model", 12345), SF_OK);
    check_failed_clean(&f, "changed");
    fixture_close(&f);
}

/* Sealing was interrupted; what is sent again is not what was sealed. */
static void
resume_with(unsigned content, uint64_t bytes, int expected, const char *why)
{
    static const char *const other[] = {"source/other"};
    struct sf_world_send order = fixture_order();
    struct fixture f;
    struct sf_transfer_id id;

    fixture_make(&f, 9, 2);
    sf_sim_disk_latency(fixture_disk(&f, GROUND), 10 * SF_MS, 20 * SF_MS);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, 20000000);
    fixture_run(&f, 400 * SF_MS);
    CHECK(fixture_transfer(&f, SAT).held > 0);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_SUBSET);
    fixture_start(&f, GROUND);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_INTERRUPTED);
    fixture_source(&f, GROUND, "source/other", bytes, content);
    order.has_resume = true;
    order.resume = f.id;
    if (content != 0 || bytes != 20000000) {
        order.paths = other;
    }
    CHECK_EQ(sf_world_send(f.world, &order, &id, &f.error), expected);
    if (expected == SF_OK && why != NULL) {
        check_failed_clean(&f, why);
    } else if (expected == SF_OK) {
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 120 * SF_SEC));
        fixture_check_file(&f, SAT, "inbox/ground/model.bin", 20000000, 0);
    }
    fixture_close(&f);
}

static void
test_resume(void)
{
    resume_with(0, 20000000, SF_OK, NULL);
    resume_with(1, 20000000, SF_OK, "not what it was");
    resume_with(0, 19000000, SF_OK, "not what it was");
    resume_with(0, 90000000, SF_EINVAL, NULL);
}

/* Nobody sends it again: it fails, and the recipient frees what it holds. */
static void
test_never_resumed(void)
{
    struct fixture f;

    fixture_make(&f, 10, 2);
    sf_sim_disk_latency(fixture_disk(&f, GROUND), 10 * SF_MS, 20 * SF_MS);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_run(&f, SF_SEC);
    fixture_send_file(&f, 20000000);
    fixture_run(&f, 400 * SF_MS);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
    fixture_start(&f, GROUND);
    fixture_run(&f, 960 * SF_SEC);
    check_failed_clean(&f, "interrupted");
    fixture_close(&f);
}

static void
test_source_removed(void)
{
    struct sf_disk_op op = {.kind = SF_DISK_UNLINK, .path = "source/model"};
    struct fixture f;

    fixture_open(&f, 11, 2);
    sf_world_stop(f.world, SAT);
    fixture_send_file(&f, 1000000);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    REQUIRE_EQ(sf_disk_run(sf_sim_disk_interface(fixture_disk(&f, GROUND)), &op), SF_OK);
    sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_KEEP_ALL);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 300 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 1000000, 0);
    fixture_close(&f);
}

/* --- Keys ----------------------------------------------------------------------------------------- */

/* The receiver has lived 60 days that the sender did not see: a new grant, no bulk again. */
static void
test_stale_prekey(void)
{
    enum { BYTES = 5000000 };
    const struct sf_sim_path_config down = {.delay_ns = SF_MS, .loss_ppm = 1000000};
    const struct sf_sim_path_config clean = {.delay_ns = SF_MS};
    struct fixture f;
    uint64_t sent;

    fixture_open(&f, 12, 2);
    fixture_run(&f, 5 * SF_SEC);
    sf_world_path(f.world, GROUND, SAT, &down);
    sf_world_path(f.world, SAT, GROUND, &down);
    fixture_run(&f, 60 * DAY);
    fixture_send_file(&f, BYTES);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    sent = sf_world_path_payload(f.world, GROUND, SAT);
    sf_world_path(f.world, GROUND, SAT, &clean);
    sf_world_path(f.world, SAT, GROUND, &clean);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    sent = sf_world_path_payload(f.world, GROUND, SAT) - sent;
    if (getenv("SF_VERBOSE") != NULL) {
        printf("    sent %.4f of the plaintext\n", (double)sent / BYTES);
    }
    CHECK(sent < (uint64_t)BYTES * 108 / 100);
    fixture_close(&f);
}

static void
introduce_psk(struct fixture *f, unsigned a, unsigned b, uint8_t seed)
{
    struct sf_node_peer conf = peer_conf();

    conf.has_psk = seed != 0;
    memset(conf.psk, seed, sizeof(conf.psk));
    sf_world_introduce(f->world, a, b, &conf);
}

static void
test_psk(void)
{
    struct fixture f;
    uint64_t rungs[6];

    fixture_make(&f, 13, 2);
    introduce_psk(&f, GROUND, SAT, 5);
    introduce_psk(&f, SAT, GROUND, 5);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    for (unsigned i = 0; i < 6; i++) {
        struct sf_world_send order = fixture_order();
        const char *path = "source/model";

        if (i == 0) {
            fixture_source(&f, GROUND, path, 300000, 0);
        }
        if (i == 2 || i == 3) {
            sf_world_stop(f.world, SAT); /* so that grants wait, and are made anew */
        }
        fixture_send(&f, &order);
        if (i >= 2) {
            REQUIRE(fixture_until(&f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
            sf_world_crash(f.world, GROUND, SF_SIM_DAMAGE_LOSE_ALL);
            fixture_start(&f, GROUND);
        }
        if (i == 2 || i == 3) {
            fixture_run(&f, SF_SEC);
            fixture_start(&f, SAT);
        }
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
        rungs[i] = outbound_find(sf_world_node(f.world, GROUND), &f.id)->to[0].record.rung;
        for (unsigned k = 0; k < i; k++) {
            CHECK(rungs[i] > rungs[k]);
        }
    }
    fixture_close(&f);
}

static void
check_no_way(uint8_t ours, uint8_t theirs)
{
    struct fixture f;

    fixture_make(&f, UINT64_C(14) + ours + theirs, 2);
    introduce_psk(&f, GROUND, SAT, ours);
    introduce_psk(&f, SAT, GROUND, theirs);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, 300000);
    fixture_run(&f, 900 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK(fixture_transfer(&f, GROUND).recipients[0].why[0] != '\0');
    CHECK_EQ(fixture_count_names(&f, SAT, "spool"), 0);
    CHECK(!fixture_has_file(&f, SAT, "inbox/ground/model.bin"));
    /* The seed is put right: it goes. */
    introduce_psk(&f, GROUND, SAT, 9);
    introduce_psk(&f, SAT, GROUND, 9);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 1200 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", 300000, 0);
    fixture_close(&f);
}

static void
test_psk_wrong(void)
{
    check_no_way(1, 2);
    check_no_way(1, 0);
    check_no_way(0, 2);
}

/* Records of `event` in the audit log of a node. */
static unsigned
count_records(struct fixture *f, unsigned number, const char *event)
{
    static char log[1 << 17];
    unsigned count = 0;
    size_t got = 0;

    REQUIRE_EQ(sf_sim_disk_get(
                   fixture_disk(f, number), "audit.log", 0, (uint8_t *)log, sizeof(log) - 1, &got),
        SF_OK);
    REQUIRE(got < sizeof(log) - 1);
    log[got] = '\0';
    for (const char *at = log; (at = strstr(at, event)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Bulk is offered again and again: that is one record, and each grant has its own. */
static void
test_each_grant_is_recorded(void)
{
    enum { SENDS = 40 };
    struct sf_node_peer conf = peer_conf();
    struct sf_world_send order = fixture_order();
    struct fixture f;

    fixture_make(&f, 17, 2);
    conf.may_send = false;
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_source(&f, GROUND, "source/model", 1000, 0);
    for (unsigned i = 0; i < SENDS; i++) {
        fixture_send(&f, &order);
        REQUIRE(fixture_until(&f, GROUND, SF_NODE_FAILED, 60 * SF_SEC));
    }
    CHECK(count_records(&f, SAT, "\"data_refused\"") <= 4);
    CHECK(count_records(&f, SAT, "\"grant_refused\"") >= SENDS);
    fixture_close(&f);
}

/* A card of another node under the name of a peer: nobody becomes the peer by its name alone. */
static void
test_another_card_of_a_peer(void)
{
    struct fixture f;
    struct sf_node *ground;
    struct sf_node_peer conf;
    struct sf_card known;
    struct sf_identity *stranger;

    fixture_open(&f, 31, 2);
    ground = sf_world_node(f.world, GROUND);
    conf = peer_named(ground, "sat")->conf;
    known = conf.card;
    REQUIRE_EQ(sf_identity_generate(&ground->config.random, "sat", &stranger), SF_OK);
    sf_card_of(stranger, &conf.card);
    CHECK_EQ(sf_node_peer_set(ground, &conf, &f.error), SF_EEXIST);
    CHECK(holds_text(f.error.text, "another key"));
    CHECK(sf_fingerprint_equal(
        &peer_named(ground, "sat")->conf.card.fingerprint, &known.fingerprint));
    conf.card = known;
    CHECK_EQ(sf_node_peer_set(ground, &conf, &f.error), SF_OK);
    sf_identity_fini(stranger);
    fixture_close(&f);
}

/* A receipt that sat signed for a transfer of another sender is not this node's to answer. */
static void
test_receipt_for_another_sender(void)
{
    for (int is_mine = 0; is_mine < 2; is_mine++) {
        struct fixture f;
        struct sf_node *ground;
        struct peer *peer;
        struct sf_receipt receipt;
        uint8_t encoded[SF_RECEIPT_BYTES_MAX];
        size_t bytes;

        fixture_open(&f, 32, 3);
        ground = sf_world_node(f.world, GROUND);
        peer = peer_named(ground, "sat");
        sf_receipt_init(&receipt);
        receipt.receiver = sf_node_card(sf_world_node(f.world, SAT))->fingerprint;
        receipt.sender = sf_node_card(sf_world_node(f.world, is_mine ? GROUND : EDGE))->fingerprint;
        receipt.transfer.b[0] = 7;
        receipt.generation = receipt.counter = 1;
        receipt.phase = SF_RECEIPT_HELD;
        REQUIRE_EQ(sf_receipt_encode(&receipt, sf_world_node(f.world, SAT)->identity, encoded,
                       sizeof(encoded), &bytes),
            SF_OK);
        outbound_receipt(ground, peer, sf_view(encoded, bytes));
        /* One for a transfer of its own that it does not know would be told so. */
        CHECK_EQ(mail_is_waiting(ground, peer_number(ground, peer), &receipt.transfer, MAIL_CANCEL),
            is_mine);
        sf_receipt_fini(&receipt);
        fixture_close(&f);
    }
}

/* Names are sealed in the journal; one that was changed is none. */
static void
test_changed_name(void)
{
    const uint8_t cek[SF_CEK_BYTES] = {1};
    struct fixture f;
    struct sf_node *ground;
    struct sf_seal seal;
    uint8_t sealed[2][LABEL_SEALED_BYTES_MAX];
    size_t bytes[2];
    char name[256];

    fixture_open(&f, 33, 2);
    ground = sf_world_node(f.world, GROUND);
    sf_seal_init(&seal, cek, &f.id);
    bytes[0] = label_seal(ground, &seal, "model.bin", sealed[0]);
    bytes[1] = history_seal(ground, "model.bin", sealed[1]);
    for (unsigned which = 0; which < 2; which++) {
        for (size_t at = 0; at <= bytes[which]; at++) {
            struct sf_view view = sf_view(sealed[which], bytes[which]);
            bool is_whole = at == bytes[which];
            int status;

            sealed[which][is_whole ? 0 : at] ^= is_whole ? 0 : 0x10;
            status = which == 0 ? label_open(&seal, view, name) : history_open(ground, view, name);
            CHECK(is_whole ? status == SF_OK && strcmp(name, "model.bin") == 0 : status != SF_OK);
            sealed[which][is_whole ? 0 : at] ^= is_whole ? 0 : 0x10;
        }
    }
    sf_seal_fini(&seal);
    fixture_close(&f);
}

CHECK_MAIN("node: refusals",
    {"nothing is sent to a peer that may not receive", test_may_not_receive},
    {"a peer that may not send is told so, and nothing of it is stored", test_may_not_send},
    {"each grant that is refused is in the audit log, however often its bulk is offered",
        test_each_grant_is_recorded},
    {"a stranger gets no answer and no room", test_stranger},
    {"a card of another node never becomes that of a peer", test_another_card_of_a_peer},
    {"a receipt for another sender is not answered", test_receipt_for_another_sender},
    {"a name that was changed in the journal is none", test_changed_name},
    {"a peer over its quota waits until there is room", test_quota},
    {"a receiver without room says how much it needs, and takes it when there is",
        test_receiver_full_before},
    {"a receiver that runs full pauses, and goes on when there is room", test_receiver_full_during},
    {"a sender without room fails the transfer with the amount", test_sender_full},
    {"a source touched while it is sealed fails everywhere", test_source_touched},
    {"sealing goes on after a restart, but only of the same files", test_resume},
    {"an interrupted transfer that nobody resumes fails everywhere", test_never_resumed},
    {"a source may go once it is in custody", test_source_removed},
    {"a stale prekey costs a new grant and no bulk", test_stale_prekey},
    {"a ladder of pre-shared keys climbs over restarts", test_psk},
    {"a wrong or missing pre-shared key lets nothing through until it is put right",
        test_psk_wrong})
