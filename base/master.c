#include "base/master.h"

#include "base/crypto.h"

#include <string.h>

enum {
    AT_MODE = 16,
    AT_PASSES = 20,
    AT_MEMORY = 24,
    AT_SALT = 32,
    AT_KEY = 48,
    AT_TAG = 80,
    SALT_BYTES = 16,
    /*
     * More passes than the second choice of RFC 9106 section 4 (t=3, p=4, 64 MiB),
     * as there is one lane; the memory stays below what a daemon takes anyway.
     */
    PASSES = 4,
    PASSES_MAX = 64,
    AT_SEALED_SALT = 16,
    AT_SEALED_CIPHER = 48,
    SEALED_SALT_BYTES = 32,
};

#define MEMORY_BYTES     (UINT64_C(64) << 20)
#define MEMORY_BYTES_MAX (UINT64_C(4) << 30)

enum mode { MODE_BARE = 0, MODE_PASSPHRASE = 1 };

static const char file_magic[16] = "skyferry-master";
static const char sealed_magic[16] = "skyferry-sealed";
static const uint8_t zero_nonce[SF_AEAD_NONCE_BYTES];

/* --- The file ------------------------------------------------------------------- */

static void
checksum(const uint8_t *file, uint8_t ret_sum[SF_SHA256_BYTES])
{
    sf_sha256(sf_view(file, AT_TAG), ret_sum);
}

int
sf_master_encode(const uint8_t master[SF_MASTER_BYTES], struct sf_view passphrase,
    const struct sf_random *random, uint8_t ret_file[SF_MASTER_FILE_BYTES])
{
    uint8_t file[SF_MASTER_FILE_BYTES] = {0};
    uint8_t key[SF_AEAD_KEY_BYTES] = {0};
    int status = SF_OK;

    if (passphrase.bytes > SF_PASSPHRASE_BYTES_MAX) {
        return SF_EINVAL;
    }
    memcpy(file, file_magic, sizeof(file_magic));
    if (passphrase.bytes == 0) {
        uint8_t sum[SF_SHA256_BYTES];

        memcpy(file + AT_KEY, master, SF_MASTER_BYTES);
        checksum(file, sum);
        memcpy(file + AT_TAG, sum, SF_AEAD_TAG_BYTES);
        sf_wipe(sum, sizeof(sum));
    } else {
        const struct sf_pwhash hash = {
            .salt = file + AT_SALT, .passes = PASSES, .memory_bytes = MEMORY_BYTES};

        sf_put_be32(file + AT_MODE, MODE_PASSPHRASE);
        sf_put_be32(file + AT_PASSES, PASSES);
        sf_put_be64(file + AT_MEMORY, MEMORY_BYTES);
        sf_random_fill(random, file + AT_SALT, SALT_BYTES);
        status = sf_pwhash(&hash, passphrase, key, sizeof(key));
        if (status == SF_OK) {
            sf_aead_seal(key, zero_nonce, sf_view(file, AT_KEY), sf_view(master, SF_MASTER_BYTES),
                file + AT_KEY);
        }
    }
    if (status == SF_OK) {
        memcpy(ret_file, file, sizeof(file));
    }
    sf_wipe(file, sizeof(file));
    sf_wipe(key, sizeof(key));
    return status;
}

static bool
is_file(struct sf_view file)
{
    return file.bytes == SF_MASTER_FILE_BYTES &&
           memcmp(file.data, file_magic, sizeof(file_magic)) == 0;
}

bool
sf_master_is_bare(struct sf_view file)
{
    return is_file(file) && sf_get_be32(file.data + AT_MODE) == MODE_BARE;
}

static int
decode_bare(const uint8_t *file, uint8_t ret_master[SF_MASTER_BYTES])
{
    uint8_t sum[SF_SHA256_BYTES];
    bool is_whole;

    checksum(file, sum);
    is_whole = sf_ct_equal(sum, file + AT_TAG, SF_AEAD_TAG_BYTES);
    sf_wipe(sum, sizeof(sum));
    if (!is_whole) {
        return SF_EAUTH;
    }
    memcpy(ret_master, file + AT_KEY, SF_MASTER_BYTES);
    return SF_OK;
}

int
sf_master_decode(
    struct sf_view file, struct sf_view passphrase, uint8_t ret_master[SF_MASTER_BYTES])
{
    struct sf_pwhash hash;
    uint8_t key[SF_AEAD_KEY_BYTES];
    int status;

    if (!is_file(file) || sf_get_be32(file.data + AT_MODE) > MODE_PASSPHRASE) {
        return SF_EFORMAT;
    }
    if (sf_master_is_bare(file)) {
        return decode_bare(file.data, ret_master);
    }
    hash = (struct sf_pwhash){.salt = file.data + AT_SALT,
        .passes = sf_get_be32(file.data + AT_PASSES),
        .memory_bytes = sf_get_be64(file.data + AT_MEMORY)};
    if (hash.passes == 0 || hash.passes > PASSES_MAX || hash.memory_bytes > MEMORY_BYTES_MAX) {
        return SF_ELIMIT;
    }
    if (passphrase.bytes > SF_PASSPHRASE_BYTES_MAX) {
        return SF_EAUTH;
    }
    status = sf_pwhash(&hash, passphrase, key, sizeof(key));
    if (status == SF_OK) {
        status = sf_aead_open(key, zero_nonce, sf_view(file.data, AT_KEY),
            sf_view(file.data + AT_KEY, SF_MASTER_BYTES + SF_AEAD_TAG_BYTES), ret_master);
    }
    sf_wipe(key, sizeof(key));
    return status;
}

/* --- What is sealed under it ------------------------------------------------------ */

static void
derive(const uint8_t master[SF_MASTER_BYTES], const char *purpose, const uint8_t *salt,
    uint8_t ret_key[SF_AEAD_KEY_BYTES])
{
    static const char label[] = "skyferry-at-rest-1";
    const struct sf_view info[] = {
        sf_view(label, sizeof(label) - 1), sf_view(purpose, strlen(purpose))};

    sf_hkdf_sha256(sf_view(master, SF_MASTER_BYTES), sf_view(salt, SEALED_SALT_BYTES), info, 2,
        ret_key, SF_AEAD_KEY_BYTES);
}

void
sf_master_seal(const struct sf_master_seal *seal, struct sf_view plain, uint8_t *out)
{
    uint8_t key[SF_AEAD_KEY_BYTES];

    memcpy(out, sealed_magic, sizeof(sealed_magic));
    sf_random_fill(seal->random, out + AT_SEALED_SALT, SEALED_SALT_BYTES);
    derive(seal->master, seal->purpose, out + AT_SEALED_SALT, key);
    sf_aead_seal(key, zero_nonce, sf_view(out, AT_SEALED_CIPHER), plain, out + AT_SEALED_CIPHER);
    sf_wipe(key, sizeof(key));
}

bool
sf_master_is_sealed(struct sf_view bytes)
{
    return bytes.bytes >= SF_MASTER_OVERHEAD_BYTES &&
           memcmp(bytes.data, sealed_magic, sizeof(sealed_magic)) == 0;
}

int
sf_master_open(
    const uint8_t master[SF_MASTER_BYTES], const char *purpose, struct sf_view sealed, uint8_t *out)
{
    uint8_t key[SF_AEAD_KEY_BYTES];
    int status;

    if (!sf_master_is_sealed(sealed)) {
        return SF_EFORMAT;
    }
    derive(master, purpose, sealed.data + AT_SEALED_SALT, key);
    status = sf_aead_open(key, zero_nonce, sf_view(sealed.data, AT_SEALED_CIPHER),
        sf_view(sealed.data + AT_SEALED_CIPHER, sealed.bytes - AT_SEALED_CIPHER), out);
    sf_wipe(key, sizeof(key));
    return status;
}
