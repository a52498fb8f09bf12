/*
 * fuzz_tensors.c - any bytes as a file of tensors: the reader ends, asks for nothing outside the
 * file, and what it lists is cut into frames that cover the file. The first two bytes say how
 * much longer than the rest the file is said to be, as a power of two, and the length of a frame.
 */
#include "base/assert.h"
#include "bundle/layout.h"

#include <stdlib.h>

enum { WINDOWS_MAX = SF_TENSORS_MAX + SF_TENSORS_HEADER_BYTES_MAX / 64, FRAMES_MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct sf_tensors *tensors;

static void
read_tensors(struct sf_view file, uint64_t file_bytes)
{
    uint64_t offset = 0;
    uint32_t bytes = 0;
    size_t windows = 0;

    sf_tensors_begin(tensors, file_bytes);
    while (sf_tensors_wants(tensors, &offset, &bytes)) {
        uint8_t *window = calloc(1, bytes);

        sf_assert(window != NULL);
        sf_assert(offset < file_bytes);
        sf_assert(bytes > 0);
        sf_assert(bytes <= file_bytes - offset);
        sf_assert(bytes <= SF_TENSORS_WINDOW_BYTES_MAX);
        if (offset < file.bytes) {
            size_t left = file.bytes - (size_t)offset;

            memcpy(window, file.data + offset, bytes < left ? bytes : left);
        }
        sf_tensors_input(tensors, sf_view(window, bytes));
        free(window);
        sf_assert(++windows < WINDOWS_MAX);
    }
}

static void
cut(uint64_t file_bytes, uint32_t frame_bytes)
{
    size_t count;
    const struct sf_tensor *list = sf_tensors_list(tensors, &count);
    struct sf_layout layout;
    struct sf_layout_frame frame;
    uint64_t at = 0;
    uint64_t frames = 0;

    sf_layout_init(&layout, list, count, file_bytes, frame_bytes);
    while (frames < FRAMES_MAX && sf_layout_next(&layout, &frame)) {
        sf_assert(frame.offset == at);
        sf_assert(frame.bytes > 0);
        sf_assert(frame.bytes <= frame_bytes);
        sf_assert(frame.lead < frame.bytes);
        at += frame.bytes;
        frames++;
    }
    sf_assert(at == file_bytes || frames == FRAMES_MAX);
    sf_assert(frames <= sf_layout_frames_max(file_bytes, 1, frame_bytes));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint64_t file_bytes;

    if (tensors == NULL) {
        sf_assert(sf_tensors_open(&tensors) == SF_OK);
    }
    if (bytes < 2) {
        return 0;
    }
    file_bytes = bytes - 2 + ((UINT64_C(1) << data[0] % 57) - 1);
    read_tensors(sf_view(data + 2, bytes - 2), file_bytes);
    cut(file_bytes, 4096U << data[1] % 9);
    return 0;
}
