/*
 * cli_doctor.c - `skyferry doctor`: whether this machine lets a node keep its
 * promises, and what to do where it does not.
 */
#include <config.h>

#include "app/cli.h"

#include "app/doctor.h"
#include "app/text.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"ok", "note", "WARN", "FAIL"};
static const char *const level_json[] = {"ok", "note", "warning", "failure"};
static const char *const level_colors[] = {"\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[31m"};

void
sf_doctor_report(struct sf_doctor *doctor, enum sf_doctor_level level, const char *subject,
    const char *advice, const char *format, ...)
{
    char text[1024];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    doctor->worst = level > doctor->worst ? level : doctor->worst;
    if (doctor->checks != NULL) {
        sf_assert(json_array_append_new(doctor->checks,
                      json_pack("{s:s, s:s, s:s, s:s?}", "subject", subject, "level",
                          level_json[level], "text", text, "advice", advice)) == 0);
        return;
    }
    (void)printf("%s%-4s%s  %-14s %s\n", doctor->has_color ? level_colors[level] : "",
        level_names[level], doctor->has_color ? "\x1b[0m" : "", subject, text);
    for (const char *at = advice; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "\n");

        (void)printf("      %-14s %s %.*s\n", "", at == advice ? "->" : "  ", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

static int
run_doctor(struct sf_cli *cli)
{
    struct sf_doctor doctor = {.cli = cli, .has_color = isatty(STDOUT_FILENO) == 1};
    const char *only = sf_cli_option(cli, "peer");
    int exit;

    if (cli->json) {
        doctor.checks = json_array();
        sf_assert(doctor.checks != NULL);
    }
    if (only == NULL) {
        sf_doctor_node(&doctor);
    }
    sf_doctor_peers(&doctor, only);
    if (only == NULL) {
        sf_doctor_machine(&doctor);
    }
    exit = doctor.worst == SF_DOCTOR_FAIL ? SF_EXIT_FAILED : SF_EXIT_DONE;
    if (cli->json) {
        int printed = sf_cli_print_json(
            json_pack("{s:s, s:o}", "worst", level_json[doctor.worst], "checks", doctor.checks));

        return printed == SF_EXIT_DONE ? exit : printed;
    }
    return sf_cli_finish((enum sf_exit)exit);
}

static const struct sf_arg_option doctor_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"peer", 0, "NAME", "only whether this peer answers, and what keeps it"},
};

const struct sf_cli_command sf_cli_doctor = {
    .name = "doctor",
    .operands = "[--peer NAME]",
    .summary = "Look for what would keep this node from its work, and say what to do",
    .more =
        "Looks at permissions, keys, settings and peers, at the daemon, the file system and its\n"
        "space, io_uring, the clock, socket buffers and limits. To endpoints that do not answer\n"
        "it sends a datagram and a TCP connection, and tells what comes back: a firewall that\n"
        "drops UDP, a port nobody listens on, no way there. Changes nothing. Exits 1 if\n"
        "something must be mended. Run it as the user the daemon runs as.\n",
    .options = doctor_options,
    .option_count = sizeof(doctor_options) / sizeof(doctor_options[0]),
    .run = run_doctor,
};
