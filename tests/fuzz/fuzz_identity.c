/*
 * fuzz_identity.c - key files, whole and as bodies under a true checksum. What is
 * read is written again byte for byte, and can go on ageing.
 */
#include "base/assert.h"
#include "bundle/cbor.h"
#include "bundle/identity.h"
#include "bundle/labels.h"
#include "tests/unit/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct people people;

static void
try_file(struct sf_view file)
{
    struct sf_identity *identity;
    uint8_t again[SF_IDENTITY_BYTES_MAX];
    size_t count = 0;
    int status;

    if (sf_identity_decode(file, &identity) != SF_OK) {
        return;
    }
    status = sf_identity_encode(identity, again, sizeof(again), &count);
    sf_assert(status == SF_OK);
    sf_assert(sf_view_equal(file, sf_view(again, count)));
    (void)sf_identity_rotate(identity, &people.random, 8 * SF_DAY_MS);
    sf_assert(identity->prekeys.count >= 1);
    sf_assert(identity->prekeys.count <= SF_PREKEYS_MAX);
    status = sf_identity_encode(identity, again, sizeof(again), &count);
    sf_assert(status == SF_OK);
    sf_identity_fini(identity);
}

/* What is not sealed under this key must not open; the bare form of the other file may. */
static void
try_sealed(struct sf_view file)
{
    static const uint8_t master[SF_MASTER_BYTES] = {7};
    uint8_t opened[SF_MASTER_BYTES];
    struct sf_identity *identity;

    if (sf_identity_decode_sealed(file, master, &identity) == SF_OK) {
        sf_assert(!sf_master_is_sealed(file));
        sf_identity_fini(identity);
    }
    if (sf_master_is_bare(file) && sf_master_decode(file, sf_view(NULL, 0), opened) == SF_OK) {
        sf_assert(file.bytes == SF_MASTER_FILE_BYTES);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_cbor_writer writer;
    struct sf_sha256 hash;
    uint8_t digest[SF_SHA256_BYTES];
    uint8_t file[SF_IDENTITY_BYTES_MAX + 64];

    if (people.count == 0) {
        people_open(&people, 1, 1);
    }
    try_file(sf_view(data, bytes));
    try_sealed(sf_view(data, bytes));
    if (bytes > SF_IDENTITY_BYTES_MAX) {
        return 0;
    }
    sf_sha256_init(&hash);
    sf_sha256_update(&hash, SF_LABEL_KEYS, sizeof(SF_LABEL_KEYS) - 1);
    sf_sha256_update(&hash, data, bytes);
    sf_sha256_final(&hash, digest);
    sf_cbor_writer_init(&writer, file, sizeof(file));
    sf_cbor_write_array(&writer, 2);
    sf_cbor_write_bytes(&writer, sf_view(data, bytes));
    sf_cbor_write_bytes(&writer, sf_view(digest, sizeof(digest)));
    try_file(sf_view(file, writer.bytes));
    return 0;
}
