/*
 * repair.c - Reed-Solomon on ISA-L's field arithmetic.
 */
#include "link/repair.h"

#include "base/assert.h"

#include <isa-l/erasure_code.h>

#include <stdbool.h>
#include <string.h>

enum {
    ROW_BASE = SF_REPAIR_SYMBOLS_MAX, /* element of row 0: apart from those of all symbols */
    AT_A_TIME = 4,                    /* rows made in one pass over the symbols */
    TABLE_BYTES = 32,                 /* that ISA-L makes of one coefficient */
    UNIT = 16,
};

/* --- Blocks ------------------------------------------------------------------------- */

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

struct sf_repair_block
sf_repair_block_at(size_t class_bytes, size_t symbol_bytes, size_t offset)
{
    size_t symbols = (class_bytes + symbol_bytes - 1) / symbol_bytes;
    size_t blocks = (symbols + SF_REPAIR_SYMBOLS_MAX - 1) / SF_REPAIR_SYMBOLS_MAX;
    size_t each = (symbols + blocks - 1) / blocks;
    size_t first = offset / symbol_bytes / each * each;

    return (struct sf_repair_block){.start = first * symbol_bytes,
        .bytes = least(each * symbol_bytes, class_bytes - first * symbol_bytes),
        .symbol_bytes = symbol_bytes,
        .symbols = (unsigned)least(each, symbols - first)};
}

int
sf_repair_block_check(struct sf_repair_block *block, size_t class_bytes)
{
    size_t last;

    if (block->symbols == 0 || block->symbols > SF_REPAIR_SYMBOLS_MAX ||
        block->symbol_bytes < SF_REPAIR_SYMBOL_BYTES_MIN ||
        block->symbol_bytes > SF_REPAIR_SYMBOL_BYTES_MAX || block->symbol_bytes % UNIT != 0 ||
        block->start >= class_bytes || block->start % UNIT != 0) {
        return SF_EFORMAT;
    }
    last = (block->symbols - 1) * block->symbol_bytes;
    if (last >= class_bytes - block->start) {
        return SF_EFORMAT;
    }
    block->bytes = least(last + block->symbol_bytes, class_bytes - block->start);
    return SF_OK;
}

size_t
sf_repair_symbol_bytes(const struct sf_repair_block *block, unsigned i)
{
    return least(block->symbol_bytes, block->bytes - i * block->symbol_bytes);
}

/* --- The matrix ----------------------------------------------------------------------- */

static uint8_t
element(unsigned row)
{
    return (uint8_t)(ROW_BASE + row);
}

static uint8_t
coefficient(unsigned row, unsigned i)
{
    return gf_inv((uint8_t)(element(row) ^ i));
}

/*
 * The inverse of the Cauchy matrix of the lost symbols' columns, `count` x
 * `count`: entry (i, j) by Schechter's formula (Math. Tables and Other Aids to
 * Computation 13, 1959), where sums and differences are both xor.
 */
static void
invert(const struct sf_repair_lost *lost, uint8_t *ret_inverse)
{
    unsigned count = lost->count;
    uint8_t of_row[SF_REPAIR_SYMBOLS_MAX];
    uint8_t of_symbol[SF_REPAIR_SYMBOLS_MAX];

    for (unsigned i = 0; i < count; i++) {
        uint8_t x = element(lost->rows[i]);
        uint8_t y = lost->missing[i];
        uint8_t row_over = 1, row_under = 1, symbol_over = 1, symbol_under = 1;

        for (unsigned k = 0; k < count; k++) {
            row_over = gf_mul(row_over, (uint8_t)(x ^ lost->missing[k]));
            symbol_over = gf_mul(symbol_over, (uint8_t)(element(lost->rows[k]) ^ y));
            if (k != i) {
                row_under = gf_mul(row_under, (uint8_t)(x ^ element(lost->rows[k])));
                symbol_under = gf_mul(symbol_under, (uint8_t)(y ^ lost->missing[k]));
            }
        }
        of_row[i] = gf_mul(row_over, gf_inv(row_under));
        of_symbol[i] = gf_mul(symbol_over, gf_inv(symbol_under));
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            uint8_t over = gf_mul(of_row[j], of_symbol[i]);

            ret_inverse[i * count + j] = gf_mul(over, coefficient(lost->rows[j], lost->missing[i]));
        }
    }
}

/* --- Products -------------------------------------------------------------------------- */

/* Symbols that go into a product, each whole. */
struct sources {
    int count;
    const uint8_t *at[SF_REPAIR_SYMBOLS_MAX];
    uint8_t padded[SF_REPAIR_SYMBOL_BYTES_MAX]; /* the last symbol, if it is shorter */
};

/* Up to AT_A_TIME products, and where they go. */
struct products {
    unsigned count;
    uint8_t *at[AT_A_TIME];
    uint8_t coefficients[AT_A_TIME * SF_REPAIR_SYMBOLS_MAX]; /* by product, then by source */
    uint8_t scratch[AT_A_TIME][SF_REPAIR_SYMBOL_BYTES_MAX];
};

/* Product j becomes the sum over i of coefficients[j * sources + i] * source i. */
static void
multiply(const struct sources *sources, size_t bytes, struct products *products)
{
    uint8_t tables[TABLE_BYTES * AT_A_TIME * SF_REPAIR_SYMBOLS_MAX];

    if (sources->count == 0) {
        for (unsigned j = 0; j < products->count; j++) {
            memset(products->at[j], 0, bytes);
        }
        return;
    }
    ec_init_tables(sources->count, (int)products->count, products->coefficients, tables);
    /* ISA-L takes no const, and writes to the products alone. */
    ec_encode_data((int)bytes, sources->count, (int)products->count, tables,
        (uint8_t **)(uintptr_t)sources->at, products->at);
}

/* Take symbol `i` of the block in. */
static void
add_symbol(
    struct sources *sources, const struct sf_repair_block *block, const uint8_t *bundle, unsigned i)
{
    const uint8_t *symbol = bundle + block->start + i * block->symbol_bytes;
    size_t bytes = sf_repair_symbol_bytes(block, i);

    if (bytes < block->symbol_bytes) {
        memcpy(sources->padded, symbol, bytes);
        memset(sources->padded + bytes, 0, block->symbol_bytes - bytes);
        symbol = sources->padded;
    }
    sources->at[sources->count++] = symbol;
}

void
sf_repair_encode(
    const struct sf_repair_block *block, const uint8_t *bundle, unsigned row, uint8_t *out)
{
    struct sources sources = {.count = 0};
    struct products products = {.count = 1, .at = {out}};

    sf_assert(row < SF_REPAIR_ROWS_MAX);
    sf_assert(block->symbols <= SF_REPAIR_SYMBOLS_MAX);
    sf_assert(block->symbol_bytes <= SF_REPAIR_SYMBOL_BYTES_MAX);
    for (unsigned i = 0; i < block->symbols; i++) {
        add_symbol(&sources, block, bundle, i);
        products.coefficients[i] = coefficient(row, i);
    }
    multiply(&sources, block->symbol_bytes, &products);
}

/* Take what the symbols that are there contribute out of the rows. */
static void
fold(const struct sf_repair_block *block, const struct sf_repair_lost *lost, const uint8_t *bundle)
{
    bool is_missing[SF_REPAIR_SYMBOLS_MAX] = {false};
    struct sources sources = {.count = 0};
    uint8_t numbers[SF_REPAIR_SYMBOLS_MAX] = {0};
    struct products products;

    for (unsigned i = 0; i < lost->count; i++) {
        is_missing[lost->missing[i]] = true;
    }
    for (unsigned i = 0; i < block->symbols; i++) {
        if (!is_missing[i]) {
            numbers[sources.count] = (uint8_t)i;
            add_symbol(&sources, block, bundle, i);
        }
    }
    for (unsigned done = 0; done < lost->count; done += products.count) {
        products.count = (unsigned)least(AT_A_TIME, lost->count - done);
        for (unsigned j = 0; j < products.count; j++) {
            products.at[j] = products.scratch[j];
            for (int i = 0; i < sources.count; i++) {
                products.coefficients[j * (unsigned)sources.count + (unsigned)i] =
                    coefficient(lost->rows[done + j], numbers[i]);
            }
        }
        multiply(&sources, block->symbol_bytes, &products);
        for (unsigned j = 0; j < products.count; j++) {
            for (size_t at = 0; at < block->symbol_bytes; at++) {
                lost->bytes[done + j][at] ^= products.scratch[j][at];
            }
        }
    }
}

void
sf_repair_decode(
    const struct sf_repair_block *block, const struct sf_repair_lost *lost, uint8_t *bundle)
{
    uint8_t inverse[SF_REPAIR_SYMBOLS_MAX * SF_REPAIR_SYMBOLS_MAX];
    struct sources sources = {.count = (int)lost->count};
    struct products products;

    sf_assert(lost->count <= block->symbols && block->symbols <= SF_REPAIR_SYMBOLS_MAX);
    fold(block, lost, bundle);
    invert(lost, inverse);
    memcpy(sources.at, lost->bytes, lost->count * sizeof(*sources.at));
    for (unsigned done = 0; done < lost->count; done += products.count) {
        products.count = (unsigned)least(AT_A_TIME, lost->count - done);
        memcpy(products.coefficients, inverse + (size_t)done * lost->count,
            (size_t)products.count * lost->count);
        for (unsigned j = 0; j < products.count; j++) {
            products.at[j] = products.scratch[j];
        }
        multiply(&sources, block->symbol_bytes, &products);
        for (unsigned j = 0; j < products.count; j++) {
            unsigned i = lost->missing[done + j];

            memcpy(bundle + block->start + i * block->symbol_bytes, products.scratch[j],
                sf_repair_symbol_bytes(block, i));
        }
    }
}
