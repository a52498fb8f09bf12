/*
 * probe.h - what a frame looks like, judged by samples of it.
 *
 * How many bits a byte would take is said in units of 1/256 bit: 2,048 is what cannot be
 * compressed. Everything is done in integers, so that every build comes to the same
 * answer. No allocation; thread-safe.
 */
#ifndef SF_BUNDLE_PROBE_H
#define SF_BUNDLE_PROBE_H

#include "base/bytes.h"
#include "bundle/element.h"

#include <stdint.h>

enum { SF_PROBE_BITS_MAX = 8 << 8 };

struct sf_probe {
    struct sf_shape shape; /* the best of those tried; one byte wide if nothing else helps */
    uint8_t lead;          /* bytes ahead of the first whole element */
    uint32_t bits;         /* of a byte, once columns are coded on their own */
};

/* Bits of a byte of `plain` under a Huffman code of its own: the order-0 entropy of samples. */
uint32_t sf_probe_entropy(struct sf_view plain);

/* Bits of a byte after LZ4, which finds repetitions only. `plain` has at least one byte. */
uint32_t sf_probe_repetition(struct sf_view plain);

/*
 * Find the width of the numbers in `plain`, at least 64 bytes of unknown origin: 1, 2, 4 or 8
 * bytes, where they begin, and whether rotating them helps.
 */
void sf_probe_numbers(struct sf_view plain, struct sf_probe *ret_probe);

#endif
