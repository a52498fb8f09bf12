/*
 * status.h - what a call can answer.
 *
 * One closed set of codes for the whole project. Each implies a reaction of
 * the caller, so a code is chosen by what is to be done next, not by what
 * happened inside. Zero is success, failures are negative, and a status may
 * never be ignored.
 */
#ifndef SF_BASE_STATUS_H
#define SF_BASE_STATUS_H

#define SF_MUST_USE __attribute__((warn_unused_result))

enum sf_status {
    SF_OK = 0,
    SF_EINVAL = -1,  /* an argument is outside its documented limits: correct the call */
    SF_EFORMAT = -2, /* outside bytes break the format: drop them */
    SF_EAUTH = -3,   /* outside bytes are not authentic: drop them, stay silent */
    SF_ELIMIT = -4,  /* a named limit would be passed: refuse, say which */
    SF_ESTATE = -5,  /* not possible in this state: a caller's bug or a late message */
    SF_ENOSPC = -6,  /* the disk or a quota is full: pause, resume when there is room */
    SF_EIO = -7,     /* the medium failed: what the call covered is not held */
    SF_ENOMEM = -8,  /* no memory: nothing was changed */
    SF_ENOENT = -9,  /* no such thing */
    SF_EEXIST = -10, /* it is there already */
};

/* A short English text for `status`, never NULL; unknown values say so. */
const char *sf_status_text(int status);

#endif
