/*
 * measure.c - coding and packing into bundles that are thrown away.
 */
#include "bundle/measure.h"

#include "base/assert.h"
#include "bundle/envelope.h"
#include "bundle/manifest.h"
#include "bundle/piece.h"

#include <stdlib.h>

struct sf_measure {
    struct sf_coder *coder;
    size_t capacity;
    uint8_t *content;
    uint8_t *bytes; /* scratch for coding; what is packed of an outline is never looked at */
    struct sf_content_writer writer;
    uint64_t bundles;
    struct sf_hmac key; /* of references: any will do */
    uint64_t place;     /* all frames as one file: pieces must be in order */
    struct sf_measure_sum sums[SF_ELEMENTS][SF_CODECS];
};

int
sf_measure_open(uint32_t class_bytes, struct sf_measure **ret_measure)
{
    struct sf_measure *measure = calloc(1, sizeof(*measure));

    if (measure == NULL) {
        return SF_ENOMEM;
    }
    measure->capacity = sf_envelope_capacity(class_bytes);
    measure->content = malloc(measure->capacity);
    measure->bytes = calloc(1, SF_OUTLINE_BYTES_MAX);
    if (measure->content == NULL || measure->bytes == NULL ||
        sf_coder_open(&measure->coder) != SF_OK) {
        sf_measure_close(measure);
        return SF_ENOMEM;
    }
    sf_content_writer_init(&measure->writer, measure->content, measure->capacity);
    sf_hmac_init(&measure->key, sf_view(NULL, 0));
    measure->bundles = 1;
    *ret_measure = measure;
    return SF_OK;
}

void
sf_measure_close(struct sf_measure *measure)
{
    if (measure != NULL) {
        sf_coder_close(measure->coder);
        free(measure->content);
        free(measure->bytes);
        free(measure);
    }
}

static void
next_bundle(struct sf_measure *measure)
{
    sf_content_writer_init(&measure->writer, measure->content, measure->capacity);
    measure->bundles++;
}

void
sf_measure_outline(struct sf_measure *measure, size_t bytes)
{
    size_t offset = 0;

    while (!sf_content_add_outline(&measure->writer, sf_view(measure->bytes, bytes), &offset)) {
        next_bundle(measure);
    }
}

void
sf_measure_finish(struct sf_measure *measure, size_t digest_bytes)
{
    size_t offset = 0;

    while (
        !sf_content_add_digests(&measure->writer, sf_view(measure->bytes, digest_bytes), &offset)) {
        next_bundle(measure);
    }
}

static void
pack(struct sf_measure *measure, enum sf_element element, const struct sf_coded *coded,
    uint32_t plain_bytes)
{
    struct sf_measure_sum *sum = &measure->sums[element][coded->codec];
    struct sf_coded_frame frame = {.offset = measure->place,
        .codec = coded->codec,
        .plain_bytes = plain_bytes,
        .coded = coded->bytes};
    size_t offset = 0;

    while (!sf_content_add_frame(&measure->writer, &frame, &offset)) {
        next_bundle(measure);
    }
    measure->place += plain_bytes;
    sum->frames++;
    sum->plain_bytes += plain_bytes;
    sum->coded_bytes += coded->bytes.bytes;
}

void
sf_measure_frame(struct sf_measure *measure, const struct sf_frame *frame)
{
    struct sf_coded coded;

    sf_frame_encode(measure->coder, frame, measure->bytes, &coded);
    pack(measure, frame->element, &coded, (uint32_t)frame->plain.bytes);
}

void
sf_measure_delta(
    struct sf_measure *measure, const struct sf_frame *frame, const struct sf_delta_base *base)
{
    struct sf_delta_base keyed = *base;
    struct sf_coded coded;

    keyed.key = &measure->key;
    sf_delta_encode(measure->coder, frame, &keyed, measure->bytes, &coded);
    pack(measure, frame->element, &coded, (uint32_t)frame->plain.bytes);
}

void
sf_measure_skip(struct sf_measure *measure, enum sf_element element, uint32_t plain_bytes)
{
    const struct sf_measure_sum *sums = measure->sums[element];
    const struct sf_measure_sum *most = NULL;
    struct sf_coded coded = {SF_CODEC_RAW, sf_view(measure->bytes, plain_bytes)};
    double coded_bytes = 0;
    double all_bytes = 0;

    for (unsigned codec = 0; codec < SF_CODECS; codec++) {
        coded_bytes += (double)sums[codec].coded_bytes;
        all_bytes += (double)sums[codec].plain_bytes;
        if (sums[codec].frames > 0 && (most == NULL || sums[codec].frames > most->frames)) {
            most = &sums[codec];
            coded.codec = (enum sf_codec)codec;
        }
    }
    if (most != NULL) {
        coded.bytes.bytes = (size_t)((double)plain_bytes * coded_bytes / all_bytes);
    }
    pack(measure, element, &coded, plain_bytes);
}

uint64_t
sf_measure_bundles(const struct sf_measure *measure)
{
    return measure->bundles;
}

const struct sf_measure_sum *
sf_measure_sum(const struct sf_measure *measure, enum sf_element element, enum sf_codec codec)
{
    sf_assert(element < SF_ELEMENTS);
    sf_assert((unsigned)codec < SF_CODECS);
    return &measure->sums[element][codec];
}
