/*
 * tensors.c - which format it is, windows, and the list.
 */
#include "bundle/tensors.h"

#include "base/assert.h"
#include "bundle/tensors_impl.h"

#include <stdlib.h>

enum {
    /* A shorter file is a frame or two in any case. */
    FILE_BYTES_MIN = 64,
    /* Enough for the next heads when something was skipped; then they grow. */
    WINDOW_BYTES_MIN = 4 << 10,
    LIST_ROOM_MIN = 256,
    /* Counts with the bytes taken from a window: small enough for a window for each tensor. */
    WINDOW_COST = 64,
};

int
sf_tensors_open(struct sf_tensors **ret_tensors)
{
    struct sf_tensors *tensors = calloc(1, sizeof(*tensors));

    if (tensors == NULL) {
        return SF_ENOMEM;
    }
    tensors->is_done = true;
    *ret_tensors = tensors;
    return SF_OK;
}

void
sf_tensors_close(struct sf_tensors *tensors)
{
    if (tensors != NULL) {
        free(tensors->list);
        free(tensors);
    }
}

void
sf_tensors_begin(struct sf_tensors *tensors, uint64_t file_bytes)
{
    tensors->file_bytes = file_bytes;
    tensors->format = SF_TENSORS_NONE;
    tensors->is_done = file_bytes < FILE_BYTES_MIN;
    tensors->at = 0;
    tensors->looked_at = 0;
    tensors->want_bytes = WINDOW_BYTES_MIN;
    tensors->count = 0;
}

bool
sf_tensors_wants(const struct sf_tensors *tensors, uint64_t *ret_offset, uint32_t *ret_bytes)
{
    uint64_t left = tensors->file_bytes - tensors->at;

    if (tensors->is_done) {
        return false;
    }
    *ret_offset = tensors->at;
    *ret_bytes = left < tensors->want_bytes ? (uint32_t)left : tensors->want_bytes;
    return true;
}

bool
tensors_add(struct sf_tensors *tensors, const struct sf_tensor *tensor)
{
    struct sf_tensor *list;
    size_t room = tensors->room == 0 ? LIST_ROOM_MIN : 2 * tensors->room;

    if (tensor->bytes == 0 || tensor->offset >= tensors->file_bytes ||
        tensor->bytes > tensors->file_bytes - tensor->offset) {
        return true;
    }
    if (tensors->count == SF_TENSORS_MAX) {
        return false;
    }
    if (tensors->count == tensors->room) {
        list = realloc(tensors->list, room * sizeof(*list));
        if (list == NULL) {
            return false;
        }
        tensors->list = list;
        tensors->room = room;
    }
    tensors->list[tensors->count++] = *tensor;
    return true;
}

static enum tensors_step
recognise(struct sf_tensors *tensors, struct sf_view bytes)
{
    /* An ir_version, and a field of a model that may follow it: name, version, domain, graph. */
    static const uint8_t follows[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42};

    if (memcmp(bytes.data, "GGUF", 4) == 0) {
        tensors->format = SF_TENSORS_GGUF;
        tensors->of.gguf = (struct gguf){.state = GGUF_HEAD};
        return TENSORS_MORE;
    }
    if (bytes.data[0] == 0x08 && bytes.data[1] > 0 && bytes.data[1] < 32 &&
        memchr(follows, bytes.data[2], sizeof(follows)) != NULL) {
        tensors->format = SF_TENSORS_ONNX;
        onnx_begin(tensors);
        return TENSORS_MORE;
    }
    if (bytes.data[8] == '{') {
        tensors->format = SF_TENSORS_SAFETENSORS;
        return safetensors_begin(tensors, bytes);
    }
    return TENSORS_ODD;
}

static int
compare(const void *a, const void *b)
{
    const struct sf_tensor *one = a;
    const struct sf_tensor *other = b;

    if (one->offset != other->offset) {
        return one->offset < other->offset ? -1 : 1;
    }
    /* Of two at one place the longer stays, and in the end the order decides nothing. */
    if (one->bytes != other->bytes) {
        return one->bytes > other->bytes ? -1 : 1;
    }
    return (one->element > other->element) - (one->element < other->element);
}

/* Sort, and drop what lies over another. */
static void
settle(struct sf_tensors *tensors)
{
    size_t kept = 0;
    uint64_t end = 0;

    if (tensors->count > 1) {
        qsort(tensors->list, tensors->count, sizeof(*tensors->list), compare);
    }
    for (size_t i = 0; i < tensors->count; i++) {
        if (tensors->list[i].offset >= end) {
            end = tensors->list[i].offset + tensors->list[i].bytes;
            tensors->list[kept++] = tensors->list[i];
        }
    }
    tensors->count = kept;
}

static enum tensors_step
read_window(struct sf_tensors *tensors, struct sf_view window)
{
    uint64_t begin = tensors->at;
    enum tensors_step step =
        tensors->format == SF_TENSORS_NONE ? recognise(tensors, window) : TENSORS_MORE;

    if (step != TENSORS_MORE || tensors->at > begin) {
        return step;
    }
    switch (tensors->format) {
    case SF_TENSORS_SAFETENSORS:
        return safetensors_read(tensors, window);
    case SF_TENSORS_GGUF:
        return gguf_read(tensors, window);
    case SF_TENSORS_ONNX:
        return onnx_read(tensors, window);
    case SF_TENSORS_NONE:
        break;
    }
    return TENSORS_ODD;
}

void
sf_tensors_input(struct sf_tensors *tensors, struct sf_view window)
{
    uint64_t begin = tensors->at;
    uint64_t end = begin + window.bytes;
    enum tensors_step step;

    sf_assert(!tensors->is_done);
    sf_assert(window.bytes > 0);
    sf_assert(end <= tensors->file_bytes);
    step = read_window(tensors, window);
    if (step == TENSORS_MORE) {
        bool is_stuck =
            tensors->at == begin &&
            (tensors->want_bytes == SF_TENSORS_WINDOW_BYTES_MAX || end == tensors->file_bytes);

        tensors->looked_at += WINDOW_COST;
        tensors->want_bytes = tensors->at > end ? WINDOW_BYTES_MIN
                              : tensors->want_bytes < SF_TENSORS_WINDOW_BYTES_MAX
                                  ? 2 * tensors->want_bytes
                                  : SF_TENSORS_WINDOW_BYTES_MAX;
        if (is_stuck || tensors->at >= tensors->file_bytes ||
            tensors->looked_at > SF_TENSORS_HEADER_BYTES_MAX) {
            /* An item longer than a window, an end in the middle, or no end in sight. */
            step = TENSORS_ODD;
        }
    }
    if (step == TENSORS_MORE) {
        return;
    }
    tensors->is_done = true;
    if (step == TENSORS_ODD) {
        tensors->count = 0;
    }
    settle(tensors);
}

const struct sf_tensor *
sf_tensors_list(const struct sf_tensors *tensors, size_t *ret_count)
{
    *ret_count = tensors->is_done ? tensors->count : 0;
    return tensors->list;
}

enum sf_tensors_format
sf_tensors_format(const struct sf_tensors *tensors)
{
    return tensors->format;
}
