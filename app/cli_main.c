/*
 * cli_main.c - `skyferry`: the table of commands, and the help made from it.
 */
#include <config.h>

#include "app/cli.h"
#include "app/text.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* In the order of a node's life. */
static const struct sf_cli_command *const commands[] = {
    &sf_cli_init,
    &sf_cli_card,
    &sf_cli_peer_add,
    &sf_cli_peer_list,
    &sf_cli_peer_remove,
    &sf_cli_peer_reset,
    &sf_cli_peer_revoke,
    &sf_cli_key_rotate,
    &sf_cli_estimate,
    &sf_cli_send,
    &sf_cli_status,
    &sf_cli_inbox,
    &sf_cli_cancel,
    &sf_cli_contacts,
    &sf_cli_receipt_export,
    &sf_cli_receipt_import,
    &sf_cli_audit_show,
    &sf_cli_audit_verify,
    &sf_cli_passphrase,
    &sf_cli_doctor,
};

/* Their commands have two words. */
static const char *const groups[] = {"peer", "key", "receipt", "audit"};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
    GROUPS = sizeof(groups) / sizeof(groups[0]),
    HELP_INDENT = 24, /* columns before what an option does */
};

static const struct sf_arg_option globals[SF_CLI_GLOBALS] = {SF_CLI_GLOBAL_OPTIONS};

/* --- Help ------------------------------------------------------------------ */

static void
print_indented(FILE *out, const char *left, const char *text)
{
    (void)fprintf(out, "  %-*s", HELP_INDENT - 2, left);
    if (strlen(left) > HELP_INDENT - 4) {
        (void)fprintf(out, "\n%*s", HELP_INDENT, "");
    }
    for (const char *at = text; *at != '\0'; at++) {
        (void)fputc(*at, out);
        if (*at == '\n') {
            (void)fprintf(out, "%*s", HELP_INDENT, "");
        }
    }
    (void)fputc('\n', out);
}

static void
print_option(FILE *out, const struct sf_arg_option *option)
{
    char left[64];
    char letter[8] = "";

    if (option->letter != 0) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    }
    (void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
        option->value == NULL ? "" : " ", option->value == NULL ? "" : option->value);
    print_indented(out, left, option->help);
}

static void
help_all(FILE *out)
{
    (void)fputs("Skyferry moves files over links that fail, and proves that they arrived.\n\n"
                "usage: skyferry COMMAND [OPTION...] [OPERAND...]\n\n"
                "commands:\n",
        out);
    for (size_t i = 0; i < COMMANDS; i++) {
        print_indented(out, commands[i]->name, commands[i]->summary);
    }
    print_indented(out, "help [COMMAND]", "explain a command");
    (void)fputs("\noptions of every command:\n", out);
    for (size_t i = 0; i < SF_CLI_GLOBALS; i++) {
        print_option(out, &globals[i]);
    }
    print_indented(out, "--version", "print the version");
    (void)fputs("\nA first transfer:\n"
                "  skyferry init                             make this node\n"
                "  skyferry card > me.card                   give this line to the other side\n"
                "  skyferry peer add sat-7 --card sat-7.card --endpoint 192.0.2.7:7272\n"
                "  skyferryd &                               or: systemctl start skyferryd\n"
                "  skyferry send model.safetensors --to sat-7\n"
                "  skyferry status --watch\n\n"
                "exit codes: 0 done, 1 failed, 2 usage, 3 not yet (in custody), 4 refused,\n"
                "5 integrity, 6 cannot be done in time. The manual: man skyferry\n",
        out);
}

static void
help_command(FILE *out, const struct sf_cli_command *command)
{
    (void)fprintf(out, "usage: skyferry %s%s%s\n\n%s.\n", command->name,
        command->operands[0] == '\0' ? "" : " ", command->operands, command->summary);
    if (command->more != NULL) {
        (void)fprintf(out, "\n%s", command->more);
    }
    (void)fputs("\noptions:\n", out);
    for (size_t i = SF_CLI_GLOBALS; i < command->option_count; i++) {
        print_option(out, &command->options[i]);
    }
    for (size_t i = 0; i < SF_CLI_GLOBALS; i++) {
        if (!command->no_json || strcmp(globals[i].name, "json") != 0) {
            print_option(out, &globals[i]);
        }
    }
}

/* --- Finding the command --------------------------------------------------- */

static int
unknown_command(const char *word, const char *second)
{
    const char *names[COMMANDS + 1];
    char both[64];
    char shown[128];
    const char *nearest;

    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i]->name;
    }
    names[COMMANDS] = "help";
    (void)sf_text_escape(sf_view(word, strlen(word)), true, shown, sizeof(shown));
    (void)snprintf(both, sizeof(both), "%.30s %.30s", word, second);
    nearest = sf_text_nearest(both, names, COMMANDS);
    if (nearest == NULL) {
        nearest = sf_text_nearest(word, names, COMMANDS + 1);
    }
    if (nearest == NULL) {
        nearest = sf_text_nearest(word, groups, GROUPS);
    }
    if (nearest != NULL) {
        return sf_cli_fail(SF_EXIT_USAGE,
            "there is no command '%s'; did you mean `skyferry %s`?\n"
            "  `skyferry help` lists the commands",
            shown, nearest);
    }
    return sf_cli_fail(
        SF_EXIT_USAGE, "there is no command '%s'\n  `skyferry help` lists the commands", shown);
}

/* A group alone, or with a second word that is none of theirs. */
static int
unknown_second(const char *first, const char *second)
{
    const char *names[COMMANDS];
    char shown[128];
    size_t count = 0;
    const char *nearest = NULL;

    for (size_t i = 0; i < COMMANDS; i++) {
        size_t length = strlen(first);

        if (strncmp(commands[i]->name, first, length) == 0 && commands[i]->name[length] == ' ') {
            names[count++] = commands[i]->name + length + 1;
        }
    }
    (void)sf_text_escape(sf_view(second, strlen(second)), true, shown, sizeof(shown));
    if (second[0] != '\0') {
        nearest = sf_text_nearest(second, names, count);
        (void)sf_cli_fail(SF_EXIT_USAGE, "`skyferry %s` has no command '%s'%s%s%s", first, shown,
            nearest == NULL ? "" : "; did you mean `", nearest == NULL ? "" : nearest,
            nearest == NULL ? "" : "`?");
    } else {
        (void)sf_cli_fail(SF_EXIT_USAGE, "`skyferry %s` needs one of its commands", first);
    }
    for (size_t i = 0; i < count; i++) {
        sf_cli_say("  skyferry %s %s", first, names[i]);
    }
    return SF_EXIT_USAGE;
}

static bool
is_group(const char *word)
{
    for (size_t i = 0; i < GROUPS; i++) {
        if (strcmp(word, groups[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The command of one or two words; *ret_exit is set if there is none. */
static const struct sf_cli_command *
find_command(const char *first, const char *second, int *ret_exit)
{
    char both[64];

    (void)snprintf(both, sizeof(both), "%.30s %.30s", first, second);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i]->name, is_group(first) ? both : first) == 0) {
            return commands[i];
        }
    }
    *ret_exit = is_group(first) ? unknown_second(first, second) : unknown_command(first, second);
    return NULL;
}

/*
 * Where the words of the command are: the first words that are neither a
 * global option nor its value. Takes them out of argv. Returns how many (0-2).
 */
static int
take_words(int *argc, char **argv, const char *words[2])
{
    int found = 0;
    int kept = 0;
    int at = 0;

    while (at < *argc) {
        bool is_word = argv[at][0] != '-' && (found == 0 || (found == 1 && is_group(words[0])));

        if (strcmp(argv[at], "--") == 0) {
            break;
        }
        if (is_word) {
            words[found++] = argv[at++];
            continue;
        }
        argv[kept++] = argv[at];
        if (strcmp(argv[at++], "--home") == 0 && at < *argc) {
            argv[kept++] = argv[at++];
        }
    }
    while (at < *argc) {
        argv[kept++] = argv[at++];
    }
    *argc = kept;
    return found;
}

/* --- Running it ------------------------------------------------------------ */

static int
run(struct sf_cli *cli, int argc, char **argv)
{
    struct sf_app_error error = {0};
    const struct sf_cli_command *command = cli->command;

    if (sf_args_parse(&cli->args, command->options, command->option_count, argc, argv) != SF_OK) {
        return sf_cli_usage(cli, "%s", cli->args.error);
    }
    if (sf_cli_option(cli, "help") != NULL) {
        help_command(stdout, command);
        return sf_cli_finish(SF_EXIT_DONE);
    }
    if (cli->args.operand_count < command->operands_min) {
        return sf_cli_usage(cli, "`skyferry %s` needs %s operand", command->name,
            cli->args.operand_count == 0 ? "an" : "one more");
    }
    if (cli->args.operand_count > command->operands_max) {
        const char *extra = cli->args.operands[command->operands_max];
        char shown[256];

        (void)sf_text_escape(sf_view(extra, strlen(extra)), cli->utf8, shown, sizeof(shown));
        return sf_cli_usage(cli, "'%s' is one operand too many", shown);
    }
    cli->json = sf_cli_option(cli, "json") != NULL;
    if (cli->json && command->no_json) {
        return sf_cli_usage(
            cli, "`skyferry %s` prints no data that --json could shape", command->name);
    }
    if (sf_home_locate(sf_cli_option(cli, "home"), cli->home_path, &error) != SF_OK) {
        return sf_cli_fail(SF_EXIT_USAGE, "%s", error.text);
    }
    if (sf_crypto_init() != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "the cryptographic library does not start");
    }
    return command->run(cli);
}

/* No command word at all: --help, --version, or a slip. */
static int
run_bare(struct sf_cli *cli, int argc, char **argv)
{
    static const struct sf_arg_option options[] = {
        {"help", 'h', NULL, ""},
        {"version", 'V', NULL, ""},
        {"home", 0, "DIR", ""},
        {"json", 0, NULL, ""},
    };

    if (sf_args_parse(&cli->args, options, 4, argc, argv) != SF_OK) {
        return sf_cli_usage(cli, "%s", cli->args.error);
    }
    if (cli->args.values[1] != NULL) {
        (void)printf("skyferry %s\n", PACKAGE_VERSION);
        return sf_cli_finish(SF_EXIT_DONE);
    }
    if (cli->args.values[0] != NULL) {
        help_all(stdout);
        return sf_cli_finish(SF_EXIT_DONE);
    }
    help_all(stderr);
    return SF_EXIT_USAGE;
}

static int
run_help(int argc, char **argv)
{
    const struct sf_cli_command *command;
    int exit = SF_EXIT_USAGE;

    if (argc == 0) {
        help_all(stdout);
        return sf_cli_finish(SF_EXIT_DONE);
    }
    command = find_command(argv[0], argc > 1 ? argv[1] : "", &exit);
    if (command == NULL) {
        return exit;
    }
    help_command(stdout, command);
    return sf_cli_finish(SF_EXIT_DONE);
}

int
main(int argc, char **argv)
{
    struct sf_cli cli = {0};
    const char *words[2] = {"", ""};
    int exit = SF_EXIT_USAGE;
    int found;

    (void)setlocale(LC_ALL, "");
    cli.utf8 = sf_text_is_utf8();
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc > 0) {
        argc--;
        argv++;
    }
    for (int i = 0; i < argc && argv[i][0] != '-'; i++) {
        if (i == 0 && strcmp(argv[i], "help") == 0) {
            return run_help(argc - 1, argv + 1);
        }
    }
    found = take_words(&argc, argv, words);
    if (found == 0) {
        return run_bare(&cli, argc, argv);
    }
    cli.command = find_command(words[0], words[1], &exit);
    if (cli.command == NULL) {
        return exit;
    }
    return run(&cli, argc, argv);
}
