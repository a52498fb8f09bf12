#include "app/error.h"

#include <stdarg.h>
#include <stdio.h>

int
sf_app_error_set(struct sf_app_error *error, int status, const char *format, ...)
{
    char text[SF_APP_ERROR_BYTES_MAX + 1];
    va_list arguments;

    if (error == NULL) {
        return status;
    }
    /* By way of a local: an argument may be the text that is being replaced. */
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < sizeof(text); i++) {
        unsigned char byte = (unsigned char)text[i];

        error->text[i] = byte != 0 && (byte < ' ' || byte == 0x7f) ? '?' : text[i];
        if (byte == 0) {
            break;
        }
    }
    error->status = status;
    return status;
}
