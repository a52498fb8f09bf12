/*
 * Messages of the submit socket: whatever a decoder takes, the encoder writes
 * back byte for byte.
 */
#include "app/submit_protocol.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t again[SF_SUBMIT_MESSAGE_BYTES_MAX];
    static struct sf_submit_files files;
    const struct sf_view message = sf_view(data, bytes);
    struct sf_submit_begin begin;
    struct sf_submit_reply reply;
    struct sf_submit_ask ask;
    struct sf_submit_offer offer;
    size_t again_bytes = 0;
    int status = SF_OK;

    if (sf_submit_decode_begin(message, &begin) == SF_OK) {
        status = sf_submit_encode_begin(&begin, again, sizeof(again), &again_bytes);
    } else if (sf_submit_decode_files(message, &files) == SF_OK) {
        status = sf_submit_encode_files(&files, again, sizeof(again), &again_bytes);
    } else if (sf_submit_decode_reply(message, &reply) == SF_OK) {
        status = sf_submit_encode_reply(&reply, again, sizeof(again), &again_bytes);
    } else if (sf_submit_decode_ask(message, &ask) == SF_OK) {
        status = sf_submit_encode_ask(&ask, again, sizeof(again), &again_bytes);
    } else if (sf_submit_decode_offer(message, &offer) == SF_OK) {
        status = sf_submit_encode_offer(&offer, again, sizeof(again), &again_bytes);
    } else if (sf_submit_decode_end(message) == SF_OK) {
        status = sf_submit_encode_end(again, sizeof(again), &again_bytes);
    } else {
        return 0;
    }
    if (status != SF_OK || again_bytes != bytes || memcmp(again, data, bytes) != 0) {
        abort();
    }
    return 0;
}
