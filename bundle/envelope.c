/*
 * envelope.c - data bundles sealed, opened and checked.
 */
#include "bundle/envelope.h"

#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/labels.h"
#include "bundle/padding.h"

enum {
    /* Offsets of the outer header; see the table in envelope.h. */
    AT_ID = 22,
    AT_IV = 40,
    AT_SIV = 59,
    AT_CIPHER_HEAD = 91,
    HEAD_SHORT_BYTES = 94, /* whole header of a class up to 64 KiB */
    HEAD_LONG_BYTES = 96,
    CLASS_SHORT_MAX = 64 << 10,
    PLACE_BYTES = 25, /* transfer, kind, index */
    PAYLOAD_BYTES_MAX = 128,
    SCRATCH_BYTES = PAYLOAD_BYTES_MAX + sizeof(SF_LABEL_SIGN_BUNDLE) + SF_COSE_SIGN_OVERHEAD_MAX,
};

/* What never differs up to the ciphertext; id, IV and siv are filled in. */
static const uint8_t header_template[AT_CIPHER_HEAD] = {
    0xd0, 0x83, 0x50,                                     /* tag 16, array of 3, 16 bytes: */
    0xa3, 0x01, 0x18, 0x18,                               /* {1: 24, */
    0x3a, 0x00, 0x01, 0x11, 0x70, SF_PROTOCOL_VERSION,    /* -70001: version, */
    0x3a, 0x00, 0x01, 0x11, 0x71, SF_SUITE_1,             /* -70002: suite} */
    0xa3, 0x04, 0x50,                                     /* {4: 16 bytes of id, */
    [AT_ID + 16] = 0x05, 0x4c,                            /* 5: 12 bytes of IV, */
    [AT_IV + 12] = 0x3a, 0x00, 0x01, 0x11, 0x72, 0x58, 32 /* -70003: 32 bytes of siv} */
};

struct derived {
    uint8_t key[SF_AEAD_KEY_BYTES];
    uint8_t iv[SF_AEAD_NONCE_BYTES];
};

/* --- Keys ------------------------------------------------------------------ */

static void
init_keyed(struct sf_hmac *hmac, const uint8_t cek[SF_CEK_BYTES], struct sf_view label,
    const struct sf_transfer_id *transfer)
{
    const struct sf_view info[] = {label, sf_view(transfer->b, sizeof(transfer->b))};
    uint8_t key[SF_SHA256_BYTES];

    sf_hkdf_sha256(sf_view(cek, SF_CEK_BYTES), sf_view(NULL, 0), info, 2, key, sizeof(key));
    sf_hmac_init(hmac, sf_view(key, sizeof(key)));
    sf_wipe(key, sizeof(key));
}

void
sf_seal_init(
    struct sf_seal *seal, const uint8_t cek[SF_CEK_BYTES], const struct sf_transfer_id *transfer)
{
    memmove(seal->cek, cek, SF_CEK_BYTES);
    seal->transfer = *transfer;
    init_keyed(&seal->siv, seal->cek, SF_LABEL_VIEW(SF_LABEL_KEY_SIV), &seal->transfer);
    init_keyed(&seal->id, seal->cek, SF_LABEL_VIEW(SF_LABEL_KEY_ID), &seal->transfer);
    init_keyed(&seal->base, seal->cek, SF_LABEL_VIEW(SF_LABEL_KEY_BASE), &seal->transfer);
}

void
sf_seal_fini(struct sf_seal *seal)
{
    sf_wipe(seal, sizeof(*seal));
}

static void
put_place(const struct sf_seal *seal, enum sf_kind kind, uint64_t index, uint8_t out[PLACE_BYTES])
{
    memcpy(out, seal->transfer.b, sizeof(seal->transfer.b));
    out[16] = (uint8_t)kind;
    sf_put_be64(out + 17, index);
}

void
sf_envelope_id(const struct sf_seal *seal, enum sf_kind kind, uint64_t index,
    uint8_t ret_id[SF_OBJECT_ID_BYTES])
{
    struct sf_hmac hmac = seal->id;
    uint8_t place[PLACE_BYTES];
    uint8_t mac[SF_SHA256_BYTES];

    put_place(seal, kind, index, place);
    sf_hmac_update(&hmac, place, sizeof(place));
    sf_hmac_final(&hmac, mac);
    memcpy(ret_id, mac, SF_OBJECT_ID_BYTES);
}

static void
derive(const struct sf_seal *seal, const uint8_t siv[SF_SIV_BYTES],
    const uint8_t place[PLACE_BYTES], struct derived *ret_derived)
{
    const struct sf_view info[] = {SF_LABEL_VIEW(SF_LABEL_BUNDLE), sf_view(place, PLACE_BYTES)};
    uint8_t out[SF_AEAD_KEY_BYTES + SF_AEAD_NONCE_BYTES];

    sf_hkdf_sha256(
        sf_view(seal->cek, SF_CEK_BYTES), sf_view(siv, SF_SIV_BYTES), info, 2, out, sizeof(out));
    memcpy(ret_derived->key, out, sizeof(ret_derived->key));
    memcpy(ret_derived->iv, out + SF_AEAD_KEY_BYTES, sizeof(ret_derived->iv));
    sf_wipe(out, sizeof(out));
}

/* siv over everything behind the signature: content and padding. */
static void
compute_siv(const struct sf_seal *seal, const uint8_t place[PLACE_BYTES], struct sf_view padded,
    uint8_t ret_siv[SF_SIV_BYTES])
{
    struct sf_hmac hmac = seal->siv;

    sf_hmac_update(&hmac, SF_LABEL_SIV, sizeof(SF_LABEL_SIV) - 1);
    sf_hmac_update(&hmac, place, PLACE_BYTES);
    sf_hmac_update(&hmac, padded.data, padded.bytes);
    sf_hmac_final(&hmac, ret_siv);
}

/* --- Layout ---------------------------------------------------------------- */

size_t
sf_envelope_class(unsigned index)
{
    return index < SF_ENVELOPE_CLASSES ? (size_t)SF_ENVELOPE_CLASS_MIN << 2 * index : 0;
}

bool
sf_envelope_class_is_valid(size_t class_bytes)
{
    for (unsigned i = 0; i < SF_ENVELOPE_CLASSES; i++) {
        if (class_bytes == sf_envelope_class(i)) {
            return true;
        }
    }
    return false;
}

static size_t
header_bytes(size_t class_bytes)
{
    return class_bytes <= CLASS_SHORT_MAX ? HEAD_SHORT_BYTES : HEAD_LONG_BYTES;
}

size_t
sf_envelope_content_offset(size_t class_bytes)
{
    return header_bytes(class_bytes) + SF_SIGNATURE_BYTES;
}

size_t
sf_envelope_capacity(size_t class_bytes)
{
    return class_bytes - sf_envelope_content_offset(class_bytes) - SF_PADDING_BYTES_MIN -
           SF_AEAD_TAG_BYTES;
}

/* The object's bytes from content to tag: content and padding. */
static struct sf_view
padded_of(const uint8_t *object, size_t class_bytes)
{
    size_t offset = sf_envelope_content_offset(class_bytes);

    return sf_view(object + offset, class_bytes - offset - SF_AEAD_TAG_BYTES);
}

/* What is encrypted: signature, content and padding. */
static struct sf_view
plain_of(const uint8_t *object, size_t class_bytes)
{
    size_t offset = header_bytes(class_bytes);

    return sf_view(object + offset, class_bytes - offset - SF_AEAD_TAG_BYTES);
}

static void
put_header(uint8_t *object, size_t class_bytes, const uint8_t id[SF_OBJECT_ID_BYTES],
    const uint8_t iv[SF_AEAD_NONCE_BYTES], const uint8_t siv[SF_SIV_BYTES])
{
    uint8_t *head = object + AT_CIPHER_HEAD;
    size_t cipher_bytes = class_bytes - header_bytes(class_bytes);

    memcpy(object, header_template, sizeof(header_template));
    memcpy(object + AT_ID, id, SF_OBJECT_ID_BYTES);
    memcpy(object + AT_IV, iv, SF_AEAD_NONCE_BYTES);
    memcpy(object + AT_SIV, siv, SF_SIV_BYTES);
    if (class_bytes <= CLASS_SHORT_MAX) {
        head[0] = 0x59;
        sf_put_be16(head + 1, (uint16_t)cipher_bytes);
    } else {
        head[0] = 0x5a;
        sf_put_be32(head + 1, (uint32_t)cipher_bytes);
    }
}

/* Whether the header is, byte for byte, the one this class must have around its id, IV and siv. */
static bool
header_is_canonical(const uint8_t *object, size_t class_bytes)
{
    uint8_t expected[HEAD_LONG_BYTES];

    put_header(expected, class_bytes, object + AT_ID, object + AT_IV, object + AT_SIV);
    return memcmp(object, expected, header_bytes(class_bytes)) == 0;
}

/* --- The signature --------------------------------------------------------- */

/* The detached payload of the COSE_Sign1: [suite, kind, signer, transfer, index, siv]. */
static struct sf_view
sign_payload(const struct sf_seal *seal, const struct sf_fingerprint *signer, enum sf_kind kind,
    uint64_t index, const uint8_t siv[SF_SIV_BYTES], uint8_t out[PAYLOAD_BYTES_MAX])
{
    struct sf_cbor_writer writer;

    sf_cbor_writer_init(&writer, out, PAYLOAD_BYTES_MAX);
    sf_cbor_write_array(&writer, 6);
    sf_cbor_write_uint(&writer, SF_SUITE_1);
    sf_cbor_write_uint(&writer, (uint64_t)kind);
    sf_cbor_write_bytes(&writer, sf_view(signer->b, sizeof(signer->b)));
    sf_cbor_write_bytes(&writer, sf_view(seal->transfer.b, sizeof(seal->transfer.b)));
    sf_cbor_write_uint(&writer, index);
    sf_cbor_write_bytes(&writer, sf_view(siv, SF_SIV_BYTES));
    return sf_view(out, writer.bytes);
}

/* --- Seal and open --------------------------------------------------------- */

static bool
content_fits(size_t class_bytes, size_t content_bytes)
{
    return sf_envelope_class_is_valid(class_bytes) && content_bytes >= 1 &&
           content_bytes <= sf_envelope_capacity(class_bytes);
}

int
sf_envelope_siv(const struct sf_seal *seal, enum sf_kind kind, uint64_t index, uint8_t *object,
    size_t class_bytes, size_t content_bytes, uint8_t ret_siv[SF_SIV_BYTES])
{
    uint8_t place[PLACE_BYTES];
    struct sf_view padded;

    if (!content_fits(class_bytes, content_bytes)) {
        return SF_EINVAL;
    }
    padded = padded_of(object, class_bytes);
    put_place(seal, kind, index, place);
    sf_padding_put(object + sf_envelope_content_offset(class_bytes), padded.bytes, content_bytes);
    compute_siv(seal, place, padded, ret_siv);
    return SF_OK;
}

int
sf_envelope_seal(const struct sf_seal *seal, const struct sf_identity *signer, enum sf_kind kind,
    uint64_t index, uint8_t *object, size_t class_bytes, size_t content_bytes,
    uint8_t ret_siv[SF_SIV_BYTES])
{
    struct derived derived;
    uint8_t place[PLACE_BYTES];
    uint8_t id[SF_OBJECT_ID_BYTES];
    uint8_t siv[SF_SIV_BYTES];
    uint8_t payload[PAYLOAD_BYTES_MAX];
    uint8_t scratch[SCRATCH_BYTES];
    int status = sf_envelope_siv(seal, kind, index, object, class_bytes, content_bytes, siv);

    if (status != SF_OK) {
        return status;
    }
    status = sf_cose_sign(signer->sign_sk, SF_LABEL_VIEW(SF_LABEL_SIGN_BUNDLE),
        sign_payload(seal, &signer->fingerprint, kind, index, siv, payload), scratch,
        sizeof(scratch), object + header_bytes(class_bytes));
    if (status != SF_OK) {
        sf_wipe(object, class_bytes);
        return status;
    }
    put_place(seal, kind, index, place);
    derive(seal, siv, place, &derived);
    sf_envelope_id(seal, kind, index, id);
    put_header(object, class_bytes, id, derived.iv, siv);
    sf_aead_seal(derived.key, derived.iv, sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)),
        plain_of(object, class_bytes), object + header_bytes(class_bytes));
    memcpy(ret_siv, siv, sizeof(siv));
    sf_wipe(&derived, sizeof(derived));
    return SF_OK;
}

/*
 * The outside of `object`: every byte of the header, and id and IV against those
 * of the place it is to stand in. On SF_OK the caller wipes *ret_derived.
 */
static int
check_outside(const struct sf_seal *seal, struct sf_view object, enum sf_kind kind,
    const uint8_t place[PLACE_BYTES], uint64_t index, struct derived *ret_derived)
{
    uint8_t id[SF_OBJECT_ID_BYTES];

    if (!sf_envelope_class_is_valid(object.bytes)) {
        return SF_EINVAL;
    }
    if (!header_is_canonical(object.data, object.bytes)) {
        return SF_EFORMAT;
    }
    sf_envelope_id(seal, kind, index, id);
    derive(seal, object.data + AT_SIV, place, ret_derived);
    if (!sf_ct_equal(id, object.data + AT_ID, sizeof(id)) ||
        !sf_ct_equal(ret_derived->iv, object.data + AT_IV, sizeof(ret_derived->iv))) {
        sf_wipe(ret_derived, sizeof(*ret_derived));
        return SF_EAUTH;
    }
    return SF_OK;
}

/* What follows decryption: siv, signature, padding; in that order. */
static int
check_plain(const struct sf_seal *seal, const struct sf_envelope_expect *expect,
    const uint8_t place[PLACE_BYTES], const uint8_t siv[SF_SIV_BYTES], const uint8_t *plain,
    size_t class_bytes, struct sf_view *ret_content)
{
    struct sf_view padded = padded_of(plain, class_bytes);
    uint8_t computed[SF_SIV_BYTES];
    uint8_t payload[PAYLOAD_BYTES_MAX];
    uint8_t scratch[SCRATCH_BYTES];

    /*
     * Whoever knows the CEK can put any content under a true siv and signature
     * of another: only this comparison ties the content to what was signed.
     */
    compute_siv(seal, place, padded, computed);
    if (!sf_ct_equal(computed, siv, sizeof(computed))) {
        return SF_EAUTH;
    }
    if (sf_cose_verify(expect->signer_pk, SF_LABEL_VIEW(SF_LABEL_SIGN_BUNDLE),
            sign_payload(
                seal, expect->signer_fingerprint, expect->kind, expect->index, computed, payload),
            scratch, sizeof(scratch), plain + header_bytes(class_bytes)) != SF_OK) {
        return SF_EAUTH;
    }
    return sf_padding_take(padded, ret_content);
}

int
sf_envelope_open(const struct sf_seal *seal, const struct sf_envelope_expect *expect,
    struct sf_view object, uint8_t *plain, struct sf_view *ret_content,
    uint8_t ret_siv[SF_SIV_BYTES])
{
    struct derived derived;
    struct sf_view content;
    uint8_t place[PLACE_BYTES];
    uint8_t siv[SF_SIV_BYTES];
    int status;

    put_place(seal, expect->kind, expect->index, place);
    status = check_outside(seal, object, expect->kind, place, expect->index, &derived);
    if (status != SF_OK) {
        return status;
    }
    memcpy(siv, object.data + AT_SIV, sizeof(siv));
    status = sf_aead_open_detached(derived.key, derived.iv,
        sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)), plain_of(object.data, object.bytes),
        object.data + object.bytes - SF_AEAD_TAG_BYTES, plain + header_bytes(object.bytes));
    sf_wipe(&derived, sizeof(derived));
    if (status == SF_OK) {
        status = check_plain(seal, expect, place, siv, plain, object.bytes, &content);
    }
    if (status != SF_OK) {
        sf_wipe(plain, object.bytes);
        return status;
    }
    *ret_content = content;
    memcpy(ret_siv, siv, sizeof(siv));
    return SF_OK;
}

int
sf_envelope_check(
    const struct sf_seal *seal, enum sf_kind kind, uint64_t index, struct sf_view object)
{
    struct derived derived;
    uint8_t place[PLACE_BYTES];
    int status;

    put_place(seal, kind, index, place);
    status = check_outside(seal, object, kind, place, index, &derived);
    if (status != SF_OK) {
        return status;
    }
    status =
        sf_aead_check(derived.key, derived.iv, sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)),
            plain_of(object.data, object.bytes), object.data + object.bytes - SF_AEAD_TAG_BYTES);
    sf_wipe(&derived, sizeof(derived));
    return status;
}

int
sf_envelope_peek(
    struct sf_view object, uint8_t ret_id[SF_OBJECT_ID_BYTES], uint8_t ret_siv[SF_SIV_BYTES])
{
    if (!sf_envelope_class_is_valid(object.bytes) ||
        !header_is_canonical(object.data, object.bytes)) {
        return SF_EFORMAT;
    }
    memcpy(ret_id, object.data + AT_ID, SF_OBJECT_ID_BYTES);
    memcpy(ret_siv, object.data + AT_SIV, SF_SIV_BYTES);
    return SF_OK;
}
