/*
 * intake_open.c - the beginning and the end of an intake: names and sizes are
 * checked, the class is chosen and the outline encoded; the sources are closed.
 */
#include "node/intake.h"

#include <stdio.h>
#include <stdlib.h>

struct named {
    const struct sf_node_source *source;
    const char *path;
};

static int
compare_named(const void *a, const void *b)
{
    return sf_path_compare(((const struct named *)a)->path, ((const struct named *)b)->path);
}

/* Say in the outline what file `i` builds on. */
static void
add_base(struct intake *intake, uint32_t i, const struct sf_node_base *from,
    const struct intake_use *use)
{
    struct sf_outline_base *base = &intake->outline.bases[intake->outline.base_count++];

    sf_assert(use->base != NULL);
    intake->sources[i].base_file = from->file;
    intake->sources[i].base_stat = from->stat;
    *base = (struct sf_outline_base){
        .file = i,
        .bytes = from->stat.bytes,
        .path = use->base->record.single_file ? "" : intake->outline.files[i].path,
    };
    memcpy(base->sha256, from->sha256.b, sizeof(base->sha256));
}

/* Copy the paths, NUL-terminated, and put the sources in the order of the manifest. */
static int
sort_sources(struct intake *intake, const struct intake_use *use, struct sf_node_error *error)
{
    const struct sf_node_send *send = use->send;
    struct named *named = calloc(send->source_count, sizeof(*named));
    size_t bytes = send->label.bytes + 1;
    char *at;

    for (size_t i = 0; i < send->source_count; i++) {
        bytes += send->sources[i].path.bytes + 1;
    }
    intake->names = malloc(bytes);
    if (named == NULL || intake->names == NULL) {
        free(named);
        return node_error(error, SF_ENOMEM, "out of memory");
    }
    at = intake->names;
    memcpy(at, send->label.data, send->label.bytes);
    at[send->label.bytes] = '\0';
    intake->outline.label = at;
    at += send->label.bytes + 1;
    for (size_t i = 0; i < send->source_count; i++) {
        struct sf_view path = send->single_file ? send->label : send->sources[i].path;

        if (sf_path_check((const char *)path.data, path.bytes) != SF_OK) {
            free(named);
            return node_error(error, SF_EINVAL,
                "file %zu of the transfer: its name cannot be delivered; components are 1 to %d "
                "bytes, not . or .., at most %d of them",
                i + 1, SF_COMPONENT_BYTES_MAX, SF_COMPONENTS_MAX);
        }
        named[i].source = &send->sources[i];
        named[i].path = send->single_file ? intake->outline.label : at;
        if (!send->single_file) {
            memcpy(at, path.data, path.bytes);
            at[path.bytes] = '\0';
            at += path.bytes + 1;
        }
    }
    qsort(named, send->source_count, sizeof(*named), compare_named);
    for (size_t i = 0; i < send->source_count; i++) {
        const struct sf_disk_stat *stat = &named[i].source->stat;

        intake->sources[i] = (struct source){
            .file = named[i].source->file, .stat = *stat, .base_file = SF_DISK_NO_FILE};
        intake->outline.files[i] = (struct sf_outline_file){
            .path = named[i].path,
            .bytes = stat->bytes,
            .mtime_ms = stat->mtime_ns / 1000000,
            .executable = named[i].source->executable,
        };
        intake->digests[i].bytes = stat->bytes;
        sf_sha256(sf_view(NULL, 0), intake->digests[i].sha256);
        intake->outline.total_bytes += stat->bytes;
        if (use->role == SF_OUT_DELTA && named[i].source->base != NULL) {
            add_base(intake, (uint32_t)i, named[i].source->base, use);
        }
    }
    free(named);
    return SF_OK;
}

/* Choose the class by the outline's length, then encode the outline for good. */
static int
encode_outline(struct intake *intake, uint32_t fixed_class, struct sf_class_choice *ret_choice,
    struct sf_node_error *error)
{
    struct sf_class_input input = {
        .total_bytes = intake->outline.total_bytes,
        .file_count = intake->outline.file_count,
        .fixed = fixed_class,
        /* Larger bundles save nothing and make memory and repair coarser. */
        .largest = SF_CLASS_AUTO_MAX,
        .is_delta = intake->outline.base_count > 0,
    };
    size_t bytes;
    int status;

    intake->outline.class_bytes = SF_CLASS_DATA_MAX;
    intake->outline.frame_bytes = sf_outline_frame_bytes_for(SF_CLASS_DATA_MAX);
    status = sf_outline_encode(&intake->outline, NULL, 0, &bytes);
    if (status != SF_OK) {
        return node_error(error, status == SF_EFORMAT ? SF_EINVAL : status,
            "the names of the transfer: %s",
            status == SF_ELIMIT ? "too many or too long, or all files together too large"
                                : "two are the same, or one is a directory of another");
    }
    input.outline_bytes = bytes;
    status = sf_class_choose(&input, ret_choice);
    if (status != SF_OK) {
        return node_error(error, status,
            "%llu bytes do not fit a transfer of bundles of this size; send it in parts",
            (unsigned long long)intake->outline.total_bytes);
    }
    intake->outline.class_bytes = ret_choice->class_bytes;
    intake->outline.frame_bytes = ret_choice->frame_bytes;
    intake->outline_bytes = malloc(bytes + 64);
    if (intake->outline_bytes == NULL || sf_outline_encode(&intake->outline, intake->outline_bytes,
                                             bytes + 64, &intake->outline_count) != SF_OK) {
        return node_error(error, SF_ENOMEM, "out of memory");
    }
    return SF_OK;
}

static int
allocate_window(struct intake *intake, uint32_t workers)
{
    intake->frame_ring = 2 * (uint64_t)workers + 2 < FRAMES_MAX ? 2 * workers + 2 : FRAMES_MAX;
    intake->bundle_ring = workers + 2 < BUNDLES_MAX ? workers + 2 : BUNDLES_MAX;
    intake->window = buffer_alloc(SF_TENSORS_WINDOW_BYTES_MAX);
    if (intake->window == NULL || sf_tensors_open(&intake->tensors) != SF_OK) {
        return SF_ENOMEM;
    }
    if (intake->outline.base_count > 0) {
        /* Three buffers for each frame instead of two: no more memory than without bases. */
        intake->frame_ring -= intake->frame_ring / 3;
        return sf_tensors_open(&intake->base_tensors);
    }
    return SF_OK;
}

static uint64_t
frames_bytes(const struct intake *intake)
{
    uint64_t buffers = intake->outline.base_count > 0 ? 3 : 2;

    return intake->frame_ring * buffers * intake->outline.frame_bytes;
}

int
intake_take_frames(struct intake *intake)
{
    memory_take(intake->out->node, frames_bytes(intake));
    intake->has_frames = true;
    for (uint64_t i = 0; i < intake->frame_ring; i++) {
        struct frame *frame = &intake->frames[i];

        frame->intake = intake;
        frame->plain = buffer_alloc(intake->outline.frame_bytes);
        frame->scratch = malloc(intake->outline.frame_bytes);
        if (intake->outline.base_count > 0) {
            frame->base = buffer_alloc(intake->outline.frame_bytes);
        }
        if (frame->plain == NULL || frame->scratch == NULL ||
            (intake->outline.base_count > 0 && frame->base == NULL)) {
            intake_give_frames(intake);
            return SF_ENOMEM;
        }
    }
    return SF_OK;
}

void
intake_give_frames(struct intake *intake)
{
    if (!intake->has_frames) {
        return;
    }
    for (size_t i = 0; i < FRAMES_MAX; i++) {
        free(intake->frames[i].plain);
        free(intake->frames[i].scratch);
        free(intake->frames[i].base);
        intake->frames[i].base = NULL;
        intake->frames[i].plain = NULL;
        intake->frames[i].scratch = NULL;
    }
    intake->has_frames = false;
    intake->has_turn = false;
    memory_give(intake->out->node, frames_bytes(intake));
    if (intake->out->node->sealing == intake) {
        intake->out->node->sealing = NULL;
    }
}

/* An empty one with room for what is sent, or NULL. */
static struct intake *
intake_alloc(size_t source_count)
{
    struct intake *intake = calloc(1, sizeof(*intake));

    if (intake == NULL) {
        return NULL;
    }
    intake->sources = calloc(source_count, sizeof(*intake->sources));
    intake->digests = calloc(source_count, sizeof(*intake->digests));
    intake->outline.files = calloc(source_count, sizeof(*intake->outline.files));
    if (intake->sources == NULL || intake->digests == NULL || intake->outline.files == NULL) {
        intake_free(intake);
        return NULL;
    }
    return intake;
}

int
intake_open(struct sf_node *node, const struct intake_use *use, struct intake **ret_intake,
    struct sf_class_choice *ret_choice, struct sf_node_error *error)
{
    const struct sf_node_send *send = use->send;
    struct intake *intake = intake_alloc(send->source_count);
    int status;

    if (intake == NULL) {
        return node_error(error, SF_ENOMEM, "out of memory");
    }
    intake->outline.single = send->single_file;
    intake->outline.file_count = (uint32_t)send->source_count;
    intake->outline.has_parent = use->role == SF_OUT_WHOLE;
    intake->is_borrowing = use->role == SF_OUT_WHOLE;
    if (intake->outline.has_parent) {
        intake->outline.parent = use->pair;
    } else if (use->base != NULL) {
        intake->outline.base_transfer = use->base->id;
    }
    status = sort_sources(intake, use, error);
    if (status == SF_OK) {
        status = encode_outline(intake, use->fixed_class, ret_choice, error);
    }
    if (status == SF_OK && allocate_window(intake, node->config.worker_count) != SF_OK) {
        status = node_error(error, SF_ENOMEM, "out of memory");
    }
    if (status != SF_OK) {
        intake_free(intake);
        return status;
    }
    *ret_intake = intake;
    return SF_OK;
}

struct closing {
    struct flight flight;
    struct sf_disk_op op;
};

static void
closing_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct closing));
}

static void
closed(struct sf_disk_op *op)
{
    struct closing *closing = op->owner;

    flight_end(&closing->flight);
    free(closing);
}

void
intake_close_source(struct sf_node *node, int file)
{
    struct closing *closing = calloc(1, sizeof(*closing));

    if (closing != NULL) {
        closing->op = (struct sf_disk_op){
            .kind = SF_DISK_CLOSE, .file = file, .done = closed, .owner = closing};
        flight_begin(&node->flights, &closing->flight, closing_drop);
        sf_disk_submit(node->disk, &closing->op);
    }
}

void
intake_free(struct intake *intake)
{
    if (intake == NULL) {
        return;
    }
    intake_give_frames(intake);
    /* There are none before it belongs to a transfer. */
    for (size_t i = 0; intake->out != NULL && i < BUNDLES_MAX; i++) {
        if (intake->bundles[i].object != NULL) {
            memory_give(intake->out->node, intake->out->record.class_bytes);
            free(intake->bundles[i].object);
        }
    }
    sf_tensors_close(intake->tensors);
    sf_tensors_close(intake->base_tensors);
    sf_match_fini(&intake->match);
    free(intake->window);
    free(intake->sources);
    free(intake->digests);
    free(intake->outline_bytes);
    free(intake->digest_bytes);
    free(intake->outline.files);
    free(intake->names);
    sf_wipe(&intake->hash, sizeof(intake->hash));
    free(intake);
}

void
intake_close(struct intake *intake)
{
    for (uint32_t i = 0; i < intake->outline.file_count && !intake->is_borrowing; i++) {
        intake_close_source(intake->out->node, intake->sources[i].file);
        if (intake->sources[i].base_file != SF_DISK_NO_FILE) {
            intake_close_source(intake->out->node, intake->sources[i].base_file);
        }
    }
    intake_free(intake);
}
