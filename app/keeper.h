/*
 * keeper.h - keeps copies of what is sent (app/kept.h), and says which of them a recipient has.
 *
 * A copy is a clone where the file system can share blocks, else made by a worker, a piece at a
 * time. All copies together stay within a quota, and the oldest go first. They are a
 * convenience: they are made only where there is room beyond what the node may need, and go when
 * room is wanted. Without one the next version is sent whole.
 */
#ifndef SF_APP_KEEPER_H
#define SF_APP_KEEPER_H

#include "app/daemon.h"
#include "app/kept.h"
#include "app/sources.h"
#include "app/submit_protocol.h"

/* Smaller files are not worth a base: what a transfer takes at least is a good part of them. */
#define SF_KEEPER_FILE_BYTES_MIN (UINT64_C(1) << 20)

/* Files of one transfer that are to be kept: its largest, as many as may have a base. */
struct sf_keeper_order {
    struct {
        int fd;        /* its own */
        size_t source; /* which one of the sources */
        uint64_t bytes;
        struct sf_kept kept;
    } files[SF_SUBMIT_BASES_MAX];
    size_t count;
};

/* Keeps nothing, and forgets what was kept, where the quota is 0. SF_OK, SF_ENOMEM, SF_EIO. */
SF_MUST_USE int sf_keeper_open(
    struct sf_daemon *daemon, struct sf_keeper **ret_keeper, struct sf_app_error *error);
/* Nothing more is begun, and the node is not asked any more. NULL is allowed. */
void sf_keeper_stop(struct sf_keeper *keeper);
/* After the workers have ended. NULL is allowed. */
void sf_keeper_close(struct sf_keeper *keeper);

/* Source number `source`, open as `fd`, is to be kept, if it is worth it; `fd` stays the caller's. */
void sf_keeper_add(
    const struct sf_keeper *keeper, struct sf_keeper_order *order, size_t source, int fd);
/* All sources are there: name the copies, of `user` and under `label`. */
void sf_keeper_name(struct sf_keeper_order *order, const struct sf_sources *sources, uint32_t user,
    struct sf_view label);
/* They are taken as `transfer`: copy them. The order is empty afterwards. */
void sf_keeper_take(
    struct sf_keeper *keeper, struct sf_keeper_order *order, const struct sf_transfer_id *transfer);
/* Close what is in the order. */
void sf_keeper_drop(struct sf_keeper_order *order);

/*
 * Which copies of `user` may be a base for the recipient that asks; root and the daemon's own
 * user see everybody's. *ret_offer has none if there are none, and the descriptors in `ret_fds` are the
 * caller's. SF_OK; SF_ENOENT (a transfer was named and is no base, with *error); SF_ENOMEM, SF_EIO.
 */
SF_MUST_USE int sf_keeper_offer(struct sf_keeper *keeper, const struct sf_submit_ask *ask,
    uint32_t user, struct sf_submit_offer *ret_offer, int ret_fds[SF_SUBMIT_BASES_MAX],
    struct sf_app_error *error);

/* `bytes` are about to be written by the node: copies give way, if there must be room. */
void sf_keeper_make_room(struct sf_keeper *keeper, uint64_t bytes);
/* See now and then whether the node wants room. */
void sf_keeper_tick(struct sf_keeper *keeper);

#endif
