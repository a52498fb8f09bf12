/*
 * test_noise.c - the one Noise message, against a published vector and against
 * everything that may be wrong with it.
 */
#include "tests/hex.h"
#include "tests/unit/check.h"

#include "link/noise.h"

/*
 * Noise_Xpsk1_25519_ChaChaPoly_SHA256 of the vectors published with the
 * cacophony implementation of the framework.
 */
static const char *vector_prologue = "4a6f686e2047616c74";
static const char *vector_psk = "54686973206973206d7920417573747269616e20706572737065637469766521";
static const char *vector_static =
    "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
static const char *vector_ephemeral =
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
static const char *vector_remote =
    "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62";
static const char *vector_remote_sk =
    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
static const char *vector_payload = "4c756477696720766f6e204d69736573";
static const char *vector_message =
    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79445676f15674695c5b64ba4f61d3e8"
    "6d0e2df7608be4640afcf621cdb220af9c3b3964590763f861e17b4d38a23447d062bd7db5311f4de140effa4c21"
    "a603a314aa4d455da8c22f7a9978901d47ff9164";
static const char *vector_transport[2][2] = {
    {"4d757272617920526f746862617264",
        "4e3db61d1fb3600be0cb26143eee053670c1d2e1378227e0415795b3a9a22b"},
    {"462e20412e20486179656b", "bb29759af4a7ebab215e0be4663fbfcdf81b1cf0fd939807b30730"},
};

enum { PAYLOAD_BYTES = 16, MESSAGE_BYTES = PAYLOAD_BYTES + SF_NOISE_OVERHEAD_BYTES };

struct material {
    uint8_t prologue[9], psk[32], static_sk[32], static_pk[32], ephemeral[32], remote[32];
    uint8_t remote_sk[32], payload[PAYLOAD_BYTES], message[MESSAGE_BYTES];
    struct sf_noise_shared sent, read;
    struct sf_noise_opener opener;
};

static void
load(struct material *m)
{
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    memset(m, 0, sizeof(*m));
    REQUIRE_EQ(hex_decode(vector_prologue, m->prologue, sizeof(m->prologue)), 9);
    REQUIRE_EQ(hex_decode(vector_psk, m->psk, 32), 32);
    REQUIRE_EQ(hex_decode(vector_static, m->static_sk, 32), 32);
    REQUIRE_EQ(hex_decode(vector_ephemeral, m->ephemeral, 32), 32);
    REQUIRE_EQ(hex_decode(vector_remote, m->remote, 32), 32);
    REQUIRE_EQ(hex_decode(vector_remote_sk, m->remote_sk, 32), 32);
    REQUIRE_EQ(hex_decode(vector_payload, m->payload, PAYLOAD_BYTES), PAYLOAD_BYTES);
    REQUIRE_EQ(hex_decode(vector_message, m->message, MESSAGE_BYTES), MESSAGE_BYTES);
    sf_x25519_public(m->static_pk, m->static_sk);
    m->opener = (struct sf_noise_opener){
        .prologue = sf_view(m->prologue, sizeof(m->prologue)),
        .static_sk = m->static_sk,
        .static_pk = m->static_pk,
        .ephemeral_sk = m->ephemeral,
        .remote_pk = m->remote,
        .psk = m->psk,
        .shared = &m->sent,
    };
}

static void
test_vector_write(void)
{
    uint8_t message[MESSAGE_BYTES], key[32];
    struct material m;

    load(&m);
    REQUIRE_EQ(sf_noise_write(&m.opener, sf_view(m.payload, PAYLOAD_BYTES), message, key), SF_OK);
    CHECK_BYTES(message, m.message, MESSAGE_BYTES);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t plain[32], expected[64], sealed[64];
        uint8_t nonce[12] = {[4] = (uint8_t)i};
        size_t bytes = hex_decode(vector_transport[i][0], plain, sizeof(plain));

        CHECK_EQ(hex_decode(vector_transport[i][1], expected, sizeof(expected)), bytes + 16);
        sf_aead_seal(key, nonce, sf_view(NULL, 0), sf_view(plain, bytes), sealed);
        CHECK_BYTES(sealed, expected, bytes + 16);
    }
}

static int
read_message(struct material *m, struct sf_view prologue, const uint8_t *sk, struct sf_view message,
    const uint8_t *psk, uint8_t *ret_payload, uint8_t *ret_static)
{
    struct sf_noise_reader reader;
    uint8_t pk[32], key[32];
    int status;

    sf_x25519_public(pk, sk);
    status = sf_noise_read_begin(&reader, prologue, sk, pk, message, ret_static);
    if (status == SF_OK) {
        status = sf_noise_read_end(&reader, psk, &m->read, ret_payload, key);
    }
    sf_noise_reader_fini(&reader);
    return status;
}

static void
test_vector_read(void)
{
    uint8_t payload[PAYLOAD_BYTES], sender[32];
    struct material m;

    load(&m);
    CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, sf_view(m.message, MESSAGE_BYTES),
                 m.psk, payload, sender),
        SF_OK);
    CHECK_BYTES(payload, m.payload, PAYLOAD_BYTES);
    CHECK_BYTES(sender, m.static_pk, 32);
}

static void
test_flips(void)
{
    uint8_t payload[PAYLOAD_BYTES], sender[32];
    struct material m;

    load(&m);
    for (size_t bit = 0; bit < MESSAGE_BYTES * 8; bit++) {
        /* X25519 ignores the highest bit of a public key, but the transcript does not. */
        m.message[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, sf_view(m.message, MESSAGE_BYTES),
                     m.psk, payload, sender),
            SF_EAUTH);
        m.message[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void
test_truncated(void)
{
    uint8_t payload[PAYLOAD_BYTES], sender[32];
    struct material m;

    load(&m);
    for (size_t bytes = 0; bytes < MESSAGE_BYTES; bytes++) {
        CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, sf_view(m.message, bytes), m.psk,
                     payload, sender),
            bytes < SF_NOISE_OVERHEAD_BYTES ? SF_EFORMAT : SF_EAUTH);
    }
}

static void
test_wrong_context(void)
{
    uint8_t payload[PAYLOAD_BYTES], sender[32];
    struct sf_view message;
    struct material m;

    load(&m);
    message = sf_view(m.message, MESSAGE_BYTES);
    CHECK_EQ(read_message(&m, sf_view(m.prologue, 8), m.remote_sk, message, m.psk, payload, sender),
        SF_EAUTH);
    CHECK_EQ(read_message(&m, m.opener.prologue, m.static_sk, message, m.psk, payload, sender),
        SF_EAUTH);
    m.psk[31] ^= 1;
    CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, message, m.psk, payload, sender),
        SF_EAUTH);
}

static void
test_low_order(void)
{
    uint8_t message[MESSAGE_BYTES], key[32];
    uint8_t zero[32] = {0};
    uint8_t payload[PAYLOAD_BYTES], sender[32];
    struct material m;

    load(&m);
    m.opener.remote_pk = zero;
    CHECK_EQ(sf_noise_write(&m.opener, sf_view(m.payload, PAYLOAD_BYTES), message, key), SF_EAUTH);
    memset(m.message, 0, 32);
    CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, sf_view(m.message, MESSAGE_BYTES),
                 m.psk, payload, sender),
        SF_EAUTH);
}

/*
 * What two lasting keys share is kept, for several pairs, and each is used for its own alone:
 * with it the messages are those that are written without.
 */
static void
test_shared_is_kept(void)
{
    uint8_t expected[MESSAGE_BYTES], message[MESSAGE_BYTES], payload[PAYLOAD_BYTES];
    uint8_t sender[32], key[32], expected_key[32];
    struct material m;

    load(&m);
    for (unsigned round = 0; round < 3; round++) {
        for (uint8_t who = 0; who < SF_NOISE_SHARED_MAX + round; who++) {
            struct sf_noise_shared none = {0};
            uint8_t receiver_sk[32] = {[0] = 8, [1] = who}, receiver_pk[32];
            struct sf_noise_opener fresh = m.opener;

            sf_x25519_public(receiver_pk, receiver_sk);
            m.opener.remote_pk = receiver_pk;
            fresh.remote_pk = receiver_pk;
            fresh.shared = &none;
            REQUIRE_EQ(
                sf_noise_write(&m.opener, sf_view(m.payload, PAYLOAD_BYTES), message, key), SF_OK);
            REQUIRE_EQ(
                sf_noise_write(&fresh, sf_view(m.payload, PAYLOAD_BYTES), expected, expected_key),
                SF_OK);
            CHECK_BYTES(message, expected, MESSAGE_BYTES);
            CHECK_BYTES(key, expected_key, 32);
            CHECK_EQ(read_message(&m, m.opener.prologue, receiver_sk,
                         sf_view(message, MESSAGE_BYTES), m.psk, payload, sender),
                SF_OK);
            CHECK_BYTES(payload, m.payload, PAYLOAD_BYTES);
        }
    }
    /* Whoever does not hold the secret of the sender's key is refused by what is kept as well. */
    m.static_sk[5] ^= 1;
    memset(&m.sent, 0, sizeof(m.sent));
    m.opener.remote_pk = m.remote;
    REQUIRE_EQ(sf_noise_write(&m.opener, sf_view(m.payload, PAYLOAD_BYTES), message, key), SF_OK);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, sf_view(message, MESSAGE_BYTES),
                     m.psk, payload, sender),
            SF_EAUTH);
        CHECK_EQ(read_message(&m, m.opener.prologue, m.remote_sk, sf_view(m.message, MESSAGE_BYTES),
                     m.psk, payload, sender),
            SF_OK);
    }
}

CHECK_MAIN("noise",
    {"a message is that of the published vector, and so is its key", test_vector_write},
    {"the published message is read, and says who sent it", test_vector_read},
    {"no single bit of a message may change", test_flips},
    {"a message that is cut off is refused", test_truncated},
    {"another prologue, receiver or pre-shared key is refused", test_wrong_context},
    {"keys of low order are refused by writer and reader", test_low_order},
    {"what two lasting keys share is kept and used for these two alone", test_shared_is_kept})
