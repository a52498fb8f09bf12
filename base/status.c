#include "base/status.h"

const char *
sf_status_text(int status)
{
    switch (status) {
    case SF_OK:
        return "done";
    case SF_EINVAL:
        return "bad argument";
    case SF_EFORMAT:
        return "malformed";
    case SF_EAUTH:
        return "not authentic";
    case SF_ELIMIT:
        return "over a limit";
    case SF_ESTATE:
        return "not possible in this state";
    case SF_ENOSPC:
        return "no space";
    case SF_EIO:
        return "input/output error";
    case SF_ENOMEM:
        return "out of memory";
    case SF_ENOENT:
        return "not found";
    case SF_EEXIST:
        return "exists already";
    default:
        return "unknown status";
    }
}
