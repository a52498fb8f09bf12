/*
 * receipt.c - what this node signs about incoming transfers: receipts, their
 * generations, and refusals of what it does not take.
 *
 * A receipt says only what is durable, in a generation that is durable.
 */
#include "node/inbound.h"

#include <stdlib.h>

/* --- Generations ------------------------------------------------------------------------ */

/*
 * A generation of receipts above all that this node has begun, also before its
 * state was restored from an older copy: then the boot counter has jumped.
 */
uint64_t
in_new_generation(struct sf_node *node)
{
    return (uint64_t)node->boot << 32 | ++node->generations;
}

static void
generation_durable(void *owner)
{
    struct inbound *in = owner;

    in->changes--;
    in->receipt_due = true;
    in->receipt_at = 0;
}

/* No receipt names a generation that a crash could take back. */
void
in_begin_generation(struct inbound *in)
{
    in->record.generation = in_new_generation(in->node);
    in->changes++;
    node_must(in->node, inbound_save(in));
    node_commit_then(in->node, generation_durable, in);
}

void
inbound_rolled_back(struct sf_node *node)
{
    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in_is_open(in) && in->record.phase != 0) {
            in_begin_generation(in);
        } else if (in_is_open(in)) {
            in->record.generation = in_new_generation(node); /* it goes with its first fact */
        }
    }
}

/* --- Receipts ---------------------------------------------------------------------------------- */

static void
fill_receipt(struct sf_node *node, struct sf_receipt *receipt)
{
    uint64_t lines;

    receipt->receiver = node->card.fingerprint;
    receipt->counter = (uint64_t)node->boot << 32 | ++node->receipts;
    sf_audit_head(node->audit, receipt->audit_head.b, &lines);
    sf_random_fill(&node->config.random, receipt->random, sizeof(receipt->random));
}

/* VERIFIED and FINAL state the manifest and every file. */
static int
fill_files(const struct inbound *in, struct sf_receipt *receipt)
{
    const struct sf_digests *digests = decoder_digests(in->decoder);
    bool is_complete = decoder_is_complete(in->decoder, &receipt->manifest);

    sf_assert(is_complete && digests != NULL);
    receipt->has_manifest = true;
    receipt->file_count = digests->file_count;
    receipt->files = malloc((digests->file_count + 1) * sizeof(*receipt->files));
    if (receipt->files == NULL) {
        return SF_ENOMEM;
    }
    memcpy(receipt->files, digests->files, digests->file_count * sizeof(*receipt->files));
    return SF_OK;
}

int
inbound_sign(struct inbound *in, enum sf_receipt_phase phase, uint8_t out[SF_RECEIPT_BYTES_MAX],
    size_t *ret_bytes)
{
    struct sf_receipt receipt;
    int status = SF_OK;

    sf_receipt_init(&receipt);
    fill_receipt(in->node, &receipt);
    receipt.sender = in->sender;
    receipt.transfer = in->id;
    receipt.generation = in->record.generation;
    receipt.phase = phase;
    if (phase == SF_RECEIPT_VERIFIED || phase == SF_RECEIPT_FINAL) {
        status = fill_files(in, &receipt);
    }
    if (phase == SF_RECEIPT_REFUSED) {
        receipt.refusal =
            in->paused != 0 ? SF_REFUSAL_NO_SPACE : (enum sf_refusal)in->record.reason;
        receipt.retryable = in->paused != 0;
        receipt.need_bytes = in->need_bytes;
    }
    if (status == SF_OK && phase != SF_RECEIPT_FINAL) {
        status = sf_range_set_copy(&receipt.held, &in->held);
    }
    if (status == SF_OK) {
        status =
            sf_receipt_encode(&receipt, in->node->identity, out, SF_RECEIPT_BYTES_MAX, ret_bytes);
    }
    sf_receipt_fini(&receipt);
    return status;
}

static void
post_receipt(struct inbound *in, struct sf_view encoded)
{
    struct peer *peer = peer_of(in->node, &in->sender);
    int status;

    if (peer == NULL) {
        return;
    }
    status = mail_letter(in->node, peer, SF_LETTER_RECEIPT, encoded, &in->id, MAIL_RECEIPT);
    if (status != SF_OK) {
        in->receipt_due = true; /* the next tick tries again */
    }
}

/* The end goes out at once, in the place of what was said before it. */
void
inbound_tell_end(struct inbound *in)
{
    struct sf_view receipt =
        sf_journal_get(in->node->journal, SF_TABLE_IN_RECEIPT, in_key_view(in));

    if (receipt.data != NULL) {
        post_receipt(in, receipt);
    }
}

void
inbound_send_tombstone(struct inbound *in)
{
    const struct peer *peer = peer_of(in->node, &in->sender);

    if (peer != NULL &&
        !mail_is_waiting(in->node, peer_number(in->node, peer), &in->id, MAIL_RECEIPT)) {
        inbound_tell_end(in);
    }
}

/* What can be signed now, whether or not it is due: the end if there is one, else what is held. */
int
inbound_state(struct inbound *in, uint8_t out[SF_RECEIPT_BYTES_MAX], size_t *ret_bytes)
{
    struct sf_view end = sf_journal_get(in->node->journal, SF_TABLE_IN_RECEIPT, in_key_view(in));

    if (in->record.phase == SF_IN_DONE || in->record.phase == SF_IN_REFUSED) {
        if (end.data == NULL || end.bytes > SF_RECEIPT_BYTES_MAX) {
            return SF_ESTATE;
        }
        memcpy(out, end.data, end.bytes);
        *ret_bytes = end.bytes;
        return SF_OK;
    }
    if (!in->is_recorded || in->changes > 0 || in->record.phase != SF_IN_RECEIVING) {
        return SF_ESTATE;
    }
    return inbound_sign(in, in->paused != 0 ? SF_RECEIPT_REFUSED : SF_RECEIPT_HELD, out, ret_bytes);
}

/* The receipt that is due now, if it may go: never more than one waiting, one a second. */
void
in_give_receipt(struct inbound *in)
{
    struct sf_node *node = in->node;
    const struct peer *peer = peer_of(node, &in->sender);
    enum sf_receipt_phase phase = in->paused != 0 ? SF_RECEIPT_REFUSED : SF_RECEIPT_HELD;
    uint8_t *encoded;
    size_t bytes;

    if (!in->receipt_due || !in->is_recorded || in->changes > 0 ||
        in->record.phase != SF_IN_RECEIVING || peer == NULL || node->now < in->receipt_at ||
        mail_is_waiting(node, peer_number(node, peer), &in->id, MAIL_RECEIPT)) {
        return;
    }
    in->receipt_at = sf_mono_add(node->now, RECEIPT_EVERY);
    encoded = malloc(SF_RECEIPT_BYTES_MAX);
    if (encoded == NULL) {
        return;
    }
    if (inbound_sign(in, phase, encoded, &bytes) == SF_OK) {
        in->receipt_due = false;
        post_receipt(in, sf_view(encoded, bytes));
    }
    free(encoded);
}

void
inbound_refuse_unknown(struct sf_node *node, struct peer *peer, const struct refusal *refusal)
{
    const struct inbound *in = inbound_find(node, &refusal->transfer, &peer->conf.card.fingerprint);
    struct sf_receipt receipt;
    uint8_t *encoded;
    size_t bytes;

    if (refusal->reason == SF_REFUSAL_NO_SPACE || refusal->reason == SF_REFUSAL_QUOTA) {
        postpone(node, peer, refusal);
    }
    /* Every cancel has its answer; what a peer can cause without a signed letter is bounded. */
    if (refusal->reason != SF_REFUSAL_CANCELLED && peer->refused_at != 0 &&
        node->now < sf_mono_add(peer->refused_at, SF_SEC)) {
        return;
    }
    peer->refused_at = node->now;
    encoded = malloc(SF_RECEIPT_BYTES_MAX);
    if (encoded == NULL) {
        return;
    }
    sf_receipt_init(&receipt);
    fill_receipt(node, &receipt);
    receipt.sender = peer->conf.card.fingerprint;
    receipt.transfer = refusal->transfer;
    receipt.generation = in != NULL ? in->record.generation : in_new_generation(node);
    receipt.phase = SF_RECEIPT_REFUSED;
    receipt.refusal = refusal->reason;
    receipt.retryable = refusal->retryable;
    receipt.need_bytes = refusal->need_bytes;
    if (sf_receipt_encode(&receipt, node->identity, encoded, SF_RECEIPT_BYTES_MAX, &bytes) !=
            SF_OK ||
        mail_letter(node, peer, SF_LETTER_RECEIPT, sf_view(encoded, bytes), &refusal->transfer,
            MAIL_RECEIPT) != SF_OK) {
        node_say(node, SF_NODE_EVENT_NOTICE, &refusal->transfer, "a refusal could not be sent");
    }
    sf_receipt_fini(&receipt);
    free(encoded);
}

bool
in_has_mail(const struct inbound *in)
{
    const struct peer *peer = peer_of(in->node, &in->sender);

    return peer == NULL ||
           mail_is_waiting(in->node, peer_number(in->node, peer), &in->id, MAIL_RECEIPT);
}
