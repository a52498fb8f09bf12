/*
 * test_receipt.c - receipts, what they add up to, and cancels.
 */
#include "base/crypto.h"
#include "base/prng.h"
#include "bundle/cose.h"
#include "bundle/identity.h"
#include "bundle/labels.h"
#include "bundle/letter.h"
#include "bundle/receipt.h"
#include "tests/unit/check.h"

enum { SLOTS = 1000 };

static struct sf_identity *receiver;
static struct sf_identity *sender;
static uint8_t encoded[SF_RECEIPT_BYTES_MAX];

static void
set_up(void)
{
    static struct sf_prng prng;
    struct sf_random random;

    if (receiver != NULL) {
        return;
    }
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    sf_prng_init(&prng, 42);
    random = sf_prng_random(&prng);
    REQUIRE_EQ(sf_identity_generate(&random, "receiver", &receiver), SF_OK);
    REQUIRE_EQ(sf_identity_generate(&random, "sender", &sender), SF_OK);
}

/* A receipt of some phase, with everything that the phase needs. Release with sf_receipt_fini. */
static void
make(struct sf_receipt *receipt, enum sf_receipt_phase phase, uint32_t file_count)
{
    set_up();
    sf_receipt_init(receipt);
    receipt->receiver = receiver->fingerprint;
    receipt->sender = sender->fingerprint;
    memset(receipt->transfer.b, 0x77, sizeof(receipt->transfer.b));
    receipt->generation = 2;
    receipt->counter = 300;
    receipt->phase = phase;
    memset(receipt->audit_head.b, 0xaa, sizeof(receipt->audit_head.b));
    memset(receipt->random, 0xbb, sizeof(receipt->random));
    if (phase == SF_RECEIPT_VERIFIED || phase == SF_RECEIPT_FINAL) {
        receipt->has_manifest = true;
        memset(receipt->manifest.b, 0x55, sizeof(receipt->manifest.b));
        receipt->file_count = file_count;
        receipt->files = calloc(file_count, sizeof(*receipt->files));
        REQUIRE(receipt->files != NULL);
        for (uint32_t i = 0; i < file_count; i++) {
            receipt->files[i].sha256[0] = (uint8_t)i;
            receipt->files[i].sha256[1] = (uint8_t)(i >> 8);
            receipt->files[i].bytes = i * UINT64_C(1000000007);
        }
    } else {
        CHECK_EQ(sf_range_set_add(&receipt->held, 0, 5), SF_OK);
        CHECK_EQ(sf_range_set_add(&receipt->held, 7, 300), SF_OK);
    }
    if (phase == SF_RECEIPT_REFUSED) {
        receipt->refusal = SF_REFUSAL_NO_SPACE;
        receipt->retryable = true;
        receipt->need_bytes = UINT64_C(1) << 40;
    }
}

static size_t
encode(const struct sf_receipt *receipt)
{
    size_t bytes = 0;

    REQUIRE_EQ(sf_receipt_encode(receipt, receiver, encoded, sizeof(encoded), &bytes), SF_OK);
    return bytes;
}

static int
decode(struct sf_view view)
{
    struct sf_receipt receipt;
    int status = sf_receipt_decode(view, receiver->sign_pk, &receiver->fingerprint, &receipt);

    if (status == SF_OK) {
        sf_receipt_fini(&receipt);
    }
    return status;
}

static void
check_same(const struct sf_receipt *a, const struct sf_receipt *b)
{
    CHECK(sf_fingerprint_equal(&a->receiver, &b->receiver));
    CHECK(sf_fingerprint_equal(&a->sender, &b->sender));
    CHECK(sf_transfer_equal(&a->transfer, &b->transfer));
    CHECK_EQ(a->generation, b->generation);
    CHECK_EQ(a->counter, b->counter);
    CHECK_EQ(a->phase, b->phase);
    CHECK(sf_range_set_equal(&a->held, &b->held));
    CHECK_EQ(a->has_manifest, b->has_manifest);
    CHECK_BYTES(a->manifest.b, b->manifest.b, 32);
    CHECK_EQ(a->file_count, b->file_count);
    CHECK_EQ(a->refusal, b->refusal);
    CHECK_EQ(a->retryable, b->retryable);
    CHECK_EQ(a->need_bytes, b->need_bytes);
    CHECK_BYTES(a->audit_head.b, b->audit_head.b, 32);
    CHECK_BYTES(a->random, b->random, 16);
}

static void
test_round_trip(void)
{
    for (unsigned phase = SF_RECEIPT_HELD; phase <= SF_RECEIPT_REFUSED; phase++) {
        struct sf_receipt receipt;
        struct sf_receipt got;
        size_t bytes;

        make(&receipt, (enum sf_receipt_phase)phase, 3);
        bytes = encode(&receipt);
        REQUIRE_EQ(sf_receipt_decode(
                       sf_view(encoded, bytes), receiver->sign_pk, &receiver->fingerprint, &got),
            SF_OK);
        check_same(&receipt, &got);
        if (receipt.files != NULL) {
            struct sf_digest digest;

            CHECK_BYTES(got.files, receipt.files, 3 * sizeof(*got.files));
            sf_files_digest(receipt.files, 3, &digest);
            CHECK_BYTES(got.files_digest.b, digest.b, 32);
        }
        sf_receipt_fini(&got);
        sf_receipt_fini(&receipt);
    }
}

/* Many files are vouched for by one digest, and the receipt stays within a letter. */
static void
test_many_files(void)
{
    static const uint32_t counts[] = {
        SF_RECEIPT_FILES_MAX, SF_RECEIPT_FILES_MAX + 1, SF_OUTLINE_FILES_MAX};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct sf_receipt receipt;
        struct sf_receipt got;
        struct sf_digest digest;
        size_t bytes;

        make(&receipt, SF_RECEIPT_FINAL, counts[i]);
        bytes = encode(&receipt);
        CHECK(bytes <= SF_LETTER_CONTENT_BYTES_MAX);
        REQUIRE_EQ(sf_receipt_decode(
                       sf_view(encoded, bytes), receiver->sign_pk, &receiver->fingerprint, &got),
            SF_OK);
        CHECK_EQ(got.file_count, counts[i]);
        CHECK_EQ(got.files == NULL, counts[i] > SF_RECEIPT_FILES_MAX);
        sf_files_digest(receipt.files, counts[i], &digest);
        CHECK_BYTES(got.files_digest.b, digest.b, 32);
        sf_receipt_fini(&got);
        sf_receipt_fini(&receipt);
    }
}

static void
test_many_ranges(void)
{
    struct sf_receipt receipt;
    struct sf_receipt got;
    size_t bytes;

    /* The worst there can be: far apart, and each long. */
    make(&receipt, SF_RECEIPT_HELD, 0);
    sf_range_set_clear(&receipt.held);
    for (uint64_t i = 0; i < 5000; i++) {
        REQUIRE_EQ(sf_range_set_add(&receipt.held, i * 800000 + 70000, (i + 1) * 800000), SF_OK);
    }
    bytes = encode(&receipt);
    CHECK(bytes <= SF_LETTER_CONTENT_BYTES_MAX);
    REQUIRE_EQ(
        sf_receipt_decode(sf_view(encoded, bytes), receiver->sign_pk, &receiver->fingerprint, &got),
        SF_OK);
    CHECK_EQ(got.held.count, SF_RECEIPT_RANGES_MAX);
    CHECK(sf_range_set_covers(&receipt.held, got.held.ranges[4095].from, got.held.ranges[4095].to));
    CHECK_EQ(got.held.ranges[0].from, 70000);
    sf_receipt_fini(&got);
    sf_receipt_fini(&receipt);
}

static void
test_not_encodable(void)
{
    struct sf_receipt receipt;
    size_t bytes = 0;

    make(&receipt, SF_RECEIPT_HELD, 0);
    CHECK_EQ(sf_receipt_encode(&receipt, sender, encoded, sizeof(encoded), &bytes), SF_EINVAL);
    receipt.refusal = SF_REFUSAL_QUOTA;
    CHECK_EQ(sf_receipt_encode(&receipt, receiver, encoded, sizeof(encoded), &bytes), SF_EINVAL);
    receipt.refusal = SF_REFUSAL_NONE;
    receipt.phase = SF_RECEIPT_REFUSED;
    CHECK_EQ(sf_receipt_encode(&receipt, receiver, encoded, sizeof(encoded), &bytes), SF_EINVAL);
    receipt.phase = SF_RECEIPT_FINAL;
    CHECK_EQ(sf_receipt_encode(&receipt, receiver, encoded, sizeof(encoded), &bytes), SF_EINVAL);
    receipt.phase = SF_RECEIPT_HELD;
    CHECK_EQ(sf_receipt_encode(&receipt, receiver, encoded, 200, &bytes), SF_ELIMIT);
    sf_receipt_fini(&receipt);
}

static void
test_wrong_signer(void)
{
    struct sf_receipt receipt;
    struct sf_receipt got;
    size_t bytes;

    make(&receipt, SF_RECEIPT_FINAL, 2);
    bytes = encode(&receipt);
    CHECK_EQ(
        sf_receipt_decode(sf_view(encoded, bytes), sender->sign_pk, &receiver->fingerprint, &got),
        SF_EAUTH);
    /* Signed by the receiver, but shown as the statement of another node. */
    CHECK_EQ(
        sf_receipt_decode(sf_view(encoded, bytes), receiver->sign_pk, &sender->fingerprint, &got),
        SF_EAUTH);
    sf_receipt_fini(&receipt);
}

static void
test_damage(void)
{
    for (unsigned phase = SF_RECEIPT_HELD; phase <= SF_RECEIPT_REFUSED; phase++) {
        struct sf_receipt receipt;
        size_t bytes;

        make(&receipt, (enum sf_receipt_phase)phase, 2);
        bytes = encode(&receipt);
        for (size_t cut = 0; cut < bytes; cut++) {
            uint8_t *copy = malloc(cut == 0 ? 1 : cut);

            REQUIRE(copy != NULL);
            memcpy(copy, encoded, cut);
            CHECK(decode(sf_view(copy, cut)) != SF_OK);
            free(copy);
        }
        for (size_t bit = 0; bit < bytes * 8; bit++) {
            encoded[bit / 8] = (uint8_t)(encoded[bit / 8] ^ 1u << bit % 8);
            CHECK(decode(sf_view(encoded, bytes)) != SF_OK);
            encoded[bit / 8] = (uint8_t)(encoded[bit / 8] ^ 1u << bit % 8);
        }
        sf_receipt_fini(&receipt);
    }
}

/* --- Payloads that are signed and yet wrong ---------------------------------------------------- */

struct hand {
    uint64_t version;
    uint64_t phase;
    uint64_t held[6];
    size_t held_count;
    bool manifest;
    bool files;
    uint64_t file_count; /* stated */
    uint64_t list_count; /* written; UINT64_MAX: null */
    bool wrong_digest;
    bool refusal;
    uint64_t reason;
    bool extra;
};

static void
write_hand_files(struct sf_cbor_writer *cbor, const struct hand *hand)
{
    static struct sf_file_digest zeros[2000];
    struct sf_digest digest;

    if (!hand->files) {
        sf_cbor_write_null(cbor);
        return;
    }
    sf_files_digest(zeros, hand->file_count <= 2000 ? (uint32_t)hand->file_count : 0, &digest);
    digest.b[0] = (uint8_t)(digest.b[0] ^ hand->wrong_digest);
    sf_cbor_write_array(cbor, 3);
    sf_cbor_write_uint(cbor, hand->file_count);
    sf_cbor_write_bytes(cbor, sf_view(digest.b, 32));
    if (hand->list_count == UINT64_MAX) {
        sf_cbor_write_null(cbor);
        return;
    }
    sf_cbor_write_array(cbor, hand->list_count);
    for (uint64_t i = 0; i < hand->list_count; i++) {
        sf_cbor_write_array(cbor, 2);
        sf_cbor_write_bytes(cbor, sf_view(zeros[0].sha256, 32));
        sf_cbor_write_uint(cbor, 0);
    }
}

/* Sign and decode a receipt written by hand. */
static int
decode_hand(const struct hand *hand)
{
    static uint8_t payload[SF_RECEIPT_BYTES_MAX];
    static uint8_t scratch[SF_RECEIPT_BYTES_MAX + 200];
    uint8_t signature[64];
    uint8_t zeros[32] = {0};
    struct sf_cbor_writer cbor;

    set_up();
    sf_cbor_writer_init(&cbor, payload, sizeof(payload));
    sf_cbor_write_array(&cbor, hand->extra ? 14 : 13);
    sf_cbor_write_uint(&cbor, hand->version);
    sf_cbor_write_bytes(&cbor, sf_view(receiver->fingerprint.b, 32));
    sf_cbor_write_bytes(&cbor, sf_view(sender->fingerprint.b, 32));
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 16));
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, hand->phase);
    sf_cbor_write_array(&cbor, hand->held_count);
    for (size_t i = 0; i < hand->held_count; i++) {
        sf_cbor_write_uint(&cbor, hand->held[i]);
    }
    if (hand->manifest) {
        sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
    } else {
        sf_cbor_write_null(&cbor);
    }
    write_hand_files(&cbor, hand);
    if (hand->refusal) {
        sf_cbor_write_array(&cbor, 3);
        sf_cbor_write_uint(&cbor, hand->reason);
        sf_cbor_write_bool(&cbor, true);
        sf_cbor_write_uint(&cbor, 0);
    } else {
        sf_cbor_write_null(&cbor);
    }
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 16));
    if (hand->extra) {
        sf_cbor_write_null(&cbor);
    }
    REQUIRE_EQ(cbor.status, SF_OK);
    REQUIRE_EQ(sf_cose_sign(receiver->sign_sk, SF_LABEL_VIEW(SF_LABEL_SIGN_RECEIPT),
                   sf_view(payload, cbor.bytes), scratch, sizeof(scratch), signature),
        SF_OK);
    {
        size_t payload_bytes = cbor.bytes;

        sf_cbor_writer_init(&cbor, encoded, sizeof(encoded));
        sf_cbor_write_tag(&cbor, SF_COSE_TAG_SIGN1);
        sf_cbor_write_array(&cbor, 4);
        sf_cbor_write_bytes(&cbor, sf_view(sf_cose_sign_protected, 3));
        sf_cbor_write_map(&cbor, 0);
        sf_cbor_write_bytes(&cbor, sf_view(payload, payload_bytes));
        sf_cbor_write_bytes(&cbor, sf_view(signature, 64));
        REQUIRE_EQ(cbor.status, SF_OK);
    }
    return decode(sf_view(encoded, cbor.bytes));
}

static void
test_signed_and_wrong(void)
{
    const struct hand held = {.version = 1, .phase = SF_RECEIPT_HELD};
    const struct hand final = {.version = 1,
        .phase = SF_RECEIPT_FINAL,
        .manifest = true,
        .files = true,
        .file_count = 2,
        .list_count = 2};
    const struct hand refused = {
        .version = 1, .phase = SF_RECEIPT_REFUSED, .refusal = true, .reason = 3};
    struct hand hand;

#define CHECK_HAND(from, change, expected)                                                         \
    do {                                                                                           \
        hand = (from);                                                                             \
        change;                                                                                    \
        CHECK_EQ(decode_hand(&hand), (expected));                                                  \
    } while (0)

    CHECK_HAND(held, (void)0, SF_OK);
    CHECK_HAND(final, (void)0, SF_OK);
    CHECK_HAND(refused, (void)0, SF_OK);
    CHECK_HAND(held, hand.version = 2, SF_EFORMAT);
    CHECK_HAND(held, hand.phase = 0, SF_EFORMAT);
    CHECK_HAND(held, hand.phase = 5, SF_ELIMIT);
    CHECK_HAND(held, hand.extra = true, SF_EFORMAT);
    CHECK_HAND(held, hand.files = true, SF_EFORMAT);
    CHECK_HAND(held, hand.refusal = true, SF_EFORMAT);
    CHECK_HAND(final, hand.manifest = false, SF_EFORMAT);
    CHECK_HAND(final, hand.files = false, SF_EFORMAT);
    CHECK_HAND(final, hand.refusal = true, SF_EFORMAT);
    CHECK_HAND(final, hand.wrong_digest = true, SF_EFORMAT);
    CHECK_HAND(final, hand.list_count = 1, SF_EFORMAT);
    CHECK_HAND(final, hand.list_count = UINT64_MAX, SF_EFORMAT);
    CHECK_HAND(final, hand.file_count = hand.list_count = 0, SF_EFORMAT);
    CHECK_HAND(final, hand.file_count = 1025; hand.list_count = 1025, SF_EFORMAT);
    CHECK_HAND(final, hand.file_count = 1025; hand.list_count = UINT64_MAX, SF_OK);
    CHECK_HAND(final, hand.file_count = 65537; hand.list_count = UINT64_MAX, SF_ELIMIT);
    CHECK_HAND(final, hand.held_count = 2; hand.held[1] = 1, SF_EFORMAT);
    CHECK_HAND(refused, hand.reason = 0, SF_EFORMAT);
    CHECK_HAND(refused, hand.reason = SF_REFUSAL_MAX, SF_OK);
    CHECK_HAND(refused, hand.reason = SF_REFUSAL_MAX + 1, SF_ELIMIT);
    CHECK_HAND(refused, hand.refusal = false, SF_EFORMAT);
#undef CHECK_HAND
}

static void
test_bad_ranges(void)
{
    static const struct {
        const char *what;
        uint64_t held[6];
        size_t count;
        int status;
    } samples[] = {
        {"one range", {0, 1}, 2, SF_OK},
        {"two ranges", {0, 1, 1, 1}, 4, SF_OK},
        {"up to the last index", {0, 0xffffffff}, 2, SF_OK},
        {"an odd count", {0, 1, 1}, 3, SF_EFORMAT},
        {"an empty range", {3, 0}, 2, SF_EFORMAT},
        {"two that touch", {0, 1, 0, 1}, 4, SF_EFORMAT},
        {"past the last index", {1, 0xffffffff}, 2, SF_ELIMIT},
        {"a gap past the last index", {0x100000000, 1}, 2, SF_ELIMIT},
        {"numbers that would wrap", {5, UINT64_MAX - 2}, 2, SF_ELIMIT},
        {"a gap that would wrap", {1, 1, UINT64_MAX, 1}, 4, SF_ELIMIT},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct hand hand = {.version = 1, .phase = SF_RECEIPT_HELD, .held_count = samples[i].count};

        memcpy(hand.held, samples[i].held, sizeof(hand.held));
        CHECK_EQ(decode_hand(&hand), samples[i].status);
    }
}

/* --- What receipts add up to ------------------------------------------------------------------- */

static struct sf_file_digest our_files[2] = {{{1}, 10}, {{2}, 20}};

static void
state_init(struct sf_receipt_state *state)
{
    struct sf_receipt_binding binding = {.slots = SLOTS};
    struct sf_digest manifest;
    struct sf_digest files;

    set_up();
    binding.receiver = receiver->fingerprint;
    binding.sender = sender->fingerprint;
    memset(binding.transfer.b, 0x77, sizeof(binding.transfer.b));
    sf_receipt_state_init(state, &binding);
    memset(manifest.b, 0x55, sizeof(manifest.b));
    sf_files_digest(our_files, 2, &files);
    sf_receipt_state_set_manifest(state, &manifest, &files);
}

/* A receipt as it would come out of decode, without the detour over bytes. */
static void
make_decoded(
    struct sf_receipt *receipt, enum sf_receipt_phase phase, uint64_t generation, uint64_t counter)
{
    make(receipt, phase, 2);
    sf_range_set_clear(&receipt->held);
    receipt->generation = generation;
    receipt->counter = counter;
    if (receipt->files != NULL) {
        sf_files_digest(our_files, 2, &receipt->files_digest);
    }
}

static int
merge(struct sf_receipt_state *state, const struct sf_receipt *receipt, bool *ret_changed)
{
    *ret_changed = false;
    return sf_receipt_merge(state, receipt, ret_changed);
}

static bool
is_same_state(const struct sf_receipt_state *a, const struct sf_receipt_state *b)
{
    return a->any == b->any && a->generation == b->generation && a->counter == b->counter &&
           a->verified == b->verified && a->final == b->final && a->failed == b->failed &&
           a->refusal == b->refusal && a->need_bytes == b->need_bytes &&
           sf_range_set_equal(&a->held, &b->held);
}

static void
test_merge_held(void)
{
    struct sf_receipt_state state;
    struct sf_receipt one;
    struct sf_receipt two;
    bool changed;

    state_init(&state);
    make_decoded(&one, SF_RECEIPT_HELD, 1, 10);
    make_decoded(&two, SF_RECEIPT_HELD, 1, 9);
    CHECK_EQ(sf_range_set_add(&one.held, 0, 10), SF_OK);
    CHECK_EQ(sf_range_set_add(&two.held, 20, 30), SF_OK);
    CHECK_EQ(merge(&state, &one, &changed), SF_OK);
    CHECK(changed);
    CHECK_EQ(merge(&state, &one, &changed), SF_OK);
    CHECK(!changed);
    CHECK_EQ(merge(&state, &two, &changed), SF_OK);
    CHECK(changed);
    CHECK_EQ(state.counter, 10);
    CHECK_EQ(sf_range_set_total(&state.held), 20);

    /* A lost disk at the receiver: the new generation holds less, and that is the truth. */
    two.generation = 2;
    CHECK_EQ(merge(&state, &two, &changed), SF_OK);
    CHECK(changed);
    CHECK_EQ(sf_range_set_total(&state.held), 10);
    CHECK(!sf_range_set_has(&state.held, 5));
    CHECK_EQ(merge(&state, &one, &changed), SF_OK);
    CHECK(!changed);
    CHECK(!sf_range_set_has(&state.held, 5));
    sf_receipt_fini(&one);
    sf_receipt_fini(&two);
    sf_receipt_state_fini(&state);
}

static void
test_merge_generation_drops_verified(void)
{
    struct sf_receipt_state state;
    struct sf_receipt receipt;
    bool changed;

    state_init(&state);
    make_decoded(&receipt, SF_RECEIPT_VERIFIED, 1, 1);
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(state.verified);
    sf_receipt_fini(&receipt);
    make_decoded(&receipt, SF_RECEIPT_HELD, 2, 0);
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(!state.verified);
    sf_receipt_fini(&receipt);
    sf_receipt_state_fini(&state);
}

static void
test_merge_final(void)
{
    struct sf_receipt_state state;
    struct sf_receipt receipt;
    bool changed;

    state_init(&state);
    make_decoded(&receipt, SF_RECEIPT_FINAL, 1, 1);
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(changed);
    CHECK(state.final);
    sf_receipt_fini(&receipt);
    make_decoded(&receipt, SF_RECEIPT_HELD, 9, 9);
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(!changed);
    CHECK(state.final);
    CHECK_EQ(state.held.count, 0);
    sf_receipt_fini(&receipt);
    make_decoded(&receipt, SF_RECEIPT_REFUSED, 9, 9);
    receipt.retryable = false;
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(state.final);
    CHECK(!state.failed);
    sf_receipt_fini(&receipt);
    sf_receipt_state_fini(&state);
}

static void
test_merge_refusals(void)
{
    struct sf_receipt_state state;
    struct sf_receipt receipt;
    bool changed;

    state_init(&state);
    make_decoded(&receipt, SF_RECEIPT_REFUSED, 1, 5);
    CHECK_EQ(sf_range_set_add(&receipt.held, 0, 4), SF_OK);
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK_EQ(state.refusal, SF_REFUSAL_NO_SPACE);
    CHECK_EQ(sf_range_set_total(&state.held), 4);
    CHECK(!state.failed);
    sf_receipt_fini(&receipt);
    make_decoded(&receipt, SF_RECEIPT_HELD, 1, 4); /* older: the refusal stands */
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK_EQ(state.refusal, SF_REFUSAL_NO_SPACE);
    receipt.counter = 6; /* newer: there is room again */
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(changed);
    CHECK_EQ(state.refusal, SF_REFUSAL_NONE);
    CHECK_EQ(state.need_bytes, 0);
    sf_receipt_fini(&receipt);
    make_decoded(&receipt, SF_RECEIPT_REFUSED, 1, 2);
    receipt.retryable = false;
    receipt.refusal = SF_REFUSAL_BAD_NAME;
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    CHECK(changed);
    CHECK(state.failed);
    CHECK_EQ(state.refusal, SF_REFUSAL_BAD_NAME);
    sf_receipt_fini(&receipt);
    sf_receipt_state_fini(&state);
}

static void
check_refused(const struct sf_receipt *receipt, int expected)
{
    struct sf_receipt_state state;
    struct sf_receipt_state untouched;
    bool changed;

    state_init(&state);
    state_init(&untouched);
    CHECK_EQ(merge(&state, receipt, &changed), expected);
    CHECK(!changed);
    CHECK(is_same_state(&state, &untouched));
    sf_receipt_state_fini(&state);
    sf_receipt_state_fini(&untouched);
}

static void
test_merge_not_ours(void)
{
    struct sf_receipt receipt;

    make_decoded(&receipt, SF_RECEIPT_FINAL, 1, 1);
    receipt.receiver.b[0] ^= 1;
    check_refused(&receipt, SF_EAUTH);
    receipt.receiver.b[0] ^= 1;
    receipt.sender.b[31] ^= 1;
    check_refused(&receipt, SF_EAUTH);
    receipt.sender.b[31] ^= 1;
    receipt.transfer.b[0] ^= 1;
    check_refused(&receipt, SF_EAUTH);
    receipt.transfer.b[0] ^= 1;
    receipt.manifest.b[7] ^= 1;
    check_refused(&receipt, SF_EAUTH);
    receipt.manifest.b[7] ^= 1;
    receipt.files_digest.b[0] ^= 1;
    check_refused(&receipt, SF_EAUTH);
    receipt.files_digest.b[0] ^= 1;
    receipt.phase = SF_RECEIPT_VERIFIED;
    receipt.manifest.b[0] ^= 1;
    check_refused(&receipt, SF_EAUTH);
    sf_receipt_fini(&receipt);

    make_decoded(&receipt, SF_RECEIPT_HELD, 1, 1);
    receipt.has_manifest = true; /* all zeros: not ours */
    check_refused(&receipt, SF_EAUTH);
    receipt.has_manifest = false;
    CHECK_EQ(sf_range_set_add(&receipt.held, SLOTS - 1, SLOTS + 1), SF_OK);
    check_refused(&receipt, SF_EFORMAT);
    sf_receipt_fini(&receipt);
}

static void
test_merge_final_too_early(void)
{
    struct sf_receipt_state state;
    struct sf_receipt receipt;
    bool changed;

    state_init(&state);
    state.has_manifest = false;
    make_decoded(&receipt, SF_RECEIPT_FINAL, 1, 1);
    CHECK_EQ(merge(&state, &receipt, &changed), SF_EAUTH);
    CHECK(!state.final);
    receipt.phase = SF_RECEIPT_VERIFIED;
    CHECK_EQ(merge(&state, &receipt, &changed), SF_EAUTH);
    sf_receipt_fini(&receipt);
    make_decoded(&receipt, SF_RECEIPT_HELD, 1, 1); /* a manifest we have yet to make durable */
    receipt.has_manifest = true;
    CHECK_EQ(merge(&state, &receipt, &changed), SF_OK);
    sf_receipt_fini(&receipt);
    sf_receipt_state_fini(&state);
}

enum { DRAWN = 8 };

static void
draw(struct sf_prng *prng, struct sf_receipt *receipt, bool one_generation)
{
    static const enum sf_receipt_phase phases[] = {SF_RECEIPT_HELD, SF_RECEIPT_HELD,
        SF_RECEIPT_HELD, SF_RECEIPT_HELD, SF_RECEIPT_HELD, SF_RECEIPT_HELD, SF_RECEIPT_REFUSED,
        SF_RECEIPT_REFUSED, SF_RECEIPT_VERIFIED, SF_RECEIPT_FINAL};
    size_t pick = (size_t)sf_prng_below(prng, 10);

    /* Rare at the top, or nothing below is ever seen. */
    if (pick == 9 && sf_prng_below(prng, 3) > 0) {
        pick = 8;
    }
    make_decoded(
        receipt, phases[pick], one_generation ? 1 : sf_prng_below(prng, 3), sf_prng_below(prng, 5));
    if (receipt->phase == SF_RECEIPT_REFUSED) {
        receipt->refusal = (enum sf_refusal)(1 + sf_prng_below(prng, SF_REFUSAL_MAX));
        receipt->retryable = sf_prng_below(prng, 8) != 0;
        receipt->need_bytes = sf_prng_below(prng, 3);
    }
    if (receipt->files == NULL) {
        for (uint64_t i = sf_prng_below(prng, 4); i > 0; i--) {
            uint64_t from = sf_prng_below(prng, SLOTS - 100);

            CHECK_EQ(
                sf_range_set_add(&receipt->held, from, from + 1 + sf_prng_below(prng, 100)), SF_OK);
        }
    }
}

/* Merge all of `receipts` in a drawn order, some of them several times. */
static void
merge_shuffled(
    struct sf_prng *prng, struct sf_receipt_state *state, const struct sf_receipt *receipts)
{
    size_t order[DRAWN];
    bool changed;

    for (size_t i = 0; i < DRAWN; i++) {
        order[i] = i;
    }
    for (size_t i = DRAWN; i > 1; i--) {
        size_t other = (size_t)sf_prng_below(prng, i);
        size_t kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
    for (size_t i = 0; i < DRAWN; i++) {
        CHECK_EQ(merge(state, &receipts[order[i]], &changed), SF_OK);
        if (sf_prng_below(prng, 2) == 0) { /* a replay of any earlier one changes nothing */
            CHECK_EQ(merge(state, &receipts[order[sf_prng_below(prng, i + 1)]], &changed), SF_OK);
            CHECK(!changed);
        }
    }
}

static void
check_orders(bool one_generation, uint64_t seed)
{
    struct sf_prng prng;

    sf_prng_init(&prng, seed);
    for (unsigned turn = 0; turn < 2000; turn++) {
        struct sf_receipt receipts[DRAWN];
        struct sf_receipt_state a;
        struct sf_receipt_state b;

        for (size_t i = 0; i < DRAWN; i++) {
            draw(&prng, &receipts[i], one_generation);
        }
        state_init(&a);
        state_init(&b);
        merge_shuffled(&prng, &a, receipts);
        merge_shuffled(&prng, &b, receipts);
        if (!is_same_state(&a, &b)) {
            printf("\n    seed %" PRIu64 ", turn %u\n", seed, turn);
        }
        CHECK(is_same_state(&a, &b));
        sf_receipt_state_fini(&a);
        sf_receipt_state_fini(&b);
        for (size_t i = 0; i < DRAWN; i++) {
            sf_receipt_fini(&receipts[i]);
        }
    }
}

static void
test_merge_orders(void)
{
    check_orders(true, 1);
    check_orders(true, 2);
}

static void
test_merge_orders_generations(void)
{
    check_orders(false, 3);
    check_orders(false, 4);
}

/* --- Cancel ------------------------------------------------------------------------------------ */

static void
test_cancel(void)
{
    struct sf_cancel cancel = {.reason = SF_CANCEL_SOURCE_CHANGED};
    struct sf_cancel got;
    size_t bytes = 0;

    set_up();
    cancel.by = sender->fingerprint;
    cancel.transfer.b[3] = 9;
    REQUIRE_EQ(sf_cancel_encode(&cancel, sender, encoded, SF_CANCEL_BYTES_MAX, &bytes), SF_OK);
    REQUIRE_EQ(
        sf_cancel_decode(sf_view(encoded, bytes), sender->sign_pk, &sender->fingerprint, &got),
        SF_OK);
    CHECK_EQ(got.reason, cancel.reason);
    CHECK(sf_transfer_equal(&got.transfer, &cancel.transfer));
    CHECK_EQ(
        sf_cancel_decode(sf_view(encoded, bytes), receiver->sign_pk, &sender->fingerprint, &got),
        SF_EAUTH);
    CHECK_EQ(
        sf_cancel_decode(sf_view(encoded, bytes), sender->sign_pk, &receiver->fingerprint, &got),
        SF_EAUTH);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        encoded[bit / 8] = (uint8_t)(encoded[bit / 8] ^ 1u << bit % 8);
        CHECK(sf_cancel_decode(
                  sf_view(encoded, bytes), sender->sign_pk, &sender->fingerprint, &got) != SF_OK);
        encoded[bit / 8] = (uint8_t)(encoded[bit / 8] ^ 1u << bit % 8);
    }
    for (size_t cut = 0; cut < bytes; cut++) {
        CHECK(sf_cancel_decode(
                  sf_view(encoded, cut), sender->sign_pk, &sender->fingerprint, &got) != SF_OK);
    }
    CHECK_EQ(sf_cancel_encode(&cancel, receiver, encoded, SF_CANCEL_BYTES_MAX, &bytes), SF_EINVAL);
    cancel.reason = (enum sf_cancel_reason)0;
    CHECK_EQ(sf_cancel_encode(&cancel, sender, encoded, SF_CANCEL_BYTES_MAX, &bytes), SF_EINVAL);
}

/* A receipt shown as a cancel, and the other way round: the labels differ. */
static void
test_cross(void)
{
    struct sf_receipt receipt;
    struct sf_cancel cancel = {.reason = SF_CANCEL_OPERATOR};
    struct sf_cancel got;
    size_t bytes;

    make(&receipt, SF_RECEIPT_HELD, 0);
    sf_range_set_clear(&receipt.held);
    bytes = encode(&receipt);
    CHECK(sf_cancel_decode(
              sf_view(encoded, bytes), receiver->sign_pk, &receiver->fingerprint, &got) != SF_OK);
    sf_receipt_fini(&receipt);
    cancel.by = receiver->fingerprint;
    CHECK_EQ(sf_cancel_encode(&cancel, receiver, encoded, sizeof(encoded), &bytes), SF_OK);
    CHECK_EQ(decode(sf_view(encoded, bytes)), SF_EAUTH);
}

static void
test_texts(void)
{
    for (int i = -1; i <= SF_REFUSAL_MAX + 1; i++) {
        CHECK(sf_refusal_text((enum sf_refusal)i) != NULL);
        CHECK(sf_cancel_text((enum sf_cancel_reason)i) != NULL);
    }
    CHECK_TEXT(sf_refusal_text((enum sf_refusal)99), "unknown reason");
}

CHECK_MAIN("receipt", {"a receipt of every phase comes back as it was", test_round_trip},
    {"many files are vouched for by their digest alone", test_many_files},
    {"many ranges are cut to the lowest", test_many_ranges},
    {"a receipt that contradicts itself cannot be signed", test_not_encodable},
    {"a receipt of another signer is refused", test_wrong_signer},
    {"no truncation and no flipped bit of a receipt is accepted", test_damage},
    {"a signed receipt that is malformed is refused", test_signed_and_wrong},
    {"ranges that touch, wrap or pass the last index are refused", test_bad_ranges},
    {"HELD is a union within a generation, and a higher one replaces it", test_merge_held},
    {"a higher generation takes VERIFIED back", test_merge_generation_drops_verified},
    {"FINAL absorbs everything", test_merge_final},
    {"a refusal lasts until a newer receipt, or for good", test_merge_refusals},
    {"a receipt for another receiver, sender, transfer, manifest or files changes nothing",
        test_merge_not_ours},
    {"VERIFIED and FINAL need our own manifest first", test_merge_final_too_early},
    {"merging is commutative and idempotent within a generation", test_merge_orders},
    {"the order of receipts never matters across generations", test_merge_orders_generations},
    {"a cancel comes back as it was and cannot be forged", test_cancel},
    {"a receipt is no cancel and a cancel no receipt", test_cross},
    {"every reason has a text", test_texts})
