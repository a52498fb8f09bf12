/*
 * send.c - how an outgoing transfer comes to be: a new one, one whose sealing
 * is resumed, and those that the journal knows after a restart.
 *
 * A new one, each step durable before the next: its key in the vault; its
 * spool file with all slots; its facts in one commit. Only then a grant goes
 * out and a bundle may fly. A crash before the facts leaves a file and a
 * secret that nobody knows, and recovery removes both.
 */
#include "node/outbound.h"

#include <stdio.h>
#include <stdlib.h>

static struct sf_view
id_view(const struct outbound *out)
{
    return sf_view(out->id.b, sizeof(out->id.b));
}

/* --- A new transfer -------------------------------------------------------------------- */

/* It could not even begin; nothing of it is in the journal. */
static void
abandon(struct outbound *out, const char *why)
{
    out->record.phase = SF_OUT_FAILED;
    out->record.reason = SF_CANCEL_CUSTODY_LOST;
    out->record.ended = out->node->wall;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        out->to[i].record.phase = SF_TO_CANCELLED;
    }
    snprintf(out->why, sizeof(out->why), "%s", why);
    if (out->intake != NULL) {
        intake_stop(out->intake);
    }
    out->want_freed = true;
    record_out(out, "failed", NULL, why);
    node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "failed: %s", why);
}

static void
begun(void *owner)
{
    struct outbound *out = owner;

    if (out->record.phase == SF_OUT_SEALING || out->record.phase == SF_OUT_CUSTODY) {
        out->is_begun = true;
        outbound_offer(out);
        record_out(out, "begun", NULL, NULL);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "sealing");
    }
}

/* All facts of the new transfer, in one commit. */
static void
record_facts(struct outbound *out)
{
    struct sf_node *node = out->node;
    uint8_t label[LABEL_SEALED_BYTES_MAX];
    size_t bytes = label_seal(node, out->seal, out->label, label);

    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        struct out_to *to = &out->to[i];
        struct peer *peer = peer_of(node, &to->fingerprint);

        if (peer != NULL) { /* not removed or revoked meanwhile */
            to->record.number = peer->record.number_next++;
            node_must(node, peer_save(node, peer));
        }
        node_must(node, outbound_save_to(out, to));
    }
    node_must(node,
        sf_journal_set(node->journal, SF_TABLE_OUT_LABEL, id_view(out), sf_view(label, bytes)));
    node_must(node, outbound_save(out));
    node_commit_then(node, begun, out);
}

static void
spool_made(struct sf_spool_op *op)
{
    struct outbound *out = op->owner;
    char why[160];

    out->is_busy = false;
    if (op->status == SF_ENOSPC) {
        snprintf(why, sizeof(why), "no space for its spool: %llu more bytes must become free",
            (unsigned long long)op->need_bytes);
        abandon(out, why);
        return;
    }
    if (op->status != SF_OK) {
        snprintf(why, sizeof(why), "its spool cannot be made: %s", sf_status_text(op->status));
        abandon(out, why);
        return;
    }
    out->spool = op->spool;
    if (out->record.phase != SF_OUT_SEALING) {
        return; /* cancelled meanwhile: it is removed by the tick */
    }
    record_facts(out);
    intake_step(out->intake);
}

static void
key_kept(struct sf_vault_op *op)
{
    struct outbound *out = op->owner;

    out->is_key_busy = false;
    if (out->record.phase != SF_OUT_SEALING) {
        return;
    }
    if (op->status != SF_OK) {
        abandon(out, op->status == SF_ENOSPC ? "no space: its key could not be stored in the vault"
                                             : "its key could not be stored in the vault");
        return;
    }
    out->is_busy = true;
    out->spool_op = (struct sf_spool_op){
        .done = spool_made,
        .owner = out,
        .transfer = out->id,
        .direction = SF_SPOOL_OUT,
        .class_bytes = out->record.class_bytes,
        .slots = out->record.slots,
    };
    sf_spool_create(out->node->spools, &out->spool_op);
}

static int
check_recipients(struct sf_node *node, const struct sf_node_send *send, struct sf_node_error *error)
{
    if (send->recipient_count == 0 || send->recipient_count > SF_NODE_RECIPIENTS_MAX) {
        return node_error(error, SF_EINVAL, "%zu recipients: there must be from 1 to %d",
            send->recipient_count, SF_NODE_RECIPIENTS_MAX);
    }
    for (size_t i = 0; i < send->recipient_count; i++) {
        const struct peer *peer = peer_named(node, send->recipients[i]);

        if (peer == NULL) {
            return node_error(error, SF_ENOENT,
                "unknown peer '%.63s'; add it with `skyferry peer add`", send->recipients[i]);
        }
        if (!peer->conf.may_receive) {
            return node_error(error, SF_ESTATE,
                "peer %s is not allowed to receive; see `skyferry peer add --allow`",
                peer->conf.name);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(send->recipients[i], send->recipients[k]) == 0) {
                return node_error(
                    error, SF_EINVAL, "recipient %s is named twice", send->recipients[i]);
            }
        }
    }
    return SF_OK;
}

static int
check_send(struct sf_node *node, const struct sf_node_send *send, struct sf_node_error *error)
{
    int status = check_recipients(node, send, error);
    size_t open = 0;

    if (status != SF_OK) {
        return status;
    }
    if (node->is_full) {
        return node_error(error, SF_ENOSPC,
            "the disk is full: %llu more bytes must become free before anything is taken in",
            (unsigned long long)node->full_need_bytes);
    }
    if (send->source_count == 0 || send->source_count > SF_OUTLINE_FILES_MAX ||
        (send->single_file && send->source_count != 1)) {
        return node_error(error, SF_EINVAL, "%zu files: a transfer has from 1 to %d",
            send->source_count, SF_OUTLINE_FILES_MAX);
    }
    if (send->label.bytes == 0 || send->label.bytes > SF_COMPONENT_BYTES_MAX ||
        memchr(send->label.data, '/', send->label.bytes) != NULL ||
        sf_path_check((const char *)send->label.data, send->label.bytes) != SF_OK) {
        return node_error(error, SF_EINVAL,
            "the name it would have at the recipient cannot be used: 1 to %d bytes, not . or .., "
            "without /",
            SF_COMPONENT_BYTES_MAX);
    }
    for (const struct outbound *out = node->outs; out != NULL; out = out->next) {
        open++;
    }
    if (open >= TRANSFERS_MAX) {
        return node_error(error, SF_ELIMIT, "there are %d transfers already", TRANSFERS_MAX);
    }
    return SF_OK;
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
        bool is_waiting = false;

        next = out->next;
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            is_waiting |= out->to[i].record.phase == SF_TO_CANCELLING;
        }
        if (!out->is_freed || is_waiting || out->is_busy || out->is_key_busy) {
            continue;
        }
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT, id_view(out)));
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_OUT_MANIFEST, id_view(out)));
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

static int
begin(struct sf_node *node, const struct sf_node_send *send, struct intake *intake,
    const struct sf_class_choice *choice, struct outbound **ret_out)
{
    struct outbound *out =
        outbound_create(node, (uint32_t)send->recipient_count, send->source_count);
    uint8_t cek[SF_CEK_BYTES];
    int status;

    if (out == NULL) {
        return SF_ENOMEM;
    }
    sf_random_fill(&node->config.random, out->id.b, sizeof(out->id.b));
    sf_random_fill(&node->config.random, cek, sizeof(cek));
    memcpy(out->label, send->label.data, send->label.bytes);
    out->record.phase = SF_OUT_SEALING;
    out->record.priority = send->priority;
    out->record.single_file = send->single_file;
    out->record.forget_key = send->forget_key;
    out->record.class_bytes = choice->class_bytes;
    out->record.slots = choice->bundle_count_max;
    out->record.created = node->wall;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        out->to[i].fingerprint = peer_named(node, send->recipients[i])->conf.card.fingerprint;
        out->to[i].record.phase = SF_TO_OPEN;
        out->to[i].record.order = (uint8_t)i;
        out->to[i].retry_at = SF_NEVER;
        outbound_bind(out, &out->to[i]);
    }
    status = outbound_set_key(out, cek);
    if (status != SF_OK) {
        sf_wipe(cek, sizeof(cek));
        outbound_unlink(node, out);
        return status;
    }
    intake_start(intake, out);
    out->is_key_busy = true;
    out->vault_op = (struct sf_vault_op){.done = key_kept, .owner = out};
    vault_key_out(&out->id, out->vault_op.key);
    sf_vault_put(node->vault, &out->vault_op, sf_view(cek, sizeof(cek)), node->now);
    sf_wipe(cek, sizeof(cek));
    *ret_out = out;
    return SF_OK;
}

static int
resume(struct sf_node *node, const struct sf_node_send *send, struct sf_node_error *error)
{
    struct outbound *out = outbound_find(node, &send->resume);
    struct sf_class_choice choice;
    struct intake *intake;
    int status;

    if (out == NULL || out->record.phase != SF_OUT_SEALING || out->intake != NULL ||
        out->seal == NULL) {
        return node_error(error, SF_ENOENT, "there is no interrupted transfer of that number");
    }
    if (send->source_count != out->record.file_count) {
        return node_error(error, SF_EINVAL,
            "%zu files, and the transfer has %llu; send them as a new transfer", send->source_count,
            (unsigned long long)out->record.file_count);
    }
    status = intake_open(node, send, out->record.class_bytes, &intake, &choice, error);
    if (status != SF_OK) {
        return status;
    }
    if (choice.bundle_count_max > out->record.slots) {
        intake_free(intake);
        return node_error(
            error, SF_EINVAL, "the files are longer than before; send them as a new transfer");
    }
    intake_start(intake, out);
    node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "sealing goes on");
    return SF_OK;
}

int
sf_node_send(struct sf_node *node, const struct sf_node_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error)
{
    struct sf_class_choice choice;
    struct intake *intake = NULL;
    struct outbound *out = NULL;
    int status = check_send(node, send, error);

    prune(node);
    if (status == SF_OK && send->has_resume) {
        status = resume(node, send, error);
        if (status == SF_OK) {
            *ret_transfer = send->resume;
            return SF_OK;
        }
    } else if (status == SF_OK) {
        status = intake_open(node, send, node->config.class_bytes, &intake, &choice, error);
        if (status == SF_OK) {
            status = begin(node, send, intake, &choice, &out);
            if (status == SF_OK) {
                *ret_transfer = out->id;
                return SF_OK;
            }
            node_error(error, status, "%s", sf_status_text(status));
            intake_free(intake);
        }
    }
    for (size_t i = 0; i < send->source_count; i++) {
        intake_close_source(node, send->sources[i].file);
    }
    return status;
}

/* --- After a restart --------------------------------------------------------------------- */

static void
restore_to(struct outbound *out, const struct sf_fingerprint *fingerprint,
    const struct sf_record_to *record)
{
    struct sf_journal *journal = out->node->journal;
    uint8_t key[SF_PAIR_KEY_BYTES];
    const struct sf_range_set *held;
    struct out_to *to;

    if (record->order >= out->record.recipient_count) {
        return;
    }
    to = &out->to[record->order];
    to->fingerprint = *fingerprint;
    to->record = *record;
    to->retry_at = SF_NEVER;
    outbound_bind(out, to);
    sf_pair_key(&out->id, fingerprint, key);
    held = sf_journal_set_of(journal, SF_TABLE_OUT_HELD, sf_view(key, sizeof(key)));
    to->receipts.any = record->counter != 0;
    to->receipts.generation = record->generation;
    to->receipts.counter = record->counter;
    to->receipts.verified = record->phase == SF_TO_VERIFIED;
    to->receipts.final = record->phase == SF_TO_FINAL;
    if (held != NULL && sf_range_set_copy(&to->receipts.held, held) != SF_OK) {
        out->node->health = SF_ENOMEM;
    }
    if (record->reason != 0) {
        snprintf(to->why, sizeof(to->why), "%s", sf_refusal_text((enum sf_refusal)record->reason));
    }
}

static int
restore_recipients(struct outbound *out)
{
    struct sf_journal_cursor cursor = {0};
    struct sf_view key;
    struct sf_view value;

    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        out->to[i].record.phase = SF_TO_OPEN;
        out->to[i].retry_at = SF_NEVER;
    }
    while (sf_journal_next(out->node->journal, SF_TABLE_OUT_TO, &cursor, &key, &value)) {
        struct sf_fingerprint fingerprint;
        struct sf_record_to record;

        if (key.bytes != SF_PAIR_KEY_BYTES || memcmp(key.data, out->id.b, 16) != 0) {
            continue;
        }
        if (sf_record_to_decode(value, &record) != SF_OK) {
            return SF_EFORMAT;
        }
        memcpy(fingerprint.b, key.data + 16, sizeof(fingerprint.b));
        restore_to(out, &fingerprint, &record);
    }
    return SF_OK;
}

static void
reopened(struct sf_spool_op *op)
{
    struct outbound *out = op->owner;

    out->is_busy = false;
    if (op->status == SF_OK) {
        out->spool = op->spool;
        outbound_offer(out);
        if (out->intake != NULL) {
            intake_step(out->intake); /* resumed before the spool was open */
        }
        return;
    }
    if (out->record.phase == SF_OUT_SEALING || out->record.phase == SF_OUT_CUSTODY) {
        outbound_fail(out, SF_CANCEL_CUSTODY_LOST,
            op->status == SF_ENOENT ? "its spool file is gone" : "its spool file is damaged");
    }
}

static void
restore_key(struct outbound *out)
{
    uint8_t key[SF_VAULT_KEY_BYTES];
    uint8_t cek[SF_CEK_BYTES];
    size_t bytes;

    vault_key_out(&out->id, key);
    if (sf_vault_get(out->node->vault, key, cek, sizeof(cek), &bytes) == SF_OK &&
        bytes == sizeof(cek) && outbound_set_key(out, cek) == SF_OK) {
        struct sf_view label = sf_journal_get(out->node->journal, SF_TABLE_OUT_LABEL, id_view(out));

        if (label.data != NULL && label_open(out->seal, label, out->label) != SF_OK) {
            out->label[0] = '\0';
        }
    }
    sf_wipe(cek, sizeof(cek));
}

static bool
has_spool_file(const struct sf_node *node, const struct sf_transfer_id *id)
{
    size_t count;
    const struct sf_spool_file *files = sf_spools_list(node->spools, &count);

    for (size_t i = 0; i < count; i++) {
        if (files[i].direction == SF_SPOOL_OUT && sf_transfer_equal(&files[i].transfer, id)) {
            return true;
        }
    }
    return false;
}

static int
restore(struct sf_node *node, const struct sf_transfer_id *id, const struct sf_record_out *record)
{
    struct outbound *out = outbound_create(node, record->recipient_count, record->file_count);
    const struct sf_range_set *sealed;

    if (out == NULL) {
        return SF_ENOMEM;
    }
    out->id = *id;
    out->record = *record;
    out->restarted = true;
    out->is_begun = true;
    out->interrupted_at = node->now;
    outbound_load_manifest(out);
    restore_key(out);
    if (restore_recipients(out) != SF_OK) {
        return SF_EFORMAT;
    }
    sealed = sf_journal_set_of(node->journal, SF_TABLE_OUT_SEALED, id_view(out));
    if (sealed != NULL && sf_range_set_copy(&out->sealed, sealed) != SF_OK) {
        return SF_ENOMEM;
    }
    if (record->reason != 0) {
        snprintf(out->why, sizeof(out->why), "%s",
            sf_cancel_text((enum sf_cancel_reason)record->reason));
    } else if (record->phase == SF_OUT_FAILED) {
        snprintf(out->why, sizeof(out->why), "%s", OUT_REFUSED_WHY);
    }
    if (record->phase == SF_OUT_SEALING || record->phase == SF_OUT_CUSTODY) {
        out->is_custody_durable = record->phase == SF_OUT_CUSTODY;
        out->is_busy = true;
        out->spool_op = (struct sf_spool_op){
            .done = reopened,
            .owner = out,
            .transfer = out->id,
            .direction = SF_SPOOL_OUT,
            .class_bytes = record->class_bytes,
            .slots = record->count != 0 ? record->count : record->slots,
        };
        sf_spool_reopen(node->spools, &out->spool_op);
        /* The last FINAL may have become durable right before the end did. */
        node_commit_then(node, out_settle, out);
    } else if (record->phase != SF_OUT_FAILED || record->reason != 0) {
        out->want_freed = true;
        out->is_freed = out->seal == NULL && !has_spool_file(node, id);
    }
    return SF_OK;
}

int
outbound_recover(struct sf_node *node, struct sf_node_error *error)
{
    struct sf_journal_cursor cursor = {0};
    struct sf_view key;
    struct sf_view value;

    while (sf_journal_next(node->journal, SF_TABLE_OUT, &cursor, &key, &value)) {
        struct sf_transfer_id id;
        struct sf_record_out record;
        int status;

        if (key.bytes != sizeof(id.b) || sf_record_out_decode(value, &record) != SF_OK ||
            record.recipient_count > SF_NODE_RECIPIENTS_MAX ||
            record.file_count > SF_OUTLINE_FILES_MAX) {
            return node_error(error, SF_EFORMAT,
                "the journal holds an outgoing transfer this version does not understand");
        }
        memcpy(id.b, key.data, sizeof(id.b));
        status = restore(node, &id, &record);
        if (status != SF_OK) {
            return node_error(error, status, "an outgoing transfer cannot be restored: %s",
                sf_status_text(status));
        }
    }
    return SF_OK;
}
