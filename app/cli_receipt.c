/*
 * cli_receipt.c - `skyferry receipt`: receipts carried by hand where nothing
 * comes back over the link.
 */
#include <config.h>

#include "app/cli.h"

#include "base/assert.h"
#include "bundle/letter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- export ---------------------------------------------------------------- */

/* The bytes of an even number of hex digits; 0 if they are none, or too many. */
static size_t
bytes_of_hex(const char *hex, uint8_t *out, size_t bytes_max)
{
    size_t digits = strlen(hex);

    if (digits % 2 != 0 || digits / 2 > bytes_max || strspn(hex, "0123456789abcdef") != digits) {
        return 0;
    }
    for (size_t i = 0; i < digits; i++) {
        uint8_t half = (uint8_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);

        out[i / 2] = (uint8_t)(i % 2 == 0 ? half << 4 : out[i / 2] | half);
    }
    return digits / 2;
}

static int
write_letter(struct sf_cli *cli, const uint8_t *letter, size_t bytes)
{
    const char *path = sf_cli_option(cli, "out");
    FILE *out = path == NULL ? stdout : fopen(path, "wxe");
    bool is_written;

    if (out == NULL) {
        return sf_cli_fail(SF_EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    is_written = fwrite(letter, 1, bytes, out) == bytes && fflush(out) == 0;
    is_written = (path == NULL || fclose(out) == 0) && is_written;
    if (!is_written) {
        return sf_cli_fail(SF_EXIT_FAILED, "cannot write the receipt: %s", strerror(errno));
    }
    return SF_EXIT_DONE;
}

static int
run_export(struct sf_cli *cli)
{
    char path[SF_CLIENT_PATH_BYTES_MAX + 1];
    struct sf_client_error error;
    struct sf_client *client = NULL;
    uint8_t *letter;
    json_t *answer = NULL;
    size_t bytes;
    int exit = SF_EXIT_DONE;

    if (sf_cli_option(cli, "out") == NULL && isatty(STDOUT_FILENO) == 1) {
        return sf_cli_usage(
            cli, "a receipt is no text: give --out FILE, or send the output into a file");
    }
    if (sf_client_path("/v1/transfers/", cli->args.operands[0], "/receipt", path) != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "that is far too long to be the id of a transfer");
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
    letter = malloc(SF_LETTER_BYTES_MAX);
    sf_assert(letter != NULL);
    bytes = bytes_of_hex(sf_cli_string(answer, "receipt", ""), letter, SF_LETTER_BYTES_MAX);
    exit = bytes == 0 ? sf_cli_fail(SF_EXIT_FAILED, "the daemon's answer holds no receipt")
                      : write_letter(cli, letter, bytes);
    free(letter);
    json_decref(answer);
    return exit;
}

static const struct sf_arg_option export_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"out", 'o', "FILE", "write it there, where no file is yet"},
};

const struct sf_cli_command sf_cli_receipt_export = {
    .name = "receipt export",
    .operands = "TRANSFER",
    .summary = "Write this node's signed receipt of an incoming transfer, to be carried back",
    .more = "Where nothing comes back over the link, bring it to the sender by other means. It is\n"
            "sealed to the sender and says what is held or that all was delivered; an old one, or\n"
            "a copy, does no harm.\n"
            "\n"
            "    skyferry receipt export 3f2a > receipt       here\n"
            "    skyferry receipt import receipt              at the sender\n",
    .options = export_options,
    .option_count = sizeof(export_options) / sizeof(export_options[0]),
    .operands_min = 1,
    .operands_max = 1,
    .no_json = true,
    .run = run_export,
};

/* --- import ---------------------------------------------------------------- */

static int
read_letter(const char *path, uint8_t *out, size_t *ret_bytes)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    int exit = SF_EXIT_DONE;

    if (file == NULL) {
        return sf_cli_fail(SF_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    *ret_bytes = fread(out, 1, SF_LETTER_BYTES_MAX + 1, file);
    if (ferror(file) != 0) {
        exit = sf_cli_fail(SF_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    } else if (*ret_bytes == 0 || *ret_bytes > SF_LETTER_BYTES_MAX) {
        exit = sf_cli_fail(SF_EXIT_INTEGRITY,
            "%s is no receipt: it has %s\n"
            "  A receipt is what `skyferry receipt export` writes at the receiver.",
            path, *ret_bytes == 0 ? "no bytes" : "too many bytes");
    }
    if (!is_stdin) {
        (void)fclose(file);
    }
    return exit;
}

static int
run_import(struct sf_cli *cli)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    uint8_t *letter = malloc(SF_LETTER_BYTES_MAX + 1);
    char *hex = malloc(2 * SF_LETTER_BYTES_MAX + 1);
    json_t *answer = NULL;
    json_t *body;
    size_t bytes = 0;
    int exit;

    sf_assert(letter != NULL && hex != NULL);
    exit = read_letter(cli->args.operands[0], letter, &bytes);
    if (exit != SF_EXIT_DONE || !sf_cli_client(cli, &client, &exit)) {
        free(letter);
        free(hex);
        return exit;
    }
    sf_cli_hex(letter, bytes, hex);
    body = json_pack("{s:s}", "receipt", hex);
    sf_assert(body != NULL);
    if (sf_client_do(client, &(struct sf_client_call){"POST", "/v1/receipts", body}, &answer,
            &error) != SF_OK) {
        exit = sf_cli_call_failed(cli, &error);
    } else {
        sf_cli_say("The receipt is of transfer %.8s: see `skyferry status %.8s`.",
            sf_cli_string(answer, "id", "?"), sf_cli_string(answer, "id", "?"));
        if (cli->json) {
            exit = sf_cli_print_json(json_incref(answer));
        }
    }
    json_decref(body);
    json_decref(answer);
    sf_client_close(client);
    free(letter);
    free(hex);
    return exit;
}

static const struct sf_arg_option import_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_receipt_import = {
    .name = "receipt import",
    .operands = "FILE|-",
    .summary = "Take a receipt that was carried here, as if it had come over the link",
    .more = "It counts for what its signature says: what it lists is not sent again, and when it\n"
            "says that all was delivered the transfer is done.\n",
    .options = import_options,
    .option_count = SF_CLI_GLOBALS,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_import,
};
