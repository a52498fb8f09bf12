/*
 * intake_read.c - the sources are cut into frames, and the frames read.
 */
#include "node/intake.h"

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

/* Go to the next file that has bytes left. False if there is none. */
static bool
find_file(struct intake *intake)
{
    while (intake->read_file < intake->outline.file_count &&
           intake->read_offset == intake->outline.files[intake->read_file].bytes) {
        intake->read_file++;
        intake->read_offset = 0;
    }
    return intake->read_file < intake->outline.file_count;
}

static void
read_frame(struct intake *intake)
{
    struct frame *frame = &intake->frames[intake->read_next % intake->frame_ring];
    uint64_t left = intake->outline.files[intake->read_file].bytes - intake->read_offset;
    uint32_t most = intake->outline.frame_bytes;

    frame->state = FRAME_READING;
    frame->file = intake->read_file;
    frame->offset = intake->read_offset;
    frame->plain_bytes = left < most ? (uint32_t)left : most;
    frame->is_hashed = false;
    frame->is_coded = false;
    frame->is_packed = false;
    frame->op = (struct sf_disk_op){
        .kind = SF_DISK_READ,
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
