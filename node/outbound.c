/*
 * outbound.c - transfers this node has taken into custody.
 *
 * The life of one, by the facts of the journal (node/schema.h):
 *
 *   SEALING    files are being sealed; bundles that are durable may fly
 *   CUSTODY    all of it is durable; kept until every recipient's FINAL
 *   DONE       every recipient's FINAL is durable here; spool and key are gone
 *   FAILED     with a reason: the source failed; cancelled at the recipients.
 *              without: a recipient refused for good; kept until cancelled
 *   CANCELLED  spool and key are gone; recipients are told until they answer
 *
 * Spool and key go only after the fact that permits it is durable.
 */
#include "node/whole.h"

#include <stdio.h>
#include <stdlib.h>

struct outbound *
outbound_find(struct sf_node *node, const struct sf_transfer_id *id)
{
    struct outbound *out = node->outs;

    while (out != NULL && !sf_transfer_equal(&out->id, id)) {
        out = out->next;
    }
    return out;
}

/* --- Facts ------------------------------------------------------------------------- */

int
outbound_save(struct outbound *out)
{
    uint8_t record[SF_RECORD_BYTES_MAX];
    size_t bytes = sf_record_out_encode(&out->record, record);

    return sf_journal_set(
        out->node->journal, SF_TABLE_OUT, out_id_view(out), sf_view(record, bytes));
}

int
outbound_save_to(struct outbound *out, const struct out_to *to)
{
    uint8_t record[SF_RECORD_BYTES_MAX];
    uint8_t key[SF_PAIR_KEY_BYTES];
    size_t bytes = sf_record_to_encode(&to->record, record);

    sf_pair_key(&out->id, &to->fingerprint, key);
    return sf_journal_set(
        out->node->journal, SF_TABLE_OUT_TO, sf_view(key, sizeof(key)), sf_view(record, bytes));
}

static int
save_manifest(struct outbound *out)
{
    size_t count = out->record.file_count;
    size_t bytes = 32 + count * 40;
    uint8_t *value;
    int status;

    if (bytes > SF_JOURNAL_VALUE_BYTES_MAX) {
        count = 0; /* very many files: the two digests stand for the list */
    }
    value = malloc(64 + count * 40);
    if (value == NULL) {
        return SF_ENOMEM;
    }
    memcpy(value, out->manifest.b, 32);
    memcpy(value + 32, out->files_digest.b, 32);
    for (size_t i = 0; i < count; i++) {
        memcpy(value + 64 + i * 40, out->files[i].sha256.b, 32);
        sf_put_be64(value + 64 + i * 40 + 32, out->files[i].bytes);
    }
    status = sf_journal_set(out->node->journal, SF_TABLE_OUT_MANIFEST, out_id_view(out),
        sf_view(value, 64 + count * 40));
    free(value);
    return status;
}

void
outbound_load_manifest(struct outbound *out)
{
    struct sf_view value =
        sf_journal_get(out->node->journal, SF_TABLE_OUT_MANIFEST, out_id_view(out));

    if (value.data == NULL || value.bytes < 64) {
        return;
    }
    memcpy(out->manifest.b, value.data, 32);
    memcpy(out->files_digest.b, value.data + 32, 32);
    out->has_manifest = true;
    if (value.bytes != 64 + out->record.file_count * 40) {
        free(out->files);
        out->files = NULL;
        return;
    }
    for (size_t i = 0; i < out->record.file_count; i++) {
        memcpy(out->files[i].sha256.b, value.data + 64 + i * 40, 32);
        out->files[i].bytes = sf_get_be64(value.data + 64 + i * 40 + 32);
    }
}

/* --- Making and unmaking -------------------------------------------------------------- */

struct outbound *
outbound_create(struct sf_node *node, uint32_t recipients, uint64_t files)
{
    struct outbound *out = calloc(1, sizeof(*out));
    struct outbound **last = &node->outs;

    if (out == NULL) {
        return NULL;
    }
    out->to = calloc(recipients, sizeof(*out->to));
    out->files = calloc(files == 0 ? 1 : files, sizeof(*out->files));
    if (out->to == NULL || out->files == NULL) {
        free(out->to);
        free(out->files);
        free(out);
        return NULL;
    }
    out->node = node;
    out->record.recipient_count = recipients;
    out->record.file_count = files;
    sf_range_set_init(&out->sealed, SF_RECEIPT_STATE_RANGES_MAX);
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = out;
    return out;
}

static void
forget_key_memory(struct outbound *out)
{
    if (out->seal != NULL) {
        sf_seal_fini(out->seal);
        sf_secret_free(out->seal);
        out->seal = NULL;
    }
}

void
outbound_unlink(struct sf_node *node, struct outbound *out)
{
    struct outbound **at = &node->outs;

    while (*at != out) {
        at = &(*at)->next;
    }
    *at = out->next;
    forget_key_memory(out);
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        sf_receipt_state_fini(&out->to[i].receipts);
    }
    sf_range_set_fini(&out->sealed);
    intake_free(out->intake);
    free(out->files);
    free(out->to);
    free(out);
}

void
outbound_fini(struct sf_node *node)
{
    while (node->outs != NULL) {
        outbound_unlink(node, node->outs);
    }
}

int
outbound_set_key(struct outbound *out, const uint8_t cek[SF_CEK_BYTES])
{
    out->seal = sf_secret_alloc(sizeof(*out->seal));
    if (out->seal == NULL) {
        return SF_ENOMEM;
    }
    sf_seal_init(out->seal, cek, &out->id);
    return SF_OK;
}

void
outbound_bind(struct outbound *out, struct out_to *to)
{
    struct sf_receipt_binding binding = {
        .receiver = to->fingerprint,
        .sender = out->node->card.fingerprint,
        .transfer = out->id,
        .slots = out->record.slots,
    };

    sf_receipt_state_init(&to->receipts, &binding);
    if (out->has_manifest) {
        sf_receipt_state_set_manifest(&to->receipts, &out->manifest, &out->files_digest);
    }
}

/* --- Freeing --------------------------------------------------------------------------- */

static void
key_gone(struct sf_vault_op *op)
{
    struct outbound *out = op->owner;

    out->is_key_busy = false;
    if (op->status != SF_OK && op->status != SF_ENOENT) {
        node_say(out->node, SF_NODE_EVENT_WARNING, &out->id, "its key could not be erased: %s",
            sf_status_text(op->status));
    }
}

/* The key goes from memory and disk; the label, sealed under it, with it. */
void
out_erase_key(struct outbound *out)
{
    if (out->is_key_busy || out->seal == NULL) {
        return;
    }
    forget_key_memory(out);
    out->label[0] = '\0';
    out->is_key_busy = true;
    out->vault_op = (struct sf_vault_op){.done = key_gone, .owner = out};
    vault_key_out(&out->id, out->vault_op.key);
    sf_vault_erase(out->node->vault, &out->vault_op, out->node->now);
}

static void
spool_gone(struct sf_spool_op *op)
{
    struct outbound *out = op->owner;

    out->is_busy = false;
    out->spool = NULL;
    if (op->status != SF_OK) {
        node_say(out->node, SF_NODE_EVENT_WARNING, &out->id,
            "its spool could not be removed: %s; trying again", sf_status_text(op->status));
        out->free_at = sf_mono_add(out->node->now, FREE_AGAIN);
        return;
    }
    out->is_freed = true;
    /* Bundles that were on their way to the disk when it ended have left facts behind. */
    node_must(
        out->node, sf_journal_unset(out->node->journal, SF_TABLE_OUT_SEALED, out_id_view(out)));
    node_commit(out->node);
}

void
out_free_step(struct outbound *out)
{
    struct sf_node *node = out->node;

    if (!out->want_freed || out->is_freed || out->is_busy || out->is_key_busy ||
        out->intake != NULL || cache_is_busy(out) || node->now < out->free_at) {
        return;
    }
    cache_forget(node, out);
    out_erase_key(out);
    out->is_busy = true;
    out->spool_op = (struct sf_spool_op){
        .done = spool_gone,
        .owner = out,
        .transfer = out->id,
        .direction = SF_SPOOL_OUT,
        .spool = out->spool,
    };
    if (out->spool != NULL) {
        sf_spool_remove(&out->spool_op);
    } else {
        sf_spools_unlink(node->spools, &out->spool_op);
    }
}

/* The durable fact allows it: nothing is sent any more, spool and key go. */
static void
let_go(void *owner)
{
    struct outbound *out = owner;

    out->want_freed = true;
    out_free_step(out);
    out_tell_cancelled(out);
}

static void
stop_sending(struct outbound *out)
{
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        const struct peer *peer = peer_of(out->node, &out->to[i].fingerprint);

        out_withdraw(out, &out->to[i]);
        if (peer != NULL) {
            mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT);
        }
    }
}

/* End it for every recipient that has not finished, with a signed cancel. */
void
outbound_end(struct outbound *out, enum sf_out_phase phase, enum sf_cancel_reason reason)
{
    struct sf_node *node = out->node;

    stop_sending(out);
    if (out->intake != NULL) {
        intake_stop(out->intake);
    }
    out->record.phase = (uint8_t)phase;
    out->record.reason = (uint8_t)reason;
    out->record.ended = node->wall;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (out_to_is_open(to) || to->record.phase == SF_TO_STANDBY) {
            to->record.phase = out_to_is_open(to) ? SF_TO_CANCELLING : SF_TO_SPARED;
            to->is_paused = false;
            node_must(node, outbound_save_to(out, to));
        }
    }
    node_must(node, outbound_save(out));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_SEALED, out_id_view(out)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_LABEL, out_id_view(out)));
    sf_range_set_clear(&out->sealed);
    node_commit_then(node, let_go, out);
}

void
outbound_fail(struct outbound *out, enum sf_cancel_reason reason, const char *why)
{
    snprintf(out->why, sizeof(out->why), "%s", why);
    outbound_end(out, SF_OUT_FAILED, reason);
    if (out_is_shown(out)) {
        record_out(out, "failed", NULL, why);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "failed: %s", why);
    }
    whole_failed(out, reason, why);
}

void
out_cancel(struct outbound *out, const char *why)
{
    outbound_end(out, SF_OUT_CANCELLED, SF_CANCEL_OPERATOR);
    snprintf(out->why, sizeof(out->why), "%s", why);
    if (out_is_shown(out)) {
        record_out(out, "cancelled", NULL, why);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "cancelled: %s", why);
    }
    whole_failed(out, SF_CANCEL_OPERATOR, why);
}

int
outbound_cancel(struct sf_node *node, struct outbound *out, struct sf_node_error *error)
{
    (void)node;
    if (out->record.phase == SF_OUT_DONE || out->record.phase == SF_OUT_CANCELLED ||
        out->record.reason != 0) {
        return node_error(error, SF_ESTATE, "this transfer has ended already (%s)",
            out->record.phase == SF_OUT_DONE ? "done" : "cancelled or failed");
    }
    out_cancel(out, "cancelled here");
    return SF_OK;
}

static void
trimmed(struct sf_spool_op *op)
{
    struct outbound *out = op->owner;

    out->is_busy = false;
    if (op->status != SF_OK) {
        node_say(out->node, SF_NODE_EVENT_WARNING, &out->id,
            "unused room of its spool could not be given back: %s", sf_status_text(op->status));
    }
    out_free_step(out);
}

static void
in_custody(void *owner)
{
    struct outbound *out = owner;
    struct sf_node *node = out->node;

    if (out->record.phase != SF_OUT_CUSTODY) {
        return; /* cancelled meanwhile */
    }
    out->is_custody_durable = true;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (to->data_handle != 0 &&
            sf_link_set_count(node->link, to->data_handle, out->record.count) != SF_OK) {
            out_withdraw(out, to);
        }
    }
    outbound_offer(out);
    if (!out->is_busy && out->spool != NULL && out->record.count < out->record.slots) {
        out->is_busy = true;
        out->spool_op = (struct sf_spool_op){
            .done = trimmed, .owner = out, .spool = out->spool, .slots = out->record.count};
        sf_spool_trim(&out->spool_op);
    }
    if (out_is_shown(out)) {
        record_out(out, "custody", NULL, NULL);
        node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "in custody");
    }
}

void
outbound_complete(struct outbound *out)
{
    struct sf_node *node = out->node;

    out->record.phase = SF_OUT_CUSTODY;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        sf_receipt_state_set_manifest(&out->to[i].receipts, &out->manifest, &out->files_digest);
    }
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct peer *peer = peer_of(node, &out->to[i].fingerprint);

        if (peer != NULL && out_to_is_open(&out->to[i])) {
            cover_owe(node, peer, out);
        }
    }
    node_must(node, save_manifest(out));
    if (!out->record.forget_key) {
        /* With the key each bundle is checked by itself before it flies. */
        node_must(node, sf_journal_drop_tags(node->journal, SF_TABLE_OUT_SEALED, out_id_view(out)));
    }
    node_must(node, outbound_save(out));
    node_commit_then(node, in_custody, out);
}

/* Nobody seals it, and nobody has sent its files again since the restart; a whole follows its delta. */
static bool
is_interrupted(const struct outbound *out)
{
    return out->record.phase == SF_OUT_SEALING && out->intake == NULL && out->restarted &&
           out->record.role != SF_OUT_WHOLE;
}

/* The files are the delta's to close, when the whole does not read them any more. */
static void
close_intake(struct outbound *out)
{
    const struct outbound *whole = whole_of(out);

    if (out->intake != NULL && intake_is_over(out->intake) &&
        (whole == NULL || whole->intake == NULL)) {
        intake_close(out->intake);
        out->intake = NULL;
    }
}

/* Ended transfers give way to new ones, oldest first, when nothing refers to them any more. */
static void
prune(struct sf_node *node)
{
    size_t ended = 0;
    struct outbound *next;

    if (node->commits > 0) {
        return;
    }
    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        ended += out->is_freed;
    }
    for (struct outbound *out = node->outs; out != NULL && ended > HISTORY_MAX; out = next) {
        const struct outbound *delta = delta_of(out);
        bool is_waiting = delta != NULL && !delta->is_freed;

        next = out->next;
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            is_waiting |= out->to[i].record.phase == SF_TO_CANCELLING;
        }
        if (!out->is_freed || is_waiting || out->is_busy || out->is_key_busy) {
            continue;
        }
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT, out_id_view(out)));
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_MANIFEST, out_id_view(out)));
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            uint8_t key[SF_PAIR_KEY_BYTES];
            struct sf_view view = sf_view(key, sizeof(key));

            sf_pair_key(&out->id, &out->to[i].fingerprint, key);
            node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_TO, view));
            node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_HELD, view));
            node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_RECEIPT, view));
        }
        outbound_unlink(node, out);
        ended--;
    }
}

void
outbound_tick(struct sf_node *node)
{
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        close_intake(out);
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            out_retry(out, &out->to[i]);
        }
        if (is_interrupted(out) && node->now >= sf_mono_add(out->interrupted_at, INTERRUPT_GRACE)) {
            outbound_fail(out, SF_CANCEL_SOURCE_FAILED,
                "a restart interrupted the sealing and nobody sent the files again");
        }
        out_free_step(out);
    }
    prune(node);
}

/* When something is to be done for one recipient. */
static sf_mono
to_deadline(struct outbound *out, const struct out_to *to)
{
    sf_mono deadline = to->retry_at;
    const struct peer *peer;

    if (out_to_is_open(to) && (to->data_handle != 0 || to->was_received) && !to->record.opened &&
        out->seal != NULL) {
        deadline = sf_mono_min(deadline, to->grant_at);
    }
    if (deadline != SF_NEVER && (peer = peer_of(out->node, &to->fingerprint)) != NULL &&
        contacts_are_silent(peer)) {
        return SF_NEVER; /* its next contact comes with a deadline of its own */
    }
    return deadline;
}

sf_mono
outbound_deadline(const struct sf_node *node)
{
    sf_mono deadline = SF_NEVER;

    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            deadline = sf_mono_min(deadline, to_deadline(out, &out->to[i]));
        }
        if (out->want_freed && !out->is_freed && out->free_at > node->now) {
            deadline = sf_mono_min(deadline, out->free_at);
        }
        if (is_interrupted(out)) {
            deadline = sf_mono_min(deadline, sf_mono_add(out->interrupted_at, INTERRUPT_GRACE));
        }
    }
    return deadline;
}
