#include "tests/unit/negative_lab.h"

#include "base/prng.h"
#include "bundle/cose.h"
#include "bundle/labels.h"
#include "bundle/parcel.h"
#include "node/inspect.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

enum { OBJECT_BYTES = 4 << 20, CLASS = 64 << 10, HEADER_BYTES = 94 };

const struct sf_parcel_use lab_grant_use = {
    .kind = SF_KIND_GRANT,
    .entry_label = {(const uint8_t *)SF_LABEL_GRANT, sizeof(SF_LABEL_GRANT) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_GRANT_BODY, sizeof(SF_LABEL_GRANT_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_GRANT, sizeof(SF_LABEL_SIGN_GRANT) - 1},
};

const struct sf_parcel_use lab_letter_use = {
    .kind = SF_KIND_LETTER,
    .entry_label = {(const uint8_t *)SF_LABEL_LETTER, sizeof(SF_LABEL_LETTER) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_LETTER_BODY, sizeof(SF_LABEL_LETTER_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_LETTER, sizeof(SF_LABEL_SIGN_LETTER) - 1},
};

/* --- The nodes --------------------------------------------------------------------------- */

struct sf_node *
lab_node(struct lab *lab, unsigned number)
{
    return sf_world_node(lab->world, number);
}

struct peer *
lab_peer(struct lab *lab, unsigned number, unsigned other)
{
    struct peer *peer = peer_of(lab_node(lab, number), &lab->cards[other].fingerprint);

    REQUIRE(peer != NULL);
    return peer;
}

const struct sf_random *
lab_random(struct lab *lab)
{
    return &lab_node(lab, GROUND)->config.random;
}

struct sf_addr
lab_nowhere(void)
{
    struct sf_addr addr = sf_world_addr(0);

    addr.ip[sizeof(addr.ip) - 1] ^= 0x55;
    addr.ip[sizeof(addr.ip) - 2] ^= 0x55;
    return addr;
}

static void
note_sent(void *context, const struct sf_world_datagram *datagram)
{
    struct lab *lab = context;
    struct sf_addr nowhere = lab_nowhere();

    lab->leaks += sf_addr_equal(&datagram->addr, &nowhere);
}

static void
introduce(struct lab *lab)
{
    static const struct sf_node_peer shared = {.may_send = true,
        .may_receive = true,
        .has_endpoint = true,
        .rate_bps = 2000000,
        .has_psk = true,
        .psk = {7, 7, 7}};
    struct sf_node_peer plain = shared;

    plain.has_psk = false;
    memset(plain.psk, 0, sizeof(plain.psk));
    for (unsigned i = 0; i < LAB_NODES; i++) {
        for (unsigned k = 0; k < LAB_NODES; k++) {
            if (i != k) {
                sf_world_introduce(lab->world, i, k, i + k == GROUND + SAT ? &shared : &plain);
            }
        }
    }
}

struct wait {
    struct lab *lab;
    unsigned number;
    const struct sf_transfer_id *id;
    enum sf_node_state state;
    uint64_t held;
};

static bool
has_come(struct sf_world *world, void *context)
{
    const struct wait *wait = context;
    struct sf_node_transfer transfer;

    return sf_world_transfer(world, wait->number, wait->id, &transfer) &&
           transfer.state == wait->state && transfer.held >= wait->held;
}

static void
await(struct wait wait)
{
    REQUIRE(sf_world_run_until(
        wait.lab->world, sf_world_now(wait.lab->world) + 300 * SF_SEC, has_come, &wait));
}

void
lab_send(struct lab *lab, const char *path, uint64_t bytes, size_t to_count,
    struct sf_transfer_id *ret_id)
{
    static uint64_t seed = 5;
    static const unsigned to[] = {SAT, EDGE};
    struct sf_node_error error;
    const struct sf_world_send order = {.from = GROUND,
        .to = to,
        .to_count = to_count,
        .label = path + sizeof("source/") - 1,
        .paths = &path,
        .path_count = 1,
        .priority = to_count == 1 ? 1 : SF_NODE_PRIORITY_DEFAULT}; /* the smaller one overtakes */

    REQUIRE_EQ(sf_sim_disk_source(
                   sf_world_disk(lab->world, GROUND), path, bytes, sf_sim_disk_generate, &seed),
        SF_OK);
    REQUIRE_EQ(sf_world_send(lab->world, &order, ret_id, &error), SF_OK);
}

void
lab_retire_prekeys(struct lab *lab)
{
    for (unsigned i = 0; i < FORMER; i++) {
        struct sf_node *node = lab_node(lab, i);

        for (unsigned week = 0; week < 16; week++) {
            (void)sf_identity_rotate(node->identity, &node->config.random, 7 * SF_DAY_MS);
        }
        sf_card_of(node->identity, &node->card);
        lab->cards[i] = node->card;
        REQUIRE(sf_prekey_find(&node->identity->prekeys, lab->old_cards[i].prekey.number) == NULL);
        REQUIRE(sf_prekey_find(
                    &node->identity->link_prekeys, lab->old_cards[i].link_prekey.number) == NULL);
    }
}

void
lab_open(struct lab *lab)
{
    static const char *const names[LAB_NODES] = {"ground", "sat", "edge", "former"};
    const struct sf_world_spy spy = {.context = lab, .sent = note_sent};
    struct sf_node_error error;
    struct peer *sat;

    memset(lab, 0, sizeof(*lab));
    lab->object = buffer_alloc(OBJECT_BYTES);
    lab->plain = buffer_alloc(OBJECT_BYTES);
    REQUIRE(lab->object != NULL && lab->plain != NULL);
    lab->world = sf_world_open(77);
    for (unsigned i = 0; i < LAB_NODES; i++) {
        REQUIRE_EQ(sf_world_add(lab->world, names[i]), i);
        sf_world_config(lab->world, i)->class_bytes = CLASS;
    }
    introduce(lab);
    for (unsigned i = 0; i < LAB_NODES; i++) {
        REQUIRE_EQ(sf_world_start(lab->world, i, &error), SF_OK);
        lab->identities[i] = lab_node(lab, i)->identity;
        lab->cards[i] = lab->old_cards[i] = lab_node(lab, i)->card;
    }
    lab->identities[FORMER] = sf_secret_alloc(sizeof(struct sf_identity));
    REQUIRE(lab->identities[FORMER] != NULL);
    memcpy(
        lab->identities[FORMER], lab_node(lab, FORMER)->identity, sizeof(*lab->identities[FORMER]));
    sf_world_stop(lab->world, FORMER);

    lab_send(lab, "source/done", 100000, 1, &lab->done);
    await((struct wait){lab, GROUND, &lab->done, SF_NODE_DONE, 0});
    sat = lab_peer(lab, GROUND, SAT);
    lab->used = sat->ladder.out;
    lab_send(lab, "source/shared", 12000000, 2, &lab->shared);
    await((struct wait){lab, SAT, &lab->shared, SF_NODE_RECEIVING, 3});
    REQUIRE(sat->ladder.out.number == lab->used.number + 1);
    await((struct wait){lab, EDGE, &lab->shared, SF_NODE_RECEIVING, 3});
    lab_send(lab, "source/single", 3000000, 1, &lab->single);
    await((struct wait){lab, SAT, &lab->single, SF_NODE_RECEIVING, 1});
    for (unsigned i = 0; i < FORMER; i++) {
        (void)sf_world_revoke(lab->world, i, FORMER);
    }
    sf_world_run(lab->world, sf_world_now(lab->world) + SF_SEC);
    sf_world_spy(lab->world, &spy);
    REQUIRE_EQ(sf_inspect_datagrams_in(lab_node(lab, SAT)) > 0, true);
}

void
lab_close(struct lab *lab)
{
    sf_secret_free(lab->identities[FORMER]);
    sf_world_close(lab->world);
    free(lab->object);
    free(lab->plain);
}

/* --- What counts -------------------------------------------------------------------------- */

static void
add_u64(struct sf_sha256 *hash, uint64_t value)
{
    uint8_t bytes[8];

    sf_put_be64(bytes, value);
    sf_sha256_update(hash, bytes, sizeof(bytes));
}

static void
add_out(struct sf_sha256 *hash, const struct outbound *out)
{
    add_u64(hash, out->record.phase);
    add_u64(hash, out->want_freed);
    add_u64(hash, out->seal != NULL);
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        const struct out_to *to = &out->to[i];

        add_u64(hash, to->record.phase);
        add_u64(hash, to->record.opened);
        add_u64(hash, to->is_paused);
        add_u64(hash, to->receipts.generation);
        add_u64(hash, to->receipts.counter);
        add_u64(hash, to->receipts.verified);
        add_u64(hash, to->receipts.final);
        add_u64(hash, to->receipts.failed);
        add_u64(hash, sf_range_set_total(&to->receipts.held));
    }
}

static void
add_in(struct sf_sha256 *hash, const struct inbound *in)
{
    sf_sha256_update(hash, in->id.b, sizeof(in->id.b));
    add_u64(hash, in->record.phase);
    add_u64(hash, in->record.generation);
    add_u64(hash, in->record.number);
    add_u64(hash, in->want_freed);
    add_u64(hash, in->seal != NULL);
    add_u64(hash, sf_range_set_total(&in->held));
    add_u64(hash, sf_range_set_total(&in->orphans));
    add_u64(hash, sf_range_set_total(&in->storing));
}

struct sf_digest
lab_look(struct lab *lab)
{
    struct sf_sha256 hash;
    struct sf_digest digest;

    sf_sha256_init(&hash);
    for (unsigned i = 0; i < FORMER; i++) {
        struct sf_node *node = lab_node(lab, i);

        for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
            add_out(&hash, out);
        }
        for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
            add_in(&hash, in);
        }
        for (size_t k = 0; k < node->peer_count; k++) {
            const struct peer *peer = &node->peers[node->peer_order[k]];

            add_u64(&hash, peer->record.epoch_in);
            add_u64(&hash, peer->conf.card.issue);
            sf_sha256_update(&hash, peer->conf.card.name, sizeof(peer->conf.card.name));
            add_u64(&hash, peer->ladder.in.number);
            add_u64(&hash, peer->ladder.passed_count);
        }
        add_u64(&hash, sf_inspect_datagrams_in(node));
    }
    sf_sha256_final(&hash, digest.b);
    return digest;
}

/* --- Hands that forge ----------------------------------------------------------------------- */

void
lab_liar(const struct lab *lab, unsigned signer, unsigned name, struct sf_identity *ret)
{
    memcpy(ret, lab->identities[signer], sizeof(*ret));
    ret->fingerprint = lab->cards[name].fingerprint;
}

void
lab_change_body(struct lab *lab, unsigned recipient, const struct sf_parcel_use *use,
    const struct sf_grant_psk_lookup *psks, uint8_t *object, size_t bytes)
{
    static const struct sf_view ad = {sf_cose_seal_ad, sizeof(sf_cose_seal_ad)};
    struct sf_parcel_entry entry;
    struct sf_parcel parcel;
    uint8_t *cipher;

    REQUIRE_EQ(sf_parcel_parse(sf_view(object, bytes), &parcel), SF_OK);
    REQUIRE_EQ(sf_parcel_open_entry(&parcel, use, lab->identities[recipient], psks, &entry), SF_OK);
    cipher = object + parcel.outside.bytes;
    REQUIRE_EQ(sf_aead_open(entry.body_key, parcel.iv, ad, parcel.cipher, cipher), SF_OK);
    cipher[SF_SIGNATURE_BYTES + 32 + 12] ^= 1;
    sf_aead_seal(entry.body_key, parcel.iv, ad,
        sf_view(cipher, parcel.cipher.bytes - SF_AEAD_TAG_BYTES), cipher);
    sf_wipe(&entry, sizeof(entry));
}

void
lab_swap_body(uint8_t *object, const uint8_t *other, size_t bytes)
{
    struct sf_parcel parcel;

    REQUIRE_EQ(sf_parcel_parse(sf_view(object, bytes), &parcel), SF_OK);
    memcpy(object + parcel.outside.bytes, other + parcel.outside.bytes, parcel.cipher.bytes);
}

void
lab_change_bundle(const struct sf_seal *seal, uint64_t index, uint8_t *object, size_t class_bytes)
{
    static const struct sf_view ad = {sf_cose_seal_ad, sizeof(sf_cose_seal_ad)};
    uint8_t id[SF_OBJECT_ID_BYTES];
    uint8_t siv[SF_SIV_BYTES];
    uint8_t place[25];
    uint8_t key[44];
    const struct sf_view info[] = {SF_LABEL_VIEW(SF_LABEL_BUNDLE), sf_view(place, sizeof(place))};
    uint8_t *cipher = object + HEADER_BYTES;
    size_t bytes = class_bytes - HEADER_BYTES;

    REQUIRE_EQ(sf_envelope_peek(sf_view(object, class_bytes), id, siv), SF_OK);
    memcpy(place, seal->transfer.b, 16);
    place[16] = SF_KIND_DATA;
    sf_put_be64(place + 17, index);
    sf_hkdf_sha256(
        sf_view(seal->cek, SF_CEK_BYTES), sf_view(siv, sizeof(siv)), info, 2, key, sizeof(key));
    REQUIRE_EQ(sf_aead_open(key, key + 32, ad, sf_view(cipher, bytes), cipher), SF_OK);
    cipher[SF_SIGNATURE_BYTES + 10] ^= 1;
    sf_aead_seal(key, key + 32, ad, sf_view(cipher, bytes - SF_AEAD_TAG_BYTES), cipher);
}
