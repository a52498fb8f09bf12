/*
 * match.c - tensors of two files, found by name.
 */
#include "bundle/match.h"

#include <stdlib.h>

/* Of so many with one name one is taken; more are no names, and not worth the time. */
enum { NAMESAKES_MAX = 16 };

static int
compare(const struct sf_tensor *a, const struct sf_tensor *b)
{
    return (a->name > b->name) - (a->name < b->name);
}

/* Sift `root` down a heap of `count` numbers of tensors. */
static void
sift(const struct sf_tensor *tensors, uint32_t *heap, size_t root, size_t count)
{
    size_t child;

    while ((child = 2 * root + 1) < count) {
        uint32_t number = heap[root];

        if (child + 1 < count && compare(&tensors[heap[child]], &tensors[heap[child + 1]]) < 0) {
            child++;
        }
        if (compare(&tensors[number], &tensors[heap[child]]) >= 0) {
            return;
        }
        heap[root] = heap[child];
        heap[child] = number;
        root = child;
    }
}

/* A heap sort: in place, without a context that qsort() has no room for, and never slow. */
static void
sort_by_name(const struct sf_tensor *tensors, uint32_t *numbers, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) {
        sift(tensors, numbers, i, count);
    }
    for (size_t i = count; i-- > 1;) {
        uint32_t last = numbers[i];

        numbers[i] = numbers[0];
        numbers[0] = last;
        sift(tensors, numbers, 0, i);
    }
}

int
sf_match_init(
    struct sf_match *match, const struct sf_match_file *file, const struct sf_match_file *base)
{
    uint32_t *by_name = calloc(base->count == 0 ? 1 : base->count, sizeof(*by_name));

    if (by_name == NULL) {
        return SF_ENOMEM;
    }
    for (size_t i = 0; i < base->count; i++) {
        by_name[i] = (uint32_t)i;
    }
    sort_by_name(base->tensors, by_name, base->count);
    *match = (struct sf_match){.file = *file, .base = *base, .by_name = by_name};
    if (file->count > 0 && base->count > 0) {
        match->shift = base->tensors[0].offset - file->tensors[0].offset;
    }
    return SF_OK;
}

void
sf_match_fini(struct sf_match *match)
{
    free(match->by_name);
    match->by_name = NULL;
}

/* The tensor of the base that has the name, type and length of `wanted`, or NULL. */
static const struct sf_tensor *
find_same(const struct sf_match *match, const struct sf_tensor *wanted)
{
    size_t from = 0;
    size_t to = match->base.count;
    size_t end;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (match->base.tensors[match->by_name[middle]].name < wanted->name) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    end = match->base.count - from > NAMESAKES_MAX ? from + NAMESAKES_MAX : match->base.count;
    for (; from < end && wanted->name != 0; from++) {
        const struct sf_tensor *tensor = &match->base.tensors[match->by_name[from]];

        if (tensor->name != wanted->name) {
            break;
        }
        if (tensor->bytes == wanted->bytes && tensor->element == wanted->element) {
            return tensor;
        }
    }
    return NULL;
}

bool
sf_match_find(struct sf_match *match, const struct sf_layout_frame *frame, uint64_t *ret_offset)
{
    uint64_t first = frame->offset + frame->lead;
    uint64_t shift = 0;
    uint64_t place;

    while (match->at < match->file.count &&
           match->file.tensors[match->at].offset + match->file.tensors[match->at].bytes <= first) {
        match->at++;
    }
    if (match->file.count > 0 && first >= match->file.tensors[0].offset) {
        const struct sf_tensor *tensor = NULL;

        if (match->at < match->file.count && first >= match->file.tensors[match->at].offset) {
            tensor = find_same(match, &match->file.tensors[match->at]);
            if (tensor != NULL) {
                match->shift = tensor->offset - match->file.tensors[match->at].offset;
            }
        }
        shift = match->shift;
    }
    place = frame->offset + shift;
    if (place > match->base.bytes || frame->bytes > match->base.bytes - place) {
        return false;
    }
    *ret_offset = place;
    return true;
}
