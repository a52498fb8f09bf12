/*
 * cli_init.c - `skyferry init` and `skyferry card`: a node's beginning, and
 * what it shows of itself.
 */
#include <config.h>

#include "app/cli.h"

#include "app/config.h"
#include "app/text.h"
#include "app/unlock.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "bundle/card.h"
#include "bundle/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOST_BYTES_MAX = 255 };

/* --- Both ------------------------------------------------------------------ */

/* The node's card as text, from its keys. */
static int
card_text(const struct sf_identity *identity, char out[SF_CARD_TEXT_BYTES_MAX])
{
    uint8_t encoded[SF_CARD_BYTES_MAX];
    size_t bytes;
    int status = sf_card_encode(identity, encoded, sizeof(encoded), &bytes);

    if (status == SF_OK) {
        status = sf_card_to_text(sf_view(encoded, bytes), out, SF_CARD_TEXT_BYTES_MAX, &bytes);
    }
    return status;
}

/* --- init ------------------------------------------------------------------ */

/* The host's name with what a node's name may not hold made '-'. */
static void
default_name(char name[SF_NAME_BYTES_MAX + 1])
{
    static const char valid[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    char host[HOST_BYTES_MAX + 1] = "";
    size_t used = 0;

    if (gethostname(host, sizeof(host) - 1) != 0) {
        host[0] = '\0';
    }
    for (const char *at = host; *at != '\0' && used < SF_NAME_BYTES_MAX; at++) {
        char c = strchr(valid, *at) != NULL ? *at : '-';

        if (used > 0 || (c != '.' && c != '-')) {
            name[used++] = c;
        }
    }
    name[used] = '\0';
    if (used == 0) {
        (void)snprintf(name, SF_NAME_BYTES_MAX + 1, "node");
    }
}

/* Make the keys and write them, never over others; sealed under `master` if it is not NULL. */
static int
make_keys(const struct sf_home *home, const char *name, const uint8_t *master,
    char card[SF_CARD_TEXT_BYTES_MAX], struct sf_app_error *error)
{
    uint8_t encoded[SF_IDENTITY_SEALED_BYTES_MAX];
    struct sf_identity *identity = NULL;
    size_t bytes = 0;
    int status;

    status = sf_identity_generate(&sf_random_system, name, &identity);
    if (status == SF_OK) {
        status = sf_identity_encode_sealed(identity, master, &sf_random_system, encoded, &bytes);
    }
    if (status == SF_OK) {
        status = card_text(identity, card);
    }
    if (status != SF_OK) {
        status =
            sf_app_error_set(error, status, "the keys cannot be made: %s", sf_status_text(status));
        goto out;
    }
    status = sf_home_write_file(home,
        &(struct sf_home_write){.name = SF_HOME_KEYS, .is_new = true, .content = {encoded, bytes}},
        error);
out:
    sf_identity_fini(identity);
    sf_wipe(encoded, sizeof(encoded));
    return status;
}

/* A master key sealed under a new passphrase, which `file` holds ("-": ask, or standard input). */
static int
make_master(
    const struct sf_home *home, const char *file, uint8_t **ret_master, struct sf_app_error *error)
{
    char *passphrase = NULL;
    uint8_t *master = NULL;
    int status = sf_unlock_new(file, &passphrase, error);

    if (status != SF_OK) {
        return status;
    }
    master = sf_secret_alloc(SF_MASTER_BYTES);
    if (master == NULL) {
        status = sf_app_error_set(error, SF_ENOMEM, "no memory that can be locked for keys");
    } else {
        sf_random_fill(&sf_random_system, master, SF_MASTER_BYTES);
        status = sf_unlock_save(home, master, passphrase, error);
    }
    sf_secret_free(passphrase);
    if (status != SF_OK) {
        sf_secret_free(master);
        return status;
    }
    *ret_master = master;
    return SF_OK;
}

static bool
has_keys(const struct sf_home *home)
{
    struct stat st;

    return fstatat(home->fd, SF_HOME_KEYS, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
run_init(struct sf_cli *cli)
{
    struct sf_app_error error = {0};
    struct sf_home home = {.fd = -1, .lock_fd = -1};
    char card[SF_CARD_TEXT_BYTES_MAX];
    char made_up[SF_NAME_BYTES_MAX + 1];
    const char *name = sf_cli_option(cli, "name");
    const char *file = sf_cli_option(cli, "passphrase-file");
    uint8_t *master = NULL;
    int status;

    if (name == NULL) {
        default_name(made_up);
        name = made_up;
    }
    if (!sf_name_is_valid(sf_view(name, strlen(name)))) {
        return sf_cli_usage(cli,
            "'%.100s' cannot be a node's name: 1 to %d of A-Z a-z 0-9 . _ -, not beginning with . "
            "or -",
            name, SF_NAME_BYTES_MAX);
    }
    status = sf_home_create(cli->home_path, &home, &error);
    if (status != SF_OK) {
        return sf_cli_fail(status == SF_EAUTH ? SF_EXIT_REFUSED : SF_EXIT_FAILED, "%s", error.text);
    }
    if (has_keys(&home)) {
        sf_home_close(&home);
        return sf_cli_fail(SF_EXIT_FAILED,
            "%s holds a node already; nothing was changed\n"
            "  Show its card:     skyferry card\n"
            "  Make another one:  skyferry init --home DIR",
            cli->home_path);
    }
    status = sf_home_write_file(&home,
        &(struct sf_home_write){.name = SF_HOME_CONFIG,
            .is_new = true,
            .content = {(const uint8_t *)sf_config_template, strlen(sf_config_template)}},
        &error);
    /* A config that was put there before, by an installer say, is the operator's. */
    if (status == SF_OK || status == SF_EEXIST) {
        status = SF_OK;
        if (file != NULL || sf_cli_option(cli, "passphrase") != NULL) {
            status = make_master(&home, file, &master, &error);
        }
    }
    if (status == SF_OK) {
        status = make_keys(&home, name, master, card, &error);
    }
    sf_secret_free(master);
    sf_home_close(&home);
    if (status != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "%s", error.text);
    }
    sf_cli_say("The node '%s' lives in %s.", name, cli->home_path);
    sf_cli_say("Its settings are in %s/%s; they need no change for a first transfer.",
        cli->home_path, SF_HOME_CONFIG);
    sf_cli_say("Give the other side this card, and add theirs with `skyferry peer add`:");
    (void)printf("%s\n", card);
    return sf_cli_finish(SF_EXIT_DONE);
}

static const struct sf_arg_option init_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"name", 0, "NAME", "what the node calls itself (default: the host's name)"},
    {"passphrase", 0, NULL, "ask for a passphrase and seal the keys under it"},
    {"passphrase-file", 0, "FILE", "take it from this file, - for standard input"},
};

const struct sf_cli_command sf_cli_init = {
    .name = "init",
    .operands = "[--name NAME] [--passphrase]",
    .summary = "Make a node: its keys and a commented config",
    .more = "Nothing that exists is ever overwritten. The new node's card is printed.\n",
    .options = init_options,
    .option_count = sizeof(init_options) / sizeof(init_options[0]),
    .no_json = true,
    .run = run_init,
};

/* --- card ------------------------------------------------------------------ */

/* Write the card to a file of the user's. */
static int
write_card(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    bool failed;

    if (file == NULL) {
        return sf_cli_fail(SF_EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    failed = fprintf(file, "%s\n", text) < 0;
    failed = fclose(file) != 0 || failed;
    if (failed) {
        return sf_cli_fail(SF_EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    return SF_EXIT_DONE;
}

static int
run_card(struct sf_cli *cli)
{
    const char *out = sf_cli_option(cli, "out");
    char fingerprint[2 * sizeof(struct sf_fingerprint) + 1];
    char card[SF_CARD_TEXT_BYTES_MAX];
    struct sf_identity *identity;
    int exit = SF_EXIT_DONE;

    identity = sf_cli_identity(cli, &exit);
    if (identity == NULL) {
        return exit;
    }
    if (card_text(identity, card) != SF_OK) {
        exit = sf_cli_fail(SF_EXIT_INTEGRITY, "the card cannot be signed; check this machine");
    } else if (out != NULL && strcmp(out, "-") != 0) {
        exit = write_card(out, card);
    } else if (cli->json) {
        sf_cli_hex(identity->fingerprint.b, sizeof(identity->fingerprint.b), fingerprint);
        exit = sf_cli_print_json(json_pack("{s:s, s:s, s:I, s:s}", "name", identity->name,
            "fingerprint", fingerprint, "issue", (json_int_t)identity->card_issue, "card", card));
    } else {
        (void)printf("%s\n", card);
        exit = sf_cli_finish(SF_EXIT_DONE);
    }
    sf_identity_fini(identity);
    return exit;
}

static const struct sf_arg_option card_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"out", 'o', "FILE", "write the card to FILE instead of standard output"},
};

const struct sf_cli_command sf_cli_card = {
    .name = "card",
    .operands = "[--out FILE]",
    .summary = "Print this node's card, one line, for the other side's `peer add`",
    .more = "A card holds public keys only, signed by the node. Hand it over on a way that\n"
            "cannot be tampered with, or compare fingerprints (`skyferry card --json`).\n"
            "No daemon is needed.\n",
    .options = card_options,
    .option_count = sizeof(card_options) / sizeof(card_options[0]),
    .run = run_card,
};
