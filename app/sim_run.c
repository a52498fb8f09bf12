/* skyferry-sim run: what becomes of a transfer, before it is flown. */
#include <config.h>

#include "app/sim.h"
#include "app/sim_run.h"
#include "sim/fluid.h"
#include "sim/hollow.h"
#include "sim/plot.h"
#include "sim/report_html.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_INTEGRITY = 5,
    EXIT_NOT_IN_TIME = 6,
    SETS_MAX = 64,
    COMMAND_BYTES_MAX = 4096,
    HEAP_BYTES = 32 << 20,
};

/* Options that are keys of scenarios, by the same name. */
static const char *const scenario_options[] = {
    "size", "profile", "receivers", "plan", "start", "until", "rate", "mtu", "seed", "title"};
enum { SCENARIO_OPTIONS = sizeof(scenario_options) / sizeof(scenario_options[0]) };

struct options {
    const char *file;
    const char *values[SCENARIO_OPTIONS];
    const char *sets[SETS_MAX];
    size_t set_count;
    const char *receivers[SF_SCENARIO_RECEIVERS_MAX];
    size_t receiver_count;
    const char *report;
    bool json;
    bool estimate;
    bool real; /* with real ciphers and contents */
};

/* --- Files ------------------------------------------------------------------------- */

bool
sf_sim_read_file(const char *path, size_t bytes_max, uint8_t **ret_text, size_t *ret_bytes)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *text = malloc(bytes_max + 1);
    size_t bytes = 0;
    int error = errno;

    if (file != NULL && text != NULL) {
        errno = 0;
        bytes = fread(text, 1, bytes_max + 1, file);
        error = ferror(file) ? errno : 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (file == NULL || text == NULL || error != 0) {
        free(text);
        errno = error;
        return false;
    }
    *ret_text = text;
    *ret_bytes = bytes;
    return true;
}

/* `name` as it is meant in the scenario: beside it. */
static void
beside(const struct options *options, const char *name, char *ret_path, size_t path_bytes)
{
    const char *slash = options->file == NULL ? NULL : strrchr(options->file, '/');

    snprintf(ret_path, path_bytes, "%.*s%s",
        slash == NULL || *name == '/' ? 0 : (int)(slash + 1 - options->file), options->file, name);
}

/* A profile that comes with the program, else a file beside the scenario, else one as it is named. */
static bool
load_profile(void *context, const char *name, struct sf_sim_profile *profile, char *ret_text)
{
    const struct options *options = context;
    const struct sf_sim_profile_named *known = sf_sim_profile_find(name);
    struct sf_sim_profile_error error;
    char path[4096];
    uint8_t *text;
    size_t bytes;
    int status;

    if (known != NULL) {
        if (sf_sim_profile_parse(profile, sf_view(known->text, strlen(known->text)), &error) ==
            SF_OK) {
            return true;
        }
        snprintf(ret_text, SF_SCENARIO_ERROR_BYTES, "%s:%u: %.400s", name, error.line, error.text);
        return false;
    }
    beside(options, name, path, sizeof(path));
    if (!sf_sim_read_file(path, SF_SIM_PROFILE_BYTES_MAX, &text, &bytes)) {
        snprintf(ret_text, SF_SCENARIO_ERROR_BYTES,
            "\"%.60s\" is no profile that comes with the program (`skyferry-sim profiles` shows "
            "them), and as a file: %s",
            name, strerror(errno));
        return false;
    }
    status = sf_sim_profile_parse(profile, sf_view(text, bytes), &error);
    free(text);
    if (status != SF_OK) {
        snprintf(ret_text, SF_SCENARIO_ERROR_BYTES, "%s:%u: %.400s", name, error.line, error.text);
    }
    return status == SF_OK;
}

/* --- Options ------------------------------------------------------------------------- */

/* Returns an exit status; DONE: go on. */
static int
read_options(int argc, char **argv, struct options *options)
{
    struct option known[SCENARIO_OPTIONS + 8];
    size_t count = 0;
    int letter;

    while (count < SCENARIO_OPTIONS) {
        known[count] =
            (struct option){scenario_options[count], required_argument, NULL, (int)(1000 + count)};
        count++;
    }
    known[count++] = (struct option){"set", required_argument, NULL, 's'};
    known[count++] = (struct option){"receiver", required_argument, NULL, 'n'};
    known[count++] = (struct option){"report", required_argument, NULL, 'r'};
    known[count++] = (struct option){"json", no_argument, NULL, 'j'};
    known[count++] = (struct option){"estimate", no_argument, NULL, 'e'};
    known[count++] = (struct option){"real", no_argument, NULL, 'R'};
    known[count] = (struct option){NULL, 0, NULL, 0};
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter >= 1000) {
            options->values[letter - 1000] = optarg;
        } else if (letter == 's' && options->set_count < SETS_MAX) {
            options->sets[options->set_count++] = optarg;
        } else if (letter == 's') {
            return sf_sim_say(
                SF_SIM_EXIT_USAGE, "--set: at most %d of them are accepted", SETS_MAX);
        } else if (letter == 'n' && options->receiver_count < SF_SCENARIO_RECEIVERS_MAX) {
            options->receivers[options->receiver_count++] = optarg;
        } else if (letter == 'n') {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--receiver: at most %d of them are accepted",
                SF_SCENARIO_RECEIVERS_MAX);
        } else if (letter == 'r') {
            options->report = optarg;
        } else if (letter == 'j') {
            options->json = true;
        } else if (letter == 'e') {
            options->estimate = true;
        } else if (letter == 'R') {
            options->real = true;
        } else {
            return SF_SIM_EXIT_USAGE; /* getopt said it */
        }
    }
    if (optind < argc) {
        options->file = argv[optind++];
    }
    if (optind < argc) {
        return sf_sim_say(
            SF_SIM_EXIT_USAGE, "run takes one scenario at most, not \"%s\"", argv[optind]);
    }
    return SF_SIM_EXIT_DONE;
}

static int
read_scenario(
    const char *path, struct sf_scenario *scenario, const struct sf_scenario_loader *loader)
{
    struct sf_scenario_error error;
    uint8_t *text;
    size_t bytes;
    int status;

    if (!sf_sim_read_file(path, SF_SCENARIO_BYTES_MAX, &text, &bytes)) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    status = sf_scenario_parse(scenario, sf_view(text, bytes), loader, &error);
    free(text);
    if (status != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "%s:%u: %s", path, error.line, error.text);
    }
    return SF_SIM_EXIT_DONE;
}

/* The scenario of a file, if there is one. */
static int
start_scenario(struct options *options, struct sf_scenario *scenario)
{
    const struct sf_scenario_loader loader = {load_profile, options};
    char plan[sizeof(scenario->plan)];
    int status = SF_SIM_EXIT_DONE;

    sf_scenario_init(scenario);
    if (options->file == NULL) {
        return status;
    }
    status = read_scenario(options->file, scenario, &loader);
    if (scenario->plan[0] != '\0') {
        beside(options, scenario->plan, plan, sizeof(plan));
        memcpy(scenario->plan, plan, sizeof(plan));
    }
    options->file = NULL; /* what options name is where the caller is */
    return status;
}

/* The scenario of a file, then of the options. Returns an exit status; DONE: go on. */
static int
make_scenario(struct options *options, struct sf_scenario *scenario)
{
    const struct sf_scenario_loader loader = {load_profile, options};
    struct sf_scenario_error error;
    int status = start_scenario(options, scenario);

    if (status != SF_SIM_EXIT_DONE) {
        return status;
    }
    for (size_t i = 0; i < SCENARIO_OPTIONS; i++) {
        if (options->values[i] != NULL && sf_scenario_set(scenario, scenario_options[i],
                                              options->values[i], &loader, &error) != SF_OK) {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--%s", error.text);
        }
    }
    for (size_t i = 0; i < options->receiver_count; i++) {
        if (sf_scenario_set(scenario, "receiver", options->receivers[i], &loader, &error) !=
            SF_OK) {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--%s", error.text);
        }
    }
    for (size_t i = 0; i < options->set_count; i++) {
        const char *equals = strchr(options->sets[i], '=');
        char key[SF_SCENARIO_LINE_BYTES_MAX];

        if (equals == NULL || (size_t)(equals - options->sets[i]) >= sizeof(key) - 5) {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--set: \"%.60s\" is not accepted: give KEY=VALUE",
                options->sets[i]);
        }
        snprintf(key, sizeof(key), "link.%.*s", (int)(equals - options->sets[i]), options->sets[i]);
        if (sf_scenario_set(scenario, key, equals + 1, &loader, &error) != SF_OK) {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--set: %s", error.text);
        }
    }
    if (sf_scenario_check(scenario, &error) != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "%s", error.text);
    }
    return SF_SIM_EXIT_DONE;
}

/* The command line as it can be typed again. */
static void
quote_command(int argc, char **argv, char *ret_text)
{
    size_t bytes = (size_t)snprintf(ret_text, COMMAND_BYTES_MAX, "skyferry-sim");

    for (int i = 0; i < argc; i++) {
        bool is_plain = argv[i][0] != '\0' &&
                        argv[i][strspn(argv[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                                                "XYZ0123456789-_=+.,:/%@")] == '\0';

        if (bytes + strlen(argv[i]) + 4 > COMMAND_BYTES_MAX) {
            snprintf(ret_text + bytes, COMMAND_BYTES_MAX - bytes, "%s", "");
            return;
        }
        bytes += (size_t)snprintf(
            ret_text + bytes, COMMAND_BYTES_MAX - bytes, is_plain ? " %s" : " '%s'", argv[i]);
    }
}

/* --- Running ---------------------------------------------------------------------------- */

static bool
show_progress(void *context, sf_mono now, uint32_t share_ppm)
{
    const struct sf_scenario *scenario = context;
    char span[SF_PLOT_TEXT_BYTES];

    sf_plot_span((double)(now - scenario->start_ns) / 1e9, span);
    fprintf(stderr, "\r%5.1f %% has arrived after %-16s", share_ppm / 1e4, span);
    return true;
}

/* Returns an exit status; DONE: *ret_result is there. */
static int
answer(const struct options *options, struct sf_scenario *scenario, struct sf_whatif *ret_result)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    const struct sf_whatif_progress progress = {show_progress, scenario};
    enum sf_whatif_outcome outcome;
    char why[SF_WHATIF_TEXT_BYTES];
    int status;

    if (options->estimate) {
        sf_fluid_estimate(scenario, ret_result);
        return SF_SIM_EXIT_DONE;
    }
    if (sf_fluid_is_hopeless(scenario, &outcome, why)) {
        sf_fluid_estimate(scenario, ret_result);
        ret_result->is_estimate = false; /* it is certain */
        return SF_SIM_EXIT_DONE;
    }
    /* Bundles come and go by the thousand: their memory is kept, not fetched anew. */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_BYTES);
    if (!options->real && sf_hollow_init() != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "the system gives no random bytes");
    }
    status = sf_whatif_run(scenario, is_terminal ? &progress : NULL, ret_result);
    if (is_terminal) {
        fprintf(stderr, "\r%60s\r", "");
    }
    return status == SF_OK ? SF_SIM_EXIT_DONE
                           : sf_sim_say(SF_SIM_EXIT_FAILED, "the run was given up");
}

static int
write_report(const char *path, const struct sf_scenario *scenario, const struct sf_whatif *result,
    const char *command)
{
    FILE *out = fopen(path, "wbe");
    int status;

    if (out == NULL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "--report: \"%s\": %s", path, strerror(errno));
    }
    status = sf_report_html(out, scenario, result, command);
    if (fclose(out) != 0 || status != SF_OK) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "--report: \"%s\" is incomplete", path);
    }
    return SF_SIM_EXIT_DONE;
}

/* Whether every delivered file is the one that was sent. */
static bool
is_intact(const struct sf_whatif *result)
{
    for (size_t i = 0; i < result->receiver_count; i++) {
        if (result->receivers[i].is_delivered &&
            result->receivers[i].compared_bytes != result->plain_bytes) {
            return false;
        }
    }
    return true;
}

static int
tell(const struct options *options, const struct sf_scenario *scenario,
    const struct sf_whatif *result, const char *command)
{
    int status = SF_SIM_EXIT_DONE;

    if (options->json) {
        if (!sf_sim_run_json(scenario, result)) {
            return sf_sim_say(SF_SIM_EXIT_FAILED, "standard output cannot be written");
        }
    } else {
        sf_sim_run_text(scenario, result);
    }
    if (options->report != NULL) {
        status = write_report(options->report, scenario, result, command);
    }
    if (status != SF_SIM_EXIT_DONE) {
        return status;
    }
    if (!result->is_estimate && !is_intact(result)) {
        return sf_sim_say(EXIT_INTEGRITY, "what was delivered is not what was sent: a bug");
    }
    return result->outcome == SF_WHATIF_DELIVERED ? SF_SIM_EXIT_DONE : EXIT_NOT_IN_TIME;
}

int
sf_sim_run_main(int argc, char **argv)
{
    struct options options = {.file = NULL};
    struct sf_schedule schedule;
    struct sf_scenario *scenario = calloc(1, sizeof(*scenario));
    struct sf_whatif *result = calloc(1, sizeof(*result));
    char command[COMMAND_BYTES_MAX];
    int status;

    memset(&schedule, 0, sizeof(schedule));
    if (scenario == NULL || result == NULL) {
        status = sf_sim_say(SF_SIM_EXIT_FAILED, "no memory");
        goto out;
    }
    quote_command(argc, argv, command); /* before getopt sorts the arguments */
    status = read_options(argc, argv, &options);
    if (status == SF_SIM_EXIT_DONE) {
        status = make_scenario(&options, scenario);
    }
    if (status == SF_SIM_EXIT_DONE && scenario->plan[0] != '\0') {
        status = sf_sim_plan(scenario, &schedule);
    }
    if (status == SF_SIM_EXIT_DONE) {
        status = answer(&options, scenario, result);
    }
    if (status == SF_SIM_EXIT_DONE) {
        status = tell(&options, scenario, result, command);
    }
out:
    sf_schedule_fini(&schedule);
    free(scenario);
    free(result);
    return status;
}
