/*
 * The home: where it is, who may own it, how its files are read and written.
 */
#include "app/home.h"

#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64]; /* a temporary directory of this test */
static struct sf_app_error error;

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void
begin(void)
{
    snprintf(root, sizeof(root), "/tmp/skyferry-home-XXXXXX");
    REQUIRE(mkdtemp(root) != NULL);
    error.text[0] = '\0';
}

static void
end(void)
{
    CHECK_EQ(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* A path below the temporary directory; up to four live at once. */
static const char *
below(const char *name)
{
    static char paths[4][SF_HOME_PATH_BYTES_MAX];
    static size_t turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static struct sf_home
create(const char *name)
{
    struct sf_home home = {.fd = -1, .lock_fd = -1};

    REQUIRE_EQ(sf_home_create(below(name), &home, &error), SF_OK);
    return home;
}

static unsigned
mode_of(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 ? info.st_mode & 07777u : 0xffffu;
}

static void
put(const char *path, const char *content, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    CHECK_EQ(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    CHECK_EQ(fchmod(fd, mode), 0);
    close(fd);
}

static void
test_located(void)
{
    char path[SF_HOME_PATH_BYTES_MAX + 1];
    char here[SF_HOME_PATH_BYTES_MAX + 16];
    static char longest[SF_HOME_PATH_BYTES_MAX + 2];

    CHECK_EQ(setenv("SKYFERRY_HOME", "/from/environment//", 1), 0);
    CHECK_EQ(sf_home_locate("/from/option", path, &error), SF_OK);
    CHECK_TEXT(path, "/from/option");
    CHECK_EQ(sf_home_locate(NULL, path, &error), SF_OK);
    CHECK_TEXT(path, "/from/environment");
    CHECK_EQ(setenv("SKYFERRY_HOME", "", 1), 0);
    CHECK_EQ(sf_home_locate(NULL, path, &error), SF_EINVAL);
    CHECK_EQ(sf_home_locate("", path, &error), SF_EINVAL);
    CHECK_EQ(sf_home_locate("some/home", path, &error), SF_OK);
    REQUIRE(getcwd(here, SF_HOME_PATH_BYTES_MAX) != NULL);
    strcat(here, "/some/home");
    CHECK_TEXT(path, here);
    CHECK_EQ(unsetenv("SKYFERRY_HOME"), 0);
    CHECK_EQ(setenv("XDG_STATE_HOME", "/xdg", 1), 0);
    CHECK_EQ(sf_home_locate(NULL, path, &error), SF_OK);
    CHECK_TEXT(path, geteuid() == 0 ? "/var/lib/skyferry" : "/xdg/skyferry");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[0] = '/';
    CHECK_EQ(sf_home_locate(longest, path, &error), SF_EINVAL);
}

static void
test_created(void)
{
    struct sf_home home;

    begin();
    home = create("a/b/home");
    CHECK_EQ(mode_of(below("a/b/home")), 0700);
    CHECK_EQ(mode_of(below("a/b/home/peers")), 0700);
    CHECK_EQ(mode_of(below("a/b/home/inbox")), 0750);
    sf_home_close(&home);
    CHECK_EQ(home.fd, -1);
    /* Again: what is there is kept. */
    put(below("a/b/home/keys"), "kept", 0600);
    home = create("a/b/home");
    CHECK_EQ(mode_of(below("a/b/home/keys")), 0600);
    sf_home_close(&home);
    end();
}

static void
test_refused(void)
{
    struct sf_home home;

    begin();
    CHECK_EQ(sf_home_open(below("nowhere"), &home, &error), SF_ENOENT);
    CHECK(strstr(error.text, "skyferry init") != NULL);
    REQUIRE_EQ(mkdir(below("open"), 0700), 0);
    REQUIRE_EQ(chmod(below("open"), 0777), 0);
    CHECK_EQ(sf_home_open(below("open"), &home, &error), SF_EAUTH);
    CHECK(strstr(error.text, "chmod") != NULL);
    REQUIRE_EQ(chmod(below("open"), 0770), 0);
    CHECK_EQ(sf_home_open(below("open"), &home, &error), SF_EAUTH);
    REQUIRE_EQ(chmod(below("open"), 0750), 0);
    CHECK_EQ(sf_home_open(below("open"), &home, &error), SF_OK);
    sf_home_close(&home);
    put(below("file"), "", 0600);
    CHECK(sf_home_open(below("file"), &home, &error) != SF_OK);
    CHECK(sf_home_create(below("file"), &home, &error) != SF_OK);
    end();
}

static void
test_foreign(void)
{
    struct sf_home home;
    int result = 1;
    pid_t child;

    if (geteuid() != 0) {
        SKIP("only root can make a home of somebody else");
    }
    begin();
    REQUIRE_EQ(chmod(root, 0755), 0);
    REQUIRE_EQ(mkdir(below("theirs"), 0755), 0);
    child = fork();
    if (child == 0) {
        int status = setuid(65534) != 0 ? SF_OK : sf_home_open(below("theirs"), &home, &error);

        _exit(status == SF_EAUTH ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &result, 0), child);
    CHECK_EQ(result, 0);
    end();
}

static void
test_lock(void)
{
    struct sf_home first;
    struct sf_home second;

    begin();
    first = create("home");
    second = create("home");
    CHECK_EQ(sf_home_lock(&first, &error), SF_OK);
    CHECK_EQ(sf_home_lock(&second, &error), SF_ESTATE);
    CHECK(strstr(error.text, "only one") != NULL);
    sf_home_close(&first);
    CHECK_EQ(sf_home_lock(&second, &error), SF_OK);
    sf_home_close(&second);
    sf_home_close(&second);
    end();
}

static int
read_file(const struct sf_home *home, const char *name, bool is_secret, char *out, size_t max)
{
    const struct sf_home_read read = {
        .name = name, .is_secret = is_secret, .out = out, .bytes_max = max};
    size_t bytes = 0;
    int status = sf_home_read_file(home, &read, &bytes, &error);

    if (status == SF_OK && bytes < max) {
        out[bytes] = '\0';
    }
    return status;
}

static void
test_read(void)
{
    struct sf_home home;
    char text[16];

    begin();
    home = create("home");
    CHECK_EQ(read_file(&home, "absent", false, text, sizeof(text)), SF_ENOENT);
    put(below("home/plain"), "hello", 0644);
    CHECK_EQ(read_file(&home, "plain", false, text, sizeof(text)), SF_OK);
    CHECK_TEXT(text, "hello");
    CHECK_EQ(read_file(&home, "plain", false, text, 5), SF_OK);
    CHECK_EQ(read_file(&home, "plain", false, text, 4), SF_ELIMIT);
    CHECK_EQ(read_file(&home, "plain", true, text, sizeof(text)), SF_EAUTH);
    put(below("home/secret"), "hush", 0600);
    CHECK_EQ(read_file(&home, "secret", true, text, sizeof(text)), SF_OK);
    REQUIRE_EQ(symlink("secret", below("home/link")), 0);
    CHECK_EQ(read_file(&home, "link", true, text, sizeof(text)), SF_EAUTH);
    REQUIRE_EQ(mkfifo(below("home/pipe"), 0600), 0);
    CHECK_EQ(read_file(&home, "pipe", false, text, sizeof(text)), SF_EAUTH);
    CHECK_EQ(read_file(&home, "peers", false, text, sizeof(text)), SF_EAUTH);
    sf_home_close(&home);
    end();
}

static void
test_write(void)
{
    struct sf_home home;
    struct sf_home_write write = {.name = "peers/a.conf", .content = sf_view("one", 3)};
    char text[16];

    begin();
    home = create("home");
    CHECK_EQ(sf_home_write_file(&home, &write, &error), SF_OK);
    CHECK_EQ(mode_of(below("home/peers/a.conf")), 0600);
    write.content = sf_view("other", 5);
    CHECK_EQ(sf_home_write_file(&home, &write, &error), SF_OK);
    CHECK_EQ(read_file(&home, "peers/a.conf", true, text, sizeof(text)), SF_OK);
    CHECK_TEXT(text, "other");
    write.is_new = true;
    write.content = sf_view("third", 5);
    CHECK_EQ(sf_home_write_file(&home, &write, &error), SF_EEXIST);
    CHECK_EQ(read_file(&home, "peers/a.conf", true, text, sizeof(text)), SF_OK);
    CHECK_TEXT(text, "other");
    CHECK(access(below("home/peers/.a.conf.new"), F_OK) != 0);
    /* What a crash left is no obstacle, and a link in its place is not followed. */
    put(below("victim"), "untouched", 0600);
    REQUIRE_EQ(symlink(below("victim"), below("home/peers/.a.conf.new")), 0);
    write.is_new = false;
    CHECK_EQ(sf_home_write_file(&home, &write, &error), SF_OK);
    CHECK_EQ(read_file(&home, "../victim", false, text, sizeof(text)), SF_OK);
    CHECK_TEXT(text, "untouched");
    CHECK_EQ(sf_home_remove_file(&home, "peers/a.conf", &error), SF_OK);
    CHECK_EQ(sf_home_remove_file(&home, "peers/a.conf", &error), SF_ENOENT);
    write.name = "nodir/a";
    CHECK(sf_home_write_file(&home, &write, &error) != SF_OK);
    sf_home_close(&home);
    end();
}

static void
test_socket_path(void)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char name[121];
    struct sf_home home;
    struct stat direct;
    struct stat around;

    begin();
    home = create("short");
    sf_home_socket(&home, SF_HOME_CONTROL, path);
    CHECK_TEXT(path, below("short/control.sock"));
    sf_home_close(&home);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    home = create(name);
    put(below(strcat(strcpy((char[200]){0}, name), "/control.sock")), "", 0600);
    sf_home_socket(&home, SF_HOME_CONTROL, path);
    CHECK(strlen(path) < sizeof(path));
    CHECK_EQ(stat(path, &around), 0);
    CHECK_EQ(fstatat(home.fd, "control.sock", &direct, 0), 0);
    CHECK_EQ(around.st_ino, direct.st_ino);
    sf_home_close(&home);
    end();
}

/* --- Syncs ----------------------------------------------------------------------------- */

int __real_fsync(int fd);
int __wrap_fsync(int fd);

static unsigned syncs;
static unsigned bad_sync; /* the one that fails */

/* The linker leads all calls of fsync() here (tests/app.mk). */
int
__wrap_fsync(int fd)
{
    if (++syncs == bad_sync) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

enum change { CREATE, WRITE, REMOVE, SHRED, CHANGES };

static int
change_home(enum change change)
{
    struct sf_home home = {.fd = -1, .lock_fd = -1};
    const struct sf_home_write text = {.name = "peers/a", .content = sf_view("text", 4)};
    int status = sf_home_create(below("home"), &home, &error);

    if (status == SF_OK && change != CREATE) {
        syncs = UINT32_MAX / 2; /* what comes before does not fail */
        status = sf_home_write_file(&home, &text, &error);
        REQUIRE_EQ(status, SF_OK);
        syncs = 0;
        status = change == WRITE    ? sf_home_write_file(&home, &text, &error)
                 : change == REMOVE ? sf_home_remove_file(&home, "peers/a", &error)
                                    : sf_home_shred_file(&home, "peers/a", &error);
    }
    sf_home_close(&home);
    return status;
}

/* Nothing is said to be there, or gone, before every sync of it has succeeded. */
static void
test_every_sync_counts(void)
{
    static const unsigned expected[CHANGES] = {
        [CREATE] = 1, [WRITE] = 2, [REMOVE] = 1, [SHRED] = 2};

    for (int change = 0; change < CHANGES; change++) {
        for (bad_sync = 0; bad_sync <= expected[change]; bad_sync++) {
            int status;

            begin();
            syncs = change == CREATE ? 0 : UINT32_MAX / 2;
            status = change_home((enum change)change);
            CHECK((status == SF_OK) == (bad_sync == 0));
            CHECK_EQ(syncs, bad_sync == 0 ? expected[change] : bad_sync);
            end();
        }
    }
    bad_sync = 0;
}

CHECK_MAIN("home", {"option, environment and default say where it is, in that order", test_located},
    {"it is made private, and what exists is kept", test_created},
    {"one that others may write, or that is none, is refused", test_refused},
    {"one of another user is refused", test_foreign}, {"only one process has the lock", test_lock},
    {"secrets that others may read, links and pipes are not read", test_read},
    {"a file is written whole or not at all, and never through a link", test_write},
    {"nothing is said to be there, or gone, before it is synced", test_every_sync_counts},
    {"sockets of a home with a long path have a short one", test_socket_path})
