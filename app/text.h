/*
 * text.h - how the programs show names, amounts and times to people.
 *
 * Names come from outside and may hold any byte; they are shown so that they
 * can neither move a terminal's cursor nor pass for another name.
 */
#ifndef SF_APP_TEXT_H
#define SF_APP_TEXT_H

#include "base/bytes.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_TEXT_AMOUNT_BYTES = 32,   /* room for any amount, rate, duration or time, with the NUL */
    SF_TEXT_ESCAPE_FACTOR = 4,   /* an escaped name is at most this many times as long */
    SF_TEXT_NEAREST_DISTANCE = 2 /* a word with more typing slips than this is no suggestion */
};

/*
 * Write `name` into `out` (`bytes_max` with the NUL, at least 1), as itself
 * where it is harmless: control characters become \n, \t or \xNN, a backslash
 * \\, what is not UTF-8 \xNN, and characters that are invisible or change the
 * direction of writing \u{NNNN}. Without `utf8` all but ASCII is escaped. What
 * does not fit is cut between characters. Returns the bytes written.
 */
size_t sf_text_escape(struct sf_view name, bool utf8, char *out, size_t bytes_max);

/* The same into fresh memory, which the caller frees; never NULL (no memory ends the program). */
char *sf_text_escaped(struct sf_view name, bool utf8);

/* Columns that `text` (UTF-8, escaped) takes on a terminal. */
unsigned sf_text_width(const char *text);

/*
 * Make a message fit for a terminal, in place: whatever could steer it or
 * deceive its reader, and is no new line, becomes '?'. For text that quotes
 * what was typed or read; names of files are escaped, so that none is lost.
 */
void sf_text_tame(char *text);

/*
 * Cut `text` in place, between characters, so that it takes at most `columns`;
 * what is cut ends in "..." (if there are at least four columns).
 */
void sf_text_cut(char *text, unsigned columns);

/* Whether the locale's terminal takes UTF-8; setlocale() must have been called. */
bool sf_text_is_utf8(void);

/* "0 B", "999 B", "1.50 MiB", "12.3 GiB", "700 GiB": binary units, three digits. */
void sf_text_size(uint64_t bytes, char out[SF_TEXT_AMOUNT_BYTES]);

/* "0 bit/s", "18.4 Mbit/s": decimal units, three digits. */
void sf_text_rate(uint64_t bits_per_second, char out[SF_TEXT_AMOUNT_BYTES]);

/* "0 s", "59 s", "3 min 20 s", "2 h 05 min", "3 d 4 h". */
void sf_text_duration(uint64_t seconds, char out[SF_TEXT_AMOUNT_BYTES]);

/* "2026-11-23 15:04:05" in the time zone of the caller, or "-" for 0. */
void sf_text_time(struct sf_wall wall, char out[SF_TEXT_AMOUNT_BYTES]);

/*
 * The one of `words` that `word` is most likely a slip of: at most
 * SF_TEXT_NEAREST_DISTANCE letters missing, added, changed or swapped with their
 * neighbour, and fewer than the word is long. NULL if there is none.
 */
const char *sf_text_nearest(const char *word, const char *const *words, size_t count);

#endif
