/*
 * manifest.h - what a transfer holds: the outline before the data, the digests after it.
 *
 * The outline names the files and their sizes and so bounds all decoding; the
 * digests carry the SHA-256 of every file and alone permit delivery. Both are
 * deterministic CBOR and travel in parts inside the data bundles (piece.h).
 *
 * Paths are held as one string of components joined with '/', without a leading
 * or trailing one: what a file system takes. On the wire they are arrays of byte
 * strings. A component is 1 to 255 bytes, not "." or "..", without '/' and NUL;
 * the files stand in ascending order of sf_path_compare(), none twice, and none
 * is a directory of another.
 */
#ifndef SF_BUNDLE_MANIFEST_H
#define SF_BUNDLE_MANIFEST_H

#include "base/bytes.h"
#include "base/status.h"
#include "bundle/piece.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_MANIFEST_VERSION = 1,
    SF_OUTLINE_FILES_MAX = 65536,
    SF_OUTLINE_BYTES_MAX = 16 << 20, /* encoded */
    SF_DIGESTS_BYTES_MAX = 4 << 20,  /* encoded */
    SF_COMPONENT_BYTES_MAX = 255,
    SF_COMPONENTS_MAX = 64,
    SF_PATH_BYTES_MAX = 3072, /* joined, without the NUL; leaves room for where it is put */
    SF_OUTLINE_BASES_MAX = 16,
};

/* All the files of a transfer together, and any one of them: 2^56 bytes, 64 PiB. */
#define SF_TRANSFER_BYTES_MAX (UINT64_C(1) << 56)

/* Bundles of one transfer, and one past the highest index. */
#define SF_BUNDLES_MAX UINT64_C(0xffffffff)

struct sf_outline_file {
    const char *path; /* NUL-terminated */
    uint64_t bytes;
    int64_t mtime_ms; /* since 1970; the receiver restores it as far as its clock of files goes */
    bool executable;
};

/* A file that the recipient holds, against which frames of a file may be coded (delta.h). */
struct sf_outline_base {
    uint32_t file;      /* place in the outline of the file that is coded against it */
    uint8_t sha256[32]; /* of all of the base */
    uint64_t bytes;
    const char *path; /* inside the entry that its delivery made; "": the entry itself */
};

struct sf_outline {
    const char *label;    /* the directory entry made by delivery: one component */
    bool single;          /* one file, whose path is the label; else a directory of them */
    uint32_t class_bytes; /* size of every data bundle */
    uint32_t frame_bytes; /* plaintext of a frame at most */
    uint64_t total_bytes; /* of all files; encode computes it */
    struct sf_outline_file *files;
    uint32_t file_count;
    uint32_t base_count;                                /* 0: it needs no base */
    struct sf_outline_base bases[SF_OUTLINE_BASES_MAX]; /* ascending by file */
    struct sf_transfer_id base_transfer; /* by which this sender sent all of them before */
    bool has_parent;
    struct sf_transfer_id parent; /* in whose place this one goes, as its bases were not there */
    void *memory;                 /* what decode allocated; NULL if the caller owns everything */
};

struct sf_file_digest {
    uint8_t sha256[32];
    uint64_t bytes;
};

struct sf_digests {
    uint64_t bundle_count; /* data bundles of the transfer */
    struct sf_file_digest *files;
    uint32_t file_count;
    void *memory;
};

/* --- Names ----------------------------------------------------------------- */

/*
 * May `path` stand in an outline? It is `bytes` bytes long (they may hold a NUL,
 * which is refused). Returns SF_OK, SF_EFORMAT, or SF_ELIMIT if it is too long.
 */
SF_MUST_USE int sf_path_check(const char *path, size_t bytes);

/* Order of paths: component by component, bytewise; a directory before what is in it. */
int sf_path_compare(const char *a, const char *b);

/* --- Outline ---------------------------------------------------------------- */

/* The most plaintext of a frame in a transfer of bundles of `class_bytes`: the lesser of class and 1 MiB. */
uint32_t sf_outline_frame_bytes_for(uint32_t class_bytes);

/*
 * Encode; `outline->total_bytes` is not read. With `out` NULL only *ret_bytes is
 * found. Returns SF_OK; SF_EFORMAT for a name, order or class that the rules above
 * forbid; SF_ELIMIT for too many files or bytes, or if `out` is too small.
 */
SF_MUST_USE int sf_outline_encode(
    const struct sf_outline *outline, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/*
 * Decode and check everything stated here. One block of memory is allocated, only
 * after all was checked, and never more than 40 bytes per file plus the encoded length.
 *
 * Returns SF_OK, SF_EFORMAT, SF_ELIMIT or SF_ENOMEM; on a failure *ret_outline is
 * untouched. Release with sf_outline_fini.
 */
SF_MUST_USE int sf_outline_decode(struct sf_view encoded, struct sf_outline *ret_outline);

void sf_outline_fini(struct sf_outline *outline);

/* The number of the base of a file of the outline, or -1. */
int sf_outline_base_of(const struct sf_outline *outline, uint32_t file);

/*
 * Does a FRAME piece fit this outline: its file exists, it lies within it, it is not
 * longer than frames may be, and has a base if it needs one? SF_OK or SF_EFORMAT. Other pieces
 * are SF_OK.
 */
SF_MUST_USE int sf_outline_check_piece(
    const struct sf_outline *outline, const struct sf_piece *piece);

/* --- Digests ---------------------------------------------------------------- */

SF_MUST_USE int sf_digests_encode(
    const struct sf_digests *digests, uint8_t *out, size_t bytes_max, size_t *ret_bytes);

/*
 * Decode and check against the outline: as many files, each as long as it said.
 * Returns and allocates like sf_outline_decode. Release with sf_digests_fini.
 */
SF_MUST_USE int sf_digests_decode(
    struct sf_view encoded, const struct sf_outline *outline, struct sf_digests *ret_digests);

void sf_digests_fini(struct sf_digests *digests);

/* Bytes that sf_digests_encode will write for `file_count` files of these sizes at most. */
size_t sf_digests_bytes_max(uint32_t file_count);

/* SHA-256("skyferry-manifest-1" || outline || digests): what receipts are about. */
void sf_manifest_digest(
    struct sf_view outline, struct sf_view digests, struct sf_digest *ret_digest);

#endif
