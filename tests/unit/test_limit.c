/*
 * test_limit.c - limits by the hour, and how datagrams are marked, as people
 * write them.
 */
#include "app/limit.h"
#include "app/mark.h"
#include "tests/unit/check.h"

static void
test_forms(void)
{
    struct sf_limit limit;

    REQUIRE_EQ(sf_limit_parse("20Mbit on eth1 from 08:00 to 18:00", &limit), SF_OK);
    CHECK_EQ(limit.rate_bps, 20000000);
    CHECK_TEXT(limit.interface, "eth1");
    CHECK(limit.has_hours);
    CHECK_EQ(limit.from_minute, 480);
    CHECK_EQ(limit.to_minute, 1080);
    REQUIRE_EQ(sf_limit_parse("1Gbit", &limit), SF_OK);
    CHECK_TEXT(limit.interface, "");
    CHECK(!limit.has_hours);
    REQUIRE_EQ(sf_limit_parse("  2.5MByte \t from 22:30 to 24:00 ", &limit), SF_OK);
    CHECK_EQ(limit.rate_bps, 20000000);
    CHECK_EQ(limit.to_minute, 1440);
    REQUIRE_EQ(sf_limit_parse("20Mbit on wlan0", &limit), SF_OK);
    CHECK_TEXT(limit.interface, "wlan0");
}

static void
test_bad_forms(void)
{
    static const char *const bad[] = {"", " ", "20", "Mbit", "20Mbit eth1", "20Mbit on", "0Mbit",
        "20Mbit on eth1 from 08:00", "20Mbit from 08:00 to 08:00", "20Mbit from 8:00 to 18:00",
        "20Mbit from 08:60 to 18:00", "20Mbit from 08:00 to 24:01", "20Mbit from 08:00 to 25:00",
        "20Mbit from 0800 to 1800", "20Mbit on eth1 from 08:00 to 18:00 daily", "101Gbit",
        "20Mbit to 18:00 from 08:00", "20Mbit on a-name-too-long-for-it", "999bit",
        "20Mbit on eth1 on eth2", "20Mbit from -1:00 to 18:00"};
    struct sf_limit limit = {.rate_bps = 77};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sf_limit_parse(bad[i], &limit) != SF_EFORMAT) {
            printf("\n    taken: %s\n", bad[i]);
            CHECK(false);
        }
    }
    CHECK_EQ(limit.rate_bps, 77);
}

static void
test_hours(void)
{
    struct sf_limit day, night, always;

    REQUIRE_EQ(sf_limit_parse("1Mbit from 08:00 to 18:00", &day), SF_OK);
    REQUIRE_EQ(sf_limit_parse("1Mbit from 22:00 to 06:00", &night), SF_OK);
    REQUIRE_EQ(sf_limit_parse("1Mbit", &always), SF_OK);
    for (unsigned minute = 0; minute < SF_LIMIT_MINUTES; minute++) {
        CHECK_EQ(sf_limit_holds(&day, minute), minute >= 480 && minute < 1080);
        CHECK_EQ(sf_limit_holds(&night, minute), minute >= 1320 || minute < 360);
        CHECK(sf_limit_holds(&always, minute));
    }
}

static void
test_dscp(void)
{
    static const char *const bad[] = {"", "64", "-1", "af14", "x", "1 ", "007", "efx"};
    char text[SF_MARK_TEXT_BYTES];
    uint8_t dscp = 99;

    for (uint8_t value = 0; value < 64; value++) {
        uint8_t back;

        sf_mark_dscp_print(value, text);
        REQUIRE_EQ(sf_mark_dscp_parse(text, &back), SF_OK);
        CHECK_EQ(back, value);
        (void)snprintf(text, sizeof(text), "%u", value);
        REQUIRE_EQ(sf_mark_dscp_parse(text, &back), SF_OK);
        CHECK_EQ(back, value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(sf_mark_dscp_parse(bad[i], &dscp), SF_EFORMAT);
    }
    CHECK_EQ(dscp, 99);
    CHECK_EQ(sf_mark_dscp_parse("LE", &dscp), SF_OK);
    CHECK_EQ(dscp, 1);
    CHECK_EQ(sf_mark_dscp_parse("af43", &dscp), SF_OK);
    CHECK_EQ(dscp, 38);
}

static void
test_interfaces(void)
{
    static const char *const bad[] = {
        "", ".", "..", "a/b", "a b", "eth1:0", "a%", "sixteen-letters-"};
    char name[SF_MARK_INTERFACE_BYTES_MAX + 1] = "before";

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(sf_mark_interface_parse(bad[i], name), SF_EFORMAT);
    }
    CHECK_TEXT(name, "before");
    CHECK_EQ(sf_mark_interface_parse("fifteen-letters", name), SF_OK);
    CHECK_EQ(sf_mark_interface_parse("none", name), SF_OK);
    CHECK_TEXT(name, "");
}

static void
test_code(void)
{
    for (unsigned i = 0; i < 8; i++) {
        const struct sf_mark mark = {.dscp = (uint8_t)(i * 9),
            .is_ect = (i & 1) != 0,
            .is_bound = (i & 2) != 0,
            .index = (i & 2) != 0 ? 70000 + i : 0};
        struct sf_mark back = sf_mark_decode(sf_mark_encode(&mark));

        CHECK_EQ(back.dscp, mark.dscp);
        CHECK_EQ(back.is_ect, mark.is_ect);
        CHECK_EQ(back.is_bound, mark.is_bound);
        CHECK_EQ(back.index, mark.index);
    }
    /* An index that does not fit: bound to nothing, never to another one. */
    CHECK_EQ(
        sf_mark_decode(sf_mark_encode(&(struct sf_mark){.is_bound = true, .index = UINT32_MAX}))
            .index,
        0);
    CHECK_EQ(sf_mark_encode(&(struct sf_mark){.dscp = 0}), 0);
}

CHECK_MAIN("limit", {"a limit has a rate, perhaps an interface, perhaps hours", test_forms},
    {"anything else is refused", test_bad_forms},
    {"hours are of the day, and reach over midnight", test_hours},
    {"every DSCP has a name or a number", test_dscp},
    {"names of interfaces are what the kernel takes", test_interfaces},
    {"a mark fits a number and comes out of it", test_code})
