/*
 * turns.c - who may use the large buffers now, so that memory has one bound for
 * the whole node, however many transfers there are.
 *
 * One transfer at a time is sealed, and one is decoded: that alone keeps all
 * workers busy. The others wait their turn, with next to nothing in memory. A
 * turn ends when its holder has nothing to do, when a more urgent transfer
 * waits, or, if one as urgent does, after so many bytes; the holder first brings
 * to an end what it has begun. Reading back what was staged takes buffers from a
 * small common store, and bundles are opened only as far as there is room.
 *
 *   sealing    frames of one intake; a bundle half filled for each begun
 *   decoding   bundles and frames of one decoder
 *   chunks     read back from staging, of all transfers
 *   opening    bundles that came, between link and spool, of all transfers
 */
#include "node/decode.h"
#include "node/intake.h"
#include "node/outbound.h"
#include "node/whole.h"

#include <stdlib.h>

enum {
    QUANTUM_BYTES = 64 << 20, /* of a turn, while somebody as urgent waits */
    BEGUN_MAX = 8,            /* sealed in part at a time, unless a more urgent one comes */
    CHUNKS_MAX = 4,           /* read back at a time, of 1 MiB */
    OPENING_BYTES_MAX = 8 << 20,
};

/* --- Accounts ------------------------------------------------------------------------- */

void
memory_take(struct sf_node *node, uint64_t bytes)
{
    node->memory_bytes += bytes;
    if (node->memory_bytes > node->memory_peak) {
        node->memory_peak = node->memory_bytes;
    }
}

void
memory_give(struct sf_node *node, uint64_t bytes)
{
    sf_assert(node->memory_bytes >= bytes);
    node->memory_bytes -= bytes;
}

void
sf_node_memory(const struct sf_node *node, uint64_t *ret_bytes, uint64_t *ret_peak)
{
    *ret_bytes = node->memory_bytes;
    *ret_peak = node->memory_peak;
}

/* --- Sealing ----------------------------------------------------------------------------- */

static bool
waits_to_seal(const struct outbound *out)
{
    return out->intake != NULL && out->spool != NULL && !out->intake->has_turn &&
           !out->intake->is_stopping && !out->intake->is_packed && !whole_is_awaited(out);
}

/* Who has waited longer; but when many are begun, one of those before a new one. */
static bool
is_before(const struct outbound *a, const struct outbound *b, bool many_begun)
{
    if (out_is_before(a, b) || out_is_before(b, a)) {
        return out_is_before(a, b);
    }
    if (many_begun && (a->intake->turn == 0) != (b->intake->turn == 0)) {
        return a->intake->turn != 0;
    }
    return a->intake->turn < b->intake->turn;
}

static struct outbound *
next_to_seal(const struct sf_node *node)
{
    struct outbound *best = NULL;
    unsigned begun = 0;

    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        begun += out->intake != NULL && out->intake->turn != 0 && !out->intake->is_packed;
    }
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        if (waits_to_seal(out) && (best == NULL || is_before(out, best, begun >= BEGUN_MAX))) {
            best = out;
        }
    }
    return best;
}

static void
give_turn_to_seal(struct sf_node *node, struct outbound *out)
{
    struct intake *intake = out->intake;

    if (intake_take_frames(intake) != SF_OK) {
        intake_stop_with(intake, SF_CANCEL_CUSTODY_LOST, "out of memory");
        return;
    }
    node->sealing = intake;
    intake->has_turn = true;
    intake->is_yielding = false;
    intake->turn = ++node->turns;
    intake->turn_from = intake->hashed_bytes;
    intake_step(intake);
}

static void
sealing_tick(struct sf_node *node)
{
    struct intake *holder = node->sealing;
    struct outbound *next = next_to_seal(node);

    if (holder == NULL && next != NULL) {
        give_turn_to_seal(node, next);
    } else if (holder != NULL && next != NULL) {
        if (out_is_before(next, holder->out) ||
            (!out_is_before(holder->out, next) &&
                holder->hashed_bytes - holder->turn_from >= QUANTUM_BYTES)) {
            holder->is_yielding = true;
        }
        if (holder->is_yielding) {
            intake_step(holder);
        }
    }
}

/* --- Decoding ------------------------------------------------------------------------------ */

/* The next one in line after the holder that has something to decode. */
static struct decoder *
next_to_decode(const struct sf_node *node)
{
    struct decoder *best = NULL;

    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        struct decoder *decoder = in->decoder;

        if (decoder != NULL && decoder != node->decoding && decoder_has_work(decoder) &&
            (best == NULL || decoder->turn < best->turn)) {
            best = decoder;
        }
    }
    return best;
}

static void
decoding_tick(struct sf_node *node)
{
    struct decoder *holder = node->decoding;
    struct decoder *next = next_to_decode(node);

    if (next == NULL) {
        return;
    }
    if (holder != NULL && (!decoder_has_work(holder) || holder->turn_bytes >= QUANTUM_BYTES)) {
        decoder_yield(holder);
        holder = node->decoding;
    }
    if (holder == NULL) {
        node->decoding = next;
        next->turn = ++node->turns;
        next->turn_bytes = 0;
        decoder_step(next);
    }
}

bool
turn_is_to_decode(struct decoder *decoder)
{
    struct sf_node *node = decoder->in->node;

    if (node->decoding == NULL && !node->is_closing) {
        node->decoding = decoder;
        decoder->turn = ++node->turns;
        decoder->turn_bytes = 0;
    }
    return node->decoding == decoder;
}

void
turn_end_decoding(struct decoder *decoder)
{
    if (decoder->in->node->decoding == decoder) {
        decoder->in->node->decoding = NULL;
    }
}

/* --- Chunks and openings ---------------------------------------------------------------------- */

uint8_t *
chunk_take(struct sf_node *node, size_t bytes)
{
    uint8_t *data = node->chunks < CHUNKS_MAX ? buffer_alloc(bytes) : NULL;

    if (data != NULL) {
        node->chunks++;
        memory_take(node, bytes);
    }
    return data;
}

void
chunk_give(struct sf_node *node, uint8_t *data, size_t bytes)
{
    if (data != NULL) {
        node->chunks--;
        memory_give(node, bytes);
        free(data);
    }
}

bool
opening_take(struct sf_node *node, uint64_t bytes)
{
    if (node->opening_bytes > 0 && node->opening_bytes + bytes > OPENING_BYTES_MAX) {
        return false;
    }
    node->opening_bytes += bytes;
    memory_take(node, bytes);
    return true;
}

void
opening_give(struct sf_node *node, uint64_t bytes)
{
    node->opening_bytes -= bytes;
    memory_give(node, bytes);
}

void
turns_tick(struct sf_node *node)
{
    sealing_tick(node);
    decoding_tick(node);
}
