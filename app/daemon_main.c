/*
 * skyferryd - runs a node in the foreground; see skyferryd(8).
 */
#include "app/config.h"
#include "app/daemon.h"
#include "app/home.h"
#include "app/log.h"
#include "app/privilege.h"
#include "app/traced.h"
#include "base/crypto.h"

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FILES_WANTED = 131072, MEMLOCK_BYTES_WANTED = 128 << 20 };

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    const char *home;
    struct sf_config_listen listen[SF_CONFIG_LISTEN_MAX];
    size_t listen_count;
};

static const char usage[] =
    "usage: skyferryd [--home DIR] [--listen ADDRESS:PORT]...\n"
    "\n"
    "Runs the node in DIR (SKYFERRY_HOME, or the default of skyferry(1)) in the\n"
    "foreground. See skyferryd(8) and skyferry.conf(5).\n"
    "\n"
    "  --home DIR             the node's home\n"
    "  --listen ADDRESS:PORT  listen here instead of where the config says\n"
    "  --version              print the version\n"
    "  --help                 print this\n";

/* Returns -1 to go on, else the exit code. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"home", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 'd':
            options->home = optarg;
            break;
        case 'l':
            if (options->listen_count == SF_CONFIG_LISTEN_MAX) {
                fprintf(stderr, "skyferryd: --listen is given more than %d times\n",
                    SF_CONFIG_LISTEN_MAX);
                return EXIT_USAGE;
            }
            if (sf_config_listen_parse(optarg, &options->listen[options->listen_count]) != SF_OK) {
                sf_log(SF_LOG_ERROR, "--listen %.200s: expected %s", optarg, SF_CONFIG_LISTEN_FORM);
                return EXIT_USAGE;
            }
            options->listen_count++;
            break;
        case 'V':
            puts("skyferryd " PACKAGE_VERSION);
            return EXIT_DONE;
        case 'h':
            fputs(usage, stdout);
            return EXIT_DONE;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        sf_log(SF_LOG_ERROR, "unexpected \"%.200s\"", argv[optind]);
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* Raise a limit to what the system allows this process: root may set it to `wanted` itself. */
static int
raise_limit(__rlimit_resource_t resource, rlim_t wanted)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0) {
        return -1;
    }
    if (geteuid() == 0 && limit.rlim_max < wanted) {
        limit.rlim_max = wanted;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

/* Keys stay in this process: no core files, no tracing by others, no new privileges. */
static void
harden(void)
{
    const struct rlimit none = {0, 0};
    int ignored = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    if (!SF_IS_TRACED) {
        ignored |= prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    ignored |= setrlimit(RLIMIT_CORE, &none);
    /* Every file of a transfer that is handed over is open until it is sealed. */
    ignored |= raise_limit(RLIMIT_NOFILE, FILES_WANTED);
    /* Keys in guarded memory and rings, once root's right to lock any amount is given up. */
    ignored |= raise_limit(RLIMIT_MEMLOCK, MEMLOCK_BYTES_WANTED);
    (void)ignored;
    (void)umask(0027);
}

/*
 * A way to the service manager, if there is one (the protocol of sd_notify(3)):
 * connected while sockets can still be made. Returns -1 if there is none.
 */
static int
open_notify(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t bytes = path == NULL ? 0 : strlen(path);
    socklen_t address_bytes;
    int fd;

    if (bytes < 2 || bytes >= sizeof(address.sun_path) || (*path != '/' && *path != '@')) {
        return -1;
    }
    memcpy(address.sun_path, path, bytes);
    if (*path == '@') {
        address.sun_path[0] = '\0';
    }
    address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, address_bytes) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
notify(int fd, const char *state)
{
    if (fd >= 0) {
        ssize_t sent = send(fd, state, strlen(state), MSG_NOSIGNAL);

        (void)sent;
    }
}

/* The home, locked, and its config. */
static int
open_home(struct sf_daemon *daemon, const struct options *options, struct sf_app_error *error)
{
    char path[SF_HOME_PATH_BYTES_MAX + 1];
    int status = sf_home_locate(options->home, path, error);

    if (status == SF_OK) {
        status = sf_privilege_become_owner(path, error);
    }
    if (status == SF_OK) {
        status = sf_home_open(path, &daemon->home, error);
    }
    if (status == SF_OK) {
        status = sf_home_lock(&daemon->home, error);
    }
    if (status == SF_OK) {
        status = sf_config_read(&daemon->home, &daemon->config, error);
    }
    if (status == SF_OK && options->listen_count > 0) {
        memcpy(daemon->config.listen, options->listen, sizeof(options->listen));
        daemon->config.listen_count = options->listen_count;
        daemon->config.is_listen_default = false;
    }
    return status;
}

static void
say_confined(const struct sf_daemon *daemon)
{
    const struct sf_confine *confine = &daemon->confine;

    if (daemon->config.confine == SF_CONFIG_CONFINE_NO) {
        sf_log(SF_LOG_WARNING, "not confined, as the config says");
    } else if (SF_IS_TRACED) {
        sf_log(SF_LOG_WARNING, "not confined: this build has sanitizers");
    } else if (confine->has_files && confine->has_calls) {
        sf_log(SF_LOG_NOTICE,
            "confined, and tried: no files but the home's%s (Landlock %d), no new sockets or "
            "programs (seccomp)",
            daemon->config.outbox_count > 0 ? " and the outboxes'" : "", confine->landlock_abi);
    } else {
        sf_log(SF_LOG_WARNING, "confined in part: this kernel has no %s",
            confine->has_files   ? "seccomp"
            : confine->has_calls ? "Landlock of version 2 or later"
                                 : "Landlock of version 2 or later and no seccomp");
    }
}

static void
say_started(const struct sf_daemon *daemon)
{
    const struct sf_card *card = sf_node_card(daemon->node);
    struct sf_udp_stats stats;

    sf_udp_stats(daemon->udp, &stats);
    for (size_t i = 0; sf_udp_fd(daemon->udp, i) >= 0; i++) {
        char text[SF_UDP_ADDR_TEXT_BYTES];
        struct sf_addr addr;

        sf_udp_bound(daemon->udp, i, &addr);
        sf_udp_addr_print(&addr, text);
        sf_log(SF_LOG_NOTICE,
            "node %s listens on %s (version " PACKAGE_VERSION ", disk %s, %u workers%s)",
            card->name, text, daemon->is_uring ? "io_uring" : "posix",
            (unsigned)daemon->config.workers, stats.is_gso ? ", UDP segmentation" : "");
    }
    say_confined(daemon);
    if (stats.receive_buffer_bytes < 2u << 20) {
        sf_log(SF_LOG_NOTICE,
            "the receive buffer is only %u bytes, which loses datagrams in bursts: raise "
            "net.core.rmem_max to 8388608",
            (unsigned)stats.receive_buffer_bytes);
    }
}

int
main(int argc, char **argv)
{
    static struct sf_daemon daemon = {.home = {.fd = -1, .lock_fd = -1}};
    struct options options = {.home = NULL};
    struct sf_app_error error;
    int manager;
    int code = parse_options(argc, argv, &options);

    if (code >= 0) {
        return code;
    }
    tzset(); /* the hours of limits are local; once confined it could not be read */
    harden();
    manager = open_notify();
    if (sf_crypto_init() != SF_OK) {
        sf_log(SF_LOG_ERROR, "the system gives no random numbers");
        return EXIT_FAILED;
    }
    if (open_home(&daemon, &options, &error) != SF_OK || sf_daemon_open(&daemon, &error) != SF_OK) {
        sf_log(SF_LOG_ERROR, "%s", error.text);
        sf_home_close(&daemon.home);
        return EXIT_FAILED;
    }
    say_started(&daemon);
    notify(manager, "READY=1");
    code = sf_daemon_run(&daemon) == SF_OK ? EXIT_DONE : EXIT_FAILED;
    notify(manager, "STOPPING=1");
    sf_daemon_close(&daemon);
    sf_home_close(&daemon.home);
    if (code == EXIT_DONE) {
        sf_log(SF_LOG_NOTICE, "stopped");
    }
    return code;
}
