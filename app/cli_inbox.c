/*
 * cli_inbox.c - `skyferry inbox`: what was delivered here.
 */
#include <config.h>

#include "app/cli.h"

#include "app/progress.h"
#include "app/table.h"
#include "app/text.h"
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
add_entry(struct sf_table *table, const struct sf_cli *cli, const json_t *entry)
{
    char text[SF_TEXT_AMOUNT_BYTES];
    char *path = sf_cli_name(cli, entry, "path");
    uint64_t files = sf_cli_number(entry, "files", 1);
    bool is_gone = json_is_false(json_object_get(entry, "exists"));

    sf_text_time((struct sf_wall){(int64_t)sf_cli_number(entry, "delivered_ms", 0)}, text);
    sf_table_add(table, text);
    sf_table_add(table, sf_cli_string(entry, "peer", "?"));
    sf_text_size(sf_cli_number(entry, "bytes", 0), text);
    sf_table_add(table, text);
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)files);
    sf_table_add(table, text);
    sf_table_add(table, path);
    sf_table_add(table, is_gone ? "taken away since" : sf_cli_string(entry, "sha256", ""));
    free(path);
}

static int
run_inbox(struct sf_cli *cli)
{
    static const struct sf_table_column columns[] = {
        {"DELIVERED", false, false, false},
        {"FROM", false, true, false},
        {"SIZE", true, false, false},
        {"FILES", true, false, false},
        {"PATH", false, true, false},
        {"SHA-256", false, true, false},
    };
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;
    struct sf_table table;
    json_t *entry;
    int exit = SF_EXIT_DONE;
    char *text;
    size_t i;

    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (sf_client_do(client, &(struct sf_client_call){"GET", "/v1/inbox", NULL}, &answer, &error) !=
        SF_OK) {
        exit = sf_cli_call_failed(cli, &error);
        sf_client_close(client);
        return exit;
    }
    sf_client_close(client);
    if (cli->json) {
        sf_assert(json_object_set_new(answer, "home", json_string(cli->home_path)) == 0);
        return sf_cli_print_json(answer);
    }
    sf_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(answer, "entries"), i, entry)
    {
        add_entry(&table, cli, entry);
    }
    if (sf_table_rows(&table) == 0) {
        sf_cli_say("Nothing was delivered yet.");
    } else {
        sf_cli_say("Paths are below %s", cli->home_path);
        text = sf_table_text(&table, is_terminal ? sf_screen_columns(stdout) : 0, is_terminal);
        (void)fputs(text, stdout);
        free(text);
    }
    sf_table_fini(&table);
    json_decref(answer);
    return sf_cli_finish(SF_EXIT_DONE);
}

static const struct sf_arg_option inbox_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_inbox = {
    .name = "inbox",
    .operands = "",
    .summary = "List what was delivered here, and where it lies",
    .more = "Files appear whole or not at all as inbox/PEER/NAME below the node's home.\n",
    .options = inbox_options,
    .option_count = SF_CLI_GLOBALS,
    .run = run_inbox,
};
