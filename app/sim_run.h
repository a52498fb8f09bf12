/*
 * sim_run.h - what the parts of `skyferry-sim run` share.
 */
#ifndef SF_APP_SIM_RUN_H
#define SF_APP_SIM_RUN_H

#include "sim/schedule.h"
#include "sim/whatif.h"

#include <stdbool.h>

/*
 * Read a file of at most `bytes_max` bytes into fresh memory (one byte more, so
 * that a longer one shows). False with errno.
 */
bool sf_sim_read_file(const char *path, size_t bytes_max, uint8_t **ret_text, size_t *ret_bytes);

/*
 * Read the plan that `scenario` names and put it under it; the schedule must
 * outlive the scenario. An exit status; what is wrong has been said.
 */
int sf_sim_plan(struct sf_scenario *scenario, struct sf_schedule *ret_schedule);

/* The answer as JSON, version 1, on standard output. False without memory or if it cannot be written. */
bool sf_sim_run_json(const struct sf_scenario *scenario, const struct sf_whatif *result);

/* The answer for a terminal, on standard output. */
void sf_sim_run_text(const struct sf_scenario *scenario, const struct sf_whatif *result);

#endif
