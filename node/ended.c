/*
 * ended.c - the numbers of transfers that have ended, when their tombstones
 * are gone: such a transfer is not taken a second time, whoever announces it.
 *
 * Each sender numbers its transfers to this node. A set of ranges says which
 * ended; one that is open or paused, or that never came, leaves a hole, so
 * thousands of later ones may end around it. Holes of numbers that were never
 * used (a cancelled transfer, a sender that skips) would only ever grow in
 * number: beyond a limit the lowest that no open transfer stands in is closed.
 */
#include "node/internal.h"

enum { RANGES_MAX = 4096 };

static struct sf_view
key_of(const struct sf_fingerprint *sender)
{
    return sf_view(sender->b, sizeof(sender->b));
}

bool
ended_has(const struct sf_node *node, const struct sf_fingerprint *sender, uint64_t number)
{
    const struct sf_range_set *ended =
        sf_journal_set_of(node->journal, SF_TABLE_IN_ENDED, key_of(sender));

    return ended != NULL && sf_range_set_has(ended, number);
}

void
ended_note(struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender)
{
    struct ended_note *note = &node->ended[node->ended_next++ % ENDED_NOTES];

    note->transfer = *transfer;
    note->sender = *sender;
}

bool
ended_is_noted(const struct sf_node *node, const struct sf_transfer_id *transfer,
    const struct sf_fingerprint *sender)
{
    for (size_t i = 0; i < ENDED_NOTES && i < node->ended_next; i++) {
        if (sf_transfer_equal(&node->ended[i].transfer, transfer) &&
            sf_fingerprint_equal(&node->ended[i].sender, sender)) {
            return true;
        }
    }
    return false;
}

static bool
is_open_in(const struct sf_node *node, const struct sf_fingerprint *sender, struct sf_range range)
{
    for (const struct inbound *in = node->ins; in != NULL; in = in->next) {
        if (in->record.phase < SF_IN_DONE && in->record.number >= range.from &&
            in->record.number < range.to && sf_fingerprint_equal(&in->sender, sender)) {
            return true;
        }
    }
    return false;
}

/* Close the lowest hole that no open transfer stands in. */
static void
close_hole(struct sf_node *node, const struct sf_fingerprint *sender)
{
    const struct sf_range_set *ended =
        sf_journal_set_of(node->journal, SF_TABLE_IN_ENDED, key_of(sender));

    if (ended == NULL || ended->count <= RANGES_MAX) {
        return;
    }
    for (size_t i = 0; i + 1 < ended->count; i++) {
        struct sf_range hole = {ended->ranges[i].to, ended->ranges[i + 1].from};

        if (!is_open_in(node, sender, hole)) {
            node_must(node, sf_journal_add(node->journal, SF_TABLE_IN_ENDED, key_of(sender),
                                hole.from, hole.to, NULL));
            return;
        }
    }
}

void
ended_add(struct sf_node *node, const struct sf_fingerprint *sender, uint64_t number)
{
    if (number == 0 || number == UINT64_MAX) {
        return; /* it had no grant */
    }
    node_must(node,
        sf_journal_add(node->journal, SF_TABLE_IN_ENDED, key_of(sender), number, number + 1, NULL));
    close_hole(node, sender);
}
