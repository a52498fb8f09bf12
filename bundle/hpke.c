/*
 * hpke.c - RFC 9180, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.
 *
 * Names as in the RFC; the numbers in brackets are its sections.
 */
#include "bundle/hpke.h"

enum { MODE_BASE = 0, MODE_PSK = 1, CONTEXT_BYTES = 65 };

static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x03};

#define SUITE_KEM  sf_view(kem_suite, sizeof(kem_suite))
#define SUITE_HPKE sf_view(hpke_suite, sizeof(hpke_suite))
#define TEXT(text) sf_view((text), sizeof(text) - 1)
#define NO_BYTES   sf_view(NULL, 0)
#define HPKE_V1    TEXT("HPKE-v1")

/* LabeledExtract (4): HKDF-Extract(salt, "HPKE-v1" || suite || label || ikm). */
static void
labeled_extract(struct sf_view suite, struct sf_view salt, struct sf_view label, struct sf_view ikm,
    uint8_t ret_prk[SF_SHA256_BYTES])
{
    const struct sf_view parts[] = {HPKE_V1, suite, label, ikm};

    sf_hmac_sha256(salt, parts, 4, ret_prk);
}

/* LabeledExpand (4). */
static void
labeled_expand(const uint8_t prk[SF_SHA256_BYTES], struct sf_view suite, struct sf_view label,
    struct sf_view info, uint8_t *out, size_t out_bytes)
{
    uint8_t length[2];
    const struct sf_view parts[] = {sf_view(length, sizeof(length)), HPKE_V1, suite, label, info};

    sf_put_be16(length, (uint16_t)out_bytes);
    sf_hkdf_expand(prk, parts, 5, out, out_bytes);
}

/* ExtractAndExpand (4.1) over enc || pk_r. */
static void
extract_and_expand(const uint8_t dh[SF_X25519_BYTES], const uint8_t enc[SF_HPKE_ENC_BYTES],
    const uint8_t pk_r[SF_X25519_BYTES], uint8_t ret_secret[SF_HPKE_SECRET_BYTES])
{
    uint8_t prk[SF_SHA256_BYTES];
    uint8_t kem_context[SF_HPKE_ENC_BYTES + SF_X25519_BYTES];

    memcpy(kem_context, enc, SF_HPKE_ENC_BYTES);
    memcpy(kem_context + SF_HPKE_ENC_BYTES, pk_r, SF_X25519_BYTES);
    labeled_extract(SUITE_KEM, NO_BYTES, TEXT("eae_prk"), sf_view(dh, SF_X25519_BYTES), prk);
    labeled_expand(prk, SUITE_KEM, TEXT("shared_secret"), sf_view(kem_context, sizeof(kem_context)),
        ret_secret, SF_HPKE_SECRET_BYTES);
    sf_wipe(prk, sizeof(prk));
}

void
sf_hpke_derive_keypair(
    struct sf_view ikm, uint8_t ret_sk[SF_X25519_BYTES], uint8_t ret_pk[SF_X25519_BYTES])
{
    uint8_t prk[SF_SHA256_BYTES];

    labeled_extract(SUITE_KEM, NO_BYTES, TEXT("dkp_prk"), ikm, prk);
    labeled_expand(prk, SUITE_KEM, TEXT("sk"), NO_BYTES, ret_sk, SF_X25519_BYTES);
    sf_x25519_public(ret_pk, ret_sk);
    sf_wipe(prk, sizeof(prk));
}

int
sf_hpke_encap(const uint8_t pk_r[SF_X25519_BYTES], const uint8_t ikm[SF_HPKE_IKM_BYTES],
    uint8_t ret_enc[SF_HPKE_ENC_BYTES], uint8_t ret_secret[SF_HPKE_SECRET_BYTES])
{
    uint8_t sk_e[SF_X25519_BYTES];
    uint8_t enc[SF_HPKE_ENC_BYTES];
    uint8_t dh[SF_X25519_BYTES];
    int status;

    sf_hpke_derive_keypair(sf_view(ikm, SF_HPKE_IKM_BYTES), sk_e, enc);
    status = sf_x25519(dh, sk_e, pk_r);
    if (status == SF_OK) {
        extract_and_expand(dh, enc, pk_r, ret_secret);
        memcpy(ret_enc, enc, sizeof(enc));
    }
    sf_wipe(sk_e, sizeof(sk_e));
    sf_wipe(dh, sizeof(dh));
    return status;
}

int
sf_hpke_decap(const uint8_t enc[SF_HPKE_ENC_BYTES], const uint8_t sk_r[SF_X25519_BYTES],
    const uint8_t pk_r[SF_X25519_BYTES], uint8_t ret_secret[SF_HPKE_SECRET_BYTES])
{
    uint8_t dh[SF_X25519_BYTES];
    int status = sf_x25519(dh, sk_r, enc);

    if (status == SF_OK) {
        extract_and_expand(dh, enc, pk_r, ret_secret);
    }
    sf_wipe(dh, sizeof(dh));
    return status;
}

int
sf_hpke_schedule(struct sf_hpke *hpke, const uint8_t secret[SF_HPKE_SECRET_BYTES],
    struct sf_view info, const struct sf_hpke_psk *psk)
{
    struct sf_view key = NO_BYTES;
    struct sf_view id = NO_BYTES;
    uint8_t context[CONTEXT_BYTES]; /* mode || psk_id_hash || info_hash */
    uint8_t prk[SF_SHA256_BYTES];

    if (psk != NULL) {
        key = psk->key;
        id = psk->id;
        if (key.bytes < SF_HPKE_PSK_BYTES_MIN || id.bytes == 0) {
            return SF_EINVAL;
        }
    }
    context[0] = psk == NULL ? MODE_BASE : MODE_PSK;
    labeled_extract(SUITE_HPKE, NO_BYTES, TEXT("psk_id_hash"), id, context + 1);
    labeled_extract(SUITE_HPKE, NO_BYTES, TEXT("info_hash"), info, context + 1 + SF_SHA256_BYTES);
    labeled_extract(SUITE_HPKE, sf_view(secret, SF_HPKE_SECRET_BYTES), TEXT("secret"), key, prk);
    labeled_expand(prk, SUITE_HPKE, TEXT("key"), sf_view(context, sizeof(context)), hpke->key,
        sizeof(hpke->key));
    labeled_expand(prk, SUITE_HPKE, TEXT("base_nonce"), sf_view(context, sizeof(context)),
        hpke->base_nonce, sizeof(hpke->base_nonce));
    labeled_expand(prk, SUITE_HPKE, TEXT("exp"), sf_view(context, sizeof(context)), hpke->exporter,
        sizeof(hpke->exporter));
    hpke->sequence = 0;
    sf_wipe(prk, sizeof(prk));
    return SF_OK;
}

void
sf_hpke_fini(struct sf_hpke *hpke)
{
    sf_wipe(hpke, sizeof(*hpke));
}

/* ComputeNonce (5.2): the sequence number, big endian, over the end of the base nonce. */
static void
compute_nonce(const struct sf_hpke *hpke, uint8_t ret_nonce[SF_AEAD_NONCE_BYTES])
{
    uint8_t sequence[8];

    sf_put_be64(sequence, hpke->sequence);
    memcpy(ret_nonce, hpke->base_nonce, SF_AEAD_NONCE_BYTES);
    for (size_t i = 0; i < sizeof(sequence); i++) {
        ret_nonce[SF_AEAD_NONCE_BYTES - sizeof(sequence) + i] ^= sequence[i];
    }
}

int
sf_hpke_context_seal(struct sf_hpke *hpke, struct sf_view ad, struct sf_view plain, uint8_t *out)
{
    uint8_t nonce[SF_AEAD_NONCE_BYTES];

    if (hpke->sequence == UINT64_MAX) {
        return SF_ELIMIT;
    }
    compute_nonce(hpke, nonce);
    sf_aead_seal(hpke->key, nonce, ad, plain, out);
    hpke->sequence++;
    return SF_OK;
}

int
sf_hpke_context_open(struct sf_hpke *hpke, struct sf_view ad, struct sf_view sealed, uint8_t *out)
{
    uint8_t nonce[SF_AEAD_NONCE_BYTES];
    int status;

    if (hpke->sequence == UINT64_MAX) {
        return SF_ELIMIT;
    }
    compute_nonce(hpke, nonce);
    status = sf_aead_open(hpke->key, nonce, ad, sealed, out);
    if (status == SF_OK) {
        hpke->sequence++;
    }
    return status;
}

void
sf_hpke_context_export(
    const struct sf_hpke *hpke, struct sf_view label, uint8_t *out, size_t out_bytes)
{
    labeled_expand(hpke->exporter, SUITE_HPKE, TEXT("sec"), label, out, out_bytes);
}

int
sf_hpke_seal(const struct sf_hpke_message *message, const uint8_t pk_r[SF_X25519_BYTES],
    const uint8_t ikm[SF_HPKE_IKM_BYTES], struct sf_view plain, uint8_t ret_enc[SF_HPKE_ENC_BYTES],
    uint8_t *out)
{
    uint8_t secret[SF_HPKE_SECRET_BYTES];
    uint8_t enc[SF_HPKE_ENC_BYTES];
    struct sf_hpke hpke;
    int status = sf_hpke_encap(pk_r, ikm, enc, secret);

    if (status != SF_OK) {
        return status;
    }
    status = sf_hpke_schedule(&hpke, secret, message->info, message->psk);
    if (status == SF_OK) {
        status = sf_hpke_context_seal(&hpke, message->ad, plain, out);
        memcpy(ret_enc, enc, sizeof(enc));
        sf_hpke_fini(&hpke);
    }
    sf_wipe(secret, sizeof(secret));
    return status;
}

int
sf_hpke_open(const struct sf_hpke_message *message, const uint8_t enc[SF_HPKE_ENC_BYTES],
    const uint8_t sk_r[SF_X25519_BYTES], const uint8_t pk_r[SF_X25519_BYTES], struct sf_view sealed,
    uint8_t *out)
{
    uint8_t secret[SF_HPKE_SECRET_BYTES];
    struct sf_hpke hpke;
    int status = sf_hpke_decap(enc, sk_r, pk_r, secret);

    if (status != SF_OK) {
        return status;
    }
    status = sf_hpke_schedule(&hpke, secret, message->info, message->psk);
    if (status == SF_OK) {
        status = sf_hpke_context_open(&hpke, message->ad, sealed, out);
        sf_hpke_fini(&hpke);
    }
    sf_wipe(secret, sizeof(secret));
    return status;
}
