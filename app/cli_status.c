/*
 * cli_status.c - `skyferry status` and `skyferry cancel`: what is in custody,
 * where it stands, when it will be there.
 */
#include <config.h>

#include "app/cli.h"

#include "app/table.h"
#include "app/text.h"
#include "app/track.h"
#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BAR_COLUMNS = 14,
    RECENT_MS = 86400000, /* finished transfers are listed for a day */
};

#define WATCH_STEP_NS (1000 * SF_MS)

/* --- One row --------------------------------------------------------------- */

/* How far a transfer is: sealed bytes there against sealed bytes in all. */
static void
measure(const json_t *transfer, uint64_t *ret_done, uint64_t *ret_total)
{
    const json_t *recipients = json_object_get(transfer, "recipients");
    const char *state = sf_cli_string(transfer, "state", "");
    uint64_t sealed = sf_track_sealed_bytes(transfer);
    const json_t *recipient;
    uint64_t done = 0;
    size_t i;

    *ret_total = sealed;
    if (strcmp(state, "done") == 0) {
        *ret_done = *ret_total = 1;
    } else if (strcmp(state, "sealing") == 0) {
        *ret_done = sf_cli_number(transfer, "plain_done", 0);
        *ret_total = sf_cli_number(transfer, "plain_bytes", 0);
    } else if (strcmp(sf_cli_string(transfer, "direction", ""), "out") != 0) {
        done = sf_cli_number(transfer, "received_bytes", 0);
        *ret_done = done > sealed ? sealed : done;
    } else {
        json_array_foreach(recipients, i, recipient)
        {
            uint64_t there = sf_cli_number(recipient, "link_bytes", 0);
            const char *at = sf_cli_string(recipient, "state", "");

            if (strcmp(at, "final") == 0 || strcmp(at, "verified") == 0 || there > sealed) {
                there = sealed;
            }
            done += there / json_array_size(recipients);
        }
        *ret_done = done;
    }
}

/* "to sat-7, sat-8" or "from ground". */
static char *
with_whom(const json_t *transfer)
{
    const json_t *recipient;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    size_t i;

    sf_assert(out != NULL);
    if (strcmp(sf_cli_string(transfer, "direction", ""), "out") == 0) {
        (void)fputs("to ", out);
        json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
        {
            (void)fprintf(out, "%s%s", i > 0 ? "," : "", sf_cli_string(recipient, "name", "?"));
        }
    } else {
        (void)fprintf(out, "from %s", sf_cli_string(transfer, "peer", "?"));
    }
    sf_assert(fclose(out) == 0);
    return text;
}

/* What it is called; once the key is gone, what it was delivered as. Fresh memory. */
static char *
name_of(const struct sf_cli *cli, const json_t *transfer)
{
    char *label = sf_cli_name(cli, transfer, "label");

    if (label[0] != '\0') {
        return label;
    }
    free(label);
    return sf_cli_name(cli, transfer, "delivered_as");
}

/* Whether it will not be there within the contact plan of `recipient`. */
static bool
is_beyond_plan(const json_t *recipient)
{
    return json_is_false(json_object_get(json_object_get(recipient, "plan"), "within"));
}

/* How long it takes yet, for `transfer` or one of its recipients. */
static void
left_text(const json_t *object, char out[SF_TEXT_AMOUNT_BYTES])
{
    uint64_t eta_s = sf_cli_number(object, "eta_s", UINT64_MAX);
    bool is_beyond = is_beyond_plan(object);
    const json_t *recipient;
    size_t i;

    json_array_foreach(json_object_get(object, "recipients"), i, recipient)
    {
        is_beyond |= is_beyond_plan(recipient);
    }
    if (eta_s != UINT64_MAX) {
        sf_text_duration(eta_s, out);
    } else {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%s", is_beyond ? "not within the plan" : "-");
    }
}

/* When it will be there by the recipient's contact plan, as a line below its row. */
static void
add_plan_note(struct sf_table *table, const json_t *recipient)
{
    const json_t *plan = json_object_get(recipient, "plan");
    char when[SF_TEXT_AMOUNT_BYTES];
    char note[SF_PROGRESS_LINE_BYTES];

    if (!json_is_object(plan)) {
        return;
    }
    if (is_beyond_plan(recipient)) {
        sf_text_time((struct sf_wall){(int64_t)sf_cli_number(plan, "ends_ms", 0)}, when);
        (void)snprintf(note, sizeof(note), "not within its contact plan, which ends at %s", when);
    } else {
        sf_text_time((struct sf_wall){(int64_t)sf_cli_number(plan, "arrival_ms", 0)}, when);
        (void)snprintf(note, sizeof(note), "there at %s by its contact plan", when);
    }
    sf_table_note(table, note);
}

/* Its deadline, where it cannot be met, or was not. */
static bool
late_text(const json_t *transfer, char out[SF_PROGRESS_LINE_BYTES])
{
    char when[SF_TEXT_AMOUNT_BYTES];
    const char *words = "it will be there too late: the deadline is";

    if (!sf_cli_bool(transfer, "late")) {
        return false;
    }
    if (sf_track_is_ended(transfer)) {
        words = "it was there too late: the deadline was";
    }
    sf_text_time((struct sf_wall){(int64_t)sf_cli_number(transfer, "deadline_ms", 0)}, when);
    (void)snprintf(out, SF_PROGRESS_LINE_BYTES, "%s %s", words, when);
    return true;
}

/* What there is to say, below the row: of the transfer, and of each recipient. */
static void
add_notes(struct sf_table *table, const json_t *transfer)
{
    const char *why = sf_cli_string(transfer, "why", "");
    const json_t *recipient;
    char note[SF_PROGRESS_LINE_BYTES];
    size_t i;

    if (why[0] != '\0') {
        sf_table_note(table, why);
    }
    if (late_text(transfer, note)) {
        sf_table_note(table, note);
    }
    json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
    {
        why = sf_cli_string(recipient, "why", "");
        if (why[0] != '\0') {
            (void)snprintf(
                note, sizeof(note), "%s: %s", sf_cli_string(recipient, "name", "?"), why);
            sf_table_note(table, note);
        }
    }
}

static void
add_row(struct sf_table *table, const struct sf_cli *cli, const json_t *transfer)
{
    uint64_t plain_bytes = sf_cli_number(transfer, "plain_bytes", 0);
    bool is_ended = sf_track_is_ended(transfer);
    bool is_done = strcmp(sf_cli_string(transfer, "state", ""), "done") == 0;
    char bar[SF_PROGRESS_LINE_BYTES];
    char cell[SF_PROGRESS_LINE_BYTES + 16];
    char *text;
    uint64_t done;
    uint64_t total;

    (void)snprintf(cell, sizeof(cell), "%.*s", SF_CLI_ID_SHOWN, sf_cli_string(transfer, "id", "?"));
    sf_table_add(table, cell);
    sf_table_add(table, sf_cli_string(transfer, "state", "?"));
    text = with_whom(transfer);
    sf_table_add(table, text);
    free(text);
    text = name_of(cli, transfer);
    sf_table_add(table, text[0] == '\0' ? "-" : text);
    free(text);
    sf_text_size(plain_bytes, cell);
    sf_table_add(table, plain_bytes == 0 && !is_done ? "-" : cell);
    measure(transfer, &done, &total);
    if (is_ended && !is_done) {
        sf_table_add(table, "-");
    } else {
        sf_progress_bar(done, total, BAR_COLUMNS, cli->utf8, bar);
        (void)snprintf(cell, sizeof(cell), "%s %3u %%", bar, sf_progress_percent(done, total));
        sf_table_add(table, cell);
    }
    left_text(transfer, cell);
    sf_table_add(table, is_ended ? "-" : cell);
    add_notes(table, transfer);
}

/* --- The list -------------------------------------------------------------- */

static bool
is_listed(const json_t *transfer, bool all)
{
    struct timespec now;

    if (all || !sf_track_is_ended(transfer) || clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return true;
    }
    return sf_cli_number(transfer, "ended_ms", 0) + RECENT_MS > (uint64_t)now.tv_sec * 1000;
}

/* A node without room says so to whoever asks anything of it. */
static void
say_full(const json_t *answer)
{
    uint64_t need_bytes = sf_cli_number(answer, "full_need_bytes", 0);
    char size[SF_TEXT_AMOUNT_BYTES];

    if (need_bytes > 0) {
        sf_text_size(need_bytes, size);
        sf_cli_say(
            "This node's disk is full: %llu more bytes (%s) must become free before it takes "
            "anything in; then it goes on by itself.",
            (unsigned long long)need_bytes, size);
    }
}

/* All of the list as text, fresh memory; *ret_rows says how many. */
static char *
list_text(const struct sf_cli *cli, const json_t *answer, unsigned width, size_t *ret_rows)
{
    static const struct sf_table_column columns[] = {
        {"TRANSFER", false, false, false},
        {"STATE", false, false, false},
        {"PEER", false, true, false},
        {"NAME", false, true, false},
        {"SIZE", true, false, false},
        {"PROGRESS", false, false, false},
        {"LEFT", true, false, false},
    };
    bool all = sf_cli_option(cli, "all") != NULL;
    struct sf_table table;
    json_t *transfer;
    char *text;
    size_t i;

    sf_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(answer, "transfers"), i, transfer)
    {
        if (is_listed(transfer, all)) {
            add_row(&table, cli, transfer);
        }
    }
    *ret_rows = sf_table_rows(&table);
    text = sf_table_text(&table, width, width != 0);
    sf_table_fini(&table);
    return text;
}

/* --- One transfer ---------------------------------------------------------- */

static void
print_times(FILE *out, const json_t *transfer)
{
    char text[SF_TEXT_AMOUNT_BYTES];
    uint64_t ended_ms = sf_cli_number(transfer, "ended_ms", 0);
    uint64_t deadline_ms = sf_cli_number(transfer, "deadline_ms", 0);
    uint64_t rate_bps = sf_cli_number(transfer, "rate_bps", 0);
    uint64_t eta_s = sf_cli_number(transfer, "eta_s", UINT64_MAX);

    sf_text_time((struct sf_wall){(int64_t)sf_cli_number(transfer, "created_ms", 0)}, text);
    (void)fprintf(out, "Begun     %s\n", text);
    if (deadline_ms != 0) {
        sf_text_time((struct sf_wall){(int64_t)deadline_ms}, text);
        (void)fprintf(out, "Deadline  %s%s\n", text,
            !sf_cli_bool(transfer, "late") ? ""
            : sf_track_is_ended(transfer)  ? ": it was there too late"
                                           : ": it will be there too late");
    }
    if (ended_ms != 0) {
        sf_text_time((struct sf_wall){(int64_t)ended_ms}, text);
        (void)fprintf(out, "Ended     %s\n", text);
        return;
    }
    if (rate_bps != 0) {
        sf_text_rate(rate_bps, text);
        (void)fprintf(out, "Rate      %s\n", text);
    }
    if (eta_s != UINT64_MAX) {
        sf_text_duration(eta_s, text);
        (void)fprintf(out, "Left      %s\n", text);
    }
}

static void
print_recipients(FILE *out, const struct sf_cli *cli, const json_t *transfer, unsigned width)
{
    static const struct sf_table_column columns[] = {
        {"RECIPIENT", false, true, false},
        {"STATE", false, false, false},
        {"HELD", true, false, false},
        {"PROGRESS", false, false, false},
        {"LEFT", true, false, false},
        {"LINK", true, false, false},
        {"REMARK", false, true, false},
    };
    uint64_t total = sf_track_sealed_bytes(transfer);
    struct sf_table table;
    json_t *recipient;
    char *text;
    size_t i;

    sf_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
    {
        const char *state = sf_cli_string(recipient, "state", "?");
        uint64_t done =
            strcmp(state, "final") == 0 ? total : sf_cli_number(recipient, "link_bytes", 0);
        char bar[SF_PROGRESS_LINE_BYTES];
        char cell[SF_PROGRESS_LINE_BYTES + 16];

        done = done > total ? total : done;
        sf_table_add(&table, sf_cli_string(recipient, "name", "?"));
        sf_table_add(&table, state);
        (void)snprintf(
            cell, sizeof(cell), "%llu", (unsigned long long)sf_cli_number(recipient, "held", 0));
        sf_table_add(&table, cell);
        sf_progress_bar(done, total, BAR_COLUMNS, cli->utf8, bar);
        (void)snprintf(cell, sizeof(cell), "%s %3u %%", bar, sf_progress_percent(done, total));
        sf_table_add(&table, cell);
        left_text(recipient, cell);
        sf_table_add(&table, cell);
        sf_cli_rate(recipient, "link_rate_bps", "link_rate_why", cell, sizeof(cell));
        sf_table_add(&table, cell);
        sf_table_add(&table, sf_cli_string(recipient, "why", ""));
        add_plan_note(&table, recipient);
    }
    text = sf_table_text(&table, width, width != 0);
    (void)fprintf(out, "\n%s", text);
    free(text);
    sf_table_fini(&table);
}

/* What goes over the link, against what was sent; known once everything is sealed. */
static void
print_sealed(FILE *out, const json_t *transfer)
{
    uint64_t plain_bytes = sf_cli_number(transfer, "plain_bytes", 0);
    uint64_t sealed_bytes = sf_cli_number(transfer, "sealed_bytes", 0);
    char size[SF_TEXT_AMOUNT_BYTES];

    if (sealed_bytes > 0 && plain_bytes > 0) {
        sf_text_size(sealed_bytes, size);
        (void)fprintf(out, "Sealed    %s, %.1f %% of the size\n", size,
            100.0 * (double)sealed_bytes / (double)plain_bytes);
    }
}

/* What filler adds on the wire, so that the number of bundles shows less. */
static void
print_filler(FILE *out, const json_t *transfer)
{
    char size[SF_TEXT_AMOUNT_BYTES];
    json_t *recipient;
    uint64_t most = 0;
    size_t i;

    json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
    {
        uint64_t bytes = sf_cli_number(recipient, "pad_bytes", 0);

        most = bytes > most ? bytes : most;
    }
    if (most > 0) {
        sf_text_size(most, size);
        (void)fprintf(out, "Filler    %s follow in idle time, to each recipient\n", size);
    }
}

/* Everything about one transfer, fresh memory. */
static char *
transfer_text(const struct sf_cli *cli, const json_t *transfer, unsigned width)
{
    const json_t *files = json_object_get(transfer, "files");
    bool is_out = strcmp(sf_cli_string(transfer, "direction", ""), "out") == 0;
    const char *why = sf_cli_string(transfer, "why", "");
    char *whom = with_whom(transfer);
    char *label = name_of(cli, transfer);
    char *delivered = sf_cli_name(cli, transfer, "delivered_as");
    char size[SF_TEXT_AMOUNT_BYTES];
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    sf_assert(out != NULL);
    sf_text_size(sf_cli_number(transfer, "plain_bytes", 0), size);
    (void)fprintf(out, "Transfer  %s\n", sf_cli_string(transfer, "id", "?"));
    (void)fprintf(out, "State     %s%s%s\n", sf_cli_string(transfer, "state", "?"),
        why[0] == '\0' ? "" : ": ", why);
    (void)fprintf(out, "Peer      %s\n", whom);
    (void)fprintf(out, "Name      %s\n",
        label[0] != '\0'                         ? label
        : sf_cli_bool(transfer, "key_forgotten") ? "(its key was dropped)"
                                                 : "-");
    (void)fprintf(out, "Size      %s", size);
    if (json_array_size(files) > 1) {
        (void)fprintf(out, " in %zu files", json_array_size(files));
    }
    (void)fputc('\n', out);
    print_sealed(out, transfer);
    print_filler(out, transfer);
    if (sf_cli_bool(transfer, "has_base")) {
        (void)fprintf(out, "Base      only what changed against an earlier version\n");
    } else if (sf_cli_bool(transfer, "is_in_place")) {
        (void)fprintf(out, "Base      none: all of it, for who had lost the earlier version\n");
    }
    if (json_array_size(files) == 1) {
        (void)fprintf(
            out, "SHA-256   %s\n", sf_cli_string(json_array_get(files, 0), "sha256", "-"));
    }
    (void)fprintf(out, "Bundles   %llu of %llu %s\n",
        (unsigned long long)sf_cli_number(transfer, is_out ? "sealed" : "held", 0),
        (unsigned long long)sf_cli_number(transfer, "count", sf_cli_number(transfer, "slots", 0)),
        is_out ? "sealed" : "held");
    print_times(out, transfer);
    if (delivered[0] != '\0') {
        (void)fprintf(out, "Delivered %s/%s/%s/%s\n", cli->home_path, SF_HOME_INBOX,
            sf_cli_string(transfer, "peer", "?"), delivered);
    }
    if (is_out) {
        print_recipients(out, cli, transfer, width);
    }
    sf_assert(fclose(out) == 0);
    free(whom);
    free(label);
    free(delivered);
    return text;
}

/* --- The command ----------------------------------------------------------- */

/* The state at one moment. */
struct picture {
    json_t *data; /* for programs */
    char *text;   /* for people */
    size_t rows;
    bool is_ended; /* of one transfer */
    int exit;      /* of one transfer */
};

/* Ask once. As sf_client_do(); what is in *ret_picture is the caller's to free. */
static int
take_picture(struct sf_cli *cli, struct sf_client *client, unsigned width,
    struct picture *ret_picture, struct sf_client_error *error)
{
    const char *id = cli->args.operand_count > 0 ? cli->args.operands[0] : NULL;
    struct picture picture = {.rows = 1};
    json_t *transfer = NULL;
    int status;

    if (id == NULL) {
        status = sf_client_do(
            client, &(struct sf_client_call){"GET", "/v1/transfers", NULL}, &picture.data, error);
        if (status == SF_OK) {
            picture.text = list_text(cli, picture.data, width, &picture.rows);
        }
    } else {
        status = sf_track_get(client, id, &transfer, error);
        if (status == SF_OK) {
            picture.is_ended = sf_track_is_ended(transfer);
            picture.exit = (int)sf_track_exit(transfer);
            picture.text = transfer_text(cli, transfer, width);
            picture.data = json_pack("{s:o}", "transfer", transfer);
        }
    }
    if (status == SF_OK) {
        *ret_picture = picture;
    }
    return status;
}

/* Put a picture where it belongs; takes what is in it. */
static int
show(struct sf_cli *cli, struct picture *picture, bool in_stream)
{
    int exit = SF_EXIT_DONE;

    if (cli->json) {
        exit = in_stream ? sf_cli_print_json_line(picture->data) : sf_cli_print_json(picture->data);
        picture->data = NULL;
    } else if (picture->rows == 0) {
        sf_cli_say("No transfers%s. Send something:  skyferry send PATH --to NAME",
            sf_cli_option(cli, "all") != NULL ? "" : " in the last day (--all shows older ones)");
    } else {
        (void)fputs(picture->text, stdout);
        exit = sf_cli_finish(SF_EXIT_DONE);
    }
    return exit;
}

/* Again and again until a signal, or until one transfer has ended. */
static int
watch(struct sf_cli *cli, struct sf_client *client, bool is_terminal)
{
    bool until_end = sf_cli_option(cli, "wait") != NULL;
    bool each = sf_cli_option(cli, "watch") != NULL;
    bool draw = is_terminal && !cli->json && each;
    struct sf_screen screen = {.out = stdout};
    struct sf_client_error error;
    struct picture picture = {0};
    bool was_there = false;
    int exit = SF_EXIT_DONE;

    sf_track_catch_signals();
    while (sf_track_signal() == 0 && !picture.is_ended && exit == SF_EXIT_DONE) {
        unsigned width = is_terminal ? sf_screen_columns(stdout) - 1 : 0;

        picture = (struct picture){0};
        if (take_picture(cli, client, width, &picture, &error) != SF_OK) {
            if (!was_there || !error.is_unreachable) {
                return sf_cli_call_failed(cli, &error);
            }
            if (draw) {
                sf_screen_draw(&screen, "The daemon is away; waiting for it ...\n");
            }
        } else if (draw) {
            sf_screen_draw(&screen, picture.rows > 0 ? picture.text : "No transfers.\n");
        } else if (each || picture.is_ended) {
            exit = show(cli, &picture, each);
        }
        was_there = true;
        free(picture.text);
        json_decref(picture.data);
        if (!picture.is_ended) {
            sf_track_sleep(WATCH_STEP_NS);
        }
    }
    if (exit != SF_EXIT_DONE || !until_end) {
        return sf_cli_finish((enum sf_exit)exit);
    }
    return sf_cli_finish(picture.is_ended ? (enum sf_exit)picture.exit : SF_EXIT_NOT_YET);
}

static int
show_once(struct sf_cli *cli, struct sf_client *client, bool is_terminal)
{
    struct picture picture = {0};
    struct sf_client_error error;
    int exit = SF_EXIT_DONE;

    if (take_picture(cli, client, is_terminal ? sf_screen_columns(stdout) : 0, &picture, &error) !=
        SF_OK) {
        return sf_cli_call_failed(cli, &error);
    }
    say_full(picture.data);
    exit = show(cli, &picture, false);
    free(picture.text);
    json_decref(picture.data);
    return exit;
}

static int
run_status(struct sf_cli *cli)
{
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    bool waits = sf_cli_option(cli, "wait") != NULL;
    struct sf_client *client = NULL;
    int exit = SF_EXIT_DONE;

    if (waits && cli->args.operand_count == 0) {
        return sf_cli_usage(cli, "--wait waits for one transfer: name it");
    }
    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (waits || sf_cli_option(cli, "watch") != NULL) {
        exit = watch(cli, client, is_terminal);
    } else {
        exit = show_once(cli, client, is_terminal);
    }
    sf_client_close(client);
    return exit;
}

static const struct sf_arg_option status_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"watch", 'w', NULL, "show it again every second, until Ctrl-C"},
    {"all", 'a', NULL, "list also what ended more than a day ago"},
    {"wait", 0, NULL, "stay until TRANSFER has ended, and exit as it did (0, 1, 4)"},
};

const struct sf_cli_command sf_cli_status = {
    .name = "status",
    .operands = "[TRANSFER] [--watch]",
    .summary = "Show what is in custody, where it stands, when it will be there",
    .more =
        "TRANSFER is the beginning of an id, at least 4 digits. States: sealing (being taken\n"
        "into custody), interrupted (before custody; send again with --resume), custody (safe\n"
        "here, on its way or waiting), receiving, verifying, waiting (refused for now: it says\n"
        "what is missing), done, failed, cancelled.\n",
    .options = status_options,
    .option_count = sizeof(status_options) / sizeof(status_options[0]),
    .operands_max = 1,
    .run = run_status,
};

/* --- cancel ---------------------------------------------------------------- */

static int
run_cancel(struct sf_cli *cli)
{
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;
    int exit = SF_EXIT_DONE;

    if (sf_client_path("/v1/transfers/", cli->args.operands[0], "/cancel", path) != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "that is far too long to be the id of a transfer");
    }
    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (sf_client_do(client, &(struct sf_client_call){"POST", path, NULL}, &answer, &error) !=
        SF_OK) {
        exit = sf_cli_call_failed(cli, &error);
    } else {
        sf_cli_say("Transfer %.8s is cancelled here; the other side is told when it is reached.",
            sf_cli_string(answer, "id", "?"));
        if (cli->json) {
            exit = sf_cli_print_json(json_incref(answer));
        }
    }
    json_decref(answer);
    sf_client_close(client);
    return exit;
}

static const struct sf_arg_option cancel_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_cancel = {
    .name = "cancel",
    .operands = "TRANSFER",
    .summary = "Give up a transfer, here and on the other side",
    .more = "What is in custody here is freed at once; the other side gets a signed message, now\n"
            "or when it is next reached, and frees what it holds. What was delivered stays.\n",
    .options = cancel_options,
    .option_count = SF_CLI_GLOBALS,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_cancel,
};
