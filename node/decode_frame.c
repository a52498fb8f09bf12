/*
 * decode_frame.c - one frame: from a piece of a bundle, or two, to a write.
 */
#include "bundle/delta.h"
#include "node/decode.h"

#include <stdlib.h>

_Static_assert(TASKS_MAX > PARTS_MAX, "parts that wait alone never stop the rest");

static void
task_free(struct task *task)
{
    free(task->joined);
    free(task->base);
    free(task->out_memory);
    free(task);
}

/* The power is gone; a part that waited for the other is not there to be freed again. */
static void
task_drop(struct flight *flight)
{
    struct task *task = FLIGHT_OF(flight, struct task);
    struct task **at = &task->decoder->parts;

    while (*at != NULL && *at != task) {
        at = &(*at)->next;
    }
    if (*at == task) {
        *at = task->next;
    }
    task_free(task);
}

/* It is decoded: what it came in and what it refers to are not needed for it any more. */
static void
release_coded(struct task *task)
{
    struct decoder *decoder = task->decoder;

    if (task->joined != NULL) {
        memory_give(decoder->in->node, task->total_bytes);
        free(task->joined);
        task->joined = NULL;
    }
    if (task->base != NULL) {
        memory_give(decoder->in->node, task->plain_bytes);
        decoder->frame_bytes -= task->plain_bytes;
        free(task->base);
        task->base = NULL;
    }
    for (int i = 0; i < 2; i++) {
        struct work *work = task->works[i];

        task->works[i] = NULL;
        if (work != NULL) {
            work->pending--;
            decode_work_release(work);
        }
    }
}

static void
task_finish(struct task *task)
{
    struct decoder *decoder = task->decoder;

    if (task->out_memory != NULL) {
        memory_give(decoder->in->node, task->out_bytes);
        decoder->frame_bytes -= task->plain_bytes;
    }
    release_coded(task);
    decoder->task_count--;
    memory_give(decoder->in->node, sizeof(*task));
    flight_end(&task->flight);
    task_free(task);
}

static void
frame_written(struct staging_write *write)
{
    struct task *task = write->owner;
    struct decoder *decoder = task->decoder;

    decoder->in_flight--;
    task_finish(task);
    decoder_step(decoder);
}

static void
write_task(struct task *task, uint64_t offset, struct sf_view bytes)
{
    struct decoder *decoder = task->decoder;
    uint64_t place = staging_place(decoder->staging, task->file, offset);

    /*
     * Of a bundle that is decoded a second time most is there. Never write over it: what was
     * verified since would be lost, and not missed, if the disk hit another place.
     */
    if (staging_has(decoder->staging, place, bytes.bytes)) {
        task_finish(task);
        return;
    }
    task->write = (struct staging_write){
        .done = frame_written,
        .owner = task,
        .file = task->file,
        .offset = offset,
        .bytes = bytes,
    };
    decoder->in_flight++;
    staging_write(decoder->staging, &task->write);
}

static struct task *
task_of(struct sf_job *job)
{
    return (struct task *)(void *)((char *)job - offsetof(struct task, job));
}

static void
run_decode(struct sf_job *job)
{
    struct task *task = task_of(job);
    struct sf_coded coded = {task->codec, task->coded};
    struct sf_coder *coder = NULL;
    struct sf_delta_base base = {.key = &task->decoder->in->seal->base, .bytes = task->base};

    task->status = node_coder(&task->decoder->in->node->coders, job, &coder);
    if (task->status != SF_OK) {
        return;
    }
    if (task->base != NULL) {
        task->status = sf_delta_decode(coder, &coded, &base, task->out, task->plain_bytes);
    } else {
        task->status = sf_frame_decode(coder, &coded, task->out, task->plain_bytes);
    }
}

static void
decoded(struct sf_job *job)
{
    struct task *task = task_of(job);
    struct decoder *decoder = task->decoder;

    decoder->in_flight--;
    if (task->status == SF_ENOMEM) {
        decode_out_of_memory(decoder);
    } else if (task->status == SF_EAUTH) {
        bases_set_changed(decoder->bases); /* the next step refuses it */
    } else if (task->status != SF_OK) {
        decode_damaged(decoder, "a frame cannot be decoded");
    }
    if (decoder->is_stopping || task->status != SF_OK) {
        task_finish(task);
        return;
    }
    release_coded(task);
    write_task(task, task->offset, sf_view(task->out, task->plain_bytes));
}

/* Memory for what is decoded; a large frame is placed so that it can go past the page cache. */
static bool
make_out(struct task *task)
{
    size_t lead = 0;

    task->out_bytes = task->plain_bytes;
    if (task->plain_bytes >= STAGING_DIRECT_BYTES_MIN) {
        lead = (size_t)(task->offset % SF_DISK_ALIGN);
        task->out_bytes += lead;
        task->out_memory = buffer_alloc(task->out_bytes);
    } else {
        task->out_memory = malloc(task->out_bytes);
    }
    if (task->out_memory == NULL) {
        return false;
    }
    task->out = task->out_memory + lead;
    task->decoder->frame_bytes += task->plain_bytes;
    memory_take(task->decoder->in->node, task->out_bytes);
    return true;
}

static void
run_task(struct task *task)
{
    struct decoder *decoder = task->decoder;

    if (!make_out(task)) {
        decode_out_of_memory(decoder);
        task_finish(task);
        return;
    }
    task->job = (struct sf_job){.run = run_decode, .done = decoded};
    decoder->in_flight++;
    sf_workers_submit(decoder->in->node->workers, &task->job);
}

static void
base_read(struct sf_disk_op *op)
{
    struct task *task = op->owner;
    struct decoder *decoder = task->decoder;

    decoder->in_flight--;
    if (op->status != SF_OK || op->ret_bytes != task->plain_bytes) {
        bases_set_changed(decoder->bases);
        task_finish(task);
        decoder_step(decoder);
    } else if (decoder->is_stopping) {
        task_finish(task);
    } else {
        run_task(task);
    }
}

/* Read what the frame refers to. */
static void
read_base(struct task *task)
{
    struct decoder *decoder = task->decoder;
    struct sf_coded coded = {task->codec, task->coded};
    struct sf_reference reference;
    uint64_t base_bytes;
    int file = bases_file(decoder->bases, task->file, &base_bytes);

    if (sf_reference_decode(&coded, &reference) != SF_OK || reference.offset > base_bytes ||
        task->plain_bytes > base_bytes - reference.offset) {
        decode_damaged(decoder, "a frame refers to what is beyond its base");
        task_finish(task);
        return;
    }
    task->base = malloc(task->plain_bytes);
    if (task->base == NULL) {
        decode_out_of_memory(decoder);
        task_finish(task);
        return;
    }
    decoder->frame_bytes += task->plain_bytes;
    memory_take(decoder->in->node, task->plain_bytes);
    task->read = (struct sf_disk_op){
        .kind = SF_DISK_READ,
        .file = file,
        .offset = reference.offset,
        .data = task->base,
        .bytes = task->plain_bytes,
        .done = base_read,
        .owner = task,
    };
    decoder->in_flight++;
    sf_disk_submit(decoder->in->node->disk, &task->read);
}

static void
decode_task(struct task *task)
{
    if (sf_codec_has_base(task->codec)) {
        read_base(task);
    } else {
        run_task(task);
    }
}

static struct task *
task_new(struct work *work, const struct sf_piece *piece)
{
    struct task *task = calloc(1, sizeof(*task));

    if (task == NULL) {
        decode_out_of_memory(work->decoder);
        return NULL;
    }
    flight_begin(&work->decoder->in->node->flights, &task->flight, task_drop);
    work->decoder->task_count++;
    memory_take(work->decoder->in->node, sizeof(*task));
    task->decoder = work->decoder;
    task->works[0] = work;
    task->file = piece->file;
    task->offset = piece->offset;
    task->codec = piece->codec;
    task->plain_bytes = piece->plain_bytes;
    task->total_bytes = piece->total_bytes;
    work->pending++;
    return task;
}

void
decode_drop_part(struct decoder *decoder, struct task **at)
{
    struct task *task = *at;

    sf_assert(task != NULL);
    *at = task->next;
    decoder->part_count--;
    task->works[0]->was_dropped = true;
    task_finish(task);
}

/* Room for one more: the one furthest behind in the line of bundles is decoded again later. */
static void
make_room_for_part(struct decoder *decoder)
{
    struct task **worst = &decoder->parts;

    if (decoder->part_count < PARTS_MAX) {
        return;
    }
    for (struct task **at = &decoder->parts; *at != NULL; at = &(*at)->next) {
        if ((*at)->works[0]->index > (*worst)->works[0]->index) {
            worst = at;
        }
    }
    decode_drop_part(decoder, worst);
}

static void
take_part(struct work *work, const struct sf_piece *piece)
{
    struct decoder *decoder = work->decoder;
    struct task **at = &decoder->parts;
    struct task *task;

    while (*at != NULL && ((*at)->file != piece->file || (*at)->offset != piece->offset)) {
        at = &(*at)->next;
    }
    task = *at;
    if (task != NULL) {
        uint32_t at_most = task->part_offset == 0 ? task->joined_bytes : 0;

        if (task->codec != piece->codec || task->total_bytes != piece->total_bytes ||
            task->joined_bytes + piece->bytes.bytes != task->total_bytes ||
            piece->part_offset != at_most) {
            decode_damaged(decoder, "the parts of a frame do not fit together");
            return;
        }
        memcpy(task->joined + piece->part_offset, piece->bytes.data, piece->bytes.bytes);
        *at = task->next;
        decoder->part_count--;
        task->works[1] = work;
        work->pending++;
        task->coded = sf_view(task->joined, task->total_bytes);
        decode_task(task);
        return;
    }
    make_room_for_part(decoder);
    task = task_new(work, piece);
    if (task == NULL) {
        return;
    }
    task->joined = malloc(piece->total_bytes);
    if (task->joined == NULL) {
        decode_out_of_memory(decoder);
        task_finish(task);
        return;
    }
    memory_take(decoder->in->node, task->total_bytes);
    memcpy(task->joined + piece->part_offset, piece->bytes.data, piece->bytes.bytes);
    task->joined_bytes = (uint32_t)piece->bytes.bytes;
    task->part_offset = piece->part_offset;
    task->next = decoder->parts;
    decoder->parts = task;
    decoder->part_count++;
}

void
decode_take_frame(struct work *work, const struct sf_piece *piece)
{
    struct decoder *decoder = work->decoder;
    uint64_t place;
    struct task *task;

    if (sf_outline_check_piece(&decoder->outline, piece) != SF_OK) {
        decode_damaged(decoder, "a frame does not fit the outline");
        return;
    }
    place = staging_place(decoder->staging, piece->file, piece->offset);
    decode_work_end(work, place + piece->plain_bytes);
    if (staging_has(decoder->staging, place, piece->plain_bytes)) {
        return; /* written before a restart, or before this bundle was decoded again */
    }
    if (piece->codec == SF_CODEC_ZERO) {
        staging_zeros(decoder->staging, place, piece->plain_bytes);
        return;
    }
    if (piece->codec != SF_CODEC_RAW && !sf_piece_is_whole(piece)) {
        take_part(work, piece);
        return;
    }
    task = task_new(work, piece);
    if (task == NULL) {
        return;
    }
    task->coded = piece->bytes;
    if (piece->codec == SF_CODEC_RAW) {
        /* Parts of a raw frame need not wait for each other. */
        task->offset += piece->part_offset;
        task->plain_bytes = (uint32_t)piece->bytes.bytes;
    }
    if (piece->codec == SF_CODEC_RAW && piece->bytes.bytes < STAGING_DIRECT_BYTES_MIN) {
        write_task(task, task->offset, task->coded);
    } else {
        decode_task(task); /* a large raw one only moves to where pages begin */
    }
}
