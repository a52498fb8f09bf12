/*
 * planes.h - elements taken apart into columns, and put together again.
 *
 * The plane of a column holds that column of every element, one behind the other;
 * the planes follow each other in the order of the columns. A rotated number of n
 * bits becomes (x << 1 | x >> (n - 1)) first.
 *
 * There are two of each: one that uses what the processor offers, and one in plain C.
 * Both give the same bytes; the plain one is for other processors, and what tests
 * compare with. No allocation; thread-safe.
 */
#ifndef SF_BUNDLE_PLANES_H
#define SF_BUNDLE_PLANES_H

#include "bundle/element.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Split `count` elements at `elements` into planes. Both areas have
 * count * shape->stride bytes and do not overlap; the shape is valid.
 */
void sf_planes_split(
    const struct sf_shape *shape, const uint8_t *elements, size_t count, uint8_t *planes);
void sf_planes_split_plain(
    const struct sf_shape *shape, const uint8_t *elements, size_t count, uint8_t *planes);

/* The other way. */
void sf_planes_join(
    const struct sf_shape *shape, const uint8_t *planes, size_t count, uint8_t *elements);
void sf_planes_join_plain(
    const struct sf_shape *shape, const uint8_t *planes, size_t count, uint8_t *elements);

#endif
