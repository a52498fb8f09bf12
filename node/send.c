/*
 * send.c - how an outgoing transfer comes to be: a new one, one whose sealing
 * is resumed, and those that the journal knows after a restart.
 *
 * A new one, each step durable before the next: its key in the vault; its
 * spool file with all slots; its facts in one commit. Only then a grant goes
 * out and a bundle may fly. A crash before the facts leaves a file and a
 * secret that nobody knows, and recovery removes both.
 */
#include "node/whole.h"

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
    if (out_is_shown(out)) {
        record_out(out, "failed", NULL, why);
        node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "failed: %s", why);
    }
    whole_failed(out, SF_CANCEL_CUSTODY_LOST, why);
}

static void
begun(void *owner)
{
    struct outbound *out = owner;

    if (out->record.phase == SF_OUT_SEALING || out->record.phase == SF_OUT_CUSTODY) {
        out->is_begun = true;
        outbound_offer(out);
        if (out_is_shown(out)) {
            record_out(out, "begun", NULL, NULL);
            node_say(out->node, SF_NODE_EVENT_TRANSFER, &out->id, "sealing");
        }
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

        if (peer != NULL && to->record.phase != SF_TO_STANDBY) {
            /* not removed or revoked meanwhile */
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

/* A transfer to be made: of `use`, under an id of its own. */
struct beginning {
    const struct intake_use *use;
    struct sf_transfer_id id;
    struct intake *intake;
    struct sf_class_choice choice;
};

static int
begin(struct sf_node *node, const struct beginning *beginning)
{
    const struct intake_use *use = beginning->use;
    const struct sf_node_send *send = use->send;
    struct outbound *out =
        outbound_create(node, (uint32_t)send->recipient_count, send->source_count);
    uint8_t cek[SF_CEK_BYTES];
    int status;

    if (out == NULL) {
        return SF_ENOMEM;
    }
    sf_random_fill(&node->config.random, cek, sizeof(cek));
    out->id = beginning->id;
    memcpy(out->label, send->label.data, send->label.bytes);
    out->record.phase = SF_OUT_SEALING;
    out->record.role = (uint8_t)use->role;
    out->record.pair = use->pair;
    if (use->base != NULL) {
        out->record.base = use->base->id;
    }
    out->record.priority = send->priority;
    out->record.deadline = send->deadline;
    out->record.single_file = send->single_file;
    out->record.forget_key = send->forget_key;
    out->record.class_bytes = beginning->choice.class_bytes;
    out->record.slots = beginning->choice.bundle_count_max;
    out->record.created = node->wall;
    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        out->to[i].fingerprint = peer_named(node, send->recipients[i])->conf.card.fingerprint;
        out->to[i].record.phase = use->role == SF_OUT_WHOLE ? SF_TO_STANDBY : SF_TO_OPEN;
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
    intake_start(beginning->intake, out);
    out->is_key_busy = true;
    out->vault_op = (struct sf_vault_op){.done = key_kept, .owner = out};
    vault_key_out(&out->id, out->vault_op.key);
    sf_vault_put(node->vault, &out->vault_op, sf_view(cek, sizeof(cek)), node->now);
    sf_wipe(cek, sizeof(cek));
    return SF_OK;
}

/* The whole of a delta that exists: made, unless it is there, and sealed as far as it is not. */
static int
begin_whole(struct sf_node *node, const struct sf_node_send *send, const struct outbound *delta,
    struct sf_node_error *error)
{
    struct outbound *whole = whole_of(delta);
    struct intake_use use = {.send = send,
        .fixed_class = whole == NULL ? node->config.class_bytes : whole->record.class_bytes,
        .role = SF_OUT_WHOLE,
        .pair = delta->id};
    struct beginning beginning = {.use = &use, .id = delta->record.pair};
    int status;

    if (whole != NULL && whole->record.phase == SF_OUT_CUSTODY) {
        return SF_OK;
    }
    if (whole != NULL && (whole->record.phase != SF_OUT_SEALING || whole->seal == NULL)) {
        return node_error(error, SF_ESTATE, "the whole that is kept beside it has failed");
    }
    status = intake_open(node, &use, &beginning.intake, &beginning.choice, error);
    if (status != SF_OK) {
        return status;
    }
    if (whole != NULL) {
        intake_start(beginning.intake, whole);
        return SF_OK;
    }
    status = begin(node, &beginning);
    if (status != SF_OK) {
        intake_free(beginning.intake);
        return node_error(error, status, "%s", sf_status_text(status));
    }
    return SF_OK;
}

/* A new transfer, or two. Sources and bases are its own only if this succeeds. */
static int
begin_new(struct sf_node *node, struct intake_use *use, struct sf_transfer_id *ret_transfer,
    struct sf_node_error *error)
{
    struct beginning beginning = {.use = use};
    struct outbound *out;
    int status = intake_open(node, use, &beginning.intake, &beginning.choice, error);

    if (status != SF_OK) {
        return status;
    }
    sf_random_fill(&node->config.random, beginning.id.b, sizeof(beginning.id.b));
    if (use->role == SF_OUT_DELTA) {
        sf_random_fill(&node->config.random, use->pair.b, sizeof(use->pair.b));
    }
    status = begin(node, &beginning);
    if (status != SF_OK) {
        intake_free(beginning.intake);
        return node_error(error, status, "%s", sf_status_text(status));
    }
    *ret_transfer = beginning.id;
    out = outbound_find(node, &beginning.id);
    if (use->role == SF_OUT_DELTA && begin_whole(node, use->send, out, error) != SF_OK) {
        outbound_fail(out, SF_CANCEL_CUSTODY_LOST, error->text); /* it closes the sources */
    }
    return SF_OK;
}

static int
resume(
    struct sf_node *node, struct intake_use *use, struct outbound *out, struct sf_node_error *error)
{
    const struct sf_node_send *send = use->send;
    struct sf_class_choice choice;
    struct intake *intake;
    int status;

    if (send->source_count != out->record.file_count) {
        return node_error(error, SF_EINVAL,
            "%zu files, and the transfer has %llu; send them as a new transfer", send->source_count,
            (unsigned long long)out->record.file_count);
    }
    if (use->role != (enum sf_out_role)out->record.role) {
        return node_error(error, SF_EINVAL,
            "the transfer was begun %s a base; send it so again, or as a new transfer",
            out->record.role == SF_OUT_DELTA ? "with" : "without");
    }
    use->fixed_class = out->record.class_bytes;
    status = intake_open(node, use, &intake, &choice, error);
    if (status != SF_OK) {
        return status;
    }
    if (choice.bundle_count_max > out->record.slots) {
        intake_free(intake);
        return node_error(
            error, SF_EINVAL, "the files are longer than before; send them as a new transfer");
    }
    if (use->role == SF_OUT_DELTA) {
        status = begin_whole(node, send, out, error);
        if (status != SF_OK) {
            intake_free(intake);
            return status;
        }
    }
    intake_start(intake, out);
    node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "sealing goes on");
    return SF_OK;
}

static bool
has_bases(const struct sf_node_send *send)
{
    for (size_t i = 0; i < send->source_count; i++) {
        if (send->sources[i].base != NULL) {
            return true;
        }
    }
    return false;
}

static int
send_checked(struct sf_node *node, const struct sf_node_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error)
{
    struct intake_use use = {.send = send, .fixed_class = node->config.class_bytes};
    struct outbound *resumed = send->has_resume ? outbound_find(node, &send->resume) : NULL;
    struct outbound *base = NULL;
    int status = SF_OK;

    if (send->has_resume &&
        (resumed == NULL || resumed->record.phase != SF_OUT_SEALING || resumed->intake != NULL ||
            resumed->seal == NULL || resumed->record.role == SF_OUT_WHOLE)) {
        return node_error(error, SF_ENOENT, "there is no interrupted transfer of that number");
    }
    if (has_bases(send)) {
        use.role = SF_OUT_DELTA;
        status = whole_find_base(
            node, send, resumed == NULL ? NULL : &resumed->record.base, &base, error);
        use.base = base;
    }
    if (status != SF_OK) {
        return status;
    }
    if (resumed == NULL) {
        return begin_new(node, &use, ret_transfer, error);
    }
    *ret_transfer = send->resume;
    return resume(node, &use, resumed, error);
}

int
sf_node_send(struct sf_node *node, const struct sf_node_send *send,
    struct sf_transfer_id *ret_transfer, struct sf_node_error *error)
{
    int status = check_send(node, send, error);

    if (status == SF_OK) {
        status = send_checked(node, send, ret_transfer, error);
    }
    for (size_t i = 0; status != SF_OK && i < send->source_count; i++) {
        intake_close_source(node, send->sources[i].file);
        if (send->sources[i].base != NULL) {
            intake_close_source(node, send->sources[i].base->file);
        }
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
        node_fail(out->node, SF_ENOMEM);
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
    whole_recover(node);
    return SF_OK;
}
