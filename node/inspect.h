/*
 * inspect.h - what a checker may see of a node: the facts its promises are
 * about; and what a recipient has who turns on the others.
 *
 * For the simulator, which holds them against the disks after every event.
 * Nothing can be changed through it. Sets are the node's own and valid until
 * the next call into it.
 */
#ifndef SF_NODE_INSPECT_H
#define SF_NODE_INSPECT_H

#include "base/range_set.h"
#include "node/node.h"
#include "node/schema.h"

struct sf_inspect_out {
    enum sf_out_phase phase;
    bool is_in_custody; /* durably */
    bool is_cancelled;
    bool has_key;  /* the content key, in memory */
    bool is_freed; /* its spool and key are gone or about to go */
    bool forgets_key;
    uint32_t class_bytes;
    uint64_t slots; /* the most bundles it can have */
    uint64_t count; /* that it has; 0 until sealed to the end */
    const struct sf_range_set *sealed;
    size_t recipient_count;
};

/* An outgoing transfer; false if the node does not know it. */
bool sf_inspect_out(
    const struct sf_node *node, const struct sf_transfer_id *id, struct sf_inspect_out *ret_out);

struct sf_inspect_to {
    enum sf_to_phase phase;
    bool has_opened; /* a receipt showed that it opened its grant */
    uint64_t generation;
    uint64_t counter;
    const struct sf_range_set *told; /* what its receipts list */
};

/* One recipient of an outgoing transfer; false if it is none. */
bool sf_inspect_to(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *recipient, struct sf_inspect_to *ret_to);

struct sf_inspect_in {
    enum sf_in_phase phase;
    struct sf_transfer_id local; /* names its spool file and what is staged */
    uint32_t class_bytes;
    uint64_t generation;
    bool is_stable;    /* a receipt may be given: no fact about it is still on its way */
    bool is_delivered; /* and that is durable: it may be said */
    uint64_t punched;  /* slots below it were given back */
    const struct sf_range_set *held; /* what a receipt would list now */
};

/* An incoming transfer; false if the node does not know it. */
bool sf_inspect_in(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender, struct sf_inspect_in *ret_in);

/* The keys with which a recipient could make bundles of a transfer: its content key and its own. */
struct sf_inspect_keys {
    const uint8_t *cek; /* SF_CEK_BYTES */
    const struct sf_identity *identity;
};

/* False while the node has no key of that transfer. The keys stay the node's. */
bool sf_inspect_keys(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender, struct sf_inspect_keys *ret_keys);

/*
 * What a recipient that is still receiving would say of `object` as bundle `index`, by the
 * check that every bundle passes before it is held; `plain` is of the same size.
 *
 * Returns SF_OK if it would hold it; SF_EAUTH or SF_EFORMAT; SF_EINVAL if it is not of the
 * transfer's class; SF_ENOENT while it has no key or does not know whose signature is right.
 */
SF_MUST_USE int sf_inspect_would_hold(const struct sf_node *node, const struct sf_transfer_id *id,
    const struct sf_fingerprint *sender, uint64_t index, struct sf_view object, uint8_t *plain);

/* Datagrams of all peers that were authentic and new, since the node started. */
uint64_t sf_inspect_datagrams_in(const struct sf_node *node);

/* Segment bytes that have left towards all peers since the node started. */
uint64_t sf_inspect_segment_bytes(const struct sf_node *node);

#endif
