#include "sim/value.h"

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { FRACTION_DIGITS_MAX = 9 };

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit rate_units[] = {{"bit", 1}, {"kbit", 1000}, {"Mbit", 1000000},
    {"Gbit", 1000000000}, {"Byte", 8}, {"kByte", 8000}, {"MByte", 8000000}, {"GByte", 8000000000},
    {NULL, 0}};
static const struct unit time_units[] = {{"ns", 1}, {"us", SF_US}, {"ms", SF_MS}, {"s", SF_SEC},
    {"min", 60 * SF_SEC}, {"h", 3600 * SF_SEC}, {"d", 86400 * SF_SEC}, {NULL, 0}};
static const struct unit size_units[] = {{"B", 1}, {"kB", 1000}, {"MB", 1000000},
    {"GB", 1000000000}, {"TB", 1000000000000}, {"Byte", 1}, {"kByte", 1000}, {"MByte", 1000000},
    {"GByte", 1000000000}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"", 1},
    {NULL, 0}};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};

struct decimal {
    uint64_t whole;
    uint64_t fraction; /* of `scale` */
    uint64_t scale;
    bool is_too_large;
};

/* Read a decimal from the front of `text`; returns what follows, or NULL. */
static const char *
read_decimal(const char *text, struct decimal *ret_decimal)
{
    struct decimal decimal = {0, 0, 1, false};
    int places = 0;

    if (*text < '0' || *text > '9') {
        return NULL;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        decimal.is_too_large |=
            __builtin_mul_overflow(decimal.whole, UINT64_C(10), &decimal.whole) ||
            __builtin_add_overflow(decimal.whole, (uint64_t)(*text - '0'), &decimal.whole);
    }
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++, places++) {
            if (places == FRACTION_DIGITS_MAX) {
                return NULL;
            }
            decimal.fraction = decimal.fraction * 10 + (uint64_t)(*text - '0');
            decimal.scale *= 10;
        }
        if (places == 0) {
            return NULL;
        }
    }
    *ret_decimal = decimal;
    return text;
}

/* The fraction has at most 30 bits, as has its scale: their products with a factor fit. */
static int
read_value(const struct unit *units, const char *text, uint64_t max, uint64_t *ret_value)
{
    struct decimal decimal;
    const char *name = read_decimal(text, &decimal);
    uint64_t value;

    if (name == NULL) {
        return SF_EFORMAT;
    }
    while (units->name != NULL && strcmp(units->name, name) != 0) {
        units++;
    }
    if (units->name == NULL) {
        return SF_EFORMAT;
    }
    if (units->factor == 1 && decimal.fraction != 0) {
        return SF_EFORMAT; /* half a byte */
    }
    if (decimal.is_too_large || __builtin_mul_overflow(decimal.whole, units->factor, &value) ||
        __builtin_add_overflow(value,
            (uint64_t)((unsigned __int128)decimal.fraction * units->factor / decimal.scale),
            &value) ||
        value > max) {
        return SF_ELIMIT;
    }
    *ret_value = value;
    return SF_OK;
}

int
sf_sim_value_rate(const char *text, uint64_t max, uint64_t *ret_value)
{
    return read_value(rate_units, text, max, ret_value);
}

int
sf_sim_value_time(const char *text, uint64_t max, uint64_t *ret_value)
{
    return read_value(time_units, text, max, ret_value);
}

int
sf_sim_value_size(const char *text, uint64_t max, uint64_t *ret_value)
{
    return read_value(size_units, text, max, ret_value);
}

int
sf_sim_value_count(const char *text, uint64_t max, uint64_t *ret_value)
{
    return strchr(text, '.') != NULL ? SF_EFORMAT : read_value(count_units, text, max, ret_value);
}
