/*
 * manifest.c - the outline, to and from CBOR.
 *
 *   outline  {1: version, 2: class, 3: frame-bytes, 4: label, 5: single, 6: total-bytes,
 *             7: [[[component, ...], bytes, mtime-ms, executable], ...],
 *             8: [transfer, [[file, sha256, bytes, [component, ...]], ...]],    only with bases
 *             9: parent}                                                     only with a parent
 *
 * Decoding walks the outline twice: first to check everything and to learn how much
 * memory it takes, then to fill that memory. Nothing is allocated for bytes that are
 * refused in the end.
 */
#include "bundle/manifest.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "bundle/class.h"
#include "bundle/delta.h"
#include "bundle/labels.h"

#include <stdlib.h>

enum {
    OUTLINE_PAIRS = 7,
    OUTLINE_FILE_FIELDS = 4,
    OUTLINE_BASES_FIELDS = 2,
    OUTLINE_BASE_FIELDS = 4,
    OUTLINE_KEY_BASES = 8,
    OUTLINE_KEY_PARENT = 9,
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
    uint64_t components = *path == '\0' ? 0 : 1;
    const char *from = path;

    for (const char *at = path; *at != '\0'; at++) {
        components += *at == '/';
    }
    sf_cbor_write_array(cbor, components);
    for (const char *at = path; components > 0; at++) {
        if (*at == '/' || *at == '\0') {
            sf_cbor_write_bytes(cbor, sf_view(from, (size_t)(at - from)));
            from = at + 1;
        }
        if (*at == '\0') {
            break;
        }
    }
}

static int
check_bases(const struct sf_outline *outline)
{
    if (outline->base_count > SF_OUTLINE_BASES_MAX) {
        return SF_ELIMIT;
    }
    for (uint32_t i = 0; i < outline->base_count; i++) {
        const struct sf_outline_base *base = &outline->bases[i];
        int status = base->path[0] == '\0' ? SF_OK : sf_path_check(base->path, strlen(base->path));

        if (status != SF_OK) {
            return status;
        }
        if (base->file >= outline->file_count || base->bytes > SF_TRANSFER_BYTES_MAX ||
            (i > 0 && outline->bases[i - 1].file >= base->file)) {
            return SF_EFORMAT;
        }
    }
    return SF_OK;
}

static void
write_bases(struct sf_cbor_writer *cbor, const struct sf_outline *outline)
{
    sf_cbor_write_uint(cbor, OUTLINE_KEY_BASES);
    sf_cbor_write_array(cbor, OUTLINE_BASES_FIELDS);
    sf_cbor_write_bytes(cbor, sf_view(outline->base_transfer.b, sizeof(outline->base_transfer.b)));
    sf_cbor_write_array(cbor, outline->base_count);
    for (uint32_t i = 0; i < outline->base_count; i++) {
        const struct sf_outline_base *base = &outline->bases[i];

        sf_cbor_write_array(cbor, OUTLINE_BASE_FIELDS);
        sf_cbor_write_uint(cbor, base->file);
        sf_cbor_write_bytes(cbor, sf_view(base->sha256, sizeof(base->sha256)));
        sf_cbor_write_uint(cbor, base->bytes);
        write_path(cbor, base->path);
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
    return check_bases(outline);
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
    sf_cbor_write_map(&cbor,
        OUTLINE_PAIRS + (outline->base_count > 0 ? 1U : 0U) + (outline->has_parent ? 1U : 0U));
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
    if (outline->base_count > 0) {
        write_bases(&cbor, outline);
    }
    if (outline->has_parent) {
        sf_cbor_write_uint(&cbor, OUTLINE_KEY_PARENT);
        sf_cbor_write_bytes(&cbor, sf_view(outline->parent.b, sizeof(outline->parent.b)));
    }
    return sf_cbor_finish(&cbor, ret_bytes);
}

/* --- Outline: reading ---------------------------------------------------------------- */

/* What stands before the files. */
struct outline_head {
    uint64_t pairs;
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
    int status;

    *head = (struct outline_head){.label = {NULL, 0}};
    status = sf_cbor_read_map(cbor, OUTLINE_PAIRS + 2, &head->pairs);
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
    if (head->pairs < OUTLINE_PAIRS || !sf_class_is_data(head->class_bytes) ||
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
    return status;
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
    return entry->path_bytes == 0 ? SF_EFORMAT : sf_cbor_read_bool(cbor, &entry->executable);
}

/* Bytes of exactly this length. */
static int
read_exactly(struct sf_cbor_reader *cbor, size_t bytes, uint8_t *out)
{
    struct sf_view view = {NULL, 0};
    int status = sf_cbor_read_bytes(cbor, bytes, &view);

    if (status == SF_OK && view.bytes != bytes) {
        status = SF_EFORMAT;
    }
    if (status == SF_OK) {
        memcpy(out, view.data, bytes);
    }
    return status;
}

static char *put_name(char **at, const void *data, size_t bytes);

/* One base; its path goes to *names if there is room for names, and counts in any case. */
static int
read_base(
    struct sf_cbor_reader *cbor, struct sf_outline_base *base, char **names, size_t *name_bytes)
{
    struct outline_entry entry;
    uint64_t file = 0;
    int status = sf_cbor_expect_array(cbor, OUTLINE_BASE_FIELDS);

    if (status != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_OUTLINE_FILES_MAX - 1, &file)) != SF_OK ||
        (status = read_exactly(cbor, sizeof(base->sha256), base->sha256)) != SF_OK ||
        (status = sf_cbor_read_uint(cbor, SF_TRANSFER_BYTES_MAX, &base->bytes)) != SF_OK ||
        (status = read_path(cbor, &entry)) != SF_OK) {
        return status;
    }
    base->file = (uint32_t)file;
    base->path = "";
    *name_bytes += entry.path_bytes + 1;
    if (*names != NULL) {
        base->path = put_name(names, entry.path, entry.path_bytes);
    }
    return SF_OK;
}

/* What may stand behind the files: bases and a parent. `names` as in read_base(). */
static int
read_tail(struct sf_cbor_reader *cbor, const struct outline_head *head, struct sf_outline *outline,
    char **names, size_t *name_bytes)
{
    uint64_t keys = head->pairs - OUTLINE_PAIRS;
    uint64_t count = 0;
    uint64_t key = 0;
    int status = SF_OK;

    for (uint64_t i = 0; status == SF_OK && i < keys; i++) {
        /* Ascending and not twice: the reader sees to that. */
        status = sf_cbor_read_uint(cbor, OUTLINE_KEY_PARENT, &key);
        if (status == SF_OK && key == OUTLINE_KEY_PARENT) {
            outline->has_parent = true;
            status = read_exactly(cbor, sizeof(outline->parent.b), outline->parent.b);
            continue;
        }
        if (status != SF_OK ||
            (status = sf_cbor_expect_array(cbor, OUTLINE_BASES_FIELDS)) != SF_OK ||
            (status = read_exactly(
                 cbor, sizeof(outline->base_transfer.b), outline->base_transfer.b)) != SF_OK ||
            (status = sf_cbor_read_array(cbor, SF_OUTLINE_BASES_MAX, &count)) != SF_OK) {
            return status;
        }
        outline->base_count = (uint32_t)count;
        for (uint64_t n = 0; status == SF_OK && n < count; n++) {
            status = read_base(cbor, &outline->bases[n], names, name_bytes);
            if (status == SF_OK &&
                (outline->bases[n].file >= head->file_count ||
                    (n > 0 && outline->bases[n - 1].file >= outline->bases[n].file))) {
                status = SF_EFORMAT;
            }
        }
        if (status == SF_OK && (count == 0 || key != OUTLINE_KEY_BASES)) {
            status = SF_EFORMAT;
        }
    }
    return status;
}

/* Check all of an outline; *ret_names is what its paths and label take with their NULs. */
static int
check_encoded(struct sf_view encoded, struct outline_head *head, size_t *ret_names)
{
    struct outline_entry entries[2]; /* this one and the one before, by turns */
    struct sf_outline tail = {.label = NULL};
    struct sf_cbor_reader cbor;
    char *nowhere = NULL;
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
    status = read_tail(&cbor, head, &tail, &nowhere, &names);
    *ret_names = names;
    return status == SF_OK ? sf_cbor_end(&cbor) : status;
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
    status = read_tail(&cbor, &head, &outline, &at, &names);
    sf_assert(status == SF_OK);
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
sf_outline_base_of(const struct sf_outline *outline, uint32_t file)
{
    for (uint32_t i = 0; i < outline->base_count; i++) {
        if (outline->bases[i].file == file) {
            return (int)i;
        }
    }
    return -1;
}

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
    if (sf_codec_has_base(piece->codec) && sf_outline_base_of(outline, piece->file) < 0) {
        return SF_EFORMAT;
    }
    file_bytes = outline->files[piece->file].bytes;
    return piece->offset < file_bytes && piece->plain_bytes <= file_bytes - piece->offset
               ? SF_OK
               : SF_EFORMAT;
}
