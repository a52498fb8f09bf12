/*
 * sim_test.h - what the parts of skyferry-sim test share.
 *
 *   sim_test.c        options, and the seeds one after the other or on several cores
 *   sim_test_print.c  what is told of them
 */
#ifndef SF_APP_SIM_TEST_H
#define SF_APP_SIM_TEST_H

#include "sim/life.h"

#include <stdbool.h>
#include <stdint.h>

enum { SF_SIM_TEST_RANGES_MAX = 4096 };

struct sf_sim_test_range {
    uint64_t first;
    uint64_t last;
};

struct sf_sim_test {
    struct sf_sim_test_range ranges[SF_SIM_TEST_RANGES_MAX];
    unsigned range_count;
    unsigned jobs;
    bool twice;
    bool trace;
    bool json;
    bool every_fault;
};

struct sf_sim_test_sums {
    uint64_t seeds;
    uint64_t events;
    uint64_t days;
    uint64_t transfers;
    uint64_t delivered;
    uint64_t faults[SF_FAULTS];
    uint64_t fault_seeds[SF_FAULTS]; /* in so many seeds at least once */
};

/* Add what one seed showed. */
void sf_sim_test_add(struct sf_sim_test_sums *sums, const struct sf_life_result *result);

/* One line for a seed. */
void sf_sim_test_print_seed(uint64_t seed, const struct sf_life_result *result);

/* How often each kind of fault fired, and what was seen of it all. */
void sf_sim_test_print_sums(const struct sf_sim_test_sums *sums);

/* A seed that failed: what, and how to repeat it. */
void sf_sim_test_print_failure(uint64_t seed, const struct sf_life_result *result);

/* For --json: seeds are collected and printed at the end. False without memory. */
bool sf_sim_test_json_seed(uint64_t seed, const struct sf_life_result *result);
bool sf_sim_test_json_print(const struct sf_sim_test_sums *sums);

#endif
