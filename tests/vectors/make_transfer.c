/*
 * make_transfer.c - seals a whole small transfer for the independent reader:
 *
 *     make_transfer CLASS FOLDER
 *
 * FOLDER, which exists, gets the source files (source/), their digests (SHA256SUMS,
 * as sha256sum writes them), the receiver's key file (receiver.keys), the sender's
 * card (sender.card), the grant (grant) and all sealed bundles, one behind the other as in
 * a spool (spool). Files are chosen so that every codec appears and frames run
 * across bundles. Keys come from a seed: never use them for anything else.
 */
#include "base/crypto.h"
#include "bundle/class.h"
#include "bundle/delta.h"
#include "bundle/envelope.h"
#include "bundle/grant.h"
#include "bundle/manifest.h"
#include "bundle/piece.h"
#include "tests/unit/people.h"

#include <sys/stat.h>

enum {
    FILES = 10,
    TUNED = 7, /* the file that has a base, */
    BASE_HEADER_BYTES = 100 /* ... whose header is longer */,
    FILE_BYTES_MAX = 5 << 20,
    SLOTS_MAX = 4096,
    MANIFEST_BYTES_MAX = 4096,
};

enum filling { TEXT, JUNK, ZEROS, WEIGHTS, SAME, MIXED };

static const struct {
    const char *path;
    uint64_t bytes;
    enum filling filling;
} plan[FILES] = {
    {"README", 700, TEXT},
    {"empty", 0, ZEROS},
    {"tensors/junk.bin", 3000001, JUNK},
    {"tensors/mixed.bin", 4500000, MIXED},
    {"tensors/one-byte", 1, JUNK},
    {"tensors/same", 25, SAME},
    {"tensors/text.json", 2500000, TEXT},
    {"tensors/tuned.bf16", 3 * 1048576 + 5, WEIGHTS},
    {"tensors/weights.bf16", 300001, WEIGHTS},
    {"tensors/zeros.bin", 2 * 1048576 + 17, ZEROS},
};

static struct {
    const char *folder;
    size_t class_bytes;
    struct people people;
    struct sf_seal seal;
    uint8_t cek[SF_CEK_BYTES];
    struct sf_transfer_id transfer;
    FILE *spool;
    uint8_t *object;
    uint64_t bundle_count;
    struct sf_content_writer writer;
    struct sf_coder *coder;
    unsigned codecs[SF_CODECS]; /* frames of each */
    unsigned parts;             /* pieces that were cut */
    uint8_t *tuned;             /* what is in the tuned file, */
    uint8_t *base;              /* ... and was in its base */
} run;

static void
die(const char *what)
{
    fprintf(stderr, "make_transfer: %s\n", what);
    exit(EXIT_FAILURE);
}

static void
must(int status, const char *what)
{
    if (status != SF_OK) {
        fprintf(stderr, "make_transfer: %s: %s\n", what, sf_status_text(status));
        exit(EXIT_FAILURE);
    }
}

static FILE *
create(const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", run.folder, name);
    file = fopen(path, "wb");
    if (file == NULL) {
        die(path);
    }
    return file;
}

static void
save(const char *name, const uint8_t *data, size_t bytes)
{
    FILE *file = create(name);

    if (fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        die(name);
    }
}

static void
make_folder(const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", run.folder, name);
    if (mkdir(path, 0700) != 0) {
        die(path);
    }
}

static void
fill(uint8_t *data, size_t bytes, enum filling filling)
{
    static const char text[] = "{\"dtype\": \"BF16\", \"shape\": [4096, 4096], \"offset\": 0}, ";
    struct sf_prng *prng = &run.people.prng;

    memset(data, 0, bytes);
    for (size_t at = 0; at < bytes; at += 50000) {
        size_t length = bytes - at < 50000 ? bytes - at : 50000;
        enum filling now = filling == MIXED ? (enum filling)sf_prng_below(prng, MIXED) : filling;

        if (now == JUNK) {
            sf_prng_fill(prng, data + at, length);
        } else if (now == TEXT) {
            for (size_t i = 0; i < length; i++) {
                data[at + i] = (uint8_t)text[(i + at / 777) % (sizeof(text) - 1)];
            }
        } else if (now == WEIGHTS) {
            sf_prng_fill(prng, data + at, length);
            for (size_t i = 1; i < length; i += 2) {
                data[at + i] = (uint8_t)((data[at + i] & 0x80) | 0x3b);
            }
        } else if (now == SAME) {
            memset(data + at, 'x', length);
            data[at] = 'y';
        }
    }
}

/* Seal the bundle that the writer has filled, and begin the next. */
static void
finish_bundle(void)
{
    uint8_t siv[SF_SIV_BYTES];
    size_t bytes = sf_content_finish(&run.writer);

    must(sf_envelope_seal(&run.seal, run.people.identities[0], SF_KIND_DATA, run.bundle_count,
             run.object, run.class_bytes, bytes, siv),
        "seal");
    if (fwrite(run.object, 1, run.class_bytes, run.spool) != run.class_bytes) {
        die("spool");
    }
    run.bundle_count++;
}

static void
begin_bundle(void)
{
    sf_content_writer_init(&run.writer, run.object + sf_envelope_content_offset(run.class_bytes),
        sf_envelope_capacity(run.class_bytes));
}

/*
 * What the tuned file was before: a third the same, a third with a few numbers of another
 * value, a third with all of them a little smaller.
 */
static void
make_base(struct sf_outline *outline)
{
    size_t bytes = (size_t)plan[TUNED].bytes;
    struct sf_outline_base *base = &outline->bases[0];
    uint8_t *numbers;

    run.tuned = malloc(bytes);
    run.base = malloc(BASE_HEADER_BYTES + bytes);
    if (run.tuned == NULL || run.base == NULL) {
        die("no memory");
    }
    fill(run.tuned, bytes, plan[TUNED].filling);
    numbers = run.base + BASE_HEADER_BYTES;
    memset(run.base, '#', BASE_HEADER_BYTES);
    memcpy(numbers, run.tuned, bytes);
    for (size_t i = bytes / 3 / 2 * 2; i + 2 <= bytes; i += 2) {
        if (i > 2 * bytes / 3 || sf_prng_below(&run.people.prng, 97) == 0) {
            numbers[i] = (uint8_t)(numbers[i] - (numbers[i] == 0 ? 0 : 1 + i / 2 % 2));
        }
    }
    save("base/tensors/tuned.bf16", run.base, BASE_HEADER_BYTES + bytes);
    *base = (struct sf_outline_base){
        .file = TUNED, .bytes = BASE_HEADER_BYTES + bytes, .path = "tensors/tuned.bf16"};
    sf_sha256(sf_view(run.base, BASE_HEADER_BYTES + bytes), base->sha256);
    outline->base_count = 1;
}

static void
encode(uint32_t file, uint64_t at, const struct sf_frame *frame, struct sf_coded *ret_coded)
{
    static uint8_t scratch[SF_FRAME_BYTES_MAX];
    static uint8_t run_of_base[SF_FRAME_BYTES_MAX];
    struct sf_delta_base base = {&run.seal.base, BASE_HEADER_BYTES + at, run_of_base};

    if (file != TUNED) {
        sf_frame_encode(run.coder, frame, scratch, ret_coded);
        return;
    }
    memcpy(run_of_base, run.base + base.offset, frame->plain.bytes);
    sf_delta_encode(run.coder, frame, &base, scratch, ret_coded);
}

static void
add_frames(uint32_t file, const uint8_t *data, uint64_t bytes, uint32_t frame_bytes)
{
    for (uint64_t at = 0; at < bytes; at += frame_bytes) {
        uint64_t plain = bytes - at < frame_bytes ? bytes - at : frame_bytes;
        struct sf_frame plain_frame = {.plain = sf_view(data + at, (size_t)plain)};
        struct sf_coded_frame frame = {.file = file, .offset = at, .plain_bytes = (uint32_t)plain};
        struct sf_coded coded;
        size_t offset = 0;

        encode(file, at, &plain_frame, &coded);
        frame.codec = coded.codec;
        frame.coded = coded.bytes;
        run.codecs[frame.codec]++;
        while (!sf_content_add_frame(&run.writer, &frame, &offset)) {
            run.parts += offset > 0;
            finish_bundle();
            begin_bundle();
        }
    }
}

static void
add_manifest(
    bool (*add)(struct sf_content_writer *, struct sf_view, size_t *), struct sf_view whole)
{
    size_t offset = 0;

    while (!add(&run.writer, whole, &offset)) {
        finish_bundle();
        begin_bundle();
    }
}

/* Write the file, its line of SHA256SUMS and its frames. */
static void
add_file(uint32_t index, uint32_t frame_bytes, FILE *sums, struct sf_file_digest *ret_digest)
{
    uint8_t *data = malloc(FILE_BYTES_MAX);
    char name[256];

    if (data == NULL) {
        die("no memory");
    }
    if (index == TUNED) {
        memcpy(data, run.tuned, (size_t)plan[index].bytes);
    } else {
        fill(data, (size_t)plan[index].bytes, plan[index].filling);
    }
    snprintf(name, sizeof(name), "source/%s", plan[index].path);
    save(name, data, (size_t)plan[index].bytes);
    ret_digest->bytes = plan[index].bytes;
    sf_sha256(sf_view(data, (size_t)plan[index].bytes), ret_digest->sha256);
    for (size_t i = 0; i < SF_SHA256_BYTES; i++) {
        fprintf(sums, "%02x", ret_digest->sha256[i]);
    }
    fprintf(sums, "  %s\n", plan[index].path);
    add_frames(index, data, plan[index].bytes, frame_bytes);
    free(data);
}

static void
make_bundles(void)
{
    struct sf_outline_file files[FILES];
    struct sf_file_digest sums[FILES];
    struct sf_outline outline = {.label = "model",
        .class_bytes = (uint32_t)run.class_bytes,
        .frame_bytes = sf_outline_frame_bytes_for((uint32_t)run.class_bytes),
        .files = files,
        .file_count = FILES};
    struct sf_digests digests = {.files = sums, .file_count = FILES};
    uint8_t encoded[MANIFEST_BYTES_MAX];
    FILE *list = create("SHA256SUMS");
    size_t bytes = 0;

    for (uint32_t i = 0; i < FILES; i++) {
        files[i] = (struct sf_outline_file){
            .path = plan[i].path, .bytes = plan[i].bytes, .mtime_ms = 1700000000000 + i};
    }
    make_base(&outline);
    must(sf_outline_encode(&outline, encoded, sizeof(encoded), &bytes), "outline");
    begin_bundle();
    add_manifest(sf_content_add_outline, sf_view(encoded, bytes));
    for (uint32_t i = 0; i < FILES; i++) {
        add_file(i, outline.frame_bytes, list, &sums[i]);
    }
    /* One more bundle if the digests do not fit in this one; they are far smaller than one. */
    digests.bundle_count = run.bundle_count + 1;
    if (sf_content_room(&run.writer) < sf_digests_bytes_max(FILES) + 16) {
        finish_bundle();
        begin_bundle();
        digests.bundle_count++;
    }
    must(sf_digests_encode(&digests, encoded, sizeof(encoded), &bytes), "digests");
    add_manifest(sf_content_add_digests, sf_view(encoded, bytes));
    finish_bundle();
    if (digests.bundle_count != run.bundle_count || fclose(list) != 0) {
        die("bundles were counted wrong");
    }
}

static void
make_grant(void)
{
    struct sf_grant_recipient recipients[3] = {
        {.card = &run.people.cards[1], .number = 11},
        {.card = &run.people.cards[2], .number = 12},
        {.card = &run.people.cards[3], .number = 13},
    };
    struct sf_grant_config config = {.identity = run.people.identities[0],
        .transfer = run.transfer,
        .cek = run.cek,
        .class_bytes = (uint32_t)run.class_bytes,
        .slots = SLOTS_MAX,
        .recipients = recipients,
        .recipient_count = 3};
    uint8_t object[SF_GRANT_BYTES_MAX];
    size_t bytes = 0;

    must(sf_grant_seal(&config, &run.people.random, object, sizeof(object), &bytes), "grant");
    save("grant", object, bytes);
}

static void
make_keys(void)
{
    uint8_t encoded[SF_IDENTITY_BYTES_MAX];
    size_t bytes = 0;

    must(sf_identity_encode(run.people.identities[2], encoded, sizeof(encoded), &bytes), "keys");
    save("receiver.keys", encoded, bytes);
    must(sf_card_encode(run.people.identities[0], encoded, sizeof(encoded), &bytes), "card");
    save("sender.card", encoded, bytes);
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: make_transfer CLASS FOLDER\n");
        return 2;
    }
    run.class_bytes = (size_t)strtoul(argv[1], NULL, 10);
    run.folder = argv[2];
    if (!sf_class_is_data(run.class_bytes)) {
        die("no such class");
    }
    people_open(&run.people, 20, 4);
    make_folder("source");
    make_folder("source/tensors");
    make_folder("base");
    make_folder("base/tensors");
    sf_prng_fill(&run.people.prng, run.cek, sizeof(run.cek));
    sf_prng_fill(&run.people.prng, run.transfer.b, sizeof(run.transfer.b));
    sf_seal_init(&run.seal, run.cek, &run.transfer);
    run.object = malloc(run.class_bytes);
    must(sf_coder_open(&run.coder), "coder");
    run.spool = create("spool");
    if (run.object == NULL) {
        die("no memory");
    }
    make_keys();
    make_grant();
    make_bundles();
    if (fclose(run.spool) != 0) {
        die("spool");
    }
    printf("%llu bundles; frames:", (unsigned long long)run.bundle_count);
    for (unsigned i = 0; i < SF_CODECS; i++) {
        printf(" %u of codec %u,", run.codecs[i], i);
        if (run.codecs[i] == 0) {
            die("a transfer that does not show every codec shows too little");
        }
    }
    printf(" %u cut\n", run.parts);
    if (run.parts == 0) {
        die("a transfer without a cut frame shows too little");
    }
    sf_coder_close(run.coder);
    free(run.object);
    free(run.tuned);
    free(run.base);
    people_close(&run.people);
    return EXIT_SUCCESS;
}
