#include <config.h>

#include "app/track.h"

#include "app/text.h"
#include "base/assert.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- Time and signals ------------------------------------------------------ */

static volatile sig_atomic_t caught;

static void catch (int number)
{
    caught = number;
}

void
sf_track_catch_signals(void)
{
    /* Without SA_RESTART: whatever waits is to notice. */
    struct sigaction action = {.sa_handler = catch};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
}

int
sf_track_signal(void)
{
    return caught;
}

sf_mono
sf_track_now(void)
{
    struct timespec time;

    sf_assert(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (sf_mono)time.tv_sec * SF_SEC + (sf_mono)time.tv_nsec;
}

void
sf_track_sleep(uint64_t span_ns)
{
    struct timespec time = {
        .tv_sec = (time_t)(span_ns / SF_SEC), .tv_nsec = (long)(span_ns % SF_SEC)};

    if (caught == 0) {
        (void)nanosleep(&time, NULL);
    }
}

/* --- Asking ---------------------------------------------------------------- */

void
sf_track_wait(struct sf_track *track, struct sf_client *client)
{
    struct sf_client_error error;
    struct sf_client_call call = {.method = "GET", .path = "/v1/events"};
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    sf_mono began = sf_track_now();
    bool knew = track->knows_events;
    json_t *answer = NULL;

    if (caught != 0) {
        return;
    }
    if (knew) {
        (void)snprintf(path, sizeof(path), "/v1/events?since=%" PRIu64 "&wait_ms=%u",
            track->event_next, (unsigned)(SF_TRACK_STEP_NS / SF_MS));
        call.path = path;
    }
    if (sf_client_do(client, &call, &answer, &error) != SF_OK) {
        sf_track_sleep(
            SF_TRACK_STEP_NS); /* too many wait there; or it is gone, as a look will tell */
        return;
    }
    track->knows_events = true;
    track->event_next = (uint64_t)json_integer_value(json_object_get(answer, "next"));
    json_decref(answer);
    if (knew && sf_track_now() - began < SF_TRACK_STEP_MIN_NS) {
        sf_track_sleep(SF_TRACK_STEP_MIN_NS);
    }
}

int
sf_track_get(
    struct sf_client *client, const char *id, json_t **ret_transfer, struct sf_client_error *error)
{
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    json_t *answer = NULL;
    json_t *transfer;
    int status;

    if (sf_client_path("/v1/transfers/", id, "", path) != SF_OK) {
        *error = (struct sf_client_error){
            .status = SF_ENOENT, .text = "that is far too long to be the id of a transfer"};
        return SF_ENOENT;
    }
    status = sf_client_do(client, &(struct sf_client_call){"GET", path, NULL}, &answer, error);
    if (status != SF_OK) {
        return status;
    }
    transfer = json_incref(json_object_get(answer, "transfer"));
    json_decref(answer);
    if (!json_is_object(transfer)) {
        json_decref(transfer);
        *error = (struct sf_client_error){
            .status = SF_EFORMAT, .text = "the daemon's answer holds no transfer"};
        return SF_EFORMAT;
    }
    *ret_transfer = transfer;
    return SF_OK;
}

uint64_t
sf_track_sealed_bytes(const json_t *transfer)
{
    uint64_t count = sf_cli_number(transfer, "count", 0);
    uint64_t class_bytes = sf_cli_number(transfer, "class_bytes", 0);

    if (count == 0) {
        count = sf_cli_number(transfer, "slots", 0);
    }
    return class_bytes != 0 && count > UINT64_MAX / class_bytes ? 0 : count * class_bytes;
}

/* --- Judging --------------------------------------------------------------- */

bool
sf_track_is_ended(const json_t *transfer)
{
    const char *state = sf_cli_string(transfer, "state", "");

    return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

static bool
any_recipient(const json_t *transfer, const char *state)
{
    const json_t *recipient;
    size_t i;

    json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
    {
        if (strcmp(sf_cli_string(recipient, "state", ""), state) == 0) {
            return true;
        }
    }
    return false;
}

enum sf_exit
sf_track_exit(const json_t *transfer)
{
    const char *state = sf_cli_string(transfer, "state", "");

    if (any_recipient(transfer, "refused")) {
        return SF_EXIT_REFUSED;
    }
    if (strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0 ||
        any_recipient(transfer, "cancelled") || any_recipient(transfer, "revoked")) {
        return SF_EXIT_FAILED;
    }
    return strcmp(state, "done") == 0 ? SF_EXIT_DONE : SF_EXIT_NOT_YET;
}

/* --- Saying ---------------------------------------------------------------- */

/* The words for a recipient's state; `why` of the peer, escaped by the daemon, may follow. */
static const char *
recipient_words(const char *state)
{
    static const struct {
        const char *state;
        const char *words;
    } names[] = {{"waiting", "not reached yet"}, {"held", "on its way"},
        {"verified", "verified, being delivered"}, {"paused", "paused"}, {"final", "delivered"},
        {"refused", "refused"}, {"cancelled", "cancelled"}, {"revoked", "revoked here"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].state, state) == 0) {
            return names[i].words;
        }
    }
    return state;
}

void
sf_track_say_end(const struct sf_cli *cli, const json_t *transfer)
{
    char *label = sf_cli_name(cli, transfer, "label");
    const char *state = sf_cli_string(transfer, "state", "");
    const char *why = sf_cli_string(transfer, "why", "");
    const json_t *recipient;
    char took[SF_TEXT_AMOUNT_BYTES];
    uint64_t created_ms = sf_cli_number(transfer, "created_ms", 0);
    uint64_t ended_ms = sf_cli_number(transfer, "ended_ms", 0);
    size_t i;

    sf_text_duration(ended_ms > created_ms ? (ended_ms - created_ms) / 1000 : 0, took);
    sf_cli_say("Transfer %.8s%s%s%s: %s%s%s%s", sf_cli_string(transfer, "id", "?"),
        label[0] == '\0' ? "" : " (", label, label[0] == '\0' ? "" : ")",
        strcmp(state, "done") == 0 ? "delivered after " : state,
        strcmp(state, "done") == 0 ? took : "", why[0] == '\0' ? "" : ": ", why);
    free(label);
    json_array_foreach(json_object_get(transfer, "recipients"), i, recipient)
    {
        why = sf_cli_string(recipient, "why", "");
        if (json_array_size(json_object_get(transfer, "recipients")) > 1 || why[0] != '\0') {
            sf_cli_say("  %s: %s%s%s", sf_cli_string(recipient, "name", "?"),
                recipient_words(sf_cli_string(recipient, "state", "")), why[0] == '\0' ? "" : ": ",
                why);
        }
    }
}

/* --- Drawing --------------------------------------------------------------- */

/* How long recipient `i` has been where it is. */
static uint64_t
standstill(struct sf_track *track, size_t i, uint64_t bytes, sf_mono now)
{
    if (i >= SF_TRACK_RECIPIENTS_MAX) {
        return 0;
    }
    if (track->recipients[i].at == 0 || track->recipients[i].bytes != bytes) {
        track->recipients[i].bytes = bytes;
        track->recipients[i].at = now;
    }
    return now - track->recipients[i].at;
}

/* What to draw for recipient `i`; its words go into `note` (SF_PROGRESS_LINE_BYTES). */
static void
describe_recipient(struct sf_track *track, const json_t *transfer, size_t i, sf_mono now,
    struct sf_progress *line, char *note)
{
    const json_t *recipient = json_array_get(json_object_get(transfer, "recipients"), i);
    const char *state = sf_cli_string(recipient, "state", "");
    const char *why = sf_cli_string(recipient, "why", "");
    uint64_t still_ns;

    line->title = sf_cli_string(recipient, "name", "?");
    line->total = sf_track_sealed_bytes(transfer);
    line->done = sf_cli_number(recipient, "link_bytes", 0);
    line->done = line->done > line->total ? line->total : line->done;
    line->rate = sf_cli_number(recipient, "rate_bps", 0) / 8;
    line->eta_s = sf_cli_number(recipient, "eta_s", SF_PROGRESS_UNKNOWN);
    line->note = note;
    still_ns = standstill(track, i, line->done, now);
    if (strcmp(state, "final") == 0 || strcmp(state, "verified") == 0) {
        line->done = line->total;
    }
    if (why[0] != '\0' || (strcmp(state, "held") != 0 && strcmp(state, "waiting") != 0)) {
        (void)snprintf(note, SF_PROGRESS_LINE_BYTES, "%s%s%s", recipient_words(state),
            why[0] == '\0' ? "" : ": ", why);
    } else if (line->done == 0) {
        (void)snprintf(note, SF_PROGRESS_LINE_BYTES, "waiting for the link");
    } else if (line->rate == 0 && still_ns > SF_TRACK_STALL_NS) {
        char span[SF_TEXT_AMOUNT_BYTES];

        sf_text_duration(still_ns / SF_SEC, span);
        (void)snprintf(note, SF_PROGRESS_LINE_BYTES, "nothing new for %s", span);
    } else {
        line->note = NULL;
    }
}

void
sf_track_draw(struct sf_track *track, const struct sf_cli *cli, const json_t *transfer, bool each,
    sf_mono now)
{
    unsigned columns = sf_screen_columns(track->screen.out) - 1;
    size_t recipients = json_array_size(json_object_get(transfer, "recipients"));
    bool is_sealing = strcmp(sf_cli_string(transfer, "state", ""), "sealing") == 0;
    struct sf_progress line = {.title = "sealing", .title_columns = 7};
    char drawn[SF_PROGRESS_LINE_BYTES];
    char note[SF_PROGRESS_LINE_BYTES];
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    sf_assert(out != NULL);
    for (size_t i = 0; i < recipients && each; i++) {
        unsigned width = sf_text_width(
            sf_cli_string(json_array_get(json_object_get(transfer, "recipients"), i), "name", "?"));

        line.title_columns = width > line.title_columns ? width : line.title_columns;
    }
    if (is_sealing || !each) {
        line.done = sf_cli_number(transfer, "plain_done", 0);
        line.total = sf_cli_number(transfer, "plain_bytes", 0);
        sf_meter_update(&track->seal, line.done, now);
        line.rate = sf_meter_rate(&track->seal);
        line.eta_s = sf_progress_eta(line.done, line.total, line.rate);
        line.note = is_sealing ? NULL : sf_cli_string(transfer, "state", "");
        sf_progress_draw(&line, columns, cli->utf8, drawn);
        (void)fprintf(out, "%s\n", drawn);
    }
    for (size_t i = 0; i < recipients && each; i++) {
        describe_recipient(track, transfer, i, now, &line, note);
        sf_progress_draw(&line, columns, cli->utf8, drawn);
        (void)fprintf(out, "%s\n", drawn);
    }
    sf_assert(fclose(out) == 0);
    sf_screen_draw(&track->screen, text);
    free(text);
}
