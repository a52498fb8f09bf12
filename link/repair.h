/*
 * repair.h - symbols that stand in for lost ones: systematic Reed-Solomon over
 * GF(2^8), block by block.
 *
 * A block is a run of up to 128 symbols of equal size within a bundle; the last
 * one may be shorter and counts as if zeros followed. Row `row` of a block is
 *
 *     sum over i of  symbol(i) / ((128 + row) xor i)      (a Cauchy matrix)
 *
 * so any `n` rows, whatever their numbers, give back any `n` lost symbols. The
 * coefficients depend on nothing else: a row is made without knowing which
 * others were, and the receiver folds what it has into the rows and inverts
 * only lost x lost.
 *
 * Arithmetic over the caller's memory; the field is that of Intel ISA-L
 * (polynomial 0x11d), which does the work.
 */
#ifndef SF_LINK_REPAIR_H
#define SF_LINK_REPAIR_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SF_REPAIR_SYMBOLS_MAX = 128, /* of a block */
    SF_REPAIR_ROWS_MAX = 128,    /* rows are numbered 0 .. 127 */
    SF_REPAIR_SYMBOL_BYTES_MIN = 32,
    SF_REPAIR_SYMBOL_BYTES_MAX = 8192,
};

/* Where a block lies in its bundle. */
struct sf_repair_block {
    size_t start;        /* offset of its first symbol */
    size_t bytes;        /* up to its end, which may cut the last symbol short */
    size_t symbol_bytes; /* a multiple of 16 */
    unsigned symbols;
};

/*
 * The block that a sender uses for `offset` of a bundle of `class_bytes`, cut
 * into symbols of `symbol_bytes`: as few blocks as can be, of equal size.
 */
struct sf_repair_block sf_repair_block_at(size_t class_bytes, size_t symbol_bytes, size_t offset);

/*
 * Whether a block named by a peer lies within a bundle of `class_bytes` and
 * keeps within the limits above; its end is set. SF_OK or SF_EFORMAT.
 */
SF_MUST_USE int sf_repair_block_check(struct sf_repair_block *block, size_t class_bytes);

/* Bytes of symbol `i`. */
size_t sf_repair_symbol_bytes(const struct sf_repair_block *block, unsigned i);

/* Write row `row` of a block of `bundle` to `out`, symbol_bytes long. */
void sf_repair_encode(
    const struct sf_repair_block *block, const uint8_t *bundle, unsigned row, uint8_t *out);

/* Rows received of one block, and the symbols missing: as many of each. */
struct sf_repair_lost {
    unsigned count;
    uint8_t missing[SF_REPAIR_SYMBOLS_MAX]; /* different symbols of the block */
    uint8_t rows[SF_REPAIR_SYMBOLS_MAX];    /* different numbers */
    uint8_t *bytes[SF_REPAIR_SYMBOLS_MAX];  /* the rows; used up by decoding */
};

/*
 * Put the missing symbols into `bundle`, in which all other symbols of the
 * block are right. Rows that were not made of this block give wrong symbols:
 * whoever takes rows from others checks the bundle afterwards.
 */
void sf_repair_decode(
    const struct sf_repair_block *block, const struct sf_repair_lost *lost, uint8_t *bundle);

#endif
