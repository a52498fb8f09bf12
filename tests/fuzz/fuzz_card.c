/*
 * fuzz_card.c - cards as bytes and as text from outside, and as payloads that
 * are truly signed, which anyone can make for keys of his own.
 */
#include "base/assert.h"
#include "bundle/card.h"
#include "bundle/cbor.h"
#include "bundle/cose.h"
#include "bundle/labels.h"
#include "tests/unit/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { PAYLOAD_BYTES_MAX = 400 };

static struct people people;

static void
try_card(struct sf_view view)
{
    struct sf_card card;
    struct sf_fingerprint fingerprint;

    if (sf_card_decode(view, &card) == SF_OK) {
        sf_fingerprint_of(card.sign_pk, &fingerprint);
        sf_assert(sf_fingerprint_equal(&fingerprint, &card.fingerprint));
        sf_assert(sf_name_is_valid(sf_view(card.name, strlen(card.name))));
        sf_assert(card.issue > 0);
        sf_assert(card.prekey.number > 0);
        sf_assert(card.link_prekey.number > 0);
    }
}

static void
try_text(struct sf_view view)
{
    uint8_t out[SF_CARD_BYTES_MAX];
    uint8_t again[SF_CARD_BYTES_MAX];
    char text[SF_CARD_TEXT_BYTES_MAX];
    size_t count = 0;
    size_t text_bytes = 0;
    size_t again_count = 0;
    int status;

    if (sf_card_from_text(view, out, sizeof(out), &count) != SF_OK) {
        return;
    }
    status = sf_card_to_text(sf_view(out, count), text, sizeof(text), &text_bytes);
    sf_assert(status == SF_OK);
    status = sf_card_from_text(sf_view(text, text_bytes), again, sizeof(again), &again_count);
    sf_assert(status == SF_OK);
    sf_assert(sf_view_equal(sf_view(out, count), sf_view(again, again_count)));
    try_card(sf_view(out, count));
}

/* The first 32-byte string in the payload is, if it is a card's, the signing key: make it ours. */
static void
try_signed(const uint8_t *data, size_t bytes)
{
    uint8_t payload[PAYLOAD_BYTES_MAX];
    uint8_t scratch[PAYLOAD_BYTES_MAX + 128];
    uint8_t out[PAYLOAD_BYTES_MAX + 128];
    uint8_t signature[SF_SIGNATURE_BYTES];
    struct sf_cbor_writer writer;
    int status;

    if (bytes > sizeof(payload)) {
        return;
    }
    memcpy(payload, data, bytes);
    for (size_t i = 0; i + 34 <= bytes; i++) {
        if (payload[i] == 0x58 && payload[i + 1] == 0x20) {
            memcpy(payload + i + 2, people.identities[0]->sign_pk, 32);
            break;
        }
    }
    status = sf_cose_sign(people.identities[0]->sign_sk, SF_LABEL_VIEW(SF_LABEL_SIGN_CARD),
        sf_view(payload, bytes), scratch, sizeof(scratch), signature);
    sf_assert(status == SF_OK);
    sf_cbor_writer_init(&writer, out, sizeof(out));
    sf_cbor_write_tag(&writer, SF_COSE_TAG_SIGN1);
    sf_cbor_write_array(&writer, 4);
    sf_cbor_write_bytes(&writer, sf_view(sf_cose_sign_protected, sizeof(sf_cose_sign_protected)));
    sf_cbor_write_map(&writer, 0);
    sf_cbor_write_bytes(&writer, sf_view(payload, bytes));
    sf_cbor_write_bytes(&writer, sf_view(signature, sizeof(signature)));
    try_card(sf_view(out, writer.bytes));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (people.count == 0) {
        people_open(&people, 1, 1);
    }
    try_card(sf_view(data, bytes));
    try_text(sf_view(data, bytes));
    try_signed(data, bytes);
    return 0;
}
