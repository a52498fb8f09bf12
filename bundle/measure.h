/*
 * measure.h - how large a transfer becomes, found by coding and packing it as sealing would, but
 * for the seal.
 *
 *     sf_measure_open(class_bytes, &measure);
 *     sf_measure_outline(measure, outline_bytes);
 *     sf_measure_frame(measure, &frame);     for every frame, file by file, in order; or
 *     sf_measure_delta(measure, &frame, &base);
 *     sf_measure_finish(measure, digest_bytes);
 */
#ifndef SF_BUNDLE_MEASURE_H
#define SF_BUNDLE_MEASURE_H

#include "base/status.h"
#include "bundle/delta.h"

#include <stddef.h>
#include <stdint.h>

/* Frames of one type that were coded in one way. */
struct sf_measure_sum {
    uint64_t frames;
    uint64_t plain_bytes;
    uint64_t coded_bytes;
};

struct sf_measure;

/* For bundles of `class_bytes`, a data class. SF_OK or SF_ENOMEM; close takes NULL too. */
SF_MUST_USE int sf_measure_open(uint32_t class_bytes, struct sf_measure **ret_measure);
void sf_measure_close(struct sf_measure *measure);

/* The outline, first, and the digests, last, are of these lengths when encoded; not 0. */
void sf_measure_outline(struct sf_measure *measure, size_t bytes);
void sf_measure_finish(struct sf_measure *measure, size_t digest_bytes);

/* Code a frame and count it. */
void sf_measure_frame(struct sf_measure *measure, const struct sf_frame *frame);

/* The same against bytes of a base, which are overwritten; base->key is not looked at. */
void sf_measure_delta(
    struct sf_measure *measure, const struct sf_frame *frame, const struct sf_delta_base *base);

/*
 * Count a frame of `plain_bytes` bytes that is not looked at, as if it were coded as those of its
 * type were so far, on the average; as raw if none was.
 */
void sf_measure_skip(struct sf_measure *measure, enum sf_element element, uint32_t plain_bytes);

/* Bundles so far, the one being filled among them. */
uint64_t sf_measure_bundles(const struct sf_measure *measure);

const struct sf_measure_sum *sf_measure_sum(
    const struct sf_measure *measure, enum sf_element element, enum sf_codec codec);

#endif
