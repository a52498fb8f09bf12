/*
 * daemon_revoke.c - nodes that are not trusted any more: peers/FINGERPRINT.revoked
 * first, then the node, then the peer's own files.
 */
#include "app/daemon.h"

#include "app/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int
sf_daemon_revoked_load(struct sf_daemon *daemon, struct sf_app_error *error)
{
    struct sf_revoked_node *nodes;
    size_t count;
    int status = sf_revoked_read_all(&daemon->home, &nodes, &count, error);

    if (status != SF_OK) {
        return status;
    }
    free(daemon->revoked);
    daemon->revoked = nodes;
    daemon->revoked_count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t ended = sf_node_revoke(daemon->node, &nodes[i].fingerprint);

        if (ended > 0) {
            sf_log(SF_LOG_NOTICE, "peer %s was revoked: %" PRIu64 " of its transfers ended",
                nodes[i].was, ended);
        }
    }
    return SF_OK;
}

const struct sf_revoked_node *
sf_daemon_revoked_find(const struct sf_daemon *daemon, const struct sf_fingerprint *fingerprint)
{
    return sf_revoked_find(daemon->revoked, daemon->revoked_count, fingerprint);
}

void
sf_daemon_revoked_leave_out(
    const struct sf_daemon *daemon, struct sf_peers_peer *peers, size_t *count)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        struct sf_app_error why;

        if (sf_daemon_revoked_find(daemon, &peers[i].card.fingerprint) == NULL) {
            struct sf_peers_peer peer = peers[kept];

            peers[kept++] = peers[i];
            peers[i] = peer;
            sf_wipe(&peer, sizeof(peer));
        } else if (sf_peers_remove(&daemon->home, peers[i].name, &why) == SF_OK) {
            sf_log(SF_LOG_NOTICE, "peer %s is revoked: its files in peers/ are removed",
                peers[i].name);
        } else {
            sf_log(SF_LOG_WARNING, "peer %s is revoked, and its files in peers/ do not count: %s",
                peers[i].name, why.text);
        }
    }
    *count = kept;
}

/* The node that `name` means: that of a peer, or the one of that fingerprint. */
static int
find(const struct sf_daemon *daemon, const struct sf_daemon_peer *peer, const char *name,
    struct sf_revoked_node *ret_node, struct sf_app_error *error)
{
    *ret_node = (struct sf_revoked_node){.when_ms = daemon->wall.ms};
    if (peer != NULL) {
        ret_node->fingerprint = peer->conf.card.fingerprint;
        memcpy(ret_node->was, peer->conf.name, sizeof(ret_node->was));
        return SF_OK;
    }
    if (!sf_revoked_fingerprint_parse(name, &ret_node->fingerprint)) {
        return sf_app_error_set(error, SF_ENOENT,
            "there is no peer %.63s: `skyferry peer list` lists them; a node that is no peer is "
            "revoked by its fingerprint of 64 digits",
            name);
    }
    if (sf_daemon_revoked_find(daemon, &ret_node->fingerprint) != NULL) {
        *ret_node = *sf_daemon_revoked_find(daemon, &ret_node->fingerprint);
    }
    for (size_t i = 0; i < daemon->peer_count; i++) {
        if (sf_fingerprint_equal(&daemon->peers[i].conf.card.fingerprint, &ret_node->fingerprint)) {
            memcpy(ret_node->was, daemon->peers[i].conf.name, sizeof(ret_node->was));
        }
    }
    return SF_OK;
}

static int
remember(struct sf_daemon *daemon, const struct sf_revoked_node *node, struct sf_app_error *error)
{
    struct sf_revoked_node *nodes;

    if (sf_daemon_revoked_find(daemon, &node->fingerprint) != NULL) {
        return sf_revoked_write(&daemon->home, node, error);
    }
    if (daemon->revoked_count == SF_REVOKED_MAX) {
        return sf_app_error_set(
            error, SF_ELIMIT, "a node knows at most %d revoked ones", SF_REVOKED_MAX);
    }
    nodes = realloc(daemon->revoked, (daemon->revoked_count + 1) * sizeof(*nodes));
    if (nodes == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory");
    }
    daemon->revoked = nodes;
    nodes[daemon->revoked_count++] = *node;
    return sf_revoked_write(&daemon->home, node, error);
}

int
sf_daemon_peer_revoke(struct sf_daemon *daemon, const char *name, struct sf_revoked_node *ret_node,
    uint64_t *ret_ended, struct sf_app_error *error)
{
    struct sf_daemon_peer *peer = sf_daemon_peer_find(daemon, name);
    struct sf_app_error why;
    char was[SF_PEERS_NAME_BYTES_MAX + 1];
    int written;
    int status = find(daemon, peer, name, ret_node, error);

    if (status != SF_OK) {
        return status;
    }
    memcpy(was, ret_node->was, sizeof(was));
    written = remember(daemon, ret_node, &why);
    /* Whatever the disk says: not trusted any more from now on. */
    *ret_ended = sf_node_revoke(daemon->node, &ret_node->fingerprint);
    sf_log(SF_LOG_NOTICE, "peer %s revoked; %" PRIu64 " of its transfers ended",
        was[0] == '\0' ? name : was, *ret_ended);
    if (was[0] != '\0') {
        status = sf_daemon_peer_delete(daemon, was, error);
    }
    if (written != SF_OK) {
        return sf_app_error_set(error, written,
            "%s is cut off, but that it stays revoked could not be written down (%s): make room "
            "and "
            "revoke it once more by its fingerprint",
            name, why.text);
    }
    return status == SF_ENOENT ? SF_OK : status; /* of that name there may be none any more */
}

int
sf_daemon_readmit(struct sf_daemon *daemon, const char *digits, struct sf_app_error *error)
{
    struct sf_fingerprint fingerprint;
    int status;

    if (!sf_revoked_fingerprint_parse(digits, &fingerprint) ||
        sf_daemon_revoked_find(daemon, &fingerprint) == NULL) {
        return sf_app_error_set(
            error, SF_ENOENT, "no node of the fingerprint %.64s is revoked", digits);
    }
    status = sf_revoked_remove(&daemon->home, &fingerprint, error);
    if (status != SF_OK && status != SF_ENOENT) {
        return status;
    }
    for (size_t i = 0; i < daemon->revoked_count; i++) {
        if (sf_fingerprint_equal(&daemon->revoked[i].fingerprint, &fingerprint)) {
            daemon->revoked[i] = daemon->revoked[--daemon->revoked_count];
            break;
        }
    }
    return SF_OK;
}
