/*
 * match.h - where in a base the bytes of a file are to be looked for.
 *
 * By tensor: what has the same name, type and length is taken to be the same tensor, wherever
 * it stands in either file, so that a longer header or another order costs nothing. What has no
 * counterpart, or no name, is looked for as far from where the last one was found; headers, and
 * files without tensors, at their own place. A wrong guess costs bytes and nothing else.
 *
 * The same lists and the same questions in the same order give the same answers. Memory is
 * 4 bytes for each tensor of the base. No I/O.
 */
#ifndef SF_BUNDLE_MATCH_H
#define SF_BUNDLE_MATCH_H

#include "bundle/layout.h"

/* A file as its header says, sorted as sf_tensors_list() gives it; live as long as the match. */
struct sf_match_file {
    const struct sf_tensor *tensors;
    size_t count;
    uint64_t bytes;
};

/* Fields are the match's own. */
struct sf_match {
    struct sf_match_file file;
    struct sf_match_file base;
    uint32_t *by_name; /* numbers of the base's tensors, ordered by name */
    size_t at;         /* the tensor of the file that was looked at last */
    uint64_t shift;    /* from there to its place in the base, modulo 2^64 */
};

/* SF_OK or SF_ENOMEM. Release with sf_match_fini, which takes an all-zero one too. */
SF_MUST_USE int sf_match_init(
    struct sf_match *match, const struct sf_match_file *file, const struct sf_match_file *base);
void sf_match_fini(struct sf_match *match);

/*
 * The place in the base of what may be like `frame`, and as long. False if there is none. To be
 * asked for the frames of the file in their order.
 */
bool sf_match_find(
    struct sf_match *match, const struct sf_layout_frame *frame, uint64_t *ret_offset);

#endif
