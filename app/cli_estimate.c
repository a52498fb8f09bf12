/*
 * cli_estimate.c - `skyferry estimate`: what files would be on the wire, before anything is sent.
 *
 * Cuts, codes and packs them as the daemon would (bundle/measure.h), here and without a
 * daemon. Of very large ones every n-th frame is coded and stands for those between.
 */
#include <config.h>

#include "app/cli.h"

#include "app/cli_parts.h"
#include "app/cli_peer.h"
#include "app/progress.h"
#include "app/table.h"
#include "app/text.h"
#include "app/walk.h"
#include "base/assert.h"
#include "base/random.h"
#include "bundle/class.h"
#include "bundle/manifest.h"
#include "bundle/match.h"
#include "bundle/measure.h"
#include "link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above this much, frames are left out. */
#define CODED_BYTES_MAX (UINT64_C(4) << 30)

enum {
    GRANT_BYTES = 1024, /* to one recipient */

    /* Ahead of the bytes of a segment: IPv4 and UDP, a session's, a segment's own; and its unit. */
    HEAD_BYTES = 28 + 28 + 10,
    SEGMENT_UNIT_BYTES = 16,
};

static const char *const codec_names[SF_CODECS] = {
    [SF_CODEC_ZERO] = "zero",
    [SF_CODEC_RAW] = "raw",
    [SF_CODEC_LZ4] = "lz4",
    [SF_CODEC_ZSTD] = "zstd",
    [SF_CODEC_PLANES] = "planes",
    [SF_CODEC_SAME] = "same",
    [SF_CODEC_PATCH] = "patch",
    [SF_CODEC_DIFFERENCE] = "difference",
};

struct estimate {
    struct sf_cli *cli;
    struct sf_walk walk;
    struct sf_parts *parts;
    const struct sf_bases *bases; /* of the only part */
    struct sf_class_choice class;
    struct sf_tensors *tensors;
    struct sf_tensors *base_tensors;
    struct sf_match match; /* of the file that is measured, if it has a base */
    struct sf_measure *measure;
    uint8_t *bytes; /* of a window, or a frame */
    uint8_t *base_bytes;
    uint64_t every; /* one frame in this many is coded */
    uint64_t frames;
    size_t outline_bytes;
    uint64_t sealed_bytes;
    char *file_name; /* that is read, or its base, as it is shown */
};

/* --- Measuring ------------------------------------------------------------------------ */

static int
compare_files(const void *a, const void *b)
{
    return sf_path_compare(
        ((const struct sf_outline_file *)a)->path, ((const struct sf_outline_file *)b)->path);
}

/* The length of the outline, and the class that follows from it. */
static int
choose_class(struct estimate *estimate)
{
    const struct sf_walk *walk = &estimate->walk;
    struct sf_class_input input = {.total_bytes = walk->bytes,
        .file_count = (uint32_t)walk->file_count,
        .largest = SF_CLASS_AUTO_MAX,
        .is_delta = estimate->bases->count > 0};
    struct sf_outline outline = {.label = walk->label,
        .single = walk->single_file,
        .class_bytes = SF_CLASS_DATA_MAX,
        .frame_bytes = sf_outline_frame_bytes_for(SF_CLASS_DATA_MAX),
        .file_count = (uint32_t)walk->file_count};
    int status = SF_ENOMEM;

    outline.files = calloc(walk->file_count, sizeof(*outline.files));
    if (outline.files != NULL) {
        for (size_t i = 0; i < walk->file_count; i++) {
            outline.files[i] = (struct sf_outline_file){
                .path = walk->single_file ? walk->label : walk->files[i].path,
                .bytes = walk->files[i].bytes,
                .mtime_ms = walk->files[i].mtime_s * 1000,
                .executable = walk->files[i].executable,
            };
        }
        qsort(outline.files, walk->file_count, sizeof(*outline.files), compare_files);
        for (uint32_t i = 0; i < estimate->bases->count; i++) {
            outline.bases[outline.base_count++] = (struct sf_outline_base){.file = i,
                .bytes = estimate->bases->list[i].bytes,
                .path = walk->single_file ? "" : outline.files[i].path};
        }
        status = sf_outline_encode(&outline, NULL, 0, &estimate->outline_bytes);
    }
    free(outline.files);
    input.outline_bytes = estimate->outline_bytes;
    if (status == SF_OK) {
        status = sf_class_choose(&input, &estimate->class);
    }
    if (status != SF_OK) {
        return sf_cli_fail(sf_cli_exit_of(status),
            "these files make no transfer: their names, their count or their size are too large");
    }
    return SF_EXIT_DONE;
}

/* Read exactly `bytes` bytes. False, having said so, if they cannot be read. */
static bool
read_bytes(struct estimate *estimate, int fd, uint64_t offset, uint8_t *out, size_t bytes)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t got = pread(fd, out + done, bytes - done, (off_t)(offset + done));

        if (got <= 0 && (got == 0 || errno != EINTR)) {
            (void)sf_cli_fail(SF_EXIT_FAILED, "%s cannot be read: %s", estimate->file_name,
                got == 0 ? "it became shorter" : strerror(errno));
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* Find the tensors of a file. */
static bool
read_tensors(struct estimate *estimate, struct sf_tensors *tensors, int fd, uint64_t file_bytes)
{
    uint64_t offset;
    uint32_t bytes;

    sf_tensors_begin(tensors, file_bytes);
    while (sf_tensors_wants(tensors, &offset, &bytes)) {
        if (!read_bytes(estimate, fd, offset, estimate->bytes, bytes)) {
            return false;
        }
        sf_tensors_input(tensors, sf_view(estimate->bytes, bytes));
    }
    return true;
}

static struct sf_match_file
match_file(const struct sf_tensors *tensors, uint64_t bytes)
{
    struct sf_match_file file = {.bytes = bytes};

    file.tensors = sf_tensors_list(tensors, &file.count);
    return file;
}

static bool
match_base(
    struct estimate *estimate, const struct sf_walk_file *file, const struct sf_base_file *base)
{
    struct sf_match_file now = match_file(estimate->tensors, file->bytes);
    struct sf_match_file before;

    if (!read_tensors(estimate, estimate->base_tensors, base->fd, base->bytes)) {
        return false;
    }
    before = match_file(estimate->base_tensors, base->bytes);
    sf_match_fini(&estimate->match);
    if (sf_match_init(&estimate->match, &now, &before) != SF_OK) {
        (void)sf_cli_fail(SF_EXIT_FAILED, "out of memory");
        return false;
    }
    return true;
}

static bool
measure_frame(struct estimate *estimate, const struct sf_walk_file *file,
    const struct sf_base_file *base, const struct sf_layout_frame *next)
{
    struct sf_frame frame = {sf_view(estimate->bytes, next->bytes), next->element, next->lead};
    struct sf_delta_base run = {.bytes = estimate->base_bytes};
    bool has_base = base != NULL && sf_match_find(&estimate->match, next, &run.offset);

    if (estimate->frames++ % estimate->every != 0) {
        sf_measure_skip(estimate->measure, next->element, next->bytes);
        return true;
    }
    if (!read_bytes(estimate, file->fd, next->offset, estimate->bytes, next->bytes) ||
        (has_base &&
            !read_bytes(estimate, base->fd, run.offset, estimate->base_bytes, next->bytes))) {
        return false;
    }
    if (has_base) {
        sf_measure_delta(estimate->measure, &frame, &run);
    } else {
        sf_measure_frame(estimate->measure, &frame);
    }
    return true;
}

static bool
measure_file(struct estimate *estimate, const struct sf_walk_file *file)
{
    const struct sf_base_file *base =
        sf_bases_find(estimate->bases, (size_t)(file - estimate->walk.files));
    struct sf_layout layout;
    struct sf_layout_frame next;
    const struct sf_tensor *tensors;
    size_t count;

    if (!read_tensors(estimate, estimate->tensors, file->fd,
            file->bytes <= estimate->class.frame_bytes ? 0 : file->bytes) ||
        (base != NULL && !match_base(estimate, file, base))) {
        return false;
    }
    tensors = sf_tensors_list(estimate->tensors, &count);
    sf_layout_init(&layout, tensors, count, file->bytes, estimate->class.frame_bytes);
    while (sf_layout_next(&layout, &next)) {
        if (!measure_frame(estimate, file, base, &next)) {
            return false;
        }
    }
    return true;
}

static int
measure(struct estimate *estimate)
{
    const struct sf_walk *walk = &estimate->walk;
    int exit = choose_class(estimate);

    if (exit != SF_EXIT_DONE) {
        return exit;
    }
    estimate->every = 1 + walk->bytes / CODED_BYTES_MAX;
    estimate->bytes = malloc(SF_FRAME_BYTES_MAX);
    estimate->base_bytes = malloc(SF_FRAME_BYTES_MAX);
    if (estimate->bytes == NULL || estimate->base_bytes == NULL ||
        sf_tensors_open(&estimate->tensors) != SF_OK ||
        sf_tensors_open(&estimate->base_tensors) != SF_OK ||
        sf_measure_open(estimate->class.class_bytes, &estimate->measure) != SF_OK) {
        return sf_cli_fail(SF_EXIT_FAILED, "out of memory");
    }
    sf_measure_outline(estimate->measure, estimate->outline_bytes);
    for (size_t i = 0; i < walk->file_count; i++) {
        const char *name = walk->single_file ? walk->label : walk->files[i].path;
        bool is_measured;

        estimate->file_name = sf_text_escaped(sf_view(name, strlen(name)), estimate->cli->utf8);
        is_measured = measure_file(estimate, &walk->files[i]);
        free(estimate->file_name);
        if (!is_measured) {
            return SF_EXIT_FAILED;
        }
    }
    sf_measure_finish(estimate->measure, sf_digests_bytes_max((uint32_t)walk->file_count));
    estimate->sealed_bytes =
        sf_measure_bundles(estimate->measure) * estimate->class.class_bytes + GRANT_BYTES;
    return SF_EXIT_DONE;
}

/* --- Where to ------------------------------------------------------------------------- */

/* IP bytes that carry the sealed bytes when nothing is lost. */
static uint64_t
link_bytes(uint64_t sealed_bytes)
{
    uint64_t segment = (SF_LINK_MTU_DEFAULT - HEAD_BYTES) / SEGMENT_UNIT_BYTES * SEGMENT_UNIT_BYTES;

    return sealed_bytes + (sealed_bytes + segment - 1) / segment * HEAD_BYTES;
}

/* Bytes of bundles that filler stands for where sizes are hidden, beside the sealed ones. */
static uint64_t
pad_bytes(const struct estimate *estimate)
{
    uint64_t count = sf_measure_bundles(estimate->measure);
    uint32_t class_bytes = estimate->class.class_bytes;

    return (sf_class_padded_count(count, class_bytes) - count) * class_bytes;
}

/* The rate towards peer `name`; 0, having said so and set *ret_exit, if there is none. */
static uint64_t
rate_to(struct sf_cli *cli, const char *name, int *ret_exit)
{
    json_t *answer = sf_cli_peer_all(cli, ret_exit);
    uint64_t rate_bps = 0;
    char shown[256];
    json_t *peer;
    size_t i;

    if (answer == NULL) {
        return 0;
    }
    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        if (strcmp(sf_cli_string(peer, "name", ""), name) == 0) {
            rate_bps = sf_cli_number(peer, "rate_bps", 0);
        }
    }
    json_decref(answer);
    if (rate_bps == 0) {
        (void)sf_text_escape(sf_view(name, strlen(name)), cli->utf8, shown, sizeof(shown));
        *ret_exit = sf_cli_fail(
            SF_EXIT_FAILED, "there is no peer '%s'\n  `skyferry peer list` shows them", shown);
    }
    return rate_bps;
}

/* --- Saying it ------------------------------------------------------------------------ */

/* What all frames of a type came to. */
static struct sf_measure_sum
sum_of(const struct estimate *estimate, enum sf_element element)
{
    struct sf_measure_sum all = {.frames = 0};

    for (unsigned codec = 0; codec < SF_CODECS; codec++) {
        const struct sf_measure_sum *sum =
            sf_measure_sum(estimate->measure, element, (enum sf_codec)codec);

        all.frames += sum->frames;
        all.plain_bytes += sum->plain_bytes;
        all.coded_bytes += sum->coded_bytes;
    }
    return all;
}

static json_t *
sum_json(const char *key, const char *name, const struct sf_measure_sum *sum)
{
    json_t *object = json_pack("{s:s, s:I, s:I, s:I}", key, name, "frames", (json_int_t)sum->frames,
        "plain_bytes", (json_int_t)sum->plain_bytes, "coded_bytes", (json_int_t)sum->coded_bytes);

    sf_assert(object != NULL);
    return object;
}

static json_t *
types_json(const struct estimate *estimate)
{
    json_t *types = json_array();

    for (int e = 0; e < SF_ELEMENTS; e++) {
        struct sf_measure_sum all = sum_of(estimate, (enum sf_element)e);
        json_t *codecs = json_array();
        json_t *type;

        for (unsigned codec = 0; codec < SF_CODECS; codec++) {
            const struct sf_measure_sum *sum =
                sf_measure_sum(estimate->measure, (enum sf_element)e, (enum sf_codec)codec);

            if (sum->frames > 0) {
                sf_assert(
                    json_array_append_new(codecs, sum_json("codec", codec_names[codec], sum)) == 0);
            }
        }
        if (all.frames == 0) {
            json_decref(codecs);
            continue;
        }
        type = sum_json("type", sf_element_name((enum sf_element)e), &all);
        sf_assert(json_object_set_new(type, "codecs", codecs) == 0);
        sf_assert(json_array_append_new(types, type) == 0);
    }
    return types;
}

static int
print_json(const struct estimate *estimate, const char *to, uint64_t rate_bps)
{
    uint64_t on_link = link_bytes(estimate->sealed_bytes);
    json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:o}", "files",
        (json_int_t)estimate->walk.file_count, "plain_bytes", (json_int_t)estimate->walk.bytes,
        "sealed_bytes", (json_int_t)estimate->sealed_bytes, "link_bytes", (json_int_t)on_link,
        "bundles", (json_int_t)sf_measure_bundles(estimate->measure), "class_bytes",
        (json_int_t)estimate->class.class_bytes, "coded_one_in", (json_int_t)estimate->every,
        "has_base", estimate->bases->count > 0, "pad_bytes", (json_int_t)pad_bytes(estimate),
        "types", types_json(estimate));

    sf_assert(object != NULL);
    if (to != NULL) {
        sf_assert(json_object_set_new(object, "to",
                      json_pack("{s:s, s:I, s:I}", "name", to, "rate_bps", (json_int_t)rate_bps,
                          "seconds", (json_int_t)(on_link * 8 / rate_bps + 1))) == 0);
    }
    return sf_cli_print_json(object);
}

static void
add_row(
    struct sf_table *table, const char *type, const char *codec, const struct sf_measure_sum *sum)
{
    char cell[SF_TEXT_AMOUNT_BYTES + 32];

    sf_table_add(table, type);
    sf_table_add(table, codec);
    (void)snprintf(cell, sizeof(cell), "%llu", (unsigned long long)sum->frames);
    sf_table_add(table, cell);
    sf_text_size(sum->plain_bytes, cell);
    sf_table_add(table, cell);
    sf_text_size(sum->coded_bytes, cell);
    sf_table_add(table, cell);
    (void)snprintf(
        cell, sizeof(cell), "%.1f %%", 100.0 * (double)sum->coded_bytes / (double)sum->plain_bytes);
    sf_table_add(table, cell);
}

static void
print_types(const struct estimate *estimate)
{
    static const struct sf_table_column columns[] = {
        {"TYPE", false, false, false},
        {"CODEC", false, false, false},
        {"FRAMES", true, false, false},
        {"SIZE", true, false, false},
        {"CODED", true, false, false},
        {"RATIO", true, false, false},
    };
    bool terminal = isatty(STDOUT_FILENO) == 1;
    struct sf_table table;
    char *text;

    sf_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (int e = 0; e < SF_ELEMENTS; e++) {
        for (unsigned codec = 0; codec < SF_CODECS; codec++) {
            const struct sf_measure_sum *sum =
                sf_measure_sum(estimate->measure, (enum sf_element)e, (enum sf_codec)codec);

            if (sum->frames > 0) {
                add_row(&table, sf_element_name((enum sf_element)e), codec_names[codec], sum);
            }
        }
    }
    if (sf_table_rows(&table) > 0) {
        text = sf_table_text(&table, terminal ? sf_screen_columns(stdout) : 0, terminal);
        (void)fputs(text, stdout);
        free(text);
    }
    sf_table_fini(&table);
}

static int
print_text(const struct estimate *estimate, const char *to, uint64_t rate_bps)
{
    const struct sf_walk *walk = &estimate->walk;
    uint64_t on_link = link_bytes(estimate->sealed_bytes);
    char size[SF_TEXT_AMOUNT_BYTES];
    char sealed[SF_TEXT_AMOUNT_BYTES];
    char class[SF_TEXT_AMOUNT_BYTES];

    print_types(estimate);
    sf_text_size(walk->bytes, size);
    sf_text_size(estimate->sealed_bytes, sealed);
    sf_text_size(estimate->class.class_bytes, class);
    (void)printf("Size      %s in %zu %s\n", size, walk->file_count,
        walk->file_count == 1 ? "file" : "files");
    (void)printf("Sealed    %s", sealed);
    if (walk->bytes > 0) {
        (void)printf(
            ", %.1f %% of the size", 100.0 * (double)estimate->sealed_bytes / (double)walk->bytes);
    }
    (void)printf(": %llu bundles of %s, and a grant\n",
        (unsigned long long)sf_measure_bundles(estimate->measure), class);
    if (estimate->bases->are_copies && estimate->bases->count > 0) {
        (void)printf("Base      a version that %s has, of which a copy was kept\n", to);
    }
    if (estimate->every > 1) {
        (void)printf("          from one frame in %llu\n", (unsigned long long)estimate->every);
    }
    sf_text_size(on_link, sealed);
    (void)printf("Link      %s with the heads of datagrams, if nothing is lost\n", sealed);
    if (pad_bytes(estimate) > 0) {
        sf_text_size(link_bytes(pad_bytes(estimate)), sealed);
        (void)printf("Filler    %s more, in idle time, unless privacy = none\n", sealed);
    }
    if (to != NULL) {
        sf_text_rate(rate_bps, size);
        sf_text_duration(on_link * 8 / rate_bps + 1, sealed);
        (void)printf("To %s  %s of contact at %s\n", to, sealed, size);
    }
    return sf_cli_finish(SF_EXIT_DONE);
}

/* --- The command ---------------------------------------------------------------------- */

/* The earlier version that `send` would send against: one that is named, or that the peer has. */
static int
open_base(struct estimate *estimate, const char *to)
{
    struct sf_cli *cli = estimate->cli;
    struct sf_client *client = NULL;
    struct sf_parts_config config = {
        .cli = cli, .walk = &estimate->walk, .base = sf_cli_option(cli, "base")};
    int exit = SF_EXIT_DONE;

    estimate->parts = calloc(1, sizeof(*estimate->parts));
    sf_assert(estimate->parts != NULL);
    if (to != NULL) {
        config.recipients = &to;
        config.recipient_count = 1;
    }
    if (sf_cli_client(cli, &client, &exit)) {
        config.client = client;
        exit = sf_parts_make(&config, estimate->parts);
        sf_client_close(client);
    }
    estimate->bases = &estimate->parts->list[0].bases;
    return exit;
}

static void
estimate_fini(struct estimate *estimate)
{
    sf_tensors_close(estimate->tensors);
    sf_tensors_close(estimate->base_tensors);
    sf_match_fini(&estimate->match);
    if (estimate->parts != NULL) {
        sf_parts_fini(estimate->parts);
    }
    free(estimate->parts);
    free(estimate->base_bytes);
    sf_measure_close(estimate->measure);
    free(estimate->bytes);
    sf_walk_fini(&estimate->walk);
}

static int
run_estimate(struct sf_cli *cli)
{
    const char *to = sf_cli_option(cli, "to");
    struct estimate estimate = {.cli = cli};
    uint64_t rate_bps = 0;
    int exit = SF_EXIT_DONE;
    int status;

    if (to != NULL) {
        rate_bps = rate_to(cli, to, &exit);
        if (rate_bps == 0) {
            return exit;
        }
    }
    (void)sf_walk_raise_limit();
    status = sf_walk(&(struct sf_walk_config){.paths = cli->args.operands,
                         .path_count = cli->args.operand_count,
                         .label = sf_cli_option(cli, "as"),
                         .home = cli->home_path,
                         .random = &sf_random_system},
        &estimate.walk);
    if (status != SF_OK) {
        return sf_cli_fail(
            status == SF_EINVAL || status == SF_EAUTH ? SF_EXIT_REFUSED : SF_EXIT_FAILED, "%s",
            estimate.walk.error);
    }
    exit = open_base(&estimate, to);
    if (exit == SF_EXIT_DONE) {
        exit = measure(&estimate);
    }
    if (exit == SF_EXIT_DONE) {
        exit =
            cli->json ? print_json(&estimate, to, rate_bps) : print_text(&estimate, to, rate_bps);
    }
    estimate_fini(&estimate);
    return exit;
}

static const struct sf_arg_option estimate_options[] = {
    SF_CLI_GLOBAL_OPTIONS,
    {"to", 't', "NAME", "say how long it takes at the rate of this peer"},
    {"as", 0, "NAME", "the name it would arrive under, as with `send`"},
    {"base", 'b', "OLD|TRANSFER|none", "against an earlier version, as `send` would"},
};

const struct sf_cli_command sf_cli_estimate = {
    .name = "estimate",
    .operands = "PATH... [--to NAME] [--base OLD|TRANSFER|none]",
    .summary = "Say how many bytes files would be on the wire; nothing is sent",
    .more = "Codes the files as `send` would, and says what each type of tensor came to.\n"
            "With --to that is against what `send` would find that the peer has of it, if the\n"
            "daemon runs. Of more than 4 GiB a part is coded and stands for the rest.\n",
    .options = estimate_options,
    .option_count = sizeof(estimate_options) / sizeof(estimate_options[0]),
    .operands_min = 1,
    .operands_max = SF_WALK_FILES_MAX,
    .run = run_estimate,
};
