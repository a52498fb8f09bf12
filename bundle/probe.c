/*
 * probe.c - entropy and repetition in samples of a frame.
 */
#include "bundle/probe.h"

#include "base/assert.h"

#include <lz4.h>

enum {
    /* Samples of `SAMPLE_BYTES` each; a frame of that much altogether is looked at in full. */
    SAMPLE_BYTES = 1 << 10,
    SAMPLES_MAX = 32,

    /* Repetitions show in longer ones only. */
    REPETITION_SAMPLE_BYTES = 8 << 10,
    REPETITION_SAMPLES = 4,

    /* Wider numbers must save this many 1/256 bits of a byte, rotation less: it costs nothing. */
    WIDER_GAIN_MIN = 12,
    ROTATED_GAIN_MIN = 2,

    COLUMNS = 8, /* bytes are counted by their place modulo this */
    VALUES = 256,
    LOG_STEPS = 8,
    ONE_BIT = 1 << LOG_STEPS, /* a bit in units of 1/256 */
};

/* Counts of the values of bytes. */
struct counts {
    uint32_t of[VALUES];
};

/* log2 of `x` > 0 in units of 1/256. */
static uint32_t
log2_of(uint32_t x)
{
    unsigned whole = 31U - (unsigned)__builtin_clz(x);
    uint64_t mantissa = (uint64_t)x << (31 - whole); /* 1 .. 2, times 2^31 */
    uint32_t log = whole;

    for (unsigned i = 0; i < LOG_STEPS; i++) {
        mantissa = mantissa * mantissa >> 31;
        log <<= 1;
        if (mantissa >> 32 != 0) {
            mantissa >>= 1;
            log |= 1;
        }
    }
    return log;
}

/* Order-0 entropy. Few samples look more orderly than they are: corrected after Miller and Madow. */
static uint32_t
entropy(const struct counts *counts)
{
    uint64_t total = 0;
    uint64_t sum = 0;
    uint32_t used = 0;
    uint64_t bits;

    for (unsigned v = 0; v < VALUES; v++) {
        uint32_t n = counts->of[v];

        if (n > 0) {
            total += n;
            sum += (uint64_t)n * log2_of(n);
            used++;
        }
    }
    if (total == 0) {
        return SF_PROBE_BITS_MAX;
    }
    /* (used - 1) / (2 ln 2 total) bits, that is 185 / total of our units for each value. */
    bits = log2_of((uint32_t)total) - sum / total + (used - 1) * UINT64_C(185) / total;
    return bits > SF_PROBE_BITS_MAX ? SF_PROBE_BITS_MAX : (uint32_t)bits;
}

static void
add(struct counts *counts, const struct counts *more)
{
    for (unsigned v = 0; v < VALUES; v++) {
        counts->of[v] += more->of[v];
    }
}

/* Where sample `i` begins: a multiple of 8, so that every number keeps its place. */
static struct sf_view
sample_of(struct sf_view plain, size_t i)
{
    size_t all = (size_t)SAMPLE_BYTES * SAMPLES_MAX;
    size_t step;

    if (plain.bytes <= all) {
        size_t at = i * SAMPLE_BYTES;
        size_t left = at < plain.bytes ? plain.bytes - at : 0;

        return sf_view(plain.data + (left > 0 ? at : 0), left < SAMPLE_BYTES ? left : SAMPLE_BYTES);
    }
    step = (plain.bytes - SAMPLE_BYTES) / (SAMPLES_MAX - 1) & ~(size_t)(COLUMNS - 1);
    return sf_view(plain.data + i * step, SAMPLE_BYTES);
}

uint32_t
sf_probe_entropy(struct sf_view plain)
{
    struct counts counts = {{0}};

    for (size_t i = 0; i < SAMPLES_MAX; i++) {
        struct sf_view sample = sample_of(plain, i);

        for (size_t k = 0; k < sample.bytes; k++) {
            counts.of[sample.data[k]]++;
        }
    }
    return entropy(&counts);
}

uint32_t
sf_probe_repetition(struct sf_view plain)
{
    uint8_t out[REPETITION_SAMPLE_BYTES];
    size_t sample_bytes =
        plain.bytes < REPETITION_SAMPLE_BYTES ? plain.bytes : REPETITION_SAMPLE_BYTES;
    size_t samples = plain.bytes < (size_t)REPETITION_SAMPLES * REPETITION_SAMPLE_BYTES
                         ? 1
                         : (size_t)REPETITION_SAMPLES;
    size_t step = samples > 1 ? (plain.bytes - sample_bytes) / (samples - 1) : 0;
    size_t coded = 0;

    sf_assert(plain.bytes > 0);
    for (size_t i = 0; i < samples; i++) {
        /* A sample that does not shrink does not fit and gives 0: count it in full. */
        int bytes = LZ4_compress_default(
            (const char *)plain.data + i * step, (char *)out, (int)sample_bytes, (int)sample_bytes);

        coded += bytes > 0 ? (size_t)bytes : sample_bytes;
    }
    return (uint32_t)(coded * SF_PROBE_BITS_MAX / (samples * sample_bytes));
}

/* Mean entropy of the columns of numbers of `width` bytes; *ret_lowest is the lowest column. */
static uint32_t
column_entropy(const struct counts columns[COLUMNS], unsigned width, unsigned *ret_lowest)
{
    uint32_t sum = 0;
    uint32_t lowest = UINT32_MAX;

    sf_assert(width > 0);
    for (unsigned c = 0; c < width; c++) {
        struct counts counts = columns[c];
        uint32_t bits;

        for (unsigned k = c + width; k < COLUMNS; k += width) {
            add(&counts, &columns[k]);
        }
        bits = entropy(&counts);
        sum += bits;
        if (bits < lowest) {
            lowest = bits;
            *ret_lowest = c;
        }
    }
    return sum / width;
}

/* The same for numbers that begin at `lead` and are rotated. */
static uint32_t
rotated_entropy(struct sf_view plain, unsigned width, unsigned lead)
{
    struct counts columns[COLUMNS];
    uint32_t sum = 0;

    memset(columns, 0, sizeof(columns));
    for (size_t i = 0; i < SAMPLES_MAX; i++) {
        struct sf_view sample = sample_of(plain, i);

        for (size_t at = lead; at + width <= sample.bytes; at += width) {
            const uint8_t *number = sample.data + at;
            uint8_t below = number[width - 1];

            for (unsigned c = 0; c < width; c++) {
                columns[c].of[(uint8_t)(number[c] << 1 | below >> 7)]++;
                below = number[c];
            }
        }
    }
    for (unsigned c = 0; c < width; c++) {
        sum += entropy(&columns[c]);
    }
    return sum / width;
}

void
sf_probe_numbers(struct sf_view plain, struct sf_probe *ret_probe)
{
    struct counts columns[COLUMNS];
    struct sf_probe best = {.shape = {1, 1, {1}, false}};
    unsigned lowest = 0;
    uint32_t bits;

    memset(columns, 0, sizeof(columns));
    for (size_t i = 0; i < SAMPLES_MAX; i++) {
        struct sf_view sample = sample_of(plain, i);

        for (size_t k = 0; k < sample.bytes; k++) {
            columns[k % COLUMNS].of[sample.data[k]]++;
        }
    }
    best.bits = column_entropy(columns, 1, &lowest);
    for (unsigned width = 2; width <= COLUMNS; width *= 2) {
        bits = column_entropy(columns, width, &lowest);
        if (bits + WIDER_GAIN_MIN <= best.bits) {
            best.bits = bits;
            best.shape.stride = best.shape.column_count = (uint8_t)width;
            /* The most orderly byte of a number is the highest. */
            best.lead = (uint8_t)((lowest + 1) % width);
        }
    }
    memset(best.shape.widths, 1, best.shape.stride);
    if (best.shape.stride > 1) {
        bits = rotated_entropy(plain, best.shape.stride, best.lead);
        if (bits + ROTATED_GAIN_MIN <= best.bits) {
            best.bits = bits;
            best.shape.is_rotated = true;
        }
    }
    *ret_probe = best;
}
