/*
 * fuzz_opener.c - whatever comes as an opener, first as it is, then with a mac
 * made by somebody who has seen the card.
 */
#include "base/assert.h"
#include "link/opener.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
read_it(const uint8_t *dgram, size_t bytes, const struct sf_hmac *mac_key)
{
    static const struct sf_fingerprint own = {{1, 2, 3}};
    static const uint8_t psk[32];
    struct sf_opener_payload payload;
    struct sf_noise_reader reader;
    struct sf_opener_clear clear;
    struct sf_noise_shared shared = {0};
    uint8_t local_sk[32] = {9}, local_pk[32], sender[32], key[32];

    if (sf_opener_check(sf_view(dgram, bytes), mac_key, &clear) != SF_OK) {
        return;
    }
    sf_assert(clear.key == SF_OPENER_TO_PREKEY || clear.prekey_number == 0);
    sf_x25519_public(local_pk, local_sk);
    if (sf_opener_sender(&reader, sf_view(dgram, bytes), &own, local_sk, local_pk, sender) ==
            SF_OK &&
        sf_opener_read(&reader, psk, &shared, &payload, key) == SF_OK) {
        sf_assert(payload.epoch != 0 && payload.session_id != 0 && payload.life[0] != 0);
    }
    sf_noise_reader_fini(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t hint_key[32] = {7};
    struct sf_hmac mac_key, mac;
    uint8_t dgram[SF_OPENER_BYTES] = {0};
    uint8_t out[32];

    sf_assert(sf_crypto_init() == SF_OK);
    sf_opener_mac_init(&mac_key, hint_key);
    read_it(data, bytes, &mac_key);
    if (bytes > 0) {
        memcpy(dgram, data, bytes < SF_OPENER_MAC_AT ? bytes : SF_OPENER_MAC_AT);
    }
    mac = mac_key;
    sf_hmac_update(&mac, dgram, SF_OPENER_MAC_AT);
    sf_hmac_final(&mac, out);
    memcpy(dgram + SF_OPENER_MAC_AT, out, SF_OPENER_MAC_BYTES);
    read_it(dgram, sizeof(dgram), &mac_key);
    return 0;
}
