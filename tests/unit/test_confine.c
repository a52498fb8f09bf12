/*
 * The walls around the daemon: what stands inside works, what stands outside
 * does not, and the check of them finds one that is missing. Each test has a
 * process of its own, since walls stay.
 */
#include "app/confine.h"

#include "app/traced.h"

#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOME = 0, OUTBOX = 1, OUTSIDE = 2, PLACES = 3 };

static char places[PLACES][64];

static void
make_places(void)
{
    for (int i = 0; i < PLACES; i++) {
        (void)snprintf(places[i], sizeof(places[i]), "/tmp/skyferry-confine-XXXXXX");
        REQUIRE(mkdtemp(places[i]) != NULL);
    }
}

static void
remove_places(void)
{
    for (int i = 0; i < PLACES; i++) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/file", places[i]);
        (void)unlink(path);
        (void)rmdir(places[i]);
    }
}

/* Run `inside` in a process of its own; it ends with 0 if all was right, or with a line number. */
static int
in_child(int (*inside)(void))
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        _exit(inside());
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

#define EXPECT(expression)                                                                         \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            return __LINE__ % 255 + 1;                                                             \
        }                                                                                          \
    } while (0)

static int
opens(int place, int flags)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/file", places[place]);
    fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

static int
build_files(struct sf_confine *ret_confine)
{
    int outbox = open(places[OUTBOX], O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sf_confine_files files = {
        .home_fd = open(places[HOME], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .read_fds = &outbox,
        .read_count = 1};

    return sf_confine_files(&files, ret_confine, NULL);
}

static int
try_files(void)
{
    struct sf_confine confine;

    EXPECT(opens(OUTBOX, O_CREAT | O_WRONLY) == 0);
    EXPECT(opens(OUTSIDE, O_CREAT | O_WRONLY) == 0);
    EXPECT(build_files(&confine) == SF_OK && confine.has_files);
    EXPECT(opens(HOME, O_CREAT | O_RDWR) == 0);
    EXPECT(opens(OUTBOX, O_RDONLY) == 0);
    EXPECT(opens(OUTBOX, O_WRONLY) == EACCES);
    EXPECT(opens(OUTSIDE, O_RDONLY) == EACCES);
    EXPECT(sf_confine_check(&confine, NULL) == SF_OK);
    return 0;
}

static void
test_files(void)
{
    struct sf_confine confine = {.has_files = false};

    if (SF_IS_TRACED) {
        SKIP("a build with sanitizers is not confined");
    }
    make_places();
    if (in_child(try_files) != 0) {
        struct sf_confine_files none = {.home_fd = -1};

        if (sf_confine_files(&none, &confine, NULL) == SF_OK && confine.landlock_abi < 2) {
            remove_places();
            SKIP("this kernel has no Landlock of version 2 or later");
        }
    }
    CHECK_EQ(in_child(try_files), 0);
    remove_places();
}

static atomic_int thread_result;

static void *
try_socket(void *context)
{
    int fd;

    while (atomic_load((atomic_int *)context) == 0) {
        (void)usleep(1000);
    }
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    atomic_store(&thread_result, fd < 0 ? errno : -1);
    return NULL;
}

static int
try_calls(void)
{
    struct sf_confine confine = {.has_files = false};
    atomic_int go = 0;
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, try_socket, &go) == 0);
    EXPECT(sf_confine_calls(&confine, NULL) == SF_OK && confine.has_calls);
    EXPECT(sf_confine_check(&confine, NULL) == SF_OK);
    EXPECT(fork() == -1 && errno == EPERM);
    EXPECT(kill(getppid(), 0) == -1 && errno == EPERM);
    atomic_store(&go, 1);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(atomic_load(&thread_result) == EPERM);
    return 0;
}

static void
test_calls(void)
{
    if (SF_IS_TRACED) {
        SKIP("a build with sanitizers is not confined");
    }
    CHECK_EQ(in_child(try_calls), 0);
}

static void
test_breach(void)
{
    struct sf_confine claimed = {.has_files = true};
    struct sf_app_error error;

    CHECK_EQ(sf_confine_check(&claimed, &error), SF_EAUTH);
    CHECK(strstr(error.text, "read /etc/passwd") != NULL);
    claimed = (struct sf_confine){.has_calls = true};
    CHECK_EQ(sf_confine_check(&claimed, &error), SF_EAUTH);
    CHECK(strstr(error.text, "make a UDP socket") != NULL);
    claimed = (struct sf_confine){.has_calls = false};
    CHECK_EQ(sf_confine_check(&claimed, &error), SF_OK);
}

static int
try_resolver(void)
{
    sf_confine_resolver();
    EXPECT(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
    EXPECT(open("/tmp", O_TMPFILE | O_RDWR, 0600) < 0);
    EXPECT(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
    EXPECT(execl("/bin/true", "true", (char *)NULL) == -1);
    return 0;
}

static void
test_resolver(void)
{
    if (SF_IS_TRACED) {
        SKIP("a build with sanitizers is not confined");
    }
    CHECK_EQ(in_child(try_resolver), 0);
}

CHECK_MAIN("confine",
    {"of the file system there are the home, and the outboxes to read", test_files},
    {"no thread can make a socket, a process or a signal", test_calls},
    {"the check finds a wall that does not stand", test_breach},
    {"the process that looks up names reads, writes nothing and runs nothing", test_resolver})
