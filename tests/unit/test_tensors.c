/*
 * test_tensors.c - readers of files of tensors: what they find, and what they make of anything else.
 */
#include "base/prng.h"
#include "tests/unit/check.h"
#include "tests/unit/tensor_files.h"

static struct sf_tensors *tensors;
static const struct sf_tensor *list;
static size_t count;
static size_t windows;
static size_t window_bytes;

/* Read `file` as if it were `file_bytes` long; windows are copies, so that reading too far shows. */
static void
read_as(const struct tensor_file *file, uint64_t file_bytes)
{
    uint64_t offset;
    uint32_t bytes;

    if (tensors == NULL) {
        REQUIRE_EQ(sf_tensors_open(&tensors), SF_OK);
    }
    windows = 0;
    window_bytes = 0;
    sf_tensors_begin(tensors, file_bytes);
    while (sf_tensors_wants(tensors, &offset, &bytes)) {
        uint8_t *copy = calloc(1, bytes);

        REQUIRE(copy != NULL);
        REQUIRE(bytes > 0 && bytes <= SF_TENSORS_WINDOW_BYTES_MAX);
        REQUIRE(offset < file_bytes && bytes <= file_bytes - offset);
        if (offset < file->bytes) {
            size_t there = file->bytes - (size_t)offset;

            memcpy(copy, file->data + offset, bytes < there ? bytes : there);
        }
        sf_tensors_input(tensors, sf_view(copy, bytes));
        free(copy);
        windows++;
        window_bytes += bytes;
    }
    list = sf_tensors_list(tensors, &count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(list[i].bytes > 0 && list[i].offset < file_bytes);
        REQUIRE(list[i].bytes <= file_bytes - list[i].offset);
        REQUIRE(i == 0 || list[i].offset >= list[i - 1].offset + list[i - 1].bytes);
    }
}

static void
read_and_free(struct tensor_file file)
{
    read_as(&file, file.bytes);
    tensor_file_free(&file);
}

static void
check_tensor(size_t i, enum sf_element element, uint64_t offset, uint64_t bytes)
{
    REQUIRE(i < count);
    CHECK_EQ(list[i].element, element);
    CHECK_EQ(list[i].offset, offset);
    CHECK_EQ(list[i].bytes, bytes);
}

/* --- safetensors ------------------------------------------------------------------------ */

static void
test_safetensors(void)
{
    static const char json[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"dtype\":\"F32\"},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[4,25],\"data_offsets\":[100,300]},"
        "\"a \\\"quoted\\\" {\":{\"data_offsets\" : [ 0 , 100 ], \"shape\":[], "
        "\"dtype\":\"F8_E4M3\"},\n"
        "\"c\":{\"dtype\":\"F32\",\"shape\":[50],\"data_offsets\":[300,500],\"more\":{\"dtype\":"
        "\"I8\"}},"
        "\"d\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[500,501]}}   ";
    uint64_t data = 8 + strlen(json);

    read_and_free(safetensors_file(json, 600));
    CHECK_EQ(sf_tensors_format(tensors), SF_TENSORS_SAFETENSORS);
    CHECK_EQ(count, 4);
    check_tensor(0, SF_ELEMENT_FP8, data, 100);
    check_tensor(1, SF_ELEMENT_BF16, data + 100, 200);
    check_tensor(2, SF_ELEMENT_FP32, data + 300, 200);
    check_tensor(3, SF_ELEMENT_OPAQUE, data + 500, 1);
}

static const char two_tensors[] =
    "{\"a\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[0,100]},"
    "\"b\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[%s]}}";

/* The same name has the same hash, wherever its tensor stands, and another one another. */
static void
test_names(void)
{
    uint64_t a;
    uint64_t b;

    read_and_free(
        safetensors_file("{\"__metadata__\":{\"x\":\"y\"},\"layer.a\":{\"dtype\":\"BF16\","
                         "\"shape\":[8],\"data_offsets\":[0,16]},\"layer.b\":{\"dtype\":"
                         "\"BF16\",\"data_offsets\":[16,48]}}",
            48));
    REQUIRE_EQ(count, 2);
    a = list[0].name;
    b = list[1].name;
    CHECK(a != 0 && b != 0 && a != b);
    read_and_free(safetensors_file(
        "{ \"layer.b\" : {\"data_offsets\":[0,32],\"dtype\":\"BF16\"}, \"layer.a\":"
        "{\"dtype\":\"BF16\",\"data_offsets\":[32,48]},\"c\":{\"dtype\":\"I8\",\"data_offsets\":["
        "48,49]}}",
        49));
    REQUIRE_EQ(count, 3);
    CHECK(list[0].name == b);
    CHECK(list[1].name == a);
    CHECK(list[2].name != a && list[2].name != b);
}

static void
test_safetensors_odd_offsets(void)
{
    static const struct {
        const char *offsets;
        size_t count;
    } samples[] = {
        {"100,200", 2}, {"200,100", 1},  /* ends before it begins */
        {"100,100", 1},                  /* nothing */
        {"50,150", 1},                   /* over another */
        {"0,100", 1},                    /* the same */
        {"100,1000000", 1},              /* past the end */
        {"100,200,300", 1},              /* three */
        {"100", 1},                      /* one */
        {"", 1},                         /* none */
        {"-100,200", 1},                 /* negative */
        {"100,2e2", 1},                  /* not a whole number */
        {"100,99999999999999999999", 1}, /* beyond 64 bits */
        {"\"100\",\"200\"", 1},          /* texts */
        {"[100,200]", 1},                /* too deep */
    };
    char json[512];

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        snprintf(json, sizeof(json), two_tensors, samples[i].offsets);
        read_and_free(safetensors_file(json, 400));
        CHECK_EQ(count, samples[i].count);
    }
}

static void
test_safetensors_malformed(void)
{
    static const char *const samples[] = {
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[0,100]}",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[0,100]}}}",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[0,100}]}",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[0,100]}} {",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[50],\"data_offsets\":[0,100]}} x",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[[[[[[[[[50]]]]]]]]],\"data_offsets\":[0,100]}}",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":?,\"data_offsets\":[0,100]}}",
        "{\"a\":{\"dtype\":\"F16\",\"data_offsets\":[0,100]},\"b",
    };
    struct tensor_file file;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        read_and_free(safetensors_file(samples[i], 400));
        CHECK_EQ(count, 0);
    }
    /* The length passes the file, or what may be looked at. */
    file = safetensors_file("{\"a\":{\"dtype\":\"F16\",\"data_offsets\":[0,1]}}", 100);
    read_as(&file, file.bytes);
    CHECK_EQ(count, 1);
    memset(file.data + 2, 1, 1);
    read_as(&file, file.bytes);
    CHECK_EQ(count, 0);
    memset(file.data + 3, 0xff, 5);
    read_as(&file, UINT64_MAX);
    CHECK_EQ(count, 0);
    CHECK_EQ(windows, 1);
    tensor_file_free(&file);
}

/* A header of more than one window, and one with more tensors than are kept. */
static void
test_safetensors_long(void)
{
    size_t bytes_max = 16 << 20;
    char *json = malloc(bytes_max);
    size_t many[] = {3000, SF_TENSORS_MAX, SF_TENSORS_MAX + 1};

    REQUIRE(json != NULL);
    for (size_t turn = 0; turn < 3; turn++) {
        size_t at = 0;

        json[at++] = '{';
        /* From the last to the first: the list is sorted. */
        for (size_t i = many[turn]; i-- > 0;) {
            at += (size_t)snprintf(json + at, bytes_max - at,
                "\"%zu\":{\"dtype\":\"F16\",\"data_offsets\":[%zu,%zu]},", i, 2 * i, 2 * i + 2);
        }
        json[at - 1] = '}';
        json[at] = '\0';
        read_and_free(safetensors_file(json, 2 * many[turn]));
        CHECK_EQ(count, many[turn] > SF_TENSORS_MAX ? 0 : many[turn]);
    }
    CHECK(windows > 100);
    free(json);
}

/* --- GGUF ------------------------------------------------------------------------------- */

static struct tensor_file
small_gguf(unsigned version, uint32_t alignment, uint64_t last_offset)
{
    struct tensor_file file = {NULL, 0};

    gguf_head(&file, version, 3, 3);
    gguf_number(&file, "general.file_type", 2);
    gguf_words(&file, "tokenizer.ggml.tokens", "word", 20000);
    gguf_number(&file, "general.alignment", alignment);
    gguf_info(&file, "blk.0.attn_q.weight", 2, 64, 0);
    gguf_info(&file, "blk.0.norm.weight", 0, 10, 64);
    gguf_info(&file, "blk.0.strange.weight", 99, 10, last_offset);
    tensor_file_put(&file, NULL, 1000);
    return file;
}

static void
test_gguf(void)
{
    for (unsigned version = 1; version < 5; version++) {
        struct tensor_file file = small_gguf(version, 64, 128);
        uint64_t data = (file.bytes - 1000 + 63) / 64 * 64;

        read_as(&file, file.bytes);
        tensor_file_free(&file);
        CHECK_EQ(sf_tensors_format(tensors), SF_TENSORS_GGUF);
        if (version != 2 && version != 3) {
            CHECK_EQ(count, 0);
            continue;
        }
        CHECK_EQ(count, 2);
        check_tensor(0, SF_ELEMENT_Q4_0, data, 36);
        check_tensor(1, SF_ELEMENT_FP32, data + 64, 40);
    }
}

static void
test_gguf_odd(void)
{
    struct tensor_file file = {NULL, 0};
    uint8_t *kept;
    size_t bytes;

    read_and_free(small_gguf(3, 0, 0));
    CHECK_EQ(count, 0);
    read_and_free(small_gguf(3, UINT32_MAX, 0));
    CHECK_EQ(count, 0);
    /* Tensors without end, pairs without end, and a name, an array, a text without end. */
    for (size_t at = 8; at < 100; at++) {
        file = small_gguf(3, 32, 0);
        memset(file.data + at, 0xff, 8);
        read_as(&file, file.bytes);
        read_as(&file, UINT64_MAX);
        CHECK(windows < 1000);
        tensor_file_free(&file);
    }
    /* Cut anywhere. */
    file = small_gguf(3, 32, 0);
    kept = file.data;
    bytes = file.bytes;
    for (size_t cut = 0; cut < bytes - 1000; cut += cut < 200 ? 1 : 997) {
        read_as(&file, cut);
        CHECK_EQ(count, 0);
    }
    free(kept);
    /* Dimensions that multiply beyond 64 bits, and a tensor past the end. */
    file = (struct tensor_file){NULL, 0};
    gguf_head(&file, 3, 3, 0);
    gguf_info(&file, "a", 0, UINT64_MAX, 0);
    gguf_info(&file, "b", 0, UINT64_C(1) << 40, 0);
    gguf_info(&file, "c", 0, 10, 32);
    tensor_file_put(&file, NULL, 200);
    read_and_free(file);
    CHECK_EQ(count, 1);
}

/* A header longer than what is looked at. */
static void
test_gguf_long(void)
{
    struct tensor_file file = {NULL, 0};

    gguf_head(&file, 3, 1, 1);
    gguf_words(&file, "tokenizer.ggml.tokens", "0123456789abcdef", 800000);
    gguf_info(&file, "a", 0, 10, 0);
    tensor_file_put(&file, NULL, 1000);
    read_and_free(file);
    CHECK_EQ(count, 0);
    CHECK(window_bytes < SF_TENSORS_HEADER_BYTES_MAX + 2 * SF_TENSORS_WINDOW_BYTES_MAX);
}

/* --- ONNX ------------------------------------------------------------------------------- */

static struct tensor_file
small_onnx(void)
{
    struct tensor_file model = {NULL, 0};
    struct tensor_file graph = {NULL, 0};

    for (unsigned i = 0; i < 200; i++) {
        onnx_bytes(&graph, 1, "a node of the graph", 19);
    }
    onnx_tensor(&graph, "conv.weight", 10, 9, 70001);
    onnx_tensor(&graph, "conv.bias", 1, 9, 64);
    onnx_tensor(&graph, "scale", 1, 4, 40);
    onnx_tensor(&graph, "zero", 10, 5, 40);
    onnx_tensor(&graph, "of no known type", 99, 9, 40);
    onnx_bytes(&graph, 2, "main_graph", 10);
    onnx_model(&model, &graph);
    onnx_bytes(&model, 8, "\x10\x11", 2);
    return model;
}

static void
test_onnx(void)
{
    struct tensor_file file = small_onnx();

    read_as(&file, file.bytes);
    CHECK_EQ(sf_tensors_format(tensors), SF_TENSORS_ONNX);
    REQUIRE_EQ(count, 4);
    check_tensor(0, SF_ELEMENT_FP16, list[0].offset, 70001);
    check_tensor(1, SF_ELEMENT_FP32, list[1].offset, 64);
    check_tensor(2, SF_ELEMENT_FP32, list[2].offset, 40);
    check_tensor(3, SF_ELEMENT_OPAQUE, list[3].offset, 40);
    CHECK(file.data[list[0].offset - 1] == 0x04); /* the end of the length, 70001 */
    CHECK(list[1].offset - list[0].offset - list[0].bytes < 40);
    /* Weights are skipped, not read. */
    CHECK(window_bytes < 20000);
    /* The first piece of one that was cut into pieces. */
    read_as(&file, list[0].offset + 5000);
    CHECK_EQ(count, 1);
    CHECK_EQ(list[0].bytes, 5000);
    tensor_file_free(&file);
}

static void
test_onnx_malformed(void)
{
    struct tensor_file file = small_onnx();
    struct sf_prng prng;

    sf_prng_init(&prng, 5);
    for (size_t cut = 0; cut < file.bytes; cut += 1 + cut / 100) {
        read_as(&file, cut);
    }
    for (unsigned i = 0; i < 20000; i++) {
        size_t at = sf_prng_below(&prng, i % 2 == 0 ? 4400 : file.bytes);
        uint8_t was = file.data[at];

        file.data[at] = (uint8_t)sf_prng_below(&prng, 256);
        read_as(&file, file.bytes);
        file.data[at] = was;
    }
    /* A tensor that passes its graph. */
    tensor_file_free(&file);
    onnx_number(&file, 1, 8);
    onnx_varint(&file, 7 << 3 | 2);
    onnx_varint(&file, 40);
    onnx_varint(&file, 5 << 3 | 2);
    onnx_varint(&file, 100);
    tensor_file_put(&file, NULL, 1000);
    read_as(&file, file.bytes);
    CHECK_EQ(count, 0);
    tensor_file_free(&file);
    /* Fields without end: what is looked at is bounded, not by the length of the file. */
    onnx_number(&file, 1, 8);
    for (size_t i = 0; i < 12 << 20; i++) {
        tensor_file_put(&file, "\x28\x01", 2);
    }
    read_as(&file, file.bytes);
    CHECK_EQ(count, 0);
    CHECK(window_bytes < SF_TENSORS_HEADER_BYTES_MAX + 2 * SF_TENSORS_WINDOW_BYTES_MAX);
    tensor_file_free(&file);
}

/* --- Anything else ------------------------------------------------------------------------ */

static void
test_others(void)
{
    struct tensor_file file = {NULL, 0};
    struct sf_prng prng;

    sf_prng_init(&prng, 6);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t junk[300];

        sf_prng_fill(&prng, junk, sizeof(junk));
        junk[0] = i % 3 == 0 ? 0x08 : junk[0];
        junk[2] = i % 3 == 0 ? 0x12 : junk[2];
        tensor_file_put(&file, junk, sizeof(junk));
        read_as(&file, file.bytes);
        read_as(&file, UINT64_MAX);
        file.bytes = 0;
    }
    memset(file.data, 0, 1000);
    read_as(&file, 1000);
    CHECK_EQ(count, 0);
    CHECK_EQ(windows, 1);
    read_as(&file, 0);
    CHECK_EQ(windows, 0);
    read_as(&file, 63);
    CHECK_EQ(windows, 0);
    tensor_file_free(&file);
    sf_tensors_close(tensors);
}

CHECK_MAIN("tensors", {"a safetensors file says where its tensors are", test_safetensors},
    {"a tensor's name tells it apart, wherever it stands", test_names},
    {"offsets that cannot be are passed over", test_safetensors_odd_offsets},
    {"a header that is no JSON tells nothing", test_safetensors_malformed},
    {"a header may be long, and hold 200,000 tensors", test_safetensors_long},
    {"a GGUF file says where its tensors are", test_gguf},
    {"a GGUF header that is odd or cut tells nothing", test_gguf_odd},
    {"no more than 16 MiB of a header are looked at", test_gguf_long},
    {"an ONNX model is walked through, also the first piece of one", test_onnx},
    {"a message that is no model tells nothing, and costs little", test_onnx_malformed},
    {"any other bytes tell nothing", test_others})
