/*
 * log.h - lines on standard error, for the journal and for people.
 *
 * Where standard error is systemd's journal ($JOURNAL_STREAM is set) a line
 * begins with its priority, "<4>...", else with a word. Names of files are
 * never logged, and control characters never reach the terminal.
 * Any thread may log.
 */
#ifndef SF_APP_LOG_H
#define SF_APP_LOG_H

enum sf_log_level { SF_LOG_ERROR = 3, SF_LOG_WARNING = 4, SF_LOG_NOTICE = 5, SF_LOG_INFO = 6 };

/* One line, at most 2,000 bytes; no newline at its end. */
void sf_log(enum sf_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
