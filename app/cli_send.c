/*
 * cli_send.c - `skyferry send`: hand files over, and stay until they are in
 * custody, or with --wait until they have arrived. What they have already may
 * put recipients into transfers of their own (cli_parts.h): one after the other is
 * taken into custody, then all are waited for.
 *
 * The files stay open here until custody is durable: should the daemon go away
 * before, they are handed over again, to the same transfer.
 */
#include <config.h>

#include "app/cli.h"

#include "app/cli_parts.h"
#include "app/submit_client.h"
#include "app/submit_protocol.h"
#include "app/text.h"
#include "app/track.h"
#include "app/units.h"
#include "app/when.h"
#include "app/walk.h"
#include "base/assert.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PRIORITY_DEFAULT = 128,
    PRIORITY_MAX = 255,
};

/* What became of one part. */
struct outcome {
    struct sf_transfer_id id;
    char id_text[SF_TRACK_ID_BYTES];
    bool in_custody;
    int exit;
    json_t *transfer; /* as it was last seen; NULL: it was not taken */
};

struct sending {
    struct sf_cli *cli;
    struct sf_client *client;
    struct sf_walk walk;
    struct sf_parts parts;
    struct outcome outcomes[SF_SUBMIT_RECIPIENTS_MAX]; /* of the parts */
    struct sf_part *part;                              /* which is looked at, and its transfer: */
    struct sf_track track;
    char *to; /* the list that recipients point into */
    const char *recipients[SF_SUBMIT_RECIPIENTS_MAX];
    size_t recipient_count;
    uint8_t priority;
    struct sf_wall deadline; /* when it should be there; 0 = not said */
    bool forget_key;
    bool wait;
    sf_mono wait_until; /* of --wait */
    bool has_id;
    struct sf_transfer_id id;
    char id_text[SF_TRACK_ID_BYTES];
    bool is_terminal;
    bool in_custody;
    sf_mono lost; /* when the daemon was found gone; 0 while it is there */
};

/* --- Options --------------------------------------------------------------- */

/* "a,b" into the recipients. */
static int
read_recipients(struct sending *sending)
{
    struct sf_cli *cli = sending->cli;
    const char *to = sf_cli_option(cli, "to");
    char *rest;

    if (to == NULL) {
        return sf_cli_usage(cli, "to whom? --to NAME, or --to NAME,NAME for several");
    }
    sending->to = strdup(to);
    sf_assert(sending->to != NULL);
    rest = sending->to;
    while (rest != NULL) {
        const char *name = strsep(&rest, ",");

        if (name[0] == '\0') {
            return sf_cli_usage(
                cli, "--to %.200s: a name is empty; expected NAME or NAME,NAME", to);
        }
        for (size_t i = 0; i < sending->recipient_count; i++) {
            if (strcmp(sending->recipients[i], name) == 0) {
                return sf_cli_usage(cli, "--to %.200s: %.100s is named twice", to, name);
            }
        }
        if (sending->recipient_count == SF_SUBMIT_RECIPIENTS_MAX) {
            return sf_cli_usage(
                cli, "--to: one transfer goes to at most %d peers", SF_SUBMIT_RECIPIENTS_MAX);
        }
        sending->recipients[sending->recipient_count++] = name;
    }
    return SF_EXIT_DONE;
}

static int
read_resume(struct sending *sending, const char *text)
{
    size_t bytes = strlen(text);

    if (bytes != 2 * sizeof(sending->id.b) || strspn(text, "0123456789abcdef") != bytes) {
        return sf_cli_usage(sending->cli,
            "--resume %.100s: expected the whole id of a transfer, 32 hex digits, as `skyferry "
            "status --json` shows it",
            text);
    }
    for (size_t i = 0; i < sizeof(sending->id.b); i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

        sending->id.b[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    (void)snprintf(sending->id_text, sizeof(sending->id_text), "%s", text);
    sending->has_id = true;
    return SF_EXIT_DONE;
}

static struct sf_wall
wall_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (struct sf_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

static int
read_options(struct sending *sending)
{
    struct sf_cli *cli = sending->cli;
    const char *priority = sf_cli_option(cli, "priority");
    const char *timeout = sf_cli_option(cli, "timeout");
    const char *resume = sf_cli_option(cli, "resume");
    const char *deadline = sf_cli_option(cli, "deadline");
    uint64_t span_ns = 0;
    int exit = read_recipients(sending);

    if (exit != SF_EXIT_DONE) {
        return exit;
    }
    sending->priority = PRIORITY_DEFAULT;
    if (priority != NULL) {
        char *end;
        unsigned long value = strtoul(priority, &end, 10);

        if (*end != '\0' || priority[0] < '0' || priority[0] > '9' || value > PRIORITY_MAX) {
            return sf_cli_usage(cli, "--priority %.50s: expected 0 (most urgent) to %d (least)",
                priority, PRIORITY_MAX);
        }
        sending->priority = (uint8_t)value;
    }
    if (deadline != NULL && sf_when_parse(deadline, wall_now(), &sending->deadline) != SF_OK) {
        return sf_cli_usage(cli, "--deadline %.50s: expected %s", deadline, SF_WHEN_FORM);
    }
    sending->wait = sf_cli_option(cli, "wait") != NULL;
    sending->forget_key = sf_cli_option(cli, "forget-key") != NULL;
    sending->wait_until = SF_NEVER;
    if (timeout != NULL) {
        if (!sending->wait) {
            return sf_cli_usage(cli, "--timeout is how long --wait waits; give both");
        }
        if (sf_units_duration_parse(timeout, &span_ns) != SF_OK) {
            return sf_cli_usage(
                cli, "--timeout %.50s: expected %s", timeout, SF_UNITS_DURATION_FORM);
        }
        sending->wait_until = sf_mono_add(sf_track_now(), span_ns);
    }
    return resume == NULL ? SF_EXIT_DONE : read_resume(sending, resume);
}

/* --- Before anything is read ----------------------------------------------- */

/* Whether every recipient is a peer that may be sent to; says what is wrong. */
static int
check_recipients(struct sending *sending, const json_t *peers)
{
    const char *names[64];
    size_t count = 0;
    json_t *peer;
    size_t i;

    json_array_foreach(peers, i, peer)
    {
        if (count < sizeof(names) / sizeof(names[0])) {
            names[count++] = sf_cli_string(peer, "name", "");
        }
    }
    for (size_t r = 0; r < sending->recipient_count; r++) {
        const char *nearest;
        char shown[256];
        bool found = false;

        for (size_t n = 0; n < count && !found; n++) {
            found = strcmp(names[n], sending->recipients[r]) == 0;
        }
        if (found) {
            continue;
        }
        nearest = sf_text_nearest(sending->recipients[r], names, count);
        (void)sf_text_escape(sf_view(sending->recipients[r], strlen(sending->recipients[r])),
            sending->cli->utf8, shown, sizeof(shown));
        return sf_cli_fail(SF_EXIT_FAILED,
            "there is no peer '%s'%s%s%s\n"
            "  `skyferry peer list` shows them; `skyferry peer add` adds one",
            shown, nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
            nearest == NULL ? "" : "'?");
    }
    return SF_EXIT_DONE;
}

static int
meet_daemon(struct sending *sending)
{
    struct sf_client_error error;
    json_t *answer = NULL;
    int exit = SF_EXIT_DONE;

    if (sf_client_do(sending->client, &(struct sf_client_call){"GET", "/v1/peers", NULL}, &answer,
            &error) != SF_OK) {
        return sf_cli_call_failed(sending->cli, &error);
    }
    exit = check_recipients(sending, json_object_get(answer, "peers"));
    json_decref(answer);
    return exit;
}

static int
open_files(struct sending *sending)
{
    struct sf_cli *cli = sending->cli;
    struct sf_walk *walk = &sending->walk;
    char size[SF_TEXT_AMOUNT_BYTES];
    char *label;
    int status;

    (void)sf_walk_raise_limit();
    status = sf_walk(
        &(struct sf_walk_config){
            .paths = cli->args.operands,
            .path_count = cli->args.operand_count,
            .label = sf_cli_option(cli, "as"),
            .home = cli->home_path,
            .random = &sf_random_system,
        },
        walk);
    if (status != SF_OK) {
        return sf_cli_fail(
            status == SF_EINVAL || status == SF_EAUTH ? SF_EXIT_REFUSED : SF_EXIT_FAILED, "%s",
            walk->error);
    }
    label = sf_text_escaped(sf_view(walk->label, strlen(walk->label)), cli->utf8);
    sf_text_size(walk->bytes, size);
    if (walk->label_made_up) {
        sf_cli_say("%zu paths will arrive together in a directory '%s' (--as NAME names it).",
            cli->args.operand_count, label);
    }
    if (walk->empty_directories > 0) {
        sf_cli_say("%zu empty %s will not arrive: only files are carried.", walk->empty_directories,
            walk->empty_directories == 1 ? "directory" : "directories");
    }
    if (sending->is_terminal) {
        sf_cli_say("Sending %s: %zu %s, %s", label, walk->file_count,
            walk->file_count == 1 ? "file" : "files", size);
    }
    free(label);
    return SF_EXIT_DONE;
}

/* Into which transfers it falls, against which earlier versions; those are read to their end. */
static int
make_parts(struct sending *sending)
{
    const char *base = sf_cli_option(sending->cli, "base");
    struct sf_parts *parts = &sending->parts;
    const struct sf_parts_config config = {
        .cli = sending->cli,
        .client = sending->client,
        .walk = &sending->walk,
        .base = sending->forget_key ? "none" : base,
        .recipients = sending->recipients,
        .recipient_count = sending->recipient_count,
        .resume = sending->has_id ? &sending->id : NULL,
    };
    int exit;

    if (base != NULL && strcmp(base, "none") != 0 && sending->forget_key) {
        return sf_cli_usage(sending->cli,
            "--base and --forget-key exclude each other: who has lost the base is granted the "
            "whole later, and that takes its key");
    }
    exit = sf_parts_make(&config, parts);
    for (size_t i = 0; i < parts->count && exit == SF_EXIT_DONE; i++) {
        struct sf_bases *bases = &parts->list[i].bases;

        if (sending->is_terminal && bases->count > 0 && !bases->are_copies) {
            sf_cli_say(
                "Reading the base, %zu %s ...", bases->count, bases->count == 1 ? "file" : "files");
        }
        if (!bases->are_copies && sf_bases_hash(bases) != SF_OK) {
            exit = sf_cli_fail(SF_EXIT_FAILED, "--base: %s", bases->error);
        }
    }
    if (exit == SF_EXIT_DONE && sending->has_id && parts->count > 1) {
        exit = sf_cli_usage(sending->cli,
            "--resume goes on with one transfer, and these peers have different bases: name with "
            "--to those that it is for");
    }
    return exit;
}

/* The recipients of the part, for people; the caller frees it. */
static char *
names_of(const struct sf_part *part)
{
    size_t bytes = 1;
    size_t at = 0;
    char *names;

    for (size_t i = 0; i < part->recipient_count; i++) {
        bytes += strlen(part->recipients[i]) + 1;
    }
    names = calloc(bytes, 1);
    sf_assert(names != NULL);
    for (size_t i = 0; i < part->recipient_count; i++) {
        at += (size_t)snprintf(
            names + at, bytes - at, "%s%s", i == 0 ? "" : ",", part->recipients[i]);
    }
    return names;
}

/* --- Handing over ---------------------------------------------------------- */

/* The last words when a signal ends the waiting. */
static int
interrupted(struct sending *sending, const json_t *transfer)
{
    const char *id = sending->id_text;

    sf_screen_keep(&sending->track.screen);
    if (!sending->has_id) {
        return sf_cli_fail(SF_EXIT_FAILED, "stopped; nothing was handed over");
    }
    if (transfer == NULL || strcmp(sf_cli_string(transfer, "state", ""), "sealing") == 0) {
        return sf_cli_fail(SF_EXIT_NOT_YET,
            "you stopped waiting; the daemon goes on taking transfer %.8s into custody\n"
            "  See it:   skyferry status %.8s\n"
            "  Stop it:  skyferry cancel %.8s",
            id, id, id);
    }
    return sf_cli_fail(SF_EXIT_NOT_YET,
        "you stopped waiting; transfer %.8s is in custody and goes on by itself\n"
        "  See it:   skyferry status %.8s\n"
        "  Stop it:  skyferry cancel %.8s",
        id, id, id);
}

/* The daemon is gone: wait a little. Returns false when that has been long enough. */
static bool
await_daemon(struct sending *sending)
{
    sf_mono now = sf_track_now();

    if (sending->lost == 0) {
        sending->lost = now;
        sf_screen_clear(&sending->track.screen);
        sf_cli_say("The daemon went away; waiting up to %d min for it to come back ...",
            (int)(SF_TRACK_RECONNECT_NS / SF_SEC / 60));
    }
    if (now - sending->lost > SF_TRACK_RECONNECT_NS || now > sending->wait_until) {
        return false;
    }
    sf_track_sleep(2 * SF_TRACK_STEP_NS);
    return true;
}

static int
daemon_lost(struct sending *sending)
{
    if (!sending->has_id) {
        return sf_cli_fail(SF_EXIT_FAILED,
            "the daemon did not come back, and nothing was handed over\n"
            "  Start it:  skyferryd --home %s",
            sending->cli->home_path);
    }
    if (sending->in_custody) {
        return sf_cli_fail(SF_EXIT_NOT_YET,
            "the daemon did not come back; transfer %.8s is in custody and goes on once it runs\n"
            "  Start it:  skyferryd --home %s",
            sending->id_text, sending->cli->home_path);
    }
    return sf_cli_fail(SF_EXIT_FAILED,
        "the daemon did not come back before transfer %s was in custody\n"
        "  Start it:   skyferryd --home %s\n"
        "  then go on: skyferry send --resume %s PATH... --to ...",
        sending->id_text, sending->cli->home_path, sending->id_text);
}

/* Pass the descriptors until a daemon has taken them. */
static int
hand_over(struct sending *sending)
{
    struct sf_part *part = sending->part;
    struct sf_client_error error;
    struct sf_submit_client submit = {
        .home_path = sending->cli->home_path,
        .walk = &sending->walk,
        .bases = part->bases.count > 0 ? &part->bases : NULL,
        .recipients = part->recipients,
        .recipient_count = part->recipient_count,
        .priority = sending->priority,
        .deadline_ms = sending->deadline.ms,
        .forget_key = sending->forget_key,
        .resume = sending->has_id ? &sending->id : NULL,
    };
    struct sf_transfer_id id;

    for (;;) {
        if (sf_submit_client_do(&submit, &id, &error) == SF_OK) {
            sending->id = id;
            sending->has_id = true;
            sf_cli_hex(id.b, sizeof(id.b), sending->id_text);
            sending->lost = 0;
            return SF_EXIT_DONE;
        }
        if (sf_track_signal() != 0) {
            return interrupted(sending, NULL);
        }
        if (error.status == SF_ENOENT && part->is_found && submit.bases != NULL &&
            submit.resume == NULL) {
            /* The daemon has forgotten meanwhile that they got it: nobody asked for a base. */
            submit.bases = NULL;
            sf_bases_fini(&part->bases);
            continue;
        }
        if (!error.is_unreachable) {
            return sf_cli_fail(
                error.status == SF_ESTATE ? SF_EXIT_REFUSED : sf_cli_exit_of(error.status), "%s",
                error.text);
        }
        if (error.system_error == EACCES) {
            return sf_cli_call_failed(sending->cli, &error);
        }
        if (!await_daemon(sending)) {
            return daemon_lost(sending);
        }
    }
}

/* --- Until custody --------------------------------------------------------- */

/* What one look at the transfer asks for next. */
enum look { LOOK_AGAIN, LOOK_HAND_OVER, LOOK_ENOUGH };

static enum look
look(struct sending *sending, bool until_end, json_t **transfer, int *ret_exit)
{
    struct sf_client_error error;
    json_t *now = NULL;
    const char *state;

    if (sf_track_get(sending->client, sending->id_text, &now, &error) != SF_OK) {
        if (error.is_unreachable && error.system_error != EACCES) {
            if (await_daemon(sending)) {
                return LOOK_AGAIN;
            }
            *ret_exit = daemon_lost(sending);
            return LOOK_ENOUGH;
        }
        if (error.status == SF_ENOENT && !until_end) {
            /* It was gone before anything of it was durable: from the start. */
            sending->has_id = false;
            return LOOK_HAND_OVER;
        }
        *ret_exit = sf_cli_call_failed(sending->cli, &error);
        return LOOK_ENOUGH;
    }
    if (sending->lost != 0) {
        sf_cli_say("The daemon is back.");
        sending->lost = 0;
    }
    json_decref(*transfer);
    *transfer = now;
    state = sf_cli_string(now, "state", "");
    if (sending->is_terminal) {
        sf_track_draw(&sending->track, sending->cli, now, sending->wait, sf_track_now());
    }
    if (strcmp(state, "interrupted") == 0) {
        return LOOK_HAND_OVER;
    }
    if (sf_track_is_ended(now) || (!until_end && strcmp(state, "sealing") != 0)) {
        *ret_exit = (int)sf_track_exit(now);
        return LOOK_ENOUGH;
    }
    sf_track_wait(&sending->track, sending->client);
    return LOOK_AGAIN;
}

/*
 * Follow the transfer until it is in custody or, with `until_end`, has ended.
 * SF_EXIT_NOT_YET with *transfer set when custody is what was reached.
 */
static int
follow(struct sending *sending, bool until_end, json_t **transfer)
{
    int exit = SF_EXIT_FAILED;

    for (;;) {
        switch (look(sending, until_end, transfer, &exit)) {
        case LOOK_ENOUGH:
            return exit;
        case LOOK_HAND_OVER:
            if (until_end) {
                return sf_cli_fail(SF_EXIT_FAILED,
                    "transfer %s fell back behind custody; the daemon's log says why",
                    sending->id_text);
            }
            sf_cli_say("Going on where it was interrupted.");
            exit = hand_over(sending);
            if (exit != SF_EXIT_DONE) {
                return exit;
            }
            break;
        case LOOK_AGAIN:
            break;
        }
        if (sf_track_signal() != 0) {
            return interrupted(sending, *transfer);
        }
        if (sf_track_now() > sending->wait_until) {
            sf_screen_keep(&sending->track.screen);
            return sf_cli_fail(SF_EXIT_NOT_YET,
                "not delivered in the time that --timeout gave; transfer %.8s goes on by itself\n"
                "  See it:  skyferry status %.8s",
                sending->id_text, sending->id_text);
        }
    }
}

/* --- The end --------------------------------------------------------------- */

static int
print_results(const struct sending *sending, int exit)
{
    const struct outcome *outcomes = sending->outcomes;
    json_t *list = json_array();
    int printed = SF_EXIT_DONE;

    for (size_t i = 0; i < sending->parts.count; i++) {
        if (outcomes[i].transfer != NULL) {
            sf_assert(json_array_append(list, outcomes[i].transfer) == 0);
        }
    }
    if (json_array_size(list) > 0 && sending->cli->json) {
        /* What is asked of one is answered with one. */
        printed = sf_cli_print_json(sending->parts.count == 1
                                        ? json_pack("{s:O}", "transfer", json_array_get(list, 0))
                                        : json_pack("{s:O}", "transfers", list));
    } else if (json_array_size(list) > 0) {
        for (size_t i = 0; i < sending->parts.count; i++) {
            if (outcomes[i].transfer != NULL) {
                (void)printf("%s\n", outcomes[i].id_text);
            }
        }
        printed = sf_cli_finish(SF_EXIT_DONE);
    }
    json_decref(list);
    return printed == SF_EXIT_DONE ? exit : printed;
}

static void
say_custody(struct sending *sending)
{
    struct sf_cli *cli = sending->cli;
    const struct sf_walk *walk = &sending->walk;
    char *label = sf_text_escaped(sf_view(walk->label, strlen(walk->label)), cli->utf8);
    char *names = names_of(sending->part);
    char size[SF_TEXT_AMOUNT_BYTES];

    sf_text_size(walk->bytes, size);
    sf_cli_say("In custody: %s, %s%s, for %s. `skyferry status %.8s` shows how far it is.", label,
        size, sending->part->bases.count > 0 ? ", as what changed" : "", names, sending->id_text);
    free(names);
    free(label);
}

/* In custody, and yet not in time: said at once, while something else can still be done. */
static int
say_late(const struct sending *sending)
{
    char when[SF_TEXT_AMOUNT_BYTES];

    sf_text_time(sending->deadline, when);
    sf_cli_say(
        "By what is known now it will be there after its deadline, which is %s.\n"
        "  It is sent nevertheless; `skyferry status %.8s` shows when it will be there, and\n"
        "  `skyferry cancel %.8s` takes it back.",
        when, sending->id_text, sending->id_text);
    return SF_EXIT_TOO_LATE;
}

/* One part into custody; SF_EXIT_DONE when it is, else *outcome is its end. */
static int
take_into_custody(struct sending *sending, struct outcome *outcome)
{
    int exit = hand_over(sending);

    if (exit == SF_EXIT_DONE) {
        exit = follow(sending, false, &outcome->transfer);
    }
    outcome->id = sending->id;
    memcpy(outcome->id_text, sending->id_text, sizeof(outcome->id_text));
    if (outcome->transfer != NULL && exit == SF_EXIT_NOT_YET && sf_track_signal() == 0 &&
        sf_track_now() <= sending->wait_until) {
        sf_screen_clear(&sending->track.screen);
        say_custody(sending);
        outcome->in_custody = true;
        exit = SF_EXIT_DONE;
    }
    return exit;
}

/* What is said from now on is of that part. */
static void
look_at(struct sending *sending, size_t number)
{
    const struct outcome *outcome = &sending->outcomes[number];
    FILE *out = sending->track.screen.out;

    sending->part = &sending->parts.list[number];
    sending->track = (struct sf_track){.screen.out = out};
    sending->in_custody = outcome->in_custody;
    sending->lost = 0;
    if (outcome->transfer != NULL) {
        sending->id = outcome->id;
        memcpy(sending->id_text, outcome->id_text, sizeof(sending->id_text));
    }
}

/* Every part that is in custody: to its end, if that is wanted. */
static void
see_to_the_end(struct sending *sending, size_t number)
{
    struct outcome *outcome = &sending->outcomes[number];

    look_at(sending, number);
    if (outcome->in_custody && sending->wait) {
        outcome->exit = follow(sending, true, &outcome->transfer);
    } else if (outcome->in_custody && sf_cli_bool(outcome->transfer, "late")) {
        outcome->exit = say_late(sending);
    }
    if (outcome->transfer != NULL && sf_track_is_ended(outcome->transfer)) {
        sf_screen_clear(&sending->track.screen);
        sf_track_say_end(sending->cli, outcome->transfer);
    }
}

static int
send_files(struct sending *sending)
{
    size_t count = sending->parts.count;
    int exit = SF_EXIT_DONE;

    for (size_t i = 0; i < count && exit == SF_EXIT_DONE; i++) {
        sending->has_id = sending->has_id && i == 0; /* of --resume */
        look_at(sending, i);
        exit = take_into_custody(sending, &sending->outcomes[i]);
        sending->outcomes[i].exit = exit;
    }
    sf_walk_fini(&sending->walk);
    for (size_t i = 0; i < count; i++) {
        sf_bases_fini(&sending->parts.list[i].bases);
    }
    sending->has_id = true;
    exit = SF_EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        see_to_the_end(sending, i);
        exit = exit == SF_EXIT_DONE ? sending->outcomes[i].exit : exit;
    }
    exit = print_results(sending, exit);
    for (size_t i = 0; i < count; i++) {
        json_decref(sending->outcomes[i].transfer);
    }
    return exit;
}

static int
run_send(struct sf_cli *cli)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    int exit;

    sf_assert(sending != NULL);
    sending->cli = cli;
    sending->is_terminal = isatty(STDERR_FILENO) == 1;
    sending->track.screen.out = stderr;
    exit = read_options(sending);
    if (exit == SF_EXIT_DONE && sf_cli_client(cli, &sending->client, &exit)) {
        exit = meet_daemon(sending);
    }
    if (exit == SF_EXIT_DONE) {
        exit = open_files(sending);
    }
    if (exit == SF_EXIT_DONE) {
        exit = make_parts(sending);
    }
    if (exit == SF_EXIT_DONE) {
        sf_track_catch_signals();
        exit = send_files(sending);
    }
    sf_walk_fini(&sending->walk);
    sf_parts_fini(&sending->parts);
    sf_client_close(sending->client);
    free(sending->to);
    free(sending);
    return exit;
}

static const struct sf_arg_option send_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"to", 't', "NAME[,NAME...]", "the peers it goes to"},
    {"as", 0, "NAME", "the name it arrives under (default: that of PATH)"},
    {"base", 'b', "OLD|TRANSFER|none",
        "send what changed against that, which every recipient got; by\n"
        "default against what was kept of the last of that name; none: whole"},
    {"priority", 'p', "N", "0 (most urgent) to 255 (least); default 128"},
    {"deadline", 0, "TIME",
        "it should be there by then: +6h, or 2026-12-24T18:00Z; of one\npriority the earliest "
        "deadline goes first"},
    {"wait", 'w', NULL, "stay until every recipient has signed for the whole"},
    {"timeout", 0, "SPAN", "with --wait: stay at most this long, e.g. 4h"},
    {"forget-key", 0, NULL,
        "drop the content key once every recipient has opened its grant:\n"
        "the copy in custody is then opaque even here"},
    {"resume", 0, "TRANSFER", "go on with a transfer that was interrupted before custody"},
};

const struct sf_cli_command sf_cli_send = {
    .name = "send",
    .operands = "PATH... --to NAME[,NAME...] [--priority N] [--deadline TIME] [--wait]",
    .summary = "Take files into custody and send them",
    .more =
        "Returns when the files are in custody: from then on they arrive whole, or you are\n"
        "told why, whatever happens to power and network. With --wait it returns 0 only when\n"
        "every recipient has signed for the whole. Prints the transfer's id. With --deadline it\n"
        "returns 6 if they are in custody and, by the contact plan, will not be there in time.\n"
        "\n"
        "A directory arrives as that directory. Several PATHs arrive in one directory, called\n"
        "skyferry-XXXXXXXX unless --as names it. Symbolic links, devices, sockets and pipes are\n"
        "refused. Names that begin with a dash go behind --.\n"
        "\n"
        "Of a file that was sent before under the same name only what changed goes over the link,\n"
        "if a copy of it was kept (`keep` in skyferry.conf) and the recipient has signed for it.\n"
        "Recipients that have different versions get transfers of their own. --base OLD says what\n"
        "it is sent against: a file, or the files of its names in a directory, or those of an\n"
        "earlier transfer. Whoever has lost or changed it since gets the whole, by itself.\n"
        "\n"
        "    skyferry send model.safetensors --to sat-7\n"
        "    skyferry send model-2.safetensors --base model.safetensors --to sat-7\n"
        "    skyferry send checkpoint-12000/ --to sat-7,sat-8 --wait --timeout 4h\n"
        "    skyferry send --to sat-7 -- -odd-name.bin\n",
    .options = send_options,
    .option_count = sizeof(send_options) / sizeof(send_options[0]),
    .operands_min = 1,
    .operands_max = SF_WALK_FILES_MAX,
    .run = run_send,
};
