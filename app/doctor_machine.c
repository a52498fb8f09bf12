/*
 * doctor_machine.c - the checks of `skyferry doctor` that concern the machine.
 */
#include <config.h>

#include "app/doctor.h"

#include "app/text.h"
#include "base/time.h"
#include "store/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum {
    YEAR_MIN = 2025, /* no clock that is set shows less */
    YEAR_MAX = 2100,
    BUFFER_MS = 100, /* a socket's buffer should last over a pause of this length */
    BUFFER_BYTES_MIN = 4 << 20,
    MEMLOCK_BYTES_MIN = 64 << 20, /* registered buffers and guarded keys */
    FILES_MIN = 4096,
    PROBE_BYTES = 4096,
};

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef ZFS_SUPER_MAGIC
#define ZFS_SUPER_MAGIC 0x2fc12fc1
#endif

/* --- The disk -------------------------------------------------------------- */

static const char *
file_system_name(long type, bool *ret_volatile, bool *ret_remote)
{
    static const struct {
        long type;
        const char *name;
        bool is_volatile;
        bool is_remote;
    } known[] = {{EXT4_SUPER_MAGIC, "ext4", false, false}, {XFS_SUPER_MAGIC, "XFS", false, false},
        {BTRFS_SUPER_MAGIC, "btrfs", false, false}, {F2FS_SUPER_MAGIC, "F2FS", false, false},
        {ZFS_SUPER_MAGIC, "ZFS", false, false}, {TMPFS_MAGIC, "tmpfs", true, false},
        {RAMFS_MAGIC, "ramfs", true, false}, {OVERLAYFS_SUPER_MAGIC, "overlayfs", false, false},
        {NFS_SUPER_MAGIC, "NFS", false, true}, {SMB2_SUPER_MAGIC, "SMB", false, true},
        {CIFS_SUPER_MAGIC, "CIFS", false, true}, {FUSE_SUPER_MAGIC, "FUSE", false, true}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].type == type) {
            *ret_volatile = known[i].is_volatile;
            *ret_remote = known[i].is_remote;
            return known[i].name;
        }
    }
    *ret_volatile = *ret_remote = false;
    return "an unknown file system";
}

static void
check_file_system(struct sf_doctor *doctor, const char *home)
{
    bool is_volatile;
    bool is_remote;
    const char *name;
    struct statfs fs;

    if (statfs(home, &fs) != 0) {
        return;
    }
    name = file_system_name((long)fs.f_type, &is_volatile, &is_remote);
    if (is_volatile) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "file system",
            "move the home to a disk: what is in custody here is gone after a power cut",
            "%s lives in memory", name);
    } else if (is_remote) {
        sf_doctor_report(doctor, SF_DOCTOR_WARN, "file system",
            "use a local disk: whether a sync really reached the medium is not known here", "%s",
            name);
    } else {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "file system", NULL, "%s", name);
    }
}

static void
check_space(struct sf_doctor *doctor, const char *home)
{
    struct statvfs fs;
    char free_text[SF_TEXT_AMOUNT_BYTES];
    char reserve[SF_TEXT_AMOUNT_BYTES];
    uint64_t free_bytes;

    if (statvfs(home, &fs) != 0) {
        return;
    }
    free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    sf_text_size(free_bytes, free_text);
    sf_text_size(doctor->reserve_bytes, reserve);
    if (free_bytes <= doctor->reserve_bytes) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "disk space",
            "free some, or lower `reserve` in the config",
            "%s are free, and %s are kept in reserve: nothing can be taken", free_text, reserve);
    } else {
        sf_doctor_report(doctor,
            free_bytes < 4 * doctor->reserve_bytes ? SF_DOCTOR_WARN : SF_DOCTOR_OK, "disk space",
            NULL, "%s free, of which %s stay in reserve", free_text, reserve);
    }
}

/* Direct I/O and hole punching, tried on a file without a name. */
static void
check_direct(struct sf_doctor *doctor, const char *home)
{
    void *page = NULL;
    bool direct;
    bool punch;
    int fd = open(home, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0) {
        sf_doctor_report(doctor, SF_DOCTOR_WARN, "direct I/O",
            "run this as the daemon's user for an answer", "not tried: %s", strerror(errno));
        return;
    }
    punch = fallocate(fd, 0, 0, PROBE_BYTES) == 0 &&
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PROBE_BYTES) == 0;
    direct = fcntl(fd, F_SETFL, O_DIRECT) == 0 &&
             posix_memalign(&page, PROBE_BYTES, PROBE_BYTES) == 0 &&
             pread(fd, page, PROBE_BYTES, 0) >= 0;
    free(page);
    (void)close(fd);
    if (direct && punch) {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "direct I/O", NULL,
            "works, and freed space is given back at once");
        return;
    }
    sf_doctor_report(doctor, SF_DOCTOR_WARN, "direct I/O", "ext4 and XFS on a local disk have both",
        "%s%s%s", direct ? "" : "not possible, so reads go through the page cache",
        !direct && !punch ? "; " : "",
        punch ? "" : "holes cannot be punched, so space comes back only at the end of a transfer");
}

static void
check_io_uring(struct sf_doctor *doctor)
{
    struct sf_disk *disk;

    /* The disk the daemon would take, not the system call alone: it restricts its ring too. */
    if (sf_uring_disk_open("/", &disk) == SF_OK) {
        sf_uring_disk_close(disk);
        sf_doctor_report(doctor, SF_DOCTOR_OK, "io_uring", NULL, "available");
        return;
    }
    sf_doctor_report(doctor, SF_DOCTOR_NOTE, "io_uring",
        "allow it: sysctl -w kernel.io_uring_disabled=0, or the container's seccomp profile; "
        "a kernel from 5.15 on has it",
        "not available; plain reads and writes are used instead");
}

/* --- The clock ------------------------------------------------------------- */

static void
check_clock(struct sf_doctor *doctor)
{
    struct timex state = {0};
    time_t now = time(NULL);
    struct tm tm;
    int year;

    if (gmtime_r(&now, &tm) == NULL) {
        return;
    }
    year = tm.tm_year + 1900;
    if (year < YEAR_MIN || year > YEAR_MAX) {
        sf_doctor_report(doctor, SF_DOCTOR_WARN, "clock",
            "set it; transfers do not depend on it, but logs and receipts will show these dates",
            "says it is the year %d", year);
        return;
    }
    if (adjtimex(&state) == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
        sf_doctor_report(doctor, SF_DOCTOR_NOTE, "clock",
            "nothing depends on it but the dates in logs; NTP would keep it right",
            "plausible, but not kept in step by anything");
        return;
    }
    sf_doctor_report(doctor, SF_DOCTOR_OK, "clock", NULL, "plausible and kept in step");
}

/* --- The network ----------------------------------------------------------- */

/* The number in a file of /proc/sys, 0 if there is none. */
static uint64_t
sysctl_number(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned long long value = 0;

    if (file == NULL) {
        return 0;
    }
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own number */
    if (fscanf(file, "%llu", &value) != 1) {
        value = 0;
    }
    (void)fclose(file);
    return value;
}

static void
check_buffers(struct sf_doctor *doctor)
{
    uint64_t need = doctor->rate_bps_max / 8 / 1000 * BUFFER_MS;
    uint64_t in = sysctl_number("/proc/sys/net/core/rmem_max");
    uint64_t out = sysctl_number("/proc/sys/net/core/wmem_max");
    char advice[256];
    char have[SF_TEXT_AMOUNT_BYTES];
    char want[SF_TEXT_AMOUNT_BYTES];

    need = need < BUFFER_BYTES_MIN ? BUFFER_BYTES_MIN : need;
    if (in == 0 || out == 0) {
        sf_doctor_report(doctor, SF_DOCTOR_NOTE, "sockets", NULL,
            "the system does not say how large their buffers may be");
        return;
    }
    sf_text_size(in < out ? in : out, have);
    sf_text_size(need, want);
    if (in >= need && out >= need) {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "sockets", NULL, "buffers of up to %s", have);
        return;
    }
    (void)snprintf(advice, sizeof(advice),
        "sysctl -w net.core.rmem_max=%llu net.core.wmem_max=%llu\n"
        "and the same in /etc/sysctl.d/ to keep it",
        (unsigned long long)need, (unsigned long long)need);
    sf_doctor_report(doctor, SF_DOCTOR_WARN, "sockets", advice,
        "buffers are held to %s; %s would last over a pause of %d ms", have, want, BUFFER_MS);
}

static void
check_offload(struct sf_doctor *doctor)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int segment = 1200;
    int on = 1;
    bool gso;
    bool gro;

    if (fd < 0) {
        return;
    }
    gso = setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)) == 0;
    gro = setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) == 0;
    (void)close(fd);
    if (gso && gro) {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "UDP offload", NULL, "GSO and GRO are available");
    } else {
        sf_doctor_report(doctor, SF_DOCTOR_NOTE, "UDP offload",
            "kernels from 5.0 on have both; without them high rates cost more CPU time",
            "%s%s%s missing", gso ? "" : "GSO", !gso && !gro ? " and " : "", gro ? "" : "GRO");
    }
}

/* --- Limits ---------------------------------------------------------------- */

static void
check_limits(struct sf_doctor *doctor)
{
    struct rlimit limit;
    char have[SF_TEXT_AMOUNT_BYTES];

    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        sf_text_size(limit.rlim_max, have);
        if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= MEMLOCK_BYTES_MIN) {
            sf_doctor_report(doctor, SF_DOCTOR_OK, "locked memory", NULL, "%s%s",
                limit.rlim_max == RLIM_INFINITY ? "not limited" : "up to ",
                limit.rlim_max == RLIM_INFINITY ? "" : have);
        } else {
            sf_doctor_report(doctor, SF_DOCTOR_NOTE, "locked memory",
                "the systemd unit raises it (LimitMEMLOCK=); in a shell: ulimit -Hl",
                "limited to %s: buffers are not registered with the kernel, which costs some speed",
                have);
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        bool is_enough = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= FILES_MIN;

        sf_doctor_report(doctor, is_enough ? SF_DOCTOR_OK : SF_DOCTOR_WARN, "open files",
            is_enough ? NULL : "raise it (ulimit -Hn) to send directories of many files",
            "up to %llu", (unsigned long long)limit.rlim_max);
    }
}

void
sf_doctor_machine(struct sf_doctor *doctor)
{
    const char *home = doctor->cli->home_path;
    struct stat st;

    if (stat(home, &st) == 0) {
        check_file_system(doctor, home);
        check_space(doctor, home);
        check_direct(doctor, home);
    }
    check_io_uring(doctor);
    check_clock(doctor);
    check_buffers(doctor);
    check_offload(doctor);
    check_limits(doctor);
}
