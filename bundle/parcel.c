/*
 * parcel.c - objects sealed to prekeys: entries by HPKE, and a signed body.
 */
#include "bundle/parcel.h"

#include "base/assert.h"
#include "bundle/cbor.h"
#include "bundle/class.h"
#include "bundle/cose.h"
#include "bundle/hpke.h"
#include "bundle/labels.h"
#include "bundle/padding.h"

enum {
    /* Offsets in an entry. */
    AT_HINT = 32,
    AT_NUMBER = 40,
    AT_RUNG = 44,
    AT_SEALED = 52,
    HINT_BYTES = 8,
    SECRET_BYTES = 40, /* body key, the recipient's number */
    SEALED_BYTES = SECRET_BYTES + SF_AEAD_TAG_BYTES,

    HEAD_FIXED_BYTES = 57, /* up to the head of the entries */
    CIPHER_HEAD_BYTES = 3,
    CONTENT_OFFSET = SF_SIGNATURE_BYTES + 32,

    INFO_BYTES_MAX = 128,
    PAYLOAD_BYTES_MAX = 128,
    LABEL_BYTES_MAX = 32,
    SCRATCH_BYTES = PAYLOAD_BYTES_MAX + LABEL_BYTES_MAX + SF_COSE_SIGN_OVERHEAD_MAX,
    PSK_ID_BYTES_MAX = 32,
};

_Static_assert(AT_SEALED + SEALED_BYTES == SF_PARCEL_ENTRY_BYTES, "the entry's table adds up");

/* --- Layout ---------------------------------------------------------------- */

static size_t
power_of_two_for(size_t count)
{
    size_t power = 1;

    while (power < count) {
        power *= 2;
    }
    return power;
}

size_t
sf_parcel_class(size_t recipient_count, size_t content_bytes)
{
    size_t entries_bytes = power_of_two_for(recipient_count) * SF_PARCEL_ENTRY_BYTES;

    if (content_bytes > SF_CLASS_CONTROL_MAX) {
        return 0;
    }
    return sf_class_control_for(HEAD_FIXED_BYTES + sf_cbor_head_bytes(entries_bytes) +
                                entries_bytes + CIPHER_HEAD_BYTES + SF_PARCEL_BODY_FRAME_BYTES +
                                content_bytes + SF_AEAD_TAG_BYTES);
}

int
sf_parcel_parse(struct sf_view object, struct sf_parcel *ret_parcel)
{
    struct sf_parcel parcel;
    struct sf_cbor_reader reader;
    uint8_t protected_header[SF_COSE_SEAL_PROTECTED_BYTES];
    uint64_t tag = 0;
    int64_t label = 0;

    if (!sf_class_is_control(object.bytes)) {
        return SF_EFORMAT;
    }
    sf_cbor_reader_init(&reader, object);
    if (sf_cbor_read_tag(&reader, &tag) != SF_OK || tag != SF_COSE_TAG_ENCRYPT0 ||
        sf_cbor_expect_array(&reader, 3) != SF_OK ||
        sf_cbor_read_fixed(&reader, protected_header, sizeof(protected_header)) != SF_OK ||
        memcmp(protected_header, sf_cose_seal_protected, sizeof(protected_header)) != 0 ||
        sf_cbor_expect_map(&reader, 3) != SF_OK ||
        sf_cbor_expect_uint(&reader, SF_COSE_KID) != SF_OK ||
        sf_cbor_read_fixed(&reader, parcel.id, sizeof(parcel.id)) != SF_OK ||
        sf_cbor_expect_uint(&reader, SF_COSE_IV) != SF_OK ||
        sf_cbor_read_fixed(&reader, parcel.iv, sizeof(parcel.iv)) != SF_OK ||
        sf_cbor_read_int(&reader, &label) != SF_OK || label != SF_COSE_ENTRIES ||
        sf_cbor_read_bytes(
            &reader, SF_GRANT_ENTRIES_MAX * SF_PARCEL_ENTRY_BYTES, &parcel.entries) != SF_OK ||
        sf_cbor_read_bytes(&reader, SF_CLASS_CONTROL_MAX, &parcel.cipher) != SF_OK ||
        sf_cbor_end(&reader) != SF_OK) {
        return SF_EFORMAT;
    }
    parcel.entry_count = parcel.entries.bytes / SF_PARCEL_ENTRY_BYTES;
    if (parcel.entry_count == 0 || parcel.entries.bytes % SF_PARCEL_ENTRY_BYTES != 0 ||
        (parcel.entry_count & (parcel.entry_count - 1)) != 0 ||
        parcel.cipher.bytes < SF_PARCEL_BODY_FRAME_BYTES + 1 + SF_AEAD_TAG_BYTES) {
        return SF_EFORMAT;
    }
    parcel.head = sf_view(object.data, (size_t)(parcel.entries.data - object.data));
    parcel.outside = sf_view(object.data, (size_t)(parcel.cipher.data - object.data));
    *ret_parcel = parcel;
    return SF_OK;
}

/* --- Entries --------------------------------------------------------------- */

/* HPKE's info: label || suite || recipient || prekey number || SHA-256(head). */
static struct sf_view
entry_info(const struct sf_parcel_use *use, const struct sf_fingerprint *recipient,
    uint32_t prekey_number, struct sf_view head, uint8_t out[INFO_BYTES_MAX])
{
    uint8_t *at = out;

    memcpy(at, use->entry_label.data, use->entry_label.bytes);
    at += use->entry_label.bytes;
    *at++ = SF_SUITE_1;
    memcpy(at, recipient->b, sizeof(recipient->b));
    at += sizeof(recipient->b);
    sf_put_be32(at, prekey_number);
    at += 4;
    sf_sha256(head, at);
    at += SF_SHA256_BYTES;
    return sf_view(out, (size_t)(at - out));
}

static struct sf_view
psk_id(uint64_t rung, uint8_t out[PSK_ID_BYTES_MAX])
{
    size_t label_bytes = sizeof(SF_LABEL_GRANT_PSK) - 1;

    memcpy(out, SF_LABEL_GRANT_PSK, label_bytes);
    sf_put_be64(out + label_bytes, rung);
    return sf_view(out, label_bytes + 8);
}

/* The hint, and the masks behind it, of the entry that begins with `enc`. */
static void
entry_mask(const uint8_t hint_key[SF_HINT_KEY_BYTES], const uint8_t enc[SF_HPKE_ENC_BYTES],
    uint8_t ret_mask[SF_SHA256_BYTES])
{
    const struct sf_view part = sf_view(enc, SF_HPKE_ENC_BYTES);

    sf_hmac_sha256(sf_view(hint_key, SF_HINT_KEY_BYTES), &part, 1, ret_mask);
}

static int
put_entry(const struct sf_parcel_use *use, const struct sf_grant_recipient *recipient,
    struct sf_view head, const uint8_t body_key[SF_AEAD_KEY_BYTES], const struct sf_random *random,
    uint8_t entry[SF_PARCEL_ENTRY_BYTES])
{
    const struct sf_card *card = recipient->card;
    uint64_t rung = recipient->has_psk ? recipient->rung : 0;
    uint8_t info[INFO_BYTES_MAX];
    uint8_t id[PSK_ID_BYTES_MAX];
    uint8_t ikm[SF_HPKE_IKM_BYTES];
    uint8_t secret[SECRET_BYTES];
    uint8_t mask[SF_SHA256_BYTES];
    const struct sf_hpke_psk psk = {
        .key = sf_view(recipient->psk, sizeof(recipient->psk)), .id = psk_id(rung, id)};
    const struct sf_hpke_message message = {
        .info = entry_info(use, &card->fingerprint, card->prekey.number, head, info),
        .ad = sf_view(NULL, 0),
        .psk = recipient->has_psk ? &psk : NULL};
    int status;

    memcpy(secret, body_key, SF_AEAD_KEY_BYTES);
    sf_put_be64(secret + SF_AEAD_KEY_BYTES, recipient->number);
    sf_random_fill(random, ikm, sizeof(ikm));
    status = sf_hpke_seal(
        &message, card->prekey.pk, ikm, sf_view(secret, sizeof(secret)), entry, entry + AT_SEALED);
    if (status == SF_OK) {
        entry_mask(card->hint_key, entry, mask);
        memcpy(entry + AT_HINT, mask, HINT_BYTES);
        sf_put_be32(entry + AT_NUMBER, card->prekey.number ^ sf_get_be32(mask + 8));
        sf_put_be64(entry + AT_RUNG, rung ^ sf_get_be64(mask + 12));
    }
    sf_wipe(ikm, sizeof(ikm));
    sf_wipe(secret, sizeof(secret));
    return status;
}

/* An entry for nobody. Its enc is a public key like any other: random bytes would show. */
static void
put_filling(const struct sf_random *random, uint8_t entry[SF_PARCEL_ENTRY_BYTES])
{
    uint8_t sk[SF_X25519_BYTES];

    sf_random_fill(random, sk, sizeof(sk));
    sf_x25519_public(entry, sk);
    sf_wipe(sk, sizeof(sk));
    sf_random_fill(random, entry + AT_HINT, SF_PARCEL_ENTRY_BYTES - AT_HINT);
}

/* Uniform in [0, bound), bound up to 256. */
static size_t
random_below(const struct sf_random *random, size_t bound)
{
    uint8_t byte;

    do {
        sf_random_fill(random, &byte, 1);
    } while (byte >= 256 - 256 % bound);
    return byte % bound;
}

static int
put_entries(const struct sf_parcel_config *config, struct sf_view head,
    const uint8_t body_key[SF_AEAD_KEY_BYTES], const struct sf_random *random, uint8_t *entries,
    size_t entry_count)
{
    uint8_t order[SF_GRANT_ENTRIES_MAX] = {0};

    for (size_t i = 0; i < entry_count; i++) {
        size_t j = random_below(random, i + 1);

        order[i] = order[j];
        order[j] = (uint8_t)i;
    }
    for (size_t i = 0; i < entry_count; i++) {
        uint8_t *entry = entries + (size_t)order[i] * SF_PARCEL_ENTRY_BYTES;
        int status;

        if (i >= config->recipient_count) {
            put_filling(random, entry);
            continue;
        }
        status = put_entry(config->use, &config->recipients[i], head, body_key, random, entry);
        if (status != SF_OK) {
            return status;
        }
    }
    return SF_OK;
}

/* --- The signature --------------------------------------------------------- */

static struct sf_view
sign_payload(const struct sf_parcel_use *use, const uint8_t sender[32],
    const uint8_t body_key[SF_AEAD_KEY_BYTES], struct sf_view outside, struct sf_view behind,
    uint8_t out[PAYLOAD_BYTES_MAX])
{
    const struct sf_view parts[] = {use->body_label, outside, behind};
    struct sf_cbor_writer writer;
    uint8_t digest[SF_SHA256_BYTES];

    sf_hmac_sha256(sf_view(body_key, SF_AEAD_KEY_BYTES), parts, 3, digest);
    sf_cbor_writer_init(&writer, out, PAYLOAD_BYTES_MAX);
    sf_cbor_write_array(&writer, 4);
    sf_cbor_write_uint(&writer, SF_SUITE_1);
    sf_cbor_write_uint(&writer, (uint64_t)use->kind);
    sf_cbor_write_bytes(&writer, sf_view(sender, 32));
    sf_cbor_write_bytes(&writer, sf_view(digest, sizeof(digest)));
    return sf_view(out, writer.bytes);
}

/* --- Seal ------------------------------------------------------------------ */

/* Where the parts of a new object lie. */
struct layout {
    uint8_t *entries;
    uint8_t *plain;
    size_t entry_count;
    size_t plain_bytes; /* without the tag */
};

static void
put_outside(const struct sf_parcel_config *config, const struct sf_random *random, uint8_t *out,
    size_t class_bytes, uint8_t ret_iv[SF_AEAD_NONCE_BYTES], struct layout *ret_layout)
{
    struct sf_cbor_writer writer;
    uint8_t id[SF_OBJECT_ID_BYTES];
    size_t cipher_bytes;

    sf_random_fill(random, id, sizeof(id));
    sf_random_fill(random, ret_iv, SF_AEAD_NONCE_BYTES);
    ret_layout->entry_count = power_of_two_for(config->recipient_count);
    sf_cbor_writer_init(&writer, out, class_bytes);
    sf_cbor_write_tag(&writer, SF_COSE_TAG_ENCRYPT0);
    sf_cbor_write_array(&writer, 3);
    sf_cbor_write_bytes(&writer, sf_view(sf_cose_seal_protected, sizeof(sf_cose_seal_protected)));
    sf_cbor_write_map(&writer, 3);
    sf_cbor_write_uint(&writer, SF_COSE_KID);
    sf_cbor_write_bytes(&writer, sf_view(id, sizeof(id)));
    sf_cbor_write_uint(&writer, SF_COSE_IV);
    sf_cbor_write_bytes(&writer, sf_view(ret_iv, SF_AEAD_NONCE_BYTES));
    sf_cbor_write_int(&writer, SF_COSE_ENTRIES);
    ret_layout->entries =
        sf_cbor_write_space(&writer, ret_layout->entry_count * SF_PARCEL_ENTRY_BYTES);
    cipher_bytes = class_bytes - writer.bytes - CIPHER_HEAD_BYTES;
    ret_layout->plain = sf_cbor_write_space(&writer, cipher_bytes);
    ret_layout->plain_bytes = cipher_bytes - SF_AEAD_TAG_BYTES;
    sf_assert(ret_layout->entries != NULL);
    sf_assert(ret_layout->plain != NULL);
    sf_assert(writer.bytes == class_bytes);
}

static int
put_body(const struct sf_parcel_config *config, const uint8_t body_key[SF_AEAD_KEY_BYTES],
    const uint8_t iv[SF_AEAD_NONCE_BYTES], const uint8_t *out, const struct layout *layout)
{
    uint8_t *plain = layout->plain;
    uint8_t *content = plain + CONTENT_OFFSET;
    uint8_t payload[PAYLOAD_BYTES_MAX];
    uint8_t scratch[SCRATCH_BYTES];
    struct sf_view outside = sf_view(out, (size_t)(plain - out));
    struct sf_view behind =
        sf_view(plain + SF_SIGNATURE_BYTES, layout->plain_bytes - SF_SIGNATURE_BYTES);
    int status;

    memcpy(plain + SF_SIGNATURE_BYTES, config->identity->fingerprint.b, 32);
    if (config->content_head.bytes > 0) {
        memcpy(content, config->content_head.data, config->content_head.bytes);
    }
    memcpy(content + config->content_head.bytes, config->content.data, config->content.bytes);
    sf_padding_put(content, layout->plain_bytes - CONTENT_OFFSET,
        config->content_head.bytes + config->content.bytes);
    status = sf_cose_sign(config->identity->sign_sk, config->use->sign_label,
        sign_payload(
            config->use, config->identity->fingerprint.b, body_key, outside, behind, payload),
        scratch, sizeof(scratch), plain);
    if (status == SF_OK) {
        sf_aead_seal(body_key, iv, sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)),
            sf_view(plain, layout->plain_bytes), plain);
    }
    return status;
}

int
sf_parcel_seal(const struct sf_parcel_config *config, const struct sf_random *random, uint8_t *out,
    size_t bytes_max, size_t *ret_bytes)
{
    size_t class_bytes = sf_parcel_class(
        config->recipient_count, config->content_head.bytes + config->content.bytes);
    uint8_t body_key[SF_AEAD_KEY_BYTES];
    uint8_t iv[SF_AEAD_NONCE_BYTES];
    struct layout layout;
    int status;

    if (class_bytes == 0 || class_bytes > bytes_max) {
        return SF_ELIMIT;
    }
    put_outside(config, random, out, class_bytes, iv, &layout);
    sf_random_fill(random, body_key, sizeof(body_key));
    status = put_entries(config, sf_view(out, (size_t)(layout.entries - out)), body_key, random,
        layout.entries, layout.entry_count);
    if (status == SF_OK) {
        status = put_body(config, body_key, iv, out, &layout);
    }
    if (status == SF_OK) {
        *ret_bytes = class_bytes;
    } else {
        sf_wipe(out, class_bytes);
    }
    sf_wipe(body_key, sizeof(body_key));
    return status;
}

/* --- Open ------------------------------------------------------------------ */

/* Open an entry's secret under one key schedule: without a PSK, or with one candidate. */
static int
try_entry(const uint8_t secret[SF_HPKE_SECRET_BYTES], struct sf_view info,
    const struct sf_hpke_psk *psk, const uint8_t *entry, uint8_t ret_plain[SECRET_BYTES])
{
    struct sf_hpke hpke;
    int status = sf_hpke_schedule(&hpke, secret, info, psk);

    if (status == SF_OK) {
        status = sf_hpke_context_open(
            &hpke, sf_view(NULL, 0), sf_view(entry + AT_SEALED, SEALED_BYTES), ret_plain);
        sf_hpke_fini(&hpke);
    }
    return status;
}

/* The agreement is computed once, then each candidate costs a key schedule. */
static int
try_psks(const uint8_t secret[SF_HPKE_SECRET_BYTES], struct sf_view info,
    const struct sf_grant_psk_lookup *psks, const uint8_t *entry, uint64_t rung,
    uint8_t ret_plain[SECRET_BYTES], struct sf_fingerprint *ret_owner)
{
    uint8_t key[SF_PSK_BYTES];
    uint8_t id[PSK_ID_BYTES_MAX];
    const struct sf_hpke_psk psk = {.key = sf_view(key, sizeof(key)), .id = psk_id(rung, id)};
    struct sf_fingerprint owner;
    int status = SF_EAUTH;

    if (psks == NULL || psks->find == NULL) {
        return SF_EAUTH;
    }
    for (size_t n = 0; n < SF_GRANT_PSK_CANDIDATES_MAX && status != SF_OK &&
                       psks->find(psks->context, rung, n, key, &owner);
         n++) {
        status = try_entry(secret, info, &psk, entry, ret_plain);
    }
    if (status == SF_OK) {
        *ret_owner = owner;
    }
    sf_wipe(key, sizeof(key));
    return status;
}

/* `mask` was made from this entry and its hint matched. */
static int
open_matching(const struct sf_parcel *parcel, const struct sf_parcel_use *use,
    const struct sf_identity *identity, const struct sf_grant_psk_lookup *psks,
    const uint8_t *entry, const uint8_t mask[SF_SHA256_BYTES], struct sf_parcel_entry *ret_entry)
{
    uint32_t number = sf_get_be32(entry + AT_NUMBER) ^ sf_get_be32(mask + 8);
    uint64_t rung = sf_get_be64(entry + AT_RUNG) ^ sf_get_be64(mask + 12);
    const struct sf_prekey *prekey = sf_prekey_find(&identity->prekeys, number);
    struct sf_parcel_entry opened = {.prekey_number = number, .has_psk = rung != 0, .rung = rung};
    uint8_t secret[SF_HPKE_SECRET_BYTES];
    uint8_t plain[SECRET_BYTES];
    uint8_t info_bytes[INFO_BYTES_MAX];
    struct sf_view info;
    int status;

    if (prekey == NULL) {
        return SF_ESTATE;
    }
    status = sf_hpke_decap(entry, prekey->sk, prekey->pk, secret);
    if (status != SF_OK) {
        return status;
    }
    info = entry_info(use, &identity->fingerprint, number, parcel->head, info_bytes);
    if (opened.has_psk) {
        status = try_psks(secret, info, psks, entry, rung, plain, &opened.psk_owner);
    } else {
        status = try_entry(secret, info, NULL, entry, plain);
    }
    if (status == SF_OK) {
        memcpy(opened.body_key, plain, SF_AEAD_KEY_BYTES);
        opened.number = sf_get_be64(plain + SF_AEAD_KEY_BYTES);
        *ret_entry = opened;
    }
    sf_wipe(secret, sizeof(secret));
    sf_wipe(plain, sizeof(plain));
    sf_wipe(&opened, sizeof(opened));
    return status;
}

int
sf_parcel_open_entry(const struct sf_parcel *parcel, const struct sf_parcel_use *use,
    const struct sf_identity *identity, const struct sf_grant_psk_lookup *psks,
    struct sf_parcel_entry *ret_entry)
{
    uint8_t mask[SF_SHA256_BYTES];

    for (size_t i = 0; i < parcel->entry_count; i++) {
        const uint8_t *entry = parcel->entries.data + i * SF_PARCEL_ENTRY_BYTES;

        entry_mask(identity->hint_key, entry, mask);
        if (sf_ct_equal(mask, entry + AT_HINT, HINT_BYTES)) {
            return open_matching(parcel, use, identity, psks, entry, mask, ret_entry);
        }
    }
    return SF_ENOENT;
}

int
sf_parcel_open_body(const struct sf_parcel *parcel, const struct sf_parcel_use *use,
    const struct sf_parcel_entry *entry, const struct sf_card_lookup *cards, uint8_t *plain,
    struct sf_fingerprint *ret_sender, struct sf_view *ret_content)
{
    size_t plain_bytes = parcel->cipher.bytes - SF_AEAD_TAG_BYTES;
    struct sf_view behind = sf_view(plain + SF_SIGNATURE_BYTES, plain_bytes - SF_SIGNATURE_BYTES);
    uint8_t payload[PAYLOAD_BYTES_MAX];
    uint8_t scratch[SCRATCH_BYTES];
    struct sf_fingerprint sender;
    const struct sf_card *card;
    int status;

    if (sf_aead_open(entry->body_key, parcel->iv, sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)),
            parcel->cipher, plain) != SF_OK) {
        return SF_EAUTH;
    }
    memcpy(sender.b, plain + SF_SIGNATURE_BYTES, sizeof(sender.b));
    card = cards->find(cards->context, &sender);
    if (card == NULL || !sf_fingerprint_equal(&card->fingerprint, &sender) ||
        sf_cose_verify(card->sign_pk, use->sign_label,
            sign_payload(use, sender.b, entry->body_key, parcel->outside, behind, payload), scratch,
            sizeof(scratch), plain) != SF_OK) {
        status = SF_EAUTH;
    } else {
        status = sf_padding_take(
            sf_view(plain + CONTENT_OFFSET, plain_bytes - CONTENT_OFFSET), ret_content);
    }
    if (status == SF_OK) {
        *ret_sender = sender;
    } else {
        sf_wipe(plain, plain_bytes);
    }
    return status;
}
