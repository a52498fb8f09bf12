/*
 * commits.c - facts of the node's own that are to become durable.
 */
#include "node/internal.h"

#include <stdlib.h>

/* Some of a change may have been told already, so the rest of the step must not make it durable. */
void
node_fail(struct sf_node *node, int status)
{
    node->health = status;
    sf_journal_abandon(node->journal);
}

void
node_must(struct sf_node *node, int status)
{
    if (status != SF_OK) {
        node_fail(node, status);
    }
}

struct own_commit {
    struct flight flight;
    struct sf_commit commit;
    struct sf_node *node;
    void (*done)(void *owner);
    void *owner;
};

static void
committed(struct sf_commit *commit)
{
    struct own_commit *own = commit->owner;
    struct sf_node *node = own->node;
    void (*done)(void *owner) = own->done;
    void *owner = own->owner;
    int status = commit->status;

    node->commits--;
    flight_end(&own->flight);
    free(own);
    if (status != SF_OK) {
        node_fail(node, SF_EIO);
    } else if (done != NULL) {
        done(owner);
    }
}

static void
own_commit_drop(struct flight *flight)
{
    free(FLIGHT_OF(flight, struct own_commit));
}

void
node_commit_then(struct sf_node *node, void (*done)(void *owner), void *owner)
{
    struct own_commit *own = malloc(sizeof(*own));

    if (own == NULL) {
        /* Without it nobody would learn that the fact is durable: stop rather than guess. */
        node_fail(node, SF_ENOMEM);
        return;
    }
    *own = (struct own_commit){
        .commit = {.done = committed, .owner = own},
        .node = node,
        .done = done,
        .owner = owner,
    };
    flight_begin(&node->flights, &own->flight, own_commit_drop);
    node->commits++;
    sf_journal_commit(node->journal, &own->commit);
}

void
node_commit(struct sf_node *node)
{
    node_commit_then(node, NULL, NULL);
}
