/* Tests of base/prng and base/crc32c. */
#include "base/crc32c.h"
#include "base/prng.h"
#include "tests/unit/check.h"

static void
test_known(void)
{
    struct sf_prng prng = {{1, 2, 3, 4}};

    /* The first outputs of xoshiro256** from state 1, 2, 3, 4, worked out by its definition. */
    CHECK(sf_prng_u64(&prng) == UINT64_C(11520));
    CHECK(sf_prng_u64(&prng) == UINT64_C(0));
    CHECK(sf_prng_u64(&prng) == UINT64_C(1509978240));
    CHECK(sf_prng_u64(&prng) == UINT64_C(1215971899390074240));
}

static void
test_repeats(void)
{
    struct sf_prng a;
    struct sf_prng b;
    struct sf_prng c;
    uint8_t bytes_a[13];
    uint8_t bytes_b[13];
    int same = 0;

    sf_prng_init(&a, 42);
    sf_prng_init(&b, 42);
    sf_prng_fill(&a, bytes_a, sizeof(bytes_a));
    sf_random_fill(&(struct sf_random){sf_prng_random(&b).fill, &b}, bytes_b, sizeof(bytes_b));
    CHECK_BYTES(bytes_a, bytes_b, sizeof(bytes_a));
    sf_prng_init_stream(&a, 42, 0);
    sf_prng_init_stream(&b, 42, 1);
    sf_prng_init_stream(&c, 43, 0);
    for (int i = 0; i < 100; i++) {
        uint64_t value = sf_prng_u64(&a);

        same += value == sf_prng_u64(&b);
        same += value == sf_prng_u64(&c);
    }
    CHECK_EQ(same, 0);
}

static void
test_below(void)
{
    struct sf_prng prng;
    int seen[10] = {0};
    int hits = 0;

    sf_prng_init(&prng, 7);
    CHECK_EQ(sf_prng_below(&prng, 0), 0);
    CHECK_EQ(sf_prng_below(&prng, 1), 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = sf_prng_below(&prng, 10);

        REQUIRE(value < 10);
        seen[value]++;
        hits += sf_prng_chance(&prng, 50000);
        REQUIRE(!sf_prng_chance(&prng, 0));
        REQUIRE(sf_prng_chance(&prng, SF_PRNG_PPM));
    }
    for (int i = 0; i < 10; i++) {
        CHECK(seen[i] > 9500 && seen[i] < 10500);
    }
    CHECK(hits > 4700 && hits < 5300);
}

static void
test_crc_vectors(void)
{
    uint8_t bytes[32];

    CHECK_EQ(sf_crc32c(0, NULL, 0), 0);
    CHECK_EQ(sf_crc32c(0, "123456789", 9), 0xe3069283);
    /* RFC 3720, B.4. */
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQ(sf_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    CHECK_EQ(sf_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i;
    }
    CHECK_EQ(sf_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
}

static void
test_crc_agrees(void)
{
    static uint8_t bytes[300];
    struct sf_prng prng;

    sf_prng_init(&prng, 3);
    for (int i = 0; i < 2000; i++) {
        size_t from = sf_prng_below(&prng, 20);
        size_t length = sf_prng_below(&prng, sizeof(bytes) - 20);
        size_t cut = sf_prng_below(&prng, length + 1);
        uint32_t whole;

        sf_prng_fill(&prng, bytes, sizeof(bytes));
        whole = sf_crc32c(0, bytes + from, length);
        REQUIRE_EQ(sf_crc32c_portable(0, bytes + from, length), whole);
        REQUIRE_EQ(
            sf_crc32c(sf_crc32c(0, bytes + from, cut), bytes + from + cut, length - cut), whole);
    }
}

/* Longer ones are taken in three streams side by side: around every number of whole rounds. */
static void
test_crc_of_long(void)
{
    enum { ROUND = 3 * 4096, ROUNDS = 3 };
    static uint8_t bytes[ROUNDS * ROUND + 64];
    struct sf_prng prng;

    sf_prng_init(&prng, 4);
    sf_prng_fill(&prng, bytes, sizeof(bytes));
    for (size_t round = 0; round <= ROUNDS; round++) {
        for (size_t more = 0; more < 20; more++) {
            size_t length = round * ROUND + more > 10 ? round * ROUND + more - 10 : 0;

            REQUIRE_EQ(
                sf_crc32c(77, bytes + more, length), sf_crc32c_portable(77, bytes + more, length));
        }
    }
    for (size_t at = 0; at < ROUND; at += 511) {
        uint32_t before = sf_crc32c(0, bytes, ROUND);

        bytes[at] ^= 1;
        CHECK(sf_crc32c(0, bytes, ROUND) != before);
        bytes[at] ^= 1;
    }
}

CHECK_MAIN("prng", {"xoshiro256** gives the values of its definition", test_known},
    {"equal seeds repeat and streams differ", test_repeats},
    {"bounded numbers and chances are even", test_below},
    {"CRC-32C gives the values of RFC 3720", test_crc_vectors},
    {"the processor and the tables agree, whole and in parts", test_crc_agrees},
    {"and over as much as a bundle has, where it is taken in streams", test_crc_of_long})
