/*
 * names.c - names at rest: of secrets in the vault, of transfers in the journal.
 *
 * The name of a transfer is kept under its content key, so that it vanishes
 * with it; that of an entry in the inbox under the node's own, for as long as
 * it is listed.
 */
#include "node/internal.h"

#include "bundle/labels.h"

void
vault_key_out(const struct sf_transfer_id *id, uint8_t ret_key[SF_VAULT_KEY_BYTES])
{
    ret_key[0] = SF_SPOOL_OUT;
    memcpy(ret_key + 1, id->b, sizeof(id->b));
}

void
vault_key_in(const struct inbound *in, uint8_t ret_key[SF_VAULT_KEY_BYTES])
{
    ret_key[0] = SF_SPOOL_IN;
    memcpy(ret_key + 1, in->local.b, sizeof(in->local.b));
}

static void
derive(struct sf_view secret, struct sf_view label, struct sf_view about, uint8_t ret_key[32])
{
    const struct sf_view info[] = {label, about};

    sf_hkdf_sha256(secret, sf_view(NULL, 0), info, 2, ret_key, 32);
}

/* Nonce (12), sealed name, tag (16). A key seals few names, so nonces are drawn at random. */
static size_t
name_seal(
    struct sf_node *node, uint8_t key[32], const char *name, uint8_t out[LABEL_SEALED_BYTES_MAX])
{
    size_t bytes = strlen(name);

    sf_random_fill(&node->config.random, out, SF_AEAD_NONCE_BYTES);
    sf_aead_seal(key, out, sf_view(NULL, 0), sf_view(name, bytes), out + SF_AEAD_NONCE_BYTES);
    sf_wipe(key, 32);
    return SF_AEAD_NONCE_BYTES + bytes + SF_AEAD_TAG_BYTES;
}

static int
name_open(uint8_t key[32], struct sf_view sealed, char ret_name[256])
{
    uint8_t text[256];
    size_t bytes;
    int status;

    if (sealed.data == NULL || sealed.bytes < SF_AEAD_NONCE_BYTES + SF_AEAD_TAG_BYTES ||
        sealed.bytes > LABEL_SEALED_BYTES_MAX) {
        sf_wipe(key, 32);
        return SF_EFORMAT;
    }
    bytes = sealed.bytes - SF_AEAD_NONCE_BYTES - SF_AEAD_TAG_BYTES;
    status = sf_aead_open(key, sealed.data, sf_view(NULL, 0),
        sf_view(sealed.data + SF_AEAD_NONCE_BYTES, bytes + SF_AEAD_TAG_BYTES), text);
    sf_wipe(key, 32);
    if (status == SF_OK) {
        memcpy(ret_name, text, bytes);
        ret_name[bytes] = '\0';
    }
    return status;
}

size_t
label_seal(struct sf_node *node, const struct sf_seal *seal, const char *label,
    uint8_t out[LABEL_SEALED_BYTES_MAX])
{
    uint8_t key[32];

    derive(sf_view(seal->cek, SF_CEK_BYTES), SF_LABEL_VIEW(SF_LABEL_NAME),
        sf_view(seal->transfer.b, sizeof(seal->transfer.b)), key);
    return name_seal(node, key, label, out);
}

int
label_open(const struct sf_seal *seal, struct sf_view sealed, char ret_label[256])
{
    uint8_t key[32];

    derive(sf_view(seal->cek, SF_CEK_BYTES), SF_LABEL_VIEW(SF_LABEL_NAME),
        sf_view(seal->transfer.b, sizeof(seal->transfer.b)), key);
    return name_open(key, sealed, ret_label);
}

static void
history_key(const struct sf_node *node, uint8_t ret_key[32])
{
    derive(sf_view(node->identity->sign_seed, SF_SIGN_SEED_BYTES), SF_LABEL_VIEW(SF_LABEL_HISTORY),
        sf_view(NULL, 0), ret_key);
}

size_t
history_seal(struct sf_node *node, const char *name, uint8_t out[LABEL_SEALED_BYTES_MAX])
{
    uint8_t key[32];

    history_key(node, key);
    return name_seal(node, key, name, out);
}

int
history_open(const struct sf_node *node, struct sf_view sealed, char ret_name[256])
{
    uint8_t key[32];

    history_key(node, key);
    return name_open(key, sealed, ret_name);
}
