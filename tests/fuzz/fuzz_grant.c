/*
 * fuzz_grant.c - grants: any bytes as an object, and any bytes as content that a
 * known sender has truly signed and sealed to us.
 */
#include "base/assert.h"
#include "bundle/grant.h"
#include "bundle/labels.h"
#include "bundle/parcel.h"
#include "tests/unit/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct sf_parcel_use use = {
    .kind = SF_KIND_GRANT,
    .entry_label = {(const uint8_t *)SF_LABEL_GRANT, sizeof(SF_LABEL_GRANT) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_GRANT_BODY, sizeof(SF_LABEL_GRANT_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_GRANT, sizeof(SF_LABEL_SIGN_GRANT) - 1},
};

static struct people people;
static uint8_t object[SF_GRANT_BYTES_MAX];

/* Returns whether it opened. */
static bool
try_object(struct sf_view view)
{
    struct sf_card_lookup lookup = people_lookup(&people);
    struct sf_grant grant;
    uint8_t id[SF_OBJECT_ID_BYTES];

    (void)!sf_grant_id(view, id);
    if (sf_grant_open(people.identities[1], &lookup, NULL, view, &grant) != SF_OK) {
        return false;
    }
    sf_assert(sf_envelope_class_is_valid(grant.class_bytes));
    sf_assert(grant.slots >= 1);
    sf_assert(sf_fingerprint_equal(&grant.sender, &people.cards[0].fingerprint));
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
        (void)try_object(sf_view(object, count));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (people.count == 0) {
        people_open(&people, 1, 2);
    }
    if (bytes <= sizeof(object)) {
        (void)try_object(sf_view(data, bytes));
        try_content(sf_view(data, bytes));
    }
    return 0;
}
