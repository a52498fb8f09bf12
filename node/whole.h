/*
 * whole.h - a transfer of what changed, and the whole that is kept beside it.
 *
 * Of files that are sent against a base two transfers are made. The *whole* is sealed first and
 * never flies; then the *delta*, which goes to every recipient. Custody begins when both are
 * durable. A recipient whose base is gone refuses the delta once, with SF_REFUSAL_NEED_BASE, and
 * the whole becomes its: a transfer with a key, a grant and a manifest of its own, which names
 * the delta in whose place it goes. The delta, which is what people see, ends as its recipients
 * do, by itself or by the whole; then both are freed.
 *
 *     recipient of the delta            of the whole
 *     OPEN, VERIFIED, FINAL             STANDBY -> SPARED at FINAL
 *     WHOLE                             OPEN, VERIFIED, FINAL
 *
 * Nothing is needed later of the files, nor of the base, that were sent.
 */
#ifndef SF_NODE_WHOLE_H
#define SF_NODE_WHOLE_H

#include "node/outbound.h"

/* The whole beside a delta, the delta of a whole; NULL if it is none, or there is no other. */
struct outbound *whole_of(const struct outbound *delta);
struct outbound *delta_of(const struct outbound *whole);

/*
 * The newest transfer by which every recipient of `send` got all of its bases; *ret_base is
 * given where has_base says which it must be. SF_OK, SF_EINVAL or SF_ENOENT, with *error.
 */
SF_MUST_USE int whole_find_base(struct sf_node *node, const struct sf_node_send *send,
    const struct sf_transfer_id *must_be, struct outbound **ret_base, struct sf_node_error *error);

/* The delta waits with its sealing until the whole is in custody. */
bool whole_is_awaited(const struct outbound *delta);

/* One recipient has refused a delta for want of its base: it gets the whole, if there is one. */
bool whole_take_over(struct outbound *delta, struct out_to *to);
/* One recipient of a delta has ended: it does not need the whole. The caller commits. */
void whole_spare(struct outbound *delta, const struct out_to *to);
/* What one recipient of a delta has come to, or NULL as long as that is not by the whole. */
const struct out_to *whole_to(const struct outbound *delta, const struct out_to *to);

/* The whole or the delta has failed, or was cancelled: so must the other, if it still can. */
void whole_failed(struct outbound *out, enum sf_cancel_reason reason, const char *why);

/* After a restart: a whole without a delta that is open is of no use. */
void whole_recover(struct sf_node *node);

#endif
