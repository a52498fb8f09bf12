#include <config.h>

#include "app/bases.h"

#include "base/crypto.h"
#include "base/random.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20 };

__attribute__((format(printf, 3, 4))) static int
fail(struct sf_bases *bases, int status, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(bases->error, sizeof(bases->error), format, values);
    va_end(values);
    return status;
}

/* Take a counterpart; when there are too many, the one of the smallest file gives way. */
static void
add(struct sf_bases *bases, const struct sf_walk *walk, size_t file,
    const struct sf_walk_file *base)
{
    struct sf_base_file entry = {
        .file = file, .fd = base->fd, .bytes = base->bytes, .mtime_s = base->mtime_s};
    size_t least = 0;

    if (bases->count < SF_BASES_MAX) {
        bases->list[bases->count++] = entry;
        return;
    }
    bases->left_out++;
    for (size_t i = 1; i < bases->count; i++) {
        if (walk->files[bases->list[i].file].bytes < walk->files[bases->list[least].file].bytes) {
            least = i;
        }
    }
    if (walk->files[bases->list[least].file].bytes < walk->files[file].bytes) {
        bases->list[least] = entry;
    }
}

static const struct sf_walk_file *
find_path(const struct sf_walk *walk, const char *path)
{
    for (size_t i = 0; i < walk->file_count; i++) {
        if (strcmp(walk->files[i].path, path) == 0) {
            return &walk->files[i];
        }
    }
    return NULL;
}

int
sf_bases_open(struct sf_bases *bases, const struct sf_walk *walk, const char *path)
{
    char *paths[] = {(char *)(uintptr_t)path};
    const struct sf_walk_config config = {
        .paths = paths, .path_count = 1, .random = &sf_random_system};
    int status = sf_walk(&config, &bases->walk);

    if (status != SF_OK) {
        return fail(bases, status, "%s", bases->walk.error);
    }
    if (walk->single_file != bases->walk.single_file) {
        return fail(bases, SF_EINVAL, "the base is a %s, and what is sent is a %s",
            bases->walk.single_file ? "file" : "directory",
            walk->single_file ? "file" : "directory, or several paths");
    }
    for (size_t i = 0; i < walk->file_count; i++) {
        const struct sf_walk_file *base = find_path(&bases->walk, walk->files[i].path);

        if (base != NULL && base->bytes > 0 && walk->files[i].bytes > 0) {
            add(bases, walk, i, base);
        }
    }
    if (bases->count == 0) {
        return fail(bases, SF_ENOENT, "no file that is sent has one of its name in the base");
    }
    return SF_OK;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int
hash_file(struct sf_bases *bases, struct sf_base_file *base, uint8_t *buffer)
{
    struct sf_sha256 hash;
    struct stat before;
    struct stat now;
    uint64_t offset = 0;

    if (fstat(base->fd, &before) != 0) {
        return fail(bases, SF_EIO, "the base cannot be looked at: %s", strerror(errno));
    }
    sf_sha256_init(&hash);
    while (offset < base->bytes) {
        ssize_t got = pread(base->fd, buffer, READ_BYTES, (off_t)offset);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            return fail(bases, SF_EIO, "the base cannot be read: %s",
                got == 0 ? "it became shorter" : strerror(errno));
        }
        if (got > 0) {
            sf_sha256_update(&hash, buffer, (size_t)got);
            offset += (uint64_t)got;
        }
    }
    sf_sha256_final(&hash, base->sha256.b);
    if (fstat(base->fd, &now) != 0 || !is_same(&before, &now) || offset != base->bytes) {
        return fail(bases, SF_EIO, "the base was changed while it was read: try again");
    }
    return SF_OK;
}

int
sf_bases_hash(struct sf_bases *bases)
{
    uint8_t *buffer = malloc(READ_BYTES);
    int status = buffer == NULL ? fail(bases, SF_EIO, "out of memory") : SF_OK;

    for (size_t i = 0; status == SF_OK && i < bases->count; i++) {
        status = hash_file(bases, &bases->list[i], buffer);
    }
    free(buffer);
    return status;
}

const struct sf_base_file *
sf_bases_find(const struct sf_bases *bases, size_t file)
{
    for (size_t i = 0; i < bases->count; i++) {
        if (bases->list[i].file == file) {
            return &bases->list[i];
        }
    }
    return NULL;
}

/* --- Copies ------------------------------------------------------------------------- */

/* The file of the walk that goes by that tag; SIZE_MAX if none does. */
static size_t
find_tag(const struct sf_kept_tag *tags, size_t count, const struct sf_kept_tag *tag)
{
    for (size_t i = 0; i < count; i++) {
        if (sf_kept_tag_equal(&tags[i], tag)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Whether the copy is what it must be, by its digest; with its file and its length. */
static bool
open_copy(struct sf_bases *bases, struct sf_base_file *base, const struct sf_digest *sha256,
    uint8_t *buffer)
{
    struct stat info;

    if (fstat(base->fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
        return false;
    }
    base->bytes = (uint64_t)info.st_size;
    base->mtime_s = info.st_mtim.tv_sec;
    return hash_file(bases, base, buffer) == SF_OK &&
           memcmp(base->sha256.b, sha256->b, sizeof(sha256->b)) == 0;
}

int
sf_bases_take(struct sf_bases *bases, const struct sf_walk *walk,
    const struct sf_submit_offer *offer, const int *fds)
{
    struct sf_kept_tag *tags = calloc(walk->file_count, sizeof(*tags));
    uint8_t *buffer = malloc(READ_BYTES);
    bool is_out_of_memory = tags == NULL || buffer == NULL;

    bases->are_copies = true;
    for (size_t i = 0; !is_out_of_memory && i < walk->file_count; i++) {
        sf_kept_tag(sf_view(walk->files[i].path, strlen(walk->files[i].path)), &tags[i]);
    }
    for (size_t i = 0; i < offer->count; i++) {
        size_t file =
            is_out_of_memory ? SIZE_MAX : find_tag(tags, walk->file_count, &offer->files[i].path);
        struct sf_base_file base = {.file = file, .fd = fds[i]};

        if (file != SIZE_MAX && walk->files[file].bytes > 0 && sf_bases_find(bases, file) == NULL &&
            open_copy(bases, &base, &offer->files[i].sha256, buffer)) {
            bases->list[bases->count++] = base;
        } else {
            (void)close(fds[i]);
        }
    }
    free(tags);
    free(buffer);
    return is_out_of_memory ? SF_ENOMEM : SF_OK;
}

void
sf_bases_fini(struct sf_bases *bases)
{
    for (size_t i = 0; bases->are_copies && i < bases->count; i++) {
        (void)close(bases->list[i].fd);
    }
    sf_walk_fini(&bases->walk);
    bases->count = 0;
}
