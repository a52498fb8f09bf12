/*
 * test_kept.c - copies of what was sent: their names, and the list of them.
 */
#include <config.h>

#include "tests/unit/check.h"

#include "app/kept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sf_kept
example(void)
{
    struct sf_kept kept = {.transfer = {{0x01, 0xfe}}, .user = 1000, .place = 65535};

    sf_kept_tag(sf_view("model", 5), &kept.label);
    sf_kept_tag(sf_view("", 0), &kept.path);
    return kept;
}

static void
test_names(void)
{
    struct sf_kept kept = example();
    struct sf_kept back;
    char name[SF_KEPT_NAME_BYTES];

    sf_kept_name(&kept, name);
    CHECK_EQ(strlen(name), SF_KEPT_NAME_BYTES - 1);
    CHECK_TEXT(name, "01fe0000000000000000000000000000-000003e8-9372c470eeadd5ecd9c3c74c2b3cb633-"
                     "e3b0c44298fc1c149afbf4c8996fb924-ffff");
    REQUIRE_EQ(sf_kept_parse(name, &back), SF_OK);
    CHECK(sf_transfer_equal(&back.transfer, &kept.transfer));
    CHECK_EQ(back.user, 1000);
    CHECK_EQ(back.place, 65535);
    CHECK(sf_kept_tag_equal(&back.label, &kept.label));
    CHECK(sf_kept_tag_equal(&back.path, &kept.path));
    CHECK(!sf_kept_tag_equal(&back.path, &kept.label));
}

static void
test_other_names(void)
{
    struct sf_kept kept = example();
    struct sf_kept back;
    char name[SF_KEPT_NAME_BYTES + 8];

    for (size_t i = 0; i < SF_KEPT_NAME_BYTES - 1; i++) {
        static const char wrong[] = "gG-./ ";

        for (size_t w = 0; w < sizeof(wrong) - 1; w++) {
            sf_kept_name(&kept, name);
            if (name[i] != wrong[w]) {
                name[i] = wrong[w];
                CHECK_EQ(sf_kept_parse(name, &back), SF_EFORMAT);
            }
        }
        name[i] = '\0'; /* and cut there */
        CHECK_EQ(sf_kept_parse(name, &back), SF_EFORMAT);
    }
    sf_kept_name(&kept, name);
    memcpy(name + SF_KEPT_NAME_BYTES - 1, SF_KEPT_PART, sizeof(SF_KEPT_PART));
    CHECK_EQ(sf_kept_parse(name, &back), SF_EFORMAT);
    CHECK_EQ(sf_kept_parse("..", &back), SF_EFORMAT);
}

static void
make(int folder, const struct sf_kept *kept, const char *behind, const struct timespec *when)
{
    const struct timespec times[2] = {*when, *when};
    char name[SF_KEPT_NAME_BYTES + 8];
    int fd;

    sf_kept_name(kept, name);
    (void)strcat(name, behind);
    fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE_EQ(write(fd, "kept", 4), 4);
    REQUIRE_EQ(futimens(fd, times), 0);
    REQUIRE_EQ(close(fd), 0);
}

static void
test_list(void)
{
    char path[] = "/tmp/skyferry-kept-XXXXXX";
    struct sf_kept kept = example();
    struct sf_kept *list;
    size_t count;
    int folder;

    REQUIRE(mkdtemp(path) != NULL);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(folder >= 0);
    for (uint32_t i = 0; i < 3; i++) {
        kept.place = i;
        /* The second is the oldest. */
        make(folder, &kept, "", &(struct timespec){.tv_sec = 1000, .tv_nsec = i == 1 ? 0 : i + 5});
    }
    kept.place = 3;
    make(folder, &kept, SF_KEPT_PART, &(struct timespec){.tv_sec = 1});
    kept.place = 4;
    {
        char name[SF_KEPT_NAME_BYTES];

        sf_kept_name(&kept, name);
        REQUIRE_EQ(symlinkat("/etc/passwd", folder, name), 0);
    }
    REQUIRE_EQ(sf_kept_list(folder, &list, &count), SF_OK);
    REQUIRE_EQ(count, 3);
    CHECK_EQ(list[0].place, 1);
    CHECK_EQ(list[1].place, 0);
    CHECK_EQ(list[2].place, 2);
    CHECK_EQ(list[2].bytes, 4);
    CHECK_EQ(list[2].made_ns, INT64_C(1000000000007));
    for (uint32_t i = 0; i < 5; i++) {
        char name[SF_KEPT_NAME_BYTES + 8];

        kept.place = i;
        sf_kept_name(&kept, name);
        (void)strcat(name, i == 3 ? SF_KEPT_PART : "");
        REQUIRE_EQ(unlinkat(folder, name, 0), 0);
    }
    free(list);
    REQUIRE_EQ(close(folder), 0);
    REQUIRE_EQ(rmdir(path), 0);
}

CHECK_MAIN("kept", {"a name says all there is to know", test_names},
    {"other names are not names of copies", test_other_names},
    {"the oldest stand first, and only files that are whole", test_list})
