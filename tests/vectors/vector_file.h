/*
 * vector_file.h - reads the text files of golden vectors.
 *
 * A file is a row of stanzas separated by empty lines; a stanza is lines of
 * "key: value", values in lower-case hex unless the key says otherwise. Lines that
 * begin with '#' are comments. Instead of `object` a stanza may say `like: NAME`, a
 * stanza above it, and change that one's object by `patch: OFFSET HEX` (bytes written
 * over it) or `cut: BYTES` (its new length); every other field it does not have itself it
 * takes from there as well.
 */
#ifndef SF_TESTS_VECTORS_VECTOR_FILE_H
#define SF_TESTS_VECTORS_VECTOR_FILE_H

#include "base/bytes.h"
#include "tests/hex.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    VECTOR_FIELDS_MAX = 16,
    VECTORS_MAX = 256,
    VECTOR_FILE_BYTES_MAX = 4 << 20,
};

struct vector_field {
    const char *key;
    const char *value;
};

struct vector {
    struct vector_field fields[VECTOR_FIELDS_MAX];
    size_t count;
    const struct vector *like;
};

struct vector_file {
    char *text;
    struct vector *vectors;
    size_t count;
};

static inline void
vector_die(const char *what, const char *name)
{
    fprintf(stderr, "vectors: %s: %s\n", name, what);
    exit(EXIT_FAILURE);
}

/* The stanza's own value, or NULL. */
static inline const char *
vector_own(const struct vector *vector, const char *key)
{
    for (size_t i = 0; i < vector->count; i++) {
        if (strcmp(vector->fields[i].key, key) == 0) {
            return vector->fields[i].value;
        }
    }
    return NULL;
}

/* The value, here or in what this stanza is like; NULL if there is none. */
static inline const char *
vector_find(const struct vector *vector, const char *key)
{
    const char *value = vector_own(vector, key);

    return value == NULL && vector->like != NULL ? vector_find(vector->like, key) : value;
}

static inline const char *
vector_text(const struct vector *vector, const char *key)
{
    const char *value = vector_find(vector, key);

    if (value == NULL) {
        vector_die("a field is missing", key);
    }
    return value;
}

/* Bytes of a field, to be freed. */
static inline uint8_t *
vector_bytes(const struct vector *vector, const char *key, size_t *ret_bytes)
{
    const char *text = vector_text(vector, key);
    size_t room = strlen(text) / 2 + 1;
    uint8_t *bytes = malloc(room);

    *ret_bytes = bytes == NULL ? SIZE_MAX : hex_decode(text, bytes, room);
    if (*ret_bytes == SIZE_MAX) {
        vector_die("not hex", key);
    }
    return bytes;
}

/* The object of a stanza, with its patch, to be freed. */
static inline uint8_t *
vector_object(const struct vector *vector, size_t *ret_bytes)
{
    uint8_t *object = vector_bytes(vector, "object", ret_bytes);
    const char *patch = vector_own(vector, "patch");
    const char *cut = vector_own(vector, "cut");

    if (patch != NULL) {
        char *hex;
        size_t offset = (size_t)strtoul(patch, &hex, 10);

        if (offset > *ret_bytes ||
            hex_decode(hex, object + offset, *ret_bytes - offset) == SIZE_MAX) {
            vector_die("a patch that does not fit", patch);
        }
    }
    if (cut != NULL) {
        *ret_bytes = (size_t)strtoul(cut, NULL, 10);
    }
    return object;
}

static inline void
vector_file_line(struct vector_file *file, char *line, struct vector **stanza)
{
    char *colon = strstr(line, ": ");
    struct vector *vector = *stanza;

    if (line[0] == '\0') {
        *stanza = NULL;
        return;
    }
    if (line[0] == '#') {
        return;
    }
    if (colon == NULL) {
        vector_die("not a field", line);
    }
    if (vector == NULL) {
        if (file->count == VECTORS_MAX) {
            vector_die("too many stanzas", line);
        }
        vector = *stanza = &file->vectors[file->count++];
    }
    if (vector->count == VECTOR_FIELDS_MAX) {
        vector_die("too many fields", line);
    }
    *colon = '\0';
    vector->fields[vector->count++] = (struct vector_field){line, colon + 2};
    for (size_t i = 0; strcmp(line, "like") == 0 && i + 1 < file->count; i++) {
        if (strcmp(vector_text(&file->vectors[i], "name"), colon + 2) == 0) {
            vector->like = &file->vectors[i];
        }
    }
}

static inline void
vector_file_open(struct vector_file *file, const char *path)
{
    FILE *stream = fopen(path, "rb");
    struct vector *stanza = NULL;
    size_t bytes;

    file->text = malloc(VECTOR_FILE_BYTES_MAX);
    file->vectors = calloc(VECTORS_MAX, sizeof(*file->vectors));
    file->count = 0;
    if (stream == NULL || file->text == NULL || file->vectors == NULL) {
        vector_die("cannot be read", path);
    }
    bytes = fread(file->text, 1, VECTOR_FILE_BYTES_MAX - 1, stream);
    fclose(stream);
    file->text[bytes] = '\0';
    for (char *line = file->text; *line != '\0';) {
        char *end = strchr(line, '\n');

        if (end == NULL) {
            vector_die("the last line has no end", path);
        }
        *end = '\0';
        vector_file_line(file, line, &stanza);
        line = end + 1;
    }
}

static inline void
vector_file_close(struct vector_file *file)
{
    free(file->text);
    free(file->vectors);
}

#endif
