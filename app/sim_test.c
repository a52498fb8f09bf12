/* skyferry-sim test: many short lives from seeds, with everything going wrong. */
#include <config.h>

#include "app/sim_test.h"

#include "app/sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 256, TAIL_LINES = 400, LINE_BYTES = 1024 };

/* A process that runs every `jobs`-th seed and writes what it saw into a pipe. */
struct worker {
    pid_t pid;
    int from;
};

/* --- Options --------------------------------------------------------------------------- */

static bool
read_number(const char **at, uint64_t *ret_number)
{
    char *end;

    if (**at < '0' || **at > '9') {
        return false;
    }
    errno = 0;
    *ret_number = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* A..B, or a single one; several with commas. */
static bool
read_ranges(struct sf_sim_test *test, const char *text)
{
    const char *at = text;

    for (;;) {
        struct sf_sim_test_range *range = &test->ranges[test->range_count];

        if (test->range_count == SF_SIM_TEST_RANGES_MAX || !read_number(&at, &range->first)) {
            return false;
        }
        range->last = range->first;
        if (strncmp(at, "..", 2) == 0) {
            at += 2;
            if (!read_number(&at, &range->last) || range->last < range->first ||
                range->last == UINT64_MAX) {
                return false;
            }
        }
        test->range_count++;
        if (*at == '\0') {
            return true;
        }
        if (*at++ != ',') {
            return false;
        }
    }
}

static bool
read_jobs(struct sf_sim_test *test, const char *text)
{
    uint64_t jobs;

    if (!read_number(&text, &jobs) || *text != '\0' || jobs < 1 || jobs > JOBS_MAX) {
        return false;
    }
    test->jobs = (unsigned)jobs;
    return true;
}

/* Returns an exit status; DONE: go on. */
static int
read_options(int argc, char **argv, struct sf_sim_test *test)
{
    static const struct option known[] = {
        {"seeds", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'},
        {"twice", no_argument, NULL, '2'},
        {"trace", no_argument, NULL, 't'},
        {"json", no_argument, NULL, 'J'},
        {"every-fault", no_argument, NULL, 'e'},
        {NULL, 0, NULL, 0},
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 's' && !read_ranges(test, optarg)) {
            return sf_sim_say(SF_SIM_EXIT_USAGE,
                "--seeds: \"%.60s\" is not accepted: give A..B, or single ones, with commas "
                "between",
                optarg);
        }
        if (letter == 'j' && !read_jobs(test, optarg)) {
            return sf_sim_say(SF_SIM_EXIT_USAGE, "--jobs: \"%.60s\" is not accepted: from 1 to %d",
                optarg, JOBS_MAX);
        }
        if (letter == '?') {
            return SF_SIM_EXIT_USAGE; /* getopt said it */
        }
        test->twice |= letter == '2';
        test->trace |= letter == 't';
        test->json |= letter == 'J';
        test->every_fault |= letter == 'e';
    }
    if (optind < argc) {
        return sf_sim_say(
            SF_SIM_EXIT_USAGE, "test takes options alone, not \"%.60s\"", argv[optind]);
    }
    if (test->range_count == 0) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "test needs --seeds A..B");
    }
    if (test->trace &&
        (test->range_count > 1 || test->ranges[0].first != test->ranges[0].last || test->json)) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "--trace shows one seed, and not as JSON");
    }
    return SF_SIM_EXIT_DONE;
}

/* Seed number `index` of those asked for; false beyond the last. */
static bool
seed_at(const struct sf_sim_test *test, uint64_t index, uint64_t *ret_seed)
{
    for (unsigned i = 0; i < test->range_count; i++) {
        uint64_t count = test->ranges[i].last - test->ranges[i].first + 1;

        if (index < count) {
            *ret_seed = test->ranges[i].first + index;
            return true;
        }
        index -= count;
    }
    return false;
}

/* --- One seed --------------------------------------------------------------------------- */

static void
run_seed(const struct sf_sim_test *test, uint64_t seed, struct sf_life_result *ret_result)
{
    const struct sf_life_config config = {.seed = seed};
    struct sf_life_result again;

    sf_life_run(&config, ret_result);
    if (!test->twice || !ret_result->is_good) {
        return;
    }
    sf_life_run(&config, &again);
    if (again.trace_hash != ret_result->trace_hash) {
        ret_result->is_good = false;
        snprintf(ret_result->invariant, sizeof(ret_result->invariant), "repeat");
        snprintf(ret_result->failure, sizeof(ret_result->failure),
            "run twice it gave the trace hashes %016" PRIx64 " and %016" PRIx64,
            ret_result->trace_hash, again.trace_hash);
    }
}

static void
print_line(void *context, const char *text)
{
    FILE *file = context;

    fprintf(file, "%s\n", text);
    fflush(file); /* the next step may be its last */
}

/* Play a seed with its trace going into `file`. */
static bool
trace_seed(uint64_t seed, FILE *file)
{
    const struct sf_life_config config = {.seed = seed, .line = print_line, .context = file};
    struct sf_life_result result;

    sf_life_run(&config, &result);
    return result.is_good;
}

/* The last lines of the trace of a seed that failed, which may well end its process. */
static void
print_tail(uint64_t seed)
{
    static char lines[TAIL_LINES][LINE_BYTES];
    uint64_t count = 0;
    int ends[2];
    FILE *file;
    pid_t pid;

    if (pipe(ends) != 0) {
        return;
    }
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        file = fdopen(ends[1], "w");
        _exit(file != NULL && trace_seed(seed, file) ? 0 : 1);
    }
    close(ends[1]);
    file = fdopen(ends[0], "r");
    while (pid > 0 && file != NULL && fgets(lines[count % TAIL_LINES], LINE_BYTES, file) != NULL) {
        count++;
    }
    for (uint64_t i = count > TAIL_LINES ? count - TAIL_LINES : 0; i < count; i++) {
        fputs(lines[i % TAIL_LINES], stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (pid > 0) {
        (void)waitpid(pid, NULL, 0);
    }
}

/* --- Workers ------------------------------------------------------------------------------ */

static void
work(const struct sf_sim_test *test, unsigned number, int to)
{
    struct sf_life_result result;
    uint64_t seed;

    for (uint64_t i = number; seed_at(test, i, &seed); i += test->jobs) {
        const uint8_t *at = (const uint8_t *)&result;
        size_t left = sizeof(result);

        run_seed(test, seed, &result);
        while (left > 0) {
            ssize_t written = write(to, at, left);

            if (written < 0) {
                _exit(1); /* nobody listens any more */
            }
            at += written;
            left -= (size_t)written;
        }
    }
    _exit(0);
}

static bool
start_workers(const struct sf_sim_test *test, struct worker *workers)
{
    for (unsigned i = 0; i < test->jobs; i++) {
        int ends[2];

        if (pipe(ends) != 0) {
            return false;
        }
        fflush(NULL);
        workers[i].pid = fork();
        if (workers[i].pid == 0) {
            for (unsigned k = 0; k < i; k++) {
                close(workers[k].from);
            }
            close(ends[0]);
            work(test, i, ends[1]);
        }
        close(ends[1]);
        workers[i].from = ends[0];
        if (workers[i].pid < 0) {
            return false;
        }
    }
    return true;
}

/* What the next seed of `worker` showed; if its process ended over it, that. */
static void
hear(struct worker *worker, struct sf_life_result *ret_result)
{
    uint8_t *at = (uint8_t *)ret_result;
    size_t left = sizeof(*ret_result);
    ssize_t bytes = 1;
    int status = 0;

    while (left > 0 && bytes > 0) {
        bytes = read(worker->from, at, left);
        at += bytes > 0 ? bytes : 0;
        left -= bytes > 0 ? (size_t)bytes : 0;
    }
    if (left == 0) {
        return;
    }
    *ret_result = (struct sf_life_result){.is_good = false};
    (void)waitpid(worker->pid, &status, 0);
    worker->pid = 0;
    snprintf(ret_result->invariant, sizeof(ret_result->invariant), "assert");
    snprintf(ret_result->failure, sizeof(ret_result->failure), "the program ended by %s %d",
        WIFSIGNALED(status) ? "signal" : "exit status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void
stop_workers(const struct sf_sim_test *test, struct worker *workers)
{
    for (unsigned i = 0; i < test->jobs; i++) {
        if (workers[i].pid > 0) {
            (void)kill(workers[i].pid, SIGTERM);
            (void)waitpid(workers[i].pid, NULL, 0);
        }
        if (workers[i].from > 0) {
            close(workers[i].from);
        }
    }
}

/* --- All of them ---------------------------------------------------------------------------- */

static void
show_progress(uint64_t done)
{
    if (isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) != 1) {
        fprintf(stderr, "\r%" PRIu64 " seeds ", done);
    }
}

/* Returns whether all seeds were good; stops at the first that is not. */
static bool
run_all(const struct sf_sim_test *test, struct worker *workers, struct sf_sim_test_sums *sums)
{
    struct sf_life_result result;
    uint64_t seed;

    for (uint64_t i = 0; seed_at(test, i, &seed); i++) {
        hear(&workers[i % test->jobs], &result);
        sf_sim_test_add(sums, &result);
        if (test->json) {
            if (!sf_sim_test_json_seed(seed, &result)) {
                return sf_sim_say(SF_SIM_EXIT_FAILED, "no memory") == SF_SIM_EXIT_DONE;
            }
        } else {
            sf_sim_test_print_seed(seed, &result);
        }
        show_progress(i + 1);
        if (!result.is_good) {
            fflush(stdout);
            print_tail(seed);
            sf_sim_test_print_failure(seed, &result);
            return false;
        }
    }
    return true;
}

static int
run_test(const struct sf_sim_test *test)
{
    struct worker workers[JOBS_MAX] = {{0, 0}};
    struct sf_sim_test_sums sums = {0};
    bool is_good = start_workers(test, workers) && run_all(test, workers, &sums);

    stop_workers(test, workers);
    if (test->json) {
        is_good &= sf_sim_test_json_print(&sums);
    } else {
        sf_sim_test_print_sums(&sums);
    }
    for (unsigned i = 0; test->every_fault && is_good && i < SF_FAULTS; i++) {
        if (sums.faults[i] == 0) {
            is_good = false;
            (void)sf_sim_say(SF_SIM_EXIT_FAILED, "no seed had the fault \"%s\"",
                sf_fault_name((enum sf_fault)i));
        }
    }
    return is_good ? SF_SIM_EXIT_DONE : SF_SIM_EXIT_FAILED;
}

int
sf_sim_test_main(int argc, char **argv)
{
    struct sf_sim_test *test = calloc(1, sizeof(*test));
    int status;

    if (test == NULL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "no memory");
    }
    test->jobs = 1;
    status = read_options(argc, argv, test);
    if (status == SF_SIM_EXIT_DONE && test->trace) {
        status = trace_seed(test->ranges[0].first, stdout) ? SF_SIM_EXIT_DONE : SF_SIM_EXIT_FAILED;
    } else if (status == SF_SIM_EXIT_DONE) {
        status = run_test(test);
    }
    free(test);
    return status;
}
