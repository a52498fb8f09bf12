/*
 * identity.c - keys made, written, read back, aged.
 */
#include "bundle/identity.h"

#include "bundle/cbor.h"
#include "bundle/labels.h"

enum {
    KEY_FILE_VERSION = 1,
    KEY_FILE_FIELDS = 9,
    PREKEY_FIELDS = 3,
};

#define NEW_MS       (SF_PREKEY_NEW_DAYS * SF_DAY_MS)
#define KEPT_MS      (SF_PREKEY_KEPT_DAYS * SF_DAY_MS)
#define LINK_KEPT_MS (SF_LINK_PREKEY_KEPT_DAYS * SF_DAY_MS)

/* More run time than this replaces every key there is; nothing older can matter. */
#define ELAPSED_MS_MAX (2 * SF_PREKEYS_MAX * NEW_MS)

/* Ages are bounded so that no file can make them wrap. */
#define AGE_MS_MAX (UINT64_C(100) * 365 * SF_DAY_MS)

bool
sf_name_is_valid(struct sf_view name)
{
    if (name.bytes < 1 || name.bytes > SF_NAME_BYTES_MAX || name.data[0] == '.' ||
        name.data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < name.bytes; i++) {
        uint8_t c = name.data[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

void
sf_fingerprint_of(
    const uint8_t sign_pk[SF_SIGN_PUBLIC_BYTES], struct sf_fingerprint *ret_fingerprint)
{
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, SF_LABEL_NODE, sizeof(SF_LABEL_NODE) - 1);
    sf_sha256_update(&hash, sign_pk, SF_SIGN_PUBLIC_BYTES);
    sf_sha256_final(&hash, ret_fingerprint->b);
}

/* Everything that follows from the secrets. */
static void
compute_public(struct sf_identity *identity)
{
    sf_sign_keypair(identity->sign_seed, identity->sign_pk, identity->sign_sk);
    sf_fingerprint_of(identity->sign_pk, &identity->fingerprint);
    sf_x25519_public(identity->link_static_pk, identity->link_static_sk);
}

/* A new current key. A full ring loses its oldest: it holds far more than the ages allow. */
static void
ring_add(struct sf_prekey_ring *ring, struct sf_identity *identity, const struct sf_random *random)
{
    struct sf_prekey *key;

    if (ring->count == SF_PREKEYS_MAX) {
        memmove(ring->keys, ring->keys + 1, (SF_PREKEYS_MAX - 1) * sizeof(ring->keys[0]));
        ring->count--;
    }
    key = &ring->keys[ring->count++];
    key->number = ++identity->number_last;
    key->age_ms = 0;
    sf_random_fill(random, key->sk, sizeof(key->sk));
    sf_x25519_public(key->pk, key->sk);
}

int
sf_identity_generate(
    const struct sf_random *random, const char *name, struct sf_identity **ret_identity)
{
    struct sf_identity *identity;
    size_t name_bytes = strlen(name);

    if (!sf_name_is_valid(sf_view(name, name_bytes))) {
        return SF_EINVAL;
    }
    identity = sf_secret_alloc(sizeof(*identity));
    if (identity == NULL) {
        return SF_ENOMEM;
    }
    memcpy(identity->name, name, name_bytes);
    sf_random_fill(random, identity->sign_seed, sizeof(identity->sign_seed));
    sf_random_fill(random, identity->link_static_sk, sizeof(identity->link_static_sk));
    sf_random_fill(random, identity->hint_key, sizeof(identity->hint_key));
    compute_public(identity);
    ring_add(&identity->prekeys, identity, random);
    ring_add(&identity->link_prekeys, identity, random);
    identity->card_issue = 1;
    *ret_identity = identity;
    return SF_OK;
}

void
sf_identity_fini(struct sf_identity *identity)
{
    sf_secret_free(identity);
}

/* --- The key file ---------------------------------------------------------- */

static void
file_digest(struct sf_view body, uint8_t ret_digest[SF_SHA256_BYTES])
{
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, SF_LABEL_KEYS, sizeof(SF_LABEL_KEYS) - 1);
    sf_sha256_update(&hash, body.data, body.bytes);
    sf_sha256_final(&hash, ret_digest);
    sf_wipe(&hash, sizeof(hash));
}

static void
write_ring(struct sf_cbor_writer *writer, const struct sf_prekey_ring *ring)
{
    sf_cbor_write_array(writer, ring->count);
    for (size_t i = 0; i < ring->count; i++) {
        sf_cbor_write_array(writer, PREKEY_FIELDS);
        sf_cbor_write_uint(writer, ring->keys[i].number);
        sf_cbor_write_bytes(writer, sf_view(ring->keys[i].sk, sizeof(ring->keys[i].sk)));
        sf_cbor_write_uint(writer, ring->keys[i].age_ms);
    }
}

static int
write_body(const struct sf_identity *identity, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer writer;

    sf_cbor_writer_init(&writer, out, bytes_max);
    sf_cbor_write_array(&writer, KEY_FILE_FIELDS);
    sf_cbor_write_uint(&writer, KEY_FILE_VERSION);
    sf_cbor_write_text(&writer, identity->name);
    sf_cbor_write_bytes(&writer, sf_view(identity->sign_seed, sizeof(identity->sign_seed)));
    sf_cbor_write_bytes(
        &writer, sf_view(identity->link_static_sk, sizeof(identity->link_static_sk)));
    sf_cbor_write_bytes(&writer, sf_view(identity->hint_key, sizeof(identity->hint_key)));
    sf_cbor_write_uint(&writer, identity->card_issue);
    sf_cbor_write_uint(&writer, identity->number_last);
    write_ring(&writer, &identity->prekeys);
    write_ring(&writer, &identity->link_prekeys);
    return sf_cbor_finish(&writer, ret_bytes);
}

int
sf_identity_encode(
    const struct sf_identity *identity, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer writer;
    uint8_t body[SF_IDENTITY_BYTES_MAX];
    uint8_t digest[SF_SHA256_BYTES];
    size_t body_bytes;
    int status = write_body(identity, body, sizeof(body), &body_bytes);

    if (status == SF_OK) {
        file_digest(sf_view(body, body_bytes), digest);
        sf_cbor_writer_init(&writer, out, bytes_max);
        sf_cbor_write_array(&writer, 2);
        sf_cbor_write_bytes(&writer, sf_view(body, body_bytes));
        sf_cbor_write_bytes(&writer, sf_view(digest, sizeof(digest)));
        status = sf_cbor_finish(&writer, ret_bytes);
    }
    sf_wipe(body, sizeof(body));
    return status;
}

/* Oldest first: numbers rise, ages do not. */
static int
read_ring(struct sf_cbor_reader *reader, uint32_t number_last, struct sf_prekey_ring *ring)
{
    uint64_t count = 0;
    uint64_t number = 0;
    int status = sf_cbor_read_array(reader, SF_PREKEYS_MAX, &count);

    if (status != SF_OK) {
        return status;
    }
    if (count == 0) {
        return SF_EFORMAT;
    }
    for (size_t i = 0; i < count; i++) {
        struct sf_prekey *key = &ring->keys[i];

        if ((status = sf_cbor_expect_array(reader, PREKEY_FIELDS)) != SF_OK ||
            (status = sf_cbor_read_uint(reader, number_last, &number)) != SF_OK ||
            (status = sf_cbor_read_fixed(reader, key->sk, sizeof(key->sk))) != SF_OK ||
            (status = sf_cbor_read_uint(reader, AGE_MS_MAX, &key->age_ms)) != SF_OK) {
            return status;
        }
        key->number = (uint32_t)number;
        if (number == 0 ||
            (i > 0 && (key->number <= key[-1].number || key->age_ms > key[-1].age_ms))) {
            return SF_EFORMAT;
        }
        sf_x25519_public(key->pk, key->sk);
    }
    ring->count = (size_t)count;
    return SF_OK;
}

static int
read_body(struct sf_view body, struct sf_identity *identity)
{
    struct sf_cbor_reader reader;
    struct sf_view name;
    uint64_t number_last = 0;
    int status;

    sf_cbor_reader_init(&reader, body);
    if ((status = sf_cbor_expect_array(&reader, KEY_FILE_FIELDS)) != SF_OK ||
        (status = sf_cbor_expect_uint(&reader, KEY_FILE_VERSION)) != SF_OK ||
        (status = sf_cbor_read_text(&reader, SF_NAME_BYTES_MAX, &name)) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, identity->sign_seed, sizeof(identity->sign_seed))) !=
            SF_OK ||
        (status = sf_cbor_read_fixed(
             &reader, identity->link_static_sk, sizeof(identity->link_static_sk))) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, identity->hint_key, sizeof(identity->hint_key))) !=
            SF_OK ||
        (status = sf_cbor_read_uint(&reader, UINT64_MAX, &identity->card_issue)) != SF_OK ||
        (status = sf_cbor_read_uint(&reader, UINT32_MAX, &number_last)) != SF_OK) {
        return status;
    }
    identity->number_last = (uint32_t)number_last;
    if ((status = read_ring(&reader, identity->number_last, &identity->prekeys)) != SF_OK ||
        (status = read_ring(&reader, identity->number_last, &identity->link_prekeys)) != SF_OK ||
        (status = sf_cbor_end(&reader)) != SF_OK) {
        return status;
    }
    if (!sf_name_is_valid(name) || identity->card_issue == 0) {
        return SF_EFORMAT;
    }
    memcpy(identity->name, name.data, name.bytes);
    compute_public(identity);
    return SF_OK;
}

int
sf_identity_decode(struct sf_view file, struct sf_identity **ret_identity)
{
    struct sf_cbor_reader reader;
    struct sf_identity *identity;
    struct sf_view body;
    uint8_t stated[SF_SHA256_BYTES];
    uint8_t digest[SF_SHA256_BYTES];
    int status;

    sf_cbor_reader_init(&reader, file);
    if ((status = sf_cbor_expect_array(&reader, 2)) != SF_OK ||
        (status = sf_cbor_read_bytes(&reader, SF_IDENTITY_BYTES_MAX, &body)) != SF_OK ||
        (status = sf_cbor_read_fixed(&reader, stated, sizeof(stated))) != SF_OK ||
        (status = sf_cbor_end(&reader)) != SF_OK) {
        return status;
    }
    file_digest(body, digest);
    if (!sf_ct_equal(digest, stated, sizeof(digest))) {
        return SF_EAUTH;
    }
    identity = sf_secret_alloc(sizeof(*identity));
    if (identity == NULL) {
        return SF_ENOMEM;
    }
    status = read_body(body, identity);
    if (status != SF_OK) {
        sf_identity_fini(identity);
        return status;
    }
    *ret_identity = identity;
    return SF_OK;
}

/* --- Ageing ---------------------------------------------------------------- */

static void
ring_age(struct sf_prekey_ring *ring, uint64_t elapsed_ms)
{
    for (size_t i = 0; i < ring->count; i++) {
        uint64_t *age_ms = &ring->keys[i].age_ms;

        *age_ms = elapsed_ms > AGE_MS_MAX - *age_ms ? AGE_MS_MAX : *age_ms + elapsed_ms;
    }
}

/* Make a key if the current one is old, and erase at most one past its time. */
static bool
ring_turn(struct sf_prekey_ring *ring, struct sf_identity *identity, uint64_t kept_ms,
    const struct sf_random *random, bool *ret_made)
{
    bool changed = false;

    if (sf_prekey_current(ring)->age_ms >= NEW_MS && identity->number_last < UINT32_MAX) {
        ring_add(ring, identity, random);
        *ret_made = true;
        changed = true;
    }
    if (ring->count > 1 && ring->keys[0].age_ms >= kept_ms) {
        memmove(ring->keys, ring->keys + 1, (ring->count - 1) * sizeof(ring->keys[0]));
        ring->count--;
        sf_wipe(&ring->keys[ring->count], sizeof(ring->keys[0]));
        changed = true;
    }
    return changed;
}

/* --- Sealed ------------------------------------------------------------------------ */

static const char keys_purpose[] = "keys";

int
sf_identity_encode_sealed(const struct sf_identity *identity, const uint8_t *master,
    const struct sf_random *random, uint8_t *out, size_t *ret_bytes)
{
    uint8_t plain[SF_IDENTITY_BYTES_MAX];
    size_t bytes = 0;
    int status = sf_identity_encode(identity, plain, sizeof(plain), &bytes);

    if (status == SF_OK && master == NULL) {
        memcpy(out, plain, bytes);
        *ret_bytes = bytes;
    } else if (status == SF_OK) {
        const struct sf_master_seal seal = {master, keys_purpose, random};

        sf_master_seal(&seal, sf_view(plain, bytes), out);
        *ret_bytes = bytes + SF_MASTER_OVERHEAD_BYTES;
    }
    sf_wipe(plain, sizeof(plain));
    return status;
}

int
sf_identity_decode_sealed(
    struct sf_view file, const uint8_t *master, struct sf_identity **ret_identity)
{
    uint8_t plain[SF_IDENTITY_BYTES_MAX];
    int status;

    if (!sf_master_is_sealed(file)) {
        return sf_identity_decode(file, ret_identity);
    }
    if (master == NULL) {
        return SF_ESTATE;
    }
    if (file.bytes > SF_IDENTITY_SEALED_BYTES_MAX) {
        return SF_ELIMIT;
    }
    status = sf_master_open(master, keys_purpose, file, plain);
    if (status == SF_OK) {
        status =
            sf_identity_decode(sf_view(plain, file.bytes - SF_MASTER_OVERHEAD_BYTES), ret_identity);
    }
    sf_wipe(plain, sizeof(plain));
    return status;
}

bool
sf_identity_rotate(
    struct sf_identity *identity, const struct sf_random *random, uint64_t elapsed_ms)
{
    bool changed = false;
    bool made = false;

    if (elapsed_ms > ELAPSED_MS_MAX) {
        elapsed_ms = ELAPSED_MS_MAX;
    }
    /* In steps of a key's time as the current one, so that a long one counts like many short ones. */
    while (elapsed_ms > 0) {
        uint64_t step_ms = elapsed_ms < NEW_MS ? elapsed_ms : NEW_MS;

        ring_age(&identity->prekeys, step_ms);
        ring_age(&identity->link_prekeys, step_ms);
        changed |= ring_turn(&identity->prekeys, identity, KEPT_MS, random, &made);
        changed |= ring_turn(&identity->link_prekeys, identity, LINK_KEPT_MS, random, &made);
        elapsed_ms -= step_ms;
    }
    if (made) {
        identity->card_issue++;
    }
    return changed;
}

int
sf_identity_renew(struct sf_identity *identity, const struct sf_random *random)
{
    if (identity->prekeys.count >= SF_PREKEYS_RENEWED_MAX ||
        identity->link_prekeys.count >= SF_PREKEYS_RENEWED_MAX ||
        identity->number_last > UINT32_MAX - 2) {
        return SF_ELIMIT;
    }
    ring_add(&identity->prekeys, identity, random);
    ring_add(&identity->link_prekeys, identity, random);
    identity->card_issue++;
    return SF_OK;
}

int
sf_identity_raise(
    struct sf_identity *identity, const struct sf_random *random, uint64_t issue_least)
{
    uint32_t lot;

    sf_random_fill(random, &lot, sizeof(lot));
    lot = SF_PREKEYS_LEFT_OUT + lot % SF_PREKEYS_LEFT_OUT;
    if (identity->number_last > UINT32_MAX - 2 - lot || issue_least > UINT64_MAX - 1) {
        return SF_ELIMIT;
    }
    identity->number_last += lot;
    ring_add(&identity->prekeys, identity, random);
    ring_add(&identity->link_prekeys, identity, random);
    sf_identity_reissue(identity, issue_least);
    return SF_OK;
}

void
sf_identity_reissue(struct sf_identity *identity, uint64_t issue_least)
{
    identity->card_issue++;
    if (identity->card_issue < issue_least) {
        identity->card_issue = issue_least;
    }
}

const struct sf_prekey *
sf_prekey_find(const struct sf_prekey_ring *ring, uint32_t number)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].number == number) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

const struct sf_prekey *
sf_prekey_current(const struct sf_prekey_ring *ring)
{
    return &ring->keys[ring->count - 1];
}
