/*
 * unlock.h - the passphrase of a home, where it has one, and the keys behind it.
 *
 * A passphrase comes, in this order, from the credential
 * `skyferry.passphrase` of the service manager ($CREDENTIALS_DIRECTORY, see
 * systemd.exec(5)); from the file that $SKYFERRY_PASSPHRASE_FILE names; or from
 * the terminal, where it is not shown. One line end behind it does not count.
 */
#ifndef SF_APP_UNLOCK_H
#define SF_APP_UNLOCK_H

#include "app/error.h"
#include "app/home.h"
#include "base/master.h"
#include "base/status.h"
#include "bundle/identity.h"

/*
 * The home's master key, in guarded memory that the caller frees with
 * sf_secret_free(); NULL, and no question asked, for a home without one.
 *
 * Returns SF_OK; SF_EAUTH (a wrong passphrase, or none and nowhere to ask);
 * SF_EFORMAT, SF_ELIMIT (a damaged file); SF_ENOMEM, SF_EIO; with *error.
 */
SF_MUST_USE int sf_unlock_master(
    const struct sf_home *home, uint8_t **ret_master, struct sf_app_error *error);

/*
 * Read `keys` of the home, sealed under `master` or, with NULL, bare; the caller
 * releases the identity. SF_OK, SF_ENOENT (there are none), SF_EAUTH, SF_EFORMAT
 * (damaged), SF_EIO, with *error.
 */
SF_MUST_USE int sf_unlock_identity(const struct sf_home *home, const uint8_t *master,
    struct sf_identity **ret_identity, struct sf_app_error *error);

/*
 * A new passphrase, in guarded memory of SF_PASSPHRASE_BYTES_MAX + 1 bytes: from
 * `file`, "-" for standard input, or NULL to ask for it twice. SF_OK, SF_EINVAL (empty,
 * too long, or not the same twice), SF_EAUTH (nowhere to ask), SF_EIO, SF_ENOMEM.
 */
SF_MUST_USE int sf_unlock_new(const char *file, char **ret_passphrase, struct sf_app_error *error);

/*
 * Seal `master` under `passphrase` ("" leaves it bare) into the home's file.
 * SF_OK, SF_EINVAL, SF_ENOMEM, or errors of writing.
 */
SF_MUST_USE int sf_unlock_save(const struct sf_home *home, const uint8_t *master,
    const char *passphrase, struct sf_app_error *error);

#endif
