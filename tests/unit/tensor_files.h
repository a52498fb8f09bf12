/*
 * tensor_files.h - small files of tensors, made in memory: for tests of their readers and for
 * the corpus of the fuzz target.
 */
#ifndef SF_TESTS_UNIT_TENSOR_FILES_H
#define SF_TESTS_UNIT_TENSOR_FILES_H

#include "bundle/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENSOR_FILE_BYTES_MAX = 40 << 20 };

struct tensor_file {
    uint8_t *data;
    size_t bytes;
};

static inline void
tensor_file_put(struct tensor_file *file, const void *bytes, size_t count)
{
    if (file->data == NULL) {
        file->data = calloc(1, TENSOR_FILE_BYTES_MAX);
    }
    if (file->data == NULL || count > TENSOR_FILE_BYTES_MAX - file->bytes) {
        fprintf(stderr, "tensor_files: no room\n");
        exit(EXIT_FAILURE);
    }
    if (bytes != NULL) {
        memcpy(file->data + file->bytes, bytes, count);
    }
    file->bytes += count;
}

static inline void
tensor_file_free(struct tensor_file *file)
{
    free(file->data);
    *file = (struct tensor_file){NULL, 0};
}

static inline void
tensor_file_le(struct tensor_file *file, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);

        tensor_file_put(file, &byte, 1);
    }
}

/* --- safetensors ------------------------------------------------------------------------ */

/* A file with this JSON and `data_bytes` zeros behind it. */
static inline struct tensor_file
safetensors_file(const char *json, size_t data_bytes)
{
    struct tensor_file file = {NULL, 0};

    tensor_file_le(&file, strlen(json), 8);
    tensor_file_put(&file, json, strlen(json));
    tensor_file_put(&file, NULL, data_bytes);
    return file;
}

/* --- GGUF ------------------------------------------------------------------------------- */

static inline void
gguf_text(struct tensor_file *file, const char *text)
{
    tensor_file_le(file, strlen(text), 8);
    tensor_file_put(file, text, strlen(text));
}

static inline void
gguf_head(struct tensor_file *file, unsigned version, uint64_t tensors, uint64_t pairs)
{
    tensor_file_put(file, "GGUF", 4);
    tensor_file_le(file, version, 4);
    tensor_file_le(file, tensors, 8);
    tensor_file_le(file, pairs, 8);
}

static inline void
gguf_number(struct tensor_file *file, const char *key, uint32_t value)
{
    gguf_text(file, key);
    tensor_file_le(file, 4, 4);
    tensor_file_le(file, value, 4);
}

static inline void
gguf_words(struct tensor_file *file, const char *key, const char *word, uint64_t count)
{
    gguf_text(file, key);
    tensor_file_le(file, 9, 4);
    tensor_file_le(file, 8, 4);
    tensor_file_le(file, count, 8);
    for (uint64_t i = 0; i < count; i++) {
        gguf_text(file, word);
    }
}

static inline void
gguf_info(
    struct tensor_file *file, const char *name, uint32_t type, uint64_t elements, uint64_t offset)
{
    gguf_text(file, name);
    tensor_file_le(file, 2, 4);
    tensor_file_le(file, elements, 8);
    tensor_file_le(file, 1, 8);
    tensor_file_le(file, type, 4);
    tensor_file_le(file, offset, 8);
}

/* --- ONNX ------------------------------------------------------------------------------- */

static inline void
onnx_varint(struct tensor_file *file, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

        tensor_file_put(file, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static inline void
onnx_number(struct tensor_file *file, unsigned field, uint64_t value)
{
    onnx_varint(file, (uint64_t)field << 3);
    onnx_varint(file, value);
}

/* A field of bytes; `bytes` may be NULL for zeros. */
static inline void
onnx_bytes(struct tensor_file *file, unsigned field, const void *bytes, size_t count)
{
    onnx_varint(file, (uint64_t)field << 3 | 2);
    onnx_varint(file, count);
    tensor_file_put(file, bytes, count);
}

static inline void
onnx_message(struct tensor_file *file, unsigned field, struct tensor_file *message)
{
    onnx_bytes(file, field, message->data, message->bytes);
    tensor_file_free(message);
}

/* An initializer: data in `field`, 9 for raw data. */
static inline void
onnx_tensor(
    struct tensor_file *graph, const char *name, unsigned type, unsigned field, size_t data_bytes)
{
    struct tensor_file tensor = {NULL, 0};

    onnx_number(&tensor, 1, data_bytes);
    onnx_number(&tensor, 2, type);
    onnx_bytes(&tensor, 8, name, strlen(name));
    onnx_bytes(&tensor, field, NULL, data_bytes);
    onnx_message(graph, 5, &tensor);
}

static inline void
onnx_model(struct tensor_file *model, struct tensor_file *graph)
{
    onnx_number(model, 1, 8);
    onnx_bytes(model, 2, "pytorch", 7);
    onnx_message(model, 7, graph);
}

#endif
