#include <config.h>

#include "app/cli_parts.h"

#include "app/submit_client.h"
#include "app/track.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PREFIX_DIGITS_MIN = 4 };

/* --- What --base names ----------------------------------------------------------------- */

enum base_kind {
    BASE_FOUND, /* whatever the recipient has */
    BASE_NONE,
    BASE_PATH,
    BASE_TRANSFER,
};

static enum base_kind
kind_of(const char *base)
{
    size_t bytes = base == NULL ? 0 : strlen(base);

    if (base == NULL) {
        return BASE_FOUND;
    }
    if (strcmp(base, "none") == 0) {
        return BASE_NONE;
    }
    if (bytes < PREFIX_DIGITS_MIN || bytes >= SF_TRACK_ID_BYTES ||
        strspn(base, "0123456789abcdef") != bytes || access(base, F_OK) == 0) {
        return BASE_PATH;
    }
    return BASE_TRANSFER;
}

static bool
id_parse(const char *text, struct sf_transfer_id *ret_id)
{
    if (strlen(text) != 2 * sizeof(ret_id->b)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(ret_id->b); i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

        ret_id->b[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

/* The transfer whose id begins so. */
static int
find_transfer(const struct sf_parts_config *config, struct sf_transfer_id *ret_id)
{
    struct sf_client_error error;
    json_t *transfer = NULL;
    int exit = SF_EXIT_DONE;

    if (sf_track_get(config->client, config->base, &transfer, &error) != SF_OK) {
        return error.is_unreachable
                   ? sf_cli_call_failed(config->cli, &error)
                   : sf_cli_fail(SF_EXIT_FAILED,
                         "--base %.100s: there is neither a file nor a transfer of that name: %s",
                         config->base, error.text);
    }
    if (!id_parse(sf_cli_string(transfer, "id", ""), ret_id)) {
        exit = sf_cli_fail(SF_EXIT_FAILED, "--base: the daemon's answer holds no transfer");
    }
    json_decref(transfer);
    return exit;
}

/* --- Parts ------------------------------------------------------------------------------- */

static void
add_recipient(struct sf_part *part, const char *name)
{
    sf_assert(part->recipient_count < SF_SUBMIT_RECIPIENTS_MAX);
    part->recipients[part->recipient_count++] = name;
}

/* All in one, without a base, or against that of a path. */
static int
make_one(const struct sf_parts_config *config, enum base_kind kind, struct sf_parts *parts)
{
    struct sf_part *part = &parts->list[parts->count++];
    int status;

    for (size_t i = 0; i < config->recipient_count; i++) {
        add_recipient(part, config->recipients[i]);
    }
    if (kind != BASE_PATH) {
        return SF_EXIT_DONE;
    }
    if (config->cli->args.operand_count > 1) {
        return sf_cli_usage(config->cli, "--base OLD goes with one PATH: a file, or a directory");
    }
    status = sf_bases_open(&part->bases, config->walk, config->base);
    if (status != SF_OK) {
        return sf_cli_fail(
            status == SF_EINVAL || status == SF_EAUTH ? SF_EXIT_REFUSED : SF_EXIT_FAILED,
            "--base: %s", part->bases.error);
    }
    if (part->bases.left_out > 0) {
        sf_cli_say("The %d largest files are sent as what changed; %zu more are sent whole.",
            SF_BASES_MAX, part->bases.left_out);
    }
    return SF_EXIT_DONE;
}

/* The part of those who have that base; a new one if there is none yet. */
static struct sf_part *
part_with(struct sf_parts *parts, const struct sf_transfer_id *by, bool *ret_is_new)
{
    struct sf_part *part = parts->list;

    while (part < parts->list + parts->count && !sf_transfer_equal(&part->by, by)) {
        part++;
    }
    *ret_is_new = part == parts->list + parts->count;
    if (*ret_is_new) {
        parts->count++;
        part->by = *by;
    }
    return part;
}

/* Put one recipient to those who have the same base. */
static int
place(const struct sf_parts_config *config, struct sf_parts *parts, const char *name,
    const struct sf_submit_offer *offer, const int *fds)
{
    static const struct sf_transfer_id none;
    bool is_new;
    struct sf_part *part = part_with(parts, &offer->by, &is_new);

    if (!is_new) {
        for (size_t i = 0; i < offer->count; i++) {
            (void)close(fds[i]);
        }
    } else if (offer->count > 0) {
        part->is_found = config->base == NULL;
        if (sf_bases_take(&part->bases, config->walk, offer, fds) != SF_OK) {
            return sf_cli_fail(SF_EXIT_FAILED, "out of memory");
        }
        if (part->bases.count == 0) {
            /* No copy is what was sent any more: as if there were none. */
            sf_bases_fini(&part->bases);
            memset(part, 0, sizeof(*part));
            parts->count--;
            part = part_with(parts, &none, &is_new);
        }
    }
    add_recipient(part, name);
    return SF_EXIT_DONE;
}

/* Ask for each recipient; where a base need not be, no answer is as good as none. */
static int
ask_for_each(
    const struct sf_parts_config *config, struct sf_submit_ask *ask, struct sf_parts *parts)
{
    int exit = SF_EXIT_DONE;

    ask->label = sf_view(config->walk->label, strlen(config->walk->label));
    for (size_t i = 0; i < config->recipient_count && exit == SF_EXIT_DONE; i++) {
        const char *name = config->recipients[i];
        struct sf_client_error error;
        struct sf_submit_offer offer = {.count = 0};
        int fds[SF_SUBMIT_BASES_MAX];

        ask->recipient = sf_view(name, strlen(name));
        if (sf_submit_client_ask(config->cli->home_path, ask, &offer, fds, &error) != SF_OK) {
            offer = (struct sf_submit_offer){.count = 0};
            if (ask->what == SF_SUBMIT_ASK_TRANSFER) {
                exit = error.is_unreachable
                           ? sf_cli_call_failed(config->cli, &error)
                           : sf_cli_fail(sf_cli_exit_of(error.status), "--base: %s", error.text);
            }
        }
        if (exit == SF_EXIT_DONE) {
            exit = place(config, parts, name, &offer, fds);
        }
    }
    return exit;
}

/* The named transfer was there, and yet nothing of its copies is what was sent. */
static int
check_named(const struct sf_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->list[i].bases.count == 0) {
            return sf_cli_fail(SF_EXIT_FAILED,
                "--base: no copy that is kept of that transfer is a file of the same name, and "
                "still what was sent: give the file, or directory, itself, or send without a base");
        }
    }
    return SF_EXIT_DONE;
}

int
sf_parts_make(const struct sf_parts_config *config, struct sf_parts *ret_parts)
{
    enum base_kind kind = kind_of(config->base);
    struct sf_submit_ask ask = {.what = SF_SUBMIT_ASK_NEWEST};
    int exit = SF_EXIT_DONE;

    if (kind == BASE_NONE || kind == BASE_PATH ||
        (kind == BASE_FOUND && (config->recipient_count == 0 || config->walk->label_made_up))) {
        return make_one(config, kind, ret_parts);
    }
    if (kind == BASE_TRANSFER && config->recipient_count == 0) {
        return sf_cli_usage(config->cli, "--base TRANSFER: to whom? --to NAME says who got it");
    }
    if (kind == BASE_TRANSFER) {
        ask.what = SF_SUBMIT_ASK_TRANSFER;
        exit = find_transfer(config, &ask.transfer);
    } else if (config->resume != NULL) {
        ask.what = SF_SUBMIT_ASK_RESUMED;
        ask.transfer = *config->resume;
    }
    if (exit == SF_EXIT_DONE) {
        exit = ask_for_each(config, &ask, ret_parts);
    }
    return exit == SF_EXIT_DONE && kind == BASE_TRANSFER ? check_named(ret_parts) : exit;
}

void
sf_parts_fini(struct sf_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        sf_bases_fini(&parts->list[i].bases);
    }
    parts->count = 0;
}
