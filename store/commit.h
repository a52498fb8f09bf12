/*
 * commit.h - somebody waiting for what was appended to become durable.
 *
 * The caller embeds one, sets `done` and `owner`, and leaves it alone until
 * `done` is called with `status` set: always from sf_disk_poll(), never from
 * inside the call that took it. `done` may use and submit it again.
 */
#ifndef SF_STORE_COMMIT_H
#define SF_STORE_COMMIT_H

#include <stddef.h>

struct sf_commit {
    void (*done)(struct sf_commit *commit);
    void *owner;

    int status; /* SF_OK: everything appended before the call is on the medium; else SF_EIO */

    struct sf_commit *next; /* belongs to the store until done */
};

/* First-in, first-out list of them. */
struct sf_commit_list {
    struct sf_commit *first;
    struct sf_commit *last;
};

static inline void
sf_commit_list_push(struct sf_commit_list *list, struct sf_commit *commit)
{
    commit->next = NULL;
    if (list->last != NULL) {
        list->last->next = commit;
    } else {
        list->first = commit;
    }
    list->last = commit;
}

/* Move everything in `from` behind what is in `to`. */
static inline void
sf_commit_list_move(struct sf_commit_list *to, struct sf_commit_list *from)
{
    if (from->first == NULL) {
        return;
    }
    if (to->last != NULL) {
        to->last->next = from->first;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    from->first = NULL;
    from->last = NULL;
}

/* Call every `done` in order with `status`. The list is taken first, so that `done` may commit again. */
static inline void
sf_commit_list_finish(struct sf_commit_list *list, int status)
{
    struct sf_commit *commit = list->first;

    list->first = NULL;
    list->last = NULL;
    while (commit != NULL) {
        struct sf_commit *next = commit->next;

        commit->next = NULL;
        commit->status = status;
        commit->done(commit);
        commit = next;
    }
}

#endif
