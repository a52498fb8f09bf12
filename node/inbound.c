/*
 * inbound.c - incoming transfers: what is known of them, what is acknowledged.
 *
 * The life of one, by the facts of the journal (node/schema.h):
 *
 *   ORPHANED    bundles came ahead of the grant; held under the quota, in no receipt
 *   RECEIVING   the grant is open; what is opened and durable is in HELD receipts
 *   DELIVERING  all files match their digests; the rename into the inbox is
 *               intended and the FINAL receipt is written, not yet sent
 *   DONE        delivered; the FINAL receipt is the tombstone
 *   REFUSED     for good; the signed refusal is the tombstone
 *
 * A receipt goes out only when what it says is durable.
 */
#include "node/inbound.h"

#include <stdio.h>
#include <stdlib.h>

enum { VAULT_ROOM_BYTES = 512 << 10 }; /* the vault's file grows by groups of secrets */

struct inbound *
inbound_find(
    struct sf_node *node, const struct sf_transfer_id *id, const struct sf_fingerprint *sender)
{
    struct inbound *in = node->ins;

    while (in != NULL &&
           !(sf_transfer_equal(&in->id, id) && sf_fingerprint_equal(&in->sender, sender))) {
        in = in->next;
    }
    return in;
}

int
inbound_save(struct inbound *in)
{
    uint8_t record[SF_RECORD_BYTES_MAX];
    size_t bytes = sf_record_in_encode(&in->record, record);

    return sf_journal_set(in->node->journal, SF_TABLE_IN, in_key_view(in), sf_view(record, bytes));
}

/* --- Making and unmaking --------------------------------------------------------------- */

struct inbound *
inbound_create(
    struct sf_node *node, const struct sf_transfer_id *id, const struct sf_fingerprint *sender)
{
    struct inbound *in = calloc(1, sizeof(*in));
    struct inbound **last = &node->ins;
    uint8_t digest[SF_SHA256_BYTES];

    if (in == NULL) {
        return NULL;
    }
    in->node = node;
    in->id = *id;
    in->sender = *sender;
    sf_pair_key(id, sender, in->key);
    sf_sha256(in_key_view(in), digest);
    memcpy(in->local.b, digest, sizeof(in->local.b));
    in->record.generation = in_new_generation(node);
    in->record.created = node->wall;
    in->touched = node->now;
    in->ask_at = sf_mono_add(node->now, GRANT_ASK);
    in->peer = NO_PEER;
    in->deliver_at = SF_NEVER;
    sf_range_set_init(&in->held, SF_JOURNAL_RANGES_MAX);
    sf_range_set_init(&in->orphans, SF_JOURNAL_RANGES_MAX);
    sf_range_set_init(&in->storing, SF_JOURNAL_RANGES_MAX);
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = in;
    return in;
}

void
inbound_forget_key(struct inbound *in)
{
    if (in->seal != NULL) {
        sf_seal_fini(in->seal);
        sf_secret_free(in->seal);
        in->seal = NULL;
    }
}

void
inbound_unlink(struct sf_node *node, struct inbound *in)
{
    struct inbound **at = &node->ins;

    while (*at != in) {
        at = &(*at)->next;
    }
    *at = in->next;
    arrive_drop(in);
    decoder_free(in->decoder);
    deliver_fini(in);
    inbound_forget_key(in);
    sf_range_set_fini(&in->held);
    sf_range_set_fini(&in->orphans);
    sf_range_set_fini(&in->storing);
    free(in);
}

void
inbound_fini(struct sf_node *node)
{
    while (node->ins != NULL) {
        inbound_unlink(node, node->ins);
    }
    arrive_fini(node);
}

int
inbound_set_key(struct inbound *in, const uint8_t cek[SF_CEK_BYTES])
{
    const struct peer *peer = peer_of(in->node, &in->sender);

    if (peer != NULL) {
        memcpy(in->signer_pk, peer->conf.card.sign_pk, sizeof(in->signer_pk));
        in->has_signer = true;
    }
    in->seal = sf_secret_alloc(sizeof(*in->seal));
    if (in->seal == NULL) {
        return SF_ENOMEM;
    }
    sf_seal_init(in->seal, cek, &in->id);
    return SF_OK;
}

void
inbound_peer_changed(struct sf_node *node, const struct peer *peer)
{
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (!sf_fingerprint_equal(&in->sender, &peer->conf.card.fingerprint)) {
            continue;
        }
        memcpy(in->signer_pk, peer->conf.card.sign_pk, sizeof(in->signer_pk));
        in->has_signer = true;
        if (in->deliver_at != SF_NEVER) {
            in->deliver_at = 0; /* its folder in the inbox has a name now */
        }
        inbound_advance(in);
        if (in->record.phase >= SF_IN_DONE) {
            if (in->is_asked) {
                inbound_send_tombstone(in);
            }
        } else {
            in->receipt_due = true;
        }
    }
}

void
inbound_peer_restarted(struct sf_node *node, const struct peer *peer)
{
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (sf_fingerprint_equal(&in->sender, &peer->conf.card.fingerprint) &&
            in->record.phase < SF_IN_DONE) {
            in->receipt_due = true;
        }
    }
}

/* --- The first facts ------------------------------------------------------------------------------ */

static void
recorded(void *owner)
{
    struct inbound *in = owner;

    in->is_recording = false;
    if (!in_is_open(in)) {
        return;
    }
    if (in->record.phase == SF_IN_RECEIVING) {
        in->is_recorded = true;
        in->receipt_due = true;
        in->receipt_at = 0;
        in_give_receipt(in);
    } else {
        inbound_advance(in); /* the grant may have come meanwhile */
    }
}

/* Spool and key are durable: record the transfer as far as it is known. */
static void
record_facts(struct inbound *in)
{
    struct sf_node *node = in->node;
    struct peer *peer = peer_of(node, &in->sender);
    enum sf_in_phase phase = in->seal != NULL ? SF_IN_RECEIVING : SF_IN_ORPHANED;

    if (in->spool == NULL || in->is_recording || in->record.phase >= phase || !in_is_open(in) ||
        peer == NULL || (in->seal != NULL && !in->is_key_stored)) {
        return;
    }
    in->record.phase = (uint8_t)phase;
    in->is_recording = true;
    node_must(node, inbound_save(in));
    node_must(node, peer_save(node, peer));
    node_commit_then(node, recorded, in);
    if (phase == SF_IN_RECEIVING) {
        record_in(in, "accepted", NULL);
        node_say(node, SF_NODE_EVENT_TRANSFER, &in->id, "receiving from %s", peer->conf.name);
    }
}

/* Nothing of it is kept, not even that it was there: if its sender asks again, it begins anew. */
static void
forget(struct inbound *in)
{
    struct sf_node *node = in->node;

    in->record.phase = SF_IN_REFUSED; /* in memory alone */
    in->is_forgotten = true;
    in->paused = 0;
    in_end_on_link(in);
    if (in->decoder != NULL) {
        decoder_stop(in->decoder);
    }
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN, in_key_view(in)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_HELD, in_key_view(in)));
    node_must(node, sf_journal_unset(node->journal, SF_TABLE_IN_ORPHAN, in_key_view(in)));
    node_commit_then(node, inbound_let_go, in);
}

void
inbound_turn_away(struct inbound *in, const struct refusal *refusal, const char *why)
{
    struct peer *peer = peer_of(in->node, &in->sender);

    if (peer != NULL && record_may(peer, in->node->now)) {
        record_in(in, refusal->reason == SF_REFUSAL_QUOTA ? "over_quota" : "no_space", why);
    }
    if (peer != NULL) {
        inbound_refuse_unknown(in->node, peer, refusal);
    }
    forget(in);
}

/* There is no room to take it: the sender is told, and asks again later. */
static void
no_room(struct inbound *in, uint64_t need_bytes, int status)
{
    struct refusal refusal = {
        .transfer = in->id,
        .reason = SF_REFUSAL_NO_SPACE,
        .retryable = true,
        .need_bytes = need_bytes,
        .bytes = in->record.slots * in->record.class_bytes,
    };

    inbound_turn_away(in, &refusal, sf_status_text(status));
}

static void
key_kept(struct sf_vault_op *op)
{
    struct inbound *in = op->owner;

    in->is_key_busy = false;
    if (!in_is_open(in)) {
        return;
    }
    if (op->status != SF_OK) {
        no_room(in, VAULT_ROOM_BYTES, op->status);
        return;
    }
    in->is_key_stored = true;
    inbound_advance(in);
}

static void
spool_ready(struct sf_spool_op *op)
{
    struct inbound *in = op->owner;

    in->is_busy = false;
    if (op->status == SF_OK) {
        in->spool = op->spool;
        postponed_end(in->node, &in->id, &in->sender);
    }
    if (!in_is_open(in)) {
        return;
    }
    if (op->status != SF_OK) {
        no_room(in, op->need_bytes, op->status);
        return;
    }
    inbound_advance(in);
}

void
inbound_make_spool(struct inbound *in)
{
    in->is_busy = true;
    in->spool_op = (struct sf_spool_op){
        .done = spool_ready,
        .owner = in,
        .transfer = in->local,
        .direction = SF_SPOOL_IN,
        .class_bytes = in->record.class_bytes,
        .slots = in->record.slots,
    };
    sf_spool_create(in->node->spools, &in->spool_op);
}

static void
staging_gone(struct inbound *in)
{
    in->is_sweeping = false;
    if (!in->was_swept) {
        in->is_unswept = true;
        in->decode_at = sf_mono_add(in->node->now, FREE_AGAIN);
    }
    inbound_advance(in);
}

/* There is a spool, and perhaps a key: let everything run that waited for them. */
void
inbound_advance(struct inbound *in)
{
    if (in->spool == NULL || !in_is_open(in) || in->record.phase == SF_IN_DELIVERING ||
        (in->seal != NULL && !in->has_signer) || in->is_sweeping || in->node->now < in->decode_at) {
        return;
    }
    in->decode_at = 0;
    if (in->is_unswept) {
        in->is_unswept = false;
        in->is_sweeping = true;
        sweep_begin(in, staging_gone);
        return;
    }
    record_facts(in);
    if (in->seal != NULL && in->decoder == NULL && decoder_open(in) != SF_OK) {
        node_fail(in->node, SF_ENOMEM);
        return;
    }
    arrive_go_on(in);
}

void
inbound_grant(struct sf_node *node, struct peer *peer, const struct sf_grant *grant)
{
    struct inbound *in = inbound_find(node, &grant->transfer, &grant->sender);
    uint64_t bytes = grant->slots * grant->class_bytes;
    struct refusal refusal = {.transfer = grant->transfer};

    if (in != NULL && (in->seal != NULL || !in_is_open(in))) {
        return; /* granted before, or ended */
    }
    refusal.reason = SF_REFUSAL_NONE;
    if (!peer->conf.may_send) {
        refusal.reason = SF_REFUSAL_NOT_ALLOWED;
    } else if (ended_has(node, &grant->sender, grant->number)) {
        refusal.reason = SF_REFUSAL_FINISHED;
    } else if (in != NULL &&
               (in->record.class_bytes != grant->class_bytes || in->record.slots > grant->slots)) {
        refusal.reason = SF_REFUSAL_DAMAGED;
    } else if (grant->slots > SF_BUNDLES_MAX || !sf_class_is_data(grant->class_bytes)) {
        refusal.reason = SF_REFUSAL_TOO_LARGE;
    } else if (in == NULL) {
        (void)room_for(node, peer, bytes, &refusal);
    }
    if (refusal.reason != SF_REFUSAL_NONE) {
        record_peer(node, "grant_refused", peer, sf_refusal_text(refusal.reason));
        inbound_refuse_unknown(node, peer, &refusal);
        if (refusal.reason == SF_REFUSAL_FINISHED) {
            ended_note(node, &grant->transfer, &grant->sender);
            if (in != NULL) {
                forget(in); /* bundles that came ahead of the grant */
            }
        }
        return;
    }
    if (in == NULL) {
        in = inbound_create(node, &grant->transfer, &grant->sender);
        if (in == NULL) {
            return; /* it is granted again after a refusal or a restart */
        }
        in->record.class_bytes = grant->class_bytes;
        in->record.slots = grant->slots;
        inbound_make_spool(in);
    }
    in->record.number = grant->number;
    if (grant->has_psk) {
        ladder_commit(node, peer, grant->rung);
    }
    if (inbound_set_key(in, grant->cek) != SF_OK) {
        node_fail(node, SF_ENOMEM);
        return;
    }
    in->is_key_busy = true;
    in->is_key_stored = false;
    in->vault_op = (struct sf_vault_op){.done = key_kept, .owner = in};
    vault_key_in(in, in->vault_op.key);
    sf_vault_put(node->vault, &in->vault_op, sf_view(grant->cek, SF_CEK_BYTES), node->now);
    inbound_advance(in);
}

/* --- Losses ------------------------------------------------------------------------------------------ */

void
inbound_lost(struct inbound *in, uint64_t from, uint64_t to)
{
    struct sf_node *node = in->node;

    if (from < to) {
        node_say(node, SF_NODE_EVENT_WARNING, &in->id,
            "%llu held bundles are lost (first is %llu): the disk did not keep them; asking again",
            (unsigned long long)(to - from), (unsigned long long)from);
        node_must(node, sf_range_set_remove(&in->held, from, to));
        node_must(
            node, sf_journal_remove(node->journal, SF_TABLE_IN_HELD, in_key_view(in), from, to));
        record_in(in, "bundles_lost", "a held bundle could not be read back");
    }
    in_begin_generation(in);
    for (uint64_t index = from; index < to && in->handle != 0; index++) {
        if (sf_link_received(node->link, in->peer, in->handle, index, SF_LINK_AGAIN) == SF_ENOENT) {
            in->handle = 0;
        }
    }
}

/* --- Time ---------------------------------------------------------------------------------------------------- */

/*
 * What is staged is not to be trusted: a sync failed, or what was read back is
 * not what was sent. Decode it all again, into new files: those there may look
 * right and yet not be on the disk. What was given back is asked for again.
 */
static void
decode_again(struct inbound *in)
{
    uint64_t punched = in->record.punched;
    bool is_mismatch;

    deliver_fini(in);
    decoder_stop(in->decoder);
    if (!decoder_is_idle(in->decoder) || in->fetches > 0) {
        return;
    }
    is_mismatch = decoder_has_mismatch(in->decoder);
    decoder_free(in->decoder);
    in->decoder = NULL;
    if (is_mismatch && in->was_reset) {
        inbound_refuse(in, SF_REFUSAL_DAMAGED,
            "twice what was read back from the disk did not match the sender's digests");
        return;
    }
    in->was_reset |= is_mismatch;
    if (!is_mismatch) {
        in->decode_ns = in->decode_ns == 0 ? DECODE_FIRST : 2 * in->decode_ns;
        in->decode_ns = in->decode_ns > DECODE_LAST ? DECODE_LAST : in->decode_ns;
        in->decode_at = sf_mono_add(in->node->now, in->decode_ns);
    }
    in->record.verified = 0;
    in->record.punched = 0;
    node_say(in->node, SF_NODE_EVENT_WARNING, &in->id,
        "what was written does not read back right; decoding it again");
    record_in(in, "decoded_again", "what was written did not read back right");
    inbound_lost(in, 0, punched);
    in->is_sweeping = true;
    sweep_begin(in, staging_gone);
}

/*
 * Bundles come and their grant does not: it was lost here after the sender saw
 * it arrive. A retryable refusal makes the sender give it again.
 */
static void
ask_for_grant(struct inbound *in)
{
    struct peer *peer = peer_of(in->node, &in->sender);
    struct refusal refusal = {
        .transfer = in->id, .reason = SF_REFUSAL_STALE_PREKEY, .retryable = true};

    if (!in_is_open(in) || in->record.phase > SF_IN_ORPHANED || in->seal != NULL ||
        in->handle == 0 || in->node->now < in->ask_at) {
        return;
    }
    in->ask_at = sf_mono_add(in->node->now, GRANT_ASK);
    if (peer != NULL) {
        inbound_refuse_unknown(in->node, peer, &refusal);
    }
}

void
inbound_tick(struct sf_node *node)
{
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in_is_open(in)) {
            if (in->decoder != NULL) {
                decoder_step(in->decoder);
            }
            if (in->decoder != NULL && decoder_has_failed(in->decoder)) {
                decode_again(in);
            }
            if (in->decode_at != 0 && node->now >= in->decode_at) {
                inbound_advance(in);
            }
            inbound_rest_tick(in);
            deliver_tick(in);
            arrive_go_on(in);
            in_give_receipt(in);
            if (in->record.phase <= SF_IN_ORPHANED && in->seal == NULL &&
                node->now >= sf_mono_add(in->touched, ORPHAN_GRACE)) {
                record_in(in, "orphan_expired", "its grant never came");
                forget(in);
            }
            ask_for_grant(in);
        }
        in_free_step(in);
    }
    in_prune(node);
}

sf_mono
inbound_deadline(const struct sf_node *node)
{
    sf_mono deadline = SF_NEVER;

    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in->want_freed && !in->is_freed && in->free_at > node->now) {
            deadline = sf_mono_min(deadline, in->free_at);
        }
        if (!in_is_open(in)) {
            continue;
        }
        if (in->receipt_due && in->is_recorded && in->changes == 0 &&
            in->record.phase == SF_IN_RECEIVING && !in_has_mail(in)) {
            deadline = sf_mono_min(deadline, in->receipt_at);
        }
        if (in->decoder != NULL) {
            deadline = sf_mono_min(deadline, decoder_deadline(in->decoder));
        }
        deadline = sf_mono_min(deadline, in->deliver_at);
        deadline = in->rest_at == 0 ? deadline : sf_mono_min(deadline, in->rest_at);
        deadline = in->decode_at == 0 ? deadline : sf_mono_min(deadline, in->decode_at);
        if (in->record.phase <= SF_IN_ORPHANED && in->seal == NULL) {
            deadline = sf_mono_min(deadline, sf_mono_add(in->touched, ORPHAN_GRACE));
            deadline = in->handle == 0 ? deadline : sf_mono_min(deadline, in->ask_at);
        }
    }
    return deadline;
}
