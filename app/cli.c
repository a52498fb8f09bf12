#include <config.h>

#include "app/cli.h"

#include "app/text.h"
#include "app/unlock.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES_MAX = 4000 };

const char *
sf_cli_option(const struct sf_cli *cli, const char *name)
{
    return sf_args_value(&cli->args, cli->command->options, cli->command->option_count, name);
}

/* --- Talk ------------------------------------------------------------------ */

/* One message. What it quotes may be anything that was typed or read. */
__attribute__((format(printf, 2, 0))) static void
talk(const char *head, const char *format, va_list list)
{
    static const char more[] = "...";
    char text[MESSAGE_BYTES_MAX + sizeof(more)];
    int bytes = vsnprintf(text, MESSAGE_BYTES_MAX + 1, format, list);

    if (bytes > MESSAGE_BYTES_MAX) {
        memcpy(text + MESSAGE_BYTES_MAX, more, sizeof(more));
    }
    sf_text_tame(text);
    /* Data that was printed before stands before the message, also on one terminal. */
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s%s\n", head, bytes < 0 ? "" : text);
}

int
sf_cli_fail(enum sf_exit exit, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    talk("skyferry: ", format, list);
    va_end(list);
    return (int)exit;
}

int
sf_cli_usage(const struct sf_cli *cli, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    talk("skyferry: ", format, list);
    va_end(list);
    if (cli->command != NULL) {
        sf_cli_say("  usage: skyferry %s%s%s", cli->command->name,
            cli->command->operands[0] == '\0' ? "" : " ", cli->command->operands);
        sf_cli_say("  more:  skyferry help %s", cli->command->name);
    } else {
        sf_cli_say("  `skyferry help` lists the commands");
    }
    return SF_EXIT_USAGE;
}

void
sf_cli_say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    talk("", format, list);
    va_end(list);
}

enum sf_exit
sf_cli_exit_of(int status)
{
    switch (status) {
    case SF_OK:
        return SF_EXIT_DONE;
    case SF_EINVAL:
        return SF_EXIT_USAGE;
    case SF_EAUTH:
        return SF_EXIT_REFUSED;
    case SF_EFORMAT:
        return SF_EXIT_INTEGRITY;
    default:
        return SF_EXIT_FAILED;
    }
}

/* --- Data ------------------------------------------------------------------ */

static int
print_json(json_t *object, size_t flags)
{
    json_t *whole = json_object();

    sf_assert(whole != NULL && json_is_object(object));
    /* Our version comes first, and stands for the daemon's. */
    sf_assert(json_object_set_new(whole, "skyferry", json_integer(SF_CLI_JSON_VERSION)) == 0);
    (void)json_object_del(object, "version");
    sf_assert(json_object_update(whole, object) == 0);
    json_decref(object);
    (void)json_dumpf(whole, stdout, flags);
    (void)fputc('\n', stdout);
    json_decref(whole);
    return sf_cli_finish(SF_EXIT_DONE);
}

int
sf_cli_print_json(json_t *object)
{
    return print_json(object, JSON_INDENT(2));
}

int
sf_cli_print_json_line(json_t *object)
{
    return print_json(object, JSON_COMPACT);
}

int
sf_cli_finish(enum sf_exit exit)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return sf_cli_fail(SF_EXIT_FAILED, "cannot write to standard output: %s", strerror(errno));
    }
    return (int)exit;
}

void
sf_cli_rate(
    const json_t *object, const char *rate, const char *why, char *ret_text, size_t text_bytes)
{
    uint64_t bps = sf_cli_number(object, rate, UINT64_MAX);
    const char *word = sf_cli_string(object, why, "fixed");
    char text[SF_TEXT_AMOUNT_BYTES];

    sf_text_rate(bps, text);
    if (bps == UINT64_MAX) {
        (void)snprintf(ret_text, text_bytes, "-");
    } else if (strcmp(word, "fixed") == 0) {
        (void)snprintf(ret_text, text_bytes, "%s", text);
    } else {
        (void)snprintf(ret_text, text_bytes, "%s %.12s", text, word);
    }
}

uint64_t
sf_cli_number(const json_t *object, const char *name, uint64_t otherwise)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) && json_integer_value(value) >= 0
               ? (uint64_t)json_integer_value(value)
               : otherwise;
}

const char *
sf_cli_string(const json_t *object, const char *name, const char *otherwise)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value == NULL ? otherwise : value;
}

bool
sf_cli_bool(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static int
digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);

    return found == NULL ? -1 : (int)(found - digits);
}

char *
sf_cli_name(const struct sf_cli *cli, const json_t *object, const char *name)
{
    const char *text = sf_cli_string(object, name, "");
    char twin[64];
    const char *hex;
    size_t bytes;
    uint8_t *exact;
    char *shown;

    (void)snprintf(twin, sizeof(twin), "%s_hex", name);
    hex = sf_cli_string(object, twin, NULL);
    if (hex == NULL) {
        return sf_text_escaped(sf_view(text, strlen(text)), cli->utf8);
    }
    bytes = strlen(hex) / 2;
    exact = malloc(bytes + 1);
    sf_assert(exact != NULL);
    for (size_t i = 0; i < bytes; i++) {
        int high = digit(hex[2 * i]);
        int low = digit(hex[2 * i + 1]);

        exact[i] = high < 0 || low < 0 ? '?' : (uint8_t)(high << 4 | low);
    }
    shown = sf_text_escaped(sf_view(exact, bytes), cli->utf8);
    free(exact);
    return shown;
}

void
sf_cli_hex(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* --- The node -------------------------------------------------------------- */

bool
sf_cli_home(const struct sf_cli *cli, struct sf_home *ret_home, int *ret_exit)
{
    struct sf_app_error error = {0};
    int status = sf_home_open(cli->home_path, ret_home, &error);

    if (status != SF_OK) {
        *ret_exit =
            sf_cli_fail(status == SF_EAUTH ? SF_EXIT_REFUSED : SF_EXIT_FAILED, "%s", error.text);
        return false;
    }
    return true;
}

struct sf_identity *
sf_cli_identity(const struct sf_cli *cli, int *ret_exit)
{
    struct sf_app_error error = {0};
    struct sf_identity *identity = NULL;
    uint8_t *master = NULL;
    struct sf_home home;
    int status;

    if (!sf_cli_home(cli, &home, ret_exit)) {
        return NULL;
    }
    status = sf_unlock_master(&home, &master, &error);
    if (status == SF_OK) {
        status = sf_unlock_identity(&home, master, &identity, &error);
    }
    sf_secret_free(master);
    sf_home_close(&home);
    if (status == SF_ENOENT) {
        *ret_exit =
            sf_cli_fail(SF_EXIT_FAILED, "%s has no keys\n  Make them:  skyferry --home %s init",
                cli->home_path, cli->home_path);
    } else if (status != SF_OK) {
        *ret_exit = sf_cli_fail(
            status == SF_EFORMAT ? SF_EXIT_INTEGRITY : sf_cli_exit_of(status), "%s", error.text);
    }
    return identity;
}

bool
sf_cli_client(const struct sf_cli *cli, struct sf_client **ret_client, int *ret_exit)
{
    if (sf_client_open(cli->home_path, ret_client) != SF_OK) {
        *ret_exit = sf_cli_fail(SF_EXIT_FAILED, "out of memory");
        return false;
    }
    return true;
}

static int
unreachable(const struct sf_cli *cli, const struct sf_client_error *error)
{
    const char *home = cli->home_path;

    if (error->system_error == 0) {
        return sf_cli_fail(SF_EXIT_FAILED,
            "the daemon went away before it answered (%s)\n"
            "  Its log says why: journalctl -u skyferryd, or the terminal it runs in.",
            error->text);
    }
    if (error->system_error == EACCES || error->system_error == EPERM) {
        return sf_cli_fail(SF_EXIT_REFUSED,
            "you may not talk to the daemon of %s (%s)\n"
            "  Be its user, or a member of the group of %s/%s.",
            home, strerror(error->system_error), home, SF_HOME_CONTROL);
    }
    if (error->system_error == ENOENT) {
        struct sf_home probe;

        if (sf_home_open_client(home, &probe, NULL) != SF_OK) {
            return sf_cli_fail(SF_EXIT_FAILED,
                "there is no node in %s\n"
                "  Make one:        skyferry --home %s init\n"
                "  or name another: --home DIR, or SKYFERRY_HOME",
                home, home);
        }
        sf_home_close(&probe);
    }
    return sf_cli_fail(SF_EXIT_FAILED,
        "no daemon answers at %s/%s (%s)\n"
        "  Start it:  skyferryd --home %s\n"
        "  or, where systemd runs it:  systemctl start skyferryd",
        home, SF_HOME_CONTROL, strerror(error->system_error), home);
}

int
sf_cli_call_failed(const struct sf_cli *cli, const struct sf_client_error *error)
{
    if (error->is_unreachable) {
        return unreachable(cli, error);
    }
    return sf_cli_fail(error->status == SF_EFORMAT ? SF_EXIT_FAILED : sf_cli_exit_of(error->status),
        "%s", error->text);
}
