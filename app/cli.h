/*
 * cli.h - what the commands of `skyferry` share: where the node is, how
 * commands describe themselves, how they talk and how they end.
 *
 * Standard output carries data, standard error talk. A command returns its
 * exit code; nothing but main() ends the program.
 */
#ifndef SF_APP_CLI_H
#define SF_APP_CLI_H

#include "app/args.h"
#include "app/client.h"
#include "app/home.h"
#include "bundle/identity.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The contract with scripts; the same for every command. */
enum sf_exit {
    SF_EXIT_DONE = 0,
    SF_EXIT_FAILED = 1,
    SF_EXIT_USAGE = 2,
    SF_EXIT_NOT_YET = 3,   /* in custody, not delivered */
    SF_EXIT_REFUSED = 4,   /* by the peer, by the system or by policy */
    SF_EXIT_INTEGRITY = 5, /* something is not what was signed */
    SF_EXIT_TOO_LATE = 6,  /* cannot be done in time */
};

enum {
    SF_CLI_JSON_VERSION = 1, /* of what --json prints: {"skyferry": 1, ...} */
    SF_CLI_ID_SHOWN = 8,     /* digits of a transfer's id that people are shown */
};

/* Every command's options begin with these rows; they may also stand before its name. */
enum { SF_CLI_GLOBALS = 3 };
#define SF_CLI_GLOBAL_OPTIONS                                                                      \
    {"help", 'h', NULL, "show this help"},                                                         \
        {"home", 0, "DIR",                                                                         \
            "the node's state; else $SKYFERRY_HOME, else /var/lib/skyferry for\n"                  \
            "root, else ~/.local/state/skyferry"},                                                 \
    {                                                                                              \
        "json", 0, NULL, "print data for programs: {\"skyferry\": 1, ...}"                         \
    }

struct sf_cli_command;

struct sf_cli {
    const struct sf_cli_command *command;
    struct sf_args args;
    char home_path[SF_HOME_PATH_BYTES_MAX + 1];
    bool json; /* --json: data for programs */
    bool utf8; /* the terminal shows UTF-8 */
};

/* One command: a row of the table in cli_main.c. */
struct sf_cli_command {
    const char *name;     /* "peer add" */
    const char *operands; /* "NAME --card FILE|-", for the synopsis; "" if none */
    const char *summary;  /* half a line, for the list of commands */
    const char *more;     /* what else the help says, or NULL */
    const struct sf_arg_option *options;
    size_t option_count;
    size_t operands_min;
    size_t operands_max;
    bool no_json; /* nothing to read comes out of it */
    int (*run)(struct sf_cli *cli);
};

/* The commands, each with its options in a file of its own. */
extern const struct sf_cli_command sf_cli_init, sf_cli_card, sf_cli_peer_add, sf_cli_peer_list,
    sf_cli_peer_remove, sf_cli_peer_reset, sf_cli_peer_revoke, sf_cli_key_rotate, sf_cli_estimate,
    sf_cli_send, sf_cli_status, sf_cli_inbox, sf_cli_cancel, sf_cli_contacts, sf_cli_receipt_export,
    sf_cli_receipt_import, sf_cli_audit_show, sf_cli_audit_verify, sf_cli_passphrase, sf_cli_doctor;

/* The value of an option of the running command, NULL if it was not given. */
const char *sf_cli_option(const struct sf_cli *cli, const char *name);

/* --- Talk ------------------------------------------------------------------ */

/* "skyferry: SENTENCE" on standard error; returns `exit`, so that a failure is one line. */
int sf_cli_fail(enum sf_exit exit, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As above with "see `skyferry help COMMAND`" below it; returns SF_EXIT_USAGE. */
int sf_cli_usage(const struct sf_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of advice or of news on standard error. */
void sf_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit code that a status from our own libraries means. */
enum sf_exit sf_cli_exit_of(int status);

/* --- Data ------------------------------------------------------------------ */

/*
 * Print `object` as the answer of a reading command, with "skyferry": 1 first
 * and without the daemon's own "version". Takes the reference. Returns
 * SF_EXIT_DONE, or SF_EXIT_FAILED if standard output failed.
 */
int sf_cli_print_json(json_t *object);

/* The same on one line, for streams. */
int sf_cli_print_json_line(json_t *object);

/* Flush standard output and look whether it took everything; returns `exit` or SF_EXIT_FAILED. */
int sf_cli_finish(enum sf_exit exit);

/* A rate of an answer and why it is that one: "92.1 Mbit/s found"; a fixed one alone; "-". */
void sf_cli_rate(
    const json_t *object, const char *rate, const char *why, char *ret_text, size_t text_bytes);

/* Members of an answer; absent, null or another type gives the value after the name. */
uint64_t sf_cli_number(const json_t *object, const char *name, uint64_t otherwise);
const char *sf_cli_string(const json_t *object, const char *name, const char *otherwise);
bool sf_cli_bool(const json_t *object, const char *name);

/* A name that may have a `_hex` twin, escaped for people; the caller frees it. */
char *sf_cli_name(const struct sf_cli *cli, const json_t *object, const char *name);

/* `count` bytes as hex digits and a NUL into `out`. */
void sf_cli_hex(const uint8_t *bytes, size_t count, char *out);

/* --- The node -------------------------------------------------------------- */

/*
 * Open the home by the caller's right to it. On failure it has said so and
 * *ret_exit is set. For commands that read or write its files.
 */
SF_MUST_USE bool sf_cli_home(const struct sf_cli *cli, struct sf_home *ret_home, int *ret_exit);

/* Read the node's keys; NULL when it has said why not. The caller wipes with sf_identity_fini(). */
struct sf_identity *sf_cli_identity(const struct sf_cli *cli, int *ret_exit);

/* Open a client of the node's daemon, as above; nothing is sent yet. */
SF_MUST_USE bool sf_cli_client(
    const struct sf_cli *cli, struct sf_client **ret_client, int *ret_exit);

/* Say what a failed call means and what to do; returns the exit code. */
int sf_cli_call_failed(const struct sf_cli *cli, const struct sf_client_error *error);

#endif
