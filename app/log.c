#include "app/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2000 };

static const char *
level_word(enum sf_log_level level)
{
    switch (level) {
    case SF_LOG_ERROR:
        return "skyferryd: error: ";
    case SF_LOG_WARNING:
        return "skyferryd: warning: ";
    case SF_LOG_NOTICE:
    case SF_LOG_INFO:
        break;
    }
    return "skyferryd: ";
}

void
sf_log(enum sf_log_level level, const char *format, ...)
{
    char line[LINE_BYTES_MAX + 2];
    va_list arguments;
    int head;
    int body;
    size_t bytes;
    ssize_t written;

    if (getenv("JOURNAL_STREAM") != NULL) {
        head = snprintf(line, LINE_BYTES_MAX, "<%d>", (int)level);
    } else {
        head = snprintf(line, LINE_BYTES_MAX, "%s", level_word(level));
    }
    va_start(arguments, format);
    body = vsnprintf(line + head, (size_t)(LINE_BYTES_MAX - head), format, arguments);
    va_end(arguments);
    if (body < 0) {
        return;
    }
    bytes = strlen(line);
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[bytes++] = '\n';
    /* One write, so that lines of threads do not mix; a full pipe loses the line, not us. */
    written = write(STDERR_FILENO, line, bytes);
    (void)written;
}
