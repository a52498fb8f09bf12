/*
 * sim.h - the commands of skyferry-sim. Each gets its own arguments, its name
 * first, and returns an exit status: 0 done, 1 failed, 2 usage.
 */
#ifndef SF_APP_SIM_H
#define SF_APP_SIM_H

#include <stddef.h>

enum { SF_SIM_EXIT_DONE = 0, SF_SIM_EXIT_FAILED = 1, SF_SIM_EXIT_USAGE = 2 };

/* Stand between two real UDP programs. */
int sf_sim_link_main(int argc, char **argv);

/* Show the profiles that come with the program, or the text of one. */
int sf_sim_profiles_main(int argc, char **argv);

/* Tell what becomes of a scenario. Exit status 6 as well: it cannot be done, or not in time. */
int sf_sim_run_main(int argc, char **argv);

/* Live many short lives from seeds, and stop at the first in which a promise is broken. */
int sf_sim_test_main(int argc, char **argv);

/* Predict when satellites stand over ground stations. */
int sf_sim_passes_main(int argc, char **argv);

/* "skyferry-sim: ..." as one line on standard error; returns `status`. */
__attribute__((format(printf, 2, 3))) int sf_sim_say(int status, const char *format, ...);

#endif
