/*
 * noise.c - the symmetric state of the Noise Protocol Framework and the one
 * pattern that is used here. Names follow the framework's section 5.
 */
#include "link/noise.h"

static const char protocol_name[] = "Noise_Xpsk1_25519_ChaChaPoly_SHA256";

struct symmetric {
    uint8_t *hash;  /* h */
    uint8_t *chain; /* ck */
    uint8_t key[32];
};

static void
mix_hash(struct symmetric *state, const void *data, size_t bytes)
{
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, state->hash, 32);
    sf_sha256_update(&hash, data, bytes);
    sf_sha256_final(&hash, state->hash);
}

static void
mix_key(struct symmetric *state, const uint8_t material[32])
{
    uint8_t out[64];

    sf_hkdf_sha256(sf_view(material, 32), sf_view(state->chain, 32), NULL, 0, out, sizeof(out));
    memcpy(state->chain, out, 32);
    memcpy(state->key, out + 32, 32);
    sf_wipe(out, sizeof(out));
}

static void
mix_key_and_hash(struct symmetric *state, const uint8_t psk[32])
{
    uint8_t out[96];

    sf_hkdf_sha256(sf_view(psk, 32), sf_view(state->chain, 32), NULL, 0, out, sizeof(out));
    memcpy(state->chain, out, 32);
    mix_hash(state, out + 32, 32);
    memcpy(state->key, out + 64, 32);
    sf_wipe(out, sizeof(out));
}

/* Each key of this pattern seals one text, so the nonce is always zero. */
static void
encrypt_and_hash(struct symmetric *state, struct sf_view plain, uint8_t *out)
{
    static const uint8_t nonce[SF_AEAD_NONCE_BYTES];

    sf_aead_seal(state->key, nonce, sf_view(state->hash, 32), plain, out);
    mix_hash(state, out, plain.bytes + SF_AEAD_TAG_BYTES);
}

static int
decrypt_and_hash(struct symmetric *state, struct sf_view sealed, uint8_t *out)
{
    static const uint8_t nonce[SF_AEAD_NONCE_BYTES];
    int status = sf_aead_open(state->key, nonce, sf_view(state->hash, 32), sealed, out);

    if (status == SF_OK) {
        mix_hash(state, sealed.data, sealed.bytes);
    }
    return status;
}

static void
start(struct symmetric *state, struct sf_view prologue, const uint8_t remote_pk[32])
{
    sf_sha256(sf_view(protocol_name, sizeof(protocol_name) - 1), state->hash);
    memcpy(state->chain, state->hash, 32);
    mix_hash(state, prologue.data, prologue.bytes);
    mix_hash(state, remote_pk, 32);
}

static void
split(struct symmetric *state, uint8_t ret_key[32])
{
    uint8_t out[64];

    sf_hkdf_sha256(sf_view(NULL, 0), sf_view(state->chain, 32), NULL, 0, out, sizeof(out));
    memcpy(ret_key, out, 32);
    sf_wipe(out, sizeof(out));
}

/* The "ss" of `own_sk` and `remote_pk`; SF_EAUTH if that is of low order. */
static int
static_shared(struct sf_noise_shared *shared, const uint8_t own_sk[32], const uint8_t own_pk[32],
    const uint8_t remote_pk[32], uint8_t ret_secret[32])
{
    unsigned i;
    int status;

    for (i = 0; i < SF_NOISE_SHARED_MAX; i++) {
        if (shared->pairs[i].is_known && memcmp(shared->pairs[i].own_pk, own_pk, 32) == 0 &&
            memcmp(shared->pairs[i].remote_pk, remote_pk, 32) == 0) {
            memcpy(ret_secret, shared->pairs[i].secret, 32);
            return SF_OK;
        }
    }
    status = sf_x25519(ret_secret, own_sk, remote_pk);
    if (status == SF_OK) {
        i = shared->next;
        shared->next = (i + 1) % SF_NOISE_SHARED_MAX;
        memcpy(shared->pairs[i].own_pk, own_pk, 32);
        memcpy(shared->pairs[i].remote_pk, remote_pk, 32);
        memcpy(shared->pairs[i].secret, ret_secret, 32);
        shared->pairs[i].is_known = true;
    }
    return status;
}

int
sf_noise_write(const struct sf_noise_opener *opener, struct sf_view payload, uint8_t *out,
    uint8_t ret_key[SF_NOISE_KEY_BYTES])
{
    uint8_t hash[32], chain[32], shared[32];
    struct symmetric state = {.hash = hash, .chain = chain};
    int status;

    start(&state, opener->prologue, opener->remote_pk);

    sf_x25519_public(out, opener->ephemeral_sk);
    mix_hash(&state, out, 32);
    mix_key(&state, out); /* "e" in a pattern with a PSK */

    status = sf_x25519(shared, opener->ephemeral_sk, opener->remote_pk);
    if (status != SF_OK) {
        goto out;
    }
    mix_key(&state, shared); /* "es" */
    encrypt_and_hash(&state, sf_view(opener->static_pk, 32), out + 32);

    status = static_shared(
        opener->shared, opener->static_sk, opener->static_pk, opener->remote_pk, shared);
    if (status != SF_OK) {
        goto out;
    }
    mix_key(&state, shared); /* "ss" */
    mix_key_and_hash(&state, opener->psk);
    encrypt_and_hash(&state, payload, out + SF_NOISE_HEAD_BYTES);
    split(&state, ret_key);
out:
    sf_wipe(shared, sizeof(shared));
    sf_wipe(chain, sizeof(chain));
    sf_wipe(&state, sizeof(state));
    return status;
}

int
sf_noise_read_begin(struct sf_noise_reader *reader, struct sf_view prologue,
    const uint8_t local_sk[32], const uint8_t local_pk[32], struct sf_view message,
    uint8_t ret_remote_static[32])
{
    struct symmetric state = {.hash = reader->hash, .chain = reader->chain};
    uint8_t shared[32];
    int status;

    if (message.bytes < SF_NOISE_OVERHEAD_BYTES) {
        return SF_EFORMAT;
    }
    start(&state, prologue, local_pk);
    mix_hash(&state, message.data, 32);
    mix_key(&state, message.data);
    status = sf_x25519(shared, local_sk, message.data);
    if (status == SF_OK) {
        mix_key(&state, shared);
        status =
            decrypt_and_hash(&state, sf_view(message.data + 32, 32 + 16), reader->remote_static);
    }
    if (status == SF_OK) {
        memcpy(reader->local_sk, local_sk, 32);
        memcpy(reader->local_pk, local_pk, 32);
        memcpy(ret_remote_static, reader->remote_static, 32);
        reader->payload =
            sf_view(message.data + SF_NOISE_HEAD_BYTES, message.bytes - SF_NOISE_HEAD_BYTES);
    } else {
        sf_noise_reader_fini(reader);
    }
    sf_wipe(shared, sizeof(shared));
    sf_wipe(&state, sizeof(state));
    return status;
}

int
sf_noise_read_end(struct sf_noise_reader *reader, const uint8_t psk[32],
    struct sf_noise_shared *shared, uint8_t *out, uint8_t ret_key[SF_NOISE_KEY_BYTES])
{
    struct symmetric state = {.hash = reader->hash, .chain = reader->chain};
    uint8_t secret[32];
    int status;

    status =
        static_shared(shared, reader->local_sk, reader->local_pk, reader->remote_static, secret);
    if (status == SF_OK) {
        mix_key(&state, secret);
        mix_key_and_hash(&state, psk);
        status = decrypt_and_hash(&state, reader->payload, out);
    }
    if (status == SF_OK) {
        split(&state, ret_key);
    }
    sf_wipe(secret, sizeof(secret));
    sf_wipe(&state, sizeof(state));
    return status;
}

void
sf_noise_reader_fini(struct sf_noise_reader *reader)
{
    sf_wipe(reader, sizeof(*reader));
}
