/*
 * sim_run.h - what the two halves of `skyferry-sim run` share.
 */
#ifndef SF_APP_SIM_RUN_H
#define SF_APP_SIM_RUN_H

#include "sim/whatif.h"

#include <stdbool.h>

/* The answer as JSON, version 1, on standard output. False without memory or if it cannot be written. */
bool sf_sim_run_json(const struct sf_scenario *scenario, const struct sf_whatif *result);

/* The answer for a terminal, on standard output. */
void sf_sim_run_text(const struct sf_scenario *scenario, const struct sf_whatif *result);

#endif
