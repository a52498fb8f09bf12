/*
 * contacts.h - when a path is up: its contacts without its outages, as
 * intervals in order. Pure functions.
 */
#ifndef SF_SIM_CONTACTS_H
#define SF_SIM_CONTACTS_H

#include "sim/path.h"

struct sf_sim_interval {
    sf_mono start;
    sf_mono end; /* the first moment after it; SF_NEVER: it does not end */
};

/*
 * The interval in which the path is up at `at`, cut to begin there, else the
 * first that begins later. False if it is never up again.
 */
bool sf_sim_contacts_next(
    const struct sf_sim_path_config *config, sf_mono at, struct sf_sim_interval *ret_interval);

#endif
