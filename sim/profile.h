/*
 * profile.h - a network as a text file: one `key = value` per line.
 *
 *     # A geostationary link with a thin way back.
 *     delay      = 300ms
 *     rate       = 20Mbit
 *     back.rate  = 256kbit
 *     loss       = 0.5%
 *
 * A key sets both directions, or one with `forward.` or `back.` before it.
 * Later lines overrule earlier ones; outage and contact add up. '#' begins a
 * comment, blank lines are skipped. Keys and units are in docs/SIMULATOR.md
 * and, for error messages, in the table of profile.c.
 */
#ifndef SF_SIM_PROFILE_H
#define SF_SIM_PROFILE_H

#include "base/bytes.h"
#include "sim/path.h"

enum {
    SF_SIM_PROFILE_BYTES_MAX = 65536,
    SF_SIM_PROFILE_LINE_BYTES_MAX = 256,
    SF_SIM_PROFILE_ERROR_BYTES = 256,
};

struct sf_sim_profile {
    struct sf_sim_path_config forward; /* towards --to */
    struct sf_sim_path_config back;
};

struct sf_sim_profile_error {
    unsigned int line;                     /* from 1; 0: not from a file */
    char text[SF_SIM_PROFILE_ERROR_BYTES]; /* what is wrong, with which value, what is accepted */
};

/* A perfect network: no delay, no loss, no limit. */
void sf_sim_profile_init(struct sf_sim_profile *profile);

/*
 * Apply the lines of `text` on top of `profile`.
 *
 * Returns SF_OK; SF_ELIMIT if the text or a line is too long or there are too
 * many windows, SF_EFORMAT for anything else that is wrong. Then *ret_error
 * says what, and `profile` is left untouched.
 */
SF_MUST_USE int sf_sim_profile_parse(
    struct sf_sim_profile *profile, struct sf_view text, struct sf_sim_profile_error *ret_error);

/* Apply one assignment "key=value", as from a command line. Answers as parse does. */
SF_MUST_USE int sf_sim_profile_set(
    struct sf_sim_profile *profile, const char *assignment, struct sf_sim_profile_error *ret_error);

/* The profiles that come with the program; NULL ends the list. */
struct sf_sim_profile_named {
    const char *name;
    const char *summary; /* one line */
    const char *text;    /* for sf_sim_profile_parse() */
};

extern const struct sf_sim_profile_named sf_sim_profiles[];

#endif
