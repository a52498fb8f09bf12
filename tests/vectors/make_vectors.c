/*
 * make_vectors.c - writes the golden vectors: make_vectors FOLDER
 *
 * Everything is drawn from seeds, so a run repeats byte for byte; a test compares
 * what is written here with the files in the tree. A difference is a change of the
 * format: wanted, and then with a new version, or a mistake. vector_file.h says how
 * the files are read.
 */
#include "base/crypto.h"
#include "bundle/cose.h"
#include "bundle/delta.h"
#include "bundle/envelope.h"
#include "bundle/grant.h"
#include "bundle/ladder.h"
#include "bundle/labels.h"
#include "bundle/letter.h"
#include "bundle/manifest.h"
#include "bundle/piece.h"
#include "bundle/receipt.h"
#include "tests/unit/people.h"

enum {
    CLASS = 16 << 10,
    OUT_BYTES_MAX = 64 << 10,
    PLACE_BYTES = 25,
    AT_IV = 40, /* in a sealed bundle, as are the next two */
    AT_SIV = 59,
    AT_CIPHER = 94,
};

static const char *folder;
static FILE *file;
static struct people people;
static uint8_t out[OUT_BYTES_MAX];

/* --- Writing the text ------------------------------------------------------------------ */

static void
die(const char *what)
{
    fprintf(stderr, "make_vectors: %s\n", what);
    exit(EXIT_FAILURE);
}

static void
must(int status)
{
    if (status != SF_OK) {
        die(sf_status_text(status));
    }
}

static void
begin_file(const char *name, const char *comment)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s.txt", folder, name);
    file = fopen(path, "w");
    if (file == NULL) {
        die(path);
    }
    fprintf(file,
        "# %s\n# Made by tests/vectors/make_vectors; read as tests/vectors/vector_file.h says.\n",
        comment);
}

static void
end_file(void)
{
    if (fclose(file) != 0) {
        die("cannot write");
    }
}

static void
begin(const char *name, const char *verdict)
{
    fprintf(file, "\nname: %s\nverdict: %s\n", name, verdict);
}

static void
text(const char *key, const char *value)
{
    fprintf(file, "%s: %s\n", key, value);
}

static void
number(const char *key, uint64_t value)
{
    fprintf(file, "%s: %llu\n", key, (unsigned long long)value);
}

static void
hex(const char *key, const void *data, size_t bytes)
{
    fprintf(file, "%s: ", key);
    for (size_t i = 0; i < bytes; i++) {
        fprintf(file, "%02x", ((const uint8_t *)data)[i]);
    }
    fprintf(file, "\n");
}

/* A stanza that is another one with its object changed. */
static void
patched(const char *name, const char *verdict, const char *like, size_t offset, const char *bytes)
{
    begin(name, verdict);
    text("like", like);
    fprintf(file, "patch: %zu %s\n", offset, bytes);
}

static void
cut(const char *name, const char *verdict, const char *like, size_t bytes)
{
    begin(name, verdict);
    text("like", like);
    number("cut", bytes);
}

/* --- Objects without keys ---------------------------------------------------------------- */

struct sample {
    const char *name;
    const char *verdict;
    const char *object;
};

static void
put_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        begin(samples[i].name, samples[i].verdict);
        text("object", samples[i].object);
    }
}

#define PUT_SAMPLES(samples) put_samples((samples), sizeof(samples) / sizeof((samples)[0]))

static void
put_cbor(void)
{
    static const struct sample samples[] = {
        {"number", "ok", "1903e8"},
        {"nested", "ok", "8301820203a20102616103"},
        {"tag-18", "ok", "d280"},
        {"negative-after-positive", "ok", "a201002000"},
        {"not-shortest-number", "format", "1817"},
        {"not-shortest-length", "format", "580161"},
        {"keys-descending", "format", "a202000100"},
        {"key-twice", "format", "a201000100"},
        {"indefinite-array", "format", "9f00ff"},
        {"indefinite-bytes", "format", "5f4100ff"},
        {"trailing-byte", "format", "8000"},
        {"cut-short", "format", "8201"},
        {"float", "format", "fa47c35000"},
        {"undefined", "format", "f7"},
        {"overlong-utf8", "format", "62c0af"},
        {"nine-byte-bomb", "format", "9b0000000010000000"},
        {"thirteen-deep", "limit", "81818181818181818181818180"},
    };

    begin_file("cbor", "Strict CBOR: one item that must be deterministic.");
    PUT_SAMPLES(samples);
    end_file();
}

static void
put_content(void)
{
    static const struct sample samples[] = {
        {"outline-frame-digests", "ok", "8384010001 41aa 880200000102020042aabb 8403000141cc"},
        {"first-part", "ok", "81880200000104040042aabb"},
        {"last-part-and-more", "ok", "82880200000104040242ccdd880200040102020042aabb"},
        {"next-file", "ok", "82880200000102020042aabb880203000102020042aabb"},
        {"frames-with-a-gap", "format", "82880200000102020042aabb880200030102020042aabb"},
        {"frames-that-overlap", "format", "82880200000102020042aabb880200010102020042aabb"},
        {"file-from-its-middle", "format", "82880200000102020042aabb880201020102020042aabb"},
        {"zero-frame", "ok", "818802000000 1a00100000 000040"},
        {"no-pieces", "format", "80"},
        {"digests-before-frame", "format", "8284030001 41cc 880200000102020042aabb"},
        {"frame-twice", "format", "82880200000102020042aabb880200000102020042aabb"},
        {"piece-behind-a-cut-one", "format", "82880200000104040042aabb880200040102020042aabb"},
        {"third-part", "format", "81880200000104040141bb"},
        {"part-past-its-whole", "format", "81880200000104040343ccddee"},
        {"empty-part", "format", "81880200000102020040"},
        {"raw-of-another-length", "format", "81880200000103020042aabb"},
        {"lz4-not-shorter", "format", "81880200000202020042aabb"},
        {"zstd-not-shorter", "format", "81880200000302020042aabb"},
        {"planes-not-shorter", "format", "81880200000402020042aabb"},
        {"unknown-codec", "limit", "81880200000802020042aabb"},
        {"reference", "ok",
            "8188020000051828 1818 005818 0000000000001000 000102030405060708090a0b0c0d0e0f"},
        {"reference-too-short", "format",
            "8188020000051828 17 0057 0000000000001000 000102030405060708090a0b0c0d0e"},
        {"reference-not-shorter", "format",
            "8188020000051818 1818 005818 0000000000001000 000102030405060708090a0b0c0d0e0f"},
        {"patch-that-is-a-reference", "format",
            "8188020000061828 1818 005818 0000000000001000 000102030405060708090a0b0c0d0e0f"},
        {"frame-above-1-mib", "limit", "818802000000 1a00100001 000040"},
        {"unknown-piece", "format", "818404000141aa"},
    };

    begin_file("content", "The content of a data bundle.");
    PUT_SAMPLES(samples);
    end_file();
}

static void
put_frames(void)
{
    static const struct {
        const char *name;
        const char *verdict;
        unsigned codec;
        unsigned plain_bytes;
        const char *object;
        const char *plain;
    } samples[] = {
        {"zero", "ok", 0, 4, "", "00000000"},
        {"raw", "ok", 1, 4, "01020304", "01020304"},
        {"lz4-literals-and-match", "ok", 2, 16, "34616263030050 6361626361",
            "61626361626361626361626361626361"},
        {"lz4-overlapping-match", "ok", 2, 25, "1f61010000 506161616161",
            "61616161616161616161616161616161616161616161616161"},
        {"zero-with-bytes", "format", 0, 4, "00", NULL},
        {"raw-too-short", "format", 1, 4, "010203", NULL},
        {"lz4-longer-than-its-frame", "format", 2, 15, "1f61010000 506161616161", NULL},
        {"lz4-shorter-than-its-frame", "format", 2, 300, "1f61010000 506161616161", NULL},
        {"lz4-match-from-nowhere", "format", 2, 25, "1f61050000 506161616161", NULL},
        {"lz4-offset-zero", "format", 2, 25, "1f61000000 506161616161", NULL},
        {"lz4-cut-short", "format", 2, 25, "1f6101", NULL},
        {"zstd-one-byte", "ok", 3, 20, "28b52ffd20 14 a30000 61",
            "6161616161616161616161616161616161616161"},
        {"zstd-huffman", "ok", 3, 200,
            "28b52ffd20c8550200828c110ec0a5b01c32eddd1a21adaaaa8a4b83a54c6f7228ebdec736267c83"
            "3487543a8a01a3ad4096a8fe4a0b6a2ab22699b8935d4d26c867d567806107761d6d92e2618e9bf5"
            "260100",
            "7a7a78797878787979787a7879787877787a787178787876787a7a7a787978797778797978787978"
            "707878797871787478787a7878787879797979787a787878787a7279787a7a78797979787879787a"
            "7a78787978787679787a7a7a787979787a7678797a787979727878797a7979787878787878797979"
            "767979787a7079797879787977757876787778797a79797a7178787a78797a737978787878717a78"
            "777978797877787878797878787978787979787a797178787a7a7879787878797a787a797a797873"},
        {"zstd-not-shorter", "format", 3, 10, "28b52ffd20 0a 530000 61", NULL},
        {"zstd-of-another-length", "format", 3, 21, "28b52ffd20 14 a30000 61", NULL},
        {"zstd-says-another-length", "format", 3, 20, "28b52ffd20 15 a30000 61", NULL},
        {"zstd-byte-behind", "format", 3, 20, "28b52ffd20 14 a30000 61 00", NULL},
        {"zstd-second-frame", "format", 3, 20, "28b52ffd20 14 a30000 61 28b52ffd20 00 010000",
            NULL},
        {"zstd-with-checksum", "format", 3, 20, "28b52ffd24 14 a30000 61 00000000", NULL},
        {"zstd-with-dictionary", "format", 3, 20, "28b52ffd21 01 14 a30000 61", NULL},
        {"zstd-without-length", "format", 3, 20, "28b52ffd00 58 a30000 61", NULL},
        {"zstd-cut-short", "format", 3, 20, "28b52ffd20 14 a30000", NULL},
        {"planes-bf16-rotated", "ok", 4, 42,
            "010282010100000014010000010102030405060708090a0b0c0d0e0f10111213147feedd",
            "ee80bf813f81bf823f82bf833f83bf843f84bf853f85bf863f86bf873f87bf883f88bf893f89bf8a"
            "3fdd"},
        {"planes-q4-0", "ok", 4, 90,
            "00120301011000000005010000010200000a31323334357a28b52ffd205083020061",
            "317a61616161616161616161616161616161327a61616161616161616161616161616161337a6161"
            "6161616161616161616161616161347a61616161616161616161616161616161357a616161616161"
            "61616161616161616161"},
        {"planes-of-another-length", "format", 4, 91,
            "00120301011000000005010000010200000a31323334357a28b52ffd205083020061", NULL},
        {"planes-of-no-columns", "format", 4, 90, "001200", NULL},
        {"planes-cut-short", "format", 4, 90, "001203 010110 00000005 01", NULL},
        {"planes-rotated-blocks", "format", 4, 90,
            "00128301011000000005010000010200000a31323334357a28b52ffd205083020061", NULL},
        {"without-a-base", "format", 5, 40, "0000000000000000 000102030405060708090a0b0c0d0e0f",
            NULL},
        {"unknown-codec", "format", 8, 4, "01020304", NULL},
    };

    begin_file("frame", "Coded frames and their plaintext.");
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        begin(samples[i].name, samples[i].verdict);
        number("codec", samples[i].codec);
        number("plain-bytes", samples[i].plain_bytes);
        text("object", samples[i].object);
        if (samples[i].plain != NULL) {
            text("plain", samples[i].plain);
        }
    }
    end_file();
}

/* Frames coded against a base: what stands behind the reference, which is computed. */
static void
put_deltas(void)
{
    enum { BASE_BYTES = 64 };
    static const struct {
        const char *name;
        const char *verdict;
        unsigned codec;
        unsigned change; /* of the digest */
        const char *rest;
        const char *plain; /* NULL: the base */
    } samples[] = {
        {"same", "ok", 5, 0, "", NULL},
        {"same-of-another-base", "auth", 5, 1, "", NULL},
        {"same-and-a-byte", "format", 5, 0, "00", NULL},
        {"patch", "ok", 6, 0, "02000000000200000002000000020000000201000001 0305 0201 00",
            "0001020304050707 08090a0b0c0d0e0f 1011111314151617 18191a1b1c1d1e1f"
            "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"},
        {"patch-behind-a-lead", "ok", 6, 0,
            "02010000000100000001000000010000000101000001 00 02 00 aa bb",
            "aa02020304050607 08090a0b0c0d0e0f 1011121314151617 18191a1b1c1d1e1f"
            "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3ebb"},
        {"patch-of-another-base", "auth", 6, 1,
            "02000000000200000002000000020000000201000001 0305 0201 00", NULL},
        {"patch-of-nothing", "format", 6, 0, "02000000000000000000000000000000000000000000", NULL},
        {"patch-past-the-end", "format", 6, 0,
            "02000000000200000002000000020000000201000001 031c 0201 00", NULL},
        {"patch-longer-gaps", "format", 6, 0,
            "02000000000200000003000000030000000201000001 830005 0201 00", NULL},
        {"patch-gap-left-over", "format", 6, 0,
            "02000000000200000003000000030000000201000001 030501 0201 00", NULL},
        {"patch-that-changes-nothing", "format", 6, 0,
            "02000000000200000002000000020000000201000001 0305 0200 00", NULL},
        {"patch-of-three-bytes", "format", 6, 0,
            "0300000000010000000100000001000000010000000100000001 03 02 00 00 00", NULL},
        {"patch-cut-short", "format", 6, 0, "02000000000200000002000000020000000201000001 0305 02",
            NULL},
        {"difference", "ok", 7, 0, "010002 1f02010027 500202020202",
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
            "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40"},
        {"difference-of-wide-numbers", "ok", 7, 0, "080002 1f01010027 500101010101",
            "7f808182838485068788898a8b8c8d0e8f909192939495169798999a9b9c9d1e"
            "9fa0a1a2a3a4a526a7a8a9aaabacad2eafb0b1b2b3b4b536b7b8b9babbbcbd3e"},
        {"difference-of-another-base", "auth", 7, 1, "010002 1f02010027 500202020202", NULL},
        {"difference-that-is-raw", "format", 7, 0, "010001 00010203", NULL},
        {"difference-of-a-difference", "format", 7, 0, "010007 1f02010027 500202020202", NULL},
        {"difference-of-another-length", "format", 7, 0, "010002 1f02010026 500202020202", NULL},
        {"difference-without-a-number", "format", 7, 0, "014002 1f02010027 500202020202", NULL},
    };
    static const uint8_t key_bytes[32] = "the key of references, K_base...";
    uint8_t base[BASE_BYTES];
    uint8_t digest[SF_SHA256_BYTES];
    struct sf_view parts[] = {sf_view(base, sizeof(base))};

    for (unsigned i = 0; i < BASE_BYTES; i++) {
        base[i] = (uint8_t)i;
    }
    sf_hmac_sha256(sf_view(key_bytes, sizeof(key_bytes)), parts, 1, digest);
    begin_file("delta", "Frames coded against a base, 64 bytes of it at offset 4096.");
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        begin(samples[i].name, samples[i].verdict);
        number("codec", samples[i].codec);
        hex("key", key_bytes, sizeof(key_bytes));
        hex("base", base, sizeof(base));
        fprintf(file, "object: 0000000000001000 ");
        for (size_t n = 0; n < SF_REFERENCE_DIGEST_BYTES; n++) {
            fprintf(file, "%02x", digest[n] ^ (n == 15 ? samples[i].change : 0));
        }
        fprintf(file, " %s\n", samples[i].rest);
        if (strcmp(samples[i].verdict, "ok") == 0 && samples[i].plain != NULL) {
            text("plain", samples[i].plain);
        } else if (strcmp(samples[i].verdict, "ok") == 0) {
            hex("plain", base, sizeof(base));
        }
    }
    end_file();
}

static void
put_manifest(void)
{
    struct sf_outline_file files[] = {
        {.path = "config.json", .bytes = 700, .mtime_ms = 1700000000000},
        {.path = "tensors/a.bin", .bytes = UINT64_C(5000000000), .mtime_ms = -1},
        {.path = "tensors/run", .bytes = 0, .executable = true},
    };
    struct sf_outline outline = {.label = "model",
        .class_bytes = CLASS,
        .frame_bytes = CLASS,
        .files = files,
        .file_count = 3};
    struct sf_file_digest sums[] = {{{1}, 700}, {{2}, UINT64_C(5000000000)}, {{3}, 0}};
    struct sf_digests digests = {.bundle_count = 310000, .files = sums, .file_count = 3};
    static const struct sample bad[] = {
        {"empty-component", "format",
            "a7010102194000031940000443646972 05f40600078184 8140 00 00 f4"},
        {"dot-dot", "format", "a7010102194000031940000443646972 05f40600078184 81422e2e 00 00 f4"},
        {"slash-inside", "format",
            "a7010102194000031940000443646972 05f40600078184 8143612f62 00 00 f4"},
        {"nul-inside", "format",
            "a7010102194000031940000443646972 05f40600078184 8143610062 00 00 f4"},
        {"name-twice", "format",
            "a7010102194000031940000443646972 05f40600078284 814161 00 00 f4 84 814161 00 00 f4"},
        {"names-descending", "format",
            "a7010102194000031940000443646972 05f40600078284 814162 00 00 f4 84 814161 00 00 f4"},
        {"file-that-is-a-directory", "format",
            "a7010102194000031940000443646972 05f40600078284 814161 00 00 f4 84 8241614162 00 00 "
            "f4"},
        {"wrong-total", "format",
            "a7010102194000031940000443646972 05f40605078184 814161 00 00 f4"},
        {"no-files", "format", "a7010102194000031940000443646972 05f406000780"},
        {"65537-files-claimed", "format", "a7010102194000031940000443646972 05f40600079a00010001"},
        {"class-of-32-kib", "format",
            "a7010102198000031940000443646972 05f40600078184 814161 00 00 f4"},
        {"frame-above-class", "format",
            "a7010102194000031980000443646972 05f40600078184 814161 00 00 f4"},
        {"base-of-no-file", "format",
            "a8010102194000031940000443646972 05f40600078184 814161 00 00 f4"
            "0882 50 00112233445566778899aabbccddeeff 8184 01"
            "5820 0000000000000000000000000000000000000000000000000000000000000000 00 80"},
        {"base-with-a-bad-path", "format",
            "a8010102194000031940000443646972 05f40600078184 814161 00 00 f4"
            "0882 50 00112233445566778899aabbccddeeff 8184 00"
            "5820 0000000000000000000000000000000000000000000000000000000000000000 00 81422e2e"},
        {"no-bases", "format",
            "a8010102194000031940000443646972 05f40600078184 814161 00 00 f4"
            "0882 50 00112233445566778899aabbccddeeff 80"},
        {"parent-of-another-length", "format",
            "a8010102194000031940000443646972 05f40600078184 814161 00 00 f4"
            "094f 00112233445566778899aabbccddee"},
        {"unknown-key", "limit",
            "a8010102194000031940000443646972 05f40600078184 814161 00 00 f4"
            "0a50 00112233445566778899aabbccddeeff"},
    };
    size_t bytes = 0;

    begin_file("outline", "Outlines.");
    must(sf_outline_encode(&outline, out, sizeof(out), &bytes));
    begin("folder", "ok");
    hex("object", out, bytes);
    outline.has_parent = true;
    outline.parent = (struct sf_transfer_id){{7}};
    must(sf_outline_encode(&outline, out, sizeof(out), &bytes));
    begin("in-place-of-another", "ok");
    hex("object", out, bytes);
    outline.base_transfer = (struct sf_transfer_id){{9}};
    outline.base_count = 2;
    outline.bases[0] = (struct sf_outline_base){.file = 0, .sha256 = {4}, .bytes = 600, .path = ""};
    outline.bases[1] = (struct sf_outline_base){
        .file = 1, .sha256 = {5}, .bytes = UINT64_C(4999999999), .path = "tensors/a.bin"};
    must(sf_outline_encode(&outline, out, sizeof(out), &bytes));
    begin("with-bases-and-in-place-of-another", "ok");
    hex("object", out, bytes);
    PUT_SAMPLES(bad);
    end_file();

    begin_file("digests", "Digests, against the lengths that the outline said.");
    must(sf_digests_encode(&digests, out, sizeof(out), &bytes));
    begin("three", "ok");
    text("lengths", "700 5000000000 0");
    hex("object", out, bytes);
    begin("another-length", "format");
    text("like", "three");
    text("lengths", "700 5000000001 0");
    begin("another-count", "format");
    text("like", "three");
    text("lengths", "700 5000000000");
    patched("another-version", "format", "three", 2, "02");
    cut("cut-short", "format", "three", bytes - 1);
    end_file();
}

/* --- Signed objects ------------------------------------------------------------------------- */

static void
put_card(void)
{
    size_t bytes = 0;

    begin_file("card", "Cards, signed by the node they describe.");
    must(sf_card_encode(people.identities[0], out, sizeof(out), &bytes));
    begin("node-0", "ok");
    hex("object", out, bytes);
    hex("fingerprint", people.identities[0]->fingerprint.b, 32);
    patched("another-signature", "auth", "node-0", bytes - 10, "00");
    cut("cut-short", "format", "node-0", bytes - 1);
    patched("another-tag", "format", "node-0", 0, "d1");
    end_file();
}

static void
fill_receipt(struct sf_receipt *receipt, enum sf_receipt_phase phase, struct sf_file_digest *sums)
{
    sf_receipt_init(receipt);
    receipt->receiver = people.identities[1]->fingerprint;
    receipt->sender = people.identities[0]->fingerprint;
    memset(receipt->transfer.b, 0x42, sizeof(receipt->transfer.b));
    receipt->generation = 2;
    receipt->counter = 1000;
    receipt->phase = phase;
    memset(receipt->audit_head.b, 0x17, sizeof(receipt->audit_head.b));
    memset(receipt->random, 0x99, sizeof(receipt->random));
    if (phase == SF_RECEIPT_HELD || phase == SF_RECEIPT_REFUSED) {
        must(sf_range_set_add(&receipt->held, 0, 300));
        must(sf_range_set_add(&receipt->held, 301, 302));
    } else {
        receipt->has_manifest = true;
        memset(receipt->manifest.b, 0x33, sizeof(receipt->manifest.b));
        receipt->files = sums;
        receipt->file_count = 2;
    }
    if (phase == SF_RECEIPT_REFUSED) {
        receipt->refusal = SF_REFUSAL_NO_SPACE;
        receipt->retryable = true;
        receipt->need_bytes = 123456789;
    }
}

static void
put_receipts(void)
{
    static const char *const names[] = {"held", "verified", "final", "refused"};
    struct sf_file_digest sums[] = {{{1}, 700}, {{2}, UINT64_C(5000000000)}};
    size_t bytes = 0;

    begin_file("receipt", "Receipts, to be verified with the receiver's signing key.");
    for (unsigned i = 0; i < 4; i++) {
        struct sf_receipt receipt;

        fill_receipt(&receipt, (enum sf_receipt_phase)(SF_RECEIPT_HELD + i), sums);
        must(sf_receipt_encode(&receipt, people.identities[1], out, sizeof(out), &bytes));
        begin(names[i], "ok");
        hex("sign-pk", people.identities[1]->sign_pk, 32);
        hex("object", out, bytes);
        receipt.files = NULL;
        sf_receipt_fini(&receipt);
    }
    begin("of-another-signer", "auth");
    text("like", "final");
    hex("sign-pk", people.identities[0]->sign_pk, 32);
    patched("changed-phase", "auth", "held", 100, "ff");
    patched("changed-signature", "auth", "refused", bytes - 1, "00");
    cut("cut-short", "format", "refused", bytes - 1);
    end_file();
}

static void
put_cancel(void)
{
    struct sf_cancel cancel = {
        .by = people.identities[0]->fingerprint, .reason = SF_CANCEL_SOURCE_CHANGED};
    size_t bytes = 0;

    memset(cancel.transfer.b, 0x42, sizeof(cancel.transfer.b));
    begin_file("cancel", "Cancels, to be verified with the sender's signing key.");
    must(sf_cancel_encode(&cancel, people.identities[0], out, sizeof(out), &bytes));
    begin("source-changed", "ok");
    hex("sign-pk", people.identities[0]->sign_pk, 32);
    hex("object", out, bytes);
    begin("of-another-signer", "auth");
    text("like", "source-changed");
    hex("sign-pk", people.identities[1]->sign_pk, 32);
    patched("another-transfer", "auth", "source-changed", 50, "43");
    cut("cut-short", "format", "source-changed", bytes - 1);
    end_file();
}

/* --- Sealed objects ----------------------------------------------------------------------------- */

static void
put_keys(size_t node)
{
    uint8_t encoded[SF_IDENTITY_BYTES_MAX];
    size_t bytes = 0;

    must(sf_identity_encode(people.identities[node], encoded, sizeof(encoded), &bytes));
    hex("keys", encoded, bytes);
}

static void
put_sender(size_t node)
{
    uint8_t encoded[SF_CARD_BYTES_MAX];
    size_t bytes = 0;

    must(sf_card_encode(people.identities[node], encoded, sizeof(encoded), &bytes));
    hex("sender-card", encoded, bytes);
}

/* The seed that nodes 0 and 1 share, and the rung of a grant under it. */
static const uint8_t seed[SF_LADDER_SEED_BYTES] = {5};
enum { RUNG = 3 };

static size_t
seal_grant(const uint8_t cek[SF_CEK_BYTES], bool has_psk)
{
    struct sf_grant_recipient recipients[3] = {
        {.card = &people.cards[1], .number = 7, .has_psk = has_psk, .rung = RUNG},
        {.card = &people.cards[2], .number = 8},
        {.card = &people.cards[3], .number = 9},
    };
    struct sf_grant_config config = {.identity = people.identities[0],
        .cek = cek,
        .class_bytes = CLASS,
        .slots = 1000,
        .recipients = recipients,
        .recipient_count = 3};
    struct sf_rung rung;
    size_t bytes = 0;

    sf_ladder_begin(seed, &people.cards[0].fingerprint, &people.cards[1].fingerprint, &rung);
    while (rung.number < RUNG) {
        sf_ladder_climb(&rung);
    }
    sf_ladder_psk(&rung, recipients[0].psk);
    memset(config.transfer.b, 0x42, sizeof(config.transfer.b));
    must(sf_grant_seal(&config, &people.random, out, sizeof(out), &bytes));
    return bytes;
}

static void
put_grants(void)
{
    uint8_t cek[SF_CEK_BYTES];
    static const uint8_t other_seed[SF_LADDER_SEED_BYTES] = {6};
    uint8_t transfer[16];
    size_t bytes;

    memset(transfer, 0x42, sizeof(transfer));
    sf_prng_fill(&people.prng, cek, sizeof(cek));
    begin_file(
        "grant", "Grants, to be opened with the recipient's key file and the sender's card.");
    bytes = seal_grant(cek, false);
    begin("to-three", "ok");
    put_keys(1);
    put_sender(0);
    hex("transfer", transfer, sizeof(transfer));
    hex("cek", cek, sizeof(cek));
    number("number", 7);
    hex("object", out, bytes);
    begin("second-of-three", "ok");
    text("like", "to-three");
    put_keys(2);
    number("number", 8);
    begin("to-others", "not-for-us");
    text("like", "to-three");
    put_keys(4);
    begin("unknown-sender", "auth");
    text("like", "to-three");
    put_sender(4);
    patched("changed-body", "auth", "to-three", bytes - 100, "0000000000");
    patched("changed-tag", "auth", "to-three", bytes - 1, "00");
    patched("changed-id", "auth", "to-three", 25, "0000");
    patched("changed-algorithm", "format", "to-three", 6, "03");
    patched("three-entries", "format", "to-three", 57, "590144");
    cut("cut-short", "format", "to-three", bytes - 1);
    cut("of-another-class", "format", "to-three", bytes / 4);
    bytes = seal_grant(cek, true);
    begin("under-a-rung", "ok");
    text("like", "to-three");
    number("rung", RUNG);
    hex("seed", seed, sizeof(seed));
    hex("object", out, bytes);
    begin("under-another-seed", "auth");
    text("like", "under-a-rung");
    hex("seed", other_seed, sizeof(other_seed));
    begin("psk-we-do-not-have", "auth");
    text("like", "to-three");
    hex("object", out, bytes);
    /* The same node sixty days on: the prekey of the grant is gone. */
    (void)sf_identity_rotate(people.identities[1], &people.random, 60 * SF_DAY_MS);
    begin("stale-prekey", "stale");
    text("like", "to-three");
    put_keys(1);
    end_file();
}

static void
put_letters(void)
{
    static const char content[] = "what a letter says";
    size_t bytes = 0;

    begin_file(
        "letter", "Letters, to be opened with the recipient's key file and the sender's card.");
    must(sf_letter_seal(people.identities[0], &people.cards[2], SF_LETTER_CANCEL,
        sf_view(content, sizeof(content) - 1), &people.random, out, sizeof(out), &bytes));
    begin("cancel", "ok");
    put_keys(2);
    put_sender(0);
    number("type", SF_LETTER_CANCEL);
    hex("content", content, sizeof(content) - 1);
    hex("object", out, bytes);
    begin("to-another", "not-for-us");
    text("like", "cancel");
    put_keys(3);
    begin("unknown-sender", "auth");
    text("like", "cancel");
    put_sender(3);
    patched("changed-body", "auth", "cancel", bytes - 100, "0000000000");
    cut("cut-short", "format", "cancel", bytes - 1);
    end_file();
}

/* A bundle put together by hand, to make what sealing never makes. */
struct hand {
    const struct sf_identity *signer;
    const uint8_t *siv; /* to claim, and to sign; NULL: the true one */
    uint64_t index;
    bool bad_padding;
};

/* `out` holds a good object in the same place, and `content` is what goes in instead. */
static void
seal_by_hand(const struct hand *hand, const uint8_t cek[SF_CEK_BYTES],
    const struct sf_transfer_id *transfer, struct sf_view content)
{
    uint8_t *plain = out + AT_CIPHER;
    size_t plain_bytes = CLASS - AT_CIPHER - SF_AEAD_TAG_BYTES;
    struct sf_view padded = sf_view(plain + 64, plain_bytes - 64);
    uint8_t place[PLACE_BYTES];
    uint8_t siv[SF_SIV_BYTES];
    uint8_t key[SF_SHA256_BYTES];
    uint8_t derived[44];
    uint8_t payload[128];
    uint8_t scratch[256];
    struct sf_cbor_writer cbor;
    struct sf_view key_info[] = {
        SF_LABEL_VIEW(SF_LABEL_KEY_SIV), sf_view(transfer->b, sizeof(transfer->b))};
    struct sf_view siv_parts[] = {
        SF_LABEL_VIEW(SF_LABEL_SIV), sf_view(place, sizeof(place)), padded};
    struct sf_view info[] = {SF_LABEL_VIEW(SF_LABEL_BUNDLE), sf_view(place, sizeof(place))};

    memset(plain, 0, plain_bytes);
    memcpy(plain + 64, content.data, content.bytes);
    plain[64 + content.bytes] = 0x80;
    plain[plain_bytes - 1] = hand->bad_padding;
    memcpy(place, transfer->b, 16);
    place[16] = SF_KIND_DATA;
    sf_put_be64(place + 17, hand->index);
    sf_hkdf_sha256(sf_view(cek, SF_CEK_BYTES), sf_view(NULL, 0), key_info, 2, key, sizeof(key));
    sf_hmac_sha256(sf_view(key, sizeof(key)), siv_parts, 3, siv);
    if (hand->siv != NULL) {
        memcpy(siv, hand->siv, sizeof(siv));
    }
    sf_cbor_writer_init(&cbor, payload, sizeof(payload));
    sf_cbor_write_array(&cbor, 6);
    sf_cbor_write_uint(&cbor, SF_SUITE_1);
    sf_cbor_write_uint(&cbor, SF_KIND_DATA);
    sf_cbor_write_bytes(&cbor, sf_view(hand->signer->fingerprint.b, 32));
    sf_cbor_write_bytes(&cbor, sf_view(transfer->b, 16));
    sf_cbor_write_uint(&cbor, hand->index);
    sf_cbor_write_bytes(&cbor, sf_view(siv, sizeof(siv)));
    must(sf_cose_sign(hand->signer->sign_sk, SF_LABEL_VIEW(SF_LABEL_SIGN_BUNDLE),
        sf_view(payload, cbor.bytes), scratch, sizeof(scratch), plain));
    sf_hkdf_sha256(
        sf_view(cek, SF_CEK_BYTES), sf_view(siv, sizeof(siv)), info, 2, derived, sizeof(derived));
    memcpy(out + AT_IV, derived + 32, 12);
    memcpy(out + AT_SIV, siv, sizeof(siv));
    sf_aead_seal(derived, derived + 32, sf_view(sf_cose_seal_ad, sizeof(sf_cose_seal_ad)),
        sf_view(plain, plain_bytes), plain);
}

static void
put_bundle(const char *name, const char *verdict, const char *like)
{
    begin(name, verdict);
    text("like", like);
    hex("object", out, CLASS);
}

static void
put_bundles(void)
{
    const struct sf_identity *signer = people.identities[0];
    struct sf_view content = sf_view("\x81\x84\x01\x00\x01\x41\xaa", 7);
    struct sf_view other = sf_view("\x81\x84\x01\x00\x01\x41\xbb", 7);
    struct sf_transfer_id transfer;
    uint8_t cek[SF_CEK_BYTES];
    uint8_t siv[SF_SIV_BYTES];
    struct sf_seal seal;
    struct hand hand = {.signer = signer, .index = 5};

    memset(transfer.b, 0x42, sizeof(transfer.b));
    sf_prng_fill(&people.prng, cek, sizeof(cek));
    sf_seal_init(&seal, cek, &transfer);
    memcpy(out + sf_envelope_content_offset(CLASS), content.data, content.bytes);
    must(sf_envelope_seal(&seal, signer, SF_KIND_DATA, 5, out, CLASS, content.bytes, siv));
    begin_file("bundle", "Sealed data bundles, with the transfer's key, the place and the signer.");
    begin("first", "ok");
    hex("transfer", transfer.b, sizeof(transfer.b));
    hex("cek", cek, sizeof(cek));
    number("index", 5);
    hex("sign-pk", signer->sign_pk, 32);
    hex("content", content.data, content.bytes);
    hex("siv", siv, sizeof(siv));
    hex("object", out, CLASS);
    begin("at-another-index", "auth");
    text("like", "first");
    number("index", 6);
    begin("of-another-transfer", "auth");
    text("like", "first");
    hex("transfer", siv, 16);
    begin("under-another-key", "auth");
    text("like", "first");
    hex("cek", siv, 32);
    begin("of-another-signer", "auth");
    text("like", "first");
    hex("sign-pk", people.identities[1]->sign_pk, 32);
    patched("changed-cipher", "auth", "first", 9000, "0000000000");
    patched("changed-tag", "auth", "first", CLASS - 1, "00");
    patched("changed-siv", "auth", "first", AT_SIV, "0000");
    patched("changed-iv", "auth", "first", AT_IV, "0000");
    patched("changed-id", "auth", "first", 22, "0000");
    patched("changed-suite", "format", "first", 18, "02");
    patched("long-head", "format", "first", 91, "5a");
    cut("cut-short", "format", "first", CLASS - 1);

    /* By hand: the first shows that the hand works like the machine. */
    seal_by_hand(&hand, cek, &transfer, content);
    put_bundle("by-hand", "ok", "first");
    hand.siv = siv;
    seal_by_hand(&hand, cek, &transfer, other);
    put_bundle("true-siv-and-signature-over-other-content", "auth", "first");
    hand.siv = NULL;
    hand.signer = people.identities[1];
    seal_by_hand(&hand, cek, &transfer, other);
    put_bundle("signed-by-a-co-recipient", "auth", "first");
    hand.signer = signer;
    hand.bad_padding = true;
    seal_by_hand(&hand, cek, &transfer, content);
    put_bundle("signed-with-bad-padding", "format", "first");
    end_file();
    sf_seal_fini(&seal);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_vectors FOLDER\n");
        return 2;
    }
    folder = argv[1];
    people_open(&people, 2026, 5);
    put_cbor();
    put_content();
    put_frames();
    put_deltas();
    put_manifest();
    put_card();
    put_receipts();
    put_cancel();
    put_bundles();
    put_letters();
    put_grants();
    people_close(&people);
    return EXIT_SUCCESS;
}
