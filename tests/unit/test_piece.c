/*
 * test_piece.c - packing pieces into bundles and taking them out again.
 */
#include "base/prng.h"
#include "bundle/class.h"
#include "bundle/envelope.h"
#include "bundle/manifest.h"
#include "bundle/delta.h"
#include "bundle/piece.h"
#include "tests/hex.h"
#include "tests/unit/check.h"

enum {
    MIB = 1 << 20,
    BUNDLES_MAX = 400,
};

/* The contents of all bundles of a transfer, one behind the other. */
static struct {
    uint8_t *data;
    size_t capacity;
    size_t bytes[BUNDLES_MAX];
    size_t count;
    struct sf_content_writer writer;
} line;

static void
line_init(size_t capacity)
{
    free(line.data);
    line.data = malloc(capacity * BUNDLES_MAX);
    REQUIRE(line.data != NULL);
    line.capacity = capacity;
    line.count = 0;
    sf_content_writer_init(&line.writer, line.data, capacity);
}

static void
line_next(void)
{
    line.bytes[line.count] = sf_content_finish(&line.writer);
    CHECK(line.bytes[line.count] <= line.capacity);
    line.count++;
    REQUIRE(line.count < BUNDLES_MAX);
    sf_content_writer_init(&line.writer, line.data + line.count * line.capacity, line.capacity);
}

static void
line_frame(const struct sf_coded_frame *frame)
{
    size_t offset = 0;
    unsigned parts = 1;

    while (!sf_content_add_frame(&line.writer, frame, &offset)) {
        /* A bundle that took nothing does not count as a part. */
        parts += offset > 0;
        CHECK_EQ(sf_content_room(&line.writer), 0);
        line_next();
    }
    CHECK(parts <= 2);
    CHECK_EQ(offset, frame->coded.bytes);
}

static void
line_whole(
    struct sf_view outline, bool (*add)(struct sf_content_writer *, struct sf_view, size_t *))
{
    size_t offset = 0;

    while (!add(&line.writer, outline, &offset)) {
        line_next();
    }
    CHECK_EQ(offset, outline.bytes);
}

static void
line_end(void)
{
    if (!sf_content_is_empty(&line.writer)) {
        line_next();
    }
}

static struct sf_view
line_content(size_t index)
{
    return sf_view(line.data + index * line.capacity, line.bytes[index]);
}

static uint8_t *
junk_of(size_t bytes, uint64_t seed)
{
    uint8_t *junk = malloc(bytes);
    struct sf_prng prng;

    REQUIRE(junk != NULL);
    sf_prng_init(&prng, seed);
    sf_prng_fill(&prng, junk, bytes);
    return junk;
}

/* Read all bundles back and compare them with the pieces that were put in, in their order. */
static void
check_line(const struct sf_piece *pieces, size_t count)
{
    size_t next = 0;
    size_t at = 0;

    for (size_t i = 0; i < line.count; i++) {
        struct sf_content_reader reader;
        struct sf_piece piece;

        REQUIRE_EQ(sf_content_reader_init(&reader, line_content(i)), SF_OK);
        while (sf_content_next(&reader, &piece)) {
            REQUIRE(next < count);
            CHECK_EQ(piece.type, pieces[next].type);
            CHECK_EQ(piece.file, pieces[next].file);
            CHECK_EQ(piece.offset, pieces[next].offset);
            CHECK_EQ(piece.codec, pieces[next].codec);
            CHECK_EQ(piece.plain_bytes, pieces[next].plain_bytes);
            CHECK_EQ(piece.total_bytes, pieces[next].bytes.bytes);
            REQUIRE_EQ(piece.part_offset, at);
            CHECK_BYTES(piece.bytes.data, pieces[next].bytes.data + at, piece.bytes.bytes);
            CHECK(piece.bytes.data >= line_content(i).data);
            CHECK_EQ(sf_piece_is_whole(&piece), piece.bytes.bytes == pieces[next].bytes.bytes);
            at += piece.bytes.bytes;
            if (at == pieces[next].bytes.bytes) {
                next++;
                at = 0;
            }
        }
    }
    CHECK_EQ(next, count);
}

static void
test_incompressible(void)
{
    uint8_t *junk = junk_of(MIB, 1);
    size_t capacity = sf_envelope_capacity(MIB);
    struct sf_piece pieces[200];

    line_init(capacity);
    for (unsigned i = 0; i < 200; i++) {
        struct sf_coded_frame frame = {.offset = i * (uint64_t)MIB,
            .codec = SF_CODEC_RAW,
            .plain_bytes = MIB,
            .coded = sf_view(junk, MIB)};

        pieces[i] = (struct sf_piece){.type = SF_PIECE_FRAME,
            .offset = i * (uint64_t)MIB,
            .codec = SF_CODEC_RAW,
            .plain_bytes = MIB,
            .bytes = frame.coded};
        line_frame(&frame);
    }
    line_end();
    check_line(pieces, 200);
    CHECK_EQ(line.count, 201);
    for (size_t i = 0; i + 1 < line.count; i++) {
        CHECK(line.bytes[i] * 1000 >= line.capacity * 999);
    }
    CHECK((size_t)200 * MIB * 100 >= line.count * MIB * 99);
    free(junk);
}

/* Frames of all sorts, in every class: whatever goes in comes out. */
static void
test_every_class(void)
{
    enum { FRAMES = 300 };
    uint8_t *junk = junk_of(2 * MIB, 2);
    static struct sf_piece pieces[FRAMES + 2];
    struct sf_prng prng;

    sf_prng_init(&prng, 3);
    for (unsigned number = 0; number < SF_ENVELOPE_CLASSES; number++) {
        size_t class_bytes = sf_envelope_class(number);
        uint32_t frame_bytes = sf_outline_frame_bytes_for((uint32_t)class_bytes);
        struct sf_view outline = sf_view(junk, 1 + (size_t)sf_prng_below(&prng, 60000));
        struct sf_view digests = sf_view(junk + 7, 1 + (size_t)sf_prng_below(&prng, 60000));
        size_t count = 0;
        uint32_t file = 0;
        uint64_t offset = 0;

        line_init(sf_envelope_capacity(class_bytes));
        pieces[count++] = (struct sf_piece){.type = SF_PIECE_OUTLINE, .bytes = outline};
        line_whole(outline, sf_content_add_outline);
        for (unsigned i = 0; i < FRAMES; i++) {
            struct sf_coded_frame coded = {.file = file, .offset = offset};

            coded.plain_bytes = 1 + (uint32_t)sf_prng_below(&prng, frame_bytes);
            coded.codec = (enum sf_codec)sf_prng_below(&prng, SF_CODECS);
            if (coded.plain_bytes <= SF_REFERENCE_BYTES + 1) {
                coded.codec = SF_CODEC_RAW;
            }
            coded.coded = sf_view(junk + i, coded.plain_bytes);
            if (coded.codec == SF_CODEC_ZERO) {
                coded.coded.bytes = 0;
            } else if (coded.codec == SF_CODEC_SAME) {
                coded.coded.bytes = SF_REFERENCE_BYTES;
            } else if (coded.codec != SF_CODEC_RAW) {
                size_t least = sf_codec_has_base(coded.codec) ? SF_REFERENCE_BYTES + 1 : 1;

                coded.coded.bytes = least + (size_t)sf_prng_below(&prng, coded.plain_bytes - least);
            }
            line_frame(&coded);
            pieces[count++] = (struct sf_piece){.type = SF_PIECE_FRAME,
                .file = file,
                .offset = offset,
                .codec = coded.codec,
                .plain_bytes = coded.plain_bytes,
                .bytes = coded.coded};
            if (sf_prng_below(&prng, 4) == 0) {
                file++;
                offset = 0;
            } else {
                offset += coded.plain_bytes;
            }
        }
        pieces[count++] = (struct sf_piece){.type = SF_PIECE_DIGESTS, .bytes = digests};
        line_whole(digests, sf_content_add_digests);
        line_end();
        check_line(pieces, count);
    }
    free(junk);
}

/* A frame of every length against every room left over around the places where it may be cut. */
static void
test_every_room(void)
{
    uint8_t *junk = junk_of(MIB, 4);
    size_t capacity = sf_envelope_capacity(16 << 10);

    for (uint32_t first = 15700; first <= 16384; first++) {
        struct sf_piece pieces[2];

        line_init(capacity);
        for (unsigned i = 0; i < 2; i++) {
            struct sf_coded_frame frame = {.offset = i * first, .codec = SF_CODEC_RAW};

            frame.plain_bytes = i == 0 ? first : 16384;
            frame.coded = sf_view(junk + i, frame.plain_bytes);
            pieces[i] = (struct sf_piece){.type = SF_PIECE_FRAME,
                .offset = frame.offset,
                .codec = SF_CODEC_RAW,
                .plain_bytes = frame.plain_bytes,
                .bytes = frame.coded};
            line_frame(&frame);
        }
        line_end();
        check_line(pieces, 2);
    }
    free(junk);
}

/* The count of pieces passes 23, 255 and the limit: the array's head grows under them. */
static void
test_many_pieces(void)
{
    static struct sf_piece pieces[70000];
    size_t counts[] = {1, 22, 23, 24, 25, 254, 255, 256, 257, 65534, 65535, 65536, 70000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        line_init(sf_envelope_capacity(4 * MIB));
        for (size_t n = 0; n < counts[i]; n++) {
            struct sf_coded_frame frame = {
                .offset = n * MIB, .codec = SF_CODEC_ZERO, .plain_bytes = MIB, .coded = {NULL, 0}};

            pieces[n] = (struct sf_piece){.type = SF_PIECE_FRAME,
                .offset = n * MIB,
                .codec = SF_CODEC_ZERO,
                .plain_bytes = MIB,
                .bytes = {(const uint8_t *)"", 0}};
            line_frame(&frame);
        }
        line_end();
        CHECK_EQ(line.count, counts[i] > SF_CONTENT_PIECES_MAX ? 2 : 1);
        check_line(pieces, counts[i]);
    }
}

static void
test_repeats(void)
{
    uint8_t *junk = junk_of(MIB, 5);
    uint8_t *first = NULL;

    for (unsigned turn = 0; turn < 2; turn++) {
        line_init(sf_envelope_capacity(64 << 10));
        for (unsigned i = 0; i < 20; i++) {
            struct sf_coded_frame frame = {.file = i, .codec = SF_CODEC_RAW};

            frame.plain_bytes = 1000 + i * 3000;
            frame.coded = sf_view(junk, frame.plain_bytes);
            line_frame(&frame);
        }
        line_end();
        if (turn == 0) {
            first = line.data;
            line.data = NULL;
        }
    }
    for (size_t i = 0; i < line.count; i++) {
        CHECK_BYTES(first + i * line.capacity, line_content(i).data, line.bytes[i]);
    }
    free(first);
    free(junk);
}

/* The bound that a spool is allocated by must hold however frames come out. */
static void
check_bound(uint32_t file_count, uint64_t file_bytes, uint32_t fixed, uint64_t seed)
{
    uint8_t *junk = junk_of(MIB, 6);
    struct sf_class_input input = {.outline_bytes = 1000 + 10 * (uint64_t)file_count,
        .file_count = file_count,
        .fixed = fixed,
        .total_bytes = file_count * file_bytes};
    struct sf_class_choice choice = {.class_bytes = 0};
    struct sf_prng prng;

    sf_prng_init(&prng, seed);
    REQUIRE_EQ(sf_class_choose(&input, &choice), SF_OK);
    line_init(sf_envelope_capacity(choice.class_bytes));
    line_whole(sf_view(junk, (size_t)input.outline_bytes), sf_content_add_outline);
    for (uint32_t file = 0; file < file_count; file++) {
        uint64_t left = file_bytes;

        while (left > 0) {
            struct sf_coded_frame frame = {
                .file = file, .offset = file_bytes - left, .codec = SF_CODEC_RAW};

            frame.plain_bytes = left < choice.frame_bytes ? (uint32_t)left : choice.frame_bytes;
            left -= frame.plain_bytes;
            frame.coded = sf_view(junk, frame.plain_bytes);
            if (seed > 0 && frame.plain_bytes > 1000 && sf_prng_below(&prng, 3) == 0) {
                frame.codec = SF_CODEC_LZ4;
                frame.coded.bytes = frame.plain_bytes - (size_t)sf_prng_below(&prng, 900) - 1;
            }
            line_frame(&frame);
        }
    }
    line_whole(sf_view(junk, sf_digests_bytes_max(file_count)), sf_content_add_digests);
    line_end();
    CHECK(line.count <= choice.bundle_count_max);
    free(junk);
}

static void
test_bound(void)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        check_bound(1, 1 + seed * 1000, 0, seed);
        check_bound(1, 3 * MIB + seed, 16 << 10, seed);
        check_bound(1, 3 * MIB + seed, 64 << 10, seed);
        check_bound(1, 20 * MIB - seed, 0, seed);
        check_bound(50, 100 * 1024 + seed, 16 << 10, seed);
        check_bound(3000, 1 + seed, 16 << 10, seed);
        check_bound(1000, 5000, 256 << 10, seed);
        check_bound(3, 30 * MIB + 17, MIB, seed);
    }
}

/* --- What a reader must refuse -------------------------------------------------------- */

struct sample {
    const char *what;
    const char *hex;
    int status;
};

static void
check_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sf_content_reader reader;
        uint8_t bytes[512];
        size_t length = hex_decode(samples[i].hex, bytes, sizeof(bytes));
        int status;

        REQUIRE(length != SIZE_MAX);
        status = sf_content_reader_init(&reader, sf_view(bytes, length));
        if (status != samples[i].status) {
            printf("\n    %s: %d\n", samples[i].what, status);
        }
        CHECK_EQ(status, samples[i].status);
    }
}

/* Pieces: 840100 04 44aabbccdd is the outline; 88 02 file frame codec plain coded offset bytes. */
static void
test_order(void)
{
    static const struct sample samples[] = {
        {"an outline alone", "81 84010002 42aabb", SF_OK},
        {"all three", "83 84010001 41aa 880200000102020042aabb 84030001 41cc", SF_OK},
        {"digests before a frame", "82 84030001 41cc 880200000102020042aabb", SF_EFORMAT},
        {"a frame before the outline", "82 880200000102020042aabb 84010001 41aa", SF_EFORMAT},
        {"the outline twice", "82 84010001 41aa 84010001 41aa", SF_EFORMAT},
        {"the digests twice", "82 84030001 41aa 84030001 41aa", SF_EFORMAT},
        {"the same frame twice", "82 880200000102020042aabb 880200000102020042aabb", SF_EFORMAT},
        {"frames descending", "82 880200010102020042aabb 880200000102020042aabb", SF_EFORMAT},
        {"files descending", "82 880201000102020042aabb 880200010102020042aabb", SF_EFORMAT},
        {"frames ascending", "82 880200000102020042aabb 880200020102020042aabb", SF_OK},
        {"frames that overlap", "82 880200000102020042aabb 880200010102020042aabb", SF_EFORMAT},
        {"frames with a gap", "82 880200000102020042aabb 880200030102020042aabb", SF_EFORMAT},
        {"the next file", "82 880200000102020042aabb 880201000102020042aabb", SF_OK},
        {"a file from its middle", "82 880200000102020042aabb 880201070102020042aabb", SF_EFORMAT},
    };

    check_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void
test_parts(void)
{
    static const struct sample samples[] = {
        {"a first part alone", "81 880200000104040042aabb", SF_OK},
        {"a last part alone", "81 880200000104040242ccdd", SF_OK},
        {"a middle part", "81 880200000104040141bb", SF_EFORMAT},
        {"a piece behind one that is cut", "82 880200000104040042aabb 880200040102020042aabb",
            SF_EFORMAT},
        {"digests behind a frame that is cut", "82 880200000104040042aabb 84030001 41cc",
            SF_EFORMAT},
        {"a continuation that is not first", "82 880200000102020042aabb 880200010104040242ccdd",
            SF_EFORMAT},
        {"a continuation and more", "82 880200000104040242ccdd 880200040102020042aabb", SF_OK},
        {"past its end", "81 880200000104040343ccddee", SF_EFORMAT},
        {"longer than its whole", "81 88020000010202 0043aabbcc", SF_EFORMAT},
        {"offset behind the end", "81 880200000102020340", SF_EFORMAT},
        {"an empty part", "81 880200000102020040", SF_EFORMAT},
        {"an empty part at the end", "81 880200000102020240", SF_EFORMAT},
        {"a middle part of an outline", "81 84010104 41aa", SF_OK},
        {"an outline past its end", "81 84010404 41aa", SF_EFORMAT},
        {"an empty outline", "81 84010000 40", SF_EFORMAT},
        {"empty digests", "81 84030000 40", SF_EFORMAT},
        {"a continued outline that is not first", "82 880200000102020042aabb 84010104 41aa",
            SF_EFORMAT},
    };

    check_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void
test_codecs(void)
{
    static const struct sample samples[] = {
        {"zero without bytes", "81 880200000002000040", SF_OK},
        {"zero with bytes", "81 880200000002020042aabb", SF_EFORMAT},
        {"zero with bytes it does not announce", "81 880200000002000041aa", SF_EFORMAT},
        {"raw shorter than its plaintext", "81 880200000103020042aabb", SF_EFORMAT},
        {"raw longer than its plaintext", "81 880200000101020042aabb", SF_EFORMAT},
        {"LZ4 shorter than its plaintext", "81 880200000203020042aabb", SF_OK},
        {"LZ4 as long as its plaintext", "81 880200000202020042aabb", SF_EFORMAT},
        {"LZ4 longer than its plaintext", "81 880200000201020042aabb", SF_EFORMAT},
        {"LZ4 of nothing", "81 880200000203000040", SF_EFORMAT},
        {"zstd shorter than its plaintext", "81 880200000303020042aabb", SF_OK},
        {"zstd as long as its plaintext", "81 880200000302020042aabb", SF_EFORMAT},
        {"planes shorter than their plaintext", "81 880200000403020042aabb", SF_OK},
        {"planes as long as their plaintext", "81 880200000402020042aabb", SF_EFORMAT},
        {"planes of nothing", "81 880200000403000040", SF_EFORMAT},
        {"an unknown codec", "81 880200000802020042aabb", SF_ELIMIT},
        {"a reference of another length", "81 88020000051828020042aabb", SF_EFORMAT},
        {"a frame without plaintext", "81 880200000000000040", SF_EFORMAT},
        {"a frame above 1 MiB", "81 8802000000 1a00100001 000040", SF_ELIMIT},
        {"a frame of 1 MiB", "81 8802000000 1a00100000 000040", SF_OK},
    };

    check_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void
test_form(void)
{
    static const struct sample samples[] = {
        {"nothing", "", SF_EFORMAT},
        {"no pieces", "80", SF_EFORMAT},
        {"a map", "a0", SF_EFORMAT},
        {"a number", "00", SF_EFORMAT},
        {"a piece that is a number", "8100", SF_EFORMAT},
        {"an empty piece", "8180", SF_EFORMAT},
        {"type 0", "81 84000001 41aa", SF_EFORMAT},
        {"type 4", "81 84040001 41aa", SF_EFORMAT},
        {"a huge type", "81 841bffffffffffffffff 0001 41aa", SF_EFORMAT},
        {"a frame with the fields of an outline", "81 84020001 41aa", SF_EFORMAT},
        {"an outline with the fields of a frame", "81 880100000102020042aabb", SF_EFORMAT},
        {"an outline with three fields", "81 83010001", SF_EFORMAT},
        {"nine fields", "81 89020000010202 0042aabb00", SF_ELIMIT},
        {"text instead of bytes", "81 84010002 626161", SF_EFORMAT},
        {"file 65535", "81 880219ffff000102020042aabb", SF_OK},
        {"file 65536", "81 88021a00010000000102020042aabb", SF_ELIMIT},
        {"frame 2^56", "81 8802001b0100000000000000 0102020042aabb", SF_OK},
        {"frame 2^56 + 1", "81 8802001b0100000000000001 0102020042aabb", SF_ELIMIT},
        {"an outline of 16 MiB", "81 8401001a01000000 41aa", SF_OK},
        {"an outline above 16 MiB", "81 8401001a01000001 41aa", SF_ELIMIT},
        {"digests above 4 MiB", "81 8403001a00400001 41aa", SF_ELIMIT},
        {"65536 pieces announced", "9a00010000", SF_EFORMAT},
        {"an indefinite array", "9f 84010002 42aabb ff", SF_EFORMAT},
        {"a number not in its shortest form", "81 8401180002 42aabb", SF_EFORMAT},
        {"a byte behind", "81 84010002 42aabb 00", SF_EFORMAT},
        {"one piece announced too many", "82 84010002 42aabb", SF_EFORMAT},
        {"one piece announced too few", "81 84010001 41aa 84030001 41aa", SF_EFORMAT},
    };

    check_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

/* A bundle with everything: no truncation is accepted, and no flipped bit leads astray. */
static void
test_damage(void)
{
    uint8_t content[1024];
    struct sf_content_writer writer;
    struct sf_coded_frame frame = {.file = 3,
        .offset = 500,
        .codec = SF_CODEC_LZ4,
        .plain_bytes = 100000,
        .coded = sf_view("some coded bytes", 16)};
    struct sf_content_reader reader;
    struct sf_piece piece;
    size_t offsets[3] = {0};
    size_t bytes;

    sf_content_writer_init(&writer, content, sizeof(content));
    CHECK(sf_content_add_outline(&writer, sf_view("an outline", 10), &offsets[0]));
    CHECK(sf_content_add_frame(&writer, &frame, &offsets[1]));
    CHECK(sf_content_add_digests(&writer, sf_view("digests", 7), &offsets[2]));
    bytes = sf_content_finish(&writer);
    CHECK_EQ(sf_content_reader_init(&reader, sf_view(content, bytes)), SF_OK);
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);

        REQUIRE(copy != NULL);
        memcpy(copy, content, cut);
        CHECK_EQ(sf_content_reader_init(&reader, sf_view(copy, cut)), SF_EFORMAT);
        free(copy);
    }
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        content[bit / 8] = (uint8_t)(content[bit / 8] ^ 1u << bit % 8);
        if (sf_content_reader_init(&reader, sf_view(content, bytes)) == SF_OK) {
            while (sf_content_next(&reader, &piece)) {
                CHECK(piece.part_offset + piece.bytes.bytes <= piece.total_bytes);
                CHECK(piece.bytes.data + piece.bytes.bytes <= content + bytes);
            }
        }
        content[bit / 8] = (uint8_t)(content[bit / 8] ^ 1u << bit % 8);
    }
}

/* The bounds that the writer is given hold to the byte. */
static void
test_never_past_room(void)
{
    uint8_t *junk = junk_of(4096, 7);

    for (size_t room = 1024; room < 1400; room++) {
        uint8_t content[2048];
        struct sf_content_writer writer;
        struct sf_content_reader reader;
        struct sf_coded_frame frame = {.codec = SF_CODEC_RAW};
        size_t bytes;

        memset(content, 0xcd, sizeof(content));
        sf_content_writer_init(&writer, content, room);
        for (unsigned i = 0; i < 40; i++) {
            size_t offset = 0;

            frame.file = i;
            frame.plain_bytes = 30 + i % 7;
            frame.coded = sf_view(junk, frame.plain_bytes);
            if (!sf_content_add_frame(&writer, &frame, &offset)) {
                break;
            }
        }
        bytes = sf_content_finish(&writer);
        CHECK(bytes <= room);
        CHECK_EQ(content[room], 0xcd);
        CHECK_EQ(sf_content_reader_init(&reader, sf_view(content, bytes)), SF_OK);
    }
    free(junk);
}

static void
test_empty_writer(void)
{
    uint8_t content[1024];
    struct sf_content_writer writer;

    sf_content_writer_init(&writer, content, sizeof(content));
    CHECK(sf_content_is_empty(&writer));
    CHECK_EQ(sf_content_room(&writer), 1023);
    CHECK_EQ(sf_content_finish(&writer), 1);
}

CHECK_MAIN("piece", {"incompressible data fills bundles of 1 MiB to 99 %", test_incompressible},
    {"what goes into bundles of every class comes out", test_every_class},
    {"a frame has at most two parts whatever room there is", test_every_room},
    {"the count of pieces may pass every length of its head", test_many_pieces},
    {"the same pieces give the same bundles", test_repeats},
    {"no transfer takes more bundles than were promised", test_bound},
    {"pieces out of their order are refused", test_order},
    {"parts that do not fit together are refused", test_parts},
    {"lengths that a codec cannot have are refused", test_codecs},
    {"malformed pieces are refused", test_form},
    {"no truncation is accepted and no flipped bit leads out of the content", test_damage},
    {"the writer never passes its room", test_never_past_room},
    {"a writer that got nothing is empty", test_empty_writer})
