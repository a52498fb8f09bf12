/*
 * class.h - the fixed sizes of sealed objects, and which one a transfer gets.
 *
 * A class is the size of the whole object. Data bundles are 16 KiB to 4 MiB,
 * one class per transfer; control objects are 1 to 64 KiB. Pure arithmetic.
 */
#ifndef SF_BUNDLE_CLASS_H
#define SF_BUNDLE_CLASS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_CLASS_DATA_MIN = 16 << 10,
    SF_CLASS_DATA_MAX = 4 << 20,
    SF_CLASS_AUTO_MAX = 1 << 20, /* larger ones only where the operator asks for them */
    SF_CLASS_CONTROL_MIN = 1 << 10,
    SF_CLASS_CONTROL_MAX = 64 << 10,
};

/* 16 KiB, 64 KiB, 256 KiB, 1 MiB and 4 MiB. */
bool sf_class_is_data(uint64_t bytes);

/* 1, 4, 16 and 64 KiB. */
bool sf_class_is_control(uint64_t bytes);

/* The smallest control class of at least `bytes` bytes, or 0 if there is none. */
size_t sf_class_control_for(size_t bytes);

/*
 * `bytes` rounded up so that only its magnitude and a few leading bits show: Padmé (Nikitin and
 * others, "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019).
 * Lengths up to L take O(log log L) bits to tell apart; at most an eighth is added, 1.6 % at 140 GB.
 */
uint64_t sf_class_padme(uint64_t bytes);

/* How many bundles stand for `count` of `class_bytes` each when their number is hidden so. */
uint64_t sf_class_padded_count(uint64_t count, uint32_t class_bytes);

struct sf_class_input {
    uint64_t total_bytes;   /* plaintext of all files */
    uint64_t outline_bytes; /* encoded, for any class: its length hardly depends on it */
    uint32_t file_count;
    uint32_t fixed;   /* a class the operator fixed, or 0 */
    uint32_t largest; /* else none above this; 0: all */
    bool is_delta;    /* most of it is in bases: one bundle is at most 1/400 of the plaintext */
};

struct sf_class_choice {
    uint32_t class_bytes;
    uint32_t frame_bytes;
    uint64_t bundle_count_max; /* bundles that suffice whatever the frames are coded to */
};

/*
 * Choose: the largest class for which padding and manifest stay at or below 0.5 %
 * of the sealed bytes if nothing can be compressed, else the smallest; or `fixed`. Of a
 * delta little is sealed, and what the last bundle leaves free counts for more.
 *
 * Returns SF_OK, SF_EINVAL if `fixed` is no data class, or SF_ELIMIT if no class
 * gives at most SF_BUNDLES_MAX bundles or a manifest limit is passed.
 */
SF_MUST_USE int sf_class_choose(
    const struct sf_class_input *input, struct sf_class_choice *ret_choice);

#endif
