/*
 * args.h - options and operands of a command line.
 *
 * Options may stand before, between and after the operands, as `--name VALUE`,
 * `--name=VALUE` or `-n VALUE`; `--` ends them, so that an operand may begin
 * with a dash. A lone `-` is an operand. Errors name the word that is wrong
 * and the option it was most likely meant to be.
 */
#ifndef SF_APP_ARGS_H
#define SF_APP_ARGS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    SF_ARGS_ERROR_BYTES = 256,
    SF_ARGS_OPTIONS_MAX = 32,  /* of one command */
    SF_ARGS_LIST_BYTES = 2048, /* of the values of an option that is given several times */
};

struct sf_arg_option {
    const char *name;  /* without the dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* what it takes, as the help calls it; NULL if nothing. With "..." behind
                          it may be given several times; one option of a command at most */
    const char *help;  /* one line */
};

/* What was found. Strings point into argv, or to `list`; do not copy it. */
struct sf_args {
    char **operands;
    size_t operand_count;
    const char *values[SF_ARGS_OPTIONS_MAX]; /* by option; "" for a flag; NULL if not given */
    char list[SF_ARGS_LIST_BYTES];           /* values given one by one, with commas between */
    char error[SF_ARGS_ERROR_BYTES];
};

/*
 * Sort argv[0 .. argc-1] (no program name in it; it is reordered) into what
 * `options` describe and the operands.
 *
 * Returns SF_OK, or SF_EINVAL with a sentence in args->error: an unknown
 * option, one given twice that is no list, a value missing or one too many.
 */
SF_MUST_USE int sf_args_parse(struct sf_args *args, const struct sf_arg_option *options,
    size_t option_count, int argc, char **argv);

/* The value of option `name` as given, NULL if it was not. A name not in `options` is a bug. */
const char *sf_args_value(const struct sf_args *args, const struct sf_arg_option *options,
    size_t option_count, const char *name);

#endif
