/*
 * grant.c - a transfer's content key, given to its recipients.
 */
#include "bundle/grant.h"

#include "bundle/cbor.h"
#include "bundle/labels.h"
#include "bundle/manifest.h"
#include "bundle/parcel.h"

enum {
    GRANT_VERSION = 1,
    GRANT_FIELDS = 5,
    CONTENT_BYTES_MAX = 128,
};

static const struct sf_parcel_use grant_use = {
    .kind = SF_KIND_GRANT,
    .entry_label = {(const uint8_t *)SF_LABEL_GRANT, sizeof(SF_LABEL_GRANT) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_GRANT_BODY, sizeof(SF_LABEL_GRANT_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_GRANT, sizeof(SF_LABEL_SIGN_GRANT) - 1},
};

/* --- Seal ------------------------------------------------------------------ */

static bool
config_is_valid(const struct sf_grant_config *config)
{
    if (!sf_envelope_class_is_valid(config->class_bytes) || config->slots == 0 ||
        config->slots > SF_BUNDLES_MAX || config->recipient_count == 0 ||
        config->recipient_count > SF_GRANT_ENTRIES_MAX) {
        return false;
    }
    for (size_t i = 0; i < config->recipient_count; i++) {
        if (config->recipients[i].has_psk && config->recipients[i].rung == 0) {
            return false;
        }
    }
    return true;
}

int
sf_grant_seal(const struct sf_grant_config *config, const struct sf_random *random, uint8_t *out,
    size_t bytes_max, size_t *ret_bytes)
{
    struct sf_parcel_config parcel = {
        .use = &grant_use,
        .identity = config->identity,
        .recipients = config->recipients,
        .recipient_count = config->recipient_count,
    };
    struct sf_cbor_writer writer;
    uint8_t content[CONTENT_BYTES_MAX];
    int status;

    if (!config_is_valid(config)) {
        return SF_EINVAL;
    }
    sf_cbor_writer_init(&writer, content, sizeof(content));
    sf_cbor_write_array(&writer, GRANT_FIELDS);
    sf_cbor_write_uint(&writer, GRANT_VERSION);
    sf_cbor_write_bytes(&writer, sf_view(config->transfer.b, sizeof(config->transfer.b)));
    sf_cbor_write_bytes(&writer, sf_view(config->cek, SF_CEK_BYTES));
    sf_cbor_write_uint(&writer, config->class_bytes);
    sf_cbor_write_uint(&writer, config->slots);
    parcel.content = sf_view(content, writer.bytes);
    status = sf_parcel_seal(&parcel, random, out, bytes_max, ret_bytes);
    sf_wipe(content, sizeof(content));
    return status;
}

/* --- Open ------------------------------------------------------------------ */

static int
read_content(struct sf_view content, struct sf_grant *grant)
{
    struct sf_cbor_reader reader;
    uint64_t class_bytes = 0;

    sf_cbor_reader_init(&reader, content);
    if (sf_cbor_expect_array(&reader, GRANT_FIELDS) != SF_OK ||
        sf_cbor_expect_uint(&reader, GRANT_VERSION) != SF_OK ||
        sf_cbor_read_fixed(&reader, grant->transfer.b, sizeof(grant->transfer.b)) != SF_OK ||
        sf_cbor_read_fixed(&reader, grant->cek, sizeof(grant->cek)) != SF_OK ||
        sf_cbor_read_uint(&reader, SF_ENVELOPE_CLASS_MAX, &class_bytes) != SF_OK ||
        sf_cbor_read_uint(&reader, SF_BUNDLES_MAX, &grant->slots) != SF_OK ||
        sf_cbor_end(&reader) != SF_OK) {
        return SF_EFORMAT;
    }
    if (!sf_envelope_class_is_valid((size_t)class_bytes) || grant->slots == 0) {
        return SF_EFORMAT;
    }
    grant->class_bytes = (uint32_t)class_bytes;
    return SF_OK;
}

/* A PSK must be the sender's own, and must not be left out where it was agreed. */
static bool
psk_is_right(const struct sf_grant_psk_lookup *psks, const struct sf_parcel_entry *entry,
    const struct sf_fingerprint *sender)
{
    if (entry->has_psk) {
        return sf_fingerprint_equal(&entry->psk_owner, sender);
    }
    return psks == NULL || psks->required == NULL || !psks->required(psks->context, sender);
}

int
sf_grant_open(const struct sf_identity *identity, const struct sf_card_lookup *cards,
    const struct sf_grant_psk_lookup *psks, struct sf_view object, struct sf_grant *ret_grant)
{
    struct sf_parcel parcel;
    struct sf_parcel_entry entry;
    struct sf_grant grant = {0};
    struct sf_view content;
    uint8_t plain[SF_GRANT_BYTES_MAX];
    int status;

    if (object.bytes > SF_GRANT_BYTES_MAX || sf_parcel_parse(object, &parcel) != SF_OK) {
        return SF_EFORMAT;
    }
    status = sf_parcel_open_entry(&parcel, &grant_use, identity, psks, &entry);
    if (status != SF_OK) {
        return status;
    }
    status =
        sf_parcel_open_body(&parcel, &grant_use, &entry, cards, plain, &grant.sender, &content);
    if (status == SF_OK) {
        status = read_content(content, &grant);
    }
    if (status == SF_OK && !psk_is_right(psks, &entry, &grant.sender)) {
        status = SF_EAUTH;
    }
    if (status == SF_OK) {
        memcpy(grant.id, parcel.id, sizeof(grant.id));
        grant.number = entry.number;
        grant.prekey_number = entry.prekey_number;
        grant.has_psk = entry.has_psk;
        grant.rung = entry.rung;
        *ret_grant = grant;
    }
    sf_wipe(plain, parcel.cipher.bytes);
    sf_wipe(&entry, sizeof(entry));
    sf_wipe(&grant, sizeof(grant));
    return status;
}

int
sf_grant_id(struct sf_view object, uint8_t ret_id[SF_OBJECT_ID_BYTES])
{
    struct sf_parcel parcel;

    if (object.bytes > SF_GRANT_BYTES_MAX || sf_parcel_parse(object, &parcel) != SF_OK) {
        return SF_EFORMAT;
    }
    memcpy(ret_id, parcel.id, sizeof(parcel.id));
    return SF_OK;
}
