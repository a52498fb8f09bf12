/*
 * fuzz_digests.c - digests, against an outline of up to eight files that the first
 * two bytes describe: count, and length of the first; each next one is one longer.
 */
#include "base/assert.h"
#include "bundle/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_outline_file files[8];
    struct sf_outline outline = {.files = files};
    struct sf_digests digests;
    uint8_t *again;
    size_t count = 0;

    if (bytes < 2) {
        return 0;
    }
    outline.file_count = data[0] % 8u + 1;
    for (uint32_t i = 0; i < outline.file_count; i++) {
        files[i] = (struct sf_outline_file){.path = "x", .bytes = data[1] + i};
    }
    data += 2;
    bytes -= 2;
    if (sf_digests_decode(sf_view(data, bytes), &outline, &digests) != SF_OK) {
        return 0;
    }
    again = malloc(bytes);
    if (again != NULL) {
        int status = sf_digests_encode(&digests, again, bytes, &count);

        sf_assert(status == SF_OK);
        sf_assert(sf_view_equal(sf_view(data, bytes), sf_view(again, count)));
    }
    free(again);
    sf_digests_fini(&digests);
    return 0;
}
