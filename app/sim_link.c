/* skyferry-sim link: options, start and result; the forwarding itself is in sim_proxy.c. */
#include <config.h>

#include "app/sim.h"
#include "app/sim_proxy.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESS_TEXT_BYTES = 320 };

struct options {
    const char *listen;
    const char *to;
    const char *record;
    struct sf_sim_proxy_config config;
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

/* Apply a profile that comes with the program, or a file. Returns an exit status. */
static int
use_profile(const char *name, struct sf_sim_profile *profile)
{
    const struct sf_sim_profile_named *known = sf_sim_profile_find(name);
    struct sf_sim_profile_error error;
    uint8_t *text;
    size_t bytes;
    FILE *file;
    int status = SF_SIM_EXIT_DONE;

    if (known != NULL) {
        if (sf_sim_profile_parse(profile, sf_view(known->text, strlen(known->text)), &error) ==
            SF_OK) {
            return SF_SIM_EXIT_DONE;
        }
        return sf_sim_say(SF_SIM_EXIT_FAILED, "%s:%u: %s", name, error.line, error.text);
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
    } else if (sf_sim_profile_parse(profile, sf_view(text, bytes), &error) != SF_OK) {
        status = sf_sim_say(SF_SIM_EXIT_FAILED, "%s:%u: %s", name, error.line, error.text);
    }
    free(text);
    fclose(file);
    return status;
}

static bool
read_seed(const char *text, uint64_t *ret_seed)
{
    char *end;

    errno = 0;
    *ret_seed = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/* Returns an exit status; DONE: go on. */
static int
read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"listen", required_argument, NULL, 'l'},
        {"to", required_argument, NULL, 't'}, {"profile", required_argument, NULL, 'p'},
        {"set", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'n'},
        {"record", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    struct sf_sim_profile_error error;
    int status;
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'l':
            options->listen = optarg;
            break;
        case 't':
            options->to = optarg;
            break;
        case 'p':
            status = use_profile(optarg, &options->config.profile);
            if (status != SF_SIM_EXIT_DONE) {
                return status;
            }
            break;
        case 's':
            if (sf_sim_profile_set(&options->config.profile, optarg, &error) != SF_OK) {
                return sf_sim_say(SF_SIM_EXIT_USAGE, "--set: %s", error.text);
            }
            break;
        case 'n':
            if (!read_seed(optarg, &options->config.seed)) {
                return sf_sim_say(SF_SIM_EXIT_USAGE,
                    "--seed: \"%s\" is not accepted: give a number from 0 to 2^64 - 1", optarg);
            }
            break;
        case 'r':
            options->record = optarg;
            break;
        default:
            return SF_SIM_EXIT_USAGE; /* getopt said it */
        }
    }
    if (optind < argc) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "link takes no argument \"%s\"", argv[optind]);
    }
    if (options->listen == NULL || options->to == NULL) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "link needs --listen ADDR:PORT and --to ADDR:PORT");
    }
    return SF_SIM_EXIT_DONE;
}

static void
print_direction(const char *name, const struct sf_sim_proxy_direction *direction, const char *end)
{
    const struct sf_sim_path_stats *path = &direction->path;

    printf("  \"%s\": {\"datagrams_in\": %" PRIu64 ", \"payload_bytes_in\": %" PRIu64
           ", \"ip_bytes_in\": %" PRIu64 ",\n",
        name, path->datagrams_in, direction->payload_in, path->bytes_in);
    printf("    \"datagrams_out\": %" PRIu64 ", \"payload_bytes_out\": %" PRIu64
           ", \"send_failed\": %" PRIu64 ",\n",
        path->datagrams_out, direction->payload_out, direction->send_failed);
    printf("    \"dropped\": {\"loss\": %" PRIu64 ", \"queue\": %" PRIu64 ", \"mtu\": %" PRIu64
           ", \"outage\": %" PRIu64 "},\n",
        path->dropped_loss, path->dropped_queue, path->dropped_mtu, path->dropped_outage);
    printf("    \"duplicated\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"corrupted\": %" PRIu64
           "}%s\n",
        path->duplicated, path->reordered, path->corrupted, end);
}

static void
print_result(const struct sf_sim_proxy_stats *stats, uint64_t seed)
{
    printf("{\"version\": 1, \"seconds\": %.3f, \"seed\": %" PRIu64 ", \"clients\": %" PRIu64 ",\n",
        stats->seconds, seed, stats->clients);
    print_direction("forward", &stats->directions[SF_SIM_FORWARD], ",");
    print_direction("back", &stats->directions[SF_SIM_BACK], "}");
}

static int
run(struct options *options)
{
    struct sf_sim_address listen;
    struct sf_sim_proxy_stats stats;
    char listen_text[ADDRESS_TEXT_BYTES];
    char to_text[ADDRESS_TEXT_BYTES];
    struct sf_sim_proxy *proxy = sf_sim_proxy_open(&options->config, &listen);
    bool good;

    if (proxy == NULL) {
        return sf_sim_say(
            SF_SIM_EXIT_FAILED, "cannot listen on %s: %s", options->listen, strerror(errno));
    }
    print_address(&listen, listen_text);
    print_address(&options->config.to, to_text);
    (void)sf_sim_say(0, "listening on %s, forwarding to %s, seed %" PRIu64, listen_text, to_text,
        options->config.seed);
    good = sf_sim_proxy_run(proxy, &stats);
    if (!good) {
        (void)sf_sim_say(0, "cannot go on: %s", strerror(errno));
    }
    print_result(&stats, options->config.seed);
    sf_sim_proxy_close(proxy);
    return good ? SF_SIM_EXIT_DONE : SF_SIM_EXIT_FAILED;
}

int
sf_sim_link_main(int argc, char **argv)
{
    struct options options = {.config = {.seed = 1, .live = isatty(STDERR_FILENO) == 1}};
    FILE *recording = NULL;
    int status;

    sf_sim_profile_init(&options.config.profile);
    status = read_options(argc, argv, &options);
    if (status != SF_SIM_EXIT_DONE) {
        return status;
    }
    if (!read_address("listen", options.listen, &options.config.listen) ||
        !read_address("to", options.to, &options.config.to)) {
        return SF_SIM_EXIT_USAGE;
    }
    if (options.record != NULL) {
        recording = fopen(options.record, "wbe");
        if (recording == NULL) {
            return sf_sim_say(
                SF_SIM_EXIT_FAILED, "--record: \"%s\": %s", options.record, strerror(errno));
        }
        options.config.record = recording;
    }
    status = run(&options);
    if (recording != NULL) {
        bool failed = ferror(recording) != 0;

        if (fclose(recording) != 0 || failed) {
            status =
                sf_sim_say(SF_SIM_EXIT_FAILED, "--record: \"%s\" is incomplete", options.record);
        }
    }
    return status;
}
