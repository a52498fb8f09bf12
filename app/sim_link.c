/*
 * skyferry-sim link: options, start and result; and the side that speaks to a link that runs.
 * The forwarding itself is in sim_relay.c.
 */
#include <config.h>

#include "app/sim.h"
#include "app/sim_control.h"
#include "app/sim_proxy.h"
#include "app/sim_tun.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESS_TEXT_BYTES = 320, REALTIME_PRIORITY = 10 };

struct options {
    const char *listen;
    const char *to;
    const char *record;
    const char *tun[SF_SIM_DIRECTIONS];
    size_t tun_count;
    bool make;
    bool realtime;
    bool counters; /* of a link that runs */
    bool has_seed;
    bool has_profile;
    struct sf_sim_profile profile;
    uint64_t seed;
    char changes[SF_SIM_PROFILE_BYTES_MAX + 1]; /* what --profile and --set say, as lines */
    char control[SF_SIM_CONTROL_PATH_BYTES];    /* empty: not given */
};

/* "ADDR:PORT" or "[ADDR]:PORT". Says what is wrong and returns false if it is none. */
static bool
read_address(const char *option, const char *text, struct sf_sim_address *ret_address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found;
    char host[ADDRESS_TEXT_BYTES];
    const char *colon = strrchr(text, ':');
    const char *begin = text;
    const char *end = colon;
    int error;

    if (colon != NULL && *text == '[' && colon > text && colon[-1] == ']') {
        begin++;
        end--;
    }
    if (colon == NULL || end == begin || (size_t)(end - begin) >= sizeof(host)) {
        (void)sf_sim_say(0,
            "--%s: \"%s\" is not accepted: give ADDR:PORT, such as 127.0.0.1:4600 or "
            "[::1]:4600",
            option, text);
        return false;
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0) {
        (void)sf_sim_say(0, "--%s: \"%s\": %s; give ADDR:PORT, such as 127.0.0.1:4600", option,
            text, gai_strerror(error));
        return false;
    }
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(&ret_address->storage, found->ai_addr, found->ai_addrlen);
    ret_address->bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void
print_address(const struct sf_sim_address *address, char text[ADDRESS_TEXT_BYTES])
{
    char host[256];
    char port[16];

    if (getnameinfo((const struct sockaddr *)&address->storage, address->bytes, host, sizeof(host),
            port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        snprintf(text, ADDRESS_TEXT_BYTES, "?");
    } else if (address->storage.ss_family == AF_INET6) {
        snprintf(text, ADDRESS_TEXT_BYTES, "[%s]:%s", host, port);
    } else {
        snprintf(text, ADDRESS_TEXT_BYTES, "%s:%s", host, port);
    }
}

/* Remember `text` for a link that runs. */
static bool
add_change(struct options *options, const char *text, size_t bytes)
{
    size_t used = strlen(options->changes);

    if (bytes + 1 > sizeof(options->changes) - 1 - used) {
        return false;
    }
    memcpy(options->changes + used, text, bytes);
    memcpy(options->changes + used + bytes, "\n", 2);
    return true;
}

/* Apply the text of a profile called `name`. Returns an exit status. */
static int
use_text(struct options *options, const char *name, struct sf_view text)
{
    struct sf_sim_profile_error error;

    if (sf_sim_profile_parse(&options->profile, text, &error) != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "%s:%u: %s", name, error.line, error.text);
    }
    options->has_profile = true;
    if (!add_change(options, (const char *)text.data, text.bytes)) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "%s: the profiles together have more than %d bytes",
            name, SF_SIM_PROFILE_BYTES_MAX);
    }
    return SF_SIM_EXIT_DONE;
}

/* Apply a profile that comes with the program, or a file. Returns an exit status. */
static int
use_profile(struct options *options, const char *name)
{
    const struct sf_sim_profile_named *known = sf_sim_profile_find(name);
    int status;
    uint8_t *text;
    size_t bytes;
    FILE *file;

    if (known != NULL) {
        return use_text(options, name, sf_view(known->text, strlen(known->text)));
    }
    file = fopen(name, "rbe");
    if (file == NULL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED,
            "--profile: \"%s\" is no profile that comes with the program, and as a file: %s", name,
            strerror(errno));
    }
    text = malloc(SF_SIM_PROFILE_BYTES_MAX + 1);
    bytes = text == NULL ? 0 : fread(text, 1, SF_SIM_PROFILE_BYTES_MAX + 1, file);
    if (text == NULL || ferror(file)) {
        status = sf_sim_say(SF_SIM_EXIT_FAILED, "%s: it cannot be read", name);
    } else {
        status = use_text(options, name, sf_view(text, bytes));
    }
    free(text);
    fclose(file);
    return status;
}

/* "--set KEY=VALUE". Returns an exit status. */
static int
use_set(struct options *options, const char *assignment)
{
    struct sf_sim_profile_error error;

    if (sf_sim_profile_set(&options->profile, assignment, &error) != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "--set: %s", error.text);
    }
    if (!add_change(options, assignment, strlen(assignment))) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "--set: that is more than %d bytes in all",
            SF_SIM_PROFILE_BYTES_MAX);
    }
    return SF_SIM_EXIT_DONE;
}

static bool
read_seed(const char *text, uint64_t *ret_seed)
{
    char *end;

    errno = 0;
    *ret_seed = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/* What is wrong with the options together. Returns an exit status; DONE: nothing. */
static int
check_options(const struct options *options)
{
    bool is_proxy = options->listen != NULL || options->to != NULL;

    if (options->tun_count == 1 || (is_proxy && options->tun_count != 0)) {
        return sf_sim_say(SF_SIM_EXIT_USAGE,
            "link needs --listen ADDR:PORT and --to ADDR:PORT, or --tun twice, not both");
    }
    if (is_proxy && (options->listen == NULL || options->to == NULL)) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "link needs --listen ADDR:PORT and --to ADDR:PORT");
    }
    if (options->make && options->tun_count == 0) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "--make goes with --tun");
    }
    if (is_proxy || options->tun_count != 0) {
        return options->counters
                   ? sf_sim_say(SF_SIM_EXIT_USAGE,
                         "--counters asks a link that runs, without --listen or --tun")
                   : SF_SIM_EXIT_DONE;
    }
    if (options->has_seed || options->record != NULL || options->realtime) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "link needs --listen ADDR:PORT and --to ADDR:PORT, or "
                                             "--tun twice; --seed, --record and "
                                             "--realtime cannot be changed while it runs");
    }
    if (!options->counters && *options->changes == '\0') {
        return sf_sim_say(SF_SIM_EXIT_USAGE,
            "link needs --listen ADDR:PORT and --to ADDR:PORT, or --tun twice; or --set, --profile "
            "or --counters for a link that runs");
    }
    return SF_SIM_EXIT_DONE;
}

/* One option. Returns an exit status; DONE: go on. */
static int
use_option(struct options *options, int letter)
{
    switch (letter) {
    case 'l':
        options->listen = optarg;
        return SF_SIM_EXIT_DONE;
    case 't':
        options->to = optarg;
        return SF_SIM_EXIT_DONE;
    case 'u':
        if (options->tun_count == SF_SIM_DIRECTIONS) {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--tun is given twice, not more often");
        }
        options->tun[options->tun_count++] = optarg;
        return SF_SIM_EXIT_DONE;
    case 'm':
        options->make = true;
        return SF_SIM_EXIT_DONE;
    case 'f':
        options->realtime = true;
        return SF_SIM_EXIT_DONE;
    case 'k':
        options->counters = true;
        return SF_SIM_EXIT_DONE;
    case 'p':
        return use_profile(options, optarg);
    case 's':
        return use_set(options, optarg);
    case 'c':
        if (*optarg == '\0' || strlen(optarg) >= sizeof(options->control)) {
            return sf_sim_say(SF_SIM_EXIT_USAGE,
                "--control: \"%s\" is not accepted: give a path of 1 to %zu bytes", optarg,
                sizeof(options->control) - 1);
        }
        memcpy(options->control, optarg, strlen(optarg) + 1);
        return SF_SIM_EXIT_DONE;
    case 'n':
        options->has_seed = true;
        if (!read_seed(optarg, &options->seed)) {
            return sf_sim_say(SF_SIM_EXIT_USAGE,
                "--seed: \"%s\" is not accepted: give a number from 0 to 2^64 - 1", optarg);
        }
        return SF_SIM_EXIT_DONE;
    case 'r':
        options->record = optarg;
        return SF_SIM_EXIT_DONE;
    default:
        return SF_SIM_EXIT_USAGE; /* getopt said it */
    }
}

/* Returns an exit status; DONE: go on. */
static int
read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"listen", required_argument, NULL, 'l'},
        {"to", required_argument, NULL, 't'}, {"tun", required_argument, NULL, 'u'},
        {"make", no_argument, NULL, 'm'}, {"profile", required_argument, NULL, 'p'},
        {"set", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'n'},
        {"record", required_argument, NULL, 'r'}, {"control", required_argument, NULL, 'c'},
        {"counters", no_argument, NULL, 'k'}, {"realtime", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        int status = use_option(options, letter);

        if (status != SF_SIM_EXIT_DONE) {
            return status;
        }
    }
    if (optind < argc) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "link takes no argument \"%s\"", argv[optind]);
    }
    return check_options(options);
}

/* --- A link that runs elsewhere --- */

static int
speak(struct options *options)
{
    static char answer[SF_SIM_CONTROL_TEXT_BYTES + 1];
    enum sf_sim_control_kind kind = options->counters      ? SF_SIM_CONTROL_COUNTERS
                                    : options->has_profile ? SF_SIM_CONTROL_REPLACE
                                                           : SF_SIM_CONTROL_CHANGE;
    int outcome;

    if (options->counters && *options->changes != '\0') {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "--counters takes no --set or --profile beside it");
    }
    if (*options->control == '\0') {
        size_t count = sf_sim_control_find(options->control);

        if (count != 1) {
            return sf_sim_say(SF_SIM_EXIT_FAILED,
                count == 0 ? "no link of yours runs here; start one with --listen and --to or with "
                             "--tun, or name its socket with --control PATH"
                           : "several links run; name one with --control PATH");
        }
    }
    outcome = sf_sim_control_ask(options->control, kind, options->changes, answer);
    if (outcome < 0) {
        return sf_sim_say(
            SF_SIM_EXIT_FAILED, "--control %s: %s", options->control, strerror(errno));
    }
    if (outcome == 0) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "the link refuses: %s", answer);
    }
    fputs(answer, stdout);
    return SF_SIM_EXIT_DONE;
}

/* --- A link of our own --- */

/* Run it and print the counters. Returns an exit status. */
static int
run_relay(struct sf_sim_relay *relay)
{
    bool good = sf_sim_relay_run(relay);

    if (!good) {
        (void)sf_sim_say(0, "cannot go on: %s", strerror(errno));
    }
    sf_sim_relay_report(relay, stdout);
    return good ? SF_SIM_EXIT_DONE : SF_SIM_EXIT_FAILED;
}

static int
run_proxy(const struct options *options, const struct sf_sim_relay_config *relay)
{
    struct sf_sim_proxy_config config = {.relay = *relay};
    struct sf_sim_address listen;
    char listen_text[ADDRESS_TEXT_BYTES];
    char to_text[ADDRESS_TEXT_BYTES];
    struct sf_sim_proxy *proxy;
    int status;

    if (!read_address("listen", options->listen, &config.listen) ||
        !read_address("to", options->to, &config.to)) {
        return SF_SIM_EXIT_USAGE;
    }
    proxy = sf_sim_proxy_open(&config, &listen);
    if (proxy == NULL) {
        return sf_sim_say(
            SF_SIM_EXIT_FAILED, "cannot listen on %s: %s", options->listen, strerror(errno));
    }
    print_address(&listen, listen_text);
    print_address(&config.to, to_text);
    (void)sf_sim_say(0, "listening on %s, forwarding to %s, seed %" PRIu64 "%s%s", listen_text,
        to_text, options->seed, relay->control_fd < 0 ? "" : ", control ",
        relay->control_fd < 0 ? "" : options->control);
    status = run_relay(sf_sim_proxy_relay(proxy));
    sf_sim_proxy_close(proxy);
    return status;
}

static int
run_tun(const struct options *options, const struct sf_sim_relay_config *relay)
{
    struct sf_sim_tun_config config = {.relay = *relay, .make = options->make};
    const struct sf_sim_nat_config *nat = &relay->profile.nat;
    char error[SF_SIM_TUN_ERROR_BYTES];
    struct sf_sim_tun *tun;
    int status;

    for (size_t i = 0; i < SF_SIM_DIRECTIONS; i++) {
        if (!sf_sim_tun_end_parse(options->tun[i], &config.ends[i])) {
            return sf_sim_say(SF_SIM_EXIT_USAGE,
                "--tun: \"%s\" is not accepted: give NAMESPACE:ADDR/LEN[,ADDR/LEN...], such as "
                "ground:10.9.0.1/24",
                options->tun[i]);
        }
    }
    tun = sf_sim_tun_open(&config, error);
    if (tun == NULL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "%s", error);
    }
    if (nat->every_ns != 0 || nat->idle_ns != 0 || nat->count != 0) {
        (void)sf_sim_say(0, "there is no translator between namespaces: nat-... has no effect");
    }
    (void)sf_sim_say(0, "carrying IP from %s (%s) to %s (%s), seed %" PRIu64 "%s%s",
        options->tun[0], sf_sim_tun_device(tun, 0), options->tun[1], sf_sim_tun_device(tun, 1),
        options->seed, relay->control_fd < 0 ? "" : ", control ",
        relay->control_fd < 0 ? "" : options->control);
    status = run_relay(sf_sim_tun_relay(tun));
    sf_sim_tun_close(tun);
    return status;
}

/* Open what the link needs beside its port, run it, close. */
static int
run(struct options *options)
{
    struct sf_sim_relay_config relay = {.mode = options->tun_count == 0 ? "proxy" : "tun",
        .profile = options->profile,
        .seed = options->seed,
        .live = isatty(STDERR_FILENO) == 1};
    const struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    bool is_control_wanted = *options->control != '\0';
    int status;

    if (options->realtime && sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
        return sf_sim_say(
            SF_SIM_EXIT_FAILED, "--realtime: %s; it needs root (CAP_SYS_NICE)", strerror(errno));
    }
    if (options->record != NULL) {
        relay.record = fopen(options->record, "wbe");
        if (relay.record == NULL) {
            return sf_sim_say(
                SF_SIM_EXIT_FAILED, "--record: \"%s\": %s", options->record, strerror(errno));
        }
    }
    relay.control_fd = sf_sim_control_open(options->control);
    if (relay.control_fd < 0 && is_control_wanted) {
        status = sf_sim_say(
            SF_SIM_EXIT_FAILED, "--control: \"%s\": %s", options->control, strerror(errno));
    } else {
        status = options->tun_count == 0 ? run_proxy(options, &relay) : run_tun(options, &relay);
    }
    sf_sim_control_close(relay.control_fd, options->control);
    if (relay.record != NULL) {
        bool failed = ferror(relay.record) != 0;

        if (fclose(relay.record) != 0 || failed) {
            status =
                sf_sim_say(SF_SIM_EXIT_FAILED, "--record: \"%s\" is incomplete", options->record);
        }
    }
    return status;
}

int
sf_sim_link_main(int argc, char **argv)
{
    static struct options options = {.seed = 1};
    struct sf_sim_profile_error error;
    int status;

    sf_sim_profile_init(&options.profile);
    options.profile.now = 0; /* of a link that is being started */
    status = read_options(argc, argv, &options);
    if (status != SF_SIM_EXIT_DONE) {
        return status;
    }
    if (options.listen == NULL && options.tun_count == 0) {
        return speak(&options);
    }
    if (sf_sim_profile_check(&options.profile, &error) != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "%s", error.text);
    }
    options.profile.now = SF_NEVER;
    return run(&options);
}
