/*
 * test_walk.c - which files a `send` takes, and what it refuses by name.
 */
#include <config.h>

#include "tests/unit/check.h"

#include "app/walk.h"
#include "base/prng.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static char root[64];
static struct sf_walk walk;

/* --- A place to play ------------------------------------------------------- */

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* An empty directory, made the current one. */
static void
begin(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/skyferry-walk-XXXXXX");
    REQUIRE(mkdtemp(root) != NULL);
    REQUIRE(chdir(root) == 0);
}

static void
end(void)
{
    sf_walk_fini(&walk);
    REQUIRE(chdir("/") == 0);
    (void)nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void
make(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    REQUIRE(file != NULL);
    (void)fputs(content, file);
    REQUIRE(fclose(file) == 0);
}

static int
go_with(const char *label, const char *home, const char *const *paths)
{
    struct sf_prng prng;
    struct sf_random random;
    size_t count = 0;

    sf_prng_init(&prng, 1);
    random = sf_prng_random(&prng);
    while (paths[count] != NULL) {
        count++;
    }
    return sf_walk(&(struct sf_walk_config){.paths = (char *const *)(uintptr_t)paths,
                       .path_count = count,
                       .label = label,
                       .home = home,
                       .random = &random},
        &walk);
}
#define GO(...) go_with(NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})

/* How many descriptors this process has open. */
static size_t
open_files(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* --- What is taken --------------------------------------------------------- */

static void
test_file(void)
{
    char content[8] = "";

    begin();
    make("model.bin", "weights");
    REQUIRE(chmod("model.bin", 0755) == 0);
    REQUIRE_EQ(GO("./model.bin"), SF_OK);
    CHECK_EQ(walk.file_count, 1);
    CHECK(walk.single_file);
    CHECK(!walk.label_made_up);
    CHECK_TEXT(walk.label, "model.bin");
    CHECK_TEXT(walk.files[0].path, "");
    CHECK_EQ(walk.files[0].bytes, 7);
    CHECK_EQ(walk.bytes, 7);
    CHECK(walk.files[0].executable);
    CHECK_EQ(read(walk.files[0].fd, content, 7), 7);
    CHECK_TEXT(content, "weights");
    end();
}

static void
test_directory(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0 && mkdir("d/sub", 0755) == 0 && mkdir("d/empty", 0755) == 0);
    make("d/b", "2");
    make("d/a", "1");
    make("d/sub/c", "333");
    REQUIRE_EQ(GO("d///"), SF_OK);
    CHECK(!walk.single_file);
    CHECK_TEXT(walk.label, "d");
    REQUIRE_EQ(walk.file_count, 3);
    CHECK_TEXT(walk.files[0].path, "a");
    CHECK_TEXT(walk.files[1].path, "b");
    CHECK_TEXT(walk.files[2].path, "sub/c");
    CHECK_EQ(walk.bytes, 5);
    CHECK_EQ(walk.empty_directories, 1);
    end();
}

static void
test_several(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0);
    make("d/x", "1");
    make("y", "2");
    REQUIRE_EQ(GO("y", "d"), SF_OK);
    CHECK(walk.label_made_up && !walk.single_file);
    CHECK(strncmp(walk.label, "skyferry-", 9) == 0 && strlen(walk.label) == 17);
    REQUIRE_EQ(walk.file_count, 2);
    CHECK_TEXT(walk.files[0].path, "y");
    CHECK_TEXT(walk.files[1].path, "d/x");
    sf_walk_fini(&walk);
    REQUIRE_EQ(go_with("both", NULL, (const char *const[]){"y", "d", NULL}), SF_OK);
    CHECK_TEXT(walk.label, "both");
    CHECK(!walk.label_made_up);
    end();
}

static void
test_odd_names(void)
{
    static const char *const names[] = {
        "d/ leading", "d/-dash", "d/new\nline", "d/umlaut-\u00fc", "d/\xff\xfe", "d/..."};

    begin();
    REQUIRE(mkdir("d", 0755) == 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        make(names[i], "x");
    }
    REQUIRE_EQ(GO("d"), SF_OK);
    REQUIRE_EQ(walk.file_count, 6);
    CHECK_TEXT(walk.files[0].path, " leading");
    CHECK_TEXT(walk.files[1].path, "-dash");
    CHECK_TEXT(walk.files[2].path, "...");
    CHECK_TEXT(walk.files[3].path, "new\nline");
    CHECK_TEXT(walk.files[5].path, "\xff\xfe");
    end();
}

static void
test_leading_part(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && symlink("d", "link") == 0);
    make("d/f", "x");
    /* The way to a file is the user's; the file itself must be one. */
    CHECK_EQ(GO("link/f"), SF_OK);
    sf_walk_fini(&walk);
    CHECK_EQ(GO("e/../d/f"), SF_OK);
    CHECK_TEXT(walk.label, "f");
    end();
}

/* --- What is refused ------------------------------------------------------- */

/* Refused with `status`, naming `name`, and with nothing left open. */
#define REFUSED(status, name, ...)                                                                 \
    do {                                                                                           \
        size_t before = open_files();                                                              \
        CHECK_EQ(GO(__VA_ARGS__), status);                                                         \
        CHECK(strstr(walk.error, name) != NULL);                                                   \
        CHECK_EQ(walk.file_count, 0);                                                              \
        CHECK_EQ(open_files(), before);                                                            \
    } while (0)

static void
test_links(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0);
    make("d/a", "x");
    make("secret", "x");
    REQUIRE(symlink("../secret", "d/b") == 0 && symlink("d", "e") == 0);
    REFUSED(SF_EINVAL, "d/b: is a symbolic link", "d");
    REFUSED(SF_EINVAL, "d/b: is a symbolic link", "d/b");
    REFUSED(SF_EINVAL, "e: is a symbolic link", "e");
    REFUSED(SF_EINVAL, "e/: is a symbolic link", "e/");
    REFUSED(SF_EINVAL, "e: is a symbolic link", "secret", "e");
    end();
}

static void
test_specials(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "d/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    begin();
    REQUIRE(mkdir("d", 0755) == 0 && mkdir("p", 0755) == 0 && mkfifo("p/pipe", 0600) == 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    REFUSED(SF_EINVAL, "p/pipe: is a pipe", "p");
    REFUSED(SF_EINVAL, "d/socket: is a socket", "d");
    REFUSED(SF_EINVAL, "/dev/null: is a device", "/dev/null");
    (void)close(fd);
    end();
}

static void
test_no_name(void)
{
    begin();
    make("f", "x");
    REFUSED(SF_EINVAL, ".: has no name", ".");
    REFUSED(SF_EINVAL, "..: has no name", "..");
    REFUSED(SF_EINVAL, "./..: has no name", "./..");
    REFUSED(SF_EINVAL, "/: has no name", "/");
    REFUSED(SF_EINVAL, "empty path", "");
    end();
}

static void
test_missing(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0);
    REFUSED(SF_ENOENT, "gone: no such", "gone");
    REFUSED(SF_ENOENT, "no/where: no such", "no/where");
    REFUSED(SF_ENOENT, "d: holds no file", "d");
    end();
}

static void
test_unreadable(void)
{
    begin();
    make("f", "x");
    REQUIRE(chmod("f", 0) == 0);
    if (geteuid() == 0 && seteuid(65534) != 0) {
        end();
        SKIP("root reads everything, and cannot become nobody here");
    }
    if (geteuid() == 65534) {
        REQUIRE(seteuid(0) == 0 && chmod(root, 0755) == 0 && seteuid(65534) == 0);
    }
    REFUSED(SF_EAUTH, "f: you may not read it", "f");
    (void)seteuid(0);
    end();
}

static void
test_same_names(void)
{
    begin();
    REQUIRE(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("b/a", 0755) == 0);
    make("a/x", "1");
    make("b/x", "2");
    make("b/a/y", "2");
    REFUSED(SF_EINVAL, "x: two of the paths", "a/x", "b/x");
    REFUSED(SF_EINVAL, "a: two of the paths", "a", "b/a");
    end();
}

static void
test_labels(void)
{
    const char *const paths[] = {"f", NULL};
    char longest[257];

    begin();
    make("f", "x");
    memset(longest, 'n', 256);
    longest[256] = '\0';
    CHECK_EQ(go_with("a/b", NULL, paths), SF_EINVAL);
    CHECK_EQ(go_with("..", NULL, paths), SF_EINVAL);
    CHECK_EQ(go_with("", NULL, paths), SF_EINVAL);
    CHECK_EQ(go_with(longest, NULL, paths), SF_EINVAL);
    longest[255] = '\0';
    CHECK_EQ(go_with(longest, NULL, paths), SF_OK);
    end();
}

static void
test_home(void)
{
    const char *const whole[] = {"h", NULL};
    const char *const above[] = {"top", NULL};
    const char *const inside[] = {"h/inbox", NULL};

    begin();
    REQUIRE(mkdir("h", 0700) == 0 && mkdir("h/inbox", 0700) == 0 && mkdir("top", 0700) == 0 &&
            mkdir("top/h", 0700) == 0);
    make("h/keys", "secret");
    make("h/inbox/f", "x");
    make("top/h/keys", "secret");
    CHECK_EQ(go_with(NULL, "h", whole), SF_EINVAL);
    CHECK(strstr(walk.error, "own home") != NULL);
    CHECK_EQ(go_with(NULL, "top/h", above), SF_EINVAL);
    CHECK_EQ(go_with(NULL, "h", inside), SF_OK);
    end();
}

static void
test_depth(void)
{
    begin();
    REQUIRE(mkdir("d", 0755) == 0 && chdir("d") == 0);
    for (int i = 0; i < SF_WALK_DEPTH_MAX; i++) {
        REQUIRE(mkdir("d", 0755) == 0 && chdir("d") == 0);
    }
    make("f", "x");
    REQUIRE(chdir(root) == 0);
    REFUSED(SF_ELIMIT, "deeper than 64", "d");
    end();
}

static void
test_error_is_harmless(void)
{
    begin();
    REQUIRE(symlink("x", "a\x1b[31m\nb") == 0);
    REFUSED(SF_EINVAL, "a\\x1b[31m\\nb: is a symbolic link", "a\x1b[31m\nb");
    end();
}

CHECK_MAIN("walking paths", {"a file is taken under its own name", test_file},
    {"a directory is taken with all below it, in an order that repeats", test_directory},
    {"several paths become one directory", test_several}, {"odd names are names", test_odd_names},
    {"the way to a path may go through links and dots", test_leading_part},
    {"a symbolic link is refused by name", test_links},
    {"devices, sockets and pipes are refused by name", test_specials},
    {"a path without a name of its own is refused", test_no_name},
    {"what is not there is said", test_missing}, {"what may not be read is said", test_unreadable},
    {"two paths of one name are refused", test_same_names}, {"a label is one name", test_labels},
    {"a node's home is never sent", test_home}, {"too deep a tree is refused", test_depth},
    {"a name in an error cannot harm the terminal", test_error_is_harmless})
