/*
 * test_class.c - size classes and their choice.
 */
#include "bundle/class.h"
#include "bundle/envelope.h"
#include "bundle/manifest.h"
#include "tests/unit/check.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

static uint64_t
chosen(uint64_t total_bytes, uint32_t file_count)
{
    struct sf_class_choice choice = {.class_bytes = 0};
    struct sf_class_input input = {
        .total_bytes = total_bytes,
        .outline_bytes = 40 + 40 * (uint64_t)file_count,
        .file_count = file_count,
    };

    CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
    CHECK_EQ(choice.frame_bytes, sf_outline_frame_bytes_for(choice.class_bytes));
    return choice.class_bytes;
}

static void
test_sizes(void)
{
    static const uint64_t data[] = {16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB};
    static const uint64_t control[] = {KIB, 4 * KIB, 16 * KIB, 64 * KIB};
    size_t found_data = 0;
    size_t found_control = 0;

    for (uint64_t bytes = 0; bytes <= 16 * MIB; bytes += 512) {
        found_data += sf_class_is_data(bytes);
        found_control += sf_class_is_control(bytes);
    }
    CHECK_EQ(found_data, sizeof(data) / sizeof(data[0]));
    CHECK_EQ(found_control, sizeof(control) / sizeof(control[0]));
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
        CHECK(sf_class_is_data(data[i]));
    }
    for (size_t i = 0; i < sizeof(control) / sizeof(control[0]); i++) {
        CHECK(sf_class_is_control(control[i]));
    }
    CHECK(!sf_class_is_data((UINT64_C(1) << 32) + 16 * KIB));
    CHECK(!sf_class_is_control((UINT64_C(1) << 32) + KIB));
}

static void
test_control_for(void)
{
    CHECK_EQ(sf_class_control_for(0), 1024);
    CHECK_EQ(sf_class_control_for(1024), 1024);
    CHECK_EQ(sf_class_control_for(1025), 4096);
    CHECK_EQ(sf_class_control_for(65536), 65536);
    CHECK_EQ(sf_class_control_for(65537), 0);
}

static void
test_small(void)
{
    CHECK_EQ(chosen(0, 1), 16 * KIB);
    CHECK_EQ(chosen(1, 1), 16 * KIB);
    CHECK_EQ(chosen(100 * KIB, 1), 16 * KIB);
    CHECK_EQ(chosen(30000, 3000), 16 * KIB); /* the manifest outweighs any class */
}

static void
test_large(void)
{
    CHECK_EQ(chosen(700 * GIB, 1), 4 * MIB);
    CHECK_EQ(chosen(140 * GIB, 30), 4 * MIB);
    CHECK(chosen(300 * MIB, 1) >= MIB);
}

/* The rule itself, for many sizes: no larger class may keep it, and the chosen one does unless it
 * is the smallest. */
static void
test_rule(void)
{
    for (uint64_t total = 10 * MIB; total < 3 * GIB; total += 12345677) {
        uint64_t class_bytes = chosen(total, 1);
        uint64_t largest = 16 * KIB;

        for (uint64_t size = 16 * KIB; size <= 4 * MIB; size *= 4) {
            uint64_t capacity = sf_envelope_capacity((size_t)size);
            uint64_t frames = total / sf_outline_frame_bytes_for((uint32_t)size) + 1;
            uint64_t bundles = (total + frames * 40 + 148 + capacity - 1) / capacity;

            if ((bundles * capacity - total) * 200 <= bundles * size) {
                largest = size;
            }
        }
        CHECK_EQ(class_bytes, largest);
    }
}

/* A bound on the class is a choice among the smaller ones, not the largest of them in any case. */
static void
test_largest(void)
{
    struct sf_class_choice choice = {.class_bytes = 0};
    /* One byte more than 1 MiB bundles hold: another one, empty, would be 2 %. */
    struct sf_class_input input = {.total_bytes = 50327391, .outline_bytes = 100, .file_count = 1};

    CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
    CHECK_EQ(choice.class_bytes, 4 * MIB);
    input.largest = (uint32_t)MIB;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
    CHECK_EQ(choice.class_bytes, 256 * KIB);
    input.largest = 1;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
    CHECK_EQ(choice.class_bytes, 16 * KIB);
    for (uint64_t total = 25 * MIB; total < GIB; total += 1234567) {
        uint64_t sealed;

        input = (struct sf_class_input){.total_bytes = total,
            .outline_bytes = 100,
            .file_count = 1,
            .largest = SF_CLASS_AUTO_MAX};
        CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
        /* Noise, with every seal and padding: at most 100.6 %. */
        sealed = (total + 200 + (total / choice.frame_bytes + 1) * 30) /
                     sf_envelope_capacity(choice.class_bytes) +
                 1;
        CHECK(sealed * choice.class_bytes * 1000 <= total * 1006);
    }
}

static void
test_fixed(void)
{
    struct sf_class_choice choice = {.class_bytes = 0};
    struct sf_class_input input = {.total_bytes = 700 * GIB, .outline_bytes = 100, .file_count = 1};

    input.fixed = (uint32_t)MIB;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
    CHECK_EQ(choice.class_bytes, MIB);
    CHECK(choice.bundle_count_max > 700 * KIB);
    CHECK(choice.bundle_count_max < 702 * KIB);
    input.fixed = 100000;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_EINVAL);
    CHECK_EQ(choice.class_bytes, MIB);
}

static void
test_limits(void)
{
    struct sf_class_choice choice = {.class_bytes = 0};
    struct sf_class_input input = {.total_bytes = SF_TRANSFER_BYTES_MAX + 1, .file_count = 1};

    CHECK_EQ(sf_class_choose(&input, &choice), SF_ELIMIT);
    input.total_bytes = SF_TRANSFER_BYTES_MAX; /* 2^34 bundles of 4 MiB */
    CHECK_EQ(sf_class_choose(&input, &choice), SF_ELIMIT);
    input.total_bytes = GIB * KIB * 8;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
    input.fixed = 16 * KIB;
    input.total_bytes = GIB * KIB * 80;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_ELIMIT);
    input.fixed = 0;
    input.file_count = SF_OUTLINE_FILES_MAX + 1;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_ELIMIT);
    input.file_count = 1;
    input.outline_bytes = SF_OUTLINE_BYTES_MAX + 1;
    CHECK_EQ(sf_class_choose(&input, &choice), SF_ELIMIT);
}

static void
test_delta(void)
{
    for (uint64_t bytes = 1000; bytes < 64 * GIB; bytes *= 3) {
        struct sf_class_choice choice = {.class_bytes = 0};
        struct sf_class_input input = {.total_bytes = bytes,
            .outline_bytes = 200,
            .file_count = 1,
            .largest = SF_CLASS_AUTO_MAX,
            .is_delta = true};

        CHECK_EQ(sf_class_choose(&input, &choice), SF_OK);
        CHECK(choice.class_bytes == SF_CLASS_DATA_MIN || choice.class_bytes <= bytes / 400);
        CHECK(choice.class_bytes == SF_CLASS_AUTO_MAX || choice.class_bytes * 4 > bytes / 400);
        CHECK(chosen(bytes, 1) >= choice.class_bytes);
    }
}

static void
test_padme(void)
{
    /* By the definition: 2^E <= L, S = floor(log2 E) + 1, all but the first S bits behind the
     * leading one are zero. */
    static const struct {
        uint64_t bytes, padded;
    } known[] = {{0, 0}, {1, 1}, {2, 2}, {8, 8}, {9, 10}, {15, 16}, {16, 16}, {1000, 1024},
        {1024, 1024}, {1025, 1088}, {MIB + 1, MIB + 32 * KIB},
        {UINT64_C(140000000000), UINT64_C(141733920768)}, {UINT64_MAX, UINT64_MAX}};
    uint64_t before = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        CHECK_EQ(sf_class_padme(known[i].bytes), known[i].padded);
    }
    for (uint64_t bytes = 1; bytes < UINT64_C(1) << 50; bytes += bytes / 13 + 1) {
        uint64_t padded = sf_class_padme(bytes);

        CHECK(padded >= bytes && padded >= before);
        CHECK_EQ(sf_class_padme(padded), padded);
        CHECK(padded - bytes <= bytes / 8);
        CHECK(bytes < UINT64_C(137438953472) || padded - bytes <= bytes / 1000 * 16);
        before = padded;
    }
}

static void
test_padded_count(void)
{
    CHECK_EQ(sf_class_padded_count(1, 16 * KIB), 1);
    CHECK_EQ(sf_class_padded_count(65, 16 * KIB), 66); /* 1 MiB and a bundle: up to 32 KiB more */
    CHECK_EQ(sf_class_padded_count(133000, MIB), 133120); /* 130 GiB: in steps of 2 GiB */
    CHECK_EQ(sf_class_padded_count(133120, MIB), 133120);
    CHECK_EQ(sf_class_padded_count(133121, MIB), 135168);
    for (uint64_t count = 1; count < 100000; count += 1 + count / 50) {
        uint64_t padded = sf_class_padded_count(count, 256 * KIB);

        CHECK(padded >= count && padded * 16 <= count * 17 + 16);
    }
}

CHECK_MAIN("class", {"there are five data classes and four control classes", test_sizes},
    {"a control object takes the smallest class that holds it", test_control_for},
    {"small transfers take the smallest class", test_small},
    {"large transfers take a large class", test_large},
    {"the largest class that wastes at most 0.5 % is chosen", test_rule},
    {"no class above the largest one wanted is taken, and a smaller one if that wastes less",
        test_largest},
    {"one bundle of a delta is a small part of it", test_delta},
    {"a fixed class is taken, if it is one", test_fixed},
    {"what no class can carry is refused", test_limits},
    {"Padme leaves a magnitude and a few bits of a size", test_padme},
    {"the number of bundles is hidden so, in whole bundles", test_padded_count})
