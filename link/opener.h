/*
 * opener.h - the one datagram that opens a session, byte by byte.
 *
 *      0   4  zero (no session id is zero)
 *      4   1  version, 1
 *      5   1  suite, 1
 *      6   1  to which key: 0 the link prekey named below, 1 the static key
 *      7   1  zero
 *      8   4  prekey number (zero for the static key)
 *     12  32  e         Noise_Xpsk1_25519_ChaChaPoly_SHA256 from here on
 *     44  48  s, sealed
 *     92 1092 payload of 1,076 bytes, sealed
 *   1184  16  mac
 *
 * Payload: epoch (8), session id (4), the number of the receiver's prekey that
 * the sender knows (4), the lives of its last 8 starts, the present one first (64),
 * then messages, padded (message.h).
 *
 * Prologue: "skyferry-link-1" ‖ version ‖ suite ‖ fingerprint of the receiver ‖
 * bytes 0 to 11. mac: HMAC-SHA-256 over bytes 0 to 1183, cut to 16, under
 * HKDF-SHA-256(ikm = hint key on the receiver's card, info = "opener-mac").
 *
 * The mac is checked first: whoever has not seen the card cannot make the
 * receiver do any public-key work.
 */
#ifndef SF_LINK_OPENER_H
#define SF_LINK_OPENER_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"
#include "link/lives.h"
#include "link/noise.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_OPENER_BYTES = 1200,
    SF_OPENER_MAC_BYTES = 16,
    SF_OPENER_MAC_AT = SF_OPENER_BYTES - SF_OPENER_MAC_BYTES,
    SF_OPENER_CLEAR_BYTES = 12,
    SF_OPENER_PAYLOAD_BYTES = SF_OPENER_MAC_AT - SF_OPENER_CLEAR_BYTES - SF_NOISE_OVERHEAD_BYTES,
    SF_OPENER_PAYLOAD_HEAD_BYTES = 16 + 8 * SF_LIVES_MAX,
    SF_OPENER_MESSAGES_BYTES = SF_OPENER_PAYLOAD_BYTES - SF_OPENER_PAYLOAD_HEAD_BYTES,
    SF_OPENER_VERSION = 1,
    SF_OPENER_SUITE = 1,
};

enum sf_opener_key {
    SF_OPENER_TO_PREKEY = 0,
    SF_OPENER_TO_STATIC = 1,
};

/* The mac's keyed state for openers to the owner of `hint_key`. */
void sf_opener_mac_init(struct sf_hmac *mac_key, const uint8_t hint_key[32]);

/* What both ends agree on before the first byte. */
struct sf_opener_clear {
    enum sf_opener_key key;
    uint32_t prekey_number; /* 0 for the static key */
};

struct sf_opener_payload {
    uint64_t epoch;
    uint32_t session_id;
    uint32_t prekey_known;       /* number of the receiver's prekey on the card the sender has */
    uint64_t life[SF_LIVES_MAX]; /* of the start of `epoch`, and of those before it (lives.h) */
    uint8_t messages[SF_OPENER_MESSAGES_BYTES]; /* not used bytes are zero: padding */
};

struct sf_opener_keys {
    const uint8_t *static_sk; /* own */
    const uint8_t *static_pk;
    const uint8_t *ephemeral_sk;
    const uint8_t *remote_pk; /* the prekey, or the static key */
    const uint8_t *psk;
    const struct sf_fingerprint *receiver;
    const struct sf_hmac *mac_key;  /* the receiver's */
    struct sf_noise_shared *shared; /* with the receiver */
};

/*
 * Write an opener and derive the session's key.
 * Returns SF_OK, or SF_EAUTH if the receiver's key is of low order.
 */
SF_MUST_USE int sf_opener_encode(const struct sf_opener_keys *keys,
    const struct sf_opener_clear *clear, const struct sf_opener_payload *payload,
    uint8_t ret_dgram[SF_OPENER_BYTES], uint8_t ret_key[32]);

/*
 * Does `dgram` look like an opener, and does its sender know our card?
 *
 * Returns SF_OK and the clear fields; SF_EFORMAT if a byte of the head is not
 * as above; SF_EAUTH if the mac is wrong.
 */
SF_MUST_USE int sf_opener_check(
    struct sf_view dgram, const struct sf_hmac *mac_key, struct sf_opener_clear *ret_clear);

/*
 * Begin reading an opener that was checked: who sent it? `local_sk`, `local_pk`
 * are the keys that its clear fields name. Ends with
 * sf_noise_reader_fini() whether or not sf_opener_read() is called.
 * Returns SF_OK or SF_EAUTH.
 */
SF_MUST_USE int sf_opener_sender(struct sf_noise_reader *reader, struct sf_view dgram,
    const struct sf_fingerprint *own, const uint8_t local_sk[32], const uint8_t local_pk[32],
    uint8_t ret_remote_static[32]);

/*
 * Read the rest with the pair's PSK and `shared`, that with the sender.
 * Returns SF_OK; SF_EAUTH if it is not authentic; SF_EFORMAT if its session id
 * is zero, or its epoch or its life.
 */
SF_MUST_USE int sf_opener_read(struct sf_noise_reader *reader, const uint8_t psk[32],
    struct sf_noise_shared *shared, struct sf_opener_payload *ret_payload, uint8_t ret_key[32]);

#endif
