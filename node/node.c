/*
 * node.c - the calls of the engine.
 */
#include "node/internal.h"

#include <stdlib.h>

uint8_t *
buffer_alloc(size_t bytes)
{
    return aligned_alloc(
        SF_DISK_ALIGN, (bytes + SF_DISK_ALIGN - 1) / SF_DISK_ALIGN * SF_DISK_ALIGN);
}

uint32_t
node_lot(struct sf_node *node)
{
    uint32_t lot;

    sf_random_fill(&node->config.random, &lot, sizeof(lot));
    return lot;
}

const struct sf_card *
sf_node_card(const struct sf_node *node)
{
    return &node->card;
}

int
sf_node_health(const struct sf_node *node)
{
    if (node->health != SF_OK) {
        return node->health;
    }
    if (sf_journal_failed(node->journal) || sf_vault_failed(node->vault) ||
        sf_audit_failed(node->audit)) {
        return SF_EIO;
    }
    return SF_OK;
}

void
sf_node_input(
    struct sf_node *node, const struct sf_addr *from, uint8_t *datagram, size_t bytes, sf_mono now)
{
    node->now = now;
    sf_link_input(node->link, from, datagram, bytes, now);
    node_drain(node);
}

bool
sf_node_output(struct sf_node *node, struct sf_addr *ret_to, uint8_t *datagram, size_t bytes_max,
    size_t *ret_bytes, sf_mono now)
{
    bool any;

    node->now = now;
    any = sf_link_output(node->link, ret_to, datagram, bytes_max, ret_bytes, now);
    node_drain(node);
    return any;
}

uint32_t
sf_node_mark(const struct sf_node *node)
{
    return sf_link_mark(node->link);
}

void
sf_node_congested(struct sf_node *node)
{
    sf_link_congested(node->link);
}

void
sf_node_refused(struct sf_node *node, const struct sf_addr *to, size_t bytes)
{
    sf_link_refused(node->link, to, bytes);
}

void
sf_node_tick(struct sf_node *node, sf_mono now, struct sf_wall wall)
{
    node->now = now;
    node->wall = wall;
    node->wall_at = now;
    contacts_tick(node);
    node_drain(node);
    room_tick(node);
    keyring_tick(node);
    ladder_tick(node);
    sf_vault_tick(node->vault, now);
    outbound_tick(node);
    inbound_tick(node);
    postponed_tick(node);
    turns_tick(node);
    peers_tick(node);
    cover_tick(node);
    node_drain(node);
}

sf_mono
sf_node_deadline(const struct sf_node *node)
{
    sf_mono deadline = sf_link_deadline(node->link);

    deadline = sf_mono_min(deadline, contacts_deadline(node));
    deadline = sf_mono_min(deadline, keyring_deadline(node));
    deadline = sf_mono_min(deadline, ladder_deadline(node));
    deadline = sf_mono_min(deadline, room_deadline(node));
    deadline = sf_mono_min(deadline, cover_deadline(node));
    deadline = sf_mono_min(deadline, sf_vault_deadline(node->vault));
    deadline = sf_mono_min(deadline, outbound_deadline(node));
    return sf_mono_min(deadline, inbound_deadline(node));
}
