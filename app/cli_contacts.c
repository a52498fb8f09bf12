/*
 * cli_contacts.c - `skyferry contacts`: when peers can be reached, what past
 * contacts carried, and giving a peer its contact plan.
 */
#include <config.h>

#include "app/cli_peer.h"

#include "app/peers.h"
#include "app/plan.h"
#include "app/progress.h"
#include "app/table.h"
#include "app/text.h"
#include "app/when.h"
#include "base/assert.h"
#include "link/contact_hdtn.h"
#include "link/contact_ion.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- Showing --------------------------------------------------------------------- */

static const char *
text_of_ms(const json_t *object, const char *name, char out[SF_TEXT_AMOUNT_BYTES])
{
    sf_text_time((struct sf_wall){(int64_t)sf_cli_number(object, name, 0)}, out);
    return out;
}

static void
add_amount(struct sf_table *table, const json_t *contact, const char *name)
{
    char cell[SF_TEXT_AMOUNT_BYTES];

    sf_text_size(sf_cli_number(contact, name, 0), cell);
    sf_table_add(table, json_object_get(contact, name) == NULL ? "-" : cell);
}

static void
add_contact(struct sf_table *table, const json_t *contact)
{
    uint64_t start_ms = sf_cli_number(contact, "start_ms", 0);
    uint64_t end_ms = sf_cli_number(contact, "end_ms", 0);
    uint64_t bundles =
        sf_cli_number(contact, "bundles_out", 0) + sf_cli_number(contact, "bundles_in", 0);
    bool is_next = strcmp(sf_cli_string(contact, "state", ""), "next") == 0;
    char cell[SF_TEXT_AMOUNT_BYTES + 16];

    sf_table_add(table, text_of_ms(contact, "start_ms", cell));
    sf_text_duration((end_ms - start_ms) / 1000, cell);
    sf_table_add(table, cell);
    sf_text_rate(sf_cli_number(contact, "rate_bps", 0), cell);
    sf_table_add(table, cell);
    sf_table_add(table, sf_cli_string(contact, "state", "?"));
    add_amount(table, contact, "bytes_out");
    add_amount(table, contact, "bytes_in");
    (void)snprintf(cell, sizeof(cell), "%llu", (unsigned long long)bundles);
    sf_table_add(table, is_next ? "-" : cell);
    if (is_next) {
        sf_table_add(table, "-");
    } else {
        uint64_t heard_ms = sf_cli_number(contact, "heard_ms", 0);

        (void)snprintf(cell, sizeof(cell), "after %.1f s",
            (double)(heard_ms > start_ms ? heard_ms - start_ms : 0) / 1000);
        sf_table_add(table, heard_ms == 0 ? "never" : cell);
    }
    sf_table_add(table, sf_cli_string(contact, "address", ""));
}

/* The first contact in `state`, or NULL. */
static const json_t *
first_of(const json_t *peer, const char *state)
{
    const json_t *contact;
    size_t i;

    json_array_foreach(json_object_get(peer, "contacts"), i, contact)
    {
        if (strcmp(sf_cli_string(contact, "state", ""), state) == 0) {
            return contact;
        }
    }
    return NULL;
}

/* "sat-7: in contact for another 3 min" and the like. */
static void
print_head(const json_t *peer, uint64_t now_ms)
{
    const char *name = sf_cli_string(peer, "name", "?");
    const char *state = sf_cli_string(peer, "state", "none");
    uint64_t to_come = sf_cli_number(peer, "to_come", 0);
    const json_t *contact;
    char span[SF_TEXT_AMOUNT_BYTES];
    char when[SF_TEXT_AMOUNT_BYTES];

    if (strcmp(state, "none") == 0) {
        printf("%s: no contact plan: always, or when it calls\n", name);
    } else if (strcmp(state, "ended") == 0) {
        printf("%s: the contact plan has ended: sent to when it calls\n", name);
    } else if (strcmp(state, "open") == 0 && (contact = first_of(peer, "open")) != NULL) {
        uint64_t end_ms = sf_cli_number(contact, "end_ms", now_ms);

        sf_text_duration(end_ms > now_ms ? (end_ms - now_ms) / 1000 : 0, span);
        printf("%s: in contact for another %s, %llu to come\n", name, span,
            (unsigned long long)to_come);
    } else if ((contact = first_of(peer, "next")) != NULL) {
        uint64_t start_ms = sf_cli_number(contact, "start_ms", now_ms);

        sf_text_duration(start_ms > now_ms ? (start_ms - now_ms) / 1000 : 0, span);
        printf("%s: next contact in %s, at %s, the first of %llu\n", name, span,
            text_of_ms(contact, "start_ms", when), (unsigned long long)to_come);
    } else {
        printf("%s: a contact begins or ends just now\n", name);
    }
}

static void
print_peer(const json_t *peer, uint64_t now_ms, bool is_terminal)
{
    static const struct sf_table_column columns[] = {
        {"START", false, false, false},
        {"LENGTH", true, false, false},
        {"RATE", true, false, false},
        {"", false, false, false},
        {"OUT", true, false, false},
        {"IN", true, false, false},
        {"BUNDLES", true, false, true},
        {"HEARD", true, false, true},
        {"VIA", false, true, true},
    };
    const json_t *contact;
    struct sf_table table;
    char *text;
    size_t i;

    print_head(peer, now_ms);
    sf_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach(json_object_get(peer, "contacts"), i, contact)
    {
        add_contact(&table, contact);
    }
    if (sf_table_rows(&table) > 0) {
        text = sf_table_text(&table, is_terminal ? sf_screen_columns(stdout) : 0, is_terminal);
        (void)fputs(text, stdout);
        free(text);
    }
    sf_table_fini(&table);
}

static int
show(struct sf_cli *cli, const char *name)
{
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    char path[SF_CLIENT_PATH_BYTES_MAX + 1] = "/v1/contacts";
    struct sf_client_error error;
    struct sf_client *client = NULL;
    const json_t *peer;
    json_t *answer = NULL;
    int exit = SF_EXIT_DONE;
    size_t i;

    if (name != NULL && sf_client_path("/v1/peers/", name, "/contacts", path) != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "that is far too long to be the name of a peer");
    }
    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (sf_client_do(client, &(struct sf_client_call){"GET", path, NULL}, &answer, &error) !=
        SF_OK) {
        exit = sf_cli_call_failed(cli, &error);
        sf_client_close(client);
        return exit;
    }
    sf_client_close(client);
    if (cli->json) {
        return sf_cli_print_json(answer);
    }
    if (json_array_size(json_object_get(answer, "peers")) == 0) {
        sf_cli_say("No peers yet. Add one:  skyferry peer add NAME --card FILE");
    }
    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        if (i > 0) {
            (void)fputc('\n', stdout);
        }
        print_peer(peer, sf_cli_number(answer, "now_ms", 0), is_terminal);
    }
    json_decref(answer);
    return sf_cli_finish(SF_EXIT_DONE);
}

/* --- A plan from its options -------------------------------------------------------- */

/* The content of FILE or, for "-", of standard input, in fresh memory. */
static uint8_t *
read_whole(const char *path, size_t *ret_bytes, int *ret_exit)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    uint8_t *text = malloc(SF_PLAN_FILE_BYTES_MAX);

    sf_assert(text != NULL);
    if (file == NULL) {
        *ret_exit = sf_cli_fail(SF_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    } else {
        *ret_bytes = fread(text, 1, SF_PLAN_FILE_BYTES_MAX, file);
        if (ferror(file) != 0 || *ret_bytes == SF_PLAN_FILE_BYTES_MAX) {
            *ret_exit = sf_cli_fail(SF_EXIT_FAILED, "cannot read %s: %s", path,
                ferror(file) != 0 ? strerror(errno) : "a plan has at most 8 MiB");
        }
    }
    if (file != NULL && !is_stdin) {
        (void)fclose(file);
    }
    if (*ret_exit != SF_EXIT_DONE) {
        free(text);
        return NULL;
    }
    return text;
}

static bool
is_json(const uint8_t *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n')) {
        at++;
    }
    return at < bytes && text[at] == '{';
}

/* Mistakes in the plan itself are told by the lines of the file that was given. */
static int
check_plan(const char *file, struct sf_view text, bool is_hdtn, int64_t reference_s)
{
    const struct sf_wall reference = {reference_s * 1000};
    const struct sf_contact_ion ion = {.name = file, .reference = reference};
    const struct sf_contact_hdtn hdtn = {.name = file, .reference = reference};
    struct sf_contact_error why = {0};
    struct sf_contact_plan plan;
    int status;

    sf_contact_plan_init(&plan);
    status = is_hdtn ? sf_contact_hdtn_decode(&hdtn, text, &plan, &why)
                     : sf_contact_ion_decode(&ion, text, &plan, &why);
    sf_contact_plan_fini(&plan);
    return status == SF_OK ? SF_EXIT_DONE : sf_cli_fail(SF_EXIT_FAILED, "%s", why.text);
}

/* The file's head. Values that could break out of their line are refused before. */
static int
print_file(struct sf_cli *cli, FILE *out, struct sf_view plan, bool is_hdtn, int64_t reference_s)
{
    const char *from = sf_cli_option(cli, "from");
    const char *to = sf_cli_option(cli, "to");
    const char *gateways = sf_cli_option(cli, "gateway");

    if (strpbrk(from, "\r\n") != NULL || strpbrk(to, "\r\n") != NULL) {
        return sf_cli_usage(cli, "--from and --to: expected " SF_PLAN_NODE_FORM);
    }
    (void)fprintf(out,
        "# Contact plan of peer %s; see skyferry.conf(5). `skyferry contacts set` wrote it.\n"
        "from = %s\n"
        "to = %s\n",
        cli->args.operands[1], from, to);
    for (const char *at = gateways; at != NULL && *at != '\0';) {
        size_t bytes = strcspn(at, ",");
        struct sf_plan_gateway gateway;
        char one[SF_CONTACT_NAME_BYTES + SF_ENDPOINT_BYTES_MAX + 2];

        (void)snprintf(one, sizeof(one), "%.*s", (int)bytes, at);
        if (bytes >= sizeof(one) || sf_plan_gateway_parse(one, &gateway) != SF_OK) {
            return sf_cli_usage(
                cli, "--gateway %.*s: expected " SF_PLAN_GATEWAY_FORM, (int)bytes, at);
        }
        (void)fprintf(out, "gateway = %s\n", one);
        at += bytes + (at[bytes] == ',' ? 1 : 0);
    }
    (void)fprintf(out, "format = %s\nreference = %lld\n---\n", is_hdtn ? "hdtn" : "ion",
        (long long)reference_s);
    (void)fwrite(plan.data, 1, plan.bytes, out);
    return SF_EXIT_DONE;
}

/* A plan of which nothing is to come is most likely counted from another time. */
static int
check_file(const char *name, struct sf_view text)
{
    struct sf_app_error error = {0};
    struct sf_plan plan;
    char path[SF_PLAN_PATH_BYTES];
    char when[SF_TEXT_AMOUNT_BYTES];
    struct sf_wall end;

    sf_plan_path(name, path);
    if (sf_plan_parse(path, text, &plan, &error) != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "%s", error.text);
    }
    end = plan.legs[plan.leg_count - 1].end;
    sf_plan_fini(&plan);
    if (end.ms / 1000 <= (int64_t)time(NULL)) {
        sf_text_time(end, when);
        return sf_cli_fail(SF_EXIT_FAILED,
            "all contacts of this plan are over, the last since %s\n"
            "  If its times count from another moment, say which:  --reference "
            "2026-11-23T06:30:00Z",
            when);
    }
    return SF_EXIT_DONE;
}

/* The text of the plan file that the options ask for, in fresh memory; or it has said why not. */
static char *
compose(struct sf_cli *cli, size_t *ret_bytes, int *ret_exit)
{
    const char *file = sf_cli_option(cli, "plan");
    const char *given = sf_cli_option(cli, "reference");
    int64_t reference_s = (int64_t)time(NULL);
    struct sf_wall reference = {0};
    size_t bytes = 0;
    uint8_t *plan;
    char *text = NULL;
    FILE *out;
    bool is_hdtn;

    if (file == NULL || sf_cli_option(cli, "from") == NULL || sf_cli_option(cli, "to") == NULL) {
        *ret_exit = sf_cli_usage(cli,
            "`contacts set` needs --plan FILE, and --from and --to: which nodes of the plan this "
            "node and the peer are");
        return NULL;
    }
    if (given != NULL &&
        sf_when_parse(given, (struct sf_wall){reference_s * 1000}, &reference) != SF_OK) {
        *ret_exit = sf_cli_usage(
            cli, "--reference %s: expected %s, or seconds since 1970", given, SF_WHEN_FORM);
        return NULL;
    }
    if (given != NULL) {
        reference_s = reference.ms / 1000;
    }
    plan = read_whole(file, &bytes, ret_exit);
    if (plan == NULL) {
        return NULL;
    }
    is_hdtn = is_json(plan, bytes);
    if (is_hdtn && given == NULL) {
        reference_s = 0; /* HDTN plans for real clocks count from there */
    }
    *ret_exit = check_plan(file, sf_view(plan, bytes), is_hdtn, reference_s);
    if (*ret_exit == SF_EXIT_DONE) {
        out = open_memstream(&text, ret_bytes);
        sf_assert(out != NULL);
        *ret_exit = print_file(cli, out, sf_view(plan, bytes), is_hdtn, reference_s);
        sf_assert(fclose(out) == 0);
    }
    free(plan);
    if (*ret_exit == SF_EXIT_DONE) {
        *ret_exit = check_file(cli->args.operands[1], sf_view(text, *ret_bytes));
    }
    if (*ret_exit != SF_EXIT_DONE) {
        free(text);
        return NULL;
    }
    return text;
}

/* --- Setting and clearing --------------------------------------------------------------- */

/* `text`, or NULL to clear, by the daemon. SF_EXIT_DONE and *ret_reached; not reached is no failure. */
static int
change_online(
    struct sf_cli *cli, const char *name, const char *text, size_t bytes, bool *ret_reached)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    json_t *answer = NULL;
    json_t *body = text == NULL ? NULL : json_pack("{s:s%}", "text", text, bytes);
    int exit = SF_EXIT_DONE;

    *ret_reached = true;
    if (text != NULL && body == NULL) {
        return sf_cli_fail(SF_EXIT_FAILED, "the plan is not UTF-8 text");
    }
    if (!sf_cli_client(cli, &client, &exit)) {
        json_decref(body);
        return exit;
    }
    sf_assert(sf_client_path("/v1/peers/", name, "/contacts", path) == SF_OK);
    if (sf_client_do(client, &(struct sf_client_call){text == NULL ? "DELETE" : "PUT", path, body},
            &answer, &error) != SF_OK) {
        *ret_reached = !error.is_unreachable || error.system_error == EACCES;
        exit = *ret_reached ? sf_cli_call_failed(cli, &error) : SF_EXIT_DONE;
    }
    if (exit == SF_EXIT_DONE && *ret_reached && text != NULL) {
        print_head(json_array_get(json_object_get(answer, "peers"), 0),
            sf_cli_number(answer, "now_ms", 0));
    }
    json_decref(answer);
    json_decref(body);
    sf_client_close(client);
    return exit;
}

static int
change_offline(struct sf_cli *cli, const char *name, const char *text, size_t bytes)
{
    struct sf_app_error error = {0};
    struct sf_peers_peer *peer = calloc(1, sizeof(*peer));
    struct sf_home home;
    int exit = SF_EXIT_DONE;
    int status;

    sf_assert(peer != NULL);
    if (!sf_cli_peer_lock(cli, &home, &exit)) {
        free(peer);
        return exit;
    }
    status = sf_peers_read(&home, name, peer, &error);
    if (status == SF_OK) {
        status = text == NULL ? sf_plan_remove(&home, name, &error)
                              : sf_plan_write(&home, name, sf_view(text, bytes), &error);
        status = text == NULL && status == SF_ENOENT ? SF_OK : status;
    }
    if (status != SF_OK) {
        exit = sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
    } else {
        sf_cli_say("Written; skyferryd will follow it when it starts.");
    }
    sf_home_close(&home);
    sf_wipe(peer, sizeof(*peer));
    free(peer);
    return exit;
}

static int
change(struct sf_cli *cli, bool is_set)
{
    const char *name = cli->args.operands[1];
    bool reached = false;
    size_t bytes = 0;
    char *text = NULL;
    int exit = SF_EXIT_DONE;

    if (!sf_peers_name_is_valid(name)) {
        return sf_cli_usage(cli, "'%.100s' cannot be a peer", name);
    }
    if (is_set && (text = compose(cli, &bytes, &exit)) == NULL) {
        return exit;
    }
    exit = change_online(cli, name, text, bytes, &reached);
    if (exit == SF_EXIT_DONE && !reached) {
        exit = change_offline(cli, name, text, bytes);
    }
    free(text);
    return sf_cli_finish((enum sf_exit)exit);
}

static int
run_contacts(struct sf_cli *cli)
{
    const char *first = cli->args.operand_count > 0 ? cli->args.operands[0] : NULL;
    bool has_plan = sf_cli_option(cli, "plan") != NULL || sf_cli_option(cli, "from") != NULL ||
                    sf_cli_option(cli, "to") != NULL || sf_cli_option(cli, "gateway") != NULL ||
                    sf_cli_option(cli, "reference") != NULL;
    bool has_two = first != NULL && cli->args.operand_count == 2;
    bool is_set = has_two && strcmp(first, "set") == 0;

    if (has_plan && !is_set) {
        return sf_cli_usage(cli, "--plan and what goes with it belong to `contacts set NAME`");
    }
    if (is_set || (has_two && strcmp(first, "clear") == 0)) {
        if (cli->json) {
            return sf_cli_usage(cli, "`contacts %s` prints no data that --json could shape", first);
        }
        return change(cli, is_set);
    }
    if (cli->args.operand_count == 2) {
        return sf_cli_usage(cli, "'%.100s': expected set or clear, and a peer", first);
    }
    return show(cli, first);
}

static const struct sf_arg_option contacts_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"plan", 0, "FILE|-", "set: the contact plan, as ION or (JSON) HDTN read it"},
    {"from", 0, "NODE[,NODE]", "set: which nodes of the plan this node is"},
    {"to", 0, "NODE[,NODE]", "set: which nodes of the plan the peer is"},
    {"gateway", 0, "NODE=HOST:PORT[,...]",
        "set: where the peer is reached by the contacts of that\nnode; else at its endpoint"},
    {"reference", 0, "TIME",
        "set: what relative times count from, UTC; else now for ION\nand 1970 for HDTN"},
};

const struct sf_cli_command sf_cli_contacts = {
    .name = "contacts",
    .operands = "[NAME] | set NAME --plan FILE --from NODE --to NODE | clear NAME",
    .summary = "Show when peers can be reached and what contacts carried, or set a plan",
    .more =
        "Without a plan a peer is sent to whenever there is something to say. With one, nothing\n"
        "leaves for it but within its contacts, at their rates. Ground stations are nodes of the\n"
        "plan: name all of them, and a gateway for each. Works with and without a running daemon.\n"
        "\n"
        "    skyferry contacts set sat-7 --plan passes.ion --from 1,2 --to 25544 \\\n"
        "        --gateway 1=192.0.2.1:7272,2=192.0.2.9:7272\n"
        "    skyferry contacts sat-7\n",
    .options = contacts_options,
    .option_count = sizeof(contacts_options) / sizeof(contacts_options[0]),
    .operands_max = 2,
    .run = run_contacts,
};
