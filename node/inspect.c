/* inspect.c - what a checker may see. */
#include "node/inspect.h"

#include "node/internal.h"

static const struct outbound *
find_out(const struct sf_node *node, const struct sf_transfer_id *id)
{
    const struct outbound *out = node->outs;

    while (out != NULL && !sf_transfer_equal(&out->id, id)) {
        out = out->next;
    }
    return out;
}

bool
sf_inspect_out(
    const struct sf_node *node, const struct sf_transfer_id *id, struct sf_inspect_out *ret_out)
{
    const struct outbound *out = find_out(node, id);

    if (out == NULL) {
        return false;
    }
    *ret_out = (struct sf_inspect_out){
        .phase = (enum sf_out_phase)out->record.phase,
        .is_in_custody = out->is_custody_durable,
        .is_cancelled = out->record.reason != 0,
        .has_key = out->seal != NULL,
        .is_freed = out->want_freed || out->is_freed,
        .forgets_key = out->record.forget_key,
        .class_bytes = out->record.class_bytes,
        .slots = out->record.slots,
        .count = out->record.count,
        .sealed = &out->sealed,
        .recipient_count = out->record.recipient_count,
    };
    return true;
}

bool
sf_inspect_to(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *recipient, struct sf_inspect_to *ret_to)
{
    const struct outbound *out = find_out(node, id);

    for (uint32_t i = 0; out != NULL && i < out->record.recipient_count; i++) {
        const struct out_to *to = &out->to[i];

        if (sf_fingerprint_equal(&to->fingerprint, recipient)) {
            *ret_to = (struct sf_inspect_to){
                .phase = (enum sf_to_phase)to->record.phase,
                .has_opened = to->record.opened,
                .generation = to->receipts.generation,
                .counter = to->receipts.counter,
                .told = &to->receipts.held,
            };
            return true;
        }
    }
    return false;
}

static const struct inbound *
find_in(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender)
{
    const struct inbound *in = node == NULL ? NULL : node->ins;

    while (in != NULL && (in->is_forgotten || !sf_transfer_equal(&in->id, id) ||
                             !sf_fingerprint_equal(&in->sender, sender))) {
        in = in->next;
    }
    return in;
}

bool
sf_inspect_in(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender, struct sf_inspect_in *ret_in)
{
    const struct inbound *in = find_in(node, id, sender);

    if (in == NULL) {
        return false;
    }
    *ret_in = (struct sf_inspect_in){
        .phase = (enum sf_in_phase)in->record.phase,
        .local = in->local,
        .class_bytes = in->record.class_bytes,
        .generation = in->record.generation,
        .is_stable = in->is_recorded && in->changes == 0,
        .is_delivered = in->record.phase == SF_IN_DONE && deliver_is_idle(in),
        .punched = in->record.punched,
        .held = &in->held,
    };
    return true;
}

bool
sf_inspect_keys(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender, struct sf_inspect_keys *ret_keys)
{
    const struct inbound *in = find_in(node, id, sender);

    if (in == NULL || in->seal == NULL) {
        return false;
    }
    *ret_keys = (struct sf_inspect_keys){in->seal->cek, node->identity};
    return true;
}

int
sf_inspect_would_hold(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender, uint64_t index, struct sf_view object, uint8_t *plain)
{
    const struct inbound *in = find_in(node, id, sender);
    struct sf_view content;

    if (in == NULL || in->seal == NULL || !in->has_signer || in->record.phase != SF_IN_RECEIVING) {
        return SF_ENOENT;
    }
    return object.bytes == in->record.class_bytes
               ? open_bundle(in, index, object.data, plain, &content)
               : SF_EINVAL;
}

uint64_t
sf_inspect_datagrams_in(const struct sf_node *node)
{
    struct sf_link_peer_stats stats;
    uint64_t count = 0;

    for (unsigned i = 0; i < SF_NODE_PEERS_MAX; i++) {
        if (node->peers[i].used && sf_link_peer_stats(node->link, i, &stats) == SF_OK) {
            count += stats.dgrams_in;
        }
    }
    return count;
}

uint64_t
sf_inspect_segment_bytes(const struct sf_node *node)
{
    struct sf_link_peer_stats stats;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < SF_NODE_PEERS_MAX; i++) {
        if (node->peers[i].used && sf_link_peer_stats(node->link, i, &stats) == SF_OK) {
            bytes += stats.data_bytes_out;
        }
    }
    return bytes;
}
