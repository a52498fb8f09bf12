/*
 * revoked.h - nodes that this one trusts no more: peers/FINGERPRINT.revoked.
 *
 * The name of such a file is what counts, so that not even a damaged one lets
 * anybody in again; in it stands what the node was called and when it was
 * revoked. It is written before anything else is done about a revocation, and
 * removed only by the operator's explicit word. The home's lock is held by
 * whoever writes, as for the peers' own files (peers.h).
 */
#ifndef SF_APP_REVOKED_H
#define SF_APP_REVOKED_H

#include "app/error.h"
#include "app/home.h"
#include "app/peers.h"

enum { SF_REVOKED_MAX = 1024 };

struct sf_revoked_node {
    struct sf_fingerprint fingerprint;
    char was[SF_PEERS_NAME_BYTES_MAX + 1]; /* what it was called here; "" if that is not known */
    int64_t when_ms;                       /* by the wall clock; 0 if that is not known */
};

/* 64 hexadecimal digits, small letters; false for anything else. */
bool sf_revoked_fingerprint_parse(const char *text, struct sf_fingerprint *ret_fingerprint);

/*
 * Read all, sorted by fingerprint, into a list the caller frees with free().
 * SF_OK; SF_ELIMIT beyond SF_REVOKED_MAX, SF_ENOMEM, SF_EIO, with *error.
 */
SF_MUST_USE int sf_revoked_read_all(const struct sf_home *home, struct sf_revoked_node **ret_nodes,
    size_t *ret_count, struct sf_app_error *error);

/* The one of that fingerprint in such a list, or NULL. */
const struct sf_revoked_node *sf_revoked_find(
    const struct sf_revoked_node *nodes, size_t count, const struct sf_fingerprint *fingerprint);

/* Write one, durably; that it is there already is fine. Errors as sf_home_write_file(). */
SF_MUST_USE int sf_revoked_write(
    const struct sf_home *home, const struct sf_revoked_node *node, struct sf_app_error *error);

/* Remove one, durably: its node may be a peer again. SF_ENOENT, SF_EAUTH, SF_EIO. */
SF_MUST_USE int sf_revoked_remove(const struct sf_home *home,
    const struct sf_fingerprint *fingerprint, struct sf_app_error *error);

/* "its node was revoked on ...; to trust it again add --readmit": SF_EAUTH, into *error. */
int sf_revoked_refuse(
    const struct sf_revoked_node *node, const char *name, struct sf_app_error *error);

#endif
