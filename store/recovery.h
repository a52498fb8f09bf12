/*
 * recovery.h - what an open found on the disk and did about it.
 *
 * Each module of this room has a recovery table in docs/STORE.md; `row` names
 * the row of its own table that was taken, and a test is named after each.
 */
#ifndef SF_STORE_RECOVERY_H
#define SF_STORE_RECOVERY_H

#include <stdint.h>

struct sf_recovery {
    char row;           /* the letter of the table's row; 0 if it never came so far */
    uint64_t offset;    /* where in the file the damage begins, or its end if there is none */
    uint64_t cut_bytes; /* how much of a torn tail was dropped; it had never been reported done */
    const char *text;   /* one English sentence for a log line; static, never NULL after an open */
};

#endif
