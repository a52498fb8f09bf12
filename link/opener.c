/*
 * opener.c - writing, checking and reading the datagram that opens a session.
 */
#include "link/opener.h"

#include "base/assert.h"

static const char prologue_label[] = "skyferry-link-1";

enum {
    LABEL_BYTES = sizeof(prologue_label) - 1,
    PROLOGUE_BYTES = LABEL_BYTES + 2 + 32 + SF_OPENER_CLEAR_BYTES,
};

void
sf_opener_mac_init(struct sf_hmac *mac_key, const uint8_t hint_key[32])
{
    static const char label[] = "opener-mac";
    struct sf_view info = sf_view(label, sizeof(label) - 1);
    uint8_t key[32];

    sf_hkdf_sha256(sf_view(hint_key, 32), sf_view(NULL, 0), &info, 1, key, sizeof(key));
    sf_hmac_init(mac_key, sf_view(key, sizeof(key)));
    sf_wipe(key, sizeof(key));
}

static void
make_mac(const struct sf_hmac *mac_key, const uint8_t *dgram, uint8_t ret_mac[32])
{
    struct sf_hmac mac = *mac_key;

    sf_hmac_update(&mac, dgram, SF_OPENER_MAC_AT);
    sf_hmac_final(&mac, ret_mac);
}

static void
make_prologue(const struct sf_fingerprint *receiver, const uint8_t *dgram,
    uint8_t ret_prologue[PROLOGUE_BYTES])
{
    uint8_t *to = ret_prologue;

    memcpy(to, prologue_label, LABEL_BYTES);
    to += LABEL_BYTES;
    *to++ = SF_OPENER_VERSION;
    *to++ = SF_OPENER_SUITE;
    memcpy(to, receiver->b, sizeof(receiver->b));
    to += sizeof(receiver->b);
    memcpy(to, dgram, SF_OPENER_CLEAR_BYTES);
}

int
sf_opener_encode(const struct sf_opener_keys *keys, const struct sf_opener_clear *clear,
    const struct sf_opener_payload *payload, uint8_t ret_dgram[SF_OPENER_BYTES],
    uint8_t ret_key[32])
{
    uint8_t prologue[PROLOGUE_BYTES];
    uint8_t plain[SF_OPENER_PAYLOAD_BYTES];
    uint8_t mac[32];
    struct sf_noise_opener noise = {
        .prologue = sf_view(prologue, sizeof(prologue)),
        .static_sk = keys->static_sk,
        .static_pk = keys->static_pk,
        .ephemeral_sk = keys->ephemeral_sk,
        .remote_pk = keys->remote_pk,
        .psk = keys->psk,
        .shared = keys->shared,
    };
    int status;

    memset(ret_dgram, 0, SF_OPENER_CLEAR_BYTES);
    ret_dgram[4] = SF_OPENER_VERSION;
    ret_dgram[5] = SF_OPENER_SUITE;
    ret_dgram[6] = (uint8_t)clear->key;
    sf_put_be32(ret_dgram + 8, clear->prekey_number);
    make_prologue(keys->receiver, ret_dgram, prologue);

    sf_put_be64(plain, payload->epoch);
    sf_put_be32(plain + 8, payload->session_id);
    sf_put_be32(plain + 12, payload->prekey_known);
    for (size_t i = 0; i < SF_LIVES_MAX; i++) {
        sf_put_be64(plain + 16 + 8 * i, payload->life[i]);
    }
    memcpy(plain + SF_OPENER_PAYLOAD_HEAD_BYTES, payload->messages, sizeof(payload->messages));
    status = sf_noise_write(
        &noise, sf_view(plain, sizeof(plain)), ret_dgram + SF_OPENER_CLEAR_BYTES, ret_key);
    if (status == SF_OK) {
        make_mac(keys->mac_key, ret_dgram, mac);
        memcpy(ret_dgram + SF_OPENER_MAC_AT, mac, SF_OPENER_MAC_BYTES);
    }
    sf_wipe(plain, sizeof(plain));
    return status;
}

int
sf_opener_check(
    struct sf_view dgram, const struct sf_hmac *mac_key, struct sf_opener_clear *ret_clear)
{
    struct sf_opener_clear clear;
    uint8_t mac[32];

    if (dgram.bytes != SF_OPENER_BYTES || sf_get_be32(dgram.data) != 0 ||
        dgram.data[4] != SF_OPENER_VERSION || dgram.data[5] != SF_OPENER_SUITE ||
        dgram.data[6] > SF_OPENER_TO_STATIC || dgram.data[7] != 0) {
        return SF_EFORMAT;
    }
    clear.key = (enum sf_opener_key)dgram.data[6];
    clear.prekey_number = sf_get_be32(dgram.data + 8);
    if (clear.key == SF_OPENER_TO_STATIC && clear.prekey_number != 0) {
        return SF_EFORMAT;
    }
    make_mac(mac_key, dgram.data, mac);
    if (!sf_ct_equal(mac, dgram.data + SF_OPENER_MAC_AT, SF_OPENER_MAC_BYTES)) {
        return SF_EAUTH;
    }
    *ret_clear = clear;
    return SF_OK;
}

int
sf_opener_sender(struct sf_noise_reader *reader, struct sf_view dgram,
    const struct sf_fingerprint *own, const uint8_t local_sk[32], const uint8_t local_pk[32],
    uint8_t ret_remote_static[32])
{
    uint8_t prologue[PROLOGUE_BYTES];

    sf_assert(dgram.bytes == SF_OPENER_BYTES);
    make_prologue(own, dgram.data, prologue);
    return sf_noise_read_begin(reader, sf_view(prologue, sizeof(prologue)), local_sk, local_pk,
        sf_view(dgram.data + SF_OPENER_CLEAR_BYTES, SF_OPENER_MAC_AT - SF_OPENER_CLEAR_BYTES),
        ret_remote_static);
}

int
sf_opener_read(struct sf_noise_reader *reader, const uint8_t psk[32],
    struct sf_noise_shared *shared, struct sf_opener_payload *ret_payload, uint8_t ret_key[32])
{
    uint8_t plain[SF_OPENER_PAYLOAD_BYTES];
    uint8_t key[32];
    int status;

    status = sf_noise_read_end(reader, psk, shared, plain, key);
    if (status == SF_OK &&
        (sf_get_be64(plain) == 0 || sf_get_be32(plain + 8) == 0 || sf_get_be64(plain + 16) == 0)) {
        status = SF_EFORMAT;
    }
    if (status == SF_OK) {
        ret_payload->epoch = sf_get_be64(plain);
        ret_payload->session_id = sf_get_be32(plain + 8);
        ret_payload->prekey_known = sf_get_be32(plain + 12);
        for (size_t i = 0; i < SF_LIVES_MAX; i++) {
            ret_payload->life[i] = sf_get_be64(plain + 16 + 8 * i);
        }
        memcpy(ret_payload->messages, plain + SF_OPENER_PAYLOAD_HEAD_BYTES,
            sizeof(ret_payload->messages));
        memcpy(ret_key, key, sizeof(key));
    }
    sf_wipe(plain, sizeof(plain));
    sf_wipe(key, sizeof(key));
    return status;
}
