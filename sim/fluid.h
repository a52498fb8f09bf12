/*
 * fluid.h - an answer to a scenario without playing it out: data as a fluid
 * through the contacts. In well under a second for any size and any month.
 */
#ifndef SF_SIM_FLUID_H
#define SF_SIM_FLUID_H

#include "sim/whatif.h"

/* More contacts than this are not walked through; what is missing then is LATE. */
#define SF_FLUID_CONTACTS_MAX UINT64_C(200000)

/*
 * Estimate what becomes of a checked `scenario`. The result is marked as an
 * estimate; returned bytes and compared bytes are not estimated and stay 0.
 * What the model contains stands at the top of fluid.c.
 */
void sf_fluid_estimate(const struct sf_scenario *scenario, struct sf_whatif *ret_result);

/*
 * Whether it can be shown beforehand that the scenario cannot end well: a way
 * that is closed, or contacts that carry too little even if nothing is lost.
 * Then the reason in `ret_why` (SF_WHATIF_TEXT_BYTES), and whether it is a matter
 * of time (LATE) or not (NEVER).
 */
bool sf_fluid_is_hopeless(
    const struct sf_scenario *scenario, enum sf_whatif_outcome *ret_outcome, char *ret_why);

#endif
