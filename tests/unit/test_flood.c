/*
 * test_flood.c - token buckets and the memory of openers seen.
 */
#include "tests/unit/check.h"

#include "base/prng.h"
#include "link/flood.h"

static struct sf_prng prng;
static struct sf_flood flood;
static const sf_mono start = 100 * SF_SEC;

static void
load(void)
{
    struct sf_random source;

    sf_prng_init(&prng, 11);
    source = sf_prng_random(&prng);
    sf_flood_init(&flood, &source, start);
}

static unsigned
admit(const struct sf_addr *from, bool is_trusted, unsigned tries, sf_mono now)
{
    unsigned admitted = 0;

    while (tries-- > 0) {
        admitted += sf_flood_admit(&flood, from, is_trusted, now) ? 1 : 0;
    }
    return admitted;
}

static void
test_prefix(void)
{
    struct sf_addr a = sf_addr_v4(0x01020304, 1);
    struct sf_addr b = sf_addr_v4(0x010203ff, 2);
    struct sf_addr c = sf_addr_v4(0x01020404, 3);

    load();
    CHECK_EQ(admit(&a, false, 15, start), 15);
    CHECK_EQ(admit(&b, false, 100, start), 5);
    CHECK_EQ(admit(&c, false, 100, start), 20);
    CHECK_EQ(admit(&a, false, 100, start + SF_SEC / 2), 10);
    CHECK_EQ(admit(&a, false, 100, start + 100 * SF_SEC), 20);
}

static void
test_prefix6(void)
{
    struct sf_addr a = {.ip = {0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5}};
    struct sf_addr b = {.ip = {0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 5, 6}};
    struct sf_addr c = {.ip = {0x20, 0x01, 0x0d, 0xb8, 1, 2, 4, 4, 5}};

    load();
    CHECK_EQ(admit(&a, false, 100, start), 20);
    CHECK_EQ(admit(&b, false, 100, start), 0);
    CHECK_EQ(admit(&c, false, 100, start), 20);
}

static void
test_all_and_reserve(void)
{
    unsigned strangers = 0;
    unsigned trusted = 0;

    load();
    for (uint32_t i = 0; i < 20000; i++) {
        struct sf_addr from = sf_addr_v4(0x05000000 + i * 256, 1);

        strangers += admit(&from, false, 1, start);
    }
    CHECK_EQ(strangers, SF_FLOOD_ALL_PER_SEC - SF_FLOOD_RESERVED);
    for (uint32_t i = 0; i < 100; i++) {
        struct sf_addr from = sf_addr_v4(0x09000000 + i * 256, 1);

        trusted += admit(&from, true, 5, start);
    }
    CHECK_EQ(trusted, SF_FLOOD_RESERVED);
}

static void
test_seen(void)
{
    uint8_t mac[16];
    unsigned forgotten = 0;
    struct sf_prng again;

    load();
    sf_prng_init(&again, 5);
    for (unsigned i = 0; i < 10000; i++) {
        sf_prng_fill(&again, mac, sizeof(mac));
        CHECK(!sf_flood_has_seen(&flood, mac));
        sf_flood_see(&flood, mac);
        CHECK(sf_flood_has_seen(&flood, mac));
    }
    sf_prng_init(&again, 5);
    for (unsigned i = 0; i < 10000; i++) {
        sf_prng_fill(&again, mac, sizeof(mac));
        forgotten += sf_flood_has_seen(&flood, mac) ? 0 : 1;
    }
    CHECK(forgotten < 50);
}

static void
test_time_stands(void)
{
    struct sf_addr a = sf_addr_v4(0x01020304, 1);

    load();
    CHECK_EQ(admit(&a, false, 100, start), 20);
    /* A time that goes back gives nothing. */
    CHECK_EQ(admit(&a, false, 100, start - SF_SEC), 0);
    CHECK_EQ(admit(&a, false, 100, start), 0);
}

CHECK_MAIN("flood", {"an IPv4 /24 gets 20 a second", test_prefix},
    {"an IPv6 /56 gets 20 a second", test_prefix6},
    {"a quarter of 1,000 a second is kept for known addresses", test_all_and_reserve},
    {"openers seen are remembered", test_seen}, {"no credit without time", test_time_stands})
