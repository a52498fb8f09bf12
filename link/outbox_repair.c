/*
 * outbox_repair.c - when segments are followed by repair, and by how much.
 *
 * In the middle of a long queue a lost segment costs nothing but itself: the
 * report that shows it comes while there is other work, and it goes again in
 * the stream. At the end it costs a round trip of waiting. So what is sent when
 * less than a round trip of work is left, or when the contact ends before the
 * answer could come, is *exposed*: each block of it is followed at once by rows
 * that stand in for as many of its segments as chance may take. Bursts longer
 * than a block are left to sending again.
 *
 * How many rows: of n segments and r rows sent, a share p is lost, in runs of L
 * on average; r covers the mean of the lost and k standard deviations:
 *
 *     e = n p / (1 - p)        r = e + k sqrt(e L / (1 - p)) + 1.5 L
 *
 * One block of many that lacks a row costs the same wait as all of them would. So k
 * is 3.5 for up to 64 blocks that are exposed together, and a quarter more for each
 * doubling: that keeps the blocks that are expected to lack rows well below one. What is
 * lost of a block shows in several reports, goes again in as many pieces, and each piece has
 * rows of its own that may be too few; so each counts as a block, up to eight of them.
 *
 * None while nothing is lost at all. p and L are what the peer counted of the
 * last few thousand datagrams; of a path nobody knows one in a hundred is lost,
 * three where nobody will ever tell.
 */
#include "link/outbox_private.h"

#include "base/assert.h"

#define EXPOSED_NS_UNKNOWN SF_SEC       /* the wait, while the round trip is not known */
#define EXPOSED_NS_MIN     (20 * SF_MS) /* a shorter wait is not worth a row */
#define PPM                UINT64_C(1000000)
#define SCALE              UINT64_C(1000) /* of fractions of rows */

enum {
    DEVIATIONS_QUARTERS = 14, /* for so many blocks exposed together; one more for each doubling */
    DEVIATIONS_BLOCKS = 64,
    PIECES_MAX = 8, /* in which the losses of one block go again while an answer is awaited */
    LOSS_PPM_MAX = 600000,
    RUN_MAX = 32,
    LOSS_MEMORY = 8192,  /* datagrams, before half of them are forgotten */
    COUNT_MAX = 1 << 30, /* datagrams between two reports */
    LOSS_FIRST = 10,     /* of a thousand */
    LOSS_FIRST_BLIND = 30,
};

/* --- Whether ---------------------------------------------------------------------------- */

/* Segment bytes known to be still to go, of all objects. False: more may be made ready. */
static bool
work_left(const struct sf_outbox *outbox, uint64_t *ret_bytes)
{
    *ret_bytes = 0;
    for (size_t i = 0; i < outbox->object_count; i++) {
        const struct sf_outgoing *object = outbox->objects[i];

        if (!sf_outgoing_is_sendable(object)) {
            continue;
        }
        if (!object->object.is_count_final) {
            return false;
        }
        *ret_bytes += sf_outgoing_end(object) - object->next;
    }
    return true;
}

/*
 * How long the answer to something sent now may take: a round trip, the tolerance
 * for what is late, and the wait for the report, which may be longer than an interval. A round trip that was not
 * measured yet lasts at least as long as it was waited for, and maybe twice.
 */
static uint64_t
answer_ns(const struct sf_outbox *outbox)
{
    uint64_t waited = outbox->now - outbox->first_sent;

    if (outbox->srtt_ns != 0) {
        return outbox->srtt_ns + outbox->srtt_ns / 2 + sf_outbox_report_ns(outbox);
    }
    return outbox->first_sent == 0 || 2 * waited < EXPOSED_NS_UNKNOWN ? EXPOSED_NS_UNKNOWN
                                                                      : 2 * waited;
}

/* Whether a segment sent now would be missed only when nothing is left to do. */
static bool
is_exposed(const struct sf_outbox *outbox)
{
    uint64_t wait_ns = answer_ns(outbox);
    uint64_t bytes;

    if (outbox->no_return) {
        return true;
    }
    if (wait_ns < EXPOSED_NS_MIN) {
        return false;
    }
    if (outbox->contact_end != SF_NEVER &&
        sf_mono_add(outbox->now, wait_ns) > outbox->contact_end) {
        return true;
    }
    return work_left(outbox, &bytes) && bytes * 8 < outbox->rate_bps / 1000 * (wait_ns / SF_MS);
}

/* How many blocks go before an answer to the first of them can come: as large as the one being sent. */
static uint64_t
blocks_together(const struct sf_outbox *outbox, const struct sf_outgoing_block *block)
{
    uint64_t window = outbox->rate_bps / 8000 * (answer_ns(outbox) / SF_MS);
    uint64_t offered = 0;

    if (outbox->no_return) {
        return 1; /* another round follows */
    }
    for (size_t i = 0; i < outbox->object_count; i++) {
        const struct sf_outgoing *object = outbox->objects[i];

        offered += object->object.count * object->object.class_bytes;
    }
    return (window < offered ? window : offered) / block->at.bytes;
}

/* --- What is lost -------------------------------------------------------------------------- */

void
sf_outbox_loss_init(struct sf_outbox *outbox)
{
    uint64_t lost = outbox->no_return ? LOSS_FIRST_BLIND : LOSS_FIRST;

    outbox->loss = (struct sf_report_loss){.received = 1000 - lost, .lost = lost, .gaps = lost};
}

/* How much a count has grown; late datagrams may make it shrink. */
static uint64_t
growth(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

void
sf_outbox_loss_report(struct sf_outbox *outbox, const struct sf_report *report)
{
    const struct sf_report *before = &outbox->newest;
    const struct sf_report_loss none = {0};
    const struct sf_report_loss *since = before->epoch == report->epoch ? &before->loss : &none;
    uint64_t lost = growth(since->lost, report->loss.lost);
    uint64_t received = growth(since->received, report->loss.received);
    uint64_t gaps = growth(since->gaps, report->loss.gaps);

    if (received > COUNT_MAX || lost > COUNT_MAX || gaps > lost) {
        return; /* of another time, or no counts at all */
    }
    outbox->loss.received += received;
    outbox->loss.lost += lost;
    outbox->loss.gaps += gaps;
    while (outbox->loss.received + outbox->loss.lost > LOSS_MEMORY) {
        outbox->loss.received /= 2;
        outbox->loss.lost /= 2;
        outbox->loss.gaps /= 2;
    }
}

/* --- How much ----------------------------------------------------------------------------- */

static uint64_t
root(uint64_t value)
{
    uint64_t low = 0;
    uint64_t high = UINT64_C(1) << 31;

    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;

        if (middle * middle <= value) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

unsigned
sf_outbox_rows(const struct sf_report_loss *loss, unsigned segments, uint64_t blocks)
{
    uint64_t quarters = DEVIATIONS_QUARTERS;
    uint64_t pieces;
    uint64_t judged = loss->received + loss->lost;
    uint64_t loss_ppm = judged == 0 ? 0 : loss->lost * PPM / judged;
    uint64_t run = loss->gaps == 0 ? SCALE : loss->lost * SCALE / loss->gaps;
    uint64_t expected;
    uint64_t rows;

    if (loss_ppm == 0) {
        return 0;
    }
    loss_ppm = loss_ppm < LOSS_PPM_MAX ? loss_ppm : (uint64_t)LOSS_PPM_MAX;
    run = run < SCALE ? SCALE : run;
    run = run < RUN_MAX * SCALE ? run : RUN_MAX * SCALE;
    pieces = 1 + segments * loss_ppm / PPM;
    blocks *= pieces < PIECES_MAX ? pieces : (uint64_t)PIECES_MAX;
    for (; blocks > DEVIATIONS_BLOCKS; blocks /= 2) {
        quarters++;
    }
    expected = segments * SCALE * loss_ppm / (PPM - loss_ppm);
    rows = expected + run * 3 / 2 + root(expected * run * PPM / (PPM - loss_ppm)) * quarters / 4;
    rows /= SCALE;
    return rows < SF_REPAIR_ROWS_MAX ? (unsigned)rows : (unsigned)SF_REPAIR_ROWS_MAX;
}

/* --- The block being sent -------------------------------------------------------------------- */

bool
sf_outgoing_is_in_block(const struct sf_outgoing *object, uint64_t address)
{
    const struct sf_outgoing_block *block = &object->block;
    uint32_t class_bytes = object->object.class_bytes;

    return block->at.symbols > 0 && block->at.symbol_bytes == object->outbox->symbol_bytes &&
           address / class_bytes == block->index && address % class_bytes >= block->at.start &&
           address % class_bytes - block->at.start < block->at.bytes;
}

void
sf_outgoing_note_block(struct sf_outgoing *object, uint64_t address)
{
    uint32_t class_bytes = object->object.class_bytes;

    if (!sf_outgoing_is_in_block(object, address)) {
        object->block = (struct sf_outgoing_block){.index = address / class_bytes,
            .at = sf_repair_block_at(
                class_bytes, object->outbox->symbol_bytes, address % class_bytes)};
    }
    object->block.segments++;
}

void
sf_outgoing_leave_block(struct sf_outgoing *object)
{
    const struct sf_outbox *outbox = object->outbox;
    struct sf_outgoing_block *block = &object->block;

    if (block->segments > 0 && is_exposed(outbox)) {
        block->rows +=
            sf_outbox_rows(&outbox->loss, block->segments, blocks_together(outbox, block));
    }
    block->segments = 0;
}

bool
sf_outgoing_write_row(struct sf_outgoing *object, struct sf_message_writer *writer)
{
    struct sf_outgoing_block *block = &object->block;
    const uint8_t *bundle = sf_window_bytes(object, block->index);
    struct sf_object_repair repair = {.handle = object->handle,
        .address = block->index * object->object.class_bytes + block->at.start,
        .symbols = block->at.symbols,
        .row = object->row_next};
    uint8_t *out;

    if (bundle == NULL || block->at.symbol_bytes > object->outbox->symbol_bytes) {
        /*
         * It was given back, or datagrams have become too small for its rows: what is lost of
         * it goes again when it is missed.
         */
        block->rows = 0;
        return false;
    }
    out = sf_object_repair_encode(writer, &repair, block->at.symbol_bytes);
    if (out == NULL) {
        return false;
    }
    sf_repair_encode(&block->at, bundle, object->row_next, out);
    object->row_next = (uint8_t)((object->row_next + 1) % SF_REPAIR_ROWS_MAX);
    block->rows--;
    object->outbox->stats.row_bytes += block->at.symbol_bytes;
    return true;
}
