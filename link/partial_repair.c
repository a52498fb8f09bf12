/*
 * partial_repair.c - rows that stand in for lost segments of a bundle being
 * assembled.
 *
 * A row waits in a buffer of the pool until its block lacks no more symbols
 * than there are rows of it; then the missing symbols are computed into the
 * bundle's buffer, and count as received. Rows are help, not property: they
 * are forgotten when the bundle is spilled or when memory is short, and what
 * they would have repaired is sent again.
 */
#include "link/inbox_private.h"

static bool
is_same_block(const struct sf_repair_block *a, const struct sf_repair_block *b)
{
    return a->start == b->start && a->symbols == b->symbols && a->symbol_bytes == b->symbol_bytes;
}

static bool
is_within(const struct sf_repair_block *block, size_t offset)
{
    return offset >= block->start && offset - block->start < block->bytes;
}

/* Free the row that `*at` points to. */
static void
drop_row(struct sf_partial *partial, struct sf_row **at)
{
    struct sf_row *row = *at;

    *at = row->next;
    partial->row_count--;
    sf_pool_return(partial->object->inbox->pool, (uint8_t *)row);
}

void
sf_partial_drop_rows(struct sf_partial *partial)
{
    while (partial->rows != NULL) {
        drop_row(partial, &partial->rows);
    }
}

static void
drop_block(struct sf_partial *partial, const struct sf_repair_block *block)
{
    struct sf_row **at = &partial->rows;

    while (*at != NULL) {
        if (is_same_block(&(*at)->block, block)) {
            drop_row(partial, at);
        } else {
            at = &(*at)->next;
        }
    }
}

/* The symbols of `block` that are not here in whole; returns how many. */
static unsigned
find_missing(const struct sf_partial *partial, const struct sf_repair_block *block,
    uint8_t ret_missing[SF_REPAIR_SYMBOLS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < block->symbols; i++) {
        size_t from = block->start + i * block->symbol_bytes;

        if (!sf_range_set_covers(&partial->ranges, from, from + sf_repair_symbol_bytes(block, i))) {
            ret_missing[count++] = (uint8_t)i;
        }
    }
    return count;
}

bool
sf_partial_keep_row(struct sf_partial *partial, const struct sf_repair_block *block, unsigned row,
    struct sf_view bytes)
{
    struct sf_inbox *inbox = partial->object->inbox;
    struct sf_row *kept;

    if (partial->state != SF_PARTIAL_MEMORY || partial->row_count == SF_INBOX_ROWS_MAX ||
        sf_range_set_covers(&partial->ranges, block->start, block->start + block->bytes)) {
        return false;
    }
    for (kept = partial->rows; kept != NULL; kept = kept->next) {
        if (is_same_block(&kept->block, block) && kept->row == row) {
            return false;
        }
    }
    kept = (struct sf_row *)sf_pool_take(inbox->pool, sizeof(*kept) + bytes.bytes);
    if (kept == NULL) {
        return false;
    }
    kept->next = partial->rows;
    kept->block = *block;
    kept->row = row;
    memcpy(kept->bytes, bytes.data, bytes.bytes);
    partial->rows = kept;
    partial->row_count++;
    inbox->stats.row_bytes += bytes.bytes;
    return true;
}

/* Take up to `count` rows of the block into `lost`; returns whether there are as many. */
static bool
collect(const struct sf_partial *partial, const struct sf_repair_block *block, unsigned count,
    struct sf_repair_lost *lost)
{
    lost->count = 0;
    for (struct sf_row *row = partial->rows; row != NULL && lost->count < count; row = row->next) {
        if (is_same_block(&row->block, block)) {
            lost->rows[lost->count] = (uint8_t)row->row;
            lost->bytes[lost->count++] = row->bytes;
        }
    }
    return lost->count == count;
}

/* How many bytes of the block are not here. */
static uint64_t
count_absent(const struct sf_partial *partial, const struct sf_repair_block *block)
{
    uint64_t from = block->start;
    uint64_t to = from + block->bytes;
    struct sf_range hole;
    uint64_t count = 0;

    while (sf_range_set_hole(&partial->ranges, from, to, &hole)) {
        count += hole.to - hole.from;
        from = hole.to;
    }
    return count;
}

bool
sf_partial_repair(struct sf_partial *partial, size_t offset)
{
    struct sf_inbox *inbox = partial->object->inbox;
    struct sf_row *row = partial->rows;
    struct sf_repair_block block;
    struct sf_repair_lost lost;
    uint64_t absent;
    unsigned missing;

    while (row != NULL && !is_within(&row->block, offset)) {
        row = row->next;
    }
    if (row == NULL || partial->state != SF_PARTIAL_MEMORY) {
        return false;
    }
    block = row->block;
    missing = find_missing(partial, &block, lost.missing);
    if (!collect(partial, &block, missing, &lost)) {
        return false;
    }
    absent = count_absent(partial, &block);
    if (missing > 0) {
        sf_repair_decode(&block, &lost, partial->buffer);
    }
    drop_block(partial, &block);
    if (sf_range_set_add(&partial->ranges, block.start, block.start + block.bytes) == SF_OK) {
        inbox->stats.rebuilt_bytes += absent;
    }
    return sf_partial_is_whole(partial);
}
