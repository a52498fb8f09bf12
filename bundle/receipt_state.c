/*
 * receipt_state.c - what the receipts of one recipient add up to.
 *
 * The state is a join: every receipt can only raise it, in the order
 *
 *     FINAL > refused for good > higher generation > within one: union, or, max
 *
 * so the outcome does not depend on the order in which receipts come, nor on how
 * often. Where an upper level decides, the lower ones are cleared, which keeps equal
 * outcomes equal byte for byte.
 */
#include "bundle/receipt.h"

void
sf_receipt_state_init(struct sf_receipt_state *state, const struct sf_receipt_binding *binding)
{
    memset(state, 0, sizeof(*state));
    state->receiver = binding->receiver;
    state->sender = binding->sender;
    state->transfer = binding->transfer;
    state->slots = binding->slots;
    sf_range_set_init(&state->held, SF_RECEIPT_STATE_RANGES_MAX);
}

void
sf_receipt_state_fini(struct sf_receipt_state *state)
{
    sf_range_set_fini(&state->held);
}

void
sf_receipt_state_set_manifest(struct sf_receipt_state *state, const struct sf_digest *manifest,
    const struct sf_digest *files_digest)
{
    state->has_manifest = true;
    state->manifest = *manifest;
    state->files_digest = *files_digest;
}

static bool
is_equal(const struct sf_digest *a, const struct sf_digest *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* May this receipt speak about this transfer, and can it be true? */
static int
check(const struct sf_receipt_state *state, const struct sf_receipt *receipt)
{
    bool is_whole = receipt->phase == SF_RECEIPT_VERIFIED || receipt->phase == SF_RECEIPT_FINAL;

    if (!sf_fingerprint_equal(&receipt->receiver, &state->receiver) ||
        !sf_fingerprint_equal(&receipt->sender, &state->sender) ||
        !sf_transfer_equal(&receipt->transfer, &state->transfer)) {
        return SF_EAUTH;
    }
    if (is_whole && (!state->has_manifest || !receipt->has_manifest ||
                        !is_equal(&receipt->files_digest, &state->files_digest))) {
        return SF_EAUTH;
    }
    if (receipt->has_manifest && state->has_manifest &&
        !is_equal(&receipt->manifest, &state->manifest)) {
        return SF_EAUTH;
    }
    if (receipt->held.count > 0 &&
        receipt->held.ranges[receipt->held.count - 1].to > state->slots) {
        return SF_EFORMAT;
    }
    return SF_OK;
}

/* Nothing of what generations say is left. */
static void
clear(struct sf_receipt_state *state)
{
    state->generation = 0;
    state->counter = 0;
    state->verified = false;
    state->refusal = SF_REFUSAL_NONE;
    state->need_bytes = 0;
    sf_range_set_clear(&state->held);
}

static bool
merge_final(struct sf_receipt_state *state)
{
    bool changed = !state->final;

    clear(state);
    state->any = true;
    state->failed = false;
    state->final = true;
    return changed;
}

static bool
merge_failed(struct sf_receipt_state *state, enum sf_refusal reason)
{
    /* Two different reasons are a confused receiver; any fixed choice will do. */
    enum sf_refusal kept = state->failed && state->refusal > reason ? state->refusal : reason;
    bool changed = !state->failed || kept != state->refusal;

    clear(state);
    state->any = true;
    state->failed = true;
    state->refusal = kept;
    return changed;
}

/* What the newest receipt refuses for now, or nothing; of equally new ones the larger. */
static bool
merge_refusal(struct sf_receipt_state *state, const struct sf_receipt *receipt)
{
    bool is_refused = receipt->phase == SF_RECEIPT_REFUSED;
    enum sf_refusal refusal = is_refused ? receipt->refusal : SF_REFUSAL_NONE;
    uint64_t need_bytes = is_refused ? receipt->need_bytes : 0;
    bool is_larger =
        refusal > state->refusal || (refusal == state->refusal && need_bytes > state->need_bytes);
    bool changed = refusal != state->refusal || need_bytes != state->need_bytes;

    if (receipt->counter < state->counter || (receipt->counter == state->counter && !is_larger)) {
        return false;
    }
    state->counter = receipt->counter;
    state->refusal = refusal;
    state->need_bytes = need_bytes;
    return changed;
}

int
sf_receipt_merge(
    struct sf_receipt_state *state, const struct sf_receipt *receipt, bool *ret_changed)
{
    struct sf_range_set held;
    bool is_newer = !state->any || receipt->generation > state->generation;
    bool changed = is_newer;
    int status = check(state, receipt);

    if (status != SF_OK) {
        return status;
    }
    if (state->final || receipt->phase == SF_RECEIPT_FINAL) {
        *ret_changed = !state->final && merge_final(state);
        return SF_OK;
    }
    if (state->failed || (receipt->phase == SF_RECEIPT_REFUSED && !receipt->retryable)) {
        *ret_changed = receipt->phase == SF_RECEIPT_REFUSED && !receipt->retryable &&
                       merge_failed(state, receipt->refusal);
        return SF_OK;
    }
    if (!is_newer && receipt->generation < state->generation) {
        *ret_changed = false;
        return SF_OK;
    }
    sf_range_set_init(&held, SF_RECEIPT_STATE_RANGES_MAX);
    status = sf_range_set_copy(&held, &receipt->held);
    if (status == SF_OK && !is_newer) {
        status = sf_range_set_merge(&held, &state->held);
    }
    if (status != SF_OK) {
        sf_range_set_fini(&held);
        return status;
    }
    if (is_newer) {
        clear(state);
        state->any = true;
        state->generation = receipt->generation;
        state->counter = receipt->counter;
    }
    if (!sf_range_set_equal(&held, &state->held)) {
        changed = true;
    }
    sf_range_set_fini(&state->held);
    state->held = held;
    if (merge_refusal(state, receipt)) {
        changed = true;
    }
    if (receipt->phase == SF_RECEIPT_VERIFIED && !state->verified) {
        state->verified = true;
        changed = true;
    }
    *ret_changed = changed;
    return SF_OK;
}
