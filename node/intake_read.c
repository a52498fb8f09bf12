/*
 * intake_read.c - the sources are cut into frames, and the frames read.
 *
 * A file's header is read first, in windows, for where its tensors are (bundle/tensors.h). That
 * overlaps with the frames of the file before it.
 */
#include "node/intake.h"

#include "base/assert.h"

static void
frame_read(struct sf_disk_op *op)
{
    struct frame *frame = op->owner;
    struct intake *intake = frame->intake;

    intake->in_flight--;
    frame->state = FRAME_READ;
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
        sf_tensors_input(intake->tensors, sf_view(intake->window, op->bytes));
        step_plan(intake);
    }
    intake_step(intake);
}

/* Read the next window of the file's header; when none is needed, the file is planned. */
static void
step_plan(struct intake *intake)
{
    uint64_t file_bytes = intake->outline.files[intake->read_file].bytes;
    const struct sf_tensor *tensors;
    size_t count;
    uint64_t offset;
    uint32_t bytes;

    if (intake->is_stopping) {
        return;
    }
    if (!sf_tensors_wants(intake->tensors, &offset, &bytes)) {
        tensors = sf_tensors_list(intake->tensors, &count);
        sf_layout_init(&intake->layout, tensors, count, file_bytes, intake->outline.frame_bytes);
        intake->is_planned = true;
        return;
    }
    intake->window_op = (struct sf_disk_op){
        .kind = SF_DISK_READ,
        .file = intake->sources[intake->read_file].file,
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
        step_plan(intake);
    }
    return intake->is_planned;
}

/* --- Reading --------------------------------------------------------------------------- */

static void
read_frame(struct intake *intake)
{
    struct frame *frame = &intake->frames[intake->read_next % intake->frame_ring];
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
    frame->op = (struct sf_disk_op){
        .kind = SF_DISK_READ,
        .flags = SF_DISK_SPARSE,
        .file = intake->sources[frame->file].file,
        .offset = frame->offset,
        .data = frame->plain,
        .bytes = frame->plain_bytes,
        .done = frame_read,
        .owner = frame,
    };
    intake->read_offset += frame->plain_bytes;
    intake->read_next++;
    intake->in_flight++;
    sf_disk_submit(intake->out->node->disk, &frame->op);
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
