/*
 * profile.h - a network as a text file: one `key = value` per line.
 *
 *     # A geostationary link with a thin way back.
 *     delay      = 300ms
 *     rate       = 20Mbit
 *     back.rate  = 256kbit
 *     loss       = 0.5%
 *
 * A key sets both directions, or one with `forward.` or `back.` before it; the
 * keys of the translator (`nat-...`) are of the link as a whole. Later lines
 * overrule earlier ones; outage, contact and nat-rebind add up. '#' begins a
 * comment, blank lines are skipped. Keys and units are in docs/SIMULATOR.md
 * and, for error messages, in the table of profile.c.
 */
#ifndef SF_SIM_PROFILE_H
#define SF_SIM_PROFILE_H

#include "base/bytes.h"
#include "sim/nat.h"
#include "sim/path.h"

enum {
    SF_SIM_PROFILE_BYTES_MAX = 65536,
    SF_SIM_PROFILE_LINE_BYTES_MAX = 256,
    SF_SIM_PROFILE_ERROR_BYTES = 512,
};

struct sf_sim_profile {
    struct sf_sim_path_config forward; /* towards --to */
    struct sf_sim_path_config back;
    struct sf_sim_nat_config nat; /* of the near side, whose datagrams go forward */
    sf_mono now;                  /* what `now` means as a START; SF_NEVER: it is not accepted */
};

struct sf_sim_profile_error {
    unsigned int line;                     /* from 1; 0: not from a file */
    char text[SF_SIM_PROFILE_ERROR_BYTES]; /* what is wrong, with which value, what is accepted */
};

/* A perfect network: no delay, no loss, no limit. */
void sf_sim_profile_init(struct sf_sim_profile *profile);

/*
 * Apply the lines of `text` on top of `profile`, and check the whole as
 * sf_sim_profile_check() does.
 *
 * Returns SF_OK; SF_ELIMIT if the text or a line is too long or there are too
 * many windows, SF_EFORMAT for anything else that is wrong. Then *ret_error
 * says what, and `profile` is left untouched.
 */
SF_MUST_USE int sf_sim_profile_parse(
    struct sf_sim_profile *profile, struct sf_view text, struct sf_sim_profile_error *ret_error);

/*
 * Apply one assignment "key=value", as from a command line. Answers as parse
 * does, but the whole is not checked: what it lacks may follow.
 */
SF_MUST_USE int sf_sim_profile_set(
    struct sf_sim_profile *profile, const char *assignment, struct sf_sim_profile_error *ret_error);

/*
 * Whether the values agree with each other: a key that has no effect without
 * another is a mistake. Returns SF_OK, or SF_EFORMAT with *ret_error.
 */
SF_MUST_USE int sf_sim_profile_check(
    const struct sf_sim_profile *profile, struct sf_sim_profile_error *ret_error);

/* The profiles that come with the program; NULL ends the list. */
struct sf_sim_profile_named {
    const char *name;
    const char *text; /* for sf_sim_profile_parse(); its first line is "# NAME: what it is" */
};

/* Made from sim/profiles/ by the build, in the order of their names. */
extern const struct sf_sim_profile_named sf_sim_profiles[];

/* The one called `name`, or NULL. */
const struct sf_sim_profile_named *sf_sim_profile_find(const char *name);

/* What a profile is, in one line: copied from the first line of its text, cut if too long. */
void sf_sim_profile_summary(
    const struct sf_sim_profile_named *profile, char *ret_line, size_t line_bytes);

#endif
