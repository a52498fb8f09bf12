/*
 * home.h - the directory that is a node: where it is, what is in it, who may
 * touch it.
 *
 *     keys              the identity                                0600
 *     master            what `keys` and `kek` are sealed under, if
 *                       there is a passphrase                       0600
 *     config            settings, see skyferry.conf(5)              0600
 *     peers/NAME.card   a peer's card, one line                     0600
 *     peers/NAME.conf   how to reach it and what it may do          0600
 *     peers/NAME.psk    a pair's pre-shared key, 64 hex digits,
 *                       until the daemon has taken it               0600
 *     journal, spool/, vault, kek, staging/, audit.log, audit.heads the store's
 *     kept/             copies of what was sent (app/kept.h)        0700
 *     inbox/PEER/NAME   what was delivered                          0750, 0640
 *     control.sock      HTTP, see docs/CONTROL.md                   0660
 *     submit.sock       files handed over as descriptors            0660
 *     lock              held by the one daemon, or by an offline change
 *
 * The directory itself is 0700, or 0710 or 0750 where a group may reach the
 * sockets and the inbox; never writable by others, never anyone else's.
 */
#ifndef SF_APP_HOME_H
#define SF_APP_HOME_H

#include "app/error.h"
#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

enum { SF_HOME_PATH_BYTES_MAX = 4095 }; /* without the NUL */

#define SF_HOME_KEYS    "keys"
#define SF_HOME_MASTER  "master"
#define SF_HOME_CONFIG  "config"
#define SF_HOME_PEERS   "peers"
#define SF_HOME_STAGING "staging" /* what is not delivered yet */
#define SF_HOME_INBOX   "inbox"
#define SF_HOME_CONTROL "control.sock"
#define SF_HOME_SUBMIT  "submit.sock"
#define SF_HOME_LOCK    "lock"

struct sf_home {
    char path[SF_HOME_PATH_BYTES_MAX + 1]; /* absolute */
    int fd;                                /* the directory */
    int lock_fd;                           /* -1 while not locked */
};

/*
 * Where the home is: `option` (--home) if not NULL, else $SKYFERRY_HOME, else
 * /var/lib/skyferry for root, else $XDG_STATE_HOME/skyferry, else
 * $HOME/.local/state/skyferry. Relative paths are taken from the current
 * directory. The directory need not exist.
 *
 * Returns SF_OK, or SF_EINVAL (too long, empty, or no $HOME).
 */
SF_MUST_USE int sf_home_locate(
    const char *option, char ret_path[SF_HOME_PATH_BYTES_MAX + 1], struct sf_app_error *error);

/*
 * Open an existing home and check that it belongs to the caller (or, for root,
 * to anyone who is not everyone) and is not writable by group or others.
 *
 * Returns SF_OK, and the caller ends with sf_home_close(); SF_ENOENT (the text
 * says `skyferry init`), SF_EAUTH (owner or mode, or no permission), SF_EIO.
 */
SF_MUST_USE int sf_home_open(
    const char *path, struct sf_home *ret_home, struct sf_app_error *error);

/*
 * As sf_home_open() for a client of the sockets, who may be of the socket's
 * group only: nothing is checked and the directory need only be searchable.
 * Then only sf_home_socket() and the inbox are of use.
 */
SF_MUST_USE int sf_home_open_client(
    const char *path, struct sf_home *ret_home, struct sf_app_error *error);

/*
 * Make the home (and missing parents, 0755 less the umask) with its
 * directories, for `skyferry init`; what exists is kept, and checked as
 * sf_home_open() does. No file is written. Errors as sf_home_open().
 */
SF_MUST_USE int sf_home_create(
    const char *path, struct sf_home *ret_home, struct sf_app_error *error);

/* Close, and give the lock back. {.fd = -1, .lock_fd = -1}, a home never opened, is fine. */
void sf_home_close(struct sf_home *home);

/*
 * Take the lock, without waiting, until sf_home_close() or the end of the
 * process. Returns SF_OK, SF_ESTATE (a daemon has it: talk to it instead),
 * SF_EIO.
 */
SF_MUST_USE int sf_home_lock(struct sf_home *home, struct sf_app_error *error);

/*
 * Read file `name` (below the home, symbolic links refused) of at most
 * `bytes_max` bytes into `out`. With `is_secret`, a file that group or others
 * may read is refused.
 *
 * Returns SF_OK, SF_ENOENT, SF_ELIMIT (larger), SF_EAUTH (mode, a link, not a
 * regular file, no permission), SF_EIO.
 */
struct sf_home_read {
    const char *name;
    bool is_secret;
    void *out;
    size_t bytes_max;
};
SF_MUST_USE int sf_home_read_file(const struct sf_home *home, const struct sf_home_read *read,
    size_t *ret_bytes, struct sf_app_error *error);

/*
 * Write file `name` whole, mode 0600, so that after any crash either the old
 * or the new is there: temporary file, sync, rename, sync of the directory.
 * With `is_new` an existing file is never replaced (SF_EEXIST).
 *
 * Returns SF_OK, SF_EEXIST, SF_ENOSPC, SF_EAUTH (no permission), SF_EIO.
 */
struct sf_home_write {
    const char *name;
    bool is_new;
    struct sf_view content;
};
SF_MUST_USE int sf_home_write_file(
    const struct sf_home *home, const struct sf_home_write *write, struct sf_app_error *error);

/*
 * Overwrite file `name` with zeros and remove it, durably. What flash and
 * copy-on-write file systems keep all the same is in docs/SECURITY.md. Returns
 * SF_OK, SF_ENOENT, SF_EAUTH, SF_EIO.
 */
SF_MUST_USE int sf_home_shred_file(
    const struct sf_home *home, const char *name, struct sf_app_error *error);

/*
 * Remove file `name`, durably. Returns SF_OK, SF_ENOENT, SF_EAUTH, SF_EIO.
 */
SF_MUST_USE int sf_home_remove_file(
    const struct sf_home *home, const char *name, struct sf_app_error *error);

/*
 * A path of at most 107 bytes for socket `name` (SF_HOME_CONTROL, ...) below
 * the home, for bind(), connect() and curl. If the plain path is too long it
 * goes through /proc/self/fd, so it is valid in this process while `home` is
 * open.
 */
void sf_home_socket(const struct sf_home *home, const char *name,
    char ret_path[sizeof(((struct sockaddr_un *)0)->sun_path)]);

#endif
