/*
 * noise.h - Noise_Xpsk1_25519_ChaChaPoly_SHA256 in one message.
 *
 * The Noise Protocol Framework, revision 34, pattern X with the modifier psk1:
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss, psk
 *
 * One message from the opener to the holder of a known X25519 key opens a
 * one-way session: it authenticates both ends, carries a payload at once and
 * leaves one transport key. The second key of Noise's Split() is never used:
 * the other direction is a session of its own.
 *
 * Reading takes two steps, because the pre-shared key can be looked up only
 * once the message has said who sent it.
 */
#ifndef SF_LINK_NOISE_H
#define SF_LINK_NOISE_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_NOISE_KEY_BYTES = 32,
    SF_NOISE_HEAD_BYTES = 32 + 32 + 16, /* e, and s with its tag */
    SF_NOISE_OVERHEAD_BYTES = SF_NOISE_HEAD_BYTES + 16,
    SF_NOISE_SHARED_MAX = 4, /* from and to: a prekey, the static key */
};

/*
 * What two lasting keys share ("ss"): the same from opener to opener, so it is
 * computed for the first and kept, for the last few pairs of keys. As secret as
 * the secrets it came from; but where one of those is erased, as prekeys are, what
 * is kept opens no message by itself: the key also comes from "es".
 * All zero to begin with; wiped by its owner.
 */
struct sf_noise_shared {
    struct {
        bool is_known;
        uint8_t own_pk[32];
        uint8_t remote_pk[32];
        uint8_t secret[32];
    } pairs[SF_NOISE_SHARED_MAX];
    unsigned next; /* to be replaced */
};

struct sf_noise_opener {
    struct sf_view prologue;
    const uint8_t *static_sk;    /* own, 32 bytes each */
    const uint8_t *static_pk;    /* own */
    const uint8_t *ephemeral_sk; /* fresh for this message alone */
    const uint8_t *remote_pk;
    const uint8_t *psk;             /* 32 zero bytes if there is none */
    struct sf_noise_shared *shared; /* with the holder of remote_pk */
};

/*
 * Write the message: payload.bytes + SF_NOISE_OVERHEAD_BYTES bytes to `out`,
 * which must not overlap the payload, and the transport key.
 *
 * Returns SF_OK, or SF_EAUTH if a public key is of low order; then nothing in
 * the outputs is of use.
 */
SF_MUST_USE int sf_noise_write(const struct sf_noise_opener *opener, struct sf_view payload,
    uint8_t *out, uint8_t ret_key[SF_NOISE_KEY_BYTES]);

/* The state between the two steps of reading. Holds secrets: end it with fini. */
struct sf_noise_reader {
    uint8_t hash[32];
    uint8_t chain[32];
    uint8_t local_sk[32];
    uint8_t local_pk[32];
    uint8_t remote_static[32];
    struct sf_view payload; /* sealed; inside the message given to begin */
};

/*
 * First step: who sent `message`? `local_sk`, `local_pk` are the key pair it
 * was written to. The message must live until the second step.
 *
 * Returns SF_OK and the sender's static key; SF_EFORMAT if the message is too
 * short; SF_EAUTH if it was not written to this key with this prologue.
 */
SF_MUST_USE int sf_noise_read_begin(struct sf_noise_reader *reader, struct sf_view prologue,
    const uint8_t local_sk[32], const uint8_t local_pk[32], struct sf_view message,
    uint8_t ret_remote_static[32]);

/*
 * Second step: open the payload (message.bytes - SF_NOISE_OVERHEAD_BYTES
 * bytes) into `out`, and derive the transport key. `shared` is that with the
 * sender.
 *
 * Returns SF_OK, or SF_EAUTH if the sender does not hold the secret of the
 * static key or another `psk` was used; then nothing in the outputs is of use.
 */
SF_MUST_USE int sf_noise_read_end(struct sf_noise_reader *reader, const uint8_t psk[32],
    struct sf_noise_shared *shared, uint8_t *out, uint8_t ret_key[SF_NOISE_KEY_BYTES]);

void sf_noise_reader_fini(struct sf_noise_reader *reader);

#endif
