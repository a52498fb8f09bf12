/*
 * intake_read.c - the sources are cut into frames, and the frames read.
 *
 * A file's header is read first, in windows, for where its tensors are (bundle/tensors.h), and then
 * that of its base, if it has one. That overlaps with the frames of the file before it.
 */
#include "node/intake.h"

#include "base/assert.h"

static void
frame_read(struct sf_disk_op *op)
{
    struct frame *frame = op->owner;
    struct intake *intake = frame->intake;

    intake->in_flight--;
    frame->reads--;
    if (frame->reads == 0) {
        frame->state = FRAME_READ;
    }
    if (op->status != SF_OK) {
        intake_stop_with(intake, SF_CANCEL_SOURCE_FAILED, "a source file could not be read");
    } else if (op->ret_bytes != frame->plain_bytes) {
        intake_stop_with(intake, SF_CANCEL_SOURCE_CHANGED,
            "a source file became shorter while it was sealed; send it again when it is at rest");
    }
    intake_step(intake);
}

/* --- How a file is cut ------------------------------------------------------------------- */

static void step_plan(struct intake *intake);

static void
window_read(struct sf_disk_op *op)
{
    struct intake *intake = op->owner;

    intake->in_flight--;
    intake->is_planning = false;
    if (op->status != SF_OK) {
        intake_stop_with(intake, SF_CANCEL_SOURCE_FAILED, "a source file could not be read");
    } else if (op->ret_bytes != op->bytes) {
        intake_stop_with(intake, SF_CANCEL_SOURCE_CHANGED,
            "a source file became shorter while it was sealed; send it again when it is at rest");
    } else {
        sf_tensors_input(intake->is_base_planned ? intake->base_tensors : intake->tensors,
            sf_view(intake->window, op->bytes));
        step_plan(intake);
    }
    intake_step(intake);
}

static void
read_window(struct intake *intake, int file, uint64_t offset, uint32_t bytes)
{
    intake->window_op = (struct sf_disk_op){
        .kind = SF_DISK_READ,
        .flags = SF_DISK_ONCE,
        .file = file,
        .offset = offset,
        .data = intake->window,
        .bytes = bytes,
        .done = window_read,
        .owner = intake,
    };
    intake->is_planning = true;
    intake->in_flight++;
    sf_disk_submit(intake->out->node->disk, &intake->window_op);
}

static struct sf_match_file
match_file(const struct sf_tensors *tensors, uint64_t bytes)
{
    struct sf_match_file file = {.bytes = bytes};

    file.tensors = sf_tensors_list(tensors, &file.count);
    return file;
}

/* Both headers are read: where is what of the file in its base? */
static bool
match_base(struct intake *intake)
{
    const struct source *source = &intake->sources[intake->read_file];
    struct sf_match_file file = match_file(intake->tensors, source->stat.bytes);
    struct sf_match_file base = match_file(intake->base_tensors, source->base_stat.bytes);

    if (sf_match_init(&intake->match, &file, &base) == SF_OK) {
        return true;
    }
    intake_stop_with(intake, SF_CANCEL_CUSTODY_LOST, "out of memory");
    return false;
}

/* Read the next window of the file's header, then of its base's; when none is needed, it is planned. */
static void
step_plan(struct intake *intake)
{
    const struct source *source = &intake->sources[intake->read_file];
    bool has_base = source->base_file != SF_DISK_NO_FILE;
    const struct sf_tensor *tensors;
    size_t count;
    uint64_t offset;
    uint32_t bytes;

    if (intake->is_stopping) {
        return;
    }
    if (sf_tensors_wants(intake->tensors, &offset, &bytes)) {
        read_window(intake, source->file, offset, bytes);
        return;
    }
    if (has_base && !intake->is_base_planned) {
        intake->is_base_planned = true;
        sf_tensors_begin(intake->base_tensors, source->base_stat.bytes);
    }
    if (has_base && sf_tensors_wants(intake->base_tensors, &offset, &bytes)) {
        read_window(intake, source->base_file, offset, bytes);
        return;
    }
    if (has_base && !match_base(intake)) {
        return;
    }
    tensors = sf_tensors_list(intake->tensors, &count);
    sf_layout_init(
        &intake->layout, tensors, count, source->stat.bytes, intake->outline.frame_bytes);
    intake->is_planned = true;
}

/* Go to the next file that has bytes left, and plan it. False while there is none to read. */
static bool
find_file(struct intake *intake)
{
    while (intake->read_file < intake->outline.file_count &&
           intake->read_offset == intake->outline.files[intake->read_file].bytes) {
        intake->read_file++;
        intake->read_offset = 0;
        intake->is_planned = false;
    }
    if (intake->read_file == intake->outline.file_count || intake->is_planning) {
        return false;
    }
    if (!intake->is_planned) {
        uint64_t bytes = intake->outline.files[intake->read_file].bytes;

        /* What fits one frame is cut in no case. */
        sf_tensors_begin(intake->tensors, bytes <= intake->outline.frame_bytes ? 0 : bytes);
        sf_match_fini(&intake->match);
        intake->is_base_planned = false;
        step_plan(intake);
    }
    return intake->is_planned;
}

/* --- Reading --------------------------------------------------------------------------- */

static void
read_into(struct frame *frame, struct sf_disk_op *op, struct sf_disk_op read)
{
    *op = read;
    op->kind = SF_DISK_READ;
    op->flags |= SF_DISK_ONCE;
    op->bytes = frame->plain_bytes;
    op->done = frame_read;
    op->owner = frame;
    frame->reads++;
    frame->intake->in_flight++;
    sf_disk_submit(frame->intake->out->node->disk, op);
}

static void
read_frame(struct intake *intake)
{
    struct frame *frame = &intake->frames[intake->read_next % intake->frame_ring];
    const struct source *source = &intake->sources[intake->read_file];
    struct sf_layout_frame next = {.bytes = 0};
    bool is_there = sf_layout_next(&intake->layout, &next);

    sf_assert(is_there);
    frame->state = FRAME_READING;
    frame->file = intake->read_file;
    frame->offset = next.offset;
    frame->plain_bytes = next.bytes;
    frame->element = next.element;
    frame->lead = next.lead;
    frame->is_hashed = false;
    frame->is_coded = false;
    frame->is_packed = false;
    frame->reads = 0;
    frame->has_base = source->base_file != SF_DISK_NO_FILE &&
                      sf_match_find(&intake->match, &next, &frame->base_offset);
    intake->read_offset += frame->plain_bytes;
    intake->read_next++;
    read_into(frame, &frame->op,
        (struct sf_disk_op){.flags = SF_DISK_SPARSE,
            .file = source->file,
            .offset = frame->offset,
            .data = frame->plain});
    if (frame->has_base) {
        read_into(frame, &frame->base_op,
            (struct sf_disk_op){
                .file = source->base_file, .offset = frame->base_offset, .data = frame->base});
    }
}

void
intake_read(struct intake *intake)
{
    while (intake->read_next - intake->free_next < intake->frame_ring && find_file(intake)) {
        read_frame(intake);
    }
}

bool
intake_is_read(const struct intake *intake)
{
    return intake->read_file == intake->outline.file_count;
}
