/*
 * cli_passphrase.c - `skyferry passphrase`: seal a home's keys under a
 * passphrase, under another one, or under none.
 */
#include <config.h>

#include "app/cli.h"

#include "app/unlock.h"
#include "base/crypto.h"
#include "base/random.h"

/*
 * A home that never had a passphrase gets a master key, and its `keys` are
 * sealed under it. In this order: a crash in between leaves bare keys beside a
 * master key, which open as before.
 */
static int
begin_sealing(const struct sf_home *home, const char *passphrase, struct sf_app_error *error)
{
    uint8_t sealed[SF_IDENTITY_SEALED_BYTES_MAX];
    uint8_t *master = sf_secret_alloc(SF_MASTER_BYTES);
    struct sf_identity *identity = NULL;
    size_t bytes = 0;
    int status;

    if (master == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory that can be locked for keys");
    }
    sf_random_fill(&sf_random_system, master, SF_MASTER_BYTES);
    status = sf_unlock_identity(home, NULL, &identity, error);
    if (status == SF_OK) {
        status = sf_unlock_save(home, master, passphrase, error);
    }
    if (status == SF_OK) {
        status = sf_identity_encode_sealed(identity, master, &sf_random_system, sealed, &bytes);
        if (status == SF_OK) {
            status = sf_home_write_file(home,
                &(struct sf_home_write){.name = SF_HOME_KEYS, .content = {sealed, bytes}}, error);
        }
    }
    sf_identity_fini(identity);
    sf_secret_free(master);
    return status;
}

static int
change(struct sf_cli *cli, const struct sf_home *home, struct sf_app_error *error)
{
    const char *file = sf_cli_option(cli, "new");
    bool is_removal = sf_cli_option(cli, "remove") != NULL;
    uint8_t *master = NULL;
    char *passphrase = NULL;
    int status = sf_unlock_master(home, &master, error);

    if (status == SF_OK && is_removal && master == NULL) {
        status = sf_app_error_set(error, SF_ESTATE, "this node has no passphrase");
    }
    if (status == SF_OK && !is_removal) {
        status = sf_unlock_new(file, &passphrase, error);
    }
    if (status == SF_OK && master == NULL) {
        status = begin_sealing(home, passphrase, error);
    } else if (status == SF_OK) {
        status = sf_unlock_save(home, master, is_removal ? "" : passphrase, error);
    }
    sf_secret_free(passphrase);
    sf_secret_free(master);
    return status;
}

static int
run_passphrase(struct sf_cli *cli)
{
    struct sf_app_error error = {0};
    struct sf_home home;
    int exit = SF_EXIT_DONE;
    int status;

    if (!sf_cli_home(cli, &home, &exit)) {
        return exit;
    }
    status = sf_home_lock(&home, &error);
    if (status == SF_ESTATE) {
        exit = sf_cli_fail(SF_EXIT_FAILED,
            "the daemon of %s is running and writes its keys\n  Stop it first, start it after.",
            cli->home_path);
    } else if (status == SF_OK) {
        status = change(cli, &home, &error);
    }
    sf_home_close(&home);
    if (status != SF_OK) {
        return exit != SF_EXIT_DONE ? exit : sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
    }
    if (sf_cli_option(cli, "remove") != NULL) {
        sf_cli_say("The keys of this node open without a passphrase now.");
    } else {
        sf_cli_say("The keys of this node are sealed under the new passphrase.");
        sf_cli_say("Nobody can open them without it, you neither: keep it where it is not lost.");
    }
    return sf_cli_finish(SF_EXIT_DONE);
}

static const struct sf_arg_option passphrase_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"new", 0, "FILE", "take the new passphrase from this file, - for standard input"},
    {"remove", 0, NULL, "let the keys open without a passphrase"},
};

const struct sf_cli_command sf_cli_passphrase = {
    .name = "passphrase",
    .operands = "[--new FILE|-] [--remove]",
    .summary = "Seal the keys of this node under a passphrase, or another one",
    .more = "The present passphrase, and that of the daemon at its start, comes from the systemd\n"
            "credential skyferry.passphrase, from the file named in SKYFERRY_PASSPHRASE_FILE, or\n"
            "from the terminal. The daemon must not be running.\n",
    .options = passphrase_options,
    .option_count = sizeof(passphrase_options) / sizeof(passphrase_options[0]),
    .no_json = true,
    .run = run_passphrase,
};
