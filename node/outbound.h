/*
 * outbound.h - what outbound.c, offer.c and settle.c share about outgoing
 * transfers; nobody else in node/ includes it.
 */
#ifndef SF_NODE_OUTBOUND_H
#define SF_NODE_OUTBOUND_H

#include "node/internal.h"

#define OUT_REFUSED_WHY "a recipient refused it for good; `skyferry cancel` gives its space back"

#define OUT_REVOKED_WHY "without a recipient that was revoked here"

#define FINAL_FIRST (30 * SF_SEC) /* after the peer's link has all, before it is asked again */

static inline struct sf_view
out_id_view(const struct outbound *out)
{
    return sf_view(out->id.b, sizeof(out->id.b));
}

static inline bool
out_is_open(const struct outbound *out)
{
    return out->record.phase == SF_OUT_SEALING || out->record.phase == SF_OUT_CUSTODY;
}

static inline bool
out_to_is_open(const struct out_to *to)
{
    return to->record.phase == SF_TO_OPEN || to->record.phase == SF_TO_VERIFIED;
}

/* When it should be there, for comparing: those without a deadline come last. */
static inline uint64_t
out_rank(const struct outbound *out)
{
    return out->record.deadline.ms > 0 ? (uint64_t)out->record.deadline.ms : UINT64_MAX;
}

/* Is `a` more urgent than `b`: of better priority, or of the same with an earlier deadline? */
static inline bool
out_is_before(const struct outbound *a, const struct outbound *b)
{
    return a->record.priority < b->record.priority ||
           (a->record.priority == b->record.priority && out_rank(a) < out_rank(b));
}

/* A whole that nobody has needed yet is not shown: it is a part of its delta. */
static inline bool
out_is_shown(const struct outbound *out)
{
    bool is_shown = out->record.role != SF_OUT_WHOLE;

    for (uint32_t i = 0; i < out->record.recipient_count; i++) {
        is_shown |= out->to[i].record.number != 0;
    }
    return is_shown;
}

/* --- offer.c --- */

/* Take the data of `out` back from the link of one recipient. */
void out_withdraw(struct outbound *out, struct out_to *to);

/* Double *wait_ns between the first and the last retry, and say when it is over. */
sf_mono out_back_off(const struct outbound *out, uint64_t *wait_ns);

/* What its receipts list need not go again, over a link from which nothing comes back. */
void out_spare_held(struct outbound *out, const struct out_to *to);

/* Grant and offer to one recipient whatever it may have now. */
void out_offer_to(struct outbound *out, struct out_to *to);

/* Send the signed cancel to every recipient that has not answered yet. */
void out_tell_cancelled(struct outbound *out);

/* Do what is due for one recipient by its timers. */
void out_retry(struct outbound *out, struct out_to *to);

/* --- settle.c --- */

/* What the recipients said is durable: end the transfer if all of them have ended. */
void out_settle(void *owner);

/* --- outbound.c --- */

/* The content key goes, from memory and from the disk, and with it the label. */
void out_erase_key(struct outbound *out);

/* Nobody is to have it any more: cancelled, with that reason at this end. */
void out_cancel(struct outbound *out, const char *why);

/* Free spool and key of a transfer that is over, as far as nothing uses them. */
void out_free_step(struct outbound *out);

#endif
