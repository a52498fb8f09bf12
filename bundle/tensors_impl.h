/*
 * tensors_impl.h - what tensors.c shares with the readers of each format.
 *
 * A reader gets the bytes from `at` on, takes what is whole of them, moves `at`, adds what it
 * took to `looked_at`, and says how to go on. It may move `at` beyond the window, to skip what does not concern it.
 */
#ifndef SF_BUNDLE_TENSORS_IMPL_H
#define SF_BUNDLE_TENSORS_IMPL_H

#include "bundle/tensors.h"

enum tensors_step {
    TENSORS_MORE, /* give the window at `at` */
    TENSORS_DONE,
    TENSORS_ODD, /* not what it seemed, or beyond a limit: nothing is known */
};

/* --- safetensors ------------------------------------------------------------------------ */

enum {
    JSON_DEPTH_MAX = 8,
    JSON_TEXT_BYTES = 16, /* of a string are kept: the longest that matters has 12 */
};

enum json_token {
    JSON_BETWEEN, /* none is begun */
    JSON_STRING,
    JSON_NUMBER,
    JSON_WORD, /* true, false, null */
};

struct safetensors {
    uint64_t data_at;      /* where the header ends */
    enum json_token token; /* under way */
    bool is_escaped;       /* the last byte of a string was a backslash */
    bool is_odd_number;    /* has a sign, a point, or too many digits */
    bool is_value;         /* behind a colon */
    bool is_over;          /* the outermost object was closed */
    unsigned depth;        /* of objects and arrays */
    unsigned arrays;       /* bit d is set if the d-th of them is an array */
    char text[JSON_TEXT_BYTES];
    size_t text_bytes; /* of the whole string */
    uint64_t hash;     /* of the whole string */
    uint64_t name;     /* the hash of the last one that stood in the outermost object */
    uint64_t number;
    unsigned field; /* of a tensor: which value follows */
    bool has_type;
    enum sf_element element;
    unsigned offset_count;
    uint64_t offsets[2];
};

/* --- GGUF ----------------------------------------------------------------------------- */

enum gguf_state {
    GGUF_HEAD,
    GGUF_PAIR,    /* a key and its value */
    GGUF_STRINGS, /* what is left of an array of strings */
    GGUF_INFO,    /* a tensor's */
};

struct gguf {
    enum gguf_state state;
    uint64_t pairs_left;
    uint64_t strings_left;
    uint64_t infos_left;
    uint32_t alignment;
};

/* --- ONNX ------------------------------------------------------------------------------ */

enum { ONNX_DEPTH = 3 }; /* model, graph, tensor */

struct onnx {
    unsigned depth;
    uint64_t ends[ONNX_DEPTH];
    enum sf_element element; /* of the tensor under way */
};

/* --- All of them ------------------------------------------------------------------------ */

struct sf_tensors {
    uint64_t file_bytes;
    enum sf_tensors_format format;
    bool is_done;
    uint64_t at;         /* what the reader needs next begins here */
    uint64_t looked_at;  /* bytes taken from windows, not skipped */
    uint32_t want_bytes; /* of the next window, if the file is long enough */
    union {
        struct safetensors safetensors;
        struct gguf gguf;
        struct onnx onnx;
    } of;
    struct sf_tensor *list;
    size_t count;
    size_t room;
};

/*
 * Put a tensor on the list. One that is empty or not within the file is passed over. False
 * if there are too many, or no memory for another.
 */
bool tensors_add(struct sf_tensors *tensors, const struct sf_tensor *tensor);

/* Begin and go on; `bytes` begin at tensors->at, and reach the end of the file if shorter than wanted. */
enum tensors_step safetensors_begin(struct sf_tensors *tensors, struct sf_view bytes);
enum tensors_step safetensors_read(struct sf_tensors *tensors, struct sf_view bytes);
enum tensors_step gguf_read(struct sf_tensors *tensors, struct sf_view bytes);
void onnx_begin(struct sf_tensors *tensors);
enum tensors_step onnx_read(struct sf_tensors *tensors, struct sf_view bytes);

/* A hash of a name, byte by byte (FNV-1a): a hint, which costs bytes when it is wrong. */
#define TENSORS_NAME_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t
tensors_name_add(uint64_t name, uint8_t byte)
{
    return (name ^ byte) * UINT64_C(0x100000001b3);
}

static inline uint32_t
le32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static inline uint64_t
le64(const uint8_t *from)
{
    return (uint64_t)le32(from) | (uint64_t)le32(from + 4) << 32;
}

#endif
