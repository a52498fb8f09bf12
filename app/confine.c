#include "app/confine.h"

#include "app/traced.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of some systems; the kernel says what it knows. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define FS_IOCTL_DEV        (1ULL << 15)
#define NET_BIND_TCP        (1ULL << 0)
#define NET_CONNECT_TCP     (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)
#define REFLINK_REQUEST     0x40049409u /* FICLONE of <linux/fs.h>, which clashes with <sys/mount.h> */

enum {
    ABI_REFER = 2, /* before it no file can be moved to another directory at all */
    ABI_TRUNCATE = 3,
    ABI_NET = 4,
    ABI_IOCTL = 5,
    ABI_SCOPE = 6,
};

/* struct landlock_ruleset_attr as of ABI 6: an older kernel takes the beginning of it. */
struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define HOME_RIGHTS                                                                                \
    (READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
        LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                             \
        LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER |    \
        LANDLOCK_ACCESS_FS_TRUNCATE)

/* --- Landlock -------------------------------------------------------------------- */

static int
landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi > 0 ? (int)abi : 0;
}

/* All rights that `abi` knows: what is not allowed by a rule is refused. */
static uint64_t
rights_of(int abi)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* those of ABI 1 */

    rights |= abi >= ABI_REFER ? LANDLOCK_ACCESS_FS_REFER : 0;
    rights |= abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    rights |= abi >= ABI_IOCTL ? FS_IOCTL_DEV : 0;
    return rights;
}

/* A ruleset that allows nothing yet: its descriptor, or -1. */
static int
make_ruleset(int abi, const struct ruleset *wanted)
{
    struct ruleset ruleset = *wanted;
    size_t bytes = abi >= ABI_SCOPE ? sizeof(ruleset)
                   : abi >= ABI_NET ? offsetof(struct ruleset, scoped)
                                    : offsetof(struct ruleset, handled_access_net);

    return (int)syscall(SYS_landlock_create_ruleset, &ruleset, bytes, 0);
}

static bool
allow(int ruleset, int directory, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = directory};

    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool
enter(int ruleset)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

int
sf_confine_files(const struct sf_confine_files *files, struct sf_confine *ret_confine,
    struct sf_app_error *error)
{
    int abi = landlock_abi();
    uint64_t rights = rights_of(abi);
    struct ruleset wanted = {.handled_access_fs = rights,
        .handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP,
        .scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL};
    bool is_done;
    int ruleset;
    int failed;

    *ret_confine = (struct sf_confine){.landlock_abi = abi};
    if (abi < ABI_REFER || SF_IS_TRACED) {
        return SF_OK;
    }
    ruleset = make_ruleset(abi, &wanted);
    is_done = ruleset >= 0 && allow(ruleset, files->home_fd, HOME_RIGHTS & rights);
    for (size_t i = 0; is_done && i < files->read_count; i++) {
        is_done = allow(ruleset, files->read_fds[i], READ_RIGHTS);
    }
    is_done = is_done && enter(ruleset);
    failed = errno;
    if (ruleset >= 0) {
        close(ruleset);
    }
    if (!is_done) {
        return sf_app_error_set(
            error, SF_EIO, "cannot confine the process to its home: %s", strerror(failed));
    }
    ret_confine->has_files = true;
    return SF_OK;
}

/* --- seccomp --------------------------------------------------------------------- */

/* Calls whose arguments do not matter, by what they are for. */
static const int calls[] = {
    /* files, below the directories that Landlock leaves */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(pwritev), SCMP_SYS(lseek),
    SCMP_SYS(fadvise64), SCMP_SYS(close), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(getdents64), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(unlinkat),
    SCMP_SYS(mkdirat), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(utimensat), SCMP_SYS(flock),
    SCMP_SYS(fcntl), SCMP_SYS(copy_file_range), SCMP_SYS(umask), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    /* sockets that are there, and those that come in on them */
    SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg), SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(accept4), SCMP_SYS(accept),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    /* waiting and time */
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(timerfd_settime), SCMP_SYS(eventfd2),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
    SCMP_SYS(time), SCMP_SYS(restart_syscall),
    /* the ring that was opened before */
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    /* memory and threads that are there */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(futex), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(getcpu),
    SCMP_SYS(sched_getaffinity),
    /* signals, the end, and who this is */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getrandom), SCMP_SYS(uname),
    SCMP_SYS(sysinfo), SCMP_SYS(getrusage)};

/* Allow `call` if its argument `number`, under `mask`, is `value`. */
static bool
add_if(scmp_filter_ctx filter, int call, unsigned number, scmp_datum_t mask, scmp_datum_t value)
{
    const struct scmp_arg_cmp condition = {
        .arg = number, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

/* Memory is never executable, limits are only read, signals go to this process alone. */
static bool
add_conditional(scmp_filter_ctx filter)
{
    const scmp_datum_t all = ~(scmp_datum_t)0;

    return add_if(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0) &&
           add_if(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0) &&
           add_if(filter, SCMP_SYS(prlimit64), 2, all, 0) &&
           add_if(filter, SCMP_SYS(tgkill), 0, all, (scmp_datum_t)getpid()) &&
           add_if(filter, SCMP_SYS(ioctl), 1, all, REFLINK_REQUEST) &&
           /* Interfaces that peers are bound to come and go. */
           add_if(filter, SCMP_SYS(ioctl), 1, all, SIOCGIFINDEX);
}

/*
 * Everything else fails with EPERM rather than ending the process: a call that
 * some library tries for its own reasons must not cost a running transfer.
 */
int
sf_confine_calls(struct sf_confine *confine, struct sf_app_error *error)
{
    scmp_filter_ctx filter;
    bool is_done;
    int failed = 0;

    if (SF_IS_TRACED || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
        return SF_OK;
    }
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return sf_app_error_set(error, SF_EIO, "no memory for the filter of system calls");
    }
    is_done = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
    for (size_t i = 0; is_done && i < sizeof(calls) / sizeof(calls[0]); i++) {
        is_done = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) == 0;
    }
    is_done = is_done && add_conditional(filter);
    if (is_done) {
        failed = -seccomp_load(filter);
    }
    seccomp_release(filter);
    if (!is_done || failed != 0) {
        return sf_app_error_set(error, SF_EIO, "cannot install the filter of system calls: %s",
            failed != 0 ? strerror(failed) : "its rules are not accepted");
    }
    confine->has_calls = true;
    return SF_OK;
}

/* --- The check ------------------------------------------------------------------- */

/* Whether the attempt was refused as it must be; what it made is undone. */
static bool
is_refused(long result, int wanted)
{
    if (result >= 0) {
        close((int)result);
        return false;
    }
    return errno == wanted;
}

static const char *
breach_of_files(void)
{
    static const struct {
        const char *path;
        int flags;
        const char *what;
    } attempts[] = {{"/etc/passwd", O_RDONLY, "read /etc/passwd"},
        {"/", O_RDONLY | O_DIRECTORY, "list the root directory"},
        {"/proc/self/environ", O_RDONLY, "read its own environment from /proc"},
        {"/dev/null", O_WRONLY, "write to a device"}};

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        int fd = openat(AT_FDCWD, attempts[i].path, attempts[i].flags | O_CLOEXEC);

        if (!is_refused(fd, EACCES) && errno != ENOENT) {
            return attempts[i].what;
        }
    }
    return NULL;
}

/* Each with arguments that would do no harm if it were let through. */
static const char *
breach_of_calls(void)
{
    void *page;

    if (!is_refused(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), EPERM)) {
        return "make a UDP socket";
    }
    if (!is_refused(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), EPERM)) {
        return "make a Unix socket";
    }
    if (!is_refused(syscall(SYS_connect, -1, NULL, 0), EPERM)) {
        return "connect";
    }
    if (!is_refused(syscall(SYS_execveat, -1, "", NULL, NULL, AT_EMPTY_PATH), EPERM)) {
        return "run a program";
    }
    if (!is_refused(syscall(SYS_clone3, NULL, 0), EPERM)) {
        return "start a process";
    }
    if (!is_refused(syscall(SYS_ptrace, -1, 0, NULL, NULL), EPERM)) {
        return "trace a process";
    }
    if (!is_refused(syscall(SYS_io_uring_setup, 0, NULL), EPERM)) {
        return "make an io_uring";
    }
    page = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        (void)munmap(page, 1);
        return "make memory executable";
    }
    return NULL;
}

int
sf_confine_check(const struct sf_confine *confine, struct sf_app_error *error)
{
    const char *breach = confine->has_files ? breach_of_files() : NULL;

    if (breach == NULL && confine->has_calls) {
        breach = breach_of_calls();
    }
    if (breach != NULL) {
        return sf_app_error_set(error, SF_EAUTH,
            "the confinement does not hold: this process could %s. This is a bug of Skyferry or "
            "of the kernel; `confine = no` in the config runs without it",
            breach);
    }
    return SF_OK;
}

/* --- The resolver's process -------------------------------------------------------- */

/* Where the C library, its modules and the name services keep what they read. */
static const char *const resolver_paths[] = {
    "/etc", "/usr", "/lib", "/lib64", "/run", "/var/run", "/var/lib/misc", "/dev/urandom"};

static void
confine_resolver_files(void)
{
    int abi = landlock_abi();
    struct ruleset wanted = {.handled_access_fs = rights_of(abi)};
    int ruleset = abi < ABI_REFER ? -1 : make_ruleset(abi, &wanted);

    if (ruleset < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(resolver_paths) / sizeof(resolver_paths[0]); i++) {
        int fd = open(resolver_paths[i], O_PATH | O_CLOEXEC);

        if (fd >= 0) {
            if (!allow(ruleset, fd, READ_RIGHTS)) {
                (void)allow(ruleset, fd, LANDLOCK_ACCESS_FS_READ_FILE); /* no directory */
            }
            close(fd);
        }
    }
    (void)enter(ruleset);
    close(ruleset);
}

void
sf_confine_resolver(void)
{
    static const int forbidden[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill),
        SCMP_SYS(io_uring_setup), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(listen),
        SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(mount), SCMP_SYS(bpf), SCMP_SYS(keyctl),
        SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(unshare), SCMP_SYS(setns)};
    scmp_filter_ctx filter;
    bool is_done;

    if (SF_IS_TRACED) {
        return;
    }
    confine_resolver_files();
    filter = seccomp_init(SCMP_ACT_ALLOW);
    is_done = filter != NULL;
    for (size_t i = 0; is_done && i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        is_done = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0) == 0;
    }
    if (is_done) {
        (void)seccomp_load(filter);
    }
    seccomp_release(filter);
}
