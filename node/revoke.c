/*
 * revoke.c - a peer that is not to be trusted any more.
 *
 * Its link goes first, so nothing of it is taken and nothing goes to it, not
 * even a word that it is so. Then its transfers end as if cancelled, each with
 * its reason in a record of its own. That it stays revoked is the operator's
 * word, which the driver keeps and gives again at every start (node.h): so what
 * a crash leaves undone here is done then, and nothing is done twice. The fact in
 * the journal says that the audit log has it.
 */
#include "node/whole.h"

static const char why_in[] = "its sender was revoked here";

/* Has an end to be made of it for this recipient? */
static bool
is_unfinished(const struct out_to *to)
{
    return out_to_is_open(to) || to->record.phase == SF_TO_CANCELLING;
}

static bool
revoke_to(struct outbound *out, struct out_to *to)
{
    struct sf_node *node = out->node;
    bool was_open = out_is_open(out) && out_to_is_open(to);

    out_withdraw(out, to);
    to->record.phase = SF_TO_REVOKED;
    to->is_paused = false;
    to->retry_at = SF_NEVER;
    whole_spare(out, to);
    if (out->spool != NULL || out->restarted) {
        node_must(node, outbound_save_to(out, to)); /* else its first facts come later */
    }
    if (was_open) {
        record_out(out, "recipient_revoked", to, "the peer was revoked here");
        node_say(node, SF_NODE_EVENT_TRANSFER, &out->id, "a recipient was revoked");
        node_commit_then(node, out_settle, out);
    }
    return was_open;
}

static uint64_t
revoke_outbound(struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    uint64_t ended = 0;

    for (struct outbound *out = node->outs; out != NULL; out = out->next) {
        for (uint32_t i = 0; i < out->record.recipient_count; i++) {
            struct out_to *to = &out->to[i];

            if (sf_fingerprint_equal(&to->fingerprint, fingerprint) && is_unfinished(to)) {
                ended += revoke_to(out, to);
            }
        }
    }
    return ended;
}

/*
 * What was verified whole before, and is moving into the inbox, ends there: its
 * rename may have happened, and a file that is half refused helps nobody.
 */
static uint64_t
revoke_inbound(struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    uint64_t ended = 0;

    for (struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (sf_fingerprint_equal(&in->sender, fingerprint) && in->record.phase < SF_IN_DELIVERING &&
            !in->want_freed) {
            inbound_refuse(in, SF_REFUSAL_NOT_ALLOWED, why_in);
            ended++;
        }
    }
    return ended + postponed_end_all(node, fingerprint);
}

static struct sf_view
fact_key(const struct sf_fingerprint *fingerprint)
{
    return sf_view(fingerprint->b, sizeof(fingerprint->b));
}

static bool
is_on_record(const struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    return sf_journal_get(node->journal, SF_TABLE_REVOKED, fact_key(fingerprint)).data != NULL;
}

void
revoked_readmit(struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    if (is_on_record(node, fingerprint)) {
        node_must(node, sf_journal_unset(node->journal, SF_TABLE_REVOKED, fact_key(fingerprint)));
        record_operator(node, "readmitted", fingerprint, 0);
        node_commit(node);
    }
}

uint64_t
sf_node_revoke(struct sf_node *node, const struct sf_fingerprint *fingerprint)
{
    struct peer *peer = peer_of(node, fingerprint);
    uint8_t when[8];
    uint64_t ended = revoke_outbound(node, fingerprint) + revoke_inbound(node, fingerprint);
    if (!is_on_record(node, fingerprint)) {
        sf_put_be64(when, (uint64_t)node->wall.ms);
        node_must(node, sf_journal_set(node->journal, SF_TABLE_REVOKED, fact_key(fingerprint),
                            sf_view(when, sizeof(when))));
        record_operator(node, "revoked", fingerprint, ended);
    }
    ladder_erase(node, fingerprint);
    if (peer != NULL) {
        peer_drop(node, peer);
    }
    node_commit(node);
    node_drain(node);
    return ended;
}
