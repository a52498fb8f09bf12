/*
 * cli_key.c - `skyferry key rotate`: new prekeys, now.
 */
#include <config.h>

#include "app/cli.h"
#include "app/unlock.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

enum {
    POLL_MS = 100,
    POLLS_MAX = 100, /* then the disk is not as it should be */
};

static void
say_rotated(uint64_t issue)
{
    sf_cli_say("New prekeys; the card is issue %" PRIu64 " now.", issue);
    sf_cli_say("Peers learn of it with their next session. Where nothing comes back to this node,\n"
               "  or nothing goes out, give them the new card by hand:  skyferry card");
}

/* The daemon shows the new card when the key file is durable. */
static int
await(struct sf_cli *cli, struct sf_client *client, uint64_t issue)
{
    const struct timespec wait = {.tv_nsec = POLL_MS * 1000000L};
    struct sf_client_error error;

    for (unsigned polls = 0; polls < POLLS_MAX; polls++) {
        json_t *answer = NULL;
        uint64_t now;

        if (sf_client_do(client, &(struct sf_client_call){"GET", "/v1/node", NULL}, &answer,
                &error) != SF_OK) {
            return sf_cli_call_failed(cli, &error);
        }
        now = sf_cli_number(answer, "card_issue", 0);
        json_decref(answer);
        if (now >= issue) {
            say_rotated(now);
            return SF_EXIT_DONE;
        }
        (void)nanosleep(&wait, NULL);
    }
    return sf_cli_fail(SF_EXIT_NOT_YET,
        "the new keys are not on the disk yet; the daemon goes on trying and says why in its log");
}

/* SF_EXIT_DONE and *ret_reached, or failures that were told; not reached is no failure. */
static int
rotate_online(struct sf_cli *cli, bool *ret_reached)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;
    int exit = SF_EXIT_DONE;

    *ret_reached = true;
    if (!sf_cli_client(cli, &client, &exit)) {
        return exit;
    }
    if (sf_client_do(client, &(struct sf_client_call){"POST", "/v1/keys/rotate", NULL}, &answer,
            &error) == SF_OK) {
        exit = await(cli, client, sf_cli_number(answer, "card_issue", 0));
    } else if (error.is_unreachable && error.system_error != EACCES) {
        *ret_reached = false;
    } else {
        exit = sf_cli_call_failed(cli, &error);
    }
    json_decref(answer);
    sf_client_close(client);
    return exit;
}

static int
rotate(const struct sf_home *home, uint64_t *ret_issue, struct sf_app_error *error)
{
    uint8_t sealed[SF_IDENTITY_SEALED_BYTES_MAX];
    struct sf_identity *identity = NULL;
    uint8_t *master = NULL;
    size_t bytes = 0;
    int status = sf_unlock_master(home, &master, error);

    if (status == SF_OK) {
        status = sf_unlock_identity(home, master, &identity, error);
    }
    if (status == SF_OK && sf_identity_renew(identity, &sf_random_system) != SF_OK) {
        status = sf_app_error_set(error, SF_ELIMIT,
            "%d prekeys are kept already, as what was sealed to them may still come; the oldest "
            "goes when it is %d days old",
            SF_PREKEYS_RENEWED_MAX, SF_PREKEY_KEPT_DAYS);
    }
    if (status == SF_OK) {
        *ret_issue = identity->card_issue;
        status = sf_identity_encode_sealed(identity, master, &sf_random_system, sealed, &bytes);
    }
    if (status == SF_OK) {
        status = sf_home_write_file(
            home, &(struct sf_home_write){.name = SF_HOME_KEYS, .content = {sealed, bytes}}, error);
    }
    sf_wipe(sealed, sizeof(sealed));
    sf_identity_fini(identity);
    sf_secret_free(master);
    return status;
}

static int
rotate_offline(struct sf_cli *cli)
{
    struct sf_app_error error = {0};
    struct sf_home home;
    uint64_t issue = 0;
    int exit = SF_EXIT_DONE;
    int status;

    if (!sf_cli_home(cli, &home, &exit)) {
        return exit;
    }
    status = sf_home_lock(&home, &error);
    if (status == SF_OK) {
        status = rotate(&home, &issue, &error);
    }
    sf_home_close(&home);
    if (status != SF_OK) {
        return sf_cli_fail(sf_cli_exit_of(status), "%s", error.text);
    }
    say_rotated(issue);
    return SF_EXIT_DONE;
}

static int
run_rotate(struct sf_cli *cli)
{
    bool reached;
    int exit = rotate_online(cli, &reached);

    return reached ? exit : rotate_offline(cli);
}

static const struct sf_arg_option plain_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_key_rotate = {
    .name = "key rotate",
    .operands = "",
    .summary = "Make new prekeys now, and with them a new issue of the card",
    .more =
        "Prekeys are what sessions are opened and grants are sealed to. They are replaced by\n"
        "themselves every 7 days of run time; this does it at once. The old ones are kept their\n"
        "time, so that what is under way arrives. The key that is this node's name stays: if\n"
        "that may be stolen, make a new node (docs/SECURITY.md) and have this one revoked.\n"
        "Works with and without a running daemon.\n",
    .options = plain_options,
    .option_count = SF_CLI_GLOBALS,
    .no_json = true,
    .run = run_rotate,
};
