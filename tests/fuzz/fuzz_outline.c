/*
 * fuzz_outline.c - outlines: what is accepted can be written again, byte for byte.
 */
#include "base/assert.h"
#include "bundle/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sf_outline outline;
    uint8_t *again;
    size_t count = 0;
    int status;

    if (sf_outline_decode(sf_view(data, bytes), &outline) != SF_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < outline.file_count; i++) {
        status = sf_path_check(outline.files[i].path, strlen(outline.files[i].path));
        sf_assert(status == SF_OK);
    }
    again = malloc(bytes);
    if (again != NULL) {
        status = sf_outline_encode(&outline, again, bytes, &count);
        sf_assert(status == SF_OK);
        sf_assert(sf_view_equal(sf_view(data, bytes), sf_view(again, count)));
    }
    free(again);
    sf_outline_fini(&outline);
    return 0;
}
