/*
 * intake.c - files into custody: read, hash, code, pack, seal, store.
 *
 *     disk        workers          this thread      workers     spool
 *     READ  ->  SHA-256 (in order)
 *           ->  code (each frame) ->  pack  ------>  seal  ->  put  ->  may fly
 *
 * Frames stand in a ring in the order of the manifest; hashing and packing
 * follow that order, coding and sealing do not. Memory is the two rings,
 * whatever the size of the transfer.
 *
 * The same source gives the same bundles. So after a restart the whole source
 * goes through again; a bundle that was journalled is only compared with its
 * siv, never sealed a second time, and any difference ends the transfer.
 */
#include "node/intake.h"

#include "base/crc32c.h"
#include "bundle/delta.h"

#include <stdlib.h>

void
intake_stop_with(struct intake *intake, enum sf_cancel_reason reason, const char *why)
{
    if (!intake->is_stopping) {
        outbound_fail(intake->out, reason, why);
    }
}

/* --- Hashing and coding ---------------------------------------------------------- */

static struct intake *
intake_of_hash(struct sf_job *job)
{
    return (struct intake *)(void *)((char *)job - offsetof(struct intake, hash_job));
}

static struct frame *
frame_of_code(struct sf_job *job)
{
    return (struct frame *)(void *)((char *)job - offsetof(struct frame, code));
}

/* On a worker: every frame from hash_next to hash_until, in order. */
static void
run_hash(struct sf_job *job)
{
    struct intake *intake = intake_of_hash(job);

    for (uint64_t i = intake->hash_next; i < intake->hash_until; i++) {
        const struct frame *frame = &intake->frames[i % intake->frame_ring];

        if (frame->offset == 0) {
            sf_sha256_init(&intake->hash);
        }
        sf_sha256_update(&intake->hash, frame->plain, frame->plain_bytes);
        if (frame->offset + frame->plain_bytes == intake->outline.files[frame->file].bytes) {
            sf_sha256_final(&intake->hash, intake->digests[frame->file].sha256);
        }
    }
}

static void
hash_done(struct sf_job *job)
{
    struct intake *intake = intake_of_hash(job);

    for (; intake->hash_next < intake->hash_until; intake->hash_next++) {
        struct frame *frame = &intake->frames[intake->hash_next % intake->frame_ring];

        frame->is_hashed = true;
        intake->hashed_bytes += frame->plain_bytes;
    }
    intake->is_hashing = false;
    intake->in_flight--;
    intake_step(intake);
}

static void
hash_frames(struct intake *intake)
{
    uint64_t until = intake->hash_next;

    if (intake->is_hashing) {
        return;
    }
    while (until < intake->read_next &&
           intake->frames[until % intake->frame_ring].state == FRAME_READ) {
        until++;
    }
    if (until == intake->hash_next) {
        return;
    }
    intake->hash_until = until;
    intake->is_hashing = true;
    intake->in_flight++;
    intake->hash_job = (struct sf_job){.run = run_hash, .done = hash_done};
    sf_workers_submit(intake->out->node->workers, &intake->hash_job);
}

static void
run_code(struct sf_job *job)
{
    struct frame *frame = frame_of_code(job);
    struct sf_node *node = frame->intake->out->node;
    struct sf_frame plain = {
        sf_view(frame->plain, frame->plain_bytes), frame->element, frame->lead};
    struct sf_delta_base base = {
        .key = &frame->intake->out->seal->base, .offset = frame->base_offset, .bytes = frame->base};
    struct sf_coder *coder = NULL;

    if (node->config.code_raw) {
        frame->status = SF_OK;
        frame->coded = (struct sf_coded){SF_CODEC_RAW, plain.plain};
        return;
    }
    frame->status = node_coder(&node->coders, job, &coder);
    if (frame->status != SF_OK) {
        return;
    }
    if (frame->has_base) {
        sf_delta_encode(coder, &plain, &base, frame->scratch, &frame->coded);
    } else {
        sf_frame_encode(coder, &plain, frame->scratch, &frame->coded);
    }
}

static void
code_done(struct sf_job *job)
{
    struct frame *frame = frame_of_code(job);

    frame->is_coded = frame->status == SF_OK;
    if (!frame->is_coded) {
        intake_stop_with(frame->intake, SF_CANCEL_CUSTODY_LOST, "out of memory");
    }
    frame->intake->in_flight--;
    intake_step(frame->intake);
}

static void
code_frames(struct intake *intake)
{
    for (uint64_t i = intake->pack_next; i < intake->read_next; i++) {
        struct frame *frame = &intake->frames[i % intake->frame_ring];

        if (frame->state == FRAME_READ && !frame->is_coded && frame->code.run == NULL) {
            frame->code = (struct sf_job){.run = run_code, .done = code_done};
            intake->in_flight++;
            sf_workers_submit(intake->out->node->workers, &frame->code);
        }
    }
}

/* --- Sealing ----------------------------------------------------------------------- */

static struct bundle *
bundle_of_seal(struct sf_job *job)
{
    return (struct bundle *)(void *)((char *)job - offsetof(struct bundle, seal));
}

static void
run_seal(struct sf_job *job)
{
    struct bundle *bundle = bundle_of_seal(job);
    const struct outbound *out = bundle->intake->out;

    if (bundle->is_known) {
        bundle->status = sf_envelope_siv(out->seal, SF_KIND_DATA, bundle->index, bundle->object,
            out->record.class_bytes, bundle->content_bytes, bundle->siv);
    } else {
        bundle->status =
            sf_envelope_seal(out->seal, out->node->identity, SF_KIND_DATA, bundle->index,
                bundle->object, out->record.class_bytes, bundle->content_bytes, bundle->siv);
        /* What tells rot in the spool when the key is gone. */
        sf_put_be32(bundle->siv + SEALED_TAG_SIV_BYTES,
            sf_crc32c(0, bundle->object, out->record.class_bytes));
    }
}

static void
bundle_free(struct bundle *bundle)
{
    memory_give(bundle->intake->out->node, bundle->intake->out->record.class_bytes);
    free(bundle->object);
    bundle->object = NULL;
    bundle->is_used = false;
}

static void
bundle_stored(struct sf_spool_put *put)
{
    struct bundle *bundle = put->owner;
    struct intake *intake = bundle->intake;
    struct outbound *out = intake->out;

    intake->in_flight--;
    if (put->status != SF_OK) {
        bundle_free(bundle);
        intake_stop_with(intake, SF_CANCEL_CUSTODY_LOST,
            "the spool could not be written; see `skyferry doctor` about the disk");
    } else {
        /* From memory while it is fresh; the cache frees it. */
        memory_give(out->node, out->record.class_bytes);
        cache_insert(out->node, out, bundle->index, bundle->object);
        bundle->object = NULL;
        bundle->is_used = false;
        if (!intake->is_stopping) {
            outbound_sealed(out, bundle->index);
        }
    }
    intake_step(intake);
}

static void
seal_done(struct sf_job *job)
{
    struct bundle *bundle = bundle_of_seal(job);
    struct intake *intake = bundle->intake;
    struct outbound *out = intake->out;
    const uint8_t *tag;

    intake->in_flight--;
    if (bundle->status != SF_OK) {
        bundle_free(bundle);
        intake_stop_with(intake, SF_CANCEL_CUSTODY_LOST, "a bundle could not be sealed");
    } else if (bundle->is_known) {
        tag = sf_journal_tag(out->node->journal, SF_TABLE_OUT_SEALED,
            sf_view(out->id.b, sizeof(out->id.b)), bundle->index);
        if (tag == NULL || !sf_ct_equal(tag, bundle->siv, SEALED_TAG_SIV_BYTES)) {
            intake_stop_with(intake, SF_CANCEL_SOURCE_CHANGED,
                "the source, or a library that codes it, is not what it was before the restart; "
                "send it again as a new transfer");
        }
        bundle_free(bundle);
    } else if (intake->is_stopping || out->spool == NULL) {
        bundle_free(bundle);
    } else {
        bundle->put = (struct sf_spool_put){
            .done = bundle_stored,
            .owner = bundle,
            .spool = out->spool,
            .index = bundle->index,
            .object = bundle->object,
            .table = SF_TABLE_OUT_SEALED,
            .key = sf_view(out->id.b, sizeof(out->id.b)),
            .tag = bundle->siv,
        };
        intake->in_flight++;
        sf_spool_put(&bundle->put);
    }
    intake_step(intake);
}

/* --- Packing --------------------------------------------------------------------------- */

/* A bundle to fill, or false if all are on their way. */
static bool
begin_bundle(struct intake *intake)
{
    uint32_t class_bytes = intake->out->record.class_bytes;

    if (intake->filling != NULL) {
        return true;
    }
    for (size_t i = 0; i < intake->bundle_ring; i++) {
        struct bundle *bundle = &intake->bundles[i];

        if (bundle->is_used) {
            continue;
        }
        bundle->object = buffer_alloc(class_bytes);
        if (bundle->object == NULL) {
            intake_stop_with(intake, SF_CANCEL_CUSTODY_LOST, "out of memory");
            return false;
        }
        memory_take(intake->out->node, class_bytes);
        bundle->intake = intake;
        bundle->is_used = true;
        bundle->index = intake->bundle_next++;
        bundle->is_known = sf_range_set_has(&intake->out->sealed, bundle->index);
        sf_content_writer_init(&intake->writer,
            bundle->object + sf_envelope_content_offset(class_bytes),
            sf_envelope_capacity(class_bytes));
        intake->filling = bundle;
        return true;
    }
    return false;
}

static void
finish_bundle(struct intake *intake)
{
    struct bundle *bundle = intake->filling;

    bundle->content_bytes = sf_content_finish(&intake->writer);
    intake->filling = NULL;
    if (bundle->index >= intake->out->record.slots) {
        bundle_free(bundle);
        intake_stop_with(
            intake, SF_CANCEL_CUSTODY_LOST, "the transfer does not fit the slots reserved");
        return;
    }
    bundle->seal = (struct sf_job){.run = run_seal, .done = seal_done};
    intake->in_flight++;
    sf_workers_submit(intake->out->node->workers, &bundle->seal);
}

/* Pack the next frame as far as it goes. Returns whether more may be packed. */
static bool
pack_frame(struct intake *intake)
{
    struct frame *frame = &intake->frames[intake->pack_next % intake->frame_ring];
    struct sf_coded_frame coded;

    /* Until it is coded, `coded` belongs to the worker. */
    if (intake->pack_next == intake->read_next || !frame->is_coded) {
        return false;
    }
    coded = (struct sf_coded_frame){
        .file = frame->file,
        .offset = frame->offset,
        .codec = frame->coded.codec,
        .plain_bytes = frame->plain_bytes,
        .coded = frame->coded.bytes,
    };
    if (!begin_bundle(intake)) {
        return false;
    }
    if (sf_content_add_frame(&intake->writer, &coded, &intake->pack_offset)) {
        frame->is_packed = true;
        intake->pack_offset = 0;
        intake->pack_next++;
    } else {
        finish_bundle(intake);
    }
    return true;
}

static bool
pack_outline(struct intake *intake)
{
    if (intake->outline_offset == intake->outline_count) {
        return false;
    }
    if (!begin_bundle(intake)) {
        return false;
    }
    if (!sf_content_add_outline(&intake->writer,
            sf_view(intake->outline_bytes, intake->outline_count), &intake->outline_offset)) {
        finish_bundle(intake);
    }
    return true;
}

/* How many bundles there will be with digests of this length: packs them on a copy. */
static bool
count_bundles(const struct intake *intake, uint64_t *ret_count)
{
    size_t capacity = sf_envelope_capacity(intake->out->record.class_bytes);
    struct sf_view digests = sf_view(intake->digest_bytes, intake->digest_count);
    struct sf_content_writer writer = intake->writer;
    uint8_t *scratch = malloc(capacity);
    uint64_t count = intake->bundle_next;
    size_t offset = 0;

    if (scratch == NULL) {
        return false;
    }
    if (intake->filling == NULL) {
        count++;
        sf_content_writer_init(&writer, scratch, capacity);
    }
    while (!sf_content_add_digests(&writer, digests, &offset)) {
        count++;
        sf_content_writer_init(&writer, scratch, capacity);
    }
    free(scratch);
    *ret_count = count;
    return true;
}

/* All frames are packed and hashed: the digests end the last bundle, and say how many there are. */
static bool
encode_digests(struct intake *intake)
{
    struct sf_digests digests = {
        .bundle_count = intake->bundle_next + 1,
        .files = intake->digests,
        .file_count = intake->outline.file_count,
    };
    size_t bytes_max = sf_digests_bytes_max(intake->outline.file_count);
    uint64_t count = 0;

    intake->digest_bytes = malloc(bytes_max);
    if (intake->digest_bytes == NULL) {
        return false;
    }
    while (digests.bundle_count != count) {
        digests.bundle_count = count == 0 ? digests.bundle_count : count;
        if (sf_digests_encode(&digests, intake->digest_bytes, bytes_max, &intake->digest_count) !=
                SF_OK ||
            !count_bundles(intake, &count)) {
            return false;
        }
    }
    return true;
}

static bool
pack_digests(struct intake *intake)
{
    if (intake->is_packed || !intake_is_read(intake) || intake->pack_next != intake->read_next ||
        intake->hash_next != intake->read_next || intake->outline_offset != intake->outline_count) {
        return false;
    }
    if (intake->digest_bytes == NULL && !encode_digests(intake)) {
        intake_stop_with(intake, SF_CANCEL_CUSTODY_LOST, "the digests could not be written");
        return false;
    }
    if (!begin_bundle(intake)) {
        return false;
    }
    if (sf_content_add_digests(&intake->writer, sf_view(intake->digest_bytes, intake->digest_count),
            &intake->digest_offset)) {
        intake->is_packed = true;
    }
    finish_bundle(intake);
    return true;
}

/* Give frames back that are hashed and packed, in order. Returns whether there were any. */
static bool
free_frames(struct intake *intake)
{
    uint64_t before = intake->free_next;

    while (intake->free_next < intake->pack_next && intake->free_next < intake->hash_next) {
        struct frame *frame = &intake->frames[intake->free_next % intake->frame_ring];

        frame->state = FRAME_FREE;
        frame->code.run = NULL;
        intake->free_next++;
    }
    return intake->free_next != before;
}

/* --- The end --------------------------------------------------------------------------- */

static void
source_checked(struct sf_disk_op *op)
{
    struct intake *intake = op->owner;
    const struct sf_disk_stat *was = &intake->sources[intake->check_next].stat;
    const struct sf_disk_stat *is = &op->ret_stat;

    intake->in_flight--;
    intake->is_checking = false;
    if (op->status != SF_OK) {
        intake_stop_with(
            intake, SF_CANCEL_SOURCE_FAILED, "a source file could not be looked at again");
    } else if (was->bytes != is->bytes || was->mtime_ns != is->mtime_ns ||
               was->ctime_ns != is->ctime_ns || was->inode != is->inode) {
        intake_stop_with(intake, SF_CANCEL_SOURCE_CHANGED,
            "a source file was changed while it was sealed; send it again when it is at rest");
    }
    intake->check_next++;
    intake_step(intake);
}

/* The sources must be what they were; one look at a time. */
static void
check_sources(struct intake *intake)
{
    if (!intake->is_packed || intake->is_checking || intake->is_checked) {
        return;
    }
    if (intake->check_next == intake->outline.file_count) {
        intake->is_checked = true;
        return;
    }
    intake->is_checking = true;
    intake->in_flight++;
    intake->check = (struct sf_disk_op){
        .kind = SF_DISK_STAT,
        .file = intake->sources[intake->check_next].file,
        .done = source_checked,
        .owner = intake,
    };
    sf_disk_submit(intake->out->node->disk, &intake->check);
}

/* Everything is sealed and stored: hand the manifest over. */
static void
complete(struct intake *intake)
{
    struct outbound *out = intake->out;

    for (uint32_t i = 0; i < intake->outline.file_count; i++) {
        memcpy(out->files[i].sha256.b, intake->digests[i].sha256, sizeof(out->files[i].sha256.b));
        out->files[i].bytes = intake->digests[i].bytes;
    }
    sf_manifest_digest(sf_view(intake->outline_bytes, intake->outline_count),
        sf_view(intake->digest_bytes, intake->digest_count), &out->manifest);
    sf_files_digest(intake->digests, intake->outline.file_count, &out->files_digest);
    out->has_manifest = true;
    out->record.count = intake->bundle_next;
    intake->is_stopping = true;
    outbound_complete(out);
}

void
intake_step(struct intake *intake)
{
    bool more = true;

    if (intake->is_stepping) {
        return;
    }
    intake->is_stepping = true;
    intake->out->plain_done = intake->hashed_bytes;
    while (more && !intake->is_stopping && intake->out->spool != NULL && intake->has_turn &&
           !intake->out->node->is_closing && !intake->out->node->is_full) {
        if (!intake->is_yielding) {
            intake_read(intake);
        }
        hash_frames(intake);
        code_frames(intake);
        more = pack_outline(intake) || pack_frame(intake) || pack_digests(intake);
        /* They are read into at once: with nothing under way nobody would come by again. */
        more = free_frames(intake) || more;
    }
    if (intake->has_turn && (intake->is_yielding || intake->is_packed) &&
        intake->free_next == intake->read_next && !intake->is_hashing) {
        intake_give_frames(intake);
    }
    if (!intake->is_stopping) {
        check_sources(intake);
    }
    if (intake->is_checked && intake->in_flight == 0 && !intake->is_stopping) {
        complete(intake);
    }
    intake->is_stepping = false;
}

void
intake_stop(struct intake *intake)
{
    intake->is_stopping = true;
}

bool
intake_is_idle(const struct intake *intake)
{
    return intake->in_flight == 0 && !intake->is_stepping;
}

bool
intake_is_over(const struct intake *intake)
{
    return intake->is_stopping && intake_is_idle(intake);
}

void
intake_start(struct intake *intake, struct outbound *out)
{
    intake->out = out;
    out->intake = intake;
    out->record.plain_bytes = intake->outline.total_bytes;
    intake_step(intake);
}
