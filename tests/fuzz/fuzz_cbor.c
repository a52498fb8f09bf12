/*
 * fuzz_cbor.c - the strict reader: what it accepts has exactly one encoding.
 */
#include "base/assert.h"
#include "tests/cbor_transcode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *again = malloc(bytes == 0 ? 1 : bytes);
    struct sf_view view = sf_view(data, bytes);
    size_t count = 0;

    if (again != NULL && transcode(view, again, &count) == SF_OK) {
        sf_assert(sf_view_equal(view, sf_view(again, count)));
    }
    free(again);
    return 0;
}
