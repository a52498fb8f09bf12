/*
 * fuzz_envelope.c - bundles: any bytes as an object, any bytes laid over the
 * front of a true one, and any bytes as content and as padded content.
 */
#include "base/assert.h"
#include "bundle/envelope.h"
#include "bundle/padding.h"
#include "tests/unit/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { CLASS = SF_ENVELOPE_CLASS_MIN, CONTENT_BYTES = 500 };

static struct people people;
static struct sf_seal seal;
static uint8_t sealed[CLASS];

static void
set_up(void)
{
    const uint8_t cek[SF_CEK_BYTES] = {1, 2, 3};
    const struct sf_transfer_id transfer = {{9, 8, 7}};
    uint8_t siv[SF_SIV_BYTES];
    int status;

    if (people.count > 0) {
        return;
    }
    people_open(&people, 1, 1);
    sf_seal_init(&seal, cek, &transfer);
    status = sf_envelope_seal(
        &seal, people.identities[0], SF_KIND_DATA, 3, sealed, CLASS, CONTENT_BYTES, siv);
    sf_assert(status == SF_OK);
}

static int
open_object(uint8_t *object, struct sf_view *ret_content)
{
    const struct sf_envelope_expect expect = {.signer_pk = people.cards[0].sign_pk,
        .signer_fingerprint = &people.cards[0].fingerprint,
        .kind = SF_KIND_DATA,
        .index = 3};
    uint8_t siv[SF_SIV_BYTES];

    return sf_envelope_open(&seal, &expect, sf_view(object, CLASS), object, ret_content, siv);
}

/* Only the true object itself opens. */
static void
try_object(const uint8_t *data, size_t bytes)
{
    static uint8_t object[CLASS];
    struct sf_view content;
    size_t take = bytes < CLASS ? bytes : CLASS;
    bool is_true;

    memcpy(object, sealed, CLASS);
    memcpy(object, data, take);
    is_true = memcmp(object, sealed, CLASS) == 0;
    sf_assert(
        (sf_envelope_check(&seal, SF_KIND_DATA, 3, sf_view(object, CLASS)) == SF_OK) == is_true);
    sf_assert((open_object(object, &content) == SF_OK) == is_true);
}

static void
try_content(const uint8_t *data, size_t bytes)
{
    static uint8_t object[CLASS];
    struct sf_view content;
    uint8_t siv[SF_SIV_BYTES];
    int status;

    if (bytes == 0 || bytes > sf_envelope_capacity(CLASS)) {
        return;
    }
    memcpy(object + sf_envelope_content_offset(CLASS), data, bytes);
    status =
        sf_envelope_seal(&seal, people.identities[0], SF_KIND_DATA, 3, object, CLASS, bytes, siv);
    sf_assert(status == SF_OK);
    status = open_object(object, &content);
    sf_assert(status == SF_OK);
    sf_assert(sf_view_equal(content, sf_view(data, bytes)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t id[SF_OBJECT_ID_BYTES];
    uint8_t siv[SF_SIV_BYTES];
    struct sf_view content;

    set_up();
    (void)!sf_envelope_peek(sf_view(data, bytes), id, siv);
    if (bytes > 0) {
        try_object(data, bytes);
    }
    try_content(data, bytes);
    if (sf_padding_take(sf_view(data, bytes), &content) == SF_OK) {
        sf_assert(content.bytes >= 1);
        sf_assert(content.bytes < bytes);
        sf_assert(data[content.bytes] == SF_PADDING_MARK);
    }
    return 0;
}
