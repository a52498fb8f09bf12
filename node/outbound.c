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
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define CANCEL_AGAIN (60 * SF_SEC) /* a cancel that nobody answered */

static struct sf_view
id_view(const struct outbound *out)
{
    return sf_view(out->id.b, sizeof(out->id.b));
}

static bool
is_open(const struct outbound *out)
{
    return out->record.phase == SF_OUT_SEALING || out->record.phase == SF_OUT_CUSTODY;
}

static bool
to_is_open(const struct out_to *to)
{
    return to->record.phase == SF_TO_OPEN || to->record.phase == SF_TO_VERIFIED;
}

struct outbound *
outbound_find(struct sf_node *node, const struct sf_transfer_id *id)
{
    struct outbound *out = node->outs;

    while (out != NULL && !sf_transfer_equal(&out->id, id)) {
        out = out->next;
    }
    return out;
}

static struct outbound *
find_handle(struct sf_node *node, uint32_t handle, struct out_to **ret_to)
{
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            if (out->to[i].data_handle == handle && handle != 0) {
                *ret_to = &out->to[i];
                return out;
            }
        }
    }
    return NULL;
}

/* --- Facts ------------------------------------------------------------------------- */

int
outbound_save(struct outbound *out)
{
    uint8_t record[SF_RECORD_BYTES_MAX];
    size_t bytes = sf_record_out_encode(&out->record, record);

    return sf_journal_set(out->node->journal, SF_TABLE_OUT, id_view(out), sf_view(record, bytes));
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
    status = sf_journal_set(
        out->node->journal, SF_TABLE_OUT_MANIFEST, id_view(out), sf_view(value, 64 + count * 40));
    free(value);
    return status;
}

void
outbound_load_manifest(struct outbound *out)
{
    struct sf_view value = sf_journal_get(out->node->journal, SF_TABLE_OUT_MANIFEST, id_view(out));

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

/* A fact could not even be appended: no memory. Nothing is promised on its strength. */
void
node_must(struct sf_node *node, int status)
{
    if (status != SF_OK) {
        node->health = status;
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

/* --- Putting on offer -------------------------------------------------------------------- */

static void
withdraw(struct outbound *out, struct out_to *to)
{
    if (to->data_handle != 0) {
        sf_link_withdraw(out->node->link, to->data_handle);
        cache_withdrawn(out->node, out, to->data_handle);
        to->data_handle = 0;
    }
}

/* The next try comes after twice the wait of the last. */
static sf_mono
back_off(const struct outbound *out, uint64_t *wait_ns)
{
    *wait_ns = *wait_ns < RETRY_FIRST ? RETRY_FIRST : *wait_ns * 2;
    if (*wait_ns > RETRY_LAST) {
        *wait_ns = RETRY_LAST;
    }
    return sf_mono_add(out->node->now, *wait_ns);
}

/* A fresh grant for one recipient, to its newest prekey; a new rung where there is a ladder. */
static void
post_grant(struct outbound *out, struct out_to *to, struct peer *peer)
{
    struct sf_node *node = out->node;
    struct sf_grant_recipient recipient = {
        .card = &peer->conf.card, .has_psk = peer->conf.has_psk, .number = to->record.number};
    struct sf_grant_config config = {
        .identity = node->identity,
        .transfer = out->id,
        .cek = out->seal->cek,
        .class_bytes = out->record.class_bytes,
        .slots = out->record.slots,
        .recipients = &recipient,
        .recipient_count = 1,
    };
    struct mail_item item = {
        .peer = peer_number(node, peer),
        .kind = SF_KIND_GRANT,
        .id = out->id,
        .subject = out->id,
        .topic = MAIL_GRANT,
    };
    uint8_t object[SF_GRANT_BYTES_MAX];
    size_t bytes;

    if (recipient.has_psk) {
        recipient.rung = to->record.rung;
        ladder_psk(peer->conf.psk, &node->card.fingerprint, &to->fingerprint, recipient.rung,
            recipient.psk);
    }
    if (sf_grant_seal(&config, &node->config.random, object, sizeof(object), &bytes) != SF_OK) {
        snprintf(to->why, sizeof(to->why), "no grant can be made for its card");
    } else {
        item.bytes = sf_view(object, bytes);
        if (mail_post(node, &item) != SF_OK) {
            snprintf(to->why, sizeof(to->why), "too much mail waits for it");
        }
    }
    to->grant_issue = peer->conf.card.issue;
    sf_wipe(&recipient, sizeof(recipient));
}

struct rung_note {
    struct sf_node *node;
    struct sf_transfer_id id;
    struct sf_fingerprint fingerprint;
};

static void
rung_durable(void *owner)
{
    struct rung_note *note = owner;
    struct outbound *out = outbound_find(note->node, &note->id);
    struct peer *peer = peer_of(note->node, &note->fingerprint);

    for (uint32_t i = 0; out != NULL && i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (sf_fingerprint_equal(&to->fingerprint, &note->fingerprint) && peer != NULL &&
            out->seal != NULL && to_is_open(to) && is_open(out)) {
            post_grant(out, to, peer);
        }
    }
    free(note);
}

/*
 * Grant again, when the recipient could not open the last one. A rung of the
 * ladder is used once: a new one is reserved durably first.
 */
static void
grant_again(struct outbound *out, struct out_to *to, struct peer *peer)
{
    struct rung_note *note;

    if (out->seal == NULL) {
        return;
    }
    if (!peer->conf.has_psk) {
        post_grant(out, to, peer);
        return;
    }
    note = malloc(sizeof(*note));
    if (note == NULL) {
        return;
    }
    *note = (struct rung_note){out->node, out->id, to->fingerprint};
    to->record.rung = peer->record.rung_next++;
    node_must(out->node, outbound_save_to(out, to));
    node_must(out->node, peer_save(out->node, peer));
    node_commit_then(out->node, rung_durable, note);
}

static void
offer_data(struct outbound *out, struct out_to *to, const struct peer *peer)
{
    struct sf_link_object object = {
        .transfer = out->id,
        .kind = SF_KIND_DATA,
        .priority = out->record.priority == 0 ? 1 : out->record.priority,
        .count = out->record.count != 0 ? out->record.count : out->record.slots,
        .is_count_final = out->record.count != 0,
        .class_bytes = out->record.class_bytes,
        .ask_map = (out->restarted || to->was_received) && !peer->conf.no_return,
    };
    struct sf_node *node = out->node;

    if (sf_link_offer(node->link, peer_number(node, peer), &object, &to->data_handle) != SF_OK) {
        to->data_handle = 0;
        to->retry_at = sf_mono_add(node->now, RETRY_FIRST);
        return;
    }
    for (size_t i = 0; i < out->sealed.count; i++) {
        const struct sf_range *range = &out->sealed.ranges[i];

        if (sf_link_ready(node->link, to->data_handle, range->from, range->to) != SF_OK) {
            to->retry_at = sf_mono_add(node->now, RETRY_FIRST);
        }
    }
}

/* Until a receipt shows that it was opened a grant is given again, less and less often. */
static void
grant_if_due(struct outbound *out, struct out_to *to, struct peer *peer)
{
    if (to->record.opened || out->seal == NULL || out->node->now < to->grant_at) {
        return;
    }
    to->grant_at = back_off(out, &to->grant_ns);
    if (mail_is_waiting(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT)) {
        return;
    }
    if (out->restarted || to->grant_issue != 0) {
        grant_again(out, to, peer);
    } else {
        post_grant(out, to, peer);
    }
}

static void
offer_to(struct outbound *out, struct out_to *to)
{
    struct peer *peer = peer_of(out->node, &to->fingerprint);

    if (peer == NULL || !peer->conf.may_receive || !to_is_open(to) || to->is_paused ||
        to->data_handle != 0 || out->spool == NULL || !out->is_begun) {
        return;
    }
    to->retry_at = SF_NEVER;
    grant_if_due(out, to, peer);
    offer_data(out, to, peer);
}

void
outbound_offer(struct outbound *out)
{
    if (!is_open(out)) {
        return;
    }
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        offer_to(out, &out->to[i]);
    }
}

static void
post_cancel(struct outbound *out, struct out_to *to, struct peer *peer)
{
    struct sf_cancel cancel = {
        .by = out->node->card.fingerprint,
        .transfer = out->id,
        .reason = (enum sf_cancel_reason)out->record.reason,
    };
    uint8_t encoded[SF_CANCEL_BYTES_MAX];
    size_t bytes;

    to->retry_at = sf_mono_add(out->node->now, CANCEL_AGAIN);
    if (sf_cancel_encode(&cancel, out->node->identity, encoded, sizeof(encoded), &bytes) == SF_OK) {
        int status = mail_letter(
            out->node, peer, SF_LETTER_CANCEL, sf_view(encoded, bytes), &out->id, MAIL_CANCEL);

        if (status != SF_OK) {
            node_say(out->node, SF_NODE_EVENT_WARNING, &out->id,
                "the cancel cannot be sent yet: %s", sf_status_text(status));
        }
    }
}

/* Tell every recipient that has not answered yet. */
static void
tell_cancelled(struct outbound *out)
{
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];
        struct peer *peer = peer_of(out->node, &to->fingerprint);

        if (to->record.phase == SF_TO_CANCELLING && peer != NULL &&
            !mail_is_waiting(out->node, peer_number(out->node, peer), &out->id, MAIL_CANCEL)) {
            post_cancel(out, to, peer);
        }
    }
}

void
outbound_peer_changed(struct sf_node *node, unsigned number)
{
    const struct sf_fingerprint *fingerprint = &node->peers[number].conf.card.fingerprint;

    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            struct out_to *to = &out->to[i];

            if (!sf_fingerprint_equal(&to->fingerprint, fingerprint)) {
                continue;
            }
            to->grant_at = 0;
            to->grant_ns = 0;
            if (to->record.phase == SF_TO_CANCELLING) {
                tell_cancelled(out);
            } else if (is_open(out)) {
                offer_to(out, to);
            }
        }
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
static void
erase_key(struct outbound *out)
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
    out->is_freed = true;
    /* Bundles that were on their way to the disk when it ended have left facts behind. */
    node_must(out->node, sf_journal_unset(out->node->journal, SF_TABLE_OUT_SEALED, id_view(out)));
    node_commit(out->node);
    if (op->status != SF_OK) {
        node_say(out->node, SF_NODE_EVENT_WARNING, &out->id, "its spool could not be removed: %s",
            sf_status_text(op->status));
    }
}

static void
free_step(struct outbound *out)
{
    struct sf_node *node = out->node;

    if (!out->want_freed || out->is_freed || out->is_busy || out->is_key_busy ||
        out->intake != NULL || cache_is_busy(node, out)) {
        return;
    }
    cache_forget(node, out);
    erase_key(out);
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
    free_step(out);
    tell_cancelled(out);
}

static void
stop_sending(struct outbound *out)
{
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        const struct peer *peer = peer_of(out->node, &out->to[i].fingerprint);

        withdraw(out, &out->to[i]);
        if (peer != NULL) {
            mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT);
        }
    }
}

/* End it for every recipient that has not finished, with a signed cancel. */
static void
end_with_cancel(struct outbound *out, enum sf_out_phase phase, enum sf_cancel_reason reason)
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

        if (to_is_open(to)) {
            to->record.phase = SF_TO_CANCELLING;
            to->is_paused = false;
            node_must(node, outbound_save_to(out, to));
        }
    }
    node_must(node, outbound_save(out));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_SEALED, id_view(out)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_LABEL, id_view(out)));
    sf_range_set_clear(&out->sealed);
    node_commit_then(node, let_go, out);
}

void
outbound_fail(struct outbound *out, enum sf_cancel_reason reason, const char *why)
{
    snprintf(out->why, sizeof(out->why), "%s", why);
    end_with_cancel(out, SF_OUT_FAILED, reason);
    record_out(out, "failed", NULL, why);
    node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "failed: %s", why);
}

int
outbound_cancel(struct sf_node *node, struct outbound *out, struct sf_node_error *error)
{
    if (out->record.phase == SF_OUT_DONE || out->record.phase == SF_OUT_CANCELLED ||
        out->record.reason != 0) {
        return node_error(error, SF_ESTATE, "this transfer has ended already (%s)",
            out->record.phase == SF_OUT_DONE ? "done" : "cancelled or failed");
    }
    end_with_cancel(out, SF_OUT_CANCELLED, SF_CANCEL_OPERATOR);
    snprintf(out->why, sizeof(out->why), "%s", "cancelled here");
    record_out(out, "cancelled", NULL, "cancelled here");
    node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "cancelled");
    return SF_OK;
}

/* --- Sealing progresses -------------------------------------------------------------------- */

void
outbound_sealed(struct outbound *out, uint64_t index)
{
    node_must(out->node, sf_range_set_add(&out->sealed, index, index + 1));
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (to->data_handle != 0 &&
            sf_link_ready(out->node->link, to->data_handle, index, index + 1) != SF_OK) {
            /* Too scattered for the link just now: offer the whole again later. */
            withdraw(out, to);
            to->retry_at = sf_mono_add(out->node->now, RETRY_FIRST);
        }
    }
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
    free_step(out);
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
            withdraw(out, to);
        }
    }
    outbound_offer(out);
    if (!out->is_busy && out->spool != NULL && out->record.count < out->record.slots) {
        out->is_busy = true;
        out->spool_op = (struct sf_spool_op){
            .done = trimmed, .owner = out, .spool = out->spool, .slots = out->record.count};
        sf_spool_trim(&out->spool_op);
    }
    record_out(out, "custody", NULL, NULL);
    node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "in custody");
}

void
outbound_complete(struct outbound *out)
{
    struct sf_node *node = out->node;

    out->record.phase = SF_OUT_CUSTODY;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        sf_receipt_state_set_manifest(&out->to[i].receipts, &out->manifest, &out->files_digest);
    }
    node_must(node, save_manifest(out));
    node_must(node, sf_journal_drop_tags(node->journal, SF_TABLE_OUT_SEALED, id_view(out)));
    node_must(node, outbound_save(out));
    node_commit_then(node, in_custody, out);
}

/* --- Receipts -------------------------------------------------------------------------------- */

/* Write what the receipts of one recipient say to the journal. */
static void
save_held(struct outbound *out, const struct out_to *to, bool is_new_generation)
{
    struct sf_journal *journal = out->node->journal;
    uint8_t key[SF_PAIR_KEY_BYTES];
    struct sf_view view = sf_view(key, sizeof(key));
    const struct sf_range_set *known;

    sf_pair_key(&out->id, &to->fingerprint, key);
    if (is_new_generation) {
        node_must(out->node, sf_journal_unset(journal, SF_TABLE_OUT_HELD, view));
    }
    known = sf_journal_set_of(journal, SF_TABLE_OUT_HELD, view);
    for (size_t i = 0; i < to->receipts.held.count; i++) {
        const struct sf_range *range = &to->receipts.held.ranges[i];

        if (known == NULL || !sf_range_set_covers(known, range->from, range->to)) {
            node_must(out->node,
                sf_journal_add(journal, SF_TABLE_OUT_HELD, view, range->from, range->to, NULL));
            known = sf_journal_set_of(journal, SF_TABLE_OUT_HELD, view);
        }
    }
}

/* Whether every recipient has ended, and whether all of them have the files. */
static bool
all_ended(const struct outbound *out, bool *ret_all_final)
{
    *ret_all_final = true;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        if (to_is_open(&out->to[i])) {
            return false;
        }
        *ret_all_final &= out->to[i].record.phase == SF_TO_FINAL;
    }
    return true;
}

static void
done_durable(void *owner)
{
    struct outbound *out = owner;

    out->want_freed = true;
    free_step(out);
    record_out(out, "done", NULL, NULL);
    node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "done: every recipient has it");
}

static void
final_durable(void *owner)
{
    struct outbound *out = owner;
    struct sf_node *node = out->node;
    bool all_final;

    if (!is_open(out) || !all_ended(out, &all_final)) {
        return;
    }
    out->record.ended = node->wall;
    if (all_final) {
        out->record.phase = SF_OUT_DONE;
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_SEALED, id_view(out)));
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_LABEL, id_view(out)));
        node_must(node, outbound_save(out));
        node_commit_then(node, done_durable, out);
        return;
    }
    /* Somebody refused for good. The spool stays until somebody decides. */
    out->record.phase = SF_OUT_FAILED;
    if (out->intake != NULL) {
        intake_stop(out->intake);
    }
    snprintf(out->why, sizeof(out->why),
        "a recipient refused it for good; `skyferry cancel` gives its space back");
    node_must(node, outbound_save(out));
    node_commit(node);
    node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "failed: %s", out->why);
}

static void
recipient_ended(struct outbound *out, struct out_to *to, struct peer *peer, struct sf_view encoded,
    enum sf_to_phase phase)
{
    uint8_t key[SF_PAIR_KEY_BYTES];

    to->record.phase = (uint8_t)phase;
    sf_pair_key(&out->id, &to->fingerprint, key);
    node_must(out->node, sf_journal_set(out->node->journal, SF_TABLE_OUT_RECEIPT,
                             sf_view(key, sizeof(key)), encoded));
    withdraw(out, to);
    mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT);
    record_out(out, phase == SF_TO_FINAL ? "final" : "refused", to,
        phase == SF_TO_FINAL ? NULL : sf_refusal_text((enum sf_refusal)to->record.reason));
}

/* The recipient cannot take it now: wait, and offer again. */
static void
pause_to(struct outbound *out, struct out_to *to, const struct sf_receipt *receipt)
{
    to->is_paused = true;
    withdraw(out, to);
    to->retry_at = back_off(out, &to->retry_ns);
    if (receipt->need_bytes > 0) {
        snprintf(to->why, sizeof(to->why), "%s: it needs %llu more bytes",
            sf_refusal_text(receipt->refusal), (unsigned long long)receipt->need_bytes);
    } else {
        snprintf(to->why, sizeof(to->why), "%s", sf_refusal_text(receipt->refusal));
    }
}

static void
refused(struct outbound *out, struct out_to *to, struct peer *peer,
    const struct sf_receipt *receipt, struct sf_view encoded)
{
    if (!receipt->retryable) {
        to->record.reason = (uint8_t)receipt->refusal;
        snprintf(to->why, sizeof(to->why), "%s", sf_refusal_text(receipt->refusal));
        recipient_ended(out, to, peer, encoded, SF_TO_REFUSED);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "%s refused it: %s", peer->conf.name,
            sf_refusal_text(receipt->refusal));
        return;
    }
    switch (receipt->refusal) {
    case SF_REFUSAL_STALE_PREKEY:
    case SF_REFUSAL_BAD_PSK:
        if (out->seal != NULL) {
            snprintf(to->why, sizeof(to->why), "%s; it is granted again",
                sf_refusal_text(receipt->refusal));
            if (to->grant_issue != peer->conf.card.issue) {
                to->grant_at = 0; /* there is a newer card: at once */
            }
        } else {
            snprintf(to->why, sizeof(to->why),
                "%s, and the content key was forgotten: cancel it and send again",
                sf_refusal_text(receipt->refusal));
            to->record.reason = (uint8_t)receipt->refusal;
            recipient_ended(out, to, peer, encoded, SF_TO_REFUSED);
        }
        break;
    default:
        pause_to(out, to, receipt);
        break;
    }
}

/* Everybody has opened the grant: what --forget-key asked for can be done. */
static void
forget_if_asked(struct outbound *out)
{
    if (!out->record.forget_key || out->record.phase != SF_OUT_CUSTODY || out->seal == NULL) {
        return;
    }
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        if (!out->to[i].record.opened) {
            return;
        }
    }
    erase_key(out);
    record_out(out, "key_forgotten", NULL, NULL);
}

/* A receipt for a transfer that ended here: it tells whether a cancel arrived. */
static void
receipt_after_end(struct outbound *out, struct out_to *to, const struct sf_receipt *receipt)
{
    if (to->record.phase != SF_TO_CANCELLING) {
        return;
    }
    if (receipt->phase == SF_RECEIPT_FINAL ||
        (receipt->phase == SF_RECEIPT_REFUSED && !receipt->retryable)) {
        const struct peer *peer = peer_of(out->node, &to->fingerprint);

        to->record.phase = SF_TO_CANCELLED;
        to->retry_at = SF_NEVER;
        if (peer != NULL) {
            mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_CANCEL);
        }
        node_must(out->node, outbound_save_to(out, to));
        node_commit(out->node);
        record_out(out,
            receipt->phase == SF_RECEIPT_FINAL ? "delivered_before_cancel" : "cancel_confirmed", to,
            NULL);
    }
}

static void
take_receipt(struct outbound *out, struct out_to *to, struct peer *peer,
    const struct sf_receipt *receipt, struct sf_view encoded)
{
    uint64_t generation = to->receipts.generation;
    bool had_any = to->receipts.any;
    bool changed;
    int status = sf_receipt_merge(&to->receipts, receipt, &changed);

    if (status != SF_OK) {
        node_say(out->node, SF_NODE_EVENT_WARNING, &out->id,
            "a receipt of %s does not fit this transfer: %s", peer->conf.name,
            sf_status_text(status));
        record_out(out, "receipt_rejected", to, sf_status_text(status));
        return;
    }
    if (!changed) {
        return;
    }
    to->record.generation = to->receipts.generation;
    to->record.counter = to->receipts.counter;
    if (receipt->phase != SF_RECEIPT_REFUSED) {
        to->record.opened = true;
        to->is_paused = false;
        to->retry_ns = 0;
        to->why[0] = '\0';
        mail_drop(out->node, peer_number(out->node, peer), &out->id, MAIL_GRANT);
    }
    if (to->receipts.final) {
        recipient_ended(out, to, peer, encoded, SF_TO_FINAL);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "%s has it: FINAL", peer->conf.name);
    } else if (receipt->phase == SF_RECEIPT_REFUSED) {
        refused(out, to, peer, receipt, encoded);
    } else {
        to->record.phase = to->receipts.verified ? SF_TO_VERIFIED : SF_TO_OPEN;
        if (!to->was_received || generation != to->receipts.generation) {
            offer_to(out, to);
        }
    }
    save_held(out, to, had_any && generation != to->receipts.generation);
    node_must(out->node, outbound_save_to(out, to));
    node_commit_then(out->node, final_durable, out);
    forget_if_asked(out);
}

void
outbound_receipt(struct sf_node *node, struct peer *peer, struct sf_view encoded)
{
    struct sf_receipt receipt;
    struct outbound *out;

    if (sf_receipt_decode(
            encoded, peer->conf.card.sign_pk, &peer->conf.card.fingerprint, &receipt) != SF_OK) {
        node_say(node, SF_NODE_EVENT_WARNING, NULL, "a receipt of %s is not valid; ignored",
            peer->conf.name);
        return;
    }
    out = outbound_find(node, &receipt.transfer);
    for (uint32_t i = 0; out != NULL && i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];

        if (!sf_fingerprint_equal(&to->fingerprint, &receipt.receiver)) {
            continue;
        }
        if (is_open(out) && to_is_open(to)) {
            take_receipt(out, to, peer, &receipt, encoded);
        } else {
            receipt_after_end(out, to, &receipt);
        }
    }
    sf_receipt_fini(&receipt);
}

/* --- Events of the link ------------------------------------------------------------------------ */

bool
outbound_want(struct sf_node *node, uint32_t handle, uint64_t index)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return false;
    }
    cache_want(node, out, handle, index);
    return true;
}

bool
outbound_release(struct sf_node *node, uint32_t handle, uint64_t index)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return false;
    }
    cache_release(node, out, handle, index);
    return true;
}

bool
outbound_map(struct sf_node *node, uint32_t handle)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);
    const struct sf_range_set *has = sf_link_peer_has(node->link, handle);

    if (out == NULL) {
        return false;
    }
    to->link_has = has == NULL ? 0 : sf_range_set_total(has);
    return true;
}

void
outbound_received(struct sf_node *node, uint32_t handle)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return;
    }
    to->link_has = out->record.count;
    to->was_received = true;
    withdraw(out, to);
    /* Its FINAL may be lost with a crash there; announcing it again makes it answer. */
    if (to->retry_ns < FINAL_FIRST) {
        to->retry_ns = FINAL_FIRST / 2;
    }
    to->retry_at = back_off(out, &to->retry_ns);
}

void
outbound_declined(struct sf_node *node, uint32_t handle)
{
    struct out_to *to;
    struct outbound *out = find_handle(node, handle, &to);

    if (out == NULL) {
        return;
    }
    /* Why is in a signed receipt, now or soon; until it says "for good", ask again. */
    withdraw(out, to);
    to->retry_ns = to->retry_ns == 0 ? RETRY_FIRST : to->retry_ns;
    to->retry_at = sf_mono_add(node->now, to->retry_ns);
}

/* --- Time ---------------------------------------------------------------------------------------- */

static void
retry_to(struct outbound *out, struct out_to *to)
{
    struct peer *peer = peer_of(out->node, &to->fingerprint);

    if (peer != NULL && is_open(out) && to_is_open(to) && to->data_handle != 0) {
        grant_if_due(out, to, peer);
    }
    if (to->retry_at > out->node->now) {
        return;
    }
    to->retry_at = SF_NEVER;
    if (to->record.phase == SF_TO_CANCELLING) {
        tell_cancelled(out);
    } else if (is_open(out)) {
        to->is_paused = false;
        offer_to(out, to);
    }
}

void
outbound_tick(struct sf_node *node)
{
    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        if (out->intake != NULL && intake_is_over(out->intake)) {
            intake_close(out->intake);
            out->intake = NULL;
        }
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            retry_to(out, &out->to[i]);
        }
        if (out->record.phase == SF_OUT_SEALING && out->intake == NULL && out->restarted &&
            node->now >= sf_mono_add(out->interrupted_at, INTERRUPT_GRACE)) {
            outbound_fail(out, SF_CANCEL_SOURCE_FAILED,
                "a restart interrupted the sealing and nobody sent the files again");
        }
        free_step(out);
    }
}

sf_mono
outbound_deadline(const struct sf_node *node)
{
    sf_mono deadline = SF_NEVER;

    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            const struct out_to *to = &out->to[i];

            deadline = sf_mono_min(deadline, to->retry_at);
            if (to_is_open(to) && to->data_handle != 0 && !to->record.opened && out->seal != NULL) {
                deadline = sf_mono_min(deadline, to->grant_at);
            }
        }
        if (out->record.phase == SF_OUT_SEALING && out->intake == NULL && out->restarted) {
            deadline = sf_mono_min(deadline, sf_mono_add(out->interrupted_at, INTERRUPT_GRACE));
        }
    }
    return deadline;
}
