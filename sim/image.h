/*
 * image.h - the bytes of one simulated file: sparse, and shared until written.
 *
 * Bytes live in 4 KiB pages, pages in chunks; both are counted references, so
 * a copy of an image costs a few words per chunk and later writes copy only
 * the pages they touch. Zeros cost nothing: a page keeps what lies between its
 * first and its last other byte, and a page of zeros is not there at all. Which
 * blocks a real file system would have given to the file is kept apart, as
 * ranges: a preallocated file has blocks but no pages. Running out of memory
 * aborts (see disk.h). Not thread-safe.
 */
#ifndef SF_SIM_IMAGE_H
#define SF_SIM_IMAGE_H

#include "base/range_set.h"

enum {
    SF_SIM_PAGE_BYTES = 4096,
    SF_SIM_CHUNK_PAGES = 64,
    SF_SIM_CHUNK_BYTES = SF_SIM_PAGE_BYTES * SF_SIM_CHUNK_PAGES,
};

struct sf_sim_page {
    uint32_t references;
    uint16_t from;  /* zeros before it */
    uint16_t bytes; /* at least 1; zeros behind them */
    uint8_t data[];
};

struct sf_sim_chunk {
    uint32_t references;
    uint32_t room;               /* for so many pages */
    uint64_t present;            /* a bit for each page; the others read as zeros */
    struct sf_sim_page *pages[]; /* those that are present, in order */
};

struct sf_sim_image {
    uint64_t bytes; /* length of the file */
    struct sf_sim_chunk_slot {
        uint64_t number;
        struct sf_sim_chunk *chunk;
    } * slots; /* sorted by number */
    size_t slot_count;
    size_t slot_capacity;
    struct sf_range_set blocks; /* of SF_SIM_PAGE_BYTES, given to the file */
};

/* malloc and realloc that abort instead of failing. */
void *sf_sim_allocate(size_t bytes);
void *sf_sim_reallocate(void *memory, size_t bytes);

void sf_sim_image_init(struct sf_sim_image *image);
void sf_sim_image_fini(struct sf_sim_image *image);

/* `to` becomes equal to `from`, sharing its pages. */
void sf_sim_image_copy(struct sf_sim_image *to, const struct sf_sim_image *from);

/*
 * Within [offset, offset + bytes), widened to whole chunks, `to` gets the
 * pages of `from`; then its length and blocks. For images that differ only there.
 */
void sf_sim_image_share(
    struct sf_sim_image *to, const struct sf_sim_image *from, uint64_t offset, uint64_t bytes);

/* Bytes past the end read as zeros; the caller cuts at the length. */
void sf_sim_image_read(
    const struct sf_sim_image *image, uint64_t offset, uint8_t *out, size_t bytes);

void sf_sim_image_write(
    struct sf_sim_image *image, uint64_t offset, const uint8_t *data, size_t bytes);

/* Give blocks to [offset, offset + bytes) and make the file at least that long. */
void sf_sim_image_reserve(struct sf_sim_image *image, uint64_t offset, uint64_t bytes);
/* The same, and the file stays as long as it is. */
void sf_sim_image_reserve_behind(struct sf_sim_image *image, uint64_t offset, uint64_t bytes);

/* [offset, offset + bytes) reads as zeros; whole blocks inside are given back. */
void sf_sim_image_punch(struct sf_sim_image *image, uint64_t offset, uint64_t bytes);

void sf_sim_image_truncate(struct sf_sim_image *image, uint64_t bytes);

/* How many blocks [offset, offset + bytes) would need that the file does not have. */
uint64_t sf_sim_image_blocks_missing(
    const struct sf_sim_image *image, uint64_t offset, uint64_t bytes);

/* What its pages take in memory. */
uint64_t sf_sim_image_memory(const struct sf_sim_image *image);

/* Whether the bytes `needle` (1 to SF_SIM_PAGE_BYTES of them) are anywhere in the image. */
bool sf_sim_image_has(const struct sf_sim_image *image, const uint8_t *needle, size_t bytes);

/* How many bytes from the beginning on are zeros. */
uint64_t sf_sim_image_zeros(const struct sf_sim_image *image);

/* Mix length and bytes into `hash`. */
uint64_t sf_sim_image_hash(const struct sf_sim_image *image, uint64_t hash);

/* One step of FNV-1a over `bytes` bytes: for hashes of simulated state, not for security. */
uint64_t sf_sim_hash(uint64_t hash, const void *data, size_t bytes);

#endif
