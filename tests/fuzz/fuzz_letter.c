/*
 * fuzz_letter.c - letters: any bytes as an object, and any bytes as content that a
 * known sender has truly signed and sealed to us.
 */
#include "base/assert.h"
#include "bundle/letter.h"
#include "bundle/labels.h"
#include "bundle/parcel.h"
#include "tests/unit/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct sf_parcel_use use = {
    .kind = SF_KIND_LETTER,
    .entry_label = {(const uint8_t *)SF_LABEL_LETTER, sizeof(SF_LABEL_LETTER) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_LETTER_BODY, sizeof(SF_LABEL_LETTER_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_LETTER, sizeof(SF_LABEL_SIGN_LETTER) - 1},
};

static struct people people;
static uint8_t object[SF_LETTER_BYTES_MAX];

/* Returns whether it opened. */
static bool
try_object(uint8_t *bytes, size_t count)
{
    struct sf_card_lookup lookup = people_lookup(&people);
    struct sf_letter letter;

    if (sf_letter_open(people.identities[1], &lookup, bytes, count, &letter) != SF_OK) {
        return false;
    }
    sf_assert(letter.type >= SF_LETTER_RECEIPT);
    sf_assert(letter.type <= SF_LETTER_TYPE_MAX);
    sf_assert(letter.content.bytes >= 1);
    sf_assert(letter.content.data >= bytes);
    sf_assert(letter.content.data + letter.content.bytes <= bytes + count);
    sf_assert(sf_fingerprint_equal(&letter.sender, &people.cards[0].fingerprint));
    return true;
}

static void
try_content(struct sf_view content)
{
    const struct sf_grant_recipient recipient = {.card = &people.cards[1], .number = 1};
    const struct sf_parcel_config config = {.use = &use,
        .identity = people.identities[0],
        .recipients = &recipient,
        .recipient_count = 1,
        .content = content};
    size_t count = 0;

    if (content.bytes > 0 &&
        sf_parcel_seal(&config, &people.random, object, sizeof(object), &count) == SF_OK) {
        (void)try_object(object, count);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (people.count == 0) {
        people_open(&people, 1, 2);
    }
    if (bytes <= sizeof(object)) {
        if (bytes > 0) {
            memcpy(object, data, bytes);
        }
        (void)try_object(object, bytes);
        try_content(sf_view(data, bytes));
    }
    return 0;
}
