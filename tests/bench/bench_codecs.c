/*
 * bench_codecs.c - what the codecs of frames make of weights, beside general compressors.
 *
 *     bench_codecs                      generated tensors of every type
 *     bench_codecs TYPE FILE ...        files, each as tensors of TYPE ("other": not told)
 *     bench_codecs seal FILE            one core from plaintext to sealed bundles, and back, step by step
 *
 * Prints, for 1 MiB frames, coded bytes in percent and MB/s of plaintext in and out, in time
 * of this thread. Figures of one run are to be compared with each other and nothing else. Run by
 * hand, through tests/bench/codecs.sh; a measurement does not pass or fail.
 *
 * Generated tensors stand for trained ones, whose exponents are much alike: each number is the
 * sum of twelve uniform ones less six, which is near a bell of deviation 1, times 0.02, from a fixed
 * seed; rounded to the type. Blocks of q4_0 and q8_0 are quantized from them as GGUF files are.
 */
#include <config.h>

#include "base/assert.h"
#include "base/prng.h"
#include "bundle/envelope.h"
#include "bundle/frame.h"
#include "bundle/layout.h"
#include "bundle/piece.h"
#include "tests/unit/people.h"

#include <fcntl.h>
#include <lz4.h>
#include <math.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#ifdef SF_HAVE_BLOSC
#include <blosc.h>
#endif

enum {
    GENERATED_BYTES = 8 << 20,
    FILE_BYTES_MAX = 128 << 20,
    ROOM_BYTES = SF_FRAME_BYTES_MAX + (64 << 10),
    BLOCK = 32,
};

static struct sf_coder *coder;
static uint8_t coded_bytes[ROOM_BYTES];
static uint8_t decoded[SF_FRAME_BYTES_MAX];

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- Ways to code a frame ------------------------------------------------------------- */

/* Returns the coded length; a frame that does not shrink counts as it is. */
struct way {
    const char *name;
    size_t (*encode)(struct sf_view plain, enum sf_element element);
    void (*decode)(size_t coded, size_t plain_bytes);
};

static struct sf_coded last;

static size_t
encode_frame(struct sf_view plain, enum sf_element element)
{
    struct sf_frame frame = {plain, element, 0};

    sf_frame_encode(coder, &frame, coded_bytes, &last);
    return last.bytes.bytes;
}

static size_t
encode_frame_untold(struct sf_view plain, enum sf_element element)
{
    (void)element;
    return encode_frame(plain, SF_ELEMENT_OPAQUE);
}

static void
decode_frame(size_t coded, size_t plain_bytes)
{
    int status = sf_frame_decode(coder, &last, decoded, plain_bytes);

    (void)coded;
    sf_assert(status == SF_OK);
}

static size_t
encode_lz4(struct sf_view plain, enum sf_element element)
{
    (void)element;
    return (size_t)LZ4_compress_default(
        (const char *)plain.data, (char *)coded_bytes, (int)plain.bytes, ROOM_BYTES);
}

static void
decode_lz4(size_t coded, size_t plain_bytes)
{
    int bytes = LZ4_decompress_safe(
        (const char *)coded_bytes, (char *)decoded, (int)coded, (int)plain_bytes);

    sf_assert(bytes >= 0);
}

static size_t
encode_zstd(struct sf_view plain, int level)
{
    static ZSTD_CCtx *context;

    if (context == NULL) {
        context = ZSTD_createCCtx();
    }
    return ZSTD_compressCCtx(context, coded_bytes, ROOM_BYTES, plain.data, plain.bytes, level);
}

static size_t
encode_zstd_1(struct sf_view plain, enum sf_element element)
{
    (void)element;
    return encode_zstd(plain, 1);
}

static size_t
encode_zstd_3(struct sf_view plain, enum sf_element element)
{
    (void)element;
    return encode_zstd(plain, 3);
}

static void
decode_zstd(size_t coded, size_t plain_bytes)
{
    static ZSTD_DCtx *context;
    size_t bytes;

    if (context == NULL) {
        context = ZSTD_createDCtx();
    }
    bytes = ZSTD_decompressDCtx(context, decoded, plain_bytes, coded_bytes, coded);
    sf_assert(bytes == plain_bytes);
}

#ifdef SF_HAVE_BLOSC
static size_t
encode_bitshuffle(struct sf_view plain, enum sf_element element)
{
    size_t stride = sf_element_shape(element)->stride;
    int bytes = blosc_compress_ctx(5, BLOSC_BITSHUFFLE, stride == 0 ? 1 : stride, plain.bytes,
        plain.data, coded_bytes, ROOM_BYTES, "lz4", 0, 1);

    return bytes > 0 ? (size_t)bytes : 0;
}

static void
decode_bitshuffle(size_t coded, size_t plain_bytes)
{
    int bytes = blosc_decompress_ctx(coded_bytes, decoded, plain_bytes, 1);

    (void)coded;
    sf_assert(bytes >= 0);
}
#endif

static const struct way ways[] = {
    {"skyferry", encode_frame, decode_frame},
    {"skyferry, type not told", encode_frame_untold, decode_frame},
    {"LZ4", encode_lz4, decode_lz4},
    {"zstd -1", encode_zstd_1, decode_zstd},
    {"zstd -3", encode_zstd_3, decode_zstd},
#ifdef SF_HAVE_BLOSC
    {"bitshuffle + LZ4 (blosc)", encode_bitshuffle, decode_bitshuffle},
#endif
};

static void
bench(const char *what, enum sf_element element, struct sf_view data)
{
    unsigned stride = sf_element_shape(element)->stride;
    size_t step = SF_FRAME_BYTES_MAX - (stride == 0 ? 0 : SF_FRAME_BYTES_MAX % stride);

    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        double in = 0;
        double out = 0;
        size_t coded = 0;

        for (size_t at = 0; at < data.bytes; at += step) {
            size_t bytes = data.bytes - at < step ? data.bytes - at : step;
            double start = seconds();
            size_t length = ways[w].encode(sf_view(data.data + at, bytes), element);

            in += seconds() - start;
            start = seconds();
            ways[w].decode(length, bytes);
            out += seconds() - start;
            sf_assert(memcmp(decoded, data.data + at, bytes) == 0);
            coded += length < bytes ? length : bytes;
        }
        printf("%-24s %-26s %6.2f %% %7.0f %7.0f\n", what, ways[w].name,
            100.0 * (double)coded / (double)data.bytes, (double)data.bytes / in / 1e6,
            (double)data.bytes / out / 1e6);
    }
}

/* --- Generated tensors ------------------------------------------------------------------ */

static float
draw(struct sf_prng *prng)
{
    double sum = -6;

    for (unsigned i = 0; i < 12; i++) {
        sum += (double)sf_prng_below(prng, 1 << 24) / (1 << 24);
    }
    return (float)(sum * 0.02);
}

/* To `exponent_bits` and `mantissa_bits` behind a sign, rounded to the nearest. */
static uint64_t
small_float(double value, unsigned exponent_bits, unsigned mantissa_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent;
    double mantissa = frexp(fabs(value), &exponent);
    uint64_t sign = value < 0;
    uint64_t bits;

    exponent += bias - 1;
    if (exponent <= 0) {
        bits = (uint64_t)llround(ldexp(mantissa, (int)mantissa_bits + exponent));
    } else {
        bits = ((uint64_t)exponent << mantissa_bits) +
               (uint64_t)llround(ldexp(mantissa * 2 - 1, (int)mantissa_bits));
    }
    return sign << (exponent_bits + mantissa_bits) | bits;
}

static void
put(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

/* A block of 32 as ggml quantizes it: a scale in fp16, then 4 or 8 bits of each. */
static void
put_block(struct sf_prng *prng, uint8_t *out, bool is_q4)
{
    float numbers[BLOCK];
    float most = 0;
    float scale;

    for (unsigned i = 0; i < BLOCK; i++) {
        numbers[i] = draw(prng);
        most = fabsf(numbers[i]) > fabsf(most) ? numbers[i] : most;
    }
    scale = is_q4 ? most / -8 : fabsf(most) / 127;
    put(out, small_float(scale, 5, 10), 2);
    for (unsigned i = 0; i < BLOCK; i++) {
        float steps = scale == 0 ? 0 : numbers[i] / scale;

        if (!is_q4) {
            out[2 + i] = (uint8_t)(int8_t)lroundf(steps);
        } else {
            long nibble = lroundf(steps + 8);

            nibble = nibble < 0 ? 0 : nibble > 15 ? 15 : nibble;
            out[2 + i % 16] =
                (uint8_t)(i < 16 ? nibble : (out[2 + i % 16] | (uint8_t)(nibble << 4)));
        }
    }
}

static void
put_element(struct sf_prng *prng, enum sf_element element, uint8_t *out)
{
    float number;
    double wide;

    if (element == SF_ELEMENT_Q4_0 || element == SF_ELEMENT_Q8_0) {
        put_block(prng, out, element == SF_ELEMENT_Q4_0);
        return;
    }
    number = draw(prng);
    wide = (double)number * (1 + (double)sf_prng_below(prng, 1 << 30) * 0x1p-56);
    switch (element) {
    case SF_ELEMENT_BF16:
        put(out, small_float(number, 8, 7), 2);
        break;
    case SF_ELEMENT_FP16:
        put(out, small_float(number, 5, 10), 2);
        break;
    case SF_ELEMENT_FP32:
        put(out, small_float(number, 8, 23), 4);
        break;
    case SF_ELEMENT_FP64:
        put(out, small_float(wide, 11, 52), 8);
        break;
    case SF_ELEMENT_FP8:
        put(out, small_float(number * 64, 4, 3), 1);
        break;
    default:
        put(out, (uint8_t)(int8_t)lroundf(number * 1500), 1);
        break;
    }
}

static void
bench_generated(void)
{
    static const enum sf_element elements[] = {SF_ELEMENT_BF16, SF_ELEMENT_FP16, SF_ELEMENT_FP32,
        SF_ELEMENT_FP64, SF_ELEMENT_FP8, SF_ELEMENT_INT8, SF_ELEMENT_Q4_0, SF_ELEMENT_Q8_0};
    uint8_t *data = malloc(GENERATED_BYTES);

    sf_assert(data != NULL);
    for (size_t e = 0; e < sizeof(elements) / sizeof(elements[0]); e++) {
        size_t stride = sf_element_shape(elements[e])->stride;
        size_t bytes = GENERATED_BYTES / stride * stride;
        char what[64];
        struct sf_prng prng;

        sf_prng_init(&prng, 20 + e);
        for (size_t at = 0; at < bytes; at += stride) {
            put_element(&prng, elements[e], data + at);
        }
        snprintf(what, sizeof(what), "generated %s", sf_element_name(elements[e]));
        bench(what, elements[e], sf_view(data, bytes));
    }
    free(data);
}

/* --- Files -------------------------------------------------------------------------------- */

static struct sf_view
read_file(const char *path)
{
    uint8_t *data = malloc(FILE_BYTES_MAX);
    FILE *file = fopen(path, "rb");
    size_t bytes = 0;

    if (data != NULL && file != NULL) {
        bytes = fread(data, 1, FILE_BYTES_MAX, file);
    }
    if (bytes == 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return sf_view(data, bytes);
}

static enum sf_element
element_named(const char *name)
{
    for (int e = 0; e < SF_ELEMENTS; e++) {
        if (strcmp(sf_element_name((enum sf_element)e), name) == 0) {
            return (enum sf_element)e;
        }
    }
    fprintf(stderr, "bench_codecs: no type %s\n", name);
    exit(2);
}

/* --- Sealing, step by step ---------------------------------------------------------------- */

enum { CLASS = 4 << 20, ROUNDS = 7 }; /* large files have that class */

/* What goes through: a file read into frames, bundles written to another. */
struct through {
    struct people people;
    struct sf_seal seal;
    struct sf_sha256 hash;
    int source;
    int spool;
    size_t bytes;
    uint64_t bundles;
    uint8_t *object;
    uint8_t *plain;
    struct sf_content_writer writer;
};

/* What of it is done. */
enum part {
    PART_READ = 1,
    PART_HASH = 2,
    PART_CODE = 4,
    PART_SEAL = 8,
    PART_SPOOL = 16,
    PART_ALL = 31,
};

static void
begin_bundle(struct through *through)
{
    sf_content_writer_init(&through->writer, through->object + sf_envelope_content_offset(CLASS),
        sf_envelope_capacity(CLASS));
}

static void
end_bundle(struct through *through, unsigned parts, size_t content_bytes)
{
    uint8_t siv[SF_SIV_BYTES];

    if ((parts & PART_SEAL) != 0) {
        int status = sf_envelope_seal(&through->seal, through->people.identities[0], SF_KIND_DATA,
            through->bundles, through->object, CLASS, content_bytes, siv);

        sf_assert(status == SF_OK);
    }
    if ((parts & PART_SPOOL) != 0) {
        ssize_t written =
            pwrite(through->spool, through->object, CLASS, (off_t)(through->bundles * CLASS));

        sf_assert(written == CLASS);
    }
    through->bundles++;
}

static void
take_frame(struct through *through, unsigned parts, size_t at)
{
    size_t left = through->bytes - at;
    size_t bytes = left < SF_FRAME_BYTES_MAX ? left : SF_FRAME_BYTES_MAX;
    struct sf_frame frame = {sf_view(through->plain, bytes), SF_ELEMENT_BF16, 0};
    struct sf_coded_frame coded = {.offset = at, .plain_bytes = (uint32_t)bytes};
    size_t offset = 0;

    if ((parts & PART_READ) != 0) {
        sf_assert(pread(through->source, through->plain, bytes, (off_t)at) == (ssize_t)bytes);
    }
    if ((parts & PART_HASH) != 0) {
        sf_sha256_update(&through->hash, through->plain, bytes);
    }
    if ((parts & PART_CODE) != 0) {
        sf_frame_encode(coder, &frame, coded_bytes, &last);
        coded.codec = last.codec;
        coded.coded = last.bytes;
    }
    while (parts == PART_ALL && !sf_content_add_frame(&through->writer, &coded, &offset)) {
        end_bundle(through, parts, sf_content_finish(&through->writer));
        begin_bundle(through);
    }
}

/* Seconds of some parts: of all of them in one go, or of one alone over as many bytes. */
static double
run_parts(struct through *through, unsigned parts)
{
    uint64_t bundles = through->bundles;
    double start;

    through->bundles = 0;
    sf_sha256_init(&through->hash);
    begin_bundle(through);
    start = seconds();
    if ((parts & (PART_READ | PART_HASH | PART_CODE)) != 0) {
        for (size_t at = 0; at < through->bytes; at += SF_FRAME_BYTES_MAX) {
            take_frame(through, parts, at);
        }
    }
    while (parts != PART_ALL && through->bundles < bundles) {
        end_bundle(through, parts, sf_envelope_capacity(CLASS));
    }
    return seconds() - start;
}

/* --- Opening, step by step ---------------------------------------------------------------- */

/* What goes back: bundles read from the spool, their frames written to another file. */
struct back {
    const struct through *through;
    struct sf_sha256 hash;
    int staged;
    uint8_t *opened;
    uint8_t *joined; /* a frame that is cut */
    size_t bytes;    /* of plaintext so far */
};

static void
open_one(struct back *back, uint64_t index, struct sf_view *ret_content)
{
    const struct through *through = back->through;
    const struct sf_envelope_expect expect = {.signer_pk = through->people.cards[0].sign_pk,
        .signer_fingerprint = &through->people.cards[0].fingerprint,
        .kind = SF_KIND_DATA,
        .index = index};
    uint8_t siv[SF_SIV_BYTES];
    int status = sf_envelope_open(
        &through->seal, &expect, sf_view(through->object, CLASS), back->opened, ret_content, siv);

    sf_assert(status == SF_OK);
}

static void
stage(struct back *back, size_t bytes)
{
    const struct through *through = back->through;

    sf_assert(pwrite(back->staged, decoded, bytes, (off_t)back->bytes) == (ssize_t)bytes);
    sf_assert(pread(back->staged, through->plain, bytes, (off_t)back->bytes) == (ssize_t)bytes);
}

static void
take_piece(struct back *back, const struct sf_piece *piece)
{
    struct sf_coded coded = {piece->codec, piece->bytes};
    int status;

    if (!sf_piece_is_whole(piece)) {
        memcpy(back->joined + piece->part_offset, piece->bytes.data, piece->bytes.bytes);
        if (piece->part_offset == 0) {
            return; /* the rest is in the next bundle */
        }
        coded.bytes = sf_view(back->joined, piece->total_bytes);
    }
    status = sf_frame_decode(coder, &coded, decoded, piece->plain_bytes);
    sf_assert(status == SF_OK);
    stage(back, piece->plain_bytes);
    sf_sha256_update(&back->hash, back->through->plain, piece->plain_bytes);
    back->bytes += piece->plain_bytes;
}

static void
read_bundle(const struct through *through, uint64_t index)
{
    sf_assert(pread(through->spool, through->object, CLASS, (off_t)(index * CLASS)) == CLASS);
}

/* Seconds of all of it in one go. */
static double
run_back(struct back *back)
{
    double start = seconds();

    back->bytes = 0;
    sf_sha256_init(&back->hash);
    for (uint64_t i = 0; i < back->through->bundles; i++) {
        struct sf_content_reader reader;
        struct sf_piece piece;
        struct sf_view content;
        int status;

        read_bundle(back->through, i);
        open_one(back, i, &content);
        status = sf_content_reader_init(&reader, content);
        sf_assert(status == SF_OK);
        while (sf_content_next(&reader, &piece)) {
            take_piece(back, &piece);
        }
    }
    return seconds() - start;
}

enum { BACK_READ, BACK_OPEN, BACK_DECODE, BACK_STAGE, BACK_HASH, BACK_STEPS };

/* Seconds of one step alone, over as much. */
static double
run_back_step(struct back *back, unsigned step)
{
    const struct through *through = back->through;
    uint64_t count = step <= BACK_OPEN ? through->bundles : back->bytes / SF_FRAME_BYTES_MAX;
    size_t bytes = back->bytes;
    struct sf_view content;
    double start;
    double took;

    read_bundle(through, 0);
    start = seconds();
    back->bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        int status = SF_OK;

        switch (step) {
        case BACK_READ:
            read_bundle(through, i);
            break;
        case BACK_OPEN:
            open_one(back, 0, &content);
            break;
        case BACK_DECODE:
            status = sf_frame_decode(coder, &last, decoded, SF_FRAME_BYTES_MAX);
            break;
        case BACK_STAGE:
            stage(back, SF_FRAME_BYTES_MAX);
            back->bytes += SF_FRAME_BYTES_MAX;
            break;
        default:
            sf_sha256_update(&back->hash, through->plain, SF_FRAME_BYTES_MAX);
            break;
        }
        sf_assert(status == SF_OK);
    }
    took = seconds() - start;
    back->bytes = bytes;
    return took;
}

static void
bench_open(const struct through *through)
{
    static const char *const names[] = {
        "reading the spool", "opening", "decoding", "writing, reading back", "SHA-256"};
    struct back back = {.through = through, .opened = malloc(CLASS)};
    FILE *staged = tmpfile();
    double best[BACK_STEPS + 1] = {1e9, 1e9, 1e9, 1e9, 1e9, 1e9};
    double sum = 0;
    double mb;

    back.joined = malloc(SF_FRAME_BYTES_MAX);
    sf_assert(staged != NULL && back.opened != NULL && back.joined != NULL);
    back.staged = fileno(staged);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i <= BACK_STEPS; i++) {
            unsigned step = (i + BACK_STEPS) % (BACK_STEPS + 1); /* the whole first */
            double took = step == BACK_STEPS ? run_back(&back) : run_back_step(&back, step);

            best[step] = took < best[step] ? took : best[step];
        }
    }
    mb = (double)back.bytes / 1e6;
    for (unsigned i = 0; i < BACK_STEPS; i++) {
        printf("%-24s %7.0f MB/s of plaintext, alone\n", names[i], mb / best[i]);
        sum += best[i];
    }
    printf("%-24s %7.0f\n", "these five allow", mb / sum);
    printf("%-24s %7.0f, %.1f %% of that\n", "all in one go", mb / best[BACK_STEPS],
        100.0 * sum / best[BACK_STEPS]);
    free(back.opened);
    free(back.joined);
    fclose(staged);
}

/* --- Both ----------------------------------------------------------------------------------- */

static void
bench_seal(const char *path)
{
    static const struct {
        const char *name;
        unsigned parts;
    } steps[] = {{"reading", PART_READ}, {"SHA-256", PART_HASH}, {"coding", PART_CODE},
        {"sealing and signing", PART_SEAL}, {"writing the spool", PART_SPOOL}};
    const uint8_t cek[SF_CEK_BYTES] = {1};
    const struct sf_transfer_id transfer = {{2}};
    struct sf_view file = read_file(path);
    /* Whole frames: parts are measured by the last one. */
    struct through through = {.bytes = file.bytes / SF_FRAME_BYTES_MAX * SF_FRAME_BYTES_MAX};
    FILE *spool = tmpfile();
    double best[6] = {1e9, 1e9, 1e9, 1e9, 1e9, 1e9};
    double mb = (double)through.bytes / 1e6;
    double sum = 0;

    sf_assert(through.bytes > 0);
    people_open(&through.people, 1, 1);
    sf_seal_init(&through.seal, cek, &transfer);
    through.source = open(path, O_RDONLY | O_CLOEXEC);
    through.object = malloc(CLASS);
    through.plain = malloc(SF_FRAME_BYTES_MAX);
    sf_assert(spool != NULL && through.source >= 0);
    sf_assert(through.object != NULL && through.plain != NULL);
    through.spool = fileno(spool);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 6; i++) {
            size_t step = (i + 5) % 6; /* the whole first: it says how many bundles there are */
            double took = run_parts(&through, step == 5 ? PART_ALL : steps[step].parts);

            best[step] = took < best[step] ? took : best[step];
        }
    }
    for (size_t i = 0; i < 5; i++) {
        printf("%-24s %7.0f MB/s of plaintext, alone\n", steps[i].name, mb / best[i]);
        sum += best[i];
    }
    printf("%-24s %7.0f\n", "these five allow", mb / sum);
    printf("%-24s %7.0f, %.1f %% of that\n", "all in one go", mb / best[5], 100.0 * sum / best[5]);
    (void)run_parts(&through, PART_ALL); /* what is in the spool is what there is to open */
    bench_open(&through);
    people_close(&through.people);
    fclose(spool);
}

int
main(int argc, char **argv)
{
    int status = sf_coder_open(&coder);

    sf_assert(status == SF_OK);
    if (argc == 3 && strcmp(argv[1], "seal") == 0) {
        bench_seal(argv[2]);
        return EXIT_SUCCESS;
    }
    printf("%-24s %-26s %8s %7s %7s\n", "tensors", "coded by", "ratio", "in MB/s", "out");
    if (argc == 1) {
        bench_generated();
    }
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = strrchr(argv[i + 1], '/');

        bench(
            name == NULL ? argv[i + 1] : name + 1, element_named(argv[i]), read_file(argv[i + 1]));
    }
    sf_coder_close(coder);
    return EXIT_SUCCESS;
}
