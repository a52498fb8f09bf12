/*
 * What owners ask of a node and cannot have, and what they may do to it at any moment.
 */
#include "tests/unit/node_unfinished.h"

#include "bundle/identity.h"
#include "bundle/letter.h"
#include "bundle/manifest.h"
#include "link/rtt.h"
#include "node/contacts.h"

/* More bundles begun than memory takes: what came of them waits on the disk, and nothing is lost. */
static void
test_spills(void)
{
    enum { BYTES = 90000000 };
    const struct sf_sim_path_config path = {
        .delay_ns = 4 * SF_SEC, .rate_bps = 102000000, .queue_bytes = 1 << 20, .loss_ppm = 100000};
    const struct sf_node_peer conf = {
        .may_send = true, .may_receive = true, .has_endpoint = true, .rate_bps = 100000000};

    fixture_make(&f, 40005, 2);
    sf_world_path(f.world, GROUND, SAT, &path);
    sf_world_path(f.world, SAT, GROUND, &path);
    sf_world_introduce(f.world, GROUND, SAT, &conf);
    sf_world_introduce(f.world, SAT, GROUND, &conf);
    fixture_start(&f, GROUND);
    fixture_start(&f, SAT);
    fixture_send_file(&f, BYTES);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
    fixture_close(&f);
}

/* --- Stops -------------------------------------------------------------------------------------- */

/* A node that is stopped in an orderly way at any moment of a transfer goes on with it when it is started again. */
static void
test_stops(void)
{
    enum { STOPS = 12, BYTES = 1000000 };

    for (unsigned i = 0; i < 2 * STOPS; i++) {
        unsigned number = i % 2 == 0 ? SAT : GROUND;
        struct sf_world_send order = fixture_order();

        fixture_open(&f, 41000 + i, 2);
        fixture_send_file(&f, BYTES);
        fixture_run(&f, (1 + i / 2) * 10 * SF_MS);
        sf_world_stop(f.world, number);
        fixture_run(&f, 50 * SF_MS);
        fixture_start(&f, number);
        if (fixture_transfer(&f, GROUND).state == SF_NODE_INTERRUPTED) {
            order.has_resume = true;
            order.resume = f.id;
            fixture_send(&f, &order);
        }
        CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 600 * SF_SEC));
        fixture_check_file(&f, SAT, "inbox/ground/model.bin", BYTES, 0);
        fixture_close(&f);
    }
}

/* --- What is asked ----------------------------------------------------------------------------- */

static struct sf_node_peer
known_peer(const char *name)
{
    struct sf_node_peer_info info;

    REQUIRE(sf_node_peer_at(sf_world_node(f.world, GROUND), 0, &info));
    CHECK_TEXT(info.peer.name, name);
    return info.peer;
}

static void
check_peer(const struct sf_node_peer *conf, int status)
{
    f.error.text[0] = '\0';
    CHECK_EQ(sf_node_peer_set(sf_world_node(f.world, GROUND), conf, &f.error), status);
    CHECK(status == SF_OK || f.error.text[0] != '\0');
}

static void
test_peers(void)
{
    struct sf_node_peer good;
    struct sf_node_peer bad;

    fixture_open(&f, 40002, 2);
    good = known_peer("sat");
    bad = good;
    memcpy(bad.name, ".sat", 5);
    check_peer(&bad, SF_EINVAL);
    bad = good;
    bad.card = *sf_node_card(sf_world_node(f.world, GROUND));
    memcpy(bad.name, "self", 5);
    check_peer(&bad, SF_EINVAL);
    bad = good;
    memcpy(bad.name, "alias", 6);
    check_peer(&bad, SF_EEXIST);
    bad = good;
    bad.rate_bps = SF_LINK_RATE_BPS_MIN - 1;
    check_peer(&bad, SF_EINVAL);
    bad.rate_bps = SF_LINK_RATE_BPS_MAX + 1;
    check_peer(&bad, SF_EINVAL);
    bad = good;
    bad.rtt_ns = SF_RTT_NS_MAX + 1;
    check_peer(&bad, SF_EINVAL);
    bad = good;
    bad.no_return = true;
    bad.pace = SF_LINK_PACE_ADAPTIVE;
    check_peer(&bad, SF_EINVAL);
    bad = good;
    bad.card.fingerprint.b[0] ^= 1;
    check_peer(&bad, SF_EEXIST);
    for (unsigned i = 1; i < SF_NODE_PEERS_MAX; i++) {
        struct sf_identity *identity;

        snprintf(bad.name, sizeof(bad.name), "peer%u", i);
        REQUIRE_EQ(sf_identity_generate(&sf_random_system, bad.name, &identity), SF_OK);
        sf_card_of(identity, &bad.card);
        sf_identity_fini(identity);
        check_peer(&bad, SF_OK);
    }
    memcpy(bad.name, "another", 8);
    bad.card.fingerprint.b[0] ^= 1;
    check_peer(&bad, SF_ELIMIT);
    check_peer(&good, SF_OK);
    bad = known_peer("sat");
    CHECK_BYTES(&bad, &good, sizeof(good));
    fixture_send_file(&f, 30000);
    CHECK(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_close(&f);
}

static void
check_send(const struct sf_node_send *send, int status)
{
    struct sf_transfer_id id;

    f.error.text[0] = '\0';
    CHECK_EQ(sf_node_send(sf_world_node(f.world, GROUND), send, &id, &f.error), status);
    CHECK(f.error.text[0] != '\0');
}

static void
test_sends(void)
{
    static const char *const to[] = {"sat", "sat"};
    static const char *const nobody[] = {"nobody"};
    static const struct sf_node_source sources[2] = {{.file = -1}, {.file = -1}};
    static uint8_t label[SF_COMPONENT_BYTES_MAX + 1];
    struct sf_node_send good = {.recipients = to,
        .recipient_count = 1,
        .label = {(const uint8_t *)"model", 5},
        .sources = sources,
        .source_count = 2};
    struct sf_node_send bad;

    memset(label, 'x', sizeof(label));
    fixture_open(&f, 40003, 2);
    bad = good;
    bad.recipient_count = 0;
    check_send(&bad, SF_EINVAL);
    bad.recipient_count = SF_NODE_RECIPIENTS_MAX + 1;
    check_send(&bad, SF_EINVAL);
    bad.recipient_count = 2;
    check_send(&bad, SF_EINVAL);
    bad = good;
    bad.recipients = nobody;
    check_send(&bad, SF_ENOENT);
    bad = good;
    bad.source_count = 0;
    check_send(&bad, SF_EINVAL);
    bad.source_count = 2;
    bad.single_file = true;
    check_send(&bad, SF_EINVAL);
    bad = good;
    bad.label = sf_view(label, 0);
    check_send(&bad, SF_EINVAL);
    bad.label = sf_view(label, sizeof(label));
    check_send(&bad, SF_EINVAL);
    bad.label = sf_view((const uint8_t *)"a/b", 3);
    check_send(&bad, SF_EINVAL);
    bad.label = sf_view((const uint8_t *)"..", 2);
    check_send(&bad, SF_EINVAL);
    bad = good;
    bad.has_resume = true;
    check_send(&bad, SF_ENOENT);
    CHECK_EQ(count_transfers(), 0);
    fixture_close(&f);
}

/* What is asked of transfers and of plans that are not there. */
static void
test_questions(void)
{
    static uint8_t letter[SF_LETTER_BYTES_MAX];
    struct sf_transfer_id none = {{9}};
    struct sf_node_file file;
    struct sf_wall when;
    struct sf_node_peer silent;
    struct sf_node *ground;
    size_t bytes;

    CHECK_TEXT(sf_node_state_name((enum sf_node_state)99), "unknown");
    CHECK_TEXT(sf_node_recipient_state_name((enum sf_node_recipient_state)99), "unknown");
    make_unfinished();
    fixture_start(&f, SAT);
    fixture_start(&f, GROUND);
    ground = sf_world_node(f.world, GROUND);
    CHECK(!sf_node_transfer_file(ground, &none, 0, &file));
    CHECK(sf_node_transfer_file(ground, &f.id, 0, &file));
    CHECK_EQ(file.bytes, FILE_BYTES);
    CHECK(!sf_node_transfer_file(ground, &f.id, 1, &file));
    CHECK(!sf_node_transfer_file(sf_world_node(f.world, SAT), &f.id, 0, &file));
    CHECK(sf_node_transfer_receipt(ground, &f.id, 1).data == NULL);
    CHECK(sf_node_transfer_receipt(sf_world_node(f.world, SAT), &f.id, 1).data == NULL);
    CHECK_EQ(sf_node_contacts_eta(ground, "sat", &f.id, sf_world_wall(f.world, GROUND), &when),
        SF_ENOENT);
    CHECK_EQ(sf_node_contacts_eta(ground, "sat", &none, sf_world_wall(f.world, GROUND), &when),
        SF_ENOENT);
    CHECK_EQ(sf_node_receipt_export(ground, &none, letter, &bytes, &f.error), SF_ENOENT);
    CHECK_EQ(sf_node_cancel(ground, &none, &f.error), SF_ENOENT);
    /* A peer with open transfers stays, at either end; one that may not receive any more gets nothing. */
    CHECK_EQ(sf_node_peer_remove(ground, "sat", &f.error), SF_ESTATE);
    CHECK_EQ(sf_node_peer_remove(sf_world_node(f.world, SAT), "ground", &f.error), SF_ESTATE);
    CHECK_EQ(sf_node_peer_remove(ground, "nobody", &f.error), SF_ENOENT);
    silent = known_peer("sat");
    silent.may_receive = false;
    check_peer(&silent, SF_OK);
    fixture_run(&f, SF_SEC);
    CHECK(strstr(fixture_transfer(&f, GROUND).recipients[0].why, "no longer allowed") != NULL);
    silent.may_receive = true;
    check_peer(&silent, SF_OK);
    check_arrives();
    fixture_close(&f);
}

CHECK_MAIN("node_asked", {"what memory has no room for waits on the disk", test_spills},
    {"an orderly stop at any moment loses nothing", test_stops},
    {"peers that cannot be are refused with a reason", test_peers},
    {"sends that cannot be are refused with a reason", test_sends},
    {"questions about what is not there are answered", test_questions})
