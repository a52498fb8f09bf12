/*
 * test_opener.c - the datagram that opens a session: every byte of it counts.
 */
#include "tests/unit/check.h"

#include "base/prng.h"
#include "link/opener.h"

struct pair {
    uint8_t sender_sk[32], sender_pk[32], receiver_sk[32], receiver_pk[32], ephemeral[32];
    uint8_t hint_key[32], psk[32];
    struct sf_fingerprint receiver;
    struct sf_hmac mac_key;
    struct sf_noise_shared sender_shared, receiver_shared;
    struct sf_opener_keys keys;
    struct sf_opener_payload payload;
    uint8_t dgram[SF_OPENER_BYTES];
    uint8_t key[32];
};

static void
load(struct pair *pair)
{
    struct sf_opener_clear clear = {.key = SF_OPENER_TO_PREKEY, .prekey_number = 7};
    struct sf_prng prng;

    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    memset(pair, 0, sizeof(*pair));
    sf_prng_init(&prng, 42);
    sf_prng_fill(&prng, pair->sender_sk, 32);
    sf_prng_fill(&prng, pair->receiver_sk, 32);
    sf_prng_fill(&prng, pair->ephemeral, 32);
    sf_prng_fill(&prng, pair->hint_key, 32);
    sf_prng_fill(&prng, pair->psk, 32);
    sf_prng_fill(&prng, pair->receiver.b, 32);
    sf_prng_fill(&prng, pair->payload.messages, sizeof(pair->payload.messages));
    sf_x25519_public(pair->sender_pk, pair->sender_sk);
    sf_x25519_public(pair->receiver_pk, pair->receiver_sk);
    sf_opener_mac_init(&pair->mac_key, pair->hint_key);
    pair->keys = (struct sf_opener_keys){.static_sk = pair->sender_sk,
        .static_pk = pair->sender_pk,
        .ephemeral_sk = pair->ephemeral,
        .remote_pk = pair->receiver_pk,
        .psk = pair->psk,
        .receiver = &pair->receiver,
        .mac_key = &pair->mac_key,
        .shared = &pair->sender_shared};
    pair->payload.epoch = 0x0000000300000005;
    pair->payload.session_id = 0xdeadbeef;
    pair->payload.prekey_known = 7;
    for (size_t i = 0; i < SF_LIVES_MAX; i++) {
        pair->payload.life[i] = 0x0102030405060708 * (i + 1);
    }
    REQUIRE_EQ(
        sf_opener_encode(&pair->keys, &clear, &pair->payload, pair->dgram, pair->key), SF_OK);
}

static void
make_mac(struct pair *pair)
{
    struct sf_hmac mac = pair->mac_key;
    uint8_t out[32];

    sf_hmac_update(&mac, pair->dgram, SF_OPENER_MAC_AT);
    sf_hmac_final(&mac, out);
    memcpy(pair->dgram + SF_OPENER_MAC_AT, out, SF_OPENER_MAC_BYTES);
}

/* All that a receiver does. */
static int
receive(struct pair *pair, const struct sf_fingerprint *own, const uint8_t *psk,
    struct sf_opener_payload *ret_payload, uint8_t ret_key[32])
{
    struct sf_view dgram = sf_view(pair->dgram, SF_OPENER_BYTES);
    struct sf_noise_reader reader;
    struct sf_opener_clear clear;
    uint8_t sender[32];
    int status = sf_opener_check(dgram, &pair->mac_key, &clear);

    if (status != SF_OK) {
        return status;
    }
    status = sf_opener_sender(&reader, dgram, own, pair->receiver_sk, pair->receiver_pk, sender);
    if (status == SF_OK) {
        CHECK_BYTES(sender, pair->sender_pk, 32);
        status = sf_opener_read(&reader, psk, &pair->receiver_shared, ret_payload, ret_key);
    }
    sf_noise_reader_fini(&reader);
    return status;
}

static void
test_round_trip(void)
{
    struct sf_opener_payload payload;
    struct sf_opener_clear clear;
    struct pair pair;
    uint8_t key[32];

    load(&pair);
    CHECK_EQ(sf_get_be32(pair.dgram), 0);
    REQUIRE_EQ(sf_opener_check(sf_view(pair.dgram, SF_OPENER_BYTES), &pair.mac_key, &clear), SF_OK);
    CHECK_EQ(clear.key, SF_OPENER_TO_PREKEY);
    CHECK_EQ(clear.prekey_number, 7);
    REQUIRE_EQ(receive(&pair, &pair.receiver, pair.psk, &payload, key), SF_OK);
    CHECK_EQ(payload.epoch, pair.payload.epoch);
    CHECK_BYTES(payload.life, pair.payload.life, sizeof(payload.life));
    CHECK_EQ(payload.session_id, pair.payload.session_id);
    CHECK_EQ(payload.prekey_known, 7);
    CHECK_BYTES(payload.messages, pair.payload.messages, sizeof(payload.messages));
    CHECK_BYTES(key, pair.key, 32);
}

static void
test_flips(void)
{
    struct sf_opener_payload payload;
    struct pair pair;
    uint8_t key[32];

    load(&pair);
    for (size_t bit = 0; bit < SF_OPENER_BYTES * 8; bit++) {
        pair.dgram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK(receive(&pair, &pair.receiver, pair.psk, &payload, key) != SF_OK);
        pair.dgram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* Whoever knows the card can make a good mac; the rest must hold by itself. */
static void
test_flips_with_mac(void)
{
    struct sf_opener_payload payload;
    struct pair pair;
    uint8_t key[32];

    load(&pair);
    for (size_t bit = 4 * 8; bit < SF_OPENER_MAC_AT * 8; bit += 5) {
        pair.dgram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        make_mac(&pair);
        CHECK(receive(&pair, &pair.receiver, pair.psk, &payload, key) != SF_OK);
        pair.dgram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    make_mac(&pair);
    CHECK_EQ(receive(&pair, &pair.receiver, pair.psk, &payload, key), SF_OK);
}

static void
test_lengths(void)
{
    struct sf_opener_clear clear;
    uint8_t longer[SF_OPENER_BYTES + 1];
    struct pair pair;

    load(&pair);
    memcpy(longer, pair.dgram, SF_OPENER_BYTES);
    longer[SF_OPENER_BYTES] = 0;
    for (size_t bytes = 0; bytes <= SF_OPENER_BYTES + 1; bytes++) {
        CHECK_EQ(sf_opener_check(sf_view(longer, bytes), &pair.mac_key, &clear),
            bytes == SF_OPENER_BYTES ? SF_OK : SF_EFORMAT);
    }
}

static void
test_head_fields(void)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 1}, {3, 1}, {4, 0}, {4, 2}, {5, 0}, {5, 2}, {6, 2}, {6, 255}, {7, 1}};
    struct sf_opener_clear clear;
    struct pair pair;

    load(&pair);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t was = pair.dgram[wrong[i].at];

        pair.dgram[wrong[i].at] = wrong[i].value;
        make_mac(&pair);
        CHECK_EQ(sf_opener_check(sf_view(pair.dgram, SF_OPENER_BYTES), &pair.mac_key, &clear),
            SF_EFORMAT);
        pair.dgram[wrong[i].at] = was;
    }
    /* The static key has no number. */
    pair.dgram[6] = 1;
    make_mac(&pair);
    CHECK_EQ(
        sf_opener_check(sf_view(pair.dgram, SF_OPENER_BYTES), &pair.mac_key, &clear), SF_EFORMAT);
}

static void
test_stranger(void)
{
    struct sf_opener_clear clear;
    struct sf_hmac other;
    struct pair pair;

    load(&pair);
    pair.hint_key[0] ^= 1;
    sf_opener_mac_init(&other, pair.hint_key);
    CHECK_EQ(sf_opener_check(sf_view(pair.dgram, SF_OPENER_BYTES), &other, &clear), SF_EAUTH);
}

static void
test_other_receiver(void)
{
    struct sf_opener_payload payload;
    struct sf_fingerprint other;
    struct pair pair;
    uint8_t key[32];

    load(&pair);
    other = pair.receiver;
    other.b[31] ^= 1;
    CHECK_EQ(receive(&pair, &other, pair.psk, &payload, key), SF_EAUTH);
}

static void
test_psk(void)
{
    struct sf_opener_payload payload;
    uint8_t none[32] = {0};
    struct pair pair;
    uint8_t key[32];

    load(&pair);
    CHECK_EQ(receive(&pair, &pair.receiver, none, &payload, key), SF_EAUTH);
}

static void
test_zero_fields(void)
{
    struct sf_opener_clear clear = {.key = SF_OPENER_TO_PREKEY, .prekey_number = 7};
    struct sf_opener_payload payload;
    struct pair pair;
    uint8_t key[32];

    load(&pair);
    pair.payload.session_id = 0;
    REQUIRE_EQ(sf_opener_encode(&pair.keys, &clear, &pair.payload, pair.dgram, key), SF_OK);
    CHECK_EQ(receive(&pair, &pair.receiver, pair.psk, &payload, key), SF_EFORMAT);
    pair.payload.session_id = 1;
    pair.payload.epoch = 0;
    REQUIRE_EQ(sf_opener_encode(&pair.keys, &clear, &pair.payload, pair.dgram, key), SF_OK);
    CHECK_EQ(receive(&pair, &pair.receiver, pair.psk, &payload, key), SF_EFORMAT);
    pair.payload.epoch = 1;
    pair.payload.life[0] = 0;
    REQUIRE_EQ(sf_opener_encode(&pair.keys, &clear, &pair.payload, pair.dgram, key), SF_OK);
    CHECK_EQ(receive(&pair, &pair.receiver, pair.psk, &payload, key), SF_EFORMAT);
}

CHECK_MAIN("opener", {"what was written is read again", test_round_trip},
    {"no single bit may change", test_flips},
    {"no single bit may change even if the mac is made anew", test_flips_with_mac},
    {"an opener of any other length is no opener", test_lengths},
    {"head fields with other values are refused before the mac", test_head_fields},
    {"whoever has not seen the card cannot make the mac", test_stranger},
    {"an opener to another node is not read", test_other_receiver},
    {"a stripped pre-shared key is noticed", test_psk},
    {"session ids, epochs and lives of zero are refused", test_zero_fields})
