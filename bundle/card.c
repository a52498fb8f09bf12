/*
 * card.c - a node's public keys, written, read, and as a line of text.
 */
#include "bundle/card.h"

#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/labels.h"

enum {
    CARD_VERSION = 1,
    CARD_FIELDS = 10,
    PAYLOAD_BYTES_MAX = 384,
    SCRATCH_BYTES = PAYLOAD_BYTES_MAX + sizeof(SF_LABEL_SIGN_CARD) + SF_COSE_SIGN_OVERHEAD_MAX,
};

void
sf_card_of(const struct sf_identity *identity, struct sf_card *ret_card)
{
    const struct sf_prekey *prekey = sf_prekey_current(&identity->prekeys);
    const struct sf_prekey *link_prekey = sf_prekey_current(&identity->link_prekeys);

    memset(ret_card, 0, sizeof(*ret_card));
    ret_card->fingerprint = identity->fingerprint;
    memcpy(ret_card->sign_pk, identity->sign_pk, sizeof(ret_card->sign_pk));
    memcpy(ret_card->link_static_pk, identity->link_static_pk, sizeof(ret_card->link_static_pk));
    memcpy(ret_card->hint_key, identity->hint_key, sizeof(ret_card->hint_key));
    ret_card->prekey.number = prekey->number;
    memcpy(ret_card->prekey.pk, prekey->pk, sizeof(ret_card->prekey.pk));
    ret_card->link_prekey.number = link_prekey->number;
    memcpy(ret_card->link_prekey.pk, link_prekey->pk, sizeof(ret_card->link_prekey.pk));
    ret_card->issue = identity->card_issue;
    memcpy(ret_card->name, identity->name, sizeof(ret_card->name));
}

static int
write_payload(const struct sf_card *card, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer writer;

    sf_cbor_writer_init(&writer, out, bytes_max);
    sf_cbor_write_array(&writer, CARD_FIELDS);
    sf_cbor_write_uint(&writer, CARD_VERSION);
    sf_cbor_write_text(&writer, card->name);
    sf_cbor_write_bytes(&writer, sf_view(card->sign_pk, sizeof(card->sign_pk)));
    sf_cbor_write_bytes(&writer, sf_view(card->link_static_pk, sizeof(card->link_static_pk)));
    sf_cbor_write_bytes(&writer, sf_view(card->hint_key, sizeof(card->hint_key)));
    sf_cbor_write_uint(&writer, card->prekey.number);
    sf_cbor_write_bytes(&writer, sf_view(card->prekey.pk, sizeof(card->prekey.pk)));
    sf_cbor_write_uint(&writer, card->link_prekey.number);
    sf_cbor_write_bytes(&writer, sf_view(card->link_prekey.pk, sizeof(card->link_prekey.pk)));
    sf_cbor_write_uint(&writer, card->issue);
    return sf_cbor_finish(&writer, ret_bytes);
}

int
sf_card_encode(
    const struct sf_identity *identity, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_card card;
    struct sf_cbor_writer writer;
    uint8_t payload[PAYLOAD_BYTES_MAX];
    uint8_t scratch[SCRATCH_BYTES];
    uint8_t signature[SF_SIGNATURE_BYTES];
    size_t payload_bytes;
    int status;

    sf_card_of(identity, &card);
    if ((status = write_payload(&card, payload, sizeof(payload), &payload_bytes)) != SF_OK ||
        (status = sf_cose_sign(identity->sign_sk, SF_LABEL_VIEW(SF_LABEL_SIGN_CARD),
             sf_view(payload, payload_bytes), scratch, sizeof(scratch), signature)) != SF_OK) {
        return status;
    }
    sf_cbor_writer_init(&writer, out, bytes_max);
    sf_cbor_write_tag(&writer, SF_COSE_TAG_SIGN1);
    sf_cbor_write_array(&writer, 4);
    sf_cbor_write_bytes(&writer, sf_view(sf_cose_sign_protected, sizeof(sf_cose_sign_protected)));
    sf_cbor_write_map(&writer, 0);
    sf_cbor_write_bytes(&writer, sf_view(payload, payload_bytes));
    sf_cbor_write_bytes(&writer, sf_view(signature, sizeof(signature)));
    return sf_cbor_finish(&writer, ret_bytes);
}

static int
read_payload(struct sf_view payload, struct sf_card *card)
{
    struct sf_cbor_reader reader;
    struct sf_view name;
    uint64_t number = 0;
    uint64_t link_number = 0;
    int status;

    sf_cbor_reader_init(&reader, payload);
    if ((status = sf_cbor_expect_array(&reader, CARD_FIELDS)) != SF_OK ||
        (status = sf_cbor_expect_uint(&reader, CARD_VERSION)) != SF_OK ||
        (status = sf_cbor_read_text(&reader, SF_NAME_BYTES_MAX, &name)) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, card->sign_pk, sizeof(card->sign_pk))) != SF_OK ||
        (status = sf_cbor_read_fixed(
             &reader, card->link_static_pk, sizeof(card->link_static_pk))) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, card->hint_key, sizeof(card->hint_key))) != SF_OK ||
        (status = sf_cbor_read_uint(&reader, UINT32_MAX, &number)) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, card->prekey.pk, sizeof(card->prekey.pk))) != SF_OK ||
        (status = sf_cbor_read_uint(&reader, UINT32_MAX, &link_number)) != SF_OK ||
        (status = sf_cbor_read_fixed(
             &reader, card->link_prekey.pk, sizeof(card->link_prekey.pk))) != SF_OK ||
        (status = sf_cbor_read_uint(&reader, UINT64_MAX, &card->issue)) != SF_OK ||
        (status = sf_cbor_end(&reader)) != SF_OK) {
        return status;
    }
    if (!sf_name_is_valid(name) || number == 0 || link_number == 0 || card->issue == 0) {
        return SF_EFORMAT;
    }
    memcpy(card->name, name.data, name.bytes);
    card->prekey.number = (uint32_t)number;
    card->link_prekey.number = (uint32_t)link_number;
    return SF_OK;
}

/* Whether anything can be agreed with this key; any secret will do to find out. */
static bool
x25519_is_usable(const uint8_t pk[SF_X25519_BYTES])
{
    static const uint8_t secret[SF_X25519_BYTES] = {0x40};
    uint8_t shared[SF_X25519_BYTES];

    return sf_x25519(shared, secret, pk) == SF_OK;
}

int
sf_card_decode(struct sf_view encoded, struct sf_card *ret_card)
{
    struct sf_cbor_reader reader;
    struct sf_card card = {0};
    struct sf_view payload;
    uint8_t protected_header[sizeof(sf_cose_sign_protected)];
    uint8_t signature[SF_SIGNATURE_BYTES];
    uint8_t scratch[SCRATCH_BYTES];
    uint64_t tag = 0;
    int status;

    if (encoded.bytes > SF_CARD_BYTES_MAX) {
        return SF_ELIMIT;
    }
    sf_cbor_reader_init(&reader, encoded);
    if ((status = sf_cbor_read_tag(&reader, &tag)) != SF_OK ||
        (status = sf_cbor_expect_array(&reader, 4)) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, protected_header, sizeof(protected_header))) !=
            SF_OK ||
        (status = sf_cbor_expect_map(&reader, 0)) != SF_OK ||
        (status = sf_cbor_read_bytes(&reader, PAYLOAD_BYTES_MAX, &payload)) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, signature, sizeof(signature))) != SF_OK ||
        (status = sf_cbor_end(&reader)) != SF_OK) {
        return status;
    }
    if (tag != SF_COSE_TAG_SIGN1 ||
        memcmp(protected_header, sf_cose_sign_protected, sizeof(protected_header)) != 0) {
        return SF_EFORMAT;
    }
    if ((status = read_payload(payload, &card)) != SF_OK ||
        (status = sf_cose_verify(card.sign_pk, SF_LABEL_VIEW(SF_LABEL_SIGN_CARD), payload, scratch,
             sizeof(scratch), signature)) != SF_OK) {
        return status;
    }
    if (!x25519_is_usable(card.link_static_pk) || !x25519_is_usable(card.prekey.pk) ||
        !x25519_is_usable(card.link_prekey.pk)) {
        return SF_EAUTH;
    }
    sf_fingerprint_of(card.sign_pk, &card.fingerprint);
    *ret_card = card;
    return SF_OK;
}

bool
sf_card_supersedes(const struct sf_card *card, const struct sf_card *known)
{
    return sf_fingerprint_equal(&card->fingerprint, &known->fingerprint) &&
           card->issue > known->issue;
}

/* --- As text (RFC 4648, section 5, without padding) ------------------------ */

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int
sf_card_to_text(struct sf_view encoded, char *out, size_t bytes_max, size_t *ret_bytes)
{
    size_t prefix_bytes = sizeof(SF_CARD_TEXT_PREFIX) - 1;
    size_t at = prefix_bytes;
    uint32_t bits = 0;
    unsigned bit_count = 0;

    if (encoded.bytes > SF_CARD_BYTES_MAX ||
        bytes_max < prefix_bytes + (encoded.bytes * 8 + 5) / 6 + 1) {
        return SF_ELIMIT;
    }
    memcpy(out, SF_CARD_TEXT_PREFIX, prefix_bytes);
    for (size_t i = 0; i < encoded.bytes; i++) {
        bits = bits << 8 | encoded.data[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            out[at++] = base64url[bits >> bit_count & 63];
        }
    }
    if (bit_count > 0) {
        out[at++] = base64url[bits << (6 - bit_count) & 63];
    }
    out[at] = '\0';
    *ret_bytes = at;
    return SF_OK;
}

static bool
is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
sf_card_from_text(struct sf_view text, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    size_t prefix_bytes = sizeof(SF_CARD_TEXT_PREFIX) - 1;
    size_t count = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;

    while (text.bytes > 0 && is_space(text.data[0])) {
        text = sf_view(text.data + 1, text.bytes - 1);
    }
    while (text.bytes > 0 && is_space(text.data[text.bytes - 1])) {
        text.bytes--;
    }
    if (text.bytes <= prefix_bytes || memcmp(text.data, SF_CARD_TEXT_PREFIX, prefix_bytes) != 0) {
        return SF_EFORMAT;
    }
    if ((text.bytes - prefix_bytes) / 4 > bytes_max / 3) {
        return SF_ELIMIT;
    }
    for (size_t i = prefix_bytes; i < text.bytes; i++) {
        const char *digit = text.data[i] == '\0' ? NULL : strchr(base64url, text.data[i]);

        if (digit == NULL) {
            return SF_EFORMAT;
        }
        bits = bits << 6 | (uint32_t)(digit - base64url);
        bit_count += 6;
        if (bit_count >= 8) {
            if (count == bytes_max) {
                return SF_ELIMIT;
            }
            bit_count -= 8;
            out[count++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* One card has one text: no lone digit, and the bits beyond the last byte are zero. */
    if (bit_count == 6 || (bits & ((1u << bit_count) - 1)) != 0) {
        return SF_EFORMAT;
    }
    *ret_bytes = count;
    return SF_OK;
}
