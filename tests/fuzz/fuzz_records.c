/*
 * fuzz_records.c - the records of the journal (node/schema.h): the first byte
 * says which, modulo five; what is taken encodes to the same bytes again.
 */
#include "base/assert.h"
#include "node/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t again[SF_RECORD_BYTES_MAX];
    struct sf_record_peer peer;
    struct sf_record_out out;
    struct sf_record_cover cover;
    struct sf_record_to to;
    struct sf_record_in in;
    struct sf_view value;
    size_t count = 0;

    if (bytes == 0) {
        return 0;
    }
    value = bytes == 1 ? sf_view(NULL, 0) : sf_view(data + 1, bytes - 1);
    switch (data[0] % 5) {
    case 0:
        count =
            sf_record_peer_decode(value, &peer) == SF_OK ? sf_record_peer_encode(&peer, again) : 0;
        break;
    case 1:
        count = sf_record_out_decode(value, &out) == SF_OK ? sf_record_out_encode(&out, again) : 0;
        break;
    case 2:
        count = sf_record_to_decode(value, &to) == SF_OK ? sf_record_to_encode(&to, again) : 0;
        break;
    case 3:
        count = sf_record_in_decode(value, &in) == SF_OK ? sf_record_in_encode(&in, again) : 0;
        break;
    default:
        count = sf_record_cover_decode(value, &cover) == SF_OK
                    ? sf_record_cover_encode(&cover, again)
                    : 0;
        break;
    }
    sf_assert(count == 0 || sf_view_equal(value, sf_view(again, count)));
    return 0;
}
