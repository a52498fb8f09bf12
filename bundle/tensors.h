/*
 * tensors.h - where the tensors of a file are and of what type, read from its own header.
 *
 * Knows safetensors, GGUF and ONNX. A reader asks for windows of the file, gets them, and
 * has a list in the end; it does no I/O of its own:
 *
 *     sf_tensors_begin(tensors, file_bytes);
 *     while (sf_tensors_wants(tensors, &offset, &bytes)) {
 *         read `bytes` bytes at `offset`;
 *         sf_tensors_input(tensors, window);
 *     }
 *     list = sf_tensors_list(tensors, &count);
 *
 * The file may be anything. A header that is odd, too long, or of no known kind gives an
 * empty list: then nothing is known, and nothing else happens. What the list says is a hint
 * for coding and never more. At most SF_TENSORS_HEADER_BYTES_MAX bytes are looked at and
 * SF_TENSORS_MAX tensors kept; memory grows with the tensors found, 32 bytes each.
 */
#ifndef SF_BUNDLE_TENSORS_H
#define SF_BUNDLE_TENSORS_H

#include "base/bytes.h"
#include "base/status.h"
#include "bundle/element.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_TENSORS_MAX = 200000,
    SF_TENSORS_HEADER_BYTES_MAX = 16 << 20,
    SF_TENSORS_WINDOW_BYTES_MAX = 64 << 10,
};

struct sf_tensor {
    uint64_t offset; /* in the file */
    uint64_t bytes;  /* more than 0, and within the file */
    enum sf_element element;
    uint64_t name; /* a hash of it, to find the same tensor in another file; 0: not known */
};

/* What kind of file it is, as far as its first bytes tell. */
enum sf_tensors_format {
    SF_TENSORS_NONE,
    SF_TENSORS_SAFETENSORS,
    SF_TENSORS_GGUF,
    SF_TENSORS_ONNX,
};

struct sf_tensors;

/* SF_OK or SF_ENOMEM. Serves any number of files, one after the other; close takes NULL too. */
SF_MUST_USE int sf_tensors_open(struct sf_tensors **ret_tensors);
void sf_tensors_close(struct sf_tensors *tensors);

/* Forget what was read, and begin with a file of `file_bytes` bytes. */
void sf_tensors_begin(struct sf_tensors *tensors, uint64_t file_bytes);

/*
 * The window that is needed next: 1 to SF_TENSORS_WINDOW_BYTES_MAX bytes, within the file.
 * False if nothing more is; then the list is final.
 */
bool sf_tensors_wants(const struct sf_tensors *tensors, uint64_t *ret_offset, uint32_t *ret_bytes);

/* The window that was wanted, in full; not kept. */
void sf_tensors_input(struct sf_tensors *tensors, struct sf_view window);

/* Sorted by offset, none over another. Lives until the next begin or close. */
const struct sf_tensor *sf_tensors_list(const struct sf_tensors *tensors, size_t *ret_count);

enum sf_tensors_format sf_tensors_format(const struct sf_tensors *tensors);

#endif
