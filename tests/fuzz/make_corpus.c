/*
 * make_corpus.c - writes the seeds of this room's fuzz corpora: make_corpus FOLDER
 *
 * Inputs found by fuzzing are added by hand beside them. Everything is drawn from a
 * seed, so a run repeats.
 */
#include "base/prng.h"
#include "bundle/manifest.h"
#include "bundle/piece.h"
#include "bundle/receipt.h"
#include "tests/hex.h"
#include "tests/unit/tensor_files.h"

#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 4096 };

static const char *folder;
static uint8_t out[BYTES_MAX];

static void
save(const char *target, const char *name, const uint8_t *data, size_t bytes)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

static void
save_hex(const char *target, const char *name, const char *hex)
{
    size_t bytes = hex_decode(hex, out, sizeof(out));

    if (bytes == SIZE_MAX) {
        fprintf(stderr, "make_corpus: %s: bad hex\n", name);
        exit(EXIT_FAILURE);
    }
    save(target, name, out, bytes);
}

static void
must(int status)
{
    if (status != SF_OK) {
        fprintf(stderr, "make_corpus: %s\n", sf_status_text(status));
        exit(EXIT_FAILURE);
    }
}

static void
make_cbor(void)
{
    save_hex("cbor", "nested", "83018202038204a2010261610380");
    save_hex("cbor", "numbers", "871718181901001a000100001b00000001000000002039ffff");
    save_hex("cbor", "strings", "8444 01020304 60 64f0908091 40");
    save_hex("cbor", "sign1", "d28443a10127a044010203044105");
    save_hex("cbor", "simple", "83f4f5f6");
    save_hex("cbor", "bomb", "9b0000000010000000");
    save_hex("cbor", "deep", "818181818181818181818180");
    save_hex("cbor", "keys", "a4 01002000410000 616100");
    save_hex("cbor", "indefinite", "9f00ff");
    save_hex("cbor", "float", "fa47c35000");
}

static void
make_content(void)
{
    struct sf_content_writer writer;
    struct sf_coded_frame frames[] = {
        {0, 0, SF_CODEC_RAW, 20, {(const uint8_t *)"twenty bytes of text", 20}},
        {0, 20, SF_CODEC_ZERO, 1 << 20, {NULL, 0}},
        {1, 0, SF_CODEC_LZ4, 70000, {(const uint8_t *)"\x1fx\x01\x00\xff\xff", 6}},
    };
    size_t offset = 0;

    sf_content_writer_init(&writer, out, 2048);
    (void)sf_content_add_outline(&writer, sf_view("outline", 7), &offset);
    for (size_t i = 0; i < 3; i++) {
        offset = 0;
        (void)sf_content_add_frame(&writer, &frames[i], &offset);
    }
    offset = 0;
    (void)sf_content_add_digests(&writer, sf_view("digests", 7), &offset);
    save("content", "whole", out, sf_content_finish(&writer));
    save_hex("content", "first_part", "81880200000104040042aabb");
    save_hex("content", "last_part", "82880200000104040242ccdd880200040102020042aabb");
    save_hex("content", "outline_part", "8184010104 41aa");
}

/* A coded frame as the fuzz target takes it: codec, length of the plaintext, coded bytes. */
static void
save_coded(const char *name, struct sf_coder *coder, const struct sf_frame *frame)
{
    struct sf_coded coded;

    sf_frame_encode(coder, frame, out + 4, &coded);
    if (coded.codec == SF_CODEC_RAW) {
        memcpy(out + 4, coded.bytes.data, coded.bytes.bytes);
    }
    sf_put_be32(out, (uint32_t)frame->plain.bytes);
    out[0] = (uint8_t)coded.codec;
    save("frame", name, out, coded.bytes.bytes + 4);
}

static void
make_frame(void)
{
    static const char word[] = "layers.weight";
    static uint8_t text[2000];
    static uint8_t numbers[4000];
    struct sf_frame frame = {.plain = sf_view(text, sizeof(text))};
    struct sf_coder *coder = NULL;
    struct sf_prng prng;

    must(sf_coder_open(&coder));
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)((size_t)word[i % 13] + i / 130 % 3);
    }
    save_coded("zstd", coder, &frame);
    frame.plain = sf_view(memset(text, 'x', 20), 20);
    text[0] = 'y';
    save_coded("lz4", coder, &frame);
    sf_prng_init(&prng, 4);
    for (size_t i = 0; i < sizeof(numbers); i++) {
        numbers[i] = i % 2 == 0 ? (uint8_t)sf_prng_below(&prng, 256)
                                : (uint8_t)(0x3b + sf_prng_below(&prng, 3));
    }
    frame = (struct sf_frame){sf_view(numbers, sizeof(numbers)), SF_ELEMENT_BF16, 2};
    save_coded("planes", coder, &frame);
    memset(numbers, 7, sizeof(numbers));
    frame = (struct sf_frame){sf_view(numbers, sizeof(numbers)), SF_ELEMENT_Q6_K, 9};
    save_coded("blocks", coder, &frame);
    save("frame", "plain_blocks", (const uint8_t *)"\x12\x03\x01\x01\x10 any shape, any bytes", 25);
    sf_coder_close(coder);
    save_hex("frame", "zero", "00001000");
    save_hex("frame", "raw", "01000004aabbccdd");
    save_hex("frame", "lz4_offset_zero", "020000201a000000");
    /* What stands behind a reference, which the target puts before it: 64 bytes of plaintext. */
    save_hex("frame", "same", "0000003f");
    save_hex("frame", "patch", "0100003f02000000000200000002000000020000000201000001030502 0100");
    save_hex("frame", "difference", "0200003f0100021f02010027500202020202");
    sf_prng_init(&prng, 5);
    sf_prng_fill(&prng, out, 300);
    out[0] = SF_CODEC_LZ4;
    save("frame", "junk", out, 300);
    memset(out, 0, 200);
    save("frame", "zeros", out, 200);
}

static void
make_manifest(void)
{
    struct sf_outline_file files[] = {
        {.path = "config.json", .bytes = 700, .mtime_ms = 1700000000000},
        {.path = "parts/00001.safetensors", .bytes = UINT64_C(4999999999), .mtime_ms = -1},
        {.path = "parts/run.sh", .bytes = 12, .executable = true},
    };
    struct sf_outline outline = {.label = "model",
        .class_bytes = 1 << 20,
        .frame_bytes = 1 << 20,
        .files = files,
        .file_count = 3};
    struct sf_file_digest sums[3] = {{{1}, 40}, {{2}, 41}, {{3}, 42}};
    struct sf_digests digests = {.bundle_count = 7, .files = sums, .file_count = 3};
    size_t bytes = 0;

    must(sf_outline_encode(&outline, out, sizeof(out), &bytes));
    save("outline", "folder", out, bytes);
    files[0].path = "m.gguf";
    outline.label = "m.gguf";
    outline.single = true;
    outline.file_count = 1;
    must(sf_outline_encode(&outline, out, sizeof(out), &bytes));
    save("outline", "single", out, bytes);
    outline.has_parent = true;
    outline.base_count = 1;
    outline.bases[0] = (struct sf_outline_base){.sha256 = {4}, .bytes = 700, .path = "old/m.gguf"};
    must(sf_outline_encode(&outline, out, sizeof(out), &bytes));
    save("outline", "base", out, bytes);

    out[0] = 2; /* three files, the first of 40 bytes */
    out[1] = 40;
    must(sf_digests_encode(&digests, out + 2, sizeof(out) - 2, &bytes));
    save("digests", "three", out, bytes + 2);
    digests.file_count = 1;
    out[0] = 0;
    must(sf_digests_encode(&digests, out + 2, sizeof(out) - 2, &bytes));
    save("digests", "one", out, bytes + 2);
}

/* A payload for the fuzz target to sign, all of its names zeros. */
static void
make_receipt(const char *name, enum sf_receipt_phase phase)
{
    struct sf_file_digest file = {{9}, 1000};
    struct sf_digest digest;
    struct sf_cbor_writer cbor;
    uint8_t zeros[32] = {0};
    bool is_whole = phase == SF_RECEIPT_VERIFIED || phase == SF_RECEIPT_FINAL;

    sf_cbor_writer_init(&cbor, out, sizeof(out));
    sf_cbor_write_array(&cbor, 13);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 16));
    sf_cbor_write_uint(&cbor, 3);
    sf_cbor_write_uint(&cbor, 70);
    sf_cbor_write_uint(&cbor, phase);
    sf_cbor_write_array(&cbor, is_whole ? 0 : 4);
    for (uint64_t i = 0; !is_whole && i < 4; i++) {
        sf_cbor_write_uint(&cbor, 100 * i);
    }
    if (is_whole) {
        sf_files_digest(&file, 1, &digest);
        sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
        sf_cbor_write_array(&cbor, 3);
        sf_cbor_write_uint(&cbor, 1);
        sf_cbor_write_bytes(&cbor, sf_view(digest.b, 32));
        sf_cbor_write_array(&cbor, 1);
        sf_cbor_write_array(&cbor, 2);
        sf_cbor_write_bytes(&cbor, sf_view(file.sha256, 32));
        sf_cbor_write_uint(&cbor, file.bytes);
    } else {
        sf_cbor_write_null(&cbor);
        sf_cbor_write_null(&cbor);
    }
    if (phase == SF_RECEIPT_REFUSED) {
        sf_cbor_write_array(&cbor, 3);
        sf_cbor_write_uint(&cbor, SF_REFUSAL_NO_SPACE);
        sf_cbor_write_bool(&cbor, true);
        sf_cbor_write_uint(&cbor, 1000000);
    } else {
        sf_cbor_write_null(&cbor);
    }
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 16));
    must(cbor.status);
    save("receipt", name, out, cbor.bytes);
}

static void
make_cancel(void)
{
    struct sf_cbor_writer cbor;
    uint8_t zeros[32] = {0};

    sf_cbor_writer_init(&cbor, out, sizeof(out));
    sf_cbor_write_array(&cbor, 4);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 32));
    sf_cbor_write_bytes(&cbor, sf_view(zeros, 16));
    sf_cbor_write_uint(&cbor, SF_CANCEL_EXPIRED);
    must(cbor.status);
    save("receipt", "cancel", out, cbor.bytes);
}

/* A file as the fuzz target takes it: no longer than it is, frames of 4 KiB. */
static void
save_tensors(const char *name, struct tensor_file *file)
{
    struct tensor_file whole = {NULL, 0};

    tensor_file_put(&whole, NULL, 2);
    tensor_file_put(&whole, file->data, file->bytes);
    save("tensors", name, whole.data, whole.bytes);
    tensor_file_free(&whole);
    tensor_file_free(file);
}

static void
make_tensors(void)
{
    struct tensor_file file =
        safetensors_file("{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"a\":{\"dtype\":\"BF16\",\"shape\":[50],\"data_offsets\":[0,100]},"
                         "\"b\":{\"dtype\":\"F32\",\"shape\":[25],\"data_offsets\":[100,200]}}",
            200);
    struct tensor_file graph = {NULL, 0};

    save_tensors("safetensors", &file);
    gguf_head(&file, 3, 2, 2);
    gguf_words(&file, "tokenizer.ggml.tokens", "word", 10);
    gguf_number(&file, "general.alignment", 64);
    gguf_info(&file, "output.weight", 12, 512, 0);
    gguf_info(&file, "norm.weight", 0, 10, 320);
    tensor_file_put(&file, NULL, 400);
    save_tensors("gguf", &file);
    onnx_bytes(&graph, 1, "a node", 6);
    onnx_tensor(&graph, "weight", 10, 9, 100);
    onnx_tensor(&graph, "bias", 1, 4, 40);
    onnx_model(&file, &graph);
    save_tensors("onnx", &file);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus FOLDER\n");
        return 2;
    }
    folder = argv[1];
    make_cbor();
    make_content();
    make_frame();
    make_manifest();
    make_receipt("held", SF_RECEIPT_HELD);
    make_receipt("verified", SF_RECEIPT_VERIFIED);
    make_receipt("final", SF_RECEIPT_FINAL);
    make_receipt("refused", SF_RECEIPT_REFUSED);
    make_cancel();
    make_tensors();
    return 0;
}
