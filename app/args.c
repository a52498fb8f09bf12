#include "app/args.h"

#include "app/text.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int
wrong(struct sf_args *args, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void)vsnprintf(args->error, sizeof(args->error), format, list);
    va_end(list);
    return SF_EINVAL;
}

static int
unknown(struct sf_args *args, const struct sf_arg_option *options, size_t option_count,
    const char *name, size_t bytes)
{
    const char *names[SF_ARGS_OPTIONS_MAX];
    char word[32];
    char shown[128];
    const char *nearest;

    for (size_t i = 0; i < option_count; i++) {
        names[i] = options[i].name;
    }
    (void)snprintf(word, sizeof(word), "%.*s", (int)(bytes < 31 ? bytes : 31), name);
    (void)sf_text_escape(sf_view(name, bytes), true, shown, sizeof(shown));
    nearest = sf_text_nearest(word, names, option_count);
    if (nearest != NULL) {
        return wrong(args, "unknown option --%s; did you mean --%s?", shown, nearest);
    }
    return wrong(args, "unknown option --%s", shown);
}

static bool
is_list(const struct sf_arg_option *option)
{
    size_t bytes = option->value == NULL ? 0 : strlen(option->value);

    return bytes > 3 && strcmp(option->value + bytes - 3, "...") == 0;
}

/* The value of option `i`: the only one, or one more of a list. */
static int
keep_value(struct sf_args *args, const struct sf_arg_option *options, size_t i, const char *value)
{
    size_t bytes;

    if (args->values[i] == NULL) {
        args->values[i] = value;
        return SF_OK;
    }
    if (args->values[i] != args->list) {
        (void)snprintf(args->list, sizeof(args->list), "%s", args->values[i]);
        args->values[i] = args->list;
    }
    bytes = strlen(args->list);
    if (bytes + 1 + strlen(value) >= sizeof(args->list)) {
        return wrong(args, "option --%s: all its values together are too long", options[i].name);
    }
    args->list[bytes] = ',';
    memcpy(args->list + bytes + 1, value, strlen(value) + 1);
    return SF_OK;
}

/* --name, --name=VALUE or --name VALUE at argv[*at]; moves *at past what it used. */
static int
take_long(struct sf_args *args, const struct sf_arg_option *options, size_t option_count, int argc,
    char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t bytes = equals != NULL ? (size_t)(equals - name) : strlen(name);
    size_t i = 0;

    while (i < option_count &&
           !(strlen(options[i].name) == bytes && memcmp(options[i].name, name, bytes) == 0)) {
        i++;
    }
    if (i == option_count) {
        return unknown(args, options, option_count, name, bytes);
    }
    if (args->values[i] != NULL && !is_list(&options[i])) {
        return wrong(args, "option --%s is given twice", options[i].name);
    }
    if (options[i].value == NULL) {
        if (equals != NULL) {
            return wrong(args, "option --%s takes no value", options[i].name);
        }
        args->values[i] = "";
        return SF_OK;
    }
    if (equals != NULL) {
        return keep_value(args, options, i, equals + 1);
    }
    if (*at + 1 >= argc) {
        return wrong(args, "option --%s needs a value: --%s %s", options[i].name, options[i].name,
            options[i].value);
    }
    return keep_value(args, options, i, argv[++*at]);
}

/* -abc, where each is a flag but for the last, which may take the rest or the next word. */
static int
take_short(struct sf_args *args, const struct sf_arg_option *options, size_t option_count, int argc,
    char **argv, int *at)
{
    for (const char *letter = argv[*at] + 1; *letter != '\0'; letter++) {
        size_t i = 0;

        while (i < option_count && options[i].letter != *letter) {
            i++;
        }
        if (i == option_count) {
            char shown[16];

            (void)sf_text_escape(sf_view(letter, 1), true, shown, sizeof(shown));
            return wrong(
                args, "unknown option -%s (a name that begins with a dash goes behind --)", shown);
        }
        if (args->values[i] != NULL) {
            return wrong(args, "option --%s is given twice", options[i].name);
        }
        if (options[i].value == NULL) {
            args->values[i] = "";
            continue;
        }
        if (letter[1] != '\0') {
            args->values[i] = letter + 1;
        } else if (*at + 1 < argc) {
            args->values[i] = argv[++*at];
        } else {
            return wrong(
                args, "option -%c needs a value: -%c %s", *letter, *letter, options[i].value);
        }
        return SF_OK;
    }
    return SF_OK;
}

int
sf_args_parse(struct sf_args *args, const struct sf_arg_option *options, size_t option_count,
    int argc, char **argv)
{
    int status;

    sf_assert(option_count <= SF_ARGS_OPTIONS_MAX);
    *args = (struct sf_args){.operands = argv};
    for (int at = 0; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            while (++at < argc) {
                args->operands[args->operand_count++] = argv[at];
            }
            break;
        }
        if (argv[at][0] == '-' && argv[at][1] == '-') {
            status = take_long(args, options, option_count, argc, argv, &at);
        } else if (argv[at][0] == '-' && argv[at][1] != '\0') {
            status = take_short(args, options, option_count, argc, argv, &at);
        } else {
            args->operands[args->operand_count++] = argv[at];
            status = SF_OK;
        }
        if (status != SF_OK) {
            return status;
        }
    }
    return SF_OK;
}

const char *
sf_args_value(const struct sf_args *args, const struct sf_arg_option *options, size_t option_count,
    const char *name)
{
    size_t i = 0;

    while (i < option_count && strcmp(options[i].name, name) != 0) {
        i++;
    }
    sf_assert(i < option_count);
    return args->values[i];
}
