/*
 * Rates, sizes and durations as people write them.
 */
#include "app/units.h"

#include "tests/unit/check.h"

static uint64_t
rate(const char *text)
{
    uint64_t value = UINT64_MAX;

    CHECK_EQ(sf_units_rate_parse(text, &value), SF_OK);
    return value;
}

static uint64_t
size(const char *text)
{
    uint64_t value = UINT64_MAX;

    CHECK_EQ(sf_units_size_parse(text, &value), SF_OK);
    return value;
}

static uint64_t
span(const char *text)
{
    uint64_t value = UINT64_MAX;

    CHECK_EQ(sf_units_duration_parse(text, &value), SF_OK);
    return value;
}

static void
test_rates(void)
{
    CHECK_EQ(rate("20Mbit"), 20000000);
    CHECK_EQ(rate("20 Mbit/s"), 20000000);
    CHECK_EQ(rate("20mbit"), 20000000);
    CHECK_EQ(rate("2.5MByte"), 20000000);
    CHECK_EQ(rate("2.5MB/s"), 20000000);
    CHECK_EQ(rate("1MiB"), 8388608);
    CHECK_EQ(rate("1Mibit"), 1048576);
    CHECK_EQ(rate("1B"), 8);
    CHECK_EQ(rate("9600bit"), 9600);
    CHECK_EQ(rate("0.1Gbit"), 100000000);
    CHECK_EQ(rate("0"), 0);
}

static void
test_sizes(void)
{
    CHECK_EQ(size("1GiB"), 1073741824);
    CHECK_EQ(size("1GB"), 1000000000);
    CHECK_EQ(size("500MByte"), 500000000);
    CHECK_EQ(size("4096Byte"), 4096);
    CHECK_EQ(size("4096B"), 4096);
    CHECK_EQ(size("0.5KiB"), 512);
    CHECK_EQ(size("1.000000001GB"), 1000000001);
    CHECK_EQ(size("8388607TiB"), INT64_C(8388607) << 40);
}

static void
test_durations(void)
{
    CHECK_EQ(span("500ms"), 500000000);
    CHECK_EQ(span("1.5h"), INT64_C(5400000000000));
    CHECK_EQ(span("10min"), INT64_C(600000000000));
    CHECK_EQ(span("7d"), span("1w"));
}

static void
test_refused(void)
{
    static const char *const bad[] = {"", " ", "20", "Mbit", "20Mb", "20b", "20kb", "-1Mbit",
        "1..5Mbit", "1.Mbit", ".Mbit", "20Mbits ", " 20Mbit", "20  Mbit", "20Mbit/h", "0x10Mbit",
        "1e3Mbit", "1.0000000001Mbit", "20Mbit/s/s", "1,5Mbit", "20M", "/s", "00", "1KB\n"};
    uint64_t value = 77;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(sf_units_rate_parse(bad[i], &value) != SF_OK);
        CHECK(sf_units_size_parse(bad[i], &value) != SF_OK);
        CHECK(sf_units_duration_parse(bad[i], &value) != SF_OK);
    }
    CHECK_EQ(sf_units_size_parse("20Mbit", &value), SF_EFORMAT);
    CHECK_EQ(sf_units_size_parse("20MB/s", &value), SF_EFORMAT);
    CHECK_EQ(sf_units_rate_parse("20s", &value), SF_EFORMAT);
    CHECK_EQ(sf_units_size_parse("8388608TiB", &value), SF_ELIMIT);
    CHECK_EQ(sf_units_size_parse("9999999999999999999B", &value), SF_ELIMIT);
    CHECK_EQ(sf_units_rate_parse("999999999999999999TiB", &value), SF_ELIMIT);
    CHECK_EQ(value, 77);
}

static void
test_printed(void)
{
    static const uint64_t values[] = {0, 1, 7, 999, 1000, 1024, 1500000, 20000000, 1048576,
        100000000000, 1073741824, 123456789, INT64_MAX, 5000000000, (UINT64_C(1) << 40) * 3};
    char text[SF_UNITS_TEXT_BYTES];
    uint64_t value;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        sf_units_size_print(values[i], text);
        CHECK_EQ(sf_units_size_parse(text, &value), SF_OK);
        CHECK_EQ(value, values[i]);
        sf_units_rate_print(values[i], text);
        CHECK_EQ(sf_units_rate_parse(text, &value), SF_OK);
        CHECK_EQ(value, values[i]);
    }
    sf_units_rate_print(20000000, text);
    CHECK_TEXT(text, "20Mbit");
    sf_units_rate_print(1500000, text);
    CHECK_TEXT(text, "1500kbit");
    sf_units_size_print(UINT64_C(1) << 30, text);
    CHECK_TEXT(text, "1GiB");
    sf_units_size_print(500000000, text);
    CHECK_TEXT(text, "500MByte");
}

CHECK_MAIN("units", {"rates take bits, bytes and their multiples", test_rates},
    {"sizes take decimal and binary units", test_sizes},
    {"time spans take units from ns to w", test_durations},
    {"what has no unit, an unclear one or too many digits is refused and changes nothing",
        test_refused},
    {"what is printed parses to the same value", test_printed})
