/*
 * digests.c - the digests, to and from CBOR; the digest of a manifest.
 *
 *   digests  {1: version, 2: bundle-count, 3: [[sha256, bytes], ...]}
 */
#include "base/assert.h"
#include "base/crypto.h"
#include "bundle/labels.h"
#include "bundle/manifest.h"

#include <stdlib.h>

enum {
    DIGESTS_PAIRS = 3,
    DIGESTS_FILE_FIELDS = 2,
    DIGESTS_HEAD_BYTES = 24,     /* everything before the first file, at most */
    DIGESTS_FILE_BYTES_MAX = 44, /* 1 + 2 + 32 + 9 */
};

size_t
sf_digests_bytes_max(uint32_t file_count)
{
    return DIGESTS_HEAD_BYTES + (size_t)file_count * DIGESTS_FILE_BYTES_MAX;
}

int
sf_digests_encode(
    const struct sf_digests *digests, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer cbor;

    if (digests->file_count > SF_OUTLINE_FILES_MAX || digests->bundle_count > SF_BUNDLES_MAX) {
        return SF_ELIMIT;
    }
    if (digests->file_count == 0 || digests->bundle_count == 0) {
        return SF_EFORMAT;
    }
    sf_cbor_writer_init(&cbor, out, out == NULL ? SF_DIGESTS_BYTES_MAX : bytes_max);
    sf_cbor_write_map(&cbor, DIGESTS_PAIRS);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, SF_MANIFEST_VERSION);
    sf_cbor_write_uint(&cbor, 2);
    sf_cbor_write_uint(&cbor, digests->bundle_count);
    sf_cbor_write_uint(&cbor, 3);
    sf_cbor_write_array(&cbor, digests->file_count);
    for (uint32_t i = 0; i < digests->file_count; i++) {
        if (digests->files[i].bytes > SF_TRANSFER_BYTES_MAX) {
            return SF_ELIMIT;
        }
        sf_cbor_write_array(&cbor, DIGESTS_FILE_FIELDS);
        sf_cbor_write_bytes(
            &cbor, sf_view(digests->files[i].sha256, sizeof(digests->files[i].sha256)));
        sf_cbor_write_uint(&cbor, digests->files[i].bytes);
    }
    return sf_cbor_finish(&cbor, ret_bytes);
}

/* Read the digests of all files into `files`; with `files` NULL they are only checked. */
static int
read_digests(struct sf_view encoded, const struct sf_outline *outline, uint64_t *ret_bundles,
    struct sf_file_digest *files)
{
    struct sf_cbor_reader cbor;
    uint64_t bundles = 0;
    int status;

    sf_cbor_reader_init(&cbor, encoded);
    if ((status = sf_cbor_expect_map(&cbor, DIGESTS_PAIRS)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, 1)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, SF_MANIFEST_VERSION)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, 2)) != SF_OK ||
        (status = sf_cbor_read_uint(&cbor, SF_BUNDLES_MAX, &bundles)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, 3)) != SF_OK ||
        (status = sf_cbor_expect_array(&cbor, outline->file_count)) != SF_OK) {
        return status;
    }
    for (uint32_t i = 0; i < outline->file_count; i++) {
        struct sf_file_digest digest = {.bytes = 0};

        if ((status = sf_cbor_expect_array(&cbor, DIGESTS_FILE_FIELDS)) != SF_OK ||
            (status = sf_cbor_read_fixed(&cbor, digest.sha256, sizeof(digest.sha256))) != SF_OK ||
            (status = sf_cbor_read_uint(&cbor, SF_TRANSFER_BYTES_MAX, &digest.bytes)) != SF_OK) {
            return status;
        }
        if (digest.bytes != outline->files[i].bytes) {
            return SF_EFORMAT;
        }
        if (files != NULL) {
            files[i] = digest;
        }
    }
    *ret_bundles = bundles;
    return bundles == 0 ? SF_EFORMAT : sf_cbor_end(&cbor);
}

int
sf_digests_decode(
    struct sf_view encoded, const struct sf_outline *outline, struct sf_digests *ret_digests)
{
    struct sf_digests digests = {.file_count = outline->file_count};
    int status;

    if (encoded.bytes > SF_DIGESTS_BYTES_MAX) {
        return SF_ELIMIT;
    }
    status = read_digests(encoded, outline, &digests.bundle_count, NULL);
    if (status != SF_OK) {
        return status;
    }
    digests.memory = malloc((size_t)digests.file_count * sizeof(*digests.files));
    if (digests.memory == NULL) {
        return SF_ENOMEM;
    }
    digests.files = digests.memory;
    status = read_digests(encoded, outline, &digests.bundle_count, digests.files);
    sf_assert(status == SF_OK);
    *ret_digests = digests;
    return SF_OK;
}

void
sf_digests_fini(struct sf_digests *digests)
{
    free(digests->memory);
    *digests = (struct sf_digests){.bundle_count = 0};
}

void
sf_manifest_digest(struct sf_view outline, struct sf_view digests, struct sf_digest *ret_digest)
{
    struct sf_view label = SF_LABEL_VIEW(SF_LABEL_MANIFEST);
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, label.data, label.bytes);
    sf_sha256_update(&hash, outline.data, outline.bytes);
    sf_sha256_update(&hash, digests.data, digests.bytes);
    sf_sha256_final(&hash, ret_digest->b);
}
