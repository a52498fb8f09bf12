#include "app/units.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DECIMALS_MAX = 9, DIGITS_MAX = 19 };

struct unit {
    const char *name;
    uint64_t scale;
};

/* A decimal number: value / 10^decimals. */
struct number {
    uint64_t value;
    unsigned decimals;
};

#define KB UINT64_C(1000)
#define MB (1000 * KB)
#define GB (1000 * MB)
#define TB (1000 * GB)
#define KI UINT64_C(1024)
#define MI (1024 * KI)
#define GI (1024 * MI)
#define TI (1024 * GI)

/* In bytes. The first of a scale is how it is printed. */
static const struct unit byte_units[] = {
    {"TiB", TI},
    {"TByte", TB},
    {"TB", TB},
    {"GiB", GI},
    {"GByte", GB},
    {"GB", GB},
    {"MiB", MI},
    {"MByte", MB},
    {"MB", MB},
    {"KiB", KI},
    {"kByte", KB},
    {"kB", KB},
    {"Byte", 1},
    {"Bytes", 1},
};

/* In bits a second; units of bytes count eight times. */
static const struct unit bit_units[] = {
    {"Tbit", TB},
    {"Gbit", GB},
    {"Mbit", MB},
    {"kbit", KB},
    {"bit", 1},
    {"Tibit", TI},
    {"Gibit", GI},
    {"Mibit", MI},
    {"Kibit", KI},
    {"bits", 1},
};

static const struct unit span_units[] = {
    {"w", 7 * 86400 * GB},
    {"d", 86400 * GB},
    {"h", 3600 * GB},
    {"min", 60 * GB},
    {"s", GB},
    {"ms", MB},
    {"us", KB},
    {"ns", 1},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The number at the start of `text`, and where its unit begins (one blank may stand between). */
static int
parse_number(const char *text, struct number *ret_number, const char **ret_unit)
{
    struct number number = {0, 0};
    unsigned digits = 0;
    bool is_fraction = false;

    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !is_fraction); text++) {
        if (*text == '.') {
            is_fraction = true;
            continue;
        }
        if (++digits > DIGITS_MAX) {
            return SF_ELIMIT;
        }
        if (is_fraction && ++number.decimals > DECIMALS_MAX) {
            return SF_EFORMAT;
        }
        number.value = number.value * 10 + (uint64_t)(*text - '0');
    }
    if (digits == 0 || (is_fraction && number.decimals == 0)) {
        return SF_EFORMAT;
    }
    if (*text == ' ') {
        text++;
    }
    *ret_number = number;
    *ret_unit = text;
    return SF_OK;
}

/* value * scale / 10^decimals, exactly, cut to an integer. */
static int
scale_number(const struct number *number, uint64_t scale, uint64_t *ret_value)
{
    unsigned __int128 product = (unsigned __int128)number->value * scale;

    for (unsigned i = 0; i < number->decimals; i++) {
        product /= 10;
    }
    if (product > INT64_MAX) {
        return SF_ELIMIT;
    }
    *ret_value = (uint64_t)product;
    return SF_OK;
}

/* The scale of unit `name` of `bytes` letters; 0 if there is none. A lone 'b' is nobody's. */
static uint64_t
find_unit(const struct unit *units, size_t count, const char *name, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(units[i].name);

        if (length != bytes || strncasecmp(units[i].name, name, bytes) != 0) {
            continue;
        }
        /* "Mb" is megabits to some and megabytes to others. */
        if (length <= 3 && units[i].name[length - 1] == 'B' && name[length - 1] != 'B') {
            return 0;
        }
        return units[i].scale;
    }
    return 0;
}

static bool
is_zero(const char *text)
{
    return strcmp(text, "0") == 0;
}

int
sf_units_rate_parse(const char *text, uint64_t *ret_bps)
{
    struct number number;
    const char *unit;
    size_t bytes;
    uint64_t scale;
    int status;

    if (is_zero(text)) {
        *ret_bps = 0;
        return SF_OK;
    }
    status = parse_number(text, &number, &unit);
    if (status != SF_OK) {
        return status;
    }
    bytes = strlen(unit);
    if (bytes > 2 && strcmp(unit + bytes - 2, "/s") == 0) {
        bytes -= 2;
    }
    scale = find_unit(bit_units, COUNT(bit_units), unit, bytes);
    if (scale == 0) {
        scale = bytes == 1 && *unit == 'B'
                    ? 8
                    : 8 * find_unit(byte_units, COUNT(byte_units), unit, bytes);
    }
    return scale == 0 ? SF_EFORMAT : scale_number(&number, scale, ret_bps);
}

int
sf_units_size_parse(const char *text, uint64_t *ret_bytes)
{
    struct number number;
    const char *unit;
    uint64_t scale;
    int status;

    if (is_zero(text)) {
        *ret_bytes = 0;
        return SF_OK;
    }
    status = parse_number(text, &number, &unit);
    if (status != SF_OK) {
        return status;
    }
    scale =
        strcmp(unit, "B") == 0 ? 1 : find_unit(byte_units, COUNT(byte_units), unit, strlen(unit));
    return scale == 0 ? SF_EFORMAT : scale_number(&number, scale, ret_bytes);
}

int
sf_units_duration_parse(const char *text, uint64_t *ret_ns)
{
    struct number number;
    const char *unit;
    uint64_t scale;
    int status;

    if (is_zero(text)) {
        *ret_ns = 0;
        return SF_OK;
    }
    status = parse_number(text, &number, &unit);
    if (status != SF_OK) {
        return status;
    }
    scale = find_unit(span_units, COUNT(span_units), unit, strlen(unit));
    return scale == 0 ? SF_EFORMAT : scale_number(&number, scale, ret_ns);
}

/* `value` in the unit that shows it as the smallest whole number. */
static void
print_exactly(const struct unit *units, size_t count, uint64_t value, char *ret_text)
{
    const struct unit *best = NULL;

    if (value == 0) {
        memcpy(ret_text, "0", 2);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (value % units[i].scale == 0 && (best == NULL || units[i].scale > best->scale)) {
            best = &units[i];
        }
    }
    sf_assert(best != NULL); /* each table has a unit of one */
    (void)snprintf(ret_text, SF_UNITS_TEXT_BYTES, "%" PRIu64 "%s", value / best->scale, best->name);
}

void
sf_units_rate_print(uint64_t bps, char ret_text[SF_UNITS_TEXT_BYTES])
{
    enum { DECIMAL_UNITS = 5 }; /* nobody counts 1,024 bits */

    print_exactly(bit_units, DECIMAL_UNITS, bps, ret_text);
}

void
sf_units_size_print(uint64_t bytes, char ret_text[SF_UNITS_TEXT_BYTES])
{
    print_exactly(byte_units, COUNT(byte_units), bytes, ret_text);
}
