/*
 * bases.h - files delivered earlier that a transfer being decoded builds on.
 *
 * Each stands in the inbox, where people may have changed, moved or removed it. So none is
 * believed: it must have come from this very sender, by the transfer that the outline names and
 * with a digest that the FINAL receipt of this node lists; and it is read to its end and hashed
 * before a byte of it is used. From then on its handle stays open, whatever becomes of its name.
 * What is read from it later is checked again by whoever decodes it.
 *
 * A sender learns from that no more than whether what it sent is still there.
 */
#ifndef SF_NODE_BASES_H
#define SF_NODE_BASES_H

#include "node/internal.h"

struct bases;

/* Begin to look at the bases of `outline`, which has some and outlives this. SF_OK or SF_ENOMEM. */
SF_MUST_USE int bases_open(
    struct inbound *in, const struct sf_outline *outline, struct bases **ret_bases);

/* All are there, and what they must be. */
bool bases_are_ready(const struct bases *bases);
/* One is not there, or is another: `ret_why` says so to people. */
bool bases_are_missing(const struct bases *bases, const char **ret_why);
/* What was read of one was not what its digest said: it was changed meanwhile. */
void bases_set_changed(struct bases *bases);

/* The open base of a file of the outline, and its length; when all are ready. */
int bases_file(const struct bases *bases, uint32_t file, uint64_t *ret_bytes);

/* Go on with looking and hashing. */
void bases_step(struct bases *bases);

/* Close what is open, as soon as nothing is under way; then it may be freed. NULL is idle. */
void bases_stop(struct bases *bases);
bool bases_are_idle(const struct bases *bases);
void bases_free(struct bases *bases);

#endif
