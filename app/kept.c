#include "app/kept.h"

#include "base/assert.h"
#include "base/crypto.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
sf_kept_tag(struct sf_view name, struct sf_kept_tag *ret_tag)
{
    uint8_t sha256[SF_SHA256_BYTES];

    sf_sha256(name, sha256);
    memcpy(ret_tag->b, sha256, sizeof(ret_tag->b));
}

bool
sf_kept_tag_equal(const struct sf_kept_tag *a, const struct sf_kept_tag *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* --- Names --------------------------------------------------------------------------- */

static char *
put_hex(char *at, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    return at;
}

void
sf_kept_name(const struct sf_kept *kept, char ret_name[SF_KEPT_NAME_BYTES])
{
    uint8_t user[4];
    uint8_t place[2];
    char *at = ret_name;

    sf_assert(kept->place <= SF_KEPT_PLACE_MAX);
    sf_put_be32(user, kept->user);
    sf_put_be16(place, (uint16_t)kept->place);
    at = put_hex(at, kept->transfer.b, sizeof(kept->transfer.b));
    *at++ = '-';
    at = put_hex(at, user, sizeof(user));
    *at++ = '-';
    at = put_hex(at, kept->label.b, sizeof(kept->label.b));
    *at++ = '-';
    at = put_hex(at, kept->path.b, sizeof(kept->path.b));
    *at++ = '-';
    at = put_hex(at, place, sizeof(place));
    *at = '\0';
}

static int
digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read `count` bytes of hex digits and the character behind them; moves *at. */
static bool
take_hex(const char **at, uint8_t *out, size_t count, char behind)
{
    for (size_t i = 0; i < count; i++) {
        int high = digit((*at)[0]);
        int low = high < 0 ? -1 : digit((*at)[1]);

        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
        *at += 2;
    }
    if (**at != behind) {
        return false;
    }
    (*at)++;
    return true;
}

int
sf_kept_parse(const char *name, struct sf_kept *ret_kept)
{
    struct sf_kept kept = {.bytes = 0};
    uint8_t user[4];
    uint8_t place[2];

    if (!take_hex(&name, kept.transfer.b, sizeof(kept.transfer.b), '-') ||
        !take_hex(&name, user, sizeof(user), '-') ||
        !take_hex(&name, kept.label.b, sizeof(kept.label.b), '-') ||
        !take_hex(&name, kept.path.b, sizeof(kept.path.b), '-') ||
        !take_hex(&name, place, sizeof(place), '\0')) {
        return SF_EFORMAT;
    }
    kept.user = sf_get_be32(user);
    kept.place = sf_get_be16(place);
    *ret_kept = kept;
    return SF_OK;
}

/* --- The folder ------------------------------------------------------------------------ */

static int
by_age(const void *a, const void *b)
{
    const struct sf_kept *left = a;
    const struct sf_kept *right = b;

    return (left->made_ns > right->made_ns) - (left->made_ns < right->made_ns);
}

int
sf_kept_list(int fd, struct sf_kept **ret_list, size_t *ret_count)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = own < 0 ? NULL : fdopendir(own);
    struct sf_kept *list = calloc(SF_KEPT_LIST_MAX, sizeof(*list));
    const struct dirent *entry;
    size_t count = 0;

    if (directory == NULL || list == NULL) {
        if (directory != NULL) {
            (void)closedir(directory);
        } else if (own >= 0) {
            (void)close(own);
        }
        free(list);
        return list == NULL ? SF_ENOMEM : SF_EIO;
    }
    while (count < SF_KEPT_LIST_MAX && (entry = readdir(directory)) != NULL) {
        struct sf_kept *kept = &list[count];
        struct stat info;

        if (sf_kept_parse(entry->d_name, kept) == SF_OK &&
            fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
            kept->bytes = (uint64_t)info.st_size;
            kept->made_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
            count++;
        }
    }
    (void)closedir(directory);
    qsort(list, count, sizeof(*list), by_age);
    *ret_list = list;
    *ret_count = count;
    return SF_OK;
}
