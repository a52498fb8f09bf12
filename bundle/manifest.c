/*
 * manifest.c - outline and digests, to and from CBOR.
 *
 *   outline  {1: version, 2: class, 3: frame-bytes, 4: label, 5: single, 6: total-bytes,
 *             7: [[[component, ...], bytes, mtime-ms, executable], ...]}
 *   digests  {1: version, 2: bundle-count, 3: [[sha256, bytes], ...]}
 *
 * Decoding walks the outline twice: first to check everything and to learn how much
 * memory it takes, then to fill that memory. Nothing is allocated for bytes that are
 * refused in the end.
 */
#include "bundle/manifest.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "bundle/class.h"
#include "bundle/labels.h"

#include <stdlib.h>

enum {
    OUTLINE_PAIRS = 7,
    OUTLINE_FILE_FIELDS = 4,
    DIGESTS_PAIRS = 3,
    DIGESTS_FILE_FIELDS = 2,
    DIGESTS_HEAD_BYTES = 24,     /* everything before the first file, at most */
    DIGESTS_FILE_BYTES_MAX = 44, /* 1 + 2 + 32 + 9 */
    FRAME_BYTES_MIN = 4096,
};

/* --- Names --------------------------------------------------------------------- */

static bool
is_component(const uint8_t *name, size_t bytes)
{
    if (bytes == 0 || bytes > SF_COMPONENT_BYTES_MAX) {
        return false;
    }
    if (name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'))) {
        return false;
    }
    return memchr(name, '/', bytes) == NULL && memchr(name, '\0', bytes) == NULL;
}

int
sf_path_check(const char *path, size_t bytes)
{
    size_t components = 0;
    size_t from = 0;

    if (bytes > SF_PATH_BYTES_MAX) {
        return SF_ELIMIT;
    }
    for (size_t at = 0; at <= bytes; at++) {
        if (at < bytes && path[at] != '/') {
            continue;
        }
        if (at - from > SF_COMPONENT_BYTES_MAX || ++components > SF_COMPONENTS_MAX) {
            return SF_ELIMIT;
        }
        if (!is_component((const uint8_t *)path + from, at - from)) {
            return SF_EFORMAT;
        }
        from = at + 1;
    }
    return SF_OK;
}

/* Rank of a byte of a path: the end first, then '/', so that components are compared whole. */
static unsigned
rank(char byte)
{
    return byte == '\0' ? 0 : byte == '/' ? 1 : (unsigned)(unsigned char)byte + 1;
}

int
sf_path_compare(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return (rank(*a) > rank(*b)) - (rank(*a) < rank(*b));
}

/* May `path` follow `before`: later in order, and not inside it as in a directory? */
static bool
may_follow(const char *before, const char *path)
{
    size_t bytes = strlen(before);

    /*
     * Whatever lies in the directory `before` comes directly behind it in this order,
     * so looking at neighbours finds every file that is a directory as well.
     */
    return sf_path_compare(before, path) < 0 &&
           !(strncmp(before, path, bytes) == 0 && path[bytes] == '/');
}

/* --- Outline: writing --------------------------------------------------------------- */

uint32_t
sf_outline_frame_bytes_for(uint32_t class_bytes)
{
    return class_bytes < SF_FRAME_BYTES_MAX ? class_bytes : SF_FRAME_BYTES_MAX;
}

static bool
is_frame_bytes(uint64_t frame_bytes, uint32_t class_bytes)
{
    return frame_bytes >= FRAME_BYTES_MIN &&
           frame_bytes <= sf_outline_frame_bytes_for(class_bytes) &&
           (frame_bytes & (frame_bytes - 1)) == 0;
}

static void
write_path(struct sf_cbor_writer *cbor, const char *path)
{
    uint64_t components = 1;
    const char *from = path;

    for (const char *at = path; *at != '\0'; at++) {
        components += *at == '/';
    }
    sf_cbor_write_array(cbor, components);
    for (const char *at = path;; at++) {
        if (*at == '/' || *at == '\0') {
            sf_cbor_write_bytes(cbor, sf_view(from, (size_t)(at - from)));
            from = at + 1;
        }
        if (*at == '\0') {
            break;
        }
    }
}

/* The rules that concern the outline as a whole; *ret_total is the sum of all files. */
static int
check_outline(const struct sf_outline *outline, uint64_t *ret_total)
{
    uint64_t total = 0;
    int status;

    if (outline->file_count > SF_OUTLINE_FILES_MAX) {
        return SF_ELIMIT;
    }
    if (!sf_class_is_data(outline->class_bytes) ||
        !is_frame_bytes(outline->frame_bytes, outline->class_bytes) ||
        !is_component((const uint8_t *)outline->label, strlen(outline->label)) ||
        outline->file_count == 0) {
        return SF_EFORMAT;
    }
    if (outline->single &&
        (outline->file_count != 1 || strcmp(outline->files[0].path, outline->label) != 0)) {
        return SF_EFORMAT;
    }
    for (uint32_t i = 0; i < outline->file_count; i++) {
        const struct sf_outline_file *file = &outline->files[i];

        status = sf_path_check(file->path, strlen(file->path));
        if (status != SF_OK) {
            return status;
        }
        if (i > 0 && !may_follow(outline->files[i - 1].path, file->path)) {
            return SF_EFORMAT;
        }
        if (file->bytes > SF_TRANSFER_BYTES_MAX - total) {
            return SF_ELIMIT;
        }
        total += file->bytes;
    }
    *ret_total = total;
    return SF_OK;
}

int
sf_outline_encode(
    const struct sf_outline *outline, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer cbor;
    uint64_t total = 0;
    int status = check_outline(outline, &total);

    if (status != SF_OK) {
        return status;
    }
    if (out == NULL || bytes_max > SF_OUTLINE_BYTES_MAX) {
        bytes_max = SF_OUTLINE_BYTES_MAX;
    }
    sf_cbor_writer_init(&cbor, out, bytes_max);
    sf_cbor_write_map(&cbor, OUTLINE_PAIRS);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, SF_MANIFEST_VERSION);
    sf_cbor_write_uint(&cbor, 2);
    sf_cbor_write_uint(&cbor, outline->class_bytes);
    sf_cbor_write_uint(&cbor, 3);
    sf_cbor_write_uint(&cbor, outline->frame_bytes);
    sf_cbor_write_uint(&cbor, 4);
    sf_cbor_write_bytes(&cbor, sf_view(outline->label, strlen(outline->label)));
    sf_cbor_write_uint(&cbor, 5);
    sf_cbor_write_bool(&cbor, outline->single);
    sf_cbor_write_uint(&cbor, 6);
    sf_cbor_write_uint(&cbor, total);
    sf_cbor_write_uint(&cbor, 7);
    sf_cbor_write_array(&cbor, outline->file_count);
    for (uint32_t i = 0; i < outline->file_count; i++) {
        sf_cbor_write_array(&cbor, OUTLINE_FILE_FIELDS);
        write_path(&cbor, outline->files[i].path);
        sf_cbor_write_uint(&cbor, outline->files[i].bytes);
        sf_cbor_write_int(&cbor, outline->files[i].mtime_ms);
        sf_cbor_write_bool(&cbor, outline->files[i].executable);
    }
    return sf_cbor_finish(&cbor, ret_bytes);
}

/* --- Outline: reading ---------------------------------------------------------------- */

/* What stands before the files. */
struct outline_head {
    uint64_t class_bytes;
    uint64_t frame_bytes;
    struct sf_view label;
    bool single;
    uint64_t total_bytes;
    uint64_t file_count;
};

/* One file as it stands on the wire. */
struct outline_entry {
    char path[SF_PATH_BYTES_MAX + 1];
    size_t path_bytes;
    uint64_t bytes;
    int64_t mtime_ms;
    bool executable;
};

/* Stops in front of the first file. Failures stick in `cbor`, so it is looked at once. */
static int
read_head(struct sf_cbor_reader *cbor, struct outline_head *head)
{
    int status = sf_cbor_expect_map(cbor, OUTLINE_PAIRS);

    *head = (struct outline_head){.label = {NULL, 0}};
    if (status != SF_OK || (status = sf_cbor_expect_uint(cbor, 1)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, SF_MANIFEST_VERSION)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, 2)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, UINT32_MAX, &head->class_bytes)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, 3)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, UINT32_MAX, &head->frame_bytes)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, 4)) != SF_OK ||
        (status = sf_cbor_read_bytes(cbor, SF_COMPONENT_BYTES_MAX, &head->label)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, 5)) != SF_OK ||
        (status = sf_cbor_read_bool(cbor, &head->single)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, 6)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_TRANSFER_BYTES_MAX, &head->total_bytes)) != SF_OK ||
        (status = sf_cbor_expect_uint(cbor, 7)) != SF_OK ||
        (status = sf_cbor_read_array(cbor, SF_OUTLINE_FILES_MAX, &head->file_count)) != SF_OK) {
        return status;
    }
    if (!sf_class_is_data(head->class_bytes) ||
        !is_frame_bytes(head->frame_bytes, (uint32_t)head->class_bytes) ||
        !is_component(head->label.data, head->label.bytes) || head->file_count == 0 ||
        (head->single && head->file_count != 1)) {
        return SF_EFORMAT;
    }
    return SF_OK;
}

/* The components of a path, joined with '/'. */
static int
read_path(struct sf_cbor_reader *cbor, struct outline_entry *entry)
{
    uint64_t components = 0;
    int status = sf_cbor_read_array(cbor, SF_COMPONENTS_MAX, &components);

    entry->path_bytes = 0;
    for (uint64_t i = 0; status == SF_OK && i < components; i++) {
        struct sf_view name = {NULL, 0};

        status = sf_cbor_read_bytes(cbor, SF_COMPONENT_BYTES_MAX, &name);
        if (status != SF_OK) {
            break;
        }
        if (!is_component(name.data, name.bytes)) {
            return SF_EFORMAT;
        }
        if (name.bytes + (i > 0) > SF_PATH_BYTES_MAX - entry->path_bytes) {
            return SF_ELIMIT;
        }
        if (i > 0) {
            entry->path[entry->path_bytes++] = '/';
        }
        memcpy(entry->path + entry->path_bytes, name.data, name.bytes);
        entry->path_bytes += name.bytes;
    }
    entry->path[entry->path_bytes] = '\0';
    return status != SF_OK ? status : components == 0 ? SF_EFORMAT : SF_OK;
}

static int
read_file(struct sf_cbor_reader *cbor, struct outline_entry *entry)
{
    int status = sf_cbor_expect_array(cbor, OUTLINE_FILE_FIELDS);

    if (status != SF_OK || (status = read_path(cbor, entry)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_TRANSFER_BYTES_MAX, &entry->bytes)) != SF_OK ||
        (status = sf_cbor_read_int(cbor, &entry->mtime_ms)) != SF_OK) {
        return status;
    }
    return sf_cbor_read_bool(cbor, &entry->executable);
}

/* Check all of an outline; *ret_names is what its paths and label take with their NULs. */
static int
check_encoded(struct sf_view encoded, struct outline_head *head, size_t *ret_names)
{
    struct outline_entry entries[2]; /* this one and the one before, by turns */
    struct sf_cbor_reader cbor;
    uint64_t total = 0;
    size_t names;
    int status;

    sf_cbor_reader_init(&cbor, encoded);
    status = read_head(&cbor, head);
    if (status != SF_OK) {
        return status;
    }
    names = head->label.bytes + 1;
    for (uint64_t i = 0; i < head->file_count; i++) {
        struct outline_entry *entry = &entries[i % 2];

        status = read_file(&cbor, entry);
        if (status != SF_OK) {
            return status;
        }
        if (i > 0 && !may_follow(entries[(i + 1) % 2].path, entry->path)) {
            return SF_EFORMAT;
        }
        if (entry->bytes > SF_TRANSFER_BYTES_MAX - total) {
            return SF_ELIMIT;
        }
        total += entry->bytes;
        names += entry->path_bytes + 1;
    }
    if (head->single &&
        !sf_view_equal(head->label, sf_view(entries[0].path, entries[0].path_bytes))) {
        return SF_EFORMAT;
    }
    if (total != head->total_bytes) {
        return SF_EFORMAT;
    }
    *ret_names = names;
    return sf_cbor_end(&cbor);
}

/* Copy a name to *at with a NUL, move *at behind it, and return the copy. */
static char *
put_name(char **at, const void *data, size_t bytes)
{
    char *name = *at;

    memcpy(name, data, bytes);
    name[bytes] = '\0';
    *at += bytes + 1;
    return name;
}

int
sf_outline_decode(struct sf_view encoded, struct sf_outline *ret_outline)
{
    struct outline_head head;
    struct outline_entry entry;
    struct sf_cbor_reader cbor;
    struct sf_outline outline = {.label = NULL};
    size_t names = 0;
    char *at;
    int status;

    if (encoded.bytes > SF_OUTLINE_BYTES_MAX) {
        return SF_ELIMIT;
    }
    status = check_encoded(encoded, &head, &names);
    if (status != SF_OK) {
        return status;
    }
    outline.memory = malloc((size_t)head.file_count * sizeof(*outline.files) + names);
    if (outline.memory == NULL) {
        return SF_ENOMEM;
    }
    outline.files = outline.memory;
    at = (char *)(outline.files + head.file_count);
    outline.label = put_name(&at, head.label.data, head.label.bytes);
    outline.single = head.single;
    outline.class_bytes = (uint32_t)head.class_bytes;
    outline.frame_bytes = (uint32_t)head.frame_bytes;
    outline.total_bytes = head.total_bytes;
    outline.file_count = (uint32_t)head.file_count;
    sf_cbor_reader_init(&cbor, encoded);
    status = read_head(&cbor, &head);
    sf_assert(status == SF_OK);
    for (uint32_t i = 0; i < outline.file_count; i++) {
        status = read_file(&cbor, &entry);
        sf_assert(status == SF_OK);
        outline.files[i] = (struct sf_outline_file){
            .path = put_name(&at, entry.path, entry.path_bytes),
            .bytes = entry.bytes,
            .mtime_ms = entry.mtime_ms,
            .executable = entry.executable,
        };
    }
    *ret_outline = outline;
    return SF_OK;
}

void
sf_outline_fini(struct sf_outline *outline)
{
    free(outline->memory);
    *outline = (struct sf_outline){.label = NULL};
}

/* --- Outline: frames ------------------------------------------------------------------- */

int
sf_outline_check_piece(const struct sf_outline *outline, const struct sf_piece *piece)
{
    uint64_t file_bytes;

    if (piece->type != SF_PIECE_FRAME) {
        return SF_OK;
    }
    if (piece->file >= outline->file_count || piece->plain_bytes > outline->frame_bytes) {
        return SF_EFORMAT;
    }
    file_bytes = outline->files[piece->file].bytes;
    return piece->offset < file_bytes && piece->plain_bytes <= file_bytes - piece->offset
               ? SF_OK
               : SF_EFORMAT;
}

/* --- Digests ----------------------------------------------------------------------------- */

size_t
sf_digests_bytes_max(uint32_t file_count)
{
    return DIGESTS_HEAD_BYTES + (size_t)file_count * DIGESTS_FILE_BYTES_MAX;
}

int
sf_digests_encode(
    const struct sf_digests *digests, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct sf_cbor_writer cbor;

    if (digests->file_count > SF_OUTLINE_FILES_MAX || digests->bundle_count > SF_BUNDLES_MAX) {
        return SF_ELIMIT;
    }
    if (digests->file_count == 0 || digests->bundle_count == 0) {
        return SF_EFORMAT;
    }
    sf_cbor_writer_init(&cbor, out, out == NULL ? SF_DIGESTS_BYTES_MAX : bytes_max);
    sf_cbor_write_map(&cbor, DIGESTS_PAIRS);
    sf_cbor_write_uint(&cbor, 1);
    sf_cbor_write_uint(&cbor, SF_MANIFEST_VERSION);
    sf_cbor_write_uint(&cbor, 2);
    sf_cbor_write_uint(&cbor, digests->bundle_count);
    sf_cbor_write_uint(&cbor, 3);
    sf_cbor_write_array(&cbor, digests->file_count);
    for (uint32_t i = 0; i < digests->file_count; i++) {
        if (digests->files[i].bytes > SF_TRANSFER_BYTES_MAX) {
            return SF_ELIMIT;
        }
        sf_cbor_write_array(&cbor, DIGESTS_FILE_FIELDS);
        sf_cbor_write_bytes(
            &cbor, sf_view(digests->files[i].sha256, sizeof(digests->files[i].sha256)));
        sf_cbor_write_uint(&cbor, digests->files[i].bytes);
    }
    return sf_cbor_finish(&cbor, ret_bytes);
}

/* Read the digests of all files into `files`; with `files` NULL they are only checked. */
static int
read_digests(struct sf_view encoded, const struct sf_outline *outline, uint64_t *ret_bundles,
    struct sf_file_digest *files)
{
    struct sf_cbor_reader cbor;
    uint64_t bundles = 0;
    int status;

    sf_cbor_reader_init(&cbor, encoded);
    if ((status = sf_cbor_expect_map(&cbor, DIGESTS_PAIRS)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, 1)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, SF_MANIFEST_VERSION)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, 2)) != SF_OK ||
        (status = sf_cbor_read_uint(&cbor, SF_BUNDLES_MAX, &bundles)) != SF_OK ||
        (status = sf_cbor_expect_uint(&cbor, 3)) != SF_OK ||
        (status = sf_cbor_expect_array(&cbor, outline->file_count)) != SF_OK) {
        return status;
    }
    for (uint32_t i = 0; i < outline->file_count; i++) {
        struct sf_file_digest digest = {.bytes = 0};

        if ((status = sf_cbor_expect_array(&cbor, DIGESTS_FILE_FIELDS)) != SF_OK ||
            (status = sf_cbor_read_fixed(&cbor, digest.sha256, sizeof(digest.sha256))) != SF_OK ||
            (status = sf_cbor_read_uint(&cbor, SF_TRANSFER_BYTES_MAX, &digest.bytes)) != SF_OK) {
            return status;
        }
        if (digest.bytes != outline->files[i].bytes) {
            return SF_EFORMAT;
        }
        if (files != NULL) {
            files[i] = digest;
        }
    }
    *ret_bundles = bundles;
    return bundles == 0 ? SF_EFORMAT : sf_cbor_end(&cbor);
}

int
sf_digests_decode(
    struct sf_view encoded, const struct sf_outline *outline, struct sf_digests *ret_digests)
{
    struct sf_digests digests = {.file_count = outline->file_count};
    int status;

    if (encoded.bytes > SF_DIGESTS_BYTES_MAX) {
        return SF_ELIMIT;
    }
    status = read_digests(encoded, outline, &digests.bundle_count, NULL);
    if (status != SF_OK) {
        return status;
    }
    digests.memory = malloc((size_t)digests.file_count * sizeof(*digests.files));
    if (digests.memory == NULL) {
        return SF_ENOMEM;
    }
    digests.files = digests.memory;
    status = read_digests(encoded, outline, &digests.bundle_count, digests.files);
    sf_assert(status == SF_OK);
    *ret_digests = digests;
    return SF_OK;
}

void
sf_digests_fini(struct sf_digests *digests)
{
    free(digests->memory);
    *digests = (struct sf_digests){.bundle_count = 0};
}

void
sf_manifest_digest(struct sf_view outline, struct sf_view digests, struct sf_digest *ret_digest)
{
    struct sf_view label = SF_LABEL_VIEW(SF_LABEL_MANIFEST);
    struct sf_sha256 hash;

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, label.data, label.bytes);
    sf_sha256_update(&hash, outline.data, outline.bytes);
    sf_sha256_update(&hash, digests.data, digests.bytes);
    sf_sha256_final(&hash, ret_digest->b);
}
