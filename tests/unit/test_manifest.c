/*
 * test_manifest.c - outline and digests.
 */
#include "base/crypto.h"
#include "base/prng.h"
#include "bundle/cbor.h"
#include "bundle/manifest.h"
#include "tests/unit/check.h"

enum { CLASS = 64 << 10 };

static uint8_t encoded[SF_OUTLINE_BYTES_MAX + 64];

static int
decode(size_t bytes)
{
    struct sf_outline outline;
    int status = sf_outline_decode(sf_view(encoded, bytes), &outline);

    if (status == SF_OK) {
        sf_outline_fini(&outline);
    }
    return status;
}

/* An outline of these paths, in a directory "dir"; every file is 100,000 bytes long. */
static struct sf_outline
outline_of(struct sf_outline_file *files, const char *const *paths, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        files[i] = (struct sf_outline_file){.path = paths[i], .bytes = 100000, .mtime_ms = -5};
    }
    return (struct sf_outline){.label = "dir",
        .class_bytes = CLASS,
        .frame_bytes = CLASS,
        .files = files,
        .file_count = count};
}

static int
encode_paths(const char *const *paths, uint32_t count, size_t *ret_bytes)
{
    struct sf_outline_file files[8];
    struct sf_outline outline = outline_of(files, paths, count);

    return sf_outline_encode(&outline, encoded, sizeof(encoded), ret_bytes);
}

/* The same written by hand, so that what the encoder refuses reaches the decoder. */
static size_t
write_by_hand(const struct sf_view *names, size_t count, uint64_t file_bytes)
{
    struct sf_cbor_writer cbor;
    size_t bytes = 0;

    sf_cbor_writer_init(&cbor, encoded, sizeof(encoded));
    sf_cbor_write_map(&cbor, 7);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, 2);
    sf_cbor_write_uint(&cbor, CLASS);
    sf_cbor_write_uint(&cbor, 3);
    sf_cbor_write_uint(&cbor, CLASS);
    sf_cbor_write_uint(&cbor, 4);
    sf_cbor_write_bytes(&cbor, sf_view("dir", 3));
    sf_cbor_write_uint(&cbor, 5);
    sf_cbor_write_bool(&cbor, false);
    sf_cbor_write_uint(&cbor, 6);
    sf_cbor_write_uint(&cbor, count * file_bytes);
    sf_cbor_write_uint(&cbor, 7);
    sf_cbor_write_array(&cbor, count);
    for (size_t i = 0; i < count; i++) {
        sf_cbor_write_array(&cbor, 4);
        sf_cbor_write_array(&cbor, 1);
        sf_cbor_write_bytes(&cbor, names[i]);
        sf_cbor_write_uint(&cbor, file_bytes);
        sf_cbor_write_int(&cbor, 0);
        sf_cbor_write_bool(&cbor, false);
    }
    REQUIRE_EQ(sf_cbor_finish(&cbor, &bytes), SF_OK);
    return bytes;
}

static void
test_round_trip(void)
{
    struct sf_outline_file files[] = {
        {.path = "a", .bytes = 0, .mtime_ms = INT64_MIN},
        {.path = "b/a", .bytes = 1, .mtime_ms = INT64_MAX, .executable = true},
        {.path = "b/a-b", .bytes = CLASS, .mtime_ms = 0},
        {.path = "b/a.b/c", .bytes = CLASS + 1, .mtime_ms = -1},
        {.path = "b-c", .bytes = UINT64_C(1) << 50, .mtime_ms = 1700000000000},
    };
    struct sf_outline outline = {.label = "models",
        .class_bytes = CLASS,
        .frame_bytes = 4096,
        .files = files,
        .file_count = 5};
    struct sf_outline got;
    size_t bytes = 0;
    size_t counted = 0;

    CHECK_EQ(sf_outline_encode(&outline, NULL, 0, &counted), SF_OK);
    REQUIRE_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_OK);
    CHECK_EQ(bytes, counted);
    REQUIRE_EQ(sf_outline_decode(sf_view(encoded, bytes), &got), SF_OK);
    CHECK_TEXT(got.label, "models");
    CHECK_EQ(got.single, false);
    CHECK_EQ(got.class_bytes, CLASS);
    CHECK_EQ(got.frame_bytes, 4096);
    CHECK_EQ(got.total_bytes, (UINT64_C(1) << 50) + 2 * CLASS + 2);
    REQUIRE_EQ(got.file_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_TEXT(got.files[i].path, files[i].path);
        CHECK_EQ(got.files[i].bytes, files[i].bytes);
        CHECK_EQ(got.files[i].mtime_ms, files[i].mtime_ms);
        CHECK_EQ(got.files[i].executable, files[i].executable);
    }
    sf_outline_fini(&got);
    sf_outline_fini(&got);
    CHECK_EQ(sf_outline_encode(&outline, encoded, bytes - 1, &counted), SF_ELIMIT);
}

static void
test_bases(void)
{
    static const char *const paths[] = {"a", "b/c", "d"};
    struct sf_outline_file files[8];
    struct sf_outline outline = outline_of(files, paths, 3);
    struct sf_outline got;
    struct sf_piece piece = {.type = SF_PIECE_FRAME, .plain_bytes = 100, .codec = SF_CODEC_PATCH};
    size_t bytes;

    outline.has_parent = true;
    outline.parent.b[0] = 3;
    outline.base_transfer.b[15] = 4;
    outline.base_count = 2;
    outline.bases[0] = (struct sf_outline_base){.file = 0, .sha256 = {1}, .bytes = 5, .path = ""};
    outline.bases[1] =
        (struct sf_outline_base){.file = 2, .sha256 = {2}, .bytes = 6, .path = "old/d"};
    REQUIRE_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_OK);
    REQUIRE_EQ(sf_outline_decode(sf_view(encoded, bytes), &got), SF_OK);
    CHECK(got.has_parent && got.parent.b[0] == 3 && got.base_transfer.b[15] == 4);
    REQUIRE_EQ(got.base_count, 2);
    CHECK_EQ(got.bases[1].file, 2);
    CHECK_EQ(got.bases[1].bytes, 6);
    CHECK_EQ(got.bases[1].sha256[0], 2);
    CHECK_TEXT(got.bases[0].path, "");
    CHECK_TEXT(got.bases[1].path, "old/d");
    CHECK_TEXT(got.files[2].path, "d");
    CHECK_EQ(sf_outline_base_of(&got, 2), 1);
    CHECK_EQ(sf_outline_base_of(&got, 1), -1);
    piece.file = 2;
    CHECK_EQ(sf_outline_check_piece(&got, &piece), SF_OK);
    piece.file = 1;
    CHECK_EQ(sf_outline_check_piece(&got, &piece), SF_EFORMAT);
    sf_outline_fini(&got);
    for (size_t cut = 0; cut < bytes; cut++) {
        CHECK(sf_outline_decode(sf_view(encoded, cut), &got) != SF_OK);
    }
    outline.bases[1].file = 0;
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
    outline.bases[1].file = 3;
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
    outline.bases[1] = (struct sf_outline_base){.file = 1, .path = "../d"};
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
    outline.base_count = SF_OUTLINE_BASES_MAX + 1;
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_ELIMIT);
}

static void
test_bad_names(void)
{
    static const struct {
        const char *what;
        struct sf_view name;
    } bad[] = {
        {"empty", {(const uint8_t *)"", 0}},
        {".", {(const uint8_t *)".", 1}},
        {"..", {(const uint8_t *)"..", 2}},
        {"a slash inside", {(const uint8_t *)"a/b", 3}},
        {"absolute", {(const uint8_t *)"/etc", 4}},
        {"a slash at the end", {(const uint8_t *)"a/", 2}},
        {"NUL inside", {(const uint8_t *)"a\0b", 3}},
        {"NUL alone", {(const uint8_t *)"\0", 1}},
        {"NUL at the end", {(const uint8_t *)"a\0", 2}},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t bytes = write_by_hand(&bad[i].name, 1, 10);

        if (decode(bytes) != SF_EFORMAT) {
            printf("\n    accepted: %s\n", bad[i].what);
        }
        CHECK_EQ(decode(bytes), SF_EFORMAT);
    }
}

static void
test_path_check(void)
{
    char path[5000];

    CHECK_EQ(sf_path_check("a", 1), SF_OK);
    CHECK_EQ(sf_path_check("a/b/c", 5), SF_OK);
    CHECK_EQ(sf_path_check("...", 3), SF_OK);
    CHECK_EQ(sf_path_check(".a/..b", 6), SF_OK);
    CHECK_EQ(sf_path_check("\xff\xfe\n", 3), SF_OK);
    CHECK_EQ(sf_path_check("", 0), SF_EFORMAT);
    CHECK_EQ(sf_path_check("/", 1), SF_EFORMAT);
    CHECK_EQ(sf_path_check("/a", 2), SF_EFORMAT);
    CHECK_EQ(sf_path_check("a/", 2), SF_EFORMAT);
    CHECK_EQ(sf_path_check("a//b", 4), SF_EFORMAT);
    CHECK_EQ(sf_path_check("a/./b", 5), SF_EFORMAT);
    CHECK_EQ(sf_path_check("a/../b", 6), SF_EFORMAT);
    CHECK_EQ(sf_path_check("..", 2), SF_EFORMAT);
    CHECK_EQ(sf_path_check("a\0b", 3), SF_EFORMAT);
    memset(path, 'x', sizeof(path));
    CHECK_EQ(sf_path_check(path, 255), SF_OK);
    CHECK_EQ(sf_path_check(path, 256), SF_ELIMIT);
    for (size_t i = 1; i < sizeof(path); i += 2) {
        path[i] = '/';
    }
    CHECK_EQ(sf_path_check(path, 127), SF_OK); /* 64 components */
    CHECK_EQ(sf_path_check(path, 129), SF_ELIMIT);
    memset(path, 'x', sizeof(path));
    for (size_t i = 200; i < sizeof(path); i += 200) {
        path[i] = '/';
    }
    CHECK_EQ(sf_path_check(path, SF_PATH_BYTES_MAX), SF_OK);
    CHECK_EQ(sf_path_check(path, SF_PATH_BYTES_MAX + 1), SF_ELIMIT);
}

static void
test_order(void)
{
    static const char *const descending[] = {"b", "a"};
    static const char *const twice[] = {"a", "a"};
    static const char *const prefix[] = {"a", "a/b"};
    static const char *const deep_prefix[] = {"a/b", "a/b/c/d"};
    static const char *const bytewise[] = {"a", "a-b", "a/b"};
    static const char *const neighbours[] = {"a/b", "a-b", "a.b", "ab"};
    size_t bytes = 0;

    CHECK_EQ(encode_paths(descending, 2, &bytes), SF_EFORMAT);
    CHECK_EQ(encode_paths(twice, 2, &bytes), SF_EFORMAT);
    CHECK_EQ(encode_paths(prefix, 2, &bytes), SF_EFORMAT);
    CHECK_EQ(encode_paths(deep_prefix, 2, &bytes), SF_EFORMAT);
    CHECK_EQ(encode_paths(bytewise, 3, &bytes), SF_EFORMAT);
    CHECK_EQ(encode_paths(neighbours, 4, &bytes), SF_OK);
    CHECK_EQ(decode(bytes), SF_OK);
    CHECK(sf_path_compare("a/b", "a-b") < 0);
    CHECK(sf_path_compare("a", "a/b") < 0);
    CHECK(sf_path_compare("ab", "a/b") > 0);
    CHECK(sf_path_compare("a/b", "a/b") == 0);
    CHECK(sf_path_compare("\x80", "\x7f") > 0);
}

/* The same faults, in bytes that our encoder never wrote. */
static void
test_order_decoded(void)
{
    struct sf_view names[3] = {sf_view("b", 1), sf_view("a", 1), sf_view("c", 1)};

    CHECK_EQ(decode(write_by_hand(names, 1, 10)), SF_OK);
    CHECK_EQ(decode(write_by_hand(names, 2, 10)), SF_EFORMAT);
    names[1] = names[0];
    CHECK_EQ(decode(write_by_hand(names, 2, 10)), SF_EFORMAT);
    names[1] = sf_view("bb", 2);
    CHECK_EQ(decode(write_by_hand(names, 3, 10)), SF_OK);
}

/* A file that is also the directory of a later one, on the wire. */
static void
test_prefix_decoded(void)
{
    static const char *const good[] = {"a/b", "a/c/d"};
    size_t bytes = 0;

    REQUIRE_EQ(encode_paths(good, 2, &bytes), SF_OK);
    /* [a, b] becomes [a, c], and then [a, c] is a directory of [a, c, d]. */
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (encoded[i] == 0x41 && encoded[i + 1] == 'b') {
            encoded[i + 1] = 'c';
        }
    }
    CHECK_EQ(decode(bytes), SF_EFORMAT);
}

static void
test_single(void)
{
    static const char *const paths[] = {"model.gguf", "x"};
    struct sf_outline_file files[2];
    struct sf_outline outline = outline_of(files, paths, 1);
    struct sf_outline got;
    size_t bytes = 0;

    outline.single = true;
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
    outline.label = "model.gguf";
    REQUIRE_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_OK);
    REQUIRE_EQ(sf_outline_decode(sf_view(encoded, bytes), &got), SF_OK);
    CHECK(got.single);
    sf_outline_fini(&got);
    for (size_t i = 0; i + 10 < bytes; i++) { /* the label, but not the path */
        if (memcmp(encoded + i, "model.gguf", 10) == 0) {
            encoded[i] = 'M';
            break;
        }
    }
    CHECK_EQ(decode(bytes), SF_EFORMAT);
    outline = outline_of(files, paths, 2);
    outline.single = true;
    outline.label = "model.gguf";
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
}

static void
test_bad_heads(void)
{
    static const char *const paths[] = {"a"};
    struct sf_outline_file files[1];
    struct sf_outline outline;
    size_t bytes = 0;

    for (unsigned i = 0; i < 8; i++) {
        outline = outline_of(files, paths, 1);
        switch (i) {
        case 0:
            outline.label = "";
            break;
        case 1:
            outline.label = "..";
            break;
        case 2:
            outline.label = "a/b";
            break;
        case 3:
            outline.class_bytes = 32 << 10;
            break;
        case 4:
            outline.frame_bytes = 2 * CLASS;
            break;
        case 5:
            outline.frame_bytes = 5000;
            break;
        case 6:
            outline.frame_bytes = 2048;
            break;
        default:
            outline.file_count = 0;
            break;
        }
        CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
    }
    outline = outline_of(files, paths, 1);
    files[0].bytes = SF_TRANSFER_BYTES_MAX + 1;
    CHECK_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), SF_ELIMIT);
}

/* An outline announces 65,537 files, has them, or claims them without having them. */
static void
test_too_many_files(void)
{
    enum { COUNT = SF_OUTLINE_FILES_MAX + 1 };
    static struct sf_view names[COUNT];
    static char text[COUNT][8];
    size_t bytes;

    for (size_t i = 0; i < COUNT; i++) {
        snprintf(text[i], sizeof(text[i]), "%06zu", i);
        names[i] = sf_view(text[i], 6);
    }
    bytes = write_by_hand(names, COUNT, 1);
    CHECK_EQ(decode(bytes), SF_ELIMIT);
    bytes = write_by_hand(names, COUNT - 1, 1);
    CHECK_EQ(decode(bytes), SF_OK);
    CHECK_EQ(decode(bytes - 1), SF_EFORMAT);
    CHECK_EQ(decode(bytes / 2), SF_EFORMAT);
    CHECK_EQ(decode(40), SF_EFORMAT);
    CHECK_EQ(sf_outline_decode(sf_view(encoded, SF_OUTLINE_BYTES_MAX + 1), NULL), SF_ELIMIT);
}

static void
test_totals(void)
{
    struct sf_view name = sf_view("a", 1);
    size_t bytes = write_by_hand(&name, 1, 23);

    CHECK_EQ(decode(bytes), SF_OK);
    /* The total stands before the files: 06 17. */
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (encoded[i] == 0x06 && encoded[i + 1] == 0x17) {
            encoded[i + 1] = 0x16;
        }
    }
    CHECK_EQ(decode(bytes), SF_EFORMAT);
    {
        struct sf_view names[2] = {sf_view("a", 1), sf_view("b", 1)};

        bytes = write_by_hand(names, 2, SF_TRANSFER_BYTES_MAX / 2);
        CHECK_EQ(decode(bytes), SF_OK);
        bytes = write_by_hand(names, 2, SF_TRANSFER_BYTES_MAX);
        CHECK_EQ(decode(bytes), SF_ELIMIT);
    }
    {
        static char text[256][4];
        static struct sf_view names[256]; /* 256 files of 2^56 bytes are 0 bytes, if it wraps */

        for (size_t i = 0; i < 256; i++) {
            snprintf(text[i], sizeof(text[i]), "%03zu", i);
            names[i] = sf_view(text[i], 3);
        }
        bytes = write_by_hand(names, 256, SF_TRANSFER_BYTES_MAX);
        CHECK_EQ(decode(bytes), SF_ELIMIT);
    }
}

static void
check_damage(size_t bytes, int (*decode_sample)(struct sf_view))
{
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);

        REQUIRE(copy != NULL);
        memcpy(copy, encoded, cut);
        CHECK(decode_sample(sf_view(copy, cut)) != SF_OK);
        free(copy);
    }
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        encoded[bit / 8] = (uint8_t)(encoded[bit / 8] ^ 1u << bit % 8);
        (void)decode_sample(sf_view(encoded, bytes));
        encoded[bit / 8] = (uint8_t)(encoded[bit / 8] ^ 1u << bit % 8);
    }
}

/* Whatever is accepted must encode to the same bytes again. */
static int
decode_outline_sample(struct sf_view view)
{
    static uint8_t again[4096];
    struct sf_outline outline;
    size_t bytes = 0;
    int status = sf_outline_decode(view, &outline);

    if (status != SF_OK) {
        return status;
    }
    CHECK_EQ(sf_outline_encode(&outline, again, sizeof(again), &bytes), SF_OK);
    CHECK(sf_view_equal(view, sf_view(again, bytes)));
    sf_outline_fini(&outline);
    return SF_OK;
}

static void
test_outline_damage(void)
{
    static const char *const paths[] = {"a/b", "a-b", "c/d/e", "f"};
    size_t bytes = 0;

    REQUIRE_EQ(encode_paths(paths, 4, &bytes), SF_OK);
    check_damage(bytes, decode_outline_sample);
}

static void
test_check_piece(void)
{
    static const char *const paths[] = {"a", "b"};
    struct sf_outline_file files[2];
    struct sf_outline outline = outline_of(files, paths, 2);
    struct sf_piece piece = {.type = SF_PIECE_FRAME, .file = 1, .offset = 0, .plain_bytes = CLASS};

    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_OK);
    piece.plain_bytes = CLASS + 1;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_EFORMAT);
    piece.plain_bytes = 1;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_OK);
    piece.offset = 99999;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_OK);
    piece.plain_bytes = 2;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_EFORMAT);
    piece.offset = 100000;
    piece.plain_bytes = 1;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_EFORMAT);
    piece.offset = UINT64_MAX;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_EFORMAT);
    piece.offset = 0;
    piece.file = 2;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_EFORMAT);
    piece.type = SF_PIECE_DIGESTS;
    CHECK_EQ(sf_outline_check_piece(&outline, &piece), SF_OK);
}

/* --- Digests ------------------------------------------------------------------------------ */

static struct sf_outline_file two_files[] = {
    {.path = "a", .bytes = 5}, {.path = "b", .bytes = 500}};
static const struct sf_outline two = {.label = "dir",
    .class_bytes = CLASS,
    .frame_bytes = CLASS,
    .total_bytes = 505,
    .files = two_files,
    .file_count = 2};

static size_t
encode_digests(uint64_t second_bytes)
{
    struct sf_file_digest files[] = {{{1, 2, 3}, 5}, {{4, 5, 6}, second_bytes}};
    struct sf_digests digests = {.bundle_count = 3, .files = files, .file_count = 2};
    size_t bytes = 0;

    CHECK_EQ(sf_digests_encode(&digests, encoded, sizeof(encoded), &bytes), SF_OK);
    CHECK(bytes <= sf_digests_bytes_max(2));
    return bytes;
}

static void
test_digests(void)
{
    size_t bytes = encode_digests(500);
    struct sf_digests got;

    REQUIRE_EQ(sf_digests_decode(sf_view(encoded, bytes), &two, &got), SF_OK);
    CHECK_EQ(got.bundle_count, 3);
    CHECK_EQ(got.file_count, 2);
    CHECK_EQ(got.files[1].sha256[2], 6);
    CHECK_EQ(got.files[1].bytes, 500);
    sf_digests_fini(&got);
    sf_digests_fini(&got);
}

static void
test_digests_against_outline(void)
{
    struct sf_outline other = two;
    struct sf_digests got;
    size_t bytes = encode_digests(501);

    CHECK_EQ(sf_digests_decode(sf_view(encoded, bytes), &two, &got), SF_EFORMAT);
    bytes = encode_digests(500);
    other.file_count = 1;
    CHECK_EQ(sf_digests_decode(sf_view(encoded, bytes), &other, &got), SF_EFORMAT);
    CHECK_EQ(sf_digests_decode(sf_view(encoded, SF_DIGESTS_BYTES_MAX + 1), &two, &got), SF_ELIMIT);
}

static int
decode_digests_sample(struct sf_view view)
{
    struct sf_digests got;
    uint8_t again[4096];
    size_t bytes = 0;
    int status = sf_digests_decode(view, &two, &got);

    if (status != SF_OK) {
        return status;
    }
    CHECK_EQ(sf_digests_encode(&got, again, sizeof(again), &bytes), SF_OK);
    CHECK(sf_view_equal(view, sf_view(again, bytes)));
    sf_digests_fini(&got);
    return SF_OK;
}

static void
test_digests_damage(void)
{
    check_damage(encode_digests(500), decode_digests_sample);
}

static void
test_digests_limits(void)
{
    struct sf_file_digest file = {.bytes = 1};
    struct sf_digests digests = {.bundle_count = 0, .files = &file, .file_count = 1};
    size_t bytes = 0;

    CHECK_EQ(sf_digests_encode(&digests, encoded, sizeof(encoded), &bytes), SF_EFORMAT);
    digests.bundle_count = SF_BUNDLES_MAX + 1;
    CHECK_EQ(sf_digests_encode(&digests, encoded, sizeof(encoded), &bytes), SF_ELIMIT);
    digests.bundle_count = 1;
    digests.file_count = SF_OUTLINE_FILES_MAX + 1;
    CHECK_EQ(sf_digests_encode(&digests, encoded, sizeof(encoded), &bytes), SF_ELIMIT);
    CHECK(sf_digests_bytes_max(SF_OUTLINE_FILES_MAX) <= SF_DIGESTS_BYTES_MAX);
}

/* What `printf skyferry-manifest-1abcd | sha256sum` prints. */
static void
test_manifest_digest(void)
{
    struct sf_digest got;
    struct sf_digest expected;

    sf_manifest_digest(sf_view("ab", 2), sf_view("cd", 2), &got);
    sf_sha256(sf_view("skyferry-manifest-1abcd", 23), expected.b);
    CHECK_BYTES(got.b, expected.b, 32);
}

CHECK_MAIN("manifest", {"an outline comes back as it was", test_round_trip},
    {"bases and a parent come back, and their rules are held", test_bases},
    {"names that lead elsewhere are refused", test_bad_names},
    {"a path is checked component by component", test_path_check},
    {"files out of order, twice, or within a file cannot be encoded", test_order},
    {"files out of order or twice are refused", test_order_decoded},
    {"a file that is a directory of another is refused", test_prefix_decoded},
    {"a single file bears the label", test_single},
    {"bad labels, classes and frame sizes cannot be encoded", test_bad_heads},
    {"65,537 files are refused before memory is taken", test_too_many_files},
    {"the total must be that of the files and within its limit", test_totals},
    {"no truncated outline is accepted, and a flipped bit is refused or means itself",
        test_outline_damage},
    {"a frame must fit the outline", test_check_piece},
    {"digests come back as they were", test_digests},
    {"digests must fit the outline", test_digests_against_outline},
    {"no truncated digests are accepted, and a flipped bit is refused or means itself",
        test_digests_damage},
    {"digests have limits", test_digests_limits},
    {"the manifest digest is the SHA-256 of label, outline and digests", test_manifest_digest})
