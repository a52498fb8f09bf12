/*
 * cli_audit.c - `skyferry audit show` and `skyferry audit verify`: the log of
 * what happened, read from its files, with or without a daemon.
 */
#include <config.h>

#include "app/cli.h"

#include "app/text.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUDIT_LOG   "audit.log"
#define AUDIT_HEADS "audit.heads"

enum { ID_DIGITS_MIN = 4, ID_DIGITS_MAX = 32 };

/* --- The files ------------------------------------------------------------- */

/* A file mapped as it is now; empty if there is none. */
struct mapped {
    void *data;
    size_t bytes;
};

static bool
map_file(const struct sf_home *home, const char *name, struct mapped *ret_file, int *ret_exit)
{
    struct mapped file = {0};
    struct stat st;
    int fd = openat(home->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        *ret_file = file;
        return true;
    }
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_exit =
            sf_cli_fail(SF_EXIT_FAILED, "cannot read %s/%s: %s", home->path, name, strerror(errno));
    } else if (st.st_size > 0) {
        file.bytes = (size_t)st.st_size;
        file.data = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file.data == MAP_FAILED) {
            *ret_exit = sf_cli_fail(
                SF_EXIT_FAILED, "cannot read %s/%s: %s", home->path, name, strerror(errno));
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (*ret_exit != SF_EXIT_DONE) {
        return false;
    }
    *ret_file = file;
    return true;
}

static void
unmap_file(struct mapped *file)
{
    if (file->bytes > 0) {
        (void)munmap(file->data, file->bytes);
    }
    *file = (struct mapped){0};
}

/* --- show ------------------------------------------------------------------ */

/* "to sat-7", "from ground", or the peer alone. */
static void
print_peer(const json_t *record)
{
    static const char *const names[] = {"to", "from", "peer"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *peer = sf_cli_string(record, names[i], NULL);

        if (peer != NULL) {
            (void)printf("  %s%s%s", i < 2 ? names[i] : "", i < 2 ? " " : "", peer);
            return;
        }
    }
}

/* What people want to know of a record; --json has all of it. */
static void
print_record(const struct sf_cli *cli, const json_t *record)
{
    const char *why = sf_cli_string(record, "why", "");
    const char *sha256 = sf_cli_string(record, "sha256", NULL);
    uint64_t bytes = sf_cli_number(record, "bytes", 0);
    uint64_t files = sf_cli_number(record, "files", 0);
    char text[SF_TEXT_AMOUNT_BYTES];
    char *shown;

    sf_text_time((struct sf_wall){(int64_t)sf_cli_number(record, "time_ms", 0)}, text);
    (void)printf("%6" PRIu64 "  %s  %-14s %-*.*s", sf_cli_number(record, "seq", 0), text,
        sf_cli_string(record, "event", "?"), SF_CLI_ID_SHOWN, SF_CLI_ID_SHOWN,
        sf_cli_string(record, "transfer", "-"));
    print_peer(record);
    if (bytes > 0) {
        sf_text_size(bytes, text);
        (void)printf("  %s", text);
    }
    if (files > 1) {
        (void)printf(" in %" PRIu64 " files", files);
    } else if (sha256 != NULL) {
        (void)printf("  SHA-256 %.16s...", sha256);
    }
    if (why[0] != '\0') {
        shown = sf_text_escaped(sf_view(why, strlen(why)), cli->utf8);
        (void)printf("  (%s)", shown);
        free(shown);
    }
    (void)fputc('\n', stdout);
}

/* Whether `record` speaks of the transfer whose id begins with `id`. */
static bool
is_about(const json_t *record, const char *id)
{
    return id == NULL || strncmp(sf_cli_string(record, "transfer", ""), id, strlen(id)) == 0;
}

/* Whether `text` can be how the id of a transfer begins. */
static bool
is_id(const char *text)
{
    size_t digits = strspn(text, "0123456789abcdef");

    return digits >= ID_DIGITS_MIN && digits <= ID_DIGITS_MAX && text[digits] == '\0';
}

/* Where the last `count` lines of `text` begin. */
static size_t
last_lines(const char *text, size_t bytes, uint64_t count)
{
    size_t at = bytes;

    while (at > 0) {
        if (at < bytes && text[at - 1] == '\n' && count-- <= 1) {
            return at;
        }
        at--;
    }
    return 0;
}

/* Print (or, with `records`, collect) every line from `at` on. Returns how many are no records. */
static size_t
walk_lines(const struct sf_cli *cli, const struct mapped *log, size_t at, json_t *records)
{
    const char *id = cli->args.operand_count > 0 ? cli->args.operands[0] : NULL;
    const char *text = log->data;
    size_t bad = 0;

    while (at < log->bytes) {
        const char *end = memchr(text + at, '\n', log->bytes - at);
        size_t length = end == NULL ? log->bytes - at : (size_t)(end - (text + at));
        json_t *record = json_loadb(text + at, length, 0, NULL);

        if (!json_is_object(record)) {
            bad++;
        } else if (is_about(record, id) && records != NULL) {
            sf_assert(json_array_append(records, record) == 0);
        } else if (is_about(record, id)) {
            print_record(cli, record);
        }
        json_decref(record);
        at += length + 1;
    }
    return bad;
}

static int
run_show(struct sf_cli *cli)
{
    const char *last = sf_cli_option(cli, "last");
    json_t *records = NULL;
    struct mapped log = {0};
    struct sf_home home;
    size_t begin = 0;
    size_t bad;
    int exit = SF_EXIT_DONE;

    if (last != NULL &&
        (last[0] < '1' || last[0] > '9' || strspn(last, "0123456789") != strlen(last))) {
        return sf_cli_usage(cli, "--last %.50s: expected a number of records, 1 or more", last);
    }
    if (cli->args.operand_count > 0 && !is_id(cli->args.operands[0])) {
        return sf_cli_usage(cli,
            "'%.40s' is no transfer: expected the first 4 to 32 digits that `skyferry status` "
            "shows",
            cli->args.operands[0]);
    }
    if (!sf_cli_home(cli, &home, &exit)) {
        return exit;
    }
    if (!map_file(&home, AUDIT_LOG, &log, &exit)) {
        sf_home_close(&home);
        return exit;
    }
    sf_home_close(&home);
    if (last != NULL) {
        begin = last_lines(log.data, log.bytes, strtoull(last, NULL, 10));
    }
    if (cli->json) {
        records = json_array();
        sf_assert(records != NULL);
    }
    bad = walk_lines(cli, &log, begin, records);
    if (cli->json) {
        exit = sf_cli_print_json(json_pack("{s:o}", "records", records));
    } else if (log.bytes == 0) {
        sf_cli_say("Nothing has happened yet.");
    }
    unmap_file(&log);
    if (bad > 0) {
        return sf_cli_fail(SF_EXIT_INTEGRITY,
            "%zu lines are no records; `skyferry audit verify` says what is wrong", bad);
    }
    return exit == SF_EXIT_DONE ? sf_cli_finish(SF_EXIT_DONE) : exit;
}

static const struct sf_arg_option show_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"last", 'n', "N", "only the last N records"},
};

const struct sf_cli_command sf_cli_audit_show = {
    .name = "audit show",
    .operands = "[TRANSFER] [--last N]",
    .summary = "Show what happened: custody, receipts, delivery, refusals",
    .more =
        "With TRANSFER (or the beginning of its id) only what concerns it. No daemon is needed.\n",
    .options = show_options,
    .option_count = sizeof(show_options) / sizeof(show_options[0]),
    .operands_max = 1,
    .run = run_show,
};

/* --- verify ---------------------------------------------------------------- */

static int
tell_fault(struct sf_cli *cli, int status, const struct sf_audit_fault *fault)
{
    char where[96];

    if (fault->head != 0) {
        (void)snprintf(where, sizeof(where), "%s, head %" PRIu64 " (about line %" PRIu64 ")",
            AUDIT_HEADS, fault->head, fault->line);
    } else {
        (void)snprintf(where, sizeof(where), "%s, line %" PRIu64 " (byte %" PRIu64 ")", AUDIT_LOG,
            fault->line, fault->offset);
    }
    if (cli->json) {
        (void)sf_cli_print_json(json_pack("{s:b, s:I, s:I, s:I, s:s, s:b}", "intact", 0, "line",
            (json_int_t)fault->line, "head", (json_int_t)fault->head, "offset",
            (json_int_t)fault->offset, "text", fault->text, "tampered", status == SF_EAUTH));
    }
    return sf_cli_fail(SF_EXIT_INTEGRITY,
        "%s: %s\n"
        "  %s\n"
        "  Keep the files as they are, and compare with the receipts the other side holds.",
        where, fault->text,
        status == SF_EAUTH ? "No crash does this: the log was changed after it was written."
                           : "The log is damaged: by the disk, or by a hand.");
}

static int
tell_intact(struct sf_cli *cli, const struct sf_audit_summary *summary)
{
    char hash[2 * sizeof(summary->hash) + 1];

    sf_cli_hex(summary->hash, sizeof(summary->hash), hash);
    if (cli->json) {
        return sf_cli_print_json(json_pack("{s:b, s:I, s:I, s:I, s:s}", "intact", 1, "lines",
            (json_int_t)summary->lines, "heads", (json_int_t)summary->heads, "lines_signed",
            (json_int_t)summary->lines_signed, "hash", hash));
    }
    (void)printf("intact: %" PRIu64 " records, %" PRIu64 " of them under %" PRIu64
                 " signed heads\nhead:   %s\n",
        summary->lines, summary->lines_signed, summary->heads, hash);
    return sf_cli_finish(SF_EXIT_DONE);
}

static int
run_verify(struct sf_cli *cli)
{
    struct sf_audit_summary summary = {0};
    struct sf_audit_fault fault = {0};
    struct mapped heads = {0};
    struct mapped log = {0};
    struct sf_identity *identity;
    struct sf_home home;
    int exit = SF_EXIT_DONE;
    int status;

    identity = sf_cli_identity(cli, &exit);
    if (identity == NULL) {
        return exit;
    }
    if (sf_cli_home(cli, &home, &exit)) {
        /* The heads first: what is signed then is in the log that is read after them. */
        if (map_file(&home, AUDIT_HEADS, &heads, &exit) &&
            map_file(&home, AUDIT_LOG, &log, &exit)) {
            status = sf_audit_verify(
                &(struct sf_audit_check){
                    .log = sf_view(log.data, log.bytes),
                    .heads = sf_view(heads.data, heads.bytes),
                    .origin = identity->name,
                    .public_key = identity->sign_pk,
                },
                &summary, &fault);
            exit = status == SF_OK ? tell_intact(cli, &summary) : tell_fault(cli, status, &fault);
        }
        sf_home_close(&home);
    }
    unmap_file(&heads);
    unmap_file(&log);
    sf_identity_fini(identity);
    return exit;
}

static const struct sf_arg_option verify_options[] = {SF_CLI_GLOBAL_OPTIONS};

const struct sf_cli_command sf_cli_audit_verify = {
    .name = "audit verify",
    .operands = "",
    .summary = "Check that no record was edited, removed, swapped or cut off",
    .more =
        "Every record names the hash of the one before, and this node signs heads of the chain\n"
        "that every receipt carries to the other side. Exits 5 at the first fault, naming the\n"
        "line. No daemon is needed.\n",
    .options = verify_options,
    .option_count = SF_CLI_GLOBALS,
    .run = run_verify,
};
