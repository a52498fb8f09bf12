/*
 * One script of operations over all three disks: same steps, same answers.
 * The real ones work in a folder of their own below the current one, and on
 * tmpfs, which takes no direct I/O, where there is one.
 */
#include "config.h"

#include "base/prng.h"
#include "sim/disk.h"
#include "store/posix.h"
#include "store/sysfile.h"
#include "store/uring.h"
#include "tests/unit/check.h"
#include "tests/unit/disk_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum which { SIM, POSIX, URING, WHICH };

static struct sf_disk *disk;
static struct sf_sim_disk *sim;
static enum which kind;
static char root[256];

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

/* Open a fresh disk; false if there is none of this kind here, and then it was said. */
static bool
start(enum which which, const char *below)
{
    int status = SF_OK;

    kind = which;
    if (which == SIM) {
        REQUIRE_EQ(sf_sim_disk_open(&(struct sf_sim_disk_config){.seed = 1}, &sim), SF_OK);
        disk = sf_sim_disk_interface(sim);
        return true;
    }
    snprintf(root, sizeof(root), "%s/test_disk.XXXXXX", below);
    REQUIRE(mkdtemp(root) != NULL);
    status = which == POSIX ? sf_posix_disk_open(root, &disk) : sf_uring_disk_open(root, &disk);
    if (status == SF_ESTATE && which == URING) {
        rmdir(root);
        printf("\n    SKIP: io_uring is not available here\n");
        return false;
    }
    REQUIRE_EQ(status, SF_OK);
    return true;
}

static void
end(void)
{
    switch (kind) {
    case SIM:
        sf_sim_disk_close(sim);
        return;
    case POSIX:
        CHECK(sf_posix_disk_idle(disk));
        sf_posix_disk_close(disk);
        break;
    default:
        CHECK(sf_uring_disk_idle(disk));
        sf_uring_disk_close(disk);
        break;
    }
    CHECK_EQ(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Run `script` on every disk. */
static void
on_all(void (*script)(void))
{
    for (int which = 0; which < WHICH; which++) {
        if (start((enum which)which, ".")) {
            script();
            end();
        }
    }
}

static bool
reads(int file, uint64_t offset, const char *expected)
{
    char bytes[64];
    size_t count = 0;

    return step_read(disk, file, offset, bytes, sizeof(bytes), &count) == SF_OK &&
           count == strlen(expected) && memcmp(bytes, expected, count) == 0;
}

static void
script_files(void)
{
    struct sf_disk_stat stat;
    int file;
    int other;

    CHECK_EQ(step_open(disk, "a", 0, &file), SF_ENOENT);
    CHECK_EQ(file, SF_DISK_NO_FILE);
    CHECK_EQ(step_open(disk, "a", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(
        step_open(disk, "a", SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_EXCLUSIVE, &other), SF_EEXIST);
    CHECK(reads(file, 0, ""));
    CHECK_EQ(step_write(disk, file, 0, "hello world", 11), SF_OK);
    CHECK_EQ(step_write(disk, file, 6, "W", 1), SF_OK);
    CHECK_EQ(step_write(disk, file, 0, "", 0), SF_OK);
    CHECK(reads(file, 0, "hello World"));
    CHECK(reads(file, 6, "World"));
    CHECK(reads(file, 11, ""));
    CHECK(reads(file, 1000, ""));
    CHECK_EQ(step_sync(disk, file), SF_OK);
    CHECK_EQ(step_open(disk, "a", 0, &other), SF_OK);
    CHECK(reads(other, 0, "hello World"));
    CHECK_EQ(step_write(disk, other, 0, "x", 1), SF_EINVAL);
    CHECK_EQ(step_file(disk, SF_DISK_TRUNCATE, other, 0, 0), SF_EINVAL);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, other, 0, 1), SF_EINVAL);
    CHECK_EQ(step_file(disk, SF_DISK_PUNCH, other, 0, 1), SF_EINVAL);
    CHECK_EQ(step_file(disk, SF_DISK_TRUNCATE, file, 5, 0), SF_OK);
    CHECK(reads(other, 0, "hello"));
    CHECK_EQ(step_stat(disk, "a", &stat), SF_OK);
    CHECK(stat.bytes == 5 && stat.is_regular && !stat.is_directory && stat.inode != 0);
    CHECK_EQ(step_close(disk, file), SF_OK);
    CHECK_EQ(step_close(disk, file), SF_EINVAL);
    CHECK_EQ(step_write(disk, file, 0, "x", 1), SF_EINVAL);
    /* Unlinked and yet open. */
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "a"), SF_OK);
    CHECK(reads(other, 0, "hello"));
    CHECK_EQ(step_close(disk, other), SF_OK);
    CHECK_EQ(step_open(disk, "a", 0, &file), SF_ENOENT);
}

static void
script_sparse(void)
{
    static uint8_t block[4096];
    struct sf_disk_stat stat;
    uint8_t byte = 7;
    size_t count;
    int file;

    CHECK_EQ(step_open(disk, "s", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, 65536), SF_OK);
    CHECK_EQ(step_stat(disk, "s", &stat), SF_OK);
    CHECK_EQ(stat.bytes, 65536);
    {
        /* Blocks behind the end are the file's, which ends where it did. */
        struct sf_disk_op behind = {.kind = SF_DISK_ALLOCATE,
            .flags = SF_DISK_KEEP_SIZE,
            .file = file,
            .offset = 65536,
            .bytes = 65536};

        CHECK_EQ(sf_disk_run(disk, &behind), SF_OK);
        CHECK_EQ(step_stat(disk, "s", &stat), SF_OK);
        CHECK_EQ(stat.bytes, 65536);
        CHECK_EQ(step_read(disk, file, 65536, &byte, 1, &count), SF_OK);
        CHECK_EQ(count, 0);
    }
    memset(block, 'x', sizeof(block));
    for (uint64_t i = 0; i < 16; i++) {
        CHECK_EQ(step_write(disk, file, i * 4096, block, 4096), SF_OK);
    }
    /* The edges of a hole are inside blocks. */
    CHECK_EQ(step_file(disk, SF_DISK_PUNCH, file, 5000, 10000), SF_OK);
    CHECK_EQ(step_stat(disk, "s", &stat), SF_OK);
    CHECK_EQ(stat.bytes, 65536);
    CHECK_EQ(step_read(disk, file, 4999, &byte, 1, &count), SF_OK);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(step_read(disk, file, 5000, &byte, 1, &count), SF_OK);
    CHECK_EQ(byte, 0);
    CHECK_EQ(step_read(disk, file, 14999, &byte, 1, &count), SF_OK);
    CHECK_EQ(byte, 0);
    CHECK_EQ(step_read(disk, file, 15000, &byte, 1, &count), SF_OK);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(step_file(disk, SF_DISK_PUNCH, file, 60000, 100000), SF_OK);
    {
        struct sf_disk_op op = {.kind = SF_DISK_ATTRIBUTES,
            .file = file,
            .mtime_ns = INT64_C(-1500000000),
            .flags = SF_DISK_EXECUTABLE};

        CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
        CHECK_EQ(step_stat(disk, "s", &stat), SF_OK);
        CHECK_EQ(stat.mtime_ns, INT64_C(-1500000000));
    }
    CHECK_EQ(step_file(disk, SF_DISK_TRUNCATE, file, 100, 0), SF_OK);
    CHECK_EQ(step_file(disk, SF_DISK_TRUNCATE, file, 8192, 0), SF_OK);
    CHECK_EQ(step_read(disk, file, 0, block, sizeof(block), &count), SF_OK);
    CHECK_EQ(count, 4096);
    CHECK_EQ(block[99], 'x');
    CHECK_EQ(block[100], 0);
    /* Far behind the end. */
    CHECK_EQ(step_write(disk, file, UINT64_C(1) << 33, "end", 3), SF_OK);
    CHECK(reads(file, UINT64_C(1) << 33, "end"));
    CHECK_EQ(step_read(disk, file, (UINT64_C(1) << 33) - 2, block, 2, &count), SF_OK);
    CHECK(block[0] == 0 && block[1] == 0);
    /* Where nothing was written there is nothing to be read: zeros, up to the end, no further. */
    for (unsigned i = 0; i < 4; i++) {
        static const uint64_t offsets[] = {1 << 20, (UINT64_C(1) << 33) - 4096,
            (UINT64_C(1) << 33) - 100, (UINT64_C(1) << 33) + 3};
        static const size_t wanted[] = {4096, 4096, 103, 0};
        struct sf_disk_op op = {.kind = SF_DISK_READ,
            .flags = SF_DISK_SPARSE,
            .file = file,
            .offset = offsets[i],
            .data = block,
            .bytes = sizeof(block)};

        memset(block, 'q', sizeof(block));
        CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
        CHECK_EQ(op.ret_bytes, wanted[i]);
        for (size_t k = 0; k < wanted[i]; k++) {
            CHECK_EQ(block[k], i == 2 && k >= 100 ? "end"[k - 100] : 0);
        }
    }
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, 0), SF_EINVAL);
    CHECK_EQ(step_file(disk, SF_DISK_PUNCH, file, INT64_MAX, 2), SF_EINVAL);
    CHECK_EQ(step_write(disk, file, INT64_MAX, "xx", 2), SF_EINVAL);
    CHECK_EQ(step_close(disk, file), SF_OK);
}

static void
script_names(void)
{
    struct sf_disk_stat stat;
    int file;

    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d"), SF_EEXIST);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "none/d"), SF_ENOENT);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d/e"), SF_OK);
    CHECK_EQ(step_open(disk, "d/a", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_write(disk, file, 0, "a", 1), SF_OK);
    CHECK_EQ(step_close(disk, file), SF_OK);
    CHECK_EQ(step_open(disk, "b", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_close(disk, file), SF_OK);
    CHECK_EQ(step_stat(disk, "d", &stat), SF_OK);
    CHECK(stat.is_directory && !stat.is_regular);
    CHECK_EQ(step_stat(disk, ".", &stat), SF_OK);
    CHECK(stat.is_directory);
    CHECK_EQ(step_open(disk, "d", 0, &file), SF_EINVAL);
    CHECK_EQ(step_open(disk, "b/c", SF_DISK_CREATE | SF_DISK_RDWR, &file), SF_ENOENT);
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "d"), SF_EINVAL);
    CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "none"), SF_ENOENT);
    CHECK_EQ(step_path(disk, SF_DISK_RMDIR, "d"), SF_EEXIST);
    CHECK_EQ(step_path(disk, SF_DISK_RMDIR, "b"), SF_ENOENT);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "."), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "d"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "none"), SF_ENOENT);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, "b"), SF_ENOENT);

    CHECK_EQ(step_rename(disk, "none", "x", 0), SF_ENOENT);
    CHECK_EQ(step_rename(disk, "d/a", "none/a", 0), SF_ENOENT);
    CHECK_EQ(step_rename(disk, "d/a", "b", SF_DISK_NOREPLACE), SF_EEXIST);
    CHECK_EQ(step_rename(disk, "d/a", "d/e/a", SF_DISK_NOREPLACE), SF_OK);
    CHECK_EQ(step_rename(disk, "d/e/a", "b", 0), SF_OK);
    CHECK_EQ(step_stat(disk, "b", &stat), SF_OK);
    CHECK_EQ(stat.bytes, 1);
    CHECK_EQ(step_rename(disk, "b", "b", 0), SF_OK);
    CHECK_EQ(step_rename(disk, "b", "d", 0), SF_EINVAL);
    CHECK_EQ(step_rename(disk, "d", "b", 0), SF_ENOENT);
    CHECK_EQ(step_rename(disk, "d", "d/e/f", 0), SF_EINVAL);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "full"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "full/x"), SF_OK);
    CHECK_EQ(step_rename(disk, "d", "full", 0), SF_EEXIST);
    CHECK_EQ(step_rename(disk, "d", "full/x", 0), SF_OK);
    CHECK_EQ(step_stat(disk, "full/x/e", &stat), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_RMDIR, "full/x/e"), SF_OK);
    CHECK_EQ(step_path(disk, SF_DISK_RMDIR, "full/x"), SF_OK);
}

static void
script_paths(void)
{
    static const char *const bad[] = {
        "", "/", "/a", "a/", "a//b", "./a", "a/.", "..", "../a", "a/../b", "a/..", "."};
    static char long_path[SF_DISK_PATH_BYTES_MAX + 1];
    int file;

    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "a"), SF_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(step_open(disk, bad[i], SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_EINVAL);
        CHECK_EQ(step_path(disk, SF_DISK_MKDIR, bad[i]), SF_EINVAL);
        CHECK_EQ(step_path(disk, SF_DISK_UNLINK, bad[i]), SF_EINVAL);
        CHECK_EQ(step_rename(disk, bad[i], "x", 0), SF_EINVAL);
        CHECK_EQ(step_rename(disk, "a", bad[i], 0), SF_EINVAL);
    }
    memset(long_path, 'a', SF_DISK_PATH_BYTES_MAX);
    CHECK_EQ(step_open(disk, long_path, 0, &file), SF_EINVAL);
    CHECK_EQ(step_open(disk, NULL, 0, &file), SF_EINVAL);
    CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, NULL), SF_EINVAL);
    CHECK_EQ(step_sync(disk, SF_DISK_NO_FILE), SF_EINVAL);
    CHECK_EQ(step_sync(disk, 99), SF_EINVAL);
}

static int
order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
script_list(void)
{
    uint8_t names[64];
    char *sorted[4];
    size_t count = 0;
    struct sf_disk_op op = {
        .kind = SF_DISK_LIST, .path = ".", .data = names, .bytes = sizeof(names)};
    int file;

    CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
    CHECK_EQ(op.ret_bytes, 0);
    CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "folder"), SF_OK);
    CHECK_EQ(step_open(disk, "folder/inside", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_open(disk, "a", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(step_open(disk, ".hidden", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
    for (size_t at = 0; at < op.ret_bytes; at += strlen((char *)names + at) + 1) {
        REQUIRE(count < 4);
        sorted[count++] = (char *)names + at;
    }
    REQUIRE_EQ(count, 3);
    qsort(sorted, count, sizeof(sorted[0]), order);
    CHECK_TEXT(sorted[0], ".hidden");
    CHECK_TEXT(sorted[1], "a");
    CHECK_TEXT(sorted[2], "folder");
    op.bytes = 16;
    CHECK_EQ(sf_disk_run(disk, &op), SF_ELIMIT);
    op.bytes = 17;
    CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
    op.path = "a";
    CHECK_EQ(sf_disk_run(disk, &op), SF_ENOENT);
    op = (struct sf_disk_op){.kind = SF_DISK_SPACE};
    CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
    CHECK(op.ret_stat.free_bytes > 0);
}

enum { BLOCKS = 600, BLOCK_BYTES = 8192 };

static int finished;

static void
note_finished(struct sf_disk_op *op)
{
    CHECK_EQ(op->status, SF_OK);
    finished++;
}

/* A read is submitted by the end of each write: engines chain operations like that. */
static void
read_back(struct sf_disk_op *op)
{
    CHECK_EQ(op->status, SF_OK);
    op->kind = SF_DISK_READ;
    op->data += (size_t)BLOCKS * BLOCK_BYTES;
    op->done = note_finished;
    sf_disk_submit(disk, op);
}

static void
script_many(void)
{
    static struct sf_disk_op ops[BLOCKS];
    size_t half = (size_t)BLOCKS * BLOCK_BYTES;
    uint8_t *memory = aligned_alloc(SF_DISK_ALIGN, 2 * half);
    struct sf_prng prng;
    uint8_t odd[2];
    size_t count;
    int file;

    REQUIRE(memory != NULL);
    if (kind == URING) {
        /* Half of it, so that both kinds of memory are used. 4.7 MB: may be refused. */
        int status = sf_uring_disk_register(disk, memory, half);

        CHECK(status == SF_OK || status == SF_ELIMIT);
        if (status == SF_OK) {
            CHECK_EQ(sf_uring_disk_register(disk, memory, half), SF_ESTATE);
        }
    }
    CHECK_EQ(
        step_open(disk, "spool", SF_DISK_RDWR | SF_DISK_CREATE | SF_DISK_DIRECT, &file), SF_OK);
    CHECK_EQ(step_file(disk, SF_DISK_ALLOCATE, file, 0, half), SF_OK);
    sf_prng_init(&prng, 1);
    sf_prng_fill(&prng, memory, half);
    finished = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        ops[i] = (struct sf_disk_op){.kind = SF_DISK_WRITE,
            .file = file,
            .offset = i * BLOCK_BYTES,
            .data = memory + i * BLOCK_BYTES,
            .bytes = BLOCK_BYTES,
            .done = read_back};
        sf_disk_submit(disk, &ops[i]);
    }
    while (finished < BLOCKS) {
        if (!sf_disk_poll(disk)) {
            disk->wait(disk);
        }
    }
    CHECK_BYTES(memory, memory + half, half);
    CHECK_EQ(step_sync(disk, file), SF_OK);
    /* A direct file takes only aligned transfers, wherever it lies. */
    CHECK_EQ(step_read(disk, file, 0, odd, 1, &count), SF_EINVAL);
    CHECK_EQ(step_write(disk, file, 512, memory, 4096), SF_EINVAL);
    CHECK_EQ(step_write(disk, file, 0, memory + 1, 4096), SF_EINVAL);
    CHECK_EQ(step_read(disk, file, half - 4096, memory, 8192, &count), SF_OK);
    CHECK_EQ(count, 4096);
    CHECK_EQ(step_close(disk, file), SF_OK);
    free(memory);
}

/* More files than the ring has places for. */
static void
script_many_files(void)
{
    enum { FILES = 300 };
    static int files[FILES];

    for (int i = 0; i < FILES; i++) {
        char name[16];

        snprintf(name, sizeof(name), "f%d", i);
        REQUIRE_EQ(step_open(disk, name, SF_DISK_RDWR | SF_DISK_CREATE, &files[i]), SF_OK);
        CHECK_EQ(step_write(disk, files[i], 0, name, strlen(name)), SF_OK);
    }
    CHECK(reads(files[7], 0, "f7"));
    CHECK(reads(files[299], 0, "f299"));
    CHECK_EQ(step_close(disk, files[7]), SF_OK);
    CHECK_EQ(step_open(disk, "f8", 0, &files[7]), SF_OK);
    CHECK(reads(files[7], 0, "f8"));
    for (int i = 0; i < FILES; i++) {
        CHECK_EQ(step_close(disk, files[i]), SF_OK);
    }
}

static void
test_files(void)
{
    on_all(script_files);
}

static void
test_sparse(void)
{
    on_all(script_sparse);
}

static void
test_names(void)
{
    on_all(script_names);
}

static void
test_paths(void)
{
    on_all(script_paths);
}

static void
test_list(void)
{
    on_all(script_list);
}

static void
test_many(void)
{
    on_all(script_many);
}

static void
test_many_files(void)
{
    on_all(script_many_files);
}

static void
test_tmpfs(void)
{
    if (access("/dev/shm", W_OK) != 0) {
        SKIP("/dev/shm is not writable here");
    }
    for (int which = POSIX; which < WHICH; which++) {
        if (start((enum which)which, "/dev/shm")) {
            script_many();
            end();
        }
    }
}

static void
check_link_refused(const char *path)
{
    struct sf_disk_stat stat;
    int file;

    CHECK_EQ(step_open(disk, path, 0, &file), SF_EINVAL);
    CHECK_EQ(step_open(disk, path, SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_EINVAL);
    CHECK(step_stat(disk, path, &stat) != SF_OK || (!stat.is_regular && !stat.is_directory));
}

static void
test_symlinks(void)
{
    for (int which = POSIX; which < WHICH; which++) {
        char path[300];
        char name[512];
        struct sf_disk_op list = {.kind = SF_DISK_LIST, .path = "dlink"};

        if (!start((enum which)which, ".")) {
            continue;
        }
        CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "d"), SF_OK);
        snprintf(path, sizeof(path), "%s/link", root);
        REQUIRE_EQ(symlink("target", path), 0);
        snprintf(path, sizeof(path), "%s/dlink", root);
        REQUIRE_EQ(symlink("d", path), 0);
        snprintf(path, sizeof(path), "%s/passwd", root);
        REQUIRE_EQ(symlink("/etc/passwd", path), 0);
        check_link_refused("link");
        check_link_refused("passwd");
        check_link_refused("dlink/a");
        CHECK_EQ(step_path(disk, SF_DISK_MKDIR, "dlink/a"), SF_EINVAL);
        CHECK(step_path(disk, SF_DISK_SYNC_DIR, "dlink") != SF_OK);
        CHECK(sf_disk_run(disk, &list) != SF_OK);
        CHECK_EQ(step_rename(disk, "d", "dlink/x", 0), SF_EINVAL);
        snprintf(name, sizeof(name), "%s/target", root);
        CHECK_EQ(access(name, F_OK), -1);
        /* The link itself can be removed. */
        CHECK_EQ(step_path(disk, SF_DISK_UNLINK, "link"), SF_OK);
        end();
    }
}

static void
test_strange_files(void)
{
    for (int which = POSIX; which < WHICH; which++) {
        char path[300];
        int file;

        if (!start((enum which)which, ".")) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/pipe", root);
        REQUIRE_EQ(mkfifo(path, 0600), 0);
        CHECK_EQ(step_open(disk, "pipe", 0, &file), SF_EINVAL);
        CHECK_EQ(step_open(disk, "pipe", SF_DISK_RDWR, &file), SF_EINVAL);
        end();
    }
}

static int
adopt(int fd)
{
    return kind == POSIX ? sf_posix_disk_adopt(disk, fd) : sf_uring_disk_adopt(disk, fd);
}

static void
test_adopt(void)
{
    for (int which = POSIX; which < WHICH; which++) {
        char path[300];
        int pipes[2];
        int file;
        int fd;

        if (!start((enum which)which, ".")) {
            continue;
        }
        CHECK_EQ(step_open(disk, "a", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
        CHECK_EQ(step_write(disk, file, 0, "source", 6), SF_OK);
        snprintf(path, sizeof(path), "%s/a", root);
        fd = open(path, O_RDWR | O_CLOEXEC);
        REQUIRE(fd >= 0);
        file = adopt(fd);
        CHECK(file >= 0);
        CHECK(reads(file, 2, "urce"));
        CHECK_EQ(step_write(disk, file, 0, "x", 1), SF_EINVAL);
        CHECK_EQ(step_close(disk, file), SF_OK);
        CHECK_EQ(fcntl(fd, F_GETFD), -1);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        CHECK_EQ(adopt(fd), SF_EINVAL);
        close(fd);
        REQUIRE_EQ(pipe(pipes), 0);
        CHECK_EQ(adopt(pipes[0]), SF_EINVAL);
        close(pipes[0]);
        close(pipes[1]);
        CHECK_EQ(adopt(-1), SF_EINVAL);
        fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK_EQ(adopt(fd), SF_EINVAL);
        close(fd);
        end();
    }
}

static void
test_modes(void)
{
    static const struct {
        const char *name;
        uint32_t flags;
        enum sf_disk_kind kind;
        unsigned int mode;
    } cases[] = {{"a", 0, SF_DISK_OPEN, 0600}, {"b", SF_DISK_SHARED, SF_DISK_OPEN, 0640},
        {"c", 0, SF_DISK_MKDIR, 0700}, {"d", SF_DISK_SHARED, SF_DISK_MKDIR, 0750}};
    mode_t old = umask(0027);

    for (int which = POSIX; which < WHICH; which++) {
        if (!start((enum which)which, ".")) {
            continue;
        }
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct sf_disk_op op = {.kind = cases[i].kind,
                .path = cases[i].name,
                .flags = cases[i].flags | SF_DISK_RDWR | SF_DISK_CREATE};
            struct stat info;
            char path[300];

            CHECK_EQ(sf_disk_run(disk, &op), SF_OK);
            snprintf(path, sizeof(path), "%s/%s", root, cases[i].name);
            CHECK_EQ(stat(path, &info), 0);
            CHECK_EQ(info.st_mode & 07777, cases[i].mode);
        }
        end();
    }
    umask(old);
}

static void
test_eventfd(void)
{
    struct sf_disk_op ops[3] = {{.kind = SF_DISK_MKDIR, .path = "d", .done = note_finished},
        {.kind = SF_DISK_SPACE, .done = note_finished},
        {.kind = SF_DISK_STAT, .path = ".", .done = note_finished}};

    if (!start(URING, ".")) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        struct pollfd wanted = {.fd = sf_uring_disk_fd(disk), .events = POLLIN};

        CHECK_EQ(poll(&wanted, 1, 0), 0);
        CHECK(!sf_disk_poll(disk));
        finished = 0;
        sf_disk_submit(disk, &ops[i]);
        CHECK(!sf_uring_disk_idle(disk));
        while (finished == 0) {
            CHECK_EQ(poll(&wanted, 1, 10000), 1);
            (void)sf_disk_poll(disk);
        }
        CHECK(sf_uring_disk_idle(disk));
    }
    end();
}

static void
test_close_with_work_in_flight(void)
{
    static uint8_t memory[1 << 20];
    static struct sf_disk_op ops[400];
    int file;

    if (!start(URING, ".")) {
        return;
    }
    CHECK_EQ(step_open(disk, "a", SF_DISK_RDWR | SF_DISK_CREATE, &file), SF_OK);
    finished = 0;
    for (size_t i = 0; i < 400; i++) {
        ops[i] = (struct sf_disk_op){.kind = SF_DISK_WRITE,
            .file = file,
            .offset = i * 4096,
            .data = memory,
            .bytes = 4096,
            .done = note_finished};
        sf_disk_submit(disk, &ops[i]);
    }
    sf_uring_disk_close(disk);
    CHECK_EQ(finished, 0);
    CHECK_EQ(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
test_no_root(void)
{
    struct sf_disk *none = NULL;
    int status;

    CHECK_EQ(sf_posix_disk_open("./no-such-directory", &none), SF_ENOENT);
    status = sf_uring_disk_open("./no-such-directory", &none);
    CHECK(status == SF_ENOENT || status == SF_ESTATE);
    CHECK(none == NULL);
    sf_posix_disk_close(NULL);
    sf_uring_disk_close(NULL);
}

/*
 * Whether a sync did anything shows only when the power goes. But files and
 * directories of /proc cannot be synced, and that a system call was asked to
 * is told by its error.
 */
static void
test_syncs_reach_the_kernel(void)
{
    int file;

    if (access("/proc/version", R_OK) != 0) {
        SKIP("there is no /proc here");
    }
    for (int which = POSIX; which < WHICH; which++) {
        int status = which == POSIX ? sf_posix_disk_open("/proc", &disk)
                                    : sf_uring_disk_open("/proc", &disk);

        if (status == SF_ESTATE) {
            continue; /* no io_uring here: the others have said so */
        }
        REQUIRE_EQ(status, SF_OK);
        REQUIRE_EQ(step_open(disk, "version", 0, &file), SF_OK);
        CHECK_EQ(step_sync(disk, file), SF_EINVAL);
        CHECK_EQ(step_close(disk, file), SF_OK);
        CHECK_EQ(step_path(disk, SF_DISK_SYNC_DIR, SF_DISK_ROOT), SF_EINVAL);
        if (which == POSIX) {
            sf_posix_disk_close(disk);
        } else {
            sf_uring_disk_close(disk);
        }
    }
}

/* --- What is asked, and what is answered ------------------------------------------ */

static void
test_statuses(void)
{
    static const struct {
        int status;
        int errors[16];
    } cases[] = {
        {SF_ENOENT, {ENOENT, ENOTDIR}},
        {SF_EEXIST, {EEXIST, ENOTEMPTY}},
        {SF_ENOSPC, {ENOSPC, EDQUOT, EFBIG}},
        {SF_ELIMIT, {EMFILE, ENFILE, ERANGE}},
        {SF_ENOMEM, {ENOMEM}},
        {SF_EINVAL, {EACCES, EBADF, EBUSY, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENXIO, EOPNOTSUPP,
                        EPERM, EXDEV}},
        {SF_EIO, {EIO, EREMOTEIO, ENODEV, ESTALE}},
    };

    CHECK_EQ(sf_sys_status(0), SF_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t n = 0; n < 16 && cases[i].errors[n] != 0; n++) {
            CHECK_EQ(sf_sys_status(cases[i].errors[n]), cases[i].status);
        }
    }
}

static void
test_insane_operations(void)
{
    _Alignas(SF_DISK_ALIGN) static uint8_t block[SF_DISK_ALIGN];
    static const struct {
        struct sf_disk_op op;
        int plain;
        int direct;
    } cases[] = {
        {{.kind = SF_DISK_OPEN, .path = NULL}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_OPEN, .path = ".a/b."}, SF_OK, SF_OK},
        {{.kind = SF_DISK_OPEN, .path = "a/.."}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_OPEN, .path = ".."}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_OPEN, .path = ".x"}, SF_OK, SF_OK},
        {{.kind = SF_DISK_RENAME, .path = "a", .path_to = "/b"}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_SYNC_DIR, .path = "."}, SF_OK, SF_OK},
        {{.kind = SF_DISK_SYNC_DIR, .path = ""}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_LIST, .path = NULL}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_LIST, .path = "a//b"}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_LIST, .path = "a", .bytes = 1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_LIST, .path = "a", .data = block, .bytes = 1}, SF_OK, SF_OK},
        {{.kind = SF_DISK_STAT, .path = NULL, .file = -1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_STAT, .path = NULL, .file = 3}, SF_OK, SF_OK},
        {{.kind = SF_DISK_READ, .file = -1, .data = block, .bytes = 1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_READ, .file = 3, .bytes = 1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_READ, .file = 3, .data = block, .bytes = 1}, SF_OK, SF_EINVAL},
        {{.kind = SF_DISK_READ, .file = 3, .data = block, .offset = 1, .bytes = SF_DISK_ALIGN},
            SF_OK, SF_EINVAL},
        {{.kind = SF_DISK_WRITE, .file = 3, .data = block + 1, .bytes = SF_DISK_ALIGN}, SF_OK,
            SF_EINVAL},
        {{.kind = SF_DISK_WRITE, .file = 3, .data = block, .bytes = SF_DISK_ALIGN}, SF_OK, SF_OK},
        {{.kind = SF_DISK_WRITE, .file = 3, .data = block, .offset = INT64_MAX, .bytes = 1},
            SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_WRITE, .file = 3, .data = block, .offset = UINT64_MAX, .bytes = 1},
            SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_ALLOCATE, .file = 3, .bytes = 0}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_PUNCH, .file = -1, .bytes = 1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_TRUNCATE, .file = -1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_TRUNCATE, .file = 3, .offset = UINT64_MAX}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_SYNC, .file = -1}, SF_EINVAL, SF_EINVAL},
        {{.kind = SF_DISK_SPACE}, SF_OK, SF_OK},
        {{.kind = (enum sf_disk_kind)99, .file = 3, .path = "a"}, SF_EINVAL, SF_EINVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(sf_disk_op_check(&cases[i].op, false), cases[i].plain);
        CHECK_EQ(sf_disk_op_check(&cases[i].op, true), cases[i].direct);
    }
}

CHECK_MAIN("disk", {"every error of the system has one status", test_statuses},
    {"what makes no sense is refused before it reaches a file", test_insane_operations},
    {"files are made, written, read, cut and removed alike", test_files},
    {"allocated, punched and sparse ranges read alike", test_sparse},
    {"directories and renames answer alike", test_names},
    {"paths that are not plain relative ones are refused", test_paths},
    {"lists and free space are given", test_list},
    {"hundreds of direct writes and reads in flight come out right", test_many},
    {"more files than registered places work", test_many_files},
    {"a file system without direct I/O is used through the page cache", test_tmpfs},
    {"symbolic links are never followed", test_symlinks},
    {"what is no regular file is refused without waiting", test_strange_files},
    {"descriptors from outside are read-only sources", test_adopt},
    {"modes are private, or readable by the group where asked", test_modes},
    {"the ring's eventfd tells of every kind of end", test_eventfd},
    {"closing waits for the kernel and calls nobody", test_close_with_work_in_flight},
    {"syncs reach the kernel", test_syncs_reach_the_kernel},
    {"a missing root is said", test_no_root})
