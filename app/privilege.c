#include "app/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Have exactly the capabilities of the mask, of numbers below 32. */
static bool
set_capabilities(uint32_t mask)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = mask, .permitted = mask}};

    return syscall(SYS_capset, &header, data) == 0;
}

/* The groups of the user, and its own; `gid` where the system does not know the user. */
static bool
set_groups(uid_t uid, gid_t gid)
{
    const struct passwd *entry = getpwuid(uid);

    if (entry == NULL) {
        return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0;
    }
    return initgroups(entry->pw_name, entry->pw_gid) == 0 &&
           setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0;
}

int
sf_privilege_become_owner(const char *path, struct sf_app_error *error)
{
    struct stat info;

    if (geteuid() != 0 || stat(path, &info) != 0 || info.st_uid == 0) {
        return SF_OK;
    }
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || !set_groups(info.st_uid, info.st_gid) ||
        setresuid(info.st_uid, info.st_uid, info.st_uid) != 0 ||
        !set_capabilities(1U << CAP_NET_BIND_SERVICE) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) {
        return sf_app_error_set(error, SF_EAUTH,
            "cannot become user %u, to whom the home %s belongs: %s: start it as that user",
            (unsigned)info.st_uid, path, strerror(errno));
    }
    return SF_OK;
}

int
sf_privilege_drop(struct sf_app_error *error)
{
    /* Fails where there are none to take from, which is what is wanted. */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++) {
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
    if (!set_capabilities(0)) {
        return sf_app_error_set(
            error, SF_EAUTH, "cannot give up the capabilities of the process: %s", strerror(errno));
    }
    return SF_OK;
}
