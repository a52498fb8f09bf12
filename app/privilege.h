/*
 * privilege.h - from root to what the work needs: the owner of the home, then
 * nobody's capabilities.
 */
#ifndef SF_APP_PRIVILEGE_H
#define SF_APP_PRIVILEGE_H

#include "app/error.h"
#include "base/status.h"

/*
 * A program started as root on a home that belongs to somebody else becomes
 * that user, with that user's groups, and keeps of its capabilities only what
 * binds a port below 1024. Others, and root on root's own home, stay who they
 * are. `path` is the home's; where there is none nothing is done.
 *
 * Returns SF_OK, or SF_EAUTH with *error; then the process must end.
 */
SF_MUST_USE int sf_privilege_become_owner(const char *path, struct sf_app_error *error);

/* Every capability is gone, for good. SF_OK, or SF_EAUTH with *error. */
SF_MUST_USE int sf_privilege_drop(struct sf_app_error *error);

#endif
