/* What skyferry-sim test tells of its seeds. */
#include <config.h>

#include "app/sim_test.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *json_seeds;

void
sf_sim_test_add(struct sf_sim_test_sums *sums, const struct sf_life_result *result)
{
    sums->seeds++;
    sums->events += result->events;
    sums->days += result->span_ns / (86400 * SF_SEC);
    sums->transfers += result->transfers;
    sums->delivered += result->delivered;
    for (unsigned i = 0; i < SF_FAULTS; i++) {
        sums->faults[i] += result->faults[i];
        sums->fault_seeds[i] += result->faults[i] > 0;
    }
}

void
sf_sim_test_print_seed(uint64_t seed, const struct sf_life_result *result)
{
    printf("%" PRIu64 " %016" PRIx64 " %s\n", seed, result->trace_hash, result->parameters);
}

void
sf_sim_test_print_sums(const struct sf_sim_test_sums *sums)
{
    printf("\n%-26s %12s %10s\n", "fault", "fired", "in seeds");
    for (unsigned i = 0; i < SF_FAULTS; i++) {
        printf("%-26s %12" PRIu64 " %10" PRIu64 "\n", sf_fault_name((enum sf_fault)i),
            sums->faults[i], sums->fault_seeds[i]);
    }
    printf("\n%" PRIu64 " seeds, %" PRIu64 " virtual days, %" PRIu64 " events; %" PRIu64
           " transfers, delivered to %" PRIu64 " recipients\n",
        sums->seeds, sums->days, sums->events, sums->transfers, sums->delivered);
}

void
sf_sim_test_print_failure(uint64_t seed, const struct sf_life_result *result)
{
    fprintf(stderr,
        "seed %" PRIu64 " failed, %s: %s\n"
        "  %s\n"
        "repeat it: skyferry-sim test --trace --seeds %" PRIu64 "\n",
        seed, result->invariant, result->failure, result->parameters, seed);
}

static json_t *
faults_json(const uint64_t faults[SF_FAULTS])
{
    json_t *object = json_object();

    for (unsigned i = 0; i < SF_FAULTS; i++) {
        if (json_object_set_new(object, sf_fault_name((enum sf_fault)i),
                json_integer((json_int_t)faults[i])) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

bool
sf_sim_test_json_seed(uint64_t seed, const struct sf_life_result *result)
{
    char hash[17];
    json_t *object;

    snprintf(hash, sizeof(hash), "%016" PRIx64, result->trace_hash);
    object = json_pack("{s:I, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "seed",
        (json_int_t)seed, "hash", hash, "good", result->is_good, "invariant", result->invariant,
        "failure", result->failure, "parameters", result->parameters, "span_ms",
        (json_int_t)(result->span_ns / SF_MS), "events", (json_int_t)result->events, "transfers",
        (json_int_t)result->transfers, "delivered", (json_int_t)result->delivered);
    if (json_seeds == NULL) {
        json_seeds = json_array();
    }
    return object != NULL && json_array_append_new(json_seeds, object) == 0;
}

bool
sf_sim_test_json_print(const struct sf_sim_test_sums *sums)
{
    json_t *object = json_pack("{s:i, s:o, s:o, s:o}", "version", 1, "seeds",
        json_seeds != NULL ? json_seeds : json_array(), "faults", faults_json(sums->faults),
        "fault_seeds", faults_json(sums->fault_seeds));
    bool is_good =
        object != NULL && json_dumpf(object, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;

    json_decref(object);
    json_seeds = NULL;
    return is_good;
}
