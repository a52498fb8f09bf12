/*
 * error.h - what went wrong, in a sentence for a person.
 *
 * Programs talk to people: beside the status every failure in app/ carries a
 * text that says what was wrong, with which value, and what to do next.
 */
#ifndef SF_APP_ERROR_H
#define SF_APP_ERROR_H

#include "base/status.h"

enum { SF_APP_ERROR_BYTES_MAX = 1023 }; /* of the text, without the NUL */

struct sf_app_error {
    int status;
    char text[SF_APP_ERROR_BYTES_MAX + 1];
};

/*
 * Fill *error (NULL is allowed) and return `status`, so that a failure is one
 * line: `return sf_app_error_set(error, SF_EINVAL, "...", ...);`. Control
 * characters that came in with an argument are shown as '?'.
 */
int sf_app_error_set(struct sf_app_error *error, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
