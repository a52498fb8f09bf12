#include "app/limit.h"

#include "app/units.h"
#include "link/link.h"

#include <string.h>

enum { WORDS_MAX = 7, WORD_BYTES_MAX = 63 };

/* Cut `text` at blanks. False if there are too many words, or one is too long. */
static bool
cut(const char *text, char words[WORDS_MAX][WORD_BYTES_MAX + 1], size_t *ret_count)
{
    size_t count = 0;

    for (;;) {
        size_t bytes;

        text += strspn(text, " \t");
        bytes = strcspn(text, " \t");
        if (bytes == 0) {
            *ret_count = count;
            return true;
        }
        if (count == WORDS_MAX || bytes > WORD_BYTES_MAX) {
            return false;
        }
        memcpy(words[count], text, bytes);
        words[count++][bytes] = '\0';
        text += bytes;
    }
}

static bool
two_digits(const char *text, unsigned most, unsigned *ret_value)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    *ret_value = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    return *ret_value <= most;
}

/* "08:00"; 24:00 ends the day. */
static bool
parse_minute(const char *text, uint16_t *ret_minute)
{
    unsigned hour, minute;

    if (strlen(text) != 5 || text[2] != ':' || !two_digits(text, 24, &hour) ||
        !two_digits(text + 3, 59, &minute) || hour * 60 + minute > SF_LIMIT_MINUTES) {
        return false;
    }
    *ret_minute = (uint16_t)(hour * 60 + minute);
    return true;
}

int
sf_limit_parse(const char *text, struct sf_limit *ret_limit)
{
    struct sf_limit limit = {.rate_bps = 0};
    char words[WORDS_MAX][WORD_BYTES_MAX + 1];
    size_t count, at = 1;

    if (!cut(text, words, &count) || count == 0 ||
        sf_units_rate_parse(words[0], &limit.rate_bps) != SF_OK ||
        limit.rate_bps < SF_LINK_RATE_BPS_MIN || limit.rate_bps > SF_LINK_RATE_BPS_MAX) {
        return SF_EFORMAT;
    }
    if (count - at >= 2 && strcmp(words[at], "on") == 0) {
        if (sf_mark_interface_parse(words[at + 1], limit.interface) != SF_OK) {
            return SF_EFORMAT;
        }
        at += 2;
    }
    if (count - at == 4 && strcmp(words[at], "from") == 0 && strcmp(words[at + 2], "to") == 0) {
        if (!parse_minute(words[at + 1], &limit.from_minute) ||
            !parse_minute(words[at + 3], &limit.to_minute) ||
            limit.from_minute == limit.to_minute) {
            return SF_EFORMAT;
        }
        limit.has_hours = true;
        at += 4;
    }
    if (at != count) {
        return SF_EFORMAT;
    }
    *ret_limit = limit;
    return SF_OK;
}

bool
sf_limit_holds(const struct sf_limit *limit, unsigned minute)
{
    if (!limit->has_hours) {
        return true;
    }
    if (limit->from_minute < limit->to_minute) {
        return minute >= limit->from_minute && minute < limit->to_minute;
    }
    return minute >= limit->from_minute || minute < limit->to_minute;
}
