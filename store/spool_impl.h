/*
 * spool_impl.h - what spool.c (files) and spool_put.c (bundles in them) share.
 */
#ifndef SF_STORE_SPOOL_IMPL_H
#define SF_STORE_SPOOL_IMPL_H

#include "store/spool.h"

struct sf_spool_puts {
    struct sf_spool_put *first;
    struct sf_spool_put *last;
};

struct sf_spool {
    struct sf_spool *next;
    struct sf_spool_set *spools;
    struct sf_transfer_id transfer;
    enum sf_spool_direction direction;
    int file;
    uint32_t class_bytes;
    uint64_t slots;

    uint64_t in_flight;           /* puts, reads, punches, trims */
    uint64_t era;                 /* failed syncs so far */
    struct sf_spool_puts written; /* waiting for a sync */
    struct sf_spool_puts covered; /* by the one that runs */
    bool sync_running;
    struct sf_disk_op sync_op;
    struct sf_spool_op *leaving; /* a remove or close that waits for in_flight == 0 */
};

struct sf_spool_set {
    struct sf_disk *disk;
    struct sf_journal *journal;
    uint64_t reserve_bytes;
    uint64_t creating_bytes; /* promised to creates whose blocks are not allocated yet */
    uint64_t era;            /* failed syncs of the folder so far */
    struct sf_spool *open;
    struct sf_spool_file *files;
    size_t file_count;
    struct sf_spools_stats stats;
};

/* A put, read, punch or trim begins; it ends by in_flight-- and sf_spool_leave_if_quiet(). */
void sf_spool_enter(struct sf_spool *spool);

/* Go on with a remove or close that waited for the last of them. */
void sf_spool_leave_if_quiet(struct sf_spool *spool);

#endif
