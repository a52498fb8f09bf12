/*
 * negative_tries.c - the attempts of the negative matrix: objects that are right
 * in all but one thing, made with true keys and given to a node as a peer would.
 */
#include "tests/unit/negative_tries.h"

#include "bundle/parcel.h"
#include "link/opener.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

/* --- Bundles: given to sat, as if of ground ----------------------------------------------- */

/* The content of a bundle of `shared`, as ground sealed it, into object; returns its length. */
static size_t
true_content(struct lab *lab, uint64_t index)
{
    struct outbound *out = outbound_find(lab_node(lab, GROUND), &lab->shared);
    const struct sf_envelope_expect expect = {
        .signer_pk = lab->cards[GROUND].sign_pk,
        .signer_fingerprint = &lab->cards[GROUND].fingerprint,
        .kind = SF_KIND_DATA,
        .index = index,
    };
    uint32_t class_bytes = out->record.class_bytes;
    struct sf_disk *disk = sf_sim_disk_interface(sf_world_disk(lab->world, GROUND));
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .flags = SF_DISK_RDWR};
    char path[64] = "spool/";
    struct sf_view content;
    uint8_t siv[SF_SIV_BYTES];

    for (size_t i = 0; i < sizeof(lab->shared.b); i++) {
        snprintf(path + 6 + 2 * i, 3, "%02x", lab->shared.b[i]);
    }
    strcat(path, ".out");
    op.path = path;
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    op = (struct sf_disk_op){.kind = SF_DISK_READ,
        .file = op.ret_file,
        .data = lab->object,
        .bytes = class_bytes,
        .offset = index * class_bytes};
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    op = (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = op.file};
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    REQUIRE_EQ(sf_envelope_open(out->seal, &expect, sf_view(lab->object, class_bytes), lab->plain,
                   &content, siv),
        SF_OK);
    memmove(lab->plain, content.data, content.bytes);
    return content.bytes;
}

static int
try_bundle(struct lab *lab, uint64_t index, enum row row)
{
    struct sf_node *ground = lab_node(lab, GROUND);
    struct outbound *out = outbound_find(ground, &lab->shared);
    struct inbound *in =
        inbound_find(lab_node(lab, SAT), &lab->shared, &lab->cards[GROUND].fingerprint);
    const struct sf_identity *signer = ground->identity;
    const struct sf_seal *key = out->seal;
    uint32_t class_bytes = out->record.class_bytes;
    uint64_t sealed_at = row == OTHER_INDEX ? index + 1 : index;
    struct sf_transfer_id id = row == OTHER_TRANSFER ? lab->single : lab->shared;
    size_t bytes = true_content(lab, index);
    uint8_t siv[SF_SIV_BYTES];
    struct sf_view content;
    struct sf_seal seal;
    int status;

    if (row == WRONG_SIGNER) {
        signer = lab->identities[EDGE]; /* who knows the content key */
    } else if (row == SWAPPED) {
        key = outbound_find(ground, &lab->single)->seal; /* what another grant gave */
    }
    sf_seal_init(&seal, key->cek, &id);
    memcpy(lab->object + sf_envelope_content_offset(class_bytes), lab->plain, bytes);
    REQUIRE_EQ(sf_envelope_seal(
                   &seal, signer, SF_KIND_DATA, sealed_at, lab->object, class_bytes, bytes, siv),
        SF_OK);
    if (row == TRUE_SIGNATURE) {
        lab_change_bundle(&seal, index, lab->object, class_bytes);
    }
    status = open_bundle(in, index, lab->object, lab->plain, &content);
    sf_seal_fini(&seal);
    return status;
}

static uint64_t
last_index(struct lab *lab)
{
    return outbound_find(lab_node(lab, GROUND), &lab->shared)->record.count - 1;
}

static int
try_data(struct lab *lab, enum row row)
{
    return try_bundle(lab, 1, row);
}

static int
try_outline(struct lab *lab, enum row row)
{
    return try_bundle(lab, 0, row);
}

static int
try_digests(struct lab *lab, enum row row)
{
    return try_bundle(lab, last_index(lab), row);
}

/* --- Grants: given to edge, or under a rung to sat ------------------------------------------ */

struct grant_try {
    struct lab *lab;
    unsigned to;
};

static bool
find_rung(void *context, uint64_t rung, size_t n, uint8_t ret_psk[SF_PSK_BYTES],
    struct sf_fingerprint *ret_sender)
{
    const struct grant_try *attempt = context;
    struct lab *lab = attempt->lab;

    *ret_sender = lab->cards[GROUND].fingerprint;
    return n == 0 && attempt->to == SAT &&
           ladder_find(lab_node(lab, SAT), lab_peer(lab, SAT, GROUND), rung, ret_psk);
}

static bool
needs_rung(void *context, const struct sf_fingerprint *sender)
{
    const struct grant_try *attempt = context;

    return attempt->to == SAT &&
           sf_fingerprint_equal(sender, &attempt->lab->cards[GROUND].fingerprint);
}

/* A grant that is right but for `row` into lab->object; returns its length. */
static size_t
make_grant(struct lab *lab, unsigned to, enum row row, const struct sf_transfer_id *transfer)
{
    static const uint8_t cek[SF_CEK_BYTES] = {3, 1, 4};
    static struct sf_identity signer;
    struct sf_rung rung = lab_peer(lab, SAT, GROUND)->ladder.in;
    struct sf_grant_recipient recipient = {.card = &lab->cards[to], .number = 1000};
    const struct sf_grant_config config = {.identity = &signer,
        .transfer = *transfer,
        .cek = cek,
        .class_bytes = 64 << 10,
        .slots = 64,
        .recipients = &recipient,
        .recipient_count = 1};
    size_t bytes;

    lab_liar(lab,
        row == WRONG_SIGNER ? SAT + EDGE - to
        : row == REVOKED    ? FORMER
                            : GROUND,
        row == REVOKED ? FORMER : GROUND, &signer);
    if (row == EXPIRED) {
        recipient.card = &lab->old_cards[to];
    } else if (row == OTHER_RECIPIENT) {
        recipient.card = &lab->cards[SAT + EDGE - to];
    }
    if (row == REPLAY) {
        rung = lab->used;
    }
    if (to == SAT && row != STRIPPED_PSK) {
        recipient.has_psk = true;
        recipient.rung = rung.number;
        sf_ladder_psk(&rung, recipient.psk);
    }
    REQUIRE_EQ(
        sf_grant_seal(&config, lab_random(lab), lab->object, SF_GRANT_BYTES_MAX, &bytes), SF_OK);
    sf_wipe(&signer, sizeof(signer));
    return bytes;
}

/* What the node that gets it makes of a grant; then it gets it, announced as `announced`. */
static int
give_grant(struct lab *lab, unsigned to, size_t bytes, const struct sf_transfer_id *announced)
{
    struct sf_node *node = lab_node(lab, to);
    struct grant_try attempt = {lab, to};
    const struct sf_card_lookup cards = {peers_find_card, node};
    const struct sf_grant_psk_lookup psks = {find_rung, needs_rung, &attempt};
    struct sf_grant grant;
    int status = sf_grant_open(node->identity, &cards, &psks, sf_view(lab->object, bytes), &grant);

    post_take(node, lab_peer(lab, to, GROUND), SF_KIND_GRANT, announced, lab->object, bytes);
    return status == SF_ENOENT ? SILENT : status == SF_OK ? UNCHANGED : status;
}

static int
try_grant_to(struct lab *lab, unsigned to, enum row row)
{
    static const struct sf_transfer_id fresh = {{0x51}};
    static const struct sf_transfer_id other = {{0x52}};
    const struct sf_transfer_id *transfer = row == REPLAY ? &lab->shared : &fresh;
    size_t bytes;

    if (row == SWAPPED) {
        bytes = make_grant(lab, to, ROWS, &other);
        memcpy(lab->plain, lab->object, bytes);
    }
    bytes = make_grant(lab, to, row, transfer);
    if (row == SWAPPED) {
        lab_swap_body(lab->object, lab->plain, bytes);
    } else if (row == TRUE_SIGNATURE) {
        struct grant_try attempt = {lab, to};
        const struct sf_grant_psk_lookup psks = {find_rung, needs_rung, &attempt};

        lab_change_body(lab, to, &lab_grant_use, &psks, lab->object, bytes);
    }
    return give_grant(lab, to, bytes, row == OTHER_TRANSFER ? &other : transfer);
}

static int
try_grant(struct lab *lab, enum row row)
{
    return try_grant_to(lab, EDGE, row);
}

static int
try_grant_psk(struct lab *lab, enum row row)
{
    return try_grant_to(lab, SAT, row);
}

/* --- Letters ----------------------------------------------------------------------------------- */

/* Who writes a letter, who brings it and whom it is given to. */
struct post {
    unsigned from;
    unsigned name; /* whose it says it is */
    unsigned bearer;
    unsigned to;
    const struct sf_card *card; /* it is sealed to */
    enum sf_letter_type type;
};

static struct post
post_of(struct lab *lab, unsigned from, unsigned to, enum sf_letter_type type)
{
    return (struct post){from, from, from, to, &lab->cards[to], type};
}

/* Into lab->object; returns its length. */
static size_t
seal_letter(struct lab *lab, const struct post *post, struct sf_view content)
{
    static struct sf_identity signer;
    size_t bytes;

    lab_liar(lab, post->from, post->name, &signer);
    REQUIRE_EQ(sf_letter_seal(&signer, post->card, post->type, content, lab_random(lab),
                   lab->object, SF_LETTER_BYTES_MAX, &bytes),
        SF_OK);
    sf_wipe(&signer, sizeof(signer));
    return bytes;
}

static int
give_letter(struct lab *lab, const struct post *post, size_t bytes)
{
    static const struct sf_transfer_id name = {{0x61}};
    struct sf_node *node = lab_node(lab, post->to);
    const struct sf_card_lookup cards = {peers_find_card, node};
    struct sf_letter letter;
    int status;

    memcpy(lab->plain, lab->object, bytes);
    status = sf_letter_open(node->identity, &cards, lab->plain, bytes, &letter);
    post_take(
        node, lab_peer(lab, post->to, post->bearer), SF_KIND_LETTER, &name, lab->object, bytes);
    return status == SF_ENOENT ? SILENT : status == SF_OK ? UNCHANGED : status;
}

/* The rows that concern the envelope alone. */
static int
try_envelope(struct lab *lab, struct post post, struct sf_view content, enum row row)
{
    size_t bytes;

    switch (row) {
    case WRONG_SIGNER:
        post.name = post.from; /* in the true one's name, and brought by it */
        post.from = EDGE;
        break;
    case REVOKED:
        post.from = post.name = FORMER;
        break;
    case EXPIRED:
        post.card = &lab->old_cards[post.to];
        break;
    case OTHER_RECIPIENT:
        post.card = &lab->cards[EDGE];
        break;
    default:
        break;
    }
    bytes = seal_letter(lab, &post, content);
    if (row == SWAPPED) {
        static uint8_t other[SF_LETTER_BYTES_MAX];

        memcpy(other, lab->object, bytes);
        REQUIRE_EQ(seal_letter(lab, &post, content), bytes);
        lab_swap_body(lab->object, other, bytes);
    } else if (row == TRUE_SIGNATURE) {
        lab_change_body(lab, post.to, &lab_letter_use, NULL, lab->object, bytes);
    } else if (row == REPLAY) {
        memcpy(lab->plain, lab->object, bytes);
        (void)give_letter(lab, &post, bytes);
        bytes = seal_letter(lab, &post, content);
    }
    return give_letter(lab, &post, bytes);
}

/* --- Receipts: given to ground, as if of sat -------------------------------------------------- */

/* What sat has truly said last of a transfer, or would say. */
static void
fill_receipt(struct lab *lab, enum sf_receipt_phase phase, enum row row, struct sf_receipt *receipt)
{
    struct outbound *out = outbound_find(lab_node(lab, GROUND), &lab->single);
    const struct out_to *to = &out->to[0];
    static struct sf_file_digest file;

    sf_receipt_init(receipt);
    receipt->receiver = lab->cards[row == NO_RECIPIENT ? EDGE : SAT].fingerprint;
    receipt->sender = lab->cards[row == OTHER_RECIPIENT ? EDGE : GROUND].fingerprint;
    receipt->transfer = row == OTHER_TRANSFER ? (struct sf_transfer_id){{0x71}} : lab->single;
    receipt->generation = to->receipts.generation;
    receipt->counter = to->receipts.counter + (row == REPLAY ? 0 : 1000);
    receipt->phase = phase;
    if (phase == SF_RECEIPT_VERIFIED || phase == SF_RECEIPT_FINAL) {
        memcpy(file.sha256, out->files[0].sha256.b, 32);
        file.bytes = out->files[0].bytes;
        receipt->has_manifest = true;
        receipt->manifest = out->manifest;
        receipt->manifest.b[0] ^= row == OTHER_MANIFEST ? 1 : 0;
        receipt->files = &file;
        receipt->file_count = 1;
    } else {
        REQUIRE_EQ(sf_range_set_copy(&receipt->held, &to->receipts.held), SF_OK);
        if (row == OTHER_INDEX) {
            REQUIRE_EQ(
                sf_range_set_add(&receipt->held, out->record.slots + 5, out->record.slots + 6),
                SF_OK);
        }
    }
    if (phase == SF_RECEIPT_REFUSED) {
        receipt->refusal = SF_REFUSAL_TOO_LARGE;
    }
}

/* What ground's own books make of a receipt that authenticates. */
static int
merge(struct lab *lab, const struct sf_receipt *receipt, bool twice)
{
    struct outbound *out = outbound_find(lab_node(lab, GROUND), &lab->single);
    struct sf_receipt_state copy = out->to[0].receipts;
    bool changed = false;
    int status;

    sf_range_set_init(&copy.held, SF_RECEIPT_STATE_RANGES_MAX);
    REQUIRE_EQ(sf_range_set_copy(&copy.held, &out->to[0].receipts.held), SF_OK);
    status = sf_receipt_merge(&copy, receipt, &changed);
    if (status == SF_OK && twice) {
        status = sf_receipt_merge(&copy, receipt, &changed);
    }
    sf_range_set_fini(&copy.held);
    return status == SF_OK && !changed ? UNCHANGED : status;
}

static int
try_receipt(struct lab *lab, enum sf_receipt_phase phase, enum row row)
{
    static uint8_t encoded[SF_RECEIPT_BYTES_MAX];
    static struct sf_identity signer;
    struct post post = post_of(lab, row == NO_RECIPIENT ? EDGE : SAT, GROUND, SF_LETTER_RECEIPT);
    const struct sf_card *card = &lab->cards[post.from];
    struct sf_receipt receipt;
    struct sf_receipt decoded;
    size_t bytes;
    int status;

    fill_receipt(lab, phase, row, &receipt);
    lab_liar(lab, row == WRONG_SIGNER ? EDGE : post.from, post.from, &signer);
    REQUIRE_EQ(sf_receipt_encode(&receipt, &signer, encoded, sizeof(encoded), &bytes), SF_OK);
    sf_wipe(&signer, sizeof(signer));
    if (row == REVOKED || row == EXPIRED) {
        status = try_envelope(lab, post, sf_view(encoded, bytes), row);
        goto out;
    }
    if (row == TRUE_SIGNATURE) {
        encoded[bytes - SF_SIGNATURE_BYTES - 2 - 10] ^= 1; /* in what was signed */
    }
    if (row == REPLAY && phase == SF_RECEIPT_FINAL) {
        /* Of a transfer that ended long ago, as it was. */
        struct sf_node *node = lab_node(lab, SAT);
        struct sf_view kept = sf_node_transfer_receipt(node, &lab->done, 0);

        REQUIRE(kept.data != NULL);
        (void)give_letter(lab, &post, seal_letter(lab, &post, kept));
        status = UNCHANGED;
        goto out;
    }
    status =
        sf_receipt_decode(sf_view(encoded, bytes), card->sign_pk, &card->fingerprint, &decoded);
    if (status == SF_OK) {
        status = merge(lab, &decoded, row == REPLAY);
        sf_receipt_fini(&decoded);
    }
    if (row == REPLAY && phase != SF_RECEIPT_HELD) {
        goto out; /* the first of the two would be news */
    }
    (void)give_letter(lab, &post, seal_letter(lab, &post, sf_view(encoded, bytes)));

out:
    receipt.files = NULL;
    sf_receipt_fini(&receipt);
    return status;
}

static int
try_held(struct lab *lab, enum row row)
{
    return try_receipt(lab, SF_RECEIPT_HELD, row);
}

static int
try_verified(struct lab *lab, enum row row)
{
    return try_receipt(lab, SF_RECEIPT_VERIFIED, row);
}

static int
try_final(struct lab *lab, enum row row)
{
    return try_receipt(lab, SF_RECEIPT_FINAL, row);
}

static int
try_refused(struct lab *lab, enum row row)
{
    return try_receipt(lab, SF_RECEIPT_REFUSED, row);
}

/* --- Letters as such, cancels, cards --------------------------------------------------------------- */

/* What stands in it is a true card, which the other knows an older issue of. */
static int
try_letter(struct lab *lab, enum row row)
{
    static uint8_t card[SF_CARD_BYTES_MAX];
    size_t bytes;

    REQUIRE_EQ(sf_card_encode(lab->identities[SAT], card, sizeof(card), &bytes), SF_OK);
    return try_envelope(lab, post_of(lab, SAT, GROUND, SF_LETTER_CARD), sf_view(card, bytes), row);
}

/* Ground calls back what it sends to sat; somebody else would like to. */
static int
try_cancel(struct lab *lab, enum row row)
{
    static uint8_t encoded[SF_CANCEL_BYTES_MAX];
    static struct sf_identity signer;
    struct post post = post_of(lab, GROUND, SAT, SF_LETTER_CANCEL);
    struct sf_cancel cancel = {
        .transfer = row == REPLAY ? lab->done : lab->shared, .reason = SF_CANCEL_OPERATOR};
    const struct sf_card *card;
    size_t bytes;
    int status;

    if (row == OTHER_TRANSFER) {
        post.from = post.name = post.bearer = EDGE; /* its own cancel, of what is not its own */
    }
    card = &lab->cards[post.from];
    cancel.by = card->fingerprint;
    lab_liar(lab, row == WRONG_SIGNER ? EDGE : post.from, post.from, &signer);
    REQUIRE_EQ(sf_cancel_encode(&cancel, &signer, encoded, sizeof(encoded), &bytes), SF_OK);
    sf_wipe(&signer, sizeof(signer));
    if (row == REVOKED || row == EXPIRED || row == OTHER_RECIPIENT || row == SWAPPED) {
        return try_envelope(lab, post, sf_view(encoded, bytes), row);
    }
    if (row == TRUE_SIGNATURE) {
        encoded[bytes - SF_SIGNATURE_BYTES - 2 - 1] ^= 1; /* the reason */
    }
    status = sf_cancel_decode(sf_view(encoded, bytes), card->sign_pk, &card->fingerprint, &cancel);
    (void)give_letter(lab, &post, seal_letter(lab, &post, sf_view(encoded, bytes)));
    return status == SF_OK ? UNCHANGED : status;
}

/* Of sat, to ground, who knows an older one. */
static int
try_card(struct lab *lab, enum row row)
{
    static uint8_t encoded[SF_CARD_BYTES_MAX];
    static uint8_t other[SF_CARD_BYTES_MAX];
    struct sf_node *ground = lab_node(lab, GROUND);
    struct peer *sat = lab_peer(lab, GROUND, SAT);
    struct post post = post_of(lab, SAT, GROUND, SF_LETTER_CARD);
    struct sf_card card;
    size_t bytes;
    size_t other_bytes;
    int status;

    REQUIRE_EQ(sf_card_encode(lab->identities[SAT], encoded, sizeof(encoded), &bytes), SF_OK);
    REQUIRE_EQ(sf_card_encode(lab->identities[EDGE], other, sizeof(other), &other_bytes), SF_OK);
    if (row == REVOKED || row == EXPIRED || row == OTHER_RECIPIENT) {
        return try_envelope(lab, post, sf_view(encoded, bytes), row);
    }
    if (row == WRONG_SIGNER) {
        memcpy(encoded + bytes - SF_SIGNATURE_BYTES, other + other_bytes - SF_SIGNATURE_BYTES,
            SF_SIGNATURE_BYTES);
    } else if (row == SWAPPED) {
        memcpy(encoded, other, bytes = other_bytes); /* another node's, in its place */
    } else if (row == TRUE_SIGNATURE) {
        encoded[bytes - SF_SIGNATURE_BYTES - 2 - 1] ^= 1; /* a higher issue */
    } else if (row == REPLAY) {
        sat->conf.card = lab->cards[SAT];
    }
    status = sf_card_decode(sf_view(encoded, bytes), &card);
    CHECK(!peer_take_card(ground, sat, sf_view(encoded, bytes)));
    (void)give_letter(lab, &post, seal_letter(lab, &post, sf_view(encoded, bytes)));
    return status == SF_OK ? UNCHANGED : status;
}

/* --- Openers: to sat, from an address that is nobody's -------------------------------------------- */

/* An opener of ground's that sat would take, but for `row`. */
static void
make_opener(struct lab *lab, enum row row, uint8_t out[SF_OPENER_BYTES])
{
    struct peer *ground = lab_peer(lab, SAT, GROUND);
    const struct sf_card *to = &lab->cards[row == OTHER_RECIPIENT ? EDGE : SAT];
    const struct sf_card_prekey *prekey =
        row == EXPIRED ? &lab->old_cards[SAT].link_prekey : &to->link_prekey;
    static const uint8_t none[32];
    struct sf_opener_clear clear = {.key = SF_OPENER_TO_PREKEY, .prekey_number = prekey->number};
    static struct sf_opener_payload payload;
    struct sf_hmac mac_key;
    uint8_t static_sk[32];
    uint8_t static_pk[32];
    uint8_t ephemeral[32];
    uint8_t key[32];
    struct sf_noise_shared shared = {0};
    struct sf_opener_keys keys = {.static_sk = static_sk,
        .static_pk = static_pk,
        .ephemeral_sk = ephemeral,
        .remote_pk = prekey->pk,
        .psk = row == STRIPPED_PSK ? none : ground->ladder.link,
        .receiver = &to->fingerprint,
        .mac_key = &mac_key,
        .shared = &shared};

    memcpy(static_sk, lab->identities[row == REVOKED ? FORMER : GROUND]->link_static_sk,
        sizeof(static_sk));
    if (row == WRONG_SIGNER) {
        static_sk[5] ^= 1; /* of no peer */
    }
    sf_x25519_public(static_pk, static_sk);
    sf_random_fill(lab_random(lab), ephemeral, sizeof(ephemeral));
    sf_opener_mac_init(&mac_key, to->hint_key);
    payload = (struct sf_opener_payload){.epoch = ground->record.epoch_in + 1,
        .session_id = 0x77,
        .prekey_known = 1,
        .life = {ground->record.life_in}};
    REQUIRE_EQ(sf_opener_encode(&keys, &clear, &payload, out, key), SF_OK);
    if (row == TRUE_SIGNATURE) {
        /* Whoever has the card can make the mac. */
        out[600] ^= 1;
        {
            struct sf_hmac mac = mac_key;
            uint8_t tag[SF_SHA256_BYTES];

            sf_hmac_update(&mac, out, SF_OPENER_MAC_AT);
            sf_hmac_final(&mac, tag);
            memcpy(out + SF_OPENER_MAC_AT, tag, SF_OPENER_MAC_BYTES);
        }
    }
}

/* One with all of ground's keys, which sat has taken: its epoch is known by then. */
static uint8_t taken_opener[SF_OPENER_BYTES];

void
negative_take_opener(struct lab *lab)
{
    uint64_t before = lab_peer(lab, SAT, GROUND)->record.epoch_in;
    struct sf_addr nowhere = lab_nowhere();

    make_opener(lab, ROWS, taken_opener);
    sf_world_inject(lab->world, &nowhere, SAT, taken_opener, SF_OPENER_BYTES);
    sf_world_run(lab->world, sf_world_now(lab->world) + 10 * SF_MS);
    CHECK(lab_peer(lab, SAT, GROUND)->record.epoch_in > before);
    lab->leaks = 0; /* the answer to a true one may go where it came from, within its bytes */
}

static int
try_opener(struct lab *lab, enum row row)
{
    struct sf_addr nowhere = lab_nowhere();
    uint8_t dgram[SF_OPENER_BYTES];

    if (row == REPLAY) {
        memcpy(dgram, taken_opener, sizeof(dgram));
    } else {
        make_opener(lab, row, dgram);
    }
    sf_world_inject(lab->world, &nowhere, SAT, dgram, sizeof(dgram));
    return lab->leaks == 0 ? NO_SESSION : SF_OK;
}

static int (*const tries[OBJECTS])(struct lab *lab, enum row row) = {[DATA] = try_data,
    [OUTLINE] = try_outline,
    [DIGESTS] = try_digests,
    [GRANT] = try_grant,
    [GRANT_PSK] = try_grant_psk,
    [LETTER] = try_letter,
    [HELD] = try_held,
    [VERIFIED] = try_verified,
    [FINAL] = try_final,
    [REFUSED] = try_refused,
    [CANCEL] = try_cancel,
    [CARD] = try_card,
    [OPENER] = try_opener};

int
negative_try(struct lab *lab, enum object object, enum row row)
{
    return tries[object](lab, row);
}

/* --- The true ones ------------------------------------------------------------------------------- */

bool
negative_give_grant(struct lab *lab, unsigned to, const struct sf_transfer_id *transfer)
{
    size_t bytes = make_grant(lab, to, ROWS, transfer);

    (void)give_grant(lab, to, bytes, transfer);
    return inbound_find(lab_node(lab, to), transfer, &lab->cards[GROUND].fingerprint) != NULL;
}

void
negative_give_card(struct lab *lab)
{
    static uint8_t card[SF_CARD_BYTES_MAX];
    struct post post = post_of(lab, SAT, GROUND, SF_LETTER_CARD);
    size_t bytes;

    REQUIRE_EQ(sf_card_encode(lab->identities[SAT], card, sizeof(card), &bytes), SF_OK);
    (void)give_letter(lab, &post, seal_letter(lab, &post, sf_view(card, bytes)));
}
