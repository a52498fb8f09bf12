/*
 * inbound.h - what inbound.c, inbound_end.c and receipt.c share about incoming
 * transfers; nobody else in node/ includes it.
 */
#ifndef SF_NODE_INBOUND_H
#define SF_NODE_INBOUND_H

#include "node/internal.h"

static inline struct sf_view
in_key_view(const struct inbound *in)
{
    return sf_view(in->key, sizeof(in->key));
}

static inline bool
in_is_open(const struct inbound *in)
{
    return in->record.phase < SF_IN_DONE && !in->want_freed;
}

/* --- receipt.c --- */

uint64_t in_new_generation(struct sf_node *node);

/* Begin one: no receipt before it is durable. The caller's facts go into the same commit. */
void in_begin_generation(struct inbound *in);

/* The receipt that is due now, if it may go. */
void in_give_receipt(struct inbound *in);

/* Whether a receipt is on its way, or cannot be sent for want of a peer. */
bool in_has_mail(const struct inbound *in);

/* --- inbound_end.c --- */

/* Its data is not wanted any more. */
void in_end_on_link(struct inbound *in);

/* Free spool, key and staged files of one that is over, as far as nothing uses them. */
void in_free_step(struct inbound *in);

/* Let go of what was forgotten, and of tombstones that are too many. */
void in_prune(struct sf_node *node);

#endif
