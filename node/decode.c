/*
 * decode.c - opened bundles become frames, and frames bytes in staged files.
 *
 * Bundles come in any order: fresh from the link while there is room, else read
 * back from their slots, lowest first. The outline, which begins bundle 0,
 * bounds everything and so comes first. A coded frame that is cut waits for its
 * other part, from the bundle next door.
 *
 * Once plaintext is verified on the disk, and that is a durable fact, the slots
 * it came from are given back; those that hold the manifest stay to the end.
 */
#include "node/decode.h"

#include <stdlib.h>

/* --- Endings -------------------------------------------------------------------------- */

/* Authentic, and yet not what a sender of ours makes. */
void
decode_damaged(struct decoder *decoder, const char *why)
{
    if (!decoder->is_stopping) {
        inbound_refuse(decoder->in, SF_REFUSAL_DAMAGED, why);
        decoder->is_stopping = true;
    }
}

void
decode_out_of_memory(struct decoder *decoder)
{
    node_fail(decoder->in->node, SF_ENOMEM);
    decoder->is_stopping = true;
}

void
decode_without_base(struct decoder *decoder, const char *why)
{
    if (!decoder->is_stopping) {
        inbound_refuse(decoder->in, SF_REFUSAL_NEED_BASE, why);
        decoder->is_stopping = true;
    }
}

/* --- Works ------------------------------------------------------------------------------- */

static void
work_finish(struct work *work)
{
    struct decoder *decoder = work->decoder;
    struct work **at = &decoder->works;

    while (*at != work) {
        at = &(*at)->next;
    }
    *at = work->next;
    decoder->work_count--;
    if (work->was_dropped) {
        if (sf_range_set_remove(&decoder->begun, work->index, work->index + 1) != SF_OK) {
            decode_out_of_memory(decoder);
        }
    } else {
        decoder->ends[work->index] = work->keeps_slot ? UINT64_MAX : work->end + 1;
    }
    memory_give(decoder->in->node, decoder->in->record.class_bytes);
    free(work->plain);
    free(work);
}

/* The plaintext of a bundle is needed only until its last piece was taken. */
void
decode_work_release(struct work *work)
{
    if (!work->has_piece && work->pending == 0) {
        work_finish(work);
    }
}

void
decode_work_end(struct work *work, uint64_t end)
{
    if (end > work->end) {
        work->end = end;
    }
}

/* --- The manifest ------------------------------------------------------------------------------------ */

static void
assemble(struct decoder *decoder, struct assembly *assembly, const struct sf_piece *piece)
{
    if (assembly->bytes == NULL) {
        assembly->bytes = malloc(piece->total_bytes == 0 ? 1 : piece->total_bytes);
        assembly->total = piece->total_bytes;
        sf_range_set_init(&assembly->have, 1024);
        if (assembly->bytes == NULL) {
            decode_out_of_memory(decoder);
            return;
        }
    }
    if (assembly->total != piece->total_bytes) {
        decode_damaged(decoder, "the parts of the manifest do not fit together");
        return;
    }
    memcpy(assembly->bytes + piece->part_offset, piece->bytes.data, piece->bytes.bytes);
    if (sf_range_set_add(&assembly->have, piece->part_offset,
            piece->part_offset + piece->bytes.bytes) != SF_OK) {
        decode_damaged(decoder, "the manifest is cut into too many parts");
        return;
    }
    assembly->is_complete = sf_range_set_covers(&assembly->have, 0, assembly->total);
}

static void
take_outline(struct work *work, const struct sf_piece *piece)
{
    struct decoder *decoder = work->decoder;
    struct inbound *in = decoder->in;
    struct assembly *parts = &decoder->outline_parts;
    int status;

    work->keeps_slot = true;
    decoder->outline_bundles =
        work->index >= decoder->outline_bundles ? work->index + 1 : decoder->outline_bundles;
    if (decoder->has_outline) {
        return;
    }
    assemble(decoder, parts, piece);
    if (!parts->is_complete || decoder->is_stopping) {
        return;
    }
    status = sf_outline_decode(sf_view(parts->bytes, parts->total), &decoder->outline);
    if (status == SF_ENOMEM) {
        decode_out_of_memory(decoder);
        return;
    }
    if (status != SF_OK) {
        inbound_refuse(in, SF_REFUSAL_BAD_NAME, "its outline is malformed or names are forbidden");
        decoder->is_stopping = true;
        return;
    }
    decoder->has_outline = true;
    if (decoder->outline.class_bytes != in->record.class_bytes) {
        decode_damaged(decoder, "its outline is for bundles of another size");
        return;
    }
    if (!room_for_plain(in, decoder->outline.total_bytes)) {
        return;
    }
    if (in->record.punched > decoder->outline_bundles &&
        sf_range_set_add(&decoder->begun, decoder->outline_bundles, in->record.punched) != SF_OK) {
        decode_out_of_memory(decoder);
        return;
    }
    if ((decoder->outline.base_count > 0 && in->record.verified < decoder->outline.total_bytes &&
            bases_open(in, &decoder->outline, &decoder->bases) != SF_OK) ||
        staging_open(in, &decoder->outline, in->record.verified, &decoder->staging) != SF_OK) {
        decode_out_of_memory(decoder);
    }
}

static void
take_digests(struct work *work, const struct sf_piece *piece)
{
    struct decoder *decoder = work->decoder;
    struct assembly *parts = &decoder->digest_parts;
    const struct assembly *outline = &decoder->outline_parts;
    int status;

    work->keeps_slot = true;
    if (decoder->has_digests) {
        return;
    }
    assemble(decoder, parts, piece);
    if (!parts->is_complete || decoder->is_stopping) {
        return;
    }
    status = sf_digests_decode(
        sf_view(parts->bytes, parts->total), &decoder->outline, &decoder->digests);
    if (status == SF_ENOMEM) {
        decode_out_of_memory(decoder);
        return;
    }
    if (status != SF_OK) {
        decode_damaged(decoder, "its digests are malformed");
        return;
    }
    decoder->has_digests = true;
    if (decoder->digests.bundle_count > decoder->in->record.slots) {
        decode_damaged(decoder, "its digests count more bundles than it has slots");
        return;
    }
    decoder->in->record.count = decoder->digests.bundle_count;
    sf_manifest_digest(sf_view(outline->bytes, outline->total), sf_view(parts->bytes, parts->total),
        &decoder->manifest);
}

/* --- Stepping through bundles --------------------------------------------------------------------------- */

/* The staged files are made, and what it builds on was looked at. */
static bool
is_prepared(const struct decoder *decoder)
{
    return decoder->staging != NULL && staging_is_ready(decoder->staging) &&
           (decoder->bases == NULL || bases_are_ready(decoder->bases));
}

/*
 * Whether the next piece can be taken now. Frames have no least size, and a bundle
 * may hold 65,533 of a byte: so not only their bytes are bounded, but their number too.
 * Those that only wait for the other part are never all, so the others go on.
 */
static bool
may_take(const struct decoder *decoder, const struct sf_piece *piece)
{
    if (piece->type == SF_PIECE_OUTLINE) {
        return true;
    }
    if (!decoder->has_outline || !is_prepared(decoder)) {
        return false;
    }
    return decoder->frame_bytes < FRAMES_BYTES_MAX && decoder->task_count < TASKS_MAX;
}

/* Takes the pieces of a bundle. Any other one may end meanwhile: what comes next is known after. */
static struct work *
work_step(struct work *work)
{
    struct decoder *decoder = work->decoder;
    struct work *next;

    work->pending++; /* stays alive while it is stepped through */
    while (work->has_piece && !decoder->is_stopping && !decoder->is_yielding &&
           may_take(decoder, &work->piece)) {
        struct sf_piece piece = work->piece;

        work->has_piece = sf_content_next(&work->reader, &work->piece);
        switch (piece.type) {
        case SF_PIECE_OUTLINE:
            take_outline(work, &piece);
            break;
        case SF_PIECE_FRAME:
            decode_take_frame(work, &piece);
            break;
        case SF_PIECE_DIGESTS:
            take_digests(work, &piece);
            break;
        }
    }
    if (decoder->is_stopping || (decoder->is_yielding && work->has_piece)) {
        work->has_piece = false;
        work->was_dropped = true;
    }
    work->pending--;
    next = work->next;
    decode_work_release(work);
    return next;
}

/* Whether bundle `index` may be begun: before the outline is known only those that hold it. */
static bool
may_begin(struct decoder *decoder, uint64_t index)
{
    return !decoder->is_stopping && !decoder->is_yielding && turn_is_to_decode(decoder) &&
           decoder->work_count < WORKS_MAX && !sf_range_set_has(&decoder->begun, index) &&
           (decoder->has_outline || index == decoder->outline_bundles);
}

/*
 * All works may be waiting for parts of frames in bundles that cannot begin for
 * want of a work. So the one furthest up the line gives way to `index` if that
 * lies before it; it is decoded again from its slot. The lowest goes on always.
 */
static void
make_room(struct decoder *decoder, uint64_t index)
{
    struct task **at = &decoder->parts;
    uint64_t last = 0;

    if (decoder->work_count + decoder->fetches < WORKS_MAX) {
        return;
    }
    for (const struct task *task = decoder->parts; task != NULL; task = task->next) {
        last = task->works[0]->index > last ? task->works[0]->index : last;
    }
    while (last > index && *at != NULL) {
        if ((*at)->works[0]->index == last) {
            decode_drop_part(decoder, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void
decoder_take(struct decoder *decoder, const struct opened *opened)
{
    struct work **at = &decoder->works;
    struct work *work;

    decoder->is_starved = false;
    make_room(decoder, opened->index);
    work = may_begin(decoder, opened->index) ? calloc(1, sizeof(*work)) : NULL;
    if (work == NULL) {
        free(opened->plain);
        return;
    }
    work->decoder = decoder;
    work->index = opened->index;
    work->plain = opened->plain;
    if (sf_content_reader_init(&work->reader, opened->content) != SF_OK) {
        free(work->plain);
        free(work);
        decode_damaged(decoder, "the content of a bundle is malformed");
        return;
    }
    if (sf_range_set_add(&decoder->begun, work->index, work->index + 1) != SF_OK) {
        free(work->plain);
        free(work);
        return; /* too scattered: later, in order */
    }
    work->has_piece = sf_content_next(&work->reader, &work->piece);
    if (!decoder->has_outline && (!work->has_piece || work->piece.type != SF_PIECE_OUTLINE)) {
        free(work->plain);
        free(work);
        decode_damaged(decoder, "it does not begin with its outline");
        return;
    }
    while (*at != NULL && (*at)->index < work->index) {
        at = &(*at)->next;
    }
    work->next = *at;
    *at = work;
    decoder->work_count++;
    decoder->turn_bytes += decoder->in->record.class_bytes;
    memory_take(decoder->in->node, decoder->in->record.class_bytes);
    decoder_step(decoder);
}

/* --- From the slots -------------------------------------------------------------------------------------- */

static void
fetched_drop(struct flight *flight)
{
    struct fetch *fetch = FLIGHT_OF(flight, struct fetch);

    fetch_drop(fetch);
    free(fetch);
}

static void
fetched(struct fetch *fetch)
{
    struct decoder *decoder = fetch->owner;
    struct inbound *in = fetch->in;

    decoder->fetches--;
    if (sf_range_set_remove(&decoder->begun, fetch->index, fetch->index + 1) != SF_OK) {
        decode_out_of_memory(decoder);
    }
    if (fetch->status == SF_OK) {
        struct opened opened = {fetch->index, fetch->plain, fetch->content};

        decoder_take(decoder, &opened);
    } else if (!decoder->is_stopping && in->record.phase < SF_IN_DELIVERING) {
        inbound_lost(in, fetch->index, fetch->index + 1);
    }
    flight_end(&fetch->flight);
    free(fetch);
    decoder_step(decoder);
}

/* The lowest held bundle that nobody has begun; false if there is none. */
static bool
next_to_fetch(const struct decoder *decoder, uint64_t *ret_index)
{
    const struct sf_range_set *held = &decoder->in->held;
    uint64_t slots = decoder->in->record.slots;
    struct sf_range hole = {0, 0};

    if (!decoder->has_outline) {
        *ret_index = decoder->outline_bundles;
        return sf_range_set_has(held, *ret_index) && !sf_range_set_has(&decoder->begun, *ret_index);
    }
    for (size_t i = 0; i < held->count; i++) {
        uint64_t to = held->ranges[i].to < slots ? held->ranges[i].to : slots;

        if (sf_range_set_hole(&decoder->begun, held->ranges[i].from, to, &hole)) {
            *ret_index = hole.from;
            return true;
        }
    }
    return false;
}

static void
fetch_next(struct decoder *decoder)
{
    uint64_t index;

    while (decoder->fetches < FETCHES_MAX && decoder->in->spool != NULL && !decoder->is_stopping &&
           !decoder->is_yielding && !decoder->is_starved &&
           (decoder->staging == NULL || is_prepared(decoder)) && next_to_fetch(decoder, &index) &&
           turn_is_to_decode(decoder)) {
        struct fetch *fetch;

        make_room(decoder, index);
        if (decoder->work_count + decoder->fetches >= WORKS_MAX ||
            (fetch = calloc(1, sizeof(*fetch))) == NULL) {
            return;
        }
        *fetch =
            (struct fetch){.in = decoder->in, .index = index, .done = fetched, .owner = decoder};
        if (sf_range_set_add(&decoder->begun, index, index + 1) != SF_OK ||
            fetch_begin(fetch) != SF_OK) {
            free(fetch);
            decode_out_of_memory(decoder);
            return;
        }
        flight_begin(&decoder->in->node->flights, &fetch->flight, fetched_drop);
        decoder->fetches++;
    }
}

/* --- Verified: note it, give slots back --------------------------------------------------------------------- */

static void
punched(struct sf_spool_op *op)
{
    struct decoder *decoder = op->owner;

    decoder->in_flight--;
    decoder->is_punching = false;
    if (op->status != SF_OK) {
        node_say(decoder->in->node, SF_NODE_EVENT_WARNING, &decoder->in->id,
            "room of decoded bundles could not be given back: %s", sf_status_text(op->status));
    }
}

static void
noted(void *owner)
{
    struct decoder *decoder = owner;

    if (decoder->punch.count == 0 || decoder->in->spool == NULL || decoder->is_stopping) {
        decoder->in_flight--;
        decoder->is_punching = false;
        return;
    }
    decoder->punch.spool = decoder->in->spool;
    sf_spool_punch(&decoder->punch);
}

static uint64_t
punch_bytes(const struct sf_node *node)
{
    return node->config.punch_bytes == 0 ? PUNCH_BYTES : node->config.punch_bytes;
}

static void
note_verified(struct decoder *decoder)
{
    struct inbound *in = decoder->in;
    uint64_t verified = staging_verified(decoder->staging);
    uint64_t from = in->record.punched;
    uint64_t to;

    if (decoder->is_punching || decoder->is_told ||
        verified < decoder->noted + punch_bytes(in->node)) {
        return;
    }
    if (from < decoder->outline_bundles) {
        from = decoder->outline_bundles;
    }
    for (to = from;
         to < in->record.slots && decoder->ends[to] != 0 && decoder->ends[to] <= verified + 1;) {
        to++;
    }
    decoder->noted = verified;
    in->record.verified = verified;
    in->record.punched = to > from ? to : in->record.punched;
    decoder->is_punching = true;
    decoder->in_flight++;
    decoder->punch =
        (struct sf_spool_op){.done = punched, .owner = decoder, .first = from, .count = to - from};
    node_must(in->node, inbound_save(in));
    node_commit_then(in->node, noted, decoder);
}

static void
check_complete(struct decoder *decoder)
{
    if (decoder->is_complete || !decoder->has_digests || decoder->staging == NULL ||
        !staging_is_ready(decoder->staging) ||
        staging_verified(decoder->staging) != decoder->outline.total_bytes) {
        return;
    }
    for (uint32_t i = 0; i < decoder->outline.file_count; i++) {
        if (memcmp(staging_sha256(decoder->staging, i), decoder->digests.files[i].sha256, 32) !=
            0) {
            decoder->is_stopping = true;
            decoder->has_mismatch = true;
            return;
        }
    }
    decoder->is_complete = true;
}

/*
 * Every bundle was decoded, nothing is under way, and yet it is not whole: no
 * sender of ours makes such a transfer.
 */
static void
check_missing(struct decoder *decoder)
{
    uint64_t count = decoder->has_digests ? decoder->digests.bundle_count : decoder->in->link_count;

    if (decoder->is_complete || count == 0 || decoder->in_flight > 0 || decoder->fetches > 0 ||
        decoder->staging == NULL || !staging_is_ready(decoder->staging) ||
        !sf_range_set_covers(&decoder->begun, 0, count)) {
        return;
    }
    for (const struct work *work = decoder->works; work != NULL; work = work->next) {
        if (work->has_piece) {
            return;
        }
    }
    if (!decoder->has_digests) {
        decode_damaged(decoder, "it ends without its digests");
    } else if (!staging_has(decoder->staging, 0, decoder->outline.total_bytes)) {
        decode_damaged(decoder, "frames of its files are missing");
    }
}

static void
step_bases(struct decoder *decoder)
{
    const char *why;

    if (decoder->bases == NULL || decoder->is_stopping) {
        return;
    }
    bases_step(decoder->bases);
    if (bases_are_missing(decoder->bases, &why)) {
        decode_without_base(decoder, why);
    }
}

void
decoder_step(struct decoder *decoder)
{
    if (decoder->is_stepping) {
        return;
    }
    decoder->is_stepping = true;
    step_bases(decoder);
    for (struct work *work = decoder->works; work != NULL;) {
        work = work->has_piece ? work_step(work) : work->next;
    }
    if (!decoder->is_stopping) {
        fetch_next(decoder);
    }
    if (decoder->is_yielding && decoder->work_count == 0 && decoder->fetches == 0 &&
        decoder->frame_bytes == 0) {
        decoder->is_yielding = false;
        turn_end_decoding(decoder);
    }
    if (decoder->staging != NULL && !decoder->is_stopping) {
        staging_step(decoder->staging);
        note_verified(decoder);
        check_complete(decoder);
        check_missing(decoder);
    }
    decoder->is_stepping = false;
    if (decoder->is_complete && !decoder->is_told && !decoder->is_stopping &&
        decoder->in_flight == 0) {
        decoder->is_told = true;
        deliver_begin(decoder->in);
    }
}

/* Nothing but want of bundles, or of its turn, keeps it from going on. */
static bool
may_go_on(const struct decoder *decoder)
{
    return !decoder->is_stopping && !decoder->is_complete && decoder->in->spool != NULL &&
           (decoder->staging == NULL || is_prepared(decoder));
}

bool
decoder_has_work(const struct decoder *decoder)
{
    uint64_t index;

    return may_go_on(decoder) && !decoder->is_starved &&
           (decoder->in_flight > 0 || decoder->fetches > 0 || next_to_fetch(decoder, &index));
}

void
decoder_yield(struct decoder *decoder)
{
    /* What is left are parts whose rest has not come: begun once more they would wait again. */
    decoder->is_starved = may_go_on(decoder) && !decoder_has_work(decoder);
    decoder->is_yielding = true;
    while (decoder->parts != NULL) {
        decode_drop_part(decoder, &decoder->parts);
    }
    decoder_step(decoder);
}

sf_mono
decoder_deadline(const struct decoder *decoder)
{
    return decoder->staging == NULL ? SF_NEVER : staging_deadline(decoder->staging);
}

/* --- Looking, opening, freeing -------------------------------------------------------------------------------- */

uint64_t
decoder_verified_bytes(const struct decoder *decoder)
{
    return decoder->staging == NULL ? 0 : staging_verified(decoder->staging);
}

const struct sf_outline *
decoder_outline(const struct decoder *decoder)
{
    return decoder->has_outline ? &decoder->outline : NULL;
}

const struct sf_digests *
decoder_digests(const struct decoder *decoder)
{
    return decoder->has_digests ? &decoder->digests : NULL;
}

bool
decoder_is_complete(const struct decoder *decoder, struct sf_digest *ret_manifest)
{
    if (decoder->is_complete) {
        *ret_manifest = decoder->manifest;
    }
    return decoder->is_complete;
}

bool
decoder_has_mismatch(const struct decoder *decoder)
{
    return decoder->has_mismatch;
}

bool
decoder_has_failed(const struct decoder *decoder)
{
    return decoder->has_mismatch ||
           (decoder->staging != NULL && staging_has_failed(decoder->staging));
}

bool
decoder_is_idle(const struct decoder *decoder)
{
    return decoder->in_flight == 0 && decoder->fetches == 0 && !decoder->is_stepping &&
           (decoder->staging == NULL || staging_is_idle(decoder->staging)) &&
           bases_are_idle(decoder->bases);
}

void
decoder_stop(struct decoder *decoder)
{
    decoder->is_stopping = true;
    if (decoder->staging != NULL) {
        staging_stop(decoder->staging);
    }
    if (decoder->in_flight == 0) {
        bases_stop(decoder->bases); /* frames may still be reading from them */
    }
    while (decoder->parts != NULL) {
        decode_drop_part(decoder, &decoder->parts);
    }
    decoder_step(decoder);
}

static void
assembly_fini(struct assembly *assembly)
{
    free(assembly->bytes);
    sf_range_set_fini(&assembly->have);
}

void
decoder_free(struct decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    while (decoder->parts != NULL) {
        decode_drop_part(decoder, &decoder->parts);
    }
    turn_end_decoding(decoder);
    while (decoder->works != NULL) {
        struct work *work = decoder->works;

        decoder->works = work->next;
        memory_give(decoder->in->node, decoder->in->record.class_bytes);
        free(work->plain);
        free(work);
    }
    staging_free(decoder->staging);
    bases_free(decoder->bases);
    if (decoder->has_outline) {
        sf_outline_fini(&decoder->outline);
    }
    if (decoder->has_digests) {
        sf_digests_fini(&decoder->digests);
    }
    assembly_fini(&decoder->outline_parts);
    assembly_fini(&decoder->digest_parts);
    sf_range_set_fini(&decoder->begun);
    free(decoder->ends);
    free(decoder);
}

int
decoder_open(struct inbound *in)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL) {
        return SF_ENOMEM;
    }
    decoder->in = in;
    decoder->noted = in->record.verified;
    sf_range_set_init(&decoder->begun, SF_JOURNAL_RANGES_MAX);
    decoder->ends = calloc(in->record.slots, sizeof(*decoder->ends));
    if (decoder->ends == NULL) {
        free(decoder);
        return SF_ENOMEM;
    }
    in->decoder = decoder;
    return SF_OK;
}
