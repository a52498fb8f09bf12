/*
 * test_bases.c - earlier versions of what is sent: which file is whose.
 */
#include <config.h>

#include "tests/unit/check.h"

#include "app/bases.h"
#include "base/crypto.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct sf_walk walk;
static struct sf_bases bases;

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void
begin(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/skyferry-bases-XXXXXX");
    REQUIRE(mkdtemp(root) != NULL);
    REQUIRE(chdir(root) == 0);
    REQUIRE(mkdir("now", 0700) == 0);
    REQUIRE(mkdir("old", 0700) == 0);
}

static void
end(void)
{
    sf_bases_fini(&bases);
    sf_walk_fini(&walk);
    memset(&bases, 0, sizeof(bases));
    REQUIRE(chdir("/") == 0);
    (void)nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void
make(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "w");

    REQUIRE(file != NULL);
    for (size_t i = 0; i < bytes; i++) {
        (void)fputc('a', file);
    }
    REQUIRE(fclose(file) == 0);
}

static int
open_bases(const char *now, const char *old)
{
    char *paths[] = {(char *)(uintptr_t)now};

    REQUIRE_EQ(sf_walk(&(struct sf_walk_config){.paths = paths, .path_count = 1}, &walk), SF_OK);
    return sf_bases_open(&bases, &walk, old);
}

static void
test_file(void)
{
    static const uint8_t text[] = "aaaaaaa";
    const struct sf_base_file *base;
    uint8_t sha256[SF_SHA256_BYTES];

    begin();
    make("now/model", 5);
    make("old/another-name", 7);
    REQUIRE_EQ(open_bases("now/model", "old/another-name"), SF_OK);
    REQUIRE_EQ(sf_bases_hash(&bases), SF_OK);
    base = sf_bases_find(&bases, 0);
    REQUIRE(base != NULL);
    CHECK_EQ(base->bytes, 7);
    sf_sha256(sf_view(text, 7), sha256);
    CHECK_BYTES(base->sha256.b, sha256, sizeof(sha256));
    CHECK(sf_bases_find(&bases, 1) == NULL);
    end();
}

static void
test_directory(void)
{
    begin();
    REQUIRE(mkdir("now/d", 0700) == 0);
    REQUIRE(mkdir("old/d", 0700) == 0);
    make("now/a", 5);
    make("now/d/b", 6);
    make("now/new", 7);
    make("now/was-empty", 7);
    make("old/d/b", 8);
    make("old/a", 9);
    make("old/gone", 9);
    make("old/was-empty", 0);
    REQUIRE_EQ(open_bases("now", "old"), SF_OK);
    CHECK_EQ(bases.count, 2);
    for (size_t i = 0; i < walk.file_count; i++) {
        const struct sf_base_file *base = sf_bases_find(&bases, i);
        bool is_a = strcmp(walk.files[i].path, "a") == 0;
        bool is_b = strcmp(walk.files[i].path, "d/b") == 0;

        CHECK_EQ(base != NULL, is_a || is_b);
        CHECK(base == NULL || base->bytes == (is_a ? 9U : 8U));
    }
    end();
}

static void
test_too_many(void)
{
    begin();
    for (unsigned i = 0; i < 40; i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "now/%02u", i);
        make(path, 100 + (i * 7) % 40);
        (void)snprintf(path, sizeof(path), "old/%02u", i);
        make(path, 50);
    }
    REQUIRE_EQ(open_bases("now", "old"), SF_OK);
    CHECK_EQ(bases.count, SF_BASES_MAX);
    CHECK_EQ(bases.left_out, 40 - SF_BASES_MAX);
    for (size_t i = 0; i < walk.file_count; i++) {
        CHECK_EQ(sf_bases_find(&bases, i) != NULL, walk.files[i].bytes >= 140 - SF_BASES_MAX);
    }
    end();
}

static void
test_refused(void)
{
    begin();
    make("now/model", 5);
    make("old/other", 5);
    CHECK_EQ(open_bases("now/model", "old"), SF_EINVAL);
    end();
    begin();
    make("now/model", 5);
    make("old/other", 5);
    CHECK_EQ(open_bases("now", "old"), SF_ENOENT);
    CHECK(strstr(bases.error, "no file") != NULL);
    end();
    begin();
    make("now/model", 5);
    CHECK_EQ(open_bases("now/model", "nowhere"), SF_ENOENT);
    end();
}

static void
test_shorter(void)
{
    begin();
    make("now/model", 5);
    make("old/model", 5000);
    REQUIRE_EQ(open_bases("now/model", "old/model"), SF_OK);
    REQUIRE(truncate("old/model", 4999) == 0);
    CHECK_EQ(sf_bases_hash(&bases), SF_EIO);
    end();
}

/* --- Copies ------------------------------------------------------------------------- */

/* Offer what stands in `path` for the file of the walk at `at`, signed for with `sha256`. */
static void
offer_copy(struct sf_submit_offer *offer, int *fds, const char *path, const char *at)
{
    char *paths[] = {(char *)(uintptr_t)path};
    struct sf_walk one;
    struct sf_bases read;

    memset(&read, 0, sizeof(read));
    REQUIRE_EQ(sf_walk(&(struct sf_walk_config){.paths = paths, .path_count = 1}, &one), SF_OK);
    REQUIRE_EQ(sf_bases_open(&read, &one, path), SF_OK);
    REQUIRE_EQ(sf_bases_hash(&read), SF_OK);
    offer->files[offer->count].sha256 = read.list[0].sha256;
    sf_kept_tag(sf_view(at, strlen(at)), &offer->files[offer->count].path);
    fds[offer->count] = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(fds[offer->count] >= 0);
    offer->count++;
    sf_bases_fini(&read);
    sf_walk_fini(&one);
}

static void
test_copies(void)
{
    char *paths[] = {(char *)(uintptr_t) "now"};
    struct sf_submit_offer offer = {.count = 0};
    int fds[SF_SUBMIT_BASES_MAX];
    int highest;

    begin();
    REQUIRE(mkdir("now/d", 0700) == 0);
    make("now/a", 5);
    make("now/d/b", 6);
    make("now/was-changed", 7);
    make("now/empty", 0);
    make("old/1", 8);
    make("old/2", 9);
    make("old/3", 10);
    REQUIRE_EQ(sf_walk(&(struct sf_walk_config){.paths = paths, .path_count = 1}, &walk), SF_OK);
    offer_copy(&offer, fds, "old/1", "a");
    highest = fds[0];
    offer_copy(&offer, fds, "old/2", "d/b");
    offer_copy(&offer, fds, "old/3", "was-changed");
    offer.files[2].sha256.b[7] ^= 1; /* what was signed for is not what the copy is */
    offer_copy(&offer, fds, "old/3", "gone");
    offer_copy(&offer, fds, "old/3", "empty");
    offer_copy(&offer, fds, "old/3", "a"); /* a second time */
    REQUIRE_EQ(sf_bases_take(&bases, &walk, &offer, fds), SF_OK);
    CHECK_EQ(bases.count, 2);
    for (size_t i = 0; i < walk.file_count; i++) {
        const struct sf_base_file *base = sf_bases_find(&bases, i);
        bool is_a = strcmp(walk.files[i].path, "a") == 0;
        bool is_b = strcmp(walk.files[i].path, "d/b") == 0;

        CHECK_EQ(base != NULL, is_a || is_b);
        CHECK(base == NULL || base->bytes == (is_a ? 8U : 9U));
    }
    for (size_t i = 2; i < offer.count; i++) {
        CHECK_EQ(fcntl(fds[i], F_GETFD), -1); /* what is not used is closed */
    }
    sf_bases_fini(&bases);
    CHECK_EQ(fcntl(highest, F_GETFD), -1);
    end();
}

CHECK_MAIN("bases", {"a file has one, whatever its name", test_file},
    {"in a directory files are paired by their paths", test_directory},
    {"of too many the largest files have theirs", test_too_many},
    {"what does not go together is refused", test_refused},
    {"one that is changed while it is read is refused", test_shorter},
    {"of copies those that are what was signed for are paired, and the others closed", test_copies})
