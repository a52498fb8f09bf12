/*
 * path_mtu.c - the search for the size that a path takes.
 */
#include "link/path_mtu.h"

#include "base/assert.h"

void
sf_path_mtu_init(struct sf_path_mtu *mtu, size_t top, sf_mono now)
{
    sf_assert(top >= SF_PATH_MTU_FLOOR);
    *mtu = (struct sf_path_mtu){.bytes = SF_PATH_MTU_FLOOR,
        .top = top,
        .failed = top + 1,
        .probed_at = SF_NEVER,
        .due = now};
}

/* The size to try next; 0: it is known well enough. */
static size_t
next_size(const struct sf_path_mtu *mtu)
{
    size_t between = mtu->failed - mtu->bytes;

    if (mtu->failed <= mtu->bytes) {
        return 0;
    }
    if (mtu->failed > mtu->top) {
        return mtu->bytes < mtu->top ? mtu->top : 0;
    }
    return between <= mtu->bytes / SF_PATH_MTU_PART ? 0 : mtu->bytes + between / 2;
}

/* Try `bytes` from now on, or nothing. */
static void
try_size(struct sf_path_mtu *mtu, size_t bytes, sf_mono now)
{
    mtu->probe = bytes;
    mtu->lost = 0;
    mtu->sent = 0;
    mtu->probed_at = SF_NEVER;
    mtu->due = now;
}

/* What was tried is settled: what next, and when? */
static void
plan(struct sf_path_mtu *mtu, sf_mono now)
{
    try_size(mtu, next_size(mtu), now);
    if (mtu->probe == 0) {
        mtu->due = mtu->bytes < mtu->top ? sf_mono_add(now, SF_PATH_MTU_RAISE_NS) : SF_NEVER;
    }
}

sf_mono
sf_path_mtu_deadline(const struct sf_path_mtu *mtu)
{
    return mtu->due;
}

/* Too large, as far as can be told. */
static void
fail(struct sf_path_mtu *mtu, size_t bytes, sf_mono now)
{
    mtu->failed = bytes < mtu->failed ? bytes : mtu->failed;
    plan(mtu, now);
}

size_t
sf_path_mtu_tick(struct sf_path_mtu *mtu, sf_mono heard, sf_mono now)
{
    if (now < mtu->due) {
        return 0;
    }
    if (mtu->probed_at != SF_NEVER) {
        mtu->lost += heard > mtu->probed_at ? 1 : 0;
        mtu->probed_at = SF_NEVER;
        if (mtu->lost == SF_PATH_MTU_TRIES) {
            fail(mtu, mtu->probe, now);
        }
    } else if (mtu->probe == 0) {
        mtu->failed = mtu->top + 1; /* the path may have changed */
        plan(mtu, now);
    }
    return now < mtu->due ? 0 : mtu->probe;
}

void
sf_path_mtu_probed(struct sf_path_mtu *mtu, uint64_t number, sf_mono lost_at, sf_mono now)
{
    sf_assert(mtu->probe != 0);
    mtu->numbers[mtu->sent++ % SF_PATH_MTU_TRIES] = number;
    mtu->probed_at = now;
    mtu->due = lost_at;
}

bool
sf_path_mtu_answered(struct sf_path_mtu *mtu, uint64_t number, sf_mono now)
{
    for (unsigned i = 0; i < mtu->sent && i < SF_PATH_MTU_TRIES; i++) {
        if (mtu->numbers[i] == number) {
            mtu->bytes = mtu->probe;
            mtu->is_narrow = false;
            plan(mtu, now);
            return true;
        }
    }
    return false;
}

void
sf_path_mtu_refused(struct sf_path_mtu *mtu, size_t bytes, sf_mono now)
{
    if (bytes <= SF_PATH_MTU_FLOOR) {
        return; /* there is nothing smaller to turn to */
    }
    mtu->bytes = bytes <= mtu->bytes ? (size_t)SF_PATH_MTU_FLOOR : mtu->bytes;
    fail(mtu, bytes, now);
}

void
sf_path_mtu_doubt(struct sf_path_mtu *mtu, sf_mono now)
{
    if (mtu->bytes > SF_PATH_MTU_FLOOR) {
        /* It may have been chance: then the size that was in use is back a round trip later. */
        try_size(mtu, mtu->bytes, now);
        mtu->bytes = SF_PATH_MTU_FLOOR;
    }
}

bool
sf_path_mtu_black_hole(struct sf_path_mtu *mtu, sf_mono now)
{
    bool was_narrow = mtu->is_narrow;

    if (mtu->bytes == SF_PATH_MTU_FLOOR) {
        mtu->is_narrow = true;
        return !was_narrow;
    }
    sf_path_mtu_doubt(mtu, now);
    return false;
}

void
sf_path_mtu_came(struct sf_path_mtu *mtu)
{
    mtu->is_narrow = false;
}
