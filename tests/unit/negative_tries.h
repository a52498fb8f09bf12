/*
 * negative_tries.h - what the negative matrix can try: each way to be wrong, with
 * each object.
 */
#ifndef SF_TESTS_UNIT_NEGATIVE_TRIES_H
#define SF_TESTS_UNIT_NEGATIVE_TRIES_H

#include "tests/unit/negative_lab.h"

enum row {
    WRONG_SIGNER,
    REVOKED,
    EXPIRED,
    OTHER_RECIPIENT,
    OTHER_TRANSFER,
    OTHER_INDEX,
    STRIPPED_PSK,
    SWAPPED,
    TRUE_SIGNATURE,
    OTHER_MANIFEST,
    NO_RECIPIENT,
    REPLAY,
    ROWS,
};

enum object {
    DATA,
    OUTLINE,
    DIGESTS,
    GRANT,
    GRANT_PSK,
    LETTER,
    HELD,
    VERIFIED,
    FINAL,
    REFUSED,
    CANCEL,
    CARD,
    OPENER,
    OBJECTS,
};

/* What an attempt comes to, when it was refused above the function that opens it. */
enum { SILENT = 100, UNCHANGED, NO_SESSION };

/*
 * Make `object`, wrong in what `row` says (right with ROWS), and give it to the
 * node that would get it. Returns a status of the function that opens it, or one of
 * the outcomes above.
 */
int negative_try(struct lab *lab, enum object object, enum row row);

/* A true opener of ground's to sat, which is taken: what REPLAY needs. */
void negative_take_opener(struct lab *lab);

/* True objects that are news: whether the grant began a transfer; sat's card to ground. */
bool negative_give_grant(struct lab *lab, unsigned to, const struct sf_transfer_id *transfer);
void negative_give_card(struct lab *lab);

#endif
